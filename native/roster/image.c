/*
 * Images: what Python compiled from an operator's files and the engine loads whole or not at all.
 * Rosters and policies open alike. All numbers little-endian.
 *
 *   offset  size
 *    0       8    magic                             checked by value
 *    8       2    version                           checked by value
 *   10       2    64, the size of this header       checked by value
 *   12       4    size of one record                checked by value
 *   16       4    count of records
 *   20       4    size of the settings between the header and the records
 *   24       8    size of the whole image           64 + settings + count × record
 *   32      16    digest: first half of SHA-256 of everything from offset 64 on
 *   48       4    CRC-32C of offsets 0 to 47 and of everything from offset 64 on
 *   52      12    zero
 *   64            settings, then records
 *
 * The CRC finds damage, the digest names the snapshot in the journal; both are recomputed here.
 */
#include "roster/roster.h"

#include <assert.h>

#define HEADER_SIZE 64U

static bool header_is_whole(const uint8_t *image, size_t size, const pos_image *image_out)
{
    const uint64_t wanted = HEADER_SIZE + (uint64_t)image_out->settings.size
                            + (uint64_t)image_out->count * image_out->record_size;
    if (pos_load_u16_le(image + 10) != HEADER_SIZE || pos_load_u64_le(image + 24) != size
        || wanted != size) {
        return false;
    }
    for (size_t offset = 52; offset < HEADER_SIZE; offset++) {
        if (image[offset] != 0) return false;
    }
    uint32_t crc = pos_crc32c(0, image, 48);
    crc = pos_crc32c(crc, image + HEADER_SIZE, size - HEADER_SIZE);
    uint8_t digest[32];
    pos_sha256(image + HEADER_SIZE, size - HEADER_SIZE, digest);
    return crc == pos_load_u32_le(image + 48) && pos_equal(digest, image + 32, 16);
}

pos_status pos_image_open(const uint8_t *image, size_t size, const pos_image_form *form,
                          pos_image *image_out)
{
    assert(form != NULL);
    assert(image_out != NULL);
    if (image == NULL || size < HEADER_SIZE || !pos_equal(image, form->magic, 8)
        || pos_load_u16_le(image + 8) != form->version) {
        return POS_IMAGE_FORM;
    }
    pos_image opened = {
        .record_size = pos_load_u32_le(image + 12),
        .count = pos_load_u32_le(image + 16),
        .settings = {.data = image + HEADER_SIZE, .size = pos_load_u32_le(image + 20)},
    };
    if (opened.record_size != form->record_size || opened.settings.size != form->settings_size) {
        return POS_IMAGE_FORM;
    }
    if (opened.count > form->count_max) return POS_IMAGE_LIMIT;
    if (!header_is_whole(image, size, &opened)) return POS_IMAGE_FORM;
    opened.records = image + HEADER_SIZE + opened.settings.size;
    pos_copy(opened.digest, image + 32, sizeof(opened.digest));
    *image_out = opened;
    return POS_OK;
}
