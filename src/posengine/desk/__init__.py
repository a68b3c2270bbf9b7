"""The desk: what people and customers did that no journal can rebuild, in one SQLite file."""

from posengine.desk.facts import (
    Checkpoint,
    ClosedBreak,
    DeadLetter,
    Delivery,
    Import,
)
from posengine.desk.store import (
    CheckpointBackward,
    CheckpointForeign,
    Desk,
    DeskError,
    DeskHeld,
    check_name,
)

__all__ = [
    "Checkpoint",
    "CheckpointBackward",
    "CheckpointForeign",
    "ClosedBreak",
    "DeadLetter",
    "Delivery",
    "Desk",
    "DeskError",
    "DeskHeld",
    "Import",
    "check_name",
]
