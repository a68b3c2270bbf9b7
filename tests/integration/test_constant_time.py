"""No branch and no address depends on a key, a message or a MAC.

Goal: what takes time, takes it whatever the secret is; on every path of the processor.
Method: tests/native/secrets.c over the core's own objects. Under valgrind's memcheck all secrets
are undefined, and a branch or an address made of them is an error; it knows portable, sse42 and
avx2. What it does not know, AVX-512 and SHA-NI, runs twice under another process that steps
through it: the two runs must take the same instructions, and no register that differs between them
may be in an address, or be divided by; the vector code has no gathers. Leaks on purpose must be
seen by each way. No time is measured here: bench/constant_time.py does that.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from paper.linked import OBJECTS, linked

NOT_TO_BE_HAD = 3
REGISTERS = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"]
ADDRESS = re.compile(r"\(([^)]*)\)")
STRING = re.compile(r"(?:rep\w* +)?(movs|cmps|stos|scas|lods)[bwlq]? ")
OF_STRINGS = {"movs": {"rsi", "rdi"}, "cmps": {"rsi", "rdi"}, "stos": {"rdi"}, "scas": {"rdi"},
              "lods": {"rsi"}}  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The watched program: static, so that all of it can be read."""
    return linked("secrets", tmp_path_factory.mktemp("secrets"), "-static", "-no-pie")


def _targets(program: Path) -> list[str]:
    ran = subprocess.run([program, "targets"], check=True, capture_output=True, text=True)
    return ran.stdout.split()


@pytest.mark.parametrize("path", ["portable", "sse42", "avx2"])
def test_nothing_is_decided_or_addressed_by_what_is_secret(program: Path, path: str) -> None:
    if shutil.which("valgrind") is None or not Path("/usr/include/valgrind/memcheck.h").exists():
        pytest.skip("valgrind and its headers are not there")
    command = ["valgrind", "-q", "--error-limit=no", program, "undefined", path]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    if ran.returncode == NOT_TO_BE_HAD:
        pytest.skip(f"this machine, or valgrind on it, has no {path}")
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = {fact["target"]: fact["errors"] for fact in map(json.loads, ran.stdout.splitlines())}
    assert list(found) == _targets(program)
    seen = {name for name, errors in found.items() if errors > 0}
    # A divisor is no branch and no address: memcheck is not asked about it.
    assert seen == {"leak-table", "leak-comparing"}, ran.stderr[-3000:]


@cache
def _instructions(program: Path) -> dict[int, str]:
    """Every instruction by its place, as objdump writes it."""
    command = ["objdump", "-d", "--no-show-raw-insn", str(program)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = (line.split(":", 1) for line in ran.stdout.splitlines() if line.startswith("  "))
    return {int(place, 16): text.strip() for place, text in lines}


def _names(number: int) -> set[str]:
    """The register as instructions name it, in all of its sizes."""
    if number >= len(REGISTERS):
        return {f"r{number}{size}" for size in ("", "d", "w", "b")}
    name = REGISTERS[number]
    low = {f"{name[0]}l", f"{name[0]}h"} if name[1] == "x" else {f"{name}l"}
    return {f"r{name}", f"e{name}", name, *low}


def _addressing(instruction: str) -> set[str]:
    """The registers that an address is made of, or a division's time."""
    operation = instruction.split()[0]
    if operation.startswith(("lea", "nop", "endbr")):
        return set()
    if operation.startswith(("div", "idiv")):
        return {"rax", "rdx", *re.findall(r"%(\w+)", instruction)}
    if string := STRING.match(instruction):
        return {"rcx", *OF_STRINGS[string[1]]}
    found = ADDRESS.search(instruction)
    return set(re.findall(r"%(\w+)", found[1])) if found else set()


def _faults(program: Path, path: str, target: str) -> list[str]:
    """What the trace of one target shows; nothing where it is as it must be."""
    ran = subprocess.run(
        [program, "traced", path, target], check=False, capture_output=True, text=True
    )
    if ran.returncode == NOT_TO_BE_HAD:
        pytest.skip(f"no {path} here, or nobody may step through a process")
    assert ran.returncode == 0, (target, ran.stderr)
    trace = json.loads(ran.stdout)
    assert trace["steps"] > 5
    if trace["branches"] > 0:
        return [f"{trace['branches']} of {trace['steps']} steps are elsewhere"]
    faults = []
    for place, mask in trace["apart"]:
        instruction = _instructions(program)[place]
        for number in range(16):
            if mask >> number & 1 and _names(number) & _addressing(instruction):
                faults.append(f"{place:x}: {instruction}")
    return faults


@pytest.mark.parametrize("path", ["avx512"])
def test_two_secrets_take_one_way(program: Path, path: str) -> None:
    if shutil.which("objdump") is None:
        pytest.skip("objdump is not there")
    found = {target: _faults(program, path, target) for target in _targets(program)}
    leaks = {target: faults for target, faults in found.items() if faults}
    assert set(leaks) == {"leak-table", "leak-comparing", "leak-division"}, leaks


def test_vector_code_of_the_room_has_no_gathers() -> None:
    if shutil.which("objdump") is None:
        pytest.skip("objdump is not there")
    objects = sorted((OBJECTS / "posengine_objects.dir" / "native" / "mac").glob("*.o"))
    if not objects:
        pytest.skip("no objects of the core: run `make build`")
    for path in objects:
        ran = subprocess.run(["objdump", "-d", path], check=True, capture_output=True, text=True)
        assert not re.search(r"gather|scatter", ran.stdout), path.name
