"""The desk's store: SQLite with a write-ahead log, flushed at every commit, readable by its owner.

    Desk.open(path, clock_ns=...) as desk
        checkpoint, move_checkpoint, adopt_checkpoint     how far each consumer is
        record_delivery, deliveries                       what was sent, and what they said
        bury, dead_letters, resolve                       what they refused
        close_break, closed_breaks                        what a person has explained
        record_import, imports                            what came in
        hold(name)                                        one consumer of a name at a time

Each method is one transaction. The file is backed up together with the journal: without it every
consumer begins again from its first entry, which repeats and loses nothing.
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

from posengine.desk.facts import Checkpoint, ClosedBreak, DeadLetter, Delivery, Import
from posengine.desk.schema import MIGRATIONS, SCHEMA_VERSION
from posengine.errors import PosError, Whose

BUSY_TIMEOUT_S_MAX = 10.0  # another process commits in milliseconds; ten seconds is a fault
NAME_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # it becomes part of a file's name
DELIVERIES_KEPT_MAX = 100_000  # attempts a consumer; the journal and the checkpoint say the rest
DETAIL_SIZE_MAX = 500  # characters of what a customer's server said: enough to see why


class DeskError(PosError):
    """The desk's file cannot be opened, read or written."""

    whose: ClassVar[Whose] = "disk"


class DeskHeld(DeskError):
    """Another process is at work under this name."""

    whose = "operator"


class CheckpointForeign(DeskError):
    """The checkpoint belongs to another journal than the one at hand."""

    whose = "operator"


class CheckpointBackward(DeskError):
    """A checkpoint was to be moved back; it only moves forward."""

    whose = "us"


class Desk:
    """The store, open. A context manager; for one thread."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, *, clock_ns: Callable[[], int]
    ) -> None:
        self.path = path
        self._connection = connection
        self._clock_ns = clock_ns

    @classmethod
    def open(cls, path: str | Path, *, clock_ns: Callable[[], int]) -> Desk:
        """Open the desk at ``path``, making it (mode 0600) or bringing its tables up to date.

        Raises:
            DeskError: the file is no desk, is of a later build, or cannot be written.
        """
        path = Path(path)
        try:
            # SQLite gives its log files the mode of the store, so the store's is set first.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
            connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S_MAX, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise DeskError(f"desk {path}: {error}") from error
        desk = cls(path, connection, clock_ns=clock_ns)
        try:
            desk._prepare()
        except BaseException:
            connection.close()
            raise
        return desk

    def close(self) -> None:
        """Close the store; what was recorded is on disk already."""
        self._connection.close()

    def __enter__(self) -> Desk:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ---- checkpoints -------------------------------------------------------------------------

    def checkpoint(self, name: str) -> Checkpoint | None:
        """The checkpoint of ``name``, or None where it has none yet."""
        rows = self._read("SELECT * FROM checkpoints WHERE name = ?", name)
        return Checkpoint(*rows[0]) if rows else None

    def checkpoints(self) -> list[Checkpoint]:
        """Every checkpoint, by name."""
        return [Checkpoint(*row) for row in self._read("SELECT * FROM checkpoints ORDER BY name")]

    def move_checkpoint(
        self, name: str, *, journal_id: str, sequence: int, page_digest: str
    ) -> Checkpoint:
        """Move ``name`` forward to ``sequence``; to where it is already is fine.

        Raises:
            CheckpointForeign: it belongs to another journal.
            CheckpointBackward: it is past ``sequence`` already.
        """
        check_name(name)
        moved = Checkpoint(name, journal_id, sequence, page_digest, self._clock_ns())
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT journal_id, sequence FROM checkpoints WHERE name = ?", (name,)
            ).fetchall()
            if rows and rows[0][0] != journal_id:
                raise CheckpointForeign(
                    f"checkpoint {name!r} belongs to journal {rows[0][0]}, not to {journal_id}"
                )
            if rows and rows[0][1] > sequence:
                raise CheckpointBackward(
                    f"checkpoint {name!r} is at {rows[0][1]} and does not move back to {sequence}"
                )
            self._put_checkpoint(connection, moved)
        return moved

    def adopt_checkpoint(
        self, name: str, *, journal_id: str, sequence: int, page_digest: str
    ) -> Checkpoint:
        """Set ``name`` to ``sequence`` of a journal, wherever it was: an operator's decision."""
        check_name(name)
        adopted = Checkpoint(name, journal_id, sequence, page_digest, self._clock_ns())
        with self._transaction() as connection:
            self._put_checkpoint(connection, adopted)
        return adopted

    @staticmethod
    def _put_checkpoint(connection: sqlite3.Connection, checkpoint: Checkpoint) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?)", astuple(checkpoint)
        )

    # ---- what was sent -----------------------------------------------------------------------

    def record_delivery(
        self,
        name: str,
        *,
        journal_id: str,
        sequences: tuple[int, int],
        entry_count: int,
        attempt: int,
        outcome: str,
        detail: str,
    ) -> None:
        """Keep that ``sequences`` (first, last) were offered, and what became of it.

        Of the oldest attempts all but ``DELIVERIES_KEPT_MAX`` go, a quarter at a time.
        """
        with self._transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO deliveries VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    name, journal_id, *sequences, entry_count, attempt, outcome,
                    detail[:DETAIL_SIZE_MAX], self._clock_ns(),
                ),
            )
            assert cursor.lastrowid is not None
            if cursor.lastrowid % (DELIVERIES_KEPT_MAX // 4) == 0:
                connection.execute(
                    "DELETE FROM deliveries WHERE name = ?1 AND id <= (SELECT id FROM deliveries"
                    " WHERE name = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
                    (name, DELIVERIES_KEPT_MAX),
                )

    def deliveries(self, name: str, *, count_max: int = 100) -> list[Delivery]:
        """The newest attempts of ``name``, oldest first."""
        rows = self._read(
            "SELECT name, journal_id, sequence_first, sequence_last, entry_count, attempt, outcome,"
            " detail, at_ns FROM deliveries WHERE name = ? ORDER BY id DESC LIMIT ?",
            name,
            count_max,
        )
        return [Delivery(*row) for row in reversed(rows)]

    # ---- what was refused --------------------------------------------------------------------

    def bury(
        self, name: str, *, journal_id: str, sequence: int, reason: str, attempts: int
    ) -> None:
        """Make an entry a dead letter of ``name``; a second time replaces the reason."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, 0)",
                (name, journal_id, sequence, reason[:DETAIL_SIZE_MAX], attempts, self._clock_ns()),
            )

    def dead_letters(self, name: str | None = None, *, resolved: bool = False) -> list[DeadLetter]:
        """Dead letters not yet taken, of one consumer or of all; with ``resolved`` those too."""
        rows = self._read(
            "SELECT * FROM dead_letters WHERE (?1 IS NULL OR name = ?1)"
            " AND (?2 OR resolved_at_ns = 0) ORDER BY name, journal_id, sequence",
            name,
            resolved,
        )
        return [DeadLetter(*row) for row in rows]

    def resolve(self, name: str, *, journal_id: str, sequence: int) -> None:
        """A dead letter was taken after all."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE dead_letters SET resolved_at_ns = ?"
                " WHERE name = ? AND journal_id = ? AND sequence = ?",
                (self._clock_ns(), name, journal_id, sequence),
            )

    # ---- reconciliation ----------------------------------------------------------------------

    def close_break(
        self, break_id: str, *, kind: str, business_date: int, closed_by: str, note: str
    ) -> None:
        """A person has explained a break; the latest explanation stands."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO closed_breaks VALUES (?, ?, ?, ?, ?, ?)",
                (break_id, kind, business_date, closed_by, note, self._clock_ns()),
            )

    def closed_breaks(self, business_date: int | None = None) -> list[ClosedBreak]:
        """Explained breaks, of one business date or of all."""
        rows = self._read(
            "SELECT * FROM closed_breaks WHERE ?1 IS NULL OR business_date = ?1"
            " ORDER BY business_date, break_id",
            business_date,
        )
        return [ClosedBreak(*row) for row in rows]

    def record_import(
        self, sha256: str, *, layout: str, file_name: str, business_date: int, row_count: int
    ) -> bool:
        """Keep that a file came in; False where the same bytes came for this date before."""
        with self._transaction() as connection:
            cursor = connection.execute(
                "INSERT OR IGNORE INTO imports VALUES (?, ?, ?, ?, ?, ?)",
                (sha256, layout, file_name, business_date, row_count, self._clock_ns()),
            )
            return cursor.rowcount == 1

    def imports(self) -> list[Import]:
        """Every file that came in, oldest first."""
        rows = self._read(
            "SELECT sha256, file_name, layout, business_date, row_count, imported_at_ns"
            " FROM imports ORDER BY imported_at_ns, sha256"
        )
        return [Import(*row) for row in rows]

    # ---- one at a time -----------------------------------------------------------------------

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Be the only consumer of ``name`` on this machine while the block runs.

        The lock is the kernel's and goes with the process, however it ends.

        Raises:
            DeskHeld: another process is at work under this name.
        """
        check_name(name)
        path = self.path.with_name(f"{self.path.name}.{name}.lock")
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DeskHeld(f"{name!r} is at work in another process ({path})") from None
            yield
        finally:
            os.close(lock)

    # ---- within ------------------------------------------------------------------------------

    def _prepare(self) -> None:
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            raise DeskError(f"desk {self.path}: {error}") from error
        if version > SCHEMA_VERSION:
            raise DeskError(
                f"desk {self.path} has schema {version}, this build knows {SCHEMA_VERSION}:"
                " use the build that wrote it, or a later one"
            )
        if version < SCHEMA_VERSION:
            self._migrate()

    def _migrate(self) -> None:
        with self._transaction() as connection:
            # Read again inside the transaction: another process may have been first.
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            for script in MIGRATIONS[version:]:
                for statement in filter(str.strip, script.split(";")):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise DeskError(f"desk {self.path}: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: whole and flushed when the block ends, undone when it raises."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise DeskError(f"desk {self.path}: {error}") from error


def check_name(name: str) -> None:
    """Raises DeskError unless ``name`` can name a consumer."""
    if NAME_FORM.fullmatch(name) is None:
        raise DeskError(
            f"{name!r} cannot name a consumer: letters, digits, '.', '_' and '-', at most 64"
        )
