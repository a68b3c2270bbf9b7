/* Names of the kinds of entries, read from the one list. */
#include "posengine/journal.h"

static const struct {
    const char *name;
    const char *english;
    const char *chinese;
    int sign;
} KINDS[POS_KIND_COUNT] = {
#define POS_KIND(name_, sign_, english_, chinese_) {#name_, english_, chinese_, sign_},
#include "posengine/kind.def"
#undef POS_KIND
};

static unsigned known(unsigned kind)
{
    return kind < (unsigned)POS_KIND_COUNT ? kind : (unsigned)POS_KIND_UNKNOWN;
}

const char *pos_kind_name(unsigned kind)
{
    return KINDS[known(kind)].name;
}

const char *pos_kind_english(unsigned kind)
{
    return KINDS[known(kind)].english;
}

const char *pos_kind_chinese(unsigned kind)
{
    return KINDS[known(kind)].chinese;
}

int pos_kind_sign(unsigned kind)
{
    return KINDS[known(kind)].sign;
}
