/*
 * What the engine tells of itself: log lines, alarms, and the refusals that are no entries.
 *
 *   refusal ─▶ count, always
 *          ├─▶ log line, ten for each cause in ten seconds; what was left out is counted and told
 *          ├─▶ ALARM entry, one for each cause in ten seconds: a flood must not fill the disk
 *          └─▶ the answer, where one can be built; else the line is closed
 *
 * A line names the cause, the terminal, the field and its offset: never a value of the message.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine/inside.h"

#define SECOND_NS INT64_C(1000000000)
#define LOG_WINDOW_NS (10 * SECOND_NS)
#define LOG_LINES_MAX 10U
#define ALARM_WINDOW_NS (10 * SECOND_NS)
#define LINE_SIZE_MAX 512

typedef struct cause_facts {
    const char *name;
    const char *response;
    const char *text;
} cause_facts;

static const cause_facts CAUSES[POS_CAUSE_COUNT] = {
#define POS_CAUSE(name, counter, response, text) {counter, response, text},
#include "engine/cause.def"
#undef POS_CAUSE
};

const char *cause_text(unsigned cause)
{
    assert(cause < POS_CAUSE_COUNT);
    return CAUSES[cause].text;
}

const char *cause_response(unsigned cause)
{
    assert(cause < POS_CAUSE_COUNT);
    return CAUSES[cause].response;
}

bool rate_takes(pos_rate *rate, int64_t now_ns, int64_t window_ns, uint32_t count_max)
{
    assert(rate != NULL);
    assert(window_ns > 0);
    /* A clock set back opens a new window: better a line too many than silence for a year. */
    if (now_ns - rate->from_ns >= window_ns || now_ns < rate->from_ns || rate->from_ns == 0) {
        rate->from_ns = now_ns;
        rate->taken = 0;
    }
    if (rate->taken >= count_max) {
        rate->left_out++;
        return false;
    }
    rate->taken++;
    return true;
}

/* The rate of an event; events are static words, so their addresses tell them apart. */
static pos_rate *rate_of(pos_engine *engine, const char *event)
{
    for (size_t index = 0; index < LOG_EVENTS_MAX; index++) {
        if (engine->log_rates[index].event == NULL) engine->log_rates[index].event = event;
        if (engine->log_rates[index].event == event) return &engine->log_rates[index].rate;
    }
    return &engine->log_rates[LOG_EVENTS_MAX - 1].rate; /* shared by what is past the table */
}

void pos_engine_log(pos_engine *engine, const char *level, const char *event, const char *format,
                    ...)
{
    assert(engine != NULL);
    assert(level != NULL && event != NULL && format != NULL);
    if (engine->log == NULL) return;
    pos_rate *rate = rate_of(engine, event);
    if (!rate_takes(rate, pos_clock_monotonic_ns(), LOG_WINDOW_NS, LOG_LINES_MAX)) {
        engine->counts.log_lines_left_out++;
        return;
    }
    char line[LINE_SIZE_MAX];
    int size = snprintf(line, sizeof line, "level=%s event=%s ", level, event);
    if (size < 0 || size >= (int)sizeof line) return;
    va_list arguments;
    va_start(arguments, format);
    const int more = vsnprintf(line + size, sizeof line - (size_t)size, format, arguments);
    va_end(arguments);
    if (more < 0) return;
    size = size + more < (int)sizeof line ? size + more : (int)sizeof line - 1;
    if (rate->left_out > 0) {
        const int told = snprintf(line + size, sizeof line - (size_t)size, " left_out=%u",
                                  rate->left_out);
        if (told > 0 && size + told < (int)sizeof line) size += told;
        rate->left_out = 0;
    }
    engine->counts.log_lines++;
    engine->log(engine->log_context, line, (size_t)size);
}

/* A terminal's name as a log may show it: what is not a letter or digit becomes a dot. */
static void printable(const char *from, size_t size, char *text_out)
{
    for (size_t index = 0; index < size; index++) {
        const char c = from[index];
        const bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
                              || (c >= 'a' && c <= 'z');
        text_out[index] = is_plain ? c : '.';
    }
    text_out[size] = '\0';
}

static void tell(pos_engine *engine, const pos_slot *slot)
{
    char tid[9] = "-";
    char mid[16] = "-";
    if (slot->request.tid[0] != '\0') printable(slot->request.tid, 8, tid);
    if (slot->request.mid[0] != '\0') printable(slot->request.mid, 15, mid);
    const char *response = CAUSES[slot->cause].response;
    pos_engine_log(engine, "warn", CAUSES[slot->cause].name,
                   "line=%u tid=%s mid=%s mti=%04x stan=%06u response=%s field=%u part=%u "
                   "offset=%u wanted=%u left=%u status=%s rule=\"%s\" reason=\"%s\"",
                   (unsigned)(uint32_t)slot->arrival->line, tid, mid, slot->message.mti,
                   slot->request.stan, response[0] != '\0' ? response : "closed",
                   slot->fault.field, slot->fault.part, slot->fault.offset, slot->fault.wanted,
                   slot->fault.left, pos_status_name(slot->fault.status),
                   slot->fault.rule != NULL ? slot->fault.rule : "",
                   CAUSES[slot->cause].text);
}

/* The journal's own trouble is not journalled: the entry would meet the same wall. */
static bool is_alarming(unsigned cause)
{
    return cause != POS_CAUSE_JOURNAL_ROOM && cause != POS_CAUSE_STATE_ROOM;
}

static void alarm(pos_engine *engine, const pos_slot *slot)
{
    pos_rate *rate = &engine->alarm_rates[slot->cause];
    if (!is_alarming(slot->cause)) return;
    if (!rate_takes(rate, engine->now_ns, ALARM_WINDOW_NS, 1)) return;
    const char *response = CAUSES[slot->cause].response;
    const char reason[2] = {response[0] != '\0' ? response[0] : '-',
                            response[0] != '\0' ? response[1] : '-'};
    const char *tid = slot->terminal != NULL ? slot->terminal->tid : NULL;
    /* The entry says how many there were since the last alarm of this cause. */
    if (settle_note(engine, POS_KIND_ALARM, reason, tid, rate->left_out + 1)) {
        rate->left_out = 0;
        engine->counts.alarms++;
    }
}

/* The answer of a refusal; false where none can be built. */
static bool answer(pos_engine *engine, const pos_slot *slot)
{
    const char *response = CAUSES[slot->cause].response;
    if (response[0] == '\0' || slot->rule == NULL || slot->rule->answer_mti == 0) return false;
    pos_writer writer = pos_writer_over(engine->scratch, ENTRY_HEAP_MAX);
    pos_fault fault = {0};
    if (answer_build_refusal(engine, slot, response, &writer, &fault) != POS_OK) return false;
    if (writer.is_full) return false;
    const pos_slice template_ = {.data = writer.data, .size = writer.size};
    return cohort_add(engine, &engine->refusals, slot, template_, 0, 0) == POS_OK;
}

void refuse(pos_engine *engine, pos_slot *slot)
{
    assert(engine != NULL && slot != NULL);
    assert(slot->cause != POS_CAUSE_NONE);
    engine->counts.causes[slot->cause]++;
    tell(engine, slot);
    alarm(engine, slot);
    if (answer(engine, slot)) {
        engine->counts.refusals++;
    } else {
        cohort_add_silent(&engine->refusals, slot->arrival->line, 0, true);
    }
    pos_wipe(engine->scratch, ENTRY_HEAP_MAX);
}
