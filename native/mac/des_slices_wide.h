/*
 * Bit slices by vectors of the compiler's own: and, or, xor, shifts of 64-bit words. Included by a
 * file that has set SLICES, a multiple of 64, and is compiled for vectors of so many bits.
 */
#include <assert.h>

#include "mac/des_wave.h"

#define AHEAD 1
#define HALF 28 /* of a key */
#define WORDS (SLICES / 64) /* in a vector */
#define VECTOR slice_vector
typedef uint64_t slice_vector __attribute__((vector_size(SLICES / 8)));

#define NONE ((VECTOR){0})
#define EVERY (~(VECTOR){0})
#define AND(a, b) ((a) & (b))
#define OR(a, b) ((a) | (b))
#define XOR(a, b) ((a) ^ (b))
#define ANDNOT(a, b) ((a) & ~(b))
#define NOT(a) (~(a))
#include "mac/des_circuit_binary.h"

/* Bit i of row k becomes bit k of row i, in each word of the vectors by itself. */
static void turn_bits(VECTOR rows[64])
{
    static const uint64_t LOW[6] = {0x00000000ffffffff, 0x0000ffff0000ffff, 0x00ff00ff00ff00ff,
                                    0x0f0f0f0f0f0f0f0f, 0x3333333333333333, 0x5555555555555555};
    for (unsigned stage = 0; stage < 6; stage++) {
        const unsigned apart = 32U >> stage;
        const VECTOR low = LOW[stage] - (VECTOR){0};
        for (size_t row = 0; row < 64; row = (row + apart + 1) & ~(size_t)apart) {
            const VECTOR changed = ((rows[row] >> apart) ^ rows[row + apart]) & low;
            rows[row + apart] ^= changed;
            rows[row] ^= changed << apart;
        }
    }
}

/* Lane WORDS * k + i is bit k of word i. */
static void planes_of(const uint64_t words[SLICES], VECTOR planes_out[64])
{
    for (size_t row = 0; row < 64; row++) {
        for (size_t word = 0; word < WORDS; word++) planes_out[row][word] = words[WORDS * row + word];
    }
    turn_bits(planes_out);
}

static void words_of(VECTOR planes[64], uint64_t words_out[SLICES])
{
    turn_bits(planes);
    for (size_t row = 0; row < 64; row++) {
        for (size_t word = 0; word < WORDS; word++) words_out[WORDS * row + word] = planes[row][word];
    }
}

#include "mac/des_slices_pass.h"
