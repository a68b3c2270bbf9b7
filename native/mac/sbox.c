/*
 * The S-boxes of AES and SM4 as one boolean circuit.
 *
 *   16 bytes ──▶ 8 planes of 16 bits ──▶ circuit ──▶ 8 planes ──▶ 16 bytes
 *
 * The circuit is the AES S-box of Boyar and Peralta (A new combinational logic minimization
 * technique with applications to cryptology, 2010): 32 ANDs and 83 XORs, none of them a look-up.
 *
 * Both S-boxes invert in a field of 256 elements, and all such fields are one field under different
 * names. So SM4's S-box is an affine map before the AES S-box and another one after it:
 *
 *   sm4(x) = POST · aes(PRE · x ⊕ 23) ⊕ 3B
 *
 * PRE sends SM4's field (x^8+x^7+x^6+x^5+x^4+x^2+1) to AES's (x^8+x^4+x^3+x+1) after SM4's own input
 * map; POST undoes AES's output map, comes back, and applies SM4's. tools/sm4_fields.py solves for
 * both. A test compares all 256 values of both S-boxes with the tables of the standards.
 */
#include "mac/sbox.h"

#include "bytes/bytes.h"

/* One bit of each byte: plane 0 holds the lowest bits. */
typedef struct planes {
    uint32_t bit[8];
} planes;

/* Bit 8r + c goes to bit 8c + r: eight bytes as a square of bits, turned about its diagonal. */
static uint64_t turned(uint64_t square)
{
    uint64_t swap = (square ^ (square >> 7)) & 0x00AA00AA00AA00AAU;
    square ^= swap ^ (swap << 7);
    swap = (square ^ (square >> 14)) & 0x0000CCCC0000CCCCU;
    square ^= swap ^ (swap << 14);
    swap = (square ^ (square >> 28)) & 0x00000000F0F0F0F0U;
    return square ^ swap ^ (swap << 28);
}

/* The substitution of every bit position of the planes at once. */
static planes substituted(planes from)
{
    const uint32_t x0 = from.bit[7], x1 = from.bit[6], x2 = from.bit[5], x3 = from.bit[4];
    const uint32_t x4 = from.bit[3], x5 = from.bit[2], x6 = from.bit[1], x7 = from.bit[0];

    /* Into the tower of fields: linear. */
    const uint32_t y14 = x3 ^ x5, y13 = x0 ^ x6, y9 = x0 ^ x3, y8 = x0 ^ x5, t0 = x1 ^ x2;
    const uint32_t y1 = t0 ^ x7, y4 = y1 ^ x3, y12 = y13 ^ y14, y2 = y1 ^ x0, y5 = y1 ^ x6;
    const uint32_t y3 = y5 ^ y8, t1 = x4 ^ y12, y15 = t1 ^ x5, y20 = t1 ^ x1, y6 = y15 ^ x7;
    const uint32_t y10 = y15 ^ t0, y11 = y20 ^ y9, y7 = x7 ^ y11, y17 = y10 ^ y11;
    const uint32_t y19 = y10 ^ y8, y16 = t0 ^ y11, y21 = y13 ^ y16, y18 = x0 ^ y16;

    /* The inversion, in GF(16). */
    const uint32_t t2 = y12 & y15, t4 = (y3 & y6) ^ t2, t6 = (y4 & x7) ^ t2, t7 = y13 & y16;
    const uint32_t t9 = (y5 & y1) ^ t7, t11 = (y2 & y7) ^ t7, t12 = y9 & y11;
    const uint32_t t14 = (y14 & y17) ^ t12, t16 = (y8 & y10) ^ t12;
    const uint32_t t21 = t4 ^ t14 ^ y20, t22 = t6 ^ t16 ^ y19;
    const uint32_t t23 = t9 ^ t14 ^ y21, t24 = t11 ^ t16 ^ y18;
    const uint32_t t25 = t21 ^ t22, t26 = t21 & t23, t27 = t24 ^ t26, t29 = (t25 & t27) ^ t22;
    const uint32_t t30 = t23 ^ t24, t31 = t22 ^ t26, t33 = (t31 & t30) ^ t24, t34 = t23 ^ t33;
    const uint32_t t35 = t27 ^ t33, t36 = t24 & t35, t37 = t36 ^ t34, t38 = t27 ^ t36;
    const uint32_t t40 = t25 ^ (t29 & t38), t41 = t40 ^ t37, t42 = t29 ^ t33, t43 = t29 ^ t40;
    const uint32_t t44 = t33 ^ t37, t45 = t42 ^ t41;

    /* Back to GF(256). */
    const uint32_t z0 = t44 & y15, z1 = t37 & y6, z2 = t33 & x7, z3 = t43 & y16, z4 = t40 & y1;
    const uint32_t z5 = t29 & y7, z6 = t42 & y11, z7 = t45 & y17, z8 = t41 & y10, z9 = t44 & y12;
    const uint32_t z10 = t37 & y3, z11 = t33 & y4, z12 = t43 & y13, z13 = t40 & y5;
    const uint32_t z14 = t29 & y2, z15 = t42 & y9, z16 = t45 & y14, z17 = t41 & y8;

    /* The output map: linear, with the constant 63. */
    const uint32_t t46 = z15 ^ z16, t47 = z10 ^ z11, t48 = z5 ^ z13, t49 = z9 ^ z10;
    const uint32_t t50 = z2 ^ z12, t51 = z2 ^ z5, t52 = z7 ^ z8, t53 = z0 ^ z3, t54 = z6 ^ z7;
    const uint32_t t55 = z16 ^ z17, t56 = z12 ^ t48, t57 = t50 ^ t53, t58 = z4 ^ t46;
    const uint32_t t59 = z3 ^ t54, t60 = t46 ^ t57, t61 = z14 ^ t57, t62 = t52 ^ t58;
    const uint32_t t63 = t49 ^ t58, t64 = z4 ^ t59, t65 = t61 ^ t62, t66 = z1 ^ t63;
    const uint32_t t67 = t64 ^ t65, s3 = t53 ^ t66;
    return (planes){{
        t48 ^ ~t60,  /* lowest bit */
        t56 ^ ~t62, t47 ^ t65, t51 ^ t66, s3, t55 ^ ~t67, t64 ^ ~s3,
        t59 ^ t63, /* highest bit */
    }};
}

void pos_sbox_aes(uint8_t bytes[16])
{
    const uint64_t low = turned(pos_load_u64_le(bytes));
    const uint64_t high = turned(pos_load_u64_le(bytes + 8));
    planes state;
    for (unsigned bit = 0; bit < 8; bit++) {
        state.bit[bit] = (uint32_t)(((low >> (8 * bit)) & 0xff)
                                    | (((high >> (8 * bit)) & 0xff) << 8));
    }
    state = substituted(state);
    uint64_t low_out = 0;
    uint64_t high_out = 0;
    for (unsigned bit = 0; bit < 8; bit++) {
        low_out |= (uint64_t)(state.bit[bit] & 0xff) << (8 * bit);
        high_out |= (uint64_t)((state.bit[bit] >> 8) & 0xff) << (8 * bit);
    }
    pos_store_u64_le(bytes, turned(low_out));
    pos_store_u64_le(bytes + 8, turned(high_out));
}

/* PRE · x ⊕ 23: row n of the matrix says which bits make bit n. */
static planes before_sm4(const planes *x)
{
    const uint32_t *b = x->bit;
    return (planes){{
        ~(b[1] ^ b[2]),
        ~(b[0] ^ b[1] ^ b[2] ^ b[4]),
        b[1] ^ b[3],
        b[0] ^ b[2] ^ b[4] ^ b[5],
        b[1] ^ b[3] ^ b[4] ^ b[5],
        ~(b[1] ^ b[4] ^ b[5] ^ b[6]),
        b[0] ^ b[1] ^ b[3] ^ b[4] ^ b[7],
        b[0] ^ b[2] ^ b[3],
    }};
}

/* POST · x ⊕ 3B. */
static planes after_sm4(const planes *x)
{
    const uint32_t *b = x->bit;
    return (planes){{
        ~(b[2] ^ b[3] ^ b[4] ^ b[7]),
        ~(b[1] ^ b[3] ^ b[4] ^ b[5]),
        b[2] ^ b[3] ^ b[7],
        ~(b[2] ^ b[6] ^ b[7]),
        ~(b[2] ^ b[4] ^ b[5] ^ b[6]),
        ~(b[0] ^ b[1] ^ b[6] ^ b[7]),
        b[0] ^ b[5] ^ b[6],
        b[3] ^ b[5] ^ b[7],
    }};
}

uint32_t pos_sbox_sm4(uint32_t word)
{
    const uint64_t square = turned(word);
    planes state;
    for (unsigned bit = 0; bit < 8; bit++) {
        state.bit[bit] = (uint32_t)((square >> (8 * bit)) & 0x0f);
    }
    state = before_sm4(&state);
    state = substituted(state);
    state = after_sm4(&state);
    uint64_t out = 0;
    for (unsigned bit = 0; bit < 8; bit++) {
        out |= (uint64_t)(state.bit[bit] & 0x0f) << (8 * bit);
    }
    return (uint32_t)turned(out);
}
