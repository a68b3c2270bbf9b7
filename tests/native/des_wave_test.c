/*
 * Goal: by every way of every path of this processor, a wave's DES MACs are the plain ones.
 * Method: pos_mac_compute (itself held against the standards' vectors in mac_test.c) beside each
 * way, forced, over counts around every width, all short sizes, mixed forms, keys of any parity; the
 * messages end at a page that may not be read.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "mac/des_wave.h"

#define JOBS_MAX 1100
#define PAGES 64
#define SIZE_MAX_HERE 4000

typedef struct ground {
    uint8_t *ends[PAGES]; /* the first byte that may not be read */
    pos_key keys[JOBS_MAX];
    pos_mac_job jobs[JOBS_MAX];
    uint16_t which[JOBS_MAX];
    uint32_t seed;
} ground;

static uint32_t draw(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void prepare(ground *on)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    CHECK(page >= SIZE_MAX_HERE);
    for (size_t at = 0; at < PAGES; at++) {
        uint8_t *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                              -1, 0);
        CHECK(pages != MAP_FAILED);
        CHECK(mprotect(pages + page, page, PROT_NONE) == 0);
        on->ends[at] = pages + page;
        for (size_t byte = 0; byte < page; byte++) pages[byte] = (uint8_t)draw(&on->seed);
    }
}

/* A job of an algorithm and key size; the key is random, its parity as it comes. */
static void place(ground *on, size_t index, pos_mac_algorithm algorithm, uint8_t key_size,
                  uint32_t size)
{
    pos_key *key = &on->keys[index];
    *key = (pos_key){.usage = POS_KEY_MAK, .cipher = POS_CIPHER_DES, .size = key_size};
    for (size_t byte = 0; byte < key_size; byte++) key->bytes[byte] = (uint8_t)draw(&on->seed);
    on->jobs[index] = (pos_mac_job){
        .key = key,
        .covered = on->ends[draw(&on->seed) % PAGES] - size,
        .covered_size = size,
        .algorithm = (uint8_t)algorithm,
    };
    for (size_t byte = 0; byte < POS_MAC_SIZE_MAX; byte++) on->jobs[index].mac[byte] = 0xa5;
    on->which[index] = (uint16_t)index;
}

static void check_jobs(const ground *on, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        const pos_mac_job *job = &on->jobs[index];
        uint8_t mac[POS_MAC_SIZE_MAX];
        size_t size = 0;
        CHECK(pos_mac_compute((pos_mac_algorithm)job->algorithm, job->key->bytes, job->key->size,
                              job->covered, job->covered_size, mac, &size) == POS_OK);
        CHECK(size == 8);
        CHECK(memcmp(job->mac, mac, sizeof mac) == 0);
    }
}

typedef struct kind {
    pos_mac_algorithm algorithm;
    uint8_t key_size;
} kind;

static const kind KINDS[] = {
    {POS_MAC_UNIONPAY_ECB, 8}, {POS_MAC_UNIONPAY_ECB, 16}, {POS_MAC_X9_9, 8},
    {POS_MAC_X9_9, 16},        {POS_MAC_X9_19, 16},
};
#define KIND_COUNT (sizeof KINDS / sizeof KINDS[0])

/* Runs `check` for every way of every path; POS_DES_WAY_COUNT is the wave's own choice. */
static void each_way(ground *on, void (*check)(ground *on, pos_cpu_path path, pos_des_way way))
{
    for (unsigned path = 0; path <= pos_cpu_path_best(); path++) {
        for (unsigned way = 0; way <= POS_DES_WAY_COUNT; way++) {
            if (way < POS_DES_WAY_COUNT && !pos_des_has_way((pos_cpu_path)path, (pos_des_way)way)) {
                continue;
            }
            check(on, (pos_cpu_path)path, (pos_des_way)way);
        }
    }
}

static void check_counts(ground *on, pos_cpu_path path, pos_des_way way)
{
    static const uint16_t WIDE[] = {95,  96,  97,  127, 128, 129, 239, 240, 241,  255, 256,
                                    257, 335, 336, 337, 384, 511, 512, 513, 1023, 1024};
    for (size_t turn = 0; turn <= 70 + sizeof WIDE / sizeof WIDE[0]; turn++) {
        const size_t count = turn <= 70 ? turn : WIDE[turn - 71];
        const kind *of = &KINDS[draw(&on->seed) % KIND_COUNT];
        for (size_t index = 0; index < count; index++) {
            place(on, index, of->algorithm, of->key_size, 24);
        }
        pos_des_wave_on(path, way, on->jobs, turn % 2 == 0 ? NULL : on->which, count);
        check_jobs(on, count);
    }
}

static void test_every_count_gives_the_plain_macs(ground *on)
{
    each_way(on, check_counts);
}

static void check_sizes(ground *on, pos_cpu_path path, pos_des_way way)
{
    for (size_t of = 0; of < KIND_COUNT; of++) {
        for (uint32_t size = 0; size <= 64; size++) { /* each by itself */
            for (size_t index = 0; index < 3; index++) {
                place(on, index, KINDS[of].algorithm, KINDS[of].key_size, size);
            }
            pos_des_wave_on(path, way, on->jobs, on->which, 3);
            check_jobs(on, 3);
        }
        for (uint32_t size = 0; size < 128; size++) { /* and all side by side */
            place(on, size, KINDS[of].algorithm, KINDS[of].key_size, size * 29 % 128);
        }
        pos_des_wave_on(path, way, on->jobs, on->which, 128);
        check_jobs(on, 128);
    }
}

static void test_every_size_gives_the_plain_macs(ground *on)
{
    each_way(on, check_sizes);
}

/* Nobody is much shorter than the others: whole reads, up to the last bytes of a page. */
static void check_even(ground *on, pos_cpu_path path, pos_des_way way)
{
    static const uint32_t LEAST[] = {49, 56, 57, 64, 65, 113, 121, 128};
    for (size_t turn = 0; turn < sizeof LEAST / sizeof LEAST[0]; turn++) {
        const size_t count = turn % 2 == 0 ? 512 : 500;
        for (size_t index = 0; index < count; index++) {
            const kind *of = &KINDS[2 + turn % 3]; /* one of the chains */
            place(on, index, of->algorithm, of->key_size, LEAST[turn] + draw(&on->seed) % 8);
        }
        pos_des_wave_on(path, way, on->jobs, on->which, count);
        check_jobs(on, count);
    }
}

static void test_messages_of_nearly_one_size_give_the_plain_macs(ground *on)
{
    each_way(on, check_even);
}

static void check_mixed(ground *on, pos_cpu_path path, pos_des_way way)
{
    for (size_t turn = 0; turn < 12; turn++) {
        const size_t count = 1 + draw(&on->seed) % POS_DES_WAVE_MAX;
        const uint32_t size_max = turn % 3 == 0 ? 2 : turn % 3 == 1 ? 100 : 1000;
        for (size_t index = 0; index < count; index++) {
            const kind *of = &KINDS[draw(&on->seed) % KIND_COUNT];
            uint32_t size = draw(&on->seed) % (size_max + 1);
            if (draw(&on->seed) % 200 == 0) size = SIZE_MAX_HERE - draw(&on->seed) % 16;
            place(on, index, of->algorithm, of->key_size, size);
        }
        pos_des_wave_on(path, way, on->jobs, on->which, count);
        check_jobs(on, count);
    }
}

static void test_mixed_forms_and_sizes_give_the_plain_macs(ground *on)
{
    each_way(on, check_mixed);
}

/* One bit of a key, or of the data, in each place: a wrong wire, matrix or lane shows. */
static void check_single_bits(ground *on, pos_cpu_path path, pos_des_way way)
{
    for (size_t of = 0; of < KIND_COUNT; of++) {
        for (size_t index = 0; index < 512; index++) {
            place(on, index, KINDS[of].algorithm, KINDS[of].key_size, 32);
            pos_key *key = &on->keys[index];
            for (size_t byte = 0; byte < key->size; byte++) {
                key->bytes[byte] = byte == index / 8 % key->size ? (uint8_t)(1U << index % 8) : 0;
            }
        }
        pos_des_wave_on(path, way, on->jobs, on->which, 512);
        check_jobs(on, 512);
    }
}

static void test_every_bit_of_a_key_has_its_effect_in_every_lane(ground *on)
{
    each_way(on, check_single_bits);
}

static void test_jobs_that_are_not_listed_stay_as_they_are(ground *on)
{
    for (size_t index = 0; index < 200; index++) place(on, index, POS_MAC_X9_9, 8, 50);
    uint16_t which[100];
    for (size_t at = 0; at < 100; at++) which[at] = (uint16_t)(2 * at + 1);
    pos_des_wave_on(pos_cpu_path_best(), POS_DES_WAY_COUNT, on->jobs, which, 100);
    for (size_t index = 0; index < 200; index += 2) {
        for (size_t byte = 0; byte < POS_MAC_SIZE_MAX; byte++) {
            CHECK(on->jobs[index].mac[byte] == 0xa5);
        }
        on->jobs[index] = on->jobs[index + 1];
    }
    check_jobs(on, 200);
}

/* Every algorithm in one wave, longer than what is sorted at a time. */
static void test_the_door_takes_all_algorithms_at_once(ground *on)
{
    for (unsigned path = 0; path <= pos_cpu_path_best(); path++) {
        for (size_t index = 0; index < JOBS_MAX; index++) {
            const bool is_des = draw(&on->seed) % 4 != 0;
            const kind *of = &KINDS[draw(&on->seed) % KIND_COUNT];
            place(on, index, is_des ? of->algorithm : POS_MAC_AES_CMAC, is_des ? of->key_size : 16,
                  draw(&on->seed) % 300);
            on->keys[index].cipher = is_des ? POS_CIPHER_DES : POS_CIPHER_AES;
        }
        pos_mac_wave_on((pos_cpu_path)path, on->jobs, JOBS_MAX);
        for (size_t index = 0; index < JOBS_MAX; index++) {
            const pos_mac_job *job = &on->jobs[index];
            uint8_t mac[POS_MAC_SIZE_MAX];
            size_t size = 0;
            CHECK(pos_mac_compute((pos_mac_algorithm)job->algorithm, job->key->bytes,
                                  job->key->size, job->covered, job->covered_size, mac,
                                  &size) == POS_OK);
            CHECK(memcmp(job->mac, mac, sizeof mac) == 0);
        }
    }
}

/* All alike, and all but the last one: by its algorithm, or by its key. */
static void test_the_door_takes_jobs_that_are_alike(ground *on)
{
    for (size_t turn = 0; turn < KIND_COUNT * KIND_COUNT; turn++) {
        const kind *of = &KINDS[turn / KIND_COUNT];
        const kind *last = &KINDS[turn % KIND_COUNT];
        const size_t count = turn % 2 == 0 ? 600 : 30;
        for (size_t index = 0; index < count; index++) {
            const kind *its = index + 1 < count ? of : last;
            place(on, index, its->algorithm, its->key_size, draw(&on->seed) % 300);
        }
        pos_mac_wave(on->jobs, count);
        check_jobs(on, count);
    }
}

int main(void)
{
    static ground on = {.seed = 7};
    prepare(&on);
    test_every_count_gives_the_plain_macs(&on);
    test_every_size_gives_the_plain_macs(&on);
    test_messages_of_nearly_one_size_give_the_plain_macs(&on);
    test_mixed_forms_and_sizes_give_the_plain_macs(&on);
    test_every_bit_of_a_key_has_its_effect_in_every_lane(&on);
    test_jobs_that_are_not_listed_stay_as_they_are(&on);
    test_the_door_takes_all_algorithms_at_once(&on);
    test_the_door_takes_jobs_that_are_alike(&on);
    return 0;
}
