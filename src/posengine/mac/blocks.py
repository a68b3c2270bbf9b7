"""Key blocks: how field 62 of a sign-on answer carries working keys.

    001  24 bytes   PIK 0-7,  kcv 8-11;  MAK 12-19, kcv 20-23
    003  40         PIK 0-15, kcv 16-19; MAK 20-27, zeros 28-35, kcv 36-39
    004  60         as 003; TDK 40-55, kcv 56-59
    005  40         SM4: PIK 0-15, kcv 16-19; MAK 20-35, kcv 36-39
    006  60         SM4: as 005; TDK 40-55, kcv 56-59

A block whose size has no layout (56, 84 and 104 bytes are seen in the field) is an error: its
layout must be given, it is never guessed. Variants are layouts with other numbers::

    layout = mac.layout_of(3).moved("MAK", kcv_offset=28)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from posengine._native import mac as native
from posengine.errors import KeyBlock

CODES = (1, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class KeyBlockPart:
    """One key in a block: sizes and offsets in bytes. ``kcv_size`` 0 means no check value."""

    usage: str  # PIK, MAK or TDK
    key_offset: int
    key_size: int
    kcv_offset: int
    kcv_size: int = 4


@dataclass(frozen=True, slots=True)
class KeyBlockLayout:
    """Where the keys of a block stand. What no part covers is filler."""

    cipher: str
    size: int
    parts: tuple[KeyBlockPart, ...]

    def moved(
        self, usage: str, *, key_offset: int | None = None, kcv_offset: int | None = None
    ) -> KeyBlockLayout:
        """This layout with one key or its check value elsewhere: ``moved("MAK", kcv_offset=28)``.

        Raises:
            ValueError: the layout has no such key.
        """
        if usage not in {part.usage for part in self.parts}:
            raise ValueError(f"the layout has no {usage}")
        parts = tuple(
            replace(
                part,
                key_offset=part.key_offset if key_offset is None else key_offset,
                kcv_offset=part.kcv_offset if kcv_offset is None else kcv_offset,
            )
            if part.usage == usage
            else part
            for part in self.parts
        )
        return replace(self, parts=parts)

    @property
    def random_size(self) -> int:
        """Random bytes that ``make_block`` takes."""
        return native.block_random_size(self._facts())

    def _facts(self) -> native.Layout:
        parts = tuple(
            (part.usage, part.key_offset, part.key_size, part.kcv_offset, part.kcv_size)
            for part in self.parts
        )
        return self.cipher, self.size, parts


def layout_of(code: int) -> KeyBlockLayout:
    """The layout of 60.3 = ``code``: 1, 3, 4, 5 or 6.

    Raises:
        KeyBlock: there is none for this code.
    """
    facts = native.block_layout(code)
    if facts is None:
        raise KeyBlock(f"no key block layout for 60.3 = {code:03d}; known: 001 003 004 005 006")
    cipher, size, parts = facts
    return KeyBlockLayout(cipher, size, tuple(KeyBlockPart(*part) for part in parts))


def _layout_for(size: int, cipher: str) -> KeyBlockLayout:
    layouts = {code: layout_of(code) for code in CODES}
    for layout in layouts.values():
        if layout.size == size and layout.cipher == cipher:
            return layout
    known = ", ".join(f"{code:03d} {layout.size}" for code, layout in layouts.items())
    raise KeyBlock(
        f"a key block of {size} bytes under a {cipher} key has no layout here (bytes by 60.3:"
        f" {known}); it is not guessed at: give the layout that its host documents"
    )


def make_block(
    layout: KeyBlockLayout, tmk: native.Key, random: bytes
) -> tuple[dict[str, native.Key], bytes]:
    """New working keys out of ``random`` and their block under the TMK.

    Args:
        random: at least ``layout.random_size`` bytes of a cryptographic source.

    Returns:
        The keys by usage, and the block as field 62 carries it.

    Raises:
        ArgumentFault: the layout contradicts itself, or too few random bytes.
        KeySize: the TMK is of another cipher than the layout.
    """
    return native.block_make(layout._facts(), tmk, random)


def open_block(
    block: bytes, tmk: native.Key, *, layout: KeyBlockLayout | None = None
) -> dict[str, native.Key]:
    """The working keys of a block, by usage, each check value checked.

    Args:
        layout: when None, that of the block's size and the TMK's cipher.

    Raises:
        KeyBlock: the size has no layout, or is not the layout's.
        KeyCheck: a check value does not match: another TMK, or an altered block.
    """
    chosen = layout or _layout_for(len(block), tmk.cipher)
    return native.block_open(chosen._facts(), tmk, block)
