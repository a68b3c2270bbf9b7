"""Goal: whatever a terminal sends twice, signed or not, it gets the same bytes twice (law 2).

Method: an embedded engine and a simulated terminal that lives a whole day, every message of it sent
twice in a row; sign-on and downloads, which run again, apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from posengine import keys, mac
from posengine.codec import Spec
from posengine.engine import Engine
from posengine.roster import Policy, Roster, SealedKey
from posengine.simulate import closing, habits
from posengine.simulate.exchange import Reply, Talk
from posengine.simulate.product import load_dialect
from posengine.simulate.report import Report
from posengine.simulate.terminal import Terminal
from posengine.simulate.terminals import make_terminals

MASTER = bytes.fromhex("11" * 32)
RUN_AGAIN = {"sign_on", "download", "download_end", "echo", "status_upload"}
DIALECT = load_dialect("unionpay-terminal")
(IDENTITY,) = make_terminals(1, merchants=1, seed=1)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    tid, mid = IDENTITY.tid, IDENTITY.mid
    (tmp_path / "roster.toml").write_text(f'[[terminal]]\ntid = "{tid}"\nmid = "{mid}"\n')
    sealed = keys.seal_tmk(tid, mid, mac.Key("TMK", IDENTITY.tmk), keys.sealing_key(MASTER))
    known = {(tid, mid): SealedKey(sealed.sealed, sealed.kcv)}
    with Engine(
        Spec.load("unionpay-terminal").image,
        Roster.load(tmp_path / "roster.toml", keys=known).compile(),
        Policy.load().compile(),
        tmp_path / "journal",
        master_key=MASTER,
        settings={"postings_max": 4096, "repeats_max": 4096, "terminals_max": 16},
    ) as opened:
        yield opened


def send(engine: Engine, frame: bytes) -> bytes:
    engine.submit(1, [frame])
    (reply,) = engine.commit()
    return reply.frame


@pytest.mark.parametrize("wrong_by", [0, 1])
def test_every_message_of_a_day_sent_twice_is_answered_the_same(
    engine: Engine, wrong_by: int
) -> None:
    report = Report()
    terminal = Terminal(IDENTITY, DIALECT, chance=Random(3), report=report)
    seen: set[str] = set()

    def live(talk: Talk[object]) -> None:
        reply: Reply | None = None
        while True:
            try:
                shot = talk.send(reply)
            except StopIteration:
                return
            first = send(engine, shot.frame)
            if shot.trade not in RUN_AGAIN:
                assert send(engine, shot.frame) == first, shot.trade
                seen.add(shot.trade)
            requirement, body = DIALECT.unframe(first)
            reply = Reply(first, requirement, body, DIALECT.parse(body))

    for name in [*habits.MIX] * 3:
        if name not in ("echo", "status_upload"):
            live(terminal.perform(habits.choose(name, terminal.ledger, terminal.chance)))
    live(closing.settle(terminal, wrong_by=wrong_by))
    assert report.disagreements == [] and report.balanced == 1 - wrong_by
    assert {"sale", "refund", "settle", "batch_upload", "sign_off"} <= seen
