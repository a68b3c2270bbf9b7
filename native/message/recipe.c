/*
 * Recipes: what a shape of message comes to. The doors stand with their meaning; behind them the slow
 * ones still do the work.
 */
#include <assert.h>
#include <stdlib.h>

#include "message/spec.h"

#define TEMPLATE_MAX 8192U

struct pos_recipes {
    const pos_spec *spec;
    uint8_t scratch[TEMPLATE_MAX]; /* a template that nobody wants to keep */
};

pos_status pos_recipes_open(const pos_spec *spec, pos_recipes **recipes_out)
{
    assert(spec != NULL && recipes_out != NULL);
    pos_recipes *recipes = calloc(1, sizeof *recipes);
    if (recipes == NULL) return POS_MEMORY;
    recipes->spec = spec;
    *recipes_out = recipes;
    return POS_OK;
}

void pos_recipes_close(pos_recipes *recipes)
{
    free(recipes);
}

pos_status pos_recipe_read(pos_recipes *recipes, const pos_message *message,
                           const pos_recipe **recipe_out, const pos_rule **rule_out,
                           pos_mac_cover *cover_out, pos_request *request_out, char pan_out[20],
                           size_t *pan_size_out, pos_fault *fault_out)
{
    assert(recipes != NULL && message != NULL && recipe_out != NULL && rule_out != NULL);
    assert(cover_out != NULL && request_out != NULL);
    const pos_spec *spec = recipes->spec;
    *recipe_out = NULL;
    const pos_rule *rule;
    pos_status status = pos_rule_find(spec, message, &rule);
    if (status != POS_OK) return status;
    *rule_out = rule;
    pos_message_mac_cover(spec, message, cover_out);
    status = pos_rule_check(spec, rule, message, fault_out);
    if (status != POS_OK) return status;
    return pos_request_read(spec, rule, message, request_out, pan_out, pan_size_out, fault_out);
}

void pos_recipe_redact(const pos_recipes *recipes, const pos_recipe *recipe, const pos_rule *rule,
                       const pos_message *message, pos_writer *writer)
{
    assert(recipes != NULL && message != NULL);
    assert(recipe == NULL);
    pos_request_redact(recipes->spec, rule, message, writer);
}

pos_status pos_recipe_answer(pos_recipes *recipes, const pos_recipe *recipe, const pos_rule *rule,
                             const pos_message *request, const pos_answer_value *values,
                             size_t value_count, bool is_signed, pos_writer *template_writer,
                             pos_writer *reply_writer, size_t *covered_size_out,
                             size_t *mac_size_out, pos_fault *fault_out)
{
    assert(recipes != NULL && rule != NULL && request != NULL && reply_writer != NULL);
    assert(recipe == NULL);
    pos_writer scratch = pos_writer_over(recipes->scratch, sizeof recipes->scratch);
    pos_writer *writer = template_writer == NULL ? &scratch : template_writer;
    const size_t start = writer->size;
    const pos_status status = pos_answer_build(recipes->spec, rule, request, values, value_count,
                                               is_signed, writer, fault_out);
    if (status != POS_OK) return status;
    if (writer->is_full) {
        reply_writer->is_full = true; /* half a template is no reply */
        return POS_OK;
    }
    return pos_answer_fill(recipes->spec, writer->data + start, writer->size - start, request,
                           reply_writer, covered_size_out, mac_size_out);
}
