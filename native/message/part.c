/*
 * Nested layouts: a field's value into parts, one at a time, without copying.
 *
 *   positional   | type 2 | batch 6 | network 3 | reader 1? | rest..8? |      in the field's units
 *                | count 2 | group | group | ...                              count says how many
 *   tlv          | tag | length | value | tag | length | value | ...    printable, digits, bytes
 *   ber-tlv      emv.c
 *   choice       one of the others, by what the message is
 *
 * Rules. A part never passes the end of its field. Whatever is not of the layout is FIELD_PART,
 * with the part's number in order; only strict layouts fail a message over it (parse.c).
 */
#include "message/spec.h"

#include <assert.h>

const pos_layout *pos_layout_of(const pos_spec *spec, const pos_message *message, unsigned field,
                                pos_selection *selection)
{
    assert(pos_message_has(message, field));
    const uint16_t number = spec->forms[field].layout;
    if (number == 0) return NULL;
    const pos_layout *layout = &spec->layouts[number - 1];
    if (layout->form != POS_LAYOUT_CHOICE) return layout;
    const uint32_t units = message->fields[field].units;
    for (uint16_t index = 0; index < layout->count; index++) {
        const pos_variant *variant = &spec->variants[layout->first + index];
        if (pos_matches_hold(spec, message, variant->match_first, variant->match_count, units,
                             false, selection)) {
            return &spec->layouts[variant->layout - 1];
        }
    }
    return NULL;
}

const pos_part_form *pos_part_form_of(const pos_spec *spec, const pos_layout *layout,
                                      uint16_t number)
{
    assert(number >= 1 && number <= layout->count + layout->group_count);
    const uint16_t index = (uint16_t)(number - 1);
    return index < layout->count ? &spec->parts[layout->first + index]
                                 : &spec->parts[layout->group_first + index - layout->count];
}

uint16_t pos_layout_tag(const pos_spec *spec, const pos_layout *layout, uint32_t tag)
{
    uint32_t low = 0;
    uint32_t high = layout->count;
    while (low < high) { /* tags ascend: spec.c */
        const uint32_t middle = (low + high) / 2;
        const uint32_t found = spec->parts[layout->first + middle].tag;
        if (found == tag) return (uint16_t)(middle + 1);
        if (found < tag) low = middle + 1;
        else high = middle;
    }
    return 0;
}

pos_walk pos_walk_begin(const pos_spec *spec, const pos_message *message, unsigned field,
                        pos_selection *selection)
{
    const pos_view view = pos_field_view(spec, message, field);
    return (pos_walk){
        .spec = spec,
        .layout = pos_layout_of(spec, message, field, selection),
        .body = message->body,
        .view = view,
        .fault = {.status = POS_OK, .field = (uint16_t)field},
    };
}

bool pos_walk_fails(pos_walk *walk, uint32_t at, uint32_t wanted, uint32_t left, const char *rule)
{
    walk->fault.status = POS_FIELD_PART;
    walk->fault.part = (uint16_t)(walk->ordinal + 1);
    walk->fault.offset = (uint32_t)(walk->view.data - walk->body) + at;
    walk->fault.wanted = wanted;
    walk->fault.left = left;
    walk->fault.rule = rule;
    return false;
}

/* How a part's content is written within its field. */
static uint8_t part_encoding(uint8_t field_encoding, uint8_t content)
{
    if (field_encoding == POS_CODE_BCD) return POS_CODE_BCD;
    if (content == POS_CONTENT_B) return POS_CODE_BINARY;
    if (field_encoding == POS_CODE_EBCDIC) return POS_CODE_EBCDIC;
    if (field_encoding == POS_CODE_GB18030 && content == POS_CONTENT_ANS) return POS_CODE_GB18030;
    return POS_CODE_ASCII;
}

pos_view pos_part_view(const uint8_t *body, const pos_part *part)
{
    return (pos_view){
        .data = body + part->offset, .size = part->size, .units = part->units,
        .nibble = part->nibble, .content = part->content, .encoding = part->encoding,
    };
}

/* ---- positional ------------------------------------------------------------------------------------ */
/* Bytes from the start of the field to the unit at `at`. */
static uint32_t byte_of(const pos_walk *walk, uint32_t at)
{
    const bool is_bcd = walk->view.encoding == POS_CODE_BCD;
    const uint32_t byte = is_bcd ? (walk->view.nibble + at) / 2 : at;
    return byte > walk->view.size ? walk->view.size : byte;
}

/* Gives the `units` at the walk's place as a part; judges that they are there, and their content. */
static bool units_take(pos_walk *walk, uint32_t units, uint8_t content, const char *rule,
                       pos_part *part_out)
{
    const uint32_t left = walk->view.units - walk->at;
    if (left < units) return pos_walk_fails(walk, byte_of(walk, walk->at), units, left, rule);
    const bool is_bcd = walk->view.encoding == POS_CODE_BCD;
    const uint32_t first = byte_of(walk, walk->at);
    const uint32_t nibble = walk->view.nibble + walk->at;
    const uint32_t after = is_bcd ? (nibble + units + 1) / 2 : walk->at + units;
    *part_out = (pos_part){
        .offset = (uint32_t)(walk->view.data - walk->body) + first,
        .size = units == 0 ? 0 : after - first, .units = units, .group = walk->group,
        .nibble = is_bcd ? (uint8_t)(nibble % 2) : 0,
        .content = content, .encoding = part_encoding(walk->view.encoding, content),
    };
    const pos_view view = pos_part_view(walk->body, part_out);
    const uint32_t bad = pos_view_fault(&view);
    if (bad < view.size) return pos_walk_fails(walk, first + bad, 0, left, rule);
    walk->at += units;
    walk->ordinal++;
    return true;
}

static bool defined_take(pos_walk *walk, uint16_t number, pos_part *part_out)
{
    const pos_part_form *form = pos_part_form_of(walk->spec, walk->layout, number);
    const uint32_t left = walk->view.units - walk->at;
    const uint32_t units = form->takes_rest && left < form->size ? left : form->size;
    if (!units_take(walk, units, form->content, form->rule, part_out)) return false;
    part_out->number = number;
    part_out->secrecy = form->secrecy;
    part_out->is_kept = form->is_kept;
    part_out->name = form->name;
    part_out->name_zh = form->name_zh;
    return true;
}

/* How many groups follow: a part itself. */
static bool count_take(pos_walk *walk, pos_part *part_out)
{
    uint64_t groups = 0;
    if (!units_take(walk, walk->layout->count_size, POS_CONTENT_N, "count of records", part_out)) {
        return false;
    }
    const pos_view view = pos_part_view(walk->body, part_out);
    (void)pos_view_number(&view, &groups); /* its content was judged */
    part_out->is_kept = walk->layout->has_kept;
    part_out->name = "count";
    part_out->name_zh = "";
    walk->is_counted = true;
    walk->groups = (uint16_t)groups;
    walk->group = 1;
    walk->index = 0;
    return true;
}

static bool group_take(pos_walk *walk, pos_part *part_out)
{
    const pos_layout *layout = walk->layout;
    if (!defined_take(walk, (uint16_t)(layout->count + walk->index + 1), part_out)) return false;
    walk->index++;
    if (walk->index == layout->group_count) {
        walk->index = 0;
        walk->group++;
    }
    return true;
}

static bool positional_next(pos_walk *walk, pos_part *part_out)
{
    const pos_layout *layout = walk->layout;
    const uint32_t left = walk->view.units - walk->at;
    if (!walk->is_counted && walk->index < layout->count) {
        const uint16_t number = (uint16_t)(walk->index + 1);
        if (left == 0 && pos_part_form_of(walk->spec, layout, number)->is_optional) return false;
        walk->index++;
        return defined_take(walk, number, part_out);
    }
    if (layout->count_size > 0) {
        if (!walk->is_counted) return count_take(walk, part_out);
        if (walk->group <= walk->groups) return group_take(walk, part_out);
    }
    if (left == 0) return false;
    return pos_walk_fails(walk, byte_of(walk, walk->at), 0, left, "nothing follows the last part");
}

/* ---- tag, length, value -------------------------------------------------------------------------------- */
/* False where the `length_size` characters at `at` are no digits. */
static bool tlv_length(const pos_walk *walk, uint32_t at, uint32_t *length_out)
{
    const uint32_t size = walk->layout->length_size;
    if (walk->view.size - at < size) return false;
    if (!pos_ascii_is_digits(walk->view.data + at, size)) return false;
    *length_out = (uint32_t)pos_ascii_number(walk->view.data + at, size);
    return true;
}

/* False where the `tag_size` characters at `at` are not printable. */
static bool tlv_tag(const pos_walk *walk, uint32_t at, uint32_t *tag_out)
{
    const uint32_t size = walk->layout->tag_size;
    if (walk->view.size - at < size) return false;
    uint32_t tag = 0;
    for (uint32_t index = 0; index < size; index++) {
        const uint8_t character = walk->view.data[at + index];
        if (character < 0x20 || character > 0x7e) return false;
        tag = tag << 8 | character;
    }
    *tag_out = tag;
    return true;
}

static bool tlv_value(pos_walk *walk, uint32_t start, uint32_t length, uint32_t tag,
                      pos_part *part_out)
{
    const pos_layout *layout = walk->layout;
    const uint16_t number = pos_layout_tag(walk->spec, layout, tag);
    const pos_part_form *form = number == 0 ? NULL : pos_part_form_of(walk->spec, layout, number);
    const uint8_t content = form == NULL ? POS_CONTENT_B : form->content;
    *part_out = (pos_part){
        .offset = (uint32_t)(walk->view.data - walk->body) + start,
        .size = length, .units = length, .number = number, .content = content,
        .encoding = part_encoding(POS_CODE_GB18030, content),
        /* Whatever an unknown tag holds, it is not for people and not for the journal. */
        .secrecy = form == NULL ? POS_SECRECY_SECRET : form->secrecy,
        .is_kept = form != NULL && form->is_kept,
        .name = form == NULL ? NULL : form->name, .name_zh = form == NULL ? NULL : form->name_zh,
    };
    pos_copy(part_out->tag, walk->view.data + walk->at, layout->tag_size);
    if (form == NULL) return true;
    const pos_view view = pos_part_view(walk->body, part_out);
    const uint32_t bad = pos_view_fault(&view);
    return bad == length || pos_walk_fails(walk, start + bad, 0, length, form->rule);
}

static bool tlv_next(pos_walk *walk, pos_part *part_out)
{
    const pos_layout *layout = walk->layout;
    const uint32_t left = walk->view.size - walk->at;
    const uint32_t length_at = walk->at + layout->tag_size;
    uint32_t tag;
    uint32_t length;
    if (left == 0) return false;
    if (!tlv_tag(walk, walk->at, &tag)) {
        return pos_walk_fails(walk, walk->at, layout->tag_size, left, "tag, printable");
    }
    if (!tlv_length(walk, length_at, &length)) {
        return pos_walk_fails(walk, length_at, layout->length_size, left - layout->tag_size,
                              "length, digits");
    }
    const uint32_t start = length_at + layout->length_size;
    const uint32_t rest = walk->view.size - start;
    if (length > rest) {
        return pos_walk_fails(walk, start, length, rest, "value as long as its length");
    }
    if (layout->refuses_unknown && pos_layout_tag(walk->spec, layout, tag) == 0) {
        return pos_walk_fails(walk, walk->at, 0, left, "a tag of the layout");
    }
    if (!tlv_value(walk, start, length, tag, part_out)) return false;
    walk->at = start + length;
    walk->ordinal++;
    return true;
}

/* ---- how strict layouts are judged --------------------------------------------------------------------- */
/* Whether a value of the field's content is of the part's too, wherever it is cut. */
static bool part_is_implied(const pos_form *form, const pos_part_form *part)
{
    if (part->content == POS_CONTENT_B) return form->encoding != POS_CODE_BCD;
    if (form->encoding == POS_CODE_BCD) {
        return part->content == POS_CONTENT_Z || form->content == part->content;
    }
    return form->encoding == POS_CODE_ASCII
           && (form->content == part->content || part->content == POS_CONTENT_ANS);
}

/* The sizes that fit a positional layout without groups, as a set; false where the set cannot say. */
static bool sizes_of(const pos_spec *spec, const pos_form *form, const pos_layout *layout,
                     uint64_t *sizes_out)
{
    if (layout->form != POS_LAYOUT_POSITIONAL || layout->count_size > 0) return false;
    if (form->size_max > 63) return false;
    uint64_t sizes = 0;
    uint32_t least = 0;
    for (uint16_t number = 1; number <= layout->count; number++) {
        const pos_part_form *part = pos_part_form_of(spec, layout, number);
        if (!part_is_implied(form, part)) return false;
        if (part->is_optional && least < 64) sizes |= (uint64_t)1 << least;
        if (part->takes_rest) {
            const uint32_t first = least + (part->is_optional ? 1U : 0U);
            for (uint32_t units = first; units <= least + part->size && units < 64; units++) {
                sizes |= (uint64_t)1 << units;
            }
        }
        least += part->size;
    }
    if (least < 64) sizes |= (uint64_t)1 << least;
    *sizes_out = sizes;
    return true;
}

static bool has_strict(const pos_spec *spec, const pos_layout *layout)
{
    if (layout->form != POS_LAYOUT_CHOICE) return layout->is_strict;
    for (uint16_t index = 0; index < layout->count; index++) {
        const uint16_t number = spec->variants[layout->first + index].layout;
        if (spec->layouts[number - 1].is_strict) return true;
    }
    return false;
}

void pos_form_layout_judge(const pos_spec *spec, pos_form *form)
{
    form->layout_judge = POS_JUDGE_NONE;
    if (form->layout == 0) return;
    const pos_layout *layout = &spec->layouts[form->layout - 1];
    if (!has_strict(spec, layout)) return;
    /* Two bytes an element at least: up to 1,024 bytes hold no more than POS_PART_MAX. What is in a
     * template is no matter: one that does not hold elements is a plain value. */
    const bool is_ber = layout->form == POS_LAYOUT_BER && !layout->refuses_unknown
                        && form->encoding == POS_CODE_BINARY && form->size_max <= 2 * POS_PART_MAX;
    form->layout_judge = is_ber ? POS_JUDGE_BER : POS_JUDGE_WALK;
    if (sizes_of(spec, form, layout, &form->layout_sizes)) form->layout_judge = POS_JUDGE_SIZES;
}

/* ---- any of them ------------------------------------------------------------------------------------------ */
bool pos_walk_next(pos_walk *walk, pos_part *part_out)
{
    assert(walk != NULL && part_out != NULL);
    if (walk->layout == NULL || walk->fault.status != POS_OK) return false;
    if (walk->ordinal == POS_PART_MAX) {
        const bool is_positional = walk->layout->form == POS_LAYOUT_POSITIONAL;
        const uint32_t at = is_positional ? byte_of(walk, walk->at) : walk->at;
        if (at == walk->view.size) return false;
        return pos_walk_fails(walk, at, 0, walk->view.size - at, "at most 512 parts");
    }
    switch (walk->layout->form) {
    case POS_LAYOUT_POSITIONAL: return positional_next(walk, part_out);
    case POS_LAYOUT_TLV: return tlv_next(walk, part_out);
    default: return pos_walk_next_ber(walk, part_out);
    }
}

pos_status pos_message_parts(const pos_spec *spec, const pos_message *message, unsigned field,
                             pos_part *parts_out, size_t *count_out)
{
    assert(spec != NULL && message != NULL);
    assert(parts_out != NULL && count_out != NULL);
    *count_out = 0;
    if (!pos_message_has(message, field)) return POS_OK;
    pos_selection selection = {.asked = 0};
    pos_walk walk = pos_walk_begin(spec, message, field, &selection);
    size_t count = 0;
    while (pos_walk_next(&walk, &parts_out[count])) {
        count++;
        if (count == POS_PART_MAX) {
            pos_part beyond; /* only tells whether the value ends here */
            (void)pos_walk_next(&walk, &beyond);
            break;
        }
    }
    if (walk.fault.status != POS_OK) return walk.layout->is_strict ? walk.fault.status : POS_OK;
    *count_out = count;
    return POS_OK;
}

size_t pos_part_value(const pos_message *message, const pos_part *part,
                      uint8_t text_out[POS_VALUE_SIZE_MAX])
{
    assert(message != NULL && part != NULL);
    assert(part->offset + part->size <= message->body_size);
    const pos_view view = pos_part_view(message->body, part);
    return pos_view_text(&view, text_out);
}
