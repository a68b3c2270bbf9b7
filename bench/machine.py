"""Question: how much of the time does this machine take a core away, with nothing of ours running?

    .venv/bin/python bench/machine.py [SECONDS]

A thread on each core reads the clock without a pause (bench/machine_gaps.c); two readings more than
a millisecond apart are a gap. On a virtual machine it is the host that takes the core, and no
program within can be quicker than its gaps: where they are a hundredth of the time, the 99th
percentile of any latency is of the host. The core that loses most is told; the other benches'
figures are to be read beside it. No bar: it is the machine's figure, not ours.

Cost: five turns of SECONDS (1), all cores.
"""

from __future__ import annotations

import json
import subprocess
import sys

from core import program
from record import figure, save

TURNS = 5


def main() -> None:
    """Measure, print and write."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    gaps = program("machine_gaps")
    shares, longest = [], []
    for _ in range(TURNS):
        ran = subprocess.run([gaps, str(seconds)], check=True, capture_output=True, text=True)
        cores = [json.loads(line) for line in ran.stdout.splitlines()]
        assert cores
        shares.append(100 * max(core["share"] for core in cores))
        longest.append(max(core["longest_ms"] for core in cores))
    answers = [
        figure("a core taken away for more than 1 ms at once", shares, unit="% of time"),
        figure("longest that a core was away", longest, unit="ms"),
    ]
    save("machine", (__doc__ or "").splitlines()[0], answers)


if __name__ == "__main__":
    main()
