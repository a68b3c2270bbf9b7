/*
 * Times commits of pages of one size, for bench/journal.py; prints one line of JSON.
 *
 *   journal_timing late|full PATH ENTRIES PAGES    the journal: encode, digest, CRC, put, commit
 *   journal_timing file PATH BYTES PAGES           the floor: pwrite of the same bytes, fdatasync
 *
 * Both write into blocks that are there already. What was written is read back and judged after the
 * clock has stopped.
 */
#include <fcntl.h>
#include <posengine/journal.h>
#include <posengine/measure.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAP_SIZE 400
#define VOLUME_SIZE (64U << 20)
#define PAGES_MAX 4096
#define MUST(claim)                                             \
    do {                                                        \
        if (!(claim)) {                                         \
            fprintf(stderr, "line %d: %s\n", __LINE__, #claim); \
            exit(1);                                            \
        }                                                       \
    } while (0)

static int64_t times[PAGES_MAX];

static int by_size(const void *left, const void *right)
{
    const int64_t one = *(const int64_t *)left;
    const int64_t other = *(const int64_t *)right;
    return one < other ? -1 : one > other;
}

static void report(unsigned long pages, uint64_t bytes)
{
    int64_t sum = 0;
    for (unsigned long page = 0; page < pages; page++) sum += times[page];
    qsort(times, pages, sizeof times[0], by_size);
    printf("{\"pages\": %lu, \"bytes\": %llu, \"p50_us\": %.1f, \"p99_us\": %.1f, "
           "\"most_us\": %.1f, \"pages_per_s\": %.1f}\n",
           pages, (unsigned long long)bytes, (double)times[pages / 2] / 1e3,
           (double)times[pages * 99 / 100] / 1e3, (double)times[pages - 1] / 1e3,
           (double)pages * 1e9 / (double)sum);
}

static void time_journal(const char *mode, const char *path, unsigned long entries,
                         unsigned long pages)
{
    const pos_journal_options options = {
        .durability = strcmp(mode, "full") == 0 ? POS_DURABLE_FULL : POS_DURABLE_LATE,
        .volume_size_max = VOLUME_SIZE,
    };
    pos_journal *journal = NULL;
    MUST(pos_journal_open(path, &options, &journal) == POS_OK);
    static uint8_t heap[HEAP_SIZE];
    for (unsigned index = 0; index < HEAP_SIZE; index++) heap[index] = (uint8_t)(index * 37);
    for (unsigned long page = 0; page < pages; page++) {
        for (unsigned long count = 0; count < entries; count++) {
            pos_entry entry = {
                .received_at_ns = 1795262400000000000,
                .amount_minor = (int64_t)count,
                .stan = (uint32_t)count,
                .kind = POS_KIND_SALE,
                .outcome = POS_OUTCOME_APPROVED,
                .request = heap,
                .request_size = HEAP_SIZE,
            };
            MUST(pos_journal_stage(journal, &entry) == POS_OK);
        }
        MUST(pos_journal_turn_over(journal));
        const int64_t began = pos_clock_monotonic_ns();
        MUST(pos_journal_write(journal, false) == POS_OK);
        times[page] = pos_clock_monotonic_ns() - began;
    }
    MUST(pos_journal_commit(journal, NULL) == POS_OK);
    pos_verdict verdict;
    MUST(pos_journal_verify(journal, NULL, NULL, &verdict) == POS_OK);
    MUST(verdict.status == POS_OK && verdict.entries == entries * pages);
    pos_journal_facts facts;
    pos_journal_facts_read(journal, &facts);
    MUST(facts.volumes == 1); /* nothing was prepared meanwhile */
    pos_journal_close(journal);
    report(pages, facts.bytes);
}

static void time_file(const char *path, size_t bytes, unsigned long pages)
{
    uint8_t *page_bytes = calloc(1, bytes);
    MUST(page_bytes != NULL);
    const int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    MUST(file >= 0);
    for (unsigned long page = 0; page < pages; page++) {
        MUST(pwrite(file, page_bytes, bytes, (off_t)(page * bytes)) == (ssize_t)bytes);
    }
    MUST(fsync(file) == 0);
    for (unsigned long page = 0; page < pages; page++) {
        memset(page_bytes, (int)(page % 251 + 1), bytes);
        const int64_t began = pos_clock_monotonic_ns();
        MUST(pwrite(file, page_bytes, bytes, (off_t)(page * bytes)) == (ssize_t)bytes);
        MUST(fdatasync(file) == 0);
        times[page] = pos_clock_monotonic_ns() - began;
    }
    for (unsigned long page = 0; page < pages; page++) {
        MUST(pread(file, page_bytes, bytes, (off_t)(page * bytes)) == (ssize_t)bytes);
        MUST(page_bytes[0] == page % 251 + 1 && page_bytes[bytes - 1] == page_bytes[0]);
    }
    MUST(close(file) == 0);
    free(page_bytes);
    report(pages, (uint64_t)bytes * pages);
}

int main(int count, char **words)
{
    MUST(count == 5);
    const unsigned long amount = strtoul(words[3], NULL, 10);
    const unsigned long pages = strtoul(words[4], NULL, 10);
    MUST(pages > 0 && pages <= PAGES_MAX);
    if (strcmp(words[1], "file") == 0) time_file(words[2], amount, pages);
    else time_journal(words[1], words[2], amount, pages);
    return 0;
}
