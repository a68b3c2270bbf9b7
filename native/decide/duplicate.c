/*
 * Was this asked before? The key is terminal, batch, STAN and message class; the fingerprint covers
 * every byte of the request but its MAC.
 *
 *   key known   fingerprint   answer
 *   no          -             go on, unless its reversal came first: then it is too late (12)
 *   yes         the same      the stored answer again
 *   yes         another       94 and an alarm; but a reversal is looked at anew, since terminals
 *                             repeat one with another reason (98, then 06), and it undoes at most
 *                             once whatever it says
 */
#include "decide/case.h"

#define CLASS_AUTHORIZATION 0x10U
#define CLASS_FINANCIAL 0x20U
#define CLASS_REVERSAL 0x40U

bool case_is_new(pos_case *matter)
{
    const pos_request *request = matter->request;
    if (request->stan == 0 || !pos_state_kind_repeats(request->kind)) return true;
    const pos_repeat *before = pos_state_repeat_find(matter->state, matter->ours, request->batch,
                                                     request->stan, request->message_class);
    if (before == NULL) return true;
    if (pos_equal(before->fingerprint, request->fingerprint, sizeof(before->fingerprint))) {
        matter->said->original = before->sequence;
        matter->said->answers_stored = true;
        return case_say(matter, POS_REASON_REPEAT);
    }
    if (request->message_class == CLASS_REVERSAL) return true;
    matter->said->original = before->sequence;
    matter->said->is_alarm = true;
    return case_say(matter, POS_REASON_REPEAT_DIFFERS);
}

bool case_is_in_time(pos_case *matter)
{
    const pos_request *request = matter->request;
    if (request->message_class != CLASS_AUTHORIZATION
        && request->message_class != CLASS_FINANCIAL) {
        return true;
    }
    const pos_repeat *reversal = pos_state_repeat_find(matter->state, matter->ours, request->batch,
                                                       request->stan, CLASS_REVERSAL);
    if (reversal == NULL || !reversal->is_unseen) return true;
    matter->said->original = reversal->sequence;
    matter->said->flags |= POS_FLAG_LATE;
    matter->said->is_alarm = true;
    return case_say(matter, POS_REASON_LATE_ORIGINAL);
}
