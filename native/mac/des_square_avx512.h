/* Eight vectors of eight words, turned: for both ways of a wave by AVX-512. */
#ifndef POS_MAC_DES_SQUARE_AVX512_H
#define POS_MAC_DES_SQUARE_AVX512_H

#include <immintrin.h>
#include <stddef.h>

/* Word i of vector k becomes word k of vector i. */
static inline void word_square(__m512i rows[8])
{
    __m512i pairs[8];
    __m512i fours[8];
    for (size_t at = 0; at < 4; at++) {
        pairs[at] = _mm512_unpacklo_epi64(rows[2 * at], rows[2 * at + 1]);
        pairs[at + 4] = _mm512_unpackhi_epi64(rows[2 * at], rows[2 * at + 1]);
    }
    for (size_t at = 0; at < 8; at += 4) { /* words 0 2 4 6, then 1 3 5 7 */
        fours[at] = _mm512_shuffle_i64x2(pairs[at], pairs[at + 1], 0x88);
        fours[at + 1] = _mm512_shuffle_i64x2(pairs[at], pairs[at + 1], 0xdd);
        fours[at + 2] = _mm512_shuffle_i64x2(pairs[at + 2], pairs[at + 3], 0x88);
        fours[at + 3] = _mm512_shuffle_i64x2(pairs[at + 2], pairs[at + 3], 0xdd);
    }
    for (size_t odd = 0; odd < 2; odd++) {
        const __m512i *from = fours + 4 * odd;
        rows[odd] = _mm512_shuffle_i64x2(from[0], from[2], 0x88);
        rows[odd + 4] = _mm512_shuffle_i64x2(from[0], from[2], 0xdd);
        rows[odd + 2] = _mm512_shuffle_i64x2(from[1], from[3], 0x88);
        rows[odd + 6] = _mm512_shuffle_i64x2(from[1], from[3], 0xdd);
    }
}

#endif
