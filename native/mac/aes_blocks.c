/*
 * Many blocks under one AES key, each on its own: groups of 16 (VAES), 8 (AES-NI) or 1, by the path
 * that the key was prepared for. Where equal blocks must not look alike, the caller makes them
 * differ: see journal/pan.c. Oracle: pos_aes_encrypt, a block at a time.
 */
#include <assert.h>

#include "mac/aes.h"

void pos_aes_encrypt_blocks(const pos_aes_key *key, const uint8_t *blocks, size_t count,
                            uint8_t *out)
{
    assert(key != NULL);
    assert(key->rounds == 10 || key->rounds == 12 || key->rounds == 14);
    assert(blocks != NULL || count == 0);
#if defined(__x86_64__)
    if (key->path >= POS_CPU_AVX512) {
        pos_aes_blocks_avx512(key, blocks, count, out);
        return;
    }
    if (key->path >= POS_CPU_SSE42) {
        pos_aes_blocks_aesni(key, blocks, count, out);
        return;
    }
#endif
    for (size_t index = 0; index < count; index++) {
        pos_aes_encrypt_portable(key, blocks + 16 * index, out + 16 * index);
    }
}
