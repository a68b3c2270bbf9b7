/*
 * Why an entry was decided so: the list is reason.def, and every entry carries its number.
 */
#ifndef POSENGINE_DECIDE_H
#define POSENGINE_DECIDE_H

#include "posengine/journal.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pos_reason {
#define POS_REASON(name, outcome, response, text) POS_REASON_##name,
#include "posengine/reason.def"
#undef POS_REASON
    POS_REASON_COUNT
} pos_reason;

/* Static strings, never NULL: "BATCH_DIFFERS", "the batch is not the open one", "77". */
POS_API const char *pos_reason_name(unsigned reason);
POS_API const char *pos_reason_text(unsigned reason);
POS_API const char *pos_reason_response(unsigned reason);

/*
 * What a batch upload found, one a record: in the entry's request slice as field 0 (see
 * native/decide/batch.c), by sequence and STAN, never by card.
 */
typedef enum pos_finding_verdict {
    POS_FINDING_MATCHED = 1,     /* as we have it */
    POS_FINDING_MISSING_OURS,    /* the terminal has it, we do not */
    POS_FINDING_MISSING_THEIRS,  /* we have it, the terminal did not upload it */
    POS_FINDING_AMOUNT,          /* amounts differ */
    POS_FINDING_CARD,            /* cards differ */
    POS_FINDING_TWICE            /* uploaded before */
} pos_finding_verdict;

#ifdef __cplusplus
}
#endif
#endif
