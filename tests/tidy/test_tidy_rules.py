"""Goal: every rule of the house police finds what it forbids, and nothing in clean code.

Method: a violation planted in a small tree of its own for each thing that a rule names; the same
tree without it; and for each rule a fault that says where and what to write instead.
"""

from __future__ import annotations

import re

import pytest

from tidy import Fault, Tree, c, rules

CLEAN_C = '#include "wire/wire.h"\n\nint pos_wire_next(int a)\n{\n    return a;\n}\n'
CARD = "411111" + "1111111111"
OTHER = "453201" + "5112830366"  # passes the check and is on no list


def found(rule: rules.Rule, files: dict[str, str | bytes]) -> list[Fault]:
    return list(rule(Tree(files)))


def body(lines: int) -> str:
    return "int f(int a)\n{\n" + "    a++;\n" * (lines - 3) + "}\n"


PLANTED: list[tuple[str, rules.Rule, dict[str, str | bytes], int]] = [
    ("C uses a higher floor", rules.native_floors,
     {"native/wire/frame.c": '#include "wire/wire.h"\n#include "engine/engine.h"\n'}, 2),
    ("C uses its own floor", rules.native_floors,
     {"native/wire/frame.c": '#include "mac/mac.h"\n'}, 1),
    ("C goes in by the window", rules.native_floors,
     {"native/decide/x.c": '#include "state/tables.h"\n'}, 1),
    ("C room without a floor", rules.native_floors, {"native/attic/x.c": "int a;\n"}, 0),
    ("C uses a room without a floor", rules.native_floors,
     {"native/wire/x.c": '\n#include "attic/attic.h"\n'}, 2),
    ("Python uses a higher floor", rules.python_floors,
     {"src/posengine/desk/a.py": "import os\nfrom posengine.dispatch import deliver\n"}, 2),
    ("Python uses its own floor", rules.python_floors,
     {"src/posengine/dispatch/a.py": "from posengine.reconcile import match\n"}, 1),
    ("Python goes in by the window", rules.python_floors,
     {"src/posengine/dispatch/a.py": "from posengine.replay.source import Source\n"}, 1),
    ("Python within a function", rules.python_floors,
     {"src/posengine/desk/a.py": "def f():\n    import posengine.cli\n"}, 2),
    ("Python by the package's name", rules.python_floors,
     {"src/posengine/desk/a.py": "from posengine import dispatch\n"}, 1),
    ("Cython uses a higher floor", rules.python_floors,
     {"src/posengine/_native/a.pyx": "from posengine.codec import Spec\n"}, 1),
    ("Python room without a floor", rules.python_floors,
     {"src/posengine/attic/a.py": "x = 1\n"}, 0),
    *[
        (f"a file named {word}", rules.names, {f"src/posengine/{word}/a.py": ""}, 0)
        for word in sorted(rules.BANNED)
    ],
    ("a name with a banned word", rules.names, {"tools/string_utils.py": ""}, 0),
    ("a long C file", rules.sizes, {"native/wire/a.c": "\n" * 1501}, 0),
    ("a long Cython file", rules.sizes, {"src/posengine/_native/a.pyx": "\n" * 401}, 0),
    ("a long Python file", rules.sizes, {"src/posengine/desk/a.py": "\n" * 601}, 0),
    ("a long C function", rules.function_sizes, {"native/a/a.c": "\n" + body(71)}, 2),
    ("a long C function behind others", rules.function_sizes,
     {"native/a/a.c": CLEAN_C + "static const int t[] = {1, 2};\n" + body(71)}, 8),
    ("a long C function within extern C", rules.function_sizes,
     {"native/a/a.h": '#ifdef __cplusplus\nextern "C" {\n#endif\n' + body(71)}, 4),
    ("a long Python function", rules.function_sizes,
     {"a.py": "def f():\n" + "    x = 1\n" * 70}, 1),
    ("a long Python method", rules.function_sizes,
     {"a.py": "class A:\n    def f(self):\n" + "        x = 1\n" * 70}, 2),
    *[
        (f"{name} outside bytes", rules.byte_calls,
         {"native/wire/a.c": f"void f(void)\n{{\n    {name}(a, b, 3);\n}}\n"}, 3)
        for name in ("memcpy", "memset", "memcmp", "memmove", "strcpy", "sprintf")
    ],
    *[
        (f"{name} after open", rules.allocations,
         {"native/wire/a.c": f"void *f(void) {{ return {name} (8); }}\n"}, 1)
        for name in ("malloc", "calloc", "realloc", "strdup", "aligned_alloc")
    ],
    *[
        (f"{name} outside measure", rules.clocks,
         {"native/wire/a.c": f"void f(void)\n{{ {name}(x); }}\n"}, 2)
        for name in ("time", "clock_gettime", "gettimeofday", "localtime_r")
    ],
    ("print outside cli", rules.prints, {"src/posengine/desk/a.py": "\nprint(1)\n"}, 2),
    *[
        (f"{name} outside cli", rules.python_clocks,
         {"src/posengine/desk/a.py": f"x = 1\nx = {name}()\n"}, 2)
        for name in ("time.time", "time.time_ns", "datetime.now", "time.sleep", "date.today",
                     "datetime.datetime.now")
    ],
    ("a clock as a default", rules.python_clocks,
     {"src/posengine/desk/a.py": "def f(clock=time.time): ...\n"}, 1),
    ("a card", rules.card_numbers, {"docs/a.md": f"one\ntwo {OTHER}\n"}, 2),
    ("a card in quotes", rules.card_numbers, {"tests/a.py": f'PAN = "{OTHER}"\n'}, 1),
    ("a card in groups", rules.card_numbers,
     {"README.md": " ".join(OTHER[at : at + 4] for at in range(0, 16, 4))}, 1),
    ("a card with hyphens", rules.card_numbers,
     {"README.md": "-".join(OTHER[at : at + 4] for at in range(0, 16, 4))}, 1),
    ("a card in a track", rules.card_numbers, {"a.toml": f'track = "{OTHER}=3012"\n'}, 1),
    ("a mark that never lands", rules.notes, {"a.py": "# " + "FIX" + "ME later\n"}, 1),
    ("a note without an issue", rules.notes, {"native/a.c": "\n/* TO" + "DO: later */\n"}, 2),
    ("a binary", rules.binaries, {"tests/a.bin": b"\x7fELF\0"}, 0),
    ("bytes that are no text", rules.binaries, {"tests/a.txt": b"\xff\xfe"}, 0),
    ("a path of this machine", rules.machine_paths, {"a.md": "see /wo" + "rk/main/x\n"}, 1),
    ("a module that nobody imports", rules.dead_files,
     {"src/posengine/desk/attic.py": "x = 1\n", "src/posengine/desk/__init__.py": ""}, 0),
    ("a verb in no page", rules.undocumented,
     {"src/posengine/cli/__init__.py": 'VERBS = {\n    "juggle": ("juggle", "x"),\n}\n',
      "docs/a.md": "posengine juggler"}, 2),
    ("a name in no page", rules.undocumented,
     {"src/posengine/__init__.py": '    "Juggler": "posengine.juggle",\n', "docs/a.md": ""}, 1),
    ("a status in no page", rules.undocumented,
     {"native/include/posengine/status.def": 'POS_STATUS(DROPPED, US, "x")\n'}, 1),
    ("a header that nobody includes", rules.dead_files,
     {"native/wire/attic.h": "int a;\n", "native/wire/a.c": '#include "wire/wire.h"\n'}, 0),
]


@pytest.mark.parametrize(
    ("rule", "files", "line"),
    [each[1:] for each in PLANTED],
    ids=[each[0] for each in PLANTED],
)
def test_a_planted_violation_is_found_where_it_is(
    rule: rules.Rule, files: dict[str, str | bytes], line: int
) -> None:
    faults = found(rule, files)
    assert [fault.line for fault in faults] == [line], faults
    assert faults[0].path in files and faults[0].instead
    assert re.fullmatch(r"[^:]+(:\d+)?: \[\w+\] .+\. .+", str(faults[0]))


def test_every_rule_has_a_planted_violation() -> None:
    assert {each[1] for each in PLANTED} == set(rules.RULES)


CLEAN: dict[str, str | bytes] = {
    "native/wire/frame.c": '#include "wire/wire.h"\n#include "bytes/bytes.h"\n'
    '#include "posengine/codec.h"\n#include <string.h>\n'
    "/* memcpy(a, b) malloc(1) time(0) */\n"
    'static const char *text = "memset(x) } {";\n'
    "int pos_x(struct a *a)\n{\n    a->time(1);\n    return settime(2) + pos_copy(a.memcpy);\n}\n",
    "native/wire/wire.h": '#include "posengine/codec.h"\nint pos_x(struct a *a);\n',
    "native/bytes/copy.c": "void pos_copy(void)\n{\n    memcpy(a, b, 1);\n}\n",
    "native/measure/clock.c": "void f(void)\n{\n    clock_gettime(a, b);\n}\n",
    "native/state/state.c": "void *f(void) { return calloc(1, 2); }\n",
    "native/decide/x.c": '#include "state/state.h"\n#include "roster/roster.h"\n',
    "src/posengine/dispatch/__init__.py": "from posengine.dispatch.a import f\n",
    "src/posengine/dispatch/a.py": "from posengine.errors import PosError\n"
    "from posengine.replay import Replay\nfrom posengine.desk import Desk\n"
    "from posengine._native.journal import Handle\nimport posengine\n"
    "from posengine.journal.export import row\n"
    "def f(clock, sleep):\n    return clock(), sleep(1), 'print(1) time.time()'\n",
    "src/posengine/cli/show.py": "import time\nfrom posengine.dispatch import f\n"
    "print(time.time())\n",
    "docs/a.md": f"Card {CARD}, time 1795233600000000000, id 4532015112830367, hash "
    "4532015112830366abcdef, x'4532015112830366', amount 4444444444444, 0.4532015112830366\n"
    'off=48  field 42 "4532015112830366"\n',
    "tests/oracle/a.py": "# TO" + "DO (#12): more\nfrom oracle import b\n",
    "tests/oracle/b.py": "from oracle import a\n",
    "tests/unit/test_show.py": "from posengine.cli import show\n",
}


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_clean_code_has_no_faults(rule: rules.Rule) -> None:
    assert found(rule, CLEAN) == []


@pytest.mark.parametrize("lines", [3, 69, 70])
def test_a_function_of_seventy_lines_fits(lines: int) -> None:
    assert found(rules.function_sizes, {"native/a/a.c": body(lines)}) == []


def test_functions_are_measured_as_they_are_written() -> None:
    text = (
        "#define TWO(a) do { \\\n    (a)++; \\\n} while (0)\n"
        "struct pair { int a; };\n"
        "static const char *words[] = {\"a\", \"}\"};\n"
        "static int\nsum(struct pair *pair,\n    int b)\n{\n    if (b) { return 1; }\n"
        "    return 2;\n}\n"
        "int last(void) { return '}'; }\n"
    )
    measured = [(each.name, each.line, each.size) for each in c.functions(text)]
    assert measured == [("sum", 6, 7), ("last", 13, 1)]


def test_what_is_known_may_only_shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    files: dict[str, str | bytes] = {"src/posengine/desk/a.py": "print(1)\nprint(2)\n"}
    place = "src/posengine/desk/a.py [prints]"
    for count, wanted in ((0, 2), (1, 2), (2, 0), (3, 0)):
        known = {"known": {place: count}, "allocates": {}}
        monkeypatch.setattr(rules, "allowed", lambda known=known: known)
        faults = [each for each in rules.faults(Tree(files)) if each.rule == "prints"]
        assert len(faults) == wanted
        assert rules.stale(Tree(files)) == ([f"known {place!r} = 2"] if count == 3 else [])
