"""`posengine mac`: compute, check and explain MACs. 计算与校验MAC"""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from posengine import mac as macs
from posengine.codec import Spec
from posengine.errors import FrameError, KeySize, MacAbsent, MacMismatch

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Compute, check and explain MACs. 计算与校验MAC\n\n"
    "DATA is what the MAC covers, in hex; with --spec it is a whole frame or message, and the"
    " dialect says what is covered, how, and what field 64 should hold.\n\n"
    "The key comes from --key (for tests: other users see it), --key-file, or $POSENGINE_MAC_KEY.",
)

KEY_VARIABLE = "POSENGINE_MAC_KEY"
FOUND, WRONG_USE = 1, 2

Algorithm = StrEnum("Algorithm", {name: name for name in macs.ALGORITHMS})  # type: ignore[misc]


class Form(StrEnum):
    """The forms of a result."""

    FIELD = "field"
    RAW = "raw"
    HEX = "hex"


class Output(StrEnum):
    """How a person or a program gets it."""

    TABLE = "table"
    JSON = "json"


class Asked(NamedTuple):
    """What the MAC is to be made of, and what the message carries, if there is a message."""

    algorithm: str
    key: bytes
    covered: bytes
    output: str
    size: int | None
    carried: bytes | None


Data = Annotated[str, typer.Argument(metavar="DATA", help="hex; - is standard input")]
AlgorithmOption = Annotated[
    Algorithm | None,
    typer.Option("--algorithm", "-a", help="else the dialect's, or unionpay-ecb"),
]
KeyOption = Annotated[str, typer.Option("--key", help="the clear key in hex")]
KeyFileOption = Annotated[Path | None, typer.Option(help="a file that holds the key in hex")]
SpecOption = Annotated[
    str, typer.Option("--spec", "-s", help="DATA is a frame or message of this dialect")
]
FormOption = Annotated[Form, typer.Option("--output", help="field: the algorithm's usual form")]
SizeOption = Annotated[int | None, typer.Option(min=1, max=64, help="bytes to keep, from the left")]
Format = Annotated[Output, typer.Option("--format", help="table for a person, json for a program")]


def _wrong(text: str) -> typer.Exit:
    print(f"posengine: {text}", file=sys.stderr)
    return typer.Exit(WRONG_USE)


def _hex(text: str, what: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        # It may be a key: it is not shown.
        raise _wrong(f"{what}: not hex") from None


def _key(text: str, path: Path | None) -> bytes:
    """The key from whichever place gives it; whether it fits is told with the algorithm."""
    if path is not None:
        try:
            return _hex(path.read_text("ascii"), str(path))
        except (OSError, UnicodeDecodeError):
            raise _wrong(f"{path}: cannot be read") from None
    text = text or os.environ.get(KEY_VARIABLE, "")
    if not text:
        raise _wrong(f"a key is needed: --key, --key-file or ${KEY_VARIABLE}")
    return _hex(text, "key")


def _asked(
    data: str, chosen: Algorithm | None, key: bytes, spec_name: str, output: str, size: int | None
) -> Asked:
    algorithm = chosen.value if chosen else None
    given = _hex(sys.stdin.read() if data == "-" else data, "DATA")
    if spec_name:
        spec = Spec.load(spec_name)
        cover = spec.mac_cover(_body(spec, given))
        size = size or (len(cover.mac) if cover.mac else None)
        form = output if output != "field" else cover.output
        asked = Asked(algorithm or cover.algorithm, key, cover.covered, form, size, cover.mac)
    else:
        asked = Asked(algorithm or "unionpay-ecb", key, given, output, size, None)
    _computed(asked)  # whatever is wrong with what was asked is told here
    return asked


def _body(spec: Spec, given: bytes) -> bytes:
    """The message in a whole frame; what is no frame is a message."""
    try:
        frame, size = spec.unframe(given)
    except FrameError:
        return given
    return frame.body if frame is not None and size == len(given) else given


@app.command()
def compute(
    data: Data,
    algorithm: AlgorithmOption = None,
    key: KeyOption = "",
    key_file: KeyFileOption = None,
    spec: SpecOption = "",
    output: FormOption = Form.FIELD,
    size: SizeOption = None,
    form: Format = Output.TABLE,
) -> None:
    """The MAC of DATA, in hex and as text where it is text. 计算MAC

    Example: posengine mac compute 30313233343536373839414243 --key 575B6B798C761992
    """
    asked = _asked(data, algorithm, _key(key, key_file), spec, output.value, size)
    mac = _computed(asked)
    text = mac.decode() if mac.isalnum() else ""
    if form is Output.JSON:
        fact = {"algorithm": asked.algorithm, "covered": len(asked.covered)}
        print(json.dumps({**fact, "mac": mac.hex().upper(), "text": text}))
    else:
        print(f"{mac.hex().upper()}  {text}".rstrip())


@app.command()
def verify(
    data: Data,
    mac: Annotated[
        str, typer.Argument(metavar="[MAC]", help="in hex; with --spec the message's own")
    ] = "",
    algorithm: AlgorithmOption = None,
    key: KeyOption = "",
    key_file: KeyFileOption = None,
    spec: SpecOption = "",
    output: FormOption = Form.FIELD,
    size: SizeOption = None,
    form: Format = Output.TABLE,
) -> None:
    """Whether MAC is the MAC of DATA. Exit code 1 where it is not. 校验MAC

    Example: posengine mac verify 30313233343536373839414243 3342364142304238 --key 575B6B798C761992
    """
    asked = _asked(data, algorithm, _key(key, key_file), spec, output.value, size)
    carried = _hex(mac, "MAC") if mac else asked.carried
    if carried is None:
        raise MacAbsent("there is no MAC to verify: give it, or a message that carries one")
    try:
        macs.verify(
            asked.algorithm, asked.key, asked.covered, carried,
            output=asked.output, size=asked.size,
        )
        is_right = True
    except MacMismatch:
        is_right = False
    if form is Output.JSON:
        print(json.dumps({"algorithm": asked.algorithm, "right": is_right}))
    else:
        wrong = "wrong 错误: another key, another algorithm, or altered"
        print("right 正确" if is_right else wrong)
    if not is_right:
        raise typer.Exit(FOUND)


@app.command()
def explain(
    data: Data,
    algorithm: AlgorithmOption = None,
    key: KeyOption = "",
    key_file: KeyFileOption = None,
    spec: SpecOption = "",
    form: Format = Output.TABLE,
) -> None:
    """Every step of the MAC of DATA, to hold beside another implementation's. 逐步解释MAC

    Example: posengine mac explain 30313233343536373839414243 --key 575B6B798C761992
    """
    asked = _asked(data, algorithm, _key(key, key_file), spec, "field", None)
    found = macs.steps(asked.algorithm, asked.key, asked.covered)
    facts = [{"step": step.name, "value": step.value, "note": step.note} for step in found]
    if asked.carried is not None:
        facts.append(_carried(asked))
    if form is Output.JSON:
        print(json.dumps({"algorithm": asked.algorithm, "steps": facts}, ensure_ascii=False))
        return
    table = Table(title=f"{asked.algorithm}, {len(asked.covered)} bytes covered",
                  title_justify="left", header_style="bold")
    for name in ("step", "value", "note"):
        table.add_column(name, overflow="fold")
    for fact in facts:
        table.add_row(*fact.values())
    Console().print(table)


def _computed(asked: Asked) -> bytes:
    try:
        return macs.compute(
            asked.algorithm, asked.key, asked.covered, output=asked.output, size=asked.size
        )
    except (ValueError, KeySize) as error:
        raise _wrong(str(error)) from None


def _carried(asked: Asked) -> dict[str, str]:
    carried = asked.carried or b""
    is_right = carried == _computed(asked)
    text = carried.decode() if carried.isalnum() else ""
    note = f"{text} {'right 正确' if is_right else 'wrong 错误'}".strip()
    return {"step": "carried", "value": carried.hex().upper(), "note": note}
