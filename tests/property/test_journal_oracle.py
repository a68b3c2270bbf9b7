"""Goal: the journal on the disk is what was staged, to three readers that share no code.

Method: random entries in random pages go in; out they come through columns, through entries, and
through the oracle, in a process of its own, that knows only the description of the format.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.journal import page_of
from posengine.journal import Journal

ORACLE = Path(__file__).resolve().parent.parent / "oracle" / "journal.py"
NOON = 1_795_262_400_000_000_000
DAY = 86_400_000_000_000


def unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


def text(size: int) -> st.SearchStrategy[str]:
    characters = st.characters(min_codepoint=0x20, max_codepoint=0xFF)
    return st.text(characters, max_size=size).map(lambda value: value.rstrip(" "))


entries = st.fixed_dictionaries(
    {},
    optional={
        "original": unsigned(64),
        "received_at_ns": st.integers(NOON - DAY, NOON + 2 * DAY),
        "terminal_at_ns": st.integers(-(2**63), 2**63 - 1),
        "amount_minor": st.integers(-(2**63), 2**63 - 1),
        **{
            name: unsigned(32)
            for name in ("staged_after_us", "flags", "processing", "stan", "batch", "bin", "line",
                         "original_batch", "original_stan")
        },
        **{name: unsigned(16) for name in ("last4", "mti", "currency", "entry_mode", "network")},
        **{name: unsigned(8) for name in ("type", "condition", "requirement", "why")},
        "kind": st.integers(0, 36),
        "outcome": st.integers(0, 5),
        "response": text(2), "reason": text(2), "tid": text(8), "mid": text(15), "rrn": text(12),
        "original_rrn": text(12), "auth": text(6), "operator_id": text(3),
        "pan_token": st.binary(min_size=16, max_size=16),
        "fingerprint": st.binary(min_size=16, max_size=16),
        "request": st.binary(max_size=600),
        "answer": st.binary(max_size=600),
    },
)  # fmt: skip

EMPTY: dict[str, Any] = {
    **dict.fromkeys(("response", "reason", "tid", "mid", "rrn", "original_rrn", "auth",
                     "operator_id"), ""),
    **dict.fromkeys(("pan_token", "fingerprint"), bytes(16)),
    "request": b"", "answer": b"",
}  # fmt: skip


def in_columns(journal: Journal) -> list[dict[str, Any]]:
    """Every entry put together from the columns of its page."""
    names = {"received_at": "received_at_ns", "terminal_at": "terminal_at_ns",
             "amount": "amount_minor", "staged_after": "staged_after_us",
             "operator": "operator_id"}  # fmt: skip
    found = []
    for page in journal.pages():
        for row in range(len(page)):
            values: dict[str, Any] = {}
            for name, column in page.columns.items():
                value = column[row]
                if column.dtype.kind == "S":
                    # NumPy drops trailing NULs, which a text may have: take the bytes themselves.
                    value = column[row : row + 1].tobytes().decode("latin-1").rstrip(" ")
                elif column.dtype.kind == "V":
                    value = value.tobytes()
                else:
                    value = int(value)
                values[names.get(name, name)] = value
            for name in ("heap_offset", "request_size", "answer_size"):
                del values[name]
            found.append(values)
    return found


@settings(max_examples=15, deadline=None)
@given(pages=st.lists(st.lists(entries, min_size=1, max_size=12), min_size=1, max_size=5))
def test_columns_entries_and_the_oracle_see_what_was_staged(
    pages: list[list[dict[str, Any]]],
) -> None:
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "journal"
        staged: list[dict[str, Any]] = []
        with Journal.open(path, volume_size_max=1 << 18) as journal:
            for page in pages:
                for entry in page:
                    journal.stage(**entry)
                    staged.append({**EMPTY, **entry})
                journal.commit()
            read = [asdict(entry) for entry in journal.entries()]
            columns = in_columns(journal)
            identity, verdict = journal.id, journal.verify()
        done = subprocess.run(
            [sys.executable, str(ORACLE), str(path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        seen = json.loads(done.stdout)

    assert verdict.is_clean, verdict.reason
    assert [entry["sequence"] for entry in read] == list(range(1, len(staged) + 1))
    for wanted, entry, column in zip(staged, read, columns, strict=True):
        for name in entry:
            if name != "sequence":
                assert entry[name] == wanted.get(name, 0), name
            if name not in ("sequence", "request", "answer"):
                assert column[name] == wanted.get(name, 0), name
    words = Counter(f"{entry.get('kind', 0)}/{entry.get('outcome', 0)}" for entry in staged)
    assert seen["counts"] == dict(words)
    assert seen["journal_id"] == identity
    assert (seen["entries"], seen["last_sequence"]) == (len(staged), len(staged))
    sums: Counter[str] = Counter()
    for entry in staged:
        sums[f"{entry.get('kind', 0)}/{entry.get('outcome', 0)}"] += entry.get("amount_minor", 0)
    assert seen["amounts_minor"] == dict(sums)


def test_the_oracle_finds_every_changed_byte_of_a_page(tmp_path: Path) -> None:
    """A control: the oracle's word that a journal is whole means something."""
    with Journal.open(tmp_path / "journal", volume_size_max=1 << 18) as journal:
        journal.stage(request=b"request", answer=b"answer", tid="T0000001")
        journal.commit()
        value = bytes(memoryview(next(journal.pages())._view))
    assert page_of((1).to_bytes(8, "big"), value).faults == []
    for at in range(0, len(value), 7):
        changed = bytearray(value)
        changed[at] ^= 0x10
        try:
            page = page_of((1).to_bytes(8, "big"), bytes(changed))
        except (ValueError, KeyError, UnicodeDecodeError, TypeError):
            continue  # not even the form
        assert "CRC" in page.faults, at
