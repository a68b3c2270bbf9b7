"""Goal: an engine says which path of the processor it takes, and does not pass over one it cannot.

Method: each wish in a process of its own, since a process asks once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from posengine._native.status import cpu_path_best
from posengine.engine.processor import PATHS

ASK = "from posengine.engine.processor import processor_path; print(processor_path())"


def _ran(asked: str | None, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "POSENGINE_CPU"}
    if asked is not None:
        environment["POSENGINE_CPU"] = asked
    return subprocess.run(
        [sys.executable, *command], env=environment, check=False, capture_output=True, text=True
    )


@pytest.mark.parametrize("asked", [None, "", *PATHS])
def test_a_path_that_is_there_is_taken(asked: str | None) -> None:
    ran = _ran(asked, "-c", ASK)
    if asked and PATHS.index(asked) > PATHS.index(cpu_path_best()):
        assert ran.returncode != 0 and "is not to be had" in ran.stderr
    else:
        assert ran.stdout.strip() == (asked or cpu_path_best())


@pytest.mark.parametrize("asked", ["avx9", "AVX2", "portable "])
def test_a_name_that_is_no_path_stops_the_start(asked: str, tmp_path: Path) -> None:
    told = _ran(None, "-m", "posengine.cli", "serve", "--init", str(tmp_path / "shop"))
    assert told.returncode == 0, told.stderr
    for extra in (["--check"], ["--alone"], []):
        config = str(tmp_path / "shop" / "posengine.toml")
        ran = _ran(asked, "-m", "posengine.cli", "serve", "--config", config, *extra)
        assert ran.returncode == 2, (extra, ran.stdout, ran.stderr)
        assert f"POSENGINE_CPU: {asked!r} is not to be had" in ran.stderr
        assert cpu_path_best() in ran.stderr


def test_check_names_the_path(tmp_path: Path) -> None:
    _ran(None, "-m", "posengine.cli", "serve", "--init", str(tmp_path / "shop"))
    config = str(tmp_path / "shop" / "posengine.toml")
    ran = _ran("portable", "-m", "posengine.cli", "serve", "--config", config, "--check")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.rstrip().endswith("cpu portable")
