/*
 * Goal: messages of every dialect are read, built, understood, redacted and answered as the dialect
 * says; what is not of its form gets the fault that the vectors name; nothing that arrives, message
 * or image, makes the core read or write where it must not.
 * Method: the shared vectors; all their prefixes and single-byte changes in blocks of exactly their
 * size, under the address sanitizer; images with changed bytes and a right sum; requests by hand.
 */
#include "message/message.h"
#include "paper.h"

#define IMAGES_CHANGED 6000 /* under ASan some seconds; the seed is fixed */

static uint8_t *copied(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    CHECK(copy != NULL);
    if (size > 0) memcpy(copy, data, size);
    return copy;
}

/* ---- building by hand ----------------------------------------------------------------------------- */
typedef struct given {
    pos_value values[64];
    size_t count;
} given;

static void give(given *fields, unsigned field, const char *text)
{
    fields->values[fields->count++] = (pos_value){
        .field = (uint8_t)field, .value = (const uint8_t *)text, .size = (uint32_t)strlen(text)};
}

static size_t built(const pos_spec *spec, uint16_t mti, const given *fields, uint8_t body[2048])
{
    size_t size;
    pos_fault fault;
    const pos_status status = pos_message_build(spec, mti, fields->values, fields->count, body,
                                                2048, &size, &fault);
    if (status != POS_OK) {
        fprintf(stderr, "%s field %u %s\n", pos_status_name(status), fault.field, fault.rule);
    }
    CHECK(status == POS_OK);
    return size;
}

/* A sale of the terminal dialect with fields before 41 and after 60 of the caller's choice. */
static given sale_of(const char *entry, const char *pan, const char *track, const char *security)
{
    given fields = {.count = 0};
    if (pan != NULL) give(&fields, 2, pan);
    give(&fields, 3, "000000");
    give(&fields, 4, "000000012345");
    give(&fields, 11, "000059");
    if (pan != NULL) give(&fields, 14, "3012");
    give(&fields, 22, entry);
    give(&fields, 25, "00");
    if (track != NULL) give(&fields, 35, track);
    give(&fields, 41, "09101515");
    give(&fields, 42, "308350193990080");
    give(&fields, 49, "156");
    if (security != NULL) give(&fields, 53, security);
    return fields;
}

typedef struct read_out {
    pos_message message;
    const pos_rule *rule;
    pos_request request;
    char pan[20];
    size_t pan_size;
    uint8_t body[2048];
    size_t size;
} read_out;

static void read_request(const pos_spec *spec, uint16_t mti, const given *fields, read_out *out)
{
    out->size = built(spec, mti, fields, out->body);
    pos_fault fault;
    CHECK(pos_message_parse(spec, out->body, out->size, &out->message, &fault) == POS_OK);
    CHECK(pos_rule_find(spec, &out->message, &out->rule) == POS_OK);
    CHECK(pos_request_read(spec, out->rule, &out->message, &out->request, out->pan,
                           &out->pan_size, &fault) == POS_OK);
}

/* ---- vectors ----------------------------------------------------------------------------------------- */
/* Everything that the core does with a message, of a dialect of ours or of a hostile image. */
static void use(const pos_spec *spec, const pos_message *message, bool is_ours)
{
    static uint8_t text[POS_VALUE_SIZE_MAX];
    static pos_part parts[POS_PART_MAX];
    for (unsigned field = 2; field <= POS_FIELD_MAX; field++) {
        size_t count;
        if (!pos_message_has(message, field)) continue;
        CHECK(message->fields[field].offset + message->fields[field].size <= message->body_size);
        (void)pos_message_value(spec, message, field, text);
        (void)pos_message_parts(spec, message, field, parts, &count);
        for (size_t index = 0; index < count; index++) {
            CHECK(parts[index].offset + parts[index].size <= message->body_size);
            (void)pos_part_value(message, &parts[index], text);
        }
    }
    pos_mac_cover cover;
    pos_message_mac_cover(spec, message, &cover);
    CHECK(cover.size <= message->body_size);
    pos_kind_facts kind;
    (void)pos_message_kind(spec, message, &kind);
    const pos_rule *rule;
    pos_fault fault;
    if (pos_rule_find(spec, message, &rule) != POS_OK) return;
    (void)pos_rule_check(spec, rule, message, &fault);
    static uint8_t buffer[8192];
    pos_writer writer = pos_writer_over(buffer, sizeof buffer);
    pos_request_redact(spec, rule, message, &writer);
    pos_request request;
    char pan[20];
    size_t pan_size;
    (void)pos_request_read(spec, rule, message, &request, pan, &pan_size, &fault);
    if (rule->answer_mti == 0) return;
    writer = pos_writer_over(buffer, sizeof buffer);
    if (pos_answer_build(spec, rule, message, NULL, 0, true, &writer, &fault) != POS_OK) return;
    CHECK(!writer.is_full);
    static uint8_t answer[8192];
    size_t covered;
    size_t mac;
    pos_writer filled = pos_writer_over(answer, sizeof answer);
    const pos_status status =
        pos_answer_fill(spec, buffer, writer.size, message, &filled, &covered, &mac);
    CHECK(status == POS_OK || (!is_ours && status == POS_ENTRY_FORM));
    if (status != POS_OK) return;
    CHECK(covered + mac == filled.size);
}

static void check_parse(const pos_spec *spec, const uint8_t *body, size_t size)
{
    pos_message message;
    pos_fault fault = {.status = POS_OK};
    const pos_status status = pos_message_parse(spec, body, size, &message, &fault);
    if (status != POS_OK) {
        CHECK(fault.status == status);
        CHECK(status >= POS_FIELD_SHORT && status <= POS_FIELD_PART);
        CHECK(fault.offset <= size);
        CHECK(fault.rule != NULL);
        CHECK(fault.wanted == 0 || fault.wanted > fault.left);
        for (unsigned field = fault.field; field <= POS_FIELD_MAX && fault.field > 0; field++) {
            CHECK(!pos_message_has(&message, field));
        }
    }
    use(spec, &message, true);
}

static void check_prefixes(const pos_spec *spec, const uint8_t *body, size_t size)
{
    for (size_t prefix = 0; prefix < size; prefix++) {
        uint8_t *part = copied(body, prefix);
        pos_message message;
        pos_fault fault;
        CHECK(pos_message_parse(spec, part, prefix, &message, &fault) != POS_OK);
        check_parse(spec, part, prefix);
        free(part);
    }
}

static void check_changes(const pos_spec *spec, const uint8_t *body, size_t size)
{
    uint8_t *changed = copied(body, size);
    for (size_t at = 0; at < size; at++) {
        for (unsigned value = 1; value < 256; value++) {
            changed[at] = (uint8_t)(body[at] ^ value);
            check_parse(spec, changed, size);
        }
        changed[at] = body[at];
    }
    free(changed);
}

/* What was read, written again, gives the same bytes. */
static void check_build(const pos_spec *spec, const pos_message *message)
{
    static uint8_t texts[POS_FIELD_MAX + 1][1024];
    given fields = {.count = 0};
    for (unsigned field = 2; field <= POS_FIELD_MAX; field++) {
        if (!pos_message_has(message, field)) continue;
        const size_t size = pos_message_value(spec, message, field, texts[field]);
        fields.values[fields.count++] = (pos_value){
            .field = (uint8_t)field, .value = texts[field], .size = (uint32_t)size};
    }
    uint8_t body[2048];
    const size_t size = built(spec, message->mti, &fields, body);
    CHECK(size == message->body_size);
    CHECK(pos_equal(body, message->body, size));
}

static long number_after(const char *line, const char *word, long missing)
{
    const char *at = strstr(line, word);
    return at == NULL ? missing : strtol(at + strlen(word), NULL, 10);
}

/* The fault of a vector: of its frame, its form, or its rule. */
static void check_fault(const pos_spec *spec, const paper_vector *vector)
{
    const uint8_t *body = vector->data;
    size_t size = vector->size;
    size_t before = 0; /* offsets of a frame's vector count from its first byte */
    pos_fault fault = {.status = POS_OK};
    if (vector->is_frame) {
        pos_frame frame;
        fault.status = pos_frame_next(spec, vector->data, vector->size, &frame);
        if (fault.status == POS_OK) {
            before = (size_t)(frame.body - vector->data);
            body = frame.body;
            size = frame.body_size;
        }
    }
    pos_message message;
    const bool is_cut = fault.status == POS_OK;
    if (is_cut) fault.status = pos_message_parse(spec, body, size, &message, &fault);
    const bool is_form = is_cut && fault.status != POS_OK;
    if (is_cut && !is_form) fault.status = pos_message_check(spec, &message, &fault);
    char wanted[40];
    snprintf(wanted, sizeof wanted, "%.*s", (int)strcspn(vector->fault, " "), vector->fault);
    const bool is_same = strcmp(pos_status_name(fault.status), wanted) == 0
                         && number_after(vector->fault, "field=", fault.field) == fault.field;
    if (!is_same) {
        fprintf(stderr, "%s: %s wanted, %s field %u\n", vector->where, vector->fault,
                pos_status_name(fault.status), fault.field);
    }
    CHECK(is_same);
    if (!is_form) return;
    const long offset = (long)(before + fault.offset);
    if (number_after(vector->fault, "off=", offset) != offset
        || number_after(vector->fault, "part=", fault.part) != fault.part) {
        fprintf(stderr, "%s: %s wanted, off=%ld part=%u\n", vector->where, vector->fault, offset,
                fault.part);
        CHECK(false);
    }
}

static void check_vector(const paper_vector *vector, void *context)
{
    unsigned *counts = context;
    pos_spec *spec = paper_spec(vector->dialect);
    if (vector->fault[0] != 0) {
        check_fault(spec, vector);
        counts[1]++;
        pos_spec_close(spec);
        return;
    }
    const uint8_t *body = vector->data;
    size_t size = vector->size;
    if (vector->is_frame) {
        pos_frame frame;
        CHECK(pos_frame_next(spec, vector->data, vector->size, &frame) == POS_OK);
        body = frame.body;
        size = frame.body_size;
    }
    uint8_t *copy = copied(body, size);
    pos_message message;
    pos_fault fault;
    const pos_status status = pos_message_parse(spec, copy, size, &message, &fault);
    if (status != POS_OK) fprintf(stderr, "%s: %s\n", vector->where, pos_status_name(status));
    CHECK(status == POS_OK);
    check_build(spec, &message);
    check_prefixes(spec, copy, size);
    check_changes(spec, copy, size);
    free(copy);
    pos_spec_close(spec);
    counts[0]++;
}

static void test_every_vector_is_read_built_changed_and_cut(void)
{
    unsigned counts[2] = {0, 0};
    paper_each("message", check_vector, counts);
    CHECK(counts[0] >= 60); /* good ones */
    CHECK(counts[1] >= 40); /* faults */
}

/* ---- requests ---------------------------------------------------------------------------------------- */
static void test_a_swiped_sale_gives_its_facts(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    given fields = sale_of("021", NULL, "6225000000000014D30122010000012345678", NULL);
    give(&fields, 60, "2200000100050");
    give(&fields, 64, "12345678");
    read_out out;
    read_request(spec, 0x0200, &fields, &out);
    const pos_request *request = &out.request;
    CHECK(request->kind == POS_KIND_SALE);
    CHECK(request->message_class == 0x20 && request->mti == 0x0200);
    CHECK(request->amount_minor == 12345 && request->stan == 59 && request->batch == 1);
    CHECK(request->type == 22 && request->network == 0 && request->reader == 5);
    CHECK(request->entry_mode == 21 && request->currency == 156);
    CHECK(memcmp(request->tid, "09101515", 8) == 0);
    CHECK(memcmp(request->mid, "308350193990080", 15) == 0);
    CHECK(memcmp(request->original_rrn, "            ", 12) == 0);
    CHECK(out.pan_size == 16 && memcmp(out.pan, "6225000000000014", 16) == 0);
    CHECK(request->bin == 622500 && request->last4 == 14);
    CHECK(request->expiry_yymm == 3012);
    CHECK(request->flags == (POS_FLAG_TRACK | POS_FLAG_PAN | POS_FLAG_EXPIRY));
    pos_spec_close(spec);
}

static void test_an_enciphered_track_gives_the_account_only_where_it_is_clear(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    read_out out;
    /* Sixteen digits and their separator lie before the eight enciphered bytes. */
    given fields = sale_of("021", NULL, "6225000000000014D30185810F40FF741B498",
                           "2610000000000000");
    give(&fields, 60, "2200000100050");
    give(&fields, 64, "12345678");
    read_request(spec, 0x0200, &fields, &out);
    CHECK(out.pan_size == 16 && memcmp(out.pan, "6225000000000014", 16) == 0);
    CHECK(out.request.expiry_yymm == 0); /* its last digit is enciphered */
    CHECK((out.request.flags & POS_FLAG_EXPIRY) == 0);
    /* A short track: the separator would lie in the enciphered part, whatever stands there. */
    fields = sale_of("021", NULL, "6225000000000014D3012201000001", "2610000000000000");
    give(&fields, 60, "2200000100050");
    give(&fields, 64, "12345678");
    read_request(spec, 0x0200, &fields, &out);
    CHECK(out.pan_size == 0);
    CHECK((out.request.flags & POS_FLAG_PAN) == 0);
    CHECK(out.request.bin == 622500 && out.request.last4 == 0);
    /* SM4 enciphers sixteen bytes: of 37 digits only four are clear, less than a BIN. */
    fields = sale_of("021", NULL, "6225000000000014D30122010000012345678", "2310000000000000");
    give(&fields, 60, "2200000100050");
    give(&fields, 64, "12345678");
    read_request(spec, 0x0200, &fields, &out);
    CHECK(out.pan_size == 0 && out.request.bin == 0);
    pos_spec_close(spec);
}

static void test_field_2_goes_before_the_track_and_its_check_digit_is_judged(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    read_out out;
    given fields = sale_of("051", "6222021234567890128", NULL, NULL);
    give(&fields, 60, "2200000100050");
    give(&fields, 64, "12345678");
    read_request(spec, 0x0200, &fields, &out);
    CHECK(out.pan_size == 19 && memcmp(out.pan, "6222021234567890128", 19) == 0);
    CHECK((out.request.flags & POS_FLAG_PAN) != 0);
    CHECK(out.request.last4 == 128 && out.request.expiry_yymm == 3012);
    const bool was_invalid = (out.request.flags & POS_FLAG_PAN_INVALID) != 0;
    fields = sale_of("051", "6222021234567890129", NULL, NULL);
    give(&fields, 60, "2200000100050");
    give(&fields, 64, "12345678");
    read_request(spec, 0x0200, &fields, &out);
    CHECK(((out.request.flags & POS_FLAG_PAN_INVALID) != 0) != was_invalid);
    fields = sale_of("012", "4111111111111111", NULL, NULL);
    give(&fields, 60, "2200000100020");
    give(&fields, 64, "12345678");
    read_request(spec, 0x0200, &fields, &out);
    CHECK((out.request.flags & POS_FLAG_PAN_INVALID) == 0);
    pos_spec_close(spec);
}

static void test_a_fallback_is_told_by_entry_mode_or_reader(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    static const char *const CASES[][2] = {
        {"801", "2200000100050"}, {"021", "2200000100052"}, {"021", "2200000100051"}};
    for (unsigned index = 0; index < 3; index++) {
        given fields = sale_of(CASES[index][0], NULL, "6225000000000014D30122010000012345678",
                               NULL);
        give(&fields, 60, CASES[index][1]);
        give(&fields, 64, "12345678");
        read_out out;
        read_request(spec, 0x0200, &fields, &out);
        CHECK(((out.request.flags & POS_FLAG_FALLBACK) != 0) == (index < 2));
    }
    pos_spec_close(spec);
}

static void test_a_qr_code_stands_for_the_card(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    given fields = sale_of("032", NULL, NULL, NULL);
    give(&fields, 59, "A30196212345678901234567");
    give(&fields, 60, "22000001000");
    give(&fields, 64, "12345678");
    read_out out;
    read_request(spec, 0x0200, &fields, &out);
    CHECK(out.request.kind == POS_KIND_QR_SALE);
    CHECK(out.pan_size == 19 && memcmp(out.pan, "6212345678901234567", 19) == 0);
    CHECK(out.request.flags == (POS_FLAG_QR | POS_FLAG_PAN));
    pos_spec_close(spec);
}

static void test_settle_totals_and_batch_details_are_read(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    read_out out;
    given fields = {.count = 0};
    give(&fields, 11, "000060");
    give(&fields, 41, "09101515");
    give(&fields, 42, "308350193990080");
    give(&fields, 48, "00000001234500200000000067800100000000000090030000000000070040");
    give(&fields, 49, "156");
    give(&fields, 60, "00000001201");
    give(&fields, 63, "01 ");
    read_request(spec, 0x0500, &fields, &out);
    CHECK(out.request.kind == POS_KIND_SETTLE && out.request.has_totals);
    CHECK(out.request.totals.domestic.debit_minor == 12345);
    CHECK(out.request.totals.domestic.debit_count == 2);
    CHECK(out.request.totals.domestic.credit_minor == 678);
    CHECK(out.request.totals.domestic.credit_count == 1);
    CHECK(out.request.totals.foreign.debit_minor == 9);
    CHECK(out.request.totals.foreign.debit_count == 3);
    CHECK(out.request.totals.foreign.credit_minor == 7);
    CHECK(out.request.totals.foreign.credit_count == 4);
    CHECK(memcmp(out.request.operator_id, "01 ", 3) == 0);

    fields.values[3].value = (const uint8_t *)"02"
        "00000059" "00006225000000000014" "000000012345"
        "01000060" "06222021234567890128" "000000000001";
    fields.values[3].size = 82;
    fields.values[5].value = (const uint8_t *)"00000001201";
    fields.count = 6;
    fields.values[4] = fields.values[5];
    fields.count = 5;
    read_request(spec, 0x0320, &fields, &out);
    CHECK(out.request.kind == POS_KIND_BATCH_DETAIL && !out.request.has_totals);
    CHECK(out.request.upload_count == 2 && out.request.detail_count == 2);
    CHECK(out.request.details[0].stan == 59 && out.request.details[0].amount_minor == 12345);
    CHECK(out.request.details[0].bin == 622500 && out.request.details[0].last4 == 14);
    CHECK(out.request.details[1].card_class == 1 && out.request.details[1].bin == 622202);
    CHECK(out.request.details[1].last4 == 128);
    /* The details are facts; the accounts in them are not kept. */
    uint8_t kept[1024];
    pos_writer writer = pos_writer_over(kept, sizeof kept);
    pos_request_redact(spec, out.rule, &out.message, &writer);
    CHECK(memmem(kept, writer.size, "\x62\x25\x00\x00\x00\x00\x00\x14", 8) == NULL);
    CHECK(memmem(kept, writer.size, "\x06\x22\x20\x21\x23\x45\x67\x89\x01\x28", 10) == NULL);
    CHECK(memmem(kept, writer.size, "\x00\x00\x00\x01\x23\x45", 6) != NULL); /* the amount */
    pos_spec_close(spec);
}

/* ---- redaction ------------------------------------------------------------------------------------------ */
static bool holds(const uint8_t *data, size_t size, const char *bytes, size_t count)
{
    return memmem(data, size, bytes, count) != NULL;
}

static void test_the_journal_gets_no_secret(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    given fields = {.count = 0};
    give(&fields, 2, "6222021234567890128");
    give(&fields, 3, "000000");
    give(&fields, 4, "000000012345");
    give(&fields, 11, "000059");
    give(&fields, 14, "9107");
    give(&fields, 22, "051");
    give(&fields, 25, "00");
    give(&fields, 35, "6222021234567890128D91072010000012345");
    give(&fields, 41, "09101515");
    give(&fields, 42, "308350193990080");
    give(&fields, 49, "156");
    give(&fields, 52, "PINBLOCK");
    /* 9F26, 57 track, 5A account, 5F24 expiry, an unknown tag, 9F36; a template with 57 in it. */
    static const char CHIP[] = "\x9f\x26\x02\xc1\xc2\x57\x03TRK\x5a\x03" "ACC\x5f\x24\x03" "EXP"
                               "\xdf\x7f\x03UNK\x9f\x36\x02\x03\x1e\x72\x05\x57\x03TPL";
    fields.values[fields.count++] = (pos_value){55, (const uint8_t *)CHIP, sizeof CHIP - 1};
    give(&fields, 59, "A1003SM4A30196212345678901234567A4020VOUCHERVOUCHERVOUCHEZ9003UNK");
    give(&fields, 60, "2200000100050");
    give(&fields, 64, "MACBYTES");
    read_out out;
    read_request(spec, 0x0200, &fields, &out);
    uint8_t kept[2048];
    pos_writer writer = pos_writer_over(kept, sizeof kept);
    pos_request_redact(spec, out.rule, &out.message, &writer);
    CHECK(!writer.is_full);
    static const char *const SECRETS[] = {"\x62\x22\x02\x12\x34\x56\x78\x90\x12\x80", "\x91\x07",
        "PINBLOCK", "TRK", "ACC", "EXP", "UNK", "TPL", "SM4", "6212345678901234567"};
    for (size_t index = 0; index < sizeof SECRETS / sizeof SECRETS[0]; index++) {
        CHECK(!holds(kept, writer.size, SECRETS[index], strlen(SECRETS[index])));
    }
    CHECK(holds(kept, writer.size, "A4020VOUCHERVOUCHERVOUCHE", 25));
    CHECK(holds(kept, writer.size, "\x37\x0a\x00\x9f\x26\x02\xc1\xc2\x9f\x36\x02\x03\x1e", 13));
    CHECK(holds(kept, writer.size, "\x04\x06\x00\x00\x00\x00\x01\x23\x45", 9));
    /* Extended data that is not of its form could hold anything: nothing of it is kept. */
    for (size_t index = 0; index < fields.count; index++) {
        if (fields.values[index].field != 59) continue;
        fields.values[index].value = (const uint8_t *)"A4020VOUCHERVOUCHERVOUCHEA3";
        fields.values[index].size = 27;
    }
    read_request(spec, 0x0200, &fields, &out);
    writer = pos_writer_over(kept, sizeof kept);
    pos_request_redact(spec, out.rule, &out.message, &writer);
    CHECK(!holds(kept, writer.size, "VOUCHER", 7));
    pos_spec_close(spec);
}

/* ---- answers --------------------------------------------------------------------------------------------- */
static void test_an_answer_is_a_template_with_holes_and_is_filled_from_the_repeat(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    given fields = sale_of("051", "6222021234567890128", NULL, NULL);
    give(&fields, 60, "2200000100050");
    give(&fields, 64, "12345678");
    read_out out;
    read_request(spec, 0x0200, &fields, &out);
    given values = {.count = 0};
    give(&values, 12, "092400");
    give(&values, 37, "010000000001");
    give(&values, 38, "A1B2C3");
    give(&values, 39, "00");
    give(&values, 48, "0"); /* this kind's answer carries none: left out */
    uint8_t template_[1024];
    pos_fault fault;
    pos_writer writer = pos_writer_over(template_, sizeof template_);
    CHECK(pos_answer_build(spec, out.rule, &out.message, values.values, values.count, true,
                           &writer, &fault) == POS_OK);
    CHECK(template_[0] == 2); /* field 2 and field 14 */
    CHECK(!holds(template_, writer.size, "\x62\x22\x02\x12\x34\x56\x78\x90\x12\x80", 10));

    uint8_t answer[1024];
    size_t covered;
    size_t mac;
    pos_writer filled = pos_writer_over(answer, sizeof answer);
    CHECK(pos_answer_fill(spec, template_, writer.size, &out.message, &filled, &covered, &mac)
          == POS_OK);
    CHECK(mac == 8 && covered + 8 == filled.size);
    pos_message message;
    CHECK(pos_message_parse(spec, answer, filled.size, &message, &fault) == POS_OK);
    CHECK(message.mti == 0x0210);
    uint8_t text[POS_VALUE_SIZE_MAX];
    CHECK(pos_message_value(spec, &message, 2, text) == 19);
    CHECK(pos_equal(text, "6222021234567890128", 19));
    CHECK(pos_message_value(spec, &message, 14, text) == 4 && pos_equal(text, "3012", 4));
    CHECK(pos_message_value(spec, &message, 38, text) == 6 && pos_equal(text, "A1B2C3", 6));
    CHECK(!pos_message_has(&message, 48) && !pos_message_has(&message, 22));
    pos_mac_cover cover;
    pos_message_mac_cover(spec, &message, &cover);
    CHECK(cover.size == covered && cover.mac == answer + covered);

    /* Unsigned: the same without the MAC's bit and room. */
    writer = pos_writer_over(template_, sizeof template_);
    CHECK(pos_answer_build(spec, out.rule, &out.message, values.values, values.count, false,
                           &writer, &fault) == POS_OK);
    filled = pos_writer_over(answer, sizeof answer);
    CHECK(pos_answer_fill(spec, template_, writer.size, &out.message, &filled, &covered, &mac)
          == POS_OK);
    CHECK(mac == 0 && covered == filled.size);
    CHECK(pos_message_parse(spec, answer, filled.size, &message, &fault) == POS_OK);
    CHECK(!pos_message_has(&message, 64));
    pos_spec_close(spec);
}

static void test_a_template_that_does_not_fit_is_refused(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    given fields = sale_of("051", "6222021234567890128", NULL, NULL);
    give(&fields, 60, "2200000100050");
    give(&fields, 64, "12345678");
    read_out out;
    read_request(spec, 0x0200, &fields, &out);
    uint8_t template_[1024];
    pos_fault fault;
    pos_writer writer = pos_writer_over(template_, sizeof template_);
    CHECK(pos_answer_build(spec, out.rule, &out.message, NULL, 0, true, &writer, &fault) == POS_OK);
    uint8_t answer[1024];
    size_t covered;
    size_t mac;
    /* A request with an account of another size, and one without it. */
    static const char *const OTHERS[2] = {"6225000000000014", NULL};
    for (unsigned index = 0; index < 2; index++) {
        given other = sale_of("021", OTHERS[index], "6225000000000014D30122010000012345678", NULL);
        give(&other, 60, "2200000100050");
        give(&other, 64, "12345678");
        read_out repeat;
        read_request(spec, 0x0200, &other, &repeat);
        pos_writer filled = pos_writer_over(answer, sizeof answer);
        CHECK(pos_answer_fill(spec, template_, writer.size, &repeat.message, &filled, &covered,
                              &mac) == POS_ENTRY_FORM);
        CHECK(filled.size == 0);
    }
    for (size_t size = 0; size < writer.size; size++) {
        uint8_t *part = copied(template_, size);
        pos_writer filled = pos_writer_over(answer, sizeof answer);
        (void)pos_answer_fill(spec, part, size, &out.message, &filled, &covered, &mac);
        free(part);
    }
    uint64_t state = 7;
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t *changed = copied(template_, writer.size);
        changed[paper_next(&state) % 24] = (uint8_t)paper_next(&state);
        pos_writer filled = pos_writer_over(answer, sizeof answer);
        (void)pos_answer_fill(spec, changed, writer.size, &out.message, &filled, &covered, &mac);
        free(changed);
    }
    pos_spec_close(spec);
}

/* ---- key blocks ------------------------------------------------------------------------------------------- */
static void test_key_blocks_are_found_by_network_code(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    const pos_spec_key_block *block = pos_spec_key_block_find(spec, 4);
    CHECK(block != NULL && block->size == 60 && block->cipher == 0);
    CHECK(block->mak.offset == 20 && block->mak.size == 8);
    CHECK(block->mak.check_offset == 36 && block->mak.check_size == 4);
    CHECK(block->tdk.offset == 40 && block->tdk.check_offset == 56);
    CHECK(pos_spec_key_block_find(spec, 5)->cipher == 2);
    CHECK(pos_spec_key_block_find(spec, 1)->tdk.size == 0);
    CHECK(pos_spec_key_block_find(spec, 201) == NULL);
    pos_spec_close(spec);
}

/* ---- images ----------------------------------------------------------------------------------------------- */
typedef struct corpus {
    paper_vector *vectors;
    size_t count;
} corpus;

static void keep_vector(const paper_vector *vector, void *context)
{
    corpus *kept = context;
    const bool is_wanted = strncmp(vector->where, "public_", 7) == 0
                           || strncmp(vector->where, "kinds_", 6) == 0;
    if (!is_wanted || kept->count == 64 || strcmp(vector->dialect, "unionpay-terminal") != 0) return;
    kept->vectors[kept->count++] = *vector;
}

static void use_image(const uint8_t *image, size_t size, const corpus *messages, uint64_t *state)
{
    pos_spec *spec = NULL;
    const pos_status status = pos_spec_open(image, size, &spec);
    if (status != POS_OK) {
        CHECK(status == POS_IMAGE_FORM || status == POS_IMAGE_LIMIT);
        CHECK(spec == NULL);
        return;
    }
    for (unsigned round = 0; round < 4; round++) {
        const paper_vector *vector = &messages->vectors[paper_next(state) % messages->count];
        const size_t skip = vector->is_frame ? 13 : 0;
        uint8_t *body = copied(vector->data + skip, vector->size - skip);
        pos_message message;
        pos_fault fault;
        (void)pos_message_parse(spec, body, vector->size - skip, &message, &fault);
        use(spec, &message, false);
        free(body);
    }
    pos_spec_close(spec);
}

static void test_an_image_from_a_hostile_hand_is_refused_or_does_no_harm(void)
{
    static paper_vector kept[64];
    corpus messages = {.vectors = kept};
    paper_each("message", keep_vector, &messages);
    CHECK(messages.count >= 32);
    size_t size;
    uint8_t *image = paper_image("unionpay-terminal", &size);
    uint64_t state = 20261121;
    unsigned opened = 0;
    for (unsigned round = 0; round < IMAGES_CHANGED; round++) {
        uint8_t *changed = copied(image, size);
        const unsigned changes = 1 + (unsigned)(paper_next(&state) % 3);
        for (unsigned each = 0; each < changes; each++) {
            /* Most of the heap is names: the tables before it are what matters. */
            const size_t tables = pos_load_u32_le(image + 40 + 8 * 8);
            const size_t at = paper_next(&state) % (round % 8 == 0 ? size : tables);
            static const uint8_t VALUES[] = {0x00, 0x01, 0x02, 0x40, 0x7f, 0x80, 0xff};
            changed[at] = round % 2 == 0 ? (uint8_t)paper_next(&state)
                                         : VALUES[paper_next(&state) % sizeof VALUES];
        }
        paper_sum(changed, size);
        pos_spec *spec = NULL;
        if (pos_spec_open(changed, size, &spec) == POS_OK) {
            pos_spec_close(spec);
            opened++;
        }
        use_image(changed, size, &messages, &state);
        free(changed);
    }
    CHECK(opened > IMAGES_CHANGED / 10); /* else the changes hit nothing but the checks */
    CHECK(opened < IMAGES_CHANGED);
    for (size_t cut = 0; cut < size; cut += 61) {
        uint8_t *part = copied(image, cut);
        pos_spec *spec = NULL;
        CHECK(pos_spec_open(part, cut, &spec) == POS_IMAGE_FORM);
        if (cut >= 20) {
            pos_store_u32_le(part + 12, (uint32_t)cut);
            paper_sum(part, cut);
            if (pos_spec_open(part, cut, &spec) == POS_OK) pos_spec_close(spec);
        }
        free(part);
    }
    free(image);
}

static void test_the_sum_of_an_image_is_checked(void)
{
    size_t size;
    uint8_t *image = paper_image("unionpay-terminal", &size);
    pos_spec *spec = NULL;
    image[size - 2] ^= 1;
    CHECK(pos_spec_open(image, size, &spec) == POS_IMAGE_FORM);
    paper_sum(image, size);
    CHECK(pos_spec_open(image, size, &spec) == POS_OK);
    pos_spec_close(spec);
    free(image);
}

int main(void)
{
    test_a_swiped_sale_gives_its_facts();
    test_an_enciphered_track_gives_the_account_only_where_it_is_clear();
    test_field_2_goes_before_the_track_and_its_check_digit_is_judged();
    test_a_fallback_is_told_by_entry_mode_or_reader();
    test_a_qr_code_stands_for_the_card();
    test_settle_totals_and_batch_details_are_read();
    test_the_journal_gets_no_secret();
    test_an_answer_is_a_template_with_holes_and_is_filled_from_the_repeat();
    test_a_template_that_does_not_fit_is_refused();
    test_key_blocks_are_found_by_network_code();
    test_the_sum_of_an_image_is_checked();
    test_every_vector_is_read_built_changed_and_cut();
    test_an_image_from_a_hostile_hand_is_refused_or_does_no_harm();
    return 0;
}
