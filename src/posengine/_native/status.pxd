"""Card: statuses become exceptions here, and nowhere else."""

cdef extern from "posengine/status.h" nogil:
    ctypedef int pos_status
    const char *pos_status_name(pos_status status)
    const char *pos_status_text(pos_status status)
    int pos_status_whose(pos_status status)
    const char *pos_version()
    int POS_STATUS_COUNT

cdef int checked(pos_status status, str what=*) except -1
