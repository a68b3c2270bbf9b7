/*
 * The tail: a page that is on the disk and that no tree shows yet.
 *
 *   commit N     write pages of N     FLUSH ─▶ page N may be answered    write meta N
 *   commit N+1   write pages of N+1   FLUSH ─▶ meta N is on the disk too
 *
 * Where the power goes between these two flushes LMDB opens as it was after N-1, and the value of N
 * lies whole in pages that this tree does not use: its free list's, or the first behind its end. A
 * value says what it is: its sequence, the digest of the page before it, CRC-32C and SHA-256 of its
 * bytes. So it is looked for there, and put again:
 *
 *   found ─▶ copied to the file `tail`, synced ─▶ put like any page ─▶ `tail` removed
 *
 * The copy comes first because to put is to write, perhaps over the place where the page lies: a crash
 * in the middle finds the copy; one after it finds the page at its new place. There is never more than
 * one such page that was answered, for commit N+1 has flushed meta N before it returns. One that was not
 * answered, killed before its meta was written, is found and put like the other: it is whole, it chains,
 * and its terminals will repeat.
 *
 * A reader that comes before the next writer finds the tail too, and shows it; it changes nothing.
 */
#include "journal/form.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL_FILE "tail"
#define FIRST_PAGE 2U /* of an empty volume: two meta pages come before it */
#define MEASURED (POS_LMDB_HEADER + POS_PAGE_HEADER_SIZE)

/* What a tail continues. */
typedef struct tail_of {
    uint64_t first_sequence;
    const uint8_t *digest_before;
} tail_of;

static bool continues(const tail_of *wanted, const uint8_t *value)
{
    return pos_equal(value, POS_FORM_MAGIC, sizeof POS_FORM_MAGIC - 1)
           && pos_load_u64_le(value + AT_FIRST) == wanted->first_sequence
           && pos_equal(value + AT_DIGEST_BEFORE, wanted->digest_before, 32);
}

void pos_tail_forget(pos_tail *tail)
{
    free(tail->run);
    *tail = (pos_tail){.run = NULL};
}

/* Reads `size` bytes of a value at `offset`, as they would lie in a map, and judges them. */
static pos_status read_value(int file, uint64_t offset, size_t size, pos_tail *tail_out,
                             char *words_out)
{
    const size_t run_size = POS_LMDB_HEADER + size;
    *tail_out = (pos_tail){.run = aligned_alloc(POS_LMDB_PAGE, run_size)};
    if (tail_out->run == NULL) return POS_MEMORY;
    uint8_t *value = tail_out->run + POS_LMDB_HEADER;
    pos_status status = pread(file, value, size, (off_t)offset) == (ssize_t)size ? POS_OK
                                                                                  : POS_SYSTEM;
    if (status == POS_OK) status = pos_page_read(value, size, &tail_out->page, words_out);
    if (status == POS_OK) status = pos_page_check(&tail_out->page, words_out);
    if (status != POS_OK) pos_tail_forget(tail_out);
    return status;
}

/* ---- where it lies -------------------------------------------------------------------------------- */
/* JOURNAL_END where no whole value that continues the journal begins at this LMDB page. */
static pos_status read_run(int file, uint64_t number, uint64_t pages_max, const tail_of *wanted,
                           pos_tail *tail_out)
{
    uint8_t head[MEASURED];
    uint64_t size = 0;
    const uint64_t at = number * POS_LMDB_PAGE;
    if (pread(file, head, sizeof head, (off_t)at) != (ssize_t)sizeof head) return POS_JOURNAL_END;
    if (!pos_volume_is_run(head, number, pages_max, &size)) return POS_JOURNAL_END;
    if (!continues(wanted, head + POS_LMDB_HEADER)) return POS_JOURNAL_END;
    const pos_status status = read_value(file, at + POS_LMDB_HEADER, size, tail_out, NULL);
    return status == POS_MEMORY ? POS_MEMORY : status == POS_OK ? POS_OK : POS_JOURNAL_END;
}

static pos_status search(const pos_journal *journal, uint32_t number, const uint64_t *spares,
                         size_t count, const tail_of *wanted, pos_tail *tail_out)
{
    char path[POS_PATH_MAX];
    if (!pos_volume_path(path, journal->path, number, ".mdb")) return POS_ARGUMENT;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return errno == ENOENT ? POS_JOURNAL_END : POS_SYSTEM;
    struct stat facts;
    pos_status status = fstat(file, &facts) == 0 ? POS_JOURNAL_END : POS_SYSTEM;
    for (size_t index = 0; index < count && status == POS_JOURNAL_END; index++) {
        status = read_run(file, spares[index], (uint64_t)facts.st_size / POS_LMDB_PAGE, wanted,
                          tail_out);
    }
    (void)close(file);
    return status;
}

/* In the volume that has the last page, where its tree is not. */
static pos_status search_last(pos_journal *journal, uint32_t index, const tail_of *wanted,
                              pos_tail *tail_out, char *words_out)
{
    pos_volume *volume = NULL;
    pos_status status = pos_journal_volume(journal, index, &volume, words_out);
    if (status != POS_OK) return status;
    uint64_t *spares = NULL;
    size_t count = 0;
    status = pos_volume_spares(volume, &spares, &count, words_out);
    if (status == POS_OK) {
        status = search(journal, volume->number, spares, count, wanted, tail_out);
    }
    free(spares);
    return status;
}

/* In the one after it, which is empty, if it is there. */
static pos_status search_next(pos_journal *journal, uint32_t index, const tail_of *wanted,
                              pos_tail *tail_out)
{
    uint64_t spares[POS_COMMIT_PAGES_MAX];
    for (uint32_t page = 0; page < POS_COMMIT_PAGES_MAX; page++) spares[page] = FIRST_PAGE + page;
    return search(journal, journal->lowest + index + 1, spares, POS_COMMIT_PAGES_MAX, wanted,
                  tail_out);
}

/* The copy that a writer made before it put the page; JOURNAL_END where there is none, or where the
 * page came into its volume and only the file's removal did not. */
static pos_status read_copy(const pos_journal *journal, const tail_of *wanted, pos_tail *tail_out,
                            char *words_out)
{
    char path[POS_PATH_MAX];
    if (!pos_path_join(path, journal->path, TAIL_FILE)) return POS_ARGUMENT;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return errno == ENOENT ? POS_JOURNAL_END : POS_SYSTEM;
    struct stat facts;
    pos_status status = fstat(file, &facts) == 0 ? POS_OK : POS_SYSTEM;
    const uint64_t size = status == POS_OK ? (uint64_t)facts.st_size : 0;
    const bool fits = size % POS_LMDB_PAGE == POS_LMDB_PAGE - POS_LMDB_HEADER
                      && size <= journal->meta.volume_size;
    char fault[POS_WORDS_SIZE] = "it has another size";
    if (status == POS_OK) status = fits ? read_value(file, 0, size, tail_out, fault)
                                        : POS_JOURNAL_CORRUPT;
    (void)close(file);
    if (status != POS_OK) {
        pos_words(words_out, "the file tail, a copy of the last page, is damaged: %s", fault);
        return status;
    }
    tail_out->is_copy = true;
    if (continues(wanted, tail_out->page.data)) return POS_OK;
    pos_tail_forget(tail_out);
    return POS_JOURNAL_END;
}

pos_status pos_tail_find(pos_journal *journal, uint32_t index, uint64_t last,
                         const uint8_t digest[32], pos_tail *tail_out, char *words_out)
{
    assert(journal != NULL);
    assert(tail_out != NULL);
    const tail_of wanted = {.first_sequence = last + 1, .digest_before = digest};
    pos_status status = read_copy(journal, &wanted, tail_out, words_out);
    if (status == POS_JOURNAL_END) {
        status = search_last(journal, index, &wanted, tail_out, words_out);
    }
    if (status == POS_JOURNAL_END) status = search_next(journal, index, &wanted, tail_out);
    return status;
}

/* ---- put again -------------------------------------------------------------------------------------- */
static pos_status remove_copy(const pos_journal *journal)
{
    char path[POS_PATH_MAX];
    if (!pos_path_join(path, journal->path, TAIL_FILE)) return POS_ARGUMENT;
    if (unlink(path) != 0) return errno == ENOENT ? POS_OK : POS_SYSTEM;
    return pos_directory_sync(journal->path);
}

/* Where it fits: the volume that has the last page, or the next one, as it was when it was committed. */
static pos_status put(pos_journal *journal, const pos_page *page, char *words_out)
{
    const uint64_t pages = (page->size + POS_LMDB_HEADER) / POS_LMDB_PAGE + POS_COMMIT_PAGES_MAX;
    pos_status status = POS_OK;
    if (atomic_load(&journal->free_pages) < pages) {
        status = atomic_load(&journal->is_next_ready) ? pos_journal_take_volume(journal, words_out)
                                                      : POS_JOURNAL_FULL;
    }
    if (status != POS_OK) return status;
    pos_volume *volume = pos_journal_open_volume(journal);
    const int code = pos_volume_put(volume, page->first_sequence, page->data, page->size);
    return code == 0 ? POS_OK : POS_SYSTEM;
}

pos_status pos_tail_take(pos_journal *journal, uint32_t *entries_out, char *words_out)
{
    assert(!journal->options.readonly);
    const uint64_t last = atomic_load(&journal->committed_sequence);
    const uint32_t index = atomic_load(&journal->volume_count) - 1;
    pos_tail tail;
    pos_status status =
        pos_tail_find(journal, index, last, journal->digest_last, &tail, words_out);
    if (status == POS_JOURNAL_END) return remove_copy(journal);
    if (status != POS_OK) return status;
    const pos_page *page = &tail.page;
    if (!tail.is_copy) status = pos_file_put(journal->path, TAIL_FILE, page->data, page->size);
    if (status == POS_OK) status = put(journal, page, words_out);
    if (status == POS_OK) status = remove_copy(journal);
    if (status == POS_OK) {
        *entries_out = page->count;
        pos_copy(journal->digest_last, page->digest, sizeof page->digest);
        atomic_store(&journal->date_volume, page->business_date);
        atomic_store(&journal->committed_sequence, last + page->count);
    } else {
        pos_words(words_out, "the last page, of %u entries from %llu on, is on the disk and cannot be "
                  "put into its volume: %s", page->count, (unsigned long long)page->first_sequence,
                  status == POS_JOURNAL_FULL ? "no volume has room for it" : strerror(errno));
    }
    pos_tail_forget(&tail);
    return status;
}
