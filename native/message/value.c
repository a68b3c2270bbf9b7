/*
 * Values on the wire and in their plain dress.
 *
 *   content  encoding             wire                      plain
 *   n        bcd                  0 | 1 2 | 3  (odd, right)  "123"      digits
 *   z        bcd                  1 2 | D 3                  "12D3"     hex digits, D separates
 *   xn       bcd                  'C' | 0 1 | 2 3            "C0123"    sign, then digits
 *   n a an   ascii, ebcdic        a character a unit         characters
 *   ans      gb18030              bytes 80 to FE too         the same bytes (not looked into)
 *   b        binary, hex          a byte, two characters     bytes
 *
 * Rules. The nibble that fills an odd count is never judged. A BCD track may hold any nibble, since
 * terminals encipher a part of it in place. A view never outlives its message.
 */
#include "message/judge.h"
#include "message/spec.h"

#include <assert.h>

uint32_t pos_units_size(uint8_t content, uint8_t encoding, uint32_t units)
{
    if (encoding == POS_CODE_HEX || encoding == POS_CODE_HEX_EBCDIC) return 2 * units;
    if (encoding != POS_CODE_BCD) return units;
    if (content == POS_CONTENT_XN) return units == 0 ? 0 : 1 + units / 2;
    return (units + 1) / 2;
}

uint8_t pos_code_character(uint8_t encoding, uint8_t byte)
{
    const bool is_ebcdic = encoding == POS_CODE_EBCDIC || encoding == POS_CODE_HEX_EBCDIC;
    return is_ebcdic ? pos_ebcdic_to_ascii(byte) : byte;
}

/* judge.h says what the bits are. */
const uint8_t pos_character_classes[256] = {
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x0c, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08,
    0x69, 0x69, 0x69, 0x69, 0x69, 0x69, 0x69, 0x69, 0x69, 0x69, 0x08, 0x08, 0x08, 0x28, 0x08, 0x08,
    0x08, 0x4a, 0x4a, 0xca, 0xea, 0x4a, 0x4a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a,
    0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x08, 0x08, 0x08, 0x08, 0x08,
    0x08, 0x4a, 0x4a, 0x4a, 0x4a, 0x4a, 0x4a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a,
    0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x08, 0x08, 0x08, 0x08, 0x00,
    0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
    0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
    0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
    0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
    0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
    0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
    0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
    0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x00,
};

/* Two digits of a byte as a number. */
const uint8_t pos_pair_values[256] = {
       0,    1,    2,    3,    4,    5,    6,    7,    8,    9, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
      10,   11,   12,   13,   14,   15,   16,   17,   18,   19, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
      20,   21,   22,   23,   24,   25,   26,   27,   28,   29, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
      30,   31,   32,   33,   34,   35,   36,   37,   38,   39, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
      40,   41,   42,   43,   44,   45,   46,   47,   48,   49, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
      50,   51,   52,   53,   54,   55,   56,   57,   58,   59, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
      60,   61,   62,   63,   64,   65,   66,   67,   68,   69, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
      70,   71,   72,   73,   74,   75,   76,   77,   78,   79, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
      80,   81,   82,   83,   84,   85,   86,   87,   88,   89, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
      90,   91,   92,   93,   94,   95,   96,   97,   98,   99, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
};

uint8_t pos_classes_of(uint8_t content, uint8_t encoding)
{
    switch (content) {
    case POS_CONTENT_N:
    case POS_CONTENT_XN: return POS_IS_DIGIT;
    case POS_CONTENT_A: return POS_IS_LETTER | POS_IS_BLANK;
    case POS_CONTENT_AN: return POS_IS_LETTER | POS_IS_DIGIT | POS_IS_BLANK;
    case POS_CONTENT_ANS:
        return encoding == POS_CODE_GB18030 ? POS_IS_PRINTABLE | POS_IS_HIGH : POS_IS_PRINTABLE;
    case POS_CONTENT_Z: return POS_IS_TRACK;
    default:
        return encoding == POS_CODE_HEX || encoding == POS_CODE_HEX_EBCDIC ? POS_IS_HEX : 0xff;
    }
}

static bool is_digit(uint8_t character)
{
    return (pos_character_classes[character] & POS_IS_DIGIT) != 0;
}

bool pos_content_allows(uint8_t content, uint8_t encoding, uint8_t character)
{
    return content == POS_CONTENT_B
           || (pos_character_classes[character] & pos_classes_of(content, encoding)) != 0;
}

static int hex_digit(uint8_t character)
{
    if (character >= '0' && character <= '9') return character - '0';
    if (character >= 'A' && character <= 'F') return character - 'A' + 10;
    if (character >= 'a' && character <= 'f') return character - 'a' + 10;
    return -1;
}

static uint8_t nibble_of(const pos_view *view, uint32_t index)
{
    const uint32_t at = view->nibble + index;
    const uint8_t byte = view->data[at / 2];
    return at % 2 == 0 ? (uint8_t)(byte >> 4) : (uint8_t)(byte & 0x0fU);
}

static bool is_sign(uint8_t character)
{
    return character == 'C' || character == 'D';
}

/* The digits of an xn in BCD, without the sign before them. */
static pos_view digits_after_sign(const pos_view *view)
{
    pos_view digits = *view;
    digits.content = POS_CONTENT_N;
    digits.data += 1;
    digits.size -= 1;
    digits.units -= 1;
    return digits;
}

static bool is_pair(uint8_t byte)
{
    return (byte & 0x0fU) <= 9 && byte <= 0x99;
}

/* Byte by byte, both digits at once; the first and the last may hold one alone. */
static uint32_t bcd_fault(const pos_view *view)
{
    if (view->content == POS_CONTENT_Z) return view->size;
    const uint32_t last = view->nibble + view->units; /* the nibble after the last digit */
    uint32_t at = 0;
    if (view->nibble == 1 && view->units > 0) {
        if ((view->data[0] & 0x0fU) > 9) return 0;
        at = 1;
    }
    if (at < last / 2 && !pos_pairs_hold(view->data + at, last / 2 - at)) {
        while (is_pair(view->data[at])) at++;
        return at;
    }
    at = last / 2;
    if (last % 2 == 1 && at == last / 2 && view->data[at] >> 4 > 9) return at;
    return view->size;
}

uint32_t pos_view_fault(const pos_view *view)
{
    assert(view->content != POS_CONTENT_NONE && view->content < POS_CONTENT_COUNT);
    if (view->encoding == POS_CODE_BINARY || view->size == 0) return view->size;
    const bool is_signed = view->content == POS_CONTENT_XN;
    if (view->encoding == POS_CODE_BCD) {
        if (!is_signed) return bcd_fault(view);
        if (!is_sign(view->data[0])) return 0;
        const pos_view digits = digits_after_sign(view);
        return 1 + bcd_fault(&digits);
    }
    const uint8_t allowed = pos_classes_of(view->content, view->encoding);
    uint32_t index = 0;
    if (is_signed) {
        if (!is_sign(pos_code_character(view->encoding, view->data[0]))) return 0;
        index = 1;
    }
    if (view->encoding == POS_CODE_EBCDIC || view->encoding == POS_CODE_HEX_EBCDIC) {
        for (; index < view->size; index++) {
            const uint8_t character = pos_ebcdic_to_ascii(view->data[index]);
            if ((pos_character_classes[character] & allowed) == 0) break;
        }
    } else {
        if (pos_characters_hold(view->data + index, view->size - index, allowed)) return view->size;
        while ((pos_character_classes[view->data[index]] & allowed) != 0) index++;
    }
    return index;
}

pos_view pos_field_view(const pos_spec *spec, const pos_message *message, unsigned field)
{
    assert(pos_message_has(message, field));
    const pos_form *form = &spec->forms[field];
    const pos_field *place = &message->fields[field];
    const bool is_bcd = form->encoding == POS_CODE_BCD;
    const uint32_t digits = place->units - (form->content == POS_CONTENT_XN ? 1U : 0U);
    return (pos_view){
        .data = message->body + place->offset,
        .size = place->size,
        .units = place->units,
        .nibble = is_bcd && form->is_right && digits % 2 == 1 ? 1 : 0,
        .content = form->content,
        .encoding = form->encoding,
    };
}

static size_t bcd_text(const pos_view *view, uint8_t *text_out)
{
    static const char HEX[] = "0123456789ABCDEF";
    for (uint32_t index = 0; index < view->units; index++) {
        text_out[index] = (uint8_t)HEX[nibble_of(view, index)];
    }
    return view->units;
}

size_t pos_view_text(const pos_view *view, uint8_t *text_out)
{
    assert(text_out != NULL);
    assert(view->encoding != POS_CODE_NONE);
    if (view->encoding == POS_CODE_BCD) {
        if (view->content != POS_CONTENT_XN) return bcd_text(view, text_out);
        if (view->units == 0) return 0;
        const pos_view digits = digits_after_sign(view);
        text_out[0] = view->data[0];
        return 1 + bcd_text(&digits, text_out + 1);
    }
    if (view->encoding == POS_CODE_HEX || view->encoding == POS_CODE_HEX_EBCDIC) {
        for (uint32_t index = 0; index < view->units; index++) {
            const int high = hex_digit(pos_code_character(view->encoding, view->data[2 * index]));
            const int low = hex_digit(pos_code_character(view->encoding, view->data[2 * index + 1]));
            text_out[index] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
        }
        return view->units;
    }
    for (uint32_t index = 0; index < view->size; index++) {
        text_out[index] = pos_code_character(view->encoding, view->data[index]);
    }
    return view->size;
}

bool pos_view_number(const pos_view *view, uint64_t *value_out)
{
    assert(value_out != NULL);
    if (view->units == 0 || view->units > 18 || view->content == POS_CONTENT_XN) return false;
    if (view->encoding == POS_CODE_BCD) {
        if (!pos_bcd_is_digits(view->data, view->nibble, view->units)) return false;
        *value_out = pos_bcd_number(view->data, view->nibble, view->units);
        return true;
    }
    if (view->encoding == POS_CODE_HEX || view->encoding == POS_CODE_HEX_EBCDIC) return false;
    uint64_t value = 0;
    for (uint32_t index = 0; index < view->size; index++) {
        const uint8_t character = pos_code_character(view->encoding, view->data[index]);
        if (!is_digit(character)) return false;
        value = value * 10 + (uint64_t)(character - '0');
    }
    *value_out = value;
    return true;
}

size_t pos_message_value(const pos_spec *spec, const pos_message *message, unsigned field,
                         uint8_t text_out[POS_VALUE_SIZE_MAX])
{
    assert(spec != NULL && message != NULL && text_out != NULL);
    if (!pos_message_has(message, field)) return 0;
    const pos_view view = pos_field_view(spec, message, field);
    return pos_view_text(&view, text_out);
}
