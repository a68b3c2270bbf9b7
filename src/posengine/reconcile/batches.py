"""Terminal batches: the totals of a settle, as the terminal sent them, against the journal.

    field 48 of a 0500: domestic {debit minor n12, debits n3, credit minor n12, credits n3, result},
                        foreign the same: 62 digits, 31 bytes of BCD in the entry's kept request

The journal adds up what it approved in the batch before the settle, without what was reversed. A
void is a credit and its original stays a debit. Each of the eight figures that differs is named.

Source: the dialect's field 48; native/message/message.h for the form of a kept request.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from posengine.reconcile.facts import Break, Ours
from posengine.reconcile.ours import is_undoing
from posengine.replay import Entry, Page, Source
from posengine.vocabulary import Flag, Kind, Outcome, digits_text, kind_of

FIELD_TOTALS = 48
TOTALS_SIZE = 31
_FOREIGN = int(Flag.FOREIGN)


@dataclass(frozen=True, slots=True)
class Totals:
    """Debits are money towards the merchant. ``foreign_`` is for foreign cards."""

    debit_minor: int = 0
    debit_count: int = 0
    credit_minor: int = 0
    credit_count: int = 0
    foreign_debit_minor: int = 0
    foreign_debit_count: int = 0
    foreign_credit_minor: int = 0
    foreign_credit_count: int = 0


_WORDS: dict[str, tuple[str, str]] = {
    "debit_minor": ("debit amount", "借记金额"),
    "debit_count": ("debits", "借记笔数"),
    "credit_minor": ("credit amount", "贷记金额"),
    "credit_count": ("credits", "贷记笔数"),
    "foreign_debit_minor": ("foreign debit amount", "外卡借记金额"),
    "foreign_debit_count": ("foreign debits", "外卡借记笔数"),
    "foreign_credit_minor": ("foreign credit amount", "外卡贷记金额"),
    "foreign_credit_count": ("foreign credits", "外卡贷记笔数"),
}


@dataclass(frozen=True, slots=True)
class BatchCheck:
    """One settle, or one batch that is still open."""

    mid: str
    tid: str
    batch: int
    settle_sequence: int
    """0 where the batch has not been settled."""
    theirs: Totals | None
    """None where there is no settle, or its request was kept without field 48."""
    ours: Totals
    currency: int
    breaks: tuple[Break, ...]


def check_batches(journal: Source, *, on: int | None = None) -> list[BatchCheck]:
    """Every settle of the date ``on`` (None: of all dates), then the batches still open.

    The whole journal is read: a batch may have been opened on any date before.
    """
    open_batches: dict[tuple[str, str, int], _Sum] = defaultdict(_Sum)
    where: dict[int, tuple[tuple[str, str, int], Entry]] = {}
    checks = []
    for entry, date in _entries(journal):
        key = (entry.mid, entry.tid, entry.batch)
        if entry.kind == Kind.SETTLE and entry.outcome in (Outcome.APPROVED, Outcome.NOTED):
            summed = open_batches.pop(key, _Sum())
            if on in (None, date):
                checks.append(_checked(entry, date, summed))
            continue
        if is_undoing(entry):
            of_batch, original = where.pop(entry.original, (None, None))
            if of_batch in open_batches and original is not None:
                open_batches[of_batch].add(original, -1)
        elif entry.outcome == Outcome.APPROVED and kind_of(entry.kind).sign:
            open_batches[key].add(entry, 1)
            where[entry.sequence] = (key, entry)
    for (mid, tid, batch), summed in sorted(open_batches.items()):
        if summed.totals != Totals():
            checks.append(BatchCheck(mid, tid, batch, 0, None, summed.totals, summed.currency, ()))
    return checks


def read_totals(request: bytes) -> Totals | None:
    """The totals that a settle's kept request carries; None where it has none of this form."""
    value = _kept_field(request, FIELD_TOTALS)
    if value is None or len(value) != TOTALS_SIZE:
        return None
    digits = value.hex()
    if not digits.isdigit():
        return None
    figures = []
    for start in (0, 31):
        figures += [int(digits[start : start + 12]), int(digits[start + 12 : start + 15])]
        figures += [int(digits[start + 15 : start + 27]), int(digits[start + 27 : start + 30])]
    return Totals(*figures)


class _Sum:
    """Totals that grow and shrink: the eight figures in the order of ``Totals``."""

    __slots__ = ("_figures", "currency")

    def __init__(self) -> None:
        self._figures = [0] * 8
        self.currency = 0
        """Of the last entry: a terminal's batch has one."""

    @property
    def totals(self) -> Totals:
        return Totals(*self._figures)

    def add(self, entry: Entry, times: int) -> None:
        at = (0 if kind_of(entry.kind).sign > 0 else 2) + (4 if entry.flags & _FOREIGN else 0)
        self._figures[at] += times * entry.amount_minor
        self._figures[at + 1] += times
        self.currency = entry.currency


def _checked(entry: Entry, date: int, summed: _Sum) -> BatchCheck:
    ours, theirs = summed.totals, read_totals(entry.request)
    currency = entry.currency or summed.currency
    breaks = () if theirs is None else tuple(_breaks(entry, date, currency, ours, theirs))
    return BatchCheck(
        entry.mid, entry.tid, entry.batch, entry.sequence, theirs, ours, currency, breaks
    )


def _breaks(
    entry: Entry, date: int, currency: int, ours: Totals, theirs: Totals
) -> Iterator[Break]:
    settle = Ours(
        sequence=entry.sequence, business_date=date, tid=entry.tid, mid=entry.mid,
        batch=entry.batch, stan=entry.stan, rrn=entry.rrn, kind="SETTLE", amount_minor=0,
        currency=currency, direction=0, status="paid",
    )
    for name, (words, chinese) in _WORDS.items():
        counted, told = getattr(ours, name), getattr(theirs, name)
        if counted != told:
            words_of = digits_text if name.endswith("_minor") else _count_text
            ours_text, theirs_text, gap = (
                words_of(number, currency) for number in (counted, told, counted - told)
            )
            gap = gap if gap.startswith("-") else f"+{gap}"
            yield Break(
                "batch_totals_differ",
                f"terminal {entry.tid} batch {entry.batch:06d}: {words} {theirs_text}, the journal"
                f" adds up to {ours_text}: {gap}",
                f"终端{entry.tid}批次{entry.batch:06d}{chinese}:终端{theirs_text},流水{ours_text},"
                f"差{gap}",
                ours=(settle,),
            )


def _count_text(count: int, currency: int) -> str:
    return str(count)


def _kept_field(request: bytes, wanted: int) -> bytes | None:
    """A field of a kept request: u8 field, u16 little-endian size, the value's wire bytes."""
    offset = 0
    while offset + 3 <= len(request):
        size = int.from_bytes(request[offset + 1 : offset + 3], "little")
        value = request[offset + 3 : offset + 3 + size]
        if request[offset] == wanted:
            return value if len(value) == size else None
        offset += 3 + size
    return None


def _entries(journal: Source) -> Iterator[tuple[Entry, int]]:
    page: Page
    for page in journal.pages():
        date = page.business_date
        for index in range(len(page)):
            yield page[index], date
