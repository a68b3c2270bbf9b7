"""Nested layouts, part by part: positional, tag-length-value in characters, BER-TLV."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from oracle.forms import DIGITS, Fault, Value, character, first_bad_byte, value_of


@dataclass(frozen=True, slots=True)
class Part:
    """One nested part: name or tag, value, first byte in the body, bytes; the record of a group."""

    name: str
    value: Value
    offset: int
    size: int
    group: int = 0
    depth: int = 0


def positional_parts(
    layout: dict[str, Any], rule: dict[str, Any], raw: bytes, offset: int, units: int
) -> tuple[Part, ...]:
    """Parts in order, measured in the field's units. Raises Fault with ``part`` and ``offset``."""
    walk = _Walk(rule, raw, offset, units)
    for part in layout.get("parts", []):
        left = units - walk.at
        if left == 0 and part.get("optional", False):
            break
        size = part["size"] if "size" in part else min(left, part["size_max"])
        walk.take(part, size)
    if "count" in layout:
        size = layout["count"]["size"]
        digits = walk.peek(size)
        if len(digits) < size or any(byte not in DIGITS for byte in digits):
            raise walk.fault()
        walk.at += size
        if int(digits) * sum(part["size"] for part in layout["group"]) != units - walk.at:
            raise walk.fault()
        for index in range(1, int(digits) + 1):
            for part in layout["group"]:
                walk.take(part, part["size"], group=index)
    if walk.at < units:
        raise walk.fault()
    return tuple(walk.found)


class _Walk:
    """A place within a field, in its units: nibbles in BCD, else bytes."""

    def __init__(self, rule: dict[str, Any], raw: bytes, offset: int, units: int) -> None:
        self.is_bcd = rule["encoding"] == "bcd"
        self.encoding = rule["encoding"]
        self.offset, self.units, self.at = offset, units, 0
        self.found: list[Part] = []
        self.shift = 1 if self.is_bcd and units % 2 and rule["justify"] == "right" else 0
        self.plain = raw.hex().upper()[self.shift :].encode() if self.is_bcd else raw

    def byte_of(self, unit: int) -> int:
        return self.offset + ((unit + self.shift) // 2 if self.is_bcd else unit)

    def fault(self, at: int | None = None) -> Fault:
        place = self.byte_of(self.at if at is None else at)
        return Fault("FIELD_PART", part=len(self.found) + 1, offset=place)

    def peek(self, size: int) -> bytes:
        return self.plain[self.at : min(self.at + size, self.units)]

    def take(self, part: dict[str, Any], size: int, *, group: int = 0) -> None:
        if size > self.units - self.at:
            raise self.fault()
        piece, content = self.peek(size), part["content"]
        encoding = part_encoding(self.encoding, content)
        form = {"content": content, "encoding": "ascii" if self.is_bcd else encoding}
        bad = first_bad_byte(form, piece, size)
        if bad is not None:
            raise self.fault(self.at + bad)
        first, after = self.byte_of(self.at), self.byte_of(self.at + size - 1) + 1
        value = value_of(form, piece, size)
        self.found.append(Part(part["name"], value, first, after - first if size else 0, group))
        self.at += size


def part_encoding(field_encoding: str, content: str) -> str:
    """How a part's content is written within its field."""
    if content == "b":
        return "binary"
    return "ascii" if field_encoding in ("binary", "bcd") else field_encoding


def tlv_parts(
    layout: dict[str, Any], rule: dict[str, Any], raw: bytes, offset: int
) -> tuple[Part, ...]:
    """Tag and length as characters; the length counts bytes."""
    tag_size, length_size = layout["tag_size"], layout["length_size"]
    form = part_encoding(rule["encoding"], "an")
    found: list[Part] = []
    at = 0
    while at < len(raw):
        start, at = at, at + tag_size + length_size
        fault = Fault("FIELD_PART", part=len(found) + 1, offset=offset + start)
        head = "".join(character(byte, form) for byte in raw[start:at])
        tag, digits = head[:tag_size], head[tag_size:]
        if len(head) < tag_size + length_size:
            raise fault
        if any(one not in TAG_CHARACTERS for one in tag) or any(
            one not in "0123456789" for one in digits
        ):
            raise fault
        piece = raw[at : at + int(digits)]
        if len(piece) < int(digits):
            raise Fault("FIELD_PART", part=len(found) + 1, offset=offset + at)
        known = layout.get("tags", {}).get(tag)
        if known is None and layout.get("unknown", "keep-parsed") == "refuse":
            raise fault
        content = (known or {}).get("content") or "b"
        piece_rule = {"content": content, "encoding": part_encoding(rule["encoding"], content)}
        bad = first_bad_byte(piece_rule, piece, len(piece))
        if bad is not None:
            raise Fault("FIELD_PART", part=len(found) + 1, offset=offset + at + bad)
        value = value_of(piece_rule, piece, len(piece))
        found.append(Part(tag, value, offset + at, len(piece)))
        at += len(piece)
    return tuple(found)


TAG_CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def ber_parts(raw: bytes, offset: int, *, depth: int = 0) -> tuple[Part, ...]:
    """BER-TLV: a constructed tag is followed by what is in it, where that is BER-TLV itself."""
    found: list[Part] = []
    at = 0
    while at < len(raw):
        if raw[at] == 0:  # filler between elements
            at += 1
            continue
        start, number = at, len(found) + 1
        tag_end = _ber_tag_end(raw, at)
        if tag_end is None:
            raise Fault("FIELD_PART", part=number, offset=offset + start)
        size, value_at = _ber_length(raw, tag_end)
        if size is None:
            raise Fault("FIELD_PART", part=number, offset=offset + tag_end)
        piece = raw[value_at : value_at + size]
        if len(piece) < size:
            raise Fault("FIELD_PART", part=number, offset=offset + value_at)
        tag = raw[start:tag_end].hex().upper()
        found.append(Part(tag, piece, offset + value_at, size, depth=depth))
        if raw[start] & 0x20 and depth < BER_DEPTH_MAX:
            with suppress(Fault):  # marked as constructed, yet not of TLV: shown as it is
                found += ber_parts(piece, offset + value_at, depth=depth + 1)
        at = value_at + size
    return tuple(found)


BER_DEPTH_MAX = 4
BER_TAG_SIZE_MAX = 4


def _ber_tag_end(raw: bytes, at: int) -> int | None:
    end = at + 1
    if raw[at] & 0x1F == 0x1F:
        while True:
            if end >= len(raw) or end - at >= BER_TAG_SIZE_MAX:
                return None
            end += 1
            if not raw[end - 1] & 0x80:
                break
    return end


def _ber_length(raw: bytes, at: int) -> tuple[int | None, int]:
    if at >= len(raw):
        return None, at
    first = raw[at]
    if first < 0x80:
        return first, at + 1
    count = first & 0x7F
    if count in (1, 2) and at + 1 + count <= len(raw):
        return int.from_bytes(raw[at + 1 : at + 1 + count], "big"), at + 1 + count
    return None, at
