/*
 * SM4's two MACs, many messages side by side: sm4_wave.c fills the lanes, a file of each CPU path
 * computes them. Oracle: sm4.c, a block at a time.
 */
#ifndef POS_MAC_SM4_LANES_H
#define POS_MAC_SM4_LANES_H

#include "mac/lanes.h"

#define POS_SM4_LANES_AESNI 8
#define POS_SM4_LANES_AVX512 64

/* The lanes' round keys. Secret: whoever has it wipes it after the last group. */
typedef struct pos_sm4_room {
    _Alignas(64) uint8_t bytes[32 * 4 * POS_SM4_LANES_AVX512];
} pos_sm4_room;

/* sm4-unionpay and sm4-cbc (algorithm.c says what they are). */
void pos_sm4_folded_aesni(const pos_mac_lanes *lanes, pos_sm4_room *room);
void pos_sm4_chained_aesni(const pos_mac_lanes *lanes, pos_sm4_room *room);
void pos_sm4_folded_avx512(const pos_mac_lanes *lanes, pos_sm4_room *room);
void pos_sm4_chained_avx512(const pos_mac_lanes *lanes, pos_sm4_room *room);

#endif
