/* One door for all block ciphers: by name and key size, a block at a time or whole blocks. */
#include "mac/block.h"

#include <assert.h>

bool pos_block_fits(pos_cipher cipher, size_t key_size)
{
    switch (cipher) {
    case POS_CIPHER_DES: return key_size == 8 || key_size == 16 || key_size == 24;
    case POS_CIPHER_AES: return key_size == 16 || key_size == 24 || key_size == 32;
    case POS_CIPHER_SM4: return key_size == 16;
    case POS_CIPHER_COUNT: break;
    }
    return false;
}

void pos_block_prepare(pos_cipher cipher, const uint8_t *key, size_t key_size,
                       pos_block_key *key_out)
{
    assert(key != NULL);
    assert(pos_block_fits(cipher, key_size));
    key_out->cipher = (uint8_t)cipher;
    key_out->block_size = cipher == POS_CIPHER_DES ? 8 : 16;
    if (cipher == POS_CIPHER_DES) {
        pos_des_prepare(key, key_size, &key_out->as.des);
    } else if (cipher == POS_CIPHER_AES) {
        pos_aes_prepare(key, key_size, &key_out->as.aes);
    } else {
        pos_sm4_prepare(key, &key_out->as.sm4);
    }
}

void pos_block_encrypt(const pos_block_key *key, const uint8_t *block, uint8_t *out)
{
    if (key->cipher == POS_CIPHER_DES) {
        pos_des_encrypt(&key->as.des, block, out);
    } else if (key->cipher == POS_CIPHER_AES) {
        pos_aes_encrypt(&key->as.aes, block, out);
    } else {
        assert(key->cipher == POS_CIPHER_SM4);
        pos_sm4_encrypt(&key->as.sm4, block, out);
    }
}

void pos_block_decrypt(const pos_block_key *key, const uint8_t *block, uint8_t *out)
{
    if (key->cipher == POS_CIPHER_DES) {
        pos_des_decrypt(&key->as.des, block, out);
    } else {
        assert(key->cipher == POS_CIPHER_SM4);
        pos_sm4_decrypt(&key->as.sm4, block, out);
    }
}

static pos_status judge(pos_cipher cipher, size_t key_size, size_t size)
{
    if (cipher >= POS_CIPHER_COUNT) return POS_ARGUMENT;
    if (!pos_block_fits(cipher, key_size)) return POS_KEY_SIZE;
    if (size % (cipher == POS_CIPHER_DES ? 8U : 16U) != 0) return POS_ARGUMENT;
    return POS_OK;
}

pos_status pos_cipher_encrypt(pos_cipher cipher, const uint8_t *key, size_t key_size,
                              const uint8_t *data, size_t size, uint8_t *out)
{
    const pos_status status = judge(cipher, key_size, size);
    if (status != POS_OK) return status;
    pos_block_key prepared;
    pos_block_prepare(cipher, key, key_size, &prepared);
    for (size_t done = 0; done < size; done += prepared.block_size) {
        pos_block_encrypt(&prepared, data + done, out + done);
    }
    pos_wipe(&prepared, sizeof prepared);
    return POS_OK;
}

pos_status pos_cipher_decrypt(pos_cipher cipher, const uint8_t *key, size_t key_size,
                              const uint8_t *data, size_t size, uint8_t *out)
{
    const pos_status status = judge(cipher, key_size, size);
    if (status != POS_OK) return status;
    if (cipher == POS_CIPHER_AES) return POS_ARGUMENT;
    pos_block_key prepared;
    pos_block_prepare(cipher, key, key_size, &prepared);
    for (size_t done = 0; done < size; done += prepared.block_size) {
        pos_block_decrypt(&prepared, data + done, out + done);
    }
    pos_wipe(&prepared, sizeof prepared);
    return POS_OK;
}
