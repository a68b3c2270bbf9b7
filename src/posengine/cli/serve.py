"""`posengine serve`: run the engine on a socket."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

EPILOG = (
    "Begin with:  posengine serve --init shop  &&  posengine serve --config shop/posengine.toml"
)


@app.command(epilog=EPILOG)
def serve(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="configuration file, posengine.toml")
    ] = Path("posengine.toml"),
    init: Annotated[
        Path | None,
        typer.Option("--init", help="write a commented configuration into this directory and end"),
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="without a supervisor: systemd or another restarts it")
    ] = False,
    save_state: Annotated[
        bool,
        typer.Option(
            "--save-state", help="write the state's snapshot, beside a running engine, and end"
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="compile every file, say what is wrong, and end")
    ] = False,
) -> None:
    """Run the engine on a socket until SIGTERM drains it. 运行交易引擎，收到 SIGTERM 后排空退出。

    A parent process starts the engine again after a failure. SIGHUP, or [bold]reload[/] on the
    control socket, loads dialect, roster and policy anew: whole or not at all.

    Add a terminal in one line (TID, MID; the TMK is asked for):
    [bold]posengine keys add --config posengine.toml 12345678 104110045110012[/]
    """
    if init is not None:
        _init(init)
    elif check:
        _check(config)
    elif save_state:
        _save_state(config)
    elif alone:
        from posengine.cli.alone import run

        run(config)
    else:
        sys.exit(_supervise(config))


def _supervise(config: Path) -> int:
    from posengine.engine.configuration import read_configuration
    from posengine.engine.processor import processor_path
    from posengine.engine.saver import saver_command
    from posengine.engine.supervisor import Supervisor, engine_command
    from posengine.keys import load_master_key

    processor_path()
    configuration = read_configuration(config)
    load_master_key(configuration.master_key)  # wrong use ends here, not five times in the child
    supervisor = Supervisor(
        command=engine_command(str(config)),
        restarts=configuration.restarts,
        clock=time.monotonic,
        sleep=time.sleep,
        tell=_tell,
        saver=saver_command(str(config)) if configuration.saving.every_s > 0 else (),
        saver_every_s=configuration.saving.every_s,
    )
    return supervisor.run()


def _tell(line: str) -> None:
    """The supervisor's lines look like the engine's."""
    now_s, rest_ns = divmod(time.time_ns(), 10**9)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_s))
    print(f"ts={stamp}.{rest_ns // 1000:06d}Z {line}", file=sys.stderr, flush=True)


def _check(config: Path) -> None:
    from posengine.engine.configuration import read_configuration
    from posengine.engine.images import compile_images
    from posengine.engine.processor import processor_path
    from posengine.keys import load_master_key

    configuration = read_configuration(config)
    load_master_key(configuration.master_key)
    images = compile_images(configuration)
    print(
        f"{config}: fine: spec {len(images.spec)} bytes, roster {len(images.roster)}, "
        f"policy {len(images.policy)}, downloads {len(images.downloads)}, cpu {processor_path()}"
    )


def _save_state(config: Path) -> None:
    from posengine.engine.configuration import read_configuration
    from posengine.engine.saver import give_way, save

    give_way()
    configuration = read_configuration(config)
    made = save(configuration, entries_min=configuration.saving.entries_min)
    if made.is_new:
        _tell(
            f"level=info event=state_saved sequence={made.sequence} folded={made.folded} "
            f"size={made.size}"
        )


def _init(directory: Path) -> None:
    from posengine.engine.starter import write_starter

    for path in write_starter(directory):
        print(f"wrote {path}")
    print(f"next: posengine serve --config {directory / 'posengine.toml'}")
