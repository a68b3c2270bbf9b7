/*
 * What every path does with a message, but for what each has its own way of:
 *
 *   cast_holds      whether a cast is the message's
 *   chunk_holds, pairs_hold, text_holds     content: of fixed fields, of a value's digits or characters
 *   message_write   head and places of the fields, without a cast
 *   numbers_write   pos_numbers; three_numbers_write: those of the columns alone
 *   places_write    a row of offsets and one of sizes for the columns, without a cast; NULL: not wanted
 *
 * A path's file defines these, then includes this.
 */
#ifndef POS_MESSAGE_PLAN_LOOP_H
#define POS_MESSAGE_PLAN_LOOP_H

#include "message/plan.h"

/* ---- by a plan --------------------------------------------------------------------------------------- */
static inline bool steps_take(const pos_plan *plan, const uint8_t *body, uint32_t size,
                              plan_sums *sums)
{
    uint32_t taken = 0;
    for (uint32_t index = 0; index < plan->step_count; index++) {
        uint32_t units;
        uint32_t bytes;
        if (!plan_step_take(&plan->steps[index], body, size, taken, &units, &bytes)) return false;
        sums->taken[index] = taken;
        taken += bytes;
        sums->steps[index] = (taken & 0xffff) | (uint64_t)bytes << 16 | (uint64_t)units << 32;
    }
    for (uint32_t index = plan->step_count; index <= POS_PLAN_STEP_MAX; index++) {
        sums->taken[index] = taken;
        sums->steps[index] = 0;
    }
    return plan->size + taken == size;
}

/* The value of one step: its content and its layout. */
static inline bool value_holds(const plan_step *step, const uint8_t *at, uint32_t units,
                               uint32_t size, const uint8_t *end)
{
    if (step->judge == PLAN_PAIRS && size > 0 && !pairs_hold(step, at, units, size, end)) return false;
    if (step->judge == PLAN_TEXT && !text_holds(step, at, size, end)) return false;
    if (step->layout == POS_JUDGE_SIZES) return ((step->sizes >> units) & 1U) != 0;
    return step->layout != POS_JUDGE_BER || pos_plan_chip_holds(at, size);
}

static inline bool sums_read(const pos_plan *plan, const uint8_t *body, uint32_t size, plan_sums *sums)
{
    const uint8_t *end = body + size; /* nothing behind it is read */
    if (!steps_take(plan, body, size, sums)) return false;
    for (uint32_t index = 0; index < plan->chunk_count; index++) {
        const plan_chunk *chunk = &plan->chunks[index];
        const uint8_t *at = body + chunk->base + sums->taken[chunk->after];
        if (!chunk_holds(chunk, &plan->bounds[index], at, end)) return false;
    }
    for (uint32_t index = 0; index < plan->step_count; index++) {
        const plan_step *step = &plan->steps[index];
        const uint64_t word = sums->steps[index];
        const uint8_t *at = body + step->base + step->prefix_size + sums->taken[index];
        if (!value_holds(step, at, (uint32_t)(word >> 32), word >> 16 & 0xffff, end)) return false;
    }
    return true;
}

/* ---- by a cast --------------------------------------------------------------------------------------- */
/* How a body was read. */
typedef struct reading {
    const pos_plan *plan;
    const plan_cast *cast; /* NULL: by the plan alone */
    const plan_sums *sums; /* the cast's, or `own` */
    plan_sums own;
} reading;

static inline bool cast_reads(pos_plan_cache *cache, const uint8_t *body, uint32_t size, reading *read)
{
    const uint32_t set = plan_set(cache, body, size);
    plan_ways *ways = &cache->ways[set];
    for (uint32_t way = 0; way < POS_CAST_WAYS; way++) {
        if (ways->sizes[way] != size) continue;
        const plan_cast *cast = &cache->casts[POS_CAST_WAYS * set + way];
        pos_plan *plan = &cache->plans[ways->plans[way]];
        if (plan->shape != ways->shapes[way] || !cast_holds(cast, body, size)) continue;
        plan->was_used = true;
        ways->was_used[way] = true;
        read->plan = plan;
        read->cast = cast;
        read->sums = &cast->sums;
        return true;
    }
    return false;
}

/* Behind a call, so that what most messages take is not. */
__attribute__((noinline)) static bool plan_reads(pos_plan_cache *cache, const uint8_t *body,
                                                 uint32_t size, reading *read)
{
    const pos_plan *plan = plan_find(cache, body, size);
    if (plan == NULL || !sums_read(plan, body, size, &read->own)) return false;
    read->plan = plan;
    read->cast = NULL;
    read->sums = &read->own;
    pos_plan_cast_learn(cache, plan, body, size, &read->own);
    return true;
}

/* False: the table loop's. */
static inline bool body_read(pos_plan_cache *cache, const uint8_t *body, uint32_t size, reading *read)
{
    if (size < POS_PLAN_HEAD_MIN) return false;
    return cast_reads(cache, body, size, read) || plan_reads(cache, body, size, read);
}

/* ---- messages ---------------------------------------------------------------------------------------- */
static inline bool job_run(pos_plan_cache *cache, pos_parse_job *job)
{
    reading read;
    if (!body_read(cache, job->body, job->size, &read)) return false;
    const pos_plan *plan = read.plan;
    if (read.cast != NULL) {
        pos_copy_lines(job->message, &read.cast->message, read.cast->message_size);
        job->message->body = job->body;
    } else {
        message_write(plan, read.sums, job->body, job->size, job->message);
    }
    if (plan->has_walks && !pos_plan_walks_hold(cache->spec, plan, job->message)) return false;
    if (job->numbers != NULL) {
        numbers_write(plan, read.sums, job->body, job->numbers);
        if (plan->has_numbers_late) pos_numbers_read(cache->spec, job->message, job->numbers);
    }
    job->status = POS_OK;
    job->shape = plan->shape;
    return true;
}

static inline void wave_run(pos_plan_cache *cache, pos_parse_job *jobs, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        if (!job_run(cache, &jobs[index])) pos_plan_slow(cache, &jobs[index]);
    }
}

/* ---- columns ------------------------------------------------------------------------------------------ */
/* Mostly the text is as long as its column, or there is none: moves of a known size. */
static inline void text_put(char *to, const uint8_t *body, const plan_text *text,
                            const uint32_t *taken, size_t width)
{
    const uint8_t *from = body + text->base + taken[text->after];
    if (text->size == width) {
        pos_copy(to, from, width);
        return;
    }
    for (size_t index = 0; index < width; index++) to[index] = ' ';
    if (text->size > 0) pos_copy(to, from, text->size);
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
        three_numbers_write(plan, sums, body, &numbers);
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

static inline void row_copy(uint16_t *to, const uint16_t *from, size_t width)
{
    pos_copy_lines(to, from, (width - 1) * sizeof *to); /* 64 fields or 128 */
    to[width - 1] = from[width - 1];
}

/* A row of offsets and one of sizes; those of a cast are known. */
static inline void row_places(const reading *read, size_t width, size_t row, const pos_columns *columns)
{
    uint16_t *offsets = columns->field_offset;
    uint16_t *sizes = columns->field_size;
    if (offsets != NULL) offsets += width * row;
    if (sizes != NULL) sizes += width * row;
    if (read->cast == NULL) {
        places_write(read->plan, read->sums, width, offsets, sizes);
        return;
    }
    if (offsets != NULL) row_copy(offsets, read->cast->offsets, width);
    if (sizes != NULL) row_copy(sizes, read->cast->sizes, width);
}

static inline bool row_run(pos_plan_cache *cache, const uint8_t *body, uint32_t size, size_t row,
                           const pos_columns *columns)
{
    reading read;
    if (!body_read(cache, body, size, &read) || !read.plan->is_columnar) return false;
    facts_put(read.plan, read.sums, body, row, columns);
    row_places(&read, (size_t)cache->spec->field_max + 1, row, columns);
    return true;
}

/* Of all rows at once; a row with a fault writes its own. */
static inline void faults_clear(const pos_columns *columns, size_t count)
{
    _Static_assert(POS_OK == 0, "what is cleared is well");
    if (columns->status != NULL) pos_zero(columns->status, count * sizeof *columns->status);
    if (columns->fault_field != NULL) {
        pos_zero(columns->fault_field, count * sizeof *columns->fault_field);
    }
    if (columns->fault_part != NULL) pos_zero(columns->fault_part, count * sizeof *columns->fault_part);
    if (columns->fault_offset != NULL) {
        pos_zero(columns->fault_offset, count * sizeof *columns->fault_offset);
    }
}

static inline void rows_run(pos_plan_cache *cache, plan_rows *rows)
{
    faults_clear(rows->columns, rows->count);
    for (size_t row = 0; row < rows->count; row++) {
        const uint64_t size = rows->offsets[row + 1] - rows->offsets[row];
        const uint8_t *body = size == 0 ? NULL : rows->buffer + rows->offsets[row];
        const bool is_done =
            size <= UINT16_MAX && row_run(cache, body, (uint32_t)size, row, rows->columns);
        if (is_done) rows->good++;
        else pos_plan_row_slow(cache, rows, row);
    }
}

#endif
