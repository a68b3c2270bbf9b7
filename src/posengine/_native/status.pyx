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


def version() -> str:
    """The core's version, as ``"0.1.0"``."""
    return pos_version().decode()
