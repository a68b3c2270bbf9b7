"""The journal read by its description alone: docs/reference/journal_format.md, lmdb and NumPy.

    python tests/oracle/journal.py PATH

prints what is there as JSON and exits with 1 where a sum, a chain or a sequence is wrong. Nothing
here comes from posengine, and it runs in a process of its own: an LMDB environment that is open
twice in one process loses its locks.

Slow and obvious on purpose: CRC-32C a byte at a time, one page after the other, no index.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

DTYPES = {1: "<i8", 2: "<u8", 3: "<u4", 4: "<u2", 5: "u1", 6: "S", 7: "V"}
APPROVED = 1
REVERSAL = 20
FOREIGN, CLOSED, FINAL = 0x400, 0x10000, 0x20000
# Kinds by what an approved one does to the totals of its batch: docs/reference/kinds.md.
DEBITS = {5, 10, 12, 13, 14, 15, 16, 19, 32}
CREDITS = {6, 7, 11, 18, 33, 34}


def crc_table() -> list[int]:
    """Castagnoli, reflected: RFC 3720, B.4."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc_table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def digest_of(value: bytes) -> bytes:
    """By the version in the value: of the whole, or of the digests of its halves."""
    (version,) = struct.unpack_from("<I", value, 48)
    if version == 1:
        return hashlib.sha256(value[48:]).digest()
    middle = 56 + len(value) // 2
    halves = value[48:middle], value[middle:]
    return hashlib.sha256(b"".join(hashlib.sha256(half).digest() for half in halves)).digest()


@dataclass
class Page:
    key: int
    value: bytes
    first_sequence: int
    count: int
    business_date: int
    digest: bytes
    digest_before: bytes
    columns: dict[str, np.ndarray[Any, np.dtype[Any]]]
    heap: bytes

    @property
    def faults(self) -> list[str]:
        """What is wrong with it, by itself."""
        (crc,) = struct.unpack_from("<I", self.value, 8)
        faults = []
        if crc != crc32c(self.value[12:]):
            faults.append("CRC")
        if self.digest != digest_of(self.value):
            faults.append("digest")
        if self.key != self.first_sequence:
            faults.append("key")
        return faults

    def slices(self, row: int) -> tuple[bytes, bytes]:
        """Request and answer of a row."""
        at = int(self.columns["heap_offset"][row])
        middle = at + int(self.columns["request_size"][row])
        end = middle + int(self.columns["answer_size"][row])
        return self.heap[at:middle], self.heap[middle:end]


def page_of(key: bytes, value: bytes) -> Page:
    magic, version, columns, size, first, count, date = struct.unpack_from("<8s40xIIQQIi", value)
    if magic != b"POSPAGE\n" or version not in (1, 2) or size != len(value):
        raise ValueError(f"no page of version 1 or 2 under key {key.hex()}")
    directory, heap, heap_size = struct.unpack_from("<III", value, 120)
    found = {}
    for index in range(columns):
        name, kind, width, offset = struct.unpack_from("<16sBxHI", value, directory + index * 24)
        dtype = DTYPES[kind] + (str(width) if kind >= 6 else "")
        found[name.rstrip(b"\0").decode()] = np.frombuffer(value, dtype, count, offset)
    return Page(
        key=int.from_bytes(key, "big"), value=value, first_sequence=first, count=count,
        business_date=date, digest=value[16:48], digest_before=value[144:176], columns=found,
        heap=value[heap : heap + heap_size],
    )  # fmt: skip


def pages(journal: Path) -> Iterator[Page]:
    """Every durable page, in order, of every volume."""
    (volume_size,) = struct.unpack_from("<Q", (journal / "meta").read_bytes(), 32)
    (durable,) = struct.unpack_from("<Q", (journal / "published").read_bytes(), 32)
    for volume in sorted(journal.glob("volume-*.mdb")):
        environment = lmdb.open(
            str(volume), subdir=False, readonly=True, map_size=volume_size, max_dbs=0
        )
        with environment, environment.begin() as transaction:
            for key, value in transaction.cursor():
                if int.from_bytes(key, "big") <= durable:
                    yield page_of(key, value)


def text(value: bytes) -> str:
    return value.decode("latin-1").rstrip(" ")


class Totals:
    """Debits and credits of every terminal's batches, domestic and foreign apart.

    A void counts on its own side; what a reversal undid leaves the totals, while the batch is open.
    """

    def __init__(self) -> None:
        self.batches: dict[str, Counter[str]] = {}
        self.posted: dict[int, tuple[str, str, int]] = {}  # by sequence: batch, side, amount
        self.closed: set[str] = set()

    def add(self, sequence: int, row: dict[str, Any]) -> None:
        batch = f"{text(row['tid'])}/{text(row['mid'])}/{row['batch']:06d}"
        if row["outcome"] != APPROVED:
            return
        side = "foreign" if row["flags"] & FOREIGN else "domestic"
        if row["kind"] in DEBITS | CREDITS:
            side += "_debit" if row["kind"] in DEBITS else "_credit"
            self.posted[sequence] = (batch, side, int(row["amount"]))
            self._count(batch, side, int(row["amount"]), 1)
        elif row["kind"] == REVERSAL and row["flags"] & FINAL and row["original"] in self.posted:
            batch, side, amount = self.posted.pop(int(row["original"]))
            if batch not in self.closed:
                self._count(batch, side, -amount, -1)
        elif row["flags"] & CLOSED:
            self.closed.add(batch)

    def _count(self, batch: str, side: str, amount: int, count: int) -> None:
        totals = self.batches.setdefault(batch, Counter())
        totals[f"{side}_minor"] += amount
        totals[f"{side}_count"] += count


def read(journal: Path) -> dict[str, Any]:
    """Everything that can be counted, and everything that is wrong."""
    page_count, last, digest, date = 0, 0, bytes(32), 0
    kinds: Counter[str] = Counter()
    amounts: Counter[str] = Counter()
    totals = Totals()
    faults: dict[str, list[int]] = {"CRC": [], "digest": [], "key": [], "chain": [], "hole": [],
                                    "date": []}  # fmt: skip
    wanted = ("tid", "mid", "batch", "outcome", "kind", "flags", "amount", "original")
    for page in pages(journal):
        if page_count == 0 and page.first_sequence > 1:  # volumes before it were dropped
            last, digest = page.first_sequence - 1, page.digest_before
        for fault in page.faults:
            faults[fault].append(page.first_sequence)
        if page.first_sequence != last + 1:
            faults["hole"].append(page.first_sequence)
        if page.digest_before != digest:
            faults["chain"].append(page.first_sequence)
        if page.business_date < date:
            faults["date"].append(page.first_sequence)
        page_count += 1
        last = page.first_sequence + page.count - 1
        digest, date = page.digest, page.business_date
        for row in range(page.count):
            values = {name: page.columns[name][row] for name in wanted}
            word = f"{values['kind']}/{values['outcome']}"
            kinds[word] += 1
            amounts[word] += int(values["amount"])
            totals.add(page.first_sequence + row, values)
    return {
        "journal_id": (journal / "meta").read_bytes()[16:32].hex(),
        "pages": page_count,
        "entries": sum(kinds.values()),
        "last_sequence": last,
        "counts": dict(sorted(kinds.items())),
        "amounts_minor": dict(sorted(amounts.items())),
        "batches": {batch: dict(sums) for batch, sums in sorted(totals.batches.items())},
        "crc_ok": not faults["CRC"],
        "chain_ok": not (faults["digest"] or faults["chain"] or faults["hole"] or faults["key"]),
        "faults": {name: places for name, places in faults.items() if places},
    }


if __name__ == "__main__":
    answer = read(Path(sys.argv[1]))
    print(json.dumps(answer, indent=1))
    sys.exit(1 if answer["faults"] else 0)
