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
    const volatile uint8_t *ours = left;
    const volatile uint8_t *theirs = right;
    uint8_t difference = 0;
    for (size_t index = 0; index < size; index++) {
        difference = (uint8_t)(difference | (ours[index] ^ theirs[index]));
    }
    return difference == 0;
}
