/*
 * Redaction by recipe: which fields are kept, and how, is known from the shape.
 *
 *   whole      a head of three bytes, the value
 *   run        whole fields of fixed sizes, by words under a mask     most of them
 *   covered    the same, then some parts of the copy written over     63, 61
 *   elements   BER-TLV: runs of kept elements are copied               55
 *   slowly     as redact.c does                                       59, records of 48
 *
 *   55   9F26 08 .. │ 57 13 .. │ 5A 08 .. │ 9F36 02 .. │ 95 05 ..
 *        ╰─ run ──╯   dropped    dropped    ╰──── run, one copy ────╯
 *
 * Chip data of one kind of card and terminal have their tags and lengths at the same places. These are
 * learnt from one value: a mask of the bytes that are tags and lengths, what they are, and the runs. A
 * value of the same size whose masked bytes are the same has the same runs, and the walk is saved. Only
 * the plainest elements are learnt: a tag of one or two bytes that is no template, a length of one
 * byte. Anything else redact.c does from the field's start; as it does where layouts come so mixed that
 * those known lose their trust and none is learnt in time.
 *
 * A run's fields lie at known distances in the body and in what is written, whatever lies between them:
 *
 *   body     4 │ 00 00 00 01 23 45 │ 11 │ 00 00 59 │ ...
 *   written  04 06 00 00 00 00 01 23  45  0B 03 00 00 00 59
 *            ╰─ head ╯╰── 5 bytes ─╯  ╰╯  ╰─ head ╯╰ 3 ───╯     a word each, zeros after its end
 *
 * Rules. Whatever is not known to be kept is not copied, not even to be written over: covered parts
 * are the exception and lie in fields whose secrets redact.c copies first too. Room for all that could
 * come is judged once; where there is less, the slow door says what fits.
 */
#include "message/recipe.h"

#include <assert.h>

#define HEAD_SIZE 3U
#define WORD_SIZE 8U
#define RUN_FIELD_MAX 32U /* longer ones are copied */

/* ---- compile ------------------------------------------------------------------------------------- */
static void bit_set(uint64_t bits[4], unsigned index)
{
    bits[index / 64] |= UINT64_C(1) << (index % 64);
}

void recipe_tags_compile(const pos_spec *spec, const pos_layout *layout, recipe_tags *tags_out)
{
    assert(layout->form == POS_LAYOUT_BER);
    unsigned pages = 2;
    *tags_out = (recipe_tags){.layout = layout};
    for (uint16_t number = 1; number <= layout->count; number++) {
        const pos_part_form *form = pos_part_form_of(spec, layout, number);
        if (!form->is_kept) continue;
        if (form->tag <= 0xff) {
            bit_set(tags_out->pages[1], form->tag);
        } else if (form->tag <= 0xffff) {
            const unsigned first = form->tag >> 8;
            if (tags_out->page_of[first] == 0) {
                if (pages == RECIPE_TAG_PAGES) {
                    tags_out->layout = NULL; /* more than any dialect has: redact.c does it */
                    return;
                }
                tags_out->page_of[first] = (uint8_t)pages++;
            }
            bit_set(tags_out->pages[tags_out->page_of[first]], form->tag & 0xff);
        } else {
            tags_out->layout = NULL;
            return;
        }
    }
}

/* The parts that are not shown, from the start of the value; false where they are too many. */
static bool covers_compile(const pos_spec *spec, const pos_message *sample, unsigned field,
                           const pos_layout *layout, recipe_redaction *redaction,
                           recipe_kept *kept)
{
    pos_selection selection = {.asked = 0};
    pos_walk walk = pos_walk_begin(spec, sample, field, &selection);
    pos_part part;
    kept->cover_first = redaction->cover_count;
    while (pos_walk_next(&walk, &part)) {
        const bool is_shown = layout->has_kept ? part.is_kept
                                               : part.secrecy == POS_SECRECY_OPEN;
        if (is_shown || part.units == 0) continue;
        if (redaction->cover_count == RECIPE_COVERS_MAX) return false;
        part.offset -= sample->fields[field].offset;
        redaction->covers[redaction->cover_count++] = part;
        kept->cover_count++;
        kept->keep = KEEP_COVERED;
    }
    if (walk.fault.status == POS_OK) return true;
    /* It does not fit its layout, and so does no other of its length. */
    redaction->cover_count = kept->cover_first;
    kept->cover_count = 0;
    kept->keep = layout->has_secrets ? KEEP_SLOWLY : KEEP_WHOLE;
    return true;
}

/* False where nothing of the field is kept, or the recipe has no room for it. */
static bool field_compile(const pos_spec *spec, const recipe_tags *tags, const pos_message *sample,
                          unsigned field, recipe_redaction *redaction, recipe_kept *kept)
{
    const pos_form *form = &spec->forms[field];
    pos_selection selection = {.asked = 0};
    *kept = (recipe_kept){.field = (uint8_t)field, .keep = KEEP_WHOLE};
    if (form->layout == 0) return true;
    const pos_layout *layout = pos_layout_of(spec, sample, field, &selection);
    if (layout == NULL) return !spec->layouts[form->layout - 1].has_secrets;
    if (layout->form == POS_LAYOUT_BER && layout == tags->layout && form->layout != 0) {
        kept->keep = KEEP_ELEMENTS;
        return true;
    }
    if (!recipe_is_steady(spec, sample, field)) {
        kept->keep = KEEP_SLOWLY;
        return true;
    }
    if (!covers_compile(spec, sample, field, layout, redaction, kept)) kept->keep = KEEP_SLOWLY;
    return true;
}

/* One field into the words of a run that begins `from` bytes before it; false: no room. */
static bool words_add(recipe_redaction *redaction, recipe_kept *run, unsigned field,
                      uint32_t from, uint32_t size)
{
    uint32_t room = WORD_SIZE - HEAD_SIZE;
    const uint32_t count = size <= room ? 1 : 1 + (size - room + WORD_SIZE - 1) / WORD_SIZE;
    if (redaction->word_count + count > RECIPE_WORDS_MAX) return false;
    uint64_t head = field | (uint64_t)size << 8;
    uint32_t before = 0; /* bytes of head and value that came */
    for (uint32_t each = 0; each < count; each++) {
        const uint32_t left = HEAD_SIZE + size - before;
        uint64_t mask = left >= WORD_SIZE ? ~UINT64_C(0) : (UINT64_C(1) << 8 * left) - 1;
        if (each == 0) mask &= ~UINT64_C(0) << 8 * HEAD_SIZE;
        redaction->words[redaction->word_count++] = (recipe_word){
            .mask = mask, .head = head,
            .from = (uint16_t)(from + before), .to = (uint16_t)(run->size + before),
        };
        before += WORD_SIZE;
        head = 0;
    }
    run->cover_count = (uint8_t)(run->cover_count + count);
    run->reach = (uint16_t)(from + before - HEAD_SIZE);
    run->size = (uint16_t)(run->size + HEAD_SIZE + size);
    run->members++;
    return true;
}

/* Whether the field goes into a run: the one that is open, or one that begins with it. */
static bool run_takes(const pos_message *sample, recipe_redaction *redaction, recipe_kept *kept,
                      recipe_kept **run)
{
    const uint32_t size = sample->fields[kept->field].size;
    const unsigned field = kept->field;
    if (kept->keep != KEEP_WHOLE || size > RUN_FIELD_MAX) return false;
    if (*run == NULL) {
        *run = kept;
        kept[1] = kept[0];
        *kept = (recipe_kept){
            .field = (uint8_t)field, .keep = KEEP_RUN, .cover_first = redaction->word_count};
        redaction->kept_count++;
    }
    const uint32_t from = (uint32_t)sample->fields[field].offset
                          - sample->fields[(*run)->field].offset;
    return words_add(redaction, *run, field, from, size);
}

void recipe_redaction_compile(const pos_spec *spec, const recipe_tags *tags,
                              const pos_message *sample, recipe_redaction *redaction)
{
    recipe_kept *run = NULL;
    *redaction = (recipe_redaction){.is_slow = false};
    for (unsigned field = 2; field <= spec->field_max; field++) {
        if (!pos_message_has(sample, field)) continue;
        if (spec->forms[field].prefix_digits != 0) run = NULL; /* what follows it lies anywhere */
        if (!spec->forms[field].is_kept) continue;
        if (redaction->kept_count + 2U > RECIPE_KEPT_MAX) {
            redaction->is_slow = true;
            return;
        }
        recipe_kept *kept = &redaction->kept[redaction->kept_count];
        if (!field_compile(spec, tags, sample, field, redaction, kept)) continue;
        const bool is_fixed = spec->forms[field].prefix_digits == 0;
        if (!is_fixed || !run_takes(sample, redaction, kept, &run)) run = NULL;
        redaction->kept_count++;
    }
}

/* ---- write ------------------------------------------------------------------------------------------ */
static uint8_t *head_write(uint8_t *at, unsigned field, size_t size)
{
    at[0] = (uint8_t)field;
    pos_store_u16_le(at + 1, (uint16_t)size);
    return at + HEAD_SIZE;
}

/* Up to eight bytes go as the word that ends with them, moved to its front: zeros come after, which
 * the next field or nothing writes over. */
static uint8_t *whole_write(uint8_t *at, const pos_message *message, unsigned field)
{
    const pos_field *place = &message->fields[field];
    const uint8_t *value = message->body + place->offset;
    const size_t size = place->size;
    at = head_write(at, field, size);
    if (size <= 8) {
        const size_t half = 4 * (8 - size); /* a shift by all 64 bits is none in C */
        pos_store_u64_be(at, pos_load_u64_be(value + size - 8) << half << half);
    } else {
        pos_copy_short(at, value, size);
    }
    return at + size;
}

/* The fields of a run; NULL where a word would pass the end of the body. */
static inline uint8_t *run_write(uint8_t *at, const recipe_redaction *redaction,
                                 const recipe_kept *run, const pos_message *message)
{
    const uint32_t offset = message->fields[run->field].offset;
    if (offset + run->reach > message->body_size) return NULL;
    const uint8_t *base = message->body + offset - HEAD_SIZE; /* MTI and bitmap lie before */
    const recipe_word *word = &redaction->words[run->cover_first];
    for (const recipe_word *last = word + run->cover_count; word < last; word++) {
        const uint64_t value = pos_load_u64_le(base + word->from) & word->mask;
        pos_store_u64_le(at + word->to, value | word->head);
    }
    return at + run->size;
}

static void part_cover(const pos_part *part, uint8_t *value)
{
    uint8_t *at = value + part->offset;
    if (part->encoding != POS_CODE_BCD) {
        for (uint32_t index = 0; index < part->size; index++) at[index] = '0';
        return;
    }
    for (uint32_t index = part->nibble; index < part->nibble + part->units; index++) {
        at[index / 2] = (uint8_t)(index % 2 == 0 ? at[index / 2] & 0x0fU : at[index / 2] & 0xf0U);
    }
}

/* One plain element at `from`: its size, 0 where it is anything unusual. Four bytes there can be read. */
static inline uint32_t element_at(const recipe_tags *tags, const uint8_t *value, uint32_t from,
                                  uint32_t end, bool *is_kept_out, uint32_t *head_size_out)
{
    const uint32_t word = pos_load_u32_le(value + from);
    const unsigned first = word & 0xffU;
    const unsigned second = word >> 8 & 0xffU; /* of the tag, or the length */
    const uint32_t is_long = (first & 0x1fU) == 0x1fU;
    const uint32_t length = word >> (8 + 8 * is_long) & 0xffU;
    const uint32_t size = 2 + is_long + length;
    const unsigned odd = (first & 0x20U) | (length & 0x80U) | (is_long << 7 & second);
    if (odd != 0 || size > end - from) return 0;
    const uint64_t *page = tags->pages[is_long != 0 ? tags->page_of[first] : 1];
    const unsigned bit = is_long != 0 ? second : first;
    *is_kept_out = (page[bit / 64] >> (bit % 64) & 1U) != 0;
    *head_size_out = 2 + is_long;
    return size;
}

/* Marks a byte as one of a tag or a length, in the word that holds it; the last ends with the value. */
static void chip_mark(recipe_chip *chip, const uint8_t *value, uint32_t at)
{
    const uint32_t word = at / 8;
    const uint32_t begin = word == (chip->size - 1U) / 8 ? chip->size - 8U : 8 * word;
    const unsigned shift = 8 * (at - begin);
    chip->mask[word] |= UINT64_C(0xff) << shift;
    chip->pattern[word] |= (uint64_t)value[at] << shift;
}

/* What the layout of this value comes to; false where it is no plain one, or too much. */
static bool chip_learn(const recipe_tags *tags, const uint8_t *value, uint32_t size,
                       recipe_chip *chip)
{
    recipe_chip made = {.size = (uint16_t)size};
    bool goes_on = false;
    uint32_t from = 0;
    while (size - from >= 2) {
        bool is_kept;
        uint32_t head_size;
        const uint32_t element = element_at(tags, value, from, size, &is_kept, &head_size);
        if (element == 0) return false;
        for (uint32_t at = 0; at < head_size; at++) chip_mark(&made, value, from + at);
        if (is_kept) {
            if (!goes_on) {
                if (made.run_count == RECIPE_CHIP_RUNS) return false;
                made.runs[made.run_count].from = (uint16_t)from;
                made.run_count++;
            }
            made.runs[made.run_count - 1].size =
                (uint16_t)(made.runs[made.run_count - 1].size + element);
            made.kept_size = (uint16_t)(made.kept_size + element);
        }
        goes_on = is_kept;
        from += element;
    }
    if (from != size) return false;
    *chip = made;
    return true;
}

/* Whether tags and lengths lie where they lay in the value that was learnt. */
static inline bool chip_fits(const recipe_chip *chip, const uint8_t *value, uint32_t size)
{
    if (chip->size != size) return false;
    const uint32_t last = (size - 1) / 8;
    uint64_t other = (pos_load_u64_le(value + size - 8) & chip->mask[last]) ^ chip->pattern[last];
    for (uint32_t word = 0; word < last; word++) {
        other |= (pos_load_u64_le(value + 8 * word) & chip->mask[word]) ^ chip->pattern[word];
    }
    return other == 0;
}

/* The layout of this value, known or learnt now; NULL: there is none to be had. */
static const recipe_chip *chip_find(recipe_chips *chips, const uint8_t *value, uint32_t size)
{
    recipe_chip *set = chips->known[size % RECIPE_CHIP_SETS];
    recipe_chip *place = NULL;
    for (unsigned way = 0; way < RECIPE_CHIP_WAYS; way++) {
        recipe_chip *each = &set[way];
        if (chip_fits(each, value, size)) {
            if (each->trust < UINT8_MAX) each->trust++;
            return each;
        }
        if (each->trust == 0) place = each;
        else each->trust--;
    }
    if (place == NULL || !chip_learn(&chips->tags, value, size, place)) return NULL;
    place->trust = 1;
    return place;
}

/* The kept runs; the new end of what was written, NULL at anything unusual. */
static uint8_t *elements_write(uint8_t *at, recipe_chips *chips, const pos_message *message,
                               unsigned field)
{
    const pos_field *place = &message->fields[field];
    const uint8_t *value = message->body + place->offset;
    const uint32_t size = place->size;
    if (size < 8 || size > 8 * RECIPE_CHIP_WORDS) return NULL;
    /* Two bytes past the last element are read: behind chip data lie fields that every kind has. */
    if ((uint32_t)place->offset + size + 2 > message->body_size) return NULL;
    const recipe_chip *chip = chip_find(chips, value, size);
    if (chip == NULL) return NULL;
    if (chip->kept_size == 0) return at;
    at = head_write(at, field, chip->kept_size);
    for (unsigned run = 0; run < chip->run_count; run++) {
        pos_copy_short(at, value + chip->runs[run].from, chip->runs[run].size);
        at += chip->runs[run].size;
    }
    return at;
}

/* By redact.c, at `at`, where there is room for all that it could write. */
static uint8_t *slowly_write(uint8_t *at, size_t room, const pos_spec *spec,
                             const pos_message *message, unsigned field)
{
    pos_selection selection = {.asked = 0};
    pos_writer writer = pos_writer_over(at, room);
    pos_field_redact(spec, message, field, &selection, &writer);
    assert(!writer.is_full);
    return at + writer.size;
}

bool recipe_redact(const pos_spec *spec, recipe_chips *chips, const recipe_redaction *redaction,
                   const pos_message *message, pos_writer *writer)
{
    /* MTI and bitmap, ten bytes at least, make room for the zeros after a short field. */
    const size_t most = message->body_size + (size_t)redaction->kept_count * HEAD_SIZE;
    if (redaction->is_slow || writer->is_full) return false;
    if (writer->capacity - writer->size < most) return false;
    uint8_t *at = writer->data + writer->size;
    const uint8_t *end = at + most;
    for (unsigned index = 0; index < redaction->kept_count; index++) {
        const recipe_kept *kept = &redaction->kept[index];
        if (kept->keep == KEEP_RUN) {
            uint8_t *after = run_write(at, redaction, kept, message);
            if (after == NULL) continue; /* its members one by one */
            at = after;
            index += kept->members;
        } else if (kept->keep == KEEP_WHOLE) {
            at = whole_write(at, message, kept->field);
        } else if (kept->keep == KEEP_COVERED) {
            uint8_t *value = at + HEAD_SIZE;
            at = whole_write(at, message, kept->field);
            for (unsigned each = 0; each < kept->cover_count; each++) {
                part_cover(&redaction->covers[kept->cover_first + each], value);
            }
        } else {
            uint8_t *after = kept->keep == KEEP_ELEMENTS
                                 ? elements_write(at, chips, message, kept->field) : NULL;
            if (after == NULL) {
                after = slowly_write(at, (size_t)(end - at), spec, message, kept->field);
            }
            at = after;
        }
    }
    writer->size = (size_t)(at - writer->data);
    assert(writer->size <= writer->capacity);
    return true;
}
