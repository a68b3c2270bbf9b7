"""`posengine stat`: what a running engine is doing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

TIMEOUT_S = 5.0
# What a person looks at first; everything else follows under "more".
FIRST = (
    ("frames", "frames in", "收到报文"),
    ("approved", "approved", "批准"),
    ("declined", "declined", "拒绝"),
    ("repeats", "repeats", "重发"),
    ("refusals", "refused without an entry", "未入账拒绝"),
    ("entries", "entries", "流水"),
    ("pages", "pages", "页"),
    ("connections", "connections", "连接"),
    ("journal_durable_sequence", "durable sequence", "已落盘序号"),
    ("journal_free_bytes", "free in volume", "卷剩余字节"),
)


@app.command(epilog="Example: posengine stat --config shop/posengine.toml --watch 1")
def stat(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="configuration of the engine to ask")
    ] = Path("posengine.toml"),
    control: Annotated[
        Path | None, typer.Option("--control", help="its control socket, instead of --config")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table or json")] = "table",
    metrics: Annotated[bool, typer.Option("--metrics", help="Prometheus text")] = False,
    watch: Annotated[float, typer.Option("--watch", help="again every so many seconds")] = 0.0,
    reload: Annotated[bool, typer.Option("--reload", help="ask for a reload and end")] = False,
    drain: Annotated[bool, typer.Option("--drain", help="ask it to finish and end")] = False,
    lock: Annotated[str, typer.Option("--lock", help="lock the terminal with this TID")] = "",
    unlock: Annotated[str, typer.Option("--unlock", help="unlock it")] = "",
) -> None:
    """What a running engine is doing; or ask it to do something. 查看或操作运行中的引擎。

    Counters and the time of each stage; with --metrics as text for Prometheus. Only the engine's
    own user and root may ask.
    """
    from posengine.engine.control import ask

    if output not in {"table", "json"}:
        raise typer.BadParameter("table or json", param_hint="--format")
    path = _socket_of(config, control)
    commands = [
        (reload, "reload"), (drain, "drain"), (bool(lock), f"lock {lock}"),
        (bool(unlock), f"unlock {unlock}"),
    ]  # fmt: skip
    wanted = [command for is_wanted, command in commands if is_wanted]
    if wanted:
        for command in wanted:
            print(f"{command}: {ask(path, command, timeout_s=60).strip()}")
    elif metrics:
        print(ask(path, "metrics", timeout_s=TIMEOUT_S), end="")
    else:
        _show(path, output, watch)


def _socket_of(config: Path, control: Path | None) -> Path:
    if control is not None:
        return control
    from posengine.engine.configuration import read_configuration

    return read_configuration(config).control


def _show(path: Path, output: str, watch: float) -> None:
    from posengine.engine.control import stat as ask_stat

    console = Console()
    if output == "json":
        while True:
            print(json.dumps(ask_stat(path, timeout_s=TIMEOUT_S)), flush=True)
            if watch <= 0:
                return
            time.sleep(watch)
    before = ask_stat(path, timeout_s=TIMEOUT_S)
    if watch <= 0:
        console.print(_tables(before, None, 0.0))
        return
    with Live(_tables(before, None, 0.0), console=console) as live:
        while True:
            time.sleep(watch)
            now = ask_stat(path, timeout_s=TIMEOUT_S)
            live.update(_tables(now, before, watch))
            before = now


def _tables(now: dict[str, Any], before: dict[str, Any] | None, seconds: float) -> Group:
    counters = now["counters"]
    counts = Table(title=f"posengine {now['version']}, {now['spec']}", title_justify="left")
    counts.add_column("what 项目")
    counts.add_column("value 数值", justify="right")
    if before is not None:
        counts.add_column("per second 每秒", justify="right")
    counts.add_row("processor path 处理器路径", _path_of(now))
    shown = set()
    for name, english, chinese in FIRST:
        shown.add(name)
        _row(counts, f"{english} {chinese}", name, now, before, seconds)
    for name, value in counters.items():
        if name not in shown and value:
            _row(counts, name, name, now, before, seconds)
    stages = Table(title="time 耗时 (µs)", title_justify="left")
    for column in ("stage 阶段", "count", "p50", "p99", "max"):
        stages.add_column(column, justify="left" if column.startswith("stage") else "right")
    for name, facts in now["stages_ns"].items():
        stages.add_row(
            name,
            f"{facts['count']:,}",
            *(f"{facts[key] / 1000:,.1f}" for key in ("p50", "p99", "max")),
        )
    return Group(counts, stages)


def _path_of(now: dict[str, Any]) -> str:
    """The path of the processor that is in force, and the best one where that is another."""
    path, best = now["cpu_path"], now["cpu_path_best"]
    return str(path) if path == best else f"{path} of {best}"


def _row(
    table: Table,
    label: str,
    name: str,
    now: dict[str, Any],
    before: dict[str, Any] | None,
    seconds: float,
) -> None:
    value = now["counters"][name]
    cells = [label, f"{value:,}"]
    if before is not None:
        cells.append(f"{(value - before['counters'].get(name, 0)) / seconds:,.0f}")
    table.add_row(*cells)
