"""Snapshots of the state: made beside a running engine, by a process that only reads.

    journal ─▶ newest snapshot ─▶ entries after it, folded ─▶ <journal>.state

A restart reads the snapshot and folds what came after it, so what bounds a restart is how much may
come between two snapshots. The engine itself writes one when it ends; after a kill it is the last
one of these.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from posengine._native.snapshot import save_state, saved_state
from posengine.engine.configuration import Configuration
from posengine.engine.engine import state_path_of


@dataclass(frozen=True, slots=True)
class SavedState:
    """The newest snapshot."""

    is_new: bool
    """Made by this call; else there was too little to make one for."""
    sequence: int
    """Of its last entry; 0: there is none."""
    folded: int
    """Entries that came after the one before it."""
    size: int
    at_ns: int
    """UTC, nanoseconds."""
    journal_id: str


def save(configuration: Configuration, *, entries_min: int = 1) -> SavedState:
    """Make a snapshot of what is durable, if ``entries_min`` entries came since the newest.

    Raises:
        PosError: the journal cannot be read or the file not be written; the older one stays.
    """
    return _of(
        save_state(
            bytes(configuration.journal), bytes(state_path_of(configuration.journal)),
            dict(configuration.engine), entries_min, True,
        )
    )  # fmt: skip


def newest(journal: Path) -> SavedState:
    """What the snapshot beside ``journal`` says of itself.

    Raises:
        EntryAbsent: there is none.
        ImageError: it is damaged or of another build.
    """
    return _of(saved_state(bytes(state_path_of(journal))))


def _of(facts: tuple[bool, int, int, int, int, bytes]) -> SavedState:
    *numbers, journal_id = facts
    is_new, sequence, folded, size, at_ns = numbers
    return SavedState(bool(is_new), sequence, folded, size, at_ns, journal_id.hex())


def give_way() -> None:
    """The line goes first: this process takes what nobody else wants."""
    os.nice(19)


def saver_command(configuration_file: str) -> list[str]:
    """The command line of one snapshot, for a supervisor."""
    return [
        sys.executable, "-m", "posengine.cli", "serve", "--config", configuration_file,
        "--save-state",
    ]  # fmt: skip
