/*
 * The redacted request: what the journal keeps of a message as it came, by whitelist.
 *
 *   { u8 field │ u16 little-endian size │ bytes of the value } ...       ascending
 *
 *   field not marked `keep`                  nothing
 *   no layout, or one without secrets        the value as on the wire
 *   positional, some parts marked `keep`     the value, all other parts written over with 0
 *   tlv, ber-tlv                             the elements marked `keep`, in their own form
 *   a value that does not fit its layout     nothing, where the layout could hold a secret
 *
 * Rules. A PAN, a track, a PIN block, an expiry date are marked pan or secret, and neither the
 * compiler nor spec.c lets such a field or part be marked `keep`. Unknown tags are never kept.
 */
#include "message/spec.h"

#include <assert.h>

static void head_put(pos_writer *writer, unsigned field, size_t size)
{
    assert(size <= UINT16_MAX);
    pos_writer_u8(writer, (uint8_t)field);
    pos_writer_u16_le(writer, (uint16_t)size);
}

static void whole_put(const pos_message *message, unsigned field, pos_writer *writer)
{
    const pos_field *place = &message->fields[field];
    head_put(writer, field, place->size);
    pos_writer_put(writer, message->body + place->offset, place->size);
}

/* ---- elements: tag, length, value ---------------------------------------------------------------- */
static uint32_t ber_length_size(uint32_t length)
{
    return length < 0x80 ? 1 : length <= 0xff ? 2 : 3;
}

static uint32_t tag_characters(const char tag[9])
{
    uint32_t count = 0;
    while (count < 8 && tag[count] != 0) count++;
    return count;
}

/* Bytes that a kept element takes when it is written again. */
static uint32_t element_size(const pos_layout *layout, const pos_part *part)
{
    if (layout->form == POS_LAYOUT_TLV) {
        return (uint32_t)layout->tag_size + layout->length_size + part->size;
    }
    return tag_characters(part->tag) / 2 + ber_length_size(part->size) + part->size;
}

static void element_put(const pos_layout *layout, const pos_message *message,
                        const pos_part *part, pos_writer *writer)
{
    if (layout->form == POS_LAYOUT_TLV) {
        const uint32_t head = (uint32_t)layout->tag_size + layout->length_size;
        pos_writer_put(writer, message->body + part->offset - head, head + part->size);
        return;
    }
    uint8_t tag[4];
    const uint32_t tag_size = tag_characters(part->tag) / 2;
    const bool is_hex = pos_hex_to_bytes(part->tag, tag, tag_size);
    assert(is_hex);
    pos_writer_put(writer, tag, tag_size);
    const uint32_t length_size = ber_length_size(part->size);
    if (length_size == 1) {
        pos_writer_u8(writer, (uint8_t)part->size);
    } else if (length_size == 2) {
        pos_writer_u8(writer, 0x81);
        pos_writer_u8(writer, (uint8_t)part->size);
    } else {
        pos_writer_u8(writer, 0x82);
        pos_writer_u16_be(writer, (uint16_t)part->size);
    }
    pos_writer_put(writer, message->body + part->offset, part->size);
}

/* Twice over the elements: their size first, since it stands before them. */
static void elements_put(const pos_spec *spec, const pos_message *message, unsigned field,
                         pos_selection *selection, pos_writer *writer)
{
    pos_part part;
    uint32_t size = 0;
    pos_walk walk = pos_walk_begin(spec, message, field, selection);
    const pos_layout *layout = walk.layout;
    while (pos_walk_next(&walk, &part)) {
        if (part.is_kept && !part.is_constructed) size += element_size(layout, &part);
    }
    if (walk.fault.status != POS_OK || size == 0) return;
    head_put(writer, field, size);
    walk = pos_walk_begin(spec, message, field, selection);
    while (pos_walk_next(&walk, &part)) {
        if (part.is_kept && !part.is_constructed) element_put(layout, message, &part, writer);
    }
}

/* ---- positions --------------------------------------------------------------------------------------- */
/* Writes over a part within the copy of its field. */
static void part_cover(const pos_part *part, uint8_t *value, uint32_t value_offset)
{
    uint8_t *at = value + (part->offset - value_offset);
    if (part->encoding != POS_CODE_BCD) {
        for (uint32_t index = 0; index < part->size; index++) at[index] = '0';
        return;
    }
    for (uint32_t index = part->nibble; index < part->nibble + part->units; index++) {
        at[index / 2] = (uint8_t)(index % 2 == 0 ? at[index / 2] & 0x0fU : at[index / 2] & 0xf0U);
    }
}

static void positions_put(const pos_spec *spec, const pos_message *message, unsigned field,
                          pos_selection *selection, pos_writer *writer)
{
    const pos_field *place = &message->fields[field];
    pos_part part;
    pos_walk walk = pos_walk_begin(spec, message, field, selection);
    const pos_layout *layout = walk.layout;
    while (pos_walk_next(&walk, &part)) continue;
    if (walk.fault.status != POS_OK) {
        if (!layout->has_secrets) whole_put(message, field, writer);
        return;
    }
    whole_put(message, field, writer);
    if (writer->is_full || place->size == 0) return;
    uint8_t *value = writer->data + writer->size - place->size;
    walk = pos_walk_begin(spec, message, field, selection);
    while (pos_walk_next(&walk, &part)) {
        const bool is_shown = layout->has_kept ? part.is_kept
                                               : part.secrecy == POS_SECRECY_OPEN;
        if (!is_shown) part_cover(&part, value, place->offset);
    }
}

/* ---- the whole ----------------------------------------------------------------------------------------- */
void pos_field_redact(const pos_spec *spec, const pos_message *message, unsigned field,
                      pos_selection *selection, pos_writer *writer)
{
    const pos_form *form = &spec->forms[field];
    if (!form->is_kept) return;
    if (form->layout == 0) {
        whole_put(message, field, writer);
        return;
    }
    const pos_layout *layout = pos_layout_of(spec, message, field, selection);
    if (layout == NULL) { /* a choice, and none of it holds */
        if (!spec->layouts[form->layout - 1].has_secrets) whole_put(message, field, writer);
    } else if (layout->form == POS_LAYOUT_POSITIONAL) {
        positions_put(spec, message, field, selection, writer);
    } else {
        elements_put(spec, message, field, selection, writer);
    }
}

void pos_request_redact(const pos_spec *spec, const pos_rule *rule, const pos_message *message,
                        pos_writer *writer)
{
    assert(spec != NULL && message != NULL && writer != NULL);
    (void)rule; /* what is kept depends on the field alone, so far */
    pos_selection selection = {.asked = 0};
    for (unsigned word = 0; word < 2; word++) {
        uint64_t bits = message->bitmap[word];
        while (bits != 0) {
            const unsigned field = 64 * word + (unsigned)__builtin_ctzll(bits) + 1;
            bits &= bits - 1;
            pos_field_redact(spec, message, field, &selection, writer);
        }
    }
}
