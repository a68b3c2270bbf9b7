"""Question: what does `posengine serve` answer durably, beside an echo that does nothing else?

    .venv/bin/python bench/serve.py [SHARE]

The same client (bench/closed_loop.c, one epoll thread) drives both, in turns: real chip sales of
4,096 terminals with keys of their own and right MACs, each answered only after its commit. Loads
are connections x messages in flight on each. The client has one core, front thread and echo have
the other; the journal's threads take what is left of both. Each of the seven turns has a server of
its own, from an empty journal on: where a process comes to lie in memory stays with it, and one in
eight is a fifth slower for as long as it runs. It has had the same load once before, uncounted: a
server's first thousand lines take memory that it never touched. Of every reply the client looks at
size, MTI, STAN and response, of one in a thousand at the MAC; after each turn the engine's counters
must say that every one was approved and is durable.

SHARE (0 to 1, default 1) of each load's messages are sent: the tests run a small one. Figures go to
build/bench/serve.json. Cost: a minute, all cores, 2 GB of disk, given back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME / "tests"))

from core import program  # noqa: E402
from record import Answer, compare, figure, save  # noqa: E402
from sale import prepare  # noqa: E402

from paper.server import Server  # noqa: E402
from paper.shop import Shop  # noqa: E402

# connections, in flight on each, messages of a turn, bar of the ratio to the echo
LOADS = (
    (1, 1, 1_000, None),
    (100, 1, 30_000, 0.45),
    (1_000, 1, 40_000, 0.85),
    (64, 64, 400_000, 0.25),
)
ABSOLUTE = {(64, 64): 544_000}  # the highest payment peak published: Alipay, 2019
TURNS = 7
TERMINALS = 4_096
SERVER_CPU, CLIENT_CPU = 0, 1


@contextmanager
def on_cpu(cpu: int) -> Iterator[None]:
    """What is started within runs on this core, where the machine has two."""
    before = os.sched_getaffinity(0)
    if len(before) > 1:
        os.sched_setaffinity(0, {sorted(before)[cpu]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Client:
    """bench/closed_loop.c, which takes orders by the line."""

    def __init__(self, program: Path, home: Path) -> None:
        with on_cpu(CLIENT_CPU):
            self.process = subprocess.Popen(
                [program, "drive", home], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )

    def order(self, *words: object) -> dict[str, Any]:
        """One order and what it answers."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the client has ended"
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait() == 0


@contextmanager
def echo(program: Path) -> Iterator[int]:
    """The echo's port."""
    with on_cpu(SERVER_CPU):
        process = subprocess.Popen([program, "echo"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def spread(server: Server) -> None:
    """The front thread stays on its core; journal and other threads take what is left of both."""
    assert server.process is not None
    for task in Path(f"/proc/{server.process.pid}/task").iterdir():
        if int(task.name) != server.process.pid:
            os.sched_setaffinity(int(task.name), os.sched_getaffinity(0))


def approved(server: Server) -> tuple[int, int, int]:
    """Approved, last durable sequence, pages."""
    counters = json.loads(server.ask("stat"))["counters"]
    assert counters["journal_durable_sequence"] == counters["journal_last_sequence"]
    return counters["approved"], counters["journal_durable_sequence"], counters["commits"]


def cpu_seconds(pid: int) -> dict[str, float]:
    """User and system time of each thread of a process, by its number."""
    ticks = os.sysconf("SC_CLK_TCK")
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        words = (task / "stat").read_text().rpartition(")")[2].split()
        found[task.name] = (int(words[11]) + int(words[12])) / ticks
    return found


def turn_of(
    load: tuple[int, int, int], client: Client, server: Server, echo_port: int
) -> dict[str, Any]:
    """Ours, then the echo with the same frames."""
    connections, depth, count = load
    assert server.process is not None
    before, cpu = approved(server), cpu_seconds(server.process.pid)
    ours = client.order("sell", server.port, connections, depth, count)
    after, spent = approved(server), cpu_seconds(server.process.pid)
    sent = count // connections * connections
    assert ours["replies"] == sent
    assert after[0] - before[0] == after[1] - before[1] == sent
    floor = client.order("echo", echo_port, connections, depth, count)
    assert floor["replies"] == sent
    busy = sorted(spent[task] - cpu.get(task, 0.0) for task in spent)
    return {
        "ours": ours, "echo": floor, "rate": sent / ours["seconds"],
        "echo_rate": sent / floor["seconds"], "messages_a_page": sent / (after[2] - before[2]),
        "server_cpu_us": sum(busy) / sent * 1e6, "busiest_thread_us": busy[-1] / sent * 1e6,
        "client_cpu_us": ours["cpu_seconds"] / sent * 1e6,
    }  # fmt: skip


@contextmanager
def fresh(closed_loop: Path, place: Path) -> Iterator[tuple[Server, Client]]:
    """A server with an empty journal, and a client whose terminals have signed on."""
    with tempfile.TemporaryDirectory(dir=place) as directory, ExitStack() as held:
        home = Path(directory)
        shop = Shop(home, count=TERMINALS)
        prepare(home, shop)
        shop.write(
            terminals_max=TERMINALS + 64, postings_max=1 << 22, repeats_max=1 << 22,
            front={"connections_max": 2_048}, journal={"volume_size_max": 512 << 20},
        )  # fmt: skip
        with on_cpu(SERVER_CPU):
            server = held.enter_context(Server(shop))
        spread(server)
        with closing(Client(closed_loop, home)) as client:
            client.order("sign", server.port)
            yield server, client
        assert server.drain() == 0


def answers_of(
    load: tuple[int, int], bar: float | None, turns: list[dict[str, Any]]
) -> list[Answer]:
    connections, depth = load
    name = f"durable server, {connections:,} x {depth}"
    rates = [turn["rate"] for turn in turns]
    answers = [
        compare(name, rates, [turn["echo_rate"] for turn in turns], unit="a second",
                rival="raw epoll echo", better="more", at_least=bar)
    ]  # fmt: skip
    if load in ABSOLUTE:
        answers.append(figure(f"{name}, absolute", rates, unit="a second", at_least=ABSOLUTE[load]))
    return answers


def main() -> None:
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    place = HOME / "build" / "bench"
    closed_loop = program("closed_loop")
    turns: dict[tuple[int, int], list[dict[str, Any]]] = {}
    with echo(closed_loop) as echo_port:
        for _ in range(TURNS):
            with fresh(closed_loop, place) as (server, client):
                for connections, depth, count, _ in LOADS:
                    some = (connections, depth, max(round(count * share), connections * depth))
                    client.order("sell", server.port, *some)  # its first: memory never touched
                    turn = turn_of(some, client, server, echo_port)
                    turns.setdefault((connections, depth), []).append(turn)
                stat = json.loads(server.ask("stat"))
    answers: list[Answer] = []
    for connections, depth, _, bar in LOADS:
        answers += answers_of((connections, depth), bar, turns[connections, depth])
    details = {f"{connections}x{depth}": found for (connections, depth), found in turns.items()}
    save("serve", (__doc__ or "").splitlines()[0], answers, turns=details,
         stages_ns=stat["stages_ns"], terminals=TERMINALS)  # fmt: skip


if __name__ == "__main__":
    main()
