/*
 * A latency histogram with known error: 64 linear buckets an octave.
 *
 *   value < 64        bucket = value
 *   64 .. 2^40        bucket = 64 * (octave - 5) + the next six bits below the leading one
 */
#include "measure/measure.h"

#include <assert.h>

#define LINEAR_BITS 6
#define VALUE_MAX ((UINT64_C(1) << 40) - 1)

static unsigned bucket_of(uint64_t value)
{
    if (value < (1U << LINEAR_BITS)) return (unsigned)value;
    const unsigned octave = 63U - (unsigned)__builtin_clzll(value);
    const unsigned low = (unsigned)(value >> (octave - LINEAR_BITS)) & ((1U << LINEAR_BITS) - 1U);
    return ((octave - LINEAR_BITS + 1U) << LINEAR_BITS) + low;
}

static uint64_t value_of(unsigned bucket)
{
    if (bucket < (1U << LINEAR_BITS)) return bucket;
    const unsigned octave = (bucket >> LINEAR_BITS) + LINEAR_BITS - 1U;
    const uint64_t low = bucket & ((1U << LINEAR_BITS) - 1U);
    const uint64_t step = UINT64_C(1) << (octave - LINEAR_BITS);
    return ((UINT64_C(1) << LINEAR_BITS) + low) * step + step - 1; /* the bucket's upper bound */
}

void pos_histogram_record(pos_histogram *histogram, uint64_t value)
{
    assert(histogram != NULL);
    if (value > VALUE_MAX) value = VALUE_MAX;
    const unsigned bucket = bucket_of(value);
    assert(bucket < POS_HISTOGRAM_BUCKETS);
    histogram->buckets[bucket]++;
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->value_max) histogram->value_max = value;
}

void pos_histogram_add(pos_histogram *histogram, const pos_histogram *other)
{
    for (unsigned bucket = 0; bucket < POS_HISTOGRAM_BUCKETS; bucket++) {
        histogram->buckets[bucket] += other->buckets[bucket];
    }
    histogram->count += other->count;
    histogram->sum += other->sum;
    if (other->value_max > histogram->value_max) histogram->value_max = other->value_max;
}

uint64_t pos_histogram_percentile(const pos_histogram *histogram, double percent)
{
    assert(percent >= 0 && percent <= 100);
    if (histogram->count == 0) return 0;
    const double wanted = (double)histogram->count * percent / 100.0;
    uint64_t seen = 0;
    for (unsigned bucket = 0; bucket < POS_HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen > 0 && (double)seen >= wanted) {
            const uint64_t bound = value_of(bucket);
            return bound < histogram->value_max ? bound : histogram->value_max;
        }
    }
    return histogram->value_max;
}
