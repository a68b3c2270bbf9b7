"""Goal: a settle's totals are compared figure by figure with what the journal adds up to, and a
difference is named with terminal, batch, figure and sum.

Method: paper batches whose totals are added up by hand, told by field 48 of a kept request.
"""

from __future__ import annotations

import pytest

from paper.journal import DATE, PaperEntry, PaperJournal, entry, sale
from posengine.reconcile import BatchCheck, Totals, check_batches
from posengine.reconcile.batches import read_totals
from posengine.vocabulary import Flag, Outcome

FIGURES = (7000, 3, 2500, 2, 900, 1, 0, 0)


def kept(*figures: int, result: str = "0") -> bytes:
    """A settle's kept request: field 11, field 48 with these eight figures, field 60."""
    digits = ""
    for at in (0, 4):
        a, b, c, d = figures[at : at + 4]
        digits += f"{a:012d}{b:03d}{c:012d}{d:03d}{result}"
    value = bytes.fromhex(digits)
    return (
        b"\x0b\x03\x00\x00\x00\x09" + b"\x30" + len(value).to_bytes(2, "little") + value
        + b"\x3c\x02\x00\x00\x11"
    )


def settle(*figures: int, batch: int = 7, **facts: object) -> PaperEntry:
    return entry("SETTLE", batch=batch, request=kept(*figures), **facts)


def batch_of(journal: PaperJournal) -> None:
    """Domestic: sales 1000, 2000, 4000, a void of 2000, a refund of 500; foreign: a sale of 900.
    A sale of 50 is reversed, one is declined, one comes twice."""
    journal.commit(
        sale(1000, batch=7), sale(2000, batch=7), sale(4000, batch=7), sale(50, batch=7),
        entry("REVERSAL", 50, batch=7, original=4, flags=Flag.FINAL),
        entry("SALE_VOID", 2000, batch=7, original=2),
        entry("REFUND", 500, batch=7),
        sale(900, batch=7, flags=Flag.FOREIGN),
        sale(70, batch=7, outcome=Outcome.DECLINED),
        sale(1000, batch=7, outcome=Outcome.REPEAT, original=1),
        sale(33, batch=7, tid="T0000002"), sale(44, batch=8),
    )


def checks_of(*figures: int) -> list[BatchCheck]:
    journal = PaperJournal()
    batch_of(journal)
    journal.commit(settle(*figures))
    return check_batches(journal, on=DATE)


def test_totals_that_agree_are_no_break() -> None:
    settled, *still_open = checks_of(*FIGURES)
    assert settled.theirs == settled.ours == Totals(*FIGURES)
    assert settled.breaks == ()
    assert [(check.tid, check.batch, check.ours.debit_minor) for check in still_open] == [
        ("T0000001", 8, 44), ("T0000002", 7, 33),
    ]
    assert all(check.settle_sequence == 0 and check.theirs is None for check in still_open)


@pytest.mark.parametrize("figure", range(8))
def test_each_figure_that_differs_is_named(figure: int) -> None:
    told = [value + (3 if index == figure else 0) for index, value in enumerate(FIGURES)]
    (found,) = checks_of(*told)[0].breaks
    assert found.kind == "batch_totals_differ"
    gap = "-0.03" if figure % 2 == 0 else "-3"
    assert "terminal T0000001 batch 000007" in found.reason and found.reason.endswith(gap)
    assert "终端T0000001批次000007" in found.reason_chinese
    assert found.ours[0].sequence == 13


def test_a_reversal_after_the_settle_changes_no_closed_batch() -> None:
    journal = PaperJournal()
    batch_of(journal)
    journal.commit(settle(*FIGURES))
    journal.commit(entry("REVERSAL", 1000, batch=8, original=1, flags=Flag.FINAL))
    settled, *_ = check_batches(journal)
    assert settled.breaks == ()


def test_a_reversed_void_no_longer_counts() -> None:
    journal = PaperJournal()
    batch_of(journal)
    journal.commit(entry("REVERSAL", 2000, batch=7, original=6, flags=Flag.FINAL))
    journal.commit(settle(7000, 3, 500, 1, 900, 1, 0, 0))
    assert check_batches(journal)[0].breaks == ()


def test_a_batch_over_two_dates_is_checked_on_the_date_of_its_settle() -> None:
    journal = PaperJournal()
    batch_of(journal)
    journal.commit(settle(*FIGURES), date=20261122)
    assert [check.settle_sequence for check in check_batches(journal, on=DATE)] == [0, 0]
    assert check_batches(journal, on=20261122)[0].breaks == ()


def test_a_repeated_settle_is_checked_once() -> None:
    journal = PaperJournal()
    batch_of(journal)
    journal.commit(settle(*FIGURES))
    journal.commit(settle(*FIGURES, outcome=Outcome.REPEAT, original=13))
    assert [check.settle_sequence for check in check_batches(journal)] == [13, 0, 0]


def test_a_request_kept_without_field_48_says_nothing() -> None:
    assert read_totals(b"") is None
    assert read_totals(b"\x30\x02\x00\x00\x11") is None
    assert read_totals(kept(*FIGURES)) == Totals(*FIGURES)
    for size in range(len(kept(*FIGURES)) - 5):
        assert read_totals(kept(*FIGURES)[:size]) is None
    assert read_totals(kept(*FIGURES).replace(b"\x00\x70\x00", b"\x0a\x70\x00", 1)) is None
