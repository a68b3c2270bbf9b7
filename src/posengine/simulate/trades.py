"""The messages of each transaction, built as ``{field: value}`` per the dialect's field matrix.

    Trade   what a transaction is called on the line: MTI, fields 3, 25, 60.1, 60.3
    Want    what a cashier asks for: a trade, an amount, a card or a code, an original
    Desk    where it happens: terminal, merchant, batch, operator, working keys

Field 11 and field 64 are the terminal's: it numbers, and it signs. Source: the UnionPay terminal
dialect, transaction codes and field matrix (docs/reference/messages.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from posengine.simulate.cards import Card
from posengine.simulate.dialect import Dialect, Fields, Keys
from posengine.simulate.ledger import Deal

CURRENCY = "156"
ORIGINAL_61_DIGITS = {"sale_void": 12, "qr_void": 12}  # all others: with the date, 16
REVERSAL_FIELDS = (2, 3, 4, 11, 14, 22, 23, 25, 38, 41, 42, 49, 59, 60, 61)


@dataclass(frozen=True, slots=True)
class Trade:
    """One row of the dialect's transaction table.

    ``sign`` is what an approved one does to the totals. ``is_resent``: never reversed, but sent
    again until it is answered (refunds, advices, uploads).
    """

    name: str
    mti: str
    processing: str
    condition: str
    type: str
    sign: int = 0
    is_reversible: bool = False
    is_resent: bool = False
    needs: str = ""  # the trade of its original

    @property
    def answer_mti(self) -> str:
        return self.mti[:2] + str(int(self.mti[2]) + 1) + self.mti[3]


def _table(*trades: Trade) -> dict[str, Trade]:
    return {trade.name: trade for trade in trades}


TRADES = _table(
    Trade("balance", "0200", "310000", "00", "01"),
    Trade("sale", "0200", "000000", "00", "22", 1, is_reversible=True),
    Trade("sale_void", "0200", "200000", "00", "23", -1, is_reversible=True, needs="sale"),
    Trade("refund", "0220", "200000", "00", "25", -1, is_resent=True, needs="sale"),
    Trade("preauth", "0100", "030000", "06", "10", 0, is_reversible=True),
    Trade("preauth_void", "0100", "200000", "06", "11", 0, is_reversible=True, needs="preauth"),
    Trade("completion", "0200", "000000", "06", "20", 1, is_reversible=True, needs="preauth"),
    Trade(
        "completion_void", "0200", "200000", "06", "21", -1, is_reversible=True, needs="completion"
    ),
    Trade("completion_advice", "0220", "000000", "06", "24", 1, is_resent=True, needs="preauth"),
    Trade("offline_sale", "0220", "000000", "00", "30", 1, is_resent=True),
    Trade("adjust", "0220", "000000", "00", "32", 1, is_resent=True, needs="offline_sale"),
    Trade("tip_adjust", "0220", "000000", "00", "34", 1, is_resent=True, needs="sale"),
    Trade("ec_sale", "0200", "000000", "00", "36", 1, is_resent=True),
    Trade("qr_sale", "0200", "000000", "00", "22", 1, is_reversible=True),
    Trade("qr_void", "0200", "200000", "00", "23", -1, is_reversible=True, needs="qr_sale"),
    Trade("qr_refund", "0220", "200000", "00", "25", -1, is_resent=True, needs="qr_sale"),
    Trade("script_result", "0620", "000000", "00", "00", 0, is_resent=True, needs="sale"),
)

# entry -> field 22, digits 1 and 2; 60.4 and 60.5 follow from it
ENTRY_MODES = {"manual": "01", "swipe": "02", "qr": "03", "chip": "05", "contactless": "07"}


@dataclass(frozen=True, slots=True)
class Want:
    """What a cashier asks of the terminal. Amounts are minor units."""

    trade: str
    amount: int = 0
    entry: str = "swipe"
    card: Card | None = None
    qr: str = ""
    with_pin: bool = False
    original: Deal | None = None
    tip: int = 0
    is_mistake: bool = False  # the host must refuse it; an approval is a disagreement


@dataclass(slots=True)
class Desk:
    """Where the messages come from."""

    tid: str
    mid: str
    batch: str = "000001"
    operator: str = "001"
    keys: Keys | None = None


def financial(desk: Desk, want: Want, stan: str, *, dialect: Dialect, chance: Random) -> Fields:
    """The fields of a transaction, all but its MAC."""
    trade = TRADES[want.trade]
    network = "951" if trade.name == "script_result" else "000"
    fields: Fields = {
        3: trade.processing,
        11: stan,
        22: ENTRY_MODES[want.entry] + ("1" if want.with_pin else "2"),
        25: trade.condition,
        41: desk.tid,
        42: desk.mid,
        49: CURRENCY,
        60: trade.type + desk.batch + network + _reader(want.entry),
    }
    if trade.name != "balance":
        fields[4] = f"{want.amount:012d}"
    if want.original is not None:
        _refer(fields, trade, want.original)
    if want.entry == "qr":
        _show_code(fields, trade, want)
    elif want.card is not None:
        _show_card(fields, want, desk, dialect, chance)
    _add_extras(fields, trade, want)
    return fields


def reversal(request: Fields, reason: str) -> Fields:
    """0400 for a request that had no good answer; ``reason`` is field 39: 98, A0 or 06."""
    fields = {number: request[number] for number in REVERSAL_FIELDS if number in request}
    if 35 in request:
        fields.pop(2, None)  # a swiped card's number is not sent again
    fields[39] = reason
    return fields


def management(
    desk: Desk, network: str, *, stan: str = "", operator: str = "", text: str = ""
) -> Fields:
    """Sign-on, sign-off, echo, status and downloads: 41, 42, 60, where wanted 11, 62 and 63."""
    fields: Fields = {41: desk.tid, 42: desk.mid, 60: "00" + desk.batch + network}
    for number, value in ((11, stan), (62, text.encode()), (63, operator)):
        if value:
            fields[number] = value
    return fields


def settle(desk: Desk, totals: str, stan: str) -> Fields:
    """0500: the totals of the batch, n62."""
    fields = management(desk, "201", stan=stan, operator=desk.operator)
    return {**fields, 48: totals, 49: CURRENCY}


def upload(desk: Desk, network: str, detail: str, stan: str) -> Fields:
    """0320: records of the batch (201, 205), or its end with the count (202, 207)."""
    return {**management(desk, network, stan=stan), 48: detail}


def detail_record(deal: Deal) -> str:
    """40 digits: card class n2, STAN n6, account n20 right aligned, amount n12."""
    account = deal.qr if deal.card is None else deal.card.pan
    return f"{'01' if deal.is_foreign else '00'}{deal.stan}{account:0>20}{deal.amount:012d}"


def chip_certificate(desk: Desk, deal: Deal, network: str, chip: bytes) -> Fields:
    """0320 with a chip transaction's certificate (203 balanced, 205 unbalanced), under its STAN."""
    assert deal.card is not None
    foreign = "01" if deal.is_foreign else "00"
    return {
        2: deal.card.pan,
        4: f"{deal.amount:012d}",
        11: deal.stan,
        22: ENTRY_MODES[deal.entry] + "2",
        23: deal.card.sequence,
        41: desk.tid,
        42: desk.mid,
        55: chip,
        60: "00" + desk.batch + network + _reader(deal.entry),
        62: f"61{foreign}00{deal.amount:012d}{CURRENCY}".encode(),
    }


def chip_data(amount: int, chance: Random) -> bytes:
    """Field 55 of a request: BER-TLV in the order that terminals send; the cryptogram is random."""
    cryptogram, unpredictable = chance.randbytes(8), chance.randbytes(4)
    counter = chance.randrange(1, 65536).to_bytes(2, "big")
    tags = (
        ("9F26", cryptogram),
        ("9F27", b"\x80"),
        ("9F10", bytes.fromhex("07010103A0A802010A01000000000000000000")),
        ("9F37", unpredictable),
        ("9F36", counter),
        ("95", bytes.fromhex("0000000000")),
        ("9A", bytes.fromhex("261121")),
        ("9C", b"\x00"),
        ("9F02", bytes.fromhex(f"{amount:012d}")),
        ("5F2A", bytes.fromhex("0156")),
        ("82", bytes.fromhex("7C00")),
        ("9F1A", bytes.fromhex("0156")),
        ("9F03", bytes(6)),
        ("9F33", bytes.fromhex("E0E1C8")),
        ("9F34", bytes.fromhex("1E0300")),
        ("9F35", b"\x22"),
        ("9F1E", b"12345678"),
        ("84", bytes.fromhex("A000000333010101")),
        ("9F09", bytes.fromhex("0020")),
        ("9F41", counter + b"\x00\x01"),
    )
    return b"".join(bytes.fromhex(tag) + bytes([len(value)]) + value for tag, value in tags)


def _reader(entry: str) -> str:
    """60.4 and 60.5, and 60.6 (no partial approval) where a chip was read."""
    return "600" if entry in ("chip", "contactless") else "50"


def _refer(fields: Fields, trade: Trade, original: Deal) -> None:
    if original.rrn:
        fields[37] = original.rrn
    if original.auth.strip() and trade.name != "refund":
        fields[38] = original.auth
    fields[61] = original.reference[: ORIGINAL_61_DIGITS.get(trade.name, 16)]


def _show_code(fields: Fields, trade: Trade, want: Want) -> None:
    if trade.name == "qr_sale":
        fields[59] = f"A3{len(want.qr):03d}{want.qr}".encode()
    elif want.original is not None and want.original.voucher:
        voucher = want.original.voucher
        fields[59] = f"A4{len(voucher):03d}{voucher}".encode()


def _show_card(fields: Fields, want: Want, desk: Desk, dialect: Dialect, chance: Random) -> None:
    card, keys = want.card, desk.keys
    assert card is not None and keys is not None
    is_concealed = False
    if want.entry in ("swipe", "chip", "contactless") and want.trade != "script_result":
        is_concealed = bool(keys.tdk)
        track = card.track2
        fields[35] = dialect.conceal_track(keys.tdk, track) if is_concealed else track
    if want.entry != "swipe":
        fields[2] = card.pan
        fields[14] = card.expiry
    if want.entry in ("chip", "contactless"):
        fields[23] = card.sequence
        fields[55] = chip_data(want.amount, chance)
    if want.with_pin:
        fields[26] = "12"
        fields[52] = dialect.pin_block(keys.pik, card.pin, card.pan)
    if want.with_pin or is_concealed:
        algorithm = "6" if len(keys.pik) == 16 else "0"
        fields[53] = f"{'2' if want.with_pin else '0'}{algorithm}{int(is_concealed)}{'0' * 13}"


def _add_extras(fields: Fields, trade: Trade, want: Want) -> None:
    if trade.name in ("refund", "qr_refund", "adjust"):
        fields[63] = "000"  # card organisation: unknown
    if trade.name == "tip_adjust":
        fields[48] = f"{want.tip:012d}"
    if trade.name == "offline_sale":
        fields[38] = "123456"  # given by telephone
        fields[61] = "0" * 16 + "01"
    if trade.name == "script_result":
        fields[32] = "00000000"
