/*
 * What tests of the journal share: a directory for each journal, below one of the test's own, and heaps
 * that can be made again from a sequence.
 *
 *   journals_home("/tmp/name-XXXXXX")    once, at the start: made
 *   fresh_path()                         the next journal's path, in `path`
 *   opened(&options)                     it, opened: what fails is said, and ends the test
 *   journals_fill(heap, size, sequence)
 */
#ifndef POS_TESTS_JOURNALS_H
#define POS_TESTS_JOURNALS_H

#include <stdint.h>

#include "check.h"
#include "posengine/journal.h"

static char home[64];
static char path[128];

static inline void journals_home(const char *pattern)
{
    (void)snprintf(home, sizeof home, "%s", pattern);
    CHECK(mkdtemp(home) != NULL);
}

static inline void fresh_path(void)
{
    static int number;
    (void)snprintf(path, sizeof path, "%s/journal-%d", home, number++);
}

static inline void journals_fill(uint8_t *heap, size_t size, uint64_t sequence)
{
    uint64_t seed = sequence * 2654435761U + 1;
    for (size_t index = 0; index < size; index++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        heap[index] = (uint8_t)(seed >> 56);
    }
}

static inline pos_journal *opened(const pos_journal_options *options)
{
    pos_journal *journal = NULL;
    char words[POS_JOURNAL_WORDS];
    const pos_status status = pos_journal_open_told(path, options, &journal, words);
    if (status != POS_OK) fprintf(stderr, "%s: %s\n", pos_status_name(status), words);
    CHECK(status == POS_OK);
    return journal;
}

#endif
