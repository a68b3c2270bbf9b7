"""The constants of SM4's S-box in AES's field, solved for from the standard's table.

    python3 tools/sm4_fields.py

Both S-boxes invert in a field of 256 elements, and all such fields are one field under different
names. SM4's S-box is A · inverse(A · x ⊕ D3) ⊕ D3 in the field of x^8+x^7+x^6+x^5+x^4+x^2+1, with A
a circulant matrix (GB/T 32907 gives the table; the structure is solved for here and checked against
it). Every name change ``f`` into AES's field gives

    sm4(x) = POST · inverse'(PRE · x ⊕ f(D3)) ⊕ D3         PRE = f · A,  POST = A · f⁻¹

with ``inverse'`` that of AES's field. There are eight. What is printed, for each: PRE and POST as
the numbers that GF2P8AFFINEQB and GF2P8AFFINEINVQB take, and the same around AESENCLAST, whose own
affine map POST then undoes, as the sixteen-entry tables of low and high digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

AES_FIELD = 0x11B
SM4_FIELD = 0x1F5
SM4_TABLE = bytes.fromhex(
    "d690e9fecce13db716b614c228fb2c052b679a762abe04c3aa441326498606999c4250f491ef987a33540b43edcfac62"
    "e4b31ca9c908e89580df94fa758f3fa64707a7fcf37317ba83593c19e6854fa8686b81b27164da8bf8eb0f4b70569d35"
    "1e240e5e6358d1a225227c3b01217887d40046579fd327524c3602e7a0c4c89eeabf8ad240c738b5a3f7f2cef96115a1"
    "e0ae5da49b341a55ad933230f58cb1e31df6e22e8266ca60c02923ab0d534e6fd5db3745defd8e2f03ff6a726d6c5b51"
    "8d1baf92bbddbc7f11d95c411f105ad80ac13188a5cd7bbd2d74d012b8e5b4b08969974a0c96777e65b9f109c56ec684"
    "18f07dec3adc4d2079ee5f3ed7cb3948"
)
Matrix = tuple[int, ...]
"""Row n says, as a mask, which bits of the argument make bit n."""


@dataclass(frozen=True, slots=True)
class Maps:
    """sm4(x) = post · inverse(pre · x ⊕ before) ⊕ after, in AES's field."""

    pre: Matrix
    before: int
    post: Matrix
    after: int


def product(left: int, right: int, field: int) -> int:
    """In the field of that polynomial."""
    result = 0
    while right:
        if right & 1:
            result ^= left
        left <<= 1
        if left & 0x100:
            left ^= field
        right >>= 1
    return result


def inverse(value: int, field: int) -> int:
    """Zero's is zero."""
    result = 1
    for _ in range(254):
        result = product(result, value, field)
    return result


def applied(matrix: Matrix, value: int) -> int:
    """The matrix times the bits of ``value``."""
    return sum((row & value).bit_count() % 2 << bit for bit, row in enumerate(matrix))


def of_columns(columns: Sequence[int]) -> Matrix:
    """The matrix that sends bit n to ``columns[n]``."""
    return tuple(
        sum((column >> bit & 1) << place for place, column in enumerate(columns))
        for bit in range(8)
    )


def after(last: Matrix, first: Matrix) -> Matrix:
    """One matrix for ``first``, then ``last``."""
    return of_columns([applied(last, applied(first, 1 << bit)) for bit in range(8)])


def undone(matrix: Matrix) -> Matrix:
    """The inverse matrix; the matrix must have one."""
    back = {applied(matrix, value): value for value in range(256)}
    return of_columns([back[1 << bit] for bit in range(8)])


def circulant(row: int) -> Matrix:
    """Row n is ``row`` turned n bits to the left."""
    return tuple((row << bit | row >> (8 - bit)) & 0xFF for bit in range(8))


def structure() -> tuple[Matrix, int]:
    """A and D3: the circulant matrix and constant of which SM4's table is made, by trying all."""
    inverses = [inverse(value, SM4_FIELD) for value in range(256)]
    for row in range(1, 256):
        matrix = circulant(row)
        images = [applied(matrix, value) for value in range(256)]
        for constant in range(256):
            if all(
                images[inverses[images[value] ^ constant]] ^ constant == SM4_TABLE[value]
                for value in range(256)
            ):
                return matrix, constant
    raise AssertionError("SM4's S-box is not of that structure")


def names() -> Iterator[Matrix]:
    """The eight isomorphisms of SM4's field to AES's: a generator's powers go to a root's."""
    for root in range(2, 256):
        powers = [1]
        while len(powers) < 9:
            powers.append(product(powers[-1], root, AES_FIELD))
        total = 0
        for bit in range(9):
            if SM4_FIELD >> bit & 1:
                total ^= powers[bit]
        if total == 0:
            yield of_columns(powers[:8])


def solutions() -> Iterator[Maps]:
    """All eight; each is checked against the standard's table."""
    matrix, constant = structure()
    inverses = [inverse(value, AES_FIELD) for value in range(256)]
    for name in names():
        maps = Maps(
            after(name, matrix), applied(name, constant), after(matrix, undone(name)), constant
        )
        for value in range(256):
            inner = inverses[applied(maps.pre, value) ^ maps.before]
            assert applied(maps.post, inner) ^ maps.after == SM4_TABLE[value]
        yield maps


def gfni(matrix: Matrix) -> int:
    """As GF2P8AFFINEQB takes it: the row of bit n is byte 7 - n."""
    return sum(row << 8 * (7 - bit) for bit, row in enumerate(matrix))


def around_aes(maps: Maps) -> Maps:
    """The same maps around AES's S-box instead of the bare inverse."""
    affine = tuple(0xF1F1 >> (8 - bit) & 0xFF for bit in range(8))  # FIPS 197, 5.1.1
    post = after(maps.post, undone(affine))
    return Maps(maps.pre, maps.before, post, maps.after ^ applied(post, 0x63))


def digits(matrix: Matrix, constant: int) -> tuple[bytes, bytes]:
    """The map's sums by low digit (the constant among them) and by high digit."""
    low = bytes(applied(matrix, digit) ^ constant for digit in range(16))
    return low, bytes(applied(matrix, digit << 4) for digit in range(16))


def main() -> None:
    """Print them all."""
    for maps in solutions():
        aes = around_aes(maps)
        print(
            f"GFNI     pre 0x{gfni(maps.pre):016x} ^ {maps.before:02x}   "
            f"post 0x{gfni(maps.post):016x} ^ {maps.after:02x}"
        )
        for name, table in zip(("low", "high"), digits(aes.pre, aes.before), strict=True):
            print(f"AES-NI   pre {name:4} {table.hex(' ')}")
        for name, table in zip(("low", "high"), digits(aes.post, aes.after), strict=True):
            print(f"AES-NI   post {name:4} {table.hex(' ')}")


if __name__ == "__main__":
    main()
