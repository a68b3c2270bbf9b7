"""Goal: the journal verb says what is there, in tables and as JSON, and its exit code tells.

Method: a small journal, the command as a person calls it, and single bytes of the file changed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from posengine.journal import Journal
from posengine.vocabulary import Flag, Kind, Outcome

Run = Callable[..., subprocess.CompletedProcess[str]]
NOON = 1_795_262_400_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal"
    with Journal.open(path, volume_size_max=1 << 20) as journal:
        for number in range(1, 61):
            journal.stage(
                received_at_ns=NOON, kind=int(Kind.SALE), outcome=int(Outcome.APPROVED),
                amount_minor=number, tid=f"T000000{number % 3}", stan=number % 10,
                rrn=f"00{number:010d}", flags=int(Flag.PAN), bin=622500, last4=14, currency=156,
                request=b"\x29\x02\x00ab", response="00", why=1,
            )  # fmt: skip
            if number % 20 == 0:
                journal.commit()
    return path


@pytest.fixture
def run() -> Run:
    def call(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from posengine.cli import main; main()", "journal"]
        return subprocess.run(
            [*command, *map(str, words)], capture_output=True, text=True, check=False,
            env={"COLUMNS": "200", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip

    return call


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_show_tells_facts_and_the_last_entries(path: Path, run: Run) -> None:
    facts = answer(run("show", path, "--count", 3, "--format", "json"))
    assert facts["durable_sequence"] == 60 and facts["pages"] == 3
    assert [entry["sequence"] for entry in facts["entries"]] == [58, 59, 60]
    table = run("show", path)
    assert table.returncode == 0
    assert "消费" in table.stdout and "sale" in table.stdout and "622500******0014" in table.stdout


def test_show_of_one_entry_has_its_fields(path: Path, run: Run) -> None:
    entry = answer(run("show", path, 7, "--format", "json"))
    assert entry["fields"] == {"41": "6162"} and entry["flag_names"] == ["PAN"]
    assert entry["kind_chinese"] == "消费"
    assert entry["why"] == "APPROVED" and entry["why_text"] == "approved"
    assert run("show", path, 61).returncode == 3


def test_find_by_rrn_and_by_terminal_and_stan(path: Path, run: Run) -> None:
    assert answer(run("find", path, "--rrn", "000000000042", "--format", "json"))["sequence"] == 42
    found = answer(run("find", path, "--tid", "T0000001", "--stan", 4, "--format", "json"))
    assert found["sequence"] == 34
    both = answer(run("find", path, "--tid", "T0000001", "--stan", 4, "--all", "--format", "json"))
    assert [entry["sequence"] for entry in both] == [34, 4]
    assert run("find", path, "--rrn", "000000000099").returncode == 1
    assert run("find", path, "--tid", "T0000001").returncode == 2


def test_tail_follows_from_where_it_is_told(path: Path, run: Run) -> None:
    done = run("tail", path, "--after", 50, "--count", 4, "--format", "json")
    assert [json.loads(line)["sequence"] for line in done.stdout.splitlines()] == [51, 52, 53, 54]


def test_export_to_a_file_is_whole_and_ends_with_its_trailer(path: Path, run: Run) -> None:
    target = path.parent / "out.jsonl"
    done = run("export", path, "--format", "json", "--after", 10, "--until", 30, "--output", target)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert lines[-1]["trailer"]["count"] == 20 and lines[-1]["trailer"]["last_sequence"] == 30
    assert lines[-1]["trailer"]["amounts_minor"]["SALE"]["APPROVED"]["156"] == sum(range(11, 31))
    assert run("export", path, "--date", 20261122).stdout.count("\n") == 2


def test_snapshot_refuses_what_exists_and_verifies_clean(path: Path, run: Run) -> None:
    target = path.parent / "copy"
    assert run("snapshot", path, target).returncode == 0
    assert run("snapshot", path, target).returncode == 2
    assert answer(run("verify", target, "--format", "json"))["entries"] == 60


def test_verify_names_the_first_bad_entry_and_why(path: Path, run: Run) -> None:
    assert run("verify", path).returncode == 0
    volume = path / "volume-000001.mdb"
    whole = volume.read_bytes()
    at = whole.index(b"POSPAGE\n", whole.index(b"POSPAGE\n") + 1)
    first = int.from_bytes(whole[at + 64 : at + 72], "little")
    for offset, why in ((0, "magic"), (64, "key"), (300, "column"), (1500, "CRC"), (16, "CRC")):
        changed = bytearray(whole)
        changed[at + offset] ^= 0x55
        volume.write_bytes(changed)
        done = run("verify", path, "--format", "json")
        verdict = json.loads(done.stdout)
        assert done.returncode == 1
        assert verdict["first_bad_sequence"] == first
        assert why in verdict["reason"] or "CRC" in verdict["reason"], (offset, verdict)
    volume.write_bytes(whole)
    assert run("verify", path).returncode == 0


def test_verify_survives_a_damaged_tree(path: Path, run: Run) -> None:
    """LMDB trusts its own pages: whatever that does to a reader, the verb answers with 1."""
    volume = path / "volume-000001.mdb"
    whole = volume.read_bytes()
    leaf = next(
        at for at in range(8192, len(whole), 4096)
        if int.from_bytes(whole[at + 10 : at + 12], "little") == 0x02
        and int.from_bytes(whole[at : at + 8], "little") == at // 4096
        and int.from_bytes(whole[at + 12 : at + 14], "little") == 16 + 2 * 3
    )  # fmt: skip
    changed = bytearray(whole)
    changed[leaf + 16 : leaf + 22] = b"\xff\xff" * 3
    volume.write_bytes(changed)
    done = run("verify", path, "--format", "json")
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert json.loads(done.stdout)["is_clean"] is False


def test_what_is_no_journal_cannot_be_looked_at(tmp_path: Path, run: Run) -> None:
    for verb in ("show", "verify", "tail"):
        done = run(verb, tmp_path / "none")
        assert done.returncode == 3
        assert len(done.stderr.strip().splitlines()) == 1


# ---- the one verb that shows an account number ---------------------------------------------------
PAN = "6222020000000002"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A journal that keeps account numbers, and master keys beside it."""
    for name, key in (("master.key", bytes(range(32))), ("other.key", bytes(32))):
        file = tmp_path / name
        file.touch(mode=0o600)
        file.write_text(key.hex() + "\n")
    path = tmp_path / "kept"
    with Journal.open(path, volume_size_max=1 << 20, master_key=bytes(range(32))) as journal:
        for pan in (PAN, ""):
            journal.stage(
                received_at_ns=NOON, kind=int(Kind.SALE), outcome=int(Outcome.APPROVED),
                flags=int(Flag.PAN), bin=622202, last4=2, tid="T0000001", stan=7,
                rrn="000000000001", pan=pan,
            )  # fmt: skip
        journal.commit()
    return path


def test_pan_prints_one_account_number_and_refuses_in_words(
    kept: Path, path: Path, run: Run
) -> None:
    key = ("--master-key", kept.parent / "master.key")
    done = run("pan", kept, 1, *key)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{PAN}\n", "")
    for code, words, call in (
        (1, "no account number is kept with this entry", (kept, 2, *key)),
        (1, "no such entry", (kept, 99, *key)),
        (1, "kept no account numbers", (path, 1, *key)),
        (3, "wrong master key", (kept, 1, "-m", kept.parent / "other.key")),
        (3, "cannot be read", (kept, 1, "-m", kept.parent / "no.key")),
    ):
        done = run("pan", *call)
        assert (done.returncode, done.stdout) == (code, ""), done
        assert words in done.stderr
        assert PAN not in done.stderr


def test_no_other_verb_shows_an_account_number(kept: Path, run: Run) -> None:
    files = set(kept.parent.rglob("*"))
    for words in (
        ("show", kept), ("show", kept, 1), ("show", kept, 1, "--format", "json"),
        ("find", kept, "--rrn", "000000000001"), ("find", kept, "--tid", "T0000001", "--stan", 7),
        ("tail", kept, "--after", 0, "--count", 2), ("export", kept),
        ("export", kept, "--format", "json"), ("verify", kept),
    ):  # fmt: skip
        done = run(*words)
        assert done.returncode == 0, done.stderr
        assert PAN not in done.stdout + done.stderr
        assert "cipher" not in done.stdout
    run("pan", kept, 1, "--master-key", kept.parent / "master.key")
    assert set(kept.parent.rglob("*")) == files  # and it leaves no file behind
