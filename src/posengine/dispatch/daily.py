"""The daily files sink: one CSV file a business date, whole or not there at all.

    record,sequence,kind,amount_minor           names of the listed fields
    D,3,SALE,1000                               one row an entry, in the journal's order
    T,journal_id,0a0a...0a                      the trailer: what to check the rows against
    T,business_date,2026-11-21
    T,state,closed                              or open: the date is not over yet
    T,count,1
    T,first_sequence,3
    T,last_sequence,3
    T,sum,156,SALE,1,1000                       currency, kind, rows, minor units
    T,sha256,9f86...                            of all D lines, line ends included

Rows grow in a spool (spool.py). A date is over when the journal shows a later one; then its file is
written under a temporary name, flushed, and renamed. The same entries give the same bytes, so a
file that is published again (after a kill, or because entries of an older date followed) replaces
itself. A sum line needs ``kind``, ``currency`` and ``amount_minor`` among the fields.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from posengine.dispatch.fields import Serializer, Value, date_text
from posengine.dispatch.spool import Head, Spool, flush_directory
from posengine.dispatch.subscription import Choice
from posengine.errors import PosError, Whose
from posengine.replay import ReplayPage, Source
from posengine.vocabulary import kind_of


class FilesFault(PosError):
    """The daily files cannot be written."""

    whose: ClassVar[Whose] = "disk"


SUMMED = ("kind", "currency", "amount_minor")
_FORMULA = frozenset("=+-@\t\r\n＝＋－＠")


class DailyFiles:
    """A sink that writes ``NAME-YYYYMMDD.csv`` into a directory. Close it when done.

    Args:
        name: of the subscription; one process at a time (``Desk.hold``).
        journal: read again where rows of a date must be built anew.
        directory: of the published files. spool: of the growing one.
    """

    pages_unflushed_max = 64  # one flush for so many pages; a kill repeats them from the replay

    def __init__(
        self,
        name: str,
        *,
        journal: Source,
        serializer: Serializer,
        choice: Choice,
        directory: Path,
        spool: Path,
    ) -> None:
        self._name = name
        self._journal = journal
        self._journal_id = journal.journal_id.hex()
        self._serializer = serializer
        self._choice = choice
        self._directory = directory
        self._spools = spool
        self._spool: Spool | None = None
        self._last = 0  # the last sequence taken
        self._fault: FilesFault | None = None

    def resume(self, acknowledged: int) -> int:
        """Open the spool that was left; gives the sequence behind which entries are needed.

        That is the checkpoint, or an earlier place where the spool does not reach the checkpoint
        (lost, of other fields, of a journal that was restored): the date's rows are built anew.
        """
        with self._disk():
            left = [spool for path in self._left() if (spool := Spool.open(path)) is not None]
        best = max(left, key=lambda spool: spool.position, default=None)
        for spool in left:
            if spool is not best:
                spool.close()
                spool.path.unlink()
        if best is None:
            return self._before_date_of(acknowledged)
        head = best.head
        if head != self._head(head.business_date, head.after) or best.position < acknowledged:
            best.close()
            return self._before_date_of(acknowledged)
        self._spool, self._last = best, best.position
        return acknowledged

    def take(self, page: ReplayPage) -> int:
        """Append the chosen entries of a page; entries that are in already are dropped.

        Raises:
            FilesFault: a write failed. Nothing more is taken: ``resume`` on a new sink goes on.
        """
        rest = page.after(self._last)
        if rest is None:
            return 0
        with self._disk():
            taken = self._append(self._spool_of(rest), rest)
        self._last = rest.last_sequence
        return taken

    def flush(self) -> None:
        """Mark and flush the spool."""
        if self._spool is not None and self._last > self._spool.position:
            with self._disk():
                self._spool.mark(self._last)

    def publish(self, *, is_open: bool) -> Path | None:
        """Write the current date's file; None where no date has begun.

        ``is_open`` says so in the trailer: more rows may follow, in a file of the same name.
        """
        if self._spool is None:
            return None
        self.flush()
        with self._disk():
            return _publish(self._spool, self._path_of(self._spool.head), is_open)

    def rebuild(self, business_date: int) -> Path | None:
        """Build a date's file anew from the journal; None where the journal has no such date."""
        after = self._before(business_date)
        if after is None:
            return None
        with self._disk():
            spool = self._build(
                self._spools / f"rebuild-{business_date}.rows",
                self._head(business_date, after),
                self._journal.last_sequence,
            )
            spool.close()
            is_open = self._spool is not None and self._spool.head.business_date == business_date
            path = _publish(spool, self._path_of(spool.head), is_open)
            spool.path.unlink()
        return path

    def close(self) -> None:
        """Close the spool; what was not flushed comes again."""
        if self._spool is not None:
            with suppress(OSError):  # a full disk; what was marked is safe
                self._spool.close()
            self._spool = None

    def _spool_of(self, page: ReplayPage) -> Spool:
        """The spool of the page's date, turning over to it where it is another one."""
        date = page.business_date
        old = self._spool
        if old is not None and old.head.business_date == date:
            return old
        self.publish(is_open=False)
        before = page.first_sequence - 1
        after = self._before(date)
        assert after is not None and after <= before
        # Rows of this date may be there already: of a file that was lost, or from before a clock
        # was set back over the cutover. They are built from the journal.
        path = self._spools / f"{date}.rows"
        self._spool = self._build(path, self._head(date, after), before)
        if old is not None:
            old.close()
            old.path.unlink(missing_ok=True)
        return self._spool

    def _build(self, path: Path, head: Head, until: int) -> Spool:
        """A new spool that holds every entry of its date up to ``until``."""
        spool = Spool.begin(path, head)
        for page in self._journal.pages(after=head.after):
            if page.first_sequence > until:
                break
            if page.business_date == head.business_date:
                stop = min(len(page), until + 1 - page.first_sequence)
                self._append(spool, ReplayPage(self._journal_id, page, 0, stop))
        spool.mark(until)
        return spool

    def _append(self, spool: Spool, page: ReplayPage) -> int:
        rows = [
            (entry, csv_line("D", *self._serializer.values(entry, page).values()))
            for entry in self._choice.of(page)
        ]
        for entry, row in rows:
            kind = kind_of(entry.kind).name
            spool.add(entry.sequence, kind, f"{entry.currency:03d}", entry.amount_minor, row)
        return len(rows)

    def _before_date_of(self, sequence: int) -> int:
        """The sequence before the first entry of the date that ``sequence`` belongs to."""
        for page in self._journal.pages(after=max(sequence - 1, 0)):
            return self._before(page.business_date) or 0
        return 0

    def _before(self, date: int) -> int | None:
        """The sequence before the first entry of a date; None where there is none."""
        for page in self._journal.pages(after=0):
            if page.business_date == date:
                return page.first_sequence - 1
        return None

    def _left(self) -> list[Path]:
        """Spools that were left: one, or two where a turn-over was cut short."""
        return sorted(self._spools.glob("[0-9]*.rows"))

    def _head(self, business_date: int, after: int) -> Head:
        names, digest = self._serializer.names, self._choice.digest
        return Head(self._journal_id, business_date, names, digest, after)

    def _path_of(self, head: Head) -> Path:
        return self._directory / f"{self._name}-{head.business_date}.csv"

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """A write that fails may have left half a row: nothing may be marked behind it."""
        if self._fault is not None:
            raise self._fault
        try:
            yield
        except OSError as error:
            self._fault = FilesFault(f"{self._name}: {error}")
            raise self._fault from error


def csv_cell(value: Value) -> str:
    """One cell: quoted where it must be, and never a formula.

    A spreadsheet runs a text that begins with one of ``= + - @``, tab or line end (their full-width
    forms too). Terminals choose such texts, so an apostrophe goes before them, which a spreadsheet
    shows as text. Numbers are ours and stay as they are.

    Source: RFC 4180; OWASP, CSV injection.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = value
    if text.lstrip(" ")[:1] in _FORMULA:
        text = "'" + text
    if any(character in text for character in ',"\r\n\x00') or text != text.strip(" "):
        text = '"' + text.replace('"', '""') + '"'
    return text


def csv_line(*values: Value) -> str:
    """One line with its end."""
    return ",".join(csv_cell(value) for value in values) + "\n"


def trailer(spool: Spool, *, is_open: bool) -> Iterator[str]:
    """The trailer's lines."""
    sums, head = spool.sums, spool.head
    yield csv_line("T", "journal_id", head.journal_id)
    yield csv_line("T", "business_date", date_text(head.business_date))
    yield csv_line("T", "state", "open" if is_open else "closed")
    yield csv_line("T", "count", sums.count)
    yield csv_line("T", "first_sequence", sums.first)
    yield csv_line("T", "last_sequence", sums.last)
    if set(SUMMED) <= set(head.fields):
        for currency, kind in sorted(sums.by_kind):
            key = (currency, kind)
            yield csv_line("T", "sum", *key, sums.by_kind[key], sums.amounts[key])
    yield csv_line("T", "sha256", spool.digest.hexdigest())


def _publish(spool: Spool, path: Path, is_open: bool) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    with open(unfinished, "w", encoding="utf-8", newline="") as file:
        file.write(csv_line("record", *spool.head.fields))
        file.writelines(spool.rows())
        file.writelines(trailer(spool, is_open=is_open))
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)
    flush_directory(path.parent)
    return path
