"""The schema of a dialect: what a TOML document may say, and what is wrong with one that says else.

    dict (tomllib) ──▶ checked() ──▶ the same keys, defaults filled in, every value of its form
                          └──▶ SpecError: file, key path, rule

Each table below is a contract: key -> Key(kind, default, values). A key that is not in its table is
refused, so a slip of the pen is told and not ignored. Source: docs/reference/spec_format.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from posengine.errors import ImageForm

REQUIRED: Final = object()


class SpecError(ImageForm):
    """A dialect's TOML that breaks the schema.

    Attributes:
        file: name of the file, or of the dialect.
        path: dotted path of the key, as ``field.2.size_max``.
        rule: what holds there.
    """

    def __init__(self, file: str, path: str, rule: str) -> None:
        super().__init__(f"{file}: {path}: {rule}" if path else f"{file}: {rule}")
        self.file = file
        self.path = path
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table: type, default (REQUIRED: must be there), and allowed values."""

    kind: type | tuple[type, ...]
    default: Any = REQUIRED
    values: tuple[Any, ...] = ()


Table = Mapping[str, Key]

CONTENTS: Final = ("n", "a", "an", "ans", "z", "b", "xn")
ENCODINGS: Final = ("bcd", "ascii", "ebcdic", "binary", "hex", "hex-ebcdic", "gb18030")
LENGTHS: Final = ("fixed", "L", "LL", "LLL", "LLLL")
SECRECIES: Final = ("open", "pan", "secret")
FORMS: Final = ("positional", "tlv", "ber-tlv", "choice")
CIPHERS: Final = ("des", "aes", "sm4")
SELECTORS: Final = ("mti", "processing", "condition", "type", "network", "entry", "size")

DIALECT: Final[Table] = {
    "name": Key(str),
    "title": Key(str, ""),
    "title_zh": Key(str, ""),
    "source": Key(str, ""),
    "base": Key(str, ""),
}
FRAME: Final[Table] = {
    "length": Key(
        str, "none", ("none", "u8", "u16-be", "u16-le", "u32-be", "bcd-2", "ascii-4")
    ),
    "length_counts": Key(str, "rest", ("rest", "all")),
    "tpdu": Key(bool, False),
    "tpdu_id": Key(int, 0x60),
    "tpdu_default": Key(str, "6000000000"),
    "header": Key(str, "none", ("none", "unionpay", "opaque")),
    "header_size": Key(int, 0),
    "header_default": Key(str, ""),
    "size_max": Key(int, 2048),
}
MESSAGE: Final[Table] = {
    "mti": Key(str, REQUIRED, ("bcd", "ascii", "ebcdic")),
    "version": Key(int, -1, (-1, 0, 1, 2)),
    "bitmap": Key(str, REQUIRED, ("binary", "hex", "hex-ebcdic")),
    "field_max": Key(int, 128, (64, 128)),
    "secondary": Key(str, "announced", ("announced", "always")),
}
MAC: Final[Table] = {
    "fields": Key(list, []),
    "algorithm": Key(
        str,
        "none",
        ("none", "unionpay-ecb", "x9.9", "x9.19", "aes-cmac", "hmac-sha256", "sm4-unionpay",
         "sm4-cbc"),
    ),
    "output": Key(str, "raw", ("raw", "hex")),
    "size": Key(int, 8),
}
FIELD: Final[Table] = {
    "name": Key(str),
    "name_zh": Key(str, ""),
    "content": Key(str, REQUIRED, CONTENTS),
    "encoding": Key(str, "", ("", *ENCODINGS)),
    "length": Key(str, REQUIRED, LENGTHS),
    "prefix": Key(str, "ascii", ("bcd", "ascii", "ebcdic", "binary")),
    "prefix_size": Key(int, 0),
    "counts": Key(str, "units", ("units", "bytes")),
    "size": Key(int, 0),
    "size_min": Key(int, 0),
    "size_max": Key(int, 0),
    "justify": Key(str, "", ("", "left", "right")),
    "filler": Key(str, ""),
    "secrecy": Key(str, "open", SECRECIES),
    "keep": Key(bool, False),
    "layout": Key(str, ""),
    "absent": Key(bool, False),
}
DEFAULT: Final[Table] = {
    name: Key(FIELD[name].kind, None, FIELD[name].values)
    for name in ("encoding", "prefix", "prefix_size", "counts", "justify", "filler", "secrecy")
}
PART: Final[Table] = {
    "name": Key(str),
    "name_zh": Key(str, ""),
    "content": Key(str, "", ("", *CONTENTS[:-1])),
    "size": Key(int, 0),
    "size_max": Key(int, 0),
    "optional": Key(bool, False),
    "secrecy": Key(str, "open", SECRECIES),
    "keep": Key(bool, False),
}
TAG: Final[Table] = {
    "name": Key(str),
    "name_zh": Key(str, ""),
    "content": Key(str, "b", CONTENTS[:-1]),
    "secrecy": Key(str, "open", SECRECIES),
    "keep": Key(bool, False),
}
LAYOUT: Final[Table] = {
    "form": Key(str, REQUIRED, FORMS),
    "strict": Key(bool, True),
    "parts": Key(list, []),
    "count": Key(dict, {}),
    "group": Key(list, []),
    "tag_size": Key(int, 2),
    "length_size": Key(int, 3),
    "tags": Key(dict, {}),
    "unknown": Key(str, "keep-parsed", ("keep-parsed", "refuse")),
    "variants": Key(list, []),
}
COUNT: Final[Table] = {"size": Key(int)}
VARIANT: Final[Table] = {"when": Key(dict, {}), "layout": Key(str)}
KIND: Final[Table] = {
    "kind": Key(str),
    "name": Key(str),
    "name_zh": Key(str, ""),
    "mti": Key(str),
    "answer": Key(str, ""),
    "processing": Key(list, []),
    "condition": Key(list, []),
    "type": Key(list, []),
    "network": Key(list, []),
    "entry": Key(list, []),
    "request_mac": Key(bool, False),
    "answer_mac": Key(bool, False),
    "repeatable": Key(bool, False),
    "mandatory": Key(list, []),
    "conditional": Key(list, []),
    "echoed": Key(list, []),
    "supplied": Key(list, []),
}
KEYS: Final[Table] = {
    "tmk_cipher": Key(str, "des", CIPHERS),
    "block": Key(dict, {}),
}
KEY_BLOCK: Final[Table] = {
    "size": Key(int),
    "cipher": Key(str, "", ("", *CIPHERS)),
    "pik": Key(list, []),
    "pik_check": Key(list, []),
    "mak": Key(list, []),
    "mak_check": Key(list, []),
    "tdk": Key(list, []),
    "tdk_check": Key(list, []),
}
SETTING: Final[Table] = {
    "allowed": Key(list, []),
    "title": Key(str, ""),
    "title_zh": Key(str, ""),
}
TOP: Final[Table] = {
    "dialect": Key(dict),
    "frame": Key(dict, {}),
    "message": Key(dict),
    "mac": Key(dict, {}),
    "roles": Key(dict, {}),
    "keys": Key(dict, {}),
    "default": Key(dict, {}),
    "field": Key(dict),
    "layout": Key(dict, {}),
    "kind": Key(list, []),
    "settings": Key(dict, {}),
}


def table_checked(document: Any, table: Table, file: str, path: str) -> dict[str, Any]:
    """``document`` with every key of ``table``, defaults filled in.

    Raises:
        SpecError: no table, a key that is not of it, a missing key, a value of another type or
            outside of the allowed ones.
    """
    if not isinstance(document, dict):
        raise SpecError(file, path, "a table is wanted")
    for name in document:
        if name not in table:
            raise SpecError(file, _joined(path, name), f"no such key; known: {', '.join(table)}")
    return {
        name: _value_checked(document.get(name, key.default), key, file, _joined(path, name))
        for name, key in table.items()
    }


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _value_checked(value: Any, key: Key, file: str, path: str) -> Any:
    if value is REQUIRED:
        raise SpecError(file, path, "is missing")
    if value is None and key.default is None:
        return None
    kinds = key.kind if isinstance(key.kind, tuple) else (key.kind,)
    is_kind = isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)
    if not is_kind:
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise SpecError(file, path, f"a value of type {wanted} is wanted, not {value!r}")
    if key.values and value not in key.values:
        allowed = ", ".join(str(each) for each in key.values if each != "")
        raise SpecError(file, path, f"one of {allowed} is wanted, not {value!r}")
    return value


def checked(document: Mapping[str, Any], file: str) -> dict[str, Any]:
    """A whole document, table by table. What needs several tables at once, compile.py checks.

    Raises:
        SpecError: naming file, key path and rule.
    """
    top = table_checked(dict(document), TOP, file, "")
    for name, table in (("dialect", DIALECT), ("frame", FRAME), ("message", MESSAGE),
                        ("mac", MAC), ("keys", KEYS)):
        top[name] = table_checked(top[name], table, file, name)
    for content in top["default"]:
        if content not in CONTENTS:
            raise SpecError(file, f"default.{content}", f"one of {', '.join(CONTENTS)} is wanted")
    top_fields = top["field"]
    top["field"] = {
        number: _field_checked(each, top["default"], file, f"field.{number}")
        for number, each in top["field"].items()
        if not (isinstance(each, dict) and each.get("absent") is True)
    }
    absent = {
        int(number) for number, each in top_fields.items()
        if isinstance(each, dict) and each.get("absent") is True and number.isdecimal()
    }
    top["layout"] = {
        name: _layout_checked(each, file, f"layout.{name}") for name, each in top["layout"].items()
    }
    top["kind"] = [
        _without(table_checked(each, KIND, file, f"kind.{_kind_name(each, index)}"), absent)
        for index, each in enumerate(top["kind"])
    ]
    top["keys"]["block"] = {
        code: table_checked(each, KEY_BLOCK, file, f"keys.block.{code}")
        for code, each in top["keys"]["block"].items()
    }
    top["settings"] = {
        name: table_checked(each, SETTING, file, f"settings.{name}")
        for name, each in top["settings"].items()
    }
    return top


def _field_checked(document: Any, defaults: Any, file: str, path: str) -> dict[str, Any]:
    """A field; what it does not say, ``[default.<content>]`` says, or else the schema."""
    if not isinstance(document, dict):
        raise SpecError(file, path, "a table is wanted")
    content = document.get("content")
    said: dict[str, Any] = {}
    if content in defaults:
        whole = table_checked(defaults[content], DEFAULT, file, f"default.{content}")
        said = {name: value for name, value in whole.items() if value is not None}
    field = table_checked({**said, **document}, FIELD, file, path)
    field["encoding"] = field["encoding"] or ("binary" if content == "b" else "ascii")
    return field


def _without(kind: dict[str, Any], absent: set[int]) -> dict[str, Any]:
    """A kind of a base, less the fields that the dialect takes away; a demand for one stays."""
    for name in ("conditional", "echoed", "supplied"):
        kind[name] = [each for each in kind[name] if each not in absent]
    return kind


def _kind_name(kind: Any, index: int) -> str:
    return str(kind.get("name", index)) if isinstance(kind, dict) else str(index)


def _layout_checked(document: Any, file: str, path: str) -> dict[str, Any]:
    layout = table_checked(document, LAYOUT, file, path)
    for name in ("parts", "group"):
        layout[name] = [
            table_checked(part, PART, file, f"{path}.{name}[{index}]")
            for index, part in enumerate(layout[name])
        ]
    layout["tags"] = {
        tag: table_checked(each, TAG, file, f"{path}.tags.{tag}")
        for tag, each in layout["tags"].items()
    }
    layout["variants"] = [
        table_checked(each, VARIANT, file, f"{path}.variants[{index}]")
        for index, each in enumerate(layout["variants"])
    ]
    if layout["count"]:
        layout["count"] = table_checked(layout["count"], COUNT, file, f"{path}.count")
    return layout
