/*
 * What the journal adds up to: a fold of its entries, in memory, of fixed size. The same entries
 * give the same state, so a restart is a replay, and an oracle in Python can say what it must be.
 *
 *   terminals   signed on?, open batch, totals of the open and the last closed batch, upload so far
 *   postings    what may still be referred to: amount, refunded so far, voided, reversed, completed
 *   repeats     (MID, TID, batch, STAN, message class) -> sequence of the entry that answered
 */
#ifndef POS_STATE_H
#define POS_STATE_H

#include "bytes/bytes.h"
#include "posengine/journal.h"

typedef struct pos_state pos_state;

typedef struct pos_state_options {
    uint32_t terminals_max; /* 0 for 65,536 */
    uint32_t postings_max;  /* 0 for 4,194,304 */
    uint32_t repeats_max;   /* 0 for 8,388,608 */
    uint32_t repeat_window_h; /* a repeat is remembered at least so long; 0 for 24 */
} pos_state_options;

/* All memory is taken here. Fails: ARGUMENT, MEMORY. */
pos_status pos_state_create(const pos_state_options *options, pos_state **state_out);
void pos_state_destroy(pos_state *state);

/* Folds one entry in, in order of sequence. Never fails on an entry that was admitted while
 * pos_state_has_room said yes. Fails: STATE_FULL, ENTRY_FORM. */
pos_status pos_state_apply(pos_state *state, const pos_entry *entry);
/* Every table has room for whatever one more entry may add. */
bool pos_state_has_room(const pos_state *state);
uint64_t pos_state_sequence(const pos_state *state); /* of the last entry folded in */

typedef struct pos_terminal_state {
    char tid[8];
    char mid[15];
    bool is_signed_on;
    uint32_t batch;        /* the open batch */
    uint32_t batch_closed; /* the last closed one, 0 for none */
    pos_totals totals;     /* of the open batch */
    pos_totals totals_closed;
    uint64_t last_sequence;
    int64_t last_at_ns;
} pos_terminal_state;
/* NULL where the terminal has no entry yet. Borrowed until the next apply. */
const pos_terminal_state *pos_state_terminal(const pos_state *state, const char tid[8],
                                             const char mid[15]);

/* A digest of everything above, equal for equal states: what restart tests and oracles compare. */
void pos_state_digest(const pos_state *state, uint8_t digest_out[16]);

#endif
