"""Where dialects come from: files, what they are based on, and their settings.

    unionpay-terminal.toml ─┐
    mine.toml (base = ...) ─┴▶ merged ──▶ settings applied ──▶ one document for compile.py

A document over its base: tables are merged key by key, a value replaces a value, a ``[[kind]]``
replaces the base's kind of the same name where that stood, and a new one comes before all of them.
A setting is a dotted path into the document that its ``[settings]`` table documents.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posengine.codec.schema import SpecError

HOME = Path(__file__).resolve().parent / "dialects"
BASE_DEPTH_MAX = 8  # a chain of bases longer than that is a loop


def dialect_names() -> list[str]:
    """The dialects that are shipped, sorted."""
    return sorted(path.stem for path in HOME.glob("*.toml"))


def dialect_path(name_or_path: str | Path) -> Path:
    """The file of a shipped dialect, or the path itself.

    Raises:
        SpecError: there is neither.
    """
    shipped = HOME / f"{name_or_path}.toml"
    if isinstance(name_or_path, str) and "/" not in name_or_path and shipped.is_file():
        return shipped
    path = Path(name_or_path)
    if path.is_file():
        return path
    known = ", ".join(dialect_names())
    raise SpecError(str(name_or_path), "", f"no such dialect or file; shipped: {known}")


def document_of(path: Path) -> dict[str, Any]:
    """The document of a file, laid over what it is based on.

    Raises:
        SpecError: not TOML, or its bases go round.
    """
    documents: list[dict[str, Any]] = []
    at: Path | None = path
    while at is not None:
        if len(documents) == BASE_DEPTH_MAX:
            raise SpecError(str(path), "dialect.base", "bases go round")
        document = _read(at)
        documents.append(document)
        base = document.get("dialect", {}).get("base", "")
        at = _base_path(at, base) if base else None
    merged = documents.pop()
    while documents:
        merged = laid_over(merged, documents.pop())
    return merged


def _read(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(path.name, "", f"not TOML: {error}") from error
    except OSError as error:
        raise SpecError(str(path), "", f"cannot be read: {error.strerror}") from error
    kinds = document.get("kind", [])
    for kind in kinds if isinstance(kinds, list) else []:
        for name in FIELD_LISTS:
            if isinstance(kind, dict) and isinstance(kind.get(name), list):
                where = f"kind.{kind.get('name', '')}.{name}"
                kind[name] = _numbers(kind[name], path.name, where)
    return document


FIELD_LISTS = ("mandatory", "conditional", "echoed", "supplied")
RANGE = re.compile(r"(\d{1,3})-(\d{1,3})")


def _numbers(listed: list[Any], file: str, path: str) -> list[Any]:
    """Field numbers, a range as ``"28-31"`` written out; what is neither, the schema refuses."""
    found: list[Any] = []
    for each in listed:
        ends = RANGE.fullmatch(each) if isinstance(each, str) else None
        if ends is None:
            found.append(each)
            continue
        first, last = int(ends[1]), int(ends[2])
        if first >= last:
            raise SpecError(file, path, f"{each!r} is no range: the lower number comes first")
        found += range(first, last + 1)
    return found


def _base_path(path: Path, base: str) -> Path:
    beside = [path.parent / base, path.parent / f"{base}.toml"]
    found = [each for each in beside if each.is_file() and each != path]
    return found[0] if found else dialect_path(base)


def laid_over(base: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """``document`` over ``base``, as the head of this file says."""
    merged = {name: copy.deepcopy(value) for name, value in base.items()}
    for name, value in document.items():
        if name == "kind" and isinstance(value, list):
            merged["kind"] = _kinds_over(merged.get("kind", []), value)
        elif isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = laid_over(merged[name], value)
        else:
            merged[name] = copy.deepcopy(value)
    return merged


def _kinds_over(base: list[dict[str, Any]], kinds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    named = {kind.get("name"): kind for kind in kinds}
    known = {kind.get("name") for kind in base}
    fresh = [kind for kind in kinds if kind.get("name") not in known]
    return [*fresh, *(named.get(kind.get("name"), kind) for kind in base)]


def with_settings(
    document: Mapping[str, Any], settings: Mapping[str, Any], *, file: str
) -> dict[str, Any]:
    """``document`` with each of ``settings`` written where its path leads.

    Raises:
        SpecError: no such setting, a value that it does not allow, or a path that leads nowhere.
    """
    result = copy.deepcopy(dict(document))
    knobs = result.get("settings", {})
    for path, value in settings.items():
        if path not in knobs:
            known = ", ".join(sorted(knobs)) or "none"
            raise SpecError(file, f"settings.{path}", f"no such setting; known: {known}")
        allowed = knobs[path].get("allowed", [])
        if allowed and value not in allowed:
            raise SpecError(file, f"settings.{path}", f"one of {allowed} is wanted, not {value!r}")
        _write(result, path, value, file)
    return result


def _write(document: dict[str, Any], path: str, value: Any, file: str) -> None:
    at: Any = document
    *parents, last = path.split(".")
    for index, name in enumerate(parents):
        if isinstance(at, list):  # an array of tables is entered by name
            named = [each for each in at if isinstance(each, dict) and each.get("name") == name]
            at = named[0] if named else None
        elif isinstance(at, dict):
            at = at.setdefault(name, {})
        if not isinstance(at, (dict, list)):
            where = ".".join(parents[: index + 1])
            raise SpecError(file, where, "a setting points to nothing")
    if not isinstance(at, dict):
        raise SpecError(file, path, "a setting points to nothing")
    at[last] = copy.deepcopy(value)
