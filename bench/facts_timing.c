/*
 * What it costs to say what a message is, what of it is kept and what is answered: by recipe, and by
 * the slow doors that are the recipe's oracle. One line of JSON a run and kind, ns of CPU a message.
 *
 *   facts_timing IMAGE RUNS
 *
 * 512 messages a wave, already parsed, account, amount and STAN different in each; the two ways take
 * turns. Before anything is timed every result of one is compared with the other's, byte by byte.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "message/message.h"

#define WAVE 512
#define ROUNDS 40
#define KEPT_MAX 2048

typedef struct kind {
    const char *name;
    uint16_t mti;
    bool has_chip;
    bool has_track;
    bool has_code;
} kind;

static const kind KINDS[] = {
    {"chip sale, 21 fields", 0x0200, true, true, false},
    {"swiped sale", 0x0200, false, true, false},
    {"keyed sale", 0x0200, false, false, false},
    {"QR sale", 0x0200, false, false, true},
    {"reversal", 0x0400, false, true, false},
};

/* Twenty-two elements, a track and an account among them. */
static const char CHIP[] =
    "\x9f\x26\x08\xa1\xb2\xc3\xd4\xe5\xf6\x07\x08\x9f\x27\x01\x80\x9f\x10\x08\x07\x01\x01\x03\xa0"
    "\xa0\x02\x01\x9f\x37\x04\x11\x22\x33\x44\x9f\x36\x02\x00\x01\x95\x05\x00\x80\x04\x60\x00\x9a"
    "\x03\x26\x11\x21\x9c\x01\x00\x9f\x02\x06\x00\x00\x00\x01\x23\x45\x5f\x2a\x02\x01\x56\x82\x02"
    "\x7c\x00\x9f\x1a\x02\x01\x56\x9f\x03\x06\x00\x00\x00\x00\x00\x00\x9f\x33\x03\xe0\xf0\xc8\x9f"
    "\x34\x03\x42\x03\x00\x9f\x35\x01\x22\x9f\x1e\x08" "12345678" "\x84\x08\xa0\x00\x00\x03\x33"
    "\x01\x01\x01\x9f\x09\x02\x00\x20\x9f\x41\x04\x00\x00\x00\x59\x57\x04TRKS\x5a\x03" "ACC";

typedef struct one {
    uint8_t body[512];
    size_t size;
    pos_message message;
    const pos_recipe *recipe;
    const pos_rule *rule;
    pos_mac_cover cover;
    pos_request request;
    char pan[20];
    size_t pan_size;
} one;

static one wave[WAVE];
static uint8_t kept[KEPT_MAX], template_[KEPT_MAX], reply[KEPT_MAX];
static size_t sizes[3]; /* of these */
static uint64_t sum; /* so that nothing is left out */

static void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void make(const pos_spec *spec, const kind *of, unsigned number, one *out)
{
    pos_value values[64];
    size_t count = 0;
    char amount[13], stan[7];
    static const char *const ACCOUNTS[2] = {"6225000000000014", "6222021234567890128"};
    snprintf(amount, sizeof amount, "%012u", 100 + 37 * number);
    snprintf(stan, sizeof stan, "%06u", number + 1);
#define GIVE(number, text) \
    values[count++] = (pos_value){number, (const uint8_t *)(text), (uint32_t)strlen(text)}
    const bool has_card = !of->has_code;
    if (has_card) GIVE(2, ACCOUNTS[number % 2]);
    GIVE(3, "000000");
    GIVE(4, amount);
    GIVE(11, stan);
    if (of->has_chip) {
        GIVE(12, "092400");
        GIVE(13, "1121");
    }
    if (has_card) GIVE(14, "3012");
    GIVE(22, of->has_code ? "032" : of->has_chip ? "051" : of->has_track ? "021" : "012");
    if (of->has_chip) GIVE(23, "001");
    GIVE(25, "00");
    if (of->mti == 0x0200 && of->has_track) GIVE(26, "12");
    if (of->has_chip) GIVE(32, "01031000");
    if (of->has_track) GIVE(35, "6225000000000014D30122010000012345678");
    if (of->mti == 0x0400) GIVE(39, "98");
    GIVE(41, "09101515");
    GIVE(42, "308350193990080");
    GIVE(49, "156");
    if (of->has_track) {
        values[count++] = (pos_value){52, (const uint8_t *)"PINBLOCK", 8};
        GIVE(53, "2600000000000000");
    }
    if (of->has_chip) values[count++] = (pos_value){55, (const uint8_t *)CHIP, sizeof CHIP - 1};
    if (of->has_code) GIVE(59, "A30196212345678901234567");
    GIVE(60, "2200000100050");
    values[count++] = (pos_value){64, (const uint8_t *)"12345678", 8};
    pos_fault fault;
    if (pos_message_build(spec, of->mti, values, count, out->body, sizeof out->body, &out->size,
                          &fault) != POS_OK) die("a message cannot be built");
    if (pos_message_parse(spec, out->body, out->size, &out->message, &fault) != POS_OK) {
        die("a message cannot be parsed");
    }
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What an engine gives an approved sale. */
static size_t given(pos_answer_value values[16])
{
    static const char *const TEXTS[] = {"092400", "1121", "1121", "01031000", "010000000001",
                                        "123456", "00", "01031000   01031000   ", "CUP"};
    static const uint8_t FIELDS[] = {12, 13, 15, 32, 37, 38, 39, 44, 63};
    const size_t count = sizeof FIELDS;
    for (size_t index = 0; index < count; index++) {
        values[index] = (pos_answer_value){FIELDS[index], (const uint8_t *)TEXTS[index],
                                           (uint32_t)strlen(TEXTS[index])};
    }
    return count;
}

/* ---- the two ways, stage by stage ---------------------------------------------------------------- */
static void read_slow(const pos_spec *spec, pos_recipes *recipes, one *of)
{
    (void)recipes;
    pos_fault fault;
    of->recipe = NULL;
    if (pos_rule_find(spec, &of->message, &of->rule) != POS_OK) die("no rule");
    pos_message_mac_cover(spec, &of->message, &of->cover);
    if (pos_rule_check(spec, of->rule, &of->message, &fault) != POS_OK) die("presence");
    if (pos_request_read(spec, of->rule, &of->message, &of->request, of->pan, &of->pan_size, &fault)
        != POS_OK) die("facts");
}

static void read_fast(const pos_spec *spec, pos_recipes *recipes, one *of)
{
    (void)spec;
    pos_fault fault;
    if (pos_recipe_read(recipes, &of->message, &of->recipe, &of->rule, &of->cover, &of->request,
                        of->pan, &of->pan_size, &fault) != POS_OK) die("facts");
}

static void redact_slow(const pos_spec *spec, pos_recipes *recipes, one *of)
{
    (void)recipes;
    pos_writer writer = pos_writer_over(kept, sizeof kept);
    pos_request_redact(spec, of->rule, &of->message, &writer);
    sizes[0] = writer.size;
    sum += writer.size;
}

static void redact_fast(const pos_spec *spec, pos_recipes *recipes, one *of)
{
    (void)spec;
    pos_writer writer = pos_writer_over(kept, sizeof kept);
    pos_recipe_redact(recipes, of->recipe, of->rule, &of->message, &writer);
    sizes[0] = writer.size;
    sum += writer.size;
}

static void answer_slow(const pos_spec *spec, pos_recipes *recipes, one *of)
{
    (void)recipes;
    pos_answer_value values[16];
    const size_t count = given(values);
    pos_fault fault;
    size_t covered, mac;
    pos_writer writer = pos_writer_over(template_, sizeof template_);
    pos_writer filled = pos_writer_over(reply, sizeof reply);
    if (pos_answer_build(spec, of->rule, &of->message, values, count, true, &writer, &fault)
        != POS_OK) die("no answer");
    if (pos_answer_fill(spec, template_, writer.size, &of->message, &filled, &covered, &mac)
        != POS_OK) die("no reply");
    sizes[1] = writer.size;
    sizes[2] = filled.size;
    sum += writer.size + filled.size;
}

static void answer_fast(const pos_spec *spec, pos_recipes *recipes, one *of)
{
    (void)spec;
    pos_answer_value values[16];
    const pos_answer_sheet sheet = {.values = values, .count = (uint32_t)given(values)};
    pos_fault fault;
    size_t covered, mac;
    pos_writer writer = pos_writer_over(template_, sizeof template_);
    pos_writer filled = pos_writer_over(reply, sizeof reply);
    if (pos_recipe_answer(recipes, of->recipe, of->rule, &of->message, &sheet, true, &writer,
                          &filled, &covered, &mac, &fault) != POS_OK) die("no answer");
    sizes[1] = writer.size;
    sizes[2] = filled.size;
    sum += writer.size + filled.size;
}

typedef void stage_function(const pos_spec *spec, pos_recipes *recipes, one *of);
static const struct {
    const char *name;
    stage_function *slow;
    stage_function *fast;
} STAGES[] = {
    {"read", read_slow, read_fast},
    {"redact", redact_slow, redact_fast},
    {"answer", answer_slow, answer_fast},
};

static double timed(stage_function *run, const pos_spec *spec, pos_recipes *recipes)
{
    const uint64_t began = now_ns();
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned index = 0; index < WAVE; index++) run(spec, recipes, &wave[index]);
    }
    return (double)(now_ns() - began) / (ROUNDS * WAVE);
}

/* ---- the same, byte for byte ------------------------------------------------------------------------ */
static void compare(const pos_spec *spec, pos_recipes *recipes)
{
    static one slow;
    static uint8_t theirs[3][KEPT_MAX];
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned index = 0; index < WAVE; index++) {
            one *fast = &wave[index];
            slow = *fast;
            read_slow(spec, recipes, &slow);
            read_fast(spec, recipes, fast);
            if (round == 2 && fast->recipe == NULL) die("no recipe");
            if (memcmp(&slow.request, &fast->request, sizeof slow.request) != 0
                || memcmp(slow.pan, fast->pan, sizeof slow.pan) != 0
                || slow.pan_size != fast->pan_size || slow.cover.size != fast->cover.size
                || slow.rule != fast->rule) die("facts differ");
            size_t before[3];
            redact_slow(spec, recipes, fast);
            answer_slow(spec, recipes, fast);
            memcpy(before, sizes, sizeof before);
            memcpy(theirs[0], kept, sizeof kept);
            memcpy(theirs[1], template_, sizeof template_);
            memcpy(theirs[2], reply, sizeof reply);
            redact_fast(spec, recipes, fast);
            answer_fast(spec, recipes, fast);
            if (memcmp(before, sizes, sizeof before) != 0) die("sizes differ");
            if (memcmp(theirs[0], kept, sizes[0]) != 0) die("redactions differ");
            if (memcmp(theirs[1], template_, sizes[1]) != 0) die("templates differ");
            if (memcmp(theirs[2], reply, sizes[2]) != 0) die("replies differ");
        }
    }
}

static pos_spec *opened(const char *path)
{
    static uint8_t image[1 << 20];
    FILE *file = fopen(path, "rb");
    pos_spec *spec = NULL;
    if (file == NULL) die(path);
    const size_t size = fread(image, 1, sizeof image, file);
    fclose(file);
    if (pos_spec_open(image, size, &spec) != POS_OK) die("no image");
    return spec;
}

int main(int argc, char **argv)
{
    if (argc != 3) die("usage: facts_timing IMAGE RUNS");
    pos_spec *spec = opened(argv[1]);
    const int runs = atoi(argv[2]);
    for (size_t each = 0; each < sizeof KINDS / sizeof KINDS[0]; each++) {
        pos_recipes *recipes;
        if (pos_recipes_open(spec, &recipes) != POS_OK) die("no memory");
        for (unsigned number = 0; number < WAVE; number++) {
            make(spec, &KINDS[each], number, &wave[number]);
        }
        compare(spec, recipes);
        for (int run = 0; run < runs; run++) {
            printf("{\"kind\": \"%s\", \"bytes\": %zu", KINDS[each].name, wave[0].size);
            for (size_t stage = 0; stage < sizeof STAGES / sizeof STAGES[0]; stage++) {
                const double slow = timed(STAGES[stage].slow, spec, recipes);
                if (stage == 0) (void)timed(STAGES[0].fast, spec, recipes); /* recipes, for those below */
                const double fast = timed(STAGES[stage].fast, spec, recipes);
                printf(", \"%s\": [%.2f, %.2f]", STAGES[stage].name, slow, fast);
            }
            printf("}\n");
        }
        pos_recipes_close(recipes);
    }
    pos_spec_close(spec);
    return sum == 0;
}
