"""Question: does the time that a MAC takes say anything of the key or the message?

    .venv/bin/python bench/mac_timing.py [SAMPLES]

Builds bench/mac_timing.c with the core's objects and prints Welch's t a target: under 10 is no
leak seen; the two leaks on purpose must be seen, or the run says nothing and fails. Figures go to
build/bench/mac_timing.json.

Cost: 5 seconds and one core for 200,000 samples a target.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

from core import program

HOME = Path(__file__).resolve().parent.parent
BUILD = HOME / "build" / "bench"
T_MAX = 10.0
SAMPLES = 200_000


def main() -> int:
    """Measure, print, write, and say whether it held."""
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    command = [program("mac_timing", "-lm"), str(samples)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    faults = []
    print(f"{'target':20} {'t':>10} {'kept':>9} {'median cycles':>14}")
    for row in rows:
        is_leak, is_meant = abs(row["t"]) > T_MAX, row["name"].startswith("leak:")
        note = "seen, as it must be" if is_leak and is_meant else ""
        if is_leak != is_meant:
            note = "NOT SEEN" if is_meant else "LEAK"
            faults.append(row["name"])
        print(f"{row['name']:20} {row['t']:10.2f} {row['kept']:9.0f} {row['cycles']:14} {note}")
    facts = {
        "question": __doc__.splitlines()[0], "command": "bench/mac_timing.py", "samples": samples,
        "machine": platform.processor() or platform.machine(), "t_max": T_MAX, "targets": rows,
    }
    (BUILD / "mac_timing.json").write_text(json.dumps(facts, indent=1) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
