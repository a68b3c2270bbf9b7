"""Goal: an engine that starts from a snapshot of its state is the engine that folded everything.

Method: an engine with sales, reversals and a lock; snapshots beside it; it is opened again with and
without them, and with ones that are damaged, of another journal, or ahead; digests are compared.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from oracle.terminal import Terminal
from paper.shop import Shop
from posengine.engine.engine import Engine, state_path_of
from posengine.engine.saver import newest
from posengine.errors import EntryAbsent, ImageError

LIMITS: dict[str, int | str] = {
    "terminals_max": 1_024, "postings_max": 16_384, "repeats_max": 32_768,
}  # fmt: skip


def signed_on(engine: Engine, shop: Shop) -> list[Terminal]:
    terminals = [shop.terminal(index) for index in range(shop.count)]
    for terminal in terminals:
        engine.submit(1, [terminal.sign_on_frame()])
        (reply,) = engine.commit()
        terminal.take_keys(terminal.open(reply.frame))
    return terminals


def trade(engine: Engine, terminals: list[Terminal], count: int) -> None:
    for number in range(count):
        terminal = terminals[number % len(terminals)]
        engine.submit(1, [terminal.sale(100 + number)])
        if number % 7 == 0:
            engine.submit(1, [terminal.reversal(f"{terminal.stan:06d}")])
        assert engine.commit()


def saved(shop: Shop, entries_min: int = 1) -> tuple[bool, int, int]:
    """By a process of its own: one process opens a journal once."""
    journal = shop.home / "journal"
    call = (bytes(journal), bytes(state_path_of(journal)), LIMITS, entries_min, True)
    done = subprocess.run(
        [sys.executable, "-c",
         f"from posengine._native.snapshot import save_state; print(save_state(*{call!r})[:3])"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    is_new, sequence, folded = ast.literal_eval(done.stdout)
    return is_new, sequence, folded


def opened(shop: Shop) -> tuple[bytes, int, int]:
    """Digest of the state, the snapshot it began with, the entries folded after it."""
    with shop.engine() as engine:
        counters = engine.stat()["counters"]
        return engine.state_digest(), counters["snapshot_sequence"], counters["recovered_entries"]


@pytest.fixture
def traded(tmp_path: Path) -> Shop:
    """A journal of some 60 entries, one terminal of it locked; a snapshot of half of them."""
    shop = Shop(tmp_path)
    with shop.engine() as engine:
        terminals = signed_on(engine, shop)
        trade(engine, terminals, 20)
        engine.lock(terminals[3].tid)
        engine.commit()
        assert saved(shop)[0]
        trade(engine, terminals[:3], 20)
    return shop


def test_a_snapshot_and_the_entries_after_it_are_the_whole(traded: Shop) -> None:
    path = state_path_of(traded.home / "journal")
    with_it, sequence, after = opened(traded)
    assert sequence == newest(traded.home / "journal").sequence > 0
    path.unlink()
    without, none, whole = opened(traded)
    assert with_it == without
    assert none == 0 and whole == sequence + after


def test_a_lock_holds_over_a_snapshot(traded: Shop) -> None:
    is_new, _, _ = saved(traded)
    assert is_new
    with traded.engine() as engine:
        assert engine.stat()["counters"]["recovered_entries"] == 0
        terminal = traded.terminal(3)
        engine.submit(1, [terminal.sign_on_frame()])
        (reply,) = engine.commit()
        assert terminal.open(reply.frame, checks_mac=False)[39] == b"58"


def test_snapshots_are_made_of_enough_and_one_after_the_other(traded: Shop) -> None:
    _, before, _ = saved(traded, entries_min=10_000)
    is_new, after, folded = saved(traded)
    assert is_new and folded == after - before
    assert saved(traded) == (False, after, 0)


def test_a_snapshot_is_made_beside_a_running_engine(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    with shop.engine() as engine:
        terminals = signed_on(engine, shop)
        for _ in range(5):
            trade(engine, terminals, 5)
            is_new, sequence, _ = saved(shop)
            assert is_new and sequence == engine.stat()["journal"]["durable_sequence"]
        digest = engine.state_digest()
    assert opened(shop) == (digest, sequence, 0)


def test_what_does_not_fit_is_put_aside_and_everything_is_folded(traded: Shop) -> None:
    path = state_path_of(traded.home / "journal")
    aside = path.with_name(path.name + ".bad")
    good = path.read_bytes()
    path.unlink()
    whole = opened(traded)
    other = Shop(traded.home / "other")
    other.home.mkdir()
    with other.engine() as engine:
        trade(engine, signed_on(engine, other), 3)
        saved(other)
    foreign = state_path_of(other.home / "journal").read_bytes()
    middle = len(good) // 2
    first_used = good.index(b"10000001")
    for bad in (
        foreign,
        good[:middle],
        b"",
        good[:first_used] + b"2" + good[first_used + 1 :],
        good[:100] + bytes([good[100] ^ 1]) + good[101:],
    ):
        path.write_bytes(bad)
        traded.log.clear()
        assert opened(traded) == whole
        assert not path.exists() and aside.read_bytes() == bad
        assert any("saved_state_put_aside" in line for line in traded.log)


def test_a_snapshot_ahead_of_its_journal_is_not_used(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    journal = shop.home / "journal"
    with shop.engine() as engine:
        terminals = signed_on(engine, shop)
    shutil.copytree(journal, tmp_path / "earlier")
    shutil.copy(tmp_path / "journal.keys", tmp_path / "earlier.keys")
    with shop.engine() as engine:
        trade(engine, terminals, 5)
        saved(shop)
    shutil.rmtree(journal)
    shutil.copytree(tmp_path / "earlier", journal)
    shop.log.clear()
    assert opened(shop)[1:] == (0, 4)
    assert any("ahead of the journal" in line for line in shop.log)


def test_what_there_is_says_what_it_is(traded: Shop) -> None:
    journal = traded.home / "journal"
    found = newest(journal)
    assert found.size == state_path_of(journal).stat().st_size
    state_path_of(journal).write_bytes(b"nothing")
    with pytest.raises(ImageError):
        newest(journal)
    state_path_of(journal).unlink()
    with pytest.raises(EntryAbsent):
        newest(journal)
