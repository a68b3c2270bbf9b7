/* Instants as a terminal's clock shows them: calendar.c. */
#ifndef POS_ENGINE_CALENDAR_H
#define POS_ENGINE_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

typedef struct calendar_instant {
    unsigned year, month, day; /* local */
    unsigned hour, minute, second;
    unsigned business_year, business_month, business_day;
} calendar_instant;

/* `cutover_minute`: of the local day at which the business date changes; 0: at midnight. */
calendar_instant calendar_of(int64_t utc_ns, int32_t zone_offset_minute, uint32_t cutover_minute);

#endif
