/*
 * CMAC, many messages side by side: cmac_wave.c fills the lanes, a file of each CPU path computes
 * them. Oracle: cmac.c, a message at a time.
 */
#ifndef POS_MAC_CMAC_LANES_H
#define POS_MAC_CMAC_LANES_H

#include "mac/lanes.h"

#define POS_CMAC_LANES_AESNI 8
#define POS_CMAC_LANES_AVX512 16

/* The lanes' round keys and subkeys. Secret: whoever has it wipes it after the last group. */
typedef struct pos_cmac_room {
    _Alignas(64) uint8_t bytes[(15 + 2) * POS_CMAC_LANES_AVX512 * 16];
} pos_cmac_room;

/* Under one prepared key, or each under its own key of `key_size` bytes. */
void pos_cmac_lanes_shared_aesni(const pos_cmac_key *key, const pos_mac_lanes *lanes);
void pos_cmac_lanes_keyed_aesni(size_t key_size, const pos_mac_lanes *lanes, pos_cmac_room *room);
void pos_cmac_lanes_shared_avx512(const pos_cmac_key *key, const pos_mac_lanes *lanes);
void pos_cmac_lanes_keyed_avx512(size_t key_size, const pos_mac_lanes *lanes, pos_cmac_room *room);

#endif
