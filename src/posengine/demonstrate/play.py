"""An acquirer in one command, act by act; every process is a verb that can be typed.

    set the stage ─▶ keys import ─▶ serve ─▶ receiver, dispatch
                                      ▲          ▲
    fleet of terminals ───────────────┘          │
    settled ─▶ stat ─▶ dispatch done ─▶ engine drained ─▶ the checks

What was started is ended whatever happens, and the directory stays for a look unless it is told not
to.
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import posengine
from posengine.demonstrate import checks, players, statement
from posengine.demonstrate.checks import Check
from posengine.demonstrate.players import Player, PlayerFault
from posengine.demonstrate.stage import MERCHANTS, Stage, set_stage, write_dispatch
from posengine.journal import Journal
from posengine.simulate import Faults, Identity, Plan, Report
from posengine.simulate.terminals import make_terminals
from posengine.simulate.workers import Beliefs, run_fleet

FAULTS = (
    "lost=0.003,unsent=0.002,late=0.003,crossed=0.001,repeat=0.01,twin=0.002,mac=0.001,cut=0.003"
)
START_S_MAX = 60.0
DELIVER_S_MAX = 90.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What is shown, and how much of it."""

    home: Path
    transactions: int = 50_000
    terminals: int = 200
    seed: int = 1
    rate: float = 1_000.0  # transactions a second; 0: as fast as the engine answers
    seconds_max: float = 120.0  # for the transactions and their settlements
    faults: str = FAULTS
    workers: int = 1


@dataclass(slots=True)
class World:
    """Time and chance, handed in; ``tell`` hears of each act, ``draw`` sees the fleet's report."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[int], bytes]
    tell: Callable[[str, str], None]
    draw: Callable[[Report], None]


@dataclass(slots=True)
class Outcome:
    """What happened, what was checked, and what can be typed next."""

    report: Report
    checks: list[Check]
    next_commands: list[tuple[str, str, str]] = field(default_factory=list)  # command, en, zh

    @property
    def is_right(self) -> bool:
        return all(check.is_right is not False for check in self.checks)


def play(settings: Settings, world: World) -> Outcome:
    """The whole demonstration. Raises: PlayerFault, StageFault, Address."""
    terminals = make_terminals(
        settings.terminals, merchants=min(MERCHANTS, settings.terminals), seed=settings.seed
    )
    world.tell("setting the stage: keys, terminals, policy", "准备密钥、终端与规则")
    stage = set_stage(settings.home, terminals, random=world.random)
    _import_keys(stage)
    with ExitStack() as ending:
        engine = _start_engine(stage, world, ending)
        port = _start_receiver(stage, world, ending)
        dispatch = players.start(
            "dispatch",
            players.verb("dispatch", "--config", str(stage.path("dispatch.toml")), "--follow"),
            home=stage.path("logs"),
        )
        ending.callback(dispatch.end)
        world.tell(f"{len(terminals)} terminals sign on and trade", "终端签到并交易")
        report, beliefs = _run_fleet(settings, stage, terminals, world)
        counts = _engine_counts(stage)
        world.tell("customers get what is theirs", "向商户推送")
        _wait_for_events(stage, port, world)
        dispatch.end()
        _deliver_the_rest(stage)
        engine_code = engine.end()
        world.tell("checking from other sides", "多方核对")
        found = _checks(settings, stage, terminals, report, beliefs, counts, port)
    if engine_code != 0:
        text = f"it ended with {engine_code}:\n{engine.last_words()}"
        found.insert(0, Check("the engine drained and ended", "引擎正常退出", False, text))
    return Outcome(report, found, _next_commands(stage, beliefs))


def clear(settings: Settings) -> None:
    """Deletes the directory of a demonstration."""
    shutil.rmtree(settings.home, ignore_errors=True)


# ---- acts ----------------------------------------------------------------------------------------
def _import_keys(stage: Stage) -> None:
    config, file = stage.path("posengine.toml"), stage.path("terminals.csv")
    done = players.run(players.verb("keys", "import", "--config", str(config), str(file)))
    if done.returncode != 0:
        raise PlayerFault(f"keys import ended with {done.returncode}: {done.stderr.strip()}")


def _start_engine(stage: Stage, world: World, ending: ExitStack) -> Player:
    world.tell(f"engine listens on {stage.address}", "启动引擎")
    engine = players.start(
        "engine",
        players.verb("serve", "--config", str(stage.path("posengine.toml"))),
        home=stage.path("logs"),
    )
    ending.callback(engine.end)
    players.wait_until(
        engine,
        lambda: _answers(stage.port),
        seconds_max=START_S_MAX,
        clock=world.clock,
        sleep=world.sleep,
    )
    return engine


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _start_receiver(stage: Stage, world: World, ending: ExitStack) -> int:
    command = [sys.executable, "-m", "posengine.demonstrate.receiver"]
    receiver = players.start(
        "receiver", [*command, str(stage.path("webhook.secret"))], home=stage.path("logs")
    )
    ending.callback(receiver.end)
    players.wait_until(
        receiver,
        lambda: receiver.words.read_text(encoding="utf-8").strip().isdigit(),
        seconds_max=START_S_MAX,
        clock=world.clock,
        sleep=world.sleep,
    )
    port = int(receiver.words.read_text(encoding="utf-8"))
    write_dispatch(stage, port)
    return port


def _run_fleet(
    settings: Settings, stage: Stage, terminals: Sequence[Identity], world: World
) -> tuple[Report, Beliefs]:
    plan = Plan(
        address=("127.0.0.1", stage.port),
        transactions=settings.transactions,
        seed=settings.seed,
        rate=settings.rate,
        faults=Faults.parse(settings.faults),
        answer_s_max=20.0,
        deadline_s=settings.seconds_max,
    )
    report, beliefs = run_fleet(
        plan,
        terminals,
        dialect="unionpay-terminal",
        workers=settings.workers,
        clock=world.clock,
        progress=world.draw,
    )
    stage.path("beliefs.json").write_text(json.dumps(beliefs), encoding="utf-8")
    return report, beliefs


def _engine_counts(stage: Stage) -> dict[str, int]:
    config = str(stage.path("posengine.toml"))
    done = players.run(players.verb("stat", "--config", config, "--format", "json"))
    if done.returncode != 0:
        raise PlayerFault(f"stat ended with {done.returncode}: {done.stderr.strip()}")
    return {name: int(number) for name, number in json.loads(done.stdout)["counters"].items()}


def _wait_for_events(stage: Stage, port: int, world: World) -> None:
    """Until the receiver has as many events as the merchant has entries, or no more come."""
    wanted = len(checks.events_of(stage.path("journal"), stage.webhook_merchant))
    end_at = world.clock() + DELIVER_S_MAX
    while checks.received_counts(port)["events"] < wanted and world.clock() < end_at:
        world.sleep(0.1)


def _deliver_the_rest(stage: Stage) -> None:
    """One more round that also closes the daily file; what fails here the checks will see."""
    config = str(stage.path("dispatch.toml"))
    done = players.run(players.verb("dispatch", "--config", config, "--once", "--close"))
    stage.path("logs/dispatch-once.log").write_text(done.stdout + done.stderr, encoding="utf-8")


# ---- the end -------------------------------------------------------------------------------------
def _checks(
    settings: Settings,
    stage: Stage,
    terminals: Sequence[Identity],
    report: Report,
    beliefs: Beliefs,
    counts: dict[str, int],
    port: int,
) -> list[Check]:
    journal = stage.path("journal")
    mids = {one.tid: one.mid for one in terminals}
    rows = statement.rows_of(beliefs, mids, year=_year_of(journal))
    oracle = checks.oracle_path(Path(posengine.__file__).parent)
    looks: list[Callable[[], Check]] = [
        lambda: checks.independent_reader_agrees(
            journal, oracle, engine_counts=counts, beliefs=beliefs, mids=mids
        ),
        lambda: checks.journal_verifies(journal),
        lambda: statement.breaks_are_named(
            journal, stage.path("statement"), rows, Random(settings.seed)
        ),
        lambda: checks.every_event_came_once(journal, stage.webhook_merchant, port),
        lambda: checks.daily_files_agree(stage.path("sent"), journal, stage.csv_merchant),
    ]
    with ThreadPoolExecutor(max_workers=2) as lookers:  # most of the work is in their processes
        reader, verified, reconciled, events, files = lookers.map(lambda look: look(), looks)
    in_time = Check(
        f"{settings.transactions:,} transactions in {settings.seconds_max:g} s",
        "限时完成全部交易",
        report.transactions >= settings.transactions and report.seconds <= settings.seconds_max,
        f"{report.transactions:,} in {report.seconds:.1f} s, {report.rate:,.0f} a second",
    )
    return [
        in_time, checks.terminals_balance(report), verified, reader, events, files, reconciled,
    ]  # fmt: skip


def _year_of(journal: Path) -> int:
    with Journal.open(journal, readonly=True) as opened:
        for page in opened.pages(columns=[]):
            return page.business_date // 10_000
    return 0


def _next_commands(stage: Stage, beliefs: Beliefs) -> list[tuple[str, str, str]]:
    journal = str(stage.path("journal"))
    rrn = next(
        (str(deal["rrn"]) for deals in beliefs.values() for deal in deals if deal["rrn"]), "0" * 12
    )
    config = str(stage.path("posengine.toml"))
    bank = stage.path("statement/bank-broken.csv")
    date = bank.read_text(encoding="utf-8").splitlines()[1].split(",")[0] if bank.exists() else "0"
    return [
        (players.typed(players.verb("journal", "show", journal)), "what was decided", "查看流水"),
        (
            players.typed(players.verb("journal", "find", journal, "--rrn", rrn)),
            "one transaction",
            "查一笔交易",
        ),
        (
            players.typed(statement.command(stage.path("journal"), bank, int(date))),
            "the five breaks",
            "五处差异",
        ),
        (players.typed(players.verb("serve", "--config", config)), "run it again", "再次启动"),
        (
            players.typed(
                players.verb(
                    "simulate", stage.address, "--keys", str(stage.path("terminals.csv")),
                    "-n", "2000", "--seed", "2",
                )
            ),
            "more terminals against it",
            "继续模拟",
        ),
    ]  # fmt: skip
