"""The stage of a demonstration: a directory with everything an acquirer needs, and nothing shared.

HOME/  terminals.csv     test terminals and their keys, the terminals' side
       roster.toml       the same terminals without keys, the host's side
       policy.toml  posengine.toml  downloads/  dispatch.toml
       keys/  journal/   made by the verbs that own them
       sent/  statement/ what customers get, what they send
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from posengine.errors import PosError, Whose
from posengine.simulate import Identity
from posengine.simulate.terminals import write_terminals

MERCHANTS = 8
MERCHANT_NAMES = (
    "东城便利店",
    "西城书店",
    "南门药房",
    "北站餐厅",
    "河滨酒店",
    "山口加油站",
    "湖畔超市",
    "海港酒楼",
)
MARK = ".posengine-demo"
WEBHOOK_FIELDS = (
    "sequence", "kind", "outcome", "amount_minor", "currency", "tid", "stan", "rrn", "pan_masked",
)  # fmt: skip

POLICY = """\
# The demonstration's policy: what differs from the one that ships with posengine.
[answers]
requirement_sign_on = 1 # terminals fetch their parameters after signing on

[kinds.SALE]
amount_max = "480.00" # so that some sales are declined, with 61
"""

PARAMETERS = """\
# 62 of a parameter download: tag of two digits and value
1160
1203
18posengine demo
"""


class StageFault(PosError):
    """The directory cannot be used."""

    whose: ClassVar[Whose] = "operator"


@dataclass(frozen=True, slots=True)
class Stage:
    """A prepared directory and the addresses that its players use."""

    home: Path
    port: int
    webhook_merchant: str
    csv_merchant: str

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def path(self, name: str) -> Path:
        return self.home / name


def set_stage(
    home: Path, terminals: Sequence[Identity], *, random: Callable[[int], bytes]
) -> Stage:
    """Empties or makes ``home`` and writes every file that needs no other process.

    Raises:
        StageFault: ``home`` holds something that no demonstration made, or cannot be made.
    """
    if home.exists() and any(home.iterdir()) and not (home / MARK).exists():
        raise StageFault(f"{home} is not empty and not of a demonstration: choose another --home")
    shutil.rmtree(home, ignore_errors=True)
    try:
        for name in ("downloads", "sent", "statement", "logs"):
            (home / name).mkdir(parents=True)
    except OSError as error:
        raise StageFault(f"{home}: {error.strerror}: choose another --home") from None
    (home / MARK).write_text("made by posengine demo; it may be deleted\n", encoding="utf-8")
    merchants = sorted({one.mid for one in terminals})
    stage = Stage(home, _free_port(), merchants[0], merchants[1 % len(merchants)])
    write_terminals(stage.path("terminals.csv"), terminals)
    _write(stage.path("roster.toml"), _roster(terminals, merchants))
    _write(stage.path("policy.toml"), POLICY)
    _write(stage.path("downloads/360.txt"), PARAMETERS)
    _write(stage.path("posengine.toml"), _configuration(stage))
    _write_secret(stage.path("master.key"), random(32).hex() + "\n")
    _write_secret(
        stage.path("webhook.secret"), "whsec_" + base64.b64encode(random(32)).decode() + "\n"
    )
    return stage


def write_dispatch(stage: Stage, webhook_port: int) -> None:
    """The subscriptions: one merchant by webhook, one by daily file."""
    fields = ", ".join(f'"{name}"' for name in WEBHOOK_FIELDS)
    _write(
        stage.path("dispatch.toml"),
        f"""\
journal = "journal"
desk = "desk.sqlite"

[[subscription]]
name = "webhook"
merchants = ["{stage.webhook_merchant}"]
fields = [{fields}]

[subscription.webhook]
url = "http://127.0.0.1:{webhook_port}/pos"
secrets = "webhook.secret"

[[subscription]]
name = "daily"
merchants = ["{stage.csv_merchant}"]
outcomes = ["APPROVED"]
fields = [{fields}]

[subscription.csv]
directory = "sent"
publish_open = true
""",
    )


def _roster(terminals: Sequence[Identity], merchants: Sequence[str]) -> str:
    lines = ["# Terminals and merchants of the demonstration. 演示用终端与商户", ""]
    for index, mid in enumerate(merchants):
        name = MERCHANT_NAMES[index % len(MERCHANT_NAMES)]
        lines += ["[[merchant]]", f'mid = "{mid}"', f'name = "{name}"', ""]
    for one in terminals:
        lines += ["[[terminal]]", f'tid = "{one.tid}"', f'mid = "{one.mid}"', ""]
    return "\n".join(lines)


def _configuration(stage: Stage) -> str:
    return f"""\
# One engine. Every setting is explained in docs/reference/configuration.md.
[engine]
spec = "unionpay-terminal"
roster = "roster.toml"
policy = "policy.toml"
downloads = "downloads"
master_key = "master.key"
key_file = "terminals.keys"

[journal]
path = "journal"
keystore = "working.keys"
volume_size_max = 268435456

[front]
listen = ["{stage.address}"]
control = "control.sock"

[limits]
terminals_max = 4096
postings_max = 1048576
repeats_max = 2097152
bad_macs_max = 100 # the fleet sends wrong MACs on purpose; five a minute is the default
"""


def _free_port() -> int:
    """A port that nobody uses now. Another program could take it before the engine does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(text)
