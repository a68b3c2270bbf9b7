/* Chance, for keys and identities: the kernel's, and never anything less. */
#include "bytes/bytes.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

pos_status pos_random_fill(void *at, size_t size)
{
    assert(at != NULL || size == 0);
    uint8_t *to = at;
    size_t filled = 0;
    while (filled < size) {
        const ssize_t some = getrandom(to + filled, size - filled, 0);
        if (some < 0 && errno == EINTR) continue;
        if (some <= 0) return POS_SYSTEM;
        filled += (size_t)some;
    }
    return POS_OK;
}
