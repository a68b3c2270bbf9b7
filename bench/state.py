"""Question: what does one approved sale cost in roster, decide and state?

    .venv/bin/python bench/state.py [MESSAGES]

Found in the roster, decided under a policy of 64 card ranges, made an entry, folded: by C, over the
doors that the engine uses (bench/state_timing.c), each sale found approved. Once with ten
terminals, whose records stay in the cache, and once among 10,000 with two million remembered sales,
which do not; the latter also without looking ahead. CPU time of the thread, so that a busy machine
counts less. Cost: half a minute, one core, 1 GB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from core import program
from record import compare, figure, save

RUNS = 5
MESSAGES = 500_000
REMEMBERED = 2_000_000


def timed(timing: Path, terminals: int, remembered: int, messages: int, *, blind: bool) -> float:
    done = subprocess.run(
        [timing, str(terminals), str(remembered), str(messages)],
        env={**os.environ, **({"STATE_TIMING_BLIND": "1"} if blind else {})},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return float(json.loads(done.stdout)["message_ns"])


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    remembered = REMEMBERED if messages == MESSAGES else messages
    timing = program("state_timing")
    few: list[float] = []
    many: list[float] = []
    blind: list[float] = []
    for _ in range(RUNS):
        few.append(timed(timing, 10, messages // 10, messages, blind=False))
        many.append(timed(timing, 10_000, remembered, messages, blind=False))
        blind.append(timed(timing, 10_000, remembered, messages, blind=True))
    answers = [
        figure("a sale found, decided and folded: ten terminals", few, unit="ns"),
        compare("the same among 10,000 with two million remembered", many, blind,
                unit="ns", rival="without looking ahead", better="less"),
    ]  # fmt: skip
    save("state", "what does one approved sale cost in roster, decide and state", answers)


if __name__ == "__main__":
    main()
