"""Computing and checking MACs, in the form in which a field carries them.

    algorithm       key                 raw result   field
    unionpay-ecb    8, or 16 (3DES)     8            first 8 hex characters
    sm4-unionpay    16                  16           first 8 hex characters
    x9.9            8, or 16 (3DES)     8            raw
    x9.19           16                  8            raw
    aes-cmac        16, 24 or 32        16           raw
    hmac-sha256     1 or more           32           raw
    sm4-cbc         16                  16           raw

Hosts differ in how much they carry and whether in hex: ``output`` and ``size`` say so.
"""

from __future__ import annotations

from typing import Literal

from posengine._native import mac as native
from posengine.errors import MacMismatch

Output = Literal["field", "raw", "hex"]
OUTPUTS: tuple[str, ...] = ("field", "raw", "hex")
HEX_FIELDS = frozenset({"unionpay-ecb", "sm4-unionpay"})
HEX_FIELD_SIZE = 8


def compute(
    algorithm: str,
    key: bytes | native.Key,
    covered: bytes,
    *,
    output: str = "field",
    size: int | None = None,
) -> bytes:
    """The MAC of ``covered``.

    Args:
        algorithm: one of ``ALGORITHMS``.
        key: the clear key, or a slot of usage MAK.
        covered: what the MAC covers; for unionpay-ecb from the MTI to the end of field 63, as on
            the wire, with bit 64 set in the bitmap.
        output: ``"field"``, the algorithm's usual form (see above); ``"raw"``, the whole result;
            ``"hex"``, the whole result as upper-case hex in ASCII.
        size: bytes to keep, from the left; all of that form when None.

    Raises:
        MacAlgorithm: no such algorithm.
        KeySize: the key does not fit it.
        KeyAbsent: the slot was wiped or is no MAK.
        ValueError: no such output, or ``size`` is none of its sizes.
    """
    if output not in OUTPUTS:
        raise ValueError(f"output is one of {', '.join(OUTPUTS)}, not {output!r}")
    result = native.raw(algorithm, key, covered)
    if output == "hex" or (output == "field" and algorithm in HEX_FIELDS):
        result = result.hex().upper().encode()
    if output == "field" and algorithm in HEX_FIELDS:
        result = result[:HEX_FIELD_SIZE]
    if size is None:
        return result
    if not 1 <= size <= len(result):
        raise ValueError(f"size is 1 to {len(result)} for {algorithm}, not {size}")
    return result[:size]


def verify(
    algorithm: str,
    key: bytes | native.Key,
    covered: bytes,
    mac: bytes,
    *,
    output: str = "field",
    size: int | None = None,
) -> None:
    """Nothing, if ``mac`` is the MAC of ``covered``. In time that does not depend on its bytes.

    The size of ``mac`` is never taken from ``mac``: a shorter one is a wrong one unless ``size``
    says that it is short.

    Raises:
        MacMismatch: it is another.
        As ``compute``.
    """
    ours = compute(algorithm, key, covered, output=output, size=size)
    if not native.equal(ours, bytes(mac)):
        raise MacMismatch(f"{algorithm}: the MAC does not match")
