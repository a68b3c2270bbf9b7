"""A plan: what load, by which terminals, in which manner. Read from TOML, checked, handed on.

    posload quick --host 127.0.0.1 --port 9000 --roster terminals.csv --rate 5000
    posload run plan.toml

A mistake is told with its key and what would be right. The Rust side takes lines of ``key value``
and trusts nothing either, but its words are for programmers.
"""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

ARRIVALS = ("closed", "constant", "poisson", "recorded")
MACS = ("unionpay-ecb", "x9.9", "x9.19", "sm4-unionpay")
SIGN_ONS = ("001", "003", "004", "005", "006")
FORMS = ("manual", "chip")
KINDS = ("sale", "void", "refund", "balance", "reversal")
FAULTS = ("wrong_mac", "repeat", "cut", "late_reversal")
# Field 48 has three digits for a count; with room for what is under way when it is noticed.
BATCH_MAX = 900


class PlanError(ValueError):
    """The plan asks for something that is not there; the text says what would be right."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """One terminal of the roster: eight characters, fifteen characters, its master key."""

    tid: str
    mid: str
    tmk: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """A run. Times in seconds; amounts in fen; shares from 0 to 1."""

    port: int
    host: str = "127.0.0.1"
    connections: int = 16
    depth: int = 16
    threads: int = 1
    per_terminal: int = 0
    duration_s: float = 10.0
    count: int = 0
    arrival: str = "closed"
    rate: float = 0.0
    due_file: str = ""
    seed: int = 1
    mac: str = "unionpay-ecb"
    mac_as_hex: bool = False
    sign_on: str = "003"
    form: str = "manual"
    tpdu: str = "6000030000"
    header: str = "603100311312"
    batch: int = 1
    stan_first: int = 1
    cards: int = 1_000
    amount_min: int = 1
    amount_max: int = 100_00
    mix: dict[str, int] = field(default_factory=lambda: {"sale": 1})
    faults: dict[str, float] = field(default_factory=dict)
    slow_readers: int = 0
    slow_s: float = 1.0
    batch_max: int = BATCH_MAX
    settles: bool = True
    clears: bool = False
    verifies: bool = True
    drain_s: float = 10.0
    tick_s: float = 0.0001
    interval_s: float = 1.0
    quiet: bool = False
    terminals: tuple[Terminal, ...] = ()

    @staticmethod
    def load(path: Path) -> Plan:
        """A plan out of a TOML file; the roster and the due times are looked for beside it.

        Raises:
            PlanError: an unknown key, a value out of range, a file that is not there.
        """
        try:
            words = tomllib.loads(path.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise PlanError(f"{path}: {error}") from error
        try:
            return plan_of(words, beside=path.parent)
        except PlanError as error:
            raise PlanError(f"{path}: {error}") from error

    def lines(self) -> str:
        """As the Rust side reads it."""
        per_terminal = self.per_terminal or -(-self.connections * self.depth // len(self.terminals))
        facts: dict[str, object] = {
            "host": self.host, "port": self.port, "connections": self.connections,
            "depth": self.depth, "per_terminal": per_terminal, "threads": self.threads,
            "duration_ns": _ns(self.duration_s), "count": self.count, "arrival": self.arrival,
            "rate": self.rate, "due_file": self.due_file or "-", "seed": self.seed,
            "mac": self.mac, "mac_as_hex": _word(self.mac_as_hex), "sign_on": self.sign_on,
            "form": self.form, "tpdu": self.tpdu, "header": self.header, "batch": self.batch,
            "stan_first": self.stan_first, "cards": self.cards, "amount_min": self.amount_min,
            "amount_max": self.amount_max,
            "mix": " ".join(str(self.mix.get(kind, 0)) for kind in KINDS),
            "faults": " ".join(str(float(self.faults.get(fault, 0))) for fault in FAULTS),
            "slow_readers": self.slow_readers, "slow_ns": _ns(self.slow_s),
            "batch_max": self.batch_max, "settles": _word(self.settles),
            "clears": _word(self.clears), "verifies": _word(self.verifies),
            "drain_ns": _ns(self.drain_s), "tick_ns": _ns(self.tick_s),
            "interval_ns": _ns(self.interval_s), "is_quiet": _word(self.quiet),
        }  # fmt: skip
        text = [f"{key} {value}" for key, value in facts.items()]
        text += [f"terminal {one.tid} {one.mid} {one.tmk.hex()}" for one in self.terminals]
        return "\n".join(text)

    def __post_init__(self) -> None:
        for wrong in _mistakes(self):
            raise PlanError(wrong)


def _mistakes(plan: Plan) -> list[str]:
    """What is wrong with a plan, the first things first."""
    found = []
    for name, value, known in (
        ("arrival", plan.arrival, ARRIVALS), ("mac", plan.mac, MACS),
        ("sign_on", plan.sign_on, SIGN_ONS), ("form", plan.form, FORMS),
    ):  # fmt: skip
        if value not in known:
            found.append(f"{name} is one of {', '.join(known)}, not {value!r}")
    ranges: tuple[tuple[str, float, float, float], ...] = (
        ("port", plan.port, 1, 65_535), ("connections", plan.connections, 1, 20_000),
        ("depth", plan.depth, 1, 10_000), ("threads", plan.threads, 1, 2),
        ("stan_first", plan.stan_first, 1, 999_999), ("batch", plan.batch, 0, 999_999),
        ("cards", plan.cards, 1, 1_000_000), ("amount_min", plan.amount_min, 1, 10**11),
        ("amount_max", plan.amount_max, plan.amount_min, 10**11),
        ("batch_max", plan.batch_max, 1, 999_999), ("duration_s", plan.duration_s, 0, 86_400),
        ("interval_s", plan.interval_s, 0.01, 3_600), ("tick_s", plan.tick_s, 0, 1),
    )  # fmt: skip
    for name, number, low, high in ranges:
        if not low <= number <= high:
            found.append(f"{name} is {low} to {high}, not {number}")
    if plan.arrival in ("constant", "poisson") and plan.rate <= 0:
        found.append(f"an arrival of {plan.arrival} needs a rate above 0, in requests a second")
    if plan.arrival == "recorded" and not Path(plan.due_file).is_file():
        found.append(f"due_file {plan.due_file!r} is not there: due times in ns, one a line")
    if not plan.terminals:
        found.append("no terminals: name a roster, a file of tid,mid,tmk with a header line")
    elif len(plan.terminals) < plan.connections:
        found.append(
            f"{plan.connections} connections need as many terminals; there are "
            f"{len(plan.terminals)}"
        )
    for name, words, known in (("mix", plan.mix, KINDS), ("faults", plan.faults, FAULTS)):
        for word in words:
            if word not in known:
                found.append(f"{name} has {', '.join(known)}, not {word!r}")
    if sum(plan.mix.values()) <= 0 or min(plan.mix.values()) < 0:
        found.append("mix needs weights, at least one above 0")
    if plan.faults and not 0 <= sum(plan.faults.values()) <= 1:
        found.append("faults are shares of the sales; together at most 1")
    return found


def plan_of(words: dict[str, Any], *, beside: Path = Path()) -> Plan:
    """A plan out of the tables of a TOML file."""
    words = dict(words)
    known = {one.name for one in fields(Plan)} - {"terminals"}
    roster = words.pop("roster", None)
    for word in words:
        if word not in known:
            raise PlanError(f"no such key: {word!r}; there are {', '.join(sorted(known))}, roster")
    if words.get("due_file"):
        words["due_file"] = str(beside / words["due_file"])
    if "port" not in words:
        raise PlanError("port is missing: where the host listens")
    if roster is not None:
        words["terminals"] = roster_of(beside / str(roster))
    try:
        return Plan(**words)
    except TypeError as error:
        raise PlanError(str(error)) from error


def roster_of(path: Path) -> tuple[Terminal, ...]:
    """Terminals out of comma-separated values: tid,mid,tmk, a line each; test keys only."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise PlanError(f"roster {path}: {error}") from error
    terminals = []
    for number, row in enumerate(rows, start=2):
        try:
            terminal = Terminal(row["tid"].strip(), row["mid"].strip(), bytes.fromhex(row["tmk"]))
        except (KeyError, ValueError, AttributeError) as error:
            raise PlanError(f"{path}:{number}: tid,mid,tmk are wanted") from error
        if len(terminal.tid) != 8 or len(terminal.mid) != 15:
            raise PlanError(f"{path}:{number}: a tid has 8 characters, a mid 15")
        if len(terminal.tmk) not in (8, 16):
            raise PlanError(f"{path}:{number}: a tmk has 8 or 16 bytes")
        terminals.append(terminal)
    return tuple(terminals)


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def _word(value: bool) -> str:
    return "true" if value else "false"
