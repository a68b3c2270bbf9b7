# cython: language_level=3
"""Rehearsals of the rules: ``native/decide`` and ``native/state`` over plain values.

Each call copies what it gives back; nothing borrowed leaves this module.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset
from posengine._native.status cimport checked


def reasons() -> list:
    """Every reason: ``(name, response, text)`` in the order of their numbers."""
    return [
        (
            pos_reason_name(number).decode(),
            pos_reason_response(number).decode(),
            pos_reason_text(number).decode(),
        )
        for number in range(POS_REASON_COUNT)
    ]


cdef int put_text(char *to, size_t size, str text) except -1:
    """Blank padded; ValueError where it is too long."""
    cdef bytes raw = text.encode("ascii")
    if len(raw) > <Py_ssize_t>size:
        raise ValueError(f"{text!r} is over {size} characters")
    cdef bytes padded = raw.ljust(<Py_ssize_t>size)
    memcpy(to, <const char *>padded, size)
    return 0


cdef int put_bytes(uint8_t *to, bytes value) except -1:
    if len(value) != 16:
        raise ValueError(f"sixteen bytes, not {len(value)}")
    memcpy(to, <const char *>value, 16)
    return 0


cdef int put_side(pos_totals_side *to, side) except -1:
    to.debit_minor, to.credit_minor, to.debit_count, to.credit_count = side
    return 0


cdef tuple side_of(const pos_totals_side *side):
    return side.debit_minor, side.credit_minor, side.debit_count, side.credit_count


cdef tuple totals_of(const pos_totals *totals):
    return side_of(&totals.domestic), side_of(&totals.foreign)


cdef class Rehearsal:
    """A host in memory: a policy, terminals, a state, and every entry so far."""

    cdef pos_rehearsal *handle

    def __cinit__(self, bytes policy, *, uint32_t entries_max=4096, uint32_t terminals_max=64,
                  uint32_t postings_max=4096, uint32_t repeats_max=8192,
                  uint32_t repeat_window_h=24, uint32_t posting_window_d=400):
        cdef pos_rehearsal_options options
        options.entries_max = entries_max
        options.terminals_max = terminals_max
        options.postings_max = postings_max
        options.repeats_max = repeats_max
        options.repeat_window_h = repeat_window_h
        options.posting_window_d = posting_window_d
        checked(pos_rehearsal_open(<const uint8_t *><const char *>policy, <size_t>len(policy),
                                   &options, &self.handle), "policy")

    def __dealloc__(self):
        pos_rehearsal_close(self.handle)

    def terminal_set(self, str tid, str mid, *, kind_mask, int flags=1, int key_cipher=0,
                     int key_size=16, int currency=156, amount_minor_max=0):
        """Adds a terminal, or replaces the one of that TID."""
        cdef pos_rehearsal_terminal terminal
        memset(&terminal, 0, sizeof(terminal))
        put_text(terminal.tid, 8, tid)
        put_text(terminal.mid, 15, mid)
        terminal.flags = flags
        terminal.key_cipher = key_cipher
        terminal.key_size = key_size
        terminal.currency = currency
        terminal.kind_mask = kind_mask
        terminal.amount_minor_max = amount_minor_max
        checked(pos_rehearsal_terminal_set(self.handle, &terminal), tid)

    def ask(self, int kind, int mti, *, now_ns, str tid, str mid, bytes fingerprint, stan=0,
            batch=0, amount_minor=0, int network=0, int currency=156, int entry_mode=21, flags=0,
            bin=0, int last4=0, bytes pan_token=bytes(16), str original_rrn="", original_batch=0,
            original_stan=0, int original_date=0, str auth="", str reason="", local_time=0,
            local_date=0, upload_count=0, totals=None, details=()):
        """Decides one request, records it and folds it; ``mti`` as 0x0200."""
        cdef pos_ask ask
        memset(&ask, 0, sizeof(ask))
        put_text(ask.tid, 8, tid)
        put_text(ask.mid, 15, mid)
        put_text(ask.original_rrn, 12, original_rrn)
        put_text(ask.auth, 6, auth)
        put_text(ask.reason, 2, reason)
        put_bytes(ask.pan_token, pan_token)
        put_bytes(ask.fingerprint, fingerprint)
        ask.kind, ask.mti, ask.network, ask.currency = kind, mti, network, currency
        ask.entry_mode, ask.original_date, ask.last4 = entry_mode, original_date, last4
        ask.bin, ask.stan, ask.batch = bin, stan, batch
        ask.original_batch, ask.original_stan, ask.flags = original_batch, original_stan, flags
        ask.local_time, ask.local_date = local_time, local_date
        ask.upload_count, ask.amount_minor = upload_count, amount_minor
        if totals is not None:
            ask.has_totals = True
            put_side(&ask.totals.domestic, totals[0])
            put_side(&ask.totals.foreign, totals[1])
        if len(details) > POS_ASK_DETAIL_MAX:
            raise ValueError(f"at most {POS_ASK_DETAIL_MAX} details")
        cdef int index
        for index, detail in enumerate(details):
            (ask.details[index].stan, ask.details[index].amount_minor, ask.details[index].bin,
             ask.details[index].last4) = detail
        ask.detail_count = len(details)
        cdef pos_said said
        cdef int64_t moment = now_ns
        checked(pos_rehearsal_ask(self.handle, &ask, moment, &said), "ask")
        return dict_of(&said)

    def refold(self):
        """A restart: a new state from the entries so far."""
        checked(pos_rehearsal_refold(self.handle), "refold")

    def digest(self):
        """The state as sixteen bytes."""
        cdef uint8_t digest[16]
        pos_rehearsal_digest(self.handle, digest)
        return (<const char *>digest)[:16]

    def terminal(self, str tid, str mid):
        """What is known of a terminal; TerminalAbsent before its first entry."""
        cdef char names[23]
        cdef pos_terminal_view view
        put_text(names, 8, tid)
        put_text(names + 8, 15, mid)
        checked(pos_rehearsal_terminal_view(self.handle, names, names + 8, &view), tid)
        return {
            "is_signed_on": view.is_signed_on != 0,
            "batch": view.batch,
            "batch_closed": view.batch_closed,
            "totals": totals_of(&view.totals),
            "totals_closed": totals_of(&view.totals_closed),
        }

    def kind_total(self, str tid, str mid, *, int kind, bint is_foreign):
        """``(count, amount_minor)`` of a kind in the open batch."""
        cdef char names[23]
        cdef uint32_t count = 0
        cdef int64_t amount = 0
        put_text(names, 8, tid)
        put_text(names + 8, 15, mid)
        checked(pos_rehearsal_kind_total(self.handle, names, names + 8, kind, is_foreign, &count,
                                         &amount), tid)
        return count, amount

    def posting(self, sequence):
        """What stands of a posting; EntryAbsent where the entry posted nothing."""
        cdef pos_posting_view view
        checked(pos_rehearsal_posting_view(self.handle, sequence, &view), f"posting {sequence}")
        return {
            "kind": view.kind,
            "undone_by": view.undone_by,
            "completed_by": view.completed_by,
            "amount_minor": view.amount_minor,
            "refunded_minor": view.refunded_minor,
            "adjusted_minor": view.adjusted_minor,
            "is_voided": view.is_voided != 0,
            "is_reversed": view.is_reversed != 0,
        }

    def counts(self):
        """Terminals, postings and repeats that are remembered."""
        cdef uint32_t terminals = 0
        cdef uint32_t postings = 0
        cdef uint32_t repeats = 0
        pos_rehearsal_counts(self.handle, &terminals, &postings, &repeats)
        return terminals, postings, repeats


cdef dict dict_of(const pos_said *said):
    cdef const pos_entry *entry = &said.entry
    return {
        "sequence": entry.sequence,
        "outcome": entry.outcome,
        "reason": pos_reason_name(entry.why).decode(),
        "response": entry.response[:2].decode("ascii"),
        "rrn": entry.rrn[:12].decode("ascii"),
        "auth": entry.auth[:6].decode("ascii"),
        "original": entry.original,
        "batch": entry.batch,
        "flags": entry.flags,
        "amount_minor": entry.amount_minor,
        "terminal_at_ns": entry.terminal_at_ns,
        "requirement": entry.requirement,
        "balance_minor": said.balance_minor,
        "makes_keys": said.makes_keys != 0,
        "answers_stored": said.answers_stored != 0,
        "is_alarm": said.is_alarm != 0,
        "results": (said.result_domestic, said.result_foreign),
        "download": said.download,
        "totals": totals_of(&said.totals),
        "records": said.records,
        "matched": said.matched,
        "missing_ours": said.missing_ours,
        "missing_theirs": said.missing_theirs,
        "differing": said.differing,
        "findings": (<const char *>entry.request)[:entry.request_size]
        if entry.request_size else b"",
    }
