/*
 * Answers by recipe: which fields an answer has, and in what order, follows from the shape of the
 * request and from which values are given; so the bytes are copied in a few runs.
 *
 *   request    │ 2 3 4 11 │ 22 │ 25 │ 26 │ 35 │ 41 42 │ 49 │ 60 │ 64 │
 *                ╰─ run ──╯       ╰╯             ╰run╯   ╰╯   ╰╯
 *   answer     head │ 2 3 4 11 │ 12 13 │ 25 │ 32 37 39 │ 41 42 │ 49 │ 60 │ room for the MAC
 *                              given        given
 *   template   the same without that room, and zeros in the holes (2, 14): copied around them
 *
 * The head (MTI, bitmap), the steps, the holes and the size of the MAC are compiled for each set of
 * given values that a recipe meets, four at most; another is answered slowly. A value is judged and
 * dressed as pos_field_write does; a form that has no short way here goes through it.
 *
 * Rules. The reply is written first, the template from it, so that no digit of a hole is ever in the
 * template. Whatever does not fit, or is no value of its field, is left to the slow doors: nothing
 * counts as written before the end.
 */
#include "message/recipe.h"

#include <assert.h>

#define HOLE_SIZE 5U

/* ---- compile ------------------------------------------------------------------------------------- */
static bool is_raw_text(const pos_form *form)
{
    const bool is_text = form->content == POS_CONTENT_A || form->content == POS_CONTENT_AN
                         || form->content == POS_CONTENT_ANS;
    const bool is_plain = form->encoding == POS_CODE_ASCII || form->encoding == POS_CODE_GB18030;
    return (is_text && is_plain)
           || (form->content == POS_CONTENT_B && form->encoding == POS_CODE_BINARY);
}

/* A prefix of whole BCD or character digits that every size up to the most fits. */
static bool has_plain_prefix(const pos_form *form)
{
    static const uint32_t LIMITS[5] = {0, 9, 99, 999, 9999};
    if (form->prefix_digits == 0 || form->prefix_digits > 4) return false;
    const bool is_digits = form->prefix_encoding == POS_CODE_BCD
                           || form->prefix_encoding == POS_CODE_ASCII;
    return is_digits && form->size_max <= LIMITS[form->prefix_digits];
}

static uint8_t dress_of(const pos_form *form)
{
    if (form->content == POS_CONTENT_N && form->encoding == POS_CODE_BCD) {
        const bool is_even = form->prefix_digits == 0 && form->size_max % 2 == 0;
        return is_even && form->size_max <= 16 ? DRESS_DIGITS : DRESS_SLOWLY;
    }
    if (is_raw_text(form) && (form->prefix_digits == 0 || has_plain_prefix(form))) {
        return DRESS_TEXT;
    }
    return DRESS_SLOWLY;
}

/* Whether no field of the request lies between two of it. */
static bool is_next(const pos_message *request, unsigned before, unsigned field)
{
    for (unsigned other = before + 1; other < field; other++) {
        if (pos_message_has(request, other)) return false;
    }
    return true;
}

/* Adds an echoed field: to the run before it where they lie side by side. False: no room. */
static bool echo_compile(const pos_spec *spec, const pos_message *request, unsigned field,
                         recipe_answer *made)
{
    recipe_step *last = made->step_count > 0 ? &made->steps[made->step_count - 1] : NULL;
    const bool goes_on = last != NULL && last->dress == DRESS_ECHO
                         && is_next(request, last->last, field);
    if (!goes_on) {
        if (made->step_count == RECIPE_STEPS_MAX) return false;
        last = &made->steps[made->step_count++];
        *last = (recipe_step){.dress = DRESS_ECHO, .first = (uint8_t)field,
                              .hole_first = made->hole_count, .hole_end = made->hole_count};
    }
    last->last = (uint8_t)field;
    if (!pos_answer_is_hole(spec, field)) return true;
    if (made->hole_count == RECIPE_HOLES_MAX) return false;
    made->holes[made->hole_count++] = (uint8_t)field;
    last->hole_end = made->hole_count;
    return true;
}

/* How many given values lie before that of a field. */
static uint8_t rank_of(const uint64_t given[2], unsigned field)
{
    unsigned rank = 0;
    for (unsigned other = 1; other < field; other++) rank += pos_bitmap_has(given, other);
    return (uint8_t)rank;
}

static bool steps_compile(const pos_spec *spec, const pos_rule *rule, const pos_message *request,
                          recipe_answer *made, uint64_t bitmap_out[2])
{
    for (unsigned field = 2; field <= spec->field_max; field++) {
        if (spec->forms[field].content == POS_CONTENT_NONE) continue;
        if (field == spec->mac_fields[0] || field == spec->mac_fields[1]) continue;
        const bool is_echoed = pos_bitmap_has(rule->echoed, field);
        const bool is_given = pos_bitmap_has(made->given, field)
                              && (is_echoed || pos_bitmap_has(rule->supplied, field));
        if (!is_given && !(is_echoed && pos_message_has(request, field))) continue;
        pos_bitmap_set(bitmap_out, field);
        if (!is_given) {
            if (!echo_compile(spec, request, field, made)) return false;
            continue;
        }
        if (made->step_count == RECIPE_STEPS_MAX) return false;
        made->steps[made->step_count++] = (recipe_step){
            .dress = dress_of(&spec->forms[field]), .first = (uint8_t)field,
            .value = rank_of(made->given, field),
        };
    }
    return true;
}

static void answer_compile(const pos_spec *spec, const pos_rule *rule, const pos_message *request,
                           const uint64_t given[2], bool is_signed, recipe_answer *made)
{
    *made = (recipe_answer){
        .given = {given[0], given[1]}, .is_signed = is_signed, .is_slow = true,
    };
    uint64_t bitmap[2] = {0, 0};
    if (rule->answer_mti == 0 || !steps_compile(spec, rule, request, made, bitmap)) return;
    const unsigned mac_field = pos_mac_field_of(spec, bitmap);
    if (rule->answer_has_mac && is_signed && mac_field != 0) pos_bitmap_set(bitmap, mac_field);
    pos_writer head = pos_writer_over(made->head, sizeof made->head);
    pos_head_write(spec, rule->answer_mti, bitmap, &head);
    uint64_t again[2];
    if (head.is_full || !pos_bitmap_of(spec, made->head, head.size, again)) return;
    made->head_size = (uint8_t)head.size;
    /* What is filled asks the head anew, as pos_answer_fill does. */
    const unsigned filled = pos_mac_field_of(spec, again);
    if (filled != 0 && pos_bitmap_has(again, filled)) {
        const pos_form *form = &spec->forms[filled];
        const uint32_t size = pos_units_size(form->content, form->encoding, form->size_max);
        if (size > UINT8_MAX) return;
        made->mac_size = (uint8_t)size;
    }
    made->is_slow = false;
}

/* ---- write: values ---------------------------------------------------------------------------------- */
#define ZEROS 0x3030303030303030U

/* Up to eight characters, right aligned in the word; exactly those are read. */
static uint64_t characters_take(const uint8_t *text, size_t size)
{
    assert(size <= 8);
    if (size >= 4) {
        const uint64_t tail = pos_load_u32_be(text + size - 4);
        return (uint64_t)pos_load_u32_be(text) << (8 * (size - 4)) | tail;
    }
    uint64_t word = 0;
    for (size_t index = 0; index < size; index++) word = word << 8 | text[index];
    return word;
}

/* The digits of at most eight characters as BCD, zeros before them; a bit in `bad` for what is none. */
static uint64_t digits_take(const uint8_t *text, size_t size, uint64_t *bad)
{
    if (size == 0) return 0;
    const uint64_t word = characters_take(text, size) ^ ZEROS >> (8 * (8 - size));
    *bad |= pos_characters_bad(word);
    return pos_nibbles_of_bytes(word);
}

/* Each writes a value, and gives the end of it; NULL: the slow doors are to be asked. */
static uint8_t *digits_dress(const pos_form *form, const pos_answer_value *value, uint8_t *at,
                             const uint8_t *end)
{
    const size_t size = form->size_max / 2;
    uint64_t bad = 0;
    if (value->size > form->size_max || (size_t)(end - at) < size) return NULL;
    const size_t low_size = value->size > 8 ? 8 : value->size;
    const size_t high_size = value->size - low_size;
    uint64_t digits = digits_take(value->value + high_size, low_size, &bad);
    if (high_size > 0) digits |= digits_take(value->value, high_size, &bad) << 32;
    if (bad != 0) return NULL;
    for (size_t index = size; index > 0; index--) {
        at[index - 1] = (uint8_t)digits;
        digits >>= 8;
    }
    return at + size;
}

/* Whether all are digits: what most codes and numbers are, and every text field allows. */
static bool is_digits(const uint8_t *text, size_t size)
{
    uint64_t bad = 0;
    while (size > 8) {
        bad |= pos_characters_bad(pos_load_u64_be(text) ^ ZEROS);
        text += 8;
        size -= 8;
    }
    if (size > 0) bad |= pos_characters_bad(characters_take(text, size) ^ ZEROS >> (8 * (8 - size)));
    return bad == 0;
}

static bool text_is_right(const pos_form *form, const uint8_t *text, uint32_t size)
{
    if (form->content == POS_CONTENT_B || size == 0) return true;
    if (form->content != POS_CONTENT_A && is_digits(text, size)) return true;
    const pos_view view = {
        .data = text, .size = size, .units = size, .content = form->content,
        .encoding = form->encoding,
    };
    return pos_view_fault(&view) == size;
}

static uint8_t *prefix_put(const pos_form *form, uint32_t number, uint8_t *at)
{
    if (form->prefix_encoding == POS_CODE_BCD) {
        if (form->prefix_size == 1) at[0] = (uint8_t)(number / 10 << 4 | number % 10);
        else pos_bcd_from_number(number, at, form->prefix_size);
    } else {
        pos_ascii_from_number(number, (char *)at, form->prefix_size);
    }
    return at + form->prefix_size;
}

static uint8_t *text_dress(const pos_form *form, const pos_answer_value *value, uint8_t *at,
                           const uint8_t *end)
{
    const uint32_t size = value->size;
    if (size > form->size_max || size < form->size_min) return NULL;
    if ((size_t)(end - at) < (size_t)form->prefix_size + size) return NULL;
    if (!text_is_right(form, value->value, size)) return NULL;
    if (form->prefix_digits != 0) at = prefix_put(form, size, at);
    else if (size != form->size_max) return NULL;
    pos_copy_short(at, value->value, size);
    return at + size;
}

static uint8_t *slowly_dress(const pos_form *form, unsigned field, const pos_answer_value *value,
                             uint8_t *at, const uint8_t *end)
{
    pos_writer writer = pos_writer_over(at, (size_t)(end - at));
    const pos_status status =
        pos_field_write(form, field, value->value, value->size, &writer, NULL);
    return status == POS_OK && !writer.is_full ? at + writer.size : NULL;
}

static uint8_t *value_dress(const pos_spec *spec, const recipe_step *step,
                            const pos_answer_value *value, uint8_t *at, const uint8_t *end)
{
    const pos_form *form = &spec->forms[step->first];
    assert(value->field == step->first);
    if (step->dress == DRESS_DIGITS) return digits_dress(form, value, at, end);
    if (step->dress == DRESS_TEXT) return text_dress(form, value, at, end);
    return slowly_dress(form, step->first, value, at, end);
}

/* ---- write: the reply, and the template from it ------------------------------------------------------ */
typedef struct hole {
    uint16_t offset; /* in the body */
    uint16_t size;
} hole;

/* The body of the reply; its end, NULL where the slow doors are to be asked. */
static uint8_t *body_write(const pos_spec *spec, const recipe_answer *answer,
                           const pos_message *request, const pos_answer_value *values, uint8_t *at,
                           const uint8_t *end, hole holes_out[RECIPE_HOLES_MAX])
{
    const uint8_t *start = at;
    if ((size_t)(end - at) < answer->head_size) return NULL;
    pos_copy_short(at, answer->head, answer->head_size);
    at += answer->head_size;
    for (unsigned index = 0; index < answer->step_count; index++) {
        const recipe_step *step = &answer->steps[index];
        if (step->dress != DRESS_ECHO) {
            at = value_dress(spec, step, &values[step->value], at, end);
            if (at == NULL) return NULL;
            continue;
        }
        const pos_field *last = &request->fields[step->last];
        const size_t from = (size_t)request->fields[step->first].offset
                            - spec->forms[step->first].prefix_size;
        const size_t size = (size_t)last->offset + last->size - from;
        if ((size_t)(end - at) < size) return NULL;
        pos_copy_short(at, request->body + from, size);
        for (unsigned each = step->hole_first; each < step->hole_end; each++) {
            const pos_field *place = &request->fields[answer->holes[each]];
            holes_out[each] = (hole){
                .offset = (uint16_t)((size_t)(at - start) + place->offset - from),
                .size = place->size,
            };
        }
        at += size;
    }
    return at;
}

/* Holes, and the body copied around them: their bytes never come here. */
static bool template_write(const recipe_answer *answer, const hole holes[RECIPE_HOLES_MAX],
                           const uint8_t *body, size_t body_size, pos_writer *writer)
{
    const size_t heads = 1 + (size_t)answer->hole_count * HOLE_SIZE;
    if (writer->is_full || writer->capacity - writer->size < heads + body_size) return false;
    uint8_t *at = writer->data + writer->size;
    *at++ = answer->hole_count;
    for (unsigned index = 0; index < answer->hole_count; index++) {
        at[0] = answer->holes[index];
        pos_store_u16_le(at + 1, holes[index].offset);
        pos_store_u16_le(at + 3, holes[index].size);
        at += HOLE_SIZE;
    }
    size_t from = 0;
    for (unsigned index = 0; index < answer->hole_count; index++) {
        pos_copy_short(at + from, body + from, holes[index].offset - from);
        pos_zero(at + holes[index].offset, holes[index].size);
        from = (size_t)holes[index].offset + holes[index].size;
    }
    pos_copy(at + from, body + from, body_size - from);
    writer->size += heads + body_size;
    return true;
}

/* The answer's recipe for these values, compiled when it is first wanted; NULL: there is none. */
static const recipe_answer *answer_find(const pos_spec *spec, pos_recipe *recipe,
                                        const pos_message *request,
                                        const pos_answer_value *values, size_t value_count,
                                        bool is_signed)
{
    uint64_t given[2] = {0, 0};
    unsigned before = 0;
    for (size_t index = 0; index < value_count; index++) {
        const unsigned field = values[index].field;
        if (field <= before || field > POS_FIELD_MAX) return NULL;
        pos_bitmap_set(given, field);
        before = field;
    }
    for (unsigned index = 0; index < recipe->answer_count; index++) {
        const recipe_answer *each = &recipe->answers[index];
        const bool is_ours = each->given[0] == given[0] && each->given[1] == given[1]
                             && each->is_signed == is_signed;
        if (is_ours) return each->is_slow ? NULL : each;
    }
    if (recipe->answer_count == RECIPE_ANSWERS_MAX) return NULL;
    recipe_answer *made = &recipe->answers[recipe->answer_count++];
    answer_compile(spec, recipe->rule, request, given, is_signed, made);
    return made->is_slow ? NULL : made;
}

bool recipe_answer_write(const pos_spec *spec, pos_recipe *recipe, const pos_message *request,
                         const pos_answer_value *values, size_t value_count, bool is_signed,
                         pos_writer *template_writer, pos_writer *reply_writer,
                         size_t *covered_size_out, size_t *mac_size_out)
{
    hole holes[RECIPE_HOLES_MAX];
    const recipe_answer *answer =
        answer_find(spec, recipe, request, values, value_count, is_signed);
    if (answer == NULL || reply_writer->is_full) return false;
    uint8_t *start = reply_writer->data + reply_writer->size;
    const uint8_t *end = reply_writer->data + reply_writer->capacity;
    uint8_t *at = body_write(spec, answer, request, values, start, end, holes);
    if (at == NULL) return false;
    const size_t body_size = (size_t)(at - start);
    if ((size_t)(end - at) < answer->mac_size || body_size > spec->frame.size_max) return false;
    if (template_writer != NULL
        && !template_write(answer, holes, start, body_size, template_writer)) return false;
    for (unsigned index = 0; index < answer->mac_size; index++) at[index] = 0;
    reply_writer->size += body_size + answer->mac_size;
    *covered_size_out = body_size;
    *mac_size_out = answer->mac_size;
    return true;
}
