/* Measuring: clocks, counters by name, and latency histograms with known error. */
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

#ifdef __cplusplus
}
#endif
#endif
