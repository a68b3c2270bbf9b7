/* Why a decision came out as it did, in words: the list is posengine/reason.def. */
#include "posengine/decide.h"

typedef struct reason_words {
    const char *name;
    const char *text;
    const char *response;
} reason_words;

static const reason_words words[POS_REASON_COUNT] = {
#define POS_REASON(name, outcome, response, text) {#name, text, response},
#include "posengine/reason.def"
#undef POS_REASON
};

const char *pos_reason_name(unsigned reason)
{
    return reason < POS_REASON_COUNT ? words[reason].name : "UNKNOWN";
}

const char *pos_reason_text(unsigned reason)
{
    return reason < POS_REASON_COUNT ? words[reason].text : "an unknown reason";
}

const char *pos_reason_response(unsigned reason)
{
    return reason < POS_REASON_COUNT ? words[reason].response : "  ";
}
