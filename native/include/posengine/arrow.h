/*
 * The journal as Arrow: a stream of record batches, one a page, whose buffers are the page's columns in
 * the map. Readers are whatever speaks the Arrow C data interface (DuckDB, polars, pyarrow, ...); no
 * library is needed here. Source: Apache Arrow, "The Arrow C data interface" and "C stream interface":
 * the three structures are an ABI, and their guards are the specification's.
 */
#ifndef POSENGINE_ARROW_H
#define POSENGINE_ARROW_H

#include "posengine/journal.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

#endif

/* Fields of a batch where all are wanted, and the name of one; NULL past the last. */
POS_API size_t pos_arrow_field_count(void);
POS_API const char *pos_arrow_field_name(size_t index);

typedef struct pos_arrow_options {
    uint64_t after;           /* entries after this sequence */
    uint64_t until;           /* up to this one; 0: to what is durable now */
    const size_t *fields;     /* which, in this order; NULL for all */
    size_t field_count;
    void (*released)(void *context); /* once: the stream and all its batches are gone; any thread */
    void *context;
} pos_arrow_options;

/*
 * A stream over the entries. Fields: `sequence`, `business_date`, then the page's columns but for those
 * that only say where the heap is. Numbers and times are the map's own bytes, texts are utf8 padded with
 * blanks, tokens are of 16 bytes, `kind` and `outcome` are words of a dictionary; `terminal_at` is null
 * where the terminal said nothing.
 *
 * Borrowing: the journal must not be closed before `released` was called.
 * Fails: ARGUMENT, MEMORY; the stream itself then is untouched, and `released` is not called.
 */
POS_API pos_status pos_journal_arrow(pos_journal *journal, const pos_arrow_options *options,
                                     struct ArrowArrayStream *stream_out);

#ifdef __cplusplus
}
#endif
#endif
