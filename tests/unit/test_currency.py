"""Goal: an amount is shown with its currency's own decimals, and never with a guessed point.

Method: currencies of each number of decimals, around zero; what is shown reads back.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from posengine.vocabulary import CURRENCIES, digits_text, money_text


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        (0, 156, "0.00 CNY"), (5, 156, "0.05 CNY"), (12345, 156, "123.45 CNY"),
        (-5, 156, "-0.05 CNY"), (-12345, 840, "-123.45 USD"), (500, 392, "500 JPY"),
        (-1, 410, "-1 KRW"), (1234, 414, "1.234 KWD"), (7, 48, "0.007 BHD"),
        (999, 999, "999 minor units of 999"), (1, 8, "1 minor units of 008"),
    ],
)
def test_an_amount_has_its_currencys_decimals(amount_minor: int, currency: int, text: str) -> None:
    assert money_text(amount_minor, currency) == text


@pytest.mark.parametrize("currency", CURRENCIES)
def test_what_is_shown_is_exact(currency: int) -> None:
    code, decimals = CURRENCIES[currency]
    assert len(code) == 3 and code.isupper() and 0 < currency < 1000
    for amount_minor in (0, 1, 9, 10, 99, 100, 999, 1000, 123_456_789_012):
        for signed in (amount_minor, -amount_minor):
            assert Decimal(digits_text(signed, currency)).scaleb(decimals) == signed
