/* CRC-32C by the processor's instruction, eight bytes a step. Oracle: pos_crc32c_slow. */
#include "bytes/bytes.h"

#if defined(__SSE4_2__)
#include <nmmintrin.h>

uint32_t pos_crc32c_sse42(uint32_t crc, const uint8_t *data, size_t size);

uint32_t pos_crc32c_sse42(uint32_t crc, const uint8_t *data, size_t size)
{
    uint64_t sum = ~crc;
    size_t index = 0;
    for (; index + 8 <= size; index += 8) sum = _mm_crc32_u64(sum, pos_load_u64_le(data + index));
    uint32_t rest = (uint32_t)sum;
    for (; index < size; index++) rest = _mm_crc32_u8(rest, data[index]);
    return ~rest;
}
#endif
