"""Paper entries written into a real journal, as the engine would."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from paper.journal import PaperEntry
from posengine.journal import Journal

_NAMES = [field.name for field in fields(PaperEntry) if field.name != "sequence"]


def write(path: Path, pages: Iterable[Iterable[PaperEntry]]) -> Journal:
    """Stage and commit ``pages``; the business date follows from the entries' times (China).

    The journal is left open to write; close it.
    """
    journal = Journal.open(path, volume_size_max=16 << 20)
    append(journal, pages)
    return journal


def append(journal: Journal, pages: Iterable[Iterable[PaperEntry]]) -> None:
    """More pages, one commit each."""
    for page in pages:
        for entry in page:
            facts = {name: getattr(entry, name) for name in _NAMES}
            facts["rrn"] = entry.rrn or f"{journal.last_sequence + 1:012d}"
            journal.stage(**facts)
        journal.commit()
