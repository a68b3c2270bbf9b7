/*
 * The inside of the engine room: one struct, and what its files do for one another. Nothing outside
 * of engine/ includes this.
 *
 *   pipeline.c  the table of contents       wave.c     cut, parse, read: what needs no order
 *   verify.c    terminals, MACs, the guard  settle.c   one message: admit, decide, stage, apply
 *   ask.c       an embedding program that decides
 *   answer.c    values by role              reply.c    cohorts: fill, sign, frame, release
 *   sign_on.c   working keys                download.c what terminals fetch
 *   alarm.c     counts, logs, alarms        open.c     images, recovery, reload
 *   restore.c   the state: snapshot, fold
 */
#ifndef POS_ENGINE_INSIDE_H
#define POS_ENGINE_INSIDE_H

#include <stdatomic.h>

#include "bytes/bytes.h"
#include "decide/decide.h"
#include "engine/engine.h"
#include "journal/journal.h"
#include "mac/mac.h"
#include "measure/measure.h"
#include "message/message.h"
#include "roster/roster.h"
#include "state/state.h"

typedef enum pos_cause {
#define POS_CAUSE(name, counter, response, text) POS_CAUSE_##name,
#include "engine/cause.def"
#undef POS_CAUSE
    POS_CAUSE_COUNT
} pos_cause;

typedef enum pos_engine_stage_kind {
    STAGE_CUT,
    STAGE_PARSE,
    STAGE_VERIFY,
    STAGE_SETTLE,
    STAGE_COMMIT,
    STAGE_REPLY,
    STAGE_COUNT
} pos_engine_stage_kind;

typedef struct pos_engine_counts {
#define POS_COUNTER(name, is_gauge, about) uint64_t name;
#include "engine/counter.def"
#undef POS_COUNTER
    uint64_t causes[POS_CAUSE_COUNT];
} pos_engine_counts;

/* ---- a wave: one slot a frame, alive for one call of submit ------------------------------------- */
typedef struct pos_slot {
    const pos_arrival *arrival;
    const pos_rule *rule;
    const pos_recipe *recipe;     /* of messages of this shape; NULL: none, which is no fault */
    const pos_terminal *terminal; /* NULL where the roster has none */
    const pos_terminal_state *ours; /* its state; NULL: none when it was looked for */
    uint32_t terminal_index;
    bool is_old_key;  /* verified under key_old */
    bool has_held;    /* `held` has a key in it, which is to be wiped */
    uint8_t cause;    /* pos_cause: why it gets no decision; NONE: it gets one */
    char said[2];     /* what the embedding program says; "00": nothing against it */
    const pos_terminal_keys *keys; /* the terminal's record in the key store; NULL: none */
    const pos_key *key;     /* the MAK that verified it, or that is newest: signs the answer */
    const pos_key *key_old; /* NULL: none; both lie in `keys`, or in `held` */
    pos_mac_cover cover;
    pos_fault fault;
    pos_frame frame;
    pos_request request;
    pos_message message;
    pos_key held[2]; /* copies, where the record's own do not serve: see keyring_find */
} pos_slot;

typedef struct pos_pan {
    size_t size;
    char digits[20];
} pos_pan;

/* ---- cohorts: the replies of one page, filled but not yet signed ------------------------------------ */
typedef struct pos_pending {
    uint64_t line;
    uint64_t sequence;
    uint32_t frame_offset; /* of the whole frame in the cohort's arena */
    uint32_t frame_size;
    uint32_t covered_offset; /* what the MAC covers */
    uint32_t covered_size;
    uint8_t mac_size; /* bytes of the MAC field at the frame's end; 0: unsigned */
    uint8_t algorithm;
    uint8_t output; /* pos_mac_output */
    bool is_closing;
    pos_key key;
} pos_pending;

typedef struct pos_cohort {
    pos_pending *pendings;
    uint8_t *arena;
    uint32_t count;
    uint32_t sent; /* given out by pos_engine_reply */
    size_t arena_size;
    uint32_t signed_count;
    uint64_t last_sequence; /* of its page; known when the page is handed over */
} pos_cohort;

#define COHORT_COUNT 6

/* ---- what is known of a terminal while the engine runs, beside the roster ---------------------------- */
typedef struct pos_watch {
    const pos_terminal_keys *keys; /* found once: records stay where they are; NULL: look */
    const pos_terminal_state *ours; /* the same */
    int64_t window_from_ns; /* of the minute in which wrong MACs are counted */
    int64_t locked_until_ns;
    uint32_t bad_macs;
    bool is_locked; /* by the operator, journalled */
} pos_watch;

/* ---- rates: at most so many lines or alarms a while ------------------------------------------------------ */
typedef struct pos_rate {
    int64_t from_ns;
    uint32_t taken;
    uint32_t left_out;
} pos_rate;

#define LOG_EVENTS_MAX 48
#define ENTRY_HEAP_MAX 8192U     /* redacted request and template: more cannot come of one frame */
#define REPLY_FRAME_MAX 4096U    /* the longest reply with its overhead and MAC */
#define DOWNLOAD_VALUE_MAX 960U  /* of field 62's 999 */

/* ---- answers: which values a rule's answer carries, and the clock that some of them show -------------- */
typedef enum answer_source {
    SOURCE_LOCAL_TIME,
    SOURCE_LOCAL_DATE,
    SOURCE_SETTLEMENT_DATE,
    SOURCE_ACQUIRER,
    SOURCE_RRN,
    SOURCE_AUTH,
    SOURCE_RESPONSE,
    SOURCE_INSTITUTIONS,
    SOURCE_TOTALS,
    SOURCE_BALANCE,
    SOURCE_VOUCHER,
    SOURCE_BATCH,
    SOURCE_PRIVATE_62,
    SOURCE_OPERATOR,
    ANSWER_SOURCE_COUNT
} answer_source;

typedef struct answer_step {
    uint8_t field;
    uint8_t source; /* answer_source */
    uint16_t size;  /* units of the field at most: a date has four, six or eight digits */
} answer_step;

#define ANSWER_PLANS 64

/* The values of an answer that has nothing unusual: all but three are the same for every message until
 * the clock, as terminals show it, moves on or the names change. */
typedef struct answer_sheet {
    pos_answer_sheet given; /* of `values` */
    uint32_t rrn;           /* where these lie among the values; the last place is nobody's */
    uint32_t auth;
    uint32_t response;
    pos_answer_value values[ANSWER_SOURCE_COUNT + 1];
} answer_sheet;

typedef struct answer_plan {
    const pos_rule *rule; /* NULL: not worked out */
    size_t count;
    answer_step steps[ANSWER_SOURCE_COUNT]; /* ascending by field */
    uint32_t odd_count;
    uint8_t odd[ANSWER_SOURCE_COUNT]; /* steps whose values most messages do not have */
    uint64_t edition;      /* of clock and names that the sheets were made of; 0: they were not */
    answer_sheet sheets[2]; /* without an authorisation code, and with one */
} answer_plan;

typedef struct answer_clock {
    unsigned year, month;
    char local[14];   /* YYYYMMDDhhmmss */
    char business[8]; /* YYYYMMDD */
    const pos_policy_names *names; /* and what they were */
    pos_policy_names names_were;
    uint64_t edition; /* of all these; never the same again */
    uint64_t sheets;  /* numbers given to sheets so far */
} answer_clock;

/* ---- a message in hand: what is made of it, and not needed after it ---------------------------------- */
typedef struct sign_on_block {
    uint8_t bytes[160]; /* enciphered keys and check values, as field 62 carries them */
    uint8_t kept[160];  /* the same with the enciphered keys zeroed: what the journal keeps */
    uint32_t size;
} sign_on_block;

typedef struct settle_work {
    pos_decision decision;
    pos_entry entry;
    pos_slice stored;   /* of a repeat: the template that the journal kept */
    size_t kept_offset; /* in scratch: the template as the journal keeps it */
    size_t kept_size;
    size_t request_size; /* in scratch, from 0: the redacted request */
    size_t reply_size;   /* the reply's body lies behind the cohort's end already; 0: it does not */
    size_t covered_size; /* of it: what the MAC covers */
    size_t mac_size;
    uint32_t private_62_size;
    sign_on_block block;
    uint8_t private_62[DOWNLOAD_VALUE_MAX];
} settle_work;

typedef struct pos_download_table pos_download_table;
typedef struct pos_keyring pos_keyring;

struct pos_engine {
    /* loaded, replaced whole by reload */
    pos_spec *spec;
    pos_recipes *recipes;  /* of the spec: what its shapes of message come to */
    pos_plan_cache *plans; /* and how they are parsed */
    pos_roster *roster;
    pos_policy *policy;
    const pos_policy_names *names; /* of the policy */
    pos_download_table *downloads;
    pos_watch *watches; /* one a terminal of the roster */
    answer_plan answer_plans[ANSWER_PLANS]; /* of rules of the spec */
    /* derived from the master key once */
    uint8_t siv_key[64];
    pos_cmac_key token_key;
    pos_cmac_key fingerprint_key;
    pos_keyring *keyring;
    pos_journal *journal;
    pos_state *state;
    /* settings */
    char *state_path; /* of the snapshot */
    uint32_t wave_frames_max;
    uint32_t cohort_entries_max;
    size_t cohort_arena_max;
    int32_t zone_offset_minute;
    uint32_t cutover_minute;
    uint32_t terminals_max;
    uint32_t bad_macs_max;
    int64_t lock_ns;
    void (*log)(void *context, const char *line, size_t size);
    void *log_context;
    void (*decide)(void *context, pos_question *questions, size_t count);
    void *decide_context;
    bool keep_pan; /* the journal keeps account numbers, enciphered */
    /* memory of fixed size */
    pos_slot *slots;
    pos_parse_job *parse_jobs;
    size_t wave_count; /* slots of the wave in hand */
    pos_question *questions;
    pos_pan *pans; /* account numbers, between being read and becoming tokens; to the wave's end
                      where the journal keeps them */
    pos_token_job *tokens;
    pos_mac_job *jobs;        /* for a wave or a cohort, whichever is larger */
    uint32_t *job_slots;      /* which slot a job is of */
    settle_work *work;        /* of the message in hand */
    uint8_t *scratch;         /* one message's heap: redacted request, template */
    pos_cohort cohorts[COHORT_COUNT];
    pos_cohort refusals;      /* answers without an entry: ready at once */
    uint32_t cohort_open;     /* index of the one that fills */
    uint32_t cohort_oldest;   /* index of the oldest that is not yet given out */
    /* running */
    uint64_t sequence; /* of the last entry staged */
    int64_t now_ns;    /* of the wave in hand */
    answer_clock answer_clock; /* the same, as terminals show it */
    atomic_bool is_in_doubt;
    bool is_stopped;
    pos_engine_counts counts;
    pos_histogram stages[STAGE_COUNT];
    pos_rate alarm_rates[POS_CAUSE_COUNT];
    struct {
        const char *event;
        pos_rate rate;
    } log_rates[LOG_EVENTS_MAX];
};

/* wave.c: each takes every slot of the wave and leaves a cause where one fails */
void wave_cut(pos_engine *engine, const pos_arrival *arrivals, size_t count);
void wave_parse(pos_engine *engine, size_t count);
/* Facts of every message that is parsed. */
void wave_read(pos_engine *engine, size_t count);
/* Token and fingerprint of every request that was read; the digits are wiped, unless they are kept. */
void wave_tokens(pos_engine *engine, size_t count);
void wave_wipe(pos_engine *engine, size_t count);

/* verify.c */
void wave_identify(pos_engine *engine, size_t count);
void wave_verify(pos_engine *engine, size_t count);
void guard_note(pos_engine *engine, pos_slot *slot);

/* ask.c */
void wave_ask(pos_engine *engine, size_t count);
/* Declines what the rules approved and the embedding program did not. */
void ask_apply(const pos_slot *slot, pos_decision *decision);

/* settle.c: STAGE_FULL leaves everything as it was */
pos_status settle_one(pos_engine *engine, pos_slot *slot);
/* Asks for the memory of messages whose turn comes: before the first, and at each one's turn. */
void settle_begin(pos_engine *engine);
void settle_ahead(pos_engine *engine, size_t index);
/* Its steps; those after the first leave a cause in the slot where they fail. */
pos_status settle_admit(pos_engine *engine, pos_slot *slot);
void settle_decide(pos_engine *engine, pos_slot *slot, settle_work *work);
void settle_record(pos_engine *engine, pos_slot *slot, settle_work *work);
void settle_reply(pos_engine *engine, pos_slot *slot, settle_work *work);
pos_status settle_stage(pos_engine *engine, pos_slot *slot, settle_work *work);
/* Stages an entry of the engine's own; false where there is no room now. */
bool settle_note(pos_engine *engine, pos_kind kind, const char reason[2], const char *tid,
                 uint32_t number);

/* answer.c */
typedef struct answer_sources {
    const pos_slot *slot;
    const pos_decision *decision; /* NULL: a refusal */
    const char *rrn;              /* 12 characters */
    const char *response;         /* 2 */
    const uint8_t *private_62;    /* key block or download records */
    uint32_t private_62_size;
} answer_sources;
/* Once a wave: local time and business date as texts, and which names are in force. */
void answer_set_clock(pos_engine *engine);
/* Another spec is in force. */
void answer_forget_plans(pos_engine *engine);
/* A template of the answer, and the body of the reply filled from it. Fails: FIELD_*. */
pos_status answer_make(pos_engine *engine, const answer_sources *sources, pos_writer *template_,
                       pos_writer *reply, size_t *covered_size_out, size_t *mac_size_out,
                       pos_fault *fault_out);
/* The template alone. */
pos_status answer_build(pos_engine *engine, const answer_sources *sources, pos_writer *writer,
                        pos_fault *fault_out);
/* The template of a refusal: echoes and field 39. */
pos_status answer_build_refusal(pos_engine *engine, const pos_slot *slot, const char response[2],
                                pos_writer *writer, pos_fault *fault_out);

/* reply.c */
bool cohort_has_room(const pos_engine *engine, const pos_cohort *cohort);
/* Where the body of the next reply is written. */
pos_writer cohort_body(const pos_cohort *cohort);
/* Makes a frame of the body that was written there. Fails: ENTRY_FORM, ENTRY_OVERSIZE. */
pos_status cohort_take(pos_engine *engine, pos_cohort *cohort, const pos_slot *slot,
                       const settle_work *work);
/* The same of a template, filled from the slot's request. Fails: ENTRY_FORM, ENTRY_OVERSIZE. */
pos_status cohort_add(pos_engine *engine, pos_cohort *cohort, const pos_slot *slot,
                      pos_slice template_, uint8_t requirement, uint64_t sequence);
/* What was written and is not taken: it may hold an account number. */
void cohort_forget_body(pos_cohort *cohort);
/* Nothing to send: the line is closed, or the message is of a kind that is not answered. */
void cohort_add_silent(pos_cohort *cohort, uint64_t line, uint64_t sequence, bool is_closing);
void cohort_drop_last(pos_cohort *cohort);
void cohorts_recycle(pos_engine *engine);
bool cohorts_are_all_used(const pos_engine *engine);

/* sign_on.c */
pos_status keyring_open(pos_engine *engine, const char *path);
void keyring_close(pos_engine *engine);
/* The terminal's record; NULL while it has none. Stays where it is until the engine closes. */
const pos_terminal_keys *keyring_record(const pos_engine *engine, const pos_terminal *terminal);
/* The newest MAK and the one before it, of `slot->keys`; NULL where they are absent. */
void keyring_find(pos_slot *slot, pos_mac_algorithm algorithm);
/* Whether an answer of the dialect can carry working keys at all. */
bool keyring_has_place(const pos_engine *engine);
/* New working keys, put into the store; on disk after keyring_commit. */
pos_status keyring_make(pos_engine *engine, const pos_slot *slot, sign_on_block *block_out);
/* The first message under the newest key has come: the old one is dropped. */
void keyring_confirm(pos_engine *engine, const pos_slot *slot);
pos_status keyring_commit(pos_engine *engine);
/* Does the sign-on's kept block fit the keys of the store? */
bool keyring_fits(const pos_engine *engine, const pos_terminal *terminal, const uint8_t *kept,
                  size_t size);

/* download.c */
pos_status downloads_open(const uint8_t *image, size_t size, pos_download_table **table_out);
void downloads_close(pos_download_table *table);
/* The value of field 62 for a download; 0 where the answer carries none. */
uint32_t downloads_answer(const pos_download_table *table, uint16_t code, const uint8_t *asked,
                          size_t asked_size, uint8_t value_out[DOWNLOAD_VALUE_MAX]);

/* restore.c */
typedef struct restored {
    uint64_t sequence; /* of the snapshot; 0: none was used */
    uint64_t folded;   /* entries after it */
    int64_t load_ns;
    int64_t fold_ns;
    const char *words; /* why the snapshot that is there was not used; NULL */
} restored;
/* Fails: as the journal and the state do; a snapshot that does not fit is no failure. */
pos_status restore_state(pos_journal *journal, const pos_state_options *limits, const char *path,
                         pos_state **state_out, restored *told_out);
/* Out of the way of the next start, for people to look at. */
void restore_put_aside(const char *path);
/* Fails: ENTRY_FORM where the state is not at the end of a durable page. */
pos_status restore_save(pos_journal *journal, const pos_state *state, const char *path,
                        bool is_gentle);

/* alarm.c */
void refuse(pos_engine *engine, pos_slot *slot);
bool rate_takes(pos_rate *rate, int64_t now_ns, int64_t window_ns, uint32_t count_max);
const char *cause_text(unsigned cause);
const char *cause_response(unsigned cause);

#endif
