/*
 * The table of contents of the engine: what happens to the frames of a wave, in order.
 *
 *    terminal bytes
 *         │
 *      wave_cut ─▶ wave_parse ─▶ wave_verify ─▶ settle_one ─────▶ journal ──┐
 *       frames      messages,     terminals,      one message       one     │
 *                   requests      MACs            after the other   page    │
 *                                                 decide, stage,            │
 *                                                 apply to state            │
 *      reply ◀── signed, framed, given out: only after the commit ◀─────────┘
 *
 * The first three read and judge, and change nothing; settle_one acts. So a wave that does not fit
 * into the page is taken as far as it fits, and the rest is submitted again after a commit.
 */
#include <assert.h>

#include "engine/inside.h"

enum {
#define POS_COUNTER(name, is_gauge, about) COUNTER_##name,
#include "engine/counter.def"
#undef POS_COUNTER
    COUNTER_COUNT
};

/* Time since *began_ns as nanoseconds a message; *began_ns moves on. */
static void count_stage(pos_engine *engine, pos_engine_stage_kind stage, int64_t *began_ns,
                        size_t count)
{
    const int64_t now_ns = pos_clock_monotonic_ns();
    pos_histogram_record(&engine->stages[stage], (uint64_t)(now_ns - *began_ns) / count);
    *began_ns = now_ns;
}

static pos_status pass(pos_engine *engine, const pos_arrival *arrivals, size_t count,
                       size_t *taken_out)
{
    int64_t began_ns = pos_clock_monotonic_ns();
    engine->wave_count = count;

    wave_cut(engine, arrivals, count);
    count_stage(engine, STAGE_CUT, &began_ns, count);

    wave_parse(engine, count);
    wave_read(engine, count);
    wave_tokens(engine, count);
    count_stage(engine, STAGE_PARSE, &began_ns, count);

    wave_identify(engine, count);
    wave_verify(engine, count);
    count_stage(engine, STAGE_VERIFY, &began_ns, count);

    if (engine->decide != NULL) wave_ask(engine, count);

    pos_status status = POS_OK;
    size_t taken = 0;
    settle_begin(engine);
    while (taken < count && status == POS_OK) {
        settle_ahead(engine, taken);
        status = settle_one(engine, &engine->slots[taken]);
        if (status != POS_OK) break;
        engine->counts.frames++;
        engine->counts.bytes_in += arrivals[taken].size;
        taken++;
    }
    if (taken > 0) count_stage(engine, STAGE_SETTLE, &began_ns, taken);

    wave_wipe(engine, count);
    engine->wave_count = 0;
    engine->counts.waves++;
    *taken_out = taken;
    return status;
}

pos_status pos_engine_submit_wave(pos_engine *engine, const pos_arrival *arrivals, size_t count,
                                  int64_t now_ns, size_t *taken_out)
{
    assert(engine != NULL && taken_out != NULL);
    assert(arrivals != NULL || count == 0);
    assert(now_ns >= 0);
    *taken_out = 0;
    if (atomic_load(&engine->is_in_doubt)) return POS_JOURNAL_IN_DOUBT;
    if (engine->is_stopped) return POS_ENGINE_STOPPED;
    cohorts_recycle(engine);
    engine->now_ns = now_ns;
    answer_set_clock(engine);
    size_t taken = 0;
    while (taken < count) {
        const size_t left = count - taken;
        const size_t some = left < engine->wave_frames_max ? left : engine->wave_frames_max;
        size_t passed = 0;
        const pos_status status = pass(engine, arrivals + taken, some, &passed);
        taken += passed;
        *taken_out = taken;
        if (status == POS_STAGE_FULL) engine->counts.stage_full++;
        if (status != POS_OK) return status;
    }
    return POS_OK;
}

pos_status pos_engine_submit(pos_engine *engine, uint64_t line, const uint8_t *frame, size_t size,
                             int64_t now_ns)
{
    assert(engine != NULL && frame != NULL);
    pos_frame cut;
    const pos_status status = pos_frame_next(engine->spec, frame, size, &cut);
    if (status != POS_OK) return status;
    if (cut.size != size) return POS_FRAME_LENGTH;
    const pos_arrival arrival = {.line = line, .frame = frame, .size = size};
    size_t taken = 0;
    return pos_engine_submit_wave(engine, &arrival, 1, now_ns, &taken);
}

void pos_engine_stop(pos_engine *engine)
{
    assert(engine != NULL);
    engine->is_stopped = true;
}

const pos_spec *pos_engine_spec(const pos_engine *engine)
{
    return engine->spec;
}

/* ---- what it is doing ------------------------------------------------------------------------------ */

/* Replies that wait for their commit or for whoever takes them. */
uint64_t pos_engine_unanswered(const pos_engine *engine)
{
    uint64_t count = engine->refusals.count - engine->refusals.sent;
    for (size_t index = 0; index < COHORT_COUNT; index++) {
        count += engine->cohorts[index].count - engine->cohorts[index].sent;
    }
    return count;
}

bool pos_engine_counter(const pos_engine *engine, size_t index, pos_counter *counter_out)
{
    assert(engine != NULL && counter_out != NULL);
    pos_engine_counts counts = engine->counts;
    counts.staged = pos_journal_staged_count(engine->journal);
    counts.pending = pos_engine_unanswered(engine);
    const pos_counter counters[] = {
#define POS_COUNTER(name, is_gauge, about) {#name, about, counts.name, is_gauge},
#include "engine/counter.def"
#undef POS_COUNTER
#define POS_CAUSE(name, counter, response, text)                                                 \
    {"refused_" counter, text, counts.causes[POS_CAUSE_##name], false},
#include "engine/cause.def"
#undef POS_CAUSE
    };
    index += index >= COUNTER_COUNT ? 1 : 0; /* NONE is no refusal */
    if (index >= sizeof counters / sizeof counters[0]) return false;
    *counter_out = counters[index];
    return true;
}

const pos_histogram *pos_engine_stage(const pos_engine *engine, size_t index,
                                      const char **name_out)
{
    static const char *const names[STAGE_COUNT] = {"cut",    "parse",  "verify",
                                                   "settle", "commit", "reply"};
    assert(engine != NULL && name_out != NULL);
    if (index >= STAGE_COUNT) return NULL;
    *name_out = names[index];
    return &engine->stages[index];
}

void pos_engine_journal_facts(pos_engine *engine, pos_journal_facts *facts_out)
{
    pos_journal_facts_read(engine->journal, facts_out);
}

void pos_engine_state_digest(const pos_engine *engine, uint8_t digest_out[16])
{
    pos_state_digest(engine->state, digest_out);
}
