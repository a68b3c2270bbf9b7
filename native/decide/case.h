/*
 * One case: what is asked, what is known, what is said. The files of this room share it; no other
 * room includes it.
 *
 *   a question answers true to go on; false says that it has spoken (case_say): the case is closed
 */
#ifndef POS_DECIDE_CASE_H
#define POS_DECIDE_CASE_H

#include "decide/decide.h"

/* ---- policy (policy.c) ----------------------------------------------------------------------- */
typedef enum bin_standing { BIN_GOOD, BIN_BLOCKED, BIN_LOST, BIN_STOLEN, BIN_TEST } bin_standing;
typedef enum bin_unknown {
    BIN_UNKNOWN_DOMESTIC,
    BIN_UNKNOWN_FOREIGN,
    BIN_UNKNOWN_REFUSED
} bin_unknown;

typedef struct bin_range {
    uint32_t first; /* six digits */
    uint32_t last;
    uint64_t kind_mask;
    bool is_foreign;
    uint8_t standing; /* bin_standing */
} bin_range;

typedef struct kind_rule {
    bool is_offered;
    int64_t amount_minor_min;
    int64_t amount_minor_max; /* 0: none */
    int64_t floor_minor;      /* 0: none */
    int64_t pin_above_minor;  /* -1: never */
} kind_rule;

#define POLICY_KINDS_MAX 64
#define POLICY_ENDINGS 100

struct pos_policy {
    uint8_t digest[16];
    pos_policy_names names;
    uint8_t requirement;
    uint8_t requirement_sign_on;
    bool allows_fallback;
    bool allows_refund_unreferenced;
    bool adjusts_to_total;
    uint8_t unknown_card; /* bin_unknown */
    bool unseen_is_25;
    int32_t zone_offset_minute;
    uint32_t clock_skew_s_max; /* 0: not looked at */
    uint16_t completion_percent;
    uint16_t refund_days; /* 0: any */
    uint16_t adjust_percent_max;
    uint16_t cutover_minute;
    uint16_t cutover_length_minute; /* 0: none */
    uint16_t card_uses_max;         /* 0: not counted */
    uint32_t batch_first;
    int64_t balance_minor;
    uint64_t entry_modes[2];
    uint64_t certification_kinds;
    kind_rule kinds[POLICY_KINDS_MAX];
    char certification[POLICY_ENDINGS][2]; /* by the amount's last two digits; blank: none */
    uint32_t range_count;
    bin_range ranges[]; /* ascending, apart from each other */
};

/* NULL where no range has it. */
const bin_range *policy_range(const pos_policy *policy, uint32_t bin);

/* ---- the case (decide.c) --------------------------------------------------------------------- */
typedef struct pos_case {
    const pos_request *request;
    const pos_terminal *terminal;
    const pos_state *state;
    const pos_policy *policy;
    const pos_terminal_state *ours; /* NULL before the terminal's first entry */
    int64_t now_ns;
    const pos_posting *original; /* found and fit, where the kind has one */
    const bin_range *range;      /* the card's, by case_card_class; NULL where no range has it */
    pos_decision *said;
} pos_case;

/* Closes the case with a reason and the outcome and response that it has. False, to be returned. */
bool case_say(pos_case *matter, pos_reason reason);
/* The same with another response than the reason's. */
bool case_say_response(pos_case *matter, pos_reason reason, const char response[2]);

/* ---- questions ------------------------------------------------------------------------------- */
bool case_is_known(pos_case *matter);      /* guard.c: terminal and merchant */
bool case_is_new(pos_case *matter);        /* duplicate.c */
bool case_has_room(pos_case *matter);      /* guard.c: whatever is said can be remembered */
bool case_is_in_time(pos_case *matter);    /* duplicate.c: its reversal did not come first */
bool case_is_admitted(pos_case *matter);   /* guard.c: active, kinds, cutover */
bool case_is_in_session(pos_case *matter); /* guard.c: signed on, in the open batch */
bool case_amount_fits(pos_case *matter);   /* limits.c */
bool case_floor_fits(pos_case *matter);    /* limits.c: offline kinds */
bool case_card_is_named(pos_case *matter); /* limits.c: a card number or QR code, well-formed */
void case_card_class(pos_case *matter);    /* limits.c: range, domestic or foreign; judges nothing */
bool case_card_fits(pos_case *matter);     /* limits.c: range, expiry, way of reading, uses */
bool case_pin_fits(pos_case *matter);      /* limits.c */
bool case_is_uncertified(pos_case *matter); /* limits.c: no certification answer is asked for */

/* ---- originals: each finds and judges matter->original --------------------------------------- */
bool case_void_fits(pos_case *matter, unsigned kind_wanted, bool is_any_batch);
bool case_refund_fits(pos_case *matter);
bool case_completion_fits(pos_case *matter);
bool case_adjust_fits(pos_case *matter);
void case_note_original(pos_case *matter); /* names it where it is found; judges nothing */

/* ---- whole kinds ----------------------------------------------------------------------------- */
void case_reverse(pos_case *matter); /* reverse.c */
void case_settle(pos_case *matter);  /* batch.c */
void case_upload(pos_case *matter);
void case_upload_end(pos_case *matter);

/* ---- time.c: civil dates at the policy's offset ---------------------------------------------- */
/* Day number since 1970-01-01 of local time. */
int64_t civil_day(int64_t at_ns, int32_t zone_offset_minute);
uint32_t civil_minute(int64_t at_ns, int32_t zone_offset_minute); /* of the day */
/* True where MMDD is the local date of `at_ns`, the day before it or the day after it. */
bool civil_is_near(int64_t at_ns, int32_t zone_offset_minute, uint32_t month_day);
/* UTC of local MMDD and hhmmss in the year nearest to `now_ns`; 0 where they are no date. */
int64_t civil_stamp(uint32_t month_day, uint32_t hour_minute_second, int32_t zone_offset_minute,
                    int64_t now_ns);

#endif
