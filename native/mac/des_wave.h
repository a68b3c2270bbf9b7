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
    POS_DES_WAY_ALONE,  /* a message, or a few */
    POS_DES_WAY_NARROW, /* what a small wave is worth */
    POS_DES_WAY_WIDE,   /* as many as the vectors have bits */
    POS_DES_WAY_COUNT
} pos_des_way;

/* This processor's path has such a way. */
bool pos_des_has_way(pos_cpu_path path, pos_des_way way);

/* Jobs that one call takes: its lanes lie on the stack, about 75 KiB with all else. */
#define POS_DES_WAVE_MAX 1024
/* Those of `jobs` that `which` lists; their algorithms are the three of DES. Where it is NULL, all
 * `count` of them, which have one algorithm and keys of one size. */
void pos_des_wave_on(pos_cpu_path path, pos_des_way way, pos_mac_job *jobs, const uint16_t *which,
                     size_t count);

/* ---- passes: `count` lanes of one form; a MAC for each --------------------------------------------- */
/* Little-endian words, one a lane. */
typedef struct pos_des_words {
    const uint64_t *keys[2]; /* the halves; a single key has no second one */
    /* UnionPay ECB is a chain over two blocks, the hex of the fold: these. NULL for the chains over
     * messages, whose lanes come longest first. */
    const uint64_t *texts[2];
} pos_des_words;

/* `lanes` are read where there are no texts. */
#define POS_DES_FEW_MAX 4
void pos_des_few_avx512(pos_des_form form, const pos_des_words *words, const pos_des_lane *lanes,
                        size_t count, uint64_t *macs_out);
#define POS_DES_LANES_MAX 64
void pos_des_lanes_avx512(pos_des_form form, const pos_des_words *words,
                          const pos_des_lane *lanes, size_t count, uint64_t *macs_out);
#define POS_DES_SLICES_PORTABLE 128
void pos_des_slices_portable(pos_des_form form, const pos_des_words *words,
                             const pos_des_lane *lanes, size_t count, uint64_t *macs_out);
#define POS_DES_SLICES_AVX2 256
void pos_des_slices_avx2(pos_des_form form, const pos_des_words *words, const pos_des_lane *lanes,
                         size_t count, uint64_t *macs_out);
#define POS_DES_SLICES_AVX512 512
void pos_des_slices_avx512(pos_des_form form, const pos_des_words *words,
                           const pos_des_lane *lanes, size_t count, uint64_t *macs_out);

/* ---- jobs -> words: those that `order` lists; up to seven words more than `count` are written ------ */
/* XOR of all blocks as hex. */
void pos_des_folds_avx512(const pos_mac_job *jobs, const uint16_t *order, size_t count,
                          uint64_t *first_out, uint64_t *second_out);
/* The first 16 bytes of the keys, whatever their size. */
void pos_des_keys_avx512(const pos_mac_job *jobs, const uint16_t *order, size_t count,
                         uint64_t *first_out, uint64_t *second_out);

#endif
