"""What an algorithm does, step by step: values to hold beside another implementation's.

No step is a key or lets one be computed: CMAC's sub-keys are not among them.
"""

from __future__ import annotations

from dataclasses import dataclass

from posengine._native import mac as native
from posengine.mac.compute import compute

SIZES = {"unionpay-ecb": 8, "x9.9": 8, "x9.19": 8, "sm4-unionpay": 16, "sm4-cbc": 16}


@dataclass(frozen=True, slots=True)
class Step:
    """One value on the way: ``name`` as the trade writes it, ``value`` as hex, ``note`` why."""

    name: str
    value: str
    note: str = ""


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _hex(value: bytes) -> str:
    return value.hex().upper()


def _blocks(covered: bytes, size: int) -> list[bytes]:
    padded = covered + bytes(-len(covered) % size) if covered else bytes(size)
    return [padded[start : start + size] for start in range(0, len(padded), size)]


def _folded(cipher: str, key: bytes, blocks: list[bytes], size: int) -> list[Step]:
    folded = bytes(size)
    for block in blocks:
        folded = _xor(folded, block)
    text = _hex(folded).encode()
    first = native.encrypt(cipher, key, text[:size])
    mixed = _xor(first, text[size:])
    last = native.encrypt(cipher, key, mixed)
    return [
        Step("X", _hex(folded), "all blocks, xored together"),
        Step("hex X, first half", _hex(text[:size]), text[:size].decode()),
        Step("E1", _hex(first), "the first half, enciphered"),
        Step("hex X, second half", _hex(text[size:]), text[size:].decode()),
        Step("E1 xor second half", _hex(mixed)),
        Step("E2", _hex(last), "enciphered again"),
    ]


def _chained(cipher: str, key: bytes, blocks: list[bytes], size: int) -> list[Step]:
    chain = bytes(size)
    found = []
    for number, block in enumerate(blocks, start=1):
        chain = native.encrypt(cipher, key, _xor(chain, block))
        found.append(Step(f"C{number}", _hex(chain), f"block {_hex(block)}"))
    return found


def steps(algorithm: str, key: bytes | native.Key, covered: bytes) -> list[Step]:
    """Every step of ``algorithm`` over ``covered``, the field's form last.

    Raises:
        As ``compute``.
    """
    field = compute(algorithm, key, covered)
    clear = key.clear() if isinstance(key, native.Key) else bytes(key)
    found = []
    if algorithm in SIZES:
        size = SIZES[algorithm]
        cipher = "sm4" if size == 16 else "des"
        blocks = _blocks(covered, size)
        added = size * len(blocks) - len(covered)
        found.append(Step("blocks", str(len(blocks)), f"of {size} bytes, {added} zeros added"))
        if algorithm in ("unionpay-ecb", "sm4-unionpay"):
            found += _folded(cipher, clear, blocks, size)
        else:
            found += _chained(cipher, clear[:8] if algorithm == "x9.19" else clear, blocks, size)
        if algorithm == "x9.19":
            opened = native.decrypt("des", clear[8:], bytes.fromhex(found[-1].value))
            found.append(Step("D", _hex(opened), "deciphered under the right half"))
            closed = native.encrypt("des", clear[:8], opened)
            found.append(Step("E", _hex(closed), "enciphered under the left half"))
    else:
        found.append(Step("covered", str(len(covered)), "bytes"))
    found.append(Step("raw", _hex(native.raw(algorithm, key, covered))))
    found.append(Step("field", _hex(field), field.decode() if field.isalnum() else ""))
    return found
