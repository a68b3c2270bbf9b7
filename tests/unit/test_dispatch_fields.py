"""Goal: nothing leaves but the listed fields, and card data in its masked form alone.

Method: a table of names that must be refused; an entry whose every fact is a canary, serialized
under every single field and under random lists, and its text searched for the others.
"""

from __future__ import annotations

import json
import random
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paper.journal import PaperEntry, PaperJournal
from posengine.dispatch import FIELDS, FORBIDDEN, Serializer, field_fault, load
from posengine.dispatch.fields import time_text
from posengine.replay import Entry, ReplayPage
from posengine.vocabulary import Flag

HOME = Path(__file__).resolve().parents[2]
CANARY = PaperEntry(
    sequence=700001, original=700002, received_at_ns=1795233600_700003000,
    terminal_at_ns=1795233600_700004000, amount_minor=700005, processing=700006, stan=700007,
    batch=700008, original_batch=700009, original_stan=700010, bin=622202, last4=7128,
    mti=0x7011, currency=712, entry_mode=713, condition=74, response="C5", reason="C6",
    tid="C-TID-17", mid="C-MID-000000018", rrn="C-RRN-000019", original_rrn="C-ORR-000020",
    auth="C-AU21", operator_id="C22",
    pan_token=b"C-TOKEN-00000023", fingerprint=b"C-PRINT-00000024",
    request=b"C-REQUEST-25", answer=b"C-ANSWER-26", flags=Flag.PAN, outcome=1, kind=5,
)


def page_of(entry: PaperEntry) -> ReplayPage:
    journal = PaperJournal()
    page = journal.commit(entry, date=20270712)
    page = replace(page, entries=(entry,), first_sequence=entry.sequence)
    return ReplayPage("0a" * 16, page, 0, 1)


@pytest.mark.parametrize(
    "name", [*FORBIDDEN, "PAN", "Track2", "no_such", "", "request.55", "__class__"]
)
def test_a_forbidden_or_unknown_name_is_refused_with_the_reason(name: str) -> None:
    fault = field_fault(name)
    assert fault is not None and repr(name) in fault
    with pytest.raises(ValueError, match=r"cannot be sent|no field"):
        Serializer(["sequence", name])


def test_every_kind_of_card_data_is_named_as_forbidden() -> None:
    wanted = {
        "pan", "bin", "last4", "pan_token", "track2", "track3", "pin", "pin_block", "cvv", "cvn",
        "expiry", "request", "answer", "fingerprint",
    }
    assert wanted <= FORBIDDEN.keys()
    assert not FORBIDDEN.keys() & FIELDS.keys()


@pytest.mark.parametrize("names", [[], ["kind", "kind"]])
def test_a_list_is_never_empty_and_names_each_field_once(names: list[str]) -> None:
    with pytest.raises(ValueError, match="at least one field, and each once"):
        Serializer(names)


def test_a_field_that_is_not_listed_never_appears() -> None:
    chance = random.Random(20261121)
    page = page_of(CANARY)
    texts = {name: str(FIELDS[name].read(CANARY, page)) for name in FIELDS}
    # Flags and codes of two characters occur in other texts by chance; longer ones do not.
    canaries = {name: text for name, text in texts.items() if len(text) >= 6}
    assert len(canaries) >= 16
    assert len(set(canaries.values())) == len(canaries)
    lists = [[name] for name in FIELDS]
    lists += [chance.sample(sorted(FIELDS), chance.randrange(1, 8)) for _ in range(500)]
    for names in lists:
        values = Serializer(names).values(CANARY, page)
        assert list(values) == names
        sent = json.dumps(list(values.values()))
        leaked = [name for name, text in canaries.items() if name not in names and text in sent]
        assert leaked == [], names


def test_no_list_can_send_token_fingerprint_or_raw_messages() -> None:
    sent = json.dumps(Serializer(list(FIELDS)).values(CANARY, page_of(CANARY)))
    for canary in (CANARY.pan_token, CANARY.fingerprint, CANARY.request, CANARY.answer):
        assert canary.decode() not in sent
        assert canary.hex() not in sent


def test_a_card_is_shown_masked_and_only_where_one_was_known() -> None:
    read = Serializer(["pan_masked"]).values
    assert read(CANARY, page_of(CANARY)) == {"pan_masked": "622202******7128"}
    none = replace(CANARY, flags=0)
    assert read(none, page_of(none)) == {"pan_masked": ""}


def test_every_fact_of_an_entry_is_listed_or_forbidden_on_purpose() -> None:
    """A new column of the journal must be decided about: it is public by name or not at all."""
    read: set[str] = set()

    class Watched:
        def __getattr__(self, name: str) -> object:
            read.add(name)
            return getattr(CANARY, name)

    watched: Entry = Watched()  # type: ignore[assignment]
    for field in FIELDS.values():
        field.read(watched, page_of(CANARY))
    kept_back = {
        "staged_after_us", "original_batch", "original_stan", "line", "network", "type",
        "requirement", "pan_token", "fingerprint", "request", "answer",
    }
    assert read | kept_back == {field.name for field in fields(PaperEntry)}
    assert not read & kept_back


@pytest.mark.parametrize("seed", range(20))
def test_a_time_reads_as_the_calendar_says(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(200):
        second = chance.randrange(1, 4_102_444_800)
        nanosecond = chance.randrange(10**9)
        wanted = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        assert time_text(second * 10**9 + nanosecond) == f"{wanted}.{nanosecond:09d}Z"
    assert time_text(0) == ""


def test_the_reference_lists_every_field_as_it_is() -> None:
    page = (HOME / "docs" / "reference" / "webhooks.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for name, field in FIELDS.items():
        assert f"| `{name}` | {field.words} |" in rows


def test_the_guides_file_is_a_dispatch_file(tmp_path: Path) -> None:
    page = (HOME / "docs" / "howto" / "dispatch.md").read_text(encoding="utf-8")
    text = page.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "dispatch.toml").write_text(text, encoding="utf-8")
    settings = load(tmp_path / "dispatch.toml")
    assert [each.name for each in settings.subscriptions] == ["corner-shop", "books"]
    defaults = settings.subscriptions[1].retry
    assert settings.subscriptions[0].retry == defaults
