"""Goal: figures become ratios, verdicts and pictures as the bars are worded.

Method: pairs worked out by hand, in both directions; the page must hold what the table says.
"""

import sys
from dataclasses import asdict
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from page import page
from record import compare, figure, table


def test_less_time_is_more_ratio() -> None:
    answer = compare("parse", [10, 20, 10], [30, 40, 50], unit="ns", rival="loop", better="less",
                     at_least=2.5)  # fmt: skip
    assert answer.ratio == 3  # pairs 3, 2, 5
    assert answer.spread == (2, 5)
    assert answer.holds is True
    assert answer.bar == "≥ 2.5 ×"


def test_more_rate_is_more_ratio() -> None:
    answer = compare("echo", [80, 90], [100, 100], unit="a second", rival="echo", better="more",
                     at_least=0.9)  # fmt: skip
    assert answer.ratio == pytest.approx(0.85)
    assert answer.holds is False


def test_a_bar_from_above_is_ours_over_theirs() -> None:
    answer = compare("whole", [130], [100], unit="ns", rival="stages", better="less", at_most=1.3)
    assert answer.ratio == 1.3
    assert answer.holds is True


def test_a_figure_alone_is_judged_in_its_own_unit() -> None:
    assert figure("restart", [400, 520, 510], unit="ms", at_most=500).holds is False
    assert figure("parse", [1.0], unit="ns").holds is None


@pytest.mark.parametrize("theirs", [[], [1.0]])
def test_what_cannot_be_paired_is_refused(theirs: list[float]) -> None:
    with pytest.raises(ValueError, match="2 runs of ours"):
        compare("x", [1, 2], theirs, unit="ns", rival="r", better="less")


def test_the_page_shows_what_the_table_says() -> None:
    answers = [
        compare("parse <sales>", [10], [30], unit="ns", rival="loop", better="less", at_least=5),
        figure("rate", [600_000], unit="a second", at_least=544_000),
    ]
    result = {
        "bench": "parse", "commit": "abc", "failure": None,
        "answers": [asdict(answer) for answer in answers], "cost_card": {"flushes": 0.001},
    }  # fmt: skip
    drawn = page([result, {**result, "answers": [], "failure": "exit code 1"}], {"cores": 2})
    assert "1 of 2 bars hold" in drawn
    assert "parse &lt;sales&gt;" in drawn and "<sales>" not in drawn
    assert drawn.count("<rect") == 2
    assert "exit code 1" in drawn and "flushes" in drawn
    assert "MISSED" in table(answers).splitlines()[0] and "holds" in table(answers).splitlines()[1]
