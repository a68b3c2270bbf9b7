"""Configuration: ``posengine.toml``, read whole and checked before anything is opened.

Every fault names the file, the key and the rule; a key that nobody reads is a fault. Relative paths
start from the file's own directory.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from posengine.keys import MASTER_KEY_VARIABLE
from posengine.settings import Table, read_toml


@dataclass(frozen=True, slots=True)
class Restarts:
    """How the supervisor starts an engine again that ended by itself."""

    delay_s: float
    delay_s_max: float
    quick_s: float
    """An engine that lived less long than this ended quickly."""
    quick_max: int
    """So many quick ends in a row, and the supervisor gives up."""


@dataclass(frozen=True, slots=True)
class Saving:
    """How often the supervisor has a snapshot of the state made."""

    every_s: float
    """0: never."""
    entries_min: int
    """With fewer entries since the newest one nothing is made."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """One engine: its images, its journal, its sockets and its limits."""

    file: Path
    spec: str
    """Name of a shipped dialect, or the path of a TOML file."""
    spec_settings: dict[str, object]
    """As ``Spec.load`` takes them: path in the dialect -> value."""
    roster: Path
    policy: Path
    downloads: Path | None
    """Directory of what terminals download; None: nothing is offered."""
    master_key: Path
    key_file: Path
    journal: Path
    keystore: Path
    listen: tuple[str, ...]
    control: Path
    core_dumps: bool
    engine: dict[str, int | str]
    """Numbers of the engine by the names of ``pos_engine_options``; absent: the default."""
    front: dict[str, int]
    """The same of ``pos_front_options``."""
    restarts: Restarts
    saving: Saving


_ENGINE_LIMITS = {
    "terminals_max": 1_048_576,
    "postings_max": 2**31,
    "repeats_max": 2**31,
    "repeat_window_h": 24 * 400,
    "wave_frames_max": 65_536,
    "bad_macs_max": 1_000_000,
    "lock_s": 86_400 * 30,
}
_JOURNAL_LIMITS = {
    "volume_size_max": 2**44,
    "page_entries_max": 65_536,
    "page_size_max": 2**30,
    "volumes_max": 2**31,
}
# Below these one large entry, or one reply, would find no room.
_LEAST = {"page_size_max": 65_536, "out_size_max": 8_192}
_FRONT_LIMITS = {
    "connections_max": 1_000_000,
    "in_flight_max": 65_536,
    "out_size_max": 2**24,
    "idle_s": 86_400,
    "frame_s": 3_600,
    "drain_s": 3_600,
}


def read_configuration(file: str | Path) -> Configuration:
    """Read ``posengine.toml``.

    Raises:
        SettingsError: absent, no TOML, or a key that is unknown, absent or out of its range.
    """
    top = read_toml(file)
    engine = top.table("engine")
    journal = top.table("journal")
    front = top.table("front")
    limits = top.table("limits")
    restarts = top.table("restarts")
    saving = top.table("state")
    configuration = Configuration(
        file=Path(file),
        spec=_spec_of(engine),
        spec_settings=engine.free("spec_settings"),
        roster=engine.path("roster"),
        policy=engine.path("policy"),
        downloads=engine.path("downloads") if "downloads" in engine else None,
        master_key=_master_key_of(engine),
        key_file=engine.path("key_file"),
        journal=journal.path("path"),
        keystore=journal.path("keystore"),
        listen=front.texts("listen"),
        control=front.path("control"),
        core_dumps=engine.truth("core_dumps", False),
        engine={**_numbers(limits, _ENGINE_LIMITS), **_journal_of(journal)},
        front=_numbers(front, _FRONT_LIMITS),
        restarts=_restarts_of(restarts),
        saving=Saving(
            every_s=saving.seconds("save_every_s", 60.0, most=86_400),
            entries_min=saving.number("save_entries_min", 100_000, least=1, most=2**40),
        ),
    )
    for table in (engine, journal, front, limits, restarts, saving, top):
        table.finish()
    if not configuration.listen:
        raise front.fault("listen", "an engine that serves needs an address")
    return configuration


def _spec_of(engine: Table) -> str:
    """A name stays a name; what ends in .toml is a path from the file's directory."""
    spec = engine.text("spec")
    return str(engine.home / spec) if spec.endswith(".toml") else spec


def _master_key_of(engine: Table) -> Path:
    """The variable goes before the file, so that a secret store can hand in its own."""
    path = engine.path("master_key")
    return Path(os.environ.get(MASTER_KEY_VARIABLE) or path)


def _journal_of(journal: Table) -> dict[str, int | str]:
    taken: dict[str, int | str] = dict(_numbers(journal, _JOURNAL_LIMITS))
    taken["durability"] = journal.choice("durability", ("late", "full"), "late")
    taken["keep_pan"] = journal.truth("keep_pan", False)
    return taken


def _numbers(table: Table, limits: dict[str, int]) -> dict[str, int]:
    return {
        name: table.number(name, least=_LEAST.get(name, 1), most=most)
        for name, most in limits.items()
        if name in table
    }


def _restarts_of(table: Table) -> Restarts:
    return Restarts(
        delay_s=table.seconds("delay_s", 0.2, most=60),
        delay_s_max=table.seconds("delay_s_max", 10.0, most=3_600),
        quick_s=table.seconds("quick_s", 5.0, most=3_600),
        quick_max=table.number("quick_max", 5, least=1, most=1_000),
    )
