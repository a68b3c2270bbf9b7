"""Goal: a stranger's program embeds the engine: C by CMake, C by pkg-config, and cffi.

Method: each is built from what `posengine config` says, submits one frame to a journal of its own,
commits, and prints the reply. The Python engine's reply to the same frame is the oracle.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from paper.shop import MASTER_KEY, Shop
from posengine.codec import Spec
from posengine.journal import Journal

HERE = Path(__file__).resolve().parent / "embedding"
BIN = Path(sys.executable).parent


def config(option: str) -> str:
    command = [str(BIN / "posengine"), "config", option]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def printed(command: list[str], **environment: str) -> str:
    ended = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def images(shop: Shop) -> list[str]:
    """The three images as files."""
    files = {
        "spec.image": shop.spec().image,
        "roster.image": shop.roster().compile(),
        "policy.image": shop.policy().compile(),
    }
    for name, image in files.items():
        (shop.home / name).write_bytes(image)
    return [str(shop.home / name) for name in files]


def check(shop: Shop, command: list[str], **environment: str) -> None:
    """Run one embedding program with an echo test and hold its reply against the dialect."""
    spec = Spec.load("unionpay-terminal")
    terminal = shop.terminal()
    fields = {11: "000001", 41: terminal.tid, 42: terminal.mid, 60: "00000001301"}
    frame = spec.frame(spec.build("0820", fields))
    journal = str(shop.home / "journal")
    words = [*command, journal, *images(shop), MASTER_KEY.hex(), frame.hex()]
    (reply,) = printed(words, **environment).split()
    unframed, consumed = spec.unframe(bytes.fromhex(reply))
    assert consumed == len(reply) // 2
    answer = spec.parse(unframed.body)
    assert str(answer.mti) == "0830"
    assert answer[39] == "00"
    assert answer[41] == terminal.tid
    with Journal.open(journal, readonly=True) as kept:
        (entry,) = [entry for page in kept.pages() for entry in page.entries()]
        assert entry.rrn == answer[37]


def test_a_c_program_is_built_by_cmake_and_answers(tmp_path: Path) -> None:
    cmake, build = str(BIN / "cmake"), str(tmp_path / "build")
    printed([cmake, "-S", str(HERE), "-B", build, f"-Dposengine_DIR={config('--cmakedir')}"])
    printed([cmake, "--build", build])
    check(Shop(tmp_path), [f"{build}/embed"])


@pytest.mark.skipif(shutil.which("pkg-config") is None, reason="no pkg-config: see the README")
def test_a_c_program_is_built_by_pkg_config_and_answers(tmp_path: Path) -> None:
    where = {"PKG_CONFIG_PATH": config("--pkgconfigdir")}
    flags = printed(["pkg-config", "--cflags", "--libs", "posengine"], **where).split()
    folder = printed(["pkg-config", "--variable=libdir", "posengine"], **where).strip()
    program = str(tmp_path / "embed")
    printed(["gcc", str(HERE / "embed.c"), *flags, f"-Wl,-rpath,{folder}", "-o", program])
    check(Shop(tmp_path), [program])


def test_a_cffi_script_answers(tmp_path: Path) -> None:
    check(Shop(tmp_path), [sys.executable, str(HERE / "embed_cffi.py"), config("--library")])
