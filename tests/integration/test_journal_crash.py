"""Goal: whatever ends a writer, at whatever moment, no acknowledged entry is lost, none is there
that was not written, and after a failed commit nothing succeeds any more.

Method: a writer in C on a disk that remembers, dies and fails on command (journal_disk/shim.c):
killed before every single call, killed at random, its power cut with any unsynced sectors kept
(journal_disk/power.py), its n-th call failing. A checker reads what is left as a reader does,
recovers it, reads everything, writes on, and reads again; its own power is cut too. Three defects
are planted, outside of the library: a writer that acknowledges before the commit, a recovery that
does not look for a flushed page behind the tree, and a disk that lies; the same tests must catch
them.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from integration.journal_disk.power import cuts, left_at_the_end
from posengine._native import status

SOURCES = Path(__file__).resolve().parent / "journal_disk"
MODES = ("late", "full")
WRITTEN = ("8", "6", "700")  # pages, entries, bytes of heap: dates and volumes turn on the way
LARGE = ("6", "38", "4000")  # 160 KiB a page: committed by a thread while the next is assembled
FLIGHT = {"WRITER_VOLUME": str(2 << 20)}
AHEAD = {"WRITER_VOLUME": str(16 << 20)}  # and its next volume is made by another


@dataclass(frozen=True)
class Bench:
    """The compiled programs, and a directory for journals on a real file system."""

    writer: Path
    shim: Path
    home: Path

    def write(
        self, journal: Path, mode: str, *, written: tuple[str, ...] = WRITTEN, **disk: str
    ) -> subprocess.CompletedProcess[str]:
        environment = {"LD_PRELOAD": str(self.shim), "DISK_HOME": str(journal), **disk}
        return subprocess.run(
            [str(self.writer), "write", str(journal), mode, *written],
            env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def check(self, journal: Path, **disk: str) -> tuple[int | None, str]:
        """The last sequence of a journal that is whole, or None, and why."""
        if any(name.startswith("DISK") for name in disk):
            disk |= {"LD_PRELOAD": str(self.shim), "DISK_HOME": str(journal)}
        done = subprocess.run(
            [str(self.writer), "check", str(journal)],
            env=disk, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        if done.returncode != 0:
            return None, done.stderr.strip() or f"ended with {done.returncode}"
        return int(done.stdout.split()[-1]), ""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    home = tmp_path_factory.mktemp("disk")
    native = Path(status.__file__).parent
    compiler = os.environ.get("CC", "cc")
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(
        [compiler, *flags, "-shared", "-fPIC", str(SOURCES / "shim.c"), "-o",
         str(home / "shim.so"), "-ldl"],
        check=True,
    )  # fmt: skip
    subprocess.run(
        [compiler, *flags, str(SOURCES / "writer.c"), "-o", str(home / "writer"),
         f"-I{native / 'include'}", f"-L{native / 'lib'}", "-lposengine",
         f"-Wl,-rpath,{native / 'lib'}"],
        check=True,
    )  # fmt: skip
    return Bench(home / "writer", home / "shim.so", home)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A place for the many images of power cuts: memory where the machine lets us."""
    shared = Path("/dev/shm")
    where = shared if os.access(shared, os.W_OK) else Path("/tmp")
    home = where / f"posengine-cuts-{os.getpid()}"
    home.mkdir()
    yield home
    shutil.rmtree(home)


def told(output: str, word: str) -> int:
    """The last number that the writer said after ``word``."""
    numbers = [line.split()[1] for line in output.splitlines() if line.startswith(f"{word} ")]
    return int(numbers[-1]) if numbers else 0


@pytest.mark.parametrize("mode", MODES)
def test_a_kill_before_any_call_loses_nothing_acknowledged(
    bench: Bench, memory: Path, mode: str
) -> None:
    journal = memory / "killed"
    endings: Counter[int] = Counter()
    for call in range(1, 500):
        done = bench.write(journal, mode, DISK_KILL=str(call))
        found, why = bench.check(journal)
        acknowledged, attempted = told(done.stdout, "A"), told(done.stdout, "T")
        assert found is not None, (call, why)
        assert acknowledged <= found <= attempted, (call, acknowledged, found, attempted)
        endings[done.returncode] += 1
        shutil.rmtree(journal)
        if done.returncode == 0:
            break
    assert endings[0] == 1 and endings[-9] > 30, endings


def test_kills_at_random_lose_nothing_acknowledged(bench: Bench) -> None:
    journal = bench.home / "random"
    dice = random.Random(20261121)
    acknowledged = attempted = 0
    for kill in range(400):
        if kill >= 40 and acknowledged > 100:
            break  # enough to judge, however slow the machine is
        mode = dice.choice(MODES)
        with subprocess.Popen(
            [str(bench.writer), "write", str(journal), mode, "0", dice.choice(("1", "7")), "300"],
            stdout=subprocess.PIPE, text=True,
        ) as writer:  # fmt: skip
            try:
                writer.wait(dice.uniform(0.004, 0.05))
            except subprocess.TimeoutExpired:
                writer.kill()
            assert writer.stdout is not None
            output = writer.stdout.read()
        if output.startswith("S "):
            started = int(output.split()[1])
            assert acknowledged <= started <= attempted or attempted == 0, output[:20]
        acknowledged = max(acknowledged, told(output, "A"), told(output, "S"))
        attempted = max(attempted, acknowledged, told(output, "T"))
    assert acknowledged > 100
    found, why = bench.check(journal)
    assert found is not None and acknowledged <= found <= attempted, (acknowledged, found, why)


def cut_power(
    bench: Bench, memory: Path, mode: str, *, samples: int, every: int = 1,
    written: tuple[str, ...] = ("16", "6", "700"), is_blind: bool = False, **disk: str,
) -> tuple[Counter[str], list[str]]:  # fmt: skip
    """Write once, then check images of power cuts: what became of them, and the bad ones."""
    journal = memory / "journal"
    log = memory / "log"
    bench.write(journal, mode, written=written, DISK_LOG=str(log), **disk)
    if "DISK_KILL" in disk:
        # Another writer goes on; whatever it says that it found, it must be able to keep.
        bench.write(journal, mode, written=("2", "6", "700"), DISK_LOG=str(log))
    counted: Counter[str] = Counter()
    bad = []
    for number, image in enumerate(cuts(log, journal, seed=7, samples=samples)):
        if number % every:
            continue
        place = memory / "image"
        # The mapped mark goes to the disk when the kernel likes: never, or at once.
        image.write_to(place, mark=image.acknowledged if number % 2 else 0)
        checked = {name: disk[name] for name in FLIGHT if name in disk}
        found, why = bench.check(place, **checked, **({"DISK_BLIND": "1"} if is_blind else {}))
        shutil.rmtree(place)
        if found is not None and image.acknowledged <= found <= image.attempted:
            counted["ok"] += 1
            continue
        counted["bad"] += 1
        bad.append(f"{image.where}: {image.acknowledged} acknowledged, found {found} {why}")
    log.unlink()
    shutil.rmtree(journal)
    return counted, bad


@pytest.mark.parametrize("mode", MODES)
def test_no_power_cut_loses_an_acknowledged_entry(bench: Bench, memory: Path, mode: str) -> None:
    counted, bad = cut_power(bench, memory, mode, samples=6)
    assert bad == []
    assert counted["ok"] > 150, counted


@pytest.mark.parametrize("mode", MODES)
def test_no_power_cut_loses_an_acknowledged_entry_of_a_page_in_a_thread(
    bench: Bench, memory: Path, mode: str
) -> None:
    counted, bad = cut_power(bench, memory, mode, samples=2, every=3, written=LARGE, **FLIGHT)
    assert bad == []
    assert counted["ok"] > 25, counted


@pytest.mark.parametrize("mode", MODES)
def test_what_a_restarted_writer_found_survives_a_power_cut(
    bench: Bench, memory: Path, mode: str
) -> None:
    for call in ("24", "31", "38"):
        counted, bad = cut_power(bench, memory, mode, samples=2, every=3, DISK_KILL=call)
        assert bad == [] and counted["ok"] > 10, (call, counted)


@pytest.mark.parametrize("mode", MODES)
def test_a_recovery_loses_nothing_when_its_own_power_is_cut(
    bench: Bench, memory: Path, mode: str
) -> None:
    """Most of all one that puts the tail again: by then the page has been acknowledged."""
    journal, log, again = memory / "journal", memory / "log", memory / "again"
    bench.write(journal, mode, written=("12", "6", "700"), DISK_LOG=str(log))
    place, second = memory / "image", memory / "second"
    tails = counted = 0
    for number, image in enumerate(cuts(log, journal, seed=11, samples=2)):
        if number % 4 or tails == 12:
            continue
        image.write_to(place, mark=image.acknowledged)
        found, _ = bench.check(place, DISK_BLIND="1")
        shutil.rmtree(place)
        if mode == "late" and found is not None and found >= image.acknowledged:
            continue  # no tail, or one that nobody was told of
        tails += 1
        image.write_to(place, mark=image.acknowledged)
        found, why = bench.check(place, DISK_LOG=str(again))
        assert found is not None and image.acknowledged <= found <= image.attempted, why
        shutil.rmtree(place)
        for half in cuts(again, place, seed=number, samples=2, after=image):
            half.write_to(second, mark=image.acknowledged)
            found, why = bench.check(second)
            assert found is not None, (image.where, half.where, why)
            assert image.acknowledged <= found <= image.attempted + 1, (image.where, half.where)
            counted += 1
            shutil.rmtree(second)
        again.unlink()
    assert tails > 5 and counted > 50, (tails, counted)


def test_a_clean_end_leaves_nothing_to_recover(bench: Bench, memory: Path) -> None:
    journal, log, place = memory / "journal", memory / "log", memory / "image"
    bench.write(journal, "late", DISK_LOG=str(log))
    last = left_at_the_end(log, journal)
    last.write_to(place, mark=last.acknowledged)
    found, why = bench.check(place, DISK_BLIND="1")
    assert found == last.acknowledged == last.attempted, why


def test_a_writer_that_acknowledges_before_the_commit_is_caught(
    bench: Bench, memory: Path
) -> None:
    counted, _ = cut_power(bench, memory, "eager", samples=1, every=2)
    assert counted["bad"] > 10, counted
    counted, _ = cut_power(bench, memory, "eager", samples=2, written=LARGE, **FLIGHT)
    assert counted["bad"] > 10, counted


def test_a_recovery_that_does_not_look_for_the_tail_is_caught(bench: Bench, memory: Path) -> None:
    counted, _ = cut_power(bench, memory, "late", samples=1, every=2, is_blind=True)
    assert counted["bad"] > 10, counted
    counted, _ = cut_power(
        bench, memory, "late", samples=2, written=LARGE, is_blind=True, **FLIGHT
    )
    assert counted["bad"] > 3, counted  # an answer and a cut between two flushes: 10 of 185


@pytest.mark.parametrize("mode", MODES)
def test_a_disk_that_lies_is_caught(bench: Bench, memory: Path, mode: str) -> None:
    counted, _ = cut_power(bench, memory, mode, samples=1, every=4, DISK_LIES="1")
    assert counted["bad"] > 10, counted


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("call", ["fdatasync", "pwrite", "writev"])
def test_after_a_failed_call_nothing_succeeds_and_nothing_is_lost(
    bench: Bench, memory: Path, mode: str, call: str
) -> None:
    journal = memory / "failed"
    stopped = 0
    for number in range(1, 40):
        done = bench.write(journal, mode, DISK_FAIL=f"{call}:{number}")
        acknowledged, attempted = told(done.stdout, "A"), told(done.stdout, "T")
        if done.returncode == 7:
            *_, words = [line for line in done.stdout.splitlines() if line.startswith("X ")]
            assert words == "X " + "JOURNAL_IN_DOUBT " * 5 + "1"
            assert not done.stdout.rstrip().splitlines()[-1].startswith("A")
            stopped += 1
        else:
            # Making a journal failed, or the next volume had to be made again: nothing in doubt.
            assert done.returncode in (0, 4, 5), done.stderr
        found, why = bench.check(journal)
        assert found is not None, (number, why)
        assert acknowledged <= found <= attempted, (number, acknowledged, found, attempted)
        shutil.rmtree(journal)
    assert stopped > (8 if call == "fdatasync" else 0) or call == "writev", stopped


@pytest.mark.parametrize("mode", MODES)
def test_after_a_failed_flush_in_a_thread_nothing_succeeds_and_nothing_is_lost(
    bench: Bench, memory: Path, mode: str
) -> None:
    journal = memory / "failed"
    stopped = 0
    for number in range(1, 24):
        done = bench.write(
            journal, mode, written=LARGE, DISK_FAIL=f"fdatasync:{number}", **FLIGHT
        )
        acknowledged, attempted = told(done.stdout, "A"), told(done.stdout, "T")
        if done.returncode == 7:
            *_, words = [line for line in done.stdout.splitlines() if line.startswith("X ")]
            assert words == "X " + "JOURNAL_IN_DOUBT " * 5 + "1"
            stopped += 1
        found, why = bench.check(journal, **FLIGHT)
        assert found is not None, (number, why)
        assert acknowledged <= found <= attempted, (number, acknowledged, found, attempted)
        shutil.rmtree(journal)
    assert stopped > 8, stopped


def test_kills_at_random_with_threads_lose_nothing_acknowledged(bench: Bench) -> None:
    """Large pages flat out: one is being committed, one assembled, and a volume made meanwhile."""
    journal = bench.home / "threads"
    dice = random.Random(20261122)
    acknowledged = attempted = 0
    for kill in range(200):
        if kill >= 25 and acknowledged > 30_000:
            break  # three volumes at least, however slow the machine is
        mode = dice.choice(MODES)
        with subprocess.Popen(
            [str(bench.writer), "write", str(journal), mode, "0", dice.choice(("38", "150")),
             "1500"],
            stdout=subprocess.PIPE, text=True, env=AHEAD,
        ) as writer:  # fmt: skip
            try:
                writer.wait(dice.uniform(0.02, 0.3))
            except subprocess.TimeoutExpired:
                writer.kill()
            assert writer.stdout is not None
            output = writer.stdout.read()
        if output.startswith("S "):
            started = int(output.split()[1])
            assert acknowledged <= started <= attempted or attempted == 0, output[:20]
        acknowledged = max(acknowledged, told(output, "A"), told(output, "S"))
        attempted = max(attempted, acknowledged, told(output, "T"))
    assert acknowledged > 30_000
    assert len(list(journal.glob("volume-*.mdb"))) > 2
    found, why = bench.check(journal, **AHEAD)
    assert found is not None and acknowledged <= found <= attempted, (acknowledged, found, why)
    shutil.rmtree(journal)


def test_power_cut_after_a_failed_sync_loses_nothing_acknowledged(
    bench: Bench, memory: Path
) -> None:
    """The kernel drops the pages of a failed flush: the shim keeps them pending for ever."""
    for number in ("9", "14"):
        counted, bad = cut_power(
            bench, memory, "late", samples=4, every=2, DISK_FAIL=f"fdatasync:{number}"
        )
        assert bad == [] and counted["ok"] > 20, (number, counted)


def test_a_cache_that_shows_what_the_disk_lost_is_not_believed(bench: Bench) -> None:
    journal = bench.home / "stale"
    done = bench.write(journal, "late", DISK_FAIL="fdatasync:12")
    assert done.returncode == 7
    try:
        os.close(os.open(journal / "volume-000001.mdb", os.O_RDONLY | os.O_DIRECT))
    except OSError:
        pytest.skip("this file system cannot read past its cache")
    for _ in range(2):  # and it stays in doubt
        found, why = bench.check(journal, DISK_STALE="1")
        assert found is None and "JOURNAL_IN_DOUBT" in why and "restart the machine" in why
    found, why = bench.check(journal)
    assert found is not None and told(done.stdout, "A") <= found, why
    # Only after a failed flush is the whole volume read again.
    assert bench.check(journal, DISK_STALE="1")[0] == found + 1


def test_no_changed_bit_passes_for_what_was_written(bench: Bench, memory: Path) -> None:
    """LMDB 0.9 has no checksums: sums, chain, mark and sequences of our own must find it all. A
    damaged tree may end the reader with a signal, but never gives another answer."""
    journal = memory / "flipped"
    done = bench.write(journal, "late", written=("12", "3", "900"))
    last = told(done.stdout, "A")
    volume = journal / "volume-000001.mdb"
    whole = bytearray(volume.read_bytes())
    used = len(whole.rstrip(b"\0"))
    dice = random.Random(7)
    refused = 0
    for _ in range(150):
        at, bit = dice.randrange(used), 1 << dice.randrange(8)
        whole[at] ^= bit
        copy = memory / "copy"
        shutil.copytree(journal, copy)
        (copy / volume.name).write_bytes(whole)
        whole[at] ^= bit
        found, _ = bench.check(copy)
        assert found in (None, last), (at, bit, found)
        refused += found is None
        shutil.rmtree(copy)
    assert refused > 75, refused


@pytest.mark.parametrize("mode", MODES)
def test_a_full_disk_keeps_what_was_admitted(bench: Bench, memory: Path, mode: str) -> None:
    journal = memory / "full"
    endings: Counter[int] = Counter()
    for writes in range(1, 60, 2):
        done = bench.write(journal, mode, written=("40", "6", "700"), DISK_FULL=str(writes))
        found, why = bench.check(journal)  # with space again
        acknowledged, attempted = told(done.stdout, "A"), told(done.stdout, "T")
        assert found is not None, (writes, why)
        assert acknowledged <= found <= attempted, (writes, acknowledged, found, attempted)
        endings[done.returncode] += 1
        shutil.rmtree(journal)
    assert set(endings) <= {4, 5, 6, 7}, endings


if sys.platform != "linux":
    pytest.skip("the shim is Linux's", allow_module_level=True)
