/*
 * Goal: a page assembled by blocks of rows is, byte for byte, the page that the obvious way writes.
 * Method: the obvious way is here: a table of columns of its own, one value copied after the other,
 * sums a bit at a time and in portable rounds. Every count from 1 to 70 (blocks have 16 rows), counts
 * about the powers of two, the largest page; rows of random bytes; heaps of all sizes, one row's alone.
 */
#include "check.h"
#include "journal/form.h"
#include "mac/mac.h"
#include "mac/sha256.h"

static uint64_t seed = 20261122;

static uint64_t dice(void)
{
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return seed >> 20;
}

/* ---- the obvious way ----------------------------------------------------------------------------- */
typedef struct column {
    const char *name;
    unsigned type;
    size_t width;
    size_t row; /* offset in an entry; 0 is the sequence's, which is no column: heap_offset */
} column;

#define AT(member) sizeof((pos_entry *)0)->member, offsetof(pos_entry, member)
static const column COLUMNS[] = {
    {"received_at", 1, AT(received_at_ns)}, {"terminal_at", 1, AT(terminal_at_ns)},
    {"amount", 1, AT(amount_minor)},        {"original", 2, AT(original)},
    {"staged_after", 3, AT(staged_after_us)}, {"flags", 3, AT(flags)},
    {"processing", 3, AT(processing)},      {"stan", 3, AT(stan)},
    {"batch", 3, AT(batch)},                {"original_batch", 3, AT(original_batch)},
    {"original_stan", 3, AT(original_stan)}, {"bin", 3, AT(bin)},
    {"line", 3, AT(line)},                  {"heap_offset", 3, 4, 0},
    {"request_size", 3, AT(request_size)},  {"answer_size", 3, AT(answer_size)},
    {"last4", 4, AT(last4)},                {"mti", 4, AT(mti)},
    {"currency", 4, AT(currency)},          {"entry_mode", 4, AT(entry_mode)},
    {"network", 4, AT(network)},            {"kind", 5, AT(kind)},
    {"outcome", 5, AT(outcome)},            {"type", 5, AT(type)},
    {"condition", 5, AT(condition)},        {"requirement", 5, AT(requirement)},
    {"response", 6, AT(response)},          {"reason", 6, AT(reason)},
    {"tid", 6, AT(tid)},                    {"mid", 6, AT(mid)},
    {"rrn", 6, AT(rrn)},                    {"original_rrn", 6, AT(original_rrn)},
    {"auth", 6, AT(auth)},                  {"operator", 6, AT(operator_id)},
    {"pan_token", 7, AT(pan_token)},        {"fingerprint", 7, AT(fingerprint)},
    {"why", 5, AT(why)},
    {"pan_cipher", 7, 16, SIZE_MAX}, /* of the facts; only where they have it */
};
#define COLUMNS_ALL (sizeof COLUMNS / sizeof COLUMNS[0])

static size_t columns_of(const pos_page_facts *facts)
{
    return facts->pan_ciphers == NULL ? COLUMNS_ALL - 1 : COLUMNS_ALL;
}

static void put(uint8_t *at, uint64_t number, size_t width)
{
    for (size_t byte = 0; byte < width; byte++) at[byte] = (uint8_t)(number >> (8 * byte));
}

static size_t next_place(size_t offset)
{
    while (offset % 64 != 48) offset++;
    return offset;
}

static void slow_digest(const uint8_t *data, size_t size, uint8_t digest_out[32])
{
    uint32_t words[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint8_t tail[128] = {0};
    pos_sha256_blocks_portable(words, data, size / 64);
    const size_t held = size % 64;
    memcpy(tail, data + size - held, held);
    tail[held] = 0x80;
    const size_t tail_size = held < 56 ? 64 : 128;
    for (size_t byte = 0; byte < 8; byte++) {
        tail[tail_size - 1 - byte] = (uint8_t)((uint64_t)size * 8 >> (8 * byte));
    }
    pos_sha256_blocks_portable(words, tail, tail_size / 64);
    for (size_t word = 0; word < 8; word++) {
        for (size_t byte = 0; byte < 4; byte++) {
            digest_out[4 * word + byte] = (uint8_t)(words[word] >> (24 - 8 * byte));
        }
    }
}

static void slow_header(uint8_t *value, size_t size, const pos_page_facts *facts, uint32_t count,
                        size_t heap_at, size_t heap_size)
{
    memcpy(value, "POSPAGE\n", 8);
    put(value + 48, 2, 4);
    put(value + 52, columns_of(facts), 4);
    put(value + 56, size, 8);
    put(value + 64, facts->first_sequence, 8);
    put(value + 72, count, 4);
    put(value + 76, (uint64_t)(uint32_t)facts->business_date, 4);
    put(value + 80, (uint64_t)facts->staged_at_ns, 8);
    put(value + 88, (uint64_t)facts->committed_at_ns, 8);
    put(value + 96, facts->durable_before, 8);
    put(value + 104, (uint64_t)facts->durable_at_ns, 8);
    put(value + 112, (uint64_t)facts->sent_at_ns, 8);
    put(value + 120, 240, 4);
    put(value + 124, heap_at, 4);
    put(value + 128, heap_size, 4);
    memcpy(value + 144, facts->digest_before, 32);
    memcpy(value + 176, &facts->under, 64);
}

/* A value of this size at `value`; returns the size. */
static size_t slow_page(uint8_t *value, const pos_page_facts *facts, const pos_entry *rows,
                        uint32_t count, const uint8_t *heap, size_t heap_size)
{
    const size_t columns = columns_of(facts);
    size_t heap_at = next_place(240 + 24 * columns);
    for (size_t index = 0; index < columns; index++) {
        heap_at = next_place(heap_at + count * COLUMNS[index].width);
    }
    size_t size = 4080;
    while (size < heap_at + heap_size) size += 4096;
    memset(value, 0, size);
    slow_header(value, size, facts, count, heap_at, heap_size);
    size_t offset = next_place(240 + 24 * columns);
    for (size_t index = 0; index < columns; index++) {
        const column *form = &COLUMNS[index];
        uint8_t *entry = value + 240 + 24 * index;
        memcpy(entry, form->name, strlen(form->name));
        entry[16] = (uint8_t)form->type;
        put(entry + 18, form->width, 2);
        put(entry + 20, offset, 4);
        uint64_t heap_offset = 0;
        for (uint32_t row = 0; row < count; row++) {
            uint8_t *at = value + offset + row * form->width;
            if (form->row == 0) put(at, heap_offset, 4);
            else if (form->row == SIZE_MAX) memcpy(at, facts->pan_ciphers + 16 * row, 16);
            else memcpy(at, (const uint8_t *)&rows[row] + form->row, form->width);
            heap_offset += rows[row].request_size + rows[row].answer_size;
        }
        offset = next_place(offset + count * form->width);
    }
    memcpy(value + heap_at, heap, heap_size);
    uint8_t halves[64];
    slow_digest(value + 48, size / 2 + 8, halves);
    slow_digest(value + 56 + size / 2, size / 2 - 56, halves + 32);
    slow_digest(halves, sizeof halves, value + 16);
    put(value + 8, pos_crc32c_slow(0, value + 12, size - 12), 4);
    return size;
}

/* ---- both ways, beside each other ---------------------------------------------------------------- */
#define ROWS_MAX 5000
#define HEAP_MAX (3U << 20)
#define VALUE_MAX (6U << 20)
static pos_entry rows[ROWS_MAX];
static uint8_t heap[HEAP_MAX];
static uint8_t fast[VALUE_MAX + 64];
static uint8_t slow[VALUE_MAX];

static void check_same(uint32_t count, uint32_t heap_each_max)
{
    size_t heap_size = 0;
    for (uint32_t row = 0; row < count; row++) {
        uint8_t *bytes = (uint8_t *)&rows[row];
        for (size_t byte = 0; byte < sizeof rows[row]; byte++) bytes[byte] = (uint8_t)dice();
        const uint64_t left = sizeof heap - heap_size;
        const uint64_t most = heap_each_max < left ? heap_each_max : left;
        rows[row].request_size = (uint32_t)(most == 0 ? 0 : dice() % (most / 2 + 1));
        rows[row].answer_size = (uint32_t)(most == 0 ? 0 : dice() % (most / 2 + 1));
        heap_size += rows[row].request_size + rows[row].answer_size;
    }
    for (size_t byte = 0; byte < heap_size; byte++) heap[byte] = (uint8_t)dice();
    pos_page_facts facts;
    uint8_t *bytes = (uint8_t *)&facts;
    for (size_t byte = 0; byte < sizeof facts; byte++) bytes[byte] = (uint8_t)dice();
    facts.pan_ciphers = dice() % 2 == 0 ? NULL : heap; /* any bytes */

    const size_t size = slow_page(slow, &facts, rows, count, heap, heap_size);
    CHECK(size == pos_page_value_size(count, heap_size, facts.pan_ciphers != NULL));
    CHECK(size + 16 <= (pos_page_size_bound(count, heap_size) + 4095) / 4096 * 4096);
    /* Memory that held something else before, and a guard behind the end. */
    memset(fast, 0xa5, size + 64);
    pos_page_encode(fast, size, &facts, rows, count, heap, heap_size);
    CHECK(memcmp(fast, slow, size) == 0);
    for (size_t byte = 0; byte < 64; byte++) CHECK(fast[size + byte] == 0xa5);
}

int main(void)
{
    for (uint32_t count = 1; count <= 70; count++) {
        check_same(count, 0);
        check_same(count, 1);
        check_same(count, 700);
    }
    static const uint32_t COUNTS[] = {127, 128, 129, 255, 256, 257, 511, 512, 513, 1000, 4095, 4096, 4097};
    for (size_t index = 0; index < sizeof COUNTS / sizeof COUNTS[0]; index++) {
        check_same(COUNTS[index], 400);
    }
    for (uint32_t round = 0; round < 60; round++) {
        check_same((uint32_t)(1 + dice() % 600), (uint32_t)(dice() % 2000));
    }
    check_same(1, HEAP_MAX); /* one row with all of the heap */
    check_same(3, HEAP_MAX);
    check_same(ROWS_MAX, 1000);
    return 0;
}
