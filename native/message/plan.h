/*
 * A plan: how messages of one shape (one MTI, one bitmap) are read, worked out once.
 *
 *   head │ fixed fields │ prefix · value │ fixed fields │ prefix · value │ fixed fields
 *         ╰─ stretch 0 ─╯ ╰── step 0 ──╯ ╰─ stretch 1 ─╯ ╰── step 1 ──╯ ╰─ stretch 2 ─╯
 *
 * Only the steps are walked, one after the other: each prefix says how many bytes it takes. After
 * them the place of every field is a number of the plan plus what the steps before it took:
 *
 *   place of a field   base (plan) + sums[index] (message)      a vector of both, added
 *   content            chunks of up to 64 bytes of a stretch, judged by two masks of the plan
 *   numbers            eight fields gathered by one shuffle, digits to numbers four at once
 *   layouts            sizes that fit, told by a set; chip data walked, tag by tag
 *
 * And a cast of a plan, which is for one layout: what every byte of such a message is judged by, and
 * what is written of it. Most messages repeat one that came before but for their values. Where head,
 * prefixes, tags and lengths are the same, the steps take the same, every byte means what it meant
 * there, every field lies where it lay, and nothing is walked:
 *
 *   body      0200 bitmap 3..22 16 pan 37 track 41.42 0139 9F26 08 ac 9F27 01 cid 64
 *   seen      ==== ======       ==     ==             ==== ==== ==    ==== ==          as it was
 *   nibbles               ffff     fff                                                 digits
 *   allowed                                     ccccc                                  of a class
 *
 * Rules. Plan and cast only ever say yes. Whatever they do not like, or do not know, goes to the table
 * loop (parse.c), whose word is the truth: so they need no faults, and can be wrong in one way
 * alone, which is to say yes too often; tests/native/plan_test.c looks for that. They hold no
 * value of any message, but tags and lengths of chip data.
 */
#ifndef POS_MESSAGE_PLAN_H
#define POS_MESSAGE_PLAN_H

#include "measure/measure.h"
#include "message/judge.h"
#include "message/spec.h"

#include <assert.h>

#define POS_PLAN_STEP_MAX 15      /* variable fields; 1 + 2 × 15 sums, and 16 words of two vectors */
#define POS_PLAN_CHUNK_MAX 10     /* stretches are short: 640 bytes of judged fixed fields */
#define POS_PLAN_LINE_MAX 13      /* a message is 808 bytes: 13 lines of 64 */
#define POS_PLAN_ROW_MAX 5        /* a row of places, 129 × 16 bits: 5 vectors */
#define POS_PLAN_HEAD_WORDS 5     /* MTI and bitmaps: 36 bytes at most */
#define POS_PLAN_HEAD_MIN 10      /* in BCD, with one bitmap */
#define POS_PLAN_TEXT_COUNT 4     /* TID, MID, RRN, response */
#define POS_CAST_BLOCK_MAX 8      /* blocks of 64 bytes: a sale has five; larger messages have no cast */
#define POS_CAST_WAYS 2           /* layouts of one head and one size */
#define POS_CAST_ROW (POS_FIELD_MAX + 1)

/* How a value's content is judged. */
typedef enum plan_judge {
    PLAN_FREE,   /* bytes, or a track in BCD */
    PLAN_PAIRS,  /* digits, two a byte */
    PLAN_TEXT,
} plan_judge;

/* A field of variable size. */
typedef struct plan_step {
    uint64_t sizes;       /* POS_JUDGE_SIZES: bit n, n units fit */
    uint16_t base;        /* offset of its prefix, had the steps before it taken nothing */
    uint16_t units_min;
    uint16_t units_max;
    uint8_t prefix_size;
    uint8_t prefix_code;  /* BCD, ASCII or BINARY */
    uint8_t prefix_high;  /* BCD: ff where there are two bytes, else 0 */
    uint8_t units_shift;  /* units = number << units_shift */
    uint8_t size_shift;   /* size = ((units << size_shift) + size_half) >> size_half */
    uint8_t size_half;
    uint8_t judge;        /* plan_judge */
    uint8_t allowed;      /* PLAN_TEXT: classes */
    uint8_t layout;       /* pos_layout_judge */
    uint8_t field;
    uint8_t low;          /* PLAN_TEXT: as plan_bounds says */
    uint8_t high;
    bool is_right;        /* PLAN_PAIRS: an odd digit lies in the low nibble */
} plan_step;

/* Up to 64 bytes of fixed fields, judged at once. */
typedef struct plan_chunk {
    _Alignas(64) uint8_t nibbles[64]; /* what is judged of a byte as two digits */
    uint8_t allowed[64];              /* classes, where it is judged as a character */
    uint64_t here;                    /* bytes that the chunk has */
    uint64_t text;                    /* bytes judged as characters */
    uint16_t base;
    uint8_t after;                    /* steps before it */
    uint8_t size;
} plan_chunk;

/* Where the characters of a chunk mostly are; other bytes may be any. Those between are right, those
 * outside want a closer look. */
typedef struct plan_bounds {
    _Alignas(32) uint8_t low[64];
    uint8_t high[64];
} plan_bounds;

/* Thirty-two numbers of 16 bits of what is written: base + sums of `index`. */
typedef struct plan_line {
    _Alignas(64) uint16_t base[32];
    uint16_t index[32]; /* a number of the sums */
} plan_line;

/* The sums of a message as 16-bit numbers in two vectors: of step k the number 4 × k, and on. */
enum {
    PLAN_TAKEN = 0, /* bytes that steps 0 to k took */
    PLAN_SIZE = 1,
    PLAN_UNITS = 2,
    PLAN_ZERO = 3, /* of any word */
};

/* A number for pos_numbers, or for a column. */
typedef struct plan_number {
    uint16_t base;
    uint8_t after;
    uint8_t size;     /* bytes; 0: none */
    uint8_t is_ascii;
    uint8_t shift;    /* BCD: 4 where the last nibble is filler */
    uint64_t digits;  /* BCD: the nibbles that count */
} plan_number;

#define PLAN_THREE 0x07 /* amount, processing, STAN: the first of pos_numbers */

/* Eight numbers by one shuffle. */
typedef struct plan_gather {
    _Alignas(64) uint8_t from[64]; /* byte of the window, for each byte of eight words */
    uint64_t digits[8];
    uint64_t shift[8];
    uint64_t lanes; /* bytes that come from the window; others are 0 */
    uint64_t here;  /* bytes of the window that the message is sure to have */
    uint16_t base;
    uint8_t after;
} plan_gather;

typedef struct plan_text {
    uint16_t base;
    uint8_t after;
    uint8_t size; /* 0: none, blanks */
} plan_text;

typedef struct pos_plan {
    uint64_t head[POS_PLAN_HEAD_WORDS]; /* as plan_head_words reads it */
    uint64_t bitmap[2];
    uint32_t shape;
    uint16_t mti;
    uint16_t size;  /* of a message whose steps took nothing */
    uint8_t head_size;
    uint8_t step_count;
    uint8_t chunk_count;
    uint8_t line_count;
    uint8_t place_count;
    uint8_t number_slow; /* lanes of `numbers` that the shuffle does not give */
    bool has_walks;      /* a step or a fixed field has a layout to be walked */
    bool is_columnar;    /* all columns can be written without a message */
    bool has_numbers_late; /* a number is read from the message that was written */
    bool was_used;       /* since the hand last passed */
    uint64_t walks[2];   /* fields whose layout is walked */
    plan_step steps[POS_PLAN_STEP_MAX];
    plan_chunk chunks[POS_PLAN_CHUNK_MAX];
    plan_line lines[POS_PLAN_LINE_MAX]; /* those that hold a field, ascending */
    uint8_t line_at[POS_PLAN_LINE_MAX];
    uint32_t line_here[POS_PLAN_LINE_MAX]; /* numbers that the message has of it */
    plan_gather gather;
    plan_number numbers[8]; /* in the order of pos_numbers */
    plan_text texts[POS_PLAN_TEXT_COUNT];
    plan_line offsets[POS_PLAN_ROW_MAX]; /* rows of places */
    plan_line sizes[POS_PLAN_ROW_MAX];
    uint64_t places[POS_FIELD_MAX]; /* offset, size << 16, units << 32: without vectors */
    uint8_t place_after[POS_FIELD_MAX]; /* steps before it */
    uint8_t place_step[POS_FIELD_MAX];  /* its own; POS_PLAN_STEP_MAX, which took nothing: none */
    uint8_t place_field[POS_FIELD_MAX];
    plan_bounds bounds[POS_PLAN_CHUNK_MAX]; /* of the chunks; AVX2 */
} pos_plan;

/* What the steps of a message took. Of step k the word 4 × k and those after it, as PLAN_TAKEN and its
 * fellows say: two vectors. */
typedef struct plan_sums {
    _Alignas(64) uint64_t steps[POS_PLAN_STEP_MAX + 1];
    uint32_t taken[POS_PLAN_STEP_MAX + 1]; /* bytes that the steps before took */
} plan_sums;

/* What sixty-four bytes are judged by. */
typedef struct plan_block {
    _Alignas(64) uint8_t seen[64];
    uint8_t kept[64];    /* ff: must be as seen, which elsewhere is 0 */
    uint8_t nibbles[64]; /* as in a chunk */
    uint8_t allowed[64];
} plan_block;

typedef struct plan_cast {
    plan_block blocks[POS_CAST_BLOCK_MAX];
    uint64_t texts[POS_CAST_BLOCK_MAX]; /* bytes of each block that are judged as characters */
    plan_sums sums;
    _Alignas(64) uint16_t offsets[POS_CAST_ROW]; /* rows of places, as they are written */
    _Alignas(64) uint16_t sizes[POS_CAST_ROW];
    _Alignas(64) pos_message message; /* as it is written, but for its body */
    uint32_t message_size;            /* of it, up to the last field that is there */
} plan_cast;

/* Where casts are looked for: by size and first bytes. */
typedef struct plan_ways {
    uint32_t shapes[POS_CAST_WAYS]; /* of the plan; 0: none yet. Another plan there now: void */
    uint16_t sizes[POS_CAST_WAYS];
    uint8_t plans[POS_CAST_WAYS];
    bool was_used[POS_CAST_WAYS]; /* since a new cast last looked for a way */
} plan_ways;

typedef void plan_wave_run(pos_plan_cache *cache, pos_parse_job *jobs, size_t count);

/* Messages to be read into columns. */
typedef struct plan_rows {
    const uint8_t *buffer;
    const uint64_t *offsets;
    const pos_columns *columns;
    size_t count;
    size_t good; /* rows without a fault, so far */
} plan_rows;
typedef void plan_rows_run(pos_plan_cache *cache, plan_rows *rows);

#define POS_PLAN_BUCKETS 256

struct pos_plan_cache {
    const pos_spec *spec;
    plan_wave_run *wave;
    plan_rows_run *rows;
    uint32_t plan_max;
    uint32_t plan_count;
    uint32_t hand;        /* the next plan that may have to go */
    uint32_t misses;      /* good messages that no plan fitted, while all places were taken */
    uint32_t shape_last;
    uint32_t last;        /* the plan that was found last */
    uint32_t cast_misses; /* messages that a plan read, while both their ways were taken */
    uint32_t set_count;   /* a power of two */
    pos_plan *plans;
    plan_ways *ways;      /* a set each */
    plan_cast *casts;     /* of set s from POS_CAST_WAYS × s */
    uint8_t buckets[POS_PLAN_BUCKETS]; /* plan from 1, by head; ends at 0 */
};

/* ---- head ------------------------------------------------------------------------------------------ */
/* Bytes of MTI and bitmap; 0 where they are not all there. What no plan has may be told wrong. */
static inline uint32_t plan_head_size(const pos_spec *spec, const uint8_t *body, uint32_t size)
{
    const uint32_t mti_size = spec->mti_encoding == POS_CODE_BCD ? 2 : 4;
    const uint32_t word_size = spec->bitmap_encoding == POS_CODE_BINARY ? 8 : 16;
    if (size < mti_size + word_size) return 0;
    const uint8_t first = body[mti_size];
    bool has_second = spec->has_both_bitmaps;
    switch (spec->bitmap_encoding) {
    case POS_CODE_BINARY: has_second |= first >= 0x80; break;
    case POS_CODE_HEX: has_second |= first >= '8'; break;
    default: has_second |= first < 0xf0 || first >= 0xf8; break; /* EBCDIC: 0 to 9 are F0 to F9 */
    }
    const uint32_t head_size = mti_size + word_size + (has_second ? word_size : 0);
    return head_size <= size ? head_size : 0;
}

/* A head as words, the last one overlapping: the same bytes, the same words. */
static inline bool plan_head_is(const pos_plan *plan, const uint8_t *body, uint32_t head_size)
{
    if (plan->head_size != head_size) return false;
    uint64_t differs = plan->head[0] ^ pos_load_u64_le(body);
    for (uint32_t at = 8; at + 8 < head_size; at += 8) {
        differs |= plan->head[at / 8] ^ pos_load_u64_le(body + at);
    }
    differs |= plan->head[(head_size - 1) / 8] ^ pos_load_u64_le(body + head_size - 8);
    return differs == 0;
}

static inline uint32_t plan_bucket(const uint8_t *body, uint32_t head_size)
{
    uint64_t mixed = pos_load_u64_le(body) * 0x9e3779b97f4a7c15U;
    for (uint32_t at = 8; at + 8 < head_size; at += 8) {
        mixed = (mixed ^ (mixed >> 29) ^ pos_load_u64_le(body + at)) * 0x9e3779b97f4a7c15U;
    }
    mixed = (mixed ^ (mixed >> 29) ^ pos_load_u64_le(body + head_size - 8)) * 0x9e3779b97f4a7c15U;
    return (uint32_t)(mixed >> 56);
}

_Static_assert(POS_PLAN_BUCKETS == 256, "plan_bucket gives eight bits");

/* The plan for this body, NULL where there is none. */
static inline const pos_plan *plan_find(pos_plan_cache *cache, const uint8_t *body, uint32_t size)
{
    const uint32_t head_size = plan_head_size(cache->spec, body, size);
    if (head_size == 0 || size > cache->spec->frame.size_max) return NULL;
    pos_plan *last = &cache->plans[cache->last];
    if (cache->plan_count > 0 && plan_head_is(last, body, head_size)) {
        last->was_used = true;
        return last;
    }
    uint32_t bucket = plan_bucket(body, head_size);
    for (; cache->buckets[bucket] != 0; bucket = (bucket + 1) % POS_PLAN_BUCKETS) {
        const uint32_t number = cache->buckets[bucket] - 1U;
        pos_plan *plan = &cache->plans[number];
        if (!plan_head_is(plan, body, head_size)) continue;
        plan->was_used = true;
        cache->last = number;
        return plan;
    }
    return NULL;
}

/* ---- casts ------------------------------------------------------------------------------------------- */
/* The set of a body, of ten bytes at least. */
static inline uint32_t plan_set(const pos_plan_cache *cache, const uint8_t *body, uint32_t size)
{
    const uint64_t last = pos_load_u16_le(body + 8);
    const uint64_t mixed = pos_load_u64_le(body) ^ last << 24 ^ size;
    return (uint32_t)(mixed * 0x9e3779b97f4a7c15U >> 56) & (cache->set_count - 1);
}

/* ---- steps ------------------------------------------------------------------------------------------- */
/* The digits of two bytes as a number; false where a nibble is above 9. */
static inline bool plan_bcd_number(uint8_t high, uint8_t low, uint32_t *number_out)
{
    const uint32_t hundreds = pos_pair_values[high];
    const uint32_t ones = pos_pair_values[low];
    *number_out = ones + 100 * hundreds;
    return (ones | hundreds) < 0x80;
}

static inline bool plan_prefix(const plan_step *step, const uint8_t *at, uint32_t *number_out)
{
    if (step->prefix_code == POS_CODE_BCD) {
        return plan_bcd_number((uint8_t)(at[0] & step->prefix_high), at[step->prefix_size - 1],
                               number_out);
    }
    uint32_t number = 0;
    bool holds = true;
    for (uint32_t index = 0; index < step->prefix_size; index++) {
        if (step->prefix_code == POS_CODE_ASCII) {
            holds &= at[index] >= '0' && at[index] <= '9';
            number = number * 10 + (at[index] & 0x0fU);
        } else {
            number = number << 8 | at[index];
        }
    }
    *number_out = number;
    return holds && number <= UINT16_MAX;
}

/* What a step takes of a message: prefix judged, limits held; that the value is there is judged by
 * the sum of all, at the end. False: the table loop's. */
static inline bool plan_step_take(const plan_step *step, const uint8_t *body, uint32_t size,
                                  uint32_t taken, uint32_t *units_out, uint32_t *size_out)
{
    const uint32_t at = step->base + taken;
    if (at + step->prefix_size > size) return false;
    uint32_t number;
    const bool is_number = plan_prefix(step, body + at, &number);
    const uint32_t units = number << step->units_shift;
    *units_out = units;
    *size_out = ((units << step->size_shift) + step->size_half) >> step->size_half;
    return is_number & (units >= step->units_min) & (units <= step->units_max);
}

/* ---- what plan.c does for all paths ----------------------------------------------------------------- */
/* The table loop's turn; a good message of a new shape leaves a plan. */
void pos_plan_slow(pos_plan_cache *cache, pos_parse_job *job);
/* Layouts that are walked, of a message that is written. */
bool pos_plan_walks_hold(const pos_spec *spec, const pos_plan *plan, const pos_message *message);
/* Whether the elements of a chip field follow one another to its end. */
bool pos_plan_chip_holds(const uint8_t *data, uint32_t size);
/* A message that the plan read may leave a cast. */
void pos_plan_cast_learn(pos_plan_cache *cache, const pos_plan *plan, const uint8_t *body,
                         uint32_t size, const plan_sums *sums);
/* Numbers that the shuffle does not give: lanes of plan->number_slow, and all where there is none. */
void pos_plan_numbers_slow(const pos_plan *plan, uint8_t lanes, const uint8_t *body,
                           const uint32_t *taken, pos_numbers *numbers_out);
/* A plan for the shape of a good message; false where there can be none: plan_make.c. */
bool pos_plan_make(const pos_spec *spec, const pos_message *message, pos_plan *plan);
/* A cast of a message that the plan read, of POS_CAST_BLOCK_MAX blocks at most: plan_cast.c. */
void pos_plan_cast_make(const pos_plan *plan, const uint8_t *body, uint32_t size,
                        const plan_sums *sums, plan_cast *cast);
/* One row without its plan: many.c. */
void pos_plan_row_slow(pos_plan_cache *cache, plan_rows *rows, size_t row);

/* Rows into columns, by the plans of a cache; NULL: by the table alone. */
void pos_plan_rows(pos_plan_cache *cache, const pos_spec *spec, plan_rows *rows);

/* ---- paths -------------------------------------------------------------------------------------------- */
void pos_plan_wave_portable(pos_plan_cache *cache, pos_parse_job *jobs, size_t count);
void pos_plan_rows_portable(pos_plan_cache *cache, plan_rows *rows);
#if defined(__x86_64__)
void pos_plan_wave_avx2(pos_plan_cache *cache, pos_parse_job *jobs, size_t count);
void pos_plan_rows_avx2(pos_plan_cache *cache, plan_rows *rows);
void pos_plan_wave_avx512(pos_plan_cache *cache, pos_parse_job *jobs, size_t count);
void pos_plan_rows_avx512(pos_plan_cache *cache, plan_rows *rows);
#endif
/* A cache that takes a path of the caller's choice, with room for so many plans. */
pos_status pos_plan_cache_open_on(pos_cpu_path path, uint32_t plan_max, const pos_spec *spec,
                                  pos_plan_cache **cache_out);

#endif
