"""Goal: a load against the real engine is right in every answer, and is counted as the engine does.

Method: ``posengine serve`` as a process, posload beside it. Two programs that share no code must
agree on every message (codec, MACs, key blocks, totals); the journal's independent reader is the
third.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import posload
from paper.loads import counters, terminals
from paper.server import Server
from paper.shop import MASTER_KEY, MID, TMK, Shop
from posengine import mac
from posengine.keys import KeyFile, seal_tmk, sealing_key

MIX = {"sale": 70, "void": 8, "refund": 8, "balance": 7, "reversal": 7}
FAULTS = {"wrong_mac": 0.02, "repeat": 0.04, "cut": 0.01, "late_reversal": 0.04}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(tmp_path_factory.mktemp("shop"), count=64)
    shop.write(bad_macs_max=1_000_000)
    return shop


@pytest.fixture(scope="module")
def server(shop: Shop) -> Iterator[Server]:
    with Server(shop) as server:
        yield server


@contextmanager
def paused(server: Server, seconds: float, *, after: int) -> Iterator[None]:
    """Once so many more messages are approved, the engine stands still for so long."""
    assert server.process is not None
    process, begin = server.process, counters(server).get("approved", 0)

    def stall() -> None:
        while counters(server).get("approved", 0) < begin + after:
            time.sleep(0.005)
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)

    thread = threading.Thread(target=stall)
    thread.start()
    yield
    thread.join()


def plan(server: Server, shop: Shop, **words: object) -> posload.Plan:
    settings: dict[str, object] = {
        "port": server.port, "quiet": True, "terminals": terminals(shop), "connections": 4,
        "depth": 8, "duration_s": 30.0, "interval_s": 0.1, **words,
    }  # fmt: skip
    return posload.Plan(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("algorithm", ["unionpay-ecb", "x9.9", "x9.19", "sm4-unionpay"])
def test_both_implementations_make_the_same_macs(algorithm: str) -> None:
    dice = random.Random(20261121)
    drawn = (dice.randrange(2_000) for _ in range(40))
    for size in [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, *drawn]:
        for key_size in (8, 16) if algorithm in ("unionpay-ecb", "x9.9") else (16,):
            key, covered = dice.randbytes(key_size), dice.randbytes(size)
            ours = mac.compute(algorithm, key, covered)
            assert posload.mac(algorithm, key, covered) == ours, (size, key.hex())


def test_every_answer_is_verified_and_counted_as_the_engine_counts(
    server: Server, shop: Shop
) -> None:
    before = counters(server)
    report = posload.run(plan(server, shop, count=6_000, mix=MIX))
    after = counters(server)
    assert report.is_clean, str(report)
    counts, kinds = report.counts, report.facts["kinds"]
    assert counts["due"] == counts["answered"] == 6_000
    assert report.facts["verified"]["macs"] == 6_000
    assert all(kinds[kind]["sent"] > 0 for kind in MIX)
    assert counts["settled"] == counts["balanced"] == 64
    messages = sum(kind["answered"] for kind in kinds.values())
    assert after["approved"] - before.get("approved", 0) == messages == 6_000 + 2 * 64
    entries = after["journal_durable_sequence"] - before["journal_durable_sequence"]
    assert entries == messages


def test_each_fault_gets_the_answer_that_it_must(server: Server, shop: Shop) -> None:
    before = counters(server)
    report = posload.run(
        plan(server, shop, count=4_000, mix=MIX, faults=FAULTS, form="chip", slow_readers=1,
             slow_s=0.2)
    )  # fmt: skip
    after = counters(server)
    assert report.is_clean, str(report)
    for name, fault in report.facts["faults"].items():
        assert fault["planted"] == fault["as_expected"] > 0, name
    wrong = report.facts["faults"]["wrong_mac"]["planted"]
    assert report.facts["codes"]["A0"] == wrong
    assert after["refused_mac_wrong"] - before.get("refused_mac_wrong", 0) == wrong
    assert report.counts["balanced"] == 64


def test_a_full_batch_is_settled_and_the_next_one_opened(server: Server, shop: Shop) -> None:
    report = posload.run(plan(server, shop, count=2_000, batch_max=10, mix=MIX))
    assert report.is_clean, str(report)
    assert report.counts["balanced"] == report.counts["settled"] > 2 * 64


@pytest.mark.parametrize("arrival", ["constant", "poisson", "recorded"])
def test_an_open_loop_sends_what_is_due_and_nothing_else(
    arrival: str, server: Server, shop: Shop, tmp_path: Path
) -> None:
    due = tmp_path / "due"
    due.write_text("".join(f"{index * 700_000}\n" for index in range(1_000)))
    report = posload.run(
        plan(server, shop, arrival=arrival, rate=2_000.0, duration_s=0.5, due_file=str(due))
    )
    assert report.is_clean, str(report)
    wanted = {"constant": (1_000, 1_000), "poisson": (850, 1_150), "recorded": (715, 715)}[arrival]
    assert wanted[0] <= report.counts["due"] <= wanted[1]
    assert report.facts["lateness_ns"]["count"] == report.counts["due"]


def test_what_is_due_at_once_goes_out_in_one_send(
    server: Server, shop: Shop, tmp_path: Path
) -> None:
    due = tmp_path / "due"
    due.write_text("".join(f"{group * 4_000_000}\n" * 8 for group in range(100)))
    report = posload.run(
        plan(server, shop, arrival="recorded", duration_s=1.0, due_file=str(due), connections=8)
    )
    assert report.is_clean, str(report)
    assert report.counts["answered"] == 800
    assert report.counts["sends"] < 800 / 2 + 2 * 64  # a session's messages may go alone


def test_a_stalled_server_shows_from_due_and_hardly_from_send(server: Server, shop: Shop) -> None:
    """A pause of 200 ms in a second: a fifth of what was due waits, four messages were sent."""
    with paused(server, 0.2, after=64 + 100):
        report = posload.run(
            plan(server, shop, arrival="constant", rate=500.0, duration_s=1.2, depth=1)
        )
    assert report.is_clean, str(report)
    from_due, from_send = report.latency_ns, report.facts["latency_from_send_ns"]
    assert from_due["count"] == from_send["count"] == 600
    assert from_due["p90"] > 80e6, from_due  # 100 of 600 were due in the pause
    assert from_due["max"] > 150e6
    assert from_send["p95"] < from_due["p90"] / 2, from_send  # what most load generators print
    held, late = report.facts["held_ns"], report.facts["lateness_ns"]
    assert held["count"] > 80 and held["max"] > 150e6, held  # the server's doing, not posload's
    assert late["count"] == 600 and late["p90"] < from_due["p90"] / 2, late


def test_a_host_that_never_answers_is_seen_in_every_percentile(
    server: Server, shop: Shop
) -> None:
    """What was due and not answered counts with the time that it has waited."""
    with paused(server, 1.5, after=8 + 50):
        report = posload.run(
            plan(server, shop, arrival="constant", rate=400.0, duration_s=0.8, drain_s=0.4,
                 terminals=terminals(shop, count=8), settles=False)
        )  # fmt: skip
    counts = report.counts
    assert not report.is_clean
    assert counts["due"] == counts["answered"] + counts["unsent"] + counts["lost"] == 320
    assert counts["unsent"] + counts["lost"] > 100
    assert report.latency_ns["count"] == 320
    assert report.latency_ns["p99"] > 600e6
    # The terminals that were cut short leave batches open: the next run on them clears those first.
    again = posload.run(
        plan(server, shop, count=100, terminals=terminals(shop, count=8), clears=True)
    )
    assert again.is_clean, str(again)


def test_after_all_this_the_auditor_agrees(server: Server, shop: Shop) -> None:
    """Faults, stalls and lost answers: every batch that was closed is what its entries make."""
    finding = posload.audit(shop.home / "journal", counters=counters(server))
    assert finding.agrees, finding.disagreement
    assert finding.facts["settlements"] > 64


@pytest.mark.parametrize(
    "algorithm, sign_on", [("x9.19", "003"), ("x9.9", "001"), ("sm4-unionpay", "005")]
)
def test_other_macs_and_sign_ons(algorithm: str, sign_on: str, tmp_path: Path) -> None:
    shop = Shop(tmp_path, count=8)
    shop.write()
    roster = tmp_path / "roster.toml"
    roster.write_text(roster.read_text().replace("\nmid = ", f'\nmac = "{algorithm}"\nmid = ')
                      .replace(f'[[merchant]]\nmac = "{algorithm}"', "[[merchant]]"))  # fmt: skip
    if algorithm == "sm4-unionpay":
        keys = KeyFile.load(tmp_path / "terminals.keys")
        for tid in shop.tids():
            key = mac.Key("TMK", TMK, cipher="sm4")
            keys.add(seal_tmk(tid, MID, key, sealing_key(MASTER_KEY)))
        keys.save()
    with Server(shop) as server:
        report = posload.run(
            plan(server, shop, count=500, mac=algorithm, mac_as_hex=True, sign_on=sign_on, mix=MIX)
        )
    assert report.is_clean, str(report)


def test_the_shell_says_the_same(server: Server, shop: Shop, tmp_path: Path) -> None:
    roster = tmp_path / "terminals.csv"
    rows = (f"{tid},{MID},{TMK.hex()}\n" for tid in shop.tids())
    roster.write_text("tid,mid,tmk\n" + "".join(rows))
    plan_file, kept = tmp_path / "plan.toml", tmp_path / "report.json"
    plan_file.write_text(
        f'port = {server.port}\nroster = "terminals.csv"\nconnections = 4\ncount = 300\n'
    )
    command = [sys.executable, "-m", "posload.cli", "run", plan_file, "--quiet", "--json", kept]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(kept.read_text())["counts"]["answered"] == 300
    missing = subprocess.run(
        [sys.executable, "-m", "posload.cli", "quick", "--port", "1", "--roster", roster],
        capture_output=True, text=True, check=False, env={**os.environ},
    )  # fmt: skip
    assert missing.returncode == 3 and "127.0.0.1:1" in missing.stderr
