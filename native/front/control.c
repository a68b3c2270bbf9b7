/*
 * The operator's socket: one command a line, one answer, closed. Only the engine's own user and
 * root may speak here: the kernel says who a peer is (SO_PEERCRED), not the peer.
 *
 *   stat           counters, stages and journal as JSON      metrics   the same for Prometheus
 *   reload         spec, roster, policy, whole or not at all lock TID  unlock TID
 *   drain          finish what is in flight and end
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/front.h"

static void hang_up(control *peer)
{
    close(peer->fd);
    *peer = (control){.fd = -1};
}

/* Answers are far smaller than a socket's buffer; a peer that does not read loses the rest. */
static void answer(control *peer, const char *text, size_t size)
{
    size_t sent = 0;
    while (sent < size) {
        const ssize_t some = send(peer->fd, text + sent, size - sent, MSG_NOSIGNAL);
        if (some < 0 && errno == EINTR) continue;
        if (some <= 0) break;
        sent += (size_t)some;
    }
    hang_up(peer);
}

static void answer_text(control *peer, const char *text)
{
    answer(peer, text, strlen(text));
}

void control_accept(pos_front *front)
{
    const int fd = accept4(front->control_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct ucred who = {0};
    socklen_t size = sizeof who;
    const bool is_known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0;
    uint32_t index = 0;
    while (index < CONTROLS_MAX && front->controls[index].fd >= 0) index++;
    const bool is_allowed = is_known && (who.uid == 0 || who.uid == geteuid());
    if (!is_allowed || index == CONTROLS_MAX) {
        front->counts.control_refused++;
        pos_engine_log(front->engine, "warn", "control_refused", "uid=%u pid=%d reason=%s",
                       (unsigned)who.uid, (int)who.pid, is_allowed ? "controls_max" : "uid");
        close(fd);
        return;
    }
    front->controls[index] = (control){.fd = fd};
    if (watch(front, fd, EPOLLIN, TAG_CONTROL, index) != 0) hang_up(&front->controls[index]);
}

static void ask_lock(pos_front *front, control *peer, const char *tid, bool is_locked)
{
    char text[96];
    if (strlen(tid) != 8) {
        answer_text(peer, "error: a TID has eight characters\n");
        return;
    }
    const pos_status status =
        pos_engine_lock(front->engine, tid, is_locked, pos_clock_utc_ns());
    (void)snprintf(text, sizeof text, status == POS_OK ? "ok\n" : "error: %s\n",
                   pos_status_text(status));
    answer_text(peer, text);
}

static void ask_reload(pos_front *front, control *peer)
{
    if (front->options.ask_reload == NULL) {
        answer_text(peer, "error: this engine cannot reload\n");
        return;
    }
    peer->is_waiting = true;
    front->options.ask_reload(front->options.context);
}

void control_tell_reload(pos_front *front, pos_status status, const char *failure)
{
    char text[512];
    if (failure != NULL) {
        (void)snprintf(text, sizeof text, "error: %s\n", failure);
    } else if (status != POS_OK) {
        (void)snprintf(text, sizeof text, "error: %s\n", pos_status_text(status));
    } else {
        (void)snprintf(text, sizeof text, "ok\n");
    }
    for (size_t index = 0; index < CONTROLS_MAX; index++) {
        control *peer = &front->controls[index];
        if (peer->fd >= 0 && peer->is_waiting) answer_text(peer, text);
    }
}

static void obey(pos_front *front, control *peer, const char *line)
{
    front->counts.control_requests++;
    if (strcmp(line, "stat") == 0) {
        answer(peer, front->report, report_json(front, front->report, REPORT_SIZE_MAX));
    } else if (strcmp(line, "metrics") == 0) {
        answer(peer, front->report, report_metrics(front, front->report, REPORT_SIZE_MAX));
    } else if (strcmp(line, "reload") == 0) {
        ask_reload(front, peer);
    } else if (strcmp(line, "drain") == 0) {
        pos_engine_log(front->engine, "info", "drain_asked", "by=control");
        pos_front_drain(front);
        answer_text(peer, "ok\n");
    } else if (strncmp(line, "lock ", 5) == 0) {
        ask_lock(front, peer, line + 5, true);
    } else if (strncmp(line, "unlock ", 7) == 0) {
        ask_lock(front, peer, line + 7, false);
    } else {
        answer_text(peer, "error: stat, metrics, reload, drain, lock TID, unlock TID\n");
    }
}

void control_read(pos_front *front, uint32_t index)
{
    assert(index < CONTROLS_MAX);
    control *peer = &front->controls[index];
    if (peer->fd < 0) return;
    const size_t room = CONTROL_LINE_MAX - 1 - peer->size;
    const ssize_t got = recv(peer->fd, peer->line + peer->size, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        hang_up(peer);
        return;
    }
    peer->size += (uint32_t)got;
    peer->line[peer->size] = '\0';
    char *end = strchr(peer->line, '\n');
    if (end != NULL && !peer->is_waiting) {
        *end = '\0';
        obey(front, peer, peer->line);
    } else if (peer->size == CONTROL_LINE_MAX - 1) {
        answer_text(peer, "error: the line is too long\n");
    }
}
