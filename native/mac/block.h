/* The block ciphers of the room, inside of the room: DES, 3DES and SM4, and one door for all. */
#ifndef POS_MAC_BLOCK_H
#define POS_MAC_BLOCK_H

#include "mac/mac.h"
#include "measure/measure.h"

/* ---- DES: 48 key bits a round, spread as the round function wants them ---------------------------- */
typedef struct pos_des_stage {
    uint32_t bits[16][6];
} pos_des_stage;

typedef struct pos_des_key {
    pos_des_stage stages[3]; /* encrypt, decrypt, encrypt */
    uint8_t stage_count;     /* 1: DES, 3: 3DES */
} pos_des_key;

/* `key_size` is 8 (DES), 16 or 24 (3DES). Parity bits are not looked at. */
void pos_des_prepare(const uint8_t *key, size_t key_size, pos_des_key *key_out);
void pos_des_encrypt(const pos_des_key *key, const uint8_t block[8], uint8_t out[8]);
void pos_des_decrypt(const pos_des_key *key, const uint8_t block[8], uint8_t out[8]);

/* ---- SM4 ----------------------------------------------------------------------------------------- */
typedef struct pos_sm4_key {
    uint32_t rounds[32];
    uint8_t path; /* pos_cpu_path: what computes with this key */
} pos_sm4_key;

void pos_sm4_prepare(const uint8_t key[16], pos_sm4_key *key_out);
void pos_sm4_prepare_on(pos_cpu_path path, const uint8_t key[16], pos_sm4_key *key_out);
void pos_sm4_encrypt(const pos_sm4_key *key, const uint8_t block[16], uint8_t out[16]);
void pos_sm4_decrypt(const pos_sm4_key *key, const uint8_t block[16], uint8_t out[16]);
/* The 32 rounds and the 32 steps of the schedule, by the AES instructions (sm4_aesni.c). */
void pos_sm4_rounds_aesni(const uint32_t keys[32], uint32_t words[4]);
void pos_sm4_schedule_aesni(uint32_t words[4], uint32_t keys_out[32]);

/* ---- any of them --------------------------------------------------------------------------------- */
typedef struct pos_block_key {
    union {
        pos_des_key des;
        pos_aes_key aes;
        pos_sm4_key sm4;
    } as;
    uint8_t cipher;     /* pos_cipher */
    uint8_t block_size; /* 8 or 16 */
} pos_block_key;

bool pos_block_fits(pos_cipher cipher, size_t key_size);
void pos_block_prepare(pos_cipher cipher, const uint8_t *key, size_t key_size,
                       pos_block_key *key_out);
void pos_block_encrypt(const pos_block_key *key, const uint8_t *block, uint8_t *out);
void pos_block_decrypt(const pos_block_key *key, const uint8_t *block, uint8_t *out); /* not AES */

#endif
