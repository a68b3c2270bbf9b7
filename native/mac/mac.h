/*
 * The room of keys and MACs: DES, AES, SM4 and SHA-256 of our own, constant time; the MACs made of
 * them; key slots, key blocks, and the sealed forms in which keys rest.
 */
#ifndef POS_MAC_ROOM_H
#define POS_MAC_ROOM_H

#include "bytes/bytes.h"
#include "measure/measure.h"
#include "posengine/mac.h"

/* ---- SHA-256 and HMAC (FIPS 180-4, RFC 2104) ---------------------------------------------------- */
typedef struct pos_sha256_state {
    uint32_t words[8];
    uint64_t size; /* bytes added so far */
    uint8_t block[64];
} pos_sha256_state;

void pos_sha256_begin(pos_sha256_state *state);
void pos_sha256_add(pos_sha256_state *state, const void *data, size_t size);
void pos_sha256_end(pos_sha256_state *state, uint8_t digest_out[32]); /* wipes the state */
void pos_sha256(const void *data, size_t size, uint8_t digest_out[32]);
/* Of two texts, side by side as far as the shorter one goes: there as quick as one alone. */
void pos_sha256_pair(const void *left, size_t left_size, const void *right, size_t right_size,
                     uint8_t left_out[32], uint8_t right_out[32]);
/* `key_size` is at least 1; a key over 64 bytes is its digest. */
void pos_hmac_sha256(const uint8_t *key, size_t key_size, const void *data, size_t size,
                     uint8_t mac_out[32]);

/* ---- AES and CMAC (FIPS 197, RFC 4493) ----------------------------------------------------------- */
/* A key schedule for encryption, and the path it was prepared for. A secret: wipe it. */
typedef struct pos_aes_key {
    uint8_t round_keys[15][16];
    uint8_t rounds;
    uint8_t path; /* pos_cpu_path: what computes with this key */
} pos_aes_key;

/* `key_size` is 16, 24 or 32. */
void pos_aes_prepare(const uint8_t *key, size_t key_size, pos_aes_key *key_out);
void pos_aes_encrypt(const pos_aes_key *key, const uint8_t block[16], uint8_t out[16]);
/* Many blocks, each on its own (ECB); `out` may be `blocks`. */
void pos_aes_encrypt_blocks(const pos_aes_key *key, const uint8_t *blocks, size_t count,
                            uint8_t *out);
/* One block back; some microseconds. */
void pos_aes_decrypt(const pos_aes_key *key, const uint8_t block[16], uint8_t out[16]);

/* A prepared CMAC key: compute as many MACs with it as you like, from any thread. Wipe it. */
typedef struct pos_cmac_key {
    pos_aes_key aes;
    uint8_t whole[16];  /* K1: the last block is whole */
    uint8_t padded[16]; /* K2: the last block was padded */
} pos_cmac_key;

void pos_cmac_prepare(const uint8_t *key, size_t key_size, pos_cmac_key *key_out);
void pos_cmac(const pos_cmac_key *key, const void *data, size_t size, uint8_t mac_out[16]);

/* The same in pieces. */
typedef struct pos_cmac_state {
    uint8_t chain[16];
    uint8_t last[16];
    uint8_t held; /* bytes in `last` */
} pos_cmac_state;

void pos_cmac_begin(pos_cmac_state *state);
void pos_cmac_add(pos_cmac_state *state, const pos_cmac_key *key, const void *data, size_t size);
void pos_cmac_end(pos_cmac_state *state, const pos_cmac_key *key, uint8_t mac_out[16]);

/* pos_kdf with a context: one label, a key for each context. */
void pos_kdf_in(const uint8_t master[32], const char *label, pos_slice context, uint8_t *out,
                size_t size);

/* Tokens of account numbers, by the wave: CMAC under the deployment's token key. */
typedef struct pos_token_job {
    const uint8_t *data;
    uint32_t size;
    uint8_t token[16]; /* out */
} pos_token_job;
void pos_token_wave(const pos_cmac_key *key, pos_token_job *jobs, size_t count);

/* ---- sealing (RFC 5297, AES-256-SIV) --------------------------------------------------------------- */
/* Writes 16 + plain.size bytes. The associated data are one part, also where they are empty. */
void pos_siv_seal(const uint8_t key[64], pos_slice associated, pos_slice plain,
                  uint8_t *sealed_out);
/* Writes sealed_size - 16 bytes. Fails: KEY_SEAL, and plain_out is untouched. */
pos_status pos_siv_open(const uint8_t key[64], pos_slice associated, const uint8_t *sealed,
                        size_t sealed_size, uint8_t *plain_out);
/* The whole of RFC 5297: a key of 32, 48 or 64 bytes, any number of parts. */
void pos_siv_seal_parts(const uint8_t *key, size_t key_size, const pos_slice *parts,
                        size_t part_count, pos_slice plain, uint8_t *sealed_out);
pos_status pos_siv_open_parts(const uint8_t *key, size_t key_size, const pos_slice *parts,
                              size_t part_count, const uint8_t *sealed, size_t sealed_size,
                              uint8_t *plain_out);

/* ---- one door for a whole wave ------------------------------------------------------------------ */
typedef struct pos_mac_job {
    const pos_key *key;
    const uint8_t *covered;
    uint32_t covered_size;
    uint8_t algorithm; /* pos_mac_algorithm */
    uint8_t mac[POS_MAC_SIZE_MAX]; /* out: the raw result */
} pos_mac_job;

/* Computes every job. Keys must be MAKs that fit their algorithms (judged when they were loaded:
 * pos_mac_key_fits). */
void pos_mac_wave(pos_mac_job *jobs, size_t count);
/* A wave of so many jobs reaches less far down the stack than one of more. */
#define POS_MAC_SOME_MAX 64
/* The same by one of the processor's ways. */
void pos_mac_wave_on(pos_cpu_path path, pos_mac_job *jobs, size_t count);

/* ---- the key store: working keys over a restart (keystore.c draws the file) ------------------------ */
typedef struct pos_keystore pos_keystore;

typedef struct pos_terminal_keys {
    char tid[8];
    char mid[15];
    uint64_t generation; /* of the stored record; 0 before the first commit */
    pos_key pik;
    pos_key mak;
    pos_key mak_old; /* still right until a message under `mak` has been verified; then absent */
    pos_key tdk;
} pos_terminal_keys;

/*
 * Opens the store, or makes an empty one, and locks it for this process. All memory is taken here,
 * and kept out of core dumps. `siv_key` is copied. `terminals_max` 0 is 65,536.
 * Fails: KEY_SEAL (another master key, or altered), IMAGE_FORM (no key store, or a terminal twice),
 * IMAGE_LIMIT (more terminals than terminals_max), JOURNAL_BUSY, MEMORY, SYSTEM.
 */
pos_status pos_keystore_open(const char *path, const uint8_t siv_key[64], uint32_t terminals_max,
                             pos_keystore **store_out);
/* Wipes all keys. What was put and not committed is gone. NULL is fine. */
void pos_keystore_close(pos_keystore *store);

/* Records in use, and the n-th of them; NULL where that record was never completed. */
size_t pos_keystore_count(const pos_keystore *store);
const pos_terminal_keys *pos_keystore_at(const pos_keystore *store, size_t index);
/* Records whose two slots are both damaged: their terminals must sign on again. */
size_t pos_keystore_damaged(const pos_keystore *store);
/* NULL where the terminal has no keys. Stays at its address until close. */
const pos_terminal_keys *pos_keystore_find(const pos_keystore *store, const char tid[8],
                                           const char mid[15]);
/*
 * New working keys: found at once, durable after the next commit. The MAK so far becomes mak_old,
 * unless an older one still stands there: then no message has proved that the terminal ever got
 * the MAK so far, and the older one stays. Fails: STATE_FULL (terminals_max), SYSTEM (the file
 * cannot grow); nothing has changed then.
 */
pos_status pos_keystore_put(pos_keystore *store, const char tid[8], const char mid[15],
                            const pos_working_keys *keys);
/* A message under the new MAK was right: the old one is wiped, and stored as gone by whatever
 * commit writes next. A crash before that only brings the old one back until the next message. */
void pos_keystore_retire_old_mak(pos_keystore *store, const char tid[8], const char mid[15]);
/*
 * Makes every put durable: the records, then one fdatasync. Commit before the journal page that
 * reports the sign-on. Fails: SYSTEM; what is on disk is then unknown, and every later put and
 * commit fails too: stop the engine.
 */
pos_status pos_keystore_commit(pos_keystore *store);

#endif
