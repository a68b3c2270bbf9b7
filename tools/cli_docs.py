"""Writes docs/reference/cli.md from the verbs' own `--help`, so that the two never differ.

    python tools/cli_docs.py            write it
    python tools/cli_docs.py --check    exit 1 where it is stale
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from pathlib import Path
from typing import Any

# Plain text of one width, whatever the terminal: set before typer is imported.
os.environ |= {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "92", "TYPER_USE_RICH": "0"}

import typer

from posengine.cli import VERBS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "cli.md"
MARKUP = re.compile(r"\[/?(?:bold|dim|green|red|yellow|cyan)?\]")  # of rich, in docstrings
HEAD = """# Command line

Exit codes: 0 fine; 1 it looked and found something (breaks, corruption); 2 wrong use; 3 could not
look. `--format json` on every verb that prints a table.

退出码：0 正常；1 发现问题；2 用法错误；3 无法查看。

This page is written by `tools/cli_docs.py`.
"""


def _helps(command: Any, name: str, parent: Any = None) -> list[tuple[str, str]]:
    context = typer.Context(command, info_name=name, parent=parent)
    found = [(context.command_path, command.get_help(context))]
    for child in sorted(getattr(command, "commands", {})):
        found += _helps(command.commands[child], child, context)
    return found


def page() -> str:
    """The whole page as text."""
    parts = [HEAD]
    for verb, (module, line) in VERBS.items():
        parts.append(f"\n## posengine {verb}\n\n{line}\n")
        app = importlib.import_module(f"posengine.cli.{module}").app
        command = typer.main.get_command(app)
        for path, text in _helps(command, f"posengine {verb}"):
            title = f"\n### {path}\n" if path != f"posengine {verb}" else ""
            body = MARKUP.sub("", "\n".join(row.rstrip() for row in text.strip().splitlines()))
            parts.append(f"{title}\n```text\n{body}\n```\n")
    return "".join(parts)


def main() -> int:
    """Write the page, or say that it is stale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        PAGE.write_text(page())
        return 0
    if PAGE.read_text() == page():
        return 0
    print(f"{PAGE} is stale: python tools/cli_docs.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
