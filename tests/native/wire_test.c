/*
 * Goal: frames are cut and wrapped as their dialect's shape says, whatever arrives, and a length is
 * judged before its bytes are waited for.
 * Method: every length style, by altering the shape in a real image; every prefix and every
 * single-byte change of every vector that is a frame, in buffers of exactly their size.
 */
#include "paper.h"
#include "wire/wire.h"

#define SHAPE_OFFSET 128 /* of the frame's shape in an image: message/spec.c */

static pos_spec *shaped(uint8_t style, bool counts_all)
{
    size_t size;
    uint8_t *image = paper_image("unionpay-terminal", &size);
    image[SHAPE_OFFSET] = style;
    image[SHAPE_OFFSET + 1] = counts_all;
    if (style == POS_LENGTH_U8) pos_store_u32_le(image + SHAPE_OFFSET + 60, 250);
    paper_sum(image, size);
    pos_spec *spec = NULL;
    CHECK(pos_spec_open(image, size, &spec) == POS_OK);
    free(image);
    return spec;
}

static const uint8_t BODY[20] = {0x08, 0x20};

/* A frame as the shape writes it, in a block of exactly its size. */
static uint8_t *wrapped(const pos_spec *spec, size_t *size_out)
{
    uint8_t overhead[POS_FRAME_OVERHEAD_MAX];
    size_t size;
    CHECK(pos_frame_wrap(spec, NULL, 0, sizeof BODY, overhead, &size) == POS_OK);
    uint8_t *frame = malloc(size + sizeof BODY);
    CHECK(frame != NULL);
    memcpy(frame, overhead, size);
    memcpy(frame + size, BODY, sizeof BODY);
    *size_out = size + sizeof BODY;
    return frame;
}

static void test_every_length_style_is_written_and_read(void)
{
    static const size_t SIZES[POS_LENGTH_STYLE_COUNT] = {0, 1, 2, 2, 4, 2, 4};
    for (uint8_t style = 0; style < POS_LENGTH_STYLE_COUNT; style++) {
        for (int counts_all = 0; counts_all < 2; counts_all++) {
            pos_spec *spec = shaped(style, counts_all == 1);
            size_t size;
            uint8_t *data = wrapped(spec, &size);
            CHECK(size == SIZES[style] + 5 + 6 + sizeof BODY);
            pos_frame frame;
            CHECK(pos_frame_next(spec, data, size, &frame) == POS_OK);
            CHECK(frame.size == size);
            CHECK(frame.body_size == sizeof BODY);
            CHECK(pos_equal(frame.body, BODY, sizeof BODY));
            CHECK(frame.tpdu == data + SIZES[style]);
            CHECK(frame.header == frame.tpdu + 5 && frame.header_size == 6);
            free(data);
            pos_spec_close(spec);
        }
    }
}

static void test_every_proper_prefix_needs_more(void)
{
    for (uint8_t style = POS_LENGTH_U8; style < POS_LENGTH_STYLE_COUNT; style++) {
        pos_spec *spec = shaped(style, false);
        size_t size;
        uint8_t *data = wrapped(spec, &size);
        for (size_t prefix = 0; prefix < size; prefix++) {
            uint8_t *part = malloc(prefix + 1);
            memcpy(part, data, prefix);
            part = realloc(part, prefix > 0 ? prefix : 1);
            pos_frame frame = {.size = 77};
            CHECK(pos_frame_next(spec, part, prefix, &frame) == POS_NEED_MORE);
            CHECK(frame.size == 77); /* untouched */
            free(part);
        }
        free(data);
        pos_spec_close(spec);
    }
}

static void test_a_length_is_judged_before_its_bytes_are_waited_for(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    pos_frame frame;
    CHECK(pos_frame_next(spec, (const uint8_t *)"\x08\x00", 2, &frame) == POS_NEED_MORE);
    CHECK(pos_frame_next(spec, (const uint8_t *)"\x08\x01", 2, &frame) == POS_FRAME_OVERSIZE);
    CHECK(pos_frame_next(spec, (const uint8_t *)"\xff\xff", 2, &frame) == POS_FRAME_OVERSIZE);
    CHECK(pos_frame_next(spec, (const uint8_t *)"\x00\x14", 2, &frame) == POS_FRAME_UNDERSIZE);
    CHECK(pos_frame_next(spec, (const uint8_t *)"\x00\x15", 2, &frame) == POS_NEED_MORE);
    pos_spec_close(spec);
}

static void test_digits_of_a_length_must_be_digits(void)
{
    pos_frame frame;
    pos_spec *bcd = shaped(POS_LENGTH_BCD_2, false);
    CHECK(pos_frame_next(bcd, (const uint8_t *)"\x00\x3a", 2, &frame) == POS_FRAME_LENGTH);
    pos_spec_close(bcd);
    pos_spec *ascii = shaped(POS_LENGTH_ASCII_4, true);
    CHECK(pos_frame_next(ascii, (const uint8_t *)"00 1", 4, &frame) == POS_FRAME_LENGTH);
    CHECK(pos_frame_next(ascii, (const uint8_t *)"0003", 4, &frame) == POS_FRAME_UNDERSIZE);
    pos_spec_close(ascii);
}

static void test_a_reply_goes_back_where_its_request_came_from(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    static const uint8_t REQUEST[] =
        "\x00\x1f\x60\x01\x02\x03\x04\x61\x32\x00\x32\x00\x01"
        "\x08\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    pos_frame request;
    CHECK(pos_frame_next(spec, REQUEST, 33, &request) == POS_OK);
    uint8_t overhead[POS_FRAME_OVERHEAD_MAX];
    size_t size;
    CHECK(pos_frame_wrap(spec, &request, 0x0d, 100, overhead, &size) == POS_OK);
    CHECK(size == 13);
    CHECK(pos_equal(overhead, "\x00\x6f\x60\x03\x04\x01\x02\x61\x32\x0d\x32\x00\x01", 13));
    CHECK(pos_frame_wrap(spec, &request, 0, 2048 - 11, overhead, &size) == POS_OK);
    CHECK(pos_frame_wrap(spec, &request, 0, 2048 - 10, overhead, &size) == POS_FRAME_OVERSIZE);
    pos_spec_close(spec);
}

static void test_a_header_of_other_than_digits_is_refused_but_for_its_requirement(void)
{
    pos_spec *spec = paper_spec("unionpay-terminal");
    uint8_t data[33] =
        "\x00\x1f\x60\x01\x02\x03\x04\x61\x32\x00\x32\x00\x01\x08\x20";
    pos_frame frame;
    for (unsigned nibble = 0; nibble < 12; nibble++) {
        uint8_t changed[33];
        memcpy(changed, data, sizeof changed);
        changed[7 + nibble / 2] |= nibble % 2 == 0 ? 0xb0 : 0x0b;
        const pos_status wanted = nibble == 5 ? POS_OK : POS_FRAME_HEADER;
        CHECK(pos_frame_next(spec, changed, sizeof changed, &frame) == wanted);
    }
    /* Any two nibbles, with any values: judged together, one must not hide the other. */
    for (unsigned pair = 0; pair < 12 * 12 * 256; pair++) {
        const unsigned nibbles[2] = {pair / 256 / 12, pair / 256 % 12};
        const unsigned values[2] = {pair / 16 % 16, pair % 16};
        bool is_right = true;
        uint8_t changed[33];
        memcpy(changed, data, sizeof changed);
        for (unsigned at = 0; at < 2; at++) {
            uint8_t *byte = &changed[7 + nibbles[at] / 2];
            *byte = nibbles[at] % 2 == 0 ? (uint8_t)((*byte & 0x0f) | values[at] << 4)
                                         : (uint8_t)((*byte & 0xf0) | values[at]);
        }
        for (unsigned nibble = 0; nibble < 12; nibble++) {
            const uint8_t byte = changed[7 + nibble / 2];
            const unsigned value = nibble % 2 == 0 ? byte >> 4 : byte & 0x0f;
            if (nibble != 5 && value > 9) is_right = false;
        }
        const pos_status wanted = is_right ? POS_OK : POS_FRAME_HEADER;
        CHECK(pos_frame_next(spec, changed, sizeof changed, &frame) == wanted);
    }
    data[2] = 0x68;
    CHECK(pos_frame_next(spec, data, sizeof data, &frame) == POS_FRAME_TPDU);
    pos_spec_close(spec);
}

/* Whatever is given: a frame inside of it, or a status of frames. */
static void check_cut(const pos_spec *spec, const uint8_t *data, size_t size)
{
    pos_frame frame;
    const pos_status status = pos_frame_next(spec, data, size, &frame);
    if (status == POS_OK) {
        CHECK(frame.size <= size);
        CHECK(frame.body + frame.body_size == data + frame.size);
        return;
    }
    CHECK(status == POS_NEED_MORE || (status >= POS_FRAME_OVERSIZE && status <= POS_FRAME_HEADER));
}

static void check_vector(const paper_vector *vector, void *context)
{
    if (!vector->is_frame) return;
    pos_spec *spec = paper_spec(vector->dialect);
    uint8_t *data = malloc(vector->size);
    memcpy(data, vector->data, vector->size);
    const size_t head = vector->size < 16 ? vector->size : 16;
    for (size_t at = 0; at < head; at++) {
        for (unsigned value = 0; value < 256; value++) {
            data[at] = (uint8_t)value;
            check_cut(spec, data, vector->size);
        }
        data[at] = vector->data[at];
    }
    free(data);
    for (size_t size = 1; size <= vector->size; size++) {
        uint8_t *prefix = malloc(size);
        memcpy(prefix, vector->data, size);
        check_cut(spec, prefix, size);
        free(prefix);
    }
    pos_spec_close(spec);
    ++*(unsigned *)context;
}

static void test_every_prefix_and_change_of_every_vector_is_cut_or_refused(void)
{
    unsigned count = 0;
    paper_each("message", check_vector, &count);
    CHECK(count >= 20);
}

int main(void)
{
    test_every_length_style_is_written_and_read();
    test_every_proper_prefix_needs_more();
    test_a_length_is_judged_before_its_bytes_are_waited_for();
    test_digits_of_a_length_must_be_digits();
    test_a_reply_goes_back_where_its_request_came_from();
    test_a_header_of_other_than_digits_is_refused_but_for_its_requirement();
    test_every_prefix_and_change_of_every_vector_is_cut_or_refused();
    return 0;
}
