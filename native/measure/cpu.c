/*
 * Which processor this is, asked of the processor itself: CPUID, and XGETBV for the registers that
 * the system saves.
 *
 *   portable   C11 alone
 *   sse42      SSE4.2, POPCNT, PCLMULQDQ, AES-NI                  (Westmere, 2010)
 *   avx2       and AVX2, BMI2                                     (Haswell, 2013; Zen, 2017)
 *   avx512     and AVX-512 F BW DQ VL VBMI, GFNI, VAES, VPCLMULQDQ (Ice Lake, 2019; Zen 4, 2022)
 *
 * The paths are a ladder: each has what those below it have. The environment's POSENGINE_CPU names
 * the highest that may be used, so that all of them are tested, and measured, on one machine.
 *
 * All is asked once a process and remembered: under a hypervisor CPUID is a trap, dear beside a MAC.
 */
#include "measure/measure.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const NAMES[POS_CPU_PATH_COUNT] = {"portable", "sse42", "avx2", "avx512"};

const char *pos_cpu_path_name(pos_cpu_path path)
{
    assert(path < POS_CPU_PATH_COUNT);
    return NAMES[path];
}

bool pos_cpu_path_of(const char *name, pos_cpu_path *path_out)
{
    assert(name != NULL && path_out != NULL);
    for (unsigned path = 0; path < POS_CPU_PATH_COUNT; path++) {
        if (strcmp(name, NAMES[path]) != 0) continue;
        *path_out = (pos_cpu_path)path;
        return true;
    }
    return false;
}

typedef struct facts {
    pos_cpu_path best;
    pos_cpu_path now;
    bool has_sha;
    bool is_met; /* what the environment asked for */
} facts;

#define IS_KNOWN 0x100U
#define HAS_SHA 0x200U
#define IS_MET 0x400U

#if defined(__x86_64__)
#include <cpuid.h>

typedef struct leaves {
    unsigned ecx1, ebx7, ecx7;
    uint64_t saved; /* XCR0: register states that the system keeps over a switch */
} leaves;

static leaves asked(void)
{
    leaves from = {0};
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned edx = 0;
    if (__get_cpuid(1, &eax, &ebx, &from.ecx1, &edx) == 0) return from;
    (void)__get_cpuid_count(7, 0, &eax, &from.ebx7, &from.ecx7, &edx);
    if ((from.ecx1 & bit_OSXSAVE) != 0) {
        unsigned low = 0;
        unsigned high = 0;
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        from.saved = (uint64_t)high << 32 | low;
    }
    return from;
}

static bool has(unsigned bits, unsigned wanted)
{
    return (bits & wanted) == wanted;
}

static pos_cpu_path best_of(const leaves *from)
{
    const uint64_t ymm = 0x06; /* SSE and AVX state */
    const uint64_t zmm = 0xe6; /* and opmask, both halves of ZMM */
    /* POPCNT: compilers take it for a part of SSE4.2. */
    if (!has(from->ecx1,
             bit_SSSE3 | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT | bit_PCLMUL | bit_AES)) {
        return POS_CPU_PORTABLE;
    }
    if ((from->saved & ymm) != ymm || !has(from->ecx1, bit_AVX)
        || !has(from->ebx7, bit_AVX2 | bit_BMI | bit_BMI2)) {
        return POS_CPU_SSE42;
    }
    if ((from->saved & zmm) != zmm
        || !has(from->ebx7, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL)
        || !has(from->ecx7, bit_AVX512VBMI | bit_GFNI | bit_VAES | bit_VPCLMULQDQ)) {
        return POS_CPU_AVX2;
    }
    return POS_CPU_AVX512;
}

static facts found(void)
{
    const leaves from = asked();
    return (facts){.best = best_of(&from), .has_sha = has(from.ebx7, bit_SHA)};
}
#else
static facts found(void)
{
    return (facts){.best = POS_CPU_PORTABLE};
}
#endif

static facts judged(void)
{
    facts about = found();
    pos_cpu_path most = POS_CPU_PORTABLE;
    const char *name = getenv("POSENGINE_CPU");
    about.now = about.best;
    about.is_met = name == NULL || name[0] == '\0';
    if (!about.is_met && pos_cpu_path_of(name, &most)) {
        about.is_met = most <= about.best;
        if (about.is_met) about.now = most;
    }
    about.has_sha = about.has_sha && about.now >= POS_CPU_SSE42;
    return about;
}

/* A fact of the process: whoever finds it out first, finds the same. */
static facts known(void)
{
    static atomic_uint kept; /* IS_KNOWN, and the facts; 0 before anybody asked */
    unsigned bits = atomic_load_explicit(&kept, memory_order_relaxed);
    if (bits == 0) {
        const facts about = judged();
        bits = IS_KNOWN | (unsigned)about.best | (unsigned)about.now << 4
               | (about.has_sha ? HAS_SHA : 0) | (about.is_met ? IS_MET : 0);
        atomic_store_explicit(&kept, bits, memory_order_relaxed);
    }
    return (facts){.best = bits & 0xf, .now = bits >> 4 & 0xf,
                   .has_sha = (bits & HAS_SHA) != 0, .is_met = (bits & IS_MET) != 0};
}

pos_cpu_path pos_cpu_path_best(void)
{
    return known().best;
}

pos_cpu_path pos_cpu_path_now(void)
{
    return known().now;
}

bool pos_cpu_has_sha(void)
{
    return known().has_sha;
}

bool pos_cpu_asked_is_met(void)
{
    return known().is_met;
}
