/*
 * Written by tools/des_circuits.py out of tools/des_circuits.txt; not by hand.
 *
 * The S-boxes of DES as binary gates, 433 in all, and a round of them: a bit a message, a
 * vector a bit. Whoever includes this has set VECTOR, XOR,
 * AND, OR, NOT and ANDNOT(a, b), which is a & ~b.
 *
 * into ^= P(S(E(from) ^ key)), where c and d are the halves of the key as they stand turned: bit i
 * of a half is its vector i. Bits count from 0, the first.
 */
/* 58 gates */
static inline void box_1(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = XOR(b4, b6);
    const VECTOR g1 = ANDNOT(b6, g0);
    const VECTOR g2 = XOR(g1, b3);
    const VECTOR g3 = ANDNOT(g2, b5);
    const VECTOR g4 = XOR(g0, g3);
    const VECTOR g5 = OR(g3, b4);
    const VECTOR g6 = XOR(g5, b5);
    const VECTOR g7 = NOT(g2);
    const VECTOR g8 = ANDNOT(g7, b3);
    const VECTOR g9 = XOR(g6, g8);
    const VECTOR g10 = ANDNOT(g9, b1);
    const VECTOR g11 = XOR(g4, g10);
    const VECTOR g12 = OR(b4, g7);
    const VECTOR g13 = OR(g0, b3);
    const VECTOR g14 = AND(g13, g6);
    const VECTOR g15 = AND(g14, b1);
    const VECTOR g16 = XOR(g12, g15);
    const VECTOR g17 = AND(g16, b2);
    const VECTOR g18 = XOR(g11, g17);
    const VECTOR g19 = AND(g12, g0);
    const VECTOR g20 = XOR(g19, b2);
    const VECTOR g21 = ANDNOT(g18, b4);
    const VECTOR g22 = OR(g21, g4);
    const VECTOR g23 = ANDNOT(g22, b1);
    const VECTOR g24 = XOR(g20, g23);
    const VECTOR g25 = OR(g17, g18);
    const VECTOR g26 = XOR(g25, g2);
    const VECTOR g27 = XOR(b1, g26);
    const VECTOR g28 = ANDNOT(g27, g18);
    const VECTOR g29 = AND(g28, b6);
    const VECTOR g30 = XOR(g26, g29);
    const VECTOR g31 = AND(g30, b5);
    const VECTOR g32 = XOR(g24, g31);
    const VECTOR g33 = OR(g21, g29);
    const VECTOR g34 = AND(g13, b2);
    const VECTOR g35 = XOR(g33, g34);
    const VECTOR g36 = ANDNOT(g11, b1);
    const VECTOR g37 = XOR(g35, g36);
    const VECTOR g38 = OR(g5, g27);
    const VECTOR g39 = XOR(g38, b1);
    const VECTOR g40 = ANDNOT(g32, b2);
    const VECTOR g41 = OR(g40, g28);
    const VECTOR g42 = ANDNOT(g41, b6);
    const VECTOR g43 = XOR(g39, g42);
    const VECTOR g44 = AND(g43, b5);
    const VECTOR g45 = XOR(g37, g44);
    const VECTOR g46 = XOR(g37, g24);
    const VECTOR g47 = XOR(g46, g18);
    const VECTOR g48 = ANDNOT(g38, b2);
    const VECTOR g49 = XOR(g47, g48);
    const VECTOR g50 = XOR(g37, g12);
    const VECTOR g51 = OR(g50, g41);
    const VECTOR g52 = ANDNOT(g35, g4);
    const VECTOR g53 = XOR(g52, g46);
    const VECTOR g54 = ANDNOT(g53, b1);
    const VECTOR g55 = XOR(g51, g54);
    const VECTOR g56 = AND(g55, b5);
    const VECTOR g57 = XOR(g49, g56);
    outputs[0] = g18;
    outputs[1] = g57;
    outputs[2] = g32;
    outputs[3] = g45;
}

/* 54 gates */
static inline void box_2(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = ANDNOT(b1, b2);
    const VECTOR g1 = XOR(g0, b6);
    const VECTOR g2 = AND(g1, b1);
    const VECTOR g3 = XOR(g2, b2);
    const VECTOR g4 = AND(g3, b5);
    const VECTOR g5 = XOR(g1, g4);
    const VECTOR g6 = XOR(g4, b5);
    const VECTOR g7 = OR(g6, b2);
    const VECTOR g8 = ANDNOT(g7, b4);
    const VECTOR g9 = XOR(g5, g8);
    const VECTOR g10 = NOT(g6);
    const VECTOR g11 = AND(g1, b2);
    const VECTOR g12 = XOR(g11, g7);
    const VECTOR g13 = ANDNOT(g12, b1);
    const VECTOR g14 = XOR(g10, g13);
    const VECTOR g15 = ANDNOT(g14, b3);
    const VECTOR g16 = XOR(g9, g15);
    const VECTOR g17 = XOR(g13, b3);
    const VECTOR g18 = OR(g2, g16);
    const VECTOR g19 = XOR(g18, g3);
    const VECTOR g20 = ANDNOT(g19, b5);
    const VECTOR g21 = XOR(g17, g20);
    const VECTOR g22 = ANDNOT(b6, g19);
    const VECTOR g23 = XOR(g22, g15);
    const VECTOR g24 = ANDNOT(g14, b4);
    const VECTOR g25 = XOR(g23, g24);
    const VECTOR g26 = ANDNOT(g25, b2);
    const VECTOR g27 = XOR(g21, g26);
    const VECTOR g28 = OR(g24, g12);
    const VECTOR g29 = XOR(g28, b1);
    const VECTOR g30 = XOR(b2, b6);
    const VECTOR g31 = ANDNOT(g30, b3);
    const VECTOR g32 = XOR(g29, g31);
    const VECTOR g33 = ANDNOT(b3, g8);
    const VECTOR g34 = XOR(g33, g28);
    const VECTOR g35 = AND(b3, g16);
    const VECTOR g36 = XOR(g35, g25);
    const VECTOR g37 = ANDNOT(g36, b6);
    const VECTOR g38 = XOR(g34, g37);
    const VECTOR g39 = AND(g38, b5);
    const VECTOR g40 = XOR(g32, g39);
    const VECTOR g41 = XOR(g21, g29);
    const VECTOR g42 = ANDNOT(g41, g4);
    const VECTOR g43 = ANDNOT(g29, g18);
    const VECTOR g44 = XOR(g43, g30);
    const VECTOR g45 = ANDNOT(g44, b6);
    const VECTOR g46 = XOR(g42, g45);
    const VECTOR g47 = OR(g16, g21);
    const VECTOR g48 = XOR(b2, g20);
    const VECTOR g49 = ANDNOT(g19, g48);
    const VECTOR g50 = ANDNOT(g49, b4);
    const VECTOR g51 = XOR(g47, g50);
    const VECTOR g52 = ANDNOT(g51, b3);
    const VECTOR g53 = XOR(g46, g52);
    outputs[0] = g16;
    outputs[1] = g40;
    outputs[2] = g53;
    outputs[3] = g27;
}

/* 54 gates */
static inline void box_3(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = XOR(b6, b3);
    const VECTOR g1 = OR(b4, b6);
    const VECTOR g2 = AND(g1, b1);
    const VECTOR g3 = XOR(g0, g2);
    const VECTOR g4 = XOR(b4, b3);
    const VECTOR g5 = OR(g4, b1);
    const VECTOR g6 = ANDNOT(g5, b5);
    const VECTOR g7 = XOR(g3, g6);
    const VECTOR g8 = XOR(g7, b4);
    const VECTOR g9 = ANDNOT(g8, g0);
    const VECTOR g10 = AND(g9, b1);
    const VECTOR g11 = XOR(b2, g10);
    const VECTOR g12 = AND(g11, b2);
    const VECTOR g13 = XOR(g7, g12);
    const VECTOR g14 = XOR(b1, g4);
    const VECTOR g15 = XOR(g14, b5);
    const VECTOR g16 = NOT(g8);
    const VECTOR g17 = XOR(g11, g5);
    const VECTOR g18 = ANDNOT(g17, b3);
    const VECTOR g19 = XOR(g16, g18);
    const VECTOR g20 = ANDNOT(g19, b2);
    const VECTOR g21 = XOR(g15, g20);
    const VECTOR g22 = XOR(g0, g17);
    const VECTOR g23 = OR(g22, g16);
    const VECTOR g24 = AND(g23, b6);
    const VECTOR g25 = XOR(g21, g24);
    const VECTOR g26 = ANDNOT(g15, g1);
    const VECTOR g27 = XOR(g26, g22);
    const VECTOR g28 = OR(g15, g18);
    const VECTOR g29 = ANDNOT(g28, g3);
    const VECTOR g30 = ANDNOT(g29, b1);
    const VECTOR g31 = XOR(g27, g30);
    const VECTOR g32 = AND(g25, g2);
    const VECTOR g33 = XOR(g32, g9);
    const VECTOR g34 = OR(g32, b6);
    const VECTOR g35 = ANDNOT(g34, g3);
    const VECTOR g36 = AND(g35, b2);
    const VECTOR g37 = XOR(g33, g36);
    const VECTOR g38 = AND(g37, b4);
    const VECTOR g39 = XOR(g31, g38);
    const VECTOR g40 = XOR(g21, g1);
    const VECTOR g41 = ANDNOT(g40, g29);
    const VECTOR g42 = ANDNOT(g21, g16);
    const VECTOR g43 = OR(g42, g0);
    const VECTOR g44 = ANDNOT(g43, b2);
    const VECTOR g45 = XOR(g41, g44);
    const VECTOR g46 = ANDNOT(g33, g24);
    const VECTOR g47 = XOR(g46, g38);
    const VECTOR g48 = OR(g31, g34);
    const VECTOR g49 = XOR(g48, g33);
    const VECTOR g50 = ANDNOT(g49, b2);
    const VECTOR g51 = XOR(g47, g50);
    const VECTOR g52 = AND(g51, b1);
    const VECTOR g53 = XOR(g45, g52);
    outputs[0] = g25;
    outputs[1] = g39;
    outputs[2] = g53;
    outputs[3] = g13;
}

/* 42 gates */
static inline void box_4(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = OR(b4, b5);
    const VECTOR g1 = XOR(g0, b2);
    const VECTOR g2 = AND(b4, b2);
    const VECTOR g3 = XOR(g2, b5);
    const VECTOR g4 = ANDNOT(g3, b3);
    const VECTOR g5 = XOR(g1, g4);
    const VECTOR g6 = XOR(g3, g5);
    const VECTOR g7 = ANDNOT(g0, g6);
    const VECTOR g8 = NOT(b3);
    const VECTOR g9 = ANDNOT(g8, b2);
    const VECTOR g10 = XOR(g7, g9);
    const VECTOR g11 = ANDNOT(g10, b1);
    const VECTOR g12 = XOR(g5, g11);
    const VECTOR g13 = AND(g5, g0);
    const VECTOR g14 = OR(b2, g7);
    const VECTOR g15 = XOR(g14, b4);
    const VECTOR g16 = AND(g15, b1);
    const VECTOR g17 = XOR(g13, g16);
    const VECTOR g18 = XOR(g15, g0);
    const VECTOR g19 = OR(g18, b1);
    const VECTOR g20 = ANDNOT(g19, b3);
    const VECTOR g21 = XOR(g17, g20);
    const VECTOR g22 = AND(g21, b6);
    const VECTOR g23 = XOR(g12, g22);
    const VECTOR g24 = XOR(g23, g21);
    const VECTOR g25 = XOR(g24, b6);
    const VECTOR g26 = XOR(g12, b1);
    const VECTOR g27 = XOR(g26, g6);
    const VECTOR g28 = ANDNOT(b4, b1);
    const VECTOR g29 = ANDNOT(g21, g28);
    const VECTOR g30 = ANDNOT(g29, b2);
    const VECTOR g31 = XOR(g27, g30);
    const VECTOR g32 = ANDNOT(g18, g11);
    const VECTOR g33 = XOR(g32, g13);
    const VECTOR g34 = AND(g15, g29);
    const VECTOR g35 = XOR(g34, g27);
    const VECTOR g36 = ANDNOT(g35, b3);
    const VECTOR g37 = XOR(g33, g36);
    const VECTOR g38 = ANDNOT(g37, b6);
    const VECTOR g39 = XOR(g31, g38);
    const VECTOR g40 = XOR(g39, g37);
    const VECTOR g41 = XOR(g40, b6);
    outputs[0] = g39;
    outputs[1] = g41;
    outputs[2] = g25;
    outputs[3] = g23;
}

/* 59 gates */
static inline void box_5(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = XOR(b6, b4);
    const VECTOR g1 = XOR(b6, b3);
    const VECTOR g2 = OR(g1, b4);
    const VECTOR g3 = ANDNOT(g2, b2);
    const VECTOR g4 = XOR(g0, g3);
    const VECTOR g5 = XOR(b1, g2);
    const VECTOR g6 = OR(g5, b3);
    const VECTOR g7 = ANDNOT(g6, b5);
    const VECTOR g8 = XOR(g4, g7);
    const VECTOR g9 = ANDNOT(b5, g5);
    const VECTOR g10 = AND(g6, b2);
    const VECTOR g11 = XOR(g9, g10);
    const VECTOR g12 = ANDNOT(g11, b4);
    const VECTOR g13 = XOR(b3, g12);
    const VECTOR g14 = ANDNOT(g13, b1);
    const VECTOR g15 = XOR(g8, g14);
    const VECTOR g16 = XOR(g0, g15);
    const VECTOR g17 = OR(g16, g12);
    const VECTOR g18 = OR(g13, g4);
    const VECTOR g19 = AND(g18, b2);
    const VECTOR g20 = XOR(g8, g19);
    const VECTOR g21 = AND(g20, b1);
    const VECTOR g22 = XOR(g17, g21);
    const VECTOR g23 = ANDNOT(g9, g3);
    const VECTOR g24 = XOR(g23, g18);
    const VECTOR g25 = XOR(g15, g20);
    const VECTOR g26 = XOR(g25, g10);
    const VECTOR g27 = ANDNOT(g26, b6);
    const VECTOR g28 = XOR(g24, g27);
    const VECTOR g29 = AND(g28, b5);
    const VECTOR g30 = XOR(g22, g29);
    const VECTOR g31 = AND(g17, g11);
    const VECTOR g32 = XOR(g31, g27);
    const VECTOR g33 = OR(g2, g15);
    const VECTOR g34 = AND(g33, b1);
    const VECTOR g35 = XOR(g32, g34);
    const VECTOR g36 = XOR(b4, g32);
    const VECTOR g37 = NOT(g26);
    const VECTOR g38 = OR(g24, g30);
    const VECTOR g39 = ANDNOT(g38, b5);
    const VECTOR g40 = XOR(g37, g39);
    const VECTOR g41 = ANDNOT(g40, b2);
    const VECTOR g42 = XOR(g36, g41);
    const VECTOR g43 = ANDNOT(g42, b3);
    const VECTOR g44 = XOR(g35, g43);
    const VECTOR g45 = OR(g20, g3);
    const VECTOR g46 = XOR(g45, g23);
    const VECTOR g47 = XOR(g43, g37);
    const VECTOR g48 = XOR(g47, g18);
    const VECTOR g49 = AND(g48, b4);
    const VECTOR g50 = XOR(g46, g49);
    const VECTOR g51 = ANDNOT(g36, g1);
    const VECTOR g52 = XOR(g51, g20);
    const VECTOR g53 = ANDNOT(g47, g51);
    const VECTOR g54 = XOR(g53, g50);
    const VECTOR g55 = ANDNOT(g54, b1);
    const VECTOR g56 = XOR(g52, g55);
    const VECTOR g57 = ANDNOT(g56, b5);
    const VECTOR g58 = XOR(g50, g57);
    outputs[0] = g58;
    outputs[1] = g15;
    outputs[2] = g44;
    outputs[3] = g30;
}

/* 56 gates */
static inline void box_6(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = AND(b1, b5);
    const VECTOR g1 = XOR(g0, b2);
    const VECTOR g2 = XOR(b1, b5);
    const VECTOR g3 = ANDNOT(g2, b3);
    const VECTOR g4 = XOR(g1, g3);
    const VECTOR g5 = OR(g4, b3);
    const VECTOR g6 = XOR(g5, g2);
    const VECTOR g7 = ANDNOT(g6, b4);
    const VECTOR g8 = XOR(g4, g7);
    const VECTOR g9 = OR(g5, b4);
    const VECTOR g10 = OR(g1, b5);
    const VECTOR g11 = XOR(g10, g6);
    const VECTOR g12 = AND(g11, b4);
    const VECTOR g13 = XOR(g9, g12);
    const VECTOR g14 = ANDNOT(g13, b1);
    const VECTOR g15 = XOR(g9, g14);
    const VECTOR g16 = AND(g15, b6);
    const VECTOR g17 = XOR(g8, g16);
    const VECTOR g18 = XOR(g14, b4);
    const VECTOR g19 = XOR(b3, g13);
    const VECTOR g20 = ANDNOT(g19, b2);
    const VECTOR g21 = XOR(g18, g20);
    const VECTOR g22 = OR(g1, g3);
    const VECTOR g23 = XOR(g22, b3);
    const VECTOR g24 = ANDNOT(g23, b5);
    const VECTOR g25 = XOR(g21, g24);
    const VECTOR g26 = NOT(g3);
    const VECTOR g27 = ANDNOT(g18, g4);
    const VECTOR g28 = XOR(g27, g13);
    const VECTOR g29 = AND(g28, b5);
    const VECTOR g30 = XOR(g26, g29);
    const VECTOR g31 = AND(g30, b6);
    const VECTOR g32 = XOR(g25, g31);
    const VECTOR g33 = NOT(g6);
    const VECTOR g34 = OR(b3, b5);
    const VECTOR g35 = ANDNOT(g34, b4);
    const VECTOR g36 = XOR(g33, g35);
    const VECTOR g37 = OR(g11, g28);
    const VECTOR g38 = XOR(g7, b3);
    const VECTOR g39 = ANDNOT(g38, g29);
    const VECTOR g40 = AND(g39, b2);
    const VECTOR g41 = XOR(g37, g40);
    const VECTOR g42 = AND(g41, b6);
    const VECTOR g43 = XOR(g36, g42);
    const VECTOR g44 = XOR(g39, g2);
    const VECTOR g45 = XOR(g44, g7);
    const VECTOR g46 = NOT(g25);
    const VECTOR g47 = ANDNOT(g46, b2);
    const VECTOR g48 = XOR(g45, g47);
    const VECTOR g49 = XOR(g9, g43);
    const VECTOR g50 = OR(g24, g35);
    const VECTOR g51 = ANDNOT(g50, g49);
    const VECTOR g52 = ANDNOT(g51, b1);
    const VECTOR g53 = XOR(g49, g52);
    const VECTOR g54 = AND(g53, b6);
    const VECTOR g55 = XOR(g48, g54);
    outputs[0] = g43;
    outputs[1] = g55;
    outputs[2] = g32;
    outputs[3] = g17;
}

/* 56 gates */
static inline void box_7(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = XOR(b1, b5);
    const VECTOR g1 = ANDNOT(b3, b4);
    const VECTOR g2 = XOR(g0, g1);
    const VECTOR g3 = AND(b4, b5);
    const VECTOR g4 = XOR(g3, b2);
    const VECTOR g5 = ANDNOT(g4, b3);
    const VECTOR g6 = XOR(g2, g5);
    const VECTOR g7 = XOR(b4, g4);
    const VECTOR g8 = XOR(b3, g6);
    const VECTOR g9 = AND(g8, b1);
    const VECTOR g10 = XOR(g7, g9);
    const VECTOR g11 = XOR(b6, g10);
    const VECTOR g12 = ANDNOT(g11, g7);
    const VECTOR g13 = ANDNOT(g12, b2);
    const VECTOR g14 = XOR(g10, g13);
    const VECTOR g15 = AND(g14, b6);
    const VECTOR g16 = XOR(g6, g15);
    const VECTOR g17 = ANDNOT(b1, g6);
    const VECTOR g18 = XOR(g17, g10);
    const VECTOR g19 = XOR(g13, b1);
    const VECTOR g20 = OR(g19, g2);
    const VECTOR g21 = ANDNOT(g20, b6);
    const VECTOR g22 = XOR(g18, g21);
    const VECTOR g23 = XOR(g11, g8);
    const VECTOR g24 = OR(g23, g17);
    const VECTOR g25 = ANDNOT(g11, g3);
    const VECTOR g26 = XOR(g25, g16);
    const VECTOR g27 = ANDNOT(g26, b6);
    const VECTOR g28 = XOR(g24, g27);
    const VECTOR g29 = AND(g28, b4);
    const VECTOR g30 = XOR(g22, g29);
    const VECTOR g31 = XOR(g16, g11);
    const VECTOR g32 = AND(g18, b6);
    const VECTOR g33 = ANDNOT(g32, b3);
    const VECTOR g34 = XOR(g31, g33);
    const VECTOR g35 = OR(b6, g23);
    const VECTOR g36 = ANDNOT(g35, g21);
    const VECTOR g37 = XOR(g35, g30);
    const VECTOR g38 = XOR(g37, g13);
    const VECTOR g39 = AND(g38, b5);
    const VECTOR g40 = XOR(g36, g39);
    const VECTOR g41 = ANDNOT(g40, b2);
    const VECTOR g42 = XOR(g34, g41);
    const VECTOR g43 = XOR(g8, g3);
    const VECTOR g44 = XOR(g43, g38);
    const VECTOR g45 = ANDNOT(b6, g30);
    const VECTOR g46 = AND(g45, g4);
    const VECTOR g47 = ANDNOT(g46, b3);
    const VECTOR g48 = XOR(g44, g47);
    const VECTOR g49 = NOT(g10);
    const VECTOR g50 = ANDNOT(g41, g3);
    const VECTOR g51 = XOR(g50, b3);
    const VECTOR g52 = AND(g51, b3);
    const VECTOR g53 = XOR(g49, g52);
    const VECTOR g54 = ANDNOT(g53, b2);
    const VECTOR g55 = XOR(g48, g54);
    outputs[0] = g42;
    outputs[1] = g55;
    outputs[2] = g30;
    outputs[3] = g16;
}

/* 54 gates */
static inline void box_8(VECTOR b1, VECTOR b2, VECTOR b3, VECTOR b4, VECTOR b5, VECTOR b6, VECTOR outputs[4])
{
    const VECTOR g0 = XOR(b3, b1);
    const VECTOR g1 = OR(b3, b2);
    const VECTOR g2 = AND(g1, b6);
    const VECTOR g3 = XOR(g0, g2);
    const VECTOR g4 = AND(g3, b1);
    const VECTOR g5 = OR(g4, b2);
    const VECTOR g6 = ANDNOT(g5, b6);
    const VECTOR g7 = XOR(b6, g6);
    const VECTOR g8 = ANDNOT(g7, b5);
    const VECTOR g9 = XOR(g3, g8);
    const VECTOR g10 = NOT(b5);
    const VECTOR g11 = OR(b1, b5);
    const VECTOR g12 = AND(g11, b2);
    const VECTOR g13 = XOR(g10, g12);
    const VECTOR g14 = AND(g9, g0);
    const VECTOR g15 = XOR(g14, g7);
    const VECTOR g16 = AND(g15, b6);
    const VECTOR g17 = XOR(g13, g16);
    const VECTOR g18 = ANDNOT(g17, b4);
    const VECTOR g19 = XOR(g9, g18);
    const VECTOR g20 = XOR(g17, g8);
    const VECTOR g21 = XOR(g16, b3);
    const VECTOR g22 = AND(g21, b2);
    const VECTOR g23 = XOR(g20, g22);
    const VECTOR g24 = XOR(g0, g23);
    const VECTOR g25 = ANDNOT(g15, g24);
    const VECTOR g26 = AND(g25, b5);
    const VECTOR g27 = XOR(g23, g26);
    const VECTOR g28 = XOR(g13, g1);
    const VECTOR g29 = OR(g28, g24);
    const VECTOR g30 = ANDNOT(g29, b6);
    const VECTOR g31 = XOR(g13, g30);
    const VECTOR g32 = ANDNOT(g31, b4);
    const VECTOR g33 = XOR(g27, g32);
    const VECTOR g34 = ANDNOT(g0, g30);
    const VECTOR g35 = XOR(g34, b2);
    const VECTOR g36 = XOR(g16, b1);
    const VECTOR g37 = AND(g36, b3);
    const VECTOR g38 = XOR(g35, g37);
    const VECTOR g39 = ANDNOT(g5, g9);
    const VECTOR g40 = AND(g39, b6);
    const VECTOR g41 = XOR(g11, g40);
    const VECTOR g42 = ANDNOT(g41, b4);
    const VECTOR g43 = XOR(g38, g42);
    const VECTOR g44 = XOR(g28, g16);
    const VECTOR g45 = ANDNOT(g0, g24);
    const VECTOR g46 = ANDNOT(g45, b6);
    const VECTOR g47 = XOR(g44, g46);
    const VECTOR g48 = AND(b1, g6);
    const VECTOR g49 = XOR(g48, g12);
    const VECTOR g50 = ANDNOT(b4, b2);
    const VECTOR g51 = XOR(g49, g50);
    const VECTOR g52 = AND(g51, b4);
    const VECTOR g53 = XOR(g47, g52);
    outputs[0] = g33;
    outputs[1] = g53;
    outputs[2] = g43;
    outputs[3] = g19;
}

static inline void round_of(VECTOR *restrict into, const VECTOR *from,
                            const VECTOR *c, const VECTOR *d)
{
    VECTOR outputs[4];
    box_1(XOR(from[31], c[13]), XOR(from[0], c[16]), XOR(from[1], c[10]),
          XOR(from[2], c[23]), XOR(from[3], c[0]), XOR(from[4], c[4]), outputs);
    into[8] = XOR(into[8], outputs[0]);
    into[16] = XOR(into[16], outputs[1]);
    into[22] = XOR(into[22], outputs[2]);
    into[30] = XOR(into[30], outputs[3]);
    box_2(XOR(from[3], c[2]), XOR(from[4], c[27]), XOR(from[5], c[14]),
          XOR(from[6], c[5]), XOR(from[7], c[20]), XOR(from[8], c[9]), outputs);
    into[12] = XOR(into[12], outputs[0]);
    into[27] = XOR(into[27], outputs[1]);
    into[1] = XOR(into[1], outputs[2]);
    into[17] = XOR(into[17], outputs[3]);
    box_3(XOR(from[7], c[22]), XOR(from[8], c[18]), XOR(from[9], c[11]),
          XOR(from[10], c[3]), XOR(from[11], c[25]), XOR(from[12], c[7]), outputs);
    into[23] = XOR(into[23], outputs[0]);
    into[15] = XOR(into[15], outputs[1]);
    into[29] = XOR(into[29], outputs[2]);
    into[5] = XOR(into[5], outputs[3]);
    box_4(XOR(from[11], c[15]), XOR(from[12], c[6]), XOR(from[13], c[26]),
          XOR(from[14], c[19]), XOR(from[15], c[12]), XOR(from[16], c[1]), outputs);
    into[25] = XOR(into[25], outputs[0]);
    into[19] = XOR(into[19], outputs[1]);
    into[9] = XOR(into[9], outputs[2]);
    into[0] = XOR(into[0], outputs[3]);
    box_5(XOR(from[15], d[12]), XOR(from[16], d[23]), XOR(from[17], d[2]),
          XOR(from[18], d[8]), XOR(from[19], d[18]), XOR(from[20], d[26]), outputs);
    into[7] = XOR(into[7], outputs[0]);
    into[13] = XOR(into[13], outputs[1]);
    into[24] = XOR(into[24], outputs[2]);
    into[2] = XOR(into[2], outputs[3]);
    box_6(XOR(from[19], d[1]), XOR(from[20], d[11]), XOR(from[21], d[22]),
          XOR(from[22], d[16]), XOR(from[23], d[4]), XOR(from[24], d[19]), outputs);
    into[3] = XOR(into[3], outputs[0]);
    into[28] = XOR(into[28], outputs[1]);
    into[10] = XOR(into[10], outputs[2]);
    into[18] = XOR(into[18], outputs[3]);
    box_7(XOR(from[23], d[15]), XOR(from[24], d[20]), XOR(from[25], d[10]),
          XOR(from[26], d[27]), XOR(from[27], d[5]), XOR(from[28], d[24]), outputs);
    into[31] = XOR(into[31], outputs[0]);
    into[11] = XOR(into[11], outputs[1]);
    into[21] = XOR(into[21], outputs[2]);
    into[6] = XOR(into[6], outputs[3]);
    box_8(XOR(from[27], d[17]), XOR(from[28], d[13]), XOR(from[29], d[21]),
          XOR(from[30], d[7]), XOR(from[31], d[0]), XOR(from[0], d[3]), outputs);
    into[4] = XOR(into[4], outputs[0]);
    into[26] = XOR(into[26], outputs[1]);
    into[14] = XOR(into[14], outputs[2]);
    into[20] = XOR(into[20], outputs[3]);
}
