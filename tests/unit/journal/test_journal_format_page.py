"""Goal: the page that describes the format names every column as it is written.

Method: the table of docs/reference/journal_format.md against a page's own directory.
"""

from __future__ import annotations

import re
from pathlib import Path

from posengine.journal import Journal

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "journal_format.md"
TYPES = {"i64": 1, "u64": 2, "u32": 3, "u16": 4, "u8": 5, "text": 6, "bytes": 7}


def test_the_description_names_every_column_in_order(tmp_path: Path) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\d+) \|", PAGE.read_text(), re.M)
    with Journal.open(tmp_path / "journal", volume_size_max=1 << 18) as journal:
        journal.stage()
        journal.commit()
        columns = next(journal.pages())._view.columns()
    assert [(name, TYPES[kind], int(width)) for name, kind, width in rows] == [
        (name, kind, width) for name, (kind, width, _) in columns.items()
    ]
