/*
 * The inside of the front room, the only one with sockets.
 *
 *   serve.c       the loop: wait, read, submit, hand over, reply       listen.c   addresses
 *   connection.c  one terminal line: frames in, replies out            log.c      lines on stderr
 *   control.c     the operator's socket: stat, metrics, reload, ...    report.c   JSON, Prometheus
 *
 * Memory is taken when the front is opened. One receive arena holds the bytes of one round of the
 * loop; a connection keeps at most one unfinished frame and the replies that its peer did not take.
 */
#ifndef POS_FRONT_ROOM_H
#define POS_FRONT_ROOM_H

#include <pthread.h>
#include <stdatomic.h>

#include "bytes/bytes.h"
#include "engine/engine.h"
#include "measure/measure.h"
#include "posengine/front.h"

#define LISTENERS_MAX 8U
#define CONTROLS_MAX 8U
#define CONTROL_LINE_MAX 128U
#define READ_SIZE 32768U     /* of one connection in one round: fair to the others */
#define ARENA_SIZE (4U << 20)
#define ARRIVALS_MAX 8192U
#define FRAME_SIZE_MIN 10U /* MTI and bitmap */
#define READ_FRAMES_MAX (READ_SIZE / FRAME_SIZE_MIN + 1U) /* and one that was begun before */
_Static_assert(READ_FRAMES_MAX <= ARRIVALS_MAX, "an empty round takes what one read holds");
#define EVENTS_MAX 512
#define REPORT_SIZE_MAX 65536U

typedef enum front_tag {
    TAG_LISTENER = 1,
    TAG_CONNECTION,
    TAG_SIGNAL,
    TAG_JOURNAL, /* the journal thread has written */
    TAG_DURABLE, /* a page that was still on its way is durable */
    TAG_MAIL,    /* another thread wants something */
    TAG_CONTROL_LISTENER,
    TAG_CONTROL
} front_tag;

typedef struct connection {
    int fd; /* -1: the slot is free */
    uint32_t serial;   /* number of this connection within the run: entries name it */
    uint32_t in_size;  /* bytes of an unfinished frame */
    uint32_t out_from; /* of what is not sent yet */
    uint32_t out_size;
    uint32_t in_flight;
    uint32_t events;   /* that epoll watches */
    int64_t active_ns; /* monotonic: last byte in either direction */
    int64_t frame_ns;  /* first byte of the unfinished frame; 0: none */
    bool is_touched;   /* has new replies in this round */
    bool is_ending;    /* nothing more is read; closed when all is answered and sent */
    uint8_t *in;
    uint8_t *out;
} connection;

typedef struct control {
    int fd; /* -1: free */
    uint32_t size;
    bool is_waiting; /* for a reload */
    char line[CONTROL_LINE_MAX];
} control;

typedef struct front_counts {
    uint64_t accepted;
    uint64_t refused;     /* connections_max, or no file descriptor */
    uint64_t closed_idle;
    uint64_t closed_slow; /* a frame took longer than frame_s, or the peer does not read */
    uint64_t closed_fault;
    uint64_t closed_peer;
    uint64_t replies_lost; /* their connection was gone */
    uint64_t held_rounds;  /* the stage was full: nothing was read until the disk was ready */
    uint64_t control_requests;
    uint64_t control_refused;
    uint64_t reloads_failed;
} front_counts;

struct pos_front {
    pos_engine *engine;
    pos_front_options options;
    size_t in_size_max;
    int epoll;
    int listeners[LISTENERS_MAX];
    uint16_t ports[LISTENERS_MAX];
    size_t listener_count;
    int spare; /* given up to refuse a connection when no descriptor is left */
    int signals;
    int journal_event;
    int durable_event;
    int kick_event;
    int mail_event;
    int control_listener;
    char control_path[108];
    control controls[CONTROLS_MAX];
    connection *connections;
    uint32_t *free_slots;
    uint32_t free_count;
    uint32_t *touched; /* slots with new replies in this round */
    uint32_t touched_count;
    uint8_t *slab; /* all in and out buffers */
    size_t slab_size;
    uint8_t *arena;
    size_t arena_used;
    pos_arrival *arrivals;
    size_t arrival_count;
    size_t arrival_taken;
    bool is_held; /* the stage is full: nothing is read until the journal thread has written */
    uint64_t unanswered_peak; /* most messages unanswered at once, lately */
    int64_t peak_ns;          /* when that was halved */
    int64_t gather_ns;        /* since when a page waits for more; 0: none does */
    uint32_t serial;
    int64_t now_ns; /* monotonic, of this round */
    int64_t checked_ns;
    int64_t drain_ns; /* when draining must end; 0: serving */
    char *report;
    front_counts counts;
    /* the journal thread */
    pthread_t journal_thread;
    pthread_t touch_thread; /* at the start: takes the memory of the state's tables */
    bool has_touch;
    bool has_thread;
    bool is_writing; /* it was kicked and has not answered */
    atomic_bool is_ending;
    atomic_bool has_written; /* it has answered, and nobody has looked yet */
    atomic_int journal_status;
    /* mail from other threads */
    pthread_mutex_t mutex;
    pthread_cond_t done;
    bool is_running;
    atomic_bool is_drain_asked;
    const pos_engine_images *mail_images;
    const char *mail_failure;
    bool has_mail;
    pos_status mail_status;
};

/* listen.c */
pos_status listen_all(pos_front *front);
pos_status listen_control(pos_front *front);
int watch(const pos_front *front, int fd, uint32_t events, front_tag tag, uint32_t index);

/* connection.c */
pos_status connections_make(pos_front *front);
void connections_free(pos_front *front);
void connection_accept(pos_front *front, size_t listener);
void connection_read(pos_front *front, uint32_t slot, bool is_last);
void connection_flush(pos_front *front, uint32_t slot);
void connection_watch(pos_front *front, uint32_t slot);
void connection_look_again(pos_front *front, uint32_t slot);
void connection_close(pos_front *front, uint32_t slot, const char *why);
void connection_end(pos_front *front, uint32_t slot);
void connection_reply(pos_front *front, const pos_reply *reply);
void connections_check_times(pos_front *front);
uint32_t connections_open(const pos_front *front);

/* control.c */
void control_accept(pos_front *front);
void control_read(pos_front *front, uint32_t index);
void control_tell_reload(pos_front *front, pos_status status, const char *failure);

/* report.c */
size_t report_json(pos_front *front, char *text, size_t capacity);
size_t report_metrics(pos_front *front, char *text, size_t capacity);

/* serve.c */
pos_status front_flush_arrivals(pos_front *front);

#endif
