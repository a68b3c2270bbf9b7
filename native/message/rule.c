/*
 * Rules: what a message is, what it must hold, and where its facts lie.
 *
 *   message ─▶ rule 1 fits? ─▶ rule 2 fits? ─▶ ...        the first that fits
 *              mti, and for each selector any of its values:
 *              processing · condition · type (60.1) · network (60.3) · entry (22)
 *
 * Rules of the file. A value is compared digit by digit under a mask, so "00xxxx" is one record.
 * A message that lacks a value that a rule asks for does not fit; an answer, which may lack much,
 * is asked for all first and then only for what it has. A role that choices depend on never lies in a choice itself, so
 * that reading one field never asks for another that asks back (spec.c refuses such an image).
 */
#include "message/spec.h"

#include <assert.h>

/* ---- roles --------------------------------------------------------------------------------------- */
/* A part has the name that a role asks for: its tag where it has one, else its name. */
static bool part_is(const pos_part *part, const char *name)
{
    const char *ours = part->tag[0] != 0 ? part->tag : part->name;
    if (ours == name) return true; /* strings of a spec are there once each */
    for (size_t index = 0;; index++) {
        if (ours[index] != name[index]) return false;
        if (name[index] == 0) return true;
    }
}

static bool role_view(const pos_spec *spec, const pos_message *message, pos_role role,
                      bool is_judged, pos_view *view_out)
{
    assert(role > POS_ROLE_NONE && role < POS_ROLE_COUNT);
    const pos_role_place place = spec->roles[role];
    if (place.field == 0 || !pos_message_has(message, place.field)) return false;
    if (place.part == NULL) {
        *view_out = pos_field_view(spec, message, place.field);
        return true;
    }
    pos_selection selection = {.asked = 0};
    pos_walk walk = pos_walk_begin(spec, message, place.field, &selection);
    pos_part part;
    bool is_found = false;
    while (pos_walk_next(&walk, &part)) {
        if (is_found || part.group != 0 || !part_is(&part, place.part)) continue;
        *view_out = pos_part_view(message->body, &part);
        is_found = true;
        if (is_judged && walk.layout->is_strict) return true; /* the rest of it fits too */
    }
    /* A value that does not fit its layout has no parts, not even those that came first. */
    return is_found && walk.fault.status == POS_OK;
}

bool pos_role_view(const pos_spec *spec, const pos_message *message, pos_role role,
                   pos_view *view_out)
{
    return role_view(spec, message, role, true, view_out);
}

/* ---- conditions ------------------------------------------------------------------------------------ */
static const uint8_t SELECTOR_ROLES[POS_SELECT_COUNT] = {
    [POS_SELECT_PROCESSING] = POS_ROLE_PROCESSING, [POS_SELECT_CONDITION] = POS_ROLE_CONDITION,
    [POS_SELECT_TYPE] = POS_ROLE_TYPE,             [POS_SELECT_NETWORK] = POS_ROLE_NETWORK,
    [POS_SELECT_ENTRY] = POS_ROLE_ENTRY_MODE,
};

/* The value that a selector looks at, as BCD digits; false where the message has none. */
static bool selected_read(const pos_spec *spec, const pos_message *message, uint8_t selector,
                          uint32_t *value_out)
{
    pos_view view;
    uint8_t text[33];
    /* Asked while the layouts are judged, so that what comes later in this one counts. */
    const pos_role role = (pos_role)SELECTOR_ROLES[selector];
    if (!role_view(spec, message, role, false, &view)) return false;
    if (view.units >= sizeof text) return false;
    const size_t size = pos_view_text(&view, text);
    const size_t count = selector == POS_SELECT_ENTRY && size > 2 ? 2 : size;
    if (count == 0 || count > 8 || !pos_ascii_is_digits(text, count)) return false;
    uint32_t value = 0;
    for (size_t index = 0; index < count; index++) {
        value = value << 4 | (uint32_t)(text[index] - '0');
    }
    *value_out = value;
    return true;
}

/* The same, read once a message. */
static bool selected(const pos_spec *spec, const pos_message *message, uint8_t selector,
                     uint32_t units, pos_selection *selection, uint32_t *value_out)
{
    *value_out = selector == POS_SELECT_MTI ? message->mti : units;
    if (selector == POS_SELECT_MTI || selector == POS_SELECT_SIZE) return true;
    const uint8_t bit = (uint8_t)(1U << selector);
    if ((selection->asked & bit) == 0) {
        selection->asked |= bit;
        if (selected_read(spec, message, selector, &selection->values[selector])) {
            selection->present |= bit;
        }
    }
    *value_out = selection->values[selector];
    return (selection->present & bit) != 0;
}

bool pos_matches_hold(const pos_spec *spec, const pos_message *message, uint16_t first,
                      uint16_t count, uint32_t units, bool absent_fits, pos_selection *selection)
{
    assert((uint32_t)first + count <= spec->match_count);
    uint32_t index = first;
    const uint32_t end = (uint32_t)first + count;
    while (index < end) {
        const uint8_t selector = spec->matches[index].selector;
        uint32_t value = 0;
        const bool is_there = selected(spec, message, selector, units, selection, &value);
        bool fits = !is_there && absent_fits;
        for (; index < end && spec->matches[index].selector == selector; index++) {
            const pos_match *match = &spec->matches[index];
            if (is_there && (value & match->mask) == (match->value & match->mask)) fits = true;
        }
        if (!fits) return false;
    }
    return true;
}

/* ---- which rule --------------------------------------------------------------------------------------- */
static const pos_rule_form *rule_form_find(const pos_spec *spec, const pos_message *message,
                                           bool is_answer, bool absent_fits)
{
    pos_selection selection = {.asked = 0};
    for (uint32_t index = 0; index < spec->rule_count; index++) {
        const pos_rule_form *form = &spec->rules[index];
        const uint16_t mti = is_answer ? form->rule.answer_mti : form->rule.mti;
        if (mti != message->mti || mti == 0) continue;
        if (pos_matches_hold(spec, message, form->match_first, form->match_count, 0,
                             absent_fits, &selection)) return form;
    }
    return NULL;
}

pos_status pos_rule_find(const pos_spec *spec, const pos_message *message,
                         const pos_rule **rule_out)
{
    assert(spec != NULL && message != NULL && rule_out != NULL);
    const pos_rule_form *form = rule_form_find(spec, message, false, false);
    if (form == NULL) return POS_FIELD_RULE;
    *rule_out = &form->rule;
    return POS_OK;
}

const pos_rule *pos_rule_of_mti(const pos_spec *spec, uint16_t mti)
{
    assert(spec != NULL);
    for (uint32_t index = 0; index < spec->rule_count; index++) {
        if (spec->rules[index].rule.mti == mti && mti != 0) return &spec->rules[index].rule;
    }
    return NULL;
}

pos_status pos_message_kind(const pos_spec *spec, const pos_message *message,
                            pos_kind_facts *facts_out)
{
    assert(spec != NULL && message != NULL && facts_out != NULL);
    const pos_rule_form *form = rule_form_find(spec, message, false, false);
    const bool is_answer = form == NULL;
    if (form == NULL) form = rule_form_find(spec, message, true, false);
    if (form == NULL) form = rule_form_find(spec, message, true, true);
    if (form == NULL) return POS_FIELD_RULE;
    *facts_out = (pos_kind_facts){
        .kind = form->rule.kind, .is_answer = is_answer, .answer_mti = form->rule.answer_mti,
        .name = form->rule.name, .name_zh = form->name_zh,
    };
    return POS_OK;
}

/* ---- presence ------------------------------------------------------------------------------------------- */
/* The first field of `ours` that `theirs` lacks; 0 where it lacks none. */
static unsigned first_lacking(const uint64_t ours[2], const uint64_t theirs[2])
{
    for (unsigned word = 0; word < 2; word++) {
        const uint64_t lacking = ours[word] & ~theirs[word];
        if (lacking != 0) return 64 * word + (unsigned)__builtin_ctzll(lacking) + 1;
    }
    return 0;
}

static pos_status presence_fault(pos_status status, unsigned field, const pos_message *message,
                                 const pos_rule *rule, pos_fault *fault_out)
{
    if (fault_out != NULL) {
        const bool is_there = pos_message_has(message, field);
        *fault_out = (pos_fault){
            .status = status, .field = (uint16_t)field, .rule = rule->name,
            .offset = is_there ? message->fields[field].offset : message->body_size,
        };
    }
    return status;
}

pos_status pos_rule_check(const pos_spec *spec, const pos_rule *rule, const pos_message *message,
                          pos_fault *fault_out)
{
    assert(spec != NULL && rule != NULL && message != NULL);
    const unsigned missing = first_lacking(rule->mandatory, message->bitmap);
    if (missing != 0) {
        return presence_fault(POS_FIELD_MISSING, missing, message, rule, fault_out);
    }
    const unsigned surplus = first_lacking(message->bitmap, rule->allowed);
    if (surplus != 0) {
        return presence_fault(POS_FIELD_FORBIDDEN, surplus, message, rule, fault_out);
    }
    return POS_OK;
}

pos_status pos_message_check(const pos_spec *spec, const pos_message *message,
                             pos_fault *fault_out)
{
    assert(spec != NULL && message != NULL);
    const pos_rule *rule;
    const pos_status status = pos_rule_find(spec, message, &rule);
    if (status == POS_OK) return pos_rule_check(spec, rule, message, fault_out);
    if (fault_out != NULL) {
        *fault_out = (pos_fault){.status = status, .rule = "a message of the dialect"};
    }
    return status;
}

/* ---- MAC coverage ------------------------------------------------------------------------------------------ */
unsigned pos_mac_field_of(const pos_spec *spec, const uint64_t bitmap[2])
{
    const uint8_t *fields = spec->mac_fields;
    if (fields[1] != 0 && (bitmap[1] != 0 || fields[0] == 0)) return fields[1];
    return fields[0];
}

void pos_message_mac_cover(const pos_spec *spec, const pos_message *message,
                           pos_mac_cover *cover_out)
{
    assert(spec != NULL && message != NULL && cover_out != NULL);
    *cover_out = (pos_mac_cover){
        .data = message->body, .size = message->body_size,
        .algorithm = spec->mac_algorithm, .output = spec->mac_output,
    };
    for (unsigned index = 2; index > 0; index--) {
        const unsigned field = spec->mac_fields[index - 1];
        if (field == 0 || !pos_message_has(message, field)) continue;
        cover_out->size = message->fields[field].offset;
        cover_out->mac = message->body + message->fields[field].offset;
        cover_out->mac_size = message->fields[field].size;
        /* A field of hex characters carries a raw MAC in hex. */
        if (spec->forms[field].encoding != POS_CODE_BINARY) cover_out->output = 1;
        return;
    }
}
