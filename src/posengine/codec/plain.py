"""Values between Python and the core's plain dress: text in its encoding, numbers as digits.

    n z xn a an   str ◀──▶ ASCII
    ans           str ◀──▶ GB18030; bytes that are none survive as surrogates
    b             bytes
"""

from __future__ import annotations

from posengine._native.codec import FieldFacts
from posengine.errors import FieldValue

MASK = "***"


def plain_to_python(content: str, data: bytes) -> str | bytes:
    """A plain value as the type that its content has in Python: bytes for b, else str."""
    if content == "b":
        return data
    if content != "ans":
        return data.decode("ascii", "surrogateescape")
    text = data.decode("gb18030", "surrogateescape")
    # A few byte sequences have two readings; what cannot come back as it was stays raw.
    if text.encode("gb18030", "surrogateescape") == data:
        return text
    return data.decode("ascii", "surrogateescape")


def python_to_plain(facts: FieldFacts, value: str | bytes | int) -> bytes:
    """What the core's builder takes for ``value``.

    Raises:
        FieldValue: a type that the field does not take, or a character that no dress has.
    """
    where = f"field {facts.number} [{facts.rule}]"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if facts.content != "n" or facts.size_min != facts.size_max or value < 0:
            raise FieldValue(f"{where}: an int is taken by fixed digits alone")
        return str(value).zfill(facts.size_max).encode()
    if not isinstance(value, str):
        raise FieldValue(f"{where}: str, bytes or int is wanted, not {type(value).__name__}")
    if facts.content == "b":
        raise FieldValue(f"{where}: bytes are wanted, not str")
    try:
        return value.encode("gb18030" if facts.content == "ans" else "ascii", "surrogateescape")
    except UnicodeEncodeError:
        # The value itself is not named: it may be a secret.
        raise FieldValue(f"{where}: a character that the field cannot hold") from None


def masked(secrecy: str, value: str | bytes) -> str:
    """A value for people: first six and last four of a PAN, nothing of a secret, hex of bytes."""
    if secrecy == "secret":
        return MASK
    text = value.hex().upper() if isinstance(value, bytes) else value
    if secrecy == "pan":
        digits = text.rstrip("F") if isinstance(value, bytes) else text
        hidden = len(digits) - 10
        return f"{digits[:6]}{'*' * hidden}{digits[-4:]}" if hidden > 0 else MASK
    return text.encode("utf-8", "replace").decode()
