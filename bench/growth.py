"""Question: is the last tenth of a growing journal written as fast as the first?

    .venv/bin/python bench/growth.py [ENTRIES]      50,000,000, unless told

Entries of 345 bytes in pages of 256 KiB, one flush a page, volumes of 256 MiB that are made
ahead meanwhile; a plain file (O_APPEND, fdatasync, a new one every 256 MiB) gets the same bytes in
turns of a two-hundredth of the whole, now one first, now the other, so that both see the same disk:
it drifts by itself, by more than what is asked here. So the bar is of both together,

    (ours, last tenth / append, last tenth) / (ours, first tenth / append, first tenth)

where a tenth's quotient is the median of its twenty pairs of turns, and once more that of their
sums: a median does not see what befalls few turns, a sum is moved by one stall of the disk. The raw
figures of each are printed beside it. The journal keeps all of its volumes, yet what was written
three volumes ago is given back to the disk as it goes (holes in sealed files, which nobody reads
here), as are the append's files: so 50 million entries, 17 GB, need 2.5 GB of disk.

Cost: one to five minutes, by the disk.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile

from core import LEFT, program
from journal import LMDB
from record import compare, figure, save

ENTRIES = 50_000_000
TENTHS = 10
A_PAGE = 760  # 256 KiB
DISK_BYTES = 5 << 29  # volumes that stay, the plain file, and room to breathe


def tenths(turns: list[float]) -> list[list[float]]:
    """Seconds of the turns, a list a tenth."""
    share = len(turns) // TENTHS
    return [turns[at : at + share] for at in range(0, len(turns), share)]


def main() -> int:
    """Write, print and leave the figures."""
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    LEFT.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(LEFT).free
    if free < DISK_BYTES:
        print(f"{DISK_BYTES / 1e9:.1f} GB of disk are needed, {free / 1e9:.1f} GB are free")
        return 3
    timing = program("journal_timing", *([f"-I{LMDB}", "-DWITH_LMDB"] if LMDB.exists() else []))
    home = tempfile.mkdtemp(dir=LEFT)
    try:
        ran = subprocess.run(
            [timing, "growth", home, str(entries), str(A_PAGE)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    finally:
        shutil.rmtree(home)
    found = json.loads(ran.stdout)
    ours, theirs = tenths(found["journal"]), tenths(found["append"])
    entries_a_tenth = found["entries"] / TENTHS
    rates = [entries_a_tenth / sum(turns) for turns in ours]
    their_rates = [entries_a_tenth / sum(turns) for turns in theirs]
    beside = [
        statistics.median(b / a for a, b in zip(*turns, strict=True))
        for turns in zip(ours, theirs, strict=True)
    ]
    name = f"{found['entries'] / 1e6:.3g} million entries"
    save("growth", (__doc__ or "").splitlines()[0], [
        figure(f"{name}: last tenth beside the first, both beside an append",
               [beside[-1] / beside[0]], unit="x", at_least=0.8),
        figure(f"{name}: the same by the sums of each tenth's turns",
               [rates[-1] / their_rates[-1] / (rates[0] / their_rates[0])], unit="x",
               at_least=0.8),
        figure(f"{name}: last tenth beside the first, raw", [rates[-1] / rates[0]],
               unit="x of the first's rate"),
        figure(f"{name}: the same of a plain append", [their_rates[-1] / their_rates[0]],
               unit="x of the first's rate"),
        compare(f"{name}: every tenth", rates, their_rates, unit="entries a second",
                rival="plain append, fdatasync", better="more"),
    ], tenths={"journal": rates, "append": their_rates, "median_of_turns": beside},
       entries=found["entries"], bytes=found["bytes"], volumes=found["volumes"])  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
