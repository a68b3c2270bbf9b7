/*
 * Goal: a page that was flushed, and whose meta page a loss of power took, is there for the next reader
 * and in its volume for the next writer, wherever it lay, whatever ends the recovery; a page that is
 * not whole, or does not continue the journal, is not.
 * Method: a loss of power as it is: the volume's two meta pages are put back as they were before the last
 * commit. Places: behind the tree, in its free list, in a volume that nothing else was written to. Power
 * cuts with torn sectors at every moment are in tests/integration/test_journal_crash.py.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal/parts.h"
#include "journals.h"

#define METAS (2U * POS_LMDB_PAGE)
#define HEAP_SIZE 300
#define ROWS 40 /* some LMDB pages a value */

static const pos_journal_options WRITER = {.volume_size_max = 1024U * 1024U};
static const pos_journal_options READER = {.readonly = true};

/* A page of `rows` entries, committed. */
static void commit(pos_journal *journal, uint32_t rows)
{
    pos_journal_facts facts;
    pos_journal_facts_read(journal, &facts);
    for (uint32_t row = 1; row <= rows; row++) {
        uint8_t heap[HEAP_SIZE];
        journals_fill(heap, HEAP_SIZE, facts.last_sequence + row);
        pos_entry entry = {.received_at_ns = 1795302000000000000,
                           .kind = POS_KIND_SALE,
                           .outcome = POS_OUTCOME_APPROVED,
                           .request = heap,
                           .request_size = HEAP_SIZE};
        CHECK(pos_journal_stage(journal, &entry) == POS_OK);
        CHECK(entry.sequence == facts.last_sequence + row);
    }
    CHECK(pos_journal_commit(journal, NULL) == POS_OK);
}

static uint64_t last_of(pos_journal *journal)
{
    pos_journal_facts facts;
    pos_journal_facts_read(journal, &facts);
    return facts.last_sequence;
}

static void check_all(pos_journal *journal, uint64_t last)
{
    CHECK(last_of(journal) == last);
    pos_verdict verdict;
    CHECK(pos_journal_verify(journal, NULL, NULL, &verdict) == POS_OK);
    if (verdict.status != POS_OK) fprintf(stderr, "%s\n", verdict.reason);
    CHECK(verdict.status == POS_OK && verdict.entries == last);
    for (uint64_t sequence = 1; sequence <= last; sequence++) {
        uint8_t heap[HEAP_SIZE];
        pos_entry entry;
        CHECK(pos_journal_entry(journal, sequence, &entry) == POS_OK);
        journals_fill(heap, HEAP_SIZE, sequence);
        CHECK(entry.sequence == sequence && memcmp(entry.request, heap, HEAP_SIZE) == 0);
    }
    uint64_t next = 1;
    pos_page page;
    while (pos_journal_page(journal, next, &page) == POS_OK) next += page.count;
    CHECK(next == last + 1);
}

/* ---- the disk, by hand ---------------------------------------------------------------------------- */
static void volume_name(char *name, uint32_t number)
{
    CHECK(pos_volume_path(name, path, number, ".mdb"));
}

static void read_at(const char *name, uint64_t offset, uint8_t *bytes, size_t size)
{
    const int file = open(name, O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0 && pread(file, bytes, size, (off_t)offset) == (ssize_t)size);
    CHECK(close(file) == 0);
}

static void write_at(const char *name, uint64_t offset, const uint8_t *bytes, size_t size)
{
    const int file = open(name, O_WRONLY | O_CLOEXEC);
    CHECK(file >= 0 && pwrite(file, bytes, size, (off_t)offset) == (ssize_t)size);
    CHECK(close(file) == 0);
}

static void keep_metas(uint32_t number, uint8_t metas[METAS])
{
    char name[POS_PATH_MAX];
    volume_name(name, number);
    read_at(name, 0, metas, METAS);
}

static void lose_metas(uint32_t number, const uint8_t metas[METAS])
{
    char name[POS_PATH_MAX];
    volume_name(name, number);
    write_at(name, 0, metas, METAS);
}

/* What was published as durable, as the kernel left it. */
static void set_mark(uint64_t durable)
{
    pos_meta meta;
    char words[POS_JOURNAL_WORDS];
    CHECK(pos_meta_read(path, &meta, words) == POS_OK);
    CHECK(pos_mark_write(path, meta.journal_id, durable) == POS_OK);
}

static bool has_copy(void)
{
    char name[POS_PATH_MAX];
    CHECK(pos_path_join(name, path, "tail"));
    return access(name, F_OK) == 0;
}

/* Pages are written, and the last one's meta is lost; where its value begins, in bytes of volume 1. */
static uint64_t lose_last(uint32_t pages, uint32_t rows)
{
    uint8_t metas[METAS];
    fresh_path();
    pos_journal *journal = opened(&WRITER);
    for (uint32_t page = 1; page < pages; page++) commit(journal, rows);
    keep_metas(1, metas);
    commit(journal, rows);
    pos_page last;
    CHECK(pos_journal_page(journal, last_of(journal), &last) == POS_OK);
    const uint64_t at = (uint64_t)((uintptr_t)last.data - journal->volumes[0]->map);
    pos_journal_close(journal);
    lose_metas(1, metas);
    return at;
}

static void check_recovers(uint64_t last, uint32_t rows)
{
    pos_journal *journal = opened(&READER); /* before any writer */
    check_all(journal, last);
    pos_journal_close(journal);
    journal = opened(&WRITER);
    CHECK(strstr(pos_journal_report(journal), "was put again") != NULL);
    CHECK(atomic_load(&journal->free_pages)
          == pos_volume_free_pages(pos_journal_open_volume(journal)));
    check_all(journal, last);
    CHECK(!has_copy());
    commit(journal, rows);
    check_all(journal, last + rows);
    pos_journal_close(journal);
    journal = opened(&WRITER);
    CHECK(pos_journal_report(journal)[0] == '\0');
    check_all(journal, last + rows);
    pos_journal_close(journal);
}

/* ---- found ------------------------------------------------------------------------------------------ */
static void test_a_flushed_page_is_there_without_its_meta(void)
{
    for (uint32_t pages = 1; pages <= 12; pages++) {
        const uint32_t rows = pages % 3 == 0 ? 1 : ROWS;
        (void)lose_last(pages, rows);
        check_recovers((uint64_t)pages * rows, rows);
    }
}

/* Pages of `rows` until the second volume has one, whose meta is lost; the last sequence, 0 where the
 * first volume would have had room for it too. */
static uint64_t lose_first_of_second(uint32_t rows)
{
    uint8_t metas[METAS];
    fresh_path();
    pos_journal *journal = opened(&WRITER);
    while (!atomic_load(&journal->is_next_ready)) commit(journal, rows);
    keep_metas(2, metas);
    uint64_t room = 0;
    while (atomic_load(&journal->volume_count) < 2) {
        room = atomic_load(&journal->free_pages) * POS_LMDB_PAGE;
        commit(journal, rows);
    }
    pos_page last;
    CHECK(pos_journal_page(journal, last_of(journal), &last) == POS_OK);
    const uint64_t sequence = room < last.size ? last_of(journal) : 0;
    pos_journal_close(journal);
    lose_metas(2, metas);
    return sequence;
}

static void test_it_is_found_in_a_volume_that_has_nothing_else(void)
{
    uint32_t found = 0;
    for (uint32_t rows = 150; rows <= 214; rows += 4) {
        const uint64_t last = lose_first_of_second(rows);
        if (last == 0) continue;
        check_recovers(last, rows);
        found++;
    }
    CHECK(found > 0);
}

/* A process that reads while pages are committed: their tree pages pile up in the free list. */
static void hold_a_snapshot(int ready, int done)
{
    char name[POS_PATH_MAX];
    char byte = 0;
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    volume_name(name, 1);
    int code = mdb_env_create(&env);
    if (code == 0) code = mdb_env_set_mapsize(env, WRITER.volume_size_max);
    if (code == 0) code = mdb_env_open(env, name, MDB_NOSUBDIR | MDB_RDONLY, 0640);
    if (code == 0) code = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    if (code != 0 || write(ready, &byte, 1) != 1 || read(done, &byte, 1) != 1) _exit(1);
    mdb_txn_abort(txn);
    mdb_env_close(env);
    _exit(0);
}

typedef struct reader {
    pid_t child;
    int done;
} reader;

static reader begin_reading(void)
{
    int ready[2];
    int done[2];
    char byte = 0;
    CHECK(pipe(ready) == 0 && pipe(done) == 0);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) hold_a_snapshot(ready[1], done[0]);
    CHECK(read(ready[0], &byte, 1) == 1);
    return (reader){.child = child, .done = done[1]};
}

static void end_reading(reader reading)
{
    int ended = -1;
    CHECK(write(reading.done, "", 1) == 1);
    CHECK(waitpid(reading.child, &ended, 0) == reading.child && ended == 0);
}

/* The LMDB page at which the last value begins. */
static uint64_t place_of_last(pos_journal *journal)
{
    pos_page last;
    CHECK(pos_journal_page(journal, last_of(journal), &last) == POS_OK);
    return ((uintptr_t)last.data - journal->volumes[0]->map) / POS_LMDB_PAGE;
}

static void test_it_is_found_among_pages_that_were_used_before(void)
{
    uint8_t metas[METAS];
    fresh_path();
    pos_journal *journal = opened(&WRITER);
    commit(journal, 1);
    const reader reading = begin_reading();
    for (uint32_t page = 0; page < 12; page++) commit(journal, 1);
    end_reading(reading);
    bool is_reused = false;
    for (uint32_t page = 0; page < 6 && !is_reused; page++) {
        MDB_envinfo info;
        (void)mdb_env_info(journal->volumes[0]->env, &info);
        keep_metas(1, metas);
        commit(journal, 1);
        is_reused = place_of_last(journal) <= (uint64_t)info.me_last_pgno;
    }
    CHECK(is_reused);
    const uint64_t last = last_of(journal);
    pos_journal_close(journal);
    lose_metas(1, metas);
    check_recovers(last, 1);
}

/* Two pages are behind the tree: the second was never answered, and the first is all that continues it. */
static void test_only_what_continues_the_journal_is_put(void)
{
    uint8_t metas[METAS];
    fresh_path();
    pos_journal *journal = opened(&WRITER);
    commit(journal, ROWS);
    keep_metas(1, metas);
    commit(journal, ROWS);
    commit(journal, ROWS);
    pos_journal_close(journal);
    lose_metas(1, metas);
    set_mark(2 * ROWS);
    check_recovers(2 * ROWS, ROWS);
}

/* The next page of another journal, at the place where this one's would be. */
static void test_a_page_of_another_journal_is_not_put(void)
{
    static uint8_t run[64 * 1024];
    char name[POS_PATH_MAX];
    const uint64_t at = lose_last(2, ROWS);
    volume_name(name, 1);
    read_at(name, at - POS_LMDB_HEADER, run, sizeof run);
    fresh_path();
    pos_journal *journal = opened(&WRITER);
    commit(journal, ROWS);
    pos_journal_close(journal);
    volume_name(name, 1);
    write_at(name, at - POS_LMDB_HEADER, run, sizeof run);
    journal = opened(&WRITER);
    CHECK(pos_journal_report(journal)[0] == '\0');
    check_all(journal, ROWS);
    pos_journal_close(journal);
}

/* ---- not found --------------------------------------------------------------------------------------- */
static void test_a_page_that_is_not_whole_is_not_put(void)
{
    for (uint32_t changed = 0; changed < 60; changed++) {
        const uint64_t at = lose_last(4, ROWS);
        char name[POS_PATH_MAX];
        char words[POS_JOURNAL_WORDS];
        uint8_t byte;
        volume_name(name, 1);
        /* Of LMDB's header, of ours, of columns and heap. */
        const uint64_t place = changed < 16 ? at - 16 + changed : at + (changed - 16) * 97;
        read_at(name, place, &byte, 1);
        byte ^= 1;
        write_at(name, place, &byte, 1);
        /* Two bytes of LMDB's header say nothing: they are padding. */
        const bool says_nothing = place - (at - 16) >= 8 && place - (at - 16) < 10;
        pos_journal *journal = NULL;
        const pos_status status = pos_journal_open_told(path, &WRITER, &journal, words);
        if (says_nothing || status == POS_OK) {
            CHECK(says_nothing);
            check_all(journal, 4 * ROWS);
            pos_journal_close(journal);
            continue;
        }
        CHECK(status == POS_JOURNAL_CORRUPT);
        CHECK(strstr(words, "were durable, only 120 are here") != NULL);
        /* Where nobody was told that it was durable, it never was. */
        set_mark(3 * ROWS);
        journal = opened(&WRITER);
        check_all(journal, 3 * ROWS);
        commit(journal, 1);
        check_all(journal, 3 * ROWS + 1);
        pos_journal_close(journal);
    }
}

/* ---- recovery, ended in the middle ------------------------------------------------------------------- */
static void take_copy(uint64_t at, uint8_t *bytes, size_t size)
{
    char name[POS_PATH_MAX];
    volume_name(name, 1);
    read_at(name, at, bytes, size);
    CHECK(pos_file_put(path, "tail", bytes, size) == POS_OK);
}

static void test_recovery_may_end_at_any_moment(void)
{
    static uint8_t value[64 * 1024];
    static uint8_t zeros[64 * 1024];
    char name[POS_PATH_MAX];
    char words[POS_JOURNAL_WORDS];
    pos_journal *journal = NULL;
    /* Copied, and the place that it was copied from written over. */
    uint64_t at = lose_last(5, ROWS);
    volume_name(name, 1);
    read_at(name, at - POS_LMDB_HEADER, value, POS_LMDB_PAGE);
    const size_t size = pos_load_u32_le(value + 12) * POS_LMDB_PAGE - POS_LMDB_HEADER;
    CHECK(size > 2 * POS_LMDB_PAGE && size <= sizeof value);
    take_copy(at, value, size);
    write_at(name, at - POS_LMDB_HEADER, zeros, size);
    check_recovers(5 * ROWS, ROWS);
    /* Put, and the copy not yet removed. */
    CHECK(pos_file_put(path, "tail", value, size) == POS_OK);
    journal = opened(&WRITER);
    CHECK(pos_journal_report(journal)[0] == '\0' && !has_copy());
    check_all(journal, 6 * ROWS);
    pos_journal_close(journal);
    /* A copy is whole or not there; one that is not whole was damaged later, and nothing is guessed. */
    at = lose_last(5, ROWS);
    take_copy(at, value, size);
    CHECK(pos_path_join(name, path, "tail"));
    value[size / 2] ^= 1;
    write_at(name, size / 2, value + size / 2, 1);
    CHECK(pos_journal_open_told(path, &WRITER, &journal, words) == POS_JOURNAL_CORRUPT);
    CHECK(strstr(words, "the file tail") != NULL && has_copy());
    CHECK(truncate(name, 4000) == 0);
    CHECK(pos_journal_open_told(path, &WRITER, &journal, words) == POS_JOURNAL_CORRUPT);
    CHECK(strstr(words, "another size") != NULL);
    CHECK(unlink(name) == 0);
    check_recovers(5 * ROWS, ROWS);
}

/* ---- and killed -------------------------------------------------------------------------------------- */
static uint32_t dies_at; /* before which call that writes; 0: never */

static void count_call(int file, const uint8_t *data, size_t size, off_t offset)
{
    static uint32_t calls;
    if (dies_at == 0 || ++calls != dies_at) return;
    /* Half of it came to the disk. */
    (void)syscall(SYS_pwrite64, file, data, size / 2, offset);
    (void)raise(SIGKILL);
}

/* Before the C library's: what LMDB and the journal write with. */
ssize_t pwrite(int file, const void *data, size_t size, off_t offset)
{
    count_call(file, data, size, offset);
    return (ssize_t)syscall(SYS_pwrite64, file, data, size, offset);
}

ssize_t write(int file, const void *data, size_t size)
{
    if (dies_at > 0) count_call(file, data, size, lseek(file, 0, SEEK_CUR));
    return (ssize_t)syscall(SYS_write, file, data, size);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset)
{
    ssize_t all = 0;
    for (int part = 0; part < count; part++) {
        const ssize_t some = pwrite(file, parts[part].iov_base, parts[part].iov_len, offset + all);
        if (some < 0) return some;
        all += some;
    }
    return all;
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    const off_t offset = lseek(file, 0, SEEK_CUR);
    const ssize_t all = pwritev(file, parts, count, offset);
    if (all > 0) (void)lseek(file, offset + all, SEEK_SET);
    return all;
}

static void copy_all(const char *from, const char *to)
{
    char words[800];
    (void)snprintf(words, sizeof words, "rm -rf %s && cp -r %s %s", to, from, to);
    CHECK(system(words) == 0);
}

/* True where recovery was killed before its n-th write, false where it came to its end first. */
static bool is_killed_recovering(uint32_t call)
{
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        pos_journal *journal = NULL;
        dies_at = call;
        _exit(pos_journal_open(path, &WRITER, &journal) == POS_OK ? 0 : 1);
    }
    int ended = -1;
    CHECK(waitpid(child, &ended, 0) == child);
    CHECK(WIFSIGNALED(ended) || ended == 0);
    return WIFSIGNALED(ended);
}

/* A reader kept LMDB from using pages again that recovery, after it, does use: the page is put elsewhere,
 * and in part over itself. */
static void test_a_kill_before_any_write_of_the_recovery_loses_nothing(void)
{
    uint8_t metas[METAS];
    char kept[160];
    fresh_path();
    pos_journal *journal = opened(&WRITER);
    commit(journal, 1);
    const reader reading = begin_reading();
    for (uint32_t page = 0; page < 2; page++) commit(journal, 1);
    keep_metas(1, metas);
    commit(journal, ROWS);
    const uint64_t place = place_of_last(journal);
    const uint64_t last = last_of(journal);
    end_reading(reading);
    pos_journal_close(journal);
    lose_metas(1, metas);
    (void)snprintf(kept, sizeof kept, "%s-kept", path);
    copy_all(path, kept);
    uint32_t killed = 0;
    while (is_killed_recovering(killed + 1)) {
        killed++;
        journal = opened(&WRITER);
        check_all(journal, last);
        pos_journal_close(journal);
        copy_all(kept, path);
    }
    CHECK(killed > 4);
    journal = opened(&WRITER);
    const uint64_t put_at = place_of_last(journal);
    CHECK(put_at != place && put_at + 16 > place && place + 16 > put_at);
    check_all(journal, last);
    pos_journal_close(journal);
}

int main(void)
{
    journals_home("/tmp/posengine-tail-XXXXXX");
    test_a_flushed_page_is_there_without_its_meta();
    test_it_is_found_in_a_volume_that_has_nothing_else();
    test_it_is_found_among_pages_that_were_used_before();
    test_only_what_continues_the_journal_is_put();
    test_a_page_that_is_not_whole_is_not_put();
    test_a_page_of_another_journal_is_not_put();
    test_recovery_may_end_at_any_moment();
    test_a_kill_before_any_write_of_the_recovery_loses_nothing();
    char remove[96];
    (void)snprintf(remove, sizeof remove, "rm -rf %s", home);
    return system(remove) == 0 ? 0 : 1;
}
