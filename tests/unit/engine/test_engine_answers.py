"""Goal: what many answers have in common changes with the clock and the names, at the next answer.

Method: sales of one shape, so that their answers are put together from what is kept ready; between
them the clock moves on, the policy gets other names, and answers come with and without a code.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from oracle.terminal import Terminal, Value
from paper.shop import POLICY, Shop
from posengine.engine.engine import Engine

SECOND_NS = 10**9
DAY_NS = 86_400 * SECOND_NS
ROUNDS = 4  # the second of a shape is the first that is kept ready


def answered(engine: Engine, terminal: Terminal, data: bytes) -> dict[int, Value]:
    engine.submit(1, [data])
    (reply,) = engine.commit()
    return terminal.open(reply.frame)


def signed_on(engine: Engine, shop: Shop) -> Terminal:
    terminal = shop.terminal()
    terminal.take_keys(answered(engine, terminal, terminal.sign_on_frame()))
    return terminal


def shown(shop: Shop) -> tuple[str, str]:
    """Fields 12 and 13 of an answer that is made now, eight hours east."""
    moment = datetime.fromtimestamp(shop.clock.now_ns // SECOND_NS, UTC) + timedelta(hours=8)
    return f"{moment:%H%M%S}", f"{moment:%m%d}"


def sold(engine: Engine, shop: Shop, terminal: Terminal) -> dict[int, Value]:
    """A sale whose answer's own values are right, as are the time and the date."""
    data = terminal.sale(123_45)
    opened = answered(engine, terminal, data)
    last = engine.stat()["journal"]["last_sequence"]
    assert opened[39] == b"00", opened
    assert int(bytes(opened[37]) if isinstance(opened[37], bytes) else opened[37]) % 10**9 == last
    assert opened[38] == f"{last % 1_000_000:06d}".encode()
    assert (opened[12], opened[13]) == shown(shop)
    assert opened[11] == f"{terminal.stan:06d}"
    return opened


def test_the_time_of_an_answer_is_its_own(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    with shop.engine() as engine:
        terminal = signed_on(engine, shop)
        for step_ns in (1_000, SECOND_NS, 1_000, 61 * SECOND_NS, DAY_NS, 1_000):
            for _ in range(ROUNDS):
                sold(engine, shop, terminal)
            shop.clock.now_ns += step_ns


def test_new_names_are_in_the_next_answer(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.clock.step_ns = 0  # the names alone make the difference
    with shop.engine() as engine:
        terminal = signed_on(engine, shop)
        for name in ("00010000", "00020000", "123456", "00010000"):
            shop.policy_text = POLICY.replace("00010000", name)
            engine.reload(policy=shop.policy())
            for _ in range(ROUNDS):
                opened = sold(engine, shop, terminal)
                assert opened[32] == name
                assert isinstance(opened[44], bytes)
                assert opened[44][11:].rstrip() == name.encode()


def test_an_answer_without_a_code_has_none(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    with shop.engine() as engine:
        terminal = signed_on(engine, shop)
        for _ in range(ROUNDS):
            sale = sold(engine, shop, terminal)
            fields = terminal.sent[str(sale[11])]
            good = terminal.void({**fields, 37: sale[37], 38: sale[38]}, str(sale[11]))
            opened = answered(engine, terminal, good)
            assert (opened[39], 38 in opened) == (b"00", True)
            bad = terminal.void({**fields, 37: b"999999999999", 38: sale[38]}, "999999")
            opened = answered(engine, terminal, bad)
            assert opened[39] != b"00"
            assert 38 not in opened
