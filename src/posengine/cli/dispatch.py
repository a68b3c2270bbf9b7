"""`posengine dispatch`: customers' entries to webhooks and daily files. 向商户推送"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from posengine.desk import Desk
from posengine.dispatch import (
    DailyFiles,
    DispatchSettings,
    Resent,
    Result,
    Subscription,
    World,
    load,
    open_sink,
    run_forever,
    run_once,
)
from posengine.dispatch import resend as send_again
from posengine.dispatch import retry_dead as send_dead
from posengine.errors import PosError
from posengine.journal import Journal
from posengine.settings import SettingsError

FOUND = 1
RESTART_S = 10.0  # a subscription that failed is tried again after so long

app = typer.Typer(add_completion=False)
dead = typer.Typer(no_args_is_help=True, help="Entries that customers refused. 死信")
app.add_typer(dead, name="dead")


class Output(StrEnum):
    """How a person or a program gets it."""

    TABLE = "table"
    JSON = "json"


Config = Annotated[
    Path | None, typer.Option("--config", help="the dispatch file, TOML", metavar="FILE")
]
Only = Annotated[str | None, typer.Option("--only", help="one subscription", metavar="NAME")]
Form = Annotated[Output, typer.Option("--format", help="table for a person, json for a program")]


@app.callback(invoke_without_command=True)
def dispatch(
    context: typer.Context,
    config: Config = None,
    follow: Annotated[
        bool, typer.Option("--follow/--once", help="wait for more, or stop at the journal's end")
    ] = False,
    only: Only = None,
    close: Annotated[
        bool, typer.Option("--close", help="the last business date is over: close its file")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="read the file, and stop")] = False,
    form: Form = Output.TABLE,
) -> None:
    """Carry customers' entries to their webhooks and daily files, at least once. 向商户推送

    Ended or killed at any moment, it goes on where it was. Exit code 1: a customer did not answer,
    or dead letters wait.

    Example:

        posengine dispatch --config dispatch.toml --once
    """
    if context.invoked_subcommand is not None:
        return
    settings = _settings(context, config)
    subscriptions = settings.only(only)
    if check:
        _say_names(subscriptions, form)
    elif follow:
        _follow(settings, subscriptions, form)
    else:
        with _open(settings) as (journal, desk):
            results = [
                _once(each, journal, desk, is_over=close, quiet=form is Output.JSON)
                for each in subscriptions
            ]
        _say_results(results, form)
        if any(result.fault or result.dead for result in results):
            raise typer.Exit(FOUND)


@app.command()
def resend(
    context: typer.Context,
    only: Annotated[str, typer.Option("--only", help="the subscription", metavar="NAME")],
    first: Annotated[int, typer.Option("--from", min=1, help="first sequence")],
    last: Annotated[int, typer.Option("--to", min=1, help="last sequence")],
    config: Config = None,
    form: Form = Output.TABLE,
) -> None:
    """Send entries again, under the ids that they had; the checkpoint stays. 重新发送

    Example:

        posengine dispatch resend --config dispatch.toml --only shop --from 100 --to 120
    """
    settings = _settings(context, config)
    (subscription,) = settings.only(only)
    with Journal.open(settings.journal, readonly=True) as journal:
        sequences = range(first, min(last, journal.last_sequence) + 1)
        again = send_again(subscription, journal, world=_world(), sequences=iter(sequences))
    _say_resent(again, form)


@app.command()
def rebuild(
    context: typer.Context,
    only: Annotated[str, typer.Option("--only", help="the subscription", metavar="NAME")],
    date: Annotated[str, typer.Option("--date", help="business date, 2026-11-21")],
    config: Config = None,
) -> None:
    """Write a date's file again from the journal, byte for byte the same. 重建日文件

    Example:

        posengine dispatch rebuild --config dispatch.toml --only books --date 2026-11-21
    """
    settings = _settings(context, config)
    (subscription,) = settings.only(only)
    digits = date.replace("-", "")
    if not (digits.isdigit() and len(digits) == 8):
        raise SettingsError(f"--date {date}: a date is 2026-11-21")
    with _open(settings) as (journal, desk), desk.hold(only):
        sink = open_sink(subscription, journal, world=_world())
        if not isinstance(sink, DailyFiles):
            raise SettingsError(f"{only} has no files; see `posengine dispatch resend`")
        kept = desk.checkpoint(only)
        sink.resume(0 if kept is None else kept.sequence)
        try:
            path = sink.rebuild(int(digits))
        finally:
            sink.close()
    print(path if path is not None else f"the journal has no entries of {date}")


@app.command()
def sent(
    context: typer.Context,
    only: Annotated[str, typer.Option("--only", help="the subscription", metavar="NAME")],
    count: Annotated[int, typer.Option(min=1, help="how many of the last attempts")] = 20,
    config: Config = None,
    form: Form = Output.TABLE,
) -> None:
    """What was sent last, and what they said. 发送记录

    Example:

        posengine dispatch sent --config dispatch.toml --only shop
    """
    settings = _settings(context, config)
    with Desk.open(settings.desk, clock_ns=time.time_ns) as desk:
        rows = [asdict(each) for each in desk.deliveries(only, count_max=count)]
    _say(rows, form, ("sequence_first", "sequence_last", "entry_count", "attempt", "outcome",
                      "detail"))


@dead.command("list")
def dead_list(
    context: typer.Context, config: Config = None, only: Only = None, form: Form = Output.TABLE
) -> None:
    """Entries that were refused and not taken since. 查看死信

    Example:

        posengine dispatch dead list --config dispatch.toml
    """
    settings = _settings(context, config)
    with Desk.open(settings.desk, clock_ns=time.time_ns) as desk:
        rows = [asdict(each) for each in desk.dead_letters(only)]
    _say(rows, form, ("name", "sequence", "attempts", "reason"))


@dead.command("retry")
def dead_retry(
    context: typer.Context, config: Config = None, only: Only = None, form: Form = Output.TABLE
) -> None:
    """Send dead letters again; those taken are no longer dead. 重试死信

    Example:

        posengine dispatch dead retry --config dispatch.toml --only shop
    """
    settings = _settings(context, config)
    refused = False
    with _open(settings) as (journal, desk):
        for subscription in settings.only(only):
            again = send_dead(subscription, journal, desk=desk, world=_world())
            _say_resent(again, form)
            refused = refused or bool(again.refused)
    if refused:
        raise typer.Exit(FOUND)


# ---- at work -------------------------------------------------------------------------------------


def _settings(context: typer.Context, config: Path | None) -> DispatchSettings:
    path = config or context.find_root().params.get("config")
    if path is None:
        raise SettingsError("--config FILE is needed; docs/howto/dispatch.md shows one")
    return load(path)


def _world() -> World:
    return World(time.time_ns, time.monotonic, time.sleep, random.random)


@contextmanager
def _open(settings: DispatchSettings) -> Iterator[tuple[Journal, Desk]]:
    with Journal.open(settings.journal, readonly=True) as journal, Desk.open(
        settings.desk, clock_ns=time.time_ns
    ) as desk:
        yield journal, desk


def _once(
    subscription: Subscription, journal: Journal, desk: Desk, *, is_over: bool, quiet: bool
) -> Result:
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True, quiet=quiet)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(subscription.name, total=journal.last_sequence)
        return run_once(
            subscription,
            journal,
            desk=desk,
            world=_world(),
            is_over=is_over,
            progress=lambda sequence: progress.update(task, completed=sequence),
        )


def _follow(
    settings: DispatchSettings, subscriptions: tuple[Subscription, ...], form: Output
) -> None:
    """One process a subscription: a slow customer keeps nobody waiting. Nothing is open here, so
    forking is safe; the children end with this process, however it ends."""
    fork = multiprocessing.get_context("fork")
    parent = os.getpid()
    processes: dict[str, Any] = {}
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    try:
        while True:
            for subscription in subscriptions:
                old = processes.get(subscription.name)
                if old is not None and old.is_alive():
                    continue
                process = fork.Process(
                    target=_follow_one, args=(settings, subscription, form, parent)
                )
                process.start()
                processes[subscription.name] = process
            time.sleep(RESTART_S)
    except KeyboardInterrupt:
        sys.exit(0)
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.join()


def _follow_one(
    settings: DispatchSettings, subscription: Subscription, form: Output, parent: int
) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    def sleep(delay_s: float) -> None:
        ends = time.monotonic() + delay_s
        while (left := ends - time.monotonic()) > 0:
            if os.getppid() != parent:
                sys.exit(0)
            time.sleep(min(left, 1.0))

    def told(result: Result) -> None:
        if form is Output.JSON:
            print(json.dumps(asdict(result), ensure_ascii=False), flush=True)
        else:
            fault = f" STOPPED: {result.fault}" if result.fault else ""
            print(
                f"{result.name}: {result.taken} taken, at {result.checkpoint},"
                f" {result.dead} dead letters{fault}",
                flush=True,
            )

    world = World(time.time_ns, time.monotonic, sleep, random.random)
    try:
        with _open(settings) as (journal, desk):
            run_forever(
                subscription, journal, desk=desk, world=world, poll_s=settings.poll_s, told=told
            )
    except PosError as error:
        print(f"posengine: {subscription.name}: {error}", file=sys.stderr, flush=True)
        sys.exit(3)


# ---- what is shown -------------------------------------------------------------------------------


def _say(rows: list[dict[str, Any]], form: Output, shown: tuple[str, ...]) -> None:
    if form is Output.JSON:
        print(json.dumps(rows, ensure_ascii=False))
        return
    table = Table(*shown, header_style="bold")
    for row in rows:
        table.add_row(*(str(row[name]) for name in shown))
    Console().print(table)


def _say_results(results: list[Result], form: Output) -> None:
    _say([asdict(each) for each in results], form, ("name", "taken", "checkpoint", "dead", "fault"))


def _say_names(subscriptions: tuple[Subscription, ...], form: Output) -> None:
    rows = [
        {
            "name": each.name,
            "sink": type(each.sink).__name__.removesuffix("Settings").lower(),
            "fields": ", ".join(each.serializer.names),
        }
        for each in subscriptions
    ]
    _say(rows, form, ("name", "sink", "fields"))


def _say_resent(again: Resent, form: Output) -> None:
    if form is Output.JSON:
        print(json.dumps(asdict(again), ensure_ascii=False))
        return
    print(f"{len(again.taken)} taken, {len(again.refused)} refused")
    for sequence, reason in again.refused:
        print(f"  {sequence}: {reason}")
