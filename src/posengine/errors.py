"""The exception tree: one class a status of the core, under ``PosError``.

    PosError ─┬─ FrameError ── FrameOversize, ...     the peer sent what it must not
              ├─ ParseError ── FieldShort, ...        (.field .offset .rule ...)
              ├─ MacError ── MacMismatch, ...
              ├─ KeyFault ── KeyCheck, ...
              ├─ ImageError, JournalError, EngineError
              └─ ArgumentFault, MemoryFault, SystemFault

``status`` is the name in ``status.def``; ``whose`` says who must act: peer, operator, disk or us.
A decline is a reply and no exception.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Whose = Literal["peer", "operator", "disk", "us"]


class PosError(Exception):
    """Anything that posengine refuses or fails at. Its text never holds a secret."""

    status: ClassVar[str] = ""
    whose: ClassVar[Whose] = "us"


class ParseError(PosError):
    """A message that is not of its dialect's form.

    Attributes:
        field: number of the field; 0 for the MTI or the bitmap.
        part: number of the part within a nested layout, from 1; 0 for the field itself.
        offset: bytes from the start of the message body.
        rule: what the dialect demands, in words.
        wanted: bytes needed, 0 where it does not apply.
        left: bytes that were there.
    """

    whose = "peer"

    def __init__(
        self,
        text: str,
        *,
        field: int = 0,
        part: int = 0,
        offset: int = 0,
        rule: str = "",
        wanted: int = 0,
        left: int = 0,
    ) -> None:
        super().__init__(text)
        self.field = field
        self.part = part
        self.offset = offset
        self.rule = rule
        self.wanted = wanted
        self.left = left


class FrameError(PosError):
    """A frame that can never become a message; the connection can only be closed."""


class FrameOversize(FrameError):
    """The frame is longer than frame_size_max."""

    status = "FRAME_OVERSIZE"
    whose = "peer"


class FrameUndersize(FrameError):
    """The frame is too short for its TPDU, header and message."""

    status = "FRAME_UNDERSIZE"
    whose = "peer"


class FrameLength(FrameError):
    """The length header is not of its form."""

    status = "FRAME_LENGTH"
    whose = "peer"


class FrameTpdu(FrameError):
    """The TPDU does not begin with the dialect's protocol id."""

    status = "FRAME_TPDU"
    whose = "peer"


class FrameHeader(FrameError):
    """The dialect header is not of its form."""

    status = "FRAME_HEADER"
    whose = "peer"


class FieldShort(ParseError):
    """The field needs more bytes than are left."""

    status = "FIELD_SHORT"
    whose = "peer"


class FieldLength(ParseError):
    """The length prefix is not of its form or past the field's limit."""

    status = "FIELD_LENGTH"
    whose = "peer"


class FieldContent(ParseError):
    """A byte or nibble is not of the field's content."""

    status = "FIELD_CONTENT"
    whose = "peer"


class FieldUnknown(ParseError):
    """The bitmap names a field that the dialect does not define."""

    status = "FIELD_UNKNOWN"
    whose = "peer"


class FieldBitmap(ParseError):
    """The bitmap is not of its form."""

    status = "FIELD_BITMAP"
    whose = "peer"


class FieldMti(ParseError):
    """The message type is not of its form or version."""

    status = "FIELD_MTI"
    whose = "peer"


class FieldTrailing(ParseError):
    """Bytes are left after the last field."""

    status = "FIELD_TRAILING"
    whose = "peer"


class FieldPart(ParseError):
    """A nested part is not of its layout."""

    status = "FIELD_PART"
    whose = "peer"


class FieldMissing(ParseError):
    """A field that the rule demands is absent."""

    status = "FIELD_MISSING"
    whose = "peer"


class FieldForbidden(ParseError):
    """A field is present that the rule does not allow."""

    status = "FIELD_FORBIDDEN"
    whose = "peer"


class FieldRule(ParseError):
    """No rule of the dialect fits this message."""

    status = "FIELD_RULE"
    whose = "peer"


class MacError(PosError):
    """A MAC that is wrong, absent or unknown."""


class MacMismatch(MacError):
    """The MAC does not match."""

    status = "MAC_MISMATCH"
    whose = "peer"


class MacAbsent(MacError):
    """The message must carry a MAC and does not."""

    status = "MAC_ABSENT"
    whose = "peer"


class MacAlgorithm(MacError):
    """No such MAC algorithm."""

    status = "MAC_ALGORITHM"
    whose = "operator"


class KeyFault(PosError):
    """A key that is absent, of the wrong size, or does not open."""


class KeySize(KeyFault):
    """The key's size does not fit the algorithm."""

    status = "KEY_SIZE"
    whose = "operator"


class KeyCheck(KeyFault):
    """The key's check value does not match."""

    status = "KEY_CHECK"
    whose = "operator"


class KeyWeak(KeyFault):
    """The key is one of the weak keys of DES."""

    status = "KEY_WEAK"
    whose = "operator"


class KeyBlock(KeyFault):
    """The key block's size has no layout in the dialect."""

    status = "KEY_BLOCK"
    whose = "operator"


class KeyAbsent(KeyFault):
    """The terminal has no such key."""

    status = "KEY_ABSENT"
    whose = "peer"


class KeySeal(KeyFault):
    """The enciphered keys do not open: wrong master key, or altered."""

    status = "KEY_SEAL"
    whose = "operator"


class ImageError(PosError):
    """A spec, roster or policy image that cannot be loaded."""


class ImageForm(ImageError):
    """The image is damaged or not of this build's format."""

    status = "IMAGE_FORM"
    whose = "operator"


class ImageLimit(ImageError):
    """The image is past a limit of this build."""

    status = "IMAGE_LIMIT"
    whose = "operator"


class JournalError(PosError):
    """The journal cannot be opened, read or written."""


class JournalAbsent(JournalError):
    """There is no journal at this path."""

    status = "JOURNAL_ABSENT"
    whose = "operator"


class JournalBusy(JournalError):
    """The journal is open already in this process or has a writer."""

    status = "JOURNAL_BUSY"
    whose = "operator"


class JournalFormat(JournalError):
    """The journal is not of a format that this build reads."""

    status = "JOURNAL_FORMAT"
    whose = "disk"


class JournalCorrupt(JournalError):
    """A page fails its CRC, its digest or its chain."""

    status = "JOURNAL_CORRUPT"
    whose = "disk"


class JournalFull(JournalError):
    """No space is left in the journal."""

    status = "JOURNAL_FULL"
    whose = "disk"


class JournalInDoubt(JournalError):
    """A commit failed: its outcome is unknown, the journal is closed."""

    status = "JOURNAL_IN_DOUBT"
    whose = "disk"


class JournalReadonly(JournalError):
    """The journal was opened to read."""

    status = "JOURNAL_READONLY"
    whose = "operator"


class JournalEnd(JournalError):
    """There is no entry after this one."""

    status = "JOURNAL_END"
    whose = "us"


class EntryAbsent(JournalError):
    """No such entry."""

    status = "ENTRY_ABSENT"
    whose = "operator"


class EntryOversize(JournalError):
    """The entry is larger than entry_size_max."""

    status = "ENTRY_OVERSIZE"
    whose = "us"


class EntryForm(JournalError):
    """The entry's fields contradict each other."""

    status = "ENTRY_FORM"
    whose = "us"


class PanNotKept(JournalError):
    """The journal kept no account numbers when this was written."""

    status = "PAN_NOT_KEPT"
    whose = "operator"


class PanAbsent(JournalError):
    """No account number is kept with this entry."""

    status = "PAN_ABSENT"
    whose = "operator"


class PanSeal(JournalError):
    """The account number does not open: wrong master key, or altered."""

    status = "PAN_SEAL"
    whose = "operator"


class EngineError(PosError):
    """The engine cannot take or do this."""


class StateFull(EngineError):
    """A table of the state is full."""

    status = "STATE_FULL"
    whose = "us"


class StageFull(EngineError):
    """The stage is full: commit first."""

    status = "STAGE_FULL"
    whose = "us"


class EngineStopped(EngineError):
    """The engine is stopped."""

    status = "ENGINE_STOPPED"
    whose = "operator"


class TerminalAbsent(EngineError):
    """No such terminal."""

    status = "TERMINAL_ABSENT"
    whose = "peer"


class Address(EngineError):
    """The address cannot be listened on."""

    status = "ADDRESS"
    whose = "operator"


class NeedMore(PosError):
    """More bytes are needed."""

    status = "NEED_MORE"
    whose = "peer"


class FieldValue(PosError):
    """The value cannot be written in the field's form."""

    status = "FIELD_VALUE"
    whose = "operator"


class ArgumentFault(PosError):
    """An argument is outside of its range."""

    status = "ARGUMENT"
    whose = "operator"


class MemoryFault(PosError):
    """No memory."""

    status = "MEMORY"
    whose = "us"


class SystemFault(PosError):
    """A system call failed."""

    status = "SYSTEM"
    whose = "disk"


def _leaves(root: type[PosError]) -> dict[str, type[PosError]]:
    found = {root.status: root} if root.status else {}
    for child in root.__subclasses__():
        found.update(_leaves(child))
    return found


BY_STATUS: dict[str, type[PosError]] = _leaves(PosError)
"""Every exception by the name of its status."""
