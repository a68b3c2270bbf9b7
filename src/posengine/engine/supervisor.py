"""The supervisor: a small parent that starts the engine again after a failure.

    supervisor ── spawn ──▶ engine
        │  SIGTERM, SIGINT, SIGHUP are passed on
        └─ ended with 0: done
           ended otherwise: again, after a delay that doubles while the ends come quickly;
           after ``quick_max`` quick ends in a row: give up, with the engine's own exit code

    supervisor ── spawn, every so often ──▶ saver     a snapshot of the state, from the journal

A failed commit ends the engine by law: its outcome is unknown, and only opening the journal anew
tells what is on disk. The supervisor holds no state that a restart could lose.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

from posengine.engine.configuration import Restarts
from posengine.engine.signals import PASSED_ON


@dataclass(slots=True)
class Supervisor:
    """One engine process at a time. ``clock`` is monotonic seconds; ``tell`` takes a log line."""

    command: Sequence[str]
    restarts: Restarts
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    tell: Callable[[str], None]
    saver: Sequence[str] = ()
    """The command that makes a snapshot; empty: none is made."""
    saver_every_s: float = 60.0
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _saver: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _is_ending: bool = field(default=False, init=False)

    def run(self) -> int:
        """Until the engine ends with 0, is told to end, or fails too quickly too often.

        Returns:
            The exit code: 0, or that of the last engine (128 and its signal where one killed it).
        """
        before = {number: signal.signal(number, self._pass_on) for number in PASSED_ON}
        try:
            return self._keep_running()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _keep_running(self) -> int:
        quick = 0
        delay_s = self.restarts.delay_s
        while True:
            began_s = self.clock()
            code = self._run_once()
            lived_s = self.clock() - began_s
            if code == 0 or self._is_ending:
                self.tell(f"level=info event=engine_ended code={code}")
                return code
            if lived_s < self.restarts.quick_s:
                quick += 1
                delay_s = min(delay_s * 2, self.restarts.delay_s_max)
            else:
                quick = 0
                delay_s = self.restarts.delay_s
            if quick >= self.restarts.quick_max:
                self.tell(f"level=error event=gave_up code={code} quick_ends={quick}")
                return code
            self.tell(
                f"level=error event=engine_failed code={code} lived_s={lived_s:.1f} "
                f"again_in_s={delay_s:.1f}"
            )
            self.sleep(delay_s)
            if self._is_ending:
                return 0

    def _run_once(self) -> int:
        self._child = subprocess.Popen(self.command)
        self.tell(f"level=info event=engine_started pid={self._child.pid}")
        code = self._wait(self._child)
        self._child = None
        return code if code >= 0 else 128 - code

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        """The engine's end; meanwhile snapshots, one at a time."""
        if not self.saver:
            return child.wait()
        while True:
            try:
                return child.wait(timeout=self.saver_every_s)
            except subprocess.TimeoutExpired:
                self._save()

    def _save(self) -> None:
        """A snapshot that fails costs the next start its time and nothing else; the log says so."""
        if self._saver is None or self._saver.poll() is not None:
            self._saver = subprocess.Popen(self.saver)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number != signal.SIGHUP:
            self._is_ending = True
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(number)
        if self._is_ending and self._saver is not None and self._saver.poll() is None:
            self._saver.terminate()  # the engine writes one itself when it ends


def engine_command(configuration_file: str) -> list[str]:
    """The command line of one engine under a supervisor."""
    return [
        sys.executable, "-m", "posengine.cli", "serve", "--config", configuration_file, "--alone",
    ]
