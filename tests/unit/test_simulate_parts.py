"""Goal: the small parts of the simulator say what they mean: faults, files, reports, latencies.

Method: by hand, with odd input.
"""

from __future__ import annotations

import stat
from pathlib import Path
from random import Random

import pytest

from posengine.simulate.exchange import Shot
from posengine.simulate.faults import NAMES, Faults, spoil_mac
from posengine.simulate.report import DISAGREEMENTS_KEPT_MAX, Disagreement, Latencies, Report
from posengine.simulate.terminals import (
    TerminalsFault,
    choose_terminals,
    make_terminals,
    read_terminals,
    write_terminals,
)

SIGNED = Shot("sale", b"", "0210", "000001", True, True)
BARE = Shot("sign_on", b"", "0810", "000001", False, False)


def test_fault_rates_are_read_from_words() -> None:
    assert Faults.parse("lost=0.01, late=0.5").rates == {"lost": 0.01, "late": 0.5}
    assert Faults.parse("").rates == {}


@pytest.mark.parametrize(
    "words, complaint",
    [
        ("lots=0.1", "no fault 'lots'"),
        ("lost", "needs a rate"),
        ("lost=x", "needs a rate"),
        ("lost=1.5", "between 0 and 1"),
        ("lost=0.6,cut=0.6", "more than 1"),
    ],
)
def test_wrong_fault_words_are_complained_of(words: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Faults.parse(words)


def test_faults_come_at_their_rates() -> None:
    chance, faults = Random(1), Faults.parse("lost=0.1,repeat=0.2")
    drawn = [faults.draw(SIGNED, chance) for _ in range(20_000)]
    assert drawn.count("lost") == pytest.approx(2000, rel=0.1)
    assert drawn.count("repeat") == pytest.approx(4000, rel=0.1)


def test_messages_without_a_mac_are_only_lost_or_cut() -> None:
    chance, faults = Random(1), Faults({name: 0.11 for name in NAMES if name != "total"})
    assert {faults.draw(BARE, chance) for _ in range(2000)} == {"", "lost", "unsent", "cut"}


def test_a_spoiled_mac_is_another_hex_character() -> None:
    assert spoil_mac(b"...A0") == b"...A1"
    assert spoil_mac(b"...AF") == b"...A0"


def test_terminals_are_written_for_their_owner_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "terminals.csv"
    made = make_terminals(7, merchants=2, seed=3)
    write_terminals(path, made)
    assert read_terminals(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_made_keys_have_odd_parity_and_differ() -> None:
    keys = {one.tmk for one in make_terminals(50, merchants=5, seed=1)}
    assert len(keys) == 50
    assert all(byte.bit_count() % 2 for key in keys for byte in key)
    assert all(key[:8] != key[8:] for key in keys)


@pytest.mark.parametrize(
    "row, complaint",
    [
        ("1,898000000000001,11,003", "a tid has 8"),
        ("00000001,898000000000001,zz,003", "line 2: tmk is hexadecimal"),
        ("00000001,898000000000001,1111,003", "8 or 16 bytes"),
        (f"00000001,898000000000001,{'11' * 16},009", "sign_on is one of"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(tmp_path: Path, row: str, complaint: str) -> None:
    path = tmp_path / "terminals.csv"
    path.write_text(f"tid,mid,tmk,sign_on\n{row}\n")
    with pytest.raises(TerminalsFault, match=complaint):
        read_terminals(path)


def test_terminals_are_chosen_by_number_or_name() -> None:
    made = make_terminals(5, merchants=1, seed=1)
    assert choose_terminals(made, "") == made
    assert choose_terminals(made, "2") == made[:2]
    assert choose_terminals(made, "00000004,00000002") == [made[3], made[1]]
    with pytest.raises(TerminalsFault, match="neither TIDs"):
        choose_terminals(made, "6")


def test_percentiles_are_within_a_bucket_of_the_sorted_list() -> None:
    chance, latencies = Random(5), Latencies()
    values = sorted(chance.lognormvariate(-6, 1.5) for _ in range(5000))
    for value in values:
        latencies.add(value)
    for percent in (1, 50, 90, 99, 99.9, 100):
        exact = values[max(0, -(-int(len(values) * percent * 10) // 1000) - 1)]
        assert latencies.percentile(percent) == pytest.approx(exact, rel=0.04)
    assert latencies.percentile(100) == values[-1]


def test_the_percentile_of_nothing_is_nothing() -> None:
    assert Latencies().percentile(99) == 0.0


def test_reports_of_several_processes_add_up() -> None:
    total, parts = Report(), [Report(), Report()]
    for number, part in enumerate(parts, start=1):
        part.transactions = part.terminals = number
        part.seconds = float(number)
        part.responses["sale", "00"] = 10 * number
        part.latencies.add(0.001 * number)
        for _ in range(150):
            part.disagree(Disagreement("1", "1", "1", "settle", "no"))
    total.merge(parts)
    assert (total.transactions, total.terminals, total.seconds) == (3, 3, 2.0)
    assert total.responses["sale", "00"] == 30 and total.latencies.longest_s == 0.002
    assert total.disagreement_count == 300
    assert len(total.disagreements) == DISAGREEMENTS_KEPT_MAX
    assert total.as_json()["responses"] == {"sale": {"00": 30}}
