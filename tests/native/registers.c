/*
 * Does what uses wide registers leave their upper halves in use? tests/integration/test_registers.py asks,
 * of the objects that run, linked as they are.
 *
 *   registers JOURNAL SPEC.image MESSAGE_HEX      a line for each: its name, and what it left in use: 0,
 *                                                 or bits of XINUSE: 4 the upper halves of ymm, 40 of zmm
 *
 * Where they are in use, every instruction of the older encoding has to keep them, and waits for what
 * wrote them: SHA-256's took 190 us for a page instead of 75. "leaves" does it on purpose.
 * POSENGINE_CPU says which path.
 */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes/bytes.h"
#include "journal/journal.h"
#include "mac/aes.h"
#include "mac/mac.h"
#include "message/message.h"

#define JOBS_MAX 512
#define BODY_MAX 2048
#define UPPER_HALVES 0x44U
#define CANNOT_TELL 3

static const char *place;
static pos_cpu_path path;
static pos_spec *spec;
static uint8_t body[BODY_MAX];
static size_t body_size;
static uint8_t data[1 << 17];

static void clear(void)
{
    __asm__ volatile("vzeroupper" ::: "memory");
}

static unsigned left_in_use(void)
{
    unsigned low = 0;
    unsigned high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
    return low & UPPER_HALVES;
}

static bool can_tell(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (path < POS_CPU_AVX2 || !pos_cpu_asked_is_met()) return false;
    return __get_cpuid_count(0xD, 1, &a, &b, &c, &d) != 0 && (a & 4U) != 0;
}

/* ---- what is asked about ------------------------------------------------------------------------- */
static volatile uint32_t kept;

static void run_crc(void)
{
    for (size_t size = 1; size < sizeof data; size += 1 + size / 3) {
        kept = pos_crc32c(kept, data, size);
    }
}

/* Pages of both sizes are written as they always are, account numbers enciphered; then judged. */
static void run_page(void)
{
    static const uint8_t master_key[32] = {1};
    const pos_journal_options options = {
        .volume_size_max = 4U << 20, .keep_pan = true, .master_key = master_key};
    pos_journal *journal = NULL;
    if (pos_journal_open(place, &options, &journal) != POS_OK) abort();
    pos_page page;
    static const unsigned COUNTS[] = {1, 400};
    for (size_t at = 0; at < sizeof COUNTS / sizeof COUNTS[0]; at++) {
        pos_entry entry = {.request = data, .request_size = 100};
        for (unsigned index = 0; index < COUNTS[at]; index++) {
            if (pos_journal_stage(journal, &entry) != POS_OK) abort();
            pos_journal_keep_pan(journal, "6225000000000014", 16);
        }
        if (pos_journal_commit(journal, NULL) != POS_OK) abort();
        if (pos_journal_page(journal, entry.sequence, &page) != POS_OK) abort();
        if (pos_page_sums(&page) != POS_OK) abort();
    }
    pos_journal_close(journal);
}

static void run_digest(void)
{
    uint8_t digests[2][32];
    pos_sha256_pair(data, 5000, data + 5000, 4000, digests[0], digests[1]);
}

static void run_macs(pos_mac_algorithm algorithm, uint8_t key_size)
{
    static pos_key keys[JOBS_MAX];
    static pos_mac_job jobs[JOBS_MAX];
    static const size_t COUNTS[] = {1, 3, 4, 15, 16, 17, 63, 64, 100, 383, 384, 512};
    for (size_t index = 0; index < JOBS_MAX; index++) {
        keys[index] = (pos_key){.usage = POS_KEY_MAK, .size = key_size};
        memset(keys[index].bytes, (int)(index + 1), key_size);
        jobs[index] = (pos_mac_job){.key = &keys[index], .covered = data + 64 * index,
                                    .covered_size = (uint32_t)(60 + index % 9),
                                    .algorithm = (uint8_t)algorithm};
    }
    for (size_t at = 0; at < sizeof COUNTS / sizeof COUNTS[0]; at++) {
        pos_mac_wave_on(path, jobs, COUNTS[at]);
    }
}

static void run_ecb(void) { run_macs(POS_MAC_UNIONPAY_ECB, 16); }
static void run_x9_9(void) { run_macs(POS_MAC_X9_9, 8); }
static void run_x9_19(void) { run_macs(POS_MAC_X9_19, 16); }
static void run_cmac(void) { run_macs(POS_MAC_AES_CMAC, 16); }
static void run_cmac_256(void) { run_macs(POS_MAC_AES_CMAC, 32); }
static void run_hmac(void) { run_macs(POS_MAC_HMAC_SHA256, 32); }
static void run_sm4(void) { run_macs(POS_MAC_SM4_UNIONPAY, 16); }
static void run_sm4_cbc(void) { run_macs(POS_MAC_SM4_CBC, 16); }

static void run_tokens(void)
{
    static pos_token_job tokens[JOBS_MAX];
    pos_cmac_key key;
    pos_cmac_prepare_on(path, data, 32, &key);
    for (size_t index = 0; index < JOBS_MAX; index++) {
        tokens[index] = (pos_token_job){.data = data + 20 * index, .size = 16};
    }
    for (size_t count = 1; count <= JOBS_MAX; count += count + 1) pos_token_wave(&key, tokens, count);
}

static void run_blocks(void)
{
    pos_aes_key key;
    pos_aes_prepare_on(path, data, 32, &key);
    for (size_t count = 1; count < 400; count += 1 + count / 2) {
        pos_aes_encrypt_blocks(&key, data, count, data);
    }
}

static void run_parse(void)
{
    static pos_message messages[JOBS_MAX];
    static pos_parse_job jobs[JOBS_MAX];
    pos_plan_cache *cache = NULL;
    if (pos_plan_cache_open(spec, &cache) != POS_OK) abort();
    for (unsigned round = 0; round < 4; round++) { /* table loop, plan, cast */
        for (size_t index = 0; index < JOBS_MAX; index++) {
            jobs[index] = (pos_parse_job){
                .body = body, .size = (uint32_t)body_size, .message = &messages[index]};
        }
        pos_message_parse_wave(cache, jobs, JOBS_MAX);
        if (jobs[JOBS_MAX - 1].status != POS_OK) abort();
    }
    pos_plan_cache_close(cache);
}

static void run_leaving(void)
{
    __asm__ volatile("vpcmpeqd %%ymm0, %%ymm0, %%ymm0" ::: "memory");
}

static const struct {
    const char *name;
    void (*run)(void);
} ASKED[] = {
    {"crc32c", run_crc},
    {"page", run_page},
    {"digest", run_digest},
    {"unionpay-ecb", run_ecb},
    {"x9.9", run_x9_9},
    {"x9.19", run_x9_19},
    {"aes-cmac", run_cmac},
    {"aes-cmac-256", run_cmac_256},
    {"hmac-sha256", run_hmac},
    {"sm4-unionpay", run_sm4},
    {"sm4-cbc", run_sm4_cbc},
    {"tokens", run_tokens},
    {"aes-blocks", run_blocks},
    {"parse", run_parse},
    {"leaves", run_leaving},
};

static void read_image(const char *name)
{
    static uint8_t image[1 << 20];
    FILE *file = fopen(name, "rb");
    if (file == NULL) exit(2);
    const size_t size = fread(image, 1, sizeof image, file);
    (void)fclose(file);
    if (pos_spec_open(image, size, &spec) != POS_OK) exit(2);
}

int main(int count, char **words)
{
    if (count != 4) return 2;
    path = pos_cpu_path_now();
    if (!can_tell()) return CANNOT_TELL;
    place = words[1];
    read_image(words[2]);
    body_size = strlen(words[3]) / 2;
    if (body_size > sizeof body) return 2;
    for (size_t index = 0; index < body_size; index++) {
        unsigned byte = 0;
        if (sscanf(words[3] + 2 * index, "%2x", &byte) != 1) return 2;
        body[index] = (uint8_t)byte;
    }
    for (size_t index = 0; index < sizeof ASKED / sizeof ASKED[0]; index++) {
        clear();
        ASKED[index].run();
        const unsigned left = left_in_use();
        clear();
        printf("%s %x\n", ASKED[index].name, left);
    }
    pos_spec_close(spec);
    return 0;
}
