/*
 * Keys in memory: slots with their check values, wrapping, parity and the weak keys of DES.
 */
#include <assert.h>

#include "mac/block.h"

pos_status pos_key_check_value(pos_cipher cipher, const uint8_t *key, size_t key_size,
                               uint8_t kcv_out[POS_KCV_SIZE])
{
    assert(key != NULL);
    static const uint8_t ZEROS[16] = {0};
    uint8_t block[16];
    const size_t block_size = cipher == POS_CIPHER_DES ? 8 : 16;
    const pos_status status = pos_cipher_encrypt(cipher, key, key_size, ZEROS, block_size, block);
    if (status == POS_OK) pos_copy(kcv_out, block, POS_KCV_SIZE);
    return status;
}

void pos_key_set_odd_parity(uint8_t *key, size_t size)
{
    for (size_t byte = 0; byte < size; byte++) {
        const unsigned high = key[byte] & 0xfeU;
        unsigned ones = high ^ (high >> 4);
        ones ^= ones >> 2;
        ones ^= ones >> 1;
        key[byte] = (uint8_t)(high | (~ones & 1U));
    }
}

/*
 * The four weak and twelve semi-weak keys. Parity apart, each is two bytes twice, then two bytes
 * twice: pqpqrsrs. Source: NIST SP 800-67, 3.3.2.
 */
static bool is_weak_half(const uint8_t key[8])
{
    static const uint8_t WEAK[16][2][2] = {
        /* {{p, q}, {r, s}} */
        {{0x00, 0x00}, {0x00, 0x00}}, {{0xfe, 0xfe}, {0xfe, 0xfe}},
        {{0xe0, 0xe0}, {0xf0, 0xf0}}, {{0x1e, 0x1e}, {0x0e, 0x0e}},
        {{0x00, 0xfe}, {0x00, 0xfe}}, {{0xfe, 0x00}, {0xfe, 0x00}},
        {{0x1e, 0xe0}, {0x0e, 0xf0}}, {{0xe0, 0x1e}, {0xf0, 0x0e}},
        {{0x00, 0xe0}, {0x00, 0xf0}}, {{0xe0, 0x00}, {0xf0, 0x00}},
        {{0x1e, 0xfe}, {0x0e, 0xfe}}, {{0xfe, 0x1e}, {0xfe, 0x0e}},
        {{0x00, 0x1e}, {0x00, 0x0e}}, {{0x1e, 0x00}, {0x0e, 0x00}},
        {{0xe0, 0xfe}, {0xf0, 0xfe}}, {{0xfe, 0xe0}, {0xfe, 0xf0}},
    };
    bool is_weak = false;
    for (size_t index = 0; index < 16; index++) {
        unsigned difference = 0;
        for (size_t byte = 0; byte < 8; byte++) {
            difference |= (key[byte] & 0xfeU) ^ WEAK[index][byte / 4][byte % 2];
        }
        is_weak |= difference == 0;
    }
    return is_weak;
}

bool pos_key_is_weak(const uint8_t *key, size_t size)
{
    assert(key != NULL);
    bool is_weak = false;
    for (size_t half = 0; half + 8 <= size; half += 8) is_weak |= is_weak_half(key + half);
    return is_weak;
}

pos_status pos_key_make(pos_key_usage usage, pos_cipher cipher, const uint8_t *bytes, size_t size,
                        const uint8_t *kcv, size_t kcv_size, pos_key *key_out)
{
    assert(bytes != NULL && key_out != NULL);
    assert(kcv != NULL || kcv_size == 0);
    if (usage == POS_KEY_NONE || usage >= POS_KEY_USAGE_COUNT) return POS_ARGUMENT;
    if (kcv_size > POS_KCV_SIZE) return POS_ARGUMENT;
    uint8_t computed[POS_KCV_SIZE];
    const pos_status status = pos_key_check_value(cipher, bytes, size, computed);
    if (status != POS_OK) return status;
    if (cipher == POS_CIPHER_DES && pos_key_is_weak(bytes, size)) return POS_KEY_WEAK;
    if (!pos_equal_constant_time(computed, kcv, kcv_size)) return POS_KEY_CHECK;

    assert(size <= POS_KEY_SIZE_MAX);
    pos_zero(key_out, sizeof *key_out);
    key_out->usage = (uint8_t)usage;
    key_out->cipher = (uint8_t)cipher;
    key_out->size = (uint8_t)size;
    pos_copy(key_out->kcv, computed, sizeof computed);
    pos_copy(key_out->bytes, bytes, size);
    return POS_OK;
}

void pos_key_wipe(pos_key *key)
{
    pos_wipe(key, sizeof *key);
}

void pos_working_keys_wipe(pos_working_keys *keys)
{
    pos_wipe(keys, sizeof *keys);
}

pos_status pos_key_wrap(const pos_key *tmk, const uint8_t *clear, size_t size,
                        uint8_t *wrapped_out)
{
    assert(tmk != NULL);
    assert(tmk->usage == POS_KEY_TMK);
    return pos_cipher_encrypt((pos_cipher)tmk->cipher, tmk->bytes, tmk->size, clear, size,
                              wrapped_out);
}

pos_status pos_key_unwrap(const pos_key *tmk, const uint8_t *wrapped, size_t size,
                          uint8_t *clear_out)
{
    assert(tmk != NULL);
    assert(tmk->usage == POS_KEY_TMK);
    return pos_cipher_decrypt((pos_cipher)tmk->cipher, tmk->bytes, tmk->size, wrapped, size,
                              clear_out);
}
