"""What `make test` runs: the C tests under sanitizers, the house police, then pytest.

    python tools/check.py            everything, as CI runs it
    python tools/check.py --fast     without the slow tests

Each step is a plain command, printed before it runs. Exits with the first failure's code.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def steps(*, fast: bool) -> list[tuple[str, list[str]]]:
    """The steps, in order: name and command."""
    build = "build/ctest"
    marks = ["-m", "not slow"] if fast else []
    return [
        (
            "C tests: configure",
            [
                str(BIN / "cmake"), "-S", ".", "-B", build, "-G", "Ninja",
                f"-DCMAKE_MAKE_PROGRAM={BIN / 'ninja'}", "-DCMAKE_BUILD_TYPE=Debug",
                f"-DPython_EXECUTABLE={sys.executable}",
                "-DPOSENGINE_SANITIZE=address;undefined", "-DPOSENGINE_TESTS=ON",
            ],
        ),
        ("C tests: build", [str(BIN / "cmake"), "--build", build]),
        ("C tests", [str(BIN / "ctest"), "--test-dir", build, "--output-on-failure", "-j2"]),
        (
            "posload's own tests",
            ["cargo", "test", "--release", "--quiet", "--manifest-path", "tools/posload/Cargo.toml",
             "--lib", "--target-dir", "build/posload"],
        ),
        ("ruff", [str(BIN / "ruff"), "check", "src", "tests", "tools", "bench"]),
        ("mypy", [str(BIN / "mypy")]),
        ("pytest", [sys.executable, "-m", "pytest", "-n", "2", *marks]),
    ]


def main() -> int:
    """Run every step and say how long each took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="leave the slow tests out")
    fast = parser.parse_args().fast
    for name, command in steps(fast=fast):
        print(f"== {name}: {' '.join(command)}", flush=True)
        began = time.monotonic()
        code = subprocess.run(command, cwd=HOME, check=False).returncode
        print(f"== {name}: {time.monotonic() - began:.1f} s", flush=True)
        if code != 0:
            print(f"== {name} failed with {code}", flush=True)
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
