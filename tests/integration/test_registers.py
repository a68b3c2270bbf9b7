"""What computes in wide registers leaves none of their upper halves in use.

Goal: no thread of the engine goes on with them in use, which makes SHA-256's instructions, and all
else of the older encoding, wait for what was written last: 190 us for a page instead of 75.
Method: tests/native/registers.c over the objects that run, linked as the library is; gcc clears the
halves at the end of a function, but not before a call whose registers it knows from linking all as
one. One function leaves them in use on purpose, and must be seen.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from oracle.vectors import vectors
from paper.linked import linked
from posengine.codec import Spec

NOT_TO_BE_HAD = 3
SALE = "kinds_financial: Sale, magnetic stripe with PIN"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return linked("registers", tmp_path_factory.mktemp("registers"))


@pytest.mark.parametrize("path", ["avx2", "avx512"])
def test_no_upper_half_is_left_in_use(program: Path, path: str, tmp_path: Path) -> None:
    image = tmp_path / "spec.image"
    spec = Spec.load("unionpay-terminal")
    image.write_bytes(spec.image)
    (sale,) = [vector for vector in vectors("message") if vector.name == SALE]
    body = spec.unframe(sale.data)[0].body
    ran = subprocess.run(
        [program, tmp_path / "journal", image, body.hex()], check=False, capture_output=True,
        text=True, env=os.environ | {"POSENGINE_CPU": path},
    )  # fmt: skip
    if ran.returncode == NOT_TO_BE_HAD:
        pytest.skip(f"no {path} here, or a processor that does not tell")
    assert ran.returncode == 0, ran.stderr
    left = dict(line.split() for line in ran.stdout.splitlines())
    assert left.pop("leaves") != "0"
    assert set(left.values()) == {"0"}, left
    assert {"crc32c", "page", "parse", "unionpay-ecb"} < left.keys()
