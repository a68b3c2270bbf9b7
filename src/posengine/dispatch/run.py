"""One subscription at work: its sink opened, its entries delivered, once or as they come.

    run_once    ─▶ deliver ─▶ publish                      what there is, then stop
    run_forever ─▶ deliver ─▶ publish ─▶ sleep ─▶ ...      what comes; a busy customer is waited for
    resend      ─▶ entries of a range again                the checkpoint stays
    retry_dead  ─▶ dead letters again                      those taken are resolved
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from posengine.desk import Desk
from posengine.dispatch.daily import DailyFiles
from posengine.dispatch.delivery import Retry, SinkBusy, SinkError, deliver
from posengine.dispatch.signature import read_secrets
from posengine.dispatch.subscription import Subscription, WebhookSettings
from posengine.dispatch.webhook import Waits, Webhook
from posengine.replay import Replay, ReplayPage, Source
from posengine.settings import SettingsError


@dataclass(frozen=True, slots=True)
class World:
    """What a dispatcher needs of the world outside, handed in."""

    clock_ns: Callable[[], int]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    jitter: Callable[[], float]
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one run did."""

    name: str
    taken: int
    dead: int
    """Dead letters of this subscription not yet taken, from this run or before."""
    checkpoint: int
    fault: str
    """Why it stopped before the journal's end; empty where it did not."""


@dataclass(frozen=True, slots=True)
class Resent:
    """What became of entries that were sent again."""

    taken: tuple[int, ...]
    refused: tuple[tuple[int, str], ...]
    """Sequence and reason."""


def open_sink(subscription: Subscription, journal: Source, *, world: World) -> Webhook | DailyFiles:
    """The subscription's sink.

    Raises:
        SecretFault: the secret file cannot be used.
    """
    settings = subscription.sink
    if isinstance(settings, WebhookSettings):
        tls = None
        if settings.ca_file is not None:
            tls = ssl.create_default_context(cafile=str(settings.ca_file))
        return Webhook(
            settings.target,
            serializer=subscription.serializer,
            choice=subscription.choice,
            secrets=read_secrets(settings.secrets),
            clock_ns=world.clock_ns,
            monotonic=world.monotonic,
            waits=Waits(settings.connect_s_max, settings.exchange_s_max),
            tls=tls,
        )
    return DailyFiles(
        subscription.name,
        journal=journal,
        serializer=subscription.serializer,
        choice=subscription.choice,
        directory=settings.directory,
        spool=settings.spool,
    )


def run_once(
    subscription: Subscription,
    journal: Source,
    *,
    desk: Desk,
    world: World,
    is_over: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """Deliver what the journal holds, publish files, and stop.

    A customer who stays busy is no fault of ours: the result says so, and the checkpoint stands.

    Args:
        is_over: the last date is over: its file is published as closed.
        progress: told the checkpoint after each page.

    Raises:
        DeskHeld: another dispatcher is at work under this name.
        CheckpointForeign: the journal was restored.
    """
    with _at_work(subscription, journal, desk, world) as sink:
        taken, fault = 0, ""
        replay = _replay(subscription, journal, desk, sink)
        try:
            taken = _deliver(subscription, replay, sink, desk, world, progress)
        except SinkBusy as busy:
            taken, fault = busy.delivered, str(busy)
        _publish(subscription, sink, is_over=is_over)
        dead = len(desk.dead_letters(subscription.name))
        return Result(subscription.name, taken, dead, replay.acknowledged, fault)


def run_forever(
    subscription: Subscription,
    journal: Source,
    *,
    desk: Desk,
    world: World,
    poll_s: float,
    told: Callable[[Result], None],
) -> None:
    """Deliver what comes, until the process is told to end; ``told`` hears of every round that
    did something. Any moment is a good one to be killed at."""
    with _at_work(subscription, journal, desk, world) as sink:
        replay = _replay(subscription, journal, desk, sink)
        while True:
            taken, fault, before = 0, "", replay.acknowledged
            try:
                taken = _deliver(subscription, replay, sink, desk, world, None)
            except SinkBusy as busy:
                taken, fault = busy.delivered, str(busy)
                replay = _replay(subscription, journal, desk, sink)
            if taken:
                _publish(subscription, sink, is_over=False)
            if fault or replay.acknowledged > before:
                dead = len(desk.dead_letters(subscription.name))
                told(Result(subscription.name, taken, dead, replay.acknowledged, fault))
            world.sleep(subscription.retry.delay_s_max if fault else poll_s)


def resend(
    subscription: Subscription,
    journal: Source,
    *,
    world: World,
    sequences: Iterator[int],
) -> Resent:
    """Send entries again, under the ids that they had. The checkpoint is not touched.

    Raises:
        SinkBusy: the customer does not answer; what was sent before is sent.
        SettingsError: the subscription has files, which are built again instead.
    """
    if not isinstance(subscription.sink, WebhookSettings):
        raise SettingsError(
            f"{subscription.name} has files: `posengine dispatch rebuild` writes a date's again"
        )
    taken: list[int] = []
    refused: list[tuple[int, str]] = []
    with closing(open_sink(subscription, journal, world=world)) as sink:
        for sequence in sequences:
            page = _single(journal, sequence)
            if page is None:
                refused.append((sequence, "the journal has no such entry"))
                continue
            try:
                if sink.take(page):
                    taken.append(sequence)
            except SinkBusy:
                raise
            except SinkError as error:
                refused.append((sequence, str(error)))
    return Resent(tuple(taken), tuple(refused))


def retry_dead(
    subscription: Subscription, journal: Source, *, desk: Desk, world: World
) -> Resent:
    """Send every dead letter of a subscription again; those taken are resolved on the desk."""
    journal_id = journal.journal_id.hex()
    letters = [
        letter for letter in desk.dead_letters(subscription.name)
        if letter.journal_id == journal_id
    ]
    taken: list[int] = []
    refused: list[tuple[int, str]] = []
    for letter in letters:
        again = resend(subscription, journal, world=world, sequences=iter((letter.sequence,)))
        refused.extend(again.refused)
        for sequence in again.taken:
            desk.resolve(subscription.name, journal_id=journal_id, sequence=sequence)
            taken.append(sequence)
        for _, reason in again.refused:
            desk.bury(
                subscription.name,
                journal_id=journal_id,
                sequence=letter.sequence,
                reason=reason,
                attempts=letter.attempts + 1,
            )
    return Resent(tuple(taken), tuple(refused))


@contextmanager
def _at_work(
    subscription: Subscription, journal: Source, desk: Desk, world: World
) -> Iterator[Webhook | DailyFiles]:
    """The subscription's sink, for one process at a time."""
    with (
        desk.hold(subscription.name),
        closing(open_sink(subscription, journal, world=world)) as sink,
    ):
        yield sink


def _replay(
    subscription: Subscription, journal: Source, desk: Desk, sink: Webhook | DailyFiles
) -> Replay:
    replay = Replay(journal, desk, subscription.name)
    if isinstance(sink, DailyFiles):
        after = sink.resume(replay.acknowledged)
        if after < replay.acknowledged:
            return Replay(journal, desk, subscription.name, after=after)
    return replay


def _deliver(
    subscription: Subscription,
    replay: Replay,
    sink: Webhook | DailyFiles,
    desk: Desk,
    world: World,
    progress: Callable[[int], None] | None,
) -> int:
    settings = subscription.retry
    retry = Retry(
        world.jitter,
        retries_max=settings.retries_max,
        delay_s_min=settings.delay_s_min,
        delay_s_max=settings.delay_s_max,
        after_retries=settings.after_retries,
    )
    return deliver(
        replay, sink, retry=retry, sleep=world.sleep, history=desk, progress=progress
    )


def _publish(
    subscription: Subscription, sink: Webhook | DailyFiles, *, is_over: bool
) -> None:
    settings = subscription.sink
    if isinstance(sink, DailyFiles) and not isinstance(settings, WebhookSettings):
        if is_over:
            sink.publish(is_open=False)
        elif settings.publish_open:
            sink.publish(is_open=True)


def _single(journal: Source, sequence: int) -> ReplayPage | None:
    """One entry as a page of its own."""
    for page in journal.pages(after=sequence - 1):
        index = sequence - page.first_sequence
        if 0 <= index < len(page):
            return ReplayPage(journal.journal_id.hex(), page, index, index + 1)
        return None
    return None
