"""`posengine decode`: one message, field by field. 逐域解析报文"""

from __future__ import annotations

import json
import sys
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

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
from posengine.codec import Explanation, explain
from posengine.codec.explain import Finding
from posengine.errors import ArgumentFault, ImageError

app = typer.Typer(add_completion=False)
FOUND = 1


@app.command()
def decode(
    frame: Frame,
    spec: Dialect = "unionpay-terminal",
    set_: Settings = None,
    format_: Form = Output.TABLE,
    clear: Clear = False,
    i_know: IKnow = False,
) -> None:
    """Show a message field by field: a whole frame or a body, found by itself. 逐域解析报文

    A capture of several frames is shown frame by frame, in JSON a line each. Account numbers,
    tracks, PIN blocks and the like are masked. Exit code 1 where the message does
    not parse: `posengine explain` says why.

    Example: posengine decode 003C600620000060310031131208000020000000C00012...
    """
    try:
        dialect = spec_of(spec, set_)
        all_found = [
            explain(dialect, piece, seek_causes=False)
            for piece in pieces_of(dialect, bytes_of(frame))
        ]
        are_clear = [may_clear(found, clear=clear, i_know=i_know) for found in all_found]
    except (ArgumentFault, ImageError) as error:
        print(f"posengine decode: {error}", file=sys.stderr)
        raise typer.Exit(CANNOT_USE) from None
    worst = None
    for found, is_clear in zip(all_found, are_clear, strict=True):
        if format_ is Output.JSON:
            print(json.dumps(facts_of(found, is_clear=is_clear), ensure_ascii=False))
        else:
            show(found, Console(), is_clear=is_clear)
        worst = worst or next((each for each in found.findings if _is_of_form(each)), None)
    if worst is not None:
        print(f"posengine decode: {worst.text} (field {worst.field}, byte {worst.offset}); "
              "posengine explain says why", file=sys.stderr)
        raise typer.Exit(FOUND)


def _is_of_form(finding: Finding) -> bool:
    """True for what keeps a message from being read, false for what its kind demands."""
    return finding.status.startswith(("FRAME_", "FIELD_")) and finding.offset >= 0


def facts_of(found: Explanation, *, is_clear: bool) -> dict[str, Any]:
    """The message as plain facts, masked unless ``is_clear``."""
    return {
        "dialect": found.dialect, "form": found.form, "mti": found.mti, "tpdu": found.tpdu,
        "header": found.header, "kind": found.kind, "kind_zh": found.kind_zh,
        "is_answer": found.is_answer, "body_offset": found.body_offset, "size": found.size,
        "fields": [
            {
                "field": view.number, "name": view.name, "name_zh": view.name_zh,
                "offset": view.offset, "size": view.size, "rule": view.rule,
                "value": view.clear if is_clear else view.shown,
                "parts": [
                    {
                        "key": part.key, "name": part.name, "name_zh": part.name_zh,
                        "offset": part.offset, "size": part.size,
                        "value": part.clear if is_clear else part.shown,
                    }
                    for part in view.parts
                ],
            }
            for view in found.fields
        ],
    }


def head_of(found: Explanation) -> str:
    """One line: what it is."""
    kind = f"{found.kind} {found.kind_zh}" + (" (answer 应答)" if found.is_answer else "")
    words = [found.dialect, found.form, f"{found.size} bytes"]
    words += [f"TPDU {found.tpdu}"] if found.tpdu else []
    words += [f"header {found.header}"] if found.header else []
    words += [f"MTI {found.mti}"] if found.mti else []
    words += [kind] if found.kind else []
    return " · ".join(words)


def show(found: Explanation, console: Console, *, is_clear: bool) -> None:
    """The table for a person."""
    console.print(head_of(found), highlight=False, markup=False)
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("off", justify="right", style="dim")
    table.add_column("field", justify="right")
    table.add_column("name", overflow="fold")
    table.add_column("value", overflow="fold")
    for view in found.fields:
        value = view.clear if is_clear else view.shown
        if view.parts and not is_clear:
            value = ""
        table.add_row(str(view.offset), str(view.number), f"{view.name} {view.name_zh}", value)
        for part in view.parts:
            indent = "  " * (part.depth + 1)
            name = " ".join(word for word in (part.name, part.name_zh) if word and word != part.key)
            table.add_row(str(part.offset), "", f"{indent}{part.key} {name}".rstrip(),
                          part.clear if is_clear else part.shown)
    console.print(table, highlight=False, markup=False)
