/*
 * Goal: a terminal's working keys outlive every crash: after one, its keys are those before the
 * commit or those after it, whole, and no third thing.
 * Method: copies of the file made of the sectors before and after a commit, in every prefix, in
 * every single sector and torn inside of sectors; cut off at every boundary; every byte altered;
 * a writer killed at once; a disk that refuses.
 */
#include "check.h"
#include "mac/mac.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_SIZE_MAX (512 * 1024)
#define TERMINALS 20
#define SECTOR 512

typedef struct image {
    uint8_t data[FILE_SIZE_MAX];
    size_t size;
} image;

static char folder[64];
static char path[128];
static char copy_path[128];
static uint8_t siv_key[64];

static void read_image(const char *from, image *image_out)
{
    FILE *file = fopen(from, "rb");
    CHECK(file != NULL);
    image_out->size = fread(image_out->data, 1, FILE_SIZE_MAX, file);
    CHECK(image_out->size < FILE_SIZE_MAX);
    fclose(file);
}

static void write_image(const char *to, const image *from)
{
    FILE *file = fopen(to, "wb");
    CHECK(file != NULL);
    CHECK(fwrite(from->data, 1, from->size, file) == from->size);
    fclose(file);
}

static void name_of(unsigned terminal, char tid[9], char mid[16])
{
    snprintf(tid, 9, "%08u", terminal);
    snprintf(mid, 16, "%015u", 100 + terminal / 3);
}

/* Keys that say which round of which terminal they are of. */
static pos_working_keys keys_of(unsigned terminal, unsigned round)
{
    pos_working_keys keys;
    pos_key *const slots[3] = {&keys.pik, &keys.mak, &keys.tdk};
    memset(&keys, 0, sizeof keys);
    for (unsigned index = 0; index < 3; index++) {
        uint8_t bytes[16];
        for (unsigned byte = 0; byte < 16; byte++) {
            bytes[byte] = (uint8_t)(terminal * 7 + round * 31 + index * 3 + byte * 11 + 2);
        }
        CHECK(pos_key_make((pos_key_usage)(POS_KEY_PIK + index), POS_CIPHER_DES, bytes,
                           index == 1 ? 8 : 16, NULL, 0, slots[index]) == POS_OK);
    }
    return keys;
}

static bool holds(const pos_terminal_keys *keys, unsigned terminal, unsigned round)
{
    const pos_working_keys wanted = keys_of(terminal, round);
    return memcmp(&keys->pik, &wanted.pik, sizeof wanted.pik) == 0
           && memcmp(&keys->mak, &wanted.mak, sizeof wanted.mak) == 0
           && memcmp(&keys->tdk, &wanted.tdk, sizeof wanted.tdk) == 0;
}

static const pos_terminal_keys *found(const pos_keystore *store, unsigned terminal)
{
    char tid[9];
    char mid[16];
    name_of(terminal, tid, mid);
    return pos_keystore_find(store, tid, mid);
}

static pos_status put(pos_keystore *store, unsigned terminal, unsigned round)
{
    char tid[9];
    char mid[16];
    const pos_working_keys keys = keys_of(terminal, round);
    name_of(terminal, tid, mid);
    return pos_keystore_put(store, tid, mid, &keys);
}

static void retire(pos_keystore *store, unsigned terminal)
{
    char tid[9];
    char mid[16];
    name_of(terminal, tid, mid);
    pos_keystore_retire_old_mak(store, tid, mid);
}

static pos_keystore *opened(const char *at)
{
    pos_keystore *store = NULL;
    CHECK(pos_keystore_open(at, siv_key, 300, &store) == POS_OK);
    return store;
}

static void test_keys_that_were_committed_are_found_again(void)
{
    pos_keystore *store = opened(path);
    CHECK(pos_keystore_count(store) == 0);
    CHECK(found(store, 1) == NULL);
    for (unsigned terminal = 0; terminal < TERMINALS; terminal++) {
        CHECK(put(store, terminal, 1) == POS_OK);
        CHECK(holds(found(store, terminal), terminal, 1)); /* at once */
    }
    CHECK(pos_keystore_commit(store) == POS_OK);
    CHECK(put(store, 3, 2) == POS_OK); /* never committed */
    pos_keystore_close(store);

    store = opened(path);
    CHECK(pos_keystore_count(store) == TERMINALS);
    for (unsigned terminal = 0; terminal < TERMINALS; terminal++) {
        CHECK(holds(found(store, terminal), terminal, 1));
        CHECK(found(store, terminal)->generation == 1);
        CHECK(found(store, terminal)->mak_old.size == 0);
        CHECK(pos_keystore_at(store, terminal) == found(store, terminal));
    }
    CHECK(found(store, TERMINALS) == NULL);
    pos_keystore *second = NULL;
    CHECK(pos_keystore_open(path, siv_key, 300, &second) == POS_JOURNAL_BUSY);
    pos_keystore_close(store);
    struct stat facts;
    CHECK(stat(path, &facts) == 0 && (facts.st_mode & 0777) == 0600);
}

static void test_the_old_mak_lives_until_the_new_one_is_proved(void)
{
    pos_keystore *store = opened(path);
    const pos_working_keys first = keys_of(5, 1);
    CHECK(put(store, 5, 2) == POS_OK);
    CHECK(memcmp(&found(store, 5)->mak_old, &first.mak, sizeof first.mak) == 0);
    CHECK(put(store, 5, 3) == POS_OK); /* the answer was lost: the terminal still has the first */
    CHECK(memcmp(&found(store, 5)->mak_old, &first.mak, sizeof first.mak) == 0);
    CHECK(holds(found(store, 5), 5, 3));
    CHECK(pos_keystore_commit(store) == POS_OK);
    pos_keystore_close(store);

    store = opened(path);
    CHECK(memcmp(&found(store, 5)->mak_old, &first.mak, sizeof first.mak) == 0);
    retire(store, 5);
    retire(store, 5);
    retire(store, TERMINALS + 1);
    CHECK(found(store, 5)->mak_old.size == 0);
    CHECK(pos_keystore_commit(store) == POS_OK); /* nothing was put: nothing is written */
    CHECK(found(store, 5)->generation == 2);
    CHECK(put(store, 6, 2) == POS_OK);
    CHECK(pos_keystore_commit(store) == POS_OK); /* rides along */
    pos_keystore_close(store);

    store = opened(path);
    CHECK(found(store, 5)->mak_old.size == 0);
    CHECK(holds(found(store, 5), 5, 3));
    CHECK(found(store, 6)->mak_old.size == 8);
    pos_keystore_close(store);
}

/* Opens the copy; every terminal has what it had before or after; the store still works. */
static void check_copy(const image *made, unsigned before, unsigned after)
{
    write_image(copy_path, made);
    pos_keystore *store = opened(copy_path);
    for (unsigned terminal = 0; terminal < TERMINALS + 2; terminal++) {
        const pos_terminal_keys *keys = found(store, terminal);
        if (keys == NULL) {
            CHECK(terminal >= TERMINALS); /* new in this commit */
            continue;
        }
        CHECK(holds(keys, terminal, after)
              || (terminal < TERMINALS && holds(keys, terminal, before)));
    }
    CHECK(put(store, 7, after + 1) == POS_OK);
    CHECK(put(store, TERMINALS, after + 1) == POS_OK);
    CHECK(put(store, TERMINALS + 1, after + 1) == POS_OK);
    CHECK(pos_keystore_commit(store) == POS_OK);
    pos_keystore_close(store);
    store = opened(copy_path);
    CHECK(holds(found(store, 7), 7, after + 1));
    CHECK(holds(found(store, TERMINALS), TERMINALS, after + 1));
    CHECK(holds(found(store, TERMINALS + 1), TERMINALS + 1, after + 1));
    CHECK(pos_keystore_count(store) == TERMINALS + 2);
    pos_keystore_close(store);
    CHECK(unlink(copy_path) == 0);
}

static void test_a_torn_commit_leaves_old_or_new_keys(void)
{
    static image before;
    static image after;
    static image made;
    pos_keystore *store = opened(path);
    for (unsigned terminal = 0; terminal < TERMINALS; terminal++) {
        CHECK(put(store, terminal, 8) == POS_OK);
    }
    CHECK(pos_keystore_commit(store) == POS_OK);
    read_image(path, &before);
    for (unsigned terminal = 0; terminal < TERMINALS + 2; terminal++) {
        CHECK(put(store, terminal, 9) == POS_OK);
    }
    CHECK(pos_keystore_commit(store) == POS_OK);
    pos_keystore_close(store);
    read_image(path, &after);
    CHECK(before.size == after.size);

    const size_t sectors = after.size / SECTOR;
    size_t changed = 0;
    for (size_t sector = 0; sector < sectors; sector++) {
        const size_t at = sector * SECTOR;
        if (memcmp(before.data + at, after.data + at, SECTOR) == 0) continue;
        changed++;
        made = before; /* this one and all before it were written */
        memcpy(made.data, after.data, at + SECTOR);
        check_copy(&made, 8, 9);
        made = before; /* this one alone was written */
        memcpy(made.data + at, after.data + at, SECTOR);
        check_copy(&made, 8, 9);
        for (size_t cut = 64; cut < SECTOR; cut += 192) { /* this one is torn inside */
            made = before;
            memcpy(made.data, after.data, at + cut);
            check_copy(&made, 8, 9);
        }
    }
    CHECK(changed == TERMINALS + 2);
}

static void test_a_file_cut_anywhere_gives_whole_keys_or_none(void)
{
    static image whole;
    static image made;
    read_image(path, &whole);
    for (size_t size = 0; size <= (2 * TERMINALS + 6) * SECTOR; size += SECTOR / 2) {
        made = whole;
        made.size = size;
        write_image(copy_path, &made);
        pos_keystore *store = NULL;
        const pos_status status = pos_keystore_open(copy_path, siv_key, 300, &store);
        CHECK(status == (size < SECTOR ? POS_IMAGE_FORM : POS_OK));
        for (unsigned terminal = 0; terminal < TERMINALS + 2 && status == POS_OK; terminal++) {
            const pos_terminal_keys *keys = found(store, terminal);
            const bool is_there = SECTOR * (3 + 2 * (size_t)terminal) <= size;
            CHECK((keys != NULL) == is_there);
            if (is_there) CHECK(holds(keys, terminal, 9));
        }
        pos_keystore_close(store);
    }
    unlink(copy_path);
}

/* Of the two slots of a terminal, this one has the higher generation. */
static bool is_newest(const image *file, size_t sector)
{
    if (sector == 0) return true; /* the header */
    const size_t other = sector % 2 == 1 ? sector + 1 : sector - 1;
    return pos_load_u64_le(file->data + sector * SECTOR + 8)
           > pos_load_u64_le(file->data + other * SECTOR + 8);
}

static void test_an_altered_byte_is_never_a_key(void)
{
    static image whole;
    static image made;
    read_image(path, &whole);
    for (size_t at = 0; at < 5 * SECTOR; at += 7) {
        made = whole;
        made.data[at] ^= 0x20;
        for (int is_disguised = 0; is_disguised < 2; is_disguised++) {
            const size_t sector = at / SECTOR * SECTOR;
            if (is_disguised != 0) { /* a forger can compute a CRC */
                pos_store_u32_le(made.data + sector + 508,
                                 pos_crc32c(0, made.data + sector, 508));
            }
            write_image(copy_path, &made);
            pos_keystore *store = NULL;
            const pos_status status = pos_keystore_open(copy_path, siv_key, 300, &store);
            if (status == POS_OK) {
                for (unsigned terminal = 0; terminal < 2; terminal++) {
                    const pos_terminal_keys *keys = found(store, terminal);
                    CHECK(keys != NULL);
                    CHECK(holds(keys, terminal, 9) || holds(keys, terminal, 8));
                }
                /* Sealed bytes of a slot in use: the seal must have said no. */
                const size_t seal_end = at < SECTOR ? 48 + 32 : 48 + 176;
                CHECK(is_disguised == 0 || at % SECTOR < 4 || at % SECTOR >= seal_end
                      || !is_newest(&whole, at / SECTOR));
            } else {
                CHECK(status == POS_KEY_SEAL || (status == POS_IMAGE_FORM && at < SECTOR));
            }
            pos_keystore_close(store);
        }
    }
    siv_key[9] ^= 1;
    pos_keystore *store = NULL;
    CHECK(pos_keystore_open(path, siv_key, 300, &store) == POS_KEY_SEAL);
    siv_key[9] ^= 1;
    unlink(copy_path);
}

static void test_no_key_stands_in_the_file_in_the_clear(void)
{
    static image whole;
    read_image(path, &whole);
    for (unsigned terminal = 0; terminal < TERMINALS; terminal++) {
        const pos_working_keys keys = keys_of(terminal, 9);
        for (size_t at = 0; at + 8 <= whole.size; at++) {
            CHECK(memcmp(whole.data + at, keys.mak.bytes, 8) != 0);
            CHECK(memcmp(whole.data + at, keys.pik.bytes, 8) != 0);
        }
    }
}

static void test_the_store_grows_and_says_when_it_is_full(void)
{
    pos_keystore *store = NULL;
    CHECK(pos_keystore_open(copy_path, siv_key, 200, &store) == POS_OK);
    for (unsigned terminal = 0; terminal < 200; terminal++) {
        CHECK(put(store, terminal, 1) == POS_OK);
    }
    CHECK(put(store, 200, 1) == POS_STATE_FULL);
    CHECK(found(store, 200) == NULL);
    CHECK(pos_keystore_commit(store) == POS_OK);
    pos_keystore_close(store);
    CHECK(pos_keystore_open(copy_path, siv_key, 199, &store) == POS_IMAGE_LIMIT);
    CHECK(pos_keystore_open(copy_path, siv_key, 200, &store) == POS_OK);
    for (unsigned terminal = 0; terminal < 200; terminal++) {
        CHECK(holds(found(store, terminal), terminal, 1));
    }
    pos_keystore_close(store);
    unlink(copy_path);
}

/* Writes rounds without end and says after each commit which one is durable. */
static void write_rounds(int report)
{
    pos_keystore *store = opened(copy_path);
    for (unsigned round = 1;; round++) {
        for (unsigned terminal = 0; terminal < 4; terminal++) {
            CHECK(put(store, terminal, round) == POS_OK);
        }
        CHECK(pos_keystore_commit(store) == POS_OK);
        CHECK(write(report, &round, sizeof round) == (ssize_t)sizeof round);
    }
}

static void test_a_killed_writer_loses_nothing_that_it_reported(void)
{
    for (unsigned trial = 0; trial < 8; trial++) {
        int ends[2];
        unsigned wanted = 3 + 5 * trial;
        unsigned reported = 0;
        CHECK(pipe(ends) == 0);
        const pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            write_rounds(ends[1]);
        }
        close(ends[1]);
        while (reported < wanted) {
            CHECK(read(ends[0], &reported, sizeof reported) == (ssize_t)sizeof reported);
        }
        CHECK(kill(child, SIGKILL) == 0);
        CHECK(waitpid(child, NULL, 0) == child);
        unsigned later = 0;
        while (read(ends[0], &later, sizeof later) == (ssize_t)sizeof later) reported = later;
        close(ends[0]);
        pos_keystore *store = opened(copy_path);
        for (unsigned terminal = 0; terminal < 4; terminal++) {
            const pos_terminal_keys *keys = found(store, terminal);
            CHECK(keys != NULL);
            CHECK(holds(keys, terminal, reported) || holds(keys, terminal, reported + 1));
        }
        pos_keystore_close(store);
        CHECK(unlink(copy_path) == 0);
    }
}

static void test_a_failed_commit_ends_the_store(void)
{
    pos_keystore *store = opened(copy_path);
    CHECK(put(store, 1, 1) == POS_OK);
    CHECK(pos_keystore_commit(store) == POS_OK);
    struct rlimit usual;
    CHECK(getrlimit(RLIMIT_FSIZE, &usual) == 0);
    const struct rlimit small = {.rlim_cur = 700, .rlim_max = usual.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    CHECK(put(store, 1, 2) == POS_OK);
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    CHECK(pos_keystore_commit(store) == POS_SYSTEM);
    CHECK(setrlimit(RLIMIT_FSIZE, &usual) == 0);
    CHECK(pos_keystore_commit(store) == POS_SYSTEM);
    CHECK(put(store, 1, 3) == POS_SYSTEM);
    pos_keystore_close(store);
    store = opened(copy_path);
    CHECK(holds(found(store, 1), 1, 1));
    pos_keystore_close(store);
    unlink(copy_path);
}

int main(void)
{
    snprintf(folder, sizeof folder, "/tmp/posengine-keystore-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/keys", folder);
    snprintf(copy_path, sizeof copy_path, "%s/copy", folder);
    for (size_t byte = 0; byte < sizeof siv_key; byte++) siv_key[byte] = (uint8_t)(byte * 5 + 1);

    test_keys_that_were_committed_are_found_again();
    test_the_old_mak_lives_until_the_new_one_is_proved();
    test_a_torn_commit_leaves_old_or_new_keys();
    test_a_file_cut_anywhere_gives_whole_keys_or_none();
    test_an_altered_byte_is_never_a_key();
    test_no_key_stands_in_the_file_in_the_clear();
    test_the_store_grows_and_says_when_it_is_full();
    test_a_killed_writer_loses_nothing_that_it_reported();
    test_a_failed_commit_ends_the_store();
    CHECK(unlink(path) == 0);
    CHECK(rmdir(folder) == 0);
    return 0;
}
