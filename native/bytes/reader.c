/* Bounded reading: a reader never passes its end, and a refused take takes nothing. */
#include "bytes/bytes.h"

#include <assert.h>

pos_reader pos_reader_over(const uint8_t *data, size_t size)
{
    assert(data != NULL || size == 0);
    return (pos_reader){.data = data, .size = size, .offset = 0};
}

size_t pos_reader_left(const pos_reader *reader)
{
    assert(reader->offset <= reader->size);
    return reader->size - reader->offset;
}

bool pos_reader_take(pos_reader *reader, size_t size, pos_slice *slice_out)
{
    if (pos_reader_left(reader) < size) return false;
    *slice_out = (pos_slice){.data = reader->data + reader->offset, .size = size};
    reader->offset += size;
    return true;
}

bool pos_reader_u8(pos_reader *reader, uint8_t *value_out)
{
    pos_slice slice;
    if (!pos_reader_take(reader, 1, &slice)) return false;
    *value_out = slice.data[0];
    return true;
}

bool pos_reader_u16_le(pos_reader *reader, uint16_t *value_out)
{
    pos_slice slice;
    if (!pos_reader_take(reader, 2, &slice)) return false;
    *value_out = pos_load_u16_le(slice.data);
    return true;
}

bool pos_reader_u32_le(pos_reader *reader, uint32_t *value_out)
{
    pos_slice slice;
    if (!pos_reader_take(reader, 4, &slice)) return false;
    *value_out = pos_load_u32_le(slice.data);
    return true;
}

bool pos_reader_u64_le(pos_reader *reader, uint64_t *value_out)
{
    pos_slice slice;
    if (!pos_reader_take(reader, 8, &slice)) return false;
    *value_out = pos_load_u64_le(slice.data);
    return true;
}
