"""A slow, obvious host: the rules of docs/reference (kinds, reversals, policy) over a plain list.

It keeps nothing but the list of what was asked and answered, and looks everything up by reading the
list again: no hash tables, no flags that are set and cleared, no totals that are carried along. It
shares no code with the core.

    standing   an approved entry that no reversal undid (and, of an original, no standing void)
    open batch the last one opened and not closed
    totals     the sum over the batch's approved entries that no reversal undid
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from posengine.vocabulary import Kind

PAN, QR, PAN_INVALID, EXPIRED, FINAL = 0x10, 0x40, 0x80000, 0x20, "final"
APPROVED, DECLINED, REPEAT, REFUSED = 1, 2, 3, 4
DAY_NS = 86_400 * 10**9
VOIDS = {
    Kind.SALE_VOID: Kind.SALE,
    Kind.QR_VOID: Kind.QR_SALE,
    Kind.PREAUTH_VOID: Kind.PREAUTH,
    Kind.COMPLETION_VOID: Kind.COMPLETION,
    Kind.EC_CASH_LOAD_VOID: Kind.EC_CASH_LOAD,
}
REFUNDABLE = {
    Kind.REFUND: {
        Kind.SALE, Kind.COMPLETION, Kind.COMPLETION_ADVICE, Kind.OFFLINE_SALE, Kind.EC_SALE
    },
    Kind.QR_REFUND: {Kind.QR_SALE},
}  # fmt: skip
COMPLETIONS = {Kind.COMPLETION, Kind.COMPLETION_ADVICE}
ADJUSTMENTS = {Kind.ADJUST, Kind.TIP_ADJUST}
UPLOADS = {Kind.BATCH_DETAIL, Kind.BATCH_ADVICE, Kind.BATCH_CHIP}
WANTED = (
    {kind: {original} for kind, original in VOIDS.items()}
    | REFUNDABLE
    | {kind: {Kind.PREAUTH} for kind in COMPLETIONS}
    | {kind: {Kind.SALE, Kind.OFFLINE_SALE} for kind in ADJUSTMENTS}
)
FRESH = {Kind.SALE, Kind.QR_SALE, Kind.PREAUTH, Kind.EC_LOAD, Kind.EC_CASH_LOAD}
OFFLINE = {Kind.OFFLINE_SALE, Kind.EC_SALE}
MONEY = FRESH | OFFLINE | set(VOIDS) | set(REFUNDABLE) | COMPLETIONS | ADJUSTMENTS
REVERSIBLE = FRESH | set(VOIDS) | {Kind.COMPLETION}
NEVER_REPEAT = {Kind.SIGN_ON, Kind.ECHO, Kind.DOWNLOAD, Kind.DOWNLOAD_QUERY, Kind.DOWNLOAD_END}


@dataclass
class Ask:
    """One request in plain values; ``detail`` rows are (STAN, amount, BIN, last four)."""

    kind: Kind
    mti: int
    tid: str
    mid: str
    fingerprint: bytes
    stan: int = 0
    batch: int = 0
    amount_minor: int = 0
    flags: int = 0
    bin: int = 0
    last4: int = 0
    pan_token: bytes = bytes(16)
    original_rrn: str = ""
    original_batch: int = 0
    original_stan: int = 0
    auth: str = ""
    network: int = 0
    totals: tuple[tuple[int, int, int, int], tuple[int, int, int, int]] | None = None
    details: tuple[tuple[int, int, int, int], ...] = ()
    upload_count: int = 0

    @property
    def message_class(self) -> int:
        return self.mti >> 4


@dataclass
class Fact:
    """What was answered to an ask."""

    ask: Ask
    sequence: int
    now_ns: int
    outcome: int
    response: str
    batch: int
    original: int = 0
    amount: int = 0
    auth: str = ""
    is_foreign: bool = False
    is_final: bool = False  # a reversal that undid something
    opened: bool = False
    closed: bool = False
    balanced: bool = False
    uploaded: list[int] = field(default_factory=list)  # sequences
    tallies: tuple[int, int, int, int] = (0, 0, 0, 0)  # matched, ours, theirs, differing

    @property
    def kind(self) -> Kind:
        return self.ask.kind


class Host:
    """The model. ``policy`` values that tests alter are attributes."""

    def __init__(self, terminals: dict[str, str]) -> None:
        self.terminals = terminals  # TID -> MID
        self.facts: list[Fact] = []
        self.completion_percent = 115
        self.adjust_percent = 100
        self.refund_days = 180
        self.unseen = "00"
        self.amount_max = 100_000_000
        self.ec_max = 100_000
        self.checks_duplicates = True
        self.limits_refunds = True

    # ---- what the list says --------------------------------------------------------------------
    def of(self, ask: Ask) -> list[Fact]:
        """Facts of the same terminal, but for those of strangers."""
        return [
            fact
            for fact in self.facts
            if fact.ask.tid == ask.tid
            and fact.ask.mid == ask.mid
            and fact.response not in ("03", "97")
        ]

    def session(self, ask: Ask) -> tuple[bool, int, int]:
        """(signed on, open batch or 0, last closed batch or 0)."""
        signed, batch, closed = False, 0, 0
        for fact in self.of(ask):
            if fact.outcome != APPROVED:
                continue
            if fact.kind == Kind.SIGN_ON:
                signed, batch = True, fact.batch
            if fact.kind == Kind.SIGN_OFF:
                signed = False
            if fact.closed:
                batch, closed = 0, fact.batch
        return signed, batch, closed

    def postings(self) -> list[Fact]:
        return [fact for fact in self.facts if fact.outcome == APPROVED and fact.kind in MONEY]

    def is_reversed(self, fact: Fact) -> bool:
        return any(one.is_final and one.original == fact.sequence for one in self.facts)

    def referring(self, fact: Fact, kinds: set[Kind]) -> list[Fact]:
        """Postings of ``kinds`` that refer to ``fact`` and were not reversed."""
        return [
            one
            for one in self.postings()
            if one.original == fact.sequence and one.kind in kinds and not self.is_reversed(one)
        ]

    def is_voided(self, fact: Fact) -> bool:
        return bool(self.referring(fact, set(VOIDS)))

    def is_completed(self, fact: Fact) -> bool:
        return any(not self.is_voided(one) for one in self.referring(fact, COMPLETIONS))

    def refunded(self, fact: Fact) -> int:
        return sum(one.amount for one in self.referring(fact, set(REFUNDABLE)))

    def adjusted(self, fact: Fact) -> int:
        return sum(one.amount for one in self.referring(fact, ADJUSTMENTS))

    def in_batch(self, ask: Ask, batch: int) -> list[Fact]:
        """Postings of the newest batch of that number."""
        newest = max(
            (one.sequence for one in self.of(ask) if one.opened and one.batch == batch), default=0
        )
        return [
            one
            for one in self.postings()
            if one.ask.tid == ask.tid and one.batch == batch and one.sequence > newest
        ]

    def totals(self, ask: Ask, batch: int) -> tuple[tuple[int, int, int, int], ...]:
        sides = [[0, 0, 0, 0], [0, 0, 0, 0]]
        for one in self.in_batch(ask, batch) if batch else []:
            if one.kind.sign == 0 or self.is_reversed(one):
                continue
            column = 0 if one.kind.sign > 0 else 1
            sides[one.is_foreign][column] += one.amount
            sides[one.is_foreign][column + 2] += 1
        return tuple((side[0], side[1], side[2], side[3]) for side in sides)

    def known(self, ask: Ask, message_class: int) -> Fact | None:
        """The first fact under this key; of reversals the newest, unless one found nothing."""
        found: Fact | None = None
        for fact in self.of(ask):
            if (
                fact.outcome != REPEAT
                and fact.kind not in NEVER_REPEAT
                and (fact.batch, fact.ask.stan) == (ask.batch, ask.stan)
                and fact.ask.message_class == message_class
                and (found is None or (message_class == 0x40 and not self.is_unseen(found)))
            ):
                found = fact
        return found

    @staticmethod
    def is_unseen(fact: Fact) -> bool:
        return fact.kind == Kind.REVERSAL and fact.original == 0 and fact.response in ("00", "25")

    # ---- answering -----------------------------------------------------------------------------
    def ask(self, ask: Ask, *, now_ns: int) -> Fact:
        fact = Fact(ask, len(self.facts) + 1, now_ns, DECLINED, "", ask.batch)
        fact.amount = ask.amount_minor
        if ask.flags & PAN:
            fact.is_foreign = 300000 <= ask.bin <= 599999
        fact.response = self.respond(ask, fact)
        if fact.outcome == DECLINED and fact.response == "00":
            fact.outcome = APPROVED
        if fact.response in ("97", "03", "77", "58"):
            fact.outcome = REFUSED
        self.facts.append(fact)
        return fact

    def respond(self, ask: Ask, fact: Fact) -> str:
        if ask.tid not in self.terminals:
            return "97"
        if self.terminals[ask.tid] != ask.mid:
            return "03"
        if ask.stan and ask.kind not in NEVER_REPEAT and self.checks_duplicates:
            before = self.known(ask, ask.message_class)
            if before is not None and before.ask.fingerprint == ask.fingerprint:
                fact.original, fact.outcome = before.sequence, REPEAT
                return "  "
            if before is not None and ask.message_class != 0x40:
                fact.original = before.sequence
                return "94"
            if before is None and ask.message_class in (0x10, 0x20):
                reversal = self.known(ask, 0x40)
                if reversal is not None and self.is_unseen(reversal):
                    fact.original = reversal.sequence
                    return "12"
        if ask.kind == Kind.SIGN_ON:
            return self.sign_on(ask, fact)
        if ask.kind == Kind.REVERSAL:
            return self.reverse(ask, fact)
        if ask.kind == Kind.SETTLE:
            return self.settle(ask, fact)
        if ask.kind in UPLOADS:
            return self.upload(ask, fact)
        if ask.kind == Kind.BATCH_END:
            return self.upload_end(ask, fact)
        if ask.kind in MONEY or ask.kind == Kind.BALANCE:
            return self.money(ask, fact)
        return "00"

    def sign_on(self, ask: Ask, fact: Fact) -> str:
        _, batch, closed = self.session(ask)
        fact.opened = batch == 0
        fact.batch = batch or closed % 999_999 + 1
        return "00"

    def money(self, ask: Ask, fact: Fact) -> str:
        signed, batch, _ = self.session(ask)
        if not signed or batch == 0 or batch != ask.batch:
            return "77"
        if ask.kind == Kind.BALANCE:
            return self.card(ask)
        most = self.amount_max
        if ask.kind in (Kind.EC_SALE, Kind.EC_LOAD, Kind.EC_CASH_LOAD):
            most = self.ec_max
        if ask.amount_minor <= 0:
            return "13"
        if ask.amount_minor > most:
            return "61"
        if ask.kind in FRESH | OFFLINE:
            answer = self.card(ask)
            if answer == "00" and ask.kind in FRESH:
                fact.auth = f"{fact.sequence % 1_000_000:06}"
            return answer
        answer = self.refer(ask, fact, batch)
        if answer == "00" and ask.kind == Kind.COMPLETION:
            fact.auth = f"{fact.sequence % 1_000_000:06}"
        return answer

    def card(self, ask: Ask) -> str:
        if not ask.flags & (PAN | QR) or ask.flags & PAN_INVALID:
            return "14"
        if ask.flags & EXPIRED and ask.flags & PAN and ask.kind not in OFFLINE:
            return "54"
        return "00"

    # ---- originals -----------------------------------------------------------------------------
    def find(self, ask: Ask, fact: Fact) -> tuple[Fact | None, str]:
        """The posting that is named, and the answer where none is."""
        rrn = ask.original_rrn
        if rrn.strip() and rrn != "0" * 12:
            for one in self.postings():
                if f"00{one.sequence:010}" == rrn:
                    numbers = (ask.original_stan or one.ask.stan, ask.original_batch or one.batch)
                    return (one, "") if numbers == (one.ask.stan, one.batch) else (None, "22")
            return None, "25"
        if ask.original_stan:
            wanted = ask.original_batch or ask.batch
            for message_class in (0x20, 0x10, 0x22):
                probe = Ask(ask.kind, message_class << 4, ask.tid, ask.mid, b"")
                probe.batch, probe.stan = wanted, ask.original_stan
                one = self.known(probe, message_class)
                if one is not None and one in self.postings():
                    return one, ""
        return None, "25"

    def find_preauth(self, ask: Ask, fact: Fact) -> tuple[Fact | None, str]:
        rrn = ask.original_rrn
        if not (rrn.strip() and rrn != "0" * 12) and ask.auth.strip() and ask.flags & PAN:
            for one in reversed(self.postings()):
                if (
                    one.kind == Kind.PREAUTH
                    and one.ask.mid == ask.mid
                    and one.ask.pan_token == ask.pan_token
                    and one.auth == ask.auth
                    and not self.is_reversed(one)
                    and not self.is_voided(one)
                ):
                    numbers = (ask.original_stan or one.ask.stan, ask.original_batch or one.batch)
                    if one.ask.tid == ask.tid and numbers != (one.ask.stan, one.batch):
                        return None, "22"
                    return one, ""
        return self.find(ask, fact)

    def refer(self, ask: Ask, fact: Fact, batch: int) -> str:
        by_code = ask.kind in COMPLETIONS or ask.kind == Kind.PREAUTH_VOID
        original, answer = (self.find_preauth if by_code else self.find)(ask, fact)
        if original is None:
            return answer
        if original.kind not in WANTED[ask.kind]:
            return "22"
        at_home = ask.kind in ADJUSTMENTS or (ask.kind in VOIDS and ask.kind != Kind.PREAUTH_VOID)
        if original.ask.mid != ask.mid or (at_home and original.ask.tid != ask.tid):
            return "22"
        if ask.flags & original.ask.flags & PAN and ask.pan_token != original.ask.pan_token:
            return "22"
        if not self.auth_agrees(ask, original):
            return "22"
        fact.original, fact.is_foreign = original.sequence, original.is_foreign
        if self.is_reversed(original) or self.is_voided(original):
            return "12"
        if ask.kind in VOIDS:
            return self.void(ask, original, batch)
        if ask.kind in REFUNDABLE:
            return self.refund(ask, original, fact)
        if ask.kind in COMPLETIONS:
            return self.complete(ask, original)
        return self.adjust(ask, original, batch)

    def auth_agrees(self, ask: Ask, original: Fact) -> bool:
        codes = {original.auth.strip()}
        if original.kind == Kind.COMPLETION:
            codes |= {one.auth for one in self.facts if one.sequence == original.original}
        return not ask.auth.strip() or not original.auth.strip() or ask.auth in codes

    def void(self, ask: Ask, original: Fact, batch: int) -> str:
        if self.refunded(original) or self.adjusted(original) or self.is_completed(original):
            return "12"
        if original.kind != Kind.PREAUTH and original not in self.in_batch(ask, batch):
            return "12"
        return "00" if original.amount == ask.amount_minor else "64"

    def refund(self, ask: Ask, original: Fact, fact: Fact) -> str:
        if fact.now_ns - original.now_ns > self.refund_days * DAY_NS:
            return "12"
        left = original.amount + self.adjusted(original) - self.refunded(original)
        return "00" if ask.amount_minor <= left or not self.limits_refunds else "64"

    def complete(self, ask: Ask, original: Fact) -> str:
        if self.is_completed(original):
            return "12"
        most = original.amount * self.completion_percent
        return "00" if ask.amount_minor * 100 <= most else "64"

    def adjust(self, ask: Ask, original: Fact, batch: int) -> str:
        if self.refunded(original) or original not in self.in_batch(ask, batch):
            return "12"
        most = original.amount * self.adjust_percent
        return "00" if (self.adjusted(original) + ask.amount_minor) * 100 <= most else "64"

    # ---- reversals -----------------------------------------------------------------------------
    def reverse(self, ask: Ask, fact: Fact) -> str:
        key = self.known(ask, 0x20) or self.known(ask, 0x10)
        if key is None:
            advice = self.known(ask, 0x22)
            if advice is None:
                return self.unseen
            fact.original = advice.sequence
            return "12"
        fact.original = key.sequence
        if key.outcome != APPROVED:
            return "00"
        if key.kind not in REVERSIBLE:
            return "12"
        fact.is_foreign = key.is_foreign
        if key.amount != ask.amount_minor:
            return "64"
        if self.is_reversed(key):
            return "00"
        _, batch, _ = self.session(ask)
        if key not in self.in_batch(ask, batch):
            return "12"
        if self.is_voided(key) or self.refunded(key) or self.adjusted(key):
            return "12"
        if self.is_completed(key):
            return "12"
        if key.kind == Kind.COMPLETION_VOID:
            completion = self.facts[key.original - 1]
            if self.is_completed(self.facts[completion.original - 1]):
                return "12"
        fact.is_final = True
        return "00"

    # ---- settlement ----------------------------------------------------------------------------
    def settle(self, ask: Ask, fact: Fact) -> str:
        _, batch, closed = self.session(ask)
        if ask.batch == 0 or ask.batch not in (batch, closed):
            return "77"
        if ask.totals is None:
            return "30"
        fact.balanced = ask.totals == self.totals(ask, ask.batch)
        fact.closed = fact.balanced and ask.batch == batch
        return "00"

    def settlement(self, ask: Ask) -> Fact | None:
        """The last settlement of the batch while it was open, unless its upload has ended."""
        found: Fact | None = None
        for fact in self.of(ask):
            if fact.outcome != APPROVED:
                continue
            if fact.opened:
                found = None
            if fact.kind == Kind.SETTLE and fact.batch == ask.batch:
                earlier = [one for one in self.of(ask) if one.sequence < fact.sequence]
                if not any(one.closed and one.batch == ask.batch for one in earlier):
                    found = fact
            if fact.kind == Kind.BATCH_END and found is not None and fact.batch == found.batch:
                found = None if fact.tallies != (-1,) * 4 else found
        return found

    def due(self, ask: Ask) -> tuple[Fact | None, str]:
        settlement = self.settlement(ask)
        if settlement is not None and ask.batch:
            return settlement, ""
        _, batch, closed = self.session(ask)
        if ask.batch and ask.batch == closed:
            return None, "00"
        return None, "12" if ask.batch and ask.batch == batch else "77"

    def uploads(self, ask: Ask, settlement: Fact) -> Iterator[Fact]:
        for fact in self.of(ask):
            is_record = fact.kind in UPLOADS and fact.outcome == APPROVED
            is_later = fact.sequence > settlement.sequence and fact.batch == settlement.batch
            if is_record and is_later:
                yield fact

    def upload(self, ask: Ask, fact: Fact) -> str:
        settlement, answer = self.due(ask)
        if settlement is None:
            return answer
        seen = {one for fact in self.uploads(ask, settlement) for one in fact.uploaded}
        rows = ask.details
        if ask.kind != Kind.BATCH_DETAIL:
            rows = ((ask.stan, ask.amount_minor, ask.bin, ask.last4),)
        matched = ours = differing = 0
        for stan, amount, card_bin, last4 in rows:
            posting, _ = self.named(ask, stan)
            if posting is None and ask.kind == Kind.BATCH_CHIP:
                posting = self.by_card(ask, amount, seen | set(fact.uploaded))
            if posting is None:
                ours += 1
                continue
            has_card = posting.ask.flags & PAN and card_bin
            same_card = (posting.ask.bin, posting.ask.last4) == (card_bin, last4)
            is_twice = posting.sequence in seen or posting.sequence in fact.uploaded
            is_same = posting.amount == amount and (same_card or not has_card)
            matched += is_same and not is_twice
            differing += is_twice or not is_same
            fact.uploaded.append(posting.sequence)
        fact.tallies = (matched, ours, 0, differing)
        return "00"

    def named(self, ask: Ask, stan: int) -> tuple[Fact | None, str]:
        probe = Ask(ask.kind, ask.mti, ask.tid, ask.mid, b"", original_stan=stan)
        probe.batch = ask.batch
        found, answer = self.find(probe, self.facts[0])
        return (None, "") if found is None or self.is_reversed(found) else (found, answer)

    def by_card(self, ask: Ask, amount: int, seen: set[int]) -> Fact | None:
        for one in self.in_batch(ask, ask.batch):
            if (
                one.kind.sign
                and one.sequence not in seen
                and not self.is_reversed(one)
                and one.amount == amount
                and one.ask.flags & PAN
                and one.ask.pan_token == ask.pan_token
            ):
                return one
        return None

    def upload_end(self, ask: Ask, fact: Fact) -> str:
        settlement, answer = self.due(ask)
        if settlement is None:
            fact.tallies = (-1,) * 4
            return answer
        uploads = list(self.uploads(ask, settlement))
        sums = [sum(one.tallies[index] for one in uploads) for index in range(4)]
        if not settlement.balanced:
            seen = {sequence for one in uploads for sequence in one.uploaded}
            sums[2] = sum(
                one.kind.sign != 0 and one.sequence not in seen and not self.is_reversed(one)
                for one in self.in_batch(ask, ask.batch)
            )
            fact.closed = True
        fact.tallies = (sums[0], sums[1], sums[2], sums[3])
        return "00"
