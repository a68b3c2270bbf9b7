/*
 * A copy that opens as a journal of its own, taken while writing goes on.
 *
 *   1. a directory under another name; the pages up to the durable sequence of now, each with its sums
 *      checked and byte for byte, into volumes of the same numbers
 *   2. published with the copy's last sequence, meta with a new journal id
 *   3. everything synced, the directory renamed, its parent synced
 *
 * A crash or a failure before 3 leaves a directory with ".making" in its name, which is no journal. The digest chain goes
 * on in the copy; the id does not, so that receivers of events tell the two apart. Volumes of a copy
 * are as long as their pages: a writer that goes on in one lets it grow.
 */
#include "journal/parts.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure/measure.h"

#define COPIED_BYTES_MAX (16U * 1024U * 1024U) /* in one transaction of the copy */

typedef struct volume_copy {
    const char *directory;
    uint64_t volume_size;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi database;
    uint32_t number; /* of the open volume, 0 for none */
    uint64_t bytes;  /* in the open transaction */
} volume_copy;

static int end_transaction(volume_copy *copy)
{
    if (copy->txn == NULL) return 0;
    const int code = mdb_txn_commit(copy->txn);
    copy->txn = NULL;
    copy->bytes = 0;
    return code;
}

static int begin_transaction(volume_copy *copy)
{
    int code = mdb_txn_begin(copy->env, NULL, 0, &copy->txn);
    if (code == 0) code = mdb_dbi_open(copy->txn, NULL, 0, &copy->database);
    return code;
}

static int end_volume(volume_copy *copy)
{
    if (copy->env == NULL) return 0;
    int code = end_transaction(copy);
    if (code == 0) code = mdb_env_sync(copy->env, 1);
    mdb_env_close(copy->env);
    copy->env = NULL;
    return code;
}

static int begin_volume(volume_copy *copy, uint32_t number)
{
    int code = end_volume(copy);
    if (code != 0) return code;
    char path[POS_PATH_MAX];
    if (!pos_volume_path(path, copy->directory, number, ".mdb")) return ENAMETOOLONG;
    copy->number = number;
    code = mdb_env_create(&copy->env);
    if (code == 0) code = mdb_env_set_mapsize(copy->env, copy->volume_size);
    /* Nobody else sees the directory before it is renamed: no locks. Flushed like any other. */
    if (code == 0) code = mdb_env_open(copy->env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0640);
    return code;
}

static int put(volume_copy *copy, const pos_page *page)
{
    int code = copy->txn == NULL ? begin_transaction(copy) : 0;
    if (code != 0) return code;
    uint8_t key[8];
    pos_store_u64_be(key, page->first_sequence);
    MDB_val at = {.mv_size = sizeof key, .mv_data = key};
    MDB_val value = {.mv_size = page->size, .mv_data = NULL};
    code = mdb_put(copy->txn, copy->database, &at, &value,
                   MDB_APPEND | MDB_NOOVERWRITE | MDB_RESERVE);
    if (code != 0) return code;
    pos_copy(value.mv_data, page->data, page->size);
    copy->bytes += page->size;
    return copy->bytes < COPIED_BYTES_MAX ? 0 : end_transaction(copy);
}

/* The number of the volume that begins with this page's sequence; the current one otherwise. A copy's
 * volumes hold the same pages as their originals, so they are as large and never full. */
static uint32_t volume_of(pos_journal *journal, uint64_t first_sequence, uint32_t current)
{
    (void)pthread_mutex_lock(&journal->reading);
    const uint32_t count = atomic_load(&journal->volume_count);
    for (uint32_t index = 0; index < count; index++) {
        const pos_volume *volume = journal->volumes[index];
        if (volume != NULL && volume->first_sequence == first_sequence) current = volume->number;
    }
    (void)pthread_mutex_unlock(&journal->reading);
    return current;
}

static pos_status copy_pages(pos_journal *journal, volume_copy *copy, uint64_t visible)
{
    uint64_t at = 0;
    uint64_t copied = 0;
    int code = 0;
    uint32_t number = journal->lowest;
    while (copied < visible) {
        pos_page page;
        pos_status status = pos_journal_locate(journal, POS_SEEK_AFTER, at, &page, NULL);
        if (status == POS_OK) status = pos_page_check(&page, NULL);
        if (status != POS_OK) return status == POS_JOURNAL_END ? POS_JOURNAL_CORRUPT : status;
        if (copied != 0 && page.first_sequence != copied + 1) return POS_JOURNAL_CORRUPT;
        number = volume_of(journal, page.first_sequence, number);
        if (number != copy->number) code = begin_volume(copy, number);
        if (code == 0) code = put(copy, &page);
        if (code != 0) return pos_status_of_lmdb(code);
        at = page.first_sequence;
        copied = page.first_sequence + page.count - 1;
    }
    if (copy->number == 0) code = begin_volume(copy, number);
    return pos_status_of_lmdb(code);
}

static pos_status write_copy(pos_journal *journal, const char *directory)
{
    const uint64_t visible = pos_journal_visible(journal);
    volume_copy copy = {.directory = directory, .volume_size = journal->meta.volume_size};
    pos_status status = copy_pages(journal, &copy, visible);
    if (copy.txn != NULL && status != POS_OK) {
        mdb_txn_abort(copy.txn);
        copy.txn = NULL;
    }
    const int code = end_volume(&copy);
    if (status == POS_OK) status = pos_status_of_lmdb(code);
    pos_meta meta = {.volume_size = journal->meta.volume_size, .made_at_ns = pos_clock_utc_ns()};
    if (status == POS_OK) status = pos_random(meta.journal_id, sizeof meta.journal_id);
    if (status == POS_OK) status = pos_mark_write(directory, meta.journal_id, visible);
    if (status == POS_OK) status = pos_meta_write(directory, &meta);
    return status;
}

static pos_status parent_sync(const char *path)
{
    char parent[POS_PATH_MAX];
    const char *slash = strrchr(path, '/');
    const size_t size = slash == NULL ? 0 : (size_t)(slash - path);
    pos_copy(parent, path, size);
    parent[size] = '\0';
    return pos_directory_sync(slash == NULL ? "." : size == 0 ? "/" : parent);
}

pos_status pos_journal_snapshot(pos_journal *journal, const char *target_path)
{
    assert(journal != NULL);
    assert(target_path != NULL);
    pos_status status = pos_journal_usable(journal);
    if (status != POS_OK) return status;
    char making[POS_PATH_MAX];
    struct stat facts;
    const size_t size = strlen(target_path);
    if (size == 0 || size > POS_PATH_MAX - 64 || target_path[size - 1] == '/') return POS_ARGUMENT;
    if (lstat(target_path, &facts) == 0) return POS_ARGUMENT;
    uint8_t chance[4];
    if (pos_random(chance, sizeof chance) != POS_OK) return POS_SYSTEM;
    (void)snprintf(making, sizeof making, "%s.making-%08x", target_path, pos_load_u32_le(chance));
    if (mkdir(making, 0750) != 0) return POS_SYSTEM;
    status = write_copy(journal, making);
    if (status == POS_OK && rename(making, target_path) != 0) status = POS_SYSTEM;
    return status == POS_OK ? parent_sync(target_path) : status;
}
