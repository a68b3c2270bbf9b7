/*
 * Plans in C11: eight bytes at a time.
 */
#include "message/plan.h"

/* Whether each byte that `text` has a bit of is of a class allowed for it. */
static inline bool text_is_of(uint64_t text, const uint8_t *at, const uint8_t *allowed)
{
    bool holds = true;
    for (; text != 0; text &= text - 1) {
        const unsigned byte = (unsigned)__builtin_ctzll(text);
        holds &= (pos_character_classes[at[byte]] & allowed[byte]) != 0;
    }
    return holds;
}

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
    return bad == 0 && text_is_of(chunk->text, at, chunk->allowed);
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

static inline uint64_t word_bad(const plan_block *block, uint32_t in, uint64_t word)
{
    const uint64_t kept = word & pos_load_u64_le(block->kept + in);
    const uint64_t digits = word & pos_load_u64_le(block->nibbles + in);
    return (kept ^ pos_load_u64_le(block->seen + in)) | pos_pairs_bad(digits);
}

static inline bool block_holds(const plan_block *block, uint64_t text, const uint8_t *at, uint32_t size)
{
    uint64_t bad = 0;
    uint32_t in = 0;
    for (; in + 8 <= size; in += 8) bad |= word_bad(block, in, pos_load_u64_le(at + in));
    if (in < size) bad |= word_bad(block, in, pos_bytes_word(at + in, size - in));
    return bad == 0 && text_is_of(text, at, block->allowed);
}

static inline bool cast_holds(const plan_cast *cast, const uint8_t *body, uint32_t size)
{
    for (uint32_t at = 0; at < size; at += 64) {
        const uint32_t here = size - at < 64 ? size - at : 64;
        if (!block_holds(&cast->blocks[at / 64], cast->texts[at / 64], body + at, here)) return false;
    }
    return true;
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
