"""What a reconciliation speaks of: our postings, their rows, and where the two disagree.

Amounts are minor units, never negative; ``direction`` is +1 for money towards the merchant (debit
in the words of field 48), -1 for money back, 0 where a statement does not say. Dates are numbers:
20261121.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from posengine.vocabulary import money_text

Status = Literal["paid", "reversed", "declined"]

BREAK_WORDS: dict[str, tuple[str, str]] = {
    "missing_ours": ("not in our journal", "我方缺失"),
    "missing_theirs": ("not on their statement", "对方缺失"),
    "amount_differs": ("the amounts differ", "金额不符"),
    "currency_differs": ("the currencies differ", "币种不符"),
    "direction_differs": ("one side pays, the other is paid back", "借贷方向不符"),
    "date_differs": ("the business dates differ", "日期不符"),
    "status_differs": ("one side counts it, the other does not", "状态不符"),
    "duplicate_theirs": ("listed more than once", "对方重复"),
    "row_unreadable": ("a row cannot be read", "记录无法解析"),
    "trailer_differs": ("the trailer does not agree with the rows", "尾记录不符"),
    "batch_totals_differ": ("the terminal's totals differ from the journal's", "批结算总额不符"),
}
"""Every kind of break in English and Chinese; docs/howto/reconcile.md says what to do."""


@dataclass(frozen=True, slots=True)
class Ours:
    """A posting in the journal."""

    sequence: int
    business_date: int
    tid: str
    mid: str
    batch: int
    stan: int
    rrn: str
    kind: str
    amount_minor: int
    currency: int
    direction: int
    status: Status
    auth: str = ""
    pan_masked: str = ""

    @property
    def words(self) -> str:
        """For a reason in words."""
        return f"entry {self.sequence}"

    @property
    def money(self) -> str:
        """``12.34 CNY``."""
        return money_text(self.amount_minor, self.currency)


@dataclass(frozen=True, slots=True)
class Theirs:
    """A row of a statement. Texts are empty and numbers 0 where the layout has no such column."""

    file: str
    line: int
    """Physical line in the file, from 1."""
    business_date: int
    tid: str
    mid: str
    batch: int
    stan: int
    rrn: str
    amount_minor: int
    currency: int
    direction: int
    status: Status

    @property
    def words(self) -> str:
        """For a reason in words."""
        return f"{self.file} line {self.line}"

    @property
    def money(self) -> str:
        """``12.34 CNY``."""
        return money_text(self.amount_minor, self.currency)


@dataclass(frozen=True, slots=True)
class Break:
    """One disagreement: what kind, why in words, and both sides as far as there are both."""

    kind: str
    reason: str
    reason_chinese: str
    ours: tuple[Ours, ...] = ()
    theirs: tuple[Theirs, ...] = ()

    @property
    def break_id(self) -> str:
        """16 hex digits, the same in every run over the same facts: what a person closes."""
        facts = (
            self.kind,
            [ours.sequence for ours in self.ours],
            [
                (row.business_date, row.tid, row.batch, row.stan, row.rrn, row.amount_minor)
                for row in self.theirs
            ],
            "" if self.ours or self.theirs else self.reason,
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Side:
    """What one side adds up to."""

    count: int
    net_minor: tuple[tuple[int, int], ...]
    """By currency: debits less credits."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome for one business date."""

    on: int
    matched: int
    """Pairs that agree."""
    ours: Side
    theirs: Side
    breaks: tuple[Break, ...]

    @property
    def is_clean(self) -> bool:
        """Nothing to explain."""
        return not self.breaks

    @property
    def counts(self) -> dict[str, int]:
        """Breaks by kind."""
        kinds = [each.kind for each in self.breaks]
        return {kind: kinds.count(kind) for kind in BREAK_WORDS if kind in kinds}
