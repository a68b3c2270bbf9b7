/* Look-ups: a hash finds candidates, the whole key decides. */
#include "state/tables.h"

#include <assert.h>

/*
 * ---- hashes: fixed, as a refold must not depend on chance; keys come from known terminals ----
 *
 * Sequences and STANs count up, so their three lowest bits stay the hash's: eight keys in a row have
 * cells in a row, one cache line. The message class is in the two highest bits, which no index is large
 * enough to use: a sale and its reversal have one home.
 */
#define ROW_BITS 3U
#define ROW_MASK ((UINT32_C(1) << ROW_BITS) - 1)
#define CLASS_SHIFT 30U

static uint64_t mixed(uint64_t value)
{
    value ^= value >> 32;
    value *= UINT64_C(0xd6e8feb86659fd93);
    value ^= value >> 32;
    value *= UINT64_C(0xd6e8feb86659fd93);
    return value ^ (value >> 32);
}

/* Of `row`, with the place in it that `number` has. */
static uint32_t placed(uint64_t row, uint32_t number)
{
    return ((uint32_t)mixed(row) & ~ROW_MASK) | (number & ROW_MASK);
}

uint32_t pos_hash_mark(const char tid[8])
{
    return (uint32_t)mixed(pos_load_u64_le((const uint8_t *)tid));
}

uint32_t pos_hash_terminal(const char tid[8], const char mid[15])
{
    const uint64_t head = pos_load_u64_le((const uint8_t *)mid);
    const uint64_t tail = pos_load_u64_le((const uint8_t *)mid + 7);
    const uint64_t merchant = (head ^ (tail >> 29) ^ (tail << 35)) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)mixed(pos_load_u64_le((const uint8_t *)tid) + merchant);
}

uint32_t pos_hash_sequence(uint64_t sequence)
{
    return placed(sequence >> ROW_BITS, (uint32_t)sequence);
}

uint32_t pos_hash_preauth(const uint8_t pan_token[16], const char auth[6])
{
    const uint64_t code = (uint64_t)pos_load_u32_le((const uint8_t *)auth) << 16
                          | pos_load_u16_le((const uint8_t *)auth + 4);
    return (uint32_t)mixed(pos_load_u64_le(pan_token) + mixed(code));
}

uint32_t pos_hash_repeat(uint32_t terminal, uint32_t batch, uint32_t stan, uint8_t message_class)
{
    const uint64_t row = ((uint64_t)batch << 32 | stan >> ROW_BITS)
                         + terminal * UINT64_C(0x9e3779b97f4a7c15);
    const uint32_t class_bits = (uint32_t)(message_class >> 4 ^ message_class) & 3U;
    return (placed(row, stan) & ~(UINT32_C(3) << CLASS_SHIFT)) | class_bits << CLASS_SHIFT;
}

/* ---- slots ----------------------------------------------------------------------------------- */
uint32_t pos_slot_terminal(const pos_state *state, const char tid[8], const char mid[15])
{
    const uint32_t hash = pos_hash_terminal(tid, mid);
    uint32_t cursor = UINT32_MAX;
    uint32_t slot = pos_index_seek(&state->by_terminal, hash, &cursor);
    while (slot != SLOT_NONE) {
        const pos_terminal_state *face = &state->terminals[slot].face;
        if (pos_equal(face->tid, tid, 8) && pos_equal(face->mid, mid, 15)) return slot;
        slot = pos_index_seek(&state->by_terminal, hash, &cursor);
    }
    return SLOT_NONE;
}

uint32_t pos_slot_mark(const pos_state *state, const char tid[8])
{
    const uint32_t hash = pos_hash_mark(tid);
    uint32_t cursor = UINT32_MAX;
    uint32_t slot = pos_index_seek(&state->by_mark, hash, &cursor);
    while (slot != SLOT_NONE && !pos_equal(state->marks[slot].tid, tid, 8)) {
        slot = pos_index_seek(&state->by_mark, hash, &cursor);
    }
    return slot;
}

uint32_t pos_slot_posting(const pos_state *state, uint64_t sequence)
{
    const uint32_t hash = pos_hash_sequence(sequence);
    uint32_t cursor = UINT32_MAX;
    uint32_t slot = pos_index_seek(&state->by_sequence, hash, &cursor);
    while (slot != SLOT_NONE) {
        if (state->postings[slot].face.sequence == sequence) return slot;
        slot = pos_index_seek(&state->by_sequence, hash, &cursor);
    }
    return SLOT_NONE;
}

uint32_t pos_slot_repeat(const pos_state *state, uint32_t hash, uint32_t terminal, uint32_t batch,
                         uint32_t stan, uint8_t message_class)
{
    uint32_t cursor = UINT32_MAX;
    uint32_t slot = pos_index_seek(&state->by_repeat, hash, &cursor);
    while (slot != SLOT_NONE) {
        const repeat_record *record = &state->repeats[slot];
        if (record->terminal == terminal && record->face.batch == batch
            && record->face.stan == stan && record->face.message_class == message_class) {
            return slot;
        }
        slot = pos_index_seek(&state->by_repeat, hash, &cursor);
    }
    return SLOT_NONE;
}

/* ---- faces ----------------------------------------------------------------------------------- */
static const terminal_record *record_of(const pos_terminal_state *terminal)
{
    return (const terminal_record *)(const void *)terminal; /* the face is its first member */
}

uint32_t pos_slot_of(const pos_state *state, const pos_terminal_state *terminal)
{
    const ptrdiff_t slot = record_of(terminal) - state->terminals;
    assert(slot >= 0 && slot < (ptrdiff_t)state->terminal_pool.taken);
    return (uint32_t)slot;
}

const pos_terminal_state *pos_state_terminal(const pos_state *state, const char tid[8],
                                             const char mid[15])
{
    const uint32_t slot = pos_slot_terminal(state, tid, mid);
    return slot == SLOT_NONE ? NULL : &state->terminals[slot].face;
}

const pos_terminal_state *pos_state_terminal_at(const pos_state *state, size_t index)
{
    return index < state->terminal_pool.taken ? &state->terminals[index].face : NULL;
}

bool pos_state_is_locked(const pos_state *state, const char tid[8])
{
    const uint32_t slot = pos_slot_mark(state, tid);
    return slot != SLOT_NONE && state->marks[slot].is_locked != 0;
}

uint64_t pos_state_keys_made_by(const pos_state *state, const char tid[8])
{
    const uint32_t slot = pos_slot_mark(state, tid);
    return slot == SLOT_NONE ? 0 : state->marks[slot].keys_made_by;
}

pos_kind_total pos_state_kind_total(const pos_state *state, const pos_terminal_state *terminal,
                                    unsigned kind, bool is_foreign)
{
    assert(kind < POS_KIND_COUNT);
    assert(state != NULL);
    if (terminal == NULL) return (pos_kind_total){0};
    return record_of(terminal)->kinds[is_foreign ? 1 : 0][kind];
}

const pos_repeat *pos_state_repeat_find(const pos_state *state, const pos_terminal_state *terminal,
                                        uint32_t batch, uint32_t stan, uint8_t message_class)
{
    if (terminal == NULL) return NULL;
    const uint32_t ours = pos_slot_of(state, terminal);
    const uint32_t hash = pos_hash_repeat(ours, batch, stan, message_class);
    const uint32_t slot = pos_slot_repeat(state, hash, ours, batch, stan, message_class);
    return slot == SLOT_NONE ? NULL : &state->repeats[slot].face;
}

const pos_posting *pos_state_posting(const pos_state *state, uint64_t sequence)
{
    const uint32_t slot = pos_slot_posting(state, sequence);
    return slot == SLOT_NONE ? NULL : &state->postings[slot].face;
}

bool pos_state_is_open(const pos_terminal_state *terminal, const pos_posting *posting)
{
    return terminal->batch != 0 && posting->batch == terminal->batch
           && posting->sequence > terminal->batch_opened_by;
}

const pos_posting *pos_state_posting_by_stan(const pos_state *state,
                                             const pos_terminal_state *terminal, uint32_t batch,
                                             uint32_t stan)
{
    static const uint8_t classes[] = {0x20, 0x10, 0x22}; /* 0200, 0100, 0220 */
    for (size_t index = 0; index < sizeof(classes); index++) {
        const pos_repeat *repeat =
            pos_state_repeat_find(state, terminal, batch, stan, classes[index]);
        const pos_posting *posting =
            repeat == NULL ? NULL : pos_state_posting(state, repeat->sequence);
        if (posting != NULL) return posting;
    }
    return NULL;
}

const pos_posting *pos_state_preauth(const pos_state *state, const char mid[15],
                                     const uint8_t pan_token[16], const char auth[6])
{
    const uint32_t hash = pos_hash_preauth(pan_token, auth);
    const pos_posting *newest = NULL;
    uint32_t cursor = UINT32_MAX;
    uint32_t slot = pos_index_seek(&state->by_preauth, hash, &cursor);
    for (; slot != SLOT_NONE; slot = pos_index_seek(&state->by_preauth, hash, &cursor)) {
        const pos_posting *posting = &state->postings[slot].face;
        if (!pos_equal(posting->pan_token, pan_token, 16) || !pos_equal(posting->auth, auth, 6)
            || !pos_equal(state->terminals[posting->terminal].face.mid, mid, 15)
            || (posting->flags & (POS_POSTING_VOIDED | POS_POSTING_REVERSED)) != 0) {
            continue;
        }
        if (newest == NULL || posting->sequence > newest->sequence) newest = posting;
    }
    return newest;
}

const pos_posting *pos_state_batch_next(const pos_state *state, const pos_terminal_state *terminal,
                                        const pos_posting *after)
{
    if (terminal == NULL) return NULL;
    const uint32_t slot = after == NULL ? terminal->batch_first : after->next;
    return slot == SLOT_NONE ? NULL : &state->postings[slot].face;
}

uint32_t pos_state_card_uses(const pos_state *state, const pos_terminal_state *terminal,
                             const uint8_t pan_token[16])
{
    uint32_t uses = 0;
    if (terminal == NULL || terminal->batch == 0) return 0;
    for (const pos_posting *posting = pos_state_batch_next(state, terminal, NULL); posting != NULL;
         posting = pos_state_batch_next(state, terminal, posting)) {
        const uint8_t undone = POS_POSTING_VOIDED | POS_POSTING_REVERSED;
        if (pos_kind_sign(posting->kind) > 0 && (posting->flags & undone) == 0
            && (posting->flags & POS_POSTING_PAN) != 0
            && pos_equal(posting->pan_token, pan_token, 16)) {
            uses++;
        }
    }
    return uses;
}

bool pos_state_findings(const pos_entry *entry, pos_slice *findings_out)
{
    pos_reader reader = pos_reader_over(entry->request, entry->request_size);
    uint8_t field = 0;
    uint16_t size = 0;
    pos_slice value;
    while (pos_reader_u8(&reader, &field) && pos_reader_u16_le(&reader, &size)
           && pos_reader_take(&reader, size, &value)) {
        if (field != 0) continue;
        *findings_out = value;
        return true;
    }
    return false;
}
