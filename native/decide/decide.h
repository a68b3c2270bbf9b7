/*
 * Decide is pure: (request, terminal, state, policy, now) gives a decision. No clock, disk, socket
 * or chance inside; the same arguments give the same decision, on any machine, in any year.
 *
 *   decide.c      the order of all questions              guard.c     terminal, session, batch
 *   duplicate.c   is this a repeat, and of what           limits.c    amounts, cards, PINs, modes
 *   original.c    voids, refunds, completions             reverse.c   reversals
 *   batch.c       settlement and uploads                  policy.c    the rules as data
 *   entry.c       a decision as an entry                  reason.c    why, in words
 */
#ifndef POS_DECIDE_H
#define POS_DECIDE_H

#include "message/message.h"
#include "posengine/decide.h"
#include "roster/roster.h"
#include "state/state.h"

/* ---- policy: compiled from TOML by posengine.roster.policy ----------------------------------- */
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

/* ---- decisions ------------------------------------------------------------------------------- */
/* One difference or agreement of a batch upload. */
typedef struct pos_finding {
    uint8_t verdict;        /* pos_finding_verdict */
    uint32_t stan;
    uint64_t sequence;      /* ours; 0 where we have none */
    int64_t theirs_minor;   /* 0 where they have none */
    int64_t ours_minor;
} pos_finding;

#define POS_FINDING_MAX 32 /* of an end message: the counts are whole, the list may be cut */

typedef struct pos_decision {
    uint8_t outcome;     /* pos_outcome */
    uint8_t reason;      /* pos_reason, posengine/decide.h */
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
    int64_t terminal_at_ns; /* what the terminal's clock said, nearest year; 0 where silent */
    bool is_alarm;          /* worth an ALARM entry and a log line: REPEAT_DIFFERS, LATE_ORIGINAL,
                               and uploads that end with differences */
    bool has_findings;      /* BATCH_*: what the upload found, whole in the counts */
    uint32_t records;       /* of this message; of an end message: of the whole upload */
    uint32_t claimed;       /* BATCH_END: records that the terminal says it uploaded */
    uint32_t matched;
    uint32_t missing_ours;
    uint32_t missing_theirs;
    uint32_t differing;
    uint8_t finding_count; /* of `findings`, which are not zeroed past it */
    pos_finding findings[POS_FINDING_MAX];
} pos_decision;

/*
 * Never fails: whatever is asked, something is said. Of one reason, FULL, no entry need be made:
 * the answer (96) may leave unjournalled and counted; an entry of it leaves no trace in the state.
 * `terminal` NULL: nobody of that TID is known.
 */
void pos_decide(const pos_request *request, const pos_terminal *terminal, const pos_state *state,
                const pos_policy *policy, int64_t now_ns, pos_decision *decision_out);
/* The same for whoever has looked the terminal up already: `ours` as pos_state_terminal gives it for
 * the request's TID and MID in this very state, NULL where it gives NULL. */
void pos_decide_for(const pos_request *request, const pos_terminal *terminal,
                    const pos_terminal_state *ours, const pos_state *state,
                    const pos_policy *policy, int64_t now_ns, pos_decision *decision_out);

/*
 * The entry that records a decision: every fact decide used and what it said. `sequence`, the RRN
 * and the two heap slices are the caller's to set.
 *
 * After pos_request_redact the caller appends the findings to the same writer: record 0 of the
 * entry's request slice, which the state folds. They hold sequences, STANs and amounts, no card.
 *
 *     pos_request_redact(spec, rule, message, &writer);
 *     pos_decide_findings(&decision, &writer);      nothing where there are none
 */
void pos_decide_findings(const pos_decision *decision, pos_writer *writer);
void pos_decide_entry(const pos_request *request, const pos_decision *decision, int64_t now_ns,
                      pos_entry *entry_out);

#endif
