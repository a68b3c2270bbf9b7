"""Goal: the parts of the demonstration tell right from wrong: receiver, totals, statement, files.

Method: each part alone, fed with what is right and with what is not.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from posengine.demonstrate import players, stage, statement
from posengine.demonstrate.checks import (
    Check,
    daily_files_agree,
    oracle_path,
    terminals_balance,
)
from posengine.demonstrate.play import Outcome
from posengine.demonstrate.players import PlayerFault
from posengine.demonstrate.receiver import Seen, is_genuine, receiver
from posengine.demonstrate.totals import believed_batches, differences, sum_of, without_zeros
from posengine.dispatch import Secret
from posengine.reconcile import load_layout, match, read_statement
from posengine.reconcile.facts import Ours
from posengine.simulate.report import Disagreement, Report
from posengine.simulate.terminals import make_terminals

SECRET = b"0123456789abcdef0123456789abcdef"
MID = "898000000000001"


def belief(stan: int, amount: int, sign: int = 1, **more: object) -> dict[str, object]:
    return {
        "trade": "sale", "sign": sign, "batch": 1, "stan": stan, "amount": amount,
        "is_foreign": False, "state": "approved", "response": "00", "rrn": f"{stan:012d}",
        "settled": "1121", **more,
    }  # fmt: skip


# ---- receiver -----------------------------------------------------------------------------------
def test_the_receiver_believes_what_dispatch_signs_and_nothing_else() -> None:
    body = b'{"type":"entry"}'
    signature = Secret("whsec_" + base64.b64encode(SECRET).decode()).sign("j-1", 17, body)
    headers = {"webhook-id": "j-1", "webhook-timestamp": "17", "webhook-signature": signature}
    assert is_genuine(SECRET, headers, body)
    assert is_genuine(SECRET, {**headers, "webhook-signature": f"v1,AAAA {signature}"}, body)
    assert not is_genuine(SECRET, headers, body + b" ")
    assert not is_genuine(SECRET, {**headers, "webhook-id": "j-2"}, body)
    assert not is_genuine(SECRET, {**headers, "webhook-timestamp": "18"}, body)
    assert not is_genuine(SECRET[::-1], headers, body)
    assert not is_genuine(SECRET, {}, body)


@contextmanager
def running(seen: Seen) -> Iterator[int]:
    server = receiver(SECRET, seen)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_receiver_counts_ids_and_names_repeats() -> None:
    seen, secret = Seen(), Secret("whsec_" + base64.b64encode(SECRET).decode())
    with running(seen) as port:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        codes = []
        for event_id, body in (("j-1", b"a"), ("j-2", b"b"), ("j-1", b"a"), ("j-3", b"")):
            signature = secret.sign(event_id, 17, body) if event_id != "j-2" else "v1,AAAA"
            line.request(
                "POST",
                "/pos",
                body=body,
                headers={
                    "webhook-id": event_id,
                    "webhook-timestamp": "17",
                    "webhook-signature": signature,
                },
            )
            answer = line.getresponse()
            answer.read()
            codes.append(answer.status)
        line.close()
        line.request("GET", "/ids")
        ids = line.getresponse().read()
        line.close()
    assert codes == [204, 401, 204, 413]
    assert ids == b"j-1"
    assert seen.counts() == {"events": 1, "repeats": 1, "refused": 1}


# ---- totals -------------------------------------------------------------------------------------
def test_believed_totals_are_by_batch_side_and_card() -> None:
    deals = [
        belief(1, 100),
        belief(2, 40, -1),
        belief(3, 7, is_foreign=True),
        belief(4, 9, state="reversed"),
        belief(5, 9, 0),
        belief(6, 5, batch=2),
    ]
    batches = believed_batches({"00000001": deals}, {"00000001": MID})
    assert batches == {
        f"00000001/{MID}/000001": {
            "domestic_debit_minor": 100, "domestic_debit_count": 1,
            "domestic_credit_minor": 40, "domestic_credit_count": 1,
            "foreign_debit_minor": 7, "foreign_debit_count": 1,
        },
        f"00000001/{MID}/000002": {"domestic_debit_minor": 5, "domestic_debit_count": 1},
    }  # fmt: skip
    assert (sum_of(batches, "_count"), sum_of(batches, "_minor")) == (4, 152)


def test_sums_of_nothing_are_no_difference_and_others_are_named() -> None:
    theirs = without_zeros({"a": {"x_minor": 0}, "b": {"x_minor": 5, "y_count": 0}})
    assert theirs == {"b": {"x_minor": 5}}
    assert differences(theirs, {"b": {"x_minor": 5}}) == []
    assert differences(theirs, {"b": {"x_minor": 6}}) == ["b: {'x_minor': 5} and {'x_minor': 6}"]
    many = {str(number): {"x_minor": 1} for number in range(9)}
    assert differences(many, {})[-1] == "and 6 more batches"


# ---- statement ----------------------------------------------------------------------------------
def ours_of(rows: list[statement.Row]) -> list[Ours]:
    return [
        Ours(
            sequence=index, business_date=row.date, tid=row.tid, mid=row.mid, batch=row.batch,
            stan=row.stan, rrn=row.rrn, kind="SALE", amount_minor=row.amount, currency=156,
            direction=row.direction, status="paid",
        )
        for index, row in enumerate(rows, start=1)
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_the_planted_statement_has_five_breaks_of_five_kinds(tmp_path: Path, seed: int) -> None:
    deals = [belief(stan, 100 + stan, 1 if stan % 4 else -1) for stan in range(1, 30)]
    rows = statement.rows_of({"00000001": deals}, {"00000001": MID}, year=2026)
    layout = load_layout("plain")
    for name, some, wanted in (
        ("right.csv", rows, Counter[str]()),
        ("broken.csv", statement.plant(rows, Random(seed)), Counter(statement.PLANTED)),
    ):
        statement.write(tmp_path / name, some)
        data = (tmp_path / name).read_bytes()
        read = read_statement(data, layout, file=name, on=20261121)
        found = match(ours_of(rows), read.rows, on=20261121, key="stan", faults=read.faults)
        assert Counter(each.kind for each in found.breaks) == wanted


# ---- daily files --------------------------------------------------------------------------------
def daily(rows: list[str], *, count: int | None = None, total: int = 300) -> bytes:
    body = "".join(f"{row}\n" for row in rows)
    return (
        "record,sequence,kind,amount_minor,currency\n"
        + body
        + f"T,count,{len(rows) if count is None else count}\nT,sum,156,SALE,2,{total}\n"
        + f"T,sha256,{hashlib.sha256(body.encode()).hexdigest()}\n"
    ).encode()


@pytest.mark.parametrize(
    "data, approved, is_right",
    [
        (daily(["D,1,SALE,100,156", "D,2,SALE,200,156"]), 2, True),
        (daily(["D,1,SALE,100,156", "D,2,SALE,200,156"], count=3), 2, False),
        (daily(["D,1,SALE,100,156", "D,2,SALE,200,156"], total=301), 2, False),
        (daily(["D,1,SALE,100,156", "D,2,SALE,200,156"]).replace(b"D,2", b"D,3"), 2, False),
        (daily(["D,1,SALE,100,156", "D,2,SALE,200,156"]), 3, False),
    ],
)
def test_a_daily_file_is_held_against_its_trailer_and_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, approved: int, is_right: bool
) -> None:
    (tmp_path / "daily-20261121.csv").write_bytes(data)
    monkeypatch.setattr("posengine.demonstrate.checks._approved_of", lambda *_: approved)
    assert daily_files_agree(tmp_path, tmp_path, MID).is_right is is_right


def test_no_daily_file_at_all_is_not_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posengine.demonstrate.checks._approved_of", lambda *_: 0)
    assert daily_files_agree(tmp_path, tmp_path, MID).is_right is False


# ---- stage and players --------------------------------------------------------------------------
def test_a_stage_is_set_anew_but_never_over_somebody_s_files(tmp_path: Path) -> None:
    terminals = make_terminals(3, merchants=2, seed=1)
    for _ in range(2):
        made = stage.set_stage(tmp_path / "demo", terminals, random=Random(1).randbytes)
        (made.path("left.txt")).write_text("of the run before")
    assert oct(made.path("master.key").stat().st_mode & 0o777) == "0o600"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("irreplaceable")
    with pytest.raises(stage.StageFault, match="not empty"):
        stage.set_stage(tmp_path / "mine", terminals, random=Random(1).randbytes)
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(stage.StageFault, match="choose another --home"):
        stage.set_stage(
            tmp_path / "file" / "demo",
            make_terminals(2, merchants=1, seed=1),
            random=Random(1).randbytes,
        )


def test_one_wrong_check_makes_the_outcome_wrong_and_a_skipped_one_does_not() -> None:
    right, skipped, wrong = (Check("name", "名", verdict, "") for verdict in (True, None, False))
    assert Outcome(Report(), [right, skipped]).is_right
    assert not Outcome(Report(), [right, wrong, skipped]).is_right


@pytest.mark.parametrize(
    "change, is_right",
    [({}, True), ({"balanced": 9}, False), ({"settled": 0, "balanced": 0}, False)],
)
def test_terminals_balance_where_every_settlement_did(
    change: dict[str, int], is_right: bool
) -> None:
    report = Report(settled=10, balanced=10, terminals=10)
    for name, value in change.items():
        setattr(report, name, value)
    assert terminals_balance(report).is_right is is_right


def test_one_disagreement_is_enough_to_be_out_of_balance() -> None:
    report = Report(settled=10, balanced=10, terminals=10)
    report.disagree(Disagreement("00000001", "000001", "000002", "echo", "field 4 changed"))
    found = terminals_balance(report)
    assert found.is_right is False and "field 4 changed" in found.text


def test_a_player_that_ends_is_named_with_its_last_words(tmp_path: Path) -> None:
    command = [*players.verb()[:1], "-c", "print('no such file'); raise SystemExit(3)"]
    player = players.start("engine", command, home=tmp_path)
    player.process.wait()  # the clock below goes by looks: it would not wait for a busy machine
    with pytest.raises(PlayerFault, match="engine ended with 3:\nno such file"):
        players.wait_until(
            player, lambda: False, seconds_max=20, clock=Clock(), sleep=lambda _: None
        )


class Clock:
    """A clock that goes on a thousandth of a second a look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


def test_commands_are_shown_as_a_person_types_them(monkeypatch: pytest.MonkeyPatch) -> None:
    command = players.verb("serve", "--config", "a b.toml")
    for found, program in (("/usr/bin/posengine", "posengine"), (None, "bin/posengine")):
        monkeypatch.setattr("shutil.which", lambda _, found=found: found)
        shown = players.typed(command)
        assert shown.split(" ")[0].endswith(program)
        assert shown.endswith("posengine serve --config 'a b.toml'")


def test_the_independent_reader_is_found_in_a_checkout_only(tmp_path: Path) -> None:
    assert oracle_path(tmp_path / "site-packages" / "posengine") is None
    (tmp_path / "tests" / "oracle").mkdir(parents=True)
    (tmp_path / "tests" / "oracle" / "journal.py").write_text("")
    assert oracle_path(tmp_path / "src" / "posengine") is not None
