/*
 * Rehearsals: decide and state driven by plain values, every answer kept as an entry in memory.
 * What Python's property tests, the tables in docs and "what would be answered?" stand on; it holds
 * no rule of its own.
 */
#include "decide/decide.h"

#include <assert.h>
#include <stdlib.h>

#define ENTRIES_MAX_DEFAULT 65536U
#define TERMINALS_MAX 1024U
#define RECORD_SIZE_MAX 1024U /* findings: 3 + 26 + 32 × 29 bytes */

typedef struct kept_entry {
    pos_entry entry; /* `request` is NULL; the record follows */
    uint8_t record[RECORD_SIZE_MAX];
    uint32_t record_size;
} kept_entry;

struct pos_rehearsal {
    pos_state_options limits;
    pos_policy *policy;
    pos_state *state;
    kept_entry *entries;
    uint32_t entry_count;
    uint32_t entries_max;
    pos_terminal terminals[TERMINALS_MAX];
    uint32_t terminal_count;
};

pos_status pos_rehearsal_open(const uint8_t *policy, size_t policy_size,
                              const pos_rehearsal_options *options,
                              pos_rehearsal **rehearsal_out)
{
    assert(options != NULL);
    assert(rehearsal_out != NULL);
    pos_rehearsal *rehearsal = calloc(1, sizeof(*rehearsal));
    if (rehearsal == NULL) return POS_MEMORY;
    rehearsal->limits = (pos_state_options){
        .terminals_max = options->terminals_max,
        .postings_max = options->postings_max,
        .repeats_max = options->repeats_max,
        .repeat_window_h = options->repeat_window_h,
        .posting_window_d = options->posting_window_d,
    };
    rehearsal->entries_max =
        options->entries_max != 0 ? options->entries_max : ENTRIES_MAX_DEFAULT;
    rehearsal->entries = calloc(rehearsal->entries_max, sizeof(kept_entry));
    pos_status status = rehearsal->entries == NULL ? POS_MEMORY : POS_OK;
    if (status == POS_OK) status = pos_policy_open(policy, policy_size, &rehearsal->policy);
    if (status == POS_OK) status = pos_state_create(&rehearsal->limits, &rehearsal->state);
    if (status != POS_OK) {
        pos_rehearsal_close(rehearsal);
        return status;
    }
    *rehearsal_out = rehearsal;
    return POS_OK;
}

void pos_rehearsal_close(pos_rehearsal *rehearsal)
{
    if (rehearsal == NULL) return;
    pos_state_destroy(rehearsal->state);
    pos_policy_close(rehearsal->policy);
    free(rehearsal->entries);
    free(rehearsal);
}

static pos_terminal *terminal_of(pos_rehearsal *rehearsal, const char tid[8])
{
    for (uint32_t index = 0; index < rehearsal->terminal_count; index++) {
        if (pos_equal(rehearsal->terminals[index].tid, tid, 8)) {
            return &rehearsal->terminals[index];
        }
    }
    return NULL;
}

pos_status pos_rehearsal_terminal_set(pos_rehearsal *rehearsal,
                                      const pos_rehearsal_terminal *terminal)
{
    pos_terminal *kept = terminal_of(rehearsal, terminal->tid);
    if (kept == NULL) {
        if (rehearsal->terminal_count == TERMINALS_MAX) return POS_ARGUMENT;
        kept = &rehearsal->terminals[rehearsal->terminal_count++];
    }
    *kept = (pos_terminal){
        .flags = terminal->flags,
        .currency = terminal->currency,
        .kind_mask = terminal->kind_mask,
        .amount_minor_max = terminal->amount_minor_max,
        .tmk = {.usage = POS_KEY_TMK,
                .cipher = terminal->key_cipher,
                .size = terminal->key_size},
    };
    pos_copy(kept->tid, terminal->tid, sizeof(kept->tid));
    pos_copy(kept->mid, terminal->mid, sizeof(kept->mid));
    return POS_OK;
}

static pos_request request_of(const pos_ask *ask)
{
    pos_request request = {
        .kind = ask->kind,
        .message_class = (uint8_t)(ask->mti >> 4),
        .mti = ask->mti,
        .network = ask->network,
        .currency = ask->currency,
        .entry_mode = ask->entry_mode,
        .original_date = ask->original_date,
        .last4 = ask->last4,
        .bin = ask->bin,
        .stan = ask->stan,
        .batch = ask->batch,
        .original_batch = ask->original_batch,
        .original_stan = ask->original_stan,
        .flags = ask->flags,
        .amount_minor = ask->amount_minor,
        .local_time = ask->local_time,
        .local_date = ask->local_date,
        .has_totals = ask->has_totals,
        .totals = ask->totals,
        .upload_count = ask->upload_count,
        .detail_count = ask->detail_count,
    };
    pos_copy(request.tid, ask->tid, sizeof(request.tid));
    pos_copy(request.mid, ask->mid, sizeof(request.mid));
    pos_copy(request.original_rrn, ask->original_rrn, sizeof(request.original_rrn));
    pos_copy(request.auth, ask->auth, sizeof(request.auth));
    pos_copy(request.reason, ask->reason, sizeof(request.reason));
    pos_copy(request.operator_id, "   ", sizeof(request.operator_id));
    pos_copy(request.pan_token, ask->pan_token, sizeof(request.pan_token));
    pos_copy(request.fingerprint, ask->fingerprint, sizeof(request.fingerprint));
    for (unsigned index = 0; index < ask->detail_count; index++) {
        request.details[index] = (pos_detail){
            .amount_minor = ask->details[index].amount_minor,
            .stan = ask->details[index].stan,
            .bin = ask->details[index].bin,
            .last4 = ask->details[index].last4,
        };
    }
    return request;
}

static void rrn_set(const pos_rehearsal *rehearsal, pos_entry *entry)
{
    pos_ascii_from_number(pos_policy_names_of(rehearsal->policy)->shard, entry->rrn, 2);
    pos_ascii_from_number(entry->sequence, entry->rrn + 2, 10);
}

static pos_entry entry_at(const pos_rehearsal *rehearsal, uint32_t index)
{
    const kept_entry *kept = &rehearsal->entries[index];
    pos_entry entry = kept->entry;
    entry.request = kept->record;
    entry.request_size = kept->record_size;
    return entry;
}

static pos_said said_of(const pos_decision *decision)
{
    return (pos_said){
        .balance_minor = decision->balance_minor,
        .makes_keys = decision->makes_keys,
        .answers_stored = decision->answers_stored,
        .is_alarm = decision->is_alarm,
        .result_domestic = decision->result_domestic,
        .result_foreign = decision->result_foreign,
        .download = decision->download,
        .totals = decision->totals,
        .records = decision->records,
        .matched = decision->matched,
        .missing_ours = decision->missing_ours,
        .missing_theirs = decision->missing_theirs,
        .differing = decision->differing,
    };
}

pos_status pos_rehearsal_ask(pos_rehearsal *rehearsal, const pos_ask *ask, int64_t now_ns,
                             pos_said *said_out)
{
    assert(rehearsal != NULL && ask != NULL);
    assert(said_out != NULL);
    if (ask->detail_count > POS_ASK_DETAIL_MAX) return POS_ARGUMENT;
    if (rehearsal->entry_count == rehearsal->entries_max) return POS_ENTRY_OVERSIZE;
    const pos_request request = request_of(ask);
    pos_decision decision;
    pos_decide(&request, terminal_of(rehearsal, request.tid), rehearsal->state, rehearsal->policy,
               now_ns, &decision);
    pos_said said = said_of(&decision);
    pos_decide_entry(&request, &decision, now_ns, &said.entry);
    if (decision.reason == POS_REASON_FULL) {
        *said_out = said;
        return POS_OK;
    }
    kept_entry *kept = &rehearsal->entries[rehearsal->entry_count];
    pos_writer writer = pos_writer_over(kept->record, sizeof(kept->record));
    pos_decide_findings(&decision, &writer);
    assert(!writer.is_full);
    kept->record_size = (uint32_t)writer.size;
    kept->entry = said.entry;
    kept->entry.sequence = rehearsal->entry_count + 1;
    rrn_set(rehearsal, &kept->entry);

    said.entry = entry_at(rehearsal, rehearsal->entry_count);
    const pos_status status = pos_state_apply(rehearsal->state, &said.entry);
    if (status != POS_OK) return status;
    rehearsal->entry_count++;
    *said_out = said;
    return POS_OK;
}

pos_status pos_rehearsal_refold(pos_rehearsal *rehearsal)
{
    pos_state *state = NULL;
    pos_status status = pos_state_create(&rehearsal->limits, &state);
    if (status != POS_OK) return status;
    for (uint32_t index = 0; index < rehearsal->entry_count && status == POS_OK; index++) {
        const pos_entry entry = entry_at(rehearsal, index);
        status = pos_state_apply(state, &entry);
    }
    if (status != POS_OK) {
        pos_state_destroy(state);
        return status;
    }
    pos_state_destroy(rehearsal->state);
    rehearsal->state = state;
    return POS_OK;
}

void pos_rehearsal_digest(const pos_rehearsal *rehearsal, uint8_t digest_out[16])
{
    pos_state_digest(rehearsal->state, digest_out);
}

pos_status pos_rehearsal_terminal_view(const pos_rehearsal *rehearsal, const char tid[8],
                                       const char mid[15], pos_terminal_view *view_out)
{
    const pos_terminal_state *terminal = pos_state_terminal(rehearsal->state, tid, mid);
    if (terminal == NULL) return POS_TERMINAL_ABSENT;
    *view_out = (pos_terminal_view){
        .is_signed_on = terminal->is_signed_on,
        .batch = terminal->batch,
        .batch_closed = terminal->batch_closed,
        .totals = terminal->totals,
        .totals_closed = terminal->totals_closed,
    };
    return POS_OK;
}

pos_status pos_rehearsal_kind_total(const pos_rehearsal *rehearsal, const char tid[8],
                                    const char mid[15], unsigned kind, bool is_foreign,
                                    uint32_t *count_out, int64_t *amount_minor_out)
{
    if (kind >= POS_KIND_COUNT) return POS_ARGUMENT;
    const pos_terminal_state *terminal = pos_state_terminal(rehearsal->state, tid, mid);
    const pos_kind_total total =
        pos_state_kind_total(rehearsal->state, terminal, kind, is_foreign);
    *count_out = total.count;
    *amount_minor_out = total.amount_minor;
    return POS_OK;
}

pos_status pos_rehearsal_posting_view(const pos_rehearsal *rehearsal, uint64_t sequence,
                                      pos_posting_view *view_out)
{
    const pos_posting *posting = pos_state_posting(rehearsal->state, sequence);
    if (posting == NULL) return POS_ENTRY_ABSENT;
    *view_out = (pos_posting_view){
        .undone_by = posting->undone_by,
        .completed_by = posting->completed_by,
        .amount_minor = posting->amount_minor,
        .refunded_minor = posting->refunded_minor,
        .adjusted_minor = posting->adjusted_minor,
        .kind = posting->kind,
        .is_voided = (posting->flags & POS_POSTING_VOIDED) != 0,
        .is_reversed = (posting->flags & POS_POSTING_REVERSED) != 0,
    };
    return POS_OK;
}

void pos_rehearsal_counts(const pos_rehearsal *rehearsal, uint32_t *terminals_out,
                          uint32_t *postings_out, uint32_t *repeats_out)
{
    pos_state_counts counts;
    pos_state_counts_read(rehearsal->state, &counts);
    *terminals_out = counts.terminals;
    *postings_out = counts.postings;
    *repeats_out = counts.repeats;
}
