/*
 * SQLite takes batches of 300-byte records: "run" prints records a second.
 *
 *     sqlite_store FOLDER BATCH
 *
 * WAL, synchronous FULL: every batch is one transaction and on disk when COMMIT returns. One
 * prepared statement, integer key, checkpoints as it likes to make them.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCHES = 256, RECORD = 300 };

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void require(int code, int wanted, sqlite3 *base)
{
    if (code == wanted) return;
    fprintf(stderr, "SQLite: %s\n", sqlite3_errmsg(base));
    exit(1);
}

static void execute(sqlite3 *base, const char *words)
{
    require(sqlite3_exec(base, words, NULL, NULL, NULL), SQLITE_OK, base);
}

int main(int count, char **given)
{
    static unsigned char record[RECORD];
    char path[4096];
    sqlite3 *base = NULL;
    sqlite3_stmt *insert = NULL;
    sqlite3_int64 sequence = 0;
    if (count != 3) return 2;
    const int batch = atoi(given[2]);
    snprintf(path, sizeof path, "%s/store.sqlite", given[1]);
    require(sqlite3_open(path, &base), SQLITE_OK, base);
    execute(base, "PRAGMA journal_mode=WAL");
    execute(base, "PRAGMA synchronous=FULL");
    execute(base, "CREATE TABLE entry (sequence INTEGER PRIMARY KEY, record BLOB NOT NULL)");
    require(sqlite3_prepare_v2(base, "INSERT INTO entry VALUES (?, ?)", -1, &insert, NULL),
            SQLITE_OK, base);
    char line[16];
    while (fgets(line, sizeof line, stdin) != NULL) {
        const double began = now_s();
        for (int page = 0; page < BATCHES; page++) {
            execute(base, "BEGIN");
            for (int at = 0; at < batch; at++) {
                sequence++;
                memcpy(record, &sequence, sizeof sequence);
                sqlite3_bind_int64(insert, 1, sequence);
                sqlite3_bind_blob(insert, 2, record, RECORD, SQLITE_STATIC);
                require(sqlite3_step(insert), SQLITE_DONE, base);
                sqlite3_reset(insert);
            }
            execute(base, "COMMIT");
        }
        printf("%.1f\n.\n", BATCHES * (double)batch / (now_s() - began));
        fflush(stdout);
    }
    sqlite3_finalize(insert);
    return sqlite3_close(base) == SQLITE_OK ? 0 : 1;
}
