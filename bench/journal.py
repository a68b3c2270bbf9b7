"""Question: what does a durable page cost, beside a plain append of the same bytes with fdatasync?

    .venv/bin/python bench/journal.py [ROUNDS]

Late and full acknowledgement and the file take turns, round by round, at pages of 16, 64 and 256
KiB, on the disk of the working directory; the journal's figures hold encoding, SHA-256, CRC and the
commit, the file's a pwrite and an fdatasync. What was written is verified after each run. Then: how
fast are columns summed, and how fast are entries read, and do they agree. Figures go to
build/bench/journal.json.

Cost: a minute, and about a gigabyte written.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from provenance import commit

from posengine._native import status
from posengine.journal import Journal

HOME = Path(__file__).resolve().parent.parent
ROUNDS = 5
PAGES = {16: (24, 300), 64: (105, 150), 256: (438, 60)}  # KiB: entries a page, pages a round
WAYS = ("late", "full", "file")
ENTRIES = 200_000


def _program(home: Path) -> Path:
    native = Path(status.__file__).parent
    program = home / "journal_timing"
    subprocess.run(
        [os.environ.get("CC", "cc"), "-std=gnu11", "-O2", str(HOME / "bench/journal_timing.c"),
         "-o", str(program), f"-I{native / 'include'}", f"-L{native / 'lib'}", "-lposengine",
         f"-Wl,-rpath,{native / 'lib'}"],
        check=True,
    )  # fmt: skip
    return program


def _spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "least": round(ordered[0], 1),
        "median": round(median(ordered), 1),
        "most": round(ordered[-1], 1),
    }


def commits(home: Path, rounds: int) -> dict[str, Any]:
    """pages/s and microseconds a commit, by size and way: medians over rounds, with spread."""
    program = _program(home)
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for _ in range(rounds):
        for size, (entries, pages) in PAGES.items():
            bytes_a_page = size * 1024
            for way in WAYS:
                place = home / "place"
                amount = bytes_a_page if way == "file" else entries
                run = [str(program), way, str(place), str(amount), str(pages)]
                facts = json.loads(subprocess.run(run, check=True, capture_output=True).stdout)
                if way != "file":
                    assert facts["pages"] == pages
                    bytes_a_page = facts["bytes"] // pages  # the file writes the same bytes
                    shutil.rmtree(place)
                else:
                    place.unlink()
                found.setdefault(f"{size} KiB", {}).setdefault(way, []).append(facts)
    return {
        size: {
            way: {
                name: _spread([facts[name] for facts in runs])
                for name in ("pages_per_s", "p50_us", "p99_us")
            }
            for way, runs in ways.items()
        }
        for size, ways in found.items()
    }


def reading(home: Path, rounds: int) -> dict[str, Any]:
    """Values a second through columns, entries a second through entries; both sums compared."""
    path = home / "read"
    with Journal.open(path, volume_size_max=256 << 20) as journal:
        for number in range(ENTRIES):
            journal.stage(amount_minor=number, kind=5, outcome=1, request=b"r" * 200)
            if number % 1000 == 999:
                journal.commit()
    columns, rows = [], []
    expected = ENTRIES * (ENTRIES - 1) // 2
    with Journal.open(path, readonly=True) as journal:
        for _ in range(rounds):
            began = time.perf_counter()
            total = sum(int(page.columns["amount"].sum()) for page in journal.pages())
            columns.append(ENTRIES / (time.perf_counter() - began))
            assert total == expected
            began = time.perf_counter()
            part = ENTRIES // 10
            total = sum(entry.amount_minor for entry in journal.entries(ENTRIES - part))
            rows.append(part / (time.perf_counter() - began))
            assert total == expected - (ENTRIES - part) * (ENTRIES - part - 1) // 2
    return {"column_values_per_s": _spread(columns), "entries_per_s": _spread(rows)}


def main() -> None:
    """Measure, print and write."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    target = HOME / "build" / "bench"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as home:
        committed = commits(Path(home), rounds)
        read = reading(Path(home), rounds)
    print(f"a durable page; median (least .. most) of {rounds} rounds")
    for size, ways in committed.items():
        for way, facts in ways.items():
            rate, wait = facts["pages_per_s"], facts["p50_us"]
            print(
                f"{size:>8} {way:5} {rate['median']:>7.0f} pages/s"
                f" ({rate['least']:.0f} .. {rate['most']:.0f})"
                f"   p50 {wait['median']:>5.0f} us   p99 {facts['p99_us']['median']:>6.0f} us"
            )
    for name, facts in read.items():
        print(f"{name}: {facts['median']:,.0f} ({facts['least']:,.0f} .. {facts['most']:,.0f})")
    facts = {
        "question": (__doc__ or "").splitlines()[0], "command": "bench/journal.py",
        "commit": commit(), "machine": platform.processor() or platform.machine(),
        "rounds": rounds, "commits": committed, "reading": read,
    }  # fmt: skip
    (target / "journal.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
