/*
 * The front: an engine behind sockets. One thread runs the front and the engine's waves, a second
 * one commits pages; epoll, level-triggered; the replies of one connection leave in one send.
 */
#ifndef POSENGINE_FRONT_H
#define POSENGINE_FRONT_H

#include "posengine/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pos_front pos_front;

typedef struct pos_front_options {
    const char *listen;  /* "127.0.0.1:8583" or "[::]:8583"; several by commas; port 0: any free */
    const char *control; /* path of the control socket; NULL: none */
    uint32_t connections_max; /* 0 for 4,096 */
    uint32_t in_flight_max;   /* unanswered messages of one connection; 0 for 256 */
    uint32_t out_size_max;    /* bytes of replies that a slow peer may leave unread; 0 for 65,536 */
    uint32_t idle_s;          /* a connection that is silent for so long is closed; 0 for 300 */
    uint32_t frame_s;         /* a frame must be whole so soon after its first byte; 0 for 10 */
    uint32_t drain_s;         /* what is in flight at SIGTERM gets so long; 0 for 10 */
    bool takes_signals; /* SIGTERM and SIGINT drain, SIGHUP asks for a reload */
    /* SIGHUP or `reload` came: another thread is to make images and call pos_front_reload. Called
     * on the front's thread: return at once. NULL: reload is refused. */
    void (*ask_reload)(void *context);
    void *context;
} pos_front_options;

/* Listens. The engine stays the caller's. Fails: ADDRESS, SYSTEM, MEMORY, ARGUMENT. */
POS_API pos_status pos_front_open(pos_engine *engine, const pos_front_options *options,
                                  pos_front **front_out);
POS_API void pos_front_close(pos_front *front); /* NULL is fine */
/* The port of listening socket `index`; 0 past the last. */
POS_API uint16_t pos_front_port(const pos_front *front, size_t index);
/* Serves until drained. Fails: JOURNAL_IN_DOUBT, SYSTEM: nothing more was answered. */
POS_API pos_status pos_front_run(pos_front *front);
/* From any thread: finish what is in flight and return from run. */
POS_API void pos_front_drain(pos_front *front);
/*
 * From any thread but the front's: loads `images` between two waves and waits until that is done.
 * `failure`, if not NULL, is what those who asked are told instead, and nothing is loaded.
 * Fails as pos_engine_reload does; ENGINE_STOPPED where the front does not run.
 */
POS_API pos_status pos_front_reload(pos_front *front, const pos_engine_images *images,
                                    const char *failure);

/* A pos_engine_options.log: writes "ts=2026-11-21T23:05:01.123456Z " and the line to stderr. */
POS_API void pos_log_stderr(void *context, const char *line, size_t size);

#ifdef __cplusplus
}
#endif
#endif
