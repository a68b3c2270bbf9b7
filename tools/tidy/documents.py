"""What a user may name must be explained: verbs, Python names, statuses; and what the library
exports must be what its headers declare."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tidy.c import blanked
from tidy.tree import Fault, Tree

_SOURCES = (
    ("verb", "src/posengine/cli/__init__.py", re.compile(r'^    "(\w+)": \("', re.MULTILINE),
     r"posengine {}\b", "Show it in a page of docs/"),
    ("Python name", "src/posengine/__init__.py",
     re.compile(r'^    "(\w+)": "posengine', re.MULTILINE), r"\b{}\b",
     "Say what it is in docs/reference/"),
    ("status", "native/include/posengine/status.def",
     re.compile(r"^POS_STATUS\((\w+),", re.MULTILINE), r"\b{}\b",
     "Put it into docs/reference/errors.md"),
)
_API = re.compile(r"\bPOS_API\b[^;{(]*?\b(pos_\w+)\s*[(;\[]")


def undocumented(tree: Tree) -> Iterator[Fault]:
    """Every verb, public Python name and status is in a page."""
    pages = "\n".join(tree.text(path) for path in tree.paths("docs/*.md", "README.md"))
    for what, path, pattern, mention, instead in _SOURCES:
        if path not in tree:
            continue
        text = tree.text(path)
        for found in pattern.finditer(text):
            if not re.search(mention.format(found[1]), pages):
                line = text.count("\n", 0, found.start(1)) + 1
                yield Fault(path, line, "docs", f"{what} {found[1]} is in no page", instead)


def declared(tree: Tree) -> set[str]:
    """Names that the public headers declare with POS_API."""
    found: set[str] = set()
    for path in tree.paths("native/include/*.h"):
        code = re.sub(r"(?m)^[ \t]*#[^\n]*", "", blanked(tree.text(path)))
        found |= {each[1] for each in _API.finditer(code)}
    return found


def exported(library: Path) -> set[str]:
    """Names that a shared library defines for others."""
    told = subprocess.run(
        ["nm", "-D", "--defined-only", str(library)], capture_output=True, check=True, text=True
    )
    return {line.split()[-1].split("@")[0] for line in told.stdout.splitlines() if line.strip()}
