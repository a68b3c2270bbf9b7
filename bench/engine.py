"""Question: what does a message cost in the engine, whole, and is that more than its stages alone?

    .venv/bin/python bench/engine.py [FRAMES]

Chip sales of 10,000 terminals, each with its own key, go through one engine in one process in waves
of 16, 64, 512 and 1,024: frame to staged page and signed reply, with redaction, tokens, fingerprint
and full policy. In turns with that, as many sales go stage by stage, each stage over the whole wave
before the next. Time is CPU time of the thread. bench/engine_timing.c drives it, linked with the
core's own objects; every reply is looked at. Figures and the cost card go to
build/bench/engine.json.

Cost: 40 seconds, one core and 300 MB of disk, given back.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME / "tests"))

from record import Answer, compare, figure, save  # noqa: E402

from oracle.terminal import PAN, frame, pack  # noqa: E402
from paper.shop import MID, Shop  # noqa: E402

WAVES = (16, 64, 512, 1_024)
FRAMES = 10_240
ROUNDS = 5
TERMINALS = 10_000
WHOLE_AT_MOST = 1.3
WRAPPED = ("malloc", "calloc", "realloc", "fdatasync", "fsync")
# Values that are found again in the frames, so that the program knows where to write its own.
TID, STAN, AMOUNT, BATCH, SEAL = "10000001", "314159", "765432109876", "271828", b"MACMACMA"
CHIP = bytes.fromhex(
    "9F2608A1B2C3D4E5F607089F2701809F100807010103A0A802019F37041122334"
    "49F36020001950500800460009A032611219C01009F02060000000123455F2A02"
    "015682027C009F1A0201569F03060000000000009F3303E0F0C89F34034203009"
    "F3501229F1E0831323334353637388408A0000003330101019F090200209F4104"
    "00000059"
)


def program() -> Path:
    """bench/engine_timing.c with the objects of the core as it is built."""
    build = HOME / "build" / "editable"
    core = sorted((build / "CMakeFiles" / "posengine_objects.dir").rglob("*.o"))
    lmdb = sorted((build / "CMakeFiles" / "posengine_lmdb.dir").rglob("*.o"))
    if not core:
        raise SystemExit("bench/engine.py: no objects of the core: run `make build` first")
    target = HOME / "build" / "bench" / "engine_timing"
    target.parent.mkdir(parents=True, exist_ok=True)
    includes = [f"-I{HOME / 'native'}", f"-I{HOME / 'native' / 'include'}"]
    wraps = [f"-Wl,--wrap={name}" for name in WRAPPED]
    command = ["cc", "-std=c11", "-O2", "-g", "-D_GNU_SOURCE", "-Wall", "-Wextra", *includes,
               HOME / "bench" / "engine_timing.c", *core, *lmdb, *wraps, "-o", target]  # fmt: skip
    subprocess.run([*map(str, command), "-lpthread"], check=True)
    return target


def prepare(home: Path) -> None:
    """Images, one sign-on and one sale, and where the changing values lie in them."""
    shop = Shop(home, count=TERMINALS)
    (home / "spec").write_bytes(shop.spec().image)
    (home / "roster").write_bytes(shop.roster().compile())
    (home / "policy").write_bytes(shop.policy().compile())
    terminal = shop.terminal(0)
    sign_on = terminal.sign_on_frame()
    sale = frame(pack("0200", {
        2: PAN, 3: "000000", 4: AMOUNT, 11: STAN, 12: "200000", 13: "1121", 14: "3012", 22: "051",
        23: "001", 25: "00", 26: "12", 35: PAN + "D30122010000012345678", 41: TID, 42: MID,
        49: "156", 52: bytes(8), 53: "2600000000000000", 55: CHIP, 60: "22" + BATCH + "000600",
        64: SEAL,
    }))  # fmt: skip
    places = [
        TERMINALS,
        sign_on.index(TID.encode()),
        sign_on.index(bytes.fromhex("000001"), 23),
        sale.index(TID.encode()),
        sale.index(bytes.fromhex(STAN)),
        sale.index(bytes.fromhex(AMOUNT)),
        sale.index(bytes.fromhex(BATCH)),
        sale.index(SEAL),
    ]
    (home / "sign_on").write_bytes(sign_on)
    (home / "sale").write_bytes(sale)
    (home / "places").write_text(" ".join(map(str, places)))


def runs(frames: int) -> list[dict[str, Any]]:
    """A row a wave size and round; the first round only warms up and is left out."""
    build = HOME / "build" / "bench"
    timing = program()
    with tempfile.TemporaryDirectory(dir=build) as home:
        prepare(Path(home))
        done = subprocess.run(
            [timing, home, str(frames), str(ROUNDS + 1), *map(str, WAVES)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return rows[len(WAVES) :]


def medians(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The middle of each figure of one wave size."""
    stages: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for name, ns in row["alone_ns"].items():
            stages[name].append(ns)
    plain = {
        name: statistics.median(row[name] for row in rows) for name in rows[0] if name != "alone_ns"
    }
    return {**plain, "alone_ns": {name: statistics.median(ns) for name, ns in stages.items()}}


def card(middle: dict[str, Any]) -> dict[str, Any]:
    """What one transaction takes, by wave size."""
    messages = middle["messages"]
    return {
        "front_cpu_us": middle["front_ns"] / 1e3,
        "journal_cpu_us": middle["journal_ns"] / 1e3,
        "front_allocations": middle["front_allocations"] / messages,
        "journal_allocations": middle["journal_allocations"] / messages,
        "request_bytes": middle["request_bytes"],
        "reply_bytes": middle["reply_bytes"],
        "journal_bytes": middle["journal_bytes"],
        "flushes": middle["flushes"] / messages,
        "durability": "late acknowledgement, nothing following: commit and sync",
    }


def main() -> None:
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else FRAMES
    rows = runs(max(frames, max(WAVES)))
    answers: list[Answer] = []
    cards = {}
    stages = {}
    for wave in WAVES:
        ours = [row for row in rows if row["wave"] == wave]
        middle = medians(ours)
        # Law of the hot path: what is asked of the allocator, the journal's thread asks.
        assert middle["front_allocations"] == 0, "the front thread allocates"
        cards[str(wave)] = card(middle)
        stages[str(wave)] = middle["alone_ns"]
        answers.append(
            compare(
                f"engine, waves of {wave}: frame to staged page",
                [row["submit_ns"] + row["reply_ns"] for row in ours],
                [row["alone_sum_ns"] for row in ours],
                unit="ns a message", rival="its stages alone", better="less",
                at_most=WHOLE_AT_MOST,
            )
        )  # fmt: skip
        answers.append(
            figure(
                f"engine, waves of {wave}: front thread",
                [row["front_ns"] for row in ours], unit="ns a message",
                at_most=1_000 if wave == 512 else None,
            )
        )  # fmt: skip
        answers.append(
            figure(f"engine, waves of {wave}: journal thread",
                   [row["journal_ns"] for row in ours], unit="ns a message")
        )  # fmt: skip
    save("engine", (__doc__ or "").splitlines()[0], answers, cost_card=cards, stages_alone=stages,
         terminals=TERMINALS, frames=frames)  # fmt: skip


if __name__ == "__main__":
    main()
