/*
 * Settlement and batch upload.
 *
 *   0500 settle ─▶ equal ──────────▶ batch closes ─▶ 203, 204 chip records, 207 end: noted
 *        │
 *        └──────▶ different ─▶ 201 records, 205, 206 chip, 000 advices ─▶ 202 end ─▶ batch closes
 *                              each is held against our posting of that batch and STAN
 *
 * What an upload found goes into the entry as record 0 of its request slice:
 *
 *   u8 0 · u16 size · u8 version 1 · u32 records · u32 matched · u32 missing with us ·
 *   u32 missing at the terminal · u32 differing · u32 claimed by the end message ·
 *   u8 count · count × {u8 verdict, u32 STAN, u64 sequence, i64 theirs, i64 ours}
 *
 * little-endian, amounts in minor units. The counts are whole; an end message lists the first
 * POS_FINDING_MAX postings that the terminal did not upload.
 */
#include "decide/case.h"

#include <assert.h>

#define DIGIT_BALANCED 1U
#define DIGIT_UNBALANCED 2U
#define DIGIT_ERROR 3U

/* ---- settlement ------------------------------------------------------------------------------ */
#define COUNT_MODULUS 1000U /* field 48 has three digits for a count; amounts have twelve */

static bool side_agrees(const pos_totals_side *theirs, const pos_totals_side *ours)
{
    return theirs->debit_minor == ours->debit_minor && theirs->credit_minor == ours->credit_minor
           && theirs->debit_count % COUNT_MODULUS == ours->debit_count % COUNT_MODULUS
           && theirs->credit_count % COUNT_MODULUS == ours->credit_count % COUNT_MODULUS;
}

static void settle_fail(pos_case *matter, pos_reason reason)
{
    matter->said->result_domestic = DIGIT_ERROR;
    matter->said->result_foreign = DIGIT_ERROR;
    (void)case_say(matter, reason);
}

void case_settle(pos_case *matter)
{
    const pos_request *request = matter->request;
    const pos_terminal_state *ours = matter->ours;
    pos_decision *said = matter->said;
    const bool is_open = ours != NULL && ours->batch != 0 && request->batch == ours->batch;
    const bool is_closed = ours != NULL && !is_open && ours->batch_closed != 0
                           && request->batch == ours->batch_closed;
    if (!is_open && !is_closed) {
        settle_fail(matter, POS_REASON_BATCH_DIFFERS);
        return;
    }
    if (!request->has_totals) {
        settle_fail(matter, POS_REASON_TOTALS_ABSENT);
        return;
    }
    said->totals = is_open ? ours->totals : ours->totals_closed;
    const bool domestic = side_agrees(&request->totals.domestic, &said->totals.domestic);
    const bool foreign = side_agrees(&request->totals.foreign, &said->totals.foreign);
    said->result_domestic = domestic ? DIGIT_BALANCED : DIGIT_UNBALANCED;
    said->result_foreign = foreign ? DIGIT_BALANCED : DIGIT_UNBALANCED;
    const bool is_balanced = domestic && foreign;
    if (is_balanced) said->flags |= POS_FLAG_BALANCED;
    if (is_balanced && is_open) said->flags |= POS_FLAG_BATCH_CLOSED;
    if (is_open) {
        (void)case_say(matter, is_balanced ? POS_REASON_BALANCED : POS_REASON_UNBALANCED);
    } else {
        (void)case_say(matter,
                       is_balanced ? POS_REASON_BALANCED_AGAIN : POS_REASON_UNBALANCED_AGAIN);
    }
}

/* ---- uploads: records ------------------------------------------------------------------------ */
/* True where the batch is being uploaded; else it has spoken. */
static bool upload_is_due(pos_case *matter)
{
    const pos_terminal_state *ours = matter->ours;
    const uint32_t batch = matter->request->batch;
    if (ours != NULL && batch != 0 && batch == ours->upload.batch && !ours->upload.is_ended) {
        return true;
    }
    if (ours != NULL && batch != 0 && batch == ours->batch_closed) {
        return case_say(matter, POS_REASON_UPLOAD_AGAIN);
    }
    if (ours != NULL && batch != 0 && batch == ours->batch) {
        return case_say(matter, POS_REASON_UNSETTLED);
    }
    return case_say(matter, POS_REASON_BATCH_DIFFERS);
}

static const pos_posting *posting_of_stan(const pos_case *matter, uint32_t stan)
{
    const pos_posting *posting =
        pos_state_posting_by_stan(matter->state, matter->ours, matter->request->batch, stan);
    if (posting == NULL || (posting->flags & POS_POSTING_REVERSED) != 0) return NULL;
    return posting;
}

static bool card_differs(const pos_posting *posting, uint32_t bin, uint16_t last4)
{
    if ((posting->flags & POS_POSTING_PAN) == 0 || bin == 0) return false;
    return posting->bin != bin || posting->last4 != last4;
}

/* In the totals, and not uploaded yet. */
static bool is_expected(const pos_posting *posting)
{
    return pos_kind_sign(posting->kind) != 0
           && (posting->flags & (POS_POSTING_REVERSED | POS_POSTING_UPLOADED)) == 0;
}

/* A chip record has a STAN of its own, so its card and amount must name the posting. */
static const pos_posting *posting_of_card(const pos_case *matter, const pos_detail *detail)
{
    const pos_posting *posting = pos_state_batch_next(matter->state, matter->ours, NULL);
    for (; posting != NULL; posting = pos_state_batch_next(matter->state, matter->ours, posting)) {
        if (is_expected(posting) && posting->amount_minor == detail->amount_minor
            && (posting->flags & POS_POSTING_PAN) != 0
            && pos_equal(posting->pan_token, matter->request->pan_token, 16)) {
            return posting;
        }
    }
    return NULL;
}

static pos_finding compared(const pos_case *matter, const pos_detail *detail)
{
    const pos_posting *posting = posting_of_stan(matter, detail->stan);
    const bool is_chip = matter->request->kind == POS_KIND_BATCH_CHIP;
    if (is_chip && posting == NULL) posting = posting_of_card(matter, detail);
    pos_finding finding = {.stan = detail->stan, .theirs_minor = detail->amount_minor};
    if (posting == NULL) {
        finding.verdict = POS_FINDING_MISSING_OURS;
        return finding;
    }
    finding.sequence = posting->sequence;
    finding.ours_minor = posting->amount_minor;
    if ((posting->flags & POS_POSTING_UPLOADED) != 0) {
        finding.verdict = POS_FINDING_TWICE;
    } else if (posting->amount_minor != detail->amount_minor) {
        finding.verdict = POS_FINDING_AMOUNT;
    } else if (card_differs(posting, detail->bin, detail->last4)) {
        finding.verdict = POS_FINDING_CARD;
    } else {
        finding.verdict = POS_FINDING_MATCHED;
    }
    return finding;
}

static void find(pos_decision *said, const pos_finding *finding)
{
    assert(finding->verdict != 0);
    switch (finding->verdict) {
    case POS_FINDING_MATCHED: said->matched++; break;
    case POS_FINDING_MISSING_OURS: said->missing_ours++; break;
    case POS_FINDING_MISSING_THEIRS: said->missing_theirs++; break;
    default: said->differing++; break;
    }
    if (said->finding_count < POS_FINDING_MAX) said->findings[said->finding_count++] = *finding;
}

/* The same STAN twice in one message: the state has not yet seen the first. */
static void find_once(pos_decision *said, pos_finding finding)
{
    for (unsigned index = 0; index < said->finding_count; index++) {
        if (said->findings[index].stan == finding.stan && finding.sequence != 0) {
            finding.verdict = POS_FINDING_TWICE;
        }
    }
    find(said, &finding);
}

void case_upload(pos_case *matter)
{
    const pos_request *request = matter->request;
    pos_decision *said = matter->said;
    if (!upload_is_due(matter)) return;
    said->has_findings = true;
    if (request->kind == POS_KIND_BATCH_DETAIL) {
        for (unsigned index = 0; index < request->detail_count; index++) {
            find_once(said, compared(matter, &request->details[index]));
        }
    } else {
        const pos_detail self = {.amount_minor = request->amount_minor,
                                 .stan = request->stan,
                                 .bin = request->bin,
                                 .last4 = request->last4};
        find_once(said, compared(matter, &self));
    }
    said->records = said->finding_count;
    const bool agrees = said->missing_ours == 0 && said->differing == 0;
    (void)case_say(matter, agrees ? POS_REASON_UPLOAD_AGREES : POS_REASON_UPLOAD_DIFFERS);
}

/* ---- uploads: end ---------------------------------------------------------------------------- */
void case_upload_end(pos_case *matter)
{
    pos_decision *said = matter->said;
    if (!upload_is_due(matter)) return;
    const pos_upload *upload = &matter->ours->upload;
    said->has_findings = true;
    said->claimed = matter->request->upload_count;
    said->records = upload->records;
    said->matched = upload->matched;
    said->missing_ours = upload->missing_ours;
    said->differing = upload->differing;
    if (!upload->is_balanced) {
        const pos_posting *posting = pos_state_batch_next(matter->state, matter->ours, NULL);
        for (; posting != NULL;
             posting = pos_state_batch_next(matter->state, matter->ours, posting)) {
            if (!is_expected(posting)) continue;
            find(said, &(pos_finding){.verdict = POS_FINDING_MISSING_THEIRS,
                                      .stan = posting->stan,
                                      .sequence = posting->sequence,
                                      .ours_minor = posting->amount_minor});
        }
        said->flags |= POS_FLAG_BATCH_CLOSED;
    }
    if (said->missing_ours != 0 || said->missing_theirs != 0 || said->differing != 0) {
        said->is_alarm = true; /* a person must look: money is said to be, or not to be, there */
        (void)case_say(matter, POS_REASON_UPLOAD_END_DIFFERS);
    } else if (said->claimed != 0 && said->claimed != upload->records) {
        said->is_alarm = true;
        (void)case_say(matter, POS_REASON_UPLOAD_END_COUNT);
    } else {
        (void)case_say(matter, POS_REASON_UPLOAD_END_AGREES);
    }
}

/* ---- what was found, for the entry ----------------------------------------------------------- */
void pos_decide_findings(const pos_decision *decision, pos_writer *writer)
{
    assert(decision->finding_count <= POS_FINDING_MAX);
    if (!decision->has_findings) return;
    const unsigned count = decision->finding_count;
    pos_writer_u8(writer, 0);
    pos_writer_u16_le(writer, (uint16_t)(1 + 6 * 4 + 1 + count * 29));
    pos_writer_u8(writer, 1);
    pos_writer_u32_le(writer, decision->records);
    pos_writer_u32_le(writer, decision->matched);
    pos_writer_u32_le(writer, decision->missing_ours);
    pos_writer_u32_le(writer, decision->missing_theirs);
    pos_writer_u32_le(writer, decision->differing);
    pos_writer_u32_le(writer, decision->claimed);
    pos_writer_u8(writer, (uint8_t)count);
    for (unsigned index = 0; index < count; index++) {
        const pos_finding *finding = &decision->findings[index];
        pos_writer_u8(writer, finding->verdict);
        pos_writer_u32_le(writer, finding->stan);
        pos_writer_u64_le(writer, finding->sequence);
        pos_writer_u64_le(writer, (uint64_t)finding->theirs_minor);
        pos_writer_u64_le(writer, (uint64_t)finding->ours_minor);
    }
}
