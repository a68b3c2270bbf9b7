/* Who asks, and may they now: identity, standing, kinds, room, session, batch. */
#include "decide/case.h"

bool case_is_known(pos_case *matter)
{
    if (matter->terminal == NULL) return case_say(matter, POS_REASON_TERMINAL_UNKNOWN);
    if (!pos_equal(matter->request->mid, matter->terminal->mid, sizeof(matter->request->mid))) {
        return case_say(matter, POS_REASON_MERCHANT_DIFFERS);
    }
    return true;
}

static bool is_in_cutover(const pos_case *matter)
{
    const pos_policy *policy = matter->policy;
    if (policy->cutover_length_minute == 0) return false;
    const uint32_t minute = civil_minute(matter->now_ns, policy->zone_offset_minute);
    const uint32_t since = (minute + 1440U - policy->cutover_minute) % 1440U;
    return since < policy->cutover_length_minute;
}

bool case_has_room(pos_case *matter)
{
    pos_state_counts counts;
    pos_state_counts_read(matter->state, &counts);
    const bool is_place_left = matter->ours != NULL || counts.terminals < counts.terminals_max;
    if (is_place_left && pos_state_has_room_for(matter->state, matter->request->kind)) return true;
    return case_say(matter, POS_REASON_FULL);
}

/* Money may move: these wait for the end of a cut-over. Reversals and settlement do not. */
static bool moves_money(unsigned kind)
{
    return pos_kind_sign(kind) != 0 || kind == POS_KIND_PREAUTH || kind == POS_KIND_PREAUTH_VOID
           || kind == POS_KIND_EC_LOAD;
}

bool case_is_admitted(pos_case *matter)
{
    const unsigned kind = matter->request->kind;
    const uint8_t flags = matter->terminal->flags;
    if (kind == POS_KIND_UNKNOWN || kind == POS_KIND_ALARM || kind == POS_KIND_ADMINISTRATION
        || kind >= POS_KIND_COUNT) {
        return case_say(matter, POS_REASON_KIND_UNDECIDED);
    }
    if ((flags & POS_TERMINAL_ACTIVE) == 0) return case_say(matter, POS_REASON_TERMINAL_INACTIVE);
    if ((flags & POS_TERMINAL_LOCKED) != 0) return case_say(matter, POS_REASON_TERMINAL_LOCKED);
    if ((matter->terminal->kind_mask >> kind & 1U) == 0) {
        return case_say(matter, POS_REASON_KIND_FORBIDDEN);
    }
    if (!matter->policy->kinds[kind].is_offered) return case_say(matter, POS_REASON_KIND_OFF);
    if (moves_money(kind) && is_in_cutover(matter)) {
        return case_say(matter, POS_REASON_DAY_CUTOVER);
    }
    return true;
}

bool case_is_in_session(pos_case *matter)
{
    const pos_terminal_state *ours = matter->ours;
    if (ours == NULL || !ours->is_signed_on) return case_say(matter, POS_REASON_SIGNED_OFF);
    if (ours->batch == 0) return case_say(matter, POS_REASON_BATCH_CLOSED);
    if (ours->batch != matter->request->batch) return case_say(matter, POS_REASON_BATCH_DIFFERS);
    return true;
}
