"""The operator's side of the control socket: one command, one answer."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from posengine.errors import EngineError, EngineStopped

ANSWER_SIZE_MAX = 1 << 20


def ask(path: Path, command: str, *, timeout_s: float) -> str:
    """Send ``command`` and return the answer.

    Raises:
        EngineStopped: nobody listens at ``path``, or not in time.
        EngineError: the engine refused; its reason is the text.
    """
    answer = bytearray()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(timeout_s)
            line.connect(str(path))
            line.sendall(command.encode() + b"\n")
            while some := line.recv(65_536):
                answer += some
                if len(answer) > ANSWER_SIZE_MAX:
                    break
    except OSError as error:
        raise EngineStopped(f"{path}: no engine answers: {error.strerror or error}") from error
    text = answer.decode("utf-8", "replace")
    if text.startswith("error:"):
        raise EngineError(text.removeprefix("error:").strip())
    return text


def stat(path: Path, *, timeout_s: float) -> dict[str, Any]:
    """What the engine is doing: ``counters``, ``stages_ns``, ``version``, ``spec``,
    ``cpu_path`` (in force) and ``cpu_path_best`` (what this processor has).

    Raises:
        EngineStopped: nobody listens at ``path``, or what answers is no engine.
    """
    try:
        found: dict[str, Any] = json.loads(ask(path, "stat", timeout_s=timeout_s))
    except json.JSONDecodeError as error:
        raise EngineStopped(f"{path}: the answer is not an engine's") from error
    return found
