"""The command line: one file a verb, loaded when it is called.

Each verb's file has ``app``, a ``typer.Typer``: with one command it is the verb itself, with
several they are its sub-commands. Exit codes: 0 fine; 1 it looked and found something (breaks,
corruption); 2 wrong use; 3 could not look.
"""

from __future__ import annotations

import importlib
import sys

from posengine import __version__
from posengine.errors import PosError
from posengine.settings import SettingsError

# verb -> (module, what it is for); the order is the order of a working day
VERBS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "An acquirer in one command: engine, terminals, settlement, check. 一键演示"),
    "serve": ("serve", "Run the engine on a socket. 运行交易引擎"),
    "simulate": ("simulate", "A fleet of terminals against any host, with faults. 模拟终端群"),
    "decode": ("decode", "One message, field by field. 逐域解析报文"),
    "explain": ("explain", "Why a message fails, byte by byte. 解释报文错误"),
    "mac": ("mac", "Compute and check MACs. 计算与校验MAC"),
    "journal": ("journal", "Show, find, follow, verify and export entries. 查看流水"),
    "replay": ("replay", "Read entries after a named checkpoint. 从检查点回放"),
    "dispatch": ("dispatch", "Carry a merchant's entries to a webhook or files. 向商户推送"),
    "reconcile": ("reconcile", "Compare the journal with batches and statements. 对账"),
    "keys": ("keys", "Make, import and check keys, enciphered. 密钥管理"),
    "spec": ("spec", "List, show, check and compile dialects. 报文规范"),
    "roster": ("roster", "Check and compile terminals, merchants and policy. 终端与商户"),
    "config": ("config", "Where the C library lies, for programs that embed it. 嵌入开发"),
    "stat": ("stat", "What a running engine is doing. 运行状态"),
}


def _usage() -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print("[bold]posengine[/] VERB ...   posengine VERB --help")
    console.print("A durable, replayable transaction engine. 面向收单机构的交易引擎\n")
    table = Table(box=None, show_header=False, padding=(0, 2))
    for verb, (_, line) in VERBS.items():
        table.add_row(f"[bold]{verb}[/]", line)
    console.print(table)
    console.print("\nBegin with: [bold]posengine demo[/]")


def is_plain_start(words: list[str]) -> bool:
    """``--config FILE --alone`` and nothing else: any other way of saying it goes the usual way."""
    return len(words) == 3 and words[0] in {"--config", "-c"} and words[2] == "--alone"


def main(arguments: list[str] | None = None) -> None:
    """Run one verb; what the operator can mend is one line on stderr, not a traceback."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in {"-h", "--help", "help"}:
        _usage()
        return
    if words[0] == "--version":
        print(__version__)
        return
    if words[0] not in VERBS:
        print(f"posengine: no verb {words[0]!r}; see posengine --help", file=sys.stderr)
        sys.exit(2)
    try:
        if words[0] == "serve" and is_plain_start(words[1:]):
            # What a supervisor or systemd runs: it waits for no library that reads options.
            importlib.import_module("posengine.cli.alone").run(words[2])
            return
        module = importlib.import_module(f"posengine.cli.{VERBS[words[0]][0]}")
        module.app(args=words[1:], prog_name=f"posengine {words[0]}")
    except PosError as error:
        print(f"posengine: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, SettingsError) else 3)
