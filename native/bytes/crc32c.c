/*
 * CRC-32C (Castagnoli, polynomial 1EDC6F41, reflected 82F63B78). Source: RFC 3720, 12.1 and B.4.
 *
 * crc32c_sse42.c has the fast way, by the processor's own instruction; the bitwise way below is
 * its oracle and serves processors without it.
 */
#include "bytes/bytes.h"

#define CRC32C_POLYNOMIAL 0x82F63B78U

uint32_t pos_crc32c_sse42(uint32_t crc, const uint8_t *data, size_t size);

uint32_t pos_crc32c_slow(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    crc = ~crc;
    for (size_t index = 0; index < size; index++) {
        crc ^= bytes[index];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (CRC32C_POLYNOMIAL & (0U - (crc & 1U)));
        }
    }
    return ~crc;
}

uint32_t pos_crc32c(uint32_t crc, const void *data, size_t size)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return pos_crc32c_sse42(crc, data, size);
#endif
    return pos_crc32c_slow(crc, data, size);
}
