/* Keywords for arrays, and the unevaluated rest of arrays and objects. */
#include "common/schema_internal.h"
#include "common/schema_members.h"

static void evaluate_upto(evaluated_t *evaluated, size_t count) {
    if (evaluated && evaluated->upto < count) evaluated->upto = count;
}

/* A block for an item. Whether to go on. */
static inline bool run_item(run_t *run, uint32_t index, const json_t *array, size_t i, const op_t *op, bool prefix,
                            bool *valid) {
    size_t mark = schema_trace_mark(run);
    if (schema_apply(run, index, json_array_get(array, i), NULL)) return true;
    *valid = false;
    step_t step = {.index = i};
    return run->trace && schema_climb(run, mark, op->keyword, prefix ? &step : NULL, &step);
}

static bool run_prefix(run_t *run, const op_t *op, const json_t *array, evaluated_t *evaluated) {
    size_t count = json_array_size(array);
    bool valid = true;
    if (count > op->b) count = op->b;
    for (size_t i = 0; i < count; i++) {
        if (!run_item(run, run->schema->children.items[op->a + i], array, i, op, true, &valid)) return false;
    }
    evaluate_upto(evaluated, count);
    return valid;
}

/* The same for a list, when only the answer counts. */
static bool run_items_quickly(run_t *run, const op_t *op, const array_layout_t *array) {
    const block_t *block = &run->schema->blocks.items[op->c];
    json_t *const *items = array->items;
    for (size_t i = op->b, count = array->size; i < count; i++) {
        if (!schema_apply_quickly(run, block, op->c, items[i])) return false;
    }
    return true;
}

static bool run_items(run_t *run, const block_t *block, const op_t *op, const json_t *array, evaluated_t *evaluated) {
    if (!run->trace && !evaluated && run->schema->direct) return run_items_quickly(run, op, (const void *)array);
    size_t count = json_array_size(array);
    bool valid = true;
    if (count > op->b && run->schema->blocks.items[op->a].flags & BLOCK_NOTHING)
        return FAIL(run, block, op, "must have at most %u items, has %zu", op->b, count);
    for (size_t i = op->b; i < count; i++) {
        if (!run->trace) {
            if (!schema_apply(run, op->c, json_array_get(array, i), NULL)) return false;
        } else if (!run_item(run, op->a, array, i, op, false, &valid)) {
            return false;
        }
    }
    evaluate_upto(evaluated, count);
    return valid;
}

static bool run_contains(run_t *run, const block_t *block, const op_t *op, const json_t *array,
                         evaluated_t *evaluated) {
    size_t count = json_array_size(array);
    uint32_t matching = 0;
    bool mark = evaluated && op->flag;
    for (size_t i = 0; i < count; i++) {
        if (!mark && op->c == NONE && matching >= op->b) break;
        if (!schema_run_quietly(run, op->a, json_array_get(array, i), NULL)) continue;
        if (mark) schema_mark(evaluated, i);
        if (++matching > op->c) break;
    }
    if (matching < op->b)
        return FAIL(run, block, op, "must have at least %u items that are valid against the schema, has %u", op->b,
                    matching);
    return matching <= op->c ||
           FAIL(run, block, op, "must have at most %u items that are valid against the schema", op->c);
}

static bool run_unique(run_t *run, const block_t *block, const op_t *op, const json_t *array) {
    size_t pair[2];
    if (schema_unique(array, run->schema->secret, &run->steps, pair)) return true;
    if (run->steps < 0) return schema_run_limit(run, "the document takes more steps than are allowed");
    return FAIL(run, block, op, "items %zu and %zu are equal", pair[0], pair[1]);
}

static bool run_array_size(run_t *run, const block_t *block, const op_t *op, const json_t *array) {
    int64_t size = (int64_t)json_array_size(array);
    if (op->code == OP_MIN_ITEMS)
        return size >= op->integer ||
               FAIL(run, block, op, "must have at least %lld items, has %lld", (long long)op->integer, (long long)size);
    return size <= op->integer ||
           FAIL(run, block, op, "must have at most %lld items, has %lld", (long long)op->integer, (long long)size);
}

static bool run_op(run_t *run, const block_t *block, const op_t *op, const json_t *value, evaluated_t *evaluated) {
    switch (op->code) {
    case OP_PREFIX: return run_prefix(run, op, value, evaluated);
    case OP_ITEMS: return run_items(run, block, op, value, evaluated);
    case OP_UNIQUE: return run_unique(run, block, op, value);
    case OP_CONTAINS: return run_contains(run, block, op, value, evaluated);
    default: return run_array_size(run, block, op, value);
    }
}

bool schema_run_array(run_t *run, const block_t *block, const op_t *op, const op_t *end, const json_t *value,
                      evaluated_t *evaluated) {
    bool valid = true;
    for (; op < end && (valid || schema_goes_on(run)); op++) valid &= run_op(run, block, op, value, evaluated);
    return valid;
}

/* ---- Unevaluated ---- */

/* A member or item that nothing has looked at. Whether to go on. */
static bool run_rest(run_t *run, const block_t *block, const op_t *op, const json_t *value, const step_t *step,
                     bool *valid) {
    size_t mark = schema_trace_mark(run);
    if (run->schema->blocks.items[op->a].flags & BLOCK_NOTHING) {
        *valid = false;
        FAIL_AT(run, block, op->keyword, step, "this %s is not allowed", step->text.data ? "member" : "item");
        return schema_goes_on(run);
    }
    if (schema_apply(run, op->a, value, NULL)) return true;
    *valid = false;
    return run->trace && schema_climb(run, mark, op->keyword, NULL, step);
}

static bool run_rest_of_object(run_t *run, const block_t *block, const op_t *op, const json_t *object,
                               evaluated_t *evaluated) {
    bool valid = true;
    members_t members = schema_members(object, run->schema->direct);
    for (member_t member; schema_members_next(&members, &member);) {
        if (schema_marked(evaluated, member.index)) continue;
        step_t step = {.text = {member.key, member.key_len}};
        if (!run_rest(run, block, op, member.value, &step, &valid)) return false;
    }
    evaluate_upto(evaluated, members.count);
    return valid;
}

static bool run_rest_of_array(run_t *run, const block_t *block, const op_t *op, const json_t *array,
                              evaluated_t *evaluated) {
    bool valid = true;
    size_t count = json_array_size(array);
    for (size_t i = evaluated->upto; i < count; i++) {
        if (schema_marked(evaluated, i)) continue;
        if (!run_rest(run, block, op, json_array_get(array, i), &(step_t){.index = i}, &valid)) return false;
    }
    evaluate_upto(evaluated, count);
    return valid;
}

bool schema_run_unevaluated(run_t *run, const block_t *block, const op_t *op, const json_t *value,
                            evaluated_t *evaluated) {
    bool items = op->code == OP_UNEVALUATED_ITEMS;
    if (!evaluated || (items ? !json_is_array(value) : !json_is_object(value))) return true;
    if (items) return run_rest_of_array(run, block, op, value, evaluated);
    return run_rest_of_object(run, block, op, value, evaluated);
}
