# cython: language_level=3
"""The journal of the core: opened, read, verified, copied, staged into.

A ``Handle`` owns one open journal. A ``PageView`` lends a page's bytes straight from the map: the
handle counts what is lent, and a close lets the journal's files go when the last loan (a NumPy array
over a column, say) has ended. A page that lent nothing is closed with its journal.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from libc.string cimport memcpy, memset, strlen

from posengine._native.status cimport checked, pos_status_name, pos_status_text

from posengine.errors import BY_STATUS

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


cdef class PageView:
    """One page in the map: facts, columns' places, and the bytes themselves as a buffer.

    Borrowing: a buffer over it stays valid as long as it is held; nothing is copied.
    """

    cdef Handle handle
    cdef pos_page page

    @property
    def first_sequence(self):
        return self.page.first_sequence

    @property
    def count(self):
        return self.page.count

    @property
    def size(self):
        return self.page.size

    @property
    def business_date(self):
        return self.page.business_date

    @property
    def staged_at_ns(self):
        return self.page.staged_at_ns

    @property
    def committed_at_ns(self):
        return self.page.committed_at_ns

    @property
    def digest(self):
        return self.page.digest[:32]

    @property
    def digest_before(self):
        return self.page.digest_before[:32]

    cdef int lives(self) except -1:
        """The map is there to be read."""
        self.handle.opened()
        return 0

    def columns(self):
        """``{name: (type, width, offset)}`` of the columns that the page has."""
        cdef pos_column column
        cdef size_t index
        found = {}
        self.lives()
        for index in range(pos_column_count()):
            checked(pos_page_column(&self.page, index, &column))
            if column.data != NULL:
                found[column.name.decode()] = (
                    column.type, column.width, column.data - self.page.data
                )
        return found

    def entry(self, uint32_t index):
        """Row ``index`` as a tuple in the order of ``ENTRY_FIELDS``."""
        cdef pos_entry entry
        self.lives()
        checked(pos_page_entry(&self.page, index, &entry))
        return row(&entry)

    def check(self):
        """Recompute CRC and digest. Raises: JournalCorrupt."""
        cdef pos_status status
        self.lives()
        self.handle.lent += 1  # a close in another thread waits
        with nogil:
            status = pos_page_sums(&self.page)
        self.handle.returned()
        checked(status, f"page of {self.page.first_sequence}")

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        self.lives()
        PyBuffer_FillInfo(buffer, self, <void *>self.page.data, self.page.size, 1, flags)
        self.handle.lent += 1

    def __releasebuffer__(self, Py_buffer *buffer):
        self.handle.returned()


cdef class Progress:
    """What `on_progress` needs; an exception from the callable stops the walk and is kept."""

    cdef object call
    cdef object error


cdef c_bool on_progress(void *context, uint64_t sequence) noexcept with gil:
    cdef Progress progress = <Progress>context
    try:
        return progress.call(sequence) is not False
    except BaseException as error:
        progress.error = error
        return False


cdef class Handle:
    """An open journal. Raises, from every call: the exception of the core's status."""

    cdef pos_journal *journal
    cdef Py_ssize_t lent
    cdef bint is_closing

    def __cinit__(
        self, path: str, *, bint readonly, bint full, uint64_t volume_size_max,
        uint32_t page_entries_max, uint32_t page_size_max, uint32_t cutover_minute,
        int32_t zone_offset_minute, uint32_t volumes_max,
    ):
        cdef pos_journal_options options
        cdef char words[256]
        cdef bytes encoded = path.encode("utf-8", "surrogateescape")
        cdef const char *at = encoded
        cdef pos_status status
        memset(&options, 0, sizeof(options))
        options.readonly = readonly
        options.durability = POS_DURABLE_FULL if full else POS_DURABLE_LATE
        options.volume_size_max = volume_size_max
        options.page_entries_max = page_entries_max
        options.page_size_max = page_size_max
        options.cutover_minute = cutover_minute
        options.zone_offset_minute = zone_offset_minute
        options.volumes_max = volumes_max
        with nogil:
            status = pos_journal_open_told(at, &options, &self.journal, words)
        said = words[:strlen(words)].decode("utf-8", "replace")
        checked(status, f"{path}: {said}" if said and status != POS_OK else path)

    def __dealloc__(self):
        pos_journal_close(self.journal)

    cdef pos_journal *opened(self) except NULL:
        """The journal, where it is not closed."""
        if self.journal == NULL or self.is_closing:
            raise BY_STATUS["ARGUMENT"]("the journal is closed")
        return self.journal

    cdef void returned(self) noexcept:
        """A loan has ended; the last one of a closed journal lets its files go."""
        self.lent -= 1
        if self.is_closing and self.lent == 0:
            pos_journal_close(self.journal)
            self.journal = NULL

    def close(self):
        """Refuse further calls, and let the files go as soon as nothing is lent."""
        if self.journal == NULL or self.is_closing:
            return
        self.is_closing = True
        self.lent += 1
        self.returned()

    def report(self):
        """What opening found, in words; empty where all was as it was left."""
        return pos_journal_report(self.opened()).decode()

    def facts(self):
        """The facts as a dict; ``journal_id`` is bytes."""
        cdef pos_journal_facts facts
        self.opened()
        self.lent += 1
        with nogil:
            pos_journal_facts_read(self.journal, &facts)
        self.returned()
        return {
            "journal_id": facts.journal_id[:16], "last_sequence": facts.last_sequence,
            "durable_sequence": facts.durable_sequence, "pages": facts.pages,
            "bytes": facts.bytes, "volumes": facts.volumes, "free_bytes": facts.free_bytes,
            "is_in_doubt": bool(facts.is_in_doubt),
        }

    def page(self, uint64_t sequence):
        """The page that holds ``sequence`` or comes after it; None where there is none yet."""
        cdef PageView view = PageView.__new__(PageView)
        cdef pos_status status
        self.opened()
        self.lent += 1
        with nogil:
            status = pos_journal_page(self.journal, sequence, &view.page)
        self.returned()
        if status == POS_JOURNAL_END:
            return None
        checked(status, f"page of {sequence}")
        view.handle = self
        return view

    def entry(self, uint64_t sequence):
        """One entry as a tuple in the order of ``ENTRY_FIELDS``."""
        cdef pos_entry entry
        checked(pos_journal_entry(self.opened(), sequence, &entry), f"entry {sequence}")
        return row(&entry)

    def find_rrn(self, rrn: str):
        """The sequence of the entry with this RRN."""
        cdef char wanted[12]
        cdef uint64_t sequence = 0
        cdef pos_status status
        put_text(wanted, 12, "rrn", rrn)
        self.opened()
        self.lent += 1
        with nogil:
            status = pos_journal_find_rrn(self.journal, wanted, &sequence)
        self.returned()
        checked(status, f"RRN {rrn}")
        return sequence

    def find_stan(self, tid: str, uint32_t stan, uint64_t before):
        """The newest sequence of this terminal and STAN below ``before`` (0: of all)."""
        cdef char wanted[8]
        cdef uint64_t sequence = 0
        cdef pos_status status
        put_text(wanted, 8, "tid", tid)
        self.opened()
        self.lent += 1
        with nogil:
            status = pos_journal_find_stan(self.journal, wanted, stan, before, &sequence)
        self.returned()
        checked(status, f"TID {tid} STAN {stan:06d}")
        return sequence

    def verify(self, progress):
        """Read everything; the verdict as a dict. ``progress(sequence)`` may return False to stop."""
        cdef pos_verdict verdict
        cdef pos_status status
        cdef Progress context = Progress()
        cdef pos_progress call = NULL
        cdef void *at = <void *>context
        if progress is not None:
            context.call = progress
            call = on_progress
        self.opened()
        self.lent += 1
        with nogil:
            status = pos_journal_verify(self.journal, call, at, &verdict)
        self.returned()
        if context.error is not None:
            raise context.error
        checked(status)
        return {
            "pages": verdict.pages, "entries": verdict.entries, "bytes": verdict.bytes,
            "first_bad_sequence": verdict.first_bad_sequence,
            "status": pos_status_name(verdict.status).decode(),
            "reason": verdict.reason[:strlen(verdict.reason)].decode("utf-8", "replace"),
        }

    def snapshot(self, path: str):
        """Copy everything durable into a journal of its own at ``path``, which must not exist."""
        cdef bytes encoded = path.encode("utf-8", "surrogateescape")
        cdef const char *at = encoded
        cdef pos_status status
        self.opened()
        self.lent += 1
        with nogil:
            status = pos_journal_snapshot(self.journal, at)
        self.returned()
        checked(status, path)

    def stage(self, dict fields):
        """Stage an entry (copied); what ``fields`` lacks is absent. Returns its sequence."""
        cdef pos_entry entry
        cdef bytes request = fields.get("request", b"")
        cdef bytes answer = fields.get("answer", b"")
        memset(&entry, 0, sizeof(entry))
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
        entry.request = <const uint8_t *><const char *>request
        entry.request_size = <uint32_t>len(request)
        entry.answer = <const uint8_t *><const char *>answer
        entry.answer_size = <uint32_t>len(answer)
        checked(pos_journal_stage(self.opened(), &entry))
        return entry.sequence

    def commit(self):
        """Commit what is staged and wait until it is durable. Returns the durable sequence."""
        cdef uint64_t durable = 0
        cdef pos_status status
        self.opened()
        self.lent += 1
        with nogil:
            status = pos_journal_commit(self.journal, &durable)
        self.returned()
        checked(status)
        return durable
