"""The key store, read by the description at the head of ``native/mac/keystore.c`` alone.

    header, 512 bytes; then two slots of 512 bytes a terminal; the whole one of the higher
    generation counts. Seals are AES-256-SIV over the 48 bytes before them.

All cryptography is the ``cryptography`` package's; nothing of posengine is used.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

RECORD = 512
CRC_AT = 508
NAMES = ("PIK", "MAK", "MAK_OLD", "TDK")
# usage and cipher as posengine/mac.h counts them
USAGES = {"PIK": 2, "MAK": 3, "MAK_OLD": 3, "TDK": 4}


@dataclass(frozen=True)
class Record:
    """One terminal's newest whole slot; a key that is absent is missing from ``keys``."""

    generation: int
    slot: int
    tid: str
    mid: str
    keys: dict[str, bytes]
    kcvs: dict[str, bytes]


def crc32c(data: bytes) -> int:
    """RFC 3720, 12.1, a bit at a time."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def siv_key(master: bytes) -> bytes:
    """NIST SP 800-108, counter mode, AES-256-CMAC, label "posengine siv"."""
    derivation = KBKDFCMAC(
        AES, Mode.CounterMode, 64, 4, 4, CounterLocation.BeforeFixed, b"posengine siv", b"", None
    )
    return derivation.derive(master)


def is_whole(record: bytes) -> bool:
    """Its CRC is right."""
    return struct.unpack_from("<I", record, CRC_AT)[0] == crc32c(record[:CRC_AT])


def _record(record: bytes, number: int, slot: int, key: bytes) -> Record:
    magic, place, generation = struct.unpack_from("<4sIQ", record, 0)
    assert (magic, place) == (b"PKSR", number)
    sealed_size = struct.unpack_from("<I", record, 40)[0]
    assert sealed_size == 176
    assert record[39] == 0 and record[44:48] == bytes(4)
    assert not any(record[48 + sealed_size : CRC_AT])
    plain = AESSIV(key).decrypt(record[48 : 48 + sealed_size], [record[:48]])
    assert len(plain) == 160
    keys, kcvs = {}, {}
    for index, name in enumerate(NAMES):
        usage, _, size, zero = plain[40 * index : 40 * index + 4]
        assert zero == 0
        if size == 0:
            continue
        assert usage == USAGES[name]
        kcvs[name] = plain[40 * index + 4 : 40 * index + 8]
        keys[name] = plain[40 * index + 8 : 40 * index + 8 + size]
    tid, mid = record[16:24].decode().rstrip(), record[24:39].decode().rstrip()
    return Record(generation, slot, tid, mid, keys, kcvs)


def read(path: Path, master: bytes) -> dict[tuple[str, str], Record]:
    """Every terminal of the file, by TID and MID."""
    data, key = path.read_bytes(), siv_key(master)
    head = data[:RECORD]
    assert struct.unpack_from("<8sII", head, 0) == (b"POSKEYST", 1, RECORD)
    assert is_whole(head)
    assert AESSIV(key).decrypt(head[48:80], [head[:48]]) == bytes(16)
    found: dict[tuple[str, str], Record] = {}
    for number in range((len(data) // RECORD - 1) // 2):
        start = RECORD * (1 + 2 * number)
        slots = [data[start + RECORD * slot :][:RECORD] for slot in range(2)]
        whole = [
            _record(record, number, slot, key)
            for slot, record in enumerate(slots)
            if record[:4] == b"PKSR" and is_whole(record)
        ]
        if whole:
            newest = max(whole, key=lambda record: record.generation)
            assert (newest.tid, newest.mid) not in found
            found[newest.tid, newest.mid] = newest
    return found
