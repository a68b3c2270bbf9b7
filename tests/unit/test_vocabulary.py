"""Goal: Python's words are the core's: the same names, numbers, signs and texts.

Method: the core's own headers read as text and compared, both ways.
"""

from __future__ import annotations

import re
from pathlib import Path

from posengine.vocabulary import Flag, Kind, Outcome, kind_of, outcome_of

HEADERS = Path(__file__).parents[2] / "native" / "include" / "posengine"


def test_kinds_are_those_of_kind_def_in_its_order() -> None:
    text = (HEADERS / "kind.def").read_text(encoding="utf-8")
    rows = re.findall(r'^POS_KIND\((\w+), (-?\d+), "([^"]*)", "([^"]*)"\)$', text, re.MULTILINE)
    assert len(rows) > 30
    assert [(kind.name, str(kind.sign), kind.english, kind.chinese) for kind in Kind] == rows
    assert [kind.value for kind in Kind] == list(range(len(rows)))


def test_outcomes_are_those_of_journal_h() -> None:
    text = (HEADERS / "journal.h").read_text(encoding="utf-8")
    names = re.findall(r"^    POS_OUTCOME_(\w+),", text, re.MULTILINE)
    assert [outcome.name for outcome in Outcome] == names
    assert [outcome.value for outcome in Outcome] == list(range(len(names)))


def test_flags_are_those_of_journal_h() -> None:
    text = (HEADERS / "journal.h").read_text(encoding="utf-8")
    rows = re.findall(r"^#define POS_FLAG_(\w+) (0x[0-9A-F]+)U", text, re.MULTILINE)
    assert {flag.name: flag.value for flag in Flag} == {name: int(bits, 16) for name, bits in rows}


def test_a_number_of_a_later_build_is_unknown_and_no_error() -> None:
    assert kind_of(255) is Kind.UNKNOWN
    assert outcome_of(255) is Outcome.NONE
    assert kind_of(5) is Kind.SALE
