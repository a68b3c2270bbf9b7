"""Goal: a daily file holds its date's rows once each, ends in a trailer that agrees with them, and
comes out byte for byte the same however often its writer was cut off on the way.

Method: the file read back by Python's own csv module and added up by hand; the spool cut at every
byte; write failures at every write; a table of cells that a spreadsheet would run.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from paper.journal import PaperJournal, entry, sale
from posengine.desk import Desk
from posengine.dispatch import (
    Choice,
    DailyFiles,
    FilesFault,
    Retry,
    Serializer,
    csv_cell,
    deliver,
)
from posengine.dispatch import spool as spool_room
from posengine.replay import Replay

FIELDS = ["sequence", "kind", "currency", "amount_minor", "rrn", "tid"]
ALL = Choice(frozenset(), frozenset(), frozenset(), frozenset())
SHOP = Choice(frozenset({"SHOP"}), frozenset(), frozenset(), frozenset())
NEXT = 20261122


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk.open(tmp_path / "desk", clock_ns=lambda: 1) as opened:
        yield opened


class Carry(Protocol):
    def __call__(
        self, home: Path, journal: PaperJournal, desk: Desk, **other: Any
    ) -> DailyFiles: ...


@pytest.fixture
def carry() -> Iterator[Carry]:
    """A run, as ``run_once`` makes it; its sink stays open until the test ends."""
    with ExitStack() as opened:

        def carried(
            home: Path, journal: PaperJournal, desk: Desk, *,
            fields: Sequence[str] = FIELDS, choice: Choice = ALL,
        ) -> DailyFiles:
            sink = DailyFiles(
                "shop", journal=journal, serializer=Serializer(fields), choice=choice,
                directory=home / "out", spool=home / "spool",
            )
            opened.callback(sink.close)
            replay = Replay(journal, desk, "shop")
            after = sink.resume(replay.acknowledged)
            if after < replay.acknowledged:
                replay = Replay(journal, desk, "shop", after=after)
            deliver(replay, sink, retry=Retry(lambda: 0.0), sleep=lambda s: None)
            return sink

        yield carried


def two_days() -> PaperJournal:
    journal = PaperJournal()
    journal.commit(sale(1000), sale(250, tid="=cmd()"), entry("REFUND", 100))
    journal.commit(sale(7, currency=840), sale(5, mid="SHOP"))
    journal.commit(sale(9), date=NEXT)
    return journal


def published(home: Path, date: int = 20261121) -> bytes:
    return (home / "out" / f"shop-{date}.csv").read_bytes()


def test_a_file_ends_in_a_trailer_that_agrees_with_its_rows(
    tmp_path: Path, desk: Desk, carry: Carry
) -> None:
    carry(tmp_path, two_days(), desk)
    data = published(tmp_path)
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    details = [row for row in rows if row[0] == "D"]
    trailer = [row[1:] for row in rows if row[0] == "T"]
    assert rows[0] == ["record", *FIELDS]
    assert [row[1] for row in details] == ["1", "2", "3", "4", "5"]
    lines = b"".join(line + b"\n" for line in data.split(b"\n") if line.startswith(b"D,"))
    assert trailer == [
        ["journal_id", "0a" * 16],
        ["business_date", "2026-11-21"],
        ["state", "closed"],
        ["count", "5"],
        ["first_sequence", "1"],
        ["last_sequence", "5"],
        ["sum", "156", "REFUND", "1", "100"],
        ["sum", "156", "SALE", "3", "1255"],
        ["sum", "840", "SALE", "1", "7"],
        ["sha256", hashlib.sha256(lines).hexdigest()],
    ]
    assert not (tmp_path / "out" / f"shop-{NEXT}.csv").exists()  # that date is not over


def test_sums_are_not_told_where_their_fields_are_not_listed(
    tmp_path: Path, desk: Desk, carry: Carry
) -> None:
    carry(tmp_path, two_days(), desk, fields=["rrn"])
    assert b"T,sum" not in published(tmp_path)
    assert b"1255" not in published(tmp_path) and b"T,count,5" in published(tmp_path)


def test_only_chosen_entries_come_and_a_date_without_any_has_a_file(
    tmp_path: Path, desk: Desk, carry: Carry
) -> None:
    sink = carry(tmp_path, two_days(), desk, choice=SHOP)
    assert b"T,count,1\nT,first_sequence,5\n" in published(tmp_path)
    sink.publish(is_open=True)
    assert b"T,state,open\nT,count,0\nT,first_sequence,0\n" in published(tmp_path, NEXT)


def test_an_open_date_may_be_published_again_and_grows(
    tmp_path: Path, desk: Desk, carry: Carry
) -> None:
    journal = PaperJournal()
    journal.commit(sale(1))
    carry(tmp_path, journal, desk).publish(is_open=True)
    first = published(tmp_path)
    journal.commit(sale(2))
    carry(tmp_path, journal, desk).publish(is_open=False)
    assert b"T,state,open\nT,count,1\n" in first
    assert b"T,state,closed\nT,count,2\n" in published(tmp_path)
    assert published(tmp_path).startswith(first[: first.index(b"T,")])


def test_a_spool_cut_at_any_byte_gives_the_same_file(
    tmp_path: Path, carry: Carry
) -> None:
    journal = two_days()
    with Desk.open(tmp_path / "whole.desk", clock_ns=lambda: 1) as desk:
        carry(tmp_path / "whole", journal, desk)
    wanted = published(tmp_path / "whole")
    first_page = PaperJournal(written=journal.written[:1])
    with Desk.open(tmp_path / "part.desk", clock_ns=lambda: 1) as desk:
        carry(tmp_path / "part", first_page, desk).close()
        spool = tmp_path / "part" / "spool" / "20261121.rows"
        whole = spool.read_bytes()
        for keep in range(len(whole) + 1):
            spool.write_bytes(whole[:keep])
            desk.adopt_checkpoint("shop", journal_id="0a" * 16, sequence=0, page_digest="")
            carry(tmp_path / "part", journal, desk).close()
            assert published(tmp_path / "part") == wanted, keep
            (tmp_path / "part" / "spool" / f"{NEXT}.rows").unlink()


def test_a_spool_with_a_changed_byte_is_not_believed_beyond_it(
    tmp_path: Path, desk: Desk, carry: Carry
) -> None:
    journal = two_days()
    first_day = PaperJournal(written=journal.written[:2])
    with Desk.open(tmp_path / "whole.desk", clock_ns=lambda: 1) as other:
        carry(tmp_path / "whole", journal, other)
    wanted = published(tmp_path / "whole")
    carry(tmp_path, first_day, desk).close()
    path = tmp_path / "spool" / "20261121.rows"
    whole = path.read_bytes()
    places = [whole.index(b"D,1,"), whole.index(b"1000"), whole.index(b'"last"'), len(whole) - 9]
    for place in places:
        kept = desk.checkpoint("shop")
        assert kept is not None and kept.sequence == 5
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        carry(tmp_path, journal, desk).close()
        assert published(tmp_path) == wanted, place
        (tmp_path / "spool" / f"{NEXT}.rows").unlink()
        digest = first_day.written[-1].digest.hex()
        desk.adopt_checkpoint("shop", journal_id="0a" * 16, sequence=5, page_digest=digest)


@pytest.mark.parametrize("loss", ["spool", "fields", "choice", "journal id", "tail"])
def test_a_spool_that_is_of_no_use_is_built_anew(
    tmp_path: Path, desk: Desk, carry: Carry, loss: str
) -> None:
    journal = PaperJournal()
    journal.commit(sale(1), date=20261120)
    journal.commit(sale(2), sale(3))
    other: dict[str, Any] = {}
    carry(tmp_path, journal, desk).close()
    path = tmp_path / "spool" / "20261121.rows"
    if loss == "spool":
        path.unlink()
    elif loss == "fields":
        other["fields"] = ["amount_minor", "rrn"]
    elif loss == "choice":
        other["choice"] = Choice(frozenset(), frozenset({"T0000001"}), frozenset(), frozenset())
    elif loss == "tail":
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    else:
        journal.journal_id = b"\x0b" * 16
        kept = desk.checkpoint("shop")
        assert kept is not None
        desk.adopt_checkpoint(
            "shop", journal_id="0b" * 16, sequence=3, page_digest=kept.page_digest
        )
    journal.commit(sale(4))
    carry(tmp_path, journal, desk, **other).publish(is_open=False)
    rows = published(tmp_path).splitlines()
    assert [row for row in rows if row.startswith(b"T,count")] == [b"T,count,3"]
    assert desk.checkpoint("shop").sequence == 4  # type: ignore[union-attr]
    header = ["record", *other.get("fields", FIELDS)]
    assert rows[0].decode().split(",") == header


def test_a_clock_set_back_over_the_cutover_puts_every_row_into_its_own_date(
    tmp_path: Path, desk: Desk, carry: Carry
) -> None:
    journal = PaperJournal()
    for amount, date in ((1, 20261121), (2, NEXT), (3, 20261121), (4, NEXT), (5, 20261123)):
        journal.commit(sale(amount), date=date)
    carry(tmp_path, journal, desk)
    amounts = {
        date: [
            int(row[4])
            for row in csv.reader(io.StringIO(published(tmp_path, date).decode()))
            if row[0] == "D"
        ]
        for date in (20261121, NEXT)
    }
    assert amounts == {20261121: [1, 3], NEXT: [2, 4]}


def test_a_date_can_be_built_again_from_the_journal(
    tmp_path: Path, desk: Desk, carry: Carry
) -> None:
    sink = carry(tmp_path, two_days(), desk)
    wanted = published(tmp_path)
    (tmp_path / "out" / "shop-20261121.csv").unlink()
    assert sink.rebuild(20261121) is not None
    assert published(tmp_path) == wanted
    assert sink.rebuild(19990101) is None
    assert list((tmp_path / "spool").glob("rebuild*")) == []


def test_a_failed_write_marks_nothing_and_the_next_run_is_whole(
    tmp_path: Path, desk: Desk, carry: Carry, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = two_days()
    with Desk.open(tmp_path / "whole.desk", clock_ns=lambda: 1) as other:
        carry(tmp_path / "whole", journal, other)
    wanted = published(tmp_path / "whole")
    for failing in range(1, 12):
        calls = 0
        real = spool_room.Spool.add

        def add(self: spool_room.Spool, *row: object) -> None:
            nonlocal calls
            calls += 1
            if calls == failing:  # noqa: B023  # used within this turn of the loop only
                raise OSError(28, "No space left on device")
            real(self, *row)  # type: ignore[arg-type]  # noqa: B023

        home = tmp_path / str(failing)
        desk.adopt_checkpoint("shop", journal_id="0a" * 16, sequence=0, page_digest="")
        with monkeypatch.context() as patch:
            patch.setattr(spool_room.Spool, "add", add)
            if failing <= 6:
                with pytest.raises(FilesFault, match="No space left"):
                    carry(home, journal, desk)
        carry(home, journal, desk)
        assert published(home) == wanted, failing


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"), ("\rx", '"\'\rx"'), ("\nx", '"\'\nx"'), ("  =1", "'  =1"),
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ('=HYPERLINK("http://x","y")', '"\'=HYPERLINK(""http://x"",""y"")"'),
        ("＝1", "'＝1"), ("＋1", "'＋1"), ("－1", "'－1"), ("＠x", "'＠x"),
        ("a,b", '"a,b"'), ('a"b', '"a""b"'), ("a\nb", '"a\nb"'), (" a", '" a"'), ("a ", '"a "'),
        ("", ""), ("plain", "plain"), ("a=b", "a=b"), ("a-b", "a-b"), ("622202******0128",) * 2,
        (-5, "-5"), (5, "5"), (True, "true"), (False, "false"),
    ],
)
def test_a_cell_is_never_a_formula_and_reads_back(text: str | int | bool, cell: str) -> None:
    assert csv_cell(text) == cell
    if isinstance(text, str):
        (row,) = csv.reader(io.StringIO(f"{cell},end", newline=""))
        assert row[0].removeprefix("'") == text
        assert row[0][:1] not in tuple("=+-@\t\r\n＝＋－＠")
