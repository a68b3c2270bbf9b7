"""Goal: a statement is read as its layout says or its fault is named; layouts are read strictly.

Method: small files by hand, each with one thing wrong; every row of a table of amounts and dates;
layouts with one key wrong each.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from paper.journal import DATE
from posengine.reconcile import (
    StatementFault,
    layout_text,
    load_layout,
    read_statement,
    shipped_layouts,
)
from posengine.reconcile.layout import AmountForm
from posengine.settings import SettingsError

HEAD = "date,tid,mid,batch,stan,rrn,kind,direction,amount,currency,status\n"
ROW = "20261121,T0000001,M1,000007,000001,000000000001,SALE,debit,1000,156,paid\n"
TRAILER = "T,1,1000\n"


def kinds(text: str, layout: str = "plain") -> list[str]:
    statement = read_statement(text.encode(), load_layout(layout), file="f", on=DATE)
    return [fault.kind for fault in statement.faults]


def test_a_good_file_has_no_faults_and_keeps_its_lines() -> None:
    statement = read_statement(
        ("\ufeff" + HEAD + "\n" + ROW + TRAILER).encode(), load_layout("plain"), file="f", on=DATE
    )
    assert statement.faults == ()
    (row,) = statement.rows
    assert (row.line, row.stan, row.batch, row.amount_minor, row.direction) == (3, 1, 7, 1000, 1)


@pytest.mark.parametrize(
    "change",
    [
        ("20261121", "20261321"), ("20261121", "today"), ("000007", "7x"), ("000007", "0000007"),
        ("000007", ""), ("T0000001", ""), (",000001,", ",,"), ("debit", "both"), ("1000", "10.00"),
        ("1000", "-1000"), ("1000", "1e3"), ("1000", ""), ("1000", "１０００"), ("156", "CNY"),
        ("156", "15"), ("paid", "done"), (",1000,156,paid", ""),
    ],
)
def test_a_row_that_cannot_be_read_is_a_break_and_the_rest_goes_on(change: tuple[str, str]) -> None:
    text = HEAD + ROW.replace(*change, 1) + ROW + "T,2,1000\n"
    statement = read_statement(text.encode(), load_layout("plain"), file="f", on=DATE)
    assert [fault.kind for fault in statement.faults] == ["row_unreadable"]
    assert statement.faults[0].reason.startswith("f line 2: ")
    assert len(statement.rows) == 1


@pytest.mark.parametrize(
    ("trailer", "wanted"),
    [
        ("T,1,1000\n", []), ("T,2,1000\n", ["trailer_differs"]), ("T,1,999\n", ["trailer_differs"]),
        ("T,2,999\n", ["trailer_differs"] * 2), ("", ["trailer_differs"]),
        ("T\n", ["trailer_differs"]), ("T,x,1000\n", ["trailer_differs"]),
        ("T,1,-1000\n", ["trailer_differs"]),
    ],
)
def test_a_trailer_that_does_not_agree_is_a_break(trailer: str, wanted: list[str]) -> None:
    assert kinds(HEAD + ROW + trailer) == wanted


def test_a_file_that_is_none_of_its_layout_is_refused() -> None:
    layout = load_layout("plain")
    for data, words in (
        (b"", "no column 'date'"),
        (HEAD.replace("stan", "voucher").encode(), "no column 'stan'"),
        (HEAD.encode() + b"\xff\xfe", "not utf-8"),
        (HEAD.encode() + b'"unclosed', "f:"),
    ):
        with pytest.raises(StatementFault, match=words):
            read_statement(data, layout, file="f", on=DATE)


def test_gb18030_and_yuan_are_read() -> None:
    text = (
        "清算日期|商户编号|终端编号|交易类型|卡号|交易金额|检索参考号|授权码|交易状态\n"
        "2026-11-21|M1|T1|消费|622202******0128|12.5|000000000001||成功\n"
        "2026-11-21|M1|T1|退货|622202******0128|-3.00|000000000002||成功\n"
        "2026-11-21|M1|T1|消费|622202******0128|3.00|000000000003||失败\n"
        "2026-11-21|M1|T1|消费|622202******0128|3.001|000000000004||成功\n"
    )
    statement = read_statement(
        text.encode("gb18030"), load_layout("china-bar"), file="f", on=DATE
    )
    assert [(row.amount_minor, row.direction, row.status) for row in statement.rows] == [
        (1250, 1, "paid"), (300, -1, "paid"), (300, 1, "declined"),
    ]
    assert [fault.kind for fault in statement.faults] == ["row_unreadable"]


@pytest.mark.parametrize(
    ("form", "text", "wanted"),
    [
        (AmountForm("minor", 2, "none"), "1000", (1000, 0)),
        (AmountForm("minor", 2, "minus"), "-1000", (1000, -1)),
        (AmountForm("decimal", 2, "none"), "10", (1000, 0)),
        (AmountForm("decimal", 2, "none"), "10.0", (1000, 0)),
        (AmountForm("decimal", 2, "minus"), "-0.01", (1, -1)),
        (AmountForm("decimal", 0, "none"), "10", (10, 0)),
        (AmountForm("decimal", 3, "none"), "10.125", (10125, 0)),
    ],
)
def test_amounts_are_exact(form: AmountForm, text: str, wanted: tuple[int, int]) -> None:
    assert form.read(text) == wanted


@pytest.mark.parametrize("amount_minor", [0, 1, 9, 10, 99, 100, 101, 999_999_999_999])
@pytest.mark.parametrize("decimals", [0, 2, 3])
@pytest.mark.parametrize("direction", [1, -1])
def test_what_is_written_reads_back(amount_minor: int, decimals: int, direction: int) -> None:
    for form in (AmountForm("decimal", decimals, "minus"), AmountForm("minor", 2, "minus")):
        assert form.read(form.write(amount_minor, direction)) == (amount_minor, direction)


@pytest.mark.parametrize(
    "text",
    ["", "-", ".", ".5", "10.", "1,000", "+1", " 1", "1 ", "--1", "1.2.3", "0x10", "٣", "9" * 21],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        AmountForm("decimal", 2, "minus").read(text)


@pytest.mark.parametrize(
    ("on", "text", "wanted"),
    [
        (date(2026, 11, 21), "1121", 20261121), (date(2027, 1, 1), "1231", 20261231),
        (date(2026, 12, 31), "0101", 20270101), (date(2028, 3, 1), "0229", 20280229),
        (date(2027, 2, 28), "0229", 20280229),
    ],
)
def test_a_date_without_a_year_takes_the_nearest(on: date, text: str, wanted: int) -> None:
    layout = replace(load_layout("plain"), date_form="%m%d")
    assert layout.read_date(text, on=on) == wanted
    with pytest.raises(ValueError, match="no date"):
        layout.read_date("1332", on=on)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "plain"', 'naam = "plain"', "name: is needed"),
        ('name = "plain"', 'name = "plain"\nsurprise = 1', "no such setting: surprise"),
        ('separator = ","', 'separator = ",,"', "not one character"),
        ('encoding = "utf-8"', 'encoding = "ebcdic"', "none of utf-8, gb18030"),
        ('tid = "tid"', 'pan = "pan"', "columns.pan: none of"),
        ('tid = "tid"', 'tid = "mid"', "two facts in one column"),
        ('tid = "tid"', "tid = 3", "all by name or all by position"),
        ('stan = "stan"\n', "", "stan needed for key 'stan'"),
        ('form = "minor"', 'form = "cents"', "none of minor, decimal"),
        ('form = "minor"', 'form = "minor"\nsign = "minus"', "the direction has a column"),
        ("header = true", "header = false", "columns are positions from 1"),
        ('sum_of = "net"', 'sum_of = "gross"', "none of net, absolute"),
        ("count = 2", 'count = "2"', "not a whole number"),
    ],
)
def test_a_wrong_layout_names_the_key(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = layout_text("plain")
    assert old in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SettingsError, match=words):
        load_layout(path)


def test_shipped_layouts_load_and_absent_ones_are_named() -> None:
    assert shipped_layouts() == ["china-bar", "plain"]
    for name in shipped_layouts():
        assert load_layout(name).name == name
    with pytest.raises(SettingsError, match="No such file"):
        load_layout("nowhere.toml")
    with pytest.raises(SettingsError, match="there are china-bar, plain"):
        layout_text("nowhere")
