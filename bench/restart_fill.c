/*
 * Puts a history into a journal as fast as its pages are written: what ENTRIES messages of a fleet
 * leave. For bench/restart.py; prints the last sequence.
 *
 *   restart_fill PATH ENTRIES TERMINALS DAYS VOLUME_SIZE
 *
 * The terminals have signed on before and have batch 1 open. Each day they share the day's sales and
 * settle in the evening, which closes their batch and opens the next one. The last day is not settled.
 */
#include <posengine/journal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOON INT64_C(1795262400000000000)
#define DAY_NS INT64_C(86400000000000)
#define REQUEST_SIZE 96
#define ANSWER_SIZE 64
#define PAGE_ENTRIES 2000
#define MUST(claim)                                             \
    do {                                                        \
        if (!(claim)) {                                         \
            fprintf(stderr, "line %d: %s\n", __LINE__, #claim); \
            exit(1);                                            \
        }                                                       \
    } while (0)

static pos_journal *journal;
static uint8_t heap[REQUEST_SIZE + ANSWER_SIZE];
static uint32_t staged;
static uint64_t chance = 88172645463325252U;

static uint64_t next_chance(void)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance;
}

static void stage(pos_entry *entry)
{
    entry->request = heap;
    entry->request_size = REQUEST_SIZE;
    entry->answer = heap + REQUEST_SIZE;
    entry->answer_size = ANSWER_SIZE;
    MUST(pos_journal_stage(journal, entry) == POS_OK);
    if (++staged < PAGE_ENTRIES) return;
    MUST(pos_journal_turn_over(journal));
    MUST(pos_journal_write(journal, false) == POS_OK);
    staged = 0;
}

static pos_entry entry_of(pos_kind kind, uint16_t mti, uint32_t terminal, uint32_t batch,
                          uint32_t stan, int64_t at_ns)
{
    pos_entry entry = {.kind = (uint8_t)kind,
                       .mti = mti,
                       .outcome = POS_OUTCOME_APPROVED,
                       .received_at_ns = at_ns,
                       .batch = batch,
                       .stan = stan};
    char tid[9];
    (void)snprintf(tid, sizeof tid, "%08u", 10000001U + terminal);
    memcpy(entry.tid, tid, 8);
    memcpy(entry.mid, "104110045110012", 15);
    memcpy(entry.response, "00", 2);
    memset(entry.reason, ' ', sizeof entry.reason);
    memset(entry.rrn, ' ', sizeof entry.rrn);
    memset(entry.original_rrn, ' ', sizeof entry.original_rrn);
    memset(entry.auth, '1', sizeof entry.auth);
    memset(entry.operator_id, ' ', sizeof entry.operator_id);
    return entry;
}

static void sell(uint32_t terminal, uint32_t batch, uint32_t stan, int64_t at_ns)
{
    pos_entry entry = entry_of(POS_KIND_SALE, 0x0200, terminal, batch, stan, at_ns);
    entry.flags = POS_FLAG_PAN | POS_FLAG_MAC_CHECKED;
    entry.amount_minor = (int64_t)(next_chance() % 100000) + 1;
    entry.bin = 622588;
    entry.currency = 156;
    const uint64_t card = next_chance() % 5000000 * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(entry.pan_token, &card, sizeof card);
    const uint64_t print = next_chance();
    memcpy(entry.fingerprint, &print, sizeof print);
    stage(&entry);
}

static void settle(uint32_t terminal, uint32_t batch, uint32_t stan, int64_t at_ns)
{
    pos_entry settling = entry_of(POS_KIND_SETTLE, 0x0500, terminal, batch, stan, at_ns);
    settling.flags = POS_FLAG_BALANCED | POS_FLAG_BATCH_CLOSED;
    stage(&settling);
    pos_entry opening = entry_of(POS_KIND_SIGN_ON, 0x0800, terminal, batch + 1, stan + 1, at_ns);
    opening.flags = POS_FLAG_BATCH_OPENED;
    stage(&opening);
}

int main(int count, char **words)
{
    MUST(count == 6);
    const uint64_t entries = strtoull(words[2], NULL, 10);
    const uint32_t terminals = (uint32_t)strtoul(words[3], NULL, 10);
    const uint32_t days = (uint32_t)strtoul(words[4], NULL, 10);
    const pos_journal_options options = {.volume_size_max = strtoull(words[5], NULL, 10),
                                         .zone_offset_minute = 480};
    MUST(pos_journal_open(words[1], &options, &journal) == POS_OK);
    for (size_t index = 0; index < sizeof heap; index++) heap[index] = (uint8_t)(index * 37);
    uint32_t *stans = calloc(terminals, sizeof stans[0]);
    MUST(stans != NULL);
    const uint64_t settling = (uint64_t)terminals * 2 * (days - 1);
    MUST(entries > settling);
    const uint64_t sales = (entries - settling) / days;
    for (uint32_t day = 0; day < days; day++) {
        const int64_t morning_ns = NOON - (int64_t)(days - day) * DAY_NS;
        for (uint64_t sale = 0; sale < sales; sale++) {
            const uint32_t terminal = (uint32_t)(next_chance() % terminals);
            const int64_t at_ns = morning_ns + (int64_t)(sale * (DAY_NS / 2 / sales));
            sell(terminal, day + 1, 10 + stans[terminal]++, at_ns);
        }
        for (uint32_t terminal = 0; terminal < terminals && day + 1 < days; terminal++) {
            settle(terminal, day + 1, 10 + stans[terminal], morning_ns + DAY_NS / 2 + 1);
            stans[terminal] += 2;
        }
    }
    uint64_t last = 0;
    MUST(pos_journal_commit(journal, &last) == POS_OK);
    printf("%llu\n", (unsigned long long)last);
    pos_journal_close(journal);
    free(stans);
    return 0;
}
