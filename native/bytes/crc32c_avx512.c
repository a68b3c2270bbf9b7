/*
 * CRC-32C by carry-less products, 256 bytes a step. Oracle: pos_crc32c_slow.
 *
 *   four registers of four 16-byte lanes ──▶ each lane moved past 256 bytes, and the data there added
 *   four registers ──▶ one ──▶ one lane ──▶ the processor's instruction ──▶ the rest, by sse42
 *
 * To move 16 bytes past d bits is to multiply their halves by x^(d+32) and x^(d-32) modulo the
 * polynomial; with bits in reverse a product comes out one place short, so each constant is doubled.
 * Source: Gopal and others, Fast CRC Computation for Generic Polynomials Using PCLMULQDQ, 2009.
 */
#include "bytes/crc32c.h"

#include <assert.h>

#if defined(__x86_64__)
#include <immintrin.h>

static inline __m512i moved(__m512i lanes, __m512i past)
{
    return _mm512_xor_si512(_mm512_clmulepi64_epi128(lanes, past, 0x00),
                            _mm512_clmulepi64_epi128(lanes, past, 0x11));
}

static inline __m512i moved_to(__m512i lanes, __m512i past, __m512i there)
{
    return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(lanes, past, 0x00),
                                     _mm512_clmulepi64_epi128(lanes, past, 0x11), there, 0x96);
}

static inline __m512i loaded(const uint8_t *from)
{
    return _mm512_loadu_si512((const void *)from);
}

/* Four lanes as one, each moved to the last one's place. */
static inline uint32_t sum_lanes(__m512i lanes)
{
    const __m512i pasts = _mm512_setr_epi64(0x01c291d04, 0x1d82c63da,  /* 384 bits */
                                            0x1384aa63a, 0x0ba4fc28e,  /* 256 */
                                            0x0f20c0dfe, 0x14cd00bd6,  /* 128 */
                                            0, 0); /* the last stays */
    const __m512i products = moved(lanes, pasts);
    const __m512i all = _mm512_mask_mov_epi64(products, 0xc0, lanes);
    const __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(all),
                                          _mm512_extracti64x4_epi64(all, 1));
    const __m128i one = _mm_xor_si128(_mm256_castsi256_si128(half),
                                      _mm256_extracti128_si256(half, 1));
    const uint64_t first = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(one));
    return (uint32_t)_mm_crc32_u64(first, (uint64_t)_mm_extract_epi64(one, 1));
}

uint32_t pos_crc32c_avx512(uint32_t crc, const uint8_t *data, size_t size)
{
    assert(size >= 256);
    const __m512i past_2048 = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0b9e02b86, 0x0dcb17aa4));
    const __m512i past_1536 = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0ab7aff2a, 0x0a87ab8a8));
    const __m512i past_1024 = _mm512_broadcast_i32x4(_mm_set_epi64x(0x00d3b6092, 0x06992cea2));
    const __m512i past_512 = _mm512_broadcast_i32x4(_mm_set_epi64x(0x09e4addf8, 0x0740eef02));
    const __m512i begin = _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)~crc));
    __m512i first = _mm512_xor_si512(loaded(data), begin);
    __m512i second = loaded(data + 64);
    __m512i third = loaded(data + 128);
    __m512i fourth = loaded(data + 192);
    data += 256;
    size -= 256;
    for (; size >= 256; size -= 256, data += 256) {
        first = moved_to(first, past_2048, loaded(data));
        second = moved_to(second, past_2048, loaded(data + 64));
        third = moved_to(third, past_2048, loaded(data + 128));
        fourth = moved_to(fourth, past_2048, loaded(data + 192));
    }
    fourth = moved_to(first, past_1536, fourth);
    fourth = moved_to(second, past_1024, fourth);
    fourth = moved_to(third, past_512, fourth);
    for (; size >= 64; size -= 64, data += 64) fourth = moved_to(fourth, past_512, loaded(data));
    return pos_crc32c_sse42(~sum_lanes(fourth), data, size);
}
#endif
