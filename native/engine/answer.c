/*
 * Answers as values by role: which of them a kind carries is the dialect's business (the rule's
 * `supplied` fields), what they are is said here, and how they look on the wire is the builder's.
 *
 *   12 13 15  local time and date, settlement date     32 44 63  names of the policy
 *   37 38 39  reference, authorisation, response       48        settle totals and result digits
 *   54        balance     59  voucher     60  the request's, with the batch that sign-on opened
 *   62        key block, or what a download carries
 */
#include <assert.h>

#include "engine/calendar.h"
#include "engine/inside.h"

#define VALUES_MAX 24
#define TEXT_SIZE_MAX 512

typedef struct answer_values {
    pos_answer_value values[VALUES_MAX]; /* ascending by field */
    size_t count;
    char text[TEXT_SIZE_MAX]; /* what `values` points into, for what is made here */
    size_t text_size;
    const pos_engine *engine;
    const pos_rule *rule;
} answer_values;

/* The dialect's field for a role where this kind's answer is supplied with it; else 0. */
static unsigned supplied_field(const answer_values *answer, pos_role role)
{
    const unsigned field = pos_spec_role_field(answer->engine->spec, role);
    if (field == 0) return 0;
    const uint64_t bit = UINT64_C(1) << ((field - 1) % 64);
    return (answer->rule->supplied[(field - 1) / 64] & bit) != 0 ? field : 0;
}

/* Adds a value in its place; two roles of one field: the first added stands. */
static void add_bytes(answer_values *answer, pos_role role, const void *value, size_t size)
{
    const unsigned field = supplied_field(answer, role);
    if (field == 0 || size == 0) return;
    assert(answer->count < VALUES_MAX);
    size_t at = answer->count;
    while (at > 0 && answer->values[at - 1].field > field) at--;
    if (at > 0 && answer->values[at - 1].field == field) return;
    for (size_t index = answer->count; index > at; index--) {
        answer->values[index] = answer->values[index - 1];
    }
    answer->values[at] = (pos_answer_value){
        .field = (uint8_t)field, .value = value, .size = (uint32_t)size};
    answer->count++;
}

static char *room(answer_values *answer, size_t size)
{
    assert(answer->text_size + size <= TEXT_SIZE_MAX);
    char *text = answer->text + answer->text_size;
    answer->text_size += size;
    return text;
}

static void add_number(answer_values *answer, pos_role role, uint64_t number, size_t digits)
{
    char *text = room(answer, digits);
    pos_ascii_from_number(number, text, digits);
    add_bytes(answer, role, text, digits);
}

static void add_text(answer_values *answer, pos_role role, const char *text)
{
    size_t size = 0;
    while (text[size] != '\0') size++;
    add_bytes(answer, role, text, size);
}

/* A role's field of the spec may be MMDD or YYMMDD: its size says which. */
static void add_date(answer_values *answer, pos_role role, unsigned year, unsigned month,
                     unsigned day)
{
    pos_field_facts facts;
    const unsigned field = supplied_field(answer, role);
    if (field == 0 || !pos_spec_field(answer->engine->spec, field, &facts)) return;
    const uint64_t month_day = month * 100 + day;
    if (facts.size_max == 4) add_number(answer, role, month_day, 4);
    if (facts.size_max == 6) add_number(answer, role, year % 100 * 10000 + month_day, 6);
    if (facts.size_max == 8) add_number(answer, role, year * 10000 + month_day, 8);
}

static void add_times(answer_values *answer)
{
    const pos_engine *engine = answer->engine;
    const calendar_instant now =
        calendar_of(engine->now_ns, engine->zone_offset_minute, engine->cutover_minute);
    const uint64_t clock = now.hour * 10000 + now.minute * 100 + now.second;
    pos_field_facts facts;
    const unsigned field = supplied_field(answer, POS_ROLE_LOCAL_TIME);
    if (field != 0 && pos_spec_field(engine->spec, field, &facts)) {
        /* ISO 8583:1993 and later hold date and time in field 12: YYMMDDhhmmss. */
        const uint64_t date = (uint64_t)(now.year % 100 * 10000 + now.month * 100 + now.day);
        if (facts.size_max == 6) add_number(answer, POS_ROLE_LOCAL_TIME, clock, 6);
        if (facts.size_max == 12) {
            add_number(answer, POS_ROLE_LOCAL_TIME, date * 1000000 + clock, 12);
        }
    }
    add_date(answer, POS_ROLE_LOCAL_DATE, now.year, now.month, now.day);
    add_date(answer, POS_ROLE_SETTLEMENT_DATE, now.business_year, now.business_month,
             now.business_day);
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

/* Settle: our totals of both card classes, with the result digit of each. */
static void add_totals(answer_values *answer, const answer_sources *sources)
{
    if (sources->slot->request.kind != POS_KIND_SETTLE) return;
    const pos_decision *decision = sources->decision;
    char *text = room(answer, 62);
    write_side(text, &decision->totals.domestic, decision->result_domestic);
    write_side(text + 31, &decision->totals.foreign, decision->result_foreign);
    add_bytes(answer, POS_ROLE_PRIVATE_48, text, 62);
}

/* Settle refused: its answer has no field 39, so the result digits say error; whoever asked proved
 * nothing, and is told no totals. */
static void add_totals_error(answer_values *answer)
{
    static const pos_totals_side nothing;
    char *text = room(answer, 62);
    write_side(text, &nothing, 3);
    write_side(text + 31, &nothing, 3);
    add_bytes(answer, POS_ROLE_PRIVATE_48, text, 62);
}

/* Account type 10, amount type 02 (available), currency, sign, twelve digits. */
static void add_balance(answer_values *answer, const answer_sources *sources)
{
    const pos_request *request = &sources->slot->request;
    if (request->kind != POS_KIND_BALANCE) return;
    if (sources->decision->outcome != POS_OUTCOME_APPROVED) return;
    const int64_t balance = sources->decision->balance_minor;
    char *text = room(answer, 20);
    pos_copy(text, "1002", 4);
    pos_ascii_from_number(sources->slot->terminal->currency, text + 4, 3);
    text[7] = balance < 0 ? 'D' : 'C';
    pos_ascii_from_number((uint64_t)(balance < 0 ? -balance : balance), text + 8, 12);
    add_bytes(answer, POS_ROLE_BALANCES, text, 20);
}

/* QR: the voucher that a later void or refund names: business date and reference number. */
static void add_voucher(answer_values *answer, const answer_sources *sources)
{
    const pos_request *request = &sources->slot->request;
    if ((request->flags & POS_FLAG_QR) == 0) return;
    if (sources->decision->outcome != POS_OUTCOME_APPROVED) return;
    const calendar_instant now =
        calendar_of(answer->engine->now_ns, answer->engine->zone_offset_minute,
                    answer->engine->cutover_minute);
    char *text = room(answer, 25);
    pos_copy(text, "A4020", 5);
    const uint64_t date =
        (uint64_t)now.business_year * 10000 + now.business_month * 100 + now.business_day;
    pos_ascii_from_number(date, text + 5, 8);
    pos_copy(text + 13, sources->rrn, 12);
    add_bytes(answer, POS_ROLE_VOUCHER, text, 25);
}

/* Sign-on answers with the batch that it opened: the terminal takes 60.2 from here. */
static void add_batch(answer_values *answer, const answer_sources *sources)
{
    const pos_request *request = &sources->slot->request;
    if (request->kind != POS_KIND_SIGN_ON) return;
    char *text = room(answer, 11);
    pos_ascii_from_number(request->type, text, 2);
    pos_ascii_from_number(sources->decision->batch, text + 2, 6);
    pos_ascii_from_number(request->network, text + 8, 3);
    add_bytes(answer, POS_ROLE_BATCH, text, 11);
}

pos_status answer_build(pos_engine *engine, const answer_sources *sources, pos_writer *writer,
                        pos_fault *fault_out)
{
    assert(engine != NULL && sources != NULL && writer != NULL);
    assert(sources->slot->rule != NULL && sources->decision != NULL);
    const pos_slot *slot = sources->slot;
    const pos_decision *decision = sources->decision;
    const pos_policy_names *names = pos_policy_names_of(engine->policy);
    answer_values answer;
    answer.count = 0;
    answer.text_size = 0;
    answer.engine = engine;
    answer.rule = slot->rule;
    add_times(&answer);
    add_text(&answer, POS_ROLE_ACQUIRER, names->acquirer);
    add_bytes(&answer, POS_ROLE_RRN, sources->rrn, 12);
    if (decision->auth[0] != ' ' && decision->auth[0] != '\0') {
        add_bytes(&answer, POS_ROLE_AUTH, decision->auth, sizeof decision->auth);
    }
    add_bytes(&answer, POS_ROLE_RESPONSE, decision->response, sizeof decision->response);
    add_text(&answer, POS_ROLE_INSTITUTIONS, names->institutions);
    add_totals(&answer, sources);
    add_balance(&answer, sources);
    add_voucher(&answer, sources);
    add_batch(&answer, sources);
    add_bytes(&answer, POS_ROLE_PRIVATE_62, sources->private_62, sources->private_62_size);
    add_text(&answer, POS_ROLE_OPERATOR, names->organization);
    return pos_answer_build(engine->spec, slot->rule, &slot->message, answer.values, answer.count,
                            slot->rule->answer_has_mac && slot->key != NULL, writer, fault_out);
}

pos_status answer_build_refusal(pos_engine *engine, const pos_slot *slot, const char response[2],
                                pos_writer *writer, pos_fault *fault_out)
{
    assert(slot->rule != NULL);
    assert(response[0] != '\0');
    answer_values answer;
    answer.count = 0;
    answer.text_size = 0;
    answer.engine = engine;
    answer.rule = slot->rule;
    add_times(&answer);
    add_bytes(&answer, POS_ROLE_RESPONSE, response, 2);
    if (slot->rule->kind == POS_KIND_SETTLE) add_totals_error(&answer);
    return pos_answer_build(engine->spec, slot->rule, &slot->message, answer.values, answer.count,
                            false, writer, fault_out);
}
