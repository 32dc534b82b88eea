/* Runs a document against a program: a block's instructions for the value's type, then those for all types. */
#include "common/mem.h"
#include "common/schema_internal.h"

#include <stdlib.h>

#define STACK_WORDS 8 /* of evaluated members, 64 in each; larger objects and arrays take memory */

bool schema_run_limit(run_t *run, const char *limit) {
    if (!run->limit) run->limit = limit;
    run->steps = -1;
    return false;
}

static bool run_apart(run_t *run, uint32_t index, const json_t *value, evaluated_t *evaluated, bool inside);

/* Applies a block and keeps what it evaluated only when the value is valid. */
static bool run_branch(run_t *run, uint32_t index, const json_t *value, evaluated_t *evaluated) {
    if (!evaluated) return schema_apply(run, index, value, NULL);
    return run_apart(run, index, value, evaluated, false);
}

/* ---- Keywords for all types ---- */

static bool run_all(run_t *run, const op_t *op, const json_t *value, evaluated_t *evaluated) {
    const uint32_t *children = run->schema->children.items + op->a;
    bool valid = true;
    for (uint32_t i = 0; i < op->b; i++) {
        if (schema_descend(run, children[i], value, evaluated, op->keyword, &(step_t){.index = i})) continue;
        if (!schema_goes_on(run)) return false;
        valid = false;
    }
    return valid;
}

static bool run_any(run_t *run, const block_t *block, const op_t *op, const json_t *value, evaluated_t *evaluated) {
    const uint32_t *children = run->schema->children.items + op->a;
    size_t start = schema_trace_mark(run);
    bool valid = false;
    for (uint32_t i = 0; i < op->b && !(valid && !evaluated); i++) {
        size_t mark = schema_trace_mark(run);
        if (run_branch(run, children[i], value, evaluated))
            valid = true;
        else if (run->trace)
            schema_climb(run, mark, op->keyword, &(step_t){.index = i}, NULL);
    }
    if (valid && run->trace) schema_trace_forget(run->trace, start);
    return valid || FAIL(run, block, op, "is valid against none of the %u schemas", op->b);
}

static bool run_one(run_t *run, const block_t *block, const op_t *op, const json_t *value, evaluated_t *evaluated) {
    const uint32_t *children = run->schema->children.items + op->a;
    size_t start = schema_trace_mark(run);
    uint32_t first = NONE;
    for (uint32_t i = 0; i < op->b; i++) {
        size_t mark = schema_trace_mark(run);
        if (!run_branch(run, children[i], value, evaluated)) {
            if (run->trace) schema_climb(run, mark, op->keyword, &(step_t){.index = i}, NULL);
            continue;
        }
        if (first != NONE) {
            if (run->trace) schema_trace_forget(run->trace, start);
            return FAIL(run, block, op, "is valid against both schema %u and schema %u", first, i);
        }
        first = i;
    }
    if (first != NONE && run->trace) schema_trace_forget(run->trace, start);
    return first != NONE || FAIL(run, block, op, "is valid against none of the %u schemas", op->b);
}

static bool run_if(run_t *run, const op_t *op, const json_t *value, evaluated_t *evaluated) {
    if (op->b == NONE && op->c == NONE && !evaluated) return true;
    bool holds = schema_run_quietly(run, op->a, value, evaluated);
    uint32_t next = holds ? op->b : op->c;
    return next == NONE || schema_descend(run, next, value, evaluated, holds ? KEYWORD_THEN : KEYWORD_ELSE, NULL);
}

/* The outermost resource in scope that has the anchor decides. */
static uint32_t dynamic_target(const run_t *run, const op_t *op) {
    const candidate_t *candidates = run->schema->candidates.items + op->b;
    uint32_t target = op->a;
    for (const scope_t *scope = run->scope; scope; scope = scope->outer) {
        for (uint32_t i = 0; i < op->c; i++) {
            if (candidates[i].resource == scope->resource) target = candidates[i].block;
        }
    }
    return target;
}

static COLD bool fail_value(run_t *run, const block_t *block, const op_t *op) {
    char text[240];
    if (op->code == OP_CONST)
        return schema_fail(run, block, op, "must be %s", schema_excerpt(op->json, text, sizeof text));
    const json_t *values = run->schema->sets.items[op->a].values;
    return schema_fail(run, block, op, "must be one of %s", schema_excerpt(values, text, sizeof text));
}

static bool run_value(run_t *run, const block_t *block, const op_t *op, const json_t *value) {
    bool valid = op->code == OP_CONST
                     ? schema_equal(value, op->json, &run->steps)
                     : schema_set_has(run->schema, &run->schema->sets.items[op->a], value, &run->steps);
    return valid || (run->trace && fail_value(run, block, op));
}

/* An instruction for all types, or of the last group. */
static bool run_op(run_t *run, const block_t *block, const op_t *op, const json_t *value, evaluated_t *evaluated) {
    switch (op->code) {
    case OP_CONST:
    case OP_ENUM: return run_value(run, block, op, value);
    case OP_REF:
        if (!run->trace && !evaluated) return schema_apply(run, op->c, value, NULL);
        return schema_descend(run, op->a, value, evaluated, op->keyword, NULL);
    case OP_DYNAMIC: return schema_descend(run, dynamic_target(run, op), value, evaluated, op->keyword, NULL);
    case OP_ALL: return run_all(run, op, value, evaluated);
    case OP_ANY: return run_any(run, block, op, value, evaluated);
    case OP_ONE: return run_one(run, block, op, value, evaluated);
    case OP_NOT:
        return !schema_run_quietly(run, op->a, value, NULL) ||
               FAIL(run, block, op, "must not be valid against the schema");
    case OP_IF: return run_if(run, op, value, evaluated);
    default: return schema_run_unevaluated(run, block, op, value, evaluated);
    }
}

/* ---- Blocks ---- */

static inline bool run_own_type(run_t *run, const block_t *block, const op_t *ops, const json_t *value,
                                evaluated_t *evaluated) {
    const uint8_t *cut = block->cut;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return schema_run_object(run, block, ops + cut[GROUP_OBJECT], ops + cut[GROUP_OBJECT + 1], value, evaluated);
    case JSON_ARRAY:
        return schema_run_array(run, block, ops + cut[GROUP_ARRAY], ops + cut[GROUP_ARRAY + 1], value, evaluated);
    case JSON_STRING:
        return cut[GROUP_STRING] == cut[GROUP_STRING + 1] ||
               schema_run_string(run, block, ops + cut[GROUP_STRING], ops + cut[GROUP_STRING + 1],
                                 (text_t){json_string_value(value), json_string_length(value)});
    case JSON_INTEGER:
    case JSON_REAL: return schema_run_number(run, block, ops + cut[GROUP_NUMBER], ops + cut[GROUP_NUMBER + 1], value);
    default: return true;
    }
}

static __attribute__((noinline)) bool run_common(run_t *run, const block_t *block, const op_t *op, const op_t *end,
                                                 const json_t *value, evaluated_t *evaluated, bool valid) {
    for (; op < end && (valid || schema_goes_on(run)); op++) valid &= run_op(run, block, op, value, evaluated);
    return valid;
}

static inline __attribute__((always_inline)) bool run_block(run_t *run, const block_t *block, const json_t *value,
                                                            evaluated_t *evaluated) {
    if (!LIKELY(--run->steps >= 0)) return schema_run_limit(run, "the document takes more steps than are allowed");
    if (!LIKELY(run->depth < run->schema->max_depth)) return schema_run_limit(run, "the document is nested too deep");
    run->depth++;
    const op_t *ops = run->schema->ops.items + block->ops;
    bool valid = run_own_type(run, block, ops, value, evaluated);
    if (block->cut[GROUP_ANY] != block->cut[GROUP_COUNT])
        valid =
            run_common(run, block, ops + block->cut[GROUP_ANY], ops + block->cut[GROUP_COUNT], value, evaluated, valid);
    run->depth--;
    return valid;
}

/* Not inline: for what is rare. */
static __attribute__((noinline)) bool run_plain(run_t *run, const block_t *block, const json_t *value,
                                                evaluated_t *evaluated) {
    return run_block(run, block, value, evaluated);
}

static void merge(evaluated_t *into, const evaluated_t *from) {
    if (from->upto > into->upto) into->upto = from->upto;
    for (size_t i = 0; i < from->words; i++) into->bits[i] |= from->bits[i];
}

/* Applies a block, or runs it where `inside` says that it has been entered, with a set of its own of what it
   evaluates. The set is added to that of the caller when the value is valid, and when failures are collected: what
   fails already need not fail again for members that were looked at. */
static __attribute__((noinline)) bool run_apart(run_t *run, uint32_t index, const json_t *value,
                                                evaluated_t *evaluated, bool inside) {
    size_t count = json_is_object(value) ? json_object_size(value) : json_array_size(value);
    uint64_t on_stack[STACK_WORDS] = {0};
    evaluated_t own = {.bits = on_stack, .words = (count + 63) / 64};
    if (own.words > STACK_WORDS) own.bits = mem_zero(own.words, sizeof *own.bits);
    bool valid = inside ? run_plain(run, &run->schema->blocks.items[index], value, &own)
                        : schema_apply(run, index, value, &own);
    if (evaluated && (valid || (inside && run->trace))) merge(evaluated, &own);
    if (own.bits != on_stack) free(own.bits);
    return valid;
}

static bool in_scope(const run_t *run, uint32_t resource) {
    const scope_t *scope = run->scope;
    while (scope && scope->resource != resource) scope = scope->outer;
    return scope != NULL;
}

static __attribute__((noinline)) bool run_special(run_t *run, uint32_t index, const json_t *value,
                                                  evaluated_t *evaluated) {
    const block_t *block = &run->schema->blocks.items[index];
    scope_t scope = {.outer = run->scope, .resource = run->schema->places.items[block->place].resource};
    if (block->flags & BLOCK_SCOPE && !in_scope(run, scope.resource)) run->scope = &scope;
    bool track = block->flags & BLOCK_TRACK && (json_is_object(value) || json_is_array(value));
    bool valid = track ? run_apart(run, index, value, evaluated, true) : run_plain(run, block, value, evaluated);
    run->scope = scope.outer;
    return valid;
}

bool schema_run(run_t *run, uint32_t index, const json_t *value, evaluated_t *evaluated) {
    const block_t *block = &run->schema->blocks.items[index];
    if (!LIKELY(!(block->flags & (BLOCK_TRACK | BLOCK_SCOPE)))) return run_special(run, index, value, evaluated);
    return run_block(run, block, value, evaluated);
}

bool schema_run_quietly(run_t *run, uint32_t index, const json_t *value, evaluated_t *evaluated) {
    trace_t *trace = run->trace;
    run->trace = NULL;
    bool valid = run_branch(run, index, value, evaluated);
    run->trace = trace;
    return valid;
}

static const char *type_names(uint16_t types, char *text, size_t size) {
    static const struct {
        const char *name;
        uint16_t types;
    } names[] = {
        {"object", TYPE_OBJECT},         {"array", TYPE_ARRAY},       {"string", TYPE_STRING}, {"number", TYPE_REAL},
        {"integer", TYPE_INTEGER},       {"boolean", TYPE_TRUE},      {"null", TYPE_NULL},
    };
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!(types & names[i].types) || (names[i].types == TYPE_INTEGER && types & TYPE_REAL)) continue;
        len += strlen(strcpy(stpcpy(text + len, len ? " or " : ""), names[i].name)) + (len ? 4 : 0);
        if (len + 16 > size) break;
    }
    return text;
}

static COLD void fail_type(run_t *run, const block_t *block, const json_t *value) {
    char names[96];
    if (block->flags & BLOCK_NOTHING)
        schema_fail(run, block, NULL, "nothing is allowed here");
    else
        schema_fail_at(run, block, KEYWORD_TYPE, NULL, "must be %s, is %s",
                       type_names(block->types, names, sizeof names), schema_type_name(value));
}

bool schema_run_typed(run_t *run, uint32_t index, const json_t *value, evaluated_t *evaluated) {
    const block_t *block = &run->schema->blocks.items[index];
    bool whole = json_is_real(value) && block->types & TYPE_WHOLE_REAL && schema_real_is_whole(json_real_value(value));
    if (!whole) {
        if (!run->trace) return false;
        fail_type(run, block, value);
        if (!schema_goes_on(run)) return false;
    }
    if (!(block->active >> json_typeof(value) & 1)) return whole;
    return schema_run(run, index, value, evaluated) && whole;
}
