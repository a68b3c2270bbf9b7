"""Nested layouts, part by part: positional, tag-length-value in characters, BER-TLV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from oracle.forms import DIGITS, PRINTABLE, Fault, Value, first_bad_byte, is_hex, value_of


@dataclass(frozen=True, slots=True)
class Part:
    """One nested part: its name, its value, its first byte in the body, its bytes."""

    name: str
    value: Value
    offset: int
    size: int
    depth: int = 0


def _flat(layout: dict[str, Any], value: Value) -> list[dict[str, Any]]:
    """The parts of a layout in order, its repeated group written out."""
    parts = list(layout.get("parts", []))
    if "group" in layout:
        size = layout["count"]["size"]
        taken = sum(part["size"] for part in parts)
        digits = value[taken : taken + size]
        text = digits.decode("latin-1") if isinstance(digits, bytes) else digits
        if len(text) < size or not (text.isascii() and text.isdigit()):
            raise Fault("FIELD_PART", part=len(parts) + 1, offset=taken)
        parts.append({"name": "count", "content": "n", "size": size})
        for index in range(1, int(text) + 1):
            parts += [{**part, "name": f"{part['name']}.{index}"} for part in layout["group"]]
    return parts


def positional_parts(
    layout: dict[str, Any], rule: dict[str, Any], value: Value, offset: int, units: int
) -> tuple[Part, ...]:
    """Parts in order, measured in the field's units. Raises Fault with ``part`` and ``offset``."""
    is_nibbles = rule["encoding"] == "bcd"
    shift = 1 if is_nibbles and units % 2 and rule["justify"] == "right" else 0

    def byte_of(unit: int) -> int:
        if is_nibbles:
            return offset + (unit + shift) // 2
        return offset + (unit * 2 if is_hex(rule) else unit)

    raw = value
    if isinstance(value, str) and rule["encoding"] == "gb18030":
        raw = value.encode("gb18030", errors="surrogateescape").decode("latin-1")
    try:
        wanted_parts = _flat(layout, raw)
    except Fault as fault:
        raise Fault("FIELD_PART", part=fault.part, offset=byte_of(fault.offset)) from None
    found: list[Part] = []
    at = 0
    for index, part in enumerate(wanted_parts, start=1):
        left = units - at
        if left == 0 and part.get("optional", False):
            break
        size = part["size"] if "size" in part else min(left, part["size_max"])
        if size > left:
            raise Fault("FIELD_PART", part=index, offset=byte_of(at))
        piece = raw[at : at + size]
        as_bytes = piece if isinstance(piece, bytes) else piece.encode("latin-1")
        content = part.get("content", rule["content"])
        if content != "b":
            text_rule = {"content": content, "encoding": "ascii"}
            if rule["encoding"] == "gb18030" and content == "ans":
                text_rule["encoding"] = "gb18030"
            bad = first_bad_byte(text_rule, as_bytes, size)
            if bad is not None:
                raise Fault("FIELD_PART", part=index, offset=byte_of(at + bad))
            shown: Value = value_of(text_rule, as_bytes, size)
        else:
            shown = as_bytes
        found.append(
            Part(
                part["name"],
                shown,
                byte_of(at),
                byte_of(at + size - 1) + 1 - byte_of(at) if size else 0,
            )
        )
        at += size
    if at < units:
        raise Fault("FIELD_PART", part=len(wanted_parts) + 1, offset=byte_of(at))
    return tuple(found)


def tlv_parts(layout: dict[str, Any], raw: bytes, offset: int) -> tuple[Part, ...]:
    """Tag and length as characters; the length counts bytes."""
    tag_size, length_size = layout["tag_size"], layout["length_size"]
    found: list[Part] = []
    at, index = 0, 0
    while at < len(raw):
        index += 1
        tag = raw[at : at + tag_size]
        if len(tag) < tag_size or any(byte not in PRINTABLE for byte in tag):
            raise Fault("FIELD_PART", part=index, offset=offset + at)
        at += tag_size
        digits = raw[at : at + length_size]
        if len(digits) < length_size or any(byte not in DIGITS for byte in digits):
            raise Fault("FIELD_PART", part=index, offset=offset + at)
        at += length_size
        piece = raw[at : at + int(digits)]
        if len(piece) < int(digits):
            raise Fault("FIELD_PART", part=index, offset=offset + at)
        name = tag.decode("ascii")
        known = layout.get("tags", {}).get(name)
        if known is None and layout.get("unknown", "keep-parsed") == "refuse":
            raise Fault("FIELD_PART", part=index, offset=offset + at - tag_size - length_size)
        found.append(_tag_part(known, name, piece, offset + at, index))
        at += len(piece)
    return tuple(found)


def _tag_part(
    known: dict[str, Any] | None, name: str, piece: bytes, offset: int, index: int
) -> Part:
    content = known.get("content", "b") if known else "b"
    if content == "b":
        return Part(name, piece, offset, len(piece))
    rule = {"content": content, "encoding": "gb18030" if content == "ans" else "ascii"}
    bad = first_bad_byte(rule, piece, len(piece))
    if bad is not None:
        raise Fault("FIELD_PART", part=index, offset=offset + bad)
    return Part(name, value_of(rule, piece, len(piece)), offset, len(piece))


def ber_parts(
    layout: dict[str, Any], raw: bytes, offset: int, *, depth: int = 0
) -> tuple[Part, ...]:
    """BER-TLV: a constructed tag is followed by what is in it, where that is BER-TLV itself."""
    found: list[Part] = []
    at = 0
    while at < len(raw):
        start, index = at, len(found) + 1
        tag_end = _ber_tag_end(raw, at)
        if tag_end is None:
            raise Fault("FIELD_PART", part=index, offset=offset + start)
        size, value_at = _ber_length(raw, tag_end)
        if size is None:
            raise Fault("FIELD_PART", part=index, offset=offset + tag_end)
        piece = raw[value_at : value_at + size]
        if len(piece) < size:
            raise Fault("FIELD_PART", part=index, offset=offset + value_at)
        tag = raw[start:tag_end].hex().upper()
        if tag not in layout.get("tags", {}) and layout.get("unknown") == "refuse":
            raise Fault("FIELD_PART", part=index, offset=offset + start)
        found.append(Part(tag, piece, offset + value_at, size, depth))
        # What is marked as constructed and is not of TLV stays as it is.
        if raw[start] & 0x20 and depth < BER_DEPTH_MAX and _is_ber(piece):
            found += ber_parts(layout, piece, offset + value_at, depth=depth + 1)
        at = value_at + size
    return tuple(found)


def _is_ber(raw: bytes) -> bool:
    try:
        ber_parts({}, raw, 0, depth=BER_DEPTH_MAX)
    except Fault:
        return False
    return True


BER_DEPTH_MAX = 3
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
