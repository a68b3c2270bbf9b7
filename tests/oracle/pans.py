"""Account numbers out of a journal, by docs/reference/journal_format.md alone.

    python tests/oracle/pans.py JOURNAL MASTER_KEY_HEX

prints ``{sequence: digits}`` as JSON, of every entry that keeps one, and exits with 1 where a block
does not open. All cryptography is the ``cryptography`` package's; nothing of posengine is used.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from oracle.journal import Page, pages


def derive(key: bytes, label: bytes, context: bytes) -> bytes:
    """32 bytes by NIST SP 800-108, counter mode, AES-256-CMAC."""
    derivation = KBKDFCMAC(
        AES, Mode.CounterMode, 32, 4, 4, CounterLocation.BeforeFixed, label, context, None
    )
    return derivation.derive(key)


def date_key(master: bytes, date: int) -> bytes:
    return derive(derive(master, b"posengine pan", b""), b"posengine pan date",
                  date.to_bytes(4, "big"))  # fmt: skip


def encipher(master: bytes, date: int, sequence: int, digits: str) -> bytes:
    block = bytes.fromhex(digits.ljust(20, "F")) + sequence.to_bytes(6, "big")
    return Cipher(AES(date_key(master, date)), ECB()).encryptor().update(block)


def opened(cipher: bytes, master: bytes, date: int, sequence: int) -> str:
    """The digits. ValueError: it is not the block of this entry under this key."""
    block = Cipher(AES(date_key(master, date)), ECB()).decryptor().update(cipher)
    if block[10:] != sequence.to_bytes(6, "big"):
        raise ValueError(f"entry {sequence}: another sequence stands in the block")
    digits = block[:10].hex().rstrip("f")
    if not digits.isdigit() or len(digits) > 19:
        raise ValueError(f"entry {sequence}: no digits")
    return digits


def of_page(page: Page, master: bytes) -> Iterator[tuple[int, str]]:
    """Sequence and digits of the entries that keep an account number."""
    if "pan_cipher" not in page.columns:
        return
    for row in range(page.count):
        cipher = page.columns["pan_cipher"][row].tobytes()
        if cipher != bytes(16):
            sequence = page.first_sequence + row
            yield sequence, opened(cipher, master, page.business_date, sequence)


if __name__ == "__main__":
    kept = {}
    for each in pages(Path(sys.argv[1])):
        try:
            kept.update(of_page(each, bytes.fromhex(sys.argv[2])))
        except ValueError as fault:
            print(fault, file=sys.stderr)
            sys.exit(1)
    print(json.dumps(kept))
