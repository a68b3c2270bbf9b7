/*
 * What one approved sale costs in roster, decide and state: found, decided, made an entry, folded.
 *
 *   state_timing TERMINALS REMEMBERED MESSAGES      STATE_TIMING_BLIND=1: without looking ahead
 *
 * TERMINALS sign on and share REMEMBERED sales in their open batches; then MESSAGES more come from
 * terminals in an order without pattern. Prints CPU time of this thread in ns a message, with the
 * look-ahead that the engine uses, and of the fill before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../tests/native/images.h"

#include "decide/decide.h"

#define SETTINGS 3072
#define RANGES 64
#define NOW INT64_C(1790000000000000000)
#define MID "104110045110012"
#define AHEAD_ONE 24U
#define AHEAD_TWO 16U
#define AHEAD_THREE 8U

#define CHECK(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            fprintf(stderr, "%d: %s\n", __LINE__, #claim);                                         \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static uint64_t chance = 88172645463325252U;

static uint64_t next_chance(void)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance;
}

static double cpu_ns(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static pos_policy *policy_made(void)
{
    static uint8_t image[IMAGE_HEADER_SIZE + SETTINGS + 24 * RANGES];
    uint8_t *at = image + IMAGE_HEADER_SIZE;
    memcpy(at, "00010000", 8);
    memcpy(at + 38, "CUP", 3);
    pos_store_u32_le(at + 48, 480);
    pos_store_u32_le(at + 52, 600);
    pos_store_u16_le(at + 62, 23 * 60);
    pos_store_u16_le(at + 64, 5);
    pos_store_u32_le(at + 68, 1);
    pos_store_u64_le(at + 80, UINT64_C(1) << 2 | UINT64_C(1) << 5 | UINT64_C(1) << 7);
    for (int kind = 1; kind < POS_KIND_COUNT; kind++) {
        uint8_t *rule = at + 112 + 40 * kind;
        rule[0] = 1;
        pos_store_u64_le(rule + 8, 1);
        pos_store_u64_le(rule + 16, 100000000);
        pos_store_u64_le(rule + 32, 100000000);
    }
    for (uint32_t range = 0; range < RANGES; range++) {
        uint8_t *record = at + SETTINGS + 24 * range;
        pos_store_u32_le(record, 400000 + range * 5000);
        pos_store_u32_le(record + 4, 400000 + range * 5000 + 4999);
        pos_store_u64_le(record + 8, UINT64_MAX);
    }
    image_seal(image, "POSPOLCY", SETTINGS, 24, RANGES);
    pos_policy *policy = NULL;
    CHECK(pos_policy_open(image, sizeof image, &policy) == POS_OK);
    return policy;
}

static void tid_of(uint32_t terminal, char tid[9])
{
    (void)snprintf(tid, 9, "%08u", 10000001U + terminal);
}

static pos_roster *roster_made(uint32_t terminals)
{
    uint8_t *image = calloc(1, IMAGE_HEADER_SIZE + (size_t)terminals * 160);
    const uint8_t siv_key[64] = {0};
    for (uint32_t terminal = 0; terminal < terminals; terminal++) {
        uint8_t *at = image + IMAGE_HEADER_SIZE + (size_t)terminal * 160;
        char tid[9];
        tid_of(terminal, tid);
        memcpy(at, tid, 8);
        memcpy(at + 8, MID, 15);
        at[23] = POS_TERMINAL_ACTIVE;
        pos_store_u64_le(at + 24, (UINT64_C(1) << POS_KIND_COUNT) - 1);
        pos_store_u16_le(at + 40, 156);
    }
    image_seal(image, "POSROSTR", 0, 160, terminals);
    pos_roster *roster = NULL;
    CHECK(pos_roster_open(image, IMAGE_HEADER_SIZE + (size_t)terminals * 160, siv_key, &roster)
          == POS_OK);
    free(image);
    return roster;
}

typedef struct asked {
    uint32_t terminal;
    uint32_t stan;
    char tid[8];
} asked;

static pos_request request_of(const asked *what)
{
    pos_request request = {.kind = POS_KIND_SALE,
                           .mti = 0x0200,
                           .message_class = 0x20,
                           .stan = what->stan % 999999 + 1,
                           .batch = 1 + what->stan / 999999,
                           .currency = 156,
                           .entry_mode = 21,
                           .amount_minor = 10000,
                           .bin = 622500,
                           .last4 = 14,
                           .local_date = 921,
                           .local_time = 221320,
                           .flags = POS_FLAG_PAN | POS_FLAG_MAC_CHECKED};
    memcpy(request.tid, what->tid, 8);
    memcpy(request.mid, MID, 15);
    memset(request.original_rrn, ' ', 12);
    memset(request.auth, ' ', 6);
    memset(request.reason, ' ', 2);
    pos_store_u64_le(request.fingerprint, (uint64_t)what->terminal << 32 | what->stan);
    pos_store_u64_le(request.pan_token, what->stan * UINT64_C(0x9e3779b97f4a7c15));
    return request;
}

typedef struct scene {
    pos_roster *roster;
    pos_policy *policy;
    pos_state *state;
    uint32_t terminals;
    uint32_t *stans;
} scene;

static void sign_on(scene *stage, uint32_t terminal)
{
    pos_entry entry = {.sequence = pos_state_sequence(stage->state) + 1,
                       .kind = POS_KIND_SIGN_ON,
                       .mti = 0x0800,
                       .outcome = POS_OUTCOME_APPROVED,
                       .received_at_ns = NOW,
                       .batch = 1,
                       .flags = POS_FLAG_BATCH_OPENED};
    char tid[9];
    tid_of(terminal, tid);
    memcpy(entry.tid, tid, 8);
    memcpy(entry.mid, MID, 15);
    memcpy(entry.response, "00", 2);
    CHECK(pos_state_apply(stage->state, &entry) == POS_OK);
}

static void order(scene *stage, asked *questions, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        char tid[9];
        questions[index].terminal = (uint32_t)(next_chance() % stage->terminals);
        questions[index].stan = stage->stans[questions[index].terminal]++;
        tid_of(questions[index].terminal, tid);
        memcpy(questions[index].tid, tid, 8);
    }
}

static void answer(scene *stage, const pos_request *request, const pos_terminal_state *ours)
{
    pos_decision decision;
    pos_entry entry;
    const pos_terminal *terminal = pos_roster_find(stage->roster, request->tid);
    if (ours == NULL) ours = pos_state_terminal(stage->state, request->tid, request->mid);
    pos_decide_for(request, terminal, ours, stage->state, stage->policy, NOW, &decision);
    pos_decide_entry(request, &decision, NOW, &entry);
    entry.sequence = pos_state_sequence(stage->state) + 1;
    CHECK(pos_state_apply_for(stage->state, ours, &entry) == POS_OK);
    if (decision.outcome != POS_OUTCOME_APPROVED) {
        fprintf(stderr, "declined: %s\n", pos_reason_name(decision.reason));
        exit(1);
    }
}

static void ahead(const scene *stage, const pos_request *requests, uint32_t at, uint32_t count,
                  const pos_terminal_state **ours)
{
    if (at + AHEAD_ONE < count) {
        const pos_request *one = &requests[at + AHEAD_ONE];
        pos_roster_ahead(stage->roster, one->tid);
        pos_state_ahead(stage->state, one->tid, one->mid);
    }
    if (at + AHEAD_TWO < count) {
        const pos_request *two = &requests[at + AHEAD_TWO];
        pos_roster_ahead_record(stage->roster, two->tid);
        pos_state_ahead_terminal(stage->state, two->tid, two->mid, two->batch, two->stan);
    }
    if (at + AHEAD_THREE < count) {
        const pos_request *three = &requests[at + AHEAD_THREE];
        ours[(at + AHEAD_THREE) % AHEAD_ONE] =
            pos_state_ahead_lists(stage->state, three->tid, three->mid, three->kind);
    }
}

#define WAVE 512U

/* Signs everyone on, remembers `remembered` sales, then times `messages` more. */
static void play(uint32_t terminals, uint32_t remembered, uint32_t messages, double *fill_ns_out,
                 double *message_ns_out)
{
    scene stage = {.terminals = terminals};
    const uint32_t room = (remembered + messages) / 60 * 64 + 4096;
    const pos_state_options options = {
        .terminals_max = terminals, .postings_max = room, .repeats_max = room};
    CHECK(pos_state_create(&options, &stage.state) == POS_OK);
    pos_state_touch(stage.state);
    stage.policy = policy_made();
    stage.roster = roster_made(stage.terminals);
    stage.stans = calloc(stage.terminals, sizeof stage.stans[0]);
    for (uint32_t terminal = 0; terminal < stage.terminals; terminal++) sign_on(&stage, terminal);

    static asked questions[WAVE];
    static pos_request requests[WAVE];
    const bool is_ahead = getenv("STATE_TIMING_BLIND") == NULL;
    double spent_ns[2] = {0};
    for (uint32_t done = 0; done < remembered + messages; done += WAVE) {
        order(&stage, questions, WAVE);
        for (uint32_t index = 0; index < WAVE; index++) {
            requests[index] = request_of(&questions[index]);
        }
        const pos_terminal_state *ours[AHEAD_ONE] = {NULL};
        const double began_ns = cpu_ns();
        for (uint32_t index = 0; index < WAVE; index++) {
            if (is_ahead) ahead(&stage, requests, index, WAVE, ours);
            answer(&stage, &requests[index], ours[index % AHEAD_ONE]);
            ours[index % AHEAD_ONE] = NULL;
        }
        spent_ns[done < remembered ? 0 : 1] += cpu_ns() - began_ns;
    }
    *fill_ns_out = spent_ns[0] / (remembered == 0 ? 1 : remembered);
    *message_ns_out = spent_ns[1] / messages;
    free(stage.stans);
    pos_state_destroy(stage.state);
    pos_roster_close(stage.roster);
    pos_policy_close(stage.policy);
}

int main(int count, char **words)
{
    CHECK(count == 4);
    double fill_ns = 0;
    double message_ns = 0;
    play((uint32_t)strtoul(words[1], NULL, 10), (uint32_t)strtoul(words[2], NULL, 10),
         (uint32_t)strtoul(words[3], NULL, 10), &fill_ns, &message_ns);
    printf("{\"fill_ns\": %.1f, \"message_ns\": %.1f}\n", fill_ns, message_ns);
    return 0;
}
