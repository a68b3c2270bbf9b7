"""Goal: an embedding program sees each wave as columns, may decline, and can do nothing else.

Method: functions that decline by a column, fail, or answer nonsense, in an engine in this process;
what they saw is compared with what the terminal sent.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from oracle.terminal import PAN, Terminal
from paper.shop import Shop
from posengine.engine import Engine, Questions
from posengine.journal import Journal


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def signed_on(engine: Engine, shop: Shop) -> Terminal:
    terminal = shop.terminal()
    engine.submit(1, [terminal.sign_on_frame()])
    (reply,) = engine.commit()
    terminal.take_keys(terminal.open(reply.frame))
    return terminal


def codes(engine: Engine, terminal: Terminal, requests: list[bytes]) -> list[object]:
    engine.submit(1, requests)
    return [terminal.open(reply.frame)[39] for reply in engine.commit()]


def test_it_sees_a_wave_as_columns_and_declines_rows_of_it(shop: Shop) -> None:
    seen = []

    def decide(wave: Questions) -> None:
        seen.append(wave.copy())
        wave.response[wave.amount_minor > 500] = b"61"

    with shop.engine(decide=decide) as engine:
        terminal = signed_on(engine, shop)
        assert seen == [], "sign-on moves no money"
        requests = [terminal.sale(amount) for amount in (100, 501, 500, 9_999)]
        assert codes(engine, terminal, requests) == [b"00", b"61", b"00", b"61"]
        (wave,) = seen
        assert wave.amount_minor.tolist() == [100, 501, 500, 9_999]
        assert wave.stan.tolist() == [2, 3, 4, 5]
        assert set(wave.tid) == {terminal.tid.encode()}
        assert set(wave.mid) == {terminal.mid.encode()}
        assert set(wave.bin) == {int(PAN[:6])} and set(wave.last4) == {int(PAN[-4:])}
        assert set(wave.mti) == {0x0200} and set(wave.currency) == {156}
        assert len({token.tobytes() for token in wave.pan_token}) == 1
        assert any("why=PROGRAM" in line for line in shop.log)


def test_what_it_declined_stays_declined_after_a_restart_without_it(shop: Shop) -> None:
    def decide(wave: Questions) -> None:
        wave.response[:] = b"05"

    with shop.engine(decide=decide) as engine:
        terminal = signed_on(engine, shop)
        request = terminal.sale(100)
        assert codes(engine, terminal, [request]) == [b"05"]
        digest = engine.state_digest()
    with shop.engine() as engine:
        assert engine.state_digest() == digest
        assert codes(engine, terminal, [request]) == [b"05"], "the repeat of a decline"
        settled = terminal.open(_one(engine, terminal.settle(0, 0)))
        assert str(settled[48])[30] == "1"
    with Journal.open(shop.home / "journal", readonly=True) as journal:
        assert [entry.outcome_word.name for entry in journal.entries()][1:3] == [
            "DECLINED", "REPEAT",
        ]  # fmt: skip


def _one(engine: Engine, request: bytes) -> bytes:
    engine.submit(1, [request])
    (reply,) = engine.commit()
    return reply.frame


def test_one_that_fails_has_approved_nothing(shop: Shop) -> None:
    def decide(wave: Questions) -> None:
        raise RuntimeError("no")

    with shop.engine(decide=decide) as engine:
        terminal = signed_on(engine, shop)
        assert codes(engine, terminal, [terminal.sale(1), terminal.sale(2)]) == [b"96", b"96"]


def test_what_is_no_code_is_96(shop: Shop) -> None:
    def decide(wave: Questions) -> None:
        wave.response[:] = b"\xff"

    with shop.engine(decide=decide) as engine:
        terminal = signed_on(engine, shop)
        assert codes(engine, terminal, [terminal.sale(1)]) == [b"96"]


def test_it_cannot_approve_what_the_policy_declines(shop: Shop) -> None:
    def decide(wave: Questions) -> None:
        wave.response[:] = b"00"

    with shop.engine(decide=decide) as engine:
        terminal = signed_on(engine, shop)
        expired = {**terminal.sale_fields(100), 14: "2001"}
        assert codes(engine, terminal, [terminal.seal("0200", expired)]) == [b"54"]


def test_reversals_are_not_asked_about(shop: Shop) -> None:
    kinds: set[int] = set()

    def decide(wave: Questions) -> None:
        kinds.update(wave.kind.tolist())

    with shop.engine(decide=decide) as engine:
        terminal = signed_on(engine, shop)
        assert codes(engine, terminal, [terminal.sale(1)]) == [b"00"]
        stan = f"{terminal.stan:06d}"
        assert codes(engine, terminal, [terminal.reversal(stan)]) == [b"00"]
    assert len(kinds) == 1
