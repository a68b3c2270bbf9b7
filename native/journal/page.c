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
 *       16   32  digest of everything from offset 48 on, in two halves: SHA-256 of the SHA-256 of what
 *                is before offset 56 + size / 2 and of the SHA-256 of the rest
 *       48    4  format version, 2; 1 is read: there the digest is one SHA-256
 *       52    4  columns in the directory
 *       56    8  size of the value
 *       64    8  first sequence; entry i has first + i
 *       72    4  entries
 *       76    4  business date as a number, 20261121
 *       80    8  first entry staged at, UTC ns
 *       88    8  assembled for its commit at, UTC ns
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
 * One column is there only where the journal keeps account numbers: "pan_cipher", which pan.c draws.
 *
 * Every gap is zero. A reader finds columns by name: one that it does not know it passes over, one
 * that it wants and does not find is absent in that page. Text is padded with blanks.
 */
#include "journal/form.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "mac/mac.h"

/* `row` is where the value is in a pos_entry. */
typedef struct column_form {
    char name[POS_FORM_NAME_SIZE];
    uint8_t type;
    uint16_t width;
    size_t row;
} column_form;

#define NOWHERE SIZE_MAX /* has no place in a row: worked out when the page is written */
#define FORM(name, type, width, member) {name, POS_COLUMN_##type, width, offsetof(pos_entry, member)},
#define FORM_DERIVED(name, type, width) {name, POS_COLUMN_##type, width, NOWHERE},
static const column_form COLUMNS[] = {POS_COLUMNS(FORM, FORM_DERIVED)
                                          FORM_DERIVED(POS_PAN_COLUMN, BYTES, POS_PAN_BLOCK)};
_Static_assert(sizeof COLUMNS / sizeof COLUMNS[0] == POS_FORM_COLUMNS, "one form a column");

size_t pos_column_count(void)
{
    return POS_FORM_COLUMNS;
}

/* ---- digest ------------------------------------------------------------------------------------- */
/*
 * A round of SHA-256 waits for the one before, and a processor's instructions for it could begin twice
 * as many: so a page is summed in two halves side by side, and what is written is the sum of the two.
 * Both are whole blocks, the first has one more.
 */
void pos_page_digest(const uint8_t *value, size_t size, uint8_t digest_out[32])
{
    assert((size + POS_LMDB_HEADER) % POS_LMDB_PAGE == 0);
    if (pos_load_u32_le(value + AT_VERSION) == POS_FORM_VERSION_FIRST) {
        pos_sha256(value + AT_VERSION, size - AT_VERSION, digest_out);
        return;
    }
    uint8_t halves[64];
    const size_t middle = AT_VERSION + (size + POS_LMDB_HEADER) / 2;
    pos_sha256_pair(value + AT_VERSION, middle - AT_VERSION, value + middle, size - middle, halves,
                    halves + 32);
    pos_sha256(halves, sizeof halves, digest_out);
}

/* ---- reading ------------------------------------------------------------------------------------ */
static const uint8_t *directory_at(const uint8_t *value, size_t index)
{
    return value + POS_PAGE_HEADER_SIZE + index * POS_FORM_ENTRY_SIZE;
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
    const size_t columns_begin = POS_PAGE_HEADER_SIZE + (size_t)columns * POS_FORM_ENTRY_SIZE;
    if (columns_begin > heap_offset) return "the directory runs into the heap";
    for (uint32_t index = 0; index < columns; index++) {
        const uint8_t *at = directory_at(value, index);
        const uint8_t type = at[POS_FORM_NAME_SIZE];
        const uint16_t width = pos_load_u16_le(at + POS_FORM_NAME_SIZE + 2);
        const size_t offset = pos_load_u32_le(at + POS_FORM_NAME_SIZE + 4);
        if (type < POS_COLUMN_I64 || type > POS_COLUMN_BYTES || at[POS_FORM_NAME_SIZE + 1] != 0) {
            return "a column has no known type";
        }
        if (width == 0 || width != width_of(type, width)) return "a column's width is not its type's";
        if (offset % POS_FORM_ALIGNMENT != POS_FORM_REST) return "a column is not aligned";
        if (offset < columns_begin || offset > heap_offset) return "a column lies outside";
        if ((uint64_t)count * width > heap_offset - offset) return "a column runs past its end";
    }
    return NULL;
}

static const char *header_fault(const uint8_t *value, size_t size)
{
    if (size < POS_LMDB_PAGE - POS_LMDB_HEADER) return "the value is smaller than a page";
    if ((size + POS_LMDB_HEADER) % POS_LMDB_PAGE != 0) return "the value is not whole LMDB pages";
    if (!pos_equal(value, POS_FORM_MAGIC, 8)) return "the magic is not a page's";
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
    const size_t columns = pos_load_u32_le(value + AT_COLUMNS);
    if (!pos_form_is_own_count(columns)) return false;
    for (size_t index = 0; index < columns; index++) {
        const uint8_t *at = directory_at(value, index);
        if (!pos_equal(at, COLUMNS[index].name, POS_FORM_NAME_SIZE)) return false;
        if (at[POS_FORM_NAME_SIZE] != COLUMNS[index].type) return false;
        if (pos_load_u16_le(at + POS_FORM_NAME_SIZE + 2) != COLUMNS[index].width) return false;
    }
    return true;
}

/* The directory that this build would write for so many entries, to the byte: then every column lies
 * where it may, and nothing else is to be judged. A scan judges thousands of pages a second. */
static bool is_own_directory(const uint8_t *value, uint32_t count, size_t heap_offset)
{
    const size_t columns = pos_load_u32_le(value + AT_COLUMNS);
    if (!pos_form_is_own_count(columns)) return false;
    size_t offset = pos_form_aligned(pos_form_directory_end(columns));
    uint64_t differences = 0;
    for (size_t index = 0; index < columns; index++) {
        const column_form *form = &COLUMNS[index];
        const uint8_t *name = (const uint8_t *)form->name;
        const uint8_t *at = directory_at(value, index);
        const uint64_t rest = form->type | (uint64_t)form->width << 16 | (uint64_t)offset << 32;
        differences |= pos_load_u64_le(at) ^ pos_load_u64_le(name);
        differences |= pos_load_u64_le(at + 8) ^ pos_load_u64_le(name + 8);
        differences |= pos_load_u64_le(at + POS_FORM_NAME_SIZE) ^ rest;
        offset = pos_form_aligned(offset + (size_t)count * form->width);
    }
    return differences == 0 && offset == heap_offset;
}

pos_status pos_page_read(const uint8_t *value, size_t size, pos_page *page_out, char *words_out)
{
    assert(value != NULL);
    assert(page_out != NULL);
    const char *fault = header_fault(value, size);
    const uint32_t version = fault == NULL ? pos_load_u32_le(value + AT_VERSION) : POS_FORM_VERSION;
    if (version < POS_FORM_VERSION_FIRST || version > POS_FORM_VERSION) {
        pos_words(words_out, "the page has format version %u; this build reads %u to %u", version,
                  POS_FORM_VERSION_FIRST, POS_FORM_VERSION);
        return POS_JOURNAL_FORMAT;
    }
    const uint32_t count = fault == NULL ? pos_load_u32_le(value + AT_COUNT) : 0;
    const bool is_own =
        fault == NULL && is_own_directory(value, count, pos_load_u32_le(value + AT_HEAP));
    if (fault == NULL && !is_own) {
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
        .is_usual = is_own || is_usual(value),
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
    pos_page_digest(value, size, digest);
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
    if (index < columns && pos_equal(directory_at(value, index), name, POS_FORM_NAME_SIZE)) {
        return directory_at(value, index);
    }
    for (uint32_t other = 0; other < columns; other++) {
        const uint8_t *at = directory_at(value, other);
        if (pos_equal(at, name, POS_FORM_NAME_SIZE)) return at;
    }
    return NULL;
}

pos_status pos_column_form(size_t index, pos_column *column_out)
{
    assert(column_out != NULL);
    if (index >= POS_FORM_COLUMNS) return POS_ARGUMENT;
    const column_form *form = &COLUMNS[index];
    *column_out = (pos_column){
        .name = form->name, .type = (pos_column_type)form->type, .width = form->width};
    return POS_OK;
}

pos_status pos_page_column(const pos_page *page, size_t index, pos_column *column_out)
{
    assert(page != NULL);
    assert(column_out != NULL);
    if (index >= POS_FORM_COLUMNS) return POS_ARGUMENT;
    const column_form *form = &COLUMNS[index];
    pos_column column = {.name = form->name, .type = (pos_column_type)form->type, .width = form->width};
    const uint8_t *at = column_entry(page->data, index);
    if (at != NULL) {
        if (at[POS_FORM_NAME_SIZE] != form->type || pos_load_u16_le(at + POS_FORM_NAME_SIZE + 2) != form->width) {
            return POS_JOURNAL_FORMAT;
        }
        column.data = page->data + pos_load_u32_le(at + POS_FORM_NAME_SIZE + 4);
    }
    *column_out = column;
    return POS_OK;
}

pos_status pos_page_column_named(const pos_page *page, const char *name, pos_column *column_out)
{
    assert(name != NULL);
    for (size_t index = 0; index < POS_FORM_COLUMNS; index++) {
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
    for (size_t number = 0; number < POS_FORM_COLUMNS_PLAIN; number++) {
        pos_column column;
        const pos_status status = pos_page_column(page, number, &column);
        if (status != POS_OK) return status;
        const column_form *form = &COLUMNS[number];
        const uint8_t *from =
            column.data == NULL ? NULL : column.data + (size_t)index * form->width;
        if (form->row == NOWHERE) {
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
    for (size_t number = 0; number < POS_FORM_COLUMNS_PLAIN; number++) {
        const column_form *form = &COLUMNS[number];
        const uint8_t *at = directory_at(page->data, number);
        const size_t offset = pos_load_u32_le(at + POS_FORM_NAME_SIZE + 4);
        const uint8_t *from = page->data + offset + (size_t)index * form->width;
        uint8_t *to =
            form->row == NOWHERE ? (uint8_t *)heap_offset : (uint8_t *)entry + form->row;
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
 * The minute of a moment, moved so that its calendar date is the business date. A cutover in the first
 * half of the day ends yesterday's date (at 02:00, one in the morning still is yesterday); one in the
 * second half begins tomorrow's (at 23:00, half past eleven at night is tomorrow); at 00:00 both say
 * the calendar's.
 */
static int64_t business_minute(int64_t received_at_ns, int32_t zone_offset_minute,
                               uint32_t cutover_minute)
{
    assert(cutover_minute < DAY_MINUTES);
    int64_t minute = received_at_ns / MINUTE_NS - (received_at_ns % MINUTE_NS < 0 ? 1 : 0);
    minute += zone_offset_minute - (int64_t)cutover_minute;
    if (cutover_minute >= DAY_MINUTES / 2) minute += DAY_MINUTES;
    return minute;
}

int32_t pos_business_date(int64_t received_at_ns, int32_t zone_offset_minute,
                          uint32_t cutover_minute)
{
    const int64_t minute = business_minute(received_at_ns, zone_offset_minute, cutover_minute);
    const time_t seconds = (time_t)(minute * 60);
    struct tm date;
    if (gmtime_r(&seconds, &date) == NULL) return 0;
    return (date.tm_year + 1900) * 10000 + (date.tm_mon + 1) * 100 + date.tm_mday;
}

int64_t pos_business_date_end_ns(int64_t received_at_ns, int32_t zone_offset_minute,
                                 uint32_t cutover_minute)
{
    const int64_t minute = business_minute(received_at_ns, zone_offset_minute, cutover_minute);
    const int64_t into_day = (minute % DAY_MINUTES + DAY_MINUTES) % DAY_MINUTES;
    const int64_t into_minute = (received_at_ns % MINUTE_NS + MINUTE_NS) % MINUTE_NS;
    if (received_at_ns > INT64_MAX - DAY_MINUTES * MINUTE_NS) return INT64_MAX;
    return received_at_ns - into_minute + (DAY_MINUTES - into_day) * MINUTE_NS;
}
