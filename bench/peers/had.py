"""How each peer is had: from its registry, into build/peers, at the version that is written here.

    jPOS          Maven Central, by mvn; compiled against with javac      Java 17
    moov          the Go module proxy, by go
    DL_ISO8583    no registry has it: DL_ISO8583=<its source tree> says where it is
    PostgreSQL    Debian's packages: postgresql
    psycopg       PyPI, into a virtual environment of its own

A peer that cannot be had is Absent, with the reason in words, and the rest goes on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PEERS = Path(__file__).resolve().parent
HOME = PEERS.parent.parent
BUILD = HOME / "build" / "peers"
JPOS = "2.1.10"
MOOV = "v0.26.1"
PSYCOPG = "psycopg[binary]>=3.2,<4"
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>bench</groupId><artifactId>bench</artifactId><version>1</version><dependencies>
<dependency><groupId>org.jpos</groupId><artifactId>jpos</artifactId><version>{}</version>
</dependency></dependencies></project>
"""


class Absent(Exception):
    """A peer that cannot be had here, and why."""


def tool(name: str, package: str) -> str:
    """The path of a program that a peer needs."""
    found = shutil.which(name)
    if found is None:
        raise Absent(f"{name} is not installed (Debian: {package})")
    return found


def command(given: Sequence[str | Path], home: Path, limit_s: int = 300) -> None:
    """A step of building; its last words where it fails."""
    done = subprocess.run(
        given, cwd=home, capture_output=True, text=True, check=False, timeout=limit_s
    )
    if done.returncode != 0:
        words = (done.stdout + done.stderr).strip().splitlines()[-3:]
        raise Absent(f"{Path(given[0]).name} failed: {' / '.join(words)}")


def jpos(source: str) -> list[str]:
    """The command of a Java program of this folder, compiled against jPOS; arguments follow."""
    home = BUILD / f"jpos-{JPOS}"
    home.mkdir(parents=True, exist_ok=True)
    java, javac = tool("java", "openjdk-17-jdk-headless"), tool("javac", "openjdk-17-jdk-headless")
    if not (home / "lib").exists():
        (home / "pom.xml").write_text(POM.format(JPOS))
        mvn = tool("mvn", "maven")
        command([mvn, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib.part"],
                home)  # fmt: skip
        (home / "lib.part").rename(home / "lib")
    path = f"{home}/lib/*:{home}/classes"
    command([javac, "-nowarn", "-cp", path, "-d", str(home / "classes"), str(PEERS / source)], home)
    return [java, "-Xms1g", "-Xmx1g", "-cp", path, Path(source).stem]


def moov(source: str) -> list[str]:
    """A Go program of this folder, built against moov-io/iso8583."""
    home = BUILD / f"moov-{MOOV}-{Path(source).stem}"
    home.mkdir(parents=True, exist_ok=True)
    go = tool("go", "golang-go")
    shutil.copy(PEERS / source, home / "main.go")
    if not (home / "go.sum").exists():
        (home / "go.mod").write_text("module bench\n\ngo 1.21\n")
        command([go, "get", f"github.com/moov-io/iso8583@{MOOV}"], home)
    command([go, "build", "-o", "program", "."], home)
    return [str(home / "program")]


def dl_iso8583() -> list[str]:
    """dl_codec.c, built against the source tree that DL_ISO8583 names."""
    tree = os.environ.get("DL_ISO8583")
    if not tree:
        raise Absent("no registry has it; DL_ISO8583=<its source tree> says where it is")
    folders = sorted(Path(tree).glob("dl_c_*"))
    sources = [path for folder in folders for path in sorted(folder.glob("*.c"))]
    if not sources:
        raise Absent(f"DL_ISO8583={tree} has no dl_c_*/*.c")
    BUILD.mkdir(parents=True, exist_ok=True)
    program = BUILD / "dl_codec"
    include = [f"-I{folder}" for folder in folders]
    command([tool("gcc", "gcc"), "-O3", "-march=native", "-w", *include, str(PEERS / "dl_codec.c"),
             *map(str, sources), "-o", str(program)], HOME)  # fmt: skip
    return [str(program)]


def ours(source: str) -> list[str]:
    """A C program of this folder against the installed core."""
    import posengine

    homes = [Path(place) / "_native" for place in posengine.__path__]
    homes += HOME.glob(".venv/lib/python3*/site-packages/posengine/_native")
    libs = [home / "lib" for home in homes if (home / "lib" / "libposengine.so").exists()]
    if not libs:
        raise Absent("the core is not built: make build")
    BUILD.mkdir(parents=True, exist_ok=True)
    program = BUILD / Path(source).stem
    command([tool("gcc", "gcc"), "-O3", f"-I{HOME}/native/include", str(PEERS / source),
             f"-L{libs[0]}", "-lposengine", f"-Wl,-rpath,{libs[0]}", "-o", str(program)],
            HOME)  # fmt: skip
    return [str(program)]


def postgres() -> Path:
    """The folder of PostgreSQL's server programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        raise Absent("no PostgreSQL server (Debian: postgresql)")
    return found[-1].parent


def psycopg() -> str:
    """A Python that has psycopg."""
    home = BUILD / "psycopg"
    python = home / "bin" / "python"
    if not python.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        command([sys.executable, "-m", "venv", str(home)], HOME)
        command([python, "-m", "pip", "install", "-q", PSYCOPG], HOME)
    return str(python)
