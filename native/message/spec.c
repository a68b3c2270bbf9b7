/*
 * The spec image: a dialect compiled from TOML by posengine.codec.compile, read here.
 *
 *   ┌────────┬────────┬─────────┬───────┬──────────┬─────────┬───────┬───────┬──────┬──────┐
 *   │ header │ fields │ layouts │ parts │ variants │ matches │ rules │ roles │ keys │ heap │
 *   └────────┴────────┴─────────┴───────┴──────────┴─────────┴───────┴───────┴──────┴──────┘
 *
 * Numbers are little-endian; bytes that no table below names are zero. Strings are offsets into
 * the heap, UTF-8, NUL-terminated; offset 0 is the empty string. Counts from 1 say 0 for none.
 *
 * Header, 256 bytes
 *     0  magic "POSSPEC" NUL          8  u32 version, 1            12  u32 size of the image
 *    16  u32 CRC-32C of the image with these four bytes zero       20  u32 zero
 *    24  digest of the image by its maker, 16 bytes
 *    40  nine times u32 offset, u32 count (of the heap: bytes), in the order drawn above
 *   112  strings: u32 name, u32 title, u32 title in Chinese, u32 source
 *   128  u8 length style    129  u8 length counts itself    130  u8 has TPDU    131  u8 TPDU id
 *   132  TPDU default, 5    137  u8 header kind    138  u8 header size    140  header default, 48
 *   188  u32 frame size max
 *   192  u8 MTI encoding    193  u8 version digit, 255 any    194  u8 bitmap encoding
 *   195  u8 field max, 64 or 128    196  u8 MAC field, u8 second MAC field
 *   198  u8 MAC algorithm    199  u8 MAC output, 1 hex    200  u8 MAC size
 *   201  u8 both bitmaps are always there
 * Field, 32
 *     0  u8 number   1 u8 content   2 u8 encoding   3 u8 prefix digits   4 u8 prefix encoding
 *     5  u8 prefix counts bytes   6 u8 right justified   7 u8 filler   8 u8 secrecy   9 u8 kept
 *    10  u16 layout from 1   12 u16 size min   14 u16 size max
 *    16  strings: u32 name, u32 name in Chinese, u32 rule   28 u8 prefix size in bytes
 * Layout, 24
 *     0  u8 form   1 u8 flags: 1 strict, 2 refuses unknown tags
 *     2  u8 tag size   3 u8 length size   4 u8 count digits
 *     6  u16 first, u16 count (parts; of a choice: variants)   10  u16 first, u16 count of a group
 *    16  string: u32 name
 * Part, 32
 *     0  u8 content   1 u8 secrecy   2 u8 flags: 1 optional, 2 kept, 4 takes the rest
 *     3  u8 meaning   4 u16 size   8 u32 tag, ascending   12 strings: u32 name, u32 name in Chinese, u32 rule
 * Variant, 8      0  u16 layout from 1   2 u16 first match, u16 count
 * Match, 12       0  u8 selector   4 u32 value   8 u32 mask
 * Rule, 96
 *     0  u8 kind   1 u8 flags: 1 request has MAC, 2 answer has MAC, 4 repeatable
 *     2  u16 MTI   4 u16 answer MTI   6 u16 first match, u16 count
 *    12  strings: u32 name, u32 name in Chinese
 *    32  bitmaps, two u64 each: mandatory, allowed, echoed, supplied
 * Role, 8         0  u8 role   1 u8 field   4 string: u32 name or tag of a part
 * Key block, 32
 *     0  u16 network   2 u16 size   4 u8 cipher
 *     8  three times (PIK, MAK, TDK) u16 offset, size, check offset, check size
 *
 * Rules. Every offset, count, number and string is checked here, once, so that nothing after it
 * checks again; an image from a hostile hand is refused or does no harm. One allocation, and one for
 * the plans (plan.c).
 */
#include "message/judge.h"
#include "message/spec.h"

#include <assert.h>
#include <stdlib.h>

#define IMAGE_VERSION 1U
#define IMAGE_SIZE_MAX (4U << 20) /* far above any dialect; below it, u32 arithmetic is safe */
#define HEADER_SIZE 256U
#define CRC_OFFSET 16U
#define DIGEST_OFFSET 24U
#define SECTIONS_OFFSET 40U
#define STRINGS_OFFSET 112U
#define FRAME_OFFSET 128U
#define MESSAGE_OFFSET 192U
#define UNITS_MAX 9999U
#define FRAME_SIZE_MAX 65535U /* places of fields, in templates and in columns are u16 */

static const uint8_t MAGIC[8] = "POSSPEC";

typedef enum section {
    SECTION_FIELDS,
    SECTION_LAYOUTS,
    SECTION_PARTS,
    SECTION_VARIANTS,
    SECTION_MATCHES,
    SECTION_RULES,
    SECTION_ROLES,
    SECTION_KEYS,
    SECTION_HEAP,
    SECTION_COUNT
} section;

static const struct {
    uint32_t record_size;
    uint32_t count_max;
} SECTIONS[SECTION_COUNT] = {
    [SECTION_FIELDS] = {32, POS_FIELD_MAX}, [SECTION_LAYOUTS] = {24, 256},
    [SECTION_PARTS] = {32, 4096},           [SECTION_VARIANTS] = {8, 256},
    [SECTION_MATCHES] = {12, 4096},         [SECTION_RULES] = {96, 512},
    [SECTION_ROLES] = {8, POS_ROLE_COUNT},  [SECTION_KEYS] = {32, 64},
    [SECTION_HEAP] = {1, 1U << 20},
};

typedef struct image {
    const uint8_t *data;
    const uint8_t *at[SECTION_COUNT];
    uint32_t count[SECTION_COUNT];
    const char *heap; /* the copy that the spec keeps */
} image;

/* ---- the whole ------------------------------------------------------------------------------------ */
static uint32_t image_crc(const uint8_t *data, size_t size)
{
    static const uint8_t ZEROS[4] = {0};
    uint32_t crc = pos_crc32c(0, data, CRC_OFFSET);
    crc = pos_crc32c(crc, ZEROS, sizeof ZEROS);
    return pos_crc32c(crc, data + CRC_OFFSET + 4, size - CRC_OFFSET - 4);
}

static pos_status image_sections(const uint8_t *data, size_t size, image *found)
{
    if (data == NULL || size < HEADER_SIZE) return POS_IMAGE_FORM;
    if (!pos_equal(data, MAGIC, sizeof MAGIC)) return POS_IMAGE_FORM;
    if (pos_load_u32_le(data + 8) != IMAGE_VERSION) return POS_IMAGE_FORM;
    if (size > IMAGE_SIZE_MAX) return POS_IMAGE_LIMIT;
    if (pos_load_u32_le(data + 12) != size) return POS_IMAGE_FORM;
    if (pos_load_u32_le(data + CRC_OFFSET) != image_crc(data, size)) return POS_IMAGE_FORM;

    found->data = data;
    for (unsigned index = 0; index < SECTION_COUNT; index++) {
        const uint32_t offset = pos_load_u32_le(data + SECTIONS_OFFSET + 8 * index);
        const uint32_t count = pos_load_u32_le(data + SECTIONS_OFFSET + 8 * index + 4);
        if (count > SECTIONS[index].count_max) return POS_IMAGE_LIMIT;
        const uint32_t bytes = count * SECTIONS[index].record_size;
        if (offset < HEADER_SIZE || offset > size || bytes > size - offset) return POS_IMAGE_FORM;
        found->at[index] = data + offset;
        found->count[index] = count;
    }
    const uint32_t heap_size = found->count[SECTION_HEAP];
    if (heap_size == 0) return POS_IMAGE_FORM;
    /* The empty string first, and a NUL last: then every offset within is a string. */
    if (found->at[SECTION_HEAP][0] != 0) return POS_IMAGE_FORM;
    if (found->at[SECTION_HEAP][heap_size - 1] != 0) return POS_IMAGE_FORM;
    return POS_OK;
}

static bool string_at(const image *from, const uint8_t *offset_at, const char **text_out)
{
    const uint32_t offset = pos_load_u32_le(offset_at);
    if (offset >= from->count[SECTION_HEAP]) return false;
    *text_out = from->heap + offset;
    return true;
}

static bool range_fits(uint32_t first, uint32_t count, uint32_t limit)
{
    return first <= limit && count <= limit - first;
}

/* A byte that says yes or no. */
static bool flag_at(const uint8_t *at, bool *flag_out)
{
    *flag_out = *at == 1;
    return *at <= 1;
}

static bool is_text_code(uint8_t encoding)
{
    return encoding == POS_CODE_ASCII || encoding == POS_CODE_EBCDIC;
}

/* ---- frame, MTI, bitmap, MAC ---------------------------------------------------------------------- */
static bool frame_read(const uint8_t *data, pos_spec *spec)
{
    const uint8_t *at = data + FRAME_OFFSET;
    pos_frame_shape *frame = &spec->frame;
    frame->length_style = at[0];
    frame->tpdu_id = at[3];
    frame->header_kind = at[9];
    frame->header_size = at[10];
    frame->size_max = pos_load_u32_le(at + 60);
    pos_copy(frame->tpdu_default, at + 4, sizeof frame->tpdu_default);
    pos_copy(frame->header_default, at + 12, sizeof frame->header_default);
    if (!flag_at(at + 1, &frame->counts_all) || !flag_at(at + 2, &frame->has_tpdu)) return false;
    if (frame->length_style >= POS_LENGTH_STYLE_COUNT) return false;
    if (frame->header_kind >= POS_HEADER_KIND_COUNT) return false;
    if (frame->header_size > POS_FRAME_HEADER_SIZE_MAX) return false;
    if ((frame->header_kind == POS_HEADER_NONE) != (frame->header_size == 0)) return false;
    if (frame->header_kind == POS_HEADER_UNIONPAY && frame->header_size < 3) return false;
    const uint32_t overhead = (frame->has_tpdu ? POS_TPDU_SIZE : 0U) + frame->header_size;
    const uint32_t mti_size = spec->mti_encoding == POS_CODE_BCD ? 2 : 4;
    const uint32_t bitmap_size = spec->bitmap_encoding == POS_CODE_BINARY ? 8 : 16;
    frame->body_size_min = mti_size + bitmap_size;
    return frame->size_max <= FRAME_SIZE_MAX
           && frame->size_max >= overhead + frame->body_size_min;
}

static bool message_read(const uint8_t *data, pos_spec *spec)
{
    const uint8_t *at = data + MESSAGE_OFFSET;
    spec->mti_encoding = at[0];
    spec->version = at[1];
    spec->bitmap_encoding = at[2];
    spec->field_max = at[3];
    spec->mac_fields[0] = at[4];
    spec->mac_fields[1] = at[5];
    spec->mac_algorithm = at[6];
    spec->mac_output = at[7];
    spec->mac_size = at[8];
    spec->has_both_bitmaps = at[9] == 1;
    if (spec->mti_encoding != POS_CODE_BCD && !is_text_code(spec->mti_encoding)) return false;
    if (spec->version > 9 && spec->version != 0xff) return false;
    if (spec->bitmap_encoding != POS_CODE_BINARY && spec->bitmap_encoding != POS_CODE_HEX
        && spec->bitmap_encoding != POS_CODE_HEX_EBCDIC) return false;
    if (spec->field_max != 64 && spec->field_max != 128) return false;
    if (at[9] > 1 || (spec->has_both_bitmaps && spec->field_max == 64)) return false;
    return spec->mac_output <= 1 && spec->mac_size <= 64;
}

/* ---- fields ------------------------------------------------------------------------------------------ */
/* Which dresses a content may wear. */
static bool code_fits(uint8_t content, uint8_t encoding)
{
    if (encoding == POS_CODE_GB18030) return content == POS_CONTENT_ANS;
    if (content == POS_CONTENT_B) {
        return encoding == POS_CODE_BINARY || encoding == POS_CODE_HEX
               || encoding == POS_CODE_HEX_EBCDIC;
    }
    const bool is_numeric = content == POS_CONTENT_N || content == POS_CONTENT_Z
                            || content == POS_CONTENT_XN;
    return is_text_code(encoding) || (is_numeric && encoding == POS_CODE_BCD);
}

static bool prefix_fits(const pos_form *form)
{
    const uint8_t code = form->prefix_encoding;
    const uint8_t digits = form->prefix_digits;
    if (digits == 0) {
        return form->size_min == form->size_max && !form->counts_bytes && form->prefix_size == 0;
    }
    if (digits > 4 || (form->counts_bytes && form->content == POS_CONTENT_XN)) return false;
    if (code == POS_CODE_BINARY) return form->prefix_size >= 1 && form->prefix_size <= 4;
    if (code == POS_CODE_BCD) return form->prefix_size == (digits + 1) / 2;
    return is_text_code(code) && form->prefix_size == digits;
}

/* Digits two to a byte hold digits one after the other; other values hold any layout. */
static bool layout_suits(const pos_spec *spec, const pos_form *form, const pos_layout *layout)
{
    if (layout->form == POS_LAYOUT_CHOICE) return true; /* its variants are asked one by one */
    if (layout->form != POS_LAYOUT_POSITIONAL) {
        return form->encoding != POS_CODE_BCD && form->encoding != POS_CODE_EBCDIC;
    }
    if (form->encoding != POS_CODE_BCD) return true;
    const uint32_t count = (uint32_t)layout->count + layout->group_count;
    for (uint32_t number = 1; number <= count; number++) {
        const uint8_t content = pos_part_form_of(spec, layout, (uint16_t)number)->content;
        if (content != POS_CONTENT_N && content != POS_CONTENT_Z) return false;
    }
    return true;
}

static bool layouts_suit(const pos_spec *spec, const pos_form *form)
{
    if (form->layout == 0) return true;
    const pos_layout *layout = &spec->layouts[form->layout - 1];
    if (form->encoding == POS_CODE_HEX || form->encoding == POS_CODE_HEX_EBCDIC) return false;
    if (form->content == POS_CONTENT_XN || !layout_suits(spec, form, layout)) return false;
    if (layout->form != POS_LAYOUT_CHOICE) return true;
    for (uint16_t index = 0; index < layout->count; index++) {
        const uint16_t number = spec->variants[layout->first + index].layout;
        if (!layout_suits(spec, form, &spec->layouts[number - 1])) return false;
    }
    return true;
}

static bool field_read(const image *from, const uint8_t *at, pos_spec *spec)
{
    const uint8_t number = at[0];
    if (number < 2 || number > spec->field_max) return false;
    pos_form *form = &spec->forms[number];
    if (form->content != POS_CONTENT_NONE) return false; /* twice */

    form->content = at[1];
    form->encoding = at[2];
    form->prefix_digits = at[3];
    form->prefix_encoding = at[4];
    form->filler = at[7];
    form->secrecy = at[8];
    form->layout = pos_load_u16_le(at + 10);
    form->size_min = pos_load_u16_le(at + 12);
    form->size_max = pos_load_u16_le(at + 14);
    form->prefix_size = at[28];
    if (!flag_at(at + 5, &form->counts_bytes) || !flag_at(at + 6, &form->is_right)
        || !flag_at(at + 9, &form->is_kept)) return false;
    if (form->content == POS_CONTENT_NONE || form->content >= POS_CONTENT_COUNT) return false;
    if (form->secrecy >= POS_SECRECY_COUNT) return false;
    if (form->is_kept && form->secrecy != POS_SECRECY_OPEN) return false;
    if (!code_fits(form->content, form->encoding)) return false;
    if (form->encoding == POS_CODE_BCD && form->filler > 0x0f) return false;
    if (form->size_min > form->size_max || form->size_max > UNITS_MAX) return false;
    if (form->size_max == 0) return false;
    if (!prefix_fits(form)) return false;
    if (form->layout > spec->layout_count || !layouts_suit(spec, form)) return false;
    return string_at(from, at + 16, &form->name) && string_at(from, at + 20, &form->name_zh)
           && string_at(from, at + 24, &form->rule);
}

/* ---- layouts ------------------------------------------------------------------------------------------- */
static bool part_read(const image *from, const uint8_t *at, pos_part_form *part)
{
    const uint8_t flags = at[2];
    *part = (pos_part_form){
        .content = at[0], .secrecy = at[1], .meaning = at[3],
        .size = pos_load_u16_le(at + 4), .tag = pos_load_u32_le(at + 8),
        .is_optional = (flags & 1U) != 0, .is_kept = (flags & 2U) != 0,
        .takes_rest = (flags & 4U) != 0,
    };
    if (flags > 7 || part->size > UNITS_MAX) return false;
    if (part->content == POS_CONTENT_NONE || part->content >= POS_CONTENT_XN) return false;
    if (part->secrecy >= POS_SECRECY_COUNT || part->meaning >= POS_MEANING_LAST) return false;
    if (part->is_kept && part->secrecy != POS_SECRECY_OPEN) return false;
    return string_at(from, at + 12, &part->name) && string_at(from, at + 16, &part->name_zh)
           && string_at(from, at + 20, &part->rule);
}

/* Parts that lie one after the other: optional ones last, one that takes the rest at the end. */
static bool sequence_fits(const pos_part_form *parts, uint16_t count)
{
    bool was_optional = false;
    for (uint16_t index = 0; index < count; index++) {
        if (parts[index].size == 0 || parts[index].tag != 0) return false;
        if (was_optional && !parts[index].is_optional) return false;
        if (parts[index].takes_rest && index + 1 != count) return false;
        was_optional = parts[index].is_optional;
    }
    return true;
}

static bool group_fits(const pos_layout *layout, const pos_part_form *parts)
{
    if (layout->count_size == 0) return layout->group_count == 0;
    if (layout->count_size > 4 || layout->group_count == 0) return false;
    for (uint16_t index = 0; index < layout->count; index++) {
        if (parts[layout->first + index].is_optional) return false;
        if (parts[layout->first + index].takes_rest) return false;
    }
    for (uint16_t index = 0; index < layout->group_count; index++) {
        if (parts[layout->group_first + index].is_optional) return false;
        if (parts[layout->group_first + index].takes_rest) return false;
    }
    return sequence_fits(parts + layout->group_first, layout->group_count);
}

/* So that a tag is found by halving. */
static bool tags_ascend(const pos_part_form *parts, uint16_t count)
{
    for (uint16_t index = 1; index < count; index++) {
        if (parts[index - 1].tag >= parts[index].tag) return false;
    }
    return true;
}

static bool layout_fits(const pos_spec *spec, const pos_layout *layout)
{
    if (layout->form == POS_LAYOUT_CHOICE) {
        return layout->group_count == 0 && layout->count_size == 0
               && range_fits(layout->first, layout->count, spec->variant_count);
    }
    if (!range_fits(layout->first, layout->count, spec->part_count)) return false;
    if (!range_fits(layout->group_first, layout->group_count, spec->part_count)) return false;
    if (layout->form == POS_LAYOUT_POSITIONAL) {
        return sequence_fits(spec->parts + layout->first, layout->count)
               && group_fits(layout, spec->parts);
    }
    if (layout->count_size != 0 || layout->group_count != 0) return false;
    if (!tags_ascend(spec->parts + layout->first, layout->count)) return false;
    if (layout->form == POS_LAYOUT_BER) return true;
    return layout->form == POS_LAYOUT_TLV && layout->tag_size >= 1 && layout->tag_size <= 4
           && layout->length_size >= 1 && layout->length_size <= 4;
}

static bool layout_read(const image *from, const uint8_t *at, const pos_spec *spec,
                        pos_layout *layout)
{
    const uint8_t flags = at[1];
    *layout = (pos_layout){
        .form = at[0], .tag_size = at[2], .length_size = at[3], .count_size = at[4],
        .is_strict = (flags & 1U) != 0, .refuses_unknown = (flags & 2U) != 0,
        .first = pos_load_u16_le(at + 6), .count = pos_load_u16_le(at + 8),
        .group_first = pos_load_u16_le(at + 10), .group_count = pos_load_u16_le(at + 12),
    };
    if (flags > 3 || layout->form == POS_LAYOUT_NONE) return false;
    if (layout->form >= POS_LAYOUT_FORM_COUNT) return false;
    if (!string_at(from, at + 16, &layout->name)) return false;
    if (!layout_fits(spec, layout)) return false;
    if (layout->form == POS_LAYOUT_CHOICE) return true;
    const uint32_t count = (uint32_t)layout->count + layout->group_count;
    for (uint32_t number = 1; number <= count; number++) {
        const pos_part_form *part = pos_part_form_of(spec, layout, (uint16_t)number);
        layout->has_secrets |= part->secrecy != POS_SECRECY_OPEN;
        layout->has_kept |= part->is_kept;
    }
    return true;
}

static bool variant_read(const uint8_t *at, const pos_spec *spec, pos_variant *variant)
{
    *variant = (pos_variant){
        .layout = pos_load_u16_le(at),
        .match_first = pos_load_u16_le(at + 2), .match_count = pos_load_u16_le(at + 4),
    };
    return variant->layout >= 1 && variant->layout <= spec->layout_count
           && range_fits(variant->match_first, variant->match_count, spec->match_count);
}

/* A choice leads to a layout, never to a choice: walks need no recursion. */
static bool choices_fit(const pos_spec *spec, pos_layout *layouts)
{
    for (uint32_t index = 0; index < spec->layout_count; index++) {
        pos_layout *choice = &layouts[index];
        if (choice->form != POS_LAYOUT_CHOICE) continue;
        for (uint32_t each = 0; each < choice->count; each++) {
            const uint16_t number = spec->variants[choice->first + each].layout;
            if (layouts[number - 1].form == POS_LAYOUT_CHOICE) return false;
            choice->has_secrets |= layouts[number - 1].has_secrets;
        }
    }
    return true;
}

/* ---- rules, roles, keys ----------------------------------------------------------------------------------- */
static bool match_read(const uint8_t *at, pos_match *match)
{
    *match = (pos_match){
        .selector = at[0], .value = pos_load_u32_le(at + 4), .mask = pos_load_u32_le(at + 8),
    };
    return match->selector != POS_SELECT_NONE && match->selector < POS_SELECT_COUNT;
}

static bool bitmap_read(const uint8_t *at, const pos_spec *spec, uint64_t bitmap_out[2])
{
    bitmap_out[0] = pos_load_u64_le(at);
    bitmap_out[1] = pos_load_u64_le(at + 8);
    for (unsigned field = 1; field <= POS_FIELD_MAX; field++) {
        if (!pos_bitmap_has(bitmap_out, field)) continue;
        if (spec->forms[field].content == POS_CONTENT_NONE) return false;
    }
    return true;
}

/* Four digits, the first of the dialect's version. */
static bool mti_fits(const pos_spec *spec, uint16_t mti)
{
    uint8_t bytes[2];
    pos_store_u16_be(bytes, mti);
    return pos_bcd_is_digits(bytes, 0, 4) && (spec->version == 0xff || mti >> 12 == spec->version);
}

static bool rule_read(const image *from, const uint8_t *at, const pos_spec *spec,
                      pos_rule_form *form)
{
    const uint8_t flags = at[1];
    *form = (pos_rule_form){
        .rule = {
            .kind = at[0], .mti = pos_load_u16_le(at + 2), .answer_mti = pos_load_u16_le(at + 4),
            .request_has_mac = (flags & 1U) != 0, .answer_has_mac = (flags & 2U) != 0,
            .is_repeatable = (flags & 4U) != 0,
        },
        .match_first = pos_load_u16_le(at + 6), .match_count = pos_load_u16_le(at + 8),
    };
    if (flags > 7 || form->rule.kind >= POS_KIND_COUNT) return false;
    if ((flags & 3U) != 0 && spec->mac_fields[0] == 0) return false;
    if (!mti_fits(spec, form->rule.mti)) return false;
    if (form->rule.answer_mti != 0 && !mti_fits(spec, form->rule.answer_mti)) return false;
    if (!range_fits(form->match_first, form->match_count, spec->match_count)) return false;
    return string_at(from, at + 12, &form->rule.name) && string_at(from, at + 16, &form->name_zh)
           && bitmap_read(at + 32, spec, form->rule.mandatory)
           && bitmap_read(at + 48, spec, form->rule.allowed)
           && bitmap_read(at + 64, spec, form->rule.echoed)
           && bitmap_read(at + 80, spec, form->rule.supplied);
}

static bool role_read(const image *from, const uint8_t *at, pos_spec *spec)
{
    const uint8_t role = at[0];
    pos_role_place place = {.field = at[1]};
    if (!string_at(from, at + 4, &place.part)) return false;
    if (role == POS_ROLE_NONE || role >= POS_ROLE_COUNT) return false;
    if (place.field > POS_FIELD_MAX || spec->roles[role].field != 0) return false;
    const pos_form *form = &spec->forms[place.field];
    if (form->content == POS_CONTENT_NONE) return false;
    if (place.part[0] == 0) place.part = NULL;
    else if (form->layout == 0) return false;
    spec->roles[role] = place;
    return true;
}

/* What choices depend on does not lie in a choice itself: reading it would ask for itself. */
static bool selectors_fit(const pos_spec *spec)
{
    static const pos_role ROLES[] = {POS_ROLE_PROCESSING, POS_ROLE_CONDITION, POS_ROLE_TYPE,
                                     POS_ROLE_NETWORK, POS_ROLE_ENTRY_MODE};
    for (unsigned index = 0; index < sizeof ROLES / sizeof ROLES[0]; index++) {
        const pos_role_place place = spec->roles[ROLES[index]];
        if (place.field == 0 || place.part == NULL) continue;
        const uint16_t layout = spec->forms[place.field].layout;
        if (spec->layouts[layout - 1].form == POS_LAYOUT_CHOICE) return false;
    }
    return true;
}

static bool key_fits(const pos_spec_key *key, uint16_t size)
{
    if (key->size == 0) return key->check_size == 0;
    return key->size <= 32 && key->check_size <= 16 && range_fits(key->offset, key->size, size)
           && range_fits(key->check_offset, key->check_size, size);
}

static bool key_block_read(const uint8_t *at, pos_spec_key_block *block)
{
    *block = (pos_spec_key_block){
        .network = pos_load_u16_le(at), .size = pos_load_u16_le(at + 2), .cipher = at[4],
    };
    pos_spec_key *keys[3] = {&block->pik, &block->mak, &block->tdk};
    for (unsigned index = 0; index < 3; index++) {
        const uint8_t *key = at + 8 + 8 * index;
        *keys[index] = (pos_spec_key){
            .offset = pos_load_u16_le(key), .size = pos_load_u16_le(key + 2),
            .check_offset = pos_load_u16_le(key + 4), .check_size = pos_load_u16_le(key + 6),
        };
        if (!key_fits(keys[index], block->size)) return false;
    }
    return block->network <= 999 && block->size <= 999 && block->cipher <= 2;
}

/* MAC fields must be there, of fixed size: the coverage ends where they begin. */
static bool mac_fits(const pos_spec *spec)
{
    for (unsigned index = 0; index < 2; index++) {
        const uint8_t field = spec->mac_fields[index];
        if (field == 0) continue;
        if (field > spec->field_max) return false;
        const pos_form *form = &spec->forms[field];
        if (form->content != POS_CONTENT_B || form->prefix_digits != 0) return false;
        if (form->size_max != spec->mac_size) return false;
    }
    return spec->mac_fields[0] != 0 || spec->mac_fields[1] == 0;
}

/* ---- opening ------------------------------------------------------------------------------------------------- */
static size_t rounded(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

typedef struct tables {
    pos_layout *layouts;
    pos_part_form *parts;
    pos_variant *variants;
    pos_match *matches;
    pos_rule_form *rules;
    pos_spec_key_block *keys;
} tables;

/* One block: the spec, its tables, the heap. */
static pos_spec *spec_allocate(image *from, tables *table)
{
    const size_t sizes[] = {
        sizeof(pos_spec),
        from->count[SECTION_LAYOUTS] * sizeof(pos_layout),
        from->count[SECTION_PARTS] * sizeof(pos_part_form),
        from->count[SECTION_VARIANTS] * sizeof(pos_variant),
        from->count[SECTION_MATCHES] * sizeof(pos_match),
        from->count[SECTION_RULES] * sizeof(pos_rule_form),
        from->count[SECTION_KEYS] * sizeof(pos_spec_key_block),
        from->count[SECTION_HEAP],
    };
    size_t offsets[8];
    size_t size = 0;
    for (unsigned index = 0; index < 8; index++) {
        offsets[index] = size;
        size += rounded(sizes[index]);
    }
    uint8_t *block = calloc(1, size);
    if (block == NULL) return NULL;
    table->layouts = (pos_layout *)(void *)(block + offsets[1]);
    table->parts = (pos_part_form *)(void *)(block + offsets[2]);
    table->variants = (pos_variant *)(void *)(block + offsets[3]);
    table->matches = (pos_match *)(void *)(block + offsets[4]);
    table->rules = (pos_rule_form *)(void *)(block + offsets[5]);
    table->keys = (pos_spec_key_block *)(void *)(block + offsets[6]);
    pos_copy(block + offsets[7], from->at[SECTION_HEAP], from->count[SECTION_HEAP]);
    from->heap = (const char *)(block + offsets[7]);
    pos_spec *spec = (pos_spec *)(void *)block;
    spec->layouts = table->layouts;
    spec->parts = table->parts;
    spec->variants = table->variants;
    spec->matches = table->matches;
    spec->rules = table->rules;
    spec->keys = table->keys;
    spec->layout_count = from->count[SECTION_LAYOUTS];
    spec->part_count = from->count[SECTION_PARTS];
    spec->variant_count = from->count[SECTION_VARIANTS];
    spec->match_count = from->count[SECTION_MATCHES];
    spec->rule_count = from->count[SECTION_RULES];
    spec->key_count = from->count[SECTION_KEYS];
    return spec;
}

static const uint8_t *record(const image *from, section which, uint32_t index)
{
    assert(index < from->count[which]);
    return from->at[which] + (size_t)index * SECTIONS[which].record_size;
}

static void form_look(pos_form *form)
{
    const uint8_t encoding = form->encoding;
    form->look = POS_LOOK_NONE;
    if (form->content == POS_CONTENT_NONE || form->content == POS_CONTENT_XN) return;
    if (encoding == POS_CODE_EBCDIC || encoding == POS_CODE_HEX_EBCDIC) return;
    form->allowed = pos_classes_of(form->content, encoding);
    if (encoding == POS_CODE_BINARY) form->look = POS_LOOK_BYTES;
    else if (encoding != POS_CODE_BCD) form->look = POS_LOOK_TEXT;
    else form->look = form->content == POS_CONTENT_Z ? POS_LOOK_TRACK : POS_LOOK_PAIRS;
}

/* In the order in which each may lean on what was read before it. */
static bool spec_fill(const image *from, pos_spec *spec, const tables *table)
{
    if (!message_read(from->data, spec) || !frame_read(from->data, spec)) return false;
    const uint8_t *strings = from->data + STRINGS_OFFSET;
    if (!string_at(from, strings, &spec->name) || !string_at(from, strings + 4, &spec->title)
        || !string_at(from, strings + 8, &spec->title_zh)) return false;
    pos_copy(spec->digest, from->data + DIGEST_OFFSET, sizeof spec->digest);

    for (uint32_t index = 0; index < spec->match_count; index++) {
        if (!match_read(record(from, SECTION_MATCHES, index), &table->matches[index])) return false;
    }
    for (uint32_t index = 0; index < spec->part_count; index++) {
        if (!part_read(from, record(from, SECTION_PARTS, index), &table->parts[index])) return false;
    }
    for (uint32_t index = 0; index < spec->variant_count; index++) {
        if (!variant_read(record(from, SECTION_VARIANTS, index), spec, &table->variants[index])) {
            return false;
        }
    }
    for (uint32_t index = 0; index < spec->layout_count; index++) {
        if (!layout_read(from, record(from, SECTION_LAYOUTS, index), spec,
                         &table->layouts[index])) return false;
    }
    if (!choices_fit(spec, table->layouts)) return false;
    for (uint32_t index = 0; index < from->count[SECTION_FIELDS]; index++) {
        if (!field_read(from, record(from, SECTION_FIELDS, index), spec)) return false;
    }
    for (unsigned field = 1; field <= POS_FIELD_MAX; field++) {
        form_look(&spec->forms[field]);
        pos_form_layout_judge(spec, &spec->forms[field]);
        if (spec->forms[field].layout_judge != POS_JUDGE_NONE) pos_bitmap_set(spec->judged, field);
    }
    if (!mac_fits(spec)) return false;
    for (uint32_t index = 0; index < spec->rule_count; index++) {
        if (!rule_read(from, record(from, SECTION_RULES, index), spec, &table->rules[index])) {
            return false;
        }
    }
    for (uint32_t index = 0; index < from->count[SECTION_ROLES]; index++) {
        if (!role_read(from, record(from, SECTION_ROLES, index), spec)) return false;
    }
    if (!selectors_fit(spec)) return false;
    for (uint32_t index = 0; index < spec->key_count; index++) {
        if (!key_block_read(record(from, SECTION_KEYS, index), &table->keys[index])) return false;
    }
    return true;
}

pos_status pos_spec_open(const uint8_t *data, size_t size, pos_spec **spec_out)
{
    assert(spec_out != NULL);
    assert(data != NULL || size == 0);

    image from;
    const pos_status status = image_sections(data, size, &from);
    if (status != POS_OK) return status;
    tables table;
    pos_spec *spec = spec_allocate(&from, &table);
    if (spec == NULL) return POS_MEMORY;
    if (!spec_fill(&from, spec, &table)) {
        free(spec);
        return POS_IMAGE_FORM;
    }
    assert(spec->frame.size_max <= UINT16_MAX); /* pos_field */
    assert(spec->field_max <= POS_FIELD_MAX);
    const pos_status pooled = pos_plan_pool_open(spec, &spec->pool);
    if (pooled != POS_OK) {
        free(spec);
        return pooled;
    }
    *spec_out = spec;
    return POS_OK;
}

void pos_spec_close(pos_spec *spec)
{
    if (spec == NULL) return;
    pos_plan_pool_close(spec->pool);
    free(spec);
}

/* ---- what it says ----------------------------------------------------------------------------------------------- */
const char *pos_spec_name(const pos_spec *spec)
{
    return spec->name;
}

const char *pos_spec_title(const pos_spec *spec, bool is_chinese)
{
    return is_chinese ? spec->title_zh : spec->title;
}

void pos_spec_digest(const pos_spec *spec, uint8_t digest_out[16])
{
    pos_copy(digest_out, spec->digest, sizeof spec->digest);
}

const pos_frame_shape *pos_spec_frame_shape(const pos_spec *spec)
{
    return &spec->frame;
}

unsigned pos_spec_field_max(const pos_spec *spec)
{
    return spec->field_max;
}

bool pos_spec_field(const pos_spec *spec, unsigned field, pos_field_facts *facts_out)
{
    assert(spec != NULL && facts_out != NULL);
    if (field < 2 || field > POS_FIELD_MAX) return false;
    const pos_form *form = &spec->forms[field];
    if (form->content == POS_CONTENT_NONE) return false;
    *facts_out = (pos_field_facts){
        .number = (uint8_t)field, .content = form->content, .secrecy = form->secrecy,
        .has_layout = form->layout != 0, .size_min = form->size_min, .size_max = form->size_max,
        .name = form->name, .name_zh = form->name_zh, .rule = form->rule,
    };
    return true;
}

unsigned pos_spec_role_field(const pos_spec *spec, pos_role role)
{
    assert(role > POS_ROLE_NONE && role < POS_ROLE_COUNT);
    return spec->roles[role].field;
}

const pos_spec_key_block *pos_spec_key_block_find(const pos_spec *spec, unsigned network)
{
    for (uint32_t index = 0; index < spec->key_count; index++) {
        if (spec->keys[index].network == network) return &spec->keys[index];
    }
    return NULL;
}
