"""Replay: one consumer's way through the journal.

    journal ──pages()──▶ consumer takes a page ──checkpoint(sequence)──▶ desk

Law 6: a checkpoint moves only after acknowledgement, and only forward. What a crash leaves:

    1. a page was handed out          the checkpoint stands before it: it comes again
    2. the consumer took it           the same: it comes again, and is dropped by its sequence
    3. the checkpoint moved           it does not come again

So a consumer sees every entry at least once and in order. A checkpoint also keeps which journal
it counts in and the digest of its page: a journal that was restored from a copy has another id,
and one that lost its tail has another page there. Either is refused until an operator says how
to go on, since both may have given a sequence to two different entries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, overload

from posengine.desk import Checkpoint, CheckpointForeign
from posengine.errors import EntryAbsent, PosError, Whose
from posengine.replay.source import Checkpoints, Entry, Page, Source


class CheckpointAhead(PosError):
    """An acknowledgement of what was never handed out."""

    whose: ClassVar[Whose] = "us"


@dataclass(frozen=True, slots=True)
class ReplayPage(Sequence[Entry]):
    """A page of the journal, or the part of it after a checkpoint. Never empty."""

    journal_id: str
    """32 hex digits; with an entry's sequence it names the entry for ever."""
    page: Page
    start: int
    """Index of the first entry that is handed out."""
    stop: int
    """Index after the last."""

    @property
    def first_sequence(self) -> int:
        """Sequence of the first entry."""
        return self.page.first_sequence + self.start

    @property
    def last_sequence(self) -> int:
        """Sequence of the last entry: what to acknowledge."""
        return self.page.first_sequence + self.stop - 1

    @property
    def business_date(self) -> int:
        """The date that all of its entries belong to, as 20261121."""
        return self.page.business_date

    @property
    def digest(self) -> str:
        """Of the whole page in the journal, 64 hex digits."""
        return self.page.digest.hex()

    def after(self, sequence: int) -> ReplayPage | None:
        """What is left of the page behind ``sequence``; None where nothing is."""
        start = max(self.start, sequence + 1 - self.page.first_sequence)
        if start >= self.stop:
            return None
        return ReplayPage(self.journal_id, self.page, start, self.stop)

    def __len__(self) -> int:
        return self.stop - self.start

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | Sequence[Entry]:
        indexes = range(self.start, self.stop)[index]
        if isinstance(indexes, range):
            return [self.page[each] for each in indexes]
        return self.page[indexes]


class Replay:
    """Entries after the checkpoint ``name``, page by page.

    Args:
        journal: open to read; only what is durable is seen.
        checkpoints: the desk.
        name: of the consumer.
        until: the last sequence to hand out; None for all there is.
        after: read from behind this sequence though the checkpoint stands elsewhere: for a sink
            that must fill its own gap. The checkpoint still only moves forward.

    Raises:
        CheckpointForeign: the checkpoint is of another journal, or the journal does not hold
            what was acknowledged.
    """

    def __init__(
        self,
        journal: Source,
        checkpoints: Checkpoints,
        name: str,
        *,
        until: int | None = None,
        after: int | None = None,
    ) -> None:
        self.name = name
        self.journal_id = journal.journal_id.hex()
        self._journal = journal
        self._checkpoints = checkpoints
        self._until = until
        self._handed: deque[tuple[int, str]] = deque()  # last sequence and digest of each page
        kept = checkpoints.checkpoint(name)
        if kept is not None:
            if kept.journal_id != self.journal_id:
                raise CheckpointForeign(
                    f"checkpoint {name!r} belongs to journal {kept.journal_id}, this is"
                    f" {self.journal_id}. {WAY_ON.format(name=name)}"
                )
            _require_same_page(journal, name, kept.sequence, kept.page_digest)
        self.acknowledged = 0 if kept is None else kept.sequence
        """Where the checkpoint stands."""
        self._next = self.acknowledged if after is None else after

    def pages(self) -> Iterator[ReplayPage]:
        """Pages not yet handed out, in order, until the journal (or ``until``) holds no more.

        Call it again to look for what came since.

        Raises:
            EntryAbsent: a volume was dropped that held entries not yet handed out.
        """
        if self._until is not None and self._next >= self._until:
            return
        for page in self._journal.pages(after=self._next):
            start = max(0, self._next + 1 - page.first_sequence)
            stop = len(page)
            if self._until is not None:
                stop = min(stop, self._until + 1 - page.first_sequence)
            if start >= stop:
                return
            handed = ReplayPage(self.journal_id, page, start, stop)
            if handed.first_sequence != self._next + 1:
                raise EntryAbsent(
                    f"entries {self._next + 1} to {handed.first_sequence - 1} are no longer in the"
                    f" journal; {self.name!r} cannot be given them"
                )
            self._next = handed.last_sequence
            self._handed.append((handed.last_sequence, handed.digest))
            yield handed
            if self._until is not None and self._next >= self._until:
                return

    def checkpoint(self, sequence: int) -> None:
        """Acknowledge every entry up to and including ``sequence``.

        What lies behind the checkpoint already (see ``after``) is acknowledged without a move.

        Raises:
            CheckpointAhead: ``sequence`` was not handed out by this replay.
        """
        while self._handed and self._handed[0][0] < sequence:
            self._handed.popleft()
        if not self._handed:
            raise CheckpointAhead(
                f"{self.name!r} acknowledges {sequence}, which it was not handed"
            )
        if sequence <= self.acknowledged:
            return
        self._checkpoints.move_checkpoint(
            self.name,
            journal_id=self.journal_id,
            sequence=sequence,
            page_digest=self._handed[0][1],
        )
        self.acknowledged = sequence


def adopt(journal: Source, checkpoints: Checkpoints, name: str) -> Checkpoint:
    """Go on where ``name`` stood, in a journal that was restored from a copy.

    Raises:
        CheckpointForeign: this journal does not hold what was acknowledged, so that its
            sequences mean other entries.
    """
    kept = checkpoints.checkpoint(name)
    sequence, digest = (0, "") if kept is None else (kept.sequence, kept.page_digest)
    _require_same_page(journal, name, sequence, digest)
    return checkpoints.adopt_checkpoint(
        name, journal_id=journal.journal_id.hex(), sequence=sequence, page_digest=digest
    )


def restart(journal: Source, checkpoints: Checkpoints, name: str, *, sequence: int) -> Checkpoint:
    """Set ``name`` to stand behind ``sequence`` of this journal: what follows comes (again).

    Raises:
        CheckpointForeign: the journal holds no such sequence.
    """
    page = _page_of(journal, sequence) if sequence > 0 else None
    if sequence > 0 and page is None:
        raise CheckpointForeign(f"the journal ends before entry {sequence}")
    return checkpoints.adopt_checkpoint(
        name,
        journal_id=journal.journal_id.hex(),
        sequence=sequence,
        page_digest="" if page is None else page.digest.hex(),
    )


WAY_ON = (
    "Was it restored from a copy? `posengine replay {name} --adopt` goes on where the two are"
    " the same; `--from N` begins behind entry N, whatever was acknowledged before"
)


def _page_of(journal: Source, sequence: int) -> Page | None:
    """The page that holds ``sequence``."""
    page = next(iter(journal.pages(after=sequence - 1)), None)
    if page is None or not page.first_sequence <= sequence < page.first_sequence + len(page):
        return None
    return page


def _require_same_page(journal: Source, name: str, sequence: int, digest: str) -> None:
    if sequence == 0:
        return
    page = _page_of(journal, sequence)
    if page is None:
        raise CheckpointForeign(
            f"checkpoint {name!r} stands at {sequence}, the journal ends before."
            f" {WAY_ON.format(name=name)}"
        )
    if page.digest.hex() != digest:
        raise CheckpointForeign(
            f"checkpoint {name!r} stands at {sequence}, where this journal holds another page."
            f" {WAY_ON.format(name=name)}"
        )
