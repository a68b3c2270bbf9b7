/* Messages in the lanes of AVX-512 registers, a block of 16 bytes a lane, four lanes a register. */
#ifndef POS_MAC_LANES_AVX512_H
#define POS_MAC_LANES_AVX512_H

#include <immintrin.h>

#include "mac/lanes.h"

#define POS_INLINE static inline __attribute__((always_inline))

POS_INLINE __m128i pos_loaded(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

/* A block each of four lanes. Broadcasts that write one lane each take no turn on AESENC's ports. */
POS_INLINE __m512i pos_four_blocks(const uint8_t *const *from, size_t offset)
{
    __m512i blocks = _mm512_castsi128_si512(pos_loaded(from[0] + offset));
    blocks = _mm512_mask_broadcast_i32x4(blocks, 0x00f0, pos_loaded(from[1] + offset));
    blocks = _mm512_mask_broadcast_i32x4(blocks, 0x0f00, pos_loaded(from[2] + offset));
    return _mm512_mask_broadcast_i32x4(blocks, 0xf000, pos_loaded(from[3] + offset));
}

/* The same of four keys. */
POS_INLINE __m512i pos_four_keys(const pos_key *const *from, size_t offset)
{
    __m512i blocks = _mm512_castsi128_si512(pos_loaded(from[0]->bytes + offset));
    blocks = _mm512_mask_broadcast_i32x4(blocks, 0x00f0, pos_loaded(from[1]->bytes + offset));
    blocks = _mm512_mask_broadcast_i32x4(blocks, 0x0f00, pos_loaded(from[2]->bytes + offset));
    return _mm512_mask_broadcast_i32x4(blocks, 0xf000, pos_loaded(from[3]->bytes + offset));
}

/* Four blocks as one register. */
POS_INLINE __m512i pos_joined(const __m128i blocks[4])
{
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(blocks[0]), blocks[1], 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(blocks[2]), blocks[3], 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* Of 16 lanes: where each lane's block stands, and which of its bytes there are. */
typedef struct pos_ends {
    uint32_t offsets[16];
    uint32_t masks[16];
} pos_ends;

POS_INLINE void pos_find_ends(pos_ends *into, __m512i sizes, uint32_t offset)
{
    const __m512i begin = _mm512_min_epu32(sizes, _mm512_set1_epi32((int)offset));
    const __m512i left = _mm512_min_epu32(_mm512_sub_epi32(sizes, begin), _mm512_set1_epi32(16));
    const __m512i one = _mm512_set1_epi32(1);
    _mm512_storeu_si512((void *)into->offsets, begin);
    _mm512_storeu_si512((void *)into->masks, _mm512_sub_epi32(_mm512_sllv_epi32(one, left), one));
}

/* What is left of the blocks of lanes 4 * vector to 4 * vector + 3, and zeros behind it. */
POS_INLINE __m512i pos_four_ends(const uint8_t *const *from, const pos_ends *at, unsigned vector)
{
    __m128i blocks[4];
#pragma GCC unroll 4
    for (unsigned lane = 0; lane < 4; lane++) {
        const unsigned index = 4 * vector + lane;
        blocks[lane] = _mm_maskz_loadu_epi8((__mmask16)at->masks[index],
                                            from[index] + at->offsets[index]);
    }
    return pos_joined(blocks);
}

/* The blocks of up to four lanes to where their MACs go. */
POS_INLINE void pos_put_four(uint8_t *const *macs_out, size_t count, __m512i macs)
{
    const __m128i blocks[4] = {
        _mm512_castsi512_si128(macs), _mm512_extracti32x4_epi32(macs, 1),
        _mm512_extracti32x4_epi32(macs, 2), _mm512_extracti32x4_epi32(macs, 3)};
#pragma GCC unroll 4
    for (size_t lane = 0; lane < 4; lane++) {
        if (lane >= count) return;
        _mm_storeu_si128((__m128i *)(void *)macs_out[lane], blocks[lane]);
    }
}

#endif
