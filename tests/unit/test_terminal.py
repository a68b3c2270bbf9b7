"""Goal: a simulated terminal keeps the rules of the dialect sheet's section 8.

Method: a terminal driven by hand, without a socket, against the slow host of tests/oracle; each
test lets one thing happen on the line and looks at what is sent next and what is believed.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from oracle.codec import Codec
from oracle.host import Host, SlowDialect, build, parse
from posengine.simulate import closing, habits
from posengine.simulate.cards import Card, check_digit, make_card
from posengine.simulate.exchange import Reply, Shot, voucher_of
from posengine.simulate.report import Report
from posengine.simulate.terminal import STAN_MAX, Identity, Options, Terminal
from posengine.simulate.trades import Want

TMK = bytes.fromhex("11" * 16)
TID, MID = "00000001", "898000000000001"
CARD = Card(pan="6225000000000014", expiry="4912")
SALE = Want("sale", amount=1000, entry="swipe", card=CARD)
DIALECT = SlowDialect()
Touch = Callable[[Shot, Reply], Reply | None]


class Bench:
    """A terminal and a host on a table; ``sent`` is every request, parsed, in order."""

    def __init__(self, **options: Any) -> None:
        self.host = Host({TID: (MID, TMK)})
        self.report = Report()
        self.terminal = Terminal(
            Identity(TID, MID, TMK),
            DIALECT,
            chance=Random(1),
            report=self.report,
            options=Options(**options),
        )
        self.sent: list[Any] = []
        self.frames: list[bytes] = []

    def run(self, talk: Any, touch: Touch | None = None) -> Any:
        """Drives a job to its end; ``touch`` may change an answer or swallow it."""
        reply: Reply | None = None
        while True:
            try:
                shot = talk.send(reply)
            except StopIteration as end:
                return end.value
            self.frames.append(shot.frame)
            self.sent.append(parse(shot.frame[13:]))
            answer = self.host.answer(shot.frame)
            requirement, body = DIALECT.unframe(answer)
            reply = Reply(answer, requirement, body, parse(body))
            if touch is not None:
                reply = touch(shot, reply)

    @property
    def mtis(self) -> list[str]:
        return [message.mti for message in self.sent]

    def totals(self) -> str:
        return self.terminal.ledger.totals().digits()

    def changed(self, mti: str, change: dict[int, Any], *, mac: bytes | None = None) -> Touch:
        """The first answer of this type with other fields, signed right unless ``mac`` is given."""
        done: list[int] = []

        def touch(shot: Shot, reply: Reply) -> Reply | None:
            if shot.answer_mti != mti or done:
                return reply
            done.append(1)
            fields = {number: reply.message[number] for number in reply.message}
            fields.update(change)
            fields = {number: value for number, value in fields.items() if value is not None}
            body = build(str(reply.message.mti), fields)
            if 64 in fields:
                keys = self.terminal.desk.keys
                assert keys is not None
                body = body[:-8] + (mac or DIALECT.mac(keys.mak, body[:-8]))
            return Reply(b"", 0, body, parse(body))

        return touch


def silence_of(mti: str, times: int = 1) -> Touch:
    """The first answers of this type are lost."""
    left = [times]

    def touch(shot: Shot, reply: Reply) -> Reply | None:
        if shot.answer_mti == mti and left[0]:
            left[0] -= 1
            return None
        return reply

    return touch


@pytest.fixture
def bench() -> Bench:
    return Bench()


# ---- numbers ------------------------------------------------------------------------------------
def test_each_message_that_needs_a_stan_gets_the_next_one(bench: Bench) -> None:
    for _ in range(3):
        bench.run(bench.terminal.perform(SALE))
    assert [message[11] for message in bench.sent] == ["000001", "000002", "000003", "000004"]


def test_a_stan_after_999999_is_000001(bench: Bench) -> None:
    bench.terminal.stan = STAN_MAX
    bench.run(bench.terminal.sign_on())
    assert bench.sent[0][11] == "000001"


def test_a_reversal_reuses_the_stan_of_what_it_reverses(bench: Bench) -> None:
    bench.run(bench.terminal.perform(SALE), silence_of("0210"))
    bench.run(bench.terminal.perform(SALE))
    assert bench.mtis == ["0800", "0200", "0400", "0200"]
    assert bench.sent[2][11] == bench.sent[1][11] != bench.sent[3][11]


def test_the_batch_number_comes_from_the_sign_on_answer(bench: Bench) -> None:
    bench.host.clients[TID].batch = 77
    bench.run(bench.terminal.perform(SALE))
    assert bench.sent[1][60][:8] == "22000077"


@pytest.mark.parametrize("network", ["001", "003", "004"])
def test_every_form_of_sign_on_gives_keys_that_serve(bench: Bench, network: str) -> None:
    bench.terminal.identity = Identity(TID, MID, TMK, network)
    with_pin = Want("sale", amount=1, entry="swipe", card=CARD, with_pin=True)
    deal = bench.run(bench.terminal.perform(with_pin))
    assert deal.state == "approved"
    assert (
        bench.sent[1][53]
        == {"001": "20", "003": "26", "004": "26"}[network]
        + ("1" if network == "004" else "0")
        + "0" * 13
    )


# ---- reversal -----------------------------------------------------------------------------------
def test_the_reversal_is_written_before_the_request_leaves(bench: Bench) -> None:
    bench.run(bench.terminal.sign_on())
    talk = bench.terminal.perform(SALE)
    shot = next(talk)
    talk.close()  # the power fails while the request is on the line
    assert shot.answer_mti == "0210"
    assert bench.terminal.reversal is not None
    assert bench.terminal.reversal.fields[11] == shot.stan


def test_a_terminal_whose_power_failed_reverses_before_it_sells_again(bench: Bench) -> None:
    bench.run(bench.terminal.sign_on())
    talk = bench.terminal.perform(SALE)
    bench.host.answer(next(talk).frame)  # the host approved; the terminal never heard
    talk.close()
    bench.run(bench.terminal.perform(SALE))
    assert bench.mtis == ["0800", "0400", "0200"]
    assert [posting.is_reversed for posting in bench.host.clients[TID].postings.values()] == [
        True,
        False,
    ]


def test_silence_gives_a_reversal_with_reason_98(bench: Bench) -> None:
    bench.run(bench.terminal.perform(SALE), silence_of("0210"))
    bench.run(bench.terminal.make_ready())
    assert bench.sent[-1].mti == "0400" and bench.sent[-1][39] == "98"


def test_a_wrong_mac_in_an_approval_gives_a_reversal_with_reason_a0(bench: Bench) -> None:
    bench.run(bench.terminal.perform(SALE), bench.changed("0210", {}, mac=b"00000000"))
    bench.run(bench.terminal.make_ready())
    assert bench.sent[-1][39] == "A0"
    assert [found.what for found in bench.report.disagreements] == ["mac"]


def test_an_approval_without_a_mac_is_not_believed(bench: Bench) -> None:
    deal = bench.run(bench.terminal.perform(SALE), bench.changed("0210", {64: None}))
    assert deal.state == "in doubt" and bench.terminal.reversal is not None
    assert [found.what for found in bench.report.disagreements] == ["unsigned"]


@pytest.mark.parametrize(
    "number, value",
    [(3, "310000"), (4, "000000009999"), (11, "999999"), (41, "99999999"), (42, "9" * 15)],
)
def test_an_answer_with_another_echoed_field_is_not_believed(
    bench: Bench, number: int, value: str
) -> None:
    deal = bench.run(bench.terminal.perform(SALE), bench.changed("0210", {number: value}))
    assert deal.state == "in doubt"
    bench.run(bench.terminal.make_ready())
    assert bench.sent[-1][39] == "06"
    assert deal.state == "reversed"


def test_some_terminals_drop_the_record_on_another_echoed_field() -> None:
    bench = Bench(drops_on_mismatch=True)
    deal = bench.run(bench.terminal.perform(SALE), bench.changed("0210", {4: "000000009999"}))
    assert bench.terminal.reversal is None and deal.state == "lost"


def test_echoed_fields_are_judged_before_the_mac(bench: Bench) -> None:
    bench.run(
        bench.terminal.perform(SALE), bench.changed("0210", {4: "000000000001"}, mac=b"00000000")
    )
    assert [found.what for found in bench.report.disagreements] == ["echo"]


def test_the_message_type_is_judged_before_all_else(bench: Bench) -> None:
    def other_type(shot: Shot, reply: Reply) -> Reply:
        if shot.answer_mti != "0210":
            return reply
        body = b"\x02\x30" + reply.body[2:]
        return Reply(b"", 0, body, parse(body))

    bench.run(bench.terminal.perform(SALE), other_type)
    assert [found.what for found in bench.report.disagreements] == ["mti"]


def test_a_clean_refusal_removes_the_reversal(bench: Bench) -> None:
    deal = bench.run(bench.terminal.perform(SALE), bench.changed("0210", {39: "51"}))
    assert deal.state == "declined" and bench.terminal.reversal is None


def test_a_refusal_without_a_mac_keeps_the_reversal(bench: Bench) -> None:
    bench.run(bench.terminal.perform(SALE), bench.changed("0210", {39: "96", 64: None}))
    assert bench.terminal.reversal is not None
    assert bench.report.disagreements == []


@pytest.mark.parametrize("code", ["00", "12", "25"])
def test_a_reversal_is_done_when_it_is_answered_with(bench: Bench, code: str) -> None:
    bench.run(bench.terminal.perform(SALE), silence_of("0210"))
    bench.run(bench.terminal.make_ready(), bench.changed("0410", {39: code}))
    assert bench.terminal.reversal is None and bench.report.reversals == 1


def test_an_unanswered_reversal_is_sent_again_with_the_same_stan(bench: Bench) -> None:
    bench.run(bench.terminal.perform(SALE), silence_of("0210"))
    bench.run(bench.terminal.make_ready(), silence_of("0410", 2))
    reversals = [message for message in bench.sent if message.mti == "0400"]
    assert len(reversals) == 3 and len({message[11] for message in reversals}) == 1
    assert bench.terminal.reversal is None


def test_after_three_tries_some_terminals_keep_the_reversal_for_the_next_trade(
    bench: Bench,
) -> None:
    bench.run(bench.terminal.perform(SALE), silence_of("0210"))
    talk = bench.terminal._send_reversal()
    bench.run(talk, silence_of("0410", 3))
    assert bench.terminal.reversal is not None
    bench.run(bench.terminal.perform(SALE))
    assert bench.mtis[-2:] == ["0400", "0200"]


def test_after_three_tries_other_terminals_drop_it() -> None:
    bench = Bench(drops_reversal=True)
    deal = bench.run(bench.terminal.perform(SALE), silence_of("0210"))
    bench.run(bench.terminal._send_reversal(), silence_of("0410", 3))
    assert bench.terminal.reversal is None and deal.state == "lost"


def test_a_wrong_mac_on_a_reversal_answer_stops_and_tries_later(bench: Bench) -> None:
    bench.run(bench.terminal.perform(SALE), silence_of("0210"))
    talk = bench.terminal._send_reversal()
    bench.run(talk, bench.changed("0410", {}, mac=b"00000000"))
    assert bench.mtis.count("0400") == 1 and bench.terminal.reversal is not None


def test_a_reversal_carries_what_the_matrix_says_and_no_secret(bench: Bench) -> None:
    with_pin = Want("sale", amount=1, entry="swipe", card=CARD, with_pin=True)
    bench.run(bench.terminal.perform(with_pin), silence_of("0210"))
    bench.run(bench.terminal.make_ready())
    body = bench.sent[-1]
    assert sorted(body) == [3, 4, 11, 22, 25, 39, 41, 42, 49, 60, 64]


def test_a_refund_is_never_reversed_but_sent_again_until_it_is_answered(bench: Bench) -> None:
    sale = bench.run(bench.terminal.perform(SALE))
    refund = Want("refund", amount=400, entry="swipe", card=CARD, original=sale)
    deal = bench.run(bench.terminal.perform(refund), silence_of("0230", 4))
    assert deal.state == "in doubt" and bench.terminal.reversal is None
    bench.run(bench.terminal.perform(SALE))
    assert "0400" not in bench.mtis and bench.mtis[-2:] == ["0220", "0200"]
    assert deal.state == "approved" and sale.refunded == 400
    assert len({message[11] for message in bench.sent if message.mti == "0220"}) == 1


def test_an_undone_void_gives_the_sale_back(bench: Bench) -> None:
    sale = bench.run(bench.terminal.perform(SALE))
    void = Want("sale_void", amount=1000, entry="swipe", card=CARD, original=sale)
    bench.run(bench.terminal.perform(void), silence_of("0210"))
    bench.run(bench.terminal.make_ready())
    assert sale.is_usable
    assert bench.run(bench.terminal.perform(void)).state == "approved"
    assert not sale.is_usable


# ---- what a host asks for -----------------------------------------------------------------------
@pytest.mark.parametrize("code", ["A0", "77", "99"])
def test_these_answers_make_the_terminal_sign_on_again(bench: Bench, code: str) -> None:
    bench.run(bench.terminal.perform(SALE), bench.changed("0210", {39: code}))
    bench.run(bench.terminal.perform(SALE))
    assert bench.mtis == ["0800", "0200", "0800", "0200"]


def test_a_processing_requirement_waits_for_the_end_of_the_transaction(bench: Bench) -> None:
    bench.host.requirement = 1
    bench.run(bench.terminal.perform(SALE))
    assert bench.mtis == ["0800", "0200"] and bench.terminal.tasks == [1]
    bench.run(bench.terminal.perform(SALE))
    assert bench.mtis[2:] == ["0800", "0800", "0200"]
    assert [message[60][8:] for message in bench.sent[2:4]] == ["360", "361"]


def test_a_refused_sign_on_stops_the_terminal(bench: Bench) -> None:
    bench.run(bench.terminal.perform(SALE), bench.changed("0810", {39: "97"}))
    assert bench.terminal.stopped_because and bench.mtis == ["0800"]
    assert bench.run(bench.terminal.perform(SALE)) is None


def test_working_keys_with_a_wrong_check_value_are_refused(bench: Bench) -> None:
    bench.terminal.identity = Identity(TID, MID, bytes.fromhex("44" * 16))
    bench.run(bench.terminal.sign_on())
    assert not bench.terminal.is_signed_on
    assert [found.what for found in bench.report.disagreements] == ["keys"]


# ---- settlement ---------------------------------------------------------------------------------
def test_the_pending_reversal_goes_out_before_the_settle(bench: Bench) -> None:
    bench.run(bench.terminal.perform(SALE), silence_of("0210"))
    assert bench.run(closing.settle(bench.terminal)) is True
    assert bench.mtis == ["0800", "0200", "0400", "0500", "0320", "0820"]


def test_pending_advices_go_out_before_the_settle(bench: Bench) -> None:
    sale = bench.run(bench.terminal.perform(SALE))
    refund = Want("refund", amount=1, entry="swipe", card=CARD, original=sale)
    bench.run(bench.terminal.perform(refund), silence_of("0230", 3))
    assert bench.run(closing.settle(bench.terminal)) is True
    assert bench.mtis.index("0500") > bench.mtis.index("0220")


def test_the_sheet_s_example_of_field_48(bench: Bench) -> None:
    bench.run(bench.terminal.perform(Want("sale", 12345, "swipe", CARD)))
    assert bench.totals() == "0000000123450010000000000000000" + "0" * 31


def test_a_voided_sale_stays_in_the_debits_and_its_void_is_a_credit(bench: Bench) -> None:
    sale = bench.run(bench.terminal.perform(SALE))
    bench.run(bench.terminal.perform(Want("sale_void", 1000, "swipe", CARD, original=sale)))
    assert bench.totals()[:31] == "000000001000001" + "000000001000001" + "0"


def test_a_foreign_card_is_counted_in_the_second_half(bench: Bench) -> None:
    foreign = Card(pan="4111111111111111", expiry="4912")
    bench.run(bench.terminal.perform(Want("sale", 5, "swipe", foreign)))
    assert bench.totals() == "0" * 31 + "000000000005001" + "0" * 16


def test_a_settle_without_an_answer_is_asked_again_with_the_same_message(bench: Bench) -> None:
    bench.run(bench.terminal.perform(SALE))
    assert bench.run(closing.settle(bench.terminal), silence_of("0510", 2)) is True
    settles = [message for message in bench.sent if message.mti == "0500"]
    assert len(settles) == 3 and settles[0] == settles[1] == settles[2]


def test_an_error_digit_in_the_answer_means_settle_again(bench: Bench) -> None:
    bench.run(bench.terminal.perform(SALE))
    error = bench.changed("0510", {48: "0" * 30 + "3" + "0" * 30 + "1"})
    assert bench.run(closing.settle(bench.terminal), error) is True
    assert bench.mtis.count("0500") == 2


def test_a_balanced_batch_uploads_chip_certificates_and_ends_with_207(bench: Bench) -> None:
    bench.run(bench.terminal.perform(SALE))
    bench.run(bench.terminal.perform(Want("sale", 7, "chip", CARD)))
    bench.run(closing.settle(bench.terminal))
    networks = [message[60][8:11] for message in bench.sent if message.mti == "0320"]
    assert networks == ["203", "207"]


def test_an_unbalanced_batch_uploads_every_detail_and_ends_with_202(bench: Bench) -> None:
    for _ in range(9):
        bench.run(bench.terminal.perform(SALE))
    bench.run(bench.terminal.perform(Want("sale", 7, "chip", CARD)))
    sale = bench.terminal.ledger.deals[0]
    bench.run(bench.terminal.perform(Want("refund", 1, "swipe", CARD, original=sale)))
    assert bench.run(closing.settle(bench.terminal, wrong_by=1)) is False
    uploads = [message for message in bench.sent if message.mti == "0320"]
    assert [message[60][8:11] for message in uploads] == ["205", "201", "201", "000", "202"]
    assert [len(uploads[1][48]), len(uploads[2][48])] == [322, 42]
    record = uploads[1][48][2:42]
    assert record == "00" + "000002" + "00006225000000000014" + "000000001000"
    assert uploads[-1][48] == "0011"
    assert 64 not in uploads[3] and uploads[3][4] == "000000000001"
    assert bench.report.disagreements == []  # the wrong total was planted


def test_after_the_end_of_the_upload_the_terminal_signs_off_and_gets_a_new_batch(
    bench: Bench,
) -> None:
    bench.run(bench.terminal.perform(SALE))
    bench.run(closing.settle(bench.terminal))
    assert bench.sent[-1].mti == "0820" and bench.sent[-1][60][8:] == "002"
    assert bench.terminal.desk.keys is None and bench.totals() == "0" * 62
    bench.run(bench.terminal.perform(SALE))
    assert bench.terminal.desk.batch == "000002"


def test_a_terminal_that_forgot_its_batch_can_close_it_and_begin_anew(bench: Bench) -> None:
    bench.run(bench.terminal.perform(SALE))
    host, bench = bench.host, Bench()
    bench.host = host  # the same host, a terminal without memory
    bench.run(closing.clear(bench.terminal))
    assert bench.mtis == ["0800", "0500", "0320", "0820"]
    assert bench.sent[1][48] == "0" * 62 and bench.sent[2][60][8:] == "202"
    assert bench.run(bench.terminal.perform(SALE)).state == "approved"
    assert bench.terminal.desk.batch == "000002" and bench.sent[-1][11] == "000002"
    assert bench.run(closing.settle(bench.terminal)) is True
    assert bench.report.disagreements == []


def test_a_host_that_lost_a_posting_is_found_at_settle(bench: Bench) -> None:
    bench.run(bench.terminal.perform(SALE))
    bench.host.clients[TID].postings.clear()
    assert bench.run(closing.settle(bench.terminal)) is False
    (found,) = bench.report.disagreements
    assert found.what == "settle" and "not balanced" in found.text


def test_a_host_that_calls_a_wrong_total_balanced_is_found(bench: Bench) -> None:
    bench.run(bench.terminal.perform(SALE))
    nodding = bench.changed("0510", {48: ("0" * 30 + "1") * 2})
    bench.run(closing.settle(bench.terminal, wrong_by=1), nodding)
    assert [found.what for found in bench.report.disagreements] == ["settle"]


def test_an_approved_mistake_is_a_disagreement(bench: Bench) -> None:
    bench.run(bench.terminal.perform(Want("sale", 1000, "swipe", CARD, is_mistake=True)))
    assert [found.what for found in bench.report.disagreements] == ["mistake"]


# ---- the dialect's own rules ---------------------------------------------------------------------
def test_every_message_of_a_busy_day_keeps_the_rules_of_its_kind() -> None:
    """Judged by the oracle of frames and messages, which knows the dialect file alone."""
    codec = Codec("unionpay-terminal")
    bench = Bench()
    kinds = set()
    for network in ("001", "003", "004"):
        bench.terminal.identity = Identity(TID, MID, TMK, network)
        bench.run(bench.terminal.make_ready())
        bench.run(bench.terminal.download({"001": 1, "003": 4, "004": 5}[network]))
        loses = silence_of("0210", 2)
        names = [*habits.MIX, "preauth", "completion", "offline_sale"] * 12
        for name in Random(network).sample(names, len(names)):
            if name == "echo":
                bench.run(bench.terminal.echo())
            elif name == "status_upload":
                bench.run(bench.terminal.upload_status())
            else:
                want = habits.choose(name, bench.terminal.ledger, bench.terminal.chance)
                bench.run(bench.terminal.perform(want), loses)
        bench.run(closing.settle(bench.terminal, wrong_by=int(network == "001")))
    for frame in bench.frames:
        cut = codec.cut(frame)
        parsed = codec.parse(cut.body)
        kinds.add(codec.check(parsed)["kind"])
    assert kinds >= {
        *("SIGN_ON", "SIGN_OFF", "ECHO", "STATUS_UPLOAD", "DOWNLOAD", "DOWNLOAD_END"),
        *("DOWNLOAD_QUERY", "BALANCE", "SALE", "SALE_VOID", "REFUND", "PREAUTH", "PREAUTH_VOID"),
        *("COMPLETION", "COMPLETION_VOID", "COMPLETION_ADVICE", "OFFLINE_SALE", "EC_SALE"),
        *("QR_SALE", "QR_VOID", "QR_REFUND", "SCRIPT_RESULT", "ADJUST", "TIP_ADJUST"),
        *("REVERSAL", "SETTLE", "BATCH_DETAIL", "BATCH_ADVICE", "BATCH_CHIP", "BATCH_END"),
    }


# ---- small things -------------------------------------------------------------------------------
def test_made_cards_lie_in_the_test_range_and_pass_the_luhn_test() -> None:
    for digits in (16, 19):
        card = make_card(Random(digits), digits=digits)
        assert card.pan.startswith("622500") and len(card.pan) == digits
        assert check_digit(card.pan[:-1]) == card.pan[-1]
        assert len(card.track2) == 37 and card.track2.startswith(card.pan + "D")


def test_no_repr_shows_a_card_number_or_a_key() -> None:
    card = make_card(Random(1))
    shown = repr(card) + repr(SALE) + repr(Identity(TID, MID, TMK))
    assert card.pan not in shown and CARD.pan not in shown and TMK.hex() not in shown
    assert str(card).startswith("622500******")


def test_a_voucher_is_found_among_the_tags_of_field_59() -> None:
    assert voucher_of("A3003abcA4004wxyz") == "wxyz"
    assert voucher_of("A3003abc") == ""
