/*
 * The engine inside of a C program: one frame in, one commit, one reply out.
 *
 *   embed JOURNAL SPEC.image ROSTER.image POLICY.image MASTER_KEY_HEX FRAME_HEX
 *
 * The images are made once, by `posengine spec compile` and `posengine roster compile`.
 */
#include <posengine.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pos_bytes file_of(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(3);
    }
    fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    rewind(file);
    uint8_t *data = malloc((size_t)size);
    if (data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size) exit(3);
    fclose(file);
    return (pos_bytes){.data = data, .size = (size_t)size};
}

static size_t bytes_of(const char *hex, uint8_t *bytes, size_t capacity)
{
    const size_t size = strlen(hex) / 2;
    for (size_t index = 0; index < size && index < capacity; index++) {
        unsigned byte = 0;
        if (sscanf(hex + 2 * index, "%2x", &byte) != 1) exit(2);
        bytes[index] = (uint8_t)byte;
    }
    return size;
}

static void expect(pos_status status, const char *what)
{
    if (status == POS_OK) return;
    fprintf(stderr, "%s: %s (%s)\n", what, pos_status_text(status), pos_status_name(status));
    exit(3);
}

int main(int count, char **words)
{
    if (count != 7) {
        fprintf(stderr, "usage: embed JOURNAL SPEC ROSTER POLICY MASTER_KEY_HEX FRAME_HEX\n");
        return 2;
    }
    pos_engine_options options = {
        .journal_path = words[1],
        .journal = {.volume_size_max = 8u << 20},
        .spec = file_of(words[2]),
        .roster = file_of(words[3]),
        .policy = file_of(words[4]),
        .terminals_max = 1024,
        .postings_max = 4096,
        .repeats_max = 4096,
    };
    if (bytes_of(words[5], options.master_key, sizeof options.master_key) != 32) return 2;
    uint8_t frame[2048];
    const size_t frame_size = bytes_of(words[6], frame, sizeof frame);

    pos_engine *engine = NULL;
    expect(pos_engine_open(&options, &engine), "open");
    const int64_t now_ns = pos_clock_utc_ns();
    expect(pos_engine_submit(engine, 1, frame, frame_size, now_ns), "submit");
    expect(pos_engine_commit(engine), "commit"); /* on disk from here on */

    pos_reply reply;
    while (pos_engine_reply(engine, &reply)) {
        for (size_t index = 0; index < reply.size; index++) printf("%02X", reply.data[index]);
        printf("\n");
    }
    pos_engine_close(engine);
    return 0;
}
