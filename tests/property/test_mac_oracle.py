"""Goal: whatever the key, the size and the bytes, our ciphers, MACs and seals are OpenSSL's.

Method: hypothesis draws them; the oracle computes the same with the ``cryptography`` package, and
every size from 0 to 600 is taken once besides.
"""

from __future__ import annotations

from random import Random

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle import macs
from posengine import errors, mac

KEY_SIZES = {
    "unionpay-ecb": (8, 16),
    "x9.9": (8, 16),
    "x9.19": (16,),
    "aes-cmac": (16, 24, 32),
    "hmac-sha256": (1, 5, 31, 32, 33, 63, 64, 65, 200),
    "sm4-unionpay": (16,),
    "sm4-cbc": (16,),
}
CIPHER_KEY_SIZES = {"des": (8, 16, 24), "sm4": (16,)}
SIZE_MAX = 600


@st.composite
def a_mac(draw: st.DrawFn) -> tuple[str, bytes, bytes]:
    """An algorithm, a key that fits it, and covered bytes."""
    algorithm = draw(st.sampled_from(mac.ALGORITHMS))
    size = draw(st.sampled_from(KEY_SIZES[algorithm]))
    key = draw(st.binary(min_size=size, max_size=size))
    return algorithm, key, draw(st.binary(max_size=SIZE_MAX))


@settings(max_examples=400, deadline=None)
@given(a_mac())
def test_every_mac_is_the_oracles(drawn: tuple[str, bytes, bytes]) -> None:
    algorithm, key, covered = drawn
    assert mac.compute(algorithm, key, covered, output="raw") == macs.mac(algorithm, key, covered)


@pytest.mark.parametrize("algorithm", mac.ALGORITHMS)
def test_every_size_is_the_oracles(algorithm: str) -> None:
    random = Random(algorithm)
    step = 1 if algorithm in ("aes-cmac", "hmac-sha256") else 7  # the oracle chains block by block
    for size in [*range(0, 40), *range(40, SIZE_MAX + 1, step)]:
        key = random.randbytes(random.choice(KEY_SIZES[algorithm]))
        covered = random.randbytes(size)
        ours = mac.compute(algorithm, key, covered, output="raw")
        assert ours == macs.mac(algorithm, key, covered), size


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_every_block_is_the_oracles_and_goes_back(data: st.DataObject) -> None:
    cipher = data.draw(st.sampled_from(sorted(CIPHER_KEY_SIZES)))
    size = data.draw(st.sampled_from(CIPHER_KEY_SIZES[cipher]))
    key = data.draw(st.binary(min_size=size, max_size=size))
    count = data.draw(st.integers(min_value=0, max_value=6))
    block_size = 8 if cipher == "des" else 16
    blocks = data.draw(st.binary(min_size=count * block_size, max_size=count * block_size))
    enciphered = mac.encrypt(cipher, key, blocks)
    assert enciphered == macs.encrypt(cipher, key, blocks)
    assert mac.decrypt(cipher, key, enciphered) == blocks
    assert mac.kcv(key, cipher) == macs.check_value(cipher, key).hex().upper()


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=64, max_size=64), st.binary(max_size=90), st.binary(max_size=200))
def test_every_seal_is_the_oracles(key: bytes, associated: bytes, plain: bytes) -> None:
    sealed = mac.siv_seal(key, plain, associated)
    assert sealed == AESSIV(key).encrypt(plain, [associated])
    assert mac.siv_open(key, sealed, associated) == plain


@settings(max_examples=200, deadline=None)
@given(
    st.binary(min_size=64, max_size=64), st.binary(max_size=40), st.binary(max_size=40), st.data()
)
def test_an_altered_seal_does_not_open(
    key: bytes, associated: bytes, plain: bytes, data: st.DataObject
) -> None:
    sealed = bytearray(mac.siv_seal(key, plain, associated))
    place = data.draw(st.integers(min_value=0, max_value=8 * len(sealed) - 1))
    sealed[place // 8] ^= 1 << place % 8
    with pytest.raises(errors.KeySeal):
        mac.siv_open(key, bytes(sealed), associated)
    with pytest.raises(errors.KeySeal):
        mac.siv_open(key, bytes(sealed[: len(sealed) - 1]), associated)


@settings(max_examples=100, deadline=None)
@given(
    st.binary(min_size=32, max_size=32),
    st.text(alphabet=st.characters(codec="ascii", exclude_characters="\0"), max_size=40),
    st.integers(min_value=1, max_value=1024),
)
def test_every_derived_key_is_the_oracles(master: bytes, label: str, size: int) -> None:
    oracle = KBKDFCMAC(
        AES, Mode.CounterMode, size, 4, 4, CounterLocation.BeforeFixed, label.encode(), b"", None
    )
    assert mac.kdf(master, label, size) == oracle.derive(master)
