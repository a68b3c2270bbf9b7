"""Goal: with ``keep_pan`` the account number of every decision comes back, and of nothing else.

Method: an engine without a socket takes sales by field 2 and by track 2, repeats, declines and
refusals; then each entry is asked for its number, by the product and by the oracle.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from oracle.terminal import PAN, Terminal
from paper.shop import MASTER_KEY, Shop
from posengine.engine.engine import Engine
from posengine.errors import PanAbsent, PanNotKept
from posengine.journal import Journal
from posengine.vocabulary import Flag, Outcome

ORACLE = Path(__file__).resolve().parents[2] / "oracle" / "pans.py"
LONG_PAN = "6222020000000000008"


def signed_on(engine: Engine, shop: Shop) -> Terminal:
    terminal = shop.terminal()
    engine.submit(1, [terminal.sign_on_frame()])
    (reply,) = engine.commit()
    terminal.take_keys(terminal.open(reply.frame))
    return terminal


def swiped(terminal: Terminal, pan: str) -> bytes:
    fields = terminal.sale_fields(700)
    del fields[2]
    return terminal.seal("0200", {**fields, 22: "021", 35: f"{pan}D51072201234567891"})


def a_day(engine: Engine, shop: Shop) -> dict[int, str]:
    """What each sale's account number was, by the sequence of its entry, as the wire had it."""
    terminal = signed_on(engine, shop)
    repeated = terminal.sale(100)
    wave = [
        repeated,
        terminal.sale(200, pan=LONG_PAN),
        repeated,  # in one wave with its original
        swiped(terminal, PAN),
        terminal.seal("0200", {**terminal.sale_fields(1), 49: "999"}),  # declined or refused
        terminal.sale(300)[:-1] + b"!",  # a wrong MAC
        terminal.echo(),
    ]
    engine.submit(1, wave)
    engine.commit()
    for size in range(64):  # pages of several sizes, and what the stage had before them
        engine.submit(1, [terminal.sale(1000 + size + row) for row in range(1 + size % 5)])
        engine.submit(1, [repeated])
        engine.commit()
    return {2: PAN, 3: LONG_PAN, 5: PAN}


def test_decisions_give_their_account_number_back_and_nothing_else_does(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.settings["keep_pan"] = True
    with shop.engine() as engine:
        known = a_day(engine, shop)
    kept = {}
    with Journal.open(tmp_path / "journal", readonly=True) as journal:
        for entry in journal.entries():
            is_decision = entry.outcome in (Outcome.APPROVED, Outcome.DECLINED)
            if entry.flags & Flag.PAN and is_decision:
                kept[entry.sequence] = journal.pan(entry.sequence, MASTER_KEY)
                pan = kept[entry.sequence]
                assert (int(pan[:6]), int(pan[-4:])) == (entry.bin, entry.last4)
            else:
                with pytest.raises(PanAbsent):
                    journal.pan(entry.sequence, MASTER_KEY)
        outcomes = {Outcome(entry.outcome) for entry in journal.entries()}
    assert {Outcome.APPROVED, Outcome.REPEAT} <= outcomes
    assert {sequence: kept[sequence] for sequence in known} == known
    assert len(kept) > 100
    done = subprocess.run(
        [sys.executable, ORACLE, tmp_path / "journal", MASTER_KEY.hex()],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {int(number): pan for number, pan in json.loads(done.stdout).items()} == kept


def test_a_restart_folds_and_goes_on_keeping(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.settings["keep_pan"] = True
    with shop.engine() as engine:
        a_day(engine, shop)
        before = engine.state_digest()
        last = engine.stat()["journal"]["last_sequence"]
    with shop.engine() as engine:
        assert engine.state_digest() == before
        terminal = signed_on(engine, shop)
        engine.submit(1, [terminal.sale(5, pan=LONG_PAN)])
        engine.commit()
    with Journal.open(tmp_path / "journal", readonly=True) as journal:
        assert journal.pan(3, MASTER_KEY) == LONG_PAN
        assert journal.pan(last + 2, MASTER_KEY) == LONG_PAN


def test_without_the_setting_nothing_is_kept(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    with shop.engine() as engine:
        a_day(engine, shop)
    with Journal.open(tmp_path / "journal", readonly=True) as journal:
        assert all("pan_cipher" not in page.columns for page in journal.pages())
        with pytest.raises(PanNotKept):
            journal.pan(2, MASTER_KEY)
