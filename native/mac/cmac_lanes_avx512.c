/*
 * CMAC, 16 messages at once, by VAES: four registers of four lanes, so that four chains hide the
 * four cycles that one AESENC takes.
 *
 *              register 0      register 1      register 2      register 3
 *   step n   | b n of 0..3 | | b n of 4..7 | | b n of 8..11| | b n of 12..15|   b: 16 bytes
 *
 * Blocks are read whole until one is the last of some lane. From then on reads are masked to what is
 * left of a message, each lane takes its subkey and padding at its own last block, and its chain is
 * caught there; lanes that have ended run on with zeros.
 *
 * Round keys of own keys are made in the lanes: SubWord of a word that stands in all four columns
 * is AESENCLAST, since ShiftRows moves nothing there, and its round key is the round constant.
 *
 * Sizes are public. No address and no branch depends on a key, on data or on a MAC.
 */
#include "mac/cmac_lanes.h"

#if defined(__x86_64__)
#include "mac/lanes_avx512.h"

#define ROUNDS_MAX 14
#define VECTORS_MAX 4
#define LANES POS_CMAC_LANES_AVX512

/* What differs between lanes; a double word stands in each of a lane's four columns. */
typedef struct group {
    const uint8_t *const *data;
    __m512i sizes;     /* of all lanes, in order */
    uint32_t full_max; /* blocks before the last one, of the longest lane and of the shortest */
    uint32_t full_min;
    __m512i full[VECTORS_MAX];
    __m512i padding[VECTORS_MAX];    /* 80 behind a last block that is not whole */
    __mmask16 is_whole[VECTORS_MAX]; /* lanes whose last block is whole: K1, not K2 */
} group;

/* Double words of lanes 4v to 4v + 3, each in all columns of its own block. */
POS_INLINE __m512i spread(__m512i values, unsigned vector)
{
    const __m512i first = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    const __m512i places = _mm512_add_epi32(first, _mm512_set1_epi32((int)(4 * vector)));
    return _mm512_permutexvar_epi32(places, values);
}

POS_INLINE void measure(group *into, const pos_mac_lanes *lanes, unsigned vectors)
{
    const __m512i zero = _mm512_setzero_si512();
    const __m512i fifteen = _mm512_set1_epi32(15);
    const __m512i columns = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    const __mmask16 there = (__mmask16)_bzhi_u32(0xffff, (unsigned)lanes->count);
    const __m512i sizes = _mm512_maskz_loadu_epi32((__mmask16)((1U << 4 * vectors) - 1),
                                                   lanes->sizes);
    const __mmask16 is_some = _mm512_test_epi32_mask(sizes, sizes);
    const __mmask16 is_partial = _mm512_test_epi32_mask(sizes, fifteen);
    const __m512i full = _mm512_srli_epi32(
        _mm512_mask_sub_epi32(zero, is_some, sizes, _mm512_set1_epi32(1)), 4);
    /* Where 80 goes in the last block, in all bytes; none has the number 255. */
    const __mmask16 is_whole = (__mmask16)(is_some & (__mmask16)~is_partial);
    const __m512i ones = _mm512_and_si512(sizes, fifteen);
    const __m512i marks = _mm512_mask_set1_epi32(
        _mm512_mullo_epi32(ones, _mm512_set1_epi32(0x01010101)), is_whole, -1);
    for (unsigned vector = 0; vector < vectors; vector++) {
        const __m512i mark = spread(marks, vector);
        into->full[vector] = spread(full, vector);
        into->padding[vector] =
            _mm512_maskz_set1_epi8(_mm512_cmpeq_epi8_mask(mark, columns), (char)0x80);
        into->is_whole[vector] = _mm512_cmpeq_epi32_mask(mark, _mm512_set1_epi32(-1));
    }
    into->data = lanes->data;
    into->sizes = sizes;
    into->full_max = _mm512_reduce_max_epu32(full);
    into->full_min = _mm512_mask_reduce_min_epu32(there, full);
}

/*
 * K1 or K2 from L, E of zeros: doubled once in GF(2^128) where `is_once`, else twice. What falls out
 * at the top, one bit or two, comes back times 87.
 */
POS_INLINE __m512i doubled(__m512i blocks, __mmask16 is_once)
{
    const __m512i reversed = _mm512_broadcast_i32x4(
        _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
    const __m512i fold = _mm512_set1_epi64(0x87);
    const __m512i once = _mm512_maskz_set1_epi32(is_once & 0x5555, 1); /* in each half */
    const __m512i count = _mm512_sub_epi64(_mm512_set1_epi64(2), once);
    const __m512i numbers = _mm512_shuffle_epi8(blocks, reversed);
    const __m512i carries =
        _mm512_srlv_epi64(numbers, _mm512_sub_epi64(_mm512_set1_epi64(64), count));
    const __m512i kept = _mm512_bslli_epi128(carries, 8); /* from the low half to the high one */
    const __m512i folded = _mm512_clmulepi64_epi128(carries, fold, 0x01);
    const __m512i shifted = _mm512_sllv_epi64(numbers, count);
    return _mm512_shuffle_epi8(_mm512_ternarylogic_epi64(shifted, kept, folded, 0x96), reversed);
}

/* One AES of every register. Round keys of register v: keys[round * stride + v * step]. */
POS_INLINE void encipher(const __m512i *keys, unsigned rounds, unsigned step, unsigned vectors,
                     __m512i *states)
{
    const unsigned stride = step == 0 ? 1 : vectors;
#pragma GCC unroll 4
    for (unsigned v = 0; v < vectors; v++) states[v] = _mm512_xor_si512(states[v], keys[v * step]);
#pragma GCC unroll 14
    for (unsigned round = 1; round < rounds; round++) {
#pragma GCC unroll 4
        for (unsigned v = 0; v < vectors; v++) {
            states[v] = _mm512_aesenc_epi128(states[v], keys[round * stride + v * step]);
        }
    }
#pragma GCC unroll 4
    for (unsigned v = 0; v < vectors; v++) {
        states[v] = _mm512_aesenclast_epi128(states[v], keys[rounds * stride + v * step]);
    }
}

/* The blocks that are whole and not last in every lane. */
POS_INLINE void chain_plain(const group *from, const __m512i *keys, unsigned rounds, unsigned step,
                        unsigned vectors, __m512i *states)
{
    for (size_t block = 0; block < from->full_min; block++) {
#pragma GCC unroll 4
        for (unsigned v = 0; v < vectors; v++) {
            states[v] =
                _mm512_xor_si512(states[v], pos_four_blocks(from->data + 4 * v, 16 * block));
        }
        encipher(keys, rounds, step, vectors, states);
    }
}

/* The rest, in which lanes end; `subkeys` are each lane's own. */
POS_INLINE void chain_ending(const group *from, const __m512i *keys, unsigned rounds, unsigned step,
                         unsigned vectors, const __m512i *subkeys, __m512i *states,
                         __m512i *macs)
{
    for (uint32_t block = from->full_min; block <= from->full_max; block++) {
        const __m512i now = _mm512_set1_epi32((int)block);
        pos_ends at;
        __mmask16 is_last[VECTORS_MAX];
        pos_find_ends(&at, from->sizes, 16 * block);
#pragma GCC unroll 4
        for (unsigned v = 0; v < vectors; v++) {
            is_last[v] = _mm512_cmpeq_epi32_mask(from->full[v], now);
            states[v] = _mm512_xor_si512(states[v], pos_four_ends(from->data, &at, v));
            states[v] = _mm512_mask_xor_epi32(states[v], is_last[v], states[v], subkeys[v]);
        }
        encipher(keys, rounds, step, vectors, states);
#pragma GCC unroll 4
        for (unsigned v = 0; v < vectors; v++) {
            macs[v] = _mm512_mask_mov_epi32(macs[v], is_last[v], states[v]);
        }
    }
}

POS_INLINE void put(const pos_mac_lanes *lanes, const __m512i *macs, unsigned vectors)
{
#pragma GCC unroll 4
    for (unsigned v = 0; v < vectors; v++) {
        if (4 * v >= lanes->count) return;
        pos_put_four(lanes->macs_out + 4 * v, lanes->count - 4 * v, macs[v]);
    }
}

/* Whole lanes under keys that stand ready; `subkeys` hold K1 or K2, and the padding. */
POS_INLINE void compute(const pos_mac_lanes *lanes, const group *from, const __m512i *keys,
                    unsigned rounds, unsigned step, unsigned vectors, const __m512i *subkeys)
{
    __m512i states[VECTORS_MAX];
    __m512i macs[VECTORS_MAX];
#pragma GCC unroll 4
    for (unsigned v = 0; v < vectors; v++) {
        states[v] = _mm512_setzero_si512();
        macs[v] = _mm512_setzero_si512();
    }
    chain_plain(from, keys, rounds, step, vectors, states);
    chain_ending(from, keys, rounds, step, vectors, subkeys, states, macs);
    put(lanes, macs, vectors);
}

/* ---- one key for all lanes ------------------------------------------------------------------------ */
POS_INLINE void compute_shared(const pos_cmac_key *key, unsigned rounds,
                           const pos_mac_lanes *lanes, unsigned vectors)
{
    __m512i keys[ROUNDS_MAX + 1];
#pragma GCC unroll 15
    for (unsigned round = 0; round <= rounds; round++) {
        keys[round] = _mm512_broadcast_i32x4(pos_loaded(key->aes.round_keys[round]));
    }
    const __m512i whole = _mm512_broadcast_i32x4(pos_loaded(key->whole));
    const __m512i padded = _mm512_broadcast_i32x4(pos_loaded(key->padded));
    group from;
    __m512i subkeys[VECTORS_MAX];
    measure(&from, lanes, vectors);
#pragma GCC unroll 4
    for (unsigned v = 0; v < vectors; v++) {
        subkeys[v] = _mm512_xor_si512(_mm512_mask_mov_epi32(padded, from.is_whole[v], whole),
                                      from.padding[v]);
    }
    compute(lanes, &from, keys, rounds, 0, vectors, subkeys);
}

#define SHARED(rounds)                                                                  \
    static void shared_##rounds(const pos_cmac_key *key, const pos_mac_lanes *lanes) \
    {                                                                                   \
        if (lanes->count <= 4) {                                                        \
            compute_shared(key, rounds, lanes, 1);                                      \
        } else {                                                                        \
            compute_shared(key, rounds, lanes, VECTORS_MAX);                            \
        }                                                                               \
    }
SHARED(10)
SHARED(12)
SHARED(14)

void pos_cmac_lanes_shared_avx512(const pos_cmac_key *key, const pos_mac_lanes *lanes)
{
    assert(lanes->count >= 1 && lanes->count <= LANES);
    if (key->aes.rounds == 10) {
        shared_10(key, lanes);
    } else if (key->aes.rounds == 12) {
        shared_12(key, lanes);
    } else {
        assert(key->aes.rounds == 14);
        shared_14(key, lanes);
    }
}

/* ---- a key of its own for each lane ------------------------------------------------------------------ */
/* SubWord of double word `column` (turned by a byte where it is RotWord's turn), in all columns. */
POS_INLINE __m512i substituted(__m512i blocks, unsigned column, bool is_turned, int constant)
{
    const int first = (int)(0x03020100U + 0x04040404U * column);
    const int turned = (int)(0x00030201U + 0x04040404U * column);
    const __m512i word =
        _mm512_shuffle_epi8(blocks, _mm512_set1_epi32(is_turned ? turned : first));
    return _mm512_aesenclast_epi128(word, _mm512_set1_epi32(constant));
}

/* Each word summed with those before it in its block. */
POS_INLINE __m512i running(__m512i blocks)
{
    blocks = _mm512_xor_si512(blocks, _mm512_bslli_epi128(blocks, 4));
    return _mm512_xor_si512(blocks, _mm512_bslli_epi128(blocks, 8));
}

static const uint8_t CONSTANTS[10] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36};

/*
 * FIPS 197, 5.2, four words a step; keys[round * vectors + v]. AES-128 is the common one: `zeros_out`,
 * a block of zeros enciphered, is made on the way, while the schedule's shuffles leave AESENC free.
 */
POS_INLINE void expand_128(const pos_mac_lanes *lanes, unsigned vectors, __m512i *keys,
                       __m512i *zeros_out)
{
    __m512i now[VECTORS_MAX];
#pragma GCC unroll 4
    for (unsigned v = 0; v < vectors; v++) {
        now[v] = pos_four_keys(lanes->keys + 4 * v, 0);
        keys[v] = now[v];
        zeros_out[v] = now[v];
    }
#pragma GCC unroll 10
    for (unsigned round = 1; round <= 10; round++) {
#pragma GCC unroll 4
        for (unsigned v = 0; v < vectors; v++) {
            now[v] = _mm512_xor_si512(running(now[v]),
                                      substituted(now[v], 3, true, CONSTANTS[round - 1]));
            keys[round * vectors + v] = now[v];
            zeros_out[v] = round < 10 ? _mm512_aesenc_epi128(zeros_out[v], now[v])
                                      : _mm512_aesenclast_epi128(zeros_out[v], now[v]);
        }
    }
}

POS_INLINE void expand_256(const pos_mac_lanes *lanes, unsigned vectors, __m512i *keys)
{
    for (unsigned v = 0; v < vectors; v++) {
        keys[v] = pos_four_keys(lanes->keys + 4 * v, 0);
        keys[vectors + v] = pos_four_keys(lanes->keys + 4 * v, 16);
    }
#pragma GCC unroll 13
    for (unsigned round = 2; round <= 14; round++) {
        const bool is_first = round % 2 == 0;
        const int constant = is_first ? CONSTANTS[round / 2 - 1] : 0;
#pragma GCC unroll 4
        for (unsigned v = 0; v < vectors; v++) {
            const __m512i box =
                substituted(keys[(round - 1) * vectors + v], 3, is_first, constant);
            keys[round * vectors + v] =
                _mm512_xor_si512(running(keys[(round - 2) * vectors + v]), box);
        }
    }
}

/*
 * Six words a step: four stand in `left`, two in the low half of `right`. Two steps are twelve
 * words, three round keys.
 */
POS_INLINE void step_192(__m512i *left, __m512i *right, int constant)
{
    *left = _mm512_xor_si512(running(*left), substituted(*right, 1, true, constant));
    const __m512i last = _mm512_shuffle_epi32(*left, 0xFF);
    const __m512i sums = _mm512_xor_si512(*right, _mm512_bslli_epi128(*right, 4));
    *right = _mm512_xor_si512(sums, last);
}

POS_INLINE void expand_192(const pos_mac_lanes *lanes, unsigned vectors, __m512i *keys)
{
    for (unsigned v = 0; v < vectors; v++) {
        __m512i left = pos_four_keys(lanes->keys + 4 * v, 0);
        /* The key's last 8 bytes: its bytes 8 to 23, moved down. */
        __m512i right = _mm512_bsrli_epi128(pos_four_keys(lanes->keys + 4 * v, 8), 8);
        keys[v] = left;
        for (unsigned step = 0; step < 4; step++) {
            const __m512i before = right;
            step_192(&left, &right, CONSTANTS[2 * step]);
            keys[(3 * step + 1) * vectors + v] = _mm512_unpacklo_epi64(before, left);
            keys[(3 * step + 2) * vectors + v] =
                _mm512_alignr_epi8(right, left, 8);
            step_192(&left, &right, CONSTANTS[2 * step + 1]);
            keys[(3 * step + 3) * vectors + v] = left;
        }
    }
}

POS_INLINE void compute_keyed(unsigned rounds, const pos_mac_lanes *lanes, unsigned vectors,
                          pos_cmac_room *room)
{
    __m512i *keys = (__m512i *)(void *)room->bytes;
    __m512i *subkeys = keys + (ROUNDS_MAX + 1) * VECTORS_MAX;
    group from;
    __m512i zeros[VECTORS_MAX];
    if (rounds == 10) {
        expand_128(lanes, vectors, keys, zeros);
    } else {
        if (rounds == 12) expand_192(lanes, vectors, keys);
        else expand_256(lanes, vectors, keys);
        for (unsigned v = 0; v < vectors; v++) zeros[v] = _mm512_setzero_si512();
        encipher(keys, rounds, 1, vectors, zeros);
    }
    measure(&from, lanes, vectors);
#pragma GCC unroll 4
    for (unsigned v = 0; v < vectors; v++) {
        subkeys[v] = _mm512_xor_si512(doubled(zeros[v], from.is_whole[v]), from.padding[v]);
    }
    compute(lanes, &from, keys, rounds, 1, vectors, subkeys);
}

#define KEYED(rounds)                                                              \
    static void keyed_##rounds(const pos_mac_lanes *lanes, pos_cmac_room *room) \
    {                                                                              \
        if (lanes->count <= 4) {                                                   \
            compute_keyed(rounds, lanes, 1, room);                                 \
        } else {                                                                   \
            compute_keyed(rounds, lanes, VECTORS_MAX, room);                       \
        }                                                                          \
    }
KEYED(10)
KEYED(12)
KEYED(14)

void pos_cmac_lanes_keyed_avx512(size_t key_size, const pos_mac_lanes *lanes, pos_cmac_room *room)
{
    assert(lanes->count >= 1 && lanes->count <= LANES);
    if (key_size == 16) {
        keyed_10(lanes, room);
    } else if (key_size == 24) {
        keyed_12(lanes, room);
    } else {
        assert(key_size == 32);
        keyed_14(lanes, room);
    }
}
#endif
