/*
 * The MAC algorithms, each a few lines over the block ciphers, and the door for a whole wave.
 *
 *   unionpay-ecb   X = XOR of all blocks; as hex, H1 ‖ H2; mac = E(E(H1) ⊕ H2)
 *   sm4-unionpay   the same with 16-byte blocks
 *   x9.9           chain = E(chain ⊕ block) over all blocks; with 16 bytes of key, E is 3DES
 *   sm4-cbc        the same with SM4
 *   x9.19          the chain under the left half; then decrypt right, encrypt left
 *   aes-cmac       cmac.c           hmac-sha256   sha256.c
 *
 * Blocks are filled up with zeros on the right; nothing is added to whole ones, and a message of
 * no bytes is one block of zeros (ISO/IEC 9797-1, padding method 1).
 *
 * pos_mac_wave is where the engine's messages come through: kernels that take many messages at once
 * stand behind it (des_wave.c, cmac_wave.c, hmac_wave.c, sm4_wave.c). The functions here are the
 * plain way, and the oracle of the others.
 */
#include <assert.h>

#include "mac/block.h"
#include "mac/des_wave.h"
#include "mac/wave.h"

#define BLOCK_SIZE_MAX 16
#define WAVE_MAX POS_DES_WAVE_MAX /* jobs that are sorted by family at a time */
#define KEYS_AHEAD 16             /* jobs whose keys are asked for ahead */

static const char *const NAMES[POS_MAC_ALGORITHM_COUNT] = {
    [POS_MAC_NONE] = "none",
    [POS_MAC_UNIONPAY_ECB] = "unionpay-ecb",
    [POS_MAC_X9_9] = "x9.9",
    [POS_MAC_X9_19] = "x9.19",
    [POS_MAC_AES_CMAC] = "aes-cmac",
    [POS_MAC_HMAC_SHA256] = "hmac-sha256",
    [POS_MAC_SM4_UNIONPAY] = "sm4-unionpay",
    [POS_MAC_SM4_CBC] = "sm4-cbc",
};

static bool is_same_text(const char *left, const char *right)
{
    while (*left != '\0' && *left == *right) {
        left++;
        right++;
    }
    return *left == *right;
}

pos_mac_algorithm pos_mac_algorithm_of(const char *name)
{
    assert(name != NULL);
    for (unsigned algorithm = 0; algorithm < POS_MAC_ALGORITHM_COUNT; algorithm++) {
        if (is_same_text(name, NAMES[algorithm])) return (pos_mac_algorithm)algorithm;
    }
    return POS_MAC_NONE;
}

const char *pos_mac_algorithm_name(pos_mac_algorithm algorithm)
{
    return algorithm < POS_MAC_ALGORITHM_COUNT ? NAMES[algorithm] : "unknown";
}

size_t pos_mac_size(pos_mac_algorithm algorithm)
{
    switch (algorithm) {
    case POS_MAC_UNIONPAY_ECB:
    case POS_MAC_X9_9:
    case POS_MAC_X9_19: return 8;
    case POS_MAC_AES_CMAC:
    case POS_MAC_SM4_UNIONPAY:
    case POS_MAC_SM4_CBC: return 16;
    case POS_MAC_HMAC_SHA256: return 32;
    case POS_MAC_NONE:
    case POS_MAC_ALGORITHM_COUNT: break;
    }
    return 0;
}

bool pos_mac_key_fits(pos_mac_algorithm algorithm, size_t key_size)
{
    switch (algorithm) {
    case POS_MAC_UNIONPAY_ECB:
    case POS_MAC_X9_9: return key_size == 8 || key_size == 16;
    case POS_MAC_X9_19: return key_size == 16;
    case POS_MAC_AES_CMAC: return key_size == 16 || key_size == 24 || key_size == 32;
    case POS_MAC_HMAC_SHA256: return key_size >= 1;
    case POS_MAC_SM4_UNIONPAY:
    case POS_MAC_SM4_CBC: return key_size == 16;
    case POS_MAC_NONE:
    case POS_MAC_ALGORITHM_COUNT: break;
    }
    return false;
}

static void mix(uint8_t *into, const uint8_t *from, size_t size)
{
    for (size_t byte = 0; byte < size; byte++) into[byte] ^= from[byte];
}

/* XOR of all blocks, as hex, enciphered half by half. */
static void compute_folded(const pos_block_key *key, pos_slice covered, uint8_t *mac_out)
{
    const size_t block_size = key->block_size;
    uint8_t folded[BLOCK_SIZE_MAX] = {0};
    uint8_t hex[2 * BLOCK_SIZE_MAX];
    size_t done = 0;
    for (; done + block_size <= covered.size; done += block_size) {
        mix(folded, covered.data + done, block_size);
    }
    mix(folded, covered.data + done, covered.size - done);
    pos_hex_from_bytes(folded, block_size, (char *)hex);
    pos_block_encrypt(key, hex, mac_out);
    mix(mac_out, hex + block_size, block_size);
    pos_block_encrypt(key, mac_out, mac_out);
}

/* The CBC chain from a block of zeros; its last block. */
static void compute_chained(const pos_block_key *key, pos_slice covered, uint8_t *mac_out)
{
    const size_t block_size = key->block_size;
    pos_zero(mac_out, block_size);
    size_t done = 0;
    for (; done + block_size <= covered.size; done += block_size) {
        mix(mac_out, covered.data + done, block_size);
        pos_block_encrypt(key, mac_out, mac_out);
    }
    if (done < covered.size || covered.size == 0) {
        mix(mac_out, covered.data + done, covered.size - done);
        pos_block_encrypt(key, mac_out, mac_out);
    }
}

/* Whatever the algorithm: the key fits, `mac` has room for 32 bytes. */
static void compute(pos_mac_algorithm algorithm, const uint8_t *key, size_t key_size,
                    pos_slice covered, uint8_t *mac)
{
    if (algorithm == POS_MAC_AES_CMAC) {
        pos_cmac_key prepared;
        pos_cmac_prepare(key, key_size, &prepared);
        pos_cmac(&prepared, covered.data, covered.size, mac);
        pos_wipe(&prepared, sizeof prepared);
        return;
    }
    if (algorithm == POS_MAC_HMAC_SHA256) {
        pos_hmac_sha256(key, key_size, covered.data, covered.size, mac);
        return;
    }
    const bool is_sm4 = algorithm == POS_MAC_SM4_UNIONPAY || algorithm == POS_MAC_SM4_CBC;
    const size_t chain_size = algorithm == POS_MAC_X9_19 ? 8 : key_size;
    pos_block_key prepared;
    pos_block_prepare(is_sm4 ? POS_CIPHER_SM4 : POS_CIPHER_DES, key, chain_size, &prepared);
    if (algorithm == POS_MAC_UNIONPAY_ECB || algorithm == POS_MAC_SM4_UNIONPAY) {
        compute_folded(&prepared, covered, mac);
    } else {
        compute_chained(&prepared, covered, mac);
    }
    if (algorithm == POS_MAC_X9_19) {
        pos_des_key right;
        pos_des_prepare(key + 8, 8, &right);
        pos_des_decrypt(&right, mac, mac);
        pos_des_encrypt(&prepared.as.des, mac, mac);
        pos_wipe(&right, sizeof right);
    }
    pos_wipe(&prepared, sizeof prepared);
}

pos_status pos_mac_compute(pos_mac_algorithm algorithm, const uint8_t *key, size_t key_size,
                           const uint8_t *covered, size_t covered_size,
                           uint8_t mac_out[POS_MAC_SIZE_MAX], size_t *mac_size_out)
{
    assert(key != NULL && mac_out != NULL && mac_size_out != NULL);
    assert(covered != NULL || covered_size == 0);
    const size_t size = pos_mac_size(algorithm);
    if (size == 0) return POS_MAC_ALGORITHM;
    if (!pos_mac_key_fits(algorithm, key_size)) return POS_KEY_SIZE;
    const pos_slice slice = {.data = covered, .size = covered_size};
    pos_zero(mac_out, POS_MAC_SIZE_MAX);
    compute(algorithm, key, key_size, slice, mac_out);
    *mac_size_out = size;
    return POS_OK;
}

/* Algorithms whose messages go through one kernel together. */
typedef enum family { OF_DES, OF_CMAC, OF_HMAC, OF_SM4, FAMILY_COUNT } family;

static family family_of(const pos_mac_job *job)
{
    switch ((pos_mac_algorithm)job->algorithm) {
    case POS_MAC_AES_CMAC: return OF_CMAC;
    case POS_MAC_HMAC_SHA256: return OF_HMAC;
    case POS_MAC_SM4_UNIONPAY:
    case POS_MAC_SM4_CBC: return OF_SM4;
    default: return OF_DES;
    }
}

/*
 * Nearly always all jobs of a wave have one algorithm, and keys of one size; then nothing needs
 * sorting. The keys lie anywhere, each by itself: they are asked for ahead.
 */
static bool are_alike(const pos_mac_job *jobs, size_t count)
{
    const uint8_t algorithm = jobs[0].algorithm;
    const uint8_t key_size = jobs[0].key->size;
    const pos_mac_job *const end = jobs + count;
    const pos_mac_job *ahead = jobs + (count < KEYS_AHEAD ? count : KEYS_AHEAD);
    for (const pos_mac_job *job = jobs; job < end; job++) {
        if (ahead < end) __builtin_prefetch((ahead++)->key);
        assert(job->key->usage == POS_KEY_MAK);
        if (job->algorithm != algorithm || job->key->size != key_size) return false;
    }
    assert(pos_mac_key_fits((pos_mac_algorithm)algorithm, key_size));
    return true;
}

static void compute_family(pos_cpu_path path, family its, pos_mac_job *jobs,
                           const uint16_t *which, size_t count)
{
    switch (its) {
    case OF_DES: pos_des_wave_on(path, POS_DES_WAY_COUNT, jobs, which, count); break;
    case OF_CMAC: pos_cmac_wave_on(path, jobs, which, count); break;
    case OF_HMAC: pos_hmac_wave_on(path, jobs, which, count); break;
    case OF_SM4: pos_sm4_wave_on(path, jobs, which, count); break;
    case FAMILY_COUNT: assert(false);
    }
}

/* At least one job, at most WAVE_MAX. */
static void compute_wave(pos_cpu_path path, pos_mac_job *jobs, size_t count)
{
    if (are_alike(jobs, count)) {
        compute_family(path, family_of(&jobs[0]), jobs, NULL, count);
        return;
    }
    uint16_t of[FAMILY_COUNT][WAVE_MAX];
    size_t counts[FAMILY_COUNT] = {0};
    for (size_t index = 0; index < count; index++) {
        const pos_mac_job *job = &jobs[index];
        if (index + KEYS_AHEAD < count) __builtin_prefetch(jobs[index + KEYS_AHEAD].key);
        assert(job->key != NULL && job->key->usage == POS_KEY_MAK);
        assert(pos_mac_key_fits((pos_mac_algorithm)job->algorithm, job->key->size));
        const family its = family_of(job);
        of[its][counts[its]++] = (uint16_t)index;
    }
    for (family its = OF_DES; its < FAMILY_COUNT; its++) {
        if (counts[its] > 0) compute_family(path, its, jobs, of[its], counts[its]);
    }
}

void pos_mac_wave_on(pos_cpu_path path, pos_mac_job *jobs, size_t count)
{
    assert(jobs != NULL || count == 0);
    assert(path < POS_CPU_PATH_COUNT);
    for (size_t done = 0; done < count; done += WAVE_MAX) {
        const size_t here = count - done < WAVE_MAX ? count - done : WAVE_MAX;
        compute_wave(path, jobs + done, here);
    }
}

void pos_mac_wave(pos_mac_job *jobs, size_t count)
{
    pos_mac_wave_on(pos_cpu_path_now(), jobs, count);
}

void pos_mac_field(const uint8_t *mac, pos_mac_output output, uint8_t *field_out, size_t size)
{
    assert(mac != NULL && field_out != NULL);
    if (output == POS_MAC_OUTPUT_RAW) {
        assert(size <= POS_MAC_SIZE_MAX);
        pos_copy(field_out, mac, size);
        return;
    }
    assert(output == POS_MAC_OUTPUT_HEX && size <= 2 * POS_MAC_SIZE_MAX);
    if (size % 2 == 0) {
        pos_hex_from_bytes(mac, size / 2, (char *)field_out);
        return;
    }
    char hex[2 * POS_MAC_SIZE_MAX];
    pos_hex_from_bytes(mac, (size + 1) / 2, hex);
    pos_copy(field_out, hex, size);
}

bool pos_mac_equal(const uint8_t *ours, const uint8_t *theirs, size_t size)
{
    assert(ours != NULL && theirs != NULL);
    return pos_equal_constant_time(ours, theirs, size);
}
