/*
 * Answers as values by role: which of them a kind carries is the dialect's business (the rule's
 * `supplied` fields), what they are is said here, and how they look on the wire is the builder's.
 *
 *   12 13 15  local time and date, settlement date     32 44 63  names of the policy
 *   37 38 39  reference, authorisation, response       48        settle totals and result digits
 *   54        balance     59  voucher     60  the request's, with the batch that sign-on opened
 *   62        key block, or what a download carries
 *
 * Of most answers only 37, 38 and 39 are their own: the rest is the same as long as the clock shows the
 * same second and the names stay. Such answers share a sheet, which the recipes dress once (message.h);
 * one with any other value is put together step by step, and has no number.
 */
#include <assert.h>

#include "engine/calendar.h"
#include "engine/inside.h"

#define TEXT_SIZE_MAX 256
#define RESULT_ERROR 3U /* of a settlement that was refused */

/* In the order in which two of them that play in one field are asked: the first that has a value
 * stands. */
static const uint8_t ROLES[ANSWER_SOURCE_COUNT] = {
    [SOURCE_LOCAL_TIME] = POS_ROLE_LOCAL_TIME,
    [SOURCE_LOCAL_DATE] = POS_ROLE_LOCAL_DATE,
    [SOURCE_SETTLEMENT_DATE] = POS_ROLE_SETTLEMENT_DATE,
    [SOURCE_ACQUIRER] = POS_ROLE_ACQUIRER,
    [SOURCE_RRN] = POS_ROLE_RRN,
    [SOURCE_AUTH] = POS_ROLE_AUTH,
    [SOURCE_RESPONSE] = POS_ROLE_RESPONSE,
    [SOURCE_INSTITUTIONS] = POS_ROLE_INSTITUTIONS,
    [SOURCE_TOTALS] = POS_ROLE_PRIVATE_48,
    [SOURCE_BALANCE] = POS_ROLE_BALANCES,
    [SOURCE_VOUCHER] = POS_ROLE_VOUCHER,
    [SOURCE_BATCH] = POS_ROLE_BATCH,
    [SOURCE_PRIVATE_62] = POS_ROLE_PRIVATE_62,
    [SOURCE_OPERATOR] = POS_ROLE_OPERATOR,
};

/* ---- which values a kind's answer carries: worked out once a rule -------------------------------- */
/* Values that only some messages have, or that are not of a known size. */
static bool is_odd(answer_source source)
{
    return source == SOURCE_TOTALS || source == SOURCE_BALANCE || source == SOURCE_VOUCHER
           || source == SOURCE_BATCH || source == SOURCE_PRIVATE_62;
}

static void plan_make(const pos_engine *engine, const pos_rule *rule, answer_plan *plan)
{
    *plan = (answer_plan){.rule = rule};
    for (unsigned source = 0; source < ANSWER_SOURCE_COUNT; source++) {
        const unsigned field = pos_spec_role_field(engine->spec, (pos_role)ROLES[source]);
        pos_field_facts facts;
        if (field == 0 || !pos_spec_field(engine->spec, field, &facts)) continue;
        const uint64_t bit = UINT64_C(1) << ((field - 1) % 64);
        if ((rule->supplied[(field - 1) / 64] & bit) == 0) continue;
        size_t at = plan->count;
        while (at > 0 && plan->steps[at - 1].field > field) at--;
        for (size_t index = plan->count; index > at; index--) {
            plan->steps[index] = plan->steps[index - 1];
        }
        plan->steps[at] = (answer_step){
            .field = (uint8_t)field, .source = (uint8_t)source, .size = (uint16_t)facts.size_max};
        plan->count++;
    }
    for (uint8_t index = 0; index < plan->count; index++) {
        if (is_odd((answer_source)plan->steps[index].source)) plan->odd[plan->odd_count++] = index;
    }
}

/* Rules are few, and a slot of the table that two of them share is worked out again. */
static answer_plan *plan_of(pos_engine *engine, const pos_rule *rule)
{
    answer_plan *plan = &engine->answer_plans[(uintptr_t)rule / sizeof *rule % ANSWER_PLANS];
    if (plan->rule != rule) plan_make(engine, rule, plan);
    return plan;
}

void answer_forget_plans(pos_engine *engine)
{
    for (size_t index = 0; index < ANSWER_PLANS; index++) engine->answer_plans[index].rule = NULL;
}

/* ---- the clock of a wave, as terminals show it ------------------------------------------------------ */
/* Names are looked at too: others may lie where the ones before them lay. */
static bool is_same_edition(const answer_clock *left, const answer_clock *right)
{
    const pos_policy_names *ours = &left->names_were;
    const pos_policy_names *theirs = &right->names_were;
    return pos_equal(left->local, right->local, sizeof left->local)
           && pos_equal(left->business, right->business, sizeof left->business)
           && left->names == right->names
           && pos_equal(ours->acquirer, theirs->acquirer, sizeof ours->acquirer)
           && pos_equal(ours->institutions, theirs->institutions, sizeof ours->institutions)
           && pos_equal(ours->organization, theirs->organization, sizeof ours->organization);
}

void answer_set_clock(pos_engine *engine)
{
    answer_clock *clock = &engine->answer_clock;
    const calendar_instant now =
        calendar_of(engine->now_ns, engine->zone_offset_minute, engine->cutover_minute);
    const uint64_t date = (uint64_t)now.year * 10000 + now.month * 100 + now.day;
    const uint64_t time = now.hour * 10000 + now.minute * 100 + now.second;
    const uint64_t business =
        (uint64_t)now.business_year * 10000 + now.business_month * 100 + now.business_day;
    answer_clock next = *clock;
    next.year = now.year;
    next.month = now.month;
    pos_ascii_from_number(date * 1000000 + time, next.local, sizeof next.local);
    pos_ascii_from_number(business, next.business, sizeof next.business);
    next.names = engine->names;
    next.names_were = *engine->names;
    if (!is_same_edition(clock, &next)) next.edition++;
    *clock = next;
}

/* A role's field of the spec may be MMDD, YYMMDD or more: its size says which. */
static pos_slice date_of(const char date[8], size_t size)
{
    const bool is_form = size == 4 || size == 6 || size == 8;
    return (pos_slice){.data = (const uint8_t *)date + 8 - (is_form ? size : 0),
                       .size = is_form ? size : 0};
}

/* ISO 8583:1993 and later hold date and time in field 12: YYMMDDhhmmss. */
static pos_slice time_of(const answer_clock *clock, size_t size)
{
    const bool is_form = size == 6 || size == 12;
    return (pos_slice){.data = (const uint8_t *)clock->local + 14 - (is_form ? size : 0),
                       .size = is_form ? size : 0};
}

/* ---- values ------------------------------------------------------------------------------------------- */
static pos_slice text_of(const char *text)
{
    size_t size = 0;
    while (text[size] != '\0') size++;
    return (pos_slice){.data = (const uint8_t *)text, .size = size};
}

static pos_slice chars_of(const char *text, size_t size)
{
    return (pos_slice){.data = (const uint8_t *)text, .size = size};
}

/* Room for texts that are made here. */
typedef struct answer_room {
    char *text;
    size_t size;
} answer_room;

static char *take_room(answer_room *room, size_t size)
{
    assert(size <= room->size);
    char *text = room->text;
    room->text += size;
    room->size -= size;
    return text;
}

static void write_side(char *text, const pos_totals_side *side, unsigned result)
{
    /* Counts have three digits on the wire: a batch of a thousand shows its last three. */
    pos_ascii_from_number((uint64_t)side->debit_minor, text, 12);
    pos_ascii_from_number(side->debit_count % 1000, text + 12, 3);
    pos_ascii_from_number((uint64_t)side->credit_minor, text + 15, 12);
    pos_ascii_from_number(side->credit_count % 1000, text + 27, 3);
    pos_ascii_from_number(result, text + 30, 1);
}

/*
 * Settle: our totals of both card classes, with the result digit of each. Refused: its answer has no
 * field 39, so the result digits say error; whoever asked proved nothing, and is told no totals.
 */
static pos_slice totals_of(const answer_sources *sources, answer_room *room)
{
    static const pos_totals_side nothing;
    if (sources->slot->rule->kind != POS_KIND_SETTLE) return (pos_slice){0};
    const pos_decision *decision = sources->decision;
    char *text = take_room(room, 62);
    write_side(text, decision != NULL ? &decision->totals.domestic : &nothing,
               decision != NULL ? decision->result_domestic : RESULT_ERROR);
    write_side(text + 31, decision != NULL ? &decision->totals.foreign : &nothing,
               decision != NULL ? decision->result_foreign : RESULT_ERROR);
    return chars_of(text, 62);
}

/* Account type 10, amount type 02 (available), currency, sign, twelve digits. */
static pos_slice balance_of(const answer_sources *sources, answer_room *room)
{
    const pos_decision *decision = sources->decision;
    if (sources->slot->request.kind != POS_KIND_BALANCE) return (pos_slice){0};
    if (decision->outcome != POS_OUTCOME_APPROVED) return (pos_slice){0};
    const int64_t balance = decision->balance_minor;
    char *text = take_room(room, 20);
    pos_copy(text, "1002", 4);
    pos_ascii_from_number(sources->slot->terminal->currency, text + 4, 3);
    text[7] = balance < 0 ? 'D' : 'C';
    pos_ascii_from_number((uint64_t)(balance < 0 ? -balance : balance), text + 8, 12);
    return chars_of(text, 20);
}

/* QR: the voucher that a later void or refund names: business date and reference number. */
static pos_slice voucher_of(const pos_engine *engine, const answer_sources *sources,
                            answer_room *room)
{
    if ((sources->slot->request.flags & POS_FLAG_QR) == 0) return (pos_slice){0};
    if (sources->decision->outcome != POS_OUTCOME_APPROVED) return (pos_slice){0};
    char *text = take_room(room, 25);
    pos_copy(text, "A4020", 5);
    pos_copy(text + 5, engine->answer_clock.business, 8);
    pos_copy(text + 13, sources->rrn, 12);
    return chars_of(text, 25);
}

/* Sign-on answers with the batch that it opened: the terminal takes 60.2 from here. */
static pos_slice batch_of(const answer_sources *sources, answer_room *room)
{
    const pos_request *request = &sources->slot->request;
    if (request->kind != POS_KIND_SIGN_ON) return (pos_slice){0};
    char *text = take_room(room, 11);
    pos_ascii_from_number(request->type, text, 2);
    pos_ascii_from_number(sources->decision->batch, text + 2, 6);
    pos_ascii_from_number(request->network, text + 8, 3);
    return chars_of(text, 11);
}

/* What a refusal says: the time, its response, and that nothing was settled. */
static pos_slice refusal_value(const pos_engine *engine, const answer_sources *sources,
                               const answer_step *step, answer_room *room)
{
    switch ((answer_source)step->source) {
    case SOURCE_LOCAL_TIME: return time_of(&engine->answer_clock, step->size);
    case SOURCE_LOCAL_DATE: return date_of(engine->answer_clock.local, step->size);
    case SOURCE_SETTLEMENT_DATE: return date_of(engine->answer_clock.business, step->size);
    case SOURCE_RESPONSE: return chars_of(sources->response, 2);
    case SOURCE_TOTALS: return totals_of(sources, room);
    default: return (pos_slice){0};
    }
}

static bool has_auth(const pos_decision *decision)
{
    return decision->auth[0] != ' ' && decision->auth[0] != '\0';
}

/* Size 0: this message's answer has none. */
static pos_slice value_of(const pos_engine *engine, const answer_sources *sources,
                          const answer_step *step, answer_room *room)
{
    const pos_decision *decision = sources->decision;
    const pos_policy_names *names = engine->names;
    if (decision == NULL) return refusal_value(engine, sources, step, room);
    switch ((answer_source)step->source) {
    case SOURCE_ACQUIRER: return text_of(names->acquirer);
    case SOURCE_RRN: return chars_of(sources->rrn, 12);
    case SOURCE_AUTH:
        if (!has_auth(decision)) return (pos_slice){0};
        return chars_of(decision->auth, sizeof decision->auth);
    case SOURCE_INSTITUTIONS: return text_of(names->institutions);
    case SOURCE_BALANCE: return balance_of(sources, room);
    case SOURCE_VOUCHER: return voucher_of(engine, sources, room);
    case SOURCE_BATCH: return batch_of(sources, room);
    case SOURCE_PRIVATE_62:
        return (pos_slice){.data = sources->private_62, .size = sources->private_62_size};
    case SOURCE_OPERATOR: return text_of(names->organization);
    default: return refusal_value(engine, sources, step, room);
    }
}

/* The values of an answer, ascending by field; their count. */
static uint32_t values_of(pos_engine *engine, const answer_sources *sources, answer_room *room,
                          pos_answer_value values[ANSWER_SOURCE_COUNT])
{
    uint32_t count = 0;
    const answer_plan *plan = plan_of(engine, sources->slot->rule);
    for (size_t index = 0; index < plan->count; index++) {
        const answer_step *step = &plan->steps[index];
        if (count > 0 && values[count - 1].field == step->field) continue;
        const pos_slice value = value_of(engine, sources, step, room);
        if (value.size == 0) continue;
        values[count++] = (pos_answer_value){
            .field = step->field, .value = value.data, .size = (uint32_t)value.size};
    }
    return count;
}

static bool is_signed(const pos_slot *slot)
{
    return slot->rule->answer_has_mac && slot->key != NULL;
}

/* ---- sheets: what most answers have in common ----------------------------------------------------------- */
/* Where a message's own value goes, and how long it is. Such a place is not common to all. */
static uint32_t own_place(answer_sheet *sheet, uint32_t size)
{
    const uint32_t place = sheet->given.count;
    sheet->values[place].size = size;
    sheet->given.steady &= ~(UINT32_C(1) << place);
    return place;
}

/* As values_of for a decision that has no odd value: only what is its own is left out. */
static void sheet_make(pos_engine *engine, const answer_plan *plan, bool is_authorised,
                       answer_sheet *sheet)
{
    const pos_decision decision = {.auth = {0}};
    const answer_sources sources = {.decision = &decision};
    *sheet = (answer_sheet){
        .given = {.steady = ~UINT32_C(0), .number = ++engine->answer_clock.sheets},
        .rrn = ANSWER_SOURCE_COUNT, .auth = ANSWER_SOURCE_COUNT, .response = ANSWER_SOURCE_COUNT,
    };
    sheet->given.values = sheet->values;
    for (size_t index = 0; index < plan->count; index++) {
        const answer_step *step = &plan->steps[index];
        const answer_source source = (answer_source)step->source;
        const uint32_t count = sheet->given.count;
        if (count > 0 && sheet->values[count - 1].field == step->field) continue;
        if (is_odd(source) || (source == SOURCE_AUTH && !is_authorised)) continue;
        sheet->values[count].field = step->field;
        if (source == SOURCE_RRN) sheet->rrn = own_place(sheet, 12);
        else if (source == SOURCE_AUTH) sheet->auth = own_place(sheet, sizeof decision.auth);
        else if (source == SOURCE_RESPONSE) sheet->response = own_place(sheet, 2);
        else {
            const pos_slice value = value_of(engine, &sources, step, NULL);
            if (value.size == 0) continue;
            sheet->values[count].value = value.data;
            sheet->values[count].size = (uint32_t)value.size;
        }
        sheet->given.count++;
    }
}

/* The sheet of a message that has no odd value, with its own values; NULL: it has one. */
static const pos_answer_sheet *sheet_of(pos_engine *engine, const answer_sources *sources,
                                        answer_room *room)
{
    answer_plan *plan = plan_of(engine, sources->slot->rule);
    for (uint32_t index = 0; index < plan->odd_count; index++) {
        const answer_step *step = &plan->steps[plan->odd[index]];
        answer_room unused = *room; /* nothing of it is kept */
        if (value_of(engine, sources, step, &unused).size > 0) return NULL;
    }
    if (plan->edition != engine->answer_clock.edition) {
        sheet_make(engine, plan, false, &plan->sheets[0]);
        sheet_make(engine, plan, true, &plan->sheets[1]);
        plan->edition = engine->answer_clock.edition;
    }
    answer_sheet *sheet = &plan->sheets[has_auth(sources->decision)];
    sheet->values[sheet->rrn].value = (const uint8_t *)sources->rrn;
    sheet->values[sheet->auth].value = (const uint8_t *)sources->decision->auth;
    sheet->values[sheet->response].value = (const uint8_t *)sources->response;
    return &sheet->given;
}

pos_status answer_make(pos_engine *engine, const answer_sources *sources, pos_writer *template_,
                       pos_writer *reply, size_t *covered_size_out, size_t *mac_size_out,
                       pos_fault *fault_out)
{
    assert(engine != NULL && sources != NULL && template_ != NULL && reply != NULL);
    assert(sources->slot->rule != NULL && sources->decision != NULL);
    const pos_slot *slot = sources->slot;
    char text[TEXT_SIZE_MAX];
    answer_room room = {.text = text, .size = sizeof text};
    pos_answer_value values[ANSWER_SOURCE_COUNT];
    pos_answer_sheet own = {.values = values};
    const pos_answer_sheet *sheet = sheet_of(engine, sources, &room);
    if (sheet == NULL) {
        own.count = values_of(engine, sources, &room, values);
        sheet = &own;
    }
    return pos_recipe_answer(engine->recipes, slot->recipe, slot->rule, &slot->message, sheet,
                             is_signed(slot), template_, reply, covered_size_out, mac_size_out,
                             fault_out);
}

pos_status answer_build(pos_engine *engine, const answer_sources *sources, pos_writer *writer,
                        pos_fault *fault_out)
{
    assert(engine != NULL && sources != NULL && writer != NULL);
    assert(sources->slot->rule != NULL);
    const pos_slot *slot = sources->slot;
    char text[TEXT_SIZE_MAX];
    answer_room room = {.text = text, .size = sizeof text};
    pos_answer_value values[ANSWER_SOURCE_COUNT];
    const size_t count = values_of(engine, sources, &room, values);
    return pos_answer_build(engine->spec, slot->rule, &slot->message, values, count,
                            sources->decision != NULL && is_signed(slot), writer, fault_out);
}

pos_status answer_build_refusal(pos_engine *engine, const pos_slot *slot, const char response[2],
                                pos_writer *writer, pos_fault *fault_out)
{
    assert(slot->rule != NULL);
    assert(response[0] != '\0');
    const answer_sources sources = {.slot = slot, .response = response};
    return answer_build(engine, &sources, writer, fault_out);
}
