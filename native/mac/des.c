/*
 * DES and 3DES (FIPS 46-3), constant time, one block at a time.
 *
 *   R, 32 bits: a hex digit a S-box              the S-box inputs overlap by one bit either side
 *     S1   S2   S3  ..  S8                         b1 │ b2 b3 b4 b5 │ b6
 *     b2b3b4b5 each                                └ last bit of the digit before, first of the next
 *
 * All eight S-boxes are evaluated at once. COLUMNS says for each of the 64 inputs what the eight
 * S-boxes give, as eight hex digits: the column of input 0 is EFA72C4D, for S1 gives 14, S2 15, S3
 * 10 and so on. The whole table goes through a tree of selections: the sixth input bit halves it
 * (64 to 32), the fifth halves that, ... until one column is left. Each of the 32 bits selects by
 * its own S-box's input, so a selection is three operations on all of them, and no address and no
 * branch depends on the key or the text.
 *
 * Two columns share a word: the low half has b1 = 0, the high half b1 = 1.
 */
#include <assert.h>

#include "mac/block.h"

#define EACH_DIGIT 0x11111111U

/* {b6 = 0, b6 = 1} for b2b3b4b5 = 0 to 15. Source: FIPS 46-3, appendix 1. */
static const uint64_t COLUMNS[16][2] = {
    {0x40DA4917EFA72C4DU, 0xFD13B46203DDEAD1U},
    {0x1E662E4B410DC1B2U, 0xC8AF83B1FD78BF0FU},
    {0xE7491FB4D89E4A28U, 0x8AD0C2DE740B24BDU},
    {0x8B90B5D11EE31FE4U, 0x21067C874795C278U},
    {0xDA8CA2C9266079F6U, 0x436A1914EF36474AU},
    {0x64FBD83CFB36A20FU, 0x9F91E54A224F7C93U},
    {0x2D377C7EB3F9B68BU, 0x148D2FA8D860D917U},
    {0xB10D83E2845A68D1U, 0x7278DA7D1EA315A4U},
    {0xF5BFF7A03911803AU, 0x5B496B9FAC2456ECU},
    {0xC81190F6A7D25DC9U, 0xB6F4FE5C60870135U},
    {0x9C23C46A62C83393U, 0x37E50109C152FD56U},
    {0x76CE5A8DCD75F47EU, 0xEC3B97F0BAECAECBU},
    {0x3955610F5CBBDE55U, 0xA0BCA6E396C13020U},
    {0xA3A23D53904C07A0U, 0x0557402559BA9BFEU},
    {0x52E80B950524E56CU, 0x6E2258363BFE8389U},
    {0x0F74E6287A8F9B17U, 0xD9CE3DCB85196862U},
};

static uint32_t rotated_right(uint32_t word, unsigned count)
{
    return (word >> count) | (word << ((32 - count) & 31));
}

/* Where `choice` has a one, `other`; else `one`. */
static uint64_t selected(uint64_t one, uint64_t other, uint64_t choice)
{
    return one ^ ((one ^ other) & choice);
}

/* A bit a digit becomes four a digit, in both halves of a word. */
static uint64_t spread(uint32_t bits)
{
    return bits * 0xF0000000FU;
}

/* The permutation P: bits that rotate by the same count move together. */
static uint32_t permuted(uint32_t word)
{
    return (rotated_right(word, 6) & 0x00011080U) | (rotated_right(word, 7) & 0x00000009U)
           | (rotated_right(word, 8) & 0x08880000U) | (rotated_right(word, 10) & 0x00004000U)
           | (rotated_right(word, 11) & 0x02000000U) | (rotated_right(word, 13) & 0x00000040U)
           | (rotated_right(word, 15) & 0x30008100U) | (rotated_right(word, 16) & 0x00020000U)
           | (rotated_right(word, 17) & 0x80000000U) | (rotated_right(word, 18) & 0x00100000U)
           | (rotated_right(word, 19) & 0x00000004U) | (rotated_right(word, 20) & 0x00200200U)
           | (rotated_right(word, 21) & 0x00000800U) | (rotated_right(word, 22) & 0x00000010U)
           | (rotated_right(word, 23) & 0x01000000U) | (rotated_right(word, 26) & 0x04000000U)
           | (rotated_right(word, 27) & 0x40402402U) | (rotated_right(word, 28) & 0x00040000U)
           | (rotated_right(word, 29) & 0x00000020U);
}

/* E, the key, the eight S-boxes and P. */
static uint32_t round_of(uint32_t right, const uint32_t key[6])
{
    const uint32_t b1 = (rotated_right(right, 4) & EACH_DIGIT) ^ key[0];
    const uint64_t b2 = spread(((right >> 3) & EACH_DIGIT) ^ key[1]);
    const uint64_t b3 = spread(((right >> 2) & EACH_DIGIT) ^ key[2]);
    const uint64_t b4 = spread(((right >> 1) & EACH_DIGIT) ^ key[3]);
    const uint64_t b5 = spread((right & EACH_DIGIT) ^ key[4]);
    const uint64_t b6 = spread((rotated_right(right, 31) & EACH_DIGIT) ^ key[5]);

    uint64_t left[16];
    for (size_t index = 0; index < 16; index++) {
        left[index] = selected(COLUMNS[index][0], COLUMNS[index][1], b6);
    }
    for (size_t index = 0; index < 8; index++) {
        left[index] = selected(left[2 * index], left[2 * index + 1], b5);
    }
    for (size_t index = 0; index < 4; index++) {
        left[index] = selected(left[2 * index], left[2 * index + 1], b4);
    }
    for (size_t index = 0; index < 2; index++) {
        left[index] = selected(left[2 * index], left[2 * index + 1], b3);
    }
    const uint64_t pair = selected(left[0], left[1], b2);
    return permuted((uint32_t)selected(pair, pair >> 32, b1 * 15U));
}

/* ---- key schedule ------------------------------------------------------------------------------- */
/* FIPS 46-3: permuted choice 1, 2 and the left shifts. Bits count from 1, the highest. */
static const uint8_t CHOICE_1[56] = {
    57, 49, 41, 33, 25, 17, 9,  1,  58, 50, 42, 34, 26, 18, 10, 2,  59, 51, 43,
    35, 27, 19, 11, 3,  60, 52, 44, 36, 63, 55, 47, 39, 31, 23, 15, 7,  62, 54,
    46, 38, 30, 22, 14, 6,  61, 53, 45, 37, 29, 21, 13, 5,  28, 20, 12, 4,
};
static const uint8_t CHOICE_2[48] = {
    14, 17, 11, 24, 1,  5,  3,  28, 15, 6,  21, 10, 23, 19, 12, 4,  26, 8,  16, 7,  27, 20, 13, 2,
    41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
};
static const uint8_t SHIFTS[16] = {1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1};

static uint64_t rotated_28(uint64_t half, unsigned count)
{
    return ((half << count) | (half >> (28 - count))) & 0x0FFFFFFFU;
}

static void prepare_stage(const uint8_t key[8], pos_des_stage *stage)
{
    const uint64_t bits = pos_load_u64_be(key);
    uint64_t chosen = 0;
    for (size_t index = 0; index < 56; index++) {
        chosen = (chosen << 1) | ((bits >> (64 - CHOICE_1[index])) & 1U);
    }
    uint64_t upper = chosen >> 28;
    uint64_t lower = chosen & 0x0FFFFFFFU;
    for (size_t round = 0; round < 16; round++) {
        upper = rotated_28(upper, SHIFTS[round]);
        lower = rotated_28(lower, SHIFTS[round]);
        const uint64_t both = (upper << 28) | lower;
        for (size_t input = 0; input < 6; input++) {
            uint32_t spread_bits = 0;
            for (size_t box = 0; box < 8; box++) {
                const unsigned from = CHOICE_2[6 * box + input];
                spread_bits = (spread_bits << 4) | (uint32_t)((both >> (56 - from)) & 1U);
            }
            stage->bits[round][input] = spread_bits;
        }
    }
}

void pos_des_prepare(const uint8_t *key, size_t key_size, pos_des_key *key_out)
{
    assert(key != NULL);
    assert(key_size == 8 || key_size == 16 || key_size == 24);
    key_out->stage_count = key_size == 8 ? 1 : 3;
    prepare_stage(key, &key_out->stages[0]);
    if (key_size == 8) return;
    prepare_stage(key + 8, &key_out->stages[1]);
    if (key_size == 24) {
        prepare_stage(key + 16, &key_out->stages[2]);
    } else {
        pos_copy(&key_out->stages[2], &key_out->stages[0], sizeof key_out->stages[0]);
    }
}

/* ---- blocks -------------------------------------------------------------------------------------- */
typedef struct halves {
    uint32_t left;
    uint32_t right;
} halves;

/* Exchanges the bits of `one` under `mask` with those of `other`, `shift` higher. */
static void exchange(uint32_t *other, uint32_t *one, unsigned shift, uint32_t mask)
{
    const uint32_t changed = ((*other >> shift) ^ *one) & mask;
    *one ^= changed;
    *other ^= changed << shift;
}

/* The initial permutation: the block as a square of bits, turned. */
static halves entered(const uint8_t block[8])
{
    halves at = {.left = pos_load_u32_be(block), .right = pos_load_u32_be(block + 4)};
    exchange(&at.left, &at.right, 4, 0x0F0F0F0FU);
    exchange(&at.left, &at.right, 16, 0x0000FFFFU);
    exchange(&at.right, &at.left, 2, 0x33333333U);
    exchange(&at.right, &at.left, 8, 0x00FF00FFU);
    exchange(&at.left, &at.right, 1, 0x55555555U);
    return at;
}

/* Its inverse. */
static void leave(halves at, uint8_t out[8])
{
    exchange(&at.left, &at.right, 1, 0x55555555U);
    exchange(&at.right, &at.left, 8, 0x00FF00FFU);
    exchange(&at.right, &at.left, 2, 0x33333333U);
    exchange(&at.left, &at.right, 16, 0x0000FFFFU);
    exchange(&at.left, &at.right, 4, 0x0F0F0F0FU);
    pos_store_u32_be(out, at.left);
    pos_store_u32_be(out + 4, at.right);
}

/* Sixteen rounds, and the halves exchanged, as the next stage or the way out wants them. */
static halves passed(halves at, const pos_des_stage *stage, bool is_backward)
{
    for (size_t round = 0; round < 16; round += 2) {
        const size_t first = is_backward ? 15 - round : round;
        const size_t second = is_backward ? 14 - round : round + 1;
        at.left ^= round_of(at.right, stage->bits[first]);
        at.right ^= round_of(at.left, stage->bits[second]);
    }
    return (halves){.left = at.right, .right = at.left};
}

void pos_des_encrypt(const pos_des_key *key, const uint8_t block[8], uint8_t out[8])
{
    assert(key->stage_count == 1 || key->stage_count == 3);
    halves at = passed(entered(block), &key->stages[0], false);
    if (key->stage_count == 3) {
        at = passed(at, &key->stages[1], true);
        at = passed(at, &key->stages[2], false);
    }
    leave(at, out);
}

void pos_des_decrypt(const pos_des_key *key, const uint8_t block[8], uint8_t out[8])
{
    assert(key->stage_count == 1 || key->stage_count == 3);
    halves at = entered(block);
    if (key->stage_count == 3) {
        at = passed(at, &key->stages[2], true);
        at = passed(at, &key->stages[1], false);
    }
    leave(passed(at, &key->stages[0], true), out);
}
