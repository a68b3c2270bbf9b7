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

void pos_sha256_blocks_shani(uint32_t words[8], const uint8_t *blocks, size_t block_count)
{
    const __m128i reversed = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const __m128i cdab = _mm_shuffle_epi32(loaded(words), 0xB1);
    const __m128i efgh = _mm_shuffle_epi32(loaded(words + 4), 0x1B);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
    __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);

    for (size_t block = 0; block < block_count; block++, blocks += 64) {
        const __m128i abef_before = abef;
        const __m128i cdgh_before = cdgh;
        __m128i schedule[4];
        for (size_t group = 0; group < 4; group++) {
            schedule[group] = _mm_shuffle_epi8(loaded(blocks + 16 * group), reversed);
        }
        for (size_t group = 0; group < 16; group++) {
            const __m128i now = schedule[group % 4];
            const __m128i sum = _mm_add_epi32(now, loaded(pos_sha256_constants + 4 * group));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0E));
            if (group >= 12) continue;
            const __m128i last = schedule[(group + 3) % 4];
            const __m128i seventh = _mm_alignr_epi8(last, schedule[(group + 2) % 4], 4);
            const __m128i far = _mm_sha256msg1_epu32(now, schedule[(group + 1) % 4]);
            schedule[group % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(far, seventh), last);
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    const __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
    const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    stored(words, _mm_blend_epi16(feba, dchg, 0xF0));
    stored(words + 4, _mm_alignr_epi8(dchg, feba, 8));
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
#endif
