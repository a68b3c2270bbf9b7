/*
 * Recipes, seen inside of this room only: recipe.c says what they are and when they are made.
 *
 *   recipe.c         the cache: shapes, keys, who is compiled and who is dropped
 *   recipe_facts.c   which rule, where its facts lie         compile, and read
 *   recipe_redact.c  what of it is kept                      compile, and write
 *   recipe_answer.c  how its answer is put together          compile, and write
 */
#ifndef POS_MESSAGE_RECIPE_H
#define POS_MESSAGE_RECIPE_H

#include "message/spec.h"

/* Tests compile at first sight; the engine waits for the second. */
typedef struct pos_recipe_settings {
    uint32_t sightings_min; /* 1 or 2 */
    uint32_t stays;         /* readings after which one that was not used may be dropped */
} pos_recipe_settings;
pos_status pos_recipes_open_with(const pos_spec *spec, const pos_recipe_settings *settings,
                                 pos_recipes **recipes_out);

/* ---- facts --------------------------------------------------------------------------------------- */
typedef enum recipe_slot {
    SLOT_AMOUNT,
    SLOT_ENTRY_MODE,
    SLOT_PROCESSING,
    SLOT_STAN,
    SLOT_BATCH,
    SLOT_CURRENCY,
    SLOT_NETWORK,
    SLOT_TYPE,
    SLOT_CONDITION,
    SLOT_READER,
    SLOT_CHIP_CONDITION,
    SLOT_EXPIRY,
    SLOT_LOCAL_TIME,
    SLOT_LOCAL_DATE,
    SLOT_ORIGINAL_BATCH,
    SLOT_ORIGINAL_STAN,
    SLOT_ORIGINAL_DATE,
    SLOT_COUNT,
    SLOT_NOBODY = SLOT_COUNT
} recipe_slot;

/* A number of at most 16 digits whose last byte lies `end` bytes after the start of its field. The
 * word that ends there is loaded whole: MTI and bitmap lie before every field, so it is the body's. */
typedef struct recipe_number {
    uint64_t mask; /* of the digits in that word, after the shift */
    uint64_t most; /* the largest that its fact can hold */
    uint16_t end;
    uint8_t field;
    uint8_t slot;
    uint8_t shift;   /* BCD: 4 where a filler or another part has the last nibble */
    uint8_t count;   /* characters; 0: the digits are BCD */
} recipe_number;

/* BCD digits that parse judged, at most eight, whose fact holds them all: most of them. */
typedef struct recipe_short {
    uint32_t mask;
    uint16_t end;
    uint8_t field;
    uint8_t slot;
    uint8_t shift;
} recipe_short;

#define RECIPE_TEXTS_MAX 6
typedef struct recipe_text {
    uint16_t at; /* in pos_request */
    uint16_t delta; /* from the start of the field's value */
    uint8_t field;
    uint8_t size;
} recipe_text;

typedef enum recipe_account {
    ACCOUNT_NONE,
    ACCOUNT_BCD,
    ACCOUNT_ASCII,
} recipe_account;

typedef struct recipe_facts {
    bool is_slow; /* by pos_request_read, all of it */
    bool asks_original_data; /* where the original's STAN is 0 */
    uint8_t account; /* recipe_account */
    uint8_t pan_field;
    uint8_t track_field;    /* 0: none */
    uint8_t security_field; /* 0: none */
    uint8_t code_field;     /* a payment code in a tag; 0: none */
    char code_tag[2];
    uint8_t short_count;
    uint8_t number_count;
    uint8_t text_count;
    recipe_short shorts[SLOT_COUNT + 1]; /* an even number: the last may be nobody's */
    recipe_number numbers[SLOT_COUNT];
    recipe_text texts[RECIPE_TEXTS_MAX];
    uint64_t constants[SLOT_COUNT + 1]; /* what the key says already, and 0 */
    pos_request prototype;
} recipe_facts;

/* ---- redaction -------------------------------------------------------------------------------------- */
#define RECIPE_KEPT_MAX 80
#define RECIPE_WORDS_MAX 64
#define RECIPE_COVERS_MAX 24

typedef enum recipe_keep {
    KEEP_WHOLE,
    KEEP_COVERED,  /* and then parts written over */
    KEEP_ELEMENTS, /* BER-TLV: the kept tags */
    KEEP_SLOWLY,   /* as redact.c does */
    KEEP_RUN,      /* words for the whole fields that come next, which lie at known distances */
} recipe_keep;

typedef struct recipe_kept {
    uint8_t field;
    uint8_t keep; /* recipe_keep */
    uint8_t cover_first; /* KEEP_RUN: among the words */
    uint8_t cover_count;
    uint8_t members; /* KEEP_RUN: how many of those that come next */
    uint16_t reach;  /* KEEP_RUN: bytes from the first field's start that are read */
    uint16_t size;   /* KEEP_RUN: bytes that are written, heads and values */
} recipe_kept;

/* Eight bytes of a run: some of the body, a field's head before them or not. */
typedef struct recipe_word {
    uint64_t mask;
    uint64_t head;
    uint16_t from; /* from three bytes before the first field's value: the heads' size */
    uint16_t to;
} recipe_word;

typedef struct recipe_redaction {
    bool is_slow;
    uint8_t kept_count;
    uint8_t cover_count;
    uint8_t word_count;
    recipe_kept kept[RECIPE_KEPT_MAX];
    pos_part covers[RECIPE_COVERS_MAX]; /* offsets from the start of the value */
    recipe_word words[RECIPE_WORDS_MAX];
} recipe_redaction;

/* ---- answers ------------------------------------------------------------------------------------------ */
#define RECIPE_STEPS_MAX 40
#define RECIPE_HOLES_MAX 12
#define RECIPE_HEAD_MAX 40
#define RECIPE_VALUES_MAX 24
#define RECIPE_ANSWERS_MAX 4
#define RECIPE_DRESSED_MAX 192U /* head and common values; one that has no room is dressed each time */
#define RECIPE_MOVE 32U         /* bytes of a move that may run past its end: pos_copy_32 */

typedef enum recipe_dress {
    DRESS_ECHO,      /* a run of fields that lie side by side in the request too */
    DRESS_DIGITS,    /* fixed, an even number of BCD digits, at most 16 */
    DRESS_DIGITS_LL, /* as many as come, an even number, after a prefix */
    DRESS_TEXT,      /* as it is, after a prefix or at its full size */
    DRESS_SLOWLY,    /* pos_field_write */
} recipe_dress;

/* How text is judged before pos_view_fault is asked. */
typedef enum recipe_quick {
    QUICK_NONE,      /* always asked */
    QUICK_DIGITS,    /* all digits: right */
    QUICK_PRINTABLE, /* 20 to 7E: right */
    QUICK_ANY,       /* bytes: never asked */
} recipe_quick;

typedef struct recipe_step {
    uint8_t dress; /* recipe_dress */
    uint8_t first; /* field */
    uint8_t last;  /* DRESS_ECHO */
    uint8_t prefix_size;
    uint8_t prefix_is_bcd;
    uint8_t quick; /* recipe_quick */
    uint8_t hole_first;
    uint8_t hole_end;
    uint16_t size_min; /* units; of a fixed field the same as the most */
    uint16_t size_max; /* DRESS_ECHO: bytes, if `is_exact` */
    bool is_exact;     /* DRESS_ECHO: all of its fields are fixed */
    uint8_t value; /* index among the given values */
} recipe_step;

/* A part of the body of an answer, once the values that a sheet has in common are dressed. */
typedef enum recipe_way {
    WAY_DRESSED_MOVE, /* lies there already; one move, which runs past its end */
    WAY_ECHO_MOVE,    /* fixed fields of the request, likewise */
    WAY_DRESSED,
    WAY_ECHO,  /* DRESS_ECHO */
    WAY_PLAIN, /* text of a known size, judged at a look */
    WAY_VALUE, /* any other value */
} recipe_way;

typedef struct recipe_part {
    uint8_t way; /* recipe_way */
    uint8_t step;
    uint8_t field; /* WAY_ECHO_MOVE: the first */
    uint16_t from; /* WAY_DRESSED: in `dressed` */
    uint16_t size;
} recipe_part;

/* The answer to this recipe's requests, for one set of given values. */
typedef struct recipe_answer {
    bool is_signed;
    bool is_slow;
    uint8_t value_count;
    uint8_t head_size;
    uint8_t mac_size;
    uint8_t step_count;
    uint8_t hole_count;
    uint32_t room; /* bytes that head, values at their largest and MAC take: echoes come on top */
    uint8_t fields[RECIPE_VALUES_MAX]; /* of the given values, ascending */
    uint8_t holes[RECIPE_HOLES_MAX];   /* fields */
    uint8_t head[RECIPE_HEAD_MAX];     /* MTI and bitmap */
    recipe_step steps[RECIPE_STEPS_MAX];
    uint64_t sheet; /* number of the sheets that the parts are of; 0: there are no parts */
    uint8_t part_count;
    uint8_t move_field; /* the last that is echoed by a move; 0: none */
    recipe_part parts[RECIPE_STEPS_MAX + 1];
    uint8_t dressed[RECIPE_DRESSED_MAX + RECIPE_MOVE];
} recipe_answer;

/* ---- the whole -------------------------------------------------------------------------------------------- */
#define RECIPE_KEY_WORDS 3

struct pos_recipe {
    uint64_t key[RECIPE_KEY_WORDS];
    uint64_t used_at;
    uint32_t shape; /* serial of the shape; 0: no recipe lies here */
    bool is_slow;   /* no rule fits, or its presence is wrong: the slow doors say how */
    uint8_t mac_field; /* 0: the message carries none */
    uint8_t mac_output;
    uint8_t answer_count;
    const pos_rule *rule;
    recipe_facts facts;
    recipe_redaction redaction;
    recipe_answer answers[RECIPE_ANSWERS_MAX];
};

/* How kept tags of a BER layout are told without a search: 256 bits for tags of one byte, and 256 for
 * each first byte that has a second; page 0 holds nothing, page 1 the short tags. */
#define RECIPE_TAG_PAGES 16
typedef struct recipe_tags {
    const pos_layout *layout; /* NULL: none */
    uint8_t page_of[256];
    uint64_t pages[RECIPE_TAG_PAGES][4];
} recipe_tags;

/* What one layout of chip data comes to: where its tags and lengths lie, and which runs are kept. It
 * holds tags and lengths, and no byte of a value. */
#define RECIPE_CHIP_WORDS 32
#define RECIPE_CHIP_RUNS 8
typedef struct recipe_chip {
    uint16_t size; /* of the whole value; 0: free */
    uint16_t kept_size;
    uint8_t run_count;
    uint8_t trust; /* hits less misses; at 0 another may take its place */
    struct {
        uint16_t from;
        uint16_t size;
    } runs[RECIPE_CHIP_RUNS];
    uint64_t mask[RECIPE_CHIP_WORDS]; /* the last word ends with the value */
    uint64_t pattern[RECIPE_CHIP_WORDS];
} recipe_chip;

#define RECIPE_CHIP_SETS 64
#define RECIPE_CHIP_WAYS 2
typedef struct recipe_chips {
    recipe_tags tags;
    recipe_chip known[RECIPE_CHIP_SETS][RECIPE_CHIP_WAYS];
} recipe_chips;

/* recipe_facts.c. Whether the places of a field's parts follow from its layout and its length. */
bool recipe_is_steady(const pos_spec *spec, const pos_message *message, unsigned field);
void recipe_facts_compile(const pos_spec *spec, const pos_rule *rule, const pos_message *sample,
                          recipe_facts *facts);
/* False: the slow door is to be asked; nothing was written. */
bool recipe_facts_read(const recipe_facts *facts, const pos_message *message,
                       pos_request *request_out, char pan_out[20], size_t *pan_size_out);
/* Of the roles that a recipe reads, for the key: 0 at the end. */
pos_role recipe_role(unsigned index);

/* recipe_redact.c */
void recipe_tags_compile(const pos_spec *spec, const pos_layout *layout, recipe_tags *tags_out);
void recipe_redaction_compile(const pos_spec *spec, const recipe_tags *tags,
                              const pos_message *sample, recipe_redaction *redaction);
/* False: the slow door is to be asked; nothing was written. */
bool recipe_redact(const pos_spec *spec, recipe_chips *chips, const recipe_redaction *redaction,
                   const pos_message *message, pos_writer *writer);

/* recipe_answer.c */
/* False: the slow doors are to be asked; nothing was written. `template_writer` may be NULL. */
bool recipe_answer_write(const pos_spec *spec, pos_recipe *recipe, const pos_message *request,
                         const pos_answer_sheet *sheet, bool is_signed,
                         pos_writer *template_writer, pos_writer *reply_writer,
                         size_t *covered_size_out, size_t *mac_size_out);

/* ---- digits by the word ---------------------------------------------------------------------------------- */
/* Sixteen BCD digits: a bit in each nibble that is none. */
static inline uint64_t pos_nibbles_bad(uint64_t word)
{
    return word & (word << 1 | word << 2) & 0x8888888888888888U;
}

/* Eight digits of characters, each byte less '0': a bit in each byte that is none. */
static inline uint64_t pos_characters_bad(uint64_t word)
{
    return (word | (word + 0x7676767676767676U)) & 0x8080808080808080U;
}

/*
 * Two numbers of eight BCD digits, one in each half, in place and all digits at once: a high nibble
 * counts sixteen and should count ten, so six times it is taken off; the same for pairs (256, 100) and
 * fours (65536, 10000), and for eights below.
 */
static inline uint64_t pos_nibbles_numbers(uint64_t words)
{
    words -= 6 * (words >> 4 & 0x0f0f0f0f0f0f0f0fU);
    words -= 156 * (words >> 8 & 0x00ff00ff00ff00ffU);
    return words - 55536 * (words >> 16 & 0x0000ffff0000ffffU);
}

/* Sixteen digits as a number. */
static inline uint64_t pos_nibbles_number(uint64_t word)
{
    word = pos_nibbles_numbers(word);
    return word - UINT64_C(4194967296) * (word >> 32);
}

/* Eight bytes that hold a digit each, big-endian, into eight nibbles. */
static inline uint64_t pos_nibbles_of_bytes(uint64_t word)
{
    word = (word | word >> 4) & 0x00ff00ff00ff00ffU;
    word = (word | word >> 8) & 0x0000ffff0000ffffU;
    return (word | word >> 16) & 0xffffffffU;
}

/* The reverse. */
static inline uint64_t pos_bytes_of_nibbles(uint64_t word)
{
    word = (word | word << 16) & 0x0000ffff0000ffffU;
    word = (word | word << 8) & 0x00ff00ff00ff00ffU;
    return (word | word << 4) & 0x0f0f0f0f0f0f0f0fU;
}

#endif
