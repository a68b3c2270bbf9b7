/*
 * DES by byte lanes: up to 64 messages, each with its own key, a vector for each S-box.
 *
 *   vector j of a half, a byte a message      six bits: the input of S-box j
 *   S-box        one VPERMB, whose 64 bytes are the S-box; as 32 lanes VPERMI2B over two halves
 *   P and E      selections alone: des_tables.py has coloured the wires
 *   subkeys      GF2P8AFFINEQB out of the key's eight bits planes, on the fly
 *   IP, FP       a block is 8 x 8 bits, and GF2P8AFFINEQB turns such a square
 *
 * Nothing is looked up in memory by a secret: the S-boxes lie in registers, and every load is at an
 * address that sizes and counts alone decide.
 */
#if defined(__x86_64__)
#include <assert.h>
#include <immintrin.h>

#include "mac/des_square_avx512.h"
#include "mac/des_tables.h"
#include "mac/des_wave.h"

/* By GF2P8AFFINEQB over these bytes, a block's bits become the planes of its two halves, and a
 * key's bits its eight planes; the third turns planes into a block. */
#define BLOCK_BITS INT64_C(0x0208208001041040)
#define KEY_BITS INT64_C(0x0102040810204080)

/* ---- 64 words of 8 bytes <-> 8 planes of 64 bytes -------------------------------------------------- */
/* Byte i of word k becomes byte k of word i, in a vector. */
static __m512i byte_square(__m512i words)
{
    static const uint8_t ORDER[64] __attribute__((aligned(64))) = {
        0, 8,  16, 24, 32, 40, 48, 56, 1, 9,  17, 25, 33, 41, 49, 57, 2, 10, 18, 26, 34, 42,
        50, 58, 3, 11, 19, 27, 35, 43, 51, 59, 4, 12, 20, 28, 36, 44, 52, 60, 5, 13, 21, 29,
        37, 45, 53, 61, 6, 14, 22, 30, 38, 46, 54, 62, 7, 15, 23, 31, 39, 47, 55, 63,
    };
    return _mm512_permutexvar_epi8(_mm512_load_si512(ORDER), words);
}

static void planes_of(const uint64_t words[64], int64_t bits, __m512i planes_out[8])
{
    for (size_t row = 0; row < 8; row++) {
        const __m512i eight = _mm512_loadu_si512(words + 8 * row);
        const __m512i turned = _mm512_gf2p8affine_epi64_epi8(_mm512_set1_epi64(bits), eight, 0);
        planes_out[row] = byte_square(turned);
    }
    word_square(planes_out);
}

static void blocks_of(__m512i planes[8], uint64_t words_out[64])
{
    word_square(planes);
    for (size_t row = 0; row < 8; row++) {
        const __m512i turned = _mm512_gf2p8affine_epi64_epi8(_mm512_set1_epi64(KEY_BITS),
                                                             byte_square(planes[row]), 0);
        _mm512_storeu_si512(words_out + 8 * row, turned);
    }
}

/* ---- what goes in, and out ------------------------------------------------------------------------- */
static void stage_words(const uint64_t *from, size_t count, uint64_t words[64])
{
    pos_copy(words, from, count * sizeof words[0]);
    pos_zero(words + count, (64 - count) * sizeof words[0]);
}

/*
 * The next block of every chain that has begun, with `left` steps to go; returns how many have. The
 * words of the others are left, as zeros. A part of a block is met in the last step alone, and filled up with zeros.
 */
static size_t stage_blocks(const pos_des_lane *lanes, size_t count, size_t begun, uint32_t left,
                           const uint8_t *next[64], uint64_t words[64])
{
    while (begun < count && pos_des_steps(&lanes[begun]) >= left) begun++;
    if (left > 1) {
        for (size_t lane = 0; lane < begun; lane++) {
            words[lane] = pos_load_u64_le(next[lane]);
            next[lane] += 8;
        }
        return begun;
    }
    assert(begun == count);
    for (size_t lane = 0; lane < begun; lane++) {
        const size_t rest = lanes[lane].size - (size_t)(next[lane] - lanes[lane].data);
        const __mmask16 mask = (__mmask16)((1U << rest) - 1);
        words[lane] = (uint64_t)_mm_cvtsi128_si64(_mm_maskz_loadu_epi8(mask, next[lane]));
    }
    return begun;
}

/* ---- passes ------------------------------------------------------------------------------------------ */
#define VECTOR __m512i
#define LANES 64
#define NAMED(name) name##_64
#define NARROWED(wide) (wide)
#define WIDENED(own) (own)
#define SPREAD(byte) _mm512_set1_epi8(byte)
#define KEPT(count) _mm512_movm_epi8(_bzhi_u64(UINT64_MAX, (unsigned)(count)))
#define AND(a, b) _mm512_and_si512(a, b)
#define XOR(a, b) _mm512_xor_si512(a, b)
#define XOR3(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0x96)
/* The mask comes last: so the first operand, which the instruction overwrites, is one that is done. */
#define CHOSEN(one, other, mask) _mm512_ternarylogic_epi64(one, other, mask, 0xe4)
#define AFFINE(bytes, matrix)                                                                     \
    _mm512_gf2p8affine_epi64_epi8(bytes, _mm512_set1_epi64((int64_t)(matrix)), 0)
#define BOX(box, inputs)                                                                          \
    _mm512_permutexvar_epi8(inputs, _mm512_load_si512(POS_DES_BOXES[box]))
#include "mac/des_lanes_pass.h"

/* At half the width a pass takes half the time: the registers' halves are free for the next round. */
#define VECTOR __m256i
#define LANES 32
#define NAMED(name) name##_32
#define NARROWED(wide) _mm512_castsi512_si256(wide)
#define WIDENED(own) _mm512_zextsi256_si512(own)
#define SPREAD(byte) _mm256_set1_epi8(byte)
#define KEPT(count) _mm256_movm_epi8(_bzhi_u32(UINT32_MAX, (unsigned)(count)))
#define AND(a, b) _mm256_and_si256(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)
#define XOR3(a, b, c) _mm256_ternarylogic_epi64(a, b, c, 0x96)
#define CHOSEN(one, other, mask) _mm256_ternarylogic_epi64(one, other, mask, 0xe4)
#define AFFINE(bytes, matrix)                                                                     \
    _mm256_gf2p8affine_epi64_epi8(bytes, _mm256_set1_epi64x((int64_t)(matrix)), 0)
#define BOX(box, inputs)                                                                          \
    _mm256_permutex2var_epi8(_mm256_load_si256((const void *)POS_DES_BOXES[box]), inputs,         \
                             _mm256_load_si256((const void *)(POS_DES_BOXES[box] + 32)))
#include "mac/des_lanes_pass.h"

void pos_des_lanes_avx512(pos_des_form form, const pos_des_words *words,
                          const pos_des_lane *lanes, size_t count, uint64_t *macs_out)
{
    assert(form < POS_DES_FORM_COUNT);
    assert(count > 0 && count <= POS_DES_LANES_MAX);
    if (count <= 32) {
        pass_32(form, words, lanes, count, macs_out);
    } else {
        pass_64(form, words, lanes, count, macs_out);
    }
}

/* ---- keys, and the fold of UnionPay ECB -------------------------------------------------------------- */
static inline __m128i key_of(const pos_mac_job *jobs, const uint16_t *order, size_t at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)jobs[order[at]].key->bytes);
}

/* Keys of jobs 0, 2, 4 and 6 of the order; where there are fewer, the others are zeros. */
static inline __m512i every_second(const pos_mac_job *jobs, const uint16_t *order, size_t count)
{
    const __m128i none = _mm_setzero_si128();
    __m512i keys = _mm512_zextsi128_si512(count > 0 ? key_of(jobs, order, 0) : none);
    keys = _mm512_mask_broadcast_i32x4(keys, 0x00f0, count > 2 ? key_of(jobs, order, 2) : none);
    keys = _mm512_mask_broadcast_i32x4(keys, 0x0f00, count > 4 ? key_of(jobs, order, 4) : none);
    return _mm512_mask_broadcast_i32x4(keys, 0xf000, count > 6 ? key_of(jobs, order, 6) : none);
}

void pos_des_keys_avx512(const pos_mac_job *jobs, const uint16_t *order, size_t count,
                         uint64_t *first_out, uint64_t *second_out)
{
    for (size_t first = 0; first < count; first += 8) {
        const size_t left = count - first;
        const __m512i even = every_second(jobs, order + first, left);
        const __m512i odd = every_second(jobs, order + first + 1, left - 1);
        _mm512_storeu_si512(first_out + first, _mm512_unpacklo_epi64(even, odd));
        _mm512_storeu_si512(second_out + first, _mm512_unpackhi_epi64(even, odd));
    }
}

/* XOR of a message's blocks, still in eight parts. */
static __m512i folded(const pos_mac_job *job)
{
    __m512i sum = _mm512_setzero_si512();
    const size_t size = job->covered_size;
    size_t done = 0;
    for (; done + 64 <= size; done += 64) {
        sum = _mm512_xor_si512(sum, _mm512_loadu_si512(job->covered + done));
    }
    if (done == size) return sum;
    const __mmask64 mask = _bzhi_u64(UINT64_MAX, (unsigned)(size - done));
    return _mm512_xor_si512(sum, _mm512_maskz_loadu_epi8(mask, job->covered + done));
}

/* The same of eight messages side by side: so one does not wait for the other's memory. False where
 * they have not as many whole vectors, which is rare. */
__attribute__((always_inline)) static inline bool folded_together(const pos_mac_job *jobs,
                                                                  const uint16_t *order,
                                                                  __m512i sums_out[8])
{
    const uint8_t *from[8];
    __mmask64 masks[8];
    const size_t whole = jobs[order[0]].covered_size / 64 * 64;
    for (size_t at = 0; at < 8; at++) {
        const pos_mac_job *job = &jobs[order[at]];
        if (job->covered_size - whole >= 64) return false; /* too few is far too many */
        from[at] = job->covered;
        masks[at] = _bzhi_u64(UINT64_MAX, (unsigned)(job->covered_size - whole));
        sums_out[at] = _mm512_setzero_si512();
    }
    for (size_t done = 0; done < whole; done += 64) {
        for (size_t at = 0; at < 8; at++) {
            const __m512i here = _mm512_loadu_si512(from[at] + done);
            sums_out[at] = _mm512_xor_si512(sums_out[at], here);
        }
    }
    for (size_t at = 0; at < 8; at++) {
        if (masks[at] == 0) continue;
        const __m512i rest = _mm512_maskz_loadu_epi8(masks[at], from[at] + whole);
        sums_out[at] = _mm512_xor_si512(sums_out[at], rest);
    }
    return true;
}

static __m512i added_words(__m512i one, __m512i other)
{
    return _mm512_xor_si512(_mm512_unpacklo_epi64(one, other), _mm512_unpackhi_epi64(one, other));
}

static __m512i added_pairs(__m512i one, __m512i other)
{
    return _mm512_xor_si512(_mm512_shuffle_i64x2(one, other, 0x88),
                            _mm512_shuffle_i64x2(one, other, 0xdd));
}

/* Eight blocks as upper-case hex: the first eight characters of each, and the others. */
static void give_hex(__m512i blocks, uint64_t first_out[8], uint64_t second_out[8])
{
    const __m512i digits = _mm512_broadcast_i32x4(_mm_setr_epi8(
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'));
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(blocks, 4), nibble);
    const __m512i low = _mm512_and_si512(blocks, nibble);
    const __m512i even = _mm512_shuffle_epi8(digits, _mm512_unpacklo_epi8(high, low));
    const __m512i odd = _mm512_shuffle_epi8(digits, _mm512_unpackhi_epi8(high, low));
    _mm512_storeu_si512(first_out, _mm512_unpacklo_epi64(even, odd));
    _mm512_storeu_si512(second_out, _mm512_unpackhi_epi64(even, odd));
}

void pos_des_folds_avx512(const pos_mac_job *jobs, const uint16_t *order, size_t count,
                          uint64_t *first_out, uint64_t *second_out)
{
    for (size_t first = 0; first < count; first += 8) {
        __m512i sums[8];
        const bool are_done = count - first >= 8 && folded_together(jobs, order + first, sums);
        for (size_t at = 0; at < 8 && !are_done; at++) {
            sums[at] = _mm512_setzero_si512();
            if (first + at < count) sums[at] = folded(&jobs[order[first + at]]);
        }
        for (size_t at = 0; at < 4; at++) {
            sums[at] = added_words(sums[2 * at], sums[2 * at + 1]);
        }
        const __m512i blocks = added_pairs(added_pairs(sums[0], sums[1]),
                                           added_pairs(sums[2], sums[3]));
        give_hex(blocks, first_out + first, second_out + first);
    }
}
#else
typedef int pos_des_lanes_avx512_is_for_x86;
#endif
