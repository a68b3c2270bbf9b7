"""A small acquirer for tests: one merchant, some terminals, test keys, in a directory of its own.

``Shop`` gives the images to an engine in this process; ``Shop.write`` puts the operator's files
into a directory for ``posengine serve``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from oracle.terminal import TPDU, Terminal
from posengine.codec import Spec
from posengine.engine.engine import Engine
from posengine.keys import KeyFile, seal_tmk, sealing_key
from posengine.mac import Key
from posengine.roster import Policy, Roster, SealedKey
from posengine.roster.terminals import Terminal as Known

MASTER_KEY = bytes(range(32))
TMK = bytes.fromhex("11" * 16)
MID = "104110045110012"
# 2026-11-21 12:00:00 UTC: 20:00 in China.
NOON_NS = 1_795_262_400 * 10**9
POLICY = """\
[acquirer]
id = "00010000"
organization = "CUP"
[time]
cutover = "00:00"
"""


@dataclass
class Clock:
    """A clock that goes when it is told to."""

    now_ns: int = NOON_NS
    step_ns: int = 1_000

    def __call__(self) -> int:
        self.now_ns += self.step_ns
        return self.now_ns


@dataclass
class Shop:
    """``count`` terminals with TIDs from 10000001 on, all of one merchant."""

    home: Path
    count: int = 4
    settings: dict[str, int | str] = field(default_factory=dict)
    line_nii: int = 0
    mid: str = MID
    clock: Clock = field(default_factory=Clock)
    log: list[str] = field(default_factory=list)
    policy_text: str = POLICY
    extra_tids: list[str] = field(default_factory=list)

    def tids(self) -> list[str]:
        return [*(f"{10_000_001 + index}" for index in range(self.count)), *self.extra_tids]

    def terminal(self, index: int = 0, *, tpdu: bytes = TPDU) -> Terminal:
        return Terminal(self.tids()[index], self.mid, TMK, tpdu=tpdu)

    def roster(self) -> Roster:
        siv_key = sealing_key(MASTER_KEY)
        record = {tid: seal_tmk(tid, self.mid, Key("TMK", TMK), siv_key) for tid in self.tids()}
        return Roster(
            tuple(
                Known(
                    tid=tid,
                    mid=self.mid,
                    merchant_name="示例商户",
                    line_nii=self.line_nii,
                    key=SealedKey(record[tid].sealed, record[tid].kcv),
                )
                for tid in self.tids()
            )
        )

    def policy(self) -> Policy:
        file = self.home / "policy.toml"
        file.write_text(self.policy_text, "utf-8")
        return Policy.load(file)

    def spec(self) -> Spec:
        return Spec.load("unionpay-terminal")

    def engine(self, **changes: object) -> Engine:
        """An engine over this shop's journal, with a clock of its own and small tables."""
        settings: dict[str, int | str] = {
            "terminals_max": 1_024, "postings_max": 16_384, "repeats_max": 32_768,
            "volume_size_max": 16 << 20, "page_entries_max": 256, "page_size_max": 1 << 20,
            "zone_offset_minute": 480, **self.settings,
        }  # fmt: skip
        options: dict[str, object] = {
            "master_key": MASTER_KEY, "clock": self.clock, "settings": settings,
            "log": self.log.append, **changes,
        }  # fmt: skip
        return Engine(
            self.spec(), self.roster(), self.policy(), self.home / "journal", **options  # type: ignore[arg-type]
        )

    # ---- the operator's files --------------------------------------------------------------------
    def write(
        self,
        *,
        listen: str = "127.0.0.1:0",
        front: dict[str, int] | None = None,
        journal: dict[str, int] | None = None,
        **limits: int,
    ) -> None:
        """Everything that ``posengine serve --config`` reads, under ``home``."""
        tables = {
            "engine": {
                "spec": "unionpay-terminal", "roster": "roster.toml", "policy": "policy.toml",
                "key_file": "terminals.keys", "master_key": "master.key",
            },
            "journal": {
                "path": "journal", "keystore": "working.keys", "volume_size_max": 64 << 20,
                **(journal or {}),
            },
            "front": {
                "listen": [listen], "control": "control.sock", **(front or {}),
            },
            "limits": {
                "terminals_max": 1_024, "postings_max": 262_144, "repeats_max": 524_288, **limits,
            },
            "restarts": {"delay_s": 0.01, "quick_s": 0.1},
        }  # fmt: skip
        text = "".join(
            f"[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in table.items())
            for name, table in tables.items()
        )
        (self.home / "posengine.toml").write_text(text, "utf-8")
        (self.home / "policy.toml").write_text(self.policy_text, "utf-8")
        key = self.home / "master.key"
        key.touch(mode=0o600)
        key.write_text(MASTER_KEY.hex())
        self.write_roster()

    def write_roster(self) -> None:
        """Roster and key file of all terminals."""
        siv_key = sealing_key(MASTER_KEY)
        keys = KeyFile.load(self.home / "terminals.keys", must_exist=False)
        for tid in self.tids():
            keys.add(seal_tmk(tid, self.mid, Key("TMK", TMK), siv_key))
        keys.save()
        lines = [f'[[merchant]]\nmid = "{self.mid}"\nname = "示例商户"\n']
        lines += [f'[[terminal]]\ntid = "{tid}"\nmid = "{self.mid}"\n' for tid in self.tids()]
        (self.home / "roster.toml").write_text("".join(lines), "utf-8")


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else json.dumps(value)
