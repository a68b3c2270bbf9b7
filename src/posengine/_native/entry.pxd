"""Card: entries as tuples, and from names and values."""

from posengine._native.journal cimport pos_entry

cdef tuple row(const pos_entry *entry)
cdef int fill(pos_entry *entry, dict fields) except -1
cdef int put_text(char *at, Py_ssize_t size, str name, str value) except -1
