"""Statement layouts: what a file of theirs looks like, as TOML. docs/reference/statement_layout.md
describes every key; `posengine reconcile --layout plain` uses the one that ships.

A layout says where each fact stands (a column by its name in the header, or by its position from
1), how amounts and dates are written, what words mean, and what the trailer holds to check.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Literal, TypeVar

from posengine.reconcile.match import KeyForm
from posengine.settings import SettingsError, Table, read_toml

ROLES = (
    "tid", "mid", "batch", "stan", "rrn", "date", "amount", "currency", "direction", "status",
    "kind", "auth", "pan_masked",
)
"""What a column may hold. The last three are written into statements and not compared."""

ENCODINGS = ("utf-8", "gb18030")
_STAN_KEY = ("tid", "batch", "stan")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AmountForm:
    """How an amount is written."""

    form: Literal["minor", "decimal"]
    decimals: int
    sign: Literal["none", "minus"]
    """``minus``: money back is negative. ``none``: the direction has a column, or is not told."""

    def read(self, text: str) -> tuple[int, int]:
        """Minor units without sign, and -1, +1 or 0 for the direction.

        Raises:
            ValueError: the text is no amount of this form.
        """
        digits = text
        direction = 0
        if self.sign == "minus":
            direction = -1 if text.startswith("-") else 1
            digits = text.removeprefix("-")
        whole, point, fraction = digits.partition(".")
        if not (whole.isascii() and whole.isdigit()) or len(digits) > 20:
            raise ValueError(f"{text!r} is no amount")
        if self.form == "minor":
            if point:
                raise ValueError(f"{text!r} is no amount in minor units")
            return int(whole), direction
        if point and not (fraction.isascii() and fraction.isdigit()):
            raise ValueError(f"{text!r} is no amount")
        if len(fraction) > self.decimals:
            raise ValueError(f"{text!r} has more than {self.decimals} decimals")
        return int(whole + fraction.ljust(self.decimals, "0")), direction

    def write(self, amount_minor: int, direction: int) -> str:
        """The amount as the file has it."""
        sign = "-" if self.sign == "minus" and direction < 0 else ""
        if self.form == "minor" or self.decimals == 0:
            return f"{sign}{amount_minor}"
        digits = str(amount_minor).rjust(self.decimals + 1, "0")
        return f"{sign}{digits[: -self.decimals]}.{digits[-self.decimals :]}"


@dataclass(frozen=True, slots=True)
class TrailerForm:
    """A last line that counts the others; positions are from 1, 0 for none."""

    starts: str
    """What its first cell says."""
    count: int
    sum: int
    sum_of: Literal["net", "absolute"]


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of statement."""

    name: str
    separator: str
    quote: str
    """Empty for none."""
    encoding: str
    has_header: bool
    skip: int
    """Lines before the header."""
    columns: Mapping[str, str | int]
    """Role to header name or position, in the file's order."""
    amount: AmountForm
    date_form: str
    currency: int
    """Of every row, where there is no column of it."""
    currencies: Mapping[str, int]
    directions: Mapping[str, int]
    statuses: Mapping[str, Literal["paid", "reversed", "declined"]]
    trailer: TrailerForm | None
    key: KeyForm
    voids: Literal["both", "netted"]
    """``both``: a sale and its void are two rows. ``netted``: neither is listed."""

    def read_date(self, text: str, *, on: date) -> int:
        """A date as a number; without a year it is the one nearest to ``on``.

        Raises:
            ValueError: the text is no date of this form.
        """
        if "%Y" in self.date_form or "%y" in self.date_form:
            return number_of(datetime.strptime(text, self.date_form).date())
        found = []
        for year in (on.year - 1, on.year, on.year + 1):
            try:
                found.append(datetime.strptime(f"{year}{text}", f"%Y{self.date_form}").date())
            except ValueError:
                continue
        if not found:
            raise ValueError(f"{text!r} is no date of the form {self.date_form}")
        return number_of(min(found, key=lambda each: abs(each - on)))


def number_of(day: date) -> int:
    """A date as 20261121."""
    return day.year * 10_000 + day.month * 100 + day.day


def date_of(number: int) -> date:
    """20261121 as a date. Raises ValueError."""
    return date(number // 10_000, number // 100 % 100, number % 100)


def days_around(on: int, days: int) -> tuple[int, int]:
    """The first and last date within ``days`` of ``on``."""
    day = date_of(on)
    return number_of(day - timedelta(days=days)), number_of(day + timedelta(days=days))


def shipped_layouts() -> list[str]:
    """Names of the layouts that come with posengine."""
    folder = resources.files("posengine.reconcile") / "layouts"
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir())


def load_layout(name_or_path: str | Path) -> Layout:
    """A layout that ships, by name, or one of your own, by path.

    Raises:
        SettingsError: with the file and the key.
    """
    if str(name_or_path) in shipped_layouts():
        shipped = resources.files("posengine.reconcile") / "layouts" / f"{name_or_path}.toml"
        with resources.as_file(shipped) as path:
            return _layout(read_toml(path))
    return _layout(read_toml(name_or_path))


def _layout(table: Table) -> Layout:
    columns = _columns(table)
    amount = table.table("amount")
    trailer = table.table("trailer") if "trailer" in table else None
    has_stan = set(_STAN_KEY) <= columns.keys()
    layout = Layout(
        name=table.text("name"),
        separator=_character(table, "separator", ","),
        quote=_character(table, "quote", '"', empty=True),
        encoding=_encoding(table),
        has_header=table.truth("header", True),
        skip=table.number("skip", 0, most=1_000),
        columns=columns,
        amount=AmountForm(
            "minor" if amount.choice("form", ("minor", "decimal")) == "minor" else "decimal",
            amount.number("decimals", 2, most=4),
            "minus" if amount.choice("sign", ("none", "minus"), "none") == "minus" else "none",
        ),
        date_form=table.text("date_form", "%Y%m%d"),
        currency=table.number("currency", 156, least=1, most=999),
        currencies=_words(table, "currencies", {}),
        directions=_words(table, "directions", {"debit": 1, "credit": -1}),
        statuses=_words(
            table, "statuses", {"paid": "paid", "reversed": "reversed", "declined": "declined"}
        ),
        trailer=None if trailer is None else _trailer(trailer),
        key="stan" if table.choice("key", ("stan", "rrn"), "stan" if has_stan else "rrn") == "stan"
        else "rrn",
        voids="both" if table.choice("voids", ("both", "netted"), "both") == "both" else "netted",
    )
    amount.finish()
    table.finish()
    _require(table, layout)
    return layout


def _require(table: Table, layout: Layout) -> None:
    needed = {"amount", *(_STAN_KEY if layout.key == "stan" else ("rrn",))}
    if missing := sorted(needed - layout.columns.keys()):
        raise table.fault("columns", f"{', '.join(missing)} needed for key {layout.key!r}")
    by_position = [role for role, place in layout.columns.items() if isinstance(place, int)]
    if by_position and layout.has_header and len(by_position) < len(layout.columns):
        raise table.fault("columns", "all by name or all by position")
    if not layout.has_header and len(by_position) < len(layout.columns):
        raise table.fault("columns", "without a header, columns are positions from 1")
    if len(set(layout.columns.values())) < len(layout.columns):
        raise table.fault("columns", "two facts in one column")
    if layout.amount.sign == "minus" and "direction" in layout.columns:
        raise table.fault("amount.sign", "the direction has a column already")


def _columns(table: Table) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    values = table.value("columns")
    if not isinstance(values, dict):
        raise table.fault("columns", "is needed: a table of column names or positions")
    for role, place in values.items():
        if role not in ROLES:
            raise table.fault(f"columns.{role}", f"none of {', '.join(ROLES)}")
        if isinstance(place, bool) or not isinstance(place, str | int) or place in ("", 0):
            raise table.fault(f"columns.{role}", "a column's name, or its position from 1")
        found[role] = place
    return found


def _trailer(table: Table) -> TrailerForm:
    form = TrailerForm(
        starts=table.text("starts"),
        count=table.number("count", 0, most=100),
        sum=table.number("sum", 0, most=100),
        sum_of="net" if table.choice("sum_of", ("net", "absolute"), "absolute") == "net"
        else "absolute",
    )
    table.finish()
    return form


def _words(table: Table, key: str, meanings: Mapping[str, T]) -> dict[str, T]:
    """A word of the file to what it means; without a table each meaning stands for itself."""
    words = table.mapping(key)
    if key == "currencies":
        for word, number in words.items():
            if not (number.isascii() and number.isdigit()):
                raise table.fault(f"{key}.{word}", f"{number!r} is no ISO 4217 number")
        return {word: int(number) for word, number in words.items()}  # type: ignore[misc]
    for word, meaning in words.items():
        if meaning not in meanings:
            raise table.fault(f"{key}.{word}", f"{meaning!r} is none of {', '.join(meanings)}")
    return {word: meanings[meaning] for word, meaning in words.items()} or dict(meanings)


def _character(table: Table, key: str, default: str, *, empty: bool = False) -> str:
    value = table.text(key, default)
    if not (len(value) == 1 or (empty and not value)) or value in "\r\n":
        if empty and not value:
            return value
        raise table.fault(key, f"{value!r} is not one character")
    return value


def _encoding(table: Table) -> str:
    value = table.text("encoding", "utf-8").lower()
    if value not in ENCODINGS:
        raise table.fault("encoding", f"{value!r} is none of {', '.join(ENCODINGS)}")
    return codecs.lookup(value).name


def layout_text(name: str) -> str:
    """The TOML of a layout that ships, to begin one's own with. Raises SettingsError."""
    if name not in shipped_layouts():
        raise SettingsError(f"no layout {name!r}; there are {', '.join(shipped_layouts())}")
    return (resources.files("posengine.reconcile") / "layouts" / f"{name}.toml").read_text("utf-8")
