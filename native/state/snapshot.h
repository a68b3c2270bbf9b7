/*
 * A snapshot of the state as a file: what save.c writes and load.c reads. Only they include this.
 *
 *   ┌────────┬─────────────┬───────────┬──────────┬─── ─ ─ ┬───────────┐
 *   │ header │ chunk table │ terminals │ postings │  ...   │ by_repeat │
 *   │ 4,096  │ 8 a chunk   │ the used parts of the tables, as they lie in memory      │
 *   └────────┴─────────────┴───────────┴──────────┴─── ─ ─ ┴───────────┘
 *
 * Slots are numbers, so a table means the same wherever it lies. Every part begins at a multiple of
 * 4,096 and is cut into chunks of 1 MiB, the last shorter; the table has each one's CRC-32C, or says
 * that the chunk is all zero and not written. All numbers little-endian.
 *
 *   offset size  header
 *        0    8  magic "POSSTATE"
 *        8    4  CRC-32C of everything from offset 12 to the end of the chunk table
 *       12    4  format version
 *       16    4  fold version: another fold would have come to another state
 *       20    4  chunk size
 *       24    8  size of the file
 *       32    8  sequence of the last entry folded in
 *       40    8  first sequence that the journal kept when this was taken
 *       48   16  journal id
 *       64   32  digest of the page that ends with the sequence
 *       96    8  taken at, UTC ns
 *      104   16  windows of repeats and postings, ns
 *      120   24  sizes of the four records and of a cell, count of kinds
 *      144   64  pools of terminals, postings, repeats, marks: max, high, taken, free
 *      208   20  masks of the five indexes
 *      228    4  marks of TIDs that have made no keys
 *      232   16  build, text padded with zeros
 *      248       zeros
 */
#ifndef POS_STATE_SNAPSHOT_H
#define POS_STATE_SNAPSHOT_H

#include "state/tables.h"

#define SNAPSHOT_VERSION 1U
/* Raise it with every change of what fold.c or state.c make of an entry: older snapshots are then no
 * longer what a fold would come to. */
#define SNAPSHOT_FOLD_VERSION 1U
#define SNAPSHOT_HEADER 4096U
#define SNAPSHOT_CHUNK (UINT32_C(1) << 20)
#define SNAPSHOT_PART_COUNT 9
#define SNAPSHOT_POSTINGS 1    /* numbers of parts */
#define SNAPSHOT_BY_SEQUENCE 6
#define SNAPSHOT_POOL_COUNT 4
#define SNAPSHOT_INDEX_COUNT 5
#define SNAPSHOT_MAGIC "POSSTATE"
#define SNAPSHOT_PATH_MAX 4096

typedef struct snapshot_part {
    uint8_t *data; /* of the state in memory */
    uint64_t size;
    uint64_t offset; /* in the file */
    uint32_t chunks;
} snapshot_part;

typedef struct snapshot_plan {
    snapshot_part parts[SNAPSHOT_PART_COUNT];
    uint32_t chunks;
    uint64_t table_size; /* of the header and the chunk table, to the next 4,096 */
    uint64_t file_size;
} snapshot_plan;

/* Where everything lies, by the state's pools and masks. */
void snapshot_plan_of(const pos_state *state, snapshot_plan *plan_out);
/* A chunk by its number over all parts: its bytes in memory and its place in the file. */
uint32_t snapshot_chunk(const snapshot_plan *plan, uint32_t number, uint8_t **data_out,
                        uint64_t *offset_out);
/* The build and layout that this program has, into the header's places. */
void snapshot_layout(uint8_t header[SNAPSHOT_HEADER]);

#endif
