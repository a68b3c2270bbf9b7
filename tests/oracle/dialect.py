"""A dialect read straight from its TOML. Slow and obvious; imports nothing of posengine.

    file ─▶ base below it ─▶ settings over it ─▶ defaults into the fields ─▶ dict

A file over its base: fields, layouts, key blocks, defaults and settings are replaced whole, the
other tables key by key, kinds by name (those of the file are asked first).
"""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

DIALECTS = Path(__file__).parents[2] / "src/posengine/codec/dialects"

# What a field has where neither it nor [default.<content>] says.
TEXT = {"encoding": "ascii", "justify": "left", "filler": " "}
FIELD_DEFAULTS: dict[str, dict[str, Any]] = {
    "n": {"encoding": "ascii", "filler": "0"},
    "xn": {"encoding": "ascii", "justify": "right", "filler": "0"},
    "z": {"encoding": "ascii", "justify": "left", "filler": "0"},
    "a": TEXT,
    "an": TEXT,
    "ans": TEXT,
    "b": {"encoding": "binary", "justify": "left", "filler": ""},
}


def dialect_of(
    name_or_path: str | Path, *, settings: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The whole dialect as one dict: bases merged, settings applied, defaults filled in."""
    merged = copy.deepcopy(_merged(Path(name_or_path)))
    for name, value in (settings or {}).items():
        knob = merged["settings"][name]
        for path in knob.get("paths") or [knob["path"]]:
            _set(merged, path, value)
    return completed(merged)


def completed(merged: dict[str, Any]) -> dict[str, Any]:
    """Fill the defaults of every field in."""
    for number, field in merged["field"].items():
        content = field["content"]
        defaults = dict(FIELD_DEFAULTS[content])
        defaults.setdefault("justify", "right" if field["length"] == "fixed" else "left")
        merged["field"][number] = {
            "prefix": "ascii",
            "counts": "units",
            "size_min": 0,
            "secrecy": "open",
            "keep": False,
            **defaults,
            **merged.get("default", {}).get(content, {}),
            **field,
        }
    return merged


def _merged(path: Path) -> dict[str, Any]:
    if path.suffix != ".toml":
        path = DIALECTS / f"{path}.toml"
    own = tomllib.loads(path.read_text(encoding="utf-8"))
    base = own["dialect"].pop("base", None)
    if base is None:
        return own
    beside = path.parent / base
    return _over(_merged(beside if beside.is_file() else Path(base)), own)


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        if key == "kind":
            own = {kind["name"] for kind in value}
            result["kind"] = value + [k for k in below.get("kind", []) if k["name"] not in own]
        elif key == "keys":
            blocks = {**below.get("keys", {}).get("block", {}), **value.get("block", {})}
            result["keys"] = {**below.get("keys", {}), **value, "block": blocks}
        else:
            result[key] = {**below.get(key, {}), **value}
    return result


def _set(merged: dict[str, Any], path: str, value: Any) -> None:
    """``field.60.size_max``, ``kind.qr-sale.entry``: a list is entered by name."""
    place: Any = merged
    *steps, last = path.split(".")
    for step in steps:
        if isinstance(place, list):
            place = next(item for item in place if item["name"] == step)
        else:
            place = place.setdefault(step, {})
    place[last] = value
