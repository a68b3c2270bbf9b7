/*
 * Goal: the bytes room says what bytes mean, and never reads or writes past an end.
 * Method: published check values, and every value against the slow way.
 */
#include "bytes/crc32c.h"
#include "check.h"

static void test_crc32c_gives_the_published_values(void)
{
    uint8_t zeros[32] = {0};
    uint8_t ones[32];
    for (size_t index = 0; index < sizeof ones; index++) ones[index] = 0xff;
    CHECK(pos_crc32c(0, "123456789", 9) == 0xE3069283U);
    CHECK(pos_crc32c(0, zeros, sizeof zeros) == 0x8A9136AAU); /* RFC 3720, B.4 */
    CHECK(pos_crc32c(0, ones, sizeof ones) == 0x62A8AB43U);
}

static void test_crc32c_is_the_bitwise_sum_at_every_size_and_split(void)
{
    uint8_t bytes[100];
    for (size_t index = 0; index < sizeof bytes; index++) bytes[index] = (uint8_t)(index * 37 + 11);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        const uint32_t whole = pos_crc32c_slow(0, bytes, size);
        CHECK(pos_crc32c(0, bytes, size) == whole);
        const size_t half = size / 3;
        CHECK(pos_crc32c(pos_crc32c(0, bytes, half), bytes + half, size - half) == whole);
    }
}

static void test_crc32c_is_the_bitwise_sum_on_every_path(void)
{
    enum { MOST = 7000 };
    static uint32_t wanted[MOST + 1];
    uint8_t *bytes = malloc(MOST);
    CHECK(bytes != NULL);
    uint32_t seed = 1;
    for (size_t index = 0; index < MOST; index++) {
        seed = seed * 1664525U + 1013904223U;
        bytes[index] = (uint8_t)(seed >> 16);
    }
    /* Sums that end at the last byte there is: a read past it is the sanitizer's to see. */
    for (size_t size = 0; size <= MOST; size += size < 1200 ? 1 : 61) {
        wanted[size] = pos_crc32c_slow((uint32_t)size, bytes + MOST - size, size);
    }
    for (int path = POS_CPU_PORTABLE; path <= (int)pos_cpu_path_best(); path++) {
        for (size_t size = 0; size <= MOST; size += size < 1200 ? 1 : 61) {
            const uint8_t *from = bytes + MOST - size;
            CHECK(pos_crc32c_on((pos_cpu_path)path, (uint32_t)size, from, size) == wanted[size]);
            const size_t half = size / 3 + 5;
            if (half > size) continue;
            const uint32_t first = pos_crc32c_on((pos_cpu_path)path, (uint32_t)size, from, half);
            CHECK(pos_crc32c_on((pos_cpu_path)path, first, from + half, size - half)
                  == wanted[size]);
        }
    }
    free(bytes);
}

static void test_digits_go_round(void)
{
    uint8_t bcd[10];
    char text[20];
    for (size_t count = 0; count <= 18; count++) {
        for (size_t first = 0; first < 2; first++) {
            memset(bcd, 0xee, sizeof bcd);
            pos_bcd_from_ascii("123456789012345678", count, bcd, first);
            CHECK(pos_bcd_is_digits(bcd, first, count));
            pos_bcd_to_ascii(bcd, first, count, text);
            CHECK(memcmp(text, "123456789012345678", count) == 0);
        }
    }
    pos_bcd_from_number(123456, bcd, 4);
    CHECK(pos_bcd_number(bcd, 0, 8) == 123456);
    CHECK(pos_bcd_number(bcd, 1, 7) == 123456);
}

/* Digits by eight against one after the other, at every size; hex by four bytes against the table. */
static void test_digits_and_hex_by_eight_are_those_one_by_one(void)
{
    uint64_t value = 1;
    for (int round = 0; round < 200000; round++) {
        const uint64_t number = round < 4000 ? (uint64_t)round * 24999 : value;
        const size_t size = (size_t)round % 21;
        char text[24] = "-----------------------";
        char slow[24] = "-----------------------";
        uint64_t rest = number;
        for (size_t index = size; index > 0; index--, rest /= 10) {
            slow[index - 1] = (char)('0' + rest % 10);
        }
        pos_ascii_from_number(number, text, size);
        CHECK(memcmp(text, slow, sizeof text) == 0);
        uint8_t bytes[24];
        char hex[49] = {0};
        char expected[49] = {0};
        for (size_t index = 0; index < size; index++) {
            bytes[index] = (uint8_t)(value >> (index % 8 * 8));
            expected[2 * index] = "0123456789ABCDEF"[bytes[index] >> 4];
            expected[2 * index + 1] = "0123456789ABCDEF"[bytes[index] & 15];
        }
        pos_hex_from_bytes(bytes, size, hex);
        CHECK(memcmp(hex, expected, sizeof hex) == 0);
        value = value * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    }
}

static void test_a_full_writer_drops_and_says_so(void)
{
    uint8_t buffer[4];
    pos_writer writer = pos_writer_over(buffer, sizeof buffer);
    pos_writer_u16_le(&writer, 1);
    pos_writer_put(&writer, "abc", 3);
    CHECK(writer.is_full);
    CHECK(writer.size == 2);
    pos_writer_u8(&writer, 1);
    CHECK(writer.size == 2);
}

static void test_ebcdic_and_hex_go_round(void)
{
    for (unsigned character = 0x20; character <= 0x7E; character++) {
        CHECK(pos_ebcdic_to_ascii(pos_ebcdic_from_ascii((uint8_t)character)) == character);
    }
    uint8_t bytes[256];
    uint8_t again[256];
    char hex[512];
    for (size_t index = 0; index < sizeof bytes; index++) bytes[index] = (uint8_t)index;
    pos_hex_from_bytes(bytes, sizeof bytes, hex);
    CHECK(memcmp(hex, "000102030405060708090A0B0C0D0E0F10", 34) == 0);
    CHECK(pos_hex_to_bytes(hex, again, sizeof again));
    CHECK(memcmp(bytes, again, sizeof bytes) == 0);
    CHECK(!pos_hex_to_bytes("0G", again, 1));
}

/* Blocks of exactly their size, so that the address sanitizer sees a byte too many. */
static void test_a_short_copy_copies_its_bytes_and_no_other(void)
{
    for (size_t size = 1; size <= 80; size++) {
        uint8_t *from = malloc(size);
        uint8_t *to = malloc(size);
        CHECK(from != NULL && to != NULL);
        for (size_t index = 0; index < size; index++) {
            from[index] = (uint8_t)(index + 1);
            to[index] = 0;
        }
        pos_copy_short(to, from, size);
        CHECK(memcmp(to, from, size) == 0);
        free(from);
        free(to);
    }
}

static void test_a_copy_by_lines_copies_its_bytes_and_no_other(void)
{
    for (size_t size = 64; size <= 400; size++) {
        uint8_t *from = malloc(size); /* no room behind: the sanitizer watches */
        uint8_t *to = malloc(size);
        CHECK(from != NULL && to != NULL);
        for (size_t index = 0; index < size; index++) {
            from[index] = (uint8_t)(index % 251 + 1);
            to[index] = 0;
        }
        pos_copy_lines(to, from, size);
        CHECK(memcmp(to, from, size) == 0);
        free(from);
        free(to);
    }
}

int main(void)
{
    test_a_copy_by_lines_copies_its_bytes_and_no_other();
    test_a_short_copy_copies_its_bytes_and_no_other();
    test_crc32c_gives_the_published_values();
    test_crc32c_is_the_bitwise_sum_at_every_size_and_split();
    test_crc32c_is_the_bitwise_sum_on_every_path();
    test_digits_go_round();
    test_digits_and_hex_by_eight_are_those_one_by_one();
    test_a_full_writer_drops_and_says_so();
    test_ebcdic_and_hex_go_round();
    return 0;
}
