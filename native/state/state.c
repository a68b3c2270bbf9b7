/*
 * The state's tables and their indexes, mapped once, touched as they fill.
 *
 *   terminals  65,536 × 1.5 KB      by TID and MID         never forgotten
 *   postings    4,194,304 × 112 B   by sequence; PREAUTH also by card and authorisation code
 *   repeats     8,388,608 × 64 B    by terminal, batch, STAN, message class
 *   marks       2 × 65,536 × 24 B   by TID                 never forgotten
 *
 * Forgetting happens when a batch closes and nowhere else, oldest first, and stops at the first
 * record that must stay: what is kept longer than it must be does no harm.
 */
#include "state/tables.h"

#include <assert.h>
#include <stdlib.h>

#define TERMINALS_MAX_DEFAULT 65536U
#define POSTINGS_MAX_DEFAULT 4194304U
#define REPEATS_MAX_DEFAULT 8388608U
#define REPEAT_WINDOW_H_DEFAULT 24U
#define POSTING_WINDOW_D_DEFAULT 400U
#define SLOTS_MAX (UINT32_C(1) << 28) /* of one table: its index stays below 2^30 cells (find.c) */
#define NS_PER_HOUR INT64_C(3600000000000)

static bool memory_take(pos_state *state)
{
    const uint32_t terminals = state->terminal_pool.max;
    const uint32_t postings = state->posting_pool.max;
    const uint32_t repeats = state->repeat_pool.max;
    const uint32_t marks = state->mark_pool.max;
    state->terminals = pos_table_create((size_t)terminals * sizeof(terminal_record));
    state->postings = pos_table_create((size_t)postings * sizeof(posting_record));
    state->repeats = pos_table_create((size_t)repeats * sizeof(repeat_record));
    state->marks = pos_table_create((size_t)marks * sizeof(mark_record));
    return state->terminals != NULL && state->postings != NULL && state->repeats != NULL
           && state->marks != NULL && pos_index_create(&state->by_terminal, terminals)
           && pos_index_create(&state->by_mark, marks)
           && pos_index_create(&state->by_sequence, postings)
           && pos_index_create(&state->by_preauth, postings)
           && pos_index_create(&state->by_repeat, repeats);
}

static slot_pool pool_of(uint32_t max, uint32_t otherwise)
{
    return (slot_pool){.max = max != 0 ? max : otherwise, .free = SLOT_NONE};
}

pos_status pos_state_create(const pos_state_options *options, pos_state **state_out)
{
    assert(options != NULL);
    assert(state_out != NULL);
    if (options->terminals_max > SLOTS_MAX || options->postings_max > SLOTS_MAX
        || options->repeats_max > SLOTS_MAX || options->repeat_window_h > 24 * 366
        || options->posting_window_d > 366 * 10) {
        return POS_ARGUMENT;
    }
    pos_state *state = calloc(1, sizeof(*state));
    if (state == NULL) return POS_MEMORY;
    const uint32_t hours =
        options->repeat_window_h != 0 ? options->repeat_window_h : REPEAT_WINDOW_H_DEFAULT;
    const uint32_t days =
        options->posting_window_d != 0 ? options->posting_window_d : POSTING_WINDOW_D_DEFAULT;
    state->repeat_window_ns = (int64_t)hours * NS_PER_HOUR;
    state->posting_window_ns = (int64_t)days * 24 * NS_PER_HOUR;
    state->terminal_pool = pool_of(options->terminals_max, TERMINALS_MAX_DEFAULT);
    state->posting_pool = pool_of(options->postings_max, POSTINGS_MAX_DEFAULT);
    state->repeat_pool = pool_of(options->repeats_max, REPEATS_MAX_DEFAULT);
    state->mark_pool = pool_of(2 * state->terminal_pool.max, 0);
    if (!memory_take(state)) {
        pos_state_destroy(state);
        return POS_MEMORY;
    }
    *state_out = state;
    return POS_OK;
}

void pos_state_destroy(pos_state *state)
{
    if (state == NULL) return;
    pos_table_destroy(state->terminals, state->terminal_pool.max * sizeof(terminal_record));
    pos_table_destroy(state->postings, state->posting_pool.max * sizeof(posting_record));
    pos_table_destroy(state->repeats, state->repeat_pool.max * sizeof(repeat_record));
    pos_table_destroy(state->marks, state->mark_pool.max * sizeof(mark_record));
    pos_index_destroy(&state->by_terminal);
    pos_index_destroy(&state->by_mark);
    pos_index_destroy(&state->by_sequence);
    pos_index_destroy(&state->by_preauth);
    pos_index_destroy(&state->by_repeat);
    free(state);
}

void pos_state_touch(pos_state *state)
{
    assert(state != NULL);
    pos_table_touch(state->terminals, state->terminal_pool.max * sizeof(terminal_record));
    pos_table_touch(state->postings, state->posting_pool.max * sizeof(posting_record));
    pos_table_touch(state->repeats, state->repeat_pool.max * sizeof(repeat_record));
    pos_table_touch(state->by_terminal.cells, pos_index_size(&state->by_terminal));
    pos_table_touch(state->by_sequence.cells, pos_index_size(&state->by_sequence));
    pos_table_touch(state->by_repeat.cells, pos_index_size(&state->by_repeat));
}

/* ---- room ------------------------------------------------------------------------------------ */
static bool makes_room(unsigned kind)
{
    const uint64_t these = KIND(SIGN_ON) | KIND(SIGN_OFF) | KIND(REVERSAL) | KIND(SETTLE)
                           | KIND(BATCH_DETAIL) | KIND(BATCH_ADVICE) | KIND(BATCH_CHIP)
                           | KIND(BATCH_END);
    return kind < POS_KIND_COUNT && (these >> kind & 1U) != 0;
}

static uint32_t reserve_of(const slot_pool *pool)
{
    return pool->max / STATE_RESERVE_SHARE;
}

bool pos_state_has_room_for(const pos_state *state, unsigned kind)
{
    const slot_pool *postings = &state->posting_pool;
    const slot_pool *repeats = &state->repeat_pool;
    /* Operators may lock as many TIDs as there are terminals before those sign on: the other half of
     * the marks is for sign-ons. */
    if (kind == POS_KIND_ADMINISTRATION) return state->marks_bare < state->terminal_pool.max;
    if (!pos_state_kind_repeats(kind)) return true;
    if (makes_room(kind)) return repeats->taken < repeats->max; /* none of these posts */
    return postings->taken < postings->max - reserve_of(postings)
           && repeats->taken < repeats->max - reserve_of(repeats);
}

bool pos_state_has_room(const pos_state *state)
{
    return pos_state_has_room_for(state, POS_KIND_SALE);
}

uint64_t pos_state_sequence(const pos_state *state)
{
    return state->sequence;
}

void pos_state_counts_read(const pos_state *state, pos_state_counts *counts_out)
{
    *counts_out = (pos_state_counts){
        .terminals = state->terminal_pool.taken,
        .postings = state->posting_pool.taken,
        .repeats = state->repeat_pool.taken,
        .terminals_max = state->terminal_pool.max,
        .postings_max = state->posting_pool.max,
        .repeats_max = state->repeat_pool.max,
    };
}

/* ---- slots ----------------------------------------------------------------------------------- */
uint32_t pos_state_posting_take(pos_state *state)
{
    slot_pool *pool = &state->posting_pool;
    assert(pool->taken < pool->max);
    uint32_t slot = pool->free;
    if (slot == SLOT_NONE) {
        slot = pool->high++;
    } else {
        pool->free = state->postings[slot].face.next;
        if (pool->free != SLOT_NONE) __builtin_prefetch(&state->postings[pool->free].face.next, 1, 3);
    }
    pool->taken++;
    return slot;
}

uint32_t pos_state_repeat_take(pos_state *state)
{
    slot_pool *pool = &state->repeat_pool;
    assert(pool->taken < pool->max);
    uint32_t slot = pool->free;
    if (slot == SLOT_NONE) {
        slot = pool->high++;
    } else {
        pool->free = state->repeats[slot].next;
        if (pool->free != SLOT_NONE) __builtin_prefetch(&state->repeats[pool->free], 1, 3);
    }
    pool->taken++;
    return slot;
}

static void posting_free(pos_state *state, uint32_t slot)
{
    const pos_posting *posting = &state->postings[slot].face;
    pos_index_remove(&state->by_sequence, pos_hash_sequence(posting->sequence), slot);
    if (posting->kind == POS_KIND_PREAUTH) {
        pos_index_remove(&state->by_preauth, pos_hash_preauth(posting->pan_token, posting->auth),
                         slot);
    }
    state->postings[slot] = (posting_record){.face.next = state->posting_pool.free};
    state->posting_pool.free = slot;
    state->posting_pool.taken--;
}

static void repeat_free(pos_state *state, uint32_t slot)
{
    const repeat_record *record = &state->repeats[slot];
    pos_index_remove(&state->by_repeat,
                     pos_hash_repeat(record->terminal, record->face.batch, record->face.stan,
                                     record->face.message_class),
                     slot);
    state->repeats[slot] = (repeat_record){.next = state->repeat_pool.free};
    state->repeat_pool.free = slot;
    state->repeat_pool.taken--;
}

/* ---- forgetting ------------------------------------------------------------------------------ */
static bool is_of_last_batch(const pos_terminal_state *terminal, uint32_t batch)
{
    return batch == terminal->batch_closed || (terminal->batch != 0 && batch == terminal->batch);
}

void pos_state_forget(pos_state *state, uint32_t terminal, int64_t now_ns)
{
    pos_terminal_state *record = &state->terminals[terminal].face;
    const pos_terminal_state *face = record;
    assert(face->batch_closed != 0); /* a batch has just closed */

    while (record->repeat_oldest != SLOT_NONE) {
        const uint32_t slot = record->repeat_oldest;
        const pos_repeat *oldest = &state->repeats[slot].face;
        if (is_of_last_batch(face, oldest->batch)
            || now_ns - oldest->at_ns <= state->repeat_window_ns) {
            break;
        }
        record->repeat_oldest = state->repeats[slot].next;
        if (record->repeat_oldest == SLOT_NONE) record->repeat_newest = SLOT_NONE;
        repeat_free(state, slot);
    }
    while (record->posting_oldest != SLOT_NONE) {
        const uint32_t slot = record->posting_oldest;
        const pos_posting *oldest = &state->postings[slot].face;
        if (is_of_last_batch(face, oldest->batch)
            || now_ns - oldest->at_ns <= state->posting_window_ns) {
            break;
        }
        record->posting_oldest = state->postings[slot].face.next;
        if (record->posting_oldest == SLOT_NONE) record->posting_newest = SLOT_NONE;
        posting_free(state, slot);
    }
}
