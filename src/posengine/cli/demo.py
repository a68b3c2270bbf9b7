"""``posengine demo``: an acquirer in one command."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from posengine.cli.simulate import picture
from posengine.demonstrate.play import FAULTS, Outcome, Settings, World, clear, play
from posengine.errors import PosError
from posengine.simulate import Faults, Report

app = typer.Typer(add_completion=False, rich_markup_mode="rich")
FAILED = 1
QUICK_TRANSACTIONS = 5_000
DRAWS_PER_S = 4


@app.command()
def demo(
    transactions: Annotated[int, typer.Option("-n", min=200, help="交易总数")] = 50_000,
    terminals: Annotated[int, typer.Option(min=2, max=5000, help="终端数")] = 200,
    rate: Annotated[
        float, typer.Option(min=0, help="Transactions a second; 0: all out. 每秒笔数")
    ] = 1_000.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same day. 随机种子")] = 1,
    faults: Annotated[str, typer.Option(help="Rates, as in simulate. 故障率")] = FAULTS,
    home: Annotated[Path, typer.Option(help="Directory of all files. 目录")] = Path("build/demo"),
    keep: Annotated[bool, typer.Option(help="Keep the directory. 保留目录")] = True,
    quick: Annotated[
        bool, typer.Option("--quick", help=f"{QUICK_TRANSACTIONS:,} transactions. 快速")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Processes of the fleet.")] = 1,
) -> None:
    """An acquirer at work: engine, terminals, settlement, customers, reconciliation, checks.

    Starts an engine, a customer's webhook receiver and dispatch; terminals sign on, sell, void,
    refund, reverse what was lost on a faulty line, and settle; then everything is checked from
    other sides. 启动引擎与模拟终端，完成交易、结算、推送与对账，并从多方核对。

    Exit code 1: a check failed, and which.

    [bold]Example[/]

      posengine demo --quick
    """
    console = Console()
    settings = Settings(
        home=home,
        transactions=QUICK_TRANSACTIONS if quick else transactions,
        terminals=terminals,
        seed=seed,
        rate=rate,
        faults=faults,
        workers=workers,
    )
    try:
        Faults.parse(faults)
    except ValueError as error:
        print(f"posengine demo: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    console.print(
        Panel.fit(
            "An acquirer in one command: terminal bytes in, MAC checked, decided, journalled, "
            "and only then answered.\n一条命令演示收单系统：校验报文、决策、落盘，然后应答。",
            title="posengine demo",
        )
    )
    outcome = _play(settings, console)
    _print_outcome(console, outcome)
    if not keep:
        clear(settings)
    if not outcome.is_right:
        raise typer.Exit(FAILED)


def _play(settings: Settings, console: Console) -> Outcome:
    begun = time.monotonic()
    with Live(console=console, refresh_per_second=DRAWS_PER_S, transient=True) as live:
        drawn_at = 0.0

        def tell(english: str, chinese: str) -> None:
            console.print(
                f"[dim]{time.monotonic() - begun:6.1f} s[/]  {english}  [dim]{chinese}[/]"
            )

        def draw(report: Report) -> None:
            nonlocal drawn_at
            now = time.monotonic()
            if console.is_terminal and now - drawn_at >= 1 / DRAWS_PER_S:
                drawn_at = now
                live.update(picture(report))

        world = World(
            clock=time.monotonic, sleep=time.sleep, random=os.urandom, tell=tell, draw=draw
        )
        try:
            return play(settings, world)
        except PosError:
            print(f"posengine demo: the logs are in {settings.home / 'logs'}", file=sys.stderr)
            raise


def _print_outcome(console: Console, outcome: Outcome) -> None:
    console.print(picture(outcome.report))
    table = Table(box=None, show_header=False, padding=(0, 1))
    marks = {True: "[bold green]✓[/]", False: "[bold red]✗[/]", None: "[yellow]–[/]"}
    for check in outcome.checks:
        table.add_row(marks[check.is_right], f"{check.name}\n{check.chinese}", check.text)
    console.print(table)
    report, latency = outcome.report, outcome.report.latencies
    p50, p99 = (latency.percentile(percent) * 1000 for percent in (50, 99))
    wrong = [check.name for check in outcome.checks if check.is_right is False]
    said = f"not right: {', '.join(wrong)}  未通过" if wrong else "all right  全部通过"
    console.print(
        Panel.fit(
            f"{report.rate:,.0f} transactions/s   answers p50 {p50:.2f} ms, p99 {p99:.2f} ms\n"
            f"每秒 {report.rate:,.0f} 笔交易   应答时间 中位 {p50:.2f} 毫秒，99% {p99:.2f} 毫秒",
            title=said,
            border_style="red" if wrong else "green",
        )
    )
    console.print("Where to look next 接下来可以看:\n")
    for command, english, chinese in outcome.next_commands:
        console.print(f"  [dim]# {english} {chinese}[/]")
        console.print(f"  {command}", soft_wrap=True, highlight=False)
