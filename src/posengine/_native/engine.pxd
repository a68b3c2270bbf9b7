"""Card: the engine and its front, as posengine.h declares them."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from posengine._native.journal cimport (
    POS_DURABLE_FULL,
    POS_DURABLE_LATE,
    pos_durability,
    pos_journal_facts,
    pos_journal_options,
)
from posengine._native.status cimport pos_status

cdef extern from "posengine.h" nogil:
    ctypedef struct pos_bytes:
        const uint8_t *data
        size_t size
    ctypedef void (*pos_log_function)(void *context, const char *line, size_t size) noexcept nogil
    ctypedef struct pos_question:
        int64_t amount_minor
        char response[2]
    ctypedef void (*pos_decide_function)(void *context, pos_question *questions,
                                         size_t count) noexcept nogil
    ctypedef struct pos_engine_options:
        const char *journal_path
        const char *keystore_path
        const char *state_path
        pos_journal_options journal
        pos_bytes spec
        pos_bytes roster
        pos_bytes policy
        pos_bytes downloads
        uint8_t master_key[32]
        uint32_t terminals_max
        uint32_t postings_max
        uint32_t repeats_max
        uint32_t repeat_window_h
        uint32_t wave_frames_max
        uint32_t bad_macs_max
        uint32_t lock_s
        pos_log_function log
        void *log_context
        pos_decide_function decide
        void *decide_context
    ctypedef struct pos_engine:
        pass
    ctypedef struct pos_arrival:
        uint64_t line
        const uint8_t *frame
        size_t size
    ctypedef struct pos_reply:
        uint64_t line
        uint64_t sequence
        const uint8_t *data
        size_t size
        bint is_closing
    ctypedef struct pos_engine_images:
        pos_bytes spec
        pos_bytes roster
        pos_bytes policy
        pos_bytes downloads
    ctypedef struct pos_counter:
        const char *name
        const char *about
        uint64_t value
        bint is_gauge
    ctypedef struct pos_histogram:
        uint64_t count
        uint64_t sum
        uint64_t value_max

    pos_status pos_engine_open(const pos_engine_options *options, pos_engine **engine_out)
    void pos_engine_close(pos_engine *engine)
    pos_status pos_engine_submit_wave(pos_engine *engine, const pos_arrival *arrivals, size_t count,
                                      int64_t now_ns, size_t *taken_out)
    pos_status pos_engine_commit(pos_engine *engine)
    bint pos_engine_reply(pos_engine *engine, pos_reply *reply_out)
    pos_status pos_engine_reload(pos_engine *engine, const pos_engine_images *images,
                                 int64_t now_ns)
    pos_status pos_engine_lock(pos_engine *engine, const char *tid, bint is_locked, int64_t now_ns)
    bint pos_engine_counter(const pos_engine *engine, size_t index, pos_counter *counter_out)
    const pos_histogram *pos_engine_stage(const pos_engine *engine, size_t index,
                                          const char **name_out)
    void pos_engine_journal_facts(pos_engine *engine, pos_journal_facts *facts_out)
    void pos_engine_state_digest(const pos_engine *engine, uint8_t *digest_out)
    uint64_t pos_histogram_percentile(const pos_histogram *histogram, double percent)
    int64_t pos_clock_utc_ns()

    ctypedef struct pos_front:
        pass
    ctypedef struct pos_front_options:
        const char *listen
        const char *control
        uint32_t connections_max
        uint32_t in_flight_max
        uint32_t out_size_max
        uint32_t idle_s
        uint32_t frame_s
        uint32_t drain_s
        bint takes_signals
        void (*ask_reload)(void *context) noexcept nogil
        void *context
    pos_status pos_front_open(pos_engine *engine, const pos_front_options *options,
                              pos_front **front_out)
    void pos_front_close(pos_front *front)
    uint16_t pos_front_port(const pos_front *front, size_t index)
    pos_status pos_front_run(pos_front *front)
    void pos_front_drain(pos_front *front)
    pos_status pos_front_reload(pos_front *front, const pos_engine_images *images,
                                const char *failure)
    void pos_log_stderr(void *context, const char *line, size_t size)
