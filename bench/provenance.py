"""Where figures come from: the commit that was measured, for every bench's JSON."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent


def commit() -> str:
    """The short name of the checked-out commit; "unknown" outside a checkout or without git."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    asked = subprocess.run(
        [git, "-C", str(HOME), "rev-parse", "--short", "HEAD"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return asked.stdout.strip() or "unknown"
