"""The master key: one 32-byte key a deployment, from which all others are derived.

    64 hex characters and a line end, in a file that its owner alone may read

Source: docs/decisions/0003_keys.md; the labels are those of ``posengine/mac.h``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from posengine._native import mac as native
from posengine.keys.keyfile import KeyFileError

MASTER_KEY_VARIABLE = "POSENGINE_MASTER_KEY_FILE"
MASTER_KEY_SIZE = 32
SIV_LABEL = "posengine siv"
SIV_KEY_SIZE = 64


def make_master_key(path: Path, *, random: Callable[[int], bytes]) -> None:
    """A new master key in a new file of mode 0600, durable when this returns.

    Args:
        random: gives that many bytes of a cryptographic source: ``secrets.token_bytes``.

    Raises:
        KeyFileError: the file exists (a master key is never overwritten: whatever was sealed under
            it would be lost), or cannot be made.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise KeyFileError(f"{path}: exists; a master key is never overwritten") from None
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be made: {error.strerror}") from None
    try:
        os.fchmod(file, 0o600)  # whatever the umask adds or takes
        os.write(file, random(MASTER_KEY_SIZE).hex().encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load_master_key(path: Path) -> bytes:
    """The 32 bytes of a master key file.

    Raises:
        KeyFileError: absent, of another form, or open to other users.
    """
    try:
        with open(path, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(200).strip()
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise KeyFileError(
            f"{path}: mode {mode:04o} lets other users at the master key; chmod 600 {path}"
        )
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != MASTER_KEY_SIZE or len(text) != 2 * MASTER_KEY_SIZE:
        # What the file holds may be most of a key: it is not shown.
        raise KeyFileError(f"{path}: a master key is 64 hex characters and nothing else")
    return key


def sealing_key(master: bytes) -> bytes:
    """The 64-byte key under which keys are sealed, derived from the master key."""
    return native.kdf(master, SIV_LABEL, SIV_KEY_SIZE)
