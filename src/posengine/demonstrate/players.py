"""The processes of a demonstration: started, watched, ended politely, their words kept in files.

Each is a verb of posengine itself, run as a stranger would run it: what the demonstration shows
can be typed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from posengine.errors import PosError, Whose

END_S_MAX = 15.0


class PlayerFault(PosError):
    """A process of the demonstration did not start, or ended when it should not."""

    whose: ClassVar[Whose] = "us"


@dataclass(slots=True)
class Player:
    """A running process; ``words`` is the file of its stdout and stderr."""

    name: str
    process: subprocess.Popen[bytes]
    words: Path

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def last_words(self, lines: int = 12) -> str:
        """The end of what it said."""
        said = self.words.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(said[-lines:])

    def end(self) -> int:
        """SIGTERM, wait, and SIGKILL where that does not help; the exit code."""
        if not self.has_ended:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(END_S_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


def verb(*words: str) -> list[str]:
    """The command of a verb, with this very interpreter."""
    return [sys.executable, "-m", "posengine", *words]


def typed(command: Sequence[str]) -> str:
    """The command as a person types it here: by its path where the shell would not find it."""
    words = list(command)
    if words[:3] == [sys.executable, "-m", "posengine"]:
        beside = Path(sys.executable).with_name("posengine")
        is_found = shutil.which("posengine") is not None or not beside.exists()
        words = ["posengine" if is_found else os.path.relpath(beside), *words[3:]]
    return shlex.join(words)


def start(name: str, command: Sequence[str], *, home: Path, cwd: Path | None = None) -> Player:
    """Starts a process whose words go to ``home/NAME.log``."""
    path = home / f"{name}.log"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with path.open("wb") as words:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=environment,
        )
    return Player(name, process, path)


def wait_until(
    player: Player,
    holds: Callable[[], bool],
    *,
    seconds_max: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """Until ``holds``. Raises: PlayerFault with the player's last words."""
    end_at = clock() + seconds_max
    while not holds():
        if player.has_ended:
            raise PlayerFault(
                f"{player.name} ended with {player.process.returncode}:\n{player.last_words()}"
            )
        if clock() > end_at:
            raise PlayerFault(
                f"{player.name} was not ready in {seconds_max:g} s:\n{player.last_words()}"
            )
        sleep(0.02)


def run(command: Sequence[str], *, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a verb to its end and keeps what it says. The caller looks at the exit code."""
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=cwd, check=False
    )
