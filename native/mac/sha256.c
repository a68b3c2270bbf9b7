/*
 * SHA-256 (FIPS 180-4) in pieces, and HMAC by it (RFC 2104).
 *
 *   data ──▶ 64-byte blocks ──▶ compression ──▶ ... ──▶ 80 00.. size in bits ──▶ digest
 *
 * Additions, rotations and boolean functions only: constant time by its nature. sha256_shani.c has
 * the compression by the processor's own instructions.
 */
#include "mac/sha256.h"

#include <assert.h>

#include "mac/mac.h"
#include "measure/measure.h"

/* FIPS 180-4, 4.2.2: the fractions of the cube roots of the first 64 primes. */
const uint32_t pos_sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotated(uint32_t word, unsigned count)
{
    return (word >> count) | (word << (32 - count));
}

static void compress(uint32_t words[8], const uint8_t block[64])
{
    uint32_t schedule[64];
    for (size_t index = 0; index < 16; index++) schedule[index] = pos_load_u32_be(block + 4 * index);
    for (size_t index = 16; index < 64; index++) {
        const uint32_t near = schedule[index - 2];
        const uint32_t far = schedule[index - 15];
        schedule[index] = schedule[index - 16] + schedule[index - 7]
                          + (rotated(far, 7) ^ rotated(far, 18) ^ (far >> 3))
                          + (rotated(near, 17) ^ rotated(near, 19) ^ (near >> 10));
    }
    uint32_t a = words[0], b = words[1], c = words[2], d = words[3];
    uint32_t e = words[4], f = words[5], g = words[6], h = words[7];
    for (size_t index = 0; index < 64; index++) {
        const uint32_t first = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25))
                               + (g ^ (e & (f ^ g))) + pos_sha256_constants[index]
                               + schedule[index];
        const uint32_t second = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22))
                                + ((a & b) | (c & (a | b)));
        h = g;
        g = f;
        f = e;
        e = d + first;
        d = c;
        c = b;
        b = a;
        a = first + second;
    }
    const uint32_t added[8] = {a, b, c, d, e, f, g, h};
    for (size_t index = 0; index < 8; index++) words[index] += added[index];
    pos_wipe(schedule, sizeof schedule); /* under HMAC it holds the key */
}

void pos_sha256_blocks_portable(uint32_t words[8], const uint8_t *blocks, size_t block_count)
{
    for (size_t index = 0; index < block_count; index++) compress(words, blocks + 64 * index);
}

static void compress_blocks(uint32_t words[8], const uint8_t *blocks, size_t block_count)
{
    if (pos_cpu_has_sha()) {
        pos_sha256_blocks_shani(words, blocks, block_count);
    } else {
        pos_sha256_blocks_portable(words, blocks, block_count);
    }
}

void pos_sha256_begin_words(uint32_t words_out[8])
{
    /* FIPS 180-4, 5.3.3: the fractions of the square roots of the first 8 primes. */
    static const uint32_t FIRST[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    for (size_t index = 0; index < 8; index++) words_out[index] = FIRST[index];
}

void pos_sha256_put_words(const uint32_t words[8], uint8_t digest_out[32])
{
    for (size_t index = 0; index < 8; index++) {
        pos_store_u32_be(digest_out + 4 * index, words[index]);
    }
}

void pos_sha256_begin(pos_sha256_state *state)
{
    pos_zero(state, sizeof *state);
    pos_sha256_begin_words(state->words);
}

void pos_sha256_add(pos_sha256_state *state, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    assert(size == 0 || bytes != NULL);
    if (size == 0) return;
    const size_t held = (size_t)(state->size % 64);
    state->size += size;
    if (held > 0) {
        const size_t taken = size < 64 - held ? size : 64 - held;
        pos_copy(state->block + held, bytes, taken);
        bytes += taken;
        size -= taken;
        if (held + taken < 64) return;
        compress_blocks(state->words, state->block, 1);
    }
    compress_blocks(state->words, bytes, size / 64);
    pos_copy(state->block, bytes + size / 64 * 64, size % 64);
}

void pos_sha256_end(pos_sha256_state *state, uint8_t digest_out[32])
{
    const size_t held = (size_t)(state->size % 64);
    uint8_t tail[128] = {0};
    const size_t tail_size = held < 56 ? 64 : 128;
    pos_copy(tail, state->block, held);
    tail[held] = 0x80;
    pos_store_u64_be(tail + tail_size - 8, state->size * 8);
    compress_blocks(state->words, tail, tail_size / 64);
    pos_sha256_put_words(state->words, digest_out);
    pos_wipe(tail, sizeof tail);
    pos_wipe(state, sizeof *state);
}

void pos_sha256(const void *data, size_t size, uint8_t digest_out[32])
{
    pos_sha256_state state;
    pos_sha256_begin(&state);
    pos_sha256_add(&state, data, size);
    pos_sha256_end(&state, digest_out);
}

void pos_sha256_pair(const void *left, size_t left_size, const void *right, size_t right_size,
                     uint8_t left_out[32], uint8_t right_out[32])
{
    assert(left != NULL);
    assert(right != NULL);
    pos_sha256_state states[2];
    size_t shared = 0;
    pos_sha256_begin(&states[0]);
    pos_sha256_begin(&states[1]);
    if (pos_cpu_has_sha()) {
        shared = (left_size < right_size ? left_size : right_size) / 64 * 64;
        pos_sha256_pair_shani(states[0].words, states[1].words, left, right, shared / 64);
        states[0].size = states[1].size = shared;
    }
    pos_sha256_add(&states[0], (const uint8_t *)left + shared, left_size - shared);
    pos_sha256_add(&states[1], (const uint8_t *)right + shared, right_size - shared);
    pos_sha256_end(&states[0], left_out);
    pos_sha256_end(&states[1], right_out);
}

void pos_hmac_sha256(const uint8_t *key, size_t key_size, const void *data, size_t size,
                     uint8_t mac_out[32])
{
    assert(key != NULL);
    assert(key_size >= 1);
    uint8_t pad[64];
    uint8_t inner[32];
    uint8_t short_key[32];
    pos_sha256_state state;

    if (key_size > sizeof pad) { /* RFC 2104, 2: a key over a block is its digest */
        pos_sha256(key, key_size, short_key);
        key = short_key;
        key_size = sizeof short_key;
    }
    for (size_t byte = 0; byte < 64; byte++) pad[byte] = 0x36;
    for (size_t byte = 0; byte < key_size; byte++) pad[byte] ^= key[byte];
    pos_sha256_begin(&state);
    pos_sha256_add(&state, pad, sizeof pad);
    pos_sha256_add(&state, data, size);
    pos_sha256_end(&state, inner);

    for (size_t byte = 0; byte < 64; byte++) pad[byte] ^= 0x36 ^ 0x5c;
    pos_sha256_begin(&state);
    pos_sha256_add(&state, pad, sizeof pad);
    pos_sha256_add(&state, inner, sizeof inner);
    pos_sha256_end(&state, mac_out);
    pos_wipe(pad, sizeof pad);
    pos_wipe(inner, sizeof inner);
    pos_wipe(short_key, sizeof short_key);
}
