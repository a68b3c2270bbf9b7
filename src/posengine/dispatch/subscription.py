"""Subscriptions: who gets which entries, with which fields, where. TOML, read strictly.

    [[subscription]]
    name = "corner-shop"                    # its checkpoint and its dead letters
    merchants = ["898000000000001"]         # or terminals = [...], or everything = true
    kinds = ["SALE", "SALE_VOID", "REFUND", "REVERSAL"]
    outcomes = ["APPROVED"]
    fields = ["sequence", "kind", "amount_minor", "currency", "rrn", "pan_masked"]

    [subscription.webhook]                  # or [subscription.csv]
    url = "https://shop.example/pos"
    secrets = "corner-shop.secret"

docs/howto/dispatch.md shows every setting. A file is loaded whole or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from posengine.desk import DeskError, check_name
from posengine.dispatch.address import PORTS_DEFAULT, AddressRefused, Target, judge_url
from posengine.dispatch.fields import Serializer
from posengine.replay import Entry, ReplayPage
from posengine.settings import SettingsError, Table, read_toml
from posengine.vocabulary import Kind, Outcome

DELAY_S_MAX = 86_400.0
SUBSCRIPTIONS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Choice:
    """Which entries a customer is to have; an empty set does not choose by that fact."""

    merchants: frozenset[str]
    terminals: frozenset[str]
    kinds: frozenset[int]
    outcomes: frozenset[int]

    def of(self, page: ReplayPage) -> Iterator[Entry]:
        """The chosen entries of a page, in order."""
        return (entry for entry in page if self.takes(entry))

    @property
    def digest(self) -> str:
        """16 hex digits, the same for the same choice."""
        sets = (self.merchants, self.terminals, self.kinds, self.outcomes)
        text = repr([sorted(map(str, each)) for each in sets])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def takes(self, entry: Entry) -> bool:
        """Is this entry for the customer?"""
        return (
            (not self.merchants or entry.mid in self.merchants)
            and (not self.terminals or entry.tid in self.terminals)
            and (not self.kinds or entry.kind in self.kinds)
            and (not self.outcomes or entry.outcome in self.outcomes)
        )


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Where a webhook goes. ``ca_file`` is the authority of a receiver of one's own."""

    target: Target
    secrets: Path
    connect_s_max: float
    exchange_s_max: float
    ca_file: Path | None


@dataclass(frozen=True, slots=True)
class FilesSettings:
    """Where the daily files go, and where they grow."""

    directory: Path
    spool: Path
    publish_open: bool
    """Also publish the file of the date that is not over yet, whenever a run ends."""


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """See ``posengine.dispatch.Retry``."""

    retries_max: int
    delay_s_min: float
    delay_s_max: float
    after_retries: Literal["stop", "dead"]


@dataclass(frozen=True, slots=True)
class Subscription:
    """One customer's."""

    name: str
    choice: Choice
    serializer: Serializer
    sink: WebhookSettings | FilesSettings
    retry: RetrySettings


@dataclass(frozen=True, slots=True)
class DispatchSettings:
    """The whole file."""

    journal: Path
    desk: Path
    poll_s: float
    """How often a follower looks for new entries."""
    subscriptions: tuple[Subscription, ...]

    def only(self, name: str | None) -> tuple[Subscription, ...]:
        """All subscriptions, or the one of that name.

        Raises:
            SettingsError: there is none.
        """
        chosen = tuple(each for each in self.subscriptions if name in (None, each.name))
        if not chosen:
            names = ", ".join(each.name for each in self.subscriptions)
            raise SettingsError(f"no subscription {name!r}; there are {names}")
        return chosen


def load(path: str | Path) -> DispatchSettings:
    """Read a dispatch file.

    Raises:
        SettingsError: with the file, the subscription and the key.
    """
    table = read_toml(path)
    settings = DispatchSettings(
        journal=table.path("journal"),
        desk=table.path("desk"),
        poll_s=table.seconds("poll_s", 0.2, least=0.01, most=60.0),
        subscriptions=tuple(_subscription(each) for each in table.tables("subscription")),
    )
    table.finish()
    names = [each.name for each in settings.subscriptions]
    if not 1 <= len(names) <= SUBSCRIPTIONS_MAX:
        raise table.fault("subscription", f"{len(names)} of them: 1 to {SUBSCRIPTIONS_MAX}")
    if len(set(names)) != len(names):
        raise table.fault("subscription", "two have one name, so one checkpoint")
    return settings


def _subscription(table: Table) -> Subscription:
    name = table.text("name")
    try:
        check_name(name)
        serializer = Serializer(table.texts("fields"))
    except (DeskError, ValueError) as error:
        raise SettingsError(f"{table.where} ({name}): {error}") from error
    if ("webhook" in table) == ("csv" in table):
        raise table.fault("webhook or csv", "one of the two is needed")
    subscription = Subscription(
        name=name,
        choice=_choice(table),
        serializer=serializer,
        sink=_webhook(table.table("webhook")) if "webhook" in table else _files(table, name),
        retry=_retry(table.table("retry")),
    )
    table.finish()
    return subscription


def _choice(table: Table) -> Choice:
    choice = Choice(
        merchants=frozenset(table.texts("merchants", ())),
        terminals=frozenset(table.texts("terminals", ())),
        kinds=frozenset(_numbers(table, "kinds", Kind.__members__)),
        outcomes=frozenset(_numbers(table, "outcomes", Outcome.__members__)),
    )
    everything = table.truth("everything", False)
    if everything == bool(choice.merchants or choice.terminals):
        raise table.fault("merchants", "name merchants or terminals, or say everything = true")
    return choice


def _numbers(table: Table, key: str, words: Mapping[str, int]) -> Iterator[int]:
    for word in table.texts(key, ()):
        if word not in words:
            raise table.fault(key, f"{word!r} is none of {', '.join(words)}")
        yield int(words[word])


def _webhook(table: Table) -> WebhookSettings:
    url = table.text("url")
    ports = table.value("ports")
    if ports is not None and not (
        isinstance(ports, list) and all(isinstance(p, int) and 0 < p < 65_536 for p in ports)
    ):
        raise table.fault("ports", "an array of port numbers")
    try:
        target = judge_url(
            url,
            allow_http=table.truth("allow_http", False),
            allow_private=table.truth("allow_private", False),
            ports=PORTS_DEFAULT if ports is None else tuple(ports),
        )
    except AddressRefused as refused:
        raise table.fault("url", str(refused)) from refused
    settings = WebhookSettings(
        target=target,
        secrets=table.path("secrets"),
        connect_s_max=table.seconds("connect_s_max", 5.0, least=0.1, most=60.0),
        exchange_s_max=table.seconds("exchange_s_max", 10.0, least=0.1, most=60.0),
        ca_file=table.path("ca_file") if "ca_file" in table else None,
    )
    table.finish()
    return settings


def _files(outer: Table, name: str) -> FilesSettings:
    table = outer.table("csv")
    directory = table.path("directory")
    settings = FilesSettings(
        directory=directory,
        spool=table.path("spool") if "spool" in table else directory / ".spool" / name,
        publish_open=table.truth("publish_open", False),
    )
    table.finish()
    return settings


def _retry(table: Table) -> RetrySettings:
    after = table.choice("after_retries", ("stop", "dead"), "stop")
    settings = RetrySettings(
        retries_max=table.number("retries_max", 8, most=1_000),
        delay_s_min=table.seconds("delay_s_min", 0.5, least=0.001, most=DELAY_S_MAX),
        delay_s_max=table.seconds("delay_s_max", 300.0, least=0.001, most=DELAY_S_MAX),
        after_retries="dead" if after == "dead" else "stop",
    )
    table.finish()
    return settings
