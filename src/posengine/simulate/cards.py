"""Cards and QR codes that exist in tests only.

Every account number is either one of the three printed below or made in the test range 622500,
with a right check digit. Tracks are always 37 digits long, so that encrypting one (the eight bytes
that end one byte before the last) leaves the whole account number readable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

TEST_RANGE = "622500"
TEST_CARDS = ("6225000000000014", "6222021234567890128", "4111111111111111")
TRACK_DIGITS = 37


@dataclass(frozen=True, slots=True)
class Card:
    """A plastic card. Its secrets stay out of ``repr``."""

    pan: str = field(repr=False)
    expiry: str = field(repr=False)  # YYMM
    sequence: str = "001"
    pin: str = field(default="123456", repr=False)

    @property
    def track2(self) -> str:
        """37 digits, ``D`` for the separator; service code 220: chip, PIN preferred."""
        head = f"{self.pan}D{self.expiry}220"
        return head + "1234567890123456789"[: TRACK_DIGITS - len(head)]

    @property
    def is_foreign(self) -> bool:
        """Not of the domestic scheme: counted in the second half of the settle totals."""
        return not self.pan.startswith("62")

    def __str__(self) -> str:
        return f"{self.pan[:6]}{'*' * (len(self.pan) - 10)}{self.pan[-4:]}"


def check_digit(digits: str) -> str:
    """The digit that makes ``digits`` pass the Luhn test. Source: ISO/IEC 7812-1, annex B."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if index % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def make_card(chance: Random, *, digits: int = 16) -> Card:
    """A card of the test range, valid to the end of 2049, with a PIN of six digits."""
    middle = "".join(chance.choices("0123456789", k=digits - len(TEST_RANGE) - 1))
    head = TEST_RANGE + middle
    pin = "".join(chance.choices("0123456789", k=6))
    return Card(pan=head + check_digit(head), expiry="4912", pin=pin)


def make_qr(chance: Random) -> str:
    """A consumer's payment code: 19 digits that begin with 62."""
    return "62" + "".join(chance.choices("0123456789", k=17))
