# cython: language_level=3
"""Statuses of the core as exceptions of ``posengine.errors``."""

from posengine.errors import BY_STATUS

WHOSE = ("peer", "operator", "disk", "us")


cdef int checked(pos_status status, str what="") except -1:
    """Raise the exception of ``status`` unless it is OK; ``what`` says of what, in words."""
    if status == 0:
        return 0
    name = pos_status_name(status).decode()
    text = pos_status_text(status).decode()
    raise BY_STATUS[name](f"{what}: {text}" if what else text)


def statuses() -> list:
    """Every status: ``(name, whose, text)`` in the order of their numbers."""
    return [
        (
            pos_status_name(number).decode(),
            WHOSE[pos_status_whose(number)],
            pos_status_text(number).decode(),
        )
        for number in range(POS_STATUS_COUNT)
    ]


def cpu_path() -> str:
    """The path that this process takes: ``portable``, ``sse42``, ``avx2`` or ``avx512``."""
    return pos_cpu_path_name(pos_cpu_path_now()).decode()


def cpu_path_best() -> str:
    """The highest path that processor and system have."""
    return pos_cpu_path_name(pos_cpu_path_best()).decode()


def cpu_asked_is_met() -> bool:
    """False where POSENGINE_CPU names no path, or one that this machine has not."""
    return pos_cpu_asked_is_met()


def version() -> str:
    """The core's version, as ``"0.1.0"``."""
    return pos_version().decode()
