/*
 * Many MACs side by side, one message a lane: what the waves of CMAC, SM4 and HMAC share.
 *
 *   jobs ──▶ a part, at most 256 ──▶ in order of class and blocks ──▶ groups of as many as there are
 *                                                                     lanes ──▶ compute, each at once
 *
 * A group takes as long as its longest message; in order, its messages are of nearly one size.
 */
#ifndef POS_MAC_LANES_H
#define POS_MAC_LANES_H

#include <assert.h>

#include "mac/mac.h"

#define POS_LANES_MAX 64       /* of any way */
#define POS_PART_MAX 256      /* messages in order at once: they stay in the first cache */
#define POS_PART_CLASSES_MAX 3
#define POS_PART_BLOCKS_MAX 64 /* messages of more blocks stand together */

/*
 * Messages that are computed together, by index. Every array has as many entries as the way has
 * lanes: those past the count repeat the first one, with a size of 0.
 */
typedef struct pos_mac_lanes {
    const uint8_t *const *data; /* never NULL */
    const uint32_t *sizes;
    const pos_key *const *keys; /* entries are NULL where all lanes share a prepared key */
    uint8_t *const *macs_out;
    size_t count; /* at least 1 */
} pos_mac_lanes;

typedef struct pos_mac_part {
    const uint8_t *data[POS_PART_MAX];
    const pos_key *keys[POS_PART_MAX];
    uint8_t *macs_out[POS_PART_MAX];
    uint32_t sizes[POS_PART_MAX];
    uint8_t buckets[POS_PART_MAX]; /* class, then blocks */
    size_t count;
    bool is_mixed; /* not all of one bucket */
} pos_mac_part;

/* What computes a group; all of its messages are of one class. */
typedef void pos_lanes_compute(void *context, size_t class, const pos_mac_lanes *lanes);

extern const uint8_t pos_lanes_nothing[1]; /* the data of a message that has none */

/* Blocks of 16 bytes before the last one, which may be a part of one, or empty. */
static inline uint32_t pos_full_blocks(uint32_t size)
{
    return size == 0 ? 0 : (size - 1) / 16;
}

static inline void pos_part_begin(pos_mac_part *part)
{
    part->count = 0;
    part->is_mixed = false;
}

/* One more message, of so many blocks; `class` is below POS_PART_CLASSES_MAX. */
static inline void pos_part_take(pos_mac_part *part, const uint8_t *data, uint32_t size,
                                 const pos_key *key, size_t class, size_t blocks,
                                 uint8_t *mac_out)
{
    const size_t index = part->count++;
    assert(index < POS_PART_MAX);
    assert(data != NULL || size == 0);
    const size_t capped = blocks < POS_PART_BLOCKS_MAX ? blocks : POS_PART_BLOCKS_MAX - 1;
    part->data[index] = size > 0 ? data : pos_lanes_nothing;
    part->sizes[index] = size;
    part->keys[index] = key;
    part->macs_out[index] = mac_out;
    part->buckets[index] = (uint8_t)(class * POS_PART_BLOCKS_MAX + capped);
    part->is_mixed |= part->buckets[index] != part->buckets[0];
}

/* Every message of the part, at most `lanes_max` at a time. */
void pos_part_compute(const pos_mac_part *part, size_t lanes_max, pos_lanes_compute *compute,
                      void *context);

#define POS_KEYS_AHEAD 12 /* jobs whose keys are asked for ahead: they lie anywhere in memory */

/* The n-th job of a wave, in the order of `indexes` where there are any. */
static inline pos_mac_job *pos_wave_job(pos_mac_job *jobs, const uint16_t *indexes, size_t index,
                                        size_t count)
{
    if (index + POS_KEYS_AHEAD < count) {
        const size_t ahead = index + POS_KEYS_AHEAD;
        __builtin_prefetch(jobs[indexes == NULL ? ahead : indexes[ahead]].key);
    }
    return &jobs[indexes == NULL ? index : indexes[index]];
}

#endif
