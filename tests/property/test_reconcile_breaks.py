"""Goal: reconcile finds exactly the breaks that were planted, no more and no less, whatever the
journal, and the same in every order of rows.

Method: random days (sales, refunds, voids, reversals, declines, repeats over two dates) written as
a perfect statement, in random layouts; faults planted one a transaction, and their list compared
with the breaks; then rows and postings shuffled.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from paper.journal import DATE, PaperJournal, entry, sale
from posengine.reconcile import (
    Theirs,
    load_layout,
    match,
    postings,
    read_statement,
    write_statement,
)
from posengine.vocabulary import Flag, Outcome

NEXT = 20261122
PLANTS = (
    "missing_theirs", "missing_ours", "amount_differs", "date_differs", "status_differs",
    "duplicate_theirs", "currency_differs", "direction_differs",
)


def random_day(chance: random.Random, count: int) -> PaperJournal:
    journal = PaperJournal()
    stan = 0
    for date in (20261120, DATE, NEXT):
        sales: list[int] = []
        for _ in range(count):
            stan += 1
            facts = {
                "stan": stan,
                "batch": chance.randrange(1, 4),
                "tid": f"T000000{chance.randrange(3)}",
            }
            what = chance.random()
            sequence = journal.last_sequence + 1
            if what < 0.6 or not sales:
                journal.commit(sale(chance.randrange(1, 10**7), **facts), date=date)
                sales.append(sequence)
            elif what < 0.7:
                journal.commit(entry("REFUND", chance.randrange(1, 10**5), **facts), date=date)
            elif what < 0.8:
                original = sales.pop(chance.randrange(len(sales)))
                journal.commit(
                    entry("REVERSAL", 1, original=original, flags=Flag.FINAL, **facts), date=date
                )
            elif what < 0.9:
                journal.commit(
                    sale(5, outcome=Outcome.DECLINED, response="51", **facts), date=date
                )
            else:
                journal.commit(entry("SALE_VOID", 7, original=sales[-1], **facts), date=date)
    return journal


def planted(chance: random.Random, rows: list[Theirs]) -> tuple[list[Theirs], Counter[str]]:
    """Rows with faults in them, one a transaction, and what they are."""
    out: list[Theirs] = []
    wanted: Counter[str] = Counter()
    line = 10_000
    for row in rows:
        line += 10
        kind = chance.choice(PLANTS) if chance.random() < 0.3 else ""
        wanted.update([kind] if kind else [])
        if kind == "missing_theirs":
            continue
        if kind == "missing_ours":
            out.append(replace(row, line=line, stan=900_000 + line % 99_999, rrn=f"x{line}"))
        elif kind == "amount_differs":
            row = replace(row, amount_minor=row.amount_minor + chance.randrange(1, 100))
        elif kind == "date_differs":
            row = replace(row, business_date=chance.choice([20261120, NEXT]))
        elif kind == "status_differs":
            row = replace(row, status=chance.choice(["reversed", "declined"]))
        elif kind == "duplicate_theirs":
            out.append(replace(row, line=line))
        elif kind == "currency_differs":
            row = replace(row, currency=344)
        elif kind == "direction_differs":
            row = replace(row, direction=-row.direction)
        out.append(row)
    return out, wanted


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 40),
    key=st.sampled_from(["stan", "rrn"]),
)
def test_exactly_the_planted_breaks_are_found_in_every_order(
    seed: int, count: int, key: str
) -> None:
    chance = random.Random(seed)
    journal = random_day(chance, count)
    layout = replace(load_layout("plain"), key=key)  # type: ignore[arg-type]
    ours = postings(journal, on=DATE)
    data = write_statement(ours, layout, on=DATE)
    perfect = read_statement(data, layout, file="bank.csv", on=DATE)
    assert perfect.faults == ()
    rows, wanted = planted(chance, list(perfect.rows))
    found = match(ours, rows, on=DATE, key=layout.key)
    assert Counter(found.counts) == wanted
    pairs = len(perfect.rows) - sum(
        wanted[kind] for kind in PLANTS if kind not in ("missing_ours", "duplicate_theirs")
    )
    assert found.matched == pairs
    for _ in range(3):
        chance.shuffle(rows)
        chance.shuffle(ours)
        assert match(ours, rows, on=DATE, key=layout.key) == found


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 20))
def test_every_layout_reads_what_it_writes(seed: int, count: int) -> None:
    chance = random.Random(seed)
    journal = random_day(chance, count)
    plain = load_layout("plain")
    for layout in (
        plain,
        replace(plain, separator="\t", quote="", trailer=None),
        replace(plain, encoding="gb18030", amount=replace(plain.amount, form="decimal")),
        replace(plain, date_form="%m%d"),
        replace(plain, has_header=False, columns={
            "amount": 9, "tid": 2, "batch": 3, "stan": 4, "date": 1, "direction": 6,
            "currency": 7, "rrn": 5, "mid": 12,
        }),
        replace(load_layout("china-bar"), key="rrn"),
    ):
        ours = [each for each in postings(journal, on=DATE) if each.currency == 156]
        data = write_statement(ours, layout, on=DATE)
        statement = read_statement(data, layout, file="f", on=DATE)
        assert statement.faults == (), layout
        found = match(ours, statement.rows, on=DATE, key=layout.key)
        assert found.is_clean, found.breaks
        assert found.ours == found.theirs
