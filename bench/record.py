"""What a bench leaves: each question's answer beside its rival, with spread, in one shape.

    compare(...)  ─▶  Answer  ─▶  save(question, answers)  ─▶  build/bench/<file>.json
                                                          └─▶  a line in build/bench/history.jsonl

A ratio is worked out pair by pair (run i of ours beside run i of theirs, interleaved in one
process or turn by turn), and its median is what is compared with the bar; spread is the lowest and
the highest of the pairs. A figure without a rival is a figure; a ratio without a bar is printed and
not judged.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from provenance import commit

HOME = Path(__file__).resolve().parent.parent
LEFT = HOME / "build" / "bench"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. ``ratio`` is ours against ``beside`` such that the bar reads as the issue's."""

    name: str
    figure: float
    unit: str
    beside: float | None
    rival: str | None
    ratio: float | None
    bar: str | None
    holds: bool | None
    spread: tuple[float, float]
    runs: int


def compare(
    name: str, ours: Sequence[float], theirs: Sequence[float], *, unit: str, rival: str,
    better: str, at_least: float | None = None, at_most: float | None = None,
) -> Answer:  # fmt: skip
    """Ours beside a rival's, pair by pair.

    Args:
        name: the question, as the table prints it.
        ours: a figure a run, at least five.
        theirs: the rival's, of the same runs.
        unit: of both: "ns a message", "pages a second".
        rival: who that is.
        better: "less" (times; the ratio is theirs over ours) or "more" (rates; ours over theirs).
            With ``at_most`` the ratio is ours over theirs, whichever is better.
        at_least: the bar, where more of the ratio is wanted.
        at_most: the bar, where less is.

    Raises:
        ValueError: nothing to compare, or pairs that are none.
    """
    if not ours or len(ours) != len(theirs):
        raise ValueError(f"{name}: {len(ours)} runs of ours, {len(theirs)} of {rival}")
    if better not in ("less", "more"):
        raise ValueError(f"{name}: better is 'less' or 'more', not {better!r}")
    is_upright = better == "more" or at_most is not None
    pairs = [a / b if is_upright else b / a for a, b in zip(ours, theirs, strict=True)]
    ratio = statistics.median(pairs)
    holds: bool | None = None
    bar: str | None = None
    if at_least is not None:
        holds, bar = ratio >= at_least, f"≥ {at_least:g} ×"
    elif at_most is not None:
        holds, bar = ratio <= at_most, f"≤ {at_most:g} ×"
    return Answer(
        name=name, figure=statistics.median(ours), unit=unit, beside=statistics.median(theirs),
        rival=rival, ratio=ratio, bar=bar, holds=holds, spread=(min(pairs), max(pairs)),
        runs=len(pairs),
    )  # fmt: skip


def figure(
    name: str, ours: Sequence[float], *, unit: str,
    at_least: float | None = None, at_most: float | None = None,
) -> Answer:  # fmt: skip
    """A figure by itself; its bar, if any, is in its unit; spread is of the figure."""
    middle = statistics.median(ours)
    holds: bool | None = None
    bar: str | None = None
    if at_least is not None:
        holds, bar = middle >= at_least, f"≥ {at_least:,g} {unit}"
    elif at_most is not None:
        holds, bar = middle <= at_most, f"≤ {at_most:,g} {unit}"
    return Answer(
        name=name, figure=middle, unit=unit, beside=None, rival=None, ratio=None, bar=bar,
        holds=holds, spread=(min(ours), max(ours)), runs=len(ours),
    )  # fmt: skip


def processor() -> str:
    """The processor's own name, where the system tells it."""
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def machine() -> dict[str, object]:
    """What the figures were taken on."""
    return {
        "processor": processor(), "cores": os.cpu_count(), "system": platform.release(),
        "python": platform.python_version(), "cpu_path": os.environ.get("POSENGINE_CPU", "best"),
    }  # fmt: skip


def save(file: str, question: str, answers: Sequence[Answer], **more: object) -> Path:
    """Writes ``build/bench/<file>.json`` and a line of history; prints the answers as a table."""
    LEFT.mkdir(parents=True, exist_ok=True)
    facts = {
        "question": question, "machine": machine(), "commit": commit(),
        "command": " ".join(sys.argv), "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "answers": [asdict(answer) for answer in answers], **more,
    }  # fmt: skip
    path = LEFT / f"{file}.json"
    path.write_text(json.dumps(facts, indent=1, ensure_ascii=False))
    with (LEFT / "history.jsonl").open("a") as history:
        history.write(json.dumps({"file": file, **facts}, ensure_ascii=False) + "\n")
    print(table(answers))
    return path


def table(answers: Sequence[Answer]) -> str:
    """The answers as lines that a person reads."""
    lines = []
    for answer in answers:
        beside = "" if answer.beside is None else f"{answer.beside:,.4g} {answer.rival}"
        ratio = "" if answer.ratio is None else f"{answer.ratio:.2f} ×"
        low, high = answer.spread
        verdict = {True: "holds", False: "MISSED", None: ""}[answer.holds]
        lines.append(
            f"{answer.name:<58} {answer.figure:>12,.4g} {answer.unit:<20} {beside:<32} {ratio:>9}"
            f"  [{low:.4g} .. {high:.4g}, n={answer.runs}]  {answer.bar or ''} {verdict}".rstrip()
        )
    return "\n".join(lines)
