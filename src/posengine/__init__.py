"""posengine: a durable, replayable transaction engine for acquirers.

    from posengine import Spec
    spec = Spec.load("unionpay-terminal")
    message = spec.parse(body)

Names are imported when first used, so that a program pays for the rooms that it enters.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# name -> room; the house's public face, see docs/reference/python.md
_ROOMS = {
    "Spec": "posengine.codec",
    "Message": "posengine.codec",
    "explain": "posengine.codec",
    "mac": "posengine.mac",
    "Journal": "posengine.journal",
    "Engine": "posengine.engine",
    "Replay": "posengine.replay",
    "deliver": "posengine.dispatch",
    "reconcile": "posengine.reconcile",
    "PosError": "posengine.errors",
}
_MODULES = {"mac"}

__all__ = ["__version__", *sorted(_ROOMS)]


def __getattr__(name: str) -> Any:
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module 'posengine' has no attribute {name!r}")
    module = importlib.import_module(room)
    return module if name in _MODULES else getattr(module, name)
