/*
 * The journal: what was decided, in pages of columns. The public side: entries and how to read
 * them. The format on disk is described in journal/page.c, and tests/oracle/journal.py reads it
 * without this code.
 */
#ifndef POSENGINE_JOURNAL_H
#define POSENGINE_JOURNAL_H

#include "posengine/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pos_kind {
#define POS_KIND(name, sign, english, chinese) POS_KIND_##name,
#include "posengine/kind.def"
#undef POS_KIND
    POS_KIND_COUNT
} pos_kind;

POS_API const char *pos_kind_name(unsigned kind);    /* "SALE" */
POS_API const char *pos_kind_english(unsigned kind); /* "sale" */
POS_API const char *pos_kind_chinese(unsigned kind); /* "消费", UTF-8 */
POS_API int pos_kind_sign(unsigned kind);            /* +1 debit, -1 credit, 0 neither */

/* Written into journals: only ever grows at the end. */
typedef enum pos_outcome {
    POS_OUTCOME_NONE,
    POS_OUTCOME_APPROVED,
    POS_OUTCOME_DECLINED, /* the answer says no; nothing was posted */
    POS_OUTCOME_REPEAT,   /* the stored answer of `original` went out again; nothing was posted */
    POS_OUTCOME_REFUSED,  /* format, identity, key or state: never came to a decision */
    POS_OUTCOME_NOTED,    /* recorded, neither yes nor no (alarm, administration) */
    POS_OUTCOME_COUNT
} pos_outcome;

/* Facts known when the entry was written (pos_entry.flags). */
#define POS_FLAG_MAC_CHECKED 0x00000001U   /* carried a MAC and it was right */
#define POS_FLAG_PIN 0x00000002U           /* a PIN block was present (never kept) */
#define POS_FLAG_TRACK 0x00000004U         /* track data was present (never kept) */
#define POS_FLAG_CHIP 0x00000008U          /* field 55 was present */
#define POS_FLAG_PAN 0x00000010U           /* an account number was known; pan_token is set */
#define POS_FLAG_CARD_EXPIRED 0x00000020U  /* the expiry (never kept) had passed */
#define POS_FLAG_QR 0x00000040U            /* a consumer QR code stood for the card */
#define POS_FLAG_FALLBACK 0x00000080U      /* chip read failed before (60.5 = 2, or entry 80) */
#define POS_FLAG_STANDIN 0x00000100U       /* approved by us within the floor limit */
#define POS_FLAG_BALANCED 0x00000200U      /* settle: totals agreed */
#define POS_FLAG_FOREIGN 0x00000400U       /* foreign card: second half of the settle totals */
#define POS_FLAG_ANSWERED 0x00000800U      /* an answer template is in the heap */
#define POS_FLAG_LATE 0x00001000U          /* a late original of a reversal that came first */
#define POS_FLAG_PARTIAL 0x00002000U       /* approved for less than was asked */
#define POS_FLAG_KEYS_MADE 0x00004000U     /* sign-on: working keys were made */
#define POS_FLAG_BATCH_OPENED 0x00008000U  /* this entry opened `batch` */
#define POS_FLAG_BATCH_CLOSED 0x00010000U  /* this entry closed `batch` */
#define POS_FLAG_FINAL 0x00020000U         /* reversal: found and undid its original */
#define POS_FLAG_EXPIRY 0x00040000U        /* an expiry date was present (never kept) */
#define POS_FLAG_PAN_INVALID 0x00080000U   /* the account number fails its check digit */

/*
 * One entry in memory: the columns of a page as a row, and its two heap slices.
 *
 * Text is not NUL-terminated, is padded with blanks, and is all blanks where absent. Numbers are 0
 * where absent. `request` and `answer` are borrowed: for an entry that is read, until the journal
 * is closed; for one that is staged, until the call returns.
 */
typedef struct pos_entry {
    uint64_t sequence;      /* from 1, global over volumes, without gaps */
    uint64_t original;      /* sequence this one refers to, 0 for none */
    int64_t received_at_ns; /* UTC, nanoseconds since 1970 */
    int64_t terminal_at_ns; /* what the terminal's clock said, 0 where it said nothing */
    int64_t amount_minor;   /* approved or asked; see POS_FLAG_PARTIAL */
    uint32_t staged_after_us;
    uint32_t flags;
    uint32_t processing; /* field 3 as a number: 0 to 999999 */
    uint32_t stan;
    uint32_t batch;
    uint32_t original_batch; /* of field 61, 0 where absent */
    uint32_t original_stan;
    uint32_t bin;  /* first six digits */
    uint32_t line; /* connection number within this run of the engine */
    uint16_t last4;
    uint16_t mti;        /* BCD: 0x0200 */
    uint16_t currency;   /* ISO 4217 numeric: 156 */
    uint16_t entry_mode; /* field 22: 21 for "021" */
    uint16_t network;    /* 60.3 or field 70 */
    uint8_t kind;        /* pos_kind */
    uint8_t outcome;     /* pos_outcome */
    uint8_t type;        /* 60.1 */
    uint8_t condition;   /* field 25 */
    uint8_t requirement; /* processing requirement sent back: a nibble */
    uint8_t why;         /* pos_reason: why it was decided so; see posengine/decide.h */
    char response[2];
    char reason[2]; /* field 39 of a reversal request */
    char tid[8];
    char mid[15];
    char rrn[12];          /* of this entry, as answered */
    char original_rrn[12]; /* field 37 of the request */
    char auth[6];
    char operator_id[3];     /* 63.1 of a request */
    uint8_t pan_token[16];   /* AES-CMAC under the deployment's token key */
    uint8_t fingerprint[16]; /* AES-CMAC of the whole request without its MAC */
    const uint8_t *request; /* redacted: see message/redact.c */
    uint32_t request_size;
    const uint8_t *answer; /* template: see message/answer.c */
    uint32_t answer_size;
} pos_entry;

/* Totals of one terminal's batch, as field 48 of a settle carries them. */
typedef struct pos_totals_side {
    int64_t debit_minor;
    int64_t credit_minor;
    uint32_t debit_count;
    uint32_t credit_count;
} pos_totals_side;

typedef struct pos_totals {
    pos_totals_side domestic;
    pos_totals_side foreign;
} pos_totals;

/* ---- opening -------------------------------------------------------------------------------- */
typedef struct pos_journal pos_journal;

typedef enum pos_durability {
    POS_DURABLE_LATE, /* one flush a commit; LMDB's meta page is flushed late, by the next one */
    POS_DURABLE_FULL  /* two flushes a commit. In both a page is durable when its commit returns */
} pos_durability;

typedef struct pos_journal_options {
    bool readonly;
    pos_durability durability;
    uint64_t volume_size_max;   /* bytes; 0 for 1 GiB. Fixed when the first volume is made */
    uint32_t page_entries_max;  /* 0 for 4,096 */
    uint32_t page_size_max;     /* bytes of one page; 0 for 4 MiB */
    uint32_t cutover_minute;    /* of the local day at which the business date changes; 0..1439 */
    int32_t zone_offset_minute; /* local time minus UTC: 480 for China */
    uint32_t volumes_max;       /* volumes that this journal may have; 0: as many as the disk holds */
    bool keep_pan;              /* account numbers are kept, enciphered: column pan_cipher */
    const uint8_t *master_key;  /* 32 bytes, for keep_pan; read by the opening alone. An engine puts
                                   its own here */
} pos_journal_options;

/*
 * Opens the journal in directory `path`, making it where it is absent and not `readonly`.
 * After a crash this recovers first: it syncs, checks the last pages and the chain, puts a flushed page
 * again that a loss of power took out of its volume's tree, and tells what it found through pos_journal_report.
 * Fails: JOURNAL_ABSENT, JOURNAL_BUSY, JOURNAL_FORMAT, JOURNAL_CORRUPT, JOURNAL_FULL, SYSTEM.
 */
POS_API pos_status pos_journal_open(const char *path, const pos_journal_options *options,
                                    pos_journal **journal_out);
/* The same; `words_out`, where not NULL, takes POS_JOURNAL_WORDS bytes of what it found or why not. */
#define POS_JOURNAL_WORDS 256
POS_API pos_status pos_journal_open_told(const char *path, const pos_journal_options *options,
                                         pos_journal **journal_out, char *words_out);
/* What opening found, in words; empty where all was as the last writer left it. */
POS_API const char *pos_journal_report(const pos_journal *journal);
/* Waits for nobody: the caller has given back every view first. NULL is fine. */
POS_API void pos_journal_close(pos_journal *journal);

typedef struct pos_journal_facts {
    uint8_t journal_id[16];    /* random; changes when a journal is restored from a copy */
    uint64_t last_sequence;    /* staged and committed, durable or not */
    uint64_t durable_sequence; /* what readers, repeats and dispatch may see */
    uint64_t pages;
    uint64_t bytes;   /* of committed pages */
    uint64_t volumes; /* made so far */
    uint64_t free_bytes; /* left in the open volume */
    bool is_in_doubt;
} pos_journal_facts;
POS_API void pos_journal_facts_read(pos_journal *journal, pos_journal_facts *facts_out);

/* ---- reading: any process, any number ------------------------------------------------------------ */
typedef enum pos_column_type {
    POS_COLUMN_I64 = 1,
    POS_COLUMN_U64,
    POS_COLUMN_U32,
    POS_COLUMN_U16,
    POS_COLUMN_U8,
    POS_COLUMN_TEXT, /* `width` bytes a value */
    POS_COLUMN_BYTES /* `width` bytes a value */
} pos_column_type;

typedef struct pos_column {
    const char *name; /* static */
    pos_column_type type;
    uint32_t width;      /* bytes a value */
    const uint8_t *data; /* `count` values of the page, in the map; NULL where the page has none */
} pos_column;

/* One page, in place: valid until the journal is closed (house.md, 4, views). */
typedef struct pos_page {
    uint64_t first_sequence;
    uint32_t count;
    uint32_t size; /* bytes of the stored value */
    int32_t business_date; /* 20261121 */
    int64_t staged_at_ns;
    int64_t committed_at_ns;
    uint8_t digest[32];
    uint8_t digest_before[32];
    const uint8_t *data; /* the stored value itself */
    bool is_usual; /* has this build's columns in this build's order: read without searching */
} pos_page;

/* The page that holds `sequence` or, where there is none, the next one after it.
 * Fails: JOURNAL_END where neither is durable, JOURNAL_CORRUPT. */
POS_API pos_status pos_journal_page(pos_journal *journal, uint64_t sequence, pos_page *page_out);
/* Up to `pages_max` pages in a row, from the one that page() would give on, at one look into the volume;
 * how many goes to `count_out`, at least one where it is OK. For scanning. */
POS_API pos_status pos_journal_pages(pos_journal *journal, uint64_t sequence, pos_page *pages_out,
                                     size_t pages_max, size_t *count_out);
POS_API size_t pos_column_count(void);
/* Column `index` of a page; ARGUMENT past the last. */
POS_API pos_status pos_page_column(const pos_page *page, size_t index, pos_column *column_out);
/* The same by name; ARGUMENT where this build knows no such column. */
POS_API pos_status pos_page_column_named(const pos_page *page, const char *name,
                                         pos_column *column_out);
/* Recomputes CRC and digest; pos_journal_page judges the form alone. */
POS_API pos_status pos_page_sums(const pos_page *page);
/* Row `index` of a page as an entry; its slices are borrowed from the map. */
POS_API pos_status pos_page_entry(const pos_page *page, uint32_t index, pos_entry *entry_out);
/* One entry by its sequence; ENTRY_ABSENT. A writer also sees what it has staged, in its front thread;
 * such an entry's slices are borrowed until the second turn_over or commit from now. */
POS_API pos_status pos_journal_entry(pos_journal *journal, uint64_t sequence,
                                     pos_entry *entry_out);
/* The durable entry whose sequence made this RRN, else the newest with it; the newest with this TID
 * and STAN below sequence `before` (0: of all). ENTRY_ABSENT. */
POS_API pos_status pos_journal_find_rrn(pos_journal *journal, const char rrn[12],
                                        uint64_t *sequence_out);
POS_API pos_status pos_journal_find_stan(pos_journal *journal, const char tid[8], uint32_t stan,
                                         uint64_t before, uint64_t *sequence_out);

/*
 * The account number of an entry, as digits and a NUL, where the journal kept it (keep_pan). Checks
 * the page's sums first. Wipe `digits_out` when done.
 * Fails: ENTRY_ABSENT, JOURNAL_CORRUPT, PAN_NOT_KEPT, PAN_ABSENT (also of a repeat: ask for its
 * original), PAN_SEAL.
 */
#define POS_PAN_SIZE 20
POS_API pos_status pos_journal_pan(pos_journal *journal, uint64_t sequence,
                                       const uint8_t master_key[32],
                                       char digits_out[POS_PAN_SIZE]);
/* The same of row `index` of a page, whose sums are not looked at. */
POS_API pos_status pos_page_pan(const pos_page *page, uint32_t index,
                                    const uint8_t master_key[32], char digits_out[POS_PAN_SIZE]);

typedef struct pos_verdict {
    uint64_t pages;
    uint64_t entries;
    uint64_t bytes;
    uint64_t first_bad_sequence; /* 0: none */
    pos_status status;           /* of the first bad page */
    char reason[POS_JOURNAL_WORDS]; /* in words, NUL-terminated */
} pos_verdict;
/* Reads everything: CRC, digest, chain, sequence. `progress` may be NULL; false from it stops. */
POS_API pos_status pos_journal_verify(pos_journal *journal,
                                      bool (*progress)(void *context, uint64_t sequence),
                                      void *context, pos_verdict *verdict_out);
/* A copy that opens as a journal of its own, with a new journal id, taken while writing goes on. */
POS_API pos_status pos_journal_snapshot(pos_journal *journal, const char *target_path);

/* ---- writing: one thread ------------------------------------------------------------------------------ */
/*
 * Stages one entry into the open page and gives it its sequence (entry->sequence is set).
 * Fails: STAGE_FULL (commit first), ENTRY_OVERSIZE, JOURNAL_FULL, JOURNAL_IN_DOUBT.
 */
POS_API pos_status pos_journal_stage(pos_journal *journal, pos_entry *entry);
/* The account number of the entry that was staged last, 1 to 19 digits, to be kept where `keep_pan`
 * says so; else nothing happens. */
POS_API void pos_journal_keep_pan(pos_journal *journal, const char *digits, size_t size);
/*
 * Commits what is staged and waits until it is durable, in either mode. Any failure is JOURNAL_IN_DOUBT, and every later call says so again.
 */
POS_API pos_status pos_journal_commit(pos_journal *journal, uint64_t *durable_sequence_out);

/*
 * The same in three steps, for two threads: the next page fills while one is being written.
 *   turn_over   front thread: hands the open page to the writer and opens the next one.
 *               False where nothing is staged or the writer still has a page. True also where
 *               a change of business date has sealed a page: call it again after the write.
 *   write       journal thread: commits what was handed over. A large page may still be on its way when
 *               it comes back, so that the next can be handed over; with `is_idle` (nothing more is
 *               coming), and with nothing handed over, it waits for that. Fails as commit does.
 *   durable     any thread: the sequence up to which everything is on disk; answer no further.
 */
POS_API bool pos_journal_turn_over(pos_journal *journal);
POS_API pos_status pos_journal_write(pos_journal *journal, bool is_idle);
POS_API uint64_t pos_journal_durable(const pos_journal *journal);
POS_API bool pos_journal_is_in_doubt(const pos_journal *journal);

#ifdef __cplusplus
}
#endif
#endif
