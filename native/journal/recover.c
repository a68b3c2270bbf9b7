/*
 * What a writer does before it believes what it reads.
 *
 *   1. open the last volume that has pages, to write; an empty one after it is the next, ready
 *   2. flush it and the one before: what a killed writer left in the page cache may not be on the disk
 *      yet, and answering from it would be answering before the commit (measured: in full mode too)
 *   3. the sequences of those two run on, and the last pages have their sums and chain
 *   4. where the last writer ended in doubt, the disk holds what the kernel shows
 *   5. the page that was flushed, and that its volume's tree does not show, is put again (tail.c)
 *   6. nothing that was published durable is missing
 *   7. what is there is durable now: publish it
 *
 * Nothing is cut. A journal that fails is refused, in words, and stays as it is: reading
 * and `posengine journal verify` still work on it, and a snapshot takes what is whole.
 */
#include "journal/parts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COMPARED_SIZE (256U * 1024U)
/* Checked byte by byte at every open; `verify` checks the rest. More pages than may have been on their
 * way together, and no more bytes than are summed in a few milliseconds. */
#define TAIL_PAGES 16U
#define TAIL_BYTES (8U * 1024U * 1024U)

/* The volume that will be written: opened so from the start, for a file is opened once. */
static pos_status open_last(pos_journal *journal, char *words_out)
{
    const uint32_t listed = atomic_load(&journal->volume_count);
    uint32_t count = listed;
    for (;;) {
        atomic_store(&journal->volume_count, count - 1);
        const pos_status status = pos_journal_take_volume(journal, words_out);
        if (status != POS_OK) return status;
        pos_value value;
        const pos_status found =
            pos_volume_seek(journal->volumes[count - 1], POS_SEEK_LAST, 0, &value, words_out);
        if (found != POS_JOURNAL_END || count == 1) {
            atomic_store(&journal->is_next_ready, count < listed);
            return found == POS_JOURNAL_END ? POS_OK : found;
        }
        pos_volume_close(journal->volumes[count - 1]);
        journal->volumes[count - 1] = NULL;
        count--;
    }
}

static pos_status flush(const pos_volume *volume, char *words_out)
{
    int file = -1;
    const bool is_synced = volume->is_writable
                               ? mdb_env_sync(volume->env, 1) == 0
                               : mdb_env_get_fd(volume->env, &file) == 0 && fdatasync(file) == 0;
    if (is_synced) return POS_OK;
    pos_words(words_out, "volume %u cannot be flushed", volume->number);
    return POS_SYSTEM;
}

static pos_status seek_page(pos_volume *volume, pos_seek kind, pos_page *page_out, char *words_out)
{
    pos_value value;
    pos_status status = pos_volume_seek(volume, kind, 0, &value, words_out);
    if (status == POS_OK) status = pos_page_read(value.data, value.size, page_out, words_out);
    if (status == POS_OK && value.key != page_out->first_sequence) {
        pos_words(words_out, "volume %u: a page lies under another key", volume->number);
        status = POS_JOURNAL_CORRUPT;
    }
    return status;
}

/*
 * Steps 2 and 3 over the last two volumes: flushed, not empty but for the last, and running on. Those
 * before were flushed when they were left, before the next one took its first page, and nobody writes
 * them: that their names run on was seen when they were listed, `verify` reads them, and opening a
 * journal of a thousand volumes takes no longer than one of two.
 */
static pos_status join_volumes(pos_journal *journal, char *words_out)
{
    const uint32_t count = atomic_load(&journal->volume_count);
    uint64_t expected = 0;
    for (uint32_t index = count > 1 ? count - 2 : 0; index < count; index++) {
        pos_volume *volume = NULL;
        pos_status status = pos_journal_volume(journal, index, &volume, words_out);
        if (status == POS_OK) status = flush(volume, words_out);
        pos_page first;
        pos_page last;
        if (status == POS_OK) status = seek_page(volume, POS_SEEK_FIRST, &first, words_out);
        if (status == POS_JOURNAL_END && count == 1) return POS_OK;
        if (status == POS_OK) status = seek_page(volume, POS_SEEK_LAST, &last, words_out);
        if (status != POS_OK) return status == POS_JOURNAL_END ? POS_JOURNAL_CORRUPT : status;
        if (expected != 0 && first.first_sequence != expected) {
            pos_words(words_out, "volume %u begins at %llu, not at %llu", volume->number,
                      (unsigned long long)first.first_sequence, (unsigned long long)expected);
            return POS_JOURNAL_CORRUPT;
        }
        expected = last.first_sequence + last.count;
        pos_copy(journal->digest_last, last.digest, sizeof last.digest);
        journal->date_volume = last.business_date;
        atomic_store(&journal->committed_sequence, expected - 1);
    }
    return POS_OK;
}

/* The last pages, newest first: sums, and each one's digest in the header of the one after. */
static pos_status check_tail(pos_journal *journal, char *words_out)
{
    char fault[POS_WORDS_SIZE] = "";
    uint64_t sequence = atomic_load(&journal->committed_sequence);
    uint64_t bytes = 0;
    pos_page after = {.data = NULL};
    for (uint32_t checked = 0; checked < TAIL_PAGES && bytes < TAIL_BYTES && sequence > 0; checked++) {
        pos_page page;
        pos_status status = pos_journal_locate(journal, POS_SEEK_HOLDING, sequence, &page, fault);
        /* What comes before may have been dropped with its volume. */
        if (status == POS_OK && page.first_sequence > sequence) break;
        if (status == POS_OK) status = pos_page_check(&page, fault);
        const bool is_next = after.data == NULL
                             || (page.first_sequence + page.count == after.first_sequence
                                 && pos_equal(page.digest, after.digest_before, 32));
        if (status == POS_OK && !is_next) {
            pos_words(fault, "the page after it does not chain to it");
            status = POS_JOURNAL_CORRUPT;
        }
        if (status != POS_OK) {
            pos_words(words_out, "page of %llu: %s", (unsigned long long)sequence, fault);
            return status;
        }
        after = page;
        bytes += page.size;
        sequence = page.first_sequence - 1;
    }
    return POS_OK;
}

static pos_status compare_mark(const pos_journal *journal, char *words_out)
{
    const uint64_t published = atomic_load(&journal->mark->durable_sequence);
    const uint64_t found = atomic_load(&journal->committed_sequence);
    if (published <= found) return POS_OK;
    pos_words(words_out, "entries up to %llu were durable, only %llu are here: the disk lost them",
              (unsigned long long)published, (unsigned long long)found);
    return POS_JOURNAL_CORRUPT;
}

/* Reads past the page cache what the map shows of a volume's used part, and compares. */
static pos_status compare_bytes(int file, const pos_volume *volume, uint8_t *chunk, size_t chunk_size)
{
    MDB_envinfo info;
    (void)mdb_env_info(volume->env, &info);
    const uint64_t used = ((uint64_t)info.me_last_pgno + 1) * POS_LMDB_PAGE;
    const uint8_t *shown = (const uint8_t *)volume->map;
    for (uint64_t offset = 0; offset < used; offset += chunk_size) {
        const size_t wanted = used - offset < chunk_size ? (size_t)(used - offset) : chunk_size;
        const ssize_t size = pread(file, chunk, wanted, (off_t)offset);
        if (size < 0 && errno == EINVAL && offset == 0) return POS_OK; /* no such reading here */
        if (size != (ssize_t)wanted) return POS_SYSTEM;
        if (!pos_equal(chunk, shown + offset, wanted)) return POS_JOURNAL_IN_DOUBT;
    }
    return POS_OK;
}

/*
 * After a failed flush Linux marks the pages clean and goes on showing them: what is read then may
 * be on no disk, and no later flush writes it. A restart of the machine ends that; until then such a
 * journal is refused, for an answer given from it could be taken back by the next loss of power.
 */
static pos_status compare_disk(const pos_journal *journal, char *words_out)
{
    const pos_volume *volume = journal->volumes[atomic_load(&journal->volume_count) - 1];
    if (atomic_load(&journal->mark->is_in_doubt) == 0 || volume->map == 0) return POS_OK;
    char path[POS_PATH_MAX];
    if (!pos_volume_path(path, journal->path, volume->number, ".mdb")) return POS_ARGUMENT;
    const int file = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (file < 0) return errno == EINVAL ? POS_OK : POS_SYSTEM;
    uint8_t *chunk = aligned_alloc(POS_LMDB_PAGE, COMPARED_SIZE);
    const pos_status status =
        chunk == NULL ? POS_MEMORY : compare_bytes(file, volume, chunk, COMPARED_SIZE);
    free(chunk);
    (void)close(file);
    if (status == POS_JOURNAL_IN_DOUBT) {
        pos_words(words_out, "volume %u: after a failed flush the kernel shows what the disk does "
                  "not have: restart the machine, then open again", volume->number);
    }
    return status;
}

pos_status pos_journal_recover(pos_journal *journal, char *words_out)
{
    assert(!journal->options.readonly);
    uint32_t put_again = 0;
    pos_status status = open_last(journal, words_out);
    if (status == POS_OK) status = join_volumes(journal, words_out);
    if (status == POS_OK) status = check_tail(journal, words_out);
    if (status == POS_OK) status = compare_disk(journal, words_out);
    if (status == POS_OK) status = pos_tail_take(journal, &put_again, words_out);
    if (status == POS_OK) status = compare_mark(journal, words_out);
    if (status != POS_OK) return status;

    const uint64_t found = atomic_load(&journal->committed_sequence);
    const uint64_t published = atomic_load(&journal->mark->durable_sequence);
    const bool was_in_doubt = atomic_load(&journal->mark->is_in_doubt) != 0;
    if (was_in_doubt || published != found || put_again > 0) {
        char again[80] = "";
        if (put_again > 0) {
            (void)snprintf(again, sizeof again, "the last page, of %u entries, was put again; ",
                           put_again);
        }
        pos_words(journal->report, "%s%sentries up to %llu are here and durable, %llu more than published",
                  was_in_doubt ? "the last writer ended in doubt; " : "", again,
                  (unsigned long long)found, (unsigned long long)(found - published));
    }
    journal->next_sequence = found + 1;
    journal->date_last = journal->date_volume;
    atomic_store(&journal->durable_sequence, found);
    atomic_store(&journal->mark->durable_sequence, found);
    atomic_store(&journal->mark->is_in_doubt, 0U);
    pos_mark_flush(journal->mark);
    pos_volume *volume = pos_journal_open_volume(journal);
    uint64_t pages = 0;
    uint64_t bytes = 0;
    pos_volume_count(volume, &pages, &bytes);
    atomic_store(&journal->pages, pages); /* of this volume; ahead.c adds the others */
    atomic_store(&journal->bytes, bytes);
    atomic_store(&journal->free_pages, pos_volume_free_pages(volume));
    int dead = 0;
    (void)mdb_reader_check(volume->env, &dead);
    return POS_OK;
}
