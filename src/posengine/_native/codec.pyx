# cython: language_level=3, boundscheck=False, wraparound=False
"""Frames and messages: the core's codec for Python. Values are copied out; nothing is borrowed."""

from collections import namedtuple

from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from posengine._native.status cimport checked, pos_status, pos_status_name, pos_status_text
from posengine.errors import BY_STATUS, ParseError

cdef extern from *:
    int lowest_bit "__builtin_ctzll"(unsigned long long)
    int bits_set "__builtin_popcountll"(unsigned long long)

CONTENTS = ("", "n", "a", "an", "ans", "z", "b", "xn")
SECRECIES = ("open", "pan", "secret")

FieldFacts = namedtuple(
    "FieldFacts", "number content secrecy has_layout size_min size_max name name_zh rule"
)
Place = namedtuple("Place", "offset size units")
Part = namedtuple(
    "Part",
    "key name name_zh tag group depth content secrecy is_kept is_constructed offset size units"
    " value",
)


def kind_names():
    """Every kind of an entry by its number: ``["UNKNOWN", "SIGN_ON", ...]``."""
    return [pos_kind_name(number).decode() for number in range(POS_KIND_COUNT)]


cdef object exception_of(pos_status status, const pos_fault *fault):
    """A fault as the exception of its status; whatever it is, it names field, rule and place."""
    kind = BY_STATUS[pos_status_name(status).decode()]
    rule = fault.rule.decode() if fault.rule != NULL else ""
    where = f"field {fault.field}" if fault.field else "head"
    if fault.part:
        where += f", part {fault.part}"
    text = f"{where}, byte {fault.offset}: {pos_status_text(status).decode()}"
    if rule:
        text += f" [{rule}]"
    if fault.wanted:
        text += f", {fault.wanted} wanted, {fault.left} left"
    facts = {
        "field": fault.field, "part": fault.part, "offset": fault.offset, "rule": rule,
        "wanted": fault.wanted, "left": fault.left,
    }
    if issubclass(kind, ParseError):
        return kind(text, **facts)
    error = kind(text)
    for name, value in facts.items():
        setattr(error, name, value)
    return error


cdef class Core:
    """A spec that is open in the core."""

    def __cinit__(self, bytes image not None):
        cdef pos_field_facts facts
        checked(pos_spec_open(image, len(image), &self.spec), "spec image")
        for number in range(2, POS_FIELD_MAX + 1):
            if pos_spec_field(self.spec, number, &facts):
                self.contents[number] = facts.content

    def __dealloc__(self):
        pos_spec_close(self.spec)

    def name(self):
        return pos_spec_name(self.spec).decode()

    def title(self, bint is_chinese):
        return pos_spec_title(self.spec, is_chinese).decode()

    def digest(self):
        cdef uint8_t[16] digest
        pos_spec_digest(self.spec, digest)
        return bytes(digest[:16])

    def field_max(self):
        return pos_spec_field_max(self.spec)

    def fields(self):
        """What the dialect says of each field, ascending."""
        cdef pos_field_facts facts
        found = []
        for number in range(2, POS_FIELD_MAX + 1):
            if pos_spec_field(self.spec, number, &facts):
                found.append(FieldFacts(
                    facts.number, CONTENTS[facts.content], SECRECIES[facts.secrecy],
                    bool(facts.has_layout), facts.size_min, facts.size_max, facts.name.decode(),
                    facts.name_zh.decode(), facts.rule.decode(),
                ))
        return found

    # ---- frames ---------------------------------------------------------------------------------
    def frame_next(self, bytes data not None):
        """``(tpdu, header, body, size)`` of the frame at the front; None where more is needed."""
        cdef pos_frame frame
        cdef pos_status status = pos_frame_next(self.spec, data, len(data), &frame)
        if pos_status_name(status) == b"NEED_MORE":
            return None
        checked(status)
        tpdu = frame.tpdu[:5] if frame.tpdu != NULL else None
        header = frame.header[:frame.header_size] if frame.header != NULL else None
        return tpdu, header, frame.body[:frame.body_size], frame.size

    def frame_wrap(self, size_t body_size, request_tpdu, request_header, int requirement):
        """What goes before a body; as a terminal begins where both are None."""
        cdef uint8_t[64] overhead
        cdef size_t size
        cdef pos_frame request
        cdef bytes tpdu = request_tpdu or b""
        cdef bytes header = request_header or b""
        if not 0 <= requirement <= 15:
            raise ValueError(f"requirement is a nibble, 0 to 15, not {requirement}")
        if request_tpdu is not None and len(tpdu) != 5:
            raise ValueError(f"a TPDU has 5 bytes, not {len(tpdu)}")
        request.tpdu = <const uint8_t *>tpdu if request_tpdu is not None else NULL
        request.header = <const uint8_t *>header if request_header is not None else NULL
        request.header_size = <uint32_t>len(header)
        is_reply = request_tpdu is not None or request_header is not None
        checked(pos_frame_wrap(self.spec, &request if is_reply else NULL, <uint8_t>requirement,
                               body_size, overhead, &size))
        return bytes(overhead[:size])

    # ---- messages ---------------------------------------------------------------------------
    def parse(self, bytes body not None, kind):
        """What could be read of a body, as a ``kind`` of Parsed, and the fault that ended it."""
        cdef Parsed parsed = kind.__new__(kind)
        cdef pos_fault fault
        parsed.core = self
        parsed.body = body  # held: the message is offsets into it
        cdef pos_status status = pos_message_parse(
            self.spec, body, len(body), &parsed.message, &fault)
        if status != 0:
            parsed.fault = exception_of(status, &fault)
        return parsed

    def build(self, int mti, values, size_t size_max):
        """A body out of ``(field, plain value)`` pairs, ascending by field."""
        cdef pos_value[128] given
        cdef pos_fault fault
        cdef size_t size
        cdef size_t count = 0
        cdef bytes value
        cdef bytearray body = bytearray(size_max)
        if not 0 <= mti <= 0xFFFF:
            raise ValueError(f"mti is four digits, not {mti:#x}")
        if len(values) > 128:
            raise ValueError(f"at most 128 fields, not {len(values)}")
        held = [value for _, value in values]  # the bytes live until the call is over
        for field, value in values:
            if not 0 <= field <= 255:
                raise ValueError(f"no field {field}")
            given[count].field = <uint8_t>field
            given[count].value = <const uint8_t *>value
            given[count].size = <uint32_t>len(value)
            count += 1
        cdef pos_status status = pos_message_build(
            self.spec, <uint16_t>mti, given, count, body, size_max, &size, &fault)
        if status != 0:
            raise exception_of(status, &fault)
        del held
        return bytes(body[:size])

    # ---- many at once ---------------------------------------------------------------------------
    def parse_many(self, const uint8_t[::1] buffer not None, const uint64_t[::1] offsets not None,
                   dict columns not None):
        """Fill the caller's arrays; how many rows have no fault. Runs without the GIL."""
        cdef pos_columns into
        cdef uint16_t[::1] mti = columns["mti"]
        cdef uint64_t[:, ::1] bitmap = columns["bitmap"]
        cdef uint64_t[::1] stan = columns["stan"]
        cdef int64_t[::1] amount = columns["amount_minor"]
        cdef uint32_t[::1] processing = columns["processing"]
        cdef uint8_t[:, ::1] tid = columns["tid"]
        cdef uint8_t[:, ::1] mid = columns["mid"]
        cdef uint8_t[:, ::1] rrn = columns["rrn"]
        cdef uint8_t[:, ::1] response = columns["response"]
        cdef uint16_t[:, ::1] field_offset = columns["field_offset"]
        cdef uint16_t[:, ::1] field_size = columns["field_size"]
        cdef uint8_t[::1] status = columns["status"]
        cdef uint16_t[::1] fault_field = columns["fault_field"]
        cdef uint16_t[::1] fault_part = columns["fault_part"]
        cdef uint32_t[::1] fault_offset = columns["fault_offset"]
        cdef size_t size = <size_t>buffer.shape[0]
        cdef size_t count = <size_t>offsets.shape[0]
        cdef size_t good = 0
        cdef pos_status answer
        if count < 2:
            return 0
        count -= 1
        if mti.shape[0] != <Py_ssize_t>count:
            raise ValueError("columns have as many rows as there are messages")
        into.mti = &mti[0]
        into.bitmap = &bitmap[0, 0]
        into.stan = &stan[0]
        into.amount_minor = &amount[0]
        into.processing = &processing[0]
        into.tid = <char *>&tid[0, 0]
        into.mid = <char *>&mid[0, 0]
        into.rrn = <char *>&rrn[0, 0]
        into.response = <char *>&response[0, 0]
        # Without a column a row: nobody asked for the places.
        into.field_offset = &field_offset[0, 0] if field_offset.shape[1] > 0 else NULL
        into.field_size = &field_size[0, 0] if field_size.shape[1] > 0 else NULL
        into.status = &status[0]
        into.fault_field = &fault_field[0]
        into.fault_part = &fault_part[0]
        into.fault_offset = &fault_offset[0]
        cdef const uint8_t *data = &buffer[0] if size > 0 else NULL
        with nogil:
            answer = pos_message_parse_many(self.spec, data, size, &offsets[0], count, &into,
                                            &good)
        checked(answer, "offsets ascend within the buffer")
        return good


cdef object decoded(const uint8_t *text, size_t size, unsigned content):
    """A plain value as Python has it: ``bytes`` for b, else ``str``; None where ASCII has no word."""
    cdef size_t index
    cdef uint8_t bits = 0
    if content == POS_CONTENT_B:
        return text[:size]
    for index in range(size):
        bits |= text[index]
    return None if bits >= 0x80 else PyUnicode_DecodeASCII(<const char *>text, size, NULL)


cdef class Parsed:
    """A parsed body: offsets, and values when they are asked for. Made by ``Core.parse``.

    The half of a mapping from field number to value that runs in the core; ``Message`` is the rest.
    """

    @property
    def number(self):
        """The message type as the core writes it: 0x0200."""
        return self.message.mti

    def fields(self):
        """The numbers of the fields that were read, ascending."""
        cdef list found = []
        cdef uint64_t bits
        cdef int word
        for word in range(2):
            bits = self.message.bitmap[word]
            while bits != 0:
                found.append(64 * word + lowest_bit(bits) + 1)
                bits &= bits - 1
        return found

    def __iter__(self):
        return iter(self.fields())

    def __len__(self):
        return bits_set(self.message.bitmap[0]) + bits_set(self.message.bitmap[1])

    def __contains__(self, field):
        return (isinstance(field, int) and 0 <= field <= POS_FIELD_MAX
                and pos_message_has(&self.message, field))

    def __getitem__(self, field):
        """A field: ``bytes`` for content b, else ``str``; KeyError where it was not read.

        Copied at every call. What is not ASCII goes through ``otherwise``, the subclass's.
        """
        cdef uint8_t[POS_VALUE_SIZE_MAX] text
        cdef unsigned number
        cdef size_t size
        if not isinstance(field, int) or not 0 <= field <= POS_FIELD_MAX:
            raise KeyError(field)
        number = field
        if not pos_message_has(&self.message, number):
            raise KeyError(field)
        size = pos_message_value(self.core.spec, &self.message, number, text)
        value = decoded(text, size, self.core.contents[number])
        return value if value is not None else self.otherwise(number, text[:size])

    def value(self, unsigned field):
        """A field in its plain dress; KeyError where it was not read."""
        cdef uint8_t[POS_VALUE_SIZE_MAX] text
        if not pos_message_has(&self.message, field):
            raise KeyError(field)
        cdef size_t size = pos_message_value(self.core.spec, &self.message, field, text)
        return text[:size]

    def place(self, unsigned field):
        """Where a field's value lies in the body; KeyError where it was not read."""
        if not pos_message_has(&self.message, field):
            raise KeyError(field)
        cdef pos_field *place = &self.message.fields[field]
        return Place(place.offset, place.size, place.units)

    def elements(self, unsigned field):
        """The parts of a field, in order; none where it has no layout or does not fit it."""
        cdef pos_part[512] parts
        cdef uint8_t[9999] text
        cdef size_t count
        cdef size_t size
        cdef pos_status status = pos_message_parts(
            self.core.spec, &self.message, field, parts, &count)
        if status != 0 and self.fault is not None:
            return []  # the layouts of a body with a fault were not judged
        checked(status)
        found = []
        for index in range(count):
            size = pos_part_value(&self.message, &parts[index], text)
            name = parts[index].name.decode() if parts[index].name != NULL else ""
            name_zh = parts[index].name_zh.decode() if parts[index].name_zh != NULL else ""
            tag = (<const char *>parts[index].tag).decode("latin-1")
            key = tag or name
            if parts[index].group:
                key = f"{key}.{parts[index].group}"
            found.append(Part(
                key, name, name_zh, tag, parts[index].group, parts[index].depth,
                CONTENTS[parts[index].content], SECRECIES[parts[index].secrecy],
                bool(parts[index].is_kept), bool(parts[index].is_constructed),
                parts[index].offset, parts[index].size, parts[index].units, text[:size],
            ))
        return found

    # ---- rules and MAC coverage -------------------------------------------------------------
    def rule(self):
        """``(kind, rule name, Chinese name, is an answer, answer MTI)``."""
        cdef pos_kind_facts facts
        checked(pos_message_kind(self.core.spec, &self.message, &facts),
                f"message type {self.message.mti:04x}")
        return (pos_kind_name(facts.kind).decode(), facts.name.decode(), facts.name_zh.decode(),
                bool(facts.is_answer), facts.answer_mti)

    def rule_check(self):
        """Raise where a field is missing or not allowed by the rule of this message."""
        cdef pos_fault fault
        cdef pos_status status = pos_message_check(self.core.spec, &self.message, &fault)
        if status != 0:
            raise exception_of(status, &fault)

    def mac_cover(self):
        """``(bytes covered, algorithm, output, MAC field's bytes or None)``."""
        cdef pos_mac_cover cover
        pos_message_mac_cover(self.core.spec, &self.message, &cover)
        mac = cover.mac[:cover.mac_size] if cover.mac != NULL else None
        return cover.size, cover.algorithm, cover.output, mac
