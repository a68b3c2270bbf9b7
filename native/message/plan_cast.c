/*
 * A cast is made: of a message that its plan read, byte by byte, what each was judged by.
 *
 *   head, prefixes, tags and lengths     must be there again
 *   fixed fields                         as the plan's chunks have them, moved by what the steps took
 *   values of steps                      digits or classes, as many as there were
 *   message, rows of places              as they will be written, of every message that it fits
 *
 * Rules. Where all that must be there again is, the plan would take the same steps and find the same
 * elements; where the rest is of its content, it would say yes. No value of the message is kept.
 */
#include "message/plan_words.h"

static plan_block *block_of(plan_cast *cast, uint32_t at)
{
    assert(at < 64 * POS_CAST_BLOCK_MAX);
    return &cast->blocks[at / 64];
}

static void bytes_keep(plan_cast *cast, const uint8_t *body, uint32_t from, uint32_t to)
{
    for (uint32_t at = from; at < to; at++) {
        block_of(cast, at)->seen[at % 64] = body[at];
        block_of(cast, at)->kept[at % 64] = 0xff;
    }
}

static void byte_judge(plan_cast *cast, uint32_t at, uint8_t nibbles, uint8_t allowed)
{
    block_of(cast, at)->nibbles[at % 64] = nibbles;
    block_of(cast, at)->allowed[at % 64] = allowed;
    if (allowed != 0) cast->texts[at / 64] |= (uint64_t)1 << at % 64;
}

static void chunk_put(plan_cast *cast, const plan_chunk *chunk, const uint32_t *taken)
{
    const uint32_t at = chunk->base + taken[chunk->after];
    for (uint32_t index = 0; index < chunk->size; index++) {
        byte_judge(cast, at + index, chunk->nibbles[index], chunk->allowed[index]);
    }
}

/* Digits two a byte, of an odd count one alone, in the first byte or in the last. */
static uint8_t nibbles_of(const plan_step *step, uint32_t index, uint32_t size, uint32_t units)
{
    if (units % 2 == 1 && step->is_right && index == 0) return 0x0f;
    if (units % 2 == 1 && !step->is_right && index == size - 1) return 0xf0;
    return 0xff;
}

static void chip_put(plan_cast *cast, const uint8_t *body, uint32_t first, uint32_t size)
{
    uint32_t at = 0;
    while (at < size) {
        const uint32_t tag = at;
        uint32_t start;
        const bool holds = pos_ber_element(body + first, tag, size, &start, &at);
        assert(holds);
        (void)holds;
        bytes_keep(cast, body, first + tag, first + start);
    }
}

static void step_put(plan_cast *cast, const plan_step *step, const uint8_t *body, uint32_t taken,
                     uint64_t word)
{
    const uint32_t size = word >> 16 & 0xffff;
    const uint32_t units = (uint32_t)(word >> 32);
    const uint32_t first = step->base + taken + step->prefix_size;
    bytes_keep(cast, body, first - step->prefix_size, first);
    for (uint32_t index = 0; index < size; index++) {
        if (step->judge == PLAN_TEXT) byte_judge(cast, first + index, 0, step->allowed);
        if (step->judge != PLAN_PAIRS) continue;
        byte_judge(cast, first + index, nibbles_of(step, index, size, units), 0);
    }
    if (step->layout == POS_JUDGE_BER) chip_put(cast, body, first, size);
}

/* What is written of every message of this cast: places are the same, and zeros between them. */
static void written_put(plan_cast *cast, const pos_plan *plan, const plan_sums *sums, uint32_t size)
{
    message_write(plan, sums, NULL, size, &cast->message);
    places_write(plan, sums, POS_CAST_ROW, cast->offsets, cast->sizes);
    const unsigned last = plan->place_count == 0 ? 0 : plan->place_field[plan->place_count - 1];
    const size_t message_size = offsetof(pos_message, fields) + (last + 1) * sizeof(pos_field);
    cast->message_size = (uint32_t)(message_size < 64 ? 64 : message_size);
}

void pos_plan_cast_make(const pos_plan *plan, const uint8_t *body, uint32_t size,
                        const plan_sums *sums, plan_cast *cast)
{
    assert(size >= plan->head_size && size <= 64 * POS_CAST_BLOCK_MAX);
    pos_zero(cast, sizeof *cast);
    cast->sums = *sums;
    written_put(cast, plan, sums, size);
    bytes_keep(cast, body, 0, plan->head_size);
    for (uint32_t index = 0; index < plan->chunk_count; index++) {
        chunk_put(cast, &plan->chunks[index], sums->taken);
    }
    for (uint32_t index = 0; index < plan->step_count; index++) {
        step_put(cast, &plan->steps[index], body, sums->taken[index], sums->steps[index]);
    }
}
