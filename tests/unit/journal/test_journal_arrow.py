"""Goal: DuckDB, polars and pyarrow read from the journal what its own columns and entries say, in
place, for as long as they hold it and no longer.

Method: the three beside NumPy and entries, whole and in part; closed journals with tables alive,
tables given back in other threads, a page of another build, a text that is none.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars
import pyarrow
import pyarrow.parquet
import pytest

from posengine.errors import ArgumentFault, JournalBusy
from posengine.journal import Journal, Scan
from posengine.vocabulary import Kind, Outcome
from unit.journal.test_journal_versions import SAMPLES, journal_of, sample

NOON = 1_795_262_400_000_000_000  # 2026-11-21 12:00:00 UTC
COUNT = 1_000


def fields(number: int) -> dict[str, Any]:
    return {
        "amount_minor": number * 7,
        "kind": int((Kind.SALE, Kind.SALE_VOID, Kind.REFUND)[number % 3]),
        "outcome": int(Outcome.APPROVED if number % 5 else Outcome.DECLINED),
        "tid": f"T{number % 11:07d}", "mid": "M00000000000001", "stan": number,
        "received_at_ns": NOON + number, "terminal_at_ns": 0 if number % 4 else NOON,
        "pan_token": number.to_bytes(16, "big"), "request": b"r" * (number % 50),
    }  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Journal.open(tmp_path / "journal", volume_size_max=1 << 19) as journal:
        for number in range(COUNT):
            journal.stage(**fields(number))
            if number % 130 == 129:
                journal.commit()
        journal.commit()
    return tmp_path / "journal"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.open(path, readonly=True) as journal:
        yield journal
    gc.collect()


def test_every_column_says_what_the_pages_say(journal: Journal) -> None:
    table = pyarrow.table(journal)
    table.validate(full=True)
    assert table.num_rows == COUNT and table.column_names == list(Scan.NAMES)
    for name in sorted(set(Scan.NAMES) - {"sequence", "business_date", "kind", "outcome"}):
        wanted = np.concatenate([page.columns[name] for page in journal.pages()])
        column = table[name].combine_chunks()
        if wanted.dtype.kind in "SV":
            said = [str(w).encode() if isinstance(w, str) else w for w in column.to_pylist()]
            assert said == [word.tobytes() for word in wanted], name
        elif name == "terminal_at":
            assert column.null_count == int((wanted == 0).sum()) == 750
            assert column.fill_null(0).cast("int64").to_pylist() == wanted.tolist()
        else:
            assert np.array_equal(column.cast(str(wanted.dtype)).to_numpy(), wanted), name
    assert table["sequence"].to_pylist() == list(range(1, COUNT + 1))
    assert set(table["business_date"].to_pylist()) == {date(2026, 11, 21)}
    assert table["kind"].to_pylist()[:3] == ["SALE", "SALE_VOID", "REFUND"]
    assert table["outcome"].to_pylist()[:2] == ["DECLINED", "APPROVED"]


def test_buffers_are_the_map_itself(journal: Journal) -> None:
    (batch, *_) = pyarrow.RecordBatchReader.from_stream(journal.arrow(["amount", "tid"]))
    page = next(journal.pages())
    for name, buffer in (("amount", 1), ("tid", 2)):
        lent = batch.column(name).buffers()[buffer]
        assert lent.address == page.columns[name].ctypes.data


def test_the_three_agree(journal: Journal) -> None:
    wanted: dict[str, int] = {}
    for entry in journal.entries():
        if entry.kind_word is Kind.SALE and entry.outcome_word is Outcome.APPROVED:
            wanted[entry.tid] = wanted.get(entry.tid, 0) + entry.amount_minor
    scan = journal.arrow(["kind", "outcome", "tid", "amount"])
    found = duckdb.sql(
        "select tid, sum(amount)::bigint from scan where kind = 'SALE' and outcome = 'APPROVED' "
        "group by tid"
    ).fetchall()
    assert dict(found) == wanted
    frame = (
        polars.DataFrame(scan)
        .filter((polars.col("kind") == "SALE") & (polars.col("outcome") == "APPROVED"))
        .group_by("tid")
        .agg(polars.col("amount").sum())
    )
    assert dict(frame.iter_rows()) == wanted
    table = pyarrow.table(scan)
    keep = [k == "SALE" and o == "APPROVED" for k, o in zip(table["kind"].to_pylist(),
            table["outcome"].to_pylist(), strict=True)]  # fmt: skip
    sums = table.filter(keep).group_by("tid").aggregate([("amount", "sum")])
    assert dict(zip(sums["tid"].to_pylist(), sums["amount_sum"].to_pylist(), strict=True)) == wanted


@pytest.mark.parametrize(
    ("after", "until"), [(0, 1), (1, 129), (129, 131), (130, 260), (999, 0), (1000, 0), (5, 5)]
)
def test_a_part_begins_and_ends_within_pages(journal: Journal, after: int, until: int) -> None:
    scan = journal.arrow(["sequence", "tid", "terminal_at"], after=after, until=until)
    table = pyarrow.table(scan)
    table.validate(full=True)
    wanted = list(range(after + 1, (until or COUNT) + 1))
    assert table["sequence"].to_pylist() == wanted
    assert table["tid"].to_pylist() == [fields(number - 1)["tid"] for number in wanted]
    assert table["terminal_at"].null_count == sum((number - 1) % 4 > 0 for number in wanted)


def test_a_scan_can_be_read_again_and_the_journal_goes_on_meanwhile(path: Path) -> None:
    with Journal.open(path) as writer:
        scan = writer.arrow(["sequence"])
        reader = pyarrow.RecordBatchReader.from_stream(scan)
        writer.stage(**fields(1))
        writer.commit()
        assert reader.read_all().num_rows == COUNT  # what was durable when it began
        assert pyarrow.table(scan).num_rows == COUNT + 1
        del reader
        gc.collect()


def test_a_table_outlives_its_journal_and_lets_the_files_go_at_last(path: Path) -> None:
    journal = Journal.open(path, readonly=True)
    table = pyarrow.table(journal.arrow(["amount"]))
    unread = journal.__arrow_c_stream__()
    journal.close()
    with pytest.raises(ArgumentFault):
        journal.arrow()
    assert sum(table["amount"].to_pylist()) == 7 * COUNT * (COUNT - 1) // 2
    with pytest.raises(JournalBusy):
        Journal.open(path, readonly=True)
    del unread
    gone = [table]
    del table
    thread = threading.Thread(target=gone.clear)
    thread.start()
    thread.join()
    gc.collect()
    Journal.open(path, readonly=True).close()


def test_duckdb_reads_with_threads_of_its_own(journal: Journal) -> None:
    connection = duckdb.connect()
    connection.execute("set threads = 4")
    for _ in range(20):
        query = "select sum(amount), count(distinct tid) from journal"
        (found,) = connection.execute(query).fetchall()
        assert found == (7 * COUNT * (COUNT - 1) // 2, 11)


def test_parquet_keeps_it(journal: Journal, tmp_path: Path) -> None:
    reader = pyarrow.RecordBatchReader.from_stream(journal.arrow(["kind", "amount"]))
    with pyarrow.parquet.ParquetWriter(tmp_path / "day.parquet", reader.schema) as parquet:
        for batch in reader:
            parquet.write_batch(batch)
    del reader, batch
    kept = pyarrow.parquet.read_table(tmp_path / "day.parquet")
    assert kept["amount"].to_pylist() == [7 * number for number in range(COUNT)]


def test_a_column_that_there_is_not_is_named(journal: Journal) -> None:
    with pytest.raises(ValueError, match="no column 'pan'"):
        journal.arrow(["amount", "pan"])
    with pytest.raises(ValueError, match="no columns"):
        journal.arrow([])


@pytest.mark.parametrize("kept", SAMPLES, ids=lambda path: path.stem)
def test_a_page_of_another_build_has_zeros_where_it_lacks_a_column(
    kept: Path, tmp_path: Path
) -> None:
    value, said = sample(kept)
    last = said["first_sequence"] + len(said["entries"]) - 1
    journal_of(value, last, tmp_path / "old")
    with Journal.open(tmp_path / "old", readonly=True) as journal:
        table = pyarrow.table(journal)
        table.validate(full=True)
        assert table.num_rows == len(said["entries"])
        entries = list(journal.entries())
        assert table["why"].to_pylist() == [entry.why for entry in entries]
        assert table["tid"].to_pylist() == [entry.tid.ljust(8) for entry in entries]
        del table
        gc.collect()


def test_a_text_that_is_none_harms_no_reader(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "odd", volume_size_max=1 << 18) as journal:
        journal.stage(tid="T\xe9000001", kind=200 % 30, outcome=1)
        journal.commit()
        table = pyarrow.table(journal.arrow(["tid"]))
        table.validate(full=True)
        assert table["tid"].to_pylist() == ["T?000001"]
        del table
        gc.collect()
