/*
 * The policy: the rules as data.
 *
 * Image (roster/image.c): magic "POSPOLCY", version 1, settings of 3,072 bytes, one record a BIN
 * range. All numbers little-endian; every byte that is not named is zero.
 *
 *   settings                                     offset  size
 *     acquirer's id, digits, zero padded              0    12
 *     field 44: issuer 11, acquirer 11               12    26
 *     63.1, card organization                        38     4
 *     shard, 0 to 99                                 42     1
 *     processing requirement: always, at sign-on     43     1 + 1
 *     flags: 01 fallback, 02 unreferenced refund,    45     1
 *            04 adjustments carry the new total
 *     cards of no range: 0 domestic, 1 foreign,      46     1
 *            2 refused
 *     unseen reversal: 0 "00", 1 "25"                47     1
 *     zone offset in minutes, signed                 48     4
 *     clock skew in seconds, 0: not looked at        52     4
 *     completion percent, refund days, adjust        56     2 + 2 + 2
 *            percent
 *     cutover minute of the day, its length          62     2 + 2
 *     uses of a card in a batch, 0: any              66     2
 *     first batch of a terminal                      68     4
 *     balance told to inquiries                      72     8
 *     entry modes allowed, bit n is 22 digits 1-2    80    16
 *     kinds that the certification table is for      96     8
 *     kind rules: 64 × {u8 offered, 7 zero,         112  2,560
 *            i64 min, i64 max, i64 floor, i64 PIN above}
 *     certification: 100 × {char response[2], 2 zero}, 2,672  400
 *            by the amount's last two digits; 0: none
 *
 *   record: u32 first, u32 last (six digits each), u64 kinds, u8 foreign, u8 standing, 6 zero;
 *   ascending, and no two overlap
 */
#include "decide/case.h"

#include <assert.h>
#include <stdlib.h>

#define SETTINGS_SIZE 3072U
#define RANGE_SIZE 24U
#define RANGES_MAX 1000000U /* there are no more six-digit numbers */
#define KINDS_OFFSET 112U
#define KIND_SIZE 40U
#define ENDINGS_OFFSET 2672U

static bool text_ends(const uint8_t *text, size_t size)
{
    return text[size - 1] == 0;
}

static bool scalars_are_sane(const pos_policy *policy, const uint8_t *at)
{
    return text_ends(at, 12) && text_ends(at + 12, 26) && text_ends(at + 38, 4)
           && policy->names.shard <= 99 && policy->requirement <= 15
           && policy->requirement_sign_on <= 15 && at[45] <= 7 && at[46] <= 2 && at[47] <= 1
           && policy->zone_offset_minute >= -720 && policy->zone_offset_minute <= 840
           && policy->completion_percent <= 1000 && policy->adjust_percent_max <= 1000
           && policy->cutover_minute < 1440 && policy->cutover_length_minute < 1440
           && policy->batch_first >= 1 && policy->batch_first <= 999999
           && policy->balance_minor >= 0;
}

static bool scalars_read(pos_policy *policy, const uint8_t *at)
{
    pos_copy(policy->names.acquirer, at, 12);
    pos_copy(policy->names.institutions, at + 12, 26);
    pos_copy(policy->names.organization, at + 38, 4);
    policy->names.shard = at[42];
    policy->requirement = at[43];
    policy->requirement_sign_on = at[44];
    policy->allows_fallback = (at[45] & 1U) != 0;
    policy->allows_refund_unreferenced = (at[45] & 2U) != 0;
    policy->adjusts_to_total = (at[45] & 4U) != 0;
    policy->unknown_card = at[46];
    policy->unseen_is_25 = at[47] == 1;
    policy->zone_offset_minute = (int32_t)pos_load_u32_le(at + 48);
    policy->clock_skew_s_max = pos_load_u32_le(at + 52);
    policy->completion_percent = pos_load_u16_le(at + 56);
    policy->refund_days = pos_load_u16_le(at + 58);
    policy->adjust_percent_max = pos_load_u16_le(at + 60);
    policy->cutover_minute = pos_load_u16_le(at + 62);
    policy->cutover_length_minute = pos_load_u16_le(at + 64);
    policy->card_uses_max = pos_load_u16_le(at + 66);
    policy->batch_first = pos_load_u32_le(at + 68);
    policy->balance_minor = (int64_t)pos_load_u64_le(at + 72);
    policy->entry_modes[0] = pos_load_u64_le(at + 80);
    policy->entry_modes[1] = pos_load_u64_le(at + 88);
    policy->certification_kinds = pos_load_u64_le(at + 96);
    return scalars_are_sane(policy, at);
}

static bool kinds_read(pos_policy *policy, const uint8_t *settings)
{
    for (size_t kind = 0; kind < POLICY_KINDS_MAX; kind++) {
        const uint8_t *at = settings + KINDS_OFFSET + kind * KIND_SIZE;
        kind_rule *rule = &policy->kinds[kind];
        if (at[0] > 1) return false;
        rule->is_offered = at[0] == 1;
        rule->amount_minor_min = (int64_t)pos_load_u64_le(at + 8);
        rule->amount_minor_max = (int64_t)pos_load_u64_le(at + 16);
        rule->floor_minor = (int64_t)pos_load_u64_le(at + 24);
        rule->pin_above_minor = (int64_t)pos_load_u64_le(at + 32);
        if (rule->amount_minor_min < 0 || rule->amount_minor_max < 0 || rule->floor_minor < 0
            || rule->pin_above_minor < -1) {
            return false;
        }
    }
    for (size_t ending = 0; ending < POLICY_ENDINGS; ending++) {
        const uint8_t *at = settings + ENDINGS_OFFSET + ending * 4;
        if ((at[0] == 0) != (at[1] == 0)) return false;
        pos_copy(policy->certification[ending], at[0] == 0 ? (const uint8_t *)"  " : at, 2);
    }
    return true;
}

static bool ranges_read(pos_policy *policy, const pos_image *image)
{
    for (uint32_t index = 0; index < image->count; index++) {
        const uint8_t *at = image->records + (size_t)index * RANGE_SIZE;
        bin_range *range = &policy->ranges[index];
        *range = (bin_range){
            .first = pos_load_u32_le(at),
            .last = pos_load_u32_le(at + 4),
            .kind_mask = pos_load_u64_le(at + 8),
            .is_foreign = at[16] == 1,
            .standing = at[17],
        };
        if (range->first > range->last || range->last > 999999 || at[16] > 1
            || range->standing > BIN_TEST
            || (index > 0 && range->first <= policy->ranges[index - 1].last)) {
            return false;
        }
    }
    policy->range_count = image->count;
    return true;
}

pos_status pos_policy_open(const uint8_t *image, size_t size, pos_policy **policy_out)
{
    assert(policy_out != NULL);
    const pos_image_form form = {.magic = "POSPOLCY",
                                 .version = 1,
                                 .record_size = RANGE_SIZE,
                                 .settings_size = SETTINGS_SIZE,
                                 .count_max = RANGES_MAX};
    pos_image opened;
    const pos_status status = pos_image_open(image, size, &form, &opened);
    if (status != POS_OK) return status;

    pos_policy *policy = calloc(1, sizeof(*policy) + (size_t)opened.count * sizeof(bin_range));
    if (policy == NULL) return POS_MEMORY;
    if (!scalars_read(policy, opened.settings.data) || !kinds_read(policy, opened.settings.data)
        || !ranges_read(policy, &opened)) {
        free(policy);
        return POS_IMAGE_FORM;
    }
    pos_copy(policy->digest, opened.digest, sizeof(policy->digest));
    *policy_out = policy;
    return POS_OK;
}

void pos_policy_close(pos_policy *policy)
{
    free(policy);
}

void pos_policy_digest(const pos_policy *policy, uint8_t digest_out[16])
{
    pos_copy(digest_out, policy->digest, sizeof(policy->digest));
}

const pos_policy_names *pos_policy_names_of(const pos_policy *policy)
{
    return &policy->names;
}

const bin_range *policy_range(const pos_policy *policy, uint32_t bin)
{
    uint32_t low = 0;
    uint32_t high = policy->range_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (policy->ranges[middle].last < bin) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == policy->range_count || policy->ranges[low].first > bin) return NULL;
    return &policy->ranges[low];
}
