/* SM4's rounds over any way to substitute four bytes: each way's file includes this once. */
#ifndef POS_MAC_SM4_H
#define POS_MAC_SM4_H

#include <stddef.h>
#include <stdint.h>

typedef uint32_t pos_sm4_substitution(uint32_t word);

static inline uint32_t pos_sm4_rotated(uint32_t word, unsigned count)
{
    return (word << count) | (word >> (32 - count));
}

/* GB/T 32907, 6.2 and 7.1. The words come out in reverse, as the standard writes them. */
static inline void pos_sm4_rounds(pos_sm4_substitution *substitute, const uint32_t keys[32],
                                  uint32_t words[4])
{
    uint32_t a = words[0], b = words[1], c = words[2], d = words[3];
    for (size_t round = 0; round < 32; round++) {
        const uint32_t box = substitute(b ^ c ^ d ^ keys[round]);
        const uint32_t next = a ^ box ^ pos_sm4_rotated(box, 2) ^ pos_sm4_rotated(box, 10)
                              ^ pos_sm4_rotated(box, 18) ^ pos_sm4_rotated(box, 24);
        a = b;
        b = c;
        c = d;
        d = next;
    }
    words[0] = d;
    words[1] = c;
    words[2] = b;
    words[3] = a;
}

/* 7.3: byte j of constant i is 7 (4i + j) modulo 256. */
static inline void pos_sm4_schedule(pos_sm4_substitution *substitute, uint32_t words[4],
                                    uint32_t keys_out[32])
{
    uint32_t a = words[0], b = words[1], c = words[2], d = words[3];
    for (uint32_t round = 0; round < 32; round++) {
        uint32_t constant = 0;
        for (uint32_t byte = 0; byte < 4; byte++) {
            constant = (constant << 8) | ((7 * (4 * round + byte)) & 0xffU);
        }
        const uint32_t box = substitute(b ^ c ^ d ^ constant);
        const uint32_t next = a ^ box ^ pos_sm4_rotated(box, 13) ^ pos_sm4_rotated(box, 23);
        keys_out[round] = next;
        a = b;
        b = c;
        c = d;
        d = next;
    }
}

#endif
