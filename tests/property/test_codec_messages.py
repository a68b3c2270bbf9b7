"""Goal: the core and the slow oracle say the same of every message: the same fields, places, parts
and bytes of a good one; the same status, field, part and offset of a bad one.

Method: random messages of every shipped dialect and of a dialect made of every axis (content,
encoding, prefix, counting, justification, filler), written by both and read by both; random bytes,
and vectors and random messages with bytes changed, cut and put in.
"""

from __future__ import annotations

import copy
import functools
import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.codec import Codec
from oracle.forms import Fault
from oracle.vectors import vectors
from posengine.codec import Spec, dialect_names
from posengine.errors import FieldValue, PosError

Values = dict[int, str | bytes]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))
ALPHABETS = {
    "n": "0123456789", "a": LETTERS + " ", "an": LETTERS + "0123456789 ", "ans": PRINTABLE,
    "z": "0123456789D=",
}


# ---- dialects --------------------------------------------------------------------------------
def axes() -> dict[str, Any]:
    """One field for every sensible combination of the axes."""
    fields: dict[str, Any] = {}
    numbers = iter(range(2, 129))

    def add(**keys: Any) -> None:
        fields[str(next(numbers))] = {"name": " ".join(map(str, keys.values())), **keys}

    texts = [("a", "ascii"), ("an", "ebcdic"), ("ans", "ascii"), ("ans", "ebcdic"),
             ("ans", "gb18030"), ("b", "binary"), ("b", "hex"), ("b", "hex-ebcdic"),
             ("xn", "bcd"), ("xn", "ascii"), ("xn", "ebcdic")]
    digits = [(content, encoding) for content in "nz" for encoding in ("bcd", "ascii", "ebcdic")]
    for content, encoding in texts + digits:
        for size in (4, 7):
            for justify in ("left", "right"):
                if justify == "right" and content in ("b", "z"):
                    continue
                add(content=content, encoding=encoding, length="fixed", size=size, justify=justify)
    pairs = list(itertools.product(texts + digits, ("L", "LL", "LLL", "LLLL"),
                                   ("bcd", "ascii", "ebcdic", "binary"), ("units", "bytes")))
    random.Random(7).shuffle(pairs)
    for (content, encoding), length, prefix, counts in pairs:
        if content == "xn" and counts == "bytes":
            continue
        if len(fields) == 127:
            break
        size_max = {"L": 4, "LL": 37, "LLL": 103, "LLLL": 256}[length]
        size_min = 1 if content == "xn" else len(fields) % 3
        add(content=content, encoding=encoding, length=length, prefix=prefix, counts=counts,
            size_min=size_min, size_max=size_max, filler="F" if len(fields) % 2 else "0",
            justify="left" if len(fields) % 5 else "right")
    return {
        "dialect": {"name": "axes"},
        "frame": {"length": "none", "size_max": 65535},
        "message": {"mti": "ebcdic", "version": -1, "bitmap": "hex-ebcdic", "field_max": 128},
        "field": fields,
    }


@functools.cache
def both(name: str) -> tuple[Spec, Codec]:
    if name != "axes":
        return Spec.load(name), Codec(name)
    document = axes()
    oracle = copy.deepcopy(document)
    oracle["frame"] |= {"length_counts": "rest", "tpdu": False, "header": "none"}
    return Spec(document, file="axes"), Codec(oracle)


DIALECTS = [*dialect_names(), "axes"]


# ---- random messages ---------------------------------------------------------------------------
def text_of(chance: random.Random, content: str, encoding: str, units: int) -> str | bytes:
    if content == "b":
        return chance.randbytes(units)
    if content == "xn":
        return chance.choice("CD") + "".join(chance.choices("0123456789", k=units - 1))
    if content == "ans" and encoding == "gb18030" and units % 2 == 0 and chance.random() < 0.5:
        return "".join(chance.choices("银联消费撤销", k=units // 2))
    if content == "z" and encoding == "bcd":
        return "".join(chance.choices("0123456789ABCDEF", k=units))
    return "".join(chance.choices(ALPHABETS[content], k=units))


def laid_out(chance: random.Random, codec: Codec, name: str) -> str | bytes | None:
    """A value that fits a positional or BER-TLV layout; None where chance alone must do."""
    layout = codec.spec["layout"][name]
    if layout["form"] == "choice":
        return laid_out(chance, codec, chance.choice(layout["variants"])["layout"])
    if layout["form"] == "ber-tlv":
        tags = [*layout.get("tags", {}), "DF7F", "1F8102", "C4"]
        value = b""
        for tag in chance.sample(tags, k=min(len(tags), chance.randrange(5))):
            inner = chance.randbytes(chance.randrange(9))
            if int(tag[:2], 16) & 0x20 and chance.random() < 0.7:
                inner = b"\x9f\x36\x02\x00\x01" + b"\x57\x01" + inner[:1] if inner else b""
            length = bytes([len(inner)]) if chance.random() < 0.8 else bytes([0x81, len(inner)])
            value += bytes.fromhex(tag) + length + inner
        return value
    if layout["form"] == "tlv":
        size, length_size = layout["tag_size"], layout["length_size"]
        tags = [*layout.get("tags", {}), "Z9"[:size].ljust(size, "9")]
        pieces = []
        for tag in chance.sample(tags, k=chance.randrange(len(tags))):
            inner = "".join(chance.choices("0123456789", k=chance.randrange(20)))
            pieces.append(f"{tag}{len(inner):0{length_size}d}{inner}")
        return "".join(pieces).encode()
    parts = list(layout.get("parts", []))
    optional = [index for index, part in enumerate(parts) if part.get("optional")]
    if optional:
        parts = parts[: chance.randint(optional[0], len(parts))]
    value = ""
    for part in parts:
        size = part["size"] if "size" in part else chance.randint(0, part["size_max"])
        if part.get("content") == "b":
            return None
        value += str(text_of(chance, part.get("content", "n"), "ascii", size))
    if "group" in layout:
        groups = chance.randrange(4)
        value += f"{groups:0{layout['count']['size']}d}"
        for part in layout["group"] * groups:
            value += str(text_of(chance, part.get("content", "n"), "ascii", part["size"]))
    return value


def value_for(chance: random.Random, codec: Codec, number: int) -> str | bytes:
    rule = codec.fields[number]
    if rule["length"] == "fixed":
        return text_of(chance, rule["content"], rule["encoding"], rule["size"])
    high = rule["size_max"]
    if rule["length"] == "L":
        high = min(high, 4)
    units = chance.randint(rule["size_min"], min(high, chance.choice((3, 12, 90))))
    units = max(units, rule["size_min"])
    if rule["counts"] == "bytes" and rule["encoding"] == "bcd":
        units -= units % 2  # an odd count comes back with its filler
        units = max(units, rule["size_min"] + rule["size_min"] % 2)
    if rule.get("layout"):
        value = laid_out(chance, codec, rule["layout"])
        if value is not None and len(value) <= rule["size_max"]:
            as_bytes = value.encode() if isinstance(value, str) else value
            return as_bytes if rule["content"] == "b" else as_bytes.decode("latin-1")
    return text_of(chance, rule["content"], rule["encoding"], units)


def random_message(chance: random.Random, codec: Codec) -> tuple[str, Values]:
    numbers = [number for number in codec.fields if chance.random() < 0.35]
    kinds = codec.spec.get("kind", [])
    mti = chance.choice(kinds)["mti"] if kinds and chance.random() < 0.7 else None
    version = codec.spec["message"]["version"]
    mti = mti or f"{max(version, 0)}{chance.randrange(1000):03d}"
    return mti, {number: value_for(chance, codec, number) for number in numbers}


# ---- comparing -----------------------------------------------------------------------------------
def verdict_of_core(spec: Spec, body: bytes) -> dict[str, Any]:
    message, fault = spec.parse_partly(body)
    if fault is not None:
        return {"status": fault.status, "field": fault.field, "part": fault.part,
                "offset": fault.offset, "wanted": fault.wanted if not fault.part else 0}
    return {
        "mti": str(message.mti),
        "fields": dict(message),
        "places": {number: tuple(message.place(number)) for number in message},
        "parts": {
            number: [(part.key, part.value, part.offset, part.size) for part in parts]
            for number in message
            if (parts := message.nested(number))
        },
    }


def verdict_of_oracle(codec: Codec, body: bytes) -> dict[str, Any]:
    try:
        parsed = codec.parse(body)
    except Fault as fault:
        return {"status": fault.status, "field": fault.field, "part": fault.part,
                "offset": fault.offset, "wanted": fault.wanted if not fault.part else 0}
    return {
        "mti": parsed.mti,
        "fields": parsed.fields,
        "places": parsed.places,
        "parts": {
            number: [(part.name, part.value, part.offset, part.size) for part in parts]
            for number, parts in parsed.parts.items()
            if parts
        },
    }


def assert_same(name: str, body: bytes) -> bool:
    """Both say the same; True where they say that it is good."""
    spec, codec = both(name)
    ours, theirs = verdict_of_core(spec, body), verdict_of_oracle(codec, body)
    assert ours == theirs, body.hex()
    return "status" not in ours


SEEDS = st.integers(min_value=0, max_value=2**32)


@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_random_messages_are_written_and_read_alike(name: str, seed: int) -> None:
    spec, codec = both(name)
    mti, values = random_message(random.Random(seed), codec)
    try:
        body = spec.build(mti, values)
    except FieldValue as fault:  # a layout that chance did not fit
        assert codec.fields[fault.field].get("layout")  # type: ignore[attr-defined]
        values.pop(fault.field)  # type: ignore[attr-defined]
        try:
            body = spec.build(mti, values)
        except FieldValue:
            return
    assert body == codec.build(mti, values)
    assert assert_same(name, body)
    message = spec.parse(body)
    assert {**message}.keys() == values.keys()
    for number, value in values.items():
        if codec.fields[number]["content"] == "z" and isinstance(value, str):
            assert message[number] in (value, value.replace("=", "D"))
        else:
            assert message[number] == value
    assert spec.build(mti, message) == body


def changed(chance: random.Random, body: bytes) -> bytes:
    """One to four changes: a byte set, a bit turned, a piece cut out, doubled or put in."""
    data = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data)) if data else 0
        match chance.randrange(6):
            case 0 if data:
                data[at] = chance.randrange(256)
            case 1 if data:
                data[at] ^= 1 << chance.randrange(8)
            case 2:
                del data[at : at + chance.randrange(1, 9)]
            case 3:
                data[at:at] = chance.randbytes(chance.randrange(1, 5))
            case 4:
                data[at:at] = data[at : at + chance.randrange(1, 9)]
            case _:
                del data[at:]
    return bytes(data)


@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=50, deadline=None)
@given(seed=SEEDS)
def test_changed_messages_get_the_same_verdict(name: str, seed: int) -> None:
    spec, codec = both(name)
    chance = random.Random(seed)
    mti, values = random_message(chance, codec)
    try:
        body = spec.build(mti, values)
    except FieldValue:
        body = codec.build(mti, values)
    for _ in range(4):
        assert_same(name, changed(chance, body))


@functools.cache
def bodies(name: str) -> list[bytes]:
    spec, _ = both(name)
    found = []
    for vector in vectors("message"):
        if vector.words.get("Dialect") != name:
            continue
        body = vector.data
        if vector.is_frame:
            try:
                frame, _ = spec.unframe(body)
            except PosError:
                continue
            if frame is None:
                continue
            body = frame.body
        found.append(body)
    return found


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS)
def test_changed_vectors_get_the_same_verdict(seed: int) -> None:
    chance = random.Random(seed)
    name = chance.choice([each for each in dialect_names() if bodies(each)])
    for _ in range(4):
        assert_same(name, changed(chance, chance.choice(bodies(name))))


@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=100, deadline=None)
@given(seed=SEEDS, size=st.integers(min_value=0, max_value=120))
def test_random_bytes_get_the_same_verdict(name: str, seed: int, size: int) -> None:
    chance = random.Random(seed)
    assert_same(name, chance.randbytes(size))
    spec, _ = both(name)
    digits = chance.choice(("0200", "0800", "1100", "2200"))
    if spec.document["message"]["mti"] == "bcd":
        assert_same(name, bytes.fromhex(digits) + chance.randbytes(size))
    else:
        bitmap = chance.randbytes(8).hex().upper()
        encoding = "ascii" if spec.document["message"]["mti"] == "ascii" else "cp500"
        assert_same(name, (digits + bitmap).encode(encoding) + chance.randbytes(size))


@pytest.mark.parametrize("name", ["unionpay-terminal"])
@settings(max_examples=50, deadline=None)
@given(seed=SEEDS)
def test_rules_and_mac_coverage_are_the_oracles(name: str, seed: int) -> None:
    spec, codec = both(name)
    chance = random.Random(seed)
    body = chance.choice(bodies(name))
    if chance.random() < 0.7:
        body = changed(chance, body)
    try:
        parsed = codec.parse(body)
    except Fault:
        return
    covered, carried = codec.mac_cover(body)
    cover = spec.mac_cover(body)
    assert (cover.covered, cover.mac) == (covered, carried)
    message = spec.parse(body)
    try:
        wanted = codec.check(parsed)["name"]
    except Fault as fault:
        with pytest.raises(PosError) as caught:
            spec.check(message)
        assert (caught.value.status, getattr(caught.value, "field", 0)) == (
            fault.status, fault.field,
        )
        return
    spec.check(message)
    assert spec.kind(message).name == wanted


@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_short_values_of_fixed_fields_are_filled_alike(name: str, seed: int) -> None:
    spec, codec = both(name)
    chance = random.Random(seed)
    short = {
        number: text_of(chance, rule["content"], "ascii", chance.randint(1, rule["size"]))
        for number, rule in codec.fields.items()
        if rule["length"] == "fixed"
        and rule["content"] in ("n", "a", "an", "ans")
        and not rule.get("layout")
    }
    chosen = {number: value for number, value in short.items() if chance.random() < 0.5}
    version = max(codec.spec["message"]["version"], 0)
    assert spec.build(f"{version}200", chosen) == codec.build(f"{version}200", chosen)


@pytest.mark.parametrize("name", dialect_names())
@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_columns_say_what_messages_say(name: str, seed: int) -> None:
    spec, codec = both(name)
    chance = random.Random(seed)
    rows = []
    for _ in range(20):
        mti, values = random_message(chance, codec)
        try:
            body = spec.build(mti, values)
        except FieldValue:
            continue
        rows.append(body if chance.random() < 0.5 else changed(chance, body))
    edges = list(itertools.accumulate(map(len, rows), initial=0))
    columns = spec.parse_many(b"".join(rows), edges, places=True)
    for row, body in enumerate(rows):
        message, fault = spec.parse_partly(body)
        assert columns.mti[row] == message.mti.number
        assert columns.status_names()[row] == (fault.status if fault else "OK")
        assert columns.fault_field[row] == (fault.field if fault else 0)
        assert columns.fault_part[row] == (fault.part if fault else 0)
        assert columns.fault_offset[row] == (fault.offset if fault else 0)
        assert [number for number in spec.fields if columns.has(number)[row]] == list(message)
        for number in message:
            place = message.place(number)
            assert columns.field_offset[row, number] == place.offset
            assert columns.field_size[row, number] == place.size
        assert columns.stan[row] == int(message.stan or 0)
        assert columns.amount_minor[row] == (message.amount or 0)
        width = columns.tid.dtype.itemsize
        assert columns.tid[row].ljust(width) == (message.tid or "").encode().ljust(width)[:width]
