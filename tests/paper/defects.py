"""Defects, planted: a core with a line or two changed, in a library under ``build/planted``.

The product has no switch that weakens it. A copy of a source file is edited (each edit must fit
exactly once, so that it stays sharp when the code moves), compiled, and linked with the objects of
the build at hand. A server is then started with that library in front of the real one.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
BUILD = HOME / "build" / "editable"
OBJECTS = BUILD / "CMakeFiles" / "posengine_objects.dir"


@dataclass(frozen=True)
class Edit:
    """``before`` in ``source`` becomes ``after``."""

    source: str
    before: str
    after: str


@dataclass(frozen=True)
class Defect:
    """One thing that a core may do wrong."""

    name: str
    edits: tuple[Edit, ...]


ANSWER_BEFORE_COMMIT = Defect(
    "answer_before_commit",
    (
        Edit(
            "native/engine/reply.c",
            "if (cohort->last_sequence > durable) return false; "
            "/* law 1: no reply before its commit */",
            "(void)durable;",
        ),
    ),
)
DEDUPE_OFF = Defect(
    "dedupe_off",
    (
        Edit(
            "native/decide/duplicate.c",
            "    if (before == NULL) return true;\n    if (pos_equal(",
            "    if (before == NULL || request->stan != 0) return true;\n    if (pos_equal(",
        ),
    ),
)
NO_SYNC = Defect(
    "no_sync",
    (
        Edit("native/journal/volume.c", "flags |= MDB_NOMETASYNC;", "flags |= MDB_NOSYNC;"),
        Edit(
            "native/journal/write.c",
            '#include "journal/parts.h"\n',
            '#include "journal/parts.h"\n#define mdb_env_sync(environment, force) (0)\n',
        ),
    ),
)


def library_of(defect: Defect) -> Path:
    """Build the defect's library; its directory, for LD_LIBRARY_PATH.

    Raises:
        AssertionError: the edit does not fit exactly once, or there is no build to link with.
    """
    assert OBJECTS.is_dir(), f"{OBJECTS}: run `make build` first"
    place = HOME / "build" / "planted" / defect.name
    place.mkdir(parents=True, exist_ok=True)
    changed = {edit.source: _compiled(edit, place) for edit in defect.edits}
    objects = [path for path in OBJECTS.rglob("*.o")]
    for source in changed:
        objects.remove(OBJECTS / f"{source}.o")
    _run(
        "cc", "-shared", "-Wl,-soname,libposengine.so", "-Wl,-z,now", "-o",
        place / "libposengine.so", *changed.values(), *objects, BUILD / "libposengine_lmdb.a",
        "-lpthread",
    )  # fmt: skip
    return place


def _compiled(edit: Edit, place: Path) -> Path:
    text = (HOME / edit.source).read_text("utf-8")
    assert text.count(edit.before) == 1, f"{place.name}: its edit does not fit {edit.source}"
    source = place / Path(edit.source).name
    source.write_text(text.replace(edit.before, edit.after), "utf-8")
    includes = [f"-I{HOME / 'native'}", f"-I{HOME / 'native' / 'include'}"]
    includes += [f"-I{path.parent}" for path in (BUILD / "lmdb").rglob("lmdb.h")]
    compiled = source.with_suffix(".o")
    _run(
        "cc", "-std=c11", "-O2", "-g1", "-fPIC", "-fvisibility=hidden", "-D_GNU_SOURCE",
        "-DPOS_BUILD", *includes, "-c", source, "-o", compiled,
    )  # fmt: skip
    return compiled


def _run(*command: object) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
