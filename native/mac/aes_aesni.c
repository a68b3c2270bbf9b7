/* AES by the processor's own instructions, one block at a time. Oracle: aes.c's portable way. */
#include "mac/aes.h"

#if defined(__AES__)
#include <smmintrin.h>
#include <wmmintrin.h>

static __m128i loaded(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

static void stored(uint8_t *to, __m128i value)
{
    _mm_storeu_si128((__m128i *)(void *)to, value);
}

static __m128i encrypted(const pos_aes_key *key, __m128i state)
{
    state = _mm_xor_si128(state, loaded(key->round_keys[0]));
    for (size_t round = 1; round < key->rounds; round++) {
        state = _mm_aesenc_si128(state, loaded(key->round_keys[round]));
    }
    return _mm_aesenclast_si128(state, loaded(key->round_keys[key->rounds]));
}

uint32_t pos_aes_substitute_word_aesni(uint32_t word)
{
    const __m128i words = _mm_aeskeygenassist_si128(_mm_set1_epi32((int)word), 0);
    return (uint32_t)_mm_cvtsi128_si32(words);
}

void pos_aes_encrypt_aesni(const pos_aes_key *key, const uint8_t block[16], uint8_t out[16])
{
    stored(out, encrypted(key, loaded(block)));
}

void pos_aes_chain_aesni(const pos_aes_key *key, uint8_t chain[16], const uint8_t *blocks,
                         size_t block_count)
{
    __m128i state = loaded(chain);
    for (size_t index = 0; index < block_count; index++) {
        state = encrypted(key, _mm_xor_si128(state, loaded(blocks + 16 * index)));
    }
    stored(chain, state);
}
#else
#include <stdlib.h>

/* Never called: those processors have the portable path alone. */
uint32_t pos_aes_substitute_word_aesni(uint32_t word)
{
    (void)word;
    abort();
}
void pos_aes_encrypt_aesni(const pos_aes_key *key, const uint8_t block[16], uint8_t out[16])
{
    (void)key; (void)block; (void)out;
    abort();
}
void pos_aes_chain_aesni(const pos_aes_key *key, uint8_t chain[16], const uint8_t *blocks,
                         size_t block_count)
{
    (void)key; (void)chain; (void)blocks; (void)block_count;
    abort();
}
#endif
