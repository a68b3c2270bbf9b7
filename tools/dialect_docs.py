"""Writes docs/reference/dialects/unionpay-terminal.md from the dialect's TOML.

    python tools/dialect_docs.py            write it
    python tools/dialect_docs.py --check    exit 1 where it is stale

The page is for people: fields, what lies in them, kinds, key blocks, settings; English, Chinese.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from posengine.codec import Spec

DIALECT = "unionpay-terminal"
PAGE = Path(__file__).resolve().parent.parent / "docs/reference/dialects" / f"{DIALECT}.md"
SECRECY = {"open": "", "pan": "masked 掩码", "secret": "secret 保密"}


def page() -> str:
    """The whole page as text."""
    spec = Spec.load(DIALECT)
    lines = [
        f"# {DIALECT}",
        "",
        f"{spec.title} · {spec.title_zh}",
        "",
        "This page is written by `tools/dialect_docs.py` from the dialect's TOML; what is not",
        "certain about the dialect is in [Caveats](../../caveats.md), every key of the TOML in",
        "[The spec format](../spec_format.md). 本页由工具从规范文件生成。",
        *_frame(spec.document),
        *_fields(spec),
        *_layouts(spec.document),
        *_kinds(spec.document),
        *_keys(spec.document),
        *_settings(spec.document),
    ]
    return "\n".join(lines) + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |"


def _frame(document: dict[str, Any]) -> Iterator[str]:
    frame, message, mac = document["frame"], document["message"], document["mac"]
    yield from ("", "## Frame 帧")
    yield from _table(
        ("part", "form"),
        [
            ("length 长度", f"{frame['length']}, counts {frame['length_counts']}"),
            ("TPDU", f"5 bytes, id {frame['tpdu_id']:02X}, sent as {frame['tpdu_default']}"),
            ("header 报文头", f"{frame['header_size']} bytes, as {frame['header_default']}"),
            ("message type 消息类型", message["mti"]),
            ("bitmap 位图", f"{message['bitmap']}, {message['field_max']} fields"),
            ("MAC", f"field {mac['fields'][-1]}, {mac['algorithm']}, {mac['output']}"),
        ],
    )


def _fields(spec: Spec) -> Iterator[str]:
    yield from ("", "## Fields 域")
    yield from _table(
        ("field", "name", "名称", "form", "secrecy", "journal", "layout"),
        [
            (
                number, fact.name, fact.name_zh, fact.rule, SECRECY[fact.secrecy],
                "kept" if spec.document["field"][str(number)].get("keep") else "",
                f"`{spec.document['field'][str(number)].get('layout', '')}`".replace("``", ""),
            )
            for number, fact in spec.fields.items()
        ],
    )


def _layouts(document: dict[str, Any]) -> Iterator[str]:
    yield from ("", "## What lies within fields 子域")
    for name, layout in document["layout"].items():
        form = layout["form"]
        strict = "strict" if layout.get("strict", True) else "not strict"
        yield from ("", f"### `{name}`", "", form if form == "choice" else f"{form}, {strict}")
        if form == "choice":
            yield from _table(
                ("when", "layout"),
                [
                    (", ".join(f"{key} {'/'.join(map(str, value))}"
                               for key, value in variant["when"].items()),
                     f"`{variant['layout']}`")
                    for variant in layout["variants"]
                ],
            )
            continue
        group = [(part, " (each record)") for part in layout.get("group", [])]
        count = layout.get("count")
        rows = [(part, "") for part in layout.get("parts", [])]
        rows += [({"name": "count", "name_zh": "条数", "size": count["size"]}, "")] if count else []
        if rows or group:
            yield from _table(
                ("part", "名称", "size", "secrecy"),
                [
                    (part["name"] + note, part.get("name_zh", ""),
                     part.get("size", f"to {part.get('size_max')}")
                     if not part.get("optional") else
                     f"{part.get('size', 'to ' + str(part.get('size_max')))}, optional",
                     SECRECY[part.get("secrecy", "open")])
                    for part, note in rows + group
                ],
            )
        if layout.get("tags"):
            yield from _table(
                ("tag", "name", "名称", "secrecy", "journal"),
                [
                    (f"`{tag}`", each["name"], each.get("name_zh", ""),
                     SECRECY[each.get("secrecy", "open")], "kept" if each.get("keep") else "")
                    for tag, each in layout["tags"].items()
                ],
            )


def _kinds(document: dict[str, Any]) -> Iterator[str]:
    yield from ("", "## Kinds of messages 交易类型", "")
    yield "The first that fits is taken. 取第一个匹配者。"
    yield from _table(
        ("kind", "名称", "type", "3", "25", "60.1", "60.3", "22", "MAC", "repeat"),
        [
            (
                kind["name"], kind["name_zh"], f"{kind['mti']}/{kind['answer']}",
                *("/".join(kind.get(key, [])) for key in
                  ("processing", "condition", "type", "network", "entry")),
                "yes" if kind["request_mac"] else "no",
                "stored answer" if kind["repeatable"] else "runs again",
            )
            for kind in document["kind"]
        ],
    )
    for kind in document["kind"]:
        yield from ("", f"### {kind['name']} {kind['name_zh']}", "")
        for title, key in (
            ("must be there 必需", "mandatory"), ("may be there 可选", "conditional"),
            ("echoed 回送", "echoed"), ("supplied by the host 主机填写", "supplied"),
        ):
            yield f"- {title}: {' '.join(map(str, kind.get(key, [])))}"


def _keys(document: dict[str, Any]) -> Iterator[str]:
    yield from ("", "## Working keys in field 62 工作密钥", "")
    yield "Offset and size in bytes, under the TMK."
    names = ("pik", "pik_check", "mak", "mak_check", "tdk", "tdk_check")
    yield from _table(
        ("60.3", "bytes", "cipher", *names),
        [
            (code, block["size"], block.get("cipher", document["keys"]["tmk_cipher"]),
             *(", ".join(map(str, block.get(name, []))) for name in names))
            for code, block in document["keys"]["block"].items()
        ],
    )


def _settings(document: dict[str, Any]) -> Iterator[str]:
    yield from (
        "", "## Settings 设置", "",
        "What differs between acquirers: `Spec.load(name, {path: value})`, `--set path=value`.",
    )
    yield from _table(
        ("path", "default", "allowed", "what", "说明"),
        [
            (f"`{path}`", f"`{json.dumps(_at(document, path))}`",
             " ".join(map(str, knob.get("allowed", []))), knob["title"], knob["title_zh"])
            for path, knob in document["settings"].items()
        ],
    )


def _at(document: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(document, list):
            document = next(each for each in document if each["name"] == step)
        else:
            document = document[step]
    return document


def main() -> int:
    """Write the page, or say that it is stale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print(f"{PAGE} is stale: python tools/dialect_docs.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
