/*
 * A request: the facts of a message that a decision may look at, and nothing that it may not keep.
 *
 *   message ─▶ roles ─▶ numbers and text of fixed size ─▶ pos_request
 *                  └─▶ account digits ─▶ pan_out, for the token; the caller wipes them
 *
 * Where the account comes from, the first that there is:
 *   field 2;  the QR code (a code stands for the card);  track 2 up to its separator
 *
 *   track 2, 37 digits, as a terminal enciphers it in place (digit 3 of field 53 is 1):
 *     6225000000000014 D 301 │ 85810F40FF741B49 │ 8 0
 *     clear                  │ 8 bytes by the   │ the last byte
 *                            │ TDK; SM4: 16     │
 *   The account is taken only where its separator lies in the clear part; else the first six digits
 *   alone, where they are clear.
 *
 * Rules. An absent fact is 0 or blank, as in the journal. What is there and is no number where one
 * must be is a fault. Expiry leaves as a number that the engine wipes after it was used.
 */
#include "message/spec.h"

#include <assert.h>

#define BIN_DIGITS 6U
#define ACCOUNT_DIGITS_MIN 8U /* ISO/IEC 7812 */
#define ACCOUNT_DIGITS_MAX 19U
#define QR_DIGITS_MAX 20U
#define TRACK_DIGITS_MAX 104U
#define DES_BLOCK_SIZE 8U
#define SM4_BLOCK_SIZE 16U

typedef struct reading {
    const pos_spec *spec;
    const pos_message *message;
    pos_request request;
    pos_fault fault;
    char *pan; /* 20 characters */
    size_t pan_size;
} reading;

static bool fails(reading *from, pos_status status, unsigned field, const char *rule)
{
    const bool is_there = field != 0 && pos_message_has(from->message, field);
    from->fault = (pos_fault){
        .status = status, .field = (uint16_t)field, .rule = rule,
        .offset = is_there ? from->message->fields[field].offset : 0,
    };
    return false;
}

/* ---- numbers and text ------------------------------------------------------------------------------ */
/* A role's number, 0 where it is absent. False, and a fault, where it is no number up to `most`. */
static bool number_take(reading *from, pos_role role, uint64_t most, uint64_t *value_out)
{
    pos_view view;
    *value_out = 0;
    if (!pos_role_view(from->spec, from->message, role, &view)) return true;
    if (pos_view_number(&view, value_out) && *value_out <= most) return true;
    *value_out = 0;
    return fails(from, POS_FIELD_CONTENT, pos_spec_role_field(from->spec, role), "a number");
}

static bool u32_take(reading *from, pos_role role, uint32_t *value_out)
{
    uint64_t value;
    const bool is_right = number_take(from, role, UINT32_MAX, &value);
    *value_out = (uint32_t)value;
    return is_right;
}

static bool u16_take(reading *from, pos_role role, uint16_t *value_out)
{
    uint64_t value;
    const bool is_right = number_take(from, role, UINT16_MAX, &value);
    *value_out = (uint16_t)value;
    return is_right;
}

static bool u8_take(reading *from, pos_role role, uint8_t *value_out)
{
    uint64_t value;
    const bool is_right = number_take(from, role, UINT8_MAX, &value);
    *value_out = (uint8_t)value;
    return is_right;
}

/* A role's characters, blank padded; blank where it is absent. What is longer loses its end. */
static void text_take(reading *from, pos_role role, char *text_out, size_t size)
{
    pos_view view;
    uint8_t text[64];
    size_t count = 0;
    if (pos_role_view(from->spec, from->message, role, &view) && view.units <= sizeof text) {
        count = pos_view_text(&view, text);
    }
    for (size_t index = 0; index < size; index++) {
        text_out[index] = index < count ? (char)text[index] : ' ';
    }
}

/* Entry modes of later editions are text and have no number. */
static void entry_mode_take(reading *from)
{
    pos_view view;
    uint64_t value;
    if (!pos_role_view(from->spec, from->message, POS_ROLE_ENTRY_MODE, &view)) return;
    if (view.units > 4 || !pos_view_number(&view, &value)) return;
    from->request.entry_mode = (uint16_t)value;
}

/* hhmmss and MMDD; later editions have YYMMDDhhmmss in one. */
static bool clock_take(reading *from)
{
    uint64_t time;
    uint64_t date;
    if (!number_take(from, POS_ROLE_LOCAL_TIME, 999999999999U, &time)) return false;
    if (!number_take(from, POS_ROLE_LOCAL_DATE, 999999999999U, &date)) return false;
    if (date == 0 && time > 999999) date = time / 1000000;
    from->request.local_time = (uint32_t)(time % 1000000);
    from->request.local_date = (uint32_t)(date % 10000);
    return true;
}

static bool numbers_take(reading *from)
{
    pos_request *request = &from->request;
    uint64_t amount;
    if (!number_take(from, POS_ROLE_AMOUNT, INT64_MAX, &amount)) return false;
    request->amount_minor = (int64_t)amount;
    entry_mode_take(from);
    return u32_take(from, POS_ROLE_PROCESSING, &request->processing)
           && u32_take(from, POS_ROLE_STAN, &request->stan)
           && u32_take(from, POS_ROLE_BATCH, &request->batch)
           && u16_take(from, POS_ROLE_CURRENCY, &request->currency)
           && u16_take(from, POS_ROLE_NETWORK, &request->network)
           && u8_take(from, POS_ROLE_TYPE, &request->type)
           && u8_take(from, POS_ROLE_CONDITION, &request->condition)
           && u8_take(from, POS_ROLE_READER, &request->reader)
           && u8_take(from, POS_ROLE_CHIP_CONDITION, &request->chip_condition)
           && u16_take(from, POS_ROLE_EXPIRY, &request->expiry_yymm)
           && clock_take(from);
}

/* Field 61; else the head of field 90 (or 56): MTI 4, STAN 6. */
static bool original_take(reading *from)
{
    pos_request *request = &from->request;
    if (!u32_take(from, POS_ROLE_ORIGINAL_BATCH, &request->original_batch)
        || !u32_take(from, POS_ROLE_ORIGINAL_STAN, &request->original_stan)
        || !u16_take(from, POS_ROLE_ORIGINAL_DATE, &request->original_date)) return false;
    pos_view view;
    uint8_t text[64];
    if (request->original_stan != 0) return true;
    if (!pos_role_view(from->spec, from->message, POS_ROLE_ORIGINAL_DATA, &view)) return true;
    if (view.units > sizeof text || view.units < 10) return true;
    (void)pos_view_text(&view, text);
    if (pos_ascii_is_digits(text + 4, 6)) {
        request->original_stan = (uint32_t)pos_ascii_number(text + 4, 6);
    }
    return true;
}

/* ---- the card ------------------------------------------------------------------------------------------ */
/* ISO/IEC 7812-1, annex B. */
static bool check_digit_is_right(const char *digits, size_t size)
{
    unsigned sum = 0;
    for (size_t index = 0; index < size; index++) {
        unsigned digit = (unsigned)(digits[size - 1 - index] - '0');
        if (index % 2 == 1) {
            digit *= 2;
            if (digit > 9) digit -= 9;
        }
        sum += digit;
    }
    return sum % 10 == 0;
}

/* First six and last four of an account; nothing of one that is too short to hide the rest. */
static void ends_take(const char *digits, size_t size, uint32_t *bin_out, uint16_t *last4_out)
{
    if (size < BIN_DIGITS + 4) return;
    *bin_out = (uint32_t)pos_ascii_number((const uint8_t *)digits, BIN_DIGITS);
    *last4_out = (uint16_t)pos_ascii_number((const uint8_t *)digits + size - 4, 4);
}

static void account_take(reading *from, const uint8_t *digits, size_t size, uint32_t flags)
{
    assert(size <= QR_DIGITS_MAX);
    pos_copy(from->pan, digits, size);
    from->pan_size = size;
    from->request.flags |= flags;
    ends_take(from->pan, size, &from->request.bin, &from->request.last4);
}

static bool field_account_take(reading *from)
{
    pos_view view;
    if (!pos_role_view(from->spec, from->message, POS_ROLE_PAN, &view) || view.units == 0) {
        return true;
    }
    uint8_t digits[ACCOUNT_DIGITS_MAX];
    const unsigned field = pos_spec_role_field(from->spec, POS_ROLE_PAN);
    if (view.units > sizeof digits) {
        return fails(from, POS_FIELD_LENGTH, field, "an account of at most 19 digits");
    }
    (void)pos_view_text(&view, digits);
    const bool is_digits = pos_ascii_is_digits(digits, view.units);
    if (is_digits) account_take(from, digits, view.units, POS_FLAG_PAN);
    pos_wipe(digits, sizeof digits);
    if (!is_digits) return fails(from, POS_FIELD_CONTENT, field, "account digits");
    const bool is_valid = from->pan_size >= ACCOUNT_DIGITS_MIN
                          && check_digit_is_right(from->pan, from->pan_size);
    if (!is_valid) from->request.flags |= POS_FLAG_PAN_INVALID;
    return true;
}

static bool qr_take(reading *from)
{
    pos_view view;
    if (!pos_role_view(from->spec, from->message, POS_ROLE_QR, &view) || view.units == 0) {
        return true;
    }
    uint8_t digits[QR_DIGITS_MAX];
    const unsigned field = pos_spec_role_field(from->spec, POS_ROLE_QR);
    if (view.units > sizeof digits) {
        return fails(from, POS_FIELD_PART, field, "a QR code of at most 20 digits");
    }
    (void)pos_view_text(&view, digits);
    const bool is_digits = pos_ascii_is_digits(digits, view.units);
    from->request.flags |= POS_FLAG_QR;
    if (is_digits && from->pan_size == 0) account_take(from, digits, view.units, POS_FLAG_PAN);
    pos_wipe(digits, sizeof digits);
    return is_digits || fails(from, POS_FIELD_PART, field, "QR code digits");
}

/* How many leading digits of a track were not enciphered. */
static uint32_t clear_digits(const reading *from, uint32_t units)
{
    pos_view view;
    uint8_t security[64];
    if (!pos_role_view(from->spec, from->message, POS_ROLE_SECURITY, &view)) return units;
    if (view.units < 3 || view.units > sizeof security) return units;
    (void)pos_view_text(&view, security);
    if (security[2] != '1') return units;
    const uint32_t enciphered = security[1] == '3' ? SM4_BLOCK_SIZE : DES_BLOCK_SIZE;
    const uint32_t bytes = (units + 1) / 2;
    return bytes < enciphered + 1 ? 0 : 2 * (bytes - 1 - enciphered);
}

/* YYMM after the separator, where it is clear. */
static void track_expiry_take(reading *from, const uint8_t *track, uint32_t at, uint32_t clear)
{
    if (from->request.expiry_yymm != 0 || at + 4 > clear) return;
    if (!pos_ascii_is_digits(track + at, 4)) return;
    from->request.expiry_yymm = (uint16_t)pos_ascii_number(track + at, 4);
}

static void track_take(reading *from)
{
    pos_view view;
    if (pos_role_view(from->spec, from->message, POS_ROLE_TRACK3, &view)) {
        from->request.flags |= POS_FLAG_TRACK;
    }
    if (!pos_role_view(from->spec, from->message, POS_ROLE_TRACK2, &view)) return;
    from->request.flags |= POS_FLAG_TRACK;
    uint8_t track[TRACK_DIGITS_MAX];
    if (view.units > sizeof track) return;
    (void)pos_view_text(&view, track);
    const uint32_t clear = clear_digits(from, view.units);
    uint32_t digits = 0;
    while (digits < clear && track[digits] >= '0' && track[digits] <= '9') digits++;
    const bool is_ended = digits < clear && (track[digits] == 'D' || track[digits] == '=');
    const bool is_account = is_ended && digits >= ACCOUNT_DIGITS_MIN
                            && digits <= ACCOUNT_DIGITS_MAX;
    if (is_account && from->pan_size == 0) {
        account_take(from, track, digits, POS_FLAG_PAN);
        if (!check_digit_is_right(from->pan, digits)) from->request.flags |= POS_FLAG_PAN_INVALID;
    } else if (from->pan_size == 0 && digits >= BIN_DIGITS) {
        from->request.bin = (uint32_t)pos_ascii_number(track, BIN_DIGITS);
    }
    if (is_ended) track_expiry_take(from, track, digits + 1, clear);
    pos_wipe(track, sizeof track);
}

static bool role_is_there(const reading *from, pos_role role)
{
    const unsigned field = pos_spec_role_field(from->spec, role);
    return field != 0 && pos_message_has(from->message, field);
}

static bool card_take(reading *from)
{
    if (!field_account_take(from) || !qr_take(from)) return false;
    track_take(from);
    pos_request *request = &from->request;
    if (role_is_there(from, POS_ROLE_PIN)) request->flags |= POS_FLAG_PIN;
    if (role_is_there(from, POS_ROLE_CHIP)) request->flags |= POS_FLAG_CHIP;
    if (request->expiry_yymm != 0) request->flags |= POS_FLAG_EXPIRY;
    const bool is_fallback = request->entry_mode / 10 == 80 || request->chip_condition == 2;
    if (is_fallback) request->flags |= POS_FLAG_FALLBACK;
    return true;
}

/* ---- field 48: totals, details, counts ---------------------------------------------------------------- */
static void total_take(pos_totals *totals, uint8_t meaning, uint64_t value)
{
    pos_totals_side *domestic = &totals->domestic;
    pos_totals_side *foreign = &totals->foreign;
    switch (meaning) {
    case POS_MEANING_DOMESTIC_DEBIT_AMOUNT: domestic->debit_minor = (int64_t)value; break;
    case POS_MEANING_DOMESTIC_DEBIT_COUNT: domestic->debit_count = (uint32_t)value; break;
    case POS_MEANING_DOMESTIC_CREDIT_AMOUNT: domestic->credit_minor = (int64_t)value; break;
    case POS_MEANING_DOMESTIC_CREDIT_COUNT: domestic->credit_count = (uint32_t)value; break;
    case POS_MEANING_FOREIGN_DEBIT_AMOUNT: foreign->debit_minor = (int64_t)value; break;
    case POS_MEANING_FOREIGN_DEBIT_COUNT: foreign->debit_count = (uint32_t)value; break;
    case POS_MEANING_FOREIGN_CREDIT_AMOUNT: foreign->credit_minor = (int64_t)value; break;
    case POS_MEANING_FOREIGN_CREDIT_COUNT: foreign->credit_count = (uint32_t)value; break;
    default: break;
    }
}

/* Right aligned in its digits, zeros before it. */
static void detail_account_take(pos_detail *detail, const pos_view *view)
{
    uint8_t digits[32];
    if (view->units > sizeof digits) return;
    const size_t size = pos_view_text(view, digits);
    size_t first = 0;
    while (first < size && digits[first] == '0') first++;
    ends_take((const char *)digits + first, size - first, &detail->bin, &detail->last4);
    pos_wipe(digits, sizeof digits);
}

static bool detail_take(reading *from, const pos_part *part, uint8_t meaning, const pos_view *view)
{
    const unsigned field = pos_spec_role_field(from->spec, POS_ROLE_PRIVATE_48);
    if (part->group > POS_DETAIL_MAX) {
        return fails(from, POS_FIELD_PART, field, "at most 8 records");
    }
    pos_detail *detail = &from->request.details[part->group - 1];
    from->request.detail_count = (uint8_t)part->group;
    if (meaning == POS_MEANING_ACCOUNT) {
        detail_account_take(detail, view);
        return true;
    }
    uint64_t value;
    if (!pos_view_number(view, &value)) {
        return fails(from, POS_FIELD_PART, field, "digits of a record");
    }
    if (meaning == POS_MEANING_STAN) detail->stan = (uint32_t)value;
    if (meaning == POS_MEANING_AMOUNT) detail->amount_minor = (int64_t)value;
    if (meaning == POS_MEANING_CARD_CLASS) detail->card_class = (uint8_t)value;
    return true;
}

static bool private_take(reading *from)
{
    const unsigned field = pos_spec_role_field(from->spec, POS_ROLE_PRIVATE_48);
    if (field == 0 || !pos_message_has(from->message, field)) return true;
    pos_selection selection = {.asked = 0};
    pos_walk walk = pos_walk_begin(from->spec, from->message, field, &selection);
    pos_part part;
    while (pos_walk_next(&walk, &part)) {
        const pos_view view = pos_part_view(from->message->body, &part);
        const uint8_t meaning =
            part.number == 0 ? (uint8_t)POS_MEANING_RECORD_COUNT
                             : pos_part_form_of(from->spec, walk.layout, part.number)->meaning;
        if (part.group > 0) {
            if (!detail_take(from, &part, meaning, &view)) return false;
            continue;
        }
        uint64_t value;
        if (meaning == POS_MEANING_NONE || !pos_view_number(&view, &value)) continue;
        if (meaning == POS_MEANING_RECORD_COUNT) from->request.upload_count = (uint32_t)value;
        if (meaning <= POS_MEANING_FOREIGN_RESULT) {
            from->request.has_totals = true;
            total_take(&from->request.totals, meaning, value);
        }
    }
    return true;
}

/* ---- the whole -------------------------------------------------------------------------------------------- */
pos_status pos_request_read(const pos_spec *spec, const pos_rule *rule, const pos_message *message,
                            pos_request *request_out, char pan_out[20], size_t *pan_size_out,
                            pos_fault *fault_out)
{
    assert(spec != NULL && rule != NULL && message != NULL);
    assert(request_out != NULL && pan_out != NULL && pan_size_out != NULL);

    char pan[QR_DIGITS_MAX] = {0};
    reading from = {.spec = spec, .message = message, .pan = pan};
    pos_request *request = &from.request;
    request->kind = rule->kind;
    request->mti = message->mti;
    request->message_class = (uint8_t)(message->mti >> 4);
    text_take(&from, POS_ROLE_TID, request->tid, sizeof request->tid);
    text_take(&from, POS_ROLE_MID, request->mid, sizeof request->mid);
    text_take(&from, POS_ROLE_RRN, request->original_rrn, sizeof request->original_rrn);
    text_take(&from, POS_ROLE_AUTH, request->auth, sizeof request->auth);
    text_take(&from, POS_ROLE_RESPONSE, request->reason, sizeof request->reason);
    text_take(&from, POS_ROLE_OPERATOR, request->operator_id, sizeof request->operator_id);

    const bool is_right = numbers_take(&from) && original_take(&from) && card_take(&from)
                          && private_take(&from);
    if (is_right) {
        *request_out = from.request;
        pos_copy(pan_out, pan, sizeof pan);
        *pan_size_out = from.pan_size;
    } else if (fault_out != NULL) {
        *fault_out = from.fault;
    }
    pos_wipe(pan, sizeof pan);
    pos_wipe(&from.request.expiry_yymm, sizeof from.request.expiry_yymm);
    return is_right ? POS_OK : from.fault.status;
}
