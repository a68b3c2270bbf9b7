/*
 * Instants as a terminal's clock shows them. Local time is UTC plus a fixed offset (China has one
 * zone and no summer time); the business date changes at the cutover minute of the local day.
 */
#include "engine/calendar.h"

#include <assert.h>

#define SECOND_NS INT64_C(1000000000)
#define DAY_S INT64_C(86400)
#define NOON_MINUTE 720U

/* Days since 1970-01-01 to a date of the Gregorian calendar.
 * Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days. */
static void date_of(int64_t days, unsigned *year_out, unsigned *month_out, unsigned *day_out)
{
    const int64_t shifted = days + 719468;
    const int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    const unsigned day_of_era = (unsigned)(shifted - era * 146097);
    const unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const unsigned day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const unsigned shifted_month = (5 * day_of_year + 2) / 153;
    *day_out = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    *month_out = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    *year_out = (unsigned)(era * 400 + year_of_era + (*month_out <= 2 ? 1 : 0));
}

calendar_instant calendar_of(int64_t utc_ns, int32_t zone_offset_minute, uint32_t cutover_minute)
{
    assert(utc_ns >= 0);
    assert(cutover_minute < 1440);
    const int64_t local_s = utc_ns / SECOND_NS + (int64_t)zone_offset_minute * 60;
    const int64_t days = local_s / DAY_S;
    const unsigned second_of_day = (unsigned)(local_s - days * DAY_S);
    calendar_instant instant = {
        .hour = second_of_day / 3600,
        .minute = second_of_day / 60 % 60,
        .second = second_of_day % 60,
    };
    date_of(days, &instant.year, &instant.month, &instant.day);
    /* A cutover in the morning ends yesterday's date, one in the evening begins tomorrow's: as the
     * journal dates its pages. */
    const bool is_past = second_of_day / 60 >= cutover_minute;
    const int shift = cutover_minute < NOON_MINUTE ? (is_past ? 0 : -1) : (is_past ? 1 : 0);
    date_of(days + shift, &instant.business_year, &instant.business_month,
            &instant.business_day);
    return instant;
}
