/*
 * HMAC-SHA-256 by the wave, two messages at a time where the processor has the instructions: one
 * step of SHA256RNDS2 takes four cycles and could start every two.
 *
 *   inner = H(key ⊕ 36.. ‖ message)      mac = H(key ⊕ 5c.. ‖ inner)
 *
 * Blocks that both messages have go side by side, what one has more of goes alone; in order, two
 * neighbours have nearly as many.
 */
#include "mac/lanes.h"
#include "mac/sha256.h"
#include "mac/wave.h"

#define BLOCK 64
#define PAIR 2

typedef struct way {
    bool has_sha;
    /* Secret: key pads, inner digests, states. Wiped after the last group. */
    uint8_t pads[PAIR][BLOCK];
    uint8_t tails[PAIR][2 * BLOCK];
    uint32_t words[PAIR][8];
    uint8_t inners[PAIR][32];
} way;

static void compress_one(way *by, size_t which, const uint8_t *blocks, size_t count)
{
    if (by->has_sha) {
        pos_sha256_blocks_shani(by->words[which], blocks, count);
    } else {
        pos_sha256_blocks_portable(by->words[which], blocks, count);
    }
}

/* So many blocks of each message. */
static void compress(way *by, const uint8_t *const blocks[PAIR], const size_t counts[PAIR],
                     size_t messages)
{
    size_t shared = 0;
    if (by->has_sha && messages == PAIR) {
        shared = counts[0] < counts[1] ? counts[0] : counts[1];
        pos_sha256_pair_shani(by->words[0], by->words[1], blocks[0], blocks[1], shared);
    }
    for (size_t index = 0; index < messages; index++) {
        if (counts[index] == shared) continue;
        compress_one(by, index, blocks[index] + BLOCK * shared, counts[index] - shared);
    }
}

/* The end of a message of `size` bytes behind a key block: 80, zeros, the size in bits. */
static size_t make_tail(uint8_t tail[2 * BLOCK], const uint8_t *rest, size_t rest_size,
                        uint64_t size)
{
    assert(rest_size < BLOCK);
    const size_t blocks = rest_size < BLOCK - 8 ? 1 : 2;
    pos_zero(tail, BLOCK * blocks);
    pos_copy(tail, rest, rest_size);
    tail[rest_size] = 0x80;
    pos_store_u64_be(tail + BLOCK * blocks - 8, (BLOCK + size) * 8);
    return blocks;
}

static void begin_under_keys(way *by, const pos_mac_lanes *lanes, uint8_t pad)
{
    static const size_t ONE[PAIR] = {1, 1};
    for (size_t index = 0; index < lanes->count; index++) {
        const pos_key *key = lanes->keys[index];
        assert(key->size >= 1 && key->size <= BLOCK);
        for (size_t byte = 0; byte < BLOCK; byte++) by->pads[index][byte] = pad;
        for (size_t byte = 0; byte < key->size; byte++) by->pads[index][byte] ^= key->bytes[byte];
        pos_sha256_begin_words(by->words[index]);
    }
    const uint8_t *const pads[PAIR] = {by->pads[0], by->pads[1]};
    compress(by, pads, ONE, lanes->count);
}

static void compute_group(void *context, size_t class, const pos_mac_lanes *lanes)
{
    way *by = context;
    size_t counts[PAIR] = {0};
    const uint8_t *const tails[PAIR] = {by->tails[0], by->tails[1]};
    const uint8_t *const data[PAIR] = {lanes->data[0], lanes->data[lanes->count - 1]};
    assert(class == 0 && lanes->count >= 1 && lanes->count <= PAIR);

    begin_under_keys(by, lanes, 0x36);
    for (size_t index = 0; index < lanes->count; index++) {
        counts[index] = lanes->sizes[index] / BLOCK;
    }
    compress(by, data, counts, lanes->count);
    for (size_t index = 0; index < lanes->count; index++) {
        const size_t whole = BLOCK * counts[index];
        counts[index] = make_tail(by->tails[index], lanes->data[index] + whole,
                                  lanes->sizes[index] - whole, lanes->sizes[index]);
    }
    compress(by, tails, counts, lanes->count);

    for (size_t index = 0; index < lanes->count; index++) {
        uint8_t *inner = by->inners[index];
        pos_sha256_put_words(by->words[index], inner);
        counts[index] = make_tail(by->tails[index], inner, 32, 32);
    }
    begin_under_keys(by, lanes, 0x5c);
    compress(by, tails, counts, lanes->count);
    for (size_t index = 0; index < lanes->count; index++) {
        pos_sha256_put_words(by->words[index], lanes->macs_out[index]);
    }
}

void pos_hmac_wave_on(pos_cpu_path path, pos_mac_job *jobs, const uint16_t *indexes, size_t count)
{
    assert(jobs != NULL || count == 0);
    way by;
    pos_mac_part part;
    by.has_sha = path >= POS_CPU_SSE42 && pos_cpu_has_sha();
    for (size_t done = 0; done < count;) {
        pos_part_begin(&part);
        for (; part.count < POS_PART_MAX && done < count; done++) {
            pos_mac_job *job = pos_wave_job(jobs, indexes, done, count);
            pos_part_take(&part, job->covered, job->covered_size, job->key, 0,
                          (job->covered_size + 8) / BLOCK, job->mac);
        }
        pos_part_compute(&part, by.has_sha ? PAIR : 1, compute_group, &by);
    }
    pos_wipe(&by, sizeof by);
}
