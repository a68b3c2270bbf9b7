/*
 * Written by tools/des_circuits.py out of tools/des_circuits.txt; not by hand.
 *
 * The S-boxes of DES as ternary gates, 201 in all, and a round of them: a bit a message, a
 * vector a bit. Whoever includes this has set VECTOR, XOR,
 * TERNARY(a, b, c, table), which overwrites a: what is made last.
 *
 * into ^= P(S(E(from) ^ key)), where c and d are the halves of the key as they stand turned: bit i
 * of a half is its vector i. Bits count from 0, the first.
 */
/* 28 gates */
static inline void box_1(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = TERNARY(b6, b5, b4, 0x49);
    const VECTOR g1 = TERNARY(g0, b4, b1, 0x58);
    const VECTOR g2 = TERNARY(g0, b6, b1, 0xac);
    const VECTOR g3 = TERNARY(g2, g1, b5, 0x92);
    const VECTOR g4 = TERNARY(g3, g1, b2, 0xd8);
    const VECTOR g5 = TERNARY(g2, g1, b4, 0xa7);
    const VECTOR g6 = TERNARY(g5, g1, b1, 0x5a);
    const VECTOR g7 = TERNARY(g6, g4, b5, 0x9a);
    const VECTOR g8 = TERNARY(g7, g6, b2, 0xe4);
    const VECTOR g9 = TERNARY(g8, g4, b3, 0xd8);
    const VECTOR g10 = TERNARY(g6, g2, b3, 0x56);
    const VECTOR g11 = TERNARY(g1, b6, b3, 0xc2);
    const VECTOR g12 = TERNARY(g10, g11, b2, 0xe4);
    const VECTOR g13 = TERNARY(g6, g3, b2, 0x96);
    const VECTOR g14 = TERNARY(g13, g1, g0, 0xe9);
    const VECTOR g15 = TERNARY(g14, g13, b3, 0xd8);
    const VECTOR g16 = TERNARY(g15, g12, b5, 0xd8);
    const VECTOR g17 = TERNARY(g14, g8, b3, 0x49);
    const VECTOR g18 = TERNARY(g17, g13, g5, 0x76);
    const VECTOR g19 = TERNARY(g18, g17, b5, 0xe4);
    const VECTOR g20 = TERNARY(g17, g10, b2, 0x74);
    const VECTOR g21 = TERNARY(g20, g3, g2, 0x1e);
    const VECTOR g22 = TERNARY(g21, g19, b1, 0xd8);
    const VECTOR g23 = TERNARY(g19, g5, g3, 0xb1);
    const VECTOR g24 = TERNARY(g23, b4, b2, 0x96);
    const VECTOR g25 = TERNARY(g24, g14, g3, 0x07);
    const VECTOR g26 = TERNARY(g25, g6, b5, 0xb4);
    const VECTOR g27 = TERNARY(g26, g24, b3, 0xd8);
    outputs[0] = g22;
    outputs[1] = g9;
    outputs[2] = g16;
    outputs[3] = g27;
}

/* 27 gates */
static inline void box_2(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = TERNARY(b6, b3, b2, 0x6b);
    const VECTOR g1 = TERNARY(g0, b6, b5, 0x5a);
    const VECTOR g2 = TERNARY(g1, g0, b6, 0xb6);
    const VECTOR g3 = TERNARY(g2, g1, b3, 0x5a);
    const VECTOR g4 = TERNARY(g3, g1, b1, 0xe4);
    const VECTOR g5 = TERNARY(b6, b5, b1, 0xc4);
    const VECTOR g6 = TERNARY(g4, g5, b2, 0x1e);
    const VECTOR g7 = TERNARY(g6, g4, b4, 0xe4);
    const VECTOR g8 = TERNARY(b5, b2, b1, 0x96);
    const VECTOR g9 = TERNARY(g8, b5, b4, 0xd2);
    const VECTOR g10 = TERNARY(g5, b4, b1, 0x69);
    const VECTOR g11 = TERNARY(g10, g9, b3, 0xe4);
    const VECTOR g12 = TERNARY(g3, g10, b2, 0xe4);
    const VECTOR g13 = TERNARY(g12, g10, g8, 0x8d);
    const VECTOR g14 = TERNARY(g13, g12, b1, 0xe4);
    const VECTOR g15 = TERNARY(g14, g11, b6, 0xd8);
    const VECTOR g16 = TERNARY(g12, b5, b4, 0xb4);
    const VECTOR g17 = TERNARY(g12, g11, b4, 0x92);
    const VECTOR g18 = TERNARY(g17, g16, b1, 0xd8);
    const VECTOR g19 = TERNARY(g10, g0, b6, 0xe9);
    const VECTOR g20 = TERNARY(g13, g19, g1, 0x4d);
    const VECTOR g21 = TERNARY(g20, g18, b3, 0xe4);
    const VECTOR g22 = TERNARY(g7, g0, b5, 0x15);
    const VECTOR g23 = TERNARY(g22, g12, g8, 0x96);
    const VECTOR g24 = TERNARY(g13, g19, g5, 0x58);
    const VECTOR g25 = TERNARY(g24, g2, g8, 0x1c);
    const VECTOR g26 = TERNARY(g23, g25, b6, 0xd8);
    outputs[0] = g7;
    outputs[1] = g15;
    outputs[2] = g21;
    outputs[3] = g26;
}

/* 25 gates */
static inline void box_3(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = TERNARY(b6, b5, b3, 0xd5);
    const VECTOR g1 = TERNARY(g0, b5, b2, 0x92);
    const VECTOR g2 = TERNARY(g1, b5, b3, 0x4e);
    const VECTOR g3 = TERNARY(g2, g0, b6, 0x96);
    const VECTOR g4 = TERNARY(g3, g1, b1, 0xe4);
    const VECTOR g5 = TERNARY(b6, b5, b2, 0x04);
    const VECTOR g6 = TERNARY(g3, g5, b1, 0x1e);
    const VECTOR g7 = TERNARY(g6, g4, b4, 0xe4);
    const VECTOR g8 = TERNARY(g7, b6, b3, 0xb8);
    const VECTOR g9 = TERNARY(g8, g7, b2, 0x7a);
    const VECTOR g10 = TERNARY(g9, g1, b6, 0x49);
    const VECTOR g11 = TERNARY(g10, g9, b5, 0xd8);
    const VECTOR g12 = TERNARY(b5, b4, b3, 0xac);
    const VECTOR g13 = TERNARY(g12, b6, b2, 0x96);
    const VECTOR g14 = TERNARY(g11, g13, b1, 0xe4);
    const VECTOR g15 = TERNARY(g3, b6, b4, 0x5d);
    const VECTOR g16 = TERNARY(g15, g13, b1, 0x96);
    const VECTOR g17 = TERNARY(g14, b6, b1, 0xe7);
    const VECTOR g18 = TERNARY(g17, g16, g3, 0x35);
    const VECTOR g19 = TERNARY(g18, g16, b3, 0xd8);
    const VECTOR g20 = TERNARY(g9, b6, b3, 0x4a);
    const VECTOR g21 = TERNARY(g18, g20, g4, 0x96);
    const VECTOR g22 = TERNARY(g21, g8, g16, 0xf6);
    const VECTOR g23 = TERNARY(g22, g11, g2, 0x96);
    const VECTOR g24 = TERNARY(g23, g21, b4, 0xe4);
    outputs[0] = g7;
    outputs[1] = g19;
    outputs[2] = g24;
    outputs[3] = g14;
}

/* 19 gates */
static inline void box_4(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = TERNARY(b5, b4, b2, 0x92);
    const VECTOR g1 = TERNARY(g0, b3, b2, 0xb4);
    const VECTOR g2 = TERNARY(b5, b3, b2, 0x89);
    const VECTOR g3 = TERNARY(g2, g0, b5, 0xb8);
    const VECTOR g4 = TERNARY(g3, g1, b1, 0xd8);
    const VECTOR g5 = TERNARY(g3, b5, b1, 0x6d);
    const VECTOR g6 = TERNARY(g5, b3, b2, 0x96);
    const VECTOR g7 = TERNARY(g6, g3, b2, 0xc7);
    const VECTOR g8 = TERNARY(g7, g6, b4, 0xe4);
    const VECTOR g9 = TERNARY(g8, g4, b6, 0xd8);
    const VECTOR g10 = TERNARY(g3, g0, b1, 0x4e);
    const VECTOR g11 = TERNARY(g6, g1, b1, 0x19);
    const VECTOR g12 = TERNARY(g11, b5, b4, 0x96);
    const VECTOR g13 = TERNARY(g12, g10, b2, 0xd8);
    const VECTOR g14 = TERNARY(g12, g8, g11, 0xd9);
    const VECTOR g15 = TERNARY(g14, g5, b3, 0x3d);
    const VECTOR g16 = TERNARY(g15, g13, b6, 0xe4);
    const VECTOR g17 = TERNARY(g15, g13, b6, 0x72);
    const VECTOR g18 = TERNARY(g8, g4, b6, 0x4e);
    outputs[0] = g9;
    outputs[1] = g18;
    outputs[2] = g17;
    outputs[3] = g16;
}

/* 26 gates */
static inline void box_5(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = TERNARY(b4, b3, b1, 0x95);
    const VECTOR g1 = TERNARY(g0, b4, b3, 0x61);
    const VECTOR g2 = TERNARY(g1, g0, b6, 0xd8);
    const VECTOR g3 = TERNARY(b6, b4, b1, 0x7c);
    const VECTOR g4 = TERNARY(g2, g3, b1, 0x1c);
    const VECTOR g5 = TERNARY(g4, g2, b2, 0xd8);
    const VECTOR g6 = TERNARY(g0, b6, b3, 0x97);
    const VECTOR g7 = TERNARY(g6, g1, b1, 0x61);
    const VECTOR g8 = TERNARY(g7, g6, b2, 0xd8);
    const VECTOR g9 = TERNARY(g5, g8, b5, 0xd8);
    const VECTOR g10 = TERNARY(g2, g6, b5, 0xb6);
    const VECTOR g11 = TERNARY(g10, b5, b1, 0x2b);
    const VECTOR g12 = TERNARY(g11, g10, b2, 0xe4);
    const VECTOR g13 = TERNARY(g7, b5, b1, 0xe1);
    const VECTOR g14 = TERNARY(g12, g13, g8, 0x6d);
    const VECTOR g15 = TERNARY(g14, g12, b4, 0xe4);
    const VECTOR g16 = TERNARY(g13, g10, g2, 0xd4);
    const VECTOR g17 = TERNARY(g16, g3, b2, 0x96);
    const VECTOR g18 = TERNARY(g17, g4, b3, 0x42);
    const VECTOR g19 = TERNARY(g18, g2, b5, 0x96);
    const VECTOR g20 = TERNARY(g19, g17, b4, 0xd8);
    const VECTOR g21 = TERNARY(g9, b2, b1, 0xca);
    const VECTOR g22 = TERNARY(g20, g15, g21, 0x96);
    const VECTOR g23 = TERNARY(g8, g3, b2, 0xb9);
    const VECTOR g24 = TERNARY(g22, g23, g2, 0x96);
    const VECTOR g25 = TERNARY(g24, g22, b5, 0xd8);
    outputs[0] = g25;
    outputs[1] = g20;
    outputs[2] = g15;
    outputs[3] = g9;
}

/* 25 gates */
static inline void box_6(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = TERNARY(b5, b4, b1, 0x69);
    const VECTOR g1 = TERNARY(g0, b5, b2, 0xbd);
    const VECTOR g2 = TERNARY(g1, g0, b4, 0xb0);
    const VECTOR g3 = TERNARY(g2, g0, b6, 0xe4);
    const VECTOR g4 = TERNARY(g0, b6, b2, 0x96);
    const VECTOR g5 = TERNARY(g3, g4, b6, 0x43);
    const VECTOR g6 = TERNARY(g5, g4, b5, 0xd8);
    const VECTOR g7 = TERNARY(g6, g3, b3, 0xd8);
    const VECTOR g8 = TERNARY(g5, b5, b1, 0xa4);
    const VECTOR g9 = TERNARY(g8, b4, b2, 0x38);
    const VECTOR g10 = TERNARY(g7, g0, b4, 0x93);
    const VECTOR g11 = TERNARY(g10, g9, b6, 0xd8);
    const VECTOR g12 = TERNARY(g11, g2, b2, 0xa5);
    const VECTOR g13 = TERNARY(g4, g0, b5, 0x1e);
    const VECTOR g14 = TERNARY(g12, g13, b1, 0xd8);
    const VECTOR g15 = TERNARY(g14, g11, b3, 0xe4);
    const VECTOR g16 = TERNARY(g12, g8, g4, 0xe5);
    const VECTOR g17 = TERNARY(g16, g9, g1, 0x5b);
    const VECTOR g18 = TERNARY(g17, g2, b4, 0x0c);
    const VECTOR g19 = TERNARY(g18, g4, b5, 0xb1);
    const VECTOR g20 = TERNARY(g19, g17, b3, 0xe4);
    const VECTOR g21 = TERNARY(g9, g8, g4, 0x9e);
    const VECTOR g22 = TERNARY(g19, g2, b4, 0xb3);
    const VECTOR g23 = TERNARY(g22, g11, g21, 0x58);
    const VECTOR g24 = TERNARY(g23, g21, b3, 0xe4);
    outputs[0] = g7;
    outputs[1] = g24;
    outputs[2] = g20;
    outputs[3] = g15;
}

/* 26 gates */
static inline void box_7(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = TERNARY(b6, b4, b2, 0x96);
    const VECTOR g1 = TERNARY(g0, b4, b3, 0xd4);
    const VECTOR g2 = TERNARY(g0, b6, b3, 0x1e);
    const VECTOR g3 = TERNARY(g2, g1, b5, 0xd8);
    const VECTOR g4 = TERNARY(g0, b5, b3, 0x96);
    const VECTOR g5 = TERNARY(g4, g2, b4, 0x7a);
    const VECTOR g6 = TERNARY(g4, g2, b4, 0x16);
    const VECTOR g7 = TERNARY(g6, g5, b2, 0xe4);
    const VECTOR g8 = TERNARY(g7, g3, b1, 0xd8);
    const VECTOR g9 = TERNARY(g5, g3, b2, 0x2d);
    const VECTOR g10 = TERNARY(g9, g4, b6, 0x63);
    const VECTOR g11 = TERNARY(g10, g9, b4, 0xe4);
    const VECTOR g12 = TERNARY(g6, g5, b6, 0xb7);
    const VECTOR g13 = TERNARY(g11, g12, b3, 0x1d);
    const VECTOR g14 = TERNARY(g13, g11, b1, 0xd8);
    const VECTOR g15 = TERNARY(g10, g5, g3, 0x9a);
    const VECTOR g16 = TERNARY(g4, b4, b2, 0x93);
    const VECTOR g17 = TERNARY(g15, g16, b5, 0xe4);
    const VECTOR g18 = TERNARY(g2, b6, b3, 0xc8);
    const VECTOR g19 = TERNARY(g7, g18, b2, 0x78);
    const VECTOR g20 = TERNARY(g17, g19, b1, 0xd8);
    const VECTOR g21 = TERNARY(g14, g17, g19, 0x18);
    const VECTOR g22 = TERNARY(g21, g8, b4, 0x96);
    const VECTOR g23 = TERNARY(g2, b3, b1, 0x86);
    const VECTOR g24 = TERNARY(g20, g23, g5, 0x96);
    const VECTOR g25 = TERNARY(g22, g24, b6, 0xd8);
    outputs[0] = g8;
    outputs[1] = g20;
    outputs[2] = g25;
    outputs[3] = g14;
}

/* 25 gates */
static inline void box_8(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = TERNARY(b5, b4, b1, 0x94);
    const VECTOR g1 = TERNARY(g0, b3, b1, 0x3c);
    const VECTOR g2 = TERNARY(b5, b3, b1, 0x6b);
    const VECTOR g3 = TERNARY(g2, b5, b4, 0xd2);
    const VECTOR g4 = TERNARY(g3, g1, b2, 0xd8);
    const VECTOR g5 = TERNARY(g4, g0, b2, 0x4e);
    const VECTOR g6 = TERNARY(g3, b2, b1, 0x98);
    const VECTOR g7 = TERNARY(g6, b5, b3, 0xb4);
    const VECTOR g8 = TERNARY(g7, g5, b4, 0xd8);
    const VECTOR g9 = TERNARY(g8, g4, b6, 0xe4);
    const VECTOR g10 = TERNARY(b5, b4, b1, 0x6d);
    const VECTOR g11 = TERNARY(g7, g10, b3, 0x96);
    const VECTOR g12 = TERNARY(g5, g10, b1, 0x56);
    const VECTOR g13 = TERNARY(g12, g11, g8, 0x35);
    const VECTOR g14 = TERNARY(g13, g11, b6, 0xd8);
    const VECTOR g15 = TERNARY(g12, g11, g1, 0xa3);
    const VECTOR g16 = TERNARY(g15, g8, b5, 0x4d);
    const VECTOR g17 = TERNARY(g16, g15, b1, 0xd8);
    const VECTOR g18 = TERNARY(g5, g4, b6, 0x22);
    const VECTOR g19 = TERNARY(g17, g18, b6, 0xd8);
    const VECTOR g20 = TERNARY(g18, g11, b2, 0x19);
    const VECTOR g21 = TERNARY(g20, g6, b5, 0x96);
    const VECTOR g22 = TERNARY(g3, b6, b2, 0x1c);
    const VECTOR g23 = TERNARY(g21, g12, g22, 0xd2);
    const VECTOR g24 = TERNARY(g23, g21, b1, 0xe4);
    outputs[0] = g19;
    outputs[1] = g14;
    outputs[2] = g24;
    outputs[3] = g9;
}

static inline void round_of(VECTOR *restrict into, const VECTOR *from,
                            const VECTOR *c, const VECTOR *d)
{
    VECTOR outputs[4];
    box_5(XOR(from[15], d[12]), XOR(from[16], d[23]), XOR(from[17], d[2]),
          XOR(from[18], d[8]), XOR(from[19], d[18]), XOR(from[20], d[26]), outputs);
    into[7] = XOR(into[7], outputs[0]);
    into[13] = XOR(into[13], outputs[1]);
    into[24] = XOR(into[24], outputs[2]);
    into[2] = XOR(into[2], outputs[3]);
    box_4(XOR(from[11], c[15]), XOR(from[12], c[6]), XOR(from[13], c[26]),
          XOR(from[14], c[19]), XOR(from[15], c[12]), XOR(from[16], c[1]), outputs);
    into[25] = XOR(into[25], outputs[0]);
    into[19] = XOR(into[19], outputs[1]);
    into[9] = XOR(into[9], outputs[2]);
    into[0] = XOR(into[0], outputs[3]);
    box_8(XOR(from[27], d[17]), XOR(from[28], d[13]), XOR(from[29], d[21]),
          XOR(from[30], d[7]), XOR(from[31], d[0]), XOR(from[0], d[3]), outputs);
    into[4] = XOR(into[4], outputs[0]);
    into[26] = XOR(into[26], outputs[1]);
    into[14] = XOR(into[14], outputs[2]);
    into[20] = XOR(into[20], outputs[3]);
    box_3(XOR(from[7], c[22]), XOR(from[8], c[18]), XOR(from[9], c[11]),
          XOR(from[10], c[3]), XOR(from[11], c[25]), XOR(from[12], c[7]), outputs);
    into[23] = XOR(into[23], outputs[0]);
    into[15] = XOR(into[15], outputs[1]);
    into[29] = XOR(into[29], outputs[2]);
    into[5] = XOR(into[5], outputs[3]);
    box_2(XOR(from[3], c[2]), XOR(from[4], c[27]), XOR(from[5], c[14]),
          XOR(from[6], c[5]), XOR(from[7], c[20]), XOR(from[8], c[9]), outputs);
    into[12] = XOR(into[12], outputs[0]);
    into[27] = XOR(into[27], outputs[1]);
    into[1] = XOR(into[1], outputs[2]);
    into[17] = XOR(into[17], outputs[3]);
    box_6(XOR(from[19], d[1]), XOR(from[20], d[11]), XOR(from[21], d[22]),
          XOR(from[22], d[16]), XOR(from[23], d[4]), XOR(from[24], d[19]), outputs);
    into[3] = XOR(into[3], outputs[0]);
    into[28] = XOR(into[28], outputs[1]);
    into[10] = XOR(into[10], outputs[2]);
    into[18] = XOR(into[18], outputs[3]);
    box_1(XOR(from[31], c[13]), XOR(from[0], c[16]), XOR(from[1], c[10]),
          XOR(from[2], c[23]), XOR(from[3], c[0]), XOR(from[4], c[4]), outputs);
    into[8] = XOR(into[8], outputs[0]);
    into[16] = XOR(into[16], outputs[1]);
    into[22] = XOR(into[22], outputs[2]);
    into[30] = XOR(into[30], outputs[3]);
    box_7(XOR(from[23], d[15]), XOR(from[24], d[20]), XOR(from[25], d[10]),
          XOR(from[26], d[27]), XOR(from[27], d[5]), XOR(from[28], d[24]), outputs);
    into[31] = XOR(into[31], outputs[0]);
    into[11] = XOR(into[11], outputs[1]);
    into[21] = XOR(into[21], outputs[2]);
    into[6] = XOR(into[6], outputs[3]);
}
