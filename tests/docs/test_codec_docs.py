"""Goal: what the pages of the codec say is so.

Method: the Python of docs/reference/python.md runs; an image is read again by the offsets of
docs/reference/spec_image.md alone, and compared with the document that it was made of.
"""

from __future__ import annotations

import hashlib
import re
import struct
from pathlib import Path
from typing import Any

from posengine.codec import Spec
from posengine.codec.compile import MEANINGS, ROLES

HOME = Path(__file__).resolve().parents[2]
SIZES = (32, 24, 32, 8, 12, 96, 8, 32, 1)


def blocks(page: str, heading: str) -> list[str]:
    text = (HOME / "docs" / "reference" / page).read_text()
    section = text.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```python\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_codec_run() -> None:
    names: dict[str, Any] = {}
    found = blocks("python.md", "Messages")
    assert len(found) == 2
    for block in found:
        exec(compile(block, "python.md", "exec"), names)


def sections(image: bytes) -> list[list[bytes]]:
    found = []
    for index, size in enumerate(SIZES):
        offset, count = struct.unpack_from("<II", image, 40 + 8 * index)
        found.append([image[offset + size * at : offset + size * at + size] for at in range(count)])
    return found


def test_an_image_is_as_its_page_says() -> None:
    spec = Spec.load("unionpay-terminal")
    image, document = spec.image, spec.document
    assert image[:8] == b"POSSPEC\0"
    assert struct.unpack_from("<II", image, 8) == (1, len(image))
    bare = bytearray(image)
    bare[16:20] = bytes(4)
    bare[24:40] = bytes(16)
    assert hashlib.blake2b(bare, digest_size=16).digest() == image[24:40]

    fields, layouts, parts, _, _, rules, roles, keys, heap = sections(image)
    text = b"".join(heap)

    def string(record: bytes, at: int) -> str:
        start = struct.unpack_from("<I", record, at)[0]
        return text[start : text.index(b"\0", start)].decode()

    assert string(image, 112) == "unionpay-terminal"
    assert image[132:137].hex() == document["frame"]["tpdu_default"]
    assert image[140 : 140 + image[138]].hex() == document["frame"]["header_default"]
    assert [record[0] for record in fields] == sorted(map(int, document["field"]))
    for record in fields:
        said = document["field"][str(record[0])]
        assert string(record, 16) == said["name"]
        assert ("", "n", "a", "an", "ans", "z", "b", "xn")[record[1]] == said["content"]
        high = struct.unpack_from("<H", record, 14)[0]
        assert high == said.get("size", said.get("size_max"))
    assert [string(record, 16) for record in layouts] == list(document["layout"])
    chip = layouts[list(document["layout"]).index("f55")]
    first, count = struct.unpack_from("<HH", chip, 6)
    tags = [struct.unpack_from("<I", part, 8)[0] for part in parts[first : first + count]]
    assert tags == sorted(int(tag, 16) for tag in document["layout"]["f55"]["tags"])
    assert [string(record, 12) for record in rules] == [kind["name"] for kind in document["kind"]]
    for record, kind in zip(rules, document["kind"], strict=True):
        mandatory = int.from_bytes(record[32:48], "little")
        assert mandatory == sum(1 << (number - 1) for number in kind["mandatory"])
        assert f"{struct.unpack_from('<H', record, 2)[0]:04x}" == kind["mti"]
    assert {ROLES[record[0]] for record in roles} == set(document["roles"])
    assert [struct.unpack_from("<HH", record) for record in keys] == [
        (int(code), block["size"]) for code, block in document["keys"]["block"].items()
    ]


def constants(header: str, prefix: str) -> list[str]:
    text = (HOME / "native" / "message" / header).read_text()
    found = re.findall(rf"^    {prefix}([A-Z0-9_]+),?", text, flags=re.MULTILINE)
    return [name.lower() for name in found if name not in ("COUNT", "LAST")]


def test_roles_and_meanings_are_those_of_the_core() -> None:
    assert constants("message.h", "POS_ROLE_") == list(ROLES)
    assert constants("spec.h", "POS_MEANING_") == ["none", *MEANINGS[1:]]
