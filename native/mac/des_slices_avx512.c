/*
 * DES by bit slices: 512 messages, each with its own key, a vector a bit. des_slices_pass.h has the
 * pass; here are the gates, any function of three bits in one, and the turning of bits.
 */
#if defined(__x86_64__)
#include <assert.h>
#include <immintrin.h>

#include "mac/des_square_avx512.h"
#include "mac/des_wave.h"

#define SLICES POS_DES_SLICES_AVX512
#define AHEAD 8 /* a message is read by 64 bytes */
#define HALF 28 /* of a key */
#define VECTOR __m512i
#define NONE _mm512_setzero_si512()
#define EVERY _mm512_set1_epi64(-1)
#define AND(a, b) _mm512_and_si512(a, b)
#define XOR(a, b) _mm512_xor_si512(a, b)
#define TERNARY(a, b, c, table) _mm512_ternarylogic_epi64(a, b, c, table)
#include "mac/des_circuit_ternary.h"

/* ---- words <-> planes ------------------------------------------------------------------------------ */
/* The same bytes of each word: below 64 of the first vector, from 64 of the second. */
static inline __m512i bytes_of(__m512i one, __m512i other, int64_t pattern)
{
    const __m512i words = _mm512_setr_epi64(0, 0x0808080808080808, 0x1010101010101010,
                                            0x1818181818181818, 0x2020202020202020,
                                            0x2828282828282828, 0x3030303030303030,
                                            0x3838383838383838);
    const __m512i order = _mm512_add_epi8(words, _mm512_set1_epi64(pattern));
    return _mm512_permutex2var_epi8(one, order, other);
}

/* Byte i of a word of vector k becomes byte k of the same word of vector i. */
__attribute__((always_inline)) static inline void exchange(__m512i rows[8])
{
    __m512i fours[8];
    __m512i pairs[8];
    for (size_t at = 0; at < 4; at++) { /* bytes 0 to 3, bytes 4 to 7 */
        fours[at] = bytes_of(rows[2 * at], rows[2 * at + 1], 0x4342414003020100);
        fours[at + 4] = bytes_of(rows[2 * at], rows[2 * at + 1], 0x4746454407060504);
    }
    for (size_t at = 0; at < 8; at += 4) { /* 0 1, then 2 3, of those */
        pairs[at] = bytes_of(fours[at], fours[at + 1], 0x4544414005040100);
        pairs[at + 1] = bytes_of(fours[at + 2], fours[at + 3], 0x4544414005040100);
        pairs[at + 2] = bytes_of(fours[at], fours[at + 1], 0x4746434207060302);
        pairs[at + 3] = bytes_of(fours[at + 2], fours[at + 3], 0x4746434207060302);
    }
    for (size_t at = 0; at < 8; at += 2) {
        rows[at] = bytes_of(pairs[at], pairs[at + 1], 0x4644424006040200);
        rows[at + 1] = bytes_of(pairs[at], pairs[at + 1], 0x4745434107050301);
    }
}

/* The first half of the way: vectors 8k to 8k + 7 hold byte k of each word. */
__attribute__((always_inline)) static inline void spread(const uint64_t words[SLICES],
                                                         __m512i bytes_out[64])
{
    __m512i rows[8];
    for (size_t eighth = 0; eighth < 8; eighth++) {
        for (size_t at = 0; at < 8; at++) {
            rows[at] = _mm512_loadu_si512(words + 64 * eighth + 8 * at);
        }
        exchange(rows);
        for (size_t byte = 0; byte < 8; byte++) bytes_out[8 * byte + eighth] = rows[byte];
    }
}

/* The second half, for one byte: its eight planes. */
__attribute__((always_inline)) static inline void turn_bits(const __m512i bytes[8],
                                                            __m512i planes_out[8])
{
    const __m512i bits = _mm512_set1_epi64((int64_t)0x8040201008040201U);
    for (size_t at = 0; at < 8; at++) {
        planes_out[at] = _mm512_gf2p8affine_epi64_epi8(bits, bytes[at], 0);
    }
    exchange(planes_out);
}

/* Lane 64m + 8v + q is bit 7 - v of byte m of word q: which, matters to leave() alone. */
static void planes_of(const uint64_t words[SLICES], __m512i planes_out[64])
{
    __m512i rows[8];
    spread(words, planes_out);
    for (size_t byte = 0; byte < 8; byte++) {
        turn_bits(planes_out + 8 * byte, rows);
        for (size_t bit = 0; bit < 8; bit++) planes_out[8 * byte + bit] = rows[bit];
    }
}

/*
 * FIPS 46-3, permuted choice 1: bit n of C is bit 7 - n / 8 (from the lowest) of byte 7 - n % 8, as
 * far as bit 5; D's come from bit 1 upward; the last four of each share bit 4. Twice in a row.
 */
static void schedule(const uint64_t words[SLICES], __m512i c[2 * HALF], __m512i d[2 * HALF],
                     __m512i room[64])
{
    __m512i rows[8];
    spread(words, room);
    for (size_t byte = 0; byte < 8; byte++) {
        turn_bits(room + 8 * byte, rows);
        for (size_t eight = 0; eight < 3; eight++) {
            const size_t at = 8 * eight + 7 - byte;
            c[at] = c[at + HALF] = rows[7 - eight];
            d[at] = d[at + HALF] = rows[1 + eight];
        }
        __m512i *last = byte >= 4 ? c : d;
        last[24 + 3 - byte % 4] = last[24 + 3 - byte % 4 + HALF] = rows[4];
    }
}

/* Where the initial permutation puts bit `bit` (from the lowest) of a block's byte: the even bits
 * into the left half, the odd ones into the right. */
static inline size_t entered(size_t byte, size_t bit)
{
    return 8 * (3 - bit / 2) + 7 - byte;
}

/* Blocks into the halves, and what was there stays where `kept` is: no plane is stored twice. */
static void enter(const uint64_t words[SLICES], __m512i kept, __m512i left[32], __m512i right[32],
                  __m512i room[64])
{
    __m512i rows[8];
    spread(words, room);
    for (size_t byte = 0; byte < 8; byte++) {
        turn_bits(room + 8 * byte, rows);
        for (size_t bit = 0; bit < 8; bit++) {
            __m512i *at = (bit % 2 == 0 ? left : right) + entered(byte, bit);
            *at = TERNARY(*at, kept, rows[bit], 0x6a); /* (at & kept) ^ row */
        }
    }
}

static void leave(const __m512i left[32], const __m512i right[32], __m512i room[64],
                  uint64_t words_out[SLICES])
{
    __m512i rows[8];
    const __m512i bits = _mm512_set1_epi64(0x0102040810204080);
    for (size_t byte = 0; byte < 8; byte++) {
        for (size_t bit = 0; bit < 8; bit++) {
            rows[7 - bit] = (bit % 2 == 0 ? left : right)[entered(byte, bit)];
        }
        exchange(rows);
        for (size_t at = 0; at < 8; at++) {
            room[8 * byte + at] = _mm512_gf2p8affine_epi64_epi8(bits, rows[at], 0);
        }
    }
    for (size_t eighth = 0; eighth < 8; eighth++) {
        for (size_t byte = 0; byte < 8; byte++) rows[byte] = room[8 * byte + eighth];
        exchange(rows);
        for (size_t at = 0; at < 8; at++) {
            _mm512_storeu_si512(words_out + 64 * eighth + 8 * at, rows[at]);
        }
    }
}

/* ---- messages -> words ------------------------------------------------------------------------------ */
/* The bytes of a lane's next eight steps that there are: not before it begins, not after its end. */
static inline __mmask64 there(uint32_t steps, uint8_t lacks, uint32_t left)
{
    const uint64_t from = left > steps ? 8 * ((uint64_t)left - steps) : 0;
    const uint64_t to = 8 * (uint64_t)left - lacks;
    const uint64_t low = _bzhi_u64(UINT64_MAX, (unsigned)(from < 64 ? from : 64));
    return steps == 0 ? 0 : _bzhi_u64(UINT64_MAX, (unsigned)(to < 64 ? to : 64)) & ~low;
}

/* Of four words each of eight messages, `back` before their ends: word i of all in rows[i]. Read by
 * half vectors, of which fewer reach over the end of a cache line; and the first turn is saved. */
__attribute__((always_inline)) static inline void squared_halves(const uint8_t *const *ends,
                                                                size_t back, __m512i rows[4])
{
    __m512i pairs[4];
    for (size_t at = 0; at < 4; at++) { /* messages 0 2, 1 3, 4 6, 5 7 */
        const size_t first = at / 2 * 4 + at % 2;
        const __m256i *one = (const __m256i *)(const void *)(ends[first] - back);
        const __m256i *other = (const __m256i *)(const void *)(ends[first + 2] - back);
        pairs[at] = _mm512_mask_broadcast_i64x4(_mm512_castsi256_si512(_mm256_loadu_si256(one)),
                                                0xf0, _mm256_loadu_si256(other));
    }
    const __m512i even[2] = {_mm512_unpacklo_epi64(pairs[0], pairs[1]),
                             _mm512_unpacklo_epi64(pairs[2], pairs[3])};
    const __m512i odd[2] = {_mm512_unpackhi_epi64(pairs[0], pairs[1]),
                            _mm512_unpackhi_epi64(pairs[2], pairs[3])};
    rows[0] = _mm512_shuffle_i64x2(even[0], even[1], 0x88);
    rows[1] = _mm512_shuffle_i64x2(odd[0], odd[1], 0x88);
    rows[2] = _mm512_shuffle_i64x2(even[0], even[1], 0xdd);
    rows[3] = _mm512_shuffle_i64x2(odd[0], odd[1], 0xdd);
}

/* The blocks of eight steps, of which the first has `left` to go; zeros where there are none. */
static void stage(const uint8_t *const ends[SLICES], const uint32_t steps[SLICES],
                  const uint8_t lacks[SLICES], uint32_t left, uint64_t words[AHEAD][SLICES])
{
    const size_t back = (size_t)left * 8;
    const bool is_whole = left > AHEAD && steps[SLICES - 1] >= left; /* the shortest lane's are */
    for (size_t lane = 0; lane < SLICES; lane += 8) {
        __m512i rows[8];
        if (is_whole) {
            squared_halves(ends + lane, back, rows);
            squared_halves(ends + lane, back - 32, rows + 4);
            for (size_t at = 0; at < 8; at++) _mm512_storeu_si512(&words[at][lane], rows[at]);
            continue;
        }
        for (size_t at = 0; at < 8; at++) {
            const __mmask64 mask = there(steps[lane + at], lacks[lane + at], left);
            rows[at] = _mm512_maskz_loadu_epi8(mask, ends[lane + at] - back);
        }
        word_square(rows);
        for (size_t at = 0; at < 8; at++) _mm512_storeu_si512(&words[at][lane], rows[at]);
    }
}

#include "mac/des_slices_pass.h"

void pos_des_slices_avx512(pos_des_form form, const pos_des_words *words,
                           const pos_des_lane *lanes, size_t count, uint64_t *macs_out)
{
    assert(form < POS_DES_FORM_COUNT);
    assert(count > 0 && count <= SLICES);
    pass(form, words, lanes, count, macs_out);
}
#else
typedef int pos_des_slices_avx512_is_for_x86;
#endif
