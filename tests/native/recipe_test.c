/*
 * Goal: whatever a recipe says of a message, the slow doors say: the same rule, coverage, status and
 * fault, the same facts, redaction, template and reply, to the byte; nothing past a body is read; a
 * flood of shapes takes no place from those in use; no digit of an account stays in the cache.
 * Method: both ways over every vector of every dialect, over their single-byte changes, and over
 * messages put together from them at random; recipes are made from one message and used for the
 * others. Blocks have exactly their size (address sanitizer), or end at a page that may not be read.
 */
#include "message/recipe.h"
#include "paper.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#define BODY_MAX 2048
#define OUT_MAX 8192
#define VECTORS_MAX 128
#define CHANGED_IMAGES 1000

typedef struct counts {
    unsigned readings;
    unsigned recipes; /* readings that had one */
    unsigned facts;   /* and whose facts were read by it */
    unsigned faults;
    unsigned answers; /* built by either */
    unsigned sheets;  /* of a number, whose common values were kept dressed */
    uint64_t rules[4]; /* of recipes, by index */
} counts;

static counts seen;

static uint8_t *exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    CHECK(copy != NULL);
    if (size > 0) memcpy(copy, data, size);
    return copy;
}

static pos_recipes *opened(const pos_spec *spec, unsigned sightings, unsigned stays)
{
    const pos_recipe_settings settings = {.sightings_min = sightings, .stays = stays};
    pos_recipes *recipes = NULL;
    CHECK(pos_recipes_open_with(spec, &settings, &recipes) == POS_OK);
    return recipes;
}

/* ---- reading ---------------------------------------------------------------------------------------- */
typedef struct reading {
    pos_status status;
    const pos_rule *rule;
    pos_mac_cover cover;
    pos_request request;
    char pan[20];
    size_t pan_size;
    pos_fault fault;
} reading;

static reading read_slowly(const pos_spec *spec, const pos_message *message)
{
    reading out;
    memset(&out, 0xa5, sizeof out);
    out.rule = NULL;
    out.status = pos_rule_find(spec, message, &out.rule);
    if (out.status != POS_OK) return out;
    pos_message_mac_cover(spec, message, &out.cover);
    out.status = pos_rule_check(spec, out.rule, message, &out.fault);
    if (out.status != POS_OK) return out;
    out.status = pos_request_read(spec, out.rule, message, &out.request, out.pan, &out.pan_size,
                                  &out.fault);
    return out;
}

static void check_fault(const pos_fault *ours, const pos_fault *theirs)
{
    CHECK(ours->status == theirs->status && ours->field == theirs->field);
    CHECK(ours->part == theirs->part && ours->offset == theirs->offset);
    CHECK(ours->wanted == theirs->wanted && ours->left == theirs->left);
    CHECK(ours->rule == theirs->rule);
}

static void check_cover(const pos_mac_cover *ours, const pos_mac_cover *theirs)
{
    CHECK(ours->data == theirs->data && ours->size == theirs->size);
    CHECK(ours->mac == theirs->mac && ours->mac_size == theirs->mac_size);
    CHECK(ours->algorithm == theirs->algorithm && ours->output == theirs->output);
}

static const pos_recipe *check_read(const pos_spec *spec, pos_recipes *recipes,
                                    const pos_message *message, const pos_rule **rule_out)
{
    const reading theirs = read_slowly(spec, message);
    reading ours;
    memset(&ours, 0xa5, sizeof ours);
    ours.rule = NULL;
    const pos_recipe *recipe = NULL;
    ours.status = pos_recipe_read(recipes, message, &recipe, &ours.rule, &ours.cover,
                                  &ours.request, ours.pan, &ours.pan_size, &ours.fault);
    seen.readings++;
    CHECK(ours.status == theirs.status);
    CHECK(ours.rule == theirs.rule);
    *rule_out = NULL;
    if (theirs.rule == NULL) {
        CHECK(recipe == NULL);
        return NULL;
    }
    *rule_out = theirs.rule;
    check_cover(&ours.cover, &theirs.cover);
    if (theirs.status != POS_OK) check_fault(&ours.fault, &theirs.fault);
    seen.faults += theirs.status != POS_OK;
    /* After a fault nothing was touched; else every byte is the same, of details as many as there are. */
    const size_t same = theirs.status != POS_OK
                            ? sizeof ours.request
                            : offsetof(pos_request, details)
                                  + theirs.request.detail_count * sizeof(pos_detail);
    CHECK(memcmp(&ours.request, &theirs.request, same) == 0);
    CHECK(memcmp(ours.pan, theirs.pan, sizeof ours.pan) == 0);
    CHECK(ours.pan_size == theirs.pan_size);
    if (recipe != NULL) {
        seen.recipes++;
        seen.facts += !recipe->facts.is_slow && theirs.status == POS_OK;
        const pos_rule_form *form = (const pos_rule_form *)recipe->rule;
        const size_t index = (size_t)(form - spec->rules);
        CHECK(index < 256);
        seen.rules[index / 64] |= UINT64_C(1) << (index % 64);
    }
    return recipe;
}

/* What was written is the same; past it a recipe may leave zeros within the capacity, nothing else. */
static void check_written(const uint8_t *ours, const uint8_t *theirs, size_t size, size_t capacity,
                          size_t zeros)
{
    static uint8_t untouched[OUT_MAX];
    if (untouched[0] == 0) memset(untouched, 0xa5, sizeof untouched);
    CHECK(memcmp(ours, theirs, size) == 0);
    size_t after = size;
    while (after < size + zeros && after < capacity && ours[after] == 0) after++;
    CHECK(memcmp(ours + after, untouched, OUT_MAX - after) == 0);
}

/* ---- redaction --------------------------------------------------------------------------------------- */
static void check_redact(const pos_spec *spec, pos_recipes *recipes,
                         const pos_recipe *recipe, const pos_rule *rule,
                         const pos_message *message)
{
    static uint8_t theirs[OUT_MAX], ours[OUT_MAX];
    static uint64_t state = 11;
    const size_t capacities[] = {OUT_MAX, 40, 3, message->body_size,
                                 message->body_size + paper_next(&state) % 80};
    for (unsigned each = 0; each < 5; each++) {
        memset(theirs, 0xa5, sizeof theirs);
        memset(ours, 0xa5, sizeof ours);
        pos_writer slow = pos_writer_over(theirs, capacities[each]);
        pos_writer fast = pos_writer_over(ours, capacities[each]);
        pos_writer_u8(&slow, 7);
        pos_writer_u8(&fast, 7);
        pos_request_redact(spec, rule, message, &slow);
        pos_recipe_redact(recipes, recipe, rule, message, &fast);
        CHECK(fast.size == slow.size && fast.is_full == slow.is_full);
        check_written(ours, theirs, slow.size, capacities[each], 8);
    }
}

/* ---- answers ------------------------------------------------------------------------------------------- */
typedef struct given {
    pos_answer_value values[POS_FIELD_MAX];
    uint8_t texts[POS_FIELD_MAX][256];
    size_t count;
    uint32_t steady;
    uint64_t number;
} given;

static void give_value(const pos_form *form, size_t place, unsigned field, uint64_t *state,
                       given *out)
{
    static const uint8_t PRINTABLE[] = "0123456789 ABZaz*~D=";
    uint8_t *text = out->texts[place];
    const uint64_t chance = paper_next(state);
    size_t size = form->prefix_digits == 0 ? form->size_max
                                           : (chance >> 8) % ((size_t)form->size_max + 1);
    if (chance % 16 == 1) size = (chance >> 8) % ((size_t)form->size_max + 2);
    if (size > 250) size = 250;
    /* Mostly what the field may hold, sometimes one character that it may not. */
    const unsigned kinds = form->content == POS_CONTENT_N || form->content == POS_CONTENT_Z ? 10
                           : form->content == POS_CONTENT_AN || form->content == POS_CONTENT_A
                               ? 15 : sizeof PRINTABLE - 1;
    const unsigned first = form->content == POS_CONTENT_A ? 10 : 0;
    const bool is_digits = first == 0 && chance % 3 == 0;
    for (size_t index = 0; index < size; index++) {
        const unsigned most = is_digits ? 10 : kinds;
        text[index] = PRINTABLE[first + paper_next(state) % (most - first)];
    }
    if (size > 0 && chance % 29 == 2) text[(chance >> 16) % size] = (uint8_t)(chance >> 40);
    out->values[place] = (pos_answer_value){
        .field = (uint8_t)field, .value = text, .size = (uint32_t)size};
}

/* One of six sets of fields, so that a recipe meets more of them than it keeps. */
static void give(const pos_spec *spec, const pos_rule *rule, uint64_t *state, given *out)
{
    const unsigned set = (unsigned)(paper_next(state) % 6);
    out->count = 0;
    if (set == 0) return;
    for (unsigned field = 2; field <= spec->field_max; field++) {
        const pos_form *form = &spec->forms[field];
        if (form->content == POS_CONTENT_NONE) continue;
        const bool is_wanted = pos_bitmap_has(rule->supplied, field)
                               || pos_bitmap_has(rule->echoed, field);
        const unsigned mixed = (field * 2654435761U + set * 40503U) >> 8;
        const bool is_left_out = is_wanted ? mixed % 3 == 0 : mixed % 31 != 0;
        if (set < 5 && is_left_out) continue;
        if (set == 5 && !is_wanted) continue;
        give_value(form, out->count, field, state, out);
        out->count++;
    }
    if (out->count > 1 && paper_next(state) % 64 == 0) { /* not ascending: nobody does this */
        const pos_answer_value first = out->values[0];
        out->values[0] = out->values[1];
        out->values[1] = first;
    }
}

typedef struct answered {
    pos_status status;
    pos_writer template_writer;
    pos_writer reply_writer;
    size_t covered;
    size_t mac;
    pos_fault fault;
} answered;

static void check_sheet(const pos_spec *spec, pos_recipes *recipes, const pos_recipe *recipe,
                        const pos_rule *rule, const pos_message *message, const given *values,
                        uint64_t *state)
{
    static uint8_t theirs[2][OUT_MAX], ours[2][OUT_MAX];
    const pos_answer_sheet sheet = {
        .values = values->values, .count = (uint32_t)values->count, .steady = values->steady,
        .number = values->number,
    };
    const uint64_t chance = paper_next(state);
    const bool is_signed = chance % 4 != 0;
    const bool keeps = chance % 8 != 1;
    const size_t first = chance % 16 == 3 ? (chance >> 8) % 200 : OUT_MAX;
    const size_t second = chance % 16 == 4 ? (chance >> 8) % 600 : OUT_MAX;
    memset(theirs, 0xa5, sizeof theirs);
    memset(ours, 0xa5, sizeof ours);
    answered slow = {.template_writer = pos_writer_over(theirs[0], keeps ? first : OUT_MAX),
                     .reply_writer = pos_writer_over(theirs[1], second)};
    answered fast = {.template_writer = pos_writer_over(ours[0], first),
                     .reply_writer = pos_writer_over(ours[1], second)};
    slow.status = pos_answer_build(spec, rule, message, values->values, values->count,
                                   is_signed, &slow.template_writer, &slow.fault);
    if (slow.status == POS_OK && !slow.template_writer.is_full) {
        slow.status = pos_answer_fill(spec, theirs[0], slow.template_writer.size, message,
                                      &slow.reply_writer, &slow.covered, &slow.mac);
    } else if (slow.status == POS_OK) {
        slow.reply_writer.is_full = true;
    }
    fast.status = pos_recipe_answer(recipes, recipe, rule, message, &sheet, is_signed,
                                    keeps ? &fast.template_writer : NULL, &fast.reply_writer,
                                    &fast.covered, &fast.mac, &fast.fault);
    seen.answers++;
    CHECK(fast.status == slow.status);
    CHECK(fast.reply_writer.is_full == slow.reply_writer.is_full);
    if (slow.status != POS_OK) {
        if (slow.fault.status != POS_OK) check_fault(&fast.fault, &slow.fault);
        CHECK(fast.reply_writer.size == 0);
        return;
    }
    if (keeps) CHECK(fast.template_writer.is_full == slow.template_writer.is_full);
    if (slow.template_writer.is_full || slow.reply_writer.is_full) return;
    CHECK(fast.covered == slow.covered && fast.mac == slow.mac);
    CHECK(fast.reply_writer.size == slow.reply_writer.size);
    check_written(ours[1], theirs[1], slow.reply_writer.size, second, RECIPE_MOVE);
    if (!keeps) return;
    CHECK(fast.template_writer.size == slow.template_writer.size);
    check_written(ours[0], theirs[0], slow.template_writer.size, first, 8);
}

/* A sheet like no other, or three of a number: what is not common to them is drawn anew. */
static void check_answer(const pos_spec *spec, pos_recipes *recipes, const pos_recipe *recipe,
                         const pos_rule *rule, const pos_message *message, uint64_t *state)
{
    static given values;
    static uint64_t numbers;
    if (rule->answer_mti == 0) return;
    give(spec, rule, state, &values);
    values.steady = (uint32_t)paper_next(state);
    values.number = 0;
    if (values.steady % 2 == 0) {
        check_sheet(spec, recipes, recipe, rule, message, &values, state);
        return;
    }
    values.number = ++numbers;
    for (unsigned round = 0; round < 3; round++) {
        check_sheet(spec, recipes, recipe, rule, message, &values, state);
        for (unsigned each = 0; recipe != NULL && each < recipe->answer_count; each++) {
            seen.sheets += recipe->answers[each].sheet == values.number;
        }
        for (size_t place = 0; place < values.count; place++) {
            const unsigned field = values.values[place].field;
            if (place < 32 && (values.steady >> place & 1U) == 1) continue;
            give_value(&spec->forms[field], place, field, state, &values);
        }
    }
}

/* All of it; the recipe that was used, if any. */
static const pos_recipe *check_both(const pos_spec *spec, pos_recipes *recipes,
                                    const uint8_t *body, size_t size, uint64_t *state)
{
    pos_message message;
    pos_fault fault;
    memset(&message, 0xee, sizeof message); /* what no bit names is not to be looked at */
    if (pos_message_parse(spec, body, size, &message, &fault) != POS_OK) return NULL;
    const pos_rule *rule;
    const pos_recipe *recipe = check_read(spec, recipes, &message, &rule);
    if (rule == NULL) return NULL;
    check_redact(spec, recipes, recipe, rule, &message);
    check_answer(spec, recipes, recipe, rule, &message, state);
    check_answer(spec, recipes, NULL, rule, &message, state);
    return recipe;
}

/* ---- vectors ---------------------------------------------------------------------------------------------- */
typedef struct sample {
    char dialect[48];
    char where[128];
    uint8_t body[BODY_MAX];
    size_t size;
} sample;

static sample samples[VECTORS_MAX];
static size_t sample_count;

static void keep_sample(const paper_vector *vector, void *context)
{
    (void)context;
    if (vector->fault[0] != 0) return;
    CHECK(sample_count < VECTORS_MAX);
    sample *kept = &samples[sample_count++];
    pos_spec *spec = paper_spec(vector->dialect);
    const uint8_t *body = vector->data;
    kept->size = vector->size;
    if (vector->is_frame) {
        pos_frame frame;
        CHECK(pos_frame_next(spec, vector->data, vector->size, &frame) == POS_OK);
        body = frame.body;
        kept->size = frame.body_size;
    }
    CHECK(kept->size <= sizeof kept->body);
    memcpy(kept->body, body, kept->size);
    snprintf(kept->dialect, sizeof kept->dialect, "%s", vector->dialect);
    snprintf(kept->where, sizeof kept->where, "%s", vector->where);
    pos_spec_close(spec);
}

static bool is_of(const sample *of, const char *dialect)
{
    return strcmp(of->dialect, dialect) == 0;
}

static const sample *named(const char *part)
{
    for (size_t index = 0; index < sample_count; index++) {
        if (strstr(samples[index].where, part) != NULL) return &samples[index];
    }
    CHECK(false);
    return NULL;
}

static void test_every_vector_is_the_same_by_recipe(void)
{
    uint64_t state = 1;
    unsigned with_recipe = 0;
    for (size_t index = 0; index < sample_count; index++) {
        pos_spec *spec = paper_spec(samples[index].dialect);
        pos_recipes *recipes = opened(spec, 2, POS_RECIPE_STAYS);
        uint8_t *body = exact(samples[index].body, samples[index].size);
        const pos_recipe *recipe = NULL;
        for (unsigned round = 0; round < 24; round++) {
            recipe = check_both(spec, recipes, body, samples[index].size, &state);
            /* The first sight marks the shape, the second makes it and marks the key. */
            CHECK(round >= 2 || recipe == NULL);
        }
        with_recipe += recipe != NULL;
        free(body);
        pos_recipes_close(recipes);
        pos_spec_close(spec);
    }
    CHECK(with_recipe >= 50); /* the others are answers, which no rule takes */
}

/* ---- changes ------------------------------------------------------------------------------------------------ */
static void check_changes(const sample *of, unsigned step, uint64_t *state)
{
    pos_spec *spec = paper_spec(of->dialect);
    uint8_t *body = exact(of->body, of->size);
    for (size_t at = 0; at < of->size; at++) {
        pos_recipes *recipes = opened(spec, 1, POS_RECIPE_STAYS);
        (void)check_both(spec, recipes, body, of->size, state); /* it makes the recipe */
        for (unsigned value = 1; value < 256;
             value += 1 + (unsigned)(paper_next(state) % step)) {
            body[at] = (uint8_t)(of->body[at] ^ value);
            (void)check_both(spec, recipes, body, of->size, state);
        }
        body[at] = of->body[at];
        pos_recipes_close(recipes);
    }
    free(body);
    pos_spec_close(spec);
}

static void test_every_changed_byte_is_the_same_by_recipe(void)
{
    /* Every value at every place of these, some values of all others. */
    static const char *const WHOLE[] = {"magnetic stripe with PIN", "chip without PIN", "QR sale",
                                        "three magnetic details", "Reversal"};
    uint64_t state = 2;
    unsigned whole = 0;
    for (size_t index = 0; index < sample_count; index++) {
        bool is_whole = false;
        for (unsigned each = 0; each < sizeof WHOLE / sizeof WHOLE[0]; each++) {
            is_whole = is_whole || strstr(samples[index].where, WHOLE[each]) != NULL;
        }
        whole += is_whole;
        check_changes(&samples[index], is_whole ? 1 : 96, &state);
    }
    CHECK(whole >= 6);
}

/* ---- messages put together at random ---------------------------------------------------------------------------- */
static uint8_t texts[POS_FIELD_MAX + 1][POS_VALUE_SIZE_MAX];

/* A value of the field, from a sample, sometimes of another length or with other characters. */
static size_t varied(const pos_form *form, uint8_t *text, size_t size, uint64_t *state)
{
    const uint64_t chance = paper_next(state);
    const bool is_text = form->content != POS_CONTENT_B;
    if (form->prefix_digits != 0 && chance % 5 == 0) {
        size_t wanted = (chance >> 8) % ((size_t)form->size_max + 1);
        if (wanted > 60 && chance % 7 != 0) wanted %= 60;
        for (size_t index = size; index < wanted; index++) {
            text[index] = is_text ? (uint8_t)('0' + paper_next(state) % 10)
                                  : (uint8_t)paper_next(state);
        }
        size = wanted;
    }
    if (size > 0 && chance % 4 == 1) {
        uint8_t *at = &text[(chance >> 16) % size];
        *at = is_text ? (uint8_t)('0' + (chance >> 40) % 10) : (uint8_t)(chance >> 40);
        if (is_text && chance % 31 == 1) *at = "A D=z*\x7f"[(chance >> 48) % 7];
    }
    return size;
}

static size_t put_together(const pos_spec *spec, const sample *first, const sample *second,
                           uint64_t *state, uint8_t body_out[BODY_MAX])
{
    pos_message messages[2];
    pos_value values[POS_FIELD_MAX];
    size_t count = 0;
    CHECK(pos_message_parse(spec, first->body, first->size, &messages[0], NULL) == POS_OK);
    CHECK(pos_message_parse(spec, second->body, second->size, &messages[1], NULL) == POS_OK);
    for (unsigned field = 2; field <= spec->field_max; field++) {
        const bool is_ours = pos_message_has(&messages[0], field);
        const bool is_theirs = pos_message_has(&messages[1], field);
        const uint64_t chance = paper_next(state) % 24;
        if (is_ours ? chance == 0 : !is_theirs || chance > 2) continue;
        const pos_message *from = is_ours ? &messages[0] : &messages[1];
        size_t size = pos_message_value(spec, from, field, texts[field]);
        size = varied(&spec->forms[field], texts[field], size, state);
        values[count++] = (pos_value){(uint8_t)field, texts[field], (uint32_t)size};
    }
    size_t size;
    const pos_status status = pos_message_build(spec, messages[0].mti, values, count, body_out,
                                                BODY_MAX, &size, NULL);
    return status == POS_OK ? size : 0;
}

static void check_random(const char *dialect, unsigned rounds, unsigned sightings, unsigned stays,
                         uint64_t *state)
{
    pos_spec *spec = paper_spec(dialect);
    pos_recipes *recipes = opened(spec, sightings, stays);
    uint8_t body[BODY_MAX];
    unsigned made = 0;
    for (unsigned round = 0; round < rounds; round++) {
        const sample *chosen[2];
        for (unsigned each = 0; each < 2; each++) {
            do {
                chosen[each] = &samples[paper_next(state) % sample_count];
            } while (!is_of(chosen[each], dialect));
        }
        const size_t size = put_together(spec, chosen[0], chosen[1], state, body);
        if (size == 0) continue;
        uint8_t *copy = exact(body, size);
        for (unsigned again = 0; again < 3; again++) {
            (void)check_both(spec, recipes, copy, size, state);
        }
        free(copy);
        made++;
    }
    CHECK(made > rounds / 8);
    pos_recipes_close(recipes);
    pos_spec_close(spec);
}

static void test_messages_put_together_are_the_same_by_recipe(void)
{
    static const char *const DIALECTS[] = {
        "unionpay-terminal", "iso8583-1987-ascii", "iso8583-1987-binary", "iso8583-1993-ascii",
        "iso8583-1993-binary", "iso8583-2003-binary"};
    uint64_t state = 3;
    for (unsigned each = 0; each < sizeof DIALECTS / sizeof DIALECTS[0]; each++) {
        unsigned found = 0;
        for (size_t index = 0; index < sample_count; index++) {
            found += is_of(&samples[index], DIALECTS[each]);
        }
        CHECK(found > 0);
        const unsigned rounds = each == 0 ? 3000 : 400;
        check_random(DIALECTS[each], rounds, 2, POS_RECIPE_STAYS, &state);
        check_random(DIALECTS[each], rounds, 1, 100, &state); /* recipes come and go */
    }
}

/* ---- chip data ------------------------------------------------------------------------------------------------ */
/* Elements of every form that parse takes: short and long tags, lengths in one to three bytes, also
 * where fewer would do, templates, tags that are kept, dropped, unknown. */
static size_t chip_element(uint8_t *at, size_t room, uint64_t *state)
{
    static const uint8_t TAGS[][3] = {
        {1, 0x95}, {1, 0x5a}, {1, 0x57}, {1, 0x82}, {1, 0x71}, {1, 0xc1}, {2, 0x9f, 0x26},
        {2, 0x9f, 0x36}, {2, 0x9f, 0x1f}, {2, 0x5f, 0x24}, {2, 0xdf, 0x31}, {2, 0xdf, 0x7e},
        {2, 0xff, 0x05}, {1, 0x72}, {2, 0xbf, 0x0c}, {2, 0x1f, 0x26}};
    const uint64_t chance = paper_next(state);
    const uint8_t *tag = TAGS[chance % (sizeof TAGS / sizeof TAGS[0])];
    size_t length = (chance >> 8) % 12;
    if ((chance >> 16) % 12 == 0) length = 120 + (chance >> 20) % 40;
    if (chance % 40 == 0) length = 250 + (chance >> 20) % 20;
    if (length + 8 > room) return 0;
    size_t size = tag[0];
    memcpy(at, tag + 1, size);
    const unsigned form = (unsigned)(chance >> 40) % 8;
    if (length < 0x80 && form > 1) {
        at[size++] = (uint8_t)length;
    } else if (length <= 0xff && form > 0) {
        at[size++] = 0x81;
        at[size++] = (uint8_t)length;
    } else {
        at[size++] = 0x82;
        at[size++] = (uint8_t)(length >> 8);
        at[size++] = (uint8_t)length;
    }
    for (size_t index = 0; index < length; index++) at[size + index] = (uint8_t)paper_next(state);
    return size + length;
}

static void test_chip_data_of_every_form_is_the_same_by_recipe(void)
{
    const sample *sale = named("chip without PIN");
    pos_spec *spec = paper_spec(sale->dialect);
    pos_recipes *recipes = opened(spec, 1, POS_RECIPE_STAYS);
    pos_message message;
    CHECK(pos_message_parse(spec, sale->body, sale->size, &message, NULL) == POS_OK);
    uint64_t state = 9;
    unsigned made = 0;
    for (unsigned round = 0; round < 2000; round++) {
        uint8_t chip[999], body[BODY_MAX];
        size_t chip_size = 0;
        const size_t room = 20 + paper_next(&state) % 900;
        for (unsigned each = 0; each < 30; each++) {
            chip_size += chip_element(chip + chip_size, room - chip_size, &state);
        }
        pos_value values[POS_FIELD_MAX];
        size_t count = 0;
        for (unsigned field = 2; field <= spec->field_max; field++) {
            if (!pos_message_has(&message, field)) continue;
            const size_t size = pos_message_value(spec, &message, field, texts[field]);
            values[count] = (pos_value){(uint8_t)field, texts[field], (uint32_t)size};
            if (field == 55) values[count] = (pos_value){55, chip, (uint32_t)chip_size};
            count++;
        }
        size_t size;
        if (pos_message_build(spec, message.mti, values, count, body, sizeof body, &size, NULL)
            != POS_OK) continue;
        uint8_t *copy = exact(body, size);
        CHECK(check_both(spec, recipes, copy, size, &state) != NULL);
        free(copy);
        made++;
    }
    CHECK(made > 1000);
    pos_recipes_close(recipes);
    pos_spec_close(spec);
}

/* Tags and lengths that were learnt from one value are not taken for those of a longer one. */
static void test_longer_chip_data_are_not_taken_for_shorter(void)
{
    const sample *sale = named("chip without PIN");
    pos_spec *spec = paper_spec(sale->dialect);
    pos_message message;
    CHECK(pos_message_parse(spec, sale->body, sale->size, &message, NULL) == POS_OK);
    const pos_field *place = &message.fields[55];
    uint64_t state = 12;
    for (unsigned size = 8; size <= 128; size += 8) {
        pos_recipes *recipes = opened(spec, 1, POS_RECIPE_STAYS);
        uint8_t chip[256] = {0x95, (uint8_t)(size - 2)};
        chip[size] = size % 16 == 0 ? 0x5a : 0x9c; /* dropped, kept */
        chip[size + 1] = 62;
        for (unsigned round = 0; round < 6; round++) {
            const size_t chip_size = round % 2 == 0 ? size : size + 64;
            uint8_t body[BODY_MAX];
            const size_t after = sale->size - place->offset - place->size;
            memcpy(body, sale->body, place->offset);
            pos_bcd_from_number(chip_size, body + place->offset - 2, 2);
            memcpy(body + place->offset, chip, chip_size);
            memcpy(body + place->offset + chip_size, sale->body + place->offset + place->size,
                   after);
            CHECK(check_both(spec, recipes, body, place->offset + chip_size + after, &state)
                  != NULL);
        }
        pos_recipes_close(recipes);
    }
    pos_spec_close(spec);
}

/* A reversal may carry an account, a track and a payment code: the first that there is counts. */
static void test_the_first_account_of_several_counts(void)
{
    static const char *const ACCOUNTS[] = {NULL, "6225000000000014", "6222021234567890128", "62"};
    static const char *const TRACKS[] = {NULL, "6225000000000014D30122010000012345678",
                                         "6225000000000014D0000", "622500000000001430122010"};
    static const char *const CODES[] = {NULL, "A30196212345678901234567", "A300162",
                                        "A301962123456789012345A7", "A4003ABCA300162"};
    static const char *const EXPIRIES[] = {NULL, "3012", "0000"};
    pos_spec *spec = paper_spec("unionpay-terminal");
    pos_recipes *recipes = opened(spec, 1, POS_RECIPE_STAYS);
    uint64_t state = 13;
    for (unsigned each = 0; each < 4 * 4 * 5 * 3; each++) {
        pos_value values[24];
        size_t count = 0;
        const char *const fields[][2] = {
            {"\x02", ACCOUNTS[each % 4]}, {"\x03", "000000"}, {"\x04", "000000012345"},
            {"\x0b", "000059"}, {"\x0e", EXPIRIES[each / 80]}, {"\x16", "021"}, {"\x19", "00"},
            {"\x23", TRACKS[each / 4 % 4]}, {"\x27", "98"}, {"\x29", "09101515"},
            {"\x2a", "308350193990080"}, {"\x31", "156"}, {"\x3b", CODES[each / 16 % 5]},
            {"\x3c", "2200000100050"}, {"\x40", "12345678"}};
        for (unsigned field = 0; field < sizeof fields / sizeof fields[0]; field++) {
            if (fields[field][1] == NULL) continue;
            values[count++] = (pos_value){(uint8_t)fields[field][0][0],
                                          (const uint8_t *)fields[field][1],
                                          (uint32_t)strlen(fields[field][1])};
        }
        uint8_t body[BODY_MAX];
        size_t size;
        CHECK(pos_message_build(spec, 0x0400, values, count, body, sizeof body, &size, NULL)
              == POS_OK);
        for (unsigned round = 0; round < 3; round++) {
            CHECK(check_both(spec, recipes, body, size, &state) != NULL);
        }
    }
    pos_recipes_close(recipes);
    pos_spec_close(spec);
}

/* ---- nothing past the end ------------------------------------------------------------------------------------------ */
static void test_nothing_beside_a_body_is_read(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *map = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED);
    CHECK(mprotect(map, page, PROT_NONE) == 0);
    CHECK(mprotect(map + 2 * page, page, PROT_NONE) == 0);
    uint64_t state = 4;
    for (size_t index = 0; index < sample_count; index++) {
        pos_spec *spec = paper_spec(samples[index].dialect);
        pos_recipes *recipes = opened(spec, 1, POS_RECIPE_STAYS);
        const size_t size = samples[index].size;
        uint8_t *const places[2] = {map + page, map + 2 * page - size}; /* begins, ends at one */
        for (unsigned each = 0; each < 4; each++) {
            memcpy(places[each % 2], samples[index].body, size);
            (void)check_both(spec, recipes, places[each % 2], size, &state);
        }
        pos_recipes_close(recipes);
        pos_spec_close(spec);
    }
    /* Field 60 without a network code, and nothing after it: the key asks for none. */
    static const uint8_t SHORT[] = {
        0x08, 0x20, 0, 0, 0, 0, 0, 0xc0, 0, 0x10, '0', '9', '1', '0', '1', '5', '1', '5', '3', '0',
        '8', '3', '5', '0', '1', '9', '3', '9', '9', '0', '0', '8', '0', 0, 0x08, 0, 0, 0, 0x01};
    pos_spec *spec = paper_spec("unionpay-terminal");
    pos_recipes *recipes = opened(spec, 1, POS_RECIPE_STAYS);
    pos_message message;
    uint8_t *last = map + 2 * page - sizeof SHORT;
    memcpy(last, SHORT, sizeof SHORT);
    CHECK(pos_message_parse(spec, last, sizeof SHORT, &message, NULL) == POS_OK);
    for (unsigned round = 0; round < 3; round++) {
        (void)check_both(spec, recipes, last, sizeof SHORT, &state);
    }
    pos_recipes_close(recipes);
    pos_spec_close(spec);
    munmap(map, 3 * page);
}

/* ---- floods, and what stays ------------------------------------------------------------------------------------------- */
/* Byte 10 of this one begins field 3: each of its values is a key of its own, and no sale is one. */
static void test_a_flood_takes_no_place_from_what_is_in_use(void)
{
    const sample *sale = named("magnetic stripe with PIN");
    pos_spec *spec = paper_spec(sale->dialect);
    pos_recipes *recipes = opened(spec, 2, 1000);
    uint64_t state = 5;
    const pos_recipe *hot = NULL;
    for (unsigned round = 0; round < 4; round++) {
        hot = check_both(spec, recipes, sale->body, sale->size, &state);
    }
    CHECK(hot != NULL);
    uint8_t body[BODY_MAX];
    memcpy(body, sale->body, sale->size);
    unsigned single = 0;
    for (unsigned round = 0; round < 20000; round++) {
        /* Processing 00xxxx: digits that no rule asks for, but that are in the key. */
        const unsigned code = round % 10000;
        body[11] = (uint8_t)(code / 1000 << 4 | code / 100 % 10);
        body[12] = (uint8_t)(code / 10 % 10 << 4 | code % 10);
        if (code == 0) continue;
        const bool is_first = round < 10000;
        const pos_recipe *other = check_both(spec, recipes, body, sale->size, &state);
        single += is_first && other != NULL;
        if (round % 3 == 0) (void)check_both(spec, recipes, body, sale->size, &state);
        if (round % 50 == 0) {
            CHECK(check_both(spec, recipes, sale->body, sale->size, &state) == hot);
            CHECK(hot->key[0] != 0);
        }
    }
    CHECK(single < 100); /* only where a mark was taken for another's */
    pos_recipes_close(recipes);
    pos_spec_close(spec);
}

static void test_a_shape_that_is_not_used_makes_room(void)
{
    const sample *sale = named("magnetic stripe with PIN");
    pos_spec *spec = paper_spec(sale->dialect);
    pos_recipes *recipes = opened(spec, 1, 100);
    uint64_t state = 6;
    uint8_t body[BODY_MAX];
    memcpy(body, sale->body, sale->size);
    unsigned made = 0;
    for (unsigned code = 1; code < 9999; code++) {
        body[11] = (uint8_t)(code / 1000 << 4 | code / 100 % 10);
        body[12] = (uint8_t)(code / 10 % 10 << 4 | code % 10);
        made += check_both(spec, recipes, body, sale->size, &state) != NULL;
    }
    CHECK(made > 9500); /* a set of four may be full of the last hundred */
    pos_recipes_close(recipes);
    pos_spec_close(spec);
}

static void test_no_account_stays_in_the_cache(void)
{
    static const char *const PARTS[] = {"magnetic stripe with PIN", "chip without PIN", "QR sale"};
    for (unsigned each = 0; each < 3; each++) {
        const sample *sale = named(PARTS[each]);
        pos_spec *spec = paper_spec(sale->dialect);
        pos_recipes *recipes = opened(spec, 1, POS_RECIPE_STAYS);
        uint64_t state = 7;
        for (unsigned round = 0; round < 40; round++) {
            (void)check_both(spec, recipes, sale->body, sale->size, &state);
        }
        pos_message message;
        CHECK(pos_message_parse(spec, sale->body, sale->size, &message, NULL) == POS_OK);
        const reading read = read_slowly(spec, &message);
        CHECK(read.pan_size >= 12);
        const size_t size = malloc_usable_size(recipes);
        CHECK(size > 100000);
        CHECK(memmem(recipes, size, read.pan, 8) == NULL);
        uint8_t packed[4];
        pos_bcd_from_ascii(read.pan, 8, packed, 0);
        CHECK(memmem(recipes, size, packed, 4) == NULL);
        static const unsigned SECRETS[] = {2, 35, 52};
        for (unsigned secret = 0; secret < 3; secret++) {
            const unsigned field = SECRETS[secret];
            if (!pos_message_has(&message, field)) continue;
            const pos_field *place = &message.fields[field];
            CHECK(memmem(recipes, size, sale->body + place->offset, place->size) == NULL);
        }
        pos_recipes_close(recipes);
        pos_spec_close(spec);
    }
}

/* ---- dialects of any hand ----------------------------------------------------------------------------------------------- */
/* An image changed here and there is another dialect, if it is one at all: what holds for recipes
 * holds whatever the dialect says. */
static void test_changed_dialects_are_the_same_by_recipe(void)
{
    static const char *const DIALECTS[] = {"unionpay-terminal", "iso8583-1987-ascii",
                                           "iso8583-2003-binary"};
    static const uint8_t VALUES[] = {0x00, 0x01, 0x02, 0x03, 0x40, 0x7f, 0x80, 0xff};
    uint64_t state = 10;
    const counts before = seen;
    for (unsigned round = 0; round < CHANGED_IMAGES; round++) {
        const char *dialect = DIALECTS[round % 4 == 3 ? 1 + round / 4 % 2 : 0];
        size_t size;
        uint8_t *image = paper_image(dialect, &size);
        const size_t tables = pos_load_u32_le(image + 40 + 8 * 8); /* names lie after them */
        for (unsigned each = 0; each < 1 + round % 4; each++) {
            uint8_t *at = &image[paper_next(&state) % tables];
            *at = round % 3 == 0 ? (uint8_t)paper_next(&state)
                  : round % 3 == 1 ? VALUES[paper_next(&state) % sizeof VALUES]
                                   : (uint8_t)(*at + 1 - 2 * (paper_next(&state) % 2));
        }
        paper_sum(image, size);
        pos_spec *spec = NULL;
        const pos_status status = pos_spec_open(image, size, &spec);
        free(image);
        if (status != POS_OK) continue;
        pos_recipes *recipes = opened(spec, 1, POS_RECIPE_STAYS);
        for (unsigned each = 0; each < 12; each++) {
            const sample *chosen = &samples[paper_next(&state) % sample_count];
            if (!is_of(chosen, dialect)) continue;
            uint8_t *body = exact(chosen->body, chosen->size);
            for (unsigned again = 0; again < 3; again++) {
                (void)check_both(spec, recipes, body, chosen->size, &state);
            }
            free(body);
        }
        pos_recipes_close(recipes);
        pos_spec_close(spec);
    }
    CHECK(seen.recipes - before.recipes > CHANGED_IMAGES);
}

/* ---- digits by the word ----------------------------------------------------------------------------------------------------- */
static void test_digits_by_the_word_are_digits_one_by_one(void)
{
    uint64_t state = 8;
    for (unsigned round = 0; round < 100000; round++) {
        uint8_t bytes[8];
        uint64_t word = paper_next(&state);
        if (round % 2 == 0) {
            for (unsigned index = 0; index < 16; index++) {
                if ((word >> (4 * index) & 15) > 9) word &= ~(UINT64_C(8) << (4 * index));
            }
        }
        pos_store_u64_be(bytes, word);
        const bool is_right = pos_bcd_is_digits(bytes, 0, 16);
        CHECK((pos_nibbles_bad(word) == 0) == is_right);
        if (is_right) CHECK(pos_nibbles_number(word) == pos_bcd_number(bytes, 0, 16));
        char characters[16];
        pos_bcd_to_ascii(bytes, 0, 16, characters);
        const uint64_t high = pos_bytes_of_nibbles(word >> 32);
        CHECK(pos_nibbles_of_bytes(high) == word >> 32);
        if (is_right) {
            uint8_t again[8];
            pos_store_u64_be(again, high | 0x3030303030303030U);
            CHECK(memcmp(again, characters, 8) == 0);
        }
        const uint64_t text = paper_next(&state) & (round % 3 == 0 ? ~UINT64_C(0)
                                                                  : 0x3f3f3f3f3f3f3f3fU);
        pos_store_u64_be(bytes, text | (round % 3 == 0 ? 0 : 0x3030303030303030U));
        const uint64_t judged = pos_load_u64_be(bytes) ^ 0x3030303030303030U;
        CHECK((pos_characters_bad(judged) == 0) == pos_ascii_is_digits(bytes, 8));
    }
}

int main(void)
{
    paper_each("message", keep_sample, NULL);
    CHECK(sample_count >= 60);
    test_digits_by_the_word_are_digits_one_by_one();
    test_every_vector_is_the_same_by_recipe();
    test_nothing_beside_a_body_is_read();
    test_no_account_stays_in_the_cache();
    test_a_flood_takes_no_place_from_what_is_in_use();
    test_a_shape_that_is_not_used_makes_room();
    test_longer_chip_data_are_not_taken_for_shorter();
    test_the_first_account_of_several_counts();
    test_changed_dialects_are_the_same_by_recipe();
    test_every_changed_byte_is_the_same_by_recipe();
    test_chip_data_of_every_form_is_the_same_by_recipe();
    test_messages_put_together_are_the_same_by_recipe();
    /* The proof is of recipes only where there were recipes. */
    CHECK(seen.recipes > seen.readings / 2);
    CHECK(seen.facts > seen.readings / 4);
    CHECK(seen.faults > 100);
    CHECK(seen.sheets > seen.answers / 8);
    unsigned rules = 0;
    for (unsigned word = 0; word < 4; word++) {
        rules += (unsigned)__builtin_popcountll(seen.rules[word]);
    }
    CHECK(rules >= 30);
    return 0;
}
