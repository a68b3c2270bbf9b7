"""Files that an operator writes, read so that every complaint names file, line, key and rule.

    Source   the text, its TOML, and on which line each key stands
    Table    one table of it: each value is taken once, by name and rule; what is left is unknown

Amounts are text with two decimals ("50000.00"), so that nobody can mistake yuan for fen.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posengine.errors import ImageForm

_HEADER = re.compile(r"^\s*(\[\[|\[)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\-\"'.]+)\s*=")
_AMOUNT = re.compile(r"^[0-9]{1,13}\.[0-9]{2}$")
_MINUTE = re.compile(r"^([01][0-9]|2[0-3]):([0-5][0-9])$")


class RosterError(ImageForm):
    """A roster or policy file that breaks a rule.

    Attributes:
        path: the file. line: from 1; 0 where it is not known. key: ``terminal[3].tid``.
    """

    def __init__(self, path: str, line: int, key: str, rule: str) -> None:
        where = f"{path}:{line}" if line else path
        super().__init__(f"{where}: {key}: {rule}" if key else f"{where}: {rule}")
        self.path = path
        self.line = line
        self.key = key
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Source:
    """A TOML file: ``data`` as tomllib gives it, ``lines`` by key."""

    path: str
    data: dict[str, Any]
    lines: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | Path) -> Source:
        """The file at ``path``.

        Raises:
            RosterError: not to be read, not UTF-8, or not TOML.
        """
        try:
            text = Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RosterError(str(path), 0, "", f"cannot be read: {error}") from error
        return cls.of(text, path=str(path))

    @classmethod
    def of(cls, text: str, *, path: str) -> Source:
        """The same from text; ``path`` is for complaints."""
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"line (\d+)", str(error))
            line = int(found[1]) if found else 0
            raise RosterError(path, line, "", f"is not TOML: {error}") from error
        return cls(path, data, _lines(text))

    def line_of(self, key: str) -> int:
        """The line of ``key``, or of the closest table around it; 0 where none is known."""
        while key:
            for name in (key, f"{key}[0]"):
                if name in self.lines:
                    return self.lines[name]
            key = re.sub(r"(\[\d+\]|\.?[^.\[\]]+)$", "", key)
        return 0

    def fault(self, key: str, rule: str) -> RosterError:
        return RosterError(self.path, self.line_of(key), key, rule)


def _lines(text: str) -> dict[str, int]:
    """Key -> line, by headers and assignments; enough to point, not a parser."""
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            name = header[2].replace('"', "")
            if header[1] == "[[":
                counts[name] = counts.get(name, -1) + 1
                name = f"{name}[{counts[name]}]"
            table = name
            lines.setdefault(table, number)
        elif assignment := _KEY.match(line):
            name = assignment[1].replace('"', "").replace("'", "")
            lines.setdefault(f"{table}.{name}" if table else name, number)
    return lines


class Table:
    """One table of a source; ``name`` is its key."""

    def __init__(self, source: Source, name: str, values: object) -> None:
        if not isinstance(values, dict):
            raise source.fault(name, "is a table")
        self.source = source
        self.name = name
        self._left: dict[str, Any] = dict(values)

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def fault(self, key: str, rule: str) -> RosterError:
        return self.source.fault(f"{self.name}.{key}" if self.name else key, rule)

    def _take(self, key: str, default: Any) -> Any:
        if key in self._left:
            return self._left.pop(key)
        if default is None:
            raise self.fault(key, "is missing")
        return default

    def text(self, key: str, default: str | None = None, *, pattern: str, rule: str) -> str:
        value = self._take(key, default)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self.fault(key, f"{value!r} is not {rule}")
        return value

    def integer(self, key: str, default: int | None = None, *, least: int, most: int) -> int:
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.fault(key, f"{value!r} is not a whole number from {least} to {most}")
        return value

    def flag(self, key: str, default: bool | None = None) -> bool:
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.fault(key, f"{value!r} is neither true nor false")
        return value

    def choice(self, key: str, default: str | None = None, *, among: tuple[str, ...]) -> str:
        value = self._take(key, default)
        if value not in among:
            raise self.fault(key, f"{value!r} is none of {', '.join(among)}")
        return str(value)

    def amount(self, key: str, default: str | None = None) -> int:
        """Minor units of an amount in text."""
        value = self._take(key, default)
        minor = amount_minor(value)
        if minor is None:
            raise self.fault(key, f'{value!r} is not an amount such as "50000.00"')
        return minor

    def amount_or_never(self, key: str, default: str | None = None) -> int:
        """As ``amount``; -1 for "never"."""
        if self._left.get(key, default) == "never":
            self._left.pop(key, None)
            return -1
        return self.amount(key, default)

    def minute(self, key: str, default: str | None = None) -> int:
        """Minute of the day of "hh:mm"."""
        value = self._take(key, default)
        found = _MINUTE.match(value) if isinstance(value, str) else None
        if found is None:
            raise self.fault(key, f'{value!r} is not a time such as "23:00"')
        return int(found[1]) * 60 + int(found[2])

    def texts(self, key: str, default: list[str] | None = None) -> list[str]:
        value = self._take(key, default)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.fault(key, f"{value!r} is not a list of texts")
        return list(value)

    def table(self, key: str) -> Table:
        """The table within; an absent one is empty."""
        return Table(self.source, self._join(key), self._left.pop(key, {}))

    def tables(self, key: str) -> list[Table]:
        """The array of tables within; an absent one is empty."""
        values = self._left.pop(key, [])
        if not isinstance(values, list):
            raise self.fault(key, "is an array of tables")
        return [
            Table(self.source, f"{self._join(key)}[{index}]", value)
            for index, value in enumerate(values)
        ]

    def names(self) -> list[str]:
        """Keys that nobody took yet."""
        return list(self._left)

    def done(self) -> None:
        """Raises:
        RosterError: a key is left that nothing knows.
        """
        for key in self._left:
            raise self.fault(key, "is not a setting")

    def _join(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key


def amount_minor(value: object) -> int | None:
    """Minor units of text such as "50000.00"; None where it is not of that form."""
    if not isinstance(value, str) or not _AMOUNT.match(value):
        return None
    return int(value.replace(".", ""))
