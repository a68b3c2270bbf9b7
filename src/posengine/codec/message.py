"""A parsed message: an immutable mapping from field number to value.

    message[4]            "000000012345"     as the dialect's content says: bytes for b, else str
    message.mti           Mti("0200")
    message.parts(60)     {"type": "22", "batch": "000001", ...}
    str(message)          masked: no PAN, track, PIN block or other secret leaves this way
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from posengine._native.codec import Parsed
from posengine.codec.plain import MASK, masked, plain_to_python


class Mti(str):
    """A message type: four digits; ``str(mti)`` is them.

    ``version`` 0 is ISO 8583:1987, 1 1993, 2 2003; ``number`` is the BCD of the core, 0x0200.
    """

    __slots__ = ()

    @classmethod
    def of(cls, number: int) -> Mti:
        """The type that the core writes as ``number``: 0x0200 is ``"0200"``."""
        return cls(f"{number:04x}")

    @property
    def number(self) -> int:
        return int(self, 16)

    @property
    def version(self) -> int:
        return int(self[0])

    @property
    def is_answer(self) -> bool:
        """The third digit is odd: a response to a request or an advice."""
        return int(self[2]) % 2 == 1

    def __repr__(self) -> str:
        return f"Mti({str.__repr__(self)})"


class NestedPart(NamedTuple):
    """One part of a field's layout; ``value`` is in the clear and stays out of ``repr``.

    ``key`` is what ``Message.parts`` calls it, ``offset`` counts from the start of the body,
    ``depth`` is that of a tag within BER templates.
    """

    key: str
    name: str
    name_zh: str
    secrecy: str
    is_constructed: bool
    depth: int
    offset: int
    size: int
    value: str | bytes

    @property
    def shown(self) -> str:
        """As it may be shown: masked by its secrecy; a template is its parts."""
        return "" if self.is_constructed else masked(self.secrecy, self.value)

    def __repr__(self) -> str:
        return f"<NestedPart {self.key}={self.shown}>"


class Message(Parsed, Mapping[int, "str | bytes"]):
    """Fields by number, decoded whenever they are asked for. Made by ``Spec.parse``.

    ``body`` is what it was parsed from, kept as long as the message is; ``place(4)`` says where a
    field's value lies in it. Looking up, counting and iterating happen in the core (``Parsed``).
    """

    __slots__ = ()

    # ---- the mapping ---------------------------------------------------------------------------
    def otherwise(self, field: int, data: bytes) -> str | bytes:
        """A value that is not ASCII: Chinese text, or what only looks like it."""
        return plain_to_python(self.core.facts[field].content, data)

    def __hash__(self) -> int:
        return hash(self.body)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Message) and other.core is self.core:
            return self.body == other.body
        return Mapping.__eq__(self, other)

    @property
    def numbers(self) -> list[int]:
        """The fields that it has, ascending."""
        return self.fields()

    # ---- by name -------------------------------------------------------------------------------
    @property
    def mti(self) -> Mti:
        return Mti.of(self.number)

    @property
    def stan(self) -> str | None:
        """System trace audit number, six digits; None where the message has none."""
        return self._text("stan")

    @property
    def rrn(self) -> str | None:
        """Retrieval reference number, 12 characters."""
        return self._text("rrn")

    @property
    def tid(self) -> str | None:
        """Terminal id, eight characters, blanks included."""
        return self._text("tid")

    @property
    def mid(self) -> str | None:
        """Merchant id, 15 characters, blanks included."""
        return self._text("mid")

    @property
    def amount(self) -> int | None:
        """Amount in minor units; None too where it is no number."""
        text = self._text("amount")
        return int(text) if text and text.isascii() and text.isdecimal() else None

    def _text(self, role: str) -> str | None:
        field, part = self.core.roles.get(role, (0, ""))
        value = self.get(field)
        if value is not None and part:
            value = self.parts(field).get(part)
        if value is None:
            return None
        return value if isinstance(value, str) else value.decode("ascii", "surrogateescape")

    # ---- inside of fields ----------------------------------------------------------------------
    def parts(self, field: int) -> Mapping[str, str | bytes]:
        """The nested layout of a field, in order: parts by name, TLV values by tag.

        A tag that comes again is ``"72#2"``; the parts of a repeated group are ``"stan.1"``,
        ``"stan.2"``. Empty where the field has no layout or does not fit it.

        Raises:
            KeyError: the message has no such field.
        """
        return MappingProxyType(self._parts(field, is_masked=False))

    def _parts(self, field: int, *, is_masked: bool) -> dict[str, str | bytes]:
        found: dict[str, str | bytes] = {}
        for part in self.nested(field):
            key, again = part.key, 1
            while key in found:
                again += 1
                key = f"{part.key}#{again}"
            found[key] = (part.shown or MASK) if is_masked else part.value
        return found

    def nested(self, field: int) -> tuple[NestedPart, ...]:
        """The parts of a field in order, each with its place.

        Raises:
            KeyError: the message has no such field.
        """
        if field not in self:
            raise KeyError(field)
        return tuple(
            NestedPart(
                part.key, part.name, part.name_zh, part.secrecy, part.is_constructed, part.depth,
                part.offset, part.size, plain_to_python(part.content, part.value),
            )
            for part in self.elements(field)
        )

    # ---- for people -----------------------------------------------------------------------------
    def masked(self, field: int) -> str:
        """A field as it may be shown: PANs first six and last four, secrets not at all."""
        facts = self.core.facts[field]
        if facts.secrecy != "open" or not facts.has_layout:
            return masked(facts.secrecy, self[field])
        if not self[field]:
            return ""
        parts = self._parts(field, is_masked=True)
        if parts:
            return "{" + " ".join(f"{key}={value!s}" for key, value in parts.items()) + "}"
        # A value that does not fit its layout may hold the secrets of one that does.
        return MASK

    def __str__(self) -> str:
        return " ".join([self.mti, *(f"{field}={self.masked(field)}" for field in self)])

    def __repr__(self) -> str:
        return f"<Message {self}>"
