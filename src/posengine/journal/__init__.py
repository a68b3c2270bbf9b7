"""The journal: opened, read as columns or entries, found in, verified, exported, copied.

    with Journal.open("journal", readonly=True) as journal:
        for page in journal.pages(columns=["amount", "kind"]):
            total += page.columns["amount"][page.columns["kind"] == Kind.SALE].sum()
"""

from posengine.journal.entry import Entry
from posengine.journal.export import Trailer, export_csv, export_jsonl
from posengine.journal.journal import Facts, Journal, Verdict
from posengine.journal.page import Page
from posengine.journal.scan import Scan

__all__ = [
    "Entry",
    "Facts",
    "Journal",
    "Page",
    "Scan",
    "Trailer",
    "Verdict",
    "export_csv",
    "export_jsonl",
]
