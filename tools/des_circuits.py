"""Writes native/mac/des_circuit_*.h: the S-boxes of DES as gates, and a round made of them.

    .venv/bin/python tools/des_circuits.py                    write them from tools/des_circuits.txt
    .venv/bin/python tools/des_circuits.py --check            exit 1 where a file is stale
    .venv/bin/python tools/des_circuits.py --search SECONDS   look for smaller circuits, each S-box
                                                              and kind so long; keep what is better

The circuits are our own: tools/des_search.c finds them from the tables of FIPS 46-3. Every one is
held against its table, on all 64 inputs, before anything is written.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from des_tables import BOXES, CHOICE_2, P, expanded, substituted

HOME = Path(__file__).resolve().parent.parent
FOUND = HOME / "tools" / "des_circuits.txt"
KINDS = ("ternary", "binary")
ALL = (1 << 64) - 1
# In which order a round goes through the S-boxes, from 0. The first of a round wait for the last of
# the round before: of eighty orders that were measured on Zen 4 this one is among the best.
ORDERS = {"ternary": (4, 3, 7, 2, 1, 5, 0, 6), "binary": range(8)}
BINARY = {1: "AND", 2: "OR", 3: "XOR", 4: "ANDNOT", 5: "NOT"}

Gate = tuple[int, int, int, int]  # kind, a, b, c: see tools/des_search.c


class Circuit:
    """One line of the search: gates 0 to 5 are the inputs b1 to b6."""

    def __init__(self, kind: str, line: str) -> None:
        self.kind, self.line = kind, line
        gates, outputs = line.split("=")
        self.gates: list[Gate] = []
        for word in gates.split()[1:]:
            table, operands = word.split(":")
            a, b, c = map(int, operands.split(","))
            self.gates.append((int(table), a, b, c))
        self.outputs = [int(word) for word in outputs.split()]

    def operands(self, gate: Gate) -> tuple[int, ...]:
        """What a gate reads."""
        table, a, b, c = gate
        if self.kind == "ternary":
            return a, b, c
        return (a,) if BINARY[table] == "NOT" else (a, b)

    def bits(self) -> list[int]:
        """What each gate gives for the 64 inputs."""
        found = [sum((at >> (5 - bit) & 1) << at for at in range(64)) for bit in range(6)]
        for gate in self.gates:
            table, a, b, c = gate
            x, y, z = found[a], found[b], found[c]
            if self.kind == "ternary":
                result = 0
                for which in range(8):
                    if table >> which & 1:
                        result |= ((x if which & 4 else ~x) & (y if which & 2 else ~y)
                                   & (z if which & 1 else ~z))
            else:
                result = {"AND": x & y, "OR": x | y, "XOR": x ^ y, "ANDNOT": x & ~y,
                          "NOT": ~x}[BINARY[table]]
            found.append(result & ALL)
        return found

    def is_right(self, box: int) -> bool:
        """It is the S-box of FIPS 46-3."""
        found = self.bits()
        return all(
            found[self.outputs[bit]]
            == sum((substituted(box, at) >> (3 - bit) & 1) << at for at in range(64))
            for bit in range(4)
        )

    def depths(self) -> list[int]:
        """How many gates lie before each, on its longest way."""
        found = [0] * 6
        for gate in self.gates:
            found.append(1 + max(found[at] for at in self.operands(gate)))
        return found

    def text(self, gate: Gate) -> str:
        """A gate in C."""
        names = [f"b{at + 1}" if at < 6 else f"g{at - 6}" for at in range(6 + len(self.gates))]
        operands = self.operands(gate)
        if self.kind == "ternary":
            table, order = _latest_first(gate[0], [(self.depths()[at], at) for at in operands])
            chosen = ", ".join(names[operands[at]] for at in order)
            return f"TERNARY({chosen}, 0x{table:02x})"
        return f"{BINARY[gate[0]]}({', '.join(names[at] for at in operands)})"


def _latest_first(table: int, times: list[tuple[int, int]]) -> tuple[int, list[int]]:
    """A ternary gate's table and the order of its operands, where the last to be made comes first.

    The first operand is the register that the instruction overwrites. On Zen 4 a core does two
    such gates a cycle where that is the one that they wait for, and one where it is another.
    """
    order = sorted(range(3), key=lambda at: times[at], reverse=True)
    turned = 0
    for which in range(8):
        bits = [which >> 2 & 1, which >> 1 & 1, which & 1]
        before = sum(bits[order.index(at)] << (2 - at) for at in range(3))
        turned |= (table >> before & 1) << which
    return turned, order


def found() -> dict[tuple[str, int], Circuit]:
    """The kept circuits, by kind and S-box (from 0)."""
    kept = {}
    for line in FOUND.read_text(encoding="utf-8").splitlines():
        kind, box, rest = line.split(" ", 2)
        kept[kind, int(box) - 1] = Circuit(kind, rest)
    return kept


def _box(circuit: Circuit, box: int) -> str:
    inputs = ", ".join(f"VECTOR b{bit}" for bit in range(1, 7))
    text = f"/* {len(circuit.gates)} gates */\n"
    text += f"static inline void box_{box + 1}({inputs}, VECTOR outputs[4])\n{{\n"
    for at, gate in enumerate(circuit.gates):
        text += f"    const VECTOR g{at} = {circuit.text(gate)};\n"
    for bit, output in enumerate(circuit.outputs):
        text += f"    outputs[{bit}] = g{output - 6};\n"
    return text + "}\n\n"


def _round(kind: str) -> str:
    text = "static inline void round_of(VECTOR *restrict into, const VECTOR *from,\n"
    text += "                            const VECTOR *c, const VECTOR *d)\n"
    text += "{\n    VECTOR outputs[4];\n"
    for box in ORDERS[kind]:
        inputs = []
        for place in range(6):
            key = CHOICE_2[6 * box + place] - 1
            name = f"c[{key}]" if key < 28 else f"d[{key - 28}]"
            inputs.append(f"XOR(from[{expanded(box, place)}], {name})")
        lines = [", ".join(inputs[:3]), ", ".join(inputs[3:])]
        text += f"    box_{box + 1}({lines[0]},\n          {lines[1]}, outputs);\n"
        for bit in range(4):
            target = P.index(4 * box + bit + 1)
            text += f"    into[{target}] = XOR(into[{target}], outputs[{bit}]);\n"
    return text + "}\n"


def written(kind: str) -> str:
    """The file of one kind of gates."""
    circuits = [found()[kind, box] for box in range(8)]
    for box, circuit in enumerate(circuits):
        assert circuit.is_right(box), f"{kind} {box + 1}"
    gates = sum(len(circuit.gates) for circuit in circuits)
    operations = {"ternary": "TERNARY(a, b, c, table), which overwrites a: what is made last",
                  "binary": "AND, OR, NOT and ANDNOT(a, b), which is a & ~b"}[kind]
    text = f"""\
/*
 * Written by tools/des_circuits.py out of tools/des_circuits.txt; not by hand.
 *
 * The S-boxes of DES as {kind} gates, {gates} in all, and a round of them: a bit a message, a
 * vector a bit. Whoever includes this has set VECTOR, XOR,
 * {operations}.
 *
 * into ^= P(S(E(from) ^ key)), where c and d are the halves of the key as they stand turned: bit i
 * of a half is its vector i. Bits count from 0, the first.
 */
"""
    for box, circuit in enumerate(circuits):
        text += _box(circuit, box)
    return text + _round(kind)


def search(seconds: float) -> None:
    """Look, and keep what is smaller than what there is."""
    kept = found() if FOUND.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "search"
        source = HOME / "tools" / "des_search.c"
        subprocess.run(["cc", "-O3", "-march=native", source, "-o", program], check=True)
        for kind in KINDS:
            for box in range(8):
                table = "".join(f"{substituted(box, at):x}" for at in range(64))
                known = kept.get((kind, box))
                command = [program, kind, table, str(seconds), str(time.time_ns() % 2**31)]
                if known is not None:
                    command.append(str(len(known.gates) - 1))
                ran = subprocess.run([*map(str, command)], check=True, stdout=subprocess.PIPE)
                if ran.stdout:
                    kept[kind, box] = Circuit(kind, ran.stdout.decode().splitlines()[-1])
                print(kind, box + 1, len(kept[kind, box].gates))
    lines = [f"{kind} {box + 1} {kept[kind, box].line}\n" for kind, box in sorted(kept)]
    FOUND.write_text("".join(lines), encoding="utf-8")


def main() -> int:
    """Search, write, or judge what is there."""
    assert len(BOXES) == 8
    if "--search" in sys.argv[1:]:
        search(float(sys.argv[sys.argv.index("--search") + 1]))
    for kind in KINDS:
        target = HOME / "native" / "mac" / f"des_circuit_{kind}.h"
        text = written(kind)
        if "--check" not in sys.argv[1:]:
            target.write_text(text, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
