/*
 * The roster: terminals by TID, with their merchants and master keys.
 *
 * Image (roster/image.c): magic "POSROSTR", version 1, no settings, one record a terminal, sorted
 * by TID, each TID once:
 *
 *   offset  size
 *    0       8    TID, blank padded
 *    8      15    MID, blank padded
 *   23       1    flags: 01 active, 02 locked, 04 no PIN pad, 08 test cards only
 *   24       8    kinds allowed: bit n is kind n of kind.def
 *   32       8    amount_minor_max, 0: the policy's
 *   40       2    currency, ISO 4217 numeric
 *   42       2    TPDU origin it must come from, 0: any
 *   44       4    index of the merchant
 *   48      40    merchant's name, UTF-8, zero padded
 *   88       4    check value of the TMK: known without the master key, compared with it
 *   92       1    MAC algorithm, 0: the dialect's
 *   93       1    size of the sealed TMK, 0: none (the terminal cannot sign on)
 *   94      64    the sealed TMK, zero padded: AES-256-SIV over u8 cipher (0 DES, 1 AES, 2 SM4) and
 *                 the key's bytes, with TID and MID as associated data, so that a key that was
 *                 moved to another terminal does not open
 *  158       2    zero
 */
#include "roster/roster.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#define RECORD_SIZE 160U
#define TERMINALS_MAX 4000000U /* 800 MB of terminals: past this a roster wants shards */
#define SEALED_SIZE_MAX 64U
#define SIV_SIZE 16U

struct pos_roster {
    pos_terminal *terminals;
    uint32_t *cells; /* index + 1 by hash; 0: empty */
    uint32_t mask;
    uint32_t count;
    uint8_t digest[16];
};

static uint32_t hash_of(const char tid[8])
{
    uint64_t value = pos_load_u64_le((const uint8_t *)tid) * UINT64_C(0x9e3779b97f4a7c15);
    value ^= value >> 29;
    value *= UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(value >> 32);
}

static bool text_is_printable(const uint8_t *text, size_t size)
{
    for (size_t index = 0; index < size; index++) {
        if (text[index] < 0x20 || text[index] > 0x7e) return false;
    }
    return true;
}

static pos_status key_open(const uint8_t *record, const uint8_t siv_key[64], pos_key *key_out)
{
    const uint8_t sealed_size = record[93];
    if (sealed_size == 0) return POS_OK; /* a terminal without a key: it cannot sign on */
    if (sealed_size > SEALED_SIZE_MAX || sealed_size < SIV_SIZE + 1 + 8
        || sealed_size > SIV_SIZE + 1 + POS_KEY_SIZE_MAX) {
        return POS_IMAGE_FORM;
    }
    uint8_t plain[1 + POS_KEY_SIZE_MAX];
    const pos_slice names = {.data = record, .size = 8 + 15};
    const pos_status status = pos_siv_open(siv_key, names, record + 94, sealed_size, plain);
    if (status != POS_OK) return status;
    const size_t key_size = (size_t)sealed_size - SIV_SIZE - 1;
    const pos_status verdict =
        plain[0] > POS_CIPHER_SM4
            ? POS_KEY_SIZE
            : pos_key_make(POS_KEY_TMK, (pos_cipher)plain[0], plain + 1, key_size, record + 88,
                           POS_KCV_SIZE, key_out);
    pos_wipe(plain, sizeof(plain));
    return verdict;
}

static pos_status terminal_read(const uint8_t *record, const uint8_t siv_key[64],
                                pos_terminal *terminal)
{
    const uint64_t kinds_known = (UINT64_C(1) << POS_KIND_COUNT) - 1;
    if (!text_is_printable(record, 8 + 15) || record[0] == ' ' || record[8] == ' '
        || (record[23] & ~(POS_TERMINAL_ACTIVE | POS_TERMINAL_LOCKED | POS_TERMINAL_NO_PINPAD
                           | POS_TERMINAL_TEST)) != 0
        || (pos_load_u64_le(record + 24) & ~kinds_known) != 0
        || pos_load_u64_le(record + 32) > (uint64_t)INT64_MAX
        || record[92] >= POS_MAC_ALGORITHM_COUNT || record[158] != 0 || record[159] != 0) {
        return POS_IMAGE_FORM;
    }
    pos_copy(terminal->tid, record, 8);
    pos_copy(terminal->mid, record + 8, 15);
    terminal->flags = record[23];
    terminal->kind_mask = pos_load_u64_le(record + 24);
    terminal->amount_minor_max = (int64_t)pos_load_u64_le(record + 32);
    terminal->currency = pos_load_u16_le(record + 40);
    terminal->line_nii = pos_load_u16_le(record + 42);
    terminal->merchant = pos_load_u32_le(record + 44);
    pos_copy(terminal->merchant_name, record + 48, sizeof(terminal->merchant_name));
    terminal->mac_algorithm = record[92];
    return key_open(record, siv_key, &terminal->tmk);
}

static void index_fill(pos_roster *roster)
{
    for (uint32_t index = 0; index < roster->count; index++) {
        uint32_t at = hash_of(roster->terminals[index].tid) & roster->mask;
        while (roster->cells[at] != 0) at = (at + 1) & roster->mask;
        roster->cells[at] = index + 1;
    }
}

static int tid_compare(const uint8_t *left, const uint8_t *right)
{
    for (size_t index = 0; index < 8; index++) {
        if (left[index] != right[index]) return left[index] < right[index] ? -1 : 1;
    }
    return 0;
}

static pos_status roster_fill(pos_roster *roster, const pos_image *image,
                              const uint8_t siv_key[64])
{
    for (uint32_t index = 0; index < image->count; index++) {
        const uint8_t *record = image->records + (size_t)index * RECORD_SIZE;
        if (index > 0 && tid_compare(record - RECORD_SIZE, record) >= 0) return POS_IMAGE_FORM;
        const pos_status status = terminal_read(record, siv_key, &roster->terminals[index]);
        if (status != POS_OK) return status;
    }
    index_fill(roster);
    return POS_OK;
}

/* In large pages where there are many: a message comes from any of them. */
static pos_terminal *terminals_take(uint32_t count)
{
    const size_t size = ((size_t)count + 1) * sizeof(pos_terminal);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    (void)madvise(memory, size, MADV_HUGEPAGE);
    return memory;
}

pos_status pos_roster_open(const uint8_t *image, size_t size, const uint8_t siv_key[64],
                           pos_roster **roster_out)
{
    assert(siv_key != NULL);
    assert(roster_out != NULL);
    const pos_image_form form = {.magic = "POSROSTR",
                                 .version = 1,
                                 .record_size = RECORD_SIZE,
                                 .settings_size = 0,
                                 .count_max = TERMINALS_MAX};
    pos_image opened;
    pos_status status = pos_image_open(image, size, &form, &opened);
    if (status != POS_OK) return status;

    uint32_t cells = 16;
    while (cells < 2 * opened.count) cells *= 2;
    pos_roster *roster = calloc(1, sizeof(*roster));
    if (roster == NULL) return POS_MEMORY;
    roster->terminals = terminals_take(opened.count);
    roster->cells = calloc(cells, sizeof(uint32_t));
    roster->mask = cells - 1;
    roster->count = opened.count;
    pos_copy(roster->digest, opened.digest, sizeof(roster->digest));
    status = roster->terminals == NULL || roster->cells == NULL
                 ? POS_MEMORY
                 : roster_fill(roster, &opened, siv_key);
    if (status != POS_OK) {
        pos_roster_close(roster);
        return status;
    }
    *roster_out = roster;
    return POS_OK;
}

void pos_roster_close(pos_roster *roster)
{
    if (roster == NULL) return;
    if (roster->terminals != NULL) {
        const size_t size = ((size_t)roster->count + 1) * sizeof(pos_terminal);
        pos_wipe(roster->terminals, size);
        (void)munmap(roster->terminals, size);
    }
    free(roster->cells);
    free(roster);
}

size_t pos_roster_count(const pos_roster *roster)
{
    return roster->count;
}

const pos_terminal *pos_roster_at(const pos_roster *roster, size_t index)
{
    return index < roster->count ? &roster->terminals[index] : NULL;
}

const pos_terminal *pos_roster_find(const pos_roster *roster, const char tid[8])
{
    assert(roster != NULL);
    assert(tid != NULL);
    uint32_t at = hash_of(tid) & roster->mask;
    for (; roster->cells[at] != 0; at = (at + 1) & roster->mask) {
        const pos_terminal *terminal = &roster->terminals[roster->cells[at] - 1];
        if (pos_equal(terminal->tid, tid, 8)) return terminal;
    }
    return NULL;
}

void pos_roster_ahead(const pos_roster *roster, const char tid[8])
{
    __builtin_prefetch(&roster->cells[hash_of(tid) & roster->mask], 0, 3);
}

void pos_roster_ahead_record(const pos_roster *roster, const char tid[8])
{
    const uint32_t cell = roster->cells[hash_of(tid) & roster->mask];
    if (cell != 0) __builtin_prefetch(&roster->terminals[cell - 1], 0, 3);
}

void pos_roster_digest(const pos_roster *roster, uint8_t digest_out[16])
{
    pos_copy(digest_out, roster->digest, sizeof(roster->digest));
}
