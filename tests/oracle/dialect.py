"""A dialect read straight from its TOML. Slow and obvious; imports nothing of posengine.

    file ─▶ base below it ─▶ settings over it ─▶ defaults into the fields ─▶ dict

Rules of merging (docs/reference/spec_format.md says them in words):
  tables are merged key by key; a value replaces a value; a ``[[kind]]`` replaces the base's kind of
  the same name where that stood, and a new one comes before all of the base's.
"""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

DIALECTS = Path(__file__).parents[2] / "src/posengine/codec/dialects"

# What a field has where neither it nor [default.<content>] says.
FIELD_DEFAULTS: dict[str, dict[str, Any]] = {
    "n": {"encoding": "ascii", "justify": "right", "filler": "0"},
    "xn": {"encoding": "ascii", "justify": "right", "filler": "0"},
    "z": {"encoding": "ascii", "justify": "left", "filler": "0"},
    "a": {"encoding": "ascii", "justify": "left", "filler": " "},
    "an": {"encoding": "ascii", "justify": "left", "filler": " "},
    "ans": {"encoding": "ascii", "justify": "left", "filler": " "},
    "b": {"encoding": "binary", "justify": "left", "filler": "00"},
}


def dialect_of(
    name_or_path: str | Path, *, settings: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The whole dialect as one dict: bases merged, settings applied, defaults filled in."""
    merged = _merged(Path(name_or_path))
    for path, value in (settings or {}).items():
        _set(merged, path, value)
    return completed(merged)


def completed(merged: dict[str, Any]) -> dict[str, Any]:
    """Fill the defaults of every field in."""
    for number, field in merged["field"].items():
        content = field["content"]
        defaults = dict(FIELD_DEFAULTS[content])
        if field["length"] != "fixed" and content in ("n", "z"):
            defaults["justify"] = "left"
        whole = {
            "prefix": "ascii",
            "counts": "units",
            "size_min": 0,
            "secrecy": "open",
            "keep": False,
            **defaults,
            **merged.get("default", {}).get(content, {}),
            **field,
        }
        merged["field"][number] = whole
    return merged


def _merged(path: Path) -> dict[str, Any]:
    if path.suffix != ".toml":
        path = DIALECTS / f"{path}.toml"
    own = tomllib.loads(path.read_text(encoding="utf-8"))
    for kind in own.get("kind", []):
        for name in ("mandatory", "conditional", "echoed", "supplied"):
            kind[name] = [number for item in kind.get(name, []) for number in _written_out(item)]
    base = own["dialect"].pop("base", None)
    if base is None:
        return own
    beside = path.parent / f"{base}.toml"
    below = _merged(beside if beside.exists() else Path(base))
    return _over(below, own)


def _written_out(item: int | str) -> list[int]:
    """A field number, or a range of them as ``"28-31"``."""
    if isinstance(item, int):
        return [item]
    first, last = item.split("-")
    return list(range(int(first), int(last) + 1))


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(below)
    for key, value in above.items():
        if key == "kind":
            result["kind"] = _kinds_over(result.get("kind", []), value)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = _over(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def _kinds_over(below: list[dict[str, Any]], above: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = {kind["name"] for kind in below}
    replaced = {kind["name"]: kind for kind in above}
    fresh = [kind for kind in above if kind["name"] not in names]
    return fresh + [replaced.get(kind["name"], kind) for kind in below]


def _set(merged: dict[str, Any], path: str, value: Any) -> None:
    """``field.60.size_max``, ``kind.qr-sale.entry``, ``layout.f60.parts.network.optional``."""
    place: Any = merged
    *steps, last = path.split(".")
    for step in steps:
        if isinstance(place, list):
            place = next(item for item in place if item["name"] == step)
        else:
            place = place.setdefault(step, {})
    place[last] = value
