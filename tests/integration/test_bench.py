"""Goal: every bench runs, finds its results right and leaves its figures. No figure is judged here.

Method: each with its smallest load; the JSON must name its question and hold figures.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
SMALLEST = {
    "engine": "1000", "facts": "1", "growth": "200000",
    "journal": "1", "latency": "0.3", "mac": "1", "machine": "0.02", "parse": "1",
    "python": "50", "restart": "20000", "serve": "0.01", "state": "5000", "sums": "1",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("bench", SMALLEST)
def test_a_bench_asserts_its_results_and_leaves_its_figures(bench: str) -> None:
    figures = HOME / "build" / "bench" / f"{bench}.json"
    figures.unlink(missing_ok=True)
    command = [sys.executable, f"bench/{bench}.py", SMALLEST[bench]]
    ran = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    left = json.loads(figures.read_text())
    assert left["question"] and left["machine"] and left["command"]
    assert any(isinstance(value, (dict, list)) and value for value in left.values())
