"""A journal on paper: pages and entries in memory, for the rooms that only read.

It fits the protocols of ``posengine.replay``. A test writes entries with ``sale(...)`` and the
like, and groups them into pages as it pleases.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from posengine.vocabulary import Kind, Outcome

NS = 1_000_000_000
NOON_NS = 1_795_233_600 * NS  # 2026-11-21 04:00 UTC, noon in China
DATE = 20261121


@dataclass(frozen=True, slots=True)
class PaperEntry:
    """Every name of `pos_entry`, absent unless told."""

    sequence: int = 0
    original: int = 0
    received_at_ns: int = NOON_NS
    terminal_at_ns: int = 0
    amount_minor: int = 0
    staged_after_us: int = 0
    flags: int = 0
    processing: int = 0
    stan: int = 0
    batch: int = 0
    original_batch: int = 0
    original_stan: int = 0
    bin: int = 0
    line: int = 0
    last4: int = 0
    mti: int = 0x0200
    currency: int = 156
    entry_mode: int = 0
    network: int = 0
    kind: int = Kind.SALE
    outcome: int = Outcome.APPROVED
    type: int = 0
    condition: int = 0
    requirement: int = 0
    response: str = "00"
    reason: str = ""
    tid: str = "T0000001"
    mid: str = "M00000000000001"
    rrn: str = ""
    original_rrn: str = ""
    auth: str = ""
    operator_id: str = ""
    pan_token: bytes = bytes(16)
    fingerprint: bytes = bytes(16)
    request: bytes = b""
    answer: bytes = b""


@dataclass(frozen=True, slots=True)
class PaperPage:
    """One commit."""

    first_sequence: int
    business_date: int
    digest: bytes
    entries: tuple[PaperEntry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> PaperEntry:
        return self.entries[index]


@dataclass(slots=True)
class PaperJournal:
    """Grows by ``commit``; everything in it is durable."""

    journal_id: bytes = b"\x0a" * 16
    written: list[PaperPage] = field(default_factory=list)

    @property
    def last_sequence(self) -> int:
        return self.written[-1].first_sequence + len(self.written[-1]) - 1 if self.written else 0

    def commit(self, *entries: PaperEntry, date: int = DATE) -> PaperPage:
        """Write one page; sequences, RRNs and times follow from the place."""
        first = self.last_sequence + 1
        placed = tuple(
            replace(
                entry,
                sequence=first + index,
                rrn=entry.rrn or f"{first + index:012d}",
                received_at_ns=entry.received_at_ns + (first + index) * NS,
            )
            for index, entry in enumerate(entries)
        )
        before = self.written[-1].digest if self.written else b""
        digest = hashlib.sha256(before + repr((date, placed)).encode()).digest()
        self.written.append(PaperPage(first, date, digest, placed))
        return self.written[-1]

    def pages(self, after: int = 0) -> Iterator[PaperPage]:
        for page in list(self.written):
            if page.first_sequence + len(page) - 1 > after:
                yield page


def entry(kind: str, amount_minor: int = 0, **facts: object) -> PaperEntry:
    """An approved entry of ``kind``."""
    return PaperEntry(kind=Kind[kind], amount_minor=amount_minor, **facts)  # type: ignore[arg-type]


def sale(amount_minor: int, **facts: object) -> PaperEntry:
    """An approved sale."""
    return entry("SALE", amount_minor, **facts)
