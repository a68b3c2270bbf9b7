"""Goal: a dispatcher that is killed at any moment loses nothing: every event arrives, each id at
least once, in order per terminal; daily files come out byte for byte the same.

Method, webhooks: the real verb on a real journal; the receiver kills it (SIGKILL) at requests drawn
from a seed, before or after it has taken the event, and answers badly in between; then the verb is
started again, until it ends by itself. The same loop with the defect planted (the checkpoint moves
before the sink took the page) must lose events, or the loop proves nothing.

Method, files: the writer ends without a word (as by SIGKILL: what was not written is gone) at every
single step that touches the disk, one run a step, and goes on in the next run; and the verb itself
is killed at moments drawn from a seed.
"""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paper.journal import NS, PaperEntry, PaperJournal, entry, sale
from paper.real import write
from paper.receiver import Receiver
from posengine.desk import Desk, store
from posengine.dispatch import Choice, DailyFiles, Retry, Serializer, deliver, spool
from posengine.replay import Replay

SECRET = "whsec_" + base64.b64encode(b"a test secret of 32 bytes.......").decode()
COUNT = 240
EARLY = """
from posengine.dispatch import delivery
carry = delivery._Carrier.carry
def early(self, page):
    self._replay.checkpoint(page.last_sequence)  # the defect
    return carry(self, page)
delivery._Carrier.carry = early
"""


def pages(chance: random.Random) -> list[list[PaperEntry]]:
    made: list[list[PaperEntry]] = []
    stan = 0
    while stan < COUNT:
        size = min(chance.randrange(1, 9), COUNT - stan)
        made.append([
            sale(100 + stan + n, stan=stan + n, tid=f"T000000{chance.randrange(4)}")
            for n in range(size)
        ])
        stan += size
    return made


def start(prelude: str, *words: object) -> subprocess.Popen[bytes]:
    script = f"{prelude}\nfrom posengine.cli import main\nmain()"
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )


def config(home: Path, port: int) -> Path:
    (home / "secret").touch(mode=0o600)
    (home / "secret").write_text(SECRET)
    path = home / "dispatch.toml"
    path.write_text(f"""
journal = "journal"
desk = "desk"
[[subscription]]
name = "shop"
everything = true
fields = ["sequence", "tid", "amount_minor"]
[subscription.webhook]
url = "http://127.0.0.1:{port}/"
secrets = "secret"
[subscription.retry]
delay_s_min = 0.001
delay_s_max = 0.01
[[subscription]]
name = "books"
everything = true
fields = ["sequence", "tid", "kind", "currency", "amount_minor"]
[subscription.csv]
directory = "out"
publish_open = true
""")
    return path


def killed_and_restarted(home: Path, seed: int, prelude: str = "") -> tuple[Receiver, int]:
    """Run the verb until it ends by itself; gives what arrived and how often it was killed."""
    chance = random.Random(seed)
    write(home / "journal", pages(chance)).close()
    kills = 0
    child: subprocess.Popen[bytes]
    next_kill = chance.randrange(1, 30)

    def plan(index: int, event_id: str) -> int | str:
        nonlocal kills, next_kill
        if index >= next_kill and kills < 10:
            next_kill = index + chance.randrange(1, 40)
            kills += 1
            os.kill(child.pid, signal.SIGKILL)
            return chance.choice(["cut", "cut-after"])
        return chance.choice([500, 503, "cut"]) if chance.random() < 0.05 else 200

    with Receiver(SECRET, plan) as receiver:
        path = config(home, receiver.port)
        for _ in range(20):
            child = start(prelude, "dispatch", "--config", path, "--only", "shop")
            _, said = child.communicate(timeout=60)
            if child.returncode != -signal.SIGKILL:
                assert child.returncode == 0, said.decode()
                break
    return receiver, kills


def missing(receiver: Receiver) -> set[int]:
    return set(range(1, COUNT + 1)) - {int(each.rpartition("-")[2]) for each in receiver.ids}


@pytest.mark.parametrize("seed", [20261121, 4])
def test_every_event_arrives_whenever_the_dispatcher_is_killed(tmp_path: Path, seed: int) -> None:
    receiver, kills = killed_and_restarted(tmp_path, seed)
    assert kills >= 5
    assert missing(receiver) == set()
    assert receiver.forged == 0
    bodies: dict[str, set[bytes]] = {}
    order: dict[str, list[int]] = {}
    for event_id, body in receiver.events:
        data = json.loads(body)["data"]
        if event_id not in bodies:
            order.setdefault(data["tid"], []).append(data["sequence"])
        bodies.setdefault(event_id, set()).add(body)
    assert all(len(each) == 1 for each in bodies.values())  # a repeat is the same, byte for byte
    assert len(order) == 4
    for sequences in order.values():
        assert sequences == sorted(sequences)
    with Desk.open(tmp_path / "desk", clock_ns=lambda: 1) as desk:
        kept = desk.checkpoint("shop")
        assert kept is not None and kept.sequence == COUNT
        assert desk.dead_letters() == []


def test_the_loop_sees_a_checkpoint_that_moves_too_early(tmp_path: Path) -> None:
    receiver, kills = killed_and_restarted(tmp_path, 20261121, EARLY)
    assert kills >= 5
    assert missing(receiver) != set()


@pytest.mark.parametrize("seed", [7])
def test_files_are_the_same_whenever_the_verb_is_killed(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    made = pages(chance)
    for home in ("whole", "killed"):
        (tmp_path / home).mkdir()
        write(tmp_path / home / "journal", made).close()
    # The same journal id in both, so that the files can be compared byte by byte.
    (tmp_path / "killed" / "journal").rename(tmp_path / "killed" / "other")
    (tmp_path / "killed" / "journal").symlink_to(tmp_path / "whole" / "journal")
    words = ("dispatch", "--only", "books", "--config")
    whole = start("", *words, config(tmp_path / "whole", 9))
    whole.communicate(timeout=60)
    path = config(tmp_path / "killed", 9)
    kills = 0
    for _ in range(8):
        child = start("", *words, path)
        try:
            # Much of a run is Python starting; the files are written in its last part.
            child.wait(chance.uniform(0.05, 0.6))
        except subprocess.TimeoutExpired:
            child.kill()
            kills += 1
        child.communicate()
    last = start("", *words, path)
    last.communicate(timeout=60)
    assert last.returncode == 0 and kills > 0
    (wanted,) = (tmp_path / "whole" / "out").glob("*.csv")
    (found,) = (tmp_path / "killed" / "out").glob("*.csv")
    assert found.read_bytes() == wanted.read_bytes()
    assert wanted.read_bytes().count(b"\nD,") == COUNT


class _Steps:
    """Ends the process at the n-th step that touches the disk; counts them otherwise."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.count = 0

    def around(self, real: Callable[..., object]) -> Callable[..., object]:
        def step(*args: object, **named: object) -> object:
            self.count += 1
            if self.count == self.last:
                os._exit(9)
            done = real(*args, **named)
            self.count += 1
            if self.count == self.last:
                os._exit(9)
            return done

        return step


def carry(home: Path, journal: PaperJournal, last: int) -> int:
    """One run in a child, which ends at step ``last``; gives the steps it took, 0 if it ended."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        steps = _Steps(last)
        for name in ("fdatasync", "fsync", "replace"):  # this child's alone
            setattr(os, name, steps.around(getattr(os, name)))
        spool.Spool.add = steps.around(spool.Spool.add)  # type: ignore[assignment,method-assign]
        store.Desk.move_checkpoint = steps.around(store.Desk.move_checkpoint)  # type: ignore
        with Desk.open(home / "desk", clock_ns=lambda: 1) as desk:
            files = DailyFiles(
                "books", journal=journal,
                serializer=Serializer(["sequence", "tid", "kind", "currency", "amount_minor"]),
                choice=Choice(frozenset(), frozenset(), frozenset(), frozenset()),
                directory=home / "out", spool=home / "spool",
            )
            files.pages_unflushed_max = 2
            replay = Replay(journal, desk, "books")
            after = files.resume(replay.acknowledged)
            if after < replay.acknowledged:
                replay = Replay(journal, desk, "books", after=after)
            deliver(replay, files, retry=Retry(lambda: 0.0), sleep=lambda s: None)
            files.publish(is_open=False)
        os.write(writer, str(steps.count).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        text = told.read()
    os.waitpid(child, 0)
    return int(text or b"0")


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # fork, from 3.12 on
def test_files_are_the_same_wherever_on_the_disk_the_writer_ends(tmp_path: Path) -> None:
    journal = PaperJournal()
    for date in (20261120, 20261121, 20261122):
        journal.commit(sale(5), sale(6), date=date)
        journal.commit(entry("REFUND", 7), date=date)
        journal.commit(sale(8, received_at_ns=NS), date=date)
    (tmp_path / "whole").mkdir()
    steps = carry(tmp_path / "whole", journal, 0)
    assert steps > 60
    wanted = {file.name: file.read_bytes() for file in (tmp_path / "whole" / "out").glob("*.csv")}
    assert len(wanted) == 3
    for last in range(1, steps + 1):
        home = tmp_path / str(last)
        home.mkdir()
        assert carry(home, journal, last) == 0
        assert carry(home, journal, 0) > 0
        found = {file.name: file.read_bytes() for file in (home / "out").glob("*.csv")}
        assert found == wanted, last
        assert [each.name for each in (home / "out").glob(".*.unfinished")] == []
