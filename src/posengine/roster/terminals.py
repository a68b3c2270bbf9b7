"""Terminals and their merchants: TOML or CSV to the roster image.

    [[merchant]]                          tid,mid,currency,...
    mid = "104110045110012"               12345678,104110045110012,156,...
    name = "示例商户"
    [[terminal]]
    tid = "12345678"
    mid = "104110045110012"

The image's record is described at the head of native/roster/roster.c. Master keys come sealed from
the key file and stay sealed here: this room can neither read nor make one.
"""

from __future__ import annotations

import csv
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from posengine.roster.image import build, digest_of
from posengine.roster.kinds import ALL, mask_of
from posengine.roster.source import RosterError, Source, Table, amount_minor

MAGIC = b"POSROSTR"
VERSION = 1
RECORD_SIZE = 160
_RECORD = struct.Struct("<8s15sBQqHHI40s4sBB64s2x")
_FLAGS = (("active", 0x01), ("locked", 0x02), ("no_pinpad", 0x04), ("test", 0x08))
NAME_SIZE_MAX = 40
MACS = (
    "",
    "unionpay-ecb",
    "x9.9",
    "x9.19",
    "aes-cmac",
    "hmac-sha256",
    "sm4-unionpay",
    "sm4-cbc",
)
_TID = r"[!-~]{1,8}"
_MID = r"[!-~]{1,15}"
CSV_COLUMNS = (
    "tid", "mid", "merchant_name", "currency", "active", "locked", "no_pinpad", "test", "mac",
    "amount_max", "line_nii", "kinds",
)  # fmt: skip


class Sealed(Protocol):
    """A terminal's master key as the key file has it (``posengine.keys.KeyRecord``).

    ``sealed`` opens under the deployment's key for this TID and MID alone; ``kcv`` is its check
    value, four bytes.
    """

    @property
    def sealed(self) -> bytes: ...

    @property
    def kcv(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class SealedKey:
    """The same by itself, for programs that keep their keys elsewhere."""

    sealed: bytes = field(repr=False)
    kcv: bytes


@dataclass(frozen=True, slots=True)
class Terminal:
    """One terminal. ``amount_max_minor`` 0: the policy's; ``line_nii`` 0: any TPDU origin."""

    tid: str
    mid: str
    merchant_name: str = ""
    currency: int = 156
    active: bool = True
    locked: bool = False
    no_pinpad: bool = False
    test: bool = False
    mac: str = ""
    amount_max_minor: int = 0
    line_nii: int = 0
    kind_mask: int = ALL
    key: Sealed | None = field(default=None, repr=False)

    @property
    def flags(self) -> int:
        return sum(bit for name, bit in _FLAGS if getattr(self, name))


@dataclass(frozen=True, slots=True)
class Roster:
    """Every terminal that is known, by TID once."""

    terminals: tuple[Terminal, ...]
    path: str = ""

    @classmethod
    def load(
        cls, path: str | Path, *, keys: Mapping[tuple[str, str], Sealed] | None = None
    ) -> Roster:
        """A roster from a ``.toml`` or ``.csv`` file, with the master keys of ``keys``.

        Args:
            path: the file. CSV has a header line of some of ``CSV_COLUMNS``.
            keys: (TID, MID) -> sealed key, as ``KeyFile.load(...).records``. A terminal without
                one cannot sign on.

        Raises:
            RosterError: naming file, line, key and the rule that is broken.
        """
        read = _from_csv if str(path).endswith(".csv") else _from_toml
        found: dict[str, Terminal] = {}
        for terminal, fault in read(path):
            if terminal.tid in found:
                raise fault("tid", f"TID {terminal.tid} appears twice")
            key = (keys or {}).get((terminal.tid, terminal.mid))
            found[terminal.tid] = replace(terminal, key=key) if key else terminal
        return cls(tuple(found.values()), str(path))

    def compile(self) -> bytes:
        """The image that the engine loads.

        Raises:
            RosterError: a value that the image cannot hold.
        """
        merchants: dict[str, int] = {}
        records = [
            _record(self.path, terminal, merchants.setdefault(terminal.mid, len(merchants)))
            for terminal in sorted(self.terminals, key=lambda one: one.tid.ljust(8).encode())
        ]
        return build(MAGIC, VERSION, b"", records, record_size=RECORD_SIZE)

    @property
    def digest(self) -> str:
        """What pages of the journal call this snapshot, in hex."""
        return digest_of(self.compile()).hex()


def _record(path: str, terminal: Terminal, merchant: int) -> bytes:
    name = terminal.merchant_name.encode()
    sealed = terminal.key.sealed if terminal.key else b""
    kcv = terminal.key.kcv if terminal.key else b""
    if len(name) > NAME_SIZE_MAX:
        raise RosterError(path, 0, terminal.tid, f"merchant name over {NAME_SIZE_MAX} bytes")
    if len(sealed) > 49 or len(kcv) not in (0, 4):
        raise RosterError(path, 0, terminal.tid, "the sealed key is not of its size")
    return _RECORD.pack(
        terminal.tid.ljust(8).encode("ascii"),
        terminal.mid.ljust(15).encode("ascii"),
        terminal.flags,
        terminal.kind_mask,
        terminal.amount_max_minor,
        terminal.currency,
        terminal.line_nii,
        merchant,
        name,
        kcv,
        MACS.index(terminal.mac),
        len(sealed),
        sealed,
    )


# ---- reading: each gives (terminal, how to complain about it) ----------------------------------
class _Place:
    """Where a terminal stands in its file."""

    def __init__(self, source: Source | str, name: str, line: int) -> None:
        self._source = source
        self._name = name
        self._line = line

    def __call__(self, key: str, rule: str) -> RosterError:
        if isinstance(self._source, Source):
            return self._source.fault(f"{self._name}.{key}", rule)
        return RosterError(self._source, self._line, key, rule)


def _from_toml(path: str | Path) -> Iterable[tuple[Terminal, _Place]]:
    source = Source.read(path)
    top = Table(source, "", source.data)
    merchants: dict[str, str] = {}
    for table in top.tables("merchant"):
        mid = table.text("mid", pattern=_MID, rule="one to fifteen printable characters")
        if mid in merchants:
            raise table.fault("mid", f"merchant {mid} appears twice")
        merchants[mid] = table.text("name", "", pattern=r".{0,40}", rule="at most 40 characters")
        if len(merchants[mid].encode()) > NAME_SIZE_MAX:
            raise table.fault("name", f"is over {NAME_SIZE_MAX} bytes of UTF-8")
        table.done()
    for table in top.tables("terminal"):
        yield _terminal(table, merchants), _Place(source, table.name, 0)
    top.done()


def _terminal(table: Table, merchants: Mapping[str, str]) -> Terminal:
    mid = table.text("mid", pattern=_MID, rule="one to fifteen printable characters")
    kinds = table.texts("kinds", ["all"])
    try:
        mask = mask_of(kinds)
    except ValueError as error:
        raise table.fault("kinds", str(error)) from error
    terminal = Terminal(
        tid=table.text("tid", pattern=_TID, rule="one to eight printable characters"),
        mid=mid,
        merchant_name=merchants.get(mid, ""),
        currency=table.integer("currency", 156, least=1, most=999),
        active=table.flag("active", True),
        locked=table.flag("locked", False),
        no_pinpad=table.flag("no_pinpad", False),
        test=table.flag("test", False),
        mac=table.choice("mac", "", among=MACS),
        amount_max_minor=table.amount("amount_max", "0.00"),
        line_nii=int(table.text("line_nii", "0000", pattern=r"[0-9]{4}", rule="four digits"), 16),
        kind_mask=mask,
    )
    table.done()
    return terminal


def _from_csv(path: str | Path) -> Iterable[tuple[Terminal, _Place]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RosterError(str(path), 0, "", f"cannot be read: {error}") from error
    if not rows or not {"tid", "mid"} <= set(rows[0]):
        raise RosterError(str(path), 1, "", "the first line names the columns, tid and mid too")
    for name in rows[0]:
        if name not in CSV_COLUMNS:
            raise RosterError(str(path), 1, name, f"is no column of {', '.join(CSV_COLUMNS)}")
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        place = _Place(str(path), "", line)
        if len(row) != len(rows[0]):
            raise place("", f"{len(row)} columns where the first line has {len(rows[0])}")
        yield _csv_terminal(dict(zip(rows[0], row, strict=True)), place), place


def _csv_terminal(cells: Mapping[str, str], place: _Place) -> Terminal:
    values: dict[str, object] = {}
    for name, cell in cells.items():
        if name == "merchant_name" or cell == "":
            continue
        if name in ("active", "locked", "no_pinpad", "test"):
            if cell not in ("true", "false", "1", "0"):
                raise place(name, f"{cell!r} is none of true, false, 1, 0")
            values[name] = cell in ("true", "1")
        elif name == "currency":
            if not cell.isascii() or not cell.isdigit():
                raise place(name, f"{cell!r} is no currency number")
            values[name] = int(cell)
        elif name == "kinds":
            values[name] = cell.split()
        elif name == "amount_max" and amount_minor(cell) is None:
            raise place(name, f'{cell!r} is not an amount such as "50000.00"')
        else:
            values[name] = cell
    source = _CsvRow(place, values)
    mid, name = cells.get("mid", ""), cells.get("merchant_name", "")
    if len(name.encode()) > NAME_SIZE_MAX:
        raise place("merchant_name", f"is over {NAME_SIZE_MAX} bytes of UTF-8")
    return _terminal(source, {mid: name})


class _CsvRow(Table):
    """A row of CSV, judged by the same rules as a table of TOML."""

    def __init__(self, place: _Place, values: dict[str, object]) -> None:
        super().__init__(Source("", {}), "", values)
        self._place = place

    def fault(self, key: str, rule: str) -> RosterError:
        return self._place(key, rule)
