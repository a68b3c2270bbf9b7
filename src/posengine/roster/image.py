"""Images: rosters and policies in the one form that the engine loads whole or not at all.

    header 64 ─▶ settings ─▶ records          little-endian; native/roster/image.c has the offsets

The CRC finds damage. The digest, the first half of SHA-256 over everything after the header, names
the snapshot in the header of every journal page that was decided under it.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

HEADER_SIZE = 64
_HEADER = struct.Struct("<8sHHIIIQ16s")  # up to offset 48; then CRC and zeros
_CRC_OFFSET = 48


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli). Source: RFC 3720, B.4."""
    table, crc = _TABLE, 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def build(
    magic: bytes, version: int, settings: bytes, records: Sequence[bytes], *, record_size: int
) -> bytes:
    """The image of ``settings`` and ``records``, each of ``record_size`` bytes.

    Raises:
        ValueError: a magic that has not eight bytes, or a record of another size.
    """
    if len(magic) != 8 or any(len(record) != record_size for record in records):
        raise ValueError(f"a magic has 8 bytes, and every record {record_size}")
    content = settings + b"".join(records)
    digest = hashlib.sha256(content).digest()[:16]
    size = HEADER_SIZE + len(content)
    head = _HEADER.pack(
        magic, version, HEADER_SIZE, record_size, len(records), len(settings), size, digest
    )
    crc = crc32c(head + content)
    return head + struct.pack("<I", crc) + bytes(HEADER_SIZE - _CRC_OFFSET - 4) + content


def digest_of(image: bytes) -> bytes:
    """The sixteen bytes that name an image in the journal."""
    return image[32:48]
