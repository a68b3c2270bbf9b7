/*
 * Digits in their three dresses: BCD (two a byte), ASCII, hex.
 *
 *   nibble index   0    1    2    3        a value may begin at the second nibble of a byte:
 *   byte           [ 0 | 1 ][ 2 | 3 ]      "right aligned, odd" is first = 1
 */
#include "bytes/bytes.h"

#include <assert.h>

#define TEN_TO_8 100000000U

static unsigned nibble_at(const uint8_t *bcd, size_t index)
{
    const unsigned byte = bcd[index / 2];
    return index % 2 == 0 ? byte >> 4 : byte & 0x0fU;
}

bool pos_bcd_is_digits(const uint8_t *bcd, size_t first, size_t count)
{
    for (size_t index = first; index < first + count; index++) {
        if (nibble_at(bcd, index) > 9) return false;
    }
    return true;
}

uint64_t pos_bcd_number(const uint8_t *bcd, size_t first, size_t count)
{
    assert(count <= 18);
    uint64_t value = 0;
    for (size_t index = first; index < first + count; index++) {
        value = value * 10 + nibble_at(bcd, index);
    }
    return value;
}

void pos_bcd_to_ascii(const uint8_t *bcd, size_t first, size_t count, char *ascii_out)
{
    for (size_t index = 0; index < count; index++) {
        const unsigned nibble = nibble_at(bcd, first + index);
        ascii_out[index] = nibble == 13 ? '=' : (char)('0' + nibble);
    }
}

void pos_bcd_from_ascii(const char *ascii, size_t count, uint8_t *bcd, size_t first)
{
    for (size_t index = 0; index < count; index++) {
        const unsigned nibble = ascii[index] == '=' ? 13U : (unsigned)(ascii[index] - '0') & 0x0fU;
        uint8_t *byte = bcd + (first + index) / 2;
        const bool is_high = (first + index) % 2 == 0;
        *byte = is_high ? (uint8_t)((nibble << 4) | (*byte & 0x0fU))
                        : (uint8_t)((*byte & 0xf0U) | nibble);
    }
}

void pos_bcd_from_number(uint64_t value, uint8_t *bcd, size_t size)
{
    for (size_t index = size; index > 0; index--) {
        const uint64_t pair = value % 100;
        bcd[index - 1] = (uint8_t)((pair / 10) << 4 | pair % 10);
        value /= 100;
    }
}

bool pos_ascii_is_digits(const uint8_t *text, size_t size)
{
    for (size_t index = 0; index < size; index++) {
        if (text[index] < '0' || text[index] > '9') return false;
    }
    return true;
}

uint64_t pos_ascii_number(const uint8_t *text, size_t size)
{
    assert(size <= 18);
    uint64_t value = 0;
    for (size_t index = 0; index < size; index++) {
        value = value * 10 + (uint64_t)(text[index] - '0');
    }
    return value;
}

/* The eight digits of a number below 10^8, the first in the lowest byte: halves of four, of two, of
 * one, each by a multiplication for all lanes (99 * 103 / 2^10 and 9999 * 10486 / 2^20 are exact). */
static uint64_t eight_digits(uint32_t value)
{
    assert(value < TEN_TO_8);
    uint64_t lanes = value / 10000U | (uint64_t)(value % 10000U) << 32;
    const uint64_t hundreds = ((lanes * 10486U) >> 20) & UINT64_C(0x0000007f0000007f);
    lanes = hundreds | (lanes - hundreds * 100U) << 16;
    const uint64_t tens = ((lanes * 103U) >> 10) & UINT64_C(0x000f000f000f000f);
    lanes = tens | (lanes - tens * 10U) << 8;
    return lanes + UINT64_C(0x3030303030303030);
}

void pos_ascii_from_number(uint64_t value, char *text, size_t size)
{
    uint8_t digits[8];
    while (size > 8) {
        pos_store_u64_le(digits, eight_digits((uint32_t)(value % TEN_TO_8)));
        value /= TEN_TO_8;
        size -= 8;
        pos_copy(text + size, digits, 8);
    }
    pos_store_u64_le(digits, eight_digits((uint32_t)(value % TEN_TO_8)));
    pos_copy(text, digits + 8 - size, size);
}

/* Four bytes as eight characters, the first in the lowest byte. No table look-up: this also writes
 * MACs and key blocks. */
static uint64_t eight_hex(uint32_t bytes)
{
    uint64_t lanes = bytes; /* in memory order: the first byte is the lowest */
    lanes = (lanes | lanes << 16) & UINT64_C(0x0000ffff0000ffff);
    lanes = (lanes | lanes << 8) & UINT64_C(0x00ff00ff00ff00ff);
    lanes = (lanes >> 4 | lanes << 8) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    const uint64_t letters = ((lanes + UINT64_C(0x0606060606060606)) >> 4)
                             & UINT64_C(0x0101010101010101);
    return lanes + UINT64_C(0x3030303030303030) + letters * ('A' - '9' - 1);
}

void pos_hex_from_bytes(const uint8_t *bytes, size_t size, char *hex_out)
{
    size_t index = 0;
    for (; index + 4 <= size; index += 4) {
        pos_store_u64_le((uint8_t *)hex_out + 2 * index, eight_hex(pos_load_u32_le(bytes + index)));
    }
    for (index *= 2; index < 2 * size; index++) {
        const unsigned nibble = nibble_at(bytes, index);
        const unsigned is_letter = (9U - nibble) >> 31;
        hex_out[index] = (char)('0' + nibble + is_letter * ('A' - '9' - 1));
    }
}

bool pos_hex_to_bytes(const char *hex, uint8_t *bytes_out, size_t size)
{
    for (size_t index = 0; index < 2 * size; index++) {
        const char digit = hex[index];
        unsigned nibble;
        if (digit >= '0' && digit <= '9') nibble = (unsigned)(digit - '0');
        else if (digit >= 'A' && digit <= 'F') nibble = (unsigned)(digit - 'A' + 10);
        else if (digit >= 'a' && digit <= 'f') nibble = (unsigned)(digit - 'a' + 10);
        else return false;
        uint8_t *byte = bytes_out + index / 2;
        *byte = index % 2 == 0 ? (uint8_t)(nibble << 4) : (uint8_t)(*byte | nibble);
    }
    return true;
}
