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

typedef struct pos_engine_options {
    const char *journal_path;
    const char *keystore_path; /* the enciphered working keys; NULL: beside the journal */
    pos_journal_options journal;
    pos_bytes spec;   /* images, copied */
    pos_bytes roster;
    pos_bytes policy;
    uint8_t master_key[32]; /* all other keys are derived from it; wipe yours after the call */
    uint32_t terminals_max; /* limits of the state; 0 for the defaults */
    uint32_t postings_max;
    uint32_t repeats_max;
    uint32_t wave_frames_max; /* 0 for 1,024 */
} pos_engine_options;

/* Opens or makes the journal, folds it into the state, and is ready.
 * Fails as the journal, the images and the keys do. */
POS_API pos_status pos_engine_open(const pos_engine_options *options, pos_engine **engine_out);
/* Commits nothing: what was staged and not committed was never answered. NULL is fine. */
POS_API void pos_engine_close(pos_engine *engine);

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

/* Makes everything submitted durable and its replies ready. JOURNAL_IN_DOUBT ends the engine. */
POS_API pos_status pos_engine_commit(pos_engine *engine);

typedef struct pos_reply {
    uint64_t line;
    uint64_t sequence; /* of its entry; 0 for a refusal that has none */
    const uint8_t *data; /* the whole frame; borrowed until the next submit or commit */
    size_t size;
} pos_reply;
/* The next ready reply; false where there is none. */
POS_API bool pos_engine_reply(pos_engine *engine, pos_reply *reply_out);

#ifdef __cplusplus
}
#endif
#endif
