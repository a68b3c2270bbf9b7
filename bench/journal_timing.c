/*
 * Times the journal, for bench/journal.py and bench/growth.py; prints one line of JSON.
 *
 *   journal_timing commit HOME ENTRIES PAGES ROUNDS   pages of ENTRIES, late and full, beside an append
 *                                                     and a write into zeroed blocks of the same bytes
 *   journal_timing scan HOME ENTRIES A_PAGE ROUNDS    one column summed, beside rows and a cursor
 *   journal_timing growth HOME ENTRIES A_PAGE         seconds of every turn, beside an append; the disk
 *                                                     gets back what was written some volumes ago
 *
 * The ways take turns, a few pages each, so that whatever else the machine does meets them alike. The
 * journal's clock holds staging, assembling, SHA-256, CRC, the commit, and at the end of every turn a
 * sync: what was begun in a turn is durable in it. What was written is judged after the clocks stop.
 */
#include <fcntl.h>
#include <posengine/journal.h>
#include <posengine/measure.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef WITH_LMDB
#include <lmdb.h>
#endif

#define REQUEST_SIZE 190 /* of a sale, redacted, and its answer's template */
#define ANSWER_SIZE 120
#define GROWN_SIZE 140 /* both, in the bench of growth: 330 bytes an entry */
#define MUST(claim)                                             \
    do {                                                        \
        if (!(claim)) {                                         \
            fprintf(stderr, "line %d: %s\n", __LINE__, #claim); \
            exit(1);                                            \
        }                                                       \
    } while (0)

static uint8_t heap[1024];

static const char *joined(const char *home, const char *name)
{
    static char path[4096];
    MUST(snprintf(path, sizeof path, "%s/%s", home, name) < (int)sizeof path);
    return path;
}

static void print_list(const char *name, const double *values, unsigned long count, const char *end)
{
    printf("\"%s\": [", name);
    for (unsigned long index = 0; index < count; index++) {
        printf("%s%.9g", index == 0 ? "" : ", ", values[index]);
    }
    printf("]%s", end);
}

/* ---- the journal's side -------------------------------------------------------------------------- */
static uint64_t staged; /* entries, over all journals: their amounts tell them apart */

static void stage_page(pos_journal *journal, unsigned long entries, uint32_t request_size,
                       uint32_t answer_size)
{
    for (unsigned long count = 0; count < entries; count++) {
        pos_entry entry = {
            .received_at_ns = 1795262400000000000,
            .amount_minor = (int64_t)staged++,
            .stan = (uint32_t)count,
            .kind = POS_KIND_SALE,
            .outcome = POS_OUTCOME_APPROVED,
            .request = heap,
            .request_size = request_size,
            .answer = heap + request_size,
            .answer_size = answer_size,
        };
        MUST(pos_journal_stage(journal, &entry) == POS_OK);
    }
    MUST(pos_journal_turn_over(journal));
}

static double journal_turn(pos_journal *journal, unsigned long entries, unsigned long pages)
{
    const int64_t began = pos_clock_monotonic_ns();
    for (unsigned long page = 0; page < pages; page++) {
        stage_page(journal, entries, REQUEST_SIZE, ANSWER_SIZE);
        MUST(pos_journal_write(journal, page + 1 == pages) == POS_OK);
    }
    const int64_t took = pos_clock_monotonic_ns() - began;
    pos_journal_facts facts;
    pos_journal_facts_read(journal, &facts);
    MUST(facts.durable_sequence == facts.last_sequence);
    return (double)took / 1e9;
}

static pos_journal *opened(const char *path, pos_durability durability, uint64_t volume_size,
                           uint32_t volumes_max)
{
    const pos_journal_options options = {
        .durability = durability, .volume_size_max = volume_size, .volumes_max = volumes_max};
    pos_journal *journal = NULL;
    MUST(pos_journal_open(path, &options, &journal) == POS_OK);
    return journal;
}

static void judge(pos_journal *journal, uint64_t entries)
{
    pos_verdict verdict;
    MUST(pos_journal_verify(journal, NULL, NULL, &verdict) == POS_OK);
    MUST(verdict.status == POS_OK && verdict.entries == entries);
    pos_journal_close(journal);
}

/* ---- the file's side ----------------------------------------------------------------------------- */
static double file_turn(int file, uint8_t *bytes, size_t size, unsigned long pages, off_t *offset)
{
    int64_t took = 0;
    for (unsigned long page = 0; page < pages; page++) {
        memset(bytes, (int)((size_t)*offset / size % 251 + 1), size); /* not in the clock */
        const int64_t began = pos_clock_monotonic_ns();
        MUST(pwrite(file, bytes, size, *offset) == (ssize_t)size); /* O_APPEND: at the end */
        MUST(fdatasync(file) == 0);
        took += pos_clock_monotonic_ns() - began;
        *offset += (off_t)size;
    }
    return (double)took / 1e9;
}

static int zeroed(const char *path, uint8_t *bytes, size_t size, unsigned long pages)
{
    const int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    MUST(file >= 0);
    memset(bytes, 0, size);
    for (unsigned long page = 0; page < pages; page++) {
        MUST(pwrite(file, bytes, size, (off_t)(page * size)) == (ssize_t)size);
    }
    MUST(fsync(file) == 0);
    return file;
}

static void judge_file(int file, uint8_t *bytes, size_t size, unsigned long pages)
{
    for (unsigned long page = 0; page < pages; page++) {
        MUST(pread(file, bytes, size, (off_t)(page * size)) == (ssize_t)size);
        MUST(bytes[0] == page % 251 + 1 && bytes[size - 1] == bytes[0]);
    }
    MUST(close(file) == 0);
}

/* ---- commits ------------------------------------------------------------------------------------- */
enum { LATE, FULL, APPEND, ZEROED, WAYS };

/* Bytes of a page of so many entries, LMDB's header with it. */
static size_t page_size_of(const char *home, unsigned long entries)
{
    pos_journal *journal = opened(joined(home, "size"), POS_DURABLE_LATE, 32U << 20, 1);
    (void)journal_turn(journal, entries, 1);
    pos_journal_facts facts;
    pos_journal_facts_read(journal, &facts);
    judge(journal, entries);
    return facts.bytes;
}

static void time_commits(const char *home, unsigned long entries, unsigned long pages,
                         unsigned long rounds)
{
    const size_t size = page_size_of(home, entries);
    const uint64_t volume = ((uint64_t)pages * rounds + 8) * (size + 32768) / 4096 * 4096 + (32U << 20);
    pos_journal *late = opened(joined(home, "late"), POS_DURABLE_LATE, volume, 1);
    pos_journal *full = opened(joined(home, "full"), POS_DURABLE_FULL, volume, 1);
    uint8_t *bytes = malloc(size);
    double *rates = calloc(WAYS * rounds, sizeof *rates);
    MUST(bytes != NULL && rates != NULL);
    const int append = open(joined(home, "append"), O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
    MUST(append >= 0);
    const int zeros = zeroed(joined(home, "zeroed"), bytes, size, pages * rounds);
    off_t appended = 0;
    off_t overwritten = 0;
    for (unsigned long round = 0; round < rounds; round++) {
        double seconds[WAYS];
        seconds[LATE] = journal_turn(late, entries, pages);
        seconds[APPEND] = file_turn(append, bytes, size, pages, &appended);
        seconds[FULL] = journal_turn(full, entries, pages);
        seconds[ZEROED] = file_turn(zeros, bytes, size, pages, &overwritten);
        for (int way = 0; way < WAYS; way++) {
            rates[(size_t)way * rounds + round] = (double)pages / seconds[way];
        }
    }
    judge(late, entries * pages * rounds);
    judge(full, entries * pages * rounds);
    judge_file(append, bytes, size, pages * rounds);
    judge_file(zeros, bytes, size, pages * rounds);
    printf("{\"page_bytes\": %zu, ", size);
    static const char *const NAMES[WAYS] = {"late", "full", "append", "zeroed"};
    for (size_t way = 0; way < WAYS; way++) {
        print_list(NAMES[way], rates + way * rounds, rounds, way + 1 == WAYS ? "}\n" : ", ");
    }
    free(bytes);
    free(rates);
}

/* ---- scans --------------------------------------------------------------------------------------- */
static double scan_columns(pos_journal *journal, uint64_t entries)
{
    static pos_page pages[64];
    const int64_t began = pos_clock_monotonic_ns();
    int64_t total = 0;
    uint64_t at = 1;
    size_t count = 0;
    while (pos_journal_pages(journal, at, pages, 64, &count) == POS_OK) {
        for (size_t index = 0; index < count; index++) {
            pos_column column;
            MUST(pos_page_column_named(&pages[index], "amount", &column) == POS_OK);
            const int64_t *amounts = (const int64_t *)(const void *)column.data;
            for (uint32_t row = 0; row < pages[index].count; row++) total += amounts[row];
        }
        at = pages[count - 1].first_sequence + pages[count - 1].count;
    }
    const int64_t took = pos_clock_monotonic_ns() - began;
    MUST(total == (int64_t)(entries * (entries - 1) / 2));
    return (double)entries * 1e9 / (double)took;
}

static double scan_rows(pos_journal *journal, uint64_t entries)
{
    const int64_t began = pos_clock_monotonic_ns();
    int64_t total = 0;
    uint64_t at = 1;
    pos_page page;
    while (pos_journal_page(journal, at, &page) == POS_OK) {
        for (uint32_t row = 0; row < page.count; row++) {
            pos_entry entry;
            MUST(pos_page_entry(&page, row, &entry) == POS_OK);
            total += entry.amount_minor;
        }
        at = page.first_sequence + page.count;
    }
    const int64_t took = pos_clock_monotonic_ns() - began;
    MUST(total == (int64_t)(entries * (entries - 1) / 2));
    return (double)entries * 1e9 / (double)took;
}

#ifdef WITH_LMDB
/* The journal as it is not: an LMDB record an entry, key its sequence, value its fields and heap. */
static MDB_env *make_records(const char *path, uint64_t entries)
{
    MDB_env *env = NULL;
    MUST(mdb_env_create(&env) == 0);
    MUST(mdb_env_set_mapsize(env, entries * 1024 + (64U << 20)) == 0);
    MUST(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOSYNC, 0600) == 0);
    uint8_t record[188 + REQUEST_SIZE + ANSWER_SIZE];
    memcpy(record + 188, heap, REQUEST_SIZE + ANSWER_SIZE);
    uint64_t number = 0;
    while (number < entries) {
        MDB_txn *txn = NULL;
        MDB_dbi database;
        MUST(mdb_txn_begin(env, NULL, 0, &txn) == 0);
        MUST(mdb_dbi_open(txn, NULL, 0, &database) == 0);
        for (unsigned count = 0; count < 100000 && number < entries; count++, number++) {
            memset(record, (int)number, 188);
            memcpy(record + 16, &number, 8);
            uint64_t sequence = __builtin_bswap64(number + 1);
            MDB_val key = {8, &sequence};
            MDB_val value = {sizeof record, record};
            MUST(mdb_put(txn, database, &key, &value, MDB_APPEND) == 0);
        }
        MUST(mdb_txn_commit(txn) == 0);
    }
    return env;
}

static double scan_records(MDB_env *env, uint64_t entries)
{
    MDB_txn *txn = NULL;
    MDB_dbi database;
    MDB_cursor *cursor = NULL;
    const int64_t began = pos_clock_monotonic_ns();
    MUST(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0);
    MUST(mdb_dbi_open(txn, NULL, 0, &database) == 0);
    MUST(mdb_cursor_open(txn, database, &cursor) == 0);
    int64_t total = 0;
    MDB_val key;
    MDB_val value;
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        int64_t amount;
        memcpy(&amount, (const uint8_t *)value.mv_data + 16, 8);
        total += amount;
    }
    const int64_t took = pos_clock_monotonic_ns() - began;
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    MUST(total == (int64_t)(entries * (entries - 1) / 2));
    return (double)entries * 1e9 / (double)took;
}
#endif

static void time_scans(const char *home, uint64_t entries, unsigned long a_page, unsigned long rounds)
{
    entries -= entries % a_page;
    const uint64_t volume = entries * 700 + (64U << 20);
    pos_journal *journal = opened(joined(home, "scan"), POS_DURABLE_LATE, volume, 1);
    staged = 0;
    for (uint64_t count = 0; count < entries; count += a_page) {
        stage_page(journal, a_page, REQUEST_SIZE, ANSWER_SIZE);
        MUST(pos_journal_write(journal, false) == POS_OK);
    }
    MUST(pos_journal_commit(journal, NULL) == POS_OK);
    double *rates = calloc(3 * rounds, sizeof *rates);
    MUST(rates != NULL);
#ifdef WITH_LMDB
    MDB_env *records = make_records(joined(home, "records"), entries);
#endif
    for (unsigned long round = 0; round <= rounds; round++) {
        /* The round before the first touches every page once. */
        double *to = rates + (round == 0 ? 0 : round - 1);
        to[0] = scan_columns(journal, entries);
        to[rounds] = scan_rows(journal, entries);
#ifdef WITH_LMDB
        to[2 * rounds] = scan_records(records, entries);
#endif
    }
    judge(journal, entries);
    printf("{\"entries\": %llu, ", (unsigned long long)entries);
    print_list("columns", rates, rounds, ", ");
    print_list("rows", rates + rounds, rounds, "");
#ifdef WITH_LMDB
    mdb_env_close(records);
    printf(", ");
    print_list("cursor", rates + 2 * rounds, rounds, "");
#endif
    printf("}\n");
    free(rates);
}

/* ---- growth -------------------------------------------------------------------------------------- */
#define TENTHS 10
#define SLICES 20 /* of a tenth: journal and file take turns, now one first, now the other */
#define GROWN_VOLUME (256UL << 20)
#define KEPT 3 /* volumes whose bytes stay: the one that is written, the next, the one before */

/* Gives the disk back what the volume before the last ones holds: its file stays, as a hole. Nothing
 * reads it here; a journal in use drops whole volumes, behind a snapshot of the state. */
static void give_back(const char *path, uint32_t volume)
{
    char name[4096];
    MUST(snprintf(name, sizeof name, "%s/volume-%06u.mdb", path, volume) < (int)sizeof name);
    const int file = open(name, O_RDWR | O_CLOEXEC);
    MUST(file >= 0);
    MUST(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, GROWN_VOLUME) == 0);
    MUST(close(file) == 0);
}

static double grown(pos_journal *journal, unsigned long a_page, uint64_t pages)
{
    const int64_t began = pos_clock_monotonic_ns();
    for (uint64_t page = 0; page < pages; page++) {
        stage_page(journal, a_page, GROWN_SIZE, 0);
        MUST(pos_journal_write(journal, page + 1 == pages) == POS_OK);
    }
    return (double)(pos_clock_monotonic_ns() - began) / 1e9;
}

static void time_growth(const char *home, uint64_t entries, unsigned long a_page)
{
    const uint64_t count = entries / a_page / (TENTHS * SLICES); /* pages of a slice */
    MUST(count > 0);
    char path[4096];
    MUST(snprintf(path, sizeof path, "%s/grown", home) < (int)sizeof path);
    pos_journal *journal = opened(path, POS_DURABLE_LATE, GROWN_VOLUME, 0);
    int file = open(joined(home, "append"), O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
    MUST(file >= 0);
    grown(journal, a_page, 1); /* not timed: what a page is, in bytes, and the first touch of all */
    pos_journal_facts facts;
    pos_journal_facts_read(journal, &facts);
    const size_t size = facts.bytes / facts.pages;
    uint8_t *bytes = malloc(size);
    MUST(bytes != NULL);
    off_t offset = 0;
    uint32_t given_back = 0;
    double ours[TENTHS * SLICES];
    double theirs[TENTHS * SLICES];
    for (int slice = 0; slice < TENTHS * SLICES; slice++) {
        if (slice % 2 == 0) ours[slice] = grown(journal, a_page, count);
        theirs[slice] = file_turn(file, bytes, size, count, &offset);
        if (slice % 2 == 1) ours[slice] = grown(journal, a_page, count);
        if ((size_t)offset > GROWN_VOLUME) { /* a new file, as the journal takes a new volume */
            MUST(ftruncate(file, 0) == 0);
            offset = 0;
        }
        pos_journal_facts_read(journal, &facts);
        while (given_back + KEPT < facts.volumes) give_back(path, ++given_back);
    }
    MUST(facts.last_sequence == (count * TENTHS * SLICES + 1) * a_page);
    MUST(facts.durable_sequence == facts.last_sequence);
    printf("{\"entries\": %llu, \"bytes\": %llu, \"volumes\": %llu, \"page_bytes\": %zu, ",
           (unsigned long long)(count * TENTHS * SLICES * a_page), (unsigned long long)facts.bytes,
           (unsigned long long)facts.volumes, size);
    print_list("journal", ours, TENTHS * SLICES, ", ");
    print_list("append", theirs, TENTHS * SLICES, "}\n");
    pos_journal_close(journal);
    MUST(close(file) == 0);
    free(bytes);
}

int main(int count, char **words)
{
    MUST(count >= 5);
    for (unsigned index = 0; index < sizeof heap; index++) heap[index] = (uint8_t)(index * 37);
    const char *home = words[2];
    const unsigned long first = strtoul(words[3], NULL, 10);
    const unsigned long second = strtoul(words[4], NULL, 10);
    const unsigned long rounds = count > 5 ? strtoul(words[5], NULL, 10) : 1;
    MUST(first > 0 && second > 0 && rounds > 0);
    if (strcmp(words[1], "commit") == 0) time_commits(home, first, second, rounds);
    else if (strcmp(words[1], "scan") == 0) time_scans(home, first, second, rounds);
    else if (strcmp(words[1], "growth") == 0) time_growth(home, first, second);
    else return 2;
    return 0;
}
