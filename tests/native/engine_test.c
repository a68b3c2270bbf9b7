/*
 * Goal: the engine, under the sanitizers, answers what terminals send and outlives what nobody
 * should: no frame reads or writes past an end, and every approval is in the journal; and a page is
 * synced, or waits for the next one, as what is staged meanwhile says.
 * Method: images made here, a journal in a directory of its own; a sign-on and a sale with a right
 * MAC, repeated, also after a restart; then every shared vector as a frame, cut and changed, with
 * a commit and the replies after each.
 */
#include <unistd.h>

#include "check.h"
#include "engine/engine.h"
#include "images.h"
#include "paper.h"
#include "posengine.h"

#define SETTINGS 3072
#define RECORD 160
#define TID "09101515"
#define MID "308350193990080"
#define NOW INT64_C(1790000000000000000) /* 2026-09-21 */
#define FRAME_MAX 4096

static const uint8_t MASTER[32] = {7, 7, 7};
static const uint8_t TMK[16] = {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11};

static uint8_t roster[IMAGE_HEADER_SIZE + RECORD];
static uint8_t policy[IMAGE_HEADER_SIZE + SETTINGS];
static char home[] = "/tmp/posengine-engine-test-XXXXXX";

/* One terminal, every kind, its master key sealed: as roster/roster.c describes the record. */
static void roster_write(void)
{
    uint8_t siv_key[64];
    uint8_t plain[17] = {0};
    uint8_t *record = roster + IMAGE_HEADER_SIZE;
    pos_kdf(MASTER, "posengine siv", siv_key, sizeof siv_key);
    memcpy(record, TID, 8);
    memcpy(record + 8, MID, 15);
    record[23] = POS_TERMINAL_ACTIVE;
    pos_store_u64_le(record + 24, (UINT64_C(1) << POS_KIND_COUNT) - 1);
    pos_store_u16_le(record + 40, 156);
    memcpy(plain + 1, TMK, sizeof TMK);
    pos_siv_seal(siv_key, (pos_slice){record, 23}, (pos_slice){plain, sizeof plain}, record + 94);
    record[93] = 33;
    CHECK(pos_key_check_value(POS_CIPHER_DES, TMK, sizeof TMK, record + 88) == POS_OK);
    image_seal(roster, "POSROSTR", 0, RECORD, 1);
}

/* Every kind offered up to 1,000,000, any card, any entry mode: as decide/policy.c describes. */
static void policy_write(void)
{
    uint8_t *at = policy + IMAGE_HEADER_SIZE;
    memcpy(at, "00010000", 8);
    memcpy(at + 38, "CUP", 3);
    pos_store_u32_le(at + 48, 480);
    pos_store_u16_le(at + 56, 115);
    pos_store_u16_le(at + 58, 30);
    pos_store_u32_le(at + 68, 1);
    memset(at + 80, 0xff, 16);
    for (int kind = 1; kind < POS_KIND_COUNT; kind++) {
        uint8_t *rule = at + 112 + 40 * kind;
        rule[0] = 1;
        pos_store_u64_le(rule + 16, 1000000);
        pos_store_u64_le(rule + 24, 1000000);
        pos_store_u64_le(rule + 32, 1000000);
    }
    image_seal(policy, "POSPOLCY", SETTINGS, 24, 0);
}

/* `volumes_max` 0: as many as are needed. */
static pos_engine *opened_of(const char *name, uint32_t volumes_max)
{
    char path[128];
    size_t size;
    uint8_t *spec = paper_image("unionpay-terminal", &size);
    snprintf(path, sizeof path, "%s/%s", home, name);
    pos_engine_options options = {
        .journal_path = path,
        .journal = {.volume_size_max = 8U << 20, .page_entries_max = 64,
                    .page_size_max = 256U << 10, .zone_offset_minute = 480,
                    .volumes_max = volumes_max},
        .spec = {spec, size},
        .roster = {roster, sizeof roster},
        .policy = {policy, sizeof policy},
        .terminals_max = 64, .postings_max = 4096, .repeats_max = 4096, .wave_frames_max = 16,
    };
    memcpy(options.master_key, MASTER, sizeof MASTER);
    pos_engine *engine = NULL;
    CHECK(pos_engine_open(&options, &engine) == POS_OK);
    free(spec);
    return engine;
}

static pos_engine *opened(const char *name)
{
    return opened_of(name, 0);
}

/* The one reply to one frame, copied; 0 where the line is closed without one. */
static size_t answered(pos_engine *engine, const uint8_t *frame, size_t size, uint8_t *reply_out)
{
    /* Of exact size on the heap, so that the sanitizer sees a read past the end. */
    uint8_t *exact = malloc(size + (size == 0));
    CHECK(exact != NULL);
    memcpy(exact, frame, size);
    const pos_status status = pos_engine_submit(engine, 1, exact, size, NOW);
    free(exact);
    CHECK(status == POS_OK || status == POS_NEED_MORE
          || (status >= POS_FRAME_OVERSIZE && status <= POS_FRAME_HEADER));
    CHECK(pos_engine_commit(engine) == POS_OK);
    size_t found = 0;
    pos_reply reply;
    while (pos_engine_reply(engine, &reply)) {
        CHECK(reply.line == 1 && reply.size <= FRAME_MAX && found == 0);
        memcpy(reply_out, reply.data, reply.size);
        found = reply.size;
    }
    return found;
}

static void parsed(const pos_spec *spec, const uint8_t *frame, size_t size,
                   pos_message *message_out)
{
    pos_frame cut;
    CHECK(pos_frame_next(spec, frame, size, &cut) == POS_OK && cut.size == size);
    CHECK(pos_message_parse(spec, cut.body, cut.body_size, message_out, NULL) == POS_OK);
}

/* Signs the terminal on and gives its MAK. */
static pos_key signed_on(pos_engine *engine, const pos_spec *spec)
{
    static const char hex[] = "003C60062000006031003113120800002000"
                              "0000C0001200050730393130313531353330383335303139333939303038"
                              "3000110000000000300003303031";
    uint8_t frame[sizeof hex / 2];
    uint8_t reply[FRAME_MAX];
    pos_message message;
    pos_key tmk;
    pos_key_block_layout layout;
    pos_working_keys keys;
    CHECK(pos_hex_to_bytes(hex, frame, sizeof frame));
    const size_t size = answered(engine, frame, sizeof frame, reply);
    parsed(spec, reply, size, &message);
    CHECK(memcmp(message.body + message.fields[39].offset, "00", 2) == 0);
    CHECK(pos_key_make(POS_KEY_TMK, POS_CIPHER_DES, TMK, sizeof TMK, NULL, 0, &tmk) == POS_OK);
    CHECK(pos_key_block_layout_of(3, &layout) == POS_OK);
    CHECK(pos_key_block_open(&layout, &tmk, message.body + message.fields[62].offset,
                             message.fields[62].size, &keys) == POS_OK);
    return keys.mak;
}

/* The constructed sale of the public frames, under another MAK. */
static size_t sale(const pos_spec *spec, const pos_key *mak, uint8_t *frame_out)
{
    static const char hex[] =
        "007460000300006031003100000200302004C020C0981100000000000001234500005902100012376225000000"
        "000014D30185810F40FF741B498030393130313531353330383335303139333939303038303135366E83D8C871"
        "679F7626100000000000000013220000010005003231443636374130";
    uint8_t mac[POS_MAC_SIZE_MAX];
    size_t mac_size;
    pos_message message;
    pos_mac_cover cover;
    CHECK(pos_hex_to_bytes(hex, frame_out, sizeof hex / 2));
    parsed(spec, frame_out, sizeof hex / 2, &message);
    pos_message_mac_cover(spec, &message, &cover);
    CHECK(pos_mac_compute(POS_MAC_UNIONPAY_ECB, mak->bytes, mak->size, cover.data, cover.size, mac,
                          &mac_size) == POS_OK);
    char characters[2 * POS_MAC_SIZE_MAX];
    pos_hex_from_bytes(mac, mac_size, characters);
    memcpy(frame_out + sizeof hex / 2 - 8, characters, 8);
    return sizeof hex / 2;
}

static void a_sale_is_approved_once_and_repeated_after_a_restart(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    pos_engine *engine = opened("sale");
    const pos_key mak = signed_on(engine, spec);
    uint8_t frame[FRAME_MAX];
    uint8_t first[FRAME_MAX];
    uint8_t again[FRAME_MAX];
    pos_message message;
    const size_t size = sale(spec, &mak, frame);
    const size_t first_size = answered(engine, frame, size, first);
    parsed(spec, first, first_size, &message);
    CHECK(message.mti == 0x0210);
    CHECK(memcmp(message.body + message.fields[39].offset, "00", 2) == 0);
    CHECK(answered(engine, frame, size, again) == first_size);
    CHECK(memcmp(first, again, first_size) == 0);
    uint8_t before[16];
    uint8_t after[16];
    pos_engine_state_digest(engine, before);
    pos_engine_close(engine);
    engine = opened("sale");
    pos_engine_state_digest(engine, after);
    CHECK(memcmp(before, after, sizeof before) == 0);
    CHECK(answered(engine, frame, size, again) == first_size);
    CHECK(memcmp(first, again, first_size) == 0);
    pos_journal_facts facts;
    pos_engine_journal_facts(engine, &facts);
    CHECK(facts.durable_sequence == 4); /* sign-on, sale, two repeats */
    pos_engine_close(engine);
    pos_spec_close(spec);
}

static void submit(pos_engine *engine, const uint8_t *frame, size_t size, unsigned times)
{
    for (unsigned each = 0; each < times; each++) {
        CHECK(pos_engine_submit(engine, 1, frame, size, NOW) == POS_OK);
    }
}

/* Writes the page that was staged, `more` messages being staged meanwhile; replies that may leave. */
static unsigned written(pos_engine *engine, const uint8_t *frame, size_t size, unsigned more)
{
    bool is_turned;
    CHECK(pos_engine_turn_over(engine, &is_turned) == POS_OK && is_turned);
    submit(engine, frame, size, more);
    CHECK(pos_engine_write(engine) == POS_OK);
    CHECK(pos_engine_release(engine) == POS_OK);
    unsigned found = 0;
    pos_reply reply;
    while (pos_engine_reply(engine, &reply)) found++;
    return found;
}

/* Whatever is staged meanwhile, a page's replies leave when it is written, and no others do. */
static void replies_leave_with_their_page(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    pos_engine *engine = opened("late");
    const pos_key mak = signed_on(engine, spec);
    uint8_t frame[FRAME_MAX];
    const size_t size = sale(spec, &mak, frame);
    submit(engine, frame, size, 3);
    CHECK(written(engine, frame, size, 1) == 3);
    CHECK(written(engine, frame, size, 2) == 1);
    CHECK(pos_engine_is_waiting(engine));
    CHECK(written(engine, frame, size, 0) == 2);
    CHECK(!pos_engine_is_waiting(engine));
    pos_engine_close(engine);
    pos_spec_close(spec);
}

static uint64_t refused_for_room(const pos_engine *engine)
{
    pos_counter counter;
    for (size_t index = 0; pos_engine_counter(engine, index, &counter); index++) {
        if (strcmp(counter.name, "refused_journal_room") == 0) return counter.value;
    }
    CHECK(false);
    return 0;
}

/* While a page is with the writer its room counts twice: what finds none then is held, not refused. */
static void nothing_is_refused_for_room_while_a_page_is_written(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    pos_engine *engine = opened_of("brim", 1);
    const pos_key mak = signed_on(engine, spec);
    uint8_t frame[FRAME_MAX];
    const size_t size = sale(spec, &mak, frame);
    unsigned held = 0;
    for (bool is_turned = true; is_turned;) {
        for (unsigned each = 0; each < 60; each++) {
            if (pos_engine_submit(engine, 1, frame, size, NOW) != POS_OK) break;
        }
        CHECK(pos_engine_turn_over(engine, &is_turned) == POS_OK);
        CHECK(is_turned == (refused_for_room(engine) == 0));
        held += pos_engine_submit(engine, 1, frame, size, NOW) == POS_STAGE_FULL;
        CHECK(is_turned == (refused_for_room(engine) == 0)); /* with nobody writing, it is told */
        CHECK(pos_engine_write(engine) == POS_OK);
        CHECK(pos_engine_commit(engine) == POS_OK);
        pos_reply reply;
        while (pos_engine_reply(engine, &reply)) continue;
    }
    CHECK(held > 0);
    pos_engine_close(engine);
    pos_spec_close(spec);
}

typedef struct storm {
    pos_engine *engine;
    uint64_t chance;
    size_t frames;
} storm;

/* One vector: whole, cut at some places, changed at some bytes. */
static void endure(const paper_vector *vector, void *context)
{
    storm *all = context;
    uint8_t frame[FRAME_MAX];
    uint8_t reply[FRAME_MAX];
    if (strcmp(vector->dialect, "unionpay-terminal") != 0 || vector->size > 2000) return;
    size_t size = vector->size;
    memcpy(frame, vector->data, size);
    if (!vector->is_frame) {
        const uint16_t counted = (uint16_t)(size + 11);
        pos_store_u16_be(frame, counted);
        memcpy(frame + 2, "\x60\x00\x03\x00\x00\x60\x31\x00\x31\x13\x12", 11);
        memcpy(frame + 13, vector->data, size);
        size += 13;
    }
    answered(all->engine, frame, size, reply);
    /* By the vector's name: the same changes in whatever order a directory lists its files. */
    all->chance = 20261121 + (uint64_t)pos_crc32c(0, vector->where, strlen(vector->where));
    for (int round = 0; round < 12; round++) {
        uint8_t changed[FRAME_MAX];
        memcpy(changed, frame, size);
        changed[paper_next(&all->chance) % size] ^= (uint8_t)(1 + paper_next(&all->chance) % 255);
        answered(all->engine, changed, size, reply);
        /* Cut, with a length that says so: what is missing is missing within the message. */
        const size_t left = 2 + paper_next(&all->chance) % (size - 1);
        memcpy(changed, frame, left);
        pos_store_u16_be(changed, (uint16_t)(left - 2));
        answered(all->engine, changed, left, reply);
        all->frames += 2;
    }
}

static void no_frame_harms_the_engine_and_it_still_sells(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    storm all = {.engine = opened("storm")};
    paper_each("message", endure, &all);
    CHECK(all.frames > 1000);
    const pos_key mak = signed_on(all.engine, spec);
    uint8_t frame[FRAME_MAX];
    uint8_t reply[FRAME_MAX];
    pos_message message;
    const size_t size = answered(all.engine, frame, sale(spec, &mak, frame), reply);
    parsed(spec, reply, size, &message);
    CHECK(memcmp(message.body + message.fields[39].offset, "00", 2) == 0);
    pos_engine_close(all.engine);
    pos_spec_close(spec);
}

int main(void)
{
    CHECK(mkdtemp(home) != NULL);
    roster_write();
    policy_write();
    a_sale_is_approved_once_and_repeated_after_a_restart();
    replies_leave_with_their_page();
    nothing_is_refused_for_room_while_a_page_is_written();
    no_frame_harms_the_engine_and_it_still_sells();
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", home);
    CHECK(system(command) == 0);
    return 0;
}
