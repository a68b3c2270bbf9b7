/*
 * The journal room from the inside: what its files share. Nobody outside of the room includes it.
 *
 *   page.c      one page as bytes: the format, read, judged; form.h what it shares with
 *   assemble.c  one page written: rows to columns, sums
 *   stage.c     entries of the open page in memory; pages handed from thread to thread
 *   volume.c    one LMDB environment: made, opened, read, written
 *   prepare.c   the next volume, made and zeroed step by step
 *   ahead.c     when that is done, how fast, and by which thread
 *   files.c     the journal's directory: meta, writer's lock, published mark
 *   pan.c       account numbers, enciphered a page at a time, and opened
 *   arrow.c     pages as Arrow batches
 *   registry.c  which files this process has open
 *   recover.c   what a writer checks before it believes what it reads
 *   tail.c      the page that was flushed, and that a loss of power took out of its volume's tree
 *   journal.c   open, close, facts; read.c pages, entries, finding
 *   write.c     pages assembled and written; commit.c the commit, in this thread or in its own
 *   verify.c and snapshot.c what their names say
 */
#ifndef POS_JOURNAL_PARTS_H
#define POS_JOURNAL_PARTS_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "journal/journal.h"
#include "mac/mac.h"

#define POS_PATH_MAX 4096
#define POS_LMDB_PAGE 4096U    /* the only LMDB page size that is opened */
#define POS_LMDB_HEADER 16U    /* of an overflow run, before the value */
#define POS_BUFFERS 4U         /* open; sealed at a change of date; handed over; being committed */
#define POS_IMAGES 3U          /* assembled pages: being committed, waiting for that, being made */
#define POS_VOLUMES_MAX 65536U /* of one journal: 64 TiB at the default size */
#define POS_VOLUME_SIZE_MIN (256U * 1024U)
#define POS_VOLUME_SIZE_DEFAULT (1024U * 1024U * 1024U)
#define POS_PAGE_SIZE_DEFAULT (4U * 1024U * 1024U)
#define POS_PAGE_ENTRIES_DEFAULT 4096U
#define POS_PAGE_ENTRIES_MAX 65536U
/* LMDB's own pages that one commit may add beside the value: a new path of the tree (depth 4 at
 * most in a volume of 2^32 pages of values), the free list's, and as many again for safety. */
#define POS_COMMIT_PAGES_MAX 16U
#define POS_WORDS_SIZE POS_JOURNAL_WORDS

/* ---- page.c, assemble.c -------------------------------------------------------------------------- */
#define POS_PAGE_HEADER_SIZE 240U
#define POS_COLUMNS_MAX 64U /* in the directory of a page that is read */

typedef struct pos_page_facts {
    uint64_t first_sequence;
    int32_t business_date;
    int64_t staged_at_ns;
    int64_t committed_at_ns;
    uint64_t durable_before; /* the sequence known durable when this page was written */
    int64_t durable_at_ns;   /* when it became so; 0 where this run knows none */
    int64_t sent_at_ns;      /* when the last replies before this page left; 0 likewise */
    pos_decided_under under;
    uint8_t digest_before[32];
    const uint8_t *pan_ciphers; /* 16 bytes an entry: a column; NULL: the page has none */
} pos_page_facts;

/* Bytes of the stored value: n * 4096 - 16, so that a value ends where its LMDB pages end. */
size_t pos_page_value_size(uint32_t count, size_t heap_size, bool has_pans);
/* Writes a whole value; every byte of it, and its digest and CRC last. */
void pos_page_encode(uint8_t *value, size_t size, const pos_page_facts *facts,
                     const pos_entry *rows, uint32_t count, const uint8_t *heap, size_t heap_size);
/* Judges the form, not the sums; what it has passed can be read without further checks, but for the
 * heap slices. `words_out`, where not NULL, takes POS_WORDS_SIZE bytes of why not. */
pos_status pos_page_read(const uint8_t *value, size_t size, pos_page *page_out, char *words_out);
/* Judges CRC and digest too. */
pos_status pos_page_check(const pos_page *page, char *words_out);
/* A column of this build without a page: name, type, width. ARGUMENT past the last. */
pos_status pos_column_form(size_t index, pos_column *column_out);
int32_t pos_business_date(int64_t received_at_ns, int32_t zone_offset_minute,
                          uint32_t cutover_minute);
/* When the business date of that moment ends. */
int64_t pos_business_date_end_ns(int64_t received_at_ns, int32_t zone_offset_minute,
                                 uint32_t cutover_minute);

/* ---- stage.c ------------------------------------------------------------------------------------ */
typedef struct pos_buffer {
    pos_entry *rows;
    uint8_t *heap;
    size_t heap_size;
    uint32_t count;
    uint32_t lmdb_pages; /* what the value will take, kept as it grows */
    pos_page_facts facts;
} pos_buffer;

/* ---- pan.c -------------------------------------------------------------------------------------- */
#define POS_PAN_BLOCK 16U
typedef struct pos_pan_keeping {
    size_t map_size;
    pos_aes_key date_key; /* journal thread, of `date`; 0: none yet */
    int32_t date;
    uint8_t pan_key[32];
    uint8_t *blocks[POS_BUFFERS]; /* page_entries_max of them each; zeros where no entry has digits */
} pos_pan_keeping;

pos_status pos_pans_create(pos_journal *journal, const uint8_t master_key[32]);
/* Wipes what is left. */
void pos_pans_destroy(pos_journal *journal);
/* Enciphers the account numbers of a buffer in place; NULL where none are kept. */
const uint8_t *pos_pans_seal(pos_journal *journal, uint32_t number);
/* Zeroes the buffer's blocks: before it takes other entries, and where it never becomes a page. */
void pos_pans_forget(pos_journal *journal, uint32_t number);

/* ---- registry.c --------------------------------------------------------------------------------- */
typedef struct pos_registered {
    dev_t device;
    ino_t inode;
    struct pos_registered *next;
} pos_registered;

/* False where this process has the file open already. */
bool pos_registry_enter(pos_registered *file, dev_t device, ino_t inode);
void pos_registry_leave(pos_registered *file);
/* Grows by one in every child of a fork: a journal of another generation is the parent's. */
unsigned pos_registry_generation(void);

/* ---- volume.c ----------------------------------------------------------------------------------- */
typedef enum pos_volume_mode { POS_VOLUME_SEALED, POS_VOLUME_READ, POS_VOLUME_WRITE } pos_volume_mode;

typedef struct pos_volume {
    MDB_env *env;
    MDB_dbi database;
    MDB_txn *reading; /* reset between reads: holds no snapshot */
    MDB_cursor *cursor;
    uintptr_t map; /* where the file begins in memory, as its first value told; 0 before */
    uint64_t first_sequence; /* 0 while not known or empty */
    uint32_t number;
    bool is_writable;
    pos_registered registered;
} pos_volume;

typedef struct pos_value {
    const uint8_t *data; /* in the map; stays valid until the volume is closed */
    size_t size;
    uint64_t key;
} pos_value;

typedef enum pos_seek {
    POS_SEEK_FIRST,
    POS_SEEK_LAST,
    POS_SEEK_HOLDING, /* the greatest key not above `sequence`; where there is none, the first */
    POS_SEEK_AFTER    /* the smallest key above `sequence` */
} pos_seek;

pos_status pos_volume_open(const char *path, uint32_t number, uint64_t size, pos_volume_mode mode,
                           pos_durability durability, pos_volume **volume_out, char *words_out);
void pos_volume_close(pos_volume *volume);
/* JOURNAL_END where the volume has no such page. Two threads may not do this at once. */
pos_status pos_volume_seek(pos_volume *volume, pos_seek seek, uint64_t sequence,
                           pos_value *value_out, char *words_out);
/* The same, and up to `values_max` - 1 values behind it; how many in `count_out`. */
pos_status pos_volume_walk(pos_volume *volume, pos_seek seek, uint64_t sequence,
                           pos_value *values_out, size_t values_max, size_t *count_out,
                           char *words_out);
/* One page, one transaction; an LMDB code. */
int pos_volume_put(pos_volume *volume, uint64_t first_sequence, const uint8_t *data, size_t size);
/* Whether a run's first bytes are those of a value of whole LMDB pages that begins at page `number` of
 * a file of `pages_max`; its size goes to `size_out`. */
bool pos_volume_is_run(const uint8_t *head, uint64_t number, uint64_t pages_max, uint64_t *size_out);
/* Numbers of LMDB pages that the tree does not use and where the next transaction may have put a value: its
 * free list, and the first behind its end. The caller frees `numbers_out`. */
pos_status pos_volume_spares(pos_volume *volume, uint64_t **numbers_out, size_t *count_out,
                             char *words_out);
/* LMDB pages never used yet. */
uint64_t pos_volume_free_pages(pos_volume *volume);
void pos_volume_count(pos_volume *volume, uint64_t *pages_out, uint64_t *bytes_out);
pos_status pos_status_of_lmdb(int code);

/* ---- files.c ------------------------------------------------------------------------------------ */
#define POS_MARK_SIZE 4096U

/* The published mark, mapped shared: what readers may see. Written by the writer alone. */
typedef struct pos_mark {
    char magic[8];
    uint32_t format_version;
    _Atomic uint32_t is_in_doubt;
    uint8_t journal_id[16];
    _Atomic uint64_t durable_sequence;
} pos_mark;

typedef struct pos_meta {
    uint8_t journal_id[16];
    uint64_t volume_size;
    int64_t made_at_ns;
} pos_meta;

void pos_words(char *words_out, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool pos_path_join(char *path_out, const char *directory, const char *name);
bool pos_volume_path(char *path_out, const char *directory, uint32_t number, const char *suffix);
pos_status pos_random(uint8_t *bytes_out, size_t size);
/* Writes a file whole or not at all: under another name, synced, renamed, the directory synced. */
pos_status pos_file_put(const char *directory, const char *name, const uint8_t *bytes, size_t size);
pos_status pos_directory_sync(const char *directory);
pos_status pos_meta_write(const char *directory, const pos_meta *meta);
pos_status pos_meta_read(const char *directory, pos_meta *meta_out, char *words_out);
/* One writer at a time, in any process; let go when the file is closed or the process ends. */
pos_status pos_writer_lock(const char *directory, int *file_out, char *words_out);
pos_status pos_mark_write(const char *directory, const uint8_t journal_id[16], uint64_t durable);
pos_status pos_mark_open(const char *directory, bool is_writer, pos_mark **mark_out,
                         char *words_out);
void pos_mark_flush(pos_mark *mark);
void pos_mark_close(pos_mark *mark);
/* The lowest and highest volume number in the directory, and how many there are; 0 where none is. */
pos_status pos_volumes_scan(const char *directory, uint32_t *lowest_out, uint32_t *highest_out,
                            uint32_t *count_out);
pos_status pos_filesystem_check(const char *directory, char *words_out);

/* ---- prepare.c ---------------------------------------------------------------------------------- */
typedef struct pos_prepare {
    uint8_t *zeros; /* one chunk, aligned for O_DIRECT */
    int file;       /* -1 while nothing is being made */
    uint64_t offset;
    uint64_t size;
    uint32_t number;
    bool is_direct;
    char path[POS_PATH_MAX];
} pos_prepare;

pos_status pos_prepare_create(pos_prepare *prepare, uint64_t volume_size);
void pos_prepare_destroy(pos_prepare *prepare);
/* Goes on making volume `number`, by about `bytes`. True in `is_ready_out` once it is in place. */
pos_status pos_prepare_step(pos_prepare *prepare, const char *directory, uint32_t number,
                            uint64_t bytes, bool *is_ready_out);

/* ---- ahead.c ------------------------------------------------------------------------------------ */
/* Volumes from this size on are zeroed by a thread of their own; smaller ones are made between two
 * commits, in no time, and without a second thread every call to the disk has its place. */
#define POS_AHEAD_THREAD_SIZE_MIN (16U * 1024U * 1024U)

typedef struct pos_ahead {
    pos_prepare prepare;
    pthread_t thread;
    pthread_mutex_t mutex;   /* guards what follows */
    pthread_cond_t changed;
    uint64_t owed;           /* bytes to be zeroed now */
    uint64_t written;        /* bytes of pages since the thread looked behind */
    bool is_wanted_now;      /* somebody waits for the volume */
    _Atomic bool is_ending;
    pos_status status;       /* of the last step */
    bool has_thread;
    uint32_t sealed_count;   /* volumes whose pages are to be counted */
    uint32_t cached_index;   /* of the thread: volume and offset up to which page cache was let go */
    uint64_t cached_from;
    _Atomic uint64_t left;   /* bytes not yet zeroed */
} pos_ahead;

/* Makes the thread too, which wants the journal recovered. */
pos_status pos_ahead_create(pos_journal *journal);
void pos_ahead_destroy(pos_journal *journal);

/* ---- commit.c ----------------------------------------------------------------------------------- */
/* Pages from this size on are committed by a thread of their own, while the next one is assembled;
 * for smaller ones handing over costs more than it saves. */
#define POS_FLIGHT_SIZE_MIN (96U * 1024U)

/* An assembled page: what a commit writes. */
typedef struct pos_image {
    uint8_t *value;
    size_t size;
    uint64_t first_sequence;
    uint32_t count;
    uint32_t buffer; /* goes back to the front thread once this is committed: `taken` */
} pos_image;

typedef struct pos_flight {
    pos_image images[POS_IMAGES];
    uint32_t turn; /* images[turn % POS_IMAGES] is assembled next */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    const pos_image *image; /* on its way; NULL for none */
    const pos_image *after; /* assembled, and to follow at once; NULL for none */
    pos_status status;      /* of the last one */
    bool is_ending;
    bool has_thread;
    void (*tell)(void *context); /* that a page is durable; NULL: nobody asks */
    void *context;
    int64_t began_at_ns;    /* monotonic */
    int64_t quick_ns;       /* how long a quick commit takes */
    /* of the journal thread */
    int64_t left_at_ns; /* when `write` came back last */
    int64_t away_ns;    /* from there until it is asked again, smoothed */
} pos_flight;

/* A thread that takes no signals; false where there can be none. */
bool pos_thread_begin(pthread_t *thread_out, void *(*loop)(void *), void *context);
/* A condition on the monotonic clock, and a wait for it; false where the time came first. */
void pos_signal_create(pthread_cond_t *signal_out);
bool pos_signal_wait_until(pthread_cond_t *signal, pthread_mutex_t *mutex, int64_t until_ns);
void pos_flight_create(pos_journal *journal);
void pos_flight_destroy(pos_journal *journal);
/* Commits an image, here and now or in the thread; none is on its way. */
pos_status pos_flight_begin(pos_journal *journal, const pos_image *image);
/* The bytes on their way where `image` may follow them without anybody in between; 0 where not. */
uint64_t pos_flight_ahead_of(pos_journal *journal, const pos_image *image);
/* Has it follow; where what is on its way fails, it is never put. */
pos_status pos_flight_follow(pos_journal *journal, const pos_image *image);
/* Waits until nothing is on its way; the status of what was. */
pos_status pos_flight_end(pos_journal *journal);
/* `write` is asked again: how long that took since it came back. */
void pos_flight_is_back(pos_journal *journal);
/* The same, but no longer than until `lead_ns` before it ends if it is a quick one. */
pos_status pos_flight_linger(pos_journal *journal, int64_t lead_ns);

/* ---- tail.c ------------------------------------------------------------------------------------- */
typedef struct pos_tail {
    uint8_t *run; /* NULL: none. LMDB's header, empty, and the value: aligned as in a map */
    pos_page page;
    bool is_copy; /* read from the file `tail` */
} pos_tail;

/* The page that continues the journal after sequence `last`, whose page has this digest, in volume
 * `index` or the empty one after it, while no tree shows it. JOURNAL_END where there is none.
 * The caller forgets what was found. */
pos_status pos_tail_find(pos_journal *journal, uint32_t index, uint64_t last,
                         const uint8_t digest[32], pos_tail *tail_out, char *words_out);
void pos_tail_forget(pos_tail *tail);
/* A writer that recovers: puts it, if there is one, and counts it as committed; its entries. */
pos_status pos_tail_take(pos_journal *journal, uint32_t *entries_out, char *words_out);

/* ---- journal.c ---------------------------------------------------------------------------------- */
struct pos_journal {
    char path[POS_PATH_MAX];
    char report[POS_WORDS_SIZE];
    pos_journal_options options; /* with defaults filled in */
    pos_meta meta;
    pos_mark *mark;
    int writer_lock; /* -1 for a reader */
    unsigned generation;
    pos_registered registered;

    /* volumes[0] has number `lowest`; opened when needed, never closed before the journal. */
    pthread_mutex_t reading;
    pos_volume **volumes;
    uint32_t lowest;
    _Atomic uint32_t volume_count;
    pos_tail tail; /* of a reader that came before the next writer; under `reading` */

    /* front thread */
    pos_buffer buffers[POS_BUFFERS];
    uint64_t next_sequence;
    int32_t date_last;
    int64_t date_until_ns; /* no entry received before it has a later date than `date_last` */
    pos_decided_under under;
    _Atomic int64_t sent_at_ns;

    /* between the threads: buffers [taken, begun) are being committed, [begun, handed) are the journal
     * thread's to write, [handed, sealed) were sealed by a change of date and wait for a turn over,
     * `sealed` is the open one */
    _Atomic uint32_t sealed;
    _Atomic uint32_t handed;
    _Atomic uint32_t begun;
    _Atomic uint32_t taken;

    pos_pan_keeping *pans; /* NULL: account numbers are not kept */

    /* journal thread */
    uint8_t digest_last[32];
    _Atomic int32_t date_volume; /* business date of the open volume's last page, 0 while empty */

    /* whoever commits */
    pos_flight flight;
    pos_ahead ahead;
    _Atomic int64_t durable_at_ns;
    _Atomic int64_t commit_ns; /* what the last commit took, from put to flushed */
    _Atomic uint64_t commits;  /* of this writer */

    _Atomic uint64_t committed_sequence;
    _Atomic uint64_t durable_sequence;
    _Atomic uint64_t free_pages;
    _Atomic bool is_next_ready;
    _Atomic bool is_in_doubt;
    _Atomic uint64_t pages;
    _Atomic uint64_t bytes;
};

/* OK where the journal may be used: not the parent's, not in doubt. */
pos_status pos_journal_usable(const pos_journal *journal);
/* Volume `index`, opened where it is not yet. The caller holds the reading mutex. */
pos_status pos_journal_volume(pos_journal *journal, uint32_t index, pos_volume **volume_out,
                              char *words_out);
/* The page with the greatest key not above `sequence` (HOLDING), or the next after it (AFTER), in
 * whatever volume it is: not clamped to what is durable; its form is judged, its sums are not. */
pos_status pos_journal_locate(pos_journal *journal, pos_seek kind, uint64_t sequence,
                              pos_page *page_out, char *words_out);
/* What this reader may see. */
uint64_t pos_journal_visible(const pos_journal *journal);
pos_status pos_journal_recover(pos_journal *journal, char *words_out);
/* Opens volume number `lowest + volume_count` for writing and appends it to the list. */
pos_status pos_journal_take_volume(pos_journal *journal, char *words_out);
void pos_journal_stop(pos_journal *journal);
/* Everything up to `durable` is on the disk: readers and replies may know. */
void pos_journal_publish(pos_journal *journal, uint64_t durable);
/* Pages, bytes and free LMDB pages of volume `index`, opened for that and closed again where nobody else has it open. */
void pos_journal_count_volume(pos_journal *journal, uint32_t index, uint64_t *pages_out,
                              uint64_t *bytes_out, uint64_t *free_pages_out);
/* The volume that is being written. */
pos_volume *pos_journal_open_volume(const pos_journal *journal);
/* The writer has written `bytes`: sees to it that the next volume is there in time. */
void pos_journal_keep_ahead(pos_journal *journal, uint64_t bytes);
/* Has the next volume made, whatever it takes, and waits for it. */
pos_status pos_journal_prepare_now(pos_journal *journal);
/* Has it made soon, and waits for nothing. True where it is there. */
bool pos_journal_prepare_soon(pos_journal *journal);
pos_status pos_stage_create(pos_journal *journal);
void pos_stage_destroy(pos_journal *journal);
/* An entry not yet in a volume; false where `sequence` is none of these. */
bool pos_stage_find(const pos_journal *journal, uint64_t sequence, pos_entry *entry_out);

#endif
