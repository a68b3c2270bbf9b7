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

typedef void pass_function(pos_des_form form, const pos_des_lane *lanes, size_t count,
                           const pos_des_texts *texts, uint8_t (*macs_out)[8]);
typedef void folds_function(const pos_des_lane *lanes, size_t count, uint64_t *first_out,
                            uint64_t *second_out);

/* A way of a path: what it is worth from, and how many lanes a pass takes. Absent: no function. */
typedef struct road {
    pass_function *pass;
    uint16_t least;
    uint16_t most;
} road;

typedef struct roads {
    road ways[POS_DES_WAY_COUNT];
    folds_function *folds;
} roads;

/* ---- one after the other -------------------------------------------------------------------------- */
static void scalar_pass(pos_des_form form, const pos_des_lane *lanes, size_t count,
                        const pos_des_texts *texts, uint8_t (*macs_out)[8])
{
    assert(count == 1);
    uint8_t text[16];
    pos_slice covered = {.data = lanes[0].data, .size = lanes[0].size};
    if (texts != NULL) {
        pos_store_u64_le(text, texts->halves[0][0]);
        pos_store_u64_le(text + 8, texts->halves[1][0]);
        covered = (pos_slice){.data = text, .size = sizeof text};
    }
    uint8_t *mac = macs_out[0];
    pos_des_key key;
    pos_des_prepare(lanes[0].key, form == POS_DES_DOUBLE ? 16 : 8, &key);
    pos_zero(mac, 8);
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
        pos_des_prepare(lanes[0].key + 8, 8, &other);
        pos_des_decrypt(&other, mac, mac);
        pos_des_encrypt(&key, mac, mac);
        pos_wipe(&other, sizeof other);
    }
    pos_wipe(&key, sizeof key);
}

static void scalar_folds(const pos_des_lane *lanes, size_t count, uint64_t *first_out,
                         uint64_t *second_out)
{
    for (size_t at = 0; at < count; at++) {
        const pos_des_lane *lane = &lanes[at];
        uint64_t sum = 0;
        uint8_t folded[8] = {0};
        uint8_t text[16];
        size_t done = 0;
        for (; done + 8 <= lane->size; done += 8) sum ^= pos_load_u64_le(lane->data + done);
        for (size_t byte = 0; done + byte < lane->size; byte++) {
            folded[byte] = lane->data[done + byte];
        }
        pos_store_u64_le(folded, sum ^ pos_load_u64_le(folded));
        pos_hex_from_bytes(folded, sizeof folded, (char *)text);
        first_out[at] = pos_load_u64_le(text);
        second_out[at] = pos_load_u64_le(text + 8);
    }
}

/* ---- the ways of each path ------------------------------------------------------------------------- */
#define SCALAR [POS_DES_WAY_ALONE] = {scalar_pass, 1, 1}
#define SLICES_128(way) [way] = {pos_des_slices_portable, 4, POS_DES_SLICES_PORTABLE}

static const roads ROADS[POS_CPU_PATH_COUNT] = {
    [POS_CPU_PORTABLE] = {.ways = {SCALAR, SLICES_128(POS_DES_WAY_WIDE)}, .folds = scalar_folds},
    [POS_CPU_SSE42] = {.ways = {SCALAR, SLICES_128(POS_DES_WAY_WIDE)}, .folds = scalar_folds},
#if defined(__x86_64__)
    [POS_CPU_AVX2] = {.ways = {SCALAR, SLICES_128(POS_DES_WAY_NARROW),
                               [POS_DES_WAY_WIDE] = {pos_des_slices_avx2,
                                                     POS_DES_SLICES_PORTABLE + 1,
                                                     POS_DES_SLICES_AVX2}},
                      .folds = scalar_folds},
    [POS_CPU_AVX512] = {.ways = {[POS_DES_WAY_ALONE] = {pos_des_few_avx512, 1, POS_DES_FEW_MAX},
                                 [POS_DES_WAY_NARROW] = {pos_des_lanes_avx512, 5,
                                                         POS_DES_LANES_MAX},
                                 [POS_DES_WAY_WIDE] = {pos_des_slices_avx512, 384,
                                                       POS_DES_SLICES_AVX512}},
                        .folds = pos_des_folds_avx512},
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
static size_t next_pass(const roads *by, const pos_des_lane *lanes, size_t left, bool is_chained,
                        const road **way_out)
{
    size_t count = left;
    for (;;) {
        size_t way = POS_DES_WAY_COUNT - 1;
        while (by->ways[way].pass == NULL || by->ways[way].least > count) way--;
        *way_out = &by->ways[way];
        if (count > by->ways[way].most) count = by->ways[way].most;
        const size_t longer = is_chained && way == POS_DES_WAY_WIDE ? far_longer(lanes, count) : 0;
        if (longer == 0) return count;
        count = longer;
    }
}

static void run(pos_cpu_path path, pos_des_way way, pos_des_form form, const pos_des_lane *lanes,
                size_t count, const pos_des_texts *texts, uint8_t (*macs_out)[8])
{
    size_t done = 0;
    while (done < count) {
        const road *by = &ROADS[path].ways[way % POS_DES_WAY_COUNT];
        size_t taken = count - done;
        if (way == POS_DES_WAY_COUNT) {
            taken = next_pass(&ROADS[path], lanes + done, taken, texts == NULL, &by);
        } else if (taken > by->most) {
            taken = by->most;
        }
        assert(by->pass != NULL);
        if (texts == NULL) {
            by->pass(form, lanes + done, taken, NULL, macs_out + done);
        } else {
            const pos_des_texts here = {{texts->halves[0] + done, texts->halves[1] + done}};
            by->pass(form, lanes + done, taken, &here, macs_out + done);
        }
        done += taken;
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

#define KINDS 6 /* 2 * form, and 1 where it is chained */

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
        .key = job->key->bytes,
        .size = job->covered_size,
        .job = index,
    };
}

/* The jobs as lanes, those of a kind together; how many there are of each. */
static void place(const pos_mac_job *jobs, const uint16_t *which, size_t count,
                  pos_des_lane *lanes, size_t counts_out[KINDS])
{
    for (size_t kind = 0; kind < KINDS; kind++) counts_out[kind] = 0;
    const size_t first = count == 0 ? 0 : kind_of(&jobs[which[0]]);
    size_t alike = 0; /* nearly always all of them are of one kind */
    for (; alike < count && kind_of(&jobs[which[alike]]) == first; alike++) {
        __builtin_prefetch(jobs[which[alike]].covered);
        lanes[alike] = lane_of(jobs, which[alike]);
    }
    counts_out[first] = alike;
    if (alike == count) return;
    size_t places[KINDS];
    for (size_t at = alike; at < count; at++) counts_out[kind_of(&jobs[which[at]])]++;
    size_t before = 0;
    for (size_t kind = 0; kind < KINDS; kind++) {
        places[kind] = before;
        before += counts_out[kind];
    }
    for (size_t at = 0; at < count; at++) {
        lanes[places[kind_of(&jobs[which[at]])]++] = lane_of(jobs, which[at]);
    }
}

static void give(const pos_des_lane *lane, const uint8_t mac[8], pos_mac_job *jobs)
{
    uint8_t *out = jobs[lane->job].mac;
    for (size_t byte = 0; byte < 8; byte++) out[byte] = mac[byte];
    for (size_t byte = 8; byte < POS_MAC_SIZE_MAX; byte++) out[byte] = 0;
}

typedef struct wave {
    pos_des_lane lanes[POS_DES_WAVE_MAX];
    pos_des_lane spare[POS_DES_WAVE_MAX];
    uint64_t texts[2][POS_DES_WAVE_MAX + 8];
    uint8_t macs[POS_DES_WAVE_MAX][8];
} wave;

static void run_kind(wave *on, pos_cpu_path path, pos_des_way way, size_t kind, size_t first,
                     size_t count)
{
    const pos_des_form form = (pos_des_form)(kind / 2);
    pos_des_lane *lanes = on->lanes + first;
    if (kind % 2 == 1) {
        sort(lanes, on->spare, count);
        run(path, way, form, lanes, count, NULL, on->macs + first);
        return;
    }
    const pos_des_texts texts = {{on->texts[0], on->texts[1]}};
    ROADS[path].folds(lanes, count, on->texts[0], on->texts[1]);
    run(path, way, form, lanes, count, &texts, on->macs + first);
    pos_wipe(on->texts[0], count * sizeof on->texts[0][0]);
    pos_wipe(on->texts[1], count * sizeof on->texts[1][0]);
}

void pos_des_wave_on(pos_cpu_path path, pos_des_way way, pos_mac_job *jobs, const uint16_t *which,
                     size_t count)
{
    assert(path < POS_CPU_PATH_COUNT && way <= POS_DES_WAY_COUNT);
    assert(count <= POS_DES_WAVE_MAX);
    wave on; /* what is not used is not touched */
    size_t counts[KINDS];
    place(jobs, which, count, on.lanes, counts);
    size_t first = 0;
    for (size_t kind = 0; kind < KINDS; kind++) {
        if (counts[kind] > 0) run_kind(&on, path, way, kind, first, counts[kind]);
        first += counts[kind];
    }
    assert(first == count);
    for (size_t at = 0; at < count; at++) give(&on.lanes[at], on.macs[at], jobs);
    pos_wipe(on.macs, count * sizeof on.macs[0]);
}
