/*
 * A closed-loop client, and the echo that is its floor: both in one small program, for bench/serve.py.
 *
 *   closed_loop drive HOME     terminals that sell; reads orders from stdin, one a line:
 *       sign PORT                           signs every terminal on, and keeps its keys
 *       keys FILE                           writes them as "TID hex" lines, for another host
 *       meet PORT                           learns the form of another host's answers
 *       sell PORT CONNECTIONS DEPTH COUNT   COUNT sales, DEPTH in flight on each connection
 *       echo PORT CONNECTIONS DEPTH COUNT   the same frames, to an echo
 *   closed_loop echo           prints its port, then returns every frame as it came
 *
 * HOME is as bench/engine.py prepares it. Terminals are dealt to connections evenly; each has its
 * own key, and its sales follow one another on one line. The frames of an order are made, with their
 * MACs, before its clock starts. Of every reply size, MTI, STAN (in the order of the requests) and
 * response are looked at while the clock runs; one in a thousand has its MAC recomputed after it.
 *
 * Each order answers with a line of JSON: replies, bytes, seconds, CPU seconds of this client, and
 * round trips in microseconds (p50 p99 max). A round trip begins when its request is handed to the
 * kernel: in a closed loop that says how long one waits at this load, not what latency an offered
 * load would see.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bytes/bytes.h"
#include "posengine.h"
#include "sale_frames.h"

#define BUFFER 65536U
#define EVENTS_MAX 512
#define DEPTH_MAX 1024U
#define SAMPLE 1000U
#define SAMPLES_MAX 4096U
#define WAIT_MS 20000

typedef struct terminal {
    uint8_t mak[16];
    uint8_t mak_size;
    uint32_t batch, stan;
} terminal;

typedef struct line {
    int fd;
    uint32_t next, end; /* frames still to send */
    uint32_t answered;  /* the frame whose reply is next */
    uint32_t in_size;
    uint8_t *in;
    uint64_t *sent_ns; /* by frame, modulo the depth */
} line;

typedef struct reply_shape {
    size_t size;
    size_t body, stan, response, mac; /* offsets in the frame */
} reply_shape;

static terminal *terminals;
static pos_spec *spec;
static reply_shape shape;
static uint8_t *frames;
static size_t frames_size;
static uint32_t *owners;
static pos_histogram trips;
static struct {
    uint32_t frame;
    uint8_t reply[FRAME_MAX];
} samples[SAMPLES_MAX];
static uint32_t sample_count;
static line *lines;
static uint8_t *reply_buffers;

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int connect_to(uint16_t port)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

static void send_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        const ssize_t some = send(fd, data, size, MSG_NOSIGNAL);
        MUST(some > 0 || errno == EINTR);
        if (some > 0) data += some, size -= (size_t)some;
    }
}

static void take_exactly(int fd, uint8_t *data, size_t size)
{
    while (size > 0) {
        const ssize_t some = recv(fd, data, size, 0);
        MUST(some > 0);
        data += some;
        size -= (size_t)some;
    }
}

/* One frame, waited for. */
static size_t take_frame(int fd, uint8_t *frame)
{
    take_exactly(fd, frame, 2);
    const size_t rest = pos_load_u16_be(frame);
    MUST(rest + 2 <= FRAME_MAX);
    take_exactly(fd, frame + 2, rest);
    return rest + 2;
}

static void opened(const uint8_t *frame, size_t size, pos_message *message)
{
    pos_frame cut;
    MUST(pos_frame_next(spec, frame, size, &cut) == POS_OK);
    MUST(pos_message_parse(spec, cut.body, cut.body_size, message, NULL) == POS_OK);
    MUST(memcmp(message->body + message->fields[39].offset, "00", 2) == 0);
}

/* ---- keys ------------------------------------------------------------------------------------------ */
static void take_keys(const uint8_t *frame, size_t size, terminal *ours)
{
    pos_message message;
    pos_key tmk;
    pos_key_block_layout layout;
    pos_working_keys keys;
    uint8_t text[POS_VALUE_SIZE_MAX];
    opened(frame, size, &message);
    MUST(pos_key_make(POS_KEY_TMK, POS_CIPHER_DES, TMK, sizeof TMK, NULL, 0, &tmk) == POS_OK);
    MUST(pos_key_block_layout_of(3, &layout) == POS_OK);
    MUST(pos_key_block_open(&layout, &tmk, message.body + message.fields[62].offset,
                            message.fields[62].size, &keys)
         == POS_OK);
    ours->mak_size = keys.mak.size;
    memcpy(ours->mak, keys.mak.bytes, keys.mak.size);
    MUST(pos_message_value(spec, &message, 60, text) >= 8);
    ours->batch = (uint32_t)pos_ascii_number(text + 2, 6);
}

static void sign_all_on(uint16_t port)
{
    const int fd = connect_to(port);
    uint8_t reply[FRAME_MAX];
    const uint32_t some = 128; /* in flight: less than a connection may have */
    for (uint32_t first = 0; first < at.terminals; first += some) {
        const uint32_t end = first + some < at.terminals ? first + some : at.terminals;
        for (uint32_t index = first; index < end; index++) {
            pos_ascii_from_number(10000001 + index, (char *)sign_on + at.sign_on_tid, 8);
            pos_bcd_from_number(++terminals[index].stan, sign_on + at.sign_on_stan, 3);
            send_all(fd, sign_on, sign_on_size);
        }
        for (uint32_t index = first; index < end; index++) {
            take_keys(reply, take_frame(fd, reply), &terminals[index]);
        }
    }
    close(fd);
}

static void mac_of(const terminal *ours, const uint8_t *covered, size_t size, uint8_t field[8])
{
    uint8_t mac[POS_MAC_SIZE_MAX];
    size_t mac_size;
    MUST(pos_mac_compute(POS_MAC_UNIONPAY_ECB, ours->mak, ours->mak_size, covered, size, mac,
                         &mac_size)
         == POS_OK);
    pos_mac_field(mac, POS_MAC_OUTPUT_HEX, field, 8);
}

static void make_sale(uint8_t *frame, uint32_t owner, size_t body)
{
    terminal *ours = &terminals[owner];
    memcpy(frame, sale, sale_size);
    pos_ascii_from_number(10000001 + owner, (char *)frame + at.sale_tid, 8);
    pos_bcd_from_number(ours->stan = ours->stan % 999999 + 1, frame + at.sale_stan, 3);
    pos_bcd_from_number(100 + ours->stan % 900, frame + at.sale_amount, 6);
    pos_bcd_from_number(ours->batch, frame + at.sale_batch, 3);
    mac_of(ours, frame + body, at.sale_mac - body, frame + at.sale_mac);
}

static size_t body_of(const uint8_t *frame, size_t size)
{
    pos_frame cut;
    MUST(pos_frame_next(spec, frame, size, &cut) == POS_OK);
    return (size_t)(cut.body - frame);
}

/* Learns from one sale where STAN, response and MAC lie in an answer: all have the same fields. */
static void learn(uint16_t port)
{
    uint8_t frame[FRAME_MAX], reply[FRAME_MAX];
    pos_message message;
    const int fd = connect_to(port);
    make_sale(frame, 0, body_of(sale, sale_size));
    send_all(fd, frame, sale_size);
    const size_t size = take_frame(fd, reply);
    opened(reply, size, &message);
    const size_t body = (size_t)(message.body - reply);
    shape = (reply_shape){.size = size,
                          .body = body,
                          .stan = body + message.fields[11].offset,
                          .response = body + message.fields[39].offset,
                          .mac = body + message.fields[64].offset};
    close(fd);
}

/* ---- an order ----------------------------------------------------------------------------------------- */
/* Frames by connection, each connection's of its own terminals in turn. */
static void make_frames(uint32_t connections, uint32_t count)
{
    const size_t body = body_of(sale, sale_size);
    const size_t wanted = (size_t)count * sale_size;
    if (wanted > frames_size) {
        free(frames);
        free(owners);
        frames = malloc(wanted);
        owners = malloc(count * sizeof *owners);
        MUST(frames != NULL && owners != NULL);
        frames_size = wanted;
    }
    const uint32_t share = count / connections;
    const uint32_t each = at.terminals / connections > 0 ? at.terminals / connections : 1;
    for (uint32_t index = 0; index < count; index++) {
        const uint32_t connection = index / share;
        owners[index] = (connection * each + index % share % each) % at.terminals;
        make_sale(frames + (size_t)index * sale_size, owners[index], body);
    }
}

/* Sends as many frames as the depth allows: they lie one after the other. */
static void fill(line *ours, uint32_t depth)
{
    uint32_t some = depth - (ours->next - ours->answered);
    if (some > ours->end - ours->next) some = ours->end - ours->next;
    if (some == 0) return;
    const uint64_t now = now_ns(CLOCK_MONOTONIC);
    for (uint32_t index = 0; index < some; index++) {
        ours->sent_ns[(ours->next + index) % depth] = now;
    }
    const uint8_t *from = frames + (size_t)ours->next * sale_size;
    ours->next += some;
    send_all(ours->fd, from, some * sale_size);
}

static void look_at(const uint8_t *reply, size_t size, uint32_t frame, bool is_echo)
{
    const uint8_t *request = frames + (size_t)frame * sale_size;
    if (is_echo) {
        MUST(size == sale_size && memcmp(reply + at.sale_stan, request + at.sale_stan, 3) == 0);
        return;
    }
    MUST(size == shape.size && reply[shape.body] == 0x02 && reply[shape.body + 1] == 0x10);
    MUST(memcmp(reply + shape.stan, request + at.sale_stan, 3) == 0);
    MUST(reply[shape.response] == '0' && reply[shape.response + 1] == '0');
    if (frame % SAMPLE != 0 || sample_count == SAMPLES_MAX) return;
    samples[sample_count].frame = frame;
    memcpy(samples[sample_count++].reply, reply, size);
}

/* What has come on one line; how many replies. */
static uint32_t take(line *ours, uint32_t depth, bool is_echo, uint64_t *bytes)
{
    const ssize_t got = recv(ours->fd, ours->in + ours->in_size, BUFFER - ours->in_size,
                             MSG_DONTWAIT);
    MUST(got != 0);
    if (got < 0) return 0;
    const uint64_t now = now_ns(CLOCK_MONOTONIC);
    *bytes += (uint64_t)got;
    ours->in_size += (uint32_t)got;
    uint32_t from = 0, replies = 0;
    while (ours->in_size - from >= 2) {
        const uint32_t size = 2u + pos_load_u16_be(ours->in + from);
        if (ours->in_size - from < size) break;
        MUST(ours->answered < ours->next);
        look_at(ours->in + from, size, ours->answered, is_echo);
        pos_histogram_record(&trips, now - ours->sent_ns[ours->answered % depth]);
        ours->answered++;
        replies++;
        from += size;
    }
    memmove(ours->in, ours->in + from, ours->in_size - from);
    ours->in_size -= from;
    return replies;
}

static void check_samples(void)
{
    for (uint32_t index = 0; index < sample_count; index++) {
        uint8_t field[8];
        const uint8_t *reply = samples[index].reply;
        mac_of(&terminals[owners[samples[index].frame]], reply + shape.body,
               shape.mac - shape.body, field);
        MUST(memcmp(field, reply + shape.mac, 8) == 0);
    }
}

static void prepare_lines(int epoll, uint16_t port, uint32_t connections, uint32_t share,
                          uint32_t depth)
{
    lines = calloc(connections, sizeof *lines);
    reply_buffers = malloc((size_t)connections * BUFFER);
    MUST(lines != NULL && reply_buffers != NULL);
    for (uint32_t index = 0; index < connections; index++) {
        line *ours = &lines[index];
        *ours = (line){.fd = connect_to(port),
                       .next = index * share,
                       .end = (index + 1) * share,
                       .answered = index * share,
                       .in = reply_buffers + (size_t)index * BUFFER,
                       .sent_ns = calloc(depth, sizeof(uint64_t))};
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
        MUST(ours->sent_ns != NULL && epoll_ctl(epoll, EPOLL_CTL_ADD, ours->fd, &event) == 0);
    }
}

static void order(uint16_t port, uint32_t connections, uint32_t depth, uint32_t count,
                  bool is_echo)
{
    const uint32_t share = count / connections;
    MUST(depth > 0 && depth <= DEPTH_MAX && share > 0);
    const int epoll = epoll_create1(0);
    if (!is_echo) make_frames(connections, share * connections); /* an echo gets those of before */
    prepare_lines(epoll, port, connections, share, depth);
    memset(&trips, 0, sizeof trips);
    sample_count = 0;
    const uint64_t began = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t index = 0; index < connections; index++) fill(&lines[index], depth);
    uint32_t answered = 0;
    uint64_t bytes = 0;
    while (answered < share * connections) {
        struct epoll_event events[EVENTS_MAX];
        const int ready = epoll_wait(epoll, events, EVENTS_MAX, WAIT_MS);
        MUST(ready > 0); /* no replies for twenty seconds */
        for (int event = 0; event < ready; event++) {
            line *ours = &lines[events[event].data.u32];
            answered += take(ours, depth, is_echo, &bytes);
            fill(ours, depth);
        }
    }
    const double seconds = (double)(now_ns(CLOCK_MONOTONIC) - began) / 1e9;
    const double cpu_seconds = (double)(now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu) / 1e9;
    for (uint32_t index = 0; index < connections; index++) {
        close(lines[index].fd);
        free(lines[index].sent_ns);
    }
    free(lines);
    free(reply_buffers);
    close(epoll);
    if (!is_echo) check_samples();
    printf("{\"replies\":%u,\"bytes\":%llu,\"seconds\":%.6f,\"cpu_seconds\":%.6f,"
           "\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"macs_checked\":%u}\n",
           answered, (unsigned long long)bytes, seconds, cpu_seconds,
           (double)pos_histogram_percentile(&trips, 50) / 1e3,
           (double)pos_histogram_percentile(&trips, 99) / 1e3, (double)trips.value_max / 1e3,
           sample_count);
    fflush(stdout);
}

static void prepare(const char *home)
{
    read_frames(home);
    size_t size;
    uint8_t *data = load(home, "spec", &size);
    MUST(pos_spec_open(data, size, &spec) == POS_OK);
    free(data);
    terminals = calloc(at.terminals, sizeof *terminals);
    MUST(terminals != NULL);
}

/* The keys that were signed on with, for a host that cannot give keys of its own. */
static void write_keys(const char *path)
{
    FILE *file = fopen(path, "w");
    MUST(file != NULL);
    for (uint32_t index = 0; index < at.terminals; index++) {
        fprintf(file, "%u ", 10000001 + index);
        for (uint32_t byte = 0; byte < terminals[index].mak_size; byte++) {
            fprintf(file, "%02X", terminals[index].mak[byte]);
        }
        fputc('\n', file);
    }
    MUST(fclose(file) == 0);
}

static int drive(const char *home)
{
    char words[256], path[200];
    prepare(home);
    while (fgets(words, sizeof words, stdin) != NULL) {
        unsigned port, connections, depth, count;
        if (sscanf(words, "sign %u", &port) == 1) {
            sign_all_on((uint16_t)port);
            learn((uint16_t)port);
            printf("{\"terminals\":%u,\"reply_bytes\":%zu}\n", at.terminals, shape.size);
            fflush(stdout);
        } else if (sscanf(words, "meet %u", &port) == 1) {
            learn((uint16_t)port);
            printf("{\"reply_bytes\":%zu}\n", shape.size);
            fflush(stdout);
        } else if (sscanf(words, "keys %199s", path) == 1) {
            write_keys(path);
            printf("{\"terminals\":%u}\n", at.terminals);
            fflush(stdout);
        } else if (sscanf(words, "sell %u %u %u %u", &port, &connections, &depth, &count) == 4) {
            order((uint16_t)port, connections, depth, count, false);
        } else if (sscanf(words, "echo %u %u %u %u", &port, &connections, &depth, &count) == 4) {
            order((uint16_t)port, connections, depth, count, true);
        } else {
            fprintf(stderr, "no such order: %s", words);
            return 2;
        }
    }
    return 0;
}

static _Noreturn void echo(void)
{
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 4096) == 0);
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    static uint8_t data[BUFFER];
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        const int ready = epoll_wait(epoll, events, EVENTS_MAX, -1), yes = 1;
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
    if (count == 3 && strcmp(words[1], "drive") == 0) return drive(words[2]);
    if (count == 2 && strcmp(words[1], "echo") == 0) echo();
    fprintf(stderr, "closed_loop drive HOME | closed_loop echo\n");
    return 2;
}
