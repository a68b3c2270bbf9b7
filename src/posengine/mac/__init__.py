"""MACs and keys: the trade's algorithms, key slots, key blocks, PIN blocks and enciphered tracks.

    from posengine import mac

    mac.compute("unionpay-ecb", key, covered)          # b"51D8741E", as field 64 carries it
    mac.verify("unionpay-ecb", key, covered, field)    # MacMismatch unless it is right

    compute.py  the seven algorithms     blocks.py  key blocks of a sign-on
    steps.py    what each one does       pin.py     PIN blocks and tracks, for a terminal

A key is ``bytes`` or a ``Key``: a slot whose ``repr`` shows its check value only and which wipes
itself. All ciphers are the core's own and run in constant time.
"""

from __future__ import annotations

from posengine._native.mac import (
    ALGORITHMS,
    Key,
    decrypt,
    encrypt,
    is_weak,
    kcv,
    kdf,
    siv_open,
    siv_seal,
    with_odd_parity,
)
from posengine.mac.blocks import KeyBlockLayout, KeyBlockPart, layout_of, make_block, open_block
from posengine.mac.compute import OUTPUTS, compute, verify
from posengine.mac.pin import decrypt_track, encrypt_track, pin_block, pin_of
from posengine.mac.steps import Step, steps

__all__ = [
    "ALGORITHMS",
    "OUTPUTS",
    "Key",
    "KeyBlockLayout",
    "KeyBlockPart",
    "Step",
    "compute",
    "decrypt",
    "decrypt_track",
    "encrypt",
    "encrypt_track",
    "is_weak",
    "kcv",
    "kdf",
    "layout_of",
    "make_block",
    "open_block",
    "pin_block",
    "pin_of",
    "siv_open",
    "siv_seal",
    "steps",
    "verify",
    "with_odd_parity",
]
