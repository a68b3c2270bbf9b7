/* Names, texts and owners of every status, read from the one list. */
#include "status/status.h"

static const struct {
    const char *name;
    const char *text;
    pos_whose whose;
} STATUSES[POS_STATUS_COUNT] = {
#define POS_STATUS(name_, whose_, text_) {#name_, text_, POS_##whose_},
#include "posengine/status.def"
#undef POS_STATUS
};

static bool is_known(pos_status status)
{
    return (unsigned)status < (unsigned)POS_STATUS_COUNT;
}

const char *pos_status_name(pos_status status)
{
    return is_known(status) ? STATUSES[status].name : "UNKNOWN";
}

const char *pos_status_text(pos_status status)
{
    return is_known(status) ? STATUSES[status].text : "unknown status";
}

pos_whose pos_status_whose(pos_status status)
{
    return is_known(status) ? STATUSES[status].whose : POS_US;
}

const char *pos_version(void)
{
    return "0.1.0";
}
