"""Card: the journal of the core, as posengine/journal.h says it."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "stdbool.h" nogil:
    ctypedef bint c_bool "bool"

ctypedef c_bool (*pos_progress)(void *context, uint64_t sequence) noexcept nogil

cdef extern from "posengine/journal.h" nogil:
    ctypedef int pos_status

    ctypedef struct pos_entry:
        uint64_t sequence
        uint64_t original
        int64_t received_at_ns
        int64_t terminal_at_ns
        int64_t amount_minor
        uint32_t staged_after_us
        uint32_t flags
        uint32_t processing
        uint32_t stan
        uint32_t batch
        uint32_t original_batch
        uint32_t original_stan
        uint32_t bin
        uint32_t line
        uint16_t last4
        uint16_t mti
        uint16_t currency
        uint16_t entry_mode
        uint16_t network
        uint8_t kind
        uint8_t outcome
        uint8_t type
        uint8_t condition
        uint8_t requirement
        uint8_t why
        char response[2]
        char reason[2]
        char tid[8]
        char mid[15]
        char rrn[12]
        char original_rrn[12]
        char auth[6]
        char operator_id[3]
        uint8_t pan_token[16]
        uint8_t fingerprint[16]
        const uint8_t *request
        uint32_t request_size
        const uint8_t *answer
        uint32_t answer_size

    ctypedef struct pos_journal:
        pass

    ctypedef enum pos_durability:
        POS_DURABLE_LATE
        POS_DURABLE_FULL

    ctypedef struct pos_journal_options:
        bint readonly
        pos_durability durability
        uint64_t volume_size_max
        uint32_t page_entries_max
        uint32_t page_size_max
        uint32_t cutover_minute
        int32_t zone_offset_minute
        uint32_t volumes_max
        bint keep_pan
        const uint8_t *master_key

    ctypedef struct pos_journal_facts:
        uint8_t journal_id[16]
        uint64_t last_sequence
        uint64_t durable_sequence
        uint64_t pages
        uint64_t bytes
        uint64_t volumes
        uint64_t free_bytes
        bint is_in_doubt

    ctypedef struct pos_column:
        const char *name
        int type
        uint32_t width
        const uint8_t *data

    ctypedef struct pos_page:
        uint64_t first_sequence
        uint32_t count
        uint32_t size
        int32_t business_date
        int64_t staged_at_ns
        int64_t committed_at_ns
        uint8_t digest[32]
        uint8_t digest_before[32]
        const uint8_t *data
        c_bool is_usual

    ctypedef struct pos_verdict:
        uint64_t pages
        uint64_t entries
        uint64_t bytes
        uint64_t first_bad_sequence
        pos_status status
        char reason[256]

    const size_t POS_JOURNAL_WORDS
    int POS_OK, POS_JOURNAL_END
    pos_status pos_journal_open_told(const char *path, const pos_journal_options *options,
                                     pos_journal **journal_out, char *words_out)
    const char *pos_journal_report(const pos_journal *journal)
    void pos_journal_close(pos_journal *journal)
    void pos_journal_facts_read(pos_journal *journal, pos_journal_facts *facts_out)
    pos_status pos_journal_page(pos_journal *journal, uint64_t sequence, pos_page *page_out)
    pos_status pos_journal_pages(pos_journal *journal, uint64_t sequence, pos_page *pages_out,
                                 size_t pages_max, size_t *count_out)
    size_t pos_column_count()
    pos_status pos_page_column_named(const pos_page *page, const char *name,
                                     pos_column *column_out)
    pos_status pos_page_column(const pos_page *page, size_t index, pos_column *column_out)
    pos_status pos_page_sums(const pos_page *page)
    pos_status pos_page_entry(const pos_page *page, uint32_t index, pos_entry *entry_out)
    pos_status pos_journal_entry(pos_journal *journal, uint64_t sequence, pos_entry *entry_out)
    pos_status pos_journal_find_rrn(pos_journal *journal, const char *rrn, uint64_t *sequence_out)
    pos_status pos_journal_find_stan(pos_journal *journal, const char *tid, uint32_t stan,
                                     uint64_t before, uint64_t *sequence_out)
    pos_status pos_journal_verify(pos_journal *journal, pos_progress progress, void *context,
                                  pos_verdict *verdict_out)
    pos_status pos_journal_snapshot(pos_journal *journal, const char *target_path)
    pos_status pos_journal_pan(pos_journal *journal, uint64_t sequence,
                                   const uint8_t *master_key, char *digits_out)
    pos_status pos_journal_stage(pos_journal *journal, pos_entry *entry)
    void pos_journal_keep_pan(pos_journal *journal, const char *digits, size_t size)
    pos_status pos_journal_commit(pos_journal *journal, uint64_t *durable_sequence_out)

cdef extern from "posengine/arrow.h" nogil:
    cdef struct ArrowArrayStream:
        void (*release)(ArrowArrayStream *stream) noexcept nogil

    ctypedef struct pos_arrow_options:
        uint64_t after
        uint64_t until
        const size_t *fields
        size_t field_count
        void (*released)(void *context) noexcept nogil
        void *context

    size_t pos_arrow_field_count()
    const char *pos_arrow_field_name(size_t index)
    pos_status pos_journal_arrow(pos_journal *journal, const pos_arrow_options *options,
                                 ArrowArrayStream *stream_out)
