/*
 * Substitution without look-ups: bytes are turned into eight bit planes, a boolean circuit works on
 * the planes, and the planes are turned back. No address and no branch depends on a secret.
 */
#ifndef POS_MAC_SBOX_H
#define POS_MAC_SBOX_H

#include <stddef.h>
#include <stdint.h>

/* Each of the 16 bytes becomes its AES S-box value (FIPS 197, 5.1.1). */
void pos_sbox_aes(uint8_t bytes[16]);
/* Each of the 4 bytes of `word` becomes its SM4 S-box value (GB/T 32907, 6.2). */
uint32_t pos_sbox_sm4(uint32_t word);

#endif
