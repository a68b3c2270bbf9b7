"""Question: what does it cost to read a UnionPay sale, beside those who read ISO 8583 for a living?

    .venv/bin/python bench/peers/reading.py
    DL_ISO8583=<source tree> .venv/bin/python bench/peers/reading.py

The sales of bench/python.py, a thousand of them, in the same bytes for everybody. Each peer first
shows every field that it reads; all must be ours. Then they take turns, nine runs each, in
processes that stay up, so that a virtual machine is warm. Ours: pos_message_parse_many, every
column filled. Peers that cannot be had are named with the reason. Cost: five minutes at first.
"""

from __future__ import annotations

import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(HOME / "bench"))

import iso8583  # noqa: E402
from asked import Reader  # noqa: E402
from had import BUILD, Absent, dl_iso8583, jpos, moov, ours  # noqa: E402
from jpos_unionpay import packager  # noqa: E402
from python import WIRE, sales, their_spec  # noqa: E402
from record import Answer, compare, save  # noqa: E402

from posengine.codec import Spec  # noqa: E402

MESSAGES = 1_000
WARM_RUNS = 30
RUNS = 9


def shown(spec: Spec, bodies: list[bytes]) -> set[str]:
    """What every peer must show: row, field, value; bytes as hex."""
    found = set()
    for row, body in enumerate(bodies):
        for field, value in spec.parse(body).items():
            text = value.hex().upper() if isinstance(value, bytes) else value
            found.add(f"{row} {field} {text}")
    return found


def readers(files: dict[str, Path]) -> dict[str, Callable[[], list[str]]]:
    """Each peer's command, made when it is asked for."""
    messages, wire, image = (str(files[name]) for name in ("messages", "wire", "image"))
    return {
        "jPOS": lambda: [*jpos("JposCodec.java"), messages, str(files["packager"])],
        "moov": lambda: [*moov("moov_codec.go"), messages, wire],
        "DL_ISO8583": lambda: [*dl_iso8583(), messages, wire],
        "ours": lambda: [*ours("our_codec.c"), messages, image],
    }


def files_of(spec: Spec, bodies: list[bytes]) -> dict[str, Path]:
    BUILD.mkdir(parents=True, exist_ok=True)
    files = {name: BUILD / name for name in ("messages", "wire", "image", "packager")}
    files["messages"].write_bytes(
        b"".join(struct.pack(">H", len(body)) + body for body in bodies))
    files["wire"].write_text("".join(
        f"{field} {prefix} {most} {data} {side or 'none'}\n"
        for field, (prefix, most, data, side) in WIRE.items()))
    files["image"].write_bytes(spec.image)
    files["packager"].write_text(packager(WIRE))
    return files


def pyiso8583_ns(bodies: list[bytes]) -> float:
    spec = their_spec()
    began = time.perf_counter_ns()
    for body in bodies:
        iso8583.decode(body, spec)
    return (time.perf_counter_ns() - began) / len(bodies)


def main() -> None:
    spec = Spec.load("unionpay-terminal")
    bodies = sales(spec, MESSAGES)
    wanted = shown(spec, bodies)
    running: dict[str, Reader] = {}
    absent: dict[str, str] = {}
    for name, command in readers(files_of(spec, bodies)).items():
        try:
            print(f"{name}: fetching, building", flush=True)
            reader = Reader(command())
            if name != "ours":
                difference = wanted ^ set(reader.ask("show"))
                assert not difference, f"{name} reads otherwise: {sorted(difference)[:6]}"
            for _ in range(WARM_RUNS):
                reader.run_ns()
            running[name] = reader
        except Absent as reason:
            absent[name] = str(reason)
            print(f"{name}: cannot be had: {reason}", flush=True)
    runs: dict[str, list[float]] = {name: [] for name in (*running, "pyiso8583")}
    for _ in range(RUNS):
        for name, reader in running.items():
            runs[name].append(reader.run_ns())
        runs["pyiso8583"].append(pyiso8583_ns(bodies))
    for reader in running.values():
        reader.close()
    bars = {"jPOS": 25.0, "DL_ISO8583": 8.0}
    answers: list[Answer] = [
        compare(
            f"read a UnionPay sale, beside {name}", runs["ours"], theirs, unit="ns a message",
            rival=name, better="less", at_least=bars.get(name),
        )
        for name, theirs in runs.items() if name != "ours"
    ]  # fmt: skip
    save("reading", (__doc__ or "").splitlines()[0], answers, absent=absent)


if __name__ == "__main__":
    main()
