"""The engine: one journal, one writer, behind sockets or embedded.

    Engine          frames in, durable decisions, replies out
    serve           one engine from a configuration file, until it is told to end
    Supervisor      starts an engine again that failed

Names are imported when first used: a start should wait for nothing that it does not need.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posengine.engine.configuration import Configuration, read_configuration
    from posengine.engine.control import ask, stat
    from posengine.engine.downloads import compile_downloads
    from posengine.engine.engine import Engine, Reply, Stage
    from posengine.engine.questions import Questions
    from posengine.engine.supervisor import Supervisor

_MODULES = {
    "Configuration": "configuration",
    "Engine": "engine",
    "Questions": "questions",
    "Reply": "engine",
    "Stage": "engine",
    "Supervisor": "supervisor",
    "ask": "control",
    "compile_downloads": "downloads",
    "read_configuration": "configuration",
    "stat": "control",
}

__all__ = [
    "Configuration",
    "Engine",
    "Questions",
    "Reply",
    "Stage",
    "Supervisor",
    "ask",
    "compile_downloads",
    "read_configuration",
    "stat",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
