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

/* A kind as a bit, to ask for one of several at a look. */
#define KIND(name) (UINT64_C(1) << POS_KIND_##name)
_Static_assert(POS_KIND_COUNT <= 64, "kinds fit a word");

/* ---- memory.c ---------------------------------------------------------------------------------- */
/* Zeroed memory of its own, in large pages where it is large; NULL where there is none. */
void *pos_table_create(size_t size);
void pos_table_destroy(void *table, size_t size);
/* Takes the pages of `size` bytes now, and not when they are first touched. */
void pos_table_touch(void *table, size_t size);

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
size_t pos_index_size(const pos_index *index); /* bytes of its cells */
void pos_index_insert(pos_index *index, uint32_t hash, uint32_t slot);
void pos_index_remove(pos_index *index, uint32_t hash, uint32_t slot);

/* Slots stored under `hash`, one a call: *cursor UINT32_MAX to begin; SLOT_NONE at the end. */
static inline uint32_t pos_index_seek(const pos_index *index, uint32_t hash, uint32_t *cursor)
{
    uint32_t at = *cursor == UINT32_MAX ? hash & index->mask : (*cursor + 1) & index->mask;
    for (; index->cells[at].slot_after != 0; at = (at + 1) & index->mask) {
        if (index->cells[at].hash != hash) continue;
        *cursor = at;
        return index->cells[at].slot_after - 1;
    }
    return SLOT_NONE;
}

static inline void pos_index_ahead(const pos_index *index, uint32_t hash)
{
    __builtin_prefetch(&index->cells[hash & index->mask], 1, 3);
}

/* ---- records: their layout is that of snapshots too (save.c) -------------------------------------- */
typedef struct terminal_record {
    _Alignas(64) pos_terminal_state face; /* first: a face is its record */
    pos_kind_total kinds[2][POS_KIND_COUNT]; /* domestic, foreign; of the open batch */
} terminal_record;

typedef struct posting_record {
    pos_posting face; /* first; its `next`: of the terminal; in the free list, the next free one */
} posting_record;

typedef struct repeat_record {
    pos_repeat face; /* first */
    uint32_t terminal;
    uint32_t next;
} repeat_record;

typedef struct mark_record {
    char tid[8];
    uint64_t keys_made_by;
    uint64_t is_locked; /* 0 or 1 */
} mark_record;

_Static_assert(sizeof(posting_record) == 112, "a posting has no gaps to speak of");
_Static_assert(sizeof(repeat_record) == 64, "a repeat is a cache line");

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
    mark_record *marks;
    slot_pool terminal_pool;
    slot_pool posting_pool;
    slot_pool repeat_pool;
    slot_pool mark_pool;   /* twice as many as terminals: a TID may be locked before it is heard of */
    uint32_t marks_bare;   /* marks of TIDs that have made no keys */
    pos_index by_terminal; /* TID, MID */
    pos_index by_mark;     /* TID */
    pos_index by_sequence; /* postings */
    pos_index by_preauth;  /* postings of kind PREAUTH: card token, authorisation code */
    pos_index by_repeat;   /* terminal, batch, STAN, message class */
};

/* ---- state.c --------------------------------------------------------------------------------- */
void pos_state_forget(pos_state *state, uint32_t terminal, int64_t now_ns);
uint32_t pos_state_posting_take(pos_state *state);
uint32_t pos_state_repeat_take(pos_state *state);

/* ---- find.c: hashes and slots ---------------------------------------------------------------- */
uint32_t pos_hash_mark(const char tid[8]);
uint32_t pos_hash_terminal(const char tid[8], const char mid[15]);
uint32_t pos_hash_sequence(uint64_t sequence);
uint32_t pos_hash_preauth(const uint8_t pan_token[16], const char auth[6]);
uint32_t pos_hash_repeat(uint32_t terminal, uint32_t batch, uint32_t stan, uint8_t message_class);
uint32_t pos_slot_terminal(const pos_state *state, const char tid[8], const char mid[15]);
uint32_t pos_slot_of(const pos_state *state, const pos_terminal_state *terminal);
uint32_t pos_slot_mark(const pos_state *state, const char tid[8]);
uint32_t pos_slot_posting(const pos_state *state, uint64_t sequence);
uint32_t pos_slot_repeat(const pos_state *state, uint32_t hash, uint32_t terminal, uint32_t batch,
                         uint32_t stan, uint8_t message_class); /* `hash`: pos_hash_repeat of these */

/* ---- totals.c -------------------------------------------------------------------------------- */
/* Adds `posting` to its terminal's open batch, or takes it out again. */
void pos_totals_post(terminal_record *terminal, const pos_posting *posting, bool is_added);

#endif
