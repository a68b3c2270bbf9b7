"""Whom we know and by which rules: operators' files to the images that the engine loads.

    terminals.toml | .csv ─▶ Roster ─▶ compile() ─▶ native/roster
    policy.toml ───────────▶ Policy ─▶ compile() ─▶ native/decide
    master keys: sealed, from the key file; they stay sealed here
"""

from posengine.roster.kinds import names_of
from posengine.roster.policy import CardRange, KindRule, Policy
from posengine.roster.source import RosterError
from posengine.roster.terminals import Roster, SealedKey, Terminal

__all__ = [
    "CardRange",
    "KindRule",
    "Policy",
    "Roster",
    "RosterError",
    "SealedKey",
    "Terminal",
    "names_of",
]
