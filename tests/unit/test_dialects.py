"""Goal: the shipped dialects keep the laws (no secret is kept or open, every kind is there) and the
terminal dialect keeps its field matrix.

Method: the TOML itself is looked through; the matrix is written down here a second time, from the
dialect's description and from captured bitmaps.
"""

from __future__ import annotations

import functools
from typing import Any

import pytest

from oracle.dialect import DIALECTS, dialect_of
from posengine._native.codec import kind_names

NAMES = sorted(path.stem for path in DIALECTS.glob("*.toml"))
OF = functools.cache(dialect_of)
NEVER_KEPT = ("pan", "expiry", "track2", "track3", "pin", "qr")
SECRET_TAGS = ("57", "5F20", "5F24", "9F1F", "9F20", "56", "58", "9F6B", "9F0B")


def unionpay_kinds() -> dict[str, dict[str, Any]]:
    return {kind["name"]: kind for kind in OF("unionpay-terminal")["kind"]}


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_is_kept_and_none_is_open(name: str) -> None:
    dialect = OF(name)
    for field in dialect["field"].values():
        assert field["secrecy"] == "open" or not field["keep"]
    for role in NEVER_KEPT:
        number, _, part = str(dialect["roles"].get(role, "")).partition(".")
        if not number:
            continue
        field = dialect["field"][number]
        if part:
            field = dialect["layout"][field["layout"]]["tags"][part]
        assert field["secrecy"] != "open", role
        assert not field.get("keep", False), role
    for layout in dialect["layout"].values():
        members = [*layout.get("parts", []), *layout.get("group", [])]
        members += layout.get("tags", {}).values()
        assert not any(m.get("keep") and m.get("secrecy", "open") != "open" for m in members)


@pytest.mark.parametrize("name", NAMES)
def test_chip_data_hides_what_names_the_card(name: str) -> None:
    tags = OF(name)["layout"]["f55"]["tags"]
    assert {tags[tag]["secrecy"] for tag in SECRET_TAGS} == {"secret"}
    assert tags["5A"]["secrecy"] == "pan"


@pytest.mark.parametrize("name", NAMES)
def test_every_field_has_a_name_in_both_languages(name: str) -> None:
    assert all(field["name"] and field["name_zh"] for field in OF(name)["field"].values())
    assert all(kind["name"] and kind["name_zh"] for kind in OF(name)["kind"])


def test_the_terminal_dialect_has_every_kind() -> None:
    kinds = {kind["kind"] for kind in unionpay_kinds().values()}
    assert kinds == set(kind_names()) - {"UNKNOWN", "ALARM", "ADMINISTRATION"}


def test_only_sign_on_downloads_and_what_has_no_stan_run_again() -> None:
    again = {name for name, kind in unionpay_kinds().items() if not kind["repeatable"]}
    assert again == {
        "sign-on", "download", "download-end", "download-query", "echo", "status-upload",
    }


def test_a_mac_is_demanded_where_the_matrix_says() -> None:
    without = {
        name for name, kind in unionpay_kinds().items()
        if not kind["request_mac"] and not kind["answer_mac"]
    }
    assert without == {
        "sign-on", "sign-off", "echo", "download", "download-end", "download-query",
        "status-upload", "settle", "batch-detail", "batch-end", "batch-chip", "batch-advice",
    }
    for name, kind in unionpay_kinds().items():
        assert kind["request_mac"] == kind["answer_mac"], name
        assert kind["request_mac"] == (64 in kind["mandatory"]), name
        assert 64 not in [*kind["conditional"], *kind["echoed"], *kind["supplied"]], name


def answered(name: str) -> set[int]:
    kind = unionpay_kinds()[name]
    return {*kind["echoed"], *kind["supplied"]}


def bits(bitmap: str) -> set[int]:
    text = f"{int(bitmap, 16):064b}"
    return {index + 1 for index, bit in enumerate(text) if bit == "1"} - {64}


@pytest.mark.parametrize(
    ("name", "bitmap"),
    [
        ("sign-on", "003800010AC00014"),
        ("sale", "703E02810AD08213"),
        ("sale", "703E00810ED08013"),
        ("qr-sale", "303A00810AD08033"),
        ("reversal", "703A02810AD08211"),
    ],
)
def test_an_answer_can_have_the_fields_of_captured_ones(name: str, bitmap: str) -> None:
    assert bits(bitmap) <= answered(name)


def test_answers_leave_out_what_the_matrix_leaves_out() -> None:
    assert 39 not in answered("settle")
    assert 48 in unionpay_kinds()["settle"]["supplied"]
    assert not {14, 63} & answered("reversal")
    assert 54 in unionpay_kinds()["balance"]["supplied"]
    assert 4 not in unionpay_kinds()["balance"]["mandatory"]
    for name in ("qr-sale", "qr-void", "qr-refund"):
        assert 59 in unionpay_kinds()[name]["supplied"], name
        assert not {2, 14, 23, 35} & answered(name), name
    for name in ("batch-detail", "batch-end"):
        assert answered(name) == {11, 12, 13, 32, 37, 39, 41, 42, 60}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("sale-void", {37, 61}), ("preauth-void", {38, 61}), ("completion", {38, 61}),
        ("completion-advice", {38, 61}), ("refund", {37, 61, 63}), ("qr-refund", {37, 61, 63}),
        ("reversal", {39}), ("settle", {48, 49, 63}), ("qr-sale", {59}),
        ("script-result", {55, 61}),
    ],
)
def test_a_request_must_name_what_it_refers_to(name: str, fields: set[int]) -> None:
    assert fields <= set(unionpay_kinds()[name]["mandatory"])


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("iso8583")])
def test_the_standard_dialects_can_be_run_by_the_engine(name: str) -> None:
    dialect = OF(name)
    kinds = {kind["kind"] for kind in dialect["kind"]}
    assert {"SALE", "SALE_VOID", "REFUND", "PREAUTH", "REVERSAL", "SIGN_ON", "ECHO"} <= kinds
    roles = dialect["roles"]
    assert {"pan", "amount", "stan", "tid", "mid", "response", "rrn", "network"} <= set(roles)
    assert len(dialect["field"]) >= 120
