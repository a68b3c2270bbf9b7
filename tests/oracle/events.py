"""Events of a message, as the oracle sees it: what the vectors' ``events`` blocks hold."""

from __future__ import annotations

from oracle.codec import Codec
from oracle.vectors import shown


def events_of(codec: Codec, data: bytes, *, is_frame: bool) -> list[str]:
    """Every event in order; offsets count from the first byte. Raises Fault."""
    lines: list[str] = []
    start = 0
    body = data
    if is_frame:
        frame = codec.cut(data)
        start = frame.size - len(frame.body)
        header_at = start - len(frame.header)
        lines.append(f"off=0 frame size={frame.size}")
        if frame.tpdu:
            lines.append(f"off={header_at - len(frame.tpdu)} tpdu {frame.tpdu.hex()}")
        if frame.header:
            lines.append(f"off={header_at} header {frame.header.hex()}")
        body = frame.body
    parsed = codec.parse(body)
    mti_size = 2 if codec.spec["message"]["mti"] == "bcd" else 4
    lines.append(f"off={start} mti {parsed.mti}")
    lines.append(
        f"off={start + mti_size} bitmap {' '.join(str(number) for number in parsed.fields)}"
    )
    for number, value in parsed.fields.items():
        lines.append(f"off={start + parsed.places[number][0]} field {number} {shown(value)}")
        for part in parsed.parts.get(number, ()):
            lines.append(f"off={start + part.offset} part {number}.{part.name} {shown(part.value)}")
    lines.append(f"off={start + len(body)} end")
    return lines
