/*
 * CMAC, 8 messages at once, by the AES instructions: eight chains hide the four cycles that one
 * AESENC takes, two of them a cycle.
 *
 * Blocks that are not last in any lane take no choice. From then on each lane takes its block, its
 * last block with the subkey, or a block of zeros, and its chain is caught at its last one.
 *
 * Round keys of own keys are made in the lanes: SubWord of a word that stands in all four columns
 * is AESENCLAST, since ShiftRows moves nothing there, and its round key is the round constant.
 *
 * Sizes are public. No address and no branch depends on a key, on data or on a MAC.
 */
#include "mac/cmac_lanes.h"

#if defined(__x86_64__)
#include <smmintrin.h>
#include <wmmintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define ROUNDS_MAX 14
#define LANES POS_CMAC_LANES_AESNI

INLINE __m128i loaded(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

/* One AES of every lane. Round keys of lane l: keys[round * stride + l * step]. */
INLINE void encipher(const __m128i *keys, unsigned rounds, unsigned step, __m128i *states)
{
    const unsigned stride = step == 0 ? 1 : LANES;
#pragma GCC unroll 8
    for (unsigned lane = 0; lane < LANES; lane++) {
        states[lane] = _mm_xor_si128(states[lane], keys[lane * step]);
    }
    for (unsigned round = 1; round < rounds; round++) {
#pragma GCC unroll 8
        for (unsigned lane = 0; lane < LANES; lane++) {
            states[lane] = _mm_aesenc_si128(states[lane], keys[round * stride + lane * step]);
        }
    }
#pragma GCC unroll 8
    for (unsigned lane = 0; lane < LANES; lane++) {
        states[lane] = _mm_aesenclast_si128(states[lane], keys[rounds * stride + lane * step]);
    }
}

/* The last block with its padding and its subkey. */
INLINE __m128i last_of(const uint8_t *data, uint32_t size, __m128i whole, __m128i padded)
{
    const uint32_t full = pos_full_blocks(size);
    const uint32_t left = size - 16 * full;
    if (left == 16) return _mm_xor_si128(loaded(data + 16 * (size_t)full), whole);
    uint8_t bytes[16] = {0};
    if (left > 0) pos_copy(bytes, data + 16 * (size_t)full, left);
    bytes[left] = 0x80;
    return _mm_xor_si128(loaded(bytes), padded);
}

/* Whole lanes under keys that stand ready. Lanes past the count are not stored. */
INLINE void compute(const pos_mac_lanes *lanes, const __m128i *keys, unsigned rounds, unsigned step,
                    const __m128i *wholes, const __m128i *paddeds)
{
    const uint8_t *data[LANES];
    uint32_t full[LANES];
    __m128i lasts[LANES];
    __m128i states[LANES];
    __m128i macs[LANES];
    uint32_t full_min = UINT32_MAX;
    uint32_t full_max = 0;
    for (size_t index = 0; index < LANES; index++) {
        data[index] = lanes->data[index];
        full[index] = pos_full_blocks(lanes->sizes[index]);
        lasts[index] = last_of(data[index], lanes->sizes[index], wholes[index * step],
                               paddeds[index * step]);
        states[index] = _mm_setzero_si128();
        macs[index] = _mm_setzero_si128();
        full_min = index < lanes->count && full[index] < full_min ? full[index] : full_min;
        full_max = full[index] > full_max ? full[index] : full_max;
    }
    for (size_t block = 0; block < full_min; block++) {
#pragma GCC unroll 8
        for (unsigned lane = 0; lane < LANES; lane++) {
            states[lane] = _mm_xor_si128(states[lane], loaded(data[lane] + 16 * block));
        }
        encipher(keys, rounds, step, states);
    }
    for (size_t block = full_min; block <= full_max; block++) {
        for (unsigned lane = 0; lane < LANES; lane++) {
            const bool is_last = block == full[lane];
            if (block <= full[lane]) {
                const __m128i next = is_last ? lasts[lane] : loaded(data[lane] + 16 * block);
                states[lane] = _mm_xor_si128(states[lane], next);
            }
        }
        encipher(keys, rounds, step, states);
        for (unsigned lane = 0; lane < LANES; lane++) {
            if (block == full[lane]) macs[lane] = states[lane];
        }
    }
    for (size_t index = 0; index < lanes->count; index++) {
        _mm_storeu_si128((__m128i *)(void *)lanes->macs_out[index], macs[index]);
    }
}

/* ---- one key for all lanes ------------------------------------------------------------------------ */
INLINE void compute_shared(const pos_cmac_key *key, unsigned rounds,
                           const pos_mac_lanes *lanes)
{
    __m128i keys[ROUNDS_MAX + 1];
    for (unsigned round = 0; round <= rounds; round++) {
        keys[round] = loaded(key->aes.round_keys[round]);
    }
    const __m128i whole = loaded(key->whole);
    const __m128i padded = loaded(key->padded);
    compute(lanes, keys, rounds, 0, &whole, &padded);
}

void pos_cmac_lanes_shared_aesni(const pos_cmac_key *key, const pos_mac_lanes *lanes)
{
    assert(lanes->count >= 1 && lanes->count <= LANES);
    if (key->aes.rounds == 10) {
        compute_shared(key, 10, lanes);
    } else if (key->aes.rounds == 12) {
        compute_shared(key, 12, lanes);
    } else {
        assert(key->aes.rounds == 14);
        compute_shared(key, 14, lanes);
    }
}

/* ---- a key of its own for each lane ------------------------------------------------------------------ */
/* SubWord of double word `column` (turned by a byte where it is RotWord's turn), in all columns. */
INLINE __m128i substituted(__m128i block, unsigned column, bool is_turned, int constant)
{
    const int first = (int)(0x03020100U + 0x04040404U * column);
    const int turned = (int)(0x00030201U + 0x04040404U * column);
    const __m128i word = _mm_shuffle_epi8(block, _mm_set1_epi32(is_turned ? turned : first));
    return _mm_aesenclast_si128(word, _mm_set1_epi32(constant));
}

/* Each word summed with those before it in its block. */
INLINE __m128i running(__m128i block)
{
    block = _mm_xor_si128(block, _mm_slli_si128(block, 4));
    return _mm_xor_si128(block, _mm_slli_si128(block, 8));
}

static const uint8_t CONSTANTS[10] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36};

/* FIPS 197, 5.2, four words a step; keys[round * LANES + lane]. */
INLINE void expand_128(__m128i *keys)
{
#pragma GCC unroll 10
    for (unsigned round = 1; round <= 10; round++) {
#pragma GCC unroll 8
        for (unsigned lane = 0; lane < LANES; lane++) {
            const __m128i before = keys[(round - 1) * LANES + lane];
            keys[round * LANES + lane] = _mm_xor_si128(
                running(before), substituted(before, 3, true, CONSTANTS[round - 1]));
        }
    }
}

INLINE void expand_256(__m128i *keys)
{
#pragma GCC unroll 13
    for (unsigned round = 2; round <= 14; round++) {
        const bool is_first = round % 2 == 0;
        const int constant = is_first ? CONSTANTS[round / 2 - 1] : 0;
#pragma GCC unroll 8
        for (unsigned lane = 0; lane < LANES; lane++) {
            const __m128i box =
                substituted(keys[(round - 1) * LANES + lane], 3, is_first, constant);
            keys[round * LANES + lane] =
                _mm_xor_si128(running(keys[(round - 2) * LANES + lane]), box);
        }
    }
}

/* Six words a step: four stand in `left`, two in the low half of `right`. */
INLINE void step_192(__m128i *left, __m128i *right, int constant)
{
    *left = _mm_xor_si128(running(*left), substituted(*right, 1, true, constant));
    const __m128i last = _mm_shuffle_epi32(*left, 0xFF);
    *right = _mm_xor_si128(_mm_xor_si128(*right, _mm_slli_si128(*right, 4)), last);
}

/* Two steps are twelve words, three round keys. */
INLINE void expand_192(__m128i *keys, const __m128i *rights)
{
    for (unsigned lane = 0; lane < LANES; lane++) {
        __m128i left = keys[lane];
        __m128i right = rights[lane];
        for (unsigned step = 0; step < 4; step++) {
            const __m128i before = right;
            step_192(&left, &right, CONSTANTS[2 * step]);
            keys[(3 * step + 1) * LANES + lane] = _mm_unpacklo_epi64(before, left);
            keys[(3 * step + 2) * LANES + lane] = _mm_alignr_epi8(right, left, 8);
            step_192(&left, &right, CONSTANTS[2 * step + 1]);
            keys[(3 * step + 3) * LANES + lane] = left;
        }
    }
}

/* Doubling in GF(2^128): pos_block_double. */
INLINE __m128i doubled(__m128i block)
{
    const __m128i reversed =
        _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m128i number = _mm_shuffle_epi8(block, reversed);
    const __m128i carries = _mm_shuffle_epi32(_mm_srli_epi64(number, 63), 0x4E);
    const __m128i folds = _mm_mul_epu32(carries, _mm_set_epi32(0, 0, 0, 0x87));
    const __m128i kept = _mm_and_si128(carries, _mm_set_epi32(-1, -1, 0, 0));
    const __m128i sums = _mm_xor_si128(_mm_add_epi64(number, number), _mm_xor_si128(folds, kept));
    return _mm_shuffle_epi8(sums, reversed);
}

INLINE void compute_keyed(unsigned rounds, const pos_mac_lanes *lanes, pos_cmac_room *room)
{
    __m128i *keys = (__m128i *)(void *)room->bytes;
    __m128i *wholes = keys + (ROUNDS_MAX + 1) * LANES;
    __m128i *paddeds = wholes + LANES;
    __m128i *rights = paddeds + LANES;
    for (size_t index = 0; index < LANES; index++) {
        const uint8_t *key = lanes->keys[index]->bytes;
        keys[index] = loaded(key);
        if (rounds == 12) rights[index] = _mm_srli_si128(loaded(key + 8), 8);
        if (rounds == 14) keys[LANES + index] = loaded(key + 16);
        wholes[index] = _mm_setzero_si128();
    }
    if (rounds == 10) {
        expand_128(keys);
    } else if (rounds == 12) {
        expand_192(keys, rights);
    } else {
        expand_256(keys);
    }
    encipher(keys, rounds, 1, wholes);
    for (size_t index = 0; index < LANES; index++) {
        wholes[index] = doubled(wholes[index]);
        paddeds[index] = doubled(wholes[index]);
    }
    compute(lanes, keys, rounds, 1, wholes, paddeds);
}

void pos_cmac_lanes_keyed_aesni(size_t key_size, const pos_mac_lanes *lanes, pos_cmac_room *room)
{
    assert(lanes->count >= 1 && lanes->count <= LANES);
    if (key_size == 16) {
        compute_keyed(10, lanes, room);
    } else if (key_size == 24) {
        compute_keyed(12, lanes, room);
    } else {
        assert(key_size == 32);
        compute_keyed(14, lanes, room);
    }
}
#endif
