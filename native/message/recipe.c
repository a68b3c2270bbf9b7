/*
 * Recipes: what a shape of message comes to, compiled when it comes again, used while it comes.
 *
 *   message ─▶ shape            ─▶ key                       ─▶ recipe
 *              MTI, bitmap         digits of the selectors,      rule, coverage, facts,
 *              4 ways of a set     lengths that move parts       redaction, answers
 *                                  3 words                       4 ways of a set
 *
 * The key holds all that rules, choices and places follow from, so a recipe worked out from one
 * message (by the slow doors) is right for every other of its key:
 *
 *   rule, choice of layout    MTI, which fields there are, the selectors' digits, a field's length
 *   place of a part           the field's layout and its length
 *   what is missing           which fields there are
 *
 * A shape whose selectors cannot be read by offset (in tags, of unknown place, secret) has no key: its
 * messages go by the slow doors. So do those whose rule is not found or whose presence is wrong.
 *
 * Who gets a place. First sight of a shape, or of a key, leaves a mark of 32 bits; the second compiles
 * it, if its set has a free place or one that was not used for `stays` readings. Else nothing
 * happens: what is in use is never dropped, so a flood of shapes costs a look-up more than the slow
 * doors, and a recipe that was given out outlives its wave.
 *
 * Rules. One thread. Nothing of a message is kept but the selectors' digits, which are open fields.
 */
#include "message/recipe.h"

#include <assert.h>
#include <stdlib.h>

#define SHAPES_MAX 256U
#define RECIPES_MAX 512U
#define WAYS 4U
#define MARKS_MAX 4096U
#define ASKS_MAX 16U
#define SELECTORS 5U
#define SELECTOR_DIGITS_MAX 8U
#define LENGTH_BITS 16U
#define TEMPLATE_MAX 8192U

/* One thing of a message that goes into the key. */
typedef struct shape_ask {
    uint64_t mask;
    uint16_t end;       /* bytes from the field's start; 0: the field's length itself */
    uint16_t units_min; /* shorter: the digits are not there */
    uint8_t field;
    uint8_t shift;
    uint8_t left; /* its place in the word */
} shape_ask;

typedef struct shape {
    uint64_t bitmap[2];
    uint64_t used_at;
    pos_recipe *last; /* most messages of a shape have one key */
    uint32_t serial;  /* 0: free */
    uint16_t mti;
    bool is_slow;
    uint8_t counts[RECIPE_KEY_WORDS];
    shape_ask asks[RECIPE_KEY_WORDS][ASKS_MAX]; /* by the word that they go into */
} shape;

struct pos_recipes {
    const pos_spec *spec;
    uint64_t readings;
    uint64_t seed;
    uint32_t serial;
    uint32_t last_shape; /* where the shape that was found last lies: mostly the next one's too */
    pos_recipe_settings settings;
    recipe_chips chips;
    uint32_t marks[MARKS_MAX];
    shape shapes[SHAPES_MAX];
    pos_recipe recipes[RECIPES_MAX];
    uint8_t scratch[TEMPLATE_MAX]; /* a template that nobody wants to keep */
};

pos_status pos_recipes_open_with(const pos_spec *spec, const pos_recipe_settings *settings,
                                 pos_recipes **recipes_out)
{
    assert(spec != NULL && recipes_out != NULL);
    assert(settings->sightings_min >= 1 && settings->sightings_min <= 2);
    pos_recipes *recipes = calloc(1, sizeof *recipes);
    if (recipes == NULL) return POS_MEMORY;
    recipes->spec = spec;
    recipes->settings = *settings;
    /* Which shapes share a set is nobody's to choose. */
    const pos_status status = pos_random_fill(&recipes->seed, sizeof recipes->seed);
    if (status != POS_OK) {
        free(recipes);
        return status;
    }
    const unsigned chip = pos_spec_role_field(spec, POS_ROLE_CHIP);
    const uint16_t layout = chip == 0 ? 0 : spec->forms[chip].layout;
    if (layout != 0 && spec->layouts[layout - 1].form == POS_LAYOUT_BER) {
        recipe_tags_compile(spec, &spec->layouts[layout - 1], &recipes->chips.tags);
    }
    *recipes_out = recipes;
    return POS_OK;
}

pos_status pos_recipes_open(const pos_spec *spec, pos_recipes **recipes_out)
{
    const pos_recipe_settings settings = {.sightings_min = 2, .stays = POS_RECIPE_STAYS};
    return pos_recipes_open_with(spec, &settings, recipes_out);
}

void pos_recipes_close(pos_recipes *recipes)
{
    free(recipes);
}

/* ---- who is compiled, who is dropped ------------------------------------------------------------- */
static uint64_t mixed(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * 0x9e3779b97f4a7c15U;
    return sum ^ sum >> 32;
}

/* Whether this one came before; leaves its mark. Another may have taken the place of the mark. */
static bool is_seen(pos_recipes *recipes, uint64_t sum)
{
    if (recipes->settings.sightings_min < 2) return true;
    uint32_t *mark = &recipes->marks[sum % MARKS_MAX];
    const uint32_t ours = (uint32_t)(sum >> 32) | 1;
    const bool is_ours = *mark == ours;
    *mark = ours;
    return is_ours;
}

static bool is_free(const pos_recipes *recipes, uint32_t serial, uint64_t used_at)
{
    return serial == 0 || recipes->readings - used_at > recipes->settings.stays;
}

/* ---- shapes: what of a message goes into the key --------------------------------------------------- */
static const struct {
    uint8_t role;
    uint8_t selector;
} SELECTED[SELECTORS] = {
    {POS_ROLE_PROCESSING, POS_SELECT_PROCESSING}, {POS_ROLE_CONDITION, POS_SELECT_CONDITION},
    {POS_ROLE_TYPE, POS_SELECT_TYPE},             {POS_ROLE_NETWORK, POS_SELECT_NETWORK},
    {POS_ROLE_ENTRY_MODE, POS_SELECT_ENTRY},
};

/* Puts an ask of `bits` into the first word that has room. */
static bool ask_add(shape *made, shape_ask ask, unsigned bits, unsigned used[RECIPE_KEY_WORDS])
{
    for (unsigned word = 0; word < RECIPE_KEY_WORDS; word++) {
        if (used[word] + bits > 64 || made->counts[word] == ASKS_MAX) continue;
        ask.left = (uint8_t)used[word];
        ask.mask = bits == 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
        used[word] += bits;
        made->asks[word][made->counts[word]++] = ask;
        return true;
    }
    return false;
}

static bool is_named(const char *ours, const char *name)
{
    for (size_t index = 0;; index++) {
        if (ours[index] != name[index]) return false;
        if (name[index] == 0) return true;
    }
}

/* Units before the part that plays a role, and the part; NULL where its place is not plain. */
static const pos_part_form *part_place(const pos_spec *spec, const pos_role_place *place,
                                       uint32_t *units_before_out)
{
    const pos_form *form = &spec->forms[place->field];
    if (form->layout == 0) return NULL;
    const pos_layout *layout = &spec->layouts[form->layout - 1];
    if (layout->form != POS_LAYOUT_POSITIONAL || layout->count_size > 0) return NULL;
    uint32_t units = 0;
    for (uint16_t number = 1; number <= layout->count; number++) {
        const pos_part_form *part = pos_part_form_of(spec, layout, number);
        if (part->takes_rest) return NULL;
        if (is_named(part->name, place->part)) {
            *units_before_out = units;
            return part->secrecy == POS_SECRECY_OPEN ? part : NULL;
        }
        units += part->size;
    }
    return NULL;
}

/* The digits of one selector; false where they cannot be read by offset. */
static bool selector_ask(const pos_spec *spec, const pos_message *sample, unsigned index,
                         shape *made, unsigned used[RECIPE_KEY_WORDS])
{
    const pos_role_place *place = &spec->roles[SELECTED[index].role];
    const pos_form *form = &spec->forms[place->field];
    const bool is_bcd = form->encoding == POS_CODE_BCD;
    uint32_t before = 0;
    uint32_t units = form->size_max;
    uint32_t units_min = 0;
    uint8_t content = form->content;
    if (form->secrecy != POS_SECRECY_OPEN) return false;
    if (form->encoding == POS_CODE_HEX || form->encoding == POS_CODE_HEX_EBCDIC) return false;
    if (place->part == NULL) {
        if (form->prefix_digits != 0) return false;
    } else {
        const pos_part_form *part = part_place(spec, place, &before);
        if (part == NULL || !recipe_is_steady(spec, sample, place->field)) return false;
        units = part->size;
        units_min = before + units;
        content = part->content;
    }
    if (content == POS_CONTENT_XN || form->content == POS_CONTENT_XN || units == 0) return false;
    if (SELECTED[index].selector == POS_SELECT_ENTRY && units > 2) units = 2;
    if (units > SELECTOR_DIGITS_MAX) return true; /* never selected: rule.c */
    if (is_bcd && form->is_right && (form->prefix_digits != 0 || form->size_max % 2 == 1)) {
        return false; /* where its first digit lies hangs on the length */
    }
    const uint32_t after = before + units;
    const shape_ask ask = {
        .field = place->field, .units_min = (uint16_t)units_min,
        .end = (uint16_t)(is_bcd ? (after + 1) / 2 : after),
        .shift = is_bcd && after % 2 == 1 ? 4 : 0,
    };
    return ask_add(made, ask, is_bcd ? 4 * units : 8 * units, used);
}

/* Whether facts, redaction or choices hang on how long a field is. */
static bool length_matters(const pos_spec *spec, unsigned field)
{
    const pos_form *form = &spec->forms[field];
    if (form->prefix_digits == 0) return false;
    for (unsigned index = 0;; index++) {
        const pos_role role = recipe_role(index);
        if (role == POS_ROLE_NONE) break;
        if (spec->roles[role].field == field) return true;
    }
    if (form->layout == 0) return false;
    const uint8_t layout = spec->layouts[form->layout - 1].form;
    const bool has_places = layout == POS_LAYOUT_POSITIONAL || layout == POS_LAYOUT_CHOICE;
    return has_places && (form->is_kept || field == spec->roles[POS_ROLE_PRIVATE_48].field);
}

static void shape_compile(const pos_spec *spec, const pos_message *sample, shape *made)
{
    unsigned used[RECIPE_KEY_WORDS] = {0};
    made->is_slow = true;
    for (unsigned index = 0; index < SELECTORS; index++) {
        const unsigned field = spec->roles[SELECTED[index].role].field;
        if (field == 0 || !pos_message_has(sample, field)) continue;
        if (!selector_ask(spec, sample, index, made, used)) return;
    }
    for (unsigned field = 2; field <= spec->field_max; field++) {
        if (!pos_message_has(sample, field) || !length_matters(spec, field)) continue;
        const shape_ask ask = {.field = (uint8_t)field};
        if (!ask_add(made, ask, LENGTH_BITS, used)) return;
    }
    made->is_slow = false;
}

/* Digits are in the word that ends with them: MTI and bitmap lie before every field. */
static uint64_t ask_answer(const shape_ask *ask, const pos_message *message)
{
    const pos_field *place = &message->fields[ask->field];
    uint64_t value = place->units;
    if (ask->end != 0) {
        if (value < ask->units_min) return 0;
        const uint8_t *end = message->body + place->offset + ask->end;
        value = pos_load_u64_be(end - 8) >> ask->shift;
    }
    return (value & ask->mask) << ask->left;
}

static void key_of(const shape *of, const pos_message *message, uint64_t key_out[RECIPE_KEY_WORDS])
{
    for (unsigned word = 0; word < RECIPE_KEY_WORDS; word++) {
        uint64_t key = 0;
        for (unsigned index = 0; index < of->counts[word]; index++) {
            key |= ask_answer(&of->asks[word][index], message);
        }
        key_out[word] = key;
    }
}

static inline bool is_shape(const shape *each, const pos_message *message)
{
    return each->serial != 0 && each->mti == message->mti
           && each->bitmap[0] == message->bitmap[0] && each->bitmap[1] == message->bitmap[1];
}

static shape *shape_find(pos_recipes *recipes, const pos_message *message)
{
    shape *last = &recipes->shapes[recipes->last_shape];
    if (is_shape(last, message)) {
        last->used_at = recipes->readings;
        return last;
    }
    uint64_t sum = mixed(recipes->seed, message->mti);
    sum = mixed(mixed(sum, message->bitmap[0]), message->bitmap[1]);
    shape *set = &recipes->shapes[sum % (SHAPES_MAX / WAYS) * WAYS];
    shape *place = NULL;
    for (unsigned way = 0; way < WAYS; way++) {
        shape *each = &set[way];
        if (is_shape(each, message)) {
            recipes->last_shape = (uint32_t)(each - recipes->shapes);
            each->used_at = recipes->readings;
            return each;
        }
        if (place == NULL && is_free(recipes, each->serial, each->used_at)) place = each;
    }
    if (!is_seen(recipes, sum) || place == NULL) return NULL;
    *place = (shape){
        .mti = message->mti, .bitmap = {message->bitmap[0], message->bitmap[1]},
        .used_at = recipes->readings, .serial = ++recipes->serial,
    };
    shape_compile(recipes->spec, message, place);
    return place;
}

/* ---- recipes --------------------------------------------------------------------------------------- */
static void recipe_compile(const pos_recipes *recipes, const pos_message *sample, pos_recipe *made)
{
    const pos_spec *spec = recipes->spec;
    made->is_slow = true;
    if (pos_rule_find(spec, sample, &made->rule) != POS_OK) return;
    if (pos_rule_check(spec, made->rule, sample, NULL) != POS_OK) return;
    pos_mac_cover cover;
    pos_message_mac_cover(spec, sample, &cover);
    made->mac_output = cover.output;
    for (unsigned index = 0; index < 2 && cover.mac != NULL; index++) {
        const unsigned field = spec->mac_fields[index];
        if (field == 0 || !pos_message_has(sample, field)) continue;
        if (sample->body + sample->fields[field].offset == cover.mac) {
            made->mac_field = (uint8_t)field; /* where both are there, the later one: rule.c */
        }
    }
    recipe_facts_compile(spec, made->rule, sample, &made->facts);
    recipe_redaction_compile(spec, &recipes->chips.tags, sample, &made->redaction);
    made->is_slow = false;
}

static bool is_recipe(const pos_recipe *recipe, uint32_t serial,
                      const uint64_t key[RECIPE_KEY_WORDS])
{
    return recipe->shape == serial && recipe->key[0] == key[0] && recipe->key[1] == key[1]
           && recipe->key[2] == key[2];
}

/* The recipe in its set, or a new one; NULL where there is no place, or it came the first time. */
static pos_recipe *recipe_place(pos_recipes *recipes, const pos_message *message, uint32_t serial,
                                const uint64_t key[RECIPE_KEY_WORDS])
{
    uint64_t sum = mixed(recipes->seed, serial);
    for (unsigned word = 0; word < RECIPE_KEY_WORDS; word++) sum = mixed(sum, key[word]);
    pos_recipe *set = &recipes->recipes[sum % (RECIPES_MAX / WAYS) * WAYS];
    pos_recipe *place = NULL;
    for (unsigned way = 0; way < WAYS; way++) {
        pos_recipe *each = &set[way];
        if (is_recipe(each, serial, key)) return each;
        if (place == NULL && is_free(recipes, each->shape, each->used_at)) place = each;
    }
    if (!is_seen(recipes, sum) || place == NULL) return NULL;
    *place = (pos_recipe){.shape = serial, .key = {key[0], key[1], key[2]}};
    recipe_compile(recipes, message, place);
    return place;
}

static pos_recipe *recipe_find(pos_recipes *recipes, const pos_message *message)
{
    uint64_t key[RECIPE_KEY_WORDS];
    recipes->readings++;
    shape *of = shape_find(recipes, message);
    if (of == NULL || of->is_slow) return NULL;
    key_of(of, message, key);
    pos_recipe *recipe = of->last;
    if (recipe == NULL || !is_recipe(recipe, of->serial, key)) {
        recipe = recipe_place(recipes, message, of->serial, key);
        if (recipe == NULL) return NULL;
        of->last = recipe;
    }
    recipe->used_at = recipes->readings;
    return recipe->is_slow ? NULL : recipe;
}

/* ---- the doors ----------------------------------------------------------------------------------------- */
static pos_status read_slowly(const pos_spec *spec, const pos_message *message,
                              const pos_rule **rule_out, pos_mac_cover *cover_out,
                              pos_request *request_out, char pan_out[20], size_t *pan_size_out,
                              pos_fault *fault_out)
{
    const pos_rule *rule;
    pos_status status = pos_rule_find(spec, message, &rule);
    if (status != POS_OK) return status;
    *rule_out = rule;
    pos_message_mac_cover(spec, message, cover_out);
    status = pos_rule_check(spec, rule, message, fault_out);
    if (status != POS_OK) return status;
    return pos_request_read(spec, rule, message, request_out, pan_out, pan_size_out, fault_out);
}

static void cover_write(const pos_spec *spec, const pos_recipe *recipe, const pos_message *message,
                        pos_mac_cover *cover_out)
{
    const pos_field *place = &message->fields[recipe->mac_field];
    const bool has_mac = recipe->mac_field != 0;
    *cover_out = (pos_mac_cover){
        .data = message->body, .size = has_mac ? place->offset : message->body_size,
        .algorithm = spec->mac_algorithm, .output = recipe->mac_output,
        .mac = has_mac ? message->body + place->offset : NULL,
        .mac_size = has_mac ? place->size : 0,
    };
}

pos_status pos_recipe_read(pos_recipes *recipes, const pos_message *message,
                           const pos_recipe **recipe_out, const pos_rule **rule_out,
                           pos_mac_cover *cover_out, pos_request *request_out, char pan_out[20],
                           size_t *pan_size_out, pos_fault *fault_out)
{
    assert(recipes != NULL && message != NULL && recipe_out != NULL && rule_out != NULL);
    assert(cover_out != NULL && request_out != NULL && pan_out != NULL && pan_size_out != NULL);
    const pos_spec *spec = recipes->spec;
    const pos_recipe *recipe = recipe_find(recipes, message);
    *recipe_out = recipe;
    if (recipe == NULL) {
        return read_slowly(spec, message, rule_out, cover_out, request_out, pan_out, pan_size_out,
                           fault_out);
    }
    *rule_out = recipe->rule;
    cover_write(spec, recipe, message, cover_out);
    if (recipe_facts_read(&recipe->facts, message, request_out, pan_out, pan_size_out)) {
        return POS_OK;
    }
    return pos_request_read(spec, recipe->rule, message, request_out, pan_out, pan_size_out,
                            fault_out);
}

void pos_recipe_redact(pos_recipes *recipes, const pos_recipe *recipe, const pos_rule *rule,
                       const pos_message *message, pos_writer *writer)
{
    assert(recipes != NULL && message != NULL && writer != NULL);
    assert(recipe == NULL || recipe->rule == rule);
    const bool is_done = recipe != NULL
                         && recipe_redact(recipes->spec, &recipes->chips, &recipe->redaction, message,
                                          writer);
    if (!is_done) pos_request_redact(recipes->spec, rule, message, writer);
}

static pos_status answer_slowly(pos_recipes *recipes, const pos_rule *rule,
                                const pos_message *request, const pos_answer_sheet *sheet,
                                bool is_signed, pos_writer *template_writer,
                                pos_writer *reply_writer, size_t *covered_size_out,
                                size_t *mac_size_out, pos_fault *fault_out)
{
    pos_writer scratch = pos_writer_over(recipes->scratch, sizeof recipes->scratch);
    pos_writer *writer = template_writer == NULL ? &scratch : template_writer;
    const size_t start = writer->size;
    const pos_status status = pos_answer_build(recipes->spec, rule, request, sheet->values,
                                               sheet->count, is_signed, writer, fault_out);
    if (status != POS_OK) return status;
    if (writer->is_full) {
        reply_writer->is_full = true; /* half a template is no reply */
        return POS_OK;
    }
    return pos_answer_fill(recipes->spec, writer->data + start, writer->size - start, request,
                           reply_writer, covered_size_out, mac_size_out);
}

pos_status pos_recipe_answer(pos_recipes *recipes, const pos_recipe *recipe, const pos_rule *rule,
                             const pos_message *request, const pos_answer_sheet *sheet,
                             bool is_signed, pos_writer *template_writer,
                             pos_writer *reply_writer, size_t *covered_size_out,
                             size_t *mac_size_out, pos_fault *fault_out)
{
    assert(recipes != NULL && rule != NULL && request != NULL && reply_writer != NULL);
    assert(recipe == NULL || recipe->rule == rule);
    assert(sheet != NULL && (sheet->values != NULL || sheet->count == 0));
    if (recipe != NULL) {
        /* Answers are compiled into the recipe when they are first wanted: it lies in the cache. */
        pos_recipe *ours = &recipes->recipes[recipe - recipes->recipes];
        if (recipe_answer_write(recipes->spec, ours, request, sheet, is_signed, template_writer,
                                reply_writer, covered_size_out, mac_size_out)) {
            return POS_OK;
        }
    }
    return answer_slowly(recipes, rule, request, sheet, is_signed, template_writer, reply_writer,
                         covered_size_out, mac_size_out, fault_out);
}
