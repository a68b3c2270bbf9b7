"""Question: what does durability cost a record, beside the stores that people trust with it?

    .venv/bin/python bench/peers/stores.py

Records of 300 bytes in equal batches, each batch on disk before the next begins to count: ours a
page of the journal a batch (one flush a page), SQLite in WAL with synchronous
FULL, PostgreSQL by binary COPY with synchronous_commit. All take turns on the same disk, seven runs
each, with a sync before every run. Peers that cannot be had are named with the reason. Cost: two
minutes, 4 GiB of disk for a while.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(HOME / "bench"))

from asked import Reader  # noqa: E402
from had import BUILD, PEERS, Absent, command, ours, postgres, psycopg, tool  # noqa: E402
from record import Answer, compare, save  # noqa: E402

BATCHES = (64, 873)
RUNS = 7
BARS = {"SQLite FULL": 2.0, "PostgreSQL": 5.0}


def sqlite() -> list[str]:
    program = BUILD / "sqlite_store"
    command([tool("gcc", "gcc"), "-O3", str(PEERS / "sqlite_store.c"), "-lsqlite3", "-o",
             str(program)], HOME)  # fmt: skip
    return [str(program)]


@contextmanager
def postgres_running(home: Path) -> Iterator[Path]:
    """A PostgreSQL of its own, defaults for durability; its socket's folder. Not run as root."""
    programs = postgres()
    user: dict[str, object] = {}
    if os.geteuid() == 0:
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            raise Absent("PostgreSQL does not run as root, and there is no user postgres") from None
        user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        os.chown(home, owner.pw_uid, owner.pw_gid)
    data = home / "data"
    made = subprocess.run(
        [programs / "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8"],
        cwd=home, capture_output=True, text=True, check=False, **user,  # type: ignore[call-overload]
    )  # fmt: skip
    if made.returncode != 0:
        raise Absent(f"initdb: {made.stderr.strip().splitlines()[-1:]}")
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-k", home, "-c", "listen_addresses=",
         "-c", "max_wal_size=4GB", "-c", "shared_buffers=1GB"],
        cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user,  # type: ignore
    )  # fmt: skip
    try:
        for _ in range(100):
            ready = subprocess.run([programs / "pg_isready", "-h", home, "-U", "bench", "-q"],
                                   check=False)  # fmt: skip
            if ready.returncode == 0:
                break
            time.sleep(0.1)
        else:
            raise Absent("PostgreSQL did not start within 10 s")
        yield home
    finally:
        server.terminate()
        server.wait()


def started(name: str, batch: int, held: ExitStack) -> Reader:
    """A peer on an empty folder."""
    home = Path(tempfile.mkdtemp(dir=BUILD, prefix="store-"))
    held.callback(shutil.rmtree, home, ignore_errors=True)
    home.chmod(0o755)
    if name == "ours":
        given = [*ours("our_store.c"), str(home), str(batch)]
    elif name == "SQLite FULL":
        given = [*sqlite(), str(home), str(batch)]
    else:
        python = psycopg()
        folder = held.enter_context(postgres_running(home))
        given = [python, str(PEERS / "postgres_store.py"), str(folder), str(batch)]
    reader = Reader(given)
    held.callback(reader.close)
    return reader


def measured(batch: int, absent: dict[str, str]) -> dict[str, list[float]]:
    """Records a second of each, turn by turn."""
    with ExitStack() as held:
        running = {}
        for name in ("ours", *BARS):
            try:
                running[name] = started(name, batch, held)
                running[name].ask("run")  # the first: caches, files that grow
            except Absent as reason:
                absent[name] = str(reason)
                print(f"{name}: cannot be had: {reason}", flush=True)
        runs: dict[str, list[float]] = {name: [] for name in running}
        for _ in range(RUNS):
            for name, reader in running.items():
                os.sync()
                runs[name].append(float(reader.ask("run")[0]))
        return runs


def main() -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    absent: dict[str, str] = {}
    answers: list[Answer] = []
    for batch in BATCHES:
        runs = measured(batch, absent)
        answers += [
            compare(
                f"store batches of {batch}, beside {name}", runs["ours"], runs[name],
                unit="records a second", rival=name, better="more",
                at_least=BARS[name] if batch == max(BATCHES) else None,
            )
            for name in BARS if name in runs
        ]  # fmt: skip
    save("stores", (__doc__ or "").splitlines()[0], answers, absent=absent)


if __name__ == "__main__":
    main()
