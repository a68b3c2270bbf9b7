/*
 * MACs of waves, each message under its own key, beside OpenSSL with what it can keep for a key.
 *
 *   mac_waves RUNS MESSAGES    one line of JSON a question: algorithm, key_size, count (messages a
 *                              wave), ours and theirs: ns a message, a figure a run, taken in turns
 *
 * 10,000 terminals have a key each; every run draws who sends. Theirs keeps key schedules (DES) and
 * contexts (CMAC, SM4, HMAC) of all terminals, made before the clock starts; ours has the keys alone.
 * Either side has a run twice and the second is timed: the messages are near, as they are when they
 * have just been parsed. Every MAC of ours is compared with theirs. POSENGINE_CPU chooses our path, as ever.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* the fastest that it has for DES and CMAC */
#include <openssl/cmac.h>
#include <openssl/des.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mac/mac.h"

#define TERMINALS 10000
#define SIZE 272
#define WAVE_MAX 4096

typedef struct terminal {
    const pos_key *key;
    DES_key_schedule left;
    DES_key_schedule right;
    void *context; /* CMAC_CTX, EVP_CIPHER_CTX or HMAC_CTX */
} terminal;

static pos_key keys[TERMINALS];
static terminal terminals[TERMINALS]; /* theirs */
static uint8_t data[WAVE_MAX][SIZE];
static uint32_t senders[WAVE_MAX];
static pos_mac_job jobs[WAVE_MAX];
static uint8_t theirs[WAVE_MAX][64];

static uint64_t seed = 88172645463325252U;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void stop(const char *what)
{
    fprintf(stderr, "mac_waves: %s\n", what);
    exit(1);
}

static double now_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

/* ---- theirs: one message ---------------------------------------------------------------------------- */
/* XOR of all blocks as hex: 8-byte blocks to 16 characters, 16-byte blocks to 32. */
static void fold(const uint8_t *message, size_t words, uint8_t *hex)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    uint64_t sums[2] = {0};
    for (size_t at = 0; at < SIZE; at += 8) {
        uint64_t word;
        memcpy(&word, message + at, 8);
        sums[at / 8 & (words - 1)] ^= word; /* one word, or two */
    }
    for (size_t byte = 0; byte < 8 * words; byte++) {
        const uint8_t value = ((const uint8_t *)sums)[byte];
        hex[2 * byte] = (uint8_t)DIGITS[value >> 4];
        hex[2 * byte + 1] = (uint8_t)DIGITS[value & 15];
    }
}

static void ecb(terminal *by, DES_cblock *block)
{
    if (by->key->size == 8) {
        DES_ecb_encrypt(block, block, &by->left, DES_ENCRYPT);
    } else {
        DES_ecb3_encrypt(block, block, &by->left, &by->right, &by->left, DES_ENCRYPT);
    }
}

static void unionpay(terminal *by, const uint8_t *message, uint8_t *mac)
{
    DES_cblock hex[2];
    fold(message, 1, (uint8_t *)hex);
    ecb(by, &hex[0]);
    for (size_t byte = 0; byte < 8; byte++) hex[0][byte] ^= hex[1][byte];
    ecb(by, &hex[0]);
    memcpy(mac, hex[0], 8);
}

static void x9_9(terminal *by, const uint8_t *message, uint8_t *mac)
{
    static uint8_t out[SIZE];
    DES_cblock chain = {0};
    if (by->key->size == 8) {
        DES_ncbc_encrypt(message, out, SIZE, &by->left, &chain, DES_ENCRYPT);
    } else {
        DES_ede3_cbc_encrypt(message, out, SIZE, &by->left, &by->right, &by->left, &chain,
                             DES_ENCRYPT);
    }
    memcpy(mac, chain, 8);
}

static void x9_19(terminal *by, const uint8_t *message, uint8_t *mac)
{
    static uint8_t out[SIZE];
    DES_cblock chain = {0};
    DES_ncbc_encrypt(message, out, SIZE, &by->left, &chain, DES_ENCRYPT);
    DES_ecb_encrypt(&chain, &chain, &by->right, DES_DECRYPT);
    DES_ecb_encrypt(&chain, &chain, &by->left, DES_ENCRYPT);
    memcpy(mac, chain, 8);
}

static void aes_cmac(terminal *by, const uint8_t *message, uint8_t *mac)
{
    size_t size = 0;
    if (CMAC_Init(by->context, NULL, 0, NULL, NULL) != 1) stop("CMAC_Init");
    if (CMAC_Update(by->context, message, SIZE) != 1) stop("CMAC_Update");
    if (CMAC_Final(by->context, mac, &size) != 1) stop("CMAC_Final");
}

static void hmac_sha256(terminal *by, const uint8_t *message, uint8_t *mac)
{
    unsigned size = 0;
    if (HMAC_Init_ex(by->context, NULL, 0, NULL, NULL) != 1) stop("HMAC_Init_ex");
    if (HMAC_Update(by->context, message, SIZE) != 1) stop("HMAC_Update");
    if (HMAC_Final(by->context, mac, &size) != 1) stop("HMAC_Final");
}

static void sm4_unionpay(terminal *by, const uint8_t *message, uint8_t *mac)
{
    uint8_t hex[32];
    int size = 0;
    fold(message, 2, hex);
    if (EVP_EncryptUpdate(by->context, hex, &size, hex, 16) != 1) stop("EVP_EncryptUpdate");
    for (size_t byte = 0; byte < 16; byte++) hex[byte] ^= hex[byte + 16];
    if (EVP_EncryptUpdate(by->context, mac, &size, hex, 16) != 1) stop("EVP_EncryptUpdate");
}

static void sm4_cbc(terminal *by, const uint8_t *message, uint8_t *mac)
{
    static const uint8_t zeros[16];
    static uint8_t out[SIZE + 16];
    int size = 0;
    if (EVP_EncryptInit_ex(by->context, NULL, NULL, NULL, zeros) != 1) stop("EVP_EncryptInit_ex");
    if (EVP_EncryptUpdate(by->context, out, &size, message, SIZE) != 1) stop("EVP_EncryptUpdate");
    memcpy(mac, out + SIZE - 16, 16);
}

typedef struct question {
    const char *name;
    pos_mac_algorithm algorithm;
    uint8_t key_size;
    uint8_t cipher;
    uint8_t mac_size;
    void (*theirs)(terminal *by, const uint8_t *message, uint8_t *mac);
} question;

static const question QUESTIONS[] = {
    {"unionpay-ecb", POS_MAC_UNIONPAY_ECB, 8, POS_CIPHER_DES, 8, unionpay},
    {"unionpay-ecb", POS_MAC_UNIONPAY_ECB, 16, POS_CIPHER_DES, 8, unionpay},
    {"x9.9", POS_MAC_X9_9, 8, POS_CIPHER_DES, 8, x9_9},
    {"x9.9", POS_MAC_X9_9, 16, POS_CIPHER_DES, 8, x9_9},
    {"x9.19", POS_MAC_X9_19, 16, POS_CIPHER_DES, 8, x9_19},
    {"aes-cmac", POS_MAC_AES_CMAC, 16, POS_CIPHER_AES, 16, aes_cmac},
    {"hmac-sha256", POS_MAC_HMAC_SHA256, 32, POS_CIPHER_AES, 32, hmac_sha256},
    {"sm4-unionpay", POS_MAC_SM4_UNIONPAY, 16, POS_CIPHER_SM4, 16, sm4_unionpay},
    {"sm4-cbc", POS_MAC_SM4_CBC, 16, POS_CIPHER_SM4, 16, sm4_cbc},
};
static const uint32_t COUNTS[] = {1, 4, 16, 64, 256, 512, WAVE_MAX};

/* ---- keys ------------------------------------------------------------------------------------------- */
static void *context_of(const question *asked, const uint8_t *key)
{
    if (asked->algorithm == POS_MAC_AES_CMAC) {
        CMAC_CTX *context = CMAC_CTX_new();
        if (CMAC_Init(context, key, 16, EVP_aes_128_cbc(), NULL) != 1) stop("CMAC_Init");
        return context;
    }
    if (asked->algorithm == POS_MAC_HMAC_SHA256) {
        HMAC_CTX *context = HMAC_CTX_new();
        if (HMAC_Init_ex(context, key, 32, EVP_sha256(), NULL) != 1) stop("HMAC_Init_ex");
        return context;
    }
    if (asked->cipher != POS_CIPHER_SM4) return NULL;
    static const uint8_t zeros[16];
    const bool is_chain = asked->algorithm == POS_MAC_SM4_CBC;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    const EVP_CIPHER *cipher = is_chain ? EVP_sm4_cbc() : EVP_sm4_ecb();
    if (EVP_EncryptInit_ex(context, cipher, NULL, key, zeros) != 1) stop("EVP_EncryptInit_ex");
    return context;
}

static void drop_context(const question *asked, void *context)
{
    if (asked->algorithm == POS_MAC_AES_CMAC) CMAC_CTX_free(context);
    if (asked->algorithm == POS_MAC_HMAC_SHA256) HMAC_CTX_free(context);
    if (asked->cipher == POS_CIPHER_SM4) EVP_CIPHER_CTX_free(context);
}

static void make_keys(const question *asked)
{
    for (size_t index = 0; index < TERMINALS; index++) {
        terminal *at = &terminals[index];
        pos_key *key = &keys[index];
        *key = (pos_key){.usage = POS_KEY_MAK, .cipher = asked->cipher, .size = asked->key_size};
        for (size_t byte = 0; byte < asked->key_size; byte++) key->bytes[byte] = (uint8_t)draw();
        at->key = key;
        if (asked->cipher == POS_CIPHER_DES) {
            DES_set_key_unchecked((const_DES_cblock *)key->bytes, &at->left);
            DES_set_key_unchecked((const_DES_cblock *)(key->bytes + 8), &at->right);
        }
        at->context = context_of(asked, key->bytes);
    }
}

/* ---- runs ------------------------------------------------------------------------------------------- */
static void draw_senders(const question *asked, size_t messages)
{
    for (size_t index = 0; index < messages; index++) {
        senders[index] = (uint32_t)(draw() % TERMINALS);
        jobs[index] = (pos_mac_job){.key = &keys[senders[index]], .covered = data[index],
                                    .covered_size = SIZE, .algorithm = (uint8_t)asked->algorithm};
        data[index][draw() % SIZE] ^= (uint8_t)(1 + draw() % 255);
    }
}

static double ours_ns(size_t messages, size_t count)
{
    const double began = now_ns();
    for (size_t done = 0; done < messages; done += count) pos_mac_wave(jobs + done, count);
    return (now_ns() - began) / (double)messages;
}

static double theirs_ns(const question *asked, size_t messages)
{
    const double began = now_ns();
    for (size_t index = 0; index < messages; index++) {
        asked->theirs(&terminals[senders[index]], data[index], theirs[index]);
    }
    return (now_ns() - began) / (double)messages;
}

static void ask(const question *asked, size_t count, size_t runs, size_t messages)
{
    double figures[2][64];
    if (messages < count) messages = count;
    for (size_t run = 0; run < runs; run++) {
        draw_senders(asked, messages);
        for (size_t turn = 0; turn < 2; turn++) figures[1][run] = theirs_ns(asked, messages);
        for (size_t turn = 0; turn < 2; turn++) figures[0][run] = ours_ns(messages, count);
        for (size_t index = 0; index < messages; index++) {
            if (memcmp(jobs[index].mac, theirs[index], asked->mac_size) != 0) stop(asked->name);
        }
    }
    printf("{\"algorithm\": \"%s\", \"key_size\": %u, \"count\": %zu", asked->name, asked->key_size,
           count);
    for (size_t side = 0; side < 2; side++) {
        printf(", \"%s\": [", side == 0 ? "ours" : "theirs");
        for (size_t run = 0; run < runs; run++) printf("%s%.2f", run ? ", " : "", figures[side][run]);
        printf("]");
    }
    printf("}\n");
    fflush(stdout);
}

int main(int count, char **words)
{
    const size_t runs = count > 1 ? strtoul(words[1], NULL, 10) : 9;
    const size_t messages = count > 2 ? strtoul(words[2], NULL, 10) : 1024;
    if (runs < 1 || runs > 64 || messages < 1 || messages > WAVE_MAX) stop("RUNS or MESSAGES");
    for (size_t at = 0; at < sizeof data; at++) ((uint8_t *)data)[at] = (uint8_t)draw();
    for (size_t at = 0; at < sizeof QUESTIONS / sizeof QUESTIONS[0]; at++) {
        make_keys(&QUESTIONS[at]);
        for (size_t size = 0; size < sizeof COUNTS / sizeof COUNTS[0]; size++) {
            ask(&QUESTIONS[at], COUNTS[size], runs, messages);
        }
        for (size_t index = 0; index < TERMINALS; index++) {
            drop_context(&QUESTIONS[at], terminals[index].context);
        }
    }
    return 0;
}
