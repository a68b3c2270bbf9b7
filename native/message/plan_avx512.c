/*
 * Plans by vectors of 64 bytes.
 *
 *   content   byte & nibbles: digits above 9?     class of byte & allowed: none left?     64 at once
 *   places    base + sums[index]: one shuffle of two vectors and one addition for 32 numbers, which
 *             are ten fields and two thirds; a message of fields up to 64 is seven stores
 *   numbers   one shuffle gathers eight fields, last byte lowest; digits become pairs, fours, eights
 *             and sixteen digits by one step each, four fields at once
 *
 * Rules. Loads and stores under a mask touch no byte outside of it, so nothing is read past a body,
 * nor does a body need room behind it.
 */
#include "message/plan.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* The classes of the first 128 bytes; those above are HIGH, but FF. */
typedef struct class_tables {
    __m512i low;
    __m512i high;
} class_tables;

static inline class_tables classes_load(void)
{
    return (class_tables){
        .low = _mm512_loadu_si512(pos_character_classes),
        .high = _mm512_loadu_si512(pos_character_classes + 64),
    };
}

static inline __mmask64 bytes_mask(uint32_t count)
{
    return count >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << count) - 1;
}

/* ---- content ------------------------------------------------------------------------------------------- */
static inline bool is_zero(__m512i bytes)
{
    return _mm512_test_epi64_mask(bytes, bytes) == 0;
}

/* Not zero where a nibble is above 9. */
static inline __m512i pairs_bad(__m512i bytes)
{
    const __m512i low = _mm512_and_si512(bytes, _mm512_set1_epi8(0x0f));
    return _mm512_or_si512(_mm512_subs_epu8(low, _mm512_set1_epi8(9)),
                           _mm512_subs_epu8(bytes, _mm512_set1_epi8((char)0x99)));
}

/* Bytes of none of the classes allowed for them. */
static inline __mmask64 text_bad(__m512i bytes, __m512i allowed, const class_tables *tables)
{
    const __mmask64 is_high = _mm512_movepi8_mask(bytes);
    const __mmask64 is_last = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(-1));
    __m512i classes = _mm512_permutex2var_epi8(tables->low, bytes, tables->high);
    classes = _mm512_mask_mov_epi8(classes, is_high, _mm512_set1_epi8((char)POS_IS_HIGH));
    return _mm512_testn_epi8_mask(classes, allowed) | is_last;
}

static inline bool chunk_holds(const plan_chunk *chunk, const plan_bounds *bounds, const uint8_t *at,
                               const uint8_t *end)
{
    (void)bounds;
    assert(chunk->size <= end - at);
    const __m512i bytes = _mm512_maskz_loadu_epi8(chunk->here, at);
    const __m512i digits = _mm512_and_si512(bytes, _mm512_load_si512(chunk->nibbles));
    const __mmask64 bad = _mm512_test_epi8_mask(pairs_bad(digits), pairs_bad(digits));
    if (chunk->text == 0) return bad == 0;
    const class_tables tables = classes_load();
    const __m512i allowed = _mm512_load_si512(chunk->allowed);
    return (bad | (text_bad(bytes, allowed, &tables) & chunk->text)) == 0;
}

/* Digits two a byte; an odd count has a filler nibble, in its first byte or in its last. */
static inline bool pairs_hold(const plan_step *step, const uint8_t *at, uint32_t units, uint32_t size,
                              const uint8_t *end)
{
    assert(size <= end - at);
    __m512i bad = _mm512_setzero_si512();
    const uint8_t filler = step->is_right ? 0x0f : 0xf0;
    for (uint32_t done = 0; done < size; done += 64) {
        const uint32_t left = size - done;
        const bool is_first = step->is_right && done == 0;
        const bool is_last = !step->is_right && left <= 64;
        const __mmask64 edge = is_first ? 1 : is_last ? (__mmask64)1 << (left - 1) : 0;
        const __mmask64 odd = units % 2 == 1 ? edge : 0;
        const __m512i bytes = _mm512_maskz_loadu_epi8(bytes_mask(left), at + done);
        const __m512i filled = _mm512_and_si512(bytes, _mm512_set1_epi8((char)filler));
        bad = _mm512_or_si512(bad, pairs_bad(_mm512_mask_mov_epi8(bytes, odd, filled)));
    }
    return is_zero(bad);
}

static inline bool text_holds(const plan_step *step, const uint8_t *at, uint32_t size,
                              const uint8_t *end)
{
    assert(size <= end - at);
    const class_tables tables = classes_load();
    const __m512i allowed = _mm512_set1_epi8((char)step->allowed);
    __mmask64 bad = 0;
    for (uint32_t done = 0; done < size; done += 64) {
        const __mmask64 here = bytes_mask(size - done);
        const __m512i bytes = _mm512_maskz_loadu_epi8(here, at + done);
        bad |= text_bad(bytes, allowed, &tables) & here;
    }
    return bad == 0;
}

static inline bool cast_holds(const plan_cast *cast, const uint8_t *body, uint32_t size)
{
    const class_tables tables = classes_load();
    const plan_block *block = cast->blocks;
    for (uint32_t at = 0; at < size; at += 64, block++) {
        const __m512i bytes = _mm512_maskz_loadu_epi8(bytes_mask(size - at), body + at);
        const __m512i kept = _mm512_load_si512(block->kept);
        const __m512i seen = _mm512_load_si512(block->seen);
        const __m512i other = _mm512_ternarylogic_epi64(bytes, kept, seen, 0x6a); /* b & k ^ s */
        const __m512i digits = _mm512_and_si512(bytes, _mm512_load_si512(block->nibbles));
        if (!is_zero(_mm512_or_si512(other, pairs_bad(digits)))) return false;
        const __mmask64 text = cast->texts[at / 64];
        if (text == 0) continue;
        const __m512i allowed = _mm512_load_si512(block->allowed);
        if ((text_bad(bytes, allowed, &tables) & text) != 0) return false;
    }
    return true;
}

/* ---- a message ------------------------------------------------------------------------------------------- */
static inline __m512i line_sum(const plan_line *line, const plan_sums *sums)
{
    const __m512i index = _mm512_load_si512(line->index);
    const __m512i first = _mm512_load_si512(sums->steps);
    const __m512i second = _mm512_load_si512(sums->steps + 8);
    const __m512i sum = _mm512_permutex2var_epi16(first, index, second);
    return _mm512_add_epi16(sum, _mm512_load_si512(line->base));
}

static inline void message_write(const pos_plan *plan, const plan_sums *sums, const uint8_t *body,
                                 uint32_t size, pos_message *message)
{
    uint8_t *at = (uint8_t *)message;
    for (uint32_t index = 0; index < plan->line_count; index++) {
        const __m512i numbers = line_sum(&plan->lines[index], sums);
        _mm512_mask_storeu_epi16(at + 64 * plan->line_at[index], plan->line_here[index], numbers);
    }
    message->body = body;
    message->body_size = size;
    message->mti = plan->mti;
    message->bitmap[0] = plan->bitmap[0];
    message->bitmap[1] = plan->bitmap[1];
}

/* Sixteen digits a word, two a byte, the last in the lowest byte. */
static inline __m256i numbers_of(__m256i words)
{
    const __m256i tens = _mm256_and_si256(_mm256_srli_epi64(words, 4), _mm256_set1_epi8(0x0f));
    const __m256i twice = _mm256_add_epi8(tens, tens);
    const __m256i six = _mm256_add_epi8(twice, _mm256_add_epi8(twice, twice));
    const __m256i pairs = _mm256_sub_epi8(words, six);
    const __m256i fours = _mm256_maddubs_epi16(pairs, _mm256_set1_epi16(0x6401)); /* 1, 100 */
    const __m256i eights = _mm256_madd_epi16(fours, _mm256_set1_epi32(0x27100001)); /* 1, 10000 */
    const __m256i high = _mm256_mul_epu32(_mm256_srli_epi64(eights, 32),
                                          _mm256_set1_epi64x(100000000));
    const __m256i low = _mm256_and_si256(eights, _mm256_set1_epi64x(0xffffffff));
    return _mm256_add_epi64(high, low);
}

/* Four words of the gather, from `lane` on, as numbers. */
static inline __m256i four_numbers(const plan_gather *gather, __m256i words, unsigned lane)
{
    const __m256i shift = _mm256_load_si256((const __m256i *)(const void *)(gather->shift + lane));
    const __m256i digits = _mm256_load_si256((const __m256i *)(const void *)(gather->digits + lane));
    return numbers_of(_mm256_and_si256(_mm256_srlv_epi64(words, shift), digits));
}

static inline __m512i words_gather(const plan_gather *gather, const plan_sums *sums,
                                   const uint8_t *body)
{
    const __m512i window = _mm512_maskz_loadu_epi8(
        gather->here, body + gather->base + sums->taken[gather->after]);
    return _mm512_maskz_permutexvar_epi8(gather->lanes, _mm512_load_si512(gather->from), window);
}

static inline void numbers_write(const pos_plan *plan, const plan_sums *sums, const uint8_t *body,
                                 pos_numbers *numbers)
{
    const __m512i words = words_gather(&plan->gather, sums, body);
    const __m256i first = four_numbers(&plan->gather, _mm512_castsi512_si256(words), 0);
    const __m256i second = four_numbers(&plan->gather, _mm512_extracti64x4_epi64(words, 1), 4);
    _mm256_storeu_si256((__m256i *)(void *)numbers, first);
    _mm256_storeu_si256((__m256i *)(void *)numbers + 1, second);
    if (plan->number_slow != 0) {
        pos_plan_numbers_slow(plan, plan->number_slow, body, sums->taken, numbers);
    }
}

static inline void three_numbers_write(const pos_plan *plan, const plan_sums *sums, const uint8_t *body,
                                       pos_numbers *numbers)
{
    const __m512i words = words_gather(&plan->gather, sums, body);
    const __m256i first = four_numbers(&plan->gather, _mm512_castsi512_si256(words), 0);
    _mm256_storeu_si256((__m256i *)(void *)numbers, first);
    const uint8_t slow = plan->number_slow & PLAN_THREE;
    if (slow != 0) pos_plan_numbers_slow(plan, slow, body, sums->taken, numbers);
}

static inline void row_put(const plan_line *lines, const plan_sums *sums, size_t width, uint16_t *row)
{
    size_t at = 0;
    for (; at + 32 <= width; at += 32) _mm512_storeu_si512(row + at, line_sum(lines++, sums));
    const __mmask32 left = ((__mmask32)1 << (width - at)) - 1;
    _mm512_mask_storeu_epi16(row + at, left, line_sum(lines, sums));
}

static inline void places_write(const pos_plan *plan, const plan_sums *sums, size_t width,
                                uint16_t *offsets, uint16_t *sizes)
{
    if (offsets != NULL) row_put(plan->offsets, sums, width, offsets);
    if (sizes != NULL) row_put(plan->sizes, sums, width, sizes);
}

#include "message/plan_loop.h"

void pos_plan_wave_avx512(pos_plan_cache *cache, pos_parse_job *jobs, size_t count)
{
    wave_run(cache, jobs, count);
}

void pos_plan_rows_avx512(pos_plan_cache *cache, plan_rows *rows)
{
    rows_run(cache, rows);
}
#endif
