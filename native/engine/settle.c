/*
 * One message, in its order: admitted, decided, recorded, staged, applied. Message 2 of a wave sees
 * what message 1 did.
 *
 *   1. admit    room in the cohort, the page, on disk and in the state: before anything is done
 *   2. decide   pure
 *   3. record   entry, template, redacted request; the reply filled and framed, unsigned
 *   4. stage    the entry gets its sequence; from here on it will be answered
 *   5. apply    the state folds the entry, as a restart will
 *
 * Whatever fails before 4 leaves state and journal as they were: the terminal hears 96, which is
 * counted and no entry, or the call answers STAGE_FULL and the frame is submitted again.
 */
#include <assert.h>

#include "engine/inside.h"

#define RRN_SIZE 12
#define RRN_SEQUENCE_MODULUS UINT64_C(10000000000)
#define AUTH_MODULUS UINT64_C(1000000)
#define BLANK ' '
#define ENTRIES_A_MESSAGE 2U
/* How many messages before its turn a message's state is asked for, step by step. */
#define AHEAD_TERMINAL 16U
#define AHEAD_LISTS 8U

static void blank(char *text, size_t size)
{
    for (size_t index = 0; index < size; index++) text[index] = BLANK;
}

/* Two digits of the shard, ten of the sequence: one number. */
static void rrn_of(const pos_engine *engine, uint64_t sequence, char rrn_out[RRN_SIZE])
{
    const uint64_t number =
        engine->names->shard * RRN_SEQUENCE_MODULUS + sequence % RRN_SEQUENCE_MODULUS;
    pos_ascii_from_number(number, rrn_out, RRN_SIZE);
}

/* A full page or cohort is no cause: it only wants a commit first. */
pos_status settle_admit(pos_engine *engine, pos_slot *slot)
{
    if (slot->cause != POS_CAUSE_NONE) return POS_OK;
    if (!cohort_has_room(engine, &engine->cohorts[engine->cohort_open])) return POS_STAGE_FULL;
    if (!pos_journal_has_room(engine->journal, ENTRY_HEAP_MAX)) {
        const bool may_come = pos_journal_staged_count(engine->journal) > 0
                              || pos_journal_is_writing(engine->journal);
        if (may_come) return POS_STAGE_FULL;
        slot->cause = POS_CAUSE_JOURNAL_ROOM;
    } else if (!pos_state_has_room_for(engine->state, slot->request.kind)) {
        slot->cause = POS_CAUSE_STATE_ROOM;
    }
    return POS_OK;
}

/* The value of field 62 of the answer: working keys at sign-on, records in a download. */
static pos_cause supply(pos_engine *engine, pos_slot *slot, settle_work *work)
{
    const pos_decision *decision = &work->decision;
    work->private_62_size = 0;
    work->block.size = 0;
    if (decision->makes_keys && keyring_has_place(engine)) {
        if (keyring_make(engine, slot, &work->block) != POS_OK) return POS_CAUSE_KEYSTORE;
        assert(work->block.size <= sizeof work->private_62);
        pos_copy(work->private_62, work->block.bytes, work->block.size);
        work->private_62_size = work->block.size;
    } else if (decision->download != 0 && decision->outcome == POS_OUTCOME_APPROVED) {
        const unsigned field = pos_spec_role_field(engine->spec, POS_ROLE_PRIVATE_62);
        const bool has_field = field != 0 && pos_message_has(&slot->message, field);
        const pos_field *asked = &slot->message.fields[field];
        work->private_62_size = downloads_answer(
            engine->downloads, decision->download,
            has_field ? slot->message.body + asked->offset : NULL, has_field ? asked->size : 0,
            work->private_62);
    }
    return POS_CAUSE_NONE;
}

/* The template of a repeat is the original's, as the journal kept it: law 2. */
static pos_cause recall(pos_engine *engine, settle_work *work)
{
    pos_entry original;
    const pos_status status =
        pos_journal_entry(engine->journal, work->decision.original, &original);
    if (status != POS_OK || original.answer_size == 0) return POS_CAUSE_ANSWER;
    work->stored = (pos_slice){.data = original.answer, .size = original.answer_size};
    pos_copy(work->entry.rrn, original.rrn, sizeof work->entry.rrn);
    pos_copy(work->entry.response, original.response, sizeof work->entry.response);
    work->decision.requirement = original.requirement; /* the same bytes, its header included */
    work->entry.requirement = original.requirement;
    return POS_CAUSE_NONE;
}

/* Redacted request and template, one after the other in scratch. */
static pos_cause write_heap(pos_engine *engine, pos_slot *slot, settle_work *work)
{
    pos_writer writer = pos_writer_over(engine->scratch, ENTRY_HEAP_MAX);
    pos_recipe_redact(engine->recipes, slot->recipe, slot->rule, &slot->message, &writer);
    pos_decide_findings(&work->decision, &writer);
    work->request_size = writer.size;
    work->kept_offset = writer.size;
    work->kept_size = 0;
    if (writer.is_full) return POS_CAUSE_SIZE;
    if (work->decision.answers_stored) return recall(engine, work);
    if (slot->rule->answer_mti == 0) return POS_CAUSE_NONE;
    const pos_cause cause = supply(engine, slot, work);
    if (cause != POS_CAUSE_NONE) return cause;
    const answer_sources sources = {
        .slot = slot,
        .decision = &work->decision,
        .rrn = work->entry.rrn,
        .response = work->decision.response,
        .private_62 = work->private_62,
        .private_62_size = work->private_62_size,
    };
    pos_writer reply = cohort_body(&engine->cohorts[engine->cohort_open]);
    const pos_status status = answer_make(engine, &sources, &writer, &reply, &work->covered_size,
                                          &work->mac_size, &slot->fault);
    if (status != POS_OK || writer.is_full || reply.is_full) return POS_CAUSE_ANSWER;
    work->kept_size = writer.size - work->kept_offset;
    work->reply_size = reply.size;
    return POS_CAUSE_NONE;
}

/*
 * Working keys leave in the reply and are not kept, wrapped or not: the journal's template has
 * zeros in their places, and their check values. The reply was filled before.
 */
static pos_cause forget_keys(pos_engine *engine, pos_slot *slot, settle_work *work)
{
    if (work->block.size == 0) return POS_CAUSE_NONE;
    const answer_sources sources = {
        .slot = slot,
        .decision = &work->decision,
        .rrn = work->entry.rrn,
        .response = work->decision.response,
        .private_62 = work->block.kept,
        .private_62_size = work->block.size,
    };
    pos_writer writer = pos_writer_over(engine->scratch + work->kept_offset,
                                        ENTRY_HEAP_MAX - work->kept_offset);
    const pos_status status = answer_build(engine, &sources, &writer, &slot->fault);
    if (status != POS_OK || writer.size != work->kept_size) return POS_CAUSE_ANSWER;
    return POS_CAUSE_NONE;
}

static void finish_entry(pos_engine *engine, const pos_slot *slot, settle_work *work)
{
    pos_entry *entry = &work->entry;
    pos_decide_entry(&slot->request, &work->decision, engine->now_ns, entry);
    entry->sequence = engine->sequence + 1;
    rrn_of(engine, entry->sequence, entry->rrn);
    /* The host that approves gives an authorisation code: here it follows from the sequence, so
     * that it is the same however often the journal is folded. */
    const int sign = pos_kind_sign(slot->request.kind);
    const bool is_authorised = work->decision.outcome == POS_OUTCOME_APPROVED
                               && (sign != 0 || slot->request.kind == POS_KIND_PREAUTH);
    if (is_authorised && work->decision.auth[0] == BLANK) {
        pos_ascii_from_number(entry->sequence % AUTH_MODULUS, work->decision.auth,
                              sizeof work->decision.auth);
    }
    pos_copy(entry->auth, work->decision.auth, sizeof entry->auth);
}

void settle_record(pos_engine *engine, pos_slot *slot, settle_work *work)
{
    finish_entry(engine, slot, work);
    slot->cause = (uint8_t)write_heap(engine, slot, work);
}

void settle_reply(pos_engine *engine, pos_slot *slot, settle_work *work)
{
    pos_cohort *cohort = &engine->cohorts[engine->cohort_open];
    pos_status status = POS_OK;
    if (work->reply_size > 0) {
        status = cohort_take(engine, cohort, slot, work);
    } else if (work->stored.size > 0) {
        status = cohort_add(engine, cohort, slot, work->stored, work->decision.requirement,
                            work->entry.sequence);
    } else {
        cohort_add_silent(cohort, slot->arrival->line, work->entry.sequence, false);
    }
    if (status != POS_OK) {
        slot->cause = POS_CAUSE_ANSWER;
        return;
    }
    slot->cause = (uint8_t)forget_keys(engine, slot, work);
    if (slot->cause != POS_CAUSE_NONE) cohort_drop_last(cohort);
}

/* The entry goes into the open page, and from there into the state. */
static pos_status stage(pos_engine *engine, const pos_terminal_state *ours, pos_entry *entry)
{
    assert(entry->sequence == engine->sequence + 1);
    const uint64_t expected = entry->sequence;
    const pos_status status = pos_journal_stage(engine->journal, entry);
    if (status != POS_OK) return status;
    assert(entry->sequence == expected);
    (void)expected;
    engine->sequence = entry->sequence;
    engine->counts.entries++;
    const pos_status applied = pos_state_apply_for(engine->state, ours, entry);
    assert(applied == POS_OK); /* it was admitted: room was there */
    (void)applied;
    return POS_OK;
}

/* The journal keeps it where it was told to: of decisions alone, a repeat's original has it. */
static void keep_pan(pos_engine *engine, const pos_slot *slot, unsigned outcome)
{
    if (outcome != POS_OUTCOME_APPROVED && outcome != POS_OUTCOME_DECLINED) return;
    const pos_pan *pan = &engine->pans[slot - engine->slots];
    pos_journal_keep_pan(engine->journal, pan->digits, pan->size);
}

pos_status settle_stage(pos_engine *engine, pos_slot *slot, settle_work *work)
{
    pos_entry *entry = &work->entry;
    entry->request = engine->scratch;
    entry->request_size = (uint32_t)work->request_size;
    entry->answer = engine->scratch + work->kept_offset;
    entry->answer_size = (uint32_t)work->kept_size;
    if (entry->answer_size > 0) entry->flags |= POS_FLAG_ANSWERED;
    const pos_status status = stage(engine, slot->ours, entry);
    if (status == POS_OK && engine->keep_pan) keep_pan(engine, slot, entry->outcome);
    if (status == POS_OK) return POS_OK;
    cohort_drop_last(&engine->cohorts[engine->cohort_open]);
    if (status == POS_ENTRY_OVERSIZE) slot->cause = POS_CAUSE_SIZE;
    if (status == POS_JOURNAL_FULL) slot->cause = POS_CAUSE_JOURNAL_ROOM;
    return slot->cause != POS_CAUSE_NONE ? POS_OK : status;
}

static void count_outcome(pos_engine *engine, const pos_slot *slot, const settle_work *work)
{
    pos_engine_counts *counts = &engine->counts;
    const pos_decision *decision = &work->decision;
    if (decision->outcome == POS_OUTCOME_APPROVED) {
        counts->approved++;
        if (pos_kind_sign(slot->request.kind) > 0) {
            counts->approved_minor += (uint64_t)decision->amount_minor;
        }
    }
    counts->declined += decision->outcome == POS_OUTCOME_DECLINED ? 1 : 0;
    counts->repeats += decision->outcome == POS_OUTCOME_REPEAT ? 1 : 0;
    counts->decisions_refused += decision->outcome == POS_OUTCOME_REFUSED ? 1 : 0;
    counts->keys_made += work->block.size > 0 ? 1 : 0;
    const bool is_no = decision->outcome == POS_OUTCOME_REFUSED
                       || decision->outcome == POS_OUTCOME_DECLINED;
    if (is_no || decision->is_alarm) {
        const bool is_refused = decision->outcome == POS_OUTCOME_REFUSED;
        pos_engine_log(engine, decision->is_alarm ? "error" : "info",
                       decision->is_alarm ? "alarm" : is_refused ? "refused" : "declined",
                       "line=%u tid=%.8s kind=%s stan=%06u sequence=%llu response=%.2s why=%s "
                       "reason=\"%s\"",
                       slot->request.line, slot->terminal->tid, pos_kind_name(slot->request.kind),
                       slot->request.stan, (unsigned long long)work->entry.sequence,
                       work->entry.response, pos_reason_name(decision->reason),
                       pos_reason_text(decision->reason));
    }
}

/* Where a dialect has no batch numbers, the terminal's open batch is meant. */
static void take_open_batch(const pos_engine *engine, pos_slot *slot)
{
    if (slot->ours == NULL || pos_spec_role_field(engine->spec, POS_ROLE_BATCH) != 0) return;
    slot->request.batch = slot->ours->batch;
}

static const pos_slot *slot_ahead(const pos_engine *engine, size_t index)
{
    if (index >= engine->wave_count) return NULL;
    const pos_slot *slot = &engine->slots[index];
    return slot->cause == POS_CAUSE_NONE ? slot : NULL;
}

/* The terminal, the key that signs the answer, the one that its message may end, and the state. */
static void ask_first(const pos_engine *engine, const pos_slot *slot)
{
    if (slot == NULL) return;
    __builtin_prefetch(slot->terminal);
    if (slot->key != NULL) __builtin_prefetch(slot->key);
    if (slot->keys != NULL) __builtin_prefetch(&slot->keys->mak_old);
    if (slot->ours == NULL) return; /* its first message since the start: found when its turn comes */
    pos_state_ahead_ours(engine->state, slot->ours, slot->request.batch, slot->request.stan);
}

static void ask_then(const pos_engine *engine, const pos_slot *slot)
{
    if (slot == NULL || slot->ours == NULL) return;
    pos_state_ahead_lists_of(engine->state, slot->ours, slot->request.kind);
}

void settle_ahead(pos_engine *engine, size_t index)
{
    ask_first(engine, slot_ahead(engine, index + AHEAD_TERMINAL));
    ask_then(engine, slot_ahead(engine, index + AHEAD_LISTS));
}

/* The first messages of a wave have nobody before them during whose turns they are asked for. */
void settle_begin(pos_engine *engine)
{
    for (size_t index = 0; index < AHEAD_TERMINAL; index++) {
        ask_first(engine, slot_ahead(engine, index));
    }
    for (size_t index = 0; index < AHEAD_LISTS; index++) ask_then(engine, slot_ahead(engine, index));
}

void settle_decide(pos_engine *engine, pos_slot *slot, settle_work *work)
{
    work->stored = (pos_slice){0};
    work->reply_size = 0;
    work->private_62_size = 0;
    work->block.size = 0; /* a repeat makes no keys, whatever the last message made */
    /* Known since an earlier wave; else looked up, and there may be none before its first entry. */
    if (slot->ours == NULL) {
        slot->ours = pos_state_terminal(engine->state, slot->request.tid, slot->request.mid);
        engine->watches[slot->terminal_index].ours = slot->ours;
    }
    take_open_batch(engine, slot);
    pos_decide_for(&slot->request, slot->terminal, slot->ours, engine->state, engine->policy,
                   engine->now_ns, &work->decision);
    if (engine->decide != NULL) ask_apply(slot, &work->decision);
}

/* What follows from an entry that is staged. */
static void conclude(pos_engine *engine, pos_slot *slot, settle_work *work)
{
    count_outcome(engine, slot, work);
    if (work->decision.is_alarm) {
        (void)settle_note(engine, POS_KIND_ALARM, work->decision.response, slot->terminal->tid,
                          work->decision.reason);
    }
    if (slot->is_old_key) engine->counts.old_key_used++;
    if ((slot->request.flags & POS_FLAG_MAC_CHECKED) != 0 && !slot->is_old_key) {
        keyring_confirm(engine, slot);
    }
}

/* Wrapped keys passed through here, and through scratch: of other messages nothing is secret. */
static void forget(pos_engine *engine, settle_work *work)
{
    if (work->private_62_size == 0 && !work->decision.makes_keys) return;
    pos_wipe(work->private_62, sizeof work->private_62);
    pos_wipe(&work->block, sizeof work->block);
    pos_wipe(engine->scratch, ENTRY_HEAP_MAX);
}

static pos_status carry_out(pos_engine *engine, pos_slot *slot, settle_work *work)
{
    settle_decide(engine, slot, work);
    settle_record(engine, slot, work);
    pos_status status = POS_OK;
    if (slot->cause == POS_CAUSE_NONE) settle_reply(engine, slot, work);
    if (slot->cause == POS_CAUSE_NONE) status = settle_stage(engine, slot, work);
    if (slot->cause == POS_CAUSE_NONE && status == POS_OK) {
        conclude(engine, slot, work);
    } else {
        cohort_forget_body(&engine->cohorts[engine->cohort_open]);
    }
    forget(engine, work);
    return status;
}

/* A message is one entry and an alarm, or two alarms: where the page cannot take both, it is
 * committed first, so that an alarm is never lost to the edge of a page. */
static bool page_has_room(const pos_engine *engine)
{
    const uint32_t staged = pos_journal_staged_count(engine->journal);
    return staged == 0 || staged + ENTRIES_A_MESSAGE <= engine->cohort_entries_max;
}

pos_status settle_one(pos_engine *engine, pos_slot *slot)
{
    assert(engine != NULL && slot != NULL);
    if (!cohort_has_room(engine, &engine->refusals)) return POS_STAGE_FULL;
    if (!page_has_room(engine)) return POS_STAGE_FULL;
    pos_status status = settle_admit(engine, slot);
    if (status != POS_OK) return status;
    if (slot->cause == POS_CAUSE_NONE) status = carry_out(engine, slot, engine->work);
    if (status != POS_OK || slot->cause == POS_CAUSE_NONE) return status;
    if (slot->cause == POS_CAUSE_MAC_WRONG) guard_note(engine, slot);
    refuse(engine, slot);
    return POS_OK;
}

bool settle_note(pos_engine *engine, pos_kind kind, const char reason[2], const char *tid,
                 uint32_t number)
{
    assert(kind == POS_KIND_ALARM || kind == POS_KIND_ADMINISTRATION);
    if (atomic_load(&engine->is_in_doubt)) return false;
    if (!pos_journal_has_room(engine->journal, 0)) return false;
    if (!pos_state_has_room_for(engine->state, (unsigned)kind)) return false;
    pos_entry entry = {
        .sequence = engine->sequence + 1,
        .received_at_ns = engine->now_ns,
        .kind = (uint8_t)kind,
        .outcome = POS_OUTCOME_NOTED,
        .processing = number,
    };
    blank(entry.response, sizeof entry.response);
    blank(entry.tid, sizeof entry.tid);
    blank(entry.mid, sizeof entry.mid);
    blank(entry.rrn, sizeof entry.rrn);
    blank(entry.original_rrn, sizeof entry.original_rrn);
    blank(entry.auth, sizeof entry.auth);
    blank(entry.operator_id, sizeof entry.operator_id);
    pos_copy(entry.reason, reason, sizeof entry.reason);
    if (tid != NULL) pos_copy(entry.tid, tid, sizeof entry.tid);
    if (stage(engine, NULL, &entry) != POS_OK) return false;
    engine->counts.noted++;
    return true;
}
