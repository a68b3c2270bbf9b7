/* Measuring: clocks, latency histograms with known error, and which processor this is. */
#ifndef POSENGINE_MEASURE_H
#define POSENGINE_MEASURE_H

#include "posengine/status.h"

#ifdef __cplusplus
extern "C" {
#endif

POS_API int64_t pos_clock_utc_ns(void);       /* CLOCK_REALTIME: stamps */
POS_API int64_t pos_clock_monotonic_ns(void); /* CLOCK_MONOTONIC: durations and time-outs */

/* Values 0 to 2^40, relative error at most 1/64; 2,304 buckets; may be added to one another. */
#define POS_HISTOGRAM_BUCKETS 2304
typedef struct pos_histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t value_max;
    uint64_t buckets[POS_HISTOGRAM_BUCKETS];
} pos_histogram;

POS_API void pos_histogram_record(pos_histogram *histogram, uint64_t value);
POS_API void pos_histogram_add(pos_histogram *histogram, const pos_histogram *other);
/* The smallest recorded-bucket bound that `percent` (0 to 100) of all values do not exceed. */
POS_API uint64_t pos_histogram_percentile(const pos_histogram *histogram, double percent);

/* ---- the processor --------------------------------------------------------------------------- */
/* A ladder: each path has what those below it have (cpu.c tells what). */
typedef enum pos_cpu_path {
    POS_CPU_PORTABLE,
    POS_CPU_SSE42,
    POS_CPU_AVX2,
    POS_CPU_AVX512,
    POS_CPU_PATH_COUNT
} pos_cpu_path;

/* The best that processor and system have. */
POS_API pos_cpu_path pos_cpu_path_best(void);
/* What this process uses: the best, or the lower one that POSENGINE_CPU named when it was first asked. */
POS_API pos_cpu_path pos_cpu_path_now(void);
/* False where POSENGINE_CPU names no path, or one above the best: then the best is used, and whoever
 * starts an engine must not pass over it. Not set, or empty, is met. */
POS_API bool pos_cpu_asked_is_met(void);
POS_API const char *pos_cpu_path_name(pos_cpu_path path); /* "portable", "sse42", "avx2", "avx512" */
/* False where there is no such path. */
POS_API bool pos_cpu_path_of(const char *name, pos_cpu_path *path_out);
/* SHA-NI, which stands beside the ladder; false where the path is portable. */
POS_API bool pos_cpu_has_sha(void);

#ifdef __cplusplus
}
#endif
#endif
