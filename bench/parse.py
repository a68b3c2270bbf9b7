"""Question: what does parsing a wave of messages cost, by plans, beside our own table loop?

    .venv/bin/python bench/parse.py [ROUNDS]

The table loop is plain C that takes each field in turn; a plan reads all messages of one MTI and
one bitmap by what was worked out once, and its casts those that are laid out as one before. All
read the same bodies, and so does memcpy, which copies them and nothing else: the floor. Four
working sets:

    hot        256 sales of one shape, 21 fields, a chip's 139 bytes among them: first-level cache
    mixed      4,096 messages of five shapes: second and third level
    cold       the same five shapes, 64 MB of them: memory
    new        4,096 chip sales, hardly one laid out as another: account numbers, tracks and the
               chip's elements of random sizes, these in any order. No cast fits, a plan reads

`columns` writes fifteen columns, the places of all fields among them; `message` writes messages and
eight numbers of each, as the engine takes them, in waves of 512; `single` is pos_message_parse, one
call a message. The bar sets all columns by plans against the table loop alone, which writes none.
Every path of this processor is measured: portable is C11. bench/parse_timing.c compares all results
before it times; CPU time of the thread, ways in turn. Cost: 30 seconds, one core and 200 MB.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from core import LEFT, program
from record import Answer, compare, figure, save

from posengine.codec import Spec

ROUNDS = 15
HOT, MANY = 256, 4_096
COLD_BYTES = 64 << 20
AT_LEAST = 2.5
CHIP = bytes.fromhex(
    "9F2608A1B2C3D4E5F607089F2701809F100807010103A0A802019F37041122334"
    "49F36020001950500800460009A032611219C01009F02060000000123455F2A02"
    "015682027C009F1A0201569F03060000000000009F3303E0F0C89F34034203009"
    "F3501229F1E0831323334353637388408A0000003330101019F090200209F4104"
    "00000059"
)
Fields = dict[int, str | bytes | int]
Draw = Callable[[random.Random], tuple[str, Fields]]


def shapes() -> list[tuple[str, Fields]]:
    """A chip sale, a swiped sale, a QR sale, a reversal, an approved answer."""
    base: Fields = {
        3: "000000", 22: "051", 25: "00", 41: "09101515", 42: "308350193990080", 49: "156",
        60: "2200000100050", 64: b"12345678",
    }  # fmt: skip
    track = "6225000000000014D30122010000012345678"
    return [
        ("0200", {**base, 2: "6225000000000014", 12: "101112", 13: "1122", 14: "3012", 23: 1,
                  26: 12, 35: track, 37: "046879087600", 52: bytes(8), 53: "2600000000000000",
                  55: CHIP}),
        ("0200", {**base, 22: "021", 26: 12, 35: track, 52: bytes(8), 53: "2600000000000000"}),
        ("0200", {**base, 22: "032", 59: b"A30196212345678901234567"}),
        ("0400", {**base, 39: "98"}),
        ("0210", {**base, 2: "6225000000000014", 12: "092400", 13: "0213", 15: "0213",
                  32: "01031000", 37: "046879087600", 38: "A1B2C3", 39: "00",
                  44: "01031000   01031000   ", 63: "CUP"}),
    ]  # fmt: skip


def elements() -> list[tuple[bytes, int]]:
    """The chip's tags, each with the size of its value."""
    found = []
    at = 0
    while at < len(CHIP):
        size = 2 if CHIP[at] & 0x1F == 0x1F else 1
        found.append((CHIP[at : at + size], CHIP[at + size]))
        at += size + 1 + CHIP[at + size]
    return found


def laid_out_anew(chance: random.Random) -> tuple[str, Fields]:
    """The chip sale, with an account number, a track and a chip of other sizes."""
    mti, fields = shapes()[0]
    chip = elements()
    chance.shuffle(chip)
    sizes = [max(1, size + chance.randint(-2, 2)) for _, size in chip]
    pan = "62" + "0" * chance.randrange(10, 17) + "4"
    return mti, {
        **fields, 2: pan, 35: pan + "D3012201" + "5" * chance.randrange(0, 8),
        55: b"".join(tag + bytes([size]) + chance.randbytes(size)
                     for (tag, _), size in zip(chip, sizes, strict=True)),
    }  # fmt: skip


def corpus(spec: Spec, path: Path, count: int, draw: Draw) -> int:
    """Messages with amounts and STANs of their own, for the program; the bytes of all."""
    chance = random.Random(1)
    size = 0
    with path.open("wb") as file:
        for number in range(count):
            mti, fields = draw(chance)
            own: Fields = {4: chance.randrange(10**9), 11: number % 999_999 + 1}
            body = spec.build(mti, {**fields, **own})
            file.write(len(body).to_bytes(4, "little") + body)
            size += len(body)
    return size


def timed(
    tool: Path, image: Path, messages: Path, copies: int, rounds: int
) -> dict[str, list[float]]:
    """ns a message of each round, by way; the program has compared the results."""
    command = [tool, image, messages, str(copies), str(rounds)]
    ran = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    return {row["way"]: row["ns"] for row in rows}


def beside_table(kind: str, way: str, ns: dict[str, list[float]], bar: float | None) -> Answer:
    return compare(
        f"parse, {kind}: {way}", ns[way], ns["message table"], unit="ns a message",
        rival="our table loop", better="less", at_least=bar,
    )  # fmt: skip


def answers_of(kind: str, ns: dict[str, list[float]], best: str) -> list[Answer]:
    """The floor, the loop, every path beside the loop, the best path beside the floor."""
    rows = [
        figure(f"parse, {kind}: memcpy of the bytes", ns["memcpy"], unit="ns a message"),
        figure(f"parse, {kind}: table loop", ns["message table"], unit="ns a message"),
    ]
    if "columns table" in ns:
        rows.append(figure(f"parse, {kind}: table loop into columns", ns["columns table"],
                           unit="ns a message"))  # fmt: skip
    for way in ns:
        if way == "memcpy" or way.endswith(" table"):
            continue
        is_judged = kind == "hot" and way == f"columns {best}" and best == "avx512"
        rows.append(beside_table(kind, way, ns, AT_LEAST if is_judged else None))
    pairs = zip(ns[f"message {best}"], ns["memcpy"], strict=True)
    rows.append(figure(f"parse, {kind}: message {best} beside memcpy", [a / b for a, b in pairs],
                       unit="× memcpy"))  # fmt: skip
    return rows


def main() -> None:
    """Measure, print and write."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    is_small = rounds == 1
    spec = Spec.load("unionpay-terminal")
    tool = program("parse_timing")
    image, few, many, new = (LEFT / f"parse.{end}" for end in ("image", "hot", "mixed", "new"))
    image.write_bytes(spec.image)
    kinds = shapes()
    count = 256 if is_small else MANY
    hot_bytes = corpus(spec, few, HOT, lambda _: kinds[0])
    mixed_bytes = corpus(spec, many, count, lambda chance: chance.choice(kinds))
    corpus(spec, new, count, laid_out_anew)
    copies = 2 if is_small else COLD_BYTES // mixed_bytes
    sets = {
        "hot": timed(tool, image, few, 1, rounds), "mixed": timed(tool, image, many, 1, rounds),
        "cold": timed(tool, image, many, copies, max(1, rounds // 2)),
        "new": timed(tool, image, new, 1, rounds),
    }  # fmt: skip
    best = [way for way in sets["hot"] if way.startswith("message ")][-1].removeprefix("message ")
    answers = [row for kind, ns in sets.items() for row in answers_of(kind, ns, best)]
    medians = {kind: {way: round(statistics.median(each), 1) for way, each in ns.items()}
               for kind, ns in sets.items()}  # fmt: skip
    for path in (image, few, many, new):
        path.unlink()
    save("parse", (__doc__ or "").splitlines()[0], answers, best_path=best, ns=medians,
         bytes_a_message={"hot": hot_bytes / HOT})  # fmt: skip


if __name__ == "__main__":
    main()
