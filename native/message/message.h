/*
 * The room of fields. A message is parsed once; what the engine needs of it becomes a request,
 * which holds facts and no secrets; an answer is built from the request and the decision.
 *
 *   body ─▶ parse ─▶ pos_message ─▶ rule ─▶ pos_request ─▶ (decide) ─▶ answer ─▶ body
 *                                   kind     facts only
 */
#ifndef POS_MESSAGE_ROOM_H
#define POS_MESSAGE_ROOM_H

#include "bytes/bytes.h"
#include "posengine/codec.h"
#include "posengine/journal.h" /* pos_kind, pos_totals: vocabulary only */

/* Where a fact lives is the dialect's business: role -> field (and part). Images hold the numbers,
 * so they only grow at the end. */
typedef enum pos_role {
    POS_ROLE_NONE,
    POS_ROLE_PAN,
    POS_ROLE_PROCESSING,
    POS_ROLE_AMOUNT,
    POS_ROLE_STAN,
    POS_ROLE_LOCAL_TIME,      /* hhmmss */
    POS_ROLE_LOCAL_DATE,      /* MMDD or YYMMDD */
    POS_ROLE_EXPIRY,          /* YYMM */
    POS_ROLE_SETTLEMENT_DATE, /* MMDD */
    POS_ROLE_ENTRY_MODE,
    POS_ROLE_CARD_SEQUENCE,
    POS_ROLE_CONDITION,
    POS_ROLE_ACQUIRER,
    POS_ROLE_TRACK2,
    POS_ROLE_TRACK3,
    POS_ROLE_RRN,
    POS_ROLE_AUTH,
    POS_ROLE_RESPONSE, /* field 39; in a reversal request the reason */
    POS_ROLE_TID,
    POS_ROLE_MID,
    POS_ROLE_INSTITUTIONS, /* field 44: issuer and acquirer */
    POS_ROLE_PRIVATE_48,   /* settle totals, batch detail, counts */
    POS_ROLE_CURRENCY,
    POS_ROLE_PIN,
    POS_ROLE_BALANCES, /* field 54 */
    POS_ROLE_CHIP,     /* field 55 */
    POS_ROLE_QR,       /* field 59 A3 */
    POS_ROLE_VOUCHER,  /* field 59 A4 */
    POS_ROLE_TYPE,     /* 60.1 */
    POS_ROLE_BATCH,    /* 60.2 */
    POS_ROLE_NETWORK,  /* 60.3 or field 70 */
    POS_ROLE_READER,   /* 60.4 */
    POS_ROLE_CHIP_CONDITION, /* 60.5 */
    POS_ROLE_ORIGINAL_BATCH, /* 61.1 */
    POS_ROLE_ORIGINAL_STAN,  /* 61.2 */
    POS_ROLE_ORIGINAL_DATE,  /* 61.3 */
    POS_ROLE_PRIVATE_62,     /* key block, parameters, records */
    POS_ROLE_OPERATOR,       /* 63.1 */
    POS_ROLE_MAC,
    POS_ROLE_ORIGINAL_DATA, /* field 90 of ISO 8583:1987, 56 of 1993 and later */
    POS_ROLE_SECURITY,      /* field 53: how PIN and track data are enciphered */
    POS_ROLE_COUNT
} pos_role;

/* The field that plays a role; 0 where the dialect has none. */
unsigned pos_spec_role_field(const pos_spec *spec, pos_role role);

/* ---- parsing a wave: plan.c ------------------------------------------------------------------------ */
/*
 * What was learnt of the shapes that a stream of messages has: for each MTI and bitmap a plan, which
 * reads such a message without looking at the dialect. Of fixed size, one thread at a time; it holds
 * no value of any message. One an engine.
 */
typedef struct pos_plan_cache pos_plan_cache;
/* The one allocation. The spec outlives the cache. Fails: MEMORY. */
pos_status pos_plan_cache_open(const pos_spec *spec, pos_plan_cache **cache_out);
void pos_plan_cache_close(pos_plan_cache *cache); /* NULL: nothing */

/* Numbers of whole fields, by role, as pos_view_number reads them: digits only. 0 where the message
 * has none, or one that is no number. Sixty-four bytes: one line of cache. */
typedef struct pos_numbers {
    uint64_t amount;
    uint64_t processing;
    uint64_t stan;
    uint64_t local_time;
    uint64_t local_date;
    uint64_t entry_mode;
    uint64_t card_sequence;
    uint64_t condition;
} pos_numbers;

/* In: body, size, and where to write. Out: the rest. */
typedef struct pos_parse_job {
    const uint8_t *body;
    uint32_t size;
    pos_status status;    /* out: as pos_message_parse answers */
    pos_message *message; /* out: as pos_message_parse leaves it; what no bit of its bitmap names is
                             not meaningful, and may be overwritten */
    pos_fault *fault;     /* out, where the status is not OK; NULL: not wanted */
    pos_numbers *numbers; /* out, also after a fault; NULL: not wanted */
    uint32_t shape;       /* out: jobs of one cache with the same shape, if it is not 0, are all OK and
                             have one MTI and one bitmap: what follows from these alone may be kept
                             by it. Numbers are never used again. 0: the table loop read it */
} pos_parse_job;

/* Parses every job; each by itself, so a fault of one says nothing of the others. Equal in all to
 * pos_message_parse one by one, and to the fault the same. Reads no byte past a body. */
void pos_message_parse_wave(pos_plan_cache *cache, pos_parse_job *jobs, size_t count);

/* ---- keys that sign-on delivers: where they lie in the field of role PRIVATE_62 ------------------ */
typedef struct pos_spec_key {
    uint16_t offset;
    uint16_t size; /* 0: the block has no such key */
    uint16_t check_offset;
    uint16_t check_size;
} pos_spec_key;

/* Bytes that no key and no check value covers are zero filler. */
typedef struct pos_spec_key_block {
    uint16_t network; /* network code of the sign-on: 3 for 003 */
    uint16_t size;    /* bytes of the whole block */
    uint8_t cipher;   /* 0 DES, 1 AES, 2 SM4: as pos_cipher */
    pos_spec_key pik;
    pos_spec_key mak;
    pos_spec_key tdk;
} pos_spec_key_block;
/* NULL where the dialect has no block for this network code. */
const pos_spec_key_block *pos_spec_key_block_find(const pos_spec *spec, unsigned network);

/* ---- rules: what kind of message is this, what must it hold, what is answered ------------------ */
typedef struct pos_rule {
    uint8_t kind; /* pos_kind */
    uint16_t mti;
    uint16_t answer_mti;      /* 0: not answered */
    bool request_has_mac;     /* must carry a MAC */
    bool answer_has_mac;      /* the answer carries one, where the terminal has a key */
    bool is_repeatable;       /* a repeat gets the stored answer; false: runs again */
    uint64_t mandatory[2];    /* as pos_message.bitmap */
    uint64_t allowed[2];      /* mandatory and conditional */
    uint64_t echoed[2];       /* copied from the request where present */
    uint64_t supplied[2];     /* written by the engine where it has a value */
    const char *name;         /* of the spec: "sale" */
} pos_rule;

/* The first rule that fits. FIELD_RULE where none does. */
pos_status pos_rule_find(const pos_spec *spec, const pos_message *message,
                         const pos_rule **rule_out);
/* The first rule of a request's MTI, NULL where there is none: how a message that cannot be told
 * further is refused. */
const pos_rule *pos_rule_of_mti(const pos_spec *spec, uint16_t mti);
/* Presence of fields as the rule says. FIELD_MISSING, FIELD_FORBIDDEN. */
pos_status pos_rule_check(const pos_spec *spec, const pos_rule *rule, const pos_message *message,
                          pos_fault *fault_out);

/* ---- requests: facts for decide, no secrets -------------------------------------------------------- */
#define POS_DETAIL_MAX 8

/* One record of a batch upload (field 48 under 60.3 = 201). */
typedef struct pos_detail {
    int64_t amount_minor;
    uint32_t stan;
    uint32_t bin;
    uint16_t last4;
    uint8_t card_class; /* 0 domestic, 1 foreign */
} pos_detail;

typedef struct pos_request {
    uint8_t kind;
    uint8_t message_class; /* MTI digits 2 and 3: 0x20 for 0200, 0x22 for 0220 */
    uint8_t type;          /* 60.1 */
    uint8_t condition;
    uint8_t reader;         /* 60.4 */
    uint8_t chip_condition; /* 60.5 */
    uint16_t mti;
    uint16_t network; /* 60.3 or field 70 */
    uint16_t currency;
    uint16_t entry_mode;
    uint16_t original_date; /* MMDD as a number, 0 where absent or zero */
    uint16_t last4;
    uint32_t bin;
    uint32_t processing;
    uint32_t stan;
    uint32_t batch;
    uint32_t original_batch;
    uint32_t original_stan;
    uint32_t line;
    uint32_t flags; /* POS_FLAG_PIN, TRACK, CHIP, PAN, QR, FALLBACK, EXPIRY, PAN_INVALID, ...;
                       MAC_CHECKED and CARD_EXPIRED are added by the engine */
    int64_t amount_minor;
    uint32_t local_time; /* hhmmss as a number; 0 where absent */
    uint32_t local_date; /* MMDD as a number; 0 where absent */
    uint16_t expiry_yymm; /* 0 where absent: the engine turns it into CARD_EXPIRED and wipes it */
    char tid[8];
    char mid[15];
    char original_rrn[12];
    char auth[6];
    char reason[2];
    char operator_id[3];
    uint8_t pan_token[16];
    uint8_t fingerprint[16];
    bool has_totals; /* field 48 carried settle totals */
    pos_totals totals;
    uint32_t upload_count; /* records claimed by an end message, or in this detail message */
    uint8_t detail_count;
    pos_detail details[POS_DETAIL_MAX]; /* as many as counted: what lies past them means nothing */
} pos_request;

/*
 * Facts out of a parsed message of kind `rule`. The account number's digits (field 2, else track 2)
 * go to `pan_out` (19 at most, for the token; wipe it after) with their count; 0 where there is none.
 * Fails: FIELD_PART, FIELD_CONTENT where a fact is not of its form.
 */
pos_status pos_request_read(const pos_spec *spec, const pos_rule *rule, const pos_message *message,
                            pos_request *request_out, char pan_out[20], size_t *pan_size_out,
                            pos_fault *fault_out);

/*
 * The redacted request for the journal, a whitelist: for every field whose dialect says `keep`:
 * u8 field, u16 little-endian size, the value's wire bytes; 55 with its kept tags only; a field
 * with kept parts only those. Never a PAN, track, PIN, expiry or card verification value.
 */
void pos_request_redact(const pos_spec *spec, const pos_rule *rule, const pos_message *message,
                        pos_writer *writer);

/* ---- MAC coverage ------------------------------------------------------------------------------------ */
/* pos_message_mac_cover is public: posengine/codec.h. */

/* ---- answers ------------------------------------------------------------------------------------------- */
/* A value for one field of an answer, as text or bytes: digits for n, characters for an and ans,
 * bytes for b. The field's own form (BCD, padding, prefix) is applied by the builder. */
typedef pos_value pos_answer_value;

/*
 * Builds the answer to `request` as a template and writes it to `writer`:
 *
 *   u8 hole_count · hole_count × {u8 field, u16 offset, u16 size} · body
 *
 * The body is the whole answer up to and excluding the MAC field, with the MAC's bit set where
 * `rule->answer_has_mac` and `is_signed`. Holes are the places of PAN, expiry and every other field
 * the journal must not keep: zero in the template, filled from the repeat itself.
 * `values` are in ascending order of field. Fails: FIELD_VALUE, FIELD_LENGTH.
 */
pos_status pos_answer_build(const pos_spec *spec, const pos_rule *rule, const pos_message *request,
                            const pos_answer_value *values, size_t value_count, bool is_signed,
                            pos_writer *writer, pos_fault *fault_out);
/*
 * A template's body with its holes filled from `request`; room for the MAC is left at the end
 * (`mac_size_out` bytes, 0 where unsigned), `covered_size_out` bytes before it.
 * Fails: ENTRY_FORM where the template is not of its form, or a hole does not fit the request.
 */
pos_status pos_answer_fill(const pos_spec *spec, const uint8_t *template_, size_t template_size,
                           const pos_message *request, pos_writer *writer,
                           size_t *covered_size_out, size_t *mac_size_out);

/* ---- recipes: what a shape of message comes to, compiled once: recipe.c ----------------------------- */
/*
 * A recipe is what the doors above and below say of one shape of message (MTI, bitmap, the digits
 * that rules and choices look at, the lengths that move facts), worked out once: which rule it is,
 * where its facts lie, what of it is kept, how its answer is put together. Messages of that shape
 * then need a look-up and copies. The doors above stay the truth: each door here gives what they give,
 * to the byte and to the fault (but for details past their count, which are left as they are), and
 * falls back to them wherever it cannot be sure.
 *
 * A cache of recipes has fixed memory and belongs to one thread; the spec outlives it. A shape that
 * does not come again is never compiled, and one that is in use is never dropped for another, so a
 * flood of odd shapes costs what the slow doors cost and no more. It holds no byte of a message but
 * the selectors' digits (processing code, condition, type, network code, entry mode).
 */
typedef struct pos_recipes pos_recipes;
typedef struct pos_recipe pos_recipe;

/* The one allocation. Fails: MEMORY. */
pos_status pos_recipes_open(const pos_spec *spec, pos_recipes **recipes_out);
void pos_recipes_close(pos_recipes *recipes); /* NULL: nothing */

/* A recipe that was given out stays for at least so many more readings: far above any wave. */
#define POS_RECIPE_STAYS 65536U

/*
 * pos_rule_find, pos_message_mac_cover, pos_rule_check and pos_request_read in one, of a message that
 * parsed without a fault (of one that did not: the slow doors). Fails as the first of them that
 * fails, and leaves what those before it gave:
 *
 *   FIELD_RULE                           nothing but recipe_out, which is NULL
 *   FIELD_MISSING, FIELD_FORBIDDEN       rule_out, cover_out, fault_out
 *   FIELD_PART, _CONTENT, _LENGTH        the same: a fact is not of its form
 *
 * `recipe_out` is for the doors below, with the same message; NULL where it has none, which is no
 * fault.
 */
pos_status pos_recipe_read(pos_recipes *recipes, const pos_message *message,
                           const pos_recipe **recipe_out, const pos_rule **rule_out,
                           pos_mac_cover *cover_out, pos_request *request_out, char pan_out[20],
                           size_t *pan_size_out, pos_fault *fault_out);

/* pos_request_redact. `recipe`: as pos_recipe_read gave it for this message, or NULL. */
void pos_recipe_redact(pos_recipes *recipes, const pos_recipe *recipe, const pos_rule *rule,
                       const pos_message *message, pos_writer *writer);

/*
 * The values of an answer, ascending by field. Many answers have most of them in common: the hour, the
 * names of a policy. Sheets that say so, by a number, have those dressed once and not for each answer.
 * What is common is kept in the cache, so it is nothing secret.
 */
typedef struct pos_answer_sheet {
    const pos_answer_value *values;
    uint32_t count;
    uint32_t steady; /* bit n: values[n] is common to all sheets of the number */
    uint64_t number; /* sheets of a number have the same fields, and the same bytes in what is common; a
                        number is never used again for another. 0: this one is like no other */
} pos_answer_sheet;

/*
 * pos_answer_build into `template_writer` and pos_answer_fill of it into `reply_writer`, in one pass.
 * `template_writer` NULL: the template is not wanted. Fails as the first of the two that fails;
 * what a writer then holds past its size before is not meaningful, and the size of `reply_writer` is
 * what it was. A writer that is full says so itself, as ever.
 */
pos_status pos_recipe_answer(pos_recipes *recipes, const pos_recipe *recipe, const pos_rule *rule,
                             const pos_message *request, const pos_answer_sheet *sheet,
                             bool is_signed, pos_writer *template_writer,
                             pos_writer *reply_writer, size_t *covered_size_out,
                             size_t *mac_size_out, pos_fault *fault_out);

#endif
