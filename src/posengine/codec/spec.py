"""A dialect, ready to use: frames, messages, rules.

    spec = Spec.load("unionpay-terminal")
    frame, consumed = spec.unframe(received)
    message = spec.parse(frame.body)
    body = spec.build("0210", {**message, 39: "00"})
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from posengine._native.codec import Core, FieldFacts, Parsed
from posengine.codec.columns import Columns, parse_columns
from posengine.codec.compile import ALGORITHMS, compile_dialect
from posengine.codec.message import Message, Mti
from posengine.codec.plain import python_to_plain
from posengine.codec.source import dialect_path, document_of, with_settings
from posengine.errors import FieldMti, FieldUnknown, FrameTpdu, ParseError


class Frame(NamedTuple):
    """One frame: ``tpdu`` and ``header`` are None where the dialect has none."""

    tpdu: bytes | None
    header: bytes | None
    body: bytes


class Kind(NamedTuple):
    """What a message is: ``kind`` of the journal's vocabulary, and the rule's own name."""

    kind: str
    name: str
    name_zh: str
    is_answer: bool
    answer: Mti | None


class MacCover(NamedTuple):
    """What a MAC is made over, and what the message carries as one (None: nothing)."""

    covered: bytes
    mac: bytes | None
    algorithm: str
    output: Literal["raw", "hex"]


class Spec:
    """A compiled dialect. ``image`` is what the engine loads; ``digest`` names it."""

    __slots__ = ("_core", "_fields", "digest", "document", "image", "name")

    def __init__(self, document: Mapping[str, Any], *, file: str) -> None:
        """Compile a document; ``load`` is the usual way.

        Raises:
            SpecError: the document breaks the schema; it names file, key path and rule.
        """
        self.document = document
        self.image = compile_dialect(document, file=file)
        self._core = Core(self.image)
        self.name = self._core.name()
        self.digest = self._core.digest().hex()
        self._fields = MappingProxyType({each.number: each for each in self._core.fields()})
        places = {role: str(at).partition(".") for role, at in document.get("roles", {}).items()}
        self._core.facts = self._fields
        self._core.roles = {role: (int(field), part) for role, (field, _, part) in places.items()}

    @classmethod
    def load(
        cls, name_or_path: str | Path, settings: Mapping[str, Any] | None = None
    ) -> Spec:
        """A shipped dialect by name, or a file of one's own.

        Args:
            name_or_path: ``"unionpay-terminal"``, ``"iso8583-1987-ascii"``, ... or a TOML file.
            settings: values for the dialect's ``[settings]``, as ``{"tpdu": "6000010000"}``.

        Raises:
            SpecError: no such dialect, a document that breaks the schema, an unknown setting.
        """
        path = dialect_path(name_or_path)
        document = with_settings(document_of(path), settings or {}, file=path.name)
        return cls(document, file=path.name)

    @property
    def fields(self) -> Mapping[int, FieldFacts]:
        """What the dialect says of each field that it defines."""
        return self._fields

    @property
    def title(self) -> str:
        return self._core.title(False)

    @property
    def title_zh(self) -> str:
        return self._core.title(True)

    # ---- frames --------------------------------------------------------------------------------
    def frame(
        self, body: bytes, *, tpdu: bytes | None = None, header: bytes | None = None
    ) -> bytes:
        """A body with its length, TPDU and header before it, as a terminal sends it.

        ``tpdu`` and ``header`` go out as they are; None takes the dialect's own.

        Raises:
            FrameOversize: longer than the dialect's ``size_max``.
        """
        swapped = None if tpdu is None else tpdu[:1] + tpdu[3:5] + tpdu[1:3]
        if tpdu is not None and len(tpdu) != 5:
            raise FrameTpdu(f"a TPDU has 5 bytes, not {len(tpdu)}")
        default = bytes.fromhex(self.document["frame"].get("header_default", ""))
        sent = default if header is None else header
        requirement = sent[2] & 0x0F if len(sent) > 2 else 0
        return self._core.frame_wrap(len(body), swapped, header, requirement) + body

    def reply(self, request: Frame, body: bytes, *, requirement: int = 0) -> bytes:
        """A body framed as the answer to ``request``: addresses swapped, requirement set."""
        overhead = self._core.frame_wrap(len(body), request.tpdu, request.header, requirement)
        return overhead + body

    def unframe(self, buffer: bytes) -> tuple[Frame | None, int]:
        """The frame at the front and how many bytes it took; ``(None, 0)``: more is needed.

        Raises:
            FrameError: the bytes can never become a frame; close the line.
        """
        found = self._core.frame_next(bytes(buffer))
        if found is None:
            return None, 0
        tpdu, header, body, size = found
        return Frame(tpdu, header, body), size

    # ---- messages ------------------------------------------------------------------------------
    def parse(self, body: bytes) -> Message:
        """A body into its fields.

        Raises:
            ParseError: with ``.field .part .offset .rule .wanted .left``.
        """
        message = self._core.parse(body if type(body) is bytes else bytes(body), Message)
        if message.fault is not None:
            raise message.fault
        return message

    def parse_partly(self, body: bytes) -> tuple[Message, ParseError | None]:
        """What could be read and the fault that ended it; None: all of it was."""
        message = self._core.parse(bytes(body), Message)
        return message, message.fault

    def parse_many(self, buffer: Any, offsets: Any, *, places: bool = False) -> Columns:
        """Many messages as NumPy columns; message ``i`` is ``buffer[offsets[i]:offsets[i + 1]]``.

        A bad message marks its row (``status``, ``fault_field``, ...) and raises nothing.
        ``places`` also tells where each field lies: ``field_offset`` and ``field_size``.

        Raises:
            ArgumentFault: the offsets do not ascend within the buffer.
        """
        return parse_columns(self._core, buffer, offsets, places=places)

    def build(self, mti: str, fields: Mapping[int, str | bytes | int]) -> bytes:
        """A body out of fields, in any order.

        Text shorter than its fixed field is filled with the dialect's filler; an int is taken by
        fixed digits and zero filled; all else must be of the field's size.

        Raises:
            FieldUnknown, FieldLength, FieldValue, FieldMti: naming field and rule.
        """
        if len(mti) != 4 or not mti.isascii() or not mti.isdecimal():
            raise FieldMti(f"message type {mti!r}: four digits are wanted")
        values = []
        for number in sorted(fields):
            facts = self._fields.get(number)
            if facts is None:
                raise FieldUnknown(
                    f"field {number}: not defined in {self.name}",
                    field=number, rule="not defined in the dialect",
                )
            values.append((number, python_to_plain(facts, fields[number])))
        size_max = int(self.document["frame"].get("size_max", 2048))
        return self._core.build(int(mti, 16), values, size_max)

    # ---- rules and MAC -------------------------------------------------------------------------
    def kind(self, message: Message) -> Kind:
        """What a request is, or an answer is the answer of.

        Raises:
            FieldRule: no rule of the dialect fits it.
        """
        kind, name, name_zh, is_answer, answer = message.rule()
        return Kind(kind, name, name_zh, is_answer, Mti.of(answer) if answer else None)

    def check(self, message: Message) -> None:
        """The rule of a request: mandatory fields are there, and no field that is not allowed.

        Raises:
            FieldRule, FieldMissing, FieldForbidden, MacAbsent: naming field and rule.
        """
        message.rule_check()

    def mac_cover(self, body: bytes) -> MacCover:
        """What the MAC of a body is made over: MTI up to, excluding, the MAC field.

        Raises:
            ParseError: the body is not of the dialect.
        """
        data = bytes(body)
        parsed = self._core.parse(data, Parsed)
        if parsed.fault is not None:
            raise parsed.fault
        size, algorithm, output, mac = parsed.mac_cover()
        return MacCover(data[:size], mac, ALGORITHMS[algorithm], "hex" if output else "raw")

    def __repr__(self) -> str:
        return f"<Spec {self.name} {self.digest[:8]}>"
