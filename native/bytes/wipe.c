/* Wipes and comparisons in constant time; copies and zeroes are in inline.h. Outside of this room
 * nobody calls memcpy's family, so that a search for it finds every place where bytes move. */
#include "bytes/bytes.h"

#include <string.h>

void pos_wipe(void *at, size_t size)
{
    if (size > 0) explicit_bzero(at, size);
}

bool pos_equal_constant_time(const void *left, const void *right, size_t size)
{
    const uint8_t *ours = left;
    const uint8_t *theirs = right;
    uint64_t difference = 0;
    size_t index = 0;
    for (; index + 8 <= size; index += 8) {
        difference |= pos_load_u64_le(ours + index) ^ pos_load_u64_le(theirs + index);
        __asm__("" : "+r"(difference)); /* of unknown value: no step can be left out */
    }
    for (; index < size; index++) {
        difference |= (uint64_t)(ours[index] ^ theirs[index]);
        __asm__("" : "+r"(difference));
    }
    return difference == 0;
}
