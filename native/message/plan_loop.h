/*
 * What every path does with a plan, but for four steps that each has its own way of:
 *
 *   sums_read       the steps, the content, the layouts; what the steps took
 *   message_write   head and places of the fields
 *   numbers_write   pos_numbers
 *   places_write    a row of offsets and one of sizes for the columns; NULL: not wanted
 *
 * A path's file defines plan_sums and these four, then includes this.
 */
#ifndef POS_MESSAGE_PLAN_LOOP_H
#define POS_MESSAGE_PLAN_LOOP_H

#include "message/plan.h"

/* ---- messages ---------------------------------------------------------------------------------------- */
static inline bool job_run(pos_plan_cache *cache, const pos_plan *plan, pos_parse_job *job)
{
    plan_sums sums;
    if (!sums_read(cache, plan, job->body, job->size, &sums)) return false;
    message_write(plan, &sums, job->body, job->size, job->message);
    if (plan->has_walks && !pos_plan_walks_hold(cache->spec, plan, job->message)) return false;
    if (job->numbers != NULL) {
        numbers_write(plan, &sums, job->body, job->numbers);
        if (plan->has_numbers_late) pos_numbers_read(cache->spec, job->message, job->numbers);
    }
    job->status = POS_OK;
    job->shape = plan->shape;
    return true;
}

static inline void wave_run(pos_plan_cache *cache, pos_parse_job *jobs, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        pos_parse_job *job = &jobs[index];
        const pos_plan *plan = plan_find(cache, job->body, job->size);
        if (plan == NULL || !job_run(cache, plan, job)) pos_plan_slow(cache, job);
    }
}

/* ---- columns ------------------------------------------------------------------------------------------ */
/* Where the text is as long as its column, a move of a known size. */
static inline void text_put(char *to, const uint8_t *body, const plan_text *text,
                            const uint32_t *taken, size_t width)
{
    const uint8_t *from = body + text->base + taken[text->after];
    if (text->size == width) {
        pos_copy(to, from, width);
        return;
    }
    for (size_t index = 0; index < width; index++) {
        to[index] = index < text->size ? (char)from[index] : ' ';
    }
}

static inline void facts_put(const pos_plan *plan, const plan_sums *sums, const uint8_t *body,
                             size_t row, const pos_columns *columns)
{
    const uint32_t *taken = sums->taken;
    if (columns->mti != NULL) columns->mti[row] = plan->mti;
    if (columns->bitmap != NULL) {
        columns->bitmap[2 * row] = plan->bitmap[0];
        columns->bitmap[2 * row + 1] = plan->bitmap[1];
    }
    if (columns->stan != NULL || columns->amount_minor != NULL || columns->processing != NULL) {
        pos_numbers numbers;
        numbers_write(plan, sums, body, &numbers);
        if (columns->stan != NULL) columns->stan[row] = numbers.stan;
        if (columns->amount_minor != NULL) columns->amount_minor[row] = (int64_t)numbers.amount;
        if (columns->processing != NULL) {
            const bool has_place = numbers.processing <= UINT32_MAX;
            columns->processing[row] = has_place ? (uint32_t)numbers.processing : 0;
        }
    }
    if (columns->tid != NULL) text_put(columns->tid + 8 * row, body, &plan->texts[0], taken, 8);
    if (columns->mid != NULL) text_put(columns->mid + 15 * row, body, &plan->texts[1], taken, 15);
    if (columns->rrn != NULL) text_put(columns->rrn + 12 * row, body, &plan->texts[2], taken, 12);
    if (columns->response != NULL) {
        text_put(columns->response + 2 * row, body, &plan->texts[3], taken, 2);
    }
}

static inline bool row_run(pos_plan_cache *cache, const pos_plan *plan, const uint8_t *body,
                           uint32_t size, size_t row, const pos_columns *columns)
{
    plan_sums sums;
    if (!sums_read(cache, plan, body, size, &sums)) return false;
    facts_put(plan, &sums, body, row, columns);
    const size_t width = (size_t)cache->spec->field_max + 1;
    places_write(plan, &sums, width,
                 columns->field_offset == NULL ? NULL : columns->field_offset + width * row,
                 columns->field_size == NULL ? NULL : columns->field_size + width * row);
    if (columns->status != NULL) columns->status[row] = POS_OK;
    if (columns->fault_field != NULL) columns->fault_field[row] = 0;
    if (columns->fault_part != NULL) columns->fault_part[row] = 0;
    if (columns->fault_offset != NULL) columns->fault_offset[row] = 0;
    return true;
}

static inline void rows_run(pos_plan_cache *cache, plan_rows *rows)
{
    for (size_t row = 0; row < rows->count; row++) {
        const uint64_t size = rows->offsets[row + 1] - rows->offsets[row];
        const uint8_t *body = size == 0 ? NULL : rows->buffer + rows->offsets[row];
        const pos_plan *plan =
            size > UINT16_MAX ? NULL : plan_find(cache, body, (uint32_t)size);
        const bool is_done = plan != NULL && plan->is_columnar
                             && row_run(cache, plan, body, (uint32_t)size, row, rows->columns);
        if (is_done) rows->good++;
        else pos_plan_row_slow(cache, rows, row);
    }
}

#endif
