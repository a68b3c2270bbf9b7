/*
 * Sums and tokens: GB a second of CRC-32C and SHA-256 by each way beside memcpy of the same bytes, and
 * nanoseconds a token.
 *
 *   sums_timing RUNS    one line of JSON a figure and run: name, value; all figures, run by run
 *
 * Time is this thread's on its processor. Every result is compared with the plain way's first.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bytes/crc32c.h"
#include "mac/aes.h"
#include "mac/sha256.h"

#define PAGE_SIZE ((size_t)256 << 10)
#define WAVE_MAX 512
#define MESSAGE_MAX 304
#define MEASURED_NS 8e6 /* of each figure in each run */

static uint8_t page[PAGE_SIZE];
static uint8_t copied[PAGE_SIZE];
static uint8_t messages[WAVE_MAX][MESSAGE_MAX];
static pos_token_job jobs[WAVE_MAX];
static pos_cmac_key key;

static double now_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static void must(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "wrong: %s\n", what);
    exit(1);
}

/* What is measured: once a call, `path` its way, `count` what it works on. */
typedef void work(pos_cpu_path path, size_t count);

static void sum_crc(pos_cpu_path path, size_t count)
{
    volatile uint32_t sum = pos_crc32c_on(path, 0, page, count);
    (void)sum;
}

static void digest_portably(pos_cpu_path path, size_t count)
{
    uint32_t words[8] = {0};
    (void)path;
    pos_sha256_blocks_portable(words, page, count / 64);
}

static void digest_as_the_journal(pos_cpu_path path, size_t count)
{
    uint8_t halves[2][32];
    (void)path;
    pos_sha256_pair(page, count / 2, page + count / 2, count / 2, halves[0], halves[1]);
}

static void digest_whole(pos_cpu_path path, size_t count)
{
    uint8_t digest[32];
    (void)path;
    pos_sha256(page, count, digest);
}

static void copy_page(pos_cpu_path path, size_t count)
{
    (void)path;
    memcpy(copied, page, count);
    __asm__ volatile("" : : "r"(copied) : "memory");
}

static void make_jobs(size_t count, uint32_t size_min, uint32_t size_max)
{
    for (size_t index = 0; index < count; index++) {
        const uint32_t size = size_min + (uint32_t)(index * 37) % (size_max - size_min + 1);
        jobs[index] = (pos_token_job){.data = messages[index], .size = size};
    }
}

static void take_tokens(pos_cpu_path path, size_t count)
{
    (void)path;
    pos_token_wave(&key, jobs, count);
}

static void take_tokens_one_by_one(pos_cpu_path path, size_t count)
{
    (void)path;
    for (size_t index = 0; index < count; index++) {
        pos_cmac(&key, jobs[index].data, jobs[index].size, jobs[index].token);
    }
}

/* Nanoseconds of one call: the mean over MEASURED_NS. */
static double measured(work *run, pos_cpu_path path, size_t count)
{
    size_t calls = 0;
    run(path, count);
    const double begin = now_ns();
    double end = begin;
    while (end - begin < MEASURED_NS) {
        for (size_t call = 0; call < 4; call++) run(path, count);
        calls += 4;
        end = now_ns();
    }
    return (end - begin) / (double)calls;
}

static void say(const char *name, double value)
{
    printf("{\"name\": \"%s\", \"value\": %.4f}\n", name, value);
}

static void say_rate(const char *name, work *run, pos_cpu_path path)
{
    say(name, (double)PAGE_SIZE / measured(run, path, PAGE_SIZE));
}

static void say_tokens(const char *name, work *run, pos_cpu_path path, size_t count)
{
    uint8_t bytes[32] = {1, 2, 3};
    pos_cmac_prepare_on(path, bytes, sizeof bytes, &key);
    say(name, measured(run, path, count) / (double)count);
}

static void check(pos_cpu_path path)
{
    must(pos_crc32c_on(path, 7, page, PAGE_SIZE - 5) == pos_crc32c_slow(7, page, PAGE_SIZE - 5),
         "crc32c");
    uint8_t alone[2][32];
    uint8_t pair[2][32];
    pos_sha256(page, PAGE_SIZE / 2, alone[0]);
    pos_sha256(page + PAGE_SIZE / 2, PAGE_SIZE / 2, alone[1]);
    pos_sha256_pair(page, PAGE_SIZE / 2, page + PAGE_SIZE / 2, PAGE_SIZE / 2, pair[0], pair[1]);
    must(memcmp(alone, pair, sizeof pair) == 0, "sha256");
    uint8_t bytes[32] = {1, 2, 3};
    pos_cmac_key plain;
    pos_cmac_prepare_on(path, bytes, sizeof bytes, &key);
    pos_cmac_prepare_on(POS_CPU_PORTABLE, bytes, sizeof bytes, &plain);
    make_jobs(70, 0, 300);
    pos_token_wave(&key, jobs, 70);
    for (size_t index = 0; index < 70; index++) {
        uint8_t wanted[16];
        pos_cmac(&plain, jobs[index].data, jobs[index].size, wanted);
        must(memcmp(wanted, jobs[index].token, sizeof wanted) == 0, "token");
    }
}

static void say_all(pos_cpu_path most)
{
    char name[64];
    say_rate("memcpy", copy_page, most);
    for (int path = POS_CPU_PORTABLE; path <= (int)most; path++) {
        if (path == POS_CPU_AVX2) continue; /* as sse42 */
        snprintf(name, sizeof name, "crc32c %s", pos_cpu_path_name((pos_cpu_path)path));
        say_rate(name, sum_crc, (pos_cpu_path)path);
    }
    say_rate("sha256 portable", digest_portably, most);
    say_rate("sha256", digest_whole, most);
    say_rate("sha256 in two halves", digest_as_the_journal, most);
    for (int path = POS_CPU_SSE42; path <= (int)most; path++) {
        if (path == POS_CPU_AVX2) continue; /* as sse42 */
        const char *way = pos_cpu_path_name((pos_cpu_path)path);
        for (size_t count = 64; count <= WAVE_MAX; count *= 8) {
            make_jobs(count, 16, 19);
            snprintf(name, sizeof name, "token %s %zu", way, count);
            say_tokens(name, take_tokens, (pos_cpu_path)path, count);
            make_jobs(count, 200, 300);
            snprintf(name, sizeof name, "fingerprint %s %zu", way, count);
            say_tokens(name, take_tokens, (pos_cpu_path)path, count);
        }
    }
    make_jobs(64, 16, 19);
    say_tokens("token alone", take_tokens_one_by_one, most, 64);
    make_jobs(64, 200, 300);
    say_tokens("fingerprint alone", take_tokens_one_by_one, most, 64);
}

int main(int count, char **words)
{
    const int runs = count > 1 ? atoi(words[1]) : 7;
    uint32_t seed = 1;
    for (size_t index = 0; index < PAGE_SIZE; index++) {
        seed = seed * 1664525U + 1013904223U;
        page[index] = (uint8_t)(seed >> 16);
    }
    for (size_t index = 0; index < WAVE_MAX; index++) {
        memcpy(messages[index], page + 61 * index, MESSAGE_MAX);
    }
    for (int path = POS_CPU_PORTABLE; path <= (int)pos_cpu_path_best(); path++) {
        check((pos_cpu_path)path);
    }
    for (int run = 0; run < runs; run++) say_all(pos_cpu_path_now());
    return 0;
}
