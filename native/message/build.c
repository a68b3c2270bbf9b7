/*
 * Building: values in their plain dress into a body, the reverse of parse.c.
 *
 *   MTI │ bitmap │ prefix value │ prefix value │ ...         each value checked, dressed, filled
 *
 * Rules. What is shorter than its fixed field is filled: digits at their left with 0, text on the
 * side that the dialect says; tracks and bytes never. What was built is parsed before it is given
 * back, so what this writes, parse reads.
 */
#include "message/spec.h"

#include <assert.h>

static pos_status fails(pos_fault *fault_out, pos_status status, unsigned field, uint32_t at,
                        const char *rule)
{
    if (fault_out != NULL) {
        *fault_out = (pos_fault){
            .status = status, .field = (uint16_t)field, .offset = at, .rule = rule,
        };
    }
    return status;
}

/* ---- one field --------------------------------------------------------------------------------------- */
static bool is_text(uint8_t content)
{
    return content == POS_CONTENT_A || content == POS_CONTENT_AN || content == POS_CONTENT_ANS;
}

/* Whether every character of a plain value is of the field's content and can be dressed. */
static bool plain_is_right(const pos_form *form, const uint8_t *value, size_t size)
{
    if (form->content == POS_CONTENT_B) return true;
    for (size_t index = 0; index < size; index++) {
        const uint8_t character = value[index];
        bool is_right = pos_content_allows(form->content, form->encoding, character);
        if (form->content == POS_CONTENT_XN && index == 0) {
            is_right = character == 'C' || character == 'D';
        }
        if (form->content == POS_CONTENT_Z && form->encoding == POS_CODE_BCD) {
            /* An enciphered part of a track is any nibbles. */
            is_right = is_right || (character >= 'A' && character <= 'F');
        }
        if (!is_right) return false;
    }
    return true;
}

static void prefix_write(const pos_form *form, uint32_t number, pos_writer *writer)
{
    uint8_t bytes[4];
    const uint32_t size = form->prefix_size;
    assert(size <= sizeof bytes);
    if (form->prefix_encoding == POS_CODE_BINARY) {
        for (uint32_t index = size; index > 0; index--) {
            pos_writer_u8(writer, (uint8_t)(number >> (8 * (index - 1))));
        }
        return;
    }
    if (form->prefix_encoding == POS_CODE_BCD) {
        pos_bcd_from_number(number, bytes, size);
        pos_writer_put(writer, bytes, size);
        return;
    }
    const bool is_ebcdic = form->prefix_encoding == POS_CODE_EBCDIC;
    pos_ascii_from_number(number, (char *)bytes, size);
    for (uint32_t index = 0; index < size; index++) {
        pos_writer_u8(writer, is_ebcdic ? pos_ebcdic_from_ascii(bytes[index]) : bytes[index]);
    }
}

/* Whether a length prefix can say `number`. */
static bool number_fits(const pos_form *form, uint32_t number)
{
    if (form->prefix_digits == 0) return true;
    if (form->prefix_encoding == POS_CODE_BINARY) {
        return form->prefix_size >= 4 || number < (uint32_t)1 << (8 * form->prefix_size);
    }
    static const uint32_t LIMITS[5] = {0, 9, 99, 999, 9999};
    /* A BCD prefix has whole bytes: one of three digits is four nibbles. */
    return number <= LIMITS[form->prefix_digits];
}

static unsigned plain_nibble(uint8_t character)
{
    if (character == '=') return 13;
    return character <= '9' ? (unsigned)(character - '0') : (unsigned)(character - 'A') + 10;
}

/* `zeros` and then the digits, two a byte; an odd count has the filler beside it. */
static void digits_write(const pos_form *form, const uint8_t *value, uint32_t size, uint32_t zeros,
                         pos_writer *writer)
{
    const uint32_t count = zeros + size;
    const uint32_t first = count % 2 == 1 && form->is_right ? 1 : 0;
    for (uint32_t at = 0; at < first + count; at += 2) {
        unsigned pair[2];
        for (uint32_t half = 0; half < 2; half++) {
            const uint32_t index = at + half - first; /* wraps before the first: a filler */
            if (at + half < first || index >= count) pair[half] = form->filler;
            else pair[half] = index < zeros ? 0 : plain_nibble(value[index - zeros]);
        }
        pos_writer_u8(writer, (uint8_t)(pair[0] << 4 | pair[1]));
    }
}

static void bytes_write(uint8_t encoding, const uint8_t *value, uint32_t size, pos_writer *writer)
{
    const bool is_hex = encoding == POS_CODE_HEX || encoding == POS_CODE_HEX_EBCDIC;
    const bool is_ebcdic = encoding == POS_CODE_EBCDIC || encoding == POS_CODE_HEX_EBCDIC;
    if (!is_hex && !is_ebcdic) {
        pos_writer_put(writer, value, size);
        return;
    }
    for (uint32_t index = 0; index < size; index++) {
        char pair[2] = {(char)value[index], 0};
        if (is_hex) pos_hex_from_bytes(value + index, 1, pair);
        for (unsigned each = 0; each < (is_hex ? 2U : 1U); each++) {
            const uint8_t character = (uint8_t)pair[each];
            pos_writer_u8(writer, is_ebcdic ? pos_ebcdic_from_ascii(character) : character);
        }
    }
}

/* Characters or bytes, and what fills a short fixed field: digits with 0 at their left. */
static void text_write(const pos_form *form, const uint8_t *value, uint32_t size, uint32_t fill,
                       pos_writer *writer)
{
    const bool is_digits = form->content == POS_CONTENT_N;
    const bool fills_left = is_digits || form->is_right;
    const uint8_t character = is_digits ? (uint8_t)'0' : form->filler;
    const bool is_ebcdic = form->encoding == POS_CODE_EBCDIC;
    const uint8_t filler = is_ebcdic ? pos_ebcdic_from_ascii(character) : character;
    if (fills_left) pos_writer_fill(writer, filler, fill);
    bytes_write(form->encoding, value, size, writer);
    if (!fills_left) pos_writer_fill(writer, filler, fill);
}

pos_status pos_field_write(const pos_form *form, unsigned field, const uint8_t *value,
                           size_t size, pos_writer *writer, pos_fault *fault_out)
{
    assert(form->content != POS_CONTENT_NONE);
    assert(value != NULL || size == 0);

    const uint32_t at = (uint32_t)writer->size;
    const bool is_fixed = form->prefix_digits == 0;
    const bool is_digits = form->content == POS_CONTENT_N;
    const bool is_filled = is_fixed && size < form->size_max
                           && (is_digits || is_text(form->content));
    if (size > form->size_max || (size < form->size_min && !is_filled)) {
        return fails(fault_out, POS_FIELD_LENGTH, field, at, form->rule);
    }
    if (!plain_is_right(form, value, size)) {
        return fails(fault_out, POS_FIELD_VALUE, field, at, form->rule);
    }
    const uint32_t units = is_filled ? form->size_max : (uint32_t)size;
    const uint32_t bytes = pos_units_size(form->content, form->encoding, units);
    const uint32_t number = form->counts_bytes ? bytes : units;
    if (!number_fits(form, number)) {
        return fails(fault_out, POS_FIELD_LENGTH, field, at, form->rule);
    }
    if (!is_fixed) prefix_write(form, number, writer);

    const uint32_t fill = units - (uint32_t)size;
    if (form->encoding != POS_CODE_BCD) {
        text_write(form, value, (uint32_t)size, fill, writer);
    } else if (form->content != POS_CONTENT_XN) {
        digits_write(form, value, (uint32_t)size, fill, writer);
    } else if (size > 0) {
        pos_writer_u8(writer, value[0]);
        digits_write(form, value + 1, (uint32_t)size - 1, 0, writer);
    }
    return POS_OK;
}

/* ---- MTI and bitmap ------------------------------------------------------------------------------------ */
void pos_head_write(const pos_spec *spec, uint16_t mti, const uint64_t bitmap[2],
                    pos_writer *writer)
{
    uint8_t bytes[16] = {0};
    const bool has_second = spec->has_both_bitmaps || bitmap[1] != 0;
    assert(!has_second || spec->field_max == 128);
    for (unsigned field = 2; field <= spec->field_max; field++) {
        if (!pos_bitmap_has(bitmap, field)) continue;
        bytes[(field - 1) / 8] |= (uint8_t)(0x80U >> ((field - 1) % 8));
    }
    if (has_second && !spec->has_both_bitmaps) bytes[0] |= 0x80U;
    if (spec->mti_encoding == POS_CODE_BCD) {
        pos_writer_u16_be(writer, mti);
    } else {
        for (unsigned shift = 16; shift > 0; shift -= 4) {
            const uint8_t digit = (uint8_t)('0' + ((unsigned)(mti >> (shift - 4)) & 0x0fU));
            pos_writer_u8(writer, spec->mti_encoding == POS_CODE_EBCDIC
                                      ? pos_ebcdic_from_ascii(digit) : digit);
        }
    }
    bytes_write(spec->bitmap_encoding, bytes, has_second ? 16 : 8, writer);
}

/* ---- a whole body ------------------------------------------------------------------------------------------ */
static bool mti_is_right(const pos_spec *spec, uint16_t mti)
{
    for (unsigned shift = 0; shift < 16; shift += 4) {
        if (((unsigned)(mti >> shift) & 0x0fU) > 9) return false;
    }
    return spec->version == 0xff || (mti >> 12) == spec->version;
}

static pos_status values_bitmap(const pos_spec *spec, const pos_value *values, size_t count,
                                uint64_t bitmap_out[2], pos_fault *fault_out)
{
    unsigned before = 1;
    for (size_t index = 0; index < count; index++) {
        const unsigned field = values[index].field;
        if (field > POS_FIELD_MAX || field < 2
            || spec->forms[field].content == POS_CONTENT_NONE) {
            return fails(fault_out, POS_FIELD_UNKNOWN, field, 0, "not defined in the dialect");
        }
        if (field <= before) {
            return fails(fault_out, POS_ARGUMENT, field, 0, "values ascend by field");
        }
        pos_bitmap_set(bitmap_out, field);
        before = field;
    }
    return POS_OK;
}

pos_status pos_message_build(const pos_spec *spec, uint16_t mti, const pos_value *values,
                             size_t value_count, uint8_t *body_out, size_t capacity,
                             size_t *size_out, pos_fault *fault_out)
{
    assert(spec != NULL && body_out != NULL && size_out != NULL);
    assert(values != NULL || value_count == 0);

    if (!mti_is_right(spec, mti)) {
        return fails(fault_out, POS_FIELD_MTI, 0, 0, "message type, version of the dialect");
    }
    uint64_t bitmap[2] = {0, 0};
    pos_status status = values_bitmap(spec, values, value_count, bitmap, fault_out);
    if (status != POS_OK) return status;

    pos_writer writer = pos_writer_over(body_out, capacity);
    pos_head_write(spec, mti, bitmap, &writer);
    for (size_t index = 0; index < value_count; index++) {
        const pos_value *value = &values[index];
        status = pos_field_write(&spec->forms[value->field], value->field, value->value,
                                 value->size, &writer, fault_out);
        if (status != POS_OK) return status;
    }
    if (writer.is_full) return fails(fault_out, POS_ARGUMENT, 0, 0, "no longer than a frame");

    pos_message message;
    pos_fault fault;
    status = pos_message_parse(spec, body_out, writer.size, &message, &fault);
    if (status != POS_OK) {
        if (fault_out != NULL) {
            *fault_out = fault;
            fault_out->status = POS_FIELD_VALUE;
        }
        return POS_FIELD_VALUE;
    }
    *size_out = writer.size;
    return POS_OK;
}
