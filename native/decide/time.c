/*
 * Civil dates without a C library: pure, and the same on every machine.
 * Source: the proleptic Gregorian calendar counted in 400-year eras from 1 March (H. Hinnant,
 * "chrono-compatible low-level date algorithms").
 */
#include "decide/case.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MINUTE (INT64_C(60) * NS_PER_SECOND)
#define NS_PER_DAY (INT64_C(86400) * NS_PER_SECOND)
#define HALF_YEAR_NS (INT64_C(182) * NS_PER_DAY) /* of the shortest year, less a little */

static int64_t floored(int64_t value, int64_t divisor)
{
    const int64_t quotient = value / divisor;
    return value % divisor < 0 ? quotient - 1 : quotient;
}

/* Years are after Christ: nanoseconds in 64 bits reach from 1677 to 2262. */
static bool is_leap(uint32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days since 1970-01-01 of 1 January. */
static int64_t year_begins(uint32_t year)
{
    const uint32_t before = year - 1;
    return (int64_t)(before * 365 + before / 4 - before / 100 + before / 400) - 719162;
}

/* Day number of `month` and `day` in `year`; false where that year has no such day: 0231, or 0229 in a
 * common year. */
static bool day_of(uint32_t year, uint32_t month, uint32_t day, int64_t *number_out)
{
    static const uint16_t days_before[14] = {0,   0,   31,  59,  90,  120, 151,
                                             181, 212, 243, 273, 304, 334, 365};
    if (month < 1 || month > 12 || day < 1) return false;
    const bool has_29 = is_leap(year);
    const uint32_t length =
        (uint32_t)(days_before[month + 1] - days_before[month]) + (month == 2 && has_29 ? 1U : 0U);
    if (day > length) return false;
    *number_out = year_begins(year) + days_before[month] + (month > 2 && has_29 ? 1 : 0)
                  + (int64_t)day - 1;
    return true;
}

static void date_of(int64_t number, uint32_t *year_out, uint32_t *month_out, uint32_t *day_out)
{
    const uint32_t shifted = (uint32_t)(number + 719468); /* from 1 March of year 0 on */
    const uint32_t era = shifted / 146097;
    const uint32_t day_of_era = shifted - era * 146097;
    const uint32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const uint32_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const uint32_t month_from_march = (5 * day_of_year + 2) / 153;
    *day_out = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    *month_out = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    *year_out = year_of_era + era * 400 + (*month_out <= 2 ? 1 : 0);
}

static int64_t local_ns(int64_t at_ns, int32_t zone_offset_minute)
{
    return at_ns + zone_offset_minute * NS_PER_MINUTE;
}

int64_t civil_day(int64_t at_ns, int32_t zone_offset_minute)
{
    return floored(local_ns(at_ns, zone_offset_minute), NS_PER_DAY);
}

uint32_t civil_minute(int64_t at_ns, int32_t zone_offset_minute)
{
    const int64_t local = local_ns(at_ns, zone_offset_minute);
    return (uint32_t)((local - floored(local, NS_PER_DAY) * NS_PER_DAY) / NS_PER_MINUTE);
}

bool civil_is_near(int64_t at_ns, int32_t zone_offset_minute, uint32_t month_day)
{
    const int64_t today = civil_day(at_ns, zone_offset_minute);
    for (int64_t day = today - 1; day <= today + 1; day++) {
        uint32_t year = 0;
        uint32_t month = 0;
        uint32_t day_of_month = 0;
        date_of(day, &year, &month, &day_of_month);
        if (month * 100 + day_of_month == month_day) return true;
    }
    return false;
}

static int64_t distance(int64_t left, int64_t right)
{
    return left < right ? right - left : left - right;
}

int64_t civil_stamp(uint32_t month_day, uint32_t hour_minute_second, int32_t zone_offset_minute,
                    int64_t now_ns)
{
    const uint32_t hour = hour_minute_second / 10000;
    const uint32_t minute = hour_minute_second / 100 % 100;
    const uint32_t second = hour_minute_second % 100;
    if (hour > 23 || minute > 59 || second > 59 || month_day == 0) return 0;

    const int64_t today = civil_day(now_ns, zone_offset_minute);
    const int64_t of_day = (int64_t)hour * 3600 + (int64_t)minute * 60 + (int64_t)second
                           - (int64_t)zone_offset_minute * 60;
    const uint32_t month = month_day / 100;
    const uint32_t day = month_day % 100;
    int64_t number = 0;
    /* A stamp less than half a year away is the nearest there is, of whatever year: most messages end
     * here. So the year may be a guess, by the mean length of four; it is right from 1970 to 2099. */
    if (day_of((uint32_t)(1970 + (4 * today + 2) / 1461), month, day, &number)) {
        const int64_t stamp = (number * 86400 + of_day) * NS_PER_SECOND;
        if (distance(stamp, now_ns) < HALF_YEAR_NS) return stamp;
    }
    uint32_t year = 0;
    uint32_t month_now = 0;
    uint32_t day_now = 0;
    date_of(today, &year, &month_now, &day_now);
    int64_t nearest = 0;
    for (uint32_t tried = year - 1; tried <= year + 1; tried++) {
        if (!day_of(tried, month, day, &number)) continue;
        const int64_t stamp = (number * 86400 + of_day) * NS_PER_SECOND;
        if (nearest == 0 || distance(stamp, now_ns) < distance(nearest, now_ns)) nearest = stamp;
    }
    return nearest;
}
