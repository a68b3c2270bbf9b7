/*
 * One pass of bit slices: a vector a bit of the block, a bit of the vector a message. Included by a
 * file that has set VECTOR, SLICES (messages in a vector), AHEAD (steps that are staged at a time),
 * NONE and EVERY (no message's bit, and each's), AND, XOR and what its circuit wants, and has planes_of, words_of, and stage where AHEAD is over 1.
 *
 *   words  ─▶ planes     the blocks' bits turned: plane 8k + i is bit i (from the lowest) of byte k
 *   IP, FP, E, P         wires: which plane is read
 *   subkeys              wires too: both halves of the key lie twice in a row, and a round reads them
 *                        from where they are turned to
 */

typedef struct slice_key {
    VECTOR c[2 * HALF];
    VECTOR d[2 * HALF];
} slice_key;

typedef struct slice_pass {
    const uint8_t *ends[SLICES]; /* of the last block, also where that is not whole */
    uint32_t steps[SLICES];      /* 0: no such lane */
    uint8_t lacks[SLICES];       /* bytes that the last block lacks */
    uint64_t words[AHEAD][SLICES];
    VECTOR planes[64];
    VECTOR kept; /* the chains that had begun before */
    VECTOR halves[2][32];
    size_t left; /* which of the halves is the left one */
    slice_key one;
    slice_key other; /* last: a single key leaves it as it was */
} slice_pass;

/* A word for every lane there is in a vector: where there are fewer, the others are zeros. */
static const uint64_t *filled_up(slice_pass *in, const uint64_t *words, size_t count)
{
    if (count == SLICES) return words;
    pos_copy(in->words[0], words, count * sizeof words[0]);
    pos_zero(in->words[0] + count, (SLICES - count) * sizeof words[0]);
    return in->words[0];
}

/* Not inline: sixteen of them would not fit where the processor keeps its decoded instructions. */
__attribute__((noinline)) static void one_round(VECTOR *restrict into, const VECTOR *from,
                                                const slice_key *key, size_t turned)
{
    round_of(into, from, key->c + turned, key->d + turned);
}

/* Sixteen rounds; what is the left half then, and next, is in the other place. */
static void turn(slice_pass *in, const slice_key *key, bool is_backward)
{
    static const uint8_t TURNED[16] = {1, 2, 4, 6, 8, 10, 12, 14, 15, 17, 19, 21, 23, 25, 27, 28};
    VECTOR *one = in->halves[in->left];
    VECTOR *other = in->halves[1 - in->left];
    for (size_t round = 0; round < 16; round += 2) {
        one_round(one, other, key, TURNED[is_backward ? 15 - round : round]);
        one_round(other, one, key, TURNED[is_backward ? 14 - round : round + 1]);
    }
    in->left = 1 - in->left;
}

#if AHEAD == 1
/* FIPS 46-3, permuted choice 1: bit n of C, then of D, as a plane. */
static size_t key_plane(size_t bit)
{
    static const uint8_t CHOICE_1[2 * HALF] = {
        57, 49, 41, 33, 25, 17, 9,  1,  58, 50, 42, 34, 26, 18, 10, 2,  59, 51, 43,
        35, 27, 19, 11, 3,  60, 52, 44, 36, 63, 55, 47, 39, 31, 23, 15, 7,  62, 54,
        46, 38, 30, 22, 14, 6,  61, 53, 45, 37, 29, 21, 13, 5,  28, 20, 12, 4,
    };
    const size_t number = CHOICE_1[bit] - 1U;
    return number / 8 * 8 + (7 - number % 8);
}

/* The planes of a half of the keys, twice in a row. */
static void schedule(const uint64_t words[SLICES], VECTOR c[2 * HALF], VECTOR d[2 * HALF],
                     VECTOR room[64])
{
    planes_of(words, room);
    for (size_t bit = 0; bit < HALF; bit++) {
        c[bit] = c[bit + HALF] = room[key_plane(bit)];
        d[bit] = d[bit + HALF] = room[key_plane(bit + HALF)];
    }
}

/* The initial permutation: bit n of both halves, the left one first, as a plane. */
static size_t block_plane(size_t bit)
{
    static const uint8_t PLACES[8] = {6, 4, 2, 0, 7, 5, 3, 1};
    return 8 * (7 - bit % 8) + PLACES[bit / 8];
}

static void enter(const uint64_t words[SLICES], VECTOR kept, VECTOR left[32], VECTOR right[32],
                  VECTOR room[64])
{
    planes_of(words, room);
    for (size_t bit = 0; bit < 32; bit++) {
        left[bit] = XOR(AND(left[bit], kept), room[block_plane(bit)]);
        right[bit] = XOR(AND(right[bit], kept), room[block_plane(bit + 32)]);
    }
}

static void leave(const VECTOR left[32], const VECTOR right[32], VECTOR room[64],
                  uint64_t words_out[SLICES])
{
    for (size_t bit = 0; bit < 32; bit++) {
        room[block_plane(bit)] = left[bit];
        room[block_plane(bit + 32)] = right[bit];
    }
    words_of(room, words_out);
}
#endif

/* A block into every chain, and a step of it. */
static void step(slice_pass *in, pos_des_form form, const uint64_t words[SLICES])
{
    enter(words, in->kept, in->halves[in->left], in->halves[1 - in->left], in->planes);
    turn(in, &in->one, false);
    if (form != POS_DES_DOUBLE) return;
    turn(in, &in->other, true);
    turn(in, &in->one, false);
}

#if AHEAD == 1
/* The blocks with `left` steps to go; zeros for a chain that has not begun, and after the end. */
static void stage(const uint8_t *const ends[SLICES], const uint32_t steps[SLICES],
                  const uint8_t lacks[SLICES], uint32_t left, uint64_t words[AHEAD][SLICES])
{
    for (size_t lane = 0; lane < SLICES; lane++) {
        const uint8_t *block = ends[lane] - (size_t)left * 8;
        uint64_t word = 0;
        if (steps[lane] >= left && (left > 1 || lacks[lane] == 0)) {
            word = pos_load_u64_le(block);
        } else if (steps[lane] >= left) {
            for (size_t byte = 0; byte < 8U - lacks[lane]; byte++) {
                word |= (uint64_t)block[byte] << (8 * byte);
            }
        }
        words[0][lane] = word;
    }
}
#endif

/* Which planes hold a chain that had begun before this step: for the others it begins with zeros. */
static void keep(slice_pass *in, size_t begun)
{
    for (size_t lane = 0; lane < SLICES; lane++) {
        in->words[0][lane] = lane < begun ? UINT64_MAX : 0;
    }
    planes_of(in->words[0], in->planes);
    in->kept = in->planes[0];
}

static void begin(slice_pass *in, const pos_des_lane *lanes, size_t count)
{
    for (size_t lane = 0; lane < SLICES; lane++) {
        in->steps[lane] = lane < count ? pos_des_steps(&lanes[lane]) : 0;
        const size_t size = (size_t)in->steps[lane] * 8;
        in->lacks[lane] = lane < count ? (uint8_t)(size - lanes[lane].size) : 0;
        in->ends[lane] = lanes[lane < count ? lane : 0].data + size;
    }
}

static void chain(slice_pass *in, pos_des_form form, const pos_des_lane *lanes, size_t count)
{
    begin(in, lanes, count);
    const uint32_t steps = in->steps[0];
    size_t begun = 0;
    for (uint32_t done = 0; done < steps; done++) {
        const uint32_t left = steps - done;
        const size_t before = begun;
        while (begun < count && in->steps[begun] > left) begun++;
        if (before != begun) keep(in, begun);
        if (done % AHEAD == 0) stage(in->ends, in->steps, in->lacks, left, in->words);
        step(in, form, in->words[done % AHEAD]);
    }
    pos_wipe(in->words, (steps < AHEAD ? steps : AHEAD) * sizeof in->words[0]);
}

static void chain_texts(slice_pass *in, pos_des_form form, const pos_des_words *words,
                        size_t count)
{
    for (size_t half = 0; half < 2; half++) {
        in->kept = half == 0 ? NONE : EVERY;
        step(in, form, filled_up(in, words->texts[half], count));
    }
}

static void give(slice_pass *in, size_t count, uint64_t *macs_out)
{
    uint64_t *words = count == SLICES ? macs_out : in->words[0];
    leave(in->halves[in->left], in->halves[1 - in->left], in->planes, words);
    if (count == SLICES) return;
    pos_copy(macs_out, words, count * sizeof words[0]);
    pos_wipe(words, sizeof in->words[0]); /* the last of what was filled up */
}

static void pass(pos_des_form form, const pos_des_words *words, const pos_des_lane *lanes,
                 size_t count, uint64_t *macs_out)
{
    slice_pass in;
    assert(count > 0 && count <= SLICES);
    in.left = 0;
    schedule(filled_up(&in, words->keys[0], count), in.one.c, in.one.d, in.planes);
    if (form != POS_DES_SINGLE) {
        schedule(filled_up(&in, words->keys[1], count), in.other.c, in.other.d, in.planes);
    }
    in.kept = NONE;
    for (size_t bit = 0; bit < 32; bit++) in.halves[0][bit] = in.halves[1][bit] = NONE;
    if (words->texts[0] != NULL) {
        chain_texts(&in, form, words, count);
    } else {
        chain(&in, form, lanes, count);
    }
    if (form == POS_DES_X9_19) {
        turn(&in, &in.other, true);
        turn(&in, &in.one, false);
    }
    give(&in, count, macs_out);
    const size_t used = form == POS_DES_SINGLE ? offsetof(slice_pass, other) : sizeof in;
    pos_wipe(in.halves, used - offsetof(slice_pass, halves)); /* the planes are the MACs by now */
}
