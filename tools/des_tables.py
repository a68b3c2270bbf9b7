"""Writes native/mac/des_tables.h and des_few_tables.h: DES as the kernels want it, from FIPS 46-3.

    .venv/bin/python tools/des_tables.py            write them
    .venv/bin/python tools/des_tables.py --check    exit 1 where one is stale

A byte of a vector is one message's input to one S-box: six bits. The 48 wires "output bit of S-box
i to input bit of S-box j" (P, then E) get one of six colours so that no two wires of a colour leave
one S-box, and none reach one: a 6-regular bipartite multigraph has such a colouring (Koenig), and
trying finds it at once. A colour is a place in the byte. S-boxes take and give their bits in these
places, so P and E are selections, never shifts: place c of input j is place c of some output i.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
TARGET = HOME / "native" / "mac" / "des_tables.h"
FEW = HOME / "native" / "mac" / "des_few_tables.h"
COLOURS = 6

# FIPS 46-3; bits count from 1, the highest. Each S-box: four rows of sixteen digits.
BOXES = (
    "e4d12fb83a6c5907 0f74e2d1a6cb9538 41e8d62bfc973a50 fc8249175b3ea06d",
    "f18e6b34972dc05a 3d47f28ec01a69b5 0e7ba4d158c6932f d8a13f42b67c05e9",
    "a09e63f51dc7b428 d709346a285ecbf1 d6498f30b12c5ae7 1ad069874fe3b52c",
    "7de3069a1285bc4f d8b56f03472c1ae9 a690cb7df13e5284 3f06a1d8945bc72e",
    "2c417ab6853fd0e9 eb2c47d150fa3986 421bad78f9c5630e b8c71e2d6f09a453",
    "c1af92680d34e75b af427c9561de0b38 9ef528c3704a1db6 432c95fabe17608d",
    "4b2ef08d3c975a61 d0b7491ae35c2f86 14bdc37eaf680592 6bd814a7950fe23c",
    "d2846fb1a93e50c7 1fd8a374c56b0e92 7b419ce206adf358 21e74a8dfc90356b",
)
P = (16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10,
     2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25)  # fmt: skip
CHOICE_1 = (57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19,
            11, 3, 60, 52, 44, 36, 63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6,
            61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4)  # fmt: skip
CHOICE_2 = (14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
            41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36,
            29, 32)  # fmt: skip
SHIFTS = (1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1)


def substituted(box: int, value: int) -> int:
    """What S-box ``box`` (from 0) gives for b1..b6 as a number."""
    row = value >> 5 << 1 | value & 1
    return int(BOXES[box].split()[row][value >> 1 & 15], 16)


def expanded(box: int, place: int) -> int:
    """E: which bit of a half, from 0, is bit ``place`` (from 0) of the input of ``box``."""
    return (4 * box + place - 1) % 32


def subkey_bits(round_: int) -> list[int]:
    """The 48 bits of the key, counted from 1, that are the subkey of a round (from 0)."""
    turned = sum(SHIFTS[: round_ + 1])
    halves = (CHOICE_1[:28], CHOICE_1[28:])
    both = [half[(at + turned) % 28] for half in halves for at in range(28)]
    return [both[bit - 1] for bit in CHOICE_2]


Wire = tuple[int, int, int, int]  # from box, its output bit; to box, its input bit


def wires() -> list[Wire]:
    """P and E together."""
    found = []
    for box in range(8):
        for place in range(6):
            output = P[expanded(box, place)] - 1
            found.append((output // 4, output % 4, box, place))
    return found


def coloured(left: list[Wire], gone: set[tuple[str, int, int]]) -> dict[Wire, int] | None:
    """A colour for each wire: by trying, with a way back."""
    if not left:
        return {}
    wire = left[0]
    for colour in range(COLOURS):
        ends = {("from", wire[0], colour), ("to", wire[2], colour)}
        if ends & gone:
            continue
        rest = coloured(left[1:], gone | ends)
        if rest is not None:
            return {wire: colour, **rest}
    return None


def matrix(moves: Iterable[tuple[int, int]]) -> int:
    """For GF2P8AFFINEQB: bit ``source`` of a byte becomes bit ``target``; row i is byte 7 - i."""
    word = 0
    for source, target in moves:
        word |= 1 << (8 * (7 - target) + source)
    return word


def words(name: str, shape: str, rows: Iterable[Iterable[int]]) -> str:
    """A table of 64-bit words."""
    lines = ["    {" + ", ".join(f"0x{word:016x}U" for word in row) + "}," for row in rows]
    return f"static const uint64_t {name}{shape} = {{\n" + "\n".join(lines) + "\n};\n"


class Tables:
    """All that the file holds, by the colours that were found."""

    def __init__(self) -> None:
        found = coloured(wires(), set())
        assert found is not None, "Koenig says that there is one"
        self.colours = found
        self.place = {(wire[2], wire[3]): colour for wire, colour in found.items()}

    def box(self, box: int) -> list[int]:
        """64 outputs of an S-box, by its input in colours; each of six wires has its place."""
        outputs = []
        for given in range(64):
            value = sum((given >> self.place[box, bit] & 1) << (5 - bit) for bit in range(6))
            result = substituted(box, value)
            outputs.append(sum(
                (result >> (3 - bit) & 1) << colour
                for (source, bit, _, _), colour in self.colours.items() if source == box
            ))
        return outputs

    def sources(self, box: int) -> list[int]:
        """Which S-box each place of an input comes from, by place."""
        by_place = {c: source for (source, _, to, _), c in self.colours.items() if to == box}
        return [by_place[colour] for colour in range(COLOURS)]

    def enter(self, box: int) -> list[int]:
        """Matrices from the two bytes of a half that an S-box input spans, the first first."""
        bits = [expanded(box, place) for place in range(6)]
        spans = list(dict.fromkeys(bit // 8 for bit in bits))
        assert len(spans) == 2
        return [
            matrix((bit % 8, self.place[box, place])
                   for place, bit in enumerate(bits) if bit // 8 == byte)
            for byte in spans
        ]

    def leave(self, byte: int) -> list[int]:
        """Matrices from two S-box inputs to a byte of a half: their middle four bits."""
        return [
            matrix((self.place[2 * byte + side, place], 4 * side + place - 1)
                   for place in range(1, 5))
            for side in range(2)
        ]

    def subkey(self, round_: int, box: int) -> list[int]:
        """Matrices from the four key planes of a half (C or D) to the subkey of an S-box."""
        planes = (0, 1, 2, 3) if box < 4 else (6, 5, 4, 3)
        bits = subkey_bits(round_)[6 * box : 6 * box + 6]
        assert all((bit - 1) % 8 in planes for bit in bits)
        return [
            matrix((7 - (bit - 1) // 8, self.place[box, place])
                   for place, bit in enumerate(bits) if (bit - 1) % 8 == plane)
            for plane in planes
        ]


HEAD = """\
/*
 * Written by tools/des_tables.py out of FIPS 46-3; not by hand.
 *
 * A byte is one message's input to one S-box, its six bits in the places that tools/des_tables.py
 * explains. Matrices are those of GF2P8AFFINEQB.
 *
 *   POS_DES_BOXES     what S-box i gives for an input, each bit in the place where it is wanted
 *   POS_DES_INTO_j    the input of S-box j: place c is taken from the output named c-th
 *   POS_DES_ENTER     S-box input j out of the two bytes of a half that it spans, the first first
 *   POS_DES_LEAVE     byte q of a half out of S-box inputs 2q and 2q + 1
 *   POS_DES_SUBKEYS   the subkey of a round and S-box out of the four planes of its half of the key
 *
 * A half's bytes have its first bit lowest. Plane i of a key is bit i of its eight bytes (from the
 * highest), the last byte's lowest; S-boxes 0 to 3 take planes 0, 1, 2, 3, the others 6, 5, 4, 3.
 */
#ifndef POS_DES_TABLES_H
#define POS_DES_TABLES_H

#include <stdint.h>

"""


def written() -> str:
    """The file."""
    tables = Tables()
    text = HEAD
    text += "static const uint8_t POS_DES_BOXES[8][64] __attribute__((aligned(64))) = {\n"
    for box in range(8):
        values = tables.box(box)
        text += "    {" + ",\n     ".join(
            ", ".join(f"{value:2}" for value in values[at : at + 16]) for at in range(0, 64, 16)
        ) + "},\n"
    text += "};\n\n"
    for box in range(8):
        names = ", ".join(f"(from)[{source}]" for source in tables.sources(box))
        text += f"#define POS_DES_INTO_{box}(MERGED, from) MERGED({names})\n"
    text += "\n" + words("POS_DES_ENTER", "[8][2]", (tables.enter(box) for box in range(8)))
    text += "\n" + words("POS_DES_LEAVE", "[4][2]", (tables.leave(byte) for byte in range(4)))
    text += "\nstatic const uint64_t POS_DES_SUBKEYS[16][8][4] = {\n"
    for round_ in range(16):
        rows = [
            "{" + ", ".join(f"0x{word:016x}U" for word in tables.subkey(round_, box)) + "}"
            for box in range(8)
        ]
        text += "    {" + ",\n     ".join(rows) + "},\n"
    return text + "};\n\n#endif\n"


FEW_HEAD = """\
/*
 * Written by tools/des_tables.py out of FIPS 46-3; not by hand. des_few_avx512.c has the layout.
 * A pick is two rows of 64: which byte stands in each place, and which bit of it is meant.
 */
#ifndef POS_DES_FEW_TABLES_H
#define POS_DES_FEW_TABLES_H

#include <stdint.h>

"""
IP_BITS = (58, 60, 62, 64, 57, 59, 61, 63)
Bit = tuple[int, int]  # a byte of what is picked from, and a bit of it from the lowest
Pick = list[list[int]]


def pick(words: Iterable[Iterable[Bit | None]]) -> Pick:
    """Bit i of word j out of a bit of some byte: it stands in byte 7 - i, as matrices have it."""
    order, bits = [0] * 64, [0] * 64
    for word, wanted in enumerate(words):
        for place, bit in enumerate(wanted):
            if bit is not None:
                order[8 * word + 7 - place], bits[8 * word + 7 - place] = bit[0], 1 << bit[1]
    return [order, bits]


def numbered(bit: int) -> Bit:
    """Bit 1 to 64 of a block or key, as it lies in memory."""
    return (bit - 1) // 8, 7 - (bit - 1) % 8


def few_round() -> Pick:
    """P and E: out of what eight S-boxes give, a word of the vectors each, two S-boxes a byte."""
    words = []
    for box in range(8):
        sources = [divmod(P[expanded(box, 5 - place)] - 1, 4) for place in range(6)]
        words.append([
            (8 * source + (64 if source > 3 else 0), 4 * (source % 2) + 3 - bit)
            for source, bit in sources
        ])
    return pick(words)


def few_enter(half: int) -> Pick:
    """IP and E: a block's half as S-box inputs."""
    return pick(
        [numbered(IP_BITS[4 * half + bit // 8] - 8 * (bit % 8))
         for bit in (expanded(box, 5 - place) for place in range(6))]
        for box in range(8)
    )


def few_leave() -> Pick:
    """FP: the bytes of a block out of the S-box inputs of its halves, first the left one's."""
    found: dict[Bit, Bit] = {}
    for half in range(2):
        for bit in range(32):
            box, place = bit // 4, 1 + bit % 4
            target = numbered(IP_BITS[4 * half + bit // 8] - 8 * (bit % 8))
            found[target] = (8 * box + 64 * half, 5 - place)
    return pick([found[byte, bit] for bit in range(8)] for byte in range(8))


def few_subkey(round_: int) -> Pick:
    """A round's subkey as S-box inputs, out of the key's bytes."""
    bits = subkey_bits(round_)
    return pick([numbered(bits[6 * box + 5 - place]) for place in range(6)] for box in range(8))


def few_boxes() -> list[list[int]]:
    """Four tables of 64: S-boxes 1 and 2 in a byte, 3 and 4, ..., the first in the low digit."""
    return [
        [substituted(2 * pair, at) | substituted(2 * pair + 1, at) << 4 for at in range(64)]
        for pair in range(4)
    ]


def _rows(values: list[int]) -> str:
    lines = [", ".join(f"{value:3}" for value in values[at : at + 16]) for at in range(0, 64, 16)]
    return "{" + ",\n     ".join(lines) + "}"


def few_written() -> str:
    """The file for a few messages."""
    text = FEW_HEAD
    aligned = "__attribute__((aligned(64)))"
    text += f"static const uint8_t POS_DES_PAIRS[4][64] {aligned} = {{\n"
    text += ",\n".join(f"    {_rows(table)}" for table in few_boxes()) + "\n};\n"
    for name, found in (("ROUND", few_round()), ("LEFT", few_enter(0)), ("RIGHT", few_enter(1)),
                        ("LEAVE", few_leave())):  # fmt: skip
        text += f"\nstatic const uint8_t POS_DES_PICK_{name}[2][64] {aligned} = {{\n"
        text += ",\n".join(f"    {_rows(row)}" for row in found) + "\n};\n"
    text += f"\nstatic const uint8_t POS_DES_PICK_KEYS[16][2][64] {aligned} = {{\n"
    text += ",\n".join(
        "    {" + ",\n     ".join(_rows(row) for row in few_subkey(round_)) + "}"
        for round_ in range(16)
    )
    return text + "\n};\n\n#endif\n"


def main() -> int:
    """Write, or judge what is there."""
    for target, text in ((TARGET, written()), (FEW, few_written())):
        if "--check" not in sys.argv[1:]:
            target.write_text(text, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
