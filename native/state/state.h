/*
 * What the journal adds up to: a fold of its entries, in memory, of fixed size. The same entries
 * give the same state, so a restart is a replay, and an oracle in Python can say what it must be.
 *
 *   terminals   signed on?, open batch, totals of the open and the last closed batch, upload so far
 *   postings    what may still be referred to: amount, refunded so far, voided, reversed, completed
 *   repeats     (MID, TID, batch, STAN, message class) -> sequence of the entry that answered
 *
 *   state.c      tables, room, forgetting      fold.c      what an entry of each kind does
 *   index.c      exact-key hash tables         digest.c    the state as sixteen bytes
 *   find.c       look-ups                      totals.c    sides and kinds added up
 *   memory.c     where the tables lie          ahead.c     memory asked for before it is needed
 *   save.c       a snapshot of the tables      load.c      and its way back
 *
 * Nothing is forgotten to make room. A closing batch forgets the repeats of that terminal that are
 * neither of the open nor of the last closed batch and older than the window, and the postings of
 * closed batches that are older than theirs: by the entry's own time, so a refold forgets the same.
 */
#ifndef POS_STATE_H
#define POS_STATE_H

#include "bytes/bytes.h"
#include "posengine/journal.h"

typedef struct pos_state pos_state;
typedef struct pos_terminal_state pos_terminal_state;

typedef struct pos_state_options {
    uint32_t terminals_max; /* 0 for 65,536 */
    uint32_t postings_max;  /* 0 for 4,194,304 */
    uint32_t repeats_max;   /* 0 for 8,388,608 */
    uint32_t repeat_window_h; /* a repeat is remembered at least so long; 0 for 24 */
    uint32_t posting_window_d; /* days a posting may be referred to at least; 0 for 400 */
} pos_state_options;

/* All memory is taken here. Fails: ARGUMENT, MEMORY. */
pos_status pos_state_create(const pos_state_options *options, pos_state **state_out);
void pos_state_destroy(pos_state *state);
/* Takes the memory of all tables now: as much as the limits say, and no page is waited for later. */
void pos_state_touch(pos_state *state);

/* Folds one entry in, in order of sequence. Never fails on an entry that was admitted while
 * pos_state_has_room said yes. Fails: STATE_FULL, ENTRY_FORM; the state is then as before. */
pos_status pos_state_apply(pos_state *state, const pos_entry *entry);
/* The same for whoever has looked the terminal up already: `ours` as pos_state_terminal gave it for
 * this entry's TID and MID, NULL where it had none then. */
pos_status pos_state_apply_for(pos_state *state, const pos_terminal_state *ours,
                               const pos_entry *entry);
/* Every table has room for whatever one more entry may add. */
bool pos_state_has_room(const pos_state *state);
/* The same by kind: reversals and settlement, which make room in the end, may use a reserve (1/64
 * of each table) that others may not, so that a full state can still be settled. */
bool pos_state_has_room_for(const pos_state *state, unsigned kind);
uint64_t pos_state_sequence(const pos_state *state); /* of the last entry folded in */

/* How far the upload of the settled batch has come. */
typedef struct pos_upload {
    uint32_t batch;    /* 0: no settlement of the open or last closed batch yet */
    bool is_balanced;  /* what its settlement said */
    bool is_ended;
    uint32_t records;  /* uploaded */
    uint32_t matched;
    uint32_t missing_ours;
    uint32_t differing; /* amount, card or uploaded twice */
} pos_upload;

typedef struct pos_kind_total {
    int64_t amount_minor;
    uint32_t count;
} pos_kind_total;

/* What a sale reads and writes lies in the first two cache lines. */
struct pos_terminal_state {
    char tid[8];
    char mid[15];
    bool is_signed_on;
    uint32_t batch;        /* the open batch; 0 while none is */
    uint32_t batch_closed; /* the last closed one, 0 for none */
    uint64_t last_sequence;
    int64_t last_at_ns;
    uint64_t batch_opened_by; /* sequence of the sign-on that opened the newest batch */
    uint32_t posting_newest;  /* the tables' own: ends of the terminal's lists */
    uint32_t repeat_newest;
    pos_totals totals; /* of the open batch */
    uint32_t posting_oldest; /* the tables' own */
    uint32_t repeat_oldest;
    uint32_t batch_first; /* oldest posting of the newest batch */
    pos_totals totals_closed;
    pos_upload upload;
};
/* NULL where the terminal has no entry yet. Borrowed until the next apply. */
const pos_terminal_state *pos_state_terminal(const pos_state *state, const char tid[8],
                                             const char mid[15]);
/* Terminals in the order of their first entry; NULL past the last. */
const pos_terminal_state *pos_state_terminal_at(const pos_state *state, size_t index);
/* Approved and standing entries of `kind` in the terminal's open batch; zero where none is. */
pos_kind_total pos_state_kind_total(const pos_state *state, const pos_terminal_state *terminal,
                                    unsigned kind, bool is_foreign);

/* ---- looking ahead ---------------------------------------------------------------------------- */
/*
 * Asks memory for what a message will need, some messages before its turn, so that it waits for none of
 * it. Changes nothing; left out, it costs time alone. Three steps, each some messages after the one
 * before, since each reads what the one before asked for: 24, 16 and 8 messages before the turn do well.
 */
void pos_state_ahead(const pos_state *state, const char tid[8], const char mid[15]);
void pos_state_ahead_terminal(const pos_state *state, const char tid[8], const char mid[15],
                              uint32_t batch, uint32_t stan);
/* The last step finds the terminal, as pos_state_terminal does, for pos_decide_for and
 * pos_state_apply_for. Found is found for good; where it gives NULL, ask again when its turn comes. */
const pos_terminal_state *pos_state_ahead_lists(const pos_state *state, const char tid[8],
                                                const char mid[15], unsigned kind);
/* The same two steps for whoever has the terminal in hand already. */
void pos_state_ahead_ours(const pos_state *state, const pos_terminal_state *ours, uint32_t batch,
                          uint32_t stan);
void pos_state_ahead_lists_of(const pos_state *state, const pos_terminal_state *ours,
                              unsigned kind);

/* ---- marks: what operators and sign-ons left on a TID, whatever its MID ------------------------- */
/* Locked by an operator (ADMINISTRATION "LK", until "UL"). */
bool pos_state_is_locked(const pos_state *state, const char tid[8]);
/* Sequence of the last sign-on that made keys; 0 for none. */
uint64_t pos_state_keys_made_by(const pos_state *state, const char tid[8]);

/* ---- repeats --------------------------------------------------------------------------------- */
/* False for kinds that run again whenever they come: sign-on, echo, downloads. */
bool pos_state_kind_repeats(unsigned kind);

typedef struct pos_repeat {
    uint64_t sequence;
    int64_t at_ns;
    int64_t amount_minor;
    uint32_t batch;
    uint32_t stan;
    uint8_t message_class;
    uint8_t kind;
    uint8_t outcome;   /* pos_outcome */
    bool is_unseen;    /* a reversal that found no original: a late one must be declined */
    uint8_t fingerprint[16];
} pos_repeat;
/* What came before under this key; NULL where nothing did. Borrowed until the next apply. */
const pos_repeat *pos_state_repeat_find(const pos_state *state, const pos_terminal_state *terminal,
                                        uint32_t batch, uint32_t stan, uint8_t message_class);

/* ---- postings -------------------------------------------------------------------------------- */
#define POS_POSTING_FOREIGN 0x01U
#define POS_POSTING_VOIDED 0x02U
#define POS_POSTING_REVERSED 0x04U
#define POS_POSTING_UPLOADED 0x08U /* the batch upload named it */
#define POS_POSTING_PAN 0x10U      /* pan_token is set */

typedef struct pos_posting {
    uint64_t sequence;
    uint64_t original;     /* of a void, refund, completion, adjustment */
    uint64_t undone_by;    /* the void or reversal that undid it; 0 while it stands */
    uint64_t completed_by; /* of a pre-authorisation */
    int64_t at_ns;
    int64_t amount_minor;
    int64_t refunded_minor; /* by refunds that stand */
    int64_t adjusted_minor; /* by adjustments and tips that stand */
    uint32_t terminal; /* index: pos_state_terminal_at */
    uint32_t next;     /* the tables' own */
    uint32_t batch;
    uint32_t stan;
    uint32_t bin;
    uint16_t last4;
    uint8_t kind;
    uint8_t message_class;
    uint8_t flags; /* POS_POSTING_* */
    char auth[6];
    uint8_t pan_token[16];
} pos_posting;
/* NULL where the entry posted nothing, or was forgotten. Borrowed until the next apply. */
const pos_posting *pos_state_posting(const pos_state *state, uint64_t sequence);
/* Of the terminal's open batch: its number and not older, as numbers come round again. */
bool pos_state_is_open(const pos_terminal_state *terminal, const pos_posting *posting);
/* By the number a terminal knows: the posting of that batch and STAN, of a request or an advice. */
const pos_posting *pos_state_posting_by_stan(const pos_state *state,
                                             const pos_terminal_state *terminal, uint32_t batch,
                                             uint32_t stan);
/* The newest standing pre-authorisation of this card with this authorisation code at the merchant,
 * completed or not; NULL where there is none. */
const pos_posting *pos_state_preauth(const pos_state *state, const char mid[15],
                                     const uint8_t pan_token[16], const char auth[6]);
/* The terminal's postings of its newest batch, oldest first: pass NULL to begin. */
const pos_posting *pos_state_batch_next(const pos_state *state, const pos_terminal_state *terminal,
                                        const pos_posting *after);
/* Standing debits of one card in the terminal's open batch. Walks that batch's postings: it costs as
 * many memory accesses as the batch has postings, and is asked only where a policy counts uses. */
uint32_t pos_state_card_uses(const pos_state *state, const pos_terminal_state *terminal,
                             const uint8_t pan_token[16]);

/* The heap record that holds what an upload found (field 0 of a redacted request); false where the
 * entry has none. */
bool pos_state_findings(const pos_entry *entry, pos_slice *findings_out);

typedef struct pos_state_counts {
    uint32_t terminals;
    uint32_t postings;
    uint32_t repeats;
    uint32_t terminals_max;
    uint32_t postings_max;
    uint32_t repeats_max;
} pos_state_counts;
void pos_state_counts_read(const pos_state *state, pos_state_counts *counts_out);

/* ---- snapshots: the tables as a file (snapshot.h has its form) ----------------------------------- */
/* What a snapshot is of. `first_sequence` is the first that the journal kept when it was taken, the
 * digest that of the page that ends with `sequence`. */
typedef struct pos_saved {
    uint64_t sequence;
    uint64_t first_sequence;
    uint8_t journal_id[16];
    uint8_t page_digest[32];
    int64_t at_ns; /* UTC */
    uint64_t size; /* of the file; set where one was read */
} pos_saved;

/*
 * Writes the state to `path`, whole or not at all: an older snapshot stays until the new one is on disk.
 * `is_gentle` leaves half of the disk's time to others. Fails: ARGUMENT, MEMORY, SYSTEM.
 */
pos_status pos_state_save(const pos_state *state, const pos_saved *saved, const char *path,
                          bool is_gentle);
/* What the snapshot at `path` says it is of; its sums are not checked yet.
 * Fails: ENTRY_ABSENT (there is none), IMAGE_FORM (damaged, or of another build), SYSTEM. */
pos_status pos_state_saved_read(const char *path, pos_saved *saved_out);
/*
 * The state that was saved at `path`, every byte of it summed: as the fold of all entries up to
 * `expected->sequence` under `options`. What it cannot know, whether that page is the journal's, is the
 * caller's to check before. Fails: as above; IMAGE_LIMIT (other windows, or tables too small now), MEMORY.
 */
pos_status pos_state_load(const pos_state_options *options, const char *path,
                          const pos_saved *expected, pos_state **state_out);

/* A digest of everything above, equal for equal states whatever the limits: what restart tests and
 * oracles compare. It finds differences; it is no defence against forgery. */
void pos_state_digest(const pos_state *state, uint8_t digest_out[16]);

#endif
