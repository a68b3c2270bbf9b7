/*
 * Digits in their three dresses: BCD (two a byte), ASCII, hex.
 *
 *   nibble index   0    1    2    3        a value may begin at the second nibble of a byte:
 *   byte           [ 0 | 1 ][ 2 | 3 ]      "right aligned, odd" is first = 1
 */
#include "bytes/bytes.h"

#include <assert.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

/* The last `size` of eight characters, four at least by two moves that may overlap. */
static void last_write(uint64_t digits, char *text, size_t size)
{
    uint8_t *at = (uint8_t *)text;
    assert(size <= 8);
    if (size >= 4) {
        pos_store_u32_le(at, (uint32_t)(digits >> 8 * (8 - size)));
        pos_store_u32_le(at + size - 4, (uint32_t)(digits >> 32));
    } else if (size >= 2) {
        pos_store_u16_le(at, (uint16_t)(digits >> 8 * (8 - size)));
        pos_store_u16_le(at + size - 2, (uint16_t)(digits >> 48));
    } else if (size == 1) {
        at[0] = (uint8_t)(digits >> 56);
    }
}

void pos_ascii_from_number(uint64_t value, char *text, size_t size)
{
    while (size > 8) {
        size -= 8;
        pos_store_u64_le((uint8_t *)text + size, eight_digits((uint32_t)(value % TEN_TO_8)));
        value /= TEN_TO_8;
    }
    last_write(eight_digits((uint32_t)(value % TEN_TO_8)), text, size);
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

static void hex_by_four(const uint8_t *bytes, size_t size, char *hex_out)
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

#if defined(__SSE2__)
/* The nibbles of eight bytes as sixteen characters; no table look-up here either. */
static __m128i sixteen_hex(__m128i bytes)
{
    const __m128i low_nibble = _mm_set1_epi8(0x0f);
    const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), low_nibble);
    const __m128i nibbles = _mm_unpacklo_epi8(high, _mm_and_si128(bytes, low_nibble));
    const __m128i is_letter = _mm_cmpgt_epi8(nibbles, _mm_set1_epi8(9));
    const __m128i step = _mm_and_si128(is_letter, _mm_set1_epi8('A' - '9' - 1));
    return _mm_add_epi8(_mm_add_epi8(nibbles, _mm_set1_epi8('0')), step);
}

void pos_hex_from_bytes(const uint8_t *bytes, size_t size, char *hex_out)
{
    for (; size >= 8; size -= 8, bytes += 8, hex_out += 16) {
        const __m128i eight = _mm_loadl_epi64((const __m128i *)(const void *)bytes);
        _mm_storeu_si128((__m128i *)(void *)hex_out, sixteen_hex(eight));
    }
    if (size == 4) { /* a half of a MAC */
        const __m128i four = _mm_cvtsi32_si128((int)pos_load_u32_le(bytes));
        _mm_storel_epi64((__m128i *)(void *)hex_out, sixteen_hex(four));
    } else if (size > 0) {
        hex_by_four(bytes, size, hex_out);
    }
}
#else
void pos_hex_from_bytes(const uint8_t *bytes, size_t size, char *hex_out)
{
    hex_by_four(bytes, size, hex_out);
}
#endif

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
