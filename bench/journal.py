"""Question: what does a durable page cost beside a plain append, and a column beside a cursor?

    .venv/bin/python bench/journal.py [ROUNDS]

Pages of about 16, 64, 256 KiB and 1 MiB, late and full, take turns with a growing file (O_APPEND,
write, fdatasync of the same bytes) and with a file of zeros that is written over (pwrite,
fdatasync), on the disk of the working directory. The journal's clock holds staging, assembling,
SHA-256, CRC and commit, and what was written is verified afterwards. A turn is all pages of a
round, for it begins with a page that is assembled while none is flushed and ends with one that
is waited for: of a turn of sixteen pages that is a tenth, and a server under load has neither.

Then one column of eight bytes is summed over all pages, beside the same sum entry by entry, and
beside an LMDB journal with a record an entry, read by its own cursor: C on all sides, the same
entries, everything in memory. And the same through NumPy views.

Cost: about a minute, two gigabytes written and removed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core import HOME, LEFT, program
from record import Answer, compare, figure, save

from posengine.journal import Journal

ROUNDS = 7
PAGES = {"16 KiB": (24, 64), "64 KiB": (122, 64), "256 KiB": (520, 48), "1 MiB": (2080, 16)}
SCANNED = {4096: 1_000_000, 512: 1_000_000}  # entries a page: entries
LMDB = HOME / "build" / "editable" / "lmdb" / "lmdb-3.0.0" / "lib"


@contextmanager
def _place() -> Iterator[str]:
    LEFT.mkdir(parents=True, exist_ok=True)
    home = tempfile.mkdtemp(dir=LEFT)
    try:
        yield home
    finally:
        shutil.rmtree(home)


def _asked(timing: Path, *words: object) -> dict[str, Any]:
    ran = subprocess.run([timing, *map(str, words)], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def commits(timing: Path, rounds: int) -> list[Answer]:
    """Pages a second, beside the two files."""
    answers = []
    for size, (entries, pages) in PAGES.items():
        with _place() as home:
            found = _asked(timing, "commit", home, entries, pages if rounds > 1 else 8, rounds)
        unit = "pages a second"
        bar = 1.0 if size == "256 KiB" else None
        answers += [
            compare(
                f"page commit, late acknowledgement, {size}", found["late"], found["append"],
                unit=unit, rival="append + fdatasync", better="more", at_least=bar,
            ),
            compare(
                f"page commit, full acknowledgement, {size}", found["full"], found["append"],
                unit=unit, rival="append + fdatasync", better="more",
            ),
            compare(
                f"page commit, late, {size}, beside zeroed blocks", found["late"],
                found["zeroed"], unit=unit, rival="pwrite over zeros + fdatasync", better="more",
            ),
        ]  # fmt: skip
    return answers


def scans(timing: Path, rounds: int) -> list[Answer]:
    """Values a second through a column, beside rows and a cursor over records."""
    answers = []
    for a_page, entries in SCANNED.items():
        with _place() as home:
            found = _asked(timing, "scan", home, entries if rounds > 1 else 50_000, a_page, rounds)
        unit = "values a second"
        name = f"column scan, pages of {a_page} entries"
        if "cursor" in found:
            bar = 50.0 if a_page == 4096 else None
            answers.append(compare(
                name, found["columns"], found["cursor"], unit=unit,
                rival="LMDB cursor, a record an entry", better="more", at_least=bar,
            ))  # fmt: skip
        answers.append(compare(
            f"{name}, beside rows", found["columns"], found["rows"], unit=unit,
            rival="the same pages entry by entry", better="more",
        ))  # fmt: skip
    return answers


def views(rounds: int) -> list[Answer]:
    """The same sum from Python."""
    entries, a_page = (500_000 if rounds > 1 else 8192), 4096
    with _place() as home:
        with Journal.open(f"{home}/views", volume_size_max=1 << 30, volumes_max=1) as journal:
            for number in range(entries):
                journal.stage(amount_minor=number, kind=5, outcome=1, request=b"r" * 300)
                if number % a_page == a_page - 1:
                    journal.commit()
            journal.commit()
        rates, pages_us = [], []
        with Journal.open(f"{home}/views", readonly=True) as journal:
            for _ in range(rounds):
                began = time.perf_counter()
                total = 0
                for page in journal.pages(columns=["amount"]):
                    total += int(page.columns["amount"].sum())
                took = time.perf_counter() - began
                assert total == entries * (entries - 1) // 2
                rates.append(entries / took)
                began = time.perf_counter()
                count = 0
                for page in journal.pages(columns=["amount"]):
                    count += 1 if page.columns["amount"].size else 0
                pages_us.append((time.perf_counter() - began) * 1e6 / count)
    return [
        figure("column scan from Python, NumPy views", rates, unit="values a second"),
        figure("a page and one column from Python", pages_us, unit="us a page"),
    ]


def main() -> None:
    """Measure, print and write."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with_lmdb = [f"-I{LMDB}", "-DWITH_LMDB"] if (LMDB / "lmdb.h").exists() else []
    timing = program("journal_timing", *with_lmdb)
    answers = [*commits(timing, rounds), *scans(timing, rounds), *views(rounds)]
    save("journal", (__doc__ or "").splitlines()[0], answers)


if __name__ == "__main__":
    main()
