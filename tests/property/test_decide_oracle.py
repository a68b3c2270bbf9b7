"""Goal: whatever terminals send, in whatever order, the core answers as the rules say.

Method: random sequences of requests (sales, voids, refunds, completions, adjustments, repeats,
altered repeats, reversals before and after, settlements, uploads, two terminals of one merchant and
a stranger's) go to the core and to tests/oracle/decide.py, which reads a plain list; every answer,
every original and all totals must agree, and folding the entries anew must give the same digest.
Then the oracle is made wrong (no duplicate check, no refund limit) and must be found out: the test
can fail.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.decide import APPROVED, DAY_NS, PAN, QR, REPEAT, VOIDS, Ask, Host
from posengine._native.decide import Rehearsal
from posengine.roster import Policy
from posengine.roster.kinds import ALL
from posengine.vocabulary import Kind

SHIPPED = Policy.load()
# a policy, and the same in the oracle's words
POLICIES: list[tuple[bytes, dict[str, object]]] = [
    (SHIPPED.compile(), {}),
    (
        replace(
            SHIPPED, unseen_reversal="25", completion_percent=100, adjust_percent_max=10,
            refund_days=1,
        ).compile(),
        {"unseen": "25", "completion_percent": 100, "adjust_percent": 10, "refund_days": 1},
    ),
]  # fmt: skip
NOW = 1_790_000_000_000_000_000
MERCHANT = "M00000000000001"
TERMINALS = {"T0000001": MERCHANT, "T0000002": MERCHANT, "T0000003": "M00000000000002"}
# (BIN, last four, token): two domestic cards and a foreign one, by the shipped policy's ranges
CARDS = [(622500, 14, b"A" * 16), (622202, 128, b"B" * 16), (411111, 1111, b"C" * 16)]
AMOUNTS = [0, 1, 100, 100, 115, 116, 2500, 100_000, 100_001, 100_000_001]
MTI = {
    Kind.PREAUTH: 0x100, Kind.PREAUTH_VOID: 0x100, Kind.REFUND: 0x220, Kind.QR_REFUND: 0x220,
    Kind.COMPLETION_ADVICE: 0x220, Kind.OFFLINE_SALE: 0x220, Kind.ADJUST: 0x220,
    Kind.TIP_ADJUST: 0x220,
}  # fmt: skip
FRESH = [
    Kind.SALE, Kind.SALE, Kind.SALE, Kind.QR_SALE, Kind.PREAUTH, Kind.PREAUTH, Kind.OFFLINE_SALE,
    Kind.EC_SALE, Kind.EC_LOAD, Kind.EC_CASH_LOAD, Kind.BALANCE,
]  # fmt: skip
# what is usually asked of an original of a kind
NEXT = {
    Kind.SALE: [Kind.SALE_VOID, Kind.REFUND, Kind.REFUND, Kind.TIP_ADJUST],
    Kind.QR_SALE: [Kind.QR_VOID, Kind.QR_REFUND],
    Kind.PREAUTH: [Kind.COMPLETION, Kind.COMPLETION, Kind.COMPLETION_ADVICE, Kind.PREAUTH_VOID],
    Kind.COMPLETION: [Kind.COMPLETION_VOID, Kind.COMPLETION_VOID, Kind.REFUND],
    Kind.OFFLINE_SALE: [Kind.ADJUST, Kind.REFUND],
    Kind.EC_CASH_LOAD: [Kind.EC_CASH_LOAD_VOID],
}
ACTIONS = [
    "fresh", "fresh", "fresh", "refer", "refer", "refer", "refer", "refer", "refer", "repeat",
    "alter", "reverse", "reverse", "reverse", "ahead", "settle", "settle_wrong", "upload", "end",
    "sign_on", "sign_on", "sign_on", "sign_off", "day", "stray",
]  # fmt: skip


class Floor:
    """What the terminals do, decided by one source of chance; it remembers what was answered."""

    def __init__(self, chance: Random, **wrong: bool) -> None:
        self.chance = chance
        policy, words = chance.choice(POLICIES)
        self.core = Rehearsal(policy, repeat_window_h=24 * 366)
        self.host = Host(TERMINALS)
        for name, value in {**words, **wrong}.items():
            setattr(self.host, name, value)
        for tid, mid in TERMINALS.items():
            self.core.terminal_set(tid, mid, kind_mask=ALL)
        self.now_ns = NOW
        self.stan = 0
        self.ahead: list[Ask] = []

    def send(self, ask: Ask) -> None:
        """To both, and compare."""
        self.now_ns += 1_000_000
        fact = self.host.ask(ask, now_ns=self.now_ns)
        said = self.core.ask(
            ask.kind, ask.mti, now_ns=self.now_ns, tid=ask.tid, mid=ask.mid, stan=ask.stan,
            batch=ask.batch, amount_minor=ask.amount_minor, flags=ask.flags, bin=ask.bin,
            last4=ask.last4, pan_token=ask.pan_token, fingerprint=ask.fingerprint,
            original_rrn=ask.original_rrn, original_batch=ask.original_batch,
            original_stan=ask.original_stan, auth=ask.auth, network=ask.network,
            totals=ask.totals, details=ask.details, upload_count=ask.upload_count,
        )  # fmt: skip
        asked = f"#{fact.sequence} {ask}: {said['reason']}"
        assert said["sequence"] == fact.sequence, asked
        assert said["response"] == fact.response, asked
        assert said["outcome"] == fact.outcome, asked
        assert (said["original"], said["batch"]) == (fact.original, fact.batch), asked
        if fact.kind in (Kind.BATCH_END, Kind.BATCH_DETAIL, Kind.BATCH_CHIP, Kind.BATCH_ADVICE):
            found = tuple(said[key] for key in ("matched", "missing_ours", "missing_theirs"))
            if fact.tallies != (-1,) * 4 and fact.outcome == APPROVED:
                assert (*found, said["differing"]) == fact.tallies, asked
        if ask.tid in TERMINALS and TERMINALS[ask.tid] == ask.mid:
            self.same_totals(ask, asked)

    def same_totals(self, ask: Ask, asked: str) -> None:
        view = self.core.terminal(ask.tid, ask.mid)
        signed, batch, closed = self.host.session(ask)
        assert (view["is_signed_on"], view["batch"]) == (signed, batch), asked
        assert view["batch_closed"] == closed, asked
        assert view["totals"] == self.host.totals(ask, batch), asked

    # ---- what they send ------------------------------------------------------------------------
    def ask(self, kind: Kind, mti: int, **facts: object) -> Ask:
        self.stan += 1
        tid = self.chance.choice(list(TERMINALS)[: self.chance.choice([1, 2, 2, 3])])
        ask = Ask(kind, mti, tid, TERMINALS[tid], self.chance.randbytes(16), stan=self.stan)
        _, batch, closed = self.host.session(ask)
        ask.batch = batch or closed or 1
        for name, value in facts.items():
            setattr(ask, name, value)
        return ask

    def fresh(self) -> Ask:
        kind = self.chance.choice(FRESH)
        ask = self.ask(kind, MTI.get(kind, 0x200), amount_minor=self.chance.choice(AMOUNTS))
        if kind == Kind.QR_SALE:
            ask.flags = QR
        else:
            ask.bin, ask.last4, ask.pan_token = self.chance.choice(CARDS)
            ask.flags = PAN | self.chance.choice([0, 0, 0, 0, 0x20, 0x80000])
        return ask

    def refer(self) -> Ask:
        postings = self.host.postings()
        if not postings:
            return self.fresh()
        recent = [one for one in postings[-8:] if one.kind in NEXT]
        is_recent = recent and self.chance.random() < 0.8
        original = self.chance.choice(recent if is_recent else postings)
        kinds = NEXT.get(original.kind, [])
        if not kinds or self.chance.random() < 0.1:
            kinds = [kind for some in NEXT.values() for kind in some]
        kind = self.chance.choice(kinds)
        amount = self.chance.choice([original.amount] * 6 + [original.amount // 2 or 1] + AMOUNTS)
        ask = self.ask(kind, MTI.get(kind, 0x200), amount_minor=amount)
        source = original.ask
        ask.flags, ask.bin, ask.last4 = source.flags & (PAN | QR), source.bin, source.last4
        ask.pan_token = source.pan_token
        if self.chance.random() < 0.8:
            ask.tid, ask.mid = source.tid, source.mid
            _, batch, closed = self.host.session(ask)
            ask.batch = batch or closed or 1
        if self.chance.random() < 0.1 and ask.flags & PAN:
            ask.bin, ask.last4, ask.pan_token = self.chance.choice(CARDS)
        self.name(ask, original.sequence, original.batch, source.stan, original.auth)
        return ask

    def name(self, ask: Ask, sequence: int, batch: int, stan: int, auth: str) -> None:
        way = self.chance.choice(["rrn", "rrn", "stan", "both", "auth", "auth", "wrong", "none"])
        if way in ("rrn", "both"):
            ask.original_rrn = f"00{sequence:010}"
        if way == "wrong":
            ask.original_rrn = f"{self.chance.choice(['00', '07'])}{sequence + 1:010}"
        if way in ("stan", "both", "auth"):
            ask.original_batch, ask.original_stan = batch, stan
        if way == "auth":
            ask.auth = auth
            if self.chance.random() < 0.2:
                ask.original_batch = ask.original_stan = 0

    def act(self) -> Ask | None:
        action = self.chance.choice(ACTIONS)
        facts = [fact for fact in self.host.facts if fact.kind != Kind.SIGN_ON]
        if action == "refer":
            return self.refer()
        if action in ("repeat", "alter", "reverse") and facts:
            # mostly something recent, as terminals do
            chosen = self.chance.choice(facts[-6:] if self.chance.random() < 0.8 else facts)
            if action == "repeat":
                return chosen.ask
            if action == "alter":
                return replace(chosen.ask, fingerprint=self.chance.randbytes(16))
            approved = [fact for fact in facts if fact in self.host.postings()]
            if approved and self.chance.random() < 0.7:
                chosen = self.chance.choice(approved[-4:])
            amount = self.chance.choice([chosen.ask.amount_minor] * 20 + AMOUNTS)
            return self.reversal_of(chosen.ask, amount)
        if action == "ahead":
            late = self.fresh()
            self.ahead.append(late)
            return self.reversal_of(late, late.amount_minor)
        if action in ("settle", "settle_wrong"):
            return self.settle(is_right=action == "settle")
        if action == "upload":
            return self.upload()
        if action == "end":
            return self.ask(Kind.BATCH_END, 0x320, network=self.chance.choice([202, 207]))
        if action == "sign_on":
            return self.ask(Kind.SIGN_ON, 0x800, batch=0)
        if action == "sign_off" and self.chance.random() < 0.3:
            return self.ask(Kind.SIGN_OFF, 0x820)
        if action == "day":
            is_early = self.now_ns < NOW + 100 * DAY_NS  # nothing may be forgotten: see state_test
            self.now_ns += (self.chance.choice([1, 200]) * DAY_NS) if is_early else 0
            return self.ahead.pop() if self.ahead else None
        if action == "stray":
            strange = self.fresh()
            return replace(strange, **self.chance.choice(STRANGE))
        return self.fresh()

    def reversal_of(self, ask: Ask, amount: int) -> Ask:
        return replace(
            ask, kind=Kind.REVERSAL, mti=0x400, amount_minor=amount,
            fingerprint=self.chance.randbytes(16), original_rrn="", original_stan=0,
            original_batch=0, auth="", totals=None, details=(),
        )  # fmt: skip

    def settle(self, *, is_right: bool) -> Ask:
        ask = self.ask(Kind.SETTLE, 0x500, network=201)
        domestic, foreign = self.host.totals(ask, ask.batch)
        if not is_right:
            domestic = (domestic[0] + 1, *domestic[1:])
        ask.totals = (domestic, foreign)
        return ask

    def upload(self) -> Ask:
        kind = self.chance.choice([Kind.BATCH_DETAIL, Kind.BATCH_DETAIL, Kind.BATCH_CHIP])
        ask = self.ask(kind, 0x320, network=201)
        postings = self.host.in_batch(ask, ask.batch)
        if kind == Kind.BATCH_CHIP and postings:
            chosen = self.chance.choice(postings)
            ask.amount_minor, ask.flags = chosen.amount, chosen.ask.flags & PAN
            ask.bin, ask.last4 = chosen.ask.bin, chosen.ask.last4
            ask.pan_token = chosen.ask.pan_token
            return ask
        rows = []
        for one in postings[-8:]:
            amount = one.amount + (self.chance.random() < 0.1)
            rows.append((one.ask.stan, amount, one.ask.bin, one.ask.last4))
        if self.chance.random() < 0.2:
            rows.append((999_999, 5, 622500, 14))
        if self.chance.random() < 0.2 and rows:
            rows.append(rows[0])
        ask.details = tuple(rows[:8])
        return ask


STRANGE: list[dict[str, object]] = [
    {"tid": "T9999999"},
    {"mid": "M00000000000009"},
    {"batch": 999},
    {"flags": 0},
]


def run(seed: int, steps: int, **wrong: bool) -> Floor:
    floor = Floor(Random(seed), **wrong)
    for tid in TERMINALS:
        floor.send(floor.ask(Kind.SIGN_ON, 0x800, tid=tid, mid=TERMINALS[tid], batch=0))
    for _ in range(steps):
        if (ask := floor.act()) is not None:
            floor.send(ask)
    before = floor.core.digest()
    floor.core.refold()
    assert floor.core.digest() == before
    return floor


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.integers(1, 90))
def test_the_core_answers_every_sequence_as_the_oracle_does(seed: int, steps: int) -> None:
    run(seed, steps)


def test_the_sequences_reach_every_kind_and_every_way_out() -> None:
    """A property that never meets a void, a repeat or a difference proves nothing."""
    kinds: dict[Kind, set[str]] = {}
    repeats = finals = differences = 0
    for seed in range(200):
        for fact in run(seed, 90).host.facts:
            kinds.setdefault(fact.kind, set()).add(fact.response)
            repeats += fact.outcome == REPEAT
            finals += fact.is_final
            differences += fact.tallies[1] + fact.tallies[2] + fact.tallies[3] > 0
    for kind in (*NEXT, *VOIDS, Kind.REFUND, Kind.QR_REFUND, Kind.ADJUST, Kind.TIP_ADJUST):
        assert "00" in kinds[kind], kind
        assert kinds[kind] - {"00"}, kind
    answers = set().union(*kinds.values())
    assert {"00", "03", "12", "13", "14", "22", "25", "54", "61", "64", "77", "94", "97"} <= answers
    assert min(repeats, finals, differences) > 50


@pytest.mark.parametrize("wrong", ["checks_duplicates", "limits_refunds"])
def test_a_planted_mistake_is_found(wrong: str) -> None:
    """Without duplicate check, or without refund limit, the two must come apart."""
    with pytest.raises(AssertionError):
        for seed in range(60):
            run(seed, 90, **{wrong: False})
