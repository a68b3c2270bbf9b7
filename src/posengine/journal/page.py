"""One page, in place: columns straight from the map, rows as entries when asked for.

    Page.columns["amount"] ──▶ NumPy view ──▶ PageView ──▶ Handle ──▶ the map

Nothing is copied until somebody wants an ``Entry``. Each array keeps the map alive by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from posengine._native.journal import PageView
from posengine.journal.entry import Entry

_FIXED = {1: "<i8", 2: "<u8", 3: "<u4", 4: "<u2", 5: "u1"}
_TEXT, _BYTES = 6, 7


# The columns of every page of this build, as the first one that was read has them.
_OFFERED: set[str] = set()


@lru_cache(maxsize=64)
def _dtype(column: int, width: int) -> np.dtype[Any]:
    if column in _FIXED:
        return np.dtype(_FIXED[column])
    return np.dtype(f"{'S' if column == _TEXT else 'V'}{width}")


class Columns(Mapping[str, NDArray[Any]]):
    """A page's columns by name, each made when it is first asked for.

    Shape: ``(count,)``. Text is ``S``, padded with blanks; tokens and fingerprints are ``V16``.
    Borrowing: read-only views of the map; they stay right, also after the journal was closed.
    """

    __slots__ = ("_made", "_view", "_wanted")

    def __init__(self, view: PageView, wanted: Sequence[str] | None) -> None:
        # A page of this build has what the one before had: nobody looks twice.
        is_known = view.is_usual and wanted is not None and _OFFERED.issuperset(wanted)
        if not is_known:
            places = view.columns()
            if view.is_usual:
                _OFFERED.update(places)
                _OFFERED.discard("pan_cipher")  # in pages that keep account numbers alone
            unknown = sorted(set(wanted or ()) - set(places))
            if unknown:
                raise ValueError(f"no column {unknown[0]!r}; there are {', '.join(places)}")
            wanted = tuple(places) if wanted is None else wanted
        self._wanted = wanted
        self._view = view
        self._made: dict[str, NDArray[Any]] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        made = self._made.get(name)
        if made is None:
            if self._wanted is None or name not in self._wanted:
                raise KeyError(name)
            kind, width, offset = self._view.place(name)
            lent = memoryview(self._view)
            made = np.frombuffer(lent, _dtype(kind, width), self._view.count, offset)
            self._made[name] = made
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._wanted or ())

    def __len__(self) -> int:
        return len(self._wanted or ())


class Page(Sequence[Entry]):
    """The entries that one commit wrote. ``page[0]`` is an ``Entry``, ``page.columns`` are all."""

    __slots__ = ("_view", "columns")

    def __init__(self, view: PageView, wanted: Sequence[str] | None = None) -> None:
        self._view = view
        self.columns = Columns(view, wanted)

    @property
    def first_sequence(self) -> int:
        """Sequence of the first entry; entry i has this plus i."""
        return self._view.first_sequence

    @property
    def last_sequence(self) -> int:
        """Sequence of the last entry."""
        return self._view.first_sequence + self._view.count - 1

    @property
    def business_date(self) -> int:
        """The date that all of its entries belong to, as 20261121."""
        return self._view.business_date

    @property
    def staged_at_ns(self) -> int:
        """When its first entry was staged, UTC nanoseconds."""
        return self._view.staged_at_ns

    @property
    def committed_at_ns(self) -> int:
        """When its commit began, UTC nanoseconds."""
        return self._view.committed_at_ns

    @property
    def digest(self) -> bytes:
        """32 bytes by SHA-256 (docs/reference/journal_format.md); the next page carries them."""
        return self._view.digest

    @property
    def digest_before(self) -> bytes:
        """The digest of the page before; zeros before sequence 1."""
        return self._view.digest_before

    @property
    def size(self) -> int:
        """Bytes of the stored value."""
        return self._view.size

    def check(self) -> None:
        """Recompute CRC and digest.

        Raises:
            JournalCorrupt: one of them does not match.
        """
        self._view.check()

    def __len__(self) -> int:
        return self._view.count

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | Sequence[Entry]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(f"the page has {len(self)} entries")
        return Entry(*self._view.entry(index))

    def entries(self) -> Iterator[Entry]:
        """Its entries, in order."""
        for index in range(len(self)):
            yield Entry(*self._view.entry(index))

    def __repr__(self) -> str:
        return f"Page({self.first_sequence}..{self.last_sequence}, {self.business_date})"
