"""Hex pictures of a message, with a place marked and what is secret left out.

    000048  30 33 39 31 37 ·· ·· ·· ·· ·· ·· ·· 00 98 03 3A
                                                         ^^

A byte is shown where it is known to be open: the frame's head, message type, bitmap, prefixes, and
the values of open fields and parts. Behind a fault nothing is known, so nothing is shown but the
byte at fault, unless its field is secret.
"""

from __future__ import annotations

from dataclasses import dataclass

from posengine.codec.explain import Explanation, Finding
from posengine.codec.spec import Spec

ROW = 16
ROWS_BEFORE, ROWS_AFTER = 2, 1
HIDDEN = "··"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: offset of its first byte, two characters a byte, index of the marked byte or -1."""

    offset: int
    cells: tuple[str, ...]
    marked: int


def picture(spec: Spec, found: Explanation, finding: Finding, *, clear: bool) -> tuple[Row, ...]:
    """The rows around a finding; none where it has no place."""
    if finding.offset < 0:
        return ()
    data = found.data
    is_open = [True] * len(data) if clear else open_bytes(spec, found)
    at = min(finding.offset, len(data))
    first = max(0, at // ROW - ROWS_BEFORE)
    last = min((max(len(data), 1) - 1) // ROW, at // ROW + ROWS_AFTER)
    rows = []
    for row in range(first, max(last, at // ROW) + 1):
        start = row * ROW
        cells = [
            f"{data[index]:02X}" if is_open[index] else HIDDEN
            for index in range(start, min(start + ROW, len(data)))
        ]
        if start <= at < start + ROW and at - start == len(cells):
            cells.append("  ")  # the place just behind the end
        rows.append(Row(start, tuple(cells), at - start if start <= at < start + ROW else -1))
    return tuple(rows)


def open_bytes(spec: Spec, found: Explanation) -> list[bool]:
    """For every byte of the data whether it may be shown."""
    size = len(found.data)
    is_open = [True] * size
    faults = [each for each in found.findings if each.status.startswith("FIELD_") and
              each.status not in ("FIELD_MISSING", "FIELD_FORBIDDEN", "FIELD_RULE")]
    for view in found.fields:
        if view.secrecy != "open" or (not view.parts and spec.fields[view.number].has_layout):
            _hide(is_open, view.offset, view.offset + view.size)
        elif view.parts:
            for part in view.parts:
                if part.secrecy != "open":
                    _hide(is_open, part.offset, part.offset + part.size)
    for fault in faults:
        known = max((view.offset + view.size for view in found.fields), default=found.body_offset)
        head = max(known, min(fault.offset, size)) if not found.fields else known
        facts = spec.fields.get(fault.field)
        is_field_open = facts is None or (facts.secrecy == "open" and not facts.has_layout)
        _hide(is_open, fault.offset if is_field_open else head + PREFIX_SIZE_MAX, size)
        if is_field_open and fault.offset < size:
            is_open[fault.offset] = True
    return is_open


PREFIX_SIZE_MAX = 2


def _hide(is_open: list[bool], start: int, end: int) -> None:
    for index in range(max(start, 0), min(end, len(is_open))):
        is_open[index] = False
