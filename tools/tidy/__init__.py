"""The house police: what a reviewer would say every time, said by a program.

    tree ──▶ every rule ──▶ faults: file, line, what is wrong, and what to write instead

A rule is a function from a ``Tree`` to ``Fault``s; it reads nothing else, so a test plants a
violation in a tree of its own. What the house allows by name is data: ``floors.toml`` and
``allowed.toml``. tests/tidy runs every rule over the repository and over planted violations.

    python tools/tidy            the whole tree; exit 1 where something is found
"""

from tidy.tree import Fault, Tree

__all__ = ["Fault", "Tree"]
