"""Goal: the engine runs the dialects of ISO 8583 as it runs the terminal dialect: sign-on without
keys, echo, sale, its repeat, void, refund, pre-authorisation, reversal.

Method: an embedded engine a dialect, frames made by ``Spec.build``; a dialect without batch numbers
means the terminal's open batch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from posengine import keys, mac
from posengine.codec import Message, Spec
from posengine.engine import Engine
from posengine.roster import Policy, Roster, SealedKey

MASTER = bytes.fromhex("11" * 32)
TID, MID = "12345678", "123456789012345"
Values = dict[int, str | bytes | int]


def engine_of(spec: Spec, home: Path) -> Engine:
    (home / "roster.toml").write_text(f'[[terminal]]\ntid = "{TID}"\nmid = "{MID}"\n')
    tmk = mac.Key("TMK", bytes(range(1, 17)))
    sealed = keys.seal_tmk(TID, MID, tmk, keys.sealing_key(MASTER))
    known = {(TID, MID): SealedKey(sealed.sealed, sealed.kcv)}
    return Engine(
        spec.image,
        Roster.load(home / "roster.toml", keys=known).compile(),
        Policy.load().compile(),
        home / "journal",
        master_key=MASTER,
        settings={"postings_max": 4096, "repeats_max": 4096, "terminals_max": 16},
    )


def asking(engine: Engine, spec: Spec) -> Callable[[str, Values], tuple[Message, bytes]]:
    def ask(mti: str, values: Values) -> tuple[Message, bytes]:
        engine.submit(1, [spec.frame(spec.build(mti, values))])
        (reply,) = engine.commit()
        frame, _ = spec.unframe(reply.frame)
        assert frame is not None
        return spec.parse(frame.body), reply.frame

    return ask


@pytest.mark.parametrize(
    "name",
    ["iso8583-1987-ascii", "iso8583-1987-binary", "iso8583-1993-ascii", "iso8583-1993-binary"],
)
def test_a_terminal_does_business_in_a_standard_dialect(name: str, tmp_path: Path) -> None:
    spec = Spec.load(name)
    is_1987 = "1987" in name
    version = "0" if is_1987 else "1"
    network = version + ("800" if is_1987 else "804")
    when: Values = {12: "134501", 13: "1121"} if is_1987 else {12: "261121134501"}

    def sale(stan: int, **other: str) -> Values:
        values: Values = {
            2: "4111111111111111", 3: "000000", 4: "000000012345", 11: f"{stan:06d}", **when,
            41: TID, 42: MID, 49: "156",
        }
        if not is_1987:
            values[24] = "200"
        return values | {int(key[1:]): value for key, value in other.items()}

    def managed(stan: int, code_1987: str, code_1993: str) -> Values:
        code: Values = {70: code_1987} if is_1987 else {24: code_1993}
        return {11: f"{stan:06d}", **when, **code, 41: TID, 42: MID}

    def code_of(message: Message) -> int:
        return int(str(message[39]))

    with engine_of(spec, tmp_path) as engine:
        ask = asking(engine, spec)
        refused, _ = ask(version + "200", sale(1))
        assert code_of(refused) == 77  # not signed on
        assert code_of(ask(network, managed(2, "301", "831"))[0]) == 0
        assert code_of(ask(network, managed(3, "001", "801"))[0]) == 0

        bought, first = ask(version + "200", sale(4))
        assert (code_of(bought), bought.mti) == (0, version + "210")
        _, again = ask(version + "200", sale(4))
        assert again == first
        rrn = str(bought[37])
        voided, _ = ask(version + "200", sale(5, f3="020000", f37=rrn))
        assert code_of(voided) == 0
        twice, _ = ask(version + "200", sale(6, f3="020000", f37=rrn))
        assert code_of(twice) != 0
        held, _ = ask(version + "100", sale(7))
        assert (code_of(held), held.mti) == (0, version + "110")
        ask(version + "200", sale(8))
        undone, _ = ask(version + "420", sale(8))
        assert (code_of(undone), undone.mti) == (0, version + "430")
        too_late, _ = ask(version + "200", sale(5, f3="020000", f37="019999999999"))
        assert code_of(too_late) != 0
