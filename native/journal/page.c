/*
 * One page of the journal as bytes: what a commit writes as one LMDB value, and nothing else.
 *
 * All numbers are little-endian. Offsets are from the start of the value. A value lies 16 bytes into
 * a 4,096-byte LMDB page, so offsets that leave 48 over 64 are 64-byte aligned in memory: those of
 * columns and heap. The value's size is n * 4096 - 16: it ends where its LMDB pages end, and is never
 * small enough (2,022 bytes) to be kept inside of a B-tree leaf, where later commits would move it.
 *
 *   offset size  header
 *        0    8  magic "POSPAGE\n"
 *        8    4  CRC-32C of everything from offset 12 on
 *       12    4  zero
 *       16   32  digest: SHA-256 of everything from offset 48 on
 *       48    4  format version, 1
 *       52    4  columns in the directory
 *       56    8  size of the value
 *       64    8  first sequence; entry i has first + i
 *       72    4  entries
 *       76    4  business date as a number, 20261121
 *       80    8  first entry staged at, UTC ns
 *       88    8  commit begun at, UTC ns
 *       96    8  sequence up to which all was durable when this page was written
 *      104    8  when that became so, UTC ns; 0 where this run had made none durable yet
 *      112    8  when the last replies before this page left, UTC ns; 0 where nobody said
 *      120    4  offset of the directory, 240
 *      124    4  offset of the heap
 *      128    4  size of the heap
 *      132   12  zero
 *      144   32  digest of the page before, over volumes; zeros before sequence 1
 *      176   16  digest of the spec that it was decided under
 *      192   16  digest of the policy
 *      208   16  digest of the roster
 *      224   16  build, text padded with zeros
 *      240 24*k  directory, a column each:
 *                  0  16  name, padded with zeros
 *                 16   1  type: 1 i64, 2 u64, 3 u32, 4 u16, 5 u8, 6 text, 7 bytes
 *                 17   1  zero
 *                 18   2  width, bytes a value
 *                 20   4  offset of the first value
 *        ·    ·  columns, each entries * width bytes, each 64-byte aligned in memory
 *        ·    ·  heap: for entry i, at heap_offset[i] of the heap, request_size[i] bytes of redacted
 *                request and then answer_size[i] bytes of answer template
 *        ·    ·  zeros to the end
 *
 * Every gap is zero. A reader finds columns by name: one that it does not know it passes over, one
 * that it wants and does not find is absent in that page. Text is padded with blanks.
 */
#include "journal/parts.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "mac/mac.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "rows are copied into columns as they are");

#define FORMAT_VERSION 1U
#define DIRECTORY_ENTRY_SIZE 24U
#define NAME_SIZE 16U
#define ALIGNMENT 64U
#define ALIGNMENT_REST (ALIGNMENT - POS_LMDB_HEADER)

static const uint8_t MAGIC[8] = {'P', 'O', 'S', 'P', 'A', 'G', 'E', '\n'};

enum {
    AT_CRC = 8,
    AT_ZERO = 12,
    AT_DIGEST = 16,
    AT_VERSION = 48,
    AT_COLUMNS = 52,
    AT_SIZE = 56,
    AT_FIRST = 64,
    AT_COUNT = 72,
    AT_DATE = 76,
    AT_STAGED = 80,
    AT_COMMITTED = 88,
    AT_DURABLE_BEFORE = 96,
    AT_DURABLE_AT = 104,
    AT_SENT_AT = 112,
    AT_DIRECTORY = 120,
    AT_HEAP = 124,
    AT_HEAP_SIZE = 128,
    AT_ZEROS = 132,
    AT_DIGEST_BEFORE = 144,
    AT_UNDER = 176
};

/* The columns, in the order in which they lie. `row` is where the value is in a pos_entry. */
typedef struct column_form {
    char name[NAME_SIZE];
    uint8_t type;
    uint16_t width;
    size_t row;
} column_form;

#define DERIVED SIZE_MAX /* has no place in a row: worked out when the page is written */
#define COLUMN(name, type, width, member) {name, type, width, offsetof(pos_entry, member)}

static const column_form COLUMNS[] = {
    COLUMN("received_at", POS_COLUMN_I64, 8, received_at_ns),
    COLUMN("terminal_at", POS_COLUMN_I64, 8, terminal_at_ns),
    COLUMN("amount", POS_COLUMN_I64, 8, amount_minor),
    COLUMN("original", POS_COLUMN_U64, 8, original),
    COLUMN("staged_after", POS_COLUMN_U32, 4, staged_after_us),
    COLUMN("flags", POS_COLUMN_U32, 4, flags),
    COLUMN("processing", POS_COLUMN_U32, 4, processing),
    COLUMN("stan", POS_COLUMN_U32, 4, stan),
    COLUMN("batch", POS_COLUMN_U32, 4, batch),
    COLUMN("original_batch", POS_COLUMN_U32, 4, original_batch),
    COLUMN("original_stan", POS_COLUMN_U32, 4, original_stan),
    COLUMN("bin", POS_COLUMN_U32, 4, bin),
    COLUMN("line", POS_COLUMN_U32, 4, line),
    {"heap_offset", POS_COLUMN_U32, 4, DERIVED},
    COLUMN("request_size", POS_COLUMN_U32, 4, request_size),
    COLUMN("answer_size", POS_COLUMN_U32, 4, answer_size),
    COLUMN("last4", POS_COLUMN_U16, 2, last4),
    COLUMN("mti", POS_COLUMN_U16, 2, mti),
    COLUMN("currency", POS_COLUMN_U16, 2, currency),
    COLUMN("entry_mode", POS_COLUMN_U16, 2, entry_mode),
    COLUMN("network", POS_COLUMN_U16, 2, network),
    COLUMN("kind", POS_COLUMN_U8, 1, kind),
    COLUMN("outcome", POS_COLUMN_U8, 1, outcome),
    COLUMN("type", POS_COLUMN_U8, 1, type),
    COLUMN("condition", POS_COLUMN_U8, 1, condition),
    COLUMN("requirement", POS_COLUMN_U8, 1, requirement),
    COLUMN("response", POS_COLUMN_TEXT, 2, response),
    COLUMN("reason", POS_COLUMN_TEXT, 2, reason),
    COLUMN("tid", POS_COLUMN_TEXT, 8, tid),
    COLUMN("mid", POS_COLUMN_TEXT, 15, mid),
    COLUMN("rrn", POS_COLUMN_TEXT, 12, rrn),
    COLUMN("original_rrn", POS_COLUMN_TEXT, 12, original_rrn),
    COLUMN("auth", POS_COLUMN_TEXT, 6, auth),
    COLUMN("operator", POS_COLUMN_TEXT, 3, operator_id),
    COLUMN("pan_token", POS_COLUMN_BYTES, 16, pan_token),
    COLUMN("fingerprint", POS_COLUMN_BYTES, 16, fingerprint),
    COLUMN("why", POS_COLUMN_U8, 1, why), /* absent from pages of the first build: 0, NONE */
};
#define COLUMN_COUNT (sizeof COLUMNS / sizeof COLUMNS[0])
#define HEAP_OFFSET_COLUMN 13U

size_t pos_column_count(void)
{
    return COLUMN_COUNT;
}

/* The next offset from `offset` on that is 64-byte aligned in memory. */
static size_t aligned(size_t offset)
{
    return (offset + ALIGNMENT - 1 - ALIGNMENT_REST) / ALIGNMENT * ALIGNMENT + ALIGNMENT_REST;
}

static size_t directory_end(void)
{
    return POS_PAGE_HEADER_SIZE + COLUMN_COUNT * DIRECTORY_ENTRY_SIZE;
}

static size_t heap_place(uint32_t count)
{
    size_t offset = aligned(directory_end());
    for (size_t index = 0; index < COLUMN_COUNT; index++) {
        offset = aligned(offset + (size_t)count * COLUMNS[index].width);
    }
    return offset;
}

size_t pos_page_value_size(uint32_t count, size_t heap_size)
{
    assert(count <= POS_PAGE_ENTRIES_MAX);
    const size_t used = heap_place(count) + heap_size + POS_LMDB_HEADER;
    const size_t pages = (used + POS_LMDB_PAGE - 1) / POS_LMDB_PAGE;
    return pages * POS_LMDB_PAGE - POS_LMDB_HEADER;
}

/* All columns of one row, and what aligning every column and the heap adds at most. */
#define ROW_WIDTH_MAX 256U
size_t pos_page_size_bound(uint32_t count, size_t heap_size)
{
    const size_t fixed = directory_end() + (COLUMN_COUNT + 2) * ALIGNMENT + POS_LMDB_HEADER;
    return fixed + (size_t)count * ROW_WIDTH_MAX + heap_size;
}

/* ---- writing ------------------------------------------------------------------------------------ */
static void encode_header(uint8_t *value, size_t size, const pos_page_facts *facts, uint32_t count,
                          size_t heap_offset, size_t heap_size)
{
    pos_copy(value, MAGIC, sizeof MAGIC);
    pos_zero(value + AT_CRC, AT_VERSION - AT_CRC);
    pos_store_u32_le(value + AT_VERSION, FORMAT_VERSION);
    pos_store_u32_le(value + AT_COLUMNS, (uint32_t)COLUMN_COUNT);
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

static void encode_directory_entry(uint8_t *at, const column_form *form, size_t offset)
{
    pos_copy(at, form->name, NAME_SIZE);
    at[NAME_SIZE] = form->type;
    at[NAME_SIZE + 1] = 0;
    pos_store_u16_le(at + NAME_SIZE + 2, form->width);
    pos_store_u32_le(at + NAME_SIZE + 4, (uint32_t)offset);
}

/* Rows to a column. The widths that most columns have are told apart so that the copy of a value is
 * one load and one store. */
static void encode_column(uint8_t *at, const column_form *form, const pos_entry *rows,
                          uint32_t count)
{
    const uint8_t *from = (const uint8_t *)rows + form->row;
    const size_t step = sizeof *rows;
    switch (form->width) {
    case 8:
        for (uint32_t row = 0; row < count; row++) pos_copy(at + row * 8U, from + row * step, 8);
        return;
    case 4:
        for (uint32_t row = 0; row < count; row++) pos_copy(at + row * 4U, from + row * step, 4);
        return;
    case 1:
        for (uint32_t row = 0; row < count; row++) at[row] = from[row * step];
        return;
    default:
        for (uint32_t row = 0; row < count; row++) {
            pos_copy(at + (size_t)row * form->width, from + row * step, form->width);
        }
    }
}

static void encode_heap_offsets(uint8_t *at, const pos_entry *rows, uint32_t count, size_t heap_size)
{
    uint64_t offset = 0;
    for (uint32_t row = 0; row < count; row++) {
        pos_store_u32_le(at + row * 4U, (uint32_t)offset);
        offset += (uint64_t)rows[row].request_size + rows[row].answer_size;
    }
    assert(offset == heap_size);
}

void pos_page_encode(uint8_t *value, size_t size, const pos_page_facts *facts,
                     const pos_entry *rows, uint32_t count, const uint8_t *heap, size_t heap_size)
{
    assert(count > 0);
    assert(size == pos_page_value_size(count, heap_size));

    const size_t heap_offset = heap_place(count);
    encode_header(value, size, facts, count, heap_offset, heap_size);
    size_t end = directory_end(); /* everything before it is written */
    size_t offset = aligned(end);
    for (size_t index = 0; index < COLUMN_COUNT; index++) {
        const column_form *form = &COLUMNS[index];
        encode_directory_entry(value + POS_PAGE_HEADER_SIZE + index * DIRECTORY_ENTRY_SIZE, form,
                               offset);
        pos_zero(value + end, offset - end);
        if (form->row == DERIVED) {
            encode_heap_offsets(value + offset, rows, count, heap_size);
        } else {
            encode_column(value + offset, form, rows, count);
        }
        end = offset + (size_t)count * form->width;
        offset = aligned(end);
    }
    assert(offset == heap_offset);
    pos_zero(value + end, heap_offset - end);
    pos_copy(value + heap_offset, heap, heap_size);
    pos_zero(value + heap_offset + heap_size, size - heap_offset - heap_size);

    uint8_t digest[32];
    pos_sha256(value + AT_VERSION, size - AT_VERSION, digest);
    pos_copy(value + AT_DIGEST, digest, sizeof digest);
    pos_store_u32_le(value + AT_CRC, pos_crc32c(0, value + AT_ZERO, size - AT_ZERO));
}

/* ---- reading ------------------------------------------------------------------------------------ */
static const uint8_t *directory_at(const uint8_t *value, size_t index)
{
    return value + POS_PAGE_HEADER_SIZE + index * DIRECTORY_ENTRY_SIZE;
}

static uint16_t width_of(uint8_t type, uint16_t width)
{
    switch (type) {
    case POS_COLUMN_I64:
    case POS_COLUMN_U64: return 8;
    case POS_COLUMN_U32: return 4;
    case POS_COLUMN_U16: return 2;
    case POS_COLUMN_U8: return 1;
    default: return width;
    }
}

/* Every column within the value, before the heap, of a form that its type can have. */
static const char *directory_fault(const uint8_t *value, uint32_t columns, uint32_t count,
                                   size_t heap_offset)
{
    const size_t columns_begin = POS_PAGE_HEADER_SIZE + (size_t)columns * DIRECTORY_ENTRY_SIZE;
    if (columns_begin > heap_offset) return "the directory runs into the heap";
    for (uint32_t index = 0; index < columns; index++) {
        const uint8_t *at = directory_at(value, index);
        const uint8_t type = at[NAME_SIZE];
        const uint16_t width = pos_load_u16_le(at + NAME_SIZE + 2);
        const size_t offset = pos_load_u32_le(at + NAME_SIZE + 4);
        if (type < POS_COLUMN_I64 || type > POS_COLUMN_BYTES || at[NAME_SIZE + 1] != 0) {
            return "a column has no known type";
        }
        if (width == 0 || width != width_of(type, width)) return "a column's width is not its type's";
        if (offset % ALIGNMENT != ALIGNMENT_REST) return "a column is not aligned";
        if (offset < columns_begin || offset > heap_offset) return "a column lies outside";
        if ((uint64_t)count * width > heap_offset - offset) return "a column runs past its end";
    }
    return NULL;
}

static const char *header_fault(const uint8_t *value, size_t size)
{
    if (size < POS_LMDB_PAGE - POS_LMDB_HEADER) return "the value is smaller than a page";
    if ((size + POS_LMDB_HEADER) % POS_LMDB_PAGE != 0) return "the value is not whole LMDB pages";
    if (!pos_equal(value, MAGIC, sizeof MAGIC)) return "the magic is not a page's";
    if (pos_load_u64_le(value + AT_SIZE) != size) return "the size in the header is another";
    if (pos_load_u32_le(value + AT_DIRECTORY) != POS_PAGE_HEADER_SIZE) return "no directory";
    if (pos_load_u32_le(value + AT_COLUMNS) > POS_COLUMNS_MAX) return "too many columns";
    const uint32_t count = pos_load_u32_le(value + AT_COUNT);
    if (count == 0 || count > POS_PAGE_ENTRIES_MAX) return "the number of entries is out of range";
    const uint64_t first = pos_load_u64_le(value + AT_FIRST);
    if (first == 0 || first > (uint64_t)INT64_MAX - count) return "the first sequence is out of range";
    const size_t heap_offset = pos_load_u32_le(value + AT_HEAP);
    const size_t heap_size = pos_load_u32_le(value + AT_HEAP_SIZE);
    if (heap_offset > size || heap_size > size - heap_offset) return "the heap runs past the end";
    return NULL;
}

static bool is_usual(const uint8_t *value)
{
    if (pos_load_u32_le(value + AT_COLUMNS) != COLUMN_COUNT) return false;
    for (size_t index = 0; index < COLUMN_COUNT; index++) {
        const uint8_t *at = directory_at(value, index);
        if (!pos_equal(at, COLUMNS[index].name, NAME_SIZE)) return false;
        if (at[NAME_SIZE] != COLUMNS[index].type) return false;
        if (pos_load_u16_le(at + NAME_SIZE + 2) != COLUMNS[index].width) return false;
    }
    return true;
}

pos_status pos_page_read(const uint8_t *value, size_t size, pos_page *page_out, char *words_out)
{
    assert(value != NULL);
    assert(page_out != NULL);
    const char *fault = header_fault(value, size);
    if (fault == NULL && pos_load_u32_le(value + AT_VERSION) != FORMAT_VERSION) {
        pos_words(words_out, "the page has format version %u", pos_load_u32_le(value + AT_VERSION));
        return POS_JOURNAL_FORMAT;
    }
    const uint32_t count = fault == NULL ? pos_load_u32_le(value + AT_COUNT) : 0;
    if (fault == NULL) {
        fault = directory_fault(value, pos_load_u32_le(value + AT_COLUMNS), count,
                                pos_load_u32_le(value + AT_HEAP));
    }
    if (fault != NULL) {
        pos_words(words_out, "%s", fault);
        return POS_JOURNAL_CORRUPT;
    }
    pos_page page = {
        .first_sequence = pos_load_u64_le(value + AT_FIRST),
        .count = count,
        .size = (uint32_t)size,
        .business_date = (int32_t)pos_load_u32_le(value + AT_DATE),
        .staged_at_ns = (int64_t)pos_load_u64_le(value + AT_STAGED),
        .committed_at_ns = (int64_t)pos_load_u64_le(value + AT_COMMITTED),
        .data = value,
        .is_usual = is_usual(value),
    };
    pos_copy(page.digest, value + AT_DIGEST, sizeof page.digest);
    pos_copy(page.digest_before, value + AT_DIGEST_BEFORE, sizeof page.digest_before);
    *page_out = page;
    return POS_OK;
}

pos_status pos_page_check(const pos_page *page, char *words_out)
{
    assert(page != NULL);
    const uint8_t *value = page->data;
    const size_t size = page->size;
    if (pos_crc32c(0, value + AT_ZERO, size - AT_ZERO) != pos_load_u32_le(value + AT_CRC)) {
        pos_words(words_out, "the CRC does not match");
        return POS_JOURNAL_CORRUPT;
    }
    uint8_t digest[32];
    pos_sha256(value + AT_VERSION, size - AT_VERSION, digest);
    if (!pos_equal(digest, page->digest, sizeof digest)) {
        pos_words(words_out, "the digest does not match");
        return POS_JOURNAL_CORRUPT;
    }
    return POS_OK;
}

/* The directory entry of a column of this build; NULL where the page has none. Pages of this build
 * have it at the same place, so the search ends where it begins. */
static const uint8_t *column_entry(const uint8_t *value, size_t index)
{
    const uint32_t columns = pos_load_u32_le(value + AT_COLUMNS);
    const char *name = COLUMNS[index].name;
    if (index < columns && pos_equal(directory_at(value, index), name, NAME_SIZE)) {
        return directory_at(value, index);
    }
    for (uint32_t other = 0; other < columns; other++) {
        const uint8_t *at = directory_at(value, other);
        if (pos_equal(at, name, NAME_SIZE)) return at;
    }
    return NULL;
}

pos_status pos_page_column(const pos_page *page, size_t index, pos_column *column_out)
{
    assert(page != NULL);
    assert(column_out != NULL);
    if (index >= COLUMN_COUNT) return POS_ARGUMENT;
    const column_form *form = &COLUMNS[index];
    pos_column column = {.name = form->name, .type = (pos_column_type)form->type, .width = form->width};
    const uint8_t *at = column_entry(page->data, index);
    if (at != NULL) {
        if (at[NAME_SIZE] != form->type || pos_load_u16_le(at + NAME_SIZE + 2) != form->width) {
            return POS_JOURNAL_FORMAT;
        }
        column.data = page->data + pos_load_u32_le(at + NAME_SIZE + 4);
    }
    *column_out = column;
    return POS_OK;
}

pos_status pos_page_column_named(const pos_page *page, const char *name, pos_column *column_out)
{
    assert(name != NULL);
    for (size_t index = 0; index < COLUMN_COUNT; index++) {
        if (strcmp(COLUMNS[index].name, name) == 0) return pos_page_column(page, index, column_out);
    }
    return POS_ARGUMENT;
}

pos_status pos_page_sums(const pos_page *page)
{
    return pos_page_check(page, NULL);
}

/* What a row holds where its page lacks the column: blanks for text, zeros for the rest. */
static void absent_value(uint8_t *at, const column_form *form)
{
    for (uint16_t index = 0; index < form->width; index++) {
        at[index] = form->type == POS_COLUMN_TEXT ? ' ' : 0;
    }
}

/* A row of a page with other columns than this build writes: each is searched for. */
static pos_status searched_row(const pos_page *page, uint32_t index, pos_entry *entry,
                               uint32_t *heap_offset)
{
    pos_zero(entry, sizeof *entry);
    for (size_t number = 0; number < COLUMN_COUNT; number++) {
        pos_column column;
        const pos_status status = pos_page_column(page, number, &column);
        if (status != POS_OK) return status;
        const column_form *form = &COLUMNS[number];
        const uint8_t *from =
            column.data == NULL ? NULL : column.data + (size_t)index * form->width;
        if (form->row == DERIVED) {
            *heap_offset = from == NULL ? 0 : pos_load_u32_le(from);
        } else if (from == NULL) {
            absent_value((uint8_t *)entry + form->row, form);
        } else {
            pos_copy((uint8_t *)entry + form->row, from, form->width);
        }
    }
    return POS_OK;
}

/* A number from its column to its place in a row: both are aligned to their width. */
static void copy_number(uint8_t *to, const uint8_t *from, uint16_t width)
{
    switch (width) {
    case 8: *(uint64_t *)(void *)to = *(const uint64_t *)(const void *)from; return;
    case 4: *(uint32_t *)(void *)to = *(const uint32_t *)(const void *)from; return;
    case 1: *to = *from; return;
    default: pos_copy(to, from, width);
    }
}

/* A row of a page of this build: column i of the directory is column i of the table. */
static pos_status usual_row(const pos_page *page, uint32_t index, pos_entry *entry,
                            uint32_t *heap_offset)
{
    pos_zero(entry, sizeof *entry);
    for (size_t number = 0; number < COLUMN_COUNT; number++) {
        const column_form *form = &COLUMNS[number];
        const uint8_t *at = directory_at(page->data, number);
        const size_t offset = pos_load_u32_le(at + NAME_SIZE + 4);
        const uint8_t *from = page->data + offset + (size_t)index * form->width;
        uint8_t *to =
            form->row == DERIVED ? (uint8_t *)heap_offset : (uint8_t *)entry + form->row;
        if (form->type > POS_COLUMN_U8) pos_copy(to, from, form->width);
        else copy_number(to, from, form->width);
    }
    return POS_OK;
}

pos_status pos_page_entry(const pos_page *page, uint32_t index, pos_entry *entry_out)
{
    assert(page != NULL);
    assert(entry_out != NULL);
    if (index >= page->count) return POS_ENTRY_ABSENT;
    pos_entry entry;
    uint32_t heap_offset = 0;
    const pos_status status = page->is_usual ? usual_row(page, index, &entry, &heap_offset)
                                             : searched_row(page, index, &entry, &heap_offset);
    if (status != POS_OK) return status;
    const uint8_t *value = page->data;
    const uint64_t heap_size = pos_load_u32_le(value + AT_HEAP_SIZE);
    const uint64_t wanted = (uint64_t)entry.request_size + entry.answer_size;
    if (heap_offset > heap_size || wanted > heap_size - heap_offset) return POS_JOURNAL_CORRUPT;
    const uint8_t *heap = value + pos_load_u32_le(value + AT_HEAP) + heap_offset;
    entry.request = heap;
    entry.answer = heap + entry.request_size;
    entry.sequence = page->first_sequence + index;
    *entry_out = entry;
    return POS_OK;
}

/* ---- dates --------------------------------------------------------------------------------------- */
#define MINUTE_NS 60000000000
#define DAY_MINUTES 1440

/*
 * The business date of a moment. A cutover in the first half of the day ends yesterday's date (at
 * 02:00, one in the morning still is yesterday); one in the second half begins tomorrow's (at 23:00,
 * half past eleven at night is tomorrow); at 00:00 both say the calendar's.
 */
int32_t pos_business_date(int64_t received_at_ns, int32_t zone_offset_minute,
                          uint32_t cutover_minute)
{
    assert(cutover_minute < DAY_MINUTES);
    int64_t minute = received_at_ns / MINUTE_NS - (received_at_ns % MINUTE_NS < 0 ? 1 : 0);
    minute += zone_offset_minute - (int64_t)cutover_minute;
    if (cutover_minute >= DAY_MINUTES / 2) minute += DAY_MINUTES;
    const time_t seconds = (time_t)(minute * 60);
    struct tm date;
    if (gmtime_r(&seconds, &date) == NULL) return 0;
    return (date.tm_year + 1900) * 10000 + (date.tm_mon + 1) * 100 + date.tm_mday;
}
