"""Downloads: what terminals fetch (parameters, CA keys, application parameters, card lists).

A directory with one file a network code::

    360.txt    parameters: one record a line, tag of two digits and value ("14" + telephone)
    370.hex    CA public keys: one record a line, in hex, beginning with 9F06 and 9F22
    380.hex    application parameters: one record a line, in hex, beginning with 9F06
    390.hex    a card list; likewise 394, 396 and 398; .txt where its records are text

Empty lines and lines that begin with ``#`` are left out. Text goes out as GB 18030. The list
queries 372 and 382 are answered from 370 and 380. Image layout: native/engine/download.c.
"""

from __future__ import annotations

import struct
from pathlib import Path

from posengine.errors import ImageForm, ImageLimit

CODES = (360, 370, 373, 380, 390, 394, 396, 398)
RECORD_SIZE_MAX = 959
RECORDS_MAX = 4_096


def compile_downloads(directory: Path | None) -> bytes:
    """The image of a directory; without one, an image that offers nothing.

    Raises:
        ImageForm: a file of another name, or a line that is no hex or no text; it is named.
        ImageLimit: a record or the number of records is past its limit.
    """
    lists: list[bytes] = []
    count = 0
    for file in _files(directory):
        if file.suffix not in {".txt", ".hex"} or not file.stem.isdecimal():
            raise ImageForm(f"{file}: not named for a network code, as 370.hex or 360.txt")
        code = int(file.stem)
        if code not in CODES:
            raise ImageForm(f"{file}: no network code of a download; they are {CODES}")
        records = _records(file)
        count += len(records)
        if count > RECORDS_MAX:
            raise ImageLimit(f"{file}: more than {RECORDS_MAX} records in all")
        body = b"".join(struct.pack("<H", len(record)) + record for record in records)
        lists.append(struct.pack("<HH", code, len(records)) + body)
    image = b"PDL1" + struct.pack("<I", len(lists)) + b"".join(lists)
    return image + struct.pack("<I", crc32c(image))


def _files(directory: Path | None) -> list[Path]:
    if directory is None:
        return []
    try:
        return sorted(path for path in directory.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise ImageForm(f"{directory}: {error.strerror}") from error


def _records(file: Path) -> list[bytes]:
    records = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            record = bytes.fromhex(text) if file.suffix == ".hex" else text.encode("gb18030")
        except ValueError as error:
            raise ImageForm(f"{file}:{number}: the line is no hex") from error
        if len(record) > RECORD_SIZE_MAX:
            raise ImageLimit(f"{file}:{number}: a record has at most {RECORD_SIZE_MAX} bytes")
        records.append(record)
    return records


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli), as RFC 3720 has it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
