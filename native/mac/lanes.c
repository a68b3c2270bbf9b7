/* Messages of a wave put in order and cut into groups (lanes.h draws it). */
#include "mac/lanes.h"

#define BUCKETS (POS_PART_CLASSES_MAX * POS_PART_BLOCKS_MAX)

const uint8_t pos_lanes_nothing[1];

/* The part in order of its buckets; equal ones stay as they came. */
static void put_in_order(const pos_mac_part *from, pos_mac_part *to)
{
    uint16_t places[BUCKETS] = {0};
    for (size_t index = 0; index < from->count; index++) places[from->buckets[index]]++;
    uint16_t before = 0;
    for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
        const uint16_t here = places[bucket];
        places[bucket] = before;
        before = (uint16_t)(before + here);
    }
    for (size_t index = 0; index < from->count; index++) {
        const uint16_t place = places[from->buckets[index]]++;
        to->data[place] = from->data[index];
        to->keys[place] = from->keys[index];
        to->macs_out[place] = from->macs_out[index];
        to->sizes[place] = from->sizes[index];
        to->buckets[place] = from->buckets[index];
    }
    to->count = from->count;
    to->is_mixed = true;
}

/* A group with fewer messages than lanes. */
static void compute_filled_up(const pos_mac_lanes *lanes, size_t class, pos_lanes_compute *compute,
                              void *context)
{
    const uint8_t *data[POS_LANES_MAX];
    const pos_key *keys[POS_LANES_MAX];
    uint8_t *macs_out[POS_LANES_MAX];
    uint32_t sizes[POS_LANES_MAX];
    for (size_t index = 0; index < POS_LANES_MAX; index++) {
        const bool is_used = index < lanes->count;
        data[index] = lanes->data[is_used ? index : 0];
        keys[index] = lanes->keys[is_used ? index : 0];
        macs_out[index] = lanes->macs_out[is_used ? index : 0];
        sizes[index] = is_used ? lanes->sizes[index] : 0;
    }
    const pos_mac_lanes filled = {.data = data, .sizes = sizes, .keys = keys,
                                  .macs_out = macs_out, .count = lanes->count};
    compute(context, class, &filled);
}

void pos_part_compute(const pos_mac_part *part, size_t lanes_max, pos_lanes_compute *compute,
                      void *context)
{
    assert(part->count <= POS_PART_MAX);
    assert(lanes_max >= 1 && lanes_max <= POS_LANES_MAX);
    pos_mac_part ordered;
    if (part->is_mixed && lanes_max > 1) {
        put_in_order(part, &ordered);
        part = &ordered;
    }
    for (size_t done = 0; done < part->count;) {
        const size_t class = part->buckets[done] / POS_PART_BLOCKS_MAX;
        const size_t left = part->count - done;
        size_t count = left < lanes_max ? left : lanes_max;
        while (part->buckets[done + count - 1] / POS_PART_BLOCKS_MAX != class) count--;
        const pos_mac_lanes lanes = {.data = part->data + done, .sizes = part->sizes + done,
                                     .keys = part->keys + done, .macs_out = part->macs_out + done,
                                     .count = count};
        if (count == lanes_max) {
            compute(context, class, &lanes);
        } else {
            compute_filled_up(&lanes, class, compute, context);
        }
        done += count;
    }
}
