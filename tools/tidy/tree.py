"""The repository as the rules see it: paths and texts, from git or from a test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One violation."""

    path: str
    line: int
    """From 1; 0 for the file as a whole."""
    rule: str
    what: str
    instead: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where}: [{self.rule}] {self.what}. {self.instead}"


class Tree:
    """Files by path from the repository's top, with forward slashes."""

    def __init__(self, files: Mapping[str, bytes | str]) -> None:
        self._files = {
            path: data.encode() if isinstance(data, str) else data for path, data in files.items()
        }
        self._texts: dict[str, str] = {}

    @classmethod
    def of_repository(cls, home: Path) -> Tree:
        """Every file that git knows or would: committed, staged or new and not ignored."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=home, capture_output=True, check=True,
        )
        paths = sorted(set(filter(None, listed.stdout.decode().split("\0"))))
        files = {path: home / path for path in paths}
        return cls({path: file.read_bytes() for path, file in files.items() if file.is_file()})

    def paths(self, *patterns: str) -> Iterator[str]:
        """Paths that match one of the shell patterns; ``*`` also spans folders."""
        for path in self._files:
            if any(fnmatch(path, pattern) for pattern in patterns):
                yield path

    def data(self, path: str) -> bytes:
        """A file's bytes."""
        return self._files[path]

    def text(self, path: str) -> str:
        """A file's text; bytes that are no UTF-8 are replaced."""
        if path not in self._texts:
            self._texts[path] = self._files[path].decode("utf-8", "replace")
        return self._texts[path]

    def lines(self, path: str) -> Iterator[tuple[int, str]]:
        """Line numbers, from 1, and lines."""
        yield from enumerate(self.text(path).splitlines(), start=1)

    def __contains__(self, path: str) -> bool:
        return path in self._files
