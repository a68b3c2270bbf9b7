"""The forms that one value takes on the wire: digits, characters, bytes, prefixes; and Fault."""

from __future__ import annotations

from typing import Any

Value = str | bytes

DIGITS = b"0123456789"
LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PRINTABLE = bytes(range(0x20, 0x7F))
ALPHABET = {
    "n": DIGITS,
    "a": LETTERS + b" ",
    "an": DIGITS + LETTERS + b" ",
    "ans": PRINTABLE,
    "z": DIGITS + b"=D",
    "xn": DIGITS + b"CD",
}
PREFIX_DIGITS = {"L": 1, "LL": 2, "LLL": 3, "LLLL": 4}
PREFIX_BINARY = {"L": 1, "LL": 1, "LLL": 2, "LLLL": 2}


class Fault(Exception):
    """What is wrong and where; ``offset`` is from the start of the body (or of the frame)."""

    def __init__(
        self,
        status: str,
        number: int = 0,
        offset: int = 0,
        *,
        part: int = 0,
        wanted: int = 0,
        left: int = 0,
    ) -> None:
        super().__init__(f"{status} field {number} part {part} offset {offset}")
        self.status, self.field, self.offset = status, number, offset
        self.part, self.wanted, self.left = part, wanted, left


def character(byte: int, form: str) -> str:
    text = bytes([byte]).decode("cp500" if form == "ebcdic" else "latin-1")
    return text if text.isascii() and text.isprintable() else "\x00"


def is_bcd(rule: dict[str, Any]) -> bool:
    return rule["encoding"] == "bcd"


def is_hex(rule: dict[str, Any]) -> bool:
    return rule["encoding"] in ("hex", "hex-ebcdic")


def prefix_size(rule: dict[str, Any]) -> int:
    """Bytes of the length prefix."""
    digits = PREFIX_DIGITS[rule["length"]]
    if rule["prefix"] == "bcd":
        return (digits + 1) // 2
    if rule["prefix"] == "binary":
        return rule.get("prefix_size", PREFIX_BINARY[rule["length"]])
    return digits


def prefix_written(rule: dict[str, Any], count: int) -> bytes:
    """The length prefix of ``count``."""
    size = prefix_size(rule)
    if rule["prefix"] == "binary":
        return count.to_bytes(size, "big")
    if rule["prefix"] == "bcd":
        return bytes.fromhex(f"{count:0{size * 2}d}")
    return f"{count:0{size}d}".encode("ascii" if rule["prefix"] == "ascii" else "cp500")


def wire_size(rule: dict[str, Any], units: int) -> int:
    """Bytes that ``units`` digits, characters or bytes take on the wire."""
    if is_bcd(rule):
        sign = 1 if rule["content"] == "xn" else 0
        return sign + (units - sign + 1) // 2
    return units * 2 if is_hex(rule) else units


def first_bad_byte(rule: dict[str, Any], raw: bytes, units: int) -> int | None:
    """Index of the first byte that is not of the field's content; None where all are."""
    content, encoding = rule["content"], rule["encoding"]
    if content == "b" and encoding == "binary":
        return None
    if is_hex(rule):
        form = "ascii" if encoding == "hex" else "ebcdic"
        for index, byte in enumerate(raw):
            if character(byte, form) not in "0123456789ABCDEFabcdef":
                return index
        return None
    if encoding == "bcd":
        if content == "z":
            return None  # an enciphered part of a track may hold any nibble
        start = 0
        if content == "xn":
            if not raw or chr(raw[0]) not in "CD":
                return 0
            start, raw, units = 1, raw[1:], units - 1
        nibbles = raw.hex()
        skip = 1 if units % 2 and rule["justify"] == "right" else 0
        for index in range(skip, skip + units):
            if nibbles[index] not in "0123456789":
                return start + index // 2
        return None
    if encoding == "gb18030":
        for index, byte in enumerate(raw):
            if byte not in PRINTABLE and not 0x80 <= byte <= 0xFE:
                return index
        return None
    for index, byte in enumerate(raw):
        text = character(byte, encoding)
        if content == "xn":
            if text not in ("CD" if index == 0 else "0123456789"):
                return index
        elif text.encode() not in [bytes([one]) for one in ALPHABET[content]]:
            return index
    return None


def value_of(rule: dict[str, Any], raw: bytes, units: int) -> Value:
    """The value as a program sees it. The bytes have been judged."""
    encoding = rule["encoding"]
    if encoding == "bcd":
        sign = 1 if rule["content"] == "xn" else 0
        nibbles = raw[sign:].hex().upper()
        digits = units - sign
        skip = 1 if digits % 2 and rule["justify"] == "right" else 0
        return raw[:sign].decode("ascii") + nibbles[skip : skip + digits]
    if encoding == "binary":
        return raw
    if encoding == "gb18030":
        return raw.decode("gb18030", errors="surrogateescape")
    text = "".join(character(byte, "ebcdic" if "ebcdic" in encoding else "ascii") for byte in raw)
    return bytes.fromhex(text) if is_hex(rule) else text


def written(rule: dict[str, Any], value: Value, number: int) -> bytes:
    """A value with its prefix, as it goes on the wire. Raises Fault FIELD_VALUE."""
    if (rule["content"] == "b") != isinstance(value, bytes):
        raise Fault("FIELD_VALUE", number)
    plain = value if isinstance(value, bytes) else _plain(rule, value, number)
    if rule["length"] == "fixed":
        return _encoded(rule, _filled(rule, plain, number), number)
    if not rule["size_min"] <= len(plain) <= rule["size_max"]:
        raise Fault("FIELD_VALUE", number)
    raw = _encoded(rule, plain, number)
    return prefix_written(rule, len(raw) if rule["counts"] == "bytes" else len(plain)) + raw


def _plain(rule: dict[str, Any], value: str, number: int) -> bytes:
    """A unit a byte: characters, and for text beyond ASCII the bytes of GB 18030."""
    if rule["encoding"] == "gb18030":
        return value.encode("gb18030", errors="surrogateescape")
    if not value.isascii():
        raise Fault("FIELD_VALUE", number)
    return value.encode("ascii")


def _filled(rule: dict[str, Any], plain: bytes, number: int) -> bytes:
    """A fixed field at its whole size: digits are filled at their left, text where it says."""
    missing = rule["size"] - len(plain)
    if missing == 0:
        return plain
    if missing < 0 or rule["content"] in ("b", "z", "xn"):
        raise Fault("FIELD_VALUE", number)
    if rule["content"] == "n":
        return b"0" * missing + plain
    filler = rule["filler"].encode() * missing
    return filler + plain if rule["justify"] == "right" else plain + filler


def _encoded(rule: dict[str, Any], plain: bytes, number: int) -> bytes:
    encoding = rule["encoding"]
    if rule["content"] == "b":
        hexed = plain.hex().upper()
        forms = {"binary": plain, "hex": hexed.encode(), "hex-ebcdic": hexed.encode("cp500")}
        return forms[encoding]
    raw = plain
    if encoding == "bcd":
        raw = _packed(rule, plain.decode("ascii"), number)
    elif encoding == "ebcdic":
        raw = plain.decode("ascii").encode("cp500")
    if first_bad_byte(rule, raw, len(plain)) is not None:
        raise Fault("FIELD_VALUE", number)
    return raw


def _packed(rule: dict[str, Any], value: str, number: int) -> bytes:
    sign = value[:1].encode() if rule["content"] == "xn" else b""
    digits = value[len(sign) :]
    if rule["content"] == "z":
        digits = digits.replace("=", "D")
    if any(digit not in "0123456789ABCDEF" for digit in digits):
        raise Fault("FIELD_VALUE", number)
    if len(digits) % 2:
        filler = rule["filler"]
        digits = digits + filler if rule["justify"] == "left" else filler + digits
    return sign + bytes.fromhex(digits)
