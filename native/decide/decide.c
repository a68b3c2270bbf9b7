/*
 * The order of all questions. A question that says no has spoken; the rest is not asked.
 *
 *   known? ─▶ new? ─▶ room? ─▶ in time? ─▶ admitted? ─▶ by kind:
 *     97 03     repeat  96       12           58 40 90
 *               or 94
 *
 *   sign-on, sign-off, echo, downloads, notices       need no session
 *   reversal, settlement, upload                      name their batch themselves
 *   everything that moves money, balance              session ─▶ amount ─▶ card, PIN or original
 *
 * The authorisation code is made of the entry's sequence to be: the state's last and one.
 */
#include "decide/case.h"

#include <assert.h>
#include <stddef.h>

static const uint8_t outcomes[POS_REASON_COUNT] = {
#define POS_REASON(name, outcome, response, text) POS_OUTCOME_##outcome,
#include "posengine/reason.def"
#undef POS_REASON
};

bool case_say_response(pos_case *matter, pos_reason reason, const char response[2])
{
    assert(reason < POS_REASON_COUNT);
    assert(matter->said->outcome == POS_OUTCOME_NONE); /* a case closes once */
    matter->said->outcome = outcomes[reason];
    matter->said->reason = (uint8_t)reason;
    pos_copy(matter->said->response, response, 2);
    return false;
}

bool case_say(pos_case *matter, pos_reason reason)
{
    return case_say_response(matter, reason, pos_reason_response(reason));
}

/* ---- sign-on --------------------------------------------------------------------------------- */
/* 001 single-length, 003 and 004 double-length, 005 and 006 SM4 working keys. */
static bool key_carries(const pos_key *tmk, uint16_t network)
{
    if (tmk->size == 0) return false;
    switch (network) {
    case 1: return tmk->cipher != POS_CIPHER_SM4;
    case 3:
    case 4:
        return tmk->cipher == POS_CIPHER_AES
               || (tmk->cipher == POS_CIPHER_DES && tmk->size >= 16);
    case 5:
    case 6: return tmk->cipher == POS_CIPHER_SM4;
    default: return true;
    }
}

static void sign_on(pos_case *matter)
{
    pos_decision *said = matter->said;
    if (!key_carries(&matter->terminal->tmk, matter->request->network)) {
        (void)case_say(matter, POS_REASON_KEY_FORM);
        return;
    }
    said->makes_keys = true;
    said->flags |= POS_FLAG_KEYS_MADE;
    if (matter->ours != NULL && matter->ours->batch != 0) {
        said->batch = matter->ours->batch;
        (void)case_say(matter, POS_REASON_BATCH_KEPT);
        return;
    }
    const uint32_t closed = matter->ours != NULL ? matter->ours->batch_closed : 0;
    said->batch = closed == 0 ? matter->policy->batch_first : closed % 999999U + 1U;
    said->flags |= POS_FLAG_BATCH_OPENED;
    (void)case_say(matter, POS_REASON_BATCH_OPENED);
}

/* ---- money ----------------------------------------------------------------------------------- */
static bool is_paid_for(pos_case *matter)
{
    return case_amount_fits(matter) && case_card_fits(matter) && case_pin_fits(matter)
           && case_is_uncertified(matter);
}

static bool money_fits(pos_case *matter)
{
    switch (matter->request->kind) {
    case POS_KIND_SALE:
    case POS_KIND_QR_SALE:
    case POS_KIND_PREAUTH:
    case POS_KIND_EC_LOAD:
    case POS_KIND_EC_CASH_LOAD:
        return is_paid_for(matter);
    case POS_KIND_OFFLINE_SALE:
    case POS_KIND_EC_SALE:
        /* The terminal has already let the customer go: only what it must have known is judged. */
        return case_amount_fits(matter) && case_floor_fits(matter) && case_card_is_named(matter);
    case POS_KIND_SALE_VOID:
        return case_amount_fits(matter) && case_void_fits(matter, POS_KIND_SALE, false);
    case POS_KIND_QR_VOID:
        return case_amount_fits(matter) && case_void_fits(matter, POS_KIND_QR_SALE, false);
    case POS_KIND_PREAUTH_VOID:
        return case_amount_fits(matter) && case_void_fits(matter, POS_KIND_PREAUTH, true);
    case POS_KIND_COMPLETION_VOID:
        return case_amount_fits(matter) && case_void_fits(matter, POS_KIND_COMPLETION, false);
    case POS_KIND_EC_CASH_LOAD_VOID:
        return case_amount_fits(matter) && case_void_fits(matter, POS_KIND_EC_CASH_LOAD, false);
    case POS_KIND_REFUND:
    case POS_KIND_QR_REFUND:
        return case_amount_fits(matter) && case_refund_fits(matter);
    case POS_KIND_COMPLETION:
        return case_amount_fits(matter) && case_completion_fits(matter)
               && case_is_uncertified(matter);
    case POS_KIND_COMPLETION_ADVICE:
        return case_amount_fits(matter) && case_completion_fits(matter);
    case POS_KIND_ADJUST:
    case POS_KIND_TIP_ADJUST:
        return case_amount_fits(matter) && case_adjust_fits(matter);
    default:
        return case_say(matter, POS_REASON_KIND_UNDECIDED);
    }
}

static bool makes_auth(unsigned kind)
{
    return kind == POS_KIND_SALE || kind == POS_KIND_QR_SALE || kind == POS_KIND_PREAUTH
           || kind == POS_KIND_COMPLETION || kind == POS_KIND_EC_LOAD
           || kind == POS_KIND_EC_CASH_LOAD;
}

static void money(pos_case *matter)
{
    pos_decision *said = matter->said;
    case_card_class(matter);
    if (!case_is_in_session(matter) || !money_fits(matter)) return;
    if (makes_auth(matter->request->kind)) {
        const uint64_t sequence = pos_state_sequence(matter->state) + 1;
        pos_ascii_from_number(sequence % 1000000U, said->auth, sizeof(said->auth));
    } else {
        pos_copy(said->auth, matter->request->auth, sizeof(said->auth));
    }
    (void)case_say(matter, POS_REASON_APPROVED);
}

static void balance(pos_case *matter)
{
    case_card_class(matter);
    if (!case_is_in_session(matter) || !case_card_fits(matter) || !case_pin_fits(matter)
        || !case_is_uncertified(matter)) {
        return;
    }
    matter->said->balance_minor = matter->policy->balance_minor;
    (void)case_say(matter, POS_REASON_APPROVED);
}

/* ---- by kind --------------------------------------------------------------------------------- */
static void note(pos_case *matter, pos_reason reason)
{
    case_note_original(matter);
    (void)case_say(matter, reason);
}

static void decide_kind(pos_case *matter)
{
    switch (matter->request->kind) {
    case POS_KIND_SIGN_ON: sign_on(matter); break;
    case POS_KIND_SIGN_OFF: note(matter, POS_REASON_SIGN_OFF_DONE); break;
    case POS_KIND_ECHO: (void)case_say(matter, POS_REASON_APPROVED); break;
    case POS_KIND_DOWNLOAD:
    case POS_KIND_DOWNLOAD_QUERY:
    case POS_KIND_DOWNLOAD_END:
        matter->said->download = matter->request->network;
        (void)case_say(matter, POS_REASON_APPROVED);
        break;
    case POS_KIND_STATUS_UPLOAD:
    case POS_KIND_SCRIPT_RESULT:
    case POS_KIND_SLIP: note(matter, POS_REASON_NOTED); break;
    case POS_KIND_BALANCE: balance(matter); break;
    case POS_KIND_REVERSAL: case_reverse(matter); break;
    case POS_KIND_SETTLE: case_settle(matter); break;
    case POS_KIND_BATCH_DETAIL:
    case POS_KIND_BATCH_ADVICE:
    case POS_KIND_BATCH_CHIP: case_upload(matter); break;
    case POS_KIND_BATCH_END: case_upload_end(matter); break;
    default: money(matter); break;
    }
}

static void case_decide(pos_case *matter)
{
    if (!case_is_known(matter)) return;
    if (!case_is_new(matter)) return;
    if (!case_has_room(matter)) return;
    if (!case_is_in_time(matter)) return;
    if (!case_is_admitted(matter)) return;
    decide_kind(matter);
}

/* ---- what every answer says besides ---------------------------------------------------------- */
#define REQUIREMENT_SIGN_ON 3U
#define NS_PER_SECOND INT64_C(1000000000)

static bool is_skewed(const pos_case *matter)
{
    const int64_t at_ns = matter->said->terminal_at_ns;
    const int64_t skew_max = (int64_t)matter->policy->clock_skew_s_max * NS_PER_SECOND;
    if (at_ns == 0 || skew_max == 0) return false;
    return at_ns > matter->now_ns + skew_max || at_ns < matter->now_ns - skew_max;
}

static uint8_t requirement_of(const pos_case *matter)
{
    const pos_decision *said = matter->said;
    if (pos_equal(said->response, "77", 2) || pos_equal(said->response, "99", 2)) {
        return REQUIREMENT_SIGN_ON;
    }
    if (said->outcome != POS_OUTCOME_APPROVED) return 0;
    if (matter->request->kind == POS_KIND_SIGN_ON) return matter->policy->requirement_sign_on;
    return is_skewed(matter) ? REQUIREMENT_SIGN_ON : matter->policy->requirement;
}

void pos_decide_for(const pos_request *request, const pos_terminal *terminal,
                    const pos_terminal_state *ours, const pos_state *state,
                    const pos_policy *policy, int64_t now_ns, pos_decision *decision_out)
{
    assert(request != NULL && state != NULL && policy != NULL);
    assert(decision_out != NULL);
    pos_zero(decision_out, offsetof(pos_decision, findings)); /* the list is as long as its count */
    pos_copy(decision_out->auth, "      ", sizeof(decision_out->auth));
    decision_out->batch = request->batch;
    decision_out->amount_minor = request->amount_minor;
    decision_out->terminal_at_ns = civil_stamp(request->local_date, request->local_time,
                                               policy->zone_offset_minute, now_ns);
    pos_case matter = {
        .request = request,
        .terminal = terminal,
        .state = state,
        .policy = policy,
        .ours = ours,
        .now_ns = now_ns,
        .said = decision_out,
    };
    case_decide(&matter);
    assert(decision_out->outcome != POS_OUTCOME_NONE);
    if (decision_out->is_foreign) decision_out->flags |= POS_FLAG_FOREIGN;
    decision_out->requirement = requirement_of(&matter);
}

void pos_decide(const pos_request *request, const pos_terminal *terminal, const pos_state *state,
                const pos_policy *policy, int64_t now_ns, pos_decision *decision_out)
{
    assert(request != NULL && state != NULL);
    pos_decide_for(request, terminal, pos_state_terminal(state, request->tid, request->mid), state,
                   policy, now_ns, decision_out);
}
