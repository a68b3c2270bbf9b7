/*
 * A disk that remembers, dies and fails on command: preloaded into a writer of a journal.
 *
 *   DISK_HOME     only files below this directory count
 *   DISK_LOG      every change is recorded here with its bytes, for the power cuts of power.py
 *   DISK_KILL     SIGKILL before the n-th counted call
 *   DISK_FAIL     "NAME:N": the n-th call of that name (fdatasync, fsync, pwrite, writev) gives EIO
 *   DISK_FULL     "N": from the n-th counted write on, a write gives ENOSPC
 *   DISK_STALE    reads past the page cache find something else: what a failed flush leaves behind
 *   DISK_BLIND    a volume is read through its map alone, behind its tree there is nothing: a control, for
 *                 a recovery that does not look for the tail
 *   DISK_LIES     syncs say that they did and do nothing: a control that the tests must catch
 *
 * A record: u8 operation, u32 file, u64 offset, u32 size, bytes. Operations: C made (path), W written,
 * T cut, S synced, R renamed (old, NUL, new), U removed (path), Y directory synced, M words of the
 * writer on descriptor 1. A file is known by the number that it was given when it was first opened.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 1024
static struct {
    uint32_t number;
    int is_direct_sync; /* O_DSYNC: every write is durable when it returns */
    int is_directory;
    int is_direct_read;
} files[FILES];
static char names[FILES][512];
static uint32_t name_count;
static int log_file = -1;
static unsigned calls, writes;

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) abort();
    return found;
}
#define REAL(name) ((__typeof__(&name))real(#name))

static unsigned number_of(const char *variable)
{
    const char *text = getenv(variable);
    return text == NULL ? 0 : (unsigned)atoi(text);
}

static void record(char operation, uint32_t file, uint64_t offset, const void *data, uint32_t size)
{
    const char *path = getenv("DISK_LOG");
    if (path == NULL) return;
    if (log_file < 0) log_file = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    unsigned char head[17];
    head[0] = (unsigned char)operation;
    memcpy(head + 1, &file, 4);
    memcpy(head + 5, &offset, 8);
    memcpy(head + 13, &size, 4);
    struct iovec parts[2] = {{head, sizeof head}, {(void *)data, size}};
    if (REAL(writev)(log_file, parts, 2) < 0) abort();
}

/* Counts a call; dies before the one that DISK_KILL names. */
static void counted(void)
{
    if (++calls == number_of("DISK_KILL")) (void)kill(getpid(), SIGKILL);
}

static int fails(const char *name)
{
    static unsigned seen[4];
    static const char *const NAMES[] = {"fdatasync", "fsync", "pwrite", "writev"};
    const char *order = getenv("DISK_FAIL");
    for (unsigned index = 0; index < 4; index++) {
        if (strcmp(NAMES[index], name) != 0) continue;
        seen[index]++;
        const size_t size = strlen(name);
        if (order != NULL && strncmp(order, name, size) == 0 && order[size] == ':'
            && (unsigned)atoi(order + size + 1) == seen[index]) {
            errno = EIO;
            return 1;
        }
    }
    return 0;
}

static int is_full(void)
{
    const unsigned limit = number_of("DISK_FULL");
    if (limit == 0 || ++writes < limit) return 0;
    errno = ENOSPC;
    return 1;
}

static uint32_t file_number(const char *path)
{
    for (uint32_t index = 0; index < name_count; index++) {
        if (strcmp(names[index], path) == 0) return index + 1;
    }
    if (name_count == FILES) abort();
    (void)snprintf(names[name_count], sizeof names[0], "%s", path);
    record('C', name_count + 1, 0, path, (uint32_t)strlen(path));
    return ++name_count;
}

static void forget(const char *path)
{
    for (uint32_t index = 0; index < name_count; index++) {
        if (strcmp(names[index], path) == 0) names[index][0] = '\0';
    }
}

static int is_ours(const char *path)
{
    const char *home = getenv("DISK_HOME");
    if (home == NULL || strncmp(path, home, strlen(home)) != 0) return 0;
    const size_t size = strlen(path); /* LMDB's lock files hold nothing that outlives a process */
    return size < 5 || strcmp(path + size - 5, "-lock") != 0;
}

static int opened(int file, const char *path, int flags)
{
    if (file < 0 || file >= FILES) return file;
    memset(&files[file], 0, sizeof files[file]);
    if (!is_ours(path)) return file;
    struct stat facts;
    if (fstat(file, &facts) != 0) return file;
    files[file].is_directory = S_ISDIR(facts.st_mode);
    if (files[file].is_directory) return file;
    files[file].number = file_number(path);
    files[file].is_direct_read = (flags & O_DIRECT) != 0 && (flags & O_ACCMODE) == O_RDONLY;
    files[file].is_direct_sync = (flags & O_DSYNC) != 0;
    if ((flags & O_TRUNC) != 0) record('T', files[file].number, 0, NULL, 0);
    return file;
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const unsigned mode = va_arg(rest, unsigned);
    va_end(rest);
    return opened(REAL(open)(path, flags, mode), path, flags);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const unsigned mode = va_arg(rest, unsigned);
    va_end(rest);
    return opened(REAL(open)(path, flags, mode), path, flags);
}

static uint32_t number_at(int file)
{
    return file >= 0 && file < FILES ? files[file].number : 0;
}

int close(int file)
{
    if (file >= 0 && file < FILES) memset(&files[file], 0, sizeof files[file]);
    return REAL(close)(file);
}

static void wrote(int file, off_t offset, const void *data, ssize_t size)
{
    if (size <= 0) return;
    record('W', number_at(file), (uint64_t)offset, data, (uint32_t)size);
    if (files[file].is_direct_sync && getenv("DISK_LIES") == NULL) {
        record('D', number_at(file), (uint64_t)offset, NULL, (uint32_t)size);
    }
}

ssize_t pwrite(int file, const void *data, size_t size, off_t offset)
{
    if (number_at(file) == 0) return REAL(pwrite)(file, data, size, offset);
    counted();
    if (fails("pwrite") || is_full()) return -1;
    const ssize_t written = REAL(pwrite)(file, data, size, offset);
    wrote(file, offset, data, written);
    return written;
}

ssize_t pread(int file, void *data, size_t size, off_t offset)
{
    const ssize_t got = REAL(pread)(file, data, size, offset);
    if (got > 0 && number_at(file) != 0 && offset >= 8192 && getenv("DISK_BLIND") != NULL) {
        memset(data, 0, (size_t)got);
    }
    const int is_stale = got > 0 && file >= 0 && file < FILES && files[file].is_direct_read;
    if (is_stale && getenv("DISK_STALE") != NULL) ((unsigned char *)data)[got - 4096] ^= 1;
    return got;
}

ssize_t pread64(int file, void *data, size_t size, off_t offset)
{
    return pread(file, data, size, offset);
}

ssize_t pwrite64(int file, const void *data, size_t size, off_t offset)
{
    return pwrite(file, data, size, offset);
}

ssize_t write(int file, const void *data, size_t size)
{
    if (number_at(file) == 0) {
        /* Words are recorded first: what was said before a kill was said. */
        if (file == 1) record('M', 0, 0, data, (uint32_t)size);
        return REAL(write)(file, data, size);
    }
    counted();
    if (is_full()) return -1;
    const off_t offset = lseek(file, 0, SEEK_CUR);
    const ssize_t written = REAL(write)(file, data, size);
    wrote(file, offset, data, written);
    return written;
}

static ssize_t wrote_parts(int file, off_t offset, const struct iovec *parts, int count,
                           ssize_t written)
{
    ssize_t left = written;
    for (int index = 0; index < count && left > 0; index++) {
        const ssize_t size = left < (ssize_t)parts[index].iov_len ? left : (ssize_t)parts[index].iov_len;
        wrote(file, offset, parts[index].iov_base, size);
        offset += size;
        left -= size;
    }
    return written;
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    if (number_at(file) == 0) return REAL(writev)(file, parts, count);
    counted();
    if (fails("writev") || is_full()) return -1;
    const off_t offset = lseek(file, 0, SEEK_CUR);
    return wrote_parts(file, offset, parts, count, REAL(writev)(file, parts, count));
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset)
{
    if (number_at(file) == 0) return REAL(pwritev)(file, parts, count, offset);
    counted();
    if (fails("writev") || is_full()) return -1;
    return wrote_parts(file, offset, parts, count, REAL(pwritev)(file, parts, count, offset));
}

static int synced(int file, int is_data)
{
    const uint32_t number = number_at(file);
    const int is_directory = file >= 0 && file < FILES && files[file].is_directory;
    if (number == 0 && !is_directory) return is_data ? REAL(fdatasync)(file) : REAL(fsync)(file);
    counted();
    if (fails(is_data ? "fdatasync" : "fsync")) return -1;
    if (getenv("DISK_LIES") != NULL) return 0;
    const int done = is_data ? REAL(fdatasync)(file) : REAL(fsync)(file);
    if (done == 0) record(is_directory ? 'Y' : 'S', number, 0, NULL, 0);
    return done;
}

int fdatasync(int file)
{
    return synced(file, 1);
}

int fsync(int file)
{
    return synced(file, 0);
}

int ftruncate(int file, off_t size)
{
    if (number_at(file) != 0) {
        counted();
        record('T', number_at(file), (uint64_t)size, NULL, 0);
    }
    return REAL(ftruncate)(file, size);
}

int ftruncate64(int file, off_t size)
{
    return ftruncate(file, size);
}

int rename(const char *from, const char *to)
{
    if (!is_ours(to)) return REAL(rename)(from, to);
    counted();
    const int done = REAL(rename)(from, to);
    if (done != 0) return done;
    forget(to);
    for (uint32_t index = 0; index < name_count; index++) {
        if (strcmp(names[index], from) != 0) continue;
        char both[1100];
        const int size = snprintf(both, sizeof both, "%s%c%s", from, '\0', to);
        record('R', index + 1, 0, both, (uint32_t)size);
        (void)snprintf(names[index], sizeof names[0], "%s", to);
    }
    return 0;
}

int unlink(const char *path)
{
    const int done = REAL(unlink)(path);
    if (done == 0 && is_ours(path)) {
        record('U', 0, 0, path, (uint32_t)strlen(path));
        forget(path);
    }
    return done;
}
