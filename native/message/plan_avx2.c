/*
 * Plans by vectors of 32 bytes: content and casts; places and numbers as in C11 (plan_words.h).
 *
 *   digits       what is above 9 in a low nibble, or above 99 in a byte, is left by a subtraction
 *   characters   between two bounds, where those of its class mostly are; or else the class of a byte:
 *                one look-up for each of the six rows of sixteen that have any
 *
 * Rules. There are no masked loads here: what would pass the end of the body is copied first. Bytes
 * behind a value, that are there, are loaded and not judged.
 */
#include "message/plan.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Thirty-two bytes from `at`, `count` of them wanted. */
static inline __m256i bytes_load(const uint8_t *at, uint32_t count, const uint8_t *end)
{
    if (end - at >= 32) return _mm256_loadu_si256((const __m256i *)(const void *)at);
    uint8_t copy[32] = {0};
    pos_copy(copy, at, count < 32 ? count : 32);
    return _mm256_loadu_si256((const __m256i *)(const void *)copy);
}

static inline __m256i own_load(const uint8_t *at)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

/* FF in the first `count` bytes. */
static inline __m256i first_bytes(uint32_t count)
{
    static const uint8_t EDGE[64] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    };
    return own_load(EDGE + 32 - (count < 32 ? count : 32));
}

/* Not zero where a nibble is above 9. */
static inline __m256i pairs_bad(__m256i bytes)
{
    const __m256i low = _mm256_and_si256(bytes, _mm256_set1_epi8(0x0f));
    return _mm256_or_si256(_mm256_subs_epu8(low, _mm256_set1_epi8(9)),
                           _mm256_subs_epu8(bytes, _mm256_set1_epi8((char)0x99)));
}

/* FF where a byte is of none of the classes allowed for it; 0 where none is asked for. */
static inline __m256i text_bad(__m256i bytes, __m256i allowed)
{
    const __m256i zero = _mm256_setzero_si256();
    const __m256i low = _mm256_and_si256(bytes, _mm256_set1_epi8(0x0f));
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0f));
    const __m256i is_high = _mm256_cmpgt_epi8(zero, bytes);
    const __m256i is_last = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(-1));
    __m256i classes = _mm256_andnot_si256(
        is_last, _mm256_and_si256(is_high, _mm256_set1_epi8((char)POS_IS_HIGH)));
    for (int row = 2; row < 8; row++) { /* rows 0 and 1 are control characters, of no class */
        const __m128i half =
            _mm_loadu_si128((const __m128i *)(const void *)(pos_character_classes + 16 * row));
        const __m256i found = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(half), low);
        const __m256i is_row = _mm256_cmpeq_epi8(high, _mm256_set1_epi8((char)row));
        classes = _mm256_or_si256(classes, _mm256_and_si256(found, is_row));
    }
    const __m256i none = _mm256_cmpeq_epi8(_mm256_and_si256(classes, allowed), zero);
    return _mm256_andnot_si256(_mm256_cmpeq_epi8(allowed, zero), none);
}

static inline bool is_zero(__m256i bytes)
{
    return _mm256_testz_si256(bytes, bytes) != 0;
}

/* FF where a byte is between its bounds. */
static inline __m256i is_between(__m256i bytes, __m256i low, __m256i high)
{
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_max_epu8(bytes, low), bytes),
                            _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, high), bytes));
}

static inline bool are_all(__m256i bytes)
{
    return _mm256_movemask_epi8(bytes) == -1;
}

static inline bool chunk_holds(const plan_chunk *chunk, const plan_bounds *bounds, const uint8_t *at,
                               const uint8_t *end)
{
    __m256i bad = _mm256_setzero_si256();
    for (uint32_t done = 0; done < chunk->size; done += 32) {
        const __m256i bytes = bytes_load(at + done, chunk->size - done, end);
        bad = _mm256_or_si256(
            bad, pairs_bad(_mm256_and_si256(bytes, own_load(chunk->nibbles + done))));
        if (chunk->text == 0) continue;
        const __m256i low = own_load(bounds->low + done);
        if (are_all(is_between(bytes, low, own_load(bounds->high + done)))) continue;
        bad = _mm256_or_si256(bad, text_bad(bytes, own_load(chunk->allowed + done)));
    }
    return is_zero(bad);
}

/* Digits two a byte; an odd count has a filler nibble, in its first byte or in its last. */
static inline bool pairs_hold(const plan_step *step, const uint8_t *at, uint32_t units, uint32_t size,
                              const uint8_t *end)
{
    __m256i bad = _mm256_setzero_si256();
    const uint32_t odd = units % 2;
    const uint32_t first = odd == 1 && step->is_right ? 1 : 0;
    const uint32_t whole = size - odd; /* bytes of two digits, from `first` on */
    bool holds = true;
    if (odd == 1) holds = step->is_right ? (at[0] & 0x0f) <= 9 : at[size - 1] >> 4 <= 9;
    for (uint32_t done = 0; done < whole; done += 32) {
        const __m256i bytes = bytes_load(at + first + done, whole - done, end);
        bad = _mm256_or_si256(bad,
                              pairs_bad(_mm256_and_si256(bytes, first_bytes(whole - done))));
    }
    return holds && is_zero(bad);
}

static inline bool text_holds(const plan_step *step, const uint8_t *at, uint32_t size,
                              const uint8_t *end)
{
    __m256i bad = _mm256_setzero_si256();
    const __m256i allowed = _mm256_set1_epi8((char)step->allowed);
    const __m256i low = _mm256_set1_epi8((char)step->low);
    const __m256i high = _mm256_set1_epi8((char)step->high);
    for (uint32_t done = 0; done < size; done += 32) {
        const __m256i bytes = bytes_load(at + done, size - done, end);
        const __m256i here = first_bytes(size - done);
        const __m256i is_other = _mm256_andnot_si256(is_between(bytes, low, high), here);
        if (is_zero(is_other)) continue;
        bad = _mm256_or_si256(bad, text_bad(bytes, _mm256_and_si256(allowed, here)));
    }
    return is_zero(bad);
}

static inline bool cast_holds(const plan_cast *cast, const uint8_t *body, uint32_t size)
{
    for (uint32_t at = 0; at < size; at += 32) {
        const plan_block *block = &cast->blocks[at / 64];
        const uint32_t in = at % 64;
        const __m256i bytes = bytes_load(body + at, size - at, body + size);
        const __m256i kept = _mm256_and_si256(bytes, own_load(block->kept + in));
        const __m256i digits = _mm256_and_si256(bytes, own_load(block->nibbles + in));
        const __m256i other = _mm256_xor_si256(kept, own_load(block->seen + in));
        if (!is_zero(_mm256_or_si256(other, pairs_bad(digits)))) return false;
        if ((uint32_t)(cast->texts[at / 64] >> in) == 0) continue;
        if (!is_zero(text_bad(bytes, own_load(block->allowed + in)))) return false;
    }
    return true;
}

#include "message/plan_words.h"

#include "message/plan_loop.h"

void pos_plan_wave_avx2(pos_plan_cache *cache, pos_parse_job *jobs, size_t count)
{
    wave_run(cache, jobs, count);
}

void pos_plan_rows_avx2(pos_plan_cache *cache, plan_rows *rows)
{
    rows_run(cache, rows);
}
#endif
