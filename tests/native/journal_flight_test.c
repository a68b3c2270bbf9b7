/*
 * Goal: pages that are committed by a thread of their own, and volumes that are made by another, change
 * nothing of what holds without them: nothing is durable before its commit returned, and whoever asked is told
 * then; what is staged is seen, every page chains, a volume is whole before its first page, nobody waits for zeros.
 * Method: pages above the size from which a thread takes them, at full speed, by one thread and by two;
 * volumes just large enough to be made by the thread, quickly and slowly; endings with a page on its way.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal/form.h"
#include "journals.h"
#include "measure/measure.h"

#define HEAP_SIZE 700
#define ROWS 200 /* 180 KiB a page */
#define VOLUME_SIZE POS_AHEAD_THREAD_SIZE_MIN

static pos_status try_stage(pos_journal *journal, uint64_t sequence)
{
    uint8_t heap[HEAP_SIZE];
    journals_fill(heap, HEAP_SIZE, sequence);
    pos_entry entry = {
        .received_at_ns = 1795302000000000000,
        .amount_minor = (int64_t)(sequence * 3),
        .kind = 1,
        .outcome = POS_OUTCOME_APPROVED,
        .request = heap,
        .request_size = HEAP_SIZE,
    };
    const pos_status status = pos_journal_stage(journal, &entry);
    CHECK(status != POS_OK || entry.sequence == sequence);
    return status;
}

static void stage(pos_journal *journal, uint64_t sequence)
{
    CHECK(try_stage(journal, sequence) == POS_OK);
}

static void check_entry(const pos_entry *entry, uint64_t sequence)
{
    uint8_t heap[HEAP_SIZE];
    journals_fill(heap, HEAP_SIZE, sequence);
    CHECK(entry->sequence == sequence);
    CHECK(entry->amount_minor == (int64_t)(sequence * 3));
    CHECK(entry->request_size == HEAP_SIZE && memcmp(entry->request, heap, HEAP_SIZE) == 0);
}

static void check_all(pos_journal *journal, uint64_t last)
{
    pos_verdict verdict;
    CHECK(pos_journal_verify(journal, NULL, NULL, &verdict) == POS_OK);
    if (verdict.status != POS_OK) fprintf(stderr, "%s\n", verdict.reason);
    CHECK(verdict.status == POS_OK && verdict.entries == last);
    for (uint64_t sequence = 1; sequence <= last; sequence += 1 + sequence % 37) {
        pos_entry entry;
        CHECK(pos_journal_entry(journal, sequence, &entry) == POS_OK);
        check_entry(&entry, sequence);
    }
}

/* What was durable when the journal told. */
typedef struct told {
    pos_journal *journal;
    _Atomic uint64_t durable;
    _Atomic uint32_t times;
} told;

static void tell(void *context)
{
    told *all = context;
    atomic_store(&all->durable, pos_journal_durable(all->journal));
    atomic_fetch_add(&all->times, 1);
}

static void test_a_page_on_its_way_is_seen_and_not_yet_durable(pos_durability durability)
{
    fresh_path();
    const pos_journal_options options = {.volume_size_max = VOLUME_SIZE, .durability = durability};
    pos_journal *journal = opened(&options);
    told all = {.journal = journal};
    pos_journal_on_durable(journal, tell, &all);
    uint64_t sequence = 0;
    for (uint64_t page = 1; page <= 40; page++) {
        for (uint32_t row = 0; row < ROWS; row++) stage(journal, ++sequence);
        CHECK(pos_journal_turn_over(journal));
        CHECK(!pos_journal_turn_over(journal));
        CHECK(pos_journal_write(journal, false) == POS_OK);
        const uint64_t durable = pos_journal_durable(journal);
        CHECK(durable == page * ROWS || durable == (page - 1) * ROWS);
        /* From the buffers, or from the volume, but seen. */
        for (uint64_t some = sequence > 450 ? sequence - 450 : 1; some <= sequence; some += 7) {
            pos_entry entry;
            CHECK(pos_journal_entry(journal, some, &entry) == POS_OK);
            check_entry(&entry, some);
        }
        pos_page held;
        const pos_status status = pos_journal_page(journal, sequence, &held);
        if (pos_journal_durable(journal) < sequence) CHECK(status == POS_JOURNAL_END);
    }
    CHECK(pos_journal_write(journal, true) == POS_OK);
    CHECK(pos_journal_durable(journal) == sequence);
    CHECK(journal->flight.has_thread);
    CHECK(atomic_load(&all.times) == 40 && atomic_load(&all.durable) == sequence);
    int64_t took_ns = 0;
    CHECK(pos_journal_commits(journal, &took_ns) == 40 && took_ns > 0);
    pos_journal_on_durable(journal, NULL, NULL);
    for (uint32_t row = 0; row < ROWS; row++) stage(journal, ++sequence);
    CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    CHECK(atomic_load(&all.times) == 40);
    check_all(journal, sequence);
    pos_journal_close(journal);
    journal = opened(&options);
    CHECK(pos_journal_report(journal)[0] == '\0');
    check_all(journal, sequence);
    pos_journal_close(journal);
}

static void test_small_pages_between_large_ones_keep_their_order(void)
{
    fresh_path();
    const pos_journal_options options = {.volume_size_max = VOLUME_SIZE};
    pos_journal *journal = opened(&options);
    uint64_t sequence = 0;
    for (uint64_t page = 0; page < 120; page++) {
        const uint32_t rows = page % 3 == 0 ? ROWS : 1 + (uint32_t)page % 5;
        for (uint32_t row = 0; row < rows; row++) stage(journal, ++sequence);
        if (page % 11 == 10) {
            uint64_t durable = 0;
            CHECK(pos_journal_commit(journal, &durable) == POS_OK && durable == sequence);
        } else {
            CHECK(pos_journal_turn_over(journal));
            CHECK(pos_journal_write(journal, page % 7 == 6) == POS_OK);
            if (page % 7 == 6) CHECK(pos_journal_durable(journal) == sequence);
        }
    }
    CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    check_all(journal, sequence);
    pos_journal_close(journal);
}

/* ---- two threads, and volumes made ahead ---------------------------------------------------------- */
typedef struct writer {
    pos_journal *journal;
    _Atomic bool is_done;
} writer;

static void *journal_thread(void *context)
{
    writer *both = context;
    bool is_last = false;
    while (!is_last) {
        is_last = atomic_load(&both->is_done);
        CHECK(pos_journal_write(both->journal, is_last) == POS_OK);
    }
    return NULL;
}

static void check_volumes_are_whole(uint64_t volumes)
{
    for (uint64_t number = 1; number <= volumes; number++) {
        char name[POS_PATH_MAX];
        struct stat facts;
        CHECK(pos_volume_path(name, path, (uint32_t)number, ".mdb"));
        CHECK(stat(name, &facts) == 0);
        CHECK((uint64_t)facts.st_size == VOLUME_SIZE);
        CHECK((uint64_t)facts.st_blocks * 512 >= VOLUME_SIZE);
    }
}

static void test_volumes_are_there_before_they_are_needed(void)
{
    fresh_path();
    const pos_journal_options options = {.volume_size_max = VOLUME_SIZE};
    writer both = {.journal = opened(&options)};
    CHECK(both.journal->ahead.has_thread);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, journal_thread, &both) == 0);
    uint64_t sequence = 0;
    pos_journal_facts facts;
    do {
        /* Seen between a page's commit and its buffer's return, there is less room than there is. */
        const pos_status status = try_stage(both.journal, sequence + 1);
        CHECK(status == POS_OK || status == POS_STAGE_FULL || status == POS_JOURNAL_FULL);
        sequence += status == POS_OK ? 1 : 0;
        if (sequence % 150 == 0 || !pos_journal_has_room(both.journal, HEAP_SIZE)) {
            (void)pos_journal_turn_over(both.journal);
        }
        CHECK(pos_journal_durable(both.journal) <= sequence);
        pos_journal_facts_read(both.journal, &facts);
        check_volumes_are_whole(facts.volumes);
    } while (facts.volumes < 5);
    while (pos_journal_staged_count(both.journal) > 0) (void)pos_journal_turn_over(both.journal);
    atomic_store(&both.is_done, true);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pos_journal_durable(both.journal) == sequence);
    check_all(both.journal, sequence);
    pos_journal_close(both.journal);
    both.journal = opened(&options);
    check_all(both.journal, sequence);
    for (uint32_t row = 0; row < ROWS; row++) stage(both.journal, ++sequence);
    CHECK(pos_journal_commit(both.journal, NULL) == POS_OK);
    check_all(both.journal, sequence);
    pos_journal_close(both.journal);
}

/* ---- zeros that come too slowly --------------------------------------------------------------------- */
#define CHUNK_SIZE (256U * 1024U) /* of zeros, as ahead.c writes them */

static _Atomic bool is_slow; /* a chunk takes as long as many pages do */

/* Before the C library's. */
ssize_t pwrite(int file, const void *data, size_t size, off_t offset)
{
    if (atomic_load(&is_slow) && size == CHUNK_SIZE) (void)usleep(10000);
    return (ssize_t)syscall(SYS_pwrite64, file, data, size, offset);
}

/* Nothing is refused for want of room where a volume can be made, however late it comes. */
static void test_a_writer_comes_back_to_a_volume_with_room(void)
{
    fresh_path();
    const pos_journal_options options = {
        .volume_size_max = VOLUME_SIZE, .page_size_max = 128U << 10};
    pos_journal *journal = opened(&options);
    uint64_t sequence = 0;
    atomic_store(&is_slow, true);
    while (atomic_load(&journal->volume_count) < 3) {
        for (uint32_t row = 0; row < 100 && pos_journal_has_room(journal, HEAP_SIZE); row++) {
            stage(journal, ++sequence);
        }
        CHECK(pos_journal_turn_over(journal)); /* there was room for one */
        CHECK(pos_journal_write(journal, true) == POS_OK);
    }
    atomic_store(&is_slow, false);
    check_all(journal, sequence);
    pos_journal_close(journal);
}

/* ---- a flush that fails while the next page waits to follow --------------------------------------- */
static _Atomic bool is_held; /* flushes wait, and fail when they are let go */
static _Atomic bool is_waiting; /* one does */

/* Before the C library's: LMDB is linked into this program. */
int fdatasync(int file)
{
    if (!atomic_load(&is_held)) return (int)syscall(SYS_fdatasync, file);
    atomic_store(&is_waiting, true);
    while (atomic_load(&is_held)) (void)sched_yield();
    errno = EIO;
    return -1;
}

static void *write_once(void *context)
{
    CHECK(pos_journal_write(context, false) == POS_JOURNAL_IN_DOUBT);
    return NULL;
}

static void test_a_page_that_follows_a_failed_one_is_never_put(void)
{
    fresh_path();
    const pos_journal_options options = {.volume_size_max = 4U << 20};
    pos_journal *journal = opened(&options);
    uint64_t sequence = 0;
    for (uint32_t row = 0; row < ROWS; row++) stage(journal, ++sequence);
    CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    for (uint32_t row = 0; row < ROWS; row++) stage(journal, ++sequence);
    CHECK(pos_journal_turn_over(journal));
    atomic_store(&is_held, true);
    CHECK(pos_journal_write(journal, false) == POS_OK); /* on its way, and held there */
    for (uint32_t row = 0; row < ROWS; row++) stage(journal, ++sequence);
    CHECK(pos_journal_turn_over(journal));
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, write_once, journal) == 0);
    bool follows = false;
    while (!follows) {
        (void)sched_yield();
        (void)pthread_mutex_lock(&journal->flight.mutex);
        follows = journal->flight.after != NULL && atomic_load(&is_waiting);
        (void)pthread_mutex_unlock(&journal->flight.mutex);
    }
    atomic_store(&is_held, false);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pos_journal_is_in_doubt(journal));
    CHECK(pos_journal_durable(journal) == ROWS);
    CHECK(pos_journal_commit(journal, NULL) == POS_JOURNAL_IN_DOUBT);
    pos_journal_close(journal);
    journal = opened(&options);
    pos_journal_facts facts;
    pos_journal_facts_read(journal, &facts);
    CHECK(facts.last_sequence == ROWS || facts.last_sequence == 2 * ROWS);
    check_all(journal, facts.last_sequence);
    pos_journal_close(journal);
}

/* ---- page cache --------------------------------------------------------------------------------------- */
/* Of a volume's bytes, how many are in memory. */
static uint64_t cached(uint32_t number, uint64_t from, uint64_t to)
{
    static unsigned char pages[VOLUME_SIZE / 4096];
    char name[POS_PATH_MAX];
    uint64_t count = 0;
    CHECK(pos_volume_path(name, path, number, ".mdb"));
    const int file = open(name, O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0);
    void *map = mmap(NULL, VOLUME_SIZE, PROT_READ, MAP_SHARED, file, 0);
    CHECK(map != MAP_FAILED && mincore(map, VOLUME_SIZE, pages) == 0);
    for (uint64_t page = from / 4096; page < to / 4096; page++) count += pages[page] & 1U;
    CHECK(munmap(map, VOLUME_SIZE) == 0 && close(file) == 0);
    return count * 4096;
}

static void test_what_was_written_long_ago_is_let_go_of(void)
{
    struct statfs facts;
    CHECK(statfs(home, &facts) == 0);
    if (facts.f_type == TMPFS_MAGIC) return; /* is memory itself */
    fresh_path();
    const pos_journal_options options = {.volume_size_max = VOLUME_SIZE};
    pos_journal *journal = opened(&options);
    uint64_t sequence = 0;
    while (atomic_load(&journal->volume_count) < 3 || atomic_load(&journal->free_pages) > 1024) {
        for (uint32_t row = 0; row < ROWS; row++) stage(journal, ++sequence);
        CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    }
    const uint64_t end = VOLUME_SIZE - atomic_load(&journal->free_pages) * 4096;
    const uint64_t mebibyte = 1U << 20;
    /* But for LMDB's own pages, which are mapped. */
    for (uint32_t wait = 0; wait < 10000; wait++) {
        if (cached(1, 0, VOLUME_SIZE) + cached(2, 0, VOLUME_SIZE) < mebibyte) break;
        (void)usleep(1000);
    }
    CHECK(cached(1, 0, VOLUME_SIZE) + cached(2, 0, VOLUME_SIZE) < mebibyte);
    CHECK(cached(3, 0, end - 8 * mebibyte) < mebibyte);
    CHECK(cached(3, end - 3 * mebibyte, end) > 2 * mebibyte);
    check_all(journal, sequence);
    pos_journal_close(journal);
}

/* ---- endings -------------------------------------------------------------------------------------- */
static void test_a_journal_closed_with_a_page_on_its_way_keeps_it_whole(void)
{
    fresh_path();
    const pos_journal_options options = {.volume_size_max = VOLUME_SIZE};
    for (uint64_t round = 0; round < 8; round++) {
        pos_journal *journal = opened(&options);
        pos_journal_facts facts;
        pos_journal_facts_read(journal, &facts);
        CHECK(facts.last_sequence == round * ROWS);
        for (uint32_t row = 0; row < ROWS; row++) stage(journal, facts.last_sequence + row + 1);
        CHECK(pos_journal_turn_over(journal));
        CHECK(pos_journal_write(journal, false) == POS_OK);
        pos_journal_close(journal); /* the thread ends after its commit; the next opening syncs */
    }
    pos_journal *journal = opened(&options);
    check_all(journal, 8 * ROWS);
    pos_journal_close(journal);
}

static void test_a_child_of_a_fork_ends_without_the_parents_threads(void)
{
    fresh_path();
    const pos_journal_options options = {.volume_size_max = VOLUME_SIZE};
    pos_journal *journal = opened(&options);
    for (uint32_t row = 0; row < ROWS; row++) stage(journal, row + 1);
    CHECK(pos_journal_turn_over(journal));
    CHECK(pos_journal_write(journal, false) == POS_OK);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(pos_journal_write(journal, true) == POS_JOURNAL_BUSY);
        pos_journal_close(journal);
        _exit(0);
    }
    int ending = 1;
    CHECK(waitpid(child, &ending, 0) == child && ending == 0);
    CHECK(pos_journal_write(journal, true) == POS_OK);
    CHECK(pos_journal_durable(journal) == ROWS);
    pos_journal_close(journal);
}

int main(void)
{
    journals_home("/tmp/posengine-flight-XXXXXX");
    test_a_page_on_its_way_is_seen_and_not_yet_durable(POS_DURABLE_LATE);
    test_a_page_on_its_way_is_seen_and_not_yet_durable(POS_DURABLE_FULL);
    test_small_pages_between_large_ones_keep_their_order();
    test_volumes_are_there_before_they_are_needed();
    test_a_writer_comes_back_to_a_volume_with_room();
    test_a_page_that_follows_a_failed_one_is_never_put();
    test_what_was_written_long_ago_is_let_go_of();
    test_a_journal_closed_with_a_page_on_its_way_keeps_it_whole();
    test_a_child_of_a_fork_ends_without_the_parents_threads();
    char remove[96];
    (void)snprintf(remove, sizeof remove, "rm -rf %s", home);
    return system(remove) == 0 ? 0 : 1;
}
