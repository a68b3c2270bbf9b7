/*
 * A journal as a whole: opened, made where it is absent, closed; what it knows of itself.
 *
 * Opening to write:  lock the directory ─▶ meta, or make all ─▶ volumes ─▶ recover ─▶ publish
 * Opening to read:   meta ─▶ published mark; volumes are opened when a page of them is wanted
 */
#include "journal/parts.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure/measure.h"

pos_status pos_journal_usable(const pos_journal *journal)
{
    /* A child of a fork shares the map and the locks of its parent, and owns neither. */
    if (journal->generation != pos_registry_generation()) return POS_JOURNAL_BUSY;
    return atomic_load_explicit(&journal->is_in_doubt, memory_order_acquire) ? POS_JOURNAL_IN_DOUBT
                                                                             : POS_OK;
}

/* ---- options -------------------------------------------------------------------------------------- */
static pos_status fill_options(pos_journal *journal, const pos_journal_options *options)
{
    pos_journal_options filled = options == NULL ? (pos_journal_options){0} : *options;
    if (filled.volume_size_max == 0) filled.volume_size_max = POS_VOLUME_SIZE_DEFAULT;
    if (filled.page_entries_max == 0) filled.page_entries_max = POS_PAGE_ENTRIES_DEFAULT;
    filled.volume_size_max -= filled.volume_size_max % POS_LMDB_PAGE;
    const bool is_known =
        filled.durability == POS_DURABLE_LATE || filled.durability == POS_DURABLE_FULL;
    if (!is_known || filled.volume_size_max < POS_VOLUME_SIZE_MIN) return POS_ARGUMENT;
    if (filled.volume_size_max > (uint64_t)1 << 46) return POS_ARGUMENT;
    if (filled.page_entries_max > POS_PAGE_ENTRIES_MAX || filled.cutover_minute >= 1440
        || filled.zone_offset_minute < -1440 || filled.zone_offset_minute > 1440) {
        return POS_ARGUMENT;
    }
    filled.keep_pan = filled.keep_pan && !filled.readonly;
    if (filled.keep_pan && filled.master_key == NULL) return POS_ARGUMENT;
    filled.master_key = NULL; /* the caller's */
    journal->options = filled;
    return POS_OK;
}

/* A volume takes at least eight pages of the largest size: has_disk_room counts on three. */
static pos_status fit_page_size(pos_journal *journal)
{
    const uint64_t most = journal->meta.volume_size / 8;
    uint32_t size = journal->options.page_size_max;
    if (size > most || (size > 0 && size < 2 * POS_LMDB_PAGE)) return POS_ARGUMENT;
    if (size == 0) size = most < POS_PAGE_SIZE_DEFAULT ? (uint32_t)most : POS_PAGE_SIZE_DEFAULT;
    journal->options.page_size_max = size / POS_LMDB_PAGE * POS_LMDB_PAGE;
    return POS_OK;
}

/* ---- making --------------------------------------------------------------------------------------- */
/* Volumes without a meta: one that is empty is left of a making that was cut short. */
static pos_status clear_unfinished(const char *path, uint64_t volume_size, char *words_out)
{
    uint32_t lowest = 0;
    uint32_t highest = 0;
    uint32_t count = 0;
    pos_status status = pos_volumes_scan(path, &lowest, &highest, &count);
    if (status != POS_OK || highest == 0) return status;
    char name[POS_PATH_MAX];
    if (!pos_volume_path(name, path, 1, ".mdb")) return POS_ARGUMENT;
    bool is_empty = false;
    if (lowest == 1 && highest == 1) {
        pos_volume *volume = NULL;
        pos_value value;
        status = pos_volume_open(name, 1, volume_size, POS_VOLUME_SEALED, POS_DURABLE_FULL, &volume,
                                 NULL);
        if (status == POS_OK) {
            is_empty = pos_volume_seek(volume, POS_SEEK_FIRST, 0, &value, NULL) == POS_JOURNAL_END;
            pos_volume_close(volume);
        }
    }
    if (!is_empty) {
        pos_words(words_out, "there are volumes with pages but no meta");
        return POS_JOURNAL_FORMAT;
    }
    return unlink(name) == 0 ? POS_OK : POS_SYSTEM;
}

static pos_status make_journal(const char *path, const pos_journal_options *options,
                               char *words_out)
{
    pos_meta meta = {.volume_size = options->volume_size_max, .made_at_ns = pos_clock_utc_ns()};
    pos_status status = clear_unfinished(path, meta.volume_size, words_out);
    if (status == POS_OK) status = pos_random(meta.journal_id, sizeof meta.journal_id);
    pos_prepare prepare = {.file = -1};
    bool is_ready = false;
    if (status == POS_OK) status = pos_prepare_create(&prepare, meta.volume_size);
    if (status == POS_OK) status = pos_prepare_step(&prepare, path, 1, UINT64_MAX, &is_ready);
    pos_prepare_destroy(&prepare);
    if (status == POS_OK) status = pos_mark_write(path, meta.journal_id, 0);
    if (status == POS_OK) status = pos_meta_write(path, &meta);
    if (status != POS_OK && words_out != NULL && words_out[0] == '\0') {
        pos_words(words_out, "the journal cannot be made: %s", strerror(errno));
    }
    return status;
}

/* ---- opening -------------------------------------------------------------------------------------- */
static pos_status open_volumes_list(pos_journal *journal, char *words_out)
{
    uint32_t highest = 0;
    uint32_t count = 0;
    const pos_status status =
        pos_volumes_scan(journal->path, &journal->lowest, &highest, &count);
    if (status != POS_OK) return status;
    if (highest == 0 || highest - journal->lowest >= POS_VOLUMES_MAX) {
        pos_words(words_out, "the journal has no volumes, or too many");
        return POS_JOURNAL_FORMAT;
    }
    /* A reader may still look at what is left. */
    if (!journal->options.readonly && highest - journal->lowest + 1 != count) {
        pos_words(words_out, "of volumes %u to %u there are only %u", journal->lowest, highest, count);
        return POS_JOURNAL_ABSENT;
    }
    journal->volumes = calloc(POS_VOLUMES_MAX, sizeof(pos_volume *));
    if (journal->volumes == NULL) return POS_MEMORY;
    atomic_store(&journal->volume_count, highest - journal->lowest + 1);
    return POS_OK;
}

static pos_status open_writer(pos_journal *journal, char *words_out)
{
    pos_status status = pos_meta_read(journal->path, &journal->meta, words_out);
    if (status == POS_JOURNAL_ABSENT) {
        if (words_out != NULL) words_out[0] = '\0';
        status = make_journal(journal->path, &journal->options, words_out);
        if (status == POS_OK) status = pos_meta_read(journal->path, &journal->meta, words_out);
    }
    if (status == POS_OK) status = fit_page_size(journal);
    if (status == POS_OK) status = pos_mark_open(journal->path, true, &journal->mark, words_out);
    if (status == POS_OK) status = open_volumes_list(journal, words_out);
    if (status == POS_OK) status = pos_stage_create(journal);
    pos_flight_create(journal);
    if (status == POS_OK) status = pos_journal_recover(journal, words_out);
    if (status == POS_OK) status = pos_ahead_create(journal);
    if (status == POS_OK) pos_journal_keep_ahead(journal, 0);
    return status;
}

static pos_status open_reader(pos_journal *journal, char *words_out)
{
    pos_status status = pos_meta_read(journal->path, &journal->meta, words_out);
    if (status == POS_OK) status = pos_mark_open(journal->path, false, &journal->mark, words_out);
    if (status == POS_OK) status = open_volumes_list(journal, words_out);
    return status;
}

/* Enters the directory into the registry; a writer makes it where it is absent, and locks it. */
static pos_status take_directory(pos_journal *journal, char *words_out)
{
    const bool is_writer = !journal->options.readonly;
    if (is_writer && mkdir(journal->path, 0750) != 0 && errno != EEXIST) {
        pos_words(words_out, "%s: %s", journal->path, strerror(errno));
        return POS_SYSTEM;
    }
    struct stat facts;
    if (stat(journal->path, &facts) != 0) {
        pos_words(words_out, "%s: %s", journal->path, strerror(errno));
        return errno == ENOENT ? POS_JOURNAL_ABSENT : POS_SYSTEM;
    }
    const pos_status status = pos_filesystem_check(journal->path, words_out);
    if (status != POS_OK) return status;
    if (!pos_registry_enter(&journal->registered, facts.st_dev, facts.st_ino)) {
        pos_words(words_out, "the journal is open in this process already, or arrays over it are held");
        return POS_JOURNAL_BUSY;
    }
    return is_writer ? pos_writer_lock(journal->path, &journal->writer_lock, words_out) : POS_OK;
}

pos_status pos_journal_open_told(const char *path, const pos_journal_options *options,
                                 pos_journal **journal_out, char *words_out)
{
    assert(path != NULL);
    assert(journal_out != NULL);
    if (words_out != NULL) words_out[0] = '\0';
    if (strlen(path) >= POS_PATH_MAX - 32) return POS_ARGUMENT;
    pos_journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL) return POS_MEMORY;
    journal->writer_lock = -1;
    journal->ahead.prepare.file = -1;
    journal->date_until_ns = INT64_MIN;
    journal->generation = pos_registry_generation();
    pos_copy(journal->path, path, strlen(path) + 1);
    (void)pthread_mutex_init(&journal->reading, NULL);

    pos_status status = fill_options(journal, options);
    if (status == POS_OK) status = take_directory(journal, words_out);
    if (status == POS_OK && journal->options.keep_pan) {
        status = pos_pans_create(journal, options->master_key);
    }
    if (status == POS_OK) {
        status = journal->options.readonly ? open_reader(journal, words_out)
                                           : open_writer(journal, words_out);
    }
    if (status == POS_OK
        && !pos_equal(journal->mark->journal_id, journal->meta.journal_id, 16)) {
        pos_words(words_out, "meta and published are of different journals");
        status = POS_JOURNAL_FORMAT;
    }
    if (status != POS_OK) {
        pos_journal_close(journal);
        return status;
    }
    if (words_out != NULL) pos_copy(words_out, journal->report, sizeof journal->report);
    *journal_out = journal;
    return POS_OK;
}

pos_status pos_journal_open(const char *path, const pos_journal_options *options,
                            pos_journal **journal_out)
{
    return pos_journal_open_told(path, options, journal_out, NULL);
}

/* The last meta page, so that a clean end leaves nothing to recover. Where that fails nothing is lost, but
 * the kernel may show from now on what the disk does not have. */
static void flush_meta(pos_journal *journal)
{
    const bool is_recovered = journal->next_sequence > 0;
    if (!is_recovered || atomic_load(&journal->is_in_doubt)) return;
    if (mdb_env_sync(pos_journal_open_volume(journal)->env, 1) != 0) pos_journal_stop(journal);
}

/* What a child of a fork closes is its memory alone: map, files, locks and threads are the parent's. */
static void close_files(pos_journal *journal)
{
    pos_flight_destroy(journal);
    pos_ahead_destroy(journal);
    flush_meta(journal);
    if (journal->volumes != NULL) {
        const uint32_t count = atomic_load(&journal->volume_count);
        for (uint32_t index = 0; index < count; index++) pos_volume_close(journal->volumes[index]);
    }
    pos_registry_leave(&journal->registered);
    if (journal->writer_lock >= 0) {
        pos_mark_flush(journal->mark); /* after a clean end, readers need no writer to see it all */
        (void)close(journal->writer_lock);
    }
}

void pos_journal_close(pos_journal *journal)
{
    if (journal == NULL) return;
    if (journal->generation == pos_registry_generation()) close_files(journal);
    pos_mark_close(journal->mark);
    pos_tail_forget(&journal->tail);
    pos_stage_destroy(journal);
    pos_pans_destroy(journal);
    free(journal->volumes);
    (void)pthread_mutex_destroy(&journal->reading);
    free(journal);
}

/* ---- facts ---------------------------------------------------------------------------------------- */
const char *pos_journal_report(const pos_journal *journal)
{
    assert(journal != NULL);
    return journal->report;
}

uint64_t pos_journal_visible(const pos_journal *journal)
{
    if (journal->options.readonly) return atomic_load(&journal->mark->durable_sequence);
    return atomic_load(&journal->durable_sequence);
}

void pos_journal_count_volume(pos_journal *journal, uint32_t index, uint64_t *pages_out,
                              uint64_t *bytes_out, uint64_t *free_pages_out)
{
    *pages_out = 0;
    *bytes_out = 0;
    *free_pages_out = 0;
    (void)pthread_mutex_lock(&journal->reading);
    const bool was_open = journal->volumes[index] != NULL;
    pos_volume *volume = NULL;
    if (pos_journal_volume(journal, index, &volume, NULL) == POS_OK) {
        pos_volume_count(volume, pages_out, bytes_out);
        *free_pages_out = pos_volume_free_pages(volume);
        if (!was_open) {
            journal->volumes[index] = NULL;
            pos_volume_close(volume);
        }
    }
    (void)pthread_mutex_unlock(&journal->reading);
}

static void count_pages(pos_journal *journal, pos_journal_facts *facts)
{
    const uint32_t count = atomic_load(&journal->volume_count);
    for (uint32_t index = 0; index < count; index++) {
        uint64_t pages = 0;
        uint64_t bytes = 0;
        uint64_t free_pages = 0;
        pos_journal_count_volume(journal, index, &pages, &bytes, &free_pages);
        facts->pages += pages;
        facts->bytes += bytes;
        if (pages > 0) facts->free_bytes = free_pages * POS_LMDB_PAGE;
    }
}

void pos_journal_facts_read(pos_journal *journal, pos_journal_facts *facts_out)
{
    assert(journal != NULL);
    assert(facts_out != NULL);
    pos_journal_facts facts = {.durable_sequence = pos_journal_visible(journal)};
    pos_copy(facts.journal_id, journal->meta.journal_id, sizeof facts.journal_id);
    facts.is_in_doubt = atomic_load(&journal->mark->is_in_doubt) != 0;
    facts.last_sequence = facts.durable_sequence;
    if (journal->options.readonly) {
        count_pages(journal, &facts);
    } else {
        const uint64_t committed = atomic_load(&journal->committed_sequence);
        if (committed > facts.last_sequence) facts.last_sequence = committed;
        facts.pages = atomic_load(&journal->pages);
        facts.bytes = atomic_load(&journal->bytes);
        facts.free_bytes = atomic_load(&journal->free_pages) * POS_LMDB_PAGE;
    }
    facts.volumes = atomic_load(&journal->volume_count);
    *facts_out = facts;
}
