/*
 * Goal: an account number that the journal was told to keep comes back, digit for digit, to whoever has
 * the master key, and to nobody else; what was altered or moved is refused; no clear digit is left.
 * Method: numbers of every length through journals of all page sizes, against blocks that are made here
 * one by one; every bit of a block changed; flushes that fail.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "journal/form.h"
#include "mac/aes.h"

#define NOON_NS 1795302000000000000 /* 2026-11-22 in China */
#define DAY_NS 86400000000000
#define NUMBERS_MAX 5000

static const uint8_t MASTER[32] = "a master key of tests, 32 bytes!";
static const uint8_t OTHER[32] = "another master key of the tests!";

static char home[64];
static char path[128];
static char numbers[NUMBERS_MAX + 1][POS_PAN_SIZE]; /* by sequence; empty: none */

static _Atomic bool is_broken; /* flushes fail */

/* Before the C library's: LMDB is linked into this program. */
int fdatasync(int file)
{
    if (!atomic_load(&is_broken)) return (int)syscall(SYS_fdatasync, file);
    errno = EIO;
    return -1;
}

static void fresh_path(void)
{
    static int number;
    (void)snprintf(path, sizeof path, "%s/journal-%d", home, number++);
}

static uint32_t dice(void)
{
    static uint64_t seed = 20261122;
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(seed >> 33);
}

static pos_journal *opened(bool keep_pan, uint32_t page_entries_max)
{
    const pos_journal_options options = {.volume_size_max = 4U << 20,
                                         .page_entries_max = page_entries_max,
                                         .zone_offset_minute = 480,
                                         .keep_pan = keep_pan,
                                         .master_key = keep_pan ? MASTER : NULL};
    pos_journal *journal = NULL;
    char words[POS_JOURNAL_WORDS];
    const pos_status status = pos_journal_open_told(path, &options, &journal, words);
    if (status != POS_OK) fprintf(stderr, "%s: %s\n", pos_status_name(status), words);
    CHECK(status == POS_OK);
    return journal;
}

/* The next entry, with a number of `size` digits; 0: none. */
static uint64_t stage(pos_journal *journal, size_t size, int64_t received_at_ns)
{
    pos_entry entry = {.received_at_ns = received_at_ns, .kind = 1, .outcome = POS_OUTCOME_APPROVED};
    CHECK(pos_journal_stage(journal, &entry) == POS_OK);
    CHECK(entry.sequence <= NUMBERS_MAX);
    char *digits = numbers[entry.sequence];
    memset(digits, 0, POS_PAN_SIZE);
    for (size_t index = 0; index < size; index++) digits[index] = (char)('0' + dice() % 10);
    pos_journal_keep_pan(journal, digits, size);
    return entry.sequence;
}

static void check_all(pos_journal *journal, uint64_t last)
{
    char digits[POS_PAN_SIZE];
    for (uint64_t sequence = 1; sequence <= last; sequence++) {
        const pos_status status = pos_journal_pan(journal, sequence, MASTER, digits);
        CHECK(status == (numbers[sequence][0] == '\0' ? POS_PAN_ABSENT : POS_OK));
        if (status == POS_OK) CHECK(strcmp(digits, numbers[sequence]) == 0);
        CHECK(pos_journal_pan(journal, sequence, OTHER, digits)
              == (numbers[sequence][0] == '\0' ? POS_PAN_ABSENT : POS_PAN_SEAL));
    }
    CHECK(pos_journal_pan(journal, last + 1, MASTER, digits) == POS_ENTRY_ABSENT);
}

static bool are_forgotten(const pos_journal *journal)
{
    for (size_t buffer = 0; buffer < POS_BUFFERS; buffer++) {
        const uint8_t *blocks = journal->pans->blocks[buffer];
        for (size_t byte = 0; byte < POS_PAN_BLOCK * journal->options.page_entries_max; byte++) {
            if (blocks[byte] != 0) return false;
        }
    }
    return true;
}

/* ---- what is kept comes back ---------------------------------------------------------------------- */
static void test_every_number_comes_back_from_pages_of_every_size(void)
{
    for (uint32_t count = 1; count < 200; count += 1 + count / 12) {
        fresh_path();
        pos_journal *journal = opened(true, 256);
        uint64_t last = 0;
        for (uint32_t page = 0; page < 3; page++) {
            for (uint32_t row = 0; row < count; row++) {
                last = stage(journal, dice() % 4 == 0 ? 0 : 1 + dice() % 19, NOON_NS);
            }
            CHECK(pos_journal_commit(journal, NULL) == POS_OK);
            CHECK(are_forgotten(journal));
        }
        check_all(journal, last);
        pos_journal_close(journal);
    }
}

static void test_every_length_comes_back_after_reopening_and_from_other_dates(void)
{
    fresh_path();
    pos_journal *journal = opened(true, 64);
    uint64_t last = 0;
    for (int64_t day = 0; day < 4; day++) {
        for (size_t size = 0; size <= 19; size++) last = stage(journal, size, NOON_NS + day * DAY_NS);
        CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    }
    check_all(journal, last);
    pos_journal_close(journal);
    journal = opened(true, 4096); /* and goes on, in another journal thread's hands */
    for (size_t size = 0; size <= 19; size++) last = stage(journal, size, NOON_NS + 3 * DAY_NS);
    CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    check_all(journal, last);
    pos_journal_close(journal);
}

static void test_a_page_that_is_written_while_the_next_one_fills(void)
{
    fresh_path();
    pos_journal *journal = opened(true, 512);
    uint64_t last = 0;
    for (uint32_t row = 0; row < 300; row++) last = stage(journal, 16, NOON_NS);
    CHECK(pos_journal_turn_over(journal));
    for (uint32_t row = 0; row < 150; row++) last = stage(journal, 19, NOON_NS);
    CHECK(pos_journal_write(journal, false) == POS_OK);
    for (uint32_t row = 0; row < 150; row++) last = stage(journal, 13, NOON_NS + DAY_NS);
    CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    check_all(journal, last);
    CHECK(are_forgotten(journal));
    pos_journal_close(journal);
}

static void test_a_journal_that_keeps_none_has_no_column(void)
{
    fresh_path();
    pos_journal *journal = opened(false, 64);
    (void)stage(journal, 16, NOON_NS);
    CHECK(journal->pans == NULL);
    CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    char digits[POS_PAN_SIZE];
    pos_page page;
    pos_column column;
    CHECK(pos_journal_page(journal, 1, &page) == POS_OK && page.is_usual);
    CHECK(pos_page_column_named(&page, "pan_cipher", &column) == POS_OK && column.data == NULL);
    CHECK(pos_journal_pan(journal, 1, MASTER, digits) == POS_PAN_NOT_KEPT);
    pos_journal_close(journal);
    journal = opened(true, 64); /* the setting may change: each page says what it has */
    (void)stage(journal, 16, NOON_NS);
    CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    CHECK(pos_journal_page(journal, 2, &page) == POS_OK && page.is_usual);
    pos_entry entry;
    CHECK(pos_page_entry(&page, 0, &entry) == POS_OK && entry.sequence == 2 && entry.kind == 1);
    CHECK(pos_journal_pan(journal, 1, MASTER, digits) == POS_PAN_NOT_KEPT);
    CHECK(pos_journal_pan(journal, 2, MASTER, digits) == POS_OK);
    CHECK(strcmp(digits, numbers[2]) == 0);
    pos_journal_close(journal);
    const pos_journal_options keyless = {.volume_size_max = 4U << 20, .keep_pan = true};
    CHECK(pos_journal_open(path, &keyless, &journal) == POS_ARGUMENT);
}

/* ---- the blocks are what the description says ----------------------------------------------------- */
/* SP 800-108 by hand: two blocks of CMAC(n ‖ label ‖ 00 ‖ context ‖ 256). */
static void derive(const uint8_t from[32], const char *label, const uint8_t *context, size_t size,
                   uint8_t key_out[32])
{
    pos_cmac_key key;
    pos_cmac_prepare_on(POS_CPU_PORTABLE, from, 32, &key);
    for (uint8_t block = 1; block <= 2; block++) {
        uint8_t input[64] = {0, 0, 0, block};
        size_t at = 4;
        memcpy(input + at, label, strlen(label) + 1);
        at += strlen(label) + 1;
        if (size > 0) memcpy(input + at, context, size);
        at += size;
        input[at + 2] = 1;
        pos_cmac(&key, input, at + 4, key_out + 16 * (block - 1));
    }
}

/* Block by block, under the key of a date. */
static void encipher(const uint8_t plain[16], int32_t date, uint8_t block_out[16])
{
    const uint8_t context[4] = {(uint8_t)(date >> 24), (uint8_t)(date >> 16), (uint8_t)(date >> 8),
                                (uint8_t)date};
    uint8_t pan_key[32];
    uint8_t date_key[32];
    pos_aes_key key;
    derive(MASTER, "posengine pan", NULL, 0, pan_key);
    derive(pan_key, "posengine pan date", context, sizeof context, date_key);
    pos_aes_prepare_on(POS_CPU_PORTABLE, date_key, 32, &key);
    pos_aes_encrypt_portable(&key, plain, block_out);
}

static void block_of(uint64_t sequence, int32_t date, uint8_t block_out[16])
{
    uint8_t plain[16];
    memset(plain, 0xff, 10);
    const char *digits = numbers[sequence];
    for (size_t index = 0; digits[index] != '\0'; index++) {
        const uint8_t digit = (uint8_t)(digits[index] - '0');
        const uint8_t kept = index % 2 == 0 ? 0x0f : 0xf0;
        plain[index / 2] &= kept;
        plain[index / 2] |= (uint8_t)(index % 2 == 0 ? digit << 4 : digit);
    }
    for (size_t byte = 0; byte < 6; byte++) plain[10 + byte] = (uint8_t)(sequence >> (40 - 8 * byte));
    encipher(plain, date, block_out);
}

static void test_the_column_is_made_of_the_described_blocks(void)
{
    fresh_path();
    pos_journal *journal = opened(true, 256);
    uint64_t last = 0;
    for (int64_t day = 0; day < 3; day++) {
        for (uint32_t row = 0; row < 130; row++) {
            last = stage(journal, dice() % 3 == 0 ? 0 : 8 + dice() % 12, NOON_NS + day * DAY_NS);
        }
        CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    }
    static const uint8_t NONE[16];
    for (uint64_t sequence = 1; sequence <= last; sequence++) {
        pos_page page;
        pos_column column;
        uint8_t wanted[16];
        CHECK(pos_journal_page(journal, sequence, &page) == POS_OK);
        CHECK(page.business_date == 20261122 + (int32_t)((sequence - 1) / 130));
        CHECK(pos_page_column_named(&page, "pan_cipher", &column) == POS_OK && column.width == 16);
        block_of(sequence, page.business_date, wanted);
        const uint8_t *found = column.data + 16 * (sequence - page.first_sequence);
        CHECK(memcmp(found, numbers[sequence][0] == '\0' ? NONE : wanted, 16) == 0);
    }
    pos_journal_close(journal);
}

/* ---- what is not as it was written is refused ----------------------------------------------------- */
static void test_an_altered_or_moved_block_is_refused(void)
{
    fresh_path();
    pos_journal *journal = opened(true, 64);
    for (size_t size = 8; size <= 19; size++) (void)stage(journal, size, NOON_NS);
    CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    pos_page page;
    CHECK(pos_journal_page(journal, 1, &page) == POS_OK);
    uint8_t *value = malloc(page.size);
    memcpy(value, page.data, page.size);
    CHECK(pos_page_read(value, page.size, &page, NULL) == POS_OK);
    pos_column column;
    CHECK(pos_page_column_named(&page, "pan_cipher", &column) == POS_OK);
    uint8_t *blocks = value + (column.data - value);
    char digits[POS_PAN_SIZE];
    for (uint32_t row = 0; row < page.count; row++) {
        for (uint32_t bit = 0; bit < 128; bit++) {
            blocks[16 * row + bit / 8] ^= (uint8_t)(1U << bit % 8);
            CHECK(pos_page_pan(&page, row, MASTER, digits) == POS_PAN_SEAL);
            blocks[16 * row + bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        CHECK(pos_page_pan(&page, row, MASTER, digits) == POS_OK);
    }
    uint8_t moved[16];
    memcpy(moved, blocks, 16); /* one of another entry, whole */
    memcpy(blocks, blocks + 16, 16);
    CHECK(pos_page_pan(&page, 0, MASTER, digits) == POS_PAN_SEAL);
    memcpy(blocks, moved, 16);
    page.business_date++; /* as if written on another date */
    CHECK(pos_page_pan(&page, 0, MASTER, digits) == POS_PAN_SEAL);
    page.business_date--;
    CHECK(pos_page_pan(&page, 0, OTHER, digits) == POS_PAN_SEAL);
    CHECK(pos_page_pan(&page, 0, MASTER, digits) == POS_OK);
    CHECK(pos_page_pan(&page, page.count, MASTER, digits) == POS_ENTRY_ABSENT);
    /* The right key and the right sequence, and no account number. */
    static const char *const FORMLESS[] = {"62220A20222002222222", "6222022022FFFFFFFFF2",
                                           "FFFFFFFFFFFFFFFFFFFF", "62220220222002222222"};
    for (size_t index = 0; index < sizeof FORMLESS / sizeof FORMLESS[0]; index++) {
        uint8_t plain[16] = {0};
        CHECK(pos_hex_to_bytes(FORMLESS[index], plain, 10));
        plain[15] = 1;
        encipher(plain, page.business_date, blocks);
        CHECK(pos_page_pan(&page, 0, MASTER, digits) == POS_PAN_SEAL);
    }
    free(value);
    pos_journal_close(journal);
}

/* ---- nothing is left ------------------------------------------------------------------------------ */
static void test_a_failed_commit_leaves_no_digits_with_the_journal_thread(void)
{
    fresh_path();
    pos_journal *journal = opened(true, 64);
    (void)stage(journal, 16, NOON_NS);
    CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    atomic_store(&is_broken, true);
    (void)stage(journal, 16, NOON_NS);
    (void)stage(journal, 19, NOON_NS);
    CHECK(pos_journal_turn_over(journal));
    CHECK(pos_journal_write(journal, true) == POS_JOURNAL_IN_DOUBT);
    CHECK(are_forgotten(journal));
    atomic_store(&is_broken, false);
    pos_journal_close(journal);

    fresh_path(); /* two pages handed over at once, by changes of date: the first one fails */
    journal = opened(true, 64);
    (void)stage(journal, 16, NOON_NS);
    (void)stage(journal, 16, NOON_NS + DAY_NS);
    (void)stage(journal, 16, NOON_NS + 2 * DAY_NS);
    (void)pos_journal_turn_over(journal);
    CHECK(atomic_load(&journal->handed) == 2);
    atomic_store(&is_broken, true);
    CHECK(pos_journal_write(journal, true) == POS_JOURNAL_IN_DOUBT);
    CHECK(atomic_load(&journal->begun) == 1);
    static const uint8_t NONE[16];
    CHECK(memcmp(journal->pans->blocks[1], NONE, 16) == 0);
    atomic_store(&is_broken, false);
    pos_journal_close(journal);

    fresh_path(); /* handed over and never begun: another thread found out first */
    journal = opened(true, 64);
    (void)stage(journal, 16, NOON_NS);
    CHECK(pos_journal_turn_over(journal));
    CHECK(!are_forgotten(journal));
    atomic_store(&journal->is_in_doubt, true);
    CHECK(pos_journal_write(journal, true) == POS_JOURNAL_IN_DOUBT);
    CHECK(are_forgotten(journal));
    pos_journal_close(journal);
}

int main(void)
{
    (void)snprintf(home, sizeof home, "/tmp/posengine-pan-XXXXXX");
    CHECK(mkdtemp(home) != NULL);
    test_every_number_comes_back_from_pages_of_every_size();
    test_every_length_comes_back_after_reopening_and_from_other_dates();
    test_a_page_that_is_written_while_the_next_one_fills();
    test_a_journal_that_keeps_none_has_no_column();
    test_the_column_is_made_of_the_described_blocks();
    test_an_altered_or_moved_block_is_refused();
    test_a_failed_commit_leaves_no_digits_with_the_journal_thread();
    char remove[96];
    (void)snprintf(remove, sizeof remove, "rm -rf %s", home);
    return system(remove) == 0 ? 0 : 1;
}
