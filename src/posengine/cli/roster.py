"""`posengine roster`: terminals, merchants and policy, checked and compiled. 终端、商户与规则"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from posengine.keys import KeyFile
from posengine.roster import Policy, Roster, RosterError, Terminal, names_of

FOUND = 1

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Check and compile terminals, merchants and policy. 终端、商户与规则\n\n"
    "Begin with:\n\n"
    "    posengine roster check terminals.toml --policy shop.toml --keys keys.jsonl\n\n"
    "docs/reference/policy.md tells every setting and column.",
)


class Output(StrEnum):
    """How a person or a program gets it."""

    TABLE = "table"
    JSON = "json"


Terminals = Annotated[
    Path | None, typer.Argument(metavar="ROSTER", help="terminals, .toml or .csv 终端文件")
]
PolicyPath = Annotated[
    Path | None, typer.Option("--policy", "-p", help="what differs from the shipped policy")
]
KeysPath = Annotated[Path | None, typer.Option("--keys", "-k", help="the key file: sealed TMKs")]
Form = Annotated[Output, typer.Option("--format", help="table for a person, json for a program")]


def _roster(path: Path | None, keys: Path | None) -> Roster | None:
    if path is None:
        return None
    return Roster.load(path, keys=KeyFile.load(keys).records if keys else None)


def _summary(roster: Roster | None, policy: Policy, *, has_keys: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "policy": {
            "file": policy.path,
            "digest": policy.digest,
            "card_ranges": len(policy.ranges),
            "certification": bool(policy.certification_kinds),
        }
    }
    if roster is not None:
        keyless = [one.tid for one in roster.terminals if one.key is None] if has_keys else []
        facts["roster"] = {
            "file": roster.path,
            "digest": roster.digest,
            "terminals": len(roster.terminals),
            "merchants": len({one.mid for one in roster.terminals}),
            "locked": sum(one.locked or not one.active for one in roster.terminals),
            "without_key": keyless,
        }
    return facts


def _print(facts: dict[str, Any], form: Output) -> None:
    if form is Output.JSON:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    table = Table(box=None, show_header=False, padding=(0, 2))
    for part, values in facts.items():
        for name, value in values.items():
            shown = ", ".join(value) if isinstance(value, list) else str(value)
            table.add_row(f"[bold]{part}[/]", name.replace("_", " "), shown or "-")
    Console(soft_wrap=True).print(table)


@app.command()
def check(
    roster: Terminals = None,
    policy: PolicyPath = None,
    keys: KeysPath = None,
    form: Form = Output.TABLE,
) -> None:
    """Read the files as the engine would, and say what is wrong with them. 检查

    A mistake is one line: file, line, key and rule. With --keys, terminals without a master key are
    named: they cannot sign on. Exit code 1: something is wrong.

    Example:

        posengine roster check terminals.toml --policy shop.toml --keys keys.jsonl
    """
    try:
        found = _roster(roster, keys)
        facts = _summary(found, Policy.load(policy), has_keys=keys is not None)
    except RosterError as error:
        print(f"posengine: {error}", file=sys.stderr)
        raise typer.Exit(FOUND) from None
    _print(facts, form)
    if facts.get("roster", {}).get("without_key"):
        raise typer.Exit(FOUND)


@app.command(name="compile")
def compile_(
    roster: Terminals = None,
    policy: PolicyPath = None,
    keys: KeysPath = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="an existing folder")] = Path(),
    form: Form = Output.TABLE,
) -> None:
    """Write roster.img and policy.img, as an embedding program loads them. 编译为映像

    `posengine serve` compiles by itself; C programs (docs/howto/embed.md) take these files. Master
    keys stay sealed in them.

    Example:

        posengine roster compile terminals.toml --keys keys.jsonl --output images/
    """
    found, rules = _roster(roster, keys), Policy.load(policy)
    written: dict[str, Any] = {}
    for name, image in (("roster", found), ("policy", rules)):
        if image is None:
            continue
        target = output / f"{name}.img"
        data = image.compile()
        try:
            target.write_bytes(data)
        except OSError as error:
            raise RosterError(str(target), 0, "", f"cannot be written: {error.strerror}") from None
        written[name] = {"file": str(target), "bytes": len(data), "digest": image.digest}
    _print(written, form)


def _row(one: Terminal) -> dict[str, Any]:
    facts = {name: value for name, value in asdict(one).items() if name not in ("key", "kind_mask")}
    facts["amount_max_minor"] = one.amount_max_minor
    facts["line_nii"] = f"{one.line_nii:04X}" if one.line_nii else ""
    facts["kinds"] = names_of(one.kind_mask)
    facts["kcv"] = one.key.kcv.hex().upper() if one.key else ""
    return facts


@app.command()
def show(
    roster: Annotated[Path, typer.Argument(metavar="ROSTER", help="terminals, .toml or .csv")],
    tid: Annotated[str | None, typer.Argument(metavar="TID", help="only this terminal")] = None,
    keys: KeysPath = None,
    form: Form = Output.TABLE,
) -> None:
    """Terminals as they will be loaded; of keys the check value only. 显示终端

    Exit code 1: no such terminal.

    Example:

        posengine roster show terminals.toml 12345678 --keys keys.jsonl
    """
    found = _roster(roster, keys)
    assert found is not None
    rows = [_row(one) for one in found.terminals if tid in (None, one.tid)]
    if form is Output.JSON:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        table = Table(box=None, padding=(0, 1))
        for name in ("tid", "mid", "merchant", "currency", "standing", "kinds", "kcv"):
            table.add_column(name, no_wrap=name in ("tid", "mid", "kcv"))
        for row in rows:
            words = [word for word in ("locked", "no_pinpad", "test") if row[word]]
            table.add_row(
                row["tid"], row["mid"], row["merchant_name"], str(row["currency"]),
                " ".join(["active" if row["active"] else "inactive", *words]),
                " ".join(row["kinds"]), row["kcv"] or "-",
            )  # fmt: skip
        Console(soft_wrap=True).print(table)
    if not rows:
        raise typer.Exit(FOUND)
