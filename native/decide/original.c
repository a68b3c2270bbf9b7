/*
 * Originals: which posting a void, refund, completion or adjustment refers to, and whether it may.
 *
 *   named by            RRN (field 37): shard and sequence, so the posting at once
 *                       batch and STAN (field 61), of this terminal
 *                       authorisation code and card: pre-authorisations
 *   named by two        both must name the same
 *
 *   judged, in order    found 25 · kind, place, card, code, date 22 · standing 12 · amount 64
 */
#include "decide/case.h"

#include <assert.h>

#define NS_PER_DAY INT64_C(86400000000000)
#define RRN_SHARD_SIZE 2U
#define RRN_SIZE 12U

static bool is_blank(const char *text, size_t size)
{
    for (size_t index = 0; index < size; index++) {
        if (text[index] != ' ' && text[index] != 0) return false;
    }
    return true;
}

static bool is_zero(const char *text, size_t size)
{
    for (size_t index = 0; index < size; index++) {
        if (text[index] != '0') return false;
    }
    return true;
}

/* Twelve zeros are how a terminal says that it does not know the number. */
static bool names_rrn(const pos_request *request)
{
    return !is_blank(request->original_rrn, RRN_SIZE) && !is_zero(request->original_rrn, RRN_SIZE);
}

static const pos_posting *by_rrn(const pos_case *matter)
{
    const uint8_t *rrn = (const uint8_t *)matter->request->original_rrn;
    if (!pos_ascii_is_digits(rrn, RRN_SIZE)) return NULL;
    if (pos_ascii_number(rrn, RRN_SHARD_SIZE) != matter->policy->names.shard) return NULL;
    return pos_state_posting(matter->state,
                             pos_ascii_number(rrn + RRN_SHARD_SIZE, RRN_SIZE - RRN_SHARD_SIZE));
}

static bool stan_agrees(const pos_request *request, const pos_posting *posting)
{
    return (request->original_stan == 0 || request->original_stan == posting->stan)
           && (request->original_batch == 0 || request->original_batch == posting->batch);
}

/* The posting that field 37, or else field 61, names. */
static bool original_find(pos_case *matter)
{
    const pos_request *request = matter->request;
    const pos_posting *found = NULL;
    if (names_rrn(request)) {
        found = by_rrn(matter);
        if (found != NULL && !stan_agrees(request, found)) {
            return case_say(matter, POS_REASON_ORIGINAL_AMBIGUOUS);
        }
    } else if (request->original_stan != 0) {
        const uint32_t batch =
            request->original_batch != 0 ? request->original_batch : request->batch;
        found = pos_state_posting_by_stan(matter->state, matter->ours, batch,
                                          request->original_stan);
    }
    if (found == NULL) return case_say(matter, POS_REASON_ORIGINAL_ABSENT);
    matter->original = found;
    return true;
}

static bool is_of_merchant(const pos_case *matter, const pos_posting *posting)
{
    const pos_terminal_state *owner = pos_state_terminal_at(matter->state, posting->terminal);
    return pos_equal(owner->mid, matter->terminal->mid, sizeof(owner->mid));
}

static bool is_of_terminal(const pos_case *matter, const pos_posting *posting)
{
    return pos_state_terminal_at(matter->state, posting->terminal) == matter->ours;
}

/* A completion goes by its own code or by that of its pre-authorisation: slips show both. */
static bool auth_agrees(const pos_case *matter, const pos_posting *original)
{
    const char *theirs = matter->request->auth;
    if (is_blank(theirs, 6) || is_blank(original->auth, 6)) return true;
    if (pos_equal(theirs, original->auth, 6)) return true;
    const pos_posting *preauth =
        original->kind == POS_KIND_COMPLETION
            ? pos_state_posting(matter->state, original->original)
            : NULL;
    return preauth != NULL && pos_equal(theirs, preauth->auth, 6);
}

/* Card, code and date: compared where both sides have them. */
static bool original_is_same(pos_case *matter)
{
    const pos_request *request = matter->request;
    const pos_posting *original = matter->original;
    if ((request->flags & POS_FLAG_PAN) != 0 && (original->flags & POS_POSTING_PAN) != 0
        && !pos_equal(request->pan_token, original->pan_token, sizeof(request->pan_token))) {
        return case_say(matter, POS_REASON_ORIGINAL_CARD);
    }
    if (!auth_agrees(matter, original)) return case_say(matter, POS_REASON_ORIGINAL_AUTH);
    if (request->original_date != 0
        && !civil_is_near(original->at_ns, matter->policy->zone_offset_minute,
                          request->original_date)) {
        return case_say(matter, POS_REASON_ORIGINAL_DATE);
    }
    return true;
}

static bool original_stands(pos_case *matter)
{
    const pos_posting *original = matter->original;
    if ((original->flags & POS_POSTING_REVERSED) != 0) {
        return case_say(matter, POS_REASON_ORIGINAL_REVERSED);
    }
    if ((original->flags & POS_POSTING_VOIDED) != 0) {
        return case_say(matter, POS_REASON_ORIGINAL_VOIDED);
    }
    return true;
}

/* From here on the answer speaks of this original, and the totals of its side. */
static void original_take(pos_case *matter)
{
    assert(matter->original != NULL);
    matter->said->original = matter->original->sequence;
    matter->said->is_foreign = (matter->original->flags & POS_POSTING_FOREIGN) != 0;
}

static bool is_kind(const pos_posting *posting, unsigned first, unsigned second, unsigned third)
{
    return posting->kind == first || posting->kind == second || posting->kind == third;
}

/* A completion carries the code of its pre-authorisation, and often batch and STAN too. */
static bool preauth_find(pos_case *matter)
{
    const pos_request *request = matter->request;
    if (names_rrn(request)) return original_find(matter);
    if (!is_blank(request->auth, 6) && (request->flags & POS_FLAG_PAN) != 0) {
        matter->original = pos_state_preauth(matter->state, matter->terminal->mid,
                                             request->pan_token, request->auth);
    }
    if (matter->original == NULL) return original_find(matter);
    if (is_of_terminal(matter, matter->original) && !stan_agrees(request, matter->original)) {
        return case_say(matter, POS_REASON_ORIGINAL_AMBIGUOUS);
    }
    return true;
}

bool case_void_fits(pos_case *matter, unsigned kind_wanted, bool is_any_batch)
{
    const bool is_preauth = kind_wanted == POS_KIND_PREAUTH;
    if (!(is_preauth ? preauth_find(matter) : original_find(matter))) return false;
    const pos_posting *original = matter->original;
    if (original->kind != kind_wanted) return case_say(matter, POS_REASON_ORIGINAL_KIND);
    const bool is_placed =
        is_preauth ? is_of_merchant(matter, original) : is_of_terminal(matter, original);
    if (!is_placed) return case_say(matter, POS_REASON_ORIGINAL_PLACE);
    if (!original_is_same(matter)) return false;
    original_take(matter);
    if (!original_stands(matter)) return false;
    if (original->refunded_minor != 0) return case_say(matter, POS_REASON_ORIGINAL_REFUNDED);
    if (original->adjusted_minor != 0) return case_say(matter, POS_REASON_ORIGINAL_ADJUSTED);
    if (original->completed_by != 0) return case_say(matter, POS_REASON_ORIGINAL_COMPLETED);
    if (!is_any_batch && !pos_state_is_open(matter->ours, original)) {
        return case_say(matter, POS_REASON_ORIGINAL_CLOSED);
    }
    if (original->amount_minor != matter->request->amount_minor) {
        return case_say(matter, POS_REASON_ORIGINAL_AMOUNT);
    }
    return true;
}

static bool refund_names_none(const pos_request *request)
{
    return !names_rrn(request) && request->original_stan == 0;
}

bool case_refund_fits(pos_case *matter)
{
    const pos_request *request = matter->request;
    if (refund_names_none(request) && matter->policy->allows_refund_unreferenced) return true;
    if (!original_find(matter)) return false;
    const pos_posting *original = matter->original;
    const bool is_right = request->kind == POS_KIND_QR_REFUND
                              ? original->kind == POS_KIND_QR_SALE
                              : is_kind(original, POS_KIND_SALE, POS_KIND_COMPLETION,
                                        POS_KIND_COMPLETION_ADVICE)
                                    || is_kind(original, POS_KIND_OFFLINE_SALE, POS_KIND_EC_SALE,
                                               POS_KIND_EC_SALE);
    if (!is_right) return case_say(matter, POS_REASON_ORIGINAL_KIND);
    if (!is_of_merchant(matter, original)) return case_say(matter, POS_REASON_ORIGINAL_PLACE);
    if (!original_is_same(matter)) return false;
    original_take(matter);
    if (!original_stands(matter)) return false;
    const uint16_t days = matter->policy->refund_days;
    if (days != 0 && matter->now_ns - original->at_ns > (int64_t)days * NS_PER_DAY) {
        return case_say(matter, POS_REASON_REFUND_LATE);
    }
    const int64_t left =
        original->amount_minor + original->adjusted_minor - original->refunded_minor;
    if (request->amount_minor > left) return case_say(matter, POS_REASON_REFUND_EXCEEDS);
    return true;
}

bool case_completion_fits(pos_case *matter)
{
    if (!preauth_find(matter)) return false;
    const pos_posting *original = matter->original;
    if (original->kind != POS_KIND_PREAUTH) return case_say(matter, POS_REASON_ORIGINAL_KIND);
    if (!is_of_merchant(matter, original)) return case_say(matter, POS_REASON_ORIGINAL_PLACE);
    if (!original_is_same(matter)) return false;
    original_take(matter);
    if (!original_stands(matter)) return false;
    if (original->completed_by != 0) return case_say(matter, POS_REASON_ORIGINAL_COMPLETED);
    /* amount <= preauth × percent / 100, without rounding */
    if (matter->request->amount_minor * 100
        > original->amount_minor * matter->policy->completion_percent) {
        return case_say(matter, POS_REASON_COMPLETION_EXCEEDS);
    }
    return true;
}

bool case_adjust_fits(pos_case *matter)
{
    const pos_request *request = matter->request;
    if (!original_find(matter)) return false;
    const pos_posting *original = matter->original;
    if (!is_kind(original, POS_KIND_SALE, POS_KIND_OFFLINE_SALE, POS_KIND_SALE)) {
        return case_say(matter, POS_REASON_ORIGINAL_KIND);
    }
    if (!is_of_terminal(matter, original)) return case_say(matter, POS_REASON_ORIGINAL_PLACE);
    if (!original_is_same(matter)) return false;
    original_take(matter);
    if (!original_stands(matter)) return false;
    if (original->refunded_minor != 0) return case_say(matter, POS_REASON_ORIGINAL_REFUNDED);
    if (!pos_state_is_open(matter->ours, original)) {
        return case_say(matter, POS_REASON_ORIGINAL_CLOSED);
    }
    const int64_t before = original->amount_minor + original->adjusted_minor;
    const int64_t added =
        matter->policy->adjusts_to_total ? request->amount_minor - before : request->amount_minor;
    if (added <= 0) return case_say(matter, POS_REASON_AMOUNT_ABSENT);
    if ((original->adjusted_minor + added) * 100
        > original->amount_minor * matter->policy->adjust_percent_max) {
        return case_say(matter, POS_REASON_ADJUST_EXCEEDS);
    }
    matter->said->amount_minor = added;
    return true;
}

void case_note_original(pos_case *matter)
{
    const pos_request *request = matter->request;
    const pos_posting *found = NULL;
    if (names_rrn(request)) {
        found = by_rrn(matter);
    } else if (request->original_stan != 0) {
        found = pos_state_posting_by_stan(
            matter->state, matter->ours,
            request->original_batch != 0 ? request->original_batch : request->batch,
            request->original_stan);
    }
    if (found != NULL && is_of_merchant(matter, found)) matter->said->original = found->sequence;
}
