/* MACs, keys, and the enciphered forms in which keys are kept. Constant time throughout. */
#ifndef POSENGINE_MAC_H
#define POSENGINE_MAC_H

#include "posengine/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers stand in spec images: they only grow at the end. */
typedef enum pos_mac_algorithm {
    POS_MAC_NONE,
    POS_MAC_UNIONPAY_ECB, /* XOR fold, hex, DES or 3DES twice; 8- or 16-byte key */
    POS_MAC_X9_9,         /* DES-CBC, zero pad, last block; 16-byte key: 3DES in every step */
    POS_MAC_X9_19,        /* DES-CBC by the left half, then decrypt right, encrypt left */
    POS_MAC_AES_CMAC,     /* RFC 4493, NIST SP 800-38B; 16-, 24- or 32-byte key */
    POS_MAC_HMAC_SHA256,  /* RFC 2104, FIPS 180-4; a key of any size but 0 */
    POS_MAC_SM4_UNIONPAY, /* as UNIONPAY_ECB with SM4 and 16-byte blocks */
    POS_MAC_SM4_CBC,      /* SM4-CBC, zero pad, last block; GB/T 32907 */
    POS_MAC_ALGORITHM_COUNT
} pos_mac_algorithm;

#define POS_MAC_SIZE_MAX 32
#define POS_KEY_SIZE_MAX 32
#define POS_KCV_SIZE 4

/* ---- MACs ---------------------------------------------------------------------------------------- */

/* "unionpay-ecb", "x9.9", ...; POS_MAC_NONE for an unknown name. */
POS_API pos_mac_algorithm pos_mac_algorithm_of(const char *name);
POS_API const char *pos_mac_algorithm_name(pos_mac_algorithm algorithm);

/*
 * The whole raw result (8 bytes for DES, 16 for AES and SM4, 32 for HMAC); for UNIONPAY_ECB and
 * SM4_UNIONPAY the last cipher block, of which the field carries the first 8 hex characters.
 * Fails: MAC_ALGORITHM, KEY_SIZE.
 */
POS_API pos_status pos_mac_compute(pos_mac_algorithm algorithm, const uint8_t *key,
                                   size_t key_size, const uint8_t *covered, size_t covered_size,
                                   uint8_t mac_out[POS_MAC_SIZE_MAX], size_t *mac_size_out);

/* Bytes of the raw result; 0 for NONE and for what is no algorithm. */
POS_API size_t pos_mac_size(pos_mac_algorithm algorithm);
/* A key of this size can serve this algorithm. */
POS_API bool pos_mac_key_fits(pos_mac_algorithm algorithm, size_t key_size);

/* How a raw result becomes a field: RAW, the first `size` bytes; HEX, the first `size` upper-case
 * hex characters. `mac` holds what pos_mac_compute or a wave gave. */
typedef enum pos_mac_output { POS_MAC_OUTPUT_RAW, POS_MAC_OUTPUT_HEX } pos_mac_output;
POS_API void pos_mac_field(const uint8_t *mac, pos_mac_output output, uint8_t *field_out,
                           size_t size);
/* Equal or not, in time that depends on `size` alone. */
POS_API bool pos_mac_equal(const uint8_t *ours, const uint8_t *theirs, size_t size);

/* ---- block ciphers: the pieces that PIN blocks, tracks and key wrapping are made of ---------------- */
/* Numbers stand in key files and rosters: they only grow at the end. */
typedef enum pos_cipher { POS_CIPHER_DES, POS_CIPHER_AES, POS_CIPHER_SM4, POS_CIPHER_COUNT } pos_cipher;

/*
 * Whole blocks, each on its own (ECB). DES: keys of 8, 16 or 24 bytes (3DES), blocks of 8. AES:
 * 16, 24, 32 and 16, enciphering only. SM4: 16 and 16. `out` may be `data`.
 * Fails: KEY_SIZE; ARGUMENT: no such cipher, a part of a block, or AES to be deciphered.
 */
POS_API pos_status pos_cipher_encrypt(pos_cipher cipher, const uint8_t *key, size_t key_size,
                                      const uint8_t *data, size_t size, uint8_t *out);
POS_API pos_status pos_cipher_decrypt(pos_cipher cipher, const uint8_t *key, size_t key_size,
                                      const uint8_t *data, size_t size, uint8_t *out);

/* ---- keys ----------------------------------------------------------------------------------------- */
typedef enum pos_key_usage {
    POS_KEY_NONE,
    POS_KEY_TMK, /* wraps working keys */
    POS_KEY_PIK, /* PIN blocks */
    POS_KEY_MAK, /* MACs */
    POS_KEY_TDK, /* track data */
    POS_KEY_USAGE_COUNT
} pos_key_usage;

/* A key in memory. Absent where size is 0. Wiped by pos_key_wipe; never printed. */
typedef struct pos_key {
    uint8_t usage;  /* pos_key_usage */
    uint8_t cipher; /* pos_cipher */
    uint8_t size;
    uint8_t kcv[POS_KCV_SIZE];
    uint8_t bytes[POS_KEY_SIZE_MAX];
} pos_key;

/*
 * A slot from the clear key. `kcv` of `kcv_size` (0 to 4) bytes is checked where it is given.
 * Fails: KEY_SIZE, KEY_WEAK (DES, any half), KEY_CHECK, ARGUMENT. Parity is not looked at: test
 * keys such as 11..11 have none.
 */
POS_API pos_status pos_key_make(pos_key_usage usage, pos_cipher cipher, const uint8_t *bytes,
                                size_t size, const uint8_t *kcv, size_t kcv_size,
                                pos_key *key_out);
POS_API void pos_key_wipe(pos_key *key);
/* The first 4 bytes of a block of zeros under the key. Fails: KEY_SIZE, ARGUMENT. */
POS_API pos_status pos_key_check_value(pos_cipher cipher, const uint8_t *key, size_t key_size,
                                       uint8_t kcv_out[POS_KCV_SIZE]);
/* Sets the lowest bit of every byte so that each has an odd number of ones. */
POS_API void pos_key_set_odd_parity(uint8_t *key, size_t size);
/* One of the sixteen weak and semi-weak keys, whatever its parity; or any 8 bytes of it are. */
POS_API bool pos_key_is_weak(const uint8_t *key, size_t size);
/* Keys wrapped under a TMK: whole blocks under its cipher. Fails: KEY_SIZE, ARGUMENT. */
POS_API pos_status pos_key_wrap(const pos_key *tmk, const uint8_t *clear, size_t size,
                                uint8_t *wrapped_out);
POS_API pos_status pos_key_unwrap(const pos_key *tmk, const uint8_t *wrapped, size_t size,
                                  uint8_t *clear_out);

/* ---- key blocks: how a sign-on answer carries working keys (field 62) ------------------------------- */
#define POS_KEY_BLOCK_SIZE_MAX 128
#define POS_KEY_BLOCK_PARTS_MAX 3

/* One key in a block. What no part covers is filler: zero where we make it, not looked at where
 * we open it. */
typedef struct pos_key_block_part {
    uint8_t usage;      /* PIK, MAK or TDK */
    uint8_t key_offset;
    uint8_t key_size;
    uint8_t kcv_offset;
    uint8_t kcv_size; /* 0: none; at most 4 */
} pos_key_block_part;

typedef struct pos_key_block_layout {
    uint8_t cipher; /* pos_cipher of the keys */
    uint8_t size;
    uint8_t part_count;
    pos_key_block_part parts[POS_KEY_BLOCK_PARTS_MAX];
} pos_key_block_layout;

typedef struct pos_working_keys {
    pos_key pik;
    pos_key mak;
    pos_key tdk;
} pos_working_keys;

/* The layout of 60.3 = 1, 3, 4 (DES), 5 or 6 (SM4). Fails: KEY_BLOCK for any other. */
POS_API pos_status pos_key_block_layout_of(unsigned code, pos_key_block_layout *layout_out);
/* Every part lies within the block, none overlaps, sizes fit the cipher. Fails: ARGUMENT. */
POS_API pos_status pos_key_block_layout_check(const pos_key_block_layout *layout);
/* Random bytes that making a block takes: all of its keys'. */
POS_API size_t pos_key_block_random_size(const pos_key_block_layout *layout);
/*
 * New keys out of `random`, and their block under the TMK. DES keys get odd parity; a weak one is
 * moved off by F0 in its last byte (RFC 3961, 6.2). `block_out` has room for layout->size bytes.
 * Fails: KEY_ABSENT (no TMK), KEY_SIZE (the TMK's cipher or size does not serve), ARGUMENT (the
 * layout, or too few random bytes).
 */
POS_API pos_status pos_key_block_make(const pos_key_block_layout *layout, const pos_key *tmk,
                                      const uint8_t *random, size_t random_size,
                                      pos_working_keys *keys_out, uint8_t *block_out,
                                      size_t *size_out);
/* Fails: KEY_BLOCK (another size than the layout's: never guessed), KEY_CHECK, KEY_WEAK, and as
 * making does. */
POS_API pos_status pos_key_block_open(const pos_key_block_layout *layout, const pos_key *tmk,
                                      const uint8_t *block, size_t size,
                                      pos_working_keys *keys_out);
POS_API void pos_working_keys_wipe(pos_working_keys *keys);

/* ---- keys derived, secrets sealed ------------------------------------------------------------------ */
/* AES-256-SIV (RFC 5297) under a 64-byte key; the associated data are one part, also where they are
 * empty. Sealing writes 16 + plain_size bytes, opening sealed_size - 16. Fails: KEY_SEAL, and
 * plain_out is untouched. */
POS_API void pos_secret_seal(const uint8_t key[64], const uint8_t *associated,
                             size_t associated_size, const uint8_t *plain, size_t plain_size,
                             uint8_t *sealed_out);
POS_API pos_status pos_secret_open(const uint8_t key[64], const uint8_t *associated,
                                   size_t associated_size, const uint8_t *sealed,
                                   size_t sealed_size, uint8_t *plain_out);
/*
 * Fills `out` with a key of its own for `label`, derived from the master key: NIST SP 800-108 in
 * counter mode with AES-256-CMAC. `size` is 1 to 1,024. Labels in use: "posengine siv" (64 bytes),
 * "posengine token" (32), "posengine fingerprint" (32), "posengine pan" (32).
 */
POS_API void pos_kdf(const uint8_t master[32], const char *label, uint8_t *out, size_t size);

#ifdef __cplusplus
}
#endif
#endif
