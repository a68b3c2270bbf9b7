/*
 * What a message costs in the engine, for bench/engine.py: sales of every terminal of a roster, each
 * with its own key, in waves, in this process. Prints one line of JSON a wave size and round: first
 * the waves whole, as the engine takes them, then as many with every stage alone, one over the
 * whole wave before the next begins.
 *
 *   engine_timing HOME FRAMES ROUNDS WAVE...
 *
 * HOME holds what bench/engine.py put there: images (spec, roster, policy), one sign-on and one sale
 * of the first terminal as frames, and `places`: where TID, STAN, amount and batch lie in them.
 *
 * Time is CPU time of the thread that works: `front` is submit, turn over and replies, `journal` is
 * the write. Every reply is looked at (approved, of its STAN), one in fifty with its MAC recomputed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/inside.h"
#include "posengine.h"
#include "sale_frames.h"

#define WAVES_MAX 8
#define WAVE_MAX 1024U
#define PAGES_MAX 64U /* of a run: the disk is waited for, though not timed */
#define HEAP_EXPECTED 1024U
#define SIGN_ON_WAVE 256U

static const uint8_t MASTER[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                   16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

typedef struct terminal {
    pos_key mak;
    uint32_t batch;
    uint32_t stan;
} terminal;

static terminal *terminals;
static pos_engine *engine;
static pos_spec *spec;
static uint8_t *frames; /* of one round, sale_size each */
static uint32_t *owners;
static int64_t utc_ns = INT64_C(1795262400000000000);
static uint64_t chance = 88172645463325252u;

/* ---- what the core asks of the system while it is measured ---------------------------------------- */
static _Thread_local uint64_t allocations;
static _Thread_local uint64_t flushes;
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *from, size_t size);
int __real_fdatasync(int file);
int __real_fsync(int file);
void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}
void *__wrap_realloc(void *from, size_t size)
{
    allocations++;
    return __real_realloc(from, size);
}
int __wrap_fdatasync(int file)
{
    flushes++;
    return __real_fdatasync(file);
}
int __wrap_fsync(int file)
{
    flushes++;
    return __real_fsync(file);
}

static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t draw(void)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance;
}

static void open_engine(const char *home, uint32_t entries)
{
    char path[4096];
    size_t size[3];
    uint8_t *image[3] = {load(home, "spec", &size[0]), load(home, "roster", &size[1]),
                         load(home, "policy", &size[2])};
    snprintf(path, sizeof path, "%s/journal", home);
    pos_engine_options options = {
        .journal_path = path,
        .journal = {.volume_size_max = 512U << 20, .zone_offset_minute = 480},
        .spec = {image[0], size[0]},
        .roster = {image[1], size[1]},
        .policy = {image[2], size[2]},
        .terminals_max = at.terminals + 16,
        .postings_max = entries,
        .repeats_max = entries,
    };
    memcpy(options.master_key, MASTER, sizeof MASTER);
    MUST(pos_engine_open(&options, &engine) == POS_OK);
    pos_engine_touch(engine, UINT64_MAX); /* as the front does at its start */
    MUST(pos_spec_open(image[0], size[0], &spec) == POS_OK);
    for (int index = 0; index < 3; index++) free(image[index]);
}

static void commit(void)
{
    MUST(pos_engine_commit(engine) == POS_OK);
}

/* The parsed body of a reply, borrowed from it. */
static void opened(const pos_reply *reply, pos_message *message)
{
    pos_frame frame;
    MUST(reply->size > 0);
    MUST(pos_frame_next(spec, reply->data, reply->size, &frame) == POS_OK);
    MUST(pos_message_parse(spec, frame.body, frame.body_size, message, NULL) == POS_OK);
    MUST(memcmp(message->body + message->fields[39].offset, "00", 2) == 0);
}

static void take_keys(const pos_reply *reply)
{
    pos_message message;
    pos_key tmk;
    pos_key_block_layout layout;
    pos_working_keys keys;
    opened(reply, &message);
    MUST(pos_key_make(POS_KEY_TMK, POS_CIPHER_DES, TMK, sizeof TMK, NULL, 0, &tmk) == POS_OK);
    MUST(pos_key_block_layout_of(3, &layout) == POS_OK);
    MUST(pos_key_block_open(&layout, &tmk, message.body + message.fields[62].offset,
                            message.fields[62].size, &keys)
         == POS_OK);
    terminal *ours = &terminals[reply->line];
    ours->mak = keys.mak;
    uint8_t text[POS_VALUE_SIZE_MAX];
    MUST(pos_message_value(spec, &message, 60, text) >= 8);
    ours->batch = (uint32_t)pos_ascii_number(text + 2, 6);
}

static void sign_on_all(void)
{
    uint8_t *wave = malloc(SIGN_ON_WAVE * sign_on_size);
    pos_arrival arrivals[SIGN_ON_WAVE];
    MUST(wave != NULL);
    for (uint32_t first = 0; first < at.terminals; first += SIGN_ON_WAVE) {
        const uint32_t left = at.terminals - first;
        const uint32_t count = left < SIGN_ON_WAVE ? left : SIGN_ON_WAVE;
        for (uint32_t index = 0; index < count; index++) {
            uint8_t *frame = wave + index * sign_on_size;
            memcpy(frame, sign_on, sign_on_size);
            pos_ascii_from_number(10000001 + first + index, (char *)frame + at.sign_on_tid, 8);
            pos_bcd_from_number(++terminals[first + index].stan, frame + at.sign_on_stan, 3);
            arrivals[index] = (pos_arrival){first + index, frame, sign_on_size};
        }
        size_t taken = 0;
        MUST(pos_engine_submit_wave(engine, arrivals, count, utc_ns, &taken) == POS_OK);
        commit();
        pos_reply reply;
        uint32_t replies = 0;
        for (; pos_engine_reply(engine, &reply); replies++) take_keys(&reply);
        MUST(replies == count);
    }
    free(wave);
}

static void seal(uint8_t *frame, const terminal *ours)
{
    uint8_t mac[POS_MAC_SIZE_MAX];
    size_t size;
    pos_frame cut;
    MUST(pos_frame_next(spec, frame, sale_size, &cut) == POS_OK);
    const size_t head = (size_t)(cut.body - frame);
    uint8_t key[16];
    memcpy(key, ours->mak.bytes, 8);
    MUST(pos_mac_compute(POS_MAC_UNIONPAY_ECB, ours->mak.bytes, ours->mak.size, cut.body,
                         at.sale_mac - head, mac, &size)
         == POS_OK);
    pos_mac_field(mac, POS_MAC_OUTPUT_HEX, frame + at.sale_mac, 8);
}

/* New sales: terminals in random order, none twice within a wave of 512 or so. */
static void make_frames(uint32_t count)
{
    const uint32_t start = (uint32_t)(draw() % at.terminals);
    uint32_t stride = at.terminals > 7 ? 4999 % at.terminals : 1;
    for (uint32_t index = 0; index < count; index++) {
        const uint32_t owner = (uint32_t)((start + (uint64_t)index * stride) % at.terminals);
        terminal *ours = &terminals[owner];
        uint8_t *frame = frames + (size_t)index * sale_size;
        owners[index] = owner;
        memcpy(frame, sale, sale_size);
        pos_ascii_from_number(10000001 + owner, (char *)frame + at.sale_tid, 8);
        pos_bcd_from_number(ours->stan = ours->stan % 999999 + 1, frame + at.sale_stan, 3);
        pos_bcd_from_number(100 + index % 900, frame + at.sale_amount, 6);
        pos_bcd_from_number(ours->batch, frame + at.sale_batch, 3);
        seal(frame, ours);
    }
}

typedef struct figures {
    int64_t submit_ns, turn_ns, reply_ns, journal_ns;
    uint64_t front_allocations, journal_allocations, flushes, reply_bytes, pages;
} figures;

static void judge(const pos_reply *reply, uint32_t index)
{
    pos_message message;
    opened(reply, &message);
    const uint8_t *stan = frames + (size_t)index * sale_size + at.sale_stan;
    MUST(memcmp(message.body + message.fields[11].offset, stan, 3) == 0);
    if (index % 50 != 0) return;
    uint8_t mac[POS_MAC_SIZE_MAX], field[8];
    size_t size;
    const terminal *ours = &terminals[owners[index]];
    MUST(pos_mac_compute(POS_MAC_UNIONPAY_ECB, ours->mak.bytes, ours->mak.size, message.body,
                         message.body_size - 8, mac, &size)
         == POS_OK);
    pos_mac_field(mac, POS_MAC_OUTPUT_HEX, field, 8);
    MUST(memcmp(field, message.body + message.body_size - 8, 8) == 0);
}

static pos_arrival arrivals[65536];
static pos_reply replies[65536];

static void one_wave(uint32_t first, uint32_t count, figures *sum)
{
    for (uint32_t index = 0; index < count; index++) {
        arrivals[index] = (pos_arrival){first + index,
                                        frames + (size_t)(first + index) * sale_size, sale_size};
    }
    utc_ns += 1000000;
    size_t taken = 0;
    bool is_turned = false;
    const uint64_t allocations_before = allocations;
    const int64_t began = cpu_ns();
    MUST(pos_engine_submit_wave(engine, arrivals, count, utc_ns, &taken) == POS_OK);
    const int64_t submitted = cpu_ns();
    MUST(pos_engine_turn_over(engine, &is_turned) == POS_OK && is_turned);
    const int64_t turned = cpu_ns();
    const uint64_t flushes_before = flushes;
    const uint64_t allocations_front = allocations;
    MUST(pos_engine_write(engine) == POS_OK);
    const uint64_t allocations_journal = allocations;
    const int64_t written = cpu_ns();
    MUST(pos_engine_release(engine) == POS_OK);
    if (pos_engine_is_waiting(engine)) MUST(pos_engine_write(engine) == POS_OK);
    const int64_t released = cpu_ns();
    uint32_t ready = 0;
    while (pos_engine_reply(engine, &replies[ready])) ready++;
    const int64_t replied = cpu_ns();
    MUST(ready == count);
    sum->submit_ns += submitted - began;
    sum->turn_ns += turned - submitted;
    sum->journal_ns += written - turned;
    sum->reply_ns += replied - released;
    sum->front_allocations += allocations_front - allocations_before;
    sum->front_allocations += allocations - allocations_journal;
    sum->journal_allocations += allocations_journal - allocations_front;
    sum->flushes += flushes - flushes_before;
    sum->pages++;
    for (uint32_t index = 0; index < ready; index++) {
        sum->reply_bytes += replies[index].size;
        judge(&replies[index], (uint32_t)replies[index].line);
    }
}

/* ---- every stage alone ------------------------------------------------------------------------------ */
typedef enum alone {
    ALONE_CUT,
    ALONE_PARSE,
    ALONE_FACTS,
    ALONE_TOKENS,
    ALONE_IDENTIFY,
    ALONE_VERIFY,
    ALONE_DECIDE,
    ALONE_ANSWER,
    ALONE_STAGE,
    ALONE_SIGN,
    ALONE_COUNT
} alone;
static const char *const ALONE_NAMES[ALONE_COUNT] = {
    "cut", "parse", "facts", "tokens", "identify", "verify", "decide", "answer", "stage", "sign"};

static settle_work *works;
static uint8_t *heaps; /* of a whole wave, one after the other */

static int64_t passed(int64_t *from)
{
    const int64_t now = cpu_ns(), passed = now - *from;
    *from = now;
    return passed;
}

/* Decide to stage, each over the wave: what settle_one does for one message after the other. */
static void settle_alone(uint32_t count, int64_t *sum)
{
    uint8_t *const scratch = engine->scratch;
    const uint64_t sequence = engine->sequence;
    int64_t from = cpu_ns();
    settle_begin(engine);
    for (uint32_t index = 0; index < count; index++) {
        pos_slot *slot = &engine->slots[index];
        settle_ahead(engine, index);
        MUST(slot->cause == POS_CAUSE_NONE && settle_admit(engine, slot) == POS_OK);
        settle_decide(engine, slot, &works[index]);
    }
    sum[ALONE_DECIDE] += passed(&from);
    engine->scratch = heaps;
    for (uint32_t index = 0; index < count; index++) {
        settle_work *work = &works[index];
        settle_record(engine, &engine->slots[index], work);
        settle_reply(engine, &engine->slots[index], work); /* takes what the one before wrote */
        engine->sequence++; /* as if the one before were staged */
        engine->scratch += (work->kept_offset + work->kept_size + 63) / 64 * 64;
    }
    sum[ALONE_ANSWER] += passed(&from);
    engine->sequence = sequence;
    engine->scratch = heaps;
    for (uint32_t index = 0; index < count; index++) {
        settle_work *work = &works[index];
        MUST(engine->slots[index].cause == POS_CAUSE_NONE);
        MUST(settle_stage(engine, &engine->slots[index], work) == POS_OK);
        engine->scratch += (work->kept_offset + work->kept_size + 63) / 64 * 64;
    }
    sum[ALONE_STAGE] += passed(&from);
    engine->scratch = scratch;
}

static void one_wave_alone(uint32_t first, uint32_t count, int64_t *sum)
{
    for (uint32_t index = 0; index < count; index++) {
        arrivals[index] = (pos_arrival){first + index,
                                        frames + (size_t)(first + index) * sale_size, sale_size};
    }
    utc_ns += 1000000;
    engine->now_ns = utc_ns;
    answer_set_clock(engine);
    engine->wave_count = count;
    cohorts_recycle(engine);
    int64_t from = cpu_ns();
    wave_cut(engine, arrivals, count);
    sum[ALONE_CUT] += passed(&from);
    wave_parse(engine, count);
    sum[ALONE_PARSE] += passed(&from);
    wave_read(engine, count);
    sum[ALONE_FACTS] += passed(&from);
    wave_tokens(engine, count);
    sum[ALONE_TOKENS] += passed(&from);
    wave_identify(engine, count);
    sum[ALONE_IDENTIFY] += passed(&from);
    wave_verify(engine, count);
    sum[ALONE_VERIFY] += passed(&from);
    settle_alone(count, sum);
    commit();
    from = cpu_ns();
    uint32_t ready = 0;
    while (pos_engine_reply(engine, &replies[ready])) ready++;
    sum[ALONE_SIGN] += passed(&from);
    MUST(ready == count);
    for (uint32_t index = 0; index < ready; index++) {
        judge(&replies[index], (uint32_t)replies[index].line);
    }
    wave_wipe(engine, count);
}

static void run_alone(uint32_t wave, uint32_t count)
{
    int64_t sum[ALONE_COUNT] = {0};
    make_frames(count);
    for (uint32_t first = 0; first + wave <= count; first += wave) {
        one_wave_alone(first, wave, sum);
    }
    const double messages = (double)(count / wave * wave);
    int64_t all = 0;
    printf(", \"alone_ns\": {");
    for (int stage = 0; stage < ALONE_COUNT; stage++) {
        all += sum[stage];
        printf("%s\"%s\": %.1f", stage > 0 ? ", " : "", ALONE_NAMES[stage],
               (double)sum[stage] / messages);
    }
    printf("}, \"alone_sum_ns\": %.1f}\n", (double)all / messages);
    fflush(stdout);
}

static void run(uint32_t wave, uint32_t count)
{
    figures sum = {0};
    pos_journal_facts before, after;
    make_frames(count);
    pos_engine_journal_facts(engine, &before);
    for (uint32_t first = 0; first + wave <= count; first += wave) one_wave(first, wave, &sum);
    pos_engine_journal_facts(engine, &after);
    const double messages = (double)(count / wave * wave);
    printf("{\"wave\": %u, \"messages\": %.0f, \"submit_ns\": %.1f, \"turn_ns\": %.1f, "
           "\"reply_ns\": %.1f, \"front_ns\": %.1f, \"journal_ns\": %.1f, "
           "\"front_allocations\": %llu, \"journal_allocations\": %llu, \"flushes\": %llu, "
           "\"pages\": %llu, \"request_bytes\": %zu, \"reply_bytes\": %.1f, "
           "\"journal_bytes\": %.1f",
           wave, messages, (double)sum.submit_ns / messages, (double)sum.turn_ns / messages,
           (double)sum.reply_ns / messages,
           (double)(sum.submit_ns + sum.turn_ns + sum.reply_ns) / messages,
           (double)sum.journal_ns / messages, (unsigned long long)sum.front_allocations,
           (unsigned long long)sum.journal_allocations, (unsigned long long)sum.flushes,
           (unsigned long long)sum.pages, sale_size, (double)sum.reply_bytes / messages,
           (double)(after.bytes - before.bytes) / messages);
    run_alone(wave, count);
}

int main(int count, char **words)
{
    if (count < 5 || count > 4 + WAVES_MAX) {
        fprintf(stderr, "engine_timing HOME FRAMES ROUNDS WAVE...\n");
        return 2;
    }
    const uint32_t total = (uint32_t)atoi(words[2]);
    const int rounds = atoi(words[3]);
    read_frames(words[1]);
    terminals = calloc(at.terminals, sizeof *terminals);
    frames = malloc((size_t)total * sale_size + 64);
    owners = malloc(total * sizeof *owners);
    MUST(terminals != NULL && frames != NULL && owners != NULL);
    works = malloc(WAVE_MAX * sizeof *works);
    heaps = malloc(WAVE_MAX * HEAP_EXPECTED + ENTRY_HEAP_MAX);
    MUST(works != NULL && heaps != NULL);
    open_engine(words[1], 2 * total * (uint32_t)rounds * (uint32_t)(count - 4) + 65536);
    sign_on_all();
    for (int word = 4; word < count; word++) MUST((uint32_t)atoi(words[word]) <= WAVE_MAX);
    for (int round = 0; round < rounds; round++) {
        for (int word = 4; word < count; word++) {
            const uint32_t wave = (uint32_t)atoi(words[word]);
            run(wave, total < wave * PAGES_MAX ? total : wave * PAGES_MAX);
        }
    }
    pos_engine_close(engine);
    return 0;
}
