"""Question: what does one MAC of a 272-byte message cost, beside OpenSSL's, key set up each time?

    .venv/bin/python bench/mac.py [ROUNDS]

Ours and OpenSSL's (through ``cryptography`` and ``hmac``) take turns in one run, round by round, on
the same messages, a key of its own for each; every result is compared. ``call`` is what a call from
Python into the core costs that does nothing: the floor under our figures. OpenSSL's figures hold
Python's part of the same work; its DES of an 8-byte key is 3DES with that key three times, since
``cryptography`` has no other. Figures, in ns a message, go to build/bench/mac.json.

Cost: 20 seconds and one core.
"""

from __future__ import annotations

import hmac
import json
import platform
import struct
import sys
import time
from collections.abc import Callable
from functools import reduce
from operator import xor
from pathlib import Path
from random import Random

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.cmac import CMAC
from provenance import commit

from posengine._native import mac as native

HOME = Path(__file__).resolve().parent.parent
SIZE = 272
MESSAGES = 64
ROUNDS = 60
Compute = Callable[[bytes, bytes], bytes]


def _des(key: bytes) -> TripleDES:
    return TripleDES({8: key * 3, 16: key + key[:8]}[len(key)])


def _ecb(cipher: TripleDES | SM4, data: bytes) -> bytes:
    encryptor = Cipher(cipher, modes.ECB()).encryptor()
    return encryptor.update(data)


def _folded(cipher: TripleDES | SM4, size: int, covered: bytes) -> bytes:
    if size == 8:
        folded = reduce(xor, struct.unpack(f">{len(covered) // 8}Q", covered))
    else:
        high = reduce(xor, struct.unpack(f">{len(covered) // 8}Q", covered)[::2])
        low = reduce(xor, struct.unpack(f">{len(covered) // 8}Q", covered)[1::2])
        folded = high << 64 | low
    text = f"{folded:0{2 * size}X}".encode()
    encryptor = Cipher(cipher, modes.ECB()).encryptor()
    first = int.from_bytes(encryptor.update(text[:size]), "big")
    return encryptor.update((first ^ int.from_bytes(text[size:], "big")).to_bytes(size, "big"))


def _chained(cipher: TripleDES | SM4, size: int, covered: bytes) -> bytes:
    return Cipher(cipher, modes.CBC(bytes(size))).encryptor().update(covered)[-size:]


def _x9_19(key: bytes, covered: bytes) -> bytes:
    last = _chained(_des(key[:8]), 8, covered)
    opened = Cipher(_des(key[8:]), modes.ECB()).decryptor().update(last)
    return _ecb(_des(key[:8]), opened)


def _cmac(key: bytes, covered: bytes) -> bytes:
    state = CMAC(AES(key))
    state.update(covered)
    return state.finalize()


RIVALS: dict[tuple[str, int], Compute] = {
    ("unionpay-ecb", 8): lambda key, covered: _folded(_des(key), 8, covered),
    ("unionpay-ecb", 16): lambda key, covered: _folded(_des(key), 8, covered),
    ("x9.9", 8): lambda key, covered: _chained(_des(key), 8, covered),
    ("x9.9", 16): lambda key, covered: _chained(_des(key), 8, covered),
    ("x9.19", 16): _x9_19,
    ("aes-cmac", 16): _cmac,
    ("aes-cmac", 32): _cmac,
    ("hmac-sha256", 32): lambda key, covered: hmac.digest(key, covered, "sha256"),
    ("sm4-unionpay", 16): lambda key, covered: _folded(SM4(key), 16, covered),
    ("sm4-cbc", 16): lambda key, covered: _chained(SM4(key), 16, covered),
}


def _nothing(key: bytes, covered: bytes) -> bytes:
    native.equal(b"", b"")
    return b""


def _ns(compute: Compute, work: list[tuple[bytes, bytes]]) -> tuple[float, list[bytes]]:
    began = time.perf_counter_ns()
    found = [compute(key, covered) for key, covered in work]
    return (time.perf_counter_ns() - began) / len(work), found


def _facts(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "least": round(ordered[0]),
        "p50": round(ordered[len(ordered) // 2]),
        "p99": round(ordered[len(ordered) * 99 // 100]),
        "most": round(ordered[-1]),
    }


def measure(rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """ns a message, ours and OpenSSL's, by algorithm and key size; every result compared."""
    random = Random(1)
    times: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        for (algorithm, key_size), rival in RIVALS.items():
            work = [(random.randbytes(key_size), random.randbytes(SIZE)) for _ in range(MESSAGES)]

            def ours(key: bytes, covered: bytes, algorithm: str = algorithm) -> bytes:
                return native.raw(algorithm, key, covered)

            row = times.setdefault(f"{algorithm} {key_size}", {"ours": [], "openssl": []})
            our_ns, our_results = _ns(ours, work)
            rival_ns, rival_results = _ns(rival, work)
            assert our_results == rival_results, algorithm
            row["ours"].append(our_ns)
            row["openssl"].append(rival_ns)
        call_ns, _ = _ns(_nothing, work)
        times.setdefault("call", {"ours": []})["ours"].append(call_ns)
    return {
        name: {side: _facts(values) for side, values in row.items()} for name, row in times.items()
    }


def main() -> None:
    """Measure, print and write."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    found = measure(rounds)
    print(f"ns a message of {SIZE} bytes; p50 (least .. most of {rounds} rounds of {MESSAGES})")
    for name, row in found.items():
        cells = [
            f"{side} {facts['p50']:>7.0f} ({facts['least']:.0f} .. {facts['most']:.0f})"
            for side, facts in row.items()
        ]
        print(f"{name:16} " + "   ".join(cells))
    facts = {
        "question": __doc__.splitlines()[0], "command": "bench/mac.py", "commit": commit(),
        "machine": platform.processor() or platform.machine(), "size": SIZE, "rounds": rounds,
        "ns": found,
    }
    target = HOME / "build" / "bench" / "mac.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
