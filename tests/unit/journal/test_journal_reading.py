"""Goal: what is staged and committed comes back as columns, as entries and by finding.

Method: small journals, every field given a value of its own; closing with views alive.
"""

from __future__ import annotations

import csv
import gc
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posengine.errors import (
    ArgumentFault,
    EntryAbsent,
    EntryForm,
    JournalAbsent,
    JournalBusy,
    JournalReadonly,
)
from posengine.journal import Entry, Journal, export_csv, export_jsonl
from posengine.replay.source import Source
from posengine.vocabulary import Flag, Kind, Outcome

NOON = 1_795_262_400_000_000_000  # 2026-11-21 12:00:00 UTC

SALE: dict[str, Any] = {
    "original": 3, "received_at_ns": NOON, "terminal_at_ns": NOON - 5, "amount_minor": 12_345,
    "staged_after_us": 17, "flags": int(Flag.PAN | Flag.CHIP), "processing": 200, "stan": 42,
    "batch": 7, "original_batch": 6, "original_stan": 41, "bin": 622500, "line": 9, "last4": 14,
    "mti": 0x0200, "currency": 156, "entry_mode": 51, "network": 0, "kind": int(Kind.SALE),
    "outcome": int(Outcome.APPROVED), "type": 22, "condition": 0, "requirement": 1,
    "response": "00", "reason": "", "tid": "T0000001", "mid": "M00000000000001",
    "rrn": "000000000001", "original_rrn": "", "auth": "000001", "operator_id": "01",
    "pan_token": bytes(range(16)), "fingerprint": bytes(range(16, 32)),
    "request": b"\x03\x03\x00\x00\x02\x00\x29\x02\x00ab", "answer": b"\x00answer",
    "why": 3,
}  # fmt: skip


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal", volume_size_max=1 << 20) as journal:
        yield journal


def test_every_field_comes_back(journal: Journal) -> None:
    assert journal.stage(**SALE) == 1
    assert journal.commit() == 1
    (entry,) = journal.entries()
    assert asdict(entry) == {"sequence": 1, **SALE}
    assert entry == journal.entry(1)
    assert entry.card == "622500******0014"
    assert entry.fields == {3: b"\x00\x02\x00", 41: b"ab"}
    assert (entry.kind_word, entry.outcome_word) == (Kind.SALE, Outcome.APPROVED)
    assert entry.received_at.isoformat() == "2026-11-21T12:00:00+00:00"


def test_a_request_that_ends_early_is_named(journal: Journal) -> None:
    for cut in (b"\x03", b"\x03\x05", b"\x03\x05\x00\x01"):
        sequence = journal.stage(request=cut)
        journal.commit()
        with pytest.raises(EntryForm, match="field 3"):
            _ = journal.entry(sequence).fields


def test_columns_are_views_that_outlive_the_journal(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal", volume_size_max=1 << 20) as journal:
        for number in range(100):
            journal.stage(**{**SALE, "amount_minor": number})
        journal.commit()
        (page,) = journal.pages(columns=["amount", "tid", "pan_token"])
        amount = page.columns["amount"]
        assert page.columns["amount"] is amount
        assert not amount.flags.owndata and not amount.flags.writeable
        assert amount.ctypes.data % 64 == 0
        assert page.columns["tid"][0] == b"T0000001"
        assert page.columns["pan_token"][0].tobytes() == bytes(range(16))
        with pytest.raises(KeyError):
            _ = page.columns["stan"]
        with pytest.raises(ValueError, match="no column 'pan'"):
            next(journal.pages(columns=["pan"]))
    with pytest.raises(ArgumentFault, match="closed"):
        journal.entry(1)
    with pytest.raises(ArgumentFault, match="closed"):
        _ = page[0]
    del page
    gc.collect()
    assert amount.sum() == 4950
    with pytest.raises(JournalBusy):  # the view keeps the files
        Journal.open(tmp_path / "journal")
    del amount
    gc.collect()
    with Journal.open(tmp_path / "journal") as journal:
        assert journal.last_sequence == 100


def test_a_page_that_lent_nothing_closes_with_its_journal(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal", volume_size_max=1 << 20) as journal:
        journal.stage(**SALE)
        journal.commit()
        page = next(journal.pages())
        assert page[0].sequence == 1
        journal.verify(lambda sequence: journal.close())  # the walk ends first
    with Journal.open(tmp_path / "journal") as journal:
        assert journal.last_sequence == 1
    assert page.first_sequence == 1 and len(page.digest) == 32
    for touch in (lambda: page[0], page.check, lambda: page.columns["stan"]):
        with pytest.raises(ArgumentFault, match="closed"):
            touch()


def test_pages_begin_with_the_one_that_holds_the_next_entry(journal: Journal) -> None:
    for number in range(30):
        journal.stage(**SALE)
        if number % 10 == 9:
            journal.commit()
    assert [page.first_sequence for page in journal.pages()] == [1, 11, 21]
    assert [page.first_sequence for page in journal.pages(after=15)] == [11, 21]
    assert [page.first_sequence for page in journal.pages(after=20)] == [21]
    assert list(journal.pages(after=30)) == []
    assert [entry.sequence for entry in journal.entries(after=25)] == [26, 27, 28, 29, 30]
    page = next(journal.pages())
    assert (len(page), page.last_sequence, page.business_date) == (10, 10, 20261121)
    assert page[-1].sequence == 10 and [entry.sequence for entry in page[2:4]] == [3, 4]
    with pytest.raises(IndexError):
        _ = page[10]
    page.check()


def test_pages_fit_what_replay_asks_of_a_source(journal: Journal) -> None:
    source: Source = journal
    journal.stage(**SALE)
    journal.commit()
    page = next(source.pages(after=0))
    assert len(page) == 1 and page[0].sequence == 1 and len(page.digest) == 32
    assert len(source.journal_id) == 16 and journal.id == source.journal_id.hex()


def test_entries_are_found_by_rrn_and_by_terminal_and_stan(journal: Journal) -> None:
    for number in range(1, 21):
        journal.stage(**{**SALE, "rrn": f"00{number:010d}", "stan": number % 5})
    journal.commit()
    assert journal.find(rrn="000000000013").sequence == 13
    assert journal.find(tid="T0000001", stan=3).sequence == 18
    assert journal.find(tid="T0000001", stan=3, before=18).sequence == 13
    for absent in ({"rrn": "000000000099"}, {"tid": "T9", "stan": 3}):
        with pytest.raises(EntryAbsent):
            journal.find(**absent)  # type: ignore[arg-type]
    for wrong in ({}, {"tid": "T1"}, {"rrn": "1", "tid": "T1", "stan": 1}):
        with pytest.raises(ArgumentFault):
            journal.find(**wrong)  # type: ignore[arg-type]


def test_tail_gives_entries_as_they_become_durable(journal: Journal) -> None:
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        journal.stage(**SALE)
        journal.commit()

    tail = journal.tail(0, poll_s=0.5, sleep=sleep)
    assert [next(tail).sequence for _ in range(4)] == [1, 2, 3, 4]
    assert naps == [0.5] * 4


def test_a_reader_refuses_to_write_and_an_absent_journal_to_be_read(tmp_path: Path) -> None:
    with pytest.raises(JournalAbsent):
        Journal.open(tmp_path / "none", readonly=True)
    assert not (tmp_path / "none").exists()
    Journal.open(tmp_path / "journal", volume_size_max=1 << 20).close()
    with Journal.open(tmp_path / "journal", readonly=True) as journal:
        with pytest.raises(JournalReadonly):
            journal.stage(**SALE)
        with pytest.raises(JournalReadonly):
            journal.commit()


def test_verify_tells_progress_and_stops_when_told(journal: Journal) -> None:
    for _ in range(5):
        journal.stage(**SALE)
        journal.commit()
    seen: list[int] = []
    verdict = journal.verify(seen.append)
    assert verdict.is_clean and verdict.entries == 5 and seen == [1, 2, 3, 4, 5]
    assert journal.verify(lambda sequence: sequence < 3).entries == 3
    with pytest.raises(ZeroDivisionError):
        journal.verify(lambda sequence: 1 // 0)


def test_a_snapshot_holds_the_same_entries_under_another_id(
    journal: Journal, tmp_path: Path
) -> None:
    for _ in range(50):
        journal.stage(**SALE)
    journal.commit()
    journal.snapshot(tmp_path / "copy")
    with Journal.open(tmp_path / "copy", readonly=True) as copy:
        assert list(copy.entries()) == list(journal.entries())
        assert copy.id != journal.id
        assert copy.verify().is_clean


def staged(journal: Journal) -> list[Entry]:
    journal.stage(**SALE)
    journal.stage(**{**SALE, "mid": "=1+1", "amount_minor": 55})
    journal.stage(**{**SALE, "kind": int(Kind.REFUND), "outcome": int(Outcome.DECLINED)})
    journal.commit()
    return list(journal.entries())


def test_exports_end_with_a_trailer_that_adds_up_and_hold_no_token(journal: Journal) -> None:
    entries = staged(journal)
    lines = io.StringIO()
    trailer = export_jsonl(entries, lines, journal_id=journal.id)
    objects = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert objects[-1] == {"trailer": trailer.facts()}
    assert trailer.counts == {"SALE": {"APPROVED": 2}, "REFUND": {"DECLINED": 1}}
    assert trailer.amounts_minor["SALE"]["APPROVED"] == {"156": 12_400}
    assert (trailer.count, trailer.last_sequence, trailer.journal_id) == (3, 3, journal.id)
    table = io.StringIO()
    assert export_csv(entries, table, journal_id=journal.id) == trailer
    rows = list(csv.reader(io.StringIO(table.getvalue())))
    assert json.loads(rows[-1][1]) == trailer.facts()
    assert rows[1][rows[0].index("card")] == "622500******0014"
    assert rows[2][rows[0].index("mid")] == "'=1+1"
    for text in (lines.getvalue(), table.getvalue()):
        assert bytes(range(16)).hex() not in text and "pan_token" not in text


def test_columns_agree_with_entries(journal: Journal) -> None:
    entries = staged(journal)
    (page,) = journal.pages()
    for name in ("amount", "received_at", "flags", "kind", "stan"):
        field = {"amount": "amount_minor", "received_at": "received_at_ns"}.get(name, name)
        assert page.columns[name].tolist() == [getattr(entry, field) for entry in entries]
    assert np.char.rstrip(page.columns["mid"], b" ").tolist() == [
        entry.mid.encode() for entry in entries
    ]
