"""Python decides: a function that is called once a wave with columns and gives back response codes.

    def decide(wave: Questions) -> None:
        wave.response[wave.amount_minor > 50_000] = b"61"

    Engine(..., decide=decide)

``Questions`` is a NumPy record array over the engine's own memory, one row a request that is
authenticated and may move money. It is borrowed for the call: keep copies of what you keep. Codes
left at ``b"00"`` leave the decision to the policy; any other code declines. A function that raises
has declined the whole wave with 96. It runs on the engine's thread: every message waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from posengine._native.engine import QUESTION_SIZE

Questions = np.recarray[Any, Any]
Decide = Callable[[Questions], object]

# pos_question of posengine/engine.h, field by field.
QUESTION = np.dtype(
    {
        "names": [
            "amount_minor", "processing", "stan", "batch", "bin", "flags", "last4", "mti",
            "currency", "entry_mode", "kind", "condition", "tid", "mid", "pan_token", "response",
        ],
        "formats": [
            "<i8", "<u4", "<u4", "<u4", "<u4", "<u4", "<u2", "<u2",
            "<u2", "<u2", "u1", "u1", "S8", "S15", "V16", "S2",
        ],
        "offsets": [0, 8, 12, 16, 20, 24, 28, 30, 32, 34, 36, 37, 38, 46, 61, 77],
        "itemsize": QUESTION_SIZE,
    }
)  # fmt: skip


def over_memory(decide: Decide) -> Callable[[memoryview], None]:
    """``decide`` as the core calls it: with memory, which becomes columns without a copy."""

    def ask(memory: memoryview) -> None:
        decide(np.frombuffer(memory, dtype=QUESTION).view(np.recarray))

    return ask
