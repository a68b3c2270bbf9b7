"""What a batch upload found, as the journal keeps it: record 0 of an entry's redacted request.

    u8 0 · u16 size · u8 version 1 · u32 records · u32 matched · u32 missing with us ·
    u32 missing at the terminal · u32 differing · u32 claimed ·
    u8 count · count × {u8 verdict, u32 STAN, u64 sequence, i64 theirs, i64 ours}

Little-endian, amounts in minor units. Each 0320 has what it found itself; the end message has the
whole upload's counts, and lists the first 32 postings that the terminal did not upload. It names by
sequence and STAN, never by card. Source: native/decide/batch.c.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

_COUNTS = struct.Struct("<B6IB")
_FINDING = struct.Struct("<BIQqq")
VERSION = 1


class Verdict(IntEnum):
    """What became of one uploaded record, or of a posting that was not uploaded."""

    text: str
    chinese: str

    def __new__(cls, number: int, text: str, chinese: str) -> Verdict:
        member = int.__new__(cls, number)
        member._value_ = number
        member.text = text
        member.chinese = chinese
        return member

    MATCHED = (1, "as we have it", "一致")
    MISSING_OURS = (2, "the terminal has it, we do not", "终端有，主机无")
    MISSING_THEIRS = (3, "we have it, the terminal did not upload it", "主机有，终端未上送")
    AMOUNT = (4, "amounts differ", "金额不符")
    CARD = (5, "cards differ", "卡号不符")
    TWICE = (6, "uploaded twice", "重复上送")


_VERDICTS = {int(verdict): verdict for verdict in Verdict}


@dataclass(frozen=True, slots=True)
class Finding:
    """One record. ``sequence`` 0: we have none; an amount 0: that side has none. Minor units."""

    verdict: Verdict
    stan: int
    sequence: int
    theirs_minor: int
    ours_minor: int

    def __str__(self) -> str:
        theirs, ours = self.theirs_minor / 100, self.ours_minor / 100
        return (
            f"STAN {self.stan:06}: {self.verdict.text} {self.verdict.chinese}"
            f" (terminal {theirs:.2f}, host {ours:.2f})"
        )


@dataclass(frozen=True, slots=True)
class Upload:
    """What one message of an upload found; of an end message, what all of it found."""

    records: int
    matched: int
    missing_ours: int
    missing_theirs: int
    differing: int
    claimed: int
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, request: bytes) -> Upload | None:
        """From an entry's ``request``; None where it has no record 0 of this version."""
        for number, value in _records(request):
            if number == 0 and value[:1] == bytes([VERSION]):
                return cls._read(value)
        return None

    @classmethod
    def _read(cls, value: bytes) -> Upload | None:
        if len(value) < _COUNTS.size:
            return None
        _, records, matched, ours, theirs, differing, claimed, count = _COUNTS.unpack_from(value)
        if len(value) != _COUNTS.size + count * _FINDING.size:
            return None
        rows = _FINDING.iter_unpack(value[_COUNTS.size :])
        findings = tuple(Finding(_VERDICTS[row[0]], *row[1:]) for row in rows)
        return cls(records, matched, ours, theirs, differing, claimed, findings)

    @property
    def differences(self) -> tuple[Finding, ...]:
        """The findings that are no matches."""
        return tuple(one for one in self.findings if one.verdict != Verdict.MATCHED)


def _records(request: bytes) -> Iterator[tuple[int, bytes]]:
    """(field, value) of a redacted request: u8 field, u16 size, value."""
    offset = 0
    while offset + 3 <= len(request):
        size = int.from_bytes(request[offset + 1 : offset + 3], "little")
        yield request[offset], request[offset + 3 : offset + 3 + size]
        offset += 3 + size
