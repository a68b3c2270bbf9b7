/*
 * Plans in C11: eight bytes at a time.
 *
 * A field's place is one word, offset · size · units, to which its sum is added; stored whole, it
 * runs two bytes into the next field, which is written after it.
 */
#include "message/plan.h"

typedef struct plan_sums {
    uint32_t taken[POS_PLAN_STEP_MAX + 1]; /* bytes that the steps before took */
    uint64_t words[2 * POS_PLAN_STEP_MAX + 1];
} plan_sums;

static inline bool chunk_holds(const plan_chunk *chunk, const plan_bounds *bounds, const uint8_t *at,
                               const uint8_t *end)
{
    (void)bounds;
    assert(chunk->size <= end - at);
    uint64_t bad = 0;
    for (uint32_t index = 0; index < chunk->size; index += 8) {
        const uint32_t left = chunk->size - index;
        const uint64_t word = pos_bytes_word(at + index, left);
        bad |= pos_pairs_bad(word & pos_load_u64_le(chunk->nibbles + index));
    }
    bool holds = bad == 0;
    for (uint64_t text = chunk->text; text != 0; text &= text - 1) {
        const unsigned byte = (unsigned)__builtin_ctzll(text);
        holds &= (pos_character_classes[at[byte]] & chunk->allowed[byte]) != 0;
    }
    return holds;
}

static inline bool pairs_hold(const plan_step *step, const uint8_t *at, uint32_t units, uint32_t size,
                              const uint8_t *end)
{
    assert(size <= end - at);
    assert(size == (units + 1) / 2);
    return pos_digits_hold(at, units, step->is_right);
}

static inline bool text_holds(const plan_step *step, const uint8_t *at, uint32_t size,
                              const uint8_t *end)
{
    assert(size <= end - at);
    return pos_characters_hold(at, size, step->allowed);
}

static inline bool skeleton_is(const plan_skeleton *kept, const uint8_t *data, uint32_t size,
                               const uint8_t *end)
{
    assert(size <= end - data);
    if (kept->size != size) return false;
    uint64_t differs = 0;
    uint32_t at = 0;
    for (; at + 8 <= size; at += 8) {
        const uint64_t word = pos_load_u64_le(data + at) & pos_load_u64_le(kept->mask + at);
        differs |= word ^ pos_load_u64_le(kept->bytes + at);
    }
    for (; at < size; at++) differs |= (uint64_t)((data[at] & kept->mask[at]) ^ kept->bytes[at]);
    return differs == 0;
}

#include "message/plan_words.h"

#include "message/plan_loop.h"

void pos_plan_wave_portable(pos_plan_cache *cache, pos_parse_job *jobs, size_t count)
{
    wave_run(cache, jobs, count);
}

void pos_plan_rows_portable(pos_plan_cache *cache, plan_rows *rows)
{
    rows_run(cache, rows);
}
