"""Goal: every bad message gets the response it must, a log line that says why, and stops nothing.

Method: the tables of tests/vectors/bad, row by row, against a live engine: a terminal of its own
for each row, its message made wrong in one way; then an echo, which must be answered.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from integration.acquirer import Engine, engine_in
from oracle.bad import Bench, Row, made, rows_of
from oracle.codec import Codec
from oracle.host import parse
from posengine.simulate import Identity

BAD = Path(__file__).parents[1] / "vectors" / "bad"
TABLES = sorted(BAD.glob("*.md"))
KINDS = {
    *("length", "tpdu", "header", "bitmap", "bcd", "tlv"),
    *("mac", "identity", "state", "amount", "original", "limit"),
}
MID, TMK = "898000000000001", bytes.fromhex("0123456789ABCDEFFEDCBA9876543211")
SPECIAL = {  # TID -> what the roster says of it
    "bound": ("90000001", 'line_nii = "1234"'),
    "locked": ("90000002", "locked = true"),
    "inactive": ("90000003", "active = false"),
    "seller": ("90000004", 'kinds = ["all", "-REFUND"]'),
    "small": ("90000005", 'amount_max = "50.00"'),
    "other": ("90000006", ""),
    "echo": ("90000007", ""),
}
BOUND_TPDU = bytes.fromhex("6000031234")


def test_there_are_five_bad_messages_of_each_kind() -> None:
    assert {path.stem for path in TABLES} == KINDS
    assert all(len(rows_of(path)) >= 5 for path in TABLES)


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_bad_messages_get_their_answer_and_a_reason_in_the_log(table: Path, tmp_path: Path) -> None:
    rows = rows_of(table)
    tids = [f"{number:08d}" for number in range(1, len(rows) + 1)]
    codec = Codec("unionpay-terminal")
    wrong = []
    special = dict(SPECIAL.values())
    terminals = [Identity(tid, MID, TMK) for tid in [*tids, *special]]
    policy = (BAD / "policy.toml").read_text(encoding="utf-8")
    with engine_in(tmp_path, terminals, policy=policy, roster=special) as engine:
        echo = Bench(SPECIAL["echo"][0], MID, TMK, engine.exchange)
        other = Bench(SPECIAL["other"][0], MID, TMK, engine.exchange)
        for row, tid in zip(rows, tids, strict=True):
            offset = len(engine.log.read_text(encoding="utf-8", errors="replace"))
            frame = made(row, bench_for(row, tid, engine), other, codec)
            answer = engine.exchange(frame)
            said = engine.log_after(offset, row.log)
            if got(answer) != row.answer or row.log not in said:
                wrong.append(f"{row.title}: {got(answer)}, not {row.answer} {row.log}\n{said}")
            echo.do("echo")
    assert not wrong, "\n".join(wrong)


def bench_for(row: Row, tid: str, engine: Engine) -> Bench:
    """The row's terminal, a special one where it says so."""
    if (found := re.search(r"; of (\w+)", row.made_by)) and found[1] in SPECIAL:
        tid = SPECIAL[found[1]][0]
    tpdu = {"tpdu": BOUND_TPDU} if tid == SPECIAL["bound"][0] else {}
    return Bench(tid, MID, TMK, engine.exchange, **tpdu)


def got(answer: bytes | None) -> str:
    """The response code; ``closed``; of a settle its worst result digit."""
    if answer is None:
        return "closed"
    message = parse(answer[13:])
    if message.mti == "0510":
        totals = str(message[48])
        return f"result {max(totals[30], totals[61])}"
    return str(message[39])
