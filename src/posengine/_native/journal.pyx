# cython: language_level=3
"""The journal of the core: opened, read, verified, copied, staged into.

A ``Handle`` owns one open journal. A ``PageView`` lends a page's bytes straight from the map: the
handle counts what is lent, and a close lets the journal's files go when the last loan (a NumPy array
over a column, say) has ended. A page that lent nothing is closed with its journal.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport calloc, free
from libc.string cimport memset, strlen

from posengine._native.entry cimport digits_of, fill, key_of, put_text, row, taken
from posengine._native.status cimport checked, pos_status_name, pos_status_text

from posengine.errors import BY_STATUS


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

    @property
    def is_usual(self):
        """It has the columns of this build, no more and no fewer."""
        return self.page.is_usual

    def place(self, name: str):
        """``(type, width, offset)`` of a column. Raises: KeyError where the page has none."""
        cdef pos_column column
        cdef bytes wanted = name.encode()
        self.lives()
        if pos_page_column_named(&self.page, wanted, &column) != POS_OK or column.data == NULL:
            raise KeyError(name)
        return column.type, column.width, column.data - self.page.data

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


cdef void arrow_released(void *context) noexcept with gil:
    """The last batch of a stream is gone, in whatever thread."""
    cdef Handle handle = <Handle>context
    handle.returned()
    Py_DECREF(handle)


cdef void end_capsule(object capsule) noexcept:
    """A consumer that took the stream left its release empty."""
    cdef ArrowArrayStream *stream = <ArrowArrayStream *>PyCapsule_GetPointer(
        capsule, "arrow_array_stream"
    )
    if stream.release != NULL:
        stream.release(stream)
    free(stream)


ARROW_FIELDS = tuple(
    pos_arrow_field_name(index).decode() for index in range(pos_arrow_field_count())
)


cdef class Handle:
    """An open journal. Raises, from every call: the exception of the core's status."""

    cdef pos_journal *journal
    cdef Py_ssize_t lent
    cdef bint is_closing

    def __cinit__(
        self, path: str, *, bint readonly, bint full, uint64_t volume_size_max,
        uint32_t page_entries_max, uint32_t page_size_max, uint32_t cutover_minute,
        int32_t zone_offset_minute, uint32_t volumes_max, bytes master_key not None,
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
        options.keep_pan = len(master_key) > 0
        options.master_key = key_of(master_key) if master_key else NULL
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
        self.is_closing, self.lent = True, self.lent + 1
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
        found = self.pages(sequence, 1)
        return found[0] if found else None

    def pages(self, uint64_t sequence, size_t most):
        """Up to ``most`` pages in a row (64 at the most), from that one on; empty where none is."""
        cdef pos_page pages[64]
        cdef size_t count = 0
        cdef size_t index
        cdef PageView view
        cdef pos_status status
        self.opened()
        self.lent += 1
        with nogil:
            status = pos_journal_pages(self.journal, sequence, pages, min(most, 64), &count)
        self.returned()
        if status == POS_JOURNAL_END:
            return []
        checked(status, f"page of {sequence}")
        found = []
        for index in range(count):
            view = PageView.__new__(PageView)
            view.page = pages[index]
            view.handle = self
            found.append(view)
        return found

    def arrow(self, fields, uint64_t after, uint64_t until):
        """A stream of Arrow batches in a capsule; ``fields`` are indexes of ``ARROW_FIELDS``.

        Borrowing: the batches lend the map; a close lets the files go after the last of them.
        """
        cdef size_t chosen[64]
        cdef pos_arrow_options options
        cdef ArrowArrayStream *stream
        cdef pos_status status
        cdef size_t index
        if not 0 < len(fields) <= 64:
            raise ValueError(f"a batch has 1 to 64 fields, not {len(fields)}")
        for index in range(len(fields)):
            chosen[index] = fields[index]
        self.opened()
        options.after = after
        options.until = until
        options.fields = chosen
        options.field_count = len(fields)
        options.released = arrow_released
        options.context = <void *>self
        stream = <ArrowArrayStream *>calloc(1, sizeof(ArrowArrayStream))
        if stream == NULL:
            raise MemoryError
        status = pos_journal_arrow(self.journal, &options, stream)
        if status != POS_OK:
            free(stream)
            checked(status)
        self.lent += 1  # until the stream and all its batches are released
        Py_INCREF(self)
        return PyCapsule_New(stream, "arrow_array_stream", end_capsule)

    def entry(self, uint64_t sequence):
        """One entry as a tuple in the order of ``ENTRY_FIELDS``."""
        cdef pos_entry entry
        checked(pos_journal_entry(self.opened(), sequence, &entry), f"entry {sequence}")
        return row(&entry)

    def pan(self, uint64_t sequence, bytes master_key not None):
        """The account number of an entry, where the journal keeps it."""
        cdef char digits[20]
        cdef pos_status status
        cdef const uint8_t *key = key_of(master_key)
        self.opened()
        self.lent += 1
        with nogil:
            status = pos_journal_pan(self.journal, sequence, key, digits)
        self.returned()
        checked(status, f"entry {sequence}")
        return taken(digits)

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

    def stage(self, dict fields, str pan not None):
        """Stage an entry (copied); what ``fields`` lacks is absent. Returns its sequence."""
        cdef pos_entry entry
        cdef bytes request = fields.get("request", b""), answer = fields.get("answer", b"")
        cdef bytes digits = digits_of(pan)
        fill(&entry, fields)
        entry.request, entry.request_size = <const uint8_t *><const char *>request, len(request)
        entry.answer, entry.answer_size = <const uint8_t *><const char *>answer, len(answer)
        checked(pos_journal_stage(self.opened(), &entry))
        pos_journal_keep_pan(self.journal, digits, len(digits))
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
