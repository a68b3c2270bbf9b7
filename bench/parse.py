"""Question: what does reading one terminal message cost in C, as columns, and from Python?

    .venv/bin/python bench/parse.py [ROUNDS]

The same messages (five shapes, 70 to 254 bytes) are read five ways that take turns in one run:

    memcpy        their bytes copied once: the floor
    C             pos_message_parse alone, through pos_message_parse_many without columns (cffi)
    parse_many    Spec.parse_many: the same, and sixteen columns filled
    Spec.parse    one Message a message, then three of its values
    plain Python  a straightforward table loop in Python, for the same fields

Every way gives the same fields, asserted before anything is timed. Figures are ns a message;
they go to build/bench/parse.json. Cost: 20 seconds and one core.
"""

from __future__ import annotations

import json
import platform
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cffi import FFI
from provenance import commit

import posengine
from posengine.codec import Spec

HOME = Path(__file__).resolve().parent.parent
MESSAGES = 20_000
PYTHON_MESSAGES = 1_000  # what Python reads one by one in a round
ROUNDS = 25
CHIP = bytes.fromhex(
    "9F2608A1B2C3D4E5F607089F2701809F100807010103A0A802019F37041122334"
    "49F36020001950500800460009A032611219C01009F02060000000123455F2A02"
    "015682027C009F1A0201569F03060000000000009F3303E0F0C89F34034203009"
    "F3501229F1E0831323334353637388408A0000003330101019F090200209F4104"
    "00000059"
)


def shapes() -> list[tuple[str, dict[int, str | bytes | int]]]:
    """A chip sale, a swiped sale, a QR sale, a reversal, an approved answer."""
    base: dict[int, str | bytes | int] = {
        3: "000000", 22: "051", 25: "00", 41: "09101515", 42: "308350193990080", 49: "156",
        60: "2200000100050", 64: b"12345678",
    }
    track = "6225000000000014D30122010000012345678"
    return [
        ("0200", {**base, 2: "6225000000000014", 14: "3012", 23: 1, 26: 12, 35: track,
                  52: bytes(8), 53: "2600000000000000", 55: CHIP}),
        ("0200", {**base, 22: "021", 26: 12, 35: track, 52: bytes(8), 53: "2600000000000000"}),
        ("0200", {**base, 22: "032", 59: b"A30196212345678901234567"}),
        ("0400", {**base, 39: "98"}),
        ("0210", {**base, 2: "6225000000000014", 12: "092400", 13: "0213", 15: "0213",
                  32: "01031000", 37: "046879087600", 38: "A1B2C3", 39: "00",
                  44: "01031000   01031000   ", 63: "CUP"}),
    ]


def made(spec: Spec) -> list[bytes]:
    """The messages; amounts and STANs differ, shapes are mixed."""
    chance = random.Random(1)
    kinds = shapes()
    found = []
    for number in range(MESSAGES):
        mti, fields = chance.choice(kinds)
        amount = {4: chance.randrange(10**9), 11: number % 999_999 + 1}
        found.append(spec.build(mti, {**fields, **amount}))
    return found


# ---- plain Python ---------------------------------------------------------------------------
# number: (digits of the prefix in bytes, size, is BCD)
TABLE = {
    2: (1, 0, True), 3: (0, 6, True), 4: (0, 12, True), 11: (0, 6, True), 12: (0, 6, True),
    13: (0, 4, True), 14: (0, 4, True), 15: (0, 4, True), 22: (0, 3, True), 23: (0, 3, True),
    25: (0, 2, True), 26: (0, 2, True), 32: (1, 0, True), 35: (1, 0, True), 37: (0, 12, False),
    38: (0, 6, False), 39: (0, 2, False), 41: (0, 8, False), 42: (0, 15, False),
    44: (1, 0, False), 49: (0, 3, False), 52: (0, 8, False), 53: (0, 16, True),
    55: (2, 0, False), 59: (2, 0, False), 60: (2, 0, True), 63: (2, 0, False), 64: (0, 8, False),
}


def plain_parse(body: bytes) -> dict[int, str | bytes]:
    """The same fields by a table and slices: what one writes without the core."""
    bits = int.from_bytes(body[2:10], "big")
    at = 10
    found: dict[int, str | bytes] = {}
    for number, (prefix, size, is_bcd) in TABLE.items():
        if not bits >> (64 - number) & 1:
            continue
        units = size
        if prefix:
            units = int(body[at : at + prefix].hex())
            at += prefix
        count = (units + 1) // 2 if is_bcd else units
        raw = body[at : at + count]
        if len(raw) < count:
            raise ValueError(f"field {number} is cut off")
        at += count
        if is_bcd:
            digits = raw.hex().upper()
            skip = 1 if units % 2 and number == 23 else 0
            found[number] = digits[skip : skip + units]
        elif number in (52, 55, 59, 64):
            found[number] = raw
        else:
            found[number] = raw.decode("ascii")
    return found


# ---- C without columns ---------------------------------------------------------------------------
def core_of(image: bytes) -> tuple[Any, Any, Any]:
    """The library through cffi, and the dialect opened in it."""
    ffi = FFI()
    ffi.cdef(
        """
        int pos_spec_open(const uint8_t *image, size_t size, void **spec_out);
        int pos_message_parse_many(const void *spec, const uint8_t *buffer, size_t size,
                                   const uint64_t *offsets, size_t count, const void *columns,
                                   size_t *good_out);
        """
    )
    home = Path(posengine.__file__).parent / "_native" / "lib"
    found = [*home.glob("libposengine.so*"), *HOME.glob(
        ".venv/lib/python3*/site-packages/posengine/_native/lib/libposengine.so*")]
    library = ffi.dlopen(str(found[0]))
    spec = ffi.new("void **")
    assert library.pos_spec_open(image, len(image), spec) == 0
    return ffi, library, spec[0]


def _facts(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "least": round(ordered[0], 1),
        "p10": round(ordered[len(ordered) // 10], 1),
        "p50": round(ordered[len(ordered) // 2], 1),
        "p90": round(ordered[len(ordered) * 9 // 10], 1),
        "most": round(ordered[-1], 1),
    }


def measure(rounds: int) -> dict[str, Any]:
    """ns a message by way; all results compared first."""
    spec = Spec.load("unionpay-terminal")
    bodies = made(spec)
    buffer = b"".join(bodies)
    offsets = np.cumsum([0, *map(len, bodies)], dtype=np.uint64)
    few = bodies[:PYTHON_MESSAGES]
    for body in few:
        assert plain_parse(body) == dict(spec.parse(body))
    columns = spec.parse_many(buffer, offsets)
    assert columns.good.all()
    assert columns.stan[:100].tolist() == [int(spec.parse(body)[11]) for body in bodies[:100]]

    ffi, library, handle = core_of(spec.image)
    nothing = ffi.new("uint8_t[256]")  # columns, none of them wanted
    good = ffi.new("size_t *")
    edges = ffi.cast("const uint64_t *", offsets.ctypes.data)
    source = np.frombuffer(buffer, dtype=np.uint8)
    target = np.empty_like(source)

    def in_c() -> None:
        status = library.pos_message_parse_many(
            handle, buffer, len(buffer), edges, len(bodies), nothing, good)
        assert status == 0
        assert good[0] == len(bodies)

    def as_columns() -> None:
        assert spec.parse_many(buffer, offsets).good.all()

    def one_by_one() -> None:
        for body in few:
            message = spec.parse(body)
            assert message[4] and message[11] and message[41]

    def plain() -> None:
        for body in few:
            assert plain_parse(body)[4]

    ways: list[tuple[str, Callable[[], None], int]] = [
        ("memcpy", lambda: np.copyto(target, source), len(bodies)),
        ("C", in_c, len(bodies)),
        ("parse_many", as_columns, len(bodies)),
        ("Spec.parse", one_by_one, len(few)),
        ("plain Python", plain, len(few)),
    ]
    times: dict[str, list[float]] = {name: [] for name, _, _ in ways}
    for _ in range(rounds):
        for name, run, count in ways:
            began = time.perf_counter_ns()
            run()
            times[name].append((time.perf_counter_ns() - began) / count)
    return {
        "bytes": round(len(buffer) / len(bodies)),
        "ns": {name: _facts(values) for name, values in times.items()},
    }


def main() -> None:
    """Measure, print and write."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    found = measure(rounds)
    print(f"ns a message of {found['bytes']} bytes; p50 (p10 .. p90, most) of {rounds} rounds")
    for name, facts in found["ns"].items():
        spread = f"({facts['p10']:,.0f} .. {facts['p90']:,.0f}, {facts['most']:,.0f})"
        print(f"{name:13} {facts['p50']:>10,.1f}  {spread}")
    facts = {
        "question": (__doc__ or "").splitlines()[0], "command": "bench/parse.py",
        "commit": commit(), "machine": platform.processor() or platform.machine(),
        "rounds": rounds, **found,
    }
    target = HOME / "build" / "bench" / "parse.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
