/*
 * SM4 (GB/T 32907-2016): the choice of way, the portable way, and blocks.
 *
 *   X(n+4) = X(n) ⊕ L(S(X(n+1) ⊕ X(n+2) ⊕ X(n+3) ⊕ key(n)))       32 times
 *
 * S is a circuit (sbox.c), or the AES instruction between two maps (sm4_aesni.c). Deciphering is
 * enciphering with the round keys in reverse.
 */
#include "mac/sm4.h"

#include <assert.h>

#include "mac/block.h"
#include "mac/sbox.h"

void pos_sm4_prepare_on(pos_cpu_path path, const uint8_t key[16], pos_sm4_key *key_out)
{
    assert(key != NULL);
    assert(path <= pos_cpu_path_best());
    static const uint32_t SYSTEM[4] = {0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC};
    uint32_t words[4];
    for (size_t index = 0; index < 4; index++) {
        words[index] = pos_load_u32_be(key + 4 * index) ^ SYSTEM[index];
    }
    if (path >= POS_CPU_SSE42) {
        pos_sm4_schedule_aesni(words, key_out->rounds);
    } else {
        pos_sm4_schedule(pos_sbox_sm4, words, key_out->rounds);
    }
    key_out->path = (uint8_t)path;
    pos_wipe(words, sizeof words);
}

void pos_sm4_prepare(const uint8_t key[16], pos_sm4_key *key_out)
{
    pos_sm4_prepare_on(pos_cpu_path_now(), key, key_out);
}

static void crypt(uint8_t path, const uint32_t keys[32], const uint8_t block[16], uint8_t out[16])
{
    uint32_t words[4];
    for (size_t index = 0; index < 4; index++) words[index] = pos_load_u32_be(block + 4 * index);
    if (path >= POS_CPU_SSE42) {
        pos_sm4_rounds_aesni(keys, words);
    } else {
        pos_sm4_rounds(pos_sbox_sm4, keys, words);
    }
    for (size_t index = 0; index < 4; index++) pos_store_u32_be(out + 4 * index, words[index]);
}

void pos_sm4_encrypt(const pos_sm4_key *key, const uint8_t block[16], uint8_t out[16])
{
    crypt(key->path, key->rounds, block, out);
}

void pos_sm4_decrypt(const pos_sm4_key *key, const uint8_t block[16], uint8_t out[16])
{
    uint32_t keys[32];
    for (size_t index = 0; index < 32; index++) keys[index] = key->rounds[31 - index];
    crypt(key->path, keys, block, out);
    pos_wipe(keys, sizeof keys);
}
