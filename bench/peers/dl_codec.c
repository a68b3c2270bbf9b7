/*
 * DL_ISO8583 reads the messages of a file: "show" prints every field, "run" prints ns a message.
 *
 *     dl_codec MESSAGES WIRE
 *
 * MESSAGES: for each message a length of two bytes, big-endian, and its body. WIRE: a line a field,
 * "field prefix most data side". Memory for a message's fields is static, its fastest way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dl_iso8583.h"

enum { FIELDS = 129, MESSAGES_MAX = 65536 };

static DL_ISO8583_FIELD_DEF forms[FIELDS];
static char kinds[FIELDS];

static void wire_read(const char *path)
{
    FILE *file = fopen(path, "r");
    int field, prefix, most;
    char data[8], side[8];
    forms[0] = (DL_ISO8583_FIELD_DEF){kDL_ISO8583_N, 4, kDL_ISO8583_FIXED, 0};
    forms[1] = (DL_ISO8583_FIELD_DEF){kDL_ISO8583_BMP, 16, kDL_ISO8583_CONTVAR, 0};
    while (fscanf(file, "%d %d %d %7s %7s", &field, &prefix, &most, data, side) == 5) {
        const DL_UINT8 type = strcmp(data, "bcd") == 0 ? kDL_ISO8583_N
                              : strcmp(data, "b") == 0 ? kDL_ISO8583_B : kDL_ISO8583_ANS;
        const DL_UINT8 lengths[] = {kDL_ISO8583_FIXED, kDL_ISO8583_LLVAR, kDL_ISO8583_LLLVAR};
        const DL_UINT8 padding = strcmp(side, "right") == 0 ? kLD_ISO8583_PADDING_RIGHT
                                                            : kDL_ISO8583_PADDING_LEFT;
        forms[field] = (DL_ISO8583_FIELD_DEF){type, (DL_UINT16)most, lengths[prefix], padding};
        kinds[field] = data[0] == 'b' && data[1] == 0 ? 'b' : 't';
    }
    fclose(file);
}

static void show(const DL_ISO8583_MSG *message, unsigned row)
{
    for (DL_UINT16 field = 2; field <= 64; field++) {
        DL_UINT8 *value = NULL;
        DL_UINT16 size = 0;
        if (!DL_ISO8583_MSG_HaveField(field, message)) continue;
        DL_ISO8583_MSG_GetField_Bin(field, message, &value, &size);
        printf("%u %u ", row, field);
        for (unsigned at = 0; at < size; at++) {
            if (kinds[field] == 'b') printf("%02X", value[at]);
            else putchar(value[at]);
        }
        putchar('\n');
    }
}

static void read_one(const DL_ISO8583_HANDLER *handler, const unsigned char *body, unsigned size,
                     DL_ISO8583_MSG *message)
{
    static DL_UINT8 memory[8192];
    DL_ISO8583_MSG_Init(memory, sizeof memory, message);
    if (DL_ISO8583_MSG_Unpack(handler, body, (DL_UINT16)size, message) != kDL_ERR_NONE) {
        fprintf(stderr, "a message cannot be read\n");
        exit(1);
    }
}

int main(int count, char **given)
{
    static unsigned char data[MESSAGES_MAX * 600];
    static const unsigned char *bodies[MESSAGES_MAX];
    static unsigned sizes[MESSAGES_MAX];
    static DL_ISO8583_MSG message;
    if (count != 3) return 2;
    FILE *file = fopen(given[1], "rb");
    const size_t size = fread(data, 1, sizeof data, file);
    unsigned messages = 0;
    for (size_t at = 0; at < size; messages++) {
        sizes[messages] = (unsigned)data[at] << 8 | data[at + 1];
        bodies[messages] = data + at + 2;
        at += 2 + sizes[messages];
    }
    wire_read(given[2]);
    DL_ISO8583_HANDLER handler = {.fieldArr = forms, .fieldItems = FIELDS, .compress = 1};
    char line[16];
    while (fgets(line, sizeof line, stdin) != NULL) {
        struct timespec began, ended;
        clock_gettime(CLOCK_MONOTONIC, &began);
        for (unsigned row = 0; row < messages; row++) {
            read_one(&handler, bodies[row], sizes[row], &message);
            if (line[0] == 's') show(&message, row);
            DL_ISO8583_MSG_Free(&message);
        }
        clock_gettime(CLOCK_MONOTONIC, &ended);
        const double took = (double)(ended.tv_sec - began.tv_sec) * 1e9
                            + (double)(ended.tv_nsec - began.tv_nsec);
        if (line[0] != 's') printf("%.2f\n", took / messages);
        printf(".\n");
        fflush(stdout);
    }
    return 0;
}
