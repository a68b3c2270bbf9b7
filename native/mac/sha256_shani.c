/*
 * SHA-256's compression by the processor's own instructions. Oracle: sha256.c's portable way.
 *
 * The instructions want the eight words as ABEF and CDGH, and do two rounds each. Four words of
 * schedule are four rounds; the group of four that comes four groups later is made of the four
 * groups at hand.
 */
#include "mac/sha256.h"

#if defined(__SHA__)
#include <immintrin.h>

static inline __m128i loaded(const void *from)
{
    return _mm_loadu_si128((const __m128i *)from);
}

static inline void stored(void *to, __m128i value)
{
    _mm_storeu_si128((__m128i *)to, value);
}

typedef struct state {
    __m128i abef;
    __m128i cdgh;
} state;

static inline state state_of(const uint32_t words[8])
{
    const __m128i cdab = _mm_shuffle_epi32(loaded(words), 0xB1);
    const __m128i efgh = _mm_shuffle_epi32(loaded(words + 4), 0x1B);
    return (state){.abef = _mm_alignr_epi8(cdab, efgh, 8),
                   .cdgh = _mm_blend_epi16(efgh, cdab, 0xF0)};
}

static inline void put_state(uint32_t words[8], state from)
{
    const __m128i feba = _mm_shuffle_epi32(from.abef, 0x1B);
    const __m128i dchg = _mm_shuffle_epi32(from.cdgh, 0xB1);
    stored(words, _mm_blend_epi16(feba, dchg, 0xF0));
    stored(words + 4, _mm_alignr_epi8(dchg, feba, 8));
}

static inline void read_block(__m128i schedule[4], const uint8_t *block)
{
    const __m128i reversed = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    for (size_t group = 0; group < 4; group++) {
        schedule[group] = _mm_shuffle_epi8(loaded(block + 16 * group), reversed);
    }
}

/* Four rounds; in the first twelve groups the words of the group four later take the place. */
static inline __attribute__((always_inline)) void take_rounds(state *now, __m128i schedule[4],
                                                              size_t group)
{
    const __m128i words = schedule[group % 4];
    const __m128i sum = _mm_add_epi32(words, loaded(pos_sha256_constants + 4 * group));
    now->cdgh = _mm_sha256rnds2_epu32(now->cdgh, now->abef, sum);
    now->abef = _mm_sha256rnds2_epu32(now->abef, now->cdgh, _mm_shuffle_epi32(sum, 0x0E));
    if (group >= 12) return;
    const __m128i last = schedule[(group + 3) % 4];
    const __m128i seventh = _mm_alignr_epi8(last, schedule[(group + 2) % 4], 4);
    const __m128i far = _mm_sha256msg1_epu32(words, schedule[(group + 1) % 4]);
    schedule[group % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(far, seventh), last);
}

static inline void add(state *now, state before)
{
    now->abef = _mm_add_epi32(now->abef, before.abef);
    now->cdgh = _mm_add_epi32(now->cdgh, before.cdgh);
}

void pos_sha256_blocks_shani(uint32_t words[8], const uint8_t *blocks, size_t block_count)
{
    state now = state_of(words);
    for (size_t block = 0; block < block_count; block++) {
        const state before = now;
        __m128i schedule[4];
        read_block(schedule, blocks + 64 * block);
#pragma GCC unroll 16
        for (size_t group = 0; group < 16; group++) take_rounds(&now, schedule, group);
        add(&now, before);
    }
    put_state(words, now);
}

void pos_sha256_pair_shani(uint32_t left_words[8], uint32_t right_words[8],
                           const uint8_t *left_blocks, const uint8_t *right_blocks,
                           size_t block_count)
{
    state left = state_of(left_words);
    state right = state_of(right_words);
    for (size_t block = 0; block < block_count; block++) {
        const state left_before = left;
        const state right_before = right;
        __m128i left_schedule[4];
        __m128i right_schedule[4];
        read_block(left_schedule, left_blocks + 64 * block);
        read_block(right_schedule, right_blocks + 64 * block);
#pragma GCC unroll 16
        for (size_t group = 0; group < 16; group++) {
            take_rounds(&left, left_schedule, group);
            take_rounds(&right, right_schedule, group);
        }
        add(&left, left_before);
        add(&right, right_before);
    }
    put_state(left_words, left);
    put_state(right_words, right);
}
#else
#include <stdlib.h>

/* Never called: pos_cpu_has_sha says no on these processors. */
void pos_sha256_blocks_shani(uint32_t words[8], const uint8_t *blocks, size_t block_count)
{
    (void)words;
    (void)blocks;
    (void)block_count;
    abort();
}
void pos_sha256_pair_shani(uint32_t left_words[8], uint32_t right_words[8],
                           const uint8_t *left_blocks, const uint8_t *right_blocks,
                           size_t block_count)
{
    (void)left_words;
    (void)right_words;
    (void)left_blocks;
    (void)right_blocks;
    (void)block_count;
    abort();
}
#endif
