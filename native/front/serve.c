/*
 * The loop. Front thread and journal thread hand one token to and fro:
 *
 *   front thread                                           journal thread
 *   wait (epoll) ─▶ read ─▶ submit ─▶ turn over ── kick ──▶ write
 *     ▲                                                        │
 *     └── send ◀── replies of what is durable ◀──── event ─────┘
 *
 *   A large page is committed by a thread of the journal's own, so that the next can be handed over
 *   before it is durable; when it is, another event says so, and the front sends.
 *
 *   Back-pressure: when a page and all cohorts are full, the round's arrivals are held and nothing
 *   is read until the journal thread has answered: the kernel's buffers fill, and terminals wait.
 *   Draining: listeners close, nothing more is read, what was read is decided, committed, answered
 *   and sent; then run returns.
 *   In doubt: run returns at once; no reply of the failed page leaves (law 4).
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "front/front.h"

#define SECOND_NS INT64_C(1000000000)
#define CHECK_NS SECOND_NS
#define WAIT_MS 500
#define TOUCHED_PARTS 16U /* tables up to so much of the machine's memory are taken at the start */
#define GATHER_MS 1
#define GATHER_NS (GATHER_MS * INT64_C(1000000))
#define PEAK_NS (10 * GATHER_NS) /* in which the memory of a rush is halved */
#define GATHER_ENTRIES_MAX 128U /* with so many a commit is worth its while */
#define SLICE_MAX 512U /* of arrivals, after which the disk is thought of */
#define GATHER_PARTS 4U /* pages on their way: one fills, one is written, one waits, one is sent */
#define CONNECTIONS_DEFAULT 4096U
#define CONNECTIONS_LIMIT 1000000U
#define IN_FLIGHT_DEFAULT 256U
#define OUT_SIZE_DEFAULT 65536U
#define OUT_SIZE_MIN 8192U
#define IDLE_DEFAULT_S 300U
#define FRAME_DEFAULT_S 10U
#define DRAIN_DEFAULT_S 10U
#define LENGTH_HEADER_MAX 8U

/* ---- the journal thread ------------------------------------------------------------------------------- */

static void post(int event)
{
    const uint64_t one = 1;
    while (write(event, &one, sizeof one) < 0 && errno == EINTR) {}
}

static void take(int event)
{
    uint64_t count = 0;
    while (read(event, &count, sizeof count) < 0 && errno == EINTR) {}
}

static void tell_durable(void *context)
{
    const pos_front *front = context;
    post(front->durable_event);
}

static void *journal_loop(void *context)
{
    pos_front *front = context;
    for (;;) {
        take(front->kick_event);
        if (atomic_load(&front->is_ending)) return NULL;
        atomic_store(&front->journal_status, (int)pos_engine_write(front->engine));
        atomic_store(&front->has_written, true);
        post(front->journal_event);
    }
}

/* What the state's tables will need is taken while the first messages come: whoever touches a page
 * first waits for it, and that shall not be a message. */
static void *touch_tables(void *context)
{
    pos_front *front = context;
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long page_size = sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page_size <= 0) return NULL;
    pos_engine_touch(front->engine, (uint64_t)pages * (uint64_t)page_size / TOUCHED_PARTS);
    return NULL;
}

static pos_status start_thread(pos_front *front)
{
    /* Signals are the front thread's business. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return POS_SYSTEM;
    const int failed = pthread_create(&front->journal_thread, NULL, journal_loop, front);
    front->has_touch = pthread_create(&front->touch_thread, NULL, touch_tables, front) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) return POS_SYSTEM;
    pos_engine_on_durable(front->engine, tell_durable, front);
    front->has_thread = true;
    return POS_OK;
}

static void stop_thread(pos_front *front)
{
    if (front->has_touch) (void)pthread_join(front->touch_thread, NULL);
    front->has_touch = false;
    pos_engine_on_durable(front->engine, NULL, NULL);
    if (!front->has_thread) return;
    atomic_store(&front->is_ending, true);
    post(front->kick_event);
    (void)pthread_join(front->journal_thread, NULL);
    front->has_thread = false;
    front->is_writing = false;
    atomic_store(&front->is_ending, false);
}

/*
 * Gathering. A commit costs the same for one entry as for a hundred, and while a thousand terminals
 * wait for answers a page of sixty is soon followed by another. So a page that holds less than its
 * share of what was unanswered lately waits for more, a millisecond at most. One terminal alone, or
 * four, never wait: their share is one. Nor does anybody when all who were unanswered lately are here
 * already: nobody is left who could send.
 */
static bool is_gathering(pos_front *front)
{
    const uint64_t unanswered = pos_engine_unanswered(front->engine);
    /* Lately: within some tens of milliseconds, so that one who comes after a rush does not wait. */
    if (front->now_ns - front->peak_ns >= PEAK_NS) {
        front->unanswered_peak -= (front->unanswered_peak + 1) / 2;
        front->peak_ns = front->now_ns;
    }
    if (unanswered > front->unanswered_peak) front->unanswered_peak = unanswered;
    if (!pos_engine_is_staged(front->engine)) {
        front->gather_ns = 0;
        return false;
    }
    if (front->gather_ns == 0) front->gather_ns = front->now_ns;
    if (unanswered >= front->unanswered_peak) return false;
    if (front->drain_ns > 0 || front->now_ns - front->gather_ns >= GATHER_NS) return false;
    const uint32_t staged = pos_engine_staged(front->engine);
    return staged < GATHER_ENTRIES_MAX && staged * GATHER_PARTS < front->unanswered_peak;
}

/* Hands over what is staged; or has the journal thread wait for a page that is still on its way. */
static pos_status hand_over(pos_front *front)
{
    if (front->is_writing) return POS_OK;
    front->gather_ns = 0;
    bool is_turned = false;
    const pos_status status = pos_engine_turn_over(front->engine, &is_turned);
    if (status != POS_OK) return status;
    const bool is_on_its_way =
        pos_engine_is_waiting(front->engine) && !pos_engine_is_staged(front->engine);
    if (!is_turned && !is_on_its_way) return POS_OK;
    front->is_writing = true;
    post(front->kick_event);
    return POS_OK;
}

/* ---- a round -------------------------------------------------------------------------------------------- */

static void send_replies(pos_front *front)
{
    pos_reply reply;
    front->touched_count = 0;
    while (pos_engine_reply(front->engine, &reply)) connection_reply(front, &reply);
    for (uint32_t index = 0; index < front->touched_count; index++) {
        const uint32_t slot = front->touched[index];
        connection *line = &front->connections[slot];
        if (line->fd < 0 || !line->is_touched) continue;
        line->is_touched = false;
        connection_flush(front, slot);
    }
}

static pos_status journal_answered(pos_front *front)
{
    /* Told by epoll, and taken between two slices before epoll's turn came. */
    if (!atomic_load(&front->has_written)) return POS_OK;
    atomic_store(&front->has_written, false);
    take(front->journal_event);
    front->is_writing = false;
    if (atomic_load(&front->journal_status) != POS_OK) return POS_JOURNAL_IN_DOUBT;
    pos_status status = pos_engine_release(front->engine);
    /* The disk first: sending takes the front's time, and none of the disk's. */
    if (status == POS_OK && !is_gathering(front)) status = hand_over(front);
    if (status == POS_OK) send_replies(front);
    return status;
}

/*
 * A rush is taken by slices, and the disk gets its page between two of them: one that waited for the
 * whole rush would find all terminals waiting with it, and the front with nothing to do meanwhile.
 */
static pos_status turn_between(pos_front *front)
{
    front->now_ns = pos_clock_monotonic_ns();
    pos_status status = journal_answered(front);
    if (status == POS_OK && !is_gathering(front)) status = hand_over(front);
    return status;
}

/* The arrivals of this round go to the engine; those that find the stage full are held. */
pos_status front_flush_arrivals(pos_front *front)
{
    front->is_held = false;
    while (front->arrival_taken < front->arrival_count) {
        size_t taken = 0;
        const size_t left = front->arrival_count - front->arrival_taken;
        const size_t slice = left < SLICE_MAX ? left : SLICE_MAX;
        pos_status status =
            pos_engine_submit_wave(front->engine, front->arrivals + front->arrival_taken, slice,
                                   pos_clock_utc_ns(), &taken);
        front->arrival_taken += taken;
        if (status == POS_OK && slice < left) status = turn_between(front);
        if (status == POS_OK) continue;
        if (status != POS_STAGE_FULL) return status;
        send_replies(front); /* refusals may be what fills the stage */
        const pos_status handed = hand_over(front);
        if (handed != POS_OK) return handed;
        if (taken == 0) {
            front->is_held = true;
            front->counts.held_rounds++;
            return POS_OK;
        }
    }
    pos_wipe(front->arena, front->arena_used); /* requests: track data, PIN blocks */
    front->arena_used = 0;
    front->arrival_count = 0;
    front->arrival_taken = 0;
    return POS_OK;
}

static void begin_drain(pos_front *front)
{
    if (front->drain_ns > 0) return;
    front->drain_ns = front->now_ns + (int64_t)front->options.drain_s * SECOND_NS;
    pos_engine_log(front->engine, "info", "draining", "connections=%u arrivals=%zu",
                   connections_open(front), front->arrival_count - front->arrival_taken);
    for (size_t index = 0; index < front->listener_count; index++) {
        close(front->listeners[index]);
        front->listeners[index] = -1;
    }
    for (uint32_t slot = 0; slot < front->options.connections_max; slot++) {
        if (front->connections[slot].fd >= 0) connection_end(front, slot);
    }
}

static void take_signal(pos_front *front)
{
    struct signalfd_siginfo facts;
    while (read(front->signals, &facts, sizeof facts) == (ssize_t)sizeof facts) {
        if (facts.ssi_signo == SIGHUP && front->options.ask_reload != NULL) {
            front->options.ask_reload(front->options.context);
        } else if (facts.ssi_signo != SIGHUP) {
            begin_drain(front);
        }
    }
}

/* Images from another thread, loaded here because here is between two waves. */
static pos_status take_mail(pos_front *front)
{
    take(front->mail_event);
    if (atomic_load(&front->is_drain_asked)) begin_drain(front);
    pthread_mutex_lock(&front->mutex);
    const bool has_mail = front->has_mail;
    const pos_engine_images *images = front->mail_images;
    const char *failure = front->mail_failure;
    pthread_mutex_unlock(&front->mutex);
    if (!has_mail) return POS_OK;
    pos_status status = POS_OK;
    if (failure == NULL) {
        status = pos_engine_reload(front->engine, images, pos_clock_utc_ns());
        if (status == POS_STAGE_FULL) {
            post(front->mail_event); /* again, when the page is handed over */
            return hand_over(front);
        }
    }
    if (failure != NULL || status != POS_OK) {
        front->counts.reloads_failed++;
        pos_engine_log(front->engine, "error", "reload_failed", "status=%s reason=\"%s\"",
                       pos_status_name(status), failure != NULL ? failure
                                                                : pos_status_text(status));
    }
    control_tell_reload(front, status, failure);
    pthread_mutex_lock(&front->mutex);
    front->has_mail = false;
    front->mail_status = status;
    pthread_cond_broadcast(&front->done);
    pthread_mutex_unlock(&front->mutex);
    return POS_OK;
}

static pos_status connection_event(pos_front *front, uint32_t slot, uint32_t events)
{
    if (front->connections[slot].fd < 0) return POS_OK; /* closed earlier in this round */
    if ((events & EPOLLOUT) != 0) {
        connection_flush(front, slot);
        if (front->connections[slot].fd < 0) return POS_OK;
    }
    const bool is_reading = (front->connections[slot].events & EPOLLIN) != 0;
    if (!is_reading && (events & (EPOLLHUP | EPOLLERR)) != 0) {
        front->counts.closed_peer++;
        connection_close(front, slot, "peer");
        return POS_OK;
    }
    if (!is_reading || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return POS_OK;
    const bool is_full = front->arena_used + front->in_size_max + READ_SIZE > ARENA_SIZE
                         || front->arrival_count + READ_FRAMES_MAX > ARRIVALS_MAX;
    if (is_full) {
        const pos_status status = front_flush_arrivals(front);
        if (status != POS_OK || front->is_held) return status;
    }
    connection_read(front, slot, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
    return POS_OK;
}

static pos_status one_event(pos_front *front, const struct epoll_event *event)
{
    const uint32_t index = (uint32_t)event->data.u64;
    switch ((front_tag)(event->data.u64 >> 32)) {
    case TAG_LISTENER:
        if (front->drain_ns == 0) connection_accept(front, index);
        return POS_OK;
    case TAG_CONNECTION: return connection_event(front, index, event->events);
    case TAG_SIGNAL: take_signal(front); return POS_OK;
    case TAG_JOURNAL: return journal_answered(front);
    case TAG_DURABLE:
        take(front->durable_event);
        send_replies(front);
        return POS_OK;
    case TAG_MAIL: return take_mail(front);
    case TAG_CONTROL_LISTENER: control_accept(front); return POS_OK;
    case TAG_CONTROL: control_read(front, index); return POS_OK;
    }
    return POS_OK;
}

/* While arrivals are held only the journal thread can help, so only it is listened to. */
static pos_status wait_for_journal(pos_front *front)
{
    struct pollfd journal = {.fd = front->journal_event, .events = POLLIN};
    const int ready = poll(&journal, 1, WAIT_MS);
    front->now_ns = pos_clock_monotonic_ns();
    if (ready <= 0) return POS_OK;
    return journal_answered(front);
}

/* The round ends early: the line that could not be read and those after it will be told of again. All but
 * lines are told of as long as there is something. */
static void look_again_from(pos_front *front, const struct epoll_event *events, int count)
{
    for (int index = 0; index < count; index++) {
        if (events[index].data.u64 >> 32 != TAG_CONNECTION) continue;
        connection_look_again(front, (uint32_t)events[index].data.u64);
    }
}

static pos_status wait_for_events(pos_front *front)
{
    struct epoll_event events[EVENTS_MAX];
    const bool is_gathering = front->gather_ns > 0 && !front->is_writing;
    const int count =
        epoll_wait(front->epoll, events, EVENTS_MAX, is_gathering ? GATHER_MS : WAIT_MS);
    front->now_ns = pos_clock_monotonic_ns();
    if (count < 0) return errno == EINTR ? POS_OK : POS_SYSTEM;
    for (int index = 0; index < count; index++) {
        const pos_status status = one_event(front, &events[index]);
        if (status != POS_OK) return status;
        if (!front->is_held) continue;
        look_again_from(front, events + index, count - index);
        break;
    }
    return POS_OK;
}

static bool is_drained(const pos_front *front)
{
    if (front->drain_ns == 0) return false;
    if (front->now_ns > front->drain_ns) return true;
    return !front->is_held && !front->is_writing && !pos_engine_is_staged(front->engine)
           && !pos_engine_is_waiting(front->engine) && connections_open(front) == 0;
}

static pos_status serve(pos_front *front)
{
    while (!is_drained(front)) {
        const bool was_held = front->is_held && front->is_writing;
        pos_status status = was_held ? wait_for_journal(front) : wait_for_events(front);
        if (status == POS_OK) status = front_flush_arrivals(front);
        if (status != POS_OK) return status;
        send_replies(front);
        if (!is_gathering(front)) status = hand_over(front);
        if (status != POS_OK) return status;
        if (front->now_ns - front->checked_ns >= CHECK_NS) {
            front->checked_ns = front->now_ns;
            connections_check_times(front);
        }
    }
    return POS_OK;
}

/* ---- open, run, close --------------------------------------------------------------------------------------- */

static uint32_t or_default(uint32_t value, uint32_t standard)
{
    return value > 0 ? value : standard;
}

static void take_options(pos_front *front, const pos_front_options *options)
{
    front->options = *options;
    pos_front_options *taken = &front->options;
    taken->connections_max = or_default(options->connections_max, CONNECTIONS_DEFAULT);
    taken->in_flight_max = or_default(options->in_flight_max, IN_FLIGHT_DEFAULT);
    taken->out_size_max = or_default(options->out_size_max, OUT_SIZE_DEFAULT);
    taken->idle_s = or_default(options->idle_s, IDLE_DEFAULT_S);
    taken->frame_s = or_default(options->frame_s, FRAME_DEFAULT_S);
    taken->drain_s = or_default(options->drain_s, DRAIN_DEFAULT_S);
    front->in_size_max = pos_spec_frame_shape(pos_engine_spec(front->engine))->size_max
                         + LENGTH_HEADER_MAX;
}

static pos_status make_events(pos_front *front)
{
    front->epoll = epoll_create1(EPOLL_CLOEXEC);
    front->journal_event = eventfd(0, EFD_CLOEXEC);
    front->durable_event = eventfd(0, EFD_CLOEXEC);
    front->kick_event = eventfd(0, EFD_CLOEXEC);
    front->mail_event = eventfd(0, EFD_CLOEXEC);
    front->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (front->epoll < 0 || front->journal_event < 0 || front->durable_event < 0
        || front->kick_event < 0 || front->mail_event < 0 || front->spare < 0) {
        return POS_SYSTEM;
    }
    const bool is_watched = watch(front, front->journal_event, EPOLLIN, TAG_JOURNAL, 0) == 0
                            && watch(front, front->durable_event, EPOLLIN, TAG_DURABLE, 0) == 0
                            && watch(front, front->mail_event, EPOLLIN, TAG_MAIL, 0) == 0;
    return is_watched ? POS_OK : POS_SYSTEM;
}

static pos_status open_parts(pos_front *front)
{
    front->arena = calloc(1, ARENA_SIZE);
    front->arrivals = calloc(ARRIVALS_MAX, sizeof front->arrivals[0]);
    front->report = calloc(1, REPORT_SIZE_MAX);
    if (front->arena == NULL || front->arrivals == NULL || front->report == NULL) {
        return POS_MEMORY;
    }
    pos_status status = connections_make(front);
    if (status == POS_OK) status = make_events(front);
    if (status == POS_OK) status = listen_control(front);
    if (status == POS_OK) status = listen_all(front);
    return status;
}

pos_status pos_front_open(pos_engine *engine, const pos_front_options *options,
                          pos_front **front_out)
{
    assert(engine != NULL && options != NULL && front_out != NULL);
    if (options->listen == NULL || options->connections_max > CONNECTIONS_LIMIT) {
        return POS_ARGUMENT;
    }
    if (options->out_size_max != 0 && options->out_size_max < OUT_SIZE_MIN) return POS_ARGUMENT;
    pos_front *front = calloc(1, sizeof *front);
    if (front == NULL) return POS_MEMORY;
    front->engine = engine;
    front->epoll = front->journal_event = front->kick_event = front->mail_event = -1;
    front->durable_event = -1;
    front->spare = front->signals = front->control_listener = -1;
    for (size_t index = 0; index < CONTROLS_MAX; index++) front->controls[index].fd = -1;
    pthread_mutex_init(&front->mutex, NULL);
    pthread_cond_init(&front->done, NULL);
    take_options(front, options);
    const pos_status status = open_parts(front);
    if (status != POS_OK) {
        pos_front_close(front);
        return status;
    }
    *front_out = front;
    return POS_OK;
}

static void close_one(int fd)
{
    if (fd >= 0) close(fd);
}

void pos_front_close(pos_front *front)
{
    if (front == NULL) return;
    assert(!front->has_thread);
    connections_free(front);
    for (size_t index = 0; index < front->listener_count; index++) {
        close_one(front->listeners[index]);
    }
    for (size_t index = 0; index < CONTROLS_MAX; index++) close_one(front->controls[index].fd);
    close_one(front->control_listener);
    if (front->control_path[0] != '\0') (void)unlink(front->control_path);
    close_one(front->signals);
    close_one(front->journal_event);
    close_one(front->durable_event);
    close_one(front->kick_event);
    close_one(front->mail_event);
    close_one(front->spare);
    close_one(front->epoll);
    if (front->arena != NULL) pos_wipe(front->arena, ARENA_SIZE);
    free(front->arena);
    free(front->arrivals);
    free(front->report);
    pthread_cond_destroy(&front->done);
    pthread_mutex_destroy(&front->mutex);
    free(front);
}

uint16_t pos_front_port(const pos_front *front, size_t index)
{
    assert(front != NULL);
    return index < front->listener_count ? front->ports[index] : 0;
}

static pos_status catch_signals(pos_front *front, sigset_t *before)
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGHUP);
    if (pthread_sigmask(SIG_BLOCK, &ours, before) != 0) return POS_SYSTEM;
    front->signals = signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
    if (front->signals < 0) return POS_SYSTEM;
    return watch(front, front->signals, EPOLLIN, TAG_SIGNAL, 0) == 0 ? POS_OK : POS_SYSTEM;
}

static void set_running(pos_front *front, bool is_running)
{
    pthread_mutex_lock(&front->mutex);
    front->is_running = is_running;
    if (!is_running && front->has_mail) {
        front->has_mail = false;
        front->mail_status = POS_ENGINE_STOPPED;
        pthread_cond_broadcast(&front->done);
    }
    pthread_mutex_unlock(&front->mutex);
}

pos_status pos_front_run(pos_front *front)
{
    assert(front != NULL && !front->has_thread);
    sigset_t before;
    pos_status status = POS_OK;
    if (front->options.takes_signals) status = catch_signals(front, &before);
    if (status == POS_OK) status = start_thread(front);
    if (status != POS_OK) return status;
    set_running(front, true);
    front->now_ns = pos_clock_monotonic_ns();
    front->checked_ns = front->now_ns;
    status = serve(front);
    set_running(front, false);
    stop_thread(front);
    pos_engine_log(front->engine, status == POS_OK ? "info" : "error", "stopped", "status=%s",
                   pos_status_name(status));
    if (front->options.takes_signals) (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

void pos_front_drain(pos_front *front)
{
    assert(front != NULL);
    atomic_store(&front->is_drain_asked, true);
    post(front->mail_event);
}

pos_status pos_front_reload(pos_front *front, const pos_engine_images *images,
                            const char *failure)
{
    assert(front != NULL);
    assert(images != NULL || failure != NULL);
    pthread_mutex_lock(&front->mutex);
    while (front->is_running && front->has_mail) pthread_cond_wait(&front->done, &front->mutex);
    if (!front->is_running) {
        pthread_mutex_unlock(&front->mutex);
        return POS_ENGINE_STOPPED;
    }
    front->mail_images = images;
    front->mail_failure = failure;
    front->has_mail = true;
    post(front->mail_event);
    while (front->has_mail) pthread_cond_wait(&front->done, &front->mutex);
    const pos_status status = front->mail_status;
    pthread_mutex_unlock(&front->mutex);
    return status;
}
