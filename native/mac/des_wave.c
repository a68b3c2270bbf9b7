/*
 * The MACs of DES for a wave: UnionPay ECB, X9.9 and X9.19, each job with its own key.
 *
 *   job ──▶ lane            UnionPay ECB: fold, as hex; that text of two blocks is a chain like X9.9's
 *   lanes ──▶ forms         DES, 3DES, X9.19
 *   form ──▶ longest first  so that chains can end together (des_wave.h)
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
                           uint8_t (*macs_out)[8]);
typedef void folds_function(const pos_des_lane *lanes, size_t count, uint8_t (*hex_out)[16]);

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
                        uint8_t (*macs_out)[8])
{
    assert(count == 1);
    const pos_des_lane *lane = &lanes[0];
    uint8_t *mac = macs_out[0];
    pos_des_key key;
    pos_des_prepare(lane->key, form == POS_DES_DOUBLE ? 16 : 8, &key);
    pos_zero(mac, 8);
    const uint32_t steps = pos_des_steps(lane);
    for (uint32_t step = 0; step < steps; step++) {
        const size_t done = (size_t)step * 8;
        for (size_t byte = 0; byte < 8 && done + byte < lane->size; byte++) {
            mac[byte] ^= lane->data[done + byte];
        }
        pos_des_encrypt(&key, mac, mac);
    }
    if (form == POS_DES_X9_19) {
        pos_des_key other;
        pos_des_prepare(lane->key + 8, 8, &other);
        pos_des_decrypt(&other, mac, mac);
        pos_des_encrypt(&key, mac, mac);
        pos_wipe(&other, sizeof other);
    }
    pos_wipe(&key, sizeof key);
}

static void scalar_folds(const pos_des_lane *lanes, size_t count, uint8_t (*hex_out)[16])
{
    for (size_t at = 0; at < count; at++) {
        const pos_des_lane *lane = &lanes[at];
        uint64_t sum = 0;
        uint8_t folded[8] = {0};
        size_t done = 0;
        for (; done + 8 <= lane->size; done += 8) sum ^= pos_load_u64_le(lane->data + done);
        for (size_t byte = 0; done + byte < lane->size; byte++) {
            folded[byte] = lane->data[done + byte];
        }
        pos_store_u64_le(folded, sum ^ pos_load_u64_le(folded));
        pos_hex_from_bytes(folded, sizeof folded, (char *)hex_out[at]);
    }
}

/* ---- the ways of each path ------------------------------------------------------------------------- */
static const roads ROADS[POS_CPU_PATH_COUNT] = {
    [POS_CPU_PORTABLE] = {.ways = {[POS_DES_WAY_SCALAR] = {scalar_pass, 1, 1}},
                          .folds = scalar_folds},
    [POS_CPU_SSE42] = {.ways = {[POS_DES_WAY_SCALAR] = {scalar_pass, 1, 1}},
                       .folds = scalar_folds},
    [POS_CPU_AVX2] = {.ways = {[POS_DES_WAY_SCALAR] = {scalar_pass, 1, 1}},
                      .folds = scalar_folds},
#if defined(__x86_64__)
    [POS_CPU_AVX512] = {.ways = {[POS_DES_WAY_SCALAR] = {scalar_pass, 1, 1},
                                 [POS_DES_WAY_LANES] = {pos_des_lanes_avx512, 2, 64}},
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
static size_t next_pass(const roads *by, const pos_des_lane *lanes, size_t left, const road **way_out)
{
    size_t count = left;
    for (;;) {
        size_t way = POS_DES_WAY_COUNT - 1;
        while (by->ways[way].pass == NULL || by->ways[way].least > count) way--;
        *way_out = &by->ways[way];
        if (count > by->ways[way].most) count = by->ways[way].most;
        const size_t longer = way == POS_DES_WAY_SLICES ? far_longer(lanes, count) : 0;
        if (longer == 0) return count;
        count = longer;
    }
}

static void run(pos_cpu_path path, pos_des_way way, pos_des_form form, const pos_des_lane *lanes,
                size_t count, uint8_t (*macs_out)[8])
{
    size_t done = 0;
    while (done < count) {
        const road *by = &ROADS[path].ways[way % POS_DES_WAY_COUNT];
        size_t taken = count - done;
        if (way == POS_DES_WAY_COUNT) {
            taken = next_pass(&ROADS[path], lanes + done, taken, &by);
        } else if (taken > by->most) {
            taken = by->most;
        }
        assert(by->pass != NULL);
        by->pass(form, lanes + done, taken, macs_out + done);
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

/* Lanes of one form lie together: first those that are folded, then the others. */
typedef struct kinds {
    uint16_t counts[POS_DES_FORM_COUNT][2]; /* folded, chained */
    uint8_t of[POS_DES_WAVE_MAX];           /* 2 * form, and 1 where it is chained */
} kinds;

static uint8_t kind_of(const pos_mac_job *job)
{
    if (job->algorithm == POS_MAC_X9_19) return 2 * POS_DES_X9_19 + 1;
    assert(job->algorithm == POS_MAC_UNIONPAY_ECB || job->algorithm == POS_MAC_X9_9);
    const uint8_t form = job->key->size == 8 ? POS_DES_SINGLE : POS_DES_DOUBLE;
    return (uint8_t)(2 * form + (job->algorithm != POS_MAC_UNIONPAY_ECB));
}

static void place(const pos_mac_job *jobs, const uint16_t *which, size_t count, kinds *kinds_out,
                  pos_des_lane *lanes)
{
    uint16_t places[2 * POS_DES_FORM_COUNT] = {0};
    uint8_t differ = 0;
    for (size_t at = 0; at < count; at++) {
        kinds_out->of[at] = kind_of(&jobs[which[at]]);
        differ |= kinds_out->of[at] ^ kinds_out->of[0];
    }
    if (differ == 0 && count > 0) places[kinds_out->of[0]] = (uint16_t)count; /* as nearly always */
    for (size_t at = 0; at < count && differ != 0; at++) places[kinds_out->of[at]]++;
    uint16_t before = 0;
    for (size_t kind = 0; kind < 2 * POS_DES_FORM_COUNT; kind++) {
        kinds_out->counts[kind / 2][kind % 2] = places[kind];
        places[kind] = before;
        before = (uint16_t)(before + kinds_out->counts[kind / 2][kind % 2]);
    }
    for (size_t at = 0; at < count; at++) {
        const pos_mac_job *job = &jobs[which[at]];
        lanes[differ == 0 ? at : places[kinds_out->of[at]]++] = (pos_des_lane){
            .data = job->covered,
            .key = job->key->bytes,
            .size = job->covered_size,
            .job = which[at],
        };
    }
}

static void give(const pos_des_lane *lane, const uint8_t mac[8], pos_mac_job *jobs)
{
    uint8_t *out = jobs[lane->job].mac;
    for (size_t byte = 0; byte < 8; byte++) out[byte] = mac[byte];
    for (size_t byte = 8; byte < POS_MAC_SIZE_MAX; byte++) out[byte] = 0;
}

void pos_des_wave_on(pos_cpu_path path, pos_des_way way, pos_mac_job *jobs, const uint16_t *which,
                     size_t count)
{
    assert(path < POS_CPU_PATH_COUNT && way <= POS_DES_WAY_COUNT);
    assert(count <= POS_DES_WAVE_MAX);
    pos_des_lane lanes[POS_DES_WAVE_MAX];
    pos_des_lane spare[POS_DES_WAVE_MAX];
    uint8_t hex[POS_DES_WAVE_MAX][16];
    uint8_t macs[POS_DES_WAVE_MAX][8];
    kinds by;
    place(jobs, which, count, &by, lanes);
    size_t first = 0;
    for (size_t form = 0; form < POS_DES_FORM_COUNT; form++) {
        pos_des_lane *of_form = lanes + first;
        const size_t folded = by.counts[form][0];
        const size_t here = folded + by.counts[form][1];
        if (here == 0) continue;
        ROADS[path].folds(of_form, folded, hex + first);
        for (size_t at = 0; at < folded; at++) {
            of_form[at].data = hex[first + at];
            of_form[at].size = sizeof hex[0];
        }
        sort(of_form, spare, here);
        run(path, way, (pos_des_form)form, of_form, here, macs + first);
        first += here;
    }
    assert(first == count);
    for (size_t at = 0; at < count; at++) give(&lanes[at], macs[at], jobs);
    pos_wipe(hex, count * sizeof hex[0]);
    pos_wipe(macs, count * sizeof macs[0]);
}
