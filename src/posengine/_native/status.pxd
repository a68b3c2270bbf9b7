"""Card: statuses become exceptions here, and nowhere else."""

cdef extern from "posengine/status.h" nogil:
    ctypedef int pos_status
    const char *pos_status_name(pos_status status)
    const char *pos_status_text(pos_status status)
    int pos_status_whose(pos_status status)
    const char *pos_version()
    int POS_STATUS_COUNT

cdef extern from "posengine/measure.h" nogil:
    ctypedef int pos_cpu_path
    pos_cpu_path pos_cpu_path_now()
    pos_cpu_path pos_cpu_path_best()
    bint pos_cpu_asked_is_met()
    const char *pos_cpu_path_name(pos_cpu_path path)

cdef int checked(pos_status status, str what=*) except -1
