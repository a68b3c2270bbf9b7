"""Question: at half of the highest load, open loop, is an answer's p99 within 4 commits' p99?

    .venv/bin/python bench/latency.py [SECONDS]

`posengine serve` under posload: 64 links of 64 terminals each, sign-on first, every answer's fields
and MAC verified, every batch settled and balanced at the end. First the highest sustained load, 64
x 64 in a closed loop (median of its turns). Then, in turns, half of that in an open loop, at
constant gaps and at random (Poisson): a latency counts from when its request was due. Beside each
is the p99 of a commit, put and flush, by the engine's own clock, of the same server and load; a
fresh server a turn, so that its histogram holds that load alone.

A fresh engine takes the memory of its state's tables in a thread, where they are at most a 16th of
the machine's: the tables here are 0.8 GB, and a load begins when the engine has stopped taking
pages. On a machine with less than 13 GB that thread takes nothing, and the first messages of each
table's page wait for it.

What stops the machine for some milliseconds, once or twice a second, decides the p99 of a load. So
the p99 of each twentieth of a second is told too: the middle one of a load is that of the engine
while nothing stops it.

Load, engine and journal share the machine's cores. How late posload itself sent, how long it held
back what was due because every link was full, and how long it was ready and had no core, are
printed: they are in the latency too. SECONDS (2) is how long each load lasts.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME / "tests"))

from record import LEFT, Answer, compare, figure, save  # noqa: E402

import posload  # noqa: E402
from paper.server import Server  # noqa: E402
from paper.shop import MID, TMK, Shop  # noqa: E402

LINKS, DEPTH, TURNS = 64, 64, 5
# What the tables below hold; a load ends there if it is quicker than this machine should be.
COUNT_MAX = 2_000_000
TOUCH_S_MAX = 30.0
WINDOW_S = 0.05
COMMITS_MAX = 4  # the bar: p99 of an answer in p99s of a commit


@dataclass(frozen=True)
class Load:
    """What one load against a fresh server gave."""

    report: posload.Report
    commit_p99_ns: float

    def p99_of_windows_ns(self) -> list[float]:
        """ns from due, of each whole window of WINDOW_S in which something was due, in order."""
        columns, rows = self.report.facts["series_columns"], self.report.facts["series"]
        points = [dict(zip(columns, row, strict=True)) for row in rows]
        return [point["p99_ns"] for point in points[:-1] if point["due"] > 0]


def warmed_up(server: Server) -> None:
    """Waits until the engine takes no more pages of memory."""
    assert server.process is not None
    stat = Path(f"/proc/{server.process.pid}/stat")
    began, before = time.monotonic(), -1
    while time.monotonic() - began < TOUCH_S_MAX:
        faults = int(stat.read_text().rpartition(")")[2].split()[7])
        if faults == before:
            return
        before = faults
        time.sleep(0.1)
    raise AssertionError("the engine takes memory and does not stop")


def load(arrival: str, rate: float, seconds: float, seed: int, links: int, depth: int) -> Load:
    """One load; whatever is not as it must be ends the bench."""
    with tempfile.TemporaryDirectory(dir=LEFT) as home:
        shop = Shop(Path(home), count=links * depth)
        shop.write(
            terminals_max=2 * links * depth, postings_max=1 << 21, repeats_max=1 << 22,
            journal={"volume_size_max": 512 << 20},
        )  # fmt: skip
        with Server(shop) as server:
            warmed_up(server)
            plan = posload.Plan(
                port=server.port, connections=links, depth=depth, arrival=arrival, rate=rate,
                duration_s=seconds, count=COUNT_MAX, seed=seed, quiet=True, interval_s=WINDOW_S,
                terminals=tuple(posload.Terminal(tid, MID, TMK) for tid in shop.tids()),
            )  # fmt: skip
            report = posload.run(plan)
            stat = json.loads(server.ask("stat"))
            assert server.drain() == 0
    assert report.is_clean, str(report)
    counts, counters = report.counts, stat["counters"]
    assert counts["balanced"] == links * depth
    messages = sum(kind["answered"] for kind in report.facts["kinds"].values())
    assert counters["approved"] == counters["journal_durable_sequence"] == messages
    return Load(report, stat["stages_ns"]["commit"]["p99"])


def told(manner: str, loads: list[Load]) -> list[Answer]:
    """The ratio that is judged, and the figures behind it."""
    ms = [{name: ns / 1e6 for name, ns in each.report.latency_ns.items()} for each in loads]
    facts = [each.report.facts for each in loads]
    windows = [each.p99_of_windows_ns() for each in loads]
    within = [
        100 * sum(ns <= COMMITS_MAX * each.commit_p99_ns for ns in found) / len(found)
        for each, found in zip(loads, windows, strict=True)
    ]
    name = f"64 links x 64 at half the load, {manner}"
    return [
        compare(
            f"{name}: p99 from due", [each["p99"] for each in ms],
            [each.commit_p99_ns / 1e6 for each in loads], unit="ms", rival="ms, p99 of a commit",
            better="less", at_most=COMMITS_MAX,
        ),
        figure(
            f"{name}: p99 of the middle twentieth of a second",
            [statistics.median(found) / each.commit_p99_ns
             for each, found in zip(loads, windows, strict=True)], unit="commits' p99",
        ),
        figure(
            f"{name}: twentieths of a second within {COMMITS_MAX} commits' p99", within, unit="%"
        ),
        *(figure(f"{name}: {p}", [each[p] for each in ms], unit="ms")
          for p in ("p50", "p99.9", "max")),
        figure(f"{name}: rate", [each.report.rate for each in loads], unit="sales a second"),
        figure(
            f"{name}: p99 of posload's own lateness",
            [each["lateness_ns"]["p99"] / 1e6 for each in facts], unit="ms",
        ),
        figure(
            f"{name}: held back, as every link was full",
            [100 * each["held_ns"]["count"] / each["counts"]["due"] for each in facts], unit="%",
        ),
        figure(
            f"{name}: posload was ready and had no core",
            [each["core_wait_ns"] / each["seconds"] / 1e7 for each in facts], unit="% of time",
        ),
    ]  # fmt: skip


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    is_small = seconds < 1
    links, depth, turns = (4, 4, 1) if is_small else (LINKS, DEPTH, TURNS)
    LEFT.mkdir(parents=True, exist_ok=True)
    highest = [load("closed", 0, seconds, 1, links, depth) for _ in range(min(turns, 3))]
    rate = statistics.median(each.report.rate for each in highest)
    loads: dict[str, list[Load]] = {"constant": [], "poisson": []}
    for turn in range(turns):
        for arrival, found in loads.items():
            found.append(load(arrival, rate / 2, seconds, turn + 1, links, depth))
    cpu_open = [
        each.report.facts["cpu_ns"] / each.report.counts["answered"]
        for found in loads.values() for each in found
    ]  # fmt: skip
    cpu = [each.report.facts["cpu_ns"] / each.report.counts["answered"] for each in highest]
    answers = [
        figure("64 links x 64, closed loop: sustained, every answer verified",
               [each.report.rate for each in highest], unit="sales a second"),
        figure("posload itself: processor for a sale", cpu, unit="ns a sale"),
        figure("posload itself: the same in an open loop", cpu_open, unit="ns a sale"),
        *told("constant", loads["constant"]),
        *told("Poisson", loads["poisson"]),
    ]  # fmt: skip
    save("latency", "at half of the highest load, is p99 within 4 commits' p99", answers)


if __name__ == "__main__":
    main()
