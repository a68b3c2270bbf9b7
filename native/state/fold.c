/*
 * The fold: what an entry of each kind does to the state. It looks at the entry and the state, at
 * nothing else, so that a restart, a replica and a rehearsal all come to the same.
 *
 *   outcome    APPROVED             DECLINED, REFUSED, NOTED     REPEAT
 *   terminal   seen now             seen now                     seen now
 *   repeats    remembered           remembered                   -
 *   effect     by kind, below       none                         none
 *
 *   kind                       effect of an approved entry
 *   SIGN_ON                    signed on; with BATCH_OPENED a new batch begins
 *   SIGN_OFF                   signed off
 *   sale, load, ...            a posting; totals by the kind's sign
 *   void                       a posting; its original is voided (a completion's
 *                              pre-authorisation is open again)
 *   refund                     a posting; its original has so much less to refund
 *   completion                 a posting; its pre-authorisation is completed
 *   adjustment, tip            a posting of what is added; its original is adjusted by it
 *   REVERSAL with FINAL        its original is undone, and what the original did is undone
 *   SETTLE                     the upload begins; with BATCH_CLOSED the batch closes
 *   BATCH_*                    records are counted and postings marked as uploaded (record 0 of the
 *                              request slice); with BATCH_CLOSED the batch closes
 *   ADMINISTRATION             noted: LK, UL lock and unlock a TID
 *   any with KEYS_MADE         its TID's keys are of this entry
 *
 * Strangers (answers 03 and 97) leave no trace: nobody must be able to fill the tables with names.
 * Nor does 96: there was no room for a trace, and what is sent again is decided anew.
 */
#include "state/tables.h"

#include <assert.h>

#define CLASS_REVERSAL 0x40U

static bool is_traceless(const pos_entry *entry)
{
    return entry->outcome == POS_OUTCOME_REFUSED
           && (pos_equal(entry->response, "03", 2) || pos_equal(entry->response, "97", 2)
               || pos_equal(entry->response, "96", 2));
}

static bool is_of_terminal(const pos_entry *entry)
{
    return entry->kind != POS_KIND_UNKNOWN && entry->kind != POS_KIND_ALARM
           && entry->kind != POS_KIND_ADMINISTRATION && !is_traceless(entry);
}

bool pos_state_kind_repeats(unsigned kind)
{
    const uint64_t others = KIND(UNKNOWN) | KIND(SIGN_ON) | KIND(ECHO) | KIND(DOWNLOAD)
                            | KIND(DOWNLOAD_QUERY) | KIND(DOWNLOAD_END) | KIND(ALARM)
                            | KIND(ADMINISTRATION);
    return kind < POS_KIND_COUNT && (others >> kind & 1U) == 0;
}

static bool does_post(unsigned kind)
{
    switch (kind) {
    case POS_KIND_PREAUTH:
    case POS_KIND_PREAUTH_VOID:
    case POS_KIND_EC_LOAD:
        return true; /* to be referred to, though no totals know them */
    default:
        return pos_kind_sign(kind) != 0;
    }
}

static bool is_remembered(const pos_entry *entry)
{
    return entry->outcome != POS_OUTCOME_REPEAT && entry->stan != 0
           && pos_state_kind_repeats(entry->kind);
}

static uint8_t class_of(const pos_entry *entry)
{
    return (uint8_t)(entry->mti >> 4); /* digits 2 and 3: 0x0220 gives 0x22 */
}

/* ---- terminals ------------------------------------------------------------------------------- */
static uint32_t terminal_take(pos_state *state, const pos_entry *entry)
{
    assert(state->terminal_pool.taken < state->terminal_pool.max);
    const uint32_t slot = state->terminal_pool.taken++;
    terminal_record *record = &state->terminals[slot];
    pos_copy(record->face.tid, entry->tid, sizeof(entry->tid));
    pos_copy(record->face.mid, entry->mid, sizeof(entry->mid));
    record->face.posting_oldest = SLOT_NONE;
    record->face.posting_newest = SLOT_NONE;
    record->face.batch_first = SLOT_NONE;
    record->face.repeat_oldest = SLOT_NONE;
    record->face.repeat_newest = SLOT_NONE;
    pos_index_insert(&state->by_terminal, pos_hash_terminal(entry->tid, entry->mid), slot);
    return slot;
}

static void batch_open(terminal_record *terminal, const pos_entry *entry)
{
    assert(entry->batch != 0);
    terminal->face.batch = entry->batch;
    terminal->face.batch_opened_by = entry->sequence;
    terminal->face.totals = (pos_totals){0};
    terminal->face.upload = (pos_upload){0};
    terminal->face.batch_first = SLOT_NONE;
    pos_zero(terminal->kinds, sizeof(terminal->kinds));
}

static void batch_close(pos_state *state, uint32_t slot, int64_t now_ns)
{
    terminal_record *terminal = &state->terminals[slot];
    terminal->face.batch_closed = terminal->face.batch;
    terminal->face.totals_closed = terminal->face.totals;
    terminal->face.batch = 0;
    terminal->face.totals = (pos_totals){0};
    pos_zero(terminal->kinds, sizeof(terminal->kinds));
    pos_state_forget(state, slot, now_ns);
}

/* ---- repeats --------------------------------------------------------------------------------- */
static bool is_unseen_reversal(const pos_entry *entry)
{
    return entry->kind == POS_KIND_REVERSAL && entry->original == 0
           && (pos_equal(entry->response, "00", 2) || pos_equal(entry->response, "25", 2));
}

static bool has_repeat(const pos_state *state, uint32_t terminal, const pos_entry *entry)
{
    const uint8_t message_class = class_of(entry);
    const uint32_t hash = pos_hash_repeat(terminal, entry->batch, entry->stan, message_class);
    return pos_slot_repeat(state, hash, terminal, entry->batch, entry->stan, message_class)
           != SLOT_NONE;
}

static void remember(pos_state *state, uint32_t terminal, const pos_entry *entry)
{
    const uint8_t message_class = class_of(entry);
    const uint32_t hash = pos_hash_repeat(terminal, entry->batch, entry->stan, message_class);
    uint32_t slot = pos_slot_repeat(state, hash, terminal, entry->batch, entry->stan, message_class);
    if (slot != SLOT_NONE) {
        /* The first of a key stands; but reversals of one original may differ (decide/reverse.c),
         * and of those the newest stands, except that a late original stays barred. */
        if (message_class != CLASS_REVERSAL || state->repeats[slot].face.is_unseen) return;
    }
    const bool is_new = slot == SLOT_NONE;
    if (is_new) slot = pos_state_repeat_take(state);
    repeat_record *record = &state->repeats[slot];
    const uint32_t next = is_new ? SLOT_NONE : record->next;
    *record = (repeat_record){
        .face = {.sequence = entry->sequence,
                 .at_ns = entry->received_at_ns,
                 .amount_minor = entry->amount_minor,
                 .batch = entry->batch,
                 .stan = entry->stan,
                 .message_class = message_class,
                 .kind = entry->kind,
                 .outcome = entry->outcome,
                 .is_unseen = is_unseen_reversal(entry)},
        .terminal = terminal,
        .next = next,
    };
    pos_copy(record->face.fingerprint, entry->fingerprint, sizeof(entry->fingerprint));
    if (!is_new) return;

    pos_terminal_state *owner = &state->terminals[terminal].face;
    if (owner->repeat_newest == SLOT_NONE) {
        owner->repeat_oldest = slot;
    } else {
        state->repeats[owner->repeat_newest].next = slot;
    }
    owner->repeat_newest = slot;
    pos_index_insert(&state->by_repeat, hash, slot);
}

/* ---- postings -------------------------------------------------------------------------------- */
static pos_posting *posting_at(pos_state *state, uint64_t sequence)
{
    const uint32_t slot = sequence == 0 ? SLOT_NONE : pos_slot_posting(state, sequence);
    return slot == SLOT_NONE ? NULL : &state->postings[slot].face;
}

static pos_posting *post(pos_state *state, uint32_t terminal, const pos_entry *entry)
{
    const uint32_t slot = pos_state_posting_take(state);
    posting_record *record = &state->postings[slot];
    const bool is_foreign = (entry->flags & POS_FLAG_FOREIGN) != 0;
    const bool has_pan = (entry->flags & POS_FLAG_PAN) != 0;
    *record = (posting_record){
        .face = {.sequence = entry->sequence,
                 .original = entry->original,
                 .at_ns = entry->received_at_ns,
                 .amount_minor = entry->amount_minor,
                 .terminal = terminal,
                 .batch = entry->batch,
                 .stan = entry->stan,
                 .bin = entry->bin,
                 .last4 = entry->last4,
                 .kind = entry->kind,
                 .message_class = class_of(entry),
                 .flags = (uint8_t)((is_foreign ? POS_POSTING_FOREIGN : 0U)
                                    | (has_pan ? POS_POSTING_PAN : 0U)),
                 .next = SLOT_NONE},
    };
    pos_copy(record->face.auth, entry->auth, sizeof(entry->auth));
    pos_copy(record->face.pan_token, entry->pan_token, sizeof(entry->pan_token));

    pos_terminal_state *owner = &state->terminals[terminal].face;
    if (owner->posting_newest == SLOT_NONE) {
        owner->posting_oldest = slot;
    } else {
        state->postings[owner->posting_newest].face.next = slot;
    }
    owner->posting_newest = slot;
    if (owner->batch_first == SLOT_NONE) owner->batch_first = slot;
    pos_index_insert(&state->by_sequence, pos_hash_sequence(entry->sequence), slot);
    if (entry->kind == POS_KIND_PREAUTH) {
        pos_index_insert(&state->by_preauth, pos_hash_preauth(entry->pan_token, entry->auth),
                         slot);
    }
    if (pos_state_is_open(owner, &record->face)) {
        pos_totals_post(&state->terminals[terminal], &record->face, true);
    }
    return &record->face;
}

/* What a completion means to its pre-authorisation; `stands` false takes the meaning back. */
static void complete(pos_state *state, const pos_posting *completion, bool stands)
{
    pos_posting *preauth = posting_at(state, completion->original);
    if (preauth != NULL) preauth->completed_by = stands ? completion->sequence : 0;
}

/* What a posting means to the one it refers to; `stands` false takes the meaning back. */
static void refer(pos_state *state, const pos_posting *posting, bool stands)
{
    pos_posting *original = posting_at(state, posting->original);
    if (original == NULL) return;
    const int64_t amount = stands ? posting->amount_minor : -posting->amount_minor;
    switch (posting->kind) {
    case POS_KIND_SALE_VOID:
    case POS_KIND_PREAUTH_VOID:
    case POS_KIND_COMPLETION_VOID:
    case POS_KIND_EC_CASH_LOAD_VOID:
    case POS_KIND_QR_VOID:
        original->flags = (uint8_t)(stands ? original->flags | POS_POSTING_VOIDED
                                           : original->flags & ~POS_POSTING_VOIDED);
        original->undone_by = stands ? posting->sequence : 0;
        if (posting->kind == POS_KIND_COMPLETION_VOID) complete(state, original, !stands);
        break;
    case POS_KIND_REFUND:
    case POS_KIND_QR_REFUND:
        original->refunded_minor += amount;
        break;
    case POS_KIND_COMPLETION:
    case POS_KIND_COMPLETION_ADVICE:
        complete(state, posting, stands);
        break;
    case POS_KIND_ADJUST:
    case POS_KIND_TIP_ADJUST:
        original->adjusted_minor += amount;
        break;
    default:
        break;
    }
}

static void undo(pos_state *state, const pos_entry *entry)
{
    pos_posting *posting = posting_at(state, entry->original);
    if (posting == NULL || (posting->flags & POS_POSTING_REVERSED) != 0) return;
    posting->flags |= POS_POSTING_REVERSED;
    posting->undone_by = entry->sequence;
    refer(state, posting, false);
    terminal_record *owner = &state->terminals[posting->terminal];
    if (pos_state_is_open(&owner->face, posting)) pos_totals_post(owner, posting, false);
}

/* ---- settlement and upload ------------------------------------------------------------------- */
static void settle(pos_state *state, terminal_record *terminal, const pos_entry *entry)
{
    if (entry->batch != terminal->face.batch) return; /* a closed batch settled again */
    /* Records are marked only between a settlement and the next batch, which begins with none. */
    const bool has_marks = terminal->face.upload.batch != 0;
    terminal->face.upload = (pos_upload){
        .batch = entry->batch,
        .is_balanced = (entry->flags & POS_FLAG_BALANCED) != 0,
    };
    if (!has_marks) return;
    /* Another settlement begins the upload anew. */
    for (uint32_t slot = terminal->face.batch_first; slot != SLOT_NONE;
         slot = state->postings[slot].face.next) {
        uint8_t *flags = &state->postings[slot].face.flags;
        *flags = (uint8_t)(*flags & ~POS_POSTING_UPLOADED);
    }
}

static void upload(pos_state *state, terminal_record *terminal, const pos_entry *entry)
{
    pos_upload *so_far = &terminal->face.upload;
    if (so_far->batch == 0 || entry->batch != so_far->batch) return;
    if (entry->kind == POS_KIND_BATCH_END) {
        so_far->is_ended = true;
        return;
    }
    pos_slice findings;
    if (!pos_state_findings(entry, &findings)) return;
    pos_reader reader = pos_reader_over(findings.data, findings.size);
    uint8_t version = 0;
    uint8_t count = 0;
    uint32_t numbers[6] = {0}; /* records, matched, missing ours, theirs, differing, claimed */
    if (!pos_reader_u8(&reader, &version) || version != 1) return;
    for (size_t index = 0; index < 6; index++) {
        if (!pos_reader_u32_le(&reader, &numbers[index])) return;
    }
    so_far->records += numbers[0];
    so_far->matched += numbers[1];
    so_far->missing_ours += numbers[2];
    so_far->differing += numbers[4];
    if (!pos_reader_u8(&reader, &count)) return;
    for (unsigned index = 0; index < count; index++) {
        uint8_t verdict = 0;
        uint32_t stan = 0;
        uint64_t sequence = 0;
        pos_slice amounts;
        if (!pos_reader_u8(&reader, &verdict) || !pos_reader_u32_le(&reader, &stan)
            || !pos_reader_u64_le(&reader, &sequence)
            || !pos_reader_take(&reader, 16, &amounts)) {
            return;
        }
        pos_posting *posting = posting_at(state, sequence);
        if (posting != NULL) posting->flags |= POS_POSTING_UPLOADED;
    }
}

/* ---- marks ----------------------------------------------------------------------------------- */
static bool is_lock(const pos_entry *entry)
{
    return entry->kind == POS_KIND_ADMINISTRATION && pos_equal(entry->reason, "LK", 2);
}

static bool is_unlock(const pos_entry *entry)
{
    return entry->kind == POS_KIND_ADMINISTRATION && pos_equal(entry->reason, "UL", 2);
}

static bool leaves_mark(const pos_entry *entry)
{
    return (entry->flags & POS_FLAG_KEYS_MADE) != 0 || is_lock(entry) || is_unlock(entry);
}

static void mark(pos_state *state, const pos_entry *entry)
{
    uint32_t slot = pos_slot_mark(state, entry->tid);
    if (slot == SLOT_NONE) {
        assert(state->mark_pool.taken < state->mark_pool.max);
        slot = state->mark_pool.taken++;
        pos_copy(state->marks[slot].tid, entry->tid, sizeof(entry->tid));
        pos_index_insert(&state->by_mark, pos_hash_mark(entry->tid), slot);
        state->marks_bare++;
    }
    mark_record *record = &state->marks[slot];
    if (is_lock(entry)) record->is_locked = 1;
    if (is_unlock(entry)) record->is_locked = 0;
    if ((entry->flags & POS_FLAG_KEYS_MADE) == 0) return;
    if (record->keys_made_by == 0) state->marks_bare--;
    record->keys_made_by = entry->sequence;
}

/* ---- the fold -------------------------------------------------------------------------------- */
static pos_status judged(const pos_state *state, const pos_entry *entry, uint32_t terminal)
{
    if (entry->sequence <= state->sequence || entry->kind >= POS_KIND_COUNT
        || entry->outcome >= POS_OUTCOME_COUNT) {
        return POS_ENTRY_FORM;
    }
    if (leaves_mark(entry) && state->mark_pool.taken == state->mark_pool.max
        && pos_slot_mark(state, entry->tid) == SLOT_NONE) {
        return POS_STATE_FULL;
    }
    if (!is_of_terminal(entry)) return POS_OK;
    const bool is_approved = entry->outcome == POS_OUTCOME_APPROVED;
    if (is_approved && (entry->flags & (POS_FLAG_BATCH_OPENED | POS_FLAG_BATCH_CLOSED)) != 0
        && entry->batch == 0) {
        return POS_ENTRY_FORM;
    }
    if (terminal == SLOT_NONE && state->terminal_pool.taken == state->terminal_pool.max) {
        return POS_STATE_FULL;
    }
    if (is_remembered(entry) && state->repeat_pool.taken == state->repeat_pool.max
        && (terminal == SLOT_NONE || !has_repeat(state, terminal, entry))) {
        return POS_STATE_FULL;
    }
    if (is_approved && does_post(entry->kind)
        && state->posting_pool.taken == state->posting_pool.max) {
        return POS_STATE_FULL;
    }
    return POS_OK;
}

static void take_effect(pos_state *state, uint32_t slot, const pos_entry *entry)
{
    terminal_record *terminal = &state->terminals[slot];
    switch (entry->kind) {
    case POS_KIND_SIGN_ON:
        terminal->face.is_signed_on = true;
        if ((entry->flags & POS_FLAG_BATCH_OPENED) != 0) batch_open(terminal, entry);
        break;
    case POS_KIND_SIGN_OFF:
        terminal->face.is_signed_on = false;
        break;
    case POS_KIND_REVERSAL:
        if ((entry->flags & POS_FLAG_FINAL) != 0) undo(state, entry);
        break;
    case POS_KIND_SETTLE:
        settle(state, terminal, entry);
        break;
    case POS_KIND_BATCH_DETAIL:
    case POS_KIND_BATCH_ADVICE:
    case POS_KIND_BATCH_CHIP:
    case POS_KIND_BATCH_END:
        upload(state, terminal, entry);
        break;
    default:
        if (does_post(entry->kind)) refer(state, post(state, slot, entry), true);
        break;
    }
    if ((entry->flags & POS_FLAG_BATCH_CLOSED) != 0 && entry->batch == terminal->face.batch) {
        batch_close(state, slot, entry->received_at_ns);
    }
}

/* The terminal's slot: of whom the caller has found, else looked up. */
static uint32_t slot_for(const pos_state *state, const pos_terminal_state *ours,
                         const pos_entry *entry)
{
    if (entry->kind >= POS_KIND_COUNT || !is_of_terminal(entry)) return SLOT_NONE;
    if (ours == NULL) return pos_slot_terminal(state, entry->tid, entry->mid);
    assert(pos_equal(ours->tid, entry->tid, 8) && pos_equal(ours->mid, entry->mid, 15));
    return pos_slot_of(state, ours);
}

pos_status pos_state_apply_for(pos_state *state, const pos_terminal_state *ours,
                               const pos_entry *entry)
{
    assert(state != NULL);
    assert(entry != NULL);
    uint32_t slot = slot_for(state, ours, entry);
    const pos_status status = judged(state, entry, slot);
    if (status != POS_OK) return status;

    state->sequence = entry->sequence;
    if (leaves_mark(entry)) mark(state, entry);
    if (!is_of_terminal(entry)) return POS_OK;
    if (slot == SLOT_NONE) slot = terminal_take(state, entry);
    terminal_record *terminal = &state->terminals[slot];
    terminal->face.last_sequence = entry->sequence;
    terminal->face.last_at_ns = entry->received_at_ns;
    if (is_remembered(entry)) remember(state, slot, entry);
    if (entry->outcome == POS_OUTCOME_APPROVED) take_effect(state, slot, entry);
    return POS_OK;
}

pos_status pos_state_apply(pos_state *state, const pos_entry *entry)
{
    return pos_state_apply_for(state, NULL, entry);
}
