"""`posengine keys`: the master key, and the terminals' master keys. 密钥管理

Nothing here prints a key: what is shown is check values.
"""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import sys
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from posengine.errors import KeyFault, PosError
from posengine.keys import (
    MASTER_KEY_VARIABLE,
    ClearKey,
    KeyFile,
    KeyFileError,
    associated,
    combined,
    key_bytes,
    load_master_key,
    make_master_key,
    read_csv,
    seal_tmk,
    sealing_key,
)
from posengine.mac import Key
from posengine.roster import Roster

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="The master key, and the terminals' master keys (TMK), enciphered. 密钥管理\n\n"
    "Begin with:\n\n"
    "    posengine keys master master.key\n\n"
    "    posengine keys add 10000159 880210010210160\n\n"
    "Check values are all that is ever shown. 只显示校验值,绝不显示密钥。",
)

FOUND, WRONG_USE = 1, 2


class Output(StrEnum):
    """How a person or a program gets it."""

    TABLE = "table"
    JSON = "json"


class Cipher(StrEnum):
    """Ciphers of a TMK."""

    DES = "des"
    SM4 = "sm4"


@dataclass(frozen=True, slots=True)
class Places:
    """The files that a command works on."""

    keys: Path
    master: Path
    roster: Path | None


Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="the engine's settings, which name the files below"),
]
KeysPath = Annotated[
    Path | None, typer.Option("--keys", "-k", help="the key file; else keys.jsonl")
]
MasterPath = Annotated[
    Path | None,
    typer.Option(
        "--master-key", "-m", help=f"its file; else ${MASTER_KEY_VARIABLE}, else master.key"
    ),
]
Form = Annotated[Output, typer.Option("--format", help="table for a person, json for a program")]
Tid = Annotated[str, typer.Argument(metavar="TID", help="terminal id, up to 8 characters 终端号")]
Mid = Annotated[str, typer.Argument(metavar="MID", help="merchant id, up to 15 characters 商户号")]


def _places(config: Path | None, keys: Path | None, master: Path | None) -> Places:
    """Options go first, then the environment, then the settings, then the defaults."""
    named: dict[str, Path] = {}
    if config is not None:
        try:
            engine = tomllib.loads(config.read_text("utf-8")).get("engine", {})
        except (OSError, ValueError):
            raise KeyFileError(f"{config}: cannot be read as TOML") from None
        for name in ("key_file", "master_key", "roster"):
            if isinstance(engine.get(name), str):
                named[name] = config.parent / engine[name]
    variable = os.environ.get(MASTER_KEY_VARIABLE)
    return Places(
        keys=keys or named.get("key_file") or Path("keys.jsonl"),
        master=master
        or (Path(variable) if variable else None)
        or named.get("master_key")
        or Path("master.key"),
        roster=named.get("roster"),
    )


def _wrong(text: str) -> typer.Exit:
    print(f"posengine: {text}", file=sys.stderr)
    return typer.Exit(WRONG_USE)


def _say(console: Console, form: Output, facts: list[dict[str, str]], title: str) -> None:
    if form is Output.JSON:
        print(json.dumps(facts, ensure_ascii=False))
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in facts[0] if facts else ("tid", "mid", "cipher", "kcv"):
        table.add_column(name, no_wrap=True)
    for fact in facts:
        table.add_row(*fact.values())
    console.print(table)


# ---- verbs -------------------------------------------------------------------------------------
@app.command()
def master(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="where to make it")],
) -> None:
    """Make a master key: 64 random hex characters, mode 0600. Never overwrites. 生成主密钥

    Example: posengine keys master master.key
    """
    make_master_key(path, random=secrets.token_bytes)
    print(f"made {path}: back it up where nobody else can read it; without it no key opens")


@app.command()
def add(
    tid: Tid,
    mid: Mid,
    tmk: Annotated[
        str, typer.Option(help="the TMK in hex; for tests: other users see it in `ps`")
    ] = "",
    tmk_file: Annotated[
        Path | None, typer.Option(help="a file that holds it in hex; - is standard input")
    ] = None,
    component: Annotated[
        list[str] | None, typer.Option(help="a component in hex; twice or more; for tests")
    ] = None,
    components: Annotated[int, typer.Option(help="ask for so many components, unseen")] = 0,
    kcv: Annotated[str, typer.Option(help="its check value in hex, checked")] = "",
    cipher: Annotated[Cipher, typer.Option(help="what the TMK is for")] = Cipher.DES,
    roster: Annotated[
        Path | None, typer.Option(help="also add the terminal to this roster, .toml or .csv")
    ] = None,
    config: Config = None,
    keys: KeysPath = None,
    master_key: MasterPath = None,
) -> None:
    """Give the engine a terminal: its TMK into the key file. Asks for it unseen. 添加终端主密钥

    Example: posengine keys add 10000159 880210010210160 --config engine.toml
    """
    places = _places(config, keys, master_key)
    siv = sealing_key(load_master_key(places.master))
    try:
        associated(tid, mid)  # a wrong name is told before a key is asked for
        clear = _clear_key(tmk, tmk_file, component or [], components)
        with Key("TMK", clear, cipher=cipher.value, kcv=key_bytes(kcv, "kcv")) as key:
            record = seal_tmk(tid, mid, key, siv)
    except KeyFault as error:
        raise _wrong(str(error)) from None
    with KeyFile.held(places.keys):
        file = KeyFile.load(places.keys, must_exist=False)
        is_replaced = file.add(record)
        file.save()
    word = "replaced in" if is_replaced else "added to"
    print(f"{tid} {mid}: TMK {word} {places.keys}, check value {record.kcv.hex().upper()}")
    place = roster or places.roster
    if place is not None and _enrol(place, tid, mid):
        print(f"{tid} {mid}: added to {place}")


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="FILE.csv", help="tid,mid,tmk[,kcv][,cipher]")],
    config: Config = None,
    keys: KeysPath = None,
    master_key: MasterPath = None,
) -> None:
    """Take TMKs in from a CSV file in the clear: all of its rows, or none. 批量导入

    The file is not deleted: do that, and so that it cannot be undone.

    Example: posengine keys import tmks.csv --config engine.toml
    """
    places = _places(config, keys, master_key)
    siv = sealing_key(load_master_key(places.master))
    rows = read_csv(source)
    records = []
    for row in rows:
        with _slot(source, row) as key:
            records.append(seal_tmk(row.tid, row.mid, key, siv))
    names = [(record.tid, record.mid) for record in records]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise KeyFileError(f"{source}: {' '.join(twice)} appears twice")
    with KeyFile.held(places.keys):
        file = KeyFile.load(places.keys, must_exist=False)
        replaced = sum(file.add(record) for record in records)
        file.save()
    unchecked = sum(not row.kcv for row in rows)
    print(
        f"{len(records)} keys into {places.keys}: {len(records) - replaced} new, {replaced}"
        f" replaced, {unchecked} without a check value to compare"
    )


@app.command()
def remove(tid: Tid, mid: Mid, config: Config = None, keys: KeysPath = None) -> None:
    """Drop a terminal's TMK. 删除终端主密钥

    Example: posengine keys remove 10000159 880210010210160
    """
    places = _places(config, keys, None)
    with KeyFile.held(places.keys):
        file = KeyFile.load(places.keys)
        if not file.remove(tid, mid):
            raise KeyFileError(f"{places.keys}: no key of {tid} {mid}")
        file.save()
    print(f"{tid} {mid}: removed from {places.keys}")


@app.command()
def check(
    form: Form = Output.TABLE,
    config: Config = None,
    keys: KeysPath = None,
    master_key: MasterPath = None,
) -> None:
    """Open every key and compare its check value. Exit code 1 where one fails. 检查密钥文件

    Example: posengine keys check --config engine.toml
    """
    places = _places(config, keys, master_key)
    siv = sealing_key(load_master_key(places.master))
    file = KeyFile.load(places.keys)
    faults = []
    for record in file:
        try:
            record.open(siv).wipe()
        except PosError as error:
            faults.append({"tid": record.tid, "mid": record.mid, "fault": str(error)})
    if form is Output.JSON:
        print(json.dumps({"keys": len(file), "faults": faults}, ensure_ascii=False))
    else:
        if faults:
            _say(Console(), form, faults, f"{places.keys}")
        print(f"{len(file)} keys, {len(faults)} faults")
    if faults:
        sys.exit(FOUND)


@app.command("list")
def list_(form: Form = Output.TABLE, config: Config = None, keys: KeysPath = None) -> None:
    """Terminals and the check values of their TMKs. Needs no master key. 列出校验值

    Example: posengine keys list --format json
    """
    places = _places(config, keys, None)
    facts = [
        {
            "tid": record.tid,
            "mid": record.mid,
            "cipher": record.cipher,
            "kcv": record.kcv.hex().upper(),
        }
        for record in KeyFile.load(places.keys)
    ]
    _say(Console(), form, facts, f"{places.keys}: {len(facts)} keys")


# ---- what the verbs are made of -----------------------------------------------------------------
def _clear_key(tmk: str, tmk_file: Path | None, component: list[str], components: int) -> bytes:
    """The TMK from whichever one way was chosen; asked for, unseen, where none was."""
    ways = [bool(tmk), tmk_file is not None, bool(component), components > 0]
    if sum(ways) > 1:
        raise _wrong("give the TMK one way: --tmk, --tmk-file, --component or --components")
    if tmk:
        return key_bytes(tmk, "--tmk")
    if tmk_file is not None:
        return key_bytes(_text_of(tmk_file).strip(), str(tmk_file))
    if component:
        return combined([key_bytes(text, "--component") for text in component])
    if components > 0:
        return combined([
            key_bytes(_asked(f"component {number} of {components}"), f"component {number}")
            for number in range(1, components + 1)
        ])
    return key_bytes(_asked("TMK in hex 终端主密钥"), "TMK")


def _text_of(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        raise KeyFileError(f"{path}: cannot be read") from None


def _asked(what: str) -> str:
    return str(typer.prompt(what, hide_input=True, err=True))


def _slot(source: Path, row: ClearKey) -> Key:
    try:
        associated(row.tid, row.mid)
        return Key("TMK", row.tmk, cipher=row.cipher, kcv=row.kcv)
    except (PosError, ValueError) as error:
        raise KeyFileError(f"{source}:{row.line}: {error}") from None


def _enrol(path: Path, tid: str, mid: str) -> bool:
    """Adds the terminal to a roster, as its defaults say; False where it stands there already.

    Raises:
        RosterError: the roster is wrong, before or after; it is then left as it was.
        KeyFileError: the TID stands there under another merchant, or the file cannot be written.
    """
    known = {terminal.tid: terminal.mid for terminal in Roster.load(path).terminals}
    if tid in known:
        if known[tid] != mid:
            raise KeyFileError(f"{path}: {tid} is there, of merchant {known[tid]}")
        return False
    text = path.read_text("utf-8")
    if path.suffix == ".csv":
        head = next(csv.reader(io.StringIO(text)))
        row = io.StringIO()
        cells = {"tid": tid, "mid": mid}
        csv.writer(row, lineterminator="\n").writerow([cells.get(name, "") for name in head])
        addition = row.getvalue()
    else:
        addition = f"\n[[terminal]]\ntid = {json.dumps(tid)}\nmid = {json.dumps(mid)}\n"
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        beside.write_text(text + ("" if text.endswith("\n") else "\n") + addition, "utf-8")
        beside.chmod(path.stat().st_mode & 0o777)
        Roster.load(beside)
        os.replace(beside, path)
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        beside.unlink(missing_ok=True)
    return True
