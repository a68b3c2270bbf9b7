/*
 * Frames: the bytes of one line, cut into messages.
 *
 *   ┌──────────┬─────────────────────────────┬────────────┬──────────────┐
 *   │ length   │ TPDU                        │ header     │ body         │
 *   │ style of │ id, destination NII, origin │ of the     │ MTI, bitmap, │
 *   │ dialect  │ NII: 1 + 2 + 2 bytes        │ dialect    │ fields       │
 *   └──────────┴─────────────────────────────┴────────────┴──────────────┘
 *   the length counts what follows it or, where the shape says so, itself too.
 *
 * Rules. The length is judged before its bytes are waited for, so a hostile one buffers nothing.
 * A reply goes back where its request came from: destination and origin change places. In a
 * UnionPay header every nibble is a digit but the requirement (low nibble of byte 3), which the
 * host sets and a terminal acts upon.
 */
#include "wire/wire.h"

#include <assert.h>

#define LENGTH_DIGITS_MAX 9999U
#define HEADER_REQUIREMENT_BYTE 2U
#define HEADER_UNIONPAY_SIZE 6U
#define HEADER_REQUIREMENT_MASK (UINT64_C(0xf) << 24)

/* Bytes of the length itself, by style. */
static const uint8_t LENGTH_SIZES[POS_LENGTH_STYLE_COUNT] = {
    [POS_LENGTH_NONE] = 0,   [POS_LENGTH_U8] = 1,     [POS_LENGTH_U16_BE] = 2,
    [POS_LENGTH_U16_LE] = 2, [POS_LENGTH_U32_BE] = 4, [POS_LENGTH_BCD_2] = 2,
    [POS_LENGTH_ASCII_4] = 4,
};

/* False where the bytes are no number in their style. */
static bool length_read(uint8_t style, const uint8_t *input, uint32_t *length_out)
{
    assert(style > POS_LENGTH_NONE && style < POS_LENGTH_STYLE_COUNT);
    switch (style) {
    case POS_LENGTH_U8: *length_out = input[0]; return true;
    case POS_LENGTH_U16_BE: *length_out = pos_load_u16_be(input); return true;
    case POS_LENGTH_U16_LE: *length_out = pos_load_u16_le(input); return true;
    case POS_LENGTH_U32_BE: *length_out = pos_load_u32_be(input); return true;
    case POS_LENGTH_BCD_2:
        if (!pos_bcd_is_digits(input, 0, 4)) return false;
        *length_out = (uint32_t)pos_bcd_number(input, 0, 4);
        return true;
    default:
        if (!pos_ascii_is_digits(input, 4)) return false;
        *length_out = (uint32_t)pos_ascii_number(input, 4);
        return true;
    }
}

static void length_write(uint8_t style, uint32_t length, uint8_t *output)
{
    assert(style < POS_LENGTH_STYLE_COUNT);
    switch (style) {
    case POS_LENGTH_NONE: return;
    case POS_LENGTH_U8: output[0] = (uint8_t)length; return;
    case POS_LENGTH_U16_BE: pos_store_u16_be(output, (uint16_t)length); return;
    case POS_LENGTH_U16_LE: pos_store_u16_le(output, (uint16_t)length); return;
    case POS_LENGTH_U32_BE: pos_store_u32_be(output, length); return;
    case POS_LENGTH_BCD_2: pos_bcd_from_number(length, output, 2); return;
    default: pos_ascii_from_number(length, (char *)output, 4); return;
    }
}

/* The largest number that a style can write. */
static uint32_t length_max(uint8_t style)
{
    if (style == POS_LENGTH_U8) return UINT8_MAX;
    if (style == POS_LENGTH_U16_BE || style == POS_LENGTH_U16_LE) return UINT16_MAX;
    if (style == POS_LENGTH_BCD_2 || style == POS_LENGTH_ASCII_4) return LENGTH_DIGITS_MAX;
    return UINT32_MAX;
}

/* Every nibble is a digit, the requirement's excepted. */
static bool header_is_unionpay(const uint8_t *header, size_t size)
{
    if (size == HEADER_UNIONPAY_SIZE) {
        /* Six digits more carry out of a nibble just where it was no digit. */
        const uint64_t sixes = UINT64_C(0x666666666666);
        const uint64_t carries = UINT64_C(0x1111111111110);
        const uint64_t nibbles = ((uint64_t)pos_load_u32_be(header) << 16
                                  | pos_load_u16_be(header + 4))
                                 & ~HEADER_REQUIREMENT_MASK;
        return (((nibbles + sixes) ^ nibbles ^ sixes) & carries) == 0;
    }
    for (size_t nibble = 0; nibble < 2 * size; nibble++) {
        if (nibble == 2 * HEADER_REQUIREMENT_BYTE + 1) continue;
        if (!pos_bcd_is_digits(header, nibble, 1)) return false;
    }
    return true;
}

/* What the length header says is to follow it; judged. */
static pos_status rest_size(const pos_frame_shape *shape, const uint8_t *input, size_t size,
                            uint32_t *rest_out)
{
    const uint8_t length_size = LENGTH_SIZES[shape->length_style];
    if (size < length_size || size == 0) return POS_NEED_MORE;
    uint32_t rest = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
    if (length_size > 0) {
        if (!length_read(shape->length_style, input, &rest)) return POS_FRAME_LENGTH;
        if (shape->counts_all) {
            if (rest < length_size) return POS_FRAME_UNDERSIZE;
            rest -= length_size;
        }
    }
    const uint32_t rest_min = (shape->has_tpdu ? POS_TPDU_SIZE : 0U) + shape->header_size
                              + shape->body_size_min;
    if (rest > shape->size_max) return POS_FRAME_OVERSIZE;
    if (rest < rest_min) return POS_FRAME_UNDERSIZE;
    *rest_out = rest;
    return POS_OK;
}

pos_status pos_frame_next(const pos_spec *spec, const uint8_t *input, size_t size,
                          pos_frame *frame_out)
{
    assert(spec != NULL && frame_out != NULL);
    assert(input != NULL || size == 0);

    const pos_frame_shape *shape = pos_spec_frame_shape(spec);
    uint32_t rest;
    const pos_status status = rest_size(shape, input, size, &rest);
    if (status != POS_OK) return status;

    const uint32_t length_size = LENGTH_SIZES[shape->length_style];
    if (size - length_size < rest) return POS_NEED_MORE;

    pos_frame frame = {.size = length_size + rest};
    const uint8_t *at = input + length_size;
    if (shape->has_tpdu) {
        if (at[0] != shape->tpdu_id) return POS_FRAME_TPDU;
        frame.tpdu = at;
        at += POS_TPDU_SIZE;
    }
    if (shape->header_size > 0) {
        if (shape->header_kind == POS_HEADER_UNIONPAY
            && !header_is_unionpay(at, shape->header_size)) {
            return POS_FRAME_HEADER;
        }
        frame.header = at;
        frame.header_size = shape->header_size;
        at += shape->header_size;
    }
    frame.body = at;
    frame.body_size = (uint32_t)(input + frame.size - at);
    assert(frame.body_size >= shape->body_size_min);
    *frame_out = frame;
    return POS_OK;
}

pos_status pos_frame_wrap(const pos_spec *spec, const pos_frame *request, uint8_t requirement,
                          size_t body_size, uint8_t overhead_out[POS_FRAME_OVERHEAD_MAX],
                          size_t *size_out)
{
    assert(spec != NULL && overhead_out != NULL && size_out != NULL);
    assert(requirement <= 0x0f);

    const pos_frame_shape *shape = pos_spec_frame_shape(spec);
    const uint32_t length_size = LENGTH_SIZES[shape->length_style];
    const uint32_t tpdu_size = shape->has_tpdu ? POS_TPDU_SIZE : 0;
    const uint32_t overhead = length_size + tpdu_size + shape->header_size;
    assert(overhead <= POS_FRAME_OVERHEAD_MAX);
    if (body_size > shape->size_max - tpdu_size - shape->header_size) return POS_FRAME_OVERSIZE;

    const uint32_t rest = tpdu_size + shape->header_size + (uint32_t)body_size;
    const uint32_t length = shape->counts_all ? rest + length_size : rest;
    if (length > length_max(shape->length_style)) return POS_FRAME_OVERSIZE;
    length_write(shape->length_style, length, overhead_out);

    uint8_t *at = overhead_out + length_size;
    if (shape->has_tpdu) {
        const bool is_reply = request != NULL && request->tpdu != NULL;
        const uint8_t *tpdu = is_reply ? request->tpdu : shape->tpdu_default;
        at[0] = tpdu[0];
        pos_copy(at + 1, tpdu + (is_reply ? 3 : 1), 2);
        pos_copy(at + 3, tpdu + (is_reply ? 1 : 3), 2);
        at += POS_TPDU_SIZE;
    }
    if (shape->header_size > 0) {
        const bool is_reply = request != NULL && request->header_size == shape->header_size;
        pos_copy(at, is_reply ? request->header : shape->header_default, shape->header_size);
        if (shape->header_kind == POS_HEADER_UNIONPAY) {
            uint8_t *byte = at + HEADER_REQUIREMENT_BYTE;
            *byte = (uint8_t)((*byte & 0xf0U) | requirement);
        }
    }
    *size_out = overhead;
    return POS_OK;
}
