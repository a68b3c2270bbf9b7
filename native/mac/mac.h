/*
 * The room of keys and MACs: DES, AES, SM4 and SHA-256 of our own, constant time; the MACs made of
 * them; key slots, key blocks, and the sealed forms in which keys rest.
 */
#ifndef POS_MAC_ROOM_H
#define POS_MAC_ROOM_H

#include "bytes/bytes.h"
#include "posengine/mac.h"

#define POS_KEY_SIZE_MAX 32
#define POS_KCV_SIZE 4

typedef enum pos_key_usage {
    POS_KEY_NONE,
    POS_KEY_TMK, /* wraps working keys */
    POS_KEY_PIK, /* PIN blocks */
    POS_KEY_MAK, /* MACs */
    POS_KEY_TDK  /* track data */
} pos_key_usage;

typedef enum pos_cipher { POS_CIPHER_DES, POS_CIPHER_AES, POS_CIPHER_SM4 } pos_cipher;

/* A key in memory. Absent where size is 0. Wiped by pos_key_wipe; never printed. */
typedef struct pos_key {
    uint8_t usage;  /* pos_key_usage */
    uint8_t cipher; /* pos_cipher */
    uint8_t size;
    uint8_t kcv[POS_KCV_SIZE];
    uint8_t bytes[POS_KEY_SIZE_MAX];
} pos_key;

void pos_key_wipe(pos_key *key);

/* ---- one door for a whole wave ------------------------------------------------------------------ */
typedef struct pos_mac_job {
    const pos_key *key;
    const uint8_t *covered;
    uint32_t covered_size;
    uint8_t algorithm; /* pos_mac_algorithm */
    uint8_t mac[POS_MAC_SIZE_MAX]; /* out: the raw result */
} pos_mac_job;

/* Computes every job. Keys must fit their algorithms (judged when they were loaded). */
void pos_mac_wave(pos_mac_job *jobs, size_t count);

/* How a raw result becomes a field: RAW, the first `size` bytes; HEX, the first `size` upper-case
 * hex characters. */
typedef enum pos_mac_output { POS_MAC_OUTPUT_RAW, POS_MAC_OUTPUT_HEX } pos_mac_output;
void pos_mac_field(const uint8_t *mac, pos_mac_output output, uint8_t *field_out, size_t size);

#endif
