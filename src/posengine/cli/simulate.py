"""``posengine simulate``: a fleet of terminals against any host, with faults."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from posengine.errors import PosError
from posengine.simulate import FAULT_NAMES, Faults, Identity, Options, Plan, Report
from posengine.simulate.terminals import (
    choose_terminals,
    make_terminals,
    read_terminals,
    write_terminals,
)
from posengine.simulate.workers import Beliefs, run_fleet

app = typer.Typer(add_completion=False, rich_markup_mode="rich")
FOUND = 1
DISAGREEMENTS_SHOWN_MAX = 10
DRAWS_PER_S = 5


# ---- what can be asked --------------------------------------------------------------------------
Address = Annotated[str, typer.Argument(metavar="HOST:PORT", help="Where the host listens. 主机")]
Keys = Annotated[Path, typer.Option(help="Terminals: tid,mid,tmk. Test keys only. 终端与主密钥")]
Terminals = Annotated[str, typer.Option(help="The first N of the file, or TIDs. 终端数或终端号")]
Make = Annotated[int, typer.Option(help="First write --keys with so many terminals. 生成终端")]
Count = Annotated[int, typer.Option("--transactions", "-n", help="Of all terminals. 交易总数")]
Rate = Annotated[float, typer.Option(help="Transactions a second; 0: all out. 每秒笔数")]
Rates = Annotated[str, typer.Option(help=f"{', '.join(FAULT_NAMES)}, as in lost=0.01. 故障率")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same days. 随机种子")]
Settle = Annotated[bool, typer.Option(help="Close every batch at the end. 结算")]
Clear = Annotated[bool, typer.Option(help="First close what an interrupted run left. 清批")]
Every = Annotated[int, typer.Option(min=1, max=900, help="Transactions of a batch. 每批笔数")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for an answer. 应答超时")]
Deadline = Annotated[float, typer.Option(help="Seconds for all; 0: none. 总时限")]
Drop = Annotated[bool, typer.Option(help="After three tries drop a reversal, not keep it.")]
Workers = Annotated[int, typer.Option(min=1, max=64, help="Processes. 进程数")]
Dialect = Annotated[str, typer.Option(help="Name or file. 报文规范")]
BeliefsFile = Annotated[
    Path | None, typer.Option(help="Write what the terminals believe, as JSON. 终端记录")
]
Form = Annotated[str, typer.Option("--format", help="text or json. 输出格式")]


@app.command()
def simulate(
    address: Address,
    keys: Keys = Path("terminals.csv"),
    terminals: Terminals = "",
    make: Make = 0,
    transactions: Count = 1000,
    rate: Rate = 0.0,
    faults: Rates = "",
    seed: Seed = 1,
    settle: Settle = True,
    clear: Clear = False,
    settle_every: Every = 400,
    timeout: Timeout = 60.0,
    deadline: Deadline = 0.0,
    drop_reversal: Drop = False,
    workers: Workers = 1,
    dialect: Dialect = "unionpay-terminal",
    beliefs: BeliefsFile = None,
    form: Form = "text",
) -> None:
    """Run a fleet of UnionPay terminals and say where host and terminals disagree.

    Terminals sign on, sell, void, refund, pre-authorise, complete, reverse what was not answered,
    and settle; every answer's MAC and fields are checked. Faults happen on the line, at the rates
    you give. Exit code 1: a disagreement was found, and the command to see it again is printed.

    [bold]Example[/]

      posengine simulate 127.0.0.1:9000 --keys terminals.csv --make 10
      posengine simulate 127.0.0.1:9000 --keys terminals.csv -n 5000 \\
          --faults lost=0.01,late=0.01,repeat=0.02,mac=0.005,cut=0.01 --seed 7
    """
    if form not in ("text", "json"):
        raise typer.BadParameter("text or json", param_hint="--format")
    try:
        plan = Plan(
            address=_address(address),
            transactions=transactions,
            seed=seed,
            rate=rate,
            faults=Faults.parse(faults),
            options=Options(drops_reversal=drop_reversal),
            settles=settle,
            clears=clear,
            settle_every=settle_every,
            answer_s_max=timeout,
            deadline_s=deadline,
        )
        chosen = _terminals(keys, terminals, make)
    except (ValueError, PosError) as error:
        print(f"posengine simulate: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    console = Console(stderr=form == "json")
    report, believed = _run(console, plan, chosen, dialect=dialect, workers=workers)
    if beliefs is not None:
        beliefs.write_text(json.dumps(believed), encoding="utf-8")
    _say(console, report, form)
    if report.disagreement_count:
        again = _command(address, keys, faults, seed, transactions, len(chosen), settle_every)
        _print_disagreements(Console(stderr=True), report, again)
        raise typer.Exit(FOUND)


def _terminals(keys: Path, choice: str, make: int) -> list[Identity]:
    """Those of the file that were chosen. Raises: TerminalsFault."""
    if make:
        write_terminals(keys, make_terminals(make, merchants=max(1, make // 10), seed=1))
    return choose_terminals(read_terminals(keys), choice)


def _run(
    console: Console, plan: Plan, terminals: list[Identity], *, dialect: str, workers: int
) -> tuple[Report, Beliefs]:
    shown = _Shown(console)
    with Live(console=console, refresh_per_second=DRAWS_PER_S, transient=True) as live:
        shown.live = live
        return run_fleet(
            plan,
            terminals,
            dialect=dialect,
            workers=workers,
            clock=time.monotonic,
            progress=shown.draw,
        )


def _say(console: Console, report: Report, form: str) -> None:
    if form == "json":
        print(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        console.print(picture(report))
        _print_responses(console, report)


# ---- what is shown ------------------------------------------------------------------------------
class _Shown:
    """Draws a few times a second, whatever the fleet reports."""

    def __init__(self, console: Console) -> None:
        self.live: Live | None = None
        self._is_live = console.is_terminal
        self._drawn_at = 0.0

    def draw(self, report: Report) -> None:
        now = time.monotonic()
        if self.live is None or not self._is_live or now - self._drawn_at < 1 / DRAWS_PER_S:
            return
        self._drawn_at = now
        self.live.update(picture(report))


def picture(report: Report) -> Group:
    """One screen of numbers, the same while it runs and at the end."""
    table = Table(box=None, show_header=False, padding=(0, 2))
    latency = report.latencies
    rows = (
        ("transactions 交易", f"{report.transactions:,}", f"{report.rate:,.0f}/s"),
        ("messages 报文", f"{report.messages:,}", f"{report.seconds:.1f} s"),
        (
            "answers 应答",
            f"p50 {latency.percentile(50) * 1000:.2f} ms",
            f"p99 {latency.percentile(99) * 1000:.2f} ms  max {latency.longest_s * 1000:.1f} ms",
        ),
        (
            "reversals 冲正",
            f"{report.reversals:,}",
            f"late {report.late_replies:,}  repeats equal {report.repeats_equal:,}",
        ),
        (
            "settled 结算",
            f"{report.settled:,}",
            f"balanced 平 {report.balanced:,} of {report.terminals:,} terminals",
        ),
        (
            "faults 故障",
            f"{report.faults.total():,}",
            " ".join(f"{name} {count:,}" for name, count in sorted(report.faults.items())),
        ),
    )
    for row in rows:
        table.add_row(*row)
    style = "bold red" if report.disagreement_count else "bold green"
    return Group(table, Text(f"  disagreements 不一致  {report.disagreement_count:,}", style=style))


def _print_responses(console: Console, report: Report) -> None:
    table = Table(title="Answers by kind 应答统计", title_justify="left")
    table.add_column("kind 交易")
    table.add_column("count 笔数", justify="right")
    table.add_column("by code 应答码")
    names = sorted({name for name, _ in report.responses})
    for name in names:
        codes = {code: n for (kind, code), n in report.responses.items() if kind == name}
        words = "  ".join(f"{code} {count:,}" for code, count in sorted(codes.items()))
        table.add_row(name, f"{sum(codes.values()):,}", words)
    console.print(table)


def _print_disagreements(console: Console, report: Report, again: str) -> None:
    for found in report.disagreements[:DISAGREEMENTS_SHOWN_MAX]:
        console.print(Text(str(found)), style="red")
    more = report.disagreement_count - DISAGREEMENTS_SHOWN_MAX
    if more > 0:
        console.print(f"and {more:,} more; --format json lists them")
    tid = report.disagreements[0].tid
    console.print(f"\nTo see one terminal's day again 重现:\n  {again} --terminals {tid}")


def _command(
    address: str, keys: Path, faults: str, seed: int, transactions: int, count: int, batch: int
) -> str:
    words = ["posengine", "simulate", address, "--keys", str(keys), "--seed", str(seed)]
    words += ["-n", str(-(-transactions // count)), "--settle-every", str(batch)]
    if faults:
        words += ["--faults", faults]
    return shlex.join(words)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError(f"{text!r} is not HOST:PORT")
    return host, int(port)
