/* The two ways of SHA-256's compression, for tests that force one. */
#ifndef POS_MAC_SHA256_H
#define POS_MAC_SHA256_H

#include <stddef.h>
#include <stdint.h>

/* FIPS 180-4, 4.2.2. */
extern const uint32_t pos_sha256_constants[64];
void pos_sha256_blocks_portable(uint32_t words[8], const uint8_t *blocks, size_t block_count);
void pos_sha256_blocks_shani(uint32_t words[8], const uint8_t *blocks, size_t block_count);

#endif
