/* CMACs and tokens by the wave: jobs in order, groups of 16 (VAES), 8 (AES-NI) or 1. */
#include "mac/aes.h"
#include "mac/cmac_lanes.h"
#include "mac/wave.h"

/* How a part is computed. Its classes are its keys' sizes: 16, 24, 32. */
typedef struct way {
    pos_cpu_path path;
    const pos_cmac_key *key; /* of all messages; NULL where each has its own */
    pos_cmac_room *room;     /* for own keys */
} way;

static size_t class_of(size_t key_size)
{
    assert(key_size == 16 || key_size == 24 || key_size == 32);
    return key_size / 8 - 2;
}

static size_t lanes_max_of(pos_cpu_path path)
{
    if (path >= POS_CPU_AVX512) return POS_CMAC_LANES_AVX512;
    return path >= POS_CPU_SSE42 ? POS_CMAC_LANES_AESNI : 1;
}

/* The plain way. */
static void compute_alone(const pos_cmac_key *key, const pos_mac_lanes *lanes)
{
    assert(lanes->count == 1);
    if (key != NULL) {
        pos_cmac(key, lanes->data[0], lanes->sizes[0], lanes->macs_out[0]);
        return;
    }
    pos_cmac_key own;
    pos_cmac_prepare_on(POS_CPU_PORTABLE, lanes->keys[0]->bytes, lanes->keys[0]->size, &own);
    pos_cmac(&own, lanes->data[0], lanes->sizes[0], lanes->macs_out[0]);
    pos_wipe(&own, sizeof own);
}

static void compute_group(void *context, size_t class, const pos_mac_lanes *lanes)
{
    const way *by = context;
#if defined(__x86_64__)
    const size_t key_size = 8 * (class + 2);
    if (by->path >= POS_CPU_AVX512 && by->key != NULL) {
        pos_cmac_lanes_shared_avx512(by->key, lanes);
    } else if (by->path >= POS_CPU_AVX512) {
        pos_cmac_lanes_keyed_avx512(key_size, lanes, by->room);
    } else if (by->path >= POS_CPU_SSE42 && by->key != NULL) {
        pos_cmac_lanes_shared_aesni(by->key, lanes);
    } else if (by->path >= POS_CPU_SSE42) {
        pos_cmac_lanes_keyed_aesni(key_size, lanes, by->room);
    } else {
        compute_alone(by->key, lanes);
    }
#else
    (void)class;
    compute_alone(by->key, lanes);
#endif
}

void pos_cmac_wave_on(pos_cpu_path path, pos_mac_job *jobs, const uint16_t *indexes, size_t count)
{
    assert(jobs != NULL || count == 0);
    pos_cmac_room room;
    pos_mac_part part;
    way by = {.path = path, .key = NULL, .room = &room};
    for (size_t done = 0; done < count;) {
        pos_part_begin(&part);
        for (; part.count < POS_PART_MAX && done < count; done++) {
            pos_mac_job *job = pos_wave_job(jobs, indexes, done, count);
            pos_part_take(&part, job->covered, job->covered_size, job->key,
                          class_of(job->key->size), pos_full_blocks(job->covered_size), job->mac);
            for (size_t byte = 16; byte < sizeof job->mac; byte++) job->mac[byte] = 0;
        }
        pos_part_compute(&part, lanes_max_of(path), compute_group, &by);
    }
    pos_wipe(&room, sizeof room);
}

void pos_token_wave(const pos_cmac_key *key, pos_token_job *jobs, size_t count)
{
    assert(key != NULL);
    assert(jobs != NULL || count == 0);
    const pos_cpu_path path = (pos_cpu_path)key->aes.path;
    pos_mac_part part;
    way by = {.path = path, .key = key, .room = NULL};
    for (size_t done = 0; done < count;) {
        pos_part_begin(&part);
        for (; part.count < POS_PART_MAX && done < count; done++) {
            pos_part_take(&part, jobs[done].data, jobs[done].size, NULL, 0,
                          pos_full_blocks(jobs[done].size), jobs[done].token);
        }
        pos_part_compute(&part, lanes_max_of(path), compute_group, &by);
    }
}
