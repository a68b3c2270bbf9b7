/*
 * One volume: an LMDB environment in one file, of a size that never changes.
 *
 * What keeps a view right after its read transaction has ended (each was measured to matter):
 *   - a value fills whole LMDB pages and lies in an overflow run, never inside of a tree page;
 *   - a value is put once and never deleted or overwritten, so its run is never freed;
 *   - the map's size is fixed at the first open and is the same in every process;
 *   - one environment per file and process, closed only after the last view.
 *
 * LMDB 0.9 believes what it finds in a file. So every value is judged before it is touched: it must
 * begin a page that is marked as overflow, the run's own count of pages must be the value's size, and
 * its place must be the one that all other values of this map imply, within the used part of the file.
 * A damaged tree can still end LMDB itself; `posengine journal verify` therefore reads in a child.
 */
#include "journal/parts.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define READERS_MAX 510U /* processes that read one volume at the same time */
#define OVERFLOW_FLAG 0x04U
#define RUN_FLAGS_AT 10U  /* from the start of an overflow run: LMDB's mp_flags */
#define RUN_PAGES_AT 12U  /* and its mp_pages */
#define FREE_LIST 0U /* LMDB's own database of the pages that it may use again, by transaction */

pos_status pos_status_of_lmdb(int code)
{
    switch (code) {
    case MDB_SUCCESS: return POS_OK;
    case MDB_NOTFOUND: return POS_JOURNAL_END;
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH: return POS_JOURNAL_FORMAT;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PANIC: return POS_JOURNAL_CORRUPT;
    case MDB_MAP_FULL: return POS_JOURNAL_FULL;
    case ENOMEM: return POS_MEMORY;
    case ENOENT: return POS_JOURNAL_ABSENT;
    default: return POS_SYSTEM;
    }
}

static int open_environment(pos_volume *volume, const char *path, uint64_t size,
                            pos_volume_mode mode, pos_durability durability)
{
    unsigned flags = MDB_NOSUBDIR | MDB_NOTLS;
    /* Late: the meta page is not flushed by its own commit but by the next one; see write.c. */
    if (mode == POS_VOLUME_WRITE && durability == POS_DURABLE_LATE) flags |= MDB_NOMETASYNC;
    if (mode != POS_VOLUME_WRITE) flags |= MDB_RDONLY;
    /* A sealed volume has no writer, so nobody needs to know of its readers: one file less. */
    if (mode == POS_VOLUME_SEALED) flags |= MDB_NOLOCK;
    int code = mdb_env_create(&volume->env);
    if (code == 0) code = mdb_env_set_mapsize(volume->env, size);
    if (code == 0) code = mdb_env_set_maxreaders(volume->env, READERS_MAX);
    if (code == 0) code = mdb_env_open(volume->env, path, flags, 0640);
    return code;
}

static int open_reading(pos_volume *volume)
{
    int code = mdb_txn_begin(volume->env, NULL, MDB_RDONLY, &volume->reading);
    if (code != 0) return code;
    code = mdb_dbi_open(volume->reading, NULL, 0, &volume->database);
    if (code == 0) code = mdb_cursor_open(volume->reading, volume->database, &volume->cursor);
    mdb_txn_reset(volume->reading);
    return code;
}

static pos_status judge_environment(pos_volume *volume, uint64_t size, off_t file_size,
                                    char *words_out)
{
    MDB_stat facts;
    MDB_envinfo info;
    (void)mdb_env_stat(volume->env, &facts);
    (void)mdb_env_info(volume->env, &info);
    if (facts.ms_psize != POS_LMDB_PAGE) {
        pos_words(words_out, "volume %u has pages of %u bytes, not %u", volume->number,
                  facts.ms_psize, POS_LMDB_PAGE);
        return POS_JOURNAL_FORMAT;
    }
    if (info.me_mapsize != size) {
        pos_words(words_out, "volume %u is larger than the journal's volumes", volume->number);
        return POS_JOURNAL_FORMAT;
    }
    /* A map reaches past the end of a cut file, and touching that is a signal, not an error. */
    if ((uint64_t)info.me_last_pgno >= (uint64_t)file_size / POS_LMDB_PAGE) {
        pos_words(words_out, "volume %u is shorter than the pages it counts", volume->number);
        return POS_JOURNAL_CORRUPT;
    }
    return POS_OK;
}

pos_status pos_volume_open(const char *path, uint32_t number, uint64_t size, pos_volume_mode mode,
                           pos_durability durability, pos_volume **volume_out, char *words_out)
{
    assert(path != NULL);
    assert(volume_out != NULL);
    struct stat file;
    if (stat(path, &file) != 0) {
        pos_words(words_out, "volume %u: %s", number, strerror(errno));
        return errno == ENOENT ? POS_JOURNAL_ABSENT : POS_SYSTEM;
    }
    pos_volume *volume = calloc(1, sizeof *volume);
    if (volume == NULL) return POS_MEMORY;
    volume->number = number;
    volume->is_writable = mode == POS_VOLUME_WRITE;
    if (!pos_registry_enter(&volume->registered, file.st_dev, file.st_ino)) {
        free(volume);
        pos_words(words_out, "volume %u is open in this process already", number);
        return POS_JOURNAL_BUSY;
    }
    const int code = open_environment(volume, path, size, mode, durability);
    pos_status status = pos_status_of_lmdb(code);
    if (status == POS_OK) status = judge_environment(volume, size, file.st_size, words_out);
    else pos_words(words_out, "volume %u: %s", number, mdb_strerror(code));
    if (status == POS_OK) {
        const int reading = open_reading(volume);
        status = pos_status_of_lmdb(reading);
        if (reading != 0) pos_words(words_out, "volume %u: %s", number, mdb_strerror(reading));
    }
    if (status != POS_OK) {
        pos_volume_close(volume);
        return status;
    }
    *volume_out = volume;
    return POS_OK;
}

void pos_volume_close(pos_volume *volume)
{
    if (volume == NULL) return;
    if (volume->cursor != NULL) mdb_cursor_close(volume->cursor);
    if (volume->reading != NULL) mdb_txn_abort(volume->reading);
    if (volume->env != NULL) mdb_env_close(volume->env);
    pos_registry_leave(&volume->registered);
    free(volume);
}

/* ---- writing ------------------------------------------------------------------------------------ */
int pos_volume_put(pos_volume *volume, uint64_t first_sequence, const uint8_t *data, size_t size)
{
    assert(volume->is_writable);
    MDB_txn *txn = NULL;
    int code = mdb_txn_begin(volume->env, NULL, 0, &txn);
    if (code != 0) return code;
    uint8_t key[8];
    pos_store_u64_be(key, first_sequence);
    MDB_val at = {.mv_size = sizeof key, .mv_data = key};
    MDB_val value = {.mv_size = size, .mv_data = (void *)(uintptr_t)data};
    code = mdb_put(txn, volume->database, &at, &value, MDB_APPEND | MDB_NOOVERWRITE);
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

/* ---- pages that the tree does not use ------------------------------------------------------------ */
bool pos_volume_is_run(const uint8_t *head, uint64_t number, uint64_t pages_max, uint64_t *size_out)
{
    const uint64_t pages = pos_load_u32_le(head + RUN_PAGES_AT);
    if (pos_load_u64_le(head) != number) return false;
    if (pos_load_u16_le(head + RUN_FLAGS_AT) != OVERFLOW_FLAG) return false;
    if (pages == 0 || number >= pages_max || pages > pages_max - number) return false;
    *size_out = pages * POS_LMDB_PAGE - POS_LMDB_HEADER;
    return true;
}

/* A record of the free list: how many numbers, and the numbers. */
static int add_spares(const MDB_val *record, uint64_t **numbers, size_t *count)
{
    const uint8_t *words = record->mv_data;
    const uint64_t some = record->mv_size < 8 ? 0 : pos_load_u64_le(words);
    if (some > record->mv_size / 8 - 1) return MDB_CORRUPTED;
    uint64_t *more = realloc(*numbers, (*count + some) * sizeof *more);
    if (more == NULL) return ENOMEM;
    *numbers = more;
    for (uint64_t index = 1; index <= some; index++) {
        more[(*count)++] = pos_load_u64_le(words + index * 8);
    }
    return 0;
}

pos_status pos_volume_spares(pos_volume *volume, uint64_t **numbers_out, size_t *count_out,
                             char *words_out)
{
    size_t count = 0;
    MDB_envinfo info;
    MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val record;
    uint64_t *numbers = calloc(POS_COMMIT_PAGES_MAX, sizeof *numbers);
    int code = numbers == NULL ? ENOMEM : mdb_txn_renew(volume->reading);
    if (code == 0) {
        (void)mdb_env_info(volume->env, &info);
        while (count < POS_COMMIT_PAGES_MAX) {
            numbers[count] = (uint64_t)info.me_last_pgno + 1 + count;
            count++;
        }
        code = mdb_cursor_open(volume->reading, FREE_LIST, &cursor);
        if (code == 0) code = mdb_cursor_get(cursor, &key, &record, MDB_FIRST);
        while (code == 0) {
            code = add_spares(&record, &numbers, &count);
            if (code == 0) code = mdb_cursor_get(cursor, &key, &record, MDB_NEXT);
        }
        if (cursor != NULL) mdb_cursor_close(cursor);
        mdb_txn_reset(volume->reading);
    }
    if (code != MDB_NOTFOUND) {
        pos_words(words_out, "volume %u: its free list cannot be read: %s", volume->number,
                  mdb_strerror(code));
        free(numbers);
        return pos_status_of_lmdb(code);
    }
    *numbers_out = numbers;
    *count_out = count;
    return POS_OK;
}

/* ---- reading ------------------------------------------------------------------------------------ */
static const char *value_fault(pos_volume *volume, uint64_t last_page, const MDB_val *value)
{
    const uintptr_t at = (uintptr_t)value->mv_data;
    if ((at & (POS_LMDB_PAGE - 1)) != POS_LMDB_HEADER) return "a value does not begin a page";
    const uint8_t *run = (const uint8_t *)value->mv_data - POS_LMDB_HEADER;
    if ((pos_load_u16_le(run + RUN_FLAGS_AT) & OVERFLOW_FLAG) == 0) return "a value is in the tree";
    const uint64_t pages = pos_load_u32_le(run + RUN_PAGES_AT);
    if (value->mv_size + POS_LMDB_HEADER != pages * POS_LMDB_PAGE) return "a run has another size";
    const uint64_t number = pos_load_u64_le(run);
    if (number > last_page || pages > last_page - number + 1) return "a run lies past the end";
    const uintptr_t map = (uintptr_t)run - (uintptr_t)(number * POS_LMDB_PAGE);
    if (volume->map == 0) volume->map = map;
    if (volume->map != map) return "a run is not where it says";
    return NULL;
}

static int seek(pos_volume *volume, pos_seek kind, uint64_t sequence, MDB_val *key, MDB_val *value)
{
    if (kind == POS_SEEK_FIRST) return mdb_cursor_get(volume->cursor, key, value, MDB_FIRST);
    if (kind == POS_SEEK_LAST) return mdb_cursor_get(volume->cursor, key, value, MDB_LAST);
    uint8_t wanted[8];
    pos_store_u64_be(wanted, kind == POS_SEEK_AFTER ? sequence + 1 : sequence);
    *key = (MDB_val){.mv_size = sizeof wanted, .mv_data = wanted};
    int code = mdb_cursor_get(volume->cursor, key, value, MDB_SET_RANGE);
    if (kind == POS_SEEK_AFTER) return code;
    if (code == MDB_NOTFOUND) return mdb_cursor_get(volume->cursor, key, value, MDB_LAST);
    if (code != 0 || key->mv_size != 8 || pos_load_u64_be(key->mv_data) <= sequence) return code;
    code = mdb_cursor_get(volume->cursor, key, value, MDB_PREV);
    return code == MDB_NOTFOUND ? mdb_cursor_get(volume->cursor, key, value, MDB_FIRST) : code;
}

/* The value under the cursor, judged. */
static pos_status take(pos_volume *volume, uint64_t last_page, const MDB_val *key,
                       const MDB_val *value, pos_value *value_out, char *words_out)
{
    const char *fault = key->mv_size == 8 ? value_fault(volume, last_page, value)
                                          : "a key has another size";
    if (fault != NULL) {
        pos_words(words_out, "volume %u: %s", volume->number, fault);
        return POS_JOURNAL_CORRUPT;
    }
    *value_out = (pos_value){value->mv_data, value->mv_size, pos_load_u64_be(key->mv_data)};
    return POS_OK;
}

pos_status pos_volume_walk(pos_volume *volume, pos_seek kind, uint64_t sequence,
                           pos_value *values_out, size_t values_max, size_t *count_out,
                           char *words_out)
{
    assert(volume != NULL);
    assert(values_out != NULL && values_max > 0);
    MDB_val key;
    MDB_val value;
    int code = mdb_txn_renew(volume->reading);
    if (code == 0) code = mdb_cursor_renew(volume->reading, volume->cursor);
    if (code == 0) code = seek(volume, kind, sequence, &key, &value);
    MDB_envinfo info;
    (void)mdb_env_info(volume->env, &info);
    pos_status status = pos_status_of_lmdb(code);
    if (status != POS_OK && status != POS_JOURNAL_END) {
        pos_words(words_out, "volume %u: %s", volume->number, mdb_strerror(code));
    }
    size_t count = 0;
    while (status == POS_OK) {
        status = take(volume, info.me_last_pgno, &key, &value, &values_out[count], words_out);
        if (status != POS_OK || ++count == values_max) break;
        /* What follows may end, or fail, and be said when it is asked for itself. */
        if (mdb_cursor_get(volume->cursor, &key, &value, MDB_NEXT) != 0) break;
    }
    if (count > 0) status = POS_OK;
    if (count > 0 && kind == POS_SEEK_FIRST) volume->first_sequence = values_out[0].key;
    mdb_txn_reset(volume->reading);
    *count_out = count;
    return status;
}

pos_status pos_volume_seek(pos_volume *volume, pos_seek kind, uint64_t sequence,
                           pos_value *value_out, char *words_out)
{
    size_t count = 0;
    return pos_volume_walk(volume, kind, sequence, value_out, 1, &count, words_out);
}

uint64_t pos_volume_free_pages(pos_volume *volume)
{
    MDB_envinfo info;
    (void)mdb_env_info(volume->env, &info);
    const uint64_t pages = info.me_mapsize / POS_LMDB_PAGE;
    return info.me_last_pgno + 1 < pages ? pages - info.me_last_pgno - 1 : 0;
}

void pos_volume_count(pos_volume *volume, uint64_t *pages_out, uint64_t *bytes_out)
{
    MDB_stat facts;
    (void)mdb_env_stat(volume->env, &facts);
    *pages_out = facts.ms_entries;
    *bytes_out = (uint64_t)facts.ms_overflow_pages * POS_LMDB_PAGE;
}
