"""A peer's program that stays up: asked by a line, it answers with lines up to a full stop."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from had import Absent


class Reader:
    """The program ``given``, until it is closed."""

    def __init__(self, given: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, word: str) -> list[str]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        lines = []
        for line in self._process.stdout:
            if line == ".\n":
                return lines
            lines.append(line.rstrip("\n"))
        raise Absent(f"ended with exit code {self._process.wait()}")

    def run_ns(self) -> float:
        return float(self.ask("run")[0])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
