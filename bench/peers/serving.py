"""Question: what does a host answer, durable and signed, beside jPOS, which keeps nothing?

    .venv/bin/python bench/peers/serving.py

The client of bench/serve.py drives `posengine serve` and jPOS's listener in turns: chip sales of
4,096 terminals with keys of their own. Both check every MAC, unpack, answer and sign; ours also
decides by its policy, tells repeats, redacts, and holds every reply until its entry is on disk. The
client looks at every reply's MTI, STAN and response, and at one MAC in a thousand. The client has
one core; our front thread has the other, and our journal's threads, as all of jPOS, take what is
left of both, as in bench/serve.py. Five turns each after a warm-up. Cost: two minutes.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(HOME / "bench"), str(HOME / "tests")]

from core import program  # noqa: E402
from had import BUILD, Absent, jpos  # noqa: E402
from jpos_unionpay import packager  # noqa: E402
from python import WIRE  # noqa: E402
from record import Answer, compare, save  # noqa: E402
from serve import Client, fresh  # noqa: E402

# connections, in flight on each, our messages of a turn, jPOS's, bar
LOADS = ((100, 1, 30_000, 20_000, 2.0), (64, 64, 400_000, 40_000, 20.0))
TURNS = 5
WARM = 60_000
# What an answer has besides what a sale has.
ANSWER = {
    12: (0, 6, "bcd", ""), 13: (0, 4, "bcd", ""), 32: (1, 11, "bcd", "right"),
    37: (0, 12, "ascii", ""), 38: (0, 6, "ascii", ""), 39: (0, 2, "ascii", ""),
}  # fmt: skip


@contextmanager
def listener(home: Path, port: int) -> Iterator[None]:
    """jPOS's listener on a port, with the keys in home/keys."""
    (home / "packager.xml").write_text(packager({**WIRE, **ANSWER}))
    given = [*jpos("JposServer.java"), str(port), str(home / "packager.xml"), str(home / "keys")]
    process = subprocess.Popen(given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        if process.stdout.readline() != "ready\n":
            raise Absent(f"the listener ended with {process.wait()}")
        until_open(port)
        yield
    finally:
        process.kill()
        process.wait()


def until_open(port: int) -> None:
    """Waits until somebody listens there."""
    for _ in range(100):
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise Absent("the listener does not listen after 10 s")


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def measured(client: Client, ours: int, theirs: int) -> list[Answer]:
    """All loads, turn by turn."""
    answers = []
    for connections, depth, count, their_count, bar in LOADS:
        rates: dict[int, list[float]] = {ours: [], theirs: []}
        client.order("meet", theirs)
        client.order("sell", theirs, connections, depth, WARM)
        for _ in range(TURNS):
            for port, sent in ((ours, count), (theirs, their_count)):
                client.order("meet", port)
                found = client.order("sell", port, connections, depth, sent)
                assert found["replies"] == sent // connections * connections
                rates[port].append(found["replies"] / found["seconds"])
        answers.append(compare(
            f"durable server, {connections} x {depth}, beside jPOS", rates[ours], rates[theirs],
            unit="a second", rival="jPOS listener", better="more", at_least=bar,
        ))  # fmt: skip
    return answers


def main() -> None:
    absent: dict[str, str] = {}
    answers: list[Answer] = []
    BUILD.mkdir(parents=True, exist_ok=True)
    (HOME / "build" / "bench").mkdir(parents=True, exist_ok=True)
    closed_loop = program("closed_loop")
    with fresh(closed_loop, BUILD) as (server, client), ExitStack() as held:
        home = server.shop.home
        client.order("keys", home / "keys")
        try:
            port = free_port()
            held.enter_context(listener(home, port))
            answers = measured(client, server.port, port)
        except Absent as reason:
            absent["jPOS"] = str(reason)
            print(f"jPOS: cannot be had: {reason}", flush=True)
    save("serving", (__doc__ or "").splitlines()[0], answers, absent=absent)


if __name__ == "__main__":
    main()
