/*
 * Goal: a wave of MACs is its messages one by one, on every path of the processor, whatever their
 * number, sizes, order and keys, and reads no byte that is not the message's.
 * Method: every path that the machine has against the portable one, message by message; messages
 * end, or begin, at a page that nobody may read; vectors of the standards among them.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "mac/aes.h"
#include "mac/block.h"
#include "mac/wave.h"

#define JOBS_MAX 700
#define SIZE_MAX_COVERED 1100

typedef struct guarded {
    uint8_t *first; /* the byte behind a page that nobody may read */
    uint8_t *end;   /* and such a page begins here */
} guarded;

static uint32_t draw(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void fill(uint32_t *seed, uint8_t *data, size_t size)
{
    for (size_t index = 0; index < size; index++) data[index] = (uint8_t)draw(seed);
}

static guarded guarded_make(uint32_t *seed)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *at = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED && page >= SIZE_MAX_COVERED);
    fill(seed, at, 3 * page);
    CHECK(mprotect(at, page, PROT_NONE) == 0);
    CHECK(mprotect(at + 2 * page, page, PROT_NONE) == 0);
    return (guarded){.first = at + page, .end = at + 2 * page};
}

static guarded place;
static pos_key keys[JOBS_MAX];
static pos_mac_job jobs[JOBS_MAX];
static uint16_t indexes[JOBS_MAX];

typedef uint32_t size_of_job(uint32_t *seed, size_t index);
typedef uint8_t key_size_of_job(uint32_t *seed, size_t index);

static void make_jobs(uint32_t *seed, size_t count, pos_mac_algorithm algorithm,
                      size_of_job *size_of, key_size_of_job *key_size_of)
{
    CHECK(count <= JOBS_MAX);
    for (size_t index = 0; index < count; index++) {
        const uint32_t size = size_of(seed, index);
        const uint8_t key_size = key_size_of(seed, index);
        keys[index] = (pos_key){.usage = POS_KEY_MAK, .size = key_size};
        fill(seed, keys[index].bytes, key_size);
        jobs[index] = (pos_mac_job){
            .key = &keys[index],
            .covered = index % 2 == 0 ? place.end - size : place.first,
            .covered_size = size,
            .algorithm = (uint8_t)algorithm,
        };
        if (size == 0 && index % 3 == 0) jobs[index].covered = NULL;
        for (size_t byte = 0; byte < POS_MAC_SIZE_MAX; byte++) jobs[index].mac[byte] = 0xa5;
    }
}

static void mix(uint8_t into[16], const uint8_t *from, size_t size)
{
    for (size_t byte = 0; byte < size; byte++) into[byte] ^= from[byte];
}

/* As GB/T 32907's circuit says, a block after the other. */
static void compute_sm4(const pos_mac_job *job, uint8_t mac_out[16])
{
    const bool is_chained = job->algorithm == POS_MAC_SM4_CBC;
    const size_t size = job->covered_size == 0 ? 16 : (job->covered_size + 15U) / 16 * 16;
    uint8_t filled[SIZE_MAX_COVERED + 16] = {0};
    pos_sm4_key key;
    if (job->covered_size > 0) memcpy(filled, job->covered, job->covered_size);
    pos_sm4_prepare_on(POS_CPU_PORTABLE, job->key->bytes, &key);
    memset(mac_out, 0, 16);
    for (size_t done = 0; done < size; done += 16) {
        mix(mac_out, filled + done, 16);
        if (is_chained) pos_sm4_encrypt(&key, mac_out, mac_out);
    }
    if (is_chained) return;
    char hex[33];
    for (size_t byte = 0; byte < 16; byte++) {
        snprintf(hex + 2 * byte, 3, "%02X", (unsigned)mac_out[byte]);
    }
    pos_sm4_encrypt(&key, (const uint8_t *)hex, mac_out);
    mix(mac_out, (const uint8_t *)hex + 16, 16);
    pos_sm4_encrypt(&key, mac_out, mac_out);
}

static void compute_plainly(const pos_mac_job *job, uint8_t mac_out[POS_MAC_SIZE_MAX])
{
    pos_zero(mac_out, POS_MAC_SIZE_MAX);
    if (job->algorithm == POS_MAC_AES_CMAC) {
        pos_cmac_key key;
        pos_cmac_prepare_on(POS_CPU_PORTABLE, job->key->bytes, job->key->size, &key);
        pos_cmac(&key, job->covered, job->covered_size, mac_out);
    } else if (job->algorithm == POS_MAC_HMAC_SHA256) {
        pos_hmac_sha256(job->key->bytes, job->key->size, job->covered, job->covered_size, mac_out);
    } else {
        compute_sm4(job, mac_out);
    }
}

static void check_jobs(size_t count)
{
    for (size_t index = 0; index < count; index++) {
        uint8_t wanted[POS_MAC_SIZE_MAX];
        compute_plainly(&jobs[index], wanted);
        CHECK(memcmp(jobs[index].mac, wanted, sizeof wanted) == 0);
    }
}

static void compute_wave(pos_cpu_path path, const uint16_t *which, size_t count)
{
    if (count == 0 || jobs[0].algorithm == POS_MAC_AES_CMAC) {
        pos_cmac_wave_on(path, jobs, which, count);
    } else if (jobs[0].algorithm == POS_MAC_HMAC_SHA256) {
        pos_hmac_wave_on(path, jobs, which, count);
    } else {
        pos_sm4_wave_on(path, jobs, which, count);
    }
}

/* ---- sizes and keys ---------------------------------------------------------------------------- */
static uint32_t any_size(uint32_t *seed, size_t index)
{
    (void)index;
    return draw(seed) % 301;
}

static uint32_t size_of_index(uint32_t *seed, size_t index)
{
    (void)seed;
    return (uint32_t)(index % 301);
}

static uint32_t size_of_a_sale(uint32_t *seed, size_t index)
{
    (void)index;
    return 264 + draw(seed) % 9;
}

static uint32_t far_apart(uint32_t *seed, size_t index)
{
    return index % 5 == 0 ? draw(seed) % SIZE_MAX_COVERED : draw(seed) % 20;
}

static uint8_t key_of_16(uint32_t *seed, size_t index)
{
    (void)seed;
    (void)index;
    return 16;
}

static uint8_t key_of_aes(uint32_t *seed, size_t index)
{
    (void)index;
    return (uint8_t)(16 + 8 * (draw(seed) % 3));
}

static uint8_t key_of_any(uint32_t *seed, size_t index)
{
    (void)index;
    return (uint8_t)(1 + draw(seed) % 32);
}

static void check_waves_of(pos_cpu_path path, pos_mac_algorithm algorithm,
                           key_size_of_job *key_size_of)
{
    static size_of_job *const SIZES[] = {any_size, size_of_index, size_of_a_sale, far_apart};
    uint32_t seed = 7;
    for (size_t kind = 0; kind < sizeof SIZES / sizeof SIZES[0]; kind++) {
        for (size_t count = 0; count <= 70; count++) {
            make_jobs(&seed, count, algorithm, SIZES[kind], key_size_of);
            compute_wave(path, NULL, count);
            check_jobs(count);
        }
        make_jobs(&seed, JOBS_MAX, algorithm, SIZES[kind], key_size_of);
        compute_wave(path, NULL, JOBS_MAX);
        check_jobs(JOBS_MAX);
    }
}

/* Every size by itself, and eight of it: groups that are not full. */
static void check_every_size(pos_cpu_path path, pos_mac_algorithm algorithm,
                             key_size_of_job *key_size_of)
{
    uint32_t seed = 8;
    for (size_t size = 0; size <= 300; size++) {
        make_jobs(&seed, 9, algorithm, any_size, key_size_of);
        for (size_t index = 0; index < 9; index++) {
            jobs[index].covered_size = (uint32_t)size;
            jobs[index].covered = index % 2 == 0 ? place.end - size : place.first;
        }
        compute_wave(path, NULL, 1);
        check_jobs(1);
        compute_wave(path, NULL, 9);
        check_jobs(9);
    }
}

/* Of the jobs, those that are named, and no other. */
static void check_indexes(pos_cpu_path path, pos_mac_algorithm algorithm,
                          key_size_of_job *key_size_of)
{
    uint32_t seed = 9;
    make_jobs(&seed, 300, algorithm, any_size, key_size_of);
    size_t count = 0;
    for (uint16_t index = 0; index < 300; index++) {
        if (index % 3 != 0) indexes[count++] = (uint16_t)(299 - index);
    }
    compute_wave(path, indexes, count);
    for (size_t index = 0; index < 300; index++) {
        uint8_t wanted[POS_MAC_SIZE_MAX];
        compute_plainly(&jobs[index], wanted);
        const bool is_named = (299 - index) % 3 != 0;
        CHECK((memcmp(jobs[index].mac, wanted, sizeof wanted) == 0) == is_named);
        CHECK(is_named || jobs[index].mac[0] == 0xa5);
    }
}

static void test_a_wave_is_its_messages_on_every_path(void)
{
    for (int path = POS_CPU_PORTABLE; path <= (int)pos_cpu_path_best(); path++) {
        check_waves_of((pos_cpu_path)path, POS_MAC_AES_CMAC, key_of_16);
        check_waves_of((pos_cpu_path)path, POS_MAC_AES_CMAC, key_of_aes);
        check_every_size((pos_cpu_path)path, POS_MAC_AES_CMAC, key_of_aes);
        check_indexes((pos_cpu_path)path, POS_MAC_AES_CMAC, key_of_aes);
        for (int algorithm = POS_MAC_SM4_UNIONPAY; algorithm <= POS_MAC_SM4_CBC; algorithm++) {
            check_waves_of((pos_cpu_path)path, (pos_mac_algorithm)algorithm, key_of_16);
            check_every_size((pos_cpu_path)path, (pos_mac_algorithm)algorithm, key_of_16);
            check_indexes((pos_cpu_path)path, (pos_mac_algorithm)algorithm, key_of_16);
        }
        check_waves_of((pos_cpu_path)path, POS_MAC_HMAC_SHA256, key_of_any);
        check_every_size((pos_cpu_path)path, POS_MAC_HMAC_SHA256, key_of_any);
        check_indexes((pos_cpu_path)path, POS_MAC_HMAC_SHA256, key_of_any);
    }
}

static void test_both_macs_of_sm4_go_in_one_wave(void)
{
    for (int path = POS_CPU_PORTABLE; path <= (int)pos_cpu_path_best(); path++) {
        uint32_t seed = 12;
        make_jobs(&seed, JOBS_MAX, POS_MAC_SM4_CBC, any_size, key_of_16);
        for (size_t index = 0; index < JOBS_MAX; index++) {
            if (draw(&seed) % 3 == 0) jobs[index].algorithm = POS_MAC_SM4_UNIONPAY;
        }
        jobs[0].algorithm = POS_MAC_SM4_CBC;
        compute_wave((pos_cpu_path)path, NULL, JOBS_MAX);
        check_jobs(JOBS_MAX);
    }
}

/* ---- published values, among others --------------------------------------------------------------- */
typedef struct published {
    const char *key;
    size_t size; /* of the standard's message */
    const char *mac;
} published;

static const char *const MESSAGE =
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";

/* RFC 4493, 4; NIST SP 800-38B, D.2 and D.3. */
static const published CMACS[] = {
    {"2b7e151628aed2a6abf7158809cf4f3c", 0, "bb1d6929e95937287fa37d129b756746"},
    {"2b7e151628aed2a6abf7158809cf4f3c", 16, "070a16b46b4d4144f79bdd9dd04a287c"},
    {"2b7e151628aed2a6abf7158809cf4f3c", 40, "dfa66747de9ae63030ca32611497c827"},
    {"2b7e151628aed2a6abf7158809cf4f3c", 64, "51f0bebf7e3b9d92fc49741779363cfe"},
    {"8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", 0, "d17ddf46adaacde531cac483de7a9367"},
    {"8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", 40, "8a1de5be2eb31aad089a82e6ee908b0e"},
    {"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 0,
     "028962f61b7bf89efc6b551f4667d983"},
    {"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 16,
     "28a7023f452e8f82bd4bf28d8c37c35c"},
    {"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 64,
     "e1992190549f6ed5696a2c056c315410"},
};

static void test_a_wave_gives_the_published_values_on_every_path(void)
{
    enum { COUNT = sizeof CMACS / sizeof CMACS[0] };
    uint8_t message[64];
    CHECK(pos_hex_to_bytes(MESSAGE, message, sizeof message));
    for (int path = POS_CPU_PORTABLE; path <= (int)pos_cpu_path_best(); path++) {
        uint32_t seed = 10;
        make_jobs(&seed, 5 * COUNT, POS_MAC_AES_CMAC, any_size, key_of_aes);
        for (size_t index = 0; index < COUNT; index++) {
            pos_key *key = &keys[5 * index];
            key->size = (uint8_t)(strlen(CMACS[index].key) / 2);
            CHECK(pos_hex_to_bytes(CMACS[index].key, key->bytes, key->size));
            jobs[5 * index].covered = message;
            jobs[5 * index].covered_size = (uint32_t)CMACS[index].size;
        }
        compute_wave((pos_cpu_path)path, NULL, 5 * COUNT);
        for (size_t index = 0; index < COUNT; index++) {
            uint8_t wanted[16];
            CHECK(pos_hex_to_bytes(CMACS[index].mac, wanted, sizeof wanted));
            CHECK(memcmp(jobs[5 * index].mac, wanted, sizeof wanted) == 0);
        }
    }
}

/* ---- tokens ------------------------------------------------------------------------------------------ */
static pos_token_job tokens[JOBS_MAX];

static void check_tokens(pos_cpu_path path, size_t key_size, size_of_job *size_of, size_t count)
{
    uint32_t seed = (uint32_t)count + 11;
    uint8_t key[32];
    pos_cmac_key ours;
    pos_cmac_key plain;
    fill(&seed, key, sizeof key);
    pos_cmac_prepare_on(path, key, key_size, &ours);
    pos_cmac_prepare_on(POS_CPU_PORTABLE, key, key_size, &plain);
    for (size_t index = 0; index < count; index++) {
        const uint32_t size = size_of(&seed, index);
        tokens[index] = (pos_token_job){.data = index % 2 == 0 ? place.end - size : place.first,
                                        .size = size};
    }
    pos_token_wave(&ours, tokens, count);
    for (size_t index = 0; index < count; index++) {
        uint8_t wanted[16];
        pos_cmac(&plain, tokens[index].data, tokens[index].size, wanted);
        CHECK(memcmp(tokens[index].token, wanted, sizeof wanted) == 0);
    }
}

static uint32_t size_of_an_account(uint32_t *seed, size_t index)
{
    (void)index;
    return 12 + draw(seed) % 8;
}

static void test_tokens_are_single_cmacs_on_every_path(void)
{
    for (int path = POS_CPU_PORTABLE; path <= (int)pos_cpu_path_best(); path++) {
        for (size_t key_size = 16; key_size <= 32; key_size += 8) {
            for (size_t count = 0; count <= 70; count++) {
                check_tokens((pos_cpu_path)path, key_size, size_of_an_account, count);
                check_tokens((pos_cpu_path)path, key_size, any_size, count);
            }
            check_tokens((pos_cpu_path)path, key_size, size_of_index, JOBS_MAX);
            check_tokens((pos_cpu_path)path, key_size, far_apart, JOBS_MAX);
        }
    }
}

int main(void)
{
    uint32_t seed = 1;
    place = guarded_make(&seed);
    test_a_wave_is_its_messages_on_every_path();
    test_both_macs_of_sm4_go_in_one_wave();
    test_a_wave_gives_the_published_values_on_every_path();
    test_tokens_are_single_cmacs_on_every_path();
    return 0;
}
