"""The key file: one sealed TMK a terminal, as lines of JSON that a person may read.

    {"posengine_keys": 1}
    {"tid": "10000159", "mid": "880210010210160", "cipher": "des", "kcv": "82E13665",
     "sealed": "<hex>"}                                                  (one line)

``sealed`` is AES-256-SIV under the sealing key:

    associated data   TID, 8 bytes, then MID, 15 bytes, both filled with blanks on the right
    plain             one byte of cipher (0 DES, 1 AES, 2 SM4), then the key

so a line that is given another terminal's name does not open. The roster image carries ``sealed``
byte for byte. A file is replaced whole: written beside, synced, renamed.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from posengine._native import mac as native
from posengine.errors import KeyFault, Whose

VERSION = 1
TID_SIZE, MID_SIZE = 8, 15
# cipher, 1 byte; key, 8 to 32; seal, 16
SEALED_SIZE_MIN, SEALED_SIZE_MAX = 25, 49


class KeyFileError(KeyFault):
    """A key file, a master key file or an import that breaks a rule. Shows no key."""

    whose: ClassVar[Whose] = "operator"


def associated(tid: str, mid: str) -> bytes:
    """What binds a sealed key to its terminal: TID and MID, blank filled, 23 bytes.

    Raises:
        KeyFileError: longer than they may be, empty, or not printable ASCII.
    """
    for name, text, size in (("TID", tid, TID_SIZE), ("MID", mid, MID_SIZE)):
        is_printable = text.isascii() and text.isprintable() and text.strip() == text
        if not 1 <= len(text) <= size or not is_printable:
            raise KeyFileError(f"{name} {text!r}: 1 to {size} printable ASCII characters")
    return tid.ljust(TID_SIZE).encode() + mid.ljust(MID_SIZE).encode()


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A terminal's TMK as it rests: only its check value is in the clear."""

    tid: str
    mid: str
    cipher: str
    kcv: bytes
    sealed: bytes = field(repr=False)

    def open(self, siv_key: bytes) -> native.Key:
        """The TMK, its check value checked.

        Raises:
            KeySeal: another master key, another terminal's line, or altered.
            KeyFileError: cipher or check value are not those of the sealed key.
        """
        key = native.Key.opened("TMK", siv_key, associated(self.tid, self.mid), self.sealed)
        if key.cipher != self.cipher or bytes.fromhex(key.kcv) != self.kcv:
            raise KeyFileError(
                f"{self.tid} {self.mid}: the sealed key is {key.cipher} with check value"
                f" {key.kcv}, the line says {self.cipher} {self.kcv.hex().upper()}"
            )
        return key


def seal_tmk(tid: str, mid: str, tmk: native.Key, siv_key: bytes) -> KeyRecord:
    """The record of a terminal's TMK."""
    sealed = tmk.sealed(siv_key, associated(tid, mid))
    return KeyRecord(tid, mid, tmk.cipher, bytes.fromhex(tmk.kcv), sealed)


class KeyFile:
    """The records of one key file, by (TID, MID). Changes are in memory until ``save``."""

    def __init__(self, path: Path, records: dict[tuple[str, str], KeyRecord]) -> None:
        self.path = path
        self.records = records

    @classmethod
    def load(cls, path: Path | str, *, must_exist: bool = True) -> KeyFile:
        """The key file at ``path``; an empty one where it need not exist.

        Raises:
            KeyFileError: naming file and line.
        """
        place = Path(path)
        try:
            lines = place.read_text("ascii").splitlines()
        except FileNotFoundError:
            if must_exist:
                raise KeyFileError(f"{place}: no such key file") from None
            return cls(place, {})
        except UnicodeDecodeError:
            raise KeyFileError(f"{place}: not a key file") from None
        except OSError as error:
            raise KeyFileError(f"{place}: cannot be read: {error.strerror}") from None
        records: dict[tuple[str, str], KeyRecord] = {}
        _judge_head(place, lines)
        for number, line in enumerate(lines[1:], start=2):
            record = _record(f"{place}:{number}", line)
            if (record.tid, record.mid) in records:
                raise KeyFileError(f"{place}:{number}: {record.tid} {record.mid} appears twice")
            records[record.tid, record.mid] = record
        return cls(place, records)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[KeyRecord]:
        return iter(sorted(self.records.values(), key=lambda record: (record.tid, record.mid)))

    def find(self, tid: str, mid: str) -> KeyRecord | None:
        """The terminal's record; None where it has none."""
        return self.records.get((tid, mid))

    def add(self, record: KeyRecord) -> bool:
        """Takes the record in; True where it replaced another key of the same terminal."""
        is_replaced = (record.tid, record.mid) in self.records
        self.records[record.tid, record.mid] = record
        return is_replaced

    def remove(self, tid: str, mid: str) -> bool:
        """Drops the terminal's record; False where it had none."""
        return self.records.pop((tid, mid), None) is not None

    def save(self) -> None:
        """Replaces the file: whole, or not at all; durable when this returns.

        Raises:
            KeyFileError: it cannot be written; the old one stands.
        """
        lines = [json.dumps({"posengine_keys": VERSION})]
        lines += [
            json.dumps({
                "tid": record.tid, "mid": record.mid, "cipher": record.cipher,
                "kcv": record.kcv.hex().upper(), "sealed": record.sealed.hex().upper(),
            })
            for record in self
        ]
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}.making")
        try:
            file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(file, "wb") as stream:
                stream.write("\n".join([*lines, ""]).encode())
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(beside, self.path)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise KeyFileError(f"{self.path}: cannot be written: {error.strerror}") from None
        finally:
            beside.unlink(missing_ok=True)

    @staticmethod
    @contextmanager
    def held(path: Path) -> Iterator[None]:
        """Keeps other commands from changing the file between load and save."""
        lock = path.with_name(path.name + ".lock")
        try:
            file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise KeyFileError(f"{lock}: cannot be made: {error.strerror}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)


def _judge_head(path: Path, lines: list[str]) -> None:
    try:
        head = json.loads(lines[0]) if lines else None
    except ValueError:
        head = None
    if not isinstance(head, dict) or "posengine_keys" not in head:
        raise KeyFileError(f"{path}: not a key file: its first line is not posengine_keys")
    if head["posengine_keys"] != VERSION:
        raise KeyFileError(f"{path}: version {head['posengine_keys']!r}, not {VERSION}")


def _record(place: str, line: str) -> KeyRecord:
    try:
        facts = json.loads(line)
    except ValueError:
        raise KeyFileError(f"{place}: not JSON") from None
    names = {"tid", "mid", "cipher", "kcv", "sealed"}
    is_texts = isinstance(facts, dict) and all(isinstance(text, str) for text in facts.values())
    if not is_texts or set(facts) != names:
        raise KeyFileError(f"{place}: a line has {', '.join(sorted(names))}, all of them texts")
    try:
        associated(facts["tid"], facts["mid"])
        kcv, sealed = bytes.fromhex(facts["kcv"]), bytes.fromhex(facts["sealed"])
    except KeyFileError as error:
        raise KeyFileError(f"{place}: {error}") from None
    except ValueError:
        raise KeyFileError(f"{place}: kcv and sealed are hex") from None
    if facts["cipher"] not in native.CIPHERS:
        raise KeyFileError(f"{place}: cipher is one of {', '.join(native.CIPHERS)}")
    if len(kcv) != 4 or not SEALED_SIZE_MIN <= len(sealed) <= SEALED_SIZE_MAX:
        sizes = f"kcv has 4 bytes, sealed {SEALED_SIZE_MIN} to {SEALED_SIZE_MAX}"
        raise KeyFileError(f"{place}: {sizes}")
    return KeyRecord(facts["tid"], facts["mid"], facts["cipher"], kcv, sealed)
