"""Question: how fast are the sums over a page and the tokens of a wave, beside the machine's copy?

    .venv/bin/python bench/sums.py [RUNS]

CRC-32C and SHA-256 of 256 KiB, the journal's page, by each way that the machine has (SHA-256 also
in two halves side by side, as the journal does), beside memcpy of the same bytes; tokens of account
numbers (16 to 19 digits) and fingerprints of requests (200 to 300 bytes) under one key, in waves of
64 and 512, beside one after the other. All ways are compared with the plain one first. Built over
the core's objects from bench/sums_timing.c; times are the thread's on its processor. No bar: the
figures are printed.

Cost: 5 seconds and one core.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict

from core import program
from record import Answer, compare, figure, save

RUNS = 9


def _figures(runs: int) -> dict[str, list[float]]:
    ran = subprocess.run(
        [program("sums_timing"), str(runs)], check=True, capture_output=True, text=True
    )
    found = defaultdict(list)
    for line in ran.stdout.splitlines():
        fact = json.loads(line)
        found[fact["name"]].append(fact["value"])
    return found


def _answers(found: dict[str, list[float]]) -> list[Answer]:
    answers = []
    for name, values in found.items():
        kind, _, way = name.partition(" ")
        if kind in ("crc32c", "sha256"):
            answers.append(
                compare(f"{kind} of 256 KiB {way}".strip(), values, found["memcpy"],
                        unit="GB a second", rival="memcpy", better="more")
            )  # fmt: skip
        elif kind in ("token", "fingerprint") and way != "alone":
            answers.append(
                compare(f"{kind}, {way} a wave", values, found[f"{kind} alone"],
                        unit=f"ns a {kind}", rival="one by one", better="less")
            )  # fmt: skip
    answers.append(figure("memcpy of 256 KiB", found["memcpy"], unit="GB a second"))
    return answers


def main() -> None:
    """Measure, print and write."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    save("sums", (__doc__ or "").splitlines()[0], _answers(_figures(runs)))


if __name__ == "__main__":
    main()
