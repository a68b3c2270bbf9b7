/*
 * Index: open addressing, linear probing, deletion by shifting back (so no tombstones, and the
 * table after a deletion is the table without it).
 *
 *   cell    0    1    2    3    4    5
 *        [    |h=1 |h=1 |h=2 |    |    ]     home of h is h & mask; a run has no holes
 *
 * The index compares hashes; the caller compares keys. At most half of the cells are taken, so a
 * probe ends. Hashes of keys that come one after the other lie side by side, eight to a cache line
 * (find.c), so that a terminal's next key is where its last one was.
 */
#include "state/tables.h"

#include <assert.h>

bool pos_index_create(pos_index *index, uint32_t slots_max)
{
    assert(index != NULL);
    assert(slots_max > 0 && slots_max <= UINT32_C(1) << 29);
    uint32_t cells = 16;
    while (cells < 2 * slots_max) cells *= 2;
    void *memory = pos_table_create((size_t)cells * sizeof(index_cell));
    if (memory == NULL) return false;
    *index = (pos_index){.cells = memory, .mask = cells - 1};
    return true;
}

void pos_index_destroy(pos_index *index)
{
    pos_table_destroy(index->cells, pos_index_size(index));
    *index = (pos_index){0};
}

size_t pos_index_size(const pos_index *index)
{
    return index->cells == NULL ? 0 : ((size_t)index->mask + 1) * sizeof(index_cell);
}

void pos_index_insert(pos_index *index, uint32_t hash, uint32_t slot)
{
    assert(slot != SLOT_NONE);
    uint32_t at = hash & index->mask;
    while (index->cells[at].slot_after != 0) at = (at + 1) & index->mask;
    index->cells[at] = (index_cell){.hash = hash, .slot_after = slot + 1};
}

void pos_index_remove(pos_index *index, uint32_t hash, uint32_t slot)
{
    uint32_t hole = hash & index->mask;
    while (index->cells[hole].slot_after != slot + 1) {
        assert(index->cells[hole].slot_after != 0); /* only what was inserted is removed */
        hole = (hole + 1) & index->mask;
    }
    /* Shift back every cell of the run that may lie in the hole: one whose home is not after it. */
    for (uint32_t at = (hole + 1) & index->mask; index->cells[at].slot_after != 0;
         at = (at + 1) & index->mask) {
        const uint32_t from_home = (at - (index->cells[at].hash & index->mask)) & index->mask;
        const uint32_t from_hole = (at - hole) & index->mask;
        if (from_home < from_hole) continue;
        index->cells[hole] = index->cells[at];
        hole = at;
    }
    index->cells[hole] = (index_cell){0};
}
