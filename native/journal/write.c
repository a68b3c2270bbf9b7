/*
 * Writing: one page, one LMDB value, one transaction.
 *
 *   1. assemble   rows become the value: columns, heap, digest, CRC; the page before may be on its way
 *   2. room       the page before is committed; the open volume has room, or the next one is taken
 *   3. commit     LMDB writes and flushes the pages, then writes the meta page that shows them
 *                 (commit.c, for large pages in a thread of its own)
 *   4. durable    the page is flushed, and says of itself what it is: where a loss of power takes the
 *                 meta page, recovery finds it and puts it again (tail.c). The meta page is flushed
 *                 by the next commit; full: by this one
 *
 * What a crash leaves: before 3 the journal without the page; within 3 with or without it; after 3
 * with it. Nothing of it was answered before: replies leave after 4. Why this holds, and the rules R1
 * to R8 that it needs, is told in docs/explanation/durability.md.
 *
 * Any error from 2 to 4 ends the journal. Linux drops the pages of a failed flush and reports the
 * failure once, so a second try would succeed and mean nothing; in late mode it corrupts (measured).
 */
#include "journal/parts.h"

#include <assert.h>

#include "measure/measure.h"

#define IDLE_BYTES (64U * 1024U) /* counted as written where there was nothing to write */

void pos_journal_stop(pos_journal *journal)
{
    atomic_store(&journal->is_in_doubt, true);
    atomic_store(&journal->mark->is_in_doubt, 1U);
}

void pos_journal_publish(pos_journal *journal, uint64_t durable)
{
    if (durable == atomic_load(&journal->durable_sequence)) return;
    assert(durable > atomic_load(&journal->durable_sequence));
    assert(durable <= atomic_load(&journal->committed_sequence));
    atomic_store(&journal->durable_at_ns, pos_clock_utc_ns());
    atomic_store(&journal->mark->durable_sequence, durable);
    atomic_store(&journal->durable_sequence, durable);
}

pos_volume *pos_journal_open_volume(const pos_journal *journal)
{
    const uint32_t count = atomic_load(&journal->volume_count);
    assert(count > 0);
    return journal->volumes[count - 1];
}

/* ---- room ---------------------------------------------------------------------------------------- */
/*
 * The open volume is left for the next one.
 *   1. its last meta page is flushed: the next volume's commits flush another file
 *   2. the next volume is opened; its first page chains to the last page of this one
 * A crash between leaves an empty volume, which the next writer goes on with.
 */
static pos_status turn_volume(pos_journal *journal)
{
    const pos_status ready = pos_journal_prepare_now(journal);
    if (ready != POS_OK) return ready;
    if (mdb_env_sync(pos_journal_open_volume(journal)->env, 1) != 0) return POS_JOURNAL_IN_DOUBT;
    return pos_journal_take_volume(journal, NULL);
}

/* A new date begins a volume where one is there; what was admitted is written in any case, and nobody
 * waits for zeros while there is room. */
static pos_status find_room(pos_journal *journal, const pos_buffer *buffer)
{
    const bool fits =
        atomic_load(&journal->free_pages) >= buffer->lmdb_pages + POS_COMMIT_PAGES_MAX;
    const int32_t date = atomic_load(&journal->date_volume);
    const bool is_new_date = date != 0 && date != buffer->facts.business_date;
    if (fits && !is_new_date) return POS_OK;
    if (fits && !pos_journal_prepare_soon(journal)) return POS_OK;
    const pos_status status = turn_volume(journal);
    if (status != POS_OK && status != POS_JOURNAL_IN_DOUBT && fits) return POS_OK;
    return status;
}

/* The writer does not come back to a volume that may not take the next page, where another can be made:
 * meanwhile the front holds what arrives, and need not refuse it. Where none can, admission stops. */
static void leave_room(pos_journal *journal)
{
    const uint64_t largest = journal->options.page_size_max / POS_LMDB_PAGE + POS_COMMIT_PAGES_MAX;
    if (atomic_load(&journal->free_pages) < largest) (void)pos_journal_prepare_now(journal);
}

/* ---- a page assembled, then committed ------------------------------------------------------------ */
static const pos_image *assemble(pos_journal *journal, pos_buffer *buffer, uint32_t number)
{
    pos_flight *flight = &journal->flight;
    pos_image *image = &flight->images[flight->turn++ % POS_IMAGES];
    buffer->facts.committed_at_ns = pos_clock_utc_ns();
    buffer->facts.durable_before = atomic_load(&journal->durable_sequence);
    buffer->facts.durable_at_ns = atomic_load(&journal->durable_at_ns);
    pos_copy(buffer->facts.digest_before, journal->digest_last, 32);
    buffer->facts.pan_ciphers = pos_pans_seal(journal, number);
    image->size = pos_page_value_size(buffer->count, buffer->heap_size, journal->pans != NULL);
    image->first_sequence = buffer->facts.first_sequence;
    image->count = buffer->count;
    image->buffer = number;
    assert(image->size <= journal->options.page_size_max);
    pos_page_encode(image->value, image->size, &buffer->facts, buffer->rows, buffer->count,
                    buffer->heap, buffer->heap_size);
    pos_pans_forget(journal, number);
    pos_copy(journal->digest_last, image->value + 16, 32);
    return image;
}

/* A page is on its way, and this one needs no other volume even if that one is not counted yet. */
static bool may_follow(pos_journal *journal, const pos_buffer *buffer, const pos_image *image)
{
    const uint64_t ahead = pos_flight_ahead_of(journal, image);
    if (ahead == 0 || journal->date_volume != buffer->facts.business_date) return false;
    const uint64_t pages = ahead / POS_LMDB_PAGE + buffer->lmdb_pages + 2 * POS_COMMIT_PAGES_MAX;
    return atomic_load(&journal->free_pages) >= pages;
}

/* Assembles while the page before may be on its way, and begins the commit when that has succeeded.
 * `assembled_ns_out` takes how long the assembling took. */
static pos_status write_page(pos_journal *journal, uint32_t number, int64_t *assembled_ns_out)
{
    pos_buffer *buffer = &journal->buffers[number % POS_BUFFERS];
    assert(buffer->count > 0);
    const int64_t began_at_ns = pos_clock_monotonic_ns();
    const pos_image *image = assemble(journal, buffer, number);
    *assembled_ns_out = pos_clock_monotonic_ns() - began_at_ns;
    if (may_follow(journal, buffer, image)) return pos_flight_follow(journal, image);
    if (pos_flight_end(journal) != POS_OK) return POS_JOURNAL_IN_DOUBT;
    if (find_room(journal, buffer) != POS_OK) return POS_JOURNAL_IN_DOUBT;
    atomic_store(&journal->date_volume, buffer->facts.business_date);
    return pos_flight_begin(journal, image);
}

/* Pages that will never be: their account numbers are not left lying. What the front thread has is
 * wiped when it closes the journal, which is all that it can still do. */
static void forget_handed(pos_journal *journal)
{
    const uint32_t handed = atomic_load_explicit(&journal->handed, memory_order_acquire);
    uint32_t number = atomic_load_explicit(&journal->begun, memory_order_relaxed);
    for (; number != handed; number++) pos_pans_forget(journal, number);
}

/* The writer comes back: what failed ends the journal. */
static pos_status written_out(pos_journal *journal, pos_status status)
{
    if (status != POS_OK) {
        pos_journal_stop(journal);
        forget_handed(journal);
    }
    journal->flight.left_at_ns = pos_clock_monotonic_ns();
    return status == POS_OK ? POS_OK : POS_JOURNAL_IN_DOUBT;
}

pos_status pos_journal_write(pos_journal *journal, bool is_idle)
{
    assert(journal != NULL);
    pos_status status = pos_journal_usable(journal);
    if (status == POS_JOURNAL_IN_DOUBT) forget_handed(journal); /* the commit's own thread found out */
    if (status != POS_OK) return status;
    if (journal->options.readonly) return POS_JOURNAL_READONLY;
    pos_flight_is_back(journal);
    uint32_t written = 0;
    uint32_t begun = atomic_load_explicit(&journal->begun, memory_order_relaxed);
    while (status == POS_OK
           && begun != atomic_load_explicit(&journal->handed, memory_order_acquire)) {
        int64_t assembled_ns = 0;
        status = write_page(journal, begun, &assembled_ns);
        if (status == POS_OK && !is_idle) {
            status = pos_flight_linger(journal, assembled_ns + journal->flight.away_ns);
        }
        begun++;
        written++;
        atomic_store_explicit(&journal->begun, begun, memory_order_release);
    }
    if (status == POS_OK && (is_idle || written == 0)) status = pos_flight_end(journal);
    if (status == POS_OK && written == 0) pos_journal_keep_ahead(journal, IDLE_BYTES);
    if (status == POS_OK) leave_room(journal);
    return written_out(journal, status);
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
