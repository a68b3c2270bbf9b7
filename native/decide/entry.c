/* A decision as an entry: every fact that decide used, and what it said. */
#include "decide/decide.h"

#include <assert.h>

void pos_decide_entry(const pos_request *request, const pos_decision *decision, int64_t now_ns,
                      pos_entry *entry_out)
{
    assert(request != NULL && decision != NULL && entry_out != NULL);
    assert(decision->outcome != POS_OUTCOME_NONE);
    *entry_out = (pos_entry){
        .original = decision->original,
        .received_at_ns = now_ns,
        .terminal_at_ns = decision->terminal_at_ns,
        .amount_minor = decision->amount_minor,
        .flags = request->flags | decision->flags,
        .processing = request->processing,
        .stan = request->stan,
        .batch = decision->batch,
        .original_batch = request->original_batch,
        .original_stan = request->original_stan,
        .bin = request->bin,
        .line = request->line,
        .last4 = request->last4,
        .mti = request->mti,
        .currency = request->currency,
        .entry_mode = request->entry_mode,
        .network = request->network,
        .kind = request->kind,
        .outcome = decision->outcome,
        .type = request->type,
        .condition = request->condition,
        .requirement = decision->requirement,
        .why = decision->reason,
    };
    pos_copy(entry_out->response, decision->response, sizeof(entry_out->response));
    pos_copy(entry_out->reason, request->reason, sizeof(entry_out->reason));
    pos_copy(entry_out->tid, request->tid, sizeof(entry_out->tid));
    pos_copy(entry_out->mid, request->mid, sizeof(entry_out->mid));
    pos_copy(entry_out->rrn, "            ", sizeof(entry_out->rrn));
    pos_copy(entry_out->original_rrn, request->original_rrn, sizeof(entry_out->original_rrn));
    pos_copy(entry_out->auth, decision->auth, sizeof(entry_out->auth));
    pos_copy(entry_out->operator_id, request->operator_id, sizeof(entry_out->operator_id));
    pos_copy(entry_out->pan_token, request->pan_token, sizeof(entry_out->pan_token));
    pos_copy(entry_out->fingerprint, request->fingerprint, sizeof(entry_out->fingerprint));
}
