"""Question: what does a message cost in the engine, whole, and is that more than its stages alone?

    .venv/bin/python bench/engine.py [FRAMES]

Chip sales of 10,000 terminals, each with its own key, go through one engine in one process in waves
of 16, 64, 512 and 1,024: frame to staged page and signed reply, with redaction, tokens, fingerprint
and full policy. In turns with that, as many sales go stage by stage, each stage over the whole wave
before the next. Time is CPU time of the thread. bench/engine_timing.c drives it, linked with the
core's own objects; every reply is looked at. Figures and the cost card go to
build/bench/engine.json.

Cost: 40 seconds, one core and 300 MB of disk, given back.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME / "tests"))

from core import program  # noqa: E402
from record import Answer, compare, figure, save  # noqa: E402
from sale import prepare  # noqa: E402

from paper.shop import Shop  # noqa: E402

WAVES = (16, 64, 512, 1_024)
FRAMES = 10_240
ROUNDS = 5
TERMINALS = 10_000
WHOLE_AT_MOST = 1.3
WRAPPED = ("malloc", "calloc", "realloc", "fdatasync", "fsync")


def runs(frames: int) -> list[dict[str, Any]]:
    """A row a wave size and round; the first round only warms up and is left out."""
    build = HOME / "build" / "bench"
    timing = program("engine_timing", *(f"-Wl,--wrap={name}" for name in WRAPPED))
    with tempfile.TemporaryDirectory(dir=build) as home:
        prepare(Path(home), Shop(Path(home), count=TERMINALS))
        done = subprocess.run(
            [timing, home, str(frames), str(ROUNDS + 1), *map(str, WAVES)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return rows[len(WAVES) :]


def medians(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The middle of each figure of one wave size."""
    stages: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for name, ns in row["alone_ns"].items():
            stages[name].append(ns)
    plain = {
        name: statistics.median(row[name] for row in rows) for name in rows[0] if name != "alone_ns"
    }
    return {**plain, "alone_ns": {name: statistics.median(ns) for name, ns in stages.items()}}


def card(middle: dict[str, Any]) -> dict[str, Any]:
    """What one transaction takes, by wave size."""
    messages = middle["messages"]
    return {
        "front_cpu_us": middle["front_ns"] / 1e3,
        "journal_cpu_us": middle["journal_ns"] / 1e3,
        "front_allocations": middle["front_allocations"] / messages,
        "journal_allocations": middle["journal_allocations"] / messages,
        "request_bytes": middle["request_bytes"],
        "reply_bytes": middle["reply_bytes"],
        "journal_bytes": middle["journal_bytes"],
        "flushes": middle["flushes"] / messages,
        "durability": "late: one flush a page, answered when it returns",
    }


def main() -> None:
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else FRAMES
    rows = runs(max(frames, max(WAVES)))
    answers: list[Answer] = []
    cards = {}
    stages = {}
    for wave in WAVES:
        ours = [row for row in rows if row["wave"] == wave]
        middle = medians(ours)
        # Law of the hot path: what is asked of the allocator, the journal's thread asks.
        assert middle["front_allocations"] == 0, "the front thread allocates"
        cards[str(wave)] = card(middle)
        stages[str(wave)] = middle["alone_ns"]
        answers.append(
            compare(
                f"engine, waves of {wave}: frame to staged page",
                [row["submit_ns"] + row["reply_ns"] for row in ours],
                [row["alone_sum_ns"] for row in ours],
                unit="ns a message", rival="its stages alone", better="less",
                at_most=WHOLE_AT_MOST,
            )
        )  # fmt: skip
        answers.append(
            figure(
                f"engine, waves of {wave}: front thread",
                [row["front_ns"] for row in ours], unit="ns a message",
                at_most=1_000 if wave == 512 else None,
            )
        )  # fmt: skip
        answers.append(
            figure(f"engine, waves of {wave}: journal thread",
                   [row["journal_ns"] for row in ours], unit="ns a message")
        )  # fmt: skip
    save("engine", (__doc__ or "").splitlines()[0], answers, cost_card=cards, stages_alone=stages,
         terminals=TERMINALS, frames=frames)  # fmt: skip


if __name__ == "__main__":
    main()
