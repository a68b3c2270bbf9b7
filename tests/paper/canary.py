"""Canaries: values that must not be found anywhere, and a scanner that finds them in any dress.

A canary is looked for as text, as BCD beginning at either nibble, as the hex of text and of BCD in
both cases, and as base64 at each of the three alignments.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

PAGE = 4096


def dresses(value: bytes | str) -> dict[str, bytes]:
    """Every form of a canary, by its name. Digits are text; other secrets are bytes."""
    raw = value if isinstance(value, bytes) else value.encode("ascii")
    forms = {"raw": raw}
    if isinstance(value, str) and all(character in "0123456789D=" for character in value):
        digits = value.replace("=", "D")
        forms["bcd"] = bytes.fromhex(digits[: len(digits) // 2 * 2])
        forms["bcd shifted"] = bytes.fromhex(digits[1:][: (len(digits) - 1) // 2 * 2])
    for name, form in list(forms.items()):
        forms[f"{name}, hex"] = form.hex().encode()
        forms[f"{name}, HEX"] = form.hex().upper().encode()
        for shift in range(3):
            # What does not depend on the neighbours: whole groups of three bytes.
            body = form[-shift % 3 :] if shift else form
            body = body[: len(body) // 3 * 3]
            if len(body) >= 6:
                forms[f"{name}, base64 {shift}"] = base64.b64encode(body)
    return forms


def find(data: bytes, canaries: Mapping[str, bytes | str]) -> list[str]:
    """What was found in ``data``: "track: bcd"."""
    return [
        f"{name}: {dress}"
        for name, value in canaries.items()
        for dress, form in dresses(value).items()
        if form in data
    ]


def find_in_files(paths: Iterable[Path], canaries: Mapping[str, bytes | str]) -> list[str]:
    """The same in files; each finding begins with its file."""
    return [
        f"{path.name}: {finding}"
        for path in paths
        if path.is_file()
        for finding in find(path.read_bytes(), canaries)
    ]


def memory_of(process: int) -> Iterable[bytes]:
    """Everything that a core dump of a process could hold, in runs of pages that are there.

    What was promised and never touched is not read: reading would make it.
    """
    maps = Path(f"/proc/{process}/maps").read_text().splitlines()
    with (
        open(f"/proc/{process}/mem", "rb", buffering=0) as memory,
        open(f"/proc/{process}/pagemap", "rb", buffering=0) as pagemap,
    ):
        for line in maps:
            span, rights, *rest = line.split()
            if not rights.startswith("rw") or rest[-1:] == ["[vvar]"]:
                continue
            first, last = (int(end, 16) // PAGE for end in span.split("-"))
            pagemap.seek(first * 8)
            entries = pagemap.read((last - first) * 8)
            states = struct.unpack(f"<{len(entries) // 8}Q", entries)
            for begin, end in _runs(states):
                memory.seek((first + begin) * PAGE)
                yield memory.read((end - begin) * PAGE)


def _runs(states: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Runs of pages that are in memory or swapped out: bits 63 and 62 of their entries."""
    begin = None
    for index, state in enumerate((*states, 0)):
        is_there = state >> 62 != 0
        if is_there and begin is None:
            begin = index
        elif not is_there and begin is not None:
            yield begin, index
            begin = None
