"""The end of a batch: settle, batch upload, sign-off, in the dialect sheet's order.

    owed advices, uploads, reversal ─▶ 0500 ─┬─ balanced ──▶ 203 chip certificates ─▶ 207 end
                                             └─ not ───────▶ 201 details, 205 chip,
                                                             000 advices ───────────▶ 202 end
                                                                          ─▶ sign-off

The next sign-on gives the new batch number.
"""

from __future__ import annotations

from collections.abc import Iterator

from posengine.simulate import trades
from posengine.simulate.dialect import Fields
from posengine.simulate.exchange import Talk, text
from posengine.simulate.ledger import Deal
from posengine.simulate.terminal import Terminal

UPLOAD_DONE = frozenset({"00", "94"})
DETAILS_PER_MESSAGE = 8
ERROR_DIGIT = "3"
CLEARING_STAN = 900_000
ROUNDS_MAX = 8  # of a settle or an upload; a line that is worse than that is no line


def settle(terminal: Terminal, *, wrong_by: int = 0) -> Talk[bool]:
    """Closes the batch; true where the host found it balanced.

    ``wrong_by`` (minor units) plants a wrong total, which the host must notice.
    """
    if not (yield from terminal.make_ready()):
        return False
    totals = terminal.ledger.totals()
    totals.domestic.debit += wrong_by
    digits = totals.digits()
    answer = yield from _ask(terminal, digits)
    if answer is None:
        terminal.disagree("settle", "no usable answer to 0500")
        return False
    is_balanced = _judge(terminal, digits, answer, is_planted=wrong_by != 0)
    terminal.report.settled += 1
    terminal.report.balanced += is_balanced
    yield from _upload(terminal, is_balanced=is_balanced)
    terminal.ledger.close()
    yield from terminal.sign_off()
    return is_balanced


def clear(terminal: Terminal) -> Talk[None]:
    """Closes a batch that an interrupted run left open: this terminal remembers nothing of it.

    It says zero totals, uploads nothing, and ends; STANs of its own keep clear of those before.
    """
    terminal.stan = CLEARING_STAN
    if not (yield from terminal.make_ready()):
        return
    answer = yield from _ask(terminal, "0" * 62)
    if answer is not None and not _is_balanced(answer):
        end = trades.upload(terminal.desk, "202", "0000", terminal.next_stan())
        for _ in range(ROUNDS_MAX):
            if (yield from _upload_one(terminal, end)):
                break
    yield from terminal.sign_off()
    terminal.stan = 0


def _ask(terminal: Terminal, digits: str) -> Talk[str | None]:
    """Field 48 of the 0510; an answer that is missing or says error is asked for again."""
    fields = trades.settle(terminal.desk, digits, terminal.next_stan())
    for _ in range(ROUNDS_MAX):
        shot = terminal.shot("settle", "0500", fields)
        reply = yield shot
        if reply is None or terminal.flaw(fields, shot, reply):
            continue
        answer = text(reply.message[48]) if 48 in reply.message else ""
        if len(answer) == 62 and ERROR_DIGIT not in (answer[30], answer[61]):
            return answer
    return None


def _judge(terminal: Terminal, ours: str, answer: str, *, is_planted: bool) -> bool:
    is_balanced = _is_balanced(answer)
    if is_balanced and is_planted:
        terminal.disagree("settle", "a planted wrong total was called balanced")
    if not is_balanced and not is_planted:
        theirs = answer[:30] + "0" + answer[31:61] + "0"
        terminal.disagree("settle", f"not balanced: our totals {ours}, the host's {theirs}")
    return is_balanced


def _upload(terminal: Terminal, *, is_balanced: bool) -> Talk[None]:
    """Every record once; what had no answer again after the whole round; then the end message."""
    owed = list(_records(terminal, is_balanced=is_balanced))
    count = sum(record_count for record_count, _ in owed)
    for _ in range(ROUNDS_MAX):
        silent = []
        for record_count, fields in owed:
            if not (yield from _upload_one(terminal, fields)):
                silent.append((record_count, fields))
        owed = silent
        if not owed:
            break
    else:
        terminal.disagree("upload", f"no answer to {len(owed)} records in {ROUNDS_MAX} rounds")
    network = "207" if is_balanced else "202"
    end = trades.upload(terminal.desk, network, f"{count:04d}", terminal.next_stan())
    for _ in range(ROUNDS_MAX):
        if (yield from _upload_one(terminal, end)):
            return
    terminal.disagree("upload", "no answer to the end of the upload")


def _records(terminal: Terminal, *, is_balanced: bool) -> Iterator[tuple[int, Fields]]:
    """(records within, message) of every upload message but the end."""
    desk = terminal.desk
    deals = [deal for deal in terminal.ledger.deals if deal.state == "approved" and deal.sign]
    online = [deal for deal in deals if deal.request is None]
    for deal in online:
        if _is_chip(deal):
            chip = trades.chip_data(deal.amount, terminal.chance)
            network = "203" if is_balanced else "205"
            yield 1, trades.chip_certificate(desk, deal, network, chip)
    if is_balanced:
        return
    stripes = [deal for deal in online if not _is_chip(deal)]
    for start in range(0, len(stripes), DETAILS_PER_MESSAGE):
        some = stripes[start : start + DETAILS_PER_MESSAGE]
        detail = f"{len(some):02d}" + "".join(map(trades.detail_record, some))
        yield len(some), trades.upload(desk, "201", detail, terminal.next_stan())
    for deal in deals:
        if deal.request is not None:
            yield 1, deal.request


def _upload_one(terminal: Terminal, fields: Fields) -> Talk[bool]:
    """One 0320; false where it had no good answer."""
    shot = terminal.shot("batch_upload", "0320", fields)
    reply = yield shot
    if reply is None or terminal.flaw(fields, shot, reply):
        return False
    if reply.code not in UPLOAD_DONE:
        terminal.disagree("upload", f"0320 was refused with {reply.code}", shot.stan)
    return True


def _is_balanced(answer: str) -> bool:
    return answer[30] == answer[61] == "1"


def _is_chip(deal: Deal) -> bool:
    return deal.entry in ("chip", "contactless")
