/*
 * One pass of byte lanes, at the width that des_lanes_avx512.c has set: VECTOR, LANES, NAMED and the
 * operations. It is included once a width.
 */

/* A key's sixteen rounds, as differences: see turn(). */
typedef struct NAMED(schedule) {
    VECTOR first[8];     /* K1 */
    VECTOR turns[16][8]; /* K2, then K1 ^ K3, K2 ^ K4, ... K14 ^ K16, then K15 */
    VECTOR last[8];      /* K16 */
} NAMED(schedule);

typedef struct NAMED(state) {
    VECTOR left[8];
    VECTOR right[8];
} NAMED(state);

typedef struct NAMED(kept) {
    uint64_t words[64];
    const uint8_t *next[64];
    NAMED(state) at;
    NAMED(schedule) one;
    NAMED(schedule) other; /* last: a single key leaves it as it was */
} NAMED(kept);

static inline VECTOR NAMED(subkey)(const VECTOR planes[4], const uint64_t matrices[4])
{
    const VECTOR three = XOR3(AFFINE(planes[0], matrices[0]), AFFINE(planes[1], matrices[1]),
                              AFFINE(planes[2], matrices[2]));
    return XOR(three, AFFINE(planes[3], matrices[3]));
}

static void NAMED(prepare)(const uint64_t keys[64], NAMED(schedule) *schedule)
{
    static const uint8_t PLANES[2][4] = {{0, 1, 2, 3}, {6, 5, 4, 3}};
    __m512i wide[8];
    planes_of(keys, KEY_BITS, wide);
    for (size_t box = 0; box < 8; box++) {
        VECTOR planes[4];
        for (size_t at = 0; at < 4; at++) planes[at] = NARROWED(wide[PLANES[box / 4][at]]);
        VECTOR before = NAMED(subkey)(planes, POS_DES_SUBKEYS[0][box]);
        VECTOR now = NAMED(subkey)(planes, POS_DES_SUBKEYS[1][box]);
        schedule->first[box] = before;
        schedule->turns[0][box] = now;
        for (size_t round = 2; round < 16; round++) {
            const VECTOR next = NAMED(subkey)(planes, POS_DES_SUBKEYS[round][box]);
            schedule->turns[round - 1][box] = XOR(before, next);
            before = now;
            now = next;
        }
        schedule->turns[15][box] = before;
        schedule->last[box] = now;
    }
    pos_wipe(wide, sizeof wide);
}

#define MERGED(c0, c1, c2, c3, c4, c5)                                                            \
    CHOSEN(CHOSEN(CHOSEN(c0, c1, even), CHOSEN(c2, c3, even), low_two),                           \
           CHOSEN(c4, c5, even), low_four)
#define MIXED(box, into, outputs, turn)                                                           \
    (into)[box] = XOR3(POS_DES_INTO_##box(MERGED, outputs), (into)[box], (turn)[box])
/* The S-boxes of one half, P, E, and the exclusive or into the other. */
#define ROUND(into, from, turn)                                                                   \
    do {                                                                                          \
        const VECTOR outputs[8] = {BOX(0, (from)[0]), BOX(1, (from)[1]), BOX(2, (from)[2]),       \
                                   BOX(3, (from)[3]), BOX(4, (from)[4]), BOX(5, (from)[5]),       \
                                   BOX(6, (from)[6]), BOX(7, (from)[7])};                         \
        MIXED(0, into, outputs, turn);                                                            \
        MIXED(1, into, outputs, turn);                                                            \
        MIXED(2, into, outputs, turn);                                                            \
        MIXED(3, into, outputs, turn);                                                            \
        MIXED(4, into, outputs, turn);                                                            \
        MIXED(5, into, outputs, turn);                                                            \
        MIXED(6, into, outputs, turn);                                                            \
        MIXED(7, into, outputs, turn);                                                            \
    } while (0)

/*
 * Sixteen rounds. A half is kept as S-box input, its subkey already in it: x(n) = R(n-1) ^ K(n). So
 * x(n+1) = x(n-1) ^ f(x(n)) ^ K(n-1) ^ K(n+1), and the difference of the two keys is what a round
 * takes. Backward the same differences serve in the other order. The halves come out exchanged, as
 * the next stage or the way out wants them.
 */
static void NAMED(turn)(NAMED(state) *at, const NAMED(schedule) *key, bool is_backward)
{
    const VECTOR even = SPREAD(0x15);
    const VECTOR low_two = SPREAD(0x03);
    const VECTOR low_four = SPREAD(0x0f);
    const VECTOR *before = is_backward ? key->last : key->first;
    const VECTOR *after = is_backward ? key->first : key->last;
    VECTOR left[8];
    VECTOR right[8];
    _Pragma("GCC unroll 8") for (size_t box = 0; box < 8; box++)
    {
        left[box] = at->left[box];
        right[box] = XOR(at->right[box], before[box]);
    }
    if (is_backward) {
        for (size_t round = 16; round > 0; round -= 2) {
            ROUND(left, right, key->turns[round - 1]);
            ROUND(right, left, key->turns[round - 2]);
        }
    } else {
        for (size_t round = 0; round < 16; round += 2) {
            ROUND(left, right, key->turns[round]);
            ROUND(right, left, key->turns[round + 1]);
        }
    }
    _Pragma("GCC unroll 8") for (size_t box = 0; box < 8; box++)
    {
        at->left[box] = right[box];
        at->right[box] = XOR(left[box], after[box]);
    }
}

/* Blocks into the chains: a chain that has not begun yet begins out of zeros. */
static void NAMED(enter)(const uint64_t blocks[64], size_t begun, NAMED(state) *at)
{
    __m512i wide[8];
    planes_of(blocks, BLOCK_BITS, wide);
    const VECTOR kept = KEPT(begun);
    for (size_t box = 0; box < 8; box++) {
        const size_t first = box % 2 == 0 ? (box / 2 + 3) % 4 : box / 2;
        const size_t second = (first + 1) % 4;
        const uint64_t *matrix = POS_DES_ENTER[box];
        const VECTOR l1 = AFFINE(NARROWED(wide[first]), matrix[0]);
        const VECTOR l2 = AFFINE(NARROWED(wide[second]), matrix[1]);
        const VECTOR r1 = AFFINE(NARROWED(wide[first + 4]), matrix[0]);
        const VECTOR r2 = AFFINE(NARROWED(wide[second + 4]), matrix[1]);
        at->left[box] = XOR3(AND(at->left[box], kept), l1, l2);
        at->right[box] = XOR3(AND(at->right[box], kept), r1, r2);
    }
}

static void NAMED(leave)(const NAMED(state) *at, uint64_t blocks_out[64])
{
    /* Byte 7 - s of a block holds what the way out turns into its bit s. */
    static const uint8_t LEFT_AT[4] = {1, 3, 5, 7};
    __m512i wide[8];
    for (size_t byte = 0; byte < 4; byte++) {
        const uint64_t *matrix = POS_DES_LEAVE[byte];
        const VECTOR left = XOR(AFFINE(at->left[2 * byte], matrix[0]),
                                AFFINE(at->left[2 * byte + 1], matrix[1]));
        const VECTOR right = XOR(AFFINE(at->right[2 * byte], matrix[0]),
                                 AFFINE(at->right[2 * byte + 1], matrix[1]));
        wide[LEFT_AT[byte]] = WIDENED(left);
        wide[LEFT_AT[byte] - 1] = WIDENED(right);
    }
    blocks_of(wide, blocks_out);
}

static void NAMED(step)(NAMED(kept) *in, pos_des_form form, size_t begun)
{
    NAMED(enter)(in->words, begun, &in->at);
    NAMED(turn)(&in->at, &in->one, false);
    if (form != POS_DES_DOUBLE) return;
    NAMED(turn)(&in->at, &in->other, true);
    NAMED(turn)(&in->at, &in->one, false);
}

static void NAMED(chain)(NAMED(kept) *in, pos_des_form form, const pos_des_words *words,
                         const pos_des_lane *lanes, size_t count)
{
    for (size_t half = 0; half < 2 && words->texts[0] != NULL; half++) {
        stage_words(words->texts[half], count, in->words);
        NAMED(step)(in, form, half * LANES);
    }
    if (words->texts[0] != NULL) return;
    pos_zero(in->words, sizeof in->words);
    for (size_t lane = 0; lane < count; lane++) in->next[lane] = lanes[lane].data;
    size_t begun = 0;
    for (uint32_t left = pos_des_steps(&lanes[0]); left > 0; left--) {
        const size_t before = begun;
        begun = stage_blocks(lanes, count, begun, left, in->next, in->words);
        NAMED(step)(in, form, before);
    }
}

static void NAMED(pass)(pos_des_form form, const pos_des_words *words, const pos_des_lane *lanes,
                        size_t count, uint64_t *macs_out)
{
    NAMED(kept) in;
    assert(count > 0 && count <= LANES);
    stage_words(words->keys[0], count, in.words);
    NAMED(prepare)(in.words, &in.one);
    if (form != POS_DES_SINGLE) {
        stage_words(words->keys[1], count, in.words);
        NAMED(prepare)(in.words, &in.other);
    }
    for (size_t box = 0; box < 8; box++) in.at.left[box] = in.at.right[box] = SPREAD(0);
    NAMED(chain)(&in, form, words, lanes, count);
    if (form == POS_DES_X9_19) {
        NAMED(turn)(&in.at, &in.other, true);
        NAMED(turn)(&in.at, &in.one, false);
    }
    NAMED(leave)(&in.at, in.words);
    pos_copy(macs_out, in.words, count * sizeof in.words[0]);
    pos_wipe(&in, form == POS_DES_SINGLE ? offsetof(NAMED(kept), other) : sizeof in);
}

#undef MERGED
#undef MIXED
#undef ROUND
#undef VECTOR
#undef LANES
#undef NAMED
#undef NARROWED
#undef WIDENED
#undef SPREAD
#undef KEPT
#undef AND
#undef XOR
#undef XOR3
#undef CHOSEN
#undef AFFINE
#undef BOX
