"""Goal: entries are carried in order, each at least once; the checkpoint moves only after a page
was taken and made safe; a busy sink is waited for within limits; a refused entry is a dead letter.

Method: sinks that do what a script says, a clock that only notes what it is asked to sleep, and a
log of every step, compared with the order that law 6 demands. A sink dies at every step in turn;
a delivery with the defect planted (checkpoint first) is shown to lose an entry there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from paper.journal import PaperJournal, sale
from posengine.desk import Checkpoint, Desk
from posengine.dispatch import Retry, SinkBusy, SinkRefused, deliver
from posengine.replay import Replay, ReplayPage


class Killed(Exception):
    """The process ends here."""


class Scripted:
    """Takes entries one by one; ``script`` says what happens at a sequence, once each."""

    def __init__(self, script: dict[int, list[object]], pages_unflushed_max: int = 1) -> None:
        self.script = script
        self.pages_unflushed_max = pages_unflushed_max
        self.got: list[int] = []
        self.flushed = 0

    def take(self, page: ReplayPage) -> int:
        for index, entry in enumerate(page):
            for action in self.script.get(entry.sequence, []):
                self.script[entry.sequence].remove(action)
                if action == "busy":
                    raise SinkBusy("503", sequence=entry.sequence, taken=index)
                if isinstance(action, float):
                    raise SinkBusy(
                        "429", sequence=entry.sequence, taken=index, retry_after_s=action
                    )
                if action == "refuse":
                    raise SinkRefused("410 Gone", sequence=entry.sequence, taken=index)
                if action == "die":
                    raise Killed
            self.got.append(entry.sequence)
        return len(page)

    def flush(self) -> None:
        self.flushed = self.got[-1] if self.got else 0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk.open(tmp_path / "desk", clock_ns=lambda: 1) as opened:
        yield opened


@pytest.fixture
def journal() -> PaperJournal:
    journal = PaperJournal()
    for size in (3, 1, 4, 2):
        journal.commit(*(sale(100) for _ in range(size)))
    return journal


def run(
    journal: PaperJournal,
    desk: Desk,
    sink: Scripted,
    slept: list[float] | None = None,
    **retry: object,
) -> int:
    return deliver(
        Replay(journal, desk, "shop"),
        sink,
        retry=Retry(lambda: 1.0, **retry),  # type: ignore[arg-type]
        sleep=(slept if slept is not None else []).append,
        history=desk,
    )


def standing(desk: Desk) -> int:
    kept = desk.checkpoint("shop")
    return 0 if kept is None else kept.sequence


def test_everything_is_taken_once_where_nothing_fails(journal: PaperJournal, desk: Desk) -> None:
    sink = Scripted({})
    assert run(journal, desk, sink) == 10
    assert sink.got == list(range(1, 11))
    assert standing(desk) == 10
    assert run(journal, desk, sink) == 0


@pytest.mark.parametrize("at", range(1, 11))
@pytest.mark.parametrize("pages_unflushed_max", [1, 2, 64])
def test_a_death_at_any_entry_loses_none_and_keeps_the_order(
    journal: PaperJournal, desk: Desk, at: int, pages_unflushed_max: int
) -> None:
    sink = Scripted({at: ["die"]}, pages_unflushed_max)
    with pytest.raises(Killed):
        run(journal, desk, sink)
    assert standing(desk) <= at - 1
    assert standing(desk) <= sink.flushed
    run(journal, desk, sink)
    assert sorted(set(sink.got)) == list(range(1, 11))
    first_seen = list(dict.fromkeys(sink.got))
    assert first_seen == list(range(1, 11))
    assert standing(desk) == 10


def test_the_checkpoint_never_passes_what_is_safe(journal: PaperJournal) -> None:
    """Law 6, by watching every move: at a power cut here, what was not flushed is gone."""
    sink = Scripted({3: ["busy"], 6: ["busy", "refuse"]}, pages_unflushed_max=3)

    class Watching:
        moves: list[int] = []  # noqa: RUF012  # one test, one list

        def checkpoint(self, name: str) -> Checkpoint | None:
            return None

        def move_checkpoint(
            self, name: str, *, journal_id: str, sequence: int, page_digest: str
        ) -> Checkpoint:
            refused = {6}
            assert set(range(1, sequence + 1)) - refused <= set(sink.got[: _upto(sink)])
            self.moves.append(sequence)
            return Checkpoint(name, journal_id, sequence, page_digest, 0)

        adopt_checkpoint = move_checkpoint

    def _upto(sink: Scripted) -> int:
        return sink.got.index(sink.flushed) + 1 if sink.flushed else 0

    class Forgetful:
        def record_delivery(self, *args: object, **named: object) -> None: ...
        def bury(self, *args: object, **named: object) -> None: ...

    watching = Watching()
    deliver(
        Replay(journal, watching, "shop"), sink, retry=Retry(lambda: 0.0),
        sleep=lambda s: None, history=Forgetful(),
    )
    assert watching.moves == sorted(watching.moves) and watching.moves[-1] == 10


def test_a_checkpoint_moved_first_would_lose_entries(journal: PaperJournal, desk: Desk) -> None:
    """The planted defect: the same death, and an entry that never comes."""
    sink = Scripted({6: ["die"]})
    replay = Replay(journal, desk, "shop")
    with pytest.raises(Killed):
        for page in replay.pages():
            replay.checkpoint(page.last_sequence)  # the defect: acknowledged before it was taken
            sink.take(page)
    run(journal, desk, sink)
    assert set(range(1, 11)) - set(sink.got) == {6, 7, 8}


def test_a_busy_sink_gets_the_rest_of_the_page_later(journal: PaperJournal, desk: Desk) -> None:
    slept: list[float] = []
    sink = Scripted({6: ["busy", "busy"]})
    assert run(journal, desk, sink, slept, delay_s_min=0.5) == 10
    assert sink.got == list(range(1, 11))  # 5, taken before 6 was not, did not come again
    assert slept == [0.5, 1.0]
    outcomes = [(sent.sequence_first, sent.outcome) for sent in desk.deliveries("shop")]
    assert outcomes.count((6, "busy")) == 2


def test_delays_double_to_a_limit_and_jitter_only_shortens_them() -> None:
    longest = Retry(lambda: 1.0, delay_s_min=0.5, delay_s_max=5.0)
    shortest = Retry(lambda: 0.0, delay_s_min=0.5, delay_s_max=5.0)
    assert [longest.delay_s(n) for n in range(1, 7)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert [shortest.delay_s(n) for n in range(1, 7)] == [0.25, 0.5, 1.0, 2.0, 2.5, 2.5]
    assert longest.delay_s(5_000) == 5.0


def test_what_the_customer_asks_for_is_honoured_within_the_limit(
    journal: PaperJournal, desk: Desk
) -> None:
    slept: list[float] = []
    sink = Scripted({2: [7.0], 3: [9_999_999.0]})
    run(journal, desk, sink, slept, delay_s_min=0.5, delay_s_max=60.0)
    assert slept == [7.0, 60.0]


def test_a_sink_that_stays_busy_stops_in_order_and_goes_on_later(
    journal: PaperJournal, desk: Desk
) -> None:
    slept: list[float] = []
    sink = Scripted({6: ["busy"] * 4})
    with pytest.raises(SinkBusy) as caught:
        run(journal, desk, sink, slept, retries_max=3)
    assert caught.value.sequence == 6 and caught.value.delivered == 5
    assert len(slept) == 3
    assert standing(desk) == 5
    assert run(journal, desk, sink) == 5
    assert sink.got == list(range(1, 11))


def test_or_it_becomes_a_dead_letter_by_setting(journal: PaperJournal, desk: Desk) -> None:
    sink = Scripted({6: ["busy"] * 4})
    assert run(journal, desk, sink, retries_max=3, after_retries="dead") == 9
    assert [(dead.sequence, dead.attempts) for dead in desk.dead_letters("shop")] == [(6, 4)]
    assert standing(desk) == 10


@pytest.mark.parametrize("at", [1, 3, 4, 6, 10])
def test_a_refused_entry_is_a_dead_letter_and_the_next_one_follows(
    journal: PaperJournal, desk: Desk, at: int
) -> None:
    sink = Scripted({at: ["refuse"]})
    slept: list[float] = []
    assert run(journal, desk, sink, slept) == 9
    assert slept == []
    assert sink.got == [n for n in range(1, 11) if n != at]
    (dead,) = desk.dead_letters("shop")
    assert (dead.sequence, dead.reason, dead.attempts) == (at, "410 Gone", 1)
    assert standing(desk) == 10


def test_without_a_place_for_dead_letters_a_refusal_stops(
    journal: PaperJournal, desk: Desk
) -> None:
    sink = Scripted({6: ["refuse"]})
    with pytest.raises(SinkRefused):
        deliver(Replay(journal, desk, "shop"), sink, retry=Retry(lambda: 0.0), sleep=lambda s: None)
    assert standing(desk) == 5


def test_entries_for_others_do_not_cost_a_checkpoint_each(desk: Desk) -> None:
    journal = PaperJournal()
    for _ in range(200):
        journal.commit(sale(100))

    class Nothing(Scripted):
        def take(self, page: ReplayPage) -> int:
            return 0

    moves: list[int] = []

    class Counting:
        checkpoint = desk.checkpoint
        adopt_checkpoint = desk.adopt_checkpoint

        def move_checkpoint(self, name: str, **named: object) -> Checkpoint:
            moves.append(named["sequence"])  # type: ignore[arg-type]
            return desk.move_checkpoint(name, **named)  # type: ignore[arg-type]

    replay = Replay(journal, Counting(), "shop")
    assert deliver(replay, Nothing({}), retry=Retry(lambda: 0.0), sleep=lambda s: None) == 0
    assert moves == [64, 128, 192, 200]
