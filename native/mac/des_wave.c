/*
 * The MACs of DES for a wave: UnionPay ECB, X9.9 and X9.19, each job with its own key.
 *
 *   job ──▶ lane            one of five kinds: folded (UnionPay ECB) or chained, by DES or 3DES; X9.19
 *   folded ──▶ text         the fold as hex: two blocks, which are then a chain like X9.9's
 *   chained ──▶ longest first   so that chains can end together (des_wave.h)
 *   lanes ──▶ passes        as wide as there are lanes for, by ROADS below
 *
 * How wide a pass is worth it: a pass costs what it costs, however few lanes it carries. The figures
 * that ROADS comes from are in docs/explanation/macs.md.
 *
 * Sizes, counts and algorithms decide what is done; keys, data and MACs never do.
 */
#include "mac/des_wave.h"

#include <assert.h>

#include "mac/block.h"

typedef void pass_function(pos_des_form form, const pos_des_words *words,
                           const pos_des_lane *lanes, size_t count, uint64_t *macs_out);
typedef void words_function(const pos_mac_job *jobs, const uint16_t *order, size_t count,
                            uint64_t *first_out, uint64_t *second_out);

#define KINDS 6 /* 2 * form, and 1 where it is chained */

/* A way of a path: from how many lanes of each kind it is worth it, and how many a pass takes.
 * Absent: no function. */
typedef struct road {
    pass_function *pass;
    uint16_t least[KINDS];
    uint16_t most;
} road;

typedef struct roads {
    road ways[POS_DES_WAY_COUNT];
    words_function *folds;
    words_function *keys;
} roads;

/* ---- one after the other -------------------------------------------------------------------------- */
static void scalar_pass(pos_des_form form, const pos_des_words *words, const pos_des_lane *lanes,
                        size_t count, uint64_t *macs_out)
{
    assert(count == 1);
    uint8_t text[16];
    uint8_t halves[16];
    uint8_t mac[8] = {0};
    pos_slice covered = {.data = text, .size = sizeof text};
    for (size_t half = 0; half < 2 && words->texts[0] != NULL; half++) {
        pos_store_u64_le(text + 8 * half, words->texts[half][0]);
    }
    if (words->texts[0] == NULL) {
        covered = (pos_slice){.data = lanes[0].data, .size = lanes[0].size};
    }
    for (size_t half = 0; half < 2; half++) {
        pos_store_u64_le(halves + 8 * half, words->keys[half][0]);
    }
    pos_des_key key;
    pos_des_prepare(halves, form == POS_DES_DOUBLE ? 16 : 8, &key);
    size_t done = 0;
    do { /* no bytes are a block of zeros */
        for (size_t byte = 0; byte < 8 && done + byte < covered.size; byte++) {
            mac[byte] ^= covered.data[done + byte];
        }
        pos_des_encrypt(&key, mac, mac);
        done += 8;
    } while (done < covered.size);
    if (form == POS_DES_X9_19) {
        pos_des_key other;
        pos_des_prepare(halves + 8, 8, &other);
        pos_des_decrypt(&other, mac, mac);
        pos_des_encrypt(&key, mac, mac);
        pos_wipe(&other, sizeof other);
    }
    macs_out[0] = pos_load_u64_le(mac);
    pos_wipe(&key, sizeof key);
    pos_wipe(halves, sizeof halves);
    pos_wipe(text, sizeof text);
}

static void scalar_folds(const pos_mac_job *jobs, const uint16_t *order, size_t count,
                         uint64_t *first_out, uint64_t *second_out)
{
    for (size_t at = 0; at < count; at++) {
        const pos_mac_job *job = &jobs[order[at]];
        uint64_t sum = 0;
        uint8_t folded[8] = {0};
        uint8_t text[16];
        size_t done = 0;
        for (; done + 8 <= job->covered_size; done += 8) {
            sum ^= pos_load_u64_le(job->covered + done);
        }
        for (size_t byte = 0; done + byte < job->covered_size; byte++) {
            folded[byte] = job->covered[done + byte];
        }
        pos_store_u64_le(folded, sum ^ pos_load_u64_le(folded));
        pos_hex_from_bytes(folded, sizeof folded, (char *)text);
        first_out[at] = pos_load_u64_le(text);
        second_out[at] = pos_load_u64_le(text + 8);
    }
}

_Static_assert(POS_KEY_SIZE_MAX >= 16, "16 bytes of any key are there to be read");

static void scalar_keys(const pos_mac_job *jobs, const uint16_t *order, size_t count,
                        uint64_t *first_out, uint64_t *second_out)
{
    for (size_t at = 0; at < count; at++) {
        const uint8_t *key = jobs[order[at]].key->bytes;
        first_out[at] = pos_load_u64_le(key);
        second_out[at] = pos_load_u64_le(key + 8);
    }
}

/* ---- the ways of each path ------------------------------------------------------------------------- */
/* Two texts by 3DES gain most: their keys are half the work by bytes, and next to none by bits. */
#define WIDE_FROM {336, 336, 240, 336, 336, 336}
#define FROM(least) {least, least, least, least, least, least}
#define SCALAR [POS_DES_WAY_ALONE] = {scalar_pass, FROM(1), 1}
#define SCALAR_WORDS .folds = scalar_folds, .keys = scalar_keys
#define SLICES_128(way) [way] = {pos_des_slices_portable, FROM(4), POS_DES_SLICES_PORTABLE}

static const roads ROADS[POS_CPU_PATH_COUNT] = {
    [POS_CPU_PORTABLE] = {.ways = {SCALAR, SLICES_128(POS_DES_WAY_WIDE)}, SCALAR_WORDS},
    [POS_CPU_SSE42] = {.ways = {SCALAR, SLICES_128(POS_DES_WAY_WIDE)}, SCALAR_WORDS},
#if defined(__x86_64__)
    [POS_CPU_AVX2] = {.ways = {SCALAR, SLICES_128(POS_DES_WAY_NARROW),
                               [POS_DES_WAY_WIDE] = {pos_des_slices_avx2,
                                                     FROM(POS_DES_SLICES_PORTABLE + 1),
                                                     POS_DES_SLICES_AVX2}},
                      SCALAR_WORDS},
    [POS_CPU_AVX512] = {.ways = {[POS_DES_WAY_ALONE] = {pos_des_few_avx512, FROM(1), POS_DES_FEW_MAX},
                                 [POS_DES_WAY_NARROW] = {pos_des_lanes_avx512, FROM(5),
                                                         POS_DES_LANES_MAX},
                                 [POS_DES_WAY_WIDE] = {pos_des_slices_avx512, WIDE_FROM,
                                                       POS_DES_SLICES_AVX512}},
                        .folds = pos_des_folds_avx512,
                        .keys = pos_des_keys_avx512},
#endif
};

bool pos_des_has_way(pos_cpu_path path, pos_des_way way)
{
    assert(path < POS_CPU_PATH_COUNT && way < POS_DES_WAY_COUNT);
    return ROADS[path].ways[way].pass != NULL;
}

/* Of the longest lanes, how many have over twice the steps of the lane in the middle. */
static size_t far_longer(const pos_des_lane *lanes, size_t count)
{
    const uint64_t usual = pos_des_steps(&lanes[count / 2]);
    size_t longer = 0;
    while (pos_des_steps(&lanes[longer]) > 2 * usual) longer++;
    assert(longer <= count / 2);
    return longer;
}

/*
 * The widest way that is worth it for the first lanes, and how many of them it takes. A pass lasts
 * as long as its longest lane: the few that are far longer than the others go by themselves first,
 * so that nobody can make a whole pass long with one message.
 */
static size_t next_pass(const roads *by, const pos_des_lane *lanes, size_t left, size_t kind,
                        const road **way_out)
{
    size_t count = left;
    for (;;) {
        size_t way = POS_DES_WAY_COUNT - 1;
        while (by->ways[way].pass == NULL || by->ways[way].least[kind] > count) way--;
        *way_out = &by->ways[way];
        if (count > by->ways[way].most) count = by->ways[way].most;
        const bool is_uneven = kind % 2 == 1 && way == POS_DES_WAY_WIDE;
        const size_t longer = is_uneven ? far_longer(lanes, count) : 0;
        if (longer == 0) return count;
        count = longer;
    }
}

/* ---- lanes ------------------------------------------------------------------------------------------- */
static bool is_descending(const pos_des_lane *lanes, size_t count)
{
    for (size_t at = 1; at < count; at++) {
        if (pos_des_steps(&lanes[at - 1]) < pos_des_steps(&lanes[at])) return false;
    }
    return true;
}

/* Longest first: by the bytes of the count of steps, the lowest first. */
static void sort(pos_des_lane *lanes, pos_des_lane *spare, size_t count)
{
    for (unsigned shift = 0; shift < 32 && !is_descending(lanes, count); shift += 8) {
        size_t places[256] = {0};
        for (size_t at = 0; at < count; at++) {
            places[(pos_des_steps(&lanes[at]) >> shift) & 0xff]++;
        }
        size_t before = 0;
        for (size_t digit = 256; digit-- > 0;) {
            const size_t here = places[digit];
            places[digit] = before;
            before += here;
        }
        for (size_t at = 0; at < count; at++) {
            spare[places[(pos_des_steps(&lanes[at]) >> shift) & 0xff]++] = lanes[at];
        }
        pos_copy(lanes, spare, count * sizeof lanes[0]);
    }
    assert(is_descending(lanes, count));
}

static size_t kind_of(const pos_mac_job *job)
{
    if (job->algorithm == POS_MAC_X9_19) return 2 * POS_DES_X9_19 + 1;
    assert(job->algorithm == POS_MAC_UNIONPAY_ECB || job->algorithm == POS_MAC_X9_9);
    const size_t form = job->key->size == 8 ? POS_DES_SINGLE : POS_DES_DOUBLE;
    return 2 * form + (job->algorithm != POS_MAC_UNIONPAY_ECB);
}

static inline pos_des_lane lane_of(const pos_mac_job *jobs, uint16_t index)
{
    static const uint8_t nothing[8]; /* where a message of no bytes lies */
    const pos_mac_job *job = &jobs[index];
    return (pos_des_lane){
        .data = job->covered_size > 0 ? job->covered : nothing,
        .size = job->covered_size,
        .job = index,
    };
}

/* The jobs in order of their kinds; how many there are of each. */
static void place(const pos_mac_job *jobs, const uint16_t *which, size_t count,
                  uint16_t *order_out, size_t counts_out[KINDS])
{
    for (size_t kind = 0; kind < KINDS; kind++) counts_out[kind] = 0;
    if (which == NULL) { /* all of a kind */
        for (size_t at = 0; at < count; at++) order_out[at] = (uint16_t)at;
        if (count > 0) counts_out[kind_of(&jobs[0])] = count;
        return;
    }
    size_t places[KINDS];
    for (size_t at = 0; at < count; at++) counts_out[kind_of(&jobs[which[at]])]++;
    size_t before = 0;
    for (size_t kind = 0; kind < KINDS; kind++) {
        places[kind] = before;
        before += counts_out[kind];
    }
    for (size_t at = 0; at < count; at++) {
        order_out[places[kind_of(&jobs[which[at]])]++] = which[at];
    }
}

static inline void give(uint64_t mac, uint8_t out[POS_MAC_SIZE_MAX])
{
    pos_store_u64_le(out, mac);
    for (size_t byte = 8; byte < POS_MAC_SIZE_MAX; byte++) out[byte] = 0;
}

#define LANES_MAX POS_DES_SLICES_AVX512 /* of a pass */

typedef struct wave {
    uint64_t *keys[2]; /* of a pass, as are the texts */
    uint64_t *texts[2];
    uint64_t *macs; /* of the whole wave, as is the rest */
    uint16_t *order;
    pos_des_lane *lanes;
    pos_des_lane *spare;
} wave;

/* Room for that. What is not used is not touched. */
#define WAVE_ROOM(name, count_max, pass_max)                                              \
    typedef struct name {                                                                  \
        _Alignas(64) uint64_t keys[2][(pass_max) + 8];                                     \
        _Alignas(64) uint64_t texts[2][(pass_max) + 8];                                    \
        _Alignas(64) uint64_t macs[count_max];                                             \
        uint16_t order[count_max];                                                         \
        pos_des_lane lanes[count_max];                                                     \
        pos_des_lane spare[count_max];                                                     \
    } name
#define WAVE_OVER(room)                                                                    \
    {                                                                                      \
        .keys = {(room).keys[0], (room).keys[1]}, .texts = {(room).texts[0], (room).texts[1]}, \
        .macs = (room).macs, .order = (room).order, .lanes = (room).lanes,                 \
        .spare = (room).spare,                                                             \
    }
WAVE_ROOM(room_of_some, POS_MAC_SOME_MAX, POS_MAC_SOME_MAX);
WAVE_ROOM(room_of_many, POS_DES_WAVE_MAX, LANES_MAX);

/* Chains: the lanes longest first, and the jobs in the same order. */
static void line_up(wave *on, const pos_mac_job *jobs, uint16_t *order, size_t count)
{
    for (size_t at = 0; at < count; at++) on->lanes[at] = lane_of(jobs, order[at]);
    sort(on->lanes, on->spare, count);
    for (size_t at = 0; at < count; at++) order[at] = (uint16_t)on->lanes[at].job;
}

/* All jobs of a kind, pass by pass. A pass's words are read just before it, so that they are near. */
static void run_kind(wave *on, pos_cpu_path path, pos_des_way way, const pos_mac_job *jobs,
                     size_t kind, size_t first, size_t count)
{
    const roads *all = &ROADS[path];
    const bool is_chained = kind % 2 == 1;
    pos_des_words words = {.keys = {on->keys[0], on->keys[1]}};
    if (is_chained) line_up(on, jobs, on->order + first, count);
    for (size_t half = 0; half < 2 && !is_chained; half++) words.texts[half] = on->texts[half];
    for (size_t done = 0, taken = 0; done < count; done += taken) {
        const uint16_t *order = on->order + first + done;
        const pos_des_lane *lanes = on->lanes + done;
        const road *by = &all->ways[way % POS_DES_WAY_COUNT];
        taken = count - done;
        if (way == POS_DES_WAY_COUNT) {
            taken = next_pass(all, lanes, taken, kind, &by);
        } else if (taken > by->most) {
            taken = by->most;
        }
        assert(by->pass != NULL && taken <= LANES_MAX);
        all->keys(jobs, order, taken, on->keys[0], on->keys[1]);
        if (!is_chained) all->folds(jobs, order, taken, on->texts[0], on->texts[1]);
        by->pass((pos_des_form)(kind / 2), &words, lanes, taken, on->macs + first + done);
    }
    const size_t written = ((count < LANES_MAX ? count : LANES_MAX) + 7) / 8 * 8 * sizeof(uint64_t);
    for (size_t half = 0; half < 2; half++) {
        pos_wipe(on->keys[half], written);
        if (!is_chained) pos_wipe(on->texts[half], written);
    }
}

static void run(wave *on, pos_cpu_path path, pos_des_way way, pos_mac_job *jobs,
                const uint16_t *which, size_t count)
{
    size_t counts[KINDS];
    place(jobs, which, count, on->order, counts);
    size_t first = 0;
    for (size_t kind = 0; kind < KINDS; kind++) {
        if (counts[kind] > 0) run_kind(on, path, way, jobs, kind, first, counts[kind]);
        first += counts[kind];
    }
    assert(first == count);
    for (size_t at = 0; at < count; at++) give(on->macs[at], jobs[on->order[at]].mac);
    pos_wipe(on->macs, count * sizeof on->macs[0]);
}

/* A few messages take a small frame: what registers leave on the stack below it is within reach of
 * whoever wipes that (engine/wave.c), and a wave of two need not wipe what a thousand can reach. */
__attribute__((noinline)) static void run_some(pos_cpu_path path, pos_des_way way,
                                               pos_mac_job *jobs, const uint16_t *which,
                                               size_t count)
{
    room_of_some room;
    wave on = WAVE_OVER(room);
    run(&on, path, way, jobs, which, count);
}

__attribute__((noinline)) static void run_many(pos_cpu_path path, pos_des_way way,
                                               pos_mac_job *jobs, const uint16_t *which,
                                               size_t count)
{
    room_of_many room;
    wave on = WAVE_OVER(room);
    run(&on, path, way, jobs, which, count);
}

void pos_des_wave_on(pos_cpu_path path, pos_des_way way, pos_mac_job *jobs, const uint16_t *which,
                     size_t count)
{
    assert(path < POS_CPU_PATH_COUNT && way <= POS_DES_WAY_COUNT);
    assert(count <= POS_DES_WAVE_MAX);
    if (count <= POS_MAC_SOME_MAX) run_some(path, way, jobs, which, count);
    else run_many(path, way, jobs, which, count);
}
