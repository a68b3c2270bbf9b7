/*
 * Who sent this, and is it theirs: terminal, merchant, line, MAC. The MACs of a wave go through one
 * door (pos_mac_wave), first under each terminal's newest key; those that fail go once more under
 * the key before it, which lives until the first message under the newest one has come.
 *
 *   roster ─▶ 97, 03      watch ─▶ 58      line ─▶ 58      key absent, MAC absent or wrong ─▶ A0
 *
 * Kinds without a MAC (sign-on, settle, batch upload) change keys and totals: where the roster binds
 * the terminal to a line (the origin NII of its TPDU), they must come from there.
 */
#include <assert.h>

#include "engine/inside.h"

#define MINUTE_NS INT64_C(60000000000)
#define TPDU_ORIGIN_OFFSET 3
#define STEP_BEHIND 8U /* messages between asking for memory and reading it */

static bool is_from_its_line(const pos_slot *slot)
{
    if (slot->terminal->line_nii == 0 || slot->rule->request_has_mac) return true;
    if (slot->frame.tpdu == NULL) return false;
    /* Four digits, one a nibble, in the TPDU as in the roster. */
    return pos_load_u16_be(slot->frame.tpdu + TPDU_ORIGIN_OFFSET) == slot->terminal->line_nii;
}

static pos_mac_algorithm algorithm_of(const pos_slot *slot)
{
    return (pos_mac_algorithm)(slot->terminal->mac_algorithm != POS_MAC_NONE
                                   ? slot->terminal->mac_algorithm
                                   : slot->cover.algorithm);
}

static pos_cause judge_terminal(pos_engine *engine, pos_slot *slot)
{
    if (slot->terminal == NULL) return POS_CAUSE_TERMINAL;
    if (!pos_equal(slot->terminal->mid, slot->request.mid, sizeof slot->terminal->mid)) {
        return POS_CAUSE_MERCHANT;
    }
    const pos_watch *watch = &engine->watches[slot->terminal_index];
    if (watch->is_locked || watch->locked_until_ns > engine->now_ns) return POS_CAUSE_LOCKED;
    if (!is_from_its_line(slot)) return POS_CAUSE_LINE;
    slot->keys = watch->keys;
    keyring_find(slot, algorithm_of(slot));
    if (!slot->rule->request_has_mac) return POS_CAUSE_NONE;
    if (slot->cover.mac == NULL) return POS_CAUSE_MAC_ABSENT;
    if (slot->key == NULL) return POS_CAUSE_KEY_ABSENT;
    return POS_CAUSE_NONE;
}

/* ---- who it is, step by step: each reads what the one before it asked for ------------------------- */
static void ask_cell(const pos_engine *engine, const pos_slot *slot)
{
    if (slot != NULL) pos_roster_ahead(engine->roster, slot->request.tid);
}

static void ask_record(const pos_engine *engine, const pos_slot *slot)
{
    if (slot != NULL) pos_roster_ahead_record(engine->roster, slot->request.tid);
}

static void find_terminal(const pos_engine *engine, pos_slot *slot)
{
    if (slot == NULL) return;
    slot->terminal = pos_roster_find(engine->roster, slot->request.tid);
    if (slot->terminal == NULL) return;
    slot->terminal_index = (uint32_t)(slot->terminal - pos_roster_at(engine->roster, 0));
    assert(pos_roster_at(engine->roster, slot->terminal_index) == slot->terminal);
    const pos_watch *watch = &engine->watches[slot->terminal_index];
    __builtin_prefetch(watch);
    __builtin_prefetch(&watch->is_locked); /* on the next line, perhaps */
}

static void find_keys(const pos_engine *engine, pos_slot *slot)
{
    if (slot == NULL || slot->terminal == NULL) return;
    pos_watch *watch = &engine->watches[slot->terminal_index];
    slot->ours = watch->ours;
    if (watch->keys == NULL) watch->keys = keyring_record(engine, slot->terminal);
    if (watch->keys == NULL) return;
    __builtin_prefetch(&watch->keys->mak);
    __builtin_prefetch(&watch->keys->mak_old);
}

static void judge_identity(pos_engine *engine, pos_slot *slot)
{
    if (slot != NULL) slot->cause = (uint8_t)judge_terminal(engine, slot);
}

/* NULL: none of the wave, or one that has failed already. An index below 0 wraps, and is none either. */
static inline pos_slot *slot_at(const pos_engine *engine, size_t index, size_t count)
{
    if (index >= count || engine->slots[index].cause != POS_CAUSE_NONE) return NULL;
    return &engine->slots[index];
}

/*
 * Five steps, each some messages behind the one before it, so that the memory which it needs comes while
 * others are looked at. Not one step over the whole wave after the other: half a thousand requests at once
 * wait for one another. A short wave has short steps.
 */
void wave_identify(pos_engine *engine, size_t count)
{
    const size_t behind = count < STEP_BEHIND ? count : STEP_BEHIND;
    for (size_t index = 0; index < count + 4 * behind; index++) {
        ask_cell(engine, slot_at(engine, index, count));
        ask_record(engine, slot_at(engine, index - behind, count));
        find_terminal(engine, slot_at(engine, index - 2 * behind, count));
        find_keys(engine, slot_at(engine, index - 3 * behind, count));
        judge_identity(engine, slot_at(engine, index - 4 * behind, count));
    }
}

/* Computes the MACs of the slots listed in job_slots[0 .. count). */
static void compute(pos_engine *engine, size_t count, bool is_old)
{
    for (size_t job = 0; job < count; job++) {
        const pos_slot *slot = &engine->slots[engine->job_slots[job]];
        engine->jobs[job] = (pos_mac_job){
            .key = is_old ? slot->key_old : slot->key,
            .covered = slot->cover.data,
            .covered_size = slot->cover.size,
            .algorithm = (uint8_t)algorithm_of(slot),
        };
    }
    pos_mac_wave(engine->jobs, count);
}

static bool matches(const pos_slot *slot, const pos_mac_job *job)
{
    uint8_t field[POS_MAC_SIZE_MAX];
    if (slot->cover.mac_size == 0 || slot->cover.mac_size > sizeof field) return false;
    pos_mac_field(job->mac, (pos_mac_output)slot->cover.output, field, slot->cover.mac_size);
    return pos_equal_constant_time(field, slot->cover.mac, slot->cover.mac_size);
}

/* Judges the jobs, and keeps in job_slots those that deserve the old key; their count. */
static size_t judge(pos_engine *engine, size_t count, bool is_old)
{
    size_t again = 0;
    for (size_t job = 0; job < count; job++) {
        const uint32_t index = engine->job_slots[job];
        pos_slot *slot = &engine->slots[index];
        if (matches(slot, &engine->jobs[job])) {
            slot->request.flags |= POS_FLAG_MAC_CHECKED;
            slot->is_old_key = is_old;
            if (is_old) slot->key = slot->key_old;
        } else if (!is_old && slot->key_old != NULL) {
            engine->job_slots[again++] = index;
        } else {
            slot->cause = POS_CAUSE_MAC_WRONG;
            slot->fault.status = POS_MAC_MISMATCH;
        }
    }
    return again;
}

void wave_verify(pos_engine *engine, size_t count)
{
    assert(engine != NULL);
    size_t jobs = 0;
    for (size_t index = 0; index < count; index++) {
        const pos_slot *slot = &engine->slots[index];
        if (slot->cause == POS_CAUSE_NONE && slot->rule->request_has_mac) {
            engine->job_slots[jobs++] = (uint32_t)index;
        }
    }
    if (jobs == 0) return;
    compute(engine, jobs, false);
    const size_t again = judge(engine, jobs, false);
    if (again == 0) return;
    compute(engine, again, true);
    const size_t left = judge(engine, again, true);
    assert(left == 0);
    (void)left;
}

void guard_note(pos_engine *engine, pos_slot *slot)
{
    assert(slot->cause == POS_CAUSE_MAC_WRONG);
    assert(slot->terminal != NULL);
    pos_watch *watch = &engine->watches[slot->terminal_index];
    const bool is_new_window = engine->now_ns - watch->window_from_ns >= MINUTE_NS
                               || engine->now_ns < watch->window_from_ns;
    if (is_new_window) {
        watch->window_from_ns = engine->now_ns;
        watch->bad_macs = 0;
    }
    watch->bad_macs++;
    if (watch->bad_macs < engine->bad_macs_max || watch->locked_until_ns > engine->now_ns) return;
    watch->locked_until_ns = engine->now_ns + engine->lock_ns;
    watch->bad_macs = 0;
    engine->counts.guard_locks++;
    pos_engine_log(engine, "error", "guard_lock", "tid=%.8s bad_macs=%u lock_s=%lld",
                   slot->terminal->tid, engine->bad_macs_max,
                   (long long)(engine->lock_ns / 1000000000));
    (void)settle_note(engine, POS_KIND_ALARM, "GL", slot->terminal->tid, engine->bad_macs_max);
}
