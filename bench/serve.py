"""Question: what does `posengine serve` answer durably, beside an echo that does nothing else?

    .venv/bin/python bench/serve.py

The same client (bench/closed_loop.c) drives both, in turns, with the same frames: real sales with
right MACs, each answered only after its commit. Loads are connections x messages in flight on each.
Afterwards the engine's counters must say that every one was approved and is durable, and the same
number of replies must have come. Median of three turns each; figures go to build/bench/serve.json.

Client, front thread, journal thread and echo share the machine's cores, so absolute figures are
those of a machine that does both sides; the ratio is the finding. Cost: two minutes, all cores.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME / "tests"))

from provenance import commit  # noqa: E402

from oracle.terminal import Terminal, frame, pack  # noqa: E402
from paper.server import Server  # noqa: E402
from paper.shop import Shop  # noqa: E402
from posengine import mac  # noqa: E402

LOADS = ((1, 1, 600), (100, 1, 10_000), (16, 64, 40_000), (64, 64, 60_000))
TURNS = 3
TERMINALS = 64


def corpus(terminals: list[Terminal], connections: int, count: int, path: Path) -> int:
    """Frames by connection, each connection a terminal's; how many there are."""
    frames = []
    for connection in range(connections):
        terminal = terminals[connection % len(terminals)]
        for _ in range(count // connections):
            body = pack("0200", {**terminal.sale_fields(100), 64: bytes(8)})[:-8]
            frames.append(frame(body + mac.compute("unionpay-ecb", terminal.mak, body)))
    with path.open("wb") as out:
        out.write(struct.pack("<I", len(frames)))
        for data in frames:
            out.write(struct.pack("<I", len(data)) + data)
    return len(frames)


def drive(client: Path, port: int, connections: int, depth: int, path: Path) -> dict[str, float]:
    done = subprocess.run(
        [client, "send", str(port), str(connections), str(depth), path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def approved(server: Server) -> tuple[int, int]:
    counters = json.loads(server.ask("stat"))["counters"]
    assert counters["journal_durable_sequence"] == counters["journal_last_sequence"]
    return counters["approved"], counters["journal_durable_sequence"]


def run(client: Path, echo_port: int, home: Path) -> list[dict[str, Any]]:
    shop = Shop(home, count=TERMINALS)
    shop.write(postings_max=1 << 20, repeats_max=1 << 21)
    results = []
    with Server(shop) as server:
        terminals = [shop.terminal(index) for index in range(TERMINALS)]
        with server.line() as line:
            for terminal in terminals:
                terminal.sign_on(line)
        for connections, depth, count in LOADS:
            turns: list[tuple[dict[str, float], dict[str, float]]] = []
            for turn in range(TURNS):
                path = home / f"frames-{connections}-{depth}-{turn}"
                sent = corpus(terminals, connections, count, path)
                before = approved(server)
                ours = drive(client, server.port, connections, depth, path)
                after = approved(server)
                assert ours["replies"] == sent
                assert after[0] - before[0] == after[1] - before[1] == sent
                floor = drive(client, echo_port, connections, depth, path)
                assert floor["replies"] == sent
                turns.append((ours, floor))
                path.unlink()
            results.append(summary(connections, depth, turns))
            print(json.dumps(results[-1]))
        stat = json.loads(server.ask("stat"))
        results.append({"stages_ns": stat["stages_ns"]})
        assert server.drain() == 0
    return results


def summary(
    connections: int, depth: int, turns: list[tuple[dict[str, float], dict[str, float]]]
) -> dict[str, Any]:
    def rate(figures: dict[str, float]) -> float:
        return figures["replies"] / figures["seconds"]

    return {
        "load": f"{connections}x{depth}",
        "durable_a_second": round(statistics.median(rate(ours) for ours, _ in turns)),
        "echo_a_second": round(statistics.median(rate(floor) for _, floor in turns)),
        "ratio": round(statistics.median(rate(o) / rate(f) for o, f in turns), 3),
        "p50_us": statistics.median(ours["p50_us"] for ours, _ in turns),
        "p99_us": statistics.median(ours["p99_us"] for ours, _ in turns),
        "max_us": max(ours["max_us"] for ours, _ in turns),
    }


def main() -> None:
    place = HOME / "build" / "bench"
    place.mkdir(parents=True, exist_ok=True)
    client = place / "closed_loop"
    source = HOME / "bench" / "closed_loop.c"
    subprocess.run(
        ["cc", "-O2", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-o", client, source], check=True
    )
    echo = subprocess.Popen([client, "echo"], stdout=subprocess.PIPE, text=True)
    assert echo.stdout is not None
    try:
        with tempfile.TemporaryDirectory(dir=place) as home:
            results = run(client, int(echo.stdout.readline()), Path(home))
    finally:
        echo.kill()
        echo.wait()
        echo.stdout.close()
    facts = {
        "question": "what does posengine serve answer durably, beside an echo",
        "machine": platform.processor() or platform.machine(), "cores": os.cpu_count(),
        "commit": commit(), "command": " ".join(sys.argv), "results": results,
    }  # fmt: skip
    (place / "serve.json").write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
