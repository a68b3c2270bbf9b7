/*
 * One commit: an assembled page becomes an LMDB value, and its entries durable.
 *
 *   journal thread    assemble N+1 ─▶ follow N     linger     assemble N+2 ─▶ follow N+1     linger
 *   commit thread     put N, FLUSH, meta ─────────▶ put N+1, FLUSH, meta ───────────────▶ put N+2 ...
 *
 * A flush is waiting; assembling is work, most of it SHA-256. So a large page is committed by a thread
 * of its own while the next one is assembled. Small pages are committed by who asks: the two would gain
 * less than the hand-over costs. There is never more than one transaction at a time, and page N+1 is
 * put only after commit N has returned and succeeded, so rules R1 to R8 read as before. Where N + 1
 * needs nothing done between (a volume turned), the thread goes on to it by itself: nobody's waking up
 * stands between two flushes.
 *
 * Lingering. Whoever hands over N+1 too early gets a small page and a queue: entries that come while N
 * is being written would have to wait for N+1 first. So `write` comes back just so long before the
 * commit's end that the next page can be handed over and assembled meanwhile: as long as the last one
 * took for both, and before the end of a quick commit. By the usual end every second page came late,
 * and the disk, which nothing else can replace, waited for it.
 */
#include "journal/parts.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "measure/measure.h"

#define SLACK_NS 120000 /* of a timed wait: the kernel's default, and a virtual core woken up */
#define QUICKER 2 /* how fast an estimate follows what is less, and what is more */
#define SLOWER 64
#define SMOOTHING 8
#define AWAY_NS_MAX 1000000 /* between two writes that follow each other */

bool pos_thread_begin(pthread_t *thread_out, void *(*loop)(void *), void *context)
{
    /* Signals are the host's business, and that of its own threads. */
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return false;
    const int failed = pthread_create(thread_out, NULL, loop, context);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0;
}

void pos_signal_create(pthread_cond_t *signal_out)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(signal_out, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

bool pos_signal_wait_until(pthread_cond_t *signal, pthread_mutex_t *mutex, int64_t until_ns)
{
    const struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    return until_ns > 0 && pthread_cond_timedwait(signal, mutex, &until) != ETIMEDOUT;
}

/* ---- the commit itself --------------------------------------------------------------------------- */
static pos_status commit(pos_journal *journal, const pos_image *image)
{
    const uint64_t before = atomic_load(&journal->committed_sequence);
    assert(image->first_sequence == before + 1);
    pos_volume *volume = pos_journal_open_volume(journal);
    if (pos_volume_put(volume, image->first_sequence, image->value, image->size) != 0) {
        pos_journal_stop(journal);
        return POS_JOURNAL_IN_DOUBT;
    }
    const uint64_t last = before + image->count;
    atomic_store(&journal->committed_sequence, last);
    atomic_fetch_add(&journal->pages, 1U);
    atomic_fetch_add(&journal->bytes, image->size + POS_LMDB_HEADER);
    atomic_store_explicit(&journal->free_pages, pos_volume_free_pages(volume), memory_order_release);
    pos_journal_publish(journal, last);
    return POS_OK;
}

static pos_status commit_and_give_back(pos_journal *journal, const pos_image *image)
{
    const int64_t began_at_ns = pos_clock_monotonic_ns();
    const pos_status status = commit(journal, image);
    atomic_store(&journal->commit_ns, pos_clock_monotonic_ns() - began_at_ns);
    atomic_fetch_add(&journal->commits, status == POS_OK ? 1U : 0U);
    /* Given back in any case: nothing waits for a writer that has stopped. */
    atomic_store_explicit(&journal->taken, image->buffer + 1, memory_order_release);
    if (status == POS_OK) pos_journal_keep_ahead(journal, image->size);
    return status;
}

/* What a commit takes when it is as quick as few in a hundred are: whoever waits for the usual one is late
 * for half of them, and the disk then waits for a page. */
static int64_t quick_of(int64_t quick_ns, int64_t took_ns)
{
    if (quick_ns == 0) return took_ns;
    const int64_t step_ns = took_ns - quick_ns;
    return quick_ns + (step_ns < 0 ? step_ns / QUICKER : step_ns / SLOWER);
}

/* ---- the thread ---------------------------------------------------------------------------------- */
static void *flight_loop(void *context)
{
    pos_journal *journal = context;
    pos_flight *flight = &journal->flight;
    (void)pthread_mutex_lock(&flight->mutex);
    for (;;) {
        while (flight->image == NULL && !flight->is_ending) {
            (void)pthread_cond_wait(&flight->changed, &flight->mutex);
        }
        if (flight->image == NULL) break;
        const pos_image *image = flight->image;
        (void)pthread_mutex_unlock(&flight->mutex);
        const pos_status status = commit_and_give_back(journal, image);
        const int64_t ended_at_ns = pos_clock_monotonic_ns();
        (void)pthread_mutex_lock(&flight->mutex);
        flight->status = status;
        if (flight->tell != NULL) flight->tell(flight->context);
        const int64_t took_ns = ended_at_ns - flight->began_at_ns;
        flight->quick_ns = quick_of(flight->quick_ns, took_ns);
        /* The next one begins at once, nobody need wake first; after a failure none ever does. */
        flight->image = status == POS_OK ? flight->after : NULL;
        flight->after = NULL;
        flight->began_at_ns = ended_at_ns;
        (void)pthread_cond_broadcast(&flight->changed);
    }
    (void)pthread_mutex_unlock(&flight->mutex);
    return NULL;
}

uint64_t pos_flight_ahead_of(pos_journal *journal, const pos_image *image)
{
    pos_flight *flight = &journal->flight;
    if (image->size < POS_FLIGHT_SIZE_MIN) return 0; /* committed by who asks, when all is quiet */
    (void)pthread_mutex_lock(&flight->mutex);
    const uint64_t bytes =
        flight->image != NULL && flight->after == NULL ? flight->image->size + POS_LMDB_HEADER : 0;
    (void)pthread_mutex_unlock(&flight->mutex);
    return bytes;
}

pos_status pos_flight_follow(pos_journal *journal, const pos_image *image)
{
    pos_flight *flight = &journal->flight;
    (void)pthread_mutex_lock(&flight->mutex);
    assert(flight->after == NULL);
    const pos_status status = flight->status;
    if (status == POS_OK && flight->image != NULL) {
        flight->after = image;
    } else if (status == POS_OK) {
        flight->image = image; /* what was on its way has just come through */
        flight->began_at_ns = pos_clock_monotonic_ns();
        (void)pthread_cond_broadcast(&flight->changed);
    }
    (void)pthread_mutex_unlock(&flight->mutex);
    return status;
}

pos_status pos_flight_begin(pos_journal *journal, const pos_image *image)
{
    pos_flight *flight = &journal->flight;
    if (image->size >= POS_FLIGHT_SIZE_MIN && !flight->has_thread) {
        flight->has_thread = pos_thread_begin(&flight->thread, flight_loop, journal);
    }
    if (image->size < POS_FLIGHT_SIZE_MIN || !flight->has_thread) {
        return commit_and_give_back(journal, image);
    }
    (void)pthread_mutex_lock(&flight->mutex);
    assert(flight->image == NULL);
    flight->image = image;
    flight->began_at_ns = pos_clock_monotonic_ns();
    (void)pthread_cond_broadcast(&flight->changed);
    (void)pthread_mutex_unlock(&flight->mutex);
    return POS_OK;
}

uint64_t pos_journal_commits(const pos_journal *journal, int64_t *took_ns_out)
{
    *took_ns_out = atomic_load(&journal->commit_ns);
    return atomic_load(&journal->commits);
}

void pos_journal_on_durable(pos_journal *journal, void (*tell)(void *context), void *context)
{
    pos_flight *flight = &journal->flight;
    (void)pthread_mutex_lock(&flight->mutex);
    flight->tell = tell;
    flight->context = context;
    (void)pthread_mutex_unlock(&flight->mutex);
}

pos_status pos_flight_end(pos_journal *journal)
{
    pos_flight *flight = &journal->flight;
    (void)pthread_mutex_lock(&flight->mutex);
    while (flight->image != NULL) (void)pthread_cond_wait(&flight->changed, &flight->mutex);
    const pos_status status = flight->status;
    (void)pthread_mutex_unlock(&flight->mutex);
    return status;
}

void pos_flight_is_back(pos_journal *journal)
{
    pos_flight *flight = &journal->flight;
    const int64_t away_ns = pos_clock_monotonic_ns() - flight->left_at_ns;
    /* Longer: there was nothing to write, which says nothing of how long a page takes to come. */
    if (away_ns > AWAY_NS_MAX) return;
    flight->away_ns += (away_ns - flight->away_ns) / SMOOTHING;
}

pos_status pos_flight_linger(pos_journal *journal, int64_t lead_ns)
{
    pos_flight *flight = &journal->flight;
    (void)pthread_mutex_lock(&flight->mutex);
    while (flight->after != NULL) (void)pthread_cond_wait(&flight->changed, &flight->mutex);
    const int64_t until_ns = flight->began_at_ns + flight->quick_ns - lead_ns - SLACK_NS;
    while (flight->image != NULL
           && pos_signal_wait_until(&flight->changed, &flight->mutex, until_ns)) {}
    const pos_status status = flight->status;
    (void)pthread_mutex_unlock(&flight->mutex);
    return status;
}

/* ---- begun and ended with the journal ------------------------------------------------------------- */
void pos_flight_create(pos_journal *journal)
{
    pos_flight *flight = &journal->flight;
    (void)pthread_mutex_init(&flight->mutex, NULL);
    pos_signal_create(&flight->changed);
}

void pos_flight_destroy(pos_journal *journal)
{
    pos_flight *flight = &journal->flight;
    if (!flight->has_thread) return;
    (void)pthread_mutex_lock(&flight->mutex);
    flight->is_ending = true;
    (void)pthread_cond_broadcast(&flight->changed);
    (void)pthread_mutex_unlock(&flight->mutex);
    (void)pthread_join(flight->thread, NULL); /* after what is on its way */
    flight->has_thread = false;
}
