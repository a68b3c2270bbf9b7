/*
 * AES-CMAC (RFC 4493; NIST SP 800-38B) and the keys derived by it (NIST SP 800-108).
 *
 *   chain = 0
 *   for every block but the last:  chain = E(chain ⊕ block)
 *   whole last block:              mac = E(chain ⊕ block ⊕ K1)
 *   short or no last block:        mac = E(chain ⊕ (block 80 00..) ⊕ K2)
 *
 * The last block is held back until the end is known, so a message may come in pieces.
 */
#include <assert.h>
#include <string.h>

#include "mac/aes.h"

/* Doubling in GF(2^128): shift left by one, and fold what falls out back in as 87. */
void pos_block_double(uint8_t block[16])
{
    const uint64_t high = pos_load_u64_be(block);
    const uint64_t low = pos_load_u64_be(block + 8);
    const uint64_t folded = 0x87U & (0U - (high >> 63));
    pos_store_u64_be(block, (high << 1) | (low >> 63));
    pos_store_u64_be(block + 8, (low << 1) ^ folded);
}

static void prepare_subkeys(pos_cmac_key *key)
{
    pos_zero(key->whole, sizeof key->whole);
    pos_aes_encrypt(&key->aes, key->whole, key->whole);
    pos_block_double(key->whole);
    pos_copy(key->padded, key->whole, sizeof key->padded);
    pos_block_double(key->padded);
}

void pos_cmac_prepare(const uint8_t *key, size_t key_size, pos_cmac_key *key_out)
{
    assert(key != NULL);
    pos_aes_prepare(key, key_size, &key_out->aes);
    prepare_subkeys(key_out);
}

void pos_cmac_prepare_on(pos_cpu_path path, const uint8_t *key, size_t key_size,
                         pos_cmac_key *key_out)
{
    pos_aes_prepare_on(path, key, key_size, &key_out->aes);
    prepare_subkeys(key_out);
}

static void chain_blocks(const pos_aes_key *key, uint8_t chain[16], const uint8_t *blocks,
                         size_t block_count)
{
    if (key->path >= POS_CPU_SSE42) {
        pos_aes_chain_aesni(key, chain, blocks, block_count);
        return;
    }
    for (size_t index = 0; index < block_count; index++) {
        for (size_t byte = 0; byte < 16; byte++) chain[byte] ^= blocks[16 * index + byte];
        pos_aes_encrypt(key, chain, chain);
    }
}

void pos_cmac_begin(pos_cmac_state *state)
{
    pos_zero(state, sizeof *state);
}

void pos_cmac_add(pos_cmac_state *state, const pos_cmac_key *key, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    assert(state->held <= 16);
    assert(size == 0 || bytes != NULL);
    if (size == 0) return;

    const size_t room = 16 - (size_t)state->held;
    const size_t taken = size < room ? size : room;
    pos_copy(state->last + state->held, bytes, taken);
    state->held = (uint8_t)(state->held + taken);
    bytes += taken;
    size -= taken;
    if (size == 0) return;

    /* More follows, so what is held is not the last block. */
    chain_blocks(&key->aes, state->chain, state->last, 1);
    const size_t whole = (size - 1) / 16;
    chain_blocks(&key->aes, state->chain, bytes, whole);
    state->held = (uint8_t)(size - 16 * whole);
    pos_copy(state->last, bytes + 16 * whole, state->held);
}

void pos_cmac_end(pos_cmac_state *state, const pos_cmac_key *key, uint8_t mac_out[16])
{
    assert(state->held <= 16);
    const uint8_t *subkey = key->whole;
    if (state->held < 16) {
        state->last[state->held] = 0x80;
        pos_zero(state->last + state->held + 1, (size_t)(15 - state->held));
        subkey = key->padded;
    }
    for (size_t byte = 0; byte < 16; byte++) state->last[byte] ^= subkey[byte];
    chain_blocks(&key->aes, state->chain, state->last, 1);
    pos_copy(mac_out, state->chain, 16);
    pos_wipe(state, sizeof *state);
}

void pos_cmac(const pos_cmac_key *key, const void *data, size_t size, uint8_t mac_out[16])
{
    pos_cmac_state state;
    pos_cmac_begin(&state);
    pos_cmac_add(&state, key, data, size);
    pos_cmac_end(&state, key, mac_out);
}

/*
 * Block n of the output is CMAC(master, n ‖ label ‖ 00 ‖ context ‖ size in bits), n from 1, both
 * numbers four bytes big-endian. Source: NIST SP 800-108, 4.1.
 */
void pos_kdf_in(const uint8_t master[32], const char *label, pos_slice context, uint8_t *out,
                size_t size)
{
    assert(label != NULL);
    assert(size > 0 && size <= 1024);

    pos_cmac_key key;
    pos_cmac_prepare(master, 32, &key);
    uint8_t bits[4];
    pos_store_u32_be(bits, (uint32_t)(8 * size));
    for (size_t done = 0; done < size; done += 16) {
        uint8_t number[4];
        uint8_t block[16];
        pos_cmac_state state;
        pos_store_u32_be(number, (uint32_t)(done / 16 + 1));
        pos_cmac_begin(&state);
        pos_cmac_add(&state, &key, number, sizeof number);
        pos_cmac_add(&state, &key, label, strlen(label) + 1); /* its end is the zero byte */
        pos_cmac_add(&state, &key, context.data, context.size);
        pos_cmac_add(&state, &key, bits, sizeof bits);
        pos_cmac_end(&state, &key, block);
        pos_copy(out + done, block, size - done < 16 ? size - done : 16);
        pos_wipe(block, sizeof block);
    }
    pos_wipe(&key, sizeof key);
}

void pos_kdf(const uint8_t master[32], const char *label, uint8_t *out, size_t size)
{
    pos_kdf_in(master, label, (pos_slice){0}, out, size);
}
