"""Goal: the pages about the journal say what is so.

Method: the table of docs/reference/journal_format.md against a page's own directory; the Python of
docs/howto/look_after_the_journal.md and of docs/reference/python.md, run.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from posengine.journal import Journal
from posengine.vocabulary import Kind, Outcome

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "reference" / "journal_format.md"
TYPES = {"i64": 1, "u64": 2, "u32": 3, "u16": 4, "u8": 5, "text": 6, "bytes": 7}


def test_the_description_names_every_column_in_order(tmp_path: Path) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\d+) \|", PAGE.read_text(), re.M)
    key = bytes(32)  # a page with account numbers has every column that there is
    with Journal.open(tmp_path / "journal", volume_size_max=1 << 18, master_key=key) as journal:
        journal.stage()
        journal.commit()
        columns = next(journal.pages())._view.columns()
    assert [(name, TYPES[kind], int(width)) for name, kind, width in rows] == [
        (name, kind, width) for name, (kind, width, _) in columns.items()
    ]


def test_the_example_sums_the_approved_sales(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (DOCS / "howto" / "look_after_the_journal.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    monkeypatch.chdir(tmp_path)
    with Journal.open("journal", volume_size_max=1 << 18) as journal:
        for kind in (Kind.SALE, Kind.REFUND):
            for outcome in (Outcome.APPROVED, Outcome.DECLINED):
                journal.stage(kind=int(kind), outcome=int(outcome), amount_minor=7)
        journal.stage(kind=int(Kind.SALE), outcome=int(Outcome.APPROVED), amount_minor=100)
        journal.commit()
    names: dict[str, object] = {}
    exec(compile(block, "look_after_the_journal.md", "exec"), names)
    assert names["total"] == 107


def test_the_example_of_the_reference_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = (DOCS / "reference" / "python.md").read_text().split("\n## The journal", 1)[1]
    (block,) = re.findall(r"^```python\n(.*?)^```", section.split("\n## ")[0], re.M | re.S)
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "python.md", "exec"), {})
    assert (tmp_path / "a-journal" / "meta").exists()
