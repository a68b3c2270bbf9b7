"""What may leave the house: an allow-list of fields, enforced where entries become text.

    entry ──Serializer(fields)──▶ {name: value}      nothing but the listed names, in their order

A field is public because it is in ``FIELDS``; there is no other way out. Card data has one form
here, ``pan_masked``: a subscription that asks for any other is refused when it is loaded, with the
reason. Texts come from the wire, so a receiver must not trust them; see ``csv_cell``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from posengine.replay import Entry, ReplayPage
from posengine.vocabulary import Flag, kind_of, outcome_of

Value = str | int | bool


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a customer may be told."""

    read: Callable[[Entry, ReplayPage], Value]
    words: str
    """What it is, with its unit; docs/reference/webhooks.md prints it."""


def date_text(business_date: int) -> str:
    """``20261121`` as ``2026-11-21``."""
    digits = f"{business_date:08d}"
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


def time_text(at_ns: int) -> str:
    """UTC nanoseconds as RFC 3339 with nine decimals; empty for 0, which stands for absent."""
    if at_ns == 0:
        return ""
    seconds, nanoseconds = divmod(at_ns, 1_000_000_000)
    days, second = divmod(seconds, 86_400)
    year, month, day = _civil(days)
    return (
        f"{year:04d}-{month:02d}-{day:02d}T{second // 3600:02d}:{second // 60 % 60:02d}"
        f":{second % 60:02d}.{nanoseconds:09d}Z"
    )


def _civil(days: int) -> tuple[int, int, int]:
    """Days since 1970-01-01 as a date. Source: H. Hinnant, days_from_civil, inverted."""
    days += 719_468
    era, day_of_era = divmod(days, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    return year_of_era + era * 400 + (month <= 2), month, day


def masked_pan(entry: Entry) -> str:
    """First six, asterisks, last four; empty where no account number was known."""
    if not entry.flags & int(Flag.PAN):
        return ""
    return f"{entry.bin:06d}******{entry.last4:04d}"


def _flag(flag: Flag) -> Callable[[Entry, ReplayPage], Value]:
    bit = int(flag)
    return lambda entry, page: bool(entry.flags & bit)


FIELDS: dict[str, Field] = {
    "journal_id": Field(lambda e, p: p.journal_id, "journal that counts the sequence, 32 hex"),
    "sequence": Field(lambda e, p: e.sequence, "place in the journal, from 1, without gaps"),
    "business_date": Field(lambda e, p: date_text(p.business_date), "date it is settled under"),
    "received_at": Field(lambda e, p: time_text(e.received_at_ns), "UTC, when it arrived"),
    "terminal_at": Field(lambda e, p: time_text(e.terminal_at_ns), "UTC, the terminal's clock"),
    "kind": Field(lambda e, p: kind_of(e.kind).name, "SALE, REFUND, REVERSAL ..."),
    "kind_chinese": Field(lambda e, p: kind_of(e.kind).chinese, "the kind in Chinese"),
    "outcome": Field(lambda e, p: outcome_of(e.outcome).name, "APPROVED, DECLINED, REPEAT ..."),
    "response": Field(lambda e, p: e.response, "response code, field 39 of the answer"),
    "reason": Field(lambda e, p: e.reason, "field 39 of a reversal request"),
    "mti": Field(lambda e, p: f"{e.mti:04x}", "message type of the request"),
    "processing": Field(lambda e, p: f"{e.processing:06d}", "processing code, field 3"),
    "amount_minor": Field(lambda e, p: e.amount_minor, "amount in minor units of the currency"),
    "currency": Field(lambda e, p: f"{e.currency:03d}", "ISO 4217 number"),
    "tid": Field(lambda e, p: e.tid, "terminal"),
    "mid": Field(lambda e, p: e.mid, "merchant"),
    "operator": Field(lambda e, p: e.operator_id, "operator at the terminal, 63.1"),
    "stan": Field(lambda e, p: f"{e.stan:06d}", "voucher number, field 11"),
    "batch": Field(lambda e, p: f"{e.batch:06d}", "terminal's batch, 60.2"),
    "rrn": Field(lambda e, p: e.rrn, "retrieval reference, field 37"),
    "auth": Field(lambda e, p: e.auth, "authorisation code, field 38"),
    "entry_mode": Field(lambda e, p: f"{e.entry_mode:03d}", "field 22"),
    "condition": Field(lambda e, p: f"{e.condition:02d}", "condition code, field 25"),
    "original": Field(lambda e, p: e.original, "sequence of the entry it refers to, 0 for none"),
    "original_rrn": Field(lambda e, p: e.original_rrn, "field 37 of the request"),
    "pan_masked": Field(lambda e, p: masked_pan(e), "card: first six, asterisks, last four"),
    "is_chip": Field(_flag(Flag.CHIP), "chip data was present"),
    "is_qr": Field(_flag(Flag.QR), "a consumer's QR code stood for the card"),
    "is_pin": Field(_flag(Flag.PIN), "a PIN was entered"),
    "is_fallback": Field(_flag(Flag.FALLBACK), "the chip could not be read before"),
    "is_standin": Field(_flag(Flag.STANDIN), "approved here, within the floor limit"),
    "is_late": Field(_flag(Flag.LATE), "came after its own reversal"),
    "is_partial": Field(_flag(Flag.PARTIAL), "approved for less than was asked"),
    "is_foreign": Field(_flag(Flag.FOREIGN), "foreign card"),
    "is_undone": Field(_flag(Flag.FINAL), "reversal: found and undid its original"),
}

_CARD = "card data leaves in one form only: pan_masked"
_NEVER = "is never kept, so it can never be sent"
FORBIDDEN: dict[str, str] = {
    **dict.fromkeys(("pan", "card", "card_number", "account", "account_number", "bin", "last4"),
                    _CARD),
    "pan_token": "a token is the same for every customer, who could match their card holders",
    "fingerprint": "a keyed digest of the whole request, for this engine alone",
    **dict.fromkeys(("request", "answer"), "raw messages do not leave; list their fields"),
    **dict.fromkeys(
        ("track", "track1", "track2", "track3", "pin", "pin_block", "cvv", "cvv2", "cvc", "cvn",
         "cvn2", "expiry", "expiry_date", "chip_data", "emv"),
        _NEVER,
    ),
}


def field_fault(name: str) -> str | None:
    """Why ``name`` cannot be listed; None where it can."""
    if name in FIELDS:
        return None
    if name in FORBIDDEN:
        return f"{name!r} cannot be sent: {FORBIDDEN[name]}"
    return f"no field {name!r}; there are {', '.join(FIELDS)}"


class Serializer:
    """Entries as plain values, of the listed fields and no other.

    Raises:
        ValueError: a name that is unknown or forbidden, or none or one twice.
    """

    __slots__ = ("_reads", "names")

    def __init__(self, names: Sequence[str]) -> None:
        faults = [fault for name in names if (fault := field_fault(name)) is not None]
        if faults:
            raise ValueError("; ".join(faults))
        if not names or len(set(names)) != len(names):
            raise ValueError("list at least one field, and each once")
        self.names = tuple(names)
        self._reads = tuple((name, FIELDS[name].read) for name in names)

    def values(self, entry: Entry, page: ReplayPage) -> dict[str, Value]:
        """The listed fields, in the order of the list."""
        return {name: read(entry, page) for name, read in self._reads}
