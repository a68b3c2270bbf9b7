"""The auditor: what a journal adds up to, and whether what was claimed of it is so.

    posload audit JOURNAL --report report.json

The pages are copied by a process of its own (``posload.dump``); they are proved and added up in
Rust, from the description of the format alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posload.native import LoadError, audit_pages
from posload.report import Report


@dataclass(frozen=True)
class Finding:
    """What the auditor found. ``disagreement`` is the first one, in words; ``None``: all agrees."""

    facts: Mapping[str, Any]

    @property
    def agrees(self) -> bool:
        return bool(self.facts["agrees"])

    @property
    def disagreement(self) -> str | None:
        found: str | None = self.facts["disagreement"]
        return found

    def __str__(self) -> str:
        facts = self.facts
        verdict = "agrees 一致" if self.agrees else f"DISAGREES 不一致: {self.disagreement}"
        counts = ", ".join(f"{name} {number:,}" for name, number in facts["counts"].items())
        return (
            f"{facts['pages']:,} pages, {facts['entries']:,} entries, {facts['bytes']:,} bytes: "
            f"CRC-32C, SHA-256 and chain worked out anew\n"
            f"{facts['settlements']:,} closed batches held against their entries, "
            f"{facts['claims_held']:,} claims held against the journal\n{counts}\n{verdict}"
        )


def audit(
    pages: Path, *, report: Report | None = None, counters: Mapping[str, int] | None = None,
    after: int = 0,
) -> Finding:  # fmt: skip
    """Proves a journal (a directory, or a dump of its pages) and holds claims against it.

    Args:
        pages: the journal's directory, or what ``posload.dump`` made of it.
        report: a run's: each of its terminals' totals must be the journal's.
        counters: an engine's: its durable sequence must be the journal's last.
        after: totals count entries after this sequence: what was there before the run.

    Raises:
        LoadError: it is no journal and no dump.
    """
    claims = []
    if report is not None:
        for terminal in report.facts["terminals"]:
            claims.append("terminal " + " ".join(str(word) for word in terminal[:6]))
    if counters is not None:
        claims.append(f"last {counters['journal_durable_sequence']}")
    if not pages.is_dir():
        return Finding(audit_pages(pages, "\n".join(claims), after))
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "pages"
        done = subprocess.run(
            [sys.executable, "-m", "posload.dump", pages, copy],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise LoadError(done.stderr.strip() or f"{pages} could not be copied")
        return Finding(audit_pages(copy, "\n".join(claims), after))


def as_json(finding: Finding) -> str:
    return json.dumps(finding.facts, indent=1, ensure_ascii=False)
