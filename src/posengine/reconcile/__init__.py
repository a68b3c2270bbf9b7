"""Reconcile: the journal against statements and terminal batches, each break named."""

from posengine.reconcile.batches import BatchCheck, Totals, check_batches
from posengine.reconcile.facts import BREAK_WORDS, Break, Ours, Settlement, Side, Theirs
from posengine.reconcile.layout import (
    Layout,
    date_of,
    layout_text,
    load_layout,
    number_of,
    shipped_layouts,
)
from posengine.reconcile.match import match
from posengine.reconcile.ours import postings
from posengine.reconcile.statement import (
    Statement,
    StatementFault,
    read_statement,
    write_statement,
)
from posengine.replay import Source


def reconcile(journal: Source, statement: Statement, on: int) -> Settlement:
    """Compare one business date of the journal with a statement of theirs.

    Args:
        on: the business date, as 20261121.

    Returns:
        What agrees, what both sides add up to, and every break with its reason.
    """
    layout = statement.layout
    return match(
        postings(journal, on=on, netted=layout.voids == "netted"),
        statement.rows,
        on=on,
        key=layout.key,
        faults=statement.faults,
    )


__all__ = [
    "BREAK_WORDS",
    "BatchCheck",
    "Break",
    "Layout",
    "Ours",
    "Settlement",
    "Side",
    "Statement",
    "StatementFault",
    "Theirs",
    "Totals",
    "check_batches",
    "date_of",
    "layout_text",
    "load_layout",
    "match",
    "number_of",
    "postings",
    "read_statement",
    "reconcile",
    "shipped_layouts",
    "write_statement",
]
