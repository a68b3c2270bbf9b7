/*
 * The part of a wave that needs no order: each frame is cut, parsed and read on its own, and what
 * fails leaves its cause in the slot. Nothing here changes the engine but its slots; what a fault
 * means (counts, guards, answers) happens in settle.c, in order, so that a wave which is taken only
 * in part can be submitted again.
 */
#include <assert.h>

#include "engine/inside.h"

#define STACK_WIPED 49152       /* by POS_MAC_SOME_MAX and fewer */
#define STACK_WIPED_MANY 131072 /* MACs of many: room for a whole wave's lanes, and a pass below it */

static void fail(pos_slot *slot, pos_cause cause, pos_status status)
{
    assert(cause != POS_CAUSE_NONE);
    slot->cause = (uint8_t)cause;
    slot->fault.status = status;
}

void wave_cut(pos_engine *engine, const pos_arrival *arrivals, size_t count)
{
    assert(count <= engine->wave_frames_max);
    for (size_t index = 0; index < count; index++) {
        pos_slot *slot = &engine->slots[index];
        slot->arrival = &arrivals[index];
        slot->terminal = NULL;
        slot->rule = NULL;
        slot->recipe = NULL;
        slot->ours = NULL;
        slot->keys = NULL;
        slot->key = NULL;
        slot->key_old = NULL;
        slot->has_held = false;
        slot->is_old_key = false;
        slot->cause = POS_CAUSE_NONE;
        slot->fault = (pos_fault){0};
        slot->message.mti = 0;
        slot->message.bitmap[0] = 0;
        slot->message.bitmap[1] = 0;
        slot->request.tid[0] = '\0';
        slot->request.mid[0] = '\0';
        slot->request.stan = 0;
        const pos_status status = pos_frame_next(engine->spec, arrivals[index].frame,
                                                 arrivals[index].size, &slot->frame);
        if (status != POS_OK) {
            fail(slot, POS_CAUSE_FRAME, status);
        } else if (slot->frame.size != arrivals[index].size) {
            fail(slot, POS_CAUSE_FRAME, POS_FRAME_LENGTH); /* a submit is one frame, no more */
        }
    }
}

/* Text of a fixed field as the roster knows it; false where the message has not got that far. */
static bool name_of(const pos_engine *engine, const pos_message *message, pos_role role,
                    char *name_out, size_t size)
{
    const unsigned field = pos_spec_role_field(engine->spec, role);
    if (field == 0 || !pos_message_has(message, field)) return false;
    uint8_t text[POS_VALUE_SIZE_MAX];
    if (pos_message_value(engine->spec, message, field, text) != size) return false;
    pos_copy(name_out, text, size);
    return true;
}

/*
 * A message that failed to parse is still answered 30 where MTI, STAN and terminal could be read:
 * the terminal's clerk then sees a code, and not a time-out.
 */
static void recover_names(pos_engine *engine, pos_slot *slot)
{
    const unsigned stan_field = pos_spec_role_field(engine->spec, POS_ROLE_STAN);
    uint8_t text[POS_VALUE_SIZE_MAX];
    char tid[8];
    char mid[15];
    const bool has_stan = stan_field != 0 && pos_message_has(&slot->message, stan_field);
    if (!has_stan || !name_of(engine, &slot->message, POS_ROLE_TID, tid, sizeof tid)
        || !name_of(engine, &slot->message, POS_ROLE_MID, mid, sizeof mid)) {
        slot->cause = POS_CAUSE_MUTE;
        return;
    }
    const size_t size = pos_message_value(engine->spec, &slot->message, stan_field, text);
    if (size <= 12 && pos_ascii_is_digits(text, size)) {
        slot->request.stan = (uint32_t)pos_ascii_number(text, size);
    }
    pos_copy(slot->request.tid, tid, sizeof tid);
    pos_copy(slot->request.mid, mid, sizeof mid);
    if (slot->rule == NULL) slot->cause = POS_CAUSE_MUTE;
}

/* The rule demands a MAC, and that is all that is missing. */
static bool lacks_mac(const pos_engine *engine, const pos_slot *slot, pos_status status)
{
    if (status == POS_MAC_ABSENT) return true;
    return status == POS_FIELD_MISSING && slot->rule->request_has_mac
           && slot->fault.field == pos_spec_role_field(engine->spec, POS_ROLE_MAC);
}

static void fail_form(pos_engine *engine, pos_slot *slot, pos_status status)
{
    fail(slot, POS_CAUSE_FORM, status);
    recover_names(engine, slot);
}

/* Kind, facts and what the MAC covers, of a message that is parsed. */
static void read_one(pos_engine *engine, pos_slot *slot, char pan[20], size_t *pan_size)
{
    const pos_status status =
        pos_recipe_read(engine->recipes, &slot->message, &slot->recipe, &slot->rule, &slot->cover,
                        &slot->request, pan, pan_size, &slot->fault);
    if (status == POS_OK) return;
    if (status == POS_FIELD_RULE) {
        slot->rule = pos_rule_of_mti(engine->spec, slot->message.mti);
        fail_form(engine, slot, status);
        return;
    }
    pos_cause cause = POS_CAUSE_FACT;
    if (status == POS_FIELD_MISSING || status == POS_FIELD_FORBIDDEN
        || status == POS_MAC_ABSENT) {
        cause = lacks_mac(engine, slot, status) ? POS_CAUSE_MAC_ABSENT : POS_CAUSE_PRESENCE;
    }
    fail(slot, cause, status);
    recover_names(engine, slot);
}

/* The expiry date becomes one fact and is gone: it is not kept, and decide never sees it. */
static void judge_expiry(pos_request *request, const answer_clock *now)
{
    const unsigned expiry = request->expiry_yymm;
    if ((request->flags & POS_FLAG_EXPIRY) != 0 && expiry != 0) {
        /* Two digits of a year mean the one within fifty years of now. */
        unsigned year = now->year / 100 * 100 + expiry / 100;
        if (year + 50 < now->year) year += 100;
        if (year > now->year + 50) year -= 100;
        const bool is_past = year < now->year
                             || (year == now->year && expiry % 100 < now->month);
        if (is_past) request->flags |= POS_FLAG_CARD_EXPIRED;
    }
    *(volatile uint16_t *)&request->expiry_yymm = 0; /* a store that the compiler may not drop */
}

void wave_tokens(pos_engine *engine, size_t count)
{
    size_t tokens = 0;
    for (size_t index = 0; index < count; index++) {
        const pos_pan *pan = &engine->pans[index];
        if (engine->slots[index].cause != POS_CAUSE_NONE || pan->size == 0) continue;
        engine->job_slots[tokens] = (uint32_t)index;
        engine->tokens[tokens++] =
            (pos_token_job){.data = (const uint8_t *)pan->digits, .size = (uint32_t)pan->size};
    }
    pos_token_wave(&engine->token_key, engine->tokens, tokens);
    for (size_t index = 0; index < tokens; index++) {
        pos_copy(engine->slots[engine->job_slots[index]].request.pan_token,
                 engine->tokens[index].token, sizeof engine->tokens[index].token);
    }
    size_t prints = 0;
    for (size_t index = 0; index < count; index++) {
        const pos_slot *slot = &engine->slots[index];
        if (slot->cause != POS_CAUSE_NONE) continue;
        engine->job_slots[prints] = (uint32_t)index;
        engine->tokens[prints++] =
            (pos_token_job){.data = slot->cover.data, .size = slot->cover.size};
    }
    pos_token_wave(&engine->fingerprint_key, engine->tokens, prints);
    for (size_t index = 0; index < prints; index++) {
        pos_copy(engine->slots[engine->job_slots[index]].request.fingerprint,
                 engine->tokens[index].token, sizeof engine->tokens[index].token);
    }
    if (!engine->keep_pan) pos_wipe(engine->pans, count * sizeof engine->pans[0]);
}

void wave_parse(pos_engine *engine, size_t count)
{
    size_t jobs = 0;
    for (size_t index = 0; index < count; index++) {
        pos_slot *slot = &engine->slots[index];
        if (slot->cause != POS_CAUSE_NONE) continue;
        engine->job_slots[jobs] = (uint32_t)index;
        engine->parse_jobs[jobs++] = (pos_parse_job){.body = slot->frame.body,
                                                     .size = slot->frame.body_size,
                                                     .message = &slot->message,
                                                     .fault = &slot->fault};
    }
    pos_message_parse_wave(engine->plans, engine->parse_jobs, jobs);
    for (size_t job = 0; job < jobs; job++) {
        pos_slot *slot = &engine->slots[engine->job_slots[job]];
        const pos_status status = engine->parse_jobs[job].status;
        if (status == POS_OK) continue;
        if (pos_rule_find(engine->spec, &slot->message, &slot->rule) != POS_OK) {
            slot->rule = pos_rule_of_mti(engine->spec, slot->message.mti);
        }
        fail_form(engine, slot, status);
    }
}

void wave_read(pos_engine *engine, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        pos_slot *slot = &engine->slots[index];
        pos_pan *pan = &engine->pans[index];
        pan->size = 0;
        if (slot->cause != POS_CAUSE_NONE) continue;
        read_one(engine, slot, pan->digits, &pan->size);
        if (slot->cause != POS_CAUSE_NONE) continue;
        slot->request.line = (uint32_t)slot->arrival->line;
        judge_expiry(&slot->request, &engine->answer_clock);
    }
}

/*
 * Digits of account numbers pass through the frames of functions that have returned by now; the
 * stack below is wiped as far as they reach.
 */
__attribute__((noinline)) static void wipe_stack(void)
{
    uint8_t below[STACK_WIPED];
    pos_wipe(below, sizeof below);
}

__attribute__((noinline)) static void wipe_stack_of_many(void)
{
    uint8_t below[STACK_WIPED_MANY];
    pos_wipe(below, sizeof below);
}

void wave_wipe(pos_engine *engine, size_t count)
{
    if (count > POS_MAC_SOME_MAX) wipe_stack_of_many();
    else wipe_stack();
    if (engine->keep_pan) pos_wipe(engine->pans, count * sizeof engine->pans[0]);
    for (size_t index = 0; index < count; index++) {
        pos_slot *slot = &engine->slots[index];
        if (slot->has_held) pos_wipe(slot->held, sizeof slot->held);
    }
}
