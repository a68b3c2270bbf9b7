"""Goal: while one process writes, others read what is durable, over volumes that turn, and copies
are journals of their own.

Method: a writer process that says what is durable, a reader that must never see more than was
staged nor less than was said, and a snapshot taken in the middle.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from posengine.errors import JournalBusy
from posengine.journal import Journal

WRITER = """
import sys
from posengine.journal import Journal
with Journal.open(sys.argv[1], volume_size_max=1 << 18, durability=sys.argv[2]) as journal:
    for page in range(60):
        for row in range(20):
            number = page * 20 + row + 1
            journal.stage(stan=number, amount_minor=number * 3, request=bytes(300))
        print(journal.commit(), flush=True)
        if page % 20 == 19:
            sys.stdin.readline()
"""


@pytest.mark.parametrize("durability", ["late", "full"])
def test_readers_see_what_is_durable_while_volumes_turn(tmp_path: Path, durability: str) -> None:
    path = tmp_path / "journal"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), durability],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as writer:  # fmt: skip
        assert writer.stdin is not None and writer.stdout is not None
        assert int(writer.stdout.readline()) == 20
        with Journal.open(path, readonly=True) as journal:
            seen = 0
            first = next(journal.pages()).columns["amount"]
            for page in range(2, 61):
                said = int(writer.stdout.readline())
                assert said == page * 20
                assert said <= journal.durable_sequence <= 1200
                for found in journal.pages(after=seen):
                    assert found.first_sequence == seen + 1
                    assert found.columns["stan"].tolist() == [*range(seen + 1, seen + 21)]
                    seen = found.last_sequence
                assert seen >= said
                if page % 20 == 0:
                    journal.snapshot(tmp_path / f"copy-{page}")
                    writer.stdin.write("\n")
                    writer.stdin.flush()
            assert journal.facts.volumes > 3
            assert first.tolist() == [number * 3 for number in range(1, 21)]
            verdict = journal.verify()
            assert verdict.is_clean and verdict.entries == 1200
    for page in (20, 40, 60):
        with Journal.open(tmp_path / f"copy-{page}") as copy:  # and a copy is written on
            assert copy.last_sequence == page * 20
            volumes = len(list(path.glob("volume-*.mdb")))
            assert copy.facts.volumes <= volumes and (page < 60 or copy.facts.volumes > 3)
            copy.stage(stan=1)
            assert copy.commit() == page * 20 + 1
            assert copy.verify().is_clean


def test_there_is_one_writer_in_all_processes(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), "late"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as writer:  # fmt: skip
        assert writer.stdin is not None and writer.stdout is not None
        assert int(writer.stdout.readline()) == 20
        with pytest.raises(JournalBusy, match="another process"):
            Journal.open(path)
        with Journal.open(path, readonly=True) as journal:
            assert journal.last_sequence >= 20
        writer.stdin.write("\n\n\n")
        writer.stdin.close()
        assert writer.stdout.read().split()[-1] == "1200"
    with Journal.open(path) as journal:
        assert journal.report == "" and journal.last_sequence == 1200
