"""Goal: the slow codec is right about the shared vectors before anything is compared with it.

Method: every message vector is read by the oracle: its events or its fault must be those written
there, and building the fields again must give the same bytes.
"""

from __future__ import annotations

import functools

import pytest

from oracle import macs
from oracle.codec import Codec
from oracle.dialect import DIALECTS
from oracle.events import events_of
from oracle.forms import Fault
from oracle.vectors import Vector, vectors

ALL = vectors("message")
CODEC = functools.cache(Codec)


@pytest.mark.parametrize("name", sorted(path.stem for path in DIALECTS.glob("*.toml")))
def test_every_dialect_has_its_own_name(name: str) -> None:
    assert CODEC(name).spec["dialect"]["name"] == name


@pytest.mark.parametrize("vector", [v for v in ALL if "events" in v.blocks], ids=lambda v: v.name)
def test_the_oracle_sees_the_events_of_the_vector(vector: Vector) -> None:
    codec = CODEC(vector.words["Dialect"])
    assert events_of(codec, vector.data, is_frame=vector.is_frame) == vector.events()


@pytest.mark.parametrize("vector", [v for v in ALL if "events" in v.blocks], ids=lambda v: v.name)
def test_building_the_fields_again_gives_the_same_bytes(vector: Vector) -> None:
    codec = CODEC(vector.words["Dialect"])
    body = codec.cut(vector.data).body if vector.is_frame else vector.data
    parsed = codec.parse(body)
    assert codec.build(parsed.mti, parsed.fields) == body


@pytest.mark.parametrize("vector", [v for v in ALL if "fault" in v.blocks], ids=lambda v: v.name)
def test_the_oracle_finds_the_fault_of_the_vector(vector: Vector) -> None:
    codec = CODEC(vector.words["Dialect"])
    wanted = vector.fault()
    start = 0
    with pytest.raises(Fault) as caught:
        body = vector.data
        if vector.is_frame:
            frame = codec.cut(body)
            start, body = frame.size - len(frame.body), frame.body
        parsed = codec.parse(body)
        codec.check(parsed)
    fault = caught.value
    found = {
        "status": fault.status,
        "field": fault.field,
        "part": fault.part,
        "off": fault.offset + start,
        "wanted": fault.wanted,
        "left": fault.left,
    }
    assert {name: str(found[name]) for name in wanted} == wanted


@pytest.mark.parametrize("vector", [v for v in ALL if "Kind" in v.words], ids=lambda v: v.name)
def test_the_oracle_knows_the_kind_and_finds_nothing_missing(vector: Vector) -> None:
    codec = CODEC(vector.words["Dialect"])
    body = codec.cut(vector.data).body if vector.is_frame else vector.data
    assert codec.check(codec.parse(body))["name"] == vector.words["Kind"]


def test_every_kind_of_the_terminal_dialect_has_a_vector() -> None:
    kinds = {kind["name"] for kind in CODEC("unionpay-terminal").spec["kind"]}
    seen = {vector.words.get("Kind") for vector in ALL}
    # Reversal and sale are among the public frames too, without the word.
    assert kinds - seen == set()


@pytest.mark.parametrize("vector", [v for v in ALL if "MAK" in v.words], ids=lambda v: v.name)
def test_the_mac_recomputes_over_what_the_dialect_covers(vector: Vector) -> None:
    codec = CODEC(vector.words["Dialect"])
    body = codec.cut(vector.data).body if vector.is_frame else vector.data
    covered, field = codec.mac_cover(body)
    raw = macs.mac("unionpay-ecb", bytes.fromhex(vector.words["MAK"]), covered)
    assert macs.field(raw, "hex") == field
