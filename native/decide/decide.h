/*
 * Decide is pure: (request, terminal, state, policy, now) gives a decision. No clock, disk, socket
 * or chance inside; the same arguments give the same decision, on any machine, in any year.
 *
 *   duplicate.c   is this a repeat, and of what           limits.c      amounts, floors, counts, BINs
 *   original.c    voids, refunds, completions, reversals  batch.c       totals, settle, uploads
 *   guard.c       terminal and merchant state, PAN        policy.c      the rules as data
 */
#ifndef POS_DECIDE_H
#define POS_DECIDE_H

#include "message/message.h"
#include "roster/roster.h"
#include "state/state.h"

/* ---- policy: compiled from TOML by posengine.roster.policy ----------------------------------------- */
typedef struct pos_policy pos_policy;
/* Fails: IMAGE_FORM, IMAGE_LIMIT, MEMORY. */
pos_status pos_policy_open(const uint8_t *image, size_t size, pos_policy **policy_out);
void pos_policy_close(pos_policy *policy);
void pos_policy_digest(const pos_policy *policy, uint8_t digest_out[16]);
/* What answers need of the policy: the acquirer's id (field 32), the names for 44 and 63. */
typedef struct pos_policy_names {
    char acquirer[12];     /* digits, NUL-terminated */
    char institutions[26]; /* field 44: issuer 11 and acquirer 11, NUL-terminated */
    char organization[4];  /* 63.1: "CUP" */
    uint8_t shard;         /* two digits at the head of every RRN, 0 to 99 */
} pos_policy_names;
const pos_policy_names *pos_policy_names_of(const pos_policy *policy);

/* Why, in words, for logs and `explain`: REASON(name, text). */
typedef enum pos_reason {
#define POS_REASON(name, text) POS_REASON_##name,
#include "decide/reason.def"
#undef POS_REASON
    POS_REASON_COUNT
} pos_reason;
const char *pos_reason_text(pos_reason reason);

typedef struct pos_decision {
    uint8_t outcome;     /* pos_outcome */
    uint8_t reason;      /* pos_reason */
    uint8_t requirement; /* processing requirement: a nibble */
    char response[2];    /* "00"; of a repeat: what the original said */
    char auth[6];        /* authorisation code, blanks where none */
    uint64_t original;   /* sequence referred to: repeat, void, refund, completion, reversal */
    uint32_t batch;      /* of the entry: the request's, or the new one at sign-on */
    uint32_t flags;      /* to be added to the request's */
    int64_t amount_minor;  /* approved */
    int64_t balance_minor; /* BALANCE only */
    bool makes_keys;       /* SIGN_ON approved: new working keys are to be made and sent */
    bool answers_stored;   /* REPEAT: the answer is the template of `original` */
    bool is_foreign;       /* card class for the totals */
    uint8_t result_domestic; /* SETTLE: 1 balanced, 2 not, 3 error */
    uint8_t result_foreign;
    pos_totals totals;     /* SETTLE: ours, returned in 48 */
    uint16_t download;     /* DOWNLOAD*: the network code whose records are wanted */
} pos_decision;

void pos_decide(const pos_request *request, const pos_terminal *terminal, const pos_state *state,
                const pos_policy *policy, int64_t now_ns, pos_decision *decision_out);

/*
 * The entry that records a decision: every fact decide used and what it said. `sequence`, the RRN
 * and the two heap slices are the caller's to set.
 */
void pos_decide_entry(const pos_request *request, const pos_decision *decision, int64_t now_ns,
                      pos_entry *entry_out);

#endif
