/*
 * An embedding program that decides: asked once a wave, before any message of it is settled.
 *
 *   authenticated requests ─▶ questions ─▶ program ─▶ codes ─▶ settle_one: "00" leaves the decision to
 *   that may move money                                        the rules, any other code declines
 *
 * The program can only say no. What it says is kept as the entry's response and outcome, so a
 * restart folds it without asking again: law 3 holds for whatever it is made of.
 */
#include <assert.h>

#include "engine/inside.h"

/* Void, refund and completion included: they move money too. Reversals and settlement are not. */
static bool is_asked(unsigned kind)
{
    return pos_kind_sign(kind) != 0 || kind == POS_KIND_PREAUTH || kind == POS_KIND_PREAUTH_VOID
           || kind == POS_KIND_BALANCE || kind == POS_KIND_EC_LOAD;
}

static pos_question question_of(const pos_request *request)
{
    pos_question question = {
        .amount_minor = request->amount_minor,
        .processing = request->processing,
        .stan = request->stan,
        .batch = request->batch,
        .bin = request->bin,
        .flags = request->flags,
        .last4 = request->last4,
        .mti = request->mti,
        .currency = request->currency,
        .entry_mode = request->entry_mode,
        .kind = request->kind,
        .condition = request->condition,
        .response = {'0', '0'},
    };
    pos_copy(question.tid, request->tid, sizeof question.tid);
    pos_copy(question.mid, request->mid, sizeof question.mid);
    pos_copy(question.pan_token, request->pan_token, sizeof question.pan_token);
    return question;
}

static bool is_code(const char response[2])
{
    for (size_t index = 0; index < 2; index++) {
        const char c = response[index];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'))) return false;
    }
    return true;
}

void wave_ask(pos_engine *engine, size_t count)
{
    assert(engine->decide != NULL);
    assert(count <= engine->wave_frames_max);
    size_t asked = 0;
    for (size_t index = 0; index < count; index++) {
        pos_slot *slot = &engine->slots[index];
        slot->said[0] = slot->said[1] = '0';
        if (slot->cause != POS_CAUSE_NONE || !is_asked(slot->request.kind)) continue;
        engine->job_slots[asked] = (uint32_t)index;
        engine->questions[asked++] = question_of(&slot->request);
    }
    if (asked == 0) return;
    engine->decide(engine->decide_context, engine->questions, asked);
    for (size_t index = 0; index < asked; index++) {
        pos_slot *slot = &engine->slots[engine->job_slots[index]];
        const char *response = engine->questions[index].response;
        /* What is no code is a defect of the program's: no is the safe way to take it. */
        pos_copy(slot->said, is_code(response) ? response : "96", sizeof slot->said);
    }
}

void ask_apply(const pos_slot *slot, pos_decision *decision)
{
    if (decision->outcome != POS_OUTCOME_APPROVED || pos_equal(slot->said, "00", 2)) return;
    assert(is_asked(slot->request.kind));
    decision->outcome = POS_OUTCOME_DECLINED;
    decision->reason = POS_REASON_PROGRAM;
    pos_copy(decision->response, slot->said, sizeof decision->response);
    for (size_t index = 0; index < sizeof decision->auth; index++) decision->auth[index] = ' ';
    decision->flags &= ~(POS_FLAG_STANDIN | POS_FLAG_PARTIAL);
    decision->balance_minor = 0;
}
