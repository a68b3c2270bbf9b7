"""MACs and key blocks on the ``cryptography`` package (OpenSSL): textbook steps, one by one.

fold     blocks XORed ─▶ hex ─▶ encrypt the first half ─▶ XOR the second ─▶ encrypt
chain    CBC with zero padding, last block (X9.19: then decrypt right, encrypt left)
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.cmac import CMAC


def encrypt(cipher: str, key: bytes, blocks: bytes) -> bytes:
    """ECB; ``cipher`` is des (8, 16 or 24 bytes of key) or sm4."""
    encryptor = Cipher(_algorithm(cipher, key), modes.ECB()).encryptor()
    return encryptor.update(blocks) + encryptor.finalize()


def decrypt(cipher: str, key: bytes, blocks: bytes) -> bytes:
    """The reverse of ``encrypt``."""
    decryptor = Cipher(_algorithm(cipher, key), modes.ECB()).decryptor()
    return decryptor.update(blocks) + decryptor.finalize()


def _algorithm(cipher: str, key: bytes) -> TripleDES | SM4:
    if cipher == "sm4":
        return SM4(key)
    return TripleDES({8: key * 3, 16: key + key[:8], 24: key}[len(key)])


def check_value(cipher: str, key: bytes) -> bytes:
    """The first four bytes of zero enciphered."""
    return encrypt(cipher, key, bytes(16 if cipher == "sm4" else 8))[:4]


def mac(algorithm: str, key: bytes, covered: bytes) -> bytes:
    """The whole raw result, as ``pos_mac_compute`` gives it."""
    if algorithm == "aes-cmac":
        state = CMAC(AES(key))
        state.update(covered)
        return state.finalize()
    if algorithm == "hmac-sha256":
        return hmac.new(key, covered, hashlib.sha256).digest()
    if algorithm == "unionpay-ecb":
        return _fold("des", key, _zero_padded(covered, 8), 8)
    if algorithm == "sm4-unionpay":
        return _fold("sm4", key, _zero_padded(covered, 16), 16)
    if algorithm == "sm4-cbc":
        return _chain("sm4", key, _zero_padded(covered, 16), 16)
    if algorithm == "x9.9":
        return _chain("des", key, _zero_padded(covered, 8), 8)
    if algorithm == "x9.19":
        last = _chain("des", key[:8], _zero_padded(covered, 8), 8)
        return encrypt("des", key[:8], decrypt("des", key[8:], last))
    raise ValueError(algorithm)


def field(raw: bytes, output: str, size: int = 8) -> bytes:
    """What the MAC field holds of a raw result."""
    return raw[:size] if output == "raw" else raw.hex().upper().encode()[:size]


def _zero_padded(covered: bytes, size: int) -> bytes:
    if not covered:
        return bytes(size)  # ISO/IEC 9797-1, padding method 1: at least one block
    return covered + bytes(-len(covered) % size)


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _fold(cipher: str, key: bytes, covered: bytes, size: int) -> bytes:
    folded = bytes(size)
    for at in range(0, len(covered), size):
        folded = _xor(folded, covered[at : at + size])
    characters = folded.hex().upper().encode()
    first = encrypt(cipher, key, characters[:size])
    return encrypt(cipher, key, _xor(first, characters[size:]))


def _chain(cipher: str, key: bytes, covered: bytes, size: int) -> bytes:
    state = bytes(size)
    for at in range(0, len(covered), size):
        state = encrypt(cipher, key, _xor(state, covered[at : at + size]))
    return state
