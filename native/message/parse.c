/*
 * Parsing: a body into offsets, in two passes.
 *
 *   1  MTI ─▶ bitmap ─▶ field after field, ascending:   prefix ─▶ room ─▶ content
 *   2  the strict layouts of the fields, ascending      (part.c, emv.c)
 *
 * Rules. Nothing is copied, allocated or read past the end. The first fault ends it; the order of
 * judgement within a field is the order drawn, so two parsers agree on which fault is first:
 *
 *   FIELD_UNKNOWN   the bit has no definition (judged when its turn comes)
 *   FIELD_SHORT     the prefix, or the value that it announces, is not all there
 *   FIELD_LENGTH    the prefix is not of its form, or past the field's limits: before its bytes
 *                   are looked for
 *   FIELD_CONTENT   a byte or nibble is not of the content; the offset is that byte's
 *   FIELD_TRAILING  bytes are left after the last field: before any layout is judged
 *   FIELD_PART      a part of a strict layout; layouts may look at any field (a choice by 60.3)
 *
 * A field that is told to be right at a look takes the short way; any other is judged step by step,
 * and so is the layout that does not hold. pos_message_parse_plain takes no short way: it is the plain
 * truth that this loop, and the plans (plan.c) that fall back to it, are proved against.
 *
 * After a fault the message holds the fields below the faulty one, also when a layout is at fault.
 */
#include "message/judge.h"
#include "message/spec.h"

#include <assert.h>

typedef struct cursor {
    const pos_spec *spec;
    const uint8_t *body;
    uint32_t size;
    uint32_t at;
    bool is_plain; /* no short ways */
    pos_fault fault;
} cursor;

static pos_status fails(cursor *from, pos_status status, unsigned field, uint32_t at,
                        uint32_t wanted, const char *rule)
{
    assert(status != POS_OK);
    assert(at <= from->size);
    from->fault = (pos_fault){
        .status = status, .field = (uint16_t)field, .offset = at, .wanted = wanted,
        .left = from->size - at, .rule = rule,
    };
    return status;
}

/* ---- MTI and bitmap ------------------------------------------------------------------------------- */
static pos_status mti_parse(cursor *from, pos_message *message)
{
    const pos_spec *spec = from->spec;
    const uint32_t size = spec->mti_encoding == POS_CODE_BCD ? 2 : 4;
    if (from->size < size) {
        return fails(from, POS_FIELD_SHORT, 0, 0, size, "message type, 4 digits");
    }
    const pos_view view = {
        .data = from->body, .size = size, .units = 4,
        .content = POS_CONTENT_N, .encoding = spec->mti_encoding,
    };
    const uint32_t bad = pos_view_fault(&view);
    if (bad < size) return fails(from, POS_FIELD_MTI, 0, bad, 0, "message type, 4 digits");

    uint8_t digits[4];
    (void)pos_view_text(&view, digits);
    if (spec->version != 0xff && digits[0] - '0' != spec->version) {
        return fails(from, POS_FIELD_MTI, 0, 0, 0, "message type, version of the dialect");
    }
    for (unsigned index = 0; index < 4; index++) {
        message->mti = (uint16_t)(message->mti << 4 | (digits[index] - '0'));
    }
    from->at = size;
    return POS_OK;
}

/* Eight bytes with field 1 in the highest bit, made into a word with it in the lowest: the bits of
 * each byte change sides, by halves, pairs and neighbours. */
static uint64_t mirrored(const uint8_t bytes[8])
{
    uint64_t word = pos_load_u64_le(bytes);
    word = ((word >> 4) & 0x0f0f0f0f0f0f0f0fU) | ((word & 0x0f0f0f0f0f0f0f0fU) << 4);
    word = ((word >> 2) & 0x3333333333333333U) | ((word & 0x3333333333333333U) << 2);
    return ((word >> 1) & 0x5555555555555555U) | ((word & 0x5555555555555555U) << 1);
}

static pos_status bitmap_word_parse(cursor *from, uint64_t *word_out)
{
    static const char RULE[] = "bitmap, 64 bits";
    const uint8_t encoding = from->spec->bitmap_encoding;
    const uint32_t size = pos_units_size(POS_CONTENT_B, encoding, 8);
    if (from->size - from->at < size) {
        return fails(from, POS_FIELD_SHORT, 0, from->at, size, RULE);
    }
    const pos_view view = {
        .data = from->body + from->at, .size = size, .units = 8,
        .content = POS_CONTENT_B, .encoding = encoding,
    };
    const uint32_t bad = pos_view_fault(&view);
    if (bad < size) return fails(from, POS_FIELD_BITMAP, 0, from->at + bad, 0, RULE);
    uint8_t bytes[8];
    (void)pos_view_text(&view, bytes);
    *word_out = mirrored(bytes);
    from->at += size;
    return POS_OK;
}

static pos_status bitmap_parse(cursor *from, uint64_t bitmap_out[2])
{
    const uint32_t start = from->at;
    pos_status status = bitmap_word_parse(from, &bitmap_out[0]);
    const bool has_second = from->spec->has_both_bitmaps || (bitmap_out[0] & 1U) != 0;
    if (status != POS_OK || !has_second) return status;
    if (from->spec->field_max == 64) {
        return fails(from, POS_FIELD_BITMAP, 0, start, 0, "bitmap, 64 bits, bit 1 is 0");
    }
    bitmap_out[0] &= ~(uint64_t)1; /* it announces the second word and is no field */
    return bitmap_word_parse(from, &bitmap_out[1]);
}

bool pos_bitmap_of(const pos_spec *spec, const uint8_t *body, size_t size, uint64_t bitmap_out[2])
{
    assert(body != NULL || size == 0);
    if (size > spec->frame.size_max) return false;
    cursor from = {.spec = spec, .body = body, .size = (uint32_t)size};
    pos_message message = {.mti = 0};
    bitmap_out[0] = 0;
    bitmap_out[1] = 0;
    return mti_parse(&from, &message) == POS_OK && bitmap_parse(&from, bitmap_out) == POS_OK;
}

/* ---- fields ------------------------------------------------------------------------------------------ */
/* False where the prefix is no number. */
static bool prefix_read(const pos_form *form, const uint8_t *prefix, uint32_t *number_out)
{
    const uint32_t size = form->prefix_size;
    if (form->prefix_encoding == POS_CODE_BINARY) {
        uint32_t number = 0;
        for (uint32_t index = 0; index < size; index++) number = number << 8 | prefix[index];
        *number_out = number;
        return true;
    }
    const pos_view view = {
        .data = prefix, .size = size, .content = POS_CONTENT_N,
        .units = form->prefix_encoding == POS_CODE_BCD ? 2 * size : size,
        .encoding = form->prefix_encoding,
    };
    uint64_t number;
    if (!pos_view_number(&view, &number)) return false;
    *number_out = (uint32_t)number;
    return true;
}

/* What a prefix that counts bytes says in units: BCD has two digits a byte. False where it is half
 * a unit, or more than any limit. */
static bool units_of_bytes(const pos_form *form, uint32_t bytes, uint32_t *units_out)
{
    if (bytes > UINT16_MAX) return false;
    if (form->encoding == POS_CODE_HEX || form->encoding == POS_CODE_HEX_EBCDIC) {
        *units_out = bytes / 2;
        return bytes % 2 == 0;
    }
    *units_out = form->encoding == POS_CODE_BCD ? 2 * bytes : bytes;
    return true;
}

static pos_status length_parse(cursor *from, unsigned field, uint32_t *units_out)
{
    const pos_form *form = &from->spec->forms[field];
    *units_out = form->size_max;
    if (form->prefix_digits == 0) return POS_OK;
    if (from->size - from->at < form->prefix_size) {
        return fails(from, POS_FIELD_SHORT, field, from->at, form->prefix_size, form->rule);
    }
    uint32_t units;
    if (!prefix_read(form, from->body + from->at, &units)
        || (form->counts_bytes && !units_of_bytes(form, units, &units))) {
        return fails(from, POS_FIELD_LENGTH, field, from->at, 0, form->rule);
    }
    /* Counted in bytes, an odd limit has a filler nibble beside it. */
    const bool is_paired = form->counts_bytes && form->encoding == POS_CODE_BCD;
    const uint32_t units_max = form->size_max + (is_paired ? form->size_max % 2U : 0U);
    if (units > units_max || units < form->size_min) {
        return fails(from, POS_FIELD_LENGTH, field, from->at, 0, form->rule);
    }
    from->at += form->prefix_size;
    *units_out = units;
    return POS_OK;
}

static pos_status field_parse(cursor *from, unsigned field, pos_message *message)
{
    const pos_form *form = &from->spec->forms[field];
    if (form->content == POS_CONTENT_NONE) {
        return fails(from, POS_FIELD_UNKNOWN, field, from->at, 0, "not defined in the dialect");
    }
    uint32_t units;
    const pos_status status = length_parse(from, field, &units);
    if (status != POS_OK) return status;

    const uint32_t size = pos_units_size(form->content, form->encoding, units);
    if (from->size - from->at < size) {
        return fails(from, POS_FIELD_SHORT, field, from->at, size, form->rule);
    }
    message->fields[field] = (pos_field){
        .offset = (uint16_t)from->at, .size = (uint16_t)size, .units = (uint16_t)units};
    pos_bitmap_set(message->bitmap, field);
    const pos_view view = pos_field_view(from->spec, message, field);
    const uint32_t bad = pos_view_fault(&view);
    if (bad < size) {
        return fails(from, POS_FIELD_CONTENT, field, from->at + bad, 0, form->rule);
    }
    from->at += size;
    return POS_OK;
}

/* ---- the short way ------------------------------------------------------------------------------------ */
/* A prefix of digits or bytes that counts units. */
static inline bool prefix_take(const pos_form *form, const uint8_t *at, uint32_t *units_out)
{
    const uint32_t size = form->prefix_size;
    if (form->counts_bytes) return false;
    if (form->prefix_encoding == POS_CODE_BCD) {
        const uint32_t low = at[size - 1];
        const uint32_t high = size > 1 ? at[0] : 0;
        *units_out = (low - 6 * (low >> 4)) + 100 * (high - 6 * (high >> 4));
        return pos_pairs_bad(low | high << 8) == 0;
    }
    if (form->prefix_encoding != POS_CODE_ASCII) return false;
    uint32_t units = 0;
    for (uint32_t index = 0; index < size; index++) units = units * 10 + (at[index] & 0x0fU);
    *units_out = units;
    return pos_characters_hold(at, size, POS_IS_DIGIT);
}

/* A field where nothing is wrong, and that is told at a look. False: field_parse judges. */
static inline bool field_take(const pos_form *form, const uint8_t *body, uint32_t size,
                              uint32_t *at, pos_field *place)
{
    uint32_t start = *at;
    uint32_t units = form->size_max;
    if (form->prefix_digits != 0) {
        if (size - start < form->prefix_size) return false;
        if (!prefix_take(form, body + start, &units)) return false;
        if (units < form->size_min || units > form->size_max) return false;
        start += form->prefix_size;
    }
    uint32_t bytes = units;
    if (form->encoding == POS_CODE_BCD) bytes = (units + 1) / 2;
    if (form->encoding == POS_CODE_HEX) bytes = 2 * units;
    if (size - start < bytes) return false;
    const uint8_t *value = body + start;
    switch (form->look) {
    case POS_LOOK_BYTES:
    case POS_LOOK_TRACK: break;
    case POS_LOOK_PAIRS:
        if (units > 0 && !pos_digits_hold(value, units, form->is_right)) return false;
        break;
    case POS_LOOK_TEXT:
        if (!pos_characters_hold(value, bytes, form->allowed)) return false;
        break;
    default: return false;
    }
    *place = (pos_field){
        .offset = (uint16_t)start, .size = (uint16_t)bytes, .units = (uint16_t)units};
    *at = start + bytes;
    return true;
}

/* As many fields as go the short way; the bits of those that are left. */
static uint64_t fields_take(cursor *from, unsigned first, uint64_t bits, pos_message *message)
{
    const pos_form *forms = from->spec->forms;
    const uint8_t *body = from->body;
    const uint32_t size = from->size;
    uint32_t at = from->at;
    while (bits != 0) {
        const unsigned field = first + (unsigned)__builtin_ctzll(bits);
        if (!field_take(&forms[field], body, size, &at, &message->fields[field])) break;
        bits &= bits - 1;
    }
    from->at = at;
    return bits;
}

static pos_status fields_parse(cursor *from, const uint64_t bitmap[2], pos_message *message)
{
    for (unsigned word = 0; word < 2; word++) {
        uint64_t bits = bitmap[word];
        while (bits != 0) {
            if (!from->is_plain) {
                const uint64_t left = fields_take(from, 64 * word + 1, bits, message);
                message->bitmap[word] |= bits & ~left;
                bits = left;
                if (bits == 0) break;
            }
            const unsigned field = 64 * word + (unsigned)__builtin_ctzll(bits) + 1;
            const pos_status status = field_parse(from, field, message);
            if (status != POS_OK) return status;
            bits &= bits - 1;
        }
    }
    if (from->at < from->size) {
        return fails(from, POS_FIELD_TRAILING, 0, from->at, 0, "nothing follows the last field");
    }
    return POS_OK;
}

/* ---- layouts -------------------------------------------------------------------------------------------- */
/* Yes, without looking at every part, where that can be told. */
static bool layout_holds(const pos_spec *spec, const pos_message *message, unsigned field)
{
    const pos_form *form = &spec->forms[field];
    const pos_field *place = &message->fields[field];
    if (form->layout_judge == POS_JUDGE_SIZES) return ((form->layout_sizes >> place->units) & 1U) != 0;
    if (form->layout_judge != POS_JUDGE_BER) return false;
    uint32_t at = 0;
    uint32_t start;
    while (at < place->size) {
        if (!pos_ber_element(message->body + place->offset, at, place->size, &start, &at)) return false;
    }
    return true;
}

static pos_status layouts_parse(const pos_spec *spec, const pos_message *message,
                                const uint64_t fields[2], bool is_plain, pos_fault *fault_out)
{
    pos_selection selection = {.asked = 0};
    for (unsigned word = 0; word < 2; word++) {
        uint64_t bits = message->bitmap[word] & fields[word];
        while (bits != 0) {
            const unsigned field = 64 * word + (unsigned)__builtin_ctzll(bits) + 1;
            bits &= bits - 1;
            if (!is_plain && layout_holds(spec, message, field)) continue;
            if (spec->forms[field].layout == 0) continue;
            pos_walk walk = pos_walk_begin(spec, message, field, &selection);
            if (walk.layout == NULL || !walk.layout->is_strict) continue;
            pos_part part;
            while (pos_walk_next(&walk, &part)) continue;
            if (walk.fault.status != POS_OK) {
                *fault_out = walk.fault;
                return walk.fault.status;
            }
        }
    }
    return POS_OK;
}

pos_status pos_layouts_judge(const pos_spec *spec, const pos_message *message,
                             const uint64_t fields[2], pos_fault *fault_out)
{
    return layouts_parse(spec, message, fields, false, fault_out);
}

/* Keeps the fields below `field` alone. */
static void fields_below(pos_message *message, unsigned field)
{
    for (unsigned other = field == 0 ? 1 : field; other <= POS_FIELD_MAX; other++) {
        message->bitmap[(other - 1) / 64] &= ~((uint64_t)1 << ((other - 1) % 64));
    }
}

/* ---- all of it ------------------------------------------------------------------------------------------- */
static pos_status message_parse(const pos_spec *spec, const uint8_t *body, size_t size, bool is_plain,
                                pos_message *message_out, pos_fault *fault_out)
{
    static const uint64_t ALL[2] = {UINT64_MAX, UINT64_MAX};
    assert(spec != NULL && message_out != NULL);
    assert(body != NULL || size == 0);

    cursor from = {.spec = spec, .body = body, .size = (uint32_t)size, .is_plain = is_plain};
    message_out->body = body;
    message_out->body_size = (uint32_t)size;
    message_out->mti = 0;
    message_out->bitmap[0] = 0;
    message_out->bitmap[1] = 0;

    uint64_t bitmap[2] = {0, 0};
    pos_status status;
    if (size > spec->frame.size_max) {
        from.size = 0; /* none of it is read */
        status = fails(&from, POS_FIELD_LENGTH, 0, 0, 0, "no longer than a frame");
    } else {
        status = mti_parse(&from, message_out);
    }
    if (status == POS_OK) status = bitmap_parse(&from, bitmap);
    if (status == POS_OK) status = fields_parse(&from, bitmap, message_out);
    if (status == POS_OK) {
        const uint64_t *judged = is_plain ? ALL : spec->judged;
        status = layouts_parse(spec, message_out, judged, is_plain, &from.fault);
    }
    if (status == POS_OK) return POS_OK;

    /* Trailing bytes leave every field in place; any other fault, those below it. */
    if (status != POS_FIELD_TRAILING) fields_below(message_out, from.fault.field);
    if (fault_out != NULL) *fault_out = from.fault;
    assert(from.fault.offset <= size);
    return status;
}

pos_status pos_message_parse_table(const pos_spec *spec, const uint8_t *body, size_t size,
                                   pos_message *message_out, pos_fault *fault_out)
{
    return message_parse(spec, body, size, false, message_out, fault_out);
}

pos_status pos_message_parse_plain(const pos_spec *spec, const uint8_t *body, size_t size,
                                   pos_message *message_out, pos_fault *fault_out)
{
    return message_parse(spec, body, size, true, message_out, fault_out);
}

pos_status pos_message_parse(const pos_spec *spec, const uint8_t *body, size_t size,
                             pos_message *message_out, pos_fault *fault_out)
{
    pos_plan_cache *cache = size <= spec->frame.size_max ? pos_plan_borrow(spec) : NULL;
    if (cache == NULL) return pos_message_parse_table(spec, body, size, message_out, fault_out);
    pos_parse_job job = {
        .body = body, .size = (uint32_t)size, .message = message_out, .fault = fault_out,
    };
    pos_message_parse_wave(cache, &job, 1);
    pos_plan_give_back(spec, cache);
    return job.status;
}
