"""Card: entries as tuples, and from names and values."""

from libc.stdint cimport uint8_t

from posengine._native.journal cimport pos_entry

cdef tuple row(const pos_entry *entry)
cdef int fill(pos_entry *entry, dict fields) except -1
cdef const uint8_t *key_of(bytes master_key) except NULL
cdef bytes digits_of(str pan)
cdef str taken(char *digits)
cdef int put_text(char *at, Py_ssize_t size, str name, str value) except -1
