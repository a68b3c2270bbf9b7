/*
 * Why an entry was decided so, and rehearsals: the rules and the state without wire, keys or disk.
 *
 *   policy image ─▶ rehearsal ─▶ ask ─▶ said      every answer becomes an entry, kept in memory
 *                               refold            a restart: a new state from the kept entries
 */
#ifndef POSENGINE_DECIDE_H
#define POSENGINE_DECIDE_H

#include "posengine/journal.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pos_reason {
#define POS_REASON(name, outcome, response, text) POS_REASON_##name,
#include "posengine/reason.def"
#undef POS_REASON
    POS_REASON_COUNT
} pos_reason;

/* Static strings, never NULL: "BATCH_DIFFERS", "the batch is not the open one", "77". */
POS_API const char *pos_reason_name(unsigned reason);
POS_API const char *pos_reason_text(unsigned reason);
POS_API const char *pos_reason_response(unsigned reason);

/*
 * What a batch upload found, one a record: in the entry's request slice as field 0 (see
 * native/decide/batch.c), by sequence and STAN, never by card.
 */
typedef enum pos_finding_verdict {
    POS_FINDING_MATCHED = 1,     /* as we have it */
    POS_FINDING_MISSING_OURS,    /* the terminal has it, we do not */
    POS_FINDING_MISSING_THEIRS,  /* we have it, the terminal did not upload it */
    POS_FINDING_AMOUNT,          /* amounts differ */
    POS_FINDING_CARD,            /* cards differ */
    POS_FINDING_TWICE            /* uploaded before */
} pos_finding_verdict;

/* ---- rehearsals ------------------------------------------------------------------------------ */
typedef struct pos_rehearsal pos_rehearsal;

typedef struct pos_rehearsal_options {
    uint32_t entries_max; /* 0 for 65,536 */
    uint32_t terminals_max;
    uint32_t postings_max;
    uint32_t repeats_max;
    uint32_t repeat_window_h;
    uint32_t posting_window_d;
} pos_rehearsal_options;

/* A terminal of the rehearsal's roster. Its master key is a size and a cipher, no bytes. */
typedef struct pos_rehearsal_terminal {
    char tid[8];
    char mid[15];
    uint8_t flags; /* 01 active, 02 locked, 04 no PIN pad, 08 test cards only */
    uint8_t key_cipher;
    uint8_t key_size;
    uint16_t currency;
    uint64_t kind_mask;
    int64_t amount_minor_max;
} pos_rehearsal_terminal;

#define POS_ASK_DETAIL_MAX 8
typedef struct pos_ask_detail {
    int64_t amount_minor;
    uint32_t stan;
    uint32_t bin;
    uint16_t last4;
} pos_ask_detail;

/* The facts of one request. Text is blank padded; numbers are 0 where absent. */
typedef struct pos_ask {
    uint8_t kind;
    uint16_t mti; /* BCD */
    uint16_t network;
    uint16_t currency;
    uint16_t entry_mode;
    uint16_t original_date;
    uint16_t last4;
    uint32_t bin;
    uint32_t stan;
    uint32_t batch;
    uint32_t original_batch;
    uint32_t original_stan;
    uint32_t flags; /* POS_FLAG_* of a request */
    uint32_t local_time;
    uint32_t local_date;
    uint32_t upload_count;
    int64_t amount_minor;
    char tid[8];
    char mid[15];
    char original_rrn[12];
    char auth[6];
    char reason[2];
    uint8_t pan_token[16];
    uint8_t fingerprint[16];
    bool has_totals;
    pos_totals totals;
    uint8_t detail_count;
    pos_ask_detail details[POS_ASK_DETAIL_MAX];
} pos_ask;

/* What was said; `entry` is the entry as the journal would have it (no answer, findings only). */
typedef struct pos_said {
    pos_entry entry; /* borrowed until the next call; sequence 0: nothing was recorded (FULL) */
    int64_t balance_minor;
    bool makes_keys;
    bool answers_stored;
    bool is_alarm;
    uint8_t result_domestic;
    uint8_t result_foreign;
    uint16_t download;
    pos_totals totals;
    uint32_t records;
    uint32_t matched;
    uint32_t missing_ours;
    uint32_t missing_theirs;
    uint32_t differing;
} pos_said;

/* Fails: IMAGE_FORM, IMAGE_LIMIT, ARGUMENT, MEMORY. */
POS_API pos_status pos_rehearsal_open(const uint8_t *policy, size_t policy_size,
                                      const pos_rehearsal_options *options,
                                      pos_rehearsal **rehearsal_out);
POS_API void pos_rehearsal_close(pos_rehearsal *rehearsal);
/* Adds a terminal, or replaces the one of that TID. ARGUMENT past 1,024. */
POS_API pos_status pos_rehearsal_terminal_set(pos_rehearsal *rehearsal,
                                              const pos_rehearsal_terminal *terminal);
/* Decides, records, folds. Fails: ARGUMENT, ENTRY_OVERSIZE past entries_max, STATE_FULL. */
POS_API pos_status pos_rehearsal_ask(pos_rehearsal *rehearsal, const pos_ask *ask, int64_t now_ns,
                                     pos_said *said_out);
/* Forgets the state and folds the kept entries into a new one, as a restart does. */
POS_API pos_status pos_rehearsal_refold(pos_rehearsal *rehearsal);
POS_API void pos_rehearsal_digest(const pos_rehearsal *rehearsal, uint8_t digest_out[16]);

typedef struct pos_terminal_view {
    bool is_signed_on;
    uint32_t batch;
    uint32_t batch_closed;
    pos_totals totals;
    pos_totals totals_closed;
} pos_terminal_view;
/* TERMINAL_ABSENT where it has no entry yet. */
POS_API pos_status pos_rehearsal_terminal_view(const pos_rehearsal *rehearsal, const char tid[8],
                                               const char mid[15], pos_terminal_view *view_out);
/* Count and amount of a kind in the open batch. */
POS_API pos_status pos_rehearsal_kind_total(const pos_rehearsal *rehearsal, const char tid[8],
                                            const char mid[15], unsigned kind, bool is_foreign,
                                            uint32_t *count_out, int64_t *amount_minor_out);

typedef struct pos_posting_view {
    uint64_t undone_by;
    uint64_t completed_by;
    int64_t amount_minor;
    int64_t refunded_minor;
    int64_t adjusted_minor;
    uint8_t kind;
    bool is_voided;
    bool is_reversed;
} pos_posting_view;
/* ENTRY_ABSENT where the entry posted nothing or was forgotten. */
POS_API pos_status pos_rehearsal_posting_view(const pos_rehearsal *rehearsal, uint64_t sequence,
                                              pos_posting_view *view_out);
/* Records in the tables: what forgetting can be seen by. */
POS_API void pos_rehearsal_counts(const pos_rehearsal *rehearsal, uint32_t *terminals_out,
                                  uint32_t *postings_out, uint32_t *repeats_out);

#ifdef __cplusplus
}
#endif
#endif
