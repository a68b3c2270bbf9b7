from collections.abc import Sequence
from typing import TypedDict

Side = tuple[int, int, int, int]
"""Debit minor units, credit minor units, debit count, credit count."""
Totals = tuple[Side, Side]
"""Domestic, foreign."""

class Said(TypedDict):
    sequence: int
    outcome: int
    reason: str
    response: str
    rrn: str
    auth: str
    original: int
    batch: int
    flags: int
    amount_minor: int
    terminal_at_ns: int
    requirement: int
    balance_minor: int
    makes_keys: bool
    answers_stored: bool
    is_alarm: bool
    results: tuple[int, int]
    download: int
    totals: Totals
    records: int
    matched: int
    missing_ours: int
    missing_theirs: int
    differing: int
    findings: bytes

class TerminalView(TypedDict):
    is_signed_on: bool
    batch: int
    batch_closed: int
    totals: Totals
    totals_closed: Totals

class PostingView(TypedDict):
    kind: int
    undone_by: int
    completed_by: int
    amount_minor: int
    refunded_minor: int
    adjusted_minor: int
    is_voided: bool
    is_reversed: bool

def reasons() -> list[tuple[str, str, str]]: ...

class Rehearsal:
    def __init__(
        self,
        policy: bytes,
        *,
        entries_max: int = 4096,
        terminals_max: int = 64,
        postings_max: int = 4096,
        repeats_max: int = 8192,
        repeat_window_h: int = 24,
        posting_window_d: int = 400,
    ) -> None: ...
    def terminal_set(
        self,
        tid: str,
        mid: str,
        *,
        kind_mask: int,
        flags: int = 1,
        key_cipher: int = 0,
        key_size: int = 16,
        currency: int = 156,
        amount_minor_max: int = 0,
    ) -> None: ...
    def ask(
        self,
        kind: int,
        mti: int,
        *,
        now_ns: int,
        tid: str,
        mid: str,
        fingerprint: bytes,
        stan: int = 0,
        batch: int = 0,
        amount_minor: int = 0,
        network: int = 0,
        currency: int = 156,
        entry_mode: int = 21,
        flags: int = 0,
        bin: int = 0,
        last4: int = 0,
        pan_token: bytes = ...,
        original_rrn: str = "",
        original_batch: int = 0,
        original_stan: int = 0,
        original_date: int = 0,
        auth: str = "",
        reason: str = "",
        local_time: int = 0,
        local_date: int = 0,
        upload_count: int = 0,
        totals: Totals | None = None,
        details: Sequence[tuple[int, int, int, int]] = (),
    ) -> Said: ...
    def refold(self) -> None: ...
    def digest(self) -> bytes: ...
    def terminal(self, tid: str, mid: str) -> TerminalView: ...
    def kind_total(self, tid: str, mid: str, *, kind: int, is_foreign: bool) -> tuple[int, int]: ...
    def posting(self, sequence: int) -> PostingView: ...
    def counts(self) -> tuple[int, int, int]: ...
