/* Images made by hand, as posengine.roster makes them: for the C tests. */
#ifndef POS_TESTS_IMAGES_H
#define POS_TESTS_IMAGES_H

#include "roster/roster.h"

#define IMAGE_HEADER_SIZE 64

/* Fills the header of an image whose settings and records are already in place. */
static inline void image_seal(uint8_t *image, const char *magic, uint32_t settings_size,
                              uint32_t record_size, uint32_t count)
{
    const size_t size = IMAGE_HEADER_SIZE + settings_size + (size_t)record_size * count;
    uint8_t digest[32];
    memset(image, 0, IMAGE_HEADER_SIZE);
    memcpy(image, magic, 8);
    pos_store_u16_le(image + 8, 1);
    pos_store_u16_le(image + 10, IMAGE_HEADER_SIZE);
    pos_store_u32_le(image + 12, record_size);
    pos_store_u32_le(image + 16, count);
    pos_store_u32_le(image + 20, settings_size);
    pos_store_u64_le(image + 24, size);
    pos_sha256(image + IMAGE_HEADER_SIZE, size - IMAGE_HEADER_SIZE, digest);
    memcpy(image + 32, digest, 16);
    uint32_t crc = pos_crc32c(0, image, 48);
    crc = pos_crc32c(crc, image + IMAGE_HEADER_SIZE, size - IMAGE_HEADER_SIZE);
    pos_store_u32_le(image + 48, crc);
}

#endif
