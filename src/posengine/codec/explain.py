"""Explain: what a message is, and why it fails, byte by byte.

    data ──▶ located() ──▶ body ──▶ parse ──▶ kind ──▶ presence ──▶ MAC ──▶ Explanation
             frame, body,            │
             half a frame            └─ a fault ──▶ hints.causes(): what reading would make it right

Nothing here prints, and nothing secret is in a ``repr``: values in the clear stand in fields that
``repr`` leaves out, and ``FieldView.shown`` is masked. Offsets count from the first byte handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from posengine.codec.hints import Hint, causes
from posengine.codec.message import Message
from posengine.codec.spec import Frame, Spec
from posengine.errors import FieldRule, FrameError, ParseError


class Compute(Protocol):
    """``posengine.mac.compute``: the MAC of ``covered``, ``"raw"`` or as upper-case ``"hex"``."""

    def __call__(
        self, algorithm: str, key: bytes, covered: bytes, *, output: str = ...
    ) -> bytes: ...


TEST_CARDS = frozenset({
    "6225000000000014", "6222021234567890128", "6212345678901234567", "6250946000000016",
    "4111111111111111", "4012888888881881", "5555555555554444", "5105105105105100",
    "378282246310005", "3530111333300000", "6011111111111117",
})
"""Account numbers that everybody publishes as test cards; no cardholder has one."""

TEXTS: Mapping[str, tuple[str, str]] = {
    "NEED_MORE": ("the frame is not whole", "帧不完整"),
    "FRAME_OVERSIZE": ("the length header is past the limit", "长度头超过上限"),
    "FRAME_UNDERSIZE": ("the frame is too short for TPDU, header and message", "帧过短"),
    "FRAME_LENGTH": ("the length header is not of its form, or not that of what follows",
                     "长度头格式不符或与实际长度不符"),
    "FRAME_TPDU": ("the TPDU is missing or of another protocol", "缺少TPDU或协议标识不符"),
    "FRAME_HEADER": ("the header is missing or not of its form", "缺少报文头或格式不符"),
    "FIELD_SHORT": ("more bytes are needed than are left", "剩余字节不足"),
    "FIELD_LENGTH": ("the length is not of its form or past the limit", "长度格式不符或超过上限"),
    "FIELD_CONTENT": ("a byte is not of the field's content", "内容不符合域的类型"),
    "FIELD_UNKNOWN": ("the dialect does not define this field", "规范中没有定义该域"),
    "FIELD_BITMAP": ("the bitmap is not of its form", "位图格式不符"),
    "FIELD_MTI": ("the message type is not of its form or version", "报文类型格式或版本不符"),
    "FIELD_TRAILING": ("bytes are left after the last field", "最后一个域之后还有字节"),
    "FIELD_PART": ("a nested part is not of its layout", "子域不符合其结构"),
    "FIELD_RULE": ("no kind of the dialect fits", "没有匹配的交易类型"),
    "FIELD_MISSING": ("a field is missing that the kind demands", "缺少必需的域"),
    "FIELD_FORBIDDEN": ("a field is present that the kind does not allow", "出现了不允许的域"),
    "MAC_MISMATCH": ("the MAC does not match", "MAC不一致"),
    "MAC_ABSENT": ("the kind demands a MAC and there is none", "缺少MAC"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        status: its name in ``status.def``.
        field, part: 0 where it does not apply.
        offset: from the first byte handed in; -1 where it has no place.
        wanted, left: bytes; 0 where they do not apply.
        rule: what the dialect demands.
        text, text_zh: in words.
    """

    status: str
    field: int = 0
    part: int = 0
    offset: int = -1
    wanted: int = 0
    left: int = 0
    rule: str = ""

    @property
    def text(self) -> str:
        return TEXTS.get(self.status, (self.status, ""))[0]

    @property
    def text_zh(self) -> str:
        return TEXTS.get(self.status, ("", self.status))[1]


@dataclass(frozen=True, slots=True)
class PartView:
    """One nested part; ``shown`` is masked, ``clear`` is not and stays out of ``repr``."""

    key: str
    name: str
    name_zh: str
    depth: int
    offset: int
    size: int
    shown: str
    secrecy: str
    clear: str = field(repr=False, default="")


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field; as ``PartView``. ``offset`` and ``size`` are of the value without its prefix."""

    number: int
    name: str
    name_zh: str
    rule: str
    offset: int
    size: int
    shown: str
    secrecy: str
    clear: str = field(repr=False, default="")
    parts: tuple[PartView, ...] = ()


@dataclass(frozen=True, slots=True)
class MacView:
    """The MAC: what it covers (from ``offset``, ``size`` bytes), and whether it matches.

    ``verdict`` is None without a key; ``expected`` is the field's bytes under the key.
    """

    algorithm: str
    output: str
    offset: int
    size: int
    found: bytes | None
    expected: bytes | None = None
    verdict: bool | None = None


Form = Literal["frame", "body", "frame without its length", "frame with a wrong length"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a message is and what is wrong with it; good where ``findings`` is empty."""

    dialect: str
    form: Form
    body_offset: int
    size: int
    mti: str
    tpdu: str
    header: str
    kind: str
    kind_zh: str
    is_answer: bool
    fields: tuple[FieldView, ...]
    mac: MacView | None
    findings: tuple[Finding, ...]
    hints: tuple[Hint, ...]
    is_test_card: bool
    data: bytes = field(repr=False, default=b"")

    @property
    def is_good(self) -> bool:
        return not self.findings


@dataclass(frozen=True, slots=True)
class Located:
    """Where the body lies in the bytes handed in, and what is wrong around it."""

    form: Form
    offset: int
    frame: Frame
    finding: Finding | None = None


def explain(
    spec: Spec,
    data: bytes,
    *,
    key: bytes | None = None,
    compute: Compute | None = None,
    seek_causes: bool = True,
) -> Explanation:
    """Read a frame or a body as far as it goes and say what is wrong.

    Args:
        spec: the dialect.
        data: a whole frame, a frame without its length, or a body; found by itself.
        key: the MAC key in the clear, to judge the MAC.
        compute: ``posengine.mac.compute``; needed where ``key`` is given.
        seek_causes: try other readings of a faulty message; takes a quarter of a second.
    """
    data = bytes(data)
    where = located(spec, data)
    body = where.frame.body
    message, fault = spec.parse_partly(body)
    findings = [] if where.finding is None else [where.finding]
    if fault is not None:
        findings.append(_finding_of(fault, where.offset))
    kind: tuple[str, str, bool] = ("", "", False)
    mac = None
    if fault is None:
        kind, presence = _kind_and_presence(spec, message)
        findings += presence
        mac = _mac_view(spec, body, where.offset, key, compute)
        findings += _mac_findings(spec, kind[0], kind[2], mac, findings)
    hints = causes(spec, body, fault) if fault is not None and seek_causes else ()
    return Explanation(
        dialect=spec.name, form=where.form, body_offset=where.offset, size=len(data),
        mti=str(message.mti) if _has_mti(fault) else "",
        tpdu=(where.frame.tpdu or b"").hex().upper(),
        header=(where.frame.header or b"").hex().upper(),
        kind=kind[0], kind_zh=kind[1], is_answer=kind[2],
        fields=tuple(_field_view(spec, message, number, where.offset) for number in message),
        mac=mac, findings=tuple(findings), hints=hints,
        is_test_card=_is_test_card(spec, message), data=data,
    )


def _has_mti(fault: ParseError | None) -> bool:
    return fault is None or (fault.status != "FIELD_MTI" and (fault.offset > 0 or fault.field > 0))


# ---- where the body lies -------------------------------------------------------------------------


def located(spec: Spec, data: bytes) -> Located:
    """The best reading of ``data``: a whole frame, a body, or what a cut-off capture leaves."""
    status = ""
    try:
        frame, used = spec.unframe(data)
        if frame is not None:
            more = len(data) - used
            extra = Finding("FIELD_TRAILING", offset=used, left=more, rule="one frame")
            return Located("frame", used - len(frame.body), frame, extra if more else None)
    except FrameError as error:
        status = error.status
    candidates = [Located("body", 0, Frame(None, None, data)), *_half_frames(spec, data)]
    best = max(candidates, key=lambda each: _depth(spec, each))
    if best.finding is None or best.finding.status != "FRAME_LENGTH":
        return best
    if best.finding.wanted != best.finding.left or not status:
        return best
    # The length is right, so what the frame layer refused is the TPDU or the header.
    header_at = best.offset - len(best.frame.header or b"")
    tpdu_at = header_at - len(best.frame.tpdu or b"")
    at = {"FRAME_TPDU": tpdu_at, "FRAME_HEADER": header_at}.get(status, 0)
    finding = Finding(status, offset=at, rule=best.finding.rule)
    return Located("frame", best.offset, best.frame, finding)


def _half_frames(spec: Spec, data: bytes) -> list[Located]:
    """Readings with a wrong or missing length, TPDU or header, the likely ones first."""
    shape: Mapping[str, Any] = spec.document["frame"]
    style = shape.get("length", "none")
    length = LENGTH_SIZES[style]
    tpdu = 5 if shape.get("tpdu") else 0
    header = shape.get("header_size", 0) if shape.get("header", "none") != "none" else 0
    rule = f"{length} bytes of length, {tpdu} of TPDU, {header} of header"
    said = int.from_bytes(data[:length], "little" if style == "u16-le" else "big")
    wrong = Finding("FRAME_LENGTH", offset=0, wanted=said, left=len(data) - length, rule=rule)
    no_tpdu = Finding("FRAME_TPDU", offset=length, wanted=tpdu, rule=rule)
    no_header = Finding("FRAME_HEADER", offset=length + tpdu, wanted=header, rule=rule)
    readings: list[tuple[Form, int, int, int, Finding | None]] = [
        ("frame with a wrong length", length, tpdu, header, wrong),
        ("frame without its length", 0, tpdu, header, None),
        ("frame with a wrong length", length, 0, header, no_tpdu),
        ("frame with a wrong length", length, tpdu, 0, no_header),
        ("frame with a wrong length", length, 0, 0, no_tpdu),
        ("frame without its length", 0, 0, header, None),
        ("frame without its length", 0, tpdu, 0, no_header),
    ]
    found = []
    for form, length_size, tpdu_size, header_size, finding in readings:
        offset = length_size + tpdu_size + header_size
        if 0 < offset < len(data):
            pieces = Frame(
                data[length_size : length_size + tpdu_size] or None,
                data[length_size + tpdu_size : offset] or None,
                data[offset:],
            )
            found.append(Located(form, offset, pieces, finding))
    return found


LENGTH_SIZES = {
    "none": 0, "u8": 1, "u16-be": 2, "u16-le": 2, "u32-be": 4, "bcd-2": 2, "ascii-4": 4,
}


def _depth(spec: Spec, where: Located) -> tuple[int, int]:
    """How far a reading goes: 2 whole, 1 a type that the dialect knows, 0 not; then fields."""
    message, fault = spec.parse_partly(where.frame.body)
    if fault is None:
        return 2, len(message)
    kinds = spec.document.get("kind", [])
    known = {kind[name] for kind in kinds for name in ("mti", "answer") if name in kind}
    is_known = str(message.mti) in known and (fault.field > 0 or fault.offset > 0)
    return (1, len(message)) if is_known else (0, 0)


# ---- what it is ----------------------------------------------------------------------------------


def _finding_of(fault: ParseError, start: int) -> Finding:
    return Finding(fault.status, fault.field, fault.part, start + fault.offset, fault.wanted,
                   fault.left, fault.rule)


def _kind_and_presence(
    spec: Spec, message: Message
) -> tuple[tuple[str, str, bool], tuple[Finding, ...]]:
    try:
        kind = spec.kind(message)
    except FieldRule:
        return ("", "", False), (Finding("FIELD_RULE", rule=_nearest(spec, message)),)
    rule = kind_table(spec, kind.name)
    findings: list[Finding] = []
    if kind.is_answer:
        allowed = {*rule["echoed"], *rule["supplied"]}
        if rule["answer_mac"]:
            allowed |= {*spec.document.get("mac", {}).get("fields", [])}
    else:
        allowed = {*rule["mandatory"], *rule["conditional"]}
        findings += [
            Finding("FIELD_MISSING", number, rule=f"mandatory in {kind.name}")
            for number in rule["mandatory"]
            if number not in message
        ]
    findings += [
        Finding("FIELD_FORBIDDEN", number, rule=f"not allowed in {kind.name}")
        for number in message
        if number not in allowed
    ]
    return (kind.name, kind.name_zh, kind.is_answer), tuple(findings)


def kind_table(spec: Spec, name: str) -> dict[str, Any]:
    """A ``[[kind]]`` of the dialect by its name, absent lists as empty ones."""
    found = next(kind for kind in spec.document["kind"] if kind["name"] == name)
    empty: dict[str, list[int]] = {"mandatory": [], "conditional": [], "echoed": [], "supplied": []}
    return {**empty, "request_mac": False, "answer_mac": False, **found}


def _nearest(spec: Spec, message: Message) -> str:
    """What kinds of this message type ask for, to say why none fits."""
    asked = []
    for kind in spec.document.get("kind", []):
        if kind["mti"] == message.mti:
            told = [
                f"{name} {'/'.join(kind[name])}"
                for name in ("processing", "condition", "type", "network", "entry")
                if kind.get(name)
            ]
            asked.append(f"{kind['name']}: {', '.join(told)}")
    return "; ".join(asked) if asked else f"no kind has message type {message.mti}"


# ---- the MAC -------------------------------------------------------------------------------------


def _mac_view(
    spec: Spec, body: bytes, start: int, key: bytes | None, compute: Compute | None
) -> MacView | None:
    cover = spec.mac_cover(body)
    if cover.mac is None:
        return None
    view = MacView(cover.algorithm, cover.output, start, len(cover.covered), cover.mac)
    if key is None or compute is None:
        return view
    expected = _computed(cover.algorithm, cover.output, len(cover.mac), key, cover.covered, compute)
    return MacView(cover.algorithm, cover.output, start, len(cover.covered), cover.mac, expected,
                   expected == cover.mac)


def _computed(
    algorithm: str, output: str, size: int, key: bytes, covered: bytes, compute: Compute
) -> bytes:
    return compute(algorithm, key, covered, output=output)[:size]


def _mac_findings(
    spec: Spec, kind: str, is_answer: bool, mac: MacView | None, others: list[Finding]
) -> list[Finding]:
    if mac is not None and mac.verdict is False:
        return [Finding("MAC_MISMATCH", offset=mac.offset + mac.size, rule=mac.algorithm)]
    if mac is None and kind and is_answer and kind_table(spec, kind)["answer_mac"]:
        return [Finding("MAC_ABSENT", rule=f"answers of {kind} carry a MAC")]
    return []


# ---- fields for people ---------------------------------------------------------------------------


def _field_view(spec: Spec, message: Message, number: int, start: int) -> FieldView:
    facts = spec.fields[number]
    place = message.place(number)
    value = message[number]
    parts = tuple(_part_views(message, number, start))
    return FieldView(
        number=number, name=facts.name, name_zh=facts.name_zh, rule=facts.rule,
        offset=start + place.offset, size=place.size, shown=message.masked(number),
        secrecy=facts.secrecy, clear=_text(value), parts=parts,
    )


def _part_views(message: Message, number: int, start: int) -> list[PartView]:
    return [
        PartView(
            key=part.key, name=part.name, name_zh=part.name_zh, depth=part.depth,
            offset=start + part.offset, size=part.size, shown=part.shown, secrecy=part.secrecy,
            clear=_text(part.value),
        )
        for part in message.nested(number)
    ]


def _text(value: str | bytes) -> str:
    if isinstance(value, bytes):
        return value.hex().upper()
    return value.encode("utf-8", "replace").decode()


def _is_test_card(spec: Spec, message: Message) -> bool:
    """True where every account number that the message shows is a published test card."""
    roles = spec.document.get("roles", {})
    seen = []
    for role in ("pan", "track2"):
        number = int(str(roles.get(role, 0)).partition(".")[0])
        if number in message:
            value = message[number]
            digits = value if isinstance(value, str) else value.hex()
            seen.append(digits.replace("=", "D").partition("D")[0])
    return bool(seen) and all(digits in TEST_CARDS for digits in seen)
