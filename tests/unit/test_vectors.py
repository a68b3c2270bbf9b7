"""Goal: posengine is right about every shared message vector: its events, its fault, its MAC.

Method: each vector of tests/vectors/message is read by the C core through Python and compared with
what stands there; the oracle is held to the same in test_oracle_codec.py. MACs and key blocks are
in test_mac.py and test_oracle_macs.py.
"""

from __future__ import annotations

import functools

import pytest

from oracle.vectors import Vector, shown, vectors
from posengine import mac
from posengine.codec import Spec
from posengine.errors import MacMismatch, PosError

MESSAGES = vectors("message")
GOOD = [vector for vector in MESSAGES if "events" in vector.blocks]
SPEC = functools.cache(Spec.load)


def spec_of(vector: Vector) -> Spec:
    return SPEC(vector.words["Dialect"])


def body_of(vector: Vector) -> tuple[bytes, int]:
    """The body and where it begins."""
    if not vector.is_frame:
        return vector.data, 0
    frame, used = spec_of(vector).unframe(vector.data)
    assert frame is not None
    assert used == len(vector.data)
    return frame.body, used - len(frame.body)


def events_of(vector: Vector) -> list[str]:
    spec = spec_of(vector)
    body, start = body_of(vector)
    lines = []
    if vector.is_frame:
        frame, used = spec.unframe(vector.data)
        assert frame is not None
        header_at = start - len(frame.header or b"")
        lines.append(f"off=0 frame size={used}")
        if frame.tpdu is not None:
            lines.append(f"off={header_at - len(frame.tpdu)} tpdu {frame.tpdu.hex()}")
        if frame.header is not None:
            lines.append(f"off={header_at} header {frame.header.hex()}")
    message = spec.parse(body)
    mti_size = 2 if spec.document["message"]["mti"] == "bcd" else 4
    lines.append(f"off={start} mti {message.mti}")
    lines.append(f"off={start + mti_size} bitmap {' '.join(map(str, message))}")
    for number in message:
        lines.append(
            f"off={start + message.place(number).offset} field {number} {shown(message[number])}"
        )
        for part in message.nested(number):
            lines.append(f"off={start + part.offset} part {number}.{part.key} {shown(part.value)}")
    lines.append(f"off={start + len(body)} end")
    return lines


@pytest.mark.parametrize("vector", GOOD, ids=lambda v: v.name)
def test_the_core_sees_the_events_of_the_vector(vector: Vector) -> None:
    assert events_of(vector) == vector.events()


@pytest.mark.parametrize("vector", GOOD, ids=lambda v: v.name)
def test_building_the_fields_again_gives_the_same_bytes(vector: Vector) -> None:
    body, _ = body_of(vector)
    message = spec_of(vector).parse(body)
    assert spec_of(vector).build(message.mti, dict(message)) == body


@pytest.mark.parametrize(
    "vector", [v for v in MESSAGES if "fault" in v.blocks], ids=lambda v: v.name
)
def test_the_core_finds_the_fault_of_the_vector(vector: Vector) -> None:
    wanted = vector.fault()
    spec, start = spec_of(vector), 0
    with pytest.raises(PosError) as caught:
        body, start = body_of(vector)
        spec.check(spec.parse(body))
    fault = caught.value
    found = {"status": fault.status}
    if fault.status.startswith("FRAME_"):
        wanted.pop("off", None)  # such a line is closed; only the oracle says where
    for name in set(wanted) - {"status"}:
        attribute = "offset" if name == "off" else name
        value = getattr(fault, attribute, 0)
        found[name] = str(value + start if name == "off" else value)
    assert found == wanted


@pytest.mark.parametrize("vector", [v for v in GOOD if "Kind" in v.words], ids=lambda v: v.name)
def test_the_core_knows_the_kind_and_finds_nothing_missing(vector: Vector) -> None:
    message = spec_of(vector).parse(body_of(vector)[0])
    assert spec_of(vector).kind(message).name == vector.words["Kind"]
    spec_of(vector).check(message)


@pytest.mark.parametrize("vector", [v for v in GOOD if "MAK" in v.words], ids=lambda v: v.name)
def test_the_mac_of_the_message_verifies_and_one_bit_more_does_not(vector: Vector) -> None:
    cover = spec_of(vector).mac_cover(body_of(vector)[0])
    key = bytes.fromhex(vector.words["MAK"])
    assert cover.mac is not None
    mac.verify(cover.algorithm, key, cover.covered, cover.mac)
    altered = bytes([cover.covered[0] ^ 1]) + cover.covered[1:]
    with pytest.raises(MacMismatch):
        mac.verify(cover.algorithm, key, altered, cover.mac)
