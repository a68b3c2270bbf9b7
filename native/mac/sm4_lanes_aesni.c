/*
 * SM4, 8 messages at once, by the AES instructions: a register holds one of the four words of four
 * messages, and two such groups take turns. Oracle: the circuit in sbox.c.
 *
 *   sm4(x) = POST(aes(PRE(x)))       the two affine maps: tools/sm4_fields.py
 *
 * An affine map of a byte is the sum of one of its high and one of its low digit: two shuffles of
 * sixteen constants, the same for every byte, so no address depends on a secret. AESENCLAST with a
 * zero key is the AES S-box and ShiftRows; bytes are put where ShiftRows will move them back from.
 *
 * Round keys are made in the lanes. Sizes are public.
 */
#include "mac/sm4_lanes.h"

#if defined(__x86_64__)
#include <smmintrin.h>
#include <wmmintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define GROUPS 2
#define GROUP_LANES 4

/* One of the four words of every message of a group. */
typedef struct words {
    __m128i word[4];
} words;

INLINE __m128i loaded(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

INLINE __m128i mapped(__m128i bytes, __m128i low, __m128i high)
{
    const __m128i digit = _mm_set1_epi8(0x0f);
    const __m128i lows = _mm_and_si128(bytes, digit);
    const __m128i highs = _mm_and_si128(_mm_srli_epi32(bytes, 4), digit);
    return _mm_xor_si128(_mm_shuffle_epi8(low, lows), _mm_shuffle_epi8(high, highs));
}

INLINE __m128i substituted(__m128i bytes)
{
    /* PRE with its constant 23, POST with its constant 3B, by digit: eight bytes a number. */
    const __m128i pre_low = _mm_set_epi64x((long long)0xc10bb67c4a803df7ULL, 0x15df62a89e54e923);
    const __m128i pre_high = _mm_set_epi64x(0x22581a6002783a40, 0x62185a2042387a00);
    const __m128i post_low =
        _mm_set_epi64x((long long)0xe383c1a1fe9edcbcULL, 0x6404462679195b3b);
    const __m128i post_high =
        _mm_set_epi64x(0x1407c6d56c7fbead, (long long)0xb9aa6b78c1d21300ULL);
    const __m128i unshifted =
        _mm_setr_epi8(0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3);
    bytes = _mm_shuffle_epi8(mapped(bytes, pre_low, pre_high), unshifted);
    bytes = _mm_aesenclast_si128(bytes, _mm_setzero_si128());
    return mapped(bytes, post_low, post_high);
}

INLINE __m128i rotated(__m128i values, int count)
{
    return _mm_or_si128(_mm_slli_epi32(values, count), _mm_srli_epi32(values, 32 - count));
}

/* GB/T 32907, 6.2: the first word of the next state. Turns by whole bytes are shuffles. */
INLINE __m128i stepped(__m128i a, __m128i b, __m128i c, __m128i d, __m128i key)
{
    const __m128i by_8 = _mm_setr_epi8(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14);
    const __m128i by_16 = _mm_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    const __m128i by_24 = _mm_setr_epi8(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12);
    const __m128i box = substituted(_mm_xor_si128(_mm_xor_si128(b, c), _mm_xor_si128(d, key)));
    const __m128i later = _mm_xor_si128(
        _mm_xor_si128(box, _mm_shuffle_epi8(box, by_8)), _mm_shuffle_epi8(box, by_16));
    const __m128i some =
        _mm_xor_si128(_mm_xor_si128(a, box), _mm_shuffle_epi8(box, by_24));
    return _mm_xor_si128(some, rotated(later, 2)); /* 2, 10 and 18 */
}

/* 7.3: the same of the key schedule. */
INLINE __m128i scheduled(__m128i a, __m128i b, __m128i c, __m128i d, uint32_t constant)
{
    const __m128i key = _mm_set1_epi32((int)constant);
    const __m128i box = substituted(_mm_xor_si128(_mm_xor_si128(b, c), _mm_xor_si128(d, key)));
    const __m128i turns = _mm_xor_si128(rotated(box, 13), rotated(box, 23));
    return _mm_xor_si128(_mm_xor_si128(a, box), turns);
}

/* Bytes of every word in reverse: the standard's words are big-endian. */
INLINE __m128i swapped(__m128i block)
{
    return _mm_shuffle_epi8(
        block, _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
}

/* Four blocks become the four words, and back. */
INLINE words turned(words from)
{
    const __m128i low_ab = _mm_unpacklo_epi32(from.word[0], from.word[1]);
    const __m128i high_ab = _mm_unpackhi_epi32(from.word[0], from.word[1]);
    const __m128i low_cd = _mm_unpacklo_epi32(from.word[2], from.word[3]);
    const __m128i high_cd = _mm_unpackhi_epi32(from.word[2], from.word[3]);
    return (words){{_mm_unpacklo_epi64(low_ab, low_cd), _mm_unpackhi_epi64(low_ab, low_cd),
                    _mm_unpacklo_epi64(high_ab, high_cd), _mm_unpackhi_epi64(high_ab, high_cd)}};
}

INLINE words words_of(words blocks)
{
    for (unsigned lane = 0; lane < 4; lane++) blocks.word[lane] = swapped(blocks.word[lane]);
    return turned(blocks);
}

/* All 32 rounds; round keys of group g: keys[round * GROUPS + g]. The words come out in reverse. */
INLINE void encipher(const __m128i *keys, words *states)
{
    for (unsigned round = 0; round < 32; round += 4) {
#pragma GCC unroll 4
        for (unsigned part = 0; part < 4; part++) {
#pragma GCC unroll 2
            for (unsigned g = 0; g < GROUPS; g++) {
                __m128i *x = states[g].word;
                x[part] = stepped(x[part], x[(part + 1) % 4], x[(part + 2) % 4],
                                  x[(part + 3) % 4], keys[(round + part) * GROUPS + g]);
            }
        }
    }
    for (unsigned g = 0; g < GROUPS; g++) {
        const words now = states[g];
        for (unsigned word = 0; word < 4; word++) states[g].word[word] = now.word[3 - word];
    }
}

static void expand(const pos_mac_lanes *lanes, __m128i *keys)
{
    static const uint32_t SYSTEM[4] = {0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC};
    words states[GROUPS];
    for (unsigned g = 0; g < GROUPS; g++) {
        for (unsigned lane = 0; lane < 4; lane++) {
            states[g].word[lane] = loaded(lanes->keys[GROUP_LANES * g + lane]->bytes);
        }
        states[g] = words_of(states[g]);
        for (unsigned word = 0; word < 4; word++) {
            states[g].word[word] =
                _mm_xor_si128(states[g].word[word], _mm_set1_epi32((int)SYSTEM[word]));
        }
    }
    for (unsigned round = 0; round < 32; round++) {
        /* Byte j of constant i is 7 (4i + j) modulo 256: 7.3. */
        const uint32_t first = 28 * round;
        const uint32_t constant = (first & 0xff) << 24 | ((first + 7) & 0xff) << 16
                                  | ((first + 14) & 0xff) << 8 | ((first + 21) & 0xff);
        for (unsigned g = 0; g < GROUPS; g++) {
            __m128i *x = states[g].word;
            const __m128i next = scheduled(x[0], x[1], x[2], x[3], constant);
            keys[round * GROUPS + g] = next;
            x[0] = x[1];
            x[1] = x[2];
            x[2] = x[3];
            x[3] = next;
        }
    }
}

static void put(const pos_mac_lanes *lanes, const words *macs)
{
    for (size_t index = 0; index < lanes->count; index += GROUP_LANES) {
        const words blocks = turned(macs[index / GROUP_LANES]);
        for (size_t lane = 0; lane < GROUP_LANES && index + lane < lanes->count; lane++) {
            _mm_storeu_si128((__m128i *)(void *)lanes->macs_out[index + lane],
                             swapped(blocks.word[lane]));
        }
    }
}

INLINE void add(words *states, words blocks)
{
    for (unsigned word = 0; word < 4; word++) {
        states->word[word] = _mm_xor_si128(states->word[word], blocks.word[word]);
    }
}

/* The message's block from `offset` on, and zeros behind its end. */
INLINE __m128i block_of(const uint8_t *data, uint32_t size, uint32_t offset)
{
    if (offset + 16 <= size) return loaded(data + offset);
    uint8_t bytes[16] = {0};
    if (offset < size) pos_copy(bytes, data + offset, size - offset);
    return loaded(bytes);
}

/* ---- sm4-unionpay: XOR of all blocks; as hex, H1 ‖ H2; mac = E(E(H1) ⊕ H2) -------------------------- */
INLINE __m128i folded(const uint8_t *data, uint32_t size)
{
    __m128i sum = _mm_setzero_si128();
    for (uint32_t done = 0; done < size; done += 16) {
        sum = _mm_xor_si128(sum, block_of(data, size, done));
    }
    return sum;
}

/* Digits as upper-case characters, by a shuffle of the sixteen. */
INLINE __m128i characters(__m128i nibbles)
{
    return _mm_shuffle_epi8(_mm_setr_epi8('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A',
                                          'B', 'C', 'D', 'E', 'F'),
                            nibbles);
}

void pos_sm4_folded_aesni(const pos_mac_lanes *lanes, pos_sm4_room *room)
{
    assert(lanes->count >= 1 && lanes->count <= POS_SM4_LANES_AESNI);
    __m128i *keys = (__m128i *)(void *)room->bytes;
    const __m128i digit = _mm_set1_epi8(0x0f);
    words states[GROUPS];
    words halves[GROUPS];
    for (unsigned g = 0; g < GROUPS; g++) {
        for (unsigned lane = 0; lane < 4; lane++) {
            const size_t index = GROUP_LANES * g + lane;
            const __m128i sum = folded(lanes->data[index], lanes->sizes[index]);
            const __m128i low = _mm_and_si128(sum, digit);
            const __m128i high = _mm_and_si128(_mm_srli_epi16(sum, 4), digit);
            states[g].word[lane] = characters(_mm_unpacklo_epi8(high, low));
            halves[g].word[lane] = characters(_mm_unpackhi_epi8(high, low));
        }
        states[g] = words_of(states[g]);
        halves[g] = words_of(halves[g]);
    }
    expand(lanes, keys);
    encipher(keys, states);
    for (unsigned g = 0; g < GROUPS; g++) add(&states[g], halves[g]);
    encipher(keys, states);
    put(lanes, states);
}

/* ---- sm4-cbc: chain = E(chain ⊕ block) over all blocks, the last filled up with zeros ---------------- */
void pos_sm4_chained_aesni(const pos_mac_lanes *lanes, pos_sm4_room *room)
{
    assert(lanes->count >= 1 && lanes->count <= POS_SM4_LANES_AESNI);
    __m128i *keys = (__m128i *)(void *)room->bytes;
    words states[GROUPS];
    words macs[GROUPS];
    uint32_t full[POS_SM4_LANES_AESNI];
    uint32_t full_max = 0;
    for (unsigned index = 0; index < POS_SM4_LANES_AESNI; index++) {
        full[index] = pos_full_blocks(lanes->sizes[index]);
        full_max = full[index] > full_max ? full[index] : full_max;
    }
    for (unsigned g = 0; g < GROUPS; g++) {
        for (unsigned word = 0; word < 4; word++) {
            states[g].word[word] = _mm_setzero_si128();
            macs[g].word[word] = _mm_setzero_si128();
        }
    }
    expand(lanes, keys);
    for (uint32_t block = 0; block <= full_max; block++) {
        for (unsigned g = 0; g < GROUPS; g++) {
            words blocks;
            for (unsigned lane = 0; lane < 4; lane++) {
                const size_t index = GROUP_LANES * g + lane;
                blocks.word[lane] =
                    block_of(lanes->data[index], lanes->sizes[index], 16 * block);
            }
            add(&states[g], words_of(blocks));
        }
        encipher(keys, states);
        for (unsigned g = 0; g < GROUPS; g++) {
            const __m128i ends = loaded((const uint8_t *)(full + GROUP_LANES * g));
            const __m128i is_last = _mm_cmpeq_epi32(ends, _mm_set1_epi32((int)block));
            for (unsigned word = 0; word < 4; word++) {
                macs[g].word[word] =
                    _mm_blendv_epi8(macs[g].word[word], states[g].word[word], is_last);
            }
        }
    }
    put(lanes, macs);
}
#endif
