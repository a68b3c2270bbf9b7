"""Hypothesis strategies: values of a field, messages of a dialect, dialects on all axes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from oracle.codec import Codec
from oracle.forms import Value

TEXT = {
    "a": "ABCXYZabcxyz ",
    "an": "0189AZaz ",
    "ans": "0189AZaz ,.-/#@~!|",
}


def units_of(rule: dict[str, Any], *, units_max: int = 40) -> st.SearchStrategy[int]:
    """How long a value of this field is."""
    if rule["length"] == "fixed":
        return st.just(rule["size"])
    low, high = rule["size_min"], rule["size_max"]
    return st.integers(low, max(low, min(high, units_max))) | st.just(min(high, 2 * units_max))


@st.composite
def values(draw: st.DrawFn, rule: dict[str, Any]) -> Value:
    """A value that the field can hold and that comes back as it was."""
    units = draw(units_of(rule))
    content = rule["content"]
    if content == "xn":
        units = max(units, 1)
    if rule["counts"] == "bytes" and rule["encoding"] == "bcd" and rule["length"] != "fixed":
        units += units % 2  # bytes cannot tell an odd count
        units = min(units, rule["size_max"] - rule["size_max"] % 2)
    if content == "b":
        return draw(st.binary(min_size=units, max_size=units))
    if content == "xn":
        digits = draw(st.text("0123456789", min_size=units - 1, max_size=units - 1))
        return draw(st.sampled_from("CD")) + digits
    if content == "z":
        alphabet = "0123456789ABCDEF" if rule["encoding"] == "bcd" else "0123456789=D"
        return draw(st.text(alphabet, min_size=units, max_size=units))
    alphabet = "0123456789" if content == "n" else TEXT[content]
    return draw(st.text(alphabet, min_size=units, max_size=units))


@st.composite
def messages(
    draw: st.DrawFn, codec: Codec, *, fields_max: int = 12
) -> tuple[str, dict[int, Value]]:
    """A message type and fields; nested layouts are left out, since random values break them."""
    version = codec.spec["message"]["version"]
    first = "0" if version == -1 else str(version)
    mti = first + draw(st.text("0123456789", min_size=3, max_size=3))
    plain = [number for number, rule in codec.fields.items() if "layout" not in rule]
    chosen = draw(st.lists(st.sampled_from(sorted(plain)), max_size=fields_max, unique=True))
    return mti, {number: draw(values(codec.fields[number])) for number in chosen}


ENCODINGS = {
    "n": ("bcd", "ascii", "ebcdic"),
    "z": ("bcd", "ascii", "ebcdic"),
    "xn": ("bcd", "ascii", "ebcdic"),
    "a": ("ascii", "ebcdic"),
    "an": ("ascii", "ebcdic"),
    "ans": ("ascii", "ebcdic", "gb18030"),
    "b": ("binary", "hex", "hex-ebcdic"),
}


@st.composite
def field_rules(draw: st.DrawFn) -> dict[str, Any]:
    """One field, anywhere on the axes."""
    content = draw(st.sampled_from(sorted(ENCODINGS)))
    encoding = draw(st.sampled_from(ENCODINGS[content]))
    rule: dict[str, Any] = {"name": "field", "content": content, "encoding": encoding}
    length = draw(st.sampled_from(("fixed", "L", "LL", "LLL", "LLLL")))
    rule["length"] = length
    if length == "fixed":
        rule["size"] = draw(st.integers(2 if content == "xn" else 1, 24))
    else:
        rule["prefix"] = draw(st.sampled_from(("bcd", "ascii", "ebcdic", "binary")))
        rule["counts"] = "units" if content == "xn" else draw(st.sampled_from(("units", "bytes")))
        # A prefix of L says at most 9, in hex or with a sign four units of bytes.
        rule["size_max"] = draw(st.integers(1, 4 if length == "L" else 24))
        rule["size_min"] = draw(st.integers(0, min(2, rule["size_max"])))
    if encoding == "bcd":
        rule["justify"] = draw(st.sampled_from(("left", "right")))
        rule["filler"] = draw(st.sampled_from("0F"))
    return rule


@st.composite
def dialects(draw: st.DrawFn) -> dict[str, Any]:
    """A whole dialect of a few fields, in the form of its TOML."""
    field_max = draw(st.sampled_from((64, 128)))
    numbers = draw(
        st.lists(st.integers(2, field_max), min_size=1, max_size=8, unique=True).map(sorted)
    )
    message = {
        "mti": draw(st.sampled_from(("bcd", "ascii", "ebcdic"))),
        "version": draw(st.sampled_from((-1, 0, 1, 2))),
        "bitmap": draw(st.sampled_from(("binary", "hex", "hex-ebcdic"))),
        "field_max": field_max,
    }
    if field_max == 128:
        message["secondary"] = draw(st.sampled_from(("announced", "always")))
    return {
        "dialect": {"name": "drawn"},
        "frame": {"length": "none", "size_max": 4096},
        "message": message,
        "field": {str(number): draw(field_rules()) for number in numbers},
    }
