"""Verifying in a process of its own: a damaged tree can end LMDB with a signal, not an error.

    parent ── python -m posengine.journal.scrub PATH ──▶ child reads everything
       ◀── one line of JSON a page, {"sequence": N}, and last {"verdict": {...}} ──

The parent knows what was whole when the child died.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict

from posengine.errors import BY_STATUS, PosError, SystemFault
from posengine.journal.journal import Journal, Verdict


def scrub(path: str, *, progress: Callable[[int], object] | None = None) -> Verdict:
    """Verify the journal at ``path`` in a child process.

    Raises:
        PosError: as opening does; SystemFault where the child could not run.
    """
    command = [sys.executable, "-m", "posengine.journal.scrub", path]
    whole = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            fact = json.loads(line)
            if "verdict" in fact:
                return Verdict(**fact["verdict"])
            if "error" in fact:
                raise BY_STATUS[fact["error"]](fact["text"])
            whole = fact["sequence"]
            if progress is not None:
                progress(whole)
    if child.returncode >= 0:
        raise SystemFault(f"{path}: the verifying process ended with {child.returncode}")
    return Verdict(
        pages=0,
        entries=whole,
        bytes=0,
        first_bad_sequence=whole + 1,
        status="JOURNAL_CORRUPT",
        reason=f"{signal.Signals(-child.returncode).name} on reading: the tree is damaged",
    )


def _say(fact: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


def _main(path: str) -> None:
    try:
        with Journal.open(path, readonly=True) as journal:
            verdict = journal.verify(lambda sequence: _say({"sequence": sequence}))
        _say({"verdict": asdict(verdict)})
    except PosError as error:
        _say({"error": error.status, "text": str(error)})


if __name__ == "__main__":
    _main(sys.argv[1])
