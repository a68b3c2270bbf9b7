"""`posengine explain`: why a message fails, byte by byte. 解释报文错误"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from posengine import mac
from posengine.cli.decode import facts_of, head_of
from posengine.cli.message_input import (
    CANNOT_USE,
    Clear,
    Dialect,
    Form,
    Frame,
    IKnow,
    Output,
    Settings,
    bytes_of,
    may_clear,
    pieces_of,
    spec_of,
)
from posengine.codec import Explanation, Spec, explain
from posengine.codec.explain import Finding
from posengine.codec.picture import Row, picture
from posengine.errors import ArgumentFault, ImageError, KeyFault

app = typer.Typer(add_completion=False)
FOUND = 1


@app.command(name="explain")
def explain_(
    frame: Frame,
    spec: Dialect = "unionpay-terminal",
    set_: Settings = None,
    key: Annotated[
        str | None,
        typer.Option(help="test MAC key in hex; stays in the shell's history: test keys only"),
    ] = None,
    format_: Form = Output.TABLE,
    clear: Clear = False,
    i_know: IKnow = False,
) -> None:
    """Say what a message is and what is wrong with it: the byte, the rule, likely causes. 解释报文

    Says the kind, missing and forbidden fields, what the MAC covers and, with --key, whether it
    matches. Causes marked "tried" were: with that reading the whole message parses. Exit code 1
    where something is wrong.

    Example: posengine explain --key 3333333333333333 capture.hex
    """
    try:
        dialect = spec_of(spec, set_)
        secret = _key_of(key)
        all_found = [
            explain(dialect, piece, key=secret, compute=mac.compute)
            for piece in pieces_of(dialect, bytes_of(frame))
        ]
        are_clear = [may_clear(found, clear=clear, i_know=i_know) for found in all_found]
    except (ArgumentFault, ImageError, KeyFault) as error:
        print(f"posengine explain: {error}", file=sys.stderr)
        raise typer.Exit(CANNOT_USE) from None
    for found, is_clear in zip(all_found, are_clear, strict=True):
        if format_ is Output.JSON:
            print(json.dumps(_facts(found, is_clear=is_clear), ensure_ascii=False))
        else:
            _show(dialect, found, Console(), is_clear=is_clear)
    if not all(found.is_good for found in all_found):
        raise typer.Exit(FOUND)


def _key_of(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ArgumentFault("--key is not hex") from None  # not repeated: it is a key


def _facts(found: Explanation, *, is_clear: bool) -> dict[str, Any]:
    facts = facts_of(found, is_clear=is_clear)
    facts["is_good"] = found.is_good
    facts["mac"] = None
    if found.mac is not None:
        facts["mac"] = {
            "algorithm": found.mac.algorithm, "output": found.mac.output,
            "covers_from": found.mac.offset, "covers_size": found.mac.size,
            "found": (found.mac.found or b"").hex().upper(), "matches": found.mac.verdict,
        }
    facts["findings"] = [
        {
            "status": each.status, "field": each.field, "part": each.part, "offset": each.offset,
            "wanted": each.wanted, "left": each.left, "rule": each.rule,
            "text": each.text, "text_zh": each.text_zh,
        }
        for each in found.findings
    ]
    facts["hints"] = [
        {"text": hint.text, "text_zh": hint.text_zh, "is_tried": hint.is_proved}
        for hint in found.hints
    ]
    return facts


def _show(spec: Spec, found: Explanation, console: Console, *, is_clear: bool) -> None:
    def say(line: str | Text, **style: Any) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True, **style)

    say(head_of(found))
    if found.fields:
        numbers = " ".join(str(view.number) for view in found.fields)
        say(f"fields read 已解析的域: {numbers}")
    if found.mac is not None:
        view = found.mac
        say(f"MAC {view.algorithm} covers {view.size} bytes from byte {view.offset} "
            f"(MAC覆盖{view.size}字节): {_verdict(view.verdict)}")
    for finding in found.findings:
        say("")
        say(_title(finding), style="bold red")
        if finding.rule:
            say(f"  rule 规则: {finding.rule}")
        if finding.wanted:
            say(f"  wanted 需要 {finding.wanted}, left 剩余 {finding.left}")
        for row in picture(spec, found, finding, clear=is_clear):
            for line in _row(row):
                say(line)
    for hint in found.hints:
        say("")
        say(f"{'tried 已验证' if hint.is_proved else 'hint 提示'}: {hint.text}",
            style="green" if hint.is_proved else "")
        say(f"  {hint.text_zh}")
    if found.is_good:
        say("nothing is wrong 未发现问题", style="green")


def _verdict(verdict: bool | None) -> str:
    if verdict is None:
        return "not checked, no --key 未校验"
    return "matches 一致" if verdict else "does not match 不一致"


def _title(finding: Finding) -> str:
    where = [f"field {finding.field}"] if finding.field else []
    where += [f"part {finding.part}"] if finding.part else []
    where += [f"byte {finding.offset}"] if finding.offset >= 0 else []
    return f"{finding.status} {', '.join(where)}: {finding.text} {finding.text_zh}"


def _row(row: Row) -> list[str]:
    head = f"  {row.offset:06d}  "
    lines = [head + " ".join(row.cells)]
    if row.marked >= 0:
        lines.append(" " * (len(head) + 3 * row.marked) + "^^")
    return lines
