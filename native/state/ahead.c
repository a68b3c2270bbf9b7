/*
 * Looking ahead: a message that comes among ten thousand terminals finds its cells and records in
 * memory, not in a cache: eight waits of 80 ns or more, one after the other. Asked for some messages
 * before, they come while others are dealt with.
 *
 *   1  by_terminal cell
 *   2  by_terminal cell ─▶ slot ─▶ two lines of its record; the cell of (terminal, batch, STAN)
 *   3  record ─▶ its newest posting and repeat, which the next ones are linked to; totals by kind;
 *      the place and the cell of the posting to come
 */
#include "state/tables.h"

#define LINE 64U
#define AHEAD 8U /* messages */

/* The first slot under the name's hash: nearly always the right one, and else time is lost only. */
static uint32_t slot_guessed(const pos_state *state, const char tid[8], const char mid[15])
{
    uint32_t cursor = UINT32_MAX;
    return pos_index_seek(&state->by_terminal, pos_hash_terminal(tid, mid), &cursor);
}

void pos_state_ahead(const pos_state *state, const char tid[8], const char mid[15])
{
    pos_index_ahead(&state->by_terminal, pos_hash_terminal(tid, mid));
}

static void ask_terminal(const pos_state *state, uint32_t slot, uint32_t batch, uint32_t stan)
{
    const uint8_t *record = (const uint8_t *)&state->terminals[slot];
    __builtin_prefetch(record, 1, 3);
    __builtin_prefetch(record + LINE, 1, 3);
    pos_index_ahead(&state->by_repeat, pos_hash_repeat(slot, batch, stan, 0));
}

static void ask_lists(const pos_state *state, uint32_t slot, unsigned kind)
{
    const terminal_record *record = &state->terminals[slot];
    if (kind < POS_KIND_COUNT) __builtin_prefetch(&record->kinds[0][kind], 1, 3);
    if (record->face.posting_newest != SLOT_NONE) {
        __builtin_prefetch(&state->postings[record->face.posting_newest].face.next, 1, 3);
    }
    if (record->face.repeat_newest != SLOT_NONE) {
        __builtin_prefetch(&state->repeats[record->face.repeat_newest].next, 1, 3);
    }
    pos_index_ahead(&state->by_sequence, pos_hash_sequence(state->sequence + AHEAD));
    const uint8_t *posting = (const uint8_t *)(state->postings + state->posting_pool.high + AHEAD);
    __builtin_prefetch(posting, 1, 3); /* a prefetch past the table's end is none */
    __builtin_prefetch(posting + LINE, 1, 3);
    __builtin_prefetch(state->repeats + state->repeat_pool.high + AHEAD, 1, 3);
}

void pos_state_ahead_terminal(const pos_state *state, const char tid[8], const char mid[15],
                              uint32_t batch, uint32_t stan)
{
    const uint32_t slot = slot_guessed(state, tid, mid);
    if (slot != SLOT_NONE) ask_terminal(state, slot, batch, stan);
}

void pos_state_ahead_ours(const pos_state *state, const pos_terminal_state *ours, uint32_t batch,
                          uint32_t stan)
{
    ask_terminal(state, pos_slot_of(state, ours), batch, stan);
}

const pos_terminal_state *pos_state_ahead_lists(const pos_state *state, const char tid[8],
                                                const char mid[15], unsigned kind)
{
    const uint32_t slot = pos_slot_terminal(state, tid, mid);
    if (slot == SLOT_NONE) return NULL;
    ask_lists(state, slot, kind);
    return &state->terminals[slot].face;
}

void pos_state_ahead_lists_of(const pos_state *state, const pos_terminal_state *ours,
                              unsigned kind)
{
    ask_lists(state, pos_slot_of(state, ours), kind);
}
