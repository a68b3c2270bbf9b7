/*
 * Does the time that a MAC takes say anything of the key or the message?
 *
 * After dudect (Reparaz, Balasch, Verbauwhede, 2017): every measurement takes one of two inputs, a
 * fixed one or a random one, as a coin says; Welch's t tells whether the two times have one mean.
 * Measurements past the nine-tenths of the first thousands are dropped: they are interrupts. |t|
 * over 10 is a leak; 4.5 is where dudect begins to look twice.
 *
 * The last two targets are leaks on purpose: the tool must see them, or it sees nothing.
 *
 *   mac_timing SAMPLES    one line of JSON a target: name, t, samples kept, cycles of the median
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "mac/aes.h"
#include "mac/block.h"

#define DATA_SIZE 64
#define WARM_UP 4000

typedef struct input {
    uint8_t key[32];
    uint8_t data[DATA_SIZE];
} input;

typedef void target_function(const input *in, uint8_t out[32]);

static void mac_of(pos_mac_algorithm algorithm, size_t key_size, const input *in, uint8_t out[32])
{
    size_t size = 0;
    if (pos_mac_compute(algorithm, in->key, key_size, in->data, DATA_SIZE, out, &size) != POS_OK) {
        abort();
    }
}

static void unionpay(const input *in, uint8_t out[32])
{
    mac_of(POS_MAC_UNIONPAY_ECB, 8, in, out);
}
static void unionpay_3des(const input *in, uint8_t out[32])
{
    mac_of(POS_MAC_UNIONPAY_ECB, 16, in, out);
}
static void x9_19(const input *in, uint8_t out[32]) { mac_of(POS_MAC_X9_19, 16, in, out); }
static void cmac(const input *in, uint8_t out[32]) { mac_of(POS_MAC_AES_CMAC, 16, in, out); }
static void hmac(const input *in, uint8_t out[32]) { mac_of(POS_MAC_HMAC_SHA256, 32, in, out); }
static void sm4_cbc(const input *in, uint8_t out[32]) { mac_of(POS_MAC_SM4_CBC, 16, in, out); }

static void aes_portable(const input *in, uint8_t out[32])
{
    pos_aes_key key;
    pos_aes_prepare_on(POS_CPU_PORTABLE, in->key, 16, &key);
    pos_aes_encrypt(&key, in->data, out);
}

static void sm4_portable(const input *in, uint8_t out[32])
{
    pos_sm4_key key;
    pos_sm4_prepare_on(POS_CPU_PORTABLE, in->key, &key);
    pos_sm4_encrypt(&key, in->data, out);
}

static void comparing(const input *in, uint8_t out[32])
{
    static const uint8_t zeros[32];
    out[0] = pos_mac_equal(in->key, zeros, sizeof zeros);
}

/* On purpose: stops at the first byte that differs. */
static void leaking_comparing(const input *in, uint8_t out[32])
{
    size_t same = 0;
    for (; same < 32 && in->key[same] == 0; same++) out[1] = (uint8_t)(out[1] + same);
    out[0] = same == 32;
}

/* On purpose: a table of 1 MiB, indexed by the key. It is filled so that no compiler knows it. */
static uint8_t table[1 << 20];

static void leaking_table(const input *in, uint8_t out[32])
{
    unsigned sum = 0;
    for (size_t byte = 0; byte < 16; byte++) {
        sum += table[((size_t)in->key[byte] << 12) + (sum & 1)];
    }
    out[0] = (uint8_t)sum;
}

typedef struct target {
    const char *name;
    target_function *run;
} target;

static const target TARGETS[] = {
    {"unionpay-ecb", unionpay},
    {"unionpay-ecb 3DES", unionpay_3des},
    {"x9.19", x9_19},
    {"aes-cmac", cmac},
    {"hmac-sha256", hmac},
    {"sm4-cbc", sm4_cbc},
    {"AES, portable", aes_portable},
    {"SM4, portable", sm4_portable},
    {"comparing", comparing},
    {"leak: comparing", leaking_comparing},
    {"leak: table", leaking_table},
};

/* Running mean and sum of squared deviations (Welford). */
typedef struct moments {
    double count;
    double mean;
    double deviation;
} moments;

static void record(moments *into, double value)
{
    into->count += 1;
    const double delta = value - into->mean;
    into->mean += delta / into->count;
    into->deviation += delta * (value - into->mean);
}

static double welch(const moments *left, const moments *right)
{
    const double left_error = left->deviation / (left->count - 1) / left->count;
    const double right_error = right->deviation / (right->count - 1) / right->count;
    return (left->mean - right->mean) / sqrt(left_error + right_error);
}

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static int by_value(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Both classes are copied into the same place in the same way before the clock starts. */
static uint64_t timed(target_function *run, uint64_t *seed, unsigned is_random)
{
    static input drawn;
    static input used;
    uint8_t out[32] = {0};
    for (size_t at = 0; at < sizeof drawn; at += 8) {
        const uint64_t word = draw(seed) & (0 - (uint64_t)is_random);
        memcpy((uint8_t *)&drawn + at, &word, 8);
    }
    memcpy(&used, &drawn, sizeof used);
    unsigned processor = 0;
    _mm_lfence();
    const uint64_t begin = __rdtscp(&processor);
    _mm_lfence();
    run(&used, out);
    _mm_lfence();
    const uint64_t end = __rdtscp(&processor);
    _mm_lfence();
    __asm__ volatile("" : : "r"(out) : "memory");
    return end - begin;
}

static void measure(const target *what, size_t samples)
{
    static uint64_t first[WARM_UP];
    uint64_t seed = 0x9E3779B97F4A7C15U;
    moments fixed = {0};
    moments random = {0};
    for (size_t index = 0; index < WARM_UP; index++) {
        first[index] = timed(what->run, &seed, (unsigned)(draw(&seed) >> 40) & 1U);
    }
    qsort(first, WARM_UP, sizeof first[0], by_value);
    const uint64_t cycles_max = first[WARM_UP * 9 / 10];
    for (size_t index = 0; index < samples; index++) {
        const unsigned is_random = (unsigned)(draw(&seed) >> 40) & 1U;
        const uint64_t cycles = timed(what->run, &seed, is_random);
        if (cycles <= cycles_max) record(is_random ? &random : &fixed, (double)cycles);
    }
    printf("{\"name\": \"%s\", \"t\": %.2f, \"kept\": %.0f, \"cycles\": %llu}\n", what->name,
           welch(&fixed, &random), fixed.count + random.count,
           (unsigned long long)first[WARM_UP / 2]);
    fflush(stdout);
}

int main(int count, char **words)
{
    for (size_t at = 0; at < sizeof table; at++) table[at] = (uint8_t)(at * (size_t)count);
    const size_t samples = count > 1 ? strtoul(words[1], NULL, 10) : 200000;
    for (size_t index = 0; index < sizeof TARGETS / sizeof TARGETS[0]; index++) {
        measure(&TARGETS[index], samples);
    }
    return 0;
}
