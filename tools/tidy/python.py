"""Python and Cython read as far as the rules need: imports, calls, sizes of functions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_CYTHON_IMPORT = re.compile(
    r"^(?:from\s+(posengine[\w.]*)\s+c?import|c?import\s+(posengine[\w.]*))"
)


def imports(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Line and module of every import of ``posengine``, wherever it stands."""
    if not path.endswith(".py"):
        for number, line in enumerate(text.splitlines(), start=1):
            found = _CYTHON_IMPORT.match(line.strip())
            if found:
                yield number, found[1] or found[2]
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module == "posengine":
                for name in node.names:
                    yield node.lineno, f"posengine.{name.name}"
            else:
                yield node.lineno, node.module


def functions(text: str) -> Iterator[tuple[str, int, int]]:
    """Name, first line and number of lines of every function; decorators are not counted."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def called_names(text: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every call."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = _dotted(node.func)
            if name:
                yield node.lineno, name


def named(text: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every attribute that is read, called or not."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            name = _dotted(node)
            if name:
                yield node.lineno, name


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""
