/*
 * The journal's directory.
 *
 *   .                       the writer holds flock on the directory itself
 *   meta                    what never changes: id, format, volume size
 *   published               what does: durable sequence, in-doubt mark; mapped by every reader
 *   volume-000001.mdb       pages; -lock beside it is LMDB's readers' table
 *   volume-000002.making    the next volume before it is whole
 *   tail                    while a writer recovers: a copy of the page that it puts again (tail.c)
 *
 *   meta, 64 bytes                           published, 40 of 4,096 bytes
 *    0  8  magic "POSJRNL\n"                  0  8  magic "POSMARK\n"
 *    8  4  format version, 1                  8  4  format version, 1
 *   12  4  CRC-32C of all else               12  4  1 where the last writer ended in doubt
 *   16 16  journal id                        16 16  journal id
 *   32  8  volume size, bytes                32  8  durable sequence
 *   40  8  made at, UTC ns
 *
 * Making a journal: 1. volume 1, under another name, synced, renamed; 2. published; 3. meta. A crash
 * after 1 or 2 leaves no meta, and the next open starts again; a journal is there once meta is.
 */
#include "journal/parts.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FORMAT_VERSION 1U
#define META_SIZE 64U

static const uint8_t META_MAGIC[8] = {'P', 'O', 'S', 'J', 'R', 'N', 'L', '\n'};
static const char MARK_MAGIC[8] = {'P', 'O', 'S', 'M', 'A', 'R', 'K', '\n'};

_Static_assert(offsetof(pos_mark, durable_sequence) == 32, "the mark is a format of its own");

void pos_words(char *words_out, const char *format, ...)
{
    if (words_out == NULL) return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(words_out, POS_WORDS_SIZE, format, arguments);
    va_end(arguments);
}

bool pos_path_join(char *path_out, const char *directory, const char *name)
{
    const int size = snprintf(path_out, POS_PATH_MAX, "%s/%s", directory, name);
    return size > 0 && (size_t)size < POS_PATH_MAX;
}

bool pos_volume_path(char *path_out, const char *directory, uint32_t number, const char *suffix)
{
    const int size =
        snprintf(path_out, POS_PATH_MAX, "%s/volume-%06u%s", directory, number, suffix);
    return size > 0 && (size_t)size < POS_PATH_MAX;
}

pos_status pos_random(uint8_t *bytes_out, size_t size)
{
    assert(size <= 256); /* getrandom gives that much whole */
    return getrandom(bytes_out, size, 0) == (ssize_t)size ? POS_OK : POS_SYSTEM;
}

pos_status pos_directory_sync(const char *directory)
{
    const int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return POS_SYSTEM;
    const bool is_synced = fsync(file) == 0;
    (void)close(file);
    return is_synced ? POS_OK : POS_SYSTEM;
}

pos_status pos_file_put(const char *directory, const char *name, const uint8_t *bytes, size_t size)
{
    char path[POS_PATH_MAX];
    char making[POS_PATH_MAX + 8];
    if (!pos_path_join(path, directory, name)) return POS_ARGUMENT;
    (void)snprintf(making, sizeof making, "%s.making", path);
    const int file = open(making, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (file < 0) return POS_SYSTEM;
    const bool is_whole = write(file, bytes, size) == (ssize_t)size && fsync(file) == 0;
    (void)close(file);
    if (!is_whole || rename(making, path) != 0) return POS_SYSTEM;
    return pos_directory_sync(directory);
}

/* ---- meta --------------------------------------------------------------------------------------- */
static uint32_t meta_sum(const uint8_t *bytes)
{
    return pos_crc32c(pos_crc32c(0, bytes, 12), bytes + 16, META_SIZE - 16);
}

pos_status pos_meta_write(const char *directory, const pos_meta *meta)
{
    uint8_t bytes[META_SIZE];
    pos_zero(bytes, sizeof bytes);
    pos_copy(bytes, META_MAGIC, sizeof META_MAGIC);
    pos_store_u32_le(bytes + 8, FORMAT_VERSION);
    pos_copy(bytes + 16, meta->journal_id, sizeof meta->journal_id);
    pos_store_u64_le(bytes + 32, meta->volume_size);
    pos_store_u64_le(bytes + 40, (uint64_t)meta->made_at_ns);
    pos_store_u32_le(bytes + 12, meta_sum(bytes));
    return pos_file_put(directory, "meta", bytes, sizeof bytes);
}

static pos_status meta_read(int file, pos_meta *meta_out, char *words_out)
{
    uint8_t bytes[META_SIZE];
    const bool is_whole = pread(file, bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes;
    if (!is_whole || !pos_equal(bytes, META_MAGIC, sizeof META_MAGIC)
        || pos_load_u32_le(bytes + 12) != meta_sum(bytes)) {
        pos_words(words_out, "meta is damaged or no journal's");
        return POS_JOURNAL_FORMAT;
    }
    if (pos_load_u32_le(bytes + 8) != FORMAT_VERSION) {
        pos_words(words_out, "meta has format version %u", pos_load_u32_le(bytes + 8));
        return POS_JOURNAL_FORMAT;
    }
    pos_copy(meta_out->journal_id, bytes + 16, sizeof meta_out->journal_id);
    meta_out->volume_size = pos_load_u64_le(bytes + 32);
    meta_out->made_at_ns = (int64_t)pos_load_u64_le(bytes + 40);
    const uint64_t size = meta_out->volume_size;
    if (size < POS_VOLUME_SIZE_MIN || size % POS_LMDB_PAGE != 0 || size > UINT64_MAX / 4) {
        pos_words(words_out, "meta's volume size is out of range");
        return POS_JOURNAL_FORMAT;
    }
    return POS_OK;
}

pos_status pos_meta_read(const char *directory, pos_meta *meta_out, char *words_out)
{
    char path[POS_PATH_MAX];
    if (!pos_path_join(path, directory, "meta")) return POS_ARGUMENT;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        pos_words(words_out, "%s: %s", path, strerror(errno));
        return errno == ENOENT || errno == ENOTDIR ? POS_JOURNAL_ABSENT : POS_SYSTEM;
    }
    const pos_status status = meta_read(file, meta_out, words_out);
    (void)close(file);
    return status;
}

pos_status pos_writer_lock(const char *directory, int *file_out, char *words_out)
{
    const int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) {
        pos_words(words_out, "%s: %s", directory, strerror(errno));
        return POS_SYSTEM;
    }
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        pos_words(words_out, "another process writes this journal");
        (void)close(file);
        return POS_JOURNAL_BUSY;
    }
    *file_out = file;
    return POS_OK;
}

/* ---- published ---------------------------------------------------------------------------------- */
pos_status pos_mark_write(const char *directory, const uint8_t journal_id[16], uint64_t durable)
{
    uint8_t bytes[POS_MARK_SIZE];
    pos_zero(bytes, sizeof bytes);
    pos_copy(bytes, MARK_MAGIC, sizeof MARK_MAGIC);
    pos_store_u32_le(bytes + 8, FORMAT_VERSION);
    pos_copy(bytes + 16, journal_id, 16);
    pos_store_u64_le(bytes + 32, durable);
    return pos_file_put(directory, "published", bytes, sizeof bytes);
}

pos_status pos_mark_open(const char *directory, bool is_writer, pos_mark **mark_out,
                         char *words_out)
{
    char path[POS_PATH_MAX];
    if (!pos_path_join(path, directory, "published")) return POS_ARGUMENT;
    const int file = open(path, (is_writer ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (file < 0) {
        pos_words(words_out, "published: %s", strerror(errno));
        return errno == ENOENT ? POS_JOURNAL_FORMAT : POS_SYSTEM;
    }
    struct stat facts;
    void *mapped = MAP_FAILED;
    if (fstat(file, &facts) == 0 && facts.st_size == (off_t)POS_MARK_SIZE) {
        const int protection = is_writer ? PROT_READ | PROT_WRITE : PROT_READ;
        mapped = mmap(NULL, POS_MARK_SIZE, protection, MAP_SHARED, file, 0);
    }
    (void)close(file);
    if (mapped == MAP_FAILED) {
        pos_words(words_out, "published is damaged or no journal's");
        return POS_JOURNAL_FORMAT;
    }
    pos_mark *mark = mapped;
    if (!pos_equal(mark->magic, MARK_MAGIC, sizeof MARK_MAGIC)
        || mark->format_version != FORMAT_VERSION) {
        pos_mark_close(mark);
        pos_words(words_out, "published is damaged or no journal's");
        return POS_JOURNAL_FORMAT;
    }
    *mark_out = mark;
    return POS_OK;
}

void pos_mark_flush(pos_mark *mark)
{
    /* What is lost with a power cut is told again by the next writer's recovery: no error matters. */
    if (mark != NULL) (void)msync(mark, POS_MARK_SIZE, MS_SYNC);
}

void pos_mark_close(pos_mark *mark)
{
    if (mark != NULL) (void)munmap(mark, POS_MARK_SIZE);
}

/* ---- the directory --------------------------------------------------------------------------------- */
/* The number in "volume-000001.mdb"; 0 for any other name. */
static uint32_t volume_number(const char *name)
{
    uint32_t number = 0;
    int size = 0;
    if (sscanf(name, "volume-%6u.mdb%n", &number, &size) != 1) return 0;
    return size > 0 && name[size] == '\0' ? number : 0;
}

pos_status pos_volumes_scan(const char *directory, uint32_t *lowest_out, uint32_t *highest_out,
                            uint32_t *count_out)
{
    DIR *listing = opendir(directory);
    if (listing == NULL) return errno == ENOENT ? POS_JOURNAL_ABSENT : POS_SYSTEM;
    uint32_t lowest = 0;
    uint32_t highest = 0;
    uint32_t count = 0;
    for (const struct dirent *file = readdir(listing); file != NULL; file = readdir(listing)) {
        const uint32_t number = volume_number(file->d_name);
        if (number == 0) continue;
        count++;
        if (lowest == 0 || number < lowest) lowest = number;
        if (number > highest) highest = number;
    }
    (void)closedir(listing);
    *lowest_out = lowest;
    *highest_out = highest;
    *count_out = count;
    return POS_OK;
}

/* LMDB's locks and shared map are the local kernel's: over a network they are nobody's. */
pos_status pos_filesystem_check(const char *directory, char *words_out)
{
    static const struct {
        uint32_t type;
        const char *name;
    } NETWORK[] = {
        {0x6969U, "NFS"},       {0x517BU, "SMB"},        {0xFF534D42U, "CIFS"},
        {0xFE534D42U, "SMB2"},  {0x01021997U, "9p"},     {0x5346414FU, "AFS"},
        {0x00C36400U, "Ceph"},  {0x0BD00BD0U, "Lustre"}, {0x73757245U, "Coda"},
        {0x7461636FU, "OCFS2"}, {0x01161970U, "GFS2"},   {0x47504653U, "GPFS"},
    };
    struct statfs facts;
    if (statfs(directory, &facts) != 0) {
        pos_words(words_out, "%s", strerror(errno));
        return POS_SYSTEM;
    }
    for (size_t index = 0; index < sizeof NETWORK / sizeof NETWORK[0]; index++) {
        if ((uint32_t)facts.f_type == NETWORK[index].type) {
            pos_words(words_out, "a journal cannot lie on %s", NETWORK[index].name);
            return POS_ARGUMENT;
        }
    }
    return POS_OK;
}
