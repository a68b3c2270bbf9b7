"""An engine for a test: terminals, keys and policy in a directory, and what serves them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from posengine.demonstrate import players
from posengine.simulate import Identity
from posengine.simulate.terminals import write_terminals

MASTER_KEY = "11" * 32
START_S_MAX = 30.0
ANSWER_S_MAX = 5.0


@dataclass
class Engine:
    """A running engine, its address, its log and its directory."""

    address: tuple[str, int]
    log: Path
    home: Path

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
def engine_in(
    home: Path,
    terminals: Sequence[Identity],
    *,
    policy: str = "",
    roster: dict[str, str] | None = None,
    limits: str = "",
) -> Iterator[Engine]:
    """An engine that knows ``terminals``; it must drain and end with 0.

    Args:
        roster: TID -> more lines of its roster entry.
        limits: more lines of ``[limits]``.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    entries = [
        f'[[terminal]]\ntid = "{one.tid}"\nmid = "{one.mid}"\n{(roster or {}).get(one.tid, "")}\n'
        for one in terminals
    ]
    (home / "roster.toml").write_text("\n".join(entries), encoding="utf-8")
    (home / "policy.toml").write_text(policy, encoding="utf-8")
    (home / "master.key").write_text(MASTER_KEY)
    (home / "master.key").chmod(0o600)
    write_terminals(home / "terminals.csv", terminals)
    config = home / "posengine.toml"
    config.write_text(_configuration(port, limits), encoding="utf-8")
    words = ("keys", "import", "--config", str(config), str(home / "terminals.csv"))
    done = players.run(players.verb(*words))
    assert done.returncode == 0, done.stderr
    command = players.verb("serve", "--config", str(config), "--alone")
    player = players.start("engine", command, home=home)
    try:
        players.wait_until(
            player,
            lambda: _listens(port),
            seconds_max=START_S_MAX,
            clock=time.monotonic,
            sleep=time.sleep,
        )
        yield Engine(("127.0.0.1", port), player.words, home)
    finally:
        code = player.end()
    assert code == 0, player.last_words()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _configuration(port: int, limits: str) -> str:
    return f"""\
[engine]
spec = "unionpay-terminal"
roster = "roster.toml"
policy = "policy.toml"
master_key = "master.key"
key_file = "terminals.keys"
[journal]
path = "journal"
keystore = "working.keys"
volume_size_max = 33554432
[front]
listen = ["127.0.0.1:{port}"]
control = "control.sock"
[limits]
postings_max = 65536
repeats_max = 65536
terminals_max = 256
{limits}
"""
