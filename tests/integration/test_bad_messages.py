"""Goal: every bad message gets the response it must, a log line that says why, and stops nothing.

Method: the tables of tests/vectors/bad, row by row, against a live engine: a terminal of its own
for each row, its message made wrong in one way; then an echo, which must be answered.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from oracle.bad import Bench, Row, made, rows_of
from oracle.codec import Codec
from oracle.host import parse
from posengine.demonstrate import players

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
ANSWER_S_MAX = 5.0


@dataclass
class Engine:
    """A running engine, its address and its log."""

    address: tuple[str, int]
    log: Path

    def exchange(self, frame: bytes) -> bytes | None:
        """The answer on a line of its own; None where the line is closed instead."""
        with socket.create_connection(self.address, timeout=ANSWER_S_MAX) as line:
            line.sendall(frame)
            answer = b""
            while len(answer) < 2 or len(answer) < 2 + int.from_bytes(answer[:2], "big"):
                try:
                    some = line.recv(4096)
                except ConnectionResetError:
                    return None
                if not some:
                    return None
                answer += some
            return answer

    def log_after(self, offset: int, word: str) -> str:
        """What was logged behind ``offset``, once ``word`` is in it or time is up."""
        end_at = time.monotonic() + 2.0
        while True:
            said = self.log.read_text(encoding="utf-8", errors="replace")[offset:]
            if word in said or time.monotonic() > end_at:
                return said
            time.sleep(0.01)


@contextmanager
def engine_in(home: Path, tids: list[str]) -> Iterator[Engine]:
    """An engine with these terminals and the special ones, in ``home``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    roster = [f'[[merchant]]\nmid = "{MID}"\nname = "示例商户"\n']
    everyone = [(tid, "") for tid in tids] + list(SPECIAL.values())
    roster += [f'[[terminal]]\ntid = "{tid}"\nmid = "{MID}"\n{more}\n' for tid, more in everyone]
    (home / "roster.toml").write_text("\n".join(roster), encoding="utf-8")
    (home / "policy.toml").write_text((BAD / "policy.toml").read_text(encoding="utf-8"))
    rows = "".join(f"{tid},{MID},{TMK.hex()}\n" for tid, _ in everyone)
    (home / "terminals.csv").write_text("tid,mid,tmk\n" + rows, encoding="ascii")
    (home / "master.key").write_text("11" * 32)
    (home / "master.key").chmod(0o600)
    config = home / "posengine.toml"
    config.write_text(
        f"""
[engine]
spec = "unionpay-terminal"
roster = "roster.toml"
policy = "policy.toml"
master_key = "master.key"
key_file = "terminals.keys"
[journal]
path = "journal"
keystore = "working.keys"
volume_size_max = 16777216
[front]
listen = ["127.0.0.1:{port}"]
control = "control.sock"
[limits]
postings_max = 4096
repeats_max = 4096
terminals_max = 256
"""
    )
    done = players.run(
        players.verb("keys", "import", "--config", str(config), str(home / "terminals.csv"))
    )
    assert done.returncode == 0, done.stderr
    command = players.verb("serve", "--config", str(config), "--alone")
    player = players.start("engine", command, home=home)
    try:
        players.wait_until(
            player,
            lambda: _listens(port),
            seconds_max=30,
            clock=time.monotonic,
            sleep=time.sleep,
        )
        yield Engine(("127.0.0.1", port), player.words)
    finally:
        code = player.end()
    assert code == 0, player.last_words()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_there_are_five_bad_messages_of_each_kind() -> None:
    assert {path.stem for path in TABLES} == KINDS
    assert all(len(rows_of(path)) >= 5 for path in TABLES)


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_bad_messages_get_their_answer_and_a_reason_in_the_log(table: Path, tmp_path: Path) -> None:
    rows = rows_of(table)
    tids = [f"{number:08d}" for number in range(1, len(rows) + 1)]
    codec = Codec("unionpay-terminal")
    wrong = []
    with engine_in(tmp_path, tids) as engine:
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
