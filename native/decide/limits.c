/* Amounts, cards, PINs, ways of reading: what the policy and the terminal's own limits say. */
#include "decide/case.h"

#include <assert.h>

#define ENTRY_CONTACTLESS 7U
#define ENTRY_FALLBACK 80U

static const kind_rule *rule_of(const pos_case *matter)
{
    assert(matter->request->kind < POLICY_KINDS_MAX);
    return &matter->policy->kinds[matter->request->kind];
}

bool case_amount_fits(pos_case *matter)
{
    const pos_request *request = matter->request;
    const kind_rule *rule = rule_of(matter);
    if (request->currency != 0 && request->currency != matter->terminal->currency) {
        return case_say(matter, POS_REASON_CURRENCY_DIFFERS);
    }
    if (request->amount_minor <= 0) return case_say(matter, POS_REASON_AMOUNT_ABSENT);
    if (request->amount_minor < rule->amount_minor_min) {
        return case_say(matter, POS_REASON_AMOUNT_BELOW);
    }
    if (rule->amount_minor_max != 0 && request->amount_minor > rule->amount_minor_max) {
        return case_say(matter, POS_REASON_AMOUNT_ABOVE);
    }
    const int64_t terminal_max = matter->terminal->amount_minor_max;
    if (terminal_max != 0 && request->amount_minor > terminal_max) {
        return case_say(matter, POS_REASON_AMOUNT_TERMINAL);
    }
    if (rule->floor_minor != 0 && request->amount_minor <= rule->floor_minor) {
        matter->said->flags |= POS_FLAG_STANDIN;
    }
    return true;
}

bool case_floor_fits(pos_case *matter)
{
    const kind_rule *rule = rule_of(matter);
    if (rule->floor_minor != 0 && matter->request->amount_minor > rule->floor_minor) {
        return case_say(matter, POS_REASON_FLOOR_EXCEEDED);
    }
    return true;
}

bool case_card_is_named(pos_case *matter)
{
    const uint32_t flags = matter->request->flags;
    if ((flags & (POS_FLAG_PAN | POS_FLAG_QR)) == 0) {
        return case_say(matter, POS_REASON_CARD_ABSENT);
    }
    if ((flags & POS_FLAG_PAN_INVALID) != 0) return case_say(matter, POS_REASON_CARD_DIGIT);
    return true;
}

void case_card_class(pos_case *matter)
{
    if ((matter->request->flags & POS_FLAG_PAN) == 0) return;
    matter->range = policy_range(matter->policy, matter->request->bin);
    matter->said->is_foreign = matter->range != NULL
                                   ? matter->range->is_foreign
                                   : matter->policy->unknown_card == BIN_UNKNOWN_FOREIGN;
}

static bool range_fits(pos_case *matter)
{
    const pos_policy *policy = matter->policy;
    const bool is_test_terminal = (matter->terminal->flags & POS_TERMINAL_TEST) != 0;
    const bin_range *range = matter->range;
    if (range == NULL) {
        if (policy->unknown_card == BIN_UNKNOWN_REFUSED) {
            return case_say(matter, POS_REASON_CARD_UNKNOWN);
        }
        return is_test_terminal ? case_say(matter, POS_REASON_CARD_TEST) : true;
    }
    switch (range->standing) {
    case BIN_BLOCKED: return case_say(matter, POS_REASON_CARD_BLOCKED);
    case BIN_LOST: return case_say(matter, POS_REASON_CARD_LOST);
    case BIN_STOLEN: return case_say(matter, POS_REASON_CARD_STOLEN);
    default: break;
    }
    if ((range->standing == BIN_TEST) != is_test_terminal) {
        return case_say(matter, POS_REASON_CARD_TEST);
    }
    if ((range->kind_mask >> matter->request->kind & 1U) == 0) {
        return case_say(matter, POS_REASON_CARD_KIND);
    }
    return true;
}

static bool reading_fits(pos_case *matter)
{
    const pos_request *request = matter->request;
    const pos_policy *policy = matter->policy;
    const unsigned mode = request->entry_mode / 10U;
    if (mode > 99 || (policy->entry_modes[mode / 64] >> (mode % 64) & 1U) == 0) {
        return case_say(matter, POS_REASON_ENTRY_MODE);
    }
    const bool is_fallback = mode == ENTRY_FALLBACK || (request->flags & POS_FLAG_FALLBACK) != 0;
    if (is_fallback && !policy->allows_fallback) return case_say(matter, POS_REASON_FALLBACK);
    return true;
}

bool case_card_fits(pos_case *matter)
{
    const pos_request *request = matter->request;
    if (!case_card_is_named(matter) || !reading_fits(matter)) return false;
    /* A QR code: its wallet knows the card. */
    if ((request->flags & POS_FLAG_PAN) == 0) return true;
    if ((request->flags & POS_FLAG_CARD_EXPIRED) != 0) {
        return case_say(matter, POS_REASON_CARD_EXPIRED);
    }
    if (!range_fits(matter)) return false;
    const uint16_t uses_max = matter->policy->card_uses_max;
    if (uses_max != 0 && pos_kind_sign(request->kind) > 0
        && pos_state_card_uses(matter->state, matter->ours, request->pan_token) >= uses_max) {
        return case_say(matter, POS_REASON_CARD_USES);
    }
    return true;
}

bool case_pin_fits(pos_case *matter)
{
    const pos_request *request = matter->request;
    const bool has_pin = (request->flags & POS_FLAG_PIN) != 0;
    const bool has_pad = (matter->terminal->flags & POS_TERMINAL_NO_PINPAD) == 0;
    if (has_pin && !has_pad) return case_say(matter, POS_REASON_PIN_UNEXPECTED);
    const int64_t above = rule_of(matter)->pin_above_minor;
    if (above < 0 || has_pin || !has_pad || request->amount_minor <= above) return true;
    const bool is_contactless = request->entry_mode / 10U == ENTRY_CONTACTLESS;
    return case_say(matter, is_contactless ? POS_REASON_PIN_ABOVE : POS_REASON_PIN_ABSENT);
}

bool case_is_uncertified(pos_case *matter)
{
    const pos_policy *policy = matter->policy;
    if ((policy->certification_kinds >> matter->request->kind & 1U) == 0) return true;
    const char *answer = policy->certification[matter->request->amount_minor % POLICY_ENDINGS];
    if (answer[0] == ' ') return true;
    return case_say_response(matter, POS_REASON_CERTIFICATION, answer);
}
