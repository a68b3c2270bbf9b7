"""The policy: what the host approves and declines, as TOML, and as the image that decides.

A policy file says only what differs from the one that ships beside this module (``policy.toml``,
every setting commented). The image's settings are described at the head of native/decide/policy.c.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from posengine.roster.image import build, digest_of
from posengine.roster.kinds import ALL, OURS, mask_of
from posengine.roster.source import Source, Table
from posengine.vocabulary import Kind

MAGIC = b"POSPOLCY"
VERSION = 1
SETTINGS_SIZE = 3072
RANGE_SIZE = 24
DEFAULT = Path(__file__).with_name("policy.toml")
_SCALARS = struct.Struct("<12s26s4sBBBBBBiIHHHHHHIqQQQ")
_KIND = struct.Struct("<B7xqqqq")
_RANGE = struct.Struct("<IIQBB6x")
_KINDS_OFFSET, _ENDINGS_OFFSET = 112, 2672
_STANDINGS = ("good", "blocked", "lost", "stolen", "test")
_CLASSES = ("domestic", "foreign")
_APPROVING = frozenset({"00", "10", "11", "A2", "A4", "A5", "A6"})


@dataclass(frozen=True, slots=True)
class KindRule:
    """Limits of one kind, in minor units. ``amount_max`` and ``floor`` 0: none; ``pin_above`` -1:
    never."""

    offered: bool = True
    amount_min: int = 1
    amount_max: int = 0
    floor: int = 0
    pin_above: int = -1


@dataclass(frozen=True, slots=True)
class CardRange:
    """Cards whose first six digits lie in ``first`` to ``last``."""

    first: int
    last: int
    is_foreign: bool = False
    standing: str = "good"
    kind_mask: int = ALL


@dataclass(frozen=True, slots=True)
class Policy:
    """Every rule of the host. See ``policy.toml`` for what each means."""

    acquirer: str
    issuer: str
    organization: str
    shard: int
    requirement: int
    requirement_sign_on: int
    fallback: bool
    refund_unreferenced: bool
    adjusts_to_total: bool
    unknown_card: str
    unseen_reversal: str
    zone_offset_minutes: int
    clock_skew_s_max: int
    completion_percent: int
    refund_days: int
    adjust_percent_max: int
    cutover_minute: int
    cutover_minutes: int
    card_uses_max: int
    batch_first: int
    balance_minor: int
    entry_modes: tuple[int, ...]
    certification_kinds: int
    certification: Mapping[int, str]
    kinds: Mapping[Kind, KindRule]
    ranges: tuple[CardRange, ...] = field(repr=False)
    path: str = ""

    @classmethod
    def load(cls, path: str | Path | None = None) -> Policy:
        """The policy of a file, over the shipped one; the shipped one itself without a path.

        Raises:
            RosterError: naming file, line, key and the rule that is broken.
        """
        shipped = Source.read(DEFAULT)
        if path is None:
            return _policy(shipped)
        own = Source.read(path)
        _only_known(own, shipped.data)
        return _policy(Source(own.path, _over(shipped.data, own.data), own.lines))

    def compile(self) -> bytes:
        """The image that the engine loads."""
        settings = bytearray(SETTINGS_SIZE)
        _SCALARS.pack_into(
            settings,
            0,
            self.acquirer.encode(),
            f"{self.issuer:<11}{self.acquirer:<11}".encode() if self.acquirer else b"",
            self.organization.encode(),
            self.shard,
            self.requirement,
            self.requirement_sign_on,
            self.fallback | self.refund_unreferenced << 1 | self.adjusts_to_total << 2,
            ("domestic", "foreign", "refuse").index(self.unknown_card),
            ("00", "25").index(self.unseen_reversal),
            self.zone_offset_minutes,
            self.clock_skew_s_max,
            self.completion_percent,
            self.refund_days,
            self.adjust_percent_max,
            self.cutover_minute,
            self.cutover_minutes,
            self.card_uses_max,
            self.batch_first,
            self.balance_minor,
            sum(1 << mode for mode in self.entry_modes if mode < 64),
            sum(1 << (mode - 64) for mode in self.entry_modes if mode >= 64),
            self.certification_kinds,
        )
        for kind, rule in self.kinds.items():
            _KIND.pack_into(
                settings,
                _KINDS_OFFSET + kind * _KIND.size,
                rule.offered,
                rule.amount_min,
                rule.amount_max,
                rule.floor,
                rule.pin_above,
            )
        for ending, response in self.certification.items():
            at = _ENDINGS_OFFSET + ending * 4
            settings[at : at + 2] = response.encode()
        ranges = [
            _RANGE.pack(
                one.first, one.last, one.kind_mask, one.is_foreign, _STANDINGS.index(one.standing)
            )
            for one in sorted(self.ranges, key=lambda one: one.first)
        ]
        return build(MAGIC, VERSION, bytes(settings), ranges, record_size=RANGE_SIZE)

    @property
    def digest(self) -> str:
        """What pages of the journal call this policy, in hex."""
        return digest_of(self.compile()).hex()


# ---- one file over another -----------------------------------------------------------------------
def _over(
    below: Mapping[str, Any], above: Mapping[str, Any], path: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Tables are merged; everything else is replaced whole: lists of ranges, and the answers of
    the certification table."""
    merged = dict(below)
    for key, value in above.items():
        here = (*path, key)
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        is_whole = not both or here == ("certification", "answers")
        merged[key] = value if is_whole else _over(below[key], value, here)
    return merged


def _only_known(own: Source, shipped: Mapping[str, Any]) -> None:
    for key in own.data:
        if key not in shipped:
            raise own.fault(key, f"is no section of {', '.join(shipped)}")


# ---- reading -------------------------------------------------------------------------------------
def _policy(source: Source) -> Policy:
    top = Table(source, "", source.data)
    acquirer, answers = top.table("acquirer"), top.table("answers")
    time, cards = top.table("time"), top.table("cards")
    originals, certification = top.table("originals"), top.table("certification")
    policy = Policy(
        acquirer=acquirer.text("id", pattern=r"[0-9]{1,11}", rule="one to eleven digits"),
        issuer=acquirer.text("issuer", pattern=r"[ -~]{0,11}", rule="at most 11 characters"),
        organization=acquirer.text(
            "organization", pattern=r"[A-Z0-9]{3}", rule="three capitals or digits"
        ),
        shard=acquirer.integer("shard", least=0, most=99),
        requirement=answers.integer("requirement", least=0, most=15),
        requirement_sign_on=answers.integer("requirement_sign_on", least=0, most=15),
        balance_minor=answers.amount("balance"),
        batch_first=answers.integer("batch_first", least=1, most=999999),
        zone_offset_minutes=time.integer("zone_offset_minutes", least=-720, most=840),
        clock_skew_s_max=time.integer("clock_skew_s_max", least=0, most=31_536_000),
        cutover_minute=time.minute("cutover"),
        cutover_minutes=time.integer("cutover_minutes", least=0, most=1439),
        fallback=cards.flag("fallback"),
        unknown_card=cards.choice("unknown", among=("domestic", "foreign", "refuse")),
        card_uses_max=cards.integer("uses_max", least=0, most=65535),
        entry_modes=_entry_modes(cards),
        ranges=_ranges(cards),
        unseen_reversal=originals.choice("unseen_reversal", among=("00", "25")),
        completion_percent=originals.integer("completion_percent", least=1, most=1000),
        refund_days=originals.integer("refund_days", least=0, most=3660),
        refund_unreferenced=originals.flag("refund_unreferenced"),
        adjust_percent_max=originals.integer("adjust_percent_max", least=0, most=1000),
        adjusts_to_total=originals.choice("adjust_amount", among=("added", "total")) == "total",
        certification_kinds=_mask(certification, "kinds"),
        certification=_endings(certification),
        kinds=_kind_rules(top.table("kinds")),
        path=source.path,
    )
    for table in (acquirer, answers, time, cards, originals, certification, top):
        table.done()
    return policy


def _mask(table: Table, key: str, default: list[str] | None = None) -> int:
    names = table.texts(key, default)
    try:
        return mask_of(names)
    except ValueError as error:
        raise table.fault(key, str(error)) from error


def _entry_modes(cards: Table) -> tuple[int, ...]:
    modes = cards.texts("entry_modes")
    for mode in modes:
        if len(mode) != 2 or not (mode.isascii() and mode.isdigit()):
            raise cards.fault("entry_modes", f"{mode!r} is not the first two digits of field 22")
    return tuple(sorted({int(mode) for mode in modes}))


def _ranges(cards: Table) -> tuple[CardRange, ...]:
    found: list[tuple[CardRange, Table]] = []
    for table in cards.tables("range"):
        first = table.text("first", pattern=r"[0-9]{6}", rule="six digits")
        last = table.text("last", first, pattern=r"[0-9]{6}", rule="six digits")
        if first > last:
            raise table.fault("last", f"{last} is before {first}")
        is_foreign = table.choice("class", "domestic", among=_CLASSES) == "foreign"
        standing = table.choice("standing", "good", among=_STANDINGS)
        mask = _mask(table, "kinds", ["all"])
        found.append((CardRange(int(first), int(last), is_foreign, standing, mask), table))
        table.done()
    found.sort(key=lambda pair: pair[0].first)
    for (before, _), (after, table) in pairwise(found):
        if after.first <= before.last:
            raise table.fault("first", f"overlaps the range {before.first:06} to {before.last:06}")
    return tuple(one for one, _ in found)


def _endings(certification: Table) -> dict[int, str]:
    table = certification.table("answers")
    endings: dict[int, str] = {}
    for key in table.names():
        if len(key) != 2 or not (key.isascii() and key.isdigit()):
            raise table.fault(key, "is not the last two digits of an amount")
        answer = table.text(key, pattern=r"[0-9A-Z]{2}", rule="two digits or capitals")
        if answer in _APPROVING:
            raise table.fault(key, f"{answer!r} would approve: the table only declines")
        endings[int(key)] = answer
    return endings


def _kind_rules(kinds: Table) -> dict[Kind, KindRule]:
    usual = _kind_rule(kinds.table("default"), KindRule())
    rules: dict[Kind, KindRule] = dict.fromkeys(OURS, usual)
    for name in kinds.names():
        if name not in Kind.__members__ or Kind[name] not in OURS:
            raise kinds.fault(name, "is no kind; see docs/reference/kinds.md")
        rules[Kind[name]] = _kind_rule(kinds.table(name), usual)
    return rules


def _kind_rule(table: Table, usual: KindRule) -> KindRule:
    rule = KindRule(
        offered=table.flag("offered", usual.offered),
        amount_min=table.amount("amount_min", _text(usual.amount_min)),
        amount_max=table.amount("amount_max", _text(usual.amount_max)),
        floor=table.amount("floor", _text(usual.floor)),
        pin_above=table.amount_or_never(
            "pin_above", "never" if usual.pin_above < 0 else _text(usual.pin_above)
        ),
    )
    if rule.amount_max and rule.amount_max < rule.amount_min:
        raise table.fault("amount_max", "is below amount_min")
    table.done()
    return rule


def _text(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"
