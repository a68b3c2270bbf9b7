"""Question: how long after exec does `posengine serve` answer, with ten million entries behind it?

    .venv/bin/python bench/restart.py [ENTRIES]

10,000 terminals have signed on, each with keys of its own, and traded and settled for ten days;
the state's snapshot is there, as the supervisor or a clean end leaves it. A run is: exec, connect
as soon as the port listens, one sale with its MAC, its answer, which is on disk by then, opened and
found approved; then SIGKILL. Beside it: the same with nothing of it in the page cache, and without
a snapshot, where every entry is folded.

The journal is made once and kept in build/bench/restart (some 4 GB) for as long as its format is
the same. Cost: a minute and a half to make it, then half a minute; one core and the disk.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME / "tests"))

from core import LEFT, program  # noqa: E402
from record import figure, save  # noqa: E402

from oracle.terminal import Line, Terminal  # noqa: E402
from paper.shop import Shop  # noqa: E402

ENTRIES = 10_000_000
TERMINALS = 10_000
DAYS = 10
RUNS = 7
COLD_RUNS = 3
START_S_MAX = 120.0
FORMAT = (
    "native/journal/page.c", "native/journal/files.c", "native/mac/keystore.c",
    "bench/restart_fill.c", "bench/restart.py",
)  # fmt: skip


def volume_size(entries: int) -> int:
    """A small history has small volumes: each is filled with zeros before it takes a page."""
    return 1 << 30 if entries >= 1_000_000 else 64 << 20


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def signed_on(shop: Shop, terminals: int, volume_size_max: int) -> Terminal:
    """Every terminal has keys; the first of them is given back."""
    first = shop.terminal(0)
    room = {"terminals_max": terminals + 8, "page_entries_max": 4_096, "page_size_max": 8 << 20}
    shop.settings = {**room, "volume_size_max": volume_size_max}
    with shop.engine(log=None, keystore=shop.home / "working.keys") as engine:
        for begin in range(0, terminals, 512):
            some = [shop.terminal(index) for index in range(begin, min(begin + 512, terminals))]
            engine.submit_wave([(begin + at, one.sign_on_frame()) for at, one in enumerate(some)])
            replies = engine.commit()
            assert len(replies) == len(some)
            if begin == 0:
                first.take_keys(first.open(replies[0].frame))
    return first


def prepare(home: Path, entries: int) -> Terminal:
    """The shop with its journal, made or kept; a terminal whose turn it is."""
    form = "".join((HOME / name).read_text() for name in FORMAT) + f"{entries}"
    stamp = hashlib.sha256(form.encode()).hexdigest()
    kept = home / "made"
    if kept.exists() and kept.read_text() == stamp:
        terminal: Terminal = pickle.loads((home / "terminal").read_bytes())
        return terminal
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    terminals = max(8, min(TERMINALS, entries // 100))
    shop = Shop(home, count=terminals)
    first = signed_on(shop, terminals, volume_size(entries))
    fill = program("restart_fill")
    began = time.monotonic()
    command = [fill, home / "journal", str(entries - terminals), str(terminals), str(DAYS),
               str(volume_size(entries))]  # fmt: skip
    done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
    print(f"made {int(done.stdout):,} entries in {time.monotonic() - began:.0f} s", flush=True)
    first.batch, first.stan = f"{DAYS:06d}", 900_000
    (home / "terminal").write_bytes(pickle.dumps(first))
    shop.write(
        listen=f"127.0.0.1:{free_port()}", journal={"volume_size_max": volume_size(entries)},
        terminals_max=terminals + 8, postings_max=entries * 5 // 4 + 1_024,
        repeats_max=entries * 2 // 5 + 1_024,
    )  # fmt: skip
    kept.write_text(stamp)
    return first


def listen_port(home: Path) -> int:
    found = re.search(r'listen = \["127\.0\.0\.1:(\d+)"\]', (home / "posengine.toml").read_text())
    assert found is not None
    return int(found[1])


def connected(port: int, process: subprocess.Popen[bytes]) -> Line:
    began = time.monotonic()
    while True:
        try:
            return Line("127.0.0.1", port)
        except ConnectionRefusedError:
            assert process.poll() is None, "the engine has ended"
            assert time.monotonic() - began < START_S_MAX
            time.sleep(0.001)


def cpu_ms(process: subprocess.Popen[bytes]) -> int:
    """All threads that the process has had, user and system, in the kernel's ticks of 10 ms."""
    words = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) * 1000 // os.sysconf("SC_CLK_TCK")


def start(
    home: Path, terminal: Terminal, *, is_killed: bool = True
) -> tuple[float, dict[str, int]]:
    """Milliseconds from exec to the answer; what the engine's log says of its recovery."""
    sale = terminal.sale(100)
    with (home / "log").open("wb") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "posengine.cli", "serve", "--config", home / "posengine.toml",
             "--alone"], stderr=log, stdout=log,
        )  # fmt: skip
        with connected(listen_port(home), process) as line:
            reply = line.exchange(sale)
            taken_ms = (time.perf_counter() - began) * 1e3
            spent_ms = cpu_ms(process)
        answer = terminal.open(reply)
        assert answer[39] == b"00", answer
    if is_killed:
        process.kill()
    else:
        process.terminate()
    process.wait(START_S_MAX)
    words = next(line for line in (home / "log").read_text().splitlines() if "recovered" in line)
    told = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)(?= |$)", words)}
    return taken_ms, {**told, "cpu_ms": spent_ms}


def out_of_cache(home: Path) -> None:
    """Files that are on disk leave the page cache."""
    for path in home.rglob("*"):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def main() -> None:
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    home = LEFT / ("restart" if entries == ENTRIES else "restart-small")
    terminal = prepare(home, entries)
    snapshot = home / "journal.state"

    snapshot.unlink(missing_ok=True)
    whole_ms, whole = start(home, terminal, is_killed=False)
    assert whole["snapshot"] == 0 and whole["entries"] >= entries * 0.99
    if not snapshot.exists():  # a small history: a clean end thinks it not worth while
        command = [sys.executable, "-m", "posengine.cli", "serve", "--config",
                   home / "posengine.toml", "--save-state"]  # fmt: skip
        subprocess.run(command, check=True)

    warm: list[float] = []
    tails: list[dict[str, int]] = []
    for _ in range(RUNS + 1):
        taken_ms, told = start(home, terminal)
        warm.append(taken_ms)
        tails.append(told)
    assert snapshot.exists() == (entries >= 100_000)
    cold = []
    for _ in range(COLD_RUNS):
        out_of_cache(home)
        cold.append(start(home, terminal)[0])
    size = snapshot.stat().st_size if snapshot.exists() else 0
    answers = [
        figure(f"restart with {entries / 1e6:g} million entries: exec to first answer", warm[1:],
               unit="ms", at_most=500 if entries == ENTRIES else None),
        figure("the same, nothing of it in the page cache", cold, unit="ms"),
        figure("the same without a snapshot, all folded", [whole_ms], unit="ms"),
        figure("of it the fold", [whole["fold_ms"] * 1e6 / whole["entries"]], unit="ns an entry"),
        figure("of the first: CPU of all its threads", [told["cpu_ms"] for told in tails[1:]],
               unit="ms"),
        figure("of the first: snapshot read and summed", [told["load_ms"] for told in tails[1:]],
               unit="ms"),
        figure("of the first: keys held against the journal's",
               [told["keys_ms"] for told in tails[1:]], unit="ms"),
    ]  # fmt: skip
    save("restart", "how long after exec does the engine answer", answers, entries=entries,
         terminals=TERMINALS, snapshot_bytes=size)


if __name__ == "__main__":
    main()
