"""Enough of C to find functions, calls and includes: comments and strings are blanked first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SKIPPED = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
_CALL = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)\s*\(")
_EXTERN = re.compile(r"\bextern\s*\{")  # of C++, its literal blanked already
_HEAD = re.compile(r"([A-Za-z_]\w*)\s*\([^;{}]*\)\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Function:
    """A function's definition."""

    name: str
    line: int
    size: int
    """Lines, from its head to its closing brace."""


def blanked(text: str) -> str:
    """The text with comments and literals as blanks; every line stays where it was."""
    return _SKIPPED.sub(_spaces, text)


def includes(text: str) -> Iterator[tuple[int, str]]:
    """Line and target of every include in quotes."""
    for found in _INCLUDE.finditer(text):
        yield _line(text, found.start()), found[1]


def calls(text: str) -> Iterator[tuple[int, str]]:
    """Line and name of everything that is called (or declared, or looks so)."""
    code = blanked(text)
    for found in _CALL.finditer(code):
        yield _line(code, found.start()), found[1]


def functions(text: str) -> Iterator[Function]:
    """Every function that is defined at the top of a file."""
    code = _EXTERN.sub(_spaces, _without_directives(blanked(text)))
    depth = 0
    since = begin = 0  # where the text that may be a head begins
    head: re.Match[str] | None = None
    for found in re.finditer(r"[{};]", code):
        at = found.start()
        if found[0] == "{":
            if depth == 0:
                head = _HEAD.search(code, since, at)
                begin = since + len(code[since:at]) - len(code[since:at].lstrip())
            depth += 1
        elif found[0] == "}":
            depth = max(depth - 1, 0)
            if depth == 0:
                if head is not None:
                    first = _line(code, begin)
                    yield Function(head[1], first, _line(code, at) - first + 1)
                head = None
                since = at + 1
        elif depth == 0:
            since = at + 1


def _without_directives(code: str) -> str:
    """The text with preprocessor lines and their continuations empty."""
    out = []
    continued = False
    for line in code.splitlines():
        is_directive = continued or line.lstrip().startswith("#")
        continued = is_directive and line.rstrip().endswith("\\")
        out.append("" if is_directive else line)
    return "\n".join(out)


def _spaces(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1
