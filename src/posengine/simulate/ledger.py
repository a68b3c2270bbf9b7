"""What a terminal believes: its deals, and what they add up to at settle.

A deal is one transaction as the terminal sees it. Its state moves

    in doubt ──▶ approved ──▶ (reversed)        only a reversal that the host took undoes it
            └──▶ declined    └──▶ lost          lost: the terminal gave up its reversal

and only approved deals are in the totals. A voided sale stays in the debits and its void counts as
a credit (the dialect sheet, section 8, settlement).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from posengine.simulate.cards import Card
from posengine.simulate.dialect import Fields

State = Literal["in doubt", "approved", "declined", "reversed", "lost"]


@dataclass(slots=True)
class Deal:
    """One transaction, as the terminal knows it."""

    trade: str
    sign: int  # +1 debit, -1 credit, 0 neither
    tid: str
    stan: str
    batch: str
    amount: int  # minor units
    entry: str
    card: Card | None = None
    qr: str = field(default="", repr=False)
    state: State = "in doubt"
    response: str = ""
    rrn: str = ""
    auth: str = ""
    date: str = "0000"  # MMDD of the answer
    settled: str = "0000"  # MMDD under which the host settles it
    voucher: str = ""
    is_foreign: bool = False
    request: Fields | None = field(default=None, repr=False)  # of an 0220: uploads send it again
    original: Deal | None = field(default=None, repr=False)
    undone: bool = False  # a void, or a completion of a pre-authorisation, has used it up
    refunded: int = 0
    adjusted: int = 0  # added by adjustments and tips

    @property
    def is_usable(self) -> bool:
        """Approved, and nothing has used it up."""
        return self.state == "approved" and not self.undone

    @property
    def left(self) -> int:
        """What may still be refunded."""
        return self.amount + self.adjusted - self.refunded

    @property
    def reference(self) -> str:
        """61.1 to 61.3: batch, STAN, date; zeros where no answer has come."""
        return self.batch + self.stan + self.date


@dataclass(slots=True)
class Side:
    """One half of field 48. Units: minor units and counts."""

    debit: int = 0
    debit_count: int = 0
    credit: int = 0
    credit_count: int = 0

    def add(self, sign: int, amount: int) -> None:
        if sign > 0:
            self.debit += amount
            self.debit_count += 1
        elif sign < 0:
            self.credit += amount
            self.credit_count += 1

    def digits(self, result: str) -> str:
        """n31: debit n12, count n3, credit n12, count n3, result n1. A count wraps at 1,000."""
        return (
            f"{self.debit:012d}{self.debit_count % 1000:03d}"
            f"{self.credit:012d}{self.credit_count % 1000:03d}{result}"
        )


@dataclass(slots=True)
class Totals:
    """What field 48 of a settle says: domestic, then foreign cards."""

    domestic: Side = field(default_factory=Side)
    foreign: Side = field(default_factory=Side)

    def digits(self) -> str:
        """62 digits; the result digits are 0 in a request."""
        return self.domestic.digits("0") + self.foreign.digits("0")


@dataclass(slots=True)
class Ledger:
    """Every deal of a terminal: those of the open batch, and those before."""

    deals: list[Deal] = field(default_factory=list)
    closed: list[Deal] = field(default_factory=list)

    def totals(self) -> Totals:
        totals = Totals()
        for deal in self.deals:
            if deal.state == "approved" and deal.sign:
                side = totals.foreign if deal.is_foreign else totals.domestic
                side.add(deal.sign, deal.amount)
        return totals

    def close(self) -> None:
        """The batch is settled: its deals may still be refunded, no longer voided."""
        self.closed += self.deals
        self.deals = []

    def undo(self, deal: Deal) -> None:
        """The host took the reversal: what the deal did to its original is undone as well."""
        deal.state = "reversed"
        self.release(deal)

    @staticmethod
    def claim(deal: Deal) -> None:
        """An approved deal uses up its original, or takes from it, or adds to it."""
        original = deal.original
        if original is None or deal.trade == "script_result":
            return
        if "refund" in deal.trade:
            original.refunded += deal.amount
        elif "adjust" in deal.trade:
            original.adjusted += deal.amount
        else:
            original.undone = True
        if deal.trade == "completion_void" and original.original is not None:
            original.original.undone = False  # the pre-authorisation is open again

    @staticmethod
    def release(deal: Deal) -> None:
        """A reversed deal gives its original back. Refunds and adjustments are never reversed."""
        original = deal.original
        if original is None:
            return
        original.undone = False
        if deal.trade == "completion_void" and original.original is not None:
            original.original.undone = True
