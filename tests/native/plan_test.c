/*
 * Goal: plans, and the table loop with its short ways, say what the plain loop says: status, fault,
 * MTI, bitmap, every field's place, numbers and columns, on every path of the processor; they read no
 * byte past a body and write none past a message; strange shapes, however many, do not drive out
 * those in use.
 * Method: all good vectors of all dialects, all their prefixes, every value at every byte, random
 * mutations, joined and cut bodies; each body ends where a page without access begins, and so does
 * the message. The plain loop takes no short way, neither with content nor with layouts.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "message/plan.h"
#include "paper.h"

#if defined(__SANITIZE_ADDRESS__)
#define MUTATIONS 60000
#define STRIDE 7 /* values tried at each byte: every seventh, another first one each byte */
#else
#define MUTATIONS 1200000
#define STRIDE 1
#endif
#define PATHS_MAX 4
#define BODIES_MAX 160

typedef struct bench {
    pos_spec *spec;
    pos_plan_cache *caches[PATHS_MAX];
    unsigned path_count;
    uint8_t *edge; /* bodies end here */
    pos_message *message; /* ends where a page ends */
    uint64_t planned;
    uint64_t table;
} bench;

/* The end of a page, behind which lies one that nobody may touch. */
static uint8_t *page_edge(size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t room = (size + page - 1) / page * page;
    uint8_t *at = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    CHECK(mprotect(at + room, page, PROT_NONE) == 0);
    return at + room;
}

static bench bench_open(const char *dialect, uint32_t plan_max)
{
    bench made = {.spec = paper_spec(dialect), .edge = page_edge(65536)};
    made.message = (pos_message *)(void *)(page_edge(sizeof(pos_message)) - sizeof(pos_message));
    for (pos_cpu_path path = 0; path <= pos_cpu_path_best(); path++) {
        CHECK(pos_plan_cache_open_on(path, plan_max, made.spec, &made.caches[path]) == POS_OK);
        made.path_count++;
    }
    return made;
}

static void bench_close(bench *from)
{
    for (unsigned path = 0; path < from->path_count; path++) pos_plan_cache_close(from->caches[path]);
    pos_spec_close(from->spec);
}

/* ---- one body ----------------------------------------------------------------------------------------- */
static void check_same(const pos_message *ours, const pos_message *table)
{
    CHECK(ours->body == table->body && ours->body_size == table->body_size);
    CHECK(ours->mti == table->mti);
    CHECK(ours->bitmap[0] == table->bitmap[0] && ours->bitmap[1] == table->bitmap[1]);
    for (unsigned word = 0; word < 2; word++) {
        for (uint64_t bits = table->bitmap[word]; bits != 0; bits &= bits - 1) {
            const unsigned field = 64 * word + (unsigned)__builtin_ctzll(bits) + 1;
            const pos_field *our = &ours->fields[field];
            const pos_field *their = &table->fields[field];
            CHECK(our->offset == their->offset && our->size == their->size);
            CHECK(our->units == their->units);
        }
    }
}

static void check_fault_same(const pos_fault *ours, const pos_fault *table)
{
    CHECK(ours->status == table->status && ours->field == table->field);
    CHECK(ours->part == table->part && ours->offset == table->offset);
    CHECK(ours->wanted == table->wanted && ours->left == table->left);
    CHECK(ours->rule == table->rule);
}

/* `body` lies at the edge already. */
static pos_status check_body(bench *from, const uint8_t *body, size_t size)
{
    pos_message table;
    pos_fault fault = {.status = POS_OK};
    pos_numbers numbers;
    const pos_status status = pos_message_parse_plain(from->spec, body, size, &table, &fault);
    pos_numbers_read(from->spec, &table, &numbers);
    pos_fault table_fault = {.status = POS_OK};
    CHECK(pos_message_parse_table(from->spec, body, size, from->message, &table_fault) == status);
    check_same(from->message, &table);
    check_fault_same(&table_fault, &fault);
    uint32_t shape = 0;
    for (unsigned path = 0; path < from->path_count; path++) {
        pos_fault our_fault = {.status = POS_OK};
        pos_numbers our_numbers;
        pos_parse_job job = {
            .body = body, .size = (uint32_t)size, .message = from->message, .fault = &our_fault,
            .numbers = &our_numbers,
        };
        memset(from->message, 0xee, sizeof *from->message); /* nothing is right from before */
        pos_message_parse_wave(from->caches[path], &job, 1);
        CHECK(job.status == status);
        check_same(from->message, &table);
        check_fault_same(&our_fault, &fault);
        CHECK(memcmp(&our_numbers, &numbers, sizeof numbers) == 0);
        CHECK(job.shape == 0 || status == POS_OK);
        if (path == 0) shape = job.shape;
        CHECK(job.shape == shape); /* no path says no where another says yes */
        if (job.shape != 0) from->planned++;
        else if (status == POS_OK) from->table++;
    }
    return status;
}

static pos_status check_copy(bench *from, const uint8_t *data, size_t size)
{
    uint8_t *body = from->edge - size;
    if (size > 0) memcpy(body, data, size);
    return check_body(from, body, size);
}

/* ---- vectors --------------------------------------------------------------------------------------------- */
typedef struct body_kept {
    uint8_t data[1024];
    size_t size;
} body_kept;

typedef struct shelf {
    const char *dialect;
    const pos_spec *spec;
    body_kept bodies[BODIES_MAX];
    size_t count;
} shelf;

static void keep(const paper_vector *vector, void *context)
{
    shelf *kept = context;
    if (vector->fault[0] != 0 || strcmp(vector->dialect, kept->dialect) != 0) return;
    const uint8_t *body = vector->data;
    size_t size = vector->size;
    if (vector->is_frame) {
        pos_frame frame;
        CHECK(pos_frame_next(kept->spec, vector->data, vector->size, &frame) == POS_OK);
        body = frame.body;
        size = frame.body_size;
    }
    CHECK(kept->count < BODIES_MAX && size <= sizeof kept->bodies[0].data);
    memcpy(kept->bodies[kept->count].data, body, size);
    kept->bodies[kept->count++].size = size;
}

static void check_changes(bench *from, const body_kept *kept)
{
    uint8_t *body = from->edge - kept->size;
    memcpy(body, kept->data, kept->size);
    for (size_t at = 0; at < kept->size; at++) {
        for (unsigned value = at % STRIDE; value < 256; value += STRIDE) {
            body[at] = (uint8_t)value;
            (void)check_body(from, body, kept->size);
        }
        body[at] = kept->data[at];
    }
    for (size_t size = 0; size < kept->size; size++) (void)check_copy(from, kept->data, size);
}

/* A few bytes changed, a stretch moved, taken out or doubled: most of it still of its shape. */
static size_t mutated(const shelf *kept, uint64_t *state, uint8_t *out)
{
    const body_kept *source = &kept->bodies[paper_next(state) % kept->count];
    size_t size = source->size;
    memcpy(out, source->data, size);
    const unsigned changes = (unsigned)(paper_next(state) % 4);
    for (unsigned each = 0; each < changes; each++) {
        static const uint8_t VALUES[] = {0x00, 0x01, 0x09, 0x10, 0x99, 0x9a, 0xa9, 0x30, 0x39, 0x3a,
                                         0x20, 0x7e, 0x7f, 0x80, 0xfe, 0xff, 0x1f, 0x9f, 0x82, 0x81};
        const size_t at = paper_next(state) % size;
        out[at] = paper_next(state) % 2 == 0 ? VALUES[paper_next(state) % sizeof VALUES]
                                             : (uint8_t)paper_next(state);
    }
    const unsigned kind = (unsigned)(paper_next(state) % 8);
    const size_t first = 10 + paper_next(state) % (size - 10);
    const size_t count = 1 + paper_next(state) % 4;
    if (kind == 0 && first + count < size) { /* taken out */
        memmove(out + first, out + first + count, size - first - count);
        size -= count;
    }
    if (kind == 1) { /* put in */
        memmove(out + first + count, out + first, size - first);
        size += count;
    }
    if (kind == 2) size = first; /* cut */
    return size;
}

static void check_dialect(const char *dialect, uint64_t counts[2])
{
    bench from = bench_open(dialect, 64);
    static shelf kept;
    kept = (shelf){.dialect = dialect, .spec = from.spec};
    paper_each("message", keep, &kept);
    CHECK(kept.count >= 1);
    for (unsigned again = 0; again < 2; again++) {
        for (size_t index = 0; index < kept.count; index++) {
            CHECK(check_copy(&from, kept.bodies[index].data, kept.bodies[index].size) == POS_OK);
        }
    }
    for (size_t index = 0; index < kept.count; index++) check_changes(&from, &kept.bodies[index]);
    uint64_t state = 20261122;
    for (unsigned round = 0; round < MUTATIONS / 6; round++) {
        uint8_t body[2048];
        const size_t size = mutated(&kept, &state, body);
        (void)check_copy(&from, body, size);
    }
    counts[0] += from.planned;
    counts[1] += from.table;
    printf("%s: %zu bodies, %llu by plans, %llu good ones by the table\n", dialect, kept.count,
           (unsigned long long)from.planned, (unsigned long long)from.table);
    bench_close(&from);
}

static const char *const DIALECTS[] = {
    "unionpay-terminal",    "iso8583-1987-ascii",   "iso8583-1987-binary",
    "iso8583-1993-ascii",   "iso8583-1993-binary",  "iso8583-2003-binary",
};
#define DIALECT_COUNT (sizeof DIALECTS / sizeof DIALECTS[0])

static void test_a_plan_says_what_the_table_says(void)
{
    uint64_t counts[2] = {0, 0};
    for (size_t index = 0; index < DIALECT_COUNT; index++) check_dialect(DIALECTS[index], counts);
    CHECK(counts[0] > 10 * counts[1]); /* else plans were hardly asked */
}

/* ---- chip data ---------------------------------------------------------------------------------------------- */
static size_t chip_message(const pos_spec *spec, const uint8_t *chip, size_t chip_size, uint8_t *body)
{
    const pos_value values[] = {
        {3, (const uint8_t *)"000000", 6},  {11, (const uint8_t *)"000059", 6},
        {41, (const uint8_t *)"09101515", 8}, {42, (const uint8_t *)"308350193990080", 15},
        {55, chip, (uint32_t)chip_size},    {60, (const uint8_t *)"2200000100050", 13},
    };
    size_t size;
    pos_fault fault;
    CHECK(pos_message_build(spec, 0x0200, values, 6, body, 2048, &size, &fault) == POS_OK);
    return size;
}

/* Elements of other sizes under one size of the field: each cast kept, none taken for another. */
static void test_chip_data_is_judged_by_what_it_is_not_by_what_was_seen(void)
{
    bench from = bench_open("unionpay-terminal", 64);
    static const uint8_t CHIPS[][12] = {
        {0x9f, 0x26, 0x02, 0x01, 0x02, 0x82, 0x02, 0x7c, 0x00, 0x95, 0x01, 0x00},
        {0x82, 0x02, 0x7c, 0x00, 0x9f, 0x26, 0x02, 0x01, 0x02, 0x95, 0x01, 0x00},
        {0x95, 0x01, 0x9f, 0x82, 0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
        {0x72, 0x0a, 0x9f, 0x18, 0x02, 0x00, 0x00, 0x86, 0x03, 0x00, 0x00, 0x00},
        {0x9f, 0x26, 0x81, 0x02, 0x01, 0x02, 0x82, 0x02, 0x7c, 0x00, 0x95, 0x00},
    };
    uint8_t body[2048];
    for (unsigned round = 0; round < 8; round++) {
        for (size_t chip = 0; chip < sizeof CHIPS / sizeof CHIPS[0]; chip++) {
            size_t size = chip_message(from.spec, CHIPS[chip], 12, body);
            CHECK(check_copy(&from, body, size) == POS_OK);
            const size_t start = size - 12 - 2 - 7; /* of the chip data: 60 takes nine bytes */
            for (size_t at = start - 2; at < start + 12; at++) {
                for (unsigned value = 0; value < 256; value++) {
                    const uint8_t before = body[at];
                    body[at] = (uint8_t)value;
                    (void)check_copy(&from, body, size);
                    body[at] = before;
                }
            }
        }
    }
    static uint8_t large[999]; /* larger than a cast: 249 elements of no value, of four bytes each */
    for (size_t at = 0; at + 4 <= sizeof large; at += 4) memcpy(large + at, "\xdf\x81\x01\x00", 4);
    for (size_t size = 0; size < 996; size += 4) {
        const size_t body_size = chip_message(from.spec, large, size, body);
        CHECK(check_copy(&from, body, body_size) == POS_OK);
        body[body_size > 10 ? body_size - 10 : 0] ^= 0x40; /* the last length */
        (void)check_copy(&from, body, body_size);
    }
    bench_close(&from);
}

/* ---- shapes --------------------------------------------------------------------------------------------------- */
/* A message with fields of the caller's choice among sixteen fixed ones. */
static size_t strange(const pos_spec *spec, unsigned choice, uint8_t *body)
{
    static const struct {
        uint8_t field;
        const char *text;
    } FIELDS[16] = {
        {3, "000000"}, {4, "000000012345"}, {11, "000059"}, {12, "101112"}, {13, "1122"},
        {14, "3012"}, {15, "1122"}, {22, "051"}, {23, "001"}, {25, "00"}, {26, "12"},
        {37, "046879087600"}, {38, "A1B2C3"}, {39, "00"}, {41, "09101515"}, {49, "156"},
    };
    pos_value values[16];
    size_t count = 0;
    for (unsigned index = 0; index < 16; index++) {
        if ((choice >> index & 1) == 0) continue;
        values[count++] = (pos_value){
            .field = FIELDS[index].field, .value = (const uint8_t *)FIELDS[index].text,
            .size = (uint32_t)strlen(FIELDS[index].text),
        };
    }
    size_t size;
    pos_fault fault;
    CHECK(pos_message_build(spec, 0x0200, values, count, body, 2048, &size, &fault) == POS_OK);
    return size;
}

static bool is_planned(pos_plan_cache *cache, const uint8_t *body, size_t size)
{
    pos_message message;
    pos_parse_job job = {.body = body, .size = (uint32_t)size, .message = &message};
    pos_message_parse_wave(cache, &job, 1);
    CHECK(job.status == POS_OK);
    return job.shape != 0;
}

static void test_strange_shapes_do_not_drive_out_those_in_use(void)
{
    bench from = bench_open("unionpay-terminal", 16);
    pos_plan_cache *cache = from.caches[from.path_count - 1];
    uint8_t sale[2048];
    uint8_t other[2048];
    const size_t size = strange(from.spec, 0xffff, sale);
    /* The flood comes first and takes every place; then it goes on beside the sales. */
    for (unsigned choice = 1; choice < 200; choice++) {
        (void)is_planned(cache, other, strange(from.spec, choice, other));
    }
    CHECK(cache->plan_count == 16);
    unsigned planned = 0;
    for (unsigned choice = 200; choice < 20200; choice++) {
        (void)is_planned(cache, other, strange(from.spec, choice, other));
        planned += is_planned(cache, sale, size);
        CHECK(cache->plan_count == 16);
    }
    CHECK(planned > 19000);
    CHECK(cache->shape_last < 16 + 20200 / 16 * 2 + 2); /* plans made: one in sixteen at most */
    bench_close(&from);
}

static void test_a_plan_in_use_stays_whether_a_cast_reads_or_the_plan(void)
{
    bench from = bench_open("unionpay-terminal", 2);
    pos_plan_cache *cache = from.caches[from.path_count - 1];
    uint8_t chip[600]; /* too large for a cast */
    for (size_t at = 0; at < sizeof chip; at++) chip[at] = at % 2 == 0 ? 0x82 : 0;
    uint8_t sale[2048];
    uint8_t large[2048];
    uint8_t other[2048];
    const size_t size = strange(from.spec, 0xffff, sale);
    const size_t large_size = chip_message(from.spec, chip, sizeof chip, large);
    (void)is_planned(cache, sale, size);
    (void)is_planned(cache, large, large_size);
    for (unsigned choice = 1; choice < 4000; choice++) {
        CHECK(!is_planned(cache, other, strange(from.spec, choice, other)));
        CHECK(is_planned(cache, sale, size) && is_planned(cache, large, large_size));
    }
    bench_close(&from);
}

static void test_what_fails_makes_no_plan(void)
{
    bench from = bench_open("unionpay-terminal", 16);
    uint8_t body[2048];
    for (unsigned choice = 1; choice < 5000; choice++) {
        const size_t size = strange(from.spec, choice, body);
        CHECK(check_copy(&from, body, size - 1) != POS_OK);
    }
    CHECK(from.caches[0]->plan_count == 0);
    bench_close(&from);
}

/* A shape number says MTI and bitmap, and is never given twice. */
static void test_a_shape_is_one_mti_and_one_bitmap(void)
{
    bench from = bench_open("unionpay-terminal", 16);
    static uint64_t bitmaps[4096];
    for (unsigned round = 0; round < 3000; round++) {
        uint8_t body[2048];
        pos_message message;
        const size_t size = strange(from.spec, 1 + round % 997, body);
        pos_parse_job job = {.body = body, .size = (uint32_t)size, .message = &message};
        pos_message_parse_wave(from.caches[from.path_count - 1], &job, 1);
        CHECK(job.status == POS_OK && job.shape < 4096);
        if (job.shape == 0) continue;
        CHECK(bitmaps[job.shape] == 0 || bitmaps[job.shape] == message.bitmap[0]);
        bitmaps[job.shape] = message.bitmap[0];
    }
    bench_close(&from);
}

/* ---- casts ---------------------------------------------------------------------------------------------------- */
#define CHIP_SIZE 60

/* A sale whose values are nobody's: digits without runs, bytes of any kind. */
typedef struct sale {
    uint8_t body[1024];
    size_t size;
    uint8_t pin_block[8];
    uint8_t chip[CHIP_SIZE];
    char amount[13];
} sale;

/* Elements of one byte of tag and one of length, of random sizes or of four sizes that are always the same. */
static void chip_fill(uint8_t chip[CHIP_SIZE], bool is_same, uint64_t *state)
{
    static const uint8_t SIZES[] = {10, 20, 15, 7};
    size_t at = 0;
    for (unsigned each = 0; at < CHIP_SIZE; each++) {
        const size_t most = CHIP_SIZE - at - 2;
        size_t size = is_same ? SIZES[each] : paper_next(state) % 9;
        if (size + 2 > most) size = most; /* no room is left for another tag and length */
        chip[at++] = is_same ? (uint8_t)(0x81 + each) : (uint8_t)(0x81 + paper_next(state) % 14);
        chip[at++] = (uint8_t)size;
        for (size_t end = at + size; at < end; at++) chip[at] = (uint8_t)(1 + paper_next(state) % 254);
    }
}

static void sale_make(const pos_spec *spec, const char *pan, bool is_same, uint64_t *state, sale *made)
{
    static const char TRACK[] = "D3119221123581321345589"; /* as if behind the account number */
    char track[64];
    snprintf(track, sizeof track, "%.14s%s", pan, TRACK);
    snprintf(made->amount, sizeof made->amount, "%012llu",
             (unsigned long long)(123456789012 + paper_next(state) % 800000000000));
    for (unsigned at = 0; at < 8; at++) made->pin_block[at] = (uint8_t)paper_next(state);
    chip_fill(made->chip, is_same, state);
    const pos_value values[] = {
        {2, (const uint8_t *)pan, (uint32_t)strlen(pan)},
        {3, (const uint8_t *)"000000", 6},
        {4, (const uint8_t *)made->amount, 12},
        {11, (const uint8_t *)made->amount + 6, 6},
        {35, (const uint8_t *)track, (uint32_t)strlen(track)},
        {41, (const uint8_t *)"09101515", 8},
        {42, (const uint8_t *)"308350193990080", 15},
        {52, made->pin_block, 8},
        {55, made->chip, CHIP_SIZE},
        {60, (const uint8_t *)"2200000100050", 13},
    };
    pos_fault fault;
    const size_t count = sizeof values / sizeof values[0];
    CHECK(pos_message_build(spec, 0x0200, values, count, made->body, sizeof made->body, &made->size,
                            &fault) == POS_OK);
}

/* Whether every path read one message by a cast since the last call, or none did. */
static bool are_uses_one(bench *from)
{
    unsigned uses = 0;
    for (unsigned path = 0; path < from->path_count; path++) {
        pos_plan_cache *cache = from->caches[path];
        for (uint32_t set = 0; set < cache->set_count; set++) {
            for (unsigned way = 0; way < POS_CAST_WAYS; way++) {
                uses += cache->ways[set].was_used[way];
                cache->ways[set].was_used[way] = false;
            }
        }
    }
    CHECK(uses == 0 || uses == from->path_count);
    return uses > 0;
}

static void test_a_message_laid_out_as_one_before_is_read_by_its_cast(void)
{
    static const char ODD[] = "6212345678901234567";
    bench from = bench_open("unionpay-terminal", 16);
    uint64_t state = 1;
    sale made;
    sale_make(from.spec, ODD, true, &state, &made);
    CHECK(check_copy(&from, made.body, made.size) == POS_OK); /* leaves a plan */
    CHECK(check_copy(&from, made.body, made.size) == POS_OK); /* leaves a cast */
    CHECK(!are_uses_one(&from));
    sale_make(from.spec, ODD, true, &state, &made);
    CHECK(check_copy(&from, made.body, made.size) == POS_OK && are_uses_one(&from));
    /* A nibble that fills may be any. */
    uint8_t *filler = memmem(made.body, made.size, "\x34\x56\x70", 3);
    CHECK(filler != NULL);
    filler[2] |= 0x0f;
    CHECK(check_copy(&from, made.body, made.size) == POS_OK && are_uses_one(&from));
    sale other;
    sale_make(from.spec, ODD, false, &state, &other); /* as long, other elements */
    CHECK(other.size == made.size);
    CHECK(check_copy(&from, other.body, other.size) == POS_OK && !are_uses_one(&from));
    sale_make(from.spec, "6225000000000014", true, &state, &other);
    CHECK(other.size != made.size);
    CHECK(check_copy(&from, other.body, other.size) == POS_OK && !are_uses_one(&from));
    CHECK(check_copy(&from, made.body, made.size) == POS_OK && are_uses_one(&from));
    bench_close(&from);
}

/* All of one size and one head, so that all want the same two places. */
static void test_layouts_however_many_do_not_drive_out_those_in_use(void)
{
    bench from = bench_open("unionpay-terminal", 16);
    pos_plan_cache *cache = from.caches[from.path_count - 1];
    static plan_cast before[POS_CAST_WAYS];
    uint64_t state = 1;
    unsigned made = 0;
    unsigned used = 0;
    sale strange_one;
    sale sale_again;
    for (unsigned round = 0; round < 12000; round++) {
        sale_make(from.spec, "6225000000000014", false, &state, &strange_one);
        const uint32_t set = plan_set(cache, strange_one.body, (uint32_t)strange_one.size);
        const plan_cast *casts = &cache->casts[POS_CAST_WAYS * set];
        memcpy(before, casts, sizeof before);
        (void)is_planned(cache, strange_one.body, strange_one.size);
        if (memcmp(before, casts, sizeof before) != 0) made++;
        if (round < 2000) continue; /* the flood comes first */
        sale_make(from.spec, "6225000000000014", true, &state, &sale_again);
        CHECK(sale_again.size == strange_one.size);
        const uint32_t misses = cache->cast_misses;
        CHECK(is_planned(cache, sale_again.body, sale_again.size));
        used += cache->cast_misses == misses;
    }
    CHECK(used > 9900);
    CHECK(made > 100 && made < POS_CAST_WAYS + 12000 / 64 + 4);
    bench_close(&from);
}

static bool is_by_plan(bench *from, const uint8_t *body, size_t size)
{
    const uint64_t before = from->planned;
    CHECK(check_copy(from, body, size) == POS_OK);
    return from->planned > before;
}

/* Three shapes, room for two plans. */
static void test_a_cast_of_a_plan_that_had_to_go_is_void(void)
{
    bench from = bench_open("unionpay-terminal", 2);
    uint8_t bodies[3][2048];
    size_t sizes[3];
    for (unsigned each = 0; each < 3; each++) {
        sizes[each] = strange(from.spec, 0xffff ^ 3U << 2 * each, bodies[each]);
    }
    for (unsigned round = 0; round < 8; round++) {
        const unsigned ours = round % 3;
        const unsigned second = (round + 1) % 3;
        const unsigned third = (round + 2) % 3;
        unsigned turns = 0;
        for (; !are_uses_one(&from); turns++) {
            (void)is_by_plan(&from, bodies[ours], sizes[ours]);
            CHECK(turns < 1000);
        }
        for (bool are_both = false; !are_both; turns++) {
            are_both = is_by_plan(&from, bodies[second], sizes[second]);
            are_both &= is_by_plan(&from, bodies[third], sizes[third]);
            CHECK(turns < 1000);
        }
        (void)are_uses_one(&from);
        /* The casts are where they were; their plan's place is another's. */
        CHECK(!is_by_plan(&from, bodies[ours], sizes[ours]));
        CHECK(!are_uses_one(&from));
    }
    bench_close(&from);
}

/* Any four bytes of a value, side by side. */
static void check_absent(const void *at, size_t size, const uint8_t *value, size_t value_size)
{
    for (size_t first = 0; first + 4 <= value_size; first++) {
        CHECK(memmem(at, size, value + first, 4) == NULL);
    }
}

/* Of chip data tags and lengths are kept, values are not. */
static void check_forgotten(const pos_plan_cache *cache, const plan_cast *cast, const sale *made,
                            const pos_message *message)
{
    static const unsigned SECRETS[] = {2, 4, 35, 52};
    for (unsigned secret = 0; secret < 4; secret++) {
        const pos_field *place = &message->fields[SECRETS[secret]];
        check_absent(cast, sizeof *cast, made->body + place->offset, place->size);
        check_absent(cache->plans, sizeof(pos_plan), made->body + place->offset, place->size);
    }
    for (size_t at = 0; at < CHIP_SIZE; at += 2U + made->chip[at + 1]) {
        check_absent(cast, sizeof *cast, made->chip + at + 2, made->chip[at + 1]);
    }
}

static void test_no_value_of_a_message_stays_in_a_cache(void)
{
    bench from = bench_open("unionpay-terminal", 16);
    uint64_t state = 1;
    for (unsigned round = 0; round < 400; round++) {
        sale made;
        pos_message message;
        sale_make(from.spec, "6212345678901234567", round % 2 == 0, &state, &made);
        CHECK(check_copy(&from, made.body, made.size) == POS_OK);
        CHECK(pos_message_parse_plain(from.spec, made.body, made.size, &message, NULL) == POS_OK);
        for (unsigned path = 0; path < from.path_count; path++) {
            const pos_plan_cache *cache = from.caches[path];
            const uint32_t set = plan_set(cache, made.body, (uint32_t)made.size);
            for (unsigned way = 0; way < POS_CAST_WAYS; way++) {
                CHECK(round == 0 || way > 0 || cache->ways[set].shapes[way] != 0);
                if (cache->ways[set].shapes[way] == 0) continue; /* memory as it was taken */
                check_forgotten(cache, &cache->casts[POS_CAST_WAYS * set + way], &made, &message);
            }
        }
    }
    bench_close(&from);
}

/* ---- columns ---------------------------------------------------------------------------------------------------- */
#define ROWS 3000

typedef struct table_of_rows {
    uint16_t mti[ROWS];
    uint64_t bitmap[2 * ROWS];
    uint64_t stan[ROWS];
    int64_t amount_minor[ROWS];
    uint32_t processing[ROWS];
    char tid[8 * ROWS];
    char mid[15 * ROWS];
    char rrn[12 * ROWS];
    char response[2 * ROWS];
    uint16_t field_offset[129 * ROWS];
    uint16_t field_size[129 * ROWS];
    uint8_t status[ROWS];
    uint16_t fault_field[ROWS];
    uint16_t fault_part[ROWS];
    uint32_t fault_offset[ROWS];
} table_of_rows;

static pos_columns columns_of(table_of_rows *table)
{
    return (pos_columns){
        .mti = table->mti, .bitmap = table->bitmap, .stan = table->stan,
        .amount_minor = table->amount_minor, .processing = table->processing, .tid = table->tid,
        .mid = table->mid, .rrn = table->rrn, .response = table->response,
        .field_offset = table->field_offset, .field_size = table->field_size,
        .status = table->status, .fault_field = table->fault_field,
        .fault_part = table->fault_part, .fault_offset = table->fault_offset,
    };
}

static void check_rows(const char *dialect)
{
    static table_of_rows ours;
    static table_of_rows theirs;
    static shelf kept;
    static uint64_t offsets[ROWS + 1];
    bench from = bench_open(dialect, 64);
    kept = (shelf){.dialect = dialect, .spec = from.spec};
    paper_each("message", keep, &kept);
    uint8_t *text = malloc(ROWS * 1100);
    CHECK(text != NULL);
    uint64_t state = 5;
    for (unsigned row = 0; row < ROWS; row++) {
        const body_kept *good = &kept.bodies[paper_next(&state) % kept.count];
        uint8_t body[2048];
        const bool is_good = row % 3 != 0;
        const size_t size = is_good ? good->size : mutated(&kept, &state, body);
        memcpy(text + offsets[row], is_good ? good->data : body, size);
        offsets[row + 1] = offsets[row] + size;
    }
    uint8_t *buffer = page_edge(offsets[ROWS]) - offsets[ROWS];
    memcpy(buffer, text, offsets[ROWS]);
    const pos_columns columns = columns_of(&ours);
    const pos_columns plain = columns_of(&theirs);
    plan_rows rows = {.buffer = buffer, .offsets = offsets, .columns = &plain, .count = ROWS};
    memset(&theirs, 0, sizeof theirs);
    pos_plan_rows(NULL, from.spec, &rows);
    const size_t good = rows.good;
    CHECK(good >= ROWS / 2 && good < ROWS);
    for (unsigned path = 0; path < from.path_count; path++) {
        memset(&ours, 0, sizeof ours);
        rows.columns = &columns;
        rows.good = 0;
        pos_plan_rows(from.caches[path], from.spec, &rows);
        CHECK(rows.good == good);
        CHECK(memcmp(&ours, &theirs, sizeof ours) == 0);
    }
    /* And through the door, some columns not wanted. */
    memset(&ours, 0, sizeof ours);
    const pos_columns few = {.stan = ours.stan, .tid = ours.tid, .field_size = ours.field_size};
    size_t good_again;
    CHECK(pos_message_parse_many(from.spec, buffer, offsets[ROWS], offsets, ROWS, &few,
                                 &good_again) == POS_OK);
    CHECK(good_again == good && memcmp(ours.stan, theirs.stan, sizeof ours.stan) == 0);
    CHECK(memcmp(ours.tid, theirs.tid, sizeof ours.tid) == 0);
    CHECK(memcmp(ours.field_size, theirs.field_size, sizeof ours.field_size) == 0);
    free(text);
    bench_close(&from);
}

static void test_columns_are_the_tables(void)
{
    for (size_t index = 0; index < DIALECT_COUNT; index++) check_rows(DIALECTS[index]);
}

/* ---- threads ------------------------------------------------------------------------------------------------------ */
static pos_spec *shared;

static void *parse_often(void *context)
{
    const unsigned number = *(const unsigned *)context;
    for (unsigned round = 0; round < 4000; round++) {
        uint8_t body[2048];
        pos_message ours;
        pos_message table;
        const size_t size = strange(shared, 1 + (round * 31 + number * 7) % 500, body);
        CHECK(pos_message_parse(shared, body, size, &ours, NULL) == POS_OK);
        CHECK(pos_message_parse_table(shared, body, size, &table, NULL) == POS_OK);
        check_same(&ours, &table);
    }
    return NULL;
}

static void test_many_threads_share_one_spec(void)
{
    static unsigned numbers[6] = {0, 1, 2, 3, 4, 5};
    pthread_t threads[6];
    shared = paper_spec("unionpay-terminal");
    for (unsigned index = 0; index < 6; index++) {
        CHECK(pthread_create(&threads[index], NULL, parse_often, &numbers[index]) == 0);
    }
    for (unsigned index = 0; index < 6; index++) CHECK(pthread_join(threads[index], NULL) == 0);
    /* All are given back. */
    pos_plan_cache *first = pos_plan_borrow(shared);
    pos_plan_cache *second = pos_plan_borrow(shared);
    CHECK(first != NULL && second != NULL && first != second && pos_plan_borrow(shared) == NULL);
    pos_plan_give_back(shared, first);
    pos_plan_give_back(shared, second);
    pos_spec_close(shared);
}

int main(void)
{
    test_a_plan_says_what_the_table_says();
    test_chip_data_is_judged_by_what_it_is_not_by_what_was_seen();
    test_strange_shapes_do_not_drive_out_those_in_use();
    test_a_plan_in_use_stays_whether_a_cast_reads_or_the_plan();
    test_what_fails_makes_no_plan();
    test_a_shape_is_one_mti_and_one_bitmap();
    test_a_message_laid_out_as_one_before_is_read_by_its_cast();
    test_layouts_however_many_do_not_drive_out_those_in_use();
    test_a_cast_of_a_plan_that_had_to_go_is_void();
    test_no_value_of_a_message_stays_in_a_cache();
    test_columns_are_the_tables();
    test_many_threads_share_one_spec();
    return 0;
}
