"""Replay: the journal read from a named checkpoint, which moves after acknowledgement only."""

from posengine.replay.replay import CheckpointAhead, Replay, ReplayPage, adopt, restart
from posengine.replay.source import Checkpoints, Entry, Page, Source

__all__ = [
    "CheckpointAhead",
    "Checkpoints",
    "Entry",
    "Page",
    "Replay",
    "ReplayPage",
    "Source",
    "adopt",
    "restart",
]
