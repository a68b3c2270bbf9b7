"""What terminals believe, added up: to be held against what a journal says. Pure.

Totals are by batch, ``TID/MID/batch``, as the independent reader gives them: amounts and counts of
debits and credits, domestic and foreign cards apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

Belief = Mapping[str, object]
Batches = dict[str, dict[str, int]]


def believed_batches(beliefs: Mapping[str, Sequence[Belief]], mids: Mapping[str, str]) -> Batches:
    """Totals of every batch with money in it; ``mids`` gives each TID's merchant."""
    batches: dict[str, Counter[str]] = {}
    for tid, deals in beliefs.items():
        for deal in deals:
            sign = int(str(deal["sign"]))
            if deal["state"] != "approved" or sign == 0:
                continue
            side = "foreign" if deal["is_foreign"] else "domestic"
            side += "_debit" if sign > 0 else "_credit"
            totals = batches.setdefault(
                f"{tid}/{mids[tid]}/{int(str(deal['batch'])):06d}", Counter()
            )
            totals[f"{side}_minor"] += int(str(deal["amount"]))
            totals[f"{side}_count"] += 1
    return without_zeros(batches)


def without_zeros(batches: Mapping[str, Mapping[str, int]]) -> Batches:
    """The same without sums that came back to nothing, and batches of nothing else."""
    kept = {
        batch: {name: number for name, number in sums.items() if number}
        for batch, sums in batches.items()
    }
    return {batch: sums for batch, sums in sorted(kept.items()) if sums}


def differences(ours: Batches, theirs: Batches, *, shown_max: int = 3) -> list[str]:
    """In words, the first few batches that are not the same on both sides."""
    found = [
        f"{batch}: {ours.get(batch, {})} and {theirs.get(batch, {})}"
        for batch in sorted({*ours, *theirs})
        if ours.get(batch) != theirs.get(batch)
    ]
    more = len(found) - shown_max
    return found[:shown_max] + ([f"and {more} more batches"] if more > 0 else [])


def sum_of(batches: Mapping[str, Mapping[str, int]], ending: str) -> int:
    """All amounts (``"_minor"``) or counts (``"_count"``) of all batches."""
    return sum(
        number
        for sums in batches.values()
        for name, number in sums.items()
        if name.endswith(ending)
    )


def approved_count(beliefs: Mapping[str, Iterable[Belief]]) -> int:
    """Deals that stand, whatever they do to totals."""
    return sum(deal["state"] == "approved" for deals in beliefs.values() for deal in deals)
