/*
 * Facts by recipe: where each lies is known from the shape, so reading is loads, shifts and copies.
 *
 *   compile   role ─▶ view in a sample of the shape ─▶ { field, distance, digits }
 *   read      numbers ─▶ account and track ─▶ any doubt? the slow door ─▶ prototype, numbers, text
 *
 * A number's digits are loaded as the word that ends with them, the field before included, and masked:
 *
 *   field 11        ... 01 23 45 | 00 00 59 | ...        end = 3, six digits
 *   load 8 bytes    [ .. .. 01 23 45 00 00 59 ]          mask 0xffffff ─▶ 0x59 ─▶ 59
 *
 * so nothing past the value is touched; before it lie MTI and bitmap at least. Digits become a number
 * by pairs, fours and eights (recipe.h).
 *
 * Rules. A place is taken from a sample only where it follows from what the key of the recipe holds:
 * the field's layout and its length (recipe_is_steady). Every digit is judged; what is none, or a
 * number too large for its fact, is left to pos_request_read, which names the fault. Nothing is
 * written before everything that can fail was done. Digits of an account are in registers, on the
 * stack and in `pan_out`, which the caller wipes as it does after the slow doors; never elsewhere.
 */
#include "message/recipe.h"

#include <assert.h>
#include <stddef.h>

#define BIN_DIGITS 6U
#define ACCOUNT_DIGITS_MIN 8U
#define ACCOUNT_DIGITS_MAX 19U
#define CODE_DIGITS_MAX 20U
#define SHORT_DIGITS 8U
#define WINDOW_DIGITS 32U /* of a track that are looked at */
#define SEPARATOR 13U
#define DIGIT_BITS(count) ((count) >= 16 ? ~UINT64_C(0) : (UINT64_C(1) << (4 * (count))) - 1)

/* ---- which facts ------------------------------------------------------------------------------------ */
typedef struct number_role {
    uint8_t role;
    uint8_t slot;
    uint64_t most;
} number_role;

static const number_role NUMBER_ROLES[SLOT_COUNT] = {
    {POS_ROLE_AMOUNT, SLOT_AMOUNT, INT64_MAX},
    {POS_ROLE_ENTRY_MODE, SLOT_ENTRY_MODE, UINT16_MAX},
    {POS_ROLE_PROCESSING, SLOT_PROCESSING, UINT32_MAX},
    {POS_ROLE_STAN, SLOT_STAN, UINT32_MAX},
    {POS_ROLE_BATCH, SLOT_BATCH, UINT32_MAX},
    {POS_ROLE_CURRENCY, SLOT_CURRENCY, UINT16_MAX},
    {POS_ROLE_NETWORK, SLOT_NETWORK, UINT16_MAX},
    {POS_ROLE_TYPE, SLOT_TYPE, UINT8_MAX},
    {POS_ROLE_CONDITION, SLOT_CONDITION, UINT8_MAX},
    {POS_ROLE_READER, SLOT_READER, UINT8_MAX},
    {POS_ROLE_CHIP_CONDITION, SLOT_CHIP_CONDITION, UINT8_MAX},
    {POS_ROLE_EXPIRY, SLOT_EXPIRY, UINT16_MAX},
    {POS_ROLE_LOCAL_TIME, SLOT_LOCAL_TIME, UINT64_C(999999999999)},
    {POS_ROLE_LOCAL_DATE, SLOT_LOCAL_DATE, UINT64_C(999999999999)},
    {POS_ROLE_ORIGINAL_BATCH, SLOT_ORIGINAL_BATCH, UINT32_MAX},
    {POS_ROLE_ORIGINAL_STAN, SLOT_ORIGINAL_STAN, UINT32_MAX},
    {POS_ROLE_ORIGINAL_DATE, SLOT_ORIGINAL_DATE, UINT16_MAX},
};

typedef struct text_role {
    uint8_t role;
    uint16_t at;
    uint8_t size;
} text_role;

#define TEXT_ROLE(role, member)                                                          \
    {role, offsetof(pos_request, member), sizeof(((pos_request *)NULL)->member)}
static const text_role TEXT_ROLES[RECIPE_TEXTS_MAX] = {
    TEXT_ROLE(POS_ROLE_TID, tid),           TEXT_ROLE(POS_ROLE_MID, mid),
    TEXT_ROLE(POS_ROLE_RRN, original_rrn),  TEXT_ROLE(POS_ROLE_AUTH, auth),
    TEXT_ROLE(POS_ROLE_RESPONSE, reason),   TEXT_ROLE(POS_ROLE_OPERATOR, operator_id),
};

pos_role recipe_role(unsigned index)
{
    if (index < SLOT_COUNT) return (pos_role)NUMBER_ROLES[index].role;
    index -= SLOT_COUNT;
    return index < RECIPE_TEXTS_MAX ? (pos_role)TEXT_ROLES[index].role : POS_ROLE_NONE;
}

/* ---- compile: places -------------------------------------------------------------------------------- */
/* Whether all that parse found right in a field's value is right in each of its parts too. */
static bool content_is_theirs(const pos_spec *spec, const pos_layout *layout, uint8_t content)
{
    if (content == POS_CONTENT_XN) return false;
    for (uint16_t number = 1; number <= layout->count; number++) {
        if (pos_part_form_of(spec, layout, number)->content != content) return false;
    }
    return true;
}

bool recipe_is_steady(const pos_spec *spec, const pos_message *message, unsigned field)
{
    pos_selection selection = {.asked = 0};
    const pos_layout *layout = pos_layout_of(spec, message, field, &selection);
    if (layout == NULL) return true;
    if (layout->form != POS_LAYOUT_POSITIONAL || layout->count_size > 0) return false;
    return layout->is_strict || content_is_theirs(spec, layout, spec->forms[field].content);
}

/* False where the role is not of this shape. `is_sure_out`: the key says so, or where it lies. */
static bool place_find(const pos_spec *spec, const pos_message *sample, pos_role role,
                       pos_view *view_out, bool *is_sure_out)
{
    const unsigned field = spec->roles[role].field;
    *is_sure_out = true;
    if (field == 0 || !pos_message_has(sample, field)) return false;
    if (spec->roles[role].part != NULL) *is_sure_out = recipe_is_steady(spec, sample, field);
    return pos_role_view(spec, sample, role, view_out);
}

static uint32_t delta_of(const pos_message *sample, unsigned field, const pos_view *view)
{
    return (uint32_t)(view->data - (sample->body + sample->fields[field].offset));
}

/* A number's place; false where its digits are not such as the read below takes. */
static bool number_compile(const pos_message *sample, unsigned field, const pos_view *view,
                           recipe_number *number_out)
{
    const uint32_t delta = delta_of(sample, field, view);
    if (view->units == 0 || view->units > 16 || view->content == POS_CONTENT_XN) return false;
    *number_out = (recipe_number){.field = (uint8_t)field};
    if (view->encoding == POS_CODE_BCD) {
        const uint32_t after = view->nibble + view->units;
        number_out->end = (uint16_t)(delta + (after + 1) / 2);
        number_out->shift = after % 2 == 1 ? 4 : 0;
        number_out->mask = DIGIT_BITS(view->units);
        return after <= 16; /* all of them lie in the one word */
    }
    const bool is_plain = view->encoding == POS_CODE_ASCII || view->encoding == POS_CODE_GB18030
                          || view->encoding == POS_CODE_BINARY;
    number_out->end = (uint16_t)(delta + view->size);
    number_out->count = (uint8_t)view->units;
    return is_plain && view->size == view->units;
}

/* Takes a number among those that need no judgement; false where it is none of them. */
static bool short_compile(const pos_view *view, const recipe_number *number, recipe_facts *facts)
{
    uint64_t largest = 0;
    for (uint32_t index = 0; index < view->units; index++) largest = 10 * largest + 9;
    const bool is_judged = view->encoding == POS_CODE_BCD && view->content == POS_CONTENT_N;
    if (!is_judged || view->units > SHORT_DIGITS || largest > number->most) return false;
    facts->shorts[facts->short_count++] = (recipe_short){
        .mask = (uint32_t)number->mask, .end = number->end, .field = number->field,
        .slot = number->slot, .shift = number->shift,
    };
    return true;
}

/* Whether the key holds all digits of a role: recipe.c asks for those of selectors. */
static bool is_of_key(pos_role role, const pos_view *view)
{
    const bool is_selector = role == POS_ROLE_PROCESSING || role == POS_ROLE_CONDITION
                             || role == POS_ROLE_TYPE || role == POS_ROLE_NETWORK;
    return is_selector && view->units <= 8;
}

static bool numbers_compile(const pos_spec *spec, const pos_message *sample, recipe_facts *facts)
{
    for (unsigned index = 0; index < SLOT_COUNT; index++) {
        const number_role *each = &NUMBER_ROLES[index];
        const pos_role role = (pos_role)each->role;
        const unsigned field = spec->roles[role].field;
        pos_view view;
        bool is_sure;
        const bool is_there = place_find(spec, sample, role, &view, &is_sure);
        if (!is_sure) return false;
        if (!is_there || (role == POS_ROLE_ENTRY_MODE && view.units > 4)) continue;
        uint64_t value;
        if (is_of_key(role, &view)) {
            if (!pos_view_number(&view, &value) || value > each->most) return false;
            facts->constants[each->slot] = value;
            continue;
        }
        recipe_number *number = &facts->numbers[facts->number_count];
        if (!number_compile(sample, field, &view, number)) return false;
        number->slot = each->slot;
        number->most = each->most;
        if (!short_compile(&view, number, facts)) facts->number_count++;
    }
    /* They are converted two by two: a last one alone has nobody beside it. */
    facts->shorts[facts->short_count] = (recipe_short){
        .field = facts->short_count > 0 ? facts->shorts[0].field : 0, .slot = SLOT_NOBODY,
    };
    return true;
}

static bool texts_compile(const pos_spec *spec, const pos_message *sample, recipe_facts *facts)
{
    uint8_t *prototype = (uint8_t *)&facts->prototype;
    for (unsigned index = 0; index < RECIPE_TEXTS_MAX; index++) {
        const text_role *each = &TEXT_ROLES[index];
        pos_view view;
        bool is_sure;
        for (size_t at = 0; at < each->size; at++) prototype[each->at + at] = ' ';
        const bool is_there = place_find(spec, sample, (pos_role)each->role, &view, &is_sure);
        if (!is_sure) return false;
        if (!is_there || view.units > 64 || view.size == 0) continue;
        const bool is_plain = view.encoding == POS_CODE_ASCII
                              || view.encoding == POS_CODE_GB18030
                              || view.encoding == POS_CODE_BINARY;
        if (!is_plain) return false;
        const unsigned field = spec->roles[each->role].field;
        facts->texts[facts->text_count++] = (recipe_text){
            .at = each->at, .field = (uint8_t)field,
            .delta = (uint16_t)delta_of(sample, field, &view),
            .size = view.size < each->size ? (uint8_t)view.size : each->size,
        };
    }
    return true;
}

/* ---- compile: the card -------------------------------------------------------------------------------- */
static bool is_there(const pos_spec *spec, const pos_message *sample, pos_role role)
{
    const unsigned field = spec->roles[role].field;
    return field != 0 && pos_message_has(sample, field);
}

/* The form of a role that is a whole field and present; NULL where it is not so. */
static const pos_form *whole_form(const pos_spec *spec, pos_role role)
{
    return spec->roles[role].part == NULL ? &spec->forms[spec->roles[role].field] : NULL;
}

static bool is_left_bcd(const pos_form *form, uint8_t content)
{
    return form != NULL && form->encoding == POS_CODE_BCD && !form->is_right
           && form->content == content;
}

static bool account_compile(const pos_spec *spec, const pos_message *sample, recipe_facts *facts)
{
    if (!is_there(spec, sample, POS_ROLE_PAN)) return true;
    const pos_form *form = whole_form(spec, POS_ROLE_PAN);
    if (form == NULL || form->content != POS_CONTENT_N) return false;
    facts->pan_field = spec->roles[POS_ROLE_PAN].field;
    if (is_left_bcd(form, POS_CONTENT_N)) facts->account = ACCOUNT_BCD;
    else if (form->encoding == POS_CODE_ASCII) facts->account = ACCOUNT_ASCII;
    else return false;
    return true;
}

static bool track_compile(const pos_spec *spec, const pos_message *sample, recipe_facts *facts)
{
    if (is_there(spec, sample, POS_ROLE_TRACK3)) {
        if (whole_form(spec, POS_ROLE_TRACK3) == NULL) return false;
        facts->prototype.flags |= POS_FLAG_TRACK;
    }
    if (!is_there(spec, sample, POS_ROLE_TRACK2)) return true;
    const pos_form *form = whole_form(spec, POS_ROLE_TRACK2);
    if (!is_left_bcd(form, POS_CONTENT_Z) || form->size_max > 37) return false;
    facts->prototype.flags |= POS_FLAG_TRACK;
    facts->track_field = spec->roles[POS_ROLE_TRACK2].field;
    if (!is_there(spec, sample, POS_ROLE_SECURITY)) return true;
    form = whole_form(spec, POS_ROLE_SECURITY);
    const bool is_fixed = form != NULL && form->prefix_digits == 0 && form->size_max % 2 == 0;
    if (!is_fixed || form->encoding != POS_CODE_BCD || form->content != POS_CONTENT_N) return false;
    if (form->size_max < 4 || form->size_max > 64) return false;
    facts->security_field = spec->roles[POS_ROLE_SECURITY].field;
    return true;
}

/* A payment code in a tag of two characters, after it a length of three digits, then digits. */
static bool code_compile(const pos_spec *spec, const pos_message *sample, recipe_facts *facts)
{
    if (!is_there(spec, sample, POS_ROLE_QR)) return true;
    const pos_role_place *place = &spec->roles[POS_ROLE_QR];
    const pos_form *form = &spec->forms[place->field];
    if (place->part == NULL || form->layout == 0) return false;
    const pos_layout *layout = &spec->layouts[form->layout - 1];
    const bool is_ours = layout->form == POS_LAYOUT_TLV && layout->tag_size == 2
                         && layout->length_size == 3 && place->part[0] != 0
                         && place->part[1] != 0 && place->part[2] == 0;
    if (!is_ours) return false;
    const uint32_t tag = (uint32_t)(uint8_t)place->part[0] << 8 | (uint8_t)place->part[1];
    const uint16_t number = pos_layout_tag(spec, layout, tag);
    if (number == 0 || pos_part_form_of(spec, layout, number)->content != POS_CONTENT_N) return false;
    facts->code_field = place->field;
    facts->code_tag[0] = place->part[0];
    facts->code_tag[1] = place->part[1];
    return true;
}

void recipe_facts_compile(const pos_spec *spec, const pos_rule *rule, const pos_message *sample,
                          recipe_facts *facts)
{
    assert(rule->mti == sample->mti);
    *facts = (recipe_facts){.is_slow = true};
    facts->prototype.kind = rule->kind;
    facts->prototype.mti = sample->mti;
    facts->prototype.message_class = (uint8_t)(sample->mti >> 4);
    /* Totals and details are read by the slow door. */
    if (is_there(spec, sample, POS_ROLE_PRIVATE_48)) {
        pos_selection selection = {.asked = 0};
        const unsigned field = spec->roles[POS_ROLE_PRIVATE_48].field;
        if (pos_layout_of(spec, sample, field, &selection) != NULL) return;
    }
    if (!numbers_compile(spec, sample, facts) || !texts_compile(spec, sample, facts)) return;
    if (!account_compile(spec, sample, facts) || !track_compile(spec, sample, facts)) return;
    if (!code_compile(spec, sample, facts)) return;
    facts->asks_original_data = is_there(spec, sample, POS_ROLE_ORIGINAL_DATA);
    if (is_there(spec, sample, POS_ROLE_PIN)) facts->prototype.flags |= POS_FLAG_PIN;
    if (is_there(spec, sample, POS_ROLE_CHIP)) facts->prototype.flags |= POS_FLAG_CHIP;
    facts->is_slow = false;
}

/* ---- read: numbers -------------------------------------------------------------------------------------- */
/* Up to sixteen characters that end at `end`, as BCD; bits in `bad` where one is no digit. */
static uint64_t characters_load(const uint8_t *end, unsigned count, uint64_t *bad)
{
    const unsigned low_count = count > 8 ? 8 : count;
    const uint64_t mask = ~UINT64_C(0) >> (8 * (8 - low_count));
    uint64_t word = (pos_load_u64_be(end - 8) ^ 0x3030303030303030U) & mask;
    *bad |= pos_characters_bad(word);
    uint64_t digits = pos_nibbles_of_bytes(word);
    if (count > 8) {
        word = (pos_load_u64_be(end - 16) ^ 0x3030303030303030U)
               & (~UINT64_C(0) >> (8 * (16 - count)));
        *bad |= pos_characters_bad(word);
        digits |= pos_nibbles_of_bytes(word) << 32;
    }
    return digits;
}

static inline uint64_t short_load(const recipe_short *number, const pos_message *message)
{
    const uint8_t *end = message->body + message->fields[number->field].offset + number->end;
    return pos_load_u64_be(end - 8) >> number->shift & number->mask;
}

static bool numbers_read(const recipe_facts *facts, const pos_message *message,
                         uint64_t numbers[SLOT_COUNT + 1])
{
    uint64_t bad = 0;
    for (unsigned index = 0; index < facts->short_count; index += 2) {
        const recipe_short *pair = &facts->shorts[index];
        const uint64_t both = pos_nibbles_numbers(short_load(&pair[0], message) << 32
                                                  | short_load(&pair[1], message));
        numbers[pair[0].slot] = both >> 32;
        numbers[pair[1].slot] = both & 0xffffffffU;
    }
    for (unsigned index = 0; index < facts->number_count; index++) {
        const recipe_number *number = &facts->numbers[index];
        const uint8_t *end = message->body + message->fields[number->field].offset + number->end;
        uint64_t digits;
        if (number->count == 0) {
            digits = pos_load_u64_be(end - 8) >> number->shift & number->mask;
            bad |= pos_nibbles_bad(digits);
        } else {
            digits = characters_load(end, number->count, &bad);
        }
        const uint64_t value = pos_nibbles_number(digits);
        bad |= (uint64_t)(value > number->most);
        numbers[number->slot] = value;
    }
    return bad == 0;
}

/* ---- read: the card ---------------------------------------------------------------------------------------- */
/* The first 32 digits of an account or a track, the first of all in the highest nibble. */
typedef struct window {
    uint64_t high;
    uint64_t low;
} window;

typedef struct card {
    window digits;
    uint32_t size; /* of the account; 0: none is known */
    uint32_t flags;
    uint32_t bin;
    uint16_t last4;
    uint16_t expiry_yymm;
} card;

/* `count` digits from digit `at` on, right aligned; at most 16. */
static inline uint64_t window_take(const window *from, uint32_t at, uint32_t count)
{
    assert(at + count <= WINDOW_DIGITS && count >= 1 && count <= 16);
    const uint32_t shift = 4 * (WINDOW_DIGITS - at - count); /* of the 128 bits */
    uint64_t word;
    if (shift >= 64) word = from->high >> (shift - 64);
    else if (shift == 0) word = from->low;
    else word = from->low >> shift | from->high << (64 - shift);
    return word & DIGIT_BITS(count);
}

/* ISO/IEC 7812-1, annex B: from the right, every second digit counts twice, less 9 where over 9. The
 * sum of sixteen such bytes is below 256. */
static uint64_t check_sum(uint64_t nibbles)
{
    const uint64_t once = nibbles & 0x0f0f0f0f0f0f0f0fU;
    const uint64_t twice = nibbles >> 4 & 0x0f0f0f0f0f0f0f0fU;
    const uint64_t over = (twice + 0x7b7b7b7b7b7b7b7bU) >> 7 & 0x0101010101010101U;
    return ((once + 2 * twice - 9 * over) * 0x0101010101010101U) >> 56;
}

static inline bool check_digit_is_right(const window *digits, uint32_t size)
{
    const uint32_t low_count = size > 16 ? 16 : size;
    uint64_t sum = check_sum(window_take(digits, size - low_count, low_count));
    if (size > 16) sum += check_sum(window_take(digits, 0, size - 16));
    return sum % 10 == 0;
}

/* First six and last four, where the account is long enough to hide the rest. */
static inline void ends_take(card *found)
{
    if (found->size < BIN_DIGITS + 4) return;
    const uint64_t both = pos_nibbles_numbers(window_take(&found->digits, 0, BIN_DIGITS) << 32
                                              | window_take(&found->digits, found->size - 4, 4));
    found->bin = (uint32_t)(both >> 32);
    found->last4 = (uint16_t)both;
}

/* At most 20 digits as characters; 24 bytes there can be read. False where one is no digit. */
static bool characters_window(const uint8_t *text, uint32_t size, window *digits_out)
{
    uint64_t bad = 0;
    uint64_t nibbles[3];
    for (uint32_t word = 0; word < 3; word++) {
        uint64_t characters = pos_load_u64_be(text + 8 * word) ^ 0x3030303030303030U;
        const uint32_t left = size > 8 * word ? size - 8 * word : 0;
        if (left < 8) characters &= left == 0 ? 0 : ~UINT64_C(0) << (8 * (8 - left));
        bad |= pos_characters_bad(characters);
        nibbles[word] = pos_nibbles_of_bytes(characters);
    }
    *digits_out = (window){nibbles[0] << 32 | nibbles[1], nibbles[2] << 32};
    return bad == 0;
}

static bool account_read(const recipe_facts *facts, const pos_message *message, card *found)
{
    const pos_field *place = &message->fields[facts->pan_field];
    const uint8_t *value = message->body + place->offset;
    const uint32_t size = place->units;
    if (size == 0) return true;
    if (size > ACCOUNT_DIGITS_MAX) return false;
    if (facts->account == ACCOUNT_BCD) {
        if ((uint32_t)place->offset + 16 > message->body_size) return false;
        found->digits = (window){pos_load_u64_be(value), pos_load_u64_be(value + 8)};
    } else {
        if ((uint32_t)place->offset + 24 > message->body_size) return false;
        if (!characters_window(value, size, &found->digits)) return false;
    }
    found->size = size;
    found->flags |= POS_FLAG_PAN;
    ends_take(found);
    const bool is_valid = size >= ACCOUNT_DIGITS_MIN
                          && check_digit_is_right(&found->digits, size);
    if (!is_valid) found->flags |= POS_FLAG_PAN_INVALID;
    return true;
}

/* A code that is all there is in its field; other elements beside it are the slow door's. */
static bool code_read(const recipe_facts *facts, const pos_message *message, card *found)
{
    const pos_field *place = &message->fields[facts->code_field];
    const uint8_t *value = message->body + place->offset;
    window digits;
    if (place->size < 6 || place->size > 5 + CODE_DIGITS_MAX) return false;
    if (value[0] != (uint8_t)facts->code_tag[0] || value[1] != (uint8_t)facts->code_tag[1]) return false;
    const uint32_t size = place->size - 5U;
    const bool is_whole = value[2] == '0' && value[3] == '0' + size / 10
                          && value[4] == '0' + size % 10;
    if (!is_whole || (uint32_t)place->offset + 5 + 24 > message->body_size) return false;
    if (!characters_window(value + 5, size, &digits)) return false;
    found->flags |= POS_FLAG_QR;
    if (found->size != 0) return true; /* field 2 goes first */
    found->digits = digits;
    found->size = size;
    found->flags |= POS_FLAG_PAN;
    ends_take(found);
    return true;
}

/* How many leading digits of a track were not enciphered: as in request.c. */
static uint32_t clear_digits(const recipe_facts *facts, const pos_message *message, uint32_t units)
{
    if (facts->security_field == 0) return units;
    const uint8_t *security = message->body + message->fields[facts->security_field].offset;
    if (security[1] >> 4 != 1) return units;
    const uint32_t enciphered = (security[0] & 0x0fU) == 3 ? 16 : 8;
    const uint32_t bytes = (units + 1) / 2;
    return bytes < enciphered + 1 ? 0 : 2 * (bytes - 1 - enciphered);
}

static bool track_read(const recipe_facts *facts, const pos_message *message, card *found)
{
    /* Where the account and its expiry are known, a track says nothing more. */
    if (found->size != 0 && found->expiry_yymm != 0) return true;
    const pos_field *place = &message->fields[facts->track_field];
    const uint8_t *value = message->body + place->offset;
    if ((uint32_t)place->offset + 16 > message->body_size) return false;
    const window track = {pos_load_u64_be(value), pos_load_u64_be(value + 8)};
    const uint32_t clear = clear_digits(facts, message, place->units);
    const uint64_t high_bad = pos_nibbles_bad(track.high);
    const uint64_t low_bad = pos_nibbles_bad(track.low);
    uint32_t digits = WINDOW_DIGITS;
    if (high_bad != 0) digits = (uint32_t)__builtin_clzll(high_bad) / 4;
    else if (low_bad != 0) digits = 16 + (uint32_t)__builtin_clzll(low_bad) / 4;
    else if (clear > WINDOW_DIGITS) return false; /* goes on beyond what was loaded */
    if (digits > clear) digits = clear;
    const bool is_ended = digits < clear && window_take(&track, digits, 1) == SEPARATOR;
    if (is_ended && digits + 5 > WINDOW_DIGITS && digits + 5 <= clear) return false;
    const bool is_account = is_ended && digits >= ACCOUNT_DIGITS_MIN
                            && digits <= ACCOUNT_DIGITS_MAX;
    if (is_account && found->size == 0) {
        found->digits = track;
        found->size = digits;
        found->flags |= POS_FLAG_PAN;
        ends_take(found);
        if (!check_digit_is_right(&track, digits)) found->flags |= POS_FLAG_PAN_INVALID;
    } else if (found->size == 0 && digits >= BIN_DIGITS) {
        found->bin = (uint32_t)pos_nibbles_number(window_take(&track, 0, BIN_DIGITS));
    }
    if (!is_ended || found->expiry_yymm != 0 || digits + 5 > clear) return true;
    const uint64_t expiry = window_take(&track, digits + 1, 4);
    if (pos_nibbles_bad(expiry) == 0) found->expiry_yymm = (uint16_t)pos_nibbles_number(expiry);
    return true;
}

/* The account as characters, zeros after it. */
static void account_write(const card *found, char pan_out[20])
{
    const uint32_t size = found->size;
    const uint64_t words[3] = {
        pos_bytes_of_nibbles(found->digits.high >> 32) | 0x3030303030303030U,
        pos_bytes_of_nibbles(found->digits.high & 0xffffffffU) | 0x3030303030303030U,
        pos_bytes_of_nibbles(found->digits.low >> 32) | 0x3030303030303030U,
    };
    uint64_t kept[3];
    for (uint32_t word = 0; word < 3; word++) {
        const uint32_t left = size > 8 * word ? size - 8 * word : 0;
        const uint64_t mask = left >= 8 ? ~UINT64_C(0)
                              : left == 0 ? 0 : ~UINT64_C(0) << (8 * (8 - left));
        kept[word] = words[word] & mask;
    }
    uint8_t *at = (uint8_t *)pan_out;
    pos_store_u64_be(at, kept[0]);
    pos_store_u64_be(at + 8, kept[1]);
    pos_store_u32_be(at + 16, (uint32_t)(kept[2] >> 32));
}

/* ---- read: the whole ------------------------------------------------------------------------------------------ */
static void facts_write(const recipe_facts *facts, const pos_message *message,
                        const uint64_t numbers[SLOT_COUNT + 1], const card *found,
                        pos_request *request)
{
    /* All but the details, which it has none of: these are three lines of cache. The last move runs
     * into them. */
    _Static_assert(offsetof(pos_request, details) + RECIPE_MOVE <= sizeof *request, "moves end inside");
    for (size_t at = 0; at < offsetof(pos_request, details); at += RECIPE_MOVE) {
        pos_copy_32((uint8_t *)request + at, (const uint8_t *)&facts->prototype + at);
    }
    request->amount_minor = (int64_t)numbers[SLOT_AMOUNT];
    request->entry_mode = (uint16_t)numbers[SLOT_ENTRY_MODE];
    request->processing = (uint32_t)numbers[SLOT_PROCESSING];
    request->stan = (uint32_t)numbers[SLOT_STAN];
    request->batch = (uint32_t)numbers[SLOT_BATCH];
    request->currency = (uint16_t)numbers[SLOT_CURRENCY];
    request->network = (uint16_t)numbers[SLOT_NETWORK];
    request->type = (uint8_t)numbers[SLOT_TYPE];
    request->condition = (uint8_t)numbers[SLOT_CONDITION];
    request->reader = (uint8_t)numbers[SLOT_READER];
    request->chip_condition = (uint8_t)numbers[SLOT_CHIP_CONDITION];
    request->original_batch = (uint32_t)numbers[SLOT_ORIGINAL_BATCH];
    request->original_stan = (uint32_t)numbers[SLOT_ORIGINAL_STAN];
    request->original_date = (uint16_t)numbers[SLOT_ORIGINAL_DATE];
    const uint64_t time = numbers[SLOT_LOCAL_TIME];
    const bool holds_date = numbers[SLOT_LOCAL_DATE] == 0 && time > 999999;
    const uint64_t date = holds_date ? time / 1000000 : numbers[SLOT_LOCAL_DATE];
    request->local_time = (uint32_t)(time % 1000000);
    request->local_date = (uint32_t)(date % 10000);
    request->expiry_yymm = found->expiry_yymm;
    request->bin = found->bin;
    request->last4 = found->last4;
    request->flags |= found->flags;
    if (found->expiry_yymm != 0) request->flags |= POS_FLAG_EXPIRY;
    const bool is_fallback = request->entry_mode / 10 == 80 || request->chip_condition == 2;
    if (is_fallback) request->flags |= POS_FLAG_FALLBACK;
    for (unsigned index = 0; index < facts->text_count; index++) {
        const recipe_text *text = &facts->texts[index];
        pos_copy_short((uint8_t *)request + text->at,
                       message->body + message->fields[text->field].offset + text->delta,
                       text->size);
    }
}

bool recipe_facts_read(const recipe_facts *facts, const pos_message *message,
                       pos_request *request_out, char pan_out[20], size_t *pan_size_out)
{
    uint64_t numbers[SLOT_COUNT + 1];
    if (facts->is_slow) return false;
    pos_copy(numbers, facts->constants, sizeof numbers);
    if (!numbers_read(facts, message, numbers)) return false;
    if (facts->asks_original_data && numbers[SLOT_ORIGINAL_STAN] == 0) return false;
    card found = {.expiry_yymm = (uint16_t)numbers[SLOT_EXPIRY]};
    if (facts->account != ACCOUNT_NONE && !account_read(facts, message, &found)) return false;
    if (facts->code_field != 0 && !code_read(facts, message, &found)) return false;
    if (facts->track_field != 0 && !track_read(facts, message, &found)) return false;
    facts_write(facts, message, numbers, &found, request_out);
    account_write(&found, pan_out);
    *pan_size_out = found.size;
    return true;
}
