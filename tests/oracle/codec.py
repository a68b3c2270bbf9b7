"""The slow oracle of frames and messages: one obvious way, every byte looked at by itself.

    frame ─▶ cut ─▶ body ─▶ parse ─▶ Parsed: mti, fields, places, parts
                    body ◀─ build ◀─ mti, {field: value}

It reads the dialect's TOML (``oracle.dialect``) and imports nothing of posengine. Values: binary
content is ``bytes``, all other ``str``; digits of a track are upper-case hex with D as separator
where they are BCD. A fault is raised as ``Fault``: the status, the field, the part, the offset.

Order of judgement, which the C core keeps to: MTI, bitmap, then every field in ascending order
(defined, prefix, limits, bytes left, content), then bytes after the last field, then the layouts in
ascending order of field.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oracle.dialect import completed, dialect_of
from oracle.forms import (
    Fault,
    Value,
    character,
    first_bad_byte,
    is_bcd,
    is_hex,
    prefix_size,
    value_of,
    wire_size,
    written,
)
from oracle.layouts import Part, ber_parts, positional_parts, tlv_parts


@dataclass(frozen=True, slots=True)
class Parsed:
    """A message: places are (offset, size, units) of each value, its length prefix excluded."""

    mti: str
    fields: dict[int, Value]
    places: dict[int, tuple[int, int, int]]
    parts: dict[int, tuple[Part, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame cut into its pieces; ``size`` counts the length header too."""

    tpdu: bytes
    header: bytes
    body: bytes
    size: int


class Codec:
    """Everything of one dialect."""

    def __init__(self, name_or_dict: str | Path | dict[str, Any], **settings: Any) -> None:
        if isinstance(name_or_dict, dict):
            self.spec = completed(name_or_dict)
        else:
            self.spec = dialect_of(name_or_dict, settings=settings.get("settings"))
        self.fields = {int(number): rule for number, rule in self.spec["field"].items()}

    # ---- messages: reading -----------------------------------------------------------------------

    def parse(self, body: bytes) -> Parsed:
        """Raises Fault."""
        mti, offset = self._mti(body)
        present, offset = self._bitmap(body, offset)
        values: dict[int, Value] = {}
        places: dict[int, tuple[int, int, int]] = {}
        for number in present:
            if number not in self.fields:
                raise Fault("FIELD_UNKNOWN", number, offset, left=len(body) - offset)
            values[number], places[number], offset = self._field(body, offset, number)
        if offset < len(body):
            raise Fault("FIELD_TRAILING", 0, offset, left=len(body) - offset)
        parsed = Parsed(mti, values, places)
        # Field 60 first: the choice of other layouts may depend on its parts.
        for number in self._selectors():
            if number in values:
                self._lay(parsed, body, number, judge=False)
        for number in present:
            self._lay(parsed, body, number, judge=True)
        return parsed

    def _mti(self, body: bytes) -> tuple[str, int]:
        form = self.spec["message"]["mti"]
        size = 2 if form == "bcd" else 4
        if len(body) < size:
            raise Fault("FIELD_SHORT", 0, 0, wanted=size, left=len(body))
        digits = ""
        for offset in range(size):
            text = f"{body[offset]:02X}" if form == "bcd" else character(body[offset], form)
            if not all(digit in "0123456789" for digit in text):
                raise Fault("FIELD_MTI", 0, offset)
            digits += text
        version = self.spec["message"]["version"]
        if version != -1 and int(digits[0]) != version:
            raise Fault("FIELD_MTI", 0, 0)
        return digits, size

    def _bitmap(self, body: bytes, offset: int) -> tuple[list[int], int]:
        bits, offset = self._sixty_four(body, offset, first=1)
        if self.spec["message"].get("secondary", "announced") == "always":
            more, offset = self._sixty_four(body, offset, first=65)
            return [number for number in bits if number != 1] + more, offset
        if 1 in bits:
            if self.spec["message"]["field_max"] == 64:
                raise Fault("FIELD_BITMAP", 0, offset - self._bitmap_size())
            more, offset = self._sixty_four(body, offset, first=65)
            bits = [number for number in bits if number != 1] + more
        return bits, offset

    def _bitmap_size(self) -> int:
        return 8 if self.spec["message"]["bitmap"] == "binary" else 16

    def _sixty_four(self, body: bytes, offset: int, *, first: int) -> tuple[list[int], int]:
        form = self.spec["message"]["bitmap"]
        size = self._bitmap_size()
        raw = body[offset : offset + size]
        if len(raw) < size:
            raise Fault("FIELD_SHORT", 0, offset, wanted=size, left=len(raw))
        if form != "binary":
            encoding = "ascii" if form == "hex" else "ebcdic"
            for index, byte in enumerate(raw):
                if character(byte, encoding) not in "0123456789ABCDEFabcdef":
                    raise Fault("FIELD_BITMAP", 0, offset + index)
            raw = bytes.fromhex("".join(character(byte, encoding) for byte in raw))
        bits = "".join(f"{byte:08b}" for byte in raw)
        return [first + index for index, bit in enumerate(bits) if bit == "1"], offset + size

    def _field(
        self, body: bytes, offset: int, number: int
    ) -> tuple[Value, tuple[int, int, int], int]:
        rule = self.fields[number]
        if rule["length"] == "fixed":
            units = rule["size"]
        else:
            units, offset = self._prefix(body, offset, number)
        size = wire_size(rule, units)
        left = len(body) - offset
        if size > left:
            raise Fault("FIELD_SHORT", number, offset, wanted=size, left=left)
        raw = body[offset : offset + size]
        bad = first_bad_byte(rule, raw, units)
        if bad is not None:
            raise Fault("FIELD_CONTENT", number, offset + bad)
        return value_of(rule, raw, units), (offset, size, units), offset + size

    def _prefix(self, body: bytes, offset: int, number: int) -> tuple[int, int]:
        """The units that the length prefix announces, and where the value begins."""
        rule = self.fields[number]
        size = prefix_size(rule)
        raw = body[offset : offset + size]
        if len(raw) < size:
            raise Fault("FIELD_SHORT", number, offset, wanted=size, left=len(raw))
        if rule["prefix"] == "binary":
            count = int.from_bytes(raw, "big")
        else:
            digits = (
                raw.hex()
                if rule["prefix"] == "bcd"
                else "".join(character(byte, rule["prefix"]) for byte in raw)
            )
            if not all(digit in "0123456789" for digit in digits):
                raise Fault("FIELD_LENGTH", number, offset)
            count = int(digits)
        units, limit = count, rule["size_max"]
        if rule["counts"] == "bytes":
            if is_hex(rule) and count % 2:
                raise Fault("FIELD_LENGTH", number, offset)
            if is_bcd(rule):
                units, limit = count * 2, limit + limit % 2
            elif is_hex(rule):
                units = count // 2
        if not rule["size_min"] <= units <= limit:
            raise Fault("FIELD_LENGTH", number, offset)
        return units, offset + size

    # ---- nested layouts --------------------------------------------------------------------------

    def _selectors(self) -> list[int]:
        roles = self.spec.get("roles", {})
        return sorted(
            {int(str(roles[role]).split(".")[0]) for role in ("type", "network") if role in roles}
        )

    def _lay(self, parsed: Parsed, body: bytes, number: int, *, judge: bool) -> None:
        name = self.fields[number].get("layout")
        if name is None:
            return
        layout = self._chosen(parsed, name, parsed.places[number][2])
        if layout is None:
            return
        try:
            parsed.parts[number] = self._parts(layout, parsed, body, number)
        except Fault as fault:
            parsed.parts.pop(number, None)
            if judge and layout.get("strict", True):
                raise Fault("FIELD_PART", number, fault.offset, part=fault.part) from None

    def _chosen(self, parsed: Parsed, name: str, units: int) -> dict[str, Any] | None:
        layout = self.spec["layout"][name]
        while layout["form"] == "choice":
            for variant in layout["variants"]:
                if self._holds(variant["when"], parsed, units):
                    layout = self.spec["layout"][variant["layout"]]
                    break
            else:
                return None
        return layout

    def _holds(self, when: dict[str, Any], parsed: Parsed, units: int) -> bool:
        facts = {
            "mti": parsed.mti,
            "processing": self.role(parsed, "processing"),
            "type": self.role(parsed, "type"),
            "network": self.role(parsed, "network"),
        }
        for key, wanted in when.items():
            if key == "size":
                if units not in wanted:
                    return False
            elif not any(_fits(mask, facts[key]) for mask in wanted):
                return False
        return True

    def role(self, parsed: Parsed, name: str) -> str | None:
        """The value that plays a role, None where the dialect or the message has none."""
        place = str(self.spec.get("roles", {}).get(name, ""))
        if not place:
            return None
        number, _, part = place.partition(".")
        if part:
            found = [p.value for p in parsed.parts.get(int(number), ()) if p.name == part]
            return str(found[0]) if found else None
        value = parsed.fields.get(int(number))
        return value if isinstance(value, str) else None

    def _parts(
        self, layout: dict[str, Any], parsed: Parsed, body: bytes, number: int
    ) -> tuple[Part, ...]:
        offset, size, units = parsed.places[number]
        if layout["form"] == "tlv":
            return tlv_parts(layout, body[offset : offset + size], offset)
        if layout["form"] == "ber-tlv":
            return ber_parts(layout, body[offset : offset + size], offset)
        return positional_parts(layout, self.fields[number], parsed.fields[number], offset, units)

    # ---- messages: writing -----------------------------------------------------------------------

    def build(self, mti: str, values: dict[int, Value]) -> bytes:
        """Raises Fault FIELD_VALUE, FIELD_UNKNOWN."""
        raw = b""
        for number in sorted(values):
            if number not in self.fields:
                raise Fault("FIELD_UNKNOWN", number)
            raw += written(self.fields[number], values[number], number)
        return self._mti_written(mti) + self._bitmap_written(sorted(values)) + raw

    def _mti_written(self, mti: str) -> bytes:
        form = self.spec["message"]["mti"]
        if form == "bcd":
            return bytes.fromhex(mti)
        return mti.encode("ascii" if form == "ascii" else "cp500")

    def _bitmap_written(self, numbers: list[int]) -> bytes:
        bits = ["0"] * 128
        for number in numbers:
            bits[number - 1] = "1"
        is_always = self.spec["message"].get("secondary", "announced") == "always"
        count = 128 if is_always or any(number > 64 for number in numbers) else 64
        if count == 128 and not is_always:
            bits[0] = "1"
        raw = bytes(int("".join(bits[at : at + 8]), 2) for at in range(0, count, 8))
        form = self.spec["message"]["bitmap"]
        if form == "binary":
            return raw
        return raw.hex().upper().encode("ascii" if form == "hex" else "cp500")

    # ---- MAC coverage ----------------------------------------------------------------------------

    def mac_cover(self, body: bytes) -> tuple[bytes, bytes | None]:
        """The bytes that the MAC covers, and the MAC field's bytes where there is one."""
        parsed = self.parse(body)
        for number in sorted(self.spec.get("mac", {}).get("fields", []), reverse=True):
            if number in parsed.places:
                offset, size, _ = parsed.places[number]
                return body[:offset], body[offset : offset + size]
        return body, None

    # ---- rules -----------------------------------------------------------------------------------

    def rule(self, parsed: Parsed) -> dict[str, Any]:
        """The first kind that fits a request. Raises Fault FIELD_RULE."""
        facts = {
            "processing": self.role(parsed, "processing"),
            "condition": self.role(parsed, "condition"),
            "type": self.role(parsed, "type"),
            "network": self.role(parsed, "network"),
            "entry": (self.role(parsed, "entry_mode") or "")[:2] or None,
        }
        for kind in self.spec.get("kind", []):
            if kind["mti"] == parsed.mti and all(
                any(_fits(mask, facts[key]) for mask in kind[key]) for key in facts if key in kind
            ):
                return kind
        raise Fault("FIELD_RULE")

    def check(self, parsed: Parsed) -> dict[str, Any]:
        """The kind, its demands met. Raises Fault FIELD_RULE, FIELD_MISSING, FIELD_FORBIDDEN."""
        kind = self.rule(parsed)
        for number in kind["mandatory"]:
            if number not in parsed.fields:
                raise Fault("FIELD_MISSING", number)
        allowed = {*kind["mandatory"], *kind.get("conditional", [])}
        for number in sorted(parsed.fields):
            if number not in allowed:
                raise Fault("FIELD_FORBIDDEN", number)
        return kind

    # ---- frames ----------------------------------------------------------------------------------

    def cut(self, data: bytes) -> Frame:
        """The frame at the front. Raises Fault NEED_MORE or FRAME_*; offsets are of the frame."""
        form = self.spec["frame"]
        size, start = frame_length(form, data)
        if form["length"] == "none":
            size, start = len(data), 0
        if size > form["size_max"]:
            raise Fault("FRAME_OVERSIZE", 0, 0, wanted=size)
        tpdu_size = 5 if form["tpdu"] else 0
        header_size = form["header_size"] if form["header"] != "none" else 0
        if size < tpdu_size + header_size + self._smallest_body():
            raise Fault("FRAME_UNDERSIZE", 0, 0, wanted=size)
        if len(data) - start < size:
            raise Fault("NEED_MORE", 0, len(data), wanted=size, left=len(data) - start)
        rest = data[start : start + size]
        if form["tpdu"] and rest[0] != form["tpdu_id"]:
            raise Fault("FRAME_TPDU", 0, start)
        header = rest[tpdu_size : tpdu_size + header_size]
        if form["header"] == "unionpay":
            for index, digit in enumerate(header.hex()):
                if index != 5 and digit not in "0123456789":
                    raise Fault("FRAME_HEADER", 0, start + tpdu_size + index // 2)
        return Frame(rest[:tpdu_size], header, rest[tpdu_size + header_size :], start + size)

    def _smallest_body(self) -> int:
        return (2 if self.spec["message"]["mti"] == "bcd" else 4) + self._bitmap_size()

    def wrap(self, body: bytes, *, request: Frame | None = None, requirement: int = 0) -> bytes:
        """What goes on the line: as a terminal begins, or as the reply to ``request``."""
        form = self.spec["frame"]
        tpdu = bytes.fromhex(form["tpdu_default"]) if form["tpdu"] else b""
        header = bytes.fromhex(form["header_default"]) if form["header"] != "none" else b""
        if request is not None:
            tpdu = request.tpdu[:1] + request.tpdu[3:5] + request.tpdu[1:3]
            header = request.header
            if form["header"] == "unionpay":
                header = header[:2] + bytes([header[2] & 0xF0 | requirement]) + header[3:]
        rest = tpdu + header + body
        return frame_length_written(form, len(rest)) + rest


def _fits(mask: str, fact: str | None) -> bool:
    return (
        fact is not None
        and len(mask) == len(fact)
        and all(wanted in ("x", found) for wanted, found in zip(mask, fact, strict=True))
    )


FRAME_LENGTH_SIZES = {
    "none": 0,
    "u8": 1,
    "u16-be": 2,
    "u16-le": 2,
    "u32-be": 4,
    "bcd-2": 2,
    "ascii-4": 4,
}


def frame_length(form: dict[str, Any], data: bytes) -> tuple[int, int]:
    """What follows the length header, and the header's own size. Raises Fault."""
    style = form["length"]
    own = FRAME_LENGTH_SIZES[style]
    raw = data[:own]
    if len(raw) < own:
        raise Fault("NEED_MORE", 0, len(data), wanted=own, left=len(raw))
    if style in ("bcd-2", "ascii-4"):
        digits = raw.hex() if style == "bcd-2" else raw.decode("latin-1")
        if not (digits.isascii() and digits.isdigit()):
            raise Fault("FRAME_LENGTH", 0, 0)
        size = int(digits)
    else:
        size = int.from_bytes(raw, "little" if style == "u16-le" else "big")
    if form["length_counts"] == "all":
        if size < own:
            raise Fault("FRAME_UNDERSIZE", 0, 0, wanted=size)
        size -= own
    return size, own


def frame_length_written(form: dict[str, Any], size: int) -> bytes:
    """The length header of a frame of which ``size`` bytes follow it."""
    style = form["length"]
    own = FRAME_LENGTH_SIZES[style]
    total = size + own if form["length_counts"] == "all" else size
    if style == "none":
        return b""
    if style == "bcd-2":
        return bytes.fromhex(f"{total:04d}")
    if style == "ascii-4":
        return f"{total:04d}".encode()
    return total.to_bytes(own, "little" if style == "u16-le" else "big")
