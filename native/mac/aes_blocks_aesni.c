/* AES blocks under one key, 8 at once, by the AES instructions: see aes_blocks.c. */
#include "mac/aes.h"

#if defined(__x86_64__)
#include <smmintrin.h>
#include <wmmintrin.h>

#define LANES 8
#define INLINE static inline __attribute__((always_inline))

INLINE __m128i loaded(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

/* `lanes` is a constant: the states stay in registers. */
INLINE void encipher(const pos_aes_key *key, const uint8_t *blocks, unsigned lanes, uint8_t *out)
{
    __m128i states[LANES];
    const unsigned rounds = key->rounds;
    const __m128i first = loaded(key->round_keys[0]);
#pragma GCC unroll 8
    for (unsigned lane = 0; lane < lanes; lane++) {
        states[lane] = _mm_xor_si128(loaded(blocks + 16 * lane), first);
    }
    for (unsigned round = 1; round < rounds; round++) {
        const __m128i round_key = loaded(key->round_keys[round]);
#pragma GCC unroll 8
        for (unsigned lane = 0; lane < lanes; lane++) {
            states[lane] = _mm_aesenc_si128(states[lane], round_key);
        }
    }
    const __m128i last = loaded(key->round_keys[rounds]);
#pragma GCC unroll 8
    for (unsigned lane = 0; lane < lanes; lane++) {
        const __m128i done = _mm_aesenclast_si128(states[lane], last);
        _mm_storeu_si128((__m128i *)(void *)(out + 16 * lane), done);
    }
}

void pos_aes_blocks_aesni(const pos_aes_key *key, const uint8_t *blocks, size_t count, uint8_t *out)
{
    size_t done = 0;
    for (; done + LANES <= count; done += LANES) {
        encipher(key, blocks + 16 * done, LANES, out + 16 * done);
    }
    for (; done < count; done++) encipher(key, blocks + 16 * done, 1, out + 16 * done);
}
#endif
