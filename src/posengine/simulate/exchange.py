"""One exchange on the line: what is sent, what came back, and whether the answer is to be believed.

The checks of an answer are the dialect sheet's, in its order: message type, field 39 present,
fields 3, 4, 11, 41, 42 as in the request, then the MAC; only then is the value of 39 looked at.
After those come checks that a real terminal does not make and a careful host passes: an approval
holds every field that the matrix promises.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from posengine.simulate.dialect import Answer, Fields

APPROVALS = frozenset({"00", "11", "A2", "A4", "A5", "A6"})
ECHOED_FIELDS = (3, 4, 11, 41, 42)
# what an approval must carry, by MTI of the answer (field matrix of the dialect)
APPROVAL_FIELDS = {
    "0210": (3, 11, 12, 13, 15, 25, 32, 37, 39, 41, 42, 49, 60, 63, 64),
    "0110": (3, 11, 12, 13, 15, 25, 32, 37, 39, 41, 42, 49, 60, 63, 64),
    "0230": (3, 11, 12, 13, 15, 25, 32, 37, 39, 41, 42, 49, 60, 64),
    "0410": (3, 4, 11, 12, 13, 15, 25, 32, 37, 39, 41, 42, 49, 60, 64),
    "0630": (11, 12, 13, 37, 39, 41, 42, 60, 64),
}


@dataclass(frozen=True, slots=True)
class Shot:
    """One message for the line, and how its answer is known."""

    trade: str
    frame: bytes
    answer_mti: str
    stan: str  # "" where the message has none
    has_mac: bool
    is_repeatable: bool  # sent twice, it must get the same bytes again


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole frame from the host, parsed."""

    frame: bytes
    requirement: int
    body: bytes
    message: Answer

    @property
    def code(self) -> str:
        """Field 39, "" where it is absent."""
        return text(self.message[39]) if 39 in self.message else ""

    def is_for(self, shot: Shot) -> bool:
        """The answer that this shot waits for, by type and STAN."""
        message = self.message
        if str(message.mti) != shot.answer_mti:
            return False
        return not shot.stan or (11 in message and text(message[11]) == shot.stan)


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why an answer is not believed: a word to count by, a sentence for a person."""

    what: str
    text: str


Result = TypeVar("Result")
Talk = Generator[Shot, Reply | None, Result]
"""A job of a terminal: gives shots, is handed replies (None: silence), ends with a result."""


def flaw_of(
    request: Fields, shot: Shot, reply: Reply, *, is_signed: Callable[[bytes], bool]
) -> Flaw | None:
    """The first reason not to believe ``reply``; None where it is clean.

    A refusal without a MAC is flawed too (``unsigned``): nothing proves who spoke.
    """
    message, code = reply.message, reply.code
    if str(message.mti) != shot.answer_mti:
        return Flaw("mti", f"{shot.answer_mti} expected, {message.mti} came")
    if not code and shot.trade != "settle":
        return Flaw("39", "the answer has no field 39")
    for number in ECHOED_FIELDS:
        if number in request:
            theirs = text(message[number]) if number in message else "nothing"
            if theirs != request[number]:
                return Flaw("echo", f"field {number} was {request[number]!r}, came as {theirs!r}")
    if shot.has_mac and 64 not in message:
        return Flaw("unsigned", f"an answer {code} without a MAC")
    if shot.has_mac and not is_signed(reply.body):
        return Flaw("mac", "the answer's MAC is wrong")
    if code in APPROVALS:
        wanted = APPROVAL_FIELDS.get(shot.answer_mti, ())
        missing = " ".join(str(number) for number in wanted if number not in message)
        if missing:
            return Flaw("fields", f"an approval without fields {missing}")
    return None


def text(value: str | bytes) -> str:
    """A field's value as characters."""
    return value if isinstance(value, str) else value.decode("latin-1")


def data(value: str | bytes) -> bytes:
    """A field's value as bytes."""
    return value if isinstance(value, bytes) else value.encode("latin-1")


def voucher_of(extended: str) -> str:
    """Tag A4 of field 59: ASCII tag of 2, length of 3, value. "" where there is none."""
    offset = 0
    while offset + 5 <= len(extended):
        tag, size = extended[offset : offset + 2], int(extended[offset + 2 : offset + 5])
        if tag == "A4":
            return extended[offset + 5 : offset + 5 + size]
        offset += 5 + size
    return ""
