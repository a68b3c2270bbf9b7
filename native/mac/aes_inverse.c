/*
 * AES backwards (FIPS 197, 5.3), one block: what opens an account number, now and then. One way
 * alone, without tables, whatever path the key was prepared for.
 *
 * The S-box is S(x) = A(1/x), A affine; backwards it is 1/A'(x), A' undoing A. The circuit that there
 * is computes S, and A'(S(y)) = 1/y: so S'(x) = A'(S(A'(x))), and no second circuit is needed.
 */
#include <assert.h>

#include "mac/aes.h"
#include "mac/sbox.h"

/* FIPS 197, 5.3.2: what undoes the affine map of 5.1.1. */
static void undo_affine(uint8_t state[16])
{
    for (size_t index = 0; index < 16; index++) {
        const unsigned byte = state[index];
        const unsigned turned = (byte << 1 | byte >> 7) ^ (byte << 3 | byte >> 5)
                                ^ (byte << 6 | byte >> 2);
        state[index] = (uint8_t)(turned ^ 0x05U);
    }
}

static void unsubstitute(uint8_t state[16])
{
    undo_affine(state);
    pos_sbox_aes(state);
    undo_affine(state);
}

static void unshift_rows(uint8_t state[16])
{
    uint8_t shifted[16];
    for (size_t index = 0; index < 16; index++) shifted[(5 * index) % 16] = state[index];
    pos_copy(state, shifted, sizeof shifted);
    pos_wipe(shifted, sizeof shifted);
}

static unsigned doubled(unsigned byte)
{
    return ((byte << 1) ^ ((byte >> 7) * 0x11bU)) & 0xffU;
}

/* MixColumns backwards is MixColumns after a first step that adds 4 times the byte opposite and
 * itself: (0e 0b 0d 09) = (02 03 01 01) * (05 00 04 00). */
static void unmix_columns(uint8_t state[16])
{
    for (size_t column = 0; column < 16; column += 4) {
        uint8_t *at = state + column;
        const unsigned even = doubled(doubled((unsigned)(at[0] ^ at[2])));
        const unsigned odd = doubled(doubled((unsigned)(at[1] ^ at[3])));
        const unsigned bytes[4] = {at[0] ^ even, at[1] ^ odd, at[2] ^ even, at[3] ^ odd};
        const unsigned all = bytes[0] ^ bytes[1] ^ bytes[2] ^ bytes[3];
        for (size_t row = 0; row < 4; row++) {
            const unsigned pair = bytes[row] ^ bytes[(row + 1) % 4];
            at[row] = (uint8_t)(bytes[row] ^ all ^ doubled(pair));
        }
    }
}

static void add_round_key(uint8_t state[16], const uint8_t round_key[16])
{
    for (size_t index = 0; index < 16; index++) state[index] ^= round_key[index];
}

void pos_aes_decrypt(const pos_aes_key *key, const uint8_t block[16], uint8_t out[16])
{
    assert(key->rounds == 10 || key->rounds == 12 || key->rounds == 14);
    uint8_t state[16];
    pos_copy(state, block, sizeof state);
    add_round_key(state, key->round_keys[key->rounds]);
    for (size_t round = (size_t)key->rounds - 1; round > 0; round--) {
        unshift_rows(state);
        unsubstitute(state);
        add_round_key(state, key->round_keys[round]);
        unmix_columns(state);
    }
    unshift_rows(state);
    unsubstitute(state);
    add_round_key(state, key->round_keys[0]);
    pos_copy(out, state, sizeof state);
    pos_wipe(state, sizeof state);
}
