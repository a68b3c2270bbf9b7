"""What the desk keeps, one frozen fact a row. Times are UTC nanoseconds, journal ids 32 hex digits.

None of them holds card data: a dead letter keeps where its entry is, never what it says.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far one consumer has acknowledged one journal."""

    name: str
    journal_id: str
    sequence: int
    """The last entry that was acknowledged; 0 for none yet."""
    page_digest: str
    """Digest of the page that holds ``sequence`` as 64 hex digits; tells a copy from another."""
    updated_at_ns: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to hand entries to a sink, and what became of it."""

    name: str
    journal_id: str
    sequence_first: int
    sequence_last: int
    entry_count: int
    attempt: int
    """From 1."""
    outcome: str
    """``taken``, ``busy`` or ``refused``."""
    detail: str
    """What the other side said, in words; at most ``detail_size_max`` characters."""
    at_ns: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An entry that a sink refused. The journal keeps the entry; here is that it was not taken."""

    name: str
    journal_id: str
    sequence: int
    reason: str
    attempts: int
    died_at_ns: int
    resolved_at_ns: int
    """When it was taken after all; 0 while it was not."""


@dataclass(frozen=True, slots=True)
class ClosedBreak:
    """A break of a reconciliation that a person has explained."""

    break_id: str
    kind: str
    business_date: int
    """As a number: 20261121."""
    closed_by: str
    note: str
    closed_at_ns: int


@dataclass(frozen=True, slots=True)
class Import:
    """A file that came in, by what it held."""

    sha256: str
    file_name: str
    layout: str
    business_date: int
    row_count: int
    imported_at_ns: int
