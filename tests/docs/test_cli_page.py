"""Goal: the page of verbs says what the verbs themselves say.

Method: it is written again and compared.
"""

import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]


def test_the_page_of_verbs_is_what_help_prints() -> None:
    command = [sys.executable, "tools/cli_docs.py", "--check"]
    checked = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
