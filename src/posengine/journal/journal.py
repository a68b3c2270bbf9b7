"""A journal, open: in this process once, in others as often as they like; one process writes.

Readers see what is durable and nothing beyond it. Closing is at once for calls, and for the files
as soon as the last NumPy view of it is gone: a view never goes wrong under its owner.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

from posengine._native.journal import Handle
from posengine.errors import ArgumentFault
from posengine.journal.entry import Entry
from posengine.journal.page import Page
from posengine.journal.scan import Scan

_PAGES_A_LOOK = 32


@dataclass(frozen=True, slots=True)
class Facts:
    """What a journal knows of itself."""

    journal_id: bytes
    """16 bytes, random; changes when a journal is restored from a copy."""
    last_sequence: int
    durable_sequence: int
    pages: int
    bytes: int
    volumes: int
    free_bytes: int
    """Left in the volume that is being written."""
    is_in_doubt: bool
    """The last writer's last commit failed: its outcome is unknown until a writer recovers."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What reading everything has found."""

    pages: int
    entries: int
    bytes: int
    first_bad_sequence: int
    """0 where nothing is wrong; all before it is whole."""
    status: str
    reason: str

    @property
    def is_clean(self) -> bool:
        """Nothing is wrong."""
        return self.status == "OK"


class Journal:
    """See ``Journal.open``. A context manager."""

    def __init__(self, handle: Handle, path: str) -> None:
        self._handle: Handle | None = handle
        self.path = path

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        readonly: bool = False,
        *,
        durability: Literal["late", "full"] = "late",
        volume_size_max: int = 0,
        page_entries_max: int = 0,
        page_size_max: int = 0,
        cutover_minute: int = 0,
        zone_offset_minute: int = 480,
        volumes_max: int = 0,
        master_key: bytes | None = None,
    ) -> Journal:
        """Open the journal in directory ``path``; to write, make it where it is absent.

        Args:
            readonly: to read; any number of processes may, while one writes.
            durability: ``late`` is one flush a commit, ``full`` two; neither loses what it said.
            volume_size_max: bytes, fixed when the journal is made; 0 for 1 GiB.
            page_entries_max: entries of one commit; 0 for 4,096.
            page_size_max: bytes of one page; 0 for 4 MiB or an eighth of a volume.
            cutover_minute: of the local day at which the business date changes, 0 to 1439.
            zone_offset_minute: local time minus UTC; 480 is China's.
            volumes_max: volumes that the journal may have; 0 for as many as the disk holds.
            master_key: to write, keep the account numbers that are staged, enciphered under keys
                derived from these 32 bytes; None: keep none. Reading needs it in ``pan`` alone.

        Raises:
            JournalAbsent: there is none, and ``readonly``.
            JournalBusy: it is open in this process already, or another process writes it.
            JournalFormat, JournalCorrupt: it is no journal, or not what was written.
        """
        if durability not in ("late", "full"):
            raise ArgumentFault(f"durability is 'late' or 'full', not {durability!r}")
        handle = Handle(
            os.fspath(path),
            readonly=readonly,
            full=durability == "full",
            volume_size_max=volume_size_max,
            page_entries_max=page_entries_max,
            page_size_max=page_size_max,
            cutover_minute=cutover_minute,
            zone_offset_minute=zone_offset_minute,
            volumes_max=volumes_max,
            master_key=master_key or b"",
        )
        return cls(handle, os.fspath(path))

    def close(self) -> None:
        """Refuse further calls; the files are let go with the last array over it. Twice is fine."""
        if self._handle is not None:
            self._handle.close()
        self._handle = None

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _open(self) -> Handle:
        if self._handle is None:
            raise ArgumentFault(f"{self.path}: the journal is closed")
        return self._handle

    # ---- facts ----------------------------------------------------------------------------------
    @property
    def facts(self) -> Facts:
        """What it knows of itself, now."""
        return Facts(**self._open.facts())

    @property
    def journal_id(self) -> bytes:
        """16 bytes; with a sequence it names an entry for ever."""
        return self.facts.journal_id

    @property
    def id(self) -> str:
        """The journal id, 32 hex digits."""
        return self.facts.journal_id.hex()

    @property
    def last_sequence(self) -> int:
        """Of the last entry: for a reader, the last durable one."""
        return self.facts.last_sequence

    @property
    def durable_sequence(self) -> int:
        """Everything up to it is on the disk, and readers see it."""
        return self.facts.durable_sequence

    @property
    def report(self) -> str:
        """What opening to write found, in words; empty where all was as it was left."""
        return self._open.report()

    # ---- reading --------------------------------------------------------------------------------
    def pages(self, after: int = 0, columns: Sequence[str] | None = None) -> Iterator[Page]:
        """Pages from the one that holds ``after + 1`` on, in order, up to what is durable now.

        The first may begin with entries up to ``after``. ``columns`` limits the names that a page
        offers, and refuses (ValueError) one that it has not.

        Raises:
            JournalCorrupt: a page is not of its form. Sums are checked by ``verify`` and
                ``Page.check`` alone.
        """
        following = after + 1
        while views := self._open.pages(following, _PAGES_A_LOOK):
            for view in views:
                page = Page(view, columns)
                following = page.last_sequence + 1
                yield page

    def arrow(
        self, columns: Sequence[str] | None = None, *, after: int = 0, until: int = 0
    ) -> Scan:
        """Entries after ``after``, up to ``until`` (0: what is durable when it is read), for
        DuckDB, polars, pyarrow and whatever else reads Arrow. ``columns`` of ``Scan.NAMES``.

        Raises:
            ValueError: a column that there is not.
        """
        return Scan(self._open, columns, after=after, until=until)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """All of it, as ``arrow()`` gives it: the journal itself can be queried."""
        return self.arrow().__arrow_c_stream__(requested_schema)

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """Entries after ``after``, in order, up to what is durable now."""
        for page in self.pages(after):
            for entry in page.entries():
                if entry.sequence > after:
                    yield entry

    def entry(self, sequence: int) -> Entry:
        """One entry.

        Raises:
            EntryAbsent: there is none, or it is not durable.
        """
        return Entry(*self._open.entry(sequence))

    def pan(self, sequence: int, master_key: bytes) -> str:
        """The account number of one entry, clear: docs/howto/get_an_account_number_back.md first.

        Args:
            master_key: the 32 bytes that the engine served under: ``load_master_key``.

        Raises:
            EntryAbsent: there is no such entry, or it is not durable.
            PanNotKept: ``keep_pan`` was off when it was written.
            PanAbsent: the entry carries none; a repeat's stands with its original.
            PanSeal: another master key, or an altered block.
            JournalCorrupt: the sums of its page are wrong.
        """
        return self._open.pan(sequence, master_key)

    def find(
        self,
        *,
        rrn: str | None = None,
        tid: str | None = None,
        stan: int | None = None,
        before: int = 0,
    ) -> Entry:
        """The entry with this RRN; or the newest of this terminal and STAN, below ``before``.

        Raises:
            EntryAbsent: there is none.
            ArgumentFault: neither an RRN nor a TID and a STAN was given.
        """
        if rrn is not None and tid is None and stan is None:
            return self.entry(self._open.find_rrn(rrn))
        if rrn is None and tid is not None and stan is not None:
            return self.entry(self._open.find_stan(tid, stan, before))
        raise ArgumentFault("find by rrn, or by tid and stan")

    def tail(
        self, after: int, *, poll_s: float, sleep: Callable[[float], object]
    ) -> Iterator[Entry]:
        """Entries after ``after`` as they become durable; never ends by itself."""
        while True:
            for entry in self.entries(after):
                yield entry
                after = entry.sequence
            sleep(poll_s)

    # ---- the whole ------------------------------------------------------------------------------
    def verify(self, progress: Callable[[int], object] | None = None) -> Verdict:
        """Read everything: form, CRC, digests, their chain, sequences without holes, dates.

        ``progress`` gets the last sequence that is known whole; False from it ends the walk.
        A damaged tree of LMDB itself can end the process: `posengine journal verify` uses a child.
        """
        return Verdict(**self._open.verify(progress))

    def snapshot(self, path: str | os.PathLike[str]) -> None:
        """Copy what is durable now into a journal of its own, with a new id, while writing goes on.

        Raises:
            ArgumentFault: ``path`` exists.
            JournalCorrupt: a page is damaged; the copy is left unfinished.
        """
        self._open.snapshot(os.fspath(path))

    # ---- writing: one process, one thread -------------------------------------------------------
    def stage(self, *, pan: str = "", **fields: Any) -> int:
        """Stage an entry; what is not given is absent. Returns its sequence. See ``Entry``.

        ``pan`` is the account number, kept where the journal was opened with ``master_key``, and
        never clear.

        Raises:
            StageFull: commit first. JournalFull, EntryOversize, JournalReadonly, JournalInDoubt.
        """
        return self._open.stage(fields, pan)

    def commit(self) -> int:
        """Commit what is staged and wait until it is durable. Returns the durable sequence.

        Raises:
            JournalInDoubt: the commit failed and its outcome is unknown; so does every later call.
        """
        return self._open.commit()
