"""Goal: the auditor agrees with a journal that is right, and names the first thing that is not.

Method: a journal that the engine wrote under load; then its pages with one byte flipped, one amount
changed (CRC, digests and chain put right again, so that only the totals can tell), one page left
out, two exchanged; and claims that are not so.
"""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import posload
from oracle.journal import crc32c, digest_of, page_of
from paper.loads import counters, journal, terminals
from paper.server import Server
from paper.shop import Shop

HEAD, RECORD = 32, struct.Struct("<I8sQ")


@dataclass
class Pages:
    """A dump taken apart: its head, and each page's volume, key and value."""

    head: bytes
    pages: list[tuple[int, bytes, bytearray]]

    @staticmethod
    def of(data: bytes) -> Pages:
        at, pages = HEAD, []
        while at < len(data):
            volume, key, size = RECORD.unpack_from(data, at)
            at += RECORD.size
            pages.append((volume, key, bytearray(data[at : at + size])))
            at += size
        return Pages(data[:HEAD], pages)

    def write(self, path: Path) -> Path:
        parts = [self.head]
        for volume, key, value in self.pages:
            parts += [RECORD.pack(volume, key, len(value)), bytes(value)]
        path.write_bytes(b"".join(parts))
        return path

    def put_right(self, first: int) -> None:
        """CRC, digest and chain from a page on, as one who covers his tracks would."""
        before = bytes(self.pages[first - 1][2][16:48]) if first else bytes(32)
        for _, _, value in self.pages[first:]:
            value[144:176] = before
            before = digest_of(bytes(value))
            value[16:48] = before
            struct.pack_into("<I", value, 8, crc32c(bytes(value[12:])))


@dataclass
class Case:
    report: posload.Report
    counters: dict[str, int]
    journal: Path
    dump: bytes


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    place = tmp_path_factory.mktemp("shop")
    shop = Shop(place, count=8)
    shop.write()
    with Server(shop) as server:
        plan = posload.Plan(
            port=server.port, terminals=terminals(shop), connections=2, depth=16, count=1_000,
            quiet=True, mix={"sale": 70, "void": 10, "refund": 10, "reversal": 10},
        )  # fmt: skip
        report = posload.run(plan)
        found = counters(server)
    assert report.is_clean, str(report)
    copy = place / "pages"
    subprocess.run([sys.executable, "-m", "posload.dump", place / "journal", copy], check=True)
    return Case(report, found, place / "journal", copy.read_bytes())


def disagreement(pages: Pages, path: Path, report: posload.Report | None = None) -> str:
    finding = posload.audit(pages.write(path / "changed"), report=report)
    assert not finding.agrees
    return finding.disagreement or ""


def test_a_right_journal_a_report_and_the_engines_counters_agree(case: Case) -> None:
    finding = posload.audit(case.journal, report=case.report, counters=case.counters)
    assert finding.agrees, finding.disagreement
    facts = finding.facts
    assert facts["entries"] == facts["last_sequence"] == 1_000 + 2 * 8
    assert facts["claims_held"] == 8 + 1
    assert facts["settlements"] == 8
    other = journal(case.journal)  # the slow reader of tests/oracle
    assert other["crc_ok"] and other["chain_ok"] and other["entries"] == facts["entries"]
    assert other["pages"] == facts["pages"] and other["journal_id"] == facts["journal_id"]
    assert sum(other["counts"].values()) == sum(facts["counts"].values())
    kinds = case.report.facts["kinds"]
    assert facts["counts"]["SALE/approved"] == kinds["sale"]["approved"]
    assert facts["counts"]["REVERSAL/approved"] == kinds["reversal"]["approved"]
    assert {row[0]: row[2:6] for row in facts["terminals"]} == {
        row[0]: row[2:6] for row in case.report.facts["terminals"]
    }


def test_any_flipped_byte_is_found_and_its_page_named(case: Case, tmp_path: Path) -> None:
    dice = random.Random(7)
    for _ in range(12):
        pages = Pages.of(case.dump)
        index = dice.randrange(len(pages.pages))
        _, key, value = pages.pages[index]
        value[dice.randrange(len(value))] ^= 1 << dice.randrange(8)
        assert f"page {int.from_bytes(key, 'big')}: " in disagreement(pages, tmp_path)


def test_a_changed_amount_is_found_though_every_digest_is_right(case: Case, tmp_path: Path) -> None:
    pages = Pages.of(case.dump)
    index, row, offset = amount_of_a_sale(pages)
    value = pages.pages[index][2]
    (amount,) = struct.unpack_from("<q", value, offset)
    struct.pack_into("<q", value, offset, amount + 1)
    pages.put_right(index)
    said = disagreement(pages, tmp_path)
    assert "closed as balanced, but domestic debit" in said, (row, said)


def amount_of_a_sale(pages: Pages) -> tuple[int, int, int]:
    """A sale that stands: its page, row, and where its amount is."""
    undone = set()
    for _, key, value in pages.pages:
        undone |= {int(original) for original in page_of(key, bytes(value)).columns["original"]}
    for index, (_, key, value) in enumerate(pages.pages):
        page = page_of(key, bytes(value))
        for row in range(page.count):
            is_sale = page.columns["kind"][row] == 5 and page.columns["outcome"][row] == 1
            if is_sale and page.first_sequence + row not in undone:
                amounts = page.columns["amount"]
                base = amounts.__array_interface__["data"][0]
                start = page.columns["received_at"].__array_interface__["data"][0]
                (first,) = struct.unpack_from("<I", value, 240 + 20)  # received_at is the first
                return index, row, first + base - start + 8 * row
    raise AssertionError("no sale")


def test_a_page_that_is_missing_or_out_of_place_is_found(case: Case, tmp_path: Path) -> None:
    pages = Pages.of(case.dump)
    del pages.pages[1]
    assert "a hole" in disagreement(pages, tmp_path)
    pages = Pages.of(case.dump)
    del pages.pages[-1]
    assert "is durable, but the last entry is" in disagreement(pages, tmp_path)
    pages = Pages.of(case.dump)
    pages.pages[1], pages.pages[2] = pages.pages[2], pages.pages[1]
    assert "a hole" in disagreement(pages, tmp_path)


def test_claims_that_are_not_so_are_named(case: Case) -> None:
    facts = dict(case.report.facts)
    facts["terminals"] = [list(row) for row in facts["terminals"]]
    facts["terminals"][3][2] += 1
    finding = posload.audit(case.journal, report=posload.Report(facts))
    assert finding.disagreement is not None
    assert finding.disagreement.startswith("terminal 10000004: debit ")
    wrong = {"journal_durable_sequence": 7}
    assert "last sequence: 7 claimed" in str(posload.audit(case.journal, counters=wrong))


def test_the_shell_proves_a_journal_and_draws_a_page(case: Case, tmp_path: Path) -> None:
    kept = tmp_path / "report.json"
    case.report.save(kept)
    command = [sys.executable, "-m", "posload.cli"]
    ran = subprocess.run(
        [*command, "audit", case.journal, "--report", kept], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0 and "agrees" in ran.stdout, ran.stdout + ran.stderr
    ran = subprocess.run([*command, "page", kept], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "Every answer was right" in page and "延迟百分位" in page and page.count("<svg") == 4
    assert "http" not in page.replace("<!doctype html>", "")
    ran = subprocess.run([*command, "audit", kept], capture_output=True, text=True, check=False)
    assert ran.returncode == 3 and "no dump of pages" in ran.stderr
