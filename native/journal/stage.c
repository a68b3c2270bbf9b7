/*
 * Entries on their way to a volume: rows and a heap in memory, four buffers in a ring.
 *
 *        taken          begun          handed         sealed
 *          │              │              │              │
 *          ▼              ▼              ▼              ▼
 *     ┌─────────┐    ┌─────────┐    ┌─────────┐    ┌─────────┐
 *     │ commits │    │ handed  │    │ sealed  │    │  open   │
 *     └─────────┘    └─────────┘    └─────────┘    └─────────┘
 *
 * The front thread fills buffers[sealed % 4], seals it by raising `sealed` and hands it over by raising
 * `handed`; the journal thread assembles buffers[begun % 4] into a page, and whoever commits that page
 * gives the buffer back by raising `taken`. At most one buffer is handed over and not begun; a change
 * of business date may seal a second one, which is handed over by the next turn over: what must be
 * safe before a page goes out (keys that it reports) is made so there.
 *
 * Nothing is allocated after the journal is open. Staging is two copies and a few comparisons (the
 * business date is worked out once a day, not once an entry); rows become columns on the journal
 * thread, off the way of requests.
 */
#include "journal/form.h"

#include <assert.h>
#include <stdlib.h>

#include "measure/measure.h"

#define LINE 64U
#define ROWS_AHEAD 3U
#define HEAP_AHEAD 640U /* bytes: two entries or so */
#define HEAP_ASKED 384U

pos_status pos_stage_create(pos_journal *journal)
{
    for (uint32_t index = 0; index < POS_BUFFERS; index++) {
        pos_buffer *buffer = &journal->buffers[index];
        buffer->rows = calloc(journal->options.page_entries_max, sizeof *buffer->rows);
        buffer->heap = calloc(1, journal->options.page_size_max);
        if (buffer->rows == NULL || buffer->heap == NULL) return POS_MEMORY;
    }
    for (uint32_t index = 0; index < POS_IMAGES; index++) {
        pos_image *image = &journal->flight.images[index];
        image->value = calloc(1, journal->options.page_size_max);
        if (image->value == NULL) return POS_MEMORY;
    }
    return POS_OK;
}

void pos_stage_destroy(pos_journal *journal)
{
    for (uint32_t index = 0; index < POS_BUFFERS; index++) {
        free(journal->buffers[index].rows);
        free(journal->buffers[index].heap);
    }
    for (uint32_t index = 0; index < POS_IMAGES; index++) free(journal->flight.images[index].value);
}

static pos_buffer *open_buffer(const pos_journal *journal)
{
    const uint32_t sealed = atomic_load_explicit(&journal->sealed, memory_order_relaxed);
    return (pos_buffer *)&journal->buffers[sealed % POS_BUFFERS];
}

/* Buffers that wait for the journal thread or are with it. */
static uint32_t waiting(const pos_journal *journal)
{
    return atomic_load_explicit(&journal->sealed, memory_order_relaxed)
           - atomic_load_explicit(&journal->taken, memory_order_acquire);
}

bool pos_journal_is_writing(const pos_journal *journal)
{
    assert(journal != NULL);
    return waiting(journal) > 0;
}

uint32_t pos_journal_staged_count(const pos_journal *journal)
{
    assert(journal != NULL);
    return open_buffer(journal)->count;
}

/* LMDB pages of the open page with one more entry, or one more than it will take. */
static uint32_t pages_with(const pos_buffer *buffer, size_t heap_size)
{
    const size_t size = pos_page_size_bound(buffer->count + 1, buffer->heap_size + heap_size);
    return (uint32_t)((size + POS_LMDB_PAGE - 1) / POS_LMDB_PAGE);
}

static bool has_stage_room(const pos_journal *journal, const pos_buffer *buffer, size_t heap_size)
{
    if (buffer->count >= journal->options.page_entries_max) return false;
    if (buffer->heap_size + heap_size > journal->options.page_size_max) return false;
    return pages_with(buffer, heap_size) <= journal->options.page_size_max / POS_LMDB_PAGE;
}

/*
 * All that is staged, and one entry more, fits the open volume; or the next one is ready, and a
 * volume holds more than three pages (journal.c sees to that). The journal thread lowers `free_pages`
 * before it raises `taken`, so what is seen in between is too little, never too much.
 */
static bool has_disk_room(const pos_journal *journal, const pos_buffer *buffer, size_t heap_size)
{
    if (atomic_load_explicit(&journal->is_next_ready, memory_order_acquire)) return true;
    uint64_t wanted = pages_with(buffer, heap_size) + POS_COMMIT_PAGES_MAX;
    const uint32_t sealed = atomic_load_explicit(&journal->sealed, memory_order_relaxed);
    for (uint32_t index = sealed - waiting(journal); index != sealed; index++) {
        wanted += journal->buffers[index % POS_BUFFERS].lmdb_pages + POS_COMMIT_PAGES_MAX;
    }
    return wanted <= atomic_load_explicit(&journal->free_pages, memory_order_acquire);
}

bool pos_journal_has_room(const pos_journal *journal, size_t heap_size)
{
    assert(journal != NULL);
    if (pos_journal_usable(journal) != POS_OK || journal->options.readonly) return false;
    const pos_buffer *buffer = open_buffer(journal);
    return has_stage_room(journal, buffer, heap_size) && has_disk_room(journal, buffer, heap_size);
}

static void seal(pos_journal *journal)
{
    const uint32_t sealed = atomic_load_explicit(&journal->sealed, memory_order_relaxed);
    pos_buffer *next = &journal->buffers[(sealed + 1) % POS_BUFFERS];
    assert(waiting(journal) < POS_BUFFERS - 1);
    next->count = 0;
    next->heap_size = 0;
    next->lmdb_pages = 0;
    atomic_store_explicit(&journal->sealed, sealed + 1, memory_order_release);
}

/* Gives every sealed buffer to the journal thread; false where it has them all already. */
static bool hand_over(pos_journal *journal)
{
    const uint32_t sealed = atomic_load_explicit(&journal->sealed, memory_order_relaxed);
    if (atomic_load_explicit(&journal->handed, memory_order_relaxed) == sealed) return false;
    atomic_store_explicit(&journal->handed, sealed, memory_order_release);
    return true;
}

bool pos_journal_turn_over(pos_journal *journal)
{
    assert(journal != NULL);
    /* The page before may still be on its way to the disk: only one that nobody has begun is waited
     * for. */
    const bool is_begun = atomic_load_explicit(&journal->sealed, memory_order_relaxed)
                          == atomic_load_explicit(&journal->begun, memory_order_acquire);
    if (is_begun && open_buffer(journal)->count > 0) seal(journal);
    return hand_over(journal);
}

/*
 * A page has one business date, and dates never go back: where the clock stepped back over the
 * cutover, an entry takes the date of the one before. At a new date the open page is sealed; where
 * the writer is a page behind and another date has passed already, the page keeps its first date.
 */
static void turn_date(pos_journal *journal, int64_t received_at_ns)
{
    if (received_at_ns < journal->date_until_ns) return;
    const int32_t date = pos_business_date(received_at_ns, journal->options.zone_offset_minute,
                                           journal->options.cutover_minute);
    if (date > journal->date_last) {
        if (open_buffer(journal)->count > 0) {
            if (waiting(journal) >= POS_BUFFERS - 1) return;
            seal(journal);
        }
        journal->date_last = date;
    }
    /* Until this date ends, nothing that comes has a later one. */
    journal->date_until_ns = pos_business_date_end_ns(
        received_at_ns, journal->options.zone_offset_minute, journal->options.cutover_minute);
}

static void begin_page(pos_journal *journal, pos_buffer *buffer)
{
    buffer->facts = (pos_page_facts){
        .first_sequence = journal->next_sequence,
        .business_date = journal->date_last,
        .staged_at_ns = pos_clock_utc_ns(),
        .sent_at_ns = atomic_load_explicit(&journal->sent_at_ns, memory_order_relaxed),
        .under = journal->under,
    };
}

/*
 * A buffer comes round again after three others, a megabyte or more later: its lines have left the near
 * cache, and a store waits for them as a load would. So those of entries to come are asked for now.
 */
static void ask_ahead(const pos_entry *row, const uint8_t *heap)
{
    const uint8_t *rows = (const uint8_t *)(row + ROWS_AHEAD);
    for (size_t at = 0; at < sizeof *row; at += LINE) __builtin_prefetch(rows + at, 1, 3);
    for (size_t at = 0; at < HEAP_ASKED; at += LINE) __builtin_prefetch(heap + HEAP_AHEAD + at, 1, 3);
}

pos_status pos_journal_stage(pos_journal *journal, pos_entry *entry)
{
    assert(journal != NULL);
    assert(entry != NULL);
    const pos_status usable = pos_journal_usable(journal);
    if (usable != POS_OK) return usable;
    if (journal->options.readonly) return POS_JOURNAL_READONLY;
    const size_t heap_size = (size_t)entry->request_size + entry->answer_size;
    if (entry->outcome >= POS_OUTCOME_COUNT || entry->kind >= POS_KIND_COUNT) return POS_ENTRY_FORM;
    pos_buffer *buffer = open_buffer(journal);
    if (!has_stage_room(journal, buffer, heap_size)) {
        const bool fits_alone = heap_size <= journal->options.page_size_max
                                && pos_page_size_bound(1, heap_size) <= journal->options.page_size_max;
        return fits_alone ? POS_STAGE_FULL : POS_ENTRY_OVERSIZE;
    }
    if (!has_disk_room(journal, buffer, heap_size)) return POS_JOURNAL_FULL;

    turn_date(journal, entry->received_at_ns);
    buffer = open_buffer(journal);
    if (buffer->count == 0) begin_page(journal, buffer);
    entry->sequence = journal->next_sequence++;
    pos_entry *row = &buffer->rows[buffer->count];
    pos_copy(row, entry, sizeof *row);
    uint8_t *heap = buffer->heap + buffer->heap_size;
    ask_ahead(row, heap); /* past the end it asks for nothing */
    pos_copy(heap, entry->request, entry->request_size);
    pos_copy(heap + entry->request_size, entry->answer, entry->answer_size);
    row->request = heap;
    row->answer = heap + entry->request_size;
    buffer->lmdb_pages = pages_with(buffer, heap_size);
    buffer->heap_size += heap_size;
    buffer->count++;
    return POS_OK;
}

bool pos_stage_find(const pos_journal *journal, uint64_t sequence, pos_entry *entry_out)
{
    const uint32_t sealed = atomic_load_explicit(&journal->sealed, memory_order_relaxed);
    for (uint32_t index = sealed - waiting(journal); index != sealed + 1; index++) {
        const pos_buffer *buffer = &journal->buffers[index % POS_BUFFERS];
        const uint64_t first = buffer->facts.first_sequence;
        if (buffer->count > 0 && sequence >= first && sequence - first < buffer->count) {
            pos_copy(entry_out, &buffer->rows[sequence - first], sizeof *entry_out);
            return true;
        }
    }
    return false;
}

void pos_journal_decided_under(pos_journal *journal, const pos_decided_under *under)
{
    assert(journal != NULL);
    assert(under != NULL);
    journal->under = *under;
}

void pos_journal_sent(pos_journal *journal, int64_t at_ns)
{
    assert(journal != NULL);
    atomic_store_explicit(&journal->sent_at_ns, at_ns, memory_order_relaxed);
}
