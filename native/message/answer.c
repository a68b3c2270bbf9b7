/*
 * Answers: a template that the journal may keep, and the answer made of it for one request.
 *
 *   template   u8 hole count │ holes: u8 field, u16 offset, u16 size │ body up to the MAC field
 *                                      └── within the body: zero here, the request's own bytes there
 *   answer     body, holes filled │ room for the MAC
 *
 * Which fields an answer has, ascending:
 *   a value that was given and that the rule supplies or echoes    written in the field's form
 *   else an echoed field that the request has                      its bytes as they came
 *   the MAC field where the rule and the terminal say so           its bit; bytes are left to the caller
 *
 * Rules. An echoed field that the journal must not keep whole (a PAN, an expiry date, a field with
 * secret parts) is a hole: its length stays, its bytes come from the request at hand, which for a
 * repeat is the repeat itself. Numbers are little-endian.
 */
#include "message/spec.h"

#include <assert.h>

#define HOLE_SIZE 5U

/* ---- building ------------------------------------------------------------------------------------------ */
bool pos_answer_is_hole(const pos_spec *spec, unsigned field)
{
    const pos_form *form = &spec->forms[field];
    if (!form->is_kept || form->secrecy != POS_SECRECY_OPEN) return true;
    if (form->layout == 0) return false;
    const pos_layout *layout = &spec->layouts[form->layout - 1];
    return layout->has_secrets || layout->form == POS_LAYOUT_TLV
           || layout->form == POS_LAYOUT_BER;
}

static const pos_answer_value *value_of(const pos_rule *rule, const pos_answer_value *values,
                                        size_t count, unsigned field)
{
    if (!pos_bitmap_has(rule->supplied, field) && !pos_bitmap_has(rule->echoed, field)) return NULL;
    for (size_t index = 0; index < count; index++) {
        if (values[index].field == field) return &values[index];
    }
    return NULL;
}

static bool is_echoed(const pos_rule *rule, const pos_message *request, unsigned field)
{
    return pos_bitmap_has(rule->echoed, field) && pos_message_has(request, field);
}

/* The bitmap of the answer, and how many holes it will have. */
static unsigned fields_choose(const pos_spec *spec, const pos_rule *rule,
                              const pos_message *request, const pos_answer_value *values,
                              size_t count, uint64_t bitmap_out[2])
{
    unsigned holes = 0;
    for (unsigned field = 2; field <= spec->field_max; field++) {
        if (spec->forms[field].content == POS_CONTENT_NONE) continue;
        if (field == spec->mac_fields[0] || field == spec->mac_fields[1]) continue;
        const bool is_given = value_of(rule, values, count, field) != NULL;
        if (!is_given && !is_echoed(rule, request, field)) continue;
        pos_bitmap_set(bitmap_out, field);
        holes += !is_given && pos_answer_is_hole(spec, field);
    }
    return holes;
}

static void hole_put(pos_writer *writer, size_t at, unsigned field, size_t offset, size_t size)
{
    if (writer->is_full) return; /* the offset is none then */
    assert(offset <= UINT16_MAX && size <= UINT16_MAX);
    uint8_t *hole = writer->data + at;
    hole[0] = (uint8_t)field;
    pos_store_u16_le(hole + 1, (uint16_t)offset);
    pos_store_u16_le(hole + 3, (uint16_t)size);
}

static void echo_put(const pos_spec *spec, const pos_message *request, unsigned field, bool is_kept,
                     pos_writer *writer)
{
    const pos_field *place = &request->fields[field];
    const uint32_t prefix_size = spec->forms[field].prefix_size;
    assert(place->offset >= prefix_size);
    pos_writer_put(writer, request->body + place->offset - prefix_size, prefix_size);
    if (is_kept) pos_writer_put(writer, request->body + place->offset, place->size);
    else pos_writer_fill(writer, 0, place->size);
}

pos_status pos_answer_build(const pos_spec *spec, const pos_rule *rule, const pos_message *request,
                            const pos_answer_value *values, size_t value_count, bool is_signed,
                            pos_writer *writer, pos_fault *fault_out)
{
    assert(spec != NULL && rule != NULL && request != NULL && writer != NULL);
    assert(rule->answer_mti != 0);
    assert(values != NULL || value_count == 0);

    uint64_t bitmap[2] = {0, 0};
    const unsigned holes = fields_choose(spec, rule, request, values, value_count, bitmap);
    uint64_t signed_bitmap[2] = {bitmap[0], bitmap[1]};
    const unsigned mac_field = pos_mac_field_of(spec, bitmap);
    if (rule->answer_has_mac && is_signed && mac_field != 0) {
        pos_bitmap_set(signed_bitmap, mac_field);
    }

    pos_writer_u8(writer, (uint8_t)holes);
    size_t hole_at = writer->size;
    pos_writer_fill(writer, 0, holes * HOLE_SIZE);
    const size_t body_at = writer->size;
    pos_head_write(spec, rule->answer_mti, signed_bitmap, writer);
    for (unsigned field = 2; field <= spec->field_max; field++) {
        if (!pos_bitmap_has(bitmap, field)) continue;
        const pos_answer_value *value = value_of(rule, values, value_count, field);
        if (value != NULL) {
            const pos_status status = pos_field_write(&spec->forms[field], field, value->value,
                                                      value->size, writer, fault_out);
            if (status != POS_OK) return status;
            continue;
        }
        const bool is_kept = !pos_answer_is_hole(spec, field);
        echo_put(spec, request, field, is_kept, writer);
        if (is_kept) continue;
        const size_t size = request->fields[field].size;
        hole_put(writer, hole_at, field, writer->size - size - body_at, size);
        hole_at += HOLE_SIZE;
    }
    assert(writer->is_full || hole_at == body_at);
    return POS_OK;
}

/* ---- filling ---------------------------------------------------------------------------------------------- */
/* Copies the request's own bytes into one hole; false where the hole does not fit. */
static bool hole_fill(const uint8_t *hole, const pos_message *request, uint8_t *body,
                      size_t body_size)
{
    const unsigned field = hole[0];
    const size_t offset = pos_load_u16_le(hole + 1);
    const size_t size = pos_load_u16_le(hole + 3);
    if (!pos_message_has(request, field) || request->fields[field].size != size) return false;
    if (offset > body_size || size > body_size - offset) return false;
    pos_copy(body + offset, request->body + request->fields[field].offset, size);
    return true;
}

pos_status pos_answer_fill(const pos_spec *spec, const uint8_t *template_, size_t template_size,
                           const pos_message *request, pos_writer *writer,
                           size_t *covered_size_out, size_t *mac_size_out)
{
    assert(spec != NULL && request != NULL && writer != NULL);
    assert(covered_size_out != NULL && mac_size_out != NULL);

    if (template_ == NULL || template_size < 1) return POS_ENTRY_FORM;
    const size_t body_at = 1 + (size_t)template_[0] * HOLE_SIZE;
    if (body_at > template_size) return POS_ENTRY_FORM;
    const size_t body_size = template_size - body_at;
    uint64_t bitmap[2];
    if (!pos_bitmap_of(spec, template_ + body_at, body_size, bitmap)) return POS_ENTRY_FORM;

    const size_t start = writer->size;
    pos_writer_put(writer, template_ + body_at, body_size);
    for (size_t index = 0; index < template_[0] && !writer->is_full; index++) {
        const uint8_t *hole = template_ + 1 + index * HOLE_SIZE;
        if (!hole_fill(hole, request, writer->data + start, body_size)) {
            writer->size = start;
            return POS_ENTRY_FORM;
        }
    }
    const unsigned mac_field = pos_mac_field_of(spec, bitmap);
    const bool is_signed = mac_field != 0 && pos_bitmap_has(bitmap, mac_field);
    const pos_form *form = &spec->forms[mac_field];
    const uint32_t mac_size =
        is_signed ? pos_units_size(form->content, form->encoding, form->size_max) : 0;
    pos_writer_fill(writer, 0, mac_size);
    *covered_size_out = body_size;
    *mac_size_out = mac_size;
    return POS_OK;
}
