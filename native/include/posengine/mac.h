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
    POS_MAC_HMAC_SHA256,  /* RFC 2104, FIPS 180-4; any key of 1 to 64 bytes */
    POS_MAC_SM4_UNIONPAY, /* as UNIONPAY_ECB with SM4 and 16-byte blocks */
    POS_MAC_SM4_CBC,      /* SM4-CBC, zero pad, last block; GB/T 32907 */
    POS_MAC_ALGORITHM_COUNT
} pos_mac_algorithm;

#define POS_MAC_SIZE_MAX 32

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

/*
 * Fills `out` with a key of its own for `label`, derived from the master key: NIST SP 800-108 in
 * counter mode with AES-256-CMAC. `size` is 1 to 1,024. Labels in use: "posengine siv" (64 bytes),
 * "posengine token" (32), "posengine fingerprint" (32).
 */
POS_API void pos_kdf(const uint8_t master[32], const char *label, uint8_t *out, size_t size);

#ifdef __cplusplus
}
#endif
#endif
