/*
 * The room that runs the pipeline. What embedding programs see is include/posengine/engine.h; here
 * is what a front with two threads uses besides: pos_engine_commit in three steps.
 *
 *   front thread                                    journal thread
 *   submit ─▶ open cohort ── turn_over ───────────▶ write ─▶ disk
 *     ▲                                               │
 *     └── release ─▶ replies ◀── durable sequence ────┘
 *
 * A cohort is the replies of one page. Six are enough: one fills, one waits, one is being assembled
 * and one flushed, one is being sent, and one to spare.
 */
#ifndef POS_ENGINE_ROOM_H
#define POS_ENGINE_ROOM_H

#include "bytes/bytes.h"
#include "measure/measure.h"
#include "posengine/engine.h"

/*
 * Front thread: hands what is staged to the journal thread, the new working keys first (they must
 * be on disk before the page that reports them). `turned_out` is false where nothing is staged or
 * the journal thread still has a page. Fails: JOURNAL_IN_DOUBT, which ends the engine.
 */
pos_status pos_engine_turn_over(pos_engine *engine, bool *turned_out);
/*
 * Journal thread: writes the page that was handed over. A large one may still be on its way when this
 * comes back, so that the next can be handed over; with none handed over it waits for that.
 * Fails: JOURNAL_IN_DOUBT.
 */
pos_status pos_engine_write(pos_engine *engine);
/* Has `tell` called when replies became ready after `write` had come back: by another thread, so
 * briefly, and not into the engine. NULL: no longer; after that, never again. */
void pos_engine_on_durable(pos_engine *engine, void (*tell)(void *context), void *context);
/* Front thread, after a write: counts it; the replies that became durable are ready now.
 * Fails: JOURNAL_IN_DOUBT. */
pos_status pos_engine_release(pos_engine *engine);
/* Front thread: something is staged; something is staged, being written, or not yet durable. */
bool pos_engine_is_staged(const pos_engine *engine);
bool pos_engine_is_waiting(const pos_engine *engine);
/* Takes the memory of the state's tables now, where it is `size_max` at the most. Any thread, beside
 * any call but close. */
void pos_engine_touch(pos_engine *engine, uint64_t size_max);
uint32_t pos_engine_staged(const pos_engine *engine);
/* Messages whose replies were not given out yet. */
uint64_t pos_engine_unanswered(const pos_engine *engine);
/* The spec in force: the front cuts frames with it. Borrowed until the next reload. */
const pos_spec *pos_engine_spec(const pos_engine *engine);
/* Writes one line to the engine's log, rate-limited for each `event`, a static word. */
void pos_engine_log(pos_engine *engine, const char *level, const char *event, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

#endif
