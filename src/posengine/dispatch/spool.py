"""A day's file while it grows: rows and marks, so that a kill at any moment loses nothing.

    {"spool":1,"journal_id":..,"business_date":..,"fields":..,"after":0,..}  the head
    [3,"SALE","156",1000,"D,3,SALE,1000\\n"]                                 a row, as published
    {"last":7,"rows":1,"sha256":".."}                                        a mark, then a flush

A mark says: every entry of this date up to ``last`` is above, and these are the digest and the
count of its rows. Whoever opens a spool believes it up to its last whole and right mark and cuts
off the rest, which the replay brings again. So rows come neither twice nor not at all, wherever
the writer was killed:

    1. rows are appended            no mark behind them: cut off, and brought again
    2. the mark is appended         perhaps torn: the same
    3. the spool is flushed         whole: entries up to ``last`` are dropped when they come again
    4. the checkpoint moves         they do not come again
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

FORMAT = 1
LINE_SIZE_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Head:
    """What a spool is of; a spool with another head is of no use and is begun anew."""

    journal_id: str
    business_date: int
    fields: tuple[str, ...]
    choice: str
    """Digest of which entries are chosen."""
    after: int
    """Every entry of the date comes behind this sequence."""

    def line(self) -> bytes:
        """The first line of the file."""
        facts = {
            "spool": FORMAT,
            "journal_id": self.journal_id,
            "business_date": self.business_date,
            "fields": list(self.fields),
            "choice": self.choice,
            "after": self.after,
        }
        return json.dumps(facts, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Head | None:
        """A head from its line; None where it is none of this format."""
        facts = _read_line(line)
        if not isinstance(facts, dict) or facts.get("spool") != FORMAT:
            return None
        return cls(
            facts["journal_id"],
            facts["business_date"],
            tuple(facts["fields"]),
            facts["choice"],
            facts["after"],
        )


@dataclass(slots=True)
class Sums:
    """What the trailer says of the rows."""

    count: int = 0
    first: int = 0
    last: int = 0
    by_kind: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows by currency and kind."""
    amounts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Minor units by currency and kind."""

    def add(self, sequence: int, kind: str, currency: str, amount_minor: int) -> None:
        """Count one row."""
        self.count += 1
        self.first = self.first or sequence
        self.last = sequence
        self.by_kind[currency, kind] += 1
        self.amounts[currency, kind] += amount_minor


class Spool:
    """A spool, open to append. ``open`` believes and cuts as the head of this file says."""

    def __init__(self, path: Path, file: BinaryIO, head: Head) -> None:
        self.path = path
        self.head = head
        self.sums = Sums()
        self.position = head.after
        """Every entry of the date up to here is in the spool."""
        self.digest = hashlib.sha256()
        self._file = file

    @classmethod
    def begin(cls, path: Path, head: Head) -> Spool:
        """A new spool, in place of one that may be there. Its head is on disk when this returns."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beginning = path.with_suffix(".begin")
        with open(beginning, "wb", opener=_private) as file:
            file.write(head.line())
            file.flush()
            os.fsync(file.fileno())
        os.replace(beginning, path)
        flush_directory(path.parent)
        return cls(path, _append(path), head)

    @classmethod
    def open(cls, path: Path) -> Spool | None:
        """A spool that was left, cut behind its last right mark; None where it is of no use."""
        with path.open("rb") as file:
            head = Head.read(file.readline(LINE_SIZE_MAX))
            if head is None:
                return None
            spool = cls(path, file, head)
            keep = spool._believe(file)
        spool._file = _append(path)
        spool._file.truncate(keep)
        return spool

    def add(self, sequence: int, kind: str, currency: str, amount_minor: int, row: str) -> None:
        """Append one row. It counts from the next ``mark`` on."""
        line = json.dumps([sequence, kind, currency, amount_minor, row], ensure_ascii=False)
        self._file.write(line.encode() + b"\n")
        self.digest.update(row.encode())
        self.sums.add(sequence, kind, currency, amount_minor)

    def mark(self, last: int) -> None:
        """Every entry of the date up to ``last`` is in; on disk when this returns."""
        self._file.write(self._mark_line(last))
        self._file.flush()
        os.fdatasync(self._file.fileno())
        self.position = last

    def rows(self) -> Iterator[str]:
        """The rows as they are published, in order. What was added is marked first."""
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                facts = _read_line(line)
                if isinstance(facts, list):
                    yield facts[4]

    def close(self) -> None:
        """Close the file; the last mark stands."""
        self._file.close()

    def _mark_line(self, last: int) -> bytes:
        facts = {"last": last, "rows": self.sums.count, "sha256": self.digest.hexdigest()}
        return json.dumps(facts, separators=(",", ":")).encode() + b"\n"

    def _believe(self, file: BinaryIO) -> int:
        """Read rows and marks; gives the offset behind the last right mark."""
        keep = file.tell()
        right = (self.sums, self.digest, self.position)
        sums, digest = Sums(), hashlib.sha256()
        while line := file.readline(LINE_SIZE_MAX):
            facts = _read_line(line)
            if isinstance(facts, list) and len(facts) == 5:
                sums.add(*facts[:4])
                digest.update(facts[4].encode())
            elif isinstance(facts, dict) and facts.get("sha256") == digest.hexdigest():
                keep = file.tell()
                right = (_copy(sums), digest.copy(), facts["last"])
            else:
                break
        self.sums, self.digest, self.position = right
        return keep


def flush_directory(path: Path) -> None:
    """A rename in this directory survives a power loss from here on."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _read_line(line: bytes) -> Any:
    """The line's JSON; None for a torn or foreign one."""
    if not line.endswith(b"\n"):
        return None
    try:
        return json.loads(line)
    except ValueError:
        return None


def _copy(sums: Sums) -> Sums:
    return Sums(sums.count, sums.first, sums.last, sums.by_kind.copy(), sums.amounts.copy())


def _append(path: Path) -> BinaryIO:
    return open(path, "ab", opener=_private)  # closed by Spool.close


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
