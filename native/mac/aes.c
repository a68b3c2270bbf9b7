/*
 * AES (FIPS 197), encryption only: the key schedule, the choice of way, and the portable way.
 *
 *   state, 16 bytes ──▶ SubBytes (planes, sbox.c) ──▶ ShiftRows ──▶ MixColumns ──▶ ⊕ round key
 *
 * aes_aesni.c has the fast way, by the processor's own instructions; a prepared key remembers the
 * path it was prepared for. Both use the same schedule: round keys as bytes in FIPS 197's order.
 */
#include "mac/aes.h"

#include <assert.h>

#include "mac/sbox.h"

static uint32_t substitute_word(pos_cpu_path path, uint32_t word)
{
    if (path >= POS_CPU_SSE42) return pos_aes_substitute_word_aesni(word);
    uint8_t bytes[16] = {0};
    pos_store_u32_le(bytes, word);
    pos_sbox_aes(bytes);
    const uint32_t result = pos_load_u32_le(bytes);
    pos_wipe(bytes, sizeof bytes);
    return result;
}

static uint32_t doubled_bytes(uint32_t bytes)
{
    return ((bytes & 0x7f7f7f7fU) << 1) ^ (((bytes >> 7) & 0x01010101U) * 0x1bU);
}

static uint32_t rotated_right(uint32_t word, unsigned count)
{
    return (word >> count) | (word << (32 - count));
}

/* FIPS 197, 5.2. Words are little-endian here, so RotWord is a rotation to the right. */
void pos_aes_prepare_on(pos_cpu_path path, const uint8_t *key, size_t key_size,
                        pos_aes_key *key_out)
{
    assert(key_size == 16 || key_size == 24 || key_size == 32);
    assert(path <= pos_cpu_path_best());

    const size_t key_words = key_size / 4;
    const size_t rounds = key_words + 6;
    uint32_t words[60];
    uint32_t constant = 1;
    for (size_t index = 0; index < key_words; index++) {
        words[index] = pos_load_u32_le(key + 4 * index);
    }
    for (size_t index = key_words; index < 4 * (rounds + 1); index++) {
        uint32_t word = words[index - 1];
        if (index % key_words == 0) {
            word = substitute_word(path, rotated_right(word, 8)) ^ constant;
            constant = doubled_bytes(constant);
        } else if (key_words == 8 && index % key_words == 4) {
            word = substitute_word(path, word);
        }
        words[index] = words[index - key_words] ^ word;
    }
    for (size_t index = 0; index < 4 * (rounds + 1); index++) {
        pos_store_u32_le(key_out->round_keys[index / 4] + 4 * (index % 4), words[index]);
    }
    key_out->rounds = (uint8_t)rounds;
    key_out->path = (uint8_t)path;
    pos_wipe(words, sizeof words);
}

void pos_aes_prepare(const uint8_t *key, size_t key_size, pos_aes_key *key_out)
{
    pos_aes_prepare_on(pos_cpu_path_now(), key, key_size, key_out);
}

static void add_round_key(uint8_t state[16], const uint8_t round_key[16])
{
    for (size_t index = 0; index < 16; index++) state[index] ^= round_key[index];
}

static void shift_rows(uint8_t state[16])
{
    uint8_t shifted[16];
    for (size_t index = 0; index < 16; index++) shifted[index] = state[(5 * index) % 16];
    pos_copy(state, shifted, sizeof shifted);
}

static void mix_columns(uint8_t state[16])
{
    for (size_t column = 0; column < 16; column += 4) {
        const uint32_t word = pos_load_u32_le(state + column);
        const uint32_t next = rotated_right(word, 8);
        const uint32_t mixed = doubled_bytes(word ^ next) ^ next ^ rotated_right(word, 16)
                               ^ rotated_right(word, 24);
        pos_store_u32_le(state + column, mixed);
    }
}

void pos_aes_encrypt_portable(const pos_aes_key *key, const uint8_t block[16], uint8_t out[16])
{
    uint8_t state[16];
    pos_copy(state, block, sizeof state);
    add_round_key(state, key->round_keys[0]);
    for (size_t round = 1; round < key->rounds; round++) {
        pos_sbox_aes(state);
        shift_rows(state);
        mix_columns(state);
        add_round_key(state, key->round_keys[round]);
    }
    pos_sbox_aes(state);
    shift_rows(state);
    add_round_key(state, key->round_keys[key->rounds]);
    pos_copy(out, state, sizeof state);
    pos_wipe(state, sizeof state);
}

void pos_aes_encrypt(const pos_aes_key *key, const uint8_t block[16], uint8_t out[16])
{
    assert(key->rounds == 10 || key->rounds == 12 || key->rounds == 14);
    if (key->path >= POS_CPU_SSE42) {
        pos_aes_encrypt_aesni(key, block, out);
    } else {
        pos_aes_encrypt_portable(key, block, out);
    }
}
