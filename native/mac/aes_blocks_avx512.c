/*
 * AES blocks under one key, 16 at once, by VAES: four registers of four blocks hide the cycles that
 * one AESENC takes. What is left over is one masked group: no byte past the end is touched.
 */
#include "mac/aes.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define VECTORS 4
#define LANES (4 * VECTORS)
#define ROUNDS_MAX 14
#define INLINE static inline __attribute__((always_inline))

/* Round keys, each in all four lanes of a register. */
typedef struct schedule {
    __m512i keys[ROUNDS_MAX + 1];
    unsigned rounds;
} schedule;

/* `masks` tells the 64-bit words of each register that are there. */
INLINE void encipher(const schedule *from, const uint8_t *blocks, const __mmask8 *masks,
                     uint8_t *out)
{
    __m512i states[VECTORS];
#pragma GCC unroll 4
    for (unsigned v = 0; v < VECTORS; v++) {
        states[v] = _mm512_xor_si512(_mm512_maskz_loadu_epi64(masks[v], blocks + (size_t)64 * v),
                                     from->keys[0]);
    }
    for (unsigned round = 1; round < from->rounds; round++) {
#pragma GCC unroll 4
        for (unsigned v = 0; v < VECTORS; v++) {
            states[v] = _mm512_aesenc_epi128(states[v], from->keys[round]);
        }
    }
#pragma GCC unroll 4
    for (unsigned v = 0; v < VECTORS; v++) {
        const __m512i done = _mm512_aesenclast_epi128(states[v], from->keys[from->rounds]);
        _mm512_mask_storeu_epi64(out + (size_t)64 * v, masks[v], done);
    }
}

void pos_aes_blocks_avx512(const pos_aes_key *key, const uint8_t *blocks, size_t count,
                           uint8_t *out)
{
    schedule from = {.rounds = key->rounds};
    for (unsigned round = 0; round <= key->rounds; round++) {
        from.keys[round] = _mm512_broadcast_i32x4(
            _mm_loadu_si128((const __m128i *)(const void *)key->round_keys[round]));
    }
    static const __mmask8 ALL[VECTORS] = {0xff, 0xff, 0xff, 0xff};
    size_t done = 0;
    for (; done + LANES <= count; done += LANES) {
        encipher(&from, blocks + 16 * done, ALL, out + 16 * done);
    }
    if (done < count) {
        __mmask8 masks[VECTORS];
        for (unsigned v = 0; v < VECTORS; v++) {
            const size_t left = count - done > 4 * v ? count - done - 4 * v : 0;
            masks[v] = (__mmask8)(left >= 4 ? 0xffU : (1U << (2 * left)) - 1U);
        }
        encipher(&from, blocks + 16 * done, masks, out + 16 * done);
    }
    pos_wipe(&from, sizeof from);
}
#endif
