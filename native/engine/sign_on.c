/*
 * Working keys: made at sign-on, wrapped under the terminal's master key, kept in the key store.
 *
 *   1. keyring_make    random keys ─▶ block for the answer; put into the store, in memory
 *   2. staged          the entry keeps the block's check values, and zeros where the keys were
 *   3. keyring_commit  the store is on disk: before the page, so a page never names lost keys
 *   4. page commit     the answer leaves
 *
 * A crash between 3 and 4 leaves keys that no terminal was told of; the key before them still
 * stands in the store until a message under the newest one has come (keyring_confirm), so the
 * terminal goes on as if its sign-on had not been heard, which is so.
 */
#include <assert.h>
#include <stdlib.h>

#include "engine/inside.h"

#define RANDOM_SIZE_MAX 128

struct pos_keyring {
    pos_keystore *store;
    bool is_changed; /* something was put and not committed */
};

pos_status keyring_open(pos_engine *engine, const char *path)
{
    assert(engine != NULL && path != NULL);
    pos_keyring *keyring = calloc(1, sizeof *keyring);
    if (keyring == NULL) return POS_MEMORY;
    const pos_status status =
        pos_keystore_open(path, engine->siv_key, engine->terminals_max, &keyring->store);
    if (status != POS_OK) {
        free(keyring);
        return status;
    }
    engine->keyring = keyring;
    const size_t damaged = pos_keystore_damaged(keyring->store);
    if (damaged > 0) pos_engine_log(engine, "error", "keys_damaged", "terminals=%zu", damaged);
    return POS_OK;
}

void keyring_close(pos_engine *engine)
{
    if (engine->keyring == NULL) return;
    pos_keystore_close(engine->keyring->store);
    free(engine->keyring);
    engine->keyring = NULL;
}

/*
 * The key to use: the record's own; or a copy of eight bytes that are doubled, where the algorithm
 * takes sixteen: what terminals do. NULL: it serves another algorithm, and the terminal must sign
 * on again; or there is none.
 */
static const pos_key *fitted(pos_slot *slot, const pos_key *key, pos_mac_algorithm algorithm,
                             pos_key *held)
{
    if (key->size == 0) return NULL;
    if (pos_mac_key_fits(algorithm, key->size)) return key;
    if (key->size != 8 || !pos_mac_key_fits(algorithm, 16)) return NULL;
    *held = *key;
    pos_copy(held->bytes + 8, held->bytes, 8);
    held->size = 16;
    slot->has_held = true;
    return held;
}

const pos_terminal_keys *keyring_record(const pos_engine *engine, const pos_terminal *terminal)
{
    return pos_keystore_find(engine->keyring->store, terminal->tid, terminal->mid);
}

void keyring_find(pos_slot *slot, pos_mac_algorithm algorithm)
{
    assert(slot->key == NULL && slot->key_old == NULL);
    if (slot->keys == NULL) return;
    slot->key = fitted(slot, &slot->keys->mak, algorithm, &slot->held[0]);
    slot->key_old = fitted(slot, &slot->keys->mak_old, algorithm, &slot->held[1]);
}

/*
 * The record is about to change, and messages of the wave in hand lean on it: they were verified
 * under the keys as they were, and are answered under those. Rare: a sign-on, or the first message
 * after one.
 */
static void detach(pos_engine *engine, const pos_terminal_keys *record)
{
    for (size_t index = 0; index < engine->wave_count; index++) {
        pos_slot *slot = &engine->slots[index];
        if (slot->keys != record || slot->key == NULL) continue;
        if (slot->key != &slot->held[0] && slot->key != &slot->held[1]) {
            slot->held[0] = *slot->key;
            slot->key = &slot->held[0];
            slot->has_held = true;
        }
        slot->key_old = NULL; /* the MACs of the wave are judged: nobody asks for it now */
    }
}

/* Where a sign-on of this network code wants its keys: the dialect says, else the usual layouts. */
static pos_status layout_of(const pos_engine *engine, unsigned network,
                            pos_key_block_layout *layout_out)
{
    const pos_spec_key_block *block = pos_spec_key_block_find(engine->spec, network);
    if (block == NULL) return pos_key_block_layout_of(network, layout_out);
    const pos_spec_key keys[] = {block->pik, block->mak, block->tdk};
    const uint8_t usages[] = {POS_KEY_PIK, POS_KEY_MAK, POS_KEY_TDK};
    pos_key_block_layout layout = {.cipher = block->cipher, .size = (uint8_t)block->size};
    if (block->size > POS_KEY_BLOCK_SIZE_MAX) return POS_KEY_BLOCK;
    for (size_t index = 0; index < sizeof usages; index++) {
        if (keys[index].size == 0) continue;
        layout.parts[layout.part_count++] = (pos_key_block_part){
            .usage = usages[index],
            .key_offset = (uint8_t)keys[index].offset,
            .key_size = (uint8_t)keys[index].size,
            .kcv_offset = (uint8_t)keys[index].check_offset,
            .kcv_size = (uint8_t)keys[index].check_size,
        };
    }
    *layout_out = layout;
    return pos_key_block_layout_check(layout_out);
}

bool keyring_has_place(const pos_engine *engine)
{
    return pos_spec_role_field(engine->spec, POS_ROLE_PRIVATE_62) != 0;
}

pos_status keyring_make(pos_engine *engine, const pos_slot *slot, sign_on_block *block_out)
{
    assert(slot->terminal != NULL && block_out != NULL);
    pos_key_block_layout layout;
    pos_status status = layout_of(engine, slot->request.network, &layout);
    if (status != POS_OK) return status;
    uint8_t random[RANDOM_SIZE_MAX];
    const size_t random_size = pos_key_block_random_size(&layout);
    if (random_size > sizeof random) return POS_KEY_BLOCK;
    pos_working_keys keys;
    size_t size = 0;
    status = pos_random_fill(random, random_size);
    if (status == POS_OK) {
        status = pos_key_block_make(&layout, &slot->terminal->tmk, random, random_size, &keys,
                                    block_out->bytes, &size);
    }
    pos_wipe(random, sizeof random);
    if (status != POS_OK) return status;
    if (slot->keys != NULL) detach(engine, slot->keys);
    status = pos_keystore_put(engine->keyring->store, slot->terminal->tid, slot->terminal->mid,
                              &keys);
    pos_working_keys_wipe(&keys);
    if (status != POS_OK) return status;
    engine->keyring->is_changed = true;
    block_out->size = (uint32_t)size;
    pos_zero(block_out->kept, sizeof block_out->kept);
    for (size_t index = 0; index < layout.part_count; index++) {
        const pos_key_block_part *part = &layout.parts[index];
        pos_copy(block_out->kept + part->kcv_offset, block_out->bytes + part->kcv_offset,
                 part->kcv_size);
    }
    return POS_OK;
}

void keyring_confirm(pos_engine *engine, const pos_slot *slot)
{
    const pos_terminal_keys *keys = slot->keys;
    assert(keys != NULL && slot->key != NULL);
    if (keys->mak_old.size == 0) return;
    /* A sign-on earlier in this very wave may have made a newer key than the one that verified. */
    if (!pos_equal_constant_time(keys->mak.bytes, slot->key->bytes, keys->mak.size)) return;
    detach(engine, keys);
    pos_keystore_retire_old_mak(engine->keyring->store, slot->terminal->tid, slot->terminal->mid);
}

pos_status keyring_commit(pos_engine *engine)
{
    if (!engine->keyring->is_changed) return POS_OK;
    const pos_status status = pos_keystore_commit(engine->keyring->store);
    if (status == POS_OK) engine->keyring->is_changed = false;
    return status;
}

bool keyring_fits(const pos_engine *engine, const pos_terminal *terminal, const uint8_t *kept,
                  size_t size)
{
    const pos_terminal_keys *keys =
        pos_keystore_find(engine->keyring->store, terminal->tid, terminal->mid);
    if (keys == NULL) return false;
    /* The check value of the MAK stands somewhere in the block: the dialect may have changed since,
     * so every place is looked at. Four bytes in a block of sixty: chance is one in 2^26. */
    for (size_t offset = 0; offset + POS_KCV_SIZE <= size; offset++) {
        if (pos_equal(kept + offset, keys->mak.kcv, POS_KCV_SIZE)) return true;
        if (keys->mak_old.size > 0
            && pos_equal(kept + offset, keys->mak_old.kcv, POS_KCV_SIZE)) {
            return true;
        }
    }
    return false;
}
