"""Goal: every account number that a journal keeps comes back; nobody without the key reads it, and
nothing that was altered opens.

Method: numbers of 8 to 19 digits in random pages, read by the product and by the oracle in its own
process; by every path of the processor; then single bits of the volume's file are changed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.pans import encipher
from posengine.errors import JournalCorrupt, PanAbsent, PanNotKept, PanSeal
from posengine.journal import Journal

TESTS = Path(__file__).resolve().parents[1]
NOON = 1_795_262_400_000_000_000
DAY = 86_400_000_000_000
KEY, OTHER = bytes(range(32)), bytes(range(1, 33))

numbers = st.one_of(st.just(""), st.text("0123456789", min_size=8, max_size=19))


def by_the_oracle(path: Path) -> dict[int, str]:
    done = subprocess.run(
        [sys.executable, TESTS / "oracle" / "pans.py", path, KEY.hex()],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {int(sequence): digits for sequence, digits in json.loads(done.stdout).items()}


@settings(max_examples=15, deadline=None)
@given(
    days=st.lists(
        st.lists(st.lists(numbers, min_size=1, max_size=80), min_size=1, max_size=3),
        min_size=1, max_size=3,
    )
)  # fmt: skip
def test_every_number_comes_back_and_the_oracle_agrees(days: list[list[list[str]]]) -> None:
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "journal"
        kept: dict[int, str] = {}
        with Journal.open(path, volume_size_max=1 << 18, master_key=KEY) as journal:
            for day, pages in enumerate(days):
                for page in pages:
                    for pan in page:
                        kept[journal.stage(received_at_ns=NOON + day * DAY, pan=pan)] = pan
                    journal.commit()
        with Journal.open(path, readonly=True) as journal:
            for sequence, pan in kept.items():
                if pan:
                    assert journal.pan(sequence, KEY) == pan
                    with pytest.raises(PanSeal):
                        journal.pan(sequence, OTHER)
                else:
                    with pytest.raises(PanAbsent):
                        journal.pan(sequence, KEY)
        assert by_the_oracle(path) == {sequence: pan for sequence, pan in kept.items() if pan}


WRITE = """
import sys
from posengine.journal import Journal
with Journal.open(sys.argv[1], master_key=bytes(range(32)), volume_size_max=1 << 20) as journal:
    for number in range(333):
        pan = str(6 * 10**18 + number**5)[:8 + number % 12]
        journal.stage(received_at_ns=int(sys.argv[2]), pan=pan)
    journal.commit()
    (page,) = journal.pages()
    print(page.columns["pan_cipher"].tobytes().hex())
"""


@pytest.mark.parametrize("path", ["portable", "sse42", "avx2", "avx512"])
def test_every_path_of_the_processor_writes_the_same_blocks(path: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRITE, tmp_path / "journal", str(NOON)], capture_output=True,
        text=True, check=False, env={**os.environ, "POSENGINE_CPU": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    wanted = [
        encipher(KEY, 20261121, number + 1, str(6 * 10**18 + number**5)[: 8 + number % 12])
        for number in range(333)
    ]
    assert bytes.fromhex(done.stdout) == b"".join(wanted)


def test_a_changed_bit_anywhere_in_a_page_is_refused(tmp_path: Path) -> None:
    chance = random.Random(3)
    path = tmp_path / "journal"
    with Journal.open(path, volume_size_max=1 << 18, master_key=KEY) as journal:
        for number in range(20):
            journal.stage(received_at_ns=NOON, pan=f"{6_222_020_000_000_000 + number}")
        journal.commit()
    with Journal.open(path, readonly=True) as journal:
        (page,) = journal.pages()
        size, cipher = page.size, page.columns["pan_cipher"].tobytes()
        del page
    whole = (path / "volume-000001.mdb").read_bytes()
    begin = whole.index(b"POSPAGE\n")
    block = whole.index(cipher)
    # Past the length and the magic: those are looked at before a sum is.
    places = [8 * block + bit for bit in range(0, 8 * 64, 3)]
    places += [chance.randrange(8 * (begin + 128), 8 * (begin + size)) for _ in range(300)]
    for place in places:
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        (path / "volume-000001.mdb").write_bytes(changed)
        with Journal.open(path, readonly=True) as journal, pytest.raises(JournalCorrupt):
            journal.pan(1 + chance.randrange(20), KEY)


def test_a_journal_may_begin_and_end_to_keep_them(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    for key in (None, KEY, None):
        with Journal.open(path, volume_size_max=1 << 18, master_key=key) as journal:
            journal.stage(received_at_ns=NOON, pan="6222020000000002")
            journal.commit()
            assert journal.verify().is_clean
    with Journal.open(path, readonly=True) as journal:
        assert journal.pan(2, KEY) == "6222020000000002"
        for sequence in (1, 3):
            with pytest.raises(PanNotKept):
                journal.pan(sequence, KEY)
        wanted = [list(page.columns) for page in journal.pages()]
        assert ["pan_cipher" in columns for columns in wanted] == [False, True, False]
        # Whatever page came first, one that lacks the column says so.
        with pytest.raises(ValueError, match="pan_cipher"):
            list(journal.pages(columns=["pan_cipher"]))
        assert "pan_cipher" not in journal.arrow().NAMES
    assert by_the_oracle(path) == {2: "6222020000000002"}


def test_a_copy_under_another_id_opens_them_too(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal", volume_size_max=1 << 18, master_key=KEY) as journal:
        journal.stage(received_at_ns=NOON, pan="6222020000000002")
        journal.commit()
        journal.snapshot(tmp_path / "copy")
        identity = journal.id
    shutil.rmtree(tmp_path / "journal")
    with Journal.open(tmp_path / "copy", readonly=True) as copy:
        assert copy.id != identity
        assert copy.pan(1, KEY) == "6222020000000002"
