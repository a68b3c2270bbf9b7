"""Card: what the codec module sees of posengine/codec.h, and the handle that it gives."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from posengine._native.status cimport pos_status


cdef extern from "posengine/codec.h" nogil:
    ctypedef struct pos_spec:
        pass
    pos_status pos_spec_open(const uint8_t *image, size_t size, pos_spec **spec_out)
    void pos_spec_close(pos_spec *spec)
    const char *pos_spec_name(const pos_spec *spec)
    const char *pos_spec_title(const pos_spec *spec, bint is_chinese)
    void pos_spec_digest(const pos_spec *spec, uint8_t *digest_out)
    unsigned pos_spec_field_max(const pos_spec *spec)

    int POS_FIELD_MAX
    int POS_PART_MAX
    enum: POS_VALUE_SIZE_MAX
    int POS_CONTENT_B
    int POS_FRAME_OVERHEAD_MAX

    ctypedef struct pos_frame:
        const uint8_t *tpdu
        const uint8_t *header
        const uint8_t *body
        uint32_t header_size
        uint32_t body_size
        uint32_t size
    pos_status pos_frame_next(const pos_spec *spec, const uint8_t *input, size_t size,
                              pos_frame *frame_out)
    pos_status pos_frame_wrap(const pos_spec *spec, const pos_frame *request, uint8_t requirement,
                              size_t body_size, uint8_t *overhead_out, size_t *size_out)

    ctypedef struct pos_field:
        uint16_t offset
        uint16_t size
        uint16_t units
    ctypedef struct pos_message:
        uint16_t mti
        uint64_t[2] bitmap
        pos_field[129] fields
    bint pos_message_has(const pos_message *message, unsigned field)
    ctypedef struct pos_fault:
        pos_status status
        uint16_t field
        uint16_t part
        uint32_t offset
        uint32_t wanted
        uint32_t left
        const char *rule
    pos_status pos_message_parse(const pos_spec *spec, const uint8_t *body, size_t size,
                                 pos_message *message_out, pos_fault *fault_out)

    ctypedef struct pos_field_facts:
        uint8_t number
        uint8_t content
        uint8_t secrecy
        bint has_layout
        uint16_t size_min
        uint16_t size_max
        const char *name
        const char *name_zh
        const char *rule
    bint pos_spec_field(const pos_spec *spec, unsigned field, pos_field_facts *facts_out)
    size_t pos_message_value(const pos_spec *spec, const pos_message *message, unsigned field,
                             uint8_t *text_out)

    ctypedef struct pos_part:
        uint32_t offset
        uint32_t size
        uint32_t units
        uint16_t number
        uint16_t group
        uint8_t nibble
        uint8_t content
        uint8_t secrecy
        uint8_t depth
        bint is_kept
        bint is_constructed
        char[9] tag
        const char *name
        const char *name_zh
    pos_status pos_message_parts(const pos_spec *spec, const pos_message *message, unsigned field,
                                 pos_part *parts_out, size_t *count_out)
    size_t pos_part_value(const pos_message *message, const pos_part *part, uint8_t *text_out)

    ctypedef struct pos_value:
        uint8_t field
        const uint8_t *value
        uint32_t size
    pos_status pos_message_build(const pos_spec *spec, uint16_t mti, const pos_value *values,
                                 size_t value_count, uint8_t *body_out, size_t capacity,
                                 size_t *size_out, pos_fault *fault_out)

    ctypedef struct pos_kind_facts:
        uint8_t kind
        bint is_answer
        uint16_t answer_mti
        const char *name
        const char *name_zh
    pos_status pos_message_kind(const pos_spec *spec, const pos_message *message,
                                pos_kind_facts *facts_out)
    pos_status pos_message_check(const pos_spec *spec, const pos_message *message,
                                 pos_fault *fault_out)

    ctypedef struct pos_mac_cover:
        const uint8_t *data
        uint32_t size
        uint8_t algorithm
        uint8_t output
        const uint8_t *mac
        uint32_t mac_size
    void pos_message_mac_cover(const pos_spec *spec, const pos_message *message,
                               pos_mac_cover *cover_out)

    ctypedef struct pos_columns:
        uint16_t *mti
        uint64_t *bitmap
        uint64_t *stan
        int64_t *amount_minor
        uint32_t *processing
        char *tid
        char *mid
        char *rrn
        char *response
        uint16_t *field_offset
        uint16_t *field_size
        uint8_t *status
        uint16_t *fault_field
        uint16_t *fault_part
        uint32_t *fault_offset
    pos_status pos_message_parse_many(const pos_spec *spec, const uint8_t *buffer, size_t size,
                                      const uint64_t *offsets, size_t count,
                                      const pos_columns *columns, size_t *good_out)

cdef extern from "posengine/journal.h" nogil:
    const char *pos_kind_name(unsigned kind)
    int POS_KIND_COUNT


cdef class Core:
    cdef pos_spec *spec
    cdef uint8_t[129] contents  # of each field
    cdef public object facts  # what a message's Python half looks up: of each field, ...
    cdef public object roles  # ... and where each role lives


cdef class Parsed:
    cdef readonly Core core
    cdef readonly bytes body  # what `message` points into
    cdef readonly object fault
    cdef pos_message message
