"""`posengine config`: where the C library, its header and its build files lie."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from posengine._native import status

app = typer.Typer(add_completion=False)


@app.command()
def config(
    includes: Annotated[bool, typer.Option("--includes", help="-I flag for the header")] = False,
    libs: Annotated[bool, typer.Option("--libs", help="-L, -l and run path flags")] = False,
    cmakedir: Annotated[bool, typer.Option("--cmakedir", help="for -Dposengine_DIR=")] = False,
    pkgconfigdir: Annotated[
        bool, typer.Option("--pkgconfigdir", help="for PKG_CONFIG_PATH")
    ] = False,
    library: Annotated[bool, typer.Option("--library", help="libposengine.so itself")] = False,
) -> None:
    """Where the C library, its header and its build files lie, for programs that embed it.

    Example: cc embed.c $(posengine config --includes --libs) -o embed
    """
    home = Path(status.__file__).parent
    answers = [
        (includes, f"-I{home / 'include'}"),
        (libs, f"-L{home / 'lib'} -lposengine -Wl,-rpath,{home / 'lib'}"),
        (cmakedir, str(home / "lib" / "cmake" / "posengine")),
        (pkgconfigdir, str(home / "lib" / "pkgconfig")),
        (library, str(home / "lib" / "libposengine.so")),
    ]
    wanted = [answer for is_wanted, answer in answers if is_wanted]
    for answer in wanted or [f"version {status.version()}", *(answer for _, answer in answers)]:
        print(answer)
