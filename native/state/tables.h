/*
 * The tables of the state, as its own files see them. No other room includes this.
 *
 *   index cell ─▶ slot ─▶ record          records never move: a slot is a name for life
 *   (hash, slot)          next ─▶ ...     lists run oldest first, a terminal's own
 */
#ifndef POS_STATE_TABLES_H
#define POS_STATE_TABLES_H

#include "state/state.h"

#define SLOT_NONE UINT32_MAX
#define STATE_RESERVE_SHARE 64U /* 1/64 of each table is kept for reversal and settlement */

/* ---- index: exact-key hash table of slots; keys live in the records -------------------------- */
typedef struct index_cell {
    uint32_t hash;
    uint32_t slot_after; /* slot + 1; 0: empty */
} index_cell;

typedef struct pos_index {
    index_cell *cells;
    uint32_t mask; /* cells - 1; at most half of the cells are ever taken */
} pos_index;

bool pos_index_create(pos_index *index, uint32_t slots_max);
void pos_index_destroy(pos_index *index);
/* Slots stored under `hash`, one a call: *cursor UINT32_MAX to begin; SLOT_NONE at the end. */
uint32_t pos_index_seek(const pos_index *index, uint32_t hash, uint32_t *cursor);
void pos_index_insert(pos_index *index, uint32_t hash, uint32_t slot);
void pos_index_remove(pos_index *index, uint32_t hash, uint32_t slot);

/* ---- records --------------------------------------------------------------------------------- */
typedef struct terminal_record {
    pos_terminal_state face; /* first: a face is its record */
    pos_kind_total kinds[2][POS_KIND_COUNT]; /* domestic, foreign; of the open batch */
    uint32_t posting_oldest;
    uint32_t posting_newest;
    uint32_t batch_first; /* oldest posting of the newest batch */
    uint32_t repeat_oldest;
    uint32_t repeat_newest;
} terminal_record;

typedef struct posting_record {
    pos_posting face; /* first */
    uint32_t next;    /* of the terminal; in the free list, the next free one */
} posting_record;

typedef struct repeat_record {
    pos_repeat face; /* first */
    uint32_t terminal;
    uint32_t next;
} repeat_record;

/* How a table's slots are taken and given back. */
typedef struct slot_pool {
    uint32_t max;
    uint32_t high;  /* slots ever taken */
    uint32_t taken; /* now */
    uint32_t free;  /* first of the free list */
} slot_pool;

struct pos_state {
    uint64_t sequence;
    int64_t repeat_window_ns;
    int64_t posting_window_ns;
    terminal_record *terminals;
    posting_record *postings;
    repeat_record *repeats;
    slot_pool terminal_pool;
    slot_pool posting_pool;
    slot_pool repeat_pool;
    pos_index by_terminal; /* TID, MID */
    pos_index by_sequence; /* postings */
    pos_index by_preauth;  /* postings of kind PREAUTH: card token, authorisation code */
    pos_index by_repeat;   /* terminal, batch, STAN, message class */
};

/* ---- state.c --------------------------------------------------------------------------------- */
void pos_state_forget(pos_state *state, uint32_t terminal, int64_t now_ns);
uint32_t pos_state_posting_take(pos_state *state);
uint32_t pos_state_repeat_take(pos_state *state);

/* ---- find.c: hashes and slots ---------------------------------------------------------------- */
uint32_t pos_hash_terminal(const char tid[8], const char mid[15]);
uint32_t pos_hash_sequence(uint64_t sequence);
uint32_t pos_hash_preauth(const uint8_t pan_token[16], const char auth[6]);
uint32_t pos_hash_repeat(uint32_t terminal, uint32_t batch, uint32_t stan, uint8_t message_class);
uint32_t pos_slot_terminal(const pos_state *state, const char tid[8], const char mid[15]);
uint32_t pos_slot_posting(const pos_state *state, uint64_t sequence);
uint32_t pos_slot_repeat(const pos_state *state, uint32_t terminal, uint32_t batch, uint32_t stan,
                         uint8_t message_class);

/* ---- totals.c -------------------------------------------------------------------------------- */
/* Adds `posting` to its terminal's open batch, or takes it out again. */
void pos_totals_post(terminal_record *terminal, const pos_posting *posting, bool is_added);

#endif
