/*
 * The engine's core reads the messages of a file into columns: "run" prints ns a message.
 *
 *     our_codec MESSAGES SPEC_IMAGE
 *
 * Every column that there is is filled; the messages are read as one buffer, as a wave is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "posengine/codec.h"

enum { MESSAGES_MAX = 65536, WIDTH = POS_FIELD_MAX + 1 };

static unsigned char *whole(const char *path, size_t *size_out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) exit(2);
    fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    rewind(file);
    unsigned char *data = malloc((size_t)size);
    if (fread(data, 1, (size_t)size, file) != (size_t)size) exit(2);
    fclose(file);
    *size_out = (size_t)size;
    return data;
}

int main(int count, char **given)
{
    static uint64_t offsets[MESSAGES_MAX + 1];
    size_t size = 0;
    size_t image_size = 0;
    if (count != 3) return 2;
    unsigned char *data = whole(given[1], &size);
    unsigned char *image = whole(given[2], &image_size);
    size_t messages = 0;
    size_t end = 0;
    for (size_t at = 0; at < size; messages++) {
        const size_t body = (size_t)data[at] << 8 | data[at + 1];
        memmove(data + end, data + at + 2, body);
        at += 2 + body;
        end += body;
        offsets[messages + 1] = end;
    }
    pos_spec *spec = NULL;
    if (pos_spec_open(image, image_size, &spec) != POS_OK) return 2;
    pos_columns columns = {
        .mti = calloc(messages, 2), .bitmap = calloc(messages, 16), .stan = calloc(messages, 8),
        .amount_minor = calloc(messages, 8), .processing = calloc(messages, 4),
        .tid = calloc(messages, 8), .mid = calloc(messages, 15), .rrn = calloc(messages, 12),
        .response = calloc(messages, 2), .field_offset = calloc(messages, 2 * WIDTH),
        .field_size = calloc(messages, 2 * WIDTH), .status = calloc(messages, 1),
        .fault_field = calloc(messages, 2), .fault_part = calloc(messages, 2),
        .fault_offset = calloc(messages, 4),
    };
    char line[16];
    while (fgets(line, sizeof line, stdin) != NULL) {
        enum { TURNS = 20 }; /* so that a run lasts as long as the clock can tell */
        struct timespec began, ended;
        clock_gettime(CLOCK_MONOTONIC, &began);
        for (int turn = 0; turn < TURNS; turn++) {
            size_t good = 0;
            const pos_status status =
                pos_message_parse_many(spec, data, end, offsets, messages, &columns, &good);
            if (status != POS_OK || good != messages) return 1;
        }
        clock_gettime(CLOCK_MONOTONIC, &ended);
        const double took = (double)(ended.tv_sec - began.tv_sec) * 1e9
                            + (double)(ended.tv_nsec - began.tv_nsec);
        printf("%.2f\n.\n", took / (double)messages / TURNS);
        fflush(stdout);
    }
    pos_spec_close(spec);
    return 0;
}
