"""Goal: a fleet with every fault on agrees with a right host, and finds out a wrong one.

Method: the fleet, with the product's codec and MACs, over real sockets against the slow host of
tests/oracle, which has its own; right and with each of its defects.
"""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from oracle.host import Host
from posengine.errors import Address
from posengine.simulate.faults import NAMES, Faults
from posengine.simulate.fleet import Fleet, Plan, beliefs
from posengine.simulate.product import load_dialect
from posengine.simulate.report import Report
from posengine.simulate.terminal import Identity
from posengine.simulate.terminals import make_terminals, write_terminals

TMK = bytes.fromhex("11" * 16)
MID = "898000000000001"
DIALECT = load_dialect("unionpay-terminal")
SIGN_ONS = ("001", "003", "004")
EVERY_FAULT = Faults({name: 0.03 for name in NAMES})


def identities(count: int) -> list[Identity]:
    return [Identity(f"{n:08d}", MID, TMK, SIGN_ONS[n % 3]) for n in range(1, count + 1)]


@contextmanager
def running(host: Host) -> Iterator[tuple[str, int]]:
    """The host on a loopback port."""
    lock = threading.Lock()

    class Connection(socketserver.BaseRequestHandler):
        def exactly(self, size: int) -> bytes | None:
            data = b""
            while len(data) < size:
                more = self.request.recv(size - len(data))
                if not more:
                    return None
                data += more
            return data

        def handle(self) -> None:
            try:
                while head := self.exactly(2):
                    rest = self.exactly(int.from_bytes(head, "big"))
                    if rest is None:
                        return
                    with lock:
                        answer = host.answer(head + rest)
                    self.request.sendall(answer)
            except OSError:
                return  # the terminal cut the line

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Connection) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address  # type: ignore[misc]
        finally:
            server.shutdown()
            thread.join()


def run(
    host: Host, *, transactions: int, terminals: int = 6, **plan: Any
) -> tuple[Report, dict[str, Any]]:
    with running(host) as address:
        fleet = Fleet(
            Plan(address=address, transactions=transactions, deadline_s=50, **plan),
            identities(terminals),
            dialect=DIALECT,
            clock=time.monotonic,
        )
        report = fleet.run()
    return report, beliefs(fleet.terminals)


def host_of(terminals: int = 6, defect: str = "") -> Host:
    return Host({each.tid: (MID, TMK) for each in identities(terminals)}, defect=defect)


def test_a_fleet_without_faults_balances_every_terminal() -> None:
    report, _ = run(host_of(), transactions=300)
    assert report.disagreements == []
    assert report.balanced == report.settled == 6
    assert report.transactions == 300
    assert report.reversals == report.reconnects == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_every_fault_on_a_right_host_is_never_disagreed_with(seed: int) -> None:
    report, _ = run(host_of(), transactions=1200, seed=seed, faults=EVERY_FAULT, settle_every=60)
    assert [str(found) for found in report.disagreements] == [], f"seed {seed}"
    assert report.settled - report.faults["total"] == report.balanced > 0
    missing = set(NAMES) - {"total"} - {name for name, count in report.faults.items() if count}
    assert missing == set()
    assert report.reversals > 0 and report.repeats_equal > 0 and report.late_replies > 0


@pytest.mark.parametrize(
    "defect, what",
    [
        ("wrong mac", "mac"),
        ("wrong amount", "echo"),
        ("lost posting", "settle"),
        ("double posting", "settle"),
        ("deaf reversal", "settle"),
        ("forgetful", "repeat"),
    ],
)
def test_a_host_with_this_defect_is_found_out(defect: str, what: str) -> None:
    report, _ = run(host_of(defect=defect), transactions=600, faults=EVERY_FAULT)
    assert what in {found.what for found in report.disagreements}


def test_the_same_seed_gives_the_same_days() -> None:
    days = [run(host_of(), transactions=240, seed=5, faults=EVERY_FAULT) for _ in range(2)]
    trades = [
        {tid: [(d["trade"], d["amount"], d["state"]) for d in deals] for tid, deals in day.items()}
        for _, day in days
    ]
    assert trades[0] == trades[1]
    assert days[0][0].faults == days[1][0].faults


def test_one_terminal_alone_does_what_it_does_among_the_others() -> None:
    _, among = run(host_of(), transactions=240, seed=5, faults=EVERY_FAULT)
    _, alone = run(host_of(), transactions=40, terminals=1, seed=5, faults=EVERY_FAULT)
    (tid,) = alone
    assert [deal["amount"] for deal in alone[tid]] == [deal["amount"] for deal in among[tid]]


def test_a_rate_is_kept() -> None:
    report, _ = run(host_of(), transactions=60, rate=60, settles=False)
    assert 0.9 < report.seconds < 3
    assert report.disagreements == []


def test_a_host_that_never_answers_is_reversed_and_named() -> None:
    class Silent(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(4096):
                pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Silent) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        plan = Plan(server.server_address, transactions=1, answer_s_max=0.1)  # type: ignore[arg-type]
        fleet = Fleet(plan, identities(1), dialect=DIALECT, clock=time.monotonic)
        report = fleet.run()
        server.shutdown()
        thread.join()
    assert report.silences == 3
    assert [found.what for found in report.disagreements] == ["sign-on"]


def test_a_host_that_is_not_there_is_an_error() -> None:
    plan = Plan(("127.0.0.1", 9), transactions=1, connect_s_max=0.3)
    fleet = Fleet(plan, identities(1), dialect=DIALECT, clock=time.monotonic)
    with pytest.raises(Address, match="nobody answers"):
        fleet.run()


def command(address: tuple[str, int], keys: Path, *more: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "posengine", "simulate", f"{address[0]}:{address[1]}"]
    return subprocess.run(
        [*words, "--keys", str(keys), *more], capture_output=True, text=True, timeout=50
    )


def test_the_command_says_what_it_saw_and_ends_with_0(tmp_path: Path) -> None:
    terminals = make_terminals(4, merchants=1, seed=1)
    write_terminals(tmp_path / "terminals.csv", terminals)
    host = Host({each.tid: (each.mid, each.tmk) for each in terminals})
    with running(host) as address:
        more = ("-n", "80", "--workers", "2", "--beliefs", str(tmp_path / "beliefs.json"))
        done = command(address, tmp_path / "terminals.csv", *more, "--format", "json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["transactions"] == 80 and said["balanced"] == said["terminals"] == 4
    assert said["responses"]["sale"]["00"] > 0 and said["disagreements"] == []
    believed = json.loads((tmp_path / "beliefs.json").read_text())
    assert list(believed) == [each.tid for each in terminals]


def test_the_command_ends_with_1_and_says_how_to_see_a_disagreement_again(tmp_path: Path) -> None:
    terminals = make_terminals(2, merchants=1, seed=1)
    write_terminals(tmp_path / "terminals.csv", terminals)
    keys = {each.tid: (each.mid, each.tmk) for each in terminals}
    with running(Host(keys, defect="lost posting")) as address:
        done = command(address, tmp_path / "terminals.csv", "-n", "60", "--seed", "4")
    assert done.returncode == 1
    assert "settle: not balanced" in done.stderr
    assert "--seed 4 -n 30" in done.stderr and "--terminals 0000000" in done.stderr


def test_wrong_use_of_the_command_ends_with_2(tmp_path: Path) -> None:
    write_terminals(tmp_path / "terminals.csv", make_terminals(1, merchants=1, seed=1))
    for more in (("--faults", "lots=1"), ("--terminals", "9"), ("--format", "xml")):
        done = command(("127.0.0.1", 9), tmp_path / "terminals.csv", *more)
        assert done.returncode == 2 and "Traceback" not in done.stderr
