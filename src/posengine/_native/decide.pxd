"""Card: why entries were decided so, and rehearsals of the rules (posengine/decide.h)."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "posengine/decide.h" nogil:
    ctypedef int pos_status
    ctypedef bint bool_t "bool"
    int POS_REASON_COUNT
    int POS_ASK_DETAIL_MAX
    const char *pos_reason_name(unsigned reason)
    const char *pos_reason_text(unsigned reason)
    const char *pos_reason_response(unsigned reason)

    ctypedef struct pos_totals_side:
        int64_t debit_minor
        int64_t credit_minor
        uint32_t debit_count
        uint32_t credit_count

    ctypedef struct pos_totals:
        pos_totals_side domestic
        pos_totals_side foreign

    ctypedef struct pos_entry:
        uint64_t sequence
        uint64_t original
        int64_t received_at_ns
        int64_t terminal_at_ns
        int64_t amount_minor
        uint32_t flags
        uint32_t stan
        uint32_t batch
        uint8_t kind
        uint8_t outcome
        uint8_t requirement
        uint8_t why
        char response[2]
        char rrn[12]
        char auth[6]
        const uint8_t *request
        uint32_t request_size

    ctypedef struct pos_rehearsal:
        pass

    ctypedef struct pos_rehearsal_options:
        uint32_t entries_max
        uint32_t terminals_max
        uint32_t postings_max
        uint32_t repeats_max
        uint32_t repeat_window_h
        uint32_t posting_window_d

    ctypedef struct pos_rehearsal_terminal:
        char tid[8]
        char mid[15]
        uint8_t flags
        uint8_t key_cipher
        uint8_t key_size
        uint16_t currency
        uint64_t kind_mask
        int64_t amount_minor_max

    ctypedef struct pos_ask_detail:
        int64_t amount_minor
        uint32_t stan
        uint32_t bin
        uint16_t last4

    ctypedef struct pos_ask:
        uint8_t kind
        uint16_t mti
        uint16_t network
        uint16_t currency
        uint16_t entry_mode
        uint16_t original_date
        uint16_t last4
        uint32_t bin
        uint32_t stan
        uint32_t batch
        uint32_t original_batch
        uint32_t original_stan
        uint32_t flags
        uint32_t local_time
        uint32_t local_date
        uint32_t upload_count
        int64_t amount_minor
        char tid[8]
        char mid[15]
        char original_rrn[12]
        char auth[6]
        char reason[2]
        uint8_t pan_token[16]
        uint8_t fingerprint[16]
        bool_t has_totals
        pos_totals totals
        uint8_t detail_count
        pos_ask_detail details[8]

    ctypedef struct pos_said:
        pos_entry entry
        int64_t balance_minor
        bool_t makes_keys
        bool_t answers_stored
        bool_t is_alarm
        uint8_t result_domestic
        uint8_t result_foreign
        uint16_t download
        pos_totals totals
        uint32_t records
        uint32_t matched
        uint32_t missing_ours
        uint32_t missing_theirs
        uint32_t differing

    ctypedef struct pos_terminal_view:
        bool_t is_signed_on
        uint32_t batch
        uint32_t batch_closed
        pos_totals totals
        pos_totals totals_closed

    ctypedef struct pos_posting_view:
        uint64_t undone_by
        uint64_t completed_by
        int64_t amount_minor
        int64_t refunded_minor
        int64_t adjusted_minor
        uint8_t kind
        bool_t is_voided
        bool_t is_reversed

    pos_status pos_rehearsal_open(const uint8_t *policy, size_t policy_size,
                                  const pos_rehearsal_options *options,
                                  pos_rehearsal **rehearsal_out)
    void pos_rehearsal_close(pos_rehearsal *rehearsal)
    pos_status pos_rehearsal_terminal_set(pos_rehearsal *rehearsal,
                                          const pos_rehearsal_terminal *terminal)
    pos_status pos_rehearsal_ask(pos_rehearsal *rehearsal, const pos_ask *ask, int64_t now_ns,
                                 pos_said *said_out)
    pos_status pos_rehearsal_refold(pos_rehearsal *rehearsal)
    void pos_rehearsal_digest(const pos_rehearsal *rehearsal, uint8_t *digest_out)
    pos_status pos_rehearsal_terminal_view(const pos_rehearsal *rehearsal, const char *tid,
                                           const char *mid, pos_terminal_view *view_out)
    pos_status pos_rehearsal_kind_total(const pos_rehearsal *rehearsal, const char *tid,
                                        const char *mid, unsigned kind, bint is_foreign,
                                        uint32_t *count_out, int64_t *amount_minor_out)
    pos_status pos_rehearsal_posting_view(const pos_rehearsal *rehearsal, uint64_t sequence,
                                          pos_posting_view *view_out)
    void pos_rehearsal_counts(const pos_rehearsal *rehearsal, uint32_t *terminals_out,
                              uint32_t *postings_out, uint32_t *repeats_out)
