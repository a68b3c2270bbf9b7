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
 * Values that sheets have in common are dressed when the first of such sheets comes, and with the head
 * lie ready as bytes between the runs: steps become parts, fewer and plainer. Short parts go by moves
 * of a known size that run past their ends; what comes after is written over that, and zeros at last.
 *
 * Rules. The reply is written first, the template from it, so that no digit of a hole is ever in the
 * template. Whatever does not fit, or is no value of its field, is left to the slow doors: nothing
 * counts as written before the end.
 */
#include "message/recipe.h"

#include <assert.h>

#define HOLE_SIZE 5U
#define ZEROS_AFTER 8U /* a word of digits is stored whole; what comes next writes over its zeros */

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
    const bool is_fixed = form->prefix_digits == 0;
    if (form->content == POS_CONTENT_N && form->encoding == POS_CODE_BCD) {
        if (form->size_max > 16) return DRESS_SLOWLY;
        if (is_fixed) return form->size_max % 2 == 0 ? DRESS_DIGITS : DRESS_SLOWLY;
        return has_plain_prefix(form) && !form->counts_bytes ? DRESS_DIGITS_LL : DRESS_SLOWLY;
    }
    return is_raw_text(form) && (is_fixed || has_plain_prefix(form)) ? DRESS_TEXT : DRESS_SLOWLY;
}

static uint8_t quick_of(const pos_form *form)
{
    if (form->content == POS_CONTENT_B) return QUICK_ANY;
    if (form->content == POS_CONTENT_ANS) return QUICK_PRINTABLE;
    return form->content == POS_CONTENT_AN ? QUICK_DIGITS : QUICK_NONE;
}

/* A given value; what it can take at most goes into the room that is asked for. */
static bool value_compile(const pos_form *form, unsigned field, unsigned index, recipe_answer *made)
{
    if (made->step_count == RECIPE_STEPS_MAX) return false;
    const bool is_fixed = form->prefix_digits == 0;
    made->steps[made->step_count++] = (recipe_step){
        .dress = dress_of(form), .first = (uint8_t)field, .value = (uint8_t)index,
        .prefix_size = is_fixed ? 0 : form->prefix_size,
        .prefix_is_bcd = form->prefix_encoding == POS_CODE_BCD, .quick = quick_of(form),
        .size_min = is_fixed ? form->size_max : form->size_min, .size_max = form->size_max,
    };
    /* Hex has two characters a unit; ZEROS_AFTER: digits are stored by the word. */
    made->room += form->prefix_size + 2U * form->size_max + ZEROS_AFTER;
    return true;
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
        *last = (recipe_step){
            .dress = DRESS_ECHO, .first = (uint8_t)field,
            .prefix_size = spec->forms[field].prefix_size,
            .hole_first = made->hole_count, .hole_end = made->hole_count, .is_exact = true,
        };
    }
    last->last = (uint8_t)field;
    const pos_form *form = &spec->forms[field];
    const bool is_fixed = form->prefix_digits == 0;
    last->is_exact &= is_fixed;
    last->size_max = (uint16_t)(last->size_max + request->fields[field].size);
    if (!pos_answer_is_hole(spec, field)) return true;
    if (made->hole_count == RECIPE_HOLES_MAX) return false;
    made->holes[made->hole_count++] = (uint8_t)field;
    last->hole_end = made->hole_count;
    return true;
}

/* Where a field's value is among the given ones; their number where it is none of them. */
static unsigned given_index(const recipe_answer *made, unsigned field)
{
    unsigned index = 0;
    while (index < made->value_count && made->fields[index] != field) index++;
    return index;
}

static bool steps_compile(const pos_spec *spec, const pos_rule *rule, const pos_message *request,
                          recipe_answer *made, uint64_t bitmap_out[2])
{
    for (unsigned field = 2; field <= spec->field_max; field++) {
        if (spec->forms[field].content == POS_CONTENT_NONE) continue;
        if (field == spec->mac_fields[0] || field == spec->mac_fields[1]) continue;
        const bool is_echoed = pos_bitmap_has(rule->echoed, field);
        const unsigned index = given_index(made, field);
        const bool is_given = index < made->value_count
                              && (is_echoed || pos_bitmap_has(rule->supplied, field));
        if (!is_given && !(is_echoed && pos_message_has(request, field))) continue;
        pos_bitmap_set(bitmap_out, field);
        const bool has_room = is_given ? value_compile(&spec->forms[field], field, index, made)
                                       : echo_compile(spec, request, field, made);
        if (!has_room) return false;
    }
    return true;
}

/* `made` names the given values and whether it is signed; the rest is worked out. */
static void answer_compile(const pos_spec *spec, const pos_rule *rule, const pos_message *request,
                           bool is_signed, recipe_answer *made)
{
    made->is_slow = true;
    made->is_signed = is_signed;
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
    made->room += made->head_size + made->mac_size;
    made->is_slow = false;
}

/* ---- write: values ---------------------------------------------------------------------------------- */
#define ZEROS 0x3030303030303030U

/* Up to eight characters, right aligned in the word; exactly those are read. */
static inline uint64_t characters_take(const uint8_t *text, size_t size)
{
    if (size >= 4) {
        const uint64_t tail = pos_load_u32_be(text + size - 4);
        return (uint64_t)pos_load_u32_be(text) << (8 * (size - 4)) | tail;
    }
    if (size >= 2) return (uint64_t)pos_load_u16_be(text) << (8 * (size - 2)) | text[size - 1];
    return size == 0 ? 0 : text[0];
}

/* The digits of one to eight characters as BCD, zeros before them; a bit in `bad` for what is none. */
static inline uint64_t digits_take(const uint8_t *text, size_t size, uint64_t *bad)
{
    const uint64_t word = characters_take(text, size) ^ ZEROS >> (8 * (8 - size));
    *bad |= pos_characters_bad(word);
    return pos_nibbles_of_bytes(word);
}

/* An even number of digits, right aligned in `units`; the end of it, NULL: the slow doors are to be
 * asked. So do all below. */
static inline uint8_t *digits_put(const pos_answer_value *value, size_t units, uint8_t *at)
{
    const size_t size = value->size;
    uint64_t bad = 0;
    if (size == 0 || size > units) return NULL;
    const size_t high_size = size > 8 ? size - 8 : 0;
    uint64_t digits = digits_take(value->value + high_size, size - high_size, &bad);
    if (high_size > 0) digits |= digits_take(value->value, high_size, &bad) << 32;
    if (bad != 0) return NULL;
    const size_t bytes = units / 2;
    pos_store_u64_be(at, digits << (8 * (8 - bytes)));
    return at + bytes;
}

static inline uint8_t *prefix_put(const recipe_step *step, uint32_t number, uint8_t *at)
{
    const unsigned low = number % 100;
    if (step->prefix_is_bcd == 0) {
        pos_ascii_from_number(number, (char *)at, step->prefix_size);
    } else if (step->prefix_size == 1) {
        at[0] = (uint8_t)(low / 10 << 4 | low % 10);
    } else {
        const unsigned high = number / 100;
        at[0] = (uint8_t)(high / 10 << 4 | high % 10);
        at[1] = (uint8_t)(low / 10 << 4 | low % 10);
    }
    return at + step->prefix_size;
}

/* A bit in each byte that may be wrong: none, and all eight characters are right. */
static inline uint64_t doubt(uint8_t quick, uint64_t word)
{
    if (quick == QUICK_DIGITS) return pos_characters_bad(word ^ ZEROS);
    /* 20 to 7E: one less than 20 borrows, one more than 7E carries into the highest bit. */
    return (word | (word - 0x2020202020202020U) | (word + 0x0101010101010101U))
           & 0x8080808080808080U;
}

/* Copies text and says whether one of its characters wants a closer look; none past it is read. */
static inline bool text_copy(uint8_t quick, const uint8_t *text, size_t size, uint8_t *at)
{
    uint64_t doubts = 0;
    size_t from = 0;
    if (size < 8) {
        const uint64_t word = characters_take(text, size);
        pos_copy_short(at, text, size);
        /* Right aligned: digits before it are no doubt. */
        return doubt(quick, word | ZEROS << (4 * size) << (4 * size)) != 0;
    }
    for (; size - from > 8; from += 8) {
        const uint64_t word = pos_load_u64_le(text + from);
        pos_store_u64_le(at + from, word);
        doubts |= doubt(quick, word);
    }
    const uint64_t tail = pos_load_u64_le(text + size - 8);
    pos_store_u64_le(at + size - 8, tail);
    return (doubts | doubt(quick, tail)) != 0;
}

static bool text_is_right(const pos_form *form, const uint8_t *text, uint32_t size)
{
    const pos_view view = {
        .data = text, .size = size, .units = size, .content = form->content,
        .encoding = form->encoding,
    };
    return pos_view_fault(&view) == size;
}

static inline uint8_t *text_put(const pos_spec *spec, const recipe_step *step,
                                const pos_answer_value *value, uint8_t *at)
{
    const uint32_t size = value->size;
    if (size < step->size_min || size > step->size_max) return NULL;
    if (step->prefix_size != 0) at = prefix_put(step, size, at);
    if (step->quick == QUICK_ANY) {
        pos_copy_short(at, value->value, size);
    } else if (text_copy(step->quick, value->value, size, at) || step->quick == QUICK_NONE) {
        if (!text_is_right(&spec->forms[step->first], value->value, size)) return NULL;
    }
    return at + size;
}

/* The same of a fixed field whose characters are judged at a look. */
static inline uint8_t *plain_put(const pos_spec *spec, const recipe_step *step,
                                 const pos_answer_value *value, uint8_t *at)
{
    const uint32_t size = value->size;
    if (size != step->size_max) return NULL;
    const bool is_right = !text_copy(step->quick, value->value, size, at)
                          || text_is_right(&spec->forms[step->first], value->value, size);
    return is_right ? at + size : NULL;
}

static uint8_t *slowly_put(const pos_form *form, unsigned field, const pos_answer_value *value,
                           uint8_t *at, const uint8_t *end)
{
    pos_writer writer = pos_writer_over(at, (size_t)(end - at));
    const pos_status status =
        pos_field_write(form, field, value->value, value->size, &writer, NULL);
    return status == POS_OK && !writer.is_full ? at + writer.size : NULL;
}

static inline uint8_t *value_put(const pos_spec *spec, const recipe_step *step,
                                 const pos_answer_value *value, uint8_t *at, const uint8_t *end)
{
    if (step->dress == DRESS_TEXT) return text_put(spec, step, value, at);
    if (step->dress == DRESS_DIGITS) return digits_put(value, step->size_max, at);
    if (step->dress == DRESS_DIGITS_LL && value->size % 2 == 0) {
        if (value->size < step->size_min || value->size > step->size_max) return NULL;
        return digits_put(value, value->size, prefix_put(step, value->size, at));
    }
    return slowly_put(&spec->forms[step->first], step->first, value, at, end);
}

/* ---- write: the reply, and the template from it ------------------------------------------------------ */
typedef struct hole {
    uint16_t offset; /* in the body */
    uint16_t size;
} hole;

/* A run of the request's own fields, and where the holes in it come to lie. */
static inline uint8_t *echo_put(const recipe_answer *answer, const recipe_step *step,
                                const pos_message *request, uint8_t *at, const uint8_t *start,
                                hole holes_out[RECIPE_HOLES_MAX])
{
    const pos_field *last = &request->fields[step->last];
    const size_t from = (size_t)request->fields[step->first].offset - step->prefix_size;
    const size_t size = (size_t)last->offset + last->size - from;
    pos_copy_short(at, request->body + from, size);
    for (unsigned each = step->hole_first; each < step->hole_end; each++) {
        const pos_field *place = &request->fields[answer->holes[each]];
        holes_out[each] = (hole){
            .offset = (uint16_t)((size_t)(at - start) + place->offset - from),
            .size = place->size,
        };
    }
    return at + size;
}

/* The body of the reply; its end, NULL where the slow doors are to be asked. There is room. */
static uint8_t *body_write(const pos_spec *spec, const recipe_answer *answer,
                           const pos_message *request, const pos_answer_value *values, uint8_t *at,
                           const uint8_t *end, hole holes_out[RECIPE_HOLES_MAX])
{
    const uint8_t *start = at;
    pos_copy_short(at, answer->head, answer->head_size);
    at += answer->head_size;
    const recipe_step *last = answer->steps + answer->step_count;
    for (const recipe_step *step = answer->steps; step < last; step++) {
        if (step->dress == DRESS_ECHO) {
            at = echo_put(answer, step, request, at, start, holes_out);
            continue;
        }
        at = value_put(spec, step, &values[step->value], at, end);
        if (at == NULL) return NULL;
    }
    return at;
}

/* Whether the answer's parts are of this sheet, and its moves end within the request and the room. */
static inline bool has_parts(const recipe_answer *answer, const pos_answer_sheet *sheet,
                             const pos_message *request, size_t room)
{
    if (sheet->number == 0 || answer->sheet != sheet->number || room < RECIPE_MOVE) return false;
    return answer->move_field == 0
           || request->fields[answer->move_field].offset + RECIPE_MOVE <= request->body_size;
}

/* The same by the parts of a sheet. */
static uint8_t *parts_write(const pos_spec *spec, const recipe_answer *answer,
                            const pos_message *request, const pos_answer_value *values, uint8_t *at,
                            const uint8_t *end, hole holes_out[RECIPE_HOLES_MAX])
{
    const uint8_t *start = at;
    const recipe_part *last = answer->parts + answer->part_count;
    for (const recipe_part *part = answer->parts; part < last; part++) {
        const recipe_step *step = &answer->steps[part->step];
        uint8_t *const before = at;
        switch ((recipe_way)part->way) {
        case WAY_DRESSED_MOVE:
            pos_copy_32(at, answer->dressed + part->from);
            at += part->size;
            break;
        case WAY_ECHO_MOVE:
            pos_copy_32(at, request->body + request->fields[part->field].offset);
            at += part->size;
            break;
        case WAY_DRESSED:
            pos_copy_short(at, answer->dressed + part->from, part->size);
            at += part->size;
            break;
        case WAY_ECHO: at = echo_put(answer, step, request, at, start, holes_out); break;
        case WAY_PLAIN: at = plain_put(spec, step, &values[step->value], at); break;
        case WAY_VALUE: at = value_put(spec, step, &values[step->value], at, end); break;
        }
        if (at == NULL) {
            pos_zero(before, RECIPE_MOVE);
            return NULL;
        }
    }
    pos_zero(at, RECIPE_MOVE); /* where the last moves ended */
    return at;
}

/* ---- dress: what the sheets of a number have in common ------------------------------------------------ */
/* Bytes that were dressed: they go on in the part before, if that is of such bytes too. */
static void dressed_add(recipe_answer *answer, size_t from, size_t size)
{
    const unsigned count = answer->part_count;
    if (count == 0 || answer->parts[count - 1].way != WAY_DRESSED) {
        answer->parts[answer->part_count++] =
            (recipe_part){.way = WAY_DRESSED, .from = (uint16_t)from, .size = (uint16_t)size};
        return;
    }
    recipe_part *last = &answer->parts[count - 1];
    last->size = (uint16_t)(last->size + size);
}

/* Whether the value is common to all sheets, and there is room for it however it is dressed. */
static bool is_common(const recipe_step *step, const pos_answer_sheet *sheet, size_t room)
{
    if (step->dress == DRESS_ECHO || (sheet->steady >> step->value & 1U) == 0) return false;
    return 2 * (size_t)sheet->values[step->value].size + step->size_min + step->prefix_size
               + ZEROS_AFTER <= room;
}

static recipe_part part_of(const recipe_step *step, unsigned index)
{
    const bool is_plain = step->dress == DRESS_TEXT && step->prefix_size == 0
                          && (step->quick == QUICK_DIGITS || step->quick == QUICK_PRINTABLE);
    const recipe_way way = step->dress == DRESS_ECHO ? WAY_ECHO : is_plain ? WAY_PLAIN : WAY_VALUE;
    return (recipe_part){.way = (uint8_t)way, .step = (uint8_t)index, .field = step->first};
}

/* A short part of a known size goes by one move: what comes after it is written over its end. */
static void moves_find(recipe_answer *answer)
{
    answer->move_field = 0;
    for (unsigned index = answer->part_count; index-- > 0;) {
        recipe_part *part = &answer->parts[index];
        const recipe_step *step = &answer->steps[part->step];
        const bool is_dressed = part->way == WAY_DRESSED;
        const bool is_echo = part->way == WAY_ECHO && step->is_exact
                             && step->hole_first == step->hole_end;
        const size_t size = is_dressed ? part->size : step->size_max;
        if (size > RECIPE_MOVE || !(is_dressed || is_echo)) continue;
        part->way = is_echo ? WAY_ECHO_MOVE : WAY_DRESSED_MOVE;
        part->size = (uint16_t)size;
        if (is_echo && answer->move_field == 0) answer->move_field = part->field;
    }
}

/* The parts for the sheets of this number; none where a common value is not right. */
static void answer_dress(const pos_spec *spec, recipe_answer *answer, const pos_answer_sheet *sheet)
{
    uint8_t *const start = answer->dressed;
    uint8_t *at = start;
    answer->sheet = 0;
    answer->part_count = 0;
    pos_copy_short(at, answer->head, answer->head_size);
    at += answer->head_size;
    dressed_add(answer, 0, answer->head_size);
    for (unsigned index = 0; index < answer->step_count; index++) {
        const recipe_step *step = &answer->steps[index];
        const size_t room = RECIPE_DRESSED_MAX - (size_t)(at - start);
        if (!is_common(step, sheet, room)) {
            answer->parts[answer->part_count++] = part_of(step, index);
            continue;
        }
        uint8_t *after = value_put(spec, step, &sheet->values[step->value], at, at + room);
        if (after == NULL) return;
        dressed_add(answer, (size_t)(at - start), (size_t)(after - at));
        at = after;
    }
    moves_find(answer);
    answer->sheet = sheet->number;
}

/* ---- write: the whole ----------------------------------------------------------------------------------- */
/* By moves of a known size, the last of which may overlap the one before it. */
static inline void tail_copy(uint8_t *to, const uint8_t *from, size_t size)
{
    if (size < 32) {
        pos_copy_short(to, from, size);
        return;
    }
    for (size_t done = 0; done + 32 < size; done += 32) pos_copy_32(to + done, from + done);
    pos_copy_32(to + size - 32, from + size - 32);
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
        const hole *each = &holes[index];
        const size_t after = (size_t)each->offset + each->size;
        pos_copy_short(at + from, body + from, each->offset - from);
        /* Zeros that run past the hole are written over by what follows it. */
        if (each->size <= 16 && body_size - each->offset >= 16) {
            pos_store_u64_le(at + each->offset, 0);
            pos_store_u64_le(at + each->offset + 8, 0);
        } else {
            pos_zero(at + each->offset, each->size);
        }
        from = after;
    }
    tail_copy(at + from, body + from, body_size - from);
    writer->size += heads + body_size;
    return true;
}

static bool is_answer(const recipe_answer *answer, const pos_answer_sheet *sheet, bool is_signed)
{
    if (answer->value_count != sheet->count || answer->is_signed != is_signed) return false;
    unsigned other = 0;
    for (uint32_t index = 0; index < sheet->count; index++) {
        other |= (unsigned)(answer->fields[index] ^ sheet->values[index].field);
    }
    return other == 0;
}

/* The answer's recipe for these values, compiled when it is first wanted; NULL: there is none. */
static recipe_answer *answer_of(const pos_spec *spec, pos_recipe *recipe,
                                const pos_message *request, const pos_answer_sheet *sheet,
                                bool is_signed)
{
    for (unsigned index = 0; index < recipe->answer_count; index++) {
        recipe_answer *each = &recipe->answers[index];
        if (is_answer(each, sheet, is_signed)) return each->is_slow ? NULL : each;
    }
    const uint32_t count = sheet->count;
    if (recipe->answer_count == RECIPE_ANSWERS_MAX || count > RECIPE_VALUES_MAX) return NULL;
    recipe_answer *made = &recipe->answers[recipe->answer_count];
    *made = (recipe_answer){.value_count = (uint8_t)count};
    for (uint32_t index = 0; index < count; index++) {
        const uint8_t field = sheet->values[index].field;
        if (field <= (index == 0 ? 0 : made->fields[index - 1])) return NULL;
        made->fields[index] = field;
    }
    recipe->answer_count++;
    answer_compile(spec, recipe->rule, request, is_signed, made);
    return made->is_slow ? NULL : made;
}

/* The same by the sheet's number, where one was dressed for it. */
static const recipe_answer *answer_find(const pos_spec *spec, pos_recipe *recipe,
                                        const pos_message *request, const pos_answer_sheet *sheet,
                                        bool is_signed)
{
    for (unsigned index = 0; index < recipe->answer_count && sheet->number != 0; index++) {
        const recipe_answer *each = &recipe->answers[index];
        if (each->sheet == sheet->number && each->is_signed == is_signed) return each;
    }
    recipe_answer *found = answer_of(spec, recipe, request, sheet, is_signed);
    if (found != NULL && sheet->number != 0) answer_dress(spec, found, sheet);
    return found;
}

bool recipe_answer_write(const pos_spec *spec, pos_recipe *recipe, const pos_message *request,
                         const pos_answer_sheet *sheet, bool is_signed,
                         pos_writer *template_writer, pos_writer *reply_writer,
                         size_t *covered_size_out, size_t *mac_size_out)
{
    hole holes[RECIPE_HOLES_MAX];
    const recipe_answer *answer = answer_find(spec, recipe, request, sheet, is_signed);
    if (answer == NULL || reply_writer->is_full) return false;
    const size_t most = (size_t)answer->room + request->body_size;
    if (reply_writer->capacity - reply_writer->size < most) return false;
    uint8_t *start = reply_writer->data + reply_writer->size;
    const size_t room = reply_writer->capacity - reply_writer->size - most;
    uint8_t *at = has_parts(answer, sheet, request, room)
                      ? parts_write(spec, answer, request, sheet->values, start, start + most, holes)
                      : body_write(spec, answer, request, sheet->values, start, start + most, holes);
    if (at == NULL) return false;
    const size_t body_size = (size_t)(at - start);
    if (body_size > spec->frame.size_max) return false;
    if (template_writer != NULL
        && !template_write(answer, holes, start, body_size, template_writer)) return false;
    if (answer->mac_size == 8) pos_store_u64_le(at, 0);
    else pos_zero(at, answer->mac_size);
    reply_writer->size += body_size + answer->mac_size;
    *covered_size_out = body_size;
    *mac_size_out = answer->mac_size;
    return true;
}
