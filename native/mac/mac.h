/*
 * The room of keys and MACs: DES, AES, SM4 and SHA-256 of our own, constant time; the MACs made of
 * them; key slots, key blocks, and the sealed forms in which keys rest.
 */
#ifndef POS_MAC_ROOM_H
#define POS_MAC_ROOM_H

#include "bytes/bytes.h"
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
/* `key_size` is 1 to 64. */
void pos_hmac_sha256(const uint8_t *key, size_t key_size, const void *data, size_t size,
                     uint8_t mac_out[32]);

/* ---- AES and CMAC (FIPS 197, RFC 4493) ----------------------------------------------------------- */
typedef enum pos_aes_path { POS_AES_PORTABLE, POS_AES_AESNI } pos_aes_path;

/* A key schedule for encryption, and the way it was prepared for. A secret: wipe it. */
typedef struct pos_aes_key {
    uint8_t round_keys[15][16];
    uint8_t rounds;
    uint8_t path; /* pos_aes_path */
} pos_aes_key;

/* `key_size` is 16, 24 or 32. */
void pos_aes_prepare(const uint8_t *key, size_t key_size, pos_aes_key *key_out);
void pos_aes_encrypt(const pos_aes_key *key, const uint8_t block[16], uint8_t out[16]);

/* A prepared CMAC key: compute as many MACs with it as you like, from any thread. Wipe it. */
typedef struct pos_cmac_key {
    pos_aes_key aes;
    uint8_t whole[16];  /* K1: the last block is whole */
    uint8_t short_[16]; /* K2: the last block was padded */
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

#endif
