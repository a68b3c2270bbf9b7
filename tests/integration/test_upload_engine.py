"""Goal: a batch that does not balance is uploaded, and the journal names every difference.

Method: an embedded engine and a simulated terminal whose ledger is falsified before it settles: a
deal lost, one invented, one of another amount; then the entries of the upload are read from the
journal by Python, and must say exactly that; the batch closes and the next one opens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from posengine import keys, mac
from posengine.codec import Spec
from posengine.engine import Engine
from posengine.journal import Journal
from posengine.roster import Policy, Roster, SealedKey
from posengine.simulate import closing, habits
from posengine.simulate.exchange import Reply, Talk
from posengine.simulate.ledger import Deal
from posengine.simulate.product import load_dialect
from posengine.simulate.report import Report
from posengine.simulate.terminal import Terminal
from posengine.simulate.terminals import make_terminals
from posengine.vocabulary import Kind
from posengine.vocabulary.upload import Upload, Verdict

MASTER = bytes.fromhex("11" * 32)
DIALECT = load_dialect("unionpay-terminal")
(IDENTITY,) = make_terminals(1, merchants=1, seed=1)


class Counter:
    """An engine and a terminal at it, with one batch of deals."""

    def __init__(self, engine: Engine, journal: Path) -> None:
        self.engine = engine
        self.journal = journal
        self.report = Report()
        self.terminal = Terminal(IDENTITY, DIALECT, chance=Random(5), report=self.report)
        for name in [*habits.MIX] * 4:
            if name not in ("echo", "status_upload"):
                deals = self.terminal.ledger
                self.live(self.terminal.perform(habits.choose(name, deals, Random(7))))

    def live(self, talk: Talk[object]) -> None:
        reply: Reply | None = None
        while True:
            try:
                shot = talk.send(reply)
            except StopIteration:
                return
            self.engine.submit(1, [shot.frame])
            (answer,) = self.engine.commit()
            requirement, body = DIALECT.unframe(answer.frame)
            reply = Reply(answer.frame, requirement, body, DIALECT.parse(body))

    def settle(self) -> list[tuple[int, str, Upload]]:
        """(kind, response, what was found) of every upload message, oldest first."""
        self.live(closing.settle(self.terminal))
        self.engine.close()
        found = []
        with Journal.open(self.journal, readonly=True) as journal:
            for page in journal.pages():
                for entry in page:
                    upload = Upload.of(entry.request)
                    if upload is not None:
                        found.append((entry.kind, entry.response, upload))
        return found

    def deals(self, wanted: Callable[[Deal], bool]) -> list[Deal]:
        """Approved deals of the open batch that are in the totals."""
        deals = self.terminal.ledger.deals
        return [one for one in deals if one.state == "approved" and one.sign and wanted(one)]


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    tid, mid = IDENTITY.tid, IDENTITY.mid
    (tmp_path / "roster.toml").write_text(f'[[terminal]]\ntid = "{tid}"\nmid = "{mid}"\n')
    sealed = keys.seal_tmk(tid, mid, mac.Key("TMK", IDENTITY.tmk), keys.sealing_key(MASTER))
    known = {(tid, mid): SealedKey(sealed.sealed, sealed.kcv)}
    engine = Engine(
        Spec.load("unionpay-terminal").image,
        Roster.load(tmp_path / "roster.toml", keys=known).compile(),
        Policy.load().compile(),
        tmp_path / "journal",
        master_key=MASTER,
        settings={"postings_max": 4096, "repeats_max": 4096, "terminals_max": 16},
    )
    with engine:
        yield Counter(engine, tmp_path / "journal")


def is_sale(deal: Deal) -> bool:
    return deal.trade == "sale" and deal.request is None


def test_a_batch_that_agrees_has_nothing_to_name(counter: Counter) -> None:
    uploads = counter.settle()
    assert counter.report.disagreements == [] and counter.report.balanced == 1
    assert uploads[-1][0] == Kind.BATCH_END
    assert all(not upload.differences for _, _, upload in uploads)
    chips = [upload for kind, _, upload in uploads if kind == Kind.BATCH_CHIP]
    assert chips and all(upload.matched == 1 for upload in chips)


def test_every_difference_is_named_by_its_own_number(counter: Counter) -> None:
    lost, changed, copied = counter.deals(is_sale)[:3]
    counter.terminal.ledger.deals.remove(lost)
    true_amount, changed.amount = changed.amount, changed.amount + 1
    invented = replace(copied, stan=counter.terminal.next_stan(), amount=777)
    counter.terminal.ledger.deals.append(invented)

    uploads = counter.settle()
    assert {response for _, response, _ in uploads} == {"00"}
    kind, _, end = uploads[-1]
    assert kind == Kind.BATCH_END
    every = [one for _, _, upload in uploads for one in upload.differences]
    by_stan = {one.stan: one for one in every}
    assert by_stan[int(lost.stan)].verdict == Verdict.MISSING_THEIRS
    assert by_stan[int(lost.stan)].ours_minor == lost.amount
    at_host = [one for one in every if one.verdict == Verdict.MISSING_OURS]
    if copied.entry in ("chip", "contactless"):
        assert at_host[0].theirs_minor == 777
    else:
        assert by_stan[int(invented.stan)].verdict == Verdict.MISSING_OURS
    if changed.entry not in ("chip", "contactless"):
        found = by_stan[int(changed.stan)]
        assert found.verdict == Verdict.AMOUNT
        assert (found.theirs_minor, found.ours_minor) == (true_amount + 1, true_amount)
    assert end.missing_theirs >= 1 and end.missing_ours >= 1
    assert end.records == end.claimed == end.matched + end.missing_ours + end.differing
    assert "STAN" in str(every[0]) and not any(str(copied.card) in str(one) for one in every)


def test_an_entry_without_upload_has_no_findings() -> None:
    assert Upload.of(b"") is None
    assert Upload.of(b"\x0b\x03\x00abc") is None
    assert Upload.of(b"\x00\x02\x00\x01\x00") is None
    assert Upload.of(b"\x00\x01\x00\x02") is None
