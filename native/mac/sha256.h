/* SHA-256's compression, by each way. */
#ifndef POS_MAC_SHA256_H
#define POS_MAC_SHA256_H

#include <stddef.h>
#include <stdint.h>

/* FIPS 180-4, 4.2.2. */
extern const uint32_t pos_sha256_constants[64];
void pos_sha256_blocks_portable(uint32_t words[8], const uint8_t *blocks, size_t block_count);
void pos_sha256_blocks_shani(uint32_t words[8], const uint8_t *blocks, size_t block_count);
/* As many blocks of two messages, side by side. */
void pos_sha256_pair_shani(uint32_t left[8], uint32_t right[8], const uint8_t *left_blocks,
                           const uint8_t *right_blocks, size_t block_count);
/* The state before the first block, and a digest out of the one after the last. */
void pos_sha256_begin_words(uint32_t words_out[8]);
void pos_sha256_put_words(const uint32_t words[8], uint8_t digest_out[32]);

#endif
