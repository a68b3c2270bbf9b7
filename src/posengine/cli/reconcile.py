"""`posengine reconcile`: the journal against statements and terminal batches. 对账"""

from __future__ import annotations

import csv
import getpass
import json
import sys
import time
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from posengine.desk import Desk
from posengine.dispatch import csv_cell
from posengine.errors import SystemFault
from posengine.journal import Journal
from posengine.reconcile import (
    BREAK_WORDS,
    BatchCheck,
    Break,
    Settlement,
    Side,
    check_batches,
    layout_text,
    load_layout,
    number_of,
    postings,
    read_statement,
    shipped_layouts,
    write_statement,
)
from posengine.reconcile import reconcile as compare
from posengine.settings import SettingsError
from posengine.vocabulary import digits_text, money_text

FOUND = 1

app = typer.Typer(add_completion=False)


class Output(StrEnum):
    """How a person or a program gets it."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


Where = Annotated[Path | None, typer.Option("--journal", help="the journal's directory")]
Form = Annotated[Output, typer.Option("--format", help="table for a person, json or csv")]
Date = Annotated[str | None, typer.Option("--date", help="business date, 2026-11-21")]
LayoutName = Annotated[
    str, typer.Option("--layout", help="a layout's name or TOML file; see `layout`")
]
Keep = Annotated[
    Path | None, typer.Option("--desk", help="keeps imports, and breaks that were explained")
]


@app.callback(invoke_without_command=True)
def reconcile(
    context: typer.Context,
    journal: Where = None,
    statement: Annotated[Path | None, typer.Option(help="their file", metavar="FILE")] = None,
    layout: LayoutName = "plain",
    date: Date = None,
    desk: Keep = None,
    form: Form = Output.TABLE,
) -> None:
    """Compare a business date of the journal with their statement; name each break. 对账

    Exit code 1: there are breaks. docs/howto/reconcile.md says what each kind means.

    Example:

        posengine reconcile --journal journal --statement bank.csv --layout plain --date 2026-11-21
    """
    if context.invoked_subcommand is not None:
        return
    if statement is None:
        raise SettingsError("--statement FILE is needed; or `reconcile batches`, see --help")
    on = _date(date)
    wanted = load_layout(layout)
    try:
        data = statement.read_bytes()
    except OSError as error:
        raise SystemFault(f"{statement}: {error.strerror}") from error
    read = read_statement(data, wanted, file=statement.name, on=on)
    with Journal.open(_needed(journal), readonly=True) as opened:
        settlement = compare(opened, read, on=on)
    closed: set[str] = set()
    if desk is not None:
        with Desk.open(desk, clock_ns=time.time_ns) as kept:
            closed = {each.break_id for each in kept.closed_breaks()}
            kept.record_import(
                read.sha256, layout=wanted.name, file_name=statement.name, business_date=on,
                row_count=len(read.rows),
            )
    breaks = [each for each in settlement.breaks if each.break_id not in closed]
    _say_settlement(settlement, breaks, form)
    if breaks:
        raise typer.Exit(FOUND)


@app.command()
def batches(
    journal: Where = None,
    date: Annotated[
        str | None, typer.Option("--date", help="of the settles, 2026-11-21; none: all")
    ] = None,
    form: Form = Output.TABLE,
) -> None:
    """Compare the totals of each terminal's settle with what the journal adds up to. 批次核对

    Exit code 1: a figure differs.

    Example:

        posengine reconcile batches --journal journal --date 2026-11-21
    """
    with Journal.open(_needed(journal), readonly=True) as opened:
        checks = check_batches(opened, on=None if date is None else _date(date))
    _say_batches(checks, form)
    if any(check.breaks for check in checks):
        raise typer.Exit(FOUND)


@app.command()
def statement(
    journal: Where = None,
    date: Date = None,
    layout: LayoutName = "plain",
    out: Annotated[Path | None, typer.Option("--out", help="a file; none: standard output")] = None,
) -> None:
    """Write the statement that the journal implies, as a perfect other side would. 生成对账单

    Example:

        posengine reconcile statement --journal journal --date 2026-11-21 --out bank.csv
    """
    on = _date(date)
    wanted = load_layout(layout)
    with Journal.open(_needed(journal), readonly=True) as opened:
        ours = postings(opened, on=on, netted=wanted.voids == "netted")
    data = write_statement(ours, wanted, on=on)
    if out is None:
        sys.stdout.buffer.write(data)
    else:
        out.write_bytes(data)


@app.command()
def close(
    break_id: Annotated[str, typer.Argument(help="a break's id, from --format json or csv")],
    desk: Annotated[Path, typer.Option("--desk", help="the desk's file")],
    note: Annotated[str, typer.Option("--note", help="why it is explained")],
    kind: Annotated[str, typer.Option("--kind", help="the break's kind")],
    date: Date = None,
) -> None:
    """Close a break that a person has explained: later runs leave it out. 关闭差异

    Example:

        posengine reconcile close 0123456789abcdef --kind missing_theirs --date 2026-11-21
            --desk desk --note "paid with tomorrow's file"
    """
    if kind not in BREAK_WORDS:
        raise SettingsError(f"--kind {kind}: none of {', '.join(BREAK_WORDS)}")
    with Desk.open(desk, clock_ns=time.time_ns) as kept:
        kept.close_break(
            break_id, kind=kind, business_date=_date(date), closed_by=getpass.getuser(), note=note
        )


@app.command()
def layout(
    name: Annotated[str | None, typer.Argument(help="one that ships; none: their names")] = None,
) -> None:
    """Print a layout that ships, to begin your own with. 查看对账单格式

    Example:

        posengine reconcile layout plain > mine.toml
    """
    print("\n".join(shipped_layouts()) if name is None else layout_text(name), end="\n")


# ---- what is asked and shown ---------------------------------------------------------------------


def _needed(journal: Path | None) -> Path:
    if journal is None:
        raise SettingsError("--journal DIRECTORY is needed")
    return journal


def _date(text: str | None) -> int:
    for form in ("%Y-%m-%d", "%Y%m%d"):
        try:
            return number_of(datetime.strptime(text or "", form).date())
        except ValueError:
            continue
    raise SettingsError(f"--date {text or ''}: a business date is needed, 2026-11-21")


def _facts(found: Break) -> dict[str, Any]:
    english, chinese = BREAK_WORDS[found.kind]
    return {
        "break_id": found.break_id,
        "kind": found.kind,
        "meaning": english,
        "meaning_chinese": chinese,
        "reason": found.reason,
        "reason_chinese": found.reason_chinese,
        "ours": [asdict(each) for each in found.ours],
        "theirs": [asdict(each) for each in found.theirs],
    }


def _say_breaks_csv(breaks: list[Break]) -> None:
    names = ("break_id", "kind", "reason", "reason_chinese", "sequence", "file", "line")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    for found in breaks:
        writer.writerow((
            found.break_id, found.kind, found.reason, found.reason_chinese,
            found.ours[0].sequence if found.ours else "",
            csv_cell(found.theirs[0].file) if found.theirs else "",
            found.theirs[0].line if found.theirs else "",
        ))


def _say_settlement(settlement: Settlement, breaks: list[Break], form: Output) -> None:
    if form is Output.CSV:
        _say_breaks_csv(breaks)
    elif form is Output.JSON:
        facts = {
            "on": settlement.on,
            "matched": settlement.matched,
            "ours": asdict(settlement.ours),
            "theirs": asdict(settlement.theirs),
            "closed": len(settlement.breaks) - len(breaks),
            "breaks": [_facts(each) for each in breaks],
        }
        print(json.dumps(facts, ensure_ascii=False))
    else:
        console = Console()
        console.print(
            f"{settlement.on}: {settlement.matched} agree; ours {_side(settlement.ours)};"
            f" theirs {_side(settlement.theirs)}; {len(breaks)} breaks 差异"
            f" ({len(settlement.breaks) - len(breaks)} closed 已关闭)"
        )
        if breaks:
            console.print(_table(breaks))


def _side(side: Side) -> str:
    sums = ", ".join(money_text(net, currency) for currency, net in side.net_minor)
    return f"{side.count} ({sums})" if sums else f"{side.count}"


def _pair(count: int, minor: int, currency: int) -> str:
    return f"{count}: {digits_text(minor, currency)}"


def _table(breaks: list[Break]) -> Table:
    table = Table(header_style="bold")
    for name in ("id", "kind 类型", "reason 原因"):
        table.add_column(name, overflow="fold")
    for found in breaks:
        kind = f"{found.kind}\n{BREAK_WORDS[found.kind][1]}"
        table.add_row(found.break_id, kind, f"{found.reason}\n{found.reason_chinese}")
    return table


def _say_batches(checks: list[BatchCheck], form: Output) -> None:
    breaks = [found for check in checks for found in check.breaks]
    if form is Output.CSV:
        _say_breaks_csv(breaks)
        return
    if form is Output.JSON:
        rows = [
            {**asdict(check), "breaks": [_facts(each) for each in check.breaks]}
            for check in checks
        ]
        print(json.dumps(rows, ensure_ascii=False))
        return
    table = Table(
        "TID", "batch", "settle", "debits", "credits", "", header_style="bold", box=None,
        padding=(0, 1),
    )
    for check in checks:
        state = "differs 不平" if check.breaks else "agrees 平"
        if check.settle_sequence == 0:
            state = "open 未结算"
        elif check.theirs is None:
            state = "not told 无终端总额"
        ours = check.ours
        table.add_row(
            check.tid, f"{check.batch:06d}", str(check.settle_sequence or ""),
            _pair(ours.debit_count, ours.debit_minor, check.currency),
            _pair(ours.credit_count, ours.credit_minor, check.currency),
            state,
        )
    console = Console()
    console.print(table)
    if breaks:
        console.print(_table(breaks))
