"""Goal: what is installed is one abi3 wheel that another program can build against.

Method: the wheel's own name and list of files; a C program built from the installed tree.
"""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_one_abi3_wheel_holds_library_header_and_build_files(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
        "-C", f"build-dir={HOME / 'build' / 'wheel'}", "-w", str(tmp_path), str(HOME),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert "-cp311-abi3-" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    wanted = ["lib/libposengine.so", "include/posengine.h", "lib/pkgconfig/posengine.pc"]
    for name in wanted:
        assert f"posengine/_native/{name}" in names
    assert not [name for name in names if name.endswith((".pyx", ".c"))]
    assert [name for name in names if name.endswith("status.abi3.so")]


def test_a_c_program_is_built_by_the_flags_that_config_prints(tmp_path: Path) -> None:
    posengine = shutil.which("posengine", path=str(Path(sys.executable).parent))
    assert posengine is not None
    flags = subprocess.run(
        [posengine, "config", "--includes", "--libs"], check=True, capture_output=True, text=True
    ).stdout.split()
    source = tmp_path / "version.c"
    source.write_text(
        "#include <posengine.h>\n#include <stdio.h>\nint main(void) { puts(pos_version()); }\n"
    )
    program = tmp_path / "version"
    subprocess.run(["gcc", str(source), *flags, "-o", str(program)], check=True)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    assert printed == "0.1.0\n"
