/*
 * Where the tables lie: mapped whole at creation, taken as they fill, in pages of 2 MiB where the
 * kernel has them. A table is as large as its limit, so most of a small fleet's is never touched;
 * what is looked up without order would otherwise miss the processor's address cache each time.
 */
#include "state/tables.h"

#include <assert.h>
#include <sys/mman.h>

#define LARGE_PAGE (UINT64_C(2) << 20)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; before it the call fails and does no harm */
#endif

void *pos_table_create(size_t size)
{
    assert(size > 0);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    if (size >= LARGE_PAGE) (void)madvise(memory, size, MADV_HUGEPAGE);
    return memory;
}

void pos_table_destroy(void *table, size_t size)
{
    if (table != NULL) (void)munmap(table, size);
}

void pos_table_touch(void *table, size_t size)
{
    if (size > 0) (void)madvise(table, size, MADV_POPULATE_WRITE);
}
