"""The command line: one file a verb, loaded when it is called.

Each verb's file has ``app``, a ``typer.Typer``: with one command it is the verb itself, with
several they are its sub-commands. Exit codes: 0 fine; 1 it looked and found something (breaks,
corruption); 2 wrong use; 3 could not look.
"""

from __future__ import annotations

import importlib
import sys

import click
import typer

from posengine.errors import PosError

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
    "stat": ("stat", "What a running engine is doing. 运行状态"),
}


class _Verbs(click.Group):
    """A group whose verbs are imported when they are called, and listed without being."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"posengine.cli.{VERBS[cmd_name][0]}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])


@click.command(cls=_Verbs, no_args_is_help=True, epilog="Begin with: posengine demo")
@click.version_option(package_name="posengine")
def _main() -> None:
    """A durable, replayable transaction engine for acquirers. 面向收单机构的交易引擎"""


def main() -> None:
    """Run the command line; what the operator can mend is one line on stderr, not a traceback."""
    try:
        _main(standalone_mode=True)
    except PosError as error:
        print(f"posengine: {error}", file=sys.stderr)
        sys.exit(3)
