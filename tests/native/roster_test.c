/*
 * Goal: a roster is loaded whole or not at all, and a master key opens for its terminal alone.
 * Method: images made here; every prefix and every changed byte must be refused; a sealed key that
 * is moved to another terminal, or has another check value, must be too.
 */
#include "check.h"
#include "images.h"

#define RECORD 160
#define MANY 3000

static const uint8_t SIV[64] = {1, 2, 3, 4, 5, 6, 7, 8};

static void terminal_write(uint8_t *record, const char *tid, const char *mid, uint8_t first)
{
    uint8_t plain[17] = {0};
    memset(record, 0, RECORD);
    memcpy(record, tid, 8);
    memcpy(record + 8, mid, 15);
    record[23] = POS_TERMINAL_ACTIVE;
    pos_store_u64_le(record + 24, UINT64_C(1) << POS_KIND_SALE);
    pos_store_u16_le(record + 40, 156);
    for (int index = 1; index < 17; index++) plain[index] = (uint8_t)(first + 7 * index);
    const pos_slice names = {record, 23};
    const pos_slice key = {plain, sizeof(plain)};
    pos_siv_seal(SIV, names, key, record + 94);
    record[93] = 33;
    CHECK(pos_key_check_value(POS_CIPHER_DES, plain + 1, 16, record + 88) == POS_OK);
}

static void seal(uint8_t *image, uint32_t count)
{
    image_seal(image, "POSROSTR", 0, RECORD, count);
}

static pos_status opened(const uint8_t *image, uint32_t count)
{
    pos_roster *roster = NULL;
    const pos_status status =
        pos_roster_open(image, IMAGE_HEADER_SIZE + (size_t)RECORD * count, SIV, &roster);
    CHECK((status == POS_OK) == (roster != NULL)); /* a failed out parameter is untouched */
    pos_roster_close(roster);
    return status;
}

static void every_terminal_is_found_by_its_name_and_no_other(void)
{
    static uint8_t image[IMAGE_HEADER_SIZE + RECORD * MANY];
    char tid[16];
    for (int index = 0; index < MANY; index++) {
        snprintf(tid, sizeof(tid), "%08d", index * 3);
        terminal_write(image + IMAGE_HEADER_SIZE + RECORD * index, tid, "104110045110012",
                       (uint8_t)index);
    }
    seal(image, MANY);
    pos_roster *roster = NULL;
    CHECK(pos_roster_open(image, sizeof(image), SIV, &roster) == POS_OK);
    CHECK(pos_roster_count(roster) == MANY);
    CHECK(pos_roster_at(roster, MANY) == NULL);
    for (int index = 0; index < 3 * MANY; index++) {
        snprintf(tid, sizeof(tid), "%08d", index);
        const pos_terminal *terminal = pos_roster_find(roster, tid);
        CHECK((terminal != NULL) == (index % 3 == 0));
        if (terminal == NULL) continue;
        CHECK(terminal == pos_roster_at(roster, (size_t)index / 3));
        CHECK(memcmp(terminal->tid, tid, 8) == 0);
        CHECK(terminal->tmk.size == 16 && terminal->tmk.usage == POS_KEY_TMK);
        CHECK(terminal->tmk.bytes[0] == (uint8_t)(index / 3 + 7));
        CHECK(terminal->currency == 156);
    }
    uint8_t digest[16];
    pos_roster_digest(roster, digest);
    CHECK(memcmp(digest, image + 32, 16) == 0);
    pos_roster_close(roster);
}

static void prefixes_and_changed_bytes_are_refused(void)
{
    uint8_t image[IMAGE_HEADER_SIZE + RECORD * 2];
    pos_roster *roster = NULL;
    terminal_write(image + IMAGE_HEADER_SIZE, "00000001", "104110045110012", 1);
    terminal_write(image + IMAGE_HEADER_SIZE + RECORD, "00000002", "104110045110012", 2);
    seal(image, 2);
    CHECK(opened(image, 2) == POS_OK);
    for (size_t size = 0; size < sizeof(image); size++) {
        uint8_t *exact = malloc(size + 1); /* past its end the sanitizer looks */
        memcpy(exact, image, size);
        CHECK(pos_roster_open(exact, size, SIV, &roster) != POS_OK);
        free(exact);
    }
    for (size_t offset = 0; offset < sizeof(image); offset++) {
        for (int bit = 0; bit < 8; bit++) {
            image[offset] ^= (uint8_t)(1 << bit);
            CHECK(opened(image, 2) != POS_OK);
            image[offset] ^= (uint8_t)(1 << bit);
        }
    }
    CHECK(opened(image, 2) == POS_OK);
}

static void twice_or_out_of_order_is_refused(void)
{
    uint8_t image[IMAGE_HEADER_SIZE + RECORD * 2];
    uint8_t *second = image + IMAGE_HEADER_SIZE + RECORD;
    terminal_write(image + IMAGE_HEADER_SIZE, "00000002", "104110045110012", 1);
    terminal_write(second, "00000002", "104110045110099", 2);
    seal(image, 2);
    CHECK(opened(image, 2) == POS_IMAGE_FORM);
    terminal_write(second, "00000001", "104110045110012", 2);
    seal(image, 2);
    CHECK(opened(image, 2) == POS_IMAGE_FORM);
}

static void a_key_opens_for_its_terminal_alone(void)
{
    uint8_t image[IMAGE_HEADER_SIZE + RECORD];
    uint8_t *record = image + IMAGE_HEADER_SIZE;
    terminal_write(record, "00000001", "104110045110012", 1);
    record[7] = '2'; /* another TID, the same sealed key */
    seal(image, 1);
    CHECK(opened(image, 1) == POS_KEY_SEAL);
    terminal_write(record, "00000001", "104110045110012", 1);
    record[22] = '3'; /* another MID */
    seal(image, 1);
    CHECK(opened(image, 1) == POS_KEY_SEAL);
    terminal_write(record, "00000001", "104110045110012", 1);
    record[88] ^= 1; /* another check value */
    seal(image, 1);
    CHECK(opened(image, 1) == POS_KEY_CHECK);
    terminal_write(record, "00000001", "104110045110012", 1);
    record[93] = 0; /* no key at all is allowed: it cannot sign on */
    seal(image, 1);
    CHECK(opened(image, 1) == POS_OK);
}

static void values_outside_of_their_range_are_refused(void)
{
    static const struct {
        size_t offset;
        uint8_t value;
    } bad[] = {{0, 0x1f}, {0, ' '}, {8, ' '}, {23, 0x10}, {31, 0x80}, {39, 0x80},
               {92, 200}, {93, 64},  {158, 1}, {159, 1}};
    uint8_t image[IMAGE_HEADER_SIZE + RECORD];
    for (size_t index = 0; index < sizeof(bad) / sizeof(bad[0]); index++) {
        terminal_write(image + IMAGE_HEADER_SIZE, "00000001", "104110045110012", 1);
        image[IMAGE_HEADER_SIZE + bad[index].offset] = bad[index].value;
        seal(image, 1);
        CHECK(opened(image, 1) != POS_OK);
    }
}

int main(void)
{
    every_terminal_is_found_by_its_name_and_no_other();
    prefixes_and_changed_bytes_are_refused();
    twice_or_out_of_order_is_refused();
    a_key_opens_for_its_terminal_alone();
    values_outside_of_their_range_are_refused();
    return 0;
}
