/*
 * AES-SIV (RFC 5297): sealing that needs no nonce, and that stays safe where one is repeated.
 *
 *   key     = K1 ‖ K2
 *   D       = CMAC(K1, 0^16);  for every part: D = double(D) ⊕ CMAC(K1, part)
 *   V       = CMAC(K1, plain xored at its end with D)         16 bytes and more
 *           = CMAC(K1, double(D) ⊕ (plain 80 00..))           less
 *   sealed  = V ‖ CTR(K2, V without two bits, plain)
 *
 * Opening deciphers twice: once block by block into the check, and only when V agrees into the
 * caller's buffer, which a failure therefore leaves untouched.
 */
#include <assert.h>

#include "mac/aes.h"

typedef struct siv_keys {
    pos_cmac_key check;
    pos_aes_key counter;
} siv_keys;

static void prepare(siv_keys *keys, const uint8_t *key, size_t key_size)
{
    assert(key_size == 32 || key_size == 48 || key_size == 64);
    pos_cmac_prepare(key, key_size / 2, &keys->check);
    pos_aes_prepare(key + key_size / 2, key_size / 2, &keys->counter);
}

static void mix(uint8_t into[16], const uint8_t from[16])
{
    for (size_t byte = 0; byte < 16; byte++) into[byte] ^= from[byte];
}

/* What the associated parts come to: D, before the plain text. */
static void digest_parts(const siv_keys *keys, const pos_slice *parts, size_t part_count,
                         uint8_t digest[16])
{
    uint8_t mac[16];
    pos_zero(digest, 16);
    pos_cmac(&keys->check, digest, 16, digest);
    for (size_t index = 0; index < part_count; index++) {
        pos_block_double(digest);
        pos_cmac(&keys->check, parts[index].data, parts[index].size, mac);
        mix(digest, mac);
    }
}

/* The key stream: encrypted counters. V's two cleared bits let a 32-bit adder carry it. */
typedef struct siv_stream {
    uint8_t counter[16];
} siv_stream;

static siv_stream stream_from(const uint8_t v[16])
{
    siv_stream stream;
    pos_copy(stream.counter, v, 16);
    stream.counter[8] &= 0x7f;
    stream.counter[12] &= 0x7f;
    return stream;
}

/* At most 16 bytes of `from`, (de)ciphered into `to`, which may be `from`. */
static void stream_step(siv_stream *stream, const siv_keys *keys, const uint8_t *from, uint8_t *to,
                        size_t size)
{
    uint8_t pad[16];
    assert(size <= sizeof pad);
    pos_aes_encrypt(&keys->counter, stream->counter, pad);
    for (size_t byte = 0; byte < size; byte++) to[byte] = from[byte] ^ pad[byte];
    const uint64_t low = pos_load_u64_be(stream->counter + 8) + 1;
    pos_store_u64_be(stream->counter + 8, low);
    if (low == 0) {
        pos_store_u64_be(stream->counter, pos_load_u64_be(stream->counter) + 1);
    }
    pos_wipe(pad, sizeof pad);
}

/*
 * V over the parts and a text that is `text`, or, where `v` is given, `text` deciphered by it.
 */
static void synthesize(const siv_keys *keys, const pos_slice *parts, size_t part_count,
                       pos_slice text, const uint8_t *v, uint8_t v_out[16])
{
    uint8_t digest[16];
    uint8_t block[16];
    digest_parts(keys, parts, part_count, digest);
    const bool is_short = text.size < 16;
    if (is_short) pos_block_double(digest);

    siv_stream stream = {{0}};
    if (v != NULL) stream = stream_from(v);
    pos_cmac_state state;
    pos_cmac_begin(&state);
    for (size_t done = 0; done < text.size; done += 16) {
        const size_t size = text.size - done < 16 ? text.size - done : 16;
        if (v != NULL) {
            stream_step(&stream, keys, text.data + done, block, size);
        } else {
            pos_copy(block, text.data + done, size);
        }
        for (size_t byte = 0; byte < size && !is_short; byte++) {
            const size_t place = done + byte + 16;
            if (place >= text.size) block[byte] ^= digest[place - text.size];
        }
        if (!is_short) pos_cmac_add(&state, &keys->check, block, size);
    }
    if (is_short) {
        block[text.size] = 0x80;
        pos_zero(block + text.size + 1, 15 - text.size);
        mix(block, digest);
        pos_cmac_add(&state, &keys->check, block, sizeof block);
    }
    pos_cmac_end(&state, &keys->check, v_out);
    pos_wipe(block, sizeof block);
    pos_wipe(digest, sizeof digest);
}

static void cipher_text(const siv_keys *keys, const uint8_t v[16], pos_slice text, uint8_t *out)
{
    siv_stream stream = stream_from(v);
    for (size_t done = 0; done < text.size; done += 16) {
        const size_t size = text.size - done < 16 ? text.size - done : 16;
        stream_step(&stream, keys, text.data + done, out + done, size);
    }
}

void pos_siv_seal_parts(const uint8_t *key, size_t key_size, const pos_slice *parts,
                        size_t part_count, pos_slice plain, uint8_t *sealed_out)
{
    assert(sealed_out != NULL);
    assert(plain.data != NULL || plain.size == 0);
    siv_keys keys;
    uint8_t v[16];
    prepare(&keys, key, key_size);
    synthesize(&keys, parts, part_count, plain, NULL, v);
    cipher_text(&keys, v, plain, sealed_out + 16);
    pos_copy(sealed_out, v, sizeof v);
    pos_wipe(&keys, sizeof keys);
}

pos_status pos_siv_open_parts(const uint8_t *key, size_t key_size, const pos_slice *parts,
                              size_t part_count, const uint8_t *sealed, size_t sealed_size,
                              uint8_t *plain_out)
{
    if (sealed_size < 16) return POS_KEY_SEAL;
    const pos_slice text = {.data = sealed + 16, .size = sealed_size - 16};
    assert(plain_out != NULL || text.size == 0);

    siv_keys keys;
    uint8_t v[16];
    prepare(&keys, key, key_size);
    synthesize(&keys, parts, part_count, text, sealed, v);
    const bool is_ours = pos_equal_constant_time(v, sealed, sizeof v);
    if (is_ours) cipher_text(&keys, v, text, plain_out);
    pos_wipe(&keys, sizeof keys);
    pos_wipe(v, sizeof v);
    return is_ours ? POS_OK : POS_KEY_SEAL;
}

void pos_siv_seal(const uint8_t key[64], pos_slice associated, pos_slice plain,
                  uint8_t *sealed_out)
{
    pos_siv_seal_parts(key, 64, &associated, 1, plain, sealed_out);
}

pos_status pos_siv_open(const uint8_t key[64], pos_slice associated, const uint8_t *sealed,
                        size_t sealed_size, uint8_t *plain_out)
{
    return pos_siv_open_parts(key, 64, &associated, 1, sealed, sealed_size, plain_out);
}

void pos_secret_seal(const uint8_t key[64], const uint8_t *associated, size_t associated_size,
                     const uint8_t *plain, size_t plain_size, uint8_t *sealed_out)
{
    pos_siv_seal(key, (pos_slice){.data = associated, .size = associated_size},
                 (pos_slice){.data = plain, .size = plain_size}, sealed_out);
}

pos_status pos_secret_open(const uint8_t key[64], const uint8_t *associated,
                           size_t associated_size, const uint8_t *sealed, size_t sealed_size,
                           uint8_t *plain_out)
{
    return pos_siv_open(key, (pos_slice){.data = associated, .size = associated_size}, sealed,
                        sealed_size, plain_out);
}
