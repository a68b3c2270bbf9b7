"""Goal: each disagreement between journal and statement is named with its right kind, both sides
and a reason, and agreement is silent.

Method: a perfect statement written from a paper journal, then one fact changed by hand for each
kind of break, in each key form; effective status from reversals and voids; other dates.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from paper.journal import DATE, PaperJournal, entry, sale
from posengine.reconcile import (
    BREAK_WORDS,
    Settlement,
    Theirs,
    load_layout,
    match,
    postings,
    read_statement,
    reconcile,
    write_statement,
)
from posengine.vocabulary import Flag, Outcome

NEXT = 20261122


def day() -> PaperJournal:
    """Eight postings that count, one reversed, one declined, one of the next date."""
    journal = PaperJournal()
    journal.commit(*(sale(1000 + n, stan=n, batch=7) for n in range(1, 6)))
    journal.commit(
        sale(500, stan=6, batch=7),
        entry("REVERSAL", 500, stan=6, batch=7, original=6, flags=Flag.FINAL),
        sale(900, stan=7, batch=7, outcome=Outcome.DECLINED, response="51"),
        entry("REFUND", 300, stan=8, batch=7),
        sale(1001, stan=9, batch=7, currency=840),
        entry("SALE_VOID", 1002, stan=10, batch=7, original=2),
        sale(1001, stan=1, batch=7, outcome=Outcome.REPEAT, original=1),
    )
    journal.commit(sale(77, stan=11, batch=8), date=NEXT)
    return journal


def rows_of(journal: PaperJournal, on: int = DATE) -> list[Theirs]:
    layout = load_layout("plain")
    data = write_statement(postings(journal, on=on), layout, on=on)
    statement = read_statement(data, layout, file="bank.csv", on=on)
    assert statement.faults == ()
    return list(statement.rows)


def settle(journal: PaperJournal, rows: list[Theirs], key: str = "stan") -> Settlement:
    return match(postings(journal, on=DATE), rows, on=DATE, key=key)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["stan", "rrn"])
def test_two_sides_that_agree_have_no_break(key: str) -> None:
    journal = day()
    settlement = settle(journal, rows_of(journal), key)
    assert settlement.is_clean and settlement.counts == {}
    assert settlement.matched == 8
    assert settlement.ours == settlement.theirs
    assert settlement.ours.count == 8
    assert dict(settlement.ours.net_minor) == {156: 5015 - 300 - 1002, 840: 1001}


@pytest.mark.parametrize("key", ["stan", "rrn"])
@pytest.mark.parametrize("index", range(8))
def test_each_kind_of_break_is_named(key: str, index: int) -> None:
    journal = day()
    rows = rows_of(journal)
    row = rows[index]
    changes: dict[str, list[Theirs]] = {
        "missing_theirs": [],
        "missing_ours": [row, replace(row, line=99, stan=999999, rrn="999999999999")],
        "amount_differs": [replace(row, amount_minor=row.amount_minor + 1)],
        "currency_differs": [replace(row, currency=344)],
        "direction_differs": [replace(row, direction=-row.direction)],
        "date_differs": [replace(row, business_date=NEXT)],
        "status_differs": [replace(row, status="declined")],
        "duplicate_theirs": [row, replace(row, line=99)],
    }
    for kind, instead in changes.items():
        settlement = settle(journal, [*rows[:index], *instead, *rows[index + 1 :]], key)
        assert settlement.counts == {kind: 1}, kind
        (found,) = settlement.breaks
        assert found.reason and any("\u4e00" <= c <= "\u9fff" for c in found.reason_chinese)
        assert len(found.ours) == (kind != "missing_ours")
        assert len(found.theirs) == (kind != "missing_theirs")
        if found.ours:
            assert f"entry {found.ours[0].sequence}" in found.reason
        if found.theirs:
            assert f"bank.csv line {found.theirs[0].line}" in found.reason


def test_what_was_reversed_or_declined_and_is_counted_by_them_is_a_status_break() -> None:
    journal = day()
    rows = rows_of(journal)
    for stan, words in ((6, "was reversed"), (7, "was declined")):
        counted = replace(rows[0], line=50, stan=stan, rrn="x", amount_minor=500)
        settlement = settle(journal, [*rows, counted])
        assert settlement.counts == {"status_differs": 1}
        assert words in settlement.breaks[0].reason


def test_what_neither_side_counts_is_no_break() -> None:
    journal = day()
    rows = rows_of(journal)
    reversed_row = replace(rows[0], line=50, stan=6, status="reversed")
    unknown = replace(rows[0], line=51, stan=4711, status="declined")
    assert settle(journal, [*rows, reversed_row, unknown]).is_clean


def test_a_date_that_differs_is_told_from_either_side() -> None:
    journal = day()
    rows = rows_of(journal)
    early = replace(rows[0], line=50, stan=11, batch=8, amount_minor=77)  # ours is of the next date
    settlement = settle(journal, [*rows, early])
    assert settlement.counts == {"date_differs": 1}
    assert "belongs to 20261122" in settlement.breaks[0].reason
    both = settle(journal, [*rows, replace(early, amount_minor=78)])
    assert both.counts == {"amount_differs": 1, "date_differs": 1}


def test_postings_of_other_dates_are_not_missed() -> None:
    journal = day()
    assert settle(journal, rows_of(journal)).is_clean
    other = match(postings(journal, on=NEXT), rows_of(journal, NEXT), on=NEXT, key="stan")
    assert other.is_clean and other.matched == 1


def test_a_reversal_after_the_cutover_undoes_the_sale_of_the_day_before() -> None:
    journal = day()
    rows = rows_of(journal)
    journal.commit(entry("REVERSAL", 1001, original=1, flags=Flag.FINAL), date=NEXT)
    settlement = settle(journal, rows)
    assert settlement.counts == {"status_differs": 1}
    assert settlement.breaks[0].ours[0].sequence == 1


def test_a_reversal_that_found_nothing_undoes_nothing() -> None:
    journal = day()
    rows = rows_of(journal)
    journal.commit(entry("REVERSAL", 1001, original=1))
    journal.commit(
        entry("REVERSAL", 1001, original=1, flags=Flag.FINAL, outcome=Outcome.REPEAT)
    )
    assert settle(journal, rows).is_clean


def test_netted_layouts_list_neither_a_sale_nor_its_void() -> None:
    journal = day()
    both = {each.sequence for each in postings(journal, on=DATE) if each.status == "paid"}
    netted = {
        each.sequence
        for each in postings(journal, on=DATE, netted=True)
        if each.status == "paid"
    }
    assert both - netted == {2, 11}
    journal.commit(entry("REVERSAL", 1002, original=11, flags=Flag.FINAL))  # the void is undone
    again = {
        each.sequence
        for each in postings(journal, on=DATE, netted=True)
        if each.status == "paid"
    }
    assert again == netted | {2}


def test_a_break_keeps_its_name_while_its_facts_are_the_same() -> None:
    journal = day()
    rows = rows_of(journal)[1:]
    (first,) = settle(journal, rows).breaks
    (again,) = settle(journal, [replace(row, line=row.line + 10) for row in rows]).breaks
    assert first.break_id == again.break_id
    (other,) = settle(journal, [*rows[1:], rows_of(journal)[0]]).breaks
    assert other.break_id != first.break_id


def test_reconcile_reads_key_and_netting_from_the_layout() -> None:
    journal = day()
    layout = replace(load_layout("china-bar"), voids="netted")
    ours = postings(journal, on=DATE, netted=True)
    data = write_statement([each for each in ours if each.currency == 156], layout, on=DATE)
    statement = read_statement(data, layout, file="bank.txt", on=DATE)
    assert reconcile(journal, statement, on=DATE).counts == {"missing_theirs": 1}  # the one in 840


def test_every_kind_has_words_in_both_languages() -> None:
    for english, chinese in BREAK_WORDS.values():
        assert english.isascii() and any("\u4e00" <= c <= "\u9fff" for c in chinese)


def test_of_two_rows_the_one_that_agrees_is_the_pair() -> None:
    journal = day()
    rows = rows_of(journal)
    wrong = replace(rows[0], line=1, amount_minor=1)  # above the right one in their file
    settlement = settle(journal, [wrong, *rows])
    assert settlement.matched == 8
    assert settlement.counts == {"duplicate_theirs": 1}
    assert settlement.breaks[0].theirs == (wrong,)
