/* AES-128, -192 and -256. CMAC, SIV and key derivation need encryption alone. */
#ifndef POS_MAC_AES_H
#define POS_MAC_AES_H

#include "mac/mac.h"
#include "measure/measure.h"

/* By the path that is named, which the machine must have; pos_aes_prepare takes the process's. */
void pos_aes_prepare_on(pos_cpu_path path, const uint8_t *key, size_t key_size,
                        pos_aes_key *key_out);
void pos_aes_encrypt_portable(const pos_aes_key *key, const uint8_t block[16], uint8_t out[16]);
void pos_aes_encrypt_aesni(const pos_aes_key *key, const uint8_t block[16], uint8_t out[16]);
/* Whole blocks, each on its own; `out` may be `blocks`. */
void pos_aes_blocks_aesni(const pos_aes_key *key, const uint8_t *blocks, size_t count,
                          uint8_t *out);
void pos_aes_blocks_avx512(const pos_aes_key *key, const uint8_t *blocks, size_t count,
                           uint8_t *out);
/* SubWord of the key schedule. */
uint32_t pos_aes_substitute_word_aesni(uint32_t word);
void pos_cmac_prepare_on(pos_cpu_path path, const uint8_t *key, size_t key_size,
                         pos_cmac_key *key_out);
/* Doubling in GF(2^128), as CMAC and SIV use it. */
void pos_block_double(uint8_t block[16]);
/* CMAC's chain over whole blocks: chain = E(chain ⊕ block), for each. */
void pos_aes_chain_aesni(const pos_aes_key *key, uint8_t chain[16], const uint8_t *blocks,
                         size_t block_count);

#endif
