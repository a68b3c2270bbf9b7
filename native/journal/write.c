/*
 * Committing: one page, one LMDB value, one transaction, on the journal thread.
 *
 *   1. room       the open volume has room, or the next one is taken into use
 *   2. put        the value is encoded into the space that LMDB reserved for it; digest, CRC
 *   3. commit     LMDB writes and flushes the pages, then writes the meta page that shows them
 *   4. durable    full: at once, the meta was flushed too
 *                 late: the page before this one, whose meta this commit's flush carried out;
 *                 this one when a later commit or a sync has returned
 *
 * What a crash leaves: before 3 the journal without the page; within 3 with or without it; after 3
 * with it, but in late mode a loss of power may still take it. Nothing of it was answered in any of
 * these: replies leave after 4. Why this holds, and the rules R1 to R8 that it needs, is told in
 * docs/explanation/durability.md.
 *
 * Any error from 2 to 4 ends the journal. Linux drops the pages of a failed flush and reports the
 * failure once, so a second try would succeed and mean nothing; in late mode it corrupts (measured).
 */
#include "journal/parts.h"

#include <assert.h>

#include "measure/measure.h"

/* The next volume is begun when the open one is half full, three times as fast as that one fills: it
 * is whole at two thirds. An hour before the business date changes it is begun anyway. */
#define PREPARE_PACE 3U
#define PREPARE_IDLE_BYTES (256U * 1024U)
#define PREPARE_AHEAD_NS 3600000000000

void pos_journal_stop(pos_journal *journal)
{
    atomic_store(&journal->is_in_doubt, true);
    atomic_store(&journal->mark->is_in_doubt, 1U);
}

static void publish(pos_journal *journal, uint64_t durable)
{
    if (durable == atomic_load(&journal->durable_sequence)) return;
    assert(durable > atomic_load(&journal->durable_sequence));
    assert(durable <= atomic_load(&journal->committed_sequence));
    journal->durable_at_ns = pos_clock_utc_ns();
    atomic_store(&journal->mark->durable_sequence, durable);
    atomic_store(&journal->durable_sequence, durable);
}

static pos_volume *open_volume(const pos_journal *journal)
{
    const uint32_t count = atomic_load(&journal->volume_count);
    assert(count > 0);
    return journal->volumes[count - 1];
}

/* ---- room ---------------------------------------------------------------------------------------- */
static bool may_prepare(const pos_journal *journal)
{
    const uint32_t made = atomic_load(&journal->volume_count);
    const uint32_t limit = journal->options.volumes_max;
    if (made + 1 >= POS_VOLUMES_MAX) return false;
    return limit == 0 || made < limit;
}

/* Goes on making the next volume by about `bytes`. Failing is no harm yet: the open volume still has
 * room, admission stops when it has none, and the next call tries again. */
pos_status pos_journal_prepare(pos_journal *journal, uint64_t bytes)
{
    assert(journal != NULL);
    if (atomic_load(&journal->is_next_ready)) return POS_OK;
    if (!may_prepare(journal)) return POS_JOURNAL_FULL;
    const uint32_t number = journal->lowest + atomic_load(&journal->volume_count);
    bool is_ready = false;
    const pos_status status =
        pos_prepare_step(&journal->prepare, journal->path, number, bytes, &is_ready);
    if (is_ready) atomic_store_explicit(&journal->is_next_ready, true, memory_order_release);
    return status;
}

/* Room for two more pages of the largest size: below that, admission may come to a stop. */
static bool is_nearly_full(const pos_journal *journal)
{
    const uint64_t page = journal->options.page_size_max / POS_LMDB_PAGE + POS_COMMIT_PAGES_MAX;
    return atomic_load(&journal->free_pages) < 4 * page;
}

static bool is_cutover_near(const pos_journal *journal, int64_t now_ns)
{
    const int32_t zone = journal->options.zone_offset_minute;
    const uint32_t cutover = journal->options.cutover_minute;
    return pos_business_date(now_ns + PREPARE_AHEAD_NS, zone, cutover)
           != pos_business_date(now_ns, zone, cutover);
}

void pos_journal_keep_ahead(pos_journal *journal, uint64_t bytes)
{
    if (atomic_load(&journal->is_next_ready) || !may_prepare(journal)) return;
    const uint64_t pages = journal->meta.volume_size / POS_LMDB_PAGE;
    const bool is_half_full = atomic_load(&journal->free_pages) < pages / 2;
    if (is_nearly_full(journal)) {
        (void)pos_journal_prepare(journal, UINT64_MAX);
    } else if (is_half_full || is_cutover_near(journal, pos_clock_utc_ns())) {
        (void)pos_journal_prepare(journal, bytes);
    }
}

/*
 * The open volume is left for the next one.
 *   1. everything in it is made durable: the next volume's commits flush another file
 *   2. the next volume is opened; its first page chains to the last page of this one
 * A crash between leaves an empty volume, which the next writer goes on with.
 */
static pos_status turn_volume(pos_journal *journal)
{
    const pos_status ready = pos_journal_prepare(journal, UINT64_MAX);
    if (ready != POS_OK) return ready;
    if (mdb_env_sync(open_volume(journal)->env, 1) != 0) return POS_JOURNAL_IN_DOUBT;
    publish(journal, atomic_load(&journal->committed_sequence));
    return pos_journal_take_volume(journal, NULL);
}

static pos_status find_room(pos_journal *journal, const pos_buffer *buffer)
{
    const bool fits =
        atomic_load(&journal->free_pages) >= buffer->lmdb_pages + POS_COMMIT_PAGES_MAX;
    const bool is_new_date =
        journal->date_volume != 0 && journal->date_volume != buffer->facts.business_date;
    if (fits && !is_new_date) return POS_OK;
    const pos_status status = turn_volume(journal);
    /* A new date begins a volume where one can be made; what was admitted is written in any case. */
    if (status != POS_OK && status != POS_JOURNAL_IN_DOUBT && fits) return POS_OK;
    return status;
}

/* ---- put and commit ------------------------------------------------------------------------------ */
static int put_page(pos_volume *volume, const pos_buffer *buffer, uint8_t digest_out[32],
                    size_t *size_out)
{
    MDB_txn *txn = NULL;
    int code = mdb_txn_begin(volume->env, NULL, 0, &txn);
    if (code != 0) return code;
    const size_t size = pos_page_value_size(buffer->count, buffer->heap_size);
    uint8_t key[8];
    pos_store_u64_be(key, buffer->facts.first_sequence);
    MDB_val at = {.mv_size = sizeof key, .mv_data = key};
    MDB_val value = {.mv_size = size, .mv_data = NULL};
    code = mdb_put(txn, volume->database, &at, &value, MDB_APPEND | MDB_NOOVERWRITE | MDB_RESERVE);
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    pos_page_encode(value.mv_data, size, &buffer->facts, buffer->rows, buffer->count, buffer->heap,
                    buffer->heap_size);
    pos_copy(digest_out, (const uint8_t *)value.mv_data + 16, 32);
    *size_out = size;
    return mdb_txn_commit(txn);
}

static pos_status write_page(pos_journal *journal, pos_buffer *buffer)
{
    assert(buffer->count > 0);
    assert(buffer->facts.first_sequence == atomic_load(&journal->committed_sequence) + 1);
    if (find_room(journal, buffer) != POS_OK) return POS_JOURNAL_IN_DOUBT;

    pos_volume *volume = open_volume(journal);
    const uint64_t before = atomic_load(&journal->committed_sequence);
    buffer->facts.committed_at_ns = pos_clock_utc_ns();
    buffer->facts.durable_before = atomic_load(&journal->durable_sequence);
    buffer->facts.durable_at_ns = journal->durable_at_ns;
    pos_copy(buffer->facts.digest_before, journal->digest_last, 32);
    uint8_t digest[32];
    size_t size = 0;
    if (put_page(volume, buffer, digest, &size) != 0) return POS_JOURNAL_IN_DOUBT;

    const uint64_t last = buffer->facts.first_sequence + buffer->count - 1;
    pos_copy(journal->digest_last, digest, 32);
    journal->date_volume = buffer->facts.business_date;
    atomic_store(&journal->committed_sequence, last);
    atomic_fetch_add(&journal->pages, 1U);
    atomic_fetch_add(&journal->bytes, size + POS_LMDB_HEADER);
    atomic_store_explicit(&journal->free_pages, pos_volume_free_pages(volume),
                          memory_order_release);
    publish(journal, journal->options.durability == POS_DURABLE_FULL ? last : before);
    pos_journal_keep_ahead(journal, PREPARE_PACE * (uint64_t)size);
    return POS_OK;
}

/* Makes durable what is committed. Never by an empty transaction: that flushes nothing. */
static pos_status sync_committed(pos_journal *journal)
{
    const uint64_t committed = atomic_load(&journal->committed_sequence);
    if (committed == atomic_load(&journal->durable_sequence)) return POS_OK;
    if (mdb_env_sync(open_volume(journal)->env, 1) != 0) return POS_JOURNAL_IN_DOUBT;
    publish(journal, committed);
    return POS_OK;
}

pos_status pos_journal_write(pos_journal *journal, bool is_idle)
{
    assert(journal != NULL);
    pos_status status = pos_journal_usable(journal);
    if (status != POS_OK) return status;
    if (journal->options.readonly) return POS_JOURNAL_READONLY;
    uint32_t written = 0;
    uint32_t taken = atomic_load_explicit(&journal->taken, memory_order_relaxed);
    while (status == POS_OK
           && taken != atomic_load_explicit(&journal->handed, memory_order_acquire)) {
        status = write_page(journal, &journal->buffers[taken % POS_BUFFERS]);
        taken++;
        written++;
        /* Given back in any case: nothing waits for a writer that has stopped. */
        atomic_store_explicit(&journal->taken, taken, memory_order_release);
    }
    if (status == POS_OK && (is_idle || written == 0)) status = sync_committed(journal);
    if (status == POS_OK && written == 0) pos_journal_keep_ahead(journal, PREPARE_IDLE_BYTES);
    if (status != POS_OK) pos_journal_stop(journal);
    return status == POS_OK ? POS_OK : POS_JOURNAL_IN_DOUBT;
}

pos_status pos_journal_commit(pos_journal *journal, uint64_t *durable_sequence_out)
{
    assert(journal != NULL);
    pos_status status = pos_journal_usable(journal);
    if (status != POS_OK) return status;
    if (journal->options.readonly) return POS_JOURNAL_READONLY;
    /* Pages that were handed over before come first; then the open one, alone or after them. */
    do {
        (void)pos_journal_turn_over(journal);
        status = pos_journal_write(journal, pos_journal_staged_count(journal) == 0);
    } while (status == POS_OK && pos_journal_staged_count(journal) > 0);
    if (status != POS_OK) return status;
    assert(atomic_load(&journal->durable_sequence) + 1 == journal->next_sequence);
    if (durable_sequence_out != NULL) *durable_sequence_out = atomic_load(&journal->durable_sequence);
    return POS_OK;
}

uint64_t pos_journal_durable(const pos_journal *journal)
{
    assert(journal != NULL);
    return atomic_load_explicit(&journal->durable_sequence, memory_order_acquire);
}

bool pos_journal_is_in_doubt(const pos_journal *journal)
{
    assert(journal != NULL);
    return atomic_load(&journal->is_in_doubt);
}
