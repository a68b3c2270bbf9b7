"""Keys that come in from outside: hex, two or more components, or a CSV file.

    tid,mid,tmk[,kcv][,cipher]
    10000159,880210010210160,<32 hex characters>,82E13665

A column ``sign_on``, which the files of simulated fleets have, is not looked at. A component is as
long as the key; the key is all of them, xored (split knowledge: no one person holds it). No message
of this module shows a key, a component, or a part of one.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from posengine.keys.keyfile import KeyFileError

COLUMNS = ("tid", "mid", "tmk", "kcv", "cipher", "sign_on")
REQUIRED = ("tid", "mid", "tmk")


@dataclass(frozen=True, slots=True)
class ClearKey:
    """A row of an import. ``kcv`` is empty where the file gives none."""

    line: int
    tid: str
    mid: str
    tmk: bytes = field(repr=False)
    kcv: bytes = b""
    cipher: str = "des"


def key_bytes(text: str, what: str = "key") -> bytes:
    """The bytes of a key in hex; blanks between groups are allowed.

    Raises:
        KeyFileError: not hex. The text is not shown.
    """
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise KeyFileError(f"{what}: not hex") from None


def combined(components: Sequence[bytes]) -> bytes:
    """The key of two or more components: their exclusive or.

    Raises:
        KeyFileError: fewer than two, or of different sizes, or two that cancel out to nothing.
    """
    if len(components) < 2:
        raise KeyFileError("components: two or more make a key")
    if len({len(component) for component in components}) != 1:
        raise KeyFileError("components: all are as long as the key")
    key = bytes(len(components[0]))
    for component in components:
        key = bytes(a ^ b for a, b in zip(key, component, strict=True))
    if not any(key):
        raise KeyFileError("components: they cancel out; was one of them given twice?")
    return key


def read_csv(path: Path) -> list[ClearKey]:
    """Every row of an import file.

    Raises:
        KeyFileError: naming file and line.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise KeyFileError(f"{path}: cannot be read as CSV") from None
    head = [name.strip().lower() for name in rows[0]] if rows else []
    if not set(REQUIRED) <= set(head) <= set(COLUMNS) or len(head) != len(set(head)):
        raise KeyFileError(
            f"{path}:1: the first line names the columns: {', '.join(REQUIRED)},"
            " and kcv and cipher where they are given"
        )
    found = []
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(head):
            raise KeyFileError(f"{path}:{line}: {len(row)} columns, the first line has {len(head)}")
        cells = {name: cell.strip() for name, cell in zip(head, row, strict=True)}
        found.append(
            ClearKey(
                line,
                cells["tid"],
                cells["mid"],
                key_bytes(cells["tmk"], f"{path}:{line}: tmk"),
                key_bytes(cells.get("kcv", ""), f"{path}:{line}: kcv"),
                cells.get("cipher") or "des",
            )
        )
    return found
