/*
 * Frames and messages of one dialect.
 *
 * A dialect is data: `posengine.codec` compiles its TOML into a spec image, and pos_spec_open reads
 * that. Nothing here allocates but open; nothing is copied: a parsed message is offsets into the
 * bytes it was parsed from.
 */
#ifndef POSENGINE_CODEC_H
#define POSENGINE_CODEC_H

#include "posengine/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define POS_FIELD_MAX 128

typedef struct pos_spec pos_spec;

/* Copies and checks the image. Fails: IMAGE_FORM, IMAGE_LIMIT, MEMORY. */
POS_API pos_status pos_spec_open(const uint8_t *image, size_t size, pos_spec **spec_out);
POS_API void pos_spec_close(pos_spec *spec);
POS_API const char *pos_spec_name(const pos_spec *spec);
POS_API const char *pos_spec_title(const pos_spec *spec, bool is_chinese);
/* Of the rules, by its maker: the same digest, the same dialect. */
POS_API void pos_spec_digest(const pos_spec *spec, uint8_t digest_out[16]);

/* ---- frames ------------------------------------------------------------------------------------ */
/* How a dialect frames its messages; a spec has one. */
typedef enum pos_length_style {
    POS_LENGTH_NONE, /* the input is the frame */
    POS_LENGTH_U8,
    POS_LENGTH_U16_BE,
    POS_LENGTH_U16_LE,
    POS_LENGTH_U32_BE,
    POS_LENGTH_BCD_2,  /* four digits in two bytes */
    POS_LENGTH_ASCII_4, /* four digits in four bytes */
    POS_LENGTH_STYLE_COUNT
} pos_length_style;

typedef enum pos_header_kind {
    POS_HEADER_NONE,
    POS_HEADER_UNIONPAY, /* six bytes of digits; the low nibble of byte 3 is the requirement */
    POS_HEADER_OPAQUE,   /* returned as it came */
    POS_HEADER_KIND_COUNT
} pos_header_kind;

#define POS_TPDU_SIZE 5
#define POS_FRAME_HEADER_SIZE_MAX 48

typedef struct pos_frame_shape {
    uint8_t length_style; /* pos_length_style */
    bool counts_all;      /* the length counts its own bytes too */
    bool has_tpdu;
    uint8_t tpdu_id;
    uint8_t header_kind; /* pos_header_kind */
    uint8_t header_size;
    uint8_t tpdu_default[POS_TPDU_SIZE]; /* what a terminal sends */
    uint8_t header_default[POS_FRAME_HEADER_SIZE_MAX];
    uint32_t size_max;      /* of what follows the length: TPDU, header, body */
    uint32_t body_size_min; /* MTI and bitmap */
} pos_frame_shape;

POS_API const pos_frame_shape *pos_spec_frame_shape(const pos_spec *spec);

typedef struct pos_frame {
    const uint8_t *tpdu;   /* 5 bytes, NULL where the dialect has none */
    const uint8_t *header; /* the dialect header, NULL where it has none */
    const uint8_t *body;   /* the message: MTI, bitmap, fields */
    uint32_t header_size;
    uint32_t body_size;
    uint32_t size; /* bytes of input that the frame took, its length header included */
} pos_frame;

/*
 * The frame at the front of `input`. Fails: NEED_MORE; FRAME_*: the connection can only be closed.
 * The length is judged before the bytes are waited for.
 */
POS_API pos_status pos_frame_next(const pos_spec *spec, const uint8_t *input, size_t size,
                                  pos_frame *frame_out);
/* The most bytes that pos_frame_wrap puts before a body. */
#define POS_FRAME_OVERHEAD_MAX 64
/*
 * Writes what goes before a reply's body of `body_size` bytes into `overhead_out`: length, TPDU
 * with its addresses swapped, header with the processing requirement nibble set. `request` NULL:
 * as a terminal begins, with the dialect's own TPDU and header. Fails: FRAME_OVERSIZE.
 */
POS_API pos_status pos_frame_wrap(const pos_spec *spec, const pos_frame *request,
                                  uint8_t requirement, size_t body_size,
                                  uint8_t overhead_out[POS_FRAME_OVERHEAD_MAX], size_t *size_out);

/* ---- messages ----------------------------------------------------------------------------------- */
/* A frame is below 64 KiB in every dialect, so 16 bits hold any place in it; six bytes a field keep
 * a message within 13 lines of cache, seven where no field is above 64. */
typedef struct pos_field {
    uint16_t offset; /* of the value, from the start of the body, its length prefix excluded */
    uint16_t size;   /* bytes of the value on the wire */
    uint16_t units;  /* digits or characters or bytes, as the dialect counts them */
} pos_field;

typedef struct pos_message {
    const uint8_t *body;
    uint32_t body_size;
    uint16_t mti;          /* BCD: 0x0200 */
    uint64_t bitmap[2];    /* field n is bit (n-1)%64 of word (n-1)/64, lowest bit first */
    pos_field fields[POS_FIELD_MAX + 1]; /* only those in the bitmap are meaningful */
} pos_message;

static inline bool pos_message_has(const pos_message *message, unsigned field)
{
    return field >= 1 && field <= POS_FIELD_MAX
           && ((message->bitmap[(field - 1) / 64] >> ((field - 1) % 64)) & 1U) != 0;
}

/* What is wrong, where: one fault says all that `explain` and a log line need. */
typedef struct pos_fault {
    pos_status status;
    uint16_t field;  /* 0: the MTI or the bitmap */
    uint16_t part;   /* from 1 within the field's layout; 0: the field itself */
    uint32_t offset; /* from the start of the body */
    uint32_t wanted; /* bytes; 0 where it does not apply */
    uint32_t left;   /* bytes */
    const char *rule; /* static or of the spec: "n..19 LL bcd", "mandatory in sale" */
} pos_fault;

/*
 * Parses a body: MTI, bitmap, every field's form, and the form of strict nested layouts.
 * `fault_out` may be NULL. Fails: FIELD_*; message_out then holds what came before the fault
 * (fields below fault_out->field), so that a refusal can still name its STAN and terminal.
 */
POS_API pos_status pos_message_parse(const pos_spec *spec, const uint8_t *body, size_t size,
                                     pos_message *message_out, pos_fault *fault_out);


/* ---- what a dialect says of a field ------------------------------------------------------------- */
/* Numbers stand in spec images: they only grow at the end. */
typedef enum pos_content {
    POS_CONTENT_NONE,
    POS_CONTENT_N,   /* digits */
    POS_CONTENT_A,   /* letters and blanks */
    POS_CONTENT_AN,  /* letters, digits and blanks */
    POS_CONTENT_ANS, /* printable characters; in GB18030 also bytes 80 to FE */
    POS_CONTENT_Z,   /* track: digits, D or =; in BCD any nibble, as encipherment leaves them */
    POS_CONTENT_B,   /* bytes */
    POS_CONTENT_XN,  /* C or D, then digits */
    POS_CONTENT_COUNT
} pos_content;

typedef enum pos_secrecy {
    POS_SECRECY_OPEN,
    POS_SECRECY_PAN,    /* shown as first six and last four, kept as a token */
    POS_SECRECY_SECRET, /* never shown, never kept */
    POS_SECRECY_COUNT
} pos_secrecy;

typedef struct pos_field_facts {
    uint8_t number;
    uint8_t content; /* pos_content */
    uint8_t secrecy; /* pos_secrecy */
    bool has_layout;
    uint16_t size_min; /* units */
    uint16_t size_max;
    const char *name; /* UTF-8, of the spec */
    const char *name_zh;
    const char *rule; /* "n..19 LL bcd" */
} pos_field_facts;

/* False where the dialect does not define the field. */
POS_API bool pos_spec_field(const pos_spec *spec, unsigned field, pos_field_facts *facts_out);

/*
 * A field's value in its plain dress, as pos_message_build takes it: digits for n, z and xn (the
 * separator of a BCD track is D), characters for a, an and ans, bytes for b; EBCDIC and hex undone.
 * `text_out` has room for `POS_VALUE_SIZE_MAX` bytes, which every value fits.
 */
#define POS_VALUE_SIZE_MAX 9999
POS_API size_t pos_message_value(const pos_spec *spec, const pos_message *message, unsigned field,
                                 uint8_t text_out[POS_VALUE_SIZE_MAX]);

/* ---- nested layouts -------------------------------------------------------------------------------- */
#define POS_PART_MAX 512 /* parts of one field: 999 bytes hold no more BER-TLV elements */

typedef struct pos_part {
    uint32_t offset; /* of its first byte, from the start of the body */
    uint32_t size;   /* bytes that hold it */
    uint32_t units;
    uint16_t number;  /* of its definition in the layout, from 1; 0: a tag without a definition,
                         or the count of a repeated group */
    uint16_t group;   /* record of a repeated group, from 1; 0: outside of one */
    uint8_t nibble;   /* 1: begins at the low nibble of its first byte */
    uint8_t content;  /* pos_content */
    uint8_t encoding; /* of the spec image */
    uint8_t secrecy;  /* pos_secrecy */
    uint8_t depth;    /* nested templates of BER-TLV */
    bool is_kept;
    bool is_constructed; /* a BER template: its parts follow */
    char tag[9];         /* "9F26", "A3"; empty where the layout is positional */
    const char *name;    /* of the spec; NULL where undefined */
    const char *name_zh;
} pos_part;

/*
 * The parts of a field in order. None, and OK, where it has no layout, or where its layout is not
 * strict and the value does not fit it. `parts_out` has room for POS_PART_MAX.
 */
POS_API pos_status pos_message_parts(const pos_spec *spec, const pos_message *message,
                                     unsigned field, pos_part *parts_out, size_t *count_out);
/* As pos_message_value, of one part; its size. */
POS_API size_t pos_part_value(const pos_message *message, const pos_part *part,
                              uint8_t text_out[POS_VALUE_SIZE_MAX]);

/* ---- building ----------------------------------------------------------------------------------------- */
/* A field's value in its plain dress (see pos_message_value). */
typedef struct pos_value {
    uint8_t field;
    const uint8_t *value;
    uint32_t size;
} pos_value;

/*
 * Builds a body. `values` ascend by field, none twice. What is shorter than a fixed field is filled:
 * digits (n) at their left with 0, text as the dialect says; tracks and bytes are not. What was
 * built is parsed before it is given back, so a strict layout holds. Fails: FIELD_UNKNOWN, FIELD_VALUE, FIELD_LENGTH, FIELD_MTI; ARGUMENT where `capacity` is
 * too small or the order wrong. `fault_out` may be NULL.
 */
POS_API pos_status pos_message_build(const pos_spec *spec, uint16_t mti, const pos_value *values,
                                     size_t value_count, uint8_t *body_out, size_t capacity,
                                     size_t *size_out, pos_fault *fault_out);

/* ---- rules and MAC coverage --------------------------------------------------------------------------- */
typedef struct pos_kind_facts {
    uint8_t kind;     /* pos_kind */
    bool is_answer;   /* the message is the answer of that kind */
    uint16_t answer_mti; /* 0: not answered */
    const char *name; /* of the rule: "sale" */
    const char *name_zh;
} pos_kind_facts;
/* What a message is: by the first rule that fits it, or whose answer it fits. FIELD_RULE. */
POS_API pos_status pos_message_kind(const pos_spec *spec, const pos_message *message,
                                    pos_kind_facts *facts_out);
/* The presence of fields, as the rule of a request says.
 * Fails: FIELD_RULE, FIELD_MISSING, FIELD_FORBIDDEN. */
POS_API pos_status pos_message_check(const pos_spec *spec, const pos_message *message,
                                     pos_fault *fault_out);

typedef struct pos_mac_cover {
    const uint8_t *data; /* MTI .. the field before the MAC, as on the wire */
    uint32_t size;
    uint8_t algorithm;  /* pos_mac_algorithm: the dialect's; a terminal may have another */
    uint8_t output;     /* 0 raw, 1 hex characters */
    const uint8_t *mac; /* the field's bytes; NULL where absent: all of the body is covered then */
    uint32_t mac_size;
} pos_mac_cover;
POS_API void pos_message_mac_cover(const pos_spec *spec, const pos_message *message,
                                   pos_mac_cover *cover_out);

/* ---- many at once --------------------------------------------------------------------------------------- */
/*
 * Columns of `count` messages, each array the caller's and `count` long. NULL: not wanted. Numbers
 * are 0 and text is blank where a message has none; a row that fails keeps what came before its
 * fault. `offsets` and `sizes` are rows of `field_max + 1`, from the start of the message's body.
 */
typedef struct pos_columns {
    uint16_t *mti;
    uint64_t *bitmap; /* two words a message */
    uint64_t *stan; /* six digits; twelve in ISO 8583:2003 */
    int64_t *amount_minor;
    uint32_t *processing;
    char *tid; /* 8 bytes a message */
    char *mid; /* 15 */
    char *rrn; /* 12 */
    char *response; /* 2 */
    uint16_t *field_offset;
    uint16_t *field_size;
    uint8_t *status;
    uint16_t *fault_field;
    uint16_t *fault_part;
    uint32_t *fault_offset;
} pos_columns;
POS_API unsigned pos_spec_field_max(const pos_spec *spec); /* 64 or 128 */
/* Message i is buffer[offsets[i] .. offsets[i + 1]). ARGUMENT where offsets do not ascend within
 * `size`; nothing was written then. `good_out`: rows without a fault. */
POS_API pos_status pos_message_parse_many(const pos_spec *spec, const uint8_t *buffer, size_t size,
                                          const uint64_t *offsets, size_t count,
                                          const pos_columns *columns, size_t *good_out);

#ifdef __cplusplus
}
#endif
#endif
