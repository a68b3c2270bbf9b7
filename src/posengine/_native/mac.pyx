# cython: language_level=3
"""MACs, key slots, key blocks and seals of the core, for Python.

Bytes that come in are copied by the core's own calls and not kept; a ``Key`` keeps its own copy,
outside of Python's objects, and wipes it.
"""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t
from posengine._native.status cimport checked

from posengine.errors import KeyAbsent, KeySize

USAGES = ("", "TMK", "PIK", "MAK", "TDK")
CIPHERS = ("des", "aes", "sm4")
ALGORITHMS = tuple(
    pos_mac_algorithm_name(number).decode()
    for number in range(POS_MAC_NONE + 1, POS_MAC_ALGORITHM_COUNT)
)


cdef int usage_of(str usage) except -1:
    if not usage or usage not in USAGES:
        raise ValueError(f"a key's usage is one of TMK, PIK, MAK, TDK, not {usage!r}")
    return USAGES.index(usage)


cdef int cipher_of(str cipher) except -1:
    if cipher not in CIPHERS:
        raise ValueError(f"a cipher is one of {', '.join(CIPHERS)}, not {cipher!r}")
    return CIPHERS.index(cipher)


cdef inline const uint8_t *at(bytes data):
    return <const uint8_t *>PyBytes_AsString(data)


cdef class Key:
    """A key in a slot of its own: its ``repr`` shows the check value only, and it wipes itself.

    Args:
        usage: ``"TMK"``, ``"PIK"``, ``"MAK"`` or ``"TDK"``.
        data: the clear key: 8, 16 or 24 bytes for DES; 16, 24 or 32 for AES; 16 for SM4. Copied.
        cipher: ``"des"``, ``"aes"`` or ``"sm4"``.
        kcv: its check value, up to 4 bytes, checked; empty for none.

    Raises:
        KeySize, KeyWeak (DES), KeyCheck.
    """

    def __init__(self, str usage, bytes data, *, str cipher="des", bytes kcv=b""):
        cdef pos_key made
        checked(
            pos_key_make(usage_of(usage), cipher_of(cipher), at(data), len(data), at(kcv),
                         len(kcv), &made),
            usage,
        )
        pos_key_wipe(&self.slot)
        self.slot = made
        pos_key_wipe(&made)

    def __dealloc__(self):
        pos_key_wipe(&self.slot)

    def wipe(self) -> None:
        """Make it absent: every use from here on raises ``KeyAbsent``."""
        pos_key_wipe(&self.slot)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pos_key_wipe(&self.slot)

    @property
    def usage(self) -> str:
        """``"TMK"``, ``"PIK"``, ``"MAK"`` or ``"TDK"``; empty once wiped."""
        return USAGES[self.slot.usage]

    @property
    def cipher(self) -> str:
        """``"des"``, ``"aes"`` or ``"sm4"``."""
        return CIPHERS[self.slot.cipher]

    @property
    def size(self) -> int:
        """Bytes of the key; 0 once wiped."""
        return self.slot.size

    @property
    def kcv(self) -> str:
        """The check value as eight hex characters: all that may be shown of a key."""
        return bytes(self.slot.kcv[:4]).hex().upper()

    def clear(self) -> bytes:
        """The key in the clear, for a simulated terminal. Python cannot wipe what this returns."""
        present(self)
        return PyBytes_FromStringAndSize(<char *>self.slot.bytes, self.slot.size)

    def sealed(self, bytes siv_key, bytes associated) -> bytes:
        """Sealed to rest on disk: AES-256-SIV of the cipher's number (one byte) and the key."""
        cdef uint8_t[33] plain
        present(self)
        sized(siv_key, 64)
        sealed = PyBytes_FromStringAndSize(NULL, 17 + self.slot.size)
        plain[0] = self.slot.cipher
        for index in range(self.slot.size):
            plain[1 + index] = self.slot.bytes[index]
        pos_secret_seal(at(siv_key), at(associated), len(associated), plain, 1 + self.slot.size,
                        <uint8_t *>PyBytes_AsString(sealed))
        wipe_bytes(plain, 33)
        return sealed

    @staticmethod
    def opened(str usage, bytes siv_key, bytes associated, bytes sealed):
        """The key that ``sealed`` holds. Raises: KeySeal, KeySize, KeyWeak."""
        cdef Key key = Key.__new__(Key)
        cdef uint8_t[33] plain
        cdef pos_status status
        sized(siv_key, 64)
        if not 18 <= len(sealed) <= 16 + 33:
            raise KeySize(f"{usage}: a sealed key is 18 to 49 bytes, not {len(sealed)}")
        checked(
            pos_secret_open(at(siv_key), at(associated), len(associated), at(sealed), len(sealed),
                            plain),
            usage,
        )
        status = pos_key_make(usage_of(usage), plain[0], plain + 1, len(sealed) - 17, NULL, 0,
                              &key.slot)
        wipe_bytes(plain, 33)
        checked(status, usage)
        return key

    def __repr__(self):
        if self.slot.size == 0:
            return "Key(wiped)"
        return f"Key({self.usage}, {self.cipher}, {self.size} bytes, kcv {self.kcv})"

    def __reduce__(self):
        raise TypeError("a key does not leave its process")


cdef void wipe_bytes(uint8_t *data, size_t size) noexcept:
    """Zeroes what no slot holds; volatile, so that no compiler leaves it out."""
    cdef volatile uint8_t *target = data
    for index in range(size):
        target[index] = 0


cdef int present(Key key) except -1:
    if key.slot.size == 0:
        raise KeyAbsent("the key was wiped")
    return 0


cdef int sized(bytes key, Py_ssize_t size) except -1:
    if len(key) != size:
        raise KeySize(f"a key of {size} bytes is needed, not {len(key)}")
    return 0


cdef class Clear:
    """A key argument, as bytes or as a slot, for as long as one call takes."""

    cdef Key slot
    cdef bytes data

    def __cinit__(self, key, str usage):
        if isinstance(key, Key):
            self.slot = key
            present(self.slot)
            if usage and self.slot.slot.usage != usage_of(usage):
                raise KeyAbsent(f"a {self.slot.usage} does not serve as {usage}")
        elif isinstance(key, (bytes, bytearray, memoryview)):
            self.data = bytes(key)
        else:
            raise TypeError(f"a key is bytes or a Key, not {type(key).__name__}")

    cdef const uint8_t *at(self):
        if self.slot is not None:
            return &self.slot.slot.bytes[0]
        return at(self.data)

    cdef size_t size(self):
        return self.slot.slot.size if self.slot is not None else <size_t>len(self.data)


# ---- MACs -----------------------------------------------------------------------------------------
def raw(str algorithm, key, bytes covered) -> bytes:
    """The whole raw result. Raises: MacAlgorithm, KeySize, KeyAbsent."""
    cdef uint8_t[32] mac
    cdef size_t size = 0
    cdef Clear clear = Clear(key, "MAK")
    cdef pos_mac_algorithm number = pos_mac_algorithm_of(algorithm.encode())
    cdef const uint8_t *key_at = clear.at()
    cdef size_t key_size = clear.size()
    cdef const uint8_t *covered_at = at(covered)
    cdef size_t covered_size = len(covered)
    cdef pos_status status
    with nogil:
        status = pos_mac_compute(number, key_at, key_size, covered_at, covered_size, mac, &size)
    checked(status, algorithm)
    return PyBytes_FromStringAndSize(<char *>mac, <Py_ssize_t>size)


def equal(bytes ours, bytes theirs) -> bool:
    """Equal or not, in time that depends on the sizes alone."""
    return len(ours) == len(theirs) and pos_mac_equal(at(ours), at(theirs), len(ours))


# ---- block ciphers ----------------------------------------------------------------------------------
def encrypt(str cipher, key, bytes data) -> bytes:
    """Whole blocks, each on its own. Raises: KeySize, ArgumentFault."""
    cdef Clear clear = Clear(key, "")
    out = PyBytes_FromStringAndSize(NULL, len(data))
    checked(
        pos_cipher_encrypt(cipher_of(cipher), clear.at(), clear.size(), at(data), len(data),
                           <uint8_t *>PyBytes_AsString(out)),
        f"{cipher}, {len(data)} bytes",
    )
    return out


def decrypt(str cipher, key, bytes data) -> bytes:
    """The inverse of ``encrypt``, for DES and SM4. Raises: KeySize, ArgumentFault."""
    cdef Clear clear = Clear(key, "")
    out = PyBytes_FromStringAndSize(NULL, len(data))
    checked(
        pos_cipher_decrypt(cipher_of(cipher), clear.at(), clear.size(), at(data), len(data),
                           <uint8_t *>PyBytes_AsString(out)),
        f"{cipher}, {len(data)} bytes",
    )
    return out


def kcv(key, str cipher="des") -> str:
    """The check value: the first 4 bytes of a block of zeros under the key, as hex."""
    cdef uint8_t[4] value
    cdef Clear clear = Clear(key, "")
    checked(pos_key_check_value(cipher_of(cipher), clear.at(), clear.size(), value), cipher)
    return bytes(value[:4]).hex().upper()


def with_odd_parity(bytes key) -> bytes:
    """The key with the lowest bit of every byte set for an odd number of ones."""
    changed = bytearray(key)
    cdef unsigned char[::1] view = changed
    if changed:
        pos_key_set_odd_parity(&view[0], len(changed))
    return bytes(changed)


def is_weak(bytes key) -> bool:
    """One of the weak or semi-weak keys of DES, or made of one."""
    return pos_key_is_weak(at(key), len(key))


# ---- key blocks ---------------------------------------------------------------------------------------
cdef pos_key_block_layout layout_from(tuple layout) except *:
    """``(cipher, size, ((usage, key_offset, key_size, kcv_offset, kcv_size), ...))``"""
    cdef pos_key_block_layout made
    cipher, size, parts = layout
    if not 0 < size <= POS_KEY_BLOCK_SIZE_MAX or not 0 < len(parts) <= POS_KEY_BLOCK_PARTS_MAX:
        raise ValueError(f"a key block has 1 to {POS_KEY_BLOCK_SIZE_MAX} bytes and 1 to 3 keys")
    made.cipher = cipher_of(cipher)
    made.size = size
    made.part_count = len(parts)
    for index, (usage, key_offset, key_size, kcv_offset, kcv_size) in enumerate(parts):
        made.parts[index].usage = usage_of(usage)
        made.parts[index].key_offset = key_offset
        made.parts[index].key_size = key_size
        made.parts[index].kcv_offset = kcv_offset
        made.parts[index].kcv_size = kcv_size
    checked(pos_key_block_layout_check(&made), "key block layout")
    return made


def block_layout(unsigned code):
    """The layout of 60.3 = ``code`` as a tuple; None for a code that has none."""
    cdef pos_key_block_layout layout
    if pos_key_block_layout_of(code, &layout) != 0:
        return None
    parts = []
    for index in range(layout.part_count):
        part = layout.parts[index]
        parts.append((USAGES[part.usage], part.key_offset, part.key_size, part.kcv_offset,
                      part.kcv_size))
    return CIPHERS[layout.cipher], layout.size, tuple(parts)


cdef dict keys_from(pos_working_keys *made):
    cdef Key key
    cdef pos_key *slots[3]
    keys = {}
    slots[0] = &made.pik
    slots[1] = &made.mak
    slots[2] = &made.tdk
    for index in range(3):
        if slots[index].size == 0:
            continue
        key = Key.__new__(Key)
        key.slot = slots[index][0]
        keys[key.usage] = key
    pos_working_keys_wipe(made)
    return keys


def block_random_size(tuple layout) -> int:
    """Random bytes that ``block_make`` takes."""
    cdef pos_key_block_layout made = layout_from(layout)
    return pos_key_block_random_size(&made)


def block_make(tuple layout, Key tmk not None, bytes random):
    """New keys and their block: ``({"PIK": Key, ...}, block)``. Raises: KeyAbsent, KeySize."""
    cdef pos_key_block_layout made = layout_from(layout)
    cdef pos_working_keys keys
    cdef uint8_t[128] block
    cdef size_t size = 0
    present(tmk)
    if tmk.usage != "TMK":
        raise KeyAbsent(f"a {tmk.usage} wraps no keys")
    checked(
        pos_key_block_make(&made, &tmk.slot, at(random), len(random), &keys, block, &size),
        "key block",
    )
    return keys_from(&keys), PyBytes_FromStringAndSize(<char *>block, <Py_ssize_t>size)


def block_open(tuple layout, Key tmk not None, bytes block):
    """The keys of a block: ``{"PIK": Key, ...}``. Raises: KeyBlock, KeyCheck, KeyWeak, KeySize."""
    cdef pos_key_block_layout made = layout_from(layout)
    cdef pos_working_keys keys
    present(tmk)
    if tmk.usage != "TMK":
        raise KeyAbsent(f"a {tmk.usage} wraps no keys")
    checked(
        pos_key_block_open(&made, &tmk.slot, at(block), len(block), &keys),
        f"key block of {len(block)} bytes, layout of {made.size}",
    )
    return keys_from(&keys)


# ---- seals and derived keys ------------------------------------------------------------------------------
def siv_seal(bytes key, bytes plain, bytes associated=b"") -> bytes:
    """AES-256-SIV (RFC 5297): 16 bytes and as many as ``plain`` has. ``key`` has 64 bytes."""
    sized(key, 64)
    sealed = PyBytes_FromStringAndSize(NULL, 16 + len(plain))
    pos_secret_seal(at(key), at(associated), len(associated), at(plain), len(plain),
                    <uint8_t *>PyBytes_AsString(sealed))
    return sealed


def siv_open(bytes key, bytes sealed, bytes associated=b"") -> bytes:
    """What was sealed. Raises: KeySeal: another key, other associated data, or altered."""
    sized(key, 64)
    plain = PyBytes_FromStringAndSize(NULL, max(0, len(sealed) - 16))
    checked(
        pos_secret_open(at(key), at(associated), len(associated), at(sealed), len(sealed),
                        <uint8_t *>PyBytes_AsString(plain)),
        "seal",
    )
    return plain


def kdf(bytes master, str label, size_t size) -> bytes:
    """A key of ``size`` bytes of its own for ``label``, from a 32-byte master key."""
    sized(master, 32)
    if not 1 <= size <= 1024 or "\0" in label:
        raise ValueError("a derived key has 1 to 1024 bytes and a label without a zero character")
    derived = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>size)
    pos_kdf(at(master), label.encode(), <uint8_t *>PyBytes_AsString(derived), size)
    return derived
