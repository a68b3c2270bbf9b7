"""Question: what does a message cost from Python, beside pyiso8583 on the same bytes?

    .venv/bin/python bench/python.py [MESSAGES]

The same UnionPay sales (20 fields, a chip's 139 bytes among them), read three ways by each side:

    parsed        Spec.parse(body)                          iso8583.decode(body, spec)
    all read      and every field looked up                 the same call: it decodes all at once
    many          Spec.parse_many: sixteen columns          the same call, message by message

Every field of every message is the same on both sides, asserted before anything is timed. Ways take
turns, seven runs each; user CPU time of this thread. pyiso8583 is pure Python and made for reading
one message at a time; it has no door for many. `pytest bench/test_python_level.py` runs the same
ways under pytest-benchmark. Cost: 20 seconds and one core.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import iso8583
import numpy as np
from record import compare, save

from posengine.codec import Spec

HOME = Path(__file__).resolve().parent.parent
MESSAGES = 2_000
MANY = 50  # parse_many reads the messages so many times over in one run: it is that much faster
RUNS = 7
CHIP = bytes.fromhex(
    "9F2608A1B2C3D4E5F607089F2701809F100807010103A0A802019F37041122334"
    "49F36020001950500800460009A032611219C01009F02060000000123455F2A02"
    "015682027C009F1A0201569F03060000000000009F3303E0F0C89F34034203009"
    "F3501229F1E0831323334353637388408A0000003330101019F090200209F4104"
    "00000059"
)
TRACK = "6225000000000014D30122010000012345678"
# field: (prefix bytes, most units, data, which side the filler of an odd count is on)
WIRE: dict[int, tuple[int, int, str, str]] = {
    2: (1, 19, "bcd", "right"), 3: (0, 6, "bcd", ""), 4: (0, 12, "bcd", ""), 11: (0, 6, "bcd", ""),
    14: (0, 4, "bcd", ""), 22: (0, 3, "bcd", "right"), 23: (0, 3, "bcd", "left"),
    25: (0, 2, "bcd", ""), 26: (0, 2, "bcd", ""), 35: (1, 37, "bcd", "right"),
    41: (0, 8, "ascii", ""), 42: (0, 15, "ascii", ""), 49: (0, 3, "ascii", ""),
    52: (0, 8, "b", ""), 53: (0, 16, "bcd", ""), 55: (2, 255, "b", ""), 60: (2, 17, "bcd", "right"),
    64: (0, 8, "b", ""),
}  # fmt: skip


def sales(spec: Spec, count: int) -> list[bytes]:
    """Chip sales that differ in amount, STAN and card."""
    chance = random.Random(8583)
    fixed: dict[int, str | bytes | int] = {
        2: "6225000000000014", 3: "000000", 14: "3012", 22: "051", 23: 1, 25: "00", 26: 12,
        35: TRACK, 41: "09101515", 42: "308350193990080", 49: "156", 52: bytes(8),
        53: "2600000000000000", 55: CHIP, 60: "2200000100050", 64: b"12345678",
    }
    return [
        spec.build("0200", {**fixed, 4: chance.randrange(10**9), 11: number % 999_999 + 1})
        for number in range(count)
    ]


def their_spec() -> dict[str, dict[str, Any]]:
    """The dialect's wire in pyiso8583's words, for the fields that a sale has."""
    plain = {"desc": "", "left_pad": "", "right_pad": ""}
    spec: dict[str, dict[str, Any]] = {
        "h": {**plain, "data_enc": "ascii", "len_enc": "ascii", "len_type": 0, "max_len": 0},
        "t": {**plain, "data_enc": "b", "len_enc": "ascii", "len_type": 0, "max_len": 2},
        "p": {**plain, "data_enc": "b", "len_enc": "ascii", "len_type": 0, "max_len": 8},
    }
    for field in range(1, 129):
        prefix, most, data, side = WIRE.get(field, (0, 0, "ascii", ""))
        is_bcd = data == "bcd"
        spec[str(field)] = {
            "desc": "", "len_type": prefix, "max_len": most, "len_enc": "bcd",
            "data_enc": "b" if is_bcd else data, "len_count": "nibbles" if is_bcd else "bytes",
            "left_pad": "0" if side == "left" else "", "right_pad": "0" if side == "right" else "",
        }  # fmt: skip
    return spec


def their_value(field: int, value: str) -> str | bytes:
    """pyiso8583 gives hex for bytes."""
    return bytes.fromhex(value) if WIRE[field][2] == "b" else value


class Ways:
    """The ways of both sides over the same messages."""

    def __init__(self, count: int) -> None:
        self.spec = Spec.load("unionpay-terminal")
        self.theirs = their_spec()
        self.bodies = sales(self.spec, count)
        self.buffer = b"".join(self.bodies)
        self.offsets = np.cumsum([0, *map(len, self.bodies)], dtype=np.uint64)

    def assert_same(self) -> None:
        """Both sides read the same fields, and the columns agree with them."""
        columns = self.spec.parse_many(self.buffer, self.offsets)
        assert columns.good.all()
        for row, body in enumerate(self.bodies):
            ours = dict(self.spec.parse(body))
            decoded, _ = iso8583.decode(body, self.theirs)
            theirs = {
                int(key): their_value(int(key), value)
                for key, value in decoded.items() if key not in ("h", "t", "p", "1")
            }
            assert ours == theirs, set(ours.items()) ^ set(theirs.items())
            assert int(columns.stan[row]) == int(str(ours[11]))
            assert int(columns.amount_minor[row]) == int(str(ours[4]))

    def parsed(self) -> None:
        parse = self.spec.parse
        for body in self.bodies:
            parse(body)

    def all_read(self) -> None:
        parse = self.spec.parse
        for body in self.bodies:
            message = parse(body)
            for field in message:
                message[field]

    def many(self) -> None:
        for _ in range(MANY):
            self.spec.parse_many(self.buffer, self.offsets)

    def pyiso8583(self) -> None:
        for body in self.bodies:
            iso8583.decode(body, self.theirs)


def ns_a_message(run: Callable[[], None], messages: int) -> float:
    began = time.thread_time_ns()
    run()
    return (time.thread_time_ns() - began) / messages


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    ways = Ways(count)
    ways.assert_same()
    runs: dict[str, list[float]] = {"parsed": [], "all_read": [], "many": [], "theirs": []}
    for _ in range(RUNS):
        runs["theirs"].append(ns_a_message(ways.pyiso8583, count))
        runs["parsed"].append(ns_a_message(ways.parsed, count))
        runs["all_read"].append(ns_a_message(ways.all_read, count))
        runs["many"].append(ns_a_message(ways.many, count * MANY))
    asked = (
        ("parsed", "Spec.parse", 15), ("all_read", "Spec.parse and every field read", 6),
        ("many", "Spec.parse_many", 300),
    )  # fmt: skip
    answers = [
        compare(
            f"from Python: {name}", runs[way], runs["theirs"], unit="ns a message",
            rival="pyiso8583", better="less", at_least=bar,
        )
        for way, name, bar in asked
    ]  # fmt: skip
    save("python", (__doc__ or "").splitlines()[0], answers, messages=count)


if __name__ == "__main__":
    main()
