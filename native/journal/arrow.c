/*
 * The journal as Arrow, without Arrow: the structures of its C data interface over the map.
 *
 *   stream ──▶ batch (a page) ──▶ child (a column) ──▶ buffers: the map, or the batch's own
 *      │            │                  │
 *      └────────────┴──── keeper ◀─────┘   counts who is left; the last one tells the owner
 *
 * A consumer may keep a batch after its stream, a column after its batch, and release each in any
 * thread: so a batch lives until it and all of its columns are released, and the keeper until the
 * stream and all batches are. What is not in the map is made once a stream (offsets of texts, the
 * dictionaries) or once a batch (sequence, date, which times are null).
 */
#include "posengine/arrow.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/parts.h"

#define FIELDS_MAX 48U
#define WORDS 256U /* of a dictionary: whatever a byte may say has a word */
#define WORD_SIZE_MAX 24U
#define WIDTH_MAX 16U /* of a text */

typedef enum field_shape {
    SHAPE_FIXED,    /* the map's bytes */
    SHAPE_MOMENT,   /* a time; 0 is null */
    SHAPE_TEXT,     /* the map's bytes, offsets of the keeper */
    SHAPE_WORD,     /* a byte of the map, a dictionary of the keeper */
    SHAPE_SEQUENCE, /* the batch's own */
    SHAPE_DATE
} field_shape;

typedef struct field {
    const char *name;
    const char *format;
    field_shape shape;
    size_t column; /* of the page */
    uint32_t width;
} field;

typedef struct dictionary {
    int32_t offsets[WORDS + 1];
    char data[WORDS * WORD_SIZE_MAX];
} dictionary;

typedef struct keeper {
    _Atomic uint32_t count;
    void (*released)(void *context);
    void *context;
    int32_t *offsets[WIDTH_MAX + 1]; /* 0, width, 2 * width, ...: of every text column in use */
    dictionary kinds;
    dictionary outcomes;
} keeper;

/* ---- fields -------------------------------------------------------------------------------------- */
static const char *const FORMATS[] = {
    [POS_COLUMN_I64] = "l", [POS_COLUMN_U64] = "L", [POS_COLUMN_U32] = "I", [POS_COLUMN_U16] = "S",
    [POS_COLUMN_U8] = "C",  [POS_COLUMN_TEXT] = "u", [POS_COLUMN_BYTES] = "w:16",
};

/* Column `index` of a page as a field; false for those that only say where the heap is, and for
 * enciphered account numbers, which are for nobody to query. */
static bool field_of_column(size_t index, field *field_out)
{
    pos_column column;
    if (pos_column_form(index, &column) != POS_OK) return false;
    const char *name = column.name;
    if (strcmp(name, "heap_offset") == 0 || strcmp(name, "request_size") == 0
        || strcmp(name, "answer_size") == 0 || strcmp(name, "pan_cipher") == 0) {
        return false;
    }
    *field_out = (field){name, FORMATS[column.type], SHAPE_FIXED, index, column.width};
    if (column.type == POS_COLUMN_TEXT) field_out->shape = SHAPE_TEXT;
    if (strcmp(name, "received_at") == 0) field_out->format = "tsn:UTC";
    if (strcmp(name, "terminal_at") == 0) {
        field_out->format = "tsn:UTC";
        field_out->shape = SHAPE_MOMENT;
    }
    if (strcmp(name, "kind") == 0 || strcmp(name, "outcome") == 0) field_out->shape = SHAPE_WORD;
    return true;
}

static bool field_at(size_t wanted, field *field_out)
{
    if (wanted == 0) *field_out = (field){"sequence", "L", SHAPE_SEQUENCE, 0, 8};
    if (wanted == 1) *field_out = (field){"business_date", "tdD", SHAPE_DATE, 0, 4};
    if (wanted < 2) return true;
    size_t found = 2;
    for (size_t index = 0; index < pos_column_count(); index++) {
        if (field_of_column(index, field_out) && found++ == wanted) return true;
    }
    return false;
}

size_t pos_arrow_field_count(void)
{
    field one;
    size_t count = 0;
    while (field_at(count, &one)) count++;
    assert(count <= FIELDS_MAX);
    return count;
}

const char *pos_arrow_field_name(size_t index)
{
    field one;
    return field_at(index, &one) ? one.name : NULL;
}

/* ---- what all batches of a stream share ---------------------------------------------------------- */
static void keeper_leave(keeper *kept)
{
    if (atomic_fetch_sub(&kept->count, 1U) > 1) return;
    for (size_t width = 0; width <= WIDTH_MAX; width++) free(kept->offsets[width]);
    void (*released)(void *) = kept->released;
    void *context = kept->context;
    free(kept);
    if (released != NULL) released(context);
}

static const char *outcome_word(unsigned outcome)
{
    static const char *const NAMES[POS_OUTCOME_COUNT] = {
        "NONE", "APPROVED", "DECLINED", "REPEAT", "REFUSED", "NOTED"};
    return outcome < POS_OUTCOME_COUNT ? NAMES[outcome] : NULL;
}

static const char *kind_word(unsigned kind)
{
    return kind < POS_KIND_COUNT ? pos_kind_name(kind) : NULL;
}

/* A later build's numbers are words too: "KIND_77". */
static void fill_dictionary(dictionary *words, const char *(*word_of)(unsigned), const char *other)
{
    size_t offset = 0;
    for (unsigned number = 0; number < WORDS; number++) {
        const char *word = word_of(number);
        char made[WORD_SIZE_MAX];
        if (word == NULL) {
            (void)snprintf(made, sizeof made, "%s_%u", other, number);
            word = made;
        }
        const size_t size = strlen(word);
        assert(size < WORD_SIZE_MAX);
        words->offsets[number] = (int32_t)offset;
        pos_copy(words->data + offset, word, size);
        offset += size;
    }
    words->offsets[WORDS] = (int32_t)offset;
}

static bool keep_offsets(keeper *kept, uint32_t width)
{
    assert(width <= WIDTH_MAX);
    if (kept->offsets[width] != NULL) return true;
    int32_t *offsets = malloc((POS_PAGE_ENTRIES_MAX + 1) * sizeof *offsets);
    if (offsets == NULL) return false;
    for (uint32_t row = 0; row <= POS_PAGE_ENTRIES_MAX; row++) offsets[row] = (int32_t)(row * width);
    kept->offsets[width] = offsets;
    return true;
}

/* ---- the stream ---------------------------------------------------------------------------------- */
typedef struct stream_state {
    pos_journal *journal;
    keeper *kept;
    uint64_t next; /* sequence */
    uint64_t until;
    size_t field_count;
    field fields[FIELDS_MAX];
    char words[POS_WORDS_SIZE];
} stream_state;

/* ---- schemas: one block, counted by the parts that are not released ------------------------------- */
typedef struct schema_block {
    _Atomic uint32_t count;
    size_t field_count;
    struct ArrowSchema children[FIELDS_MAX];
    struct ArrowSchema words[FIELDS_MAX]; /* of dictionaries */
    struct ArrowSchema *pointers[FIELDS_MAX];
} schema_block;

static void schema_leave(schema_block *block)
{
    if (atomic_fetch_sub(&block->count, 1U) == 1) free(block);
}

static void release_schema(struct ArrowSchema *schema)
{
    for (int64_t index = 0; index < schema->n_children; index++) {
        struct ArrowSchema *child = schema->children[index];
        if (child->release != NULL) child->release(child); /* unless it was moved away */
    }
    if (schema->dictionary != NULL && schema->dictionary->release != NULL) {
        schema->dictionary->release(schema->dictionary);
    }
    schema_block *block = schema->private_data;
    schema->release = NULL;
    schema_leave(block);
}

static void schema_part(schema_block *block, struct ArrowSchema *part, const char *name,
                        const char *format, bool is_nullable)
{
    *part = (struct ArrowSchema){
        .format = format,
        .name = name,
        .flags = is_nullable ? ARROW_FLAG_NULLABLE : 0,
        .release = release_schema,
        .private_data = block,
    };
    atomic_fetch_add(&block->count, 1U);
}

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *schema_out)
{
    const stream_state *state = stream->private_data;
    schema_block *block = calloc(1, sizeof *block);
    if (block == NULL) return ENOMEM;
    for (size_t index = 0; index < state->field_count; index++) {
        const field *form = &state->fields[index];
        struct ArrowSchema *child = &block->children[index];
        schema_part(block, child, form->name, form->format, form->shape == SHAPE_MOMENT);
        if (form->shape == SHAPE_WORD) {
            schema_part(block, &block->words[index], "", "u", false);
            child->dictionary = &block->words[index];
        }
        block->pointers[index] = child;
    }
    schema_part(block, schema_out, "", "+s", false);
    schema_out->n_children = (int64_t)state->field_count;
    schema_out->children = block->pointers;
    return 0;
}

/* ---- batches ------------------------------------------------------------------------------------- */
typedef struct batch {
    _Atomic uint32_t count; /* parts that are not released */
    keeper *kept;
    const void *none[1]; /* the struct's own validity: it has none */
    struct ArrowArray children[FIELDS_MAX];
    struct ArrowArray words[FIELDS_MAX];
    struct ArrowArray *pointers[FIELDS_MAX];
    const void *buffers[FIELDS_MAX][3];
    const void *word_buffers[FIELDS_MAX][3];
    void *own[FIELDS_MAX];  /* buffers that are not the map's */
    void *nulls[FIELDS_MAX];
} batch;

static void batch_leave(batch *held)
{
    if (atomic_fetch_sub(&held->count, 1U) > 1) return;
    for (size_t index = 0; index < FIELDS_MAX; index++) {
        free(held->own[index]);
        free(held->nulls[index]);
    }
    keeper_leave(held->kept);
    free(held);
}

static void release_array(struct ArrowArray *array)
{
    for (int64_t index = 0; index < array->n_children; index++) {
        struct ArrowArray *child = array->children[index];
        if (child->release != NULL) child->release(child);
    }
    if (array->dictionary != NULL && array->dictionary->release != NULL) {
        array->dictionary->release(array->dictionary);
    }
    batch *held = array->private_data;
    array->release = NULL;
    batch_leave(held);
}

static void array_part(batch *held, struct ArrowArray *part, int64_t length, int64_t offset,
                       const void **buffers, int64_t buffer_count)
{
    *part = (struct ArrowArray){
        .length = length,
        .offset = offset,
        .n_buffers = buffer_count,
        .buffers = buffers,
        .release = release_array,
        .private_data = held,
    };
    atomic_fetch_add(&held->count, 1U);
}

/* Days from 1970-01-01 to a date written as 20261121 (civil days; years begin in March). */
static int32_t days_of(int32_t date)
{
    const int32_t month = date / 100 % 100;
    const int32_t year = date / 10000 - (month <= 2 ? 1 : 0);
    const int32_t era = year / 400;
    const int32_t of_era = year - era * 400;
    const int32_t day = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + date % 100 - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day - 719468;
}

static bool is_ascii(const uint8_t *bytes, size_t size)
{
    uint8_t seen = 0;
    for (size_t index = 0; index < size; index++) seen |= bytes[index];
    return seen < 0x80;
}

/* What a page has no column for, or none that can be lent as it is: made anew. NULL: no memory. */
static const uint8_t *own_buffer(const field *form, const pos_page *page, const uint8_t *column)
{
    uint8_t *made = malloc((size_t)page->count * form->width);
    if (made == NULL) return NULL;
    for (uint32_t row = 0; row < page->count; row++) {
        uint8_t *at = made + (size_t)row * form->width;
        if (form->shape == SHAPE_SEQUENCE) {
            pos_store_u64_le(at, page->first_sequence + row);
        } else if (form->shape == SHAPE_DATE) {
            pos_store_u32_le(at, (uint32_t)days_of(page->business_date));
        } else {
            for (uint32_t byte = 0; byte < form->width; byte++) {
                const uint8_t absent = form->shape == SHAPE_TEXT ? ' ' : 0;
                const uint8_t there = column == NULL ? absent : column[(size_t)row * form->width + byte];
                at[byte] = there < 0x80 ? there : '?'; /* utf8 knows no such byte alone */
            }
        }
    }
    return made;
}

/* A bit a row, 1 where the time is said; of the batch's rows those that say nothing are counted. */
static uint8_t *moments_said(const pos_page *page, const uint8_t *times, uint32_t offset,
                             int64_t length, int64_t *null_count_out)
{
    uint8_t *bits = calloc(1, page->count / 8 + 1);
    if (bits == NULL) return NULL;
    *null_count_out = 0;
    for (uint32_t row = 0; row < page->count; row++) {
        const bool is_said = pos_load_u64_le(times + (size_t)row * 8) != 0;
        if (is_said) bits[row / 8] = (uint8_t)(bits[row / 8] | 1U << row % 8);
        else if (row >= offset && row - offset < length) (*null_count_out)++;
    }
    return bits;
}

static pos_status lend_column(batch *held, size_t index, const field *form, const pos_page *page,
                              uint32_t offset, int64_t length)
{
    struct ArrowArray *child = &held->children[index];
    const void **buffers = held->buffers[index];
    pos_column column = {.data = NULL};
    const bool is_derived = form->shape == SHAPE_SEQUENCE || form->shape == SHAPE_DATE;
    if (!is_derived) {
        const pos_status status = pos_page_column(page, form->column, &column);
        if (status != POS_OK) return status;
    }
    const uint8_t *data = column.data;
    const bool is_lent =
        data != NULL
        && (form->shape != SHAPE_TEXT || is_ascii(data, (size_t)page->count * form->width));
    if (!is_lent) data = held->own[index] = (void *)own_buffer(form, page, column.data);
    if (data == NULL) return POS_MEMORY;

    const bool is_text = form->shape == SHAPE_TEXT;
    buffers[1] = is_text ? (const void *)held->kept->offsets[form->width] : data;
    buffers[2] = is_text ? data : NULL;
    array_part(held, child, length, offset, buffers, is_text ? 3 : 2);
    if (form->shape == SHAPE_MOMENT) {
        held->nulls[index] = moments_said(page, data, offset, length, &child->null_count);
        if (held->nulls[index] == NULL) return POS_MEMORY;
        buffers[0] = held->nulls[index];
    }
    if (form->shape == SHAPE_WORD) {
        const bool is_kind = strcmp(form->name, "kind") == 0;
        const dictionary *words = is_kind ? &held->kept->kinds : &held->kept->outcomes;
        held->word_buffers[index][1] = words->offsets;
        held->word_buffers[index][2] = words->data;
        array_part(held, &held->words[index], WORDS, 0, held->word_buffers[index], 3);
        child->dictionary = &held->words[index];
    }
    held->pointers[index] = child;
    return POS_OK;
}

static pos_status lend_page(const stream_state *state, const pos_page *page,
                            struct ArrowArray *array_out)
{
    batch *held = calloc(1, sizeof *held);
    if (held == NULL) return POS_MEMORY;
    held->kept = state->kept;
    atomic_fetch_add(&held->kept->count, 1U);
    atomic_store(&held->count, 1U); /* this function's */
    const uint64_t last = page->first_sequence + page->count - 1;
    const uint64_t from = state->next > page->first_sequence ? state->next : page->first_sequence;
    const uint64_t to = state->until < last ? state->until : last;
    const uint32_t offset = (uint32_t)(from - page->first_sequence);
    const int64_t length = (int64_t)(to - from + 1);
    struct ArrowArray array;
    array_part(held, &array, length, 0, held->none, 1);
    array.children = held->pointers;
    pos_status status = POS_OK;
    for (size_t index = 0; index < state->field_count && status == POS_OK; index++) {
        status = lend_column(held, index, &state->fields[index], page, offset, length);
        if (status == POS_OK) array.n_children++;
        else if (held->children[index].release != NULL) held->children[index].release(&held->children[index]);
    }
    if (status == POS_OK) *array_out = array;
    else array.release(&array);
    batch_leave(held);
    return status;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *array_out)
{
    stream_state *state = stream->private_data;
    pos_page page;
    pos_status status = POS_JOURNAL_END;
    if (state->next <= state->until) status = pos_journal_page(state->journal, state->next, &page);
    if (status == POS_OK && page.first_sequence > state->until) status = POS_JOURNAL_END;
    if (status == POS_JOURNAL_END) {
        *array_out = (struct ArrowArray){.release = NULL}; /* says: no more */
        return 0;
    }
    if (status == POS_OK) status = lend_page(state, &page, array_out);
    if (status == POS_OK) {
        state->next = page.first_sequence + page.count;
        return 0;
    }
    pos_words(state->words, "%s: page of %llu: %s", pos_status_name(status),
              (unsigned long long)state->next, pos_status_text(status));
    return status == POS_MEMORY ? ENOMEM : EIO;
}

static const char *get_last_error(struct ArrowArrayStream *stream)
{
    const stream_state *state = stream->private_data;
    return state->words[0] == '\0' ? NULL : state->words;
}

static void release_stream(struct ArrowArrayStream *stream)
{
    stream_state *state = stream->private_data;
    keeper *kept = state->kept;
    free(state);
    stream->release = NULL;
    keeper_leave(kept);
}

/* ---- made ---------------------------------------------------------------------------------------- */
static pos_status choose_fields(stream_state *state, const pos_arrow_options *options)
{
    const size_t all = pos_arrow_field_count();
    state->field_count = options->fields == NULL ? all : options->field_count;
    if (state->field_count == 0 || state->field_count > FIELDS_MAX) return POS_ARGUMENT;
    for (size_t index = 0; index < state->field_count; index++) {
        const size_t wanted = options->fields == NULL ? index : options->fields[index];
        field *form = &state->fields[index];
        if (!field_at(wanted, form)) return POS_ARGUMENT;
        const bool is_text = form->shape == SHAPE_TEXT;
        if (is_text && !keep_offsets(state->kept, form->width)) return POS_MEMORY;
    }
    return POS_OK;
}

pos_status pos_journal_arrow(pos_journal *journal, const pos_arrow_options *options,
                             struct ArrowArrayStream *stream_out)
{
    assert(journal != NULL);
    assert(options != NULL && stream_out != NULL);
    pos_status status = pos_journal_usable(journal);
    if (status != POS_OK) return status;
    stream_state *state = calloc(1, sizeof *state);
    keeper *kept = calloc(1, sizeof *kept);
    if (state == NULL || kept == NULL) {
        free(state);
        free(kept);
        return POS_MEMORY;
    }
    atomic_store(&kept->count, 1U);
    state->journal = journal;
    state->kept = kept;
    state->next = options->after + 1;
    const uint64_t visible = pos_journal_visible(journal);
    state->until = options->until == 0 || options->until > visible ? visible : options->until;
    fill_dictionary(&kept->kinds, kind_word, "KIND");
    fill_dictionary(&kept->outcomes, outcome_word, "OUTCOME");
    status = choose_fields(state, options);
    if (status != POS_OK) {
        free(state);
        keeper_leave(kept);
        return status;
    }
    kept->released = options->released;
    kept->context = options->context;
    *stream_out = (struct ArrowArrayStream){get_schema, get_next, get_last_error, release_stream, state};
    return POS_OK;
}
