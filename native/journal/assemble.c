/*
 * One page assembled: rows turned into columns, the heap behind them, zeros in every gap, then the
 * sums. The form is drawn in page.c.
 *
 *   rows of the open page           blocks of 16 rows           columns of the value
 *   ┌──────────────────┐            ┌──────────────┐            ┌────┬────┬────┬───
 *   │ received, stan, …│ ── 16 ───▶ │ stay in the  │ ─ each ──▶ │ 16 │ 16 │    │      a whole cache
 *   │ received, stan, …│            │ nearest cache│   column   ├────┼────┼────┼───   line of u32
 *   └──────────────────┘            └──────────────┘            └────┴────┴────┴───
 *
 * Column by column over all rows reads every row 37 times from a cache that does not hold them
 * (measured: 140 ns an entry; by blocks, a tenth of it). The columns are spelled out by a macro so
 * that each move is of a size the compiler knows. Its oracle is the obvious loop in
 * tests/native/journal_page_test.c.
 */
#include "journal/form.h"

#include <assert.h>

#include "mac/mac.h"

#define BLOCK_ROWS 16U

/* ---- where things lie ---------------------------------------------------------------------------- */
#define WIDTH_OF(name, type, width, member) width,
#define WIDTH_OF_DERIVED(name, type, width) width,
static const uint16_t WIDTHS[POS_FORM_COLUMNS] = {POS_COLUMNS(WIDTH_OF, WIDTH_OF_DERIVED)
                                                      POS_PAN_BLOCK};

static size_t columns_of(bool has_pans)
{
    return has_pans ? POS_FORM_COLUMNS : POS_FORM_COLUMNS_PLAIN;
}

/* Offsets of the columns; returns that of the heap. */
static size_t place_columns(uint32_t count, size_t columns, uint32_t offsets_out[POS_FORM_COLUMNS])
{
    size_t offset = pos_form_aligned(pos_form_directory_end(columns));
    for (size_t index = 0; index < columns; index++) {
        offsets_out[index] = (uint32_t)offset;
        offset = pos_form_aligned(offset + (size_t)count * WIDTHS[index]);
    }
    return offset;
}

size_t pos_page_value_size(uint32_t count, size_t heap_size, bool has_pans)
{
    assert(count <= POS_PAGE_ENTRIES_MAX);
    uint32_t offsets[POS_FORM_COLUMNS];
    const size_t heap_offset = place_columns(count, columns_of(has_pans), offsets);
    const size_t used = heap_offset + heap_size + POS_LMDB_HEADER;
    const size_t pages = (used + POS_LMDB_PAGE - 1) / POS_LMDB_PAGE;
    return pages * POS_LMDB_PAGE - POS_LMDB_HEADER;
}

/* ---- header and directory ------------------------------------------------------------------------ */
static void encode_header(uint8_t *value, size_t size, const pos_page_facts *facts, uint32_t count,
                          size_t columns, size_t heap_offset, size_t heap_size)
{
    pos_copy(value, POS_FORM_MAGIC, 8);
    pos_zero(value + AT_CRC, AT_VERSION - AT_CRC);
    pos_store_u32_le(value + AT_VERSION, POS_FORM_VERSION);
    pos_store_u32_le(value + AT_COLUMNS, (uint32_t)columns);
    pos_store_u64_le(value + AT_SIZE, size);
    pos_store_u64_le(value + AT_FIRST, facts->first_sequence);
    pos_store_u32_le(value + AT_COUNT, count);
    pos_store_u32_le(value + AT_DATE, (uint32_t)facts->business_date);
    pos_store_u64_le(value + AT_STAGED, (uint64_t)facts->staged_at_ns);
    pos_store_u64_le(value + AT_COMMITTED, (uint64_t)facts->committed_at_ns);
    pos_store_u64_le(value + AT_DURABLE_BEFORE, facts->durable_before);
    pos_store_u64_le(value + AT_DURABLE_AT, (uint64_t)facts->durable_at_ns);
    pos_store_u64_le(value + AT_SENT_AT, (uint64_t)facts->sent_at_ns);
    pos_store_u32_le(value + AT_DIRECTORY, POS_PAGE_HEADER_SIZE);
    pos_store_u32_le(value + AT_HEAP, (uint32_t)heap_offset);
    pos_store_u32_le(value + AT_HEAP_SIZE, (uint32_t)heap_size);
    pos_zero(value + AT_ZEROS, AT_DIGEST_BEFORE - AT_ZEROS);
    pos_copy(value + AT_DIGEST_BEFORE, facts->digest_before, sizeof facts->digest_before);
    uint8_t *under = value + AT_UNDER;
    pos_copy(under, facts->under.spec_digest, 16);
    pos_copy(under + 16, facts->under.policy_digest, 16);
    pos_copy(under + 32, facts->under.roster_digest, 16);
    pos_copy(under + 48, facts->under.build, 16);
}

/* Names are padded with zeros to POS_FORM_NAME_SIZE by their type. */
typedef struct directory_form {
    char name[POS_FORM_NAME_SIZE];
    uint8_t type;
} directory_form;
#define NAMED(name, type, width, member) {name, POS_COLUMN_##type},
#define NAMED_DERIVED(name, type, width) {name, POS_COLUMN_##type},
static const directory_form DIRECTORY[POS_FORM_COLUMNS] = {POS_COLUMNS(NAMED, NAMED_DERIVED)
                                                               {POS_PAN_COLUMN, POS_COLUMN_BYTES}};

static void encode_directory(uint8_t *value, const uint32_t offsets[POS_FORM_COLUMNS],
                             size_t columns)
{
    uint8_t *at = value + POS_PAGE_HEADER_SIZE;
    for (size_t index = 0; index < columns; index++, at += POS_FORM_ENTRY_SIZE) {
        pos_copy(at, DIRECTORY[index].name, POS_FORM_NAME_SIZE);
        at[POS_FORM_NAME_SIZE] = DIRECTORY[index].type;
        at[POS_FORM_NAME_SIZE + 1] = 0;
        pos_store_u16_le(at + POS_FORM_NAME_SIZE + 2, WIDTHS[index]);
        pos_store_u32_le(at + POS_FORM_NAME_SIZE + 4, offsets[index]);
    }
}

/* Zeros wherever no column is: between the directory, the columns and the heap. */
static void zero_gaps(uint8_t *value, const uint32_t offsets[POS_FORM_COLUMNS], size_t columns,
                      uint32_t count, size_t heap_offset)
{
    size_t end = pos_form_directory_end(columns);
    for (size_t index = 0; index < columns; index++) {
        pos_zero(value + end, offsets[index] - end);
        end = offsets[index] + (size_t)count * WIDTHS[index];
    }
    pos_zero(value + end, heap_offset - end);
}

/* ---- rows to columns ----------------------------------------------------------------------------- */
#define MOVE(name, type, width, member)                                     \
    at = value + offsets[index++] + (size_t)first * (width);                \
    for (uint32_t row = 0; row < count; row++) {                            \
        pos_copy(at + (size_t)row * (width), &rows[first + row].member, width); \
    }
#define MOVE_HEAP_OFFSET(name, type, width)                                 \
    at = value + offsets[index++] + (size_t)first * (width);                \
    for (uint32_t row = 0; row < count; row++) {                            \
        pos_store_u32_le(at + (size_t)row * (width), (uint32_t)heap_offset); \
        heap_offset += (uint64_t)rows[first + row].request_size + rows[first + row].answer_size; \
    }

/* Rows [first, first + count) of every column; returns where the heap of the row after begins. Inline,
 * so that the block's count is a constant. */
static inline __attribute__((always_inline)) uint64_t
encode_rows(uint8_t *value, const uint32_t offsets[POS_FORM_COLUMNS], const pos_entry *rows,
            uint32_t first, uint32_t count, uint64_t heap_offset)
{
    size_t index = 0;
    uint8_t *at;
    POS_COLUMNS(MOVE, MOVE_HEAP_OFFSET)
    assert(index == POS_FORM_COLUMNS_PLAIN);
    return heap_offset;
}

static uint64_t encode_columns(uint8_t *value, const uint32_t offsets[POS_FORM_COLUMNS],
                               const pos_entry *rows, uint32_t count)
{
    uint64_t heap_offset = 0;
    uint32_t first = 0;
    for (; first + BLOCK_ROWS <= count; first += BLOCK_ROWS) {
        heap_offset = encode_rows(value, offsets, rows, first, BLOCK_ROWS, heap_offset);
    }
    return encode_rows(value, offsets, rows, first, count - first, heap_offset);
}

void pos_page_encode(uint8_t *value, size_t size, const pos_page_facts *facts,
                     const pos_entry *rows, uint32_t count, const uint8_t *heap, size_t heap_size)
{
    assert(count > 0);
    const bool has_pans = facts->pan_ciphers != NULL;
    assert(size == pos_page_value_size(count, heap_size, has_pans));

    uint32_t offsets[POS_FORM_COLUMNS];
    const size_t columns = columns_of(has_pans);
    const size_t heap_offset = place_columns(count, columns, offsets);
    encode_header(value, size, facts, count, columns, heap_offset, heap_size);
    encode_directory(value, offsets, columns);
    zero_gaps(value, offsets, columns, count, heap_offset);
    const uint64_t heap_end = encode_columns(value, offsets, rows, count);
    assert(heap_end == heap_size);
    if (has_pans) {
        pos_copy(value + offsets[POS_FORM_COLUMNS_PLAIN], facts->pan_ciphers,
                 (size_t)count * POS_PAN_BLOCK);
    }
    pos_copy(value + heap_offset, heap, heap_size);
    pos_zero(value + heap_offset + heap_size, size - heap_offset - heap_size);

    uint8_t digest[32];
    pos_page_digest(value, size, digest);
    pos_copy(value + AT_DIGEST, digest, sizeof digest);
    pos_store_u32_le(value + AT_CRC, pos_crc32c(0, value + AT_ZERO, size - AT_ZERO));
}
