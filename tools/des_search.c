/*
 * Looks for small circuits of a 6-to-4-bit S-box, after Kwan ("Reducing the gate count of bitslice
 * DES", 2000). The table comes from the command line; no circuit of anybody's is used.
 *
 *   search ternary|binary TABLE SECONDS SEED [MOST]      better ones as they are found, one a line
 *
 * TABLE is 64 hex digits, by the input b1..b6 as a number. A line is the count of gates, then each
 * gate as kind:a,b,c (gates 0 to 5 are b1 to b6), then the four outputs.
 *
 * A gate is known by the 64 bits that it gives for the 64 inputs. To make a wanted function where a
 * mask says that it matters:
 *
 *   1. a gate that there is already;                    3. two new gates over those there are;
 *   2. one new gate over those there are;               4. an input bit splits the mask in two: make
 *                                                          both halves, and choose by that bit
 *
 * In step 4 a half may use the gates of the other, and does not care what it gives there. The input
 * bits are tried all, and the smallest result stays. The order of outputs, and which of several
 * gates serves, are drawn; many drawings give the best.
 *
 * ternary: any function of three gates is one gate (kind is its table: bit 4a + 2b + c).
 * binary: and, or, xor, and-not, not (kinds 1 to 5).
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GATES_MAX 96
#define INPUTS 6
#define NONE (-1)

enum { AND = 1, OR, XOR, ANDNOT, NOT };

typedef struct gate {
    uint8_t kind, a, b, c;
} gate;

typedef struct net {
    uint64_t bits[GATES_MAX];
    gate gates[GATES_MAX];
    int count;
    int most; /* a larger net is of no use */
} net;

static bool is_ternary;
static uint64_t seed;

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 16) % below);
}

static int add(net *in, uint64_t bits, unsigned kind, int a, int b, int c)
{
    if (in->count >= in->most) return NONE;
    in->bits[in->count] = bits;
    in->gates[in->count] = (gate){(uint8_t)kind, (uint8_t)a, (uint8_t)b, (uint8_t)c};
    return in->count++;
}

/* The order in which gates are looked at. */
static void shuffle(int *order, int count)
{
    for (int index = 0; index < count; index++) order[index] = index;
    for (int index = count - 1; index > 0; index--) {
        const int other = (int)draw((uint32_t)index + 1);
        const int held = order[index];
        order[index] = order[other];
        order[other] = held;
    }
}

/* ---- ternary ------------------------------------------------------------------------------------- */
static uint64_t cell(uint64_t a, uint64_t b, uint64_t c, unsigned which)
{
    return ((which & 4) != 0 ? a : ~a) & ((which & 2) != 0 ? b : ~b) & ((which & 1) != 0 ? c : ~c);
}

static uint64_t lut(unsigned table, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t bits = 0;
    for (unsigned which = 0; which < 8; which++) {
        if ((table >> which & 1) != 0) bits |= cell(a, b, c, which);
    }
    return bits;
}

/* One gate over three that gives `ones` and not `zeros`. */
static int one_ternary(net *in, uint64_t ones, uint64_t zeros, const int *order)
{
    const int count = in->count;
    for (int i = 0; i < count; i++) {
        const uint64_t a = in->bits[order[i]];
        for (int j = i + 1; j < count; j++) {
            const uint64_t b = in->bits[order[j]];
            for (int k = j + 1; k < count; k++) {
                const uint64_t c = in->bits[order[k]];
                unsigned table = 0;
                bool is_possible = true;
                for (unsigned which = 0; which < 8 && is_possible; which++) {
                    const uint64_t here = cell(a, b, c, which);
                    if ((here & ones) == 0) continue;
                    table |= 1U << which;
                    is_possible = (here & zeros) == 0;
                }
                if (!is_possible) continue;
                return add(in, lut(table, a, b, c), table, order[i], order[j], order[k]);
            }
        }
    }
    return NONE;
}

/*
 * What the inner gate must give in its eight cells so that, with d and e, it tells ones from zeros:
 * in each cell of d and e the inner cells that hold ones differ from those that hold zeros. Returns
 * the inner table, or NONE.
 */
static int inner_table(const uint64_t one_at[8], const uint64_t zero_at[8], const uint64_t outer[4])
{
    unsigned first[4];
    unsigned second[4];
    unsigned pairs = 0;
    for (unsigned o = 0; o < 4; o++) {
        unsigned holds_one = 0;
        unsigned holds_zero = 0;
        for (unsigned which = 0; which < 8; which++) {
            const bool one = (one_at[which] & outer[o]) != 0;
            const bool zero = (zero_at[which] & outer[o]) != 0;
            if (one && zero) return NONE;
            holds_one |= (unsigned)one << which;
            holds_zero |= (unsigned)zero << which;
        }
        if (holds_one == 0 || holds_zero == 0) continue;
        first[pairs] = holds_one;
        second[pairs++] = holds_zero;
    }
    if (pairs == 0) return NONE; /* one gate would do */
    unsigned high = first[0];
    unsigned low = second[0];
    bool is_done[4] = {true};
    for (unsigned turn = 1; turn < pairs; turn++) {
        for (unsigned at = 1; at < pairs; at++) {
            if (is_done[at]) continue;
            const bool straight = (first[at] & high) != 0 || (second[at] & low) != 0;
            const bool crossed = (first[at] & low) != 0 || (second[at] & high) != 0;
            if (straight && crossed) return NONE;
            if (!straight && !crossed && turn + 1 < pairs) continue; /* may yet be tied */
            high |= crossed ? second[at] : first[at];
            low |= crossed ? first[at] : second[at];
            is_done[at] = true;
        }
    }
    for (unsigned at = 0; at < pairs; at++) {
        const bool straight = (first[at] & low) == 0 && (second[at] & high) == 0;
        const bool crossed = (first[at] & high) == 0 && (second[at] & low) == 0;
        if (!is_done[at] || (!straight && !crossed)) return NONE;
    }
    return (high & low) != 0 ? NONE : (int)high;
}

/* A cell holds ones and zeros, and some cell of d and e has some of both. */
static bool is_mixed(const uint64_t one_at[8], const uint64_t zero_at[8], unsigned mixed,
                     const uint64_t outer[4])
{
    for (; mixed != 0; mixed &= mixed - 1) {
        const uint64_t one = one_at[__builtin_ctz(mixed)];
        const uint64_t zero = zero_at[__builtin_ctz(mixed)];
        for (unsigned o = 0; o < 4; o++) {
            if ((one & outer[o]) != 0 && (zero & outer[o]) != 0) return true;
        }
    }
    return false;
}

static int two_ternary(net *in, uint64_t ones, uint64_t zeros, const int *order)
{
    const int count = in->count;
    if (count + 2 > in->most) return NONE;
    for (int i = 0; i < count; i++) {
        for (int j = i + 1; j < count; j++) {
            for (int k = j + 1; k < count; k++) {
                const uint64_t a = in->bits[order[i]];
                const uint64_t b = in->bits[order[j]];
                const uint64_t c = in->bits[order[k]];
                uint64_t one_at[8];
                uint64_t zero_at[8];
                unsigned mixed = 0; /* cells that d and e must tell apart */
                for (unsigned which = 0; which < 8; which++) {
                    one_at[which] = cell(a, b, c, which) & ones;
                    zero_at[which] = cell(a, b, c, which) & zeros;
                    mixed |= (unsigned)(one_at[which] != 0 && zero_at[which] != 0) << which;
                }
                for (int m = 0; m < count; m++) {
                    const uint64_t d = in->bits[order[m]];
                    for (int n = m + 1; n < count; n++) {
                        const uint64_t e = in->bits[order[n]];
                        const uint64_t outer[4] = {~d & ~e, ~d & e, d & ~e, d & e};
                        if (is_mixed(one_at, zero_at, mixed, outer)) continue;
                        const int table = inner_table(one_at, zero_at, outer);
                        if (table == NONE) continue;
                        const uint64_t inner = lut((unsigned)table, a, b, c);
                        unsigned last = 0;
                        bool is_right = true;
                        for (unsigned which = 0; which < 8; which++) {
                            const uint64_t here = cell(inner, d, e, which);
                            if ((here & ones) == 0) continue;
                            last |= 1U << which;
                            if ((here & zeros) != 0) is_right = false;
                        }
                        if (!is_right) continue;
                        const int at = add(in, inner, (unsigned)table, order[i], order[j], order[k]);
                        return add(in, lut(last, inner, d, e), last, at, order[m], order[n]);
                    }
                }
            }
        }
    }
    return NONE;
}

/* ---- binary -------------------------------------------------------------------------------------- */
static uint64_t joined(unsigned kind, uint64_t a, uint64_t b)
{
    switch (kind) {
    case AND: return a & b;
    case OR: return a | b;
    case XOR: return a ^ b;
    case ANDNOT: return a & ~b;
    default: return ~a;
    }
}

static bool fits(uint64_t bits, uint64_t target, uint64_t mask)
{
    return ((bits ^ target) & mask) == 0;
}

static int one_binary(net *in, uint64_t target, uint64_t mask, const int *order)
{
    for (int i = 0; i < in->count; i++) {
        if (fits(~in->bits[order[i]], target, mask)) {
            return add(in, ~in->bits[order[i]], NOT, order[i], order[i], 0);
        }
    }
    for (int i = 0; i < in->count; i++) {
        for (int j = 0; j < in->count; j++) {
            for (unsigned kind = AND; kind <= ANDNOT && i != j; kind++) {
                const uint64_t bits = joined(kind, in->bits[order[i]], in->bits[order[j]]);
                if (fits(bits, target, mask)) return add(in, bits, kind, order[i], order[j], 0);
            }
        }
    }
    return NONE;
}

static int two_binary(net *in, uint64_t target, uint64_t mask, const int *order)
{
    const int count = in->count;
    if (count + 2 > in->most) return NONE;
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < count; j++) {
            for (unsigned kind = AND; kind <= ANDNOT && i != j; kind++) {
                if (i > j && kind != ANDNOT) continue;
                const uint64_t inner = joined(kind, in->bits[order[i]], in->bits[order[j]]);
                for (int k = 0; k < count; k++) {
                    const uint64_t c = in->bits[order[k]];
                    unsigned last = 0;
                    bool is_swapped = false;
                    if (fits(inner & c, target, mask)) last = AND;
                    else if (fits(inner | c, target, mask)) last = OR;
                    else if (fits(inner ^ c, target, mask)) last = XOR;
                    else if (fits(inner & ~c, target, mask)) last = ANDNOT;
                    else if (fits(~inner & c, target, mask)) last = ANDNOT, is_swapped = true;
                    else continue;
                    const int at = add(in, inner, kind, order[i], order[j], 0);
                    const int one = is_swapped ? order[k] : at;
                    const int two = is_swapped ? at : order[k];
                    return add(in, joined(last, in->bits[one], in->bits[two]), last, one, two, 0);
                }
            }
        }
    }
    return NONE;
}

/* ---- both ---------------------------------------------------------------------------------------- */
static int make(net *in, uint64_t target, uint64_t mask, unsigned used);

/* Both halves by input `bit`, chosen by one ternary gate. */
static int choose_ternary(net *in, uint64_t target, uint64_t mask, unsigned used, int bit,
                          bool is_high_first)
{
    const uint64_t x = in->bits[bit];
    const int one = make(in, target, is_high_first ? mask & x : mask & ~x, used | 1U << bit);
    if (one == NONE) return NONE;
    const int two = make(in, target, is_high_first ? mask & ~x : mask & x, used | 1U << bit);
    if (two == NONE) return NONE;
    const int high = is_high_first ? one : two;
    const int low = is_high_first ? two : one;
    if (high == low) return high;
    const uint64_t bits = (in->bits[high] & x) | (in->bits[low] & ~x);
    return add(in, bits, 0xCA, bit, high, low); /* x ? high : low */
}

/* One half, and what must change in the other: half ^ (change & x). */
static int choose_binary(net *in, uint64_t target, uint64_t mask, unsigned used, int bit,
                         bool is_high_first)
{
    const uint64_t x = in->bits[bit];
    const int half = make(in, target, is_high_first ? mask & x : mask & ~x, used | 1U << bit);
    if (half == NONE) return NONE;
    const uint64_t where = is_high_first ? ~x : x;
    const int change = make(in, target ^ in->bits[half], mask & where, used | 1U << bit);
    if (change == NONE) return NONE;
    const int at = is_high_first ? add(in, in->bits[change] & ~x, ANDNOT, change, bit, 0)
                                 : add(in, in->bits[change] & x, AND, change, bit, 0);
    if (at == NONE) return NONE;
    return add(in, in->bits[half] ^ in->bits[at], XOR, half, at, 0);
}

/* The gate that gives `target` where `mask` has a one; NONE where that takes too many. */
static int make(net *in, uint64_t target, uint64_t mask, unsigned used)
{
    int order[GATES_MAX];
    shuffle(order, in->count);
    for (int index = 0; index < in->count; index++) {
        if (fits(in->bits[order[index]], target, mask)) return order[index];
    }
    if (in->count >= in->most) return NONE;
    int found = is_ternary ? one_ternary(in, target & mask, ~target & mask, order)
                           : one_binary(in, target, mask, order);
    if (found != NONE) return found;
    found = is_ternary ? two_ternary(in, target & mask, ~target & mask, order)
                       : two_binary(in, target, mask, order);
    if (found != NONE) return found;
    if (in->count + 3 > in->most) return NONE;

    net best;
    int best_found = NONE;
    int most = in->most;
    int bits[INPUTS];
    shuffle(bits, INPUTS);
    for (int index = 0; index < INPUTS; index++) {
        if ((used >> bits[index] & 1) != 0) continue;
        for (int side = 0; side < 2; side++) {
            /* Deep down one side, drawn, is enough. */
            if (side == 1 && (__builtin_popcount(used) > (is_ternary ? 0 : 1))) continue;
            net tried = *in;
            tried.most = most;
            const bool is_high = side == 1 || (draw(2) == 0 && __builtin_popcount(used) > 0);
            found = is_ternary ? choose_ternary(&tried, target, mask, used, bits[index], is_high)
                               : choose_binary(&tried, target, mask, used, bits[index], is_high);
            if (found == NONE) continue;
            best = tried;
            best_found = found;
            most = tried.count - 1;
        }
    }
    if (best_found == NONE) return NONE;
    best.most = in->most;
    *in = best;
    return best_found;
}

static void print(const net *of, const int outputs[4])
{
    printf("%d", of->count - INPUTS);
    for (int at = INPUTS; at < of->count; at++) {
        const gate *one = &of->gates[at];
        printf(" %u:%u,%u,%u", one->kind, one->a, one->b, one->c);
    }
    printf(" = %d %d %d %d\n", outputs[0], outputs[1], outputs[2], outputs[3]);
    fflush(stdout);
}

int main(int count, char **words)
{
    if (count < 5 || strlen(words[2]) != 64) return 2;
    is_ternary = strcmp(words[1], "ternary") == 0;
    const double seconds = atof(words[3]);
    seed = strtoull(words[4], NULL, 10) * 0x9E3779B97F4A7C15U + 1;
    int most = INPUTS + (count > 5 ? atoi(words[5]) : is_ternary ? 40 : 80);
    uint64_t wanted[4] = {0};
    net inputs = {.count = INPUTS};
    for (unsigned at = 0; at < 64; at++) {
        const char digit[2] = {words[2][at]};
        const unsigned long value = strtoul(digit, NULL, 16);
        for (unsigned out = 0; out < 4; out++) wanted[out] |= (value >> (3 - out) & 1) << at;
        for (unsigned in = 0; in < INPUTS; in++) {
            inputs.bits[in] |= (uint64_t)(at >> (5 - in) & 1) << at;
        }
    }
    while ((double)clock() / CLOCKS_PER_SEC < seconds) {
        net tried = inputs;
        tried.most = most;
        int order[4];
        int outputs[4];
        shuffle(order, 4);
        bool is_whole = true;
        for (int index = 0; index < 4 && is_whole; index++) {
            outputs[order[index]] = make(&tried, wanted[order[index]], UINT64_MAX, 0);
            is_whole = outputs[order[index]] != NONE;
        }
        if (!is_whole) continue;
        print(&tried, outputs);
        most = tried.count - 1;
    }
    return 0;
}
