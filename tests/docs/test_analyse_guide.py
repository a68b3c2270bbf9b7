"""Goal: the three examples of docs/howto/analyse.md run as they stand and find what is there.

Method: each block as a program of its own beside a small journal of one day.
"""

import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet

from posengine.journal import Journal
from posengine.vocabulary import Kind, Outcome

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "analyse.md"
NOON = 1_795_262_400_000_000_000  # 2026-11-21 12:00:00 UTC


def test_every_example_runs_and_finds_what_is_there(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal", volume_size_max=1 << 18) as journal:
        for number in range(100):
            journal.stage(
                kind=int(Kind.SALE), outcome=int(Outcome.APPROVED), amount_minor=100,
                mid=f"M{number % 4:014d}", tid=f"T{number % 7:07d}", received_at_ns=NOON,
                pan_token=bytes([number % 5]) * 16, bin=622500, last4=number % 5,
            )  # fmt: skip
        journal.commit()
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.S)
    assert len(blocks) == 3
    said = [
        subprocess.run(
            [sys.executable, "-c", block], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout
        for block in blocks
    ]
    assert "M00000000000003" in said[0] and "25.0" in said[0]
    assert "terminals" in said[1] and " 7 " in said[1]
    table = pyarrow.parquet.read_table(tmp_path / "journal.parquet")
    assert table.num_rows == 100 and sum(table["amount"].to_pylist()) == 10_000
