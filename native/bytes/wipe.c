/* Copies, zeroes, wipes and comparisons: the only callers of memcpy's family outside this room
 * are none, so that a search for it finds every place where bytes move. */
#include "bytes/bytes.h"

#include <assert.h>
#include <string.h>

void pos_copy(void *to, const void *from, size_t size)
{
    assert(size == 0 || (to != NULL && from != NULL));
    if (size > 0) memcpy(to, from, size);
}

void pos_zero(void *at, size_t size)
{
    if (size > 0) memset(at, 0, size);
}

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

bool pos_equal(const void *left, const void *right, size_t size)
{
    return size == 0 || memcmp(left, right, size) == 0;
}
