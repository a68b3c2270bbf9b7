/* The two clocks: wall time for stamps, monotonic time for durations and time-outs. */
#include "measure/measure.h"

#include <time.h>

static int64_t nanoseconds_of(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t pos_clock_utc_ns(void)
{
    return nanoseconds_of(CLOCK_REALTIME);
}

int64_t pos_clock_monotonic_ns(void)
{
    return nanoseconds_of(CLOCK_MONOTONIC);
}

void pos_clock_rest(int64_t rest_ns)
{
    const struct timespec rest = {.tv_sec = rest_ns / 1000000000, .tv_nsec = rest_ns % 1000000000};
    (void)nanosleep(&rest, NULL);
}
