/*
 * Goal: the journal's Arrow stream says what the pages say, and nothing that a consumer may do with its
 * parts (keep, move, release in any order, after the stream) touches memory that is gone; the owner is
 * told once, at the very end.
 * Method: batches beside pos_page_entry, row by row, whole and cut; parts released in every order of
 * four, moved out of their parents as the specification allows; the sanitizers watch.
 */
#include <unistd.h>

#include "check.h"
#include "journal/parts.h"
#include "posengine/arrow.h"

#define ENTRIES 250
#define A_PAGE 40

static char path[64];

static const char *text_at(const struct ArrowArray *array, int64_t row, size_t *size_out)
{
    const int32_t *offsets = array->buffers[1];
    row += array->offset;
    *size_out = (size_t)(offsets[row + 1] - offsets[row]);
    return (const char *)array->buffers[2] + offsets[row];
}

static pos_entry entry_of(uint64_t sequence)
{
    pos_entry entry = {
        .received_at_ns = 1795262400000000000 + (int64_t)sequence,
        .terminal_at_ns = sequence % 3 == 0 ? 0 : (int64_t)sequence,
        .amount_minor = -(int64_t)sequence,
        .kind = (uint8_t)(sequence % POS_KIND_COUNT),
        .outcome = (uint8_t)(sequence % POS_OUTCOME_COUNT),
        .stan = (uint32_t)sequence,
    };
    memset(entry.response, ' ', sizeof entry.response);
    memcpy(entry.tid, "T0000001", 8);
    memset(entry.mid, 'M', sizeof entry.mid);
    entry.tid[7] = (char)(sequence == 77 ? 0xe9 : '0' + sequence % 10); /* one byte that is no text */
    return entry;
}

static void count(void *context)
{
    (*(int *)context)++;
}

static pos_journal *made(void)
{
    const pos_journal_options options = {.volume_size_max = 1U << 20};
    pos_journal *journal = NULL;
    CHECK(pos_journal_open(path, &options, &journal) == POS_OK);
    for (uint64_t sequence = 1; sequence <= ENTRIES; sequence++) {
        pos_entry entry = entry_of(sequence);
        CHECK(pos_journal_stage(journal, &entry) == POS_OK);
        if (sequence % A_PAGE == 0) CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    }
    CHECK(pos_journal_commit(journal, NULL) == POS_OK);
    return journal;
}

static void check_row(struct ArrowArray *const *columns, int64_t row, uint64_t sequence)
{
    const pos_entry wanted = entry_of(sequence);
    const int64_t at = row + columns[0]->offset;
    CHECK(((const uint64_t *)columns[0]->buffers[1])[at] == sequence);
    CHECK(((const int32_t *)columns[1]->buffers[1])[at] == 20778); /* 2026-11-21 */
    CHECK(((const int64_t *)columns[2]->buffers[1])[at] == wanted.received_at_ns);
    const uint8_t *said = columns[3]->buffers[0];
    CHECK((said[at / 8] >> at % 8 & 1) == (wanted.terminal_at_ns != 0));
    CHECK(((const int64_t *)columns[4]->buffers[1])[at] == wanted.amount_minor);
    size_t size = 0;
    const char *tid = text_at(columns[5], row, &size);
    CHECK(size == 8 && memcmp(tid, wanted.tid, 7) == 0);
    CHECK(tid[7] == (sequence == 77 ? '?' : wanted.tid[7]));
    CHECK(((const uint8_t *)columns[6]->buffers[1])[at] == wanted.kind);
    const char *word = text_at(columns[6]->dictionary, wanted.kind, &size);
    CHECK(size == strlen(pos_kind_name(wanted.kind)) && memcmp(word, pos_kind_name(wanted.kind), size) == 0);
    CHECK(columns[6]->dictionary->length == 256);
}

static const char *const NAMES[] = {"sequence", "business_date", "received_at", "terminal_at",
                                    "amount",   "tid",           "kind"};
static size_t chosen[7];

static void choose(void)
{
    for (size_t wanted = 0; wanted < 7; wanted++) {
        size_t index = 0;
        while (strcmp(pos_arrow_field_name(index), NAMES[wanted]) != 0) index++;
        chosen[wanted] = index;
    }
}

static void test_batches_say_what_pages_say(pos_journal *journal, uint64_t after, uint64_t until)
{
    int ended = 0;
    const pos_arrow_options options = {after, until, chosen, 7, count, &ended};
    struct ArrowArrayStream stream;
    CHECK(pos_journal_arrow(journal, &options, &stream) == POS_OK);
    struct ArrowSchema schema;
    CHECK(stream.get_schema(&stream, &schema) == 0);
    CHECK(strcmp(schema.format, "+s") == 0 && schema.n_children == 7);
    for (size_t index = 0; index < 7; index++) {
        CHECK(strcmp(schema.children[index]->name, NAMES[index]) == 0);
    }
    schema.release(&schema);
    CHECK(schema.release == NULL);
    uint64_t sequence = after;
    const uint64_t last = until == 0 || until > ENTRIES ? ENTRIES : until;
    for (;;) {
        struct ArrowArray batch;
        CHECK(stream.get_next(&stream, &batch) == 0);
        if (batch.release == NULL) break;
        CHECK(batch.n_children == 7 && batch.length > 0 && batch.length <= A_PAGE);
        int64_t nulls = 0;
        for (int64_t row = 0; row < batch.length; row++) {
            check_row(batch.children, row, ++sequence);
            nulls += sequence % 3 == 0;
        }
        CHECK(batch.children[3]->null_count == nulls);
        batch.release(&batch);
    }
    CHECK(sequence == last || (after >= last && sequence == after));
    CHECK(ended == 0);
    stream.release(&stream);
    CHECK(ended == 1);
}

/* Four parts: the stream, a batch, a column moved out of it, a dictionary's column moved out. */
static void test_parts_may_go_in_any_order(pos_journal *journal)
{
    for (unsigned order = 0; order < 24; order++) {
        int ended = 0;
        const pos_arrow_options options = {0, 0, chosen, 7, count, &ended};
        struct ArrowArrayStream stream;
        struct ArrowArray batch;
        CHECK(pos_journal_arrow(journal, &options, &stream) == POS_OK);
        CHECK(stream.get_next(&stream, &batch) == 0);
        struct ArrowArray tid = *batch.children[5];
        batch.children[5]->release = NULL; /* moved: ours now */
        struct ArrowArray kind = *batch.children[6];
        batch.children[6]->release = NULL;
        unsigned left[4] = {0, 1, 2, 3};
        unsigned rest = order;
        for (unsigned turn = 4; turn > 0; turn--) {
            const unsigned at = rest % turn;
            rest /= turn;
            CHECK(ended == 0);
            size_t size = 0;
            switch (left[at]) {
            case 0: stream.release(&stream); break;
            case 1: batch.release(&batch); break;
            case 2:
                CHECK(memcmp(text_at(&tid, 4, &size), "T000000", 7) == 0);
                tid.release(&tid);
                break;
            default:
                CHECK(text_at(kind.dictionary, 255, &size) != NULL && size == 8);
                kind.release(&kind);
            }
            left[at] = left[turn - 1];
        }
        CHECK(ended == 1);
    }
}

static void test_a_schema_outlives_its_stream(pos_journal *journal)
{
    const pos_arrow_options all = {.after = 0};
    struct ArrowArrayStream stream;
    CHECK(pos_journal_arrow(journal, &all, &stream) == POS_OK);
    struct ArrowSchema schema;
    CHECK(stream.get_schema(&stream, &schema) == 0);
    stream.release(&stream);
    CHECK((size_t)schema.n_children == pos_arrow_field_count());
    struct ArrowSchema kind = {.release = NULL};
    for (int64_t index = 0; index < schema.n_children; index++) {
        struct ArrowSchema *child = schema.children[index];
        CHECK(strcmp(child->name, pos_arrow_field_name((size_t)index)) == 0);
        if (strcmp(child->name, "kind") != 0) continue;
        kind = *child;
        child->release = NULL;
    }
    schema.release(&schema);
    CHECK(strcmp(kind.dictionary->format, "u") == 0);
    kind.release(&kind);
}

static void test_what_is_not_there_is_refused(pos_journal *journal)
{
    const size_t wrong = pos_arrow_field_count();
    const pos_arrow_options options = {.fields = &wrong, .field_count = 1};
    struct ArrowArrayStream stream = {.private_data = &stream};
    CHECK(pos_arrow_field_name(wrong) == NULL);
    CHECK(pos_journal_arrow(journal, &options, &stream) == POS_ARGUMENT);
    CHECK(stream.private_data == &stream);
    const pos_arrow_options none = {.fields = &wrong, .field_count = 0};
    CHECK(pos_journal_arrow(journal, &none, &stream) == POS_ARGUMENT);
}

int main(void)
{
    (void)snprintf(path, sizeof path, "/tmp/posengine-arrow-XXXXXX");
    CHECK(mkdtemp(path) != NULL);
    choose();
    pos_journal *journal = made();
    test_batches_say_what_pages_say(journal, 0, 0);
    test_batches_say_what_pages_say(journal, 1, 39);
    test_batches_say_what_pages_say(journal, 39, 41);
    test_batches_say_what_pages_say(journal, 40, 80);
    test_batches_say_what_pages_say(journal, 76, 77);
    test_batches_say_what_pages_say(journal, 100, 1000);
    test_batches_say_what_pages_say(journal, ENTRIES, 0);
    test_parts_may_go_in_any_order(journal);
    test_a_schema_outlives_its_stream(journal);
    test_what_is_not_there_is_refused(journal);
    pos_journal_close(journal);
    char remove[96];
    (void)snprintf(remove, sizeof remove, "rm -rf %s", path);
    return system(remove) == 0 ? 0 : 1;
}
