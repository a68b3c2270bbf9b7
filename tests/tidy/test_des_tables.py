"""Goal: what is generated of DES is what its generator writes.

Method: the generators, which work from the tables of FIPS 46-3, compare.
"""

import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("generator", ["des_tables", "des_circuits"])
def test_the_generated_files_of_des_are_what_their_generator_writes(generator: str) -> None:
    command = [sys.executable, f"tools/{generator}.py", "--check"]
    assert subprocess.run(command, cwd=HOME, check=False).returncode == 0
