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
POS_API void pos_spec_digest(const pos_spec *spec, uint8_t digest_out[16]);

/* ---- frames ------------------------------------------------------------------------------------ */
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
 * as a terminal begins, with the dialect's own TPDU and header.
 */
POS_API pos_status pos_frame_wrap(const pos_spec *spec, const pos_frame *request,
                                  uint8_t requirement, size_t body_size,
                                  uint8_t overhead_out[POS_FRAME_OVERHEAD_MAX], size_t *size_out);

/* ---- messages ----------------------------------------------------------------------------------- */
typedef struct pos_field {
    uint32_t offset; /* of the value, from the start of the body, its length prefix excluded */
    uint32_t size;   /* bytes of the value on the wire */
    uint32_t units;  /* digits or characters or bytes, as the dialect counts them */
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

#ifdef __cplusplus
}
#endif
#endif
