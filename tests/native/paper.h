/*
 * What C tests read from files: spec images, and the shared vectors in markdown.
 *
 *   paper_image("unionpay-terminal", &size)     an image, to be freed
 *   paper_spec("unionpay-terminal")             the same, opened
 *   paper_each(folder, visit, context)          every vector of tests/vectors/<folder>
 *
 * A vector is a heading, `Word: value` lines and fenced blocks: tests/oracle/vectors.py says how.
 */
#ifndef POS_TESTS_PAPER_H
#define POS_TESTS_PAPER_H

#include <dirent.h>

#include "bytes/bytes.h"
#include "check.h"
#include "posengine/codec.h"

#define PAPER_SIZE_MAX (1U << 20)

typedef struct paper_vector {
    char where[128]; /* file and title */
    char dialect[48];
    bool is_frame;
    uint8_t data[4096];
    size_t size;
    char fault[128]; /* the fault block's line; empty where it has none */
} paper_vector;

static inline uint8_t *paper_read(const char *path, size_t *size_out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) fprintf(stderr, "cannot open %s\n", path);
    CHECK(file != NULL);
    uint8_t *data = malloc(PAPER_SIZE_MAX + 1);
    CHECK(data != NULL);
    *size_out = fread(data, 1, PAPER_SIZE_MAX, file);
    data[*size_out] = 0;
    CHECK(*size_out < PAPER_SIZE_MAX);
    fclose(file);
    return data;
}

static inline uint8_t *paper_image(const char *dialect, size_t *size_out)
{
    char path[512];
    const int length = snprintf(path, sizeof path, "%s/%s.image", POS_TESTS_IMAGES, dialect);
    CHECK(length > 0 && (size_t)length < sizeof path);
    return paper_read(path, size_out);
}

static inline pos_spec *paper_spec(const char *dialect)
{
    size_t size;
    uint8_t *image = paper_image(dialect, &size);
    pos_spec *spec = NULL;
    CHECK(pos_spec_open(image, size, &spec) == POS_OK);
    free(image);
    return spec;
}

/* Writes the sum of an image that was altered. */
static inline void paper_sum(uint8_t *image, size_t size)
{
    pos_store_u32_le(image + 16, 0);
    pos_store_u32_le(image + 16, pos_crc32c(0, image, size));
}

static inline void paper_hex(const char *text, size_t text_size, paper_vector *vector)
{
    char pair[2];
    size_t half = 0;
    for (size_t at = 0; at < text_size; at++) {
        if (strchr(" \n\r", text[at]) != NULL) continue;
        pair[half++] = text[at];
        if (half < 2) continue;
        CHECK(vector->size < sizeof vector->data);
        CHECK(pos_hex_to_bytes(pair, vector->data + vector->size, 1));
        vector->size++;
        half = 0;
    }
    CHECK(half == 0);
}

static inline void paper_word(const char *text, const char *word, char *out, size_t capacity)
{
    const size_t size = strcspn(text + strlen(word), "\n");
    CHECK(size < capacity);
    memcpy(out, text + strlen(word), size);
    out[size] = 0;
}

/* The lines of one file; a heading begins a vector. */
static inline void paper_file(char *text, const char *name,
                              void (*visit)(const paper_vector *, void *), void *context)
{
    static paper_vector vector;
    memset(&vector, 0, sizeof vector);
    for (char *line = text; *line != 0;) {
        const size_t size = strcspn(line, "\n");
        if (line[0] == '#') {
            if (vector.size > 0) visit(&vector, context);
            memset(&vector, 0, sizeof vector);
            snprintf(vector.where, sizeof vector.where, "%s: %.*s", name, (int)size, line);
        }
        if (strncmp(line, "Dialect: ", 9) == 0) {
            paper_word(line, "Dialect: ", vector.dialect, sizeof vector.dialect);
        }
        if (strncmp(line, "Form: frame", 11) == 0) vector.is_frame = true;
        if (strncmp(line, "```", 3) == 0 && size > 3) {
            char *block = line + size + 1;
            char *end = strstr(block, "\n```");
            CHECK(end != NULL);
            if (strncmp(line, "```hex", 6) == 0) paper_hex(block, (size_t)(end - block), &vector);
            if (strncmp(line, "```fault", 8) == 0) {
                paper_word(block, "", vector.fault, sizeof vector.fault);
            }
            line = end + 4;
            continue;
        }
        line += size + (line[size] == '\n');
    }
    if (vector.size > 0) visit(&vector, context);
}

static inline void paper_each(const char *folder, void (*visit)(const paper_vector *, void *),
                              void *context)
{
    char path[512];
    snprintf(path, sizeof path, "%s/vectors/%s", POS_TESTS_HOME, folder);
    DIR *directory = opendir(path);
    CHECK(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        const size_t length = strlen(entry->d_name);
        if (length < 4 || strcmp(entry->d_name + length - 3, ".md") != 0) continue;
        char file[1024];
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        size_t size;
        char *text = (char *)paper_read(file, &size);
        paper_file(text, entry->d_name, visit, context);
        free(text);
    }
    closedir(directory);
}

/* The same numbers in every run. */
static inline uint64_t paper_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
