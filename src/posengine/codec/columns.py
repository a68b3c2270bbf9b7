"""Columns: many messages as NumPy arrays, one row a message.

The core fills them (``native/message/many.c``); nothing here runs once a message.

Fresh memory costs as much as parsing does (the kernel zeroes each page at its first touch), and the
places of all fields are three to six times what all other columns are together: so they are made
only when they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posengine._native.codec import Core
from posengine._native.status import statuses


@dataclass(frozen=True, slots=True)
class Columns:
    """Facts of ``n`` messages. Numbers are 0 and text is blank where a message has none.

    A row whose ``status`` is not 0 keeps what came before its fault; ``fault_field``,
    ``fault_part`` and ``fault_offset`` say where that was. ``field_offset`` and ``field_size`` are
    ``(n, field_max + 1)``: where each field's value lies, from the start of its message; size 0
    and offset 0 where it is absent. They are ``(n, 0)`` unless places were asked for.
    """

    mti: NDArray[np.uint16]  # BCD: 0x0200
    bitmap: NDArray[np.uint64]  # (n, 2); field f is bit (f - 1) % 64 of word (f - 1) // 64
    stan: NDArray[np.uint64]  # six digits; twelve in ISO 8583:2003
    amount_minor: NDArray[np.int64]
    processing: NDArray[np.uint32]
    tid: NDArray[np.bytes_]  # S8
    mid: NDArray[np.bytes_]  # S15
    rrn: NDArray[np.bytes_]  # S12
    response: NDArray[np.bytes_]  # S2
    field_offset: NDArray[np.uint16]
    field_size: NDArray[np.uint16]
    status: NDArray[np.uint8]  # 0: fine
    fault_field: NDArray[np.uint16]
    fault_part: NDArray[np.uint16]
    fault_offset: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.mti)

    @property
    def good(self) -> NDArray[np.bool_]:
        """Which rows parsed."""
        found: NDArray[np.bool_] = self.status == 0
        return found

    def has(self, field: int) -> NDArray[np.bool_]:
        """Which rows have a field."""
        bit = np.uint64(1 << (field - 1) % 64)
        found: NDArray[np.bool_] = (self.bitmap[:, (field - 1) // 64] & bit).astype(np.bool_)
        return found

    def status_names(self) -> NDArray[np.str_]:
        """The status of each row by name: ``"OK"``, ``"FIELD_SHORT"``, ..."""
        names = np.array([name for name, _, _ in statuses()])
        found: NDArray[np.str_] = names[self.status]
        return found


_TEXT = {"tid": 8, "mid": 15, "rrn": 12, "response": 2}
_DTYPES = {
    "mti": "u2", "bitmap": "u8", "stan": "u8", "amount_minor": "i8", "processing": "u4",
    "field_offset": "u2", "field_size": "u2", "status": "u1", "fault_field": "u2",
    "fault_part": "u2", "fault_offset": "u4", **dict.fromkeys(_TEXT, "u1"),
}
_TEXT_DTYPES = {name: np.dtype(f"S{size}") for name, size in _TEXT.items()}
_PLACES = ("field_offset", "field_size")


@cache
def _rows_of(width: int) -> list[tuple[str, np.dtype[Any], tuple[int, ...]]]:
    """Name, type, and what a row has of it: of every column; ``width`` is that of the places."""
    wide = {"bitmap": 2, **dict.fromkeys(_PLACES, width), **_TEXT}
    return [
        (name, np.dtype(code), (wide[name],) if name in wide else ())
        for name, code in _DTYPES.items()
    ]  # fmt: skip


def parse_columns(core: Core, buffer: Any, offsets: Any, *, places: bool) -> Columns:
    """Every message of a buffer as columns; message ``i`` is ``buffer[offsets[i]:offsets[i + 1]]``.

    ``places``: where each field lies, too.

    Raises:
        ArgumentFault: the offsets do not ascend within the buffer.
    """
    edges = np.ascontiguousarray(offsets, dtype=np.uint64)
    if edges.ndim != 1:
        raise ValueError(f"offsets have one dimension, not {edges.ndim}")
    count = max(len(edges) - 1, 0)
    rows = _rows_of(core.field_max() + 1 if places else 0)
    raw: dict[str, NDArray[Any]] = {
        name: np.empty((count, *row), dtype) for name, dtype, row in rows
    }  # fmt: skip
    if count:
        core.parse_many(buffer, edges, raw)
    for name, dtype in _TEXT_DTYPES.items():
        raw[name] = raw[name].reshape(-1).view(dtype)
    return Columns(**raw)
