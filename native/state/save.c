/*
 * A snapshot is written beside its place and takes it when it is whole:
 *
 *   1. <path>.making    chunks, then chunk table and header     a crash leaves it; the next one is
 *                                                              written over it, nobody reads it
 *   2. fsync            of the file
 *   3. rename           to <path>; a crash before leaves the older snapshot, after it the newer
 *   4. fsync            of the directory
 *
 * The header is written last, so even a file that was renamed by hand too early is none.
 */
#include "state/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "measure/measure.h"

#define BURST (16U * SNAPSHOT_CHUNK) /* what a gentle writer leaves to the disk at once */

/* ---- the form, shared with load.c ---------------------------------------------------------------- */
static uint64_t page_up(uint64_t size)
{
    return (size + 4095) / 4096 * 4096;
}

void snapshot_plan_of(const pos_state *state, snapshot_plan *plan_out)
{
    const snapshot_part parts[SNAPSHOT_PART_COUNT] = {
        {.data = (uint8_t *)state->terminals,
         .size = state->terminal_pool.taken * sizeof(terminal_record)},
        {.data = (uint8_t *)state->postings,
         .size = state->posting_pool.high * sizeof(posting_record)},
        {.data = (uint8_t *)state->repeats,
         .size = state->repeat_pool.high * sizeof(repeat_record)},
        {.data = (uint8_t *)state->marks, .size = state->mark_pool.taken * sizeof(mark_record)},
        {.data = (uint8_t *)state->by_terminal.cells, .size = pos_index_size(&state->by_terminal)},
        {.data = (uint8_t *)state->by_mark.cells, .size = pos_index_size(&state->by_mark)},
        {.data = (uint8_t *)state->by_sequence.cells, .size = pos_index_size(&state->by_sequence)},
        {.data = (uint8_t *)state->by_preauth.cells, .size = pos_index_size(&state->by_preauth)},
        {.data = (uint8_t *)state->by_repeat.cells, .size = pos_index_size(&state->by_repeat)},
    };
    snapshot_plan plan = {.chunks = 0};
    for (size_t index = 0; index < SNAPSHOT_PART_COUNT; index++) {
        plan.parts[index] = parts[index];
        plan.parts[index].chunks =
            (uint32_t)((parts[index].size + SNAPSHOT_CHUNK - 1) / SNAPSHOT_CHUNK);
        plan.chunks += plan.parts[index].chunks;
    }
    plan.table_size = page_up(SNAPSHOT_HEADER + (uint64_t)plan.chunks * 8);
    plan.file_size = plan.table_size;
    for (size_t index = 0; index < SNAPSHOT_PART_COUNT; index++) {
        plan.parts[index].offset = plan.file_size;
        plan.file_size += page_up(plan.parts[index].size);
    }
    *plan_out = plan;
}

uint32_t snapshot_chunk(const snapshot_plan *plan, uint32_t number, uint8_t **data_out,
                        uint64_t *offset_out)
{
    assert(number < plan->chunks);
    const snapshot_part *part = plan->parts;
    for (; number >= part->chunks; part++) number -= part->chunks;
    const uint64_t begin = (uint64_t)number * SNAPSHOT_CHUNK;
    const uint64_t left = part->size - begin;
    *data_out = part->data + begin;
    *offset_out = part->offset + begin;
    return left < SNAPSHOT_CHUNK ? (uint32_t)left : SNAPSHOT_CHUNK;
}

void snapshot_layout(uint8_t header[SNAPSHOT_HEADER])
{
    const uint32_t sizes[6] = {sizeof(terminal_record), sizeof(posting_record),
                               sizeof(repeat_record),   sizeof(mark_record),
                               sizeof(index_cell),      POS_KIND_COUNT};
    pos_copy(header, SNAPSHOT_MAGIC, 8);
    pos_store_u32_le(header + 12, SNAPSHOT_VERSION);
    pos_store_u32_le(header + 16, SNAPSHOT_FOLD_VERSION);
    pos_store_u32_le(header + 20, SNAPSHOT_CHUNK);
    for (size_t index = 0; index < 6; index++) {
        pos_store_u32_le(header + 120 + index * 4, sizes[index]);
    }
    (void)snprintf((char *)header + 232, 16, "%s", pos_version());
}

/* ---- writing ---------------------------------------------------------------------------------------- */
static void header_write(const pos_state *state, const pos_saved *saved, const snapshot_plan *plan,
                         uint8_t *header)
{
    snapshot_layout(header);
    pos_store_u64_le(header + 24, plan->file_size);
    pos_store_u64_le(header + 32, state->sequence);
    pos_store_u64_le(header + 40, saved->first_sequence);
    pos_copy(header + 48, saved->journal_id, sizeof(saved->journal_id));
    pos_copy(header + 64, saved->page_digest, sizeof(saved->page_digest));
    pos_store_u64_le(header + 96, (uint64_t)saved->at_ns);
    pos_store_u64_le(header + 104, (uint64_t)state->repeat_window_ns);
    pos_store_u64_le(header + 112, (uint64_t)state->posting_window_ns);
    const slot_pool *pools[SNAPSHOT_POOL_COUNT] = {&state->terminal_pool, &state->posting_pool,
                                                   &state->repeat_pool, &state->mark_pool};
    for (size_t index = 0; index < SNAPSHOT_POOL_COUNT; index++) {
        uint8_t *at = header + 144 + index * 16;
        pos_store_u32_le(at, pools[index]->max);
        pos_store_u32_le(at + 4, pools[index]->high);
        pos_store_u32_le(at + 8, pools[index]->taken);
        pos_store_u32_le(at + 12, pools[index]->free);
    }
    const pos_index *indexes[SNAPSHOT_INDEX_COUNT] = {&state->by_terminal, &state->by_mark,
                                                      &state->by_sequence, &state->by_preauth,
                                                      &state->by_repeat};
    for (size_t index = 0; index < SNAPSHOT_INDEX_COUNT; index++) {
        pos_store_u32_le(header + 208 + index * 4, indexes[index]->mask);
    }
    pos_store_u32_le(header + 228, state->marks_bare);
    const size_t summed = SNAPSHOT_HEADER + (size_t)plan->chunks * 8;
    pos_store_u32_le(header + 8, pos_crc32c(0, header + 12, summed - 12));
}

static bool put(int file, const uint8_t *data, size_t size, uint64_t offset)
{
    while (size > 0) {
        const ssize_t written = pwrite(file, data, size, (off_t)offset);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        data += written;
        size -= (size_t)written;
        offset += (uint64_t)written;
    }
    return true;
}

static bool is_zero(const uint8_t *data, size_t size)
{
    return data[0] == 0 && (size == 1 || pos_equal(data, data + 1, size - 1));
}

/* Flushes what was written and rests as long as that took: the journal's disk is shared. */
static bool rest(int file)
{
    const int64_t began_ns = pos_clock_monotonic_ns();
    if (fdatasync(file) != 0) return false;
    pos_clock_rest(pos_clock_monotonic_ns() - began_ns);
    return true;
}

static pos_status chunks_write(int file, const snapshot_plan *plan, uint8_t *table, bool is_gentle)
{
    uint64_t since = 0;
    for (uint32_t number = 0; number < plan->chunks; number++) {
        uint8_t *data = NULL;
        uint64_t offset = 0;
        const uint32_t size = snapshot_chunk(plan, number, &data, &offset);
        if (is_zero(data, size)) continue; /* the table's entry stays zero: not written */
        if (!put(file, data, size, offset)) return POS_SYSTEM;
        pos_store_u32_le(table + (size_t)number * 8, pos_crc32c(0, data, size));
        pos_store_u32_le(table + (size_t)number * 8 + 4, 1);
        since += size;
        if (is_gentle && since >= BURST) {
            if (!rest(file)) return POS_SYSTEM;
            since = 0;
        }
    }
    return POS_OK;
}

static pos_status file_write(int file, const pos_state *state, const pos_saved *saved,
                             bool is_gentle)
{
    snapshot_plan plan;
    snapshot_plan_of(state, &plan);
    uint8_t *header = pos_table_create((size_t)plan.table_size);
    if (header == NULL) return POS_MEMORY;
    pos_status status = ftruncate(file, (off_t)plan.file_size) == 0 ? POS_OK : POS_SYSTEM;
    if (status == POS_OK) status = chunks_write(file, &plan, header + SNAPSHOT_HEADER, is_gentle);
    if (status == POS_OK) {
        header_write(state, saved, &plan, header);
        if (!put(file, header, (size_t)plan.table_size, 0)) status = POS_SYSTEM;
    }
    pos_table_destroy(header, (size_t)plan.table_size);
    return status;
}

static bool directory_flush(const char *path)
{
    char directory[SNAPSHOT_PATH_MAX];
    size_t size = 0;
    for (size_t index = 0; path[index] != '\0'; index++) {
        if (path[index] == '/') size = index + 1;
    }
    (void)snprintf(directory, sizeof directory, "%.*s", (int)(size == 0 ? 1 : size),
                   size == 0 ? "." : path);
    const int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return false;
    const bool is_flushed = fsync(file) == 0;
    (void)close(file);
    return is_flushed;
}

pos_status pos_state_save(const pos_state *state, const pos_saved *saved, const char *path,
                          bool is_gentle)
{
    assert(state != NULL && saved != NULL && path != NULL);
    assert(saved->sequence == state->sequence);
    char making[SNAPSHOT_PATH_MAX];
    const int size = snprintf(making, sizeof making, "%s.making", path);
    if (size < 0 || size >= (int)sizeof making) return POS_ARGUMENT;
    const int file = open(making, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return POS_SYSTEM;
    pos_status status = file_write(file, state, saved, is_gentle);
    if (status == POS_OK && fsync(file) != 0) status = POS_SYSTEM;
    (void)close(file);
    if (status == POS_OK && rename(making, path) != 0) status = POS_SYSTEM;
    if (status != POS_OK) {
        (void)unlink(making);
        return status;
    }
    return directory_flush(path) ? POS_OK : POS_SYSTEM;
}
