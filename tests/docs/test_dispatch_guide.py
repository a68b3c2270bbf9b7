"""Goal: the program in the guide to dispatch does what the guide says.

Method: it is cut out of the page and run in a directory with a journal.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from paper.journal import sale
from paper.real import write

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "dispatch.md"


def test_the_printer_of_the_guide_prints_each_entry_once(tmp_path: Path) -> None:
    program = PAGE.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    write(tmp_path / "journal", [[sale(10), sale(20)], [sale(30)]]).close()
    for wanted in ("1 10\n2 20\n3 30\n", ""):
        ran = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )
        assert (ran.returncode, ran.stdout) == (0, wanted), ran.stderr
