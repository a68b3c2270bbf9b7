"""Entries as CSV or JSON lines, with a trailer that lets the receiver prove that it has them all.

Exported is a fixed list of facts: masked card, never a token or a fingerprint beside it (truncated
and hashed forms of one account number must not leave together: PCI DSS 3.5.1), never the request.

    CSV          a header line, a line an entry, and last ``#trailer`` and the trailer as JSON
    JSON lines   an object an entry, and last {"trailer": {...}}
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

from posengine.journal.entry import Entry

Value = int | str


def _moment(at_ns: int) -> str:
    """RFC 3339 in UTC with nanoseconds; empty where absent."""
    if at_ns == 0:
        return ""
    whole = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{at_ns % 1_000_000_000:09d}Z"


COLUMNS: dict[str, Callable[[Entry], Value]] = {
    "sequence": lambda entry: entry.sequence,
    "received_at": lambda entry: _moment(entry.received_at_ns),
    "terminal_at": lambda entry: _moment(entry.terminal_at_ns),
    "kind": lambda entry: entry.kind_word.name,
    "outcome": lambda entry: entry.outcome_word.name,
    "response": lambda entry: entry.response,
    "why": lambda entry: entry.why_word[0],
    "mti": lambda entry: f"{entry.mti:04x}",
    "processing": lambda entry: f"{entry.processing:06d}",
    "amount_minor": lambda entry: entry.amount_minor,
    "currency": lambda entry: f"{entry.currency:03d}",
    "tid": lambda entry: entry.tid,
    "mid": lambda entry: entry.mid,
    "stan": lambda entry: f"{entry.stan:06d}",
    "batch": lambda entry: f"{entry.batch:06d}",
    "rrn": lambda entry: entry.rrn,
    "auth": lambda entry: entry.auth,
    "card": lambda entry: entry.card,
    "entry_mode": lambda entry: f"{entry.entry_mode:03d}",
    "condition": lambda entry: f"{entry.condition:02d}",
    "operator": lambda entry: entry.operator_id,
    "original": lambda entry: entry.original,
    "original_rrn": lambda entry: entry.original_rrn,
    "reason": lambda entry: entry.reason,
    "flags": lambda entry: entry.flags,
}
"""What is exported, in order; the list is closed (law 7)."""


def row(entry: Entry) -> dict[str, Value]:
    """One entry as it is exported."""
    return {name: read(entry) for name, read in COLUMNS.items()}


@dataclass(slots=True)
class Trailer:
    """Counts and sums of what was exported."""

    journal_id: str
    count: int = 0
    first_sequence: int = 0
    last_sequence: int = 0
    amounts_minor: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    """By kind, outcome and currency: the sum of amounts."""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """By kind and outcome."""

    def add(self, entry: Entry) -> None:
        """Count one entry."""
        kind, outcome = entry.kind_word.name, entry.outcome_word.name
        self.count += 1
        self.first_sequence = self.first_sequence or entry.sequence
        self.last_sequence = entry.sequence
        by_outcome = self.counts.setdefault(kind, {})
        by_outcome[outcome] = by_outcome.get(outcome, 0) + 1
        sums = self.amounts_minor.setdefault(kind, {}).setdefault(outcome, {})
        currency = f"{entry.currency:03d}"
        sums[currency] = sums.get(currency, 0) + entry.amount_minor

    def facts(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "journal_id": self.journal_id,
            "count": self.count,
            "first_sequence": self.first_sequence,
            "last_sequence": self.last_sequence,
            "counts": self.counts,
            "amounts_minor": self.amounts_minor,
        }


def _cell(value: Value) -> Value:
    """Text that a spreadsheet would take for a formula is quoted with an apostrophe."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def export_csv(entries: Iterable[Entry], out: TextIO, *, journal_id: str) -> Trailer:
    """Write ``entries`` as CSV with a header and a trailer line. Returns the trailer."""
    trailer = Trailer(journal_id)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        writer.writerow([_cell(value) for value in row(entry).values()])
        trailer.add(entry)
    writer.writerow(["#trailer", json.dumps(trailer.facts(), separators=(",", ":"))])
    return trailer


def export_jsonl(entries: Iterable[Entry], out: TextIO, *, journal_id: str) -> Trailer:
    """Write ``entries`` as JSON lines, the trailer last. Returns the trailer."""
    trailer = Trailer(journal_id)
    for entry in entries:
        out.write(json.dumps(row(entry), separators=(",", ":"), ensure_ascii=False) + "\n")
        trailer.add(entry)
    out.write(json.dumps({"trailer": trailer.facts()}, separators=(",", ":")) + "\n")
    return trailer
