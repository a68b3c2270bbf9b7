"""Keys at rest: the deployment's master key, and the file of the terminals' master keys.

    master key ──kdf──▶ sealing key ──▶ key file: one sealed TMK a terminal
    (a file of 64 hex characters, mode 0600)      └──▶ the roster image carries it as it is

    from posengine import keys
    siv = keys.sealing_key(keys.load_master_key("master.key"))
    file = keys.KeyFile.load("keys.jsonl")
    file.add(keys.seal_tmk("10000159", "880210010210160", tmk, siv))
    file.save()

No key leaves here but as a slot (``posengine.mac.Key``) or sealed; nothing shows more than a check
value.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from posengine.keys.keyfile import KeyFile, KeyFileError, KeyRecord, associated, seal_tmk
from posengine.keys.master import (
    MASTER_KEY_VARIABLE,
    load_master_key,
    make_master_key,
    sealing_key,
)

if TYPE_CHECKING:
    from posengine.keys.source import ClearKey, combined, key_bytes, read_csv

__all__ = [
    "MASTER_KEY_VARIABLE",
    "ClearKey",
    "KeyFile",
    "KeyFileError",
    "KeyRecord",
    "associated",
    "combined",
    "key_bytes",
    "load_master_key",
    "make_master_key",
    "read_csv",
    "seal_tmk",
    "sealing_key",
]

_SOURCE = {"ClearKey", "combined", "key_bytes", "read_csv"}


def __getattr__(name: str) -> Any:
    # What imports keys from files is for the verb that does: a start of the engine needs none.
    if name not in _SOURCE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("posengine.keys.source"), name)
