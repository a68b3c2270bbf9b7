/*
 * Plans by vectors of 64 bytes.
 *
 *   content   byte & nibbles: digits above 9?     class of byte & allowed: none left?     64 at once
 *   places    base + sums[index]: one shuffle of two vectors and one addition for 32 numbers, which
 *             are ten fields and two thirds; a message of fields up to 64 is seven stores
 *   numbers   one shuffle gathers eight fields, last byte lowest; digits become pairs, fours, eights
 *             and sixteen digits by one step each, all eight at once
 *
 * Rules. Loads and stores under a mask touch no byte outside of it, so nothing is read past a body,
 * nor does a body need room behind it.
 */
#include "message/plan.h"

#if defined(__x86_64__)
#include <immintrin.h>

typedef struct plan_sums {
    uint32_t taken[POS_PLAN_STEP_MAX + 1];
    __m512i words[2]; /* as PLAN_TAKEN, ... say */
} plan_sums;

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
/* Bytes that hold a nibble above 9. */
static inline __mmask64 pairs_bad(__m512i bytes)
{
    const __m512i low = _mm512_and_si512(bytes, _mm512_set1_epi8(0x0f));
    return _mm512_cmpgt_epu8_mask(low, _mm512_set1_epi8(9))
           | _mm512_cmpgt_epu8_mask(bytes, _mm512_set1_epi8((char)0x99));
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

static inline __mmask64 chunk_bad(const plan_chunk *chunk, const uint8_t *at,
                                  const class_tables *tables)
{
    const __m512i bytes = _mm512_maskz_loadu_epi8(chunk->here, at);
    const __m512i digits = _mm512_and_si512(bytes, _mm512_load_si512(chunk->nibbles));
    if (chunk->text == 0) return pairs_bad(digits);
    const __m512i allowed = _mm512_load_si512(chunk->allowed);
    return pairs_bad(digits) | (text_bad(bytes, allowed, tables) & chunk->text);
}

static inline __mmask64 value_bad(const plan_step *step, const uint8_t *at, uint32_t units,
                                  uint32_t size, const class_tables *tables)
{
    __mmask64 bad = 0;
    const __m512i allowed = _mm512_set1_epi8((char)step->allowed);
    const uint8_t filler = step->is_right ? 0x0f : 0xf0;
    for (uint32_t done = 0; done < size; done += 64) {
        const uint32_t left = size - done;
        const __mmask64 here = bytes_mask(left);
        __m512i bytes = _mm512_maskz_loadu_epi8(here, at + done);
        if (step->judge == PLAN_TEXT) {
            bad |= text_bad(bytes, allowed, tables) & here;
            continue;
        }
        /* An odd count has a filler nibble in its first byte or in its last. */
        const bool is_first = step->is_right && done == 0;
        const bool is_last = !step->is_right && left <= 64;
        const __mmask64 edge = is_first ? 1 : is_last ? (__mmask64)1 << (left - 1) : 0;
        const __mmask64 odd = units % 2 == 1 ? edge : 0;
        const __m512i filled = _mm512_and_si512(bytes, _mm512_set1_epi8((char)filler));
        bytes = _mm512_mask_mov_epi8(bytes, odd, filled);
        bad |= pairs_bad(bytes);
    }
    return bad;
}

/* ---- layouts ------------------------------------------------------------------------------------------- */
static inline bool skeleton_is(const plan_skeleton *kept, const uint8_t *data, uint32_t size)
{
    if (kept->size != size) return false;
    __m512i differs = _mm512_setzero_si512();
    for (uint32_t at = 0; at < size; at += 64) {
        const __m512i bytes = _mm512_maskz_loadu_epi8(bytes_mask(size - at), data + at);
        const __m512i seen = _mm512_load_si512(kept->bytes + at);
        const __m512i mask = _mm512_load_si512(kept->mask + at);
        const __m512i other = _mm512_ternarylogic_epi64(bytes, mask, seen, 0x6a); /* b & m ^ s */
        differs = _mm512_or_si512(differs, other);
    }
    return _mm512_test_epi64_mask(differs, differs) == 0;
}

static inline bool chip_holds(pos_plan_cache *cache, const uint8_t *data, uint32_t size)
{
    const plan_ways *set = &cache->skeletons[size % POS_SKELETON_SETS];
    for (uint32_t way = 0; way < POS_SKELETON_WAYS; way++) {
        if (skeleton_is(&set->ways[way], data, size)) return true;
    }
    return pos_plan_chip_holds(cache, data, size);
}

/* ---- a message ------------------------------------------------------------------------------------------- */
typedef struct step_values {
    uint16_t units[POS_PLAN_STEP_MAX];
    uint16_t sizes[POS_PLAN_STEP_MAX];
} step_values;

static inline bool steps_take(const pos_plan *plan, const uint8_t *body, uint32_t size,
                              plan_sums *sums, step_values *values)
{
    uint32_t taken = 0;
    sums->taken[0] = 0;
    __m512i first = _mm512_setzero_si512();
    __m512i second = _mm512_setzero_si512();
    for (uint32_t index = 0; index < plan->step_count; index++) {
        uint32_t units;
        uint32_t bytes;
        if (!plan_step_take(&plan->steps[index], body, size, taken, &units, &bytes)) return false;
        taken += bytes;
        const uint64_t word = (taken & 0xffff) | (uint64_t)bytes << 16 | (uint64_t)units << 32;
        const uint32_t lane = 1U << index;
        first = _mm512_mask_set1_epi64(first, (__mmask8)lane, (long long)word);
        if (index >= 8) {
            second = _mm512_mask_set1_epi64(second, (__mmask8)(lane >> 8), (long long)word);
        }
        sums->taken[index + 1] = taken;
        values->units[index] = (uint16_t)units;
        values->sizes[index] = (uint16_t)bytes;
    }
    sums->words[0] = first;
    sums->words[1] = second;
    return plan->size + taken == size;
}

static inline bool sums_read(pos_plan_cache *cache, const pos_plan *plan, const uint8_t *body,
                             uint32_t size, plan_sums *sums)
{
    step_values values;
    if (!steps_take(plan, body, size, sums, &values)) return false;
    const class_tables tables = classes_load();
    __mmask64 bad = 0;
    for (uint32_t index = 0; index < plan->chunk_count; index++) {
        const plan_chunk *chunk = &plan->chunks[index];
        bad |= chunk_bad(chunk, body + chunk->base + sums->taken[chunk->after], &tables);
    }
    bool fits = true;
    for (uint32_t index = 0; index < plan->step_count; index++) {
        const plan_step *step = &plan->steps[index];
        const uint8_t *at = body + step->base + step->prefix_size + sums->taken[index];
        const uint32_t units = values.units[index];
        const uint32_t bytes = values.sizes[index];
        if (step->judge != PLAN_FREE) bad |= value_bad(step, at, units, bytes, &tables);
        if (step->layout == POS_JUDGE_SIZES) fits &= ((step->sizes >> units) & 1U) != 0;
        if (step->layout == POS_JUDGE_BER) fits &= chip_holds(cache, at, bytes);
    }
    return fits && bad == 0;
}

static inline __m512i line_sum(const plan_line *line, const plan_sums *sums)
{
    const __m512i index = _mm512_load_si512(line->index);
    const __m512i sum = _mm512_permutex2var_epi16(sums->words[0], index, sums->words[1]);
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
static inline __m512i numbers_of(__m512i words)
{
    const __m512i tens = _mm512_and_si512(_mm512_srli_epi64(words, 4), _mm512_set1_epi8(0x0f));
    const __m512i twice = _mm512_add_epi8(tens, tens);
    const __m512i six = _mm512_add_epi8(twice, _mm512_add_epi8(twice, twice));
    const __m512i pairs = _mm512_sub_epi8(words, six);
    const __m512i fours = _mm512_maddubs_epi16(pairs, _mm512_set1_epi16(0x6401)); /* 1, 100 */
    const __m512i eights = _mm512_madd_epi16(fours, _mm512_set1_epi32(0x27100001)); /* 1, 10000 */
    const __m512i high = _mm512_mul_epu32(_mm512_srli_epi64(eights, 32),
                                          _mm512_set1_epi64(100000000));
    const __m512i low = _mm512_and_si512(eights, _mm512_set1_epi64(0xffffffff));
    return _mm512_add_epi64(high, low);
}

static inline void numbers_write(const pos_plan *plan, const plan_sums *sums, const uint8_t *body,
                                 pos_numbers *numbers)
{
    const plan_gather *gather = &plan->gather;
    const __m512i window = _mm512_maskz_loadu_epi8(
        gather->here, body + gather->base + sums->taken[gather->after]);
    __m512i words = _mm512_maskz_permutexvar_epi8(gather->lanes, _mm512_load_si512(gather->from),
                                                  window);
    words = _mm512_srlv_epi64(words, _mm512_loadu_si512(gather->shift));
    words = _mm512_and_si512(words, _mm512_loadu_si512(gather->digits));
    _mm512_storeu_si512(numbers, numbers_of(words));
    if (plan->number_slow != 0) {
        pos_plan_numbers_slow(plan, plan->number_slow, body, sums->taken, numbers);
    }
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
