/*
 * What bytes mean: slices, a reader and a writer that never pass the end, BCD, EBCDIC, hex,
 * CRC32C, little- and big-endian numbers. Every other room reads and writes bytes through here.
 *
 *   reader.c   bounded reading        writer.c   bounded writing
 *   digits.c   BCD, ASCII, hex        ebcdic.c   code page 500 <-> ASCII
 *   crc32c.c   Castagnoli checksum    wipe.c     wipes, comparisons in constant time
 *   random.c   keys and identities    inline.h   numbers, copies, zeroes: no call for few bytes
 */
#ifndef POS_BYTES_H
#define POS_BYTES_H

#include "bytes/inline.h"
#include "status/status.h"

typedef struct pos_slice {
    const uint8_t *data;
    size_t size;
} pos_slice;

/* ---- reader: takes from the front of a slice ----------------------------------------------- */
typedef struct pos_reader {
    const uint8_t *data;
    size_t size;
    size_t offset; /* bytes taken so far */
} pos_reader;

pos_reader pos_reader_over(const uint8_t *data, size_t size);
size_t pos_reader_left(const pos_reader *reader);
/* False, and nothing taken, where fewer than `size` bytes are left. */
bool pos_reader_take(pos_reader *reader, size_t size, pos_slice *slice_out);
bool pos_reader_u8(pos_reader *reader, uint8_t *value_out);
bool pos_reader_u16_le(pos_reader *reader, uint16_t *value_out);
bool pos_reader_u32_le(pos_reader *reader, uint32_t *value_out);
bool pos_reader_u64_le(pos_reader *reader, uint64_t *value_out);

/* ---- writer: appends to a buffer of fixed size ------------------------------------------------- */
typedef struct pos_writer {
    uint8_t *data;
    size_t capacity;
    size_t size;
    bool is_full; /* something did not fit; everything after it was dropped too */
} pos_writer;

pos_writer pos_writer_over(uint8_t *data, size_t capacity);
void pos_writer_put(pos_writer *writer, const void *from, size_t size);
void pos_writer_fill(pos_writer *writer, uint8_t byte, size_t count);
void pos_writer_u8(pos_writer *writer, uint8_t value);
void pos_writer_u16_le(pos_writer *writer, uint16_t value);
void pos_writer_u32_le(pos_writer *writer, uint32_t value);
void pos_writer_u64_le(pos_writer *writer, uint64_t value);
void pos_writer_u16_be(pos_writer *writer, uint16_t value);

/* ---- digits ------------------------------------------------------------------------------------ */
/* True where every one of the `count` nibbles from nibble `first` on is 0 to 9. */
bool pos_bcd_is_digits(const uint8_t *bcd, size_t first, size_t count);
/* `count` nibbles from nibble `first` on as a number; at most 18, judged before. */
uint64_t pos_bcd_number(const uint8_t *bcd, size_t first, size_t count);
/* `count` nibbles as ASCII; 10 to 15 become ":;<=>?" so that track 2's D is '='. */
void pos_bcd_to_ascii(const uint8_t *bcd, size_t first, size_t count, char *ascii_out);
/* The reverse; `first` is the nibble to begin at, other nibbles are left as they are. */
void pos_bcd_from_ascii(const char *ascii, size_t count, uint8_t *bcd, size_t first);
/* A number as BCD, right aligned, zero filled, in `size` bytes (2 * size digits). */
void pos_bcd_from_number(uint64_t value, uint8_t *bcd, size_t size);
bool pos_ascii_is_digits(const uint8_t *text, size_t size);
uint64_t pos_ascii_number(const uint8_t *text, size_t size); /* at most 18 digits, judged before */
void pos_ascii_from_number(uint64_t value, char *text, size_t size); /* zero filled, no NUL */
/* Upper-case hex, two characters a byte, no NUL. */
void pos_hex_from_bytes(const uint8_t *bytes, size_t size, char *hex_out);
/* False where a character is not hex. `size` is of `bytes_out`; hex has twice as many. */
bool pos_hex_to_bytes(const char *hex, uint8_t *bytes_out, size_t size);

uint8_t pos_ebcdic_from_ascii(uint8_t character); /* 0x6F, '?', where there is none */
uint8_t pos_ebcdic_to_ascii(uint8_t character);   /* 0x00 where there is none */

/* ---- sums, copies, wipes --------------------------------------------------------------------------- */
/* CRC-32C (Castagnoli) as in RFC 3720: pass 0 first, the last result to go on. */
uint32_t pos_crc32c(uint32_t crc, const void *data, size_t size);
/* The same, a bit at a time: the oracle of the one above. */
uint32_t pos_crc32c_slow(uint32_t crc, const void *data, size_t size);

/* Zeroes, and the compiler may not leave it out. For secrets. */
void pos_wipe(void *at, size_t size);
/* Equal or not, in time that depends on `size` alone. */
bool pos_equal_constant_time(const void *left, const void *right, size_t size);

/* Bytes that nobody can foretell, from the kernel. Fails: SYSTEM, and what was filled is no key. */
pos_status pos_random_fill(void *at, size_t size);

#endif
