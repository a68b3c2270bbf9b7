"""Currencies for people: code and decimals by ISO 4217 number.

Amounts are whole minor units everywhere; this is for reasons in words and tables alone. A number
that is not in the list is shown as minor units, never with a guessed point.

Source: ISO 4217, list one.
"""

from __future__ import annotations

_CODES_2 = (
    "036 AUD 124 CAD 156 CNY 203 CZK 208 DKK 344 HKD 348 HUF 356 INR 360 IDR 376 ILS 398"
    " KZT 404 KES 446 MOP 458 MYR 484 MXN 496 MNT 524 NPR 554 NZD 566 NGN 578 NOK 586 PKR"
    " 604 PEN 608 PHP 643 RUB 682 SAR 702 SGD 710 ZAR 752 SEK 756 CHF 764 THB 784 AED 818"
    " EGP 826 GBP 840 USD 860 UZS 901 TWD 949 TRY 975 BGN 978 EUR 980 UAH 985 PLN 986 BRL"
)
_CODES_0 = "152 CLP 352 ISK 392 JPY 410 KRW 600 PYG 704 VND 950 XAF 952 XOF"
_CODES_3 = "048 BHD 368 IQD 400 JOD 414 KWD 434 LYD 512 OMR 788 TND"


def _listed(text: str, decimals: int) -> dict[int, tuple[str, int]]:
    words = text.split()
    pairs = zip(words[::2], words[1::2], strict=True)
    return {int(number): (code, decimals) for number, code in pairs}


CURRENCIES = {**_listed(_CODES_2, 2), **_listed(_CODES_0, 0), **_listed(_CODES_3, 3)}
"""ISO 4217 number to code and decimals."""


def digits_text(amount_minor: int, currency: int) -> str:
    """The amount with its point: ``12.34``; minor units as they are for an unlisted currency."""
    decimals = CURRENCIES.get(currency, ("", 0))[1]
    sign = "-" if amount_minor < 0 else ""
    if decimals == 0:
        return f"{amount_minor}"
    digits = str(abs(amount_minor)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def money_text(amount_minor: int, currency: int) -> str:
    """The amount and what it is in: ``12.34 CNY``."""
    if currency not in CURRENCIES:
        return f"{amount_minor} minor units of {currency:03d}"
    return f"{digits_text(amount_minor, currency)} {CURRENCIES[currency][0]}"
