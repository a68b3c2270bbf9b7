"""A checked dialect into a spec image, the form that the core loads.

    document ──▶ schema.checked ──▶ _Image: fields, layouts, parts, ... , strings ──▶ bytes

The image's layout is described with offsets at the head of ``native/message/spec.c``; the core
checks every number again. The same document gives the same bytes, and so the same digest.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from posengine._native.codec import kind_names
from posengine.codec.schema import (
    CIPHERS,
    CONTENTS,
    ENCODINGS,
    FORMS,
    SELECTORS,
    SpecError,
    checked,
)

MAGIC: Final = b"POSSPEC\0"
VERSION: Final = 1
HEADER_SIZE: Final = 256
CRC_OFFSET: Final = 16
DIGEST_OFFSET: Final = 24
UNITS_MAX: Final = 9999
PREFIX_DIGITS: Final = {"fixed": 0, "L": 1, "LL": 2, "LLL": 3, "LLLL": 4}
LENGTH_STYLES: Final = ("none", "u8", "u16-be", "u16-le", "u32-be", "bcd-2", "ascii-4")
HEADERS: Final = ("none", "unionpay", "opaque")
ALGORITHMS: Final = (
    "none", "unionpay-ecb", "x9.9", "x9.19", "aes-cmac", "hmac-sha256", "sm4-unionpay", "sm4-cbc",
)
SECRECIES: Final = ("open", "pan", "secret")

ROLES: Final = (
    "none", "pan", "processing", "amount", "stan", "local_time", "local_date", "expiry",
    "settlement_date", "entry_mode", "card_sequence", "condition", "acquirer", "track2", "track3",
    "rrn", "auth", "response", "tid", "mid", "institutions", "private_48", "currency", "pin",
    "balances", "chip", "qr", "voucher", "type", "batch", "network", "reader", "chip_condition",
    "original_batch", "original_stan", "original_date", "private_62", "operator", "mac",
    "original_data", "security",
)
"""In the order of ``pos_role`` in ``native/message/message.h``; a test compares them."""

MEANINGS: Final = (
    "", "domestic_debit_amount", "domestic_debit_count", "domestic_credit_amount",
    "domestic_credit_count", "domestic_result", "foreign_debit_amount", "foreign_debit_count",
    "foreign_credit_amount", "foreign_credit_count", "foreign_result", "record_count",
    "card_class", "stan", "account", "amount",
)
"""Names of parts that the engine reads (``pos_meaning`` in ``native/message/spec.h``)."""


def compile_dialect(document: Mapping[str, Any], *, file: str) -> bytes:
    """The spec image of a document.

    Args:
        document: as ``tomllib`` gives it, bases and settings already applied.
        file: what errors call it.

    Raises:
        SpecError: with file, key path and rule.
    """
    return _Image(checked(document, file), file).bytes()


class _Image:
    """One image in the making: records by section, strings once each."""

    def __init__(self, dialect: dict[str, Any], file: str) -> None:
        self.dialect = dialect
        self.file = file
        self.heap = bytearray(b"\0")
        self.strings: dict[str, int] = {"": 0}
        self.parts: list[bytes] = []
        self.variants: list[bytes] = []
        self.matches: list[bytes] = []
        self.numbers = {self._number(key): key for key in dialect["field"]}
        self.layout_numbers = {name: at for at, name in enumerate(dialect["layout"], start=1)}

    def refuse(self, path: str, rule: str) -> NoReturn:
        raise SpecError(self.file, path, rule)

    # ---- small things -------------------------------------------------------------------------
    def _number(self, key: str) -> int:
        field_max = self.dialect["message"]["field_max"]
        if not key.isdecimal() or not 2 <= int(key) <= field_max:
            self.refuse(f"field.{key}", f"a field number of 2 to {field_max} is wanted")
        return int(key)

    def string(self, text: str) -> int:
        if text not in self.strings:
            if "\0" in text:
                self.refuse("", f"a NUL character in {text!r}")
            self.strings[text] = len(self.heap)
            self.heap += text.encode() + b"\0"
        return self.strings[text]

    def digits(self, value: Any, path: str, *, wild: bool = False) -> str:
        """A string of digits; with ``wild`` also x for any."""
        allowed = "0123456789x" if wild else "0123456789"
        if not isinstance(value, str) or not value or any(each not in allowed for each in value):
            self.refuse(path, f"digits in quotes are wanted, not {value!r}")
        return value

    def hexadecimal(self, text: str, size: int, path: str) -> bytes:
        try:
            data = bytes.fromhex(text)
        except ValueError:
            self.refuse(path, f"hexadecimal is wanted, not {text!r}")
        if len(data) != size:
            self.refuse(path, f"{size} bytes are wanted, not {len(data)}")
        return data

    def between(self, value: int, low: int, high: int, path: str) -> int:
        if not low <= value <= high:
            self.refuse(path, f"{low} to {high} is wanted, not {value}")
        return value

    # ---- sections -------------------------------------------------------------------------------
    def frame(self) -> bytes:
        frame = self.dialect["frame"]
        header_size = self.between(frame["header_size"], 0, 48, "frame.header_size")
        if frame["header"] == "unionpay" and header_size != 6:
            self.refuse("frame.header_size", "a unionpay header has 6 bytes")
        if frame["header"] == "opaque" and header_size == 0:
            self.refuse("frame.header_size", "a header has bytes")
        if frame["header"] == "none":
            header_size, header = 0, b""
        else:
            header = self.hexadecimal(frame["header_default"], header_size, "frame.header_default")
        tpdu = self.hexadecimal(frame["tpdu_default"], 5, "frame.tpdu_default")
        tpdu_id = self.between(frame["tpdu_id"], 0, 255, "frame.tpdu_id")
        if frame["tpdu"] and tpdu[0] != tpdu_id:
            self.refuse("frame.tpdu_default", "begins with tpdu_id")
        size_max = self.between(frame["size_max"], 64, 65535, "frame.size_max")
        return struct.pack(
            "<4B5s2Bx48sI",
            LENGTH_STYLES.index(frame["length"]), frame["length_counts"] == "all", frame["tpdu"],
            tpdu_id, tpdu, HEADERS.index(frame["header"]), header_size, header, size_max,
        )

    def message(self) -> bytes:
        message = self.dialect["message"]
        mac = self.dialect["mac"]
        fields = mac["fields"]
        if len(fields) > 2 or fields != sorted(set(fields)):
            self.refuse("mac.fields", "at most two fields, ascending")
        for number in fields:
            self.defined(number, "mac.fields")
            field = self.dialect["field"][self.numbers[number]]
            is_fixed = field["content"] == "b" and field["length"] == "fixed"
            if not is_fixed or field["size"] != mac["size"]:
                self.refuse("mac.fields", f"field {number} is fixed bytes of mac.size")
        has_both = message["secondary"] == "always"
        if has_both and message["field_max"] == 64:
            self.refuse("message.secondary", "always goes with field_max = 128")
        return struct.pack(
            "<10B",
            ENCODINGS.index(message["mti"]) + 1, message["version"] & 0xFF,
            ENCODINGS.index(message["bitmap"]) + 1, message["field_max"],
            *[*fields, 0, 0][:2], ALGORITHMS.index(mac["algorithm"]), mac["output"] == "hex",
            self.between(mac["size"], 0, 64, "mac.size"), has_both,
        )

    def defined(self, number: Any, path: str) -> int:
        if not isinstance(number, int) or number not in self.numbers:
            self.refuse(path, f"field {number!r} is not defined")
        return number

    def field(self, number: int, key: str) -> bytes:
        field, path = self.dialect["field"][key], f"field.{key}"
        digits = PREFIX_DIGITS[field["length"]]
        low, high = self.field_sizes(field, digits, path)
        numeric = field["content"] in ("n", "z", "xn")
        if (field["content"] == "b") != (field["encoding"] in ("binary", "hex", "hex-ebcdic")):
            self.refuse(f"{path}.encoding", "binary or hex for b, and only for b")
        if field["encoding"] == "bcd" and not numeric:
            self.refuse(f"{path}.encoding", "bcd holds n, z and xn")
        filler = self.filler(field, path)
        if field["encoding"] == "gb18030" and field["content"] != "ans":
            self.refuse(f"{path}.encoding", "gb18030 holds ans")
        if field["counts"] == "bytes" and field["content"] == "xn":
            self.refuse(f"{path}.counts", "xn is counted in units")
        if field["counts"] == "bytes" and not digits:
            self.refuse(f"{path}.counts", "a fixed field has no prefix")
        if field["keep"] and field["secrecy"] != "open":
            self.refuse(f"{path}.keep", "never with secrecy pan or secret")
        lies_right = field["content"] == "xn" or (field["content"] == "n" and not digits)
        justify = field["justify"] or ("right" if lies_right else "left")
        return struct.pack(
            "<10BHHHIIIB3x",
            number, CONTENTS.index(field["content"]) + 1, ENCODINGS.index(field["encoding"]) + 1,
            digits, ENCODINGS.index(field["prefix"]) + 1 if digits else 0,
            field["counts"] == "bytes", justify == "right", filler,
            SECRECIES.index(field["secrecy"]), field["keep"],
            self.layout_number(field["layout"], f"{path}.layout"), low, high,
            self.string(field["name"]), self.string(field["name_zh"]),
            self.string(field_rule(field, low, high)), self.prefix_size(field, digits, path),
        )

    def prefix_size(self, field: dict[str, Any], digits: int, path: str) -> int:
        """Bytes of a length prefix."""
        if field["prefix_size"] and field["prefix"] != "binary":
            self.refuse(f"{path}.prefix_size", "belongs to a binary prefix")
        if not digits:
            return 0
        if field["prefix"] == "binary":
            size = field["prefix_size"] or (digits + 1) // 2
            return self.between(size, 1, 4, f"{path}.prefix_size")
        return (digits + 1) // 2 if field["prefix"] == "bcd" else digits

    def field_sizes(self, field: dict[str, Any], digits: int, path: str) -> tuple[int, int]:
        if not digits:
            if field["size_max"] or field["size_min"]:
                self.refuse(f"{path}.size", "a fixed field has size, not size_min and size_max")
            size = self.between(field["size"], 1, UNITS_MAX, f"{path}.size")
            return size, size
        if field["size"]:
            self.refuse(f"{path}.size", "a field with a prefix has size_max, not size")
        high = self.between(field["size_max"], 1, UNITS_MAX, f"{path}.size_max")
        limit = 10**digits - 1
        if field["prefix"] == "binary":
            limit = 256 ** self.prefix_size(field, digits, path) - 1
        if high > limit:
            self.refuse(f"{path}.size_max", f"its prefix says at most {limit}")
        return self.between(field["size_min"], 0, high, f"{path}.size_min"), high

    def filler(self, field: dict[str, Any], path: str) -> int:
        text = field["filler"] or ("0" if field["content"] in ("n", "z", "xn") else " ")
        if len(text) != 1 or not text.isascii() or not text.isprintable():
            self.refuse(f"{path}.filler", "one character is wanted")
        if field["encoding"] != "bcd":
            return ord(text)
        if text not in "0123456789ABCDEF":
            self.refuse(f"{path}.filler", "a nibble, 0 to F, is wanted")
        return int(text, 16)

    def layout_number(self, name: str, path: str) -> int:
        if name and name not in self.layout_numbers:
            self.refuse(path, f"there is no layout {name!r}")
        return self.layout_numbers.get(name, 0)

    def layout(self, name: str) -> bytes:
        layout, path = self.dialect["layout"][name], f"layout.{name}"
        form = layout["form"]
        first, count, group_first, group_count = len(self.parts), 0, 0, 0
        if form == "choice":
            first = len(self.variants)
            count = len(layout["variants"])
            for index, each in enumerate(layout["variants"]):
                self.variants.append(self.variant(each, f"{path}.variants[{index}]"))
        elif form == "positional":
            count = len(layout["parts"])
            self.sequence(layout["parts"], f"{path}.parts", name)
            group_first, group_count = len(self.parts), len(layout["group"])
            self.sequence(layout["group"], f"{path}.group", name)
            if bool(layout["group"]) != bool(layout["count"]):
                self.refuse(f"{path}.group", "goes with count")
        else:
            count = len(layout["tags"])
            tags = [
                (self.tag_number(tag, layout, f"{path}.tags.{tag}"), tag) for tag in layout["tags"]
            ]
            for number, tag in sorted(tags):  # the core finds them by halving
                self.parts.append(self.part(layout["tags"][tag], number, f"{path}.tags.{tag}"))
        self.layout_keys(layout, path)
        flags = layout["strict"] | (layout["unknown"] == "refuse") << 1
        return struct.pack(
            "<5BxHHHH2xI4x",
            FORMS.index(form) + 1, flags,
            layout["tag_size"] if form == "tlv" else 0,
            layout["length_size"] if form == "tlv" else 0,
            self.between(layout["count"]["size"], 1, 4, f"{path}.count.size")
            if layout["count"] else 0,
            first, count, group_first, group_count, self.string(name),
        )

    def layout_keys(self, layout: dict[str, Any], path: str) -> None:
        """Keys that belong to another form are a mistake."""
        owners = {"parts": "positional", "group": "positional", "count": "positional",
                  "variants": "choice"}
        for key, form in owners.items():
            if layout[key] and layout["form"] != form:
                self.refuse(f"{path}.{key}", f"belongs to form {form}")
        if layout["tags"] and layout["form"] not in ("tlv", "ber-tlv"):
            self.refuse(f"{path}.tags", "belongs to form tlv or ber-tlv")
        if layout["form"] == "tlv":
            self.between(layout["tag_size"], 1, 4, f"{path}.tag_size")
            self.between(layout["length_size"], 1, 4, f"{path}.length_size")
        elif layout["unknown"] == "refuse" and layout["form"] != "ber-tlv":
            self.refuse(f"{path}.unknown", "belongs to form tlv or ber-tlv")

    def content_of(self, layout: str, path: str) -> str:
        """The content of the fields that a layout lies in, for parts that say none."""
        choices = {
            name for name, each in self.dialect["layout"].items()
            if any(variant["layout"] == layout for variant in each["variants"])
        }
        found = {
            field["content"] for field in self.dialect["field"].values()
            if field["layout"] in choices | {layout}
        }
        if len(found) > 1:
            self.refuse(path, "its fields differ in content: say the part's")
        return found.pop() if found else "ans"

    def sequence(self, parts: Sequence[dict[str, Any]], path: str, layout: str) -> None:
        optional = False
        for index, part in enumerate(parts):
            at = f"{path}[{index}]"
            if bool(part["size"]) == bool(part["size_max"]):
                self.refuse(at, "has either size or size_max")
            if part["size_max"] and index + 1 < len(parts):
                self.refuse(f"{at}.size_max", "takes the rest and so comes last")
            if optional and not part["optional"]:
                self.refuse(f"{at}.optional", "a part after an optional one is optional")
            optional = part["optional"]
            content = part["content"] or self.content_of(layout, f"{at}.content")
            self.parts.append(self.part({**part, "content": content}, 0, at))

    def part(self, part: dict[str, Any], tag: int, path: str) -> bytes:
        if part["keep"] and part["secrecy"] != "open":
            self.refuse(f"{path}.keep", "never with secrecy pan or secret")
        size = part.get("size") or part.get("size_max", 0)
        flags = (
            part.get("optional", False)
            | part["keep"] << 1
            | bool(part.get("size_max")) << 2
        )
        meaning = MEANINGS.index(part["name"]) if not tag and part["name"] in MEANINGS else 0
        dots = ".." if part.get("size_max") else ""
        return struct.pack(
            "<4BH2x4I8x",
            CONTENTS.index(part["content"]) + 1, SECRECIES.index(part["secrecy"]), flags, meaning,
            self.between(size, 0, UNITS_MAX, path), tag,
            self.string(part["name"]), self.string(part["name_zh"]),
            self.string(f"{part['name']} {part['content']}{dots}{size or ''}"),
        )

    def tag_number(self, tag: str, layout: dict[str, Any], path: str) -> int:
        """A tag's bytes as a number, big-endian."""
        is_ber = layout["form"] == "ber-tlv"
        if is_ber and layout["tags"][tag]["content"] != "b":
            self.refuse(f"{path}.content", "BER values are bytes: b")
        try:
            data = bytes.fromhex(tag) if is_ber else tag.encode()
        except ValueError:
            self.refuse(path, "a tag in hexadecimal is wanted")
        if not 1 <= len(data) <= 4 or (not is_ber and len(data) != layout["tag_size"]):
            self.refuse(path, "a tag of the layout's tag_size is wanted")
        return int.from_bytes(data)

    def variant(self, variant: dict[str, Any], path: str) -> bytes:
        number = self.layout_number(variant["layout"], f"{path}.layout")
        if self.dialect["layout"][variant["layout"]]["form"] == "choice":
            self.refuse(f"{path}.layout", "a choice leads to a layout, not to a choice")
        first, count = self.conditions(variant["when"], f"{path}.when")
        return struct.pack("<HHHxx", number, first, count)

    def conditions(self, when: Mapping[str, Any], path: str) -> tuple[int, int]:
        first = len(self.matches)
        for name, values in when.items():
            if name not in SELECTORS:
                self.refuse(f"{path}.{name}", f"one of {', '.join(SELECTORS)} is wanted")
            if not isinstance(values, list):
                self.refuse(f"{path}.{name}", "a list is wanted")
            for value in values:
                self.matches.append(self.match(name, value, f"{path}.{name}"))
        return first, len(self.matches) - first

    def match(self, name: str, value: Any, path: str) -> bytes:
        selector = SELECTORS.index(name) + 1
        if name == "size":
            if not isinstance(value, int):
                self.refuse(path, f"a number is wanted, not {value!r}")
            return struct.pack("<B3xII", selector, value, 0xFFFFFFFF)
        text = self.digits(value, path, wild=name != "mti")
        if len(text) > 8:
            self.refuse(path, "at most 8 digits")
        mask = 0xFFFFFFFF
        for place, each in enumerate(reversed(text)):
            if each == "x":
                mask &= ~(0xF << 4 * place)
        return struct.pack("<B3xII", selector, int(text.replace("x", "0"), 16), mask)

    def rule(self, kind: dict[str, Any]) -> bytes:
        path = f"kind.{kind['name']}"
        names = kind_names()
        if kind["kind"] not in names:
            self.refuse(f"{path}.kind", f"no such kind: {kind['kind']!r}")
        mtis = [int(self.mti(kind[key], f"{path}.{key}") or "0", 16) for key in ("mti", "answer")]
        if not mtis[0]:
            self.refuse(f"{path}.mti", "is missing")
        when = {
            name: kind[name] for name in ("processing", "condition", "type", "network", "entry")
            if kind[name]
        }
        first, count = self.conditions(when, path)
        flags = kind["request_mac"] | kind["answer_mac"] << 1 | kind["repeatable"] << 2
        if (kind["request_mac"] or kind["answer_mac"]) and not self.dialect["mac"]["fields"]:
            self.refuse(f"{path}.request_mac", "the dialect has no MAC field")
        maps = [
            self.bitmap(fields, f"{path}.{key}")
            for key, fields in (
                ("mandatory", kind["mandatory"]),
                ("conditional", kind["mandatory"] + kind["conditional"]),
                ("echoed", kind["echoed"]),
                ("supplied", kind["supplied"]),
            )
        ]
        return struct.pack(
            "<BBHHHHxxII12x", names.index(kind["kind"]), flags, *mtis, first, count,
            self.string(kind["name"]), self.string(kind["name_zh"]),
        ) + b"".join(maps)

    def mti(self, text: str, path: str) -> str:
        if text and (len(text) != 4 or not (text.isascii() and text.isdecimal())):
            self.refuse(path, f"four digits are wanted, not {text!r}")
        version = self.dialect["message"]["version"]
        if text and version not in (-1, int(text[0])):
            self.refuse(path, f"begins with the dialect's version, {version}")
        return text

    def bitmap(self, fields: Sequence[Any], path: str) -> bytes:
        bits = 0
        for number in fields:
            bits |= 1 << (self.defined(number, path) - 1)
        return bits.to_bytes(16, "little")

    def roles(self) -> list[bytes]:
        return [self.role(name, place) for name, place in self.dialect["roles"].items()]

    def role(self, name: str, place: Any) -> bytes:
        path = f"roles.{name}"
        if name not in ROLES[1:]:
            self.refuse(path, f"no such role; known: {', '.join(ROLES[1:])}")
        field, _, part = str(place).partition(".")
        if not field.isdecimal():
            self.refuse(path, "a field number or 'field.part' is wanted")
        number = self.defined(int(field), path)
        if part:
            self.part_there(number, part, path)
        return struct.pack("<BBxxI", ROLES.index(name), number, self.string(part))

    def part_there(self, number: int, part: str, path: str) -> None:
        """A role's part is in the field's layout; what choices ask for does not lie in one."""
        layouts = self.dialect["layout"]
        layout = layouts.get(self.dialect["field"][self.numbers[number]]["layout"])
        if layout is None:
            self.refuse(path, f"field {number} has no layout")
        inner = [layout]
        if layout["form"] == "choice":
            if path.removeprefix("roles.") in _ASKED_ROLES:
                self.refuse(path, "choices ask for it, so it cannot lie in a choice")
            inner = [layouts[each["layout"]] for each in layout["variants"]]
        names = {each["name"] for one in inner for each in one["parts"]}
        names.update(tag for one in inner for tag in one["tags"])
        if part not in names:
            self.refuse(path, f"field {number} has no part {part!r}")

    def key_block(self, code: str, block: dict[str, Any]) -> bytes:
        path = f"keys.block.{code}"
        network = int(self.digits(code, path))
        size = self.between(block["size"], 1, 999, f"{path}.size")
        numbers: list[int] = []
        for name in ("pik", "mak", "tdk"):
            for key in (name, f"{name}_check"):
                numbers += self.span(block[key], size, f"{path}.{key}")
        cipher = block["cipher"] or self.dialect["keys"]["tmk_cipher"]
        return struct.pack("<HHB3x12H", network, size, CIPHERS.index(cipher), *numbers)

    def span(self, value: list[Any], size: int, path: str) -> list[int]:
        if not value:
            return [0, 0]
        if len(value) != 2 or not all(isinstance(each, int) and each >= 0 for each in value):
            self.refuse(path, "[offset, size] is wanted")
        if value[0] + value[1] > size or value[1] > 32:
            self.refuse(path, "a key of at most 32 bytes, inside of its block")
        return value

    # ---- the whole ------------------------------------------------------------------------------
    def bytes(self) -> bytes:
        """The image, summed and digested."""
        dialect = self.dialect
        fields = [self.field(number, key) for number, key in sorted(self.numbers.items())]
        layouts = [self.layout(name) for name in dialect["layout"]]
        rules = [self.rule(kind) for kind in dialect["kind"]]
        keys = [self.key_block(code, each) for code, each in dialect["keys"]["block"].items()]
        roles = self.roles()
        about = dialect["dialect"]
        strings = [self.string(about[key]) for key in ("name", "title", "title_zh", "source")]
        sections = [fields, layouts, self.parts, self.variants, self.matches, rules, roles, keys]
        body = bytearray()
        directory: list[int] = []
        for records in sections:
            directory += [HEADER_SIZE + len(body), len(records)]
            body += b"".join(records)
        directory += [HEADER_SIZE + len(body), len(self.heap)]
        body += self.heap
        size = HEADER_SIZE + len(body)
        head = struct.pack("<8sIIII16x18I4I", MAGIC, VERSION, size, 0, 0, *directory, *strings)
        head += self.frame() + self.message()
        image = bytearray(head.ljust(HEADER_SIZE, b"\0") + body)
        digest = hashlib.blake2b(image, digest_size=16).digest()
        image[DIGEST_OFFSET : DIGEST_OFFSET + 16] = digest
        struct.pack_into("<I", image, CRC_OFFSET, crc32c(bytes(image)))
        return bytes(image)


_ASKED_ROLES: Final = ("processing", "condition", "type", "network", "entry_mode")


def field_rule(field: Mapping[str, Any], low: int, high: int) -> str:
    """What a field demands, in a few words: ``n..19 LL bcd``, ``n3 bcd left``."""
    if field["length"] == "fixed":
        words = [f"{field['content']}{high}", field["encoding"]]
    else:
        least = str(low) if low else ""
        words = [f"{field['content']}{least}..{high}", field["length"], field["encoding"]]
    if field["justify"] and high % 2 and field["encoding"] == "bcd":
        words.append(field["justify"])
    return " ".join(words)


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli) as in RFC 3720."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _crc_entry(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value


_CRC_TABLE: Final = tuple(_crc_entry(value) for value in range(256))
