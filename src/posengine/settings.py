"""Settings: TOML read strictly. Every key has a type, and a key that nobody reads is an error.

    table = read_toml(path)
    name = table.text("name")
    sink = table.table("webhook")
    table.finish()                 # raises if a key is left that nobody asked for

Every fault names the file and the key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

from posengine.errors import PosError, Whose

T = TypeVar("T")
_REQUIRED: object = object()


class SettingsError(PosError):
    """A setting is absent, of the wrong type, out of its range, or unknown."""

    whose: ClassVar[Whose] = "operator"


class Table:
    """One TOML table. ``home`` is the directory that relative paths start from."""

    def __init__(self, values: dict[str, object], where: str, home: Path) -> None:
        self.where = where
        self.home = home
        self._left = dict(values)

    def fault(self, key: str, text: str) -> SettingsError:
        """The error that says what is wrong with ``key``."""
        return SettingsError(f"{self.where}: {key}: {text}")

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def text(self, key: str, default: str | None = None) -> str:
        """A string; without ``default`` it must be there."""
        return self._take(key, str, "a string", default)

    def number(
        self, key: str, default: int | None = None, *, least: int = 0, most: int = 2**53
    ) -> int:
        """A whole number within ``least`` and ``most``."""
        value = self._take(key, int, "a whole number", default)
        if not least <= value <= most:
            raise self.fault(key, f"{value} is not within {least} and {most}")
        return value

    def seconds(self, key: str, default: float, *, least: float = 0.0, most: float) -> float:
        """A number of seconds within ``least`` and ``most``."""
        value = float(self._take(key, (int, float), "a number of seconds", default))
        if not least <= value <= most:
            raise self.fault(key, f"{value} s is not within {least} and {most} s")
        return value

    def truth(self, key: str, default: bool) -> bool:
        """true or false."""
        return self._take(key, bool, "true or false", default)

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        """One of ``choices``."""
        value = self.text(key, default)
        if value not in choices:
            raise self.fault(key, f"{value!r} is none of {', '.join(choices)}")
        return value

    def texts(self, key: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """An array of strings."""
        values: Sequence[object] = self._take(key, (list, tuple), "an array of strings", default)
        for value in values:
            if not isinstance(value, str):
                raise self.fault(key, f"{value!r} is not a string")
        return tuple(str(value) for value in values)

    def path(self, key: str) -> Path:
        """A path, relative to the file that names it."""
        return self.home / Path(self.text(key)).expanduser()

    def table(self, key: str) -> Table:
        """A table within this one; empty where it is absent."""
        return Table(self._take(key, dict, "a table", {}), f"{self.where}: {key}", self.home)

    def tables(self, key: str) -> Iterator[Table]:
        """An array of tables."""
        values = self._take(key, list, "an array of tables", [])
        for index, value in enumerate(values, start=1):
            if not isinstance(value, dict):
                raise self.fault(key, f"{value!r} is not a table")
            yield Table(value, f"{self.where}: {key} {index}", self.home)

    def mapping(self, key: str) -> dict[str, str]:
        """A table of strings."""
        values = self._take(key, dict, "a table of strings", {})
        for name, value in values.items():
            if not isinstance(value, str):
                raise self.fault(f"{key}.{name}", f"{value!r} is not a string")
        return dict(values)

    def free(self, key: str) -> dict[str, object]:
        """A table whose values another reader judges; empty where it is absent."""
        return dict(self._take(key, dict, "a table", {}))

    def value(self, key: str) -> object:
        """Whatever is there, or None: for a key of more than one type."""
        return self._left.pop(key, None)

    def finish(self) -> None:
        """Every key must have been read."""
        if self._left:
            raise SettingsError(f"{self.where}: no such setting: {', '.join(sorted(self._left))}")

    def _take(
        self, key: str, kind: type[T] | tuple[type, ...], words: str, default: object = _REQUIRED
    ) -> T:
        value = self._left.pop(key, default)
        if value is None or value is _REQUIRED:
            raise self.fault(key, f"is needed: {words}")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.fault(key, f"{value!r} is not {words}")
        return value  # type: ignore[return-value]  # a tuple of types stands for any of them


def read_toml(path: str | Path) -> Table:
    """The top table of a TOML file.

    Raises:
        SettingsError: the file is absent or no TOML.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return Table(tomllib.load(file), str(path), path.parent)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
