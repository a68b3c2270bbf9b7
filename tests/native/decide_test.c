/*
 * Goal: decide is pure, and each question says what its reason says, in the order that is promised.
 * Method: one terminal, one state, one policy image made here; a table of requests, each with one
 * thing wrong, must give one reason; the same arguments must give the same bytes; every changed bit
 * and prefix of a policy image is refused. Sequences of requests are tests/property's matter.
 */
#include "check.h"
#include "images.h"

#include "decide/case.h"

#include <time.h>

#define SETTINGS 3072
#define RANGES 5
#define TID "12345678"
#define MID "104110045110012"
#define NOW INT64_C(1790000000000000000) /* 2026-09-21 14:13:20 UTC */
#define DAY_NS INT64_C(86400000000000)

static uint8_t image[IMAGE_HEADER_SIZE + SETTINGS + 24 * RANGES];

static void range_write(int index, uint32_t first, uint32_t last, uint8_t is_foreign,
                        uint8_t standing, uint64_t kinds)
{
    uint8_t *at = image + IMAGE_HEADER_SIZE + SETTINGS + 24 * index;
    pos_store_u32_le(at, first);
    pos_store_u32_le(at + 4, last);
    pos_store_u64_le(at + 8, kinds);
    at[16] = is_foreign;
    at[17] = standing;
}

static void policy_seal(void)
{
    image_seal(image, "POSPOLCY", SETTINGS, 24, RANGES);
}

/* Sane rules: every kind offered, amounts from 10 to 1,000,000, floor 5,000, PIN above 30,000. */
static void policy_write(void)
{
    uint8_t *at = image + IMAGE_HEADER_SIZE;
    memset(image, 0, sizeof(image));
    memcpy(at, "00010000", 8);
    memcpy(at + 38, "CUP", 3);
    at[42] = 7;                                  /* shard */
    at[46] = 2;                                  /* unknown cards are refused */
    pos_store_u32_le(at + 48, 480);              /* zone */
    pos_store_u32_le(at + 52, 600);              /* clock skew */
    pos_store_u16_le(at + 56, 115);
    pos_store_u16_le(at + 58, 30);
    pos_store_u16_le(at + 60, 20);
    pos_store_u16_le(at + 62, 23 * 60);          /* cut-over 23:00 ... */
    pos_store_u16_le(at + 64, 120);              /* ... for two hours */
    pos_store_u16_le(at + 66, 3);                /* uses of a card */
    pos_store_u32_le(at + 68, 1);
    pos_store_u64_le(at + 72, 12345);
    pos_store_u64_le(at + 80, UINT64_C(1) << 2 | UINT64_C(1) << 5 | UINT64_C(1) << 7);
    pos_store_u64_le(at + 88, UINT64_C(1) << (80 - 64));
    pos_store_u64_le(at + 96, UINT64_C(1) << POS_KIND_SALE);
    for (int kind = 1; kind < POS_KIND_COUNT; kind++) {
        uint8_t *rule = at + 112 + 40 * kind;
        rule[0] = kind != POS_KIND_EC_LOAD;
        pos_store_u64_le(rule + 8, 10);
        pos_store_u64_le(rule + 16, 1000000);
        pos_store_u64_le(rule + 24, 5000);
        pos_store_u64_le(rule + 32, 30000);
    }
    memcpy(at + 2672 + 4 * 51, "51", 2); /* amounts that end in .51 */
    range_write(0, 400000, 499999, 1, BIN_GOOD, UINT64_MAX);
    range_write(1, 620000, 620009, 0, BIN_LOST, UINT64_MAX);
    range_write(2, 620010, 620019, 0, BIN_TEST, UINT64_MAX);
    range_write(3, 620020, 620020, 0, BIN_GOOD, UINT64_C(1) << POS_KIND_REFUND);
    range_write(4, 622000, 622999, 0, BIN_GOOD, UINT64_MAX);
    policy_seal();
}

static pos_policy *policy_made(void)
{
    pos_policy *policy = NULL;
    CHECK(pos_policy_open(image, sizeof(image), &policy) == POS_OK);
    return policy;
}

static pos_terminal terminal_made(void)
{
    pos_terminal terminal = {.flags = POS_TERMINAL_ACTIVE,
                             .currency = 156,
                             .amount_minor_max = 500000,
                             .tmk = {.size = 16, .cipher = POS_CIPHER_DES}};
    memcpy(terminal.tid, TID, 8);
    memcpy(terminal.mid, MID, 15);
    terminal.kind_mask = ~(UINT64_C(1) << POS_KIND_QR_SALE);
    return terminal;
}

static pos_request request_made(pos_kind kind, uint16_t mti, uint32_t stan)
{
    pos_request request = {.kind = (uint8_t)kind,
                           .mti = mti,
                           .message_class = (uint8_t)(mti >> 4),
                           .stan = stan,
                           .batch = 1,
                           .currency = 156,
                           .entry_mode = 21,
                           .amount_minor = 10000,
                           .bin = 622500,
                           .last4 = 14,
                           .flags = POS_FLAG_PAN};
    memcpy(request.tid, TID, 8);
    memcpy(request.mid, MID, 15);
    memset(request.original_rrn, ' ', 12);
    memset(request.auth, ' ', 6);
    memset(request.reason, ' ', 2);
    pos_store_u32_le(request.fingerprint, stan);
    return request;
}

static pos_state *state_made(void)
{
    const pos_state_options options = {.terminals_max = 4, .postings_max = 64, .repeats_max = 256};
    pos_state *state = NULL;
    CHECK(pos_state_create(&options, &state) == POS_OK);
    return state;
}

static pos_decision decided(const pos_request *request, const pos_terminal *terminal,
                            pos_state *state, const pos_policy *policy, int64_t now_ns)
{
    pos_decision decision;
    pos_entry entry;
    pos_decide(request, terminal, state, policy, now_ns, &decision);
    pos_decide_entry(request, &decision, now_ns, &entry);
    entry.sequence = pos_state_sequence(state) + 1;
    CHECK(entry.why == decision.reason);
    CHECK(pos_state_apply(state, &entry) == POS_OK); /* whatever was said can be folded */
    return decision;
}

static void signed_on(const pos_terminal *terminal, pos_state *state, const pos_policy *policy)
{
    const pos_request request = request_made(POS_KIND_SIGN_ON, 0x0800, 1);
    const pos_decision decision = decided(&request, terminal, state, policy, NOW);
    CHECK(decision.reason == POS_REASON_BATCH_OPENED && decision.makes_keys);
    CHECK(decision.batch == 1);
}

/* ---- one thing wrong, one reason ------------------------------------------------------------- */
typedef struct flaw {
    pos_reason reason;
    void (*spoil)(pos_request *request, pos_terminal *terminal, int64_t *now_ns);
} flaw;

#define FLAW(name, what)                                                                           \
    static void name(pos_request *request, pos_terminal *terminal, int64_t *now_ns)                \
    {                                                                                              \
        (void)request;                                                                             \
        (void)terminal;                                                                            \
        (void)now_ns;                                                                              \
        what;                                                                                      \
    }
FLAW(nothing, (void)0)
FLAW(merchant, request->mid[0] = '9')
FLAW(inactive, terminal->flags = 0)
FLAW(locked, terminal->flags |= POS_TERMINAL_LOCKED)
FLAW(forbidden, request->kind = POS_KIND_QR_SALE)
FLAW(off, request->kind = POS_KIND_EC_LOAD)
FLAW(undecided, request->kind = POS_KIND_UNKNOWN)
FLAW(other_batch, request->batch = 2)
FLAW(cutover, *now_ns = NOW / DAY_NS * DAY_NS + (16 * 60 + 30) * INT64_C(60000000000))
FLAW(currency, request->currency = 840)
FLAW(zero, request->amount_minor = 0)
FLAW(negative, request->amount_minor = -1)
FLAW(below, request->amount_minor = 9)
FLAW(above, terminal->amount_minor_max = 0; request->amount_minor = 1000001)
FLAW(terminal_max, request->amount_minor = 500001)
FLAW(floor_, request->kind = POS_KIND_OFFLINE_SALE; request->amount_minor = 5001)
FLAW(no_card, request->flags = 0)
FLAW(digit, request->flags |= POS_FLAG_PAN_INVALID)
FLAW(expired, request->flags |= POS_FLAG_CARD_EXPIRED)
FLAW(unknown, request->bin = 350000)
FLAW(lost, request->bin = 620005)
FLAW(test_card, request->bin = 620010)
FLAW(test_terminal, terminal->flags |= POS_TERMINAL_TEST)
FLAW(card_kind, request->bin = 620020)
FLAW(mode, request->entry_mode = 12)
FLAW(fallback, request->entry_mode = 801)
FLAW(fallback_told, request->flags |= POS_FLAG_FALLBACK)
FLAW(no_pin, request->amount_minor = 30001)
FLAW(no_pin_contactless, request->amount_minor = 30001; request->entry_mode = 72)
FLAW(pin_unexpected, request->flags |= POS_FLAG_PIN; terminal->flags |= POS_TERMINAL_NO_PINPAD)
FLAW(certified, request->amount_minor = 10051)
FLAW(void_of_none, request->kind = POS_KIND_SALE_VOID)
FLAW(void_of_shard, request->kind = POS_KIND_SALE_VOID;
     memcpy(request->original_rrn, "080000000002", 12))

static const flaw flaws[] = {
    {POS_REASON_APPROVED, nothing},
    {POS_REASON_MERCHANT_DIFFERS, merchant},
    {POS_REASON_TERMINAL_INACTIVE, inactive},
    {POS_REASON_TERMINAL_LOCKED, locked},
    {POS_REASON_KIND_FORBIDDEN, forbidden},
    {POS_REASON_KIND_OFF, off},
    {POS_REASON_KIND_UNDECIDED, undecided},
    {POS_REASON_BATCH_DIFFERS, other_batch},
    {POS_REASON_DAY_CUTOVER, cutover},
    {POS_REASON_CURRENCY_DIFFERS, currency},
    {POS_REASON_AMOUNT_ABSENT, zero},
    {POS_REASON_AMOUNT_ABSENT, negative},
    {POS_REASON_AMOUNT_BELOW, below},
    {POS_REASON_AMOUNT_ABOVE, above},
    {POS_REASON_AMOUNT_TERMINAL, terminal_max},
    {POS_REASON_FLOOR_EXCEEDED, floor_},
    {POS_REASON_CARD_ABSENT, no_card},
    {POS_REASON_CARD_DIGIT, digit},
    {POS_REASON_CARD_EXPIRED, expired},
    {POS_REASON_CARD_UNKNOWN, unknown},
    {POS_REASON_CARD_LOST, lost},
    {POS_REASON_CARD_TEST, test_card},
    {POS_REASON_CARD_TEST, test_terminal},
    {POS_REASON_CARD_KIND, card_kind},
    {POS_REASON_ENTRY_MODE, mode},
    {POS_REASON_FALLBACK, fallback},
    {POS_REASON_FALLBACK, fallback_told},
    {POS_REASON_PIN_ABSENT, no_pin},
    {POS_REASON_PIN_ABOVE, no_pin_contactless},
    {POS_REASON_PIN_UNEXPECTED, pin_unexpected},
    {POS_REASON_CERTIFICATION, certified},
    {POS_REASON_ORIGINAL_ABSENT, void_of_none},
    {POS_REASON_ORIGINAL_ABSENT, void_of_shard},
};

static void one_thing_wrong_gives_one_reason(void)
{
    pos_policy *policy = policy_made();
    for (size_t index = 0; index < sizeof(flaws) / sizeof(flaws[0]); index++) {
        pos_state *state = state_made();
        pos_terminal terminal = terminal_made();
        signed_on(&terminal, state, policy);
        pos_request request = request_made(POS_KIND_SALE, 0x0200, 10);
        int64_t now_ns = NOW;
        flaws[index].spoil(&request, &terminal, &now_ns);
        const pos_decision decision = decided(&request, &terminal, state, policy, now_ns);
        if (decision.reason != flaws[index].reason) {
            fprintf(stderr, "flaw %zu: wanted %s, got %s\n", index,
                    pos_reason_name(flaws[index].reason), pos_reason_name(decision.reason));
        }
        CHECK(decision.reason == flaws[index].reason);
        const bool is_certified = decision.reason == POS_REASON_CERTIFICATION;
        CHECK(memcmp(decision.response,
                     is_certified ? "51" : pos_reason_response(decision.reason), 2) == 0);
        const bool asks_sign_on = memcmp(decision.response, "77", 2) == 0
                                  || memcmp(decision.response, "99", 2) == 0;
        CHECK(decision.requirement == (asks_sign_on ? 3 : 0));
        pos_state_destroy(state);
    }
    pos_policy_close(policy);
}

static void approved_sales_say_what_answers_need(void)
{
    pos_policy *policy = policy_made();
    pos_state *state = state_made();
    const pos_terminal terminal = terminal_made();
    signed_on(&terminal, state, policy);
    pos_request request = request_made(POS_KIND_SALE, 0x0200, 10);
    request.bin = 411111;
    request.amount_minor = 5000;
    request.local_date = 921; /* local time 22:13:20 */
    request.local_time = 221320;
    const pos_decision decision = decided(&request, &terminal, state, policy, NOW);
    CHECK(decision.outcome == POS_OUTCOME_APPROVED && decision.is_foreign);
    CHECK((decision.flags & POS_FLAG_FOREIGN) != 0 && (decision.flags & POS_FLAG_STANDIN) != 0);
    CHECK(memcmp(decision.auth, "000002", 6) == 0); /* of its own sequence */
    CHECK(decision.terminal_at_ns == NOW && decision.requirement == 0);

    request = request_made(POS_KIND_BALANCE, 0x0200, 11);
    request.local_date = 921;
    request.local_time = 200000; /* two hours behind */
    const pos_decision balance = decided(&request, &terminal, state, policy, NOW);
    CHECK(balance.balance_minor == 12345 && balance.requirement == 3);

    request = request_made(POS_KIND_DOWNLOAD, 0x0800, 12);
    request.network = 370;
    CHECK(decided(&request, &terminal, state, policy, NOW).download == 370);
    pos_state_destroy(state);
    pos_policy_close(policy);
}

static void a_card_is_used_so_often_and_no_more(void)
{
    pos_policy *policy = policy_made();
    pos_state *state = state_made();
    const pos_terminal terminal = terminal_made();
    signed_on(&terminal, state, policy);
    for (uint32_t stan = 10; stan < 14; stan++) {
        const pos_request request = request_made(POS_KIND_SALE, 0x0200, stan);
        const pos_decision decision = decided(&request, &terminal, state, policy, NOW);
        CHECK(decision.reason == (stan < 13 ? POS_REASON_APPROVED : POS_REASON_CARD_USES));
    }
    pos_request other = request_made(POS_KIND_SALE, 0x0200, 20);
    other.pan_token[0] = 1;
    CHECK(decided(&other, &terminal, state, policy, NOW).reason == POS_REASON_APPROVED);
    pos_state_destroy(state);
    pos_policy_close(policy);
}

static void the_same_arguments_give_the_same_decision(void)
{
    pos_policy *policy = policy_made();
    pos_state *state = state_made();
    const pos_terminal terminal = terminal_made();
    signed_on(&terminal, state, policy);
    uint8_t before[16];
    uint8_t after[16];
    pos_state_digest(state, before);
    for (unsigned kind = 0; kind < POS_KIND_COUNT; kind++) {
        const pos_request request = request_made((pos_kind)kind, 0x0200, 10);
        pos_decision first;
        pos_decision second;
        memset(&first, 0x5a, sizeof(first));
        memset(&second, 0xa5, sizeof(second));
        pos_decide(&request, &terminal, state, policy, NOW, &first);
        pos_decide(&request, &terminal, state, policy, NOW, &second);
        CHECK(first.outcome != POS_OUTCOME_NONE);
        CHECK(memcmp(&first, &second, offsetof(pos_decision, findings)) == 0);
    }
    pos_state_digest(state, after);
    CHECK(memcmp(before, after, 16) == 0); /* and nothing is changed by deciding */
    pos_state_destroy(state);
    pos_policy_close(policy);
}

static void keys_that_cannot_carry_are_refused(void)
{
    static const struct {
        uint8_t cipher;
        uint8_t size;
        uint16_t network;
        bool is_fit;
    } keys[] = {{POS_CIPHER_DES, 8, 1, true},   {POS_CIPHER_DES, 16, 1, true},
                {POS_CIPHER_DES, 8, 3, false},  {POS_CIPHER_DES, 16, 3, true},
                {POS_CIPHER_DES, 24, 4, true},  {POS_CIPHER_SM4, 16, 4, false},
                {POS_CIPHER_SM4, 16, 5, true},  {POS_CIPHER_DES, 16, 6, false},
                {POS_CIPHER_AES, 32, 3, true},  {POS_CIPHER_DES, 0, 3, false}};
    pos_policy *policy = policy_made();
    for (size_t index = 0; index < sizeof(keys) / sizeof(keys[0]); index++) {
        pos_state *state = state_made();
        pos_terminal terminal = terminal_made();
        terminal.tmk.cipher = keys[index].cipher;
        terminal.tmk.size = keys[index].size;
        pos_request request = request_made(POS_KIND_SIGN_ON, 0x0800, 1);
        request.network = keys[index].network;
        const pos_decision decision = decided(&request, &terminal, state, policy, NOW);
        CHECK(decision.makes_keys == keys[index].is_fit);
        CHECK((decision.reason == POS_REASON_KEY_FORM) == !keys[index].is_fit);
        pos_state_destroy(state);
    }
    pos_policy_close(policy);
}

static void a_full_state_answers_96_and_repeats_still(void)
{
    const pos_state_options options = {.terminals_max = 1, .postings_max = 4, .repeats_max = 64};
    pos_policy *policy = policy_made();
    pos_state *state = NULL;
    CHECK(pos_state_create(&options, &state) == POS_OK);
    const pos_terminal terminal = terminal_made();
    signed_on(&terminal, state, policy);
    for (uint32_t stan = 10; stan < 14; stan++) {
        pos_request request = request_made(POS_KIND_SALE, 0x0200, stan);
        request.pan_token[0] = (uint8_t)stan;
        CHECK(decided(&request, &terminal, state, policy, NOW).reason == POS_REASON_APPROVED);
    }
    pos_request request = request_made(POS_KIND_SALE, 0x0200, 20);
    CHECK(decided(&request, &terminal, state, policy, NOW).reason == POS_REASON_FULL);
    request = request_made(POS_KIND_SALE, 0x0200, 10);
    request.pan_token[0] = 10;
    CHECK(decided(&request, &terminal, state, policy, NOW).reason == POS_REASON_REPEAT);
    request = request_made(POS_KIND_REVERSAL, 0x0400, 10);
    CHECK(decided(&request, &terminal, state, policy, NOW).reason == POS_REASON_REVERSED);

    pos_terminal stranger = terminal_made(); /* known to the roster, but no place is left */
    stranger.tid[0] = '9';
    request = request_made(POS_KIND_SIGN_ON, 0x0800, 1);
    request.tid[0] = '9';
    CHECK(decided(&request, &stranger, state, policy, NOW).reason == POS_REASON_FULL);
    pos_state_destroy(state);
    pos_policy_close(policy);
}

/* Field 48 counts to 999: a longer batch balances by the three digits that it can say. */
static void counts_are_compared_as_far_as_the_field_carries_them(void)
{
    const pos_state_options options = {
        .terminals_max = 1, .postings_max = 2048, .repeats_max = 2048};
    pos_policy *policy = policy_made();
    pos_state *state = NULL;
    CHECK(pos_state_create(&options, &state) == POS_OK);
    const pos_terminal terminal = terminal_made();
    signed_on(&terminal, state, policy);
    for (uint32_t stan = 10; stan < 10 + 1002; stan++) {
        pos_request request = request_made(POS_KIND_SALE, 0x0200, stan);
        pos_store_u32_le(request.pan_token, stan);
        CHECK(decided(&request, &terminal, state, policy, NOW).reason == POS_REASON_APPROVED);
    }
    pos_request request = request_made(POS_KIND_SETTLE, 0x0500, 2000);
    request.has_totals = true;
    request.totals.domestic = (pos_totals_side){.debit_minor = 1002 * 10000, .debit_count = 3};
    CHECK(decided(&request, &terminal, state, policy, NOW).reason == POS_REASON_UNBALANCED);
    request.stan++;
    pos_store_u32_le(request.fingerprint, request.stan);
    request.totals.domestic.debit_count = 2;
    CHECK(decided(&request, &terminal, state, policy, NOW).reason == POS_REASON_BALANCED);
    pos_state_destroy(state);
    pos_policy_close(policy);
}

static void batch_numbers_come_round_again(void)
{
    pos_store_u32_le(image + IMAGE_HEADER_SIZE + 68, 999999);
    policy_seal();
    pos_policy *policy = policy_made();
    policy_write();
    pos_state *state = state_made();
    const pos_terminal terminal = terminal_made();
    uint64_t old = 0;
    static const uint32_t batches[] = {999999, 1, 2};
    for (uint32_t turn = 0; turn < 3; turn++) {
        pos_request request = request_made(POS_KIND_SIGN_ON, 0x0800, 1);
        CHECK(decided(&request, &terminal, state, policy, NOW).batch == batches[turn]);
        request = request_made(POS_KIND_SALE, 0x0200, 10);
        request.batch = batches[turn];
        CHECK(decided(&request, &terminal, state, policy, NOW).reason == POS_REASON_APPROVED);
        const pos_terminal_state *ours = pos_state_terminal(state, TID, MID);
        if (turn == 0) old = pos_state_sequence(state);
        CHECK(pos_state_is_open(ours, pos_state_posting(state, old)) == (turn == 0));
        request = request_made(POS_KIND_SETTLE, 0x0500, 11);
        request.batch = batches[turn];
        request.has_totals = true;
        request.totals.domestic = (pos_totals_side){.debit_minor = 10000, .debit_count = 1};
        CHECK(decided(&request, &terminal, state, policy, NOW).reason == POS_REASON_BALANCED);
    }
    pos_state_destroy(state);
    pos_policy_close(policy);
}

/* ---- images and dates ------------------------------------------------------------------------ */
static void policy_images_are_whole_or_refused(void)
{
    pos_policy *policy = NULL;
    for (size_t size = 0; size < sizeof(image); size += 7) {
        uint8_t *exact = malloc(size + 1);
        memcpy(exact, image, size);
        CHECK(pos_policy_open(exact, size, &policy) != POS_OK);
        free(exact);
    }
    for (size_t offset = 0; offset < sizeof(image); offset++) {
        image[offset] ^= 0x10;
        CHECK(pos_policy_open(image, sizeof(image), &policy) != POS_OK);
        image[offset] ^= 0x10;
    }
    static const struct {
        size_t offset;
        uint8_t value;
    } bad[] = {{11, 'x'}, {37, 'x'}, {41, 'x'}, {42, 100}, {43, 16},  {45, 8},   {46, 3},
               {47, 2},   {51, 1},   {63, 99},  {79, 0x80}, {112, 2}, {112 + 15, 0x80},
               {2672, '0'}};
    for (size_t index = 0; index < sizeof(bad) / sizeof(bad[0]); index++) {
        policy_write();
        image[IMAGE_HEADER_SIZE + bad[index].offset] = bad[index].value;
        policy_seal();
        CHECK(pos_policy_open(image, sizeof(image), &policy) == POS_IMAGE_FORM);
    }
    policy_write();
    range_write(1, 620000, 620010, 0, BIN_GOOD, 1); /* touches the next */
    policy_seal();
    CHECK(pos_policy_open(image, sizeof(image), &policy) == POS_IMAGE_FORM);
    CHECK(policy == NULL);
    policy_write();
}

static void ranges_are_found_by_their_edges(void)
{
    pos_policy *policy = policy_made();
    CHECK(policy_range(policy, 399999) == NULL);
    CHECK(policy_range(policy, 400000)->is_foreign && policy_range(policy, 499999)->is_foreign);
    CHECK(policy_range(policy, 500000) == NULL);
    CHECK(policy_range(policy, 620009)->standing == BIN_LOST);
    CHECK(policy_range(policy, 620010)->standing == BIN_TEST);
    CHECK(policy_range(policy, 620020)->first == 620020 && policy_range(policy, 620021) == NULL);
    CHECK(policy_range(policy, 622999) != NULL && policy_range(policy, 623000) == NULL);
    pos_policy_close(policy);
}

static void dates_take_the_nearest_year(void)
{
    const int64_t noon = INT64_C(43200000000000);
    const int64_t new_year = INT64_C(20454) * DAY_NS; /* 2026-01-01 00:00 UTC */
    CHECK(civil_stamp(1231, 235959, 0, new_year) == new_year - INT64_C(1000000000));
    CHECK(civil_stamp(101, 0, 0, new_year - DAY_NS) == new_year);
    CHECK(civil_stamp(101, 80000, 480, new_year) == new_year);
    CHECK(civil_stamp(230, 0, 0, new_year) == 0);
    CHECK(civil_stamp(1301, 0, 0, new_year) == 0);
    CHECK(civil_stamp(101, 240000, 0, new_year) == 0);
    CHECK(civil_stamp(101, 6000, 0, new_year) == 0);
    CHECK(civil_stamp(0, 0, 0, new_year) == 0);
    const int64_t leap = INT64_C(19782) * DAY_NS; /* 2024-02-29 */
    CHECK(civil_stamp(229, 120000, 0, leap) == leap + noon);
    CHECK(civil_is_near(leap, 0, 228) && civil_is_near(leap, 0, 229));
    CHECK(civil_is_near(leap, 0, 301));
    CHECK(!civil_is_near(leap, 0, 227) && !civil_is_near(leap, 0, 302));
    CHECK(civil_day(-1, 0) == -1 && civil_day(0, 0) == 0 && civil_day(0, -1) == -1);
    CHECK(civil_minute(0, 480) == 480 && civil_minute(0, -1) == 1439);
}

static void reasons_are_told(void)
{
    for (unsigned reason = 0; reason < POS_REASON_COUNT; reason++) {
        CHECK(strlen(pos_reason_text(reason)) > 5 && strlen(pos_reason_response(reason)) == 2);
    }
    CHECK(strcmp(pos_reason_name(POS_REASON_COUNT), "UNKNOWN") == 0);
}

/* ---- stamps against the C library's calendar -------------------------------------------------- */
static uint64_t chance = 88172645463325252U;

static uint32_t next_chance(uint32_t below)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (uint32_t)((chance >> 16) % below);
}

/* All three years, each through timegm and back: slow and obvious. */
static int64_t stamp_slow(uint32_t month_day, uint32_t time, int32_t zone, int64_t now_ns)
{
    if (time / 10000 > 23 || time / 100 % 100 > 59 || time % 100 > 59 || month_day == 0) return 0;
    const time_t local = (time_t)(now_ns / 1000000000 + zone * 60);
    struct tm today;
    CHECK(gmtime_r(&local, &today) != NULL);
    int64_t nearest = 0;
    for (int year = today.tm_year - 1; year <= today.tm_year + 1; year++) {
        const int month = (int)(month_day / 100) - 1;
        const int day = (int)(month_day % 100);
        struct tm date = {.tm_year = year, .tm_mon = month, .tm_mday = day,
                          .tm_hour = (int)(time / 10000), .tm_min = (int)(time / 100 % 100),
                          .tm_sec = (int)(time % 100)};
        const time_t at = timegm(&date);
        if (date.tm_year != year || date.tm_mon != month || date.tm_mday != day) continue;
        const int64_t stamp = ((int64_t)at - zone * 60) * INT64_C(1000000000);
        const int64_t away = stamp < now_ns ? now_ns - stamp : stamp - now_ns;
        const int64_t best = nearest < now_ns ? now_ns - nearest : nearest - now_ns;
        if (nearest == 0 || away < best) nearest = stamp;
    }
    return nearest;
}

static void a_stamp_is_of_the_nearest_year_that_has_the_day(void)
{
    for (int step = 0; step < 300000; step++) {
        const uint32_t kind = next_chance(8);
        uint32_t month_day = (1 + next_chance(12)) * 100 + 1 + next_chance(31);
        if (kind == 0) month_day = 229;
        if (kind == 1) month_day = next_chance(10000);
        const uint32_t time = next_chance(25) * 10000 + next_chance(61) * 100 + next_chance(61);
        const int32_t zone = (int32_t)next_chance(1561) - 720;
        int64_t now_ns = INT64_C(400000000000000000)
                         + (int64_t)next_chance(UINT32_MAX) * INT64_C(1000000000);
        if (kind == 2) now_ns = INT64_C(1709164800000000000) + next_chance(1000000000); /* a 29 Feb */
        CHECK(civil_stamp(month_day, time, zone, now_ns)
              == stamp_slow(month_day, time, zone, now_ns));
    }
}

int main(void)
{
    a_stamp_is_of_the_nearest_year_that_has_the_day();
    policy_write();
    one_thing_wrong_gives_one_reason();
    approved_sales_say_what_answers_need();
    a_card_is_used_so_often_and_no_more();
    the_same_arguments_give_the_same_decision();
    keys_that_cannot_carry_are_refused();
    a_full_state_answers_96_and_repeats_still();
    counts_are_compared_as_far_as_the_field_carries_them();
    batch_numbers_come_round_again();
    policy_images_are_whole_or_refused();
    ranges_are_found_by_their_edges();
    dates_take_the_nearest_year();
    reasons_are_told();
    return 0;
}
