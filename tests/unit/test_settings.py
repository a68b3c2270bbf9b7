"""Goal: a settings file is read whole and strictly, and a fault names file and key.

Method: each reader with values of its type, of another, absent, and out of range; keys that nobody
reads, at the top and within tables.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from posengine.settings import SettingsError, Table, read_toml

READERS: dict[str, tuple[Callable[[Table], object], str, object, list[str]]] = {
    "text": (lambda t: t.text("key"), '"x"', "x", ["1", "true", '["x"]']),
    "number": (lambda t: t.number("key", most=9), "9", 9, ['"9"', "9.0", "true", "10", "-1"]),
    "seconds": (lambda t: t.seconds("key", 1.0, most=9), "2.5", 2.5, ['"2"', "true", "9.1", "-1"]),
    "truth": (lambda t: t.truth("key", False), "true", True, ['"true"', "1", "0"]),
    "choice": (lambda t: t.choice("key", ("a", "b")), '"b"', "b", ['"c"', "1"]),
    "texts": (lambda t: t.texts("key"), '["a"]', ("a",), ['"a"', "[1]", "1"]),
    "mapping": (lambda t: t.mapping("key"), '{a = "b"}', {"a": "b"}, ["{a = 1}", '"a"']),
    "tables": (lambda t: len(list(t.tables("key"))), "[{}, {}]", 2, ["[1]", "{}"]),
}


def table_of(tmp_path: Path, text: str) -> Table:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    return read_toml(path)


@pytest.mark.parametrize("name", READERS)
def test_a_value_of_the_right_type_is_read(tmp_path: Path, name: str) -> None:
    read, text, wanted, _ = READERS[name]
    table = table_of(tmp_path, f"key = {text}\n")
    assert read(table) == wanted
    table.finish()


@pytest.mark.parametrize("name", READERS)
def test_another_type_or_range_is_refused_with_file_and_key(tmp_path: Path, name: str) -> None:
    read, _, _, wrong = READERS[name]
    for text in wrong:
        with pytest.raises(SettingsError, match=r"own\.toml: key"):
            read(table_of(tmp_path, f"key = {text}\n"))


@pytest.mark.parametrize("name", ["text", "number", "choice", "texts"])
def test_what_is_needed_and_absent_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"own\.toml: key: is needed"):
        READERS[name][0](table_of(tmp_path, ""))


def test_a_key_that_nobody_reads_is_an_error(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'a = 1\nb = 2\n[inner]\nc = 3\nd = "x"\n')
    table.number("a")
    inner = table.table("inner")
    inner.number("c")
    with pytest.raises(SettingsError, match=r"own\.toml: inner: no such setting: d"):
        inner.finish()
    with pytest.raises(SettingsError, match=r"own\.toml: no such setting: b"):
        table.finish()


def test_paths_start_at_the_file(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'near = "x/y"\nfar = "/x/y"\n')
    assert table.path("near") == tmp_path / "x" / "y"
    assert table.path("far") == Path("/x/y")


def test_what_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"a = '\xff'")
    for path in (tmp_path / "absent.toml", tmp_path / "bytes.toml"):
        with pytest.raises(SettingsError, match=path.name):
            read_toml(path)
    with pytest.raises(SettingsError, match="own"):
        table_of(tmp_path, "a = \n")
