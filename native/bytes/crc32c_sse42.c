/*
 * CRC-32C by the processor's instruction, eight bytes a step. Oracle: pos_crc32c_slow.
 *
 *   | stream 0, n bytes | stream 1 | stream 2 | ...      each instruction waits three cycles for the
 *                                                        one before, and one may start every cycle
 *
 * Three sums become one: the first is moved past 2n bytes, the second past n. To move a sum s past m
 * bytes is to multiply it by x^8m: a carry-less product with x^(8m-33), bits in reverse, then the
 * instruction, which multiplies by x^33 (32, and 1 that a product of reversed bits is short of).
 */
#include "bytes/crc32c.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>

/* x^(8m-33) modulo the polynomial, bits in reverse, for m bytes. */
#define PAST_128 0x0d3b6092
#define PAST_256 0xb9e02b86
#define PAST_1024 0x170076fa
#define PAST_2048 0xa51b6135

static inline uint32_t moved(uint64_t sum, uint32_t past)
{
    const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)sum),
                                                 _mm_cvtsi32_si128((int)past), 0x00);
    return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* Three streams of `each` bytes. */
static inline uint64_t sum_three(uint64_t sum, const uint8_t *data, size_t each,
                                 uint32_t past_two, uint32_t past_one)
{
    uint64_t second = 0;
    uint64_t third = 0;
    for (size_t index = 0; index < each; index += 8) {
        sum = _mm_crc32_u64(sum, pos_load_u64_le(data + index));
        second = _mm_crc32_u64(second, pos_load_u64_le(data + each + index));
        third = _mm_crc32_u64(third, pos_load_u64_le(data + 2 * each + index));
    }
    return moved(sum, past_two) ^ moved(second, past_one) ^ third;
}

uint32_t pos_crc32c_sse42(uint32_t crc, const uint8_t *data, size_t size)
{
    uint64_t sum = ~crc;
    for (; size >= 3 * 1024; size -= 3 * 1024, data += 3 * 1024) {
        sum = sum_three(sum, data, 1024, PAST_2048, PAST_1024);
    }
    for (; size >= 3 * 128; size -= 3 * 128, data += 3 * 128) {
        sum = sum_three(sum, data, 128, PAST_256, PAST_128);
    }
    for (; size >= 8; size -= 8, data += 8) sum = _mm_crc32_u64(sum, pos_load_u64_le(data));
    uint32_t rest = (uint32_t)sum;
    for (; size > 0; size--, data++) rest = _mm_crc32_u8(rest, *data);
    return ~rest;
}
#endif
