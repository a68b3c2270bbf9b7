/*
 * One terminal line: bytes in, frames out to the engine; replies in, bytes out.
 *
 *   socket ─▶ arena: [unfinished frame of before][what was just read]
 *                     └─ frames ─▶ arrivals ─▶ engine      └─ the rest is kept by the connection
 *
 *   A connection is not read while    its unanswered messages reach in_flight_max
 *                                     its peer leaves more than half of out_size_max unread
 *                                     it is ending, or the front drains
 *   It is closed when                 its peer closed and all is answered (a half-closed peer still
 *                                     gets its replies), a frame cannot be cut, its replies do not
 *                                     fit, it is idle, or a frame does not become whole in time
 *
 * epoll tells of bytes once, when they come (edges), and need not look at every line again in every
 * round. So whoever leaves bytes unread has it look again: a read that was filled or broken off, an end
 * that was told of with the bytes before it, a round that ended early. A line that was not read because
 * of the above is looked at when it is read again.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/front.h"

#define SECOND_NS INT64_C(1000000000)
#define EDGES ((uint32_t)(EPOLLET | EPOLLRDHUP)) /* of every line, with what it waits for */

/* ---- memory ------------------------------------------------------------------------------------------ */

pos_status connections_make(pos_front *front)
{
    const uint32_t count = front->options.connections_max;
    const size_t each = front->in_size_max + front->options.out_size_max;
    front->connections = calloc(count, sizeof front->connections[0]);
    front->free_slots = calloc(count, sizeof front->free_slots[0]);
    front->touched = calloc(count, sizeof front->touched[0]);
    if (front->connections == NULL || front->free_slots == NULL || front->touched == NULL) {
        return POS_MEMORY;
    }
    /* Pages that no connection touches cost nothing: the map is only a promise. */
    front->slab_size = (size_t)count * each;
    void *slab = mmap(NULL, front->slab_size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slab == MAP_FAILED) return POS_MEMORY;
    (void)madvise(slab, front->slab_size, MADV_DONTDUMP);
    front->slab = slab;
    for (uint32_t slot = 0; slot < count; slot++) {
        connection *line = &front->connections[slot];
        line->fd = -1;
        line->in = front->slab + (size_t)slot * each;
        line->out = line->in + front->in_size_max;
        front->free_slots[count - 1 - slot] = slot;
    }
    front->free_count = count;
    return POS_OK;
}

void connections_free(pos_front *front)
{
    if (front->connections != NULL && front->slab != NULL) {
        for (uint32_t slot = 0; slot < front->options.connections_max; slot++) {
            if (front->connections[slot].fd >= 0) connection_close(front, slot, NULL);
        }
    }
    if (front->slab != NULL) munmap(front->slab, front->slab_size);
    free(front->connections);
    free(front->free_slots);
    free(front->touched);
}

uint32_t connections_open(const pos_front *front)
{
    return front->options.connections_max - front->free_count;
}

/* ---- coming and going ---------------------------------------------------------------------------------- */

static void refuse_one(pos_front *front, size_t listener, const char *why)
{
    /* A terminal that is refused sees a closed line at once, not a time-out. */
    if (front->spare >= 0) close(front->spare);
    const int fd = accept4(front->listeners[listener], NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) close(fd);
    front->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    front->counts.refused++;
    pos_engine_log(front->engine, "warn", "connection_refused", "reason=%s open=%u max=%u", why,
                   connections_open(front), front->options.connections_max);
}

static void admit(pos_front *front, int fd)
{
    const uint32_t slot = front->free_slots[--front->free_count];
    connection *line = &front->connections[slot];
    uint8_t *in = line->in;
    uint8_t *out = line->out;
    *line = (connection){.fd = fd,
                         .serial = ++front->serial,
                         .events = EPOLLIN,
                         .active_ns = front->now_ns,
                         .in = in,
                         .out = out};
    if (front->serial == 0) line->serial = ++front->serial;
    const int yes = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    front->counts.accepted++;
    if (watch(front, fd, EPOLLIN | EDGES, TAG_CONNECTION, slot) != 0) {
        connection_close(front, slot, "epoll");
    }
}

void connection_accept(pos_front *front, size_t listener)
{
    for (;;) {
        if (front->free_count == 0) {
            refuse_one(front, listener, "connections_max");
            return; /* the others in the queue are refused in the next rounds */
        }
        const int fd =
            accept4(front->listeners[listener], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit(front, fd);
        } else if (errno == EMFILE || errno == ENFILE) {
            refuse_one(front, listener, "file_descriptors");
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return; /* EAGAIN: no more */
        }
    }
}

void connection_close(pos_front *front, uint32_t slot, const char *why)
{
    connection *line = &front->connections[slot];
    assert(line->fd >= 0);
    if (why != NULL) {
        pos_engine_log(front->engine, "info", "connection_closed",
                       "line=%u reason=%s in_flight=%u unsent=%u", line->serial, why,
                       line->in_flight, line->out_size);
    }
    close(line->fd); /* epoll forgets it by itself */
    pos_wipe(line->in, line->in_size);
    pos_wipe(line->out, line->out_from + line->out_size);
    line->fd = -1;
    line->serial = 0;
    line->in_size = 0;
    line->out_size = 0;
    line->out_from = 0;
    front->free_slots[front->free_count++] = slot;
}

/* Nothing more is read; closed as soon as all is answered and sent. */
void connection_end(pos_front *front, uint32_t slot)
{
    connection *line = &front->connections[slot];
    line->is_ending = true;
    pos_wipe(line->in, line->in_size);
    line->in_size = 0;
    line->frame_ns = 0;
    if (line->in_flight == 0 && line->out_size == 0) {
        connection_close(front, slot, NULL);
    } else {
        connection_watch(front, slot);
    }
}

/* Has epoll look at the line, and wait for `events` of it; false where it cannot. */
static bool look(const pos_front *front, uint32_t slot, uint32_t events)
{
    struct epoll_event event = {.events = events | EDGES,
                                .data.u64 = (uint64_t)TAG_CONNECTION << 32 | slot};
    return epoll_ctl(front->epoll, EPOLL_CTL_MOD, front->connections[slot].fd, &event) == 0;
}

void connection_look_again(pos_front *front, uint32_t slot)
{
    const connection *line = &front->connections[slot];
    if (line->fd < 0) return; /* closed earlier in this round */
    if (!look(front, slot, line->events)) connection_close(front, slot, "epoll");
}

/* Tells epoll what is wanted of the connection now. */
void connection_watch(pos_front *front, uint32_t slot)
{
    connection *line = &front->connections[slot];
    const bool is_reading = !line->is_ending && front->drain_ns == 0
                            && line->in_flight < front->options.in_flight_max
                            && line->out_size <= front->options.out_size_max / 2;
    const uint32_t events =
        (is_reading ? (uint32_t)EPOLLIN : 0) | (line->out_size > 0 ? (uint32_t)EPOLLOUT : 0);
    if (events != line->events && look(front, slot, events)) line->events = events;
}

/* ---- in -------------------------------------------------------------------------------------------------- */

/* Cuts what is at the arena's end into arrivals; how many bytes were taken. SIZE_MAX: a fault. */
static size_t cut(pos_front *front, uint32_t slot, const uint8_t *from, size_t size)
{
    connection *line = &front->connections[slot];
    const uint64_t name = (uint64_t)slot << 32 | line->serial;
    size_t taken = 0;
    while (taken < size) {
        pos_frame frame;
        const pos_status status =
            pos_frame_next(pos_engine_spec(front->engine), from + taken, size - taken, &frame);
        if (status == POS_NEED_MORE) break;
        if (status != POS_OK) {
            front->counts.closed_fault++;
            pos_engine_log(front->engine, "warn", "frame", "line=%u status=%s reason=\"%s\"",
                           line->serial, pos_status_name(status), pos_status_text(status));
            return SIZE_MAX;
        }
        assert(front->arrival_count < ARRIVALS_MAX);
        front->arrivals[front->arrival_count++] =
            (pos_arrival){.line = name, .frame = from + taken, .size = frame.size};
        line->in_flight++;
        taken += frame.size;
    }
    return taken;
}

/* Bytes after the last whole frame wait in the connection for the rest of their frame. */
static bool keep_rest(pos_front *front, connection *line, const uint8_t *rest, size_t size)
{
    if (size > front->in_size_max) return false;
    pos_copy(line->in, rest, size);
    line->in_size = (uint32_t)size;
    if (size == 0) {
        line->frame_ns = 0;
    } else if (line->frame_ns == 0) {
        line->frame_ns = front->now_ns;
    }
    return true;
}

static void peer_gone(pos_front *front, uint32_t slot, ssize_t got)
{
    front->counts.closed_peer++;
    if (got == 0) {
        connection_end(front, slot); /* half-closed: it may still wait for its replies */
    } else {
        connection_close(front, slot, "peer");
    }
}

void connection_read(pos_front *front, uint32_t slot, bool is_last)
{
    connection *line = &front->connections[slot];
    assert(line->fd >= 0);
    assert(front->arena_used + front->in_size_max + READ_SIZE <= ARENA_SIZE);
    uint8_t *from = front->arena + front->arena_used;
    const size_t before = line->in_size;
    pos_copy(from, line->in, before);
    const ssize_t got = recv(line->fd, from + before, READ_SIZE, 0);
    if (got <= 0) {
        const bool is_broken_off = got < 0 && errno == EINTR;
        const bool is_gone = !is_broken_off && (got == 0 || errno != EAGAIN);
        pos_wipe(from, before); /* nothing came of it: the arena's end has not moved */
        if (is_gone) peer_gone(front, slot, got);
        if (is_broken_off) connection_look_again(front, slot);
        return;
    }
    pos_wipe(line->in, line->in_size);
    line->in_size = 0;
    line->active_ns = front->now_ns;
    const size_t size = before + (size_t)got;
    front->arena_used += size;
    const size_t taken = cut(front, slot, from, size);
    if (taken == SIZE_MAX) {
        connection_end(front, slot);
        return;
    }
    if (!keep_rest(front, line, from + taken, size - taken)) {
        /* Only a dialect that was loaded later can allow frames that this buffer does not hold. */
        front->counts.closed_fault++;
        pos_engine_log(front->engine, "warn", "frame", "line=%u reason=\"longer than the frames of "
                       "the dialect that the engine was started with\"", line->serial);
        connection_end(front, slot);
        return;
    }
    if (taken > 0 && line->in_size > 0) line->frame_ns = front->now_ns;
    connection_watch(front, slot);
    if (got == READ_SIZE || is_last) connection_look_again(front, slot);
}

/* ---- out --------------------------------------------------------------------------------------------------- */

void connection_reply(pos_front *front, const pos_reply *reply)
{
    const uint32_t slot = (uint32_t)(reply->line >> 32);
    assert(slot < front->options.connections_max);
    connection *line = &front->connections[slot];
    if (line->fd < 0 || line->serial != (uint32_t)reply->line) {
        front->counts.replies_lost++; /* it hung up: its repeat or reversal will come */
        return;
    }
    if (line->in_flight > 0) line->in_flight--;
    if (!line->is_touched) {
        line->is_touched = true;
        front->touched[front->touched_count++] = slot;
    }
    if (reply->is_closing) line->is_ending = true;
    if (reply->size == 0) return;
    const size_t end = (size_t)line->out_from + line->out_size;
    if (end + reply->size > front->options.out_size_max) {
        connection_flush(front, slot);
        if (line->fd < 0) return;
        if ((size_t)line->out_from + line->out_size + reply->size > front->options.out_size_max) {
            front->counts.closed_slow++;
            connection_close(front, slot, "peer_does_not_read");
            return;
        }
    }
    pos_copy(line->out + line->out_from + line->out_size, reply->data, reply->size);
    line->out_size += (uint32_t)reply->size;
}

void connection_flush(pos_front *front, uint32_t slot)
{
    connection *line = &front->connections[slot];
    assert(line->fd >= 0);
    while (line->out_size > 0) {
        const ssize_t sent =
            send(line->fd, line->out + line->out_from, line->out_size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) break;
        if (sent < 0) {
            front->counts.closed_peer++;
            connection_close(front, slot, "peer");
            return;
        }
        line->active_ns = front->now_ns;
        pos_wipe(line->out + line->out_from, (size_t)sent);
        line->out_from += (uint32_t)sent;
        line->out_size -= (uint32_t)sent;
    }
    if (line->out_size == 0) {
        line->out_from = 0;
    } else if (line->out_from > 0) {
        for (uint32_t index = 0; index < line->out_size; index++) {
            line->out[index] = line->out[line->out_from + index];
        }
        pos_wipe(line->out + line->out_size, line->out_from);
        line->out_from = 0;
    }
    if (line->is_ending && line->in_flight == 0 && line->out_size == 0) {
        connection_close(front, slot, NULL);
        return;
    }
    connection_watch(front, slot);
}

/* ---- time ---------------------------------------------------------------------------------------------------- */

void connections_check_times(pos_front *front)
{
    for (uint32_t slot = 0; slot < front->options.connections_max; slot++) {
        connection *line = &front->connections[slot];
        if (line->fd < 0) continue;
        const int64_t frame_age = line->frame_ns > 0 ? front->now_ns - line->frame_ns : 0;
        const int64_t idle = front->now_ns - line->active_ns;
        if (frame_age > (int64_t)front->options.frame_s * SECOND_NS) {
            front->counts.closed_slow++;
            connection_close(front, slot, "frame_not_whole_in_time");
        } else if (idle > (int64_t)front->options.idle_s * SECOND_NS && line->in_flight == 0) {
            front->counts.closed_idle++;
            connection_close(front, slot, line->out_size > 0 ? "peer_does_not_read" : "idle");
        }
    }
}
