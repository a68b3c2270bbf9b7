"""Goal: replay, dispatch and reconcile do on a real journal, by their verbs, what they promise.

Method: a journal staged and committed through the core; each verb as a process of its own; its
output, its exit code and what it left on the desk.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from paper.journal import NS, PaperEntry, entry, sale
from paper.real import append, write
from paper.receiver import Receiver
from posengine.desk import Desk
from posengine.journal import Journal
from posengine.replay import Checkpoints, Replay, Source
from posengine.vocabulary import Flag, Outcome

SECRET = "whsec_" + base64.b64encode(b"a test secret of 32 bytes.......").decode()
DAY_NS = 86_400 * NS


def posengine(*words: object, say: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from posengine.cli import main; main()", *map(str, words)],
        capture_output=True, text=True, input=say, timeout=60, check=False,
    )


def day() -> list[list[PaperEntry]]:
    shop = {"mid": "SHOP", "tid": "T0000001", "batch": 7}
    return [
        [sale(1000 + n, stan=n, **shop) for n in range(1, 5)],
        [
            sale(70, stan=1, mid="OTHER", tid="T0000002", batch=1),
            entry("REVERSAL", 1002, stan=2, original=2, flags=Flag.FINAL, **shop),
            entry("REFUND", 300, stan=6, **shop),
            sale(5, stan=7, outcome=Outcome.DECLINED, response="51", **shop),
        ],
        [sale(9, stan=8, tid="=1+1", mid="SHOP", batch=7)],
    ]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write(tmp_path / "journal", day()).close()
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_text(SECRET)
    return tmp_path


def config(home: Path, port: int, more: str = "") -> Path:
    path = home / "dispatch.toml"
    path.write_text(f"""
journal = "journal"
desk = "desk"

[[subscription]]
name = "shop"
merchants = ["SHOP"]
outcomes = ["APPROVED"]
fields = ["sequence", "kind", "amount_minor", "tid", "pan_masked"]
[subscription.webhook]
url = "http://127.0.0.1:{port}/hook"
secrets = "secret"
[subscription.retry]
retries_max = 1
delay_s_min = 0.01
delay_s_max = 0.05

[[subscription]]
name = "books"
everything = true
fields = ["sequence", "kind", "currency", "amount_minor", "tid", "rrn"]
[subscription.csv]
directory = "out"
{more}
""")
    return path


def test_the_real_journal_and_desk_fit_what_the_readers_need(home: Path) -> None:
    with Journal.open(home / "journal", readonly=True) as journal, Desk.open(
        home / "desk", clock_ns=lambda: 1
    ) as desk:
        source: Source = journal  # held by mypy's rules too, see tools/check.py
        checkpoints: Checkpoints = desk
        replay = Replay(source, checkpoints, "any")
        assert [each.sequence for page in replay.pages() for each in page] == list(range(1, 10))


def test_replay_prints_moves_and_peeks(home: Path) -> None:
    where = ("--journal", home / "journal", "--desk", home / "desk", "--format", "json")
    peeked = posengine("replay", "books", *where, "--peek")
    assert peeked.returncode == 0, peeked.stderr
    lines = [json.loads(line) for line in peeked.stdout.splitlines()]
    assert [line["sequence"] for line in lines] == list(range(1, 10))
    first = posengine("replay", "books", *where, "--until", 6)
    assert len(first.stdout.splitlines()) == 6
    rest = posengine("replay", "books", *where)
    assert [json.loads(line)["sequence"] for line in rest.stdout.splitlines()] == [7, 8, 9]
    assert posengine("replay", "books", *where).stdout == ""
    again = posengine("replay", "books", *where, "--from", 8)
    assert len(again.stdout.splitlines()) == 1
    shown = posengine("replay", "other", *where[:4])
    assert "REVERSAL" in shown.stdout and shown.returncode == 0


def test_replay_moves_only_as_far_as_the_reader_says(home: Path) -> None:
    where = ("--journal", home / "journal", "--desk", home / "desk", "--format", "json")
    words = ("replay", "books", *where, "--acknowledge", "stdin")
    stopped = posengine(*words, say="4\nno\n")
    assert stopped.returncode == 3 and "checkpoint stands before that page" in stopped.stderr
    assert len(stopped.stdout.splitlines()) == 8
    rest = posengine(*words, say="8\n9\n")
    assert [json.loads(line)["sequence"] for line in rest.stdout.splitlines()] == [5, 6, 7, 8, 9]


def test_a_restored_journal_is_refused_until_it_is_adopted(home: Path) -> None:
    where = ("--desk", home / "desk", "--format", "json")
    assert posengine("replay", "books", "--journal", home / "journal", *where).returncode == 0
    with Journal.open(home / "journal", readonly=True) as journal:
        journal.snapshot(home / "restored")
    refused = posengine("replay", "books", "--journal", home / "restored", *where)
    assert refused.returncode == 3 and "--adopt" in refused.stderr
    with Journal.open(home / "restored") as journal:
        append(journal, [[sale(11)]])
    adopted = posengine("replay", "books", "--journal", home / "restored", *where, "--adopt")
    assert [json.loads(line)["sequence"] for line in adopted.stdout.splitlines()] == [10]


def test_dispatch_delivers_its_share_once_and_says_so(home: Path) -> None:
    with Receiver(SECRET) as receiver:
        path = config(home, receiver.port)
        ran = posengine("dispatch", "--config", path, "--once", "--format", "json")
        assert ran.returncode == 0, ran.stderr
        results = {each["name"]: each for each in json.loads(ran.stdout)}
        assert (results["shop"]["taken"], results["books"]["taken"]) == (7, 9)
        assert posengine("dispatch", "--config", path).returncode == 0
    data = [json.loads(body)["data"] for _, body in receiver.events]
    assert [each["sequence"] for each in data] == [1, 2, 3, 4, 6, 7, 9]
    assert all(set(each) == {"sequence", "kind", "amount_minor", "tid", "pan_masked"}
               for each in data)
    closed = posengine("dispatch", "--config", path, "--only", "books", "--close")
    assert closed.returncode == 0
    (file,) = (home / "out").glob("*.csv")
    rows = list(csv.reader(io.StringIO(file.read_text())))
    assert ["T", "count", "9"] in rows and ["T", "state", "closed"] in rows
    assert [row for row in rows if row[:1] == ["D"]][-1][5] == "'=1+1"
    whole = file.read_bytes()
    file.unlink()
    date = file.stem.removeprefix("books-")
    rebuilt = posengine("dispatch", "rebuild", "--config", path, "--only", "books", "--date", date)
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert file.read_bytes().replace(b"T,state,open", b"T,state,closed") == whole


def test_dead_letters_are_listed_retried_and_events_sent_again(home: Path) -> None:
    def refusing(index: int, event_id: str) -> int:
        return 422 if event_id.endswith("-3") and index < 10 else 200

    with Receiver(SECRET, refusing) as receiver:
        path = config(home, receiver.port)
        ran = posengine("dispatch", "--config", path, "--only", "shop")
        assert ran.returncode == 1
        listed = posengine("dispatch", "--config", path, "dead", "list", "--format", "json")
        assert [each["sequence"] for each in json.loads(listed.stdout)] == [3]
        assert posengine("dispatch", "dead", "retry", "--config", path).returncode == 1
        receiver.plan = lambda index, event_id: 200
        assert posengine("dispatch", "dead", "retry", "--config", path).returncode == 0
        assert json.loads(
            posengine("dispatch", "dead", "list", "--config", path, "--format", "json").stdout
        ) == []
        before = len(receiver.events)
        words = ("--config", path, "--only", "shop", "--from", 1, "--to", 99, "--format", "json")
        again = posengine("dispatch", "resend", *words)
        assert json.loads(again.stdout)["taken"] == [1, 2, 3, 4, 6, 7, 9]
        assert sorted(receiver.ids[before:]) == sorted(set(receiver.ids))
    words = ("--config", path, "--only", "books", "--from", 1, "--to", 2)
    files = posengine("dispatch", "resend", *words)
    assert files.returncode == 2 and "dispatch rebuild" in files.stderr
    assert not (home / "out").exists()
    sent = posengine("dispatch", "sent", "--config", path, "--only", "shop", "--format", "json")
    assert {each["outcome"] for each in json.loads(sent.stdout)} == {"taken", "refused"}


def test_a_customer_who_is_down_stops_only_his_own(home: Path) -> None:
    with Receiver(SECRET) as receiver:
        port = receiver.port
    ran = posengine("dispatch", "--config", config(home, port), "--format", "json")
    assert ran.stdout, ran.stderr
    results = {each["name"]: each for each in json.loads(ran.stdout)}
    assert ran.returncode == 1
    assert "refused" in results["shop"]["fault"] and results["shop"]["checkpoint"] == 0
    assert results["books"]["taken"] == 9


def test_a_follower_sends_what_comes_and_ends_when_it_is_told(home: Path) -> None:
    with Receiver(SECRET) as receiver:
        path = config(home, receiver.port, "publish_open = true\n")
        child = subprocess.Popen(
            [sys.executable, "-c", "from posengine.cli import main; main()", "dispatch",
             "--config", str(path), "--follow", "--format", "json"],
            stdout=subprocess.PIPE, text=True,
        )
        with child:
            assert child.stdout is not None
            first = [json.loads(child.stdout.readline()) for _ in range(2)]
            assert {each["name"]: each["checkpoint"] for each in first} == {"shop": 9, "books": 9}
            with Journal.open(home / "journal") as journal:
                append(journal, [[sale(77, mid="SHOP", tid="T0000009")]])
            later = [json.loads(child.stdout.readline()) for _ in range(2)]
            assert {each["checkpoint"] for each in later} == {10}
            child.terminate()
            assert child.wait(20) == 0
    assert receiver.ids[-1].endswith("-10")
    (file,) = (home / "out").glob("*.csv")
    assert "T,count,10\n" in file.read_text()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"pan_masked"', '"pan"', "card data leaves in one form only"),
        ('"pan_masked"', '"expiry"', "never kept"),
        ('"pan_masked"', '"colour"', "no field 'colour'"),
        ('merchants = ["SHOP"]', "", "everything = true"),
        ('outcomes = ["APPROVED"]', 'outcomes = ["FINE"]', "none of NONE, APPROVED"),
        ("http://127.0.0.1", "http://10.1.2.3", "https, or allow_http"),
        ('name = "books"', 'name = "shop"', "two have one name"),
        ('name = "books"', 'name = "../x"', "cannot name a consumer"),
        ('directory = "out"', 'directory = "out"\ncolour = 1', "no such setting: colour"),
        ("retries_max = 1", "retries_max = -1", "not within"),
        ("[subscription.csv]", "[subscription.fax]", "webhook or csv"),
    ],
)
def test_a_wrong_dispatch_file_stops_the_start_and_names_the_place(
    home: Path, old: str, new: str, words: str
) -> None:
    path = config(home, 9)
    path.write_text(path.read_text().replace(old, new, 1))
    ran = posengine("dispatch", "--config", path)
    assert ran.returncode == 2 and words in ran.stderr and "dispatch.toml" in ran.stderr


def business_date(home: Path) -> str:
    with Journal.open(home / "journal", readonly=True) as journal:
        digits = str(next(journal.pages()).business_date)
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


def reconcile(home: Path, file: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return posengine(
        "reconcile", "--journal", home / "journal", "--statement", file, "--date",
        business_date(home), *more,
    )


def planted(lines: Sequence[str]) -> list[str]:
    """Five faults in a plain statement without its trailer."""
    header, *rows = lines
    assert len(rows) == 6
    return [
        header,
        rows[1],  # 0 is missing
        rows[2].replace(",1004,", ",1040,"),
        rows[3],
        rows[3],
        rows[4].replace(rows[4].split(",")[0], "20261122"),
        rows[5],
        rows[5].replace(",000008,", ",000088,"),
    ]


def test_a_statement_with_five_planted_breaks_names_all_five(home: Path) -> None:
    layout = home / "mine.toml"
    text = posengine("reconcile", "layout", "plain").stdout
    layout.write_text(text[: text.index("[trailer]")])
    file = home / "bank.csv"
    wrote = posengine(
        "reconcile", "statement", "--journal", home / "journal", "--date", business_date(home),
        "--layout", layout, "--out", file,
    )
    assert wrote.returncode == 0, wrote.stderr
    clean = reconcile(home, file, "--layout", layout)
    assert clean.returncode == 0 and "6 agree" in clean.stdout, clean.stdout + clean.stderr
    file.write_text("\n".join(planted(file.read_text().splitlines())) + "\n")
    found = reconcile(home, file, "--layout", layout, "--format", "json")
    assert found.returncode == 1
    breaks = json.loads(found.stdout)["breaks"]
    assert sorted(each["kind"] for each in breaks) == [
        "amount_differs", "date_differs", "duplicate_theirs", "missing_ours", "missing_theirs",
    ]
    shown = reconcile(home, file, "--layout", layout)
    assert "金额不符" in shown.stdout and shown.returncode == 1
    as_csv = reconcile(home, file, "--layout", layout, "--format", "csv")
    assert len(list(csv.DictReader(io.StringIO(as_csv.stdout)))) == 5
    for each in breaks:
        done = posengine(
            "reconcile", "close", each["break_id"], "--kind", each["kind"], "--date",
            business_date(home), "--desk", home / "desk", "--note", "explained",
        )
        assert done.returncode == 0, done.stderr
    closed = reconcile(home, file, "--layout", layout, "--desk", home / "desk", "--format", "json")
    assert closed.returncode == 0 and json.loads(closed.stdout)["closed"] == 5


def test_reconcile_says_what_it_needs(home: Path) -> None:
    for words in (
        ("reconcile",), ("reconcile", "--statement", home / "x", "--journal", home / "journal"),
        ("reconcile", "--statement", home / "x", "--date", "2026-11-21", "--layout", "nowhere"),
        ("dispatch",), ("reconcile", "layout", "nowhere"),
    ):
        ran = posengine(*words)
        assert ran.returncode == 2 and ran.stderr.startswith("posengine: "), ran.stderr
    missing = reconcile(home, home / "absent.csv")
    assert missing.returncode == 3 and "No such file" in missing.stderr


def test_batches_are_compared_with_what_the_terminal_told(home: Path) -> None:
    digits = f"{5006:012d}{4:03d}{300:012d}{1:03d}0" + "0" * 31
    value = bytes.fromhex(digits)
    told = b"\x30" + len(value).to_bytes(2, "little") + value
    with Journal.open(home / "journal") as journal:
        append(journal, [[entry("SETTLE", mid="SHOP", tid="T0000001", batch=7, request=told)]])
    found = posengine("reconcile", "batches", "--journal", home / "journal", "--format", "json")
    assert found.returncode == 1, found.stderr
    reasons = [each["reason"] for check in json.loads(found.stdout) for each in check["breaks"]]
    assert reasons == [
        "terminal T0000001 batch 000007: debit amount 50.06, the journal adds up to 30.08: -19.98",
        "terminal T0000001 batch 000007: debits 4, the journal adds up to 3: -1",
    ]
    shown = posengine("reconcile", "batches", "--journal", home / "journal")
    assert "differs 不平" in shown.stdout and "open 未结算" in shown.stdout


@pytest.mark.parametrize("verb", ["replay", "dispatch", "reconcile"])
def test_help_teaches_with_an_example(verb: str) -> None:
    shown = posengine(verb, "--help")
    assert shown.returncode == 0
    assert "Example" in shown.stdout and f"posengine {verb}" in shown.stdout
