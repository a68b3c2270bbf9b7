"""Hints: typical causes of a fault, tried out and not guessed.

    fault ──▶ the same bytes under a dialect that differs in one thing ──▶ whole? then that is it
          └─▶ the other shipped dialects ──▶ whole? then it is one of theirs

A reading counts only where the whole message then parses. What cannot be tried is said as a remark
on the kind of fault. Each hint is a sentence in English and one in Chinese.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from posengine.codec.source import dialect_names
from posengine.codec.spec import Spec
from posengine.errors import ParseError, PosError

FIELDS_BEFORE_MAX = 8  # a fault shows later than its cause, but seldom by more fields
HINTS_MAX = 4


@dataclass(frozen=True, slots=True)
class Hint:
    """A likely cause. ``is_proved``: with that reading the whole message parses."""

    text: str
    text_zh: str
    is_proved: bool = False


REMARKS: dict[str, tuple[str, str]] = {
    "FIELD_MTI": (
        "The message does not begin where it should: look for a missing or doubled TPDU, header or "
        "length, and for a message type in characters instead of BCD.",
        "报文起始位置不对：检查是否缺少或重复TPDU、报文头、长度，或报文类型用了ASCII而不是BCD。",
    ),
    "FIELD_BITMAP": (
        "The bitmap is not where it should be, or the sender uses a secondary bitmap.",
        "位图位置不对，或发送方使用了扩展位图。",
    ),
    "FIELD_SHORT": (
        "A length before this place is too large (BCD against binary, digits against bytes), or "
        "the message was cut off.",
        "此前某个长度过大（BCD与二进制、数字个数与字节数混淆），或报文被截断。",
    ),
    "FIELD_LENGTH": (
        "Lengths are BCD in this family: 37 is the byte 37, not 25; LLL takes two bytes.",
        "长度用BCD表示：37写作0x37而不是0x25；LLL占两个字节。",
    ),
    "FIELD_CONTENT": (
        "Either this field's own coding differs (BCD against characters, the filler of an odd "
        "count on the other side), or a field before it was read too short or too long.",
        "该域编码不同（BCD与字符、奇数位填充方向），或前面的域读短或读长了。",
    ),
    "FIELD_UNKNOWN": (
        "The sender uses a field that this dialect does not have: add it in a file with `base`, if "
        "your acquirer documents it.",
        "发送方使用了规范中没有的域：若收单机构有说明，可用`base`文件增加。",
    ),
    "FIELD_TRAILING": (
        "A length is too small, a bit of the bitmap is not set, or something was appended.",
        "某个长度过小、位图缺位，或末尾附加了数据。",
    ),
    "FIELD_PART": (
        "The field itself has the right length; what lies in it does not follow its layout.",
        "域本身长度正确，但其内部结构不符。",
    ),
}


def causes(spec: Spec, body: bytes, fault: ParseError) -> tuple[Hint, ...]:
    """Proved causes first, at most ``HINTS_MAX``; else the remark on this kind of fault."""
    proved: list[Hint] = []
    for document, text, text_zh in _readings(spec, body, fault):
        if len(proved) == HINTS_MAX:
            break
        if _is_whole(document, spec.name, body):
            proved.append(Hint(text, text_zh, is_proved=True))
    if not proved:
        proved += _other_dialects(spec, body)
    remark = REMARKS.get(fault.status)
    return (*proved, Hint(*remark)) if remark else tuple(proved)


def _is_whole(document: dict[str, Any], name: str, body: bytes) -> bool:
    try:
        return Spec(document, file=name).parse_partly(body)[1] is None
    except PosError:
        return False  # the altered dialect is none


def _other_dialects(spec: Spec, body: bytes) -> list[Hint]:
    found = []
    for name in dialect_names():
        if name != spec.name and Spec.load(name).parse_partly(body)[1] is None:
            found.append(Hint(
                f"Under the dialect {name} the whole message parses.",
                f"按 {name} 规范可以完整解析。", is_proved=True,
            ))
    return found


def _readings(
    spec: Spec, body: bytes, fault: ParseError
) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Documents that differ from the dialect in one thing, with the sentence that says so."""
    if fault.status in ("FIELD_MTI", "FIELD_BITMAP") or fault.field == 0 == len(
        spec.parse_partly(body)[0]
    ):
        yield from _heads(spec)
        return
    message, _ = spec.parse_partly(body)
    suspects = [number for number in message if number <= fault.field or fault.field == 0]
    nearest = suspects[-FIELDS_BEFORE_MAX:][::-1]
    if fault.field in spec.fields and fault.field not in nearest:
        nearest.insert(0, fault.field)
    for number in nearest:
        for key, value, text, text_zh in _alterations(_whole_field(spec, number)):
            document = copy.deepcopy(dict(spec.document))
            document["field"][str(number)][key] = value
            yield (
                document,
                f"If field {number} {text}, the whole message parses.",
                f"若{number}域{text_zh}，则可完整解析。",
            )
    yield from _heads(spec)


def _whole_field(spec: Spec, number: int) -> dict[str, Any]:
    """A field of the document with the defaults of its content."""
    said: dict[str, Any] = spec.document["field"][str(number)]
    return {**spec.document.get("default", {}).get(said["content"], {}), **said}


def _heads(spec: Spec) -> Iterator[tuple[dict[str, Any], str, str]]:
    for key, values in (
        ("mti", ("bcd", "ascii", "ebcdic")),
        ("bitmap", ("binary", "hex")),
        ("field_max", (64, 128)),
        ("version", (-1,)),
    ):
        for value in values:
            if spec.document["message"].get(key) == value:
                continue
            document = copy.deepcopy(dict(spec.document))
            document["message"][key] = value
            what = "any version of the standard" if key == "version" else f"{key} = {value}"
            yield (
                document,
                f"With {what} the whole message parses.",
                f"若{what}，则可完整解析。",
            )


def _alterations(field: dict[str, Any]) -> Iterator[tuple[str, Any, str, str]]:
    """One key of a field altered: (key, value, claim, claim in Chinese)."""
    is_variable = field["length"] != "fixed"
    if is_variable:
        for prefix, words, words_zh in (
            ("binary", "has a binary length", "的长度为二进制"),
            ("bcd", "has a BCD length", "的长度为BCD"),
            ("ascii", "has a length in characters", "的长度为ASCII字符"),
        ):
            if field.get("prefix", "ascii") != prefix:
                yield "prefix", prefix, words, words_zh
        for length in ("LL", "LLL"):
            if field["length"] != length:
                yield "length", length, f"has a length of form {length}", f"的长度为{length}"
        if field.get("counts", "units") == "units":
            yield "counts", "bytes", "counts bytes and not digits", "的长度按字节数而不是位数计"
        else:
            yield "counts", "units", "counts digits and not bytes", "的长度按位数而不是字节数计"
        yield (
            "size_max", 9999 if field["length"] == "LLLL" else 999 if field["length"] == "LLL"
            else 99, "may be longer than the dialect says", "允许更长",
        )
    if field["content"] in ("n", "z"):
        other = "ascii" if field.get("encoding") == "bcd" else "bcd"
        words = "is written in characters" if other == "ascii" else "is written in BCD"
        yield "encoding", other, words, "为ASCII字符" if other == "ascii" else "为BCD"
        if field.get("encoding") == "bcd":
            side = "right" if field.get("justify") == "left" else "left"
            yield (
                "justify", side, f"has its odd digit at the {side}",
                f"的奇数位{'右' if side == 'right' else '左'}对齐",
            )
    if field["content"] != "ans" and field.get("encoding") != "bcd" and field["content"] != "b":
        yield "content", "ans", "may hold any printable character", "可含任意可打印字符"
