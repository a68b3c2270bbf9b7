"""The journal as Arrow: what DuckDB, polars and pyarrow read without a copy and without asking us.

    Journal.arrow(["kind", "amount"]) ──▶ Scan ──▶ a stream of batches, one a page, over the map

No Arrow library is needed here: the core fills the structures of the Arrow C data interface, and
the consumer takes them from a capsule (``__arrow_c_stream__``).
"""

from __future__ import annotations

from collections.abc import Sequence

from posengine._native.journal import ARROW_FIELDS, Handle


class Scan:
    """A part of a journal, to be read by whatever reads Arrow; as often as wanted, from the start.

    Types: ``sequence`` u64, ``business_date`` date, ``received_at`` and ``terminal_at`` timestamps
    in nanoseconds UTC (``terminal_at`` null where the terminal said nothing), ``amount`` i64 in
    minor units, texts utf8 padded with blanks, ``kind`` and ``outcome`` words, tokens 16 bytes.
    Borrowing: batches are the map itself; a journal that is closed lets its files go after the
    last of them.
    """

    NAMES = ARROW_FIELDS
    """Every column that a scan can give."""

    __slots__ = ("_after", "_fields", "_handle", "_until")

    def __init__(
        self, handle: Handle, columns: Sequence[str] | None, *, after: int, until: int
    ) -> None:
        names = ARROW_FIELDS if columns is None else columns
        unknown = [name for name in names if name not in ARROW_FIELDS]
        if unknown or not names:
            wrong = f"no column {unknown[0]!r}" if unknown else "no columns"
            raise ValueError(f"{wrong}; there are {', '.join(ARROW_FIELDS)}")
        self._handle = handle
        self._fields = [ARROW_FIELDS.index(name) for name in names]
        self._after = after
        self._until = until

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The stream, in a capsule. ``requested_schema`` is not followed, as is allowed."""
        return self._handle.arrow(self._fields, self._after, self._until)
