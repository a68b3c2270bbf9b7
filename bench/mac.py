"""Question: what does a MAC of a 272-byte message cost, its key its own, beside OpenSSL's?

    .venv/bin/python bench/mac.py [RUNS]

bench/mac_waves.c, with the core's objects: waves of 1 to 4,096 messages go through the engine's
own door, each message of one of 10,000 terminals. OpenSSL does the same messages one after the
other, with key schedules and contexts that it has kept for every terminal; the two take turns, run
by run, and every MAC is compared. Then the same by AVX2 alone and by plain C. Figures, in ns a
message, go to build/bench/mac.json. Needs OpenSSL's headers (libssl-dev).

Cost: 45 seconds and one core.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from core import program
from record import Answer, compare, save

RUNS = 9
MESSAGES = 1024
# The bars: (algorithm, key size, messages a wave).
BARS = {
    ("unionpay-ecb", 16, 16): 3, ("unionpay-ecb", 16, 64): 12, ("unionpay-ecb", 16, 512): 25,
    ("x9.19", 16, 64): 15, ("x9.19", 16, 512): 35,
    ("aes-cmac", 16, 64): 12, ("sm4-unionpay", 16, 64): 10, ("sm4-cbc", 16, 64): 10,
}  # fmt: skip


def _measured(path: str, runs: int, messages: int) -> list[Answer]:
    """Every question by the best path (``""``) or a lower one."""
    environment = dict(os.environ) | ({"POSENGINE_CPU": path} if path else {})
    command = [str(program("mac_waves", "-lcrypto")), str(runs), str(messages)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    answers = []
    for line in done.stdout.splitlines():
        row = json.loads(line)
        asked = (row["algorithm"], row["key_size"], row["count"])
        name = f"{asked[0]}, {asked[1]}-byte key, {asked[2]} at a time"
        answers.append(compare(
            f"{name}, {path}" if path else name, row["ours"], row["theirs"],
            unit="ns a message", rival="OpenSSL", better="less",
            at_least=None if path else BARS.get(asked),
        ))  # fmt: skip
    return answers


def main() -> None:
    """Measure, print and write."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    messages = MESSAGES if runs >= 5 else 64
    answers = _measured("", runs, messages)
    for path in ("avx2", "portable"):
        answers += _measured(path, max(1, runs // 2), messages // 2)
    question = str(__doc__).splitlines()[0].removeprefix("Question: ")
    save("mac", question, answers, size=272, terminals=10_000, messages=messages)


if __name__ == "__main__":
    main()
