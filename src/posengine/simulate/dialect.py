"""What a terminal needs of a dialect: bytes from fields, fields from bytes, and its keys at work.

    fields ──build──▶ body ──mac──▶ body + 64 ──frame──▶ bytes on the line
    Message ◀─parse── body ◀──────unframe─────────────── bytes from the line

This is the seam between the simulator and the rest of the house. ``UnionPay`` is the product's own
codec and cipher room; tests hand in a slow one of their own (``tests/oracle/host.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

Fields = dict[int, str | bytes]


class Answer(Protocol):
    """A parsed message: fields by number, text for all but binary ones."""

    @property
    def mti(self) -> object: ...
    def __getitem__(self, field: int, /) -> str | bytes: ...
    def __contains__(self, field: object, /) -> bool: ...
    def __iter__(self) -> Iterator[int]: ...


@dataclass(frozen=True, slots=True)
class Keys:
    """Working keys in clear, as a terminal holds them after its sign-on."""

    pik: bytes = field(repr=False)
    mak: bytes = field(repr=False)
    tdk: bytes = field(default=b"", repr=False)


class Dialect(Protocol):
    """The operations of one dialect. Errors are those of ``posengine.errors``."""

    def build(self, mti: str, fields: Mapping[int, str | bytes]) -> bytes:
        """The message body; field 64, where given, stands as it is given."""

    def parse(self, body: bytes) -> Answer:
        """The fields of a body. Raises: ParseError."""

    def frame(self, body: bytes) -> bytes:
        """A terminal's frame around a body: length, TPDU, header."""

    def unframe(self, frame: bytes) -> tuple[int, bytes]:
        """The processing requirement nibble and the body of one whole frame. Raises: FrameError."""

    def mac(self, key: bytes, covered: bytes) -> bytes:
        """The eight bytes of field 64 over everything before it."""

    def open_keys(self, tmk: bytes, block: bytes) -> Keys:
        """The working keys of a sign-on's field 62, check values checked. Raises: KeyFault."""

    def pin_block(self, pik: bytes, pin: str, pan: str) -> bytes:
        """Field 52: format 0 with the account number, 3DES under ``pik``."""

    def conceal_track(self, tdk: bytes, track: str) -> str:
        """Field 35 with the eight bytes before its last one enciphered, same digit count."""
