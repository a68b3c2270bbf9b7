/*
 * Account numbers that the journal gives back: kept only where `keep_pan` says so, enciphered always.
 *
 *   front thread                         journal thread, a page at a time
 *   digits ─▶ BCD in the page's blocks ─▶ sequence behind each ─▶ AES-256 ─▶ column pan_cipher
 *                                         (in place: no digit is left)       (copied; blocks zeroed)
 *
 *   a block      0         9 10        15
 *              | PAN, F..F  | sequence  |   PAN: 1 to 19 digits, then nibbles F to the end; so the last
 *              | 20 nibbles | 48 bits BE|   byte is never 0, and a block of zeros is no account number
 *
 * No two blocks of a journal are alike under a key, since no two sequences are: the column does not
 * show equal cards (the token does, to whoever may see it). A block that is opened must hold the
 * sequence of its entry: another key, an altered block, one of another entry are refused, but for a
 * chance of 2^-48; digest and chain of the pages stand beside that.
 *
 * The key is one a business date, which a page has exactly one of:
 *
 *   master key ─ SP 800-108, "posengine pan" ─▶ held here ─ "posengine pan date", date ─▶ AES-256
 *
 * The journal's id is not in it: a copy that is restored has another id, and must open all the same.
 *
 * Digits and keys lie in one mapping that core dumps leave out.
 */
#include "journal/parts.h"

#include <assert.h>
#include <sys/mman.h>

#include "mac/mac.h"

#define DIGITS_SIZE 10U /* bytes of a block before the sequence */
#define DIGITS_MAX 19U
#define CHUNK 64U /* blocks enciphered at once: they stay in the nearest cache */

/* ---- begun and ended with the journal ------------------------------------------------------------- */
pos_status pos_pans_create(pos_journal *journal, const uint8_t master_key[32])
{
    const size_t blocks_size = (size_t)journal->options.page_entries_max * POS_PAN_BLOCK;
    const size_t head_size = (sizeof(pos_pan_keeping) + 63) / 64 * 64;
    const size_t map_size = head_size + POS_BUFFERS * blocks_size;
    uint8_t *map = mmap(NULL, map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return POS_MEMORY;
    (void)madvise(map, map_size, MADV_DONTDUMP);
    pos_pan_keeping *pans = (pos_pan_keeping *)(void *)map;
    pans->map_size = map_size;
    for (size_t index = 0; index < POS_BUFFERS; index++) {
        pans->blocks[index] = map + head_size + index * blocks_size;
    }
    pos_kdf(master_key, "posengine pan", pans->pan_key, sizeof pans->pan_key);
    journal->pans = pans;
    return POS_OK;
}

void pos_pans_destroy(pos_journal *journal)
{
    pos_pan_keeping *pans = journal->pans;
    if (pans == NULL) return;
    const size_t map_size = pans->map_size;
    pos_wipe(pans, map_size);
    (void)munmap(pans, map_size);
    journal->pans = NULL;
}

/* ---- front thread --------------------------------------------------------------------------------- */
void pos_journal_keep_pan(pos_journal *journal, const char *digits, size_t size)
{
    assert(journal != NULL && digits != NULL);
    if (journal->pans == NULL || size == 0 || size > DIGITS_MAX) return;
    const uint32_t sealed = atomic_load_explicit(&journal->sealed, memory_order_relaxed);
    const pos_buffer *buffer = &journal->buffers[sealed % POS_BUFFERS];
    assert(buffer->count > 0);
    assert(buffer->facts.first_sequence + buffer->count == journal->next_sequence);
    uint8_t *block =
        journal->pans->blocks[sealed % POS_BUFFERS] + (size_t)POS_PAN_BLOCK * (buffer->count - 1);
    for (size_t byte = 0; byte < DIGITS_SIZE; byte++) block[byte] = 0xff;
    pos_bcd_from_ascii(digits, size, block, 0);
}

/* ---- journal thread ------------------------------------------------------------------------------- */
static void derive_date_key(const uint8_t pan_key[32], int32_t date, pos_aes_key *key_out)
{
    uint8_t context[4];
    uint8_t key[32];
    pos_store_u32_be(context, (uint32_t)date);
    const pos_slice of_date = {.data = context, .size = sizeof context};
    pos_kdf_in(pan_key, "posengine pan date", of_date, key, sizeof key);
    pos_aes_prepare(key, sizeof key, key_out);
    pos_wipe(key, sizeof key);
}

static void put_sequence(uint8_t *block, uint64_t sequence)
{
    pos_store_u16_be(block + DIGITS_SIZE, (uint16_t)(sequence >> 32));
    pos_store_u32_be(block + DIGITS_SIZE + 2, (uint32_t)sequence);
}

/* At most CHUNK blocks, in place; those without an account number stay zeros. */
static void seal_chunk(const pos_aes_key *key, uint64_t first_sequence, uint8_t *blocks,
                       size_t count)
{
    uint64_t present = 0;
    for (size_t index = 0; index < count; index++) {
        uint8_t *block = blocks + POS_PAN_BLOCK * index;
        if (block[DIGITS_SIZE - 1] == 0) continue;
        put_sequence(block, first_sequence + index);
        present |= UINT64_C(1) << index;
    }
    if (present == 0) return;
    pos_aes_encrypt_blocks(key, blocks, count, blocks);
    for (size_t index = 0; index < count; index++) {
        if ((present >> index & 1U) == 0) pos_zero(blocks + POS_PAN_BLOCK * index, POS_PAN_BLOCK);
    }
}

const uint8_t *pos_pans_seal(pos_journal *journal, uint32_t number)
{
    pos_pan_keeping *pans = journal->pans;
    if (pans == NULL) return NULL;
    const pos_buffer *buffer = &journal->buffers[number % POS_BUFFERS];
    uint8_t *blocks = pans->blocks[number % POS_BUFFERS];
    if (pans->date != buffer->facts.business_date) {
        pans->date = buffer->facts.business_date;
        derive_date_key(pans->pan_key, pans->date, &pans->date_key);
    }
    for (size_t first = 0; first < buffer->count; first += CHUNK) {
        const size_t left = buffer->count - first;
        seal_chunk(&pans->date_key, buffer->facts.first_sequence + first,
                   blocks + POS_PAN_BLOCK * first, left < CHUNK ? left : CHUNK);
    }
    return blocks;
}

void pos_pans_forget(pos_journal *journal, uint32_t number)
{
    if (journal->pans == NULL) return;
    const pos_buffer *buffer = &journal->buffers[number % POS_BUFFERS];
    pos_wipe(journal->pans->blocks[number % POS_BUFFERS], (size_t)POS_PAN_BLOCK * buffer->count);
}

/* ---- reading -------------------------------------------------------------------------------------- */
/* How many digits; 0 where the block is not one of ours: another sequence, or no form. */
static size_t digits_of(const uint8_t block[POS_PAN_BLOCK], uint64_t sequence,
                        char digits_out[POS_PAN_SIZE])
{
    uint8_t wanted[POS_PAN_BLOCK];
    put_sequence(wanted, sequence);
    if (!pos_equal_constant_time(block + DIGITS_SIZE, wanted + DIGITS_SIZE,
                                 POS_PAN_BLOCK - DIGITS_SIZE)) {
        return 0;
    }
    size_t size = 0;
    while (size < DIGITS_MAX && pos_bcd_is_digits(block, size, 1)) size++;
    for (size_t nibble = size; nibble < 2 * (size_t)DIGITS_SIZE; nibble++) {
        const unsigned byte = block[nibble / 2];
        if ((nibble % 2 == 0 ? byte >> 4 : byte & 0x0fU) != 0x0fU) return 0;
    }
    pos_bcd_to_ascii(block, 0, size, digits_out);
    digits_out[size] = '\0';
    return size;
}

pos_status pos_page_pan(const pos_page *page, uint32_t index, const uint8_t master_key[32],
                            char digits_out[POS_PAN_SIZE])
{
    assert(page != NULL && master_key != NULL && digits_out != NULL);
    if (index >= page->count) return POS_ENTRY_ABSENT;
    pos_column column;
    const pos_status status = pos_page_column_named(page, "pan_cipher", &column);
    if (status != POS_OK) return status;
    if (column.data == NULL) return POS_PAN_NOT_KEPT;
    static const uint8_t NONE[POS_PAN_BLOCK];
    const uint8_t *cipher = column.data + (size_t)POS_PAN_BLOCK * index;
    if (pos_equal(cipher, NONE, sizeof NONE)) return POS_PAN_ABSENT;
    uint8_t pan_key[32];
    uint8_t block[POS_PAN_BLOCK];
    pos_aes_key date_key;
    pos_kdf(master_key, "posengine pan", pan_key, sizeof pan_key);
    derive_date_key(pan_key, page->business_date, &date_key);
    pos_aes_decrypt(&date_key, cipher, block);
    const size_t size = digits_of(block, page->first_sequence + index, digits_out);
    pos_wipe(pan_key, sizeof pan_key);
    pos_wipe(&date_key, sizeof date_key);
    pos_wipe(block, sizeof block);
    return size > 0 ? POS_OK : POS_PAN_SEAL;
}

pos_status pos_journal_pan(pos_journal *journal, uint64_t sequence,
                               const uint8_t master_key[32], char digits_out[POS_PAN_SIZE])
{
    pos_page page;
    const pos_status status = pos_journal_page(journal, sequence, &page);
    if (status == POS_JOURNAL_END) return POS_ENTRY_ABSENT;
    if (status != POS_OK) return status;
    if (sequence < page.first_sequence) return POS_ENTRY_ABSENT;
    const pos_status sums = pos_page_sums(&page);
    if (sums != POS_OK) return sums;
    return pos_page_pan(&page, (uint32_t)(sequence - page.first_sequence), master_key,
                            digits_out);
}
