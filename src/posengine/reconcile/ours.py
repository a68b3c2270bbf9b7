"""Our side: postings of a journal, with the status that later entries gave them.

An entry never changes. Whether a sale still counts is told by what came after it: a reversal that
was approved and found its original (flag FINAL) undoes it, and undoing a void brings the original
back. A repeat posts nothing. The whole journal from the date on is read, since a reversal may come
after the cutover.
"""

from __future__ import annotations

from collections.abc import Iterator

from posengine.reconcile.facts import Ours, Status
from posengine.reconcile.layout import days_around
from posengine.replay import Entry, Source
from posengine.vocabulary import Flag, Kind, Outcome, kind_of

VOIDS = frozenset(
    {Kind.SALE_VOID, Kind.COMPLETION_VOID, Kind.EC_CASH_LOAD_VOID, Kind.QR_VOID}
)
DAYS_AROUND_MAX = 31
_FINAL = int(Flag.FINAL)  # an int: entries are many, and flags as an enum are slow
_PAN = int(Flag.PAN)


def postings(
    journal: Source, *, on: int, days_around_on: int = 1, netted: bool = False
) -> list[Ours]:
    """Postings of the date ``on`` and of so many days around it, paid or not, by sequence.

    Args:
        netted: a void and its original of the same date cancel out: neither counts as paid.
    """
    first, last = days_around(on, min(days_around_on, DAYS_AROUND_MAX))
    found: dict[int, tuple[Entry, int]] = {}
    undone: set[int] = set()
    voids: list[tuple[int, int]] = []
    for page in journal.pages():
        date = page.business_date
        if date < first:
            continue
        for index in range(len(page)):
            entry = page[index]
            if is_undoing(entry):
                undone.add(entry.original)
            if date <= last and is_posting(entry):
                found[entry.sequence] = (entry, date)
                if entry.kind in VOIDS and entry.outcome == Outcome.APPROVED:
                    voids.append((entry.sequence, entry.original))
    cancelled = set(_cancelled(found, undone, voids)) if netted else set()
    return [
        _ours(entry, date, _status(entry, undone | cancelled)) for entry, date in found.values()
    ]


def is_posting(entry: Entry) -> bool:
    """A request that moves money where it is approved; a repeat of one moves nothing."""
    return kind_of(entry.kind).sign != 0 and entry.outcome in (
        Outcome.APPROVED, Outcome.DECLINED, Outcome.REFUSED
    )


def is_undoing(entry: Entry) -> bool:
    """A reversal that found and undid its original."""
    return (
        entry.kind == Kind.REVERSAL
        and entry.outcome == Outcome.APPROVED
        and bool(entry.flags & _FINAL)
        and entry.original != 0
    )


def _cancelled(
    found: dict[int, tuple[Entry, int]], undone: set[int], voids: list[tuple[int, int]]
) -> Iterator[int]:
    for void, original in voids:
        if void in undone or original not in found or found[original][1] != found[void][1]:
            continue
        yield void
        yield original


def _status(entry: Entry, undone: set[int]) -> Status:
    if entry.outcome != Outcome.APPROVED:
        return "declined"
    return "reversed" if entry.sequence in undone else "paid"


def _ours(entry: Entry, date: int, status: Status) -> Ours:
    kind = kind_of(entry.kind)
    return Ours(
        sequence=entry.sequence,
        business_date=date,
        tid=entry.tid,
        mid=entry.mid,
        batch=entry.batch,
        stan=entry.stan,
        rrn=entry.rrn,
        kind=kind.name,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        direction=kind.sign,
        status=status,
        auth=entry.auth,
        pan_masked=f"{entry.bin:06d}******{entry.last4:04d}" if entry.flags & _PAN else "",
    )
