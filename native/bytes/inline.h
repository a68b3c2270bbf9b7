/*
 * Numbers in memory, copies, zeroes, comparisons: unaligned, in an order that the name says. They are
 * here and not behind a call because a message needs hundreds of them, of a few bytes each: the size
 * is known where they are called, and the compiler makes a move of each. bytes/bytes.h includes this;
 * nobody else does.
 */
#ifndef POS_BYTES_INLINE_H
#define POS_BYTES_INLINE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Little-endian machines only: the journal's columns are read in place. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "posengine needs a little-endian machine");

/* ---- numbers --------------------------------------------------------------------------------- */
static inline uint16_t pos_load_u16_le(const uint8_t *from)
{
    uint16_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline uint32_t pos_load_u32_le(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline uint64_t pos_load_u64_le(const uint8_t *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline uint16_t pos_load_u16_be(const uint8_t *from)
{
    return __builtin_bswap16(pos_load_u16_le(from));
}

static inline uint32_t pos_load_u32_be(const uint8_t *from)
{
    return __builtin_bswap32(pos_load_u32_le(from));
}

static inline uint64_t pos_load_u64_be(const uint8_t *from)
{
    return __builtin_bswap64(pos_load_u64_le(from));
}

static inline void pos_store_u16_le(uint8_t *to, uint16_t value)
{
    memcpy(to, &value, sizeof value);
}

static inline void pos_store_u32_le(uint8_t *to, uint32_t value)
{
    memcpy(to, &value, sizeof value);
}

static inline void pos_store_u64_le(uint8_t *to, uint64_t value)
{
    memcpy(to, &value, sizeof value);
}

static inline void pos_store_u16_be(uint8_t *to, uint16_t value)
{
    pos_store_u16_le(to, __builtin_bswap16(value));
}

static inline void pos_store_u32_be(uint8_t *to, uint32_t value)
{
    pos_store_u32_le(to, __builtin_bswap32(value));
}

static inline void pos_store_u64_be(uint8_t *to, uint64_t value)
{
    pos_store_u64_le(to, __builtin_bswap64(value));
}

/* ---- copies, zeroes, comparisons ------------------------------------------------------------- */
static inline void pos_copy(void *to, const void *from, size_t size)
{
    assert(size == 0 || (to != NULL && from != NULL));
    if (size > 0) memcpy(to, from, size);
}

static inline void pos_zero(void *at, size_t size)
{
    if (size > 0) memset(at, 0, size);
}

/* Thirty-two bytes by moves of a known size, however few of them are wanted: read and written whole. */
static inline void pos_copy_32(uint8_t *to, const uint8_t *from)
{
    memcpy(to, from, 32);
}

/* Where the size is known at run time only and is mostly 64 or less: two words that may overlap instead
 * of a call. No byte beyond `size` is read or written; the two do not overlap. */
static inline void pos_copy_short(uint8_t *to, const uint8_t *from, size_t size)
{
    if (size > 64) {
        memcpy(to, from, size);
    } else if (size > 32) {
        pos_copy_32(to, from);
        pos_copy_32(to + size - 32, from + size - 32);
    } else if (size > 16) {
        uint64_t words[4];
        memcpy(words, from, 16);
        memcpy(words + 2, from + size - 16, 16);
        memcpy(to, words, 16);
        memcpy(to + size - 16, words + 2, 16);
    } else if (size >= 8) {
        const uint64_t tail = pos_load_u64_le(from + size - 8);
        pos_store_u64_le(to, pos_load_u64_le(from));
        pos_store_u64_le(to + size - 8, tail);
    } else if (size >= 4) {
        const uint32_t tail = pos_load_u32_le(from + size - 4);
        pos_store_u32_le(to, pos_load_u32_le(from));
        pos_store_u32_le(to + size - 4, tail);
    } else if (size > 0) {
        const uint8_t middle = from[size / 2];
        const uint8_t tail = from[size - 1];
        to[0] = from[0];
        to[size / 2] = middle;
        to[size - 1] = tail;
    }
}

/* Where the size is known at run time only and is 64 or more: moves of 64 bytes, the last of which may
 * overlap the one before. No byte beyond `size` is read or written. */
static inline void pos_copy_lines(void *to, const void *from, size_t size)
{
    assert(to != NULL && from != NULL);
    assert(size >= 64);
    uint8_t *target = to;
    const uint8_t *source = from;
    for (size_t at = 0; at + 64 <= size; at += 64) memcpy(target + at, source + at, 64);
    if (size % 64 != 0) memcpy(target + size - 64, source + size - 64, 64);
}

static inline bool pos_equal(const void *left, const void *right, size_t size)
{
    return size == 0 || memcmp(left, right, size) == 0;
}

#endif
