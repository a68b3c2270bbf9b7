"""`python tools/tidy`: every rule over the repository. Exit 1 where something is found."""

from __future__ import annotations

import sys
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOME / "tools"))


def main() -> int:
    """Print each fault on a line."""
    from tidy.rules import faults
    from tidy.tree import Tree

    found = faults(Tree.of_repository(HOME))
    for fault in found:
        print(fault)
    print(f"{len(found)} faults", file=sys.stderr)
    return 1 if found else 0


sys.exit(main())
