"""The terminals of a simulation: who they are, with their master keys in clear.

    tid,mid,tmk
    00000001,898000000000001,0123456789ABCDEF1123456789ABCDEF

The same file goes to ``posengine keys import`` for the host's side. A real terminal keeps its
master key in hardware; this is for test keys, and is written so that only its owner reads it. How
a terminal signs on (60.3) stands in a column ``sign_on``, or follows from its place in the file.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from posengine.errors import PosError, Whose
from posengine.simulate.terminal import Identity

HEADER = ("tid", "mid", "tmk")
SIGN_ONS = ("003", "004", "001")
TERMINALS_MAX = 100_000


class TerminalsFault(PosError):
    """A file of terminals that cannot be used."""

    whose: ClassVar[Whose] = "operator"


def read_terminals(path: Path) -> list[Identity]:
    """Every terminal of a file, in its order. Raises: TerminalsFault naming the line."""
    try:
        with path.open(encoding="ascii", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise TerminalsFault(f"{path}: {error}") from None
    found: list[Identity] = []
    for number, row in enumerate(rows, start=2):
        where = f"{path}, line {number}"
        tid, mid, sign_on = (row.get(name) or "" for name in ("tid", "mid", "sign_on"))
        try:
            tmk = bytes.fromhex(row.get("tmk") or "")
        except ValueError:
            raise TerminalsFault(f"{where}: tmk is hexadecimal") from None
        if len(tid) != 8 or len(mid) != 15:
            raise TerminalsFault(f"{where}: a tid has 8 characters, a mid 15")
        if len(tmk) not in (8, 16):
            raise TerminalsFault(f"{where}: a tmk is 8 or 16 bytes, this one is {len(tmk)}")
        if not sign_on:
            sign_on = SIGN_ONS[len(found) % len(SIGN_ONS)] if len(tmk) == 16 else "001"
        if sign_on not in SIGN_ONS:
            raise TerminalsFault(f"{where}: sign_on is one of {', '.join(sorted(SIGN_ONS))}")
        found.append(Identity(tid, mid, tmk, sign_on))
    if not 1 <= len(found) <= TERMINALS_MAX:
        raise TerminalsFault(f"{path} holds {len(found)} terminals: 1 to {TERMINALS_MAX}")
    return found


def write_terminals(path: Path, identities: Iterable[Identity]) -> None:
    """A file that ``read_terminals`` reads, for its owner's eyes."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for one in identities:
            writer.writerow((one.tid, one.mid, one.tmk.hex().upper()))


def make_terminals(count: int, *, merchants: int, seed: int) -> list[Identity]:
    """Test terminals 00000001 and on, shared out over merchants, with keys drawn from the seed."""
    return [
        Identity(
            tid=f"{number:08d}",
            mid=f"8980000{(number - 1) % merchants + 1:08d}",
            tmk=_test_key(f"{seed}/{number}"),
            sign_on=SIGN_ONS[(number - 1) % len(SIGN_ONS)],
        )
        for number in range(1, count + 1)
    ]


def choose_terminals(identities: Sequence[Identity], choice: str) -> list[Identity]:
    """The first N, or those of a list of TIDs. Raises: TerminalsFault."""
    if not choice:
        return list(identities)
    by_tid = {one.tid: one for one in identities}
    words = choice.split(",")
    if all(word in by_tid for word in words):
        return [by_tid[word] for word in words]
    if choice.isdigit() and 1 <= int(choice) <= len(identities):
        return list(identities[: int(choice)])
    raise TerminalsFault(
        f"--terminals {choice}: neither TIDs of the file nor a number up to {len(identities)}"
    )


def _test_key(text: str) -> bytes:
    """A double-length DES key of odd parity, its halves different."""
    digest = hashlib.sha256(f"posengine test terminal {text}".encode()).digest()[:16]
    return bytes(byte & 0xFE | (byte >> 1).bit_count() + 1 & 1 for byte in digest)
