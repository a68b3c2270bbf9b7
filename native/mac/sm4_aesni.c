/*
 * SM4 by the AES instructions. Oracle: the circuit in sbox.c.
 *
 *   sm4(x) = POST(aes(PRE(x)))       see sbox.c for the two affine maps
 *
 * An affine map of a byte is the sum of one of its high and one of its low digit: two shuffles of
 * sixteen constants, the same for every byte, so no address depends on a secret. AESENCLAST with a
 * zero key is the AES S-box and ShiftRows, and ShiftRows moves nothing where all columns are alike.
 */
#include "mac/sm4.h"

#include "mac/block.h"

#if defined(__AES__)
#include <smmintrin.h>
#include <wmmintrin.h>

static inline __m128i mapped(__m128i bytes, __m128i low, __m128i high)
{
    const __m128i digit = _mm_set1_epi8(0x0f);
    const __m128i lows = _mm_and_si128(bytes, digit);
    const __m128i highs = _mm_and_si128(_mm_srli_epi32(bytes, 4), digit);
    return _mm_xor_si128(_mm_shuffle_epi8(low, lows), _mm_shuffle_epi8(high, highs));
}

static inline uint32_t substitute(uint32_t word)
{
    /* PRE with its constant 23, POST with its constant 3B, by digit. */
    const __m128i pre_low = _mm_setr_epi8(
        0x23, (char)0xe9, 0x54, (char)0x9e, (char)0xa8, 0x62, (char)0xdf, 0x15, (char)0xf7, 0x3d,
        (char)0x80, 0x4a, 0x7c, (char)0xb6, 0x0b, (char)0xc1);
    const __m128i pre_high =
        _mm_setr_epi8(0x00, 0x7a, 0x38, 0x42, 0x20, 0x5a, 0x18, 0x62, 0x40, 0x3a, 0x78, 0x02, 0x60,
                      0x1a, 0x58, 0x22);
    const __m128i post_low = _mm_setr_epi8(
        0x3b, 0x5b, 0x19, 0x79, 0x26, 0x46, 0x04, 0x64, (char)0xbc, (char)0xdc, (char)0x9e,
        (char)0xfe, (char)0xa1, (char)0xc1, (char)0x83, (char)0xe3);
    const __m128i post_high = _mm_setr_epi8(
        0x00, 0x13, (char)0xd2, (char)0xc1, 0x78, 0x6b, (char)0xaa, (char)0xb9, (char)0xad,
        (char)0xbe, 0x7f, 0x6c, (char)0xd5, (char)0xc6, 0x07, 0x14);

    __m128i bytes = mapped(_mm_set1_epi32((int)word), pre_low, pre_high);
    bytes = _mm_aesenclast_si128(bytes, _mm_setzero_si128());
    return (uint32_t)_mm_cvtsi128_si32(mapped(bytes, post_low, post_high));
}

void pos_sm4_rounds_aesni(const uint32_t keys[32], uint32_t words[4])
{
    pos_sm4_rounds(substitute, keys, words);
}

void pos_sm4_schedule_aesni(uint32_t words[4], uint32_t keys_out[32])
{
    pos_sm4_schedule(substitute, words, keys_out);
}
#else
#include <stdlib.h>

/* Never called: those processors have the portable path alone. */
void pos_sm4_rounds_aesni(const uint32_t keys[32], uint32_t words[4])
{
    (void)keys;
    (void)words;
    abort();
}
void pos_sm4_schedule_aesni(uint32_t words[4], uint32_t keys_out[32])
{
    (void)words;
    (void)keys_out;
    abort();
}
#endif
