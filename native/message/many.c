/*
 * Many messages at once, into columns: what analysis and tests of volume need.
 *
 *   buffer  [ message 0 | message 1 | ... ]        offsets  [ 0, a, b, ... ]  one more than messages
 *   columns mti[i] stan[i] amount[i] ...           one array a fact, the caller's
 *
 * Rules. A bad message marks its row and ends nothing. No array is touched before all offsets were
 * judged. Numbers that are no numbers (a blank amount) are 0: parse judges form, columns do not.
 */
#include "message/plan.h"

#include <assert.h>

static bool offsets_ascend(const uint64_t *offsets, size_t count, size_t size)
{
    for (size_t index = 0; index < count; index++) {
        if (offsets[index] > offsets[index + 1]) return false;
    }
    return offsets[count] <= size;
}

/* At most 18 digits; what is past `most` has no place in its column and is 0. */
static uint64_t number_of(const pos_spec *spec, const pos_message *message, pos_role role,
                          uint64_t most)
{
    pos_view view;
    uint64_t value;
    if (!pos_role_view(spec, message, role, &view)) return 0;
    return pos_view_number(&view, &value) && value <= most ? value : 0;
}

/* Blank-padded text of `size` characters; what is longer loses its end. */
static void text_of(const pos_spec *spec, const pos_message *message, pos_role role, char *text_out,
                    size_t size)
{
    pos_view view;
    uint8_t text[64];
    size_t count = 0;
    if (pos_role_view(spec, message, role, &view) && view.units <= sizeof text) {
        count = pos_view_text(&view, text);
    }
    for (size_t index = 0; index < size; index++) {
        text_out[index] = index < count ? (char)text[index] : ' ';
    }
}

static void facts_write(const pos_spec *spec, const pos_message *message, size_t row,
                        const pos_columns *columns)
{
    if (columns->mti != NULL) columns->mti[row] = message->mti;
    if (columns->bitmap != NULL) {
        columns->bitmap[2 * row] = message->bitmap[0];
        columns->bitmap[2 * row + 1] = message->bitmap[1];
    }
    if (columns->stan != NULL) {
        columns->stan[row] = number_of(spec, message, POS_ROLE_STAN, UINT64_MAX);
    }
    if (columns->amount_minor != NULL) {
        columns->amount_minor[row] =
            (int64_t)number_of(spec, message, POS_ROLE_AMOUNT, INT64_MAX);
    }
    if (columns->processing != NULL) {
        columns->processing[row] =
            (uint32_t)number_of(spec, message, POS_ROLE_PROCESSING, UINT32_MAX);
    }
    if (columns->tid != NULL) text_of(spec, message, POS_ROLE_TID, columns->tid + 8 * row, 8);
    if (columns->mid != NULL) text_of(spec, message, POS_ROLE_MID, columns->mid + 15 * row, 15);
    if (columns->rrn != NULL) text_of(spec, message, POS_ROLE_RRN, columns->rrn + 12 * row, 12);
    if (columns->response != NULL) {
        text_of(spec, message, POS_ROLE_RESPONSE, columns->response + 2 * row, 2);
    }
}

/* One row of places: zeros, then the fields that are there. */
static void places_write(const pos_message *message, size_t width, uint16_t *offsets,
                         uint16_t *sizes)
{
    if (offsets != NULL) pos_zero(offsets, width * sizeof *offsets);
    if (sizes != NULL) pos_zero(sizes, width * sizeof *sizes);
    for (unsigned word = 0; word < 2; word++) {
        for (uint64_t bits = message->bitmap[word]; bits != 0; bits &= bits - 1) {
            const unsigned field = 64 * word + (unsigned)__builtin_ctzll(bits) + 1;
            assert(field < width);
            if (offsets != NULL) offsets[field] = message->fields[field].offset;
            if (sizes != NULL) sizes[field] = message->fields[field].size;
        }
    }
}

static void row_write(const pos_spec *spec, const pos_message *message, const pos_fault *fault,
                      size_t row, const pos_columns *columns)
{
    facts_write(spec, message, row, columns);
    const size_t width = (size_t)spec->field_max + 1;
    places_write(message, width,
                 columns->field_offset == NULL ? NULL : columns->field_offset + width * row,
                 columns->field_size == NULL ? NULL : columns->field_size + width * row);
    if (columns->status != NULL) columns->status[row] = (uint8_t)fault->status;
    if (columns->fault_field != NULL) columns->fault_field[row] = fault->field;
    if (columns->fault_part != NULL) columns->fault_part[row] = fault->part;
    if (columns->fault_offset != NULL) columns->fault_offset[row] = fault->offset;
}

/* `cache` NULL: all plans are lent. */
static void row_read(const pos_spec *spec, pos_plan_cache *cache, plan_rows *rows, size_t row)
{
    pos_message message;
    pos_fault fault = {.status = POS_OK};
    const uint64_t size = rows->offsets[row + 1] - rows->offsets[row];
    pos_parse_job job = {
        .body = size == 0 ? NULL : rows->buffer + rows->offsets[row], .size = (uint32_t)size,
        .message = &message, .fault = &fault,
    };
    if (cache == NULL || size > spec->frame.size_max) {
        job.status = pos_message_parse_table(spec, job.body, (size_t)size, &message, &fault);
    } else {
        pos_message_parse_wave(cache, &job, 1);
    }
    rows->good += job.status == POS_OK;
    row_write(spec, &message, &fault, row, rows->columns);
}

void pos_plan_row_slow(pos_plan_cache *cache, plan_rows *rows, size_t row)
{
    row_read(cache->spec, cache, rows, row);
}

void pos_plan_rows(pos_plan_cache *cache, const pos_spec *spec, plan_rows *rows)
{
    if (cache != NULL) {
        assert(cache->spec == spec);
        cache->rows(cache, rows);
        return;
    }
    for (size_t row = 0; row < rows->count; row++) row_read(spec, NULL, rows, row);
}

pos_status pos_message_parse_many(const pos_spec *spec, const uint8_t *buffer, size_t size,
                                  const uint64_t *offsets, size_t count,
                                  const pos_columns *columns, size_t *good_out)
{
    assert(spec != NULL && columns != NULL && good_out != NULL);
    assert(buffer != NULL || size == 0);
    assert(offsets != NULL);

    if (!offsets_ascend(offsets, count, size)) return POS_ARGUMENT;
    plan_rows rows = {.buffer = buffer, .offsets = offsets, .columns = columns, .count = count};
    pos_plan_cache *cache = pos_plan_borrow(spec);
    pos_plan_rows(cache, spec, &rows);
    if (cache != NULL) pos_plan_give_back(spec, cache);
    *good_out = rows.good;
    return POS_OK;
}
