/*
 * Goal: the state is exactly what the entries add up to, forgets when it should, and never else.
 * Method: entries made by hand; the index against a plain list; the same entries under other limits
 * must give the same digest, and any changed entry another one.
 */
#include "check.h"
#include "state/tables.h"

#define DAY_NS INT64_C(86400000000000)
#define TID "12345678"
#define MID "104110045110012"

static uint32_t chance = 1;

static uint32_t next_chance(void)
{
    chance = chance * 1664525U + 1013904223U;
    return chance >> 8;
}

static pos_state *made(uint32_t postings, uint32_t repeats)
{
    const pos_state_options options = {.terminals_max = 8,
                                       .postings_max = postings,
                                       .repeats_max = repeats,
                                       .repeat_window_h = 24,
                                       .posting_window_d = 30};
    pos_state *state = NULL;
    CHECK(pos_state_create(&options, &state) == POS_OK);
    return state;
}

static pos_entry entry_of(pos_kind kind, uint16_t mti, uint32_t batch, uint32_t stan)
{
    pos_entry entry = {.kind = (uint8_t)kind,
                       .mti = mti,
                       .batch = batch,
                       .stan = stan,
                       .outcome = POS_OUTCOME_APPROVED};
    memcpy(entry.tid, TID, 8);
    memcpy(entry.mid, MID, 15);
    memcpy(entry.response, "00", 2);
    memset(entry.auth, ' ', 6);
    return entry;
}

static uint64_t folded(pos_state *state, pos_entry *entry)
{
    entry->sequence = pos_state_sequence(state) + 1;
    if (entry->received_at_ns == 0) entry->received_at_ns = (int64_t)entry->sequence;
    CHECK(pos_state_apply(state, entry) == POS_OK);
    CHECK(pos_state_sequence(state) == entry->sequence);
    return entry->sequence;
}

static void sign_on(pos_state *state, uint32_t batch, int64_t at_ns)
{
    pos_entry entry = entry_of(POS_KIND_SIGN_ON, 0x0800, batch, 1);
    entry.flags = POS_FLAG_BATCH_OPENED;
    entry.received_at_ns = at_ns;
    folded(state, &entry);
}

static uint64_t sale(pos_state *state, uint32_t batch, uint32_t stan, int64_t amount, int64_t at_ns)
{
    pos_entry entry = entry_of(POS_KIND_SALE, 0x0200, batch, stan);
    entry.amount_minor = amount;
    entry.received_at_ns = at_ns;
    return folded(state, &entry);
}

static void closed(pos_state *state, uint32_t batch, uint32_t stan, int64_t at_ns)
{
    pos_entry entry = entry_of(POS_KIND_SETTLE, 0x0500, batch, stan);
    entry.flags = POS_FLAG_BALANCED | POS_FLAG_BATCH_CLOSED;
    entry.received_at_ns = at_ns;
    folded(state, &entry);
}

static const pos_terminal_state *terminal_of(const pos_state *state)
{
    return pos_state_terminal(state, TID, MID);
}

static bool remembers(const pos_state *state, uint32_t batch, uint32_t stan)
{
    return pos_state_repeat_find(state, terminal_of(state), batch, stan, 0x20) != NULL;
}

/* ---- the index against a plain list ---------------------------------------------------------- */
#define SLOTS 500

static void the_index_finds_what_is_in_it_and_nothing_else(void)
{
    pos_index index;
    bool is_in[SLOTS] = {false};
    CHECK(pos_index_create(&index, SLOTS));
    for (int step = 0; step < 40000; step++) {
        const uint32_t slot = next_chance() % SLOTS;
        const uint32_t hash = slot % 37 * 0x01000001U; /* many slots a hash, homes close together */
        if (is_in[slot]) {
            pos_index_remove(&index, hash, slot);
        } else {
            pos_index_insert(&index, hash, slot);
        }
        is_in[slot] = !is_in[slot];
        if (step % 97 != 0) continue;
        for (uint32_t wanted = 0; wanted < SLOTS; wanted++) {
            uint32_t cursor = UINT32_MAX;
            int found = 0;
            uint32_t at;
            while ((at = pos_index_seek(&index, wanted % 37 * 0x01000001U, &cursor)) != SLOT_NONE) {
                if (at == wanted) found++;
            }
            CHECK(found == (is_in[wanted] ? 1 : 0));
        }
    }
    pos_index_destroy(&index);
}

/* ---- totals ---------------------------------------------------------------------------------- */
static void totals_follow_voids_refunds_and_reversals(void)
{
    pos_state *state = made(64, 64);
    sign_on(state, 1, 0);
    const uint64_t first = sale(state, 1, 10, 100, 0);
    pos_entry foreign = entry_of(POS_KIND_SALE, 0x0200, 1, 11);
    foreign.amount_minor = 250;
    foreign.flags = POS_FLAG_FOREIGN;
    folded(state, &foreign);
    pos_entry undoing = entry_of(POS_KIND_SALE_VOID, 0x0200, 1, 12);
    undoing.amount_minor = 100;
    undoing.original = first;
    const uint64_t void_sequence = folded(state, &undoing);

    const pos_terminal_state *terminal = terminal_of(state);
    const pos_totals_side *domestic = &terminal->totals.domestic;
    CHECK(domestic->debit_minor == 100 && domestic->debit_count == 1);
    CHECK(domestic->credit_minor == 100);
    CHECK(terminal->totals.foreign.debit_minor == 250 && terminal->totals.foreign.debit_count == 1);
    CHECK((pos_state_posting(state, first)->flags & POS_POSTING_VOIDED) != 0);
    CHECK(pos_state_posting(state, first)->undone_by == void_sequence);

    pos_entry reversal = entry_of(POS_KIND_REVERSAL, 0x0400, 1, 12);
    reversal.original = void_sequence;
    reversal.flags = POS_FLAG_FINAL;
    folded(state, &reversal);
    folded(state, &(pos_entry){.kind = POS_KIND_ALARM, .outcome = POS_OUTCOME_NOTED});
    CHECK(domestic->credit_minor == 0 && domestic->credit_count == 0);
    CHECK((pos_state_posting(state, first)->flags & POS_POSTING_VOIDED) == 0);
    CHECK(pos_state_kind_total(state, terminal, POS_KIND_SALE_VOID, false).count == 0);
    CHECK(pos_state_kind_total(state, terminal, POS_KIND_SALE, true).amount_minor == 250);

    closed(state, 1, 13, 0);
    CHECK(terminal->batch == 0 && terminal->batch_closed == 1);
    CHECK(terminal->totals.domestic.debit_count == 0);
    CHECK(terminal->totals_closed.domestic.debit_minor == 100);
    CHECK(pos_state_posting_by_stan(state, terminal, 1, 10)->sequence == first);
    pos_state_destroy(state);
}

/* After a million batches the same number opens again: what is old does not become open. */
static void an_old_posting_is_not_of_a_new_batch_of_its_number(void)
{
    pos_state *state = made(16, 16);
    sign_on(state, 1, 0);
    const uint64_t old = sale(state, 1, 10, 100, 0);
    CHECK(pos_state_is_open(terminal_of(state), pos_state_posting(state, old)));
    closed(state, 1, 11, 0);
    CHECK(!pos_state_is_open(terminal_of(state), pos_state_posting(state, old)));
    sign_on(state, 1, 0);
    CHECK(!pos_state_is_open(terminal_of(state), pos_state_posting(state, old)));
    pos_entry reversal = entry_of(POS_KIND_REVERSAL, 0x0400, 1, 10);
    reversal.original = old;
    reversal.flags = POS_FLAG_FINAL;
    folded(state, &reversal);
    CHECK(terminal_of(state)->totals.domestic.debit_count == 0);
    pos_state_destroy(state);
}

/* ---- forgetting ------------------------------------------------------------------------------ */
static void a_closing_batch_forgets_what_is_old_and_only_that(void)
{
    pos_state *state = made(64, 64);
    const int64_t start = 100 * DAY_NS;
    sign_on(state, 1, start);
    const uint64_t old = sale(state, 1, 10, 100, start);
    closed(state, 1, 11, start + DAY_NS);
    sign_on(state, 2, start + DAY_NS);
    CHECK(remembers(state, 1, 10)); /* the last closed batch, whatever its age */
    sale(state, 2, 10, 200, start + DAY_NS);
    /* 23 hours later: batch 1 is neither open nor last closed, but within the window */
    closed(state, 2, 11, start + 23 * DAY_NS / 24);
    CHECK(remembers(state, 1, 10) && remembers(state, 2, 10));
    sign_on(state, 3, start + 3 * DAY_NS);
    closed(state, 3, 12, start + 3 * DAY_NS);
    CHECK(!remembers(state, 1, 10));
    CHECK(!remembers(state, 2, 10));
    CHECK(pos_state_posting(state, old) != NULL); /* a posting may be refunded for 30 days */
    sign_on(state, 4, start + 32 * DAY_NS);
    closed(state, 4, 12, start + 32 * DAY_NS);
    CHECK(pos_state_posting(state, old) == NULL);
    pos_state_counts counts;
    pos_state_counts_read(state, &counts);
    CHECK(counts.postings == 0 && counts.repeats == 1); /* the settlement of batch 4 */
    pos_state_destroy(state);
}

/* Many batches in few slots: what is forgotten makes room, and a refold comes to the same. */
static void slots_are_used_again_and_again(void)
{
    pos_state *state = made(64, 128);
    pos_state *other = made(4096, 8192);
    pos_state *both[] = {state, other};
    for (uint32_t batch = 1; batch <= 60; batch++) {
        for (int which = 0; which < 2; which++) {
            const int64_t at = (100 + 20 * (int64_t)batch) * DAY_NS;
            sign_on(both[which], batch, at);
            for (uint32_t stan = 1; stan <= 20; stan++) sale(both[which], batch, stan, stan, at);
            closed(both[which], batch, 21, at);
        }
    }
    uint8_t left[16];
    uint8_t right[16];
    pos_state_digest(state, left);
    pos_state_digest(other, right);
    CHECK(memcmp(left, right, 16) == 0);
    pos_state_destroy(state);
    pos_state_destroy(other);
}

/* ---- room ------------------------------------------------------------------------------------ */
static void a_full_state_forgets_nothing_and_can_still_be_settled(void)
{
    pos_state *state = made(256, 256);
    sign_on(state, 1, 0);
    uint32_t stan = 1;
    while (pos_state_has_room(state)) sale(state, 1, stan++, 1, 0);
    CHECK(stan == 1 + 256 - 256 / STATE_RESERVE_SHARE);
    CHECK(!pos_state_has_room_for(state, POS_KIND_REFUND));
    CHECK(pos_state_has_room_for(state, POS_KIND_REVERSAL));
    CHECK(pos_state_has_room_for(state, POS_KIND_SETTLE));
    CHECK(pos_state_has_room_for(state, POS_KIND_SIGN_ON));
    for (uint32_t extra = 0; extra < 256 / STATE_RESERVE_SHARE; extra++) {
        pos_entry reversal = entry_of(POS_KIND_REVERSAL, 0x0400, 1, extra + 1);
        folded(state, &reversal);
    }
    CHECK(!pos_state_has_room_for(state, POS_KIND_SETTLE));
    uint8_t before[16];
    uint8_t after[16];
    pos_state_digest(state, before);
    pos_entry too_many = entry_of(POS_KIND_SALE, 0x0200, 1, stan);
    too_many.sequence = pos_state_sequence(state) + 1;
    CHECK(pos_state_apply(state, &too_many) == POS_STATE_FULL);
    pos_state_digest(state, after);
    CHECK(memcmp(before, after, 16) == 0);
    CHECK(remembers(state, 1, 1));
    pos_state_destroy(state);
}

static void entries_that_contradict_themselves_are_refused(void)
{
    pos_state *state = made(16, 16);
    sign_on(state, 1, 0);
    pos_entry entry = entry_of(POS_KIND_SALE, 0x0200, 1, 5);
    entry.sequence = 1; /* again */
    CHECK(pos_state_apply(state, &entry) == POS_ENTRY_FORM);
    entry.sequence = 2;
    entry.kind = POS_KIND_COUNT;
    CHECK(pos_state_apply(state, &entry) == POS_ENTRY_FORM);
    entry.kind = POS_KIND_SALE;
    entry.outcome = POS_OUTCOME_COUNT;
    CHECK(pos_state_apply(state, &entry) == POS_ENTRY_FORM);
    CHECK(pos_state_sequence(state) == 1);
    pos_state_destroy(state);
}

static void strangers_leave_no_trace(void)
{
    pos_state *state = made(16, 16);
    for (uint32_t number = 0; number < 100; number++) {
        pos_entry entry = entry_of(POS_KIND_SALE, 0x0200, 1, number + 1);
        snprintf(entry.mid, sizeof(entry.mid), "%014u", number);
        entry.outcome = POS_OUTCOME_REFUSED;
        memcpy(entry.response, number % 3 == 0 ? "03" : number % 3 == 1 ? "97" : "96", 2);
        folded(state, &entry);
    }
    pos_state_counts counts;
    pos_state_counts_read(state, &counts);
    CHECK(counts.terminals == 0 && counts.repeats == 0);
    pos_state_destroy(state);
}

/* ---- digest ---------------------------------------------------------------------------------- */
static void digest_with(int changed, uint8_t digest_out[16])
{
    pos_state *state = made(64, 64);
    sign_on(state, 1, 5);
    pos_entry entry = entry_of(POS_KIND_PREAUTH, 0x0100, 1, 9);
    entry.received_at_ns = 77;
    entry.amount_minor = 100;
    memcpy(entry.auth, "000001", 6);
    if (changed == 1) entry.amount_minor++;
    if (changed == 2) entry.stan++;
    if (changed == 3) entry.received_at_ns++;
    if (changed == 4) entry.flags |= POS_FLAG_FOREIGN;
    if (changed == 5) entry.flags |= POS_FLAG_PAN;
    if (changed == 6) entry.fingerprint[15] = 1;
    if (changed == 7) entry.pan_token[0] = 1;
    if (changed == 8) entry.outcome = POS_OUTCOME_DECLINED;
    if (changed == 9) entry.tid[0] = '9';
    if (changed == 10) entry.auth[5] = '2';
    if (changed == 11) entry.mti = 0x0200;
    if (changed == 12) entry.bin = 622500;
    folded(state, &entry);
    pos_state_digest(state, digest_out);
    pos_state_destroy(state);
}

static void the_digest_sees_every_fact(void)
{
    uint8_t digests[13][16];
    for (int changed = 0; changed <= 12; changed++) digest_with(changed, digests[changed]);
    for (int left = 0; left <= 12; left++) {
        for (int right = 0; right < left; right++) {
            CHECK(memcmp(digests[left], digests[right], 16) != 0);
        }
    }
    uint8_t again[16];
    digest_with(0, again);
    CHECK(memcmp(digests[0], again, 16) == 0);
}

/* Entries that no decision would make (an embedding program may decide too): whatever comes is folded
 * or refused, never a crash, and folding it again gives the same. */
static void any_entries_are_folded_or_refused(void)
{
    static pos_entry kept[6000];
    pos_state *state = made(1024, 1024);
    uint32_t count = 0;
    for (uint32_t step = 0; step < 20000 && count < 6000; step++) {
        pos_entry entry = entry_of((pos_kind)(next_chance() % POS_KIND_COUNT), 0x0200,
                                   next_chance() % 4, next_chance() % 60);
        static const uint16_t types[] = {0x0100, 0x0200, 0x0220, 0x0320, 0x0400, 0x0500};
        entry.mti = types[next_chance() % 6];
        entry.tid[0] = (char)('0' + next_chance() % 3);
        entry.outcome = (uint8_t)(next_chance() % POS_OUTCOME_COUNT);
        if (next_chance() % 3 != 0) entry.outcome = POS_OUTCOME_APPROVED;
        entry.original = next_chance() % 4 == 0 ? 0 : next_chance() % (count + 2);
        entry.amount_minor = (int64_t)(next_chance() % 1000);
        entry.flags = next_chance() & (POS_FLAG_FINAL | POS_FLAG_FOREIGN | POS_FLAG_PAN);
        if (next_chance() % 8 == 0) entry.flags |= POS_FLAG_BATCH_OPENED | POS_FLAG_BATCH_CLOSED;
        entry.received_at_ns = (int64_t)step * DAY_NS / 64;
        entry.sequence = pos_state_sequence(state) + 1;
        const pos_status status = pos_state_apply(state, &entry);
        CHECK(status == POS_OK || status == POS_STATE_FULL || status == POS_ENTRY_FORM);
        if (status == POS_OK) kept[count++] = entry;
    }
    CHECK(count == 6000);
    pos_state *again = made(1024, 1024);
    for (uint32_t index = 0; index < count; index++) {
        CHECK(pos_state_apply(again, &kept[index]) == POS_OK);
    }
    uint8_t left[16];
    uint8_t right[16];
    pos_state_digest(state, left);
    pos_state_digest(again, right);
    CHECK(memcmp(left, right, 16) == 0);
    pos_state_destroy(state);
    pos_state_destroy(again);
}

static void limits_outside_of_their_range_are_refused(void)
{
    pos_state *state = NULL;
    const pos_state_options options[] = {{.terminals_max = UINT32_MAX},
                                         {.postings_max = UINT32_MAX},
                                         {.repeats_max = UINT32_MAX},
                                         {.repeat_window_h = 9000},
                                         {.posting_window_d = 4000}};
    for (size_t index = 0; index < sizeof(options) / sizeof(options[0]); index++) {
        CHECK(pos_state_create(&options[index], &state) == POS_ARGUMENT);
    }
    CHECK(state == NULL);
}

/* ---- looking ahead, and a terminal that is known already ---------------------------------------- */
static void looking_ahead_changes_nothing_and_finds_the_terminal(void)
{
    pos_state *plain = made(512, 1024);
    pos_state *ahead = made(512, 1024);
    for (int step = 0; step < 400; step++) {
        pos_entry entry = entry_of(step < 8 ? POS_KIND_SIGN_ON : POS_KIND_SALE,
                                   step < 8 ? 0x0800 : 0x0200, 1, (uint32_t)step + 1);
        entry.tid[7] = (char)('0' + step % 8);
        entry.amount_minor = step;
        if (step < 8) entry.flags = POS_FLAG_BATCH_OPENED;
        pos_state_ahead(ahead, entry.tid, entry.mid);
        pos_state_ahead_terminal(ahead, entry.tid, entry.mid, entry.batch, entry.stan);
        const pos_terminal_state *ours =
            pos_state_ahead_lists(ahead, entry.tid, entry.mid, (unsigned)step % 256);
        CHECK(ours == pos_state_terminal(ahead, entry.tid, entry.mid));
        CHECK((ours == NULL) == (step < 8));
        entry.sequence = (uint64_t)step + 1;
        CHECK(pos_state_apply_for(ahead, step % 3 == 0 ? NULL : ours, &entry) == POS_OK);
        CHECK(pos_state_apply(plain, &entry) == POS_OK);
    }
    uint8_t digests[2][16];
    pos_state_digest(plain, digests[0]);
    pos_state_digest(ahead, digests[1]);
    CHECK(memcmp(digests[0], digests[1], 16) == 0);
    pos_state_destroy(plain);
    pos_state_destroy(ahead);
}

/* ---- marks ------------------------------------------------------------------------------------------ */
static void lock(pos_state *state, const char tid[8], const char reason[2])
{
    pos_entry entry = entry_of(POS_KIND_ADMINISTRATION, 0, 0, 0);
    entry.outcome = POS_OUTCOME_NOTED;
    memcpy(entry.tid, tid, 8);
    memcpy(entry.reason, reason, 2);
    folded(state, &entry);
}

static void marks_follow_operators_and_sign_ons(void)
{
    pos_state *state = made(64, 64);
    CHECK(!pos_state_is_locked(state, TID) && pos_state_keys_made_by(state, TID) == 0);
    lock(state, TID, "LK");
    CHECK(pos_state_is_locked(state, TID) && !pos_state_is_locked(state, "12345679"));
    lock(state, TID, "RL"); /* a reload: nothing to do with it */
    CHECK(pos_state_is_locked(state, TID));
    pos_entry entry = entry_of(POS_KIND_SIGN_ON, 0x0800, 1, 1);
    entry.flags = POS_FLAG_KEYS_MADE;
    const uint64_t sequence = folded(state, &entry);
    CHECK(pos_state_keys_made_by(state, TID) == sequence && pos_state_is_locked(state, TID));
    uint8_t locked[16];
    uint8_t unlocked[16];
    pos_state_digest(state, locked);
    state->marks[0].is_locked = 0;
    pos_state_digest(state, unlocked);
    CHECK(memcmp(locked, unlocked, 16) != 0);
    lock(state, TID, "UL");
    CHECK(!pos_state_is_locked(state, TID) && pos_state_keys_made_by(state, TID) == sequence);

    /* Locks on strangers end where the room for sign-ons begins. */
    char tid[9] = "20000000";
    for (int stranger = 0; stranger < 8; stranger++) {
        CHECK(pos_state_has_room_for(state, POS_KIND_ADMINISTRATION));
        tid[7] = (char)('0' + stranger);
        lock(state, tid, "LK");
    }
    CHECK(!pos_state_has_room_for(state, POS_KIND_ADMINISTRATION));
    CHECK(pos_state_has_room_for(state, POS_KIND_SIGN_ON));
    pos_state_destroy(state);
}

int main(void)
{
    looking_ahead_changes_nothing_and_finds_the_terminal();
    marks_follow_operators_and_sign_ons();
    the_index_finds_what_is_in_it_and_nothing_else();
    totals_follow_voids_refunds_and_reversals();
    an_old_posting_is_not_of_a_new_batch_of_its_number();
    a_closing_batch_forgets_what_is_old_and_only_that();
    slots_are_used_again_and_again();
    a_full_state_forgets_nothing_and_can_still_be_settled();
    entries_that_contradict_themselves_are_refused();
    strangers_leave_no_trace();
    the_digest_sees_every_fact();
    any_entries_are_folded_or_refused();
    limits_outside_of_their_range_are_refused();
    return 0;
}
