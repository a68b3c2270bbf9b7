/*
 * The key store: the working keys of every terminal, sealed, in one file of 512-byte records.
 *
 *   ┌────────┬────────┬────────┬────────┬────────┬─────        two slots a terminal: a commit writes
 *   │ header │ 0 even │ 0 odd  │ 1 even │ 1 odd  │ ...         the one that does not hold the newest
 *   └────────┴────────┴────────┴────────┴────────┴─────        whole record
 *
 *   header                                    slot
 *      0  "POSKEYST"                             0  "PKSR"
 *      8  u32 version, 1                         4  u32 record number
 *     12  u32 record size, 512                   8  u64 generation, from 1
 *     16  32 zero bytes                         16  TID, 8
 *     48  seal of 16 zero bytes, 32             24  MID, 15, and a zero byte
 *    508  u32 CRC32C of what is before          40  u32 size of the sealed keys, 176; u32 zero
 *                                               48  sealed keys: PIK, MAK, old MAK, TDK, 40 each
 *   a key: u8 usage, cipher, size, zero;       508  u32 CRC32C of what is before
 *          check value 4; key 32
 *
 * Numbers are little-endian. Seals are AES-256-SIV with the 48 bytes before them as associated
 * data: a record moved, renamed or given another generation does not open.
 *
 * A commit:  1. writes the changed records, each over its terminal's older slot
 *               a crash leaves slots that fail their CRC, or are whole; the newer slots stand
 *            2. fdatasync
 *               a crash before its end leaves old or new keys, never none
 *            3. the journal page that reports the sign-on may be committed: only now
 *
 * A file is made under another name, synced, and linked to its own: it is never seen half made.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mac/mac.h"

#define RECORD_SIZE 512
#define CRC_OFFSET 508
#define SEAL_OFFSET 48
#define KEY_RECORD_SIZE 40
#define CONTENT_SIZE (4 * KEY_RECORD_SIZE)
#define SEALED_SIZE (16 + CONTENT_SIZE)
#define NAME_SIZE 23 /* TID and MID */
#define PATH_SIZE_MAX 4096
#define VERSION 1
#define TERMINALS_DEFAULT 65536
/* 1,048,576 terminals are a file of 1 GiB; more belong on another shard. */
#define TERMINALS_MAX 1048576
#define GROWTH_RECORDS 128 /* terminals by which the file grows: 128 KiB */

_Static_assert(SEAL_OFFSET + SEALED_SIZE <= CRC_OFFSET, "the sealed keys fit their record");

typedef struct entry {
    pos_terminal_keys keys;
    bool is_used;
    bool is_changed;
    uint8_t slot; /* that holds the newest whole record; 1 where there is none, so 0 is next */
} entry;

struct pos_keystore {
    uint8_t siv_key[64];
    size_t map_size; /* of this whole allocation */
    int file;
    bool is_failed;
    uint32_t terminals_max;
    uint32_t count;       /* entries in use, holes included */
    uint32_t holes;       /* entries that were never completed */
    uint32_t damaged;     /* entries whose two slots both fail */
    uint32_t room;        /* terminals that the file has space for */
    uint32_t index_mask;  /* of the hash table */
    uint32_t changed_count;
    uint32_t put_count;   /* of them, puts */
    uint32_t *changed;    /* entries to write */
    uint32_t *index;      /* hash table: entry + 1, or 0 */
    entry *entries;
};

static off_t slot_offset(uint32_t record, uint8_t slot)
{
    return (off_t)RECORD_SIZE * (1 + 2 * (off_t)record + slot);
}

/* ---- reading and writing whole runs ---------------------------------------------------------------- */
static bool read_at(int file, uint8_t *data, size_t size, off_t offset)
{
    while (size > 0) {
        const ssize_t taken = pread(file, data, size, offset);
        if (taken < 0 && errno == EINTR) continue;
        if (taken <= 0) return false;
        data += taken;
        size -= (size_t)taken;
        offset += taken;
    }
    return true;
}

static bool write_at(int file, const uint8_t *data, size_t size, off_t offset)
{
    while (size > 0) {
        const ssize_t taken = pwrite(file, data, size, offset);
        if (taken < 0 && errno == EINTR) continue;
        if (taken <= 0) return false;
        data += taken;
        size -= (size_t)taken;
        offset += taken;
    }
    return true;
}

/* ---- records ------------------------------------------------------------------------------------------ */
static void close_record(uint8_t record[RECORD_SIZE])
{
    pos_store_u32_le(record + CRC_OFFSET, pos_crc32c(0, record, CRC_OFFSET));
}

static bool is_whole(const uint8_t record[RECORD_SIZE], const char magic[4])
{
    return pos_equal(record, magic, 4)
           && pos_load_u32_le(record + CRC_OFFSET) == pos_crc32c(0, record, CRC_OFFSET);
}

static bool is_empty(const uint8_t record[RECORD_SIZE])
{
    uint8_t any = 0;
    for (size_t byte = 0; byte < RECORD_SIZE; byte++) any |= record[byte];
    return any == 0;
}

static void put_key(pos_writer *writer, const pos_key *key)
{
    pos_writer_u8(writer, key->usage);
    pos_writer_u8(writer, key->cipher);
    pos_writer_u8(writer, key->size);
    pos_writer_u8(writer, 0);
    pos_writer_put(writer, key->kcv, sizeof key->kcv);
    pos_writer_put(writer, key->bytes, sizeof key->bytes);
}

/* A sealed key is one that we sealed, so what it says is a promise; it is still judged. */
static bool take_key(pos_reader *reader, pos_key *key_out)
{
    pos_slice slice;
    if (!pos_reader_take(reader, KEY_RECORD_SIZE, &slice)) return false;
    pos_zero(key_out, sizeof *key_out);
    if (slice.data[2] == 0) return true;
    return pos_key_make((pos_key_usage)slice.data[0], (pos_cipher)slice.data[1], slice.data + 8,
                        slice.data[2] <= POS_KEY_SIZE_MAX ? slice.data[2] : 0, slice.data + 4,
                        POS_KCV_SIZE, key_out)
           == POS_OK;
}

static void encode(const pos_keystore *store, uint32_t number, const pos_terminal_keys *keys,
                   uint8_t record[RECORD_SIZE])
{
    uint8_t content[CONTENT_SIZE];
    pos_writer inside = pos_writer_over(content, sizeof content);
    put_key(&inside, &keys->pik);
    put_key(&inside, &keys->mak);
    put_key(&inside, &keys->mak_old);
    put_key(&inside, &keys->tdk);
    assert(!inside.is_full && inside.size == CONTENT_SIZE);

    pos_zero(record, RECORD_SIZE);
    pos_writer writer = pos_writer_over(record, SEAL_OFFSET);
    pos_writer_put(&writer, "PKSR", 4);
    pos_writer_u32_le(&writer, number);
    pos_writer_u64_le(&writer, keys->generation);
    pos_writer_put(&writer, keys->tid, sizeof keys->tid);
    pos_writer_put(&writer, keys->mid, sizeof keys->mid);
    pos_writer_u8(&writer, 0);
    pos_writer_u32_le(&writer, SEALED_SIZE);
    pos_writer_u32_le(&writer, 0);
    assert(!writer.is_full && writer.size == SEAL_OFFSET);
    pos_siv_seal(store->siv_key, (pos_slice){.data = record, .size = SEAL_OFFSET},
                 (pos_slice){.data = content, .size = CONTENT_SIZE}, record + SEAL_OFFSET);
    close_record(record);
    pos_wipe(content, sizeof content);
}

/* A record that is whole. Fails: KEY_SEAL. */
static pos_status decode(const pos_keystore *store, uint32_t number,
                         const uint8_t record[RECORD_SIZE], pos_terminal_keys *keys_out)
{
    uint8_t content[CONTENT_SIZE];
    if (pos_load_u32_le(record + 4) != number) return POS_KEY_SEAL;
    if (pos_load_u32_le(record + 40) != SEALED_SIZE) return POS_KEY_SEAL;
    const pos_status status =
        pos_siv_open(store->siv_key, (pos_slice){.data = record, .size = SEAL_OFFSET},
                     record + SEAL_OFFSET, SEALED_SIZE, content);
    if (status != POS_OK) return status;

    pos_terminal_keys keys = {.generation = pos_load_u64_le(record + 8)};
    pos_copy(keys.tid, record + 16, sizeof keys.tid);
    pos_copy(keys.mid, record + 24, sizeof keys.mid);
    pos_reader reader = pos_reader_over(content, sizeof content);
    const bool is_right = take_key(&reader, &keys.pik) && take_key(&reader, &keys.mak)
                          && take_key(&reader, &keys.mak_old) && take_key(&reader, &keys.tdk);
    if (is_right) *keys_out = keys;
    pos_wipe(&keys, sizeof keys);
    pos_wipe(content, sizeof content);
    return is_right ? POS_OK : POS_KEY_SEAL;
}

/* ---- the hash table ------------------------------------------------------------------------------------ */
static uint32_t hash_of(const char tid[8], const char mid[15])
{
    return pos_crc32c(pos_crc32c(0, tid, 8), mid, 15);
}

static bool is_named(const pos_terminal_keys *keys, const char tid[8], const char mid[15])
{
    return pos_equal(keys->tid, tid, 8) && pos_equal(keys->mid, mid, 15);
}

/* The place of this terminal in the table, or the free place where it belongs. */
static uint32_t *place_of(const pos_keystore *store, const char tid[8], const char mid[15])
{
    uint32_t at = hash_of(tid, mid) & store->index_mask;
    while (store->index[at] != 0
           && !is_named(&store->entries[store->index[at] - 1].keys, tid, mid)) {
        at = (at + 1) & store->index_mask;
    }
    return &store->index[at];
}

static entry *entry_of(const pos_keystore *store, const char tid[8], const char mid[15])
{
    const uint32_t place = *place_of(store, tid, mid);
    return place == 0 ? NULL : &store->entries[place - 1];
}

/* ---- making the file ------------------------------------------------------------------------------------ */
static void write_header(const uint8_t siv_key[64], uint8_t header[RECORD_SIZE])
{
    static const uint8_t PROBE[16] = {0};
    pos_zero(header, RECORD_SIZE);
    pos_copy(header, "POSKEYST", 8);
    pos_store_u32_le(header + 8, VERSION);
    pos_store_u32_le(header + 12, RECORD_SIZE);
    pos_siv_seal(siv_key, (pos_slice){.data = header, .size = SEAL_OFFSET},
                 (pos_slice){.data = PROBE, .size = sizeof PROBE}, header + SEAL_OFFSET);
    close_record(header);
}

static pos_status judge_header(const uint8_t siv_key[64], const uint8_t header[RECORD_SIZE])
{
    uint8_t probe[16];
    if (!is_whole(header, "POSK") || !pos_equal(header, "POSKEYST", 8)) return POS_IMAGE_FORM;
    if (pos_load_u32_le(header + 8) != VERSION) return POS_IMAGE_FORM;
    if (pos_load_u32_le(header + 12) != RECORD_SIZE) return POS_IMAGE_FORM;
    return pos_siv_open(siv_key, (pos_slice){.data = header, .size = SEAL_OFFSET},
                        header + SEAL_OFFSET, 32, probe);
}

static bool sync_folder_of(const char *path)
{
    char folder[PATH_SIZE_MAX];
    size_t size = 0;
    for (size_t index = 0; path[index] != '\0'; index++) {
        if (path[index] == '/') size = index + 1;
    }
    if (size >= sizeof folder) return false;
    pos_copy(folder, path, size);
    if (size == 0) folder[size++] = '.';
    folder[size] = '\0';
    const int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return false;
    const bool is_synced = fsync(file) == 0;
    close(file);
    return is_synced;
}

/* 1. A file of another name, whole and synced; a crash leaves that name, which nobody reads.
 * 2. Linked to its own name, unless another process was first: then theirs is the store.
 * 3. The folder is synced, so that the name outlives a crash. */
static pos_status make_file(const char *path, const uint8_t siv_key[64])
{
    char other[PATH_SIZE_MAX];
    uint8_t header[RECORD_SIZE];
    const int size = snprintf(other, sizeof other, "%s.%ld.making", path, (long)getpid());
    if (size < 0 || (size_t)size >= sizeof other) return POS_ARGUMENT;
    write_header(siv_key, header);
    const int file = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return POS_SYSTEM;
    const bool is_written = write_at(file, header, sizeof header, 0) && fsync(file) == 0;
    close(file);
    const bool is_linked = is_written && (link(other, path) == 0 || errno == EEXIST);
    unlink(other);
    return is_linked && sync_folder_of(path) ? POS_OK : POS_SYSTEM;
}

/* ---- opening ---------------------------------------------------------------------------------------------- */
/* The newest whole slot of one terminal into its entry. */
static pos_status load_entry(pos_keystore *store, uint32_t number,
                             const uint8_t slots[2 * RECORD_SIZE])
{
    entry *at = &store->entries[number];
    at->slot = 1;
    bool is_torn[2];
    for (uint8_t slot = 0; slot < 2; slot++) {
        const uint8_t *record = slots + (size_t)slot * RECORD_SIZE;
        is_torn[slot] = !is_whole(record, "PKSR") && !is_empty(record);
        if (!is_whole(record, "PKSR")) continue;
        if (at->is_used && pos_load_u64_le(record + 8) < at->keys.generation) continue;
        const pos_status status = decode(store, number, record, &at->keys);
        if (status != POS_OK) return status;
        at->is_used = true;
        at->slot = slot;
    }
    if (!at->is_used) {
        store->holes++;
        if (is_torn[0] && is_torn[1]) store->damaged++;
        return POS_OK;
    }
    uint32_t *place = place_of(store, at->keys.tid, at->keys.mid);
    if (*place != 0) return POS_IMAGE_FORM;
    *place = number + 1;
    return POS_OK;
}

static pos_status load(pos_keystore *store)
{
    uint8_t pair[2 * RECORD_SIZE];
    struct stat facts;
    /* What a killed process wrote and never synced can be read here and still be lost. The next
     * commit writes over the slot that it would fall back to: so it must be durable first. */
    if (fdatasync(store->file) != 0 || fstat(store->file, &facts) != 0) return POS_SYSTEM;
    if (facts.st_size < RECORD_SIZE) return POS_IMAGE_FORM;
    if (!read_at(store->file, pair, RECORD_SIZE, 0)) return POS_SYSTEM;
    pos_status status = judge_header(store->siv_key, pair);
    if (status != POS_OK) return status;

    const uint64_t records = (uint64_t)(facts.st_size - RECORD_SIZE) / RECORD_SIZE;
    const uint64_t terminals = records / 2; /* the file grows by whole pairs */
    for (uint64_t number = 0; number < terminals; number++) {
        if (!read_at(store->file, pair, sizeof pair, slot_offset((uint32_t)number, 0))) {
            return POS_SYSTEM;
        }
        if (is_empty(pair) && is_empty(pair + RECORD_SIZE)) continue;
        if (number >= store->terminals_max) return POS_IMAGE_LIMIT;
        /* Records before this one that hold nothing are holes: a crash took their first write. */
        store->holes += (uint32_t)number - store->count;
        store->count = (uint32_t)number + 1;
        status = load_entry(store, (uint32_t)number, pair);
        if (status != POS_OK) return status;
    }
    store->room = (uint32_t)(terminals < UINT32_MAX ? terminals : UINT32_MAX);
    return POS_OK;
}

static pos_keystore *allocate(uint32_t terminals_max)
{
    uint32_t places = 4;
    while (places < 2 * terminals_max) places *= 2;
    const size_t entries_size = (size_t)terminals_max * sizeof(entry);
    const size_t index_size = (size_t)places * sizeof(uint32_t);
    const size_t changed_size = (size_t)terminals_max * sizeof(uint32_t);
    const size_t head_size = (sizeof(pos_keystore) + 63) / 64 * 64;
    const size_t map_size = head_size + entries_size + index_size + changed_size;
    uint8_t *map = mmap(NULL, map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return NULL;
    (void)madvise(map, map_size, MADV_DONTDUMP); /* keys belong in no core dump */
    pos_keystore *store = (pos_keystore *)(void *)map;
    store->map_size = map_size;
    store->file = -1;
    store->terminals_max = terminals_max;
    store->index_mask = places - 1;
    store->entries = (entry *)(void *)(map + head_size);
    store->index = (uint32_t *)(void *)(map + head_size + entries_size);
    store->changed = (uint32_t *)(void *)(map + head_size + entries_size + index_size);
    return store;
}

static pos_status open_file(const char *path, const uint8_t siv_key[64], int *file_out)
{
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0 && errno == ENOENT) {
        const pos_status status = make_file(path, siv_key);
        if (status != POS_OK) return status;
        file = open(path, O_RDWR | O_CLOEXEC);
    }
    if (file < 0) return POS_SYSTEM;
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        close(file);
        return POS_JOURNAL_BUSY;
    }
    *file_out = file;
    return POS_OK;
}

pos_status pos_keystore_open(const char *path, const uint8_t siv_key[64], uint32_t terminals_max,
                             pos_keystore **store_out)
{
    assert(path != NULL && siv_key != NULL);
    assert(store_out != NULL);
    if (terminals_max == 0) terminals_max = TERMINALS_DEFAULT;
    if (terminals_max > TERMINALS_MAX) return POS_ARGUMENT;
    int file = -1;
    pos_status status = open_file(path, siv_key, &file);
    if (status != POS_OK) return status;
    pos_keystore *store = allocate(terminals_max);
    if (store == NULL) {
        close(file);
        return POS_MEMORY;
    }
    store->file = file;
    pos_copy(store->siv_key, siv_key, sizeof store->siv_key);
    status = load(store);
    if (status != POS_OK) {
        pos_keystore_close(store);
        return status;
    }
    *store_out = store;
    return POS_OK;
}

void pos_keystore_close(pos_keystore *store)
{
    if (store == NULL) return;
    if (store->file >= 0) close(store->file);
    const size_t map_size = store->map_size;
    pos_wipe(store->entries, (size_t)store->count * sizeof(entry));
    pos_wipe(store, sizeof *store);
    munmap(store, map_size);
}

/* ---- finding ----------------------------------------------------------------------------------------------- */
size_t pos_keystore_count(const pos_keystore *store)
{
    return store->count;
}

size_t pos_keystore_damaged(const pos_keystore *store)
{
    return store->damaged;
}

const pos_terminal_keys *pos_keystore_at(const pos_keystore *store, size_t index)
{
    assert(index < store->count);
    return store->entries[index].is_used ? &store->entries[index].keys : NULL;
}

const pos_terminal_keys *pos_keystore_find(const pos_keystore *store, const char tid[8],
                                           const char mid[15])
{
    assert(store != NULL && tid != NULL && mid != NULL);
    const entry *found = entry_of(store, tid, mid);
    return found == NULL ? NULL : &found->keys;
}

/* ---- putting ------------------------------------------------------------------------------------------------ */
static void mark_changed(pos_keystore *store, entry *at)
{
    if (at->is_changed) return;
    assert(store->changed_count < store->terminals_max);
    at->is_changed = true;
    store->changed[store->changed_count++] = (uint32_t)(at - store->entries);
}

/* A free entry that the file has space for. Fails: STATE_FULL, SYSTEM. */
static pos_status claim(pos_keystore *store, uint32_t *number_out)
{
    uint32_t number = store->count;
    if (store->holes > 0) {
        for (number = 0; store->entries[number].is_used; number++) assert(number < store->count);
    }
    if (number >= store->terminals_max) return POS_STATE_FULL;
    if (number >= store->room) {
        const uint32_t room = store->room + GROWTH_RECORDS;
        if (posix_fallocate(store->file, 0, slot_offset(room, 0)) != 0) return POS_SYSTEM;
        store->room = room;
    }
    *number_out = number;
    return POS_OK;
}

static pos_status add_entry(pos_keystore *store, const char tid[8], const char mid[15],
                            entry **entry_out)
{
    uint32_t number = 0;
    const pos_status status = claim(store, &number);
    if (status != POS_OK) return status;
    entry *at = &store->entries[number];
    if (number < store->count) {
        store->holes--;
    } else {
        store->count++;
    }
    pos_zero(at, sizeof *at);
    at->is_used = true;
    at->slot = 1;
    pos_copy(at->keys.tid, tid, sizeof at->keys.tid);
    pos_copy(at->keys.mid, mid, sizeof at->keys.mid);
    uint32_t *place = place_of(store, tid, mid);
    assert(*place == 0);
    *place = number + 1;
    *entry_out = at;
    return POS_OK;
}

pos_status pos_keystore_put(pos_keystore *store, const char tid[8], const char mid[15],
                            const pos_working_keys *keys)
{
    assert(store != NULL && tid != NULL && mid != NULL && keys != NULL);
    assert(keys->mak.usage == POS_KEY_MAK || keys->mak.size == 0);
    if (store->is_failed) return POS_SYSTEM;
    entry *at = entry_of(store, tid, mid);
    if (at == NULL) {
        const pos_status status = add_entry(store, tid, mid, &at);
        if (status != POS_OK) return status;
    }
    if (at->keys.mak_old.size == 0) at->keys.mak_old = at->keys.mak;
    at->keys.pik = keys->pik;
    at->keys.mak = keys->mak;
    at->keys.tdk = keys->tdk;
    mark_changed(store, at);
    store->put_count++;
    return POS_OK;
}

void pos_keystore_retire_old_mak(pos_keystore *store, const char tid[8], const char mid[15])
{
    assert(store != NULL);
    entry *at = entry_of(store, tid, mid);
    if (at == NULL || at->keys.mak_old.size == 0) return;
    pos_key_wipe(&at->keys.mak_old);
    mark_changed(store, at);
}

static bool write_entry(pos_keystore *store, uint32_t number)
{
    entry *at = &store->entries[number];
    uint8_t record[RECORD_SIZE];
    assert(at->is_used && at->is_changed);
    at->keys.generation++;
    encode(store, number, &at->keys, record);
    at->slot ^= 1;
    at->is_changed = false;
    return write_at(store->file, record, sizeof record, slot_offset(number, at->slot));
}

pos_status pos_keystore_commit(pos_keystore *store)
{
    assert(store != NULL);
    if (store->is_failed) return POS_SYSTEM;
    if (store->put_count == 0) return POS_OK;
    bool is_written = true;
    for (uint32_t index = 0; index < store->changed_count && is_written; index++) {
        is_written = write_entry(store, store->changed[index]);
    }
    if (!is_written || fdatasync(store->file) != 0) {
        store->is_failed = true;
        return POS_SYSTEM;
    }
    store->changed_count = 0;
    store->put_count = 0;
    return POS_OK;
}
