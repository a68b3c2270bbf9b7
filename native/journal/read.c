/*
 * Reading: pages by sequence, entries, and finding one by RRN or by TID and STAN.
 *
 * Volumes are ordered by their first sequence, and only the last may be empty: a sequence is found by
 * halving over volumes and one seek in a tree. No index is written while the engine runs; the newest
 * entry of a terminal is found by scanning two columns backwards, ten million rows in about 10 ms.
 *
 * What a reader sees ends at the published durable sequence. After a loss of power the last page of
 * these may be in no tree until a writer has recovered: it is looked for once, and shown (tail.c).
 */
#include "journal/parts.h"

#include <assert.h>
#include <sys/stat.h>

pos_status pos_journal_take_volume(pos_journal *journal, char *words_out)
{
    const uint32_t index = atomic_load(&journal->volume_count);
    assert(index < POS_VOLUMES_MAX);
    char path[POS_PATH_MAX];
    if (!pos_volume_path(path, journal->path, journal->lowest + index, ".mdb")) return POS_ARGUMENT;
    pos_volume *volume = NULL;
    const pos_status status =
        pos_volume_open(path, journal->lowest + index, journal->meta.volume_size, POS_VOLUME_WRITE,
                        journal->options.durability, &volume, words_out);
    if (status != POS_OK) return status;
    journal->volumes[index] = volume;
    atomic_store_explicit(&journal->free_pages, pos_volume_free_pages(volume),
                          memory_order_release);
    atomic_store_explicit(&journal->is_next_ready, false, memory_order_release);
    atomic_store_explicit(&journal->volume_count, index + 1, memory_order_release);
    return POS_OK;
}

pos_status pos_journal_volume(pos_journal *journal, uint32_t index, pos_volume **volume_out,
                              char *words_out)
{
    const uint32_t count = atomic_load_explicit(&journal->volume_count, memory_order_acquire);
    assert(index < count);
    if (journal->volumes[index] == NULL) {
        const uint32_t number = journal->lowest + index;
        char path[POS_PATH_MAX];
        if (!pos_volume_path(path, journal->path, number, ".mdb")) return POS_ARGUMENT;
        /* Two volumes later one has been left for good; the last but one may still be written. A
         * writer has the one that it writes open already, and all before it are sealed. */
        const bool is_sealed = !journal->options.readonly || index + 2 < count;
        const pos_status status = pos_volume_open(
            path, number, journal->meta.volume_size, is_sealed ? POS_VOLUME_SEALED : POS_VOLUME_READ,
            POS_DURABLE_FULL, &journal->volumes[index], words_out);
        if (status != POS_OK) return status;
    }
    *volume_out = journal->volumes[index];
    return POS_OK;
}

/* Volumes made by the writer since this reader looked; true where there are. */
static bool discover(pos_journal *journal)
{
    if (!journal->options.readonly) return false;
    const uint32_t known = atomic_load(&journal->volume_count);
    uint32_t count = known;
    char path[POS_PATH_MAX];
    struct stat facts;
    while (count < POS_VOLUMES_MAX
           && pos_volume_path(path, journal->path, journal->lowest + count, ".mdb")
           && stat(path, &facts) == 0) {
        count++;
    }
    atomic_store(&journal->volume_count, count);
    return count > known;
}

/* The first sequence of a volume; UINT64_MAX while it is empty. */
static pos_status first_of(pos_journal *journal, uint32_t index, uint64_t *first_out,
                           char *words_out)
{
    pos_volume *volume = NULL;
    pos_status status = pos_journal_volume(journal, index, &volume, words_out);
    if (status != POS_OK) return status;
    if (volume->first_sequence == 0) {
        pos_value value;
        status = pos_volume_seek(volume, POS_SEEK_FIRST, 0, &value, words_out);
    }
    *first_out = volume->first_sequence == 0 ? UINT64_MAX : volume->first_sequence;
    return status == POS_JOURNAL_END ? POS_OK : status;
}

/* The last volume that does not begin after `sequence`; the first where all do. */
static pos_status find_volume(pos_journal *journal, uint64_t sequence, uint32_t *index_out,
                              char *words_out)
{
    uint32_t low = 0;
    uint32_t high = atomic_load_explicit(&journal->volume_count, memory_order_acquire);
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        uint64_t first = 0;
        const pos_status status = first_of(journal, middle, &first, words_out);
        if (status != POS_OK) return status;
        if (first <= sequence) low = middle;
        else high = middle;
    }
    *index_out = low;
    return POS_OK;
}

static pos_status locate(pos_journal *journal, pos_seek kind, uint64_t sequence,
                         pos_page *page_out, char *words_out)
{
    uint32_t index = 0;
    pos_status status = find_volume(journal, sequence, &index, words_out);
    pos_volume *volume = NULL;
    pos_value value;
    if (status == POS_OK) status = pos_journal_volume(journal, index, &volume, words_out);
    if (status == POS_OK) status = pos_volume_seek(volume, kind, sequence, &value, words_out);
    if (status == POS_JOURNAL_END && kind == POS_SEEK_AFTER
        && index + 1 < atomic_load(&journal->volume_count)) {
        status = pos_journal_volume(journal, index + 1, &volume, words_out);
        if (status == POS_OK) {
            status = pos_volume_seek(volume, POS_SEEK_FIRST, 0, &value, words_out);
        }
    }
    if (status == POS_OK) status = pos_page_read(value.data, value.size, page_out, words_out);
    if (status == POS_OK && page_out->first_sequence != value.key) {
        pos_words(words_out, "the page lies under the key of %llu", (unsigned long long)value.key);
        status = POS_JOURNAL_CORRUPT;
    }
    return status;
}

/* Nothing known comes after that. */
static bool is_past(pos_status status, pos_seek kind, uint64_t sequence, const pos_page *page)
{
    return status == POS_JOURNAL_END
           || (status == POS_OK && kind == POS_SEEK_HOLDING
               && sequence >= page->first_sequence + page->count);
}

/* The last volume with pages; the first where none has any. */
static pos_status last_page(pos_journal *journal, uint32_t *index_out, pos_page *page_out,
                            char *words_out)
{
    const pos_status status = find_volume(journal, UINT64_MAX - 1, index_out, words_out);
    if (status != POS_OK) return status;
    return locate(journal, POS_SEEK_HOLDING, UINT64_MAX - 1, page_out, words_out);
}

/* What was published goes on where the volumes end, and no writer has recovered yet. */
static pos_status look_for_tail(pos_journal *journal, char *words_out)
{
    static const uint8_t NONE[32];
    if (journal->tail.run != NULL) return POS_OK;
    /* First of all: a writer may write, and all that was published by now is found below. */
    const uint64_t visible = pos_journal_visible(journal);
    (void)discover(journal);
    uint32_t index = 0;
    pos_page page;
    const pos_status status = last_page(journal, &index, &page, words_out);
    if (status != POS_OK && status != POS_JOURNAL_END) return status;
    const uint64_t last = status == POS_OK ? page.first_sequence + page.count - 1 : 0;
    if (last >= visible) return POS_JOURNAL_END;
    return pos_tail_find(journal, index, last, last > 0 ? page.digest : NONE, &journal->tail,
                         words_out);
}

static pos_status locate_tail(pos_journal *journal, pos_seek kind, uint64_t sequence,
                              pos_page *page_out, char *words_out)
{
    const pos_status status = look_for_tail(journal, words_out);
    if (status != POS_OK) return status;
    const uint64_t first = journal->tail.page.first_sequence;
    if (kind == POS_SEEK_AFTER ? first <= sequence : first > sequence) return POS_JOURNAL_END;
    *page_out = journal->tail.page;
    return POS_OK;
}

pos_status pos_journal_locate(pos_journal *journal, pos_seek kind, uint64_t sequence,
                              pos_page *page_out, char *words_out)
{
    assert(journal != NULL);
    assert(kind == POS_SEEK_HOLDING || kind == POS_SEEK_AFTER);
    (void)pthread_mutex_lock(&journal->reading);
    pos_status status = locate(journal, kind, sequence, page_out, words_out);
    /* Only at the end of what is known are there volumes to be discovered. */
    if (is_past(status, kind, sequence, page_out) && discover(journal)) {
        status = locate(journal, kind, sequence, page_out, words_out);
    }
    if (journal->options.readonly && is_past(status, kind, sequence, page_out)
        && sequence <= pos_journal_visible(journal)) {
        const pos_status found = locate_tail(journal, kind, sequence, page_out, words_out);
        if (found != POS_JOURNAL_END) status = found;
    }
    (void)pthread_mutex_unlock(&journal->reading);
    return status;
}

static bool holds(const pos_page *page, uint64_t sequence)
{
    return sequence >= page->first_sequence && sequence - page->first_sequence < page->count;
}

pos_status pos_journal_page(pos_journal *journal, uint64_t sequence, pos_page *page_out)
{
    assert(journal != NULL);
    assert(page_out != NULL);
    pos_status status = pos_journal_usable(journal);
    if (status != POS_OK) return status;
    const uint64_t visible = pos_journal_visible(journal);
    if (sequence == 0) sequence = 1;
    if (sequence > visible) return POS_JOURNAL_END;
    pos_page page;
    status = pos_journal_locate(journal, POS_SEEK_HOLDING, sequence, &page, NULL);
    if (status != POS_OK) return status;
    /* Before the first page that is kept: that one. Past the page's end: a hole, for there is more. */
    if (page.first_sequence < sequence && !holds(&page, sequence)) return POS_JOURNAL_CORRUPT;
    if (page.first_sequence + page.count - 1 > visible) return POS_JOURNAL_END;
    *page_out = page;
    return POS_OK;
}

#define WALK_MAX 64U /* values a look: each is judged before the next look is taken */

#define PREFETCHED 6U
/* A page's header and directory, which nobody has touched yet: a walk waits for memory otherwise. */
static void prefetch(const uint8_t *value)
{
    for (size_t offset = 0; offset < 1152; offset += 64) __builtin_prefetch(value + offset);
}

/* Pages behind `first`, of the same volume, as long as they run on and are visible. */
static size_t walk_on(pos_journal *journal, const pos_page *first, uint64_t visible,
                      pos_page *pages_out, size_t pages_max)
{
    pos_value values[WALK_MAX];
    size_t found = 0;
    size_t taken = 0;
    uint32_t index = 0;
    pos_volume *volume = NULL;
    if (pages_max > WALK_MAX) pages_max = WALK_MAX;
    (void)pthread_mutex_lock(&journal->reading);
    pos_status status = find_volume(journal, first->first_sequence, &index, NULL);
    if (status == POS_OK) status = pos_journal_volume(journal, index, &volume, NULL);
    if (status == POS_OK) {
        status = pos_volume_walk(volume, POS_SEEK_AFTER, first->first_sequence, values, pages_max,
                                 &found, NULL);
    }
    uint64_t expected = first->first_sequence + first->count;
    while (status == POS_OK && taken < found && values[taken].key == expected) {
        if (taken + PREFETCHED < found) prefetch(values[taken + PREFETCHED].data);
        pos_page *page = &pages_out[taken];
        status = pos_page_read(values[taken].data, values[taken].size, page, NULL);
        if (status != POS_OK || page->first_sequence != expected) break;
        if (page->first_sequence + page->count - 1 > visible) break;
        expected += page->count;
        taken++;
    }
    (void)pthread_mutex_unlock(&journal->reading);
    return taken;
}

pos_status pos_journal_pages(pos_journal *journal, uint64_t sequence, pos_page *pages_out,
                             size_t pages_max, size_t *count_out)
{
    assert(pages_out != NULL && pages_max > 0);
    assert(count_out != NULL);
    const uint64_t visible = journal == NULL ? 0 : pos_journal_visible(journal);
    const pos_status status = pos_journal_page(journal, sequence, pages_out);
    if (status != POS_OK) return status;
    /* A page that does not follow as it should is told of when it is asked for. */
    *count_out = 1;
    if (pages_max > 1) {
        *count_out += walk_on(journal, pages_out, visible, pages_out + 1, pages_max - 1);
    }
    return POS_OK;
}

pos_status pos_journal_entry(pos_journal *journal, uint64_t sequence, pos_entry *entry_out)
{
    assert(journal != NULL);
    assert(entry_out != NULL);
    pos_status status = pos_journal_usable(journal);
    if (status != POS_OK) return status;
    if (!journal->options.readonly && pos_stage_find(journal, sequence, entry_out)) return POS_OK;
    const uint64_t last = journal->options.readonly ? pos_journal_visible(journal)
                                                    : atomic_load(&journal->committed_sequence);
    if (sequence == 0 || sequence > last) return POS_ENTRY_ABSENT;
    pos_page page;
    status = pos_journal_locate(journal, POS_SEEK_HOLDING, sequence, &page, NULL);
    if (status != POS_OK) return status;
    if (page.first_sequence > sequence) return POS_ENTRY_ABSENT;
    if (!holds(&page, sequence)) return POS_JOURNAL_CORRUPT;
    return pos_page_entry(&page, (uint32_t)(sequence - page.first_sequence), entry_out);
}

/* ---- finding -------------------------------------------------------------------------------------- */
#define RRN_SIZE 12U
#define SEQUENCE_DIGITS 10U
#define SEQUENCE_TURN 10000000000ULL

/* The newest page not after `sequence`; JOURNAL_END before the first. */
static pos_status page_before(pos_journal *journal, uint64_t sequence, pos_page *page_out)
{
    if (sequence == 0) return POS_JOURNAL_END;
    const pos_status status = pos_journal_page(journal, sequence, page_out);
    if (status == POS_OK && page_out->first_sequence > sequence) return POS_JOURNAL_END;
    return status;
}

/* Where we are the host, the last ten digits of an RRN are the entry's sequence. */
static pos_status seek_rrn(pos_journal *journal, const char rrn[12], uint64_t *sequence_out)
{
    const uint8_t *digits = (const uint8_t *)rrn + RRN_SIZE - SEQUENCE_DIGITS;
    if (!pos_ascii_is_digits(digits, SEQUENCE_DIGITS)) return POS_ENTRY_ABSENT;
    const uint64_t visible = pos_journal_visible(journal);
    const uint64_t low = pos_ascii_number(digits, SEQUENCE_DIGITS);
    if (low > visible) return POS_ENTRY_ABSENT;
    const uint64_t sequence = low + (visible - low) / SEQUENCE_TURN * SEQUENCE_TURN;
    pos_entry entry;
    const pos_status status = pos_journal_entry(journal, sequence, &entry);
    if (status != POS_OK) return status;
    if (!pos_equal(entry.rrn, rrn, RRN_SIZE)) return POS_ENTRY_ABSENT;
    *sequence_out = sequence;
    return POS_OK;
}

pos_status pos_journal_find_rrn(pos_journal *journal, const char rrn[12], uint64_t *sequence_out)
{
    assert(rrn != NULL);
    assert(sequence_out != NULL);
    pos_status status = seek_rrn(journal, rrn, sequence_out);
    if (status != POS_ENTRY_ABSENT) return status;
    pos_page page;
    uint64_t at = pos_journal_visible(journal);
    while ((status = page_before(journal, at, &page)) == POS_OK) {
        pos_column column;
        status = pos_page_column_named(&page, "rrn", &column);
        if (status != POS_OK) return status;
        for (uint32_t row = column.data == NULL ? 0 : page.count; row > 0; row--) {
            if (pos_equal(column.data + (size_t)(row - 1) * RRN_SIZE, rrn, RRN_SIZE)) {
                *sequence_out = page.first_sequence + row - 1;
                return POS_OK;
            }
        }
        at = page.first_sequence - 1;
    }
    return status == POS_JOURNAL_END ? POS_ENTRY_ABSENT : status;
}

pos_status pos_journal_find_stan(pos_journal *journal, const char tid[8], uint32_t stan,
                                 uint64_t before, uint64_t *sequence_out)
{
    assert(tid != NULL);
    assert(sequence_out != NULL);
    pos_page page;
    pos_status status;
    uint64_t at = pos_journal_visible(journal);
    if (before > 0 && before - 1 < at) at = before - 1;
    while ((status = page_before(journal, at, &page)) == POS_OK) {
        pos_column stans;
        pos_column tids;
        status = pos_page_column_named(&page, "stan", &stans);
        if (status == POS_OK) status = pos_page_column_named(&page, "tid", &tids);
        if (status != POS_OK) return status;
        const bool is_there = stans.data != NULL && tids.data != NULL;
        for (uint64_t row = is_there ? at - page.first_sequence + 1 : 0; row > 0; row--) {
            if (pos_load_u32_le(stans.data + (row - 1) * 4) != stan) continue;
            if (!pos_equal(tids.data + (row - 1) * 8, tid, 8)) continue;
            *sequence_out = page.first_sequence + row - 1;
            return POS_OK;
        }
        at = page.first_sequence - 1;
    }
    return status == POS_JOURNAL_END ? POS_ENTRY_ABSENT : status;
}
