"""Loads the shared vectors: markdown under tests/vectors, one or more of them a file.

A vector is a heading, a few ``Word: value`` lines, and fenced blocks:

    # Sale, magnetic stripe             the title (also ## and below)
    Source: made by hand.               required
    Dialect: unionpay-terminal
    Form: frame                         frame (with length, TPDU, header) or body

    ```hex                              spaces and line ends do not count
    ```events                           what parsing gives, in order; or
    ```fault                            what is wrong: STATUS field=n part=n off=n wanted=n left=n

Events (offsets are from the first byte of the hex):

    off=0   frame size=116
    off=2   tpdu 6000030000
    off=7   header 603100310000
    off=13  mti 0200
    off=15  bitmap 3 4 11 22 25
    off=23  field 3 "000000"            text in quotes, JSON escapes; bytes as x'0A1B'
    off=26  part 60.type "22"           after its field
    off=116 end
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VECTORS = Path(__file__).parents[1] / "vectors"


@dataclass(frozen=True, slots=True)
class Vector:
    """One vector; ``words`` are its ``Word: value`` lines, ``blocks`` its fenced blocks by name."""

    path: Path
    title: str
    words: dict[str, str]
    blocks: dict[str, str]

    @property
    def name(self) -> str:
        """Unique, for test ids."""
        return f"{self.path.stem}: {self.title}"

    @property
    def data(self) -> bytes:
        """The bytes of the hex block."""
        return bytes.fromhex("".join(self.blocks["hex"].split()))

    @property
    def is_frame(self) -> bool:
        """True where the bytes begin with length, TPDU and header."""
        return self.words.get("Form") == "frame"

    def events(self) -> list[str]:
        """The events, spaces evened out."""
        lines = self.blocks["events"].strip().splitlines()
        return [re.sub(r"^(off=\d+) +", r"\1 ", line.rstrip()) for line in lines]

    def fault(self) -> dict[str, str]:
        """The fault: ``status`` and the numbers that the vector names."""
        status, *numbers = self.blocks["fault"].split()
        return {"status": status, **dict(number.split("=") for number in numbers)}


def vectors(folder: str) -> list[Vector]:
    """Every vector of one folder, in order of file and place."""
    return [
        vector
        for path in sorted((VECTORS / folder).glob("*.md"))
        if path.stem != "README"
        for vector in _of_file(path)
    ]


def _of_file(path: Path) -> Iterator[Vector]:
    text = path.read_text(encoding="utf-8")
    for section in re.split(r"^(?=#{1,4} )", text, flags=re.MULTILINE):
        blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL))
        if "hex" not in blocks:
            continue
        title = section.partition("\n")[0].lstrip("# ").strip()
        plain = re.sub(r"^```.*?^```", "", section, flags=re.MULTILINE | re.DOTALL)
        words = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", plain, flags=re.MULTILINE))
        if "Source" not in words:
            raise ValueError(f"{path.name}: {title!r} does not say its Source")
        yield Vector(path, title, words, blocks)


def shown(value: str | bytes) -> str:
    """A value as the events write it."""
    if isinstance(value, bytes):
        return f"x'{value.hex().upper()}'"
    return json.dumps(value, ensure_ascii=False)
