/*
 * The form of a page as page.c (which reads) and assemble.c (which writes) share it: where things are
 * in the header, and the columns in the order in which they lie. The drawing is in page.c.
 */
#ifndef POS_JOURNAL_FORM_H
#define POS_JOURNAL_FORM_H

#include "journal/parts.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "rows are copied into columns as they are");

#define POS_FORM_VERSION 2U
#define POS_FORM_VERSION_FIRST 1U /* still read; its digest is one SHA-256 */
#define POS_FORM_NAME_SIZE 16U
#define POS_FORM_ENTRY_SIZE 24U /* of the directory */
#define POS_FORM_ALIGNMENT 64U
#define POS_FORM_REST (POS_FORM_ALIGNMENT - POS_LMDB_HEADER)
#define POS_FORM_MAGIC "POSPAGE\n"

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

/* COLUMN(name, type, width, member of pos_entry); DERIVED(name, type, width) has no place in a row. */
#define POS_COLUMNS(COLUMN, DERIVED) \
    COLUMN("received_at", I64, 8, received_at_ns)    \
    COLUMN("terminal_at", I64, 8, terminal_at_ns)    \
    COLUMN("amount", I64, 8, amount_minor)           \
    COLUMN("original", U64, 8, original)             \
    COLUMN("staged_after", U32, 4, staged_after_us)  \
    COLUMN("flags", U32, 4, flags)                   \
    COLUMN("processing", U32, 4, processing)         \
    COLUMN("stan", U32, 4, stan)                     \
    COLUMN("batch", U32, 4, batch)                   \
    COLUMN("original_batch", U32, 4, original_batch) \
    COLUMN("original_stan", U32, 4, original_stan)   \
    COLUMN("bin", U32, 4, bin)                       \
    COLUMN("line", U32, 4, line)                     \
    DERIVED("heap_offset", U32, 4)                   \
    COLUMN("request_size", U32, 4, request_size)     \
    COLUMN("answer_size", U32, 4, answer_size)       \
    COLUMN("last4", U16, 2, last4)                   \
    COLUMN("mti", U16, 2, mti)                       \
    COLUMN("currency", U16, 2, currency)             \
    COLUMN("entry_mode", U16, 2, entry_mode)         \
    COLUMN("network", U16, 2, network)               \
    COLUMN("kind", U8, 1, kind)                      \
    COLUMN("outcome", U8, 1, outcome)                \
    COLUMN("type", U8, 1, type)                      \
    COLUMN("condition", U8, 1, condition)            \
    COLUMN("requirement", U8, 1, requirement)        \
    COLUMN("response", TEXT, 2, response)            \
    COLUMN("reason", TEXT, 2, reason)                \
    COLUMN("tid", TEXT, 8, tid)                      \
    COLUMN("mid", TEXT, 15, mid)                     \
    COLUMN("rrn", TEXT, 12, rrn)                     \
    COLUMN("original_rrn", TEXT, 12, original_rrn)   \
    COLUMN("auth", TEXT, 6, auth)                    \
    COLUMN("operator", TEXT, 3, operator_id)         \
    COLUMN("pan_token", BYTES, 16, pan_token)        \
    COLUMN("fingerprint", BYTES, 16, fingerprint)    \
    COLUMN("why", U8, 1, why)
/* "why" is absent from pages of the first build: 0, NONE. */

/* Behind them, in pages of a journal that keeps account numbers (pan.c), and in no row. */
#define POS_PAN_COLUMN "pan_cipher"

#define POS_FORM_ONE(name, type, width, member) +1U
#define POS_FORM_ONE_DERIVED(name, type, width) +1U
enum {
    POS_FORM_COLUMNS_PLAIN = 0U POS_COLUMNS(POS_FORM_ONE, POS_FORM_ONE_DERIVED),
    POS_FORM_COLUMNS = POS_FORM_COLUMNS_PLAIN + 1U
};

/* The next offset from `offset` on that is 64-byte aligned in memory. */
static inline size_t pos_form_aligned(size_t offset)
{
    return (offset + POS_FORM_ALIGNMENT - 1 - POS_FORM_REST) / POS_FORM_ALIGNMENT * POS_FORM_ALIGNMENT
           + POS_FORM_REST;
}

static inline size_t pos_form_directory_end(size_t columns)
{
    return POS_PAGE_HEADER_SIZE + columns * POS_FORM_ENTRY_SIZE;
}

/* By the version in the value's header. In page.c. */
void pos_page_digest(const uint8_t *value, size_t size, uint8_t digest_out[32]);

/* As many as this build writes, without account numbers or with them. */
static inline bool pos_form_is_own_count(size_t columns)
{
    return columns == POS_FORM_COLUMNS_PLAIN || columns == POS_FORM_COLUMNS;
}

/* All columns of one row, and what aligning every column and the heap adds at most. */
#define POS_FORM_ROW_WIDTH_MAX 256U
#define POS_FORM_FIXED_MAX                                                            \
    (POS_PAGE_HEADER_SIZE + (size_t)POS_FORM_COLUMNS * POS_FORM_ENTRY_SIZE            \
     + ((size_t)POS_FORM_COLUMNS + 2) * POS_FORM_ALIGNMENT + POS_LMDB_HEADER)

/* At least what the value takes, with its LMDB header, in a few instructions: for reserving. */
static inline size_t pos_page_size_bound(uint32_t count, size_t heap_size)
{
    return POS_FORM_FIXED_MAX + (size_t)count * POS_FORM_ROW_WIDTH_MAX + heap_size;
}

#endif
