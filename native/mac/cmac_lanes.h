/*
 * Many CMACs side by side, one message a lane: cmac_wave.c fills the lanes, a file of each CPU path
 * computes them. Oracle: cmac.c, a message at a time.
 */
#ifndef POS_MAC_CMAC_LANES_H
#define POS_MAC_CMAC_LANES_H

#include "mac/mac.h"

/*
 * Messages that are computed together, by index. Every array has as many entries as the path takes
 * lanes: those past the count repeat the first one, with a size of 0.
 */
typedef struct pos_cmac_lanes {
    const uint8_t *const *data; /* never NULL */
    const uint32_t *sizes;
    const uint8_t *const *keys; /* not looked at where all lanes share a prepared key */
    uint8_t *const *macs_out;   /* 16 bytes each */
    size_t count;               /* at least 1 */
} pos_cmac_lanes;

#define POS_CMAC_LANES_AESNI 8
#define POS_CMAC_LANES_AVX512 16

/* Room for the lanes' round keys and subkeys. Secret: whoever has it wipes it after the last group. */
typedef struct pos_cmac_room {
    _Alignas(64) uint8_t bytes[(15 + 2) * POS_CMAC_LANES_AVX512 * 16];
} pos_cmac_room;

/* Under one prepared key, or each under its own key of `key_size` bytes. */
void pos_cmac_lanes_shared_aesni(const pos_cmac_key *key, const pos_cmac_lanes *lanes);
void pos_cmac_lanes_keyed_aesni(size_t key_size, const pos_cmac_lanes *lanes, pos_cmac_room *room);
void pos_cmac_lanes_shared_avx512(const pos_cmac_key *key, const pos_cmac_lanes *lanes);
void pos_cmac_lanes_keyed_avx512(size_t key_size, const pos_cmac_lanes *lanes, pos_cmac_room *room);

/* CMAC's blocks before the last one, which is held back: it takes a subkey. */
static inline uint32_t pos_cmac_full_blocks(uint32_t size)
{
    return size == 0 ? 0 : (size - 1) / 16;
}

#endif
