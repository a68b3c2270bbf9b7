/*
 * Does the time that a MAC takes say anything of the key or the message?
 *
 * After dudect (Reparaz, Balasch, Verbauwhede, 2017): every measurement takes one of two inputs, a
 * fixed one or a random one, as a coin says; Welch's t tells whether the two times have one mean.
 * Measurements past the nine-tenths of the first thousands are dropped: they are interrupts. |t|
 * over 10 is a leak; 4.5 is where dudect begins to look twice.
 *
 * A wave of every algorithm by every path, the making of a token key, and what compares and writes
 * MACs. The last two targets are leaks on purpose: the tool must see them, or it sees nothing.
 *
 *   constant_time SAMPLES    one line of JSON a target: name, t, samples kept, cycles of the median
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
#define JOBS_MAX 20
#define WARM_UP 4000

typedef struct input {
    uint8_t keys[JOBS_MAX][32];
    uint8_t data[JOBS_MAX][DATA_SIZE];
} input;

typedef struct target target;
typedef void target_function(const target *what, const input *in, uint8_t out[32]);

struct target {
    char name[40];
    target_function *run;
    pos_mac_algorithm algorithm;
    size_t key_size;
    pos_cpu_path path;
    size_t jobs; /* inputs that it takes */
};

static pos_key keys[JOBS_MAX];
static pos_mac_job jobs[JOBS_MAX];
static pos_token_job tokens[JOBS_MAX];

static void run_wave(const target *what, const input *in, uint8_t out[32])
{
    for (size_t index = 0; index < what->jobs; index++) {
        keys[index].usage = POS_KEY_MAK;
        keys[index].size = (uint8_t)what->key_size;
        memcpy(keys[index].bytes, in->keys[index], 32);
        jobs[index] = (pos_mac_job){.key = &keys[index], .covered = in->data[index],
                                    .covered_size = DATA_SIZE - 3,
                                    .algorithm = (uint8_t)what->algorithm};
    }
    pos_mac_wave_on(what->path, jobs, what->jobs);
    memcpy(out, jobs[0].mac, 32);
}

static void run_tokens(const target *what, const input *in, uint8_t out[32])
{
    pos_cmac_key key;
    pos_cmac_prepare_on(what->path, in->keys[0], 32, &key);
    for (size_t index = 0; index < what->jobs; index++) {
        tokens[index] =
            (pos_token_job){.data = in->data[index], .size = (uint32_t)(16 + index % 4)};
    }
    pos_token_wave(&key, tokens, what->jobs);
    memcpy(out, tokens[0].token, 16);
}

static void run_comparing(const target *what, const input *in, uint8_t out[32])
{
    static const uint8_t zeros[32];
    (void)what;
    out[0] = pos_mac_equal(in->keys[0], zeros, sizeof zeros);
}

static void run_field(const target *what, const input *in, uint8_t out[32])
{
    (void)what;
    pos_mac_field(in->keys[0], POS_MAC_OUTPUT_HEX, out, 32);
}

/* On purpose: stops at the first byte that differs. */
static void leaking_comparing(const target *what, const input *in, uint8_t out[32])
{
    size_t same = 0;
    (void)what;
    for (; same < 32 && in->keys[0][same] == 0; same++) out[1] = (uint8_t)(out[1] + same);
    out[0] = same == 32;
}

/* On purpose: a table of 1 MiB, indexed by the key. It is filled so that no compiler knows it. */
static uint8_t table[1 << 20];

static void leaking_table(const target *what, const input *in, uint8_t out[32])
{
    (void)what;
    unsigned sum = 0;
    for (size_t byte = 0; byte < 16; byte++) {
        sum += table[((size_t)in->keys[0][byte] << 12) + (sum & 1)];
    }
    out[0] = (uint8_t)sum;
}

static target targets[64];
static size_t target_count;

static void add(const char *name, target_function *run, pos_mac_algorithm algorithm,
                size_t key_size, pos_cpu_path path)
{
    target *made = &targets[target_count++];
    *made = (target){.run = run, .algorithm = algorithm, .key_size = key_size, .path = path,
                     .jobs = path == POS_CPU_PORTABLE ? 1 : JOBS_MAX};
    snprintf(made->name, sizeof made->name, "%s", name);
}

static void add_all(void)
{
    static const struct {
        const char *name;
        pos_mac_algorithm algorithm;
        size_t key_size;
    } MACS[] = {
        {"unionpay-ecb", POS_MAC_UNIONPAY_ECB, 16}, {"x9.9", POS_MAC_X9_9, 8},
        {"x9.19", POS_MAC_X9_19, 16},               {"aes-cmac", POS_MAC_AES_CMAC, 16},
        {"aes-cmac 256", POS_MAC_AES_CMAC, 32},     {"hmac-sha256", POS_MAC_HMAC_SHA256, 32},
        {"sm4-unionpay", POS_MAC_SM4_UNIONPAY, 16}, {"sm4-cbc", POS_MAC_SM4_CBC, 16},
    };
    char name[40];
    for (int at = POS_CPU_PORTABLE; at <= (int)pos_cpu_path_best(); at++) {
        const pos_cpu_path path = (pos_cpu_path)at;
        for (size_t index = 0; index < sizeof MACS / sizeof MACS[0]; index++) {
            snprintf(name, sizeof name, "%s, %s", MACS[index].name, pos_cpu_path_name(path));
            add(name, run_wave, MACS[index].algorithm, MACS[index].key_size, path);
        }
        snprintf(name, sizeof name, "tokens, %s", pos_cpu_path_name(path));
        add(name, run_tokens, POS_MAC_NONE, 32, path);
    }
    add("comparing", run_comparing, POS_MAC_NONE, 32, POS_CPU_PORTABLE);
    add("hex field", run_field, POS_MAC_NONE, 32, POS_CPU_PORTABLE);
    add("leak: comparing", leaking_comparing, POS_MAC_NONE, 32, POS_CPU_PORTABLE);
    add("leak: table", leaking_table, POS_MAC_NONE, 32, POS_CPU_PORTABLE);
}

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
static uint64_t timed(const target *what, uint64_t *seed, unsigned is_random)
{
    static input drawn; /* of the jobs that the target takes, all of it */
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
    what->run(what, &used, out);
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
        first[index] = timed(what, &seed, (unsigned)(draw(&seed) >> 40) & 1U);
    }
    qsort(first, WARM_UP, sizeof first[0], by_value);
    const uint64_t cycles_max = first[WARM_UP * 9 / 10];
    for (size_t index = 0; index < samples; index++) {
        const unsigned is_random = (unsigned)(draw(&seed) >> 40) & 1U;
        const uint64_t cycles = timed(what, &seed, is_random);
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
    const size_t samples = count > 1 ? strtoul(words[1], NULL, 10) : 100000;
    add_all();
    for (size_t index = 0; index < target_count; index++) measure(&targets[index], samples);
    return 0;
}
