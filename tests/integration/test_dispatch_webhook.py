"""Goal: a customer's server that fails, hangs, drips, moves, goes down and comes back gets every
event, each under one id, in order, signed; and no other machine is ever talked to.

Method: the real sink against a receiver on loopback that follows a plan; time-outs are short, waits
are noted and not slept.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic, time_ns

import pytest

from paper.journal import PaperJournal, sale
from paper.receiver import Plan, Receiver
from posengine.desk import Desk
from posengine.dispatch import (
    Choice,
    Retry,
    Secret,
    Serializer,
    SinkBusy,
    Waits,
    Webhook,
    deliver,
    judge_url,
)
from posengine.replay import Replay

SECRET = "whsec_" + base64.b64encode(b"a test secret of 32 bytes.......").decode()
ALL = Choice(frozenset(), frozenset(), frozenset(), frozenset())
ID = "0a" * 16


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk.open(tmp_path / "desk", clock_ns=time_ns) as opened:
        yield opened


def journal_of(count: int) -> PaperJournal:
    journal = PaperJournal()
    for first in range(0, count, 3):
        journal.commit(*(sale(100 + index) for index in range(first, min(first + 3, count))))
    return journal


def carry(
    port: int, journal: PaperJournal, desk: Desk, *, slept: list[float] | None = None,
    exchange_s_max: float = 5.0, retries_max: int = 8, host: str = "127.0.0.1",
    secrets: Sequence[str] = (SECRET,),
) -> int:
    sink = Webhook(
        judge_url(f"http://{host}:{port}/hook"),
        serializer=Serializer(["sequence", "amount_minor", "kind"]),
        choice=ALL,
        secrets=[Secret(text) for text in secrets],
        clock_ns=time_ns,
        monotonic=monotonic,
        waits=Waits(2.0, exchange_s_max),
    )
    try:
        return deliver(
            Replay(journal, desk, "shop"), sink, history=desk,
            retry=Retry(lambda: 1.0, retries_max=retries_max, delay_s_min=0.1, delay_s_max=30.0),
            sleep=(slept if slept is not None else []).append,
        )
    finally:
        sink.close()


def at(**actions: int | str) -> Plan:
    """The n-th request gets that action, all others 200."""
    return lambda index, event_id: actions.get(f"n{index}", 200)


def wanted(count: int) -> list[str]:
    return [f"{ID}-{sequence}" for sequence in range(1, count + 1)]


def test_every_event_arrives_once_in_order_and_says_what_was_listed(desk: Desk) -> None:
    with Receiver(SECRET) as receiver:
        assert carry(receiver.port, journal_of(20), desk) == 20
    assert receiver.ids == wanted(20)
    assert json.loads(receiver.events[4][1]) == {
        "type": "entry",
        "id": f"{ID}-5",
        "data": {"sequence": 5, "amount_minor": 104, "kind": "SALE"},
    }
    assert receiver.forged == 0


@pytest.mark.parametrize("action", [500, 502, 503, 504, 408, 409, 425, 429, 302, 199, "cut"])
def test_what_may_pass_is_tried_again_and_nothing_is_lost(desk: Desk, action: int | str) -> None:
    slept: list[float] = []
    with Receiver(SECRET, at(n2=action)) as receiver:
        assert carry(receiver.port, journal_of(6), desk, slept=slept) == 6
    assert receiver.ids == wanted(6)
    # A line that is cut on a kept connection is replaced at once: it may have been idle too long.
    assert slept == ([] if action == "cut" else [0.1])
    assert desk.dead_letters() == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422, 451])
def test_what_will_not_pass_is_a_dead_letter_at_once(desk: Desk, status: int) -> None:
    slept: list[float] = []
    with Receiver(SECRET, at(n2=status)) as receiver:
        assert carry(receiver.port, journal_of(6), desk, slept=slept) == 5
    assert receiver.ids == [each for each in wanted(6) if not each.endswith("-3")]
    assert slept == []
    (dead,) = desk.dead_letters("shop")
    assert dead.sequence == 3 and dead.reason.startswith(str(status))


def test_a_customer_who_asks_for_time_gets_it(desk: Desk) -> None:
    slept: list[float] = []
    with Receiver(SECRET, at(n1="later")) as receiver:
        carry(receiver.port, journal_of(3), desk, slept=slept)
    assert slept == [7.0]
    assert receiver.ids == wanted(3)


@pytest.mark.parametrize("action", ["hang", "drip"])
def test_no_receiver_holds_the_line_longer_than_the_deadline(desk: Desk, action: str) -> None:
    slept: list[float] = []
    with Receiver(SECRET, at(n1=action)) as receiver:
        began = monotonic()
        carry(receiver.port, journal_of(3), desk, slept=slept, exchange_s_max=0.4)
        assert monotonic() - began < 3.0
    assert receiver.ids == wanted(3)
    assert len(slept) == 1


def test_an_endless_answer_is_not_read_to_its_end(desk: Desk) -> None:
    with Receiver(SECRET, at(n1="huge")) as receiver:
        carry(receiver.port, journal_of(3), desk)
        assert sorted(set([*receiver.ids, f"{ID}-2"])) == wanted(3)


def test_a_redirect_is_not_followed(desk: Desk) -> None:
    with Receiver(SECRET, lambda index, event_id: "move") as receiver:
        with pytest.raises(SinkBusy, match="302"):
            carry(receiver.port, journal_of(3), desk, retries_max=2)
        assert receiver.requests == 3
    assert receiver.events == []


def test_an_event_that_was_taken_and_not_answered_comes_again_under_its_id(desk: Desk) -> None:
    with Receiver(SECRET, at(n3="cut-after")) as receiver:
        carry(receiver.port, journal_of(6), desk)
    assert receiver.ids == [*wanted(4), f"{ID}-4", *wanted(6)[4:]]
    bodies = [body for event_id, body in receiver.events if event_id == f"{ID}-4"]
    assert bodies[0] == bodies[1]


def test_a_server_that_is_down_loses_nothing(desk: Desk) -> None:
    journal = journal_of(9)
    with Receiver(SECRET) as receiver:
        port = receiver.port
        early = PaperJournal(written=journal.written[:1])
        carry(port, early, desk)
    slept: list[float] = []
    with pytest.raises(SinkBusy, match="refused"):
        carry(port, journal, desk, retries_max=3, slept=slept)
    assert slept == [0.1, 0.2, 0.4]
    with Receiver(SECRET, port=port) as again:
        carry(port, journal, desk)
    assert receiver.ids + again.ids == wanted(9)


def test_while_a_secret_is_replaced_the_old_one_still_verifies(desk: Desk) -> None:
    newer = "whsec_" + base64.b64encode(b"another test secret of some size").decode()
    for secret in (SECRET, newer):
        desk.adopt_checkpoint("shop", journal_id=ID, sequence=0, page_digest="")
        with Receiver(secret) as receiver:
            carry(receiver.port, journal_of(3), desk, secrets=[newer, SECRET])
        assert receiver.forged == 0 and receiver.ids == wanted(3)
    desk.adopt_checkpoint("shop", journal_id=ID, sequence=0, page_digest="")
    with Receiver(SECRET) as receiver:
        carry(receiver.port, journal_of(1), desk, secrets=[newer])
    assert receiver.forged == 1  # 401: a dead letter, not silence
    assert len(desk.dead_letters("shop")) == 1


def test_a_name_that_turns_inwards_is_never_connected_to(desk: Desk) -> None:
    with Receiver(SECRET) as receiver:
        sink = Webhook(
            judge_url(f"https://shop.example:{receiver.port}/", ports=[receiver.port]),
            serializer=Serializer(["sequence"]), choice=ALL, secrets=[Secret(SECRET)],
            clock_ns=time_ns, monotonic=monotonic, resolve=lambda host, port: ["127.0.0.1"],
        )
        with pytest.raises(SinkBusy, match="this machine"):
            deliver(
                Replay(journal_of(1), desk, "shop"), sink,
                retry=Retry(lambda: 0.0, retries_max=0), sleep=lambda s: None, history=desk,
            )
        assert receiver.requests == 0
