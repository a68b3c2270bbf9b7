"""Which kinds a terminal, a card range or the policy allows, as the mask that the engine tests."""

from __future__ import annotations

from posengine.vocabulary import Kind

OURS: tuple[Kind, ...] = tuple(
    kind for kind in Kind if kind not in (Kind.UNKNOWN, Kind.ALARM, Kind.ADMINISTRATION)
)
"""Every kind that a terminal can ask for."""

ALL = sum(1 << kind for kind in OURS)


def mask_of(names: list[str]) -> int:
    """Bit n is kind n. ``["all"]``; ``["SALE", "REFUND"]``; ``["all", "-QR_SALE"]``.

    Raises:
        ValueError: no such kind; says which there are.
    """
    mask = 0
    for name in names:
        if name == "all":
            mask |= ALL
            continue
        word = name.removeprefix("-")
        if word not in Kind.__members__ or Kind[word] not in OURS:
            known = ", ".join(kind.name for kind in OURS)
            raise ValueError(f'{name!r} is no kind: "all", or of {known}, or with "-" before it')
        bit = 1 << Kind[word]
        mask = mask & ~bit if name.startswith("-") else mask | bit
    return mask


def names_of(mask: int) -> list[str]:
    """The shortest list that gives ``mask``."""
    if mask == ALL:
        return ["all"]
    there = [kind.name for kind in OURS if mask >> kind & 1]
    gone = [f"-{kind.name}" for kind in OURS if not mask >> kind & 1]
    return ["all", *gone] if len(gone) < len(there) else there
