/* What stands behind pos_mac_wave for one algorithm each, and the path to take as an argument. */
#ifndef POS_MAC_WAVE_H
#define POS_MAC_WAVE_H

#include "mac/mac.h"
#include "measure/measure.h"

/*
 * The jobs at `indexes` (all `count` of `jobs` in order, where it is NULL), whose algorithm and keys
 * must fit. Each job's `mac` is written whole: what is past the algorithm's size is zeros.
 */
void pos_cmac_wave_on(pos_cpu_path path, pos_mac_job *jobs, const uint16_t *indexes, size_t count);
void pos_hmac_wave_on(pos_cpu_path path, pos_mac_job *jobs, const uint16_t *indexes, size_t count);
/* sm4-unionpay and sm4-cbc, in any mixture. */
void pos_sm4_wave_on(pos_cpu_path path, pos_mac_job *jobs, const uint16_t *indexes, size_t count);

#endif
