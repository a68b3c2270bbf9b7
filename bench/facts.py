"""Question: what does it cost to say what a message is, what is kept of it, what is answered?

    .venv/bin/python bench/facts.py [RUNS]

Five kinds of UnionPay messages, 512 a wave and already parsed, go through the recipes of the core
and, turn by turn, through the slow doors that are their oracle: `read` is rule, presence, MAC
coverage and facts; `redact` what the journal keeps; `answer` the journal's template and the reply.
Every result of one way is compared with the other's, byte by byte, before anything is timed.
Figures are ns of CPU a message, without a bar; they go to build/bench/facts.json. Cost: 30 seconds
and one core.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from record import compare, save

from posengine.codec import Spec

HOME = Path(__file__).resolve().parent.parent
BUILD = HOME / "build" / "bench"
RUNS = 15
STAGES = ("read", "redact", "answer")
FLAGS = ["-std=c11", "-O3", "-D_GNU_SOURCE", "-DPOS_BUILD", "-fstack-protector-strong"]
# CMakeLists.txt gives files whose suffix names a processor their flags.
SUFFIX = re.compile(
    r'MATCHES "(_\w+)\\\\\.c\$"\)\s+set_source\S+ PROPERTIES COMPILE_OPTIONS\s+"([^"]+)"'
)


def build() -> Path:
    """The program with the rooms that it needs, compiled afresh."""
    folder = BUILD / "facts_timing.objects"
    folder.mkdir(parents=True, exist_ok=True)
    includes = [f"-I{HOME / 'native'}", f"-I{HOME / 'native' / 'include'}"]
    sources = [HOME / "bench" / "facts_timing.c"]
    for room in ("message", "bytes", "status", "measure"):
        sources += sorted((HOME / "native" / room).glob("*.c"))
    suffixes = dict(SUFFIX.findall((HOME / "CMakeLists.txt").read_text()))
    objects = []
    for source in sources:
        named = [flags for name, flags in suffixes.items() if source.stem.endswith(name)]
        target = folder / f"{source.parent.name}_{source.stem}.o"
        own = named[0].split(";") if named else []
        command = ["cc", *FLAGS, *own, *includes, "-c", str(source), "-o", str(target)]
        subprocess.run(command, check=True)
        objects.append(str(target))
    program = BUILD / "facts_timing"
    subprocess.run(["cc", *objects, "-o", str(program)], check=True)
    return program


def main() -> None:
    """Measure, print, save."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    image = BUILD / "facts_timing.image"
    program = build()
    image.write_bytes(Spec.load("unionpay-terminal").image)
    done = subprocess.run(
        [program, str(image), str(runs)], check=True, capture_output=True, text=True
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    answers = []
    for kind in dict.fromkeys(row["kind"] for row in rows):
        ours = [row for row in rows if row["kind"] == kind]
        for stage in STAGES:
            slow, fast = zip(*(row[stage] for row in ours), strict=True)
            answers.append(compare(
                f"{kind}: {stage}", fast, slow, unit="ns a message", rival="slow doors",
                better="less",
            ))  # fmt: skip
    save("facts", (__doc__ or "").splitlines()[0].removeprefix("Question: "), answers)


if __name__ == "__main__":
    main()
