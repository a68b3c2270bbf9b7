/*
 * DES for a message or a few: all eight S-boxes of a message in one vector.
 *
 *   word j of a half, eight times the same byte      0 1 b1 b2 b3 b4 b5 b6, the input of S-box j + 1;
 *                                                    the 1 stands in words 2, 3, 6 and 7 alone
 *   S-boxes      two VPERMI2B over four tables of 64, two S-boxes a byte: the 1 says which table
 *   P and E      a third one fetches, for every bit of a word, the byte that holds it; all but that
 *                bit goes; GF2P8AFFINEQB with the word as its matrix makes one byte of eight, eight
 *                times the same
 *   IP, FP, PC   picked in the same way
 *
 * A round takes as long as five instructions one after the other; four messages share that time.
 * No load is at an address that a key or a message decides.
 */
#if defined(__x86_64__)
#include <assert.h>
#include <immintrin.h>

#include "mac/des_few_tables.h"
#include "mac/des_wave.h"

typedef struct few_key {
    __m512i first;     /* K1 */
    __m512i turns[16]; /* K2, then K1 ^ K3, ... K14 ^ K16, then K15: des_lanes_pass.h says why */
    __m512i last;      /* K16 */
} few_key;

typedef struct few {
    few_key one[POS_DES_FEW_MAX];
    few_key other[POS_DES_FEW_MAX];
    __m512i left[POS_DES_FEW_MAX];
    __m512i right[POS_DES_FEW_MAX];
} few;

static inline __m512i picked(__m512i one, __m512i other, const uint8_t pick[2][64])
{
    const __m512i bytes = _mm512_permutex2var_epi8(one, _mm512_load_si512(pick[0]), other);
    const __m512i bits = _mm512_and_si512(bytes, _mm512_load_si512(pick[1]));
    return _mm512_gf2p8affine_epi64_epi8(_mm512_set1_epi8(-1), bits, 0);
}

static inline __m512i xor3(__m512i a, __m512i b, __m512i c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

static void prepare(uint64_t key, few_key *key_out)
{
    const __m512i word = _mm512_set1_epi64((int64_t)key);
    __m512i subkeys[16];
    for (size_t round = 0; round < 16; round++) {
        subkeys[round] = picked(word, word, POS_DES_PICK_KEYS[round]);
    }
    key_out->first = subkeys[0];
    key_out->turns[0] = subkeys[1];
    for (size_t round = 1; round < 15; round++) {
        key_out->turns[round] = _mm512_xor_si512(subkeys[round - 1], subkeys[round + 1]);
    }
    key_out->turns[15] = subkeys[14];
    key_out->last = subkeys[15];
    pos_wipe(subkeys, sizeof subkeys);
}

static inline __m512i mixed(__m512i from)
{
    const __m512i low = _mm512_permutex2var_epi8(_mm512_load_si512(POS_DES_PAIRS[0]), from,
                                                 _mm512_load_si512(POS_DES_PAIRS[1]));
    const __m512i high = _mm512_permutex2var_epi8(_mm512_load_si512(POS_DES_PAIRS[2]), from,
                                                  _mm512_load_si512(POS_DES_PAIRS[3]));
    return picked(low, high, POS_DES_PICK_ROUND);
}

/* Sixteen rounds of `count` messages side by side; the halves come out exchanged. */
__attribute__((always_inline)) static inline void turn_all(few *on, const few_key *keys,
                                                           bool is_backward, size_t count)
{
    __m512i left[POS_DES_FEW_MAX];
    __m512i right[POS_DES_FEW_MAX];
    for (size_t at = 0; at < count; at++) {
        left[at] = on->left[at];
        right[at] = _mm512_xor_si512(on->right[at], is_backward ? keys[at].last : keys[at].first);
    }
    for (size_t round = 0; round < 16; round += 2) {
        const size_t first = is_backward ? 15 - round : round;
        const size_t second = is_backward ? 14 - round : round + 1;
        for (size_t at = 0; at < count; at++) {
            left[at] = xor3(left[at], mixed(right[at]), keys[at].turns[first]);
        }
        for (size_t at = 0; at < count; at++) {
            right[at] = xor3(right[at], mixed(left[at]), keys[at].turns[second]);
        }
    }
    for (size_t at = 0; at < count; at++) {
        on->left[at] = right[at];
        on->right[at] = _mm512_xor_si512(left[at], is_backward ? keys[at].first : keys[at].last);
    }
}

static void turn(few *on, const few_key *keys, bool is_backward, size_t count)
{
    switch (count) {
    case 1: turn_all(on, keys, is_backward, 1); break;
    case 2: turn_all(on, keys, is_backward, 2); break;
    case 3: turn_all(on, keys, is_backward, 3); break;
    default: turn_all(on, keys, is_backward, 4); break;
    }
}

static void step(few *on, pos_des_form form, size_t count)
{
    turn(on, on->one, false, count);
    if (form != POS_DES_DOUBLE) return;
    turn(on, on->other, true, count);
    turn(on, on->one, false, count);
}

static void enter(few *on, size_t at, uint64_t block)
{
    const __m512i word = _mm512_set1_epi64((int64_t)block);
    on->left[at] = _mm512_xor_si512(on->left[at], picked(word, word, POS_DES_PICK_LEFT));
    on->right[at] = _mm512_xor_si512(on->right[at], picked(word, word, POS_DES_PICK_RIGHT));
}

static void begin(few *on, size_t at)
{
    const int64_t bit = 0x4040404040404040;
    on->left[at] = on->right[at] = _mm512_setr_epi64(0, 0, bit, bit, 0, 0, bit, bit);
}

/* The block of a lane with `left` steps to go; what it lacks is zeros. */
static uint64_t block_of(const pos_des_lane *lane, uint32_t left)
{
    const size_t offset = (size_t)(pos_des_steps(lane) - left) * 8;
    const size_t rest = lane->size - offset < 8 ? lane->size - offset : 8;
    if (rest == 8) return pos_load_u64_le(lane->data + offset);
    const __mmask16 mask = (__mmask16)((1U << rest) - 1);
    return (uint64_t)_mm_cvtsi128_si64(_mm_maskz_loadu_epi8(mask, lane->data + offset));
}

static void chain(few *on, pos_des_form form, const pos_des_words *words,
                  const pos_des_lane *lanes, size_t count)
{
    for (size_t at = 0; at < count; at++) begin(on, at);
    for (size_t half = 0; half < 2 && words->texts[0] != NULL; half++) {
        for (size_t at = 0; at < count; at++) enter(on, at, words->texts[half][at]);
        step(on, form, count);
    }
    if (words->texts[0] != NULL) return;
    for (uint32_t left = pos_des_steps(&lanes[0]); left > 0; left--) {
        for (size_t at = 0; at < count; at++) {
            if (pos_des_steps(&lanes[at]) == left) begin(on, at);
            if (pos_des_steps(&lanes[at]) >= left) enter(on, at, block_of(&lanes[at], left));
        }
        step(on, form, count);
    }
}

static uint64_t leave(const few *on, size_t at)
{
    const __m512i block = picked(on->left[at], on->right[at], POS_DES_PICK_LEAVE);
    const __m512i firsts = _mm512_set1_epi64(0x3830282018100800); /* a byte of each word */
    const __m512i bytes = _mm512_permutexvar_epi8(firsts, block);
    return (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(bytes));
}

void pos_des_few_avx512(pos_des_form form, const pos_des_words *words, const pos_des_lane *lanes,
                        size_t count, uint64_t *macs_out)
{
    assert(form < POS_DES_FORM_COUNT);
    assert(count > 0 && count <= POS_DES_FEW_MAX);
    few on;
    for (size_t at = 0; at < count; at++) {
        prepare(words->keys[0][at], &on.one[at]);
        if (form != POS_DES_SINGLE) prepare(words->keys[1][at], &on.other[at]);
    }
    chain(&on, form, words, lanes, count);
    if (form == POS_DES_X9_19) {
        turn(&on, on.other, true, count);
        turn(&on, on.one, false, count);
    }
    for (size_t at = 0; at < count; at++) macs_out[at] = leave(&on, at);
    pos_wipe(on.one, count * sizeof on.one[0]);
    if (form != POS_DES_SINGLE) pos_wipe(on.other, count * sizeof on.other[0]);
    pos_wipe(on.left, count * sizeof on.left[0]);
    pos_wipe(on.right, count * sizeof on.right[0]);
}
#else
typedef int pos_des_few_avx512_is_for_x86;
#endif
