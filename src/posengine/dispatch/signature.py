"""Signatures of webhooks, as Standard Webhooks 1.0 has them.

    webhook-id: 0a0a...0a-17
    webhook-timestamp: 1795233600
    webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=

A signature is the base64 of HMAC-SHA256 over ``id.timestamp.body`` under the secret's bytes. While
a secret is being replaced both are live and the header holds two signatures: a receiver takes the
message if either is right, so it may change its secret on its own day.

Source: Standard Webhooks specification 1.0.0, "Signature scheme".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from posengine.errors import PosError, Whose

PREFIX = "whsec_"
SECRET_SIZE_MIN = 24  # bytes, by the specification
SECRET_SIZE_MAX = 64
SECRETS_LIVE_MAX = 2  # the new one and the one that it replaces


class SecretFault(PosError):
    """A webhook's secret file that cannot be used. Its text never holds a secret."""

    whose: ClassVar[Whose] = "operator"


class Secret:
    """One key of a webhook; its ``repr`` says nothing of it."""

    __slots__ = ("_key",)

    def __init__(self, text: str) -> None:
        """From ``whsec_`` and base64 of 24 to 64 bytes.

        Raises:
            SecretFault: it is not of that form.
        """
        if not text.startswith(PREFIX):
            raise SecretFault(f"a webhook secret begins with {PREFIX}")
        try:
            key = base64.b64decode(text[len(PREFIX):], validate=True)
        except (binascii.Error, ValueError):
            raise SecretFault("a webhook secret is base64 behind its prefix") from None
        if not SECRET_SIZE_MIN <= len(key) <= SECRET_SIZE_MAX:
            raise SecretFault(
                f"a webhook secret is {SECRET_SIZE_MIN} to {SECRET_SIZE_MAX} bytes, not {len(key)}"
            )
        self._key = key

    def __repr__(self) -> str:
        return "Secret(...)"

    def sign(self, event_id: str, timestamp_s: int, body: bytes) -> str:
        """The signature as the header carries it, ``v1,...``."""
        covered = f"{event_id}.{timestamp_s}.".encode() + body
        digest = hmac.new(self._key, covered, hashlib.sha256).digest()
        return "v1," + base64.b64encode(digest).decode()


def read_secrets(path: Path) -> tuple[Secret, ...]:
    """One or two secrets from a file that only its owner reads; a line each, ``#`` for words.

    Raises:
        SecretFault: absent, open to others, empty, more than two, or not of the form.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise SecretFault(f"{path} is open to others: chmod 600 {path}")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretFault(f"{path}: {error}") from None
    texts = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not 1 <= len(texts) <= SECRETS_LIVE_MAX:
        raise SecretFault(f"{path} holds {len(texts)} secrets: one, or two while it is replaced")
    try:
        return tuple(Secret(text) for text in texts)
    except SecretFault as fault:
        raise SecretFault(f"{path}: {fault}") from None


def signature_header(
    secrets: Sequence[Secret], event_id: str, timestamp_s: int, body: bytes
) -> str:
    """The value of ``webhook-signature``: one signature a live secret, newest first."""
    return " ".join(secret.sign(event_id, timestamp_s, body) for secret in secrets)


def verify(
    secret: Secret,
    headers: dict[str, str],
    body: bytes,
    *,
    now_s: float,
    tolerance_s: float = 300.0,
) -> bool:
    """What a receiver does: is the message ours, whole and fresh? Constant time in the digest.

    Args:
        headers: with lower-case names.
        now_s: the receiver's clock, seconds since 1970; at most ``tolerance_s`` from the sender's.
    """
    event_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not event_id or not (timestamp.isascii() and timestamp.isdigit()):
        return False
    if abs(now_s - int(timestamp)) > tolerance_s:
        return False
    wanted = secret.sign(event_id, int(timestamp), body)
    given = headers.get("webhook-signature", "").split(" ")
    return any([hmac.compare_digest(wanted, signature) for signature in given])
