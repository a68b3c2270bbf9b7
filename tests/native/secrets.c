/*
 * Does anything that the processor does depend on a secret? Two ways to ask, for every MAC by every
 * path; tests/integration/test_constant_time.py asks both.
 *
 *   secrets undefined PATH          keys and messages are marked undefined, and valgrind's memcheck
 *                                   counts the branches and addresses that are made of them
 *   secrets traced PATH TARGET      the target runs twice, with other secrets, while another process
 *                                   steps through it. Printed: the steps; how often the two were at
 *                                   different places (branches); and each place where a general
 *                                   register was not the same in both, with a mask of those that were
 *                                   not: an instruction there may add them, and not address by them
 *   secrets targets                 the names, a line each
 *
 * Memcheck knows no AVX-512; a trace sees two secrets and not all, but every instruction there is.
 * Targets that begin with "leak" leak on purpose: who does not see them sees nothing.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_UNDEFINED(at, size) ((void)(at), (void)(size))
#define VALGRIND_COUNT_ERRORS 0
#define RUNNING_ON_VALGRIND 0
#endif

#include "mac/aes.h"
#include "mac/mac.h"

#define JOBS_MAX 512
#define JOBS_USUAL 20 /* a few passes of every other kernel */
#define SIZE_MAX_COVERED 64
#define STEPS_MAX 300000
#define PLACES_MAX 20000

enum { MISUSED = 2, TRACE_FAILED = 3, TRACE_TOO_LONG = 4 };

static struct {
    uint8_t keys[JOBS_MAX][32];
    uint8_t data[JOBS_MAX][SIZE_MAX_COVERED];
} secret;
static pos_key keys[JOBS_MAX];
static pos_mac_job jobs[JOBS_MAX];
static pos_token_job tokens[JOBS_MAX];
static uint8_t table[256 * 64];
static volatile uint8_t result;

/* Few where it takes long; sizes that are whole blocks, and not. */
static size_t usual_jobs(pos_cpu_path path)
{
    return path == POS_CPU_PORTABLE ? 2 : path == POS_CPU_AVX512 ? JOBS_USUAL : 9;
}

static void make_jobs(pos_mac_algorithm algorithm, size_t key_size, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        pos_key *key = &keys[index];
        key->usage = POS_KEY_MAK;
        key->size = (uint8_t)key_size;
        memcpy(key->bytes, secret.keys[index], key_size);
        jobs[index] = (pos_mac_job){.key = key, .covered = secret.data[index],
                                    .covered_size = (uint32_t)(SIZE_MAX_COVERED - index % 24),
                                    .algorithm = (uint8_t)algorithm};
    }
}

/* ---- what is asked about: `make` stages the secrets, `run` is watched ----------------------------- */
typedef struct target {
    const char *name;
    pos_mac_algorithm algorithm; /* NONE: not a MAC by the wave */
    size_t key_size;
    void (*run)(pos_cpu_path path);
    size_t jobs; /* 0: as many as usual */
} target;

static size_t job_count; /* of the target that runs */

static void run_wave(pos_cpu_path path)
{
    pos_mac_wave_on(path, jobs, job_count);
}

static pos_cmac_key token_key;

static void run_tokens(pos_cpu_path path)
{
    (void)path;
    pos_token_wave(&token_key, tokens, job_count);
}

static void run_token_key(pos_cpu_path path)
{
    pos_cmac_prepare_on(path, secret.keys[0], 32, &token_key);
}

static pos_aes_key block_key;

static void run_blocks(pos_cpu_path path)
{
    (void)path;
    pos_aes_encrypt_blocks(&block_key, secret.data[0], 4 * job_count, secret.data[0]);
}

static void run_block_back(pos_cpu_path path)
{
    (void)path;
    pos_aes_decrypt(&block_key, secret.data[0], secret.data[0]);
}

static void run_field(pos_cpu_path path)
{
    static uint8_t field[64];
    (void)path;
    pos_mac_field(secret.keys[0], POS_MAC_OUTPUT_HEX, field, 64);
    pos_mac_field(secret.keys[0], POS_MAC_OUTPUT_HEX, field, 7);
    pos_mac_field(secret.keys[0], POS_MAC_OUTPUT_RAW, field, 8);
}

static void run_equal(pos_cpu_path path)
{
    (void)path;
    result = pos_mac_equal(secret.keys[0], secret.keys[1], 8);
    result = pos_mac_equal(secret.keys[0], secret.keys[1], 32);
}

static void run_leaking_table(pos_cpu_path path)
{
    (void)path;
    for (size_t byte = 0; byte < 16; byte++) result = table[64 * secret.keys[0][byte]];
}

/* Sixteen of them: two secrets alike in all are not to be had. */
static void run_leaking_comparing(pos_cpu_path path)
{
    (void)path;
    for (size_t index = 0; index < 16; index++) {
        const volatile uint8_t *ours = secret.keys[index];
        size_t same = 0;
        while (same < 32 && ours[same] < 0x80) same++;
        result = (uint8_t)same;
    }
}

static void run_leaking_division(pos_cpu_path path)
{
    (void)path;
    result = (uint8_t)(1000003U / (secret.keys[0][0] + 1U));
}

static const target TARGETS[] = {
    {"unionpay-ecb", POS_MAC_UNIONPAY_ECB, 16, run_wave, 0},
    {"unionpay-ecb-des", POS_MAC_UNIONPAY_ECB, 8, run_wave, 0},
    {"x9.9", POS_MAC_X9_9, 8, run_wave, 0},
    {"x9.19", POS_MAC_X9_19, 16, run_wave, 0},
    {"unionpay-ecb-512", POS_MAC_UNIONPAY_ECB, 16, run_wave, 512}, /* a whole pass of bits, */
    {"x9.9-400", POS_MAC_X9_9, 8, run_wave, 400},                  /* and one in part */
    {"aes-cmac", POS_MAC_AES_CMAC, 16, run_wave, 0},
    {"aes-cmac-192", POS_MAC_AES_CMAC, 24, run_wave, 0},
    {"aes-cmac-256", POS_MAC_AES_CMAC, 32, run_wave, 0},
    {"hmac-sha256", POS_MAC_HMAC_SHA256, 32, run_wave, 0},
    {"sm4-unionpay", POS_MAC_SM4_UNIONPAY, 16, run_wave, 0},
    {"sm4-cbc", POS_MAC_SM4_CBC, 16, run_wave, 0},
    {"tokens", POS_MAC_NONE, 32, run_tokens, 0},
    {"token-key", POS_MAC_NONE, 32, run_token_key, 0},
    {"aes-blocks", POS_MAC_NONE, 32, run_blocks, 0},
    {"aes-block-back", POS_MAC_NONE, 32, run_block_back, 0},
    {"field", POS_MAC_NONE, 32, run_field, 0},
    {"equal", POS_MAC_NONE, 32, run_equal, 0},
    {"leak-table", POS_MAC_NONE, 32, run_leaking_table, 0},
    {"leak-comparing", POS_MAC_NONE, 32, run_leaking_comparing, 0},
    {"leak-division", POS_MAC_NONE, 32, run_leaking_division, 0},
};
#define TARGET_COUNT (sizeof TARGETS / sizeof TARGETS[0])

static void make(const target *what, pos_cpu_path path, uint32_t seed)
{
    uint8_t *bytes = (uint8_t *)&secret;
    for (size_t index = 0; index < sizeof secret; index++) {
        seed = seed * 1664525U + 1013904223U;
        bytes[index] = (uint8_t)(seed >> 16);
    }
    if (RUNNING_ON_VALGRIND) VALGRIND_MAKE_MEM_UNDEFINED(&secret, sizeof secret);
    job_count = what->jobs > 0 ? what->jobs : usual_jobs(path);
    make_jobs(what->algorithm, what->key_size, job_count);
    for (size_t index = 0; index < job_count; index++) {
        tokens[index] = (pos_token_job){.data = secret.data[index],
                                        .size = (uint32_t)(12 + index % 8)};
    }
    pos_aes_prepare_on(path, secret.keys[0], 32, &block_key);
    if (what->run == run_tokens) pos_cmac_prepare_on(path, secret.keys[0], 32, &token_key);
}

/* ---- stepped through ------------------------------------------------------------------------------ */
/* No register holds what making the secrets left there. */
__attribute__((noinline)) static void watched(const target *what, pos_cpu_path path)
{
    __asm__ volatile("xor %%eax, %%eax; xor %%ebx, %%ebx; xor %%ecx, %%ecx; xor %%edx, %%edx;"
                     "xor %%r8d, %%r8d; xor %%r9d, %%r9d; xor %%r10d, %%r10d; xor %%r11d, %%r11d;"
                     "xor %%r12d, %%r12d; xor %%r13d, %%r13d; xor %%r14d, %%r14d;"
                     "xor %%r15d, %%r15d"
                     :
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "cc", "memory");
    __asm__ volatile("int3" ::: "memory"); /* stepped through from here */
    what->run(path);
    __asm__ volatile("int3" ::: "memory"); /* to here */
}

static void be_watched(const target *what, pos_cpu_path path)
{
    make(what, path, 99); /* once unwatched: what is found out once is found out */
    what->run(path);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(TRACE_FAILED);
    raise(SIGSTOP);
    for (uint32_t run = 0; run < 2; run++) {
        make(what, path, 1000 * run + 1);
        watched(what, path);
    }
    _exit(0);
}

#define REGISTERS 16

typedef struct step {
    uint64_t place;
    uint64_t registers[REGISTERS]; /* in the order of their numbers in instructions */
} step;

static step traces[2][STEPS_MAX];

static step step_of(const struct user_regs_struct *from)
{
    return (step){.place = from->rip,
                  .registers = {from->rax, from->rcx, from->rdx, from->rbx, from->rsp, from->rbp,
                                from->rsi, from->rdi, from->r8, from->r9, from->r10, from->r11,
                                from->r12, from->r13, from->r14, from->r15}};
}

/* Lets the child go on, by a step or to its next stop; false where it has ended. */
static bool go_on(pid_t child, int how)
{
    int status = 0;
    if (ptrace(how, child, NULL, NULL) != 0) exit(TRACE_FAILED);
    if (waitpid(child, &status, 0) != child) exit(TRACE_FAILED);
    return WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
}

/* Every step from one int3 to the next. */
static size_t trace(pid_t child, step *into)
{
    struct user_regs_struct now;
    if (!go_on(child, PTRACE_CONT)) exit(TRACE_FAILED);
    for (size_t count = 0; count < STEPS_MAX; count++) {
        if (ptrace(PTRACE_GETREGS, child, NULL, &now) != 0) exit(TRACE_FAILED);
        into[count] = step_of(&now);
        const long word = ptrace(PTRACE_PEEKTEXT, child, (void *)(uintptr_t)now.rip, NULL);
        if ((word & 0xff) == 0xcc) return count;
        if (!go_on(child, PTRACE_SINGLESTEP)) exit(TRACE_FAILED);
    }
    exit(TRACE_TOO_LONG);
}

static unsigned apart(const step *left, const step *right)
{
    unsigned mask = 0;
    for (unsigned number = 0; number < REGISTERS; number++) {
        mask |= (unsigned)(left->registers[number] != right->registers[number]) << number;
    }
    return mask;
}

static void print_places(size_t count)
{
    static struct {
        uint64_t place;
        unsigned mask;
    } found[PLACES_MAX];
    size_t places = 0;
    for (size_t at = 0; at < count; at++) {
        const unsigned mask = apart(&traces[0][at], &traces[1][at]);
        if (mask == 0) continue;
        size_t index = 0;
        while (index < places && found[index].place != traces[0][at].place) index++;
        if (index == PLACES_MAX) exit(TRACE_FAILED);
        if (index == places) found[places++].place = traces[0][at].place;
        found[index].mask |= mask;
    }
    for (size_t index = 0; index < places; index++) {
        printf("%s[%llu, %u]", index == 0 ? "" : ", ", (unsigned long long)found[index].place,
               found[index].mask);
    }
}

static int watch(const target *what, pos_cpu_path path)
{
    const pid_t child = fork();
    if (child == 0) be_watched(what, path);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
        return TRACE_FAILED;
    }
    const size_t count = trace(child, traces[0]);
    if (!go_on(child, PTRACE_CONT)) exit(TRACE_FAILED); /* past the first run's second int3 */
    const size_t again = trace(child, traces[1]);
    ptrace(PTRACE_KILL, child, NULL, NULL);
    waitpid(child, &status, 0);
    size_t branches = again == count ? 0 : 1;
    const size_t shared = again < count ? again : count;
    for (size_t at = 0; at < shared; at++) branches += traces[0][at].place != traces[1][at].place;
    printf("{\"steps\": %zu, \"branches\": %zu, \"apart\": [", count, branches);
    if (branches == 0) print_places(count);
    printf("]}\n");
    return 0;
}

static int run_all_undefined(pos_cpu_path path)
{
    if (!RUNNING_ON_VALGRIND) return TRACE_FAILED;
    for (size_t index = 0; index < TARGET_COUNT; index++) {
        make(&TARGETS[index], path, 1);
        const unsigned long before = VALGRIND_COUNT_ERRORS;
        TARGETS[index].run(path);
        const unsigned long errors = VALGRIND_COUNT_ERRORS - before;
        printf("{\"target\": \"%s\", \"errors\": %lu}\n", TARGETS[index].name, errors);
    }
    return 0;
}

int main(int count, char **words)
{
    pos_cpu_path path = POS_CPU_PORTABLE;
    for (size_t at = 0; at < sizeof table; at++) table[at] = (uint8_t)(at * (size_t)count);
    if (count == 2 && strcmp(words[1], "targets") == 0) {
        for (size_t index = 0; index < TARGET_COUNT; index++) puts(TARGETS[index].name);
        return 0;
    }
    if (count < 3 || !pos_cpu_path_of(words[2], &path)) return MISUSED;
    if (path > pos_cpu_path_best()) return TRACE_FAILED;
    if (count == 3 && strcmp(words[1], "undefined") == 0) return run_all_undefined(path);
    for (size_t index = 0; index < TARGET_COUNT && count == 4; index++) {
        if (strcmp(words[3], TARGETS[index].name) == 0) return watch(&TARGETS[index], path);
    }
    return MISUSED;
}
