/*
 * Goal: a snapshot and the entries after it come to the very state that all entries come to; a file
 * that is damaged, cut, of another build or half written is never taken for one.
 * Method: random histories of all kinds, saved at random points, loaded under the same and under other
 * limits, folded on, and compared by digest with the plain fold; every byte of a file changed, every
 * size cut; writers that run out of disk and writers that are killed at any moment.
 */
#include "check.h"
#include "state/snapshot.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MID "104110045110012"
#define HOUR_NS INT64_C(3600000000000)
#define ENTRIES 3000U

static char home[64] = "/tmp/snapshot_test_XXXXXX";
static char path[128];
static uint64_t chance = 88172645463325252U;

static uint32_t next_chance(uint32_t below)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (uint32_t)((chance >> 16) % below);
}

/* ---- histories ----------------------------------------------------------------------------------- */
static pos_entry history[ENTRIES];

static uint64_t any_before(uint32_t number)
{
    return number < 2 ? 0 : 1 + next_chance(number - 1);
}

/* Five terminals that sign on, trade, refer to what came before, settle; locks in between. */
static void history_make(void)
{
    static const uint8_t kinds[] = {
        POS_KIND_SALE,   POS_KIND_SALE,    POS_KIND_SALE,   POS_KIND_SALE_VOID, POS_KIND_REFUND,
        POS_KIND_PREAUTH, POS_KIND_COMPLETION, POS_KIND_REVERSAL, POS_KIND_SETTLE,
        POS_KIND_SIGN_ON, POS_KIND_ADMINISTRATION, POS_KIND_BALANCE};
    for (uint32_t number = 1; number <= ENTRIES; number++) {
        pos_entry *entry = &history[number - 1];
        const uint8_t kind = kinds[next_chance(sizeof kinds)];
        *entry = (pos_entry){.sequence = number,
                             .kind = kind,
                             .mti = kind == POS_KIND_REVERSAL ? 0x0400 : 0x0200,
                             .outcome = next_chance(5) == 0 ? POS_OUTCOME_DECLINED
                                                            : POS_OUTCOME_APPROVED,
                             .batch = 1 + next_chance(3),
                             .stan = 1 + next_chance(900),
                             .amount_minor = next_chance(100000),
                             .received_at_ns = number * HOUR_NS / 4,
                             .original = any_before(number)};
        memcpy(entry->tid, "1234567x", 8);
        entry->tid[7] = (char)('0' + next_chance(5));
        memcpy(entry->mid, MID, 15);
        memcpy(entry->response, "00", 2);
        memcpy(entry->auth, "123456", 6);
        entry->flags = next_chance(2) == 0 ? POS_FLAG_PAN : POS_FLAG_FOREIGN;
        entry->pan_token[3] = (uint8_t)next_chance(20);
        entry->fingerprint[5] = (uint8_t)next_chance(256);
        if (kind == POS_KIND_SIGN_ON) entry->flags = POS_FLAG_BATCH_OPENED | POS_FLAG_KEYS_MADE;
        if (kind == POS_KIND_SETTLE) entry->flags = POS_FLAG_BATCH_CLOSED;
        if (kind == POS_KIND_REVERSAL) entry->flags |= POS_FLAG_FINAL;
        if (kind == POS_KIND_ADMINISTRATION) {
            entry->outcome = POS_OUTCOME_NOTED;
            memcpy(entry->reason, next_chance(2) == 0 ? "LK" : "UL", 2);
        }
    }
}

static const pos_state_options limits = {
    .terminals_max = 8, .postings_max = 4096, .repeats_max = 4096, .posting_window_d = 2};

static void fold_on(pos_state *state, uint32_t until)
{
    for (uint64_t next = pos_state_sequence(state); next < until; next++) {
        CHECK(pos_state_apply(state, &history[next]) == POS_OK);
    }
}

static pos_state *folded(uint32_t until)
{
    pos_state *state = NULL;
    CHECK(pos_state_create(&limits, &state) == POS_OK);
    fold_on(state, until);
    return state;
}

static pos_saved name_of(const pos_state *state)
{
    pos_saved saved = {.sequence = pos_state_sequence(state), .first_sequence = 1, .at_ns = 7};
    memset(saved.journal_id, 0xA5, sizeof saved.journal_id);
    pos_store_u64_le(saved.page_digest, saved.sequence * 77);
    return saved;
}

static void save(const pos_state *state)
{
    const pos_saved saved = name_of(state);
    CHECK(pos_state_save(state, &saved, path, next_chance(2) == 0) == POS_OK);
}

/* NULL where the file is refused. */
static pos_state *loaded(const pos_state_options *options)
{
    pos_saved saved;
    pos_state *state = NULL;
    if (pos_state_saved_read(path, &saved) != POS_OK) return NULL;
    return pos_state_load(options, path, &saved, &state) == POS_OK ? state : NULL;
}

static bool same(const pos_state *left, const pos_state *right)
{
    uint8_t digests[2][16];
    pos_state_digest(left, digests[0]);
    pos_state_digest(right, digests[1]);
    return memcmp(digests[0], digests[1], 16) == 0;
}

/* ---- a snapshot and what came after it ------------------------------------------------------------ */
static void a_snapshot_and_the_rest_are_the_whole(void)
{
    static const pos_state_options others[] = {
        {.terminals_max = 8, .postings_max = 4096, .repeats_max = 4096, .posting_window_d = 2},
        {.terminals_max = 500, .postings_max = 9000, .repeats_max = 5000, .posting_window_d = 2},
        {.terminals_max = 5, .postings_max = 3500, .repeats_max = 3500, .posting_window_d = 2}};
    for (int round = 0; round < 25; round++) {
        history_make();
        pos_state *whole = folded(ENTRIES);
        const uint32_t cut = round == 0 ? 0 : next_chance(ENTRIES + 1);
        pos_state *part = folded(cut);
        save(part);
        for (size_t index = 0; index < 3; index++) {
            pos_state *again = loaded(&others[index]);
            CHECK(again != NULL);
            CHECK(pos_state_sequence(again) == cut && same(again, part));
            CHECK(again->marks_bare == part->marks_bare);
            CHECK(again->posting_pool.taken == part->posting_pool.taken);
            CHECK(again->posting_pool.free == part->posting_pool.free);
            CHECK(again->repeat_pool.taken == part->repeat_pool.taken);
            CHECK(again->repeat_pool.free == part->repeat_pool.free);
            fold_on(again, ENTRIES);
            CHECK(same(again, whole));
            CHECK(pos_state_is_locked(again, "12345670") == pos_state_is_locked(whole, "12345670"));
            pos_state_destroy(again);
        }
        pos_state_destroy(part);
        pos_state_destroy(whole);
    }
}

static void a_snapshot_says_what_it_is_of(void)
{
    pos_saved saved;
    (void)unlink(path);
    CHECK(pos_state_saved_read(path, &saved) == POS_ENTRY_ABSENT);
    pos_state *state = folded(1000);
    save(state);
    CHECK(pos_state_saved_read(path, &saved) == POS_OK);
    const pos_saved wanted = name_of(state);
    CHECK(saved.sequence == 1000 && saved.first_sequence == 1 && saved.at_ns == 7);
    CHECK(memcmp(saved.journal_id, wanted.journal_id, 16) == 0);
    CHECK(memcmp(saved.page_digest, wanted.page_digest, 32) == 0);
    struct stat facts;
    CHECK(stat(path, &facts) == 0 && (facts.st_mode & 0777) == 0600);
    CHECK(saved.size == (uint64_t)facts.st_size);

    pos_state *other = NULL;
    saved.page_digest[0] ^= 1; /* another page than the one in hand */
    CHECK(pos_state_load(&limits, path, &saved, &other) == POS_IMAGE_FORM && other == NULL);
    pos_state_destroy(state);
}

static void a_snapshot_under_other_rules_is_not_used(void)
{
    const pos_state_options others[] = {
        {.terminals_max = 8, .postings_max = 4096, .repeats_max = 4096, .posting_window_d = 3},
        {.terminals_max = 8, .postings_max = 4096, .repeats_max = 4096, .posting_window_d = 2,
         .repeat_window_h = 23},
        {.terminals_max = 4, .postings_max = 4096, .repeats_max = 4096, .posting_window_d = 2},
        {.terminals_max = 8, .postings_max = 100, .repeats_max = 4096, .posting_window_d = 2},
        {.terminals_max = 8, .postings_max = 4096, .repeats_max = 100, .posting_window_d = 2}};
    pos_state *state = folded(ENTRIES);
    save(state);
    for (size_t index = 0; index < sizeof others / sizeof others[0]; index++) {
        pos_saved saved;
        pos_state *none = NULL;
        CHECK(pos_state_saved_read(path, &saved) == POS_OK);
        CHECK(pos_state_load(&others[index], path, &saved, &none) == POS_IMAGE_LIMIT);
        CHECK(none == NULL);
    }
    pos_state_destroy(state);
}

/* ---- damage -------------------------------------------------------------------------------------------- */
static void a_changed_byte_is_found_wherever_it_matters(void)
{
    pos_state *state = folded(ENTRIES);
    save(state);
    struct stat facts;
    CHECK(stat(path, &facts) == 0);
    const int file = open(path, O_RDWR);
    CHECK(file >= 0);
    uint32_t refused = 0;
    for (uint32_t step = 0; step < 2500; step++) {
        /* All of the header, then anywhere. */
        const off_t at = step < 300 ? (off_t)step : (off_t)next_chance((uint32_t)facts.st_size);
        uint8_t byte = 0;
        CHECK(pread(file, &byte, 1, at) == 1);
        const uint8_t changed = (uint8_t)(byte ^ (1U << next_chance(8)));
        CHECK(pwrite(file, &changed, 1, at) == 1);
        pos_state *again = loaded(&limits);
        /* Between the parts nothing is written: a change there changes nothing. */
        if (again == NULL) refused++;
        else CHECK(same(again, state));
        CHECK(again == NULL || step >= 300);
        pos_state_destroy(again);
        CHECK(pwrite(file, &byte, 1, at) == 1);
    }
    CHECK(refused > 1500);
    pos_state *again = loaded(&limits);
    CHECK(again != NULL && same(again, state));
    pos_state_destroy(again);
    for (uint32_t step = 0; step < 60; step++) {
        const off_t size =
            step < 10 ? (off_t)step * 1000 : (off_t)next_chance((uint32_t)facts.st_size);
        CHECK(ftruncate(file, size) == 0);
        CHECK(loaded(&limits) == NULL);
        save(state);
        const int fresh = open(path, O_RDWR);
        CHECK(fresh >= 0 && dup2(fresh, file) == file && close(fresh) == 0);
    }
    CHECK(close(file) == 0);
    pos_state_destroy(state);
}

/* ---- writers that do not finish -------------------------------------------------------------------- */
static void a_writer_without_room_leaves_the_older_one(void)
{
    pos_state *older = folded(500);
    pos_state *newer = folded(ENTRIES);
    save(older);
    const pos_saved saved = name_of(newer);
    struct rlimit before;
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    const struct rlimit small = {.rlim_cur = 100000, .rlim_max = before.rlim_max};
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    CHECK(pos_state_save(newer, &saved, path, false) == POS_SYSTEM);
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    pos_state *again = loaded(&limits);
    CHECK(again != NULL && same(again, older));
    pos_state_destroy(again);
    pos_state_destroy(older);
    pos_state_destroy(newer);
}

static void a_killed_writer_leaves_one_or_the_other(void)
{
    pos_state *states[2] = {folded(700), folded(ENTRIES)};
    save(states[0]);
    for (int round = 0; round < 40; round++) {
        const pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            for (int turn = 0;; turn++) {
                const pos_saved saved = name_of(states[turn % 2]);
                if (pos_state_save(states[turn % 2], &saved, path, false) != POS_OK) _exit(1);
            }
        }
        CHECK(usleep(next_chance(12000)) == 0);
        CHECK(kill(child, SIGKILL) == 0);
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
        pos_state *again = loaded(&limits);
        CHECK(again != NULL && (same(again, states[0]) || same(again, states[1])));
        pos_state_destroy(again);
    }
    pos_state_destroy(states[0]);
    pos_state_destroy(states[1]);
}

int main(void)
{
    CHECK(mkdtemp(home) != NULL);
    CHECK(snprintf(path, sizeof path, "%s/journal.state", home) > 0);
    a_snapshot_and_the_rest_are_the_whole();
    a_snapshot_says_what_it_is_of();
    a_snapshot_under_other_rules_is_not_used();
    a_changed_byte_is_found_wherever_it_matters();
    a_writer_without_room_leaves_the_older_one();
    a_killed_writer_leaves_one_or_the_other();
    char making[160];
    CHECK(snprintf(making, sizeof making, "%s.making", path) > 0);
    (void)unlink(making);
    CHECK(unlink(path) == 0 && rmdir(home) == 0);
    return 0;
}
