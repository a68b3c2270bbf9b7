"""The desk's tables. A schema only grows: each migration takes a store one version forward.

    user_version 0 ──MIGRATIONS[0]──▶ 1 ──MIGRATIONS[1]──▶ 2 ...

A migration that has been released is never edited. A store from a later build is refused.
"""

from __future__ import annotations

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE checkpoints (
        name          TEXT PRIMARY KEY,
        journal_id    TEXT NOT NULL,
        sequence      INTEGER NOT NULL CHECK (sequence >= 0),
        page_digest   TEXT NOT NULL,
        updated_at_ns INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE deliveries (
        id             INTEGER PRIMARY KEY,
        name           TEXT NOT NULL,
        journal_id     TEXT NOT NULL,
        sequence_first INTEGER NOT NULL,
        sequence_last  INTEGER NOT NULL,
        entry_count    INTEGER NOT NULL,
        attempt        INTEGER NOT NULL CHECK (attempt >= 1),
        outcome        TEXT NOT NULL CHECK (outcome IN ('taken', 'busy', 'refused')),
        detail         TEXT NOT NULL,
        at_ns          INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX deliveries_by_name ON deliveries (name, id);
    CREATE TABLE dead_letters (
        name           TEXT NOT NULL,
        journal_id     TEXT NOT NULL,
        sequence       INTEGER NOT NULL,
        reason         TEXT NOT NULL,
        attempts       INTEGER NOT NULL,
        died_at_ns     INTEGER NOT NULL,
        resolved_at_ns INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (name, journal_id, sequence)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE closed_breaks (
        break_id      TEXT PRIMARY KEY,
        kind          TEXT NOT NULL,
        business_date INTEGER NOT NULL,
        closed_by     TEXT NOT NULL,
        note          TEXT NOT NULL,
        closed_at_ns  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE imports (
        sha256         TEXT NOT NULL,
        layout         TEXT NOT NULL,
        file_name      TEXT NOT NULL,
        business_date  INTEGER NOT NULL,
        row_count      INTEGER NOT NULL,
        imported_at_ns INTEGER NOT NULL,
        PRIMARY KEY (sha256, layout, business_date)
    ) STRICT, WITHOUT ROWID;
    """,
)

SCHEMA_VERSION = len(MIGRATIONS)
