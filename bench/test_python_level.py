"""The Python-level questions under pytest-benchmark, for whoever works on them:

    .venv/bin/python -m pytest bench/test_python_level.py

Groups stand for themselves; bench/python.py asks the same with turns, spread and bars.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

sys.path.insert(0, str(Path(__file__).resolve().parent))

from python import Ways

MESSAGES = 500


@pytest.fixture(scope="module")
def ways() -> Iterator[Ways]:
    made = Ways(MESSAGES)
    made.assert_same()
    yield made


@pytest.mark.benchmark(group="parse 500 sales")
@pytest.mark.parametrize("way", ["parsed", "all_read", "pyiso8583"])
def test_one_by_one(benchmark: BenchmarkFixture, ways: Ways, way: str) -> None:
    benchmark(getattr(ways, way))


@pytest.mark.benchmark(group="parse 500 sales")
def test_as_columns(benchmark: BenchmarkFixture, ways: Ways) -> None:
    columns = benchmark(ways.spec.parse_many, ways.buffer, ways.offsets)
    assert columns.good.all()
