"""Match: our postings against their rows, pure. It knows no file and no journal.

    1. key        TID + batch + STAN, or RRN: who speaks of the same transaction
    2. date       within a key, those of one date first; the amount is the check, not the key
    3. the rest   another date? counted by one side only? twice? or missing

The outcome depends on the facts alone, never on their order: rows are taken by file and line,
postings by sequence.

Only what concerns the date is a break: postings of other dates are there to explain rows
(``date_differs``) and are not missed on this statement.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Literal

from posengine.reconcile.facts import BREAK_WORDS, Break, Ours, Settlement, Side, Theirs
from posengine.vocabulary import digits_text

KeyForm = Literal["stan", "rrn"]
_Key = tuple[str | int, ...]


def match(
    ours: Iterable[Ours],
    theirs: Iterable[Theirs],
    *,
    on: int,
    key: KeyForm,
    faults: Iterable[Break] = (),
) -> Settlement:
    """Reconcile one business date.

    Args:
        ours: postings of the date and of the days around it, paid or not.
        theirs: the statement's rows.
        on: the business date, as 20261121.
        key: what identifies a transaction.
        faults: breaks that reading the statement found.
    """
    our_list = sorted(ours, key=lambda each: each.sequence)
    their_list = sorted(theirs, key=lambda each: (each.file, each.line))
    groups: dict[_Key, _Group] = defaultdict(lambda: _Group(on))
    for posting in our_list:
        groups[_key_of(posting, key)].ours.append(posting)
    for row in their_list:
        groups[_key_of(row, key)].theirs.append(row)
    matched = 0
    breaks = list(faults)
    for group in groups.values():
        matched += group.settle()
        breaks.extend(group.breaks)
    order = list(BREAK_WORDS)
    breaks.sort(key=lambda each: (order.index(each.kind), _place(each)))
    return Settlement(
        on=on,
        matched=matched,
        ours=_side(each for each in our_list if each.status == "paid" and each.business_date == on),
        theirs=_side(each for each in their_list if each.status == "paid"),
        breaks=tuple(breaks),
    )


class _Group:
    """Everything that both sides say of one key."""

    def __init__(self, on: int) -> None:
        self.on = on
        self.ours: list[Ours] = []
        self.theirs: list[Theirs] = []
        self.breaks: list[Break] = []

    def settle(self) -> int:
        """Name the group's breaks; gives how many pairs of the date agree."""
        paid = [each for each in self.ours if each.status == "paid"]
        unpaid = [each for each in self.ours if each.status != "paid"]
        rows = [each for each in self.theirs if each.status == "paid"]
        void_rows = [each for each in self.theirs if each.status != "paid"]
        pairs = self._pair_by_date(paid, rows)
        agreed = [pair for pair in pairs if self._judge(*pair)]
        self._pair_over_dates(paid, rows)
        self._unpaid_of_ours(unpaid, rows)
        self._unpaid_of_theirs(paid, void_rows)
        for row in rows:
            first = next((pair for pair in pairs if _same_facts(pair[1], row)), None)
            self._rest_of_theirs(row, first or (pairs[0] if pairs else None))
        for posting in paid:
            if posting.business_date == self.on:
                self._break(
                    "missing_theirs",
                    f"{posting.words} of {posting.money} is in the"
                    " journal and on no row of the statement",
                    f"流水{posting.sequence}在我方账上,对方账单无此交易",
                    ours=posting,
                )
        return sum(posting.business_date == self.on for posting, _ in agreed)

    def _pair_by_date(
        self, paid: list[Ours], rows: list[Theirs]
    ) -> list[tuple[Ours, Theirs]]:
        """Pairs of one date, those that agree first. What is paired is taken off both lists."""
        pairs = []
        for agree in (True, False):
            for posting in list(paid):
                for row in rows:
                    if row.business_date != posting.business_date:
                        continue
                    if not agree or _differences(posting, row) == []:
                        pairs.append((posting, row))
                        paid.remove(posting)
                        rows.remove(row)
                        break
        return pairs

    def _judge(self, posting: Ours, row: Theirs) -> bool:
        differences = _differences(posting, row)
        for kind, reason, chinese in differences:
            self._break(kind, reason, chinese, ours=posting, theirs=row)
        return not differences

    def _pair_over_dates(self, paid: list[Ours], rows: list[Theirs]) -> None:
        """Another date on each side, and one of the two is the date at hand."""
        for posting in list(paid):
            for row in rows:
                if self.on not in (posting.business_date, row.business_date):
                    continue
                paid.remove(posting)
                rows.remove(row)
                self._break(
                    "date_differs",
                    f"{posting.words} belongs to {posting.business_date}, {row.words} says"
                    f" {row.business_date}",
                    f"流水{posting.sequence}账期为{posting.business_date},"
                    f"对方第{row.line}行为{row.business_date}",
                    ours=posting,
                    theirs=row,
                )
                self._judge(posting, row)
                break

    def _unpaid_of_ours(self, unpaid: list[Ours], rows: list[Theirs]) -> None:
        """They count what we do not."""
        for posting in unpaid:
            if not rows:
                return
            row = rows.pop(0)
            chinese = "已冲正" if posting.status == "reversed" else "被拒绝"
            self._break(
                "status_differs",
                f"{posting.words} was {posting.status}, {row.words} counts it",
                f"流水{posting.sequence}{chinese},对方第{row.line}行仍计入",
                ours=posting,
                theirs=row,
            )

    def _unpaid_of_theirs(self, paid: list[Ours], void_rows: list[Theirs]) -> None:
        """We count what they do not; what neither counts is no break."""
        for row in void_rows:
            near = [each for each in paid if each.business_date == row.business_date]
            if not near:
                continue
            posting = near[0]
            paid.remove(posting)
            chinese = "已冲正" if row.status == "reversed" else "被拒绝"
            self._break(
                "status_differs",
                f"{posting.words} is paid, {row.words} says {row.status}",
                f"流水{posting.sequence}我方已入账,对方第{row.line}行为{chinese}",
                ours=posting,
                theirs=row,
            )

    def _rest_of_theirs(self, row: Theirs, pair: tuple[Ours, Theirs] | None) -> None:
        if pair is not None:
            self._break(
                "duplicate_theirs",
                f"{row.words} lists again what {pair[1].words} lists ({pair[0].words})",
                f"对方第{row.line}行与第{pair[1].line}行重复(流水{pair[0].sequence})",
                ours=pair[0],
                theirs=row,
            )
        else:
            self._break(
                "missing_ours",
                f"{row.words} of {row.money} is on the statement and"
                " not in the journal",
                f"对方第{row.line}行在账单上,我方流水无此交易",
                theirs=row,
            )

    def _break(
        self,
        kind: str,
        reason: str,
        chinese: str,
        *,
        ours: Ours | None = None,
        theirs: Theirs | None = None,
    ) -> None:
        self.breaks.append(
            Break(
                kind,
                reason,
                chinese,
                () if ours is None else (ours,),
                () if theirs is None else (theirs,),
            )
        )


def _differences(posting: Ours, row: Theirs) -> list[tuple[str, str, str]]:
    """What differs between two that speak of one transaction: kind and reason of each."""
    found = []
    difference = posting.amount_minor - row.amount_minor
    gap = ("+" if difference > 0 else "") + digits_text(difference, posting.currency)
    if posting.currency != row.currency:
        found.append((
            "currency_differs",
            f"{posting.words} is in {posting.currency:03d}, {row.words} in {row.currency:03d}",
            f"流水{posting.sequence}币种{posting.currency:03d},"
            f"对方第{row.line}行币种{row.currency:03d}",
        ))
    if posting.amount_minor != row.amount_minor:
        found.append((
            "amount_differs",
            f"{posting.words} is {posting.money}, {row.words} is"
            f" {row.money}: {gap}",
            f"流水{posting.sequence}金额{digits_text(posting.amount_minor, posting.currency)},"
            f"对方第{row.line}行{digits_text(row.amount_minor, row.currency)},差{gap}",
        ))
    if row.direction not in (0, posting.direction):
        sides = {1: ("a debit", "借记"), -1: ("a credit", "贷记")}
        found.append((
            "direction_differs",
            f"{posting.words} is {sides[posting.direction][0]}, {row.words} is"
            f" {sides[row.direction][0]}",
            f"流水{posting.sequence}为{sides[posting.direction][1]},"
            f"对方第{row.line}行为{sides[row.direction][1]}",
        ))
    return found


def _same_facts(one: Theirs, other: Theirs) -> bool:
    return (one.business_date, one.amount_minor, one.currency, one.direction) == (
        other.business_date, other.amount_minor, other.currency, other.direction
    )


def _key_of(side: Ours | Theirs, key: KeyForm) -> _Key:
    return (side.rrn,) if key == "rrn" else (side.tid, side.batch, side.stan)


def _place(found: Break) -> tuple[int, str, int]:
    sequence = found.ours[0].sequence if found.ours else 0
    row = found.theirs[0] if found.theirs else None
    return sequence, row.file if row else "", row.line if row else 0


def _side(each: Iterable[Ours] | Iterable[Theirs]) -> Side:
    count = 0
    net: Counter[int] = Counter()
    for one in each:
        count += 1
        net[one.currency] += one.amount_minor * (one.direction or 1)
    return Side(count, tuple(sorted(net.items())))
