"""Images: what the engine loads, compiled from the operator's files.

    spec (TOML) ─────────▶ codec   ─┐
    roster, key file ────▶ roster  ─┼─▶ Images ─▶ Engine, or a reload
    policy (TOML) ───────▶ roster  ─┤
    downloads (files) ───▶ here    ─┘
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from posengine.engine.configuration import Configuration

if TYPE_CHECKING:
    from posengine.roster import SealedKey


@dataclass(frozen=True, slots=True)
class Images:
    """Everything that decides, as bytes, and the clock settings that the journal shares."""

    spec: bytes
    roster: bytes
    policy: bytes
    downloads: bytes
    zone_offset_minute: int
    cutover_minute: int


def compile_images(configuration: Configuration) -> Images:
    """Read and compile every file that ``configuration`` names.

    Raises:
        PosError: naming file, place and rule.
    """
    # Here and not above: a start that has kept its images needs none of these rooms.
    from posengine.codec import Spec
    from posengine.engine.downloads import compile_downloads
    from posengine.roster import Policy, Roster

    policy = Policy.load(configuration.policy)
    return Images(
        spec=Spec.load(configuration.spec, configuration.spec_settings).image,
        roster=Roster.load(configuration.roster, keys=_keys(configuration)).compile(),
        policy=policy.compile(),
        downloads=compile_downloads(configuration.downloads),
        zone_offset_minute=policy.zone_offset_minutes,
        cutover_minute=policy.cutover_minute,
    )


def _keys(configuration: Configuration) -> dict[tuple[str, str], SealedKey]:
    """The sealed master keys; a key file that is not there yet holds none."""
    from posengine.keys import KeyFile
    from posengine.roster import SealedKey

    file = KeyFile.load(configuration.key_file, must_exist=False)
    return {(record.tid, record.mid): SealedKey(record.sealed, record.kcv) for record in file}
