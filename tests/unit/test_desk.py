"""Goal: the desk keeps what it was given, moves checkpoints forward only, and stays readable.

Method: a store in a temporary directory and a clock that the test turns; every promise of the
docstrings tried from both sides; an old schema taken forward; a process killed inside a write.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from posengine.desk import CheckpointBackward, CheckpointForeign, Desk, DeskError, DeskHeld, store
from posengine.desk.schema import MIGRATIONS, SCHEMA_VERSION

OURS = "0a" * 16
THEIRS = "0b" * 16
DIGEST = "cd" * 32


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    ticks = count(1)
    with Desk.open(tmp_path / "desk", clock_ns=lambda: next(ticks)) as opened:
        yield opened


def test_a_checkpoint_moves_forward_and_is_kept(desk: Desk) -> None:
    assert desk.checkpoint("shop") is None
    desk.move_checkpoint("shop", journal_id=OURS, sequence=5, page_digest=DIGEST)
    desk.move_checkpoint("shop", journal_id=OURS, sequence=9, page_digest=DIGEST)
    kept = desk.checkpoint("shop")
    assert kept is not None
    assert (kept.sequence, kept.journal_id, kept.updated_at_ns) == (9, OURS, 2)
    assert desk.checkpoints() == [kept]


def test_a_checkpoint_never_moves_back_or_to_another_journal(desk: Desk) -> None:
    desk.move_checkpoint("shop", journal_id=OURS, sequence=5, page_digest=DIGEST)
    with pytest.raises(CheckpointBackward, match="at 5 and does not move back to 4"):
        desk.move_checkpoint("shop", journal_id=OURS, sequence=4, page_digest=DIGEST)
    with pytest.raises(CheckpointForeign, match="belongs to journal 0a0a"):
        desk.move_checkpoint("shop", journal_id=THEIRS, sequence=6, page_digest=DIGEST)
    kept = desk.checkpoint("shop")
    assert kept is not None and (kept.sequence, kept.journal_id) == (5, OURS)


def test_an_operator_may_set_a_checkpoint_anywhere(desk: Desk) -> None:
    desk.move_checkpoint("shop", journal_id=OURS, sequence=5, page_digest=DIGEST)
    desk.adopt_checkpoint("shop", journal_id=THEIRS, sequence=2, page_digest=DIGEST)
    kept = desk.checkpoint("shop")
    assert kept is not None and (kept.sequence, kept.journal_id) == (2, THEIRS)


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a b", "-x", "x" * 65, "店"])
def test_a_name_that_is_no_file_name_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(DeskError, match="cannot name a consumer"):
        desk.move_checkpoint(name, journal_id=OURS, sequence=1, page_digest=DIGEST)
    with pytest.raises(DeskError, match="cannot name a consumer"), desk.hold(name):
        pass


def test_the_file_is_its_owners_alone_and_flushed_at_every_commit(tmp_path: Path) -> None:
    path = tmp_path / "desk"
    path.touch(mode=0o644)
    with Desk.open(path, clock_ns=lambda: 1) as desk:
        desk.move_checkpoint("shop", journal_id=OURS, sequence=1, page_digest=DIGEST)
        for file in tmp_path.iterdir():
            assert file.stat().st_mode & 0o777 == 0o600, file
        assert desk._read("PRAGMA journal_mode") == [("wal",)]
        assert desk._read("PRAGMA synchronous") == [(2,)]  # FULL


def test_dead_letters_are_kept_until_they_are_taken(desk: Desk) -> None:
    desk.bury("shop", journal_id=OURS, sequence=7, reason="410 Gone", attempts=1)
    desk.bury("shop", journal_id=OURS, sequence=3, reason="422", attempts=2)
    desk.bury("other", journal_id=OURS, sequence=3, reason="422", attempts=1)
    assert [(dead.name, dead.sequence) for dead in desk.dead_letters()] == [
        ("other", 3), ("shop", 3), ("shop", 7),
    ]
    desk.resolve("shop", journal_id=OURS, sequence=3)
    assert [dead.sequence for dead in desk.dead_letters("shop")] == [7]
    assert [dead.sequence for dead in desk.dead_letters("shop", resolved=True)] == [3, 7]


def test_deliveries_come_back_oldest_first_and_cut_to_size(desk: Desk) -> None:
    for attempt, outcome in enumerate(("busy", "busy", "taken"), start=1):
        desk.record_delivery(
            "shop", journal_id=OURS, sequences=(1, 4), entry_count=2, attempt=attempt,
            outcome=outcome, detail="x" * 10_000,
        )
    kept = desk.deliveries("shop", count_max=2)
    assert [(sent.attempt, sent.outcome) for sent in kept] == [(2, "busy"), (3, "taken")]
    assert {len(sent.detail) for sent in kept} == {500}


def test_old_deliveries_go_and_those_of_others_stay(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "DELIVERIES_KEPT_MAX", 8)
    for number in range(1, 41):
        desk.record_delivery(
            "shop" if number > 3 else "other", journal_id=OURS, sequences=(number, number),
            entry_count=1, attempt=1, outcome="taken", detail="",
        )
        kept = len(desk.deliveries("shop", count_max=1000))
        assert kept <= 8 + 2 and (number < 12 or kept >= 8)
    assert desk.deliveries("shop")[-1].sequence_last == 40
    assert len(desk.deliveries("other")) == 3


def test_the_same_file_for_the_same_date_is_told(desk: Desk) -> None:
    first = {"layout": "bank", "file_name": "a.csv", "business_date": 20261121, "row_count": 3}
    assert desk.record_import("ee" * 32, **first)
    assert not desk.record_import("ee" * 32, **first)
    assert desk.record_import("ee" * 32, **{**first, "business_date": 20261122})
    assert [kept.file_name for kept in desk.imports()] == ["a.csv", "a.csv"]


def test_closed_breaks_are_found_by_date(desk: Desk) -> None:
    desk.close_break("b1", kind="missing_ours", business_date=20261121, closed_by="wang", note="n")
    desk.close_break("b2", kind="missing_ours", business_date=20261122, closed_by="li", note="n")
    assert [closed.break_id for closed in desk.closed_breaks(20261122)] == ["b2"]
    assert len(desk.closed_breaks()) == 2


def test_one_process_holds_a_name_and_its_death_lets_go(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom posengine.desk import Desk\n"
        "with Desk.open(sys.argv[1], clock_ns=time.time_ns) as desk, desk.hold('shop'):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "desk")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    with child, Desk.open(tmp_path / "desk", clock_ns=lambda: 1) as desk:
        assert child.stdout is not None and child.stdout.readline() == "held\n"
        with pytest.raises(DeskHeld, match="'shop' is at work"), desk.hold("shop"):
            pass
        with desk.hold("other"):
            pass
        child.send_signal(signal.SIGKILL)
        child.wait()
        with desk.hold("shop"):
            pass


@pytest.mark.parametrize("version", range(SCHEMA_VERSION))
def test_every_older_schema_is_taken_forward_with_its_rows(tmp_path: Path, version: int) -> None:
    path = tmp_path / "desk"
    old = sqlite3.connect(path)
    for script in MIGRATIONS[:version]:
        old.executescript(script)
    if version:
        old.execute("INSERT INTO checkpoints VALUES ('shop', ?, 5, ?, 1)", (OURS, DIGEST))
    old.execute(f"PRAGMA user_version = {version}")
    old.commit()
    old.close()
    with Desk.open(path, clock_ns=lambda: 1) as desk:
        assert desk._read("PRAGMA user_version") == [(SCHEMA_VERSION,)]
        assert [kept.sequence for kept in desk.checkpoints()] == ([5] if version else [])
        desk.bury("shop", journal_id=OURS, sequence=1, reason="r", attempts=1)
        desk.record_import("ee", layout="l", file_name="f", business_date=20261121, row_count=0)


def test_a_later_schema_and_a_file_that_is_no_desk_are_refused(tmp_path: Path) -> None:
    later = sqlite3.connect(tmp_path / "later")
    later.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    later.close()
    with pytest.raises(DeskError, match="use the build that wrote it"):
        Desk.open(tmp_path / "later", clock_ns=lambda: 1)
    (tmp_path / "text").write_bytes(b"no desk at all" * 500)
    with pytest.raises(DeskError, match="not a database"):
        Desk.open(tmp_path / "text", clock_ns=lambda: 1)
    with pytest.raises(DeskError, match="No such file"):
        Desk.open(tmp_path / "absent" / "desk", clock_ns=lambda: 1)


def test_a_kill_between_commits_keeps_every_acknowledged_move(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom posengine.desk import Desk\n"
        "with Desk.open(sys.argv[1], clock_ns=lambda: 1) as desk:\n"
        "    for sequence in range(1, 10**9):\n"
        "        desk.move_checkpoint('shop', journal_id='0a' * 16, sequence=sequence,"
        " page_digest='')\n"
        "        print(sequence, flush=True)\n"
    )
    seen = 0
    for told_max in (1, 3, 8):
        child = subprocess.Popen(
            [sys.executable, "-c", script.replace("range(1,", f"range({seen + 1},"),
             str(tmp_path / "desk")],
            stdout=subprocess.PIPE, text=True,
        )
        with child:
            assert child.stdout is not None
            for _ in range(told_max):
                seen = int(child.stdout.readline())
            os.kill(child.pid, signal.SIGKILL)
            told = child.stdout.read().split()
        with Desk.open(tmp_path / "desk", clock_ns=lambda: 1) as desk:
            kept = desk.checkpoint("shop")
        acknowledged = int(told[-1]) if told else seen
        # The last move may have been committed and not yet told; never the other way round.
        assert kept is not None and kept.sequence in (acknowledged, acknowledged + 1)
        seen = kept.sequence
