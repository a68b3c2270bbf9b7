/*
 * Replies, from template to frame. A reply is filled and framed when its entry is staged, while the
 * request is at hand; it waits in the cohort of its page; after the commit its MAC is computed in
 * one wave with the others of the page, and it can go.
 *
 *   template + request ─▶ ┌──────────┬──────────────────────┬──────┐
 *                         │ overhead │ body (covered)       │ MAC  │   one pending, in the arena
 *                         └──────────┴──────────────────────┴──────┘
 *   cohorts:   open ─▶ handed to the journal ─▶ committed ─▶ durable: signed, given out, wiped
 *
 * The key that signs is the one that verified the request, copied: a key that rolls meanwhile, or a
 * roster that is replaced, changes nothing for what is under way.
 */
#include <assert.h>

#include "engine/inside.h"

typedef struct reply_body {
    size_t size;
    size_t covered_size;
    size_t mac_size;
    uint8_t requirement;
} reply_body;

static uint32_t after(uint32_t index)
{
    return (index + 1) % COHORT_COUNT;
}

bool cohort_has_room(const pos_engine *engine, const pos_cohort *cohort)
{
    return cohort->count < engine->cohort_entries_max
           && cohort->arena_size + REPLY_FRAME_MAX <= engine->cohort_arena_max;
}

/* All cohorts wait for the disk: nothing more can be staged until one is given out. */
bool cohorts_are_all_used(const pos_engine *engine)
{
    return after(engine->cohort_open) == engine->cohort_oldest;
}

pos_writer cohort_body(const pos_cohort *cohort)
{
    return pos_writer_over(cohort->arena + cohort->arena_size + POS_FRAME_OVERHEAD_MAX,
                           REPLY_FRAME_MAX - POS_FRAME_OVERHEAD_MAX);
}

void cohort_forget_body(pos_cohort *cohort)
{
    pos_wipe(cohort->arena + cohort->arena_size, REPLY_FRAME_MAX);
}

/* The body lies after the room that is left for the overhead; the overhead goes before it. */
static pos_status frame_body(pos_engine *engine, pos_cohort *cohort, const pos_slot *slot,
                             const reply_body *body, uint64_t sequence)
{
    assert(cohort_has_room(engine, cohort));
    assert(body->mac_size <= POS_MAC_SIZE_MAX);
    if (body->mac_size > 0 && (slot->key == NULL || !slot->rule->answer_has_mac)) {
        return POS_ENTRY_FORM; /* the template promises a MAC that nobody can make */
    }
    uint8_t overhead[POS_FRAME_OVERHEAD_MAX];
    size_t overhead_size = 0;
    const pos_status status = pos_frame_wrap(engine->spec, &slot->frame, body->requirement,
                                             body->size, overhead, &overhead_size);
    if (status != POS_OK) return status;
    assert(overhead_size <= POS_FRAME_OVERHEAD_MAX);
    const size_t covered_offset = cohort->arena_size + POS_FRAME_OVERHEAD_MAX;
    const size_t frame_offset = covered_offset - overhead_size;
    pos_copy(cohort->arena + frame_offset, overhead, overhead_size);
    pos_pending *pending = &cohort->pendings[cohort->count++];
    *pending = (pos_pending){
        .line = slot->arrival->line,
        .sequence = sequence,
        .frame_offset = (uint32_t)frame_offset,
        .frame_size = (uint32_t)(overhead_size + body->size),
        .covered_offset = (uint32_t)covered_offset,
        .covered_size = (uint32_t)body->covered_size,
        .mac_size = (uint8_t)body->mac_size,
    };
    if (body->mac_size > 0) {
        pending->algorithm = slot->terminal->mac_algorithm != POS_MAC_NONE
                                 ? slot->terminal->mac_algorithm
                                 : slot->cover.algorithm;
        pending->output = slot->cover.output;
        pending->key = *slot->key;
    }
    cohort->arena_size = covered_offset + body->size;
    return POS_OK;
}

pos_status cohort_take(pos_engine *engine, pos_cohort *cohort, const pos_slot *slot,
                       const settle_work *work)
{
    assert(work->reply_size > 0);
    const reply_body body = {.size = work->reply_size,
                             .covered_size = work->covered_size,
                             .mac_size = work->mac_size,
                             .requirement = work->decision.requirement};
    return frame_body(engine, cohort, slot, &body, work->entry.sequence);
}

pos_status cohort_add(pos_engine *engine, pos_cohort *cohort, const pos_slot *slot,
                      pos_slice template_, uint8_t requirement, uint64_t sequence)
{
    pos_writer writer = cohort_body(cohort);
    reply_body body = {.requirement = requirement};
    pos_status status = pos_answer_fill(engine->spec, template_.data, template_.size,
                                        &slot->message, &writer, &body.covered_size,
                                        &body.mac_size);
    if (status == POS_OK && writer.is_full) status = POS_ENTRY_OVERSIZE;
    body.size = writer.size;
    if (status == POS_OK) status = frame_body(engine, cohort, slot, &body, sequence);
    if (status != POS_OK) cohort_forget_body(cohort);
    return status;
}

void cohort_add_silent(pos_cohort *cohort, uint64_t line, uint64_t sequence, bool is_closing)
{
    cohort->pendings[cohort->count++] =
        (pos_pending){.line = line,
                      .sequence = sequence,
                      .frame_offset = (uint32_t)cohort->arena_size,
                      .is_closing = is_closing};
}

void cohort_drop_last(pos_cohort *cohort)
{
    assert(cohort->count > 0);
    pos_pending *pending = &cohort->pendings[--cohort->count];
    const size_t size_before =
        cohort->count > 0 ? cohort->pendings[cohort->count - 1].frame_offset
                                + cohort->pendings[cohort->count - 1].frame_size
                          : 0;
    pos_wipe(cohort->arena + size_before, cohort->arena_size - size_before);
    cohort->arena_size = size_before;
    pos_key_wipe(&pending->key);
}

static void wipe(pos_cohort *cohort)
{
    pos_wipe(cohort->arena, cohort->arena_size);
    pos_wipe(cohort->pendings, cohort->count * sizeof cohort->pendings[0]);
    cohort->arena_size = 0;
    cohort->count = 0;
    cohort->sent = 0;
    cohort->signed_count = 0;
    cohort->last_sequence = 0;
}

/* What was given out is wiped: replies carry account numbers, and were borrowed until now. */
void cohorts_recycle(pos_engine *engine)
{
    pos_cohort *refusals = &engine->refusals;
    if (refusals->count > 0 && refusals->sent == refusals->count) wipe(refusals);
    while (engine->cohort_oldest != engine->cohort_open) {
        pos_cohort *oldest = &engine->cohorts[engine->cohort_oldest];
        if (oldest->sent < oldest->count) return;
        if (oldest->last_sequence > pos_journal_durable(engine->journal)) return;
        wipe(oldest);
        engine->cohort_oldest = after(engine->cohort_oldest);
    }
}

/* The MACs of every reply of the cohort that has none yet, through the one door. */
static void sign(pos_engine *engine, pos_cohort *cohort)
{
    const int64_t began = pos_clock_monotonic_ns();
    const uint32_t first = cohort->signed_count;
    size_t jobs = 0;
    for (uint32_t index = first; index < cohort->count; index++) {
        const pos_pending *pending = &cohort->pendings[index];
        if (pending->mac_size == 0) continue;
        engine->job_slots[jobs] = index;
        engine->jobs[jobs++] = (pos_mac_job){
            .key = &pending->key,
            .covered = cohort->arena + pending->covered_offset,
            .covered_size = pending->covered_size,
            .algorithm = pending->algorithm,
        };
    }
    pos_mac_wave(engine->jobs, jobs);
    for (size_t job = 0; job < jobs; job++) {
        const pos_pending *pending = &cohort->pendings[engine->job_slots[job]];
        uint8_t *end = cohort->arena + pending->frame_offset + pending->frame_size;
        pos_mac_field(engine->jobs[job].mac, (pos_mac_output)pending->output,
                      end - pending->mac_size, pending->mac_size);
    }
    cohort->signed_count = cohort->count;
    pos_journal_sent(engine->journal, pos_clock_utc_ns());
    const uint32_t count = cohort->count - first;
    pos_histogram_record(&engine->stages[STAGE_REPLY],
                         (uint64_t)(pos_clock_monotonic_ns() - began) / count);
}

static bool take(pos_engine *engine, pos_cohort *cohort, pos_reply *reply_out)
{
    if (cohort->sent == cohort->count) return false;
    if (cohort->signed_count < cohort->count) sign(engine, cohort);
    const pos_pending *pending = &cohort->pendings[cohort->sent++];
    *reply_out = (pos_reply){
        .line = pending->line,
        .sequence = pending->sequence,
        .data = cohort->arena + pending->frame_offset,
        .size = pending->frame_size,
        .is_closing = pending->is_closing,
    };
    engine->counts.replies += pending->frame_size > 0 ? 1 : 0;
    engine->counts.bytes_out += pending->frame_size;
    return true;
}

bool pos_engine_reply(pos_engine *engine, pos_reply *reply_out)
{
    assert(engine != NULL && reply_out != NULL);
    if (take(engine, &engine->refusals, reply_out)) return true;
    if (atomic_load(&engine->is_in_doubt)) return false;
    const uint64_t durable = pos_journal_durable(engine->journal);
    uint32_t index = engine->cohort_oldest;
    while (index != engine->cohort_open) {
        pos_cohort *cohort = &engine->cohorts[index];
        if (cohort->last_sequence > durable) return false; /* law 1: no reply before its commit */
        if (take(engine, cohort, reply_out)) return true;
        index = after(index);
    }
    return false;
}

/* ---- the open cohort goes with its page ---------------------------------------------------------- */

pos_status pos_engine_turn_over(pos_engine *engine, bool *turned_out)
{
    assert(engine != NULL && turned_out != NULL);
    *turned_out = false;
    if (atomic_load(&engine->is_in_doubt)) return POS_JOURNAL_IN_DOUBT;
    cohorts_recycle(engine);
    if (pos_journal_staged_count(engine->journal) == 0) return POS_OK;
    if (cohorts_are_all_used(engine)) return POS_OK; /* replies are to be taken first */
    /* Keys first. A crash after this and before the page: the store has keys that nobody was told
     * of, and the terminal's messages still verify under the old ones. */
    const pos_status status = keyring_commit(engine);
    if (status != POS_OK) {
        atomic_store(&engine->is_in_doubt, true);
        pos_engine_log(engine, "error", "keystore_failed", "status=%s", pos_status_name(status));
        return POS_JOURNAL_IN_DOUBT;
    }
    if (!pos_journal_turn_over(engine->journal)) return POS_OK;
    engine->cohorts[engine->cohort_open].last_sequence = engine->sequence;
    engine->cohort_open = after(engine->cohort_open);
    assert(engine->cohorts[engine->cohort_open].count == 0);
    engine->counts.pages++;
    *turned_out = true;
    return POS_OK;
}

pos_status pos_engine_write(pos_engine *engine)
{
    assert(engine != NULL);
    if (atomic_load(&engine->is_in_doubt)) return POS_JOURNAL_IN_DOUBT;
    if (pos_journal_write(engine->journal, false) != POS_OK) {
        /* Law 4: the outcome is unknown. Nothing of it was answered, nothing will be. */
        atomic_store(&engine->is_in_doubt, true);
        return POS_JOURNAL_IN_DOUBT;
    }
    return POS_OK;
}

void pos_engine_on_durable(pos_engine *engine, void (*tell)(void *context), void *context)
{
    assert(engine != NULL);
    pos_journal_on_durable(engine->journal, tell, context);
}

bool pos_engine_is_staged(const pos_engine *engine)
{
    return pos_journal_staged_count(engine->journal) > 0;
}

uint32_t pos_engine_staged(const pos_engine *engine)
{
    return pos_journal_staged_count(engine->journal);
}

bool pos_engine_is_waiting(const pos_engine *engine)
{
    return engine->sequence > pos_journal_durable(engine->journal);
}

/* Counted here, by the one thread that owns the histograms: of two commits between two looks the later
 * one's time. */
static void count_commits(pos_engine *engine)
{
    int64_t took_ns = 0;
    const uint64_t commits = pos_journal_commits(engine->journal, &took_ns);
    if (commits == engine->counts.commits) return;
    engine->counts.commits = commits;
    pos_histogram_record(&engine->stages[STAGE_COMMIT], (uint64_t)took_ns);
}

pos_status pos_engine_release(pos_engine *engine)
{
    count_commits(engine);
    return atomic_load(&engine->is_in_doubt) ? POS_JOURNAL_IN_DOUBT : POS_OK;
}

pos_status pos_engine_commit(pos_engine *engine)
{
    assert(engine != NULL);
    pos_status status = POS_OK;
    while (status == POS_OK && pos_engine_is_staged(engine)) {
        bool is_turned = false;
        status = pos_engine_turn_over(engine, &is_turned);
        if (status == POS_OK && !is_turned) return POS_STAGE_FULL;
        if (status == POS_OK) status = pos_engine_write(engine);
    }
    if (status == POS_OK && pos_engine_is_waiting(engine)) status = pos_engine_write(engine);
    if (status == POS_OK) status = pos_engine_release(engine);
    if (status != POS_OK) {
        pos_engine_log(engine, "error", "commit_failed", "status=%s", pos_status_name(status));
        return status;
    }
    assert(!pos_engine_is_waiting(engine));
    return POS_OK;
}
