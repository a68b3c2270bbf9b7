/*
 * CMAC by the wave: messages are put in order of their blocks (and of the size of their keys), cut
 * into groups of as many as the processor's path has lanes, and each group is computed at once.
 *
 *   jobs ──▶ lanes, 256 at a time ──▶ in order ──▶ groups of 16 (VAES), 8 (AES-NI), 1 (portable)
 *
 * A group takes as long as its longest message; in order, its messages are of nearly one size.
 */
#include <assert.h>

#include "mac/aes.h"
#include "mac/cmac_lanes.h"
#include "mac/wave.h"
#include "measure/measure.h"

#define PART_MAX 256 /* lanes in order at once: they stay in the first cache */
#define BLOCKS_MAX 64 /* messages of more blocks stand together */
#define KEYS_AHEAD 12 /* jobs whose keys are asked for ahead: they lie anywhere in memory */
#define LANES_MAX POS_CMAC_LANES_AVX512
#define BUCKETS (3 * BLOCKS_MAX)

static const uint8_t NOTHING[1];

static size_t key_class(size_t key_size)
{
    assert(key_size == 16 || key_size == 24 || key_size == 32);
    return key_size / 8 - 2;
}

/* Some of a wave, an array a fact. */
typedef struct part {
    const uint8_t *data[PART_MAX];
    const uint8_t *keys[PART_MAX];
    uint8_t *macs_out[PART_MAX];
    uint32_t sizes[PART_MAX];
    uint8_t buckets[PART_MAX];
    size_t count;
    bool is_mixed; /* not all of one bucket */
} part;

/* The part in order of its buckets; equal ones stay as they came. */
static void put_in_order(const part *from, part *to)
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

static uint8_t bucket_of(size_t class, uint32_t size)
{
    const uint32_t full = pos_cmac_full_blocks(size);
    return (uint8_t)(class * BLOCKS_MAX + (full < BLOCKS_MAX ? full : BLOCKS_MAX - 1));
}

static size_t lanes_max_of(pos_cpu_path path)
{
    if (path >= POS_CPU_AVX512) return POS_CMAC_LANES_AVX512;
    return path >= POS_CPU_SSE42 ? POS_CMAC_LANES_AESNI : 1;
}

static void compute_portable(const pos_cmac_key *key, size_t key_size, const pos_cmac_lanes *lanes)
{
    assert(lanes->count == 1);
    if (key != NULL) {
        pos_cmac(key, lanes->data[0], lanes->sizes[0], lanes->macs_out[0]);
        return;
    }
    pos_cmac_key own;
    pos_cmac_prepare_on(POS_CPU_PORTABLE, lanes->keys[0], key_size, &own);
    pos_cmac(&own, lanes->data[0], lanes->sizes[0], lanes->macs_out[0]);
    pos_wipe(&own, sizeof own);
}

/* `key` is NULL where every lane has its own. */
static void compute_group(pos_cpu_path path, const pos_cmac_key *key, size_t key_size,
                          const pos_cmac_lanes *lanes, pos_cmac_room *room)
{
#if defined(__x86_64__)
    if (path >= POS_CPU_AVX512 && key != NULL) {
        pos_cmac_lanes_shared_avx512(key, lanes);
    } else if (path >= POS_CPU_AVX512) {
        pos_cmac_lanes_keyed_avx512(key_size, lanes, room);
    } else if (path >= POS_CPU_SSE42 && key != NULL) {
        pos_cmac_lanes_shared_aesni(key, lanes);
    } else if (path >= POS_CPU_SSE42) {
        pos_cmac_lanes_keyed_aesni(key_size, lanes, room);
    } else {
        compute_portable(key, key_size, lanes);
    }
#else
    (void)path;
    (void)room;
    compute_portable(key, key_size, lanes);
#endif
}

/* A group with fewer messages than lanes. */
static void compute_filled_up(pos_cpu_path path, const pos_cmac_key *key, size_t key_size,
                              const pos_cmac_lanes *lanes, pos_cmac_room *room)
{
    const uint8_t *data[LANES_MAX];
    const uint8_t *keys[LANES_MAX];
    uint8_t *macs_out[LANES_MAX];
    uint32_t sizes[LANES_MAX];
    for (size_t index = 0; index < LANES_MAX; index++) {
        const bool is_used = index < lanes->count;
        data[index] = lanes->data[is_used ? index : 0];
        keys[index] = lanes->keys[is_used ? index : 0];
        macs_out[index] = lanes->macs_out[is_used ? index : 0];
        sizes[index] = is_used ? lanes->sizes[index] : 0;
    }
    const pos_cmac_lanes filled = {.data = data, .sizes = sizes, .keys = keys,
                                   .macs_out = macs_out, .count = lanes->count};
    compute_group(path, key, key_size, &filled, room);
}

static void compute_part(pos_cpu_path path, const pos_cmac_key *key, const part *from,
                         pos_cmac_room *room)
{
    const size_t lanes_max = lanes_max_of(path);
    part ordered;
    if (from->is_mixed && lanes_max > 1) {
        put_in_order(from, &ordered);
        from = &ordered;
    }
    for (size_t done = 0; done < from->count;) {
        const size_t class = from->buckets[done] / BLOCKS_MAX;
        const size_t left = from->count - done;
        size_t count = left < lanes_max ? left : lanes_max;
        while (from->buckets[done + count - 1] / BLOCKS_MAX != class) count--;
        const pos_cmac_lanes lanes = {.data = from->data + done, .sizes = from->sizes + done,
                                      .keys = from->keys + done, .macs_out = from->macs_out + done,
                                      .count = count};
        if (count == lanes_max) {
            compute_group(path, key, 8 * (class + 2), &lanes, room);
        } else {
            compute_filled_up(path, key, 8 * (class + 2), &lanes, room);
        }
        done += count;
    }
}

/* One more message of a part; `class` is its key's. */
static inline void take(part *into, const uint8_t *data, uint32_t size, const uint8_t *key,
                        size_t class, uint8_t *mac_out)
{
    const size_t index = into->count++;
    assert(data != NULL || size == 0);
    into->data[index] = size > 0 ? data : NOTHING;
    into->sizes[index] = size;
    into->keys[index] = key;
    into->macs_out[index] = mac_out;
    into->buckets[index] = bucket_of(class, size);
    into->is_mixed |= into->buckets[index] != into->buckets[0];
}

void pos_cmac_wave_on(pos_cpu_path path, pos_mac_job *jobs, const uint16_t *indexes, size_t count)
{
    assert(jobs != NULL || count == 0);
    pos_cmac_room room;
    part taken;
    for (size_t done = 0; done < count;) {
        taken.count = 0;
        taken.is_mixed = false;
        for (; taken.count < PART_MAX && done < count; done++) {
            pos_mac_job *job = &jobs[indexes == NULL ? done : indexes[done]];
            if (done + KEYS_AHEAD < count) {
                const size_t ahead = done + KEYS_AHEAD;
                __builtin_prefetch(jobs[indexes == NULL ? ahead : indexes[ahead]].key);
            }
            take(&taken, job->covered, job->covered_size, job->key->bytes,
                 key_class(job->key->size), job->mac);
            for (size_t byte = 16; byte < sizeof job->mac; byte++) job->mac[byte] = 0;
        }
        compute_part(path, NULL, &taken, &room);
    }
    pos_wipe(&room, sizeof room);
}

void pos_token_wave(const pos_cmac_key *key, pos_token_job *jobs, size_t count)
{
    assert(key != NULL);
    assert(jobs != NULL || count == 0);
    part taken;
    for (size_t done = 0; done < count;) {
        taken.count = 0;
        taken.is_mixed = false;
        for (; taken.count < PART_MAX && done < count; done++) {
            take(&taken, jobs[done].data, jobs[done].size, NULL, 0, jobs[done].token);
        }
        compute_part((pos_cpu_path)key->aes.path, key, &taken, NULL);
    }
}
