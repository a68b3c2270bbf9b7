/*
 * What terminals fetch: parameters, CA public keys, application parameters, card lists. Python
 * compiles a directory (one file a network code) into an image; here it is served a message at a
 * time.
 *
 *   image   "PDL1" · u32 list_count · list · ... · u32 CRC-32C of all before it    (little-endian)
 *   list    u16 network code · u16 record_count · record_count × {u16 size · bytes}
 *
 *   code              the terminal asks (62)        the answer carries (62)
 *   360               nothing                       all records, one after the other
 *   370, 373, 380     the head of one record        '1' and that record, or '0'
 *   372, 382          '1' and how many it has       control, heads of records of 370 or 380
 *   390 394 396 398   how many it has               control, records
 *   361, 371, ...     nothing: it is done           nothing
 *
 *   control   '0' none   '1' these are all   '2' more follow   '3' these are the last
 *   head      of a CA key 9F06, 9F22 and DF05; of an application 9F06
 *
 * Source: the dialect sheet 2.5 [mem]; where an acquirer differs, its files say so.
 */
#include <assert.h>
#include <stdlib.h>

#include "engine/inside.h"

#define LISTS_MAX 64U
#define RECORDS_MAX 4096U /* over all lists */
#define IMAGE_SIZE_MAX (4U * 1024 * 1024)
#define TAG_AID 0x9F06U
#define TAG_CA_INDEX 0x9F22U
#define TAG_CA_EXPIRY 0xDF05U

typedef struct download_list {
    uint16_t code;
    uint16_t count;
    uint32_t first; /* index into records */
} download_list;

struct pos_download_table {
    uint8_t *image;
    uint32_t list_count;
    uint32_t record_count;
    download_list lists[LISTS_MAX];
    pos_slice records[RECORDS_MAX];
};

typedef enum download_style { STYLE_DONE, STYLE_WHOLE, STYLE_ONE, STYLE_HEADS, STYLE_LIST } download_style;

typedef struct download_facts {
    uint16_t code;
    uint16_t list; /* the network code whose file is served */
    uint8_t style; /* download_style */
} download_facts;

static const download_facts FACTS[] = {
    {360, 360, STYLE_WHOLE}, {370, 370, STYLE_ONE},  {373, 373, STYLE_ONE},
    {372, 370, STYLE_HEADS}, {380, 380, STYLE_ONE},  {382, 380, STYLE_HEADS},
    {390, 390, STYLE_LIST},  {394, 394, STYLE_LIST}, {396, 396, STYLE_LIST},
    {398, 398, STYLE_LIST},
};

/* ---- loading -------------------------------------------------------------------------------------- */

static pos_status read_list(pos_download_table *table, pos_reader *reader)
{
    if (table->list_count == LISTS_MAX) return POS_IMAGE_LIMIT;
    download_list *list = &table->lists[table->list_count];
    if (!pos_reader_u16_le(reader, &list->code)) return POS_IMAGE_FORM;
    if (!pos_reader_u16_le(reader, &list->count)) return POS_IMAGE_FORM;
    if (list->count > RECORDS_MAX - table->record_count) return POS_IMAGE_LIMIT;
    list->first = table->record_count;
    for (uint32_t index = 0; index < list->count; index++) {
        uint16_t size = 0;
        pos_slice record;
        if (!pos_reader_u16_le(reader, &size)) return POS_IMAGE_FORM;
        if (!pos_reader_take(reader, size, &record)) return POS_IMAGE_FORM;
        /* A record goes out whole, behind one control character. */
        if (record.size > DOWNLOAD_VALUE_MAX - 1) return POS_IMAGE_LIMIT;
        table->records[table->record_count++] = record;
    }
    table->list_count++;
    return POS_OK;
}

static pos_status read_image(pos_download_table *table, size_t size)
{
    if (size < 12) return POS_IMAGE_FORM;
    if (pos_crc32c(0, table->image, size - 4) != pos_load_u32_le(table->image + size - 4)) {
        return POS_IMAGE_FORM;
    }
    pos_reader reader = pos_reader_over(table->image, size - 4);
    pos_slice magic;
    uint32_t count = 0;
    if (!pos_reader_take(&reader, 4, &magic)) return POS_IMAGE_FORM;
    if (!pos_equal(magic.data, "PDL1", 4)) return POS_IMAGE_FORM;
    if (!pos_reader_u32_le(&reader, &count)) return POS_IMAGE_FORM;
    for (uint32_t index = 0; index < count; index++) {
        const pos_status status = read_list(table, &reader);
        if (status != POS_OK) return status;
    }
    return pos_reader_left(&reader) == 0 ? POS_OK : POS_IMAGE_FORM;
}

pos_status downloads_open(const uint8_t *image, size_t size, pos_download_table **table_out)
{
    assert(table_out != NULL);
    assert(image != NULL || size == 0);
    if (size > IMAGE_SIZE_MAX) return POS_IMAGE_LIMIT;
    pos_download_table *table = calloc(1, sizeof *table);
    if (table == NULL) return POS_MEMORY;
    if (size > 0) {
        table->image = malloc(size);
        if (table->image == NULL) {
            downloads_close(table);
            return POS_MEMORY;
        }
        pos_copy(table->image, image, size);
        const pos_status status = read_image(table, size);
        if (status != POS_OK) {
            downloads_close(table);
            return status;
        }
    }
    *table_out = table;
    return POS_OK;
}

void downloads_close(pos_download_table *table)
{
    if (table == NULL) return;
    free(table->image);
    free(table);
}

/* ---- serving ---------------------------------------------------------------------------------------- */

static const download_list *list_of(const pos_download_table *table, uint16_t code)
{
    for (uint32_t index = 0; index < table->list_count; index++) {
        if (table->lists[index].code == code) return &table->lists[index];
    }
    return NULL;
}

/* How many records the terminal has already: ASCII digits after an optional leading '1' of three. */
static uint32_t count_asked(const uint8_t *asked, size_t size, bool has_mark)
{
    const size_t skipped = has_mark && size > 1 ? 1 : 0;
    if (size <= skipped || size - skipped > 6) return 0;
    if (!pos_ascii_is_digits(asked + skipped, size - skipped)) return 0;
    return (uint32_t)pos_ascii_number(asked + skipped, size - skipped);
}

/* One BER-TLV object of two tag bytes from the reader; false at the end or where it is malformed. */
static bool next_object(pos_reader *reader, uint16_t *tag_out, pos_slice *object_out)
{
    const uint8_t *from = reader->data + reader->offset;
    pos_slice tag;
    uint8_t length = 0;
    uint8_t byte = 0;
    size_t size = 0;
    if (!pos_reader_take(reader, 2, &tag) || !pos_reader_u8(reader, &length)) return false;
    size = length;
    if (length > 0x82 || length == 0x80) return false;
    if (length > 0x80) {
        size = 0;
        for (unsigned index = 0; index < length - 0x80U; index++) {
            if (!pos_reader_u8(reader, &byte)) return false;
            size = size << 8 | byte;
        }
    }
    pos_slice value;
    if (!pos_reader_take(reader, size, &value)) return false;
    *tag_out = pos_load_u16_be(tag.data);
    *object_out = (pos_slice){.data = from, .size = (size_t)(value.data + value.size - from)};
    return true;
}

static void write_head(pos_slice record, pos_writer *writer)
{
    pos_reader reader = pos_reader_over(record.data, record.size);
    uint16_t tag = 0;
    pos_slice object;
    while (next_object(&reader, &tag, &object)) {
        const bool is_head = tag == TAG_AID || tag == TAG_CA_INDEX || tag == TAG_CA_EXPIRY;
        if (is_head) pos_writer_put(writer, object.data, object.size);
    }
}

static void answer_list(const pos_download_table *table, const download_list *list, uint32_t from,
                        bool is_heads, pos_writer *writer)
{
    if (from >= list->count) {
        pos_writer_u8(writer, '0');
        return;
    }
    const size_t mark = writer->size;
    pos_writer_u8(writer, '1');
    uint32_t index = from;
    while (index < list->count) {
        const pos_writer before = *writer;
        const pos_slice record = table->records[list->first + index];
        if (is_heads) {
            write_head(record, writer);
        } else {
            pos_writer_put(writer, record.data, record.size);
        }
        if (writer->is_full) {
            *writer = before; /* whole records only: the rest comes when it is asked for */
            break;
        }
        index++;
    }
    const bool is_all = index == list->count;
    writer->data[mark] = (uint8_t)(!is_all ? '2' : from > 0 ? '3' : '1');
}

static void answer_one(const pos_download_table *table, const download_list *list,
                       const uint8_t *asked, size_t asked_size, pos_writer *writer)
{
    for (uint32_t index = 0; asked_size > 0 && index < list->count; index++) {
        const pos_slice record = table->records[list->first + index];
        if (record.size < asked_size || !pos_equal(record.data, asked, asked_size)) continue;
        pos_writer_u8(writer, '1');
        pos_writer_put(writer, record.data, record.size);
        return;
    }
    pos_writer_u8(writer, '0');
}

uint32_t downloads_answer(const pos_download_table *table, uint16_t code, const uint8_t *asked,
                          size_t asked_size, uint8_t value_out[DOWNLOAD_VALUE_MAX])
{
    assert(table != NULL && value_out != NULL);
    assert(asked != NULL || asked_size == 0);
    const download_facts *facts = NULL;
    for (size_t index = 0; index < sizeof FACTS / sizeof FACTS[0]; index++) {
        if (FACTS[index].code == code) facts = &FACTS[index];
    }
    if (facts == NULL || facts->style == STYLE_DONE) return 0;
    pos_writer writer = pos_writer_over(value_out, DOWNLOAD_VALUE_MAX);
    const download_list none = {0};
    const download_list *list = list_of(table, facts->list);
    if (list == NULL) list = &none;
    if (facts->style == STYLE_ONE) {
        answer_one(table, list, asked, asked_size, &writer);
    } else if (facts->style == STYLE_WHOLE) {
        for (uint32_t index = 0; index < list->count; index++) {
            const pos_slice record = table->records[list->first + index];
            pos_writer_put(&writer, record.data, record.size);
        }
    } else {
        const bool is_heads = facts->style == STYLE_HEADS;
        answer_list(table, list, count_asked(asked, asked_size, is_heads), is_heads, &writer);
    }
    return (uint32_t)writer.size;
}
