"""`posengine replay`: entries after a named checkpoint. 从检查点回放"""

from __future__ import annotations

import json
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from posengine.desk import Desk
from posengine.dispatch import FIELDS, Serializer
from posengine.errors import PosError
from posengine.journal import Journal
from posengine.replay import Replay, ReplayPage, adopt, restart

app = typer.Typer(add_completion=False)

SHOWN = ("sequence", "kind", "outcome", "response", "amount_minor", "tid", "stan", "rrn")


class Output(StrEnum):
    """How a person or a program gets it."""

    TABLE = "table"
    JSON = "json"


class Acknowledge(StrEnum):
    """Who says that a page was taken."""

    OUTPUT = "output"
    STDIN = "stdin"


@app.command()
def replay(
    name: Annotated[str, typer.Argument(help="the consumer: its checkpoint's name")],
    journal: Annotated[Path, typer.Option(help="the journal's directory")],
    desk: Annotated[Path, typer.Option(help="the desk's file, which keeps checkpoints")],
    begin: Annotated[
        int | None,
        typer.Option("--from", min=0, help="set the checkpoint behind this entry first; 0: begin"),
    ] = None,
    until: Annotated[int | None, typer.Option(min=1, help="stop after this entry")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="wait for more, until ended")] = False,
    peek: Annotated[bool, typer.Option("--peek", help="leave the checkpoint where it is")] = False,
    take_over: Annotated[
        bool,
        typer.Option("--adopt", help="the journal was restored from a copy: go on in it"),
    ] = False,
    acknowledge: Annotated[
        Acknowledge,
        typer.Option(help="output: once printed; stdin: once its last sequence is read back"),
    ] = Acknowledge.OUTPUT,
    poll_s: Annotated[float, typer.Option(min=0.01, help="how often to look for more")] = 0.2,
    form: Annotated[
        Output, typer.Option("--format", help="table for a person; json: one object a line")
    ] = Output.TABLE,
) -> None:
    """Print the entries after a named checkpoint, and move it once they are taken. 从检查点回放

    Every entry comes at least once, in order, whenever this is ended or killed. A program that
    reads the lines drops repeats by `sequence`, and with `--acknowledge stdin` says itself what
    it has taken, by writing the last sequence of each page back.

    Example:

        posengine replay books --journal journal --desk desk --format json
    """
    with Journal.open(journal, readonly=True) as opened, Desk.open(
        desk, clock_ns=time.time_ns
    ) as kept:
        if take_over:
            adopt(opened, kept, name)
        if begin is not None:
            restart(opened, kept, name, sequence=begin)
        with kept.hold(name):
            entries = Replay(opened, kept, name, until=until)
            while True:
                for page in entries.pages():
                    _print(page, form)
                    if not peek:
                        entries.checkpoint(_taken(page, acknowledge))
                if not follow or (until is not None and opened.last_sequence >= until):
                    break
                time.sleep(poll_s)


def _print(page: ReplayPage, form: Output) -> None:
    """Print a page; it is on its way to the reader when this returns."""
    if form is Output.JSON:
        serializer = Serializer(list(FIELDS))
        for entry in page:
            print(json.dumps(serializer.values(entry, page), ensure_ascii=False))
    else:
        table = Table(*SHOWN, box=None, padding=(0, 1), header_style="bold")
        shown = Serializer(SHOWN)
        for entry in page:
            table.add_row(*map(str, shown.values(entry, page).values()))
        Console().print(table)
    sys.stdout.flush()


def _taken(page: ReplayPage, acknowledge: Acknowledge) -> int:
    if acknowledge is Acknowledge.OUTPUT:
        return page.last_sequence
    line = sys.stdin.readline().strip()
    if line != str(page.last_sequence):
        raise PosError(
            f"the reader was to acknowledge {page.last_sequence} and said {line!r}; the checkpoint"
            " stands before that page"
        )
    return page.last_sequence
