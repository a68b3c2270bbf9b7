/*
 * A snapshot's way back into memory. Nothing of it is believed before its sums are: first header and
 * chunk table, then every chunk as it comes off the disk, by as many threads as there are processors
 * for it, each reading a chunk into its place and summing it while it is in the cache.
 *
 * What nearly every message touches is copied into large pages of our own. Old postings and the cells that
 * name them are most of a snapshot and seldom touched: they are mapped from the file, privately, so that
 * a start takes no memory for them; what is changed of them is copied then, a page at a time. The file is
 * never written in place: the next snapshot is another file under the same name.
 *
 * A snapshot of larger or smaller tables than now wanted is good as long as its records fit: indexes
 * of another size are made anew from the records.
 */
#include "state/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14; before it pages come as they are touched */
#endif

#define READERS_MAX 4
#define MAPPED_SIZE_MIN 65536U /* smaller parts are not worth a mapping */
#define CHUNKS_MAX (UINT32_C(1) << 20) /* 1 TiB: no such state fits any machine of ours */

static bool take(int file, uint8_t *data, size_t size, uint64_t offset)
{
    while (size > 0) {
        const ssize_t taken = pread(file, data, size, (off_t)offset);
        if (taken < 0 && errno == EINTR) continue;
        if (taken <= 0) return false;
        data += taken;
        size -= (size_t)taken;
        offset += (uint64_t)taken;
    }
    return true;
}

static void header_read(const uint8_t *header, pos_saved *saved_out)
{
    pos_saved saved = {
        .sequence = pos_load_u64_le(header + 32),
        .first_sequence = pos_load_u64_le(header + 40),
        .at_ns = (int64_t)pos_load_u64_le(header + 96),
        .size = pos_load_u64_le(header + 24),
    };
    pos_copy(saved.journal_id, header + 48, sizeof(saved.journal_id));
    pos_copy(saved.page_digest, header + 64, sizeof(saved.page_digest));
    *saved_out = saved;
}

/* Of this build's form, and as long as it says. */
static pos_status header_judge(const uint8_t *header, uint64_t file_size)
{
    uint8_t wanted[SNAPSHOT_HEADER] = {0};
    snapshot_layout(wanted);
    const bool is_ours = pos_equal(header, wanted, 8) && pos_equal(header + 12, wanted + 12, 12)
                         && pos_equal(header + 120, wanted + 120, 24)
                         && pos_equal(header + 232, wanted + 232, 16);
    return is_ours && pos_load_u64_le(header + 24) == file_size ? POS_OK : POS_IMAGE_FORM;
}

static pos_status file_open(const char *path, int *file_out, uint8_t header[SNAPSHOT_HEADER])
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return errno == ENOENT ? POS_ENTRY_ABSENT : POS_SYSTEM;
    struct stat facts;
    pos_status status = fstat(file, &facts) == 0 ? POS_OK : POS_SYSTEM;
    if (status == POS_OK && !take(file, header, SNAPSHOT_HEADER, 0)) status = POS_IMAGE_FORM;
    if (status == POS_OK) status = header_judge(header, (uint64_t)facts.st_size);
    if (status == POS_OK) {
        *file_out = file;
        return POS_OK;
    }
    (void)close(file);
    return status;
}

/* ---- from the header into an empty state -------------------------------------------------------- */
static bool pool_read(const uint8_t *at, slot_pool *pool)
{
    const slot_pool read = {.max = pool->max,
                            .high = pos_load_u32_le(at + 4),
                            .taken = pos_load_u32_le(at + 8),
                            .free = pos_load_u32_le(at + 12)};
    if (read.high > pool->max || read.taken > pool->max) return false;
    if (read.free != SLOT_NONE && read.free >= read.high) return false;
    *pool = read;
    return true;
}

/* IMAGE_LIMIT: taken under other windows, or larger than the tables may now be. */
static pos_status pools_read(pos_state *state, const uint8_t *header)
{
    if ((int64_t)pos_load_u64_le(header + 104) != state->repeat_window_ns
        || (int64_t)pos_load_u64_le(header + 112) != state->posting_window_ns) {
        return POS_IMAGE_LIMIT;
    }
    slot_pool *pools[SNAPSHOT_POOL_COUNT] = {&state->terminal_pool, &state->posting_pool,
                                             &state->repeat_pool, &state->mark_pool};
    for (size_t index = 0; index < SNAPSHOT_POOL_COUNT; index++) {
        if (!pool_read(header + 144 + index * 16, pools[index])) return POS_IMAGE_LIMIT;
    }
    state->sequence = pos_load_u64_le(header + 32);
    state->marks_bare = pos_load_u32_le(header + 228);
    return POS_OK;
}

/* ---- chunks ------------------------------------------------------------------------------------------ */
typedef struct load_work {
    int file;
    const snapshot_plan *plan;
    const uint8_t *table;
    const bool *is_wanted; /* by part */
    bool is_mapped[SNAPSHOT_PART_COUNT];
    atomic_uint next;
    atomic_bool is_bad;
} load_work;

/* Maps the postings and their cells; their chunks are summed where they lie. */
static pos_status parts_map(load_work *work)
{
    static const uint8_t seldom[] = {SNAPSHOT_POSTINGS, SNAPSHOT_BY_SEQUENCE};
    for (size_t index = 0; index < sizeof seldom; index++) {
        const snapshot_part *part = &work->plan->parts[seldom[index]];
        if (!work->is_wanted[seldom[index]] || part->size < MAPPED_SIZE_MIN) continue;
        /* The file is padded to whole pages with zeros, as the memory after the used part is. */
        if (mmap(part->data, (size_t)part->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
                 work->file, (off_t)part->offset)
            == MAP_FAILED) {
            return POS_SYSTEM;
        }
        work->is_mapped[seldom[index]] = true;
    }
    return POS_OK;
}

static size_t part_of(const load_work *work, uint32_t number)
{
    size_t part = 0;
    for (; number >= work->plan->parts[part].chunks; part++) {
        number -= work->plan->parts[part].chunks;
    }
    return part;
}

static bool chunk_read(const load_work *work, uint32_t number, bool is_mapped)
{
    const uint32_t sum = pos_load_u32_le(work->table + (size_t)number * 8);
    const uint32_t kind = pos_load_u32_le(work->table + (size_t)number * 8 + 4);
    if (kind == 0) return sum == 0; /* all zero, as the memory is already */
    uint8_t *data = NULL;
    uint64_t offset = 0;
    const uint32_t size = snapshot_chunk(work->plan, number, &data, &offset);
    if (kind != 1) return false;
    if (is_mapped) {
        (void)madvise(data, size, MADV_POPULATE_READ);
    } else if (!take(work->file, data, size, offset)) {
        return false;
    }
    return pos_crc32c(0, data, size) == sum;
}

static void *read_on(void *context)
{
    load_work *work = context;
    while (!atomic_load(&work->is_bad)) {
        const uint32_t number = atomic_fetch_add(&work->next, 1);
        if (number >= work->plan->chunks) break;
        const size_t part = part_of(work, number);
        if (work->is_wanted[part] && !chunk_read(work, number, work->is_mapped[part])) {
            atomic_store(&work->is_bad, true);
        }
    }
    return NULL;
}

/* This thread and as many more as there are idle processors for; they take no signals. */
static pos_status chunks_read(load_work *work)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t readers[READERS_MAX];
    int count = 0;
    while (count < READERS_MAX - 1 && count + 1 < processors
           && pthread_create(&readers[count], NULL, read_on, work) == 0) {
        count++;
    }
    (void)read_on(work);
    while (count > 0) (void)pthread_join(readers[--count], NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return atomic_load(&work->is_bad) ? POS_IMAGE_FORM : POS_OK;
}

/* ---- indexes of another size ---------------------------------------------------------------------- */
static void index_terminals(pos_state *state)
{
    for (uint32_t slot = 0; slot < state->terminal_pool.taken; slot++) {
        const pos_terminal_state *face = &state->terminals[slot].face;
        pos_index_insert(&state->by_terminal, pos_hash_terminal(face->tid, face->mid), slot);
    }
}

static void index_marks(pos_state *state)
{
    for (uint32_t slot = 0; slot < state->mark_pool.taken; slot++) {
        pos_index_insert(&state->by_mark, pos_hash_mark(state->marks[slot].tid), slot);
    }
}

static void index_sequences(pos_state *state)
{
    for (uint32_t slot = 0; slot < state->posting_pool.high; slot++) {
        const uint64_t sequence = state->postings[slot].face.sequence;
        if (sequence != 0) pos_index_insert(&state->by_sequence, pos_hash_sequence(sequence), slot);
    }
}

static void index_preauths(pos_state *state)
{
    for (uint32_t slot = 0; slot < state->posting_pool.high; slot++) {
        const pos_posting *posting = &state->postings[slot].face;
        if (posting->sequence == 0 || posting->kind != POS_KIND_PREAUTH) continue;
        pos_index_insert(&state->by_preauth, pos_hash_preauth(posting->pan_token, posting->auth),
                         slot);
    }
}

static void index_repeats(pos_state *state)
{
    for (uint32_t slot = 0; slot < state->repeat_pool.high; slot++) {
        const repeat_record *record = &state->repeats[slot];
        if (record->face.sequence == 0) continue;
        pos_index_insert(&state->by_repeat,
                         pos_hash_repeat(record->terminal, record->face.batch, record->face.stan,
                                         record->face.message_class),
                         slot);
    }
}

/* ---- the whole ------------------------------------------------------------------------------------------ */
static const size_t first_index = SNAPSHOT_PART_COUNT - SNAPSHOT_INDEX_COUNT;

/* Header and chunk table with their sum; the parts as the snapshot's masks have them. */
static pos_status table_read(int file, const uint8_t *header, const snapshot_plan *plan,
                             uint8_t **table_out)
{
    if (plan->chunks > CHUNKS_MAX || plan->file_size != pos_load_u64_le(header + 24)) {
        return POS_IMAGE_FORM;
    }
    uint8_t *table = pos_table_create((size_t)plan->table_size);
    if (table == NULL) return POS_MEMORY;
    const size_t summed = SNAPSHOT_HEADER + (size_t)plan->chunks * 8;
    const bool is_whole = take(file, table, (size_t)plan->table_size, 0)
                          && pos_crc32c(0, table + 12, summed - 12) == pos_load_u32_le(table + 8)
                          && pos_equal(table, header, SNAPSHOT_HEADER);
    if (!is_whole) {
        pos_table_destroy(table, (size_t)plan->table_size);
        return POS_IMAGE_FORM;
    }
    *table_out = table;
    return POS_OK;
}

static pos_status fill(pos_state *state, int file, const uint8_t *header)
{
    static void (*const index_again[SNAPSHOT_INDEX_COUNT])(pos_state *) = {
        index_terminals, index_marks, index_sequences, index_preauths, index_repeats};
    pos_index *indexes[SNAPSHOT_INDEX_COUNT] = {&state->by_terminal, &state->by_mark,
                                                &state->by_sequence, &state->by_preauth,
                                                &state->by_repeat};
    bool is_wanted[SNAPSHOT_PART_COUNT] = {true, true, true, true};
    uint32_t masks[SNAPSHOT_INDEX_COUNT];
    /* The plan is by the file's masks; where ours are others, its cells are passed over. */
    for (size_t index = 0; index < SNAPSHOT_INDEX_COUNT; index++) {
        masks[index] = indexes[index]->mask;
        indexes[index]->mask = pos_load_u32_le(header + 208 + index * 4);
        is_wanted[first_index + index] = indexes[index]->mask == masks[index];
    }
    snapshot_plan plan;
    snapshot_plan_of(state, &plan);
    for (size_t index = 0; index < SNAPSHOT_INDEX_COUNT; index++) {
        indexes[index]->mask = masks[index];
    }
    uint8_t *table = NULL;
    pos_status status = table_read(file, header, &plan, &table);
    if (status != POS_OK) return status;
    load_work work = {.file = file,
                      .plan = &plan,
                      .table = table + SNAPSHOT_HEADER,
                      .is_wanted = is_wanted};
    status = parts_map(&work);
    if (status == POS_OK) status = chunks_read(&work);
    pos_table_destroy(table, (size_t)plan.table_size);
    for (size_t index = 0; status == POS_OK && index < SNAPSHOT_INDEX_COUNT; index++) {
        if (!is_wanted[first_index + index]) index_again[index](state);
    }
    return status;
}

pos_status pos_state_load(const pos_state_options *options, const char *path,
                          const pos_saved *expected, pos_state **state_out)
{
    assert(path != NULL && expected != NULL);
    assert(state_out != NULL);
    uint8_t header[SNAPSHOT_HEADER];
    int file = -1;
    pos_status status = file_open(path, &file, header);
    if (status != POS_OK) return status;
    pos_saved saved;
    header_read(header, &saved);
    pos_state *state = NULL;
    const bool is_same = saved.sequence == expected->sequence
                         && pos_equal(saved.page_digest, expected->page_digest, 32);
    status = is_same ? pos_state_create(options, &state) : POS_IMAGE_FORM;
    if (status == POS_OK) status = pools_read(state, header);
    if (status == POS_OK) status = fill(state, file, header);
    (void)close(file);
    if (status == POS_OK) {
        *state_out = state;
        return POS_OK;
    }
    pos_state_destroy(state);
    return status;
}

pos_status pos_state_saved_read(const char *path, pos_saved *saved_out)
{
    assert(path != NULL);
    assert(saved_out != NULL);
    uint8_t header[SNAPSHOT_HEADER];
    int file = -1;
    const pos_status status = file_open(path, &file, header);
    if (status != POS_OK) return status;
    header_read(header, saved_out);
    (void)close(file);
    return POS_OK;
}
