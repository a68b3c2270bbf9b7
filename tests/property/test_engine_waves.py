"""Goal: how frames are cut into waves changes nothing of what is answered and journalled.

Method: the same random frames (sales, repeats, altered repeats, reversals, echoes, settlements,
wrong MACs, strangers, garbage; messages under an old key that still serves) go to copies of one
engine, one by one to the first and in waves of random sizes to the others, some of them with pages
that are smaller than a wave. Replies byte by byte, entries column by column and the digest of the
state must agree. Then two frames change places, and must be found out: the test can fail. Keys are
judged once a wave: what that means within one is told apart at the end.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from oracle.terminal import Terminal, frame, pack, unpack
from paper.shop import Clock, Shop
from posengine.engine.engine import Engine, Reply
from posengine.journal import Journal

TERMINALS = 4
FRAMES = 60
SEEDS = 6
Arrival = tuple[int, bytes]
# When it was staged, and whatever else says how it was cut into pages.
OF_THE_PAGE = {"staged_after", "heap_offset"}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, list[Terminal]]:
    """A shop whose terminals have signed on; the last one twice, so that two keys serve it."""
    shop = Shop(tmp_path_factory.mktemp("shop"), count=TERMINALS, clock=Clock(step_ns=0))
    terminals = [shop.terminal(index) for index in range(TERMINALS)]
    with shop.engine() as engine:
        for terminal in [*terminals, terminals[-1]]:
            engine.submit(1, [terminal.sign_on_frame()])
            (reply,) = engine.commit()
            if not terminal.mak:
                terminal.take_keys(terminal.open(reply.frame))
    return shop, terminals


def frames_of(chance: Random, terminals: list[Terminal]) -> list[Arrival]:
    """Random frames; of each terminal at most three wrong MACs, so that none is locked."""
    sellers = [replace(terminal, sent={}) for terminal in terminals]
    found: list[Arrival] = []
    wrong = dict.fromkeys(range(TERMINALS), 0)
    while len(found) < FRAMES:
        number = chance.randrange(TERMINALS)
        terminal = sellers[number]
        what = chance.choice(["sale", "sale", "sale", "repeat", "altered", "reversal", "wrong",
                              "echo", "stranger", "garbage", "settle", "twice"])  # fmt: skip
        if what in ("sale", "twice"):
            data = terminal.sale(chance.randrange(1, 9_999))
            found += [(number, data)] * (2 if what == "twice" else 1)
        elif what == "repeat" and found:
            found.append(chance.choice(found))
        elif what == "altered" and terminal.sent:
            fields = dict(terminal.sent[chance.choice(list(terminal.sent))])
            fields[4] = f"{chance.randrange(10_000):012d}"
            found.append((number, terminal.seal("0200", fields)))
        elif what == "reversal" and terminal.sent:
            stan = chance.choice(list(terminal.sent))
            found.append((number, terminal.reversal(stan)))
        elif what == "wrong" and wrong[number] < 3:
            wrong[number] += 1
            found.append((number, terminal.sale(1)[:-8] + b"00000000"))
        elif what == "echo":
            found.append((number, terminal.echo()))
        elif what == "stranger":
            stranger = replace(terminal, tid="99999999", sent={})
            found.append((number, stranger.sale(1)))
        elif what == "garbage":
            found.append((number, frame(pack("0200", {11: "000001"})[: chance.randrange(4, 12)])))
        elif what == "settle" and chance.random() < 0.2:
            found.append((number, terminal.settle(chance.randrange(3), 1)))
    return found


def run(
    origin: Shop, home: Path, waves: list[list[Arrival]], **settings: int
) -> tuple[list[Reply], dict[str, Any], bytes]:
    """Replies, entries as columns, digest of the state, of a copy of ``origin``'s engine."""
    shutil.copytree(origin.home, home)
    shop = Shop(home, count=TERMINALS, clock=Clock(step_ns=0), settings=dict(settings))
    replies: list[Reply] = []
    with shop.engine() as engine:
        for wave in waves:
            engine.submit_wave(wave)
            replies += engine.commit()
        digest = engine.state_digest()
    with Journal.open(home / "journal", readonly=True) as journal:
        pages = list(journal.pages())
        columns = {
            name: np.concatenate([page.columns[name] for page in pages])
            for name in pages[0].columns
            if name not in OF_THE_PAGE
        }
        columns["heap"] = [(entry.request, entry.answer) for page in pages for entry in page]
    return replies, columns, digest


def cut_randomly(chance: Random, frames: list[Arrival]) -> list[list[Arrival]]:
    left = list(frames)
    waves = []
    while left:
        size = chance.choice([1, 2, 3, 5, 16, 17, 40, len(left)])
        waves.append(left[:size])
        left = left[size:]
    return waves


def by_line(replies: list[Reply]) -> dict[int, list[bytes]]:
    """What each line gets, refusals apart: they leave at once, so order among both is not said."""
    found: dict[int, list[bytes]] = {}
    for reply in replies:
        found.setdefault(reply.line + 1_000 * (reply.sequence == 0), []).append(reply.frame)
    return found


def differences(one: tuple[Any, ...], other: tuple[Any, ...]) -> list[str]:
    """Names of what differs."""
    found = [] if by_line(one[0]) == by_line(other[0]) else ["replies"]
    for name, column in one[1].items():
        same = (
            column == other[1][name]
            if isinstance(column, list)
            else np.array_equal(column, other[1][name])
        )
        if not same:
            found.append(name)
    return found if one[2] == other[2] else [*found, "digest"]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_waves_of_any_size_give_the_same_replies_and_the_same_journal(
    opened: tuple[Shop, list[Terminal]], tmp_path: Path, seed: int
) -> None:
    shop, terminals = opened
    chance = Random(seed)
    frames = frames_of(chance, terminals)
    alone = run(shop, tmp_path / "alone", [[arrival] for arrival in frames])
    whole = run(shop, tmp_path / "whole", [frames])
    assert differences(alone, whole) == []
    for number, limits in enumerate([{}, {"page_entries_max": 7}, {"wave_frames_max": 5}]):
        waves = cut_randomly(chance, frames)
        other = run(shop, tmp_path / f"waves{number}", waves, **limits)
        assert differences(alone, other) == [], (seed, limits, [len(wave) for wave in waves])


def test_another_order_is_found_out(opened: tuple[Shop, list[Terminal]], tmp_path: Path) -> None:
    """The control: the original before its reversal, and the reversal before its original."""
    shop, terminals = opened
    seller = replace(terminals[0], sent={})
    sale = seller.sale(5)
    reversal = seller.reversal(f"{seller.stan:06d}")
    one = run(shop, tmp_path / "one", [[(0, sale), (0, reversal)]])
    other = run(shop, tmp_path / "other", [[(0, reversal), (0, sale)]])
    assert "replies" in differences(one, other) and "digest" in differences(one, other)


# ---- keys within one wave ------------------------------------------------------------------------
def signed_on(engine: Engine, terminal: Terminal) -> bytes:
    """Signs on; the old MAK."""
    old = terminal.mak
    engine.submit(1, [terminal.sign_on_frame()])
    (reply,) = engine.commit()
    terminal.take_keys(terminal.open(reply.frame))
    return old


def under(terminal: Terminal, mak: bytes, amount: int) -> bytes:
    return replace(terminal, mak=mak, sent={}).seal("0200", terminal.sale_fields(amount))


def codes(replies: list[Reply]) -> list[bytes]:
    return [bytes(unpack(reply.frame[13:])[39]) for reply in replies]  # type: ignore[arg-type]


def test_a_wave_is_answered_under_the_keys_that_verified_it(tmp_path: Path) -> None:
    """The old key, the new one, and so again: the new one ends the old, but after the wave."""
    shop = Shop(tmp_path, count=1)
    terminal = shop.terminal()
    with shop.engine() as engine:
        signed_on(engine, terminal)
        old = signed_on(engine, terminal)
        new = terminal.mak
        keys = [old, new, old, new]
        engine.submit(1, [under(terminal, key, 1 + number) for number, key in enumerate(keys)])
        replies = engine.commit()
        assert codes(replies) == [b"00"] * 4
        for reply, key in zip(replies, keys, strict=True):
            replace(terminal, mak=key).open(reply.frame)  # its MAC is under that key
        engine.submit(1, [under(terminal, old, 9)])
        assert codes([r for r in engine.commit() if r.frame]) == [b"A0"]


def test_a_sign_on_between_two_sales_of_one_wave_takes_the_key_from_neither(
    tmp_path: Path,
) -> None:
    shop = Shop(tmp_path, count=2)
    terminal, other = shop.terminal(0), shop.terminal(1)
    with shop.engine() as engine:
        signed_on(engine, terminal)
        signed_on(engine, other)
        key = terminal.mak
        engine.submit(1, [
            under(terminal, key, 1), other.sale(2), terminal.sign_on_frame(),
            under(terminal, key, 3), other.sale(4)[:-8] + b"FFFFFFFF", other.sale(5),
            under(terminal, key, 6),
        ])  # fmt: skip
        replies = engine.commit()
        answered = [reply for reply in replies if reply.sequence > 0]
        refused = [reply for reply in replies if reply.sequence == 0]
        assert codes(answered) == [b"00"] * 6 and codes(refused) == [b"A0"]
        for number, of in ((0, terminal), (1, other), (3, terminal), (4, other), (5, terminal)):
            of.open(answered[number].frame)
        terminal.take_keys(terminal.open(answered[2].frame))
        assert terminal.mak != key
        engine.submit(1, [terminal.sale(7)])
        terminal.open(engine.commit()[0].frame)
