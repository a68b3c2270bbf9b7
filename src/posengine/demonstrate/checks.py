"""What must hold at the end of a demonstration, each thing looked at from another side.

A check says in a sentence what it compared; ``is_right`` None means that it could not be made here,
and why.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from posengine.demonstrate import players
from posengine.demonstrate.totals import (
    Belief,
    believed_batches,
    differences,
    sum_of,
    without_zeros,
)
from posengine.journal import Journal
from posengine.simulate import Report
from posengine.vocabulary import Outcome

READ_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    chinese: str
    is_right: bool | None
    text: str


def terminals_balance(report: Report) -> Check:
    """Every settlement was balanced, and nothing else was disagreed on."""
    is_right = report.disagreement_count == 0 and report.balanced == report.settled > 0
    text = (
        f"{report.balanced:,} of {report.settled:,} settlements of {report.terminals:,} terminals"
    )
    if report.disagreements:
        text += f"; {report.disagreement_count:,} disagreements, first: {report.disagreements[0]}"
    return Check("every terminal balanced", "终端全部平账", is_right, text)


def journal_verifies(journal: Path) -> Check:
    """``posengine journal verify``: sums, digests and the chain."""
    done = players.run(players.verb("journal", "verify", str(journal)))
    words = " ".join((done.stdout or done.stderr).split())
    return Check("journal verify clean", "流水校验通过", done.returncode == 0, words[:200])


def oracle_path(package: Path) -> Path | None:
    """The independent reader of the checkout that ``package`` lies in; None in an installation."""
    path = package.resolve().parents[1] / "tests" / "oracle" / "journal.py"
    return path if path.exists() else None


def independent_reader_agrees(
    journal: Path,
    oracle: Path | None,
    *,
    engine_counts: Mapping[str, int],
    beliefs: Mapping[str, Sequence[Belief]],
    mids: Mapping[str, str],
) -> Check:
    """Counts equal the engine's, totals of every batch equal the terminals' own."""
    name, chinese = "the independent reader agrees", "独立读取一致"
    if oracle is None:
        return Check(name, chinese, None, "skipped: it lies in tests/oracle of a checkout only")
    done = players.run([sys.executable, str(oracle), str(journal)])
    if done.returncode == 3 or not done.stdout.strip():
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        missing = "lmdb" in lines[-1] or "numpy" in lines[-1]
        why = "skipped: its packages (lmdb, numpy) are not installed" if missing else lines[-1]
        return Check(name, chinese, None if missing else False, why)
    found = json.loads(done.stdout)
    faults = [f"{what} at {places[:3]}" for what, places in found["faults"].items()]
    faults += _count_faults(found, engine_counts)
    theirs = without_zeros(found["batches"])
    ours = believed_batches(beliefs, mids)
    faults += differences(ours, theirs)
    text = (
        f"{found['entries']:,} entries in {found['pages']:,} pages; {len(theirs):,} batches, "
        f"{sum_of(theirs, '_count'):,} postings, {sum_of(theirs, '_minor') / 100:,.2f} in all"
    )
    return Check(name, chinese, not faults, "; ".join([*faults, text]))


def _count_faults(found: Mapping[str, object], engine_counts: Mapping[str, int]) -> Iterator[str]:
    """The reader's counts by outcome against the engine's counters."""
    counts: Counter[str] = Counter()
    by_kind = found["counts"]
    assert isinstance(by_kind, dict)
    for word, count in by_kind.items():
        counts[Outcome(int(word.split("/")[1])).name] += count
    pairs = (("approved", "APPROVED"), ("declined", "DECLINED"), ("repeats", "REPEAT"))
    for counter, outcome in pairs:
        if counter in engine_counts and engine_counts[counter] != counts[outcome]:
            yield f"engine {counter} {engine_counts[counter]}, reader {counts[outcome]}"
    if engine_counts.get("entries", found["entries"]) != found["entries"]:
        yield f"engine entries {engine_counts['entries']}, reader {found['entries']}"


# ---- customers -----------------------------------------------------------------------------------
def events_of(journal: Path, mid: str) -> list[str]:
    """The event ids of a merchant: journal id and sequence of each of its entries."""
    with Journal.open(journal, readonly=True) as opened:
        journal_id = opened.journal_id.hex()
        found: list[str] = []
        for page in opened.pages(columns=["mid"]):
            rows = (page.columns["mid"] == mid.encode()).nonzero()[0]
            found += [f"{journal_id}-{page.first_sequence + int(row)}" for row in rows]
    return found


def received_counts(port: int) -> dict[str, int]:
    """What the receiver has counted."""
    with urlopen(f"http://127.0.0.1:{port}/counts", timeout=READ_S_MAX) as answer:
        return {name: int(number) for name, number in json.load(answer).items()}


def every_event_came_once(journal: Path, mid: str, port: int) -> Check:
    """The receiver has each event of its merchant once by id, and nothing else."""
    wanted = events_of(journal, mid)
    with urlopen(f"http://127.0.0.1:{port}/ids", timeout=READ_S_MAX) as answer:
        got = answer.read().decode().split()
    counts = received_counts(port)
    missing, strange = len({*wanted} - {*got}), len({*got} - {*wanted})
    is_right = not missing and not strange and not counts["refused"] and got == wanted
    text = f"{len(got):,} of {len(wanted):,} events, in order, each signature right"
    if not is_right:
        text = (
            f"{missing} missing, {strange} not of the merchant, {counts['refused']} with a wrong "
            f"signature, of {len(wanted)}; in order: {got == wanted}"
        )
    if counts["repeats"]:
        text += f"; {counts['repeats']} came again and were known by id"
    return Check("the webhook got every event once", "网络推送不重不漏", is_right, text)


def daily_files_agree(directory: Path, journal: Path, mid: str) -> Check:
    """Each file's trailer counts and sums its rows; all rows together are the merchant's."""
    name, chinese = "daily files agree with their trailers", "日文件与尾记录一致"
    files = sorted(directory.glob("*.csv"))
    faults: list[str] = []
    rows = 0
    for path in files:
        count, found = _trailer_faults(path)
        rows += count
        faults += found
    wanted = _approved_of(journal, mid)
    if rows != wanted:
        faults.append(f"{rows} rows in all, the journal has {wanted} approved entries")
    names = ", ".join(path.name for path in files) or "no file"
    text = "; ".join(faults) or f"{names}: {rows:,} rows, counts, sums and digest right"
    return Check(name, chinese, bool(files) and not faults, text)


def _trailer_faults(path: Path) -> tuple[int, list[str]]:
    lines = path.read_bytes().splitlines(keepends=True)
    header, body = _cells(lines[0]), [line for line in lines if line.startswith(b"D,")]
    amount, kind = header.index("amount_minor"), header.index("kind")
    sums: Counter[str] = Counter()
    for line in body:
        cells = _cells(line)
        sums[cells[kind]] += int(cells[amount])
    faults = []
    for line in lines:
        cells = _cells(line)
        if cells[0] != "T":
            continue
        if cells[1] == "count" and int(cells[2]) != len(body):
            faults.append(f"{path.name}: the trailer counts {cells[2]}, there are {len(body)}")
        if cells[1] == "sum" and int(cells[5]) != sums.pop(cells[3], 0):
            faults.append(f"{path.name}: the sum of {cells[3]} differs")
        if cells[1] == "sha256" and cells[2] != hashlib.sha256(b"".join(body)).hexdigest():
            faults.append(f"{path.name}: the digest differs")
    faults += [f"{path.name}: no sum of {name}" for name, amount in sums.items() if amount]
    return len(body), faults


def _cells(line: bytes) -> list[str]:
    return next(csv.reader([line.decode()]))


def _approved_of(journal: Path, mid: str) -> int:
    with Journal.open(journal, readonly=True) as opened:
        return sum(
            int(
                (
                    (page.columns["mid"] == mid.encode())
                    & (page.columns["outcome"] == Outcome.APPROVED)
                ).sum()
            )
            for page in opened.pages(columns=["mid", "outcome"])
        )
