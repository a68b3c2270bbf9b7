"""The packager file of jPOS for the fields that the benches' sales have: out of the wire table."""

from __future__ import annotations

from collections.abc import Mapping

CLASSES = {
    # (prefix bytes, data): jPOS's class
    (0, "bcd"): "IFB_NUMERIC", (1, "bcd"): "IFB_LLNUM", (2, "bcd"): "IFB_LLLNUM",
    (0, "ascii"): "IF_CHAR", (0, "b"): "IFB_BINARY", (1, "b"): "IFB_LLBINARY",
    (2, "b"): "IFB_LLLBINARY", (1, "ascii"): "IFB_LLCHAR", (2, "ascii"): "IFB_LLLCHAR",
}  # fmt: skip


def packager(wire: Mapping[int, tuple[int, int, str, str]]) -> str:
    """An XML packager for a wire table: field → (prefix bytes, most units, data, filler's side)."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<!DOCTYPE isopackager PUBLIC "-//jPOS/jPOS Generic Packager DTD 1.0//EN" '
        '"http://jpos.org/dtd/generic-packager-1.0.dtd">',
        "<isopackager>",
        '<isofield id="0" length="4" name="MTI" pad="true" class="org.jpos.iso.IFB_NUMERIC"/>',
        '<isofield id="1" length="8" name="BITMAP" class="org.jpos.iso.IFB_BITMAP"/>',
    ]
    for field in range(2, 65):
        prefix, most, data, side = wire.get(field, (0, 1, "ascii", ""))
        pad = "false" if side == "right" else "true"
        lines.append(
            f'<isofield id="{field}" length="{most}" name="F{field}" pad="{pad}" '
            f'class="org.jpos.iso.{CLASSES[prefix, data]}"/>'
        )
    return "\n".join([*lines, "</isopackager>", ""])
