"""The sale that benches of the whole engine send, for every terminal of a shop with its own key.

prepare(home, shop)       images, a sign-on, a sale, and the places of what changes in them
"""

from __future__ import annotations

import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME / "tests"))

from oracle.terminal import PAN, frame, pack  # noqa: E402
from paper.shop import MID, Shop  # noqa: E402

# Values that are found again in the frames, so that a program knows where to write its own.
TID, STAN, AMOUNT, BATCH, SEAL = "10000001", "314159", "765432109876", "271828", b"MACMACMA"
CHIP = bytes.fromhex(
    "9F2608A1B2C3D4E5F607089F2701809F100807010103A0A802019F37041122334"
    "49F36020001950500800460009A032611219C01009F02060000000123455F2A02"
    "015682027C009F1A0201569F03060000000000009F3303E0F0C89F34034203009"
    "F3501229F1E0831323334353637388408A0000003330101019F090200209F4104"
    "00000059"
)


def prepare(home: Path, shop: Shop) -> None:
    """Files of ``home``: spec, roster, policy, sign_on, sale, places."""
    (home / "spec").write_bytes(shop.spec().image)
    (home / "roster").write_bytes(shop.roster().compile())
    (home / "policy").write_bytes(shop.policy().compile())
    sign_on = shop.terminal(0).sign_on_frame()
    sale = frame(pack("0200", {
        2: PAN, 3: "000000", 4: AMOUNT, 11: STAN, 12: "200000", 13: "1121", 14: "3012", 22: "051",
        23: "001", 25: "00", 26: "12", 35: PAN + "D30122010000012345678", 41: TID, 42: MID,
        49: "156", 52: bytes(8), 53: "2600000000000000", 55: CHIP, 60: "22" + BATCH + "000600",
        64: SEAL,
    }))  # fmt: skip
    places = [
        shop.count,
        sign_on.index(TID.encode()),
        sign_on.index(bytes.fromhex("000001"), 23),
        sale.index(TID.encode()),
        sale.index(bytes.fromhex(STAN)),
        sale.index(bytes.fromhex(AMOUNT)),
        sale.index(bytes.fromhex(BATCH)),
        sale.index(SEAL),
    ]
    (home / "sign_on").write_bytes(sign_on)
    (home / "sale").write_bytes(sale)
    (home / "places").write_text(" ".join(map(str, places)))
