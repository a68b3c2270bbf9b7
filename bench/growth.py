"""Question: is the last tenth of a growing journal written as fast as the first?

    .venv/bin/python bench/growth.py [ENTRIES]      6,000,000; 50,000,000 is the claim

Entries of 330 bytes in pages of 256 KiB, late acknowledgement, volumes of 1 GiB that are made ahead
meanwhile; a plain file (O_APPEND, fdatasync, a new one every GiB) gets the same bytes in turns, so
that what the disk does by itself can be told apart. Everything is removed afterwards.

Cost: 0.33 GB a million entries, on the disk of the working directory: 17 GB and some minutes for 50
million. The bench looks first whether there is room for it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile

from core import LEFT, program
from journal import LMDB
from record import compare, figure, save

ENTRIES = 6_000_000
A_PAGE = 760  # 256 KiB
ENTRY_BYTES = 345
BESIDE_BYTES = 4 << 30  # the plain file, the next volume, and room to breathe


def main() -> int:
    """Write, print and leave the figures."""
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    LEFT.mkdir(parents=True, exist_ok=True)
    needed = entries * ENTRY_BYTES + BESIDE_BYTES
    free = shutil.disk_usage(LEFT).free
    if free < needed:
        print(f"{entries:,} entries need {needed / 1e9:.0f} GB, {free / 1e9:.0f} GB are free")
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
    tenth = found["entries"] / 10
    ours = [tenth / seconds for seconds in found["journal"]]
    theirs = [tenth / seconds for seconds in found["append"]]
    millions = f"{found['entries'] / 1e6:.0f} million entries"
    save("growth", (__doc__ or "").splitlines()[0], [
        figure(f"{millions}: last tenth beside the first", [ours[-1] / ours[0]],
               unit="x of the first tenth's rate", at_least=0.8),
        figure(f"{millions}: the same of a plain append", [theirs[-1] / theirs[0]],
               unit="x of the first tenth's rate"),
        compare(f"{millions}: every tenth", ours, theirs, unit="entries a second",
                rival="plain append, fdatasync", better="more"),
    ], tenths={"journal": ours, "append": theirs}, entries=found["entries"],
       bytes=found["bytes"], volumes=found["volumes"])  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
