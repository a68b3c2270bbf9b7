/*
 * What is written of a message without wide vectors: what the portable path and AVX2 share.
 *
 * A field's place is one word, offset · size · units, to which what the steps took is added; stored
 * whole, it runs two bytes into the next field, which is written after it.
 */
#ifndef POS_MESSAGE_PLAN_WORDS_H
#define POS_MESSAGE_PLAN_WORDS_H

#include "message/plan.h"

/* The last field's word may run to the end of the message, and not past it. */
_Static_assert(offsetof(pos_message, fields) + POS_FIELD_MAX * sizeof(pos_field) + 8
                   <= sizeof(pos_message), "a word fits at the last field");

static inline uint64_t place_word(const pos_plan *plan, const plan_sums *sums, uint32_t index)
{
    const uint64_t own = sums->steps[plan->place_step[index]] & ~(uint64_t)0xffff;
    return plan->places[index] + own + sums->taken[plan->place_after[index]];
}

static inline void message_write(const pos_plan *plan, const plan_sums *sums, const uint8_t *body,
                                 uint32_t size, pos_message *message)
{
    uint8_t *fields = (uint8_t *)message->fields;
    for (uint32_t index = 0; index < plan->place_count; index++) {
        const uint64_t word = place_word(plan, sums, index);
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

static inline void three_numbers_write(const pos_plan *plan, const plan_sums *sums, const uint8_t *body,
                                       pos_numbers *numbers)
{
    pos_plan_numbers_slow(plan, PLAN_THREE, body, sums->taken, numbers);
}

static inline void places_write(const pos_plan *plan, const plan_sums *sums, size_t width,
                                uint16_t *offsets, uint16_t *sizes)
{
    if (offsets != NULL) pos_zero(offsets, width * sizeof *offsets);
    if (sizes != NULL) pos_zero(sizes, width * sizeof *sizes);
    for (uint32_t index = 0; index < plan->place_count; index++) {
        const uint64_t word = place_word(plan, sums, index);
        const uint8_t field = plan->place_field[index];
        if (offsets != NULL) offsets[field] = (uint16_t)word;
        if (sizes != NULL) sizes[field] = (uint16_t)(word >> 16);
    }
}

#endif
