"""The constants of SM4's S-box in C are what the solver finds.

Goal: nobody has to believe a number that stands in native/mac.
Method: the solver works from the standard's table alone and checks each of its eight answers
against all 256 values; the sources hold the numbers of one of them, all of the same one.
"""

import struct
from pathlib import Path

from sm4_fields import Maps, around_aes, digits, gfni, solutions

MAC = Path(__file__).resolve().parents[2] / "native" / "mac"


def _gfni(maps: Maps) -> list[str]:
    return [f"0x{gfni(maps.pre):016x}", f"0x{maps.before:02x}", f"0x{gfni(maps.post):016x}",
            f"0x{maps.after:02x}"]  # fmt: skip


def _tables(maps: Maps) -> list[bytes]:
    aes = around_aes(maps)
    return [*digits(aes.pre, aes.before), *digits(aes.post, aes.after)]


def test_there_are_eight_answers_and_the_sources_hold_one() -> None:
    found = list(solutions())
    assert len(found) == len(set(found)) == 8
    by_gfni = (MAC / "sm4_lanes_avx512.c").read_text(encoding="utf-8")
    [ours] = [maps for maps in found if all(number in by_gfni for number in _gfni(maps))]

    by_aesni = (MAC / "sm4_lanes_aesni.c").read_text(encoding="utf-8")
    for table in _tables(ours):
        for number in struct.unpack("<2Q", table):
            assert f"0x{number:016x}" in by_aesni, f"{number:016x}"

    alone = "".join((MAC / "sm4_aesni.c").read_text(encoding="utf-8").replace("(char)", "").split())
    for table in _tables(ours):
        assert ",".join(f"0x{byte:02x}" for byte in table) in alone
