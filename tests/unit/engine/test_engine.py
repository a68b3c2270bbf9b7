"""Goal: the engine keeps its laws, driven without a socket.

Method: the terminal of tests/oracle, which knows the dialect sheet alone, against an engine in this
process with a clock that is told what time it is; then the journal is read.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oracle.terminal import PAN, Terminal, Value, frame, pack, unpack
from paper.shop import MASTER_KEY, MID, Shop
from posengine.engine.engine import Engine, Reply
from posengine.errors import KeySeal, TerminalAbsent


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def engine(shop: Shop) -> Iterator[Engine]:
    with shop.engine() as opened:
        yield opened


def answer(engine: Engine, data: bytes, *, line: int = 1) -> bytes:
    """One frame in, its one reply out."""
    engine.submit(line, [data])
    (reply,) = engine.commit()
    assert reply.line == line
    assert not reply.is_closing
    return reply.frame


def signed_on(engine: Engine, shop: Shop, index: int = 0) -> Terminal:
    terminal = shop.terminal(index)
    opened = terminal.open(answer(engine, terminal.sign_on_frame()))
    assert opened[39] == b"00", shop.log
    terminal.take_keys(opened)
    return terminal


def sold(engine: Engine, terminal: Terminal, amount: int = 123_45) -> dict[int, Value]:
    opened = terminal.open(answer(engine, terminal.sale(amount)))
    assert opened[39] == b"00", opened
    return opened


def refused(engine: Engine, data: bytes, code: bytes) -> dict[int, Value]:
    """The reply of a refusal: there before any commit, and of no entry."""
    before = engine.stat()["journal"]["last_sequence"]
    engine.submit(1, [data])
    (reply,) = [each for each in engine.commit() if each.sequence == 0]
    assert not reply.is_closing
    opened = unpack(reply.frame[13:])
    assert opened[39] == code, opened
    after = engine.stat()["journal"]["last_sequence"]
    assert after - before <= 1  # at most an alarm
    return opened


def closed(engine: Engine, data: bytes) -> None:
    engine.submit(1, [data])
    (reply,) = engine.commit()
    assert reply == Reply(1, 0, b"", True)


# ---- sign-on, sale, what the answer carries ------------------------------------------------------
def test_a_sign_on_delivers_keys_whose_check_values_are_right(engine: Engine, shop: Shop) -> None:
    terminal = shop.terminal()
    opened = terminal.open(answer(engine, terminal.sign_on_frame()))
    assert set(opened) == {0, 11, 12, 13, 32, 37, 39, 41, 42, 60, 62}
    assert opened[12] == "200000" and opened[13] == "1121"
    terminal.take_keys(opened)
    assert len(set(terminal.mak)) > 1


@pytest.mark.parametrize(("code", "size"), [("001", 24), ("003", 40), ("004", 60)])
def test_each_network_code_has_its_key_block(
    engine: Engine, shop: Shop, code: str, size: int
) -> None:
    terminal = shop.terminal()
    opened = terminal.open(answer(engine, terminal.sign_on_frame(code)))
    assert opened[39] == b"00"
    block = opened[62]
    assert len(block) == size


def test_a_sale_is_answered_with_what_the_sheet_names(engine: Engine, shop: Shop) -> None:
    terminal = signed_on(engine, shop)
    opened = sold(engine, terminal)
    assert {3, 4, 11, 12, 13, 15, 25, 32, 37, 38, 39, 41, 42, 49, 60, 63, 64} <= set(opened)
    assert opened[2] == PAN
    assert opened[4] == "000000012345"
    assert opened[37] == b"000000000002"  # shard 00, sequence 2: the sign-on was 1
    assert str(opened[38].decode()).isdigit()  # type: ignore[union-attr]


def test_every_message_is_one_entry(engine: Engine, shop: Shop) -> None:
    terminal = signed_on(engine, shop)
    for amount in range(1, 6):
        sold(engine, terminal, amount)
    facts = engine.stat()
    assert facts["journal"]["last_sequence"] == 6
    assert facts["counters"]["approved"] == 6
    assert facts["counters"]["approved_minor"] == 15


# ---- law 1: no reply before its commit -----------------------------------------------------------
def test_nothing_is_ready_before_the_commit(engine: Engine, shop: Shop) -> None:
    terminal = signed_on(engine, shop)
    engine.submit(1, [terminal.sale(1)])
    assert engine._core.replies() == []
    assert engine.stat()["journal"]["durable_sequence"] == 1
    (reply,) = engine.commit()
    assert reply.sequence == 2
    assert engine.stat()["journal"]["durable_sequence"] == 2


IN_DOUBT = """
import resource, sys
sys.path.insert(0, "tests")
from pathlib import Path
from paper.shop import Shop
from posengine.errors import JournalInDoubt

shop = Shop(Path(sys.argv[1]))
with shop.engine() as engine:
    terminal = shop.terminal()
    engine.submit(1, [terminal.sign_on_frame()])
    (reply,) = engine.commit()
    terminal.take_keys(terminal.open(reply.frame))
    engine.submit(1, [terminal.sale(1)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    failed = []
    for call in (engine.commit, engine.commit, lambda: engine.submit(1, [terminal.sale(2)])):
        try:
            call()
        except JournalInDoubt:
            failed.append(call)
    assert len(failed) == 3, failed
    assert engine._core.replies() == []
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    try:
        engine.commit()  # the disk is well again: the engine is over all the same
    except JournalInDoubt:
        print("in doubt for good")
"""


def test_a_failed_commit_ends_the_engine_and_answers_nothing(shop: Shop) -> None:
    """Law 4, in a process of its own: a write past RLIMIT_FSIZE fails as a broken disk would."""
    done = subprocess.run(
        [sys.executable, "-c", IN_DOUBT, str(shop.home)],
        capture_output=True, text=True, cwd=Path(__file__).resolve().parents[3],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "in doubt for good\n"
    with shop.engine() as engine:
        assert engine.stat()["journal"]["last_sequence"] == 1


# ---- law 2: repeats ------------------------------------------------------------------------------
def test_a_repeat_gets_the_same_bytes_and_posts_nothing(engine: Engine, shop: Shop) -> None:
    terminal = signed_on(engine, shop)
    request = terminal.sale(5_00)
    first = answer(engine, request)
    shop.clock.now_ns += 90 * 10**9
    assert answer(engine, request) == first
    assert answer(engine, request) == first
    counters = engine.stat()["counters"]
    assert counters["repeats"] == 2
    assert counters["approved_minor"] == 5_00
    assert engine.stat()["journal"]["last_sequence"] == 4


def test_a_repeat_in_the_same_wave_gets_the_same_bytes(engine: Engine, shop: Shop) -> None:
    terminal = signed_on(engine, shop)
    request = terminal.sale(5_00)
    engine.submit(1, [request, request])
    first, second = engine.commit()
    assert first.frame == second.frame
    assert engine.stat()["counters"]["repeats"] == 1


def test_the_same_stan_with_another_amount_is_94_and_an_alarm(
    engine: Engine, shop: Shop
) -> None:
    terminal = signed_on(engine, shop)
    fields = terminal.sale_fields(5_00)
    answer(engine, terminal.seal("0200", fields))
    engine.submit(1, [terminal.seal("0200", {**fields, 4: "000000000600"})])
    (reply,) = engine.commit()
    assert terminal.open(reply.frame)[39] == b"94"
    assert any("event=alarm" in line for line in shop.log)
    assert engine.stat()["journal"]["last_sequence"] == 4  # sign-on, sale, 94, alarm


def test_after_a_restart_the_repeat_gets_the_same_bytes_and_keys_still_serve(shop: Shop) -> None:
    with shop.engine() as engine:
        terminal = signed_on(engine, shop)
        request = terminal.sale(5_00)
        first = answer(engine, request)
        digest = engine.state_digest()
    with shop.engine() as engine:
        assert engine.state_digest() == digest
        assert answer(engine, request) == first
        sold(engine, terminal)
        counters = engine.stat()["counters"]
        assert counters["recovered_entries"] == 2
        assert counters["keys_unmatched"] == 0


def test_what_was_not_committed_is_not_there_after_a_restart(shop: Shop) -> None:
    with shop.engine() as engine:
        terminal = signed_on(engine, shop)
        engine.submit(1, [terminal.sale(1)])
    with shop.engine() as engine:
        assert engine.stat()["journal"]["last_sequence"] == 1


# ---- keys ----------------------------------------------------------------------------------------
def test_the_old_key_serves_until_the_first_message_under_the_new_one(
    engine: Engine, shop: Shop
) -> None:
    terminal = signed_on(engine, shop)
    old = terminal.mak
    opened = terminal.open(answer(engine, terminal.sign_on_frame()))
    sold(engine, terminal)  # the answer to the second sign-on was lost: still under the old key
    assert engine.stat()["counters"]["old_key_used"] == 1
    terminal.take_keys(opened)
    assert terminal.mak != old
    sold(engine, terminal)
    terminal.mak = old
    refused(engine, terminal.sale(1), b"A0")


def test_a_sign_on_runs_again_with_other_keys(engine: Engine, shop: Shop) -> None:
    terminal = shop.terminal()
    request = terminal.sign_on_frame()
    blocks = {bytes(terminal.open(answer(engine, request))[62]) for _ in range(3)}  # type: ignore[arg-type]
    assert len(blocks) == 3


def test_another_master_key_does_not_open_the_roster(shop: Shop) -> None:
    with pytest.raises(KeySeal):
        shop.engine(master_key=bytes(32))


# ---- refusals ------------------------------------------------------------------------------------
def test_a_wrong_mac_is_a0_and_no_entry(engine: Engine, shop: Shop) -> None:
    terminal = signed_on(engine, shop)
    request = bytearray(terminal.sale(1))
    request[-1] ^= 1
    opened = refused(engine, bytes(request), b"A0")
    assert 64 not in opened
    assert engine.stat()["counters"]["refused_mac_wrong"] == 1


def test_too_many_wrong_macs_lock_the_terminal_for_a_while(engine: Engine, shop: Shop) -> None:
    terminal = signed_on(engine, shop)
    good = terminal.sale(1)
    bad = bytearray(good)
    bad[-1] ^= 1
    for _ in range(5):
        engine.submit(1, [bytes(bad)])
        engine.commit()
    refused(engine, good, b"58")
    refused(engine, terminal.sign_on_frame(), b"58")
    shop.clock.now_ns += 901 * 10**9
    assert terminal.open(answer(engine, good))[39] == b"00"
    assert engine.stat()["counters"]["guard_locks"] == 1


def test_a_terminal_before_its_sign_on_is_a0(engine: Engine, shop: Shop) -> None:
    terminal = shop.terminal()
    terminal.mak = bytes(range(8))
    refused(engine, terminal.sale(1), b"A0")


def test_unknown_terminals_and_foreign_merchants_are_refused(engine: Engine, shop: Shop) -> None:
    refused(engine, Terminal("99999999", MID, b"").sign_on_frame(), b"97")
    refused(engine, Terminal(shop.tids()[0], "9" * 15, b"").sign_on_frame(), b"03")


def test_a_missing_field_is_30(engine: Engine, shop: Shop) -> None:
    terminal = signed_on(engine, shop)
    fields = terminal.sale_fields(1)
    del fields[4]
    refused(engine, terminal.seal("0200", fields), b"30")


def test_what_cannot_be_answered_closes_the_line(engine: Engine, shop: Shop) -> None:
    terminal = shop.terminal()
    closed(engine, frame(b""))
    closed(engine, frame(bytes.fromhex("0800") + b"\xff" * 8))
    closed(engine, frame(pack("0800", {60: "00000001003"})))
    closed(engine, terminal.sign_on_frame() + b"x")
    assert len([line for line in shop.log if "response=closed" in line]) == 4


def test_kinds_without_a_mac_must_come_from_the_terminals_line(tmp_path: Path) -> None:
    shop = Shop(tmp_path, line_nii=0x0138)
    with shop.engine() as engine:
        refused(engine, shop.terminal().sign_on_frame(), b"58")
        at_home = shop.terminal(tpdu=bytes.fromhex("6000030138"))
        opened = at_home.open(answer(engine, at_home.sign_on_frame()))
        assert opened[39] == b"00"


def test_an_operators_lock_holds_over_a_restart(shop: Shop) -> None:
    with shop.engine() as engine:
        terminal = signed_on(engine, shop)
        engine.lock(terminal.tid)
        assert engine.commit() == []
        refused(engine, terminal.sale(1), b"58")
        with pytest.raises(TerminalAbsent):
            engine.lock("00000000")
    with shop.engine() as engine:
        refused(engine, terminal.sale(1), b"58")
        engine.lock(terminal.tid, is_locked=False)
        sold(engine, terminal)


# ---- alarms, floods ------------------------------------------------------------------------------
def test_a_flood_of_garbage_fills_no_disk(engine: Engine, shop: Shop) -> None:
    engine.submit(1, [Terminal("99999999", MID, b"").sign_on_frame()] * 500)
    assert len(engine.commit()) == 500
    facts = engine.stat()
    assert facts["counters"]["refused_terminal"] == 500
    assert facts["journal"]["last_sequence"] == 1
    assert len(shop.log) <= 20


# ---- reversal, void, settle ----------------------------------------------------------------------
def test_sell_reverse_void_and_settle_balance(engine: Engine, shop: Shop) -> None:
    terminal = signed_on(engine, shop)
    sold(engine, terminal, 100)
    sold(engine, terminal, 250)
    second = f"{terminal.stan:06d}"
    third = sold(engine, terminal, 400)
    stan = f"{terminal.stan:06d}"
    reversed_ = terminal.open(answer(engine, terminal.reversal(second)))
    assert reversed_[0] == "0410" and reversed_[39] == b"00"
    voided = terminal.open(answer(engine, terminal.void(third, stan)))
    assert voided[39] == b"00", (voided, shop.log)
    settled = terminal.open(answer(engine, terminal.settle(500, 2, 400, 1)))
    assert str(settled[48])[30] == "1", settled
    assert 39 not in settled


def test_a_settlement_that_differs_says_so(engine: Engine, shop: Shop) -> None:
    terminal = signed_on(engine, shop)
    sold(engine, terminal, 100)
    settled = terminal.open(answer(engine, terminal.settle(200, 1)))
    assert str(settled[48])[30] == "2"


# ---- the stage -----------------------------------------------------------------------------------
def test_more_than_a_page_is_taken_in_pages(shop: Shop) -> None:
    with shop.engine() as engine:
        terminal = signed_on(engine, shop)
        requests = [terminal.sale(1) for _ in range(1_000)]
        engine.submit(1, requests)
        replies = engine.commit()
        assert [reply.sequence for reply in replies] == list(range(2, 1_002))
        assert engine.stat()["journal"]["pages"] >= 4
        for reply in replies:
            assert terminal.open(reply.frame)[39] == b"00"


def test_a_reload_is_whole_or_not_at_all(engine: Engine, shop: Shop) -> None:
    terminal = signed_on(engine, shop)
    with pytest.raises(Exception, match="image"):
        engine.reload(roster=b"not an image")
    sold(engine, terminal)
    engine.reload(roster=Shop(shop.home, count=1).roster())
    sold(engine, terminal)
    refused(engine, shop.terminal(1).sign_on_frame(), b"97")
    assert engine.stat()["counters"]["reloads"] == 1


def test_a_terminal_that_a_reload_moves_to_another_merchant_begins_anew(
    engine: Engine, shop: Shop
) -> None:
    before = signed_on(engine, shop)
    sold(engine, before)
    moved = Shop(shop.home, mid="104110045110099")
    engine.reload(roster=moved.roster())
    terminal = signed_on(engine, moved)
    sold(engine, terminal)
    refused(engine, before.sale(1), b"03")
    engine.reload(roster=shop.roster())
    sold(engine, signed_on(engine, shop))


def test_the_master_key_has_32_bytes(shop: Shop) -> None:
    with pytest.raises(Exception, match="32 bytes"):
        shop.engine(master_key=MASTER_KEY[:31])
