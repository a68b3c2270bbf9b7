/*
 * A writer of a journal whose every entry can be made again from its sequence, and a checker of one.
 *
 *   writer write PATH MODE PAGES ENTRIES HEAP    MODE: late, full, or eager
 *   writer check PATH                            reads as a reader does, recovers, reads all, writes one
 *                                                page more, reads again
 *
 * Words on descriptor 1, each by one write: "S n" opened at n, "T n" about to write up to n, "A n" up
 * to n is acknowledged, "X status ..." a failure and what every later call said, "V n" checked up to n.
 *
 * `late` and `full` acknowledge what pos_journal_durable says. `eager` is the planted defect: it
 * acknowledges what it hands over, before it is committed.
 */
#include <posengine/journal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAP_MAX 8192

static void say(const char *word, unsigned long long number)
{
    char line[64];
    const int size = snprintf(line, sizeof line, "%s %llu\n", word, number);
    if (write(1, line, (size_t)size) != size) exit(9);
}

static pos_entry entry_of(uint64_t sequence, uint8_t *heap, uint32_t heap_size)
{
    pos_entry entry;
    memset(&entry, 0, sizeof entry);
    uint64_t seed = sequence;
    for (uint32_t index = 0; index < heap_size; index++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        heap[index] = (uint8_t)(seed >> 56);
    }
    entry.received_at_ns = 1795262400000000000 + (int64_t)(sequence / 40) * 86400000000000;
    entry.amount_minor = (int64_t)(sequence * 77);
    entry.stan = (uint32_t)sequence;
    entry.kind = POS_KIND_SALE;
    entry.outcome = POS_OUTCOME_APPROVED;
    entry.request = heap;
    entry.request_size = heap_size;
    return entry;
}

static int is_right(const pos_entry *entry, uint64_t sequence)
{
    static uint8_t heap[HEAP_MAX];
    if (entry->request_size > HEAP_MAX) return 0;
    const pos_entry wanted = entry_of(sequence, heap, entry->request_size);
    return entry->sequence == sequence && entry->stan == wanted.stan
           && entry->amount_minor == wanted.amount_minor
           && memcmp(entry->request, heap, entry->request_size) == 0;
}

static pos_journal *opened(const char *path, pos_durability durability)
{
    const char *volume = getenv("WRITER_VOLUME"); /* bytes: large ones take large pages, and threads */
    const pos_journal_options options = {
        .durability = durability,
        .volume_size_max = volume == NULL ? 256 * 1024 : strtoull(volume, NULL, 10),
    };
    pos_journal *journal = NULL;
    char words[POS_JOURNAL_WORDS];
    const pos_status status = pos_journal_open_told(path, &options, &journal, words);
    if (status == POS_OK) return journal;
    fprintf(stderr, "%s: %s\n", pos_status_name(status), words);
    exit(status == POS_JOURNAL_IN_DOUBT || status == POS_SYSTEM || status == POS_JOURNAL_FULL ? 5 : 4);
}

/* What every later call says after a failure, and that nothing became durable by it. */
static int stopped(pos_journal *journal, pos_status status)
{
    static uint8_t heap[64];
    pos_entry entry = entry_of(1, heap, sizeof heap);
    pos_page page;
    uint64_t durable = 0;
    const uint64_t before = pos_journal_durable(journal);
    char line[256];
    const int size = snprintf(
        line, sizeof line, "X %s %s %s %s %s %d\n", pos_status_name(status),
        pos_status_name(pos_journal_stage(journal, &entry)),
        pos_status_name(pos_journal_commit(journal, &durable)),
        pos_status_name(pos_journal_write(journal, true)),
        pos_status_name(pos_journal_page(journal, 1, &page)),
        pos_journal_durable(journal) == before && pos_journal_is_in_doubt(journal));
    if (write(1, line, (size_t)size) != size) return 9;
    pos_journal_close(journal);
    return 7;
}

static int write_pages(const char *path, const char *mode, unsigned long pages,
                       unsigned long entries, uint32_t heap_size)
{
    static uint8_t heap[HEAP_MAX];
    pos_journal *journal =
        opened(path, strcmp(mode, "full") == 0 ? POS_DURABLE_FULL : POS_DURABLE_LATE);
    pos_journal_facts facts;
    pos_journal_facts_read(journal, &facts);
    uint64_t last = facts.last_sequence;
    uint64_t said = last;
    say("S", last);
    for (unsigned long page = 0; pages == 0 || page < pages; page++) {
        for (unsigned long count = 0; count < entries; count++) {
            pos_entry entry = entry_of(last + 1, heap, heap_size);
            const pos_status status = pos_journal_stage(journal, &entry);
            if (status == POS_JOURNAL_FULL) {
                say("F", last);
                pos_journal_close(journal);
                return 6;
            }
            if (status != POS_OK) return stopped(journal, status);
            last = entry.sequence;
        }
        say("T", last);
        if (strcmp(mode, "eager") == 0) say("A", last);
        while (pos_journal_turn_over(journal)) {
            /* Every fourth page is followed by a pause: the writer waits for what is on its way. */
            const pos_status status = pos_journal_write(journal, page % 4 == 3);
            if (status != POS_OK) return stopped(journal, status);
        }
        const uint64_t durable = pos_journal_durable(journal);
        if (durable > said) say("A", durable);
        said = durable;
    }
    uint64_t durable = 0;
    const pos_status status = pos_journal_commit(journal, &durable);
    if (status != POS_OK) return stopped(journal, status);
    say("A", durable);
    pos_journal_close(journal);
    return 0;
}

static uint64_t read_all(pos_journal *journal)
{
    pos_verdict verdict;
    if (pos_journal_verify(journal, NULL, NULL, &verdict) != POS_OK) exit(4);
    if (verdict.status != POS_OK) {
        fprintf(stderr, "%s\n", verdict.reason);
        exit(4);
    }
    uint64_t next = 1;
    pos_page page;
    while (pos_journal_page(journal, next, &page) == POS_OK) {
        for (uint32_t row = 0; row < page.count; row++) {
            pos_entry entry;
            if (pos_page_entry(&page, row, &entry) != POS_OK || !is_right(&entry, next + row)) exit(4);
        }
        next += page.count;
    }
    if (next - 1 != verdict.entries) exit(4);
    return next - 1;
}

/* Before any writer has recovered, a reader sees all that was published as durable. */
static void look(const char *path)
{
    const pos_journal_options options = {.readonly = true};
    pos_journal *journal = NULL;
    pos_journal_facts facts;
    if (pos_journal_open(path, &options, &journal) != POS_OK) return; /* not yet made, or refused below */
    pos_journal_facts_read(journal, &facts);
    const uint64_t last = read_all(journal);
    if (last < facts.durable_sequence) exit(4);
    pos_journal_close(journal);
}

static int check(const char *path)
{
    look(path);
    pos_journal *journal = opened(path, POS_DURABLE_LATE);
    const uint64_t last = read_all(journal);
    static uint8_t heap[3000];
    pos_entry entry = entry_of(last + 1, heap, sizeof heap);
    if (pos_journal_stage(journal, &entry) != POS_OK) exit(4);
    if (pos_journal_commit(journal, NULL) != POS_OK) exit(4);
    if (read_all(journal) != last + 1) exit(4);
    pos_journal_close(journal);
    say("V", last);
    return 0;
}

int main(int count, char **words)
{
    if (count == 3 && strcmp(words[1], "check") == 0) return check(words[2]);
    if (count != 7 || strcmp(words[1], "write") != 0) return 2;
    return write_pages(words[2], words[3], strtoul(words[4], NULL, 10), strtoul(words[5], NULL, 10),
                       (uint32_t)strtoul(words[6], NULL, 10));
}
