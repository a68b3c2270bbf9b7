/*
 * Whom we know: terminals, their merchants, and their master keys, as one versioned, checked
 * snapshot that Python compiles (`posengine.roster`) and the engine loads whole or not at all.
 */
#ifndef POS_ROSTER_H
#define POS_ROSTER_H

#include "mac/mac.h"
#include "posengine/journal.h" /* pos_kind: vocabulary only */

/* ---- images: rosters and policies open alike (roster/image.c has the layout) ----------------- */
typedef struct pos_image_form {
    char magic[9]; /* eight, NUL-terminated */
    uint16_t version;
    uint32_t record_size;
    uint32_t settings_size;
    uint32_t count_max;
} pos_image_form;

typedef struct pos_image {
    pos_slice settings;
    const uint8_t *records;
    uint32_t record_size;
    uint32_t count;
    uint8_t digest[16];
} pos_image;

/* Borrows from `image`. Fails: IMAGE_FORM, IMAGE_LIMIT. */
pos_status pos_image_open(const uint8_t *image, size_t size, const pos_image_form *form,
                          pos_image *image_out);

/* ---- terminals ------------------------------------------------------------------------------- */
typedef struct pos_roster pos_roster;

#define POS_TERMINAL_ACTIVE 0x01U
#define POS_TERMINAL_LOCKED 0x02U    /* answers 58 to everything but sign-on, which gets 58 too */
#define POS_TERMINAL_NO_PINPAD 0x04U /* a PIN block from it is refused */
#define POS_TERMINAL_TEST 0x08U      /* test cards only */

/* What every message reads lies in the first cache line. */
typedef struct pos_terminal {
    _Alignas(64) char tid[8];
    char mid[15];
    uint8_t flags;
    uint8_t mac_algorithm;  /* 0: the dialect's */
    uint16_t currency;      /* ISO 4217 numeric */
    uint16_t line_nii;      /* TPDU origin that this terminal must come from; 0: any */
    uint64_t kind_mask;     /* bit pos_kind: allowed */
    int64_t amount_minor_max; /* 0: the policy's */
    char merchant_name[40]; /* UTF-8, zero padded */
    uint32_t merchant;      /* index of the merchant in the snapshot */
    pos_key tmk;            /* opened from its sealed form at load */
} pos_terminal;

/*
 * Loads a snapshot image. The TMKs in it are sealed under `siv_key` (64 bytes, AES-256-SIV, the
 * TID and MID as associated data). Fails: IMAGE_FORM, IMAGE_LIMIT, KEY_SEAL, KEY_SIZE, KEY_CHECK,
 * MEMORY.
 */
pos_status pos_roster_open(const uint8_t *image, size_t size, const uint8_t siv_key[64],
                           pos_roster **roster_out);
void pos_roster_close(pos_roster *roster); /* wipes the keys */
size_t pos_roster_count(const pos_roster *roster);
const pos_terminal *pos_roster_at(const pos_roster *roster, size_t index);
/* NULL where there is no such TID. */
const pos_terminal *pos_roster_find(const pos_roster *roster, const char tid[8]);
/*
 * Asks memory for what pos_roster_find will need, so that it waits for none of it: the cell, and some
 * messages later the record, which the cell names. Left out, they cost time alone.
 */
void pos_roster_ahead(const pos_roster *roster, const char tid[8]);
void pos_roster_ahead_record(const pos_roster *roster, const char tid[8]);
void pos_roster_digest(const pos_roster *roster, uint8_t digest_out[16]);

#endif
