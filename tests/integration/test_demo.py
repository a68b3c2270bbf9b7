"""Goal: the demonstration that a stranger sees first holds what it says.

Method: the quick one, as a command, in a directory of its own; every check must be made and right.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHECKS = (
    "5,000 transactions in 120 s",
    "every terminal balanced",
    "journal verify clean",
    "the independent reader agrees",
    "the webhook got every event once",
    "daily files agree with their trailers",
    "five planted breaks are named",
)


@pytest.mark.slow
def test_the_quick_demonstration_passes_every_check(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "posengine", "demo", "--quick", "--terminals", "50"]
    done = subprocess.run(
        [*command, "--home", str(tmp_path / "demo")], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for check in CHECKS:
        (line,) = [line for line in done.stdout.splitlines() if check in line]
        assert line.lstrip().startswith("✓"), line
    assert "all right" in done.stdout and "全部通过" in done.stdout
    assert "posengine journal show" in " ".join(done.stdout.split())


def test_a_directory_of_somebody_s_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("irreplaceable")
    command = [sys.executable, "-m", "posengine", "demo", "--home", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3 and "not empty" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "irreplaceable"
