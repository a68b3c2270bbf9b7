"""Goal: MACs, keys, key blocks, PIN blocks and tracks are the dialect's, and a key never shows.

Method: the shared vectors of tests/vectors/mac, the dialect sheet's PIN blocks and track, and every
way to ask for what is not there.
"""

from __future__ import annotations

import copy
import pickle

import pytest

from oracle import macs
from oracle.vectors import Vector, vectors
from posengine import errors, mac

VECTORS = vectors("mac")
TMK = bytes.fromhex("54304AD05FC35BEA48F835A2DA4E6142")
PIK = bytes.fromhex("831AF2970423FE98017A8AEF62BA58A7")
MAK = bytes.fromhex("575B6B798C761992")
PAN = "6225000000000014"
TRACK = "6225000000000014D30122010000012345678"


# ---- MACs -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if "Algorithm" in v.words], ids=lambda v: v.name
)
def test_the_mac_is_the_vectors(vector: Vector) -> None:
    algorithm, key = vector.words["Algorithm"], bytes.fromhex(vector.words["Key"])
    if "Raw" in vector.words:
        raw = mac.compute(algorithm, key, vector.data, output="raw")
        assert raw.hex().upper() == vector.words["Raw"]
        shown = mac.compute(algorithm, key, vector.data, output="hex")
        assert shown.decode() == vector.words["Raw"]
        assert mac.steps(algorithm, key, vector.data)[-2].value == vector.words["Raw"]
    if "Field" in vector.words:
        field = mac.compute(algorithm, key, vector.data)
        assert field.decode() == vector.words["Field"]
        mac.verify(algorithm, key, vector.data, field)


def test_every_algorithm_has_its_usual_form_and_its_cuts() -> None:
    sizes = {
        "unionpay-ecb": (8, 8), "x9.9": (8, 8), "x9.19": (16, 8), "aes-cmac": (16, 16),
        "hmac-sha256": (32, 32), "sm4-unionpay": (16, 8), "sm4-cbc": (16, 16),
    }
    assert tuple(sizes) == mac.ALGORITHMS
    for algorithm, (key_size, size) in sizes.items():
        key = bytes(range(3, 3 + key_size))
        whole = mac.compute(algorithm, key, b"some bytes")
        raw = mac.compute(algorithm, key, b"some bytes", output="raw")
        assert len(whole) == size
        assert whole == (raw if "unionpay" not in algorithm else raw.hex().upper().encode()[:8])
        assert mac.compute(algorithm, key, b"some bytes", size=4) == whole[:4]
        for bad in (0, -1, size + 1):
            with pytest.raises(ValueError, match="size is 1 to"):
                mac.compute(algorithm, key, b"some bytes", size=bad)
    with pytest.raises(ValueError, match="output is one of"):
        mac.compute("x9.9", MAK, b"", output="base64")


def test_what_is_not_the_mac_is_a_mismatch() -> None:
    field = mac.compute("unionpay-ecb", MAK, b"some bytes")
    for wrong in (b"", field[:7], field + b"0", field.lower(), field[:7] + b"!"):
        with pytest.raises(errors.MacMismatch):
            mac.verify("unionpay-ecb", MAK, b"some bytes", wrong)
    with pytest.raises(errors.MacMismatch):
        mac.verify("unionpay-ecb", MAK, b"some byteS", field)
    raw = mac.compute("aes-cmac", PIK, b"some bytes")
    mac.verify("aes-cmac", PIK, b"some bytes", raw[:8], size=8)
    with pytest.raises(errors.MacMismatch):
        mac.verify("aes-cmac", PIK, b"some bytes", raw[:8])


def test_wrong_names_and_sizes_are_told_apart() -> None:
    with pytest.raises(errors.MacAlgorithm):
        mac.compute("x9.99", MAK, b"")
    for size in (0, 7, 9, 24):
        with pytest.raises(errors.KeySize):
            mac.compute("unionpay-ecb", bytes(size), b"")
    with pytest.raises(TypeError, match="a key is bytes or a Key"):
        mac.compute("unionpay-ecb", "575B6B798C761992", b"")  # type: ignore[arg-type]


def test_the_steps_are_those_of_the_dialect_sheet() -> None:
    covered = next(v for v in VECTORS if v.words.get("Raw") == "51D8741ECBB0CDDF").data
    found = {step.name: step.value for step in mac.steps("unionpay-ecb", MAK, covered)}
    assert found["X"] == "EE0C551B3DC20645"
    assert found["E1"] == "D85BE026933BAEA1"
    assert found["E1 xor second half"] == "EB1FA314A30D9A94"
    assert found["E2"] == "51D8741ECBB0CDDF"
    assert found["field"] == b"51D8741E".hex().upper()


@pytest.mark.parametrize("algorithm", mac.ALGORITHMS)
@pytest.mark.parametrize("size", [0, 1, 8, 15, 16, 17, 40])
def test_the_last_step_is_the_result(algorithm: str, size: int) -> None:
    key, covered = bytes(range(16)), bytes(range(size))
    found = mac.steps(algorithm, key, covered)
    assert found[-2].value == mac.compute(algorithm, key, covered, output="hex").decode()
    if algorithm not in ("aes-cmac", "hmac-sha256"):
        assert found[-3].value == found[-2].value


# ---- slots ------------------------------------------------------------------------------------
def test_a_slot_shows_its_check_value_only() -> None:
    key = mac.Key("MAK", MAK)
    assert repr(key) == str(key) == "Key(MAK, des, 8 bytes, kcv 81D7E011)"
    assert key.kcv == mac.kcv(MAK) == mac.kcv(key)
    assert (key.usage, key.cipher, key.size) == ("MAK", "des", 8)
    for leak in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="does not leave its process"):
            leak(key)
    with pytest.raises(AttributeError):
        key.note = 1  # type: ignore[attr-defined]


def test_a_slot_serves_as_what_it_is_and_not_once_wiped() -> None:
    with mac.Key("MAK", MAK) as key:
        assert mac.compute("unionpay-ecb", key, b"a") == mac.compute("unionpay-ecb", MAK, b"a")
    assert repr(key) == "Key(wiped)"
    with pytest.raises(errors.KeyAbsent, match="wiped"):
        mac.compute("unionpay-ecb", key, b"a")
    with pytest.raises(errors.KeyAbsent, match="wiped"):
        key.clear()
    with pytest.raises(errors.KeyAbsent, match="a PIK does not serve as MAK"):
        mac.compute("unionpay-ecb", mac.Key("PIK", PIK), b"a")


def test_a_slot_is_refused_where_its_key_is_wrong() -> None:
    assert mac.Key("TMK", TMK, kcv=bytes.fromhex(mac.kcv(TMK))[:3]).clear() == TMK
    with pytest.raises(errors.KeyCheck):
        mac.Key("TMK", TMK, kcv=b"\0\0\0\0")
    with pytest.raises(errors.KeyWeak):
        mac.Key("TMK", TMK[:8] + bytes.fromhex("01FE01FE01FE01FE"))
    with pytest.raises(errors.KeySize):
        mac.Key("TMK", TMK[:15])
    with pytest.raises(errors.KeySize):
        mac.Key("TMK", TMK[:8], cipher="sm4")
    with pytest.raises(ValueError, match="usage"):
        mac.Key("KEK", TMK)
    with pytest.raises(ValueError, match="cipher"):
        mac.Key("TMK", TMK, cipher="rc4")


def test_a_sealed_slot_opens_under_its_name_only() -> None:
    siv = mac.kdf(bytes(range(32)), "posengine siv", 64)
    name = b"10000159880210010210160"
    for cipher, data in (("des", TMK), ("aes", TMK * 2), ("sm4", TMK)):
        key = mac.Key("TMK", data, cipher=cipher)
        sealed = key.sealed(siv, name)
        assert sealed == mac.siv_seal(siv, bytes([mac_cipher(cipher)]) + data, name)
        assert data not in sealed
        again = mac.Key.opened("TMK", siv, name, sealed)
        assert (again.clear(), again.cipher, again.kcv) == (data, cipher, key.kcv)
        for other in (name[:-1] + b"1", b""):
            with pytest.raises(errors.KeySeal):
                mac.Key.opened("TMK", siv, other, sealed)
        with pytest.raises(errors.KeySeal):
            mac.Key.opened("TMK", siv[::-1], name, sealed)
    with pytest.raises(errors.KeySize):
        mac.Key.opened("TMK", siv, name, sealed[:17])


def mac_cipher(cipher: str) -> int:
    return {"des": 0, "aes": 1, "sm4": 2}[cipher]


def test_parity_and_weak_keys() -> None:
    assert mac.with_odd_parity(bytes.fromhex("0011FEFF6225")).hex() == "0110fefe6225"
    assert mac.is_weak(bytes.fromhex("E0E0E0E0F1F1F1F1"))
    assert not mac.is_weak(MAK)


# ---- key blocks -------------------------------------------------------------------------------
@pytest.mark.parametrize("vector", [v for v in VECTORS if "PIK" in v.words], ids=lambda v: v.name)
def test_the_keys_of_a_block_are_the_vectors(vector: Vector) -> None:
    tmk = mac.Key("TMK", bytes.fromhex(vector.words["TMK"]))
    keys = mac.open_block(vector.data, tmk)
    wanted = {name: vector.words[name] for name in ("PIK", "MAK", "TDK") if name in vector.words}
    assert {name: key.clear().hex().upper() for name, key in keys.items()} == wanted
    layout = mac.layout_of(int(vector.words["Network"]))
    again = mac.open_block(vector.data, tmk, layout=layout)
    assert {name: key.kcv for name, key in again.items()} == {
        name: key.kcv for name, key in keys.items()
    }
    with pytest.raises(errors.KeyCheck):
        mac.open_block(vector.data, mac.Key("TMK", TMK[::-1]))


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if "Status" in v.words], ids=lambda v: v.name
)
def test_a_block_of_another_size_is_refused_as_the_vectors_say(vector: Vector) -> None:
    layout = mac.layout_of(int(vector.words["Network"]))
    tmk = mac.Key("TMK", bytes.fromhex(vector.words["TMK"]), cipher=layout.cipher)
    with pytest.raises(errors.BY_STATUS[vector.words["Status"]]):
        mac.open_block(vector.data, tmk, layout=layout)


@pytest.mark.parametrize("size", [0, 23, 33, 44, 56, 84, 104])
def test_a_block_without_a_layout_is_refused_with_a_reason(size: int) -> None:
    tmk = mac.Key("TMK", TMK)
    with pytest.raises(errors.KeyBlock, match=f"key block of {size} bytes.*not guessed"):
        mac.open_block(bytes(size), tmk)
    with pytest.raises(errors.KeyBlock, match=f"key block of {size} bytes, layout of 40"):
        mac.open_block(bytes(size), tmk, layout=mac.layout_of(3))


@pytest.mark.parametrize("code", [1, 3, 4, 5, 6])
def test_a_made_block_opens_and_the_oracle_agrees(code: int) -> None:
    layout = mac.layout_of(code)
    tmk = mac.Key("TMK", TMK, cipher=layout.cipher)
    keys, block = mac.make_block(layout, tmk, bytes(range(7, 7 + layout.random_size)))
    assert len(block) == layout.size
    opened = mac.open_block(block, tmk)
    assert list(opened) == list(keys) == [part.usage for part in layout.parts]
    for part in layout.parts:
        clear = keys[part.usage].clear()
        wrapped = block[part.key_offset : part.key_offset + part.key_size]
        assert macs.decrypt(layout.cipher, TMK, wrapped) == clear
        assert opened[part.usage].clear() == clear
        check = block[part.kcv_offset : part.kcv_offset + part.kcv_size]
        assert check == macs.check_value(layout.cipher, clear)
        if layout.cipher == "des":
            assert all(byte.bit_count() % 2 == 1 for byte in clear)
    with pytest.raises(errors.ArgumentFault):
        mac.make_block(layout, tmk, bytes(layout.random_size - 1))
    other = mac.Key("TMK", TMK, cipher="sm4" if layout.cipher == "des" else "des")
    with pytest.raises(errors.KeySize):
        mac.make_block(layout, other, bytes(48))
    with pytest.raises(errors.KeyAbsent, match="a PIK wraps no keys"):
        mac.make_block(layout, mac.Key("PIK", PIK), bytes(48))


def test_a_variant_is_a_layout_with_other_numbers() -> None:
    layout = mac.layout_of(3).moved("MAK", kcv_offset=28)
    tmk = mac.Key("TMK", TMK)
    keys, block = mac.make_block(layout, tmk, bytes(range(24)))
    assert block[28:32].hex().upper() == keys["MAK"].kcv
    assert block[32:] == bytes(8)
    with pytest.raises(errors.KeyCheck):
        mac.open_block(block, tmk)
    assert mac.open_block(block, tmk, layout=layout)["MAK"].kcv == keys["MAK"].kcv
    with pytest.raises(errors.ArgumentFault):
        mac.open_block(block, tmk, layout=layout.moved("MAK", kcv_offset=27))
    with pytest.raises(ValueError, match="no TDK"):
        layout.moved("TDK", kcv_offset=28)
    for code in (0, 2, 7, 999):
        with pytest.raises(errors.KeyBlock, match=f"{code:03d}"):
            mac.layout_of(code)


# ---- PIN blocks and tracks --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("pin", "pan", "clear", "enciphered"),
    [
        ("1234", PAN, "041264FFFFFFFFFE", "02E7C9100BA4F150"),
        ("123456", PAN, "06126456FFFFFFFE", "7CF6206C36662C10"),
        ("123456", None, "06123456FFFFFFFF", "2BD114388F5E1E88"),
    ],
)
def test_pin_blocks_are_the_dialect_sheets(
    pin: str, pan: str | None, clear: str, enciphered: str
) -> None:
    assert mac.pin_block(pin, pan, None).hex().upper() == clear
    block = mac.pin_block(pin, pan, PIK)
    assert block.hex().upper() == enciphered
    assert mac.pin_block(pin, pan, mac.Key("PIK", PIK)) == block
    assert mac.pin_of(block, pan, PIK) == pin
    with pytest.raises(ValueError, match="not a PIN block"):
        mac.pin_of(block, pan, TMK)


def test_the_pin_block_of_the_made_sale_is_its_field_52() -> None:
    assert mac.pin_block("123456", PAN, b"\x22" * 16).hex().upper() == "6E83D8C871679F76"


@pytest.mark.parametrize("pin", ["1234", "123456789012"])
@pytest.mark.parametrize("pan", [None, PAN, "4111111111111111", "6222021234567890128"])
def test_sm4_pin_blocks_go_round(pin: str, pan: str | None) -> None:
    key = mac.Key("PIK", PIK, cipher="sm4")
    block = mac.pin_block(pin, pan, key)
    assert len(block) == 16
    assert mac.pin_of(block, pan, key) == pin
    assert mac.pin_block(pin, pan, PIK, cipher="sm4") == block
    assert len(mac.pin_block(pin, pan, None, cipher="sm4")) == 16


@pytest.mark.parametrize("pin", ["", "123", "1234567890123", "12a4", "１２３４"])
def test_what_is_no_pin_is_refused(pin: str) -> None:
    with pytest.raises(ValueError, match="a PIN has"):
        mac.pin_block(pin, PAN, PIK)


def test_what_is_no_account_number_is_refused() -> None:
    for pan in ("", "123456789012", "12345678901234567890", "62250000000000D4"):
        with pytest.raises(ValueError, match="an account number"):
            mac.pin_block("1234", pan, PIK)


def test_the_track_is_the_dialect_sheets() -> None:
    tdk = b"\x44" * 16
    enciphered = mac.encrypt_track(TRACK, tdk)
    assert enciphered == "6225000000000014D30185810F40FF741B498"
    assert mac.decrypt_track(enciphered, tdk) == TRACK
    assert mac.encrypt_track(TRACK.replace("D", "="), tdk) == enciphered


@pytest.mark.parametrize("size", range(33, 38))
def test_tracks_go_round_and_keep_their_size(size: int) -> None:
    for cipher in ("des", "sm4"):
        key = mac.Key("TDK", PIK, cipher=cipher)
        track = TRACK[:size]
        enciphered = mac.encrypt_track(track, key)
        assert len(enciphered) == size
        assert enciphered != track
        assert mac.decrypt_track(enciphered, key) == track


def test_tracks_that_cannot_be_enciphered_are_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        mac.encrypt_track(TRACK[:16], PIK)
    with pytest.raises(ValueError, match="too short"):
        mac.encrypt_track(TRACK[:32], PIK, cipher="sm4")
    with pytest.raises(ValueError, match="digits and a separator"):
        mac.encrypt_track("6225 0000", PIK)
    with pytest.raises(errors.KeySize):
        mac.encrypt_track(TRACK, PIK[:15])
