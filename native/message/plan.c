/*
 * Parsing in waves, by plans and their casts (plan.h says what they are).
 *
 *   body ─▶ its layout's cast ──no──▶ its head's plan ──no──▶ table loop ──▶ status, fault
 *                  │ it holds               │ it fits               │ good, and of a new shape:
 *                  ▼                        ▼                       ▼ leaves a plan
 *          message, numbers         message, numbers; leaves a cast
 *
 * Rules. Of fixed size: so many plans and no more. While there is room, a shape's first message makes
 * its plan. When all are taken, one message in sixteen without a plan may make one, in the place of
 * a plan that nobody used since the hand last passed: strange shapes, however many, cost what the
 * table loop costs and a sixteenth of a plan's making each, and shapes in use stay. Messages with a
 * fault make no plans. The same of layouts and casts, at one turn in sixty-four; a cast whose plan had
 * to go is void.
 */
#include "message/plan.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PLAN_MAX 64

/* One miss in sixteen, in no rhythm that a stream of two kinds of messages could fall in with. */
static bool is_turn(uint32_t misses)
{
    return misses * UINT32_C(0x9e3779b1) >> 28 == 0;
}

/* One in sixty-four: a cast takes half a microsecond to make, as long as a dozen messages to read. */
static bool is_cast_turn(uint32_t misses)
{
    return misses * UINT32_C(0x9e3779b1) >> 26 == 0;
}

static void paths_set(pos_plan_cache *cache, pos_cpu_path path)
{
    cache->wave = pos_plan_wave_portable;
    cache->rows = pos_plan_rows_portable;
#if defined(__x86_64__)
    if (path >= POS_CPU_AVX2) {
        cache->wave = pos_plan_wave_avx2;
        cache->rows = pos_plan_rows_avx2;
    }
    if (path >= POS_CPU_AVX512) {
        cache->wave = pos_plan_wave_avx512;
        cache->rows = pos_plan_rows_avx512;
    }
#else
    (void)path;
#endif
}

/* As many sets as plans, and no fewer. */
static uint32_t set_count_of(uint32_t plan_max)
{
    uint32_t count = 1;
    while (count < plan_max) count *= 2;
    return count;
}

pos_status pos_plan_cache_open_on(pos_cpu_path path, uint32_t plan_max, const pos_spec *spec,
                                  pos_plan_cache **cache_out)
{
    assert(spec != NULL && cache_out != NULL);
    assert(plan_max >= 1 && plan_max <= POS_PLAN_BUCKETS / 2);
    assert(path <= pos_cpu_path_best());
    const size_t head = (sizeof(pos_plan_cache) + 63) & ~(size_t)63;
    const size_t plans = plan_max * sizeof(pos_plan);
    const uint32_t set_count = set_count_of(plan_max);
    const size_t ways = (set_count * sizeof(plan_ways) + 63) & ~(size_t)63;
    const size_t casts = (size_t)POS_CAST_WAYS * set_count * sizeof(plan_cast);
    uint8_t *block = aligned_alloc(64, head + plans + ways + casts);
    if (block == NULL) return POS_MEMORY;
    pos_plan_cache *cache = (pos_plan_cache *)(void *)block;
    *cache = (pos_plan_cache){
        .spec = spec, .plan_max = plan_max, .set_count = set_count,
        .plans = (pos_plan *)(void *)(block + head),
        .ways = (plan_ways *)(void *)(block + head + plans),
        .casts = (plan_cast *)(void *)(block + head + plans + ways),
    };
    pos_zero(cache->ways, set_count * sizeof *cache->ways);
    paths_set(cache, path);
    *cache_out = cache;
    return POS_OK;
}

pos_status pos_plan_cache_open(const pos_spec *spec, pos_plan_cache **cache_out)
{
    return pos_plan_cache_open_on(pos_cpu_path_now(), PLAN_MAX, spec, cache_out);
}

void pos_plan_cache_close(pos_plan_cache *cache)
{
    free(cache);
}

/* ---- a new shape -------------------------------------------------------------------------------------- */
static void bucket_put(pos_plan_cache *cache, uint32_t number)
{
    const pos_plan *plan = &cache->plans[number];
    uint8_t head[8 * POS_PLAN_HEAD_WORDS];
    const uint32_t size = plan->head_size;
    for (uint32_t at = 0; at + 8 < size; at += 8) pos_store_u64_le(head + at, plan->head[at / 8]);
    pos_store_u64_le(head + size - 8, plan->head[(size - 1) / 8]);
    uint32_t bucket = plan_bucket(head, size);
    while (cache->buckets[bucket] != 0) bucket = (bucket + 1) % POS_PLAN_BUCKETS;
    cache->buckets[bucket] = (uint8_t)(number + 1);
}

/* The place of a plan that nobody used for a round of the hand; plan_max where all were in use. */
static uint32_t place_free(pos_plan_cache *cache)
{
    if (cache->plan_count < cache->plan_max) return cache->plan_count;
    if (!is_turn(++cache->misses)) return cache->plan_max;
    for (uint32_t tried = 0; tried < cache->plan_max; tried++) {
        const uint32_t number = cache->hand;
        cache->hand = (cache->hand + 1) % cache->plan_max;
        pos_plan *plan = &cache->plans[number];
        if (!plan->was_used) return number;
        plan->was_used = false;
    }
    return cache->plan_max;
}

static void shape_learn(pos_plan_cache *cache, const pos_message *message)
{
    const uint32_t number = place_free(cache);
    if (number == cache->plan_max) return;
    pos_plan *plan = &cache->plans[number];
    const bool is_new = number == cache->plan_count;
    pos_plan made;
    if (!pos_plan_make(cache->spec, message, &made)) return;
    if (cache->shape_last == UINT32_MAX) return; /* after four thousand million shapes, no more */
    made.shape = ++cache->shape_last;
    made.was_used = true;
    *plan = made;
    cache->last = number;
    if (is_new) {
        cache->plan_count++;
        bucket_put(cache, number);
        return;
    }
    pos_zero(cache->buckets, sizeof cache->buckets);
    for (uint32_t each = 0; each < cache->plan_count; each++) bucket_put(cache, each);
}

/* ---- a new cast --------------------------------------------------------------------------------------- */
static bool is_void(const pos_plan_cache *cache, const plan_ways *ways, uint32_t way)
{
    return cache->plans[ways->plans[way]].shape != ways->shapes[way];
}

/* The way that a cast may take: one that none ever had, or, at its turn, one that is void or that nobody
 * used since the last turn; POS_CAST_WAYS where there is none. */
static uint32_t way_free(pos_plan_cache *cache, plan_ways *ways)
{
    for (uint32_t way = 0; way < POS_CAST_WAYS; way++) {
        if (ways->shapes[way] == 0) return way;
    }
    if (!is_cast_turn(++cache->cast_misses)) return POS_CAST_WAYS;
    for (uint32_t way = 0; way < POS_CAST_WAYS; way++) {
        if (!ways->was_used[way] || is_void(cache, ways, way)) return way;
    }
    pos_zero(ways->was_used, sizeof ways->was_used);
    return POS_CAST_WAYS;
}

void pos_plan_cast_learn(pos_plan_cache *cache, const pos_plan *plan, const uint8_t *body,
                         uint32_t size, const plan_sums *sums)
{
    if (size > 64 * POS_CAST_BLOCK_MAX) return;
    const uint32_t set = plan_set(cache, body, size);
    plan_ways *ways = &cache->ways[set];
    const uint32_t way = way_free(cache, ways);
    if (way == POS_CAST_WAYS) return;
    pos_plan_cast_make(plan, body, size, sums, &cache->casts[POS_CAST_WAYS * set + way]);
    ways->was_used[way] = false;
    ways->shapes[way] = plan->shape;
    ways->sizes[way] = (uint16_t)size;
    ways->plans[way] = (uint8_t)(plan - cache->plans);
}

/* ---- numbers --------------------------------------------------------------------------------------------- */
static uint64_t number_of(const pos_spec *spec, const pos_message *message, pos_role role)
{
    pos_view view;
    uint64_t value;
    if (spec->roles[role].part != NULL) return 0;
    if (!pos_role_view(spec, message, role, &view)) return 0;
    return pos_view_number(&view, &value) ? value : 0;
}

void pos_numbers_read(const pos_spec *spec, const pos_message *message, pos_numbers *numbers_out)
{
    *numbers_out = (pos_numbers){
        .amount = number_of(spec, message, POS_ROLE_AMOUNT),
        .processing = number_of(spec, message, POS_ROLE_PROCESSING),
        .stan = number_of(spec, message, POS_ROLE_STAN),
        .local_time = number_of(spec, message, POS_ROLE_LOCAL_TIME),
        .local_date = number_of(spec, message, POS_ROLE_LOCAL_DATE),
        .entry_mode = number_of(spec, message, POS_ROLE_ENTRY_MODE),
        .card_sequence = number_of(spec, message, POS_ROLE_CARD_SEQUENCE),
        .condition = number_of(spec, message, POS_ROLE_CONDITION),
    };
}

/* Sixteen digits, two a byte, the last in the lowest byte: pairs, fours and eights at a time. */
static uint64_t bcd_number(uint64_t word)
{
    uint64_t value = word - 6 * ((word >> 4) & (0x0f * POS_EACH_BYTE));
    value = (value & 0x00ff00ff00ff00ffU) + 100 * ((value >> 8) & 0x00ff00ff00ff00ffU);
    value = (value & 0x0000ffff0000ffffU) + 10000 * ((value >> 16) & 0x0000ffff0000ffffU);
    return (value & 0xffffffffU) + 100000000 * (value >> 32);
}

static uint64_t plan_number_read(const plan_number *number, const uint8_t *body, const uint32_t *taken)
{
    const uint8_t *at = body + number->base + taken[number->after];
    if (number->is_ascii) return pos_ascii_number(at, number->size);
    /* Eight bytes that end where the number ends: before it lies the head, of ten at least. */
    const uint64_t word = pos_load_u64_be(at + number->size - 8);
    return bcd_number((word >> number->shift) & number->digits);
}

void pos_plan_numbers_slow(const pos_plan *plan, uint8_t lanes, const uint8_t *body,
                           const uint32_t *taken, pos_numbers *numbers_out)
{
    uint64_t *values[8] = {
        &numbers_out->amount,     &numbers_out->processing, &numbers_out->stan,
        &numbers_out->local_time, &numbers_out->local_date, &numbers_out->entry_mode,
        &numbers_out->card_sequence, &numbers_out->condition,
    };
    for (unsigned lane = 0; lane < 8; lane++) {
        if (((unsigned)lanes >> lane & 1U) == 0) continue;
        const plan_number *number = &plan->numbers[lane];
        *values[lane] = number->size == 0 ? 0 : plan_number_read(number, body, taken);
    }
}

/* ---- the table loop's turn ------------------------------------------------------------------------------ */
void pos_plan_slow(pos_plan_cache *cache, pos_parse_job *job)
{
    const bool is_known = plan_find(cache, job->body, job->size) != NULL;
    job->shape = 0;
    job->status =
        pos_message_parse_table(cache->spec, job->body, job->size, job->message, job->fault);
    if (job->numbers != NULL) pos_numbers_read(cache->spec, job->message, job->numbers);
    if (job->status == POS_OK && !is_known) shape_learn(cache, job->message);
}

bool pos_plan_walks_hold(const pos_spec *spec, const pos_plan *plan, const pos_message *message)
{
    pos_fault fault;
    return pos_layouts_judge(spec, message, plan->walks, &fault) == POS_OK;
}

bool pos_plan_chip_holds(const uint8_t *data, uint32_t size)
{
    uint32_t at = 0;
    uint32_t start;
    while (at < size) {
        if (!pos_ber_element(data, at, size, &start, &at)) return false;
    }
    return true;
}

/* ---- caches that a spec lends ------------------------------------------------------------------------------ */
#define POOL_CACHES 2 /* threads that parse by one spec at once and with plans; more take the table */
#define POOL_PLANS 16

struct pos_plan_pool {
    _Atomic(pos_plan_cache *) idle[POOL_CACHES];
};

pos_status pos_plan_pool_open(const pos_spec *spec, struct pos_plan_pool **pool_out)
{
    struct pos_plan_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) return POS_MEMORY;
    for (unsigned index = 0; index < POOL_CACHES; index++) {
        pos_plan_cache *cache;
        if (pos_plan_cache_open_on(pos_cpu_path_now(), POOL_PLANS, spec, &cache) != POS_OK) {
            pos_plan_pool_close(pool);
            return POS_MEMORY;
        }
        atomic_init(&pool->idle[index], cache);
    }
    *pool_out = pool;
    return POS_OK;
}

void pos_plan_pool_close(struct pos_plan_pool *pool)
{
    if (pool == NULL) return;
    for (unsigned index = 0; index < POOL_CACHES; index++) {
        pos_plan_cache_close(atomic_load(&pool->idle[index]));
    }
    free(pool);
}

pos_plan_cache *pos_plan_borrow(const pos_spec *spec)
{
    for (unsigned index = 0; index < POOL_CACHES; index++) {
        pos_plan_cache *cache =
            atomic_exchange_explicit(&spec->pool->idle[index], NULL, memory_order_acquire);
        if (cache != NULL) return cache;
    }
    return NULL;
}

void pos_plan_give_back(const pos_spec *spec, pos_plan_cache *cache)
{
    assert(cache != NULL && cache->spec == spec);
    for (unsigned index = 0;; index = (index + 1) % POOL_CACHES) { /* as many places as caches */
        pos_plan_cache *none = NULL;
        if (atomic_compare_exchange_strong_explicit(&spec->pool->idle[index], &none, cache,
                                                    memory_order_release, memory_order_relaxed)) {
            return;
        }
    }
}

/* ---- doors ---------------------------------------------------------------------------------------------------- */
void pos_message_parse_wave(pos_plan_cache *cache, pos_parse_job *jobs, size_t count)
{
    assert(cache != NULL);
    assert(jobs != NULL || count == 0);
    cache->wave(cache, jobs, count);
}
