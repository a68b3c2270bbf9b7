"""What the tests of posload share: plans over a shop's terminals, and a slow host on a port.

The host is that of tests/oracle, right or wrong on purpose; it answers one message at a time, so
plans for it are small.
"""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import posload
from oracle.host import Host
from paper.server import Server
from paper.shop import MID, TMK, Shop

HOME = Path(__file__).resolve().parents[2]


def terminals(shop: Shop, first: int = 0, count: int | None = None) -> tuple[posload.Terminal, ...]:
    tids = shop.tids()[first : None if count is None else first + count]
    return tuple(posload.Terminal(tid, MID, TMK) for tid in tids)


def counters(server: Server) -> dict[str, int]:
    found: dict[str, int] = json.loads(server.ask("stat"))["counters"]
    return found


def journal(path: Path) -> dict[str, Any]:
    """What the independent reader makes of a journal, in a process of its own."""
    done = subprocess.run(
        [sys.executable, HOME / "tests" / "oracle" / "journal.py", path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def slow_host(
    defect: str = "", count: int = 4
) -> Iterator[tuple[int, tuple[posload.Terminal, ...]]]:
    """The host on a loopback port, and the terminals that it knows."""
    tids = [f"{number:08d}" for number in range(1, count + 1)]
    host = Host({tid: (MID, TMK) for tid in tids}, defect=defect)
    lock = threading.Lock()

    class Connection(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while len(head := self.rfile.read(2)) == 2:
                frame = head + self.rfile.read(int.from_bytes(head, "big"))
                with lock:
                    answer = host.answer(frame)
                self.wfile.write(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1], tuple(posload.Terminal(tid, MID, TMK) for tid in tids)
        finally:
            server.shutdown()
            thread.join()
