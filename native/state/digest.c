/*
 * The state as sixteen bytes. Every record is written down canonically (little-endian, terminals by
 * name, no slots), hashed by itself, and the hashes are added: so neither the order of the tables
 * nor their limits matter, and records alone do.
 *
 *   record ─▶ 'T' | 'P' | 'R' | 'M', fields ─▶ FNV-1a with two starts ─▶ mixed ─▶ two sums modulo 2^64
 */
#include "state/tables.h"

#include <assert.h>

#define RECORD_SIZE_MAX 4096
#define FNV_PRIME UINT64_C(0x100000001b3)

typedef struct digest_sums {
    uint64_t low;
    uint64_t high;
} digest_sums;

static uint64_t hashed(const uint8_t *data, size_t size, uint64_t start)
{
    uint64_t hash = start;
    for (size_t index = 0; index < size; index++) hash = (hash ^ data[index]) * FNV_PRIME;
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    return hash ^ (hash >> 32);
}

static void add(digest_sums *sums, const pos_writer *record)
{
    assert(!record->is_full);
    sums->low += hashed(record->data, record->size, UINT64_C(0xcbf29ce484222325));
    sums->high += hashed(record->data, record->size, UINT64_C(0x9ae16a3b2f90404f));
}

static void put_side(pos_writer *writer, const pos_totals_side *side)
{
    pos_writer_u64_le(writer, (uint64_t)side->debit_minor);
    pos_writer_u64_le(writer, (uint64_t)side->credit_minor);
    pos_writer_u32_le(writer, side->debit_count);
    pos_writer_u32_le(writer, side->credit_count);
}

static void put_terminal(pos_writer *writer, const terminal_record *record)
{
    const pos_terminal_state *face = &record->face;
    pos_writer_u8(writer, 'T');
    pos_writer_put(writer, face->tid, sizeof(face->tid));
    pos_writer_put(writer, face->mid, sizeof(face->mid));
    pos_writer_u8(writer, face->is_signed_on);
    pos_writer_u32_le(writer, face->batch);
    pos_writer_u32_le(writer, face->batch_closed);
    pos_writer_u64_le(writer, face->batch_opened_by);
    put_side(writer, &face->totals.domestic);
    put_side(writer, &face->totals.foreign);
    put_side(writer, &face->totals_closed.domestic);
    put_side(writer, &face->totals_closed.foreign);
    pos_writer_u64_le(writer, face->last_sequence);
    pos_writer_u64_le(writer, (uint64_t)face->last_at_ns);
    pos_writer_u32_le(writer, face->upload.batch);
    pos_writer_u8(writer, face->upload.is_balanced);
    pos_writer_u8(writer, face->upload.is_ended);
    pos_writer_u32_le(writer, face->upload.records);
    pos_writer_u32_le(writer, face->upload.matched);
    pos_writer_u32_le(writer, face->upload.missing_ours);
    pos_writer_u32_le(writer, face->upload.differing);
    for (unsigned kind = 0; kind < POS_KIND_COUNT; kind++) {
        for (unsigned side = 0; side < 2; side++) {
            const pos_kind_total *total = &record->kinds[side][kind];
            if (total->count == 0 && total->amount_minor == 0) continue;
            pos_writer_u8(writer, (uint8_t)(kind << 1 | side));
            pos_writer_u32_le(writer, total->count);
            pos_writer_u64_le(writer, (uint64_t)total->amount_minor);
        }
    }
}

static void put_posting(pos_writer *writer, const pos_state *state, const pos_posting *posting)
{
    const pos_terminal_state *terminal = &state->terminals[posting->terminal].face;
    pos_writer_u8(writer, 'P');
    pos_writer_put(writer, terminal->tid, sizeof(terminal->tid));
    pos_writer_put(writer, terminal->mid, sizeof(terminal->mid));
    pos_writer_u64_le(writer, posting->sequence);
    pos_writer_u64_le(writer, posting->original);
    pos_writer_u64_le(writer, posting->undone_by);
    pos_writer_u64_le(writer, posting->completed_by);
    pos_writer_u64_le(writer, (uint64_t)posting->at_ns);
    pos_writer_u64_le(writer, (uint64_t)posting->amount_minor);
    pos_writer_u64_le(writer, (uint64_t)posting->refunded_minor);
    pos_writer_u64_le(writer, (uint64_t)posting->adjusted_minor);
    pos_writer_u32_le(writer, posting->batch);
    pos_writer_u32_le(writer, posting->stan);
    pos_writer_u32_le(writer, posting->bin);
    pos_writer_u16_le(writer, posting->last4);
    pos_writer_u8(writer, posting->kind);
    pos_writer_u8(writer, posting->message_class);
    pos_writer_u8(writer, posting->flags);
    pos_writer_put(writer, posting->auth, sizeof(posting->auth));
    pos_writer_put(writer, posting->pan_token, sizeof(posting->pan_token));
}

static void put_repeat(pos_writer *writer, const pos_state *state, const repeat_record *record)
{
    const pos_terminal_state *terminal = &state->terminals[record->terminal].face;
    const pos_repeat *repeat = &record->face;
    pos_writer_u8(writer, 'R');
    pos_writer_put(writer, terminal->tid, sizeof(terminal->tid));
    pos_writer_put(writer, terminal->mid, sizeof(terminal->mid));
    pos_writer_u64_le(writer, repeat->sequence);
    pos_writer_u64_le(writer, (uint64_t)repeat->at_ns);
    pos_writer_u64_le(writer, (uint64_t)repeat->amount_minor);
    pos_writer_u32_le(writer, repeat->batch);
    pos_writer_u32_le(writer, repeat->stan);
    pos_writer_u8(writer, repeat->message_class);
    pos_writer_u8(writer, repeat->kind);
    pos_writer_u8(writer, repeat->outcome);
    pos_writer_u8(writer, repeat->is_unseen);
    pos_writer_put(writer, repeat->fingerprint, sizeof(repeat->fingerprint));
}

void pos_state_digest(const pos_state *state, uint8_t digest_out[16])
{
    assert(state != NULL);
    assert(digest_out != NULL);
    uint8_t buffer[RECORD_SIZE_MAX];
    digest_sums sums = {.low = state->sequence, .high = ~state->sequence};
    for (uint32_t slot = 0; slot < state->terminal_pool.taken; slot++) {
        pos_writer writer = pos_writer_over(buffer, sizeof(buffer));
        put_terminal(&writer, &state->terminals[slot]);
        add(&sums, &writer);
    }
    for (uint32_t slot = 0; slot < state->posting_pool.high; slot++) {
        if (state->postings[slot].face.sequence == 0) continue; /* forgotten */
        pos_writer writer = pos_writer_over(buffer, sizeof(buffer));
        put_posting(&writer, state, &state->postings[slot].face);
        add(&sums, &writer);
    }
    for (uint32_t slot = 0; slot < state->repeat_pool.high; slot++) {
        if (state->repeats[slot].face.sequence == 0) continue; /* forgotten */
        pos_writer writer = pos_writer_over(buffer, sizeof(buffer));
        put_repeat(&writer, state, &state->repeats[slot]);
        add(&sums, &writer);
    }
    for (uint32_t slot = 0; slot < state->mark_pool.taken; slot++) {
        pos_writer writer = pos_writer_over(buffer, sizeof(buffer));
        pos_writer_u8(&writer, 'M');
        pos_writer_put(&writer, state->marks[slot].tid, sizeof(state->marks[slot].tid));
        pos_writer_u64_le(&writer, state->marks[slot].keys_made_by);
        pos_writer_u8(&writer, (uint8_t)state->marks[slot].is_locked);
        add(&sums, &writer);
    }
    pos_store_u64_le(digest_out, sums.low);
    pos_store_u64_le(digest_out + 8, sums.high);
}
