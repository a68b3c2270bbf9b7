"""One terminal, without a socket: what it sends, what it believes of each answer, what it owes.

Every job of the terminal is a generator that gives out a ``Shot`` (bytes to send) and is handed
the ``Reply``, or None where none came in time:

    reply = yield shot

so a job reads from top to bottom as the dialect sheet tells it, and whoever drives it (a socket, a
test, a fault plan) decides what happens on the line. What must survive a power failure is in the
terminal before the shot leaves, never in the generator:

    1. the reversal record is written          a crash here leaves a reversal of nothing: 25, done
    2. the request leaves                      a crash here: the reversal undoes it
    3. a clean answer removes the record       a crash before: the reversal undoes it
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from posengine.errors import PosError
from posengine.simulate import trades
from posengine.simulate.dialect import Answer, Dialect, Fields
from posengine.simulate.exchange import (
    APPROVALS,
    Flaw,
    Reply,
    Shot,
    Talk,
    data,
    flaw_of,
    text,
    voucher_of,
)
from posengine.simulate.ledger import Deal, Ledger
from posengine.simulate.report import Disagreement, Report
from posengine.simulate.trades import TRADES, Desk, Want

REVERSAL_DONE = frozenset({"00", "12", "25"})
SIGN_ON_AGAIN = frozenset({"A0", "77", "99"})
SIGNED_MTIS = frozenset({"0100", "0200", "0220", "0400", "0620"})
STAN_MAX = 999_999
READY_ROUNDS_MAX = 10  # of sign-on, reversal and advices; a line that is worse is no line
# field 39 of a reversal
NO_ANSWER, BAD_MAC, OTHER = "98", "A0", "06"
# processing requirement -> (query, download, end): the networks (60.3) of the jobs it asks for
DOWNLOADS = {
    1: ("", "360", "361"),
    4: ("372", "370", "371"),
    5: ("382", "380", "381"),
    6: ("", "364", "365"),
    7: ("", "390", "391"),
    9: ("", "394", "395"),
    11: ("", "396", "397"),
    12: ("", "398", "399"),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a terminal is. ``sign_on`` is 60.3: 001, 003 or 004."""

    tid: str
    mid: str
    tmk: bytes = field(repr=False)
    sign_on: str = "003"


@dataclass(frozen=True, slots=True)
class Options:
    """Where certified terminals differ (dialect sheet, section 8)."""

    tries_max: int = 3  # of a reversal, an advice, a sign-on, a settle, before it waits or gives up
    drops_reversal: bool = False  # after the tries: drop it with a notice; else keep it
    drops_on_mismatch: bool = False  # an answer with other 3, 4, 11, 41, 42 removes the record


@dataclass(slots=True)
class Pending:
    """Something owed to the host: a reversal, or an advice that is sent until it is answered."""

    mti: str
    fields: Fields
    deal: Deal
    tries: int = 0


class Terminal:
    """A UnionPay terminal. One job at a time; all chance comes from ``chance``."""

    def __init__(
        self,
        identity: Identity,
        dialect: Dialect,
        *,
        chance: Random,
        report: Report,
        options: Options | None = None,
    ) -> None:
        self.identity = identity
        self.dialect = dialect
        self.chance = chance
        self.report = report
        self.options = options or Options()
        self.desk = Desk(tid=identity.tid, mid=identity.mid)
        self.ledger = Ledger()
        self.stan = 0
        self.is_signed_on = False
        self.stopped_because = ""  # "" while it works
        self.reversal: Pending | None = None
        self.advices: deque[Pending] = deque()
        self.tasks: list[int] = []  # processing requirements not yet acted on

    # ---- jobs ------------------------------------------------------------------------------------
    def sign_on(self) -> Talk[bool]:
        """0800: working keys, batch number. A refusal stops the terminal."""
        for _ in range(self.options.tries_max):
            serial = f"SIM-{self.identity.tid}"
            fields = trades.management(
                self.desk,
                self.identity.sign_on,
                stan=self.next_stan(),
                operator=self.desk.operator,
                text=f"Sequence No{4 + len(serial):02d}3050{serial}",
            )
            shot = self.shot("sign_on", "0800", fields)
            reply = yield shot
            if reply is None or self.flaw(fields, shot, reply):
                continue
            if reply.code == "00":
                return self._take_keys(reply.message)
            return self._stop("sign-on", f"its sign-on was refused with {reply.code}")
        return self._stop("sign-on", "its sign-on had no good answer")

    def perform(self, want: Want) -> Talk[Deal | None]:
        """One transaction, after everything that is owed. None where it could not begin."""
        if not (yield from self.make_ready()):
            return None
        self.report.transactions += 1
        trade = TRADES[want.trade]
        stan = self.next_stan()
        fields = trades.financial(self.desk, want, stan, dialect=self.dialect, chance=self.chance)
        deal = Deal(
            trade=want.trade,
            sign=trade.sign,
            tid=self.identity.tid,
            stan=stan,
            batch=self.desk.batch,
            amount=want.amount,
            entry=want.entry,
            card=want.card,
            qr=want.qr,
            is_foreign=want.card is not None and want.card.is_foreign,
            original=want.original,
        )
        self.ledger.deals.append(deal)
        if trade.is_resent:
            deal.request = fields if trade.mti == "0220" else None
            self.advices.append(Pending(trade.mti, fields, deal))
            yield from self._send_advices()
        else:
            yield from self._ask(trade, fields, deal)
        if want.is_mistake and deal.state == "approved":
            self.disagree("mistake", f"{want.trade} approved that must be refused", deal.stan)
        return deal

    def sign_off(self) -> Talk[None]:
        """0820 002: the working keys are forgotten."""
        yield from self._manage("sign_off", "0820", "002", stan=self.next_stan())
        self.is_signed_on = False
        self.desk.keys = None

    def echo(self) -> Talk[bool]:
        """0820 301: is anybody there?"""
        return (yield from self._manage("echo", "0820", "301"))

    def upload_status(self) -> Talk[bool]:
        """0820 362: what the terminal is and has."""
        return (yield from self._manage("status_upload", "0820", "362"))

    def download(self, requirement: int) -> Talk[bool]:
        """Query where there is one, records, end. ``requirement`` is the header's nibble."""
        query, network, end = DOWNLOADS[requirement]
        if query and not (yield from self._manage("download_query", "0820", query)):
            return False
        for trade, code in (("download", network), ("download_end", end)):
            if not (yield from self._manage(trade, "0800", code, stan=self.next_stan())):
                return False
        return True

    def make_ready(self) -> Talk[bool]:
        """Signed on and nothing owed: tasks, reversal, advices go out first, in that order."""
        for _ in range(READY_ROUNDS_MAX):
            if self.stopped_because or not (self.is_signed_on or (yield from self.sign_on())):
                return False
            yield from self._act_on_tasks()
            yield from self._send_reversal()
            if self.is_signed_on:
                yield from self._send_advices()
            if self.is_signed_on and self.reversal is None and not self.advices:
                return True
        return self._stop("stuck", f"what it owes was not taken in {READY_ROUNDS_MAX} rounds")

    # ---- what is owed ----------------------------------------------------------------------------
    def _act_on_tasks(self) -> Talk[None]:
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            if task == 3:
                yield from self.sign_on()
            elif task in (2, 13):
                yield from self.upload_status()
            elif task in DOWNLOADS:
                yield from self.download(task)

    def _send_reversal(self) -> Talk[None]:
        while (pending := self.reversal) is not None:
            shot = self.shot("reversal", "0400", pending.fields)
            pending.tries += 1
            reply = yield shot
            if reply is not None:
                if self.flaw(pending.fields, shot, reply):
                    return  # a wrong MAC or other fields: stop, try later
                if reply.code in REVERSAL_DONE:
                    self.ledger.undo(pending.deal)
                    self.report.reversals += 1
                    self.reversal = None
                    return
                if reply.code in SIGN_ON_AGAIN:
                    return
            if pending.tries % self.options.tries_max == 0:
                if self.options.drops_reversal:
                    pending.deal.state, self.reversal = "lost", None
                return

    def _send_advices(self) -> Talk[None]:
        for pending in tuple(self.advices):
            shot = self.shot(pending.deal.trade, pending.mti, pending.fields)
            reply = None
            for _ in range(self.options.tries_max):
                reply = yield shot
                if reply is not None:
                    break
            if reply is None or self.flaw(pending.fields, shot, reply):
                return
            if reply.code in SIGN_ON_AGAIN:
                return  # not an answer to the advice: again, after the sign-on
            self._conclude(pending.deal, reply)
            self.advices.popleft()

    # ---- one exchange ----------------------------------------------------------------------------
    def _ask(self, trade: trades.Trade, fields: Fields, deal: Deal) -> Talk[None]:
        if trade.is_reversible:
            self.reversal = Pending("0400", trades.reversal(fields, NO_ANSWER), deal)
        shot = self.shot(trade.name, trade.mti, fields)
        reply = yield shot
        if reply is None:
            if not trade.is_reversible:
                deal.state = "lost"  # a question: nothing to undo
            return
        flaw = self.flaw(fields, shot, reply)
        if flaw is None:
            self.reversal = None
            self._conclude(deal, reply)
            return
        deal.response = reply.code
        if self.reversal is None:
            deal.state = "lost"
        elif flaw.what in ("mac", "unsigned"):
            self.reversal.fields[39] = BAD_MAC
        elif self.options.drops_on_mismatch:
            self.reversal, deal.state = None, "lost"
        else:
            self.reversal.fields[39] = OTHER

    def _conclude(self, deal: Deal, reply: Reply) -> None:
        """A clean answer: what it means for the deal."""
        message = reply.message
        deal.response = reply.code
        if reply.code not in APPROVALS:
            deal.state = "declined"
            return
        deal.state = "approved"
        deal.rrn = text(message[37])
        deal.date = text(message[13])
        deal.settled = text(message[15]) if 15 in message else deal.date
        deal.auth = text(message[38]) if 38 in message else ""
        if 59 in message:
            deal.voucher = voucher_of(text(message[59]))
        self.ledger.claim(deal)

    def _manage(self, trade: str, mti: str, network: str, *, stan: str = "") -> Talk[bool]:
        fields = trades.management(self.desk, network, stan=stan)
        for _ in range(self.options.tries_max):
            shot = self.shot(trade, mti, fields)
            reply = yield shot
            if reply is not None and self.flaw(fields, shot, reply) is None:
                return reply.code in APPROVALS
        return False

    def shot(self, trade: str, mti: str, fields: Fields) -> Shot:
        """Signed where the matrix says so, and framed. Made anew for each sending: keys roll."""
        has_mac = mti in SIGNED_MTIS
        if has_mac:
            assert self.desk.keys is not None
            covered = self.dialect.build(mti, {**fields, 64: bytes(8)})[:-8]
            body = covered + self.dialect.mac(self.desk.keys.mak, covered)
        else:
            body = self.dialect.build(mti, fields)
        return Shot(
            trade=trade,
            frame=self.dialect.frame(body),
            answer_mti=mti[:2] + str(int(mti[2]) + 1) + mti[3],
            stan=text(fields.get(11, "")),
            has_mac=has_mac,
            is_repeatable=has_mac,
        )

    def flaw(self, request: Fields, shot: Shot, reply: Reply) -> Flaw | None:
        """Counts the answer, takes what it asks for, and says why not to believe it."""
        code = reply.code
        self.report.responses[shot.trade, code or "--"] += 1
        if code in SIGN_ON_AGAIN:
            self.is_signed_on = False
        flaw = flaw_of(request, shot, reply, is_signed=self._is_signed)
        if flaw is None and reply.requirement and reply.requirement not in self.tasks:
            self.tasks.append(reply.requirement)
        if flaw is not None and (flaw.what != "unsigned" or code in APPROVALS):
            self.disagree(flaw.what, f"{shot.trade}: {flaw.text}", shot.stan)
        return flaw

    def next_stan(self) -> str:
        """Field 11: one more for each message that needs one; 999999 wraps to 000001."""
        self.stan = self.stan % STAN_MAX + 1
        return f"{self.stan:06d}"

    def disagree(self, what: str, sentence: str, stan: str = "------") -> None:
        """Host and terminal differ: into the report."""
        self.report.disagree(Disagreement(self.identity.tid, self.desk.batch, stan, what, sentence))

    def _stop(self, what: str, reason: str) -> bool:
        self.stopped_because = reason
        self.disagree(what, reason)
        return False

    def _is_signed(self, body: bytes) -> bool:
        keys = self.desk.keys
        return keys is not None and self.dialect.mac(keys.mak, body[:-8]) == body[-8:]

    def _take_keys(self, message: Answer) -> bool:
        try:
            keys = self.dialect.open_keys(self.identity.tmk, data(message[62]))
        except PosError as error:
            return self._stop("keys", f"its working keys do not open: {error}")
        batch = text(message[60])[2:8]
        if self.ledger.deals and batch != self.desk.batch:
            self.disagree("batch", f"a new batch {batch} while {self.desk.batch} is open")
        self.desk.keys, self.desk.batch = keys, batch
        self.is_signed_on = True
        return True
