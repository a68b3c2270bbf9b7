"""What cashiers do all day: a mix of transactions, each with a card, an amount and an original.

The next want depends on the terminal's own ledger (one cannot void what was not sold) and on its
generator of chance, nothing else: the same seed and the same answers give the same day.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from posengine.simulate.cards import TEST_CARDS, Card, make_card, make_qr
from posengine.simulate.closing import clear, settle
from posengine.simulate.exchange import Reply, Shot
from posengine.simulate.faults import Faults
from posengine.simulate.ledger import Deal, Ledger
from posengine.simulate.line import Pause
from posengine.simulate.terminal import Terminal
from posengine.simulate.trades import TRADES, Want

# out of 1,000 wants
MIX = {
    "sale": 485,
    "balance": 30,
    "sale_void": 60,
    "refund": 50,
    "preauth": 70,
    "preauth_void": 20,
    "completion": 30,
    "completion_void": 10,
    "completion_advice": 15,
    "offline_sale": 15,
    "adjust": 5,
    "tip_adjust": 10,
    "ec_sale": 10,
    "qr_sale": 120,
    "qr_void": 20,
    "qr_refund": 20,
    "script_result": 5,
    "echo": 15,
    "status_upload": 5,
    "mistake": 5,
}
ENTRIES = {"swipe": 25, "chip": 40, "contactless": 25, "manual": 10}
MISTAKES = ("sale_void", "refund", "completion")
AMOUNT_MAX = 50_000  # minor units: 500.00
RECENT_MAX = 60  # how far back an original is looked for
_NAMES, _WEIGHTS = tuple(MIX), tuple(accumulate(MIX.values()))
_ENTRY_NAMES, _ENTRY_WEIGHTS = tuple(ENTRIES), tuple(accumulate(ENTRIES.values()))


@dataclass(frozen=True, slots=True)
class Shift:
    """A terminal's working day. ``interval_s`` 0: as fast as the host answers."""

    transactions: int
    settle_every: int = 400  # field 48 counts to 999
    settles: bool = True
    clears: bool = False  # first close what a run before this one left open
    begins_at: float = 0.0
    interval_s: float = 0.0


def work(
    terminal: Terminal, shift: Shift, faults: Faults
) -> Generator[Shot | Pause, Reply | None, None]:
    """The whole day: sign-on, transactions at their due times, settlements."""
    chance = terminal.chance
    if shift.clears:
        yield from clear(terminal)
    for index in range(shift.transactions):
        if shift.interval_s:
            yield Pause(shift.begins_at + index * shift.interval_s)
        if index and shift.settles and index % shift.settle_every == 0:
            yield from _close(terminal, faults)
        name = chance.choices(_NAMES, cum_weights=_WEIGHTS)[0]
        if name in ("echo", "status_upload"):
            if (yield from terminal.make_ready()):
                terminal.report.transactions += 1
                yield from terminal.echo() if name == "echo" else terminal.upload_status()
        else:
            yield from terminal.perform(choose(name, terminal.ledger, chance))
        if terminal.stopped_because:
            return
    if shift.settles:
        yield from _close(terminal, faults)


def _close(terminal: Terminal, faults: Faults) -> Generator[Shot, Reply | None, bool]:
    wrong_by = 0
    if faults.plants_wrong_total(terminal.chance):
        terminal.report.faults["total"] += 1
        wrong_by = 1
    return (yield from settle(terminal, wrong_by=wrong_by))


def choose(name: str, ledger: Ledger, chance: Random) -> Want:
    """A want of this name, or a sale where the ledger has no original for it."""
    if name == "mistake":
        return _mistake(ledger, chance) or _fresh("sale", chance)
    needs = TRADES[name].needs
    if not needs:
        return _fresh(name, chance)
    candidates = [deal for deal in ledger.deals[-RECENT_MAX:] if _is_fit(name, needs, deal)]
    if "refund" in name:  # also of a batch that is settled
        candidates += [deal for deal in ledger.closed[-RECENT_MAX:] if _is_fit(name, needs, deal)]
    if not candidates:
        return _fresh("qr_sale" if name.startswith("qr") else "sale", chance)
    return _about(name, chance.choice(candidates), chance)


def _is_fit(name: str, needs: str, deal: Deal) -> bool:
    if deal.trade != needs or not deal.is_usable:
        return False
    if "refund" in name:
        return deal.left > 0
    if name == "script_result":
        return deal.entry == "chip"
    return deal.refunded == deal.adjusted == 0


def _about(name: str, original: Deal, chance: Random) -> Want:
    """A transaction that refers to ``original``."""
    amount = original.amount
    if "refund" in name and chance.random() < 0.5:
        amount = chance.randint(1, original.left)
    elif "refund" in name:
        amount = original.left
    elif name in ("completion", "completion_advice") and amount > 1:
        amount = chance.randint(amount // 2, amount)
    elif name in ("adjust", "tip_adjust"):
        amount = max(1, amount // 10)  # what is added
    return Want(
        name,
        amount=amount,
        entry=original.entry,
        card=original.card,
        qr=original.qr,
        original=original,
        tip=amount if name == "tip_adjust" else 0,
    )


def _fresh(name: str, chance: Random) -> Want:
    """A transaction that stands for itself."""
    amount = 0 if name == "balance" else chance.randint(1, AMOUNT_MAX)
    if name == "qr_sale":
        return Want(name, amount=amount, entry="qr", qr=make_qr(chance))
    entry = chance.choices(_ENTRY_NAMES, cum_weights=_ENTRY_WEIGHTS)[0]
    if name == "ec_sale":
        entry = "chip"
    elif name == "offline_sale":
        entry = "manual"
    with_pin = entry in ("swipe", "chip") and name != "ec_sale" and chance.random() < 0.5
    return Want(name, amount=amount, entry=entry, card=_card(chance), with_pin=with_pin)


def _card(chance: Random) -> Card:
    number = chance.random()
    if number < 0.05:
        return Card(pan=TEST_CARDS[2], expiry="4912")
    return make_card(chance, digits=19 if number < 0.3 else 16)


def _mistake(ledger: Ledger, chance: Random) -> Want | None:
    """Something that the host must refuse: used up twice, or more than there was."""
    name = chance.choice(MISTAKES)
    needs = TRADES[name].needs
    deals = [
        deal
        for deal in ledger.deals[-RECENT_MAX:]
        if deal.trade == needs and deal.state == "approved"
    ]
    for deal in deals:
        if deal.undone:
            return Want(name, deal.amount, deal.entry, deal.card, original=deal, is_mistake=True)
        if name == "refund":
            amount = deal.left + 1
            return Want(name, amount, deal.entry, deal.card, original=deal, is_mistake=True)
    return None
