/*
 * The engine: frames in, durable decisions, replies out. It never sees a socket; front/ serves
 * one, and tests, benches and embedding programs drive the same calls.
 *
 *   submit ─▶ cut, parse, MAC, decide, stage      (as often as there are frames)
 *   commit ─▶ one page, one durable commit
 *   reply  ─▶ the answers of that page, signed    (until there are no more)
 */
#ifndef POSENGINE_ENGINE_H
#define POSENGINE_ENGINE_H

#include "posengine/codec.h"
#include "posengine/journal.h"
#include "posengine/measure.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pos_engine pos_engine;

typedef struct pos_bytes {
    const uint8_t *data;
    size_t size;
} pos_bytes;

/*
 * What an embedding program that decides is asked about each request that may move money: facts, no
 * secrets. `response` is its answer: left as "00", the engine's own rules have the word; any other
 * code declines what they would have approved. It cannot approve what they decline, and repeats,
 * reversals and settlement are not asked about: they follow from what was decided before.
 */
typedef struct pos_question {
    int64_t amount_minor;
    uint32_t processing;
    uint32_t stan;
    uint32_t batch;
    uint32_t bin;
    uint32_t flags; /* POS_FLAG_* */
    uint16_t last4;
    uint16_t mti;
    uint16_t currency;
    uint16_t entry_mode;
    uint8_t kind; /* pos_kind */
    uint8_t condition;
    char tid[8];
    char mid[15];
    uint8_t pan_token[16];
    char response[2]; /* out */
    uint8_t padding[5];
} pos_question;

typedef struct pos_engine_options {
    const char *journal_path;
    const char *keystore_path; /* the enciphered working keys; NULL: beside the journal */
    const char *state_path; /* the state's snapshot; NULL: "<journal_path>.state" */
    pos_journal_options journal;
    pos_bytes spec;   /* images, copied */
    pos_bytes roster;
    pos_bytes policy;
    pos_bytes downloads; /* what terminals may download: see engine/download.c; empty: nothing */
    uint8_t master_key[32]; /* all other keys are derived from it; wipe yours after the call */
    uint32_t terminals_max; /* limits of the state; 0 for the defaults */
    uint32_t postings_max;
    uint32_t repeats_max;
    uint32_t repeat_window_h;
    uint32_t wave_frames_max; /* 0 for 1,024 */
    /* Guard: a terminal that sends `bad_macs_max` wrong MACs within a minute is locked. A MAC of 32
     * bits is only as strong as the number of guesses that it allows. */
    uint32_t bad_macs_max; /* 0 for 5 */
    uint32_t lock_s;       /* 0 for 900 */
    /* Told what happened, a line at a time, without its newline: "level=warn event=refused ...".
     * Rate-limited, never a secret. NULL: nothing is told. Called from the thread that submits. */
    void (*log)(void *context, const char *line, size_t size);
    void *log_context;
    /* Asked once a wave, with every request of it that is authenticated and may move money, on the
     * thread that submits: what it takes, every message waits. NULL: the policy decides alone. */
    void (*decide)(void *context, pos_question *questions, size_t count);
    void *decide_context;
} pos_engine_options;

/* Opens or makes the journal, folds it into the state, and is ready.
 * Fails as the journal, the images and the keys do. */
POS_API pos_status pos_engine_open(const pos_engine_options *options, pos_engine **engine_out);
/* Commits nothing: what was staged and not committed was never answered. Where much has come since the
 * last snapshot of the state, a new one is written. NULL is fine. */
POS_API void pos_engine_close(pos_engine *engine);

/* ---- snapshots of the state, beside a running engine ---------------------------------------------- */
/* In a process of its own: it reads the journal and never touches the engine. Limits and window as the
 * engine's, or the engine will not use what was made. */
typedef struct pos_saver_options {
    const char *journal_path;
    const char *state_path;
    uint32_t terminals_max;
    uint32_t postings_max;
    uint32_t repeats_max;
    uint32_t repeat_window_h;
    uint64_t entries_min; /* durable since the newest snapshot; with fewer nothing is made */
    bool is_gentle;       /* leave half of the disk's time to others */
} pos_saver_options;
typedef struct pos_saved_state {
    bool is_new;
    uint64_t sequence; /* of its last entry; 0: there is no snapshot */
    uint64_t folded;   /* entries since the one before */
    uint64_t size;
    int64_t at_ns;
    uint8_t journal_id[16];
} pos_saved_state;
/* Fails: as reading the journal does; STATE_FULL, MEMORY, SYSTEM. The older snapshot stays then. */
POS_API pos_status pos_engine_save_state(const pos_saver_options *options,
                                         pos_saved_state *saved_out);
/* What the snapshot at `path` says of itself. Fails: ENTRY_ABSENT, IMAGE_FORM, SYSTEM. */
POS_API pos_status pos_engine_saved_state(const char *path, pos_saved_state *saved_out);

/* One whole frame with its length header, from connection `line`. `now_ns` is UTC.
 * Fails: STAGE_FULL (commit first), FRAME_* (close the line), JOURNAL_IN_DOUBT, ENGINE_STOPPED.
 * Whatever a terminal can get wrong inside of a frame is answered, not returned. */
POS_API pos_status pos_engine_submit(pos_engine *engine, uint64_t line, const uint8_t *frame,
                                     size_t size, int64_t now_ns);
/* The same for many at once: the unit of parsing and authenticating. `taken_out` frames were
 * taken; the rest must be submitted again after a commit (STAGE_FULL). A frame that can never be
 * answered gets no reply and counts as taken. */
typedef struct pos_arrival {
    uint64_t line;
    const uint8_t *frame;
    size_t size;
} pos_arrival;
POS_API pos_status pos_engine_submit_wave(pos_engine *engine, const pos_arrival *arrivals,
                                          size_t count, int64_t now_ns, size_t *taken_out);

/* Makes everything submitted durable and its replies ready. Fails: STAGE_FULL where the replies of
 * earlier commits were not taken; JOURNAL_IN_DOUBT, which ends the engine. */
POS_API pos_status pos_engine_commit(pos_engine *engine);

typedef struct pos_reply {
    uint64_t line;
    uint64_t sequence; /* of its entry; 0 for a refusal that has none */
    const uint8_t *data; /* the whole frame; borrowed until the next submit or commit */
    size_t size;         /* 0: nothing to send (a kind that is not answered, or closing) */
    bool is_closing;     /* close the line: what it sent can never be answered */
} pos_reply;
/* The next ready reply; false where there is none. */
POS_API bool pos_engine_reply(pos_engine *engine, pos_reply *reply_out);

/* ---- between waves ------------------------------------------------------------------------------- */
/*
 * Loads new images, whole or not at all; an empty one keeps what is loaded. The change is an
 * ADMINISTRATION entry ("RL") of the page that is open, and goes into every later page's header.
 * Fails as the images do, and then nothing has changed; STAGE_FULL (commit first).
 */
typedef struct pos_engine_images {
    pos_bytes spec;
    pos_bytes roster;
    pos_bytes policy;
    pos_bytes downloads;
} pos_engine_images;
POS_API pos_status pos_engine_reload(pos_engine *engine, const pos_engine_images *images,
                                     int64_t now_ns);
/* Locks or unlocks a terminal by an ADMINISTRATION entry ("LK", "UL"), so that it holds over a
 * restart. Unlocking also ends the guard's lock. Fails: TERMINAL_ABSENT, STAGE_FULL. */
POS_API pos_status pos_engine_lock(pos_engine *engine, const char tid[8], bool is_locked,
                                   int64_t now_ns);
/* Takes nothing more; what was submitted can still be committed. ENGINE_STOPPED from submit. */
POS_API void pos_engine_stop(pos_engine *engine);

/* ---- what it is doing --------------------------------------------------------------------------- */
typedef struct pos_counter {
    const char *name;  /* static: "frames", "refused_mac_wrong" */
    const char *about; /* static, a sentence */
    uint64_t value;
    bool is_gauge; /* goes up and down */
} pos_counter;
/* Counter `index`; false past the last. */
POS_API bool pos_engine_counter(const pos_engine *engine, size_t index, pos_counter *counter_out);
/* Durations in ns of stage `index` ("cut", "parse", ..., "commit", "reply"): of a message in the
 * stages that a wave passes, of a page in commit. NULL past the last. */
POS_API const pos_histogram *pos_engine_stage(const pos_engine *engine, size_t index,
                                              const char **name_out);
POS_API void pos_engine_journal_facts(pos_engine *engine, pos_journal_facts *facts_out);
/* The digest of the state that the journal adds up to: equal after every restart. */
POS_API void pos_engine_state_digest(const pos_engine *engine, uint8_t digest_out[16]);

#ifdef __cplusplus
}
#endif
#endif
