"""Goal: the core and the slow codec see the same in every message, right or wrong.

Method: messages of every shipped dialect and of dialects drawn on all axes are built by both and
read by both; then they are cut and altered. Both give the same fields and parts, or the same first
fault: status, field, part and place. Also every prefix and a change of every byte of every vector.
"""

from __future__ import annotations

import copy
import functools
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.codec import Codec
from oracle.forms import Fault
from oracle.strategies import dialects, messages
from oracle.vectors import vectors
from posengine.codec import Spec, dialect_names
from posengine.errors import PosError

CODEC = functools.cache(Codec)
SPEC = functools.cache(Spec.load)
QUICK = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def by_oracle(codec: Codec, body: bytes) -> Any:
    try:
        parsed = codec.parse(body)
    except Fault as fault:
        short = (fault.wanted, fault.left) if fault.status == "FIELD_SHORT" else (0, 0)
        return fault.status, fault.field, fault.part, fault.offset, *short
    parts = {
        number: [(part.name, part.value, part.offset, part.size) for part in found]
        for number, found in parsed.parts.items()
        if found
    }
    return parsed.mti, parsed.fields, parsed.places, parts


def by_core(spec: Spec, body: bytes) -> Any:
    message, fault = spec.parse_partly(body)
    if fault is not None:
        short = (fault.wanted, fault.left) if fault.status == "FIELD_SHORT" else (0, 0)
        return fault.status, fault.field, fault.part, fault.offset, *short
    parts = {
        number: [(part.key, part.value, part.offset, part.size) for part in message.nested(number)]
        for number in message
        if message.nested(number)
    }
    places = {number: tuple(message.place(number)) for number in message}
    return str(message.mti), dict(message), places, parts


def altered(body: bytes, draw: Any) -> bytes:
    """The body cut, with a byte changed, or with one more."""
    at = draw(st.integers(0, max(0, len(body) - 1)))
    byte = bytes([draw(st.integers(0, 255))])
    return draw(
        st.sampled_from(
            (body[:at], body[:at] + byte + body[at + 1 :], body[:at] + byte + body[at:])
        )
    )


@pytest.mark.parametrize("name", dialect_names())
@given(data=st.data())
@QUICK
def test_messages_of_every_dialect_are_the_same_to_both(name: str, data: Any) -> None:
    codec, spec = CODEC(name), SPEC(name)
    mti, fields = data.draw(messages(codec))
    body = codec.build(mti, fields)
    assert spec.build(mti, fields) == body
    seen = by_core(spec, body)
    assert seen == by_oracle(codec, body)
    assert seen[:2] == (mti, dict(sorted(fields.items())))
    for _ in range(4):
        other = altered(body, data.draw)
        assert by_core(spec, other) == by_oracle(codec, other)


@given(data=st.data())
@settings(QUICK, max_examples=150)
def test_messages_of_any_dialect_on_the_axes_are_the_same_to_both(data: Any) -> None:
    document = data.draw(dialects())
    codec, spec = Codec(copy.deepcopy(document)), Spec(document, file="drawn")
    mti, fields = data.draw(messages(codec))
    body = codec.build(mti, fields)
    assert spec.build(mti, fields) == body
    seen = by_core(spec, body)
    assert seen == by_oracle(codec, body)
    assert seen[:2] == (mti, dict(sorted(fields.items())))
    for _ in range(3):
        other = altered(body, data.draw)
        assert by_core(spec, other) == by_oracle(codec, other)


BODIES = sorted(
    {
        (vector.words["Dialect"], vector.data[13:] if vector.is_frame else vector.data)
        for vector in vectors("message")
        if vector.words["Dialect"] == "unionpay-terminal" or not vector.is_frame
    }
)


@pytest.mark.parametrize("name", dialect_names())
def test_every_prefix_and_a_change_of_every_byte_is_the_same_to_both(name: str) -> None:
    codec, spec, chance = CODEC(name), SPEC(name), random.Random(8583)
    for dialect, body in BODIES:
        if dialect != name:
            continue
        for at in range(len(body)):
            change = bytes([body[at] ^ chance.choice((0x01, 0x0F, 0x10, 0x80, 0xFF))])
            for other in (body[:at], body[:at] + change + body[at + 1 :]):
                assert by_core(spec, other) == by_oracle(codec, other), other.hex()


@pytest.mark.parametrize("name", dialect_names())
@given(data=st.data())
@settings(QUICK, max_examples=40)
def test_what_one_refuses_to_build_the_other_refuses_too(name: str, data: Any) -> None:
    codec, spec = CODEC(name), SPEC(name)
    number = data.draw(st.sampled_from(sorted(codec.fields)))
    content = codec.fields[number]["content"]
    value = data.draw(st.binary(max_size=30) if content == "b" else st.text("09AD =é", max_size=30))
    try:
        ours: bytes | None = spec.build(f"{codec.spec['message']['version']}200", {number: value})
    except PosError:
        ours = None
    try:
        theirs: bytes | None = codec.build(
            f"{codec.spec['message']['version']}200", {number: value}
        )
        codec.parse(theirs or b"")  # a value may fit its field and break its layout
    except Fault:
        theirs = None
    assert ours == theirs
