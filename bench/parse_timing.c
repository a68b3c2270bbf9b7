/*
 * What parsing a message costs in C, by path, beside the table loop and beside a copy of its bytes.
 *
 *   parse_timing IMAGE CORPUS COPIES ROUNDS        corpus: u32 size, body, again and again
 *
 * With more than one copy of the corpus, one behind the other, messages alone are read and no columns
 * are written: what memory costs. One line of JSON a way: ns a message of each round, by the thread's own clock. The ways take turns,
 * round by round. Before anything is timed, every way's result is compared with the table's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "message/plan.h"

#define WAVE 512
#define WAYS_MAX 16
#define ROUNDS_MAX 1000
#define MESSAGES_LEAST 20000 /* of a round: a small corpus is read again */

typedef struct corpus {
    uint8_t *buffer;
    uint64_t *offsets;
    size_t count;
    size_t size;
} corpus;

typedef struct way {
    char name[48];
    void (*run)(struct way *, const corpus *);
    const pos_spec *spec;
    pos_plan_cache *cache; /* NULL: the table */
    pos_columns columns;
    uint8_t *target;
    double ns[ROUNDS_MAX];
} way;

static void *taken(size_t size)
{
    void *at = aligned_alloc(64, (size + 63) / 64 * 64);
    if (at == NULL) exit(2);
    memset(at, 1, (size + 63) / 64 * 64); /* pages are there before they are timed */
    return at;
}

static uint8_t *file_read(const char *path, size_t *size_out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) exit(2);
    (void)fseek(file, 0, SEEK_END);
    *size_out = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = taken(*size_out);
    if (fread(data, 1, *size_out, file) != *size_out) exit(2);
    (void)fclose(file);
    return data;
}

static corpus corpus_read(const char *path, size_t copies)
{
    size_t size;
    uint8_t *data = file_read(path, &size);
    corpus found = {.buffer = taken(copies * size), .offsets = taken(copies * size)};
    for (size_t copy = 0; copy < copies; copy++) {
        for (size_t at = 0; at < size;) {
            const uint32_t body = pos_load_u32_le(data + at);
            memcpy(found.buffer + found.size, data + at + 4, body);
            found.offsets[found.count++] = found.size;
            found.size += body;
            at += 4 + body;
        }
    }
    found.offsets[found.count] = found.size;
    free(data);
    return found;
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* ---- ways ------------------------------------------------------------------------------------------- */
static pos_message messages[WAVE];
static pos_numbers numbers[WAVE];
static pos_parse_job jobs[WAVE];

static void wave_run(way *self, const corpus *from)
{
    for (size_t first = 0; first < from->count; first += WAVE) {
        const size_t left = from->count - first;
        const size_t count = left < WAVE ? left : WAVE;
        for (size_t index = 0; index < count; index++) {
            const uint64_t *edge = &from->offsets[first + index];
            jobs[index] = (pos_parse_job){
                .body = from->buffer + edge[0], .size = (uint32_t)(edge[1] - edge[0]),
                .message = &messages[index], .numbers = &numbers[index],
            };
        }
        pos_message_parse_wave(self->cache, jobs, count);
    }
}

static void table_run(way *self, const corpus *from)
{
    for (size_t index = 0; index < from->count; index++) {
        const uint64_t *edge = &from->offsets[index];
        pos_message *message = &messages[index % WAVE];
        const pos_status status = pos_message_parse_table(
            self->spec, from->buffer + edge[0], edge[1] - edge[0], message, NULL);
        if (status != POS_OK) exit(3);
    }
}

static void single_run(way *self, const corpus *from)
{
    for (size_t index = 0; index < from->count; index++) {
        const uint64_t *edge = &from->offsets[index];
        pos_message *message = &messages[index % WAVE];
        const pos_status status = pos_message_parse(
            self->spec, from->buffer + edge[0], edge[1] - edge[0], message, NULL);
        if (status != POS_OK) exit(3);
    }
}

static void rows_run(way *self, const corpus *from)
{
    plan_rows rows = {
        .buffer = from->buffer, .offsets = from->offsets, .columns = &self->columns,
        .count = from->count,
    };
    pos_plan_rows(self->cache, self->spec, &rows);
    if (rows.good != from->count) exit(3);
}

static void copy_run(way *self, const corpus *from)
{
    for (size_t index = 0; index < from->count; index++) {
        const uint64_t *edge = &from->offsets[index];
        memcpy(self->target + edge[0], from->buffer + edge[0], edge[1] - edge[0]);
    }
}

/* ---- results are right ---------------------------------------------------------------------------------- */
static pos_columns columns_taken(size_t count, size_t width)
{
    return (pos_columns){
        .mti = taken(2 * count), .bitmap = taken(16 * count), .stan = taken(8 * count),
        .amount_minor = taken(8 * count), .processing = taken(4 * count), .tid = taken(8 * count),
        .mid = taken(15 * count), .rrn = taken(12 * count), .response = taken(2 * count),
        .field_offset = taken(2 * width * count), .field_size = taken(2 * width * count),
        .status = taken(count), .fault_field = taken(2 * count), .fault_part = taken(2 * count),
        .fault_offset = taken(4 * count),
    };
}

static void columns_compare(const pos_columns *ours, const pos_columns *table, size_t count,
                            size_t width)
{
    const bool is_same = memcmp(ours->bitmap, table->bitmap, 16 * count) == 0
                         && memcmp(ours->stan, table->stan, 8 * count) == 0
                         && memcmp(ours->amount_minor, table->amount_minor, 8 * count) == 0
                         && memcmp(ours->tid, table->tid, 8 * count) == 0
                         && memcmp(ours->mid, table->mid, 15 * count) == 0
                         && memcmp(ours->field_offset, table->field_offset, 2 * width * count) == 0
                         && memcmp(ours->field_size, table->field_size, 2 * width * count) == 0;
    if (!is_same) exit(4);
}

static void wave_compare(way *self, const corpus *from)
{
    for (size_t index = 0; index < from->count; index++) {
        const uint64_t *edge = &from->offsets[index];
        const uint8_t *body = from->buffer + edge[0];
        const size_t size = edge[1] - edge[0];
        pos_message ours;
        pos_message table;
        pos_parse_job job = {.body = body, .size = (uint32_t)size, .message = &ours};
        pos_message_parse_wave(self->cache, &job, 1);
        const pos_status status = pos_message_parse_table(self->spec, body, size, &table, NULL);
        if (status != POS_OK || job.status != POS_OK) exit(3);
        for (unsigned field = 1; field <= POS_FIELD_MAX; field++) {
            if (pos_message_has(&ours, field) != pos_message_has(&table, field)) exit(4);
            if (!pos_message_has(&table, field)) continue;
            if (memcmp(&ours.fields[field], &table.fields[field], sizeof(pos_field)) != 0) exit(4);
        }
    }
}

/* ---- all of it -------------------------------------------------------------------------------------------- */
static size_t ways_make(way *ways, const pos_spec *spec, const corpus *from, bool has_columns)
{
    size_t count = 0;
    const size_t width = (size_t)pos_spec_field_max(spec) + 1;
    const size_t rows = has_columns ? from->count : 0;
    const pos_columns columns = columns_taken(rows, width);
    ways[count++] = (way){.name = "memcpy", .run = copy_run, .target = taken(from->size)};
    ways[count++] = (way){.name = "message table", .run = table_run, .spec = spec};
    ways[count++] = (way){.name = "message single", .run = single_run, .spec = spec};
    if (has_columns) {
        ways[count++] =
            (way){.name = "columns table", .run = rows_run, .spec = spec, .columns = columns};
    }
    for (pos_cpu_path path = 0; path <= pos_cpu_path_best(); path++) {
        if (path == POS_CPU_SSE42) continue; /* as portable */
        way made = {.spec = spec, .columns = columns_taken(rows, width)};
        if (pos_plan_cache_open_on(path, 64, spec, &made.cache) != POS_OK) exit(2);
        made.run = wave_run;
        (void)snprintf(made.name, sizeof made.name, "message %s", pos_cpu_path_name(path));
        ways[count++] = made;
        if (!has_columns) continue;
        made.run = rows_run;
        (void)snprintf(made.name, sizeof made.name, "columns %s", pos_cpu_path_name(path));
        ways[count++] = made;
    }
    return count;
}

static void ways_compare(way *ways, size_t count, const corpus *from, size_t width)
{
    const way *table = NULL;
    for (size_t each = 0; each < count; each++) {
        if (strcmp(ways[each].name, "columns table") == 0) table = &ways[each];
        if (ways[each].cache == NULL) continue;
        if (ways[each].run == wave_run) wave_compare(&ways[each], from);
        else if (table != NULL) {
            columns_compare(&ways[each].columns, &table->columns, from->count, width);
        }
    }
}

static void ways_time(way *ways, size_t count, const corpus *from, size_t rounds)
{
    const size_t again = 1 + MESSAGES_LEAST / from->count;
    for (size_t round = 0; round < rounds; round++) {
        for (size_t each = 0; each < count; each++) {
            /* Its own caches warm, as in a stream of waves; of what is cold, no cache holds it. */
            if (again > 1) ways[each].run(&ways[each], from);
            const double began = now_ns();
            for (size_t time = 0; time < again; time++) ways[each].run(&ways[each], from);
            ways[each].ns[round] = (now_ns() - began) / (double)(again * from->count);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) return 2;
    size_t image_size;
    uint8_t *image = file_read(argv[1], &image_size);
    const size_t copies = (size_t)atoi(argv[3]);
    const size_t rounds = (size_t)atoi(argv[4]);
    if (copies < 1 || rounds < 1 || rounds > ROUNDS_MAX) return 2;
    const corpus from = corpus_read(argv[2], copies);
    pos_spec *spec;
    if (pos_spec_open(image, image_size, &spec) != POS_OK) return 2;

    static way ways[WAYS_MAX];
    const size_t count = ways_make(ways, spec, &from, copies == 1);
    for (size_t each = 0; each < count; each++) ways[each].run(&ways[each], &from);
    ways_compare(ways, count, &from, (size_t)pos_spec_field_max(spec) + 1);
    ways_time(ways, count, &from, rounds);
    for (size_t each = 0; each < count; each++) {
        printf("{\"way\": \"%s\", \"bytes\": %.1f, \"ns\": [", ways[each].name,
               (double)from.size / (double)from.count);
        for (size_t round = 0; round < rounds; round++) {
            printf("%s%.2f", round == 0 ? "" : ", ", ways[each].ns[round]);
        }
        printf("]}\n");
    }
    return 0;
}
