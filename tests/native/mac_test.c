/*
 * Goal: every cipher, MAC and sealed form is the published one, by every way that the processor
 * offers, in one piece and in many.
 * Method: the vectors of the standards, and each fast way against the portable one over keys and
 * sizes from a generator with a fixed seed.
 */
#include "check.h"
#include "mac/aes.h"
#include "mac/block.h"
#include "mac/sbox.h"
#include "mac/sha256.h"

#define BYTES_MAX 4096

typedef struct octets {
    uint8_t data[BYTES_MAX];
    size_t size;
} octets;

/* Hex with blanks between groups. */
static octets octets_of(const char *hex)
{
    octets result = {.size = 0};
    char pair[2];
    size_t held = 0;
    for (; *hex != '\0'; hex++) {
        if (*hex == ' ') continue;
        pair[held++] = *hex;
        if (held < 2) continue;
        CHECK(result.size < BYTES_MAX);
        CHECK(pos_hex_to_bytes(pair, result.data + result.size, 1));
        result.size++;
        held = 0;
    }
    CHECK(held == 0);
    return result;
}

static bool is_hex(const uint8_t *data, const char *hex)
{
    const octets wanted = octets_of(hex);
    return memcmp(data, wanted.data, wanted.size) == 0;
}

static uint32_t draw(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void fill(uint32_t *seed, uint8_t *data, size_t size)
{
    for (size_t index = 0; index < size; index++) data[index] = (uint8_t)draw(seed);
}

/* ---- S-boxes -------------------------------------------------------------------------------------- */
static unsigned product(unsigned left, unsigned right)
{
    unsigned result = 0;
    for (; right != 0; right >>= 1) {
        if ((right & 1U) != 0) result ^= left;
        left = (left << 1) ^ ((left & 0x80U) != 0 ? 0x11bU : 0U);
    }
    return result;
}

/* FIPS 197, 5.1.1, word for word: the inverse, then the affine map bit by bit. */
static unsigned aes_substitute(unsigned value)
{
    unsigned inverse = 0;
    for (unsigned other = 1; other < 256 && value != 0; other++) {
        if (product(value, other) == 1) inverse = other;
    }
    unsigned result = 0;
    for (unsigned bit = 0; bit < 8; bit++) {
        const unsigned sum = (inverse >> bit) ^ (inverse >> ((bit + 4) % 8))
                             ^ (inverse >> ((bit + 5) % 8)) ^ (inverse >> ((bit + 6) % 8))
                             ^ (inverse >> ((bit + 7) % 8)) ^ (0x63U >> bit);
        result |= (sum & 1U) << bit;
    }
    return result;
}

static void test_the_aes_circuit_is_the_standards_definition(void)
{
    for (unsigned value = 0; value < 256; value++) {
        uint8_t bytes[16];
        for (unsigned place = 0; place < 16; place++) bytes[place] = (uint8_t)(value + 17 * place);
        pos_sbox_aes(bytes);
        for (unsigned place = 0; place < 16; place++) {
            CHECK(bytes[place] == aes_substitute((value + 17 * place) & 0xffU));
        }
    }
}

/* GB/T 32907-2016, 6.2, table 1. */
static const char *const SM4_TABLE =
    "d690e9fecce13db716b614c228fb2c05 2b679a762abe04c3aa44132649860699"
    "9c4250f491ef987a33540b43edcfac62 e4b31ca9c908e89580df94fa758f3fa6"
    "4707a7fcf37317ba83593c19e6854fa8 686b81b27164da8bf8eb0f4b70569d35"
    "1e240e5e6358d1a225227c3b01217887 d40046579fd327524c3602e7a0c4c89e"
    "eabf8ad240c738b5a3f7f2cef96115a1 e0ae5da49b341a55ad933230f58cb1e3"
    "1df6e22e8266ca60c02923ab0d534e6f d5db3745defd8e2f03ff6a726d6c5b51"
    "8d1baf92bbddbc7f11d95c411f105ad8 0ac13188a5cd7bbd2d74d012b8e5b4b0"
    "8969974a0c96777e65b9f109c56ec684 18f07dec3adc4d2079ee5f3ed7cb3948";

static void test_the_sm4_circuit_is_the_standards_table(void)
{
    const octets table = octets_of(SM4_TABLE);
    CHECK(table.size == 256);
    for (uint32_t value = 0; value < 256; value++) {
        const uint32_t word = value | ((value + 1) & 0xff) << 8 | ((value + 2) & 0xff) << 16
                              | ((value + 3) & 0xff) << 24;
        const uint32_t result = pos_sbox_sm4(word);
        for (unsigned place = 0; place < 4; place++) {
            CHECK(((result >> (8 * place)) & 0xff) == table.data[(value + place) & 0xff]);
        }
    }
}

/* ---- AES ------------------------------------------------------------------------------------------- */
static void check_aes(pos_cpu_path path, const char *key_hex, const char *cipher_hex)
{
    const octets key = octets_of(key_hex);
    const octets plain = octets_of("00112233445566778899aabbccddeeff");
    uint8_t out[16];
    pos_aes_key prepared;
    pos_aes_prepare_on(path, key.data, key.size, &prepared);
    pos_aes_encrypt(&prepared, plain.data, out);
    CHECK(is_hex(out, cipher_hex));
    uint8_t many[21][16]; /* more than the lanes of any way */
    for (size_t index = 0; index < 21; index++) memcpy(many[index], plain.data, 16);
    pos_aes_encrypt_blocks(&prepared, many[0], 21, many[0]);
    for (size_t index = 0; index < 21; index++) CHECK(is_hex(many[index], cipher_hex));
    pos_aes_decrypt(&prepared, out, out);
    CHECK(memcmp(out, plain.data, 16) == 0);
}

static void test_aes_gives_the_published_blocks_by_every_way(void)
{
    for (int path = POS_CPU_PORTABLE; path <= (int)pos_cpu_path_best(); path++) {
        check_aes((pos_cpu_path)path, "000102030405060708090a0b0c0d0e0f",
                  "69c4e0d86a7b0430d8cdb78070b4c55a"); /* FIPS 197, C.1 */
        check_aes((pos_cpu_path)path, "000102030405060708090a0b0c0d0e0f1011121314151617",
                  "dda97ca4864cdfe06eaf70a0ec0d7191"); /* C.2 */
        check_aes((pos_cpu_path)path,
                  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                  "8ea2b7ca516745bfeafc49904b496089"); /* C.3 */
    }
}

static void test_the_aes_ways_agree(void)
{
    if (pos_cpu_path_best() < POS_CPU_SSE42) return;
    uint32_t seed = 1;
    for (unsigned round = 0; round < 2000; round++) {
        uint8_t key[32];
        uint8_t block[16];
        uint8_t out[2][16];
        pos_aes_key prepared[2];
        const size_t size = 16 + 8 * (draw(&seed) % 3);
        fill(&seed, key, sizeof key);
        fill(&seed, block, sizeof block);
        for (int path = 0; path < 2; path++) {
            pos_aes_prepare_on((pos_cpu_path)path, key, size, &prepared[path]);
            pos_aes_encrypt(&prepared[path], block, out[path]);
        }
        CHECK(memcmp(prepared[0].round_keys, prepared[1].round_keys,
                     16U * (prepared[0].rounds + 1U)) == 0);
        CHECK(memcmp(out[0], out[1], 16) == 0);
    }
}

/* Every count of blocks about the lanes' numbers, by every way, elsewhere and in place: as one by one
 * by the portable way; and nothing is written past the end. */
static void test_aes_of_many_blocks_is_aes_of_each(void)
{
    uint32_t seed = 14;
    for (int path = POS_CPU_PORTABLE; path <= (int)pos_cpu_path_best(); path++) {
        for (size_t count = 0; count <= 70; count++) {
            uint8_t bytes[32];
            uint8_t blocks[71][16];
            uint8_t out[71][16];
            uint8_t wanted[71][16];
            pos_aes_key key;
            fill(&seed, bytes, sizeof bytes);
            fill(&seed, blocks[0], sizeof blocks);
            memset(out, 0xa5, sizeof out);
            pos_aes_prepare_on((pos_cpu_path)path, bytes, 16 + 8 * (draw(&seed) % 3), &key);
            for (size_t index = 0; index < count; index++) {
                uint8_t back[16];
                pos_aes_encrypt_portable(&key, blocks[index], wanted[index]);
                pos_aes_decrypt(&key, wanted[index], back);
                CHECK(memcmp(back, blocks[index], 16) == 0);
            }
            memcpy(wanted[count], blocks[count], 16);
            pos_aes_encrypt_blocks(&key, blocks[0], count, out[0]);
            CHECK(memcmp(out, wanted, 16 * count) == 0);
            for (size_t byte = 0; byte < 16; byte++) CHECK(out[count][byte] == 0xa5);
            pos_aes_encrypt_blocks(&key, blocks[0], count, blocks[0]);
            CHECK(memcmp(blocks, wanted, 16 * (count + 1)) == 0);
        }
    }
}

/* ---- CMAC ------------------------------------------------------------------------------------------ */
typedef struct cmac_vector {
    const char *key;
    size_t size; /* of the standard's message */
    const char *mac;
} cmac_vector;

static const char *const CMAC_MESSAGE =
    "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710";

/* RFC 4493, 4; NIST SP 800-38B, D.2 and D.3. */
static const cmac_vector CMAC_VECTORS[] = {
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

static void test_cmac_gives_the_published_values_by_every_way(void)
{
    const octets message = octets_of(CMAC_MESSAGE);
    for (size_t index = 0; index < sizeof CMAC_VECTORS / sizeof CMAC_VECTORS[0]; index++) {
        const cmac_vector *vector = &CMAC_VECTORS[index];
        const octets key = octets_of(vector->key);
        for (int path = POS_CPU_PORTABLE; path <= (int)pos_cpu_path_best(); path++) {
            uint8_t mac[16];
            pos_cmac_key prepared;
            pos_cmac_prepare_on((pos_cpu_path)path, key.data, key.size, &prepared);
            pos_cmac(&prepared, message.data, vector->size, mac);
            CHECK(is_hex(mac, vector->mac));
        }
    }
}

static void test_cmac_in_pieces_is_cmac_at_once(void)
{
    uint32_t seed = 2;
    uint8_t data[100];
    uint8_t key[32];
    fill(&seed, data, sizeof data);
    fill(&seed, key, sizeof key);
    for (int path = POS_CPU_PORTABLE; path <= (int)pos_cpu_path_best(); path++) {
        pos_cmac_key prepared;
        pos_cmac_prepare_on((pos_cpu_path)path, key, sizeof key, &prepared);
        for (size_t size = 0; size <= sizeof data; size++) {
            uint8_t whole[16];
            pos_cmac(&prepared, data, size, whole);
            for (size_t first = 0; first <= size; first++) {
                const size_t second = (size - first) / 2;
                uint8_t mac[16];
                pos_cmac_state state;
                pos_cmac_begin(&state);
                pos_cmac_add(&state, &prepared, data, first);
                pos_cmac_add(&state, &prepared, data + first, second);
                pos_cmac_add(&state, &prepared, data + first + second, size - first - second);
                pos_cmac_end(&state, &prepared, mac);
                CHECK(memcmp(mac, whole, sizeof mac) == 0);
            }
        }
    }
}

static void test_tokens_by_the_wave_are_single_cmacs(void)
{
    uint32_t seed = 3;
    uint8_t key[32];
    uint8_t data[40];
    pos_token_job jobs[33];
    pos_cmac_key prepared;
    fill(&seed, key, sizeof key);
    fill(&seed, data, sizeof data);
    pos_cmac_prepare(key, sizeof key, &prepared);
    for (uint32_t index = 0; index < 33; index++) {
        jobs[index] = (pos_token_job){.data = data + index % 8, .size = index};
    }
    pos_token_wave(&prepared, jobs, 33);
    for (uint32_t index = 0; index < 33; index++) {
        uint8_t mac[16];
        pos_cmac(&prepared, data + index % 8, index, mac);
        CHECK(memcmp(mac, jobs[index].token, sizeof mac) == 0);
    }
}

/* ---- SHA-256 and HMAC ---------------------------------------------------------------------------------- */
static void check_sha256(const char *text, const char *digest_hex)
{
    uint8_t digest[32];
    pos_sha256(text, strlen(text), digest);
    CHECK(is_hex(digest, digest_hex));
}

static void test_sha256_gives_the_published_digests(void)
{
    /* FIPS 180-2, B.1 to B.3, and the digest of nothing. */
    check_sha256("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_sha256("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    pos_sha256_state state;
    uint8_t thousand[1000];
    uint8_t digest[32];
    memset(thousand, 'a', sizeof thousand);
    pos_sha256_begin(&state);
    for (unsigned round = 0; round < 1000; round++) pos_sha256_add(&state, thousand, 1000);
    pos_sha256_end(&state, digest);
    CHECK(is_hex(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
}

static void test_sha256_in_pieces_is_sha256_at_once(void)
{
    uint32_t seed = 4;
    uint8_t data[200];
    fill(&seed, data, sizeof data);
    for (size_t size = 0; size <= sizeof data; size++) {
        uint8_t whole[32];
        pos_sha256(data, size, whole);
        for (size_t first = 0; first <= size; first += 7) {
            uint8_t digest[32];
            pos_sha256_state state;
            pos_sha256_begin(&state);
            pos_sha256_add(&state, data, first);
            pos_sha256_add(&state, data + first, size - first);
            pos_sha256_end(&state, digest);
            CHECK(memcmp(digest, whole, sizeof digest) == 0);
        }
    }
}

static void test_the_sha256_ways_agree(void)
{
    if (!__builtin_cpu_supports("sha")) return;
    uint32_t seed = 10;
    for (unsigned round = 0; round < 200; round++) {
        uint8_t blocks[5 * 64];
        uint32_t words[2][8];
        const size_t count = draw(&seed) % 6;
        fill(&seed, blocks, sizeof blocks);
        fill(&seed, (uint8_t *)words[0], sizeof words[0]);
        memcpy(words[1], words[0], sizeof words[0]);
        pos_sha256_blocks_portable(words[0], blocks, count);
        pos_sha256_blocks_shani(words[1], blocks, count);
        CHECK(memcmp(words[0], words[1], sizeof words[0]) == 0);
    }
}

static void test_a_pair_of_digests_is_two_digests(void)
{
    uint32_t seed = 12;
    uint8_t data[2][400];
    fill(&seed, data[0], sizeof data[0]);
    fill(&seed, data[1], sizeof data[1]);
    for (unsigned round = 0; round < 400; round++) {
        const size_t sizes[2] = {draw(&seed) % (sizeof data[0] + 1), draw(&seed) % (sizeof data[1] + 1)};
        uint8_t pair[2][32];
        pos_sha256_pair(data[0], sizes[0], data[1], sizes[1], pair[0], pair[1]);
        for (size_t which = 0; which < 2; which++) {
            uint8_t alone[32];
            pos_sha256(data[which], sizes[which], alone);
            CHECK(memcmp(pair[which], alone, sizeof alone) == 0);
        }
    }
}

static void test_hmac_gives_the_published_values(void)
{
    uint8_t mac[32];
    const octets first = octets_of("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    pos_hmac_sha256(first.data, first.size, "Hi There", 8, mac); /* RFC 4231, 4.2 */
    CHECK(is_hex(mac, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    pos_hmac_sha256((const uint8_t *)"Jefe", 4, "what do ya want for nothing?", 28, mac);
    CHECK(is_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    uint8_t filled[50];
    memset(filled, 0xdd, sizeof filled);
    const octets third = octets_of("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    pos_hmac_sha256(third.data, third.size, filled, sizeof filled, mac); /* 4.4 */
    CHECK(is_hex(mac, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"));
    uint8_t longer[131];
    memset(longer, 0xaa, sizeof longer);
    pos_hmac_sha256(longer, sizeof longer, "Test Using Larger Than Block-Size Key - Hash Key First",
                    54, mac); /* 4.7 */
    CHECK(is_hex(mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
}

/* ---- SIV and derived keys --------------------------------------------------------------------------- */
static pos_slice slice_of(const octets *bytes)
{
    return (pos_slice){.data = bytes->data, .size = bytes->size};
}

static void test_siv_gives_the_published_values(void)
{
    uint8_t sealed[128];
    uint8_t plain[128];
    /* RFC 5297, A.1: deterministic, one part. */
    octets key = octets_of("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0 f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    octets ad = octets_of("101112131415161718191a1b1c1d1e1f2021222324252627");
    octets text = octets_of("112233445566778899aabbccddee");
    pos_slice parts[3] = {slice_of(&ad)};
    pos_siv_seal_parts(key.data, key.size, parts, 1, slice_of(&text), sealed);
    CHECK(is_hex(sealed, "85632d07c6e8f37f950acd320a2ecc93 40c02b9690c4dc04daef7f6afe5c"));
    CHECK(pos_siv_open_parts(key.data, key.size, parts, 1, sealed, 30, plain) == POS_OK);
    CHECK(memcmp(plain, text.data, text.size) == 0);
    /* A.2: three parts, more than a block. */
    key = octets_of("7f7e7d7c7b7a797877767574737271704041424344454647 48494a4b4c4d4e4f");
    ad = octets_of("00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100");
    const octets second = octets_of("102030405060708090a0");
    const octets nonce = octets_of("09f911029d74e35bd84156c5635688c0");
    text = octets_of("7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573"
                     "696e67205349562d414553");
    parts[0] = slice_of(&ad);
    parts[1] = slice_of(&second);
    parts[2] = slice_of(&nonce);
    pos_siv_seal_parts(key.data, key.size, parts, 3, slice_of(&text), sealed);
    CHECK(is_hex(sealed, "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17"
                         "dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d"));
    CHECK(pos_siv_open_parts(key.data, key.size, parts, 3, sealed, 16 + text.size, plain) == POS_OK);
    CHECK(memcmp(plain, text.data, text.size) == 0);
}

static void test_siv_opens_what_it_sealed_and_nothing_altered(void)
{
    uint32_t seed = 5;
    uint8_t key[64];
    uint8_t text[70];
    uint8_t ad[23];
    fill(&seed, key, sizeof key);
    fill(&seed, text, sizeof text);
    fill(&seed, ad, sizeof ad);
    for (size_t size = 0; size <= sizeof text; size++) {
        const pos_slice part = {.data = ad, .size = size % 24};
        uint8_t sealed[16 + 70];
        uint8_t plain[70];
        uint8_t untouched[70];
        memset(plain, 0x5a, sizeof plain);
        memset(untouched, 0x5a, sizeof untouched);
        pos_siv_seal(key, part, (pos_slice){.data = text, .size = size}, sealed);
        for (size_t bit = 0; bit < 8 * (16 + size); bit += 5) {
            sealed[bit / 8] ^= (uint8_t)(1U << (bit % 8));
            CHECK(pos_siv_open(key, part, sealed, 16 + size, plain) == POS_KEY_SEAL);
            CHECK(memcmp(plain, untouched, sizeof plain) == 0);
            sealed[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        }
        ad[0] ^= 1;
        if (part.size > 0) CHECK(pos_siv_open(key, part, sealed, 16 + size, plain) == POS_KEY_SEAL);
        ad[0] ^= 1;
        CHECK(pos_siv_open(key, part, sealed, 16 + size, plain) == POS_OK);
        CHECK(memcmp(plain, text, size) == 0);
        CHECK(pos_siv_open(key, part, sealed, 15, plain) == POS_KEY_SEAL);
    }
}

static void test_derived_keys_are_blocks_of_cmac(void)
{
    uint8_t master[32];
    uint8_t derived[40];
    uint8_t block[16];
    pos_cmac_key key;
    uint32_t seed = 6;
    fill(&seed, master, sizeof master);
    pos_kdf(master, "posengine siv", derived, sizeof derived);
    pos_cmac_prepare(master, sizeof master, &key);
    for (size_t index = 0; index < 3; index++) {
        uint8_t input[22] = "\0\0\0\0posengine siv\0\0\0\0";
        input[3] = (uint8_t)(index + 1);
        input[20] = 320 / 256;
        input[21] = 320 % 256;
        pos_cmac(&key, input, sizeof input, block);
        CHECK(memcmp(block, derived + 16 * index, index < 2 ? 16 : 8) == 0);
    }
    const pos_slice context = {.data = (const uint8_t *)"\0\1\2", .size = 3};
    uint8_t input[25] = "\0\0\0\1posengine siv\0\0\1\2\0\0\1";
    pos_kdf_in(master, "posengine siv", context, derived, 32);
    pos_cmac(&key, input, sizeof input, block);
    CHECK(memcmp(block, derived, 16) == 0);
}

/* ---- DES, SM4 --------------------------------------------------------------------------------------- */
static void check_des(const char *key_hex, const char *plain_hex, const char *cipher_hex)
{
    const octets key = octets_of(key_hex);
    const octets plain = octets_of(plain_hex);
    pos_des_key prepared;
    uint8_t out[8];
    pos_des_prepare(key.data, key.size, &prepared);
    pos_des_encrypt(&prepared, plain.data, out);
    CHECK(is_hex(out, cipher_hex));
    pos_des_decrypt(&prepared, out, out);
    CHECK(memcmp(out, plain.data, 8) == 0);
}

static void test_des_gives_the_published_blocks(void)
{
    check_des("0123456789abcdef", "4e6f772069732074", "3fa40e8a984d4815"); /* FIPS 81, B.1 */
    check_des("133457799bbcdff1", "0123456789abcdef", "85e813540f0ab405");
    check_des("8001010101010101", "0000000000000000", "95a8d72813daa94d"); /* SP 800-17, B.2 */
    check_des("0101010101010101", "8000000000000000", "95f8a5e5dd31d900"); /* SP 800-17, B.1 */
    check_des("7ca110454a1a6e57", "01a1d6d039776742", "690f5b0d9a26939b"); /* SP 800-17, B.4 */
    /* NIST SP 800-67 (2004), B.1: three keys */
    check_des("0123456789abcdef23456789abcdef01456789abcdef0123", "5468652071756663",
              "a826fd8ce53b855f");
    /* 3DES with equal halves is DES */
    check_des("0123456789abcdef0123456789abcdef", "4e6f772069732074", "3fa40e8a984d4815");
}

static void test_sm4_gives_the_published_block_by_every_way(void)
{
    const octets key = octets_of("0123456789abcdeffedcba9876543210"); /* GB/T 32907, A.1 */
    for (int path = POS_CPU_PORTABLE; path <= (int)pos_cpu_path_best(); path++) {
        pos_sm4_key prepared;
        uint8_t out[16];
        pos_sm4_prepare_on((pos_cpu_path)path, key.data, &prepared);
        CHECK(prepared.rounds[0] == 0xF12186F9U);
        CHECK(prepared.rounds[31] == 0x9124A012U);
        pos_sm4_encrypt(&prepared, key.data, out);
        CHECK(is_hex(out, "681edf34d206965e86b3e94f536e4246"));
        pos_sm4_decrypt(&prepared, out, out);
        CHECK(memcmp(out, key.data, 16) == 0);
    }
}

static void test_the_sm4_ways_agree(void)
{
    if (pos_cpu_path_best() < POS_CPU_SSE42) return;
    uint32_t seed = 7;
    for (unsigned round = 0; round < 1000; round++) {
        uint8_t key[16];
        uint8_t block[16];
        uint8_t out[2][16];
        fill(&seed, key, sizeof key);
        fill(&seed, block, sizeof block);
        for (int path = 0; path < 2; path++) {
            pos_sm4_key prepared;
            pos_sm4_prepare_on((pos_cpu_path)path, key, &prepared);
            pos_sm4_encrypt(&prepared, block, out[path]);
        }
        CHECK(memcmp(out[0], out[1], 16) == 0);
    }
}

/* ---- MACs of the dialect ------------------------------------------------------------------------------ */
/* A captured 0210 without its field 64. */
static const char *const ANSWER =
    "0210703E02810AD08213166225000000000014000000000000000001000134091947042815120427000100080009"
    "584030393139343731343530363030303538343032303031333032343430333830363231313030223930333130"
    "303030202020303330323538343020202031353600179F3602031E910A42FE066E2918B0883030001322000007"
    "0005000003435550";
static const char *const SHORT = "30313233343536373839414243";

typedef struct mac_vector {
    const char *algorithm;
    const char *key;
    const char *answer; /* raw, over ANSWER */
    const char *brief;  /* raw or its beginning, over SHORT */
} mac_vector;

static const mac_vector MAC_VECTORS[] = {
    {"unionpay-ecb", "575B6B798C761992", "51D8741ECBB0CDDF", "3B6AB0B8"},
    {"unionpay-ecb", "0123456789ABCDEFFEDCBA9876543210", "3161749865648B6B", "98141CFA"},
    {"x9.9", "575B6B798C761992", "E5C79C9DB3F4691F", "1CFA9AE1B3BAE2E4"},
    {"x9.9", "0123456789ABCDEFFEDCBA9876543210", "D2B5DD9E1A488FB1", ""},
    {"x9.19", "0123456789ABCDEFFEDCBA9876543210", "1DCFFE1335462612", "5D0CCB3FBAE083AC"},
    {"sm4-unionpay", "0123456789ABCDEFFEDCBA9876543210", "220FE0A42AA1850A1DD3B7130ACB9A39",
     "46FD96A8"},
    {"sm4-cbc", "0123456789ABCDEFFEDCBA9876543210", "AC78E75FC8B75F3A609B34E549F0EC86", ""},
};

static void test_macs_are_those_of_the_dialect(void)
{
    const octets answer = octets_of(ANSWER);
    const octets brief = octets_of(SHORT);
    CHECK(answer.size == 144);
    for (size_t index = 0; index < sizeof MAC_VECTORS / sizeof MAC_VECTORS[0]; index++) {
        const mac_vector *vector = &MAC_VECTORS[index];
        const octets key = octets_of(vector->key);
        const pos_mac_algorithm algorithm = pos_mac_algorithm_of(vector->algorithm);
        uint8_t mac[POS_MAC_SIZE_MAX];
        size_t size = 0;
        CHECK(algorithm != POS_MAC_NONE);
        CHECK(strcmp(pos_mac_algorithm_name(algorithm), vector->algorithm) == 0);
        CHECK(pos_mac_compute(algorithm, key.data, key.size, answer.data, answer.size, mac, &size)
              == POS_OK);
        CHECK(size == octets_of(vector->answer).size);
        CHECK(is_hex(mac, vector->answer));
        CHECK(pos_mac_compute(algorithm, key.data, key.size, brief.data, brief.size, mac, &size)
              == POS_OK);
        CHECK(is_hex(mac, vector->brief));
    }
}

static void test_a_field_is_hex_or_raw(void)
{
    const octets mac = octets_of("51D8741ECBB0CDDF");
    uint8_t field[16];
    pos_mac_field(mac.data, POS_MAC_OUTPUT_HEX, field, 8);
    CHECK(memcmp(field, "51D8741E", 8) == 0);
    pos_mac_field(mac.data, POS_MAC_OUTPUT_HEX, field, 16);
    CHECK(memcmp(field, "51D8741ECBB0CDDF", 16) == 0);
    pos_mac_field(mac.data, POS_MAC_OUTPUT_RAW, field, 8);
    CHECK(memcmp(field, mac.data, 8) == 0);
}

static void test_a_key_that_does_not_fit_is_refused(void)
{
    const uint8_t key[64] = {0x3b};
    uint8_t mac[POS_MAC_SIZE_MAX] = {0x5a};
    size_t size = 99;
    for (int algorithm = 0; algorithm < POS_MAC_ALGORITHM_COUNT; algorithm++) {
        for (size_t key_size = 0; key_size <= 65; key_size++) {
            if (pos_mac_key_fits((pos_mac_algorithm)algorithm, key_size)) continue;
            const pos_status status = pos_mac_compute((pos_mac_algorithm)algorithm, key, key_size,
                                                      key, 1, mac, &size);
            CHECK(status == (algorithm == POS_MAC_NONE ? POS_MAC_ALGORITHM : POS_KEY_SIZE));
        }
    }
    CHECK(mac[0] == 0x5a && size == 99);
    CHECK(pos_mac_algorithm_of("x9.99") == POS_MAC_NONE);
    CHECK(pos_mac_algorithm_of("") == POS_MAC_NONE);
}

static void test_a_wave_is_its_messages_one_by_one(void)
{
    static const size_t SIZES[POS_MAC_ALGORITHM_COUNT][2] = {
        [POS_MAC_UNIONPAY_ECB] = {8, 16}, [POS_MAC_X9_9] = {16, 8},
        [POS_MAC_X9_19] = {16, 16},       [POS_MAC_AES_CMAC] = {32, 16},
        [POS_MAC_HMAC_SHA256] = {32, 5},  [POS_MAC_SM4_UNIONPAY] = {16, 16},
        [POS_MAC_SM4_CBC] = {16, 16},
    };
    enum { JOBS = 140 };
    static pos_mac_job jobs[JOBS];
    static pos_key keys[JOBS];
    static uint8_t data[JOBS + 300];
    uint32_t seed = 8;
    fill(&seed, data, sizeof data);
    for (size_t index = 0; index < JOBS; index++) {
        const size_t algorithm = 1 + index % (POS_MAC_ALGORITHM_COUNT - 1);
        keys[index] = (pos_key){.usage = POS_KEY_MAK,
                                .size = (uint8_t)SIZES[algorithm][(index / 7) % 2]};
        fill(&seed, keys[index].bytes, keys[index].size);
        jobs[index] = (pos_mac_job){.key = &keys[index],
                                    .covered = data + index,
                                    .covered_size = draw(&seed) % 300,
                                    .algorithm = (uint8_t)algorithm};
    }
    pos_mac_wave(jobs, JOBS);
    for (size_t index = 0; index < JOBS; index++) {
        uint8_t mac[POS_MAC_SIZE_MAX];
        size_t size = 0;
        CHECK(pos_mac_compute((pos_mac_algorithm)jobs[index].algorithm, keys[index].bytes,
                              keys[index].size, jobs[index].covered, jobs[index].covered_size, mac,
                              &size) == POS_OK);
        CHECK(memcmp(mac, jobs[index].mac, size) == 0);
    }
}

/* ---- keys and key blocks ------------------------------------------------------------------------------ */
static pos_key tmk_of(pos_cipher cipher, const char *hex)
{
    const octets bytes = octets_of(hex);
    pos_key key;
    CHECK(pos_key_make(POS_KEY_TMK, cipher, bytes.data, bytes.size, NULL, 0, &key) == POS_OK);
    return key;
}

typedef struct block_vector {
    unsigned code;
    const char *tmk;
    const char *block;
    const char *pik;
    const char *mak;
    const char *tdk;
} block_vector;

static const block_vector BLOCK_VECTORS[] = {
    {3, "44444444444444444444444444444444",
     "84772DAE453EC6D67583327B02375132 68D0648C 90F1788856631952 0000000000000000 44B1EB7C",
     "B5DAD5B316436DCEDF86160B85469DE6", "85E52F31E03E5ECD", ""},
    {3, "44444444444444444444444444444444",
     "77264C5EBA2E461248D2A773277A79EA 12922DDE C0DF5A74CE24FDB0 0000000000000000 DCF475D3",
     "706185D32C528C64B01361324A85B579", "7A131F01F458BCDC", ""},
    {3, "54304AD05FC35BEA48F835A2DA4E6142",
     "CDF4F5FDFC4FB62E3533A16D1555B7DD 342571BF A0F1F1B1213B2DE2 0000000000000000 81D7E011",
     "831AF2970423FE98017A8AEF62BA58A7", "575B6B798C761992", ""},
    {4, "11111111111111111111111111111111",
     "950973182317F80B950973182317F80B 00962B60 F679786E2411E3DE 0000000000000000 ADC67D84"
     "A0C45C59F1E549BBA0C45C59F1E549BB E2F24340",
     "22222222222222222222222222222222", "3333333333333333", "44444444444444444444444444444444"},
};

static void test_key_blocks_of_the_dialect_open(void)
{
    for (size_t index = 0; index < sizeof BLOCK_VECTORS / sizeof BLOCK_VECTORS[0]; index++) {
        const block_vector *vector = &BLOCK_VECTORS[index];
        const pos_key tmk = tmk_of(POS_CIPHER_DES, vector->tmk);
        octets block = octets_of(vector->block);
        pos_key_block_layout layout;
        pos_working_keys keys;
        CHECK(pos_key_block_layout_of(vector->code, &layout) == POS_OK);
        CHECK(pos_key_block_open(&layout, &tmk, block.data, block.size, &keys) == POS_OK);
        CHECK(keys.pik.size == 16 && is_hex(keys.pik.bytes, vector->pik));
        CHECK(keys.mak.size == 8 && is_hex(keys.mak.bytes, vector->mak));
        CHECK(keys.tdk.size == octets_of(vector->tdk).size);
        CHECK(is_hex(keys.tdk.bytes, vector->tdk));
        for (size_t byte = 0; byte < block.size; byte++) {
            const bool is_filler = byte >= 28 && byte < 36;
            block.data[byte] ^= 0x40;
            const pos_status status =
                pos_key_block_open(&layout, &tmk, block.data, block.size, &keys);
            CHECK(status == (is_filler ? POS_OK : POS_KEY_CHECK));
            block.data[byte] ^= 0x40;
        }
    }
}

static void test_key_blocks_of_another_size_are_refused(void)
{
    const pos_key tmk = tmk_of(POS_CIPHER_DES, "44444444444444444444444444444444");
    const octets block = octets_of(BLOCK_VECTORS[0].block);
    uint8_t longer[POS_KEY_BLOCK_SIZE_MAX] = {0};
    pos_key_block_layout layout;
    pos_working_keys keys;
    memcpy(longer, block.data, block.size);
    CHECK(pos_key_block_layout_of(3, &layout) == POS_OK);
    for (size_t size = 0; size <= sizeof longer; size++) {
        CHECK(pos_key_block_open(&layout, &tmk, longer, size, &keys)
              == (size == 40 ? POS_OK : POS_KEY_BLOCK));
    }
    for (unsigned code = 0; code < 1000; code++) {
        const bool is_known = code == 1 || (code >= 3 && code <= 6);
        CHECK(pos_key_block_layout_of(code, &layout) == (is_known ? POS_OK : POS_KEY_BLOCK));
        if (is_known) CHECK(pos_key_block_layout_check(&layout) == POS_OK);
    }
}

static void test_key_blocks_that_are_made_open_again(void)
{
    static const unsigned CODES[] = {1, 3, 4, 5, 6};
    uint32_t seed = 9;
    for (size_t index = 0; index < 5; index++) {
        pos_key_block_layout layout;
        CHECK(pos_key_block_layout_of(CODES[index], &layout) == POS_OK);
        const pos_key tmk =
            tmk_of((pos_cipher)layout.cipher, "0123456789ABCDEFFEDCBA9876543210");
        uint8_t random[48];
        uint8_t block[POS_KEY_BLOCK_SIZE_MAX];
        size_t size = 0;
        pos_working_keys made;
        pos_working_keys opened;
        fill(&seed, random, sizeof random);
        const size_t wanted = pos_key_block_random_size(&layout);
        CHECK(pos_key_block_make(&layout, &tmk, random, wanted - 1, &made, block, &size)
              == POS_ARGUMENT);
        CHECK(pos_key_block_make(&layout, &tmk, random, wanted, &made, block, &size) == POS_OK);
        CHECK(size == layout.size);
        CHECK(pos_key_block_open(&layout, &tmk, block, size, &opened) == POS_OK);
        CHECK(memcmp(&made, &opened, sizeof made) == 0);
        CHECK((made.tdk.size == 0) == (layout.part_count == 2));
        for (size_t byte = 0; byte < made.pik.size; byte++) {
            const uint8_t key_byte = made.pik.bytes[byte];
            const uint8_t difference = key_byte ^ random[byte];
            CHECK(layout.cipher == POS_CIPHER_SM4 ? difference == 0 : difference <= 1);
            if (layout.cipher == POS_CIPHER_DES) CHECK(__builtin_parity(key_byte) == 1);
        }
    }
}

static void test_a_variant_layout_is_data(void)
{
    /* A regional host puts the MAK's check value right behind the MAK. */
    const pos_key tmk = tmk_of(POS_CIPHER_DES, "44444444444444444444444444444444");
    const octets block = octets_of(
        "84772DAE453EC6D67583327B02375132 68D0648C 90F1788856631952 44B1EB7C 0000000000000000");
    pos_key_block_layout layout;
    pos_working_keys keys;
    CHECK(pos_key_block_layout_of(3, &layout) == POS_OK);
    CHECK(pos_key_block_open(&layout, &tmk, block.data, block.size, &keys) == POS_KEY_CHECK);
    layout.parts[1].kcv_offset = 28;
    CHECK(pos_key_block_layout_check(&layout) == POS_OK);
    CHECK(pos_key_block_open(&layout, &tmk, block.data, block.size, &keys) == POS_OK);
    layout.parts[1].kcv_offset = 27; /* over the MAK */
    CHECK(pos_key_block_layout_check(&layout) == POS_ARGUMENT);
    layout.parts[1].kcv_offset = 37; /* past the end */
    CHECK(pos_key_block_layout_check(&layout) == POS_ARGUMENT);
}

static void test_weak_keys_are_refused_and_never_made(void)
{
    static const char *const WEAK[] = {
        "0101010101010101", "FEFEFEFEFEFEFEFE", "E0E0E0E0F1F1F1F1", "1F1F1F1F0E0E0E0E",
        "011F011F010E010E", "1F011F010E010E01", "01E001E001F101F1", "E001E001F101F101",
        "01FE01FE01FE01FE", "FE01FE01FE01FE01", "1FE01FE00EF10EF1", "E01FE01FF10EF10E",
        "1FFE1FFE0EFE0EFE", "FE1FFE1FFE0EFE0E", "E0FEE0FEF1FEF1FE", "FEE0FEE0FEF1FEF1",
    };
    const pos_key tmk = tmk_of(POS_CIPHER_DES, "44444444444444444444444444444444");
    pos_key_block_layout layout;
    CHECK(pos_key_block_layout_of(3, &layout) == POS_OK);
    for (size_t index = 0; index < 16; index++) {
        octets key = octets_of(WEAK[index]);
        pos_key slot;
        CHECK(pos_key_make(POS_KEY_MAK, POS_CIPHER_DES, key.data, 8, NULL, 0, &slot)
              == POS_KEY_WEAK);
        for (size_t byte = 0; byte < 8; byte++) key.data[byte] ^= 1; /* parity apart */
        CHECK(pos_key_is_weak(key.data, 8));
        uint8_t whole[24];
        memset(whole, 0x3b, sizeof whole);
        CHECK(!pos_key_is_weak(whole, sizeof whole));
        memcpy(whole + 8, key.data, 8);
        CHECK(pos_key_is_weak(whole, 16));
        CHECK(pos_key_make(POS_KEY_PIK, POS_CIPHER_DES, whole, 16, NULL, 0, &slot) == POS_KEY_WEAK);
        uint8_t block[POS_KEY_BLOCK_SIZE_MAX];
        size_t size = 0;
        pos_working_keys keys;
        CHECK(pos_key_block_make(&layout, &tmk, whole, 24, &keys, block, &size) == POS_OK);
        CHECK(!pos_key_is_weak(keys.pik.bytes, 16));
    }
}

static void test_a_slot_checks_its_value(void)
{
    const octets key = octets_of("54304AD05FC35BEA48F835A2DA4E6142");
    uint8_t kcv[POS_KCV_SIZE];
    pos_key slot;
    CHECK(pos_key_check_value(POS_CIPHER_DES, key.data, key.size, kcv) == POS_OK);
    for (size_t size = 0; size <= POS_KCV_SIZE; size++) {
        CHECK(pos_key_make(POS_KEY_TMK, POS_CIPHER_DES, key.data, key.size, kcv, size, &slot)
              == POS_OK);
    }
    kcv[3] ^= 1;
    CHECK(pos_key_make(POS_KEY_TMK, POS_CIPHER_DES, key.data, key.size, kcv, 4, &slot)
          == POS_KEY_CHECK);
    CHECK(pos_key_make(POS_KEY_TMK, POS_CIPHER_DES, key.data, key.size, kcv, 3, &slot) == POS_OK);
    CHECK(pos_key_make(POS_KEY_TMK, POS_CIPHER_SM4, key.data, 8, NULL, 0, &slot) == POS_KEY_SIZE);
    CHECK(pos_key_make(POS_KEY_NONE, POS_CIPHER_DES, key.data, 16, NULL, 0, &slot) == POS_ARGUMENT);
    pos_key_wipe(&slot);
    for (size_t byte = 0; byte < sizeof slot; byte++) CHECK(((const uint8_t *)&slot)[byte] == 0);
}

int main(void)
{
    test_des_gives_the_published_blocks();
    test_sm4_gives_the_published_block_by_every_way();
    test_the_sm4_ways_agree();
    test_macs_are_those_of_the_dialect();
    test_a_field_is_hex_or_raw();
    test_a_key_that_does_not_fit_is_refused();
    test_a_wave_is_its_messages_one_by_one();
    test_key_blocks_of_the_dialect_open();
    test_key_blocks_of_another_size_are_refused();
    test_key_blocks_that_are_made_open_again();
    test_a_variant_layout_is_data();
    test_weak_keys_are_refused_and_never_made();
    test_a_slot_checks_its_value();
    test_the_aes_circuit_is_the_standards_definition();
    test_the_sm4_circuit_is_the_standards_table();
    test_aes_gives_the_published_blocks_by_every_way();
    test_the_aes_ways_agree();
    test_aes_of_many_blocks_is_aes_of_each();
    test_cmac_gives_the_published_values_by_every_way();
    test_cmac_in_pieces_is_cmac_at_once();
    test_tokens_by_the_wave_are_single_cmacs();
    test_sha256_gives_the_published_digests();
    test_sha256_in_pieces_is_sha256_at_once();
    test_the_sha256_ways_agree();
    test_a_pair_of_digests_is_two_digests();
    test_hmac_gives_the_published_values();
    test_siv_gives_the_published_values();
    test_siv_opens_what_it_sealed_and_nothing_altered();
    test_derived_keys_are_blocks_of_cmac();
    return 0;
}
