# cython: language_level=3
"""Entries of the journal as Python has them: a tuple for one that is read, names and values for one
that is staged. Everything is copied."""

from libc.stdint cimport uint8_t
from libc.string cimport memcpy, memset, strlen

from posengine.errors import ArgumentFault

cdef extern from "string.h" nogil:
    void explicit_bzero(void *at, size_t size)

ENTRY_FIELDS = (
    "sequence", "original", "received_at_ns", "terminal_at_ns", "amount_minor",
    "staged_after_us", "flags", "processing", "stan", "batch", "original_batch",
    "original_stan", "bin", "line", "last4", "mti", "currency", "entry_mode", "network",
    "kind", "outcome", "type", "condition", "requirement", "response", "reason", "tid", "mid",
    "rrn", "original_rrn", "auth", "operator_id", "pan_token", "fingerprint", "request", "answer",
    "why",
)


cdef str text(const char *at, Py_ssize_t size):
    """Text without its blanks; what is no ASCII is shown as it is, byte by byte."""
    return at[:size].decode("latin-1").rstrip(" ")


cdef tuple row(const pos_entry *entry):
    """An entry as a tuple in the order of ``ENTRY_FIELDS``. Everything is copied."""
    return (
        entry.sequence, entry.original, entry.received_at_ns, entry.terminal_at_ns,
        entry.amount_minor, entry.staged_after_us, entry.flags, entry.processing, entry.stan,
        entry.batch, entry.original_batch, entry.original_stan, entry.bin, entry.line,
        entry.last4, entry.mti, entry.currency, entry.entry_mode, entry.network, entry.kind,
        entry.outcome, entry.type, entry.condition, entry.requirement,
        text(entry.response, 2), text(entry.reason, 2), text(entry.tid, 8), text(entry.mid, 15),
        text(entry.rrn, 12), text(entry.original_rrn, 12), text(entry.auth, 6),
        text(entry.operator_id, 3),
        entry.pan_token[:16], entry.fingerprint[:16],
        (<const char *>entry.request)[:entry.request_size],
        (<const char *>entry.answer)[:entry.answer_size],
        entry.why,
    )


cdef int put_text(char *at, Py_ssize_t size, str name, str value) except -1:
    encoded = value.encode("latin-1")
    if len(encoded) > size:
        raise ValueError(f"{name} has at most {size} characters, got {len(encoded)}")
    memset(at, ord(" "), size)
    memcpy(at, <const char *>encoded, len(encoded))
    return 0


cdef int put_bytes(uint8_t *at, str name, bytes value) except -1:
    if len(value) != 16:
        raise ValueError(f"{name} has 16 bytes, got {len(value)}")
    memcpy(at, <const char *>value, 16)
    return 0


cdef int fill(pos_entry *entry, dict fields) except -1:
    """An entry to be staged, from names and values; its slices are the caller's."""
    memset(entry, 0, sizeof(pos_entry))
    for name in fields:
        if name not in ENTRY_FIELDS or name == "sequence":
            raise ValueError(f"an entry that is staged has no field {name!r}")
    entry.original = fields.get("original", 0)
    entry.received_at_ns = fields.get("received_at_ns", 0)
    entry.terminal_at_ns = fields.get("terminal_at_ns", 0)
    entry.amount_minor = fields.get("amount_minor", 0)
    entry.staged_after_us = fields.get("staged_after_us", 0)
    entry.flags = fields.get("flags", 0)
    entry.processing = fields.get("processing", 0)
    entry.stan = fields.get("stan", 0)
    entry.batch = fields.get("batch", 0)
    entry.original_batch = fields.get("original_batch", 0)
    entry.original_stan = fields.get("original_stan", 0)
    entry.bin = fields.get("bin", 0)
    entry.line = fields.get("line", 0)
    entry.last4 = fields.get("last4", 0)
    entry.mti = fields.get("mti", 0)
    entry.currency = fields.get("currency", 0)
    entry.entry_mode = fields.get("entry_mode", 0)
    entry.network = fields.get("network", 0)
    entry.kind = fields.get("kind", 0)
    entry.outcome = fields.get("outcome", 0)
    entry.type = fields.get("type", 0)
    entry.condition = fields.get("condition", 0)
    entry.requirement = fields.get("requirement", 0)
    entry.why = fields.get("why", 0)
    put_text(entry.response, 2, "response", fields.get("response", ""))
    put_text(entry.reason, 2, "reason", fields.get("reason", ""))
    put_text(entry.tid, 8, "tid", fields.get("tid", ""))
    put_text(entry.mid, 15, "mid", fields.get("mid", ""))
    put_text(entry.rrn, 12, "rrn", fields.get("rrn", ""))
    put_text(entry.original_rrn, 12, "original_rrn", fields.get("original_rrn", ""))
    put_text(entry.auth, 6, "auth", fields.get("auth", ""))
    put_text(entry.operator_id, 3, "operator_id", fields.get("operator_id", ""))
    put_bytes(entry.pan_token, "pan_token", fields.get("pan_token", bytes(16)))
    put_bytes(entry.fingerprint, "fingerprint", fields.get("fingerprint", bytes(16)))
    return 0


# ---- account numbers ------------------------------------------------------------------------------
cdef const uint8_t *key_of(bytes master_key) except NULL:
    """The 32 bytes; borrowed."""
    if len(master_key) != 32:
        raise ArgumentFault("the master key has 32 bytes")
    return <const uint8_t *><const char *>master_key


cdef bytes digits_of(str pan):
    """An account number as the core takes it; empty: none."""
    digits = pan.encode("ascii", "replace")
    if digits and not (digits.isdigit() and len(digits) <= 19):
        raise ArgumentFault("an account number has 1 to 19 digits")
    return digits


cdef str taken(char *digits):
    """An account number as text; where it stood is wiped."""
    size = strlen(digits)
    pan = digits[:size].decode("ascii")
    explicit_bzero(digits, size)
    return pan
