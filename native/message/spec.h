/*
 * A dialect in memory: what pos_spec_open makes of an image, seen inside of this room only.
 *
 *   pos_spec ─┬─ frame shape, MTI, bitmap, MAC
 *             ├─ forms[1..128] ──▶ layouts ──▶ parts (positions or tags)
 *             │                       └─▶ variants ──▶ layouts        (a choice)
 *             ├─ rules ──▶ matches (which message is of this kind)
 *             └─ roles, key blocks, strings
 *
 * Every index in it was checked when the image was opened; nothing here is checked again.
 */
#ifndef POS_MESSAGE_SPEC_H
#define POS_MESSAGE_SPEC_H

#include "message/message.h"

/* Numbers stand in images: they only grow at the end. */
typedef enum pos_code {
    POS_CODE_NONE,
    POS_CODE_BCD,
    POS_CODE_ASCII,
    POS_CODE_EBCDIC,
    POS_CODE_BINARY,
    POS_CODE_HEX,
    POS_CODE_HEX_EBCDIC,
    POS_CODE_GB18030, /* printable characters and bytes 80 to FE */
    POS_CODE_COUNT
} pos_code;

/* How a field's strict layout is judged; where this says no, the walk says why. */
typedef enum pos_layout_judge {
    POS_JUDGE_NONE,  /* no layout, or none that is strict */
    POS_JUDGE_SIZES, /* positional: the content is judged with the field's, so the units alone say */
    POS_JUDGE_BER,   /* element after element to the end */
    POS_JUDGE_WALK,  /* part by part */
} pos_layout_judge;

/* A field whose content is told by one look at all of it. */
typedef enum pos_look {
    POS_LOOK_NONE,  /* none that would do: EBCDIC, a sign before digits; or not defined */
    POS_LOOK_BYTES, /* whatever they are */
    POS_LOOK_TRACK, /* nibbles, whatever they are */
    POS_LOOK_PAIRS, /* digits, two a byte */
    POS_LOOK_TEXT,  /* characters of `allowed` */
} pos_look;

typedef struct pos_form {
    const char *name;
    const char *name_zh;
    const char *rule;
    uint64_t layout_sizes; /* POS_JUDGE_SIZES: bit n, a value of n units fits */
    uint16_t size_min; /* units */
    uint16_t size_max;
    uint16_t layout; /* from 1; 0: none */
    uint8_t content; /* pos_content; NONE: the dialect does not define the field */
    uint8_t encoding; /* pos_code */
    uint8_t prefix_digits; /* 0: fixed */
    uint8_t prefix_encoding;
    uint8_t prefix_size; /* bytes */
    uint8_t filler; /* a nibble in BCD, else a character */
    uint8_t secrecy;
    uint8_t layout_judge; /* pos_layout_judge */
    uint8_t look;         /* pos_look */
    uint8_t allowed;      /* POS_LOOK_TEXT: classes of judge.h */
    bool counts_bytes;
    bool is_right; /* odd or short content lies at the right */
    bool is_kept;
} pos_form;

/* What the engine reads out of repeated layouts; compile.py knows the parts by these names. */
typedef enum pos_meaning {
    POS_MEANING_NONE,
    POS_MEANING_DOMESTIC_DEBIT_AMOUNT,
    POS_MEANING_DOMESTIC_DEBIT_COUNT,
    POS_MEANING_DOMESTIC_CREDIT_AMOUNT,
    POS_MEANING_DOMESTIC_CREDIT_COUNT,
    POS_MEANING_DOMESTIC_RESULT,
    POS_MEANING_FOREIGN_DEBIT_AMOUNT,
    POS_MEANING_FOREIGN_DEBIT_COUNT,
    POS_MEANING_FOREIGN_CREDIT_AMOUNT,
    POS_MEANING_FOREIGN_CREDIT_COUNT,
    POS_MEANING_FOREIGN_RESULT,
    POS_MEANING_RECORD_COUNT,
    POS_MEANING_CARD_CLASS,
    POS_MEANING_STAN,
    POS_MEANING_ACCOUNT,
    POS_MEANING_AMOUNT,
    POS_MEANING_LAST
} pos_meaning;

typedef struct pos_part_form {
    const char *name;
    const char *name_zh;
    const char *rule;
    uint32_t tag;  /* BER tag or TLV tag, as its bytes read big-endian; 0: positional */
    uint16_t size; /* units; where `takes_rest`, the most; tags: 0 */
    uint8_t content;
    uint8_t secrecy;
    uint8_t meaning;
    bool is_optional;
    bool is_kept;
    bool takes_rest;
} pos_part_form;

typedef enum pos_layout_form {
    POS_LAYOUT_NONE,
    POS_LAYOUT_POSITIONAL,
    POS_LAYOUT_TLV,
    POS_LAYOUT_BER,
    POS_LAYOUT_CHOICE,
    POS_LAYOUT_FORM_COUNT
} pos_layout_form;

typedef struct pos_layout {
    const char *name;
    uint8_t form; /* pos_layout_form */
    uint8_t tag_size;
    uint8_t length_size;
    uint8_t count_size; /* digits that say how many groups follow; 0: no groups */
    bool is_strict;
    bool refuses_unknown; /* a tag without a definition is a fault */
    bool has_secrets;     /* a part is pan or secret; of a choice: of any variant */
    bool has_kept;        /* a part is kept */
    uint16_t first; /* parts, or variants of a choice */
    uint16_t count;
    uint16_t group_first;
    uint16_t group_count;
} pos_layout;

/* What a condition looks at. Within one rule or variant, records of one selector are alternatives
 * and selectors must all hold. */
typedef enum pos_selector {
    POS_SELECT_NONE,
    POS_SELECT_MTI,
    POS_SELECT_PROCESSING,
    POS_SELECT_CONDITION,
    POS_SELECT_TYPE,
    POS_SELECT_NETWORK,
    POS_SELECT_ENTRY, /* first two digits of field 22 */
    POS_SELECT_SIZE,  /* units of the field whose layout is chosen; a plain number */
    POS_SELECT_COUNT
} pos_selector;

typedef struct pos_match {
    uint32_t value; /* BCD digits, right aligned */
    uint32_t mask;  /* 0xf where the digit counts */
    uint8_t selector;
} pos_match;

typedef struct pos_variant {
    uint16_t layout; /* from 1, never a choice itself */
    uint16_t match_first;
    uint16_t match_count; /* 0: always */
} pos_variant;

typedef struct pos_rule_form {
    pos_rule rule;
    const char *name_zh;
    uint16_t match_first;
    uint16_t match_count;
} pos_rule_form;

typedef struct pos_role_place {
    const char *part; /* its name, or its tag; NULL: the whole field */
    uint8_t field;    /* 0: the dialect has none */
} pos_role_place;

struct pos_spec {
    pos_frame_shape frame;
    const char *name;
    const char *title;
    const char *title_zh;
    uint8_t digest[16];
    uint8_t mti_encoding;
    uint8_t version; /* 0xff: any */
    uint8_t bitmap_encoding;
    uint8_t field_max; /* 64 or 128 */
    uint8_t mac_fields[2];
    uint8_t mac_algorithm;
    uint8_t mac_output;
    uint8_t mac_size;
    bool has_both_bitmaps; /* always 128 bits; bit 1 announces nothing */
    uint64_t judged[2]; /* fields whose layout_judge is not NONE, as pos_message.bitmap */
    struct pos_plan_pool *pool; /* what was learnt of shapes; lent to one caller at a time: plan.c */
    pos_form forms[POS_FIELD_MAX + 1];
    pos_role_place roles[POS_ROLE_COUNT];
    const pos_layout *layouts;
    const pos_part_form *parts;
    const pos_variant *variants;
    const pos_match *matches;
    const pos_rule_form *rules;
    const pos_spec_key_block *keys;
    uint32_t layout_count;
    uint32_t part_count;
    uint32_t variant_count;
    uint32_t match_count;
    uint32_t rule_count;
    uint32_t key_count;
};

/* ---- parsing: parse.c ------------------------------------------------------------------------------- */
/* As pos_message_parse, by the table alone: what plans fall back to. */
pos_status pos_message_parse_table(const pos_spec *spec, const uint8_t *body, size_t size,
                                   pos_message *message_out, pos_fault *fault_out);
/* The same without any short way: what the others are proved against. */
pos_status pos_message_parse_plain(const pos_spec *spec, const uint8_t *body, size_t size,
                                   pos_message *message_out, pos_fault *fault_out);
/* The strict layouts of those fields, ascending, of a message that is written. FIELD_PART. */
pos_status pos_layouts_judge(const pos_spec *spec, const pos_message *message,
                             const uint64_t fields[2], pos_fault *fault_out);
/* The bitmap at the head of a body; false where MTI and bitmap are not of their form: parse.c. */
bool pos_bitmap_of(const pos_spec *spec, const uint8_t *body, size_t size, uint64_t bitmap_out[2]);

/* ---- values on the wire: value.c ------------------------------------------------------------------- */
typedef struct pos_view {
    const uint8_t *data;
    uint32_t size;
    uint32_t units;
    uint8_t nibble; /* BCD: the nibble at which the digits begin */
    uint8_t content;
    uint8_t encoding;
} pos_view;

/* Bytes that `units` of a content take in an encoding. */
uint32_t pos_units_size(uint8_t content, uint8_t encoding, uint32_t units);
/* The character that a byte stands for: 0 where it stands for none. ASCII bytes are themselves. */
uint8_t pos_code_character(uint8_t encoding, uint8_t byte);
bool pos_content_allows(uint8_t content, uint8_t encoding, uint8_t character);
/* Byte of the first unit that is not of its content; `size` where all are. */
uint32_t pos_view_fault(const pos_view *view);
/* A present field as a view. */
pos_view pos_field_view(const pos_spec *spec, const pos_message *message, unsigned field);
/* The value in its plain dress; its size. `text_out` has room for view->units + 1 bytes. */
size_t pos_view_text(const pos_view *view, uint8_t *text_out);
/* Digits as a number; false where one is no digit, or there are none or more than 18. */
bool pos_view_number(const pos_view *view, uint64_t *value_out);

/* ---- nested layouts: part.c, emv.c ------------------------------------------------------------------ */
#define POS_TEMPLATE_DEPTH_MAX 3

typedef struct pos_walk {
    const pos_spec *spec;
    const pos_layout *layout; /* NULL: the field has none */
    const uint8_t *body;
    pos_view view;   /* of the whole field */
    uint32_t at;     /* positional: units taken; TLV and BER: bytes taken */
    uint16_t index;  /* positional: part or group part to come */
    uint16_t group;  /* record that is being read, from 1 */
    uint16_t groups; /* records that the count promised */
    bool is_counted; /* the count was given */
    uint16_t ordinal; /* parts given so far */
    uint8_t depth;
    uint32_t ends[POS_TEMPLATE_DEPTH_MAX]; /* BER: where open templates end */
    pos_fault fault; /* status POS_OK while all is well */
} pos_walk;

/* What conditions look at, of one message: read when first asked for. */
typedef struct pos_selection {
    uint32_t values[POS_SELECT_COUNT]; /* BCD digits */
    uint8_t asked;                     /* bit pos_selector */
    uint8_t present;
} pos_selection;

/* The layout that holds for a field of this message: choices taken. NULL: none. */
const pos_layout *pos_layout_of(const pos_spec *spec, const pos_message *message, unsigned field,
                                pos_selection *selection);
pos_walk pos_walk_begin(const pos_spec *spec, const pos_message *message, unsigned field,
                        pos_selection *selection);
/* False at the end and at a fault, which walk->fault then tells. */
bool pos_walk_next(pos_walk *walk, pos_part *part_out);
bool pos_walk_next_ber(pos_walk *walk, pos_part *part_out);
/* Writes the fault of a part that is coming; always false. */
bool pos_walk_fails(pos_walk *walk, uint32_t at, uint32_t wanted, uint32_t left, const char *rule);
pos_view pos_part_view(const uint8_t *body, const pos_part *part);
const pos_part_form *pos_part_form_of(const pos_spec *spec, const pos_layout *layout,
                                      uint16_t number);
/* The definition of a tag, from 1; 0: there is none. */
uint16_t pos_layout_tag(const pos_spec *spec, const pos_layout *layout, uint32_t tag);

/* Sets layout_judge and layout_sizes of a form, once layouts and form are read. */
void pos_form_layout_judge(const pos_spec *spec, pos_form *form);
/* The element at `at`: where its value starts and ends. False where none is whole before `end`. */
bool pos_ber_element(const uint8_t *data, uint32_t at, uint32_t end, uint32_t *start_out,
                     uint32_t *end_out);

/* ---- plans: plan.c ------------------------------------------------------------------------------------- */
/* Caches that belong to a spec, for callers who have none: with it they live and die. MEMORY. */
pos_status pos_plan_pool_open(const pos_spec *spec, struct pos_plan_pool **pool_out);
void pos_plan_pool_close(struct pos_plan_pool *pool); /* NULL: nothing */
/* One of them for the caller alone; NULL where all are lent: never waits. */
pos_plan_cache *pos_plan_borrow(const pos_spec *spec);
void pos_plan_give_back(const pos_spec *spec, pos_plan_cache *cache);
/* All of pos_numbers, from a message. */
void pos_numbers_read(const pos_spec *spec, const pos_message *message, pos_numbers *numbers_out);

/* ---- roles and conditions: rule.c ---------------------------------------------------------------------- */
/* False where the message has no such value. Of a message that was parsed: strict layouts fit. */
bool pos_role_view(const pos_spec *spec, const pos_message *message, pos_role role,
                   pos_view *view_out);
bool pos_matches_hold(const pos_spec *spec, const pos_message *message, uint16_t first,
                      uint16_t count, uint32_t units, bool absent_fits, pos_selection *selection);

/* ---- writing: build.c ------------------------------------------------------------------------------------- */
/* One field, its prefix included, from its plain dress. Fails: FIELD_VALUE, FIELD_LENGTH. */
pos_status pos_field_write(const pos_form *form, unsigned field, const uint8_t *value,
                           size_t size, pos_writer *writer, pos_fault *fault_out);
/* MTI and bitmap. */
void pos_head_write(const pos_spec *spec, uint16_t mti, const uint64_t bitmap[2],
                    pos_writer *writer);
/* The MAC field of a message with these fields; 0 where the dialect has none. */
unsigned pos_mac_field_of(const pos_spec *spec, const uint64_t bitmap[2]);

/* ---- kept and echoed: redact.c, answer.c --------------------------------------------------------------- */
/* What the journal keeps of one field that the message has. */
void pos_field_redact(const pos_spec *spec, const pos_message *message, unsigned field,
                      pos_selection *selection, pos_writer *writer);
/* Whether the journal may not keep all of the field's bytes in an answer. */
bool pos_answer_is_hole(const pos_spec *spec, unsigned field);

static inline bool pos_bitmap_has(const uint64_t bitmap[2], unsigned field)
{
    return ((bitmap[(field - 1) / 64] >> ((field - 1) % 64)) & 1U) != 0;
}

static inline void pos_bitmap_set(uint64_t bitmap[2], unsigned field)
{
    bitmap[(field - 1) / 64] |= (uint64_t)1 << ((field - 1) % 64);
}

#endif
