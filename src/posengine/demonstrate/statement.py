"""A bank's statement of the demonstration's day, with five planted breaks.

It is written from what the terminals believe, not from the journal, in the layout ``plain``; so a
statement without planted breaks must reconcile clean, and one with them must name these five.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from posengine.demonstrate import players
from posengine.demonstrate.checks import Check
from posengine.demonstrate.totals import Belief

COLUMNS = (
    "date", "tid", "mid", "batch", "stan", "rrn", "kind", "direction", "amount", "currency",
    "status",
)  # fmt: skip
PLANTED = (
    "missing_ours", "missing_theirs", "amount_differs", "duplicate_theirs", "status_differs",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the statement."""

    date: int
    tid: str
    mid: str
    batch: int
    stan: int
    rrn: str
    kind: str
    direction: int
    amount: int
    status: str = "paid"

    def cells(self) -> list[str]:
        side = "debit" if self.direction > 0 else "credit"
        return [
            str(self.date), self.tid, self.mid, f"{self.batch:06d}", f"{self.stan:06d}", self.rrn,
            self.kind, side, str(self.amount), "156", self.status,
        ]  # fmt: skip


def rows_of(
    beliefs: Mapping[str, Sequence[Belief]], mids: Mapping[str, str], *, year: int
) -> list[Row]:
    """Every posting that stands, as the terminals believe; dates as field 15 of their answers."""
    return [
        Row(
            date=year * 10_000 + int(str(deal["settled"])),
            tid=tid,
            mid=mids[tid],
            batch=int(str(deal["batch"])),
            stan=int(str(deal["stan"])),
            rrn=str(deal["rrn"]),
            kind=str(deal["trade"]),
            direction=int(str(deal["sign"])),
            amount=int(str(deal["amount"])),
        )
        for tid, deals in beliefs.items()
        for deal in deals
        if deal["state"] == "approved" and int(str(deal["sign"]))
    ]


def plant(rows: Sequence[Row], chance: Random) -> list[Row]:
    """The same with the five breaks of ``PLANTED``, on five different transactions."""
    lost, changed, twice, undone = chance.sample(range(len(rows)), 4)
    planted = list(rows)
    planted[changed] = replace(rows[changed], amount=rows[changed].amount + 100)
    planted[undone] = replace(rows[undone], status="reversed")
    planted.append(rows[twice])
    planted.append(replace(rows[lost], stan=999_999, rrn="999999999999", amount=12_345))
    del planted[lost]
    return planted


def write(path: Path, rows: Sequence[Row]) -> None:
    """The file in layout ``plain``; its trailer counts and sums what is written."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(row.cells() for row in rows)
        writer.writerow(["T", len(rows), sum(row.amount * row.direction for row in rows)])


def breaks_are_named(journal: Path, directory: Path, rows: Sequence[Row], chance: Random) -> Check:
    """The right statement is clean, and the planted one has these five breaks and no other."""
    name, chinese = "five planted breaks are named", "五处差异全部识别"
    ((date, _),) = Counter(row.date for row in rows).most_common(1)
    right = [row for row in rows if row.date == date]
    faults = []
    for file, some, wanted in (
        ("bank.csv", right, Counter[str]()),
        ("bank-broken.csv", plant(right, chance), Counter(PLANTED)),
    ):
        write(directory / file, some)
        done = players.run(command(journal, directory / file, date, form="json"))
        if not done.stdout.strip():
            lines = done.stderr.strip().splitlines() or ["it said nothing"]
            faults.append(f"{file}: {lines[-1]}")
            continue
        found = Counter(each["kind"] for each in json.loads(done.stdout)["breaks"])
        if found != wanted:
            faults.append(f"{file}: {dict(found) or 'no break'} where {dict(wanted)} is right")
    text = f"{len(right):,} rows agree; " + ", ".join(PLANTED)
    return Check(name, chinese, not faults, "; ".join(faults) or text)


def command(journal: Path, file: Path, date: int, *, form: str = "table") -> list[str]:
    """The command that reconciles a file."""
    words = ["--journal", str(journal), "--statement", str(file), "--date", str(date)]
    return players.verb("reconcile", *words, *(["--format", form] if form != "table" else []))
