/*
 * What the engine is doing, as JSON for `posengine stat` and as text for Prometheus. Both are
 * written from the same tables, so neither knows a number that the other does not.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "front/front.h"

typedef struct report {
    char *text;
    size_t capacity;
    size_t size;
} report;

__attribute__((format(printf, 2, 3))) static void say(report *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int more =
        vsnprintf(to->text + to->size, to->capacity - to->size, format, arguments);
    va_end(arguments);
    if (more < 0) return;
    const size_t left = to->capacity - to->size - 1;
    to->size += (size_t)more < left ? (size_t)more : left;
}

/* The front's own counters, in the engine's form. */
static bool front_counter(const pos_front *front, size_t index, pos_counter *counter_out)
{
    const front_counts *counts = &front->counts;
    const pos_counter counters[] = {
        {"connections", "connections that are open", connections_open(front), true},
        {"connections_max", "the limit of open connections", front->options.connections_max, true},
        {"accepted", "connections accepted", counts->accepted, false},
        {"connections_refused", "connections refused at the limit", counts->refused, false},
        {"closed_idle", "connections closed for silence", counts->closed_idle, false},
        {"closed_slow", "connections closed for slow frames or unread replies",
         counts->closed_slow, false},
        {"closed_fault", "connections closed for bytes that are no frame", counts->closed_fault,
         false},
        {"closed_peer", "connections closed by their peer", counts->closed_peer, false},
        {"replies_lost", "replies whose connection was gone", counts->replies_lost, false},
        {"held_rounds", "rounds in which nothing was read because the stage was full",
         counts->held_rounds, false},
        {"control_requests", "requests on the control socket", counts->control_requests, false},
        {"control_refused", "peers refused on the control socket", counts->control_refused, false},
        {"reloads_failed", "reloads that changed nothing", counts->reloads_failed, false},
        {"draining", "1 while what is in flight is being finished", front->drain_ns > 0 ? 1 : 0,
         true},
    };
    if (index >= sizeof counters / sizeof counters[0]) return false;
    *counter_out = counters[index];
    return true;
}

static bool journal_counter(const pos_journal_facts *facts, size_t index,
                            pos_counter *counter_out)
{
    const pos_counter counters[] = {
        {"journal_last_sequence", "sequence of the newest entry", facts->last_sequence, true},
        {"journal_durable_sequence", "sequence up to which everything is on disk",
         facts->durable_sequence, true},
        {"journal_pages", "pages in the journal", facts->pages, true},
        {"journal_bytes", "bytes of committed pages", facts->bytes, true},
        {"journal_volumes", "volumes made so far", facts->volumes, true},
        {"journal_free_bytes", "bytes left in the open volume", facts->free_bytes, true},
    };
    if (index >= sizeof counters / sizeof counters[0]) return false;
    *counter_out = counters[index];
    return true;
}

/* The three tables as one. */
static bool counter_at(pos_front *front, const pos_journal_facts *facts, size_t index,
                       pos_counter *counter_out)
{
    size_t engine_count = 0;
    pos_counter ignored;
    while (pos_engine_counter(front->engine, engine_count, &ignored)) engine_count++;
    if (index < engine_count) return pos_engine_counter(front->engine, index, counter_out);
    size_t front_count = 0;
    while (front_counter(front, front_count, &ignored)) front_count++;
    index -= engine_count;
    if (index < front_count) return front_counter(front, index, counter_out);
    return journal_counter(facts, index - front_count, counter_out);
}

size_t report_json(pos_front *front, char *text, size_t capacity)
{
    assert(front != NULL && text != NULL && capacity > 0);
    report to = {.text = text, .capacity = capacity};
    pos_journal_facts facts;
    pos_engine_journal_facts(front->engine, &facts);
    say(&to,
        "{\"version\":\"%s\",\"spec\":\"%s\",\"cpu_path\":\"%s\",\"cpu_path_best\":\"%s\","
        "\"counters\":{",
        pos_version(), pos_spec_name(pos_engine_spec(front->engine)),
        pos_cpu_path_name(pos_cpu_path_now()), pos_cpu_path_name(pos_cpu_path_best()));
    pos_counter counter;
    for (size_t index = 0; counter_at(front, &facts, index, &counter); index++) {
        say(&to, "%s\"%s\":%llu", index > 0 ? "," : "", counter.name,
            (unsigned long long)counter.value);
    }
    say(&to, "},\"stages_ns\":{");
    const char *name = NULL;
    const pos_histogram *stage = NULL;
    for (size_t index = 0; (stage = pos_engine_stage(front->engine, index, &name)) != NULL;
         index++) {
        say(&to, "%s\"%s\":{\"count\":%llu,\"p50\":%llu,\"p99\":%llu,\"max\":%llu,\"sum\":%llu}",
            index > 0 ? "," : "", name, (unsigned long long)stage->count,
            (unsigned long long)pos_histogram_percentile(stage, 50),
            (unsigned long long)pos_histogram_percentile(stage, 99),
            (unsigned long long)stage->value_max, (unsigned long long)stage->sum);
    }
    say(&to, "}}\n");
    return to.size;
}

size_t report_metrics(pos_front *front, char *text, size_t capacity)
{
    assert(front != NULL && text != NULL && capacity > 0);
    report to = {.text = text, .capacity = capacity};
    pos_journal_facts facts;
    pos_engine_journal_facts(front->engine, &facts);
    pos_counter counter;
    for (size_t index = 0; counter_at(front, &facts, index, &counter); index++) {
        const char *suffix = counter.is_gauge ? "" : "_total";
        say(&to, "# HELP posengine_%s%s %s\n# TYPE posengine_%s%s %s\nposengine_%s%s %llu\n",
            counter.name, suffix, counter.about, counter.name, suffix,
            counter.is_gauge ? "gauge" : "counter", counter.name, suffix,
            (unsigned long long)counter.value);
    }
    say(&to, "# HELP posengine_stage_seconds time of a message in each stage, of a page in commit\n"
             "# TYPE posengine_stage_seconds summary\n");
    const char *name = NULL;
    const pos_histogram *stage = NULL;
    for (size_t index = 0; (stage = pos_engine_stage(front->engine, index, &name)) != NULL;
         index++) {
        say(&to,
            "posengine_stage_seconds{stage=\"%s\",quantile=\"0.5\"} %.9f\n"
            "posengine_stage_seconds{stage=\"%s\",quantile=\"0.99\"} %.9f\n"
            "posengine_stage_seconds_sum{stage=\"%s\"} %.9f\n"
            "posengine_stage_seconds_count{stage=\"%s\"} %llu\n",
            name, (double)pos_histogram_percentile(stage, 50) / 1e9, name,
            (double)pos_histogram_percentile(stage, 99) / 1e9, name, (double)stage->sum / 1e9,
            name, (unsigned long long)stage->count);
    }
    return to.size;
}
