# cython: language_level=3
"""Snapshots of the state: made from the journal alone, read without loading them."""

from libc.stdint cimport uint64_t
from libc.string cimport memset
from posengine._native.status cimport checked, pos_status


cdef tuple saved_as_tuple(const pos_saved_state *saved):
    return (saved.is_new, saved.sequence, saved.folded, saved.size, saved.at_ns,
            bytes(saved.journal_id[:16]))


def save_state(bytes journal_path not None, bytes state_path not None, dict settings not None,
               uint64_t entries_min, bint is_gentle) -> tuple:
    """Write a snapshot of what the journal adds up to, beside whoever writes the journal.

    Args:
        settings: the limits of the state by name, as the engine has them.
        entries_min: with fewer durable entries since the newest snapshot nothing is made.
        is_gentle: leave half of the disk's time to others.

    Returns:
        ``(is_new, sequence, folded, size, at_ns, journal_id)`` of the newest snapshot.

    Raises:
        PosError: the journal cannot be read, or the file not be written.
    """
    cdef pos_saver_options options
    cdef pos_saved_state saved
    cdef pos_status status
    memset(&options, 0, sizeof(options))
    memset(&saved, 0, sizeof(saved))
    options.journal_path = journal_path
    options.state_path = state_path
    options.terminals_max = settings.get("terminals_max", 0)
    options.postings_max = settings.get("postings_max", 0)
    options.repeats_max = settings.get("repeats_max", 0)
    options.repeat_window_h = settings.get("repeat_window_h", 0)
    options.entries_min = entries_min
    options.is_gentle = is_gentle
    with nogil:
        status = pos_engine_save_state(&options, &saved)
    checked(status, "snapshot")
    return saved_as_tuple(&saved)


def saved_state(bytes state_path not None) -> tuple:
    """What the snapshot at ``state_path`` says of itself, as ``save_state`` returns it.

    Raises:
        PosError: there is none, or it is damaged or of another build.
    """
    cdef pos_saved_state saved
    memset(&saved, 0, sizeof(saved))
    checked(pos_engine_saved_state(state_path, &saved), "snapshot")
    return saved_as_tuple(&saved)
