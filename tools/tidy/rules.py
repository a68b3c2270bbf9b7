"""The rules. Each is one function; ``RULES`` is the list of them all.

    native_floors python_floors               who may use whom
    names sizes function_sizes                what a file is called, how long things are
    byte_calls allocations clocks             what C may call
    prints python_clocks                      what Python may call
    card_numbers notes binaries machine_paths dead_files
    undocumented                              what a user may name is explained
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from functools import cache
from pathlib import Path

from tidy import c, python
from tidy.documents import undocumented
from tidy.tree import Fault, Tree

HERE = Path(__file__).parent
Rule = Callable[[Tree], Iterator[Fault]]

BANNED = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "base", "manager",
                    "handler", "service"})
LINES_MAX = {".c": 1500, ".h": 1500, ".pyx": 400, ".pxd": 400, ".py": 600, ".pyi": 600}
FUNCTION_LINES_MAX = 70
BYTE_CALLS = {
    "memcpy": "pos_copy", "memmove": "pos_copy", "memset": "pos_zero", "memcmp": "pos_equal",
    "bzero": "pos_zero", "explicit_bzero": "pos_wipe", "strcpy": "a writer", "strcat": "a writer",
    "sprintf": "a writer",
}
ALLOCATIONS = frozenset(
    {"malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign", "strdup", "strndup",
     "alloca"}
)
CLOCKS = frozenset(
    {"time", "clock_gettime", "gettimeofday", "clock", "localtime", "gmtime", "localtime_r",
     "nanosleep", "usleep", "sleep"}
)
PYTHON_CLOCKS = frozenset(
    {"time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter",
     "time.perf_counter_ns", "time.sleep", "datetime.now", "datetime.utcnow", "datetime.today",
     "date.today", "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.date.today"}
)
_DIGITS = re.compile(r"(?<![0-9A-Za-z.])(?<!x')[0-9]{13,19}(?![0-9A-Za-z])")
_GROUPED = re.compile(r"(?<![0-9A-Za-z])(?:[0-9]{4}[ -]){3}[0-9]{1,7}(?![0-9A-Za-z])")
_OTHER_FIELD = re.compile(r"\bfield (?:42|60|61|64) ")  # a vector's line that says what it is
_ISSUED = {  # how long the account numbers of each range are; ISO/IEC 7812 as networks use it
    13: re.compile(r"4"),
    14: re.compile(r"3[0689]"),
    15: re.compile(r"3[47]"),
}
_ISSUED_LONG = re.compile(r"2[2-7]|3[05689]|4|5[0-8]|6")  # 16 to 19
_NEVER_LANDS = "FIX" + "ME"
_TODO = re.compile(r"\bTO" + r"DO\b(?!\s*\(?#\d+)")
_MACHINE = re.compile(r"(?<![\w.])/(?:work|root)/[\w.-]+")


@cache
def floors() -> dict[str, dict[str, int]]:
    """The floors of ``floors.toml``: half, room, floor."""
    return tomllib.loads((HERE / "floors.toml").read_text(encoding="utf-8"))


@cache
def allowed() -> dict[str, dict[str, str | int]]:
    """``allowed.toml``."""
    return tomllib.loads((HERE / "allowed.toml").read_text(encoding="utf-8"))


@cache
def test_cards() -> frozenset[str]:
    """Account numbers that are known to be nobody's."""
    lines = (HERE / "test_cards.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line.split()[0] for line in lines if line.strip() and line[0] != "#")


# ---- who may use whom ----------------------------------------------------------------------------


def native_floors(tree: Tree) -> Iterator[Fault]:
    """C: lower floors only, through doors only."""
    order = floors()["native"]
    for path in tree.paths("native/*.c", "native/*.h"):
        room = path.split("/")[1]
        if room not in order:
            if path.count("/") > 1:
                yield Fault(path, 0, "floors", f"room {room!r} has no floor",
                            "Give it one in tools/tidy/floors.toml")
            continue
        for line, target in c.includes(tree.text(path)):
            other = target.split("/")[0]
            if other in ("posengine", "posengine.h") or "/" not in target:
                continue
            yield from _use(path, line, "native", room, other, target, f"{other}/{other}.h")


def python_floors(tree: Tree) -> Iterator[Fault]:
    """Python: the same, and ``_native`` is a set of doors, one a subject."""
    order = floors()["python"]
    for path in tree.paths("src/posengine/*.py", "src/posengine/*.pyx", "src/posengine/*.pyi"):
        place = path.removeprefix("src/posengine/")
        room = place.split("/")[0].removesuffix(".py")
        if room in ("__init__", "__main__"):
            continue
        if room not in order:
            yield Fault(path, 0, "floors", f"room {room!r} has no floor",
                        "Give it one in tools/tidy/floors.toml")
            continue
        for line, module in python.imports(path, tree.text(path)):
            words = module.split(".")
            if words[0] != "posengine" or len(words) == 1 or words[1] == "__version__":
                continue
            other = words[1]
            door = f"posengine.{other}"
            further: Collection[str] = floors()["doors"].get(other, ())  # type: ignore[assignment]
            if other == "_native" or (len(words) > 2 and words[2] in further):
                door = ".".join(words[:3])
            elif _is_name(tree, words):
                door = module
            yield from _use(path, line, "python", room, other, module, door)


def _is_name(tree: Tree, words: list[str]) -> bool:
    """``from posengine.room import name`` was seen as posengine.room; ``import posengine`` gives
    one word more, which may be a name of the package's own door."""
    return len(words) == 2 and f"src/posengine/{words[1]}.py" in tree


def _use(
    path: str, line: int, half: str, room: str, other: str, target: str, door: str
) -> Iterator[Fault]:
    order = floors()[half]
    if other == room:
        return
    if other not in order:
        yield Fault(path, line, "floors", f"{target} is of no room that has a floor",
                    "Give the room a floor in tools/tidy/floors.toml, or mend the name")
        return
    near = floors()["neighbours"].get(f"{half}/{room}", ())
    if order[other] >= order[room] and other not in near:  # type: ignore[operator]
        yield Fault(
            path, line, "floors",
            f"{room} (floor {order[room]}) uses {other} (floor {order[other]})",
            "Use lower floors only: hand the thing in as an argument, or move it down",
        )
    if target != door:
        yield Fault(path, line, "floors", f"{target} is not {other}'s door", f"Use {door}")


# ---- names and sizes -----------------------------------------------------------------------------


def names(tree: Tree) -> Iterator[Fault]:
    """No file or folder is named for nothing in particular."""
    for path in tree.paths("*"):
        for part in path.split("/"):
            stem = part.split(".")[0]
            banned = BANNED & set(re.split(r"[_-]", stem))
            if banned:
                yield Fault(path, 0, "names", f"{part!r} says {sorted(banned)[0]!r}",
                            "Name it for its subject")


def sizes(tree: Tree) -> Iterator[Fault]:
    """One subject a file."""
    for path in tree.paths(*(f"*{suffix}" for suffix in LINES_MAX)):
        lines = tree.text(path).count("\n")
        most = LINES_MAX["." + path.rsplit(".", 1)[1]]
        if lines > most:
            yield Fault(path, 0, "sizes", f"{lines} lines, at most {most}",
                        "Two subjects: make it two files")


def function_sizes(tree: Tree) -> Iterator[Fault]:
    """A function fits a screen."""
    for path in tree.paths("*.py"):
        for name, line, lines in python.functions(tree.text(path)):
            yield from _function(path, name, line, lines)
    for path in tree.paths("*.c", "*.h"):
        for function in c.functions(tree.text(path)):
            yield from _function(path, function.name, function.line, function.size)


def _function(path: str, name: str, line: int, lines: int) -> Iterator[Fault]:
    if lines > FUNCTION_LINES_MAX:
        yield Fault(path, line, "sizes", f"{name} has {lines} lines, at most {FUNCTION_LINES_MAX}",
                    "Ifs up, loops down: let it branch, and the ones below compute")


# ---- what C may call -----------------------------------------------------------------------------


def byte_calls(tree: Tree) -> Iterator[Fault]:
    """Bytes are moved in one room, where sizes are checked."""
    for path in tree.paths("native/*.c", "native/*.h"):
        if path.startswith("native/bytes/"):
            continue
        for line, name in c.calls(tree.text(path)):
            if name in BYTE_CALLS:
                yield Fault(path, line, "bytes", f"{name} outside native/bytes",
                            f"Use {BYTE_CALLS[name]} of bytes/bytes.h")


def allocations(tree: Tree) -> Iterator[Fault]:
    """Memory is taken when something is opened or created, and then no more."""
    for path in tree.paths("native/*.c", "native/*.h"):
        if path in allowed()["allocates"]:
            continue
        for line, name in c.calls(tree.text(path)):
            if name in ALLOCATIONS:
                yield Fault(path, line, "memory", f"{name} after open",
                            "Take the memory in open or create, and list that file with its reason"
                            " in tools/tidy/allowed.toml")


def clocks(tree: Tree) -> Iterator[Fault]:
    """Time is measured in one room and handed in everywhere else."""
    for path in tree.paths("native/*.c", "native/*.h"):
        if path.startswith("native/measure/"):
            continue
        for line, name in c.calls(tree.text(path)):
            if name in CLOCKS:
                yield Fault(path, line, "clocks", f"{name}() outside native/measure",
                            "Take the time as an argument, or from a pos_clock")


# ---- what Python may call ------------------------------------------------------------------------


def prints(tree: Tree) -> Iterator[Fault]:
    """Only verbs print."""
    for path in tree.paths("src/posengine/*.py"):
        if path.startswith("src/posengine/cli/"):
            continue
        for line, name in python.called_names(tree.text(path)):
            if name == "print":
                yield Fault(path, line, "prints", "print outside cli/",
                            "Return the fact; the verb prints it")


def python_clocks(tree: Tree) -> Iterator[Fault]:
    """Time comes in as an argument; only verbs know the clock."""
    for path in tree.paths("src/posengine/*.py"):
        if path.startswith("src/posengine/cli/"):
            continue
        for line, name in python.named(tree.text(path)):
            if name in PYTHON_CLOCKS:
                yield Fault(path, line, "clocks", f"{name} outside cli/",
                            "Take a clock as an argument, and let the verb hand in the real one")


# ---- what no file may hold -----------------------------------------------------------------------


def card_numbers(tree: Tree) -> Iterator[Fault]:
    """Only account numbers that are known to be nobody's."""
    for path in tree.paths("*"):
        if _is_binary(tree.data(path)):
            continue
        for line, text in tree.lines(path):
            if _OTHER_FIELD.search(text):
                continue
            for found in (*_DIGITS.finditer(text), *_GROUPED.finditer(text)):
                digits = re.sub(r"[ -]", "", found[0])
                if digits not in test_cards() and looks_like_card(digits):
                    yield Fault(path, line, "cards", f"{digits[:6]}... may be somebody's card",
                                "Use a test card of tools/tidy/test_cards.txt")


def looks_like_card(digits: str) -> bool:
    """13 to 19 digits, of a card network's range, whose check digit is right, and not all alike."""
    if not 13 <= len(digits) <= 19 or len(set(digits)) < 3 or digits.endswith("0" * 8):
        return False  # a fixed-width field, not an account
    if not _ISSUED.get(len(digits), _ISSUED_LONG).match(digits):
        return False
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def notes(tree: Tree) -> Iterator[Fault]:
    """Nothing lands half done."""
    for path in tree.paths("*"):
        if _is_binary(tree.data(path)):
            continue
        for line, text in tree.lines(path):
            if _NEVER_LANDS in text:
                yield Fault(path, line, "notes", _NEVER_LANDS, "Mend it now")
            if _TODO.search(text):
                yield Fault(path, line, "notes", "a note without an issue",
                            "Name the issue, (#12), or do it")


def binaries(tree: Tree) -> Iterator[Fault]:
    """Everything can be read and compared."""
    for path in tree.paths("*"):
        if _is_binary(tree.data(path)):
            yield Fault(path, 0, "binaries", "no text",
                        "Commit the program that makes it, or hex in a text file")


def machine_paths(tree: Tree) -> Iterator[Fault]:
    """A stranger's machine has other paths."""
    for path in tree.paths("*"):
        if _is_binary(tree.data(path)):
            continue
        for line, text in tree.lines(path):
            found = _MACHINE.search(text)
            if found:
                yield Fault(path, line, "paths", f"{found[0]} is of one machine",
                            "Use a path relative to the repository, or a temporary directory")


def dead_files(tree: Tree) -> Iterator[Fault]:
    """Every module and header is used by another file."""
    sources = {
        path: tree.text(path)
        for path in tree.paths("*.py", "*.pyx", "*.pyi", "*.c", "*.h", "*.toml", "Makefile",
                               "*CMakeLists.txt", ".ci/run", "docs/*.md", "README.md")
        if not path.startswith("tools/tidy/")  # its data names files to speak about them
    }
    for path in tree.paths("src/posengine/*.py", "tests/oracle/*.py", "tests/paper/*.py",
                           "tools/*.py", "native/*.h"):
        name = path.rsplit("/", 1)[1]
        stem = name.rsplit(".", 1)[0]
        if stem in ("__init__", "__main__"):
            continue
        wanted = re.compile(
            rf'["</]{re.escape(name)}' if name.endswith(".h")
            else rf"\b{re.escape(stem)}\b"
        )
        if not any(other != path and wanted.search(text) for other, text in sources.items()):
            yield Fault(path, 0, "dead", "nobody uses it", "Use it or take it out")


def _is_binary(data: bytes) -> bool:
    if b"\0" in data:
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


RULES: tuple[Rule, ...] = (
    native_floors, python_floors, names, sizes, function_sizes, byte_calls, allocations, clocks,
    prints, python_clocks, card_numbers, notes, binaries, machine_paths, dead_files,
    undocumented,
)


def faults(tree: Tree) -> list[Fault]:
    """Everything that every rule finds, by path and line, but what ``allowed.toml`` knows of."""
    found = sorted(fault for rule in RULES for fault in rule(tree))
    counts = Counter(f"{fault.path} [{fault.rule}]" for fault in found)
    known = allowed()["known"]
    return [
        fault for fault in found
        if counts[place := f"{fault.path} [{fault.rule}]"] > int(known.get(place, 0))
    ]


def stale(tree: Tree) -> list[str]:
    """Entries of ``allowed.toml`` that nothing needs any more: take them out."""
    found = [fault for rule in RULES for fault in rule(tree)]
    counts = Counter(f"{fault.path} [{fault.rule}]" for fault in found)
    left = [
        f"known {place!r} = {counts[place]}" for place, count in allowed()["known"].items()
        if counts[place] < int(count)
    ]
    allocating = {
        path for path in tree.paths("native/*.c")
        if any(name in ALLOCATIONS for _, name in c.calls(tree.text(path)))
    }
    left += [f"allocates {path!r}" for path in allowed()["allocates"] if path not in allocating]
    return left
