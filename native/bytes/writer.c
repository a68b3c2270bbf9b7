/* Bounded writing: what does not fit is dropped and remembered, so one check at the end serves. */
#include "bytes/bytes.h"

#include <assert.h>
#include <string.h>

pos_writer pos_writer_over(uint8_t *data, size_t capacity)
{
    assert(data != NULL || capacity == 0);
    return (pos_writer){.data = data, .capacity = capacity, .size = 0, .is_full = false};
}

static uint8_t *room_for(pos_writer *writer, size_t size)
{
    assert(writer->size <= writer->capacity);
    if (writer->is_full || writer->capacity - writer->size < size) {
        writer->is_full = true;
        return NULL;
    }
    uint8_t *at = writer->data + writer->size;
    writer->size += size;
    return at;
}

void pos_writer_put(pos_writer *writer, const void *from, size_t size)
{
    if (size == 0) return;
    uint8_t *at = room_for(writer, size);
    if (at != NULL) memcpy(at, from, size);
}

void pos_writer_fill(pos_writer *writer, uint8_t byte, size_t count)
{
    if (count == 0) return;
    uint8_t *at = room_for(writer, count);
    if (at != NULL) memset(at, byte, count);
}

void pos_writer_u8(pos_writer *writer, uint8_t value)
{
    uint8_t *at = room_for(writer, 1);
    if (at != NULL) *at = value;
}

void pos_writer_u16_le(pos_writer *writer, uint16_t value)
{
    uint8_t *at = room_for(writer, 2);
    if (at != NULL) pos_store_u16_le(at, value);
}

void pos_writer_u32_le(pos_writer *writer, uint32_t value)
{
    uint8_t *at = room_for(writer, 4);
    if (at != NULL) pos_store_u32_le(at, value);
}

void pos_writer_u64_le(pos_writer *writer, uint64_t value)
{
    uint8_t *at = room_for(writer, 8);
    if (at != NULL) pos_store_u64_le(at, value);
}

void pos_writer_u16_be(pos_writer *writer, uint16_t value)
{
    uint8_t *at = room_for(writer, 2);
    if (at != NULL) pos_store_u16_be(at, value);
}
