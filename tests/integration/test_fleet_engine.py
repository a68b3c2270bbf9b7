"""Goal: terminals on the worst of lines agree with the engine in everything, to the last fen.

Method: a fleet with every fault on against `posengine serve`, several batches long; then the
journal, read by another program, is held against what the terminals believe.
"""

from __future__ import annotations

import time
from pathlib import Path

import posengine
from integration.acquirer import engine_in
from posengine.demonstrate import checks
from posengine.simulate import Faults, Identity, Plan
from posengine.simulate.faults import NAMES
from posengine.simulate.terminals import make_terminals
from posengine.simulate.workers import Beliefs, run_fleet

EVERY_FAULT = Faults({name: 0.02 for name in NAMES})
POLICY = '[answers]\nrequirement_sign_on = 2\n[kinds.SALE]\namount_max = "450.00"\n'


def test_with_every_fault_on_terminals_engine_and_journal_agree(tmp_path: Path) -> None:
    terminals = make_terminals(12, merchants=3, seed=5)
    with engine_in(tmp_path, terminals, policy=POLICY, limits="bad_macs_max = 1000") as engine:
        plan = Plan(
            address=engine.address,
            transactions=2_400,
            seed=11,
            faults=EVERY_FAULT,
            settle_every=70,
            deadline_s=60,
        )
        report, beliefs = run_fleet(
            plan, terminals, dialect="unionpay-terminal", clock=time.monotonic
        )
    assert [str(found) for found in report.disagreements] == []
    assert report.transactions == 2_400 and report.settled >= 36
    assert report.balanced == report.settled - report.faults["total"]
    assert {name for name, count in report.faults.items() if count} == set(NAMES)
    assert report.repeats_equal > 50 and report.late_replies > 20 and report.reversals > 100
    assert report.responses["sale", "61"] > 0  # the policy declines some, and they reverse nothing
    found = reader_says(tmp_path, terminals, beliefs)
    assert found.is_right is True, found.text
    # One fen more in what one terminal believes, and the reader must not agree any longer.
    tid = terminals[3].tid
    deals = [dict(deal) for deal in beliefs[tid]]
    sale = next(deal for deal in deals if deal["state"] == "approved" and deal["sign"] == 1)
    sale["amount"] = int(str(sale["amount"])) + 1
    found = reader_says(tmp_path, terminals, {**beliefs, tid: deals})
    assert found.is_right is False and tid in found.text


def reader_says(home: Path, terminals: list[Identity], beliefs: Beliefs) -> checks.Check:
    """What the independent reader of the journal finds when held against ``beliefs``."""
    return checks.independent_reader_agrees(
        home / "journal",
        checks.oracle_path(Path(posengine.__file__).parent),
        engine_counts={},
        beliefs=beliefs,
        mids={one.tid: one.mid for one in terminals},
    )
