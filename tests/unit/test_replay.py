"""Goal: a consumer sees every entry at least once and in order, and its checkpoint moves only
after it said so (law 6), in the journal that it began with.

Method: a paper journal and a real desk; every page size against every place to stop, a consumer
that is thrown away between hand-out and acknowledgement, journals restored, cut and rewritten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from paper.journal import PaperJournal, sale
from posengine.desk import CheckpointForeign, Desk
from posengine.errors import EntryAbsent
from posengine.replay import CheckpointAhead, Replay, adopt, restart


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    ticks = count(1)
    with Desk.open(tmp_path / "desk", clock_ns=lambda: next(ticks)) as opened:
        yield opened


def journal_of(*sizes: int, journal_id: bytes = b"\x0a" * 16) -> PaperJournal:
    journal = PaperJournal(journal_id)
    for size in sizes:
        journal.commit(*(sale(100 + index) for index in range(size)))
    return journal


def sequences(replay: Replay) -> list[int]:
    return [entry.sequence for page in replay.pages() for entry in page]


def test_what_was_not_acknowledged_comes_again(desk: Desk) -> None:
    journal = journal_of(3, 1, 4)
    assert sequences(Replay(journal, desk, "shop")) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert sequences(Replay(journal, desk, "shop")) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert desk.checkpoint("shop") is None


@pytest.mark.parametrize("acknowledged", range(1, 9))
def test_what_was_acknowledged_does_not_come_again_wherever_in_a_page(
    desk: Desk, acknowledged: int
) -> None:
    journal = journal_of(3, 1, 4)
    replay = Replay(journal, desk, "shop")
    assert len(sequences(replay)) == 8
    replay.checkpoint(acknowledged)
    assert replay.acknowledged == acknowledged
    assert sequences(Replay(journal, desk, "shop")) == list(range(acknowledged + 1, 9))
    assert sequences(Replay(journal, desk, "other")) == list(range(1, 9))


@pytest.mark.parametrize("until", range(0, 9))
def test_until_is_the_last_that_is_handed_out(desk: Desk, until: int) -> None:
    replay = Replay(journal_of(3, 1, 4), desk, "shop", until=until)
    assert sequences(replay) == list(range(1, until + 1))
    assert sequences(replay) == []


def test_the_same_replay_sees_what_was_committed_since(desk: Desk) -> None:
    journal = journal_of(2)
    replay = Replay(journal, desk, "shop")
    assert sequences(replay) == [1, 2]
    assert sequences(replay) == []
    journal.commit(sale(5), sale(6))
    assert sequences(replay) == [3, 4]


def test_what_was_never_handed_out_cannot_be_acknowledged(desk: Desk) -> None:
    replay = Replay(journal_of(2, 2), desk, "shop")
    with pytest.raises(CheckpointAhead):
        replay.checkpoint(1)
    next(iter(replay.pages()))
    with pytest.raises(CheckpointAhead):
        replay.checkpoint(3)
    assert desk.checkpoint("shop") is None


def test_a_rest_of_a_page_knows_its_place(desk: Desk) -> None:
    (page,) = Replay(journal_of(5), desk, "shop", after=1, until=4).pages()
    assert (page.first_sequence, page.last_sequence, len(page)) == (2, 4, 3)
    assert page[-1].sequence == 4
    assert [entry.sequence for entry in page[1:]] == [3, 4]
    rest = page.after(3)
    assert rest is not None and [entry.sequence for entry in rest] == [4]
    assert page.after(4) is None
    with pytest.raises(IndexError):
        page[3]


def test_a_sink_may_read_again_and_the_checkpoint_stays_where_it_was(desk: Desk) -> None:
    journal = journal_of(2, 2, 2)
    replay = Replay(journal, desk, "shop")
    for page in replay.pages():
        replay.checkpoint(page.last_sequence)
    again = Replay(journal, desk, "shop", after=2)
    for page in again.pages():
        again.checkpoint(page.last_sequence)
    kept = desk.checkpoint("shop")
    assert kept is not None and kept.sequence == 6


def test_a_restored_journal_is_refused_and_can_be_adopted(desk: Desk) -> None:
    journal = journal_of(3, 2)
    replay = Replay(journal, desk, "shop")
    list(replay.pages())
    replay.checkpoint(4)
    restored = journal_of(3, 2, 2, journal_id=b"\x0b" * 16)
    with pytest.raises(CheckpointForeign, match="posengine replay shop --adopt"):
        Replay(restored, desk, "shop")
    adopt(restored, desk, "shop")
    assert sequences(Replay(restored, desk, "shop")) == [5, 6, 7]


def test_a_restored_journal_with_other_entries_cannot_be_adopted(desk: Desk) -> None:
    journal = journal_of(3, 2)
    replay = Replay(journal, desk, "shop")
    list(replay.pages())
    replay.checkpoint(4)
    other = PaperJournal(b"\x0b" * 16)
    other.commit(*(sale(100 + index) for index in range(3)))
    other.commit(sale(1), sale(2))  # not what page two was
    with pytest.raises(CheckpointForeign, match="another page"):
        adopt(other, desk, "shop")
    shorter = journal_of(3, journal_id=b"\x0b" * 16)
    with pytest.raises(CheckpointForeign, match="ends before"):
        adopt(shorter, desk, "shop")
    restart(other, desk, "shop", sequence=3)
    assert sequences(Replay(other, desk, "shop")) == [4, 5]


def test_a_journal_that_lost_its_tail_is_refused_under_its_own_id(desk: Desk) -> None:
    journal = journal_of(3, 2)
    replay = Replay(journal, desk, "shop")
    list(replay.pages())
    replay.checkpoint(5)
    del journal.written[1]
    with pytest.raises(CheckpointForeign, match="ends before"):
        Replay(journal, desk, "shop")
    journal.commit(sale(7), sale(8))
    with pytest.raises(CheckpointForeign, match="another page"):
        Replay(journal, desk, "shop")


def test_a_restart_names_a_sequence_that_is_there(desk: Desk) -> None:
    journal = journal_of(3)
    with pytest.raises(CheckpointForeign, match="ends before entry 4"):
        restart(journal, desk, "shop", sequence=4)
    restart(journal, desk, "shop", sequence=0)
    assert sequences(Replay(journal, desk, "shop")) == [1, 2, 3]


def test_entries_of_a_dropped_volume_are_missed_aloud(desk: Desk) -> None:
    journal = journal_of(2, 2, 2)
    del journal.written[0]
    with pytest.raises(EntryAbsent, match="entries 1 to 2 are no longer"):
        sequences(Replay(journal, desk, "shop"))
    holed = journal_of(2, 2, 2)
    holed.written[1] = replace(holed.written[1], first_sequence=9)
    with pytest.raises(EntryAbsent):
        sequences(Replay(holed, desk, "shop"))
