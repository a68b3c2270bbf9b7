"""Card: snapshots of the state, as posengine.h declares them."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from posengine._native.status cimport pos_status

cdef extern from "posengine.h" nogil:
    ctypedef struct pos_saver_options:
        const char *journal_path
        const char *state_path
        uint32_t terminals_max
        uint32_t postings_max
        uint32_t repeats_max
        uint32_t repeat_window_h
        uint64_t entries_min
        bint is_gentle
    ctypedef struct pos_saved_state:
        bint is_new
        uint64_t sequence
        uint64_t folded
        uint64_t size
        int64_t at_ns
        uint8_t journal_id[16]

    pos_status pos_engine_save_state(const pos_saver_options *options,
                                     pos_saved_state *saved_out)
    pos_status pos_engine_saved_state(const char *path, pos_saved_state *saved_out)
