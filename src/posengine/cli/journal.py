"""`posengine journal`: show, find, follow, verify, export and copy entries. 查看流水

All of it is masked but what ``pan`` prints, which is one account number.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from posengine.errors import EntryAbsent, PanAbsent, PanNotKept
from posengine.journal import Entry, Journal, export_csv, export_jsonl
from posengine.journal.export import row
from posengine.journal.scrub import scrub
from posengine.keys import MASTER_KEY_VARIABLE, load_master_key
from posengine.vocabulary import Flag

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Show, find, follow, verify, export and copy entries. 查看流水\n\n"
    "Readers may look while an engine writes; they see what is durable.",
)

FOUND, CANNOT_USE = 1, 2
POLL_S = 0.2


class Output(StrEnum):
    """How a person or a program gets it."""

    TABLE = "table"
    JSON = "json"


class Export(StrEnum):
    """Formats of an export."""

    CSV = "csv"
    JSON = "json"


Where = Annotated[Path, typer.Argument(help="the journal's directory", metavar="JOURNAL")]
Form = Annotated[Output, typer.Option("--format", help="table for a person, json for a program")]


def _say(fact: Any) -> None:
    print(json.dumps(fact, ensure_ascii=False))


def _kind(entry: Entry) -> str:
    return f"{entry.kind_word.english} {entry.kind_word.chinese}"


def _amount(entry: Entry) -> str:
    return f"{entry.amount_minor:,}" if entry.amount_minor else ""


def _when(entry: Entry) -> str:
    return f"{entry.received_at:%m-%d %H:%M:%S}.{entry.received_at.microsecond // 1000:03d}"


@dataclass(frozen=True, slots=True)
class Shown:
    """A column of the table, and the width of screen from which on it is shown."""

    title: str
    read: Callable[[Entry], str]
    width_min: int = 0
    justify: Literal["left", "right"] = "left"


SHOWN = (
    Shown("sequence", lambda entry: str(entry.sequence), justify="right"),
    Shown("received UTC", _when, 100),
    Shown("kind", lambda entry: entry.kind_word.english),
    Shown("交易", lambda entry: entry.kind_word.chinese, 120),
    Shown("outcome", lambda entry: entry.outcome_word.name.lower()),
    Shown("39", lambda entry: entry.response),
    Shown("amount", _amount, justify="right"),
    Shown("TID", lambda entry: entry.tid),
    Shown("MID", lambda entry: entry.mid, 172),
    Shown("STAN", lambda entry: f"{entry.stan:06d}"),
    Shown("RRN", lambda entry: entry.rrn, 154),
    Shown("card", lambda entry: entry.card, 140),
)


def _line(entry: Entry) -> list[str]:
    """Everything that the table may show, for lines that scroll by."""
    return [shown.read(entry) for shown in SHOWN]


def _print_entries(entries: Iterable[Entry], form: Output) -> None:
    if form is Output.JSON:
        _say([row(entry) for entry in entries])
        return
    console = Console()
    columns = [shown for shown in SHOWN if shown.width_min <= console.width]
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for shown in columns:
        table.add_column(shown.title, justify=shown.justify, no_wrap=True)
    for entry in entries:
        table.add_row(*(shown.read(entry) for shown in columns))
    console.print(table)


def _facts_of(entry: Entry) -> dict[str, Any]:
    """Everything about one entry that may be shown."""
    return {
        **row(entry),
        "why_text": entry.why_word[1],
        "kind_english": entry.kind_word.english,
        "kind_chinese": entry.kind_word.chinese,
        "flag_names": [flag.name for flag in Flag if entry.flags & flag],
        "line": entry.line,
        "staged_after_us": entry.staged_after_us,
        "fields": {str(number): value.hex() for number, value in entry.fields.items()},
        "answer_size": len(entry.answer),
    }


def _print_entry(entry: Entry, form: Output) -> None:
    facts = _facts_of(entry)
    if form is Output.JSON:
        _say(facts)
        return
    table = Table(title=f"entry {entry.sequence}: {_kind(entry)}", show_header=False)
    for name, value in facts.items():
        if value in ("", [], {}):
            continue
        text = " ".join(value) if isinstance(value, list) else value
        if isinstance(value, dict):
            text = "\n".join(f"{number:>3}  {data}" for number, data in value.items())
        table.add_row(name, str(text))
    Console().print(table)


@app.command()
def show(
    journal: Where,
    sequence: Annotated[int | None, typer.Argument(help="one entry, with all it holds")] = None,
    count: Annotated[int, typer.Option(min=1, help="how many of the last entries")] = 20,
    after: Annotated[int | None, typer.Option(min=0, help="entries after this one")] = None,
    form: Form = Output.TABLE,
) -> None:
    """The journal's facts and its last entries; or one entry.

    Example: posengine journal show /var/lib/posengine/journal 4711
    """
    with Journal.open(journal, readonly=True) as opened:
        if sequence is not None:
            _print_entry(opened.entry(sequence), form)
            return
        facts = opened.facts
        start = max(0, facts.durable_sequence - count) if after is None else after
        entries = list(islice(opened.entries(start), count))
    if form is Output.JSON:
        _say(
            {
                "journal_id": facts.journal_id.hex(),
                "durable_sequence": facts.durable_sequence,
                "pages": facts.pages,
                "bytes": facts.bytes,
                "volumes": facts.volumes,
                "is_in_doubt": facts.is_in_doubt,
                "entries": [row(entry) for entry in entries],
            }
        )
        return
    doubt = "  [red]the last writer ended in doubt[/]" if facts.is_in_doubt else ""
    Console().print(
        f"journal [bold]{facts.journal_id.hex()}[/]: {facts.durable_sequence:,} entries in "
        f"{facts.pages:,} pages, {facts.bytes / 2**20:,.1f} MiB, volumes: {facts.volumes}{doubt}"
    )
    _print_entries(entries, form)


@app.command()
def find(
    journal: Where,
    rrn: Annotated[str | None, typer.Option(help="field 37, twelve characters")] = None,
    tid: Annotated[str | None, typer.Option(help="field 41; with --stan")] = None,
    stan: Annotated[int | None, typer.Option(min=0, max=999999, help="field 11")] = None,
    every: Annotated[bool, typer.Option("--all", help="every one of TID and STAN")] = False,
    form: Form = Output.TABLE,
) -> None:
    """The entry with an RRN, or the newest of a terminal and STAN. 1 where there is none.

    Example: posengine journal find journal --tid T0000001 --stan 42
    """
    by_rrn = rrn is not None and tid is None and stan is None
    by_stan = rrn is None and tid is not None and stan is not None
    if not by_rrn and not by_stan:
        print("posengine: find by --rrn, or by --tid and --stan", file=sys.stderr)
        raise typer.Exit(CANNOT_USE)
    with Journal.open(journal, readonly=True) as opened:
        try:
            found = [opened.find(rrn=rrn, tid=tid, stan=stan)]
        except EntryAbsent as absent:
            print(f"posengine: {absent}", file=sys.stderr)
            raise typer.Exit(FOUND) from None
        if every and by_stan:
            found.extend(_older(opened, found[0]))
    if len(found) == 1 and not every:
        _print_entry(found[0], form)
    else:
        _print_entries(found, form)


def _older(opened: Journal, entry: Entry) -> Iterator[Entry]:
    """The entries of the same terminal and STAN before ``entry``, newest first."""
    while entry.sequence > 1:
        try:
            entry = opened.find(tid=entry.tid, stan=entry.stan, before=entry.sequence)
        except EntryAbsent:
            return
        yield entry


@app.command()
def tail(
    journal: Where,
    after: Annotated[int | None, typer.Option(min=0, help="begin after this entry")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="end after so many")] = None,
    form: Form = Output.TABLE,
) -> None:
    """Entries as they become durable, a line each, until interrupted.

    Example: posengine journal tail journal --format json | jq .response
    """
    with Journal.open(journal, readonly=True) as opened:
        start = opened.durable_sequence if after is None else after
        following = opened.tail(start, poll_s=POLL_S, sleep=time.sleep)
        try:
            for entry in islice(following, count):
                text = json.dumps(row(entry)) if form is Output.JSON else "  ".join(_line(entry))
                print(text, flush=True)
        except (KeyboardInterrupt, BrokenPipeError):
            # The reader went away: nothing more is flushed to it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.command()
def verify(journal: Where, form: Form = Output.TABLE) -> None:
    """Read everything: CRC, digests and their chain, sequences without holes. 1 if corrupt.

    Example: posengine journal verify journal
    """
    with Journal.open(journal, readonly=True) as opened:
        last = opened.durable_sequence
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("verifying 校验", total=last)
        verdict = scrub(
            os.fspath(journal), progress=lambda seen: progress.update(task, completed=seen)
        )
    if form is Output.JSON:
        _say(
            {
                "is_clean": verdict.is_clean,
                "pages": verdict.pages,
                "entries": verdict.entries,
                "bytes": verdict.bytes,
                "first_bad_sequence": verdict.first_bad_sequence,
                "status": verdict.status,
                "reason": verdict.reason,
            }
        )
    elif verdict.is_clean:
        print(f"clean: {verdict.entries:,} entries in {verdict.pages:,} pages. 校验通过")
    else:
        print(
            f"corrupt from entry {verdict.first_bad_sequence} on: {verdict.reason};"
            f" {verdict.entries:,} entries before it are whole. 校验失败"
        )
    if not verdict.is_clean:
        raise typer.Exit(FOUND)


@app.command()
def export(
    journal: Where,
    form: Annotated[Export, typer.Option("--format", help="csv, or json lines")] = Export.CSV,
    output: Annotated[Path | None, typer.Option(help="file to write; else stdout")] = None,
    after: Annotated[int, typer.Option(min=0, help="entries after this one")] = 0,
    until: Annotated[int | None, typer.Option(min=1, help="up to this one")] = None,
    date: Annotated[int | None, typer.Option(help="of this business date, 20261121")] = None,
) -> None:
    """Entries as CSV or JSON lines, ended by a trailer that adds up. Never a whole card number.

    Example: posengine journal export journal --date 20261121 --output 20261121.csv
    """
    with Journal.open(journal, readonly=True) as opened:
        entries = _selected(opened, after, until, date)
        write = export_csv if form is Export.CSV else export_jsonl
        if output is None:
            write(entries, sys.stdout, journal_id=opened.id)
            return
        making = output.with_name(output.name + ".making")
        with making.open("w", encoding="utf-8", newline="") as out:
            trailer = write(entries, out, journal_id=opened.id)
            out.flush()
            os.fsync(out.fileno())
        making.replace(output)
        print(f"{output}: {trailer.count:,} entries, the last is {trailer.last_sequence}")


def _selected(
    opened: Journal, after: int, until: int | None, date: int | None
) -> Iterator[Entry]:
    for page in opened.pages(after):
        if until is not None and page.first_sequence > until:
            return
        if date is not None and page.business_date != date:
            continue
        for entry in page.entries():
            if entry.sequence > after and (until is None or entry.sequence <= until):
                yield entry


@app.command()
def pan(
    journal: Where,
    sequence: Annotated[int, typer.Argument(min=1, help="the entry, as show and find number it")],
    master_key: Annotated[
        Path | None,
        typer.Option(
            "--master-key", "-m", help=f"its file; else ${MASTER_KEY_VARIABLE}, else master.key"
        ),
    ] = None,
) -> None:
    """One account number, clear, where the journal keeps them. 取回完整卡号

    It is the only verb that shows one, and it shows one at a time. Account numbers are kept where
    the engine's settings say keep_pan = true; a repeat's stands with its original. 1 where none is
    kept. Mind who sees the screen and what records it. 注意屏幕与操作记录。

    Example: posengine journal pan journal 4711 --master-key master.key
    """
    place = master_key or Path(os.environ.get(MASTER_KEY_VARIABLE) or "master.key")
    key = load_master_key(place)
    with Journal.open(journal, readonly=True) as opened:
        try:
            print(opened.pan(sequence, key))
        except (EntryAbsent, PanAbsent, PanNotKept) as absent:
            print(f"posengine: {absent}", file=sys.stderr)
            raise typer.Exit(FOUND) from None


@app.command()
def snapshot(
    journal: Where,
    target: Annotated[Path, typer.Argument(help="a directory that does not exist yet")],
) -> None:
    """A copy that opens as a journal of its own, under a new id, while an engine writes.

    Example: posengine journal snapshot journal /backup/2026-11-21
    """
    if target.exists():
        print(f"posengine: {target} exists already", file=sys.stderr)
        raise typer.Exit(CANNOT_USE)
    with Journal.open(journal, readonly=True) as opened:
        opened.snapshot(target)
    with Journal.open(target, readonly=True) as copy:
        print(f"{target}: {copy.durable_sequence:,} entries, journal {copy.id}")
