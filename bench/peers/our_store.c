/*
 * The journal takes batches of entries, one page a batch, late acknowledgement: "run" prints entries
 * a second of those that are on disk at its end.
 *
 *     our_store FOLDER BATCH
 *
 * An entry has 37 columns, 215 bytes, and a heap of 85: 300 bytes, as the others' records.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "posengine/journal.h"

enum { BATCHES = 256 };

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void require(pos_status status, const char *what)
{
    if (status == POS_OK) return;
    fprintf(stderr, "%s: %s\n", what, pos_status_text(status));
    exit(1);
}

int main(int count, char **given)
{
    static uint8_t heap[85];
    if (count != 3) return 2;
    const int batch = atoi(given[2]);
    pos_journal_options options = {
        .volume_size_max = (uint64_t)2 << 30, .page_entries_max = (uint32_t)batch,
        .durability = POS_DURABLE_LATE,
    };
    pos_journal *journal = NULL;
    require(pos_journal_open(given[1], &options, &journal), "open");
    pos_entry entry = {.kind = POS_KIND_SALE, .outcome = POS_OUTCOME_APPROVED, .mti = 0x0200,
                       .received_at_ns = 1700000000000000000, .currency = 156,
                       .request = heap, .request_size = 55, .answer = heap + 55,
                       .answer_size = 30};
    memset(entry.response, '0', 2);
    memset(entry.tid, 'T', sizeof entry.tid);
    char line[16];
    while (fgets(line, sizeof line, stdin) != NULL) {
        const double began = now_s();
        for (int page = 0; page < BATCHES; page++) {
            for (int at = 0; at < batch; at++) {
                entry.stan = (uint32_t)(page * batch + at);
                entry.amount_minor = at;
                memcpy(heap, &entry.stan, sizeof entry.stan);
                require(pos_journal_stage(journal, &entry), "stage");
            }
            (void)pos_journal_turn_over(journal);
            require(pos_journal_write(journal, page == BATCHES - 1), "write");
        }
        const double took = now_s() - began;
        if (pos_journal_durable(journal) != entry.sequence) return 1;
        printf("%.1f\n.\n", BATCHES * (double)batch / took);
        fflush(stdout);
    }
    pos_journal_close(journal);
    return 0;
}
