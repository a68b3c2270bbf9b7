/* sm4-unionpay and sm4-cbc by the wave: jobs in order, groups of 64 (GFNI), 8 (AES-NI) or 1. */
#include "mac/block.h"
#include "mac/sm4_lanes.h"
#include "mac/wave.h"

enum { FOLDED, CHAINED }; /* classes */

typedef struct way {
    pos_cpu_path path;
    pos_sm4_room room;
} way;

static void mix(uint8_t into[16], const uint8_t *from, size_t size)
{
    for (size_t byte = 0; byte < size; byte++) into[byte] ^= from[byte];
}

/* The plain way, by the circuit. */
static void compute_alone(size_t class, const pos_mac_lanes *lanes)
{
    assert(lanes->count == 1);
    const uint8_t *data = lanes->data[0];
    const uint32_t size = lanes->sizes[0];
    uint8_t state[16] = {0};
    pos_sm4_key key;
    pos_sm4_prepare_on(POS_CPU_PORTABLE, lanes->keys[0]->bytes, &key);
    for (uint32_t done = 0; done < size || done == 0; done += 16) {
        mix(state, data + done, size - done < 16 ? size - done : 16);
        if (class == CHAINED) pos_sm4_encrypt(&key, state, state);
    }
    if (class == FOLDED) {
        uint8_t hex[32];
        pos_hex_from_bytes(state, sizeof state, (char *)hex);
        pos_sm4_encrypt(&key, hex, state);
        mix(state, hex + 16, sizeof state);
        pos_sm4_encrypt(&key, state, state);
    }
    pos_copy(lanes->macs_out[0], state, sizeof state);
    pos_wipe(&key, sizeof key);
}

static void compute_group(void *context, size_t class, const pos_mac_lanes *lanes)
{
    way *by = context;
#if defined(__x86_64__)
    if (by->path >= POS_CPU_AVX512 && class == FOLDED) {
        pos_sm4_folded_avx512(lanes, &by->room);
    } else if (by->path >= POS_CPU_AVX512) {
        pos_sm4_chained_avx512(lanes, &by->room);
    } else if (by->path >= POS_CPU_SSE42 && class == FOLDED) {
        pos_sm4_folded_aesni(lanes, &by->room);
    } else if (by->path >= POS_CPU_SSE42) {
        pos_sm4_chained_aesni(lanes, &by->room);
    } else {
        compute_alone(class, lanes);
    }
#else
    (void)by;
    compute_alone(class, lanes);
#endif
}

static size_t lanes_max_of(pos_cpu_path path)
{
    if (path >= POS_CPU_AVX512) return POS_SM4_LANES_AVX512;
    return path >= POS_CPU_SSE42 ? POS_SM4_LANES_AESNI : 1;
}

void pos_sm4_wave_on(pos_cpu_path path, pos_mac_job *jobs, const uint16_t *indexes, size_t count)
{
    assert(jobs != NULL || count == 0);
    way by;
    pos_mac_part part;
    by.path = path;
    for (size_t done = 0; done < count;) {
        pos_part_begin(&part);
        for (; part.count < POS_PART_MAX && done < count; done++) {
            pos_mac_job *job = pos_wave_job(jobs, indexes, done, count);
            assert(job->key->size == 16);
            const bool is_chained = job->algorithm == POS_MAC_SM4_CBC;
            assert(is_chained || job->algorithm == POS_MAC_SM4_UNIONPAY);
            pos_part_take(&part, job->covered, job->covered_size, job->key,
                          is_chained ? CHAINED : FOLDED,
                          is_chained ? pos_full_blocks(job->covered_size) : 0, job->mac);
            for (size_t byte = 16; byte < sizeof job->mac; byte++) job->mac[byte] = 0;
        }
        pos_part_compute(&part, lanes_max_of(path), compute_group, &by);
    }
    pos_wipe(&by.room, sizeof by.room);
}
