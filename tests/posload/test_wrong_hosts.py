"""Goal: a host that is wrong is found out; a load generator that believes everything is no use.

Method: the slow host of tests/oracle, right and with each of its defects.
"""

from __future__ import annotations

import pytest

import posload
from paper.loads import slow_host

MIX = {"sale": 60, "void": 10, "refund": 10, "reversal": 20}


def report_of(defect: str, **words: object) -> posload.Report:
    with slow_host(defect) as (port, terminals):
        plan = {
            "port": port, "terminals": terminals, "connections": 4, "depth": 1, "count": 120,
            "quiet": True, "mix": MIX, "batch_max": 40, **words,
        }  # fmt: skip
        return posload.run(posload.Plan(**plan))  # type: ignore[arg-type]


def test_a_right_host_is_found_right() -> None:
    report = report_of("", faults={"wrong_mac": 0.1, "repeat": 0.1, "late_reversal": 0.1})
    assert report.is_clean, str(report)


@pytest.mark.parametrize(
    "defect, error",
    [("wrong mac", "mac"), ("wrong amount", "field"), ("lost posting", "session"),
     ("deaf reversal", "session"), ("forgetful", "unexpected"), ("double posting", "unexpected")],
)  # fmt: skip
def test_a_wrong_host_is_found_out(defect: str, error: str) -> None:
    report = report_of(defect, faults={"repeat": 0.3})
    assert not report.is_clean
    assert report.errors.get(error, 0) > 0, str(report)
    assert any(example.startswith(error) for example in report.facts["examples"])
