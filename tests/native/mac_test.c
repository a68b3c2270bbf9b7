/*
 * Goal: every cipher, MAC and sealed form is the published one, by every way that the processor
 * offers, in one piece and in many.
 * Method: the vectors of the standards, and each fast way against the portable one over keys and
 * sizes from a generator with a fixed seed.
 */
#include "check.h"
#include "mac/aes.h"
#include "mac/sbox.h"

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
static void check_aes(pos_aes_path path, const char *key_hex, const char *cipher_hex)
{
    const octets key = octets_of(key_hex);
    const octets plain = octets_of("00112233445566778899aabbccddeeff");
    uint8_t out[16];
    pos_aes_key prepared;
    pos_aes_prepare_on(path, key.data, key.size, &prepared);
    pos_aes_encrypt(&prepared, plain.data, out);
    CHECK(is_hex(out, cipher_hex));
}

static bool has_aesni(void)
{
    pos_aes_key key;
    pos_aes_prepare((const uint8_t *)"0123456789abcdef", 16, &key);
    return key.path == POS_AES_AESNI;
}

static void test_aes_gives_the_published_blocks_by_every_way(void)
{
    for (int path = POS_AES_PORTABLE; path <= (has_aesni() ? POS_AES_AESNI : 0); path++) {
        check_aes((pos_aes_path)path, "000102030405060708090a0b0c0d0e0f",
                  "69c4e0d86a7b0430d8cdb78070b4c55a"); /* FIPS 197, C.1 */
        check_aes((pos_aes_path)path, "000102030405060708090a0b0c0d0e0f1011121314151617",
                  "dda97ca4864cdfe06eaf70a0ec0d7191"); /* C.2 */
        check_aes((pos_aes_path)path,
                  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                  "8ea2b7ca516745bfeafc49904b496089"); /* C.3 */
    }
}

static void test_the_aes_ways_agree(void)
{
    if (!has_aesni()) return;
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
            pos_aes_prepare_on((pos_aes_path)path, key, size, &prepared[path]);
            pos_aes_encrypt(&prepared[path], block, out[path]);
        }
        CHECK(memcmp(prepared[0].round_keys, prepared[1].round_keys,
                     16U * (prepared[0].rounds + 1U)) == 0);
        CHECK(memcmp(out[0], out[1], 16) == 0);
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
        for (int path = POS_AES_PORTABLE; path <= (has_aesni() ? POS_AES_AESNI : 0); path++) {
            uint8_t mac[16];
            pos_cmac_key prepared;
            pos_cmac_prepare_on((pos_aes_path)path, key.data, key.size, &prepared);
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
    for (int path = POS_AES_PORTABLE; path <= (has_aesni() ? POS_AES_AESNI : 0); path++) {
        pos_cmac_key prepared;
        pos_cmac_prepare_on((pos_aes_path)path, key, sizeof key, &prepared);
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
}

int main(void)
{
    test_the_aes_circuit_is_the_standards_definition();
    test_the_sm4_circuit_is_the_standards_table();
    test_aes_gives_the_published_blocks_by_every_way();
    test_the_aes_ways_agree();
    test_cmac_gives_the_published_values_by_every_way();
    test_cmac_in_pieces_is_cmac_at_once();
    test_tokens_by_the_wave_are_single_cmacs();
    test_sha256_gives_the_published_digests();
    test_sha256_in_pieces_is_sha256_at_once();
    test_hmac_gives_the_published_values();
    test_siv_gives_the_published_values();
    test_siv_opens_what_it_sealed_and_nothing_altered();
    test_derived_keys_are_blocks_of_cmac();
    return 0;
}
