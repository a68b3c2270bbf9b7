"""Every question, one after the other; one table and one page of plots at the end: `make bench`.

    .venv/bin/python bench/run.py               all, ten minutes at most
    .venv/bin/python bench/run.py parse mac     these
    .venv/bin/python bench/run.py --peers       the competition instead: `make bench-peers`

A bench is a program of its own; its figures are taken from build/bench/<name>.json when it has
ended. Left behind:

    build/bench/latest.json   one object a question: name, figure, unit, beside, rival, ratio, bar,
                              holds, spread, runs, and which bench, machine and commit it is of
    build/bench/latest.html   the same as pictures, for people; one file, no network
    build/bench/peers.json, peers.html   of --peers

Exit code 0: every bench ran and its results were right. A missed bar is a finding, and no failure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from page import page
from record import HOME, LEFT, Answer, machine, table

# In the order in which a message meets them; seconds that each may take.
BENCHES = {
    "machine": 30, "parse": 60, "facts": 60, "python": 60, "mac": 90, "sums": 60, "state": 60,
    "engine": 90, "journal": 90, "serve": 150, "latency": 90, "restart": 150, "growth": 180,
}  # fmt: skip
PEERS = {"peers/reading": 600, "peers/stores": 300, "peers/serving": 600}


def run(name: str, limit_s: int) -> dict[str, Any]:
    """One bench; what it left, with ``failure`` where it left nothing to trust."""
    left = LEFT / f"{Path(name).name}.json"
    left.unlink(missing_ok=True)
    command = [sys.executable, f"bench/{name}.py"]
    began = time.monotonic()
    try:
        ended = subprocess.run(command, cwd=HOME, check=False, timeout=limit_s)
        failure = f"exit code {ended.returncode}" if ended.returncode else None
    except subprocess.TimeoutExpired:
        failure = f"not ended after {limit_s} s"
    if failure is None and not left.exists():
        failure = f"left no {left.relative_to(HOME)}"
    facts: dict[str, Any] = {} if failure else json.loads(left.read_text())
    return {
        "bench": name, "question": name, "answers": [], **facts,
        "took_s": round(time.monotonic() - began, 1), "failure": failure,
    }  # fmt: skip


def answers_of(found: dict[str, Any]) -> list[Answer]:
    return [Answer(**{**each, "spread": tuple(each["spread"])}) for each in found["answers"]]


def objects(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One object a question; a bench that failed is one with its failure and no figure."""
    found = []
    for result in results:
        where = {key: result.get(key) for key in ("bench", "machine", "commit", "at")}
        found += [{**answer, **where} for answer in result["answers"]]
        if result["failure"]:
            found.append({
                "name": result["bench"], "figure": None, "unit": None, "beside": None,
                "rival": None, "ratio": None, "bar": None, "holds": None, "spread": None,
                "runs": 0, **where, "failure": result["failure"],
            })  # fmt: skip
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=f"of {', '.join(BENCHES)}")
    parser.add_argument("--peers", action="store_true", help="the competition: fetched, built, run")
    asked = parser.parse_args()
    known = PEERS if asked.peers else BENCHES
    unknown = [name for name in asked.benches if name not in known]
    if unknown:
        parser.error(f"no bench {', '.join(unknown)}; there are {', '.join(known)}")
    names = asked.benches or list(known)

    began = time.monotonic()
    results = []
    for number, name in enumerate(names, 1):
        spent = time.monotonic() - began
        print(f"\n== {number}/{len(names)} {name} ({spent:.0f} s so far)", flush=True)
        results.append(run(name, known[name]))

    file = "peers" if asked.peers else "latest"
    LEFT.mkdir(parents=True, exist_ok=True)
    (LEFT / f"{file}.json").write_text(json.dumps(objects(results), indent=1, ensure_ascii=False))
    (LEFT / f"{file}.html").write_text(page(results, machine()))
    print(f"\n== {time.monotonic() - began:.0f} s in all; build/bench/{file}.json, {file}.html\n")
    print(table([answer for result in results for answer in answers_of(result)]))
    failed = [result for result in results if result["failure"]]
    for result in failed:
        print(f"FAILED {result['bench']}: {result['failure']}")
    missed = [a.name for result in results for a in answers_of(result) if a.holds is False]
    if missed:
        print(f"{len(missed)} bars missed: {'; '.join(missed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
