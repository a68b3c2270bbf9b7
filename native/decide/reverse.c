/*
 * Reversals. The key of the original is the reversal's own batch and STAN under message class 20
 * (0200) or 10 (0100); field 61 is not asked, since terminals differ in what they put there. The
 * whole table, with totals and what a late original gets: docs/reference/reversals.md, which runs
 * as a test.
 *
 *   original             answer     effect
 *   unseen               00 or 25   barred: should it come late, it is declined
 *   declined             00         none
 *   approved             00         undone: leaves the totals; a void's original stands again
 *   undone before        00         none
 *   another amount       64         none
 *   voided, refunded,    12         none
 *   completed, adjusted
 *   in a closed batch    12         none: its money is settled, a refund is the way back
 *   sent by advice       12         none: advices are repeated, not reversed
 */
#include "decide/case.h"

static bool is_reversible(unsigned kind)
{
    switch (kind) {
    case POS_KIND_SALE:
    case POS_KIND_SALE_VOID:
    case POS_KIND_PREAUTH:
    case POS_KIND_PREAUTH_VOID:
    case POS_KIND_COMPLETION:
    case POS_KIND_COMPLETION_VOID:
    case POS_KIND_EC_LOAD:
    case POS_KIND_EC_CASH_LOAD:
    case POS_KIND_EC_CASH_LOAD_VOID:
    case POS_KIND_QR_SALE:
    case POS_KIND_QR_VOID:
        return true;
    default:
        return false;
    }
}

static const pos_repeat *key_find(const pos_case *matter, uint8_t message_class)
{
    return pos_state_repeat_find(matter->state, matter->ours, matter->request->batch,
                                 matter->request->stan, message_class);
}

/* A voided completion opened its pre-authorisation; another may have completed it since. */
static bool is_completed_anew(const pos_case *matter, const pos_posting *original)
{
    if (original->kind != POS_KIND_COMPLETION_VOID) return false;
    const pos_posting *completion = pos_state_posting(matter->state, original->original);
    const pos_posting *preauth =
        completion == NULL ? NULL : pos_state_posting(matter->state, completion->original);
    return preauth != NULL && preauth->completed_by != 0;
}

static bool original_may_go(pos_case *matter, const pos_posting *original)
{
    if (original->amount_minor != matter->request->amount_minor) {
        return case_say(matter, POS_REASON_ORIGINAL_AMOUNT);
    }
    if ((original->flags & POS_POSTING_REVERSED) != 0) {
        return case_say(matter, POS_REASON_REVERSED_ALREADY);
    }
    if (!pos_state_is_open(matter->ours, original)) {
        return case_say(matter, POS_REASON_ORIGINAL_CLOSED);
    }
    if ((original->flags & POS_POSTING_VOIDED) != 0) {
        return case_say(matter, POS_REASON_ORIGINAL_VOIDED);
    }
    if (original->refunded_minor != 0) return case_say(matter, POS_REASON_ORIGINAL_REFUNDED);
    if (original->adjusted_minor != 0) return case_say(matter, POS_REASON_ORIGINAL_ADJUSTED);
    if (original->completed_by != 0 || is_completed_anew(matter, original)) {
        return case_say(matter, POS_REASON_ORIGINAL_COMPLETED);
    }
    return true;
}

static void unseen(pos_case *matter)
{
    (void)case_say(matter, matter->policy->unseen_is_25 ? POS_REASON_REVERSAL_UNSEEN_25
                                                        : POS_REASON_REVERSAL_UNSEEN);
}

void case_reverse(pos_case *matter)
{
    const pos_repeat *key = key_find(matter, 0x20);
    if (key == NULL) key = key_find(matter, 0x10);
    if (key == NULL) {
        const pos_repeat *advice = key_find(matter, 0x22);
        if (advice == NULL) {
            unseen(matter);
            return;
        }
        matter->said->original = advice->sequence;
        (void)case_say(matter, POS_REASON_REVERSAL_KIND);
        return;
    }
    matter->said->original = key->sequence;
    if (key->outcome != POS_OUTCOME_APPROVED) {
        (void)case_say(matter, POS_REASON_REVERSAL_DECLINED);
        return;
    }
    const pos_posting *original = pos_state_posting(matter->state, key->sequence);
    if (original == NULL || !is_reversible(original->kind)) {
        (void)case_say(matter, POS_REASON_REVERSAL_KIND);
        return;
    }
    matter->original = original;
    matter->said->is_foreign = (original->flags & POS_POSTING_FOREIGN) != 0;
    if (!original_may_go(matter, original)) return;
    matter->said->flags |= POS_FLAG_FINAL;
    (void)case_say(matter, POS_REASON_REVERSED);
}
