"""``posengine serve`` as a process of its own, for tests: started, watched, killed, restarted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from oracle.terminal import Line
from paper.shop import Shop
from posengine.engine.control import ask

START_S_MAX = 20.0


@dataclass
class Server:
    """One engine process over a shop's directory; its log goes to ``home/log``."""

    shop: Shop
    environment: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ("--alone",)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def log_file(self) -> Path:
        return self.shop.home / "log"

    def log(self) -> str:
        return self.log_file.read_text("utf-8", "replace")

    def start(self) -> None:
        """Start the engine and wait until it listens."""
        self.starts += 1
        before = self.log().count("event=listening") if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "posengine.cli", "serve", "--config",
                 str(self.shop.home / "posengine.toml"), *self.arguments],
                stderr=log, stdout=log, env={**os.environ, **self.environment},
            )  # fmt: skip
        try:
            self.wait_for("event=listening", before + 1)
        except AssertionError:
            self.kill()  # nobody comes to close what has not begun
            raise
        words = [line for line in self.log().splitlines() if "event=listening" in line][-1]
        self.port = int(words.rsplit("port=", 1)[1].split()[0])

    def wait_for(self, words: str, count: int = 1) -> None:
        """Until the log has ``words`` so often, or the process has ended."""
        began = time.monotonic()
        while self.log().count(words) < count:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.log()}")
            if time.monotonic() - began > START_S_MAX:
                raise AssertionError(f"no {words!r} in time: {self.log()}")
            time.sleep(0.01)

    def line(self) -> Line:
        return Line("127.0.0.1", self.port)

    def ask(self, command: str) -> str:
        return ask(self.shop.home / "control.sock", command, timeout_s=10)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def drain(self) -> int:
        """SIGTERM; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=START_S_MAX)
