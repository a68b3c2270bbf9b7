/*
 * Opening, closing, reloading. A start is a replay: the journal recovers what is durable, and the
 * fold of all its entries is the state.
 *
 *   1. images     spec, roster, policy, downloads: checked whole before anything is touched
 *   2. keys       derived from the master key; the key store opens or the start fails
 *   3. journal    opened, recovered: what was staged and not durable was never answered
 *   4. state      from its snapshot and the entries after it, or all entries: restore.c
 *   5. check      the key store's check values against those of the last sign-ons
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/inside.h"

#define WAVE_FRAMES_DEFAULT 1024U
#define COHORT_ENTRIES_DEFAULT 4096U
#define REPLY_SIZE_EXPECTED 512U
#define RECORD_SIZE_EXPECTED 128U /* of the state's tables, with their indexes */
#define BAD_MACS_DEFAULT 5U
#define LOCK_S_DEFAULT 900U
#define SAVED_AFTER_ENTRIES 100000U /* below it the fold is as quick as a snapshot */
#define PAGE_SIZE_MIN 65536U /* below it one large entry would find no room in an empty page */

/* ---- images, whole or not at all ------------------------------------------------------------------ */

typedef struct loaded {
    pos_spec *spec;
    pos_recipes *recipes;
    pos_plan_cache *plans;
    pos_roster *roster;
    pos_policy *policy;
    pos_download_table *downloads;
    pos_watch *watches;
} loaded;

static void unload(loaded *images)
{
    pos_recipes_close(images->recipes);
    pos_plan_cache_close(images->plans);
    if (images->spec != NULL) pos_spec_close(images->spec);
    if (images->roster != NULL) pos_roster_close(images->roster);
    if (images->policy != NULL) pos_policy_close(images->policy);
    downloads_close(images->downloads);
    free(images->watches);
    *images = (loaded){0};
}

static pos_status load(const pos_engine *engine, const pos_engine_images *from, loaded *images_out)
{
    loaded images = {0};
    pos_status status = POS_OK;
    if (from->spec.size > 0) status = pos_spec_open(from->spec.data, from->spec.size, &images.spec);
    if (status == POS_OK && images.spec != NULL) {
        status = pos_recipes_open(images.spec, &images.recipes);
        if (status == POS_OK) status = pos_plan_cache_open(images.spec, &images.plans);
    }
    if (status == POS_OK && from->roster.size > 0) {
        status = pos_roster_open(from->roster.data, from->roster.size, engine->siv_key,
                                 &images.roster);
    }
    if (status == POS_OK && from->policy.size > 0) {
        status = pos_policy_open(from->policy.data, from->policy.size, &images.policy);
    }
    if (status == POS_OK && from->downloads.size > 0) {
        status = downloads_open(from->downloads.data, from->downloads.size, &images.downloads);
    }
    if (status == POS_OK && images.roster != NULL) {
        images.watches = calloc(pos_roster_count(images.roster) + 1, sizeof images.watches[0]);
        if (images.watches == NULL) status = POS_MEMORY;
    }
    if (status != POS_OK) {
        unload(&images);
        return status;
    }
    *images_out = images;
    return POS_OK;
}

static pos_watch *watch_of(pos_engine *engine, const char tid[8])
{
    const pos_terminal *terminal = pos_roster_find(engine->roster, tid);
    if (terminal == NULL) return NULL;
    return &engine->watches[terminal - pos_roster_at(engine->roster, 0)];
}

/* Locks and counts of wrong MACs go with the terminal from the old roster to the new one. */
static void carry_watches(pos_engine *engine, loaded *images)
{
    for (size_t index = 0; index < pos_roster_count(images->roster); index++) {
        const pos_watch *watch = watch_of(engine, pos_roster_at(images->roster, index)->tid);
        if (watch == NULL) continue;
        images->watches[index] = *watch;
        images->watches[index].keys = NULL; /* of another merchant, perhaps */
        images->watches[index].ours = NULL;
    }
}

static void swap_in(pos_engine *engine, loaded *images)
{
    loaded old = {0};
    if (images->roster != NULL) {
        if (engine->roster != NULL) carry_watches(engine, images);
        old.roster = engine->roster;
        old.watches = engine->watches;
        engine->roster = images->roster;
        engine->watches = images->watches;
    }
    if (images->spec != NULL) {
        old.spec = engine->spec;
        old.recipes = engine->recipes;
        old.plans = engine->plans;
        engine->spec = images->spec;
        engine->recipes = images->recipes;
        engine->plans = images->plans;
        answer_forget_plans(engine);
    }
    if (images->policy != NULL) {
        old.policy = engine->policy;
        engine->policy = images->policy;
        engine->names = pos_policy_names_of(images->policy);
    }
    if (images->downloads != NULL) {
        old.downloads = engine->downloads;
        engine->downloads = images->downloads;
    }
    unload(&old);
    engine->counts.terminals = pos_roster_count(engine->roster);
}

static void tell_journal(pos_engine *engine)
{
    pos_decided_under under = {0};
    pos_spec_digest(engine->spec, under.spec_digest);
    pos_policy_digest(engine->policy, under.policy_digest);
    pos_roster_digest(engine->roster, under.roster_digest);
    (void)snprintf(under.build, sizeof under.build, "%s", pos_version());
    pos_journal_decided_under(engine->journal, &under);
}

/* ---- the state --------------------------------------------------------------------------------------- */

/* Field 62 of a kept sign-on answer, if the template has one. */
static pos_slice kept_block(const pos_engine *engine, const pos_entry *entry)
{
    const pos_slice none = {0};
    if (entry->answer_size < 1) return none;
    const size_t head = 1 + (size_t)entry->answer[0] * 5;
    if (entry->answer_size <= head) return none;
    pos_message message;
    const pos_status status = pos_message_parse(engine->spec, entry->answer + head,
                                                entry->answer_size - head, &message, NULL);
    const unsigned field = pos_spec_role_field(engine->spec, POS_ROLE_PRIVATE_62);
    if (status != POS_OK || field == 0 || !pos_message_has(&message, field)) return none;
    return (pos_slice){.data = message.body + message.fields[field].offset,
                       .size = message.fields[field].size};
}

/* The fleet is not signed off for a difference: a terminal whose keys are truly lost hears A0 and
 * signs on. But a key store that was exchanged must not go unseen. */
static void check_keys(pos_engine *engine)
{
    if (!keyring_has_place(engine)) return;
    for (size_t index = 0; index < pos_roster_count(engine->roster); index++) {
        const pos_terminal *terminal = pos_roster_at(engine->roster, index);
        const uint64_t sign_on = pos_state_keys_made_by(engine->state, terminal->tid);
        pos_entry entry;
        if (sign_on == 0) continue;
        if (pos_journal_entry(engine->journal, sign_on, &entry) != POS_OK) continue;
        const pos_slice kept = kept_block(engine, &entry);
        if (kept.size > 0 && keyring_fits(engine, terminal, kept.data, kept.size)) continue;
        engine->counts.keys_unmatched++;
        pos_engine_log(engine, "error", "keys_unmatched", "tid=%.8s sign_on=%llu", terminal->tid,
                       (unsigned long long)sign_on);
    }
}

/* Operators' locks are state; the guard asks the watches. */
static void take_locks(pos_engine *engine)
{
    for (size_t index = 0; index < pos_roster_count(engine->roster); index++) {
        engine->watches[index].is_locked =
            pos_state_is_locked(engine->state, pos_roster_at(engine->roster, index)->tid);
    }
}

static pos_status recover(pos_engine *engine, const pos_engine_options *options)
{
    const pos_state_options limits = {.terminals_max = options->terminals_max,
                                      .postings_max = options->postings_max,
                                      .repeats_max = options->repeats_max,
                                      .repeat_window_h = options->repeat_window_h};
    restored told;
    const pos_status status =
        restore_state(engine->journal, &limits, engine->state_path, &engine->state, &told);
    if (status != POS_OK) return status;
    if (told.words != NULL) {
        restore_put_aside(engine->state_path);
        pos_engine_log(engine, "error", "saved_state_put_aside", "path=\"%s\" words=\"%s\"",
                       engine->state_path, told.words);
    }
    engine->sequence = pos_state_sequence(engine->state);
    engine->counts.recovered_entries = told.folded;
    engine->counts.snapshot_sequence = told.sequence;
    take_locks(engine);
    const int64_t began_ns = pos_clock_monotonic_ns();
    check_keys(engine);
    pos_engine_log(engine, "info", "recovered",
                   "entries=%llu sequence=%llu snapshot=%llu load_ms=%lld fold_ms=%lld keys_ms=%lld",
                   (unsigned long long)told.folded, (unsigned long long)engine->sequence,
                   (unsigned long long)told.sequence, (long long)(told.load_ns / 1000000),
                   (long long)(told.fold_ns / 1000000),
                   (long long)((pos_clock_monotonic_ns() - began_ns) / 1000000));
    return POS_OK;
}

/* ---- open and close ------------------------------------------------------------------------------------ */

static bool make_cohort(pos_engine *engine, pos_cohort *cohort)
{
    cohort->pendings = calloc(engine->cohort_entries_max, sizeof cohort->pendings[0]);
    cohort->arena = calloc(1, engine->cohort_arena_max);
    return cohort->pendings != NULL && cohort->arena != NULL;
}

static pos_status make_memory(pos_engine *engine)
{
    const size_t wave = engine->wave_frames_max;
    const size_t jobs = wave > engine->cohort_entries_max ? wave : engine->cohort_entries_max;
    engine->slots = calloc(wave, sizeof engine->slots[0]);
    engine->parse_jobs = calloc(wave, sizeof engine->parse_jobs[0]);
    engine->questions = calloc(wave, sizeof engine->questions[0]);
    engine->pans = calloc(wave, sizeof engine->pans[0]);
    engine->tokens = calloc(wave, sizeof engine->tokens[0]);
    engine->jobs = calloc(jobs, sizeof engine->jobs[0]);
    engine->job_slots = calloc(jobs, sizeof engine->job_slots[0]);
    engine->work = calloc(1, sizeof *engine->work);
    engine->scratch = calloc(1, ENTRY_HEAP_MAX);
    const bool has_all = engine->slots != NULL && engine->parse_jobs != NULL
                         && engine->questions != NULL
                         && engine->pans != NULL && engine->tokens != NULL
                         && engine->jobs != NULL && engine->job_slots != NULL
                         && engine->work != NULL && engine->scratch != NULL;
    if (!has_all || !make_cohort(engine, &engine->refusals)) return POS_MEMORY;
    for (size_t index = 0; index < COHORT_COUNT; index++) {
        if (!make_cohort(engine, &engine->cohorts[index])) return POS_MEMORY;
    }
    return POS_OK;
}

static void take_settings(pos_engine *engine, const pos_engine_options *options)
{
    engine->wave_frames_max =
        options->wave_frames_max > 0 ? options->wave_frames_max : WAVE_FRAMES_DEFAULT;
    engine->cohort_entries_max = options->journal.page_entries_max > 0
                                     ? options->journal.page_entries_max
                                     : COHORT_ENTRIES_DEFAULT;
    engine->cohort_arena_max =
        (size_t)engine->cohort_entries_max * REPLY_SIZE_EXPECTED + REPLY_FRAME_MAX;
    engine->zone_offset_minute = options->journal.zone_offset_minute;
    engine->cutover_minute = options->journal.cutover_minute;
    engine->terminals_max = options->terminals_max;
    engine->bad_macs_max = options->bad_macs_max > 0 ? options->bad_macs_max : BAD_MACS_DEFAULT;
    engine->lock_ns =
        (int64_t)(options->lock_s > 0 ? options->lock_s : LOCK_S_DEFAULT) * 1000000000;
    engine->log = options->log;
    engine->log_context = options->log_context;
    engine->decide = options->decide;
    engine->decide_context = options->decide_context;
    engine->keep_pan = options->journal.keep_pan;
}

static void derive_keys(pos_engine *engine, const uint8_t master_key[32])
{
    uint8_t key[32];
    pos_kdf(master_key, "posengine siv", engine->siv_key, sizeof engine->siv_key);
    pos_kdf(master_key, "posengine token", key, sizeof key);
    pos_cmac_prepare(key, sizeof key, &engine->token_key);
    pos_kdf(master_key, "posengine fingerprint", key, sizeof key);
    pos_cmac_prepare(key, sizeof key, &engine->fingerprint_key);
    pos_wipe(key, sizeof key);
}

static pos_status open_keyring(pos_engine *engine, const pos_engine_options *options)
{
    char path[4096];
    if (options->keystore_path != NULL) return keyring_open(engine, options->keystore_path);
    const int size = snprintf(path, sizeof path, "%s.keys", options->journal_path);
    if (size < 0 || size >= (int)sizeof path) return POS_ARGUMENT;
    return keyring_open(engine, path);
}

/* "<journal>.state" where nothing else is said. */
static pos_status name_snapshot(pos_engine *engine, const pos_engine_options *options)
{
    char path[4096];
    const bool is_named = options->state_path != NULL;
    const int size = snprintf(path, sizeof path, "%s%s",
                              is_named ? options->state_path : options->journal_path,
                              is_named ? "" : ".state");
    if (size < 0 || size >= (int)sizeof path) return POS_ARGUMENT;
    engine->state_path = strdup(path);
    return engine->state_path != NULL ? POS_OK : POS_MEMORY;
}

/* What recovery found, or why the journal is refused, is for the operator to read. */
static pos_status open_journal(pos_engine *engine, const pos_engine_options *options)
{
    char words[POS_JOURNAL_WORDS];
    pos_journal_options wanted = options->journal;
    wanted.master_key = options->master_key;
    const pos_status status =
        pos_journal_open_told(options->journal_path, &wanted, &engine->journal, words);
    if (words[0] != '\0') {
        const bool is_open = status == POS_OK;
        pos_engine_log(engine, is_open ? "info" : "error",
                       is_open ? "journal_recovered" : "journal_refused", "status=%s words=\"%s\"",
                       pos_status_name(status), words);
    }
    return status;
}

static pos_status open_parts(pos_engine *engine, const pos_engine_options *options)
{
    const pos_engine_images from = {.spec = options->spec,
                                    .roster = options->roster,
                                    .policy = options->policy,
                                    .downloads = options->downloads};
    loaded images;
    pos_status status = load(engine, &from, &images);
    if (status != POS_OK) return status;
    swap_in(engine, &images);
    if (engine->downloads == NULL) status = downloads_open(NULL, 0, &engine->downloads);
    if (status == POS_OK) status = make_memory(engine);
    if (status == POS_OK) status = open_keyring(engine, options);
    if (status == POS_OK) status = name_snapshot(engine, options);
    if (status == POS_OK) status = open_journal(engine, options);
    if (status != POS_OK) return status;
    tell_journal(engine);
    return recover(engine, options);
}

static bool is_acceptable(const pos_engine_options *options)
{
    return options->journal_path != NULL && options->spec.size > 0 && options->roster.size > 0
           && options->policy.size > 0 && !options->journal.readonly
           && options->journal.cutover_minute < 1440
           && options->journal.page_entries_max <= 65536 && options->wave_frames_max <= 65536
           && (options->journal.page_size_max == 0
               || options->journal.page_size_max >= PAGE_SIZE_MIN);
}

pos_status pos_engine_open(const pos_engine_options *options, pos_engine **engine_out)
{
    assert(options != NULL);
    assert(engine_out != NULL);
    if (!is_acceptable(options)) return POS_ARGUMENT;
    pos_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) return POS_MEMORY;
    take_settings(engine, options);
    derive_keys(engine, options->master_key);
    const pos_status status = open_parts(engine, options);
    if (status != POS_OK) {
        pos_engine_close(engine);
        return status;
    }
    *engine_out = engine;
    return POS_OK;
}

static void free_cohort(const pos_engine *engine, pos_cohort *cohort)
{
    if (cohort->arena != NULL) pos_wipe(cohort->arena, engine->cohort_arena_max);
    if (cohort->pendings != NULL) {
        pos_wipe(cohort->pendings, engine->cohort_entries_max * sizeof cohort->pendings[0]);
    }
    free(cohort->arena);
    free(cohort->pendings);
}

/* A clean end leaves a snapshot where the next start would have much to fold: of what is durable only,
 * so not where something was staged and never committed. What fails costs the next start its time. */
static void save_state(pos_engine *engine)
{
    pos_journal_facts facts;
    if (engine->journal == NULL || atomic_load(&engine->is_in_doubt)) return;
    pos_journal_facts_read(engine->journal, &facts);
    if (facts.is_in_doubt || facts.durable_sequence != pos_state_sequence(engine->state)) return;
    pos_saved saved = {.sequence = 0};
    (void)pos_state_saved_read(engine->state_path, &saved); /* another process may have made one */
    if (facts.durable_sequence < saved.sequence + SAVED_AFTER_ENTRIES) return;
    const int64_t began_ns = pos_clock_monotonic_ns();
    const pos_status status =
        restore_save(engine->journal, engine->state, engine->state_path, false);
    pos_engine_log(engine, status == POS_OK ? "info" : "error", "state_saved",
                   "status=%s sequence=%llu ms=%lld", pos_status_name(status),
                   (unsigned long long)facts.durable_sequence,
                   (long long)((pos_clock_monotonic_ns() - began_ns) / 1000000));
}

void pos_engine_close(pos_engine *engine)
{
    if (engine == NULL) return;
    if (engine->state != NULL) save_state(engine);
    if (engine->journal != NULL) pos_journal_close(engine->journal);
    free(engine->state_path);
    if (engine->state != NULL) pos_state_destroy(engine->state);
    keyring_close(engine);
    loaded images = {engine->spec,   engine->recipes,   engine->plans,  engine->roster,
                     engine->policy, engine->downloads, engine->watches};
    unload(&images);
    for (size_t index = 0; index < COHORT_COUNT; index++) {
        free_cohort(engine, &engine->cohorts[index]);
    }
    free_cohort(engine, &engine->refusals);
    free(engine->slots);
    free(engine->parse_jobs);
    free(engine->questions);
    free(engine->pans);
    free(engine->tokens);
    free(engine->jobs);
    free(engine->job_slots);
    free(engine->work);
    free(engine->scratch);
    pos_wipe(engine, sizeof *engine);
    free(engine);
}

void pos_engine_touch(pos_engine *engine, uint64_t size_max)
{
    assert(engine != NULL);
    pos_state_counts counts;
    pos_state_counts_read(engine->state, &counts);
    const uint64_t records =
        (uint64_t)counts.terminals_max + counts.postings_max + counts.repeats_max;
    if (records * RECORD_SIZE_EXPECTED <= size_max) pos_state_touch(engine->state);
}

/* ---- between waves ------------------------------------------------------------------------------------- */

pos_status pos_engine_reload(pos_engine *engine, const pos_engine_images *images, int64_t now_ns)
{
    assert(engine != NULL && images != NULL);
    if (atomic_load(&engine->is_in_doubt)) return POS_JOURNAL_IN_DOUBT;
    loaded fresh;
    const pos_status status = load(engine, images, &fresh);
    if (status != POS_OK) return status;
    engine->now_ns = now_ns;
    if (!settle_note(engine, POS_KIND_ADMINISTRATION, "RL", NULL, 0)) {
        unload(&fresh);
        return POS_STAGE_FULL;
    }
    swap_in(engine, &fresh);
    tell_journal(engine);
    engine->counts.reloads++;
    pos_engine_log(engine, "info", "reloaded", "spec=%s terminals=%zu",
                   pos_spec_name(engine->spec), pos_roster_count(engine->roster));
    return POS_OK;
}

pos_status pos_engine_lock(pos_engine *engine, const char tid[8], bool is_locked, int64_t now_ns)
{
    assert(engine != NULL && tid != NULL);
    if (atomic_load(&engine->is_in_doubt)) return POS_JOURNAL_IN_DOUBT;
    pos_watch *watch = watch_of(engine, tid);
    if (watch == NULL) return POS_TERMINAL_ABSENT;
    engine->now_ns = now_ns;
    if (!settle_note(engine, POS_KIND_ADMINISTRATION, is_locked ? "LK" : "UL", tid, 0)) {
        return POS_STAGE_FULL;
    }
    watch->is_locked = is_locked;
    if (!is_locked) watch->locked_until_ns = 0;
    pos_engine_log(engine, "info", is_locked ? "locked" : "unlocked", "tid=%.8s by=operator", tid);
    return POS_OK;
}
