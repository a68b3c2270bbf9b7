"""Goal: the repository keeps the rules of the house, and the library exports what it declares.

Method: every rule over every file that git knows; the dynamic symbols of the built library against
the headers; tables of the documentation against the code that they speak of.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from posengine._native import status
from posengine.errors import BY_STATUS
from tidy import Tree, rules
from tidy.documents import declared, exported

HOME = Path(__file__).resolve().parents[2]
needs_git = pytest.mark.skipif(
    shutil.which("git") is None or not (HOME / ".git").exists(), reason="no git repository here"
)


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree.of_repository(HOME)


@needs_git
def test_the_repository_keeps_the_rules(tree: Tree) -> None:
    faults = rules.faults(tree)
    assert faults == [], "\n" + "\n".join(map(str, faults))


@needs_git
def test_nothing_is_allowed_that_nobody_needs(tree: Tree) -> None:
    assert rules.stale(tree) == []


@needs_git
def test_the_library_exports_what_the_headers_declare(tree: Tree) -> None:
    spec = importlib.util.find_spec("posengine._native.status")
    assert spec is not None and spec.origin is not None
    library = Path(spec.origin).parent / "lib" / "libposengine.so"
    assert len(declared(tree)) > 40
    assert exported(library) == declared(tree)


def test_a_declaration_without_a_definition_would_be_seen() -> None:
    header = (
        "#define POS_API __attribute__((visibility(\"default\")))\n"
        "POS_API int pos_a(int b);\nPOS_API const char *pos_b(void);\n"
        "POS_API void *\npos_c(int a,\n int pos_d);\n"
        "/* POS_API int pos_e(void); */\nint pos_f(void);\n"
        "static inline int pos_g(void) { return pos_a(1); }\n"
    )
    assert declared(Tree({"native/include/posengine/a.h": header})) == {"pos_a", "pos_b", "pos_c"}


def test_the_page_of_errors_is_that_of_the_core() -> None:
    page = (HOME / "docs" / "reference" / "errors.md").read_text(encoding="utf-8").splitlines()
    for name, whose, text in status.statuses():
        if name != "OK":
            assert f"| `{name}` | `{BY_STATUS[name].__name__}` | {whose} | {text} |" in page
