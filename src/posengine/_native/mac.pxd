"""Card: MACs, key slots, key blocks and seals of the core. Nothing is borrowed."""

from libc.stdint cimport uint8_t
from posengine._native.status cimport pos_status

cdef extern from "posengine/mac.h" nogil:
    ctypedef int pos_mac_algorithm
    ctypedef int pos_cipher
    ctypedef int pos_key_usage
    int POS_MAC_NONE
    int POS_MAC_ALGORITHM_COUNT
    int POS_MAC_SIZE_MAX
    int POS_KCV_SIZE
    int POS_KEY_SIZE_MAX
    int POS_KEY_BLOCK_SIZE_MAX
    int POS_KEY_BLOCK_PARTS_MAX

    ctypedef struct pos_key:
        uint8_t usage
        uint8_t cipher
        uint8_t size
        uint8_t kcv[4]
        uint8_t bytes[32]

    ctypedef struct pos_key_block_part:
        uint8_t usage
        uint8_t key_offset
        uint8_t key_size
        uint8_t kcv_offset
        uint8_t kcv_size

    ctypedef struct pos_key_block_layout:
        uint8_t cipher
        uint8_t size
        uint8_t part_count
        pos_key_block_part parts[3]

    ctypedef struct pos_working_keys:
        pos_key pik
        pos_key mak
        pos_key tdk

    pos_mac_algorithm pos_mac_algorithm_of(const char *name)
    const char *pos_mac_algorithm_name(pos_mac_algorithm algorithm)
    bint pos_mac_key_fits(pos_mac_algorithm algorithm, size_t key_size)
    pos_status pos_mac_compute(pos_mac_algorithm algorithm, const uint8_t *key, size_t key_size,
                               const uint8_t *covered, size_t covered_size, uint8_t *mac_out,
                               size_t *mac_size_out)
    bint pos_mac_equal(const uint8_t *ours, const uint8_t *theirs, size_t size)
    pos_status pos_cipher_encrypt(pos_cipher cipher, const uint8_t *key, size_t key_size,
                                  const uint8_t *data, size_t size, uint8_t *out)
    pos_status pos_cipher_decrypt(pos_cipher cipher, const uint8_t *key, size_t key_size,
                                  const uint8_t *data, size_t size, uint8_t *out)
    pos_status pos_key_make(pos_key_usage usage, pos_cipher cipher, const uint8_t *data,
                            size_t size, const uint8_t *kcv, size_t kcv_size, pos_key *key_out)
    void pos_key_wipe(pos_key *key)
    pos_status pos_key_check_value(pos_cipher cipher, const uint8_t *key, size_t key_size,
                                   uint8_t *kcv_out)
    void pos_key_set_odd_parity(uint8_t *key, size_t size)
    bint pos_key_is_weak(const uint8_t *key, size_t size)
    pos_status pos_key_block_layout_of(unsigned code, pos_key_block_layout *layout_out)
    size_t pos_key_block_random_size(const pos_key_block_layout *layout)
    pos_status pos_key_block_layout_check(const pos_key_block_layout *layout)
    pos_status pos_key_block_make(const pos_key_block_layout *layout, const pos_key *tmk,
                                  const uint8_t *random, size_t random_size,
                                  pos_working_keys *keys_out, uint8_t *block_out,
                                  size_t *size_out)
    pos_status pos_key_block_open(const pos_key_block_layout *layout, const pos_key *tmk,
                                  const uint8_t *block, size_t size, pos_working_keys *keys_out)
    void pos_working_keys_wipe(pos_working_keys *keys)
    void pos_secret_seal(const uint8_t *key, const uint8_t *associated, size_t associated_size,
                         const uint8_t *plain, size_t plain_size, uint8_t *sealed_out)
    pos_status pos_secret_open(const uint8_t *key, const uint8_t *associated,
                               size_t associated_size, const uint8_t *sealed,
                               size_t sealed_size, uint8_t *plain_out)
    void pos_kdf(const uint8_t *master, const char *label, uint8_t *out, size_t size)


cdef class Key:
    cdef pos_key slot
