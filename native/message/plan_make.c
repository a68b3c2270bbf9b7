/*
 * A plan is made: from a good message of its shape, by the dialect alone. Only MTI and bitmap of the
 * message count, and that its fixed fields have their size; no value of it is looked at.
 *
 *   field after field, ascending, `at` being where it would lie had the steps before taken nothing:
 *     fixed      place, content into a chunk, layout judged now (its size will always be the same)
 *     variable   place, a step; from here on everything lies one sum further
 *
 * Rules. What a plan cannot hold (EBCDIC to be judged, a prefix in EBCDIC, more steps or chunks than
 * there is room for) makes no plan: such messages are the table loop's for ever, and right.
 */
#include "message/plan.h"

typedef struct maker {
    const pos_spec *spec;
    const pos_message *message;
    pos_plan *plan;
    uint32_t at;     /* in the message, had the steps so far taken nothing */
} maker;

/* ---- where fields are written ---------------------------------------------------------------------- */
/* The word of the sums that says what the steps before `after` took. */
static uint16_t taken_index(uint32_t after)
{
    return (uint16_t)(after == 0 ? PLAN_ZERO : 4 * (after - 1) + PLAN_TAKEN);
}

static plan_line *line_of(pos_plan *plan, uint32_t line)
{
    for (uint32_t index = 0; index < plan->line_count; index++) {
        if (plan->line_at[index] == line) return &plan->lines[index];
    }
    assert(plan->line_count < POS_PLAN_LINE_MAX);
    assert(plan->line_count == 0 || plan->line_at[plan->line_count - 1] < line);
    plan_line *made = &plan->lines[plan->line_count];
    const size_t numbers = (sizeof(pos_message) - 64 * line) / 2;
    plan->line_here[plan->line_count] = numbers >= 32 ? UINT32_MAX : ((uint32_t)1 << numbers) - 1;
    plan->line_at[plan->line_count++] = (uint8_t)line;
    pos_zero(made->base, sizeof made->base);
    for (uint32_t index = 0; index < 32; index++) made->index[index] = PLAN_ZERO;
    return made;
}

/* One 16-bit number of the message that is written, `place` bytes from its start. */
static void number_put(pos_plan *plan, size_t place, uint32_t base, uint16_t index)
{
    assert(place % 2 == 0 && place < sizeof(pos_message));
    plan_line *line = line_of(plan, (uint32_t)(place / 64));
    line->base[place % 64 / 2] = (uint16_t)base;
    line->index[place % 64 / 2] = index;
}

/* A field's place in all its dresses. `step` from 1, of a field of variable size, else 0. */
static void place_put(maker *make, unsigned field, uint32_t size, uint32_t units, uint32_t step)
{
    pos_plan *plan = make->plan;
    const uint32_t after = step == 0 ? plan->step_count : step - 1;
    const uint16_t own = (uint16_t)(step == 0 ? 0 : 4 * (step - 1));
    const uint16_t taken = taken_index(after);
    const uint16_t size_index = (uint16_t)(step == 0 ? PLAN_ZERO : own + PLAN_SIZE);
    const uint16_t units_index = (uint16_t)(step == 0 ? PLAN_ZERO : own + PLAN_UNITS);
    const size_t place = offsetof(pos_message, fields) + field * sizeof(pos_field);
    number_put(plan, place + offsetof(pos_field, offset), make->at, taken);
    number_put(plan, place + offsetof(pos_field, size), size, size_index);
    number_put(plan, place + offsetof(pos_field, units), units, units_index);
    plan->offsets[field / 32].base[field % 32] = (uint16_t)make->at;
    plan->offsets[field / 32].index[field % 32] = taken;
    plan->sizes[field / 32].base[field % 32] = (uint16_t)size;
    plan->sizes[field / 32].index[field % 32] = size_index;
    const uint32_t count = plan->place_count++;
    plan->places[count] = make->at | (uint64_t)size << 16 | (uint64_t)units << 32;
    plan->place_after[count] = (uint8_t)after;
    plan->place_step[count] = (uint8_t)(step == 0 ? POS_PLAN_STEP_MAX : step - 1);
    plan->place_field[count] = (uint8_t)field;
}

/* Where the characters of these classes mostly are: all between `low` and `high` are of them. */
static void bounds_put(uint8_t allowed, uint8_t *low, uint8_t *high)
{
    *low = UINT8_MAX; /* nowhere: FF is of no class, nor is it at most 0 */
    *high = 0;
    if ((allowed & POS_IS_PRINTABLE) != 0) {
        *low = 0x20;
        *high = 0x7e;
    } else if ((allowed & POS_IS_DIGIT) != 0) {
        *low = '0';
        *high = '9';
    }
}

/* ---- content of fixed fields ------------------------------------------------------------------------ */
/* The chunk that the byte at make->at + index falls into, opened where there is none; NULL: no room. */
static plan_chunk *chunk_of(maker *make, uint32_t index, uint32_t *byte_out)
{
    pos_plan *plan = make->plan;
    const uint32_t at = make->at + index;
    if (plan->chunk_count > 0) {
        plan_chunk *last = &plan->chunks[plan->chunk_count - 1];
        *byte_out = at - last->base;
        if (last->after == plan->step_count && *byte_out < 64) return last;
    }
    if (plan->chunk_count == POS_PLAN_CHUNK_MAX) return NULL;
    plan_chunk *made = &plan->chunks[plan->chunk_count++];
    *made = (plan_chunk){.base = (uint16_t)at, .after = plan->step_count};
    plan_bounds *bounds = &plan->bounds[plan->chunk_count - 1];
    for (uint32_t each = 0; each < 64; each++) {
        bounds->low[each] = 0;
        bounds->high[each] = UINT8_MAX;
    }
    *byte_out = 0;
    return made;
}

static bool byte_judge(maker *make, uint32_t index, uint8_t nibbles, uint8_t allowed)
{
    uint32_t byte;
    plan_chunk *chunk = chunk_of(make, index, &byte);
    if (chunk == NULL) return false;
    chunk->nibbles[byte] = nibbles;
    chunk->allowed[byte] = allowed;
    if (allowed != 0) {
        plan_bounds *bounds = &make->plan->bounds[chunk - make->plan->chunks];
        chunk->text |= (uint64_t)1 << byte;
        bounds_put(allowed, &bounds->low[byte], &bounds->high[byte]);
    }
    chunk->size = (uint8_t)(byte + 1);
    chunk->here = ~(uint64_t)0 >> (63 - byte);
    return true;
}

/* Digits two a byte, `first` bytes into the field. */
static bool pairs_judge(maker *make, const pos_form *form, uint32_t first, uint32_t units)
{
    const uint32_t skipped = form->is_right ? units % 2 : 0;
    for (uint32_t index = 0; index < (units + 1) / 2; index++) {
        uint8_t nibbles = 0xff;
        if (index == 0 && skipped == 1) nibbles = 0x0f;
        if (units % 2 == 1 && skipped == 0 && index == units / 2) nibbles = 0xf0;
        if (!byte_judge(make, first + index, nibbles, 0)) return false;
    }
    return true;
}

static bool is_judged(const pos_form *form)
{
    if (form->encoding == POS_CODE_BINARY) return false;
    return form->encoding != POS_CODE_BCD || form->content != POS_CONTENT_Z;
}

static bool content_judge(maker *make, const pos_form *form, uint32_t size, uint32_t units)
{
    if (!is_judged(form)) return true;
    const bool is_signed = form->content == POS_CONTENT_XN;
    if (is_signed && !byte_judge(make, 0, 0, POS_IS_SIGN)) return false;
    const uint32_t first = is_signed ? 1 : 0;
    if (form->encoding == POS_CODE_BCD) return pairs_judge(make, form, first, units - first);
    const uint8_t allowed = pos_classes_of(form->content, form->encoding);
    for (uint32_t index = first; index < size; index++) {
        if (!byte_judge(make, index, 0, allowed)) return false;
    }
    return true;
}

/* ---- layouts ------------------------------------------------------------------------------------------- */
/* Whether a variant may hold for messages of this MTI. */
static bool variant_may_hold(const maker *make, const pos_variant *variant)
{
    bool is_asked = false;
    bool holds = false;
    for (uint32_t index = 0; index < variant->match_count; index++) {
        const pos_match *match = &make->spec->matches[variant->match_first + index];
        if (match->selector != POS_SELECT_MTI) continue;
        is_asked = true;
        holds |= (make->message->mti & match->mask) == (match->value & match->mask);
    }
    return holds || !is_asked;
}

/* POS_JUDGE_WALK becomes NONE where no strict variant may hold. */
static pos_layout_judge layout_judge(const maker *make, const pos_form *form)
{
    if (form->layout_judge != POS_JUDGE_WALK) return (pos_layout_judge)form->layout_judge;
    const pos_layout *layout = &make->spec->layouts[form->layout - 1];
    if (layout->form != POS_LAYOUT_CHOICE) return POS_JUDGE_WALK;
    for (uint16_t index = 0; index < layout->count; index++) {
        const pos_variant *variant = &make->spec->variants[layout->first + index];
        const bool is_strict = make->spec->layouts[variant->layout - 1].is_strict;
        if (is_strict && variant_may_hold(make, variant)) return POS_JUDGE_WALK;
    }
    return POS_JUDGE_NONE;
}

static void walk_put(maker *make, unsigned field)
{
    make->plan->has_walks = true;
    pos_bitmap_set(make->plan->walks, field);
}

/* ---- fields --------------------------------------------------------------------------------------------- */
static bool fixed_put(maker *make, unsigned field, const pos_form *form)
{
    const uint32_t units = form->size_max;
    const uint32_t size = pos_units_size(form->content, form->encoding, units);
    const pos_layout_judge layout = layout_judge(make, form);
    if (layout == POS_JUDGE_WALK || layout == POS_JUDGE_BER) walk_put(make, field);
    /* Judged by its size, it held in this message and so will in all. */
    assert(layout != POS_JUDGE_SIZES || ((form->layout_sizes >> units) & 1U) == 1);
    place_put(make, field, size, units, 0);
    if (!content_judge(make, form, size, units)) return false;
    make->at += size;
    return true;
}

/* How units become bytes; false where a plan does not know. */
static bool step_sizes(const pos_form *form, plan_step *step)
{
    const bool is_hex = form->encoding == POS_CODE_HEX;
    const bool is_bcd = form->encoding == POS_CODE_BCD;
    if (form->content == POS_CONTENT_XN || (is_hex && form->counts_bytes)) return false;
    step->units_shift = form->counts_bytes && is_bcd;
    step->size_shift = is_hex;
    step->size_half = is_bcd;
    const uint32_t paired = form->counts_bytes && is_bcd ? form->size_max % 2U : 0U;
    step->units_min = form->size_min;
    step->units_max = (uint16_t)(form->size_max + paired);
    return true;
}

static bool step_put(maker *make, unsigned field, const pos_form *form)
{
    pos_plan *plan = make->plan;
    if (plan->step_count == POS_PLAN_STEP_MAX) return false;
    const uint8_t code = form->prefix_encoding;
    if (code != POS_CODE_BCD && code != POS_CODE_ASCII && code != POS_CODE_BINARY) return false;
    plan_step *step = &plan->steps[plan->step_count];
    *step = (plan_step){
        .base = (uint16_t)make->at, .field = (uint8_t)field,
        .prefix_size = form->prefix_size, .prefix_code = code,
        .prefix_high = form->prefix_size > 1 ? 0xff : 0, .is_right = form->is_right,
    };
    assert(form->prefix_size >= 1 && (code != POS_CODE_BCD || form->prefix_size <= 2));
    if (!step_sizes(form, step)) return false;
    if (is_judged(form)) {
        step->judge = form->encoding == POS_CODE_BCD ? PLAN_PAIRS : PLAN_TEXT;
        step->allowed = pos_classes_of(form->content, form->encoding);
        bounds_put(step->allowed, &step->low, &step->high);
    }
    step->layout = (uint8_t)layout_judge(make, form);
    step->sizes = form->layout_sizes;
    if (step->layout == POS_JUDGE_WALK) walk_put(make, field);
    make->at += form->prefix_size;
    plan->step_count++;
    place_put(make, field, 0, 0, plan->step_count);
    return true;
}

static bool field_put(maker *make, unsigned field)
{
    const pos_form *form = &make->spec->forms[field];
    assert(form->content != POS_CONTENT_NONE);
    if (form->encoding == POS_CODE_EBCDIC || form->encoding == POS_CODE_HEX_EBCDIC) return false;
    return form->prefix_digits == 0 ? fixed_put(make, field, form) : step_put(make, field, form);
}

/* ---- numbers and texts ------------------------------------------------------------------------------------ */
static const uint8_t NUMBER_ROLES[8] = {
    POS_ROLE_AMOUNT, POS_ROLE_PROCESSING, POS_ROLE_STAN, POS_ROLE_LOCAL_TIME,
    POS_ROLE_LOCAL_DATE, POS_ROLE_ENTRY_MODE, POS_ROLE_CARD_SEQUENCE, POS_ROLE_CONDITION,
};
static const uint8_t TEXT_ROLES[POS_PLAN_TEXT_COUNT] = {
    POS_ROLE_TID, POS_ROLE_MID, POS_ROLE_RRN, POS_ROLE_RESPONSE,
};
static const uint8_t TEXT_SIZES[POS_PLAN_TEXT_COUNT] = {8, 15, 12, 2};

/* Where a fixed field lies, by the places that were put; its index among them. */
static uint32_t place_of(const pos_plan *plan, unsigned field)
{
    uint32_t index = 0;
    while (plan->place_field[index] != field) index++;
    assert(index < plan->place_count);
    return index;
}

/* What a role's field says as a number. False: a plan cannot read it. */
static bool number_plan(const maker *make, pos_role role, plan_number *number)
{
    const pos_role_place place = make->spec->roles[role];
    *number = (plan_number){.size = 0};
    if (place.field == 0 || !pos_message_has(make->message, place.field)) return true;
    const pos_form *form = &make->spec->forms[place.field];
    const bool is_bcd = form->encoding == POS_CODE_BCD;
    if (place.part != NULL || form->content != POS_CONTENT_N || form->prefix_digits > 0) return false;
    if (!is_bcd && form->encoding != POS_CODE_ASCII) return false;
    if (form->size_max > 16) return false;
    const uint32_t index = place_of(make->plan, place.field);
    const uint32_t odd = is_bcd ? form->size_max % 2U : 0;
    *number = (plan_number){
        .base = (uint16_t)make->plan->places[index],
        .after = make->plan->place_after[index],
        .size = (uint8_t)pos_units_size(form->content, form->encoding, form->size_max),
        .is_ascii = !is_bcd,
        .shift = odd == 1 && !form->is_right ? 4 : 0,
        .digits = form->size_max == 16 ? ~(uint64_t)0 : ((uint64_t)1 << 4 * form->size_max) - 1,
    };
    return true;
}

/* The shuffle: a window of 64 bytes at the first of the numbers in BCD, in one stretch. */
static void gather_plan(maker *make)
{
    pos_plan *plan = make->plan;
    plan_gather *gather = &plan->gather;
    gather->base = UINT16_MAX;
    for (uint32_t lane = 0; lane < 8; lane++) {
        const plan_number *number = &plan->numbers[lane];
        if (number->size == 0 || number->is_ascii || number->base >= gather->base) continue;
        gather->base = number->base;
        gather->after = number->after;
    }
    for (uint32_t lane = 0; lane < 8; lane++) {
        const plan_number *number = &plan->numbers[lane];
        if (number->size == 0) continue;
        const uint32_t first = (uint32_t)number->base - gather->base;
        const bool is_here = !number->is_ascii && number->after == gather->after
                             && number->base >= gather->base && first + number->size <= 64;
        if (!is_here) {
            plan->number_slow |= (uint8_t)(1U << lane);
            continue;
        }
        for (uint32_t byte = 0; byte < number->size; byte++) { /* the last byte lowest */
            gather->from[8 * lane + byte] = (uint8_t)(first + number->size - 1 - byte);
            gather->lanes |= (uint64_t)1 << (8 * lane + byte);
            gather->here |= (uint64_t)1 << (first + byte);
        }
        gather->digits[lane] = number->digits;
        gather->shift[lane] = number->shift;
    }
    if (gather->lanes == 0) gather->base = 0;
}

static bool text_plan(const maker *make, pos_role role, uint8_t size_max, plan_text *text)
{
    const pos_role_place place = make->spec->roles[role];
    *text = (plan_text){.size = 0};
    if (place.field == 0 || !pos_message_has(make->message, place.field)) return true;
    const pos_form *form = &make->spec->forms[place.field];
    if (place.part != NULL || form->prefix_digits > 0 || form->content == POS_CONTENT_XN) return false;
    if (form->encoding != POS_CODE_ASCII && form->encoding != POS_CODE_GB18030) return false;
    if (form->size_max > 64) return false; /* many.c looks no further */
    const uint32_t index = place_of(make->plan, place.field);
    text->base = (uint16_t)make->plan->places[index];
    text->after = make->plan->place_after[index];
    text->size = (uint8_t)(form->size_max < size_max ? form->size_max : size_max);
    return true;
}

static void facts_plan(maker *make)
{
    pos_plan *plan = make->plan;
    plan->is_columnar = !plan->has_walks;
    for (uint32_t lane = 0; lane < 8; lane++) {
        if (number_plan(make, (pos_role)NUMBER_ROLES[lane], &plan->numbers[lane])) continue;
        plan->is_columnar = false;
        plan->has_numbers_late = true;
    }
    for (uint32_t index = 0; index < POS_PLAN_TEXT_COUNT; index++) {
        plan->is_columnar &= text_plan(make, (pos_role)TEXT_ROLES[index], TEXT_SIZES[index],
                                       &plan->texts[index]);
    }
    gather_plan(make);
}

/* ---- all of it -------------------------------------------------------------------------------------------- */
static void head_put(pos_plan *plan, const uint8_t *body, uint32_t head_size)
{
    assert(head_size >= POS_PLAN_HEAD_MIN && head_size <= 8 * POS_PLAN_HEAD_WORDS);
    plan->head_size = (uint8_t)head_size;
    for (uint32_t at = 0; at + 8 < head_size; at += 8) plan->head[at / 8] = pos_load_u64_le(body + at);
    plan->head[(head_size - 1) / 8] = pos_load_u64_le(body + head_size - 8);
}

static void rows_begin(pos_plan *plan)
{
    for (uint32_t row = 0; row < POS_PLAN_ROW_MAX; row++) {
        for (uint32_t index = 0; index < 32; index++) {
            plan->offsets[row].index[index] = PLAN_ZERO;
            plan->sizes[row].index[index] = PLAN_ZERO;
        }
    }
}

bool pos_plan_make(const pos_spec *spec, const pos_message *message, pos_plan *plan)
{
    assert(spec != NULL && message != NULL);
    const uint32_t head_size = plan_head_size(spec, message->body, message->body_size);
    assert(head_size > 0);
    *plan = (pos_plan){
        .mti = message->mti, .bitmap = {message->bitmap[0], message->bitmap[1]},
    };
    maker make = {.spec = spec, .message = message, .plan = plan, .at = head_size};
    head_put(plan, message->body, head_size);
    rows_begin(plan);
    for (unsigned field = 1; field <= POS_FIELD_MAX; field++) {
        if (pos_message_has(message, field) && !field_put(&make, field)) return false;
    }
    if (make.at > UINT16_MAX) return false;
    plan->size = (uint16_t)make.at;
    facts_plan(&make);
    return true;
}
