/*
 * The journal room: LMDB volumes of pages, one page a commit. What readers and embedding programs
 * see is in include/posengine/journal.h; here is what the engine's two threads use besides.
 *
 *   front thread                              journal thread
 *   stage ─▶ open page ── turn over ──▶ sealed page ── write ──▶ LMDB ──▶ durable_sequence
 *     ▲                                    (CRC, digest, put, commit)
 *     └── the next page fills meanwhile
 */
#ifndef POS_JOURNAL_ROOM_H
#define POS_JOURNAL_ROOM_H

#include "bytes/bytes.h"
#include "posengine/journal.h"

/* What a page was decided under; goes into the header of every page from then on. */
typedef struct pos_decided_under {
    uint8_t spec_digest[16];
    uint8_t policy_digest[16];
    uint8_t roster_digest[16];
    char build[16];
} pos_decided_under;
void pos_journal_decided_under(pos_journal *journal, const pos_decided_under *under);

/* Entries staged in the open page. */
uint32_t pos_journal_staged_count(const pos_journal *journal);
/* A page was handed over and is not committed: until it is, there may be more room than it seems. */
bool pos_journal_is_writing(const pos_journal *journal);
/* Room for one more entry with a heap of `heap_size` bytes, here and on disk: law 1 asks this
 * before a request is admitted. */
bool pos_journal_has_room(const pos_journal *journal, size_t heap_size);

/* Pages committed since the journal was opened, and how long the last commit took, put and flush. Any
 * thread. */
uint64_t pos_journal_commits(const pos_journal *journal, int64_t *took_ns_out);
/* `tell` is called when a page became durable, or failed, after `write` had come back: by the thread that
 * commits large pages, so briefly, and not into the journal. NULL: no longer; after that, never again. */
void pos_journal_on_durable(pos_journal *journal, void (*tell)(void *context), void *context);

/* When the last replies left, for the header of the pages after. Any thread. */
void pos_journal_sent(pos_journal *journal, int64_t at_ns);
/*
 * Goes on making the next volume by about `bytes`; nothing to do once it is ready. `write` does so by
 * itself, ahead of need and paced by what it writes; a supervisor may do it sooner. Journal thread.
 * Fails, and does no harm: JOURNAL_FULL, SYSTEM.
 */
pos_status pos_journal_prepare(pos_journal *journal, uint64_t bytes);

#endif
