/* CRC-32C by each path of the processor. */
#ifndef POS_BYTES_CRC32C_H
#define POS_BYTES_CRC32C_H

#include "bytes/bytes.h"
#include "measure/measure.h"

/* The machine must have the path. */
uint32_t pos_crc32c_on(pos_cpu_path path, uint32_t crc, const void *data, size_t size);

/* Below, three streams are as quick. */
#define POS_CRC32C_FOLDED_MIN 512

uint32_t pos_crc32c_sse42(uint32_t crc, const uint8_t *data, size_t size);
uint32_t pos_crc32c_avx512(uint32_t crc, const uint8_t *data, size_t size);

#endif
