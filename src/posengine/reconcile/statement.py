"""Statements: a delimited file of theirs read into rows, and the one that our journal implies.

    bytes ── decode ── cut into rows ── each by its layout ──▶ rows, and breaks for what cannot be

A row that cannot be read is a break of its own and does not stop the rest. A trailer that does not
agree with the rows is another: rows may be lost, and then other breaks are only what is left.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from posengine.errors import PosError, Whose
from posengine.reconcile.facts import Break, Ours, Status, Theirs
from posengine.reconcile.layout import Layout, date_of
from posengine.vocabulary import Kind

FILE_SIZE_MAX = 1 << 30  # one business date of a large acquirer is a hundred megabytes
T = TypeVar("T")


class StatementFault(PosError):
    """A file that is no statement of its layout at all."""

    whose: ClassVar[Whose] = "peer"


@dataclass(frozen=True, slots=True)
class Statement:
    """A file of theirs, read."""

    file: str
    layout: Layout
    sha256: str
    rows: tuple[Theirs, ...]
    faults: tuple[Break, ...]
    """Rows that cannot be read, and a trailer that does not agree."""


def read_statement(data: bytes, layout: Layout, *, file: str, on: int) -> Statement:
    """Read a statement.

    Args:
        data: the whole file.
        file: its name, for breaks.
        on: the business date of rows that carry none, and the nearest to dates without a year.

    Raises:
        StatementFault: not of the layout's encoding, or a column of the layout is not there.
    """
    if len(data) > FILE_SIZE_MAX:
        raise StatementFault(f"{file}: more than {FILE_SIZE_MAX} bytes")
    try:
        text = data.decode(layout.encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise StatementFault(
            f"{file}: byte {error.start} is not {layout.encoding}: {error.reason}"
        ) from error
    reader = _Reader(layout, file, on)
    try:
        reader.read(text)
    except csv.Error as error:
        raise StatementFault(f"{file}: {error}") from error
    digest = hashlib.sha256(data).hexdigest()
    return Statement(file, layout, digest, tuple(reader.rows), tuple(reader.faults))


class _Reader:
    """One pass over one file."""

    def __init__(self, layout: Layout, file: str, on: int) -> None:
        self.rows: list[Theirs] = []
        self.faults: list[Break] = []
        self._layout = layout
        self._file = file
        self._on = on
        self._places: dict[str, int] = {}  # role to index
        self._unreadable = 0

    def read(self, text: str) -> None:
        lines = _cells(text, self._layout)
        for _ in range(self._layout.skip):
            next(lines, None)
        self._find_columns(next(lines, (1, []))[1] if self._layout.has_header else None)
        trailer: tuple[int, list[str]] | None = None
        for line, cells in lines:
            if not any(cells):
                continue
            form = self._layout.trailer
            if form is not None and cells[0] == form.starts:
                trailer = (line, cells)
                continue
            self._row(line, cells)
        if self._layout.trailer is not None:
            self._check_trailer(trailer)

    def _find_columns(self, header: list[str] | None) -> None:
        for role, place in self._layout.columns.items():
            if isinstance(place, int):
                self._places[role] = place - 1
            elif header is None or place not in header:
                raise StatementFault(f"{self._file}: no column {place!r} in its header")
            else:
                self._places[role] = header.index(place)

    def _row(self, line: int, cells: list[str]) -> None:
        try:
            self.rows.append(self._theirs(line, cells))
        except (ValueError, IndexError) as error:
            self._unreadable += 1
            words = str(error) if isinstance(error, ValueError) else f"{len(cells)} columns"
            self.faults.append(
                Break(
                    "row_unreadable",
                    f"{self._file} line {line}: {words}",
                    f"{self._file}第{line}行无法解析:{words}",
                )
            )

    def _theirs(self, line: int, cells: list[str]) -> Theirs:
        layout = self._layout
        facts = {role: cells[index].strip() for role, index in self._places.items()}
        key = ("tid", "batch", "stan") if layout.key == "stan" else ("rrn",)
        for role in key:
            if not facts[role]:
                raise ValueError(f"{role} is empty")
        amount_minor, direction = layout.amount.read(facts["amount"])
        if "direction" in facts:
            direction = _meaning(layout.directions, facts["direction"], "direction")
        status: Status = "paid"
        if "status" in facts:
            status = _meaning(layout.statuses, facts["status"], "status")
        currency = layout.currency
        if "currency" in facts:
            currency = _currency(layout, facts["currency"])
        date = self._on
        if "date" in facts:
            date = layout.read_date(facts["date"], on=date_of(self._on))
        return Theirs(
            file=self._file,
            line=line,
            business_date=date,
            tid=facts.get("tid", ""),
            mid=facts.get("mid", ""),
            batch=_digits(facts, "batch"),
            stan=_digits(facts, "stan"),
            rrn=facts.get("rrn", ""),
            amount_minor=amount_minor,
            currency=currency,
            direction=direction,
            status=status,
        )

    def _check_trailer(self, trailer: tuple[int, list[str]] | None) -> None:
        form = self._layout.trailer
        assert form is not None
        if trailer is None:
            self._trailer_fault(
                "it has no trailer: it may be cut short", "缺少尾记录,文件可能不完整"
            )
            return
        line, cells = trailer
        count = len(self.rows) + self._unreadable
        try:
            if form.count and int(cells[form.count - 1]) != count:
                self._trailer_fault(
                    f"line {line} counts {cells[form.count - 1]} rows, there are {count}",
                    f"第{line}行记录{cells[form.count - 1]}笔,实际{count}笔",
                )
            if form.sum:
                self._check_sum(line, cells[form.sum - 1])
        except (ValueError, IndexError) as error:
            self._trailer_fault(f"line {line}: {error}", f"第{line}行无法解析")

    def _check_sum(self, line: int, text: str) -> None:
        form = self._layout.trailer
        assert form is not None
        total = sum(row.amount_minor * _weight(row, form.sum_of) for row in self.rows)
        told, _ = self._layout.amount.read(text.removeprefix("-"))
        told = -told if text.startswith("-") else told
        if told != total:
            self._trailer_fault(
                f"line {line} sums to {told}, the rows to {total}: {told - total:+d}",
                f"第{line}行合计{told},明细合计{total},差{told - total:+d}",
            )

    def _trailer_fault(self, words: str, chinese: str) -> None:
        self.faults.append(
            Break("trailer_differs", f"{self._file}: {words}", f"{self._file}:{chinese}")
        )


def write_statement(ours: Iterable[Ours], layout: Layout, *, on: int) -> bytes:
    """The statement that a perfect other side would send for ``on``, in a layout of its own.

    Rows are our paid postings of the date in the order of their sequence.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(
        out,
        delimiter=layout.separator,
        quotechar=layout.quote or None,
        quoting=csv.QUOTE_MINIMAL if layout.quote else csv.QUOTE_NONE,
        lineterminator="\n",
    )
    places = list(layout.columns.values())
    roles: list[str] = list(layout.columns)
    if layout.has_header and isinstance(places[0], str):
        writer.writerow(places)
    elif layout.has_header:
        writer.writerow(_placed(layout, {role: role for role in roles}))
    count = 0
    total = 0
    for posting in sorted(ours, key=lambda each: each.sequence):
        if posting.status != "paid" or posting.business_date != on:
            continue
        facts = _facts_of(posting, layout)
        writer.writerow(_placed(layout, facts))
        count += 1
        net = layout.trailer is not None and layout.trailer.sum_of == "net"
        total += posting.amount_minor * (posting.direction if net else 1)
    if layout.trailer is not None:
        cells = {1: layout.trailer.starts}
        if layout.trailer.count:
            cells[layout.trailer.count] = str(count)
        if layout.trailer.sum:
            sign = "-" if total < 0 else ""
            cells[layout.trailer.sum] = sign + layout.amount.write(abs(total), 1)
        writer.writerow([cells.get(place, "") for place in range(1, max(cells) + 1)])
    return out.getvalue().encode(layout.encoding)


def _cells(text: str, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Physical line number (of the row's last line) and cells of every row."""
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=layout.separator,
        quotechar=layout.quote or None,
        quoting=csv.QUOTE_MINIMAL if layout.quote else csv.QUOTE_NONE,
        strict=True,
    )
    for cells in reader:
        yield reader.line_num, cells


def _facts_of(posting: Ours, layout: Layout) -> dict[str, str]:
    day = date_of(posting.business_date)
    currencies = {number: word for word, number in layout.currencies.items()}
    directions = {number: word for word, number in layout.directions.items()}
    statuses = {meaning: word for word, meaning in layout.statuses.items()}
    return {
        "date": day.strftime(layout.date_form),
        "tid": posting.tid,
        "mid": posting.mid,
        "batch": f"{posting.batch:06d}",
        "stan": f"{posting.stan:06d}",
        "rrn": posting.rrn,
        "amount": layout.amount.write(posting.amount_minor, posting.direction),
        "currency": currencies.get(posting.currency, f"{posting.currency:03d}"),
        "direction": directions.get(posting.direction, ""),
        "status": statuses.get(posting.status, posting.status),
        "kind": Kind[posting.kind].chinese if layout.encoding == "gb18030" else posting.kind,
        "auth": posting.auth,
        "pan_masked": posting.pan_masked,
    }


def _placed(layout: Layout, facts: dict[str, str]) -> list[str]:
    """Cells in the file's order; positions that nobody fills are empty."""
    places = [place for place in layout.columns.values() if isinstance(place, int)]
    if not places:
        return [facts[role] for role in layout.columns]
    by_place = {place: facts[role] for role, place in layout.columns.items()}
    return [by_place.get(place, "") for place in range(1, max(places) + 1)]


def _meaning(words: Mapping[str, T], text: str, role: str) -> T:
    if text not in words:
        raise ValueError(f"{role} {text!r} is none of {', '.join(words)}")
    return words[text]


def _currency(layout: Layout, text: str) -> int:
    if text in layout.currencies:
        return layout.currencies[text]
    if not (text.isascii() and text.isdigit() and len(text) == 3):
        raise ValueError(f"currency {text!r}")
    return int(text)


def _digits(facts: Mapping[str, str], role: str) -> int:
    text = facts.get(role, "")
    if text and not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise ValueError(f"{role} {text!r} is no number of six digits")
    return int(text or 0)


def _weight(row: Theirs, sum_of: str) -> int:
    return (row.direction or 1) if sum_of == "net" else 1
