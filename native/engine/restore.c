/*
 * What the journal adds up to, from a snapshot and the entries after it, or from all entries.
 *
 *   <journal>.state ──▶ header ──▶ of this journal?  ──▶ tables, each chunk's sum ──▶ state of entry n
 *                                  page of n has its digest?                            │
 *   journal ─────────────────────────────────────────── entries after n ─▶ fold ────────┴─▶ state
 *
 * A snapshot saves time and decides nothing: where anything of it does not fit, it is put aside and all
 * entries are folded. One that was taken while the journal still kept older volumes does not fit
 * either: the state is what the journal adds up to, not what it once did.
 */
#include <assert.h>
#include <stdio.h>

#include "engine/inside.h"

#define FOLD_AHEAD 24U /* entries that are read before the one that is folded */
#define FOLD_RING 32U  /* more than those */
#define STATE_PATH_MAX 4096

/* ---- the fold ----------------------------------------------------------------------------------- */

/* The entries of one page from `row` on. Each is looked up in three steps before its turn. */
static pos_status fold_page(pos_state *state, const pos_page *page, uint32_t row,
                            uint64_t *count_out)
{
    pos_entry ring[FOLD_RING];
    const pos_terminal_state *ours[FOLD_RING] = {NULL};
    uint32_t read = row;
    for (uint32_t turn = row; turn < page->count; turn++) {
        while (read < page->count && read <= turn + FOLD_AHEAD) {
            pos_entry *entry = &ring[read % FOLD_RING];
            const pos_status status = pos_page_entry(page, read, entry);
            if (status != POS_OK) return status;
            pos_state_ahead(state, entry->tid, entry->mid);
            ours[read % FOLD_RING] = NULL;
            read++;
        }
        if (turn + 16 < read) {
            const pos_entry *entry = &ring[(turn + 16) % FOLD_RING];
            pos_state_ahead_terminal(state, entry->tid, entry->mid, entry->batch, entry->stan);
        }
        if (turn + 8 < read) {
            const pos_entry *entry = &ring[(turn + 8) % FOLD_RING];
            ours[(turn + 8) % FOLD_RING] =
                pos_state_ahead_lists(state, entry->tid, entry->mid, entry->kind);
        }
        const pos_status status =
            pos_state_apply_for(state, ours[turn % FOLD_RING], &ring[turn % FOLD_RING]);
        if (status != POS_OK) return status;
        (*count_out)++;
    }
    return POS_OK;
}

/* Every entry after the state's last. */
static pos_status fold(pos_journal *journal, pos_state *state, uint64_t *count_out)
{
    uint64_t next = pos_state_sequence(state) + 1;
    for (;;) {
        pos_page page;
        pos_status status = pos_journal_page(journal, next, &page);
        if (status == POS_JOURNAL_END) return POS_OK;
        if (status != POS_OK) return status;
        const uint32_t row = next > page.first_sequence ? (uint32_t)(next - page.first_sequence) : 0;
        status = fold_page(state, &page, row, count_out);
        if (status != POS_OK) return status;
        next = page.first_sequence + page.count;
    }
}

/* ---- names ------------------------------------------------------------------------------------------ */

/* What a snapshot of `sequence` would be called in this journal. Fails: as reading does; ENTRY_FORM
 * where no page ends with the sequence. */
static pos_status name_of(pos_journal *journal, uint64_t sequence, pos_saved *saved_out)
{
    pos_saved saved = {.sequence = sequence, .at_ns = pos_clock_utc_ns()};
    pos_journal_facts facts;
    pos_journal_facts_read(journal, &facts);
    pos_copy(saved.journal_id, facts.journal_id, sizeof saved.journal_id);
    pos_page page;
    pos_status status = pos_journal_page(journal, 1, &page);
    if (status != POS_OK) return status;
    saved.first_sequence = page.first_sequence;
    status = pos_journal_page(journal, sequence, &page);
    if (status != POS_OK) return status;
    if (page.first_sequence + page.count - 1 != sequence) return POS_ENTRY_FORM;
    pos_copy(saved.page_digest, page.digest, sizeof saved.page_digest);
    *saved_out = saved;
    return POS_OK;
}

/* NULL where the snapshot is of this journal, else why not. */
static const char *mismatch(pos_journal *journal, const pos_saved *saved)
{
    pos_saved wanted;
    const pos_status status = name_of(journal, saved->sequence, &wanted);
    if (status == POS_JOURNAL_END) return "it is ahead of the journal";
    if (status != POS_OK) return "no page of the journal ends with its entry";
    if (!pos_equal(saved->journal_id, wanted.journal_id, sizeof wanted.journal_id)) {
        return "it is of another journal";
    }
    if (saved->first_sequence != wanted.first_sequence) {
        return "the journal has dropped volumes since";
    }
    if (!pos_equal(saved->page_digest, wanted.page_digest, sizeof wanted.page_digest)) {
        return "its page has another digest";
    }
    return NULL;
}

static const char *load_words(pos_status status)
{
    switch (status) {
    case POS_IMAGE_FORM: return "it is damaged or of another build";
    case POS_IMAGE_LIMIT: return "the limits or the window are others now";
    default: return "it cannot be read";
    }
}

/* The state of the snapshot; NULL, and why, where there is none that fits. */
static pos_state *load(pos_journal *journal, const pos_state_options *limits, const char *path,
                       const char **words_out)
{
    pos_saved saved;
    pos_status status = pos_state_saved_read(path, &saved);
    *words_out = NULL;
    if (status == POS_ENTRY_ABSENT) return NULL;
    if (status != POS_OK) {
        *words_out = load_words(status);
        return NULL;
    }
    *words_out = mismatch(journal, &saved);
    if (*words_out != NULL) return NULL;
    pos_state *state = NULL;
    status = pos_state_load(limits, path, &saved, &state);
    if (status != POS_OK) *words_out = load_words(status);
    return state;
}

pos_status restore_state(pos_journal *journal, const pos_state_options *limits, const char *path,
                         pos_state **state_out, restored *told_out)
{
    assert(journal != NULL && path != NULL);
    assert(state_out != NULL && told_out != NULL);
    restored told = {.words = NULL};
    const int64_t began_ns = pos_clock_monotonic_ns();
    pos_state *state = load(journal, limits, path, &told.words);
    pos_status status = state != NULL ? POS_OK : pos_state_create(limits, &state);
    if (status != POS_OK) return status;
    told.sequence = pos_state_sequence(state);
    told.load_ns = pos_clock_monotonic_ns() - began_ns;
    status = fold(journal, state, &told.folded);
    told.fold_ns = pos_clock_monotonic_ns() - began_ns - told.load_ns;
    if (status != POS_OK) {
        pos_state_destroy(state);
        return status;
    }
    *state_out = state;
    *told_out = told;
    return POS_OK;
}

void restore_put_aside(const char *path)
{
    char aside[STATE_PATH_MAX];
    const int size = snprintf(aside, sizeof aside, "%s.bad", path);
    if (size > 0 && size < (int)sizeof aside) (void)rename(path, aside);
}

/* ---- saving -------------------------------------------------------------------------------------------- */
pos_status restore_save(pos_journal *journal, const pos_state *state, const char *path,
                        bool is_gentle)
{
    pos_saved saved;
    const pos_status status = name_of(journal, pos_state_sequence(state), &saved);
    return status == POS_OK ? pos_state_save(state, &saved, path, is_gentle) : status;
}

pos_status pos_engine_saved_state(const char *path, pos_saved_state *saved_out)
{
    assert(path != NULL && saved_out != NULL);
    pos_saved saved;
    const pos_status status = pos_state_saved_read(path, &saved);
    if (status != POS_OK) return status;
    *saved_out = (pos_saved_state){
        .sequence = saved.sequence, .at_ns = saved.at_ns, .size = saved.size};
    pos_copy(saved_out->journal_id, saved.journal_id, sizeof saved.journal_id);
    return POS_OK;
}

static pos_status save_after(pos_journal *journal, const pos_saver_options *options,
                             pos_saved_state *saved_out)
{
    const pos_state_options limits = {.terminals_max = options->terminals_max,
                                      .postings_max = options->postings_max,
                                      .repeats_max = options->repeats_max,
                                      .repeat_window_h = options->repeat_window_h};
    pos_journal_facts facts;
    pos_journal_facts_read(journal, &facts);
    pos_saved_state saved = {.sequence = 0};
    (void)pos_engine_saved_state(options->state_path, &saved);
    const bool is_ours = pos_equal(saved.journal_id, facts.journal_id, sizeof facts.journal_id);
    const uint64_t since = is_ours && saved.sequence <= facts.durable_sequence
                               ? facts.durable_sequence - saved.sequence
                               : facts.durable_sequence;
    *saved_out = saved;
    if (since == 0 || since < options->entries_min) return POS_OK;
    pos_state *state = NULL;
    restored told;
    pos_status status = restore_state(journal, &limits, options->state_path, &state, &told);
    if (status != POS_OK) return status;
    status = restore_save(journal, state, options->state_path, options->is_gentle);
    pos_state_destroy(state);
    if (status == POS_OK) status = pos_engine_saved_state(options->state_path, saved_out);
    saved_out->folded = told.folded;
    saved_out->is_new = status == POS_OK;
    return status;
}

pos_status pos_engine_save_state(const pos_saver_options *options, pos_saved_state *saved_out)
{
    assert(options != NULL && saved_out != NULL);
    if (options->journal_path == NULL || options->state_path == NULL) return POS_ARGUMENT;
    const pos_journal_options reading = {.readonly = true};
    pos_journal *journal = NULL;
    pos_status status = pos_journal_open(options->journal_path, &reading, &journal);
    if (status != POS_OK) return status;
    status = save_after(journal, options, saved_out);
    pos_journal_close(journal);
    return status;
}
