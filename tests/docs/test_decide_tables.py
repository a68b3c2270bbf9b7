"""Goal: the tables of docs/reference/reversals.md and settlement.md are what the host does.

Method: each row is read from the markdown and run: its steps by tests/oracle/till.py against the
core; then the answer, the reason, the totals and what a late original gets must be the cells. Rows
of reversals run a second time with a restart (entries folded anew) before the reversal.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oracle.till import CARDS, MID, NOW, ORIGINAL_STAN, TID, Till
from posengine._native.decide import Rehearsal, reasons
from posengine.roster import Policy
from posengine.vocabulary import Kind

if TYPE_CHECKING:
    from posengine._native.decide import Said

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
POLICY = Policy.load()
Row = dict[str, str]


def tables(name: str) -> list[list[Row]]:
    """Every table of a file, each a list of {header: cell}."""
    found: list[list[Row]] = []
    header: list[str] = []
    for line in (REFERENCE / name).read_text("utf-8").splitlines():
        if not line.startswith("|"):
            header = []
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not header:
            header = cells
            found.append([])
        elif not set(cells[0]) <= {"-"} or cells[0] == "":
            assert len(cells) == len(header), line
            found[-1].append(dict(zip(header, cells, strict=True)))
    return found


REVERSALS = tables("reversals.md")[0]
SETTLEMENTS, UPLOADS = tables("settlement.md")


def steps(cell: str) -> list[str]:
    return [] if cell == "-" else [step.strip() for step in cell.split(",")]


def name(row: Row) -> str:
    return next(iter(row.values()))


def times(cell: str) -> tuple[int, int]:
    amount, count = cell.split("×")
    return int(amount), int(count)


def both_sides(till: Till) -> tuple[int, int, int, int]:
    domestic, foreign = till.core.terminal(TID, MID)["totals"]
    debit, credit, debits, credits_ = (a + b for a, b in zip(domestic, foreign, strict=True))
    return debit, debits, credit, credits_


def check_answer(said: Said | None, row: Row) -> None:
    assert said is not None
    wanted = "  " if row["answer"] == "repeat" else row["answer"]
    assert (said["response"], said["reason"]) == (wanted, row["why"])


@pytest.mark.parametrize("is_restarted", [False, True], ids=["straight", "restarted"])
@pytest.mark.parametrize("row", REVERSALS, ids=name)
def test_a_reversal_gets_what_its_row_says(row: Row, is_restarted: bool) -> None:
    till = Till(POLICY.compile())
    for step in steps(row["before"]):
        till.do(step)
    if is_restarted:
        till.core.refold()
    check_answer(till.do(row["reversal"]), row)
    totals = both_sides(till)
    assert totals == (*times(row["debit"]), *times(row["credit"]))
    if row["late original"] == "repeat":
        late = till.again("original")
        assert (late["reason"], late["original"]) == ("REPEAT", till.said["original"]["sequence"])
    else:
        late_said = till.do("sale 100")
        assert late_said is not None
        assert f"{late_said['response']} {late_said['reason']}" == row["late original"]
    assert both_sides(till) == totals, "a late original posts nothing"
    before = till.core.digest()
    till.core.refold()
    assert till.core.digest() == before


def test_the_table_has_every_original_that_can_be() -> None:
    originals = " ".join(row["original"] for row in REVERSALS)
    for word in ("unseen", "staged", "approved", "declined", "repeated", "voided", "refunded",
                 "reversed", "closed batch", "another amount"):  # fmt: skip
        assert word in originals


def test_the_policy_says_what_an_unseen_original_gets() -> None:
    till = Till(replace(POLICY, unseen_reversal="25").compile())
    said = till.do("reverse")
    assert said is not None
    assert (said["response"], said["reason"]) == ("25", "REVERSAL_UNSEEN_25")
    late = till.do("sale 100")
    assert late is not None
    assert late["reason"] == "LATE_ORIGINAL"


def settle(till: Till, row: Row, batch: int) -> Said:
    domestic = (times(row["debit"]), times(row["credit"]))
    foreign = (times(row["foreign debit"]), times(row["foreign credit"]))
    totals = tuple((debit[0], credit[0], debit[1], credit[1]) for debit, credit in
                   (domestic, foreign))  # fmt: skip
    return till.send("asked", Kind.SETTLE, 0x500, network=201, totals=totals, batch=batch)


@pytest.mark.parametrize("row", SETTLEMENTS, ids=name)
def test_a_settlement_gets_what_its_row_says(row: Row) -> None:
    till = Till(POLICY.compile())
    for step in steps(row["before"]):
        if step == "settle 2":
            till.send("second", Kind.SETTLE, 0x500, batch=2, totals=((0,) * 4, (0,) * 4))
        else:
            till.do(step)
    said = settle(till, row, 1)
    check_answer(said, row)
    assert " ".join(map(str, said["results"])) == row["digits"]
    assert (till.core.terminal(TID, MID)["batch"] == 0) == (row["batch"] == "closed")


@pytest.mark.parametrize("row", UPLOADS, ids=name)
def test_an_upload_finds_what_its_row_says(row: Row) -> None:
    till = Till(POLICY.compile())
    till.do("sale 100")
    till.do("sale 250")
    assert till.sent["another"]["stan"] == 103, "the table's text names STAN 103"
    till.send("off", Kind.SETTLE, 0x500, totals=((1, 0, 1, 0), (0, 0, 0, 0)))
    records = [tuple(map(int, pair.split("="))) for pair in steps(row["records"]) and
               row["records"].split()]  # fmt: skip
    card = CARDS["domestic"]
    details = [(stan, amount, card["bin"], card["last4"]) for stan, amount in records]
    if details:
        till.send("upload", Kind.BATCH_DETAIL, 0x320, network=201, details=details)
    end = till.send("end", Kind.BATCH_END, 0x320, network=202, upload_count=len(details))
    found = [end[key] for key in ("matched", "missing_ours", "missing_theirs", "differing")]
    columns = ("matched", "missing with us", "missing at terminal", "differing")
    assert found == [int(row[column]) for column in columns]
    assert end["reason"] == row["why at the end"]
    assert till.core.terminal(TID, MID)["batch"] == 0
    before = till.core.digest()
    till.core.refold()
    assert till.core.digest() == before


def test_findings_name_the_posting_and_no_card() -> None:
    till = Till(POLICY.compile())
    said = till.do("sale 100")
    assert said is not None
    till.send("off", Kind.SETTLE, 0x500, totals=((1, 0, 1, 0), (0, 0, 0, 0)))
    detail = (ORIGINAL_STAN, 101, 622500, 14)
    found = till.send("upload", Kind.BATCH_DETAIL, 0x320, details=[detail])["findings"]
    assert found[0] == 0 and int.from_bytes(found[1:3], "little") == len(found) - 3
    row = found[3 + 26 :]
    assert row[0] == 4 and int.from_bytes(row[1:5], "little") == ORIGINAL_STAN
    assert int.from_bytes(row[5:13], "little") == said["sequence"]
    assert int.from_bytes(row[13:21], "little") == 101
    assert int.from_bytes(row[21:29], "little") == 100
    assert (622500).to_bytes(4, "little") not in found


def test_a_totals_less_settlement_is_an_error_on_both_sides() -> None:
    till = Till(POLICY.compile())
    said = till.send("bare", Kind.SETTLE, 0x500)
    assert (said["response"], said["reason"], said["results"]) == ("30", "TOTALS_ABSENT", (3, 3))


def test_an_upload_without_settlement_is_refused() -> None:
    till = Till(POLICY.compile())
    said = till.send("upload", Kind.BATCH_DETAIL, 0x320)
    assert (said["response"], said["reason"]) == ("12", "UNSETTLED")


def test_every_code_that_a_reason_sends_is_explained() -> None:
    """responses.md has a row for every code in reason.def, and names the reasons it stands for."""
    rows = {row["code"]: row for row in tables("responses.md")[0]}
    for reason, response, _ in reasons():
        if response.strip():
            assert response in rows, response
            if response != "00":
                assert reason in rows[response]["reasons"], (reason, response)
    words = {word for row in rows.values() for word in re.findall(r"[A-Z0-9_]{4,}", row["reasons"])}
    assert words <= {reason for reason, _, _ in reasons()} | {"UNKNOWN"}


def test_every_kind_is_told_in_a_sentence() -> None:
    rows = {row["kind"].strip("`"): row for row in tables("kinds.md")[0]}
    assert set(rows) == {kind.name for kind in Kind}
    for kind in Kind:
        sign = {1: "debit", -1: "credit", 0: "-"}[kind.sign]
        assert rows[kind.name]["totals"] == sign, kind
        assert rows[kind.name]["中文"] == kind.chinese


def test_every_setting_of_the_policy_is_told() -> None:
    """policy.md names each key of the shipped file, in its section."""
    text = (REFERENCE / "policy.md").read_text("utf-8")
    shipped = Path(str(POLICY.path)).read_text("utf-8")
    for key in re.findall(r"^(\w+) = ", shipped, flags=re.MULTILINE):
        assert f"`{key}`" in text, key


def test_a_rehearsal_starts_without_any_terminal() -> None:
    core = Rehearsal(POLICY.compile())
    said = core.ask(Kind.ECHO, 0x820, now_ns=NOW, tid=TID, mid=MID, fingerprint=bytes(16))
    assert (said["response"], said["reason"]) == ("97", "TERMINAL_UNKNOWN")
