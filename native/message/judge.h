/*
 * Whether bytes are of their content, a run at a time: eight bytes a step in C11, and the classes that
 * wider paths look up. Yes or no; which byte is at fault is value.c's to find.
 *
 *   pairs        two digits a byte, both 0 to 9
 *   characters   every byte of one of the classes asked for
 */
#ifndef POS_MESSAGE_JUDGE_H
#define POS_MESSAGE_JUDGE_H

#include "bytes/bytes.h"

/* What a character may be part of; index: the character in ASCII, or a byte of GB 18030. */
#define POS_IS_DIGIT 0x01U
#define POS_IS_LETTER 0x02U
#define POS_IS_BLANK 0x04U
#define POS_IS_PRINTABLE 0x08U
#define POS_IS_HIGH 0x10U /* 80 to FE */
#define POS_IS_TRACK 0x20U
#define POS_IS_HEX 0x40U
#define POS_IS_SIGN 0x80U /* C and D, before an amount */

extern const uint8_t pos_character_classes[256]; /* value.c */
/* The classes that hold the characters of a content: value.c. */
uint8_t pos_classes_of(uint8_t content, uint8_t encoding);

/* Index: a byte of two digits. What they say, or 80, which no digits say: value.c. */
extern const uint8_t pos_pair_values[256];

#define POS_EACH_BYTE 0x0101010101010101U

/* A word of digits, two a byte: not 0 where a nibble is above 9. */
static inline uint64_t pos_pairs_bad(uint64_t word)
{
    const uint64_t low = word & (0x0f * POS_EACH_BYTE);
    const uint64_t high = (word >> 4) & (0x0f * POS_EACH_BYTE);
    return ((low + 6 * POS_EACH_BYTE) | (high + 6 * POS_EACH_BYTE)) & (0xf0 * POS_EACH_BYTE);
}

/* A word of characters: not 0 where one is no digit. */
static inline uint64_t pos_digits_bad(uint64_t word)
{
    const uint64_t low = word & (0x0f * POS_EACH_BYTE);
    const uint64_t high = (word & (0xf0 * POS_EACH_BYTE)) ^ (0x30 * POS_EACH_BYTE);
    return high | ((low + 6 * POS_EACH_BYTE) & (0xf0 * POS_EACH_BYTE));
}

/* The same of 20 to 7E. */
static inline uint64_t pos_printables_bad(uint64_t word)
{
    const uint64_t low = word & (0x7f * POS_EACH_BYTE);
    const uint64_t is_below = ~(low + 0x60 * POS_EACH_BYTE); /* below 20: no carry into bit 7 */
    return (word | is_below | (low + POS_EACH_BYTE)) & (0x80 * POS_EACH_BYTE);
}

/* Eight bytes or fewer, and zeros above them. */
static inline uint64_t pos_bytes_word(const uint8_t *data, size_t size)
{
    if (size >= 8) return pos_load_u64_le(data);
    if (size >= 4) { /* two words that overlap */
        const uint64_t high = pos_load_u32_le(data + size - 4);
        return pos_load_u32_le(data) | high << 8 * (size - 4);
    }
    if (size == 0) return 0;
    const uint64_t middle = data[size / 2];
    const uint64_t last = data[size - 1];
    return data[0] | middle << 8 * (size / 2) | last << 8 * (size - 1);
}

static inline bool pos_pairs_hold(const uint8_t *data, size_t size)
{
    uint64_t bad = 0;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) bad |= pos_pairs_bad(pos_load_u64_le(data + at));
    if (at < size) bad |= pos_pairs_bad(pos_bytes_word(data + at, size - at));
    return bad == 0;
}

/* The same of `units` digits, the first one in the low nibble of the first byte where the count is
 * odd and they lie at the right. The nibble that fills is not judged. */
static inline bool pos_digits_hold(const uint8_t *data, uint32_t units, bool is_right)
{
    const uint32_t size = (units + 1) / 2;
    if (units % 2 == 0) return pos_pairs_hold(data, size);
    if (is_right) return (data[0] & 0x0fU) <= 9 && pos_pairs_hold(data + 1, size - 1);
    return data[size - 1] >> 4 <= 9 && pos_pairs_hold(data, size - 1);
}

static inline bool pos_characters_hold(const uint8_t *data, size_t size, uint8_t allowed)
{
    uint64_t bad = 0;
    size_t at = 0;
    if (size >= 8 && allowed == POS_IS_DIGIT) {
        for (; at + 8 <= size; at += 8) bad |= pos_digits_bad(pos_load_u64_le(data + at));
        return (bad | pos_digits_bad(pos_load_u64_le(data + size - 8))) == 0;
    }
    if (size >= 8 && allowed == POS_IS_PRINTABLE) {
        for (; at + 8 <= size; at += 8) bad |= pos_printables_bad(pos_load_u64_le(data + at));
        return (bad | pos_printables_bad(pos_load_u64_le(data + size - 8))) == 0;
    }
    bool holds = true;
    for (; at < size; at++) holds &= (pos_character_classes[data[at]] & allowed) != 0;
    return holds;
}

#endif
