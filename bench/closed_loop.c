/*
 * A closed-loop client, and the echo that is its floor: both in one small program, for bench/serve.py.
 *
 *   closed_loop send PORT CONNECTIONS DEPTH FILE   sends FILE's frames, DEPTH in flight on each line
 *   closed_loop echo                               prints its port, then returns every frame as it came
 *
 * FILE: u32 count, then count times u32 size and the frame (little-endian). Connection c sends the
 * c-th share of them, in order. A reply is a frame of the same kind: u16 length, then so many bytes.
 * Printed at the end: replies, bytes of them, seconds, and round trips in microseconds (p50 p99 max).
 * A round trip begins when its request was handed to the kernel: in a closed loop that says how long
 * one waits at this load, not what latency an offered load would see.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER 65536
#define DEPTH_MAX 1024

typedef struct {
    int fd;
    uint32_t next, end; /* frames still to send */
    uint32_t sent, answered;
    size_t in_size;
    uint64_t sent_ns[DEPTH_MAX];
    unsigned char in[BUFFER];
} line_t;

static unsigned char *corpus;
static size_t *offsets;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint32_t load(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) die(path);
    const long size = ftell(file);
    rewind(file);
    corpus = malloc((size_t)size);
    if (corpus == NULL || fread(corpus, 1, (size_t)size, file) != (size_t)size) die(path);
    fclose(file);
    uint32_t count;
    memcpy(&count, corpus, 4);
    offsets = malloc((count + 1) * sizeof *offsets);
    offsets[0] = 4;
    for (uint32_t index = 0; index < count; index++) {
        uint32_t frame;
        memcpy(&frame, corpus + offsets[index], 4);
        offsets[index + 1] = offsets[index] + 4 + frame;
    }
    return count;
}

static void send_all(int fd, const unsigned char *data, size_t size)
{
    while (size > 0) {
        const ssize_t some = send(fd, data, size, MSG_NOSIGNAL);
        if (some < 0 && errno != EINTR) die("send");
        if (some > 0) data += some, size -= (size_t)some;
    }
}

/* Sends as many frames as the depth allows, in one call. */
static void fill(line_t *line, uint32_t depth)
{
    static unsigned char out[1 << 20];
    size_t size = 0;
    while (line->next < line->end && line->sent - line->answered < depth) {
        const size_t from = offsets[line->next] + 4;
        const size_t frame = offsets[line->next + 1] - from;
        memcpy(out + size, corpus + from, frame);
        size += frame;
        line->sent_ns[line->sent % DEPTH_MAX] = now_ns();
        line->next++;
        line->sent++;
    }
    if (size > 0) send_all(line->fd, out, size);
}

static int connect_to(uint16_t port)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

static int ascending(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static int client(uint16_t port, uint32_t connections, uint32_t depth, const char *path)
{
    const uint32_t count = load(path), share = count / connections;
    line_t *lines = calloc(connections, sizeof *lines);
    uint64_t *trips = malloc((size_t)count * sizeof *trips);
    const int epoll = epoll_create1(0);
    for (uint32_t index = 0; index < connections; index++) {
        lines[index].fd = connect_to(port);
        lines[index].next = index * share;
        lines[index].end = (index + 1) * share;
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, lines[index].fd, &event) != 0) die("epoll");
    }
    const uint64_t began = now_ns();
    for (uint32_t index = 0; index < connections; index++) fill(&lines[index], depth);
    uint32_t answered = 0;
    uint64_t bytes = 0;
    while (answered < share * connections) {
        struct epoll_event events[256];
        const int ready = epoll_wait(epoll, events, 256, 20000);
        if (ready <= 0) die("no replies for twenty seconds");
        for (int event = 0; event < ready; event++) {
            line_t *line = &lines[events[event].data.u32];
            const ssize_t got =
                recv(line->fd, line->in + line->in_size, BUFFER - line->in_size, MSG_DONTWAIT);
            if (got == 0) die("closed by the server");
            if (got < 0) continue;
            line->in_size += (size_t)got;
            bytes += (uint64_t)got;
            size_t at = 0;
            while (line->in_size - at >= 2) {
                const size_t frame = 2u + ((size_t)line->in[at] << 8 | line->in[at + 1]);
                if (line->in_size - at < frame) break;
                at += frame;
                trips[answered++] = now_ns() - line->sent_ns[line->answered % DEPTH_MAX];
                line->answered++;
            }
            memmove(line->in, line->in + at, line->in_size - at);
            line->in_size -= at;
            fill(line, depth);
        }
    }
    const double seconds = (double)(now_ns() - began) / 1e9;
    qsort(trips, answered, sizeof *trips, ascending);
    printf("{\"replies\":%u,\"bytes\":%llu,\"seconds\":%.6f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"max_us\":%.1f}\n",
           answered, (unsigned long long)bytes, seconds, (double)trips[answered / 2] / 1e3,
           (double)trips[(uint64_t)answered * 99 / 100] / 1e3, (double)trips[answered - 1] / 1e3);
    return 0;
}

static _Noreturn void echo(void)
{
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1024) != 0) {
        die("listen");
    }
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    static unsigned char data[BUFFER];
    for (;;) {
        struct epoll_event events[256];
        const int ready = epoll_wait(epoll, events, 256, -1), yes = 1;
        for (int index = 0; index < ready; index++) {
            if (events[index].data.fd == listener) {
                const int fd = accept(listener, NULL, NULL);
                if (fd < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                event.data.fd = fd;
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
                continue;
            }
            const ssize_t got = recv(events[index].data.fd, data, sizeof data, 0);
            if (got <= 0) {
                close(events[index].data.fd);
            } else {
                send_all(events[index].data.fd, data, (size_t)got);
            }
        }
    }
}

int main(int count, char **words)
{
    if (count == 6 && strcmp(words[1], "send") == 0 && atoi(words[4]) <= DEPTH_MAX) {
        return client((uint16_t)atoi(words[2]), (uint32_t)atoi(words[3]), (uint32_t)atoi(words[4]),
                      words[5]);
    }
    if (count == 2 && strcmp(words[1], "echo") == 0) echo();
    fprintf(stderr, "closed_loop send PORT CONNECTIONS DEPTH FILE | closed_loop echo\n");
    return 2;
}
