"""What `decode` and `explain` share: bytes from hex, file or stdin; dialect, settings; the clear.

Secrets stay masked unless ``--clear`` is given, and then only where every account number in the
message is a published test card, or the user says ``--i-know``.
"""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from posengine.codec import Explanation, Spec
from posengine.errors import ArgumentFault, FrameError

INPUT_SIZE_MAX = 1 << 20
FRAMES_MAX = 10_000  # of the smallest size, more than the input holds of real ones
CANNOT_USE = 2


class Output(StrEnum):
    """How a person or a program gets it."""

    TABLE = "table"
    JSON = "json"


Frame = Annotated[
    str, typer.Argument(help="hex, a file with hex or bytes, or - for stdin", metavar="FRAME")
]
Dialect = Annotated[str, typer.Option("--spec", "-s", help="a dialect's name or TOML file 规范")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="a setting, as mac.output=raw; repeatable 设置")
]
Form = Annotated[Output, typer.Option("--format", help="table for a person, json for a program")]
Clear = Annotated[bool, typer.Option("--clear", help="show test data in the clear 显示明文")]
IKnow = Annotated[
    bool, typer.Option("--i-know", help="with --clear: also what is no known test card")
]


def spec_of(name: str, settings: list[str] | None) -> Spec:
    """The dialect with ``path=value`` settings; values are JSON where they read as such.

    Raises:
        ArgumentFault: a setting without ``=``.
        SpecError: no such dialect or setting.
    """
    chosen: dict[str, Any] = {}
    for each in settings or []:
        path, equals, text = each.partition("=")
        if not equals:
            raise ArgumentFault(f"--set {each}: path=value is wanted")
        chosen[path] = _value(text)
    return Spec.load(name, chosen)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def bytes_of(argument: str) -> bytes:
    """The bytes that a user means: hex (blanks do not count), a file, or ``-``.

    Raises:
        ArgumentFault: neither hex nor a file, or too much.
    """
    if argument == "-":
        return _hex_or_raw(sys.stdin.buffer.read(INPUT_SIZE_MAX + 1), "stdin")
    found = _hex(argument)
    if found is not None:
        return found
    path = Path(argument)
    try:
        with path.open("rb") as file:
            return _hex_or_raw(file.read(INPUT_SIZE_MAX + 1), str(path))
    except OSError as error:
        # The argument is not repeated: it may be a message with one wrong character.
        raise ArgumentFault(f"neither hex nor a readable file: {error.strerror}") from None


def _hex_or_raw(data: bytes, name: str) -> bytes:
    if len(data) > INPUT_SIZE_MAX:
        raise ArgumentFault(f"{name} is longer than {INPUT_SIZE_MAX:,} bytes")
    try:
        found = _hex(data.decode("ascii"))
    except UnicodeDecodeError:
        return data
    return data if found is None else found


def _hex(text: str) -> bytes | None:
    packed = "".join(text.split())
    try:
        return bytes.fromhex(packed.removeprefix("0x"))
    except ValueError:
        return None


def pieces_of(spec: Spec, data: bytes) -> list[bytes]:
    """The frames of a capture one by one; what follows the last whole one is a piece too."""
    pieces: list[bytes] = []
    while len(pieces) < FRAMES_MAX:
        try:
            frame, used = spec.unframe(data)
        except FrameError:
            frame, used = None, 0
        if frame is None or used >= len(data):
            break
        pieces.append(data[:used])
        data = data[used:]
    return [*pieces, data]


def may_clear(found: Explanation, *, clear: bool, i_know: bool) -> bool:
    """Whether values may be shown in the clear.

    Raises:
        ArgumentFault: asked for, and the message holds what is no known test card.
    """
    if not clear:
        return False
    if found.is_test_card or i_know:
        return True
    raise ArgumentFault(
        "--clear shows known test cards only, and this message has none; --i-know overrides it "
        "(--clear 仅显示已知测试卡)"
    )
