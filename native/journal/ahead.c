/*
 * The next volume, there before it is needed, and without its making being felt.
 *
 *   open volume   ▓▓▓▓▓▓▓▓▓░░░░░░░   the writer's commits
 *   next volume   000000000000····   zeros, 1.25 times as many bytes as the writer writes: whole when
 *                                    the open one is at four fifths; after a restart in the middle of a
 *                                    volume as much faster as the room that is left demands
 *
 * The zeros are written by a thread of their own, a chunk at a time, as many as the writer's own
 * progress allows: unpaced they take four fifths of the disk from the commits (measured). The thread
 * also looks at the clock: a business date begins a volume, so that one is made in the hour before.
 *
 * Behind the writer the same thread lets go of page cache: what it keeps is the newest quarter of a volume,
 * 256 MiB at most. A journal at full speed fills a machine's memory in a minute otherwise, and memory that the
 * host of a virtual machine has yet to give costs a commit five times the copying (measured: half of all
 * sales a second). Who reads what is older reads it from the disk.
 *
 * What waits for a volume, and how long: nobody, where the disk can write 2.25 times what the journal
 * does. Where it cannot, the writer waits at the turn; where no volume can be made, admission stops
 * (law 1). Small volumes are made by the writer itself between two commits.
 */
#include "journal/parts.h"

#include <assert.h>
#include <fcntl.h>

#include "measure/measure.h"

#define CHUNK_SIZE (256U * 1024U)
#define SMALL_PACE 3U /* small volumes: begun at half, whole at two thirds */
#define CACHED_BYTES_MAX (256U * 1024U * 1024U)
#define CACHED_PARTS 4U /* of a volume */
#define LET_GO_BYTES (1024U * 1024U) /* at once */
#define CUTOVER_AHEAD_NS 3600000000000
#define WATCH_NS 30000000000     /* how often the thread looks at the clock */
#define CUTOVER_PAUSE_NS 4000000 /* before each chunk for a new date: 64 MB/s */

static bool may_prepare(const pos_journal *journal)
{
    const uint32_t made = atomic_load(&journal->volume_count);
    const uint32_t limit = journal->options.volumes_max;
    if (made + 1 >= POS_VOLUMES_MAX) return false;
    return limit == 0 || made < limit;
}

static bool is_cutover_near(const pos_journal *journal)
{
    const int64_t now_ns = pos_clock_utc_ns();
    const int32_t zone = journal->options.zone_offset_minute;
    const uint32_t cutover = journal->options.cutover_minute;
    return journal->date_volume != 0
           && pos_business_date_end_ns(now_ns, zone, cutover) - now_ns < CUTOVER_AHEAD_NS;
}

/* Room for few pages of the largest size: below that, admission may come to a stop. */
static bool is_nearly_full(const pos_journal *journal)
{
    const uint64_t page = journal->options.page_size_max / POS_LMDB_PAGE + POS_COMMIT_PAGES_MAX;
    return atomic_load(&journal->free_pages) < (POS_BUFFERS + 1) * page;
}

/* Goes on making the next volume by about `bytes`. Failing is no harm yet: the open volume still has
 * room, admission stops when it has none, and the next call tries again. */
static pos_status step(pos_journal *journal, uint64_t bytes)
{
    pos_ahead *ahead = &journal->ahead;
    if (atomic_load(&journal->is_next_ready)) return POS_OK;
    if (!may_prepare(journal)) return POS_JOURNAL_FULL;
    const uint32_t number = journal->lowest + atomic_load(&journal->volume_count);
    bool is_ready = false;
    const pos_status status =
        pos_prepare_step(&ahead->prepare, journal->path, number, bytes, &is_ready);
    const bool is_begun = ahead->prepare.file >= 0;
    atomic_store(&ahead->left, ahead->prepare.size - (is_begun ? ahead->prepare.offset : 0));
    if (is_ready) atomic_store_explicit(&journal->is_next_ready, true, memory_order_release);
    return status;
}

/* ---- page cache behind the writer ---------------------------------------------------------------- */
static uint64_t used_bytes(const pos_journal *journal)
{
    return journal->meta.volume_size - atomic_load(&journal->free_pages) * POS_LMDB_PAGE;
}

/* How far the writer is ahead of what was let go last. */
static uint64_t cached_bytes(const pos_journal *journal, uint32_t open)
{
    const pos_ahead *ahead = &journal->ahead;
    const uint64_t volumes = (uint64_t)(open - ahead->cached_index) * journal->meta.volume_size;
    const uint64_t head = volumes + used_bytes(journal);
    return head > ahead->cached_from ? head - ahead->cached_from : 0;
}

static void let_go(pos_journal *journal)
{
    pos_ahead *ahead = &journal->ahead;
    const uint32_t open = atomic_load_explicit(&journal->volume_count, memory_order_acquire) - 1;
    const uint64_t part = journal->meta.volume_size / CACHED_PARTS;
    const uint64_t kept = part < CACHED_BYTES_MAX ? part : CACHED_BYTES_MAX;
    while (cached_bytes(journal, open) > kept + LET_GO_BYTES) {
        int file = -1;
        const pos_volume *volume = journal->volumes[ahead->cached_index];
        if (mdb_env_get_fd(volume->env, &file) == 0) {
            (void)posix_fadvise(file, (off_t)ahead->cached_from, LET_GO_BYTES, POSIX_FADV_DONTNEED);
        }
        ahead->cached_from += LET_GO_BYTES;
        if (ahead->cached_from < journal->meta.volume_size || ahead->cached_index == open) continue;
        ahead->cached_index++;
        ahead->cached_from = 0;
    }
}

/* ---- the thread ---------------------------------------------------------------------------------- */
/* Until a chunk is owed or wanted, or the clock demands one, or there is cache to be let go; false at the
 * end. */
static bool wait_for_work(pos_journal *journal)
{
    pos_ahead *ahead = &journal->ahead;
    bool is_due = false; /* the pause before a chunk that only the clock demands is over */
    (void)pthread_mutex_lock(&ahead->mutex);
    while (!ahead->is_ending) {
        const bool is_missing = !atomic_load(&journal->is_next_ready);
        if (is_missing && (ahead->owed >= CHUNK_SIZE || ahead->is_wanted_now)) break;
        if (ahead->written >= LET_GO_BYTES) break;
        const bool for_cutover = is_missing && ahead->status == POS_OK && is_cutover_near(journal);
        if (for_cutover && is_due) break;
        const int64_t wait_ns = for_cutover ? CUTOVER_PAUSE_NS : WATCH_NS;
        const int64_t until_ns = pos_clock_monotonic_ns() + wait_ns;
        is_due = !pos_signal_wait_until(&ahead->changed, &ahead->mutex, until_ns);
        if (is_due) ahead->status = POS_OK; /* what failed half a minute ago may be tried again */
    }
    const bool goes_on = !ahead->is_ending;
    (void)pthread_mutex_unlock(&ahead->mutex);
    return goes_on;
}

/* What the volumes before the open one hold, for the journal's facts: nobody waits for that. */
static void count_sealed(pos_journal *journal, uint32_t count)
{
    for (uint32_t index = 0; index < count && !atomic_load(&journal->ahead.is_ending); index++) {
        uint64_t pages = 0;
        uint64_t bytes = 0;
        uint64_t free_pages = 0;
        pos_journal_count_volume(journal, index, &pages, &bytes, &free_pages);
        atomic_fetch_add(&journal->pages, pages);
        atomic_fetch_add(&journal->bytes, bytes);
    }
}

static void *ahead_loop(void *context)
{
    pos_journal *journal = context;
    pos_ahead *ahead = &journal->ahead;
    count_sealed(journal, ahead->sealed_count);
    while (wait_for_work(journal)) {
        (void)pthread_mutex_lock(&ahead->mutex);
        const bool is_much = ahead->written >= LET_GO_BYTES;
        if (is_much) ahead->written = 0;
        (void)pthread_mutex_unlock(&ahead->mutex);
        if (is_much) {
            let_go(journal);
            continue;
        }
        const pos_status status = step(journal, CHUNK_SIZE);
        (void)pthread_mutex_lock(&ahead->mutex);
        ahead->status = status;
        ahead->owed -= ahead->owed < CHUNK_SIZE ? ahead->owed : CHUNK_SIZE;
        if (status != POS_OK || atomic_load(&journal->is_next_ready)) {
            ahead->owed = 0;
            ahead->is_wanted_now = false;
            (void)pthread_cond_broadcast(&ahead->changed);
        }
        (void)pthread_mutex_unlock(&ahead->mutex);
    }
    return NULL;
}

/* ---- what the writer asks for -------------------------------------------------------------------- */
/* Bytes of zeros for a byte of pages, in 64ths. */
static uint64_t pace_64ths(const pos_journal *journal)
{
    const uint64_t usual = 80; /* 1.25 */
    const uint64_t room = atomic_load(&journal->free_pages) * POS_LMDB_PAGE;
    const uint64_t needed = atomic_load(&journal->ahead.left) / (room / 72 + 1) + 1; /* 1.13 × */
    return needed > usual ? needed : usual;
}

static void ask(pos_journal *journal, uint64_t bytes, bool is_wanted_now)
{
    pos_ahead *ahead = &journal->ahead;
    (void)pthread_mutex_lock(&ahead->mutex);
    ahead->owed += bytes;
    ahead->is_wanted_now = ahead->is_wanted_now || is_wanted_now;
    if (ahead->owed >= CHUNK_SIZE || is_wanted_now) (void)pthread_cond_broadcast(&ahead->changed);
    (void)pthread_mutex_unlock(&ahead->mutex);
}

/* Has the thread look behind, now and then. */
static void count_written(pos_ahead *ahead, uint64_t bytes)
{
    (void)pthread_mutex_lock(&ahead->mutex);
    ahead->written += bytes;
    if (ahead->written >= LET_GO_BYTES) (void)pthread_cond_broadcast(&ahead->changed);
    (void)pthread_mutex_unlock(&ahead->mutex);
}

void pos_journal_keep_ahead(pos_journal *journal, uint64_t bytes)
{
    if (journal->ahead.has_thread) count_written(&journal->ahead, bytes);
    if (atomic_load(&journal->is_next_ready) || !may_prepare(journal)) return;
    const bool is_urgent = is_nearly_full(journal);
    if (journal->ahead.has_thread) {
        ask(journal, bytes * pace_64ths(journal) / 64, is_urgent);
        return;
    }
    const uint64_t pages = journal->meta.volume_size / POS_LMDB_PAGE;
    const bool is_half_full = atomic_load(&journal->free_pages) < pages / 2;
    if (is_urgent) (void)step(journal, UINT64_MAX);
    else if (is_half_full || is_cutover_near(journal)) (void)step(journal, SMALL_PACE * bytes);
}

pos_status pos_journal_prepare_now(pos_journal *journal)
{
    pos_ahead *ahead = &journal->ahead;
    if (!ahead->has_thread) return step(journal, UINT64_MAX);
    if (atomic_load(&journal->is_next_ready)) return POS_OK;
    ask(journal, 0, true);
    (void)pthread_mutex_lock(&ahead->mutex);
    while (ahead->is_wanted_now && !atomic_load(&journal->is_next_ready)) {
        (void)pthread_cond_wait(&ahead->changed, &ahead->mutex);
    }
    ahead->is_wanted_now = false; /* the thread may have been done before it was asked */
    const pos_status status = ahead->status;
    (void)pthread_mutex_unlock(&ahead->mutex);
    return atomic_load(&journal->is_next_ready) ? POS_OK : status;
}

bool pos_journal_prepare_soon(pos_journal *journal)
{
    if (atomic_load(&journal->is_next_ready)) return true;
    if (!journal->ahead.has_thread) return step(journal, UINT64_MAX) == POS_OK;
    ask(journal, CHUNK_SIZE, false);
    return false;
}

pos_status pos_journal_prepare(pos_journal *journal, uint64_t bytes)
{
    assert(journal != NULL);
    if (atomic_load(&journal->is_next_ready)) return POS_OK;
    if (!may_prepare(journal)) return POS_JOURNAL_FULL;
    if (!journal->ahead.has_thread) return step(journal, bytes);
    if (bytes == UINT64_MAX) return pos_journal_prepare_now(journal);
    ask(journal, bytes, false);
    return POS_OK;
}

/* ---- begun and ended with the journal ------------------------------------------------------------- */
pos_status pos_ahead_create(pos_journal *journal)
{
    pos_ahead *ahead = &journal->ahead;
    (void)pthread_mutex_init(&ahead->mutex, NULL);
    pos_signal_create(&ahead->changed);
    const uint64_t size = journal->meta.volume_size;
    const pos_status status = pos_prepare_create(&ahead->prepare, size);
    atomic_store(&ahead->left, size);
    ahead->sealed_count = atomic_load(&journal->volume_count) - 1;
    ahead->cached_index = ahead->sealed_count;
    ahead->cached_from = used_bytes(journal) / LET_GO_BYTES * LET_GO_BYTES;
    if (status != POS_OK) return status;
    if (size < POS_AHEAD_THREAD_SIZE_MIN) {
        count_sealed(journal, ahead->sealed_count);
        return POS_OK;
    }
    ahead->has_thread = pos_thread_begin(&ahead->thread, ahead_loop, journal);
    return ahead->has_thread ? POS_OK : POS_SYSTEM;
}

void pos_ahead_destroy(pos_journal *journal)
{
    pos_ahead *ahead = &journal->ahead;
    if (ahead->has_thread) {
        (void)pthread_mutex_lock(&ahead->mutex);
        ahead->is_ending = true;
        (void)pthread_cond_broadcast(&ahead->changed);
        (void)pthread_mutex_unlock(&ahead->mutex);
        (void)pthread_join(ahead->thread, NULL);
        ahead->has_thread = false;
    }
    pos_prepare_destroy(&ahead->prepare);
}
