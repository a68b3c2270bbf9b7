"""PIN blocks and enciphered tracks: a terminal's side, for simulators and tests.

    PIN block   0, length, PIN, F to the end; with an account number xored with
                0000 and the 12 digits left of its check digit (ISO 9564-1, format 0)
    track       as BCD, one 0 added to an odd count; the 8 bytes (SM4: 16) that end one byte
                before the last are enciphered, all other digits stay

SM4's PIN block is 16 bytes: the same digits, F to the end, the account number in the low digits.
Source: the dialect sheet, section 6; the layout of SM4's block is not confirmed by two hosts.
"""

from __future__ import annotations

from posengine._native import mac as native

PIN_SIZE_MIN, PIN_SIZE_MAX = 4, 12
HEX_DIGITS = "0123456789ABCDEF"
_VALUES = {digit: value for value, digit in enumerate(HEX_DIGITS)} | {"=": 13}


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _size(cipher: str) -> int:
    return 16 if cipher == "sm4" else 8


def _cipher(key: bytes | native.Key | None, cipher: str | None) -> str:
    if cipher is not None:
        return cipher
    return key.cipher if isinstance(key, native.Key) else "des"


def _account(pan: str | None, size: int) -> bytes:
    if pan is None:
        return bytes(size)
    if not _is_digits(pan) or not 13 <= len(pan) <= 19:
        raise ValueError("an account number has 13 to 19 digits")
    return bytes.fromhex(pan[-13:-1].rjust(2 * size, "0"))


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def pin_block(
    pin: str, pan: str | None, pik: bytes | native.Key | None, *, cipher: str | None = None
) -> bytes:
    """The PIN block that a terminal sends.

    Args:
        pin: 4 to 12 digits.
        pan: the account number; None for the format without it.
        pik: the PIN key; None gives the block in the clear.
        cipher: ``"des"`` (any key size) or ``"sm4"``; when None, the slot's, else DES.

    Returns:
        8 bytes, for SM4 16.

    Raises:
        ValueError: the PIN or the account number is not of its form.
        KeySize: the key does not fit the cipher.
    """
    chosen = _cipher(pik, cipher)
    size = _size(chosen)
    if not _is_digits(pin) or not PIN_SIZE_MIN <= len(pin) <= PIN_SIZE_MAX:
        raise ValueError(f"a PIN has {PIN_SIZE_MIN} to {PIN_SIZE_MAX} digits")
    clear = bytes.fromhex(f"0{len(pin):X}{pin}".ljust(2 * size, "F"))
    block = _xor(clear, _account(pan, size))
    return block if pik is None else native.encrypt(chosen, pik, block)


def pin_of(
    block: bytes, pan: str | None, pik: bytes | native.Key, *, cipher: str | None = None
) -> str:
    """The PIN in an enciphered PIN block.

    Raises:
        ValueError: it is no PIN block under this key and account number.
    """
    chosen = _cipher(pik, cipher)
    size = _size(chosen)
    if len(block) != size:
        raise ValueError(f"a {chosen} PIN block has {size} bytes, not {len(block)}")
    digits = _xor(native.decrypt(chosen, pik, block), _account(pan, size)).hex().upper()
    length = int(digits[1], 16)
    pin, rest = digits[2 : 2 + length], digits[2 + length :]
    is_right = digits[0] == "0" and PIN_SIZE_MIN <= length <= PIN_SIZE_MAX
    if not is_right or not _is_digits(pin) or rest.strip("F"):
        raise ValueError("not a PIN block under this key and account number")
    return pin


def _packed(track: str, cipher: str) -> tuple[bytearray, slice]:
    """The track as BCD, and the bytes of it that are enciphered."""
    size = _size(cipher)
    if any(digit not in _VALUES for digit in track):
        raise ValueError("a track has digits and a separator, = or D")
    values = [_VALUES[digit] for digit in track] + [0] * (len(track) % 2)
    packed = bytearray(
        high << 4 | low for high, low in zip(values[::2], values[1::2], strict=True)
    )
    if len(packed) < size + 1:
        raise ValueError(f"a track of {len(track)} digits is too short to be enciphered: {cipher}")
    return packed, slice(len(packed) - size - 1, len(packed) - 1)


def _unpacked(packed: bytearray, count: int) -> str:
    return packed.hex().upper()[:count]


def encrypt_track(track: str, tdk: bytes | native.Key, *, cipher: str | None = None) -> str:
    """The track with its tail enciphered: as many hex digits as it had, as a field takes them.

    Args:
        track: digits with the separator ``D`` or ``=``; at least 17 (SM4: 33) of them.

    Raises:
        ValueError: not a track, or too short.
        KeySize: the key does not fit the cipher.
    """
    chosen = _cipher(tdk, cipher)
    packed, span = _packed(track, chosen)
    packed[span] = native.encrypt(chosen, tdk, bytes(packed[span]))
    return _unpacked(packed, len(track))


def decrypt_track(track: str, tdk: bytes | native.Key, *, cipher: str | None = None) -> str:
    """The inverse of ``encrypt_track``, with the same arguments and errors."""
    chosen = _cipher(tdk, cipher)
    packed, span = _packed(track, chosen)
    packed[span] = native.decrypt(chosen, tdk, bytes(packed[span]))
    return _unpacked(packed, len(track))
