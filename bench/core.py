"""A timing program in C over the objects of the core as it is built: it may use a room's inside."""

from __future__ import annotations

import subprocess
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
BUILD = HOME / "build" / "editable" / "CMakeFiles"
LEFT = HOME / "build" / "bench"


def program(name: str, *libraries: str) -> Path:
    """``bench/<name>.c``, compiled and linked afresh: its path."""
    objects = sorted((BUILD / "posengine_objects.dir").rglob("*.o"))
    lmdb = sorted((BUILD / "posengine_lmdb.dir").rglob("*.o"))
    if not objects:
        raise SystemExit(f"{name}: no objects of the core: run `make build` first")
    LEFT.mkdir(parents=True, exist_ok=True)
    target = LEFT / name
    command = ["cc", "-std=c11", "-O2", "-D_GNU_SOURCE", "-Wall", "-Wextra", f"-I{HOME / 'native'}",
               f"-I{HOME / 'native' / 'include'}", HOME / "bench" / f"{name}.c", *objects, *lmdb,
               *libraries, "-lpthread", "-o", target]  # fmt: skip
    subprocess.run([*map(str, command)], check=True)
    return target
