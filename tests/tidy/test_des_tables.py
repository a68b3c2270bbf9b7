"""Goal: what is generated of DES is what its generator writes.

Method: the generator, which works from the tables of FIPS 46-3, compares.
"""

import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]


def test_the_tables_of_the_wave_are_what_their_generator_writes() -> None:
    command = [sys.executable, "tools/des_tables.py", "--check"]
    assert subprocess.run(command, cwd=HOME, check=False).returncode == 0
