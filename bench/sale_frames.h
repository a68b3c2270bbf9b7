/*
 * What bench/sale.py left in a directory, for the programs that send it: one sign-on and one sale of
 * the first terminal as frames, the places in them of what changes, and images as files.
 */
#ifndef POS_BENCH_SALE_FRAMES_H
#define POS_BENCH_SALE_FRAMES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(claim)                                             \
    do {                                                        \
        if (!(claim)) {                                         \
            fprintf(stderr, "line %d: %s\n", __LINE__, #claim); \
            exit(1);                                            \
        }                                                       \
    } while (0)
#define FRAME_MAX 1024

static const uint8_t TMK[16] = {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11};

static struct {
    unsigned terminals, sign_on_tid, sign_on_stan;
    unsigned sale_tid, sale_stan, sale_amount, sale_batch, sale_mac;
} at;
static uint8_t sign_on[FRAME_MAX], sale[FRAME_MAX];
static size_t sign_on_size, sale_size;

/* A file of the directory, the caller's to free, with a zero behind it. */
static uint8_t *load(const char *home, const char *name, size_t *size_out)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", home, name);
    FILE *file = fopen(path, "rb");
    MUST(file != NULL && fseek(file, 0, SEEK_END) == 0);
    const long size = ftell(file);
    rewind(file);
    uint8_t *data = malloc((size_t)size + 1);
    MUST(data != NULL && fread(data, 1, (size_t)size, file) == (size_t)size);
    data[size] = 0;
    fclose(file);
    *size_out = (size_t)size;
    return data;
}

/* `places`, `sign_on` and `sale`. */
static void read_frames(const char *home)
{
    size_t size;
    char *text = (char *)load(home, "places", &size);
    MUST(sscanf(text, "%u %u %u %u %u %u %u %u", &at.terminals, &at.sign_on_tid, &at.sign_on_stan,
                &at.sale_tid, &at.sale_stan, &at.sale_amount, &at.sale_batch, &at.sale_mac)
         == 8);
    free(text);
    uint8_t *frame = load(home, "sign_on", &sign_on_size);
    MUST(sign_on_size <= FRAME_MAX);
    memcpy(sign_on, frame, sign_on_size);
    free(frame);
    frame = load(home, "sale", &sale_size);
    MUST(sale_size <= FRAME_MAX);
    memcpy(sale, frame, sale_size);
    free(frame);
}

#endif
