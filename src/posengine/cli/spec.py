"""`posengine spec`: list, show, check and compile dialects. 报文规范"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from posengine.cli.message_input import CANNOT_USE, Form, Output, Settings, spec_of
from posengine.codec import Spec, dialect_names
from posengine.errors import ArgumentFault, ImageError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="List, show, check and compile dialects. 报文规范\n\n"
    "A dialect is a TOML file; docs/reference/spec_format.md explains every key.",
)
FOUND = 1

Name = Annotated[str, typer.Argument(help="a dialect's name or TOML file", metavar="DIALECT")]


def _fail(error: Exception, code: int = CANNOT_USE) -> NoReturn:
    print(f"posengine spec: {error}", file=sys.stderr)
    raise typer.Exit(code)


def _loaded(name: str, settings: list[str] | None = None) -> Spec:
    try:
        return spec_of(name, settings)
    except (ArgumentFault, ImageError) as error:
        _fail(error)


def _say(fact: Any) -> None:
    print(json.dumps(fact, ensure_ascii=False))


@app.command("list")
def list_(format_: Form = Output.TABLE) -> None:
    """The dialects that are shipped.

    Example: posengine spec list
    """
    facts = [
        {
            "name": spec.name, "title": spec.title, "title_zh": spec.title_zh,
            "fields": len(spec.fields), "kinds": len(spec.document.get("kind", [])),
            "digest": spec.digest,
        }
        for spec in map(Spec.load, dialect_names())
    ]
    if format_ is Output.JSON:
        _say(facts)
        return
    table = Table(header_style="bold", box=None)
    for column in ("name", "title", "fields", "kinds", "digest"):
        table.add_column(column, overflow="fold")
    for fact in facts:
        table.add_row(str(fact["name"]), f"{fact['title']} {fact['title_zh']}",
                      str(fact["fields"]), str(fact["kinds"]), str(fact["digest"])[:16])
    Console().print(table)


@app.command()
def show(name: Name, set_: Settings = None, format_: Form = Output.TABLE) -> None:
    """Fields and kinds of a dialect, its settings applied.

    Example: posengine spec show unionpay-terminal
    """
    spec = _loaded(name, set_)
    kinds = spec.document.get("kind", [])
    if format_ is Output.JSON:
        fields = [fact._asdict() for fact in spec.fields.values()]
        _say({"name": spec.name, "digest": spec.digest, "fields": fields, "kinds": kinds})
        return
    console = Console()
    console.print(f"{spec.name} · {spec.title} {spec.title_zh} · {spec.digest}", highlight=False)
    table = Table(header_style="bold", box=None)
    for column in ("field", "name 名称", "form", "secrecy"):
        table.add_column(column, overflow="fold")
    for fact in spec.fields.values():
        table.add_row(str(fact.number), f"{fact.name} {fact.name_zh}", fact.rule, fact.secrecy)
    console.print(table, markup=False)
    table = Table(header_style="bold", box=None)
    for column in ("kind", "name 名称", "type", "asks for", "MAC"):
        table.add_column(column, overflow="fold")
    for kind in kinds:
        asked = [
            f"{key} {'/'.join(kind[key])}"
            for key in ("processing", "condition", "type", "network", "entry")
            if kind.get(key)
        ]
        macs = "".join(
            letter if kind.get(key) else "-"
            for key, letter in (("request_mac", "q"), ("answer_mac", "a"))
        )
        table.add_row(kind["kind"], f"{kind['name']} {kind.get('name_zh', '')}",
                      f"{kind['mti']}/{kind.get('answer') or '-'}", ", ".join(asked), macs)
    console.print(table, markup=False)


@app.command()
def settings(name: Name, format_: Form = Output.TABLE) -> None:
    """What may be set without a file of one's own, and what it is now.

    Example: posengine spec settings unionpay-terminal
    """
    spec = _loaded(name)
    facts = [
        {
            "path": path, "value": _at(spec.document, path), "allowed": knob.get("allowed", []),
            "title": knob.get("title", ""), "title_zh": knob.get("title_zh", ""),
        }
        for path, knob in spec.document.get("settings", {}).items()
    ]
    if format_ is Output.JSON:
        _say(facts)
        return
    table = Table(header_style="bold", box=None)
    for column in ("path", "value", "allowed", "what 说明"):
        table.add_column(column, overflow="fold")
    for fact in facts:
        table.add_row(fact["path"], json.dumps(fact["value"]),
                      " ".join(map(str, fact["allowed"])), f"{fact['title']} {fact['title_zh']}")
    Console().print(table, markup=False)


def _at(document: Any, path: str) -> Any:
    """The value that a setting's dotted path leads to; None where it is not written down."""
    for step in path.split("."):
        if isinstance(document, list):
            document = next((each for each in document if each.get("name") == step), None)
        else:
            document = document.get(step) if isinstance(document, dict) else None
    return document


@app.command()
def check(name: Name, set_: Settings = None) -> None:
    """Compile a dialect and say what is wrong: file, key, rule. Exit code 1 where something is.

    Example: posengine spec check mine.toml
    """
    try:
        spec = spec_of(name, set_)
    except ArgumentFault as error:
        _fail(error)
    except ImageError as error:
        _fail(error, FOUND)
    print(f"{spec.name}: fine, {len(spec.fields)} fields, "
          f"{len(spec.document.get('kind', []))} kinds, digest {spec.digest}")


@app.command("compile")
def compile_(
    name: Name,
    output: Annotated[Path, typer.Option("--output", "-o", help="where the image goes")],
    set_: Settings = None,
) -> None:
    """Write the image that a C program hands to pos_spec_open.

    Example: posengine spec compile unionpay-terminal -o unionpay.posspec
    """
    spec = _loaded(name, set_)
    try:
        output.write_bytes(spec.image)
    except OSError as error:
        print(f"posengine spec: {output}: {error.strerror}", file=sys.stderr)
        raise typer.Exit(3) from None
    print(f"{output}: {len(spec.image):,} bytes, digest {spec.digest}")
