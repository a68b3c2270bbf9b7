"""Question: does the time that a MAC takes say anything of the key or the message?

    .venv/bin/python bench/constant_time.py [SAMPLES]

Builds bench/constant_time.c with the core's objects and prints Welch's t of a fixed input against
random ones, for a wave of every algorithm by every path: under 10 is no leak seen. Two leaks on
purpose must be seen, or the run says nothing and fails, as it does where a leak is seen. That no
branch and no address depends on a secret is shown without a clock by
tests/integration/test_constant_time.py.

Cost: 40 seconds and one core for 50,000 samples a target.
"""

from __future__ import annotations

import json
import subprocess
import sys

from core import program
from record import Answer, save

T_MAX = 10.0
SAMPLES = 50_000


def _answer(row: dict[str, float | str]) -> Answer:
    """|t| of one target; its bar is under 10, of a leak on purpose over it."""
    name, t = str(row["name"]), abs(float(row["t"]))
    is_meant = name.startswith("leak:")
    return Answer(
        name=f"{name}: |t|", figure=t, unit="of Welch", beside=None, rival=None, ratio=None,
        bar=f"{'>' if is_meant else '≤'} {T_MAX:g}", holds=(t > T_MAX) == is_meant,
        spread=(t, t), runs=int(row["kept"]),
    )  # fmt: skip


def main() -> int:
    """Measure, print, write, and say whether it held."""
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    command = [program("constant_time", "-lm"), str(samples)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    answers = [_answer(row) for row in rows]
    save("constant_time", (__doc__ or "").splitlines()[0], answers, targets=rows, t_max=T_MAX)
    return 0 if all(answer.holds for answer in answers) else 1


if __name__ == "__main__":
    sys.exit(main())
