"""A till that does what the words of a table in docs say, against a rehearsal of the core.

sale 100          the original, STAN 7; `sale 0` is declined, `foreign sale 100` another card's
preauth, load     the same for other kinds; `advice 100` is an offline settlement (0220)
void, refund 40, tip 10, complete 115, complete void     refer to the original (or completion)
repeat            the original's bytes again
reverse, reverse 101, reverse void, reverse again, reverse otherwise
settle, sign on, sign off, restart
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posengine._native.decide import Rehearsal
from posengine.roster.kinds import ALL
from posengine.vocabulary import Kind

if TYPE_CHECKING:
    from posengine._native.decide import Said

NOW = 1_790_000_000_000_000_000
TID, MID = "12345678", "104110045110012"
PAN = 0x10
CARDS = {
    "domestic": {"bin": 622500, "last4": 14, "pan_token": b"A" * 16},
    "foreign": {"bin": 411111, "last4": 1111, "pan_token": b"B" * 16},
}
NAMES = {"sale": Kind.SALE, "preauth": Kind.PREAUTH, "load": Kind.EC_CASH_LOAD,
         "advice": Kind.OFFLINE_SALE}  # fmt: skip
VOIDS = {Kind.SALE: Kind.SALE_VOID, Kind.PREAUTH: Kind.PREAUTH_VOID,
         Kind.EC_CASH_LOAD: Kind.EC_CASH_LOAD_VOID}  # fmt: skip
ORIGINAL_STAN = 7


class Till:
    """One terminal, signed on to batch 1."""

    def __init__(self, policy: bytes) -> None:
        self.core = Rehearsal(policy)
        self.core.terminal_set(TID, MID, kind_mask=ALL)
        self.stan = 100
        self.now_ns = NOW
        self.sent: dict[str, dict[str, object]] = {}  # by word: what repeats and reversals need
        self.said: dict[str, Said] = {}
        self.do("sign on")

    def send(self, word: str, kind: Kind, mti: int, **facts: object) -> Said:
        """One message; ``word`` names it for later."""
        self.now_ns += 10**9
        self.stan += 1
        ask: dict[str, object] = {
            "stan": self.stan, "batch": 1, "fingerprint": self.stan.to_bytes(16, "big"),
        } | facts  # fmt: skip
        self.sent[word] = {"kind": kind, "mti": mti, **ask}
        said = self._pass_on(self.sent[word])
        self.said[word] = said
        return said

    def again(self, word: str) -> Said:
        """The same bytes once more."""
        return self._pass_on(self.sent[word])

    def _pass_on(self, ask: dict[str, object]) -> Said:
        facts = dict(ask)
        kind, mti = facts.pop("kind"), facts.pop("mti")
        return self.core.ask(kind, mti, now_ns=self.now_ns, tid=TID, mid=MID, **facts)  # type: ignore[arg-type]

    def do(self, step: str) -> Said | None:
        """One step of a cell."""
        words = step.split()
        amount = int(words[-1]) if words[-1].isdigit() else 0
        if words[0] == "reverse":
            return self.reverse(words[1] if len(words) > 1 else "")
        if step == "restart":
            self.core.refold()
            return None
        if step == "sign on":
            return self.send("sign on", Kind.SIGN_ON, 0x800, network=3, batch=0)
        if step == "sign off":
            return self.send("sign off", Kind.SIGN_OFF, 0x820, network=2)
        if step == "settle":
            totals = self.core.terminal(TID, MID)["totals"]
            return self.send("settle", Kind.SETTLE, 0x500, network=201, totals=totals)
        if words[0] == "repeat":
            return self.again("original")
        if words[-2] in NAMES if len(words) > 1 else False:
            return self.original(NAMES[words[-2]], amount, foreign=words[0] == "foreign")
        return self.refer(words, amount)

    def original(self, kind: Kind, amount: int, *, foreign: bool) -> Said:
        mti = {Kind.PREAUTH: 0x100, Kind.OFFLINE_SALE: 0x220}.get(kind, 0x200)
        card = CARDS["foreign" if foreign else "domestic"]
        facts = {"amount_minor": amount, "flags": PAN, **card}
        if "original" in self.sent:
            return self.send("another", kind, mti, **facts)
        return self.send("original", kind, mti, stan=ORIGINAL_STAN, **facts)

    def refer(self, words: list[str], amount: int) -> Said:
        source, said = self.sent["original"], self.said["original"]
        kind = source["kind"]
        assert isinstance(kind, Kind)
        whole = source["amount_minor"]
        if words[0] == "complete" and words[-1] == "void":
            done = self.said["complete"]
            return self.send(
                "complete void", Kind.COMPLETION_VOID, 0x200, original_rrn=done["rrn"],
                amount_minor=done["amount_minor"], **self.card(),
            )  # fmt: skip
        if words[0] == "void":
            mti = 0x100 if kind == Kind.PREAUTH else 0x200
            facts = {"original_rrn": said["rrn"], "amount_minor": whole}
            return self.send("void", VOIDS[kind], mti, **facts, **self.card())
        kind, mti = {
            "refund": (Kind.REFUND, 0x220), "tip": (Kind.TIP_ADJUST, 0x220),
            "complete": (Kind.COMPLETION, 0x200),
        }[words[0]]  # fmt: skip
        name = {"original_rrn": said["rrn"]}
        if kind == Kind.COMPLETION:
            name = {"auth": said["auth"]}
        return self.send(words[0], kind, mti, amount_minor=amount, **name, **self.card())

    def card(self) -> dict[str, object]:
        source = self.sent["original"]
        return {name: source[name] for name in ("bin", "last4", "pan_token", "flags")}

    def reverse(self, what: str) -> Said:
        """``void``: of the void. A number: of the original, with that amount. ``again``: the same
        bytes. ``otherwise``: another reason, so other bytes."""
        if what == "again":
            return self.again("reverse")
        word = {"void": "void", "complete": "complete"}.get(what, "original")
        if what == "complete" and "complete void" in self.sent:
            word = "complete void"
        source = self.sent.get(word, {"stan": ORIGINAL_STAN, "amount_minor": 100, "batch": 1})
        return self.send(
            "reverse", Kind.REVERSAL, 0x400, stan=source["stan"], batch=source["batch"],
            amount_minor=int(what) if what.isdigit() else source["amount_minor"],
            reason="06" if what == "otherwise" else "98",
        )  # fmt: skip
