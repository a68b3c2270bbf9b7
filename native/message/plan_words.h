/*
 * A plan without wide vectors: what the portable path and AVX2 share. A path's file defines plan_sums
 * and how a run of bytes is judged (chunk_holds, pairs_hold, text_holds, skeleton_is), then includes
 * this.
 */
#ifndef POS_MESSAGE_PLAN_WORDS_H
#define POS_MESSAGE_PLAN_WORDS_H

#include "message/plan.h"

static inline bool steps_take(const pos_plan *plan, const uint8_t *body, uint32_t size,
                              plan_sums *sums)
{
    uint32_t taken = 0;
    sums->taken[0] = 0;
    sums->words[0] = 0;
    for (uint32_t index = 0; index < plan->step_count; index++) {
        uint32_t units;
        uint32_t bytes;
        if (!plan_step_take(&plan->steps[index], body, size, taken, &units, &bytes)) return false;
        sums->words[2 * index + 1] = taken | (uint64_t)bytes << 16 | (uint64_t)units << 32;
        taken += bytes;
        sums->taken[index + 1] = taken;
        sums->words[2 * index + 2] = taken;
    }
    return plan->size + taken == size;
}

static inline bool chip_holds(pos_plan_cache *cache, const uint8_t *data, uint32_t size,
                              const uint8_t *end)
{
    const plan_ways *set = &cache->skeletons[size % POS_SKELETON_SETS];
    for (uint32_t way = 0; way < POS_SKELETON_WAYS; way++) {
        if (skeleton_is(&set->ways[way], data, size, end)) return true;
    }
    return pos_plan_chip_holds(cache, data, size);
}

/* The value of one step: its content and its layout. */
static inline bool value_holds(pos_plan_cache *cache, const plan_step *step, const uint8_t *at,
                               uint32_t units, uint32_t size, const uint8_t *end)
{
    if (step->judge == PLAN_PAIRS && size > 0 && !pairs_hold(step, at, units, size, end)) return false;
    if (step->judge == PLAN_TEXT && !text_holds(step, at, size, end)) return false;
    if (step->layout == POS_JUDGE_SIZES) return ((step->sizes >> units) & 1U) != 0;
    return step->layout != POS_JUDGE_BER || chip_holds(cache, at, size, end);
}

static inline bool sums_read(pos_plan_cache *cache, const pos_plan *plan, const uint8_t *body,
                             uint32_t size, plan_sums *sums)
{
    const uint8_t *end = body + size; /* nothing behind it is read */
    if (!steps_take(plan, body, size, sums)) return false;
    for (uint32_t index = 0; index < plan->chunk_count; index++) {
        const plan_chunk *chunk = &plan->chunks[index];
        const uint8_t *at = body + chunk->base + sums->taken[chunk->after];
        if (!chunk_holds(chunk, &plan->bounds[index], at, end)) return false;
    }
    for (uint32_t index = 0; index < plan->step_count; index++) {
        const plan_step *step = &plan->steps[index];
        const uint64_t word = sums->words[2 * index + 1];
        const uint8_t *at = body + step->base + step->prefix_size + sums->taken[index];
        const uint32_t units = (uint32_t)(word >> 32);
        const uint32_t bytes = (uint32_t)(word >> 16 & 0xffff);
        if (!value_holds(cache, step, at, units, bytes, end)) return false;
    }
    return true;
}

/* The last field's word may run to the end of the message, and not past it. */
_Static_assert(offsetof(pos_message, fields) + POS_FIELD_MAX * sizeof(pos_field) + 8
                   <= sizeof(pos_message), "a word fits at the last field");

static inline void message_write(const pos_plan *plan, const plan_sums *sums, const uint8_t *body,
                                 uint32_t size, pos_message *message)
{
    uint8_t *fields = (uint8_t *)message->fields;
    for (uint32_t index = 0; index < plan->place_count; index++) {
        const uint64_t word = plan->places[index] + sums->words[plan->place_sum[index]];
        pos_store_u64_le(fields + plan->place_field[index] * sizeof(pos_field), word);
    }
    message->body = body;
    message->body_size = size;
    message->mti = plan->mti;
    message->bitmap[0] = plan->bitmap[0];
    message->bitmap[1] = plan->bitmap[1];
}

static inline void numbers_write(const pos_plan *plan, const plan_sums *sums, const uint8_t *body,
                                 pos_numbers *numbers)
{
    pos_plan_numbers_slow(plan, 0xff, body, sums->taken, numbers);
}

static inline void places_write(const pos_plan *plan, const plan_sums *sums, size_t width,
                                uint16_t *offsets, uint16_t *sizes)
{
    if (offsets != NULL) pos_zero(offsets, width * sizeof *offsets);
    if (sizes != NULL) pos_zero(sizes, width * sizeof *sizes);
    for (uint32_t index = 0; index < plan->place_count; index++) {
        const uint64_t word = plan->places[index] + sums->words[plan->place_sum[index]];
        const uint8_t field = plan->place_field[index];
        if (offsets != NULL) offsets[field] = (uint16_t)word;
        if (sizes != NULL) sizes[field] = (uint16_t)(word >> 16);
    }
}

#endif
