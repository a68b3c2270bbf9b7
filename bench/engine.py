"""Question: what does a message cost in the engine, stage by stage, and what does its commit cost?

    .venv/bin/python bench/engine.py [FRAMES]

Sales of 64 terminals, each with its own key, go through one engine in this process in waves of 1,
64 and 512 frames, every wave committed. Every answer is opened by the terminal of tests/oracle, a
sample of them with its MAC recomputed; counters and journal must agree. Beside it, in the same run,
the floor of a durable commit: the same number of bytes appended to a file with fdatasync. Figures
go to build/bench/engine.json.

Cost: 30 seconds, one core and the disk.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME / "tests"))

from provenance import commit  # noqa: E402

from oracle.terminal import Terminal, frame, pack, unpack  # noqa: E402
from paper.shop import Shop  # noqa: E402
from posengine import mac  # noqa: E402
from posengine.engine import Engine  # noqa: E402

WAVES = (1, 64, 512)
TERMINALS = 64


def sealed(terminal: Terminal, amount: int) -> bytes:
    """A sale whose MAC the core computes: the oracle's is right, and fifty times slower."""
    fields = terminal.sale_fields(amount)
    body = pack("0200", {**fields, 64: bytes(8)})[:-8]
    return frame(body + mac.compute("unionpay-ecb", terminal.mak, body))


def signed_on(engine: Engine, shop: Shop) -> list[Terminal]:
    terminals = []
    for index in range(TERMINALS):
        terminal = shop.terminal(index)
        engine.submit(index, [terminal.sign_on_frame()])
        (reply,) = engine.commit()
        terminal.take_keys(terminal.open(reply.frame))
        terminals.append(terminal)
    return terminals


def run(frames: int, wave: int, home: Path) -> dict[str, float]:
    """One size of wave: ns a message over all, and of each stage."""
    shop = Shop(home, count=TERMINALS, settings={
        "volume_size_max": 256 << 20, "page_entries_max": 4_096, "page_size_max": 4 << 20,
        "postings_max": 1 << 18, "repeats_max": 1 << 18,
    })  # fmt: skip
    with shop.engine(log=None) as engine:
        terminals = signed_on(engine, shop)
        requests = [sealed(terminals[index % TERMINALS], 1 + index) for index in range(frames)]
        before = engine.stat()
        commit_ns: list[int] = []
        submit_ns = 0
        replies = []
        for at in range(0, frames, wave):
            some = [(at + offset, data) for offset, data in enumerate(requests[at : at + wave])]
            began = time.perf_counter_ns()
            engine.submit_wave(some)
            middle = time.perf_counter_ns()
            replies += engine.commit()
            submit_ns += middle - began
            commit_ns.append(time.perf_counter_ns() - middle)
        after = engine.stat()
        assert len(replies) == frames
        for number, reply in enumerate(replies):
            if number % 100 == 0:
                opened = terminals[number % TERMINALS].open(reply.frame)
            else:
                opened = unpack(reply.frame[13:])
            assert opened[39] == b"00" and int(str(opened[4])) == number + 1
        assert after["counters"]["approved"] - before["counters"]["approved"] == frames
        bytes_written = after["journal"]["bytes"] - before["journal"]["bytes"]
    commit_ns.sort()
    figures = {
        "wave": wave,
        "submit_ns_a_message": submit_ns / frames,
        "commit_us_p50": commit_ns[len(commit_ns) // 2] / 1e3,
        "commit_us_p99": commit_ns[len(commit_ns) * 99 // 100] / 1e3,
        "bytes_a_commit": bytes_written / len(commit_ns),
        "messages_a_second": frames / ((submit_ns + sum(commit_ns)) / 1e9),
    }
    for name, stage in after["stages"].items():
        figures[f"{name}_ns_p50"] = stage.p50
    figures["append_fdatasync_us_p50"] = append(home, int(figures["bytes_a_commit"]))
    return figures


def append(home: Path, size: int) -> float:
    """The floor: ``size`` bytes appended and flushed, p50 in microseconds."""
    times = []
    file = os.open(home / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    data = os.urandom(size)
    for _ in range(200):
        began = time.perf_counter_ns()
        os.write(file, data)
        os.fdatasync(file)
        times.append(time.perf_counter_ns() - began)
    os.close(file)
    return sorted(times)[len(times) // 2] / 1e3


def main() -> None:
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    (HOME / "build" / "bench").mkdir(parents=True, exist_ok=True)
    results = []
    for wave in WAVES:
        with tempfile.TemporaryDirectory(dir=HOME / "build" / "bench") as home:
            results.append(run(frames if wave > 1 else frames // 10, wave, Path(home)))
        print(json.dumps(results[-1], indent=1))
    facts = {
        "question": "what does a message cost in the engine",
        "machine": platform.processor() or platform.machine(), "cores": os.cpu_count(),
        "commit": commit(), "command": " ".join(sys.argv), "frames": frames,
        "results": results,
    }  # fmt: skip
    (HOME / "build" / "bench" / "engine.json").write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
