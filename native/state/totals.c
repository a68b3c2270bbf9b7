/*
 * Totals of the open batch, as field 48 of a settlement carries them: by side (domestic, foreign)
 * and by sign (debit, credit), and besides by kind.
 *
 * A voided original stays in the debits, its void counts as a credit; what a reversal undid leaves
 * the totals. Source: the dialect's settlement rules.
 */
#include "state/tables.h"

#include <assert.h>

void pos_totals_post(terminal_record *terminal, const pos_posting *posting, bool is_added)
{
    assert(posting->kind < POS_KIND_COUNT);
    const bool is_foreign = (posting->flags & POS_POSTING_FOREIGN) != 0;
    const int64_t amount = is_added ? posting->amount_minor : -posting->amount_minor;
    const uint32_t count = is_added ? 1U : UINT32_MAX; /* minus one, modulo 2^32 */

    pos_kind_total *kind = &terminal->kinds[is_foreign ? 1 : 0][posting->kind];
    assert(is_added || kind->count > 0);
    kind->amount_minor += amount;
    kind->count += count;

    pos_totals *totals = &terminal->face.totals;
    pos_totals_side *side = is_foreign ? &totals->foreign : &totals->domestic;
    const int sign = pos_kind_sign(posting->kind);
    if (sign > 0) {
        side->debit_minor += amount;
        side->debit_count += count;
    } else if (sign < 0) {
        side->credit_minor += amount;
        side->credit_count += count;
    }
}
