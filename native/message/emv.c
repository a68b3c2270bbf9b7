/*
 * BER-TLV, as chip data comes: tags of one to four bytes, definite lengths, nested templates.
 *
 *   9F 26 | 08 | 8 bytes          5F 2A | 02 | 01 56          72 | 0F | { 9F 18 .. 86 .. }
 *   tag     length value          first byte: xx1xxxxx is a template, xxx11111 goes on
 *                                 length: 00..7F, or 81 nn, or 82 nn nn
 *
 * Rules. A template is given as a part, then what is in it, three deep at most. One that is marked as
 * a template and does not hold elements is a plain value: the electronic slip marks text so. Tags
 * without a definition are parts too. Source: ISO/IEC 7816-4, 5.2.2; EMV 4.3 book 3, annex B.
 */
#include "message/spec.h"

#include <assert.h>

#define TAG_SIZE_MAX 4U

/* Bytes of the tag at `at`, 0 where it does not end before `end` or is too long. */
static uint32_t tag_size_at(const uint8_t *data, uint32_t at, uint32_t end)
{
    if ((data[at] & 0x1fU) != 0x1fU) return 1;
    for (uint32_t size = 2; size <= TAG_SIZE_MAX && at + size <= end; size++) {
        if ((data[at + size - 1] & 0x80U) == 0) return size;
    }
    return 0;
}

/* Bytes of the length at `at`, 0 where it is not of its form or not all there. */
static uint32_t length_at(const uint8_t *data, uint32_t at, uint32_t end, uint32_t *length_out)
{
    if (at >= end) return 0;
    const uint8_t first = data[at];
    if (first < 0x80) {
        *length_out = first;
        return 1;
    }
    if (first == 0x81 && end - at >= 2) {
        *length_out = data[at + 1];
        return 2;
    }
    if (first == 0x82 && end - at >= 3) {
        *length_out = pos_load_u16_be(data + at + 1);
        return 3;
    }
    return 0;
}

/* One element at `at`; where it is not all there before `end`, what is wrong with it. */
typedef struct element {
    uint32_t tag;
    uint32_t tag_size;
    uint32_t start; /* of the value */
    uint32_t length;
    bool is_constructed;
    uint32_t bad_at; /* where the fault lies */
    const char *rule; /* NULL: all is well */
} element;

static element element_at(const uint8_t *data, uint32_t at, uint32_t end)
{
    assert(at < end);
    element found = {.is_constructed = (data[at] & 0x20U) != 0, .bad_at = at};
    found.tag_size = tag_size_at(data, at, end);
    if (found.tag_size == 0) {
        found.rule = "a tag of 1 to 4 bytes";
        return found;
    }
    const uint32_t length_offset = at + found.tag_size;
    const uint32_t length_size = length_at(data, length_offset, end, &found.length);
    found.bad_at = length_offset;
    if (length_size == 0) {
        found.rule = "a definite length";
        return found;
    }
    found.start = length_offset + length_size;
    found.bad_at = found.start;
    if (found.length > end - found.start) {
        found.rule = "value as long as its length";
        return found;
    }
    for (uint32_t index = 0; index < found.tag_size; index++) {
        found.tag = found.tag << 8 | data[at + index];
    }
    return found;
}

bool pos_ber_element(const uint8_t *data, uint32_t at, uint32_t end, uint32_t *start_out,
                     uint32_t *end_out)
{
    assert(at < end);
    const uint32_t tag_size = tag_size_at(data, at, end);
    uint32_t length = 0;
    const uint32_t length_size =
        tag_size == 0 ? 0 : length_at(data, at + tag_size, end, &length);
    if (length_size == 0) return false;
    const uint32_t start = at + tag_size + length_size;
    if (length > end - start) return false;
    *start_out = start;
    *end_out = start + length;
    return true;
}

/* Whether a template's content is elements, one after the other, to its end. */
static bool holds_elements(const uint8_t *data, uint32_t at, uint32_t end)
{
    while (at < end) {
        const element found = element_at(data, at, end);
        if (found.rule != NULL) return false;
        at = found.start + found.length;
    }
    return true;
}

bool pos_walk_next_ber(pos_walk *walk, pos_part *part_out)
{
    assert(walk->layout->form == POS_LAYOUT_BER);
    assert(walk->depth <= POS_TEMPLATE_DEPTH_MAX);
    const uint8_t *data = walk->view.data;
    while (walk->depth > 0 && walk->at == walk->ends[walk->depth - 1]) walk->depth--;
    const uint32_t end = walk->depth == 0 ? walk->view.size : walk->ends[walk->depth - 1];
    if (walk->at == end) return false;

    const element found = element_at(data, walk->at, end);
    if (found.rule != NULL) {
        return pos_walk_fails(walk, found.bad_at, found.length, end - found.bad_at, found.rule);
    }
    const uint16_t number = pos_layout_tag(walk->spec, walk->layout, found.tag);
    if (number == 0 && walk->layout->refuses_unknown) {
        return pos_walk_fails(walk, walk->at, 0, end - walk->at, "a tag of the layout");
    }
    const pos_part_form *form = number == 0 ? NULL
                                            : pos_part_form_of(walk->spec, walk->layout, number);
    *part_out = (pos_part){
        .offset = (uint32_t)(data - walk->body) + found.start,
        .size = found.length, .units = found.length,
        .number = number, .content = POS_CONTENT_B, .encoding = POS_CODE_BINARY,
        .secrecy = form == NULL ? POS_SECRECY_SECRET : form->secrecy,
        .is_kept = form != NULL && form->is_kept, .depth = walk->depth,
        .name = form == NULL ? NULL : form->name, .name_zh = form == NULL ? NULL : form->name_zh,
    };
    pos_hex_from_bytes(data + walk->at, found.tag_size, part_out->tag);
    walk->ordinal++;
    walk->at = found.start + found.length;
    const bool is_open = found.is_constructed && found.length > 0
                         && walk->depth < POS_TEMPLATE_DEPTH_MAX
                         && holds_elements(data, found.start, walk->at);
    if (is_open) {
        part_out->is_constructed = true;
        walk->ends[walk->depth] = walk->at;
        walk->depth++;
        walk->at = found.start;
    }
    return true;
}
