/*
 * Key blocks: the working keys of a sign-on, wrapped under the TMK, with their check values.
 *
 *   001, 24   PIK 0-7     kcv 8-11    MAK 12-19                    kcv 20-23
 *   003, 40   PIK 0-15    kcv 16-19   MAK 20-27  zeros 28-35       kcv 36-39
 *   004, 60   as 003, then TDK 40-55  kcv 56-59
 *   005, 40   PIK 0-15    kcv 16-19   MAK 20-35                    kcv 36-39        SM4
 *   006, 60   as 005, then TDK 40-55  kcv 56-59                                     SM4
 *
 * A layout is data: a host that puts the MAK's check value at 28, or a prefix before the PIK, is
 * another layout. A block of another size than its layout is refused, never guessed at.
 */
#include <assert.h>

#include "mac/block.h"

#define PART(usage_, key_offset_, key_size_, kcv_offset_)                                     \
    {.usage = (usage_), .key_offset = (key_offset_), .key_size = (key_size_),                 \
     .kcv_offset = (kcv_offset_), .kcv_size = 4}

pos_status pos_key_block_layout_of(unsigned code, pos_key_block_layout *layout_out)
{
    static const pos_key_block_layout LAYOUTS[] = {
        [1] = {POS_CIPHER_DES, 24, 2, {PART(POS_KEY_PIK, 0, 8, 8), PART(POS_KEY_MAK, 12, 8, 20)}},
        [3] = {POS_CIPHER_DES, 40, 2,
               {PART(POS_KEY_PIK, 0, 16, 16), PART(POS_KEY_MAK, 20, 8, 36)}},
        [4] = {POS_CIPHER_DES, 60, 3,
               {PART(POS_KEY_PIK, 0, 16, 16), PART(POS_KEY_MAK, 20, 8, 36),
                PART(POS_KEY_TDK, 40, 16, 56)}},
        [5] = {POS_CIPHER_SM4, 40, 2,
               {PART(POS_KEY_PIK, 0, 16, 16), PART(POS_KEY_MAK, 20, 16, 36)}},
        [6] = {POS_CIPHER_SM4, 60, 3,
               {PART(POS_KEY_PIK, 0, 16, 16), PART(POS_KEY_MAK, 20, 16, 36),
                PART(POS_KEY_TDK, 40, 16, 56)}},
    };
    assert(layout_out != NULL);
    const size_t count = sizeof LAYOUTS / sizeof LAYOUTS[0];
    if (code >= count || LAYOUTS[code].part_count == 0) return POS_KEY_BLOCK;
    *layout_out = LAYOUTS[code];
    return POS_OK;
}

/* Marks the bytes [offset, offset + size) as taken; false where one is taken already or outside. */
static bool take(bool taken[POS_KEY_BLOCK_SIZE_MAX], size_t block_size, size_t offset, size_t size)
{
    if (offset + size > block_size) return false;
    for (size_t byte = offset; byte < offset + size; byte++) {
        if (taken[byte]) return false;
        taken[byte] = true;
    }
    return true;
}

pos_status pos_key_block_layout_check(const pos_key_block_layout *layout)
{
    assert(layout != NULL);
    bool taken[POS_KEY_BLOCK_SIZE_MAX] = {false};
    bool has_usage[POS_KEY_USAGE_COUNT] = {false};
    if (layout->size > POS_KEY_BLOCK_SIZE_MAX) return POS_ARGUMENT;
    if (layout->part_count == 0 || layout->part_count > POS_KEY_BLOCK_PARTS_MAX) return POS_ARGUMENT;
    if (layout->cipher != POS_CIPHER_DES && layout->cipher != POS_CIPHER_SM4) return POS_ARGUMENT;
    for (size_t index = 0; index < layout->part_count; index++) {
        const pos_key_block_part *part = &layout->parts[index];
        if (part->usage < POS_KEY_PIK || part->usage > POS_KEY_TDK) return POS_ARGUMENT;
        if (has_usage[part->usage]) return POS_ARGUMENT;
        has_usage[part->usage] = true;
        if (!pos_block_fits((pos_cipher)layout->cipher, part->key_size)) return POS_ARGUMENT;
        if (part->kcv_size > POS_KCV_SIZE) return POS_ARGUMENT;
        if (!take(taken, layout->size, part->key_offset, part->key_size)) return POS_ARGUMENT;
        if (!take(taken, layout->size, part->kcv_offset, part->kcv_size)) return POS_ARGUMENT;
    }
    return POS_OK;
}

size_t pos_key_block_random_size(const pos_key_block_layout *layout)
{
    size_t size = 0;
    for (size_t index = 0; index < layout->part_count; index++) {
        size += layout->parts[index].key_size;
    }
    return size;
}

static pos_status judge(const pos_key_block_layout *layout, const pos_key *tmk)
{
    if (pos_key_block_layout_check(layout) != POS_OK) return POS_ARGUMENT;
    if (tmk->size == 0) return POS_KEY_ABSENT;
    assert(tmk->usage == POS_KEY_TMK);
    if (tmk->cipher != layout->cipher) return POS_KEY_SIZE;
    return POS_OK;
}

static pos_key *slot_of(pos_working_keys *keys, uint8_t usage)
{
    if (usage == POS_KEY_PIK) return &keys->pik;
    if (usage == POS_KEY_MAK) return &keys->mak;
    assert(usage == POS_KEY_TDK);
    return &keys->tdk;
}

/* Random bytes as a key that may be used: odd parity, not weak. */
static void temper(uint8_t *key, size_t size)
{
    pos_key_set_odd_parity(key, size);
    for (size_t half = 0; half < size; half += 8) {
        if (pos_key_is_weak(key + half, 8)) key[half + 7] ^= 0xf0;
    }
}

pos_status pos_key_block_make(const pos_key_block_layout *layout, const pos_key *tmk,
                              const uint8_t *random, size_t random_size,
                              pos_working_keys *keys_out, uint8_t *block_out, size_t *size_out)
{
    assert(layout != NULL && tmk != NULL && random != NULL);
    assert(keys_out != NULL && block_out != NULL && size_out != NULL);
    pos_status status = judge(layout, tmk);
    if (status != POS_OK) return status;
    if (random_size < pos_key_block_random_size(layout)) return POS_ARGUMENT;

    pos_working_keys keys;
    uint8_t block[POS_KEY_BLOCK_SIZE_MAX];
    uint8_t clear[POS_KEY_SIZE_MAX];
    pos_zero(&keys, sizeof keys);
    pos_zero(block, sizeof block);
    for (size_t index = 0; index < layout->part_count && status == POS_OK; index++) {
        const pos_key_block_part *part = &layout->parts[index];
        pos_key *slot = slot_of(&keys, part->usage);
        pos_copy(clear, random, part->key_size);
        random += part->key_size;
        if (layout->cipher == POS_CIPHER_DES) temper(clear, part->key_size);
        status = pos_key_make((pos_key_usage)part->usage, (pos_cipher)layout->cipher, clear,
                              part->key_size, NULL, 0, slot);
        assert(status == POS_OK);
        status = pos_key_wrap(tmk, clear, part->key_size, block + part->key_offset);
        pos_copy(block + part->kcv_offset, slot->kcv, part->kcv_size);
    }
    if (status == POS_OK) {
        *keys_out = keys;
        pos_copy(block_out, block, layout->size);
        *size_out = layout->size;
    }
    pos_working_keys_wipe(&keys);
    pos_wipe(clear, sizeof clear);
    return status;
}

pos_status pos_key_block_open(const pos_key_block_layout *layout, const pos_key *tmk,
                              const uint8_t *block, size_t size, pos_working_keys *keys_out)
{
    assert(layout != NULL && tmk != NULL && keys_out != NULL);
    assert(block != NULL || size == 0);
    pos_status status = judge(layout, tmk);
    if (status != POS_OK) return status;
    if (size != layout->size) return POS_KEY_BLOCK;

    pos_working_keys keys;
    uint8_t clear[POS_KEY_SIZE_MAX];
    pos_zero(&keys, sizeof keys);
    for (size_t index = 0; index < layout->part_count && status == POS_OK; index++) {
        const pos_key_block_part *part = &layout->parts[index];
        status = pos_key_unwrap(tmk, block + part->key_offset, part->key_size, clear);
        if (status != POS_OK) break;
        status = pos_key_make((pos_key_usage)part->usage, (pos_cipher)layout->cipher, clear,
                              part->key_size, block + part->kcv_offset, part->kcv_size,
                              slot_of(&keys, part->usage));
    }
    if (status == POS_OK) *keys_out = keys;
    pos_working_keys_wipe(&keys);
    pos_wipe(clear, sizeof clear);
    return status;
}
