"""A C program of tests/native over the core's own objects: what is in them is what runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
BUILD = HOME / "build" / "editable"
OBJECTS = BUILD / "CMakeFiles"


def linked(name: str, place: Path, *flags: str) -> Path:
    """``tests/native/<name>.c`` compiled and linked into ``place``: its path.

    Skips the test only where ``flags`` ask for libraries of a kind that the machine does not have.
    """
    objects = sorted((OBJECTS / "posengine_objects.dir").rglob("*.o"))
    lmdb = sorted((OBJECTS / "posengine_lmdb.dir").rglob("*.o"))
    assert objects and lmdb, "no objects of the core: run `make build`"
    headers = [HOME / "native", HOME / "native" / "include", *BUILD.glob("lmdb/*/lib")]
    target = place / name
    command = ["cc", "-std=c11", "-O2", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
               *(f"-I{folder}" for folder in headers), HOME / "tests" / "native" / f"{name}.c",
               *objects, *lmdb, *flags, "-lpthread", "-o", target]  # fmt: skip
    built = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True)
    if flags and "cannot find -l" in built.stderr:
        pytest.skip(f"no libraries for {' '.join(flags)}")
    assert built.returncode == 0, built.stderr
    return target
