/*
 * DES for a whole wave, inside of the room: every job of UnionPay ECB, X9.9 and X9.19 is a chain
 * over blocks of 8 bytes, each with its own key, and many chains run side by side.
 *
 *   jobs ──▶ forms ──▶ longest first ──▶ passes ──▶ MACs
 *            des_wave.c                   des_lanes_*.c, des_slices_*.c
 *
 * A pass takes lanes of one form, longest first. Chains end together: a shorter one begins later,
 * out of zeros, so that only the last step meets a part of a block.
 */
#ifndef POS_MAC_DES_WAVE_H
#define POS_MAC_DES_WAVE_H

#include "mac/mac.h"
#include "measure/measure.h"

/* What a chain's step is, and how it ends. */
typedef enum pos_des_form {
    POS_DES_SINGLE, /* DES under the first half of the key */
    POS_DES_DOUBLE, /* 3DES */
    POS_DES_X9_19,  /* DES under the first half; at the end decipher by the second, encipher again */
    POS_DES_FORM_COUNT
} pos_des_form;

typedef struct pos_des_lane {
    const uint8_t *data;
    const uint8_t *key; /* 8 bytes, or 16 */
    uint32_t size;
    uint32_t job;
} pos_des_lane;

/* Steps of a lane: its blocks, and one of zeros where it has no byte. */
static inline uint32_t pos_des_steps(const pos_des_lane *lane)
{
    return lane->size == 0 ? 1 : (uint32_t)(((uint64_t)lane->size + 7) / 8);
}

/* Which way a pass takes; POS_DES_WAY_COUNT lets the wave choose. Tests force each. */
typedef enum pos_des_way {
    POS_DES_WAY_SCALAR, /* des.c, one after the other */
    POS_DES_WAY_LANES,  /* a byte a message */
    POS_DES_WAY_SLICES, /* a bit a message */
    POS_DES_WAY_COUNT
} pos_des_way;

/* This processor's path has such a way. */
bool pos_des_has_way(pos_cpu_path path, pos_des_way way);

/* Jobs that one call takes: its lanes lie on the stack, about 75 KiB with all else. */
#define POS_DES_WAVE_MAX 1024
/* Those of `jobs` that `which` lists; their algorithms are the three of DES. */
void pos_des_wave_on(pos_cpu_path path, pos_des_way way, pos_mac_job *jobs, const uint16_t *which,
                     size_t count);

/* ---- passes: `count` lanes of one form, longest first; a MAC of 8 bytes for each ------------------ */
#define POS_DES_LANES_MAX 64
void pos_des_lanes_avx512(pos_des_form form, const pos_des_lane *lanes, size_t count,
                          uint8_t (*macs_out)[8]);

/* XOR of all blocks as hex, 16 characters for each lane. */
void pos_des_folds_avx512(const pos_des_lane *lanes, size_t count, uint8_t (*hex_out)[16]);

#endif
