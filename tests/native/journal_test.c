/*
 * Goal: what is staged and committed is read back, field by field, after any reopening, and nothing
 * else is; a page that is not what was written is refused and harms nobody.
 * Method: entries made from their sequence, so that any of them can be made again and compared;
 * volumes so small that they turn; every byte of a page changed.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "journal/form.h"
#include "mac/mac.h"

#define SMALL_VOLUME (512U * 1024U)

static char home[64];
static char path[128];

static void fresh_path(void)
{
    static int number;
    (void)snprintf(path, sizeof path, "%s/journal-%d", home, number++);
}

static void fill(void *at, size_t size, uint64_t seed)
{
    uint8_t *bytes = at;
    for (size_t index = 0; index < size; index++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        bytes[index] = (uint8_t)(seed >> 56);
    }
}

/* The entry of a sequence: every byte of it depends on the sequence. */
static pos_entry entry_of(uint64_t sequence, uint8_t heap[512])
{
    pos_entry entry;
    fill(&entry, sizeof entry, sequence);
    fill(heap, 512, sequence + 1000);
    entry.sequence = sequence;
    entry.received_at_ns = 1795302000000000000 + (int64_t)sequence * 1000;
    entry.kind = (uint8_t)(sequence % POS_KIND_COUNT);
    entry.outcome = (uint8_t)(sequence % POS_OUTCOME_COUNT);
    entry.request_size = (uint32_t)(sequence * 7 % 200);
    entry.answer_size = (uint32_t)(sequence * 11 % 300);
    entry.request = heap;
    entry.answer = heap + entry.request_size;
    (void)snprintf(entry.rrn, sizeof entry.rrn, "%011llu", (unsigned long long)sequence);
    memmove(entry.rrn + 1, entry.rrn, 11);
    entry.rrn[0] = '0';
    (void)memcpy(entry.tid, "T0000001", 8);
    entry.tid[7] = (char)('0' + sequence % 7);
    entry.stan = (uint32_t)(sequence % 1000);
    return entry;
}

static void check_entry(const pos_entry *read, uint64_t sequence)
{
    uint8_t heap[512];
    const pos_entry wanted = entry_of(sequence, heap);
    CHECK(read->sequence == sequence);
#define SAME(member) CHECK(memcmp(&read->member, &wanted.member, sizeof wanted.member) == 0)
    SAME(original);
    SAME(received_at_ns);
    SAME(terminal_at_ns);
    SAME(amount_minor);
    SAME(staged_after_us);
    SAME(flags);
    SAME(processing);
    SAME(stan);
    SAME(batch);
    SAME(original_batch);
    SAME(original_stan);
    SAME(bin);
    SAME(line);
    SAME(last4);
    SAME(mti);
    SAME(currency);
    SAME(entry_mode);
    SAME(network);
    SAME(kind);
    SAME(outcome);
    SAME(type);
    SAME(condition);
    SAME(requirement);
    SAME(why);
    SAME(response);
    SAME(reason);
    SAME(tid);
    SAME(mid);
    SAME(rrn);
    SAME(original_rrn);
    SAME(auth);
    SAME(operator_id);
    SAME(pan_token);
    SAME(fingerprint);
    SAME(request_size);
    SAME(answer_size);
#undef SAME
    CHECK(memcmp(read->request, wanted.request, wanted.request_size) == 0);
    CHECK(memcmp(read->answer, wanted.answer, wanted.answer_size) == 0);
}

static pos_journal *opened(pos_journal_options options)
{
    pos_journal *journal = NULL;
    char words[POS_JOURNAL_WORDS];
    const pos_status status = pos_journal_open_told(path, &options, &journal, words);
    if (status != POS_OK) fprintf(stderr, "%s: %s\n", pos_status_name(status), words);
    CHECK(status == POS_OK);
    return journal;
}

static const pos_journal_options SMALL = {.volume_size_max = SMALL_VOLUME};
static const pos_journal_options READER = {.readonly = true};

static pos_status stage(pos_journal *journal, uint64_t sequence)
{
    uint8_t heap[512];
    pos_entry entry = entry_of(sequence, heap);
    entry.sequence = 0;
    const pos_status status = pos_journal_stage(journal, &entry);
    if (status == POS_OK) CHECK(entry.sequence == sequence);
    return status;
}

/* Commits [from, to] in pages of `count` entries. */
static void commit_range(pos_journal *journal, uint64_t from, uint64_t to, uint64_t count)
{
    for (uint64_t sequence = from; sequence <= to; sequence++) {
        CHECK(pos_journal_has_room(journal, 512));
        CHECK(stage(journal, sequence) == POS_OK);
        if ((sequence - from + 1) % count == 0 || sequence == to) {
            uint64_t durable = 0;
            CHECK(pos_journal_commit(journal, &durable) == POS_OK);
            CHECK(durable == sequence);
        }
    }
}

static void check_all(pos_journal *journal, uint64_t last)
{
    uint64_t next = 1;
    pos_page page;
    while (pos_journal_page(journal, next, &page) == POS_OK) {
        CHECK(page.first_sequence == next);
        CHECK(((uintptr_t)page.data & 4095) == 16);
        CHECK((page.size + 16) % 4096 == 0);
        CHECK(pos_page_sums(&page) == POS_OK);
        for (uint32_t row = 0; row < page.count; row++) {
            pos_entry entry;
            CHECK(pos_page_entry(&page, row, &entry) == POS_OK);
            check_entry(&entry, next + row);
        }
        for (size_t index = 0; index < pos_column_count(); index++) {
            pos_column column;
            CHECK(pos_page_column(&page, index, &column) == POS_OK);
            CHECK((uintptr_t)column.data % 64 == 0);
        }
        next += page.count;
    }
    CHECK(next == last + 1);
    CHECK(pos_journal_page(journal, next, &page) == POS_JOURNAL_END);
    pos_verdict verdict;
    CHECK(pos_journal_verify(journal, NULL, NULL, &verdict) == POS_OK);
    if (verdict.status != POS_OK) fprintf(stderr, "%s\n", verdict.reason);
    CHECK(verdict.status == POS_OK);
    CHECK(verdict.entries == last);
}

static void test_what_is_committed_is_read_back_after_reopening(pos_durability durability)
{
    fresh_path();
    pos_journal_options options = SMALL;
    options.durability = durability;
    pos_journal *journal = opened(options);
    check_all(journal, 0);
    commit_range(journal, 1, 1, 1);
    commit_range(journal, 2, 300, 37);
    check_all(journal, 300);
    pos_journal_close(journal);

    journal = opened(options);
    CHECK(pos_journal_report(journal)[0] == '\0');
    check_all(journal, 300);
    commit_range(journal, 301, 310, 10);
    pos_journal_close(journal);

    journal = opened(READER);
    check_all(journal, 310);
    CHECK(stage(journal, 311) == POS_JOURNAL_READONLY);
    CHECK(pos_journal_commit(journal, NULL) == POS_JOURNAL_READONLY);
    pos_journal_close(journal);
}

static void test_a_writer_sees_what_it_staged(void)
{
    fresh_path();
    pos_journal *journal = opened(SMALL);
    pos_entry entry;
    for (uint64_t sequence = 1; sequence <= 10; sequence++) {
        CHECK(stage(journal, sequence) == POS_OK);
        CHECK(pos_journal_entry(journal, sequence, &entry) == POS_OK);
        check_entry(&entry, sequence);
    }
    CHECK(pos_journal_turn_over(journal));
    CHECK(!pos_journal_turn_over(journal));
    CHECK(stage(journal, 11) == POS_OK);
    CHECK(!pos_journal_turn_over(journal)); /* the writer still has a page */
    CHECK(pos_journal_staged_count(journal) == 1);
    for (uint64_t sequence = 1; sequence <= 11; sequence++) {
        CHECK(pos_journal_entry(journal, sequence, &entry) == POS_OK);
        check_entry(&entry, sequence);
    }
    CHECK(pos_journal_entry(journal, 12, &entry) == POS_ENTRY_ABSENT);
    CHECK(pos_journal_entry(journal, 0, &entry) == POS_ENTRY_ABSENT);
    pos_page page;
    CHECK(pos_journal_page(journal, 1, &page) == POS_JOURNAL_END);
    pos_journal_close(journal);
    journal = opened(SMALL); /* nothing was committed, so nothing is there */
    CHECK(stage(journal, 1) == POS_OK);
    pos_journal_close(journal);
}

static void test_a_page_is_durable_when_its_commit_returns(pos_durability durability)
{
    fresh_path();
    pos_journal_options options = SMALL;
    options.durability = durability;
    pos_journal *journal = opened(options);
    for (uint64_t page = 1; page <= 3; page++) {
        CHECK(stage(journal, page) == POS_OK);
        CHECK(pos_journal_turn_over(journal));
        CHECK(pos_journal_durable(journal) == page - 1);
        CHECK(pos_journal_write(journal, false) == POS_OK);
        CHECK(pos_journal_durable(journal) == page);
    }
    CHECK(pos_journal_write(journal, false) == POS_OK); /* nothing handed over */
    CHECK(pos_journal_durable(journal) == 3);
    pos_journal_close(journal);
}

static void test_a_page_header_tells_when_the_pages_before_were_durable_and_sent(void)
{
    fresh_path();
    pos_journal *journal = opened(SMALL);
    pos_decided_under under;
    fill(&under, sizeof under, 5);
    pos_journal_decided_under(journal, &under);
    CHECK(stage(journal, 1) == POS_OK);
    CHECK(pos_journal_turn_over(journal));
    pos_journal_sent(journal, 777);
    CHECK(stage(journal, 2) == POS_OK);
    CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    pos_page page;
    CHECK(pos_journal_page(journal, 2, &page) == POS_OK);
    CHECK(page.first_sequence == 2);
    CHECK(pos_load_u64_le(page.data + 112) == 777);
    CHECK(memcmp(page.data + 176, &under, 64) == 0);
    CHECK(pos_load_u64_le(page.data + 96) <= 1);
    CHECK(page.committed_at_ns >= page.staged_at_ns);
    CHECK(pos_journal_page(journal, 1, &page) == POS_OK);
    CHECK(pos_load_u64_le(page.data + 112) == 0);
    pos_journal_close(journal);
}

static void test_volumes_turn_and_chain(void)
{
    fresh_path();
    pos_journal *journal = opened(SMALL);
    commit_range(journal, 1, 6000, 100);
    pos_journal_facts facts;
    pos_journal_facts_read(journal, &facts);
    CHECK(facts.volumes > 4);
    CHECK(facts.pages == 60);
    CHECK(facts.last_sequence == 6000 && facts.durable_sequence == 6000);
    check_all(journal, 6000);
    pos_journal_close(journal);
    journal = opened(SMALL);
    commit_range(journal, 6001, 6100, 10);
    check_all(journal, 6100);
    pos_journal_close(journal);
    journal = opened(READER);
    pos_journal_facts_read(journal, &facts);
    CHECK(facts.pages == 70);
    check_all(journal, 6100);
    pos_journal_close(journal);
}

static uint64_t blocks_of(uint32_t number)
{
    char name[POS_PATH_MAX];
    struct stat facts;
    CHECK(pos_volume_path(name, path, number, ".mdb"));
    if (stat(name, &facts) != 0) return 0;
    CHECK((uint64_t)facts.st_size == SMALL_VOLUME);
    return (uint64_t)facts.st_blocks * 512;
}

static void test_every_volume_is_whole_before_its_first_page(void)
{
    fresh_path();
    pos_journal *journal = opened(SMALL);
    CHECK(blocks_of(1) >= SMALL_VOLUME);
    uint64_t sequence = 0;
    pos_journal_facts facts;
    do {
        sequence += 20;
        commit_range(journal, sequence - 19, sequence, 20);
        pos_journal_facts_read(journal, &facts);
        CHECK(blocks_of((uint32_t)facts.volumes) >= SMALL_VOLUME);
    } while (facts.volumes < 3);
    pos_journal_close(journal);
}

/* In a volume that is large beside its pages, the next one is made bit by bit from half on, and is
 * whole long before it is needed. */
static void test_the_next_volume_is_made_ahead_and_bit_by_bit(void)
{
    fresh_path();
    const pos_journal_options options = {.volume_size_max = 4U << 20, .page_size_max = 64U << 10};
    pos_journal *journal = opened(options);
    char making[POS_PATH_MAX];
    char made[POS_PATH_MAX];
    CHECK(pos_volume_path(making, path, 2, ".making") && pos_volume_path(made, path, 2, ".mdb"));
    struct stat facts;
    uint64_t sequence = 0;
    unsigned steps = 0;
    pos_journal_facts state;
    do {
        sequence += 20;
        commit_range(journal, sequence - 19, sequence, 20);
        pos_journal_facts_read(journal, &state);
        if (stat(making, &facts) == 0) {
            steps++;
            CHECK(state.free_bytes <= 2U << 20);
        }
    } while (stat(made, &facts) != 0);
    CHECK(steps >= 2);
    CHECK(facts.st_size == 4 << 20 && facts.st_blocks * 512 >= 4 << 20);
    CHECK(state.volumes == 1 && state.free_bytes >= 1U << 20);
    while (state.volumes == 1) {
        sequence += 20;
        commit_range(journal, sequence - 19, sequence, 20);
        pos_journal_facts_read(journal, &state);
    }
    check_all(journal, sequence);
    pos_journal_close(journal);
}

static void test_a_full_journal_admits_nothing_and_keeps_what_it_admitted(void)
{
    fresh_path();
    pos_journal_options tiny = {.volume_size_max = 256 * 1024, .volumes_max = 1};
    pos_journal *journal = opened(tiny);
    uint64_t sequence = 0;
    while (pos_journal_has_room(journal, 512)) {
        CHECK(stage(journal, ++sequence) == POS_OK);
        if (sequence % 5 == 0) CHECK(pos_journal_commit(journal, NULL) == POS_OK);
        CHECK(sequence < 10000);
    }
    CHECK(sequence > 20);
    CHECK(stage(journal, sequence + 1) == POS_JOURNAL_FULL);
    CHECK(pos_journal_commit(journal, NULL) == POS_OK); /* what was admitted is written */
    CHECK(!pos_journal_is_in_doubt(journal));
    CHECK(!pos_journal_has_room(journal, 512));
    check_all(journal, sequence);
    pos_journal_close(journal);
    tiny.volumes_max = 0; /* and with leave to make another volume it goes on */
    journal = opened(tiny);
    commit_range(journal, sequence + 1, sequence + 100, 10);
    check_all(journal, sequence + 100);
    pos_journal_close(journal);
}

static void test_a_full_stage_says_commit_first(void)
{
    fresh_path();
    pos_journal_options options = SMALL;
    options.page_entries_max = 8;
    pos_journal *journal = opened(options);
    for (uint64_t sequence = 1; sequence <= 8; sequence++) CHECK(stage(journal, sequence) == POS_OK);
    CHECK(!pos_journal_has_room(journal, 1));
    CHECK(stage(journal, 9) == POS_STAGE_FULL);
    CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    CHECK(stage(journal, 9) == POS_OK);
    static uint8_t huge[1 << 20];
    pos_entry entry = {.request = huge, .request_size = sizeof huge};
    CHECK(pos_journal_stage(journal, &entry) == POS_ENTRY_OVERSIZE);
    entry = (pos_entry){.outcome = 200};
    CHECK(pos_journal_stage(journal, &entry) == POS_ENTRY_FORM);
    pos_journal_close(journal);
}

static void test_the_stored_value_fills_whole_lmdb_pages_at_every_size(void)
{
    static uint8_t value[1 << 20];
    static uint8_t heap[1 << 16];
    static pos_entry rows[300];
    for (uint32_t count = 1; count < 300; count += 1 + count / 3) {
        for (size_t heap_size = 0; heap_size < sizeof heap; heap_size += 1 + heap_size / 2) {
            memset(rows, 0, sizeof rows);
            rows[count - 1].request_size = (uint32_t)heap_size;
            const size_t size = pos_page_value_size(count, heap_size, false);
            CHECK((size + 16) % 4096 == 0 && size >= 4080);
            CHECK(pos_page_size_bound(count, heap_size) + 4095 >= size + 16);
            memset(value, 0xee, sizeof value);
            const pos_page_facts facts = {.first_sequence = 1};
            memset(heap, 0xee, heap_size);
            pos_page_encode(value, size, &facts, rows, count, heap, heap_size);
            CHECK(value[size] == 0xee);
            pos_page page;
            CHECK(pos_page_read(value, size, &page, NULL) == POS_OK);
            CHECK(pos_page_check(&page, NULL) == POS_OK);
            /* No byte of what was there before is left: every 0xee is the heap's. */
            size_t left = 0;
            for (size_t index = 240; index < size; index++) left += value[index] == 0xee ? 1 : 0;
            CHECK(left <= heap_size + 8);
            size_t tail = 0;
            for (size_t index = size; index > 0 && value[index - 1] == 0; index--) tail++;
            CHECK(heap_size == 0 || tail < 4096);
        }
    }
}

/* Every single bit of a page changed: its sums say so; and whatever passes for form is read through
 * without a step outside (the sanitizers watch: the copy is of exactly the value's size). */
static void test_every_changed_byte_is_refused_and_harmless(void)
{
    static uint8_t heap[512];
    pos_entry rows[3];
    pos_page_facts facts = {.first_sequence = 7, .business_date = 20261121};
    uint8_t all[1536];
    size_t heap_size = 0;
    for (uint32_t row = 0; row < 3; row++) {
        rows[row] = entry_of(7 + row, heap);
        memcpy(all + heap_size, heap, rows[row].request_size + rows[row].answer_size);
        heap_size += rows[row].request_size + rows[row].answer_size;
    }
    const size_t size = pos_page_value_size(3, heap_size, false);
    uint8_t *value = malloc(size);
    pos_page_encode(value, size, &facts, rows, 3, all, heap_size);
    size_t formed = 0;
    for (size_t at = 0; at < size; at++) {
        static const uint8_t CHANGES[] = {0x01, 0x80, 0xff};
        for (size_t change = 0; change < sizeof CHANGES; change++) {
            value[at] ^= CHANGES[change];
            pos_page page;
            const pos_status status = pos_page_read(value, size, &page, NULL);
            if (status == POS_OK) {
                formed++;
                CHECK(pos_page_check(&page, NULL) == POS_JOURNAL_CORRUPT);
                for (uint32_t row = 0; row < page.count; row++) {
                    pos_entry entry;
                    if (pos_page_entry(&page, row, &entry) != POS_OK) continue;
                    volatile uint8_t sum = 0;
                    for (uint32_t byte = 0; byte < entry.request_size; byte++) {
                        sum = (uint8_t)(sum + entry.request[byte]);
                    }
                    for (uint32_t byte = 0; byte < entry.answer_size; byte++) {
                        sum = (uint8_t)(sum + entry.answer[byte]);
                    }
                }
            }
            value[at] ^= CHANGES[change];
        }
    }
    CHECK(formed > size); /* most bytes are content: their change is for the sums to find */
    for (size_t shorter = 0; shorter < size; shorter += 16) {
        pos_page page;
        uint8_t *cut = malloc(shorter + 1);
        memcpy(cut, value, shorter);
        CHECK(pos_page_read(cut, shorter, &page, NULL) == POS_JOURNAL_CORRUPT);
        free(cut);
    }
    free(value);
}

/* A page with entry 9 alone; freed by who asks. */
static uint8_t *page_of_nine(size_t *size_out)
{
    uint8_t heap[512];
    const pos_entry row = entry_of(9, heap);
    const size_t heap_size = row.request_size + row.answer_size;
    const size_t size = pos_page_value_size(1, heap_size, false);
    const pos_page_facts facts = {.first_sequence = 9};
    uint8_t *value = malloc(size);
    pos_page_encode(value, size, &facts, &row, 1, heap, heap_size);
    *size_out = size;
    return value;
}

static void seal_again(uint8_t *value, size_t size)
{
    uint8_t halves[64];
    pos_sha256(value + 48, size / 2 + 8, halves);
    pos_sha256(value + 56 + size / 2, size / 2 - 56, halves + 32);
    pos_sha256(halves, sizeof halves, value + 16);
    if (value[48] == 1) pos_sha256(value + 48, size - 48, value + 16);
    pos_store_u32_le(value + 8, pos_crc32c(0, value + 12, size - 12));
}

/* Pages of other builds: columns in another order, one that this build does not know, one missing. */
static void test_columns_are_found_by_name(void)
{
    size_t size = 0;
    uint8_t *value = page_of_nine(&size);
    uint8_t other[24];
    memcpy(other, value + 240 + 3 * 24, 24); /* two change places */
    memcpy(value + 240 + 3 * 24, value + 240 + 30 * 24, 24);
    memcpy(value + 240 + 30 * 24, other, 24);
    seal_again(value, size);
    pos_page page;
    pos_entry entry;
    CHECK(pos_page_read(value, size, &page, NULL) == POS_OK && !page.is_usual);
    CHECK(pos_page_check(&page, NULL) == POS_OK);
    CHECK(pos_page_entry(&page, 0, &entry) == POS_OK);
    check_entry(&entry, 9);

    value[240 + 8 * 24] = 'z'; /* "batch" is "zatch": known to nobody, and batch is missing */
    value[240 + 28 * 24] = 'z'; /* so is "tid" */
    seal_again(value, size);
    CHECK(pos_page_read(value, size, &page, NULL) == POS_OK);
    CHECK(pos_page_entry(&page, 0, &entry) == POS_OK);
    CHECK(entry.batch == 0 && memcmp(entry.tid, "        ", 8) == 0);
    uint8_t heap[512];
    const pos_entry row = entry_of(9, heap);
    CHECK(entry.stan == row.stan && memcmp(entry.mid, row.mid, 15) == 0);
    pos_column column;
    CHECK(pos_page_column_named(&page, "batch", &column) == POS_OK && column.data == NULL);
    CHECK(pos_page_column_named(&page, "zatch", &column) == POS_ARGUMENT);

    value[240 + 7 * 24 + 18] = 2; /* "stan" of another width is of another format */
    value[240 + 7 * 24 + 16] = POS_COLUMN_U16;
    seal_again(value, size);
    CHECK(pos_page_read(value, size, &page, NULL) == POS_OK);
    CHECK(pos_page_entry(&page, 0, &entry) == POS_JOURNAL_FORMAT);
    free(value);
}

/* A version says how its page was summed, and is summed itself: none passes for another. */
static void test_a_page_is_summed_by_its_version(void)
{
    size_t size = 0;
    uint8_t *value = page_of_nine(&size);
    pos_page page;
    for (uint8_t version = 0; version < 4; version++) {
        value[48] = version; /* one that is not known is not guessed at */
        seal_again(value, size);
        const bool is_known = version == 1 || version == 2;
        CHECK(pos_page_read(value, size, &page, NULL) == (is_known ? POS_OK : POS_JOURNAL_FORMAT));
        if (!is_known) continue;
        CHECK(pos_page_check(&page, NULL) == POS_OK);
        pos_entry entry;
        CHECK(pos_page_entry(&page, 0, &entry) == POS_OK);
        check_entry(&entry, 9);
        for (size_t at = 48; at < size; at += 61) { /* every part is under it, by the digest alone */
            value[at] ^= 0x10;
            pos_store_u32_le(value + 8, pos_crc32c(0, value + 12, size - 12));
            const bool is_form = pos_page_read(value, size, &page, NULL) == POS_OK;
            CHECK(!is_form || pos_page_check(&page, NULL) == POS_JOURNAL_CORRUPT);
            value[at] ^= 0x10;
        }
    }
    free(value);
}

/* Two threads: one stages and turns over, the other writes, as the engine does. */
typedef struct two_threads {
    pos_journal *journal;
    _Atomic bool is_done;
} two_threads;

static void *journal_thread(void *context)
{
    two_threads *both = context;
    bool is_last = false;
    while (!is_last) {
        is_last = both->is_done;
        CHECK(pos_journal_write(both->journal, is_last) == POS_OK);
    }
    return NULL;
}

static void test_staging_goes_on_while_a_page_is_written(void)
{
    fresh_path();
    pos_journal_options options = SMALL;
    options.page_entries_max = 64;
    two_threads both = {.journal = opened(options)};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, journal_thread, &both) == 0);
    uint64_t sequence = 0;
    while (sequence < 5000) {
        uint8_t heap[512];
        if (pos_journal_has_room(both.journal, sizeof heap)) {
            CHECK(stage(both.journal, ++sequence) == POS_OK);
            pos_entry entry;
            const uint64_t some = sequence - sequence % 97;
            if (some > 0) {
                CHECK(pos_journal_entry(both.journal, some, &entry) == POS_OK);
                check_entry(&entry, some);
            }
        }
        if (sequence % 7 == 0 || !pos_journal_has_room(both.journal, sizeof heap)) {
            (void)pos_journal_turn_over(both.journal);
        }
        CHECK(pos_journal_durable(both.journal) <= sequence);
    }
    while (pos_journal_staged_count(both.journal) > 0) (void)pos_journal_turn_over(both.journal);
    both.is_done = true;
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pos_journal_durable(both.journal) == 5000);
    check_all(both.journal, 5000);
    pos_journal_close(both.journal);
}

static void test_entries_are_found(void)
{
    fresh_path();
    pos_journal *journal = opened(SMALL);
    commit_range(journal, 1, 3000, 50);
    uint64_t sequence = 0;
    CHECK(pos_journal_find_rrn(journal, "000000001234", &sequence) == POS_OK);
    CHECK(sequence == 1234);
    CHECK(pos_journal_find_rrn(journal, "000000003001", &sequence) == POS_ENTRY_ABSENT);
    CHECK(pos_journal_find_rrn(journal, "010000001234", &sequence) == POS_ENTRY_ABSENT);
    CHECK(pos_journal_find_rrn(journal, "ABCDEFGHIJKL", &sequence) == POS_ENTRY_ABSENT);
    /* Terminal s % 7 and STAN s % 1000: the newest of all, then the one 7,000 / 1,000 pages before. */
    CHECK(pos_journal_find_stan(journal, "T0000001", 500, 0, &sequence) == POS_ENTRY_ABSENT
          || sequence % 1000 == 500);
    char tid[9] = "T0000000";
    tid[7] = (char)('0' + 2500 % 7);
    CHECK(pos_journal_find_stan(journal, tid, 500, 0, &sequence) == POS_OK && sequence == 2500);
    CHECK(pos_journal_find_stan(journal, tid, 500, 2501, &sequence) == POS_OK && sequence == 2500);
    CHECK(pos_journal_find_stan(journal, tid, 500, 2500, &sequence) == POS_ENTRY_ABSENT);
    pos_journal_close(journal);
}

static void test_business_dates_change_at_the_cutover(void)
{
    const int64_t noon = 1795262400000000000; /* 2026-11-21 12:00:00 UTC */
    const int64_t hour = 3600000000000;
    CHECK(pos_business_date(noon, 0, 0) == 20261121);
    CHECK(pos_business_date(noon + 12 * hour - 1, 0, 0) == 20261121);
    CHECK(pos_business_date(noon + 12 * hour, 0, 0) == 20261122);
    CHECK(pos_business_date(noon + 4 * hour, 480, 0) == 20261122); /* 00:00 in China */
    CHECK(pos_business_date(noon + 4 * hour - 1, 480, 0) == 20261121);
    CHECK(pos_business_date(noon + 11 * hour, 0, 1380) == 20261122); /* 23:00 begins tomorrow */
    CHECK(pos_business_date(noon + 11 * hour - 1, 0, 1380) == 20261121);
    CHECK(pos_business_date(noon + 13 * hour, 0, 120) == 20261121); /* 01:00 is still yesterday */
    CHECK(pos_business_date(noon + 14 * hour, 0, 120) == 20261122);
    CHECK(pos_business_date(-1, 0, 0) == 19691231);
}

static void test_a_new_date_turns_page_and_volume_and_never_goes_back(void)
{
    fresh_path();
    pos_journal *journal = opened(SMALL);
    const int64_t day = 86400000000000;
    const int64_t days[] = {0, 0, 1, 1, 0, 2, 1, 9};
    const int32_t dates[] = {20261121, 20261121, 20261122, 20261122,
                             20261122, 20261123, 20261123, 20261130};
    for (int index = 0; index < 8; index++) {
        pos_entry entry = {.received_at_ns = 1795262400000000000 + days[index] * day};
        CHECK(pos_journal_has_room(journal, 0));
        CHECK(pos_journal_stage(journal, &entry) == POS_OK);
        if (index == 2) {
            CHECK(pos_journal_turn_over(journal)); /* tells of the page that the date sealed */
            CHECK(!pos_journal_turn_over(journal));
            CHECK(pos_journal_write(journal, false) == POS_OK);
        }
        if (index % 3 == 1) CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    }
    CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    for (uint64_t sequence = 1; sequence <= 8; sequence++) {
        pos_page page;
        CHECK(pos_journal_page(journal, sequence, &page) == POS_OK);
        CHECK(page.business_date == dates[sequence - 1]);
    }
    pos_journal_facts facts;
    pos_journal_facts_read(journal, &facts);
    CHECK(facts.volumes == 4);
    pos_verdict verdict;
    CHECK(pos_journal_verify(journal, NULL, NULL, &verdict) == POS_OK && verdict.status == POS_OK);
    pos_journal_close(journal);
}

static void test_one_writer_and_one_environment_a_process(void)
{
    fresh_path();
    pos_journal *journal = opened(SMALL);
    commit_range(journal, 1, 5, 5);
    pos_journal *other = NULL;
    CHECK(pos_journal_open(path, &SMALL, &other) == POS_JOURNAL_BUSY);
    CHECK(pos_journal_open(path, &READER, &other) == POS_JOURNAL_BUSY);
    const pid_t child = fork();
    if (child == 0) {
        /* The parent's journal is dead here; a reader of our own is not. */
        pos_entry entry;
        int wrong = 0;
        if (pos_journal_entry(journal, 1, &entry) != POS_JOURNAL_BUSY) wrong |= 1;
        if (stage(journal, 6) != POS_JOURNAL_BUSY) wrong |= 2;
        if (pos_journal_commit(journal, NULL) != POS_JOURNAL_BUSY) wrong |= 4;
        pos_journal_close(journal);
        if (pos_journal_open(path, &READER, &other) != POS_OK) wrong |= 8;
        else if (pos_journal_entry(other, 5, &entry) != POS_OK) wrong |= 16;
        pos_journal_close(other);
        if (pos_journal_open(path, &SMALL, &other) != POS_JOURNAL_BUSY) wrong |= 32;
        _exit(wrong);
    }
    int outcome = 0;
    CHECK(waitpid(child, &outcome, 0) == child);
    CHECK(WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0);
    commit_range(journal, 6, 10, 5);
    check_all(journal, 10);
    pos_journal_close(journal);
}

static void test_what_is_no_journal_is_refused_in_words(void)
{
    fresh_path();
    pos_journal *journal = NULL;
    char words[POS_JOURNAL_WORDS];
    CHECK(pos_journal_open_told(path, &READER, &journal, words) == POS_JOURNAL_ABSENT);
    CHECK(words[0] != '\0');
    pos_journal_options wrong = {.volume_size_max = 4096};
    CHECK(pos_journal_open(path, &wrong, &journal) == POS_ARGUMENT);
    journal = opened(SMALL);
    commit_range(journal, 1, 10, 5);
    pos_journal_close(journal);
    char name[256];
    (void)snprintf(name, sizeof name, "%s/meta", path);
    const int file = open(name, O_RDWR);
    CHECK(pwrite(file, "x", 1, 40) == 1);
    CHECK(pos_journal_open_told(path, &SMALL, &journal, words) == POS_JOURNAL_FORMAT);
    CHECK(close(file) == 0 && unlink(name) == 0);
    /* Volumes with pages and no meta: never silently begun anew. */
    CHECK(pos_journal_open_told(path, &SMALL, &journal, words) == POS_JOURNAL_FORMAT);
    CHECK(strstr(words, "no meta") != NULL);
}

static void test_a_lost_tail_is_refused(void)
{
    fresh_path();
    pos_journal *journal = opened(SMALL);
    commit_range(journal, 1, 10, 5);
    pos_journal_close(journal);
    char name[256];
    (void)snprintf(name, sizeof name, "%s/published", path);
    const int file = open(name, O_RDWR);
    const uint64_t more = 11;
    CHECK(pwrite(file, &more, 8, 32) == 8 && close(file) == 0);
    char words[POS_JOURNAL_WORDS];
    CHECK(pos_journal_open_told(path, &SMALL, &journal, words) == POS_JOURNAL_CORRUPT);
    CHECK(strstr(words, "lost") != NULL);
    journal = opened(READER);
    pos_verdict verdict;
    CHECK(pos_journal_verify(journal, NULL, NULL, &verdict) == POS_OK);
    CHECK(verdict.status == POS_JOURNAL_CORRUPT && verdict.first_bad_sequence == 11);
    pos_journal_close(journal);
}

static void test_a_snapshot_is_a_journal_of_its_own(void)
{
    fresh_path();
    pos_journal *journal = opened(SMALL);
    commit_range(journal, 1, 3000, 50);
    CHECK(stage(journal, 3001) == POS_OK); /* not committed: not in the copy */
    char target[160];
    (void)snprintf(target, sizeof target, "%s-copy", path);
    CHECK(pos_journal_snapshot(journal, target) == POS_OK);
    CHECK(pos_journal_snapshot(journal, target) == POS_ARGUMENT);
    CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    pos_journal_facts facts;
    pos_journal_facts_read(journal, &facts);
    pos_journal_close(journal);
    (void)memcpy(path, target, strlen(target) + 1);
    journal = opened(READER);
    check_all(journal, 3000);
    pos_journal_facts copied;
    pos_journal_facts_read(journal, &copied);
    CHECK(memcmp(facts.journal_id, copied.journal_id, 16) != 0);
    pos_journal_close(journal);
    journal = opened(SMALL);
    CHECK(copied.volumes + 1 >= facts.volumes); /* the same volumes, but for a next one ready */
    commit_range(journal, 3001, 4000, 50);
    check_all(journal, 4000);
    pos_journal_close(journal);
}

static void test_old_volumes_may_be_dropped(void)
{
    fresh_path();
    pos_journal *journal = opened(SMALL);
    commit_range(journal, 1, 4000, 50);
    pos_journal_close(journal);
    for (uint32_t number = 1; number <= 3; number++) {
        char name[POS_PATH_MAX];
        CHECK(pos_volume_path(name, path, number, ".mdb"));
        CHECK(unlink(name) == 0);
        if (number == 2) continue;
        for (int way = 0; way < 2; way++) {
            journal = opened(way == 0 ? READER : SMALL);
            pos_page page;
            CHECK(pos_journal_page(journal, 1, &page) == POS_OK);
            CHECK(page.first_sequence > 1);
            const uint64_t first = page.first_sequence;
            CHECK(pos_journal_page(journal, first, &page) == POS_OK && page.first_sequence == first);
            pos_entry entry;
            CHECK(pos_journal_entry(journal, first - 1, &entry) == POS_ENTRY_ABSENT);
            CHECK(pos_journal_entry(journal, first, &entry) == POS_OK);
            check_entry(&entry, first);
            uint64_t sequence = 0;
            CHECK(pos_journal_find_rrn(journal, "000000000001", &sequence) == POS_ENTRY_ABSENT);
            CHECK(pos_journal_find_rrn(journal, "000000004000", &sequence) == POS_OK);
            pos_verdict verdict;
            CHECK(pos_journal_verify(journal, NULL, NULL, &verdict) == POS_OK);
            CHECK(verdict.status == POS_OK && verdict.entries == 4000 - first + 1);
            pos_journal_close(journal);
        }
    }
    /* A hole in the middle is no retention: it is refused. */
    char name[POS_PATH_MAX];
    CHECK(pos_volume_path(name, path, 5, ".mdb") && unlink(name) == 0);
    CHECK(pos_journal_open(path, &SMALL, &journal) == POS_JOURNAL_ABSENT);
}

int main(void)
{
    (void)snprintf(home, sizeof home, "/tmp/posengine-journal-XXXXXX");
    CHECK(mkdtemp(home) != NULL);
    test_what_is_committed_is_read_back_after_reopening(POS_DURABLE_LATE);
    test_what_is_committed_is_read_back_after_reopening(POS_DURABLE_FULL);
    test_a_writer_sees_what_it_staged();
    test_a_page_is_durable_when_its_commit_returns(POS_DURABLE_LATE);
    test_a_page_is_durable_when_its_commit_returns(POS_DURABLE_FULL);
    test_a_page_header_tells_when_the_pages_before_were_durable_and_sent();
    test_volumes_turn_and_chain();
    test_every_volume_is_whole_before_its_first_page();
    test_the_next_volume_is_made_ahead_and_bit_by_bit();
    test_a_full_journal_admits_nothing_and_keeps_what_it_admitted();
    test_a_full_stage_says_commit_first();
    test_the_stored_value_fills_whole_lmdb_pages_at_every_size();
    test_every_changed_byte_is_refused_and_harmless();
    test_columns_are_found_by_name();
    test_a_page_is_summed_by_its_version();
    test_staging_goes_on_while_a_page_is_written();
    test_entries_are_found();
    test_business_dates_change_at_the_cutover();
    test_a_new_date_turns_page_and_volume_and_never_goes_back();
    test_one_writer_and_one_environment_a_process();
    test_what_is_no_journal_is_refused_in_words();
    test_a_lost_tail_is_refused();
    test_a_snapshot_is_a_journal_of_its_own();
    test_old_volumes_may_be_dropped();
    char remove[96];
    (void)snprintf(remove, sizeof remove, "rm -rf %s", home);
    return system(remove) == 0 ? 0 : 1;
}
