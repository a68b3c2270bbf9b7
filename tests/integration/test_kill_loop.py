"""Goal: whatever kills the engine, nothing that a terminal was told is lost, doubled or altered,
and each planted defect is caught by the very checks that the product passes.

Method: terminals written from the dialect sheet sell under load while the engine is killed with
SIGKILL again and again; each terminal's own log of answers is the oracle. Afterwards the journal is
read: sequences without holes, every answer there with its reference and amount, every transaction
approved once. For lost flushes a kill is not enough, since the kernel keeps what it was given:
there the engine runs over a disk that records (journal_disk/shim.c), and its power is cut at the
kill: what was not synced is gone. Planted: an answer before its commit, no memory of repeats, no
syncs.
"""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from integration.journal_disk.power import Disk, records
from oracle.terminal import Line, Terminal
from paper.defects import ANSWER_BEFORE_COMMIT, DEDUPE_OFF, NO_SYNC, Defect, library_of
from paper.server import Server
from paper.shop import Shop
from posengine.journal import Journal

SHIM = Path(__file__).resolve().parent / "journal_disk" / "shim.c"


@dataclass
class Seller:
    """A terminal at work: sells, repeats what was not answered, and writes down every answer."""

    terminal: Terminal
    dice: random.Random
    port: int
    answers: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)
    """STAN -> reference number, amount, the reply itself."""
    complaints: list[str] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)
    open_request: bytes = b""

    def run(self) -> None:
        """Until told to end; over as many connections as it takes."""
        while not self.ending.is_set():
            try:
                with Line("127.0.0.1", self.port, timeout_s=5) as line:
                    self._work(line)
            except (OSError, EOFError):
                time.sleep(0.02)

    def _work(self, line: Line) -> None:
        if not self.terminal.mak:
            self.terminal.sign_on(line)
        while not self.ending.is_set():
            if not self.open_request:
                self.open_request = self.terminal.sale(self.dice.randrange(1, 10_000))
            self._ask(line, self.open_request)
            last = self.open_request
            self.open_request = b""
            if self.dice.random() < 0.1:
                self._ask(line, last)

    def _ask(self, line: Line, request: bytes) -> None:
        reply = line.exchange(request)
        fields = self.terminal.open(reply)
        stan = str(fields[11])
        if fields[39] != b"00":
            self.complaints.append(f"{self.terminal.tid} {stan}: answered {fields[39]!r}")
            return
        rrn = bytes(fields[37]).decode()  # type: ignore[arg-type]
        before = self.answers.setdefault(stan, (rrn, str(fields[4]), reply))
        if before[2] != reply:
            self.complaints.append(f"{self.terminal.tid} {stan}: a repeat got other bytes")


def judge(journal_path: Path, sellers: list[Seller]) -> list[str]:
    """What is wrong between the terminals' logs and the journal; nothing, if all is well."""
    complaints = [text for seller in sellers for text in seller.complaints]
    approved: dict[tuple[str, str], list[tuple[str, int]]] = {}
    last = 0
    # Opened to write, so that it recovers as the engine would.
    with Journal.open(journal_path) as journal:
        for entry in journal.entries():
            if entry.sequence != last + 1:
                complaints.append(f"a hole before sequence {entry.sequence}")
            last = entry.sequence
            if entry.kind_word.name == "SALE" and entry.outcome_word.name == "APPROVED":
                key = (str(entry.tid), f"{entry.stan:06d}")
                approved.setdefault(key, []).append((str(entry.rrn), entry.amount_minor))
        verdict = journal.verify()
        if not verdict.is_clean:
            complaints.append(f"not clean: {verdict}")
    for key, found in approved.items():
        if len(found) > 1:
            complaints.append(f"{key} was approved {len(found)} times")
    for seller in sellers:
        for stan, (rrn, amount, _) in seller.answers.items():
            if (rrn, int(amount)) not in approved.get((seller.terminal.tid, stan), []):
                complaints.append(f"{seller.terminal.tid} {stan}: answered, and not in the journal")
    return complaints


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Loop:
    """A shop under load whose engine is killed again and again."""

    home: Path
    environment: dict[str, str]
    sellers: list[Seller] = field(default_factory=list)

    def run(self, kills: int, *, seed: int, lives_s: tuple[float, float]) -> None:
        """Start, sell, kill, ``kills`` times over; the last kill stands."""
        dice = random.Random(seed)
        shop = Shop(self.home, count=6)
        port = free_port()
        shop.write(listen=f"127.0.0.1:{port}")
        self.sellers = [
            Seller(shop.terminal(index), random.Random(seed + index), port)
            for index in range(shop.count)
        ]
        threads = [threading.Thread(target=seller.run) for seller in self.sellers]
        with Server(shop, environment=self.environment) as server:
            for thread in threads:
                thread.start()
            try:
                for number in range(kills):
                    answers = sum(len(seller.answers) for seller in self.sellers)
                    deadline = time.monotonic() + 10
                    while sum(len(seller.answers) for seller in self.sellers) < answers + 20:
                        assert time.monotonic() < deadline, server.log()[-2000:]
                        time.sleep(0.005)
                    time.sleep(dice.uniform(*lives_s))
                    server.kill()
                    if number + 1 < kills:
                        server.start()
            finally:
                for seller in self.sellers:
                    seller.ending.set()
                for thread in threads:
                    thread.join()

    def judge(self) -> list[str]:
        return judge(self.home / "journal", self.sellers)


def powerless(loop: Loop, log: Path) -> list[str]:
    """The complaints where the power failed at the last kill: only what was synced is left."""
    disk = Disk(str(loop.home / "journal"), random.Random(0))
    for record in records(log.read_bytes()):
        disk.apply(*record)
    image = next(disk.images(0))  # the first image of a moment keeps nothing that was not synced
    left = loop.home / "left"
    image.write_to(left, mark=0)
    return judge(left, loop.sellers)


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disk that records, compiled."""
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    subprocess.run(
        ["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(SHIM), "-ldl"], check=True
    )
    return library


def recorded(home: Path, shim: Path) -> tuple[dict[str, str], Path]:
    log = home / "disk.log"
    return {
        "LD_PRELOAD": str(shim), "DISK_HOME": str(home / "journal"), "DISK_LOG": str(log),
    }, log  # fmt: skip


def planted(defect: Defect) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": str(library_of(defect))}


@pytest.mark.slow
def test_twenty_kills_under_load_lose_and_double_nothing(tmp_path: Path) -> None:
    loop = Loop(tmp_path, {})
    loop.run(20, seed=1, lives_s=(0.05, 0.5))
    assert loop.judge() == []
    assert sum(len(seller.answers) for seller in loop.sellers) > 1_000


def test_after_a_power_cut_at_the_kill_every_answer_is_there(tmp_path: Path, shim: Path) -> None:
    environment, log = recorded(tmp_path, shim)
    loop = Loop(tmp_path, environment)
    loop.run(1, seed=2, lives_s=(0.3, 0.5))
    assert powerless(loop, log) == []
    assert loop.judge() == []


@pytest.mark.parametrize("call", ["fdatasync:9", "fdatasync:20", "writev:8"])
def test_a_disk_that_fails_ends_the_engine_and_loses_nothing(
    tmp_path: Path, shim: Path, call: str
) -> None:
    """Law 4 over sockets: what the failed page held was answered to nobody."""
    shop = Shop(tmp_path, count=1)
    shop.write(listen=f"127.0.0.1:{free_port()}")
    environment = {
        "LD_PRELOAD": str(shim), "DISK_HOME": str(tmp_path / "journal"), "DISK_FAIL": call,
    }  # fmt: skip
    server = Server(shop, environment=environment)
    with server:
        seller = Seller(shop.terminal(), random.Random(7), server.port)
        with pytest.raises((OSError, EOFError)), server.line() as line:
            seller._work(line)
        assert server.process is not None
        assert server.process.wait(timeout=10) == 3
        assert "JOURNAL_IN_DOUBT" in server.log()
        assert judge(tmp_path / "journal", [seller]) == []
        server.environment = {}
        server.start()
        with server.line() as line:
            seller._ask(line, seller.open_request)  # whatever became of it: one answer, one posting
        assert server.drain() == 0
    assert judge(tmp_path / "journal", [seller]) == []


def test_planted_no_sync_is_caught(tmp_path: Path, shim: Path) -> None:
    environment, log = recorded(tmp_path, shim)
    loop = Loop(tmp_path, {**environment, **planted(NO_SYNC)})
    loop.run(1, seed=3, lives_s=(0.3, 0.5))
    assert any("not in the journal" in text for text in powerless(loop, log))
    assert loop.judge() == [], "a kill alone does not show it: the kernel had the pages"


def test_planted_answer_before_commit_is_caught(tmp_path: Path, shim: Path) -> None:
    environment, log = recorded(tmp_path, shim)
    for seed in range(4, 10):
        home = tmp_path / str(seed)
        home.mkdir()
        environment, log = recorded(home, shim)
        loop = Loop(home, {**environment, **planted(ANSWER_BEFORE_COMMIT)})
        loop.run(1, seed=seed, lives_s=(0.1, 0.3))
        if any("not in the journal" in text for text in powerless(loop, log)):
            return
        shutil.rmtree(home)
    pytest.fail("answers that left before their commit were not missed")


def test_planted_dedupe_off_is_caught(tmp_path: Path) -> None:
    loop = Loop(tmp_path, planted(DEDUPE_OFF))
    loop.run(1, seed=10, lives_s=(0.1, 0.2))
    complaints = loop.judge()
    assert any("other bytes" in text for text in complaints)
    assert any("approved 2 times" in text for text in complaints)
