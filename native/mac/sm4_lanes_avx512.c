/*
 * SM4, 64 messages at once, by GFNI: a register holds one of the four words of 16 messages, and four
 * such groups take turns, since a round is a chain of 14 cycles that fills a third of the ports.
 *
 *   blocks of lanes 0..3 4..7 8..11 12..15 ──▶ turned ──▶ X0 X1 X2 X3, a double word a message
 *
 * SM4's S-box inverts in a field of 256 elements, which is AES's field under another name, and
 * GF2P8AFFINEINVQB inverts in that one: so the S-box is one affine map before it and the map that it
 * has in itself after. tools/sm4_fields.py solves for the maps and checks them against the table.
 *
 * Round keys are made in the lanes. Sizes are public. No address and no branch depends on a key, on
 * data or on a MAC.
 */
#include "mac/sm4_lanes.h"

#if defined(__x86_64__)
#include "mac/lanes_avx512.h"

#define GROUPS_MAX 4
#define GROUP_LANES 16

/* One of the four words of every message of a group. */
typedef struct words {
    __m512i word[4];
} words;

POS_INLINE __m512i substituted(__m512i bytes)
{
    const __m512i before = _mm512_set1_epi64(0x06170a353a729b0d);
    const __m512i after = _mm512_set1_epi64((long long)0xaf4db0439a96b349ULL);
    return _mm512_gf2p8affineinv_epi64_epi8(_mm512_gf2p8affine_epi64_epi8(bytes, before, 0x23),
                                            after, 0xd3);
}

/* GB/T 32907, 6.2: the first word of the next state. One turn is a shuffle: another port. */
POS_INLINE __m512i stepped(__m512i a, __m512i b, __m512i c, __m512i d, __m512i key)
{
    const __m512i by_24 = _mm512_broadcast_i32x4(
        _mm_setr_epi8(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12));
    const __m512i box =
        substituted(_mm512_ternarylogic_epi32(b, c, _mm512_xor_si512(d, key), 0x96));
    const __m512i some = _mm512_ternarylogic_epi32(a, box, _mm512_rol_epi32(box, 2), 0x96);
    const __m512i rest = _mm512_ternarylogic_epi32(_mm512_rol_epi32(box, 10),
                                                   _mm512_rol_epi32(box, 18),
                                                   _mm512_shuffle_epi8(box, by_24), 0x96);
    return _mm512_xor_si512(some, rest);
}

/* 7.3: the same of the key schedule. */
POS_INLINE __m512i scheduled(__m512i a, __m512i b, __m512i c, __m512i d, uint32_t constant)
{
    const __m512i sum = _mm512_xor_si512(_mm512_ternarylogic_epi32(b, c, d, 0x96),
                                         _mm512_set1_epi32((int)constant));
    const __m512i box = substituted(sum);
    const __m512i turns =
        _mm512_xor_si512(_mm512_rol_epi32(box, 13), _mm512_rol_epi32(box, 23));
    return _mm512_ternarylogic_epi32(a, box, turns, 0x96);
}

/* Bytes of every word in reverse: the standard's words are big-endian. */
POS_INLINE __m512i swapped(__m512i blocks)
{
    return _mm512_shuffle_epi8(blocks, _mm512_broadcast_i32x4(_mm_setr_epi8(
                                           3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12)));
}

/* Four registers of blocks become the four words, and back; message 4v + l stands at 4l + v. */
POS_INLINE words turned(words from)
{
    const __m512i low_ab = _mm512_unpacklo_epi32(from.word[0], from.word[1]);
    const __m512i high_ab = _mm512_unpackhi_epi32(from.word[0], from.word[1]);
    const __m512i low_cd = _mm512_unpacklo_epi32(from.word[2], from.word[3]);
    const __m512i high_cd = _mm512_unpackhi_epi32(from.word[2], from.word[3]);
    return (words){{_mm512_unpacklo_epi64(low_ab, low_cd), _mm512_unpackhi_epi64(low_ab, low_cd),
                    _mm512_unpacklo_epi64(high_ab, high_cd),
                    _mm512_unpackhi_epi64(high_ab, high_cd)}};
}

POS_INLINE words words_of(words blocks)
{
    for (unsigned v = 0; v < 4; v++) blocks.word[v] = swapped(blocks.word[v]);
    return turned(blocks);
}

/* A word of each message, of 16 in order, to where its message stands. */
POS_INLINE __m512i placed(__m512i values)
{
    return _mm512_permutexvar_epi32(
        _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0), values);
}

/* All 32 rounds; round keys of group g: keys[round * groups + g]. The words come out in reverse. */
POS_INLINE void encipher(const __m512i *keys, unsigned groups, words *states)
{
    for (unsigned round = 0; round < 32; round += 4) {
#pragma GCC unroll 4
        for (unsigned part = 0; part < 4; part++) {
#pragma GCC unroll 4
            for (unsigned g = 0; g < groups; g++) {
                __m512i *x = states[g].word;
                x[part] = stepped(x[part], x[(part + 1) % 4], x[(part + 2) % 4],
                                  x[(part + 3) % 4], keys[(round + part) * groups + g]);
            }
        }
    }
    for (unsigned g = 0; g < groups; g++) {
        const words now = states[g];
        for (unsigned word = 0; word < 4; word++) states[g].word[word] = now.word[3 - word];
    }
}

/* 7.3: byte j of constant i is 7 (4i + j) modulo 256. */
static const uint32_t CONSTANTS[32] = {
    0x00070e15, 0x1c232a31, 0x383f464d, 0x545b6269, 0x70777e85, 0x8c939aa1, 0xa8afb6bd, 0xc4cbd2d9,
    0xe0e7eef5, 0xfc030a11, 0x181f262d, 0x343b4249, 0x50575e65, 0x6c737a81, 0x888f969d, 0xa4abb2b9,
    0xc0c7ced5, 0xdce3eaf1, 0xf8ff060d, 0x141b2229, 0x30373e45, 0x4c535a61, 0x686f767d, 0x848b9299,
    0xa0a7aeb5, 0xbcc3cad1, 0xd8dfe6ed, 0xf4fb0209, 0x10171e25, 0x2c333a41, 0x484f565d, 0x646b7279,
};

POS_INLINE void expand(const pos_mac_lanes *lanes, unsigned groups, __m512i *keys)
{
    static const uint32_t SYSTEM[4] = {0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC};
    words states[GROUPS_MAX];
    for (unsigned g = 0; g < groups; g++) {
        for (unsigned v = 0; v < 4; v++) {
            states[g].word[v] = pos_four_keys(lanes->keys + GROUP_LANES * g + 4 * v, 0);
        }
        states[g] = words_of(states[g]);
        for (unsigned word = 0; word < 4; word++) {
            states[g].word[word] = _mm512_xor_si512(states[g].word[word],
                                                    _mm512_set1_epi32((int)SYSTEM[word]));
        }
    }
    for (unsigned round = 0; round < 32; round += 4) {
#pragma GCC unroll 4
        for (unsigned part = 0; part < 4; part++) {
#pragma GCC unroll 4
            for (unsigned g = 0; g < groups; g++) {
                __m512i *x = states[g].word;
                x[part] = scheduled(x[part], x[(part + 1) % 4], x[(part + 2) % 4],
                                    x[(part + 3) % 4], CONSTANTS[round + part]);
                keys[(round + part) * groups + g] = x[part];
            }
        }
    }
}

POS_INLINE void put(const pos_mac_lanes *lanes, unsigned groups, const words *macs)
{
    for (unsigned g = 0; g < groups; g++) {
        const words blocks = turned(macs[g]);
        for (unsigned v = 0; v < 4; v++) {
            const size_t first = GROUP_LANES * g + 4 * v;
            if (first >= lanes->count) return;
            pos_put_four(lanes->macs_out + first, lanes->count - first, swapped(blocks.word[v]));
        }
    }
}

POS_INLINE void add(words *states, words blocks)
{
#pragma GCC unroll 4
    for (unsigned word = 0; word < 4; word++) {
        states->word[word] = _mm512_xor_si512(states->word[word], blocks.word[word]);
    }
}

/* ---- sm4-unionpay: XOR of all blocks; as hex, H1 ‖ H2; mac = E(E(H1) ⊕ H2) -------------------------- */
POS_INLINE __m128i folded(const uint8_t *data, uint32_t size)
{
    __m512i sum = _mm512_setzero_si512();
    uint32_t done = 0;
    for (; done + 64 <= size; done += 64) {
        sum = _mm512_xor_si512(sum, _mm512_loadu_si512((const void *)(data + done)));
    }
    const __mmask64 rest = _bzhi_u64(~0ULL, size - done);
    sum = _mm512_xor_si512(sum, _mm512_maskz_loadu_epi8(rest, data + done));
    const __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(sum),
                                          _mm512_extracti64x4_epi64(sum, 1));
    return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* Digits as upper-case characters, by a shuffle of the sixteen. */
POS_INLINE __m512i characters(__m512i nibbles)
{
    return _mm512_shuffle_epi8(
        _mm512_broadcast_i32x4(_mm_setr_epi8('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A',
                                             'B', 'C', 'D', 'E', 'F')),
        nibbles);
}

POS_INLINE void compute_folded(const pos_mac_lanes *lanes, unsigned groups, pos_sm4_room *room)
{
    __m512i *keys = (__m512i *)(void *)room->bytes;
    const __m512i digit = _mm512_set1_epi8(0x0f);
    words states[GROUPS_MAX];
    words halves[GROUPS_MAX];
    for (unsigned g = 0; g < groups; g++) {
        for (unsigned v = 0; v < 4; v++) {
            __m128i sums[4];
            for (unsigned lane = 0; lane < 4; lane++) {
                const size_t index = GROUP_LANES * g + 4 * v + lane;
                sums[lane] = folded(lanes->data[index], lanes->sizes[index]);
            }
            const __m512i sum = pos_joined(sums);
            const __m512i low = _mm512_and_si512(sum, digit);
            const __m512i high = _mm512_and_si512(_mm512_srli_epi16(sum, 4), digit);
            states[g].word[v] = characters(_mm512_unpacklo_epi8(high, low));
            halves[g].word[v] = characters(_mm512_unpackhi_epi8(high, low));
        }
        states[g] = words_of(states[g]);
        halves[g] = words_of(halves[g]);
    }
    expand(lanes, groups, keys);
    encipher(keys, groups, states);
    for (unsigned g = 0; g < groups; g++) add(&states[g], halves[g]);
    encipher(keys, groups, states);
    put(lanes, groups, states);
}

void pos_sm4_folded_avx512(const pos_mac_lanes *lanes, pos_sm4_room *room)
{
    assert(lanes->count >= 1 && lanes->count <= POS_SM4_LANES_AVX512);
    if (lanes->count <= GROUP_LANES) {
        compute_folded(lanes, 1, room);
    } else if (lanes->count <= 2 * GROUP_LANES) {
        compute_folded(lanes, 2, room);
    } else {
        compute_folded(lanes, GROUPS_MAX, room);
    }
}

/* ---- sm4-cbc: chain = E(chain ⊕ block) over all blocks, the last filled up with zeros ---------------- */
typedef struct span {
    __m512i sizes[GROUPS_MAX]; /* of the messages, in order */
    __m512i full[GROUPS_MAX];  /* blocks before the last one, where the message stands */
    uint32_t full_min;
    uint32_t full_max;
} span;

POS_INLINE span measured(const pos_mac_lanes *lanes, unsigned groups)
{
    span from = {.full_min = UINT32_MAX, .full_max = 0};
    for (unsigned g = 0; g < groups; g++) {
        const size_t first = GROUP_LANES * g;
        const size_t left = lanes->count > first ? lanes->count - first : 0;
        const __mmask16 there = (__mmask16)_bzhi_u32(0xffff, left < 16 ? (unsigned)left : 16);
        const __m512i sizes = _mm512_loadu_si512((const void *)(lanes->sizes + first));
        const __mmask16 is_some = _mm512_test_epi32_mask(sizes, sizes);
        const __m512i full = _mm512_srli_epi32(
            _mm512_maskz_sub_epi32(is_some, sizes, _mm512_set1_epi32(1)), 4);
        const uint32_t most = _mm512_reduce_max_epu32(full);
        const uint32_t least = _mm512_mask_reduce_min_epu32(there, full); /* of none: the most */
        from.sizes[g] = sizes;
        from.full[g] = placed(full);
        from.full_max = most > from.full_max ? most : from.full_max;
        from.full_min = least < from.full_min ? least : from.full_min;
    }
    return from;
}

/* One block more; `is_plain`: it is whole in every message. */
POS_INLINE void chain(const pos_mac_lanes *lanes, const span *from, uint32_t block, bool is_plain,
                      const __m512i *keys, unsigned groups, words *states)
{
    for (unsigned g = 0; g < groups; g++) {
        const uint8_t *const *data = lanes->data + GROUP_LANES * g;
        pos_ends at;
        words blocks;
        if (!is_plain) pos_find_ends(&at, from->sizes[g], 16 * block);
#pragma GCC unroll 4
        for (unsigned v = 0; v < 4; v++) {
            blocks.word[v] = is_plain ? pos_four_blocks(data + 4 * v, 16 * (size_t)block)
                                      : pos_four_ends(data, &at, v);
        }
        add(&states[g], words_of(blocks));
    }
    encipher(keys, groups, states);
}

POS_INLINE void compute_chained(const pos_mac_lanes *lanes, unsigned groups, pos_sm4_room *room)
{
    __m512i *keys = (__m512i *)(void *)room->bytes;
    words states[GROUPS_MAX];
    words macs[GROUPS_MAX];
    for (unsigned g = 0; g < groups; g++) {
        for (unsigned word = 0; word < 4; word++) {
            states[g].word[word] = _mm512_setzero_si512();
            macs[g].word[word] = _mm512_setzero_si512();
        }
    }
    const span from = measured(lanes, groups);
    expand(lanes, groups, keys);
    for (uint32_t block = 0; block < from.full_min; block++) {
        chain(lanes, &from, block, true, keys, groups, states);
    }
    for (uint32_t block = from.full_min; block <= from.full_max; block++) {
        chain(lanes, &from, block, false, keys, groups, states);
        for (unsigned g = 0; g < groups; g++) {
            const __mmask16 is_last =
                _mm512_cmpeq_epi32_mask(from.full[g], _mm512_set1_epi32((int)block));
            for (unsigned word = 0; word < 4; word++) {
                macs[g].word[word] = _mm512_mask_mov_epi32(macs[g].word[word], is_last,
                                                           states[g].word[word]);
            }
        }
    }
    put(lanes, groups, macs);
}

void pos_sm4_chained_avx512(const pos_mac_lanes *lanes, pos_sm4_room *room)
{
    assert(lanes->count >= 1 && lanes->count <= POS_SM4_LANES_AVX512);
    if (lanes->count <= GROUP_LANES) {
        compute_chained(lanes, 1, room);
    } else if (lanes->count <= 2 * GROUP_LANES) {
        compute_chained(lanes, 2, room);
    } else {
        compute_chained(lanes, GROUPS_MAX, room);
    }
}
#endif
