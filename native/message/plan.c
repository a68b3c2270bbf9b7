/*
 * Parsing in waves.
 *
 *   jobs ─▶ pos_message_parse, one after the other
 */
#include "message/spec.h"

#include <assert.h>
#include <stdlib.h>

struct pos_plan_cache {
    const pos_spec *spec;
};

pos_status pos_plan_cache_open(const pos_spec *spec, pos_plan_cache **cache_out)
{
    assert(spec != NULL);
    assert(cache_out != NULL);
    pos_plan_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) return POS_MEMORY;
    cache->spec = spec;
    *cache_out = cache;
    return POS_OK;
}

void pos_plan_cache_close(pos_plan_cache *cache)
{
    free(cache);
}

static uint64_t number_of(const pos_spec *spec, const pos_message *message, pos_role role)
{
    pos_view view;
    uint64_t value;
    const pos_role_place place = spec->roles[role];
    if (place.part != NULL || !pos_role_view(spec, message, role, &view)) return 0;
    return pos_view_number(&view, &value) ? value : 0;
}

static void numbers_read(const pos_spec *spec, const pos_message *message, pos_numbers *numbers)
{
    *numbers = (pos_numbers){
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

void pos_message_parse_wave(pos_plan_cache *cache, pos_parse_job *jobs, size_t count)
{
    assert(cache != NULL);
    assert(jobs != NULL || count == 0);
    for (size_t index = 0; index < count; index++) {
        pos_parse_job *job = &jobs[index];
        job->status = pos_message_parse(cache->spec, job->body, job->size, job->message, job->fault);
        if (job->numbers != NULL) numbers_read(cache->spec, job->message, job->numbers);
        job->shape = 0;
    }
}
