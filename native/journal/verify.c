/*
 * Reads the whole journal and stops at the first thing that is wrong: form, CRC, digest, the chain of
 * digests, sequences without holes over pages and volumes, dates that do not go back, heap slices.
 */
#include "journal/parts.h"

#include <assert.h>

typedef struct verify_walk {
    uint64_t expected; /* first sequence of the next page; 0 before the first page */
    uint8_t digest[32];
    int32_t business_date;
} verify_walk;

static pos_status check_place(const verify_walk *walk, const pos_page *page, char *words_out)
{
    static const uint8_t NONE[32];
    if (walk->expected != 0 && page->first_sequence != walk->expected) {
        pos_words(words_out, "a page begins at %llu where %llu is next",
                  (unsigned long long)page->first_sequence, (unsigned long long)walk->expected);
        return POS_JOURNAL_CORRUPT;
    }
    const bool chains = page->first_sequence == 1 ? pos_equal(page->digest_before, NONE, 32)
                        : walk->expected == 0
                            || pos_equal(page->digest_before, walk->digest, 32);
    if (!chains) {
        pos_words(words_out, "the page does not chain to the one before");
        return POS_JOURNAL_CORRUPT;
    }
    if (page->business_date < walk->business_date) {
        pos_words(words_out, "the business date goes back from %d to %d", walk->business_date,
                  page->business_date);
        return POS_JOURNAL_CORRUPT;
    }
    return POS_OK;
}

static pos_status check_rows(const pos_page *page, uint64_t *bad_out, char *words_out)
{
    for (uint32_t row = 0; row < page->count; row++) {
        pos_entry entry;
        const pos_status status = pos_page_entry(page, row, &entry);
        if (status != POS_OK) {
            *bad_out = page->first_sequence + row;
            pos_words(words_out, "the entry's heap slices lie outside of the heap");
            return status;
        }
    }
    return POS_OK;
}

static pos_status check_page(verify_walk *walk, const pos_page *page, pos_verdict *verdict)
{
    uint64_t bad = page->first_sequence;
    pos_status status = check_place(walk, page, verdict->reason);
    if (status != POS_OK && walk->expected != 0) bad = walk->expected;
    if (status == POS_OK) status = pos_page_check(page, verdict->reason);
    if (status == POS_OK) status = check_rows(page, &bad, verdict->reason);
    if (status != POS_OK) {
        verdict->first_bad_sequence = bad;
        return status;
    }
    walk->expected = page->first_sequence + page->count;
    walk->business_date = page->business_date;
    pos_copy(walk->digest, page->digest, sizeof walk->digest);
    verdict->pages++;
    verdict->entries += page->count;
    verdict->bytes += page->size;
    return POS_OK;
}

pos_status pos_journal_verify(pos_journal *journal,
                              bool (*progress)(void *context, uint64_t sequence), void *context,
                              pos_verdict *verdict_out)
{
    assert(journal != NULL);
    assert(verdict_out != NULL);
    pos_status status = pos_journal_usable(journal);
    if (status != POS_OK) return status;
    pos_verdict verdict = {.status = POS_OK};
    verify_walk walk = {.expected = 0};
    const uint64_t visible = pos_journal_visible(journal);
    uint64_t at = 0;
    bool goes_on = true;
    while (status == POS_OK && goes_on && walk.expected <= visible && visible > 0) {
        pos_page page;
        status = pos_journal_locate(journal, POS_SEEK_AFTER, at, &page, verdict.reason);
        if (status == POS_JOURNAL_END) {
            pos_words(verdict.reason, "entries up to %llu were durable, the pages end before",
                      (unsigned long long)visible);
            status = POS_JOURNAL_CORRUPT;
        }
        if (status != POS_OK) {
            verdict.first_bad_sequence = walk.expected == 0 ? 1 : walk.expected;
            break;
        }
        status = check_page(&walk, &page, &verdict);
        at = page.first_sequence;
        if (status == POS_OK && progress != NULL) goes_on = progress(context, walk.expected - 1);
    }
    verdict.status = status;
    *verdict_out = verdict;
    return POS_OK;
}
